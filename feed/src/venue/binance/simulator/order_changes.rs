//! COLD: changes of orders: cancel and replace, amend, modify, batches, and the countdown that cancels all.

use super::call::Call;
use super::catalog::Api;
use super::errors::ApiError;
use super::params::Params;
use super::{format, order_params, order_queries, orders};
use crate::sim::api::OrderKey;
use crate::sim::world::World;
use serde_json::{Value, json};
use spinbook_engine::types::Nanos;

/// Orders in one batch to place or to change.
pub const BATCH_MAX: usize = 5;
/// Orders in one batch to cancel.
const BATCH_CANCEL_MAX: usize = 10;

/// Cancels one order and places another.
///
/// # Errors
/// What is wrong with the request itself; -2021 if one half failed, -2022 if both did, with both answers.
pub fn cancel_replace(call: &Call<'_>, world: &mut World) -> Result<Value, ApiError> {
    let order = orders::new_order(call, world)?;
    let form = orders::response_form(call, &order)?;
    let goes_on = match call.params.required("cancelReplaceMode")? {
        "STOP_ON_FAILURE" => false,
        "ALLOW_FAILURE" => true,
        _ => return Err(ApiError::invalid("cancelReplaceMode")),
    };
    let named = orders::order_named_by(call, world, ["cancelOrderId", "cancelOrigClientOrderId"])?;
    let request_id = match call.params.text("cancelNewClientOrderId") {
        Some(text) => text.to_owned(),
        None => orders::generated_id(call, world),
    };
    let canceled = match named {
        Some(named) => order_queries::cancel_order(call, world, order.listing, &named, &request_id),
        None => Err(ApiError::new(-2011, "Unknown order sent.")),
    };
    let placed = match canceled.is_ok() || goes_on {
        true => Some(orders::put(call, world, order, form)),
        false => None,
    };
    let outcome = |result: &Result<Value, ApiError>| match result {
        Ok(answer) => ("SUCCESS", answer.clone()),
        Err(error) => ("FAILURE", error.body()),
    };
    let (cancel_result, cancel_response) = outcome(&canceled);
    let (order_result, order_response) = placed.as_ref().map_or(("NOT_ATTEMPTED", Value::Null), outcome);
    let both = json!({
        "cancelResult": cancel_result, "newOrderResult": order_result,
        "cancelResponse": cancel_response, "newOrderResponse": order_response,
    });
    match (cancel_result, order_result) {
        ("SUCCESS", "SUCCESS") => Ok(both),
        ("FAILURE", "FAILURE" | "NOT_ATTEMPTED") => {
            Err(ApiError { data: Some(Box::new(both)), ..ApiError::new(-2022, "Order cancel-replace failed.") })
        }
        _ => {
            let error = ApiError::new(-2021, "Order cancel-replace partially failed.").status(409);
            Err(ApiError { data: Some(Box::new(both)), ..error })
        }
    }
}

/// Makes an order smaller where it stands.
///
/// # Errors
/// -2013 if it is not open, -2038 for a quantity that is not less, -1013 for one off the rules.
pub fn amend(call: &Call<'_>, world: &mut World) -> Result<Value, ApiError> {
    let order = orders::named_order(call, world)?.filter(|order| order.status.is_open());
    let order = order.ok_or_else(|| ApiError::new(-2013, "Order does not exist."))?;
    let index = order.request.listing;
    let lots = order_params::quantity(call, &world.listings()[index], "newQty")?;
    let client_id = match call.params.text("newClientOrderId") {
        Some(text) => {
            order_params::check_client_id(call.product, "newClientOrderId", text)?;
            text.to_owned()
        }
        None => orders::generated_id(call, world),
    };
    let amended = world
        .amend(call.account, index, OrderKey::Id(order.id), (lots, &client_id), call.now)
        .map_err(|refusal| orders::refused(call, world, index, refusal))?;
    let listing = &world.listings()[index];
    let shown = json!({
        "symbol": listing.symbol, "orderId": amended.id, "orderListId": -1,
        "origClientOrderId": order.request.client_id, "clientOrderId": client_id,
        "price": format::limit_price(listing, &amended.request), "qty": format::quantity(listing, lots),
        "executedQty": format::quantity(listing, amended.filled),
        "preventedQty": format::quantity(listing, amended.prevented), "quoteOrderQty": format::amount(0, 8),
        "cumulativeQuoteQty": format::amount(amended.filled_value.0, 8), "status": format::status(amended.status),
        "timeInForce": format::time_in_force(&amended.request, call.product),
        "type": format::order_type(&amended.request, call.product), "side": format::side(amended.request.side),
        "workingTime": amended.created.millis(),
        "selfTradePreventionMode": format::self_trade(amended.request.self_trade),
    });
    // The number of the change: no two changes are made in the same nanosecond of one exchange.
    Ok(json!({"transactTime": call.server_time.millis(), "executionId": call.now.0, "amendedOrder": shown}))
}

/// Gives an order another price and quantity.
///
/// # Errors
/// -2013 if it is not open, -5027 if nothing changes, and what refuses a new order like it.
pub fn modify(call: &Call<'_>, world: &mut World) -> Result<Value, ApiError> {
    let order = orders::named_order(call, world)?.filter(|order| order.status.is_open());
    let order = order.ok_or_else(|| ApiError::new(-2013, "Order does not exist."))?;
    let index = order.request.listing;
    let side = orders::side(call)?;
    if side != order.request.side {
        return Err(ApiError::new(-1117, "Invalid side."));
    }
    let lots = order_params::quantity(call, &world.listings()[index], "quantity")?;
    let tick = orders::limit_price(call, world, index, side)?;
    let modified = world
        .modify(call.account, index, OrderKey::Id(order.id), (tick, lots), call.now)
        .map_err(|refusal| orders::refused(call, world, index, refusal))?;
    Ok(format::changed(&modified, &world.listings()[index]))
}

/// The parameters of each order in a batch; none if there is no batch.
///
/// # Errors
/// -1102, -1130 for what is no list of orders, -4082 for too many.
pub fn batch(params: &Params) -> Result<Vec<Params>, ApiError> {
    let wrong = || ApiError::invalid("batchOrders");
    let list: Vec<Value> = serde_json::from_str(params.required("batchOrders")?).map_err(|_| wrong())?;
    if list.is_empty() || list.len() > BATCH_MAX {
        return Err(ApiError::new(-4082, "Invalid number of batch place orders."));
    }
    list.iter().map(|one| one.as_object().ok_or_else(wrong).and_then(Params::from_object)).collect()
}

fn result_of(result: Result<Value, ApiError>) -> Value {
    result.unwrap_or_else(|error| error.body())
}

/// Handles each order of a batch by itself: what one is refused does not touch the others.
///
/// # Errors
/// As [`batch`].
pub fn each(call: &Call<'_>, world: &mut World, api: Api) -> Result<Value, ApiError> {
    let orders = batch(call.params)?;
    let mut results = Vec::new();
    for params in &orders {
        let one = Call { api, params, ..*call };
        let result = order_params::check_names(&one).and_then(|()| match api {
            Api::Modify => modify(&one, world),
            _ => orders::place(&one, world, false),
        });
        results.push(result_of(result));
    }
    Ok(Value::Array(results))
}

/// Cancels several orders of a symbol, by numbers or by client ids.
///
/// # Errors
/// -1102, -1130, -4083 for too many.
pub fn cancel_batch(call: &Call<'_>, world: &mut World) -> Result<Value, ApiError> {
    let index = call.listing(world)?;
    let list = |name: &str| -> Result<Option<Vec<Value>>, ApiError> {
        let text = call.params.text(name);
        text.map(|text| serde_json::from_str(text).map_err(|_| ApiError::invalid(name))).transpose()
    };
    let ids = list("orderIdList")?;
    let names = list("origClientOrderIdList")?;
    let (wanted, by_number) = match (ids, names) {
        (Some(list), None) => (list, true),
        (None, Some(list)) => (list, false),
        (Some(_), Some(_)) => return Err(ApiError::not_required("origClientOrderIdList")),
        (None, None) => return Err(ApiError::missing("orderIdList")),
    };
    if wanted.is_empty() || wanted.len() > BATCH_CANCEL_MAX {
        return Err(ApiError::new(-4083, "Invalid number of batch cancel orders."));
    }
    let request_id = orders::generated_id(call, world);
    let mut results = Vec::new();
    for one in &wanted {
        let key = match (one.as_u64(), one.as_str()) {
            (Some(id), _) if by_number => OrderKey::Id(id),
            (_, Some(text)) if by_number => OrderKey::Id(text.parse().map_err(|_| ApiError::invalid("orderIdList"))?),
            (_, Some(text)) => OrderKey::ClientId(text),
            _ => return Err(ApiError::invalid("origClientOrderIdList")),
        };
        let canceled = world.cancel(call.account, index, key, &request_id, call.now);
        let result = canceled
            .map(|order| format::canceled(&order, &world.listings()[index], call.product, &request_id, call.now))
            .map_err(|refusal| orders::refused(call, world, index, refusal));
        results.push(result_of(result));
    }
    Ok(Value::Array(results))
}

/// Starts, prolongs or stops the countdown that cancels all orders of a symbol.
///
/// # Errors
/// -1102, -1130.
pub fn countdown(call: &Call<'_>, world: &mut World) -> Result<Value, ApiError> {
    let index = call.listing(world)?;
    let span = call.params.integer("countdownTime")?.ok_or_else(|| ApiError::missing("countdownTime"))?;
    if span < 0 {
        return Err(ApiError::invalid("countdownTime"));
    }
    let at = if span == 0 { Nanos::NEVER } else { call.now + Nanos(span.saturating_mul(1_000_000)) };
    world.set_countdown(call.account, index, at);
    Ok(json!({"symbol": world.listings()[index].symbol, "countdownTime": span.to_string()}))
}
