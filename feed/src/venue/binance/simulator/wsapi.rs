//! COLD: the WebSocket API endpoint: requests, sessions and user data subscriptions.

use super::catalog::{self, Api};
use super::connection::{ApiEndpoint, SimulatorEndpoint};
use super::errors::ApiError;
use super::params::Params;
use super::requests::{ADDRESS, RequestOutcome, refused_by};
use super::{BinanceExchange, auth, methods, micros};
use crate::sim::api::{AccountId, AccountKey, RequestFault};
use crate::sim::side::ConnectionId;
use serde_json::{Map, Value, json};
use spinbook_engine::types::Nanos;

impl BinanceExchange {
    /// A text message of a WebSocket API client.
    pub(super) fn api_text(&mut self, id: ConnectionId, text: &[u8], now: Nanos) {
        self.api_request(id, text, false, now);
    }

    /// Handles the requests that were held up and are due.
    pub(super) fn handle_late_requests(&mut self, now: Nanos) {
        while let Some((id, text)) = self.late_requests.take_due(now) {
            self.api_request(id, &text, true, now);
        }
    }

    fn api_request(&mut self, id: ConnectionId, text: &[u8], was_late: bool, now: Nanos) {
        let request: Value = match serde_json::from_slice(text) {
            Ok(request @ Value::Object(_)) => request,
            _ => {
                let error = ApiError::new(-1135, "Invalid JSON Request");
                return self.api_reply(id, &Value::Null, Err(error), &RequestFault::None, None, now);
            }
        };
        let request_id = request.get("id").cloned().unwrap_or(Value::Null);
        let name = request.get("method").and_then(Value::as_str).unwrap_or("");
        let empty = Map::new();
        let params = match request.get("params") {
            None | Some(Value::Null) => Ok(Params::default()),
            Some(Value::Object(object)) => Params::from_object(object),
            Some(_) => Params::from_object(&empty).and(Err(ApiError::illegal("params", "an object"))),
        };
        let params = match (params, &request_id) {
            (Ok(params), Value::String(_) | Value::Number(_) | Value::Null) => params,
            (Ok(_), _) => {
                let error = ApiError::illegal("id", "int64, string of at most 36 characters, or null");
                return self.api_reply(id, &Value::Null, Err(error), &RequestFault::None, None, now);
            }
            (Err(error), _) => return self.api_reply(id, &request_id, Err(error), &RequestFault::None, None, now),
        };
        let Some(api) = catalog::method(self.product, name) else {
            self.notice(format!("no WebSocket request is {name:?}"));
            let error = match name {
                "" => ApiError::missing("method"),
                _ => ApiError::new(-1131, format!("Unknown method '{name}'.")),
            };
            return self.api_reply(id, &request_id, Err(error), &RequestFault::None, None, now);
        };
        let session = self.api_endpoint(id).and_then(|endpoint| endpoint.session);
        let fault = match was_late {
            true => RequestFault::None,
            false => match self.fault_of(api, now) {
                RequestFault::None => self.world.faults.random_request(now),
                planned => planned,
            },
        };
        if let RequestFault::DelayRequest(wait) = fault {
            return self.late_requests.hold(now + wait, id, text.to_vec());
        }
        let outcome = match api {
            Api::Logon
            | Api::SessionStatus
            | Api::Logout
            | Api::Subscribe
            | Api::SubscribeSigned
            | Api::Unsubscribe => {
                let weighed = self.charge_weight(api.weight(self.product, &params), now);
                let admitted = weighed.and_then(|()| refused_by(&fault, now));
                let result = match fault {
                    RequestFault::LoseRequest => Ok(Value::Null),
                    _ => admitted.and_then(|()| self.session_request(id, api, &params, now)),
                };
                RequestOutcome { result, account: session, fault }
            }
            _ => self.request(api, &params, params.text("apiKey"), session, fault, now),
        };
        let asked = params.text("returnRateLimits").map(|text| text == "true");
        self.api_reply(id, &request_id, outcome.result, &outcome.fault, Some((outcome.account, asked)), now);
    }

    fn api_endpoint(&mut self, id: ConnectionId) -> Option<&mut ApiEndpoint> {
        match &mut self.connections.get_mut(&id)?.endpoint {
            SimulatorEndpoint::Api(endpoint) => Some(endpoint),
            SimulatorEndpoint::Stream(_) => None,
        }
    }

    fn api_reply(
        &mut self,
        id: ConnectionId,
        request_id: &Value,
        result: Result<Value, ApiError>,
        fault: &RequestFault,
        limits: Option<(Option<AccountId>, Option<bool>)>,
        now: Nanos,
    ) {
        let mut reply = json!({"id": request_id});
        let result = if *fault == RequestFault::HideOutcome { Err(ApiError::outcome_unknown()) } else { result };
        match result {
            Ok(result) => {
                reply["status"] = json!(200);
                reply["result"] = result;
            }
            Err(error) => {
                reply["status"] = json!(error.status);
                reply["error"] = error.frame(self.server_time(now).millis());
            }
        }
        let (account, asked) = limits.unwrap_or((None, None));
        if asked.unwrap_or_else(|| self.api_endpoint(id).is_some_and(|endpoint| endpoint.rate_limits)) {
            reply["rateLimits"] = self.window_counts(account, now);
        }
        if self.api_endpoint(id).is_some_and(|endpoint| endpoint.micros) {
            micros::tell(&mut reply);
        }
        let text = reply.to_string().into_bytes();
        match fault {
            RequestFault::LoseReply | RequestFault::LoseRequest => {}
            RequestFault::ReplyTwice => {
                self.outbox.text(id, text.clone());
                self.outbox.text(id, text);
            }
            RequestFault::DelayReply(wait) => self.outbox.text_at(now + *wait, id, text),
            _ => self.outbox.text(id, text),
        }
    }

    fn window_counts(&self, account: Option<AccountId>, now: Nanos) -> Value {
        let mut counts = Vec::new();
        for (index, (kind, name, interval, number)) in methods::window_names(self.product).into_iter().enumerate() {
            let owner = if index == 0 { Some(ADDRESS) } else { account };
            let Some(owner) = owner else { continue };
            let window = self.world.windows.usage(kind, owner, now);
            counts.push(json!({
                "rateLimitType": name, "interval": interval, "intervalNum": number,
                "limit": window.limit, "count": window.used,
            }));
        }
        Value::Array(counts)
    }

    fn session_request(&mut self, id: ConnectionId, api: Api, params: &Params, now: Nanos) -> Result<Value, ApiError> {
        match api {
            Api::Logon => {
                let account = self.signed_by(params, now)?;
                if !matches!(self.world.key_of(account), AccountKey::Ed25519Public(_)) {
                    let text = "HMAC_SHA256 API key is not supported.";
                    return Err(ApiError::new(-4056, text));
                }
                let at = self.server_time(now);
                if let Some(endpoint) = self.api_endpoint(id) {
                    endpoint.session = Some(account);
                    endpoint.authorized_since = at;
                }
                Ok(self.session_status(id, now))
            }
            Api::Logout => {
                if let Some(endpoint) = self.api_endpoint(id) {
                    endpoint.session = None;
                    endpoint.subscriptions.clear();
                }
                Ok(self.session_status(id, now))
            }
            Api::Subscribe => {
                let unauthorized =
                    || ApiError::new(-1002, "You are not authorized to execute this request.").status(401);
                let account = self.api_endpoint(id).and_then(|endpoint| endpoint.session).ok_or_else(unauthorized)?;
                self.subscribe(id, account)
            }
            Api::SubscribeSigned => {
                let account = self.signed_by(params, now)?;
                self.subscribe(id, account)
            }
            Api::Unsubscribe => {
                let number = params.integer("subscriptionId")?;
                if let Some(endpoint) = self.api_endpoint(id) {
                    endpoint
                        .subscriptions
                        .retain(|(other, _)| number.is_some_and(|number| number != i64::from(*other)));
                }
                Ok(json!({}))
            }
            _ => Ok(self.session_status(id, now)),
        }
    }

    fn signed_by(&self, params: &Params, now: Nanos) -> Result<AccountId, ApiError> {
        let account = auth::account_of(&self.world, Some(params.required("apiKey")?))?;
        auth::check(&self.world, account, params, true, self.server_time(now).millis())?;
        Ok(account)
    }

    fn subscribe(&mut self, id: ConnectionId, account: AccountId) -> Result<Value, ApiError> {
        let endpoint = self.api_endpoint(id).ok_or_else(|| ApiError::new(-1000, "Unknown error."))?;
        if endpoint.subscriptions.iter().any(|(_, owner)| *owner == account) {
            return Err(ApiError::new(-2035, "User Data Stream subscription already active."));
        }
        let number = endpoint.next_subscription;
        endpoint.next_subscription += 1;
        endpoint.subscriptions.push((number, account));
        Ok(json!({"subscriptionId": number}))
    }

    fn session_status(&mut self, id: ConnectionId, now: Nanos) -> Value {
        let at = self.server_time(now).millis();
        let opened = self.connections.get(&id).map_or(0, |connection| connection.opened.millis());
        let endpoint = self.api_endpoint(id).map(|endpoint| endpoint.clone()).unwrap_or_default();
        let key = endpoint.session.map(|account| self.world.api_key_of(account));
        json!({
            "apiKey": key,
            "authorizedSince": endpoint.session.map(|_| endpoint.authorized_since.millis()),
            "connectedSince": opened,
            "returnRateLimits": endpoint.rate_limits,
            "serverTime": at,
            "userDataStream": !endpoint.subscriptions.is_empty(),
        })
    }
}
