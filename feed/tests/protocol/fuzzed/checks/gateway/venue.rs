//! COLD: a venue of one account and one symbol that tells the truth, for the gateway's check: it keeps what it did.

use serde_json::{Value, json};
use spinbook_engine::types::{Nanos, Side};
use spinbook_feed::testkit::instrument;
use spinbook_feed::venue::instrument::Instrument;
use spinbook_feed::venue::{ProductLine, binance};

/// How long after its timestamp the venue takes a request.
pub const RECEIVE_WINDOW: Nanos = Nanos::from_millis(1_000);
/// The first number that the venue gives to an order: long enough to stand nowhere by chance.
const FIRST_ORDER: u64 = 7_300_001;

/// An order as it came to the venue.
#[derive(Clone, Debug)]
pub struct VenueOrder {
    pub id: u64,
    pub client: String,
    pub side: Side,
    pub price: String,
    pub quantity: String,
    pub lots: i64,
    pub filled: i64,
    pub status: &'static str,
}

impl VenueOrder {
    pub fn is_live(&self) -> bool {
        matches!(self.status, "NEW" | "PARTIALLY_FILLED")
    }
}

/// The venue's own account of things.
pub struct Venue {
    product: ProductLine,
    instrument: Instrument,
    pub orders: Vec<VenueOrder>,
    trades: Vec<Value>,
    /// Lots bought less lots sold.
    pub moved: i64,
    /// User data that was not sent yet.
    pub events: Vec<Value>,
}

pub fn is_spot(product: ProductLine) -> bool {
    product == binance::SPOT
}

/// The one symbol.
pub fn symbol(product: ProductLine) -> Instrument {
    let (tick, lot) = if is_spot(product) { ("0.01", "0.00001") } else { ("0.10", "0.001") };
    instrument(product, 0, "BTCUSDT", tick, lot)
}

/// What is held before anything was traded.
pub fn held_at_start(product: ProductLine) -> i64 {
    if is_spot(product) { 1_000_000 } else { 0 }
}

impl Venue {
    pub fn new(product: ProductLine) -> Venue {
        let instrument = symbol(product);
        Venue { product, instrument, orders: Vec::new(), trades: Vec::new(), moved: 0, events: Vec::new() }
    }

    pub fn find(&self, client: &str) -> Option<usize> {
        self.orders.iter().position(|order| order.client == client)
    }

    fn named(&self, params: &Value) -> Option<usize> {
        match params["orderId"].as_u64() {
            Some(id) => self.orders.iter().position(|order| order.id == id),
            None => self.find(params["origClientOrderId"].as_str()?),
        }
    }

    fn quantity(&self, lots: i64) -> String {
        let mut buffer = [0; spinbook_feed::number::TEXT_MAX];
        let text = self.instrument.quantity.format(lots.abs(), &mut buffer);
        if lots < 0 { format!("-{text}") } else { text.to_owned() }
    }

    /// Carries a request out: its result, or code and words of the refusal.
    pub fn execute(&mut self, method: &str, params: &Value, now: Nanos) -> Result<Value, (i32, &'static str)> {
        match method {
            "time" => Ok(json!({"serverTime": now.millis()})),
            "session.logon" => Ok(json!({"apiKey": params["apiKey"], "serverTime": now.millis()})),
            "userDataStream.subscribe" | "userDataStream.subscribe.signature" => Ok(json!({"subscriptionId": 0})),
            "userDataStream.start" => Ok(json!({"listenKey": "pqia91ma19a5s61cv6a81va65sdf19v8a65a1"})),
            "userDataStream.ping" => Ok(json!({})),
            "order.place" => Ok(self.place(params, now)),
            "order.modify" => self.modify(params, now),
            "order.cancelReplace" => self.replace(params, now),
            "order.cancel" => {
                let live = self.named(params).filter(|at| self.orders[*at].is_live());
                let at = live.ok_or((-2011, "Unknown order sent."))?;
                self.end(at, "CANCELED", now);
                Ok(self.row(at, true, now))
            }
            "order.status" => {
                let at = self.named(params).ok_or((-2013, "Order does not exist."))?;
                Ok(self.row(at, false, now))
            }
            "openOrders.status" => Ok(self.live().into_iter().map(|at| self.row(at, false, now)).collect()),
            "openOrders.cancelAll" => {
                let live = self.live();
                if live.is_empty() {
                    return Err((-2011, "Unknown order sent."));
                }
                live.iter().for_each(|at| self.end(*at, "CANCELED", now));
                Ok(live.into_iter().map(|at| self.row(at, true, now)).collect())
            }
            "myTrades" => {
                let wanted = &params["orderId"];
                Ok(self.trades.iter().filter(|trade| trade["orderId"] == *wanted).cloned().collect())
            }
            other => panic!("the gateway asks for {other}, which this venue does not know"),
        }
    }

    /// The same over REST: status and body.
    pub fn ask(&mut self, method: &str, path: &str, query: &str, now: Nanos) -> (u16, Value) {
        let parameter = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, _)| *key == name).and_then(|(_, value)| value.parse::<i64>().ok())
        };
        let body = match (method, path) {
            ("GET", "/api/v3/myTrades" | "/fapi/v1/userTrades") => {
                let (start, from) = (parameter("startTime"), parameter("fromId"));
                let listed = self.trades.iter().filter(|trade| {
                    start.is_none_or(|start| trade["time"].as_i64().is_some_and(|time| time >= start))
                        && from.is_none_or(|from| trade["id"].as_i64().is_some_and(|id| id >= from))
                });
                let limit = parameter("limit").and_then(|limit| usize::try_from(limit).ok()).unwrap_or(500);
                listed.take(limit).cloned().collect()
            }
            ("GET", "/api/v3/time" | "/fapi/v1/time") => json!({"serverTime": now.millis()}),
            ("GET", "/api/v3/account") => {
                let free = self.quantity(held_at_start(self.product) + self.moved);
                json!({"uid": 1, "balances": [{"asset": "BTC", "free": free, "locked": "0.00000000"}]})
            }
            ("GET", "/fapi/v3/positionRisk") => {
                json!([{"symbol": "BTCUSDT", "positionSide": "BOTH", "positionAmt": self.quantity(self.moved)}])
            }
            ("GET", "/fapi/v1/income") => json!([]),
            ("DELETE", "/api/v3/openOrders") => match self.execute("openOrders.cancelAll", &Value::Null, now) {
                Ok(rows) => rows,
                Err((code, text)) => return (400, json!({"code": code, "msg": text})),
            },
            ("DELETE", "/fapi/v1/allOpenOrders") => {
                let _ = self.execute("openOrders.cancelAll", &Value::Null, now);
                json!({"code": 200, "msg": "The operation of cancel all open order is done."})
            }
            (method, path) => panic!("the gateway asks for {method} {path}, which this venue does not know"),
        };
        (200, body)
    }

    fn live(&self) -> Vec<usize> {
        (0..self.orders.len()).filter(|at| self.orders[*at].is_live()).collect()
    }

    pub fn open(&self) -> usize {
        self.live().len()
    }

    fn place(&mut self, params: &Value, now: Nanos) -> Value {
        let word = |key: &str| params[key].as_str().expect("a text").to_owned();
        let id = FIRST_ORDER + self.orders.len() as u64;
        let quantity = word("quantity");
        let lots = self.instrument.quantity.parse(quantity.as_bytes()).expect("a quantity on the step");
        let client = word("newClientOrderId");
        assert!(self.find(&client).is_none(), "I4: {client} is sent twice");
        let side = if word("side") == "BUY" { Side::Bid } else { Side::Ask };
        let price = word("price");
        self.orders.push(VenueOrder {
            id,
            client: client.clone(),
            side,
            price,
            quantity,
            lots,
            filled: 0,
            status: "NEW",
        });
        self.tell(self.orders.len() - 1, None, now);
        let millis = now.millis();
        json!({"symbol": "BTCUSDT", "orderId": id, "orderListId": -1, "clientOrderId": client, "transactTime": millis})
    }

    /// Another price and quantity; an order that is filled as far already is cancelled.
    fn modify(&mut self, params: &Value, now: Nanos) -> Result<Value, (i32, &'static str)> {
        let live = self.named(params).filter(|at| self.orders[*at].is_live());
        let at = live.ok_or((-2013, "Order does not exist."))?;
        let word = |key: &str| params[key].as_str().expect("a text").to_owned();
        let (price, quantity) = (word("price"), word("quantity"));
        let lots = self.instrument.quantity.parse(quantity.as_bytes()).expect("a quantity on the step");
        let order = &mut self.orders[at];
        if lots <= order.filled {
            self.end(at, "CANCELED", now);
            return Ok(self.row(at, false, now));
        }
        (order.price, order.quantity, order.lots) = (price, quantity, lots);
        self.tell(at, None, now);
        let told = self.events.last_mut().expect("it was told");
        told["o"]["x"] = json!("AMENDMENT");
        Ok(self.row(at, false, now))
    }

    /// Cancels one order and, if that worked, places another.
    fn replace(&mut self, params: &Value, now: Nanos) -> Result<Value, (i32, &'static str)> {
        assert_eq!(params["cancelReplaceMode"], "STOP_ON_FAILURE");
        let named = match params["cancelOrderId"].as_u64() {
            Some(id) => self.orders.iter().position(|order| order.id == id),
            None => self.find(params["cancelOrigClientOrderId"].as_str().expect("a name")),
        };
        let live = named.filter(|at| self.orders[*at].is_live());
        let at = live.ok_or((-2022, "Order cancel-replace failed."))?;
        self.end(at, "CANCELED", now);
        let canceled = self.row(at, true, now);
        let placed = self.place(params, now);
        Ok(json!({"cancelResult": "SUCCESS", "newOrderResult": "SUCCESS",
                  "cancelResponse": canceled, "newOrderResponse": placed}))
    }

    /// Ends an order.
    pub fn end(&mut self, at: usize, status: &'static str, now: Nanos) {
        self.orders[at].status = status;
        self.tell(at, None, now);
    }

    /// Fills some of an order at its price.
    pub fn fill(&mut self, at: usize, lots: i64, now: Nanos) {
        let order = &mut self.orders[at];
        order.filled += lots;
        order.status = if order.filled == order.lots { "FILLED" } else { "PARTIALLY_FILLED" };
        let order = order.clone();
        self.moved += lots * order.side.sign();
        let trade = 900_001 + self.trades.len() as u64;
        let buys = order.side == Side::Bid;
        self.trades.push(json!({
            "symbol": "BTCUSDT", "id": trade, "orderId": order.id, "price": order.price, "qty": self.quantity(lots),
            "commission": "0.01", "commissionAsset": "USDT", "time": now.millis(),
            "isBuyer": buys, "isMaker": true, "buyer": buys, "maker": true,
        }));
        self.tell(at, Some((lots, trade)), now);
    }

    fn tell(&mut self, at: usize, fill: Option<(i64, u64)>, now: Nanos) {
        let order = &self.orders[at];
        let (lots, trade) = fill.unwrap_or((0, 0));
        let execution = if fill.is_some() { "TRADE" } else { order.status };
        let mut body = json!({
            "s": "BTCUSDT", "c": order.client, "C": "", "S": if order.side == Side::Bid { "BUY" } else { "SELL" },
            "o": "LIMIT", "f": "GTC", "q": order.quantity, "p": order.price, "x": execution, "X": order.status,
            "i": order.id, "l": self.quantity(lots), "z": self.quantity(order.filled), "L": order.price,
            "n": if fill.is_some() { "0.01" } else { "0" },
            "N": if fill.is_some() { json!("USDT") } else { Value::Null },
            "T": now.millis(), "t": if fill.is_some() { trade as i64 } else { -1 }, "m": true,
        });
        self.events.push(if is_spot(self.product) {
            body["e"] = json!("executionReport");
            body["E"] = json!(now.millis());
            json!({"subscriptionId": 0, "event": body})
        } else {
            json!({"e": "ORDER_TRADE_UPDATE", "E": now.millis(), "T": now.millis(), "o": body})
        });
    }

    fn row(&self, at: usize, cancel: bool, now: Nanos) -> Value {
        let order = &self.orders[at];
        let mut row = json!({
            "symbol": "BTCUSDT", "orderId": order.id, "clientOrderId": order.client, "price": order.price,
            "origQty": order.quantity, "executedQty": self.quantity(order.filled), "status": order.status,
            "side": if order.side == Side::Bid { "BUY" } else { "SELL" }, "type": "LIMIT", "timeInForce": "GTC",
            "updateTime": now.millis(),
        });
        if cancel && is_spot(self.product) {
            row["origClientOrderId"] = json!(order.client);
            row["clientOrderId"] = json!("someCancelRequest");
        }
        row
    }
}
