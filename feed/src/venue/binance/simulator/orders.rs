//! COLD: order requests: the venue's checks of every parameter, then the world's.

use super::call::Call;
use super::errors::ApiError;
use super::format;
use crate::number::{NumberError, Scale};
use crate::sim::api::{Lifetime, Listing, ListingIndex, OrderKey, OrderKind, SelfTrade, SimOrder, SimOrderRequest};
use crate::sim::world::World;
use crate::venue::binance::Product;
use serde_json::{Value, json};
use spinbook_engine::types::{Lots, Side, Tick};

const DECIMAL_RANGE: &str = "^([0-9]{1,20})(\\.[0-9]{1,20})?$";

/// New order; `trial` only checks it.
///
/// # Errors
/// The venue's refusal.
pub fn place(call: &Call<'_>, world: &mut World, trial: bool) -> Result<Value, ApiError> {
    let order = new_order(call, world)?;
    let form = response_form(call, &order)?;
    let refuse = |refusal| ApiError::from_refusal(refusal, call.product);
    if trial {
        world.check_order(&order).map_err(refuse)?;
        return Ok(json!({}));
    }
    let (account, listing) = (order.account, order.listing);
    let id = world.place(order, call.now).map_err(refuse)?;
    let placed =
        world.order(account, listing, OrderKey::Id(id)).ok_or_else(|| ApiError::new(-1000, "Unknown error."))?;
    let fills = if placed.filled.is_zero() { Vec::new() } else { world.fills(account, listing) };
    let fills: Vec<_> = fills.into_iter().filter(|fill| fill.order_id == id).collect();
    Ok(format::placed(&placed, &fills, &world.listings()[listing], call.product, form))
}

fn response_form<'a>(call: &'a Call<'_>, order: &SimOrderRequest) -> Result<&'a str, ApiError> {
    let spot = call.product == Product::BinanceSpot;
    match call.params.text("newOrderRespType") {
        None if !spot || order.lifetime == Lifetime::PostOnly => Ok("ACK"),
        None => Ok("FULL"),
        Some("FULL") if !spot => Err(ApiError::new(-1136, "Invalid newOrderRespType.")),
        Some(form @ ("ACK" | "RESULT" | "FULL")) => Ok(form),
        Some(_) => Err(ApiError::new(-1136, "Invalid newOrderRespType.")),
    }
}

fn new_order(call: &Call<'_>, world: &World) -> Result<SimOrderRequest, ApiError> {
    let params = call.params;
    let index = call.listing(world)?;
    let listing = &world.listings()[index];
    let side = match params.required("side")? {
        "BUY" => Side::Bid,
        "SELL" => Side::Ask,
        _ => return Err(ApiError::new(-1117, "Invalid side.")),
    };
    let (kind, lifetime) = kind_and_lifetime(call)?;
    let lots = quantity(call, listing, kind)?;
    let tick = if kind == OrderKind::Limit { price(call, listing)? } else { Tick(0) };
    let client_id = match params.text("newClientOrderId") {
        Some(text) => {
            check_client_id(call.product, text)?;
            text.to_owned()
        }
        None => generated_id(call),
    };
    if let Some(text) = params.text("positionSide")
        && text != "BOTH"
    {
        return Err(ApiError::new(-4061, "Order's position side does not match user's setting."));
    }
    Ok(SimOrderRequest {
        account: call.account,
        listing: index,
        side,
        kind,
        lifetime,
        tick,
        lots,
        client_id,
        reduce_only: call.product == Product::BinanceUsdm && params.text("reduceOnly") == Some("true"),
        self_trade: self_trade(call)?,
    })
}

/// A client id for a request that brought none: from its time and a hash of its parameters.
fn generated_id(call: &Call<'_>) -> String {
    let mut mixed = call.now.0.unsigned_abs();
    for byte in call.params.payload.bytes() {
        mixed = (mixed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("sim{:013x}{mixed:016x}", call.now.0.unsigned_abs() / 1000)
}

fn check_client_id(product: Product, text: &str) -> Result<(), ApiError> {
    let spot = product == Product::BinanceSpot;
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte) || (!spot && b".:/".contains(&byte));
    if text.len() > 36 && !spot {
        return Err(ApiError::new(-4015, "Client order id length should not be more than 36 chars"));
    }
    if text.len() > 36 || !text.bytes().all(legal) {
        let range = if spot { "^[a-zA-Z0-9-_]{1,36}$" } else { "^[\\.A-Z\\:/a-z0-9_-]{1,36}$" };
        return Err(ApiError::illegal("newClientOrderId", range));
    }
    Ok(())
}

fn kind_and_lifetime(call: &Call<'_>) -> Result<(OrderKind, Lifetime), ApiError> {
    let spot = call.product == Product::BinanceSpot;
    let params = call.params;
    match params.required("type")? {
        "MARKET" => Ok((OrderKind::Market, Lifetime::ImmediateOrCancel)),
        "LIMIT_MAKER" if spot => {
            if params.text("timeInForce").is_some() {
                return Err(ApiError::new(-1106, "Parameter 'timeInForce' sent when not required."));
            }
            Ok((OrderKind::Limit, Lifetime::PostOnly))
        }
        "LIMIT" => {
            let lifetime = match params.required("timeInForce")? {
                "GTC" => Lifetime::GoodTillCancel,
                "IOC" => Lifetime::ImmediateOrCancel,
                "FOK" => Lifetime::FillOrKill,
                "GTX" if !spot => Lifetime::PostOnly,
                _ => return Err(ApiError::new(-1115, "Invalid timeInForce.")),
            };
            Ok((OrderKind::Limit, lifetime))
        }
        "STOP" | "STOP_MARKET" | "TAKE_PROFIT" | "TAKE_PROFIT_MARKET" | "TRAILING_STOP_MARKET" if !spot => {
            let text = "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.";
            Err(ApiError::new(-4120, text))
        }
        _ => Err(ApiError::new(-1116, "Invalid orderType.")),
    }
}

fn self_trade(call: &Call<'_>) -> Result<SelfTrade, ApiError> {
    match call.params.text("selfTradePreventionMode") {
        None | Some("EXPIRE_MAKER") => Ok(SelfTrade::ExpireMaker),
        Some("EXPIRE_TAKER") => Ok(SelfTrade::ExpireTaker),
        Some("EXPIRE_BOTH") => Ok(SelfTrade::ExpireBoth),
        Some("NONE") => Ok(SelfTrade::Allow),
        Some(_) => Err(ApiError::new(-1013, "This symbol does not allow the specified self-trade prevention mode.")),
    }
}

/// A decimal parameter in units of a scale; `Ok(None)` if it lies between two units.
fn decimal(text: &str, name: &str, scale: &Scale, spot: bool) -> Result<Option<i64>, ApiError> {
    if !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') || text.len() > 41 {
        return Err(ApiError::illegal(name, DECIMAL_RANGE));
    }
    let decimals_max = usize::from(scale.decimals());
    let decimals = text.split_once('.').map_or("", |(_, decimals)| decimals);
    if decimals.len() > decimals_max && (spot || !decimals[decimals_max..].bytes().all(|byte| byte == b'0')) {
        let message = match spot {
            true => format!("Parameter '{name}' has too much precision."),
            false => "Precision is over the maximum defined for this asset.".to_owned(),
        };
        return Err(ApiError::new(-1111, message));
    }
    match scale.parse(text.as_bytes()) {
        Ok(units) => Ok(Some(units)),
        Err(NumberError::TooFine { .. }) => Ok(None),
        Err(_) => Err(ApiError::illegal(name, DECIMAL_RANGE)),
    }
}

fn quantity(call: &Call<'_>, listing: &Listing, kind: OrderKind) -> Result<Lots, ApiError> {
    let spot = call.product == Product::BinanceSpot;
    if kind == OrderKind::Market
        && call.params.text("quantity").is_none()
        && call.params.text("quoteOrderQty").is_some()
    {
        return Err(ApiError::new(-1013, "Quote order qty market orders are not support for this symbol."));
    }
    let text = call.params.required("quantity")?;
    let lots = decimal(text, "quantity", &listing.quantity, spot)?;
    let filter = || ApiError::new(-1013, "Filter failure: LOT_SIZE");
    let lots = match lots {
        Some(lots) => lots,
        None if spot => return Err(filter()),
        None => {
            return Err(ApiError::new(-1111, "Precision is over the maximum defined for this asset."));
        }
    };
    if lots == 0 {
        let code = if spot { -1013 } else { -4003 };
        return Err(ApiError::new(
            code,
            if spot { "Invalid quantity." } else { "Quantity less than or equal to zero." },
        ));
    }
    let off_step = lots % listing.order_step_lots != 0;
    match spot {
        true if off_step || lots < listing.lots_min || lots > listing.lots_max => Err(filter()),
        false if off_step => Err(ApiError::new(-4023, "Qty not increased by step size.")),
        false if lots < listing.lots_min => Err(ApiError::new(-4004, "Quantity less than min quantity.")),
        false if lots > listing.lots_max => Err(ApiError::new(-4005, "Quantity greater than max quantity.")),
        _ => Ok(Lots(lots)),
    }
}

fn price(call: &Call<'_>, listing: &Listing) -> Result<Tick, ApiError> {
    let spot = call.product == Product::BinanceSpot;
    let text = call.params.required("price")?;
    let filter = || ApiError::new(-1013, "Filter failure: PRICE_FILTER");
    let tick = match decimal(text, "price", &listing.price, spot)? {
        Some(tick) => tick,
        None if spot => return Err(filter()),
        None => return Err(ApiError::new(-4014, "Price not increased by tick size.")),
    };
    let off_step = tick % listing.tick_step != 0;
    match spot {
        true if tick == 0 || tick > listing.tick_max || off_step => Err(filter()),
        false if off_step => Err(ApiError::new(-4014, "Price not increased by tick size.")),
        false if tick == 0 => Err(ApiError::new(-4001, "Price less than 0.")),
        false if tick > listing.tick_max => Err(ApiError::new(-4002, "Price greater than max price.")),
        _ => Ok(Tick(tick)),
    }
}

fn order_key<'a>(call: &'a Call<'_>) -> Result<OrderKey<'a>, ApiError> {
    if let Some(id) = call.params.integer("orderId")? {
        return Ok(OrderKey::Id(u64::try_from(id).unwrap_or(0)));
    }
    match call.params.text("origClientOrderId") {
        Some(text) => Ok(OrderKey::ClientId(text)),
        None => {
            let text = "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!";
            Err(ApiError::new(-1102, text))
        }
    }
}

/// Cancels one order.
///
/// # Errors
/// -2011 if it is not open.
pub fn cancel(call: &Call<'_>, world: &mut World) -> Result<Value, ApiError> {
    let index = call.listing(world)?;
    let key = order_key(call)?;
    let request_id = call.params.text("newClientOrderId").map_or_else(|| generated_id(call), str::to_owned);
    let canceled = world
        .cancel(call.account, index, key, &request_id, call.now)
        .map_err(|refusal| ApiError::from_refusal(refusal, call.product))?;
    Ok(format::canceled(&canceled, &world.listings()[index], call.product, &request_id, call.now))
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
        return Err(ApiError::new(-2011, "Unknown order sent."));
    }
    let request_id = generated_id(call);
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
    let index = call.listing(world)?;
    let found = world.order(call.account, index, order_key(call)?);
    let order = found.ok_or_else(|| ApiError::new(-2013, "Order does not exist."))?;
    Ok(format::order(&order, &world.listings()[index], call.product))
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
    let fits = |fill: &crate::sim::api::SimFill| {
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
