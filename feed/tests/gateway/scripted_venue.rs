//! COLD: a tiny scripted venue and a gateway before it, in virtual time.

use std::collections::BTreeMap;

pub use crate::order_sides::{KEY_ID, START, ed25519, hmac, instrument};
use serde_json::{Value, json};
use spinbook_engine::event::{ExecutionEvent, ExecutionKind};
use spinbook_engine::intent::{Intent, IntentKind, TimeInForce};
use spinbook_engine::types::{InstrumentId, Lots, Nanos, OrderId, QuoteAtoms, Side, SlotId, Tick};
use spinbook_feed::crypto::credentials::Credentials;
use spinbook_feed::gateway::limits::OrderLimits;
use spinbook_feed::gateway::rest::{RestAnswer, RestTicket};
use spinbook_feed::gateway::{Gateway, GatewayAction, GatewayMode, GatewayOutput, GatewaySettings};
use spinbook_feed::venue::account::RestRequest;
use spinbook_feed::venue::binance::request_ids::CLIENT_IDS;
use spinbook_feed::venue::order_side::OrderConnection;
use spinbook_feed::venue::orders::RequestKind;
use spinbook_feed::venue::{ProductLine, binance};

pub const EPOCH: u32 = 77;
/// Lots of one order used throughout: 0.01 BTC.
pub fn some_lots(product: ProductLine) -> i64 {
    if product == binance::SPOT { 1_000_000 } else { 10 }
}

/// Ticks of 50000.00.
pub fn some_tick(product: ProductLine) -> i64 {
    if product == binance::SPOT { 5_000_000 } else { 500_000 }
}

pub fn settings(product: ProductLine) -> GatewaySettings {
    let limits = OrderLimits {
        lots_max: Lots(some_lots(product) * 100),
        notional_max: QuoteAtoms(1_000_000 * 10i128.pow(18)),
        open_orders_max: 200,
        position_lots_max: Lots(i64::MAX / 4),
        position_lots_start: Lots::ZERO,
        price_collar_millionths: None,
    };
    // One order connection, unless a test is about two: what is asked is easier to follow.
    GatewaySettings { spare_connection: false, ..GatewaySettings::new(product, GatewayMode::Live, EPOCH, vec![limits]) }
}

/// What becomes of one request.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// Carried out and answered.
    Answer,
    /// Carried out; the answer is lost (events still come).
    LoseReply,
    /// Never arrived.
    LoseRequest,
    /// Refused.
    Refuse { status: u16, code: i32, message: &'static str, retry_after_ms: Option<i64> },
}

pub fn refuse(status: u16, code: i32) -> Verdict {
    Verdict::Refuse { status, code, message: "no", retry_after_ms: None }
}

#[derive(Clone, Debug)]
pub struct VenueOrder {
    pub id: u64,
    pub client: String,
    pub side: String,
    pub price: String,
    pub quantity: String,
    pub lots: i64,
    pub filled: i64,
    pub post_only: bool,
    pub status: &'static str,
}

/// How the venue answers over REST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// It does.
    Answers,
    /// Nothing comes back, and nobody says so.
    Silent,
    /// The request fails at once.
    Fails,
    /// With this status and code, and this many seconds to wait.
    Refuses(u16, i32, i64),
    /// Carried out, and the answer says that this is not known.
    HidesOutcome,
}

type Rule = Box<dyn FnMut(&str, &Value) -> Verdict>;

pub struct Desk {
    pub product: ProductLine,
    pub gateway: Gateway,
    pub now: Nanos,
    pub events: Vec<ExecutionEvent>,
    /// Every request that left the gateway.
    pub requests: Vec<(Nanos, String, Value)>,
    pub connects: Vec<(Nanos, OrderConnection, String)>,
    pub closes: usize,
    pub rule: Rule,
    pub orders: BTreeMap<u64, VenueOrder>,
    pub trades: Vec<Value>,
    /// The venue's clock minus ours.
    pub offset_ms: i64,
    /// Whether user data events reach the gateway.
    pub user_data: bool,
    /// Whether connections open at all.
    pub reachable: bool,
    /// Connections that do not open now.
    pub unreachable: Vec<OrderConnection>,
    /// Connections on which nothing arrives any more, without a word.
    pub dark: Vec<OrderConnection>,
    /// Every ping that left the gateway, with its mark.
    pub pings: Vec<(Nanos, OrderConnection, u64)>,
    /// Pongs are on their way until the test brings them.
    pub keeps_pongs: bool,
    /// How the venue answers over REST.
    pub rest: Rest,
    /// Whether timestamps over REST are held against the venue's clock.
    pub checks_rest_clock: bool,
    /// What the venue says is held, in lots.
    pub held: i64,
    /// What the venue lists of the account's money.
    pub incomes: Vec<Value>,
    /// Every request over REST: method and path.
    pub rest_requests: Vec<(Nanos, String)>,
    /// The connection of each request.
    pub ways: Vec<OrderConnection>,
    /// The connection that replies take now.
    way: OrderConnection,
    pub next_order: u64,
    /// Whether nothing that was due at a time may be still due after the gateway's turn at that time.
    pub is_punctual: bool,
}

impl Desk {
    pub fn new(product: ProductLine, credentials: Credentials, settings: GatewaySettings) -> Desk {
        Desk {
            product,
            gateway: Gateway::new(settings, credentials, vec![instrument(product)]),
            now: START,
            events: Vec::new(),
            requests: Vec::new(),
            connects: Vec::new(),
            closes: 0,
            rule: Box::new(|_, _| Verdict::Answer),
            orders: BTreeMap::new(),
            trades: Vec::new(),
            offset_ms: 0,
            user_data: true,
            reachable: true,
            unreachable: Vec::new(),
            dark: Vec::new(),
            pings: Vec::new(),
            keeps_pongs: false,
            rest: Rest::Answers,
            checks_rest_clock: false,
            held: 0,
            incomes: Vec::new(),
            rest_requests: Vec::new(),
            ways: Vec::new(),
            way: OrderConnection::Orders,
            next_order: 1_000,
            is_punctual: false,
        }
    }

    /// Logged on and ready.
    pub fn ready(product: ProductLine) -> Desk {
        let mut desk = Desk::new(product, hmac(), settings(product));
        desk.start();
        assert!(desk.gateway.is_ready(), "{:?}", desk.gateway.halt_message());
        desk.events.clear();
        desk.requests.clear();
        desk
    }

    pub fn start(&mut self) {
        self.gateway.on_timer(self.now);
        self.carry();
    }

    /// Lets time pass, with a timer whenever the gateway asked for one.
    pub fn pass(&mut self, span: Nanos) {
        let end = self.now + span;
        let mut turns = 0;
        loop {
            let next = self.gateway.next_deadline().max(self.now + Nanos(1));
            if next >= end {
                break;
            }
            self.now = next;
            self.gateway.on_timer(self.now);
            self.carry();
            let done = !self.is_punctual || self.gateway.next_deadline() > self.now;
            assert!(done, "what was due at this time is still due");
            turns += 1;
            assert!(turns < 200_000, "the gateway asks for timers without end");
        }
        self.now = end;
        self.gateway.on_timer(self.now);
        self.carry();
    }

    /// Carries out what the gateway wants until it wants nothing more.
    pub fn carry(&mut self) {
        enum Act {
            Connect(OrderConnection),
            Send(OrderConnection, Value, OrderId, RequestKind),
            Ping(OrderConnection, u64),
            Ask(RestTicket, Box<RestRequest>),
            None,
        }
        loop {
            self.gateway.check();
            let act = match self.gateway.poll_output() {
                None => return,
                Some(GatewayOutput::Execution(event)) => {
                    assert_eq!(event.venue, self.product.venue_id(), "every event names its venue");
                    self.events.push(event);
                    Act::None
                }
                Some(GatewayOutput::Action(GatewayAction::Connect { connection, target })) => {
                    self.connects.push((self.now, connection, target));
                    Act::Connect(connection)
                }
                Some(GatewayOutput::Action(GatewayAction::Close { .. })) => {
                    self.closes += 1;
                    Act::None
                }
                Some(GatewayOutput::Action(GatewayAction::Ping { connection, mark })) => Act::Ping(connection, mark),
                Some(GatewayOutput::Action(GatewayAction::Ask { ticket, request })) => Act::Ask(ticket, request),
                Some(GatewayOutput::Action(GatewayAction::Send { connection, bytes, order, kind, .. })) => {
                    assert_ne!(connection, OrderConnection::UserData);
                    Act::Send(connection, serde_json::from_slice(&bytes).expect("requests are JSON"), order, kind)
                }
            };
            match act {
                Act::None => {}
                Act::Connect(connection) if self.reachable && !self.unreachable.contains(&connection) => {
                    self.gateway.on_open(connection, self.now)
                }
                Act::Connect(connection) => self.gateway.on_close(connection, self.now),
                Act::Ping(connection, mark) => {
                    self.pings.push((self.now, connection, mark));
                    if !self.dark.contains(&connection) && !self.keeps_pongs {
                        self.gateway.on_pong(connection, mark, self.now);
                    }
                }
                Act::Ask(ticket, request) => self.ask(ticket, &request),
                Act::Send(connection, request, order, kind) => {
                    self.gateway.on_sent(order, kind, connection, self.now);
                    self.way = connection;
                    self.serve(&request);
                    self.way = OrderConnection::Orders;
                }
            }
        }
    }

    fn ask(&mut self, ticket: RestTicket, request: &RestRequest) {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        self.rest_requests.push((self.now, format!("{} {path}", request.method)));
        let parameter = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            let found = pairs.find(|(key, _)| *key == name);
            found.map(|(_, value)| value.parse::<i64>().unwrap())
        };
        let text = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, _)| *key == name).map_or("", |(_, value)| value).to_owned()
        };
        let stamp = parameter("timestamp").unwrap_or_else(|| self.venue_ms());
        let is_off = (stamp - self.venue_ms()).abs() > 1_000 && self.checks_rest_clock;
        let answer = match self.rest {
            _ if is_off => RestAnswer {
                status: 400,
                body: json!({"code": -1021, "msg": "Timestamp for this request is off."}).to_string().into_bytes(),
                retry_after: Nanos::ZERO,
            },
            Rest::Silent => return,
            Rest::Fails => RestAnswer::default(),
            Rest::Refuses(status, code, seconds) => RestAnswer {
                status,
                body: json!({"code": code, "msg": "no"}).to_string().into_bytes(),
                retry_after: Nanos::from_seconds(seconds),
            },
            Rest::Answers | Rest::HidesOutcome => {
                let body = match (request.method, path) {
                    ("GET", "/api/v3/myTrades" | "/fapi/v1/userTrades") => {
                        let (start, from) = (parameter("startTime"), parameter("fromId"));
                        let listed = self.trades.iter().filter(|trade| {
                            start.is_none_or(|start| trade["time"].as_i64().unwrap() >= start)
                                && from.is_none_or(|from| trade["id"].as_i64().unwrap() >= from)
                        });
                        Ok(listed.take(parameter("limit").unwrap() as usize).cloned().collect())
                    }
                    ("GET", "/fapi/v1/income") => {
                        let (start, limit) = (parameter("startTime").unwrap(), parameter("limit").unwrap() as usize);
                        let listed = self.incomes.iter().filter(|row| row["time"].as_i64().unwrap() >= start);
                        Ok(listed.take(limit).cloned().collect())
                    }
                    ("GET", "/api/v3/time" | "/fapi/v1/time") => Ok(json!({"serverTime": self.venue_ms()})),
                    ("GET", "/api/v3/account") => {
                        let free = quantity(self.product, self.held);
                        Ok(json!({"uid": 1, "balances": [{"asset": "BTC", "free": free, "locked": "0.00000000"}]}))
                    }
                    ("GET", "/fapi/v3/positionRisk") => {
                        let sign = if self.held < 0 { "-" } else { "" };
                        let amount = format!("{sign}{}", quantity(self.product, self.held.abs()));
                        Ok(json!([{"symbol": "BTCUSDT", "positionSide": "BOTH", "positionAmt": amount}]))
                    }
                    ("GET", "/api/v3/order" | "/fapi/v1/order") => {
                        let name = json!({"origClientOrderId": text("origClientOrderId")});
                        self.execute("order.status", &name)
                    }
                    ("GET", "/api/v3/openOrders" | "/fapi/v1/openOrders") => {
                        self.execute("openOrders.status", &Value::Null)
                    }
                    ("DELETE", "/api/v3/openOrders") => self.execute("openOrders.cancelAll", &Value::Null),
                    ("DELETE", "/fapi/v1/allOpenOrders") => {
                        let _ = self.execute("openOrders.cancelAll", &Value::Null);
                        Ok(json!({"code": 200, "msg": "The operation of cancel all open order is done."}))
                    }
                    (method, path) => panic!("{method} {path}"),
                };
                let (status, body) = match body {
                    _ if self.rest == Rest::HidesOutcome => (503, json!({"code": -1007, "msg": "Timeout."})),
                    Ok(body) => (200, body),
                    Err((code, text)) => (400, json!({"code": code, "msg": text})),
                };
                RestAnswer { status, body: body.to_string().into_bytes(), retry_after: Nanos::ZERO }
            }
        };
        self.gateway.on_rest(ticket, &answer, self.now);
    }

    /// How often something was asked over REST whose path ends so.
    pub fn rest_count(&self, end: &str) -> usize {
        self.rest_requests.iter().filter(|(_, path)| path.ends_with(end)).count()
    }

    fn serve(&mut self, request: &Value) {
        let method = request["method"].as_str().unwrap().to_owned();
        let id = request["id"].as_str().unwrap().to_owned();
        self.requests.push((self.now, method.clone(), request.clone()));
        self.ways.push(self.way);
        if self.dark.contains(&self.way) {
            return;
        }
        match (self.rule)(&method, request) {
            Verdict::LoseRequest => {}
            Verdict::Refuse { status, code, message, retry_after_ms } => {
                let mut error = json!({"code": code, "msg": message});
                if let Some(at) = retry_after_ms {
                    error["data"] = json!({"serverTime": 0, "retryAfter": at});
                }
                self.frame(&json!({"id": id, "status": status, "error": error}));
            }
            Verdict::Answer => {
                let reply = self.execute(&method, &request["params"]);
                self.reply(&id, reply);
            }
            Verdict::LoseReply => {
                let _ = self.execute(&method, &request["params"]);
            }
        }
    }

    fn reply(&mut self, id: &str, reply: Result<Value, (i32, &'static str)>) {
        let message = match reply {
            Ok(result) => json!({"id": id, "status": 200, "result": result}),
            Err((code, text)) => json!({"id": id, "status": 400, "error": {"code": code, "msg": text}}),
        };
        self.frame(&message);
    }

    /// A message on the orders connection.
    pub fn frame(&mut self, message: &Value) {
        let mut bytes = serde_json::to_vec(message).unwrap();
        self.gateway.on_frame(self.way, &mut bytes, self.now);
    }

    fn venue_ms(&self) -> i64 {
        self.now.millis() + self.offset_ms
    }

    fn execute(&mut self, method: &str, params: &Value) -> Result<Value, (i32, &'static str)> {
        match method {
            "time" => Ok(json!({"serverTime": self.venue_ms()})),
            "session.logon" => Ok(json!({"apiKey": params["apiKey"], "serverTime": self.venue_ms()})),
            "userDataStream.subscribe" | "userDataStream.subscribe.signature" => Ok(json!({"subscriptionId": 0})),
            "userDataStream.start" => Ok(json!({"listenKey": "pqia91ma19a5s61cv6a81va65sdf19v8a65a1"})),
            "userDataStream.ping" => Ok(json!({})),
            "order.place" => self.place(params),
            "order.cancel" => {
                let id = self
                    .find(params)
                    .filter(|id| is_live(self.orders[id].status))
                    .ok_or((-2011, "Unknown order sent."))?;
                self.end(id, "CANCELED");
                Ok(self.row(id, true))
            }
            "order.modify" => self.modify(params),
            "order.cancelReplace" => self.replace(params),
            "order.status" => {
                let id = self.find(params).ok_or((-2013, "Order does not exist."))?;
                Ok(self.row(id, false))
            }
            "openOrders.status" => Ok(self.live().into_iter().map(|id| self.row(id, false)).collect()),
            "openOrders.cancelAll" => {
                let live = self.live();
                if live.is_empty() {
                    return Err((-2011, "Unknown order sent."));
                }
                live.iter().for_each(|id| self.end(*id, "CANCELED"));
                Ok(live.into_iter().map(|id| self.row(id, true)).collect())
            }
            "myTrades" => {
                let wanted = &params["orderId"];
                Ok(self.trades.iter().filter(|trade| trade["orderId"] == *wanted).cloned().collect())
            }
            _ => Err((-1020, "This operation is not supported.")),
        }
    }

    pub fn live(&self) -> Vec<u64> {
        self.orders.values().filter(|order| is_live(order.status)).map(|order| order.id).collect()
    }

    pub fn open_at_venue(&self) -> usize {
        self.live().len()
    }

    fn find(&self, params: &Value) -> Option<u64> {
        match params["orderId"].as_u64() {
            Some(id) => self.orders.contains_key(&id).then_some(id),
            None => self.by_client(params["origClientOrderId"].as_str()?),
        }
    }

    pub fn by_client(&self, client: &str) -> Option<u64> {
        self.orders.values().rev().find(|order| order.client == client).map(|order| order.id)
    }

    pub fn id_of(&self, order: OrderId) -> u64 {
        self.by_client(CLIENT_IDS.write(order).as_str()).expect("the venue has it")
    }

    fn place(&mut self, params: &Value) -> Result<Value, (i32, &'static str)> {
        let word = |key: &str| params[key].as_str().unwrap().to_owned();
        let id = self.add(&word("newClientOrderId"), &word("side"), &word("price"), &word("quantity"));
        self.event(id, "NEW", None);
        Ok(json!({"symbol": "BTCUSDT", "orderId": id, "orderListId": -1, "clientOrderId": word("newClientOrderId"),
                  "transactTime": self.venue_ms()}))
    }

    /// Another price and quantity; an order that is filled as far already is cancelled.
    fn modify(&mut self, params: &Value) -> Result<Value, (i32, &'static str)> {
        let id =
            self.find(params).filter(|id| is_live(self.orders[id].status)).ok_or((-2013, "Order does not exist."))?;
        let word = |key: &str| params[key].as_str().unwrap().to_owned();
        let lots = instrument(self.product).quantity.parse(word("quantity").as_bytes()).unwrap();
        let order = self.orders.get_mut(&id).unwrap();
        if lots <= order.filled {
            self.end(id, "CANCELED");
            return Ok(self.row(id, false));
        }
        (order.price, order.quantity, order.lots) = (word("price"), word("quantity"), lots);
        if self.user_data {
            let message = self.amendment_message(id);
            self.user_frame(&message);
        }
        Ok(self.row(id, false))
    }

    /// What user data says of an order whose price and quantity changed.
    pub fn amendment_message(&self, id: u64) -> Value {
        let mut message = self.event_message(id, self.orders[&id].status, None);
        message["o"]["x"] = json!("AMENDMENT");
        message
    }

    /// Cancels one order and, if that worked, places another.
    fn replace(&mut self, params: &Value) -> Result<Value, (i32, &'static str)> {
        assert_eq!(params["cancelReplaceMode"], "STOP_ON_FAILURE");
        let named = match params["cancelOrderId"].as_u64() {
            Some(id) => self.orders.contains_key(&id).then_some(id),
            None => self.by_client(params["cancelOrigClientOrderId"].as_str().unwrap()),
        };
        let Some(id) = named.filter(|id| is_live(self.orders[id].status)) else {
            return Err((-2022, "Order cancel-replace failed."));
        };
        self.end(id, "CANCELED");
        let canceled = self.row(id, true);
        let placed = self.place(params)?;
        Ok(json!({"cancelResult": "SUCCESS", "newOrderResult": "SUCCESS",
                  "cancelResponse": canceled, "newOrderResponse": placed}))
    }

    /// An order that is suddenly there.
    pub fn add(&mut self, client: &str, side: &str, price: &str, quantity: &str) -> u64 {
        self.next_order += 1;
        let id = self.next_order;
        let lots = instrument(self.product).quantity.parse(quantity.as_bytes()).unwrap();
        let order = VenueOrder {
            id,
            client: client.to_owned(),
            side: side.to_owned(),
            price: price.to_owned(),
            quantity: quantity.to_owned(),
            lots,
            filled: 0,
            post_only: true,
            status: "NEW",
        };
        self.orders.insert(id, order);
        id
    }

    pub fn end(&mut self, id: u64, status: &'static str) {
        self.orders.get_mut(&id).unwrap().status = status;
        self.event(id, status, None);
    }

    /// Fills some of an order at its price; the fee as the venue prints it.
    pub fn fill(&mut self, id: u64, lots: i64, trade: u64, fee: (&str, &str)) {
        let order = self.orders.get_mut(&id).unwrap();
        order.filled += lots;
        order.status = if order.filled == order.lots { "FILLED" } else { "PARTIALLY_FILLED" };
        let order = order.clone();
        self.trades.push(json!({
            "symbol": "BTCUSDT", "id": trade, "orderId": id, "price": order.price, "qty": quantity(self.product, lots),
            "commission": fee.0, "commissionAsset": fee.1, "time": self.venue_ms(),
            "isBuyer": order.side == "BUY", "isMaker": true, "buyer": order.side == "BUY", "maker": true,
        }));
        self.event(id, order.status, Some((lots, trade, fee)));
        self.carry();
    }

    fn event(&mut self, id: u64, status: &str, fill: Option<(i64, u64, (&str, &str))>) {
        let message = self.event_message(id, status, fill);
        if self.user_data {
            self.user_frame(&message);
        }
    }

    /// The venue says over user data what is held.
    pub fn tell_held(&mut self) {
        let sign = if self.held < 0 { "-" } else { "" };
        let amount = format!("{sign}{}", quantity(self.product, self.held.abs()));
        let message = if self.product == binance::SPOT {
            let row = json!({"a": "BTC", "f": amount, "l": "0.00000000"});
            json!({"subscriptionId": 0, "event": {"e": "outboundAccountPosition", "B": [row]}})
        } else {
            let row = json!({"s": "BTCUSDT", "pa": amount, "ps": "BOTH"});
            json!({"e": "ACCOUNT_UPDATE", "a": {"m": "ORDER", "B": [], "P": [row]}})
        };
        self.user_frame(&message);
        self.carry();
    }

    /// The venue's list of the account's money gets a line.
    pub fn list_income(&mut self, kind: &str, symbol: &str, asset: &str, amount: &str) {
        let number = self.incomes.len() + 1;
        self.incomes.push(json!({
            "symbol": symbol, "incomeType": kind, "income": amount, "asset": asset, "info": kind,
            "time": self.venue_ms(), "tranId": number, "tradeId": "",
        }));
    }

    /// The venue says over user data that money moved.
    pub fn tell_moved(&mut self, reason: &str, asset: &str, amount: &str) {
        let at = self.venue_ms();
        let message = if self.product == binance::SPOT {
            json!({"subscriptionId": 0, "event": {"e": "balanceUpdate", "E": at, "a": asset, "d": amount, "T": at}})
        } else {
            let row = json!({"a": asset, "wb": "1000", "cw": "1000", "bc": amount});
            json!({"e": "ACCOUNT_UPDATE", "E": at, "T": at, "a": {"m": reason, "B": [row], "P": []}})
        };
        self.user_frame(&message);
        self.carry();
    }

    /// A user data message on the connection where this product has it.
    pub fn user_frame(&mut self, message: &Value) {
        let mut bytes = serde_json::to_vec(message).unwrap();
        let connection =
            if self.product == binance::SPOT { OrderConnection::Orders } else { OrderConnection::UserData };
        if !self.dark.contains(&connection) {
            self.gateway.on_frame(connection, &mut bytes, self.now);
        }
    }

    pub fn event_message(&self, id: u64, status: &str, fill: Option<(i64, u64, (&str, &str))>) -> Value {
        let order = &self.orders[&id];
        let (lots, trade, fee) = fill.unwrap_or((0, 0, ("0", "")));
        let execution = match status {
            "FILLED" | "PARTIALLY_FILLED" => "TRADE",
            other => other,
        };
        let none = Value::Null;
        let body = json!({
            "s": "BTCUSDT", "c": order.client, "C": "", "S": order.side, "o": "LIMIT", "f": "GTC", "q": order.quantity,
            "p": order.price, "x": execution, "X": status, "i": id, "l": quantity(self.product, lots),
            "z": quantity(self.product, order.filled), "L": order.price,
            "n": fee.0, "N": if fee.1.is_empty() { none } else { json!(fee.1) },
            "T": self.venue_ms(), "t": if trade == 0 { -1 } else { trade as i64 }, "m": true,
        });
        wrap(self.product, body, self.venue_ms())
    }

    fn row(&self, id: u64, cancel: bool) -> Value {
        let order = &self.orders[&id];
        let mut row = json!({
            "symbol": "BTCUSDT", "orderId": id, "clientOrderId": order.client, "price": order.price,
            "origQty": order.quantity, "executedQty": quantity(self.product, order.filled), "status": order.status,
            "side": order.side, "type": "LIMIT", "timeInForce": "GTC", "updateTime": self.venue_ms(),
        });
        if order.post_only {
            let (key, word) =
                if self.product == binance::SPOT { ("type", "LIMIT_MAKER") } else { ("timeInForce", "GTX") };
            row[key] = json!(word);
        }
        if cancel && self.product == binance::SPOT {
            row["origClientOrderId"] = json!(order.client);
            row["clientOrderId"] = json!("someCancelRequest");
        }
        row
    }

    pub fn place_order(&mut self, counter: u32, side: Side) -> OrderId {
        let order = OrderId::new(EPOCH, counter);
        let mut intent = place(self.product, order, side);
        intent.decided = self.now;
        intent.deadline = self.now + Nanos::from_millis(50);
        self.gateway.on_intent(&intent, self.now);
        self.carry();
        order
    }

    /// Asks for another price and quantity, in ticks and lots more than [`some_tick`] and [`some_lots`].
    pub fn amend_order(&mut self, order: OrderId, ticks: i64, lots: i64) {
        let mut intent = place(self.product, order, Side::Bid);
        intent.kind = IntentKind::Amend;
        (intent.tick.0, intent.lots.0) = (intent.tick.0 + ticks, intent.lots.0 + lots);
        (intent.decided, intent.deadline) = (self.now, self.now + Nanos::from_millis(50));
        self.gateway.on_intent(&intent, self.now);
        self.carry();
    }

    /// Asks for an order in the place of another, some ticks away.
    pub fn replace_order(&mut self, former: OrderId, counter: u32, ticks: i64) -> OrderId {
        let order = OrderId::new(EPOCH, counter);
        let mut intent = place(self.product, order, Side::Bid);
        (intent.kind, intent.replaces) = (IntentKind::Replace, former);
        intent.tick.0 += ticks;
        (intent.decided, intent.deadline) = (self.now, self.now + Nanos::from_millis(50));
        self.gateway.on_intent(&intent, self.now);
        self.carry();
        order
    }

    pub fn cancel_order(&mut self, order: OrderId) {
        let intent = Intent { order, kind: IntentKind::Cancel, ..Intent::default() };
        self.gateway.on_intent(&intent, self.now);
        self.carry();
    }

    pub fn drop_connection(&mut self, connection: OrderConnection) {
        self.gateway.on_close(connection, self.now);
        self.carry();
    }

    /// Kinds of the events about one order, in order.
    pub fn kinds(&self, order: OrderId) -> Vec<ExecutionKind> {
        self.events.iter().filter(|event| event.order == order).map(|event| event.kind).collect()
    }

    pub fn has(&self, kind: ExecutionKind) -> bool {
        self.events.iter().any(|event| event.kind == kind)
    }

    pub fn methods(&self) -> Vec<&str> {
        self.requests.iter().map(|(_, method, _)| method.as_str()).collect()
    }

    pub fn count(&self, method: &str) -> usize {
        self.requests.iter().filter(|(_, name, _)| name == method).count()
    }
}

fn is_live(status: &str) -> bool {
    matches!(status, "NEW" | "PARTIALLY_FILLED")
}

pub fn quantity(product: ProductLine, lots: i64) -> String {
    let mut buffer = [0u8; spinbook_feed::number::TEXT_MAX];
    instrument(product).quantity.format(lots, &mut buffer).to_owned()
}

pub fn wrap(product: ProductLine, mut body: Value, venue_ms: i64) -> Value {
    if product == binance::SPOT {
        body["e"] = json!("executionReport");
        body["E"] = json!(venue_ms);
        json!({"subscriptionId": 0, "event": body})
    } else {
        json!({"e": "ORDER_TRADE_UPDATE", "E": venue_ms, "T": venue_ms, "o": body})
    }
}

pub fn place(product: ProductLine, order: OrderId, side: Side) -> Intent {
    Intent {
        order,
        tick: Tick(some_tick(product)),
        lots: Lots(some_lots(product)),
        instrument: InstrumentId(0),
        slot: SlotId(3),
        kind: IntentKind::Place,
        side,
        time_in_force: TimeInForce::PostOnly,
        ..Intent::default()
    }
}

pub const PRODUCTS: [ProductLine; 2] = [binance::SPOT, binance::USDM];
