//! COLD: the refusals of the simulated Binance, with the codes and texts the real one answers.

use super::format;
use crate::sim::api::{Listing, SimRefusal};
use crate::venue::binance::Product;
use serde_json::{Value, json};

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// HTTP status.
    pub status: u16,
    /// Binance's code.
    pub code: i64,
    /// Text.
    pub message: String,
    /// Seconds to wait, for the `Retry-After` header.
    pub retry_after_seconds: Option<u64>,
    /// When to come back, in ms since the epoch, for the WebSocket API.
    pub retry_at_ms: Option<i64>,
    /// What became of the parts of a request that was refused in part.
    pub data: Option<Box<Value>>,
}

impl ApiError {
    /// A refusal with status 400.
    pub fn new(code: i64, message: impl Into<String>) -> ApiError {
        ApiError {
            status: 400,
            code,
            message: message.into(),
            retry_after_seconds: None,
            retry_at_ms: None,
            data: None,
        }
    }

    /// The same with another status.
    #[must_use]
    pub fn status(self, status: u16) -> ApiError {
        ApiError { status, ..self }
    }

    /// Whether it was executed is not known.
    #[must_use]
    pub fn outcome_unknown() -> ApiError {
        let text = "Timeout waiting for response from backend server. Send status unknown; execution status unknown.";
        ApiError::new(-1007, text).status(504)
    }

    /// A mandatory parameter is missing.
    #[must_use]
    pub fn missing(name: &str) -> ApiError {
        ApiError::new(-1102, format!("Mandatory parameter '{name}' was not sent, was empty/null, or malformed."))
    }

    /// A parameter has characters it may not have.
    #[must_use]
    pub fn illegal(name: &str, range: &str) -> ApiError {
        ApiError::new(-1100, format!("Illegal characters found in parameter '{name}'; legal range is '{range}'."))
    }

    /// A parameter has a value that it may not have.
    #[must_use]
    pub fn invalid(name: &str) -> ApiError {
        ApiError::new(-1130, format!("Data sent for parameter '{name}' is not valid."))
    }

    /// A parameter contradicts the others.
    #[must_use]
    pub fn not_required(name: &str) -> ApiError {
        ApiError::new(-1106, format!("Parameter '{name}' sent when not required."))
    }

    /// The body of a REST refusal.
    #[must_use]
    pub fn body(&self) -> Value {
        let mut body = json!({"code": self.code, "msg": self.message});
        if let Some(data) = &self.data {
            body["data"] = (**data).clone();
        }
        body
    }

    /// The `error` object of a WebSocket API refusal.
    #[must_use]
    pub fn frame(&self, server_time_ms: i64) -> Value {
        match self.retry_at_ms {
            None => self.body(),
            Some(at) => json!({
                "code": self.code, "msg": self.message,
                "data": {"serverTime": server_time_ms, "retryAfter": at},
            }),
        }
    }

    /// Unknown symbol.
    #[must_use]
    pub fn bad_symbol() -> ApiError {
        ApiError::new(-1121, "Invalid symbol.")
    }

    /// What a refusal of the world is on this product.
    #[must_use]
    pub(crate) fn from_refusal(refusal: SimRefusal, listing: &Listing, product: Product) -> ApiError {
        let spot = product == Product::BinanceSpot;
        let (code, message) = match refusal {
            SimRefusal::InsufficientBalance => (-2010, "Account has insufficient balance for requested action."),
            SimRefusal::InsufficientMargin => (-2019, "Margin is insufficient."),
            SimRefusal::WouldMatch if spot => (-2010, "Order would immediately match and take."),
            SimRefusal::WouldMatch => (
                -5022,
                "Due to the order could not be executed as maker, the Post Only order will be rejected. The order will \
                 not be recorded in the order history",
            ),
            SimRefusal::NotFillable => (
                -5021,
                "Due to the order could not be filled immediately, the FOK order has been rejected. The order will not \
                 be recorded in the order history",
            ),
            SimRefusal::DuplicateClientId if spot => (-2010, "Duplicate order sent."),
            SimRefusal::DuplicateClientId => (-4116, "ClientOrderId is duplicated."),
            SimRefusal::UnknownOrder => (-2011, "Unknown order sent."),
            SimRefusal::ReduceOnly => (-2022, "ReduceOnly Order is rejected."),
            SimRefusal::TooManyOrders if spot => (-1013, "Filter failure: MAX_NUM_ORDERS"),
            SimRefusal::TooManyOrders => (-2025, "Reach max open order limit."),
            SimRefusal::PriceTooHigh(_) | SimRefusal::PriceTooLow(_) if spot => {
                (-1013, "Filter failure: PERCENT_PRICE_BY_SIDE")
            }
            SimRefusal::PriceTooHigh(tick) => {
                let text = format!("Limit price can't be higher than {}.", format::price(listing, tick));
                return ApiError::new(-4016, text);
            }
            SimRefusal::PriceTooLow(tick) => {
                let text = format!("Limit price can't be lower than {}.", format::price(listing, tick));
                return ApiError::new(-4024, text);
            }
            SimRefusal::PositionLimit => (-2027, "Exceeded the maximum allowable position at current leverage."),
            SimRefusal::Notional if spot => (-1013, "Filter failure: NOTIONAL"),
            SimRefusal::Notional => {
                (-4164, "Order's notional must be no smaller than the minimum (unless you choose reduce only).")
            }
            SimRefusal::WouldTrigger if spot => (-2010, "Stop price would trigger immediately."),
            SimRefusal::WouldTrigger => (-2021, "Order would immediately trigger."),
            SimRefusal::AmendRejected if spot => {
                (-2038, "Order amend rejected: the new quantity must be less than the order's and more than is filled.")
            }
            SimRefusal::AmendRejected => (-5025, "Only limit orders can be modified."),
            SimRefusal::NoChange => (-5027, "No need to modify the order."),
            SimRefusal::NoMarket => {
                let text = "Server is currently overloaded with other requests. Please try again in a few minutes.";
                return ApiError::new(-1008, text).status(503);
            }
        };
        ApiError::new(code, message)
    }
}
