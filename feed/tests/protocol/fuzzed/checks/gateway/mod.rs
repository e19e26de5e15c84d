//! COLD: a whole gateway with orders in every state, to which any bytes are said in the venue's name: nothing panics, and
//! what no lie was about is never believed to be less than it is.

mod script;
mod venue;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use spinbook_engine::event::{ExecutionEvent, ExecutionKind};
use spinbook_engine::intent::{Intent, IntentKind, TimeInForce};
use spinbook_engine::types::{InstrumentId, Lots, Nanos, OrderId, QuoteAtoms, Side, SlotId, Tick};
use spinbook_feed::crypto::credentials::{Credentials, Secret};
use spinbook_feed::gateway::limits::OrderLimits;
use spinbook_feed::gateway::orders::Phase;
use spinbook_feed::gateway::rest::{RestAnswer, RestTicket};
use spinbook_feed::gateway::{Gateway, GatewayAction, GatewayMode, GatewayOutput, GatewaySettings};
use spinbook_feed::venue::ProductLine;
use spinbook_feed::venue::account::RestRequest;
use spinbook_feed::venue::binance::request_ids::CLIENT_IDS;
use spinbook_feed::venue::order_side::OrderConnection;

use super::{Script, product};
use script::{Step, step};
use venue::{RECEIVE_WINDOW, Venue, held_at_start, is_spot, symbol};

pub use script::seeds;

const EPOCH: u32 = 77;
const START: Nanos = Nanos::from_seconds(1_760_000_000);
/// Steps of one input; what follows is not read.
const STEPS_MAX: usize = 48;
/// Orders of one input.
const ORDERS_MAX: usize = 12;
/// How long an end may take, once the venue tells the truth again.
const END_WITHIN: Nanos = Nanos::from_seconds(240);

/// What becomes of the next request about an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Carried out and answered.
    Answer,
    /// Carried out; the answer is lost.
    LoseReply,
    /// It never arrives.
    LoseRequest,
    /// It arrives later, its answer never.
    Late,
    /// The venue refuses it, and does nothing.
    Refuse(u16, i32),
    /// The venue does not say what became of it: carried out or not.
    Hide(bool),
}

/// What is known of an order of ours beside what the gateway believes.
#[derive(Debug, Default)]
struct Known {
    /// The ids of the requests about it.
    requests: Vec<String>,
    /// Something was said of it that is not true.
    is_lied_about: bool,
}

/// The first byte chooses the product and whether there is a second order connection, the rest is a script.
pub fn check(data: &[u8]) {
    let (product, rest) = product(data);
    let mut world = World::new(product, data.first().is_some_and(|first| first & 2 == 2));
    world.begin();
    let mut script = Script(rest);
    for _ in 0..STEPS_MAX {
        if script.is_done() {
            break;
        }
        world.take(step(&mut script));
    }
    world.end();
}

struct World {
    product: ProductLine,
    gateway: Gateway,
    venue: Venue,
    now: Nanos,
    open: [bool; OrderConnection::ALL.len()],
    /// By the order's name.
    known: BTreeMap<String, Known>,
    placed: Vec<OrderId>,
    verdict: Verdict,
    /// Requests that arrive later, with the moment at which they were sent.
    late: Vec<(Nanos, String, Value)>,
    /// What the next answer is replaced by, over a connection and over REST.
    answer: Option<Vec<u8>>,
    rest_answer: Option<(u16, Vec<u8>)>,
    /// User data does not arrive.
    is_deaf: bool,
    lies: usize,
    events: Vec<ExecutionEvent>,
}

fn place_intent(product: ProductLine, order: OrderId, side: Side, now: Nanos) -> Intent {
    let (tick, lots) = if is_spot(product) { (5_000_000, 8_000) } else { (500_000, 8) };
    Intent {
        order,
        tick: Tick(tick),
        lots: Lots(lots),
        instrument: InstrumentId(0),
        slot: SlotId(3),
        kind: IntentKind::Place,
        side,
        time_in_force: TimeInForce::PostOnly,
        decided: now,
        deadline: now + Nanos::from_millis(50),
        ..Intent::default()
    }
}

impl World {
    fn new(product: ProductLine, has_spare: bool) -> World {
        let limits = OrderLimits {
            lots_max: Lots(1_000_000),
            notional_max: QuoteAtoms(1_000_000 * 10_i128.pow(18)),
            open_orders_max: 200,
            position_lots_max: Lots(i64::MAX / 4),
            position_lots_start: Lots(held_at_start(product)),
            price_collar_millionths: None,
        };
        let settings = GatewaySettings {
            spare_connection: has_spare,
            receive_window_ms: RECEIVE_WINDOW.millis(),
            trades_from: Some(START),
            held_at_start: vec![(InstrumentId(0), Lots(held_at_start(product)))],
            ..GatewaySettings::new(product, GatewayMode::Live, EPOCH, vec![limits])
        };
        let secret = Secret::new("NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP".to_owned());
        let credentials = Credentials::hmac("Kq3vT9wLx2Zb7RfYh5Nd8CmJp4Gs6Wu1", &secret).unwrap();
        World {
            product,
            gateway: Gateway::new(settings, credentials, vec![symbol(product)]),
            venue: Venue::new(product),
            now: START,
            open: [false; OrderConnection::ALL.len()],
            known: BTreeMap::new(),
            placed: Vec::new(),
            verdict: Verdict::Answer,
            late: Vec::new(),
            answer: None,
            rest_answer: None,
            is_deaf: false,
            lies: 0,
            events: Vec::new(),
        }
    }

    fn begin(&mut self) {
        self.gateway.on_timer(self.now);
        self.carry();
        assert!(self.gateway.is_ready(), "{:?}", self.gateway.halt_message());
    }

    /// One step of the script.
    fn take(&mut self, step: Step) {
        match step {
            Step::Place { side, verdict } if self.placed.len() < ORDERS_MAX => {
                let order = OrderId::new(EPOCH, self.placed.len() as u32 + 1);
                self.placed.push(order);
                self.verdict = verdict;
                self.gateway.on_intent(&place_intent(self.product, order, side, self.now), self.now);
            }
            Step::Cancel { order, verdict } => {
                self.verdict = verdict;
                let order = self.order(order);
                let intent = Intent { order, kind: IntentKind::Cancel, ..Intent::default() };
                self.gateway.on_intent(&intent, self.now);
            }
            Step::Amend { order, ticks, eighths, verdict } => {
                self.verdict = verdict;
                self.amend(order, ticks, eighths);
            }
            Step::Fill { order, eighths } => {
                if let Some(at) = self.live(order) {
                    let order = &self.venue.orders[at];
                    let lots = (order.lots / 8 * eighths).clamp(1, order.lots - order.filled);
                    self.venue.fill(at, lots, self.now);
                }
            }
            Step::Expire { order } => {
                if let Some(at) = self.live(order) {
                    self.venue.end(at, "EXPIRED", self.now);
                }
            }
            Step::Pass { millis } => self.pass(Nanos::from_millis(millis)),
            Step::Say { connection, bytes } => self.say(connection, &bytes),
            Step::Answer { bytes } => self.answer = Some(self.spelled(&bytes)),
            Step::RestAnswer { status, bytes } => self.rest_answer = Some((status, self.spelled(&bytes))),
            Step::Close { connection } => {
                self.open[connection.index()] = false;
                self.gateway.on_close(connection, self.now);
            }
            Step::ClockJumps => self.gateway.on_clock_step(self.now),
            Step::Deaf { is_deaf } => self.is_deaf = is_deaf,
            Step::Place { .. } => {}
        }
        self.carry();
        self.verdict = Verdict::Answer;
        self.arrive_late();
    }

    fn order(&self, number: usize) -> OrderId {
        let count = self.placed.len();
        if count == 0 { OrderId::new(EPOCH, 1) } else { self.placed[number % count] }
    }

    /// An order of another price and quantity: the same where the venue has that, or one in its place.
    fn amend(&mut self, number: usize, ticks: i64, eighths: i64) {
        let former = self.order(number);
        let Some(side) = self.gateway.orders().find(former).map(|tracked| tracked.side) else { return };
        let mut intent = place_intent(self.product, former, side, self.now);
        intent.tick.0 += ticks;
        intent.lots.0 = intent.lots.0 / 8 * eighths;
        intent.kind = IntentKind::Amend;
        if is_spot(self.product) {
            if self.placed.len() >= ORDERS_MAX {
                return;
            }
            intent.order = OrderId::new(EPOCH, self.placed.len() as u32 + 1);
            (intent.kind, intent.replaces) = (IntentKind::Replace, former);
            self.placed.push(intent.order);
        }
        self.gateway.on_intent(&intent, self.now);
    }

    fn live(&self, number: usize) -> Option<usize> {
        let order = self.order(number);
        let at = self.venue.find(CLIENT_IDS.write(order).as_str())?;
        self.venue.orders[at].is_live().then_some(at)
    }

    fn pass(&mut self, span: Nanos) {
        let end = self.now + span;
        for turn in 0.. {
            assert!(turn < 100_000, "the gateway asks for timers without end");
            let next = self.gateway.next_deadline().max(self.now + Nanos(1));
            if next >= end {
                break;
            }
            self.now = next;
            self.gateway.on_timer(self.now);
            self.carry();
        }
        self.now = end;
        self.gateway.on_timer(self.now);
    }

    /// Requests that were held up, as long as the venue still takes them.
    fn arrive_late(&mut self) {
        for (sent, method, params) in std::mem::take(&mut self.late) {
            if self.now - sent <= RECEIVE_WINDOW {
                let _ = self.venue.execute(&method, &params, self.now);
            }
        }
        self.carry();
    }

    /// Bytes in the venue's name.
    fn say(&mut self, connection: OrderConnection, bytes: &[u8]) {
        let mut bytes = self.spelled(bytes);
        if self.open[connection.index()] {
            self.lie(&bytes);
            self.gateway.on_frame(connection, &mut bytes, self.now);
        }
    }

    /// Whatever a lie names may be believed to be anything from then on.
    fn lie(&mut self, bytes: &[u8]) {
        self.lies += 1;
        let text = String::from_utf8_lossy(bytes);
        // What is escaped may name anything.
        let all = text.contains('\\');
        for (name, known) in &mut self.known {
            let id = self.venue.find(name).map(|at| self.venue.orders[at].id.to_string());
            let asks = known.requests.iter().any(|request| text.contains(request.as_str()));
            known.is_lied_about |= all || asks || text.contains(name) || id.is_some_and(|id| text.contains(&id));
        }
    }

    /// Names of orders and requests in place of the marks 1, 2 and 3, which no JSON has.
    fn spelled(&self, bytes: &[u8]) -> Vec<u8> {
        let (mut spelled, mut bytes) = (Vec::new(), bytes.iter());
        while let Some(byte) = bytes.next() {
            let number = |bytes: &mut std::slice::Iter<'_, u8>| usize::from(bytes.next().copied().unwrap_or(0));
            match byte {
                1 => {
                    let order = self.order(number(&mut bytes));
                    spelled.extend(CLIENT_IDS.write(order).as_str().as_bytes());
                }
                2 => {
                    let order = self.order(number(&mut bytes));
                    let at = self.venue.find(CLIENT_IDS.write(order).as_str());
                    let id = at.map_or(5, |at| self.venue.orders[at].id);
                    spelled.extend(id.to_string().as_bytes());
                }
                3 => {
                    let order = self.order(number(&mut bytes));
                    let known = self.known.get(CLIENT_IDS.write(order).as_str());
                    let request = known.and_then(|known| known.requests.last().cloned());
                    spelled.extend(request.unwrap_or_else(|| "p1".to_owned()).as_bytes());
                }
                other => spelled.push(*other),
            }
        }
        spelled
    }

    /// Carries out what the gateway wants, hands over user data, and looks at everything.
    fn carry(&mut self) {
        enum Act {
            None,
            Connect(OrderConnection),
            Send(OrderConnection, Value),
            Ping(OrderConnection, u64),
            Ask(RestTicket, Box<RestRequest>),
        }
        for turn in 0.. {
            assert!(turn < 100_000, "the gateway wants things without end");
            let act = match self.gateway.poll_output() {
                None if self.venue.events.is_empty() => break,
                None => {
                    self.tell_events();
                    Act::None
                }
                Some(GatewayOutput::Execution(event)) => {
                    self.events.push(event);
                    Act::None
                }
                Some(GatewayOutput::Action(GatewayAction::Connect { connection, .. })) => Act::Connect(connection),
                Some(GatewayOutput::Action(GatewayAction::Close { connection, .. })) => {
                    self.open[connection.index()] = false;
                    Act::None
                }
                Some(GatewayOutput::Action(GatewayAction::Ask { ticket, request })) => Act::Ask(ticket, request),
                Some(GatewayOutput::Action(GatewayAction::Ping { connection, mark })) => Act::Ping(connection, mark),
                Some(GatewayOutput::Action(GatewayAction::Send { connection, bytes, .. })) => {
                    Act::Send(connection, serde_json::from_slice(&bytes).expect("requests are JSON"))
                }
            };
            match act {
                Act::None => {}
                Act::Connect(connection) => {
                    self.open[connection.index()] = true;
                    self.gateway.on_open(connection, self.now);
                }
                Act::Send(connection, request) => self.serve(connection, &request),
                Act::Ask(ticket, request) => self.serve_rest(ticket, &request),
                Act::Ping(connection, mark) => {
                    if self.open[connection.index()] && !self.is_deaf {
                        self.gateway.on_pong(connection, mark, self.now);
                    }
                }
            }
            self.gateway.check();
        }
        self.look();
    }

    fn user_data(&self) -> OrderConnection {
        if is_spot(self.product) { OrderConnection::Orders } else { OrderConnection::UserData }
    }

    fn tell_events(&mut self) {
        let connection = self.user_data();
        for event in std::mem::take(&mut self.venue.events) {
            if self.open[connection.index()] && !self.is_deaf {
                self.gateway.on_frame(connection, &mut serde_json::to_vec(&event).unwrap(), self.now);
            }
        }
    }

    fn serve(&mut self, connection: OrderConnection, request: &Value) {
        let (method, id) = (request["method"].as_str().unwrap(), request["id"].as_str().unwrap());
        let params = &request["params"];
        let is_about_order = method.starts_with("order.") || method == "myTrades";
        if is_about_order {
            for name in self.names_of(params) {
                self.known.entry(name).or_default().requests.push(id.to_owned());
            }
        }
        let is_judged = matches!(method, "order.place" | "order.cancel" | "order.modify" | "order.cancelReplace");
        let verdict = if is_judged { std::mem::replace(&mut self.verdict, Verdict::Answer) } else { Verdict::Answer };
        let (status, body) = match verdict {
            Verdict::LoseRequest => return,
            Verdict::Late => return self.late.push((self.now, method.to_owned(), params.clone())),
            Verdict::LoseReply => {
                let _ = self.venue.execute(method, params, self.now);
                return;
            }
            Verdict::Refuse(status, code) => (status, Err((code, "no"))),
            Verdict::Hide(is_done) => {
                if is_done {
                    let _ = self.venue.execute(method, params, self.now);
                }
                (503, Err((-1007, "Timeout waiting for response from backend server.")))
            }
            Verdict::Answer => match self.venue.execute(method, params, self.now) {
                Ok(result) => (200, Ok(result)),
                Err(refusal) => (400, Err(refusal)),
            },
        };
        let answer = match body {
            Ok(result) => json!({"id": id, "status": status, "result": result}),
            Err((code, text)) => json!({"id": id, "status": status, "error": {"code": code, "msg": text}}),
        };
        let mut bytes = serde_json::to_vec(&answer).unwrap();
        if let Some(lie) = self.answer.take() {
            self.lie(&lie);
            bytes = lie;
        }
        if self.open[connection.index()] {
            self.gateway.on_frame(connection, &mut bytes, self.now);
        }
    }

    /// The names of the orders that a request is about.
    fn names_of(&self, params: &Value) -> BTreeSet<String> {
        let keys = ["newClientOrderId", "origClientOrderId", "cancelOrigClientOrderId"];
        let by_name = keys.iter().filter_map(|key| params[*key].as_str()).map(str::to_owned);
        let ids = ["orderId", "cancelOrderId"].map(|key| params[key].as_u64());
        let by_id = self.venue.orders.iter().filter(|order| ids.contains(&Some(order.id)));
        by_name.chain(by_id.map(|order| order.client.clone())).collect()
    }

    fn serve_rest(&mut self, ticket: RestTicket, request: &RestRequest) {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let (status, body) = self.venue.ask(request.method, path, query, self.now);
        let mut answer = RestAnswer { status, body: serde_json::to_vec(&body).unwrap(), retry_after: Nanos::ZERO };
        if let Some((status, lie)) = self.rest_answer.take() {
            self.lie(&lie);
            answer = RestAnswer { status, body: lie, retry_after: Nanos::ZERO };
        }
        self.gateway.on_rest(ticket, &answer, self.now);
    }

    /// What holds at every moment.
    fn look(&self) {
        for (name, known) in self.known.iter().filter(|(_, known)| !known.is_lied_about) {
            let Some(truth) = self.venue.find(name).map(|at| &self.venue.orders[at]) else { continue };
            let order = self.placed.iter().find(|order| CLIENT_IDS.write(**order).as_str() == name.as_str());
            let tracked = order.and_then(|order| self.gateway.orders().find(*order));
            let tracked = tracked.unwrap_or_else(|| panic!("{name} is at the venue and forgotten"));
            assert!(tracked.is_open() || !truth.is_live(), "{name} is live and believed over: {tracked:?} {known:?}");
            assert!(tracked.lots_filled.0 <= truth.filled, "{name}: {tracked:?} was not filled so far: {truth:?}");
            let most = tracked.lots_most().0;
            assert!(most >= truth.lots || !truth.is_live(), "{name}: {tracked:?} is believed to be less: {truth:?}");
        }
        let fills = self.events.iter().filter(|event| event.kind == ExecutionKind::Filled);
        let mut trades = BTreeSet::new();
        for event in fills {
            let side = event.side == Side::Bid;
            assert!(trades.insert((event.trade.0, side)), "I3: trade {} is told twice", event.trade.0);
        }
    }

    /// The venue tells the truth from now on; everything is cancelled, and an end is an end.
    fn end(&mut self) {
        (self.answer, self.rest_answer, self.is_deaf) = (None, None, false);
        self.late.clear();
        let until = self.now + END_WITHIN;
        self.gateway.cancel_all(self.now);
        self.carry();
        while self.now < until && !(self.gateway.is_quiet() && self.venue.open() == 0) {
            self.pass(Nanos::from_seconds(1));
            self.carry();
        }
        let gateway = &self.gateway;
        let said = (gateway.halt_message(), gateway.last_refusal(), self.lies);
        assert_eq!(self.venue.open(), 0, "orders are left at the venue: {said:?}");
        if self.lies > 0 {
            return;
        }
        assert!(gateway.is_quiet() && gateway.halt_message().is_none(), "it does not end: {said:?}");
        for order in &self.placed {
            let Some(tracked) = gateway.orders().find(*order) else { continue };
            let filled = self.venue.find(CLIENT_IDS.write(*order).as_str()).map(|at| self.venue.orders[at].filled);
            assert!(matches!(tracked.phase, Phase::Done(_)), "{tracked:?}");
            assert_eq!(tracked.lots_filled.0, filled.unwrap_or(0), "{tracked:?}");
        }
        let moved: i64 = self
            .events
            .iter()
            .filter(|event| event.kind == ExecutionKind::Filled)
            .map(|event| event.lots.0 * event.side.sign())
            .sum();
        assert_eq!(moved, self.venue.moved, "I6: every fill is told, and once");
    }
}
