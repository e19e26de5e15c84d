//! COLD: new orders: the venue's checks of every parameter, then the world's.

use super::call::Call;
use super::errors::ApiError;
use super::{format, order_params};
use crate::sim::api::{Lifetime, Listing, ListingIndex, OrderKey, OrderKind, SimOrder, SimOrderRequest, SimTrigger};
use crate::sim::world::World;
use crate::venue::binance::Product;
use serde_json::{Value, json};
use spinbook_engine::types::{Lots, Nanos, QuoteAtoms, Side, Tick};

/// How far ahead a good-till-date order must end at least, in ms.
const GOOD_TILL_AHEAD_MIN_MS: i64 = 600_000;

/// New order; `trial` only checks it.
///
/// # Errors
/// The venue's refusal.
pub fn place(call: &Call<'_>, world: &mut World, trial: bool) -> Result<Value, ApiError> {
    let order = new_order(call, world)?;
    let form = response_form(call, &order)?;
    if trial {
        world.check_order(&order).map_err(|refusal| refused(call, world, order.listing, refusal))?;
        return trial_answer(call, world, &order);
    }
    put(call, world, order, form)
}

/// The product's code for what the world refused.
pub(super) fn refused(
    call: &Call<'_>,
    world: &World,
    listing: ListingIndex,
    refusal: crate::sim::api::SimRefusal,
) -> ApiError {
    ApiError::from_refusal(refusal, &world.listings()[listing], call.product)
}

/// Places a checked order and answers in the form asked for.
///
/// # Errors
/// What the world refuses.
pub(super) fn put(call: &Call<'_>, world: &mut World, order: SimOrderRequest, form: &str) -> Result<Value, ApiError> {
    let (account, listing) = (order.account, order.listing);
    let id = world.place(order, call.now).map_err(|refusal| refused(call, world, listing, refusal))?;
    let placed =
        world.order(account, listing, OrderKey::Id(id)).ok_or_else(|| ApiError::new(-1000, "Unknown error."))?;
    let fills = if placed.filled.is_zero() { Vec::new() } else { world.fills(account, listing) };
    let fills: Vec<_> = fills.into_iter().filter(|fill| fill.order_id == id).collect();
    Ok(format::placed(&placed, &fills, &world.listings()[listing], call.product, form))
}

/// What a checked order would cost, if that was asked.
fn trial_answer(call: &Call<'_>, world: &World, order: &SimOrderRequest) -> Result<Value, ApiError> {
    if call.product == Product::BinanceUsdm {
        let mut reply = format::untold_order(order, &world.listings()[order.listing], call.server_time);
        reply["orderId"] = json!(0);
        return Ok(reply);
    }
    if call.params.flag("computeCommissionRates")? != Some(true) {
        return Ok(json!({}));
    }
    let rates = world.fee_rates();
    let rate = |millionths: i64| format::amount(i128::from(millionths) * 1_000_000_000_000, 8);
    let none = json!({"maker": rate(0), "taker": rate(0)});
    Ok(json!({
        "standardCommissionForOrder": {"maker": rate(rates.maker_millionths), "taker": rate(rates.taker_millionths)},
        "specialCommissionForOrder": none, "taxCommissionForOrder": none,
        "discount": {"enabledForAccount": false, "enabledForSymbol": false, "discountAsset": "BNB", "discount": rate(0)},
    }))
}

/// In which form the reply to a new order is wanted.
///
/// # Errors
/// -1136.
pub(super) fn response_form<'a>(call: &'a Call<'_>, order: &SimOrderRequest) -> Result<&'a str, ApiError> {
    let spot = call.product == Product::BinanceSpot;
    match call.params.text("newOrderRespType") {
        None if !spot || order.lifetime == Lifetime::PostOnly || order.trigger.is_some() => Ok("ACK"),
        None => Ok("FULL"),
        Some("FULL") if !spot => Err(ApiError::new(-1136, "Invalid newOrderRespType.")),
        Some(form @ ("ACK" | "RESULT" | "FULL")) => Ok(form),
        Some(_) => Err(ApiError::new(-1136, "Invalid newOrderRespType.")),
    }
}

/// Buy or sell.
///
/// # Errors
/// -1102, -1117.
pub(super) fn side(call: &Call<'_>) -> Result<Side, ApiError> {
    match call.params.required("side")? {
        "BUY" => Ok(Side::Bid),
        "SELL" => Ok(Side::Ask),
        _ => Err(ApiError::new(-1117, "Invalid side.")),
    }
}

/// Reads a new order with all of the venue's own checks.
///
/// # Errors
/// The venue's refusal.
pub(super) fn new_order(call: &Call<'_>, world: &World) -> Result<SimOrderRequest, ApiError> {
    let params = call.params;
    let index = call.listing(world)?;
    let listing = &world.listings()[index];
    let side = side(call)?;
    let (kind, lifetime, condition) = kind_and_lifetime(call)?;
    order_params::check_contradictions(call, kind, condition.is_some())?;
    let by_value = kind == OrderKind::Market && params.text("quoteOrderQty").is_some();
    let lots = if by_value { Lots::ZERO } else { order_params::quantity(call, listing, "quantity")? };
    let tick = if kind == OrderKind::Limit { limit_price(call, world, index, side)? } else { Tick(0) };
    let trigger = match condition {
        None => None,
        Some(takes_profit) => Some(trigger(call, listing, side, takes_profit, "stopPrice")?),
    };
    let client_id = match params.text("newClientOrderId") {
        Some(text) => {
            order_params::check_client_id(call.product, "newClientOrderId", text)?;
            text.to_owned()
        }
        None => generated_id(call, world),
    };
    check_position_side(call)?;
    let mut order = SimOrderRequest {
        account: call.account,
        listing: index,
        side,
        kind,
        lifetime,
        tick,
        lots,
        client_id,
        reduce_only: call.product == Product::BinanceUsdm && params.flag("reduceOnly")? == Some(true),
        self_trade: order_params::self_trade(call)?,
        trigger,
        expires: good_till(call)?,
        quote_asked: QuoteAtoms::ZERO,
    };
    if by_value {
        order.quote_asked = order_params::quote_value("quoteOrderQty", params.required("quoteOrderQty")?)?;
        order.lots = world.lots_for_value(&order, order.quote_asked);
        if order.lots.0 < listing.lots_min {
            return Err(ApiError::new(-1013, "Filter failure: LOT_SIZE"));
        }
    }
    Ok(order)
}

/// Positions are kept as one here, whichever way they go.
///
/// # Errors
/// -4061 for the side of a pair.
pub(super) fn check_position_side(call: &Call<'_>) -> Result<(), ApiError> {
    match call.params.text("positionSide") {
        None | Some("BOTH") => Ok(()),
        Some(_) => Err(ApiError::new(-4061, "Order's position side does not match user's setting.")),
    }
}

/// A limit order's price: as sent, or as `priceMatch` finds it in the book.
pub(super) fn limit_price(call: &Call<'_>, world: &World, index: ListingIndex, side: Side) -> Result<Tick, ApiError> {
    let listing = &world.listings()[index];
    let Some(rule) = call.params.text("priceMatch").filter(|rule| *rule != "NONE") else {
        return order_params::price(call, listing, "price");
    };
    if call.params.text("price").is_some() {
        return Err(ApiError::not_required("price"));
    }
    let (of, depth) = match rule.split_once('_').unwrap_or((rule, "1")) {
        (of @ ("OPPONENT" | "QUEUE"), depth @ ("1" | "5" | "10" | "20")) => (of, depth.parse().unwrap_or(1)),
        _ => return Err(ApiError::invalid("priceMatch")),
    };
    let book = world.book(index, depth).unwrap_or_default();
    let levels = if (side == Side::Bid) == (of == "QUEUE") { book.bids } else { book.asks };
    let level = levels.get(depth - 1).copied();
    level.map(|level| level.tick).ok_or_else(|| refused(call, world, index, crate::sim::api::SimRefusal::NoMarket))
}

/// What sets a conditional order off: a stop follows the market, a take-profit goes against it.
pub(super) fn trigger(
    call: &Call<'_>,
    listing: &Listing,
    side: Side,
    takes_profit: bool,
    name: &str,
) -> Result<SimTrigger, ApiError> {
    let tick = order_params::price(call, listing, name)?;
    Ok(SimTrigger { tick, rising: (side == Side::Bid) != takes_profit, takes_profit })
}

/// When the order ends by itself.
pub(super) fn good_till(call: &Call<'_>) -> Result<Nanos, ApiError> {
    if call.params.text("timeInForce") != Some("GTD") {
        return Ok(Nanos::NEVER);
    }
    let at = call.params.integer("goodTillDate")?.ok_or_else(|| ApiError::missing("goodTillDate"))?;
    // Only whole seconds count.
    let at = at / 1000 * 1000;
    if at < call.server_time.millis() + GOOD_TILL_AHEAD_MIN_MS || at >= 253_402_300_799_000 {
        return Err(ApiError::new(-1130, "Data sent for parameter 'goodTillDate' is not valid."));
    }
    let ahead = at - call.server_time.millis();
    Ok(call.now + Nanos(ahead.saturating_mul(1_000_000)))
}

/// A client id for a request that brought none: from its time and the number of the order to come.
pub(super) fn generated_id(call: &Call<'_>, world: &World) -> String {
    format!("sim{:013x}{:012x}", call.now.0.unsigned_abs() / 1000, world.next_order_id())
}

/// Type and time in force; for a conditional order, whether it takes a profit.
fn kind_and_lifetime(call: &Call<'_>) -> Result<(OrderKind, Lifetime, Option<bool>), ApiError> {
    let spot = call.product == Product::BinanceSpot;
    let params = call.params;
    let market = (OrderKind::Market, Lifetime::ImmediateOrCancel);
    match params.required("type")? {
        "MARKET" => Ok((market.0, market.1, None)),
        "LIMIT_MAKER" if spot => {
            if params.text("timeInForce").is_some() {
                return Err(ApiError::not_required("timeInForce"));
            }
            Ok((OrderKind::Limit, Lifetime::PostOnly, None))
        }
        "LIMIT" => Ok((OrderKind::Limit, lifetime(call)?, None)),
        "STOP_LOSS" if spot => Ok((market.0, market.1, Some(false))),
        "TAKE_PROFIT" if spot => Ok((market.0, market.1, Some(true))),
        "STOP_LOSS_LIMIT" if spot => Ok((OrderKind::Limit, lifetime(call)?, Some(false))),
        "TAKE_PROFIT_LIMIT" if spot => Ok((OrderKind::Limit, lifetime(call)?, Some(true))),
        "STOP" | "STOP_MARKET" | "TAKE_PROFIT" | "TAKE_PROFIT_MARKET" | "TRAILING_STOP_MARKET" if !spot => {
            let text = "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.";
            Err(ApiError::new(-4120, text))
        }
        _ => Err(ApiError::new(-1116, "Invalid orderType.")),
    }
}

/// Time in force of a limit order.
pub(super) fn lifetime(call: &Call<'_>) -> Result<Lifetime, ApiError> {
    let spot = call.product == Product::BinanceSpot;
    match call.params.required("timeInForce")? {
        "GTC" => Ok(Lifetime::GoodTillCancel),
        "GTD" if !spot => Ok(Lifetime::GoodTillCancel),
        "IOC" => Ok(Lifetime::ImmediateOrCancel),
        "FOK" => Ok(Lifetime::FillOrKill),
        "GTX" if !spot => Ok(Lifetime::PostOnly),
        _ => Err(ApiError::new(-1115, "Invalid timeInForce.")),
    }
}

/// How a request names an order: number, client id, or both.
fn order_key<'a>(call: &'a Call<'_>, id: &str, client_id: &str) -> Result<(OrderKey<'a>, Option<&'a str>), ApiError> {
    let named = call.params.text(client_id);
    match (call.params.integer(id)?, named) {
        (Some(id), named) => Ok((OrderKey::Id(u64::try_from(id).unwrap_or(0)), named)),
        (None, Some(text)) => Ok((OrderKey::ClientId(text), None)),
        (None, None) => {
            let text = format!("Param '{client_id}' or '{id}' must be sent, but both were empty/null!");
            Err(ApiError::new(-1102, text))
        }
    }
}

/// The order that a request names; where it names it twice, both must be it.
///
/// # Errors
/// -1121, -1102.
pub fn named_order(call: &Call<'_>, world: &World) -> Result<Option<SimOrder>, ApiError> {
    order_named_by(call, world, ["orderId", "origClientOrderId"])
}

/// The same, by other names for number and client id.
///
/// # Errors
/// -1121, -1102.
pub(super) fn order_named_by(
    call: &Call<'_>,
    world: &World,
    [id, client_id]: [&str; 2],
) -> Result<Option<SimOrder>, ApiError> {
    let index = call.listing(world)?;
    let (key, also) = order_key(call, id, client_id)?;
    let found = world.order(call.account, index, key);
    Ok(found.filter(|order| also.is_none_or(|also| also == order.request.client_id)))
}
