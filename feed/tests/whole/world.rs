//! COLD: one thread that interleaves the turns of every part in virtual time, and judges each step.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use serde_json::Value;
use spinbook_engine::engine::Engine;
use spinbook_engine::event::{Answer, ExecutionEvent, ExecutionKind, MarketEvent};
use spinbook_engine::intent::{Intent, IntentKind};
use spinbook_engine::ring::Consumer;
use spinbook_engine::strategy::Spread;
use spinbook_engine::types::{InstrumentId, Level, Lots, Nanos, Side, Stamp};
use spinbook_feed::gateway::settings::{GatewayMode, GatewaySettings};
use spinbook_feed::gateway::{Gateway, GatewayOutput};
use spinbook_feed::session::{MarketSession, MarketSink, SessionAction, SessionSettings};
use spinbook_feed::sim::faults::FaultPlan;
use spinbook_feed::sim::side::{ClientControl, ConnectionId, ExchangeOutput, ExchangeSide, HttpRequest};
use spinbook_feed::venue::binance::instruments::find_instruments;
use spinbook_feed::venue::binance::parameters::Query;
use spinbook_feed::venue::binance::simulator::BinanceExchange;
use spinbook_feed::venue::instrument::Instrument;
use spinbook_feed::venue::{ProductLine, binance};

use crate::mail::{GatewayLink, Mail, Owner, Parcel};
use crate::setup;

const SYMBOL: &str = "BTCUSDT";
const ID: InstrumentId = InstrumentId(0);
/// Readable bytes behind every frame.
const PADDING: usize = 64;

/// What a run came to.
#[derive(Debug, Default)]
pub struct Outcome {
    pub violations: Vec<String>,
    pub placed: u64,
    pub accepted: u64,
    pub fills: u64,
    pub canceled: u64,
    pub rejected: u64,
    pub unknown: usize,
    pub gaps: u64,
    pub reconnects: u64,
    pub pauses: u64,
    pub live_at_end: bool,
    pub engine_open_orders: usize,
    pub venue_open_orders: usize,
    pub position: Decimal,
    pub venue_position: Decimal,
    pub cash: Decimal,
    pub venue_cash: Decimal,
    pub trace: u64,
}

/// Whether it decides at once, as the hot loop does, or only after the last of several messages.
struct Sink<'a>(&'a mut Engine<Spread>, bool);

impl MarketSink for Sink<'_> {
    fn on_market(&mut self, event: &MarketEvent, bids: &[Level], asks: &[Level], now: Nanos) -> Answer {
        if self.1 { self.0.on_market(event, bids, asks, now) } else { self.0.on_market_quiet(event, bids, asks, now) }
    }
}

pub struct World {
    now: Nanos,
    random: u64,
    exchange: BinanceExchange,
    session: MarketSession,
    engine: Engine<Spread>,
    gateway: Gateway,
    orders: Consumer<Intent>,
    cancels: Consumer<Intent>,
    instrument: Instrument,
    product: ProductLine,
    mail: Mail,
    owners: BTreeMap<ConnectionId, Owner>,
    current: BTreeMap<Owner, ConnectionId>,
    connections: u64,
    cuts: Vec<(Nanos, bool)>,
    disturbed: Option<(u64, u64, Nanos)>,
    in_flight: BTreeMap<u8, u64>,
    ids_used: BTreeSet<u64>,
    trades_seen: BTreeSet<u128>,
    start_lots: Lots,
    outcome: Outcome,
}

impl World {
    pub fn new(product: ProductLine, seed: u64, faults: FaultPlan) -> World {
        let mut exchange = setup::exchange(product, seed, faults);
        let list = if product == binance::SPOT { "/api/v3/exchangeInfo" } else { "/fapi/v1/exchangeInfo" };
        let request = HttpRequest { method: "GET", target: list, headers: &[], body: b"" };
        let reply = exchange.on_http(&request, setup::START);
        let instrument = find_instruments(product, &reply.body, &[SYMBOL]).unwrap().remove(0);
        let start_lots =
            if product == binance::SPOT { Lots(instrument.quantity.parse(b"2").unwrap()) } else { Lots::ZERO };
        let (engine, orders, cancels) = setup::engine(product, &instrument, start_lots);
        let settings =
            SessionSettings { seed, symbol_silence_max: Nanos::from_seconds(5), ..SessionSettings::of(product) };
        let session = MarketSession::new(product, std::slice::from_ref(&instrument), settings).unwrap();
        let limits = vec![setup::limits(&instrument)];
        let gateway = Gateway::new(
            GatewaySettings::new(product, GatewayMode::Live, 77, limits),
            setup::credentials(),
            vec![instrument],
        );
        World {
            now: setup::START,
            random: seed,
            exchange,
            session,
            engine,
            gateway,
            orders,
            cancels,
            instrument,
            product,
            mail: Mail::default(),
            owners: BTreeMap::new(),
            current: BTreeMap::new(),
            connections: 0,
            cuts: Vec::new(),
            disturbed: None,
            in_flight: BTreeMap::new(),
            ids_used: BTreeSet::new(),
            trades_seen: BTreeSet::new(),
            start_lots,
            outcome: Outcome { trace: 0xcbf2_9ce4_8422_2325, ..Outcome::default() },
        }
    }

    /// The market connections are cut so long after the start.
    pub fn cut_market_at(&mut self, after: Nanos) {
        self.cuts.push((setup::START + after, true));
    }

    /// The gateway's connections are cut so long after the start.
    pub fn cut_orders_at(&mut self, after: Nanos) {
        self.cuts.push((setup::START + after, false));
    }

    /// Depth frames are lost and doubled at random, so many of 1,000 each, until so long after the start: then
    /// everything can come to rest.
    pub fn disturb(mut self, lost: u64, doubled: u64, after: Nanos) -> World {
        self.disturbed = Some((lost, doubled, setup::START + after));
        self
    }

    /// Trades for `span`, shuts down, and asks the venue for the truth.
    pub fn run(mut self, span: Nanos) -> Outcome {
        self.session.start(self.now);
        self.gateway.on_timer(self.now);
        self.turn_until(setup::START + span);
        self.outcome.live_at_end = self.session.is_live(ID);
        self.engine.begin_shutdown(self.now);
        self.pump();
        self.turn_until(self.now + Nanos::from_seconds(1));
        self.gateway.cancel_all(self.now);
        self.pump();
        self.turn_until(self.now + Nanos::from_seconds(8));
        self.settle()
    }

    fn random_below(&mut self, bound: u64) -> i64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound) as i64
    }

    /// One way over the network: 0.2 to 3 ms.
    fn arrival(&mut self) -> Nanos {
        self.now + Nanos(200_000 + self.random_below(2_800_000))
    }

    fn trace(&mut self, bytes: &[u8]) {
        for byte in bytes.iter().chain(&self.now.0.to_le_bytes()) {
            self.outcome.trace = (self.outcome.trace ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn violation(&mut self, text: String) {
        if self.outcome.violations.len() < 8 {
            let at = self.now - setup::START;
            self.outcome.violations.push(format!("{} ms: {text}", at.millis()));
        }
    }

    fn turn_until(&mut self, end: Nanos) {
        loop {
            self.pump();
            let cut = self.cuts.iter().map(|(at, _)| *at).min().unwrap_or(Nanos::NEVER);
            let next = [
                self.mail.next_at(),
                self.exchange.next_deadline(),
                self.session.next_deadline(),
                self.engine.next_deadline(),
                self.gateway.next_deadline(),
                cut,
            ];
            let next = next.into_iter().min().unwrap_or(end).max(self.now + Nanos(1));
            if next > end {
                self.now = end;
                return;
            }
            self.now = next;
            self.cut_due();
            while let Some(parcel) = self.mail.take_due(self.now) {
                self.deliver(parcel);
                self.pump();
            }
            self.exchange.on_timer(self.now);
            self.session.on_timer(self.now, &mut Sink(&mut self.engine, true));
            if self.engine.next_deadline() <= self.now {
                self.engine.on_timer(self.now);
            }
            if self.gateway.next_deadline() <= self.now {
                self.gateway.on_timer(self.now);
            }
            self.judge();
        }
    }

    fn cut_due(&mut self) {
        let due: Vec<bool> = self.cuts.iter().filter(|(at, _)| *at <= self.now).map(|(_, market)| *market).collect();
        self.cuts.retain(|(at, _)| *at > self.now);
        for market in due {
            let gone: Vec<(Owner, ConnectionId)> = self
                .current
                .iter()
                .filter(|(owner, _)| matches!(owner, Owner::Market(_)) == market)
                .map(|(owner, connection)| (*owner, *connection))
                .collect();
            for (owner, connection) in gone {
                self.deliver(Parcel::Gone { owner, connection });
                self.deliver(Parcel::Left { connection });
            }
        }
    }

    /// Carries away all that any part wants to send.
    fn pump(&mut self) {
        while self.pump_session() | self.pump_gateway() | self.pump_rings() | self.pump_exchange() {}
    }

    fn open(&mut self, owner: Owner, target: String) {
        self.connections += 1;
        let connection = ConnectionId(self.connections);
        self.owners.insert(connection, owner);
        self.current.insert(owner, connection);
        let at = self.arrival();
        self.mail.send(2 * connection.0, at, Parcel::Open { owner, connection, target });
    }

    fn leave(&mut self, owner: Owner) {
        if let Some(connection) = self.current.remove(&owner) {
            let at = self.arrival();
            self.mail.send(2 * connection.0, at, Parcel::Left { connection });
        }
    }

    fn send_text(&mut self, owner: Owner, text: Vec<u8>) {
        self.trace(&text);
        if let Some(connection) = self.current.get(&owner).copied() {
            let at = self.arrival();
            self.mail.send(2 * connection.0, at, Parcel::ToExchange { connection, text });
        }
    }

    fn pump_session(&mut self) -> bool {
        let Some(action) = self.session.poll_action() else {
            return false;
        };
        match action {
            SessionAction::Open { path } => {
                let target = self.session.target(path).to_owned();
                self.open(Owner::Market(path), target);
            }
            SessionAction::Send { path, message } => {
                let text = self.session.message(message).as_bytes().to_vec();
                self.send_text(Owner::Market(path), text);
            }
            SessionAction::FetchSnapshot { instrument, limit } => {
                let at = self.arrival();
                self.mail.send(0, at, Parcel::Fetch { instrument, limit });
            }
            SessionAction::Close { path, .. } => self.leave(Owner::Market(path)),
        }
        true
    }

    fn pump_gateway(&mut self) -> bool {
        let step = match self.gateway.poll_output() {
            None => return false,
            Some(GatewayOutput::Connect { connection, target }) => (0, connection.into(), target.into_bytes(), None),
            Some(GatewayOutput::Send { connection, bytes, .. }) => (1, connection.into(), bytes.to_vec(), None),
            Some(GatewayOutput::Close { connection, .. }) => (2, connection.into(), Vec::new(), None),
            Some(GatewayOutput::Execution(event)) => (3, GatewayLink::Orders, Vec::new(), Some(event)),
        };
        let (kind, link, bytes, event): (i32, GatewayLink, Vec<u8>, Option<ExecutionEvent>) = step;
        match (kind, event) {
            (0, _) => self.open(Owner::Gateway(link), String::from_utf8(bytes).unwrap()),
            (1, _) => self.send_text(Owner::Gateway(link), bytes),
            (2, _) => self.leave(Owner::Gateway(link)),
            (_, Some(event)) => {
                let at = self.now + Nanos(5_000 + self.random_below(50_000));
                self.mail.send(1, at, Parcel::Execution(event));
            }
            _ => {}
        }
        true
    }

    fn pump_rings(&mut self) -> bool {
        let intent = match self.cancels.pop() {
            Some(cancel) => cancel,
            None => match self.orders.pop() {
                Some(place) => place,
                None => return false,
            },
        };
        self.judge_intent(&intent);
        let lane = if intent.kind == IntentKind::Cancel { 3 } else { 5 };
        let at = self.now + Nanos(5_000 + self.random_below(50_000));
        self.mail.send(lane, at, Parcel::Intent(intent));
        true
    }

    /// How often a frame arrives: once, unless it is disturbed.
    fn copies(&mut self, text: &[u8]) -> u32 {
        let Some((lost, doubled, until)) = self.disturbed else { return 1 };
        if self.now >= until || !text.windows(11).any(|part| part == b"depthUpdate") {
            return 1;
        }
        match self.random_below(1_000) as u64 {
            draw if draw < lost => 0,
            draw if draw < lost + doubled => 2,
            _ => 1,
        }
    }

    fn pump_exchange(&mut self) -> bool {
        let Some(output) = self.exchange.poll_output() else {
            return false;
        };
        match output {
            ExchangeOutput::Text { connection, text } => {
                for _ in 0..self.copies(&text) {
                    let at = self.arrival();
                    let text = text.clone();
                    self.mail.send(2 * connection.0 + 1, at, Parcel::ToClient { connection, text });
                }
            }
            ExchangeOutput::Ping { connection, .. } => {
                let at = self.arrival();
                self.mail.send(2 * connection.0, at, Parcel::Pong { connection });
            }
            ExchangeOutput::Close { connection, .. } => {
                if let Some(owner) = self.owners.get(&connection).copied() {
                    let at = self.arrival();
                    self.mail.send(2 * connection.0 + 1, at, Parcel::Gone { owner, connection });
                }
            }
            ExchangeOutput::Binary { .. } => self.violation("Binance sent a binary message".to_owned()),
        }
        true
    }

    fn deliver(&mut self, parcel: Parcel) {
        let now = self.now;
        match parcel {
            Parcel::Open { owner, connection, target } => {
                let answer = match self.exchange.on_websocket_open(connection, &target, now) {
                    Ok(()) => Parcel::Opened { owner, connection },
                    Err(_) => Parcel::Gone { owner, connection },
                };
                let at = self.arrival();
                self.mail.send(2 * connection.0 + 1, at, answer);
            }
            Parcel::Opened { owner, connection } if self.current.get(&owner) == Some(&connection) => match owner {
                Owner::Market(path) => self.session.on_open(path, now),
                Owner::Gateway(link) => self.gateway.on_open(link.into(), now),
            },
            Parcel::Gone { owner, connection } if self.current.get(&owner) == Some(&connection) => {
                self.current.remove(&owner);
                self.outcome.reconnects += 1;
                match owner {
                    Owner::Market(path) => self.session.on_close(path, now, &mut Sink(&mut self.engine, true)),
                    Owner::Gateway(link) => self.gateway.on_close(link.into(), now),
                }
            }
            Parcel::Left { connection } => self.exchange.on_websocket_close(connection, now),
            Parcel::ToExchange { connection, text } => self.exchange.on_websocket_text(connection, &text, now),
            Parcel::Pong { connection } => {
                self.exchange.on_websocket_control(connection, ClientControl::Pong, now);
            }
            Parcel::ToClient { connection, text } => self.deliver_text(connection, text),
            Parcel::Fetch { instrument, limit } => self.fetch(instrument, limit),
            Parcel::Fetched { instrument, status, body } => self.fetched(instrument, status, body),
            Parcel::Intent(intent) => self.gateway.on_intent(&intent, now),
            Parcel::Execution(event) => {
                self.judge_execution(&event);
                self.engine.on_execution(&event, now);
            }
            Parcel::Opened { .. } | Parcel::Gone { .. } => {}
        }
    }

    fn deliver_text(&mut self, connection: ConnectionId, mut text: Vec<u8>) {
        let Some(owner) = self.owners.get(&connection).copied() else {
            return;
        };
        if self.current.get(&owner) != Some(&connection) {
            return;
        }
        match owner {
            Owner::Market(path) => {
                let length = text.len();
                text.resize(length + PADDING, 0);
                let received = Stamp { wall: self.now, tsc: 0 };
                self.session.on_frame(path, &mut text, length, received, &mut Sink(&mut self.engine, true));
            }
            Owner::Gateway(link) => self.gateway.on_frame(link.into(), &mut text, self.now),
        }
    }

    fn fetch(&mut self, instrument: InstrumentId, limit: u16) {
        let path = if self.product == binance::SPOT { "/api/v3/depth" } else { "/fapi/v1/depth" };
        let target = format!("{path}?symbol={SYMBOL}&limit={limit}");
        let request = HttpRequest { method: "GET", target: &target, headers: &[], body: b"" };
        let reply = self.exchange.on_http(&request, self.now);
        let at = self.arrival() + Nanos::from_millis(30);
        self.mail.send(7, at, Parcel::Fetched { instrument, status: reply.status, body: reply.body });
    }

    fn fetched(&mut self, instrument: InstrumentId, status: u16, mut body: Vec<u8>) {
        if status != 200 {
            return self.session.on_snapshot_failed(instrument, Nanos::ZERO, self.now);
        }
        let length = body.len();
        body.resize(length + PADDING, 0);
        let received = Stamp { wall: self.now, tsc: 0 };
        self.session.on_snapshot(instrument, &mut body, length, received, &mut Sink(&mut self.engine, false));
        self.engine.flush(self.now);
    }

    /// I1, I4, and one request in flight per quote slot.
    fn judge_intent(&mut self, intent: &Intent) {
        self.trace(&intent.order.0.to_le_bytes());
        if let Some(order) = self.in_flight.insert(intent.slot.0, intent.order.0) {
            self.violation(format!("slot {} has two requests in flight: {order} and {intent:?}", intent.slot.0));
        }
        if intent.kind != IntentKind::Place {
            return;
        }
        self.outcome.placed += 1;
        if !self.ids_used.insert(intent.order.0) {
            self.violation(format!("order id {} was used twice", intent.order.0));
        }
        if !self.session.is_live(ID) || !self.engine.market(ID).is_quotable() {
            self.violation(format!("placed on a book that is not Live: {intent:?}"));
        }
    }

    /// I3: each execution once.
    fn judge_execution(&mut self, event: &ExecutionEvent) {
        self.trace(&[event.kind as u8]);
        match event.kind {
            ExecutionKind::Accepted => self.outcome.accepted += 1,
            ExecutionKind::Rejected => self.outcome.rejected += 1,
            ExecutionKind::Canceled => self.outcome.canceled += 1,
            ExecutionKind::Filled => {
                self.outcome.fills += 1;
                if !self.trades_seen.insert(event.trade.0) {
                    self.violation(format!("trade {} was told twice", event.trade.0));
                }
            }
            _ => {}
        }
        if event.order.0 != 0 && self.in_flight.get(&event.slot.0) == Some(&event.order.0) {
            self.in_flight.remove(&event.slot.0);
        }
    }

    /// I2: the worst case stays within the limit; the book is never crossed while Live.
    fn judge(&mut self) {
        let held = self.engine.position(ID).exposure().0;
        let max = setup::position_max(&self.instrument).0;
        let working = self.engine.working(ID);
        let (bids, asks) = (working.lots_worst(Side::Bid).0, working.lots_worst(Side::Ask).0);
        // Base fees of spot buys leave the position after the check, always towards flat or by less than a fee.
        let slack = max / 100;
        if held + bids > max + slack || held - asks < -max - slack {
            self.violation(format!("exposure {held} with {bids} to buy and {asks} to sell exceeds {max}"));
        }
        let book = self.engine.market(ID).book();
        if self.session.is_live(ID) && book.is_crossed() {
            self.violation("a Live book is crossed".to_owned());
        }
    }

    fn ask_venue(&mut self, path: &str, parameters: &[(&str, &str)]) -> Value {
        let mut query = Query::new();
        for (name, value) in parameters {
            query.push(name, value);
        }
        query.push_number("timestamp", self.now.millis());
        query.sign(&setup::credentials());
        let target = format!("{path}?{}", query.as_str());
        let headers = [("X-MBX-APIKEY", setup::KEY)];
        let request = HttpRequest { method: "GET", target: &target, headers: &headers, body: b"" };
        let reply = self.exchange.on_http(&request, self.now);
        assert_eq!(reply.status, 200, "{path}: {}", String::from_utf8_lossy(&reply.body));
        serde_json::from_slice(&reply.body).unwrap()
    }

    /// I6: compares what the engine believes with what the venue says.
    fn settle(mut self) -> Outcome {
        let spot = self.product == binance::SPOT;
        let prefix = if spot { "/api/v3" } else { "/fapi/v1" };
        let symbol = [("symbol", SYMBOL)];
        let open = self.ask_venue(&format!("{prefix}/openOrders"), &symbol);
        self.outcome.venue_open_orders = open.as_array().unwrap().len();
        let name = if spot { "myTrades" } else { "userTrades" };
        let trades = self.ask_venue(&format!("{prefix}/{name}"), &[("symbol", SYMBOL), ("limit", "1000")]);
        let number = |value: &Value| value.as_str().unwrap().parse::<Decimal>().unwrap();
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
            let account = self.ask_venue("/api/v3/account", &[]);
            let balances = account["balances"].as_array().unwrap().clone();
            let base = balances.iter().find(|balance| balance["asset"] == "BTC").unwrap();
            number(&base["free"]) + number(&base["locked"]) - Decimal::from(2)
        } else {
            let risk = self.ask_venue("/fapi/v3/positionRisk", &symbol);
            risk.as_array().unwrap().iter().map(|entry| number(&entry["positionAmt"])).sum()
        };
        assert_eq!(stated.normalize(), position.normalize(), "the venue's own trades and position disagree");
        let held = self.engine.position(ID);
        let lots = held.lots().0 - self.start_lots.0;
        let sign = if lots < 0 { Decimal::NEGATIVE_ONE } else { Decimal::ONE };
        self.outcome.position = (sign * self.instrument.quantity.decimal(lots.abs())).normalize();
        self.outcome.venue_position = position.normalize();
        self.outcome.cash = Decimal::from_i128_with_scale(held.cash().0 / 1_000_000_000, 9).normalize();
        self.outcome.venue_cash = cash.normalize();
        self.outcome.engine_open_orders = self.engine.open_orders();
        self.outcome.unknown = self.gateway.unknown_orders();
        self.outcome.gaps = self.session.counters().gaps;
        self.outcome.pauses = self.gateway.counters().pauses;
        self.outcome
    }
}
