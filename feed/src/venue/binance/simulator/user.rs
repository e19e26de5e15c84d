//! COLD: user data: what accounts hear of their orders, balances and positions.

use super::BinanceExchange;
use super::connection::SimulatorEndpoint;
use super::{format, micros};
use crate::sim::api::{AccountId, Listing, OrderChange, SimFill, SimOrderStatus, WorldEvent};
use crate::sim::fault_plan::UserDataFate;
use crate::sim::hostile::ToldExecution;
use crate::sim::moved::{MoneyEvent, SimMoneyKind};
use crate::sim::world::LIQUIDATION_NAME;
use crate::venue::binance::Product;
use serde_json::{Value, json};
use spinbook_engine::types::{Lots, Nanos, Tick};

/// How long a listen key lives without being kept.
pub const LISTEN_KEY_LIFE: Nanos = Nanos::from_seconds(3600);

/// A listen key.
#[derive(Clone, Debug)]
pub struct ListenKey {
    /// The key.
    pub key: String,
    /// Until when.
    pub expires: Nanos,
}

impl BinanceExchange {
    /// Sends what happened in the world to those it happened to, and to everybody what of it is market.
    pub(super) fn flush_events(&mut self, now: Nanos) {
        self.follow_algos(now);
        self.publish_own(now);
        while let Some(event) = self.world.poll_event() {
            if let OrderChange::Trade(fill) = &event.change
                && event.order.filled == fill.lots
            {
                self.refund_filled(event.order.request.account, now);
            }
            let at = (event.at + self.world.faults.clock_ahead(event.at)).millis();
            let listing = &self.world.listings()[event.order.request.listing];
            let mut messages = match self.product {
                Product::BinanceSpot => spot_messages(&event, listing, at),
                Product::BinanceUsdm => futures_messages(&event, listing, at),
            };
            let told = match &event.change {
                OrderChange::Trade(_) => self.world.faults.execution(),
                _ => ToldExecution::default(),
            };
            told.set.iter().for_each(|(field, value)| set(&mut messages, field, value));
            for _ in 0..told.times {
                for message in &messages {
                    self.send_user(event.order.request.account, message, now);
                }
            }
        }
        while let Some(event) = self.world.poll_money() {
            let at = (event.money.at + self.world.faults.clock_ahead(event.money.at)).millis();
            for message in money_messages(&event, self.product, at) {
                self.send_user(event.money.account, &message, now);
            }
        }
    }

    fn refund_filled(&mut self, account: AccountId, now: Nanos) {
        use crate::sim::api::SimWindowKind;
        if self.product == Product::BinanceSpot {
            self.world.windows.refund(SimWindowKind::OrdersShort, account, 1, now);
            self.world.windows.refund(SimWindowKind::OrdersLong, account, 1, now);
        }
    }

    /// Sends one user event to every connection that listens for the account.
    pub(super) fn send_user(&mut self, account: AccountId, message: &Value, now: Nanos) {
        let fate = self.world.faults.user_data(now);
        if fate == UserDataFate::Lost {
            return;
        }
        let key = self.listen_keys.get(&account).map(|key| key.key.clone());
        let name = message.get("e").and_then(Value::as_str).unwrap_or("");
        for (id, connection) in &self.connections {
            match &connection.endpoint {
                SimulatorEndpoint::Api(endpoint) => {
                    for (number, owner) in &endpoint.subscriptions {
                        if *owner == account {
                            let mut text = json!({"subscriptionId": number, "event": message});
                            if endpoint.micros {
                                micros::tell(&mut text);
                            }
                            let text = text.to_string();
                            self.outbox.user_data(*id, text.into_bytes(), fate, now);
                        }
                    }
                }
                SimulatorEndpoint::Stream(endpoint) => {
                    let Some(key) = &key else { continue };
                    let listens = endpoint.subscriptions.iter().any(|subscription| subscription.name == *key);
                    let wanted = endpoint.events.as_ref().is_none_or(|events| events.iter().any(|event| event == name));
                    if listens && wanted {
                        let text = match endpoint.combined {
                            true => json!({"stream": key, "data": message}).to_string(),
                            false => message.to_string(),
                        };
                        self.outbox.user_data(*id, text.into_bytes(), fate, now);
                    }
                }
            }
        }
    }

    /// The account's listen key: the living one, prolonged, or a new one.
    pub(super) fn start_listen_key(&mut self, account: AccountId, now: Nanos) -> String {
        let made = self.next_listen_key;
        let entry = self
            .listen_keys
            .entry(account)
            .or_insert_with(|| ListenKey { key: listen_key(account, made), expires: now });
        entry.expires = now + LISTEN_KEY_LIFE;
        self.next_listen_key = made + 1;
        entry.key.clone()
    }

    /// Ends listen keys that were not kept.
    pub(super) fn expire_listen_keys(&mut self, now: Nanos) {
        let expired: Vec<AccountId> =
            self.listen_keys.iter().filter(|(_, key)| key.expires <= now).map(|(account, _)| *account).collect();
        for account in expired {
            let key = self.listen_keys.get(&account).map(|key| key.key.clone()).unwrap_or_default();
            let at = (now + self.world.faults.clock_ahead(now)).millis();
            self.send_user(account, &json!({"e": "listenKeyExpired", "E": at, "listenKey": key}), now);
            self.listen_keys.remove(&account);
        }
    }
}

/// Puts a value in the place of a field that the events of one execution have.
fn set(messages: &mut [Value], field: &str, value: &str) {
    for message in messages {
        for nested in [false, true] {
            let fields = if nested { message.get_mut("o") } else { Some(&mut *message) };
            let Some(place) = fields.and_then(|fields| fields.as_object_mut()?.get_mut(field)) else { continue };
            match place {
                Value::Object(_) | Value::Array(_) => {}
                Value::String(_) => *place = json!(value),
                _ => *place = serde_json::from_str(value).unwrap_or_else(|_| json!(value)),
            }
        }
    }
}

/// 64 letters and digits, different for every key made.
fn listen_key(account: AccountId, made: u64) -> String {
    let mut mixed = 0x51_7c_c1_b7_27_22_0a_95_u64 ^ made.rotate_left(17) ^ u64::try_from(account.0).unwrap_or(0);
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut key = String::with_capacity(64);
    for _ in 0..64 {
        mixed = mixed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let index = usize::try_from(mixed >> 33).unwrap_or(0) % letters.len();
        key.push(char::from(letters[index]));
    }
    key
}

/// What kind of event it is, with the fill if there is one.
fn execution(event: &WorldEvent, product: Product) -> (&'static str, Option<&SimFill>) {
    match &event.change {
        OrderChange::New => ("NEW", None),
        OrderChange::Trade(fill) => ("TRADE", Some(fill)),
        OrderChange::Canceled { .. } => ("CANCELED", None),
        OrderChange::Expired => ("EXPIRED", None),
        OrderChange::Amended { .. } if product == Product::BinanceSpot => ("REPLACED", None),
        OrderChange::Amended { .. } => ("AMENDMENT", None),
        OrderChange::Prevented(_) if product == Product::BinanceSpot => ("TRADE_PREVENTION", None),
        OrderChange::Prevented(_) => ("EXPIRED", None),
    }
}

fn spot_messages(event: &WorldEvent, listing: &Listing, at: i64) -> Vec<Value> {
    let order = &event.order;
    let request = &order.request;
    let (kind, fill) = execution(event, Product::BinanceSpot);
    let (client_id, original) = match &event.change {
        OrderChange::Canceled { request_client_id } => (request_client_id.as_str(), request.client_id.as_str()),
        OrderChange::Amended { former_client_id } => (request.client_id.as_str(), former_client_id.as_str()),
        _ => (request.client_id.as_str(), ""),
    };
    let zero = || "0.00000000".to_owned();
    let (last, last_price, last_value) = match fill {
        Some(fill) => {
            (format::quantity(listing, fill.lots), format::price(listing, fill.tick), format::amount(fill.value.0, 8))
        }
        None => (zero(), zero(), zero()),
    };
    let fee = fill.map_or_else(|| "0".to_owned(), |fill| format::amount(fill.fee, 8));
    let working = order.status.is_open() && order.working;
    let mut report = json!({
        "e": "executionReport", "E": at, "s": listing.symbol, "c": client_id, "S": format::side(request.side),
        "o": format::order_type(request, Product::BinanceSpot), "f": format::time_in_force(request, Product::BinanceSpot),
        "q": format::quantity(listing, request.lots), "p": format::limit_price(listing, request),
        "P": format::stop_price(listing, request), "F": "0.00000000", "g": -1, "C": original, "x": kind, "X": format::status(order.status),
        "r": "NONE", "i": order.id, "l": last, "z": format::quantity(listing, order.filled), "L": last_price,
        "n": fee, "N": fill.map(|fill| fill.fee_asset.as_str()), "T": at,
        "t": fill.map_or(-1, |fill| i64::try_from(fill.trade_id).unwrap_or(i64::MAX)), "I": order.id * 2,
        "w": working, "m": fill.is_some_and(|fill| fill.maker), "M": false, "O": order.created.millis(),
        "Z": format::amount(order.filled_value.0, 8), "Y": last_value, "Q": format::amount(request.quote_asked.0, 8),
    });
    if working || fill.is_some_and(|fill| fill.maker) {
        report["W"] = json!(order.created.millis());
    }
    report["V"] = json!(format::self_trade(request.self_trade));
    if let OrderChange::Prevented(prevention) = &event.change {
        let counter = if prevention.taker_order == order.id { prevention.maker_order } else { prevention.taker_order };
        let prevented = json!({
            "v": prevention.id, "A": format::quantity(listing, order.prevented),
            "B": format::quantity(listing, prevention.lots), "u": prevention.account.0, "U": counter,
            "Cs": listing.symbol, "pl": format::quantity(listing, prevention.lots),
            "pL": format::price(listing, prevention.tick),
            "pY": format::amount(listing.value(prevention.tick, prevention.lots).0, 8),
        });
        report = format::merged(report, prevented);
    }
    let balances: Vec<Value> = event
        .balances
        .iter()
        .map(|balance| json!({"a": balance.asset, "f": format::amount(balance.free, 8), "l": format::amount(balance.locked, 8)}))
        .collect();
    let position = json!({"e": "outboundAccountPosition", "E": at, "u": at, "B": balances});
    // An order that is new and filled in the same moment reports its balances once the order stands.
    vec![report, position]
}

fn futures_messages(event: &WorldEvent, listing: &Listing, at: i64) -> Vec<Value> {
    let order = &event.order;
    let request = &order.request;
    let (kind, fill) = execution(event, Product::BinanceUsdm);
    let by_venue = request.client_id.starts_with(LIQUIDATION_NAME);
    let kind = if by_venue && fill.is_some() { "CALCULATED" } else { kind };
    let order_type = if by_venue { "LIQUIDATION" } else { format::order_type(request, Product::BinanceUsdm) };
    let mut messages = Vec::new();
    if let Some(fill) = fill {
        messages.push(json!({
            "e": "TRADE_LITE", "E": at, "T": at, "s": listing.symbol, "q": format::quantity(listing, request.lots),
            "p": format::limit_price(listing, request), "m": fill.maker, "c": request.client_id,
            "S": format::side(request.side), "L": format::price(listing, fill.tick),
            "l": format::quantity(listing, fill.lots), "t": fill.trade_id, "i": order.id,
        }));
        messages.push(account_update(event, listing, at));
    }
    let status = match order.status {
        SimOrderStatus::ExpiredInMatch => "EXPIRED_IN_MATCH",
        other => format::status(other),
    };
    let mut inner = json!({
        "s": listing.symbol, "c": request.client_id, "S": format::side(request.side),
        "o": order_type, "f": format::time_in_force(request, Product::BinanceUsdm),
        "q": format::quantity(listing, request.lots), "p": format::limit_price(listing, request),
        "ap": format::average_price(listing, order.filled_value, order.filled, 5), "sp": "0", "x": kind, "X": status,
        "i": order.id, "l": format::quantity(listing, fill.map_or(Lots::ZERO, |fill| fill.lots)),
        "z": format::quantity(listing, order.filled),
        "L": format::price(listing, fill.map_or(Tick(0), |fill| fill.tick)),
    });
    if let Some(fill) = fill {
        inner["n"] = json!(format::amount(fill.fee, 8));
        inner["N"] = json!(fill.fee_asset);
    }
    inner = format::merged(
        inner,
        json!({
            "T": at, "t": fill.map_or(0, |fill| fill.trade_id), "b": "0", "a": "0",
            "m": fill.is_some_and(|fill| fill.maker), "R": request.reduce_only, "wt": "CONTRACT_PRICE",
            "ot": order_type, "ps": "BOTH", "cp": false,
            "rp": format::amount(fill.map_or(0, |fill| fill.realised.0), 8), "pP": false, "si": 0, "ss": 0,
            "V": format::self_trade(request.self_trade), "pm": "NONE", "gtd": format::good_till_ms(request),
        }),
    );
    messages.push(json!({"e": "ORDER_TRADE_UPDATE", "T": at, "E": at, "o": inner}));
    messages
}

/// Money that moved beside orders.
fn money_messages(event: &MoneyEvent, product: Product, at: i64) -> Vec<Value> {
    let MoneyEvent { money, balance } = event;
    let (amount, free) = (format::amount(money.amount, 8), format::amount(balance.free, 8));
    if product == Product::BinanceSpot {
        let changed = json!({"e": "balanceUpdate", "E": at, "a": money.asset, "d": amount, "T": at});
        let row = json!({"a": balance.asset, "f": free, "l": format::amount(balance.locked, 8)});
        return vec![changed, json!({"e": "outboundAccountPosition", "E": at, "u": at, "B": [row]})];
    }
    let reason = match money.kind {
        SimMoneyKind::Funding => "FUNDING_FEE",
        SimMoneyKind::Transfer if money.amount > 0 => "DEPOSIT",
        SimMoneyKind::Transfer => "WITHDRAW",
        SimMoneyKind::LiquidationFee => "INSURANCE_CLEAR",
    };
    // A position in cross margin is not named.
    let row = json!({"a": balance.asset, "wb": free, "cw": free, "bc": amount});
    vec![json!({"e": "ACCOUNT_UPDATE", "E": at, "T": at, "a": {"m": reason, "B": [row], "P": []}})]
}

fn account_update(event: &WorldEvent, listing: &Listing, at: i64) -> Value {
    let balances: Vec<Value> = event
        .balances
        .iter()
        .map(|balance| {
            let wallet = format::amount(balance.free, 8);
            json!({"a": balance.asset, "wb": wallet, "cw": wallet, "bc": "0"})
        })
        .collect();
    let position = event.position;
    let lots = position.lots.0;
    let signed = format!("{}{}", if lots < 0 { "-" } else { "" }, format::units(&listing.quantity, lots.abs()));
    let cost = spinbook_engine::types::QuoteAtoms(position.cost.0.abs());
    let entry = format::average_price(listing, cost, Lots(lots.abs()), 5);
    json!({
        "e": "ACCOUNT_UPDATE", "E": at, "T": at,
        "a": {
            "m": "ORDER",
            "B": balances,
            "P": [{"s": listing.symbol, "pa": signed, "ep": entry, "bep": entry,
                   "cr": format::amount(position.realised.0, 8), "up": "0", "mt": "cross", "iw": "0", "ps": "BOTH"}],
        },
    })
}
