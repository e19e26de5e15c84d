//! COLD: cancels and queries of orders, and own trades.

use super::call::Call;
use super::errors::ApiError;
use super::{format, order_params, orders};
use crate::sim::api::{ListingIndex, OrderKey, SimFill, SimOrder, SimOrderStatus, SimPrevention};
use crate::sim::world::World;
use crate::venue::binance::Product;
use serde_json::{Value, json};

fn unknown_order() -> ApiError {
    ApiError::new(-2011, "Unknown order sent.")
}

/// Cancels one order.
///
/// # Errors
/// -2011 if it is not open, or not in the state that the request restricts it to.
pub fn cancel(call: &Call<'_>, world: &mut World) -> Result<Value, ApiError> {
    let index = call.listing(world)?;
    let order = orders::named_order(call, world)?;
    let request_id = match call.params.text("newClientOrderId") {
        Some(text) => {
            order_params::check_client_id(call.product, "newClientOrderId", text)?;
            text.to_owned()
        }
        None => orders::generated_id(call, world),
    };
    let order = order.ok_or_else(unknown_order)?;
    cancel_order(call, world, index, &order, &request_id)
}

/// Cancels an order that was found, if the request's restriction lets it.
///
/// # Errors
/// As [`cancel`].
pub(super) fn cancel_order(
    call: &Call<'_>,
    world: &mut World,
    index: ListingIndex,
    order: &SimOrder,
    request_id: &str,
) -> Result<Value, ApiError> {
    let fits = match call.params.text("cancelRestrictions") {
        None => true,
        Some("ONLY_NEW") => order.status == SimOrderStatus::New,
        Some("ONLY_PARTIALLY_FILLED") => order.status == SimOrderStatus::PartiallyFilled,
        Some(_) => return Err(ApiError::new(-1145, "Invalid cancelRestrictions")),
    };
    if !fits && order.status.is_open() {
        return Err(ApiError::new(-2011, "Order was not canceled due to cancel restrictions."));
    }
    let canceled = world
        .cancel(call.account, index, OrderKey::Id(order.id), request_id, call.now)
        .map_err(|refusal| orders::refused(call, world, index, refusal))?;
    Ok(format::canceled(&canceled, &world.listings()[index], call.product, request_id, call.now))
}

/// Cancels every order of a symbol.
///
/// # Errors
/// Spot answers -2011 where there is none.
pub fn cancel_all(call: &Call<'_>, world: &mut World) -> Result<Value, ApiError> {
    let index = call.listing(world)?;
    let open = world.open_orders(call.account, Some(index));
    let spot = call.product == Product::BinanceSpot;
    if open.is_empty() && spot {
        return Err(unknown_order());
    }
    let request_id = orders::generated_id(call, world);
    let mut replies = Vec::new();
    for order in open {
        if let Ok(canceled) = world.cancel(call.account, index, OrderKey::Id(order.id), &request_id, call.now) {
            replies.push(format::canceled(&canceled, &world.listings()[index], call.product, &request_id, call.now));
        }
    }
    Ok(match spot {
        true => Value::Array(replies),
        false => json!({"code": 200, "msg": "The operation of cancel all open order is done."}),
    })
}

/// Queries one order.
///
/// # Errors
/// -2013 if there is none.
pub fn query(call: &Call<'_>, world: &World) -> Result<Value, ApiError> {
    let order = orders::named_order(call, world)?.ok_or_else(|| ApiError::new(-2013, "Order does not exist."))?;
    Ok(format::order(&order, &world.listings()[order.request.listing], call.product))
}

/// Open orders of a symbol or of all.
///
/// # Errors
/// -1121.
pub fn open_orders(call: &Call<'_>, world: &World) -> Result<Value, ApiError> {
    let listing: Option<ListingIndex> = call.listing_if_named(world)?;
    let orders: Vec<SimOrder> = world.open_orders(call.account, listing);
    Ok(orders
        .iter()
        .map(|order| format::order(order, &world.listings()[order.request.listing], call.product))
        .collect())
}

/// Orders of a symbol, open or closed: from a number on, between two times, or the newest.
///
/// # Errors
/// -1102, -1121.
pub fn all_orders(call: &Call<'_>, world: &World) -> Result<Value, ApiError> {
    let index = call.listing(world)?;
    let params = call.params;
    let limit = usize::try_from(params.integer("limit")?.unwrap_or(500).clamp(1, 1000)).unwrap_or(500);
    let from = params.integer("orderId")?.map(i64::unsigned_abs);
    let (start, end) = (params.integer("startTime")?, params.integer("endTime")?);
    let fits = |order: &&SimOrder| {
        from.is_none_or(|id| order.id >= id)
            && start.is_none_or(|at| order.created.millis() >= at)
            && end.is_none_or(|at| order.created.millis() <= at)
    };
    let fitting: Vec<&SimOrder> = world.all_orders(call.account, index).filter(fits).collect();
    let oldest_first = from.is_some() || start.is_some();
    let skip = if oldest_first { 0 } else { fitting.len().saturating_sub(limit) };
    let listing = &world.listings()[index];
    Ok(fitting.iter().skip(skip).take(limit).map(|order| format::order(order, listing, call.product)).collect())
}

/// Own trades: by order, from a trade id, or between two times; the newest if nothing is said.
///
/// # Errors
/// -1121, -1102, -1128.
pub fn trades(call: &Call<'_>, world: &World) -> Result<Value, ApiError> {
    let index = call.listing(world)?;
    let params = call.params;
    let limit = usize::try_from(params.integer("limit")?.unwrap_or(500).clamp(1, 1000)).unwrap_or(500);
    let order = params.integer("orderId")?.map(i64::unsigned_abs);
    let from = params.integer("fromId")?.map(i64::unsigned_abs);
    let (start, end) = (params.integer("startTime")?, params.integer("endTime")?);
    if from.is_some() && (start.is_some() || end.is_some()) {
        return Err(ApiError::new(-1128, "Combination of optional parameters invalid."));
    }
    let fits = |fill: &SimFill| {
        order.is_none_or(|id| fill.order_id == id)
            && from.is_none_or(|id| fill.trade_id >= id)
            && start.is_none_or(|at| fill.at.millis() >= at)
            && end.is_none_or(|at| fill.at.millis() <= at)
    };
    let fills: Vec<_> = world.fills(call.account, index).into_iter().filter(fits).collect();
    let oldest_first = from.is_some() || start.is_some();
    let skip = if oldest_first { 0 } else { fills.len().saturating_sub(limit) };
    let listing = &world.listings()[index];
    Ok(fills.iter().skip(skip).take(limit).map(|fill| format::trade(fill, listing, call.product)).collect())
}

/// Self-trades that were prevented: one, those of an order, or from a number on.
///
/// # Errors
/// -1121, -1102, -1128 if nothing says which.
pub fn preventions(call: &Call<'_>, world: &World) -> Result<Value, ApiError> {
    let index = call.listing(world)?;
    let params = call.params;
    let number = |name: &str| params.integer(name).map(|number| number.map(i64::unsigned_abs));
    let (one, order) = (number("preventedMatchId")?, number("orderId")?);
    let from = number("fromPreventedMatchId")?;
    if one.is_none() && order.is_none() {
        return Err(ApiError::new(-1128, "Combination of optional parameters invalid."));
    }
    let limit = usize::try_from(params.integer("limit")?.unwrap_or(500).clamp(1, 1000)).unwrap_or(500);
    let fits = |prevention: &&SimPrevention| {
        prevention.listing == index
            && one.is_none_or(|id| prevention.id == id)
            && order.is_none_or(|id| prevention.taker_order == id || prevention.maker_order == id)
            && from.is_none_or(|id| prevention.id >= id)
    };
    let listing = &world.listings()[index];
    let print = |prevention: &SimPrevention| {
        json!({
            "symbol": listing.symbol, "preventedMatchId": prevention.id, "takerOrderId": prevention.taker_order,
            "makerSymbol": listing.symbol, "makerOrderId": prevention.maker_order,
            "tradeGroupId": prevention.account.0, "selfTradePreventionMode": format::self_trade(prevention.rule),
            "price": format::price(listing, prevention.tick),
            "makerPreventedQuantity": format::quantity(listing, prevention.lots),
            "transactTime": prevention.at.millis(),
        })
    };
    Ok(world.preventions(call.account).filter(fits).take(limit).map(print).collect())
}
