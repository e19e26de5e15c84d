//! COLD: numbers at every edge, in every field that a venue states before and while we trade: read, refused, never fatal.

use serde_json::{Value, json};
use spinbook_engine::event::{ExecutionEvent, ExecutionKind, FeeAsset, MarketEvent, MarketKind};
use spinbook_engine::intent::{Intent, TimeInForce};
use spinbook_engine::ring::{self, Consumer};
use spinbook_engine::setup::{
    self, AssetGroupSettings, BudgetSettings, EngineSettings, InstrumentSetup, ORDER_WINDOWS_MAX, QuoterSettings,
    RiskSettings, SpreadSettings, WindowSettings,
};
use spinbook_engine::strategy::Spread;
use spinbook_engine::types::{AssetGroupId, InstrumentId, Level, Lots, Nanos, QuoteAtoms, Side, Stamp, Tick, TradeId};
use spinbook_feed::gateway::throttle::{Throttle, Urgency};
use spinbook_feed::random::Random;
use spinbook_feed::scan::ScannerChoice;
use spinbook_feed::venue::account::{AccountPoint, Mids, MovedBeside, venue_account};
use spinbook_feed::venue::binance::account::{parse_balances, parse_open_orders, parse_positions, parse_trades};
use spinbook_feed::venue::binance::decode::Decoder;
use spinbook_feed::venue::binance::instruments::find_instruments;
use spinbook_feed::venue::binance::rate_limits::parse_windows;
use spinbook_feed::venue::binance::request_ids::CLIENT_IDS;
use spinbook_feed::venue::binance::{self, order_decode};
use spinbook_feed::venue::card::RateWindow;
use spinbook_feed::venue::instrument::Instrument;
use spinbook_feed::venue::market::{FRAME_PADDING, Message};
use spinbook_feed::venue::order_ids::ClientIds;
use spinbook_feed::venue::order_side::Cost;
use spinbook_feed::venue::orders::WindowUsage;
use spinbook_feed::venue::{ProductLine, binance as venue};

const START: Nanos = Nanos(1_700_000_000_000_000_000);

/// Texts of numbers at an edge of something: of the scale, of 18 digits, of 64, 96 and 128 bits.
const TEXTS: [&str; 22] = [
    "0",
    "0.00000000",
    "1",
    "-1",
    "0.000000000000000001",
    "1e-18",
    "1e-19",
    "0.1",
    "999999999999999999",
    "1000000000000000000",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "18446744073709551615",
    "79228162514264337593543950335",
    "79228162514264337593543950336",
    "170141183460469231731687303715884105727",
    "1e17",
    "1e28",
    "1e400",
    "NaN",
    "",
];

/// Plain numbers at an edge.
const NUMBERS: [&str; 16] = [
    "0",
    "1",
    "-1",
    "31",
    "1000",
    "4294967295",
    "4294967296",
    "10000000000",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1e308",
    "1.5",
    "null",
    "\"7\"",
];

/// Draws fields: most are ordinary, so that whole messages are understood often enough to go on.
struct Draw(Random);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0.next_u64() % bound
    }

    fn one_of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len() as u64) as usize]
    }

    fn text<'a>(&mut self, ordinary: &'a str) -> &'a str {
        if self.below(7) == 0 { self.one_of(&TEXTS) } else { ordinary }
    }

    fn number(&mut self, ordinary: &str) -> Value {
        let text = if self.below(7) == 0 { self.one_of(&NUMBERS) } else { ordinary };
        serde_json::from_str(text).unwrap()
    }

    fn units(&mut self) -> i64 {
        match self.below(6) {
            0 => i64::MAX,
            1 => i64::MAX / 2,
            2 => 0,
            3 => (1 << 60) - 1,
            _ => self.below(100_000) as i64,
        }
    }

    fn list(&mut self) -> Vec<u8> {
        let (tick, step) = (self.text("0.10"), self.text("0.001"));
        let interval = self.one_of(&["SECOND", "MINUTE", "HOUR", "DAY", "DAY", "WEEK"]);
        let limits: Vec<Value> = ["REQUEST_WEIGHT", "ORDERS", "RAW_REQUESTS"]
            .map(|kind| {
                json!({"rateLimitType": kind, "interval": interval, "intervalNum": self.number("1"),
                    "limit": self.number("1200")})
            })
            .into();
        json!({
            "rateLimits": limits,
            "symbols": [{
                "symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT",
                "filters": [
                    {"filterType": "PRICE_FILTER", "minPrice": self.text("0.10"), "maxPrice": self.text("1000000"),
                        "tickSize": tick},
                    {"filterType": "LOT_SIZE", "stepSize": step, "minQty": self.text("0.001"),
                        "maxQty": self.text("1000")},
                    {"filterType": "NOTIONAL", "minNotional": self.text("5")},
                ],
            }],
        })
        .to_string()
        .into_bytes()
    }

    /// A snapshot: levels on the touch, and some at an edge.
    fn snapshot(&mut self) -> Vec<u8> {
        let (bid, ask) = (self.text("64000.10"), self.text("64000.20"));
        json!({
            "lastUpdateId": self.number("1027024"), "E": self.number("1589436922972"),
            "bids": [[bid, self.text("1.5")], [self.text("63999.9"), self.text("0.001")]],
            "asks": [[ask, self.text("2")], [self.text("64001"), self.text("0.001")]],
        })
        .to_string()
        .into_bytes()
    }

    fn trade(&mut self, number: u64) -> Value {
        json!({"symbol": "BTCUSDT", "id": number, "orderId": self.number("100234"), "price": self.text("64000.10"),
            "qty": self.text("0.004"), "commission": self.text("0.01"),
            "commissionAsset": self.one_of(&["USDT", "USDT", "BTC", "BNB"]), "time": self.number("1499865549590"),
            "isBuyer": self.below(2) == 0, "buyer": self.below(2) == 0, "isMaker": true, "maker": true})
    }
}

fn costs() -> [Cost; 4] {
    [(0, 0), (1, 1), (u32::MAX, u32::MAX), (20, 0)].map(|(weight, orders)| Cost { weight, orders, cancels: 0 })
}

fn use_windows(windows: &[WindowUsage], draw: &mut Draw) {
    let rates: Vec<RateWindow> =
        windows.iter().map(|window| RateWindow { kind: window.kind, span: window.span, limit: window.limit }).collect();
    assert!(rates.iter().all(|rate| rate.limit > 0 && rate.span > Nanos::ZERO), "{rates:?}");
    let mut throttle = Throttle::new(&rates, &[InstrumentId(0)], 90, 30);
    let mut now = START;
    for _ in 0..8 {
        for cost in costs() {
            let _ = throttle.allows(cost, Urgency::Place, None, now);
            let _ = throttle.ready_at(cost, Urgency::Cancel, None, now);
            throttle.take(cost, None, now);
            throttle.check();
        }
        let used = draw.below(1 << 32) as u32;
        let seen: Vec<WindowUsage> = windows.iter().map(|window| WindowUsage { used, ..*window }).collect();
        throttle.observe(&seen, now);
        throttle.check();
        now = now + Nanos::from_seconds(1 << draw.below(24));
    }
}

struct Trader {
    engine: spinbook_engine::engine::Engine<Spread>,
    orders: Consumer<Intent>,
    cancels: Consumer<Intent>,
    instrument: Instrument,
    now: Nanos,
    sequence: u64,
    trade: u128,
}

impl Trader {
    /// An engine for an instrument that was read, with limits as wide as they can be; `None`: set-up refuses it.
    fn new(instrument: Instrument, lots_start: Lots) -> Option<Trader> {
        let settings = instrument.engine_settings(200, 500, 8).ok()?;
        let any = Lots(i64::MAX);
        let setup = InstrumentSetup {
            instrument: settings,
            risk: RiskSettings {
                order_lots_max: any,
                order_notional_max: QuoteAtoms(i128::MAX),
                price_collar_millionths: 1_000_000,
                position_lots_max: any,
                open_orders_max: 64,
                book_age_max: Nanos::NEVER,
            },
            quoter: QuoterSettings::default(),
            asset_group: AssetGroupId(0),
            lots_start,
            lots_neutral: if instrument.venue == venue::SPOT.venue_id() { lots_start } else { Lots::ZERO },
        };
        let budget = BudgetSettings {
            venue: instrument.venue,
            order_windows: [WindowSettings::default(); ORDER_WINDOWS_MAX],
            messages_max_per_second: 1_000_000,
            cancel_share_millionths: 300_000,
        };
        let spread = SpreadSettings {
            spread_millionths: 100,
            levels: 2,
            level_step_millionths: 500,
            order_lots: instrument.lots_order_min,
            position_lots_max: any,
            imbalance_levels: 10,
            imbalance_threshold_millionths: 300_000,
            imbalance_widening_millionths: 1_500_000,
            imbalance_net_of_own: true,
            inventory_skew_millionths: 1_000,
            edge_min_millionths: -1_000_000,
            time_in_force: TimeInForce::PostOnly,
        };
        let settings = EngineSettings {
            epoch: 1,
            strategy_number: 0,
            instruments: vec![setup],
            budgets: vec![budget],
            asset_groups: vec![AssetGroupSettings { loss_max_per_day: QuoteAtoms(i128::MAX) }],
            telemetry_interval: Nanos::from_millis(50),
        };
        let ((orders, orders_out), (cancels, cancels_out)) = (ring::channel(256), ring::channel(256));
        let strategy = setup::spread_strategy(vec![spread]).ok()?;
        let engine = setup::engine(settings, strategy, orders, cancels).ok()?;
        let mut trader =
            Trader { engine, orders: orders_out, cancels: cancels_out, instrument, now: START, sequence: 1, trade: 0 };
        trader.tell(ExecutionEvent { kind: ExecutionKind::GatewayReady, ..ExecutionEvent::default() });
        Some(trader)
    }

    fn tell(&mut self, event: ExecutionEvent) {
        self.engine.on_execution(&ExecutionEvent { venue: self.instrument.venue, ..event }, self.now);
    }

    fn market(&mut self, kind: MarketKind, bids: &[Level], asks: &[Level]) {
        self.now = self.now + Nanos::from_millis(3);
        self.sequence += 1;
        let event = MarketEvent {
            received: Stamp { wall: self.now, tsc: 0 },
            event_time: self.now,
            sequence: self.sequence,
            instrument: InstrumentId(0),
            kind,
            ..MarketEvent::default()
        };
        let _ = self.engine.on_market(&event, bids, asks, self.now);
        self.engine.on_timer(self.now);
    }

    /// Takes what was sent, and fills some of it with amounts and fees of any size.
    fn answer(&mut self, draw: &mut Draw) -> u64 {
        let mut sent = 0;
        while let Some(intent) = self.orders.pop() {
            sent += 1;
            assert!(intent.tick.0 > 0 && intent.lots.0 > 0, "{intent:?}");
            let order = ExecutionEvent {
                order: intent.order,
                instrument: intent.instrument,
                slot: intent.slot,
                side: intent.side,
                ..ExecutionEvent::default()
            };
            self.tell(ExecutionEvent { kind: ExecutionKind::Accepted, ..order });
            self.trade += 1;
            let (lots, whole) = (draw.units(), draw.below(2) == 0);
            self.tell(ExecutionEvent {
                kind: ExecutionKind::Filled,
                trade: TradeId(self.trade),
                tick: Tick(if whole { intent.tick.0 } else { draw.units() }),
                lots: Lots(if whole { intent.lots.0 } else { lots }),
                lots_cumulative: Lots(if whole { intent.lots.0 } else { draw.units() }),
                fee: QuoteAtoms(i128::from(draw.units()) << draw.below(60)),
                fee_lots: Lots(draw.units()),
                fee_asset: [FeeAsset::Quote, FeeAsset::Base, FeeAsset::Other][draw.below(3) as usize],
                ..order
            });
        }
        while self.cancels.pop().is_some() {}
        sent
    }

    /// What the screen and the report would print.
    fn print(&self) {
        self.engine.telemetry(InstrumentId(0)).read().expect("nobody writes now");
        let book = self.engine.market(InstrumentId(0)).book();
        for level in Side::BOTH.into_iter().flat_map(|side| book.levels(side)) {
            let _ = (self.instrument.price.decimal(level.tick.0), self.instrument.quantity.decimal(level.lots.0));
        }
        let position = self.engine.position(InstrumentId(0));
        let _ = (position.pnl(), position.trading_pnl(), self.instrument.quantity.decimal(position.lots().0));
    }
}

fn trade(instrument: Instrument, start: Lots, product: ProductLine, draw: &mut Draw) -> Option<u64> {
    let mut trader = Trader::new(instrument, start)?;
    let mut decoder = Decoder::with_scanner(product, &[instrument], ScannerChoice::Best);
    let mut sent = 0;
    for _ in 0..3 {
        let body = draw.snapshot();
        let mut buffer = body.clone();
        buffer.resize(body.len() + FRAME_PADDING, 0);
        if let Ok(Message::Snapshot { .. }) = decoder.decode_snapshot(0, &mut buffer, body.len()) {
            let (bids, asks) = (decoder.levels().bids().to_vec(), decoder.levels().asks().to_vec());
            trader.market(MarketKind::Snapshot, &bids, &asks);
            sent += trader.answer(draw);
            let level = |draw: &mut Draw| [Level { tick: Tick(draw.units()), lots: Lots(draw.units()) }];
            let (bid, ask) = (level(draw), level(draw));
            trader.market(MarketKind::Delta, &bid, &ask);
            trader.market(MarketKind::Touch, &bid, &ask);
            trader.market(MarketKind::Trade, &bid, &[]);
            sent += trader.answer(draw);
        }
        trader.engine.publish_telemetry(trader.now);
        trader.print();
    }
    Some(sent)
}

fn reckon(instrument: Instrument, product: ProductLine, draw: &mut Draw) -> bool {
    let balances = |draw: &mut Draw| {
        let row = |asset: &str, draw: &mut Draw| json!({"asset": asset, "free": draw.text("5"), "locked": draw.text("1"), "balance": draw.text("5")});
        let rows = json!([row("BTC", draw), row("USDT", draw)]);
        let body = if product == venue::SPOT { json!({ "balances": rows }) } else { rows };
        parse_balances(product, body.to_string().as_bytes())
    };
    let positions = |draw: &mut Draw| {
        let body = json!([{"symbol": "BTCUSDT", "positionSide": "BOTH", "positionAmt": draw.text("-0.004")}]);
        parse_positions(&[instrument], body.to_string().as_bytes())
    };
    let body = json!([{"symbol": "BTCUSDT", "orderId": draw.number("7"), "clientOrderId": "x", "side": "BUY",
        "status": "NEW", "origQty": draw.text("1"), "executedQty": draw.text("0"), "updateTime": draw.number("9")}]);
    let _ = parse_open_orders(&[instrument], &[], body.to_string().as_bytes());
    let event = json!({"e": "executionReport", "s": "BTCUSDT", "c": "x", "S": "BUY", "x": "TRADE", "X": "FILLED",
        "i": draw.number("1"), "l": draw.text("1"), "z": draw.text("1"), "q": draw.text("1"), "L": draw.text("2"),
        "n": draw.text("0.1"), "N": draw.one_of(&["BTC", "USDT", "BNB"]), "T": draw.number("5"),
        "t": draw.number("77"), "m": true});
    let _ = order_decode::decode(&[instrument], &ClientIds::of_any(CLIENT_IDS), event.to_string().as_bytes());
    let (Ok(before), Ok(after)) = (balances(draw), balances(draw)) else { return false };
    let (Ok(held), Ok(holds)) = (positions(draw), positions(draw)) else { return false };
    let rows: Vec<Value> = (1..=3).map(|number| draw.trade(number)).collect();
    let Ok(trades) = parse_trades(&[instrument], Value::Array(rows).to_string().as_bytes()) else { return false };
    let start = AccountPoint { balances: before, positions: held };
    let mut end = AccountPoint { balances: after, positions: holds };
    if draw.below(2) == 0 {
        // As a venue would say it whose figures add up, so that the money is reckoned as well.
        let traded = trades.iter().try_fold(0_i64, |sum, trade| sum.checked_add(trade.side.sign() * trade.lots.0));
        let held = start.positions.first().map_or(0, |(_, lots)| lots.0);
        let now = traded.and_then(|traded| traded.checked_add(held)).unwrap_or(0);
        end.positions = vec![(instrument.id, Lots(now))];
    }
    let mids = [Some(Mids { first_doubled: draw.units(), last_doubled: draw.units(), transfers_doubled: 0 })];
    venue_account(product, &[instrument], &start, &end, &trades, &MovedBeside::default(), &mids).is_ok()
}

#[test]
fn numbers_at_every_edge_are_read_or_refused_and_never_end_the_program() {
    let seed = 20_261_121;
    println!("seed {seed}");
    let mut draw = Draw(Random::new(seed));
    let (mut kept, mut listed, mut traded, mut sent, mut reckoned) = (0, 0, 0, 0, 0);
    for round in 0..6_000 {
        let product = if round % 2 == 0 { binance::USDM } else { binance::SPOT };
        let body = draw.list();
        if let Ok(windows) = parse_windows(&body) {
            kept += 1;
            use_windows(&windows, &mut draw);
        }
        let Ok(instruments) = find_instruments(product, &body, &["BTCUSDT"]) else { continue };
        listed += 1;
        let instrument = instruments[0];
        reckoned += u32::from(reckon(instrument, product, &mut draw));
        // A book has megabytes, so not every instrument gets one.
        if listed % 8 == 0
            && let Some(orders) = trade(instrument, Lots(draw.units()), product, &mut draw)
        {
            traded += 1;
            sent += orders;
        }
    }
    println!("{kept} lists of limits kept, {listed} instruments, {traded} traded, {sent} orders, {reckoned} accounts");
    assert!(kept > 1_000 && listed > 1_000 && traded > 100 && sent > 100 && reckoned > 50, "the test tests something");
}
