//! COLD: the parameters of order requests: which there are, which contradict each other, and what their texts mean.

use super::call::Call;
use super::catalog::Api;
use super::errors::ApiError;
use crate::number::{NumberError, Scale};
use crate::sim::api::{Listing, OrderKind, SelfTrade};
use crate::venue::binance::Product;
use spinbook_engine::types::{Lots, QuoteAtoms, Tick};

const DECIMAL_RANGE: &str = "^([0-9]{1,20})(\\.[0-9]{1,20})?$";
/// What every request may carry.
const COMMON: &[&str] = &["timestamp", "recvWindow", "signature", "apiKey", "returnRateLimits"];
const PLACE_SPOT: &[&str] = &[
    "symbol",
    "side",
    "type",
    "timeInForce",
    "quantity",
    "quoteOrderQty",
    "price",
    "newClientOrderId",
    "strategyId",
    "strategyType",
    "stopPrice",
    "trailingDelta",
    "icebergQty",
    "newOrderRespType",
    "selfTradePreventionMode",
    "pegPriceType",
    "pegOffsetType",
    "pegOffsetValue",
];
const PLACE_USDM: &[&str] = &[
    "symbol",
    "side",
    "positionSide",
    "type",
    "reduceOnly",
    "quantity",
    "price",
    "newClientOrderId",
    "stopPrice",
    "closePosition",
    "activationPrice",
    "callbackRate",
    "timeInForce",
    "workingType",
    "priceProtect",
    "newOrderRespType",
    "priceMatch",
    "selfTradePreventionMode",
    "goodTillDate",
];

/// The parameters that a request knows beside the common ones; `None` where any may come.
fn known(api: Api, product: Product) -> Option<(&'static [&'static str], &'static [&'static str])> {
    let spot = product == Product::BinanceSpot;
    let place = if spot { PLACE_SPOT } else { PLACE_USDM };
    let named: &[&str] = &["symbol", "orderId", "origClientOrderId"];
    Some(match api {
        Api::Place => (place, &[]),
        Api::TestOrder => (place, &["computeCommissionRates"]),
        Api::CancelReplace => (
            place,
            &[
                "cancelReplaceMode",
                "cancelNewClientOrderId",
                "cancelOrigClientOrderId",
                "cancelOrderId",
                "cancelRestrictions",
                "orderRateLimitExceededMode",
            ],
        ),
        Api::Cancel if spot => (named, &["newClientOrderId", "cancelRestrictions"]),
        Api::Cancel | Api::Query | Api::OpenOrder => (named, &[]),
        Api::CancelAll => (&["symbol"], &[]),
        Api::Amend => (named, &["newClientOrderId", "newQty"]),
        Api::Modify => (named, &["side", "quantity", "price", "priceMatch", "modifyId", "reduceOnly"]),
        Api::AlgoPlace => (PLACE_USDM, &["algoType", "triggerPrice", "activatePrice", "clientAlgoId"]),
        Api::AlgoCancel | Api::AlgoQuery => (&["symbol"], &["algoId", "clientAlgoId"]),
        Api::Countdown => (&["symbol"], &["countdownTime"]),
        _ => return None,
    })
}

/// Refuses what is sent twice or what the request does not know.
///
/// # Errors
/// -1101, -1104.
pub fn check_names(call: &Call<'_>) -> Result<(), ApiError> {
    let names: Vec<&str> = call.params.names().collect();
    if names.iter().enumerate().any(|(place, name)| names[..place].contains(name)) {
        return Err(ApiError::new(-1101, "Duplicate values for a parameter detected."));
    }
    let Some((first, more)) = known(call.api, call.product) else { return Ok(()) };
    let is_known = |name: &&&str| first.contains(*name) || more.contains(*name) || COMMON.contains(*name);
    let read = names.iter().filter(is_known).count();
    if read != names.len() {
        let sent = names.len();
        let text = format!("Not all sent parameters were read; read '{read}' parameter(s) but was sent '{sent}'.");
        return Err(ApiError::new(-1104, text));
    }
    Ok(())
}

/// Refuses parameters that an order of this type does not have.
///
/// # Errors
/// -1106, -1013 for features that no symbol has, -4136 for `closePosition`.
pub fn check_contradictions(call: &Call<'_>, kind: OrderKind, conditional: bool) -> Result<(), ApiError> {
    let params = call.params;
    let refuse = |name: &str| if params.text(name).is_some() { Err(ApiError::not_required(name)) } else { Ok(()) };
    if kind == OrderKind::Market {
        ["price", "timeInForce", "priceMatch", "goodTillDate"].into_iter().try_for_each(refuse)?;
    } else {
        refuse("quoteOrderQty")?;
    }
    if !conditional {
        ["stopPrice", "activationPrice", "callbackRate"].into_iter().try_for_each(refuse)?;
        if params.flag("closePosition")? == Some(true) {
            let kind = params.text("type").unwrap_or_default();
            let text = format!("Target strategy invalid for orderType '{kind}',closePosition 'true'.");
            return Err(ApiError::new(-4136, text));
        }
    }
    if params.text("timeInForce") != Some("GTD") {
        refuse("goodTillDate")?;
    }
    if call.product == Product::BinanceSpot {
        let unsupported = [
            ("icebergQty", "Iceberg orders are not supported for this symbol."),
            ("trailingDelta", "Trailing stop orders are not supported for this symbol."),
            ("pegPriceType", "Pegged orders are not supported for this symbol."),
        ];
        for (name, text) in unsupported {
            if params.text(name).is_some() {
                return Err(ApiError::new(-1013, text));
            }
        }
        if params.text("quantity").is_some() {
            refuse("quoteOrderQty")?;
        }
    }
    Ok(())
}

/// Whether a client id is well formed.
///
/// # Errors
/// -1100, -4015.
pub(crate) fn check_client_id(product: Product, name: &str, text: &str) -> Result<(), ApiError> {
    let spot = product == Product::BinanceSpot;
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte) || (!spot && b".:/".contains(&byte));
    if text.len() > 36 && !spot {
        return Err(ApiError::new(-4015, "Client order id length should not be more than 36 chars"));
    }
    if text.len() > 36 || !text.bytes().all(legal) {
        let range = if spot { "^[a-zA-Z0-9-_]{1,36}$" } else { "^[\\.A-Z\\:/a-z0-9_-]{1,36}$" };
        return Err(ApiError::illegal(name, range));
    }
    Ok(())
}

/// The self-trade rule.
///
/// # Errors
/// -1013 for one that the symbol does not allow.
pub fn self_trade(call: &Call<'_>) -> Result<SelfTrade, ApiError> {
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

/// A value in the quote asset, at most eight decimals.
///
/// # Errors
/// -1100, -1111, -1013.
pub fn quote_value(name: &str, text: &str) -> Result<QuoteAtoms, ApiError> {
    let scale = Scale::from_increment(b"0.00000001").map_err(|_| ApiError::illegal(name, DECIMAL_RANGE))?;
    let units = decimal(text, name, &scale, true)?.unwrap_or(0);
    if units == 0 {
        return Err(ApiError::new(-1013, "Invalid quote order quantity."));
    }
    Ok(QuoteAtoms(i128::from(units) * i128::try_from(scale.unit_atoms()).unwrap_or(0)))
}

/// A quantity by the listing's rules.
///
/// # Errors
/// The product's codes for what is missing, malformed or off the rules.
pub fn quantity(call: &Call<'_>, listing: &Listing, name: &str) -> Result<Lots, ApiError> {
    let spot = call.product == Product::BinanceSpot;
    let text = call.params.required(name)?;
    let filter = || ApiError::new(-1013, "Filter failure: LOT_SIZE");
    let lots = match decimal(text, name, &listing.quantity, spot)? {
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

/// A price by the listing's rules.
///
/// # Errors
/// The product's codes for what is missing, malformed or off the rules.
pub fn price(call: &Call<'_>, listing: &Listing, name: &str) -> Result<Tick, ApiError> {
    let spot = call.product == Product::BinanceSpot;
    let text = call.params.required(name)?;
    let filter = || ApiError::new(-1013, "Filter failure: PRICE_FILTER");
    let tick = match decimal(text, name, &listing.price, spot)? {
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
