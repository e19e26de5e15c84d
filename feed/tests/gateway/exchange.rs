//! COLD: gateway and simulated exchange in one thread and virtual time: what we believe equals what the venue says.

use std::collections::BTreeMap;

use crate::scripted_venue::{self, EPOCH, PRODUCTS, instrument, place, settings};
use rust_decimal::Decimal;
use serde_json::json;
use spinbook_engine::event::ExecutionKind as Kind;
use spinbook_engine::intent::{Intent, IntentKind};
use spinbook_engine::position::{Position, PositionFill};
use spinbook_engine::types::{Nanos, OrderId, Side, Tick};
use spinbook_feed::crypto::credentials::{Credentials, Key, Secret};
use spinbook_feed::gateway::rest::{RestAnswer, RestTicket};
use spinbook_feed::gateway::{Gateway, GatewayAction, GatewayOutput};
use spinbook_feed::random::Random;
use spinbook_feed::sim::api::AccountKey;
use spinbook_feed::sim::fault_plan::{FaultPlan, RandomUserData};
use spinbook_feed::sim::money_plan::{FundingPlan, LiquidationPlan, RegularFunding, TransferPlan};
use spinbook_feed::sim::side::{ClientControl, ConnectionId, ExchangeOutput, ExchangeSide, HttpRequest};
use spinbook_feed::venue::account::{
    AccountPoint, Mids, MovedBeside, RestRequest, TradesSince, VenueAccount, venue_account,
};
use spinbook_feed::venue::binance::account::{
    AccountRest, parse_balances, parse_incomes, parse_open_orders, parse_positions, parse_trades,
};
use spinbook_feed::venue::binance::simulator::{BinanceExchange, rules};
use spinbook_feed::venue::binance::simulator::{binance, usual};
use spinbook_feed::venue::order_side::OrderConnection;
use spinbook_feed::venue::simulator_side::AccountSettings;
use spinbook_feed::venue::source::{MarketSource, Record, RecordKind, SourceError};
use spinbook_feed::venue::{ProductLine, binance};

const START: Nanos = Nanos::from_seconds(1_795_132_800);
const ONE_WAY: Nanos = Nanos::from_millis(3);
const SECRET: &str = "r8Kd0pW3sQz6Lm1Xy9";
const SEED: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// A still book with trades around its touch, from a seed.
struct Market {
    product: ProductLine,
    random: u64,
    at: Nanos,
    trade: u64,
    buffer: Vec<u8>,
}

impl Market {
    fn draw(&mut self, bound: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % bound
    }
}

impl MarketSource for Market {
    fn next(&mut self) -> Result<Option<Record<'_>>, SourceError> {
        let zeros = if self.product == binance::SPOT { "0000000" } else { "0" };
        let price = |tenths: u64| format!("{}.{}{zeros}", tenths / 10, tenths % 10);
        if self.at == Nanos::ZERO {
            self.at = Nanos(1);
            let side = |tenths: &dyn Fn(u64) -> u64| {
                (0..10).map(|level| json!([price(tenths(level)), "1.000"])).collect::<Vec<_>>()
            };
            let (bids, asks) = (side(&|level| 639_999 - level), side(&|level| 640_000 + level));
            let snapshot = json!({"lastUpdateId": 1000, "bids": bids, "asks": asks});
            let (kind, text) = (RecordKind::Snapshot { symbol: None }, snapshot.to_string());
            return Ok(Some(Record::of_frame(Nanos::ZERO, kind, text.as_bytes(), &mut self.buffer)));
        }
        self.at = self.at + Nanos::from_millis(5 + self.draw(60) as i64);
        self.trade += 1;
        let seller = self.draw(2) == 0;
        let depth = u64::from(self.draw(12) == 0);
        let tenths = if seller { 639_999 - depth } else { 640_000 + depth };
        let quantity = format!("0.{:03}", 1 + self.draw(30));
        let data = json!({"e": "trade", "E": 1, "s": "BTCUSDT", "t": self.trade, "p": price(tenths), "q": quantity,
            "T": 1, "X": "MARKET", "m": seller, "M": true});
        let text = json!({"stream": "btcusdt@trade", "data": data}).to_string();
        Ok(Some(Record::of_frame(self.at, RecordKind::Stream, text.as_bytes(), &mut self.buffer)))
    }
}

enum Travelling {
    ToVenue(ConnectionId, Vec<u8>),
    ToUs(ConnectionId, Vec<u8>),
    Ping(ConnectionId, u64),
    Pong(ConnectionId, u64),
    Open(OrderConnection, ConnectionId, String),
    Ask(RestTicket, Box<RestRequest>),
    Answer(RestTicket, RestAnswer),
}

struct World {
    product: ProductLine,
    exchange: BinanceExchange,
    gateway: Gateway,
    now: Nanos,
    travelling: BTreeMap<(Nanos, u64), Travelling>,
    messages: u64,
    links: [Option<ConnectionId>; 2],
    connections: u64,
    position: Position,
    kinds: BTreeMap<u8, u64>,
    open: Vec<(OrderId, Side)>,
    random: Random,
    counter: u32,
    cuts: u64,
}

fn slot(connection: OrderConnection) -> usize {
    usize::from(connection == OrderConnection::UserData)
}

fn account_key(credentials: &Credentials) -> AccountKey {
    match &credentials.key {
        Key::Hmac(_) => AccountKey::HmacSecret(SECRET.as_bytes().to_vec()),
        Key::Ed25519(key) => AccountKey::Ed25519Public(key.public_key().try_into().unwrap()),
    }
}

impl World {
    fn new(product: ProductLine, credentials: Credentials, seed: u64, faults: FaultPlan) -> World {
        let mut sim = usual(product, vec![rules::known_listing(product, "BTCUSDT").unwrap()]);
        let mut balances = vec![("USDT".to_owned(), Decimal::from(1_000_000))];
        if product == binance::SPOT {
            balances.push(("BTC".to_owned(), Decimal::from(10)));
        }
        let api_key = credentials.api_key.as_str().to_owned();
        sim.faults = faults;
        sim.accounts = vec![AccountSettings { api_key, key: account_key(&credentials), balances }];
        let market = Market { product, random: seed, at: Nanos::ZERO, trade: 0, buffer: Vec::new() };
        let mut exchange = binance(sim, Box::new(market), START).unwrap();
        let watcher = if product == binance::SPOT { "/ws/btcusdt@trade" } else { "/market/ws/btcusdt@aggTrade" };
        exchange.on_websocket_open(ConnectionId(1), watcher, START).unwrap();
        World {
            product,
            exchange,
            gateway: Gateway::new(settings(product), credentials, vec![instrument(product)]),
            now: START,
            travelling: BTreeMap::new(),
            messages: 0,
            links: [None, None],
            connections: 1,
            position: Position::new(instrument(product).atoms_per_tick_lot),
            kinds: BTreeMap::new(),
            open: Vec::new(),
            random: Random::new(seed),
            counter: 0,
            cuts: 0,
        }
    }

    fn travel(&mut self, what: Travelling) {
        self.messages += 1;
        self.travelling.insert((self.now + ONE_WAY, self.messages), what);
    }

    fn carry(&mut self) {
        loop {
            let mut wanted = Vec::new();
            let Some(output) = self.gateway.poll_output() else {
                break;
            };
            match output {
                GatewayOutput::Execution(event) => wanted.push(event),
                GatewayOutput::Action(GatewayAction::Connect { connection, target }) => {
                    self.connections += 1;
                    let id = ConnectionId(self.connections);
                    self.travel(Travelling::Open(connection, id, target));
                }
                GatewayOutput::Action(GatewayAction::Send { connection, bytes, .. }) => {
                    let bytes = bytes.to_vec();
                    if let Some(id) = self.links[slot(connection)] {
                        self.travel(Travelling::ToVenue(id, bytes));
                    }
                }
                GatewayOutput::Action(GatewayAction::Ping { connection, mark }) => {
                    if let Some(id) = self.links[slot(connection)] {
                        self.travel(Travelling::Ping(id, mark));
                    }
                }
                GatewayOutput::Action(GatewayAction::Close { connection, .. }) => self.unlink(connection),
                GatewayOutput::Action(GatewayAction::Ask { ticket, request }) => {
                    self.travel(Travelling::Ask(ticket, request));
                }
            }
            for event in wanted {
                *self.kinds.entry(event.kind as u8).or_default() += 1;
                match event.kind {
                    Kind::Income => self.position.on_income(-event.fee).unwrap(),
                    Kind::Transfer => self.position.on_transfer(event.lots).unwrap(),
                    _ => {}
                }
                if matches!(event.kind, Kind::Filled | Kind::Liquidated) {
                    let fill = PositionFill {
                        side: event.side,
                        tick: event.tick,
                        lots: event.lots,
                        fee: event.fee,
                        fee_lots: event.fee_lots,
                        fee_asset: event.fee_asset,
                    };
                    self.position.on_fill(&fill).unwrap();
                }
            }
        }
        while let Some(output) = self.exchange.poll_output() {
            if let ExchangeOutput::Text { connection, text } = output {
                self.travel(Travelling::ToUs(connection, text));
            }
        }
    }

    fn unlink(&mut self, connection: OrderConnection) {
        if let Some(id) = self.links[slot(connection)].take() {
            self.exchange.on_websocket_close(id, self.now);
        }
    }

    fn count(&self, kind: Kind) -> u64 {
        self.kinds.get(&(kind as u8)).copied().unwrap_or(0)
    }

    fn deliver(&mut self, what: Travelling) {
        match what {
            Travelling::Ask(ticket, request) => {
                let headers: Vec<_> = request.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
                let (method, target) = (request.method, request.target.as_str());
                let asked = HttpRequest { method, target, headers: &headers, body: b"" };
                let reply = self.exchange.on_http(&asked, self.now);
                let answer = RestAnswer { status: reply.status, body: reply.body, retry_after: Nanos::ZERO };
                self.travel(Travelling::Answer(ticket, answer));
            }
            Travelling::Answer(ticket, answer) => self.gateway.on_rest(ticket, &answer, self.now),
            Travelling::Open(connection, id, target) => match self.exchange.on_websocket_open(id, &target, self.now) {
                Ok(()) => {
                    self.links[slot(connection)] = Some(id);
                    self.gateway.on_open(connection, self.now);
                }
                Err(refusal) => panic!("{target}: {}", refusal.status),
            },
            Travelling::ToVenue(id, bytes) => {
                if self.links.contains(&Some(id)) {
                    self.exchange.on_websocket_text(id, &bytes, self.now);
                }
            }
            Travelling::Ping(id, mark) => {
                self.exchange.on_websocket_control(id, ClientControl::Ping, self.now);
                self.travel(Travelling::Pong(id, mark));
            }
            Travelling::Pong(id, mark) => {
                for connection in [OrderConnection::Orders, OrderConnection::UserData] {
                    if self.links[slot(connection)] == Some(id) {
                        self.gateway.on_pong(connection, mark, self.now);
                    }
                }
            }
            Travelling::ToUs(id, mut bytes) => {
                for connection in [OrderConnection::Orders, OrderConnection::UserData] {
                    if self.links[slot(connection)] == Some(id) {
                        self.gateway.on_frame(connection, &mut bytes, self.now);
                    }
                }
            }
        }
    }

    /// Lets time pass, each party woken when it asked to be.
    fn run(&mut self, span: Nanos) {
        let end = self.now + span;
        loop {
            self.carry();
            let message = self.travelling.keys().next().map_or(Nanos::NEVER, |(at, _)| *at);
            let next = message.min(self.exchange.next_deadline()).min(self.gateway.next_deadline()).max(self.now);
            if next > end {
                break;
            }
            self.now = next;
            if message <= next {
                let (_, what) = self.travelling.pop_first().unwrap();
                self.deliver(what);
            } else if self.exchange.next_deadline() <= next {
                self.exchange.on_timer(next);
            } else {
                self.gateway.on_timer(next);
                if self.gateway.next_deadline() <= next {
                    self.now = next + Nanos(1_000);
                }
            }
        }
        self.now = end;
    }

    fn intend(&mut self, side: Side, tick: Tick) {
        self.counter += 1;
        let order = OrderId::new(EPOCH, self.counter);
        let mut intent = place(self.product, order, side);
        intent.tick = tick;
        intent.deadline = self.now + Nanos::from_millis(20);
        self.open.push((order, side));
        self.gateway.on_intent(&intent, self.now);
    }

    /// Gives every quote another price and quantity by one request, a tick or two from the touch.
    fn change(&mut self) {
        let tenths = if self.product == binance::SPOT { 10 } else { 1 };
        for (order, side) in std::mem::take(&mut self.open) {
            let away = self.random.between(0, 2);
            let mut intent = place(self.product, order, side);
            intent.tick = match side {
                Side::Bid => Tick((639_999 - away) * tenths),
                Side::Ask => Tick((640_000 + away) * tenths),
            };
            intent.lots.0 *= self.random.between(1, 3);
            intent.deadline = self.now + Nanos::from_millis(20);
            if self.product == binance::SPOT {
                self.counter += 1;
                (intent.kind, intent.replaces) = (IntentKind::Replace, order);
                intent.order = OrderId::new(EPOCH, self.counter);
            } else {
                intent.kind = IntentKind::Amend;
            }
            self.open.push((intent.order, side));
            self.gateway.on_intent(&intent, self.now);
        }
        self.carry();
    }

    /// Cancels what is open and quotes anew at the touch.
    fn requote(&mut self) {
        for (order, _) in std::mem::take(&mut self.open) {
            let intent = Intent { order, kind: IntentKind::Cancel, ..Intent::default() };
            self.gateway.on_intent(&intent, self.now);
        }
        let tenths = if self.product == binance::SPOT { 10 } else { 1 };
        self.intend(Side::Bid, Tick(639_999 * tenths));
        self.intend(Side::Ask, Tick(640_000 * tenths));
        self.carry();
    }

    fn cut(&mut self, connection: OrderConnection) {
        if self.links[slot(connection)].is_some() {
            self.cuts += 1;
            self.unlink(connection);
            self.gateway.on_close(connection, self.now);
        }
    }

    fn fetch(&mut self, request: RestRequest) -> Vec<u8> {
        let headers: Vec<(&str, &str)> = request.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let http = HttpRequest { method: request.method, target: &request.target, headers: &headers, body: b"" };
        let reply = self.exchange.on_http(&http, self.now);
        assert_eq!(reply.status, 200, "{}: {}", request.target, String::from_utf8_lossy(&reply.body));
        reply.body
    }

    fn point(&mut self, credentials: &Credentials) -> AccountPoint {
        let rest = AccountRest::new(self.product, credentials, 5_000);
        let balances = self.fetch(rest.balances(self.now));
        let positions = match rest.positions(self.now) {
            Some(request) => parse_positions(&[instrument(self.product)], &self.fetch(request)).unwrap(),
            None => Vec::new(),
        };
        AccountPoint { balances: parse_balances(self.product, &balances).unwrap(), positions }
    }

    fn venue_result(&mut self, credentials: &Credentials, start: &AccountPoint, mids: Mids) -> VenueAccount {
        let rest = AccountRest::new(self.product, credentials, 5_000);
        let instruments = [instrument(self.product)];
        let end = self.point(credentials);
        let body = self.fetch(rest.trades(&instruments[0], TradesSince::Time(START), self.now));
        let trades = parse_trades(&instruments, &body).unwrap();
        assert!(trades.len() < 1_000, "one page holds them all");
        let open = self.fetch(rest.open_orders(&instruments[0], self.now));
        assert!(parse_open_orders(&instruments, &[], &open).unwrap().is_empty(), "nothing is open at the venue");
        let incomes = rest.incomes(START, self.now).map(|request| self.fetch(request));
        // What comes once the gateway is quiet is the next run's.
        let mut incomes = incomes.map_or(Vec::new(), |body| parse_incomes(&instruments, &body).unwrap());
        incomes.retain(|income| income.time < self.gateway.incomes_until());
        let beside = MovedBeside {
            incomes,
            transfers: self.gateway.transfers().iter().map(|(asset, atoms)| (*asset, *atoms)).collect(),
        };
        let mids = Mids { transfers_doubled: self.position.transfers_doubled(), ..mids };
        venue_account(self.product, &instruments, start, &end, &trades, &beside, &[Some(mids)]).unwrap()
    }
}

fn credentials(log_on: bool) -> Credentials {
    if log_on {
        Credentials::ed25519(scripted_venue::KEY_ID, &Secret::new(SEED.to_owned())).unwrap()
    } else {
        Credentials::hmac(scripted_venue::KEY_ID, &Secret::new(SECRET.to_owned())).unwrap()
    }
}

fn trade(product: ProductLine, log_on: bool, seed: u64, cut_every_ms: Option<i64>, changes: bool) {
    let mut world = World::new(product, credentials(log_on), seed, FaultPlan::default());
    let keys = credentials(log_on);
    let start = world.point(&keys);
    let lots_start = start.inventory(product, &instrument(product)).unwrap();
    world.position.set_start(lots_start, lots_start).unwrap();
    let mid = if product == binance::SPOT { 6_399_990 + 6_400_000 } else { 639_999 + 640_000 };
    world.position.on_best(Tick(mid / 2), Tick(mid - mid / 2));
    world.gateway.on_timer(START);
    world.run(Nanos::from_millis(500));
    assert!(world.gateway.is_ready(), "{:?} {:?}", world.gateway.halt_message(), world.gateway.last_refusal());
    let mut since_cut = 0;
    for _ in 0..60_000 / 300 {
        if changes && world.random.chance(700_000) {
            world.change();
        } else {
            world.requote();
        }
        since_cut += 300;
        if cut_every_ms.is_some_and(|every| since_cut >= every) {
            since_cut = 0;
            // While orders, cancels and their answers are on their way.
            world.run(Nanos((world.cuts as i64 * 1_237_000) % 9_000_000));
            world.cut(OrderConnection::Orders);
        }
        world.run(Nanos::from_millis(300));
    }
    assert!(world.gateway.halt_message().is_none(), "{:?}", world.gateway.halt_message());
    world.gateway.cancel_all(world.now);
    let mut waited = 0;
    while !world.gateway.is_quiet() && waited < 200 {
        world.run(Nanos::from_millis(100));
        waited += 1;
    }
    assert!(world.gateway.is_quiet(), "{:?}", world.gateway.last_refusal());
    let counters = world.gateway.counters();
    let mids = Mids { first_doubled: mid, last_doubled: mid, transfers_doubled: 0 };
    let venue = world.venue_result(&keys, &start, mids);
    println!(
        "{} seed {seed}: {} sent, {} accepted, {} filled, {} canceled, {} refused, {} unknown, {} cuts; venue: {} trades, pnl {}, fees {}",
        product.name(),
        counters.orders_sent,
        counters.orders_accepted,
        world.count(Kind::Filled),
        world.count(Kind::Canceled),
        counters.orders_refused,
        counters.unknown,
        world.cuts,
        venue.trades,
        venue.pnl_quote.0,
        venue.fees_quote.0
    );
    assert!(world.count(Kind::Filled) > 20, "the market did trade with us");
    assert_eq!(venue.trades as u64, world.count(Kind::Filled));
    assert_eq!(venue.positions[0].1, world.position.lots());
    assert_eq!(venue.fees_quote, world.position.fees());
    assert_eq!(Some(venue.pnl_quote), world.position.pnl());
    assert_eq!(counters.pauses, 0, "the venue never had to ask for less: {:?}", world.gateway.last_refusal());
    assert_eq!(counters.bad_frames, 0);
    assert_eq!((world.gateway.unknown_orders(), world.gateway.open_orders()), (0, 0));
    let changed = world.gateway.order_counts().amended + counters.orders_replaced;
    println!("{} of {} changes made", changed, counters.amends_sent + counters.replaces_sent);
    assert_eq!(changed > 20, changes);
}

#[test]
fn what_we_believe_is_what_the_venue_says() {
    for product in PRODUCTS {
        for (seed, log_on) in [(0x51ed_0001, false), (0x51ed_0002, true), (0x51ed_0003, false)] {
            trade(product, log_on, seed, None, false);
        }
    }
}

#[test]
fn cut_connections_lose_no_order_and_no_fill() {
    for product in PRODUCTS {
        for (seed, log_on) in [(0x51ed_0011, false), (0x51ed_0012, true), (0x51ed_0013, false)] {
            trade(product, log_on, seed, Some(4_500), false);
        }
    }
}

#[test]
fn changed_orders_are_what_the_venue_says_with_whole_and_with_cut_connections() {
    for product in PRODUCTS {
        for (seed, log_on) in [(0x51ed_0021, false), (0x51ed_0022, true)] {
            println!("seed {seed:#x}");
            trade(product, log_on, seed, None, true);
            trade(product, log_on, seed, Some(4_500), true);
        }
    }
}

/// Fundings, transfers, and user data that is told twice and late, from a seed.
fn moving(product: ProductLine, seed: u64) -> FaultPlan {
    let mut state = seed | 1;
    let mut draw = |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    let funding = |draw: &mut dyn FnMut(u64) -> u64| FundingPlan {
        after_ms: 2_000 + draw(50_000),
        rate_millionths: 20_000 - draw(40_001) as i64,
        symbol: None,
    };
    let assets: &[&str] = if product == binance::SPOT { &["BTC", "USDT"] } else { &["USDT"] };
    let transfer = |draw: &mut dyn FnMut(u64) -> u64| {
        let asset = assets[draw(assets.len() as u64) as usize];
        // Of bitcoin whole lots.
        let unit = 10i128.pow(if asset == "BTC" { 13 } else { 15 });
        let amount = i128::from(draw(2_000)) - 1_000;
        TransferPlan { after_ms: 2_000 + draw(50_000), asset: asset.to_owned(), amount: amount * unit, account: 0 }
    };
    FaultPlan {
        seed,
        funding: Some(RegularFunding { rate_millionths: 3_000, every_ms: 7_000 }),
        fundings: (0..3 + draw(4)).map(|_| funding(&mut draw)).collect(),
        transfers: (0..3 + draw(4)).map(|_| transfer(&mut draw)).collect(),
        random_user_data: Some(RandomUserData {
            duplicate_millionths: 200_000,
            delay_millionths: 100_000,
            delay_ms_max: 500,
            ..RandomUserData::default()
        }),
        ..FaultPlan::default()
    }
}

/// Trades for a minute, with connections cut where no message alone would tell what was missed.
fn trade_with_money_moving(product: ProductLine, seed: u64, plan: FaultPlan) -> (World, Position) {
    let (keys, cuts) = (credentials(false), product == binance::USDM);
    let mut world = World::new(product, credentials(false), seed, plan);
    let start = world.point(&keys);
    let lots_start = start.inventory(product, &instrument(product)).unwrap();
    world.position.set_start(lots_start, lots_start).unwrap();
    let mid = if product == binance::SPOT { 6_399_990 + 6_400_000 } else { 639_999 + 640_000 };
    world.position.on_best(Tick(mid / 2), Tick(mid - mid / 2));
    world.gateway.on_timer(START);
    world.run(Nanos::from_millis(500));
    for round in 0..200 {
        world.requote();
        world.run(Nanos::from_millis(300));
        let missing = world.now - world.gateway.incomes_until();
        let is_funded = product == binance::USDM && world.gateway.halt_message().is_none();
        assert!(!is_funded || missing < Nanos::from_seconds(16), "seed {seed}: nothing was listed for {missing:?}");
        if cuts && round % 40 == 39 {
            world.cut(OrderConnection::UserData);
            world.run(Nanos::from_seconds(1));
        }
    }
    world.gateway.cancel_all(world.now);
    for _ in 0..200 {
        world.run(Nanos::from_millis(100));
    }
    assert!(world.gateway.is_quiet(), "seed {seed}: {:?}", world.gateway.last_refusal());
    let mids = Mids { first_doubled: mid, last_doubled: mid, transfers_doubled: 0 };
    let venue = world.venue_result(&keys, &start, mids);
    let position = world.position;
    println!(
        "{} seed {seed}: {} fills, {} incomes, {} transfers, {} cuts; funding {}, pnl {:?}",
        product.name(),
        position.fills(),
        world.gateway.counters().incomes,
        world.gateway.counters().transfers,
        world.cuts,
        position.funding().0,
        position.pnl(),
    );
    assert_eq!(venue.funding_quote, position.funding(), "seed {seed}");
    assert_eq!(venue.positions[0].1, position.lots(), "seed {seed}");
    assert_eq!(venue.fees_quote, position.fees(), "seed {seed}");
    assert_eq!(Some(venue.pnl_quote), position.pnl(), "seed {seed}");
    (world, position)
}

#[test]
fn the_venues_ledger_is_ours_whatever_is_paid_and_transferred() {
    for product in PRODUCTS {
        for seed in 1..=6 {
            let (world, position) = trade_with_money_moving(product, seed, moving(product, seed));
            assert_eq!(world.gateway.halt_message(), None, "{} seed {seed}", product.name());
            assert!(world.gateway.counters().transfers > 0, "{} seed {seed}", product.name());
            assert_eq!(position.funding().0 != 0, product == binance::USDM, "{} seed {seed}", product.name());
        }
    }
}

#[test]
fn a_liquidation_is_in_the_result_to_the_last_digit_and_stops_trading() {
    let product = binance::USDM;
    let mut halted = 0;
    for seed in 1..=4 {
        let liquidation = LiquidationPlan { after_ms: 30_000, symbol: "BTCUSDT".to_owned(), account: 0 };
        let plan = FaultPlan { liquidations: vec![liquidation], ..moving(product, seed) };
        let (world, _) = trade_with_money_moving(product, seed, plan);
        let closed = world.gateway.counters().liquidations > 0;
        let says = world.gateway.halt_message().is_some_and(|message| message.contains("itself closes a position"));
        assert_eq!(closed, says, "seed {seed}: {:?}", world.gateway.halt_message());
        halted += usize::from(closed);
    }
    assert!(halted > 0, "a position was held in some of them");
}
