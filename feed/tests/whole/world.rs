//! COLD: backtests of one market maker on one venue or several, judged at each step and against the venues' truth.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use serde_json::Value;
use spinbook_engine::event::{ExecutionEvent, ExecutionKind, LocalReject};
use spinbook_engine::intent::{Intent, IntentKind};
use spinbook_engine::strategy::Spread;
use spinbook_engine::types::{InstrumentId, Lots, Nanos, Side, Tick};
use spinbook_feed::backtest::{Backtest, BacktestObserver, BacktestSettings, BacktestState, BacktestVenue};
use spinbook_feed::gateway::Gateway;
use spinbook_feed::gateway::orders::OrderCounts;
use spinbook_feed::gateway::settings::{GatewayMode, GatewaySettings};
use spinbook_feed::session::{MarketSession, SessionSettings};
use spinbook_feed::sim::faults::FaultPlan;
use spinbook_feed::sim::paper::{PaperExchange, PaperSettings};
use spinbook_feed::sim::side::{ExchangeSide, HttpRequest};
use spinbook_feed::venue::binance::instruments::find_instruments;
use spinbook_feed::venue::binance::parameters::Query;
use spinbook_feed::venue::instrument::Instrument;
use spinbook_feed::venue::simulator_side::MarketForm;
use spinbook_feed::venue::{ProductLine, binance};

use crate::setup;

const SYMBOL: &str = "BTCUSDT";

type State = BacktestState<Spread>;

/// What a run came to.
#[derive(Debug, Default)]
pub struct Outcome {
    pub violations: Vec<String>,
    pub placed: u64,
    pub accepted: u64,
    pub fills: u64,
    pub canceled: u64,
    pub rejected: u64,
    pub expired: u64,
    pub gaps: u64,
    pub reconnects: u64,
    pub engine_open_orders: usize,
    pub trace: u64,
    pub venues: Vec<VenueOutcome>,
}

/// What it came to on one venue.
#[derive(Debug, Default)]
pub struct VenueOutcome {
    pub fills: u64,
    pub orders: OrderCounts,
    pub pauses: u64,
    pub live_at_end: bool,
    pub quiet: bool,
    pub open_orders: usize,
    pub position: Decimal,
    pub venue_position: Decimal,
    pub cash: Decimal,
    pub venue_cash: Decimal,
}

/// Judges each intent, execution and step of a run.
#[derive(Default)]
pub struct Judge {
    in_flight: BTreeMap<(InstrumentId, u8), u64>,
    ids_used: BTreeSet<u64>,
    trades_seen: BTreeSet<(u8, u128)>,
    positions_max: Vec<Lots>,
    /// Cancels that the engine asked for, by instrument.
    pub cancels: BTreeMap<InstrumentId, u64>,
    fills: BTreeMap<InstrumentId, u64>,
    /// Every fill in the order in which the engine heard of it.
    pub heard: Vec<HeardFill>,
    outcome: Outcome,
}

/// A fill as the engine hears of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeardFill {
    pub at: Nanos,
    pub order: u64,
    pub side: Side,
    pub tick: Tick,
    pub lots: Lots,
}

impl Judge {
    fn violation(&mut self, now: Nanos, text: String) {
        if self.outcome.violations.len() < 8 {
            let at = now - setup::START;
            self.outcome.violations.push(format!("{} ms: {text}", at.millis()));
        }
    }
}

fn venue_of(state: &State, instrument: InstrumentId) -> &BacktestVenue {
    &state.venues[instrument.index()]
}

impl BacktestObserver<Spread> for Judge {
    /// I1, I4, and one request in flight per quote slot.
    fn on_intent(&mut self, intent: &Intent, state: &State) {
        let (id, slot) = (intent.instrument, intent.slot.0);
        if let Some(order) = self.in_flight.insert((id, slot), intent.order.0) {
            self.violation(state.now, format!("slot {slot} has two requests in flight: {order} and {intent:?}"));
        }
        if intent.kind != IntentKind::Place {
            *self.cancels.entry(id).or_default() += 1;
            return;
        }
        self.outcome.placed += 1;
        if !self.ids_used.insert(intent.order.0) {
            self.violation(state.now, format!("order id {} was used twice", intent.order.0));
        }
        if !venue_of(state, id).session.is_live(id) || !state.engine.market(id).is_quotable() {
            self.violation(state.now, format!("placed on a book that is not Live: {intent:?}"));
        }
    }

    /// I3: each execution once.
    fn on_execution(&mut self, event: &ExecutionEvent, state: &State) {
        match event.kind {
            ExecutionKind::Accepted => self.outcome.accepted += 1,
            // What our own checks refuse was never sent.
            ExecutionKind::Rejected if event.local == LocalReject::None => self.outcome.rejected += 1,
            ExecutionKind::Canceled => self.outcome.canceled += 1,
            ExecutionKind::Expired => self.outcome.expired += 1,
            ExecutionKind::Filled => {
                self.outcome.fills += 1;
                let (at, order) = (state.now - setup::START, event.order.0);
                self.heard.push(HeardFill { at, order, side: event.side, tick: event.tick, lots: event.lots });
                *self.fills.entry(event.instrument).or_default() += 1;
                if !self.trades_seen.insert((event.venue.0, event.trade.0)) {
                    self.violation(state.now, format!("trade {} was told twice", event.trade.0));
                }
            }
            _ => {}
        }
        let slot = (event.instrument, event.slot.0);
        if event.order.0 != 0 && self.in_flight.get(&slot) == Some(&event.order.0) {
            self.in_flight.remove(&slot);
        }
    }

    /// I2: the worst case stays within the limit; the book is never crossed while Live.
    fn on_step(&mut self, state: &State) {
        for place in 0..state.venues.len() {
            let id = InstrumentId(place as u16);
            let held = state.engine.position(id).exposure().0;
            let max = self.positions_max[place].0;
            let working = state.engine.working(id);
            let (bids, asks) = (working.lots_worst(Side::Bid).0, working.lots_worst(Side::Ask).0);
            // Base fees of spot buys leave the position after the check, always towards flat or by less than a fee.
            let slack = max / 100;
            if held + bids > max + slack || held - asks < -max - slack {
                let text = format!("exposure {held} with {bids} to buy and {asks} to sell exceeds {max}");
                self.violation(state.now, text);
            }
            if state.venues[place].session.is_live(id) && state.engine.market(id).book().is_crossed() {
                self.violation(state.now, "a Live book is crossed".to_owned());
            }
        }
    }
}

/// One market maker; one instrument a venue, the instrument's id being the venue's place.
pub struct World {
    pub backtest: Backtest<Spread, Judge>,
    markets: Vec<(ProductLine, Instrument, Lots)>,
}

fn instrument_at(product: ProductLine, place: usize, exchange: &mut impl ExchangeSide) -> Instrument {
    let target = product.card().instruments_path;
    let request = HttpRequest { method: "GET", target, headers: &[], body: b"" };
    let reply = exchange.on_http(&request, setup::START);
    let mut instrument = find_instruments(product, &reply.body, &[SYMBOL]).unwrap().remove(0);
    instrument.id = InstrumentId(place as u16);
    instrument
}

impl World {
    pub fn new(product: ProductLine, seed: u64, faults: FaultPlan) -> World {
        World::of(&[product], seed, &faults)
    }

    /// On several venues, each with the same faults.
    pub fn of(products: &[ProductLine], seed: u64, faults: &FaultPlan) -> World {
        World::made(products, faults, BacktestSettings::new(setup::START, seed), MarketForm::Present, None)
    }

    /// On one venue whose network always takes `network` and whose market shows nothing of ours; with a round trip of
    /// paper trading, orders go there instead.
    pub fn steady(product: ProductLine, seed: u64, network: Nanos, paper: Option<Nanos>) -> World {
        let steady = BacktestSettings::steady(setup::START, seed, network, Nanos(20_000));
        let settings = BacktestSettings { is_checked: true, ..steady };
        World::made(&[product], &FaultPlan::default(), settings, MarketForm::Original, paper)
    }

    fn made(
        products: &[ProductLine],
        faults: &FaultPlan,
        timing: BacktestSettings,
        form: MarketForm,
        paper: Option<Nanos>,
    ) -> World {
        let seed = timing.seed;
        let mut markets = Vec::new();
        let mut exchanges = Vec::new();
        for (place, product) in products.iter().enumerate() {
            let mut exchange = setup::exchange_of(*product, seed, faults.clone(), form);
            let instrument = instrument_at(*product, place, &mut exchange);
            let is_spot = *product == binance::SPOT;
            let start = if is_spot { Lots(instrument.quantity.parse(b"2").unwrap()) } else { Lots::ZERO };
            markets.push((*product, instrument, start));
            exchanges.push(exchange);
        }
        let limits: Vec<_> = markets.iter().map(|(_, instrument, _)| setup::limits(instrument)).collect();
        let venue = |(exchange, (product, instrument, _)): (_, &(ProductLine, Instrument, Lots))| {
            let settings =
                SessionSettings { seed, symbol_silence_max: Nanos::from_seconds(5), ..SessionSettings::of(*product) };
            let gateway = GatewaySettings::new(*product, GatewayMode::Live, setup::EPOCH, limits.clone());
            BacktestVenue {
                session: MarketSession::new(*product, std::slice::from_ref(instrument), settings).unwrap(),
                gateway: Gateway::new(gateway, setup::credentials(), vec![*instrument]),
                exchange: Box::new(exchange),
                paper: paper.map(|latency| {
                    let settings = PaperSettings { latency, frame_delay_max: Nanos::ZERO };
                    PaperExchange::new(Box::new(setup::paper_exchange(*product)), settings)
                }),
                instruments: vec![*instrument],
            }
        };
        let venues = exchanges.into_iter().zip(&markets).map(venue).collect();
        let borrowed: Vec<_> =
            markets.iter().map(|(product, instrument, start)| (*product, instrument, *start)).collect();
        let (engine, orders, cancels) = setup::engine(&borrowed);
        let positions_max = markets.iter().map(|(_, instrument, _)| setup::position_max(instrument)).collect();
        let judge = Judge { positions_max, ..Judge::default() };
        World { backtest: Backtest::new(timing, engine, (orders, cancels), venues, judge), markets }
    }

    /// Trades for `span`, shuts down, and asks the venues for the truth.
    pub fn run(mut self, span: Nanos) -> Outcome {
        self.backtest.start();
        self.backtest.run_for(span);
        self.finish()
    }

    /// Shuts down and asks the venues for the truth.
    pub fn finish(mut self) -> Outcome {
        let places = 0..self.markets.len();
        let is_live = |place: usize| self.backtest.state().venues[place].session.is_live(InstrumentId(place as u16));
        let live: Vec<bool> = places.map(is_live).collect();
        self.backtest.begin_shutdown();
        self.backtest.run_for(Nanos::from_seconds(1));
        self.backtest.cancel_all();
        self.backtest.run_for(Nanos::from_seconds(8));
        let (reconnects, trace) = (self.backtest.reconnects(), self.backtest.trace());
        let (mut state, judge) = self.backtest.into_parts();
        let venues = self.markets.iter().enumerate().map(|(place, (product, instrument, start))| {
            let fills = judge.fills.get(&instrument.id).copied().unwrap_or_default();
            let outcome = VenueOutcome { fills, live_at_end: live[place], ..VenueOutcome::default() };
            compare(&mut state, place, *product, instrument, *start, outcome)
        });
        let venues: Vec<VenueOutcome> = venues.collect();
        let gaps = state.venues.iter().map(|venue| venue.session.counters().gaps).sum();
        let engine_open_orders = state.engine.open_orders();
        Outcome { gaps, reconnects, trace, engine_open_orders, venues, ..judge.outcome }
    }
}

fn ask_venue(state: &mut State, place: usize, path: &str, parameters: &[(&str, &str)]) -> Value {
    let mut query = Query::new();
    for (name, value) in parameters {
        query.push(name, value);
    }
    query.push_number("timestamp", state.now.millis());
    query.sign(&setup::credentials());
    let target = format!("{path}?{}", query.as_str());
    let headers = [("X-MBX-APIKEY", setup::KEY)];
    let request = HttpRequest { method: "GET", target: &target, headers: &headers, body: b"" };
    let reply = state.venues[place].exchange.on_http(&request, state.now);
    assert_eq!(reply.status, 200, "{path}: {}", String::from_utf8_lossy(&reply.body));
    serde_json::from_slice(&reply.body).unwrap()
}

fn number(value: &Value) -> Decimal {
    value.as_str().unwrap().parse().unwrap()
}

/// I6: compares what the engine believes with what the venue says.
fn compare(
    state: &mut State,
    place: usize,
    product: ProductLine,
    instrument: &Instrument,
    start: Lots,
    mut outcome: VenueOutcome,
) -> VenueOutcome {
    let spot = product == binance::SPOT;
    let prefix = if spot { "/api/v3" } else { "/fapi/v1" };
    let symbol = [("symbol", SYMBOL)];
    let open = ask_venue(state, place, &format!("{prefix}/openOrders"), &symbol);
    outcome.open_orders = open.as_array().unwrap().len();
    let name = if spot { "myTrades" } else { "userTrades" };
    let trades = ask_venue(state, place, &format!("{prefix}/{name}"), &[("symbol", SYMBOL), ("limit", "1000")]);
    let (mut cash, mut position) = (Decimal::ZERO, Decimal::ZERO);
    for trade in trades.as_array().unwrap() {
        let buys = trade[if spot { "isBuyer" } else { "buyer" }].as_bool().unwrap();
        let sign = if buys { Decimal::ONE } else { Decimal::NEGATIVE_ONE };
        let (price, quantity) = (number(&trade["price"]), number(&trade["qty"]));
        position += sign * quantity;
        cash -= sign * price * quantity;
        if trade["commissionAsset"] == "BTC" {
            position -= number(&trade["commission"]);
        } else {
            cash -= number(&trade["commission"]);
        }
    }
    let stated = if spot {
        let account = ask_venue(state, place, "/api/v3/account", &[]);
        let balances = account["balances"].as_array().unwrap().clone();
        let base = balances.iter().find(|balance| balance["asset"] == "BTC").unwrap();
        number(&base["free"]) + number(&base["locked"]) - Decimal::from(2)
    } else {
        let risk = ask_venue(state, place, "/fapi/v3/positionRisk", &symbol);
        risk.as_array().unwrap().iter().map(|entry| number(&entry["positionAmt"])).sum()
    };
    assert_eq!(stated.normalize(), position.normalize(), "the venue's own trades and position disagree");
    let held = state.engine.position(instrument.id);
    let lots = held.lots().0 - start.0;
    let sign = if lots < 0 { Decimal::NEGATIVE_ONE } else { Decimal::ONE };
    outcome.position = (sign * instrument.quantity.decimal(lots.abs())).normalize();
    outcome.venue_position = position.normalize();
    outcome.cash = Decimal::from_i128_with_scale(held.cash().0 / 1_000_000_000, 9).normalize();
    outcome.venue_cash = cash.normalize();
    let gateway = &state.venues[place].gateway;
    outcome.orders = gateway.order_counts();
    outcome.quiet = gateway.is_quiet();
    outcome.pauses = gateway.counters().pauses;
    outcome
}
