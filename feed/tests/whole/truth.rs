//! COLD: what a venue says of the account when it is asked, and how it compares with what we believe.

use std::collections::BTreeSet;

use rust_decimal::Decimal;
use serde_json::Value;
use spinbook_engine::types::{Lots, Nanos};
use spinbook_feed::sim::side::{ExchangeSide, HttpRequest, HttpResponse};
use spinbook_feed::venue::account::{AccountSide, TradeRecord};
use spinbook_feed::venue::any_account::AnyAccount;
use spinbook_feed::venue::binance::parameters::Query;
use spinbook_feed::venue::instrument::Instrument;
use spinbook_feed::venue::order_ids::RunName;
use spinbook_feed::venue::orders::OrderUpdate;
use spinbook_feed::venue::{ProductLine, binance};

use crate::judge::{State, VenueOutcome};
use crate::setup;

/// The one symbol.
pub const SYMBOL: &str = "BTCUSDT";

/// A product line, its instrument, and what was held of it when our process started.
pub type Market = (ProductLine, Instrument, Lots);

/// What the venue's executions came to when our process started.
#[derive(Clone, Copy, Debug, Default)]
pub struct Baseline {
    pub position: Decimal,
    pub cash: Decimal,
}

fn ask_venue(exchange: &mut dyn ExchangeSide, now: Nanos, path: &str, parameters: &[(&str, &str)]) -> Value {
    let reply = send_to_venue(exchange, now, ("GET", path), parameters);
    assert_eq!(reply.status, 200, "{path}: {}", String::from_utf8_lossy(&reply.body));
    serde_json::from_slice(&reply.body).unwrap()
}

/// What a start does before it reads the account.
pub fn cancel_left_over(exchange: &mut dyn ExchangeSide, now: Nanos, product: ProductLine) {
    let path = if product == binance::SPOT { "/api/v3/openOrders" } else { "/fapi/v1/allOpenOrders" };
    let reply = send_to_venue(exchange, now, ("DELETE", path), &[("symbol", SYMBOL)]);
    // Spot refuses where nothing is open.
    assert!(matches!(reply.status, 200 | 400), "{path}: {}", String::from_utf8_lossy(&reply.body));
}

fn send_to_venue(
    exchange: &mut dyn ExchangeSide,
    now: Nanos,
    (method, path): (&str, &str),
    parameters: &[(&str, &str)],
) -> HttpResponse {
    let mut query = Query::new();
    for (name, value) in parameters {
        query.push(name, value);
    }
    query.push_number("timestamp", now.millis());
    query.sign(&setup::credentials());
    let target = format!("{path}?{}", query.as_str());
    let headers = [("X-MBX-APIKEY", setup::KEY)];
    exchange.on_http(&HttpRequest { method, target: &target, headers: &headers, body: b"" }, now)
}

fn number(value: &Value) -> Decimal {
    value.as_str().unwrap().parse().unwrap()
}

/// What a start reads of an account that it goes on with: what is open, and every execution.
pub fn left_over(
    exchange: &mut dyn ExchangeSide,
    now: Nanos,
    (product, instrument): (ProductLine, &Instrument),
    runs: &[RunName],
) -> (Vec<OrderUpdate>, Vec<TradeRecord>) {
    let account = AnyAccount::new(product, 1_000).unwrap();
    let listed = std::slice::from_ref(instrument);
    let [open, trades] = match product == binance::SPOT {
        true => ["/api/v3/openOrders", "/api/v3/myTrades"],
        false => ["/fapi/v1/openOrders", "/fapi/v1/userTrades"],
    };
    let open = send_to_venue(exchange, now, ("GET", open), &[("symbol", SYMBOL)]);
    let trades = send_to_venue(exchange, now, ("GET", trades), &[("symbol", SYMBOL), ("limit", "1000")]);
    let rows = account.parse_open_orders(listed, runs, &open.body).unwrap();
    (rows, account.parse_trades(listed, &trades.body).unwrap())
}

/// What the venue says of the account.
pub struct Truth {
    pub open_orders: usize,
    /// The names of its orders, the last thousand.
    pub names: Vec<String>,
    /// What the executions come to.
    pub position: Decimal,
    pub cash: Decimal,
    /// What is held.
    pub held: Decimal,
}

impl Truth {
    pub fn of(exchange: &mut dyn ExchangeSide, now: Nanos, product: ProductLine) -> Truth {
        let spot = product == binance::SPOT;
        let prefix = if spot { "/api/v3" } else { "/fapi/v1" };
        let symbol = [("symbol", SYMBOL)];
        let open = ask_venue(exchange, now, &format!("{prefix}/openOrders"), &symbol);
        let all = ask_venue(exchange, now, &format!("{prefix}/allOrders"), &[("symbol", SYMBOL), ("limit", "1000")]);
        let name_of = |order: &Value| order["clientOrderId"].as_str().unwrap().to_owned();
        let names = all.as_array().unwrap().iter().map(name_of).collect();
        let name = if spot { "myTrades" } else { "userTrades" };
        let listed = ask_venue(exchange, now, &format!("{prefix}/{name}"), &[("symbol", SYMBOL), ("limit", "1000")]);
        let trade = |trade: &Value| {
            let buys = trade[if spot { "isBuyer" } else { "buyer" }].as_bool().unwrap();
            let sign = if buys { Decimal::ONE } else { Decimal::NEGATIVE_ONE };
            let (price, quantity, fee) = (number(&trade["price"]), number(&trade["qty"]), number(&trade["commission"]));
            let (base_fee, quote_fee) =
                if trade["commissionAsset"] == "BTC" { (fee, Decimal::ZERO) } else { (Decimal::ZERO, fee) };
            (sign * quantity - base_fee, -sign * price * quantity - quote_fee)
        };
        let trades: Vec<(Decimal, Decimal)> = listed.as_array().unwrap().iter().map(trade).collect();
        assert!(trades.len() < 1_000, "the venue lists all executions");
        let (position, cash) = sums(&trades);
        let (held, start) = if spot {
            let account = ask_venue(exchange, now, "/api/v3/account", &[]);
            let balances = account["balances"].as_array().unwrap().clone();
            let base = balances.iter().find(|balance| balance["asset"] == "BTC").unwrap();
            (number(&base["free"]) + number(&base["locked"]), Decimal::from(2))
        } else {
            let risk = ask_venue(exchange, now, "/fapi/v3/positionRisk", &symbol);
            (risk.as_array().unwrap().iter().map(|entry| number(&entry["positionAmt"])).sum(), Decimal::ZERO)
        };
        assert_eq!((held - start).normalize(), position.normalize(), "the venue's own trades and position disagree");
        Truth { open_orders: open.as_array().unwrap().len(), names, position, cash, held }
    }
}

fn sums(trades: &[(Decimal, Decimal)]) -> (Decimal, Decimal) {
    trades.iter().fold((Decimal::ZERO, Decimal::ZERO), |(base, quote), trade| (base + trade.0, quote + trade.1))
}

pub fn signed_lots(instrument: &Instrument, base: Decimal) -> i64 {
    let lots = instrument.quantity.parse(base.abs().to_string().as_bytes()).unwrap();
    if base.is_sign_negative() { -lots } else { lots }
}

/// I6: compares what the engine believes with what the venue says, both since our process started.
pub fn compare(
    state: &mut State,
    place: usize,
    (product, instrument, start): &Market,
    baseline: Baseline,
    journaled: &BTreeSet<String>,
    mut outcome: VenueOutcome,
) -> VenueOutcome {
    let truth = Truth::of(&mut *state.venues[place].exchange, state.now, *product);
    outcome.open_orders = truth.open_orders;
    let last = setup::names_in(state.venues[place].gateway.journal());
    outcome.not_journaled =
        truth.names.iter().filter(|name| !journaled.contains(*name) && !last.contains(*name)).count();
    let held = state.engine.position(instrument.id);
    let lots = held.lots().0 - start.0;
    let sign = if lots < 0 { Decimal::NEGATIVE_ONE } else { Decimal::ONE };
    outcome.position = (sign * instrument.quantity.decimal(lots.abs())).normalize();
    outcome.venue_position = (truth.position - baseline.position).normalize();
    outcome.cash = Decimal::from_i128_with_scale(held.cash().0 / 1_000_000_000, 9).normalize();
    outcome.venue_cash = (truth.cash - baseline.cash).normalize();
    let gateway = &state.venues[place].gateway;
    outcome.orders = gateway.order_counts();
    outcome.quiet = gateway.is_quiet();
    outcome.halted = gateway.halt_message().map(str::to_owned);
    outcome.last_refusal = gateway.last_refusal().map(str::to_owned);
    outcome.pauses = gateway.counters().pauses;
    outcome.rate_refusals = state.venues[place].exchange.status().rate_refusals;
    outcome
}
