//! COLD: numbers, orders, fills and listings as Binance prints them.

use crate::number::{Scale, TEXT_MAX};
use crate::sim::api::{Lifetime, Listing, OrderKind, SelfTrade, SimFill, SimOrder, SimOrderRequest, SimOrderStatus};
use crate::venue::binance::Product;
use serde_json::{Value, json};
use spinbook_engine::types::{Level, Lots, Nanos, QuoteAtoms, Side, Tick};

/// Atoms of one unit of an asset.
const ATOMS: i128 = 1_000_000_000_000_000_000;

/// Units of a scale as text.
#[must_use]
pub fn units(scale: &Scale, value: i64) -> String {
    let mut buffer = [0u8; TEXT_MAX];
    scale.format(value, &mut buffer).to_owned()
}

/// A price.
#[must_use]
pub fn price(listing: &Listing, tick: Tick) -> String {
    units(&listing.price, tick.0)
}

/// A quantity.
#[must_use]
pub fn quantity(listing: &Listing, lots: Lots) -> String {
    units(&listing.quantity, lots.0)
}

/// An amount of an asset with this many decimals, cut towards zero.
#[must_use]
pub fn amount(atoms: i128, decimals: u32) -> String {
    let sign = if atoms < 0 { "-" } else { "" };
    let atoms = atoms.unsigned_abs();
    let one = ATOMS.unsigned_abs();
    let fraction = atoms % one / 10u128.pow(18 - decimals);
    let width = usize::try_from(decimals).unwrap_or(8);
    format!("{sign}{}.{fraction:0width$}", atoms / one)
}

/// The average price of what was filled, cut to eight decimals.
#[must_use]
pub fn average_price(listing: &Listing, value: QuoteAtoms, lots: Lots, decimals: u32) -> String {
    if lots.is_zero() {
        return amount(0, decimals);
    }
    let ticks_times_lots = value.0 / listing.atoms_per_tick_lot;
    let tick_atoms = i128::try_from(listing.price.unit_atoms()).unwrap_or(0);
    let lots = i128::from(lots.0);
    let whole = ticks_times_lots / lots * tick_atoms;
    let part = ticks_times_lots % lots * tick_atoms / lots;
    amount(whole + part, decimals)
}

/// Levels as arrays of texts.
#[must_use]
pub fn levels(listing: &Listing, levels: &[Level]) -> Value {
    levels.iter().map(|level| json!([price(listing, level.tick), quantity(listing, level.lots)])).collect()
}

/// Buy or sell.
#[must_use]
pub fn side(side: Side) -> &'static str {
    match side {
        Side::Bid => "BUY",
        Side::Ask => "SELL",
    }
}

/// Order status.
#[must_use]
pub fn status(status: SimOrderStatus) -> &'static str {
    match status {
        SimOrderStatus::New => "NEW",
        SimOrderStatus::PartiallyFilled => "PARTIALLY_FILLED",
        SimOrderStatus::Filled => "FILLED",
        SimOrderStatus::Canceled => "CANCELED",
        SimOrderStatus::Expired => "EXPIRED",
        SimOrderStatus::ExpiredInMatch => "EXPIRED_IN_MATCH",
    }
}

/// Order type.
#[must_use]
pub(crate) fn order_type(order: &SimOrderRequest, product: Product) -> &'static str {
    let takes_profit = order.trigger.map(|trigger| trigger.takes_profit);
    match (order.kind, order.lifetime) {
        (OrderKind::Market, _) if takes_profit == Some(true) => "TAKE_PROFIT",
        (OrderKind::Limit, _) if takes_profit == Some(true) => "TAKE_PROFIT_LIMIT",
        (OrderKind::Market, _) if takes_profit == Some(false) => "STOP_LOSS",
        (OrderKind::Limit, _) if takes_profit == Some(false) => "STOP_LOSS_LIMIT",
        (OrderKind::Market, _) => "MARKET",
        (_, Lifetime::PostOnly) if product == Product::BinanceSpot => "LIMIT_MAKER",
        _ => "LIMIT",
    }
}

/// Time in force.
#[must_use]
pub(crate) fn time_in_force(order: &SimOrderRequest, product: Product) -> &'static str {
    match order.lifetime {
        _ if order.kind == OrderKind::Market => "GTC",
        _ if order.expires != Nanos::NEVER => "GTD",
        Lifetime::GoodTillCancel => "GTC",
        Lifetime::ImmediateOrCancel => "IOC",
        Lifetime::FillOrKill => "FOK",
        Lifetime::PostOnly if product == Product::BinanceSpot => "GTC",
        Lifetime::PostOnly => "GTX",
    }
}

/// Self-trade rule.
#[must_use]
pub fn self_trade(rule: SelfTrade) -> &'static str {
    match rule {
        SelfTrade::Allow => "NONE",
        SelfTrade::ExpireTaker => "EXPIRE_TAKER",
        SelfTrade::ExpireMaker => "EXPIRE_MAKER",
        SelfTrade::ExpireBoth => "EXPIRE_BOTH",
    }
}

/// The limit price of an order; zero for a market order.
#[must_use]
pub fn limit_price(listing: &Listing, order: &SimOrderRequest) -> String {
    let tick = if order.kind == OrderKind::Market { Tick(0) } else { order.tick };
    price(listing, tick)
}

/// The price that sets an order off; zero if it needs none.
#[must_use]
pub fn stop_price(listing: &Listing, order: &SimOrderRequest) -> String {
    price(listing, order.trigger.map_or(Tick(0), |trigger| trigger.tick))
}

/// When an order expires by itself, ms since the epoch; 0 if it does not.
#[must_use]
pub fn good_till_ms(order: &SimOrderRequest) -> i64 {
    if order.expires == Nanos::NEVER { 0 } else { order.expires.millis() }
}

/// An order as the checks of one that is not placed print it.
#[must_use]
pub(crate) fn untold_order(request: &SimOrderRequest, listing: &Listing, at: Nanos) -> Value {
    let record = SimOrder {
        id: 0,
        request: request.clone(),
        filled: Lots::ZERO,
        filled_value: QuoteAtoms::ZERO,
        status: SimOrderStatus::New,
        created: at,
        updated: at,
        working: true,
        prevented: Lots::ZERO,
    };
    changed(&record, listing)
}

/// A futures order as the answer to a change prints it.
#[must_use]
pub(crate) fn changed(record: &SimOrder, listing: &Listing) -> Value {
    let mut reply = order(record, listing, Product::BinanceUsdm);
    if let Value::Object(fields) = &mut reply {
        shorten(fields);
    }
    reply
}

/// An order as queries print it.
#[must_use]
pub(crate) fn order(order: &SimOrder, listing: &Listing, product: Product) -> Value {
    let request = &order.request;
    let common = json!({
        "symbol": listing.symbol,
        "orderId": order.id,
        "clientOrderId": request.client_id,
        "price": limit_price(listing, request),
        "origQty": quantity(listing, request.lots),
        "executedQty": quantity(listing, order.filled),
        "status": status(order.status),
        "timeInForce": time_in_force(request, product),
        "type": order_type(request, product),
        "side": side(request.side),
    });
    let more = match product {
        Product::BinanceSpot => json!({
            "orderListId": -1,
            "cummulativeQuoteQty": amount(order.filled_value.0, 8),
            "stopPrice": stop_price(listing, request),
            "icebergQty": "0.00000000",
            "time": order.created.millis(),
            "updateTime": order.updated.millis(),
            "isWorking": order.working,
            "workingTime": if order.working { order.created.millis() } else { -1 },
            "origQuoteOrderQty": amount(request.quote_asked.0, 8),
            "selfTradePreventionMode": self_trade(request.self_trade),
        }),
        Product::BinanceUsdm => json!({
            "cumQuote": amount(order.filled_value.0, 5),
            "avgPrice": average_price(listing, order.filled_value, order.filled, 5),
            "reduceOnly": request.reduce_only,
            "closePosition": false,
            "positionSide": "BOTH",
            "stopPrice": "0",
            "workingType": "CONTRACT_PRICE",
            "priceMatch": "NONE",
            "selfTradePreventionMode": self_trade(request.self_trade),
            "goodTillDate": good_till_ms(request),
            "priceProtect": false,
            "origType": order_type(request, product),
            "time": order.created.millis(),
            "updateTime": order.updated.millis(),
        }),
    };
    merged(common, more)
}

/// Two objects as one.
#[must_use]
pub fn merged(mut first: Value, second: Value) -> Value {
    if let (Value::Object(into), Value::Object(from)) = (&mut first, second) {
        into.extend(from);
    }
    first
}

/// A reply to a new order in the form asked for.
#[must_use]
pub(crate) fn placed(record: &SimOrder, fills: &[SimFill], listing: &Listing, product: Product, form: &str) -> Value {
    if product == Product::BinanceUsdm {
        let mut reply = order(record, listing, product);
        if let Value::Object(fields) = &mut reply {
            // The short form shows the order as it was accepted.
            if form == "ACK" {
                fields.insert("status".into(), json!("NEW"));
                fields.insert("executedQty".into(), json!(quantity(listing, Lots::ZERO)));
            }
            shorten(fields);
        }
        return reply;
    }
    let acknowledged = json!({
        "symbol": listing.symbol,
        "orderId": record.id,
        "orderListId": -1,
        "clientOrderId": record.request.client_id,
        "transactTime": record.created.millis(),
    });
    if form == "ACK" {
        return acknowledged;
    }
    let mut result = merged(acknowledged, spot_outcome(record, listing));
    result["workingTime"] = json!(record.created.millis());
    if form == "RESULT" {
        return result;
    }
    let fills: Vec<Value> = fills
        .iter()
        .map(|fill| {
            json!({
                "price": price(listing, fill.tick),
                "qty": quantity(listing, fill.lots),
                "commission": amount(fill.fee, 8),
                "commissionAsset": fill.fee_asset,
                "tradeId": fill.trade_id,
            })
        })
        .collect();
    merged(result, json!({ "fills": fills }))
}

/// A reply to a cancel.
#[must_use]
pub(crate) fn canceled(
    record: &SimOrder,
    listing: &Listing,
    product: Product,
    request_client_id: &str,
    at: Nanos,
) -> Value {
    if product == Product::BinanceUsdm {
        return changed(record, listing);
    }
    let named = json!({
        "symbol": listing.symbol,
        "origClientOrderId": record.request.client_id,
        "orderId": record.id,
        "orderListId": -1,
        "clientOrderId": request_client_id,
        "transactTime": at.millis(),
    });
    merged(named, spot_outcome(record, listing))
}

/// Makes a futures query's answer that of a request: some figures are said otherwise, or not at all.
fn shorten(fields: &mut serde_json::Map<String, Value>) {
    fields.insert("cumQty".into(), fields["executedQty"].clone());
    for gone in ["avgPrice", "cumQuote", "time"] {
        fields.shift_remove(gone);
    }
}

/// What a spot reply says of an order besides its names: what was asked for and what became of it.
fn spot_outcome(record: &SimOrder, listing: &Listing) -> Value {
    let (request, product) = (&record.request, Product::BinanceSpot);
    json!({
        "price": limit_price(listing, request),
        "origQty": quantity(listing, request.lots),
        "executedQty": quantity(listing, record.filled),
        "origQuoteOrderQty": amount(request.quote_asked.0, 8),
        "cummulativeQuoteQty": amount(record.filled_value.0, 8),
        "status": status(record.status),
        "timeInForce": time_in_force(request, product),
        "type": order_type(request, product),
        "side": side(request.side),
        "selfTradePreventionMode": self_trade(request.self_trade),
    })
}

/// An execution as the trade queries print it.
#[must_use]
pub(crate) fn trade(fill: &SimFill, listing: &Listing, product: Product) -> Value {
    match product {
        Product::BinanceSpot => json!({
            "symbol": listing.symbol,
            "id": fill.trade_id,
            "orderId": fill.order_id,
            "orderListId": -1,
            "price": price(listing, fill.tick),
            "qty": quantity(listing, fill.lots),
            "quoteQty": amount(fill.value.0, 8),
            "commission": amount(fill.fee, 8),
            "commissionAsset": fill.fee_asset,
            "time": fill.at.millis(),
            "isBuyer": fill.side == Side::Bid,
            "isMaker": fill.maker,
            "isBestMatch": true,
        }),
        Product::BinanceUsdm => json!({
            "symbol": listing.symbol,
            "id": fill.trade_id,
            "orderId": fill.order_id,
            "side": side(fill.side),
            "price": price(listing, fill.tick),
            "qty": quantity(listing, fill.lots),
            "realizedPnl": amount(fill.realised.0, 8),
            "quoteQty": amount(fill.value.0, 8),
            "commission": amount(fill.fee, 8),
            "commissionAsset": fill.fee_asset,
            "time": fill.at.millis(),
            "positionSide": "BOTH",
            "maker": fill.maker,
            "buyer": fill.side == Side::Bid,
        }),
    }
}
