//! COLD: stream connections: paths, subscription messages, and relaying market frames.

use super::BinanceExchange;
use super::connection::{ClientConnection, SimulatorEndpoint, StreamClass, StreamEndpoint, messages_per_second};
use super::frames::{Parts, PlayedTrade};
use super::micros;
use super::stream_names::Subscription;
use crate::sim::api::FrameFault;
use crate::sim::side::ConnectionId;
use crate::venue::binance::Product;
use serde_json::{Value, json};
use spinbook_engine::types::Nanos;

/// Streams one connection may carry.
const STREAMS_MAX: usize = 1024;

/// What a path of the stream host opens; `None` if it is no such path.
#[must_use]
pub fn endpoint_of(product: Product, path: &str, query: &str, now: Nanos) -> Option<StreamEndpoint> {
    let (route, rest) = match product {
        Product::BinanceSpot => (StreamClass::All, path),
        Product::BinanceUsdm => {
            match path.split_once('/').map(|(_, rest)| rest.split_once('/').unwrap_or((rest, ""))) {
                Some(("public", _)) => (StreamClass::Public, &path["/public".len()..]),
                Some(("market", _)) => (StreamClass::Market, &path["/market".len()..]),
                Some(("private", _)) => (StreamClass::Private, &path["/private".len()..]),
                _ => (StreamClass::Public, path),
            }
        }
    };
    let parameter = |name: &str| {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(key, _)| *key == name).map(|(_, value)| value.to_owned()).next()
    };
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let micros = product == Product::BinanceSpot && micros::are_asked(&parameter("timeUnit").unwrap_or_default());
    let mut endpoint = StreamEndpoint { combined: false, route, subscriptions: Vec::new(), events: None, micros };
    let names = match rest {
        "/stream" | "/stream/" => {
            endpoint.combined = true;
            parameter("streams").unwrap_or_default()
        }
        "/ws" | "/ws/" => String::new(),
        _ => rest.strip_prefix("/ws/")?.to_owned(),
    };
    let keys = parameter("listenKey").unwrap_or_default();
    for name in names.split('/').chain(keys.split('/')).filter(|name| !name.is_empty()) {
        add_subscription(product, &mut endpoint.subscriptions, &decoded(name), now);
    }
    endpoint.events = parameter("events").map(|events| decoded(&events).split('/').map(str::to_owned).collect());
    Some(endpoint)
}

fn add_subscription(product: Product, subscriptions: &mut Vec<Subscription>, name: &str, now: Nanos) -> bool {
    if subscriptions.iter().any(|other| other.name == name) {
        return true;
    }
    if subscriptions.len() >= STREAMS_MAX {
        return false;
    }
    subscriptions.push(Subscription::parse(product, name, now));
    true
}

/// Whether a route delivers a channel. A stream asked for on the wrong route is acknowledged and stays silent.
pub(super) fn delivers(route: StreamClass, channel: &str) -> bool {
    let public = channel.starts_with("depth") || channel == "bookTicker" || channel == "rpiDepth";
    match route {
        StreamClass::All => true,
        StreamClass::Public => public || channel == "trade",
        StreamClass::Market => !public,
        StreamClass::Private => false,
    }
}

fn refusal(code: i64, message: String, id: Value) -> Value {
    json!({"code": code, "msg": message, "id": id})
}

/// Answers a control message of a stream client.
fn control(product: Product, endpoint: &mut StreamEndpoint, text: &[u8], now: Nanos) -> Value {
    let message: Value = match serde_json::from_slice(text) {
        Ok(message) => message,
        Err(error) => return json!({"code": 3, "msg": format!("Invalid JSON: {error}")}),
    };
    let id = message.get("id").cloned().unwrap_or(Value::Null);
    let legal_id = match &id {
        Value::Null => true,
        Value::Number(number) => number.is_i64() || number.is_u64(),
        Value::String(text) => text.chars().count() <= 36,
        _ => false,
    };
    if !legal_id {
        let text = "Invalid request: request ID must be an int64, a string of at most 36 characters, or null";
        return refusal(2, text.to_owned(), Value::Null);
    }
    let Some(method) = message.get("method").and_then(Value::as_str) else {
        return refusal(2, format!("Invalid request: missing field `method` at line 1 column {}", text.len()), id);
    };
    let params = message.get("params").and_then(Value::as_array);
    let names: Option<Vec<&str>> = params.and_then(|list| list.iter().map(Value::as_str).collect());
    let wrong_params = || "Invalid request: params must be an array of stream names".to_owned();
    let result = match (method, names) {
        ("SUBSCRIBE" | "UNSUBSCRIBE", None) => return refusal(2, wrong_params(), id),
        ("SUBSCRIBE", Some(names)) => {
            for name in names {
                if name.is_empty() || !add_subscription(product, &mut endpoint.subscriptions, name, now) {
                    return refusal(2, "Invalid request: too many parameters".to_owned(), id);
                }
            }
            Value::Null
        }
        ("UNSUBSCRIBE", Some(names)) => {
            endpoint.subscriptions.retain(|subscription| !names.contains(&subscription.name.as_str()));
            Value::Null
        }
        ("LIST_SUBSCRIPTIONS", _) => {
            endpoint.subscriptions.iter().map(|subscription| json!(subscription.name)).collect()
        }
        ("SET_PROPERTY" | "GET_PROPERTY", _) => match property(endpoint, method, params) {
            Ok(result) => result,
            Err((code, message)) => return refusal(code, message.to_owned(), id),
        },
        (other, _) => {
            let text = format!(
                "Invalid request: unknown variant `{other}`, expected one of `SUBSCRIBE`, `UNSUBSCRIBE`, \
                 `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY`"
            );
            return refusal(2, text, id);
        }
    };
    json!({"result": result, "id": id})
}

fn property(
    endpoint: &mut StreamEndpoint,
    method: &str,
    params: Option<&Vec<Value>>,
) -> Result<Value, (i64, &'static str)> {
    let params = params.ok_or((2, "Invalid request: missing field `params`"))?;
    let name = params.first().and_then(Value::as_str).ok_or((2, "Invalid request: property name must be a string"))?;
    if name != "combined" {
        return Err((0, "Unknown property"));
    }
    if method == "SET_PROPERTY" {
        let value = params.get(1).and_then(Value::as_bool);
        endpoint.combined = value.ok_or((1, "Invalid value type: expected Boolean"))?;
        return Ok(Value::Null);
    }
    Ok(Value::Bool(endpoint.combined))
}

impl BinanceExchange {
    /// A text message of a stream client.
    pub(super) fn stream_text(&mut self, id: ConnectionId, text: &[u8], now: Nanos) {
        let limit = messages_per_second(self.product);
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if !connection.count_message(limit, now) {
            self.cut(id, 1008, "Too many requests");
            return;
        }
        let SimulatorEndpoint::Stream(endpoint) = &mut connection.endpoint else {
            return;
        };
        let reply = control(self.product, endpoint, text, now);
        let acknowledges = reply.get("result").is_some_and(Value::is_null);
        if !(acknowledges && self.world.faults.loses_acknowledgement()) {
            self.outbox.text(id, reply.to_string().into_bytes());
        }
    }

    /// Whether anyone has asked for a market stream.
    pub(super) fn has_market_client(&self) -> bool {
        let asks = |connection: &ClientConnection| match &connection.endpoint {
            SimulatorEndpoint::Stream(endpoint) => {
                endpoint.subscriptions.iter().any(|subscription| !subscription.channel.is_empty())
            }
            SimulatorEndpoint::Api(_) => false,
        };
        self.connections.values().any(asks)
    }

    /// Whether anyone gets the messages of a channel.
    pub(super) fn has_listener(&self, symbol: &str, channel: &str) -> bool {
        self.connections.values().any(|connection| match &connection.endpoint {
            SimulatorEndpoint::Stream(endpoint) => endpoint.subscriptions.iter().any(|subscription| {
                subscription.channel == channel && subscription.symbol.eq_ignore_ascii_case(symbol)
            }),
            SimulatorEndpoint::Api(_) => false,
        })
    }

    /// Sends a message of a stream to every connection that subscribed to it. `whole` is the frame as recorded.
    pub(super) fn relay(&mut self, symbol: &str, channel: &str, parts: &Parts, whole: &[u8], fault: FrameFault) {
        let times = match fault {
            FrameFault::Twice => 2,
            FrameFault::Drop | FrameFault::Swap => 0,
            _ => 1,
        };
        for _ in 0..times {
            self.relay_once(symbol, channel, parts, whole, fault);
        }
        if channel == "depth" && fault != FrameFault::Drop {
            self.note_depth(symbol, &whole[parts.data.clone()]);
        }
    }

    fn relay_once(&mut self, symbol: &str, channel: &str, parts: &Parts, whole: &[u8], fault: FrameFault) {
        let mut cut = Vec::new();
        for (id, connection) in &mut self.connections {
            let SimulatorEndpoint::Stream(endpoint) = &connection.endpoint else { continue };
            if !delivers(endpoint.route, channel) {
                continue;
            }
            for subscription in &endpoint.subscriptions {
                if !subscription.hears(symbol, channel) {
                    continue;
                }
                let mut text = wrap(endpoint.combined, &subscription.name, parts, whole);
                if endpoint.micros {
                    text = micros::told(text);
                }
                self.outbox.text(*id, damage(text, fault));
                connection.frames += 1;
                self.status.frames_relayed += 1;
            }
            if self.world.faults.cut(connection.frames) {
                cut.push(*id);
            }
        }
        for id in cut {
            self.cut(id, 0, "");
        }
    }

    /// Sends a message made here under a channel's name.
    pub(super) fn publish(&mut self, symbol: &str, channel: &str, message: &Value) {
        let inner = message.to_string().into_bytes();
        let parts = Parts { stream: String::new(), data: 0..inner.len() };
        self.relay_once(symbol, channel, &parts, &inner, FrameFault::None);
    }

    /// Makes the aggregated form of a trade for those who asked for it, where the market has none of its own.
    pub(super) fn publish_aggregated(&mut self, symbol: &str, trade: &PlayedTrade) {
        self.publish(symbol, "aggTrade", &aggregated(self.product, symbol, trade));
    }

    /// The best levels of a symbol.
    pub(super) fn partial_depth(&self, listing: usize, limit: usize, at: i64) -> Option<Value> {
        let book = self.world.book(listing, limit)?;
        let rules = &self.world.listings()[listing];
        let (bids, asks) = (super::format::levels(rules, &book.bids), super::format::levels(rules, &book.asks));
        Some(match self.product {
            Product::BinanceSpot => json!({"lastUpdateId": book.sequence, "bids": bids, "asks": asks}),
            Product::BinanceUsdm => json!({
                "e": "depthUpdate", "E": at, "T": at, "s": rules.symbol, "ps": rules.symbol, "st": 1,
                "U": book.sequence, "u": book.sequence, "pu": book.sequence, "b": bids, "a": asks,
            }),
        })
    }

    /// Makes the partial books of a symbol for those who asked for them.
    pub(super) fn publish_partial(&mut self, symbol: &str, listing: usize, now: Nanos) {
        for (channel, limit) in [("depth5", 5), ("depth10", 10), ("depth20", 20)] {
            let wanted = self.connections.values().any(|connection| match &connection.endpoint {
                SimulatorEndpoint::Stream(endpoint) => {
                    endpoint.subscriptions.iter().any(|subscription| subscription.hears(symbol, channel))
                }
                SimulatorEndpoint::Api(_) => false,
            });
            let Some(message) = wanted.then(|| self.partial_depth(listing, limit, now.millis())).flatten() else {
                continue;
            };
            self.publish(symbol, channel, &message);
        }
    }
}

fn aggregated(product: Product, symbol: &str, trade: &PlayedTrade) -> Value {
    let mut message = json!({
        "e": "aggTrade", "E": trade.event_time, "s": symbol.to_uppercase(), "a": trade.id, "p": trade.price,
        "q": trade.quantity, "f": trade.id, "l": trade.id, "T": trade.trade_time,
        "m": trade.aggressor == spinbook_engine::types::Side::Ask,
    });
    match product {
        Product::BinanceSpot => message["M"] = json!(true),
        Product::BinanceUsdm => {
            message["nq"] = json!(trade.quantity);
            message["ps"] = message["s"].clone();
            message["st"] = json!(1);
        }
    }
    message
}

/// The bytes a client gets: as recorded where its name for the stream is the recorded one.
pub(super) fn wrap(combined: bool, name: &str, parts: &Parts, whole: &[u8]) -> Vec<u8> {
    let inner = &whole[parts.data.clone()];
    if !combined {
        return inner.to_vec();
    }
    if parts.stream == name {
        return whole.to_vec();
    }
    let mut text = Vec::with_capacity(inner.len() + name.len() + 24);
    text.extend_from_slice(b"{\"stream\":");
    text.extend_from_slice(json!(name).to_string().as_bytes());
    text.extend_from_slice(b",\"data\":");
    text.extend_from_slice(inner);
    text.push(b'}');
    text
}

fn damage(mut text: Vec<u8>, fault: FrameFault) -> Vec<u8> {
    match fault {
        FrameFault::Malform => text.truncate(text.len() * 2 / 3),
        FrameFault::Oversize(bytes) if text.len() < bytes => {
            // White space before the closing brace: still JSON, only far too long.
            let missing = bytes - text.len();
            let end = text.len() - 1;
            text.splice(end..end, std::iter::repeat_n(b' ', missing));
        }
        _ => {}
    }
    text
}
