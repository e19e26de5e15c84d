//! COLD: the way of a request through both endpoints: bans, weight, key and signature, faults, order counts, handling.

use super::call::Call;
use super::catalog::{Api, Security};
use super::errors::ApiError;
use super::params::Params;
use super::{BinanceExchange, auth};
use super::{methods, order_changes};
use crate::sim::api::{AccountId, RequestFault, SimRequestKind, SimWindowKind};
use crate::venue::binance::Product;
use serde_json::{Value, json};
use spinbook_engine::types::Nanos;

/// Requests over the weight limit that are still answered 429 before the address is banned.
const REFUSED_BEFORE_BAN: u32 = 20;
/// The first ban; each further one is twice as long.
const BAN_FIRST: Nanos = Nanos::from_seconds(120);
/// The longest.
const BAN_LONGEST: Nanos = Nanos::from_seconds(3 * 24 * 3600);
/// Without a ban for so long, the next one is a first one again.
const BAN_FORGOTTEN: Nanos = Nanos::from_seconds(7 * 24 * 3600);
/// The address that carries weight and connections: all clients of a loopback exchange share one.
pub const ADDRESS: AccountId = AccountId(usize::MAX);

/// Where the address stands with the weight limit.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ban {
    refused: u32,
    until: Nanos,
    /// Bans so far that are not forgotten.
    count: u32,
}

impl Ban {
    fn begin(&mut self, now: Nanos) {
        if now - self.until > BAN_FORGOTTEN {
            self.count = 0;
        }
        let span = BAN_FIRST.0.checked_shl(self.count.min(24)).map_or(BAN_LONGEST.0, |span| span.min(BAN_LONGEST.0));
        *self = Ban { refused: 0, until: now.max(self.until) + Nanos(span), count: self.count + 1 };
    }
}

/// What became of a request.
#[derive(Debug)]
pub struct RequestOutcome {
    /// Result or refusal.
    pub result: Result<Value, ApiError>,
    /// Whose request it was, if that was found out.
    pub account: Option<AccountId>,
    /// What happens to the reply.
    pub fault: RequestFault,
}

impl BinanceExchange {
    /// The server's clock.
    pub(super) fn server_time(&self, now: Nanos) -> Nanos {
        now + self.world.faults.clock_ahead(now)
    }

    /// Somebody at the address has gone too far.
    pub(super) fn ban_address(&mut self, now: Nanos) {
        self.ban.begin(now);
    }

    /// Refuses everything while the address is banned.
    pub(super) fn check_ban(&mut self, now: Nanos) -> Result<(), ApiError> {
        if now >= self.ban.until {
            return Ok(());
        }
        self.status.rate_refusals += 1;
        self.status.ban_refusals += 1;
        Err(banned(self.ban.until, now))
    }

    /// Counts weight; refuses what is too much.
    pub(super) fn charge_weight(&mut self, weight: u64, now: Nanos) -> Result<(), ApiError> {
        self.check_ban(now)?;
        let window = self.world.windows.charge(SimWindowKind::Weight, ADDRESS, weight, now);
        if window.allowed {
            self.ban.refused = 0;
            return Ok(());
        }
        self.status.rate_refusals += 1;
        self.ban.refused += 1;
        if self.ban.refused > REFUSED_BEFORE_BAN {
            self.ban_address(now);
            return Err(banned(self.ban.until, now));
        }
        let message = format!(
            "Too much request weight used; current limit is {} request weight per 1 MINUTE. Please use WebSocket \
             Streams for live updates to avoid polling the API.",
            window.limit
        );
        Err(too_many(-1003, message, window.resets_at, now))
    }

    /// Refuses orders for which a window has no room left; they count when they are accepted.
    fn check_order_windows(&mut self, account: AccountId, orders: u64, now: Nanos) -> Result<(), ApiError> {
        let spans = match self.product {
            Product::BinanceSpot => ["10 SECOND", "1 DAY"],
            Product::BinanceUsdm => ["10 SECOND", "1 MINUTE"],
        };
        for (kind, span) in [SimWindowKind::OrdersShort, SimWindowKind::OrdersLong].into_iter().zip(spans) {
            let window = self.world.windows.usage(kind, account, now);
            if window.used + orders > window.limit {
                self.status.rate_refusals += 1;
                let message = format!("Too many new orders; current limit is {} orders per {span}.", window.limit);
                return Err(too_many(-1015, message, window.resets_at, now));
            }
        }
        Ok(())
    }

    fn count_orders(&mut self, account: AccountId, orders: u64, now: Nanos) {
        for kind in [SimWindowKind::OrdersShort, SimWindowKind::OrdersLong] {
            self.world.windows.charge(kind, account, orders, now);
        }
    }

    /// One request, from weight to result. `session` is who logged the connection on, if anyone.
    pub(super) fn request(
        &mut self,
        api: Api,
        params: &Params,
        api_key: Option<&str>,
        session: Option<AccountId>,
        fault: RequestFault,
        now: Nanos,
    ) -> RequestOutcome {
        let mut outcome = RequestOutcome { result: Ok(json!({})), account: None, fault };
        if outcome.fault == RequestFault::LoseRequest {
            return outcome;
        }
        outcome.result = self.guarded(api, params, api_key, session, &mut outcome.account, &outcome.fault, now);
        self.flush_events(now);
        outcome
    }

    /// What goes wrong with the next request of a kind.
    pub(super) fn fault_of(&mut self, api: Api, now: Nanos) -> RequestFault {
        let kind = match api {
            Api::Place | Api::CancelReplace | Api::BatchPlace => SimRequestKind::Place,
            Api::Cancel | Api::CancelAll | Api::BatchCancel => SimRequestKind::Cancel,
            Api::Depth => SimRequestKind::Snapshot,
            Api::Time => SimRequestKind::Time,
            Api::Subscribe | Api::SubscribeSigned => SimRequestKind::UserData,
            _ => SimRequestKind::Other,
        };
        self.world.faults.request(kind, now)
    }

    #[allow(clippy::too_many_arguments)]
    fn guarded(
        &mut self,
        api: Api,
        params: &Params,
        api_key: Option<&str>,
        session: Option<AccountId>,
        found: &mut Option<AccountId>,
        fault: &RequestFault,
        now: Nanos,
    ) -> Result<Value, ApiError> {
        let weight = api.weight(self.product, params);
        self.charge_weight(weight, now)?;
        refused_by(fault, now)?;
        let account = self.admit(api, params, api_key, session, now)?;
        *found = account;
        let account = account.unwrap_or(ADDRESS);
        let orders = orders_in(api, params);
        if orders > 0 {
            self.check_order_windows(account, orders, now)?;
        }
        let server_time = self.server_time(now);
        match api {
            Api::ListenKeyStart => return Ok(json!({"listenKey": self.start_listen_key(account, now)})),
            Api::ListenKeyKeep => {
                if !self.listen_keys.contains_key(&account) {
                    return Err(ApiError::new(-1125, "This listenKey does not exist."));
                }
                return Ok(json!({"listenKey": self.start_listen_key(account, now)}));
            }
            Api::ListenKeyStop => {
                self.listen_keys.remove(&account);
                return Ok(json!({}));
            }
            _ => {}
        }
        let call = Call { product: self.product, api, params, account, server_time, now };
        let result = match api.is_algo() {
            true => self.algo_request(&call),
            false => methods::handle(&call, &mut self.world),
        };
        // What the venue refuses does not count; the half of a cancel and replace does.
        if orders > 0 && result.as_ref().map_or_else(|error| error.data.is_some(), |_| true) {
            self.count_orders(account, orders, now);
        }
        if api == Api::Place && result.is_ok() && self.product == Product::BinanceSpot {
            self.world.windows.refund(SimWindowKind::Weight, ADDRESS, weight, now);
        }
        result
    }

    /// Who sends it, and whether they may.
    fn admit(
        &self,
        api: Api,
        params: &Params,
        api_key: Option<&str>,
        session: Option<AccountId>,
        now: Nanos,
    ) -> Result<Option<AccountId>, ApiError> {
        let security = api.security();
        if security == Security::Open {
            return Ok(None);
        }
        let by_session = session.is_some() && api_key.is_none();
        let account = match session {
            Some(account) if by_session => account,
            _ => auth::account_of(&self.world, api_key)?,
        };
        if security == Security::Signed {
            let at = self.server_time(now).millis();
            auth::check(&self.world, account, params, !by_session, at)?;
        }
        Ok(Some(account))
    }
}

/// How many orders a request places or gives a new place.
fn orders_in(api: Api, params: &Params) -> u64 {
    match api {
        Api::Place | Api::CancelReplace | Api::Modify | Api::AlgoPlace => 1,
        Api::BatchPlace | Api::BatchModify => {
            order_changes::batch(params).map_or(0, |batch| u64::try_from(batch.len()).unwrap_or(0))
        }
        _ => 0,
    }
}

/// What a fault refuses.
///
/// # Errors
/// The refusal, if it is one.
pub(super) fn refused_by(fault: &RequestFault, now: Nanos) -> Result<(), ApiError> {
    if *fault == RequestFault::Busy {
        let text = "Server is currently overloaded with other requests. Please try again in a few minutes.";
        return Err(ApiError::new(-1008, text).status(503));
    }
    let RequestFault::Refuse { status, code, message, retry_after_seconds } = fault else {
        return Ok(());
    };
    let retry_at_ms = retry_after_seconds.map(|wait| now.millis() + i64::try_from(wait).unwrap_or(0) * 1000);
    let refusal = ApiError::new(*code, message.clone()).status(*status);
    Err(ApiError { retry_after_seconds: *retry_after_seconds, retry_at_ms, ..refusal })
}

fn banned(until: Nanos, now: Nanos) -> ApiError {
    let message = format!(
        "Way too much request weight used; IP banned until {}. Please use WebSocket Streams for live updates to avoid bans.",
        until.millis()
    );
    ApiError { status: 418, ..too_many(-1003, message, until, now) }
}

fn too_many(code: i64, message: String, until: Nanos, now: Nanos) -> ApiError {
    let wait = u64::try_from((until - now).millis().max(0)).unwrap_or(0).div_ceil(1000).max(1);
    ApiError {
        retry_after_seconds: Some(wait),
        retry_at_ms: Some(until.millis()),
        ..ApiError::new(code, message).status(429)
    }
}
