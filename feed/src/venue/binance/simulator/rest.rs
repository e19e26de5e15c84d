//! COLD: the REST endpoint.

use super::catalog::{self, Api};
use super::errors::ApiError;
use super::params::Params;
use super::requests::{ADDRESS, RequestOutcome};
use super::{BinanceExchange, methods, micros};
use crate::sim::api::{AccountId, RequestFault, SimWindowKind};
use crate::sim::side::{HttpRequest, HttpResponse};
use crate::venue::binance::Product;
use serde_json::Value;
use spinbook_engine::types::Nanos;

/// A reply with a JSON body.
#[must_use]
pub fn reply(status: u16, body: &Value) -> HttpResponse {
    let headers = vec![("Content-Type".to_owned(), "application/json;charset=UTF-8".to_owned())];
    HttpResponse { status, headers, body: body.to_string().into_bytes() }
}

/// A refusal as a reply.
#[must_use]
pub fn refuse(error: &ApiError) -> HttpResponse {
    let mut response = reply(error.status, &error.body());
    if let Some(seconds) = error.retry_after_seconds {
        response.headers.push(("Retry-After".to_owned(), seconds.to_string()));
    }
    response
}

impl BinanceExchange {
    /// Answers one HTTP request.
    pub(super) fn rest(&mut self, request: &HttpRequest<'_>, now: Nanos) -> HttpResponse {
        if self.world.faults.is_killed(now) {
            return refuse(&ApiError::new(-1016, "This service is no longer available.").status(503));
        }
        let (path, _) = request.path_and_query();
        let api = match catalog::rest(self.product, request.method, path) {
            Ok(api) => api,
            Err(known) => {
                let message = format!("Path {path}, Method {} is invalid", request.method);
                self.notice(format!("no request is {} {path}", request.method));
                return refuse(&ApiError::new(-5000, message).status(if known { 405 } else { 404 }));
            }
        };
        let params = match Params::from_http(request) {
            Ok(params) => params,
            Err(error) => return refuse(&error),
        };
        let fault = self.fault_of(api, now);
        let mut outcome = self.request(api, &params, request.header("X-MBX-APIKEY"), None, fault, now);
        let asked = request.header("X-MBX-TIME-UNIT").is_some_and(micros::are_asked);
        if let (Ok(result), true, Product::BinanceSpot) = (&mut outcome.result, asked, self.product) {
            micros::tell(result);
        }
        let mut response = answer(&outcome);
        self.add_usage(&mut response, api, outcome.account, now);
        if let Some((status, body)) = self.world.faults.answer(path) {
            (response.status, response.body) = (status, body);
        }
        response
    }

    fn add_usage(&self, response: &mut HttpResponse, api: Api, account: Option<AccountId>, now: Nanos) {
        let used = self.world.windows.usage(SimWindowKind::Weight, ADDRESS, now).used;
        response.headers.push(("X-MBX-USED-WEIGHT".to_owned(), used.to_string()));
        response.headers.push(("X-MBX-USED-WEIGHT-1M".to_owned(), used.to_string()));
        let Some(account) = account else { return };
        if !api.trades() {
            return;
        }
        let long = if self.product == Product::BinanceSpot { "1D" } else { "1M" };
        let names = ["10S", long];
        for ((kind, ..), name) in methods::window_names(self.product)[1..].iter().zip(names) {
            let used = self.world.windows.usage(*kind, account, now).used;
            response.headers.push((format!("X-MBX-ORDER-COUNT-{name}"), used.to_string()));
        }
    }
}

fn answer(outcome: &RequestOutcome) -> HttpResponse {
    if matches!(outcome.fault, RequestFault::LoseReply | RequestFault::LoseRequest | RequestFault::HideOutcome) {
        return refuse(&ApiError::outcome_unknown());
    }
    match &outcome.result {
        Ok(result) => reply(200, result),
        Err(error) => refuse(error),
    }
}
