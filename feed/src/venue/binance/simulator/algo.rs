//! COLD: USD-M conditional orders, which a service beside the book keeps until their price is reached.

use super::call::Call;
use super::catalog::Api;
use super::errors::ApiError;
use super::{BinanceExchange, format, order_params, orders};
use crate::sim::api::{
    AccountId, Lifetime, ListingIndex, OrderKey, OrderKind, SimOrderRequest, SimRefusal, SimTrigger,
};
use crate::sim::whole;
use crate::sim::world::World;
use crate::venue::binance::Product;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use spinbook_engine::types::{Lots, Nanos, QuoteAtoms, Side, Tick};
use std::collections::{BTreeMap, BTreeSet};

/// How many conditional orders an account may have waiting.
const WAITING_MAX: usize = 200;
/// What a kept conditional order's name begins with; its number follows.
const KEPT_NAME: &str = "algo-order/";

/// Where a conditional order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum AlgoStatus {
    New,
    Triggered,
    Finished,
    Canceled,
    Rejected,
}

impl AlgoStatus {
    fn name(self) -> &'static str {
        match self {
            AlgoStatus::New => "NEW",
            AlgoStatus::Triggered => "TRIGGERED",
            AlgoStatus::Finished => "FINISHED",
            AlgoStatus::Canceled => "CANCELED",
            AlgoStatus::Rejected => "REJECTED",
        }
    }
}

/// One conditional order.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct AlgoOrder {
    id: u64,
    /// The venue's name of its type.
    kind: String,
    /// The order that it becomes; its client id is the conditional one's.
    request: SimOrderRequest,
    trigger: SimTrigger,
    by_mark: bool,
    closes_position: bool,
    status: AlgoStatus,
    /// The order that it became.
    order: Option<u64>,
    #[serde(with = "whole")]
    created: Nanos,
    #[serde(with = "whole")]
    updated: Nanos,
    /// When it was set off; zero: not yet.
    #[serde(with = "whole")]
    triggered: Nanos,
    /// Why it was rejected.
    reason: String,
}

/// All conditional orders, and the number of the next.
#[derive(Debug)]
pub(super) struct AlgoOrders {
    orders: BTreeMap<u64, AlgoOrder>,
    next: u64,
    /// Those that changed since it was asked last.
    changed: BTreeSet<u64>,
}

impl Default for AlgoOrders {
    fn default() -> AlgoOrders {
        AlgoOrders { orders: BTreeMap::new(), next: 3_000_000_001, changed: BTreeSet::new() }
    }
}

impl AlgoOrders {
    /// Those that an earlier exchange kept.
    ///
    /// # Errors
    /// Which entry is none.
    pub(super) fn restored(kept: &BTreeMap<String, Value>) -> Result<AlgoOrders, String> {
        let mut algos = AlgoOrders::default();
        for (name, value) in kept.iter().filter(|(name, _)| name.starts_with(KEPT_NAME)) {
            let algo = AlgoOrder::deserialize(value).map_err(|error| format!("{name}: {error}"))?;
            algos.next = algos.next.max(algo.id + 1);
            algos.orders.insert(algo.id, algo);
        }
        Ok(algos)
    }

    /// What is kept of those that changed since this was asked last.
    pub(super) fn take_changes(&mut self) -> BTreeMap<String, Value> {
        std::mem::take(&mut self.changed).iter().filter_map(|id| self.kept(*id)).collect()
    }

    /// What is kept of all.
    pub(super) fn whole(&self) -> BTreeMap<String, Value> {
        self.orders.keys().filter_map(|id| self.kept(*id)).collect()
    }

    fn kept(&self, id: u64) -> Option<(String, Value)> {
        let algo = self.orders.get(&id)?;
        Some((format!("{KEPT_NAME}{id}"), serde_json::to_value(algo).expect("numbers and texts are JSON")))
    }
}

fn new_algo(call: &Call<'_>, world: &World, id: u64) -> Result<AlgoOrder, ApiError> {
    let params = call.params;
    if params.required("algoType")? != "CONDITIONAL" {
        return Err(ApiError::invalid("algoType"));
    }
    let index = call.listing(world)?;
    let listing = &world.listings()[index];
    let side = orders::side(call)?;
    orders::check_position_side(call)?;
    let kind = params.required("type")?;
    let (takes_profit, by_limit) = match kind {
        "STOP" => (false, true),
        "STOP_MARKET" => (false, false),
        "TAKE_PROFIT" => (true, true),
        "TAKE_PROFIT_MARKET" => (true, false),
        _ => return Err(ApiError::new(-1116, "Invalid orderType.")),
    };
    let closes_position = params.flag("closePosition")? == Some(true);
    if closes_position && by_limit {
        let text = format!("Target strategy invalid for orderType '{kind}',closePosition 'true'.");
        return Err(ApiError::new(-4136, text));
    }
    for name in ["quantity", "reduceOnly"] {
        if closes_position && params.text(name).is_some() {
            return Err(ApiError::not_required(name));
        }
    }
    if !by_limit && params.text("price").is_some() {
        return Err(ApiError::not_required("price"));
    }
    let lots = if closes_position { Lots::ZERO } else { order_params::quantity(call, listing, "quantity")? };
    let timed = by_limit && params.text("timeInForce").is_some();
    let by_mark = match params.text("workingType") {
        None | Some("CONTRACT_PRICE") => false,
        Some("MARK_PRICE") => true,
        Some(_) => return Err(ApiError::invalid("workingType")),
    };
    let client_id = match params.text("clientAlgoId") {
        Some(text) => {
            order_params::check_client_id(call.product, "clientAlgoId", text)?;
            text.to_owned()
        }
        None => format!("simalgo{id}"),
    };
    let request = SimOrderRequest {
        account: call.account,
        listing: index,
        side,
        kind: if by_limit { OrderKind::Limit } else { OrderKind::Market },
        lifetime: match (by_limit, timed) {
            (true, true) => orders::lifetime(call)?,
            (true, false) => Lifetime::GoodTillCancel,
            (false, _) => Lifetime::ImmediateOrCancel,
        },
        tick: if by_limit { orders::limit_price(call, world, index, side)? } else { Tick(0) },
        lots,
        client_id,
        reduce_only: closes_position || params.flag("reduceOnly")? == Some(true),
        self_trade: order_params::self_trade(call)?,
        trigger: None,
        expires: orders::good_till(call)?,
        quote_asked: QuoteAtoms::ZERO,
    };
    let trigger = orders::trigger(call, listing, side, takes_profit, "triggerPrice")?;
    Ok(AlgoOrder {
        id,
        kind: kind.to_owned(),
        request,
        trigger,
        by_mark,
        closes_position,
        status: AlgoStatus::New,
        order: None,
        created: call.now,
        updated: call.now,
        triggered: Nanos::ZERO,
        reason: String::new(),
    })
}

/// The price that sets conditional orders off: the last trade's, or the mid.
fn working_price(world: &World, index: ListingIndex, by_mark: bool) -> Option<Tick> {
    if !by_mark {
        return world.last_tick(index);
    }
    let (bid, ask) = world.best(index);
    Some(Tick((bid?.tick.0 + ask?.tick.0) / 2))
}

impl AlgoOrder {
    /// As requests print it.
    fn shown(&self, world: &World) -> Value {
        let listing = &world.listings()[self.request.listing];
        let request = &self.request;
        let became = self.order.map_or_else(String::new, |id| id.to_string());
        json!({
            "algoId": self.id, "clientAlgoId": request.client_id, "algoType": "CONDITIONAL", "orderType": self.kind,
            "symbol": listing.symbol, "side": format::side(request.side), "positionSide": "BOTH",
            "timeInForce": format::time_in_force(request, Product::BinanceUsdm),
            "quantity": format::quantity(listing, request.lots), "algoStatus": self.status.name(),
            "actualOrderId": became, "triggerPrice": format::price(listing, self.trigger.tick),
            "price": format::limit_price(listing, request), "icebergQuantity": Value::Null,
            "selfTradePreventionMode": format::self_trade(request.self_trade), "workingType": self.working_type(),
            "priceMatch": "NONE", "closePosition": self.closes_position, "priceProtect": false,
            "reduceOnly": request.reduce_only, "activatePrice": "", "callbackRate": "",
            "createTime": self.created.millis(), "updateTime": self.updated.millis(),
            "triggerTime": self.triggered.millis(), "goodTillDate": format::good_till_ms(request),
        })
    }

    fn working_type(&self) -> &'static str {
        if self.by_mark { "MARK_PRICE" } else { "CONTRACT_PRICE" }
    }

    /// As the user stream tells it.
    fn told(&self, world: &World, at: i64) -> Value {
        let listing = &world.listings()[self.request.listing];
        let request = &self.request;
        let mut inner = json!({
            "caid": request.client_id, "aid": self.id, "at": "CONDITIONAL", "o": self.kind, "s": listing.symbol,
            "S": format::side(request.side), "ps": "BOTH",
            "f": format::time_in_force(request, Product::BinanceUsdm),
            "q": format::quantity(listing, request.lots), "X": self.status.name(),
            "ai": self.order.map_or_else(String::new, |id| id.to_string()), "act": "0",
            "tp": format::price(listing, self.trigger.tick), "p": format::limit_price(listing, request),
            "V": format::self_trade(request.self_trade), "wt": self.working_type(), "pm": "NONE",
            "cp": self.closes_position, "pP": false, "R": request.reduce_only,
            "tt": self.triggered.millis(), "gtd": format::good_till_ms(request), "rm": self.reason,
        });
        let found = self.order.and_then(|id| world.order(request.account, request.listing, OrderKey::Id(id)));
        if let Some(order) = found {
            inner["ap"] = json!(format::average_price(listing, order.filled_value, order.filled, 5));
            inner["aq"] = json!(format::quantity(listing, order.filled));
        }
        json!({"e": "ALGO_UPDATE", "T": at, "E": at, "o": inner})
    }
}

impl BinanceExchange {
    /// Requests of the service for conditional orders.
    pub(super) fn algo_request(&mut self, call: &Call<'_>) -> Result<Value, ApiError> {
        order_params::check_names(call)?;
        let done = || json!({"code": 200, "msg": "The operation of cancel all open order is done."});
        match call.api {
            Api::AlgoPlace => self.place_algo(call),
            Api::AlgoOpen | Api::AlgoAll => {
                let wanted = call.listing_if_named(&self.world)?;
                let fits = |algo: &&AlgoOrder| {
                    algo.request.account == call.account
                        && wanted.is_none_or(|wanted| wanted == algo.request.listing)
                        && (call.api == Api::AlgoAll || algo.status == AlgoStatus::New)
                };
                Ok(self.algos.orders.values().filter(fits).map(|algo| algo.shown(&self.world)).collect())
            }
            Api::AlgoCancelAll => {
                let index = call.listing(&self.world)?;
                for id in self.waiting_algos(call.account, Some(index)) {
                    self.end_algo(id, AlgoStatus::Canceled, call.now);
                }
                Ok(done())
            }
            _ => {
                let id = self.named_algo(call)?;
                let algo = self.algos.orders.get(&id).filter(|algo| algo.request.account == call.account);
                let algo = algo.ok_or_else(|| ApiError::new(-2013, "Order does not exist."))?;
                if call.api == Api::AlgoQuery {
                    return Ok(algo.shown(&self.world));
                }
                if algo.status != AlgoStatus::New {
                    return Err(ApiError::new(-2011, "Unknown order sent."));
                }
                let name = algo.request.client_id.clone();
                self.end_algo(id, AlgoStatus::Canceled, call.now);
                Ok(json!({"algoId": id, "clientAlgoId": name, "code": "200", "msg": "success"}))
            }
        }
    }

    fn named_algo(&self, call: &Call<'_>) -> Result<u64, ApiError> {
        if let Some(id) = call.params.integer("algoId")? {
            return Ok(id.unsigned_abs());
        }
        let name = call.params.required("clientAlgoId")?;
        let named = |algo: &&AlgoOrder| algo.request.account == call.account && algo.request.client_id == name;
        Ok(self.algos.orders.values().rev().find(named).map_or(0, |algo| algo.id))
    }

    fn waiting_algos(&self, account: AccountId, listing: Option<ListingIndex>) -> Vec<u64> {
        let waits = |algo: &&AlgoOrder| {
            algo.status == AlgoStatus::New
                && algo.request.account == account
                && listing.is_none_or(|listing| listing == algo.request.listing)
        };
        self.algos.orders.values().filter(waits).map(|algo| algo.id).collect()
    }

    fn place_algo(&mut self, call: &Call<'_>) -> Result<Value, ApiError> {
        let algo = new_algo(call, &self.world, self.algos.next)?;
        let listing = algo.request.listing;
        let refuse = |refusal| orders::refused(call, &self.world, listing, refusal);
        let price = working_price(&self.world, listing, algo.by_mark).ok_or_else(|| refuse(SimRefusal::NoMarket))?;
        if algo.trigger.is_reached(price) {
            return Err(refuse(SimRefusal::WouldTrigger));
        }
        let waiting = self.waiting_algos(call.account, None);
        if waiting.len() >= WAITING_MAX {
            return Err(ApiError::new(-4045, "Reach max stop order limit."));
        }
        let same = |id: &u64| self.algos.orders[id].request.client_id == algo.request.client_id;
        if waiting.iter().any(same) {
            return Err(refuse(SimRefusal::DuplicateClientId));
        }
        self.algos.next += 1;
        let shown = algo.shown(&self.world);
        let id = algo.id;
        self.algos.orders.insert(id, algo);
        self.tell_algo(id, call.now);
        Ok(shown)
    }

    fn end_algo(&mut self, id: u64, status: AlgoStatus, now: Nanos) {
        if let Some(algo) = self.algos.orders.get_mut(&id) {
            algo.status = status;
            algo.updated = now;
        }
        self.tell_algo(id, now);
    }

    fn tell_algo(&mut self, id: u64, now: Nanos) {
        self.algos.changed.insert(id);
        let at = self.server_time(now).millis();
        let told = self.algos.orders.get(&id).map(|algo| (algo.request.account, algo.told(&self.world, at)));
        if let Some((account, message)) = told {
            self.send_user(account, &message, now);
        }
    }

    /// Sets off what the market has reached, and ends what has become an order that ended.
    pub(super) fn follow_algos(&mut self, now: Nanos) {
        // All are judged by the same prices: what one sets off trades, and would move them for the next.
        let (mut ended, mut reached) = (Vec::new(), Vec::new());
        for algo in self.algos.orders.values() {
            let request = &algo.request;
            if algo.status == AlgoStatus::Triggered {
                let key = OrderKey::Id(algo.order.unwrap_or(0));
                let order = self.world.order(request.account, request.listing, key);
                if order.is_none_or(|order| !order.status.is_open()) {
                    ended.push(algo.id);
                }
            } else if algo.status == AlgoStatus::New {
                let price = working_price(&self.world, request.listing, algo.by_mark);
                if price.is_some_and(|price| algo.trigger.is_reached(price)) {
                    reached.push(algo.id);
                }
            }
        }
        for id in ended {
            self.end_algo(id, AlgoStatus::Finished, now);
        }
        for id in reached {
            self.set_off_algo(id, now);
        }
    }

    fn set_off_algo(&mut self, id: u64, now: Nanos) {
        let Some(algo) = self.algos.orders.get_mut(&id) else { return };
        algo.triggered = now;
        let mut request = algo.request.clone();
        if algo.closes_position {
            let held = self.world.position(request.account, request.listing).lots.0;
            let closes = (held > 0) == (request.side == Side::Ask);
            request.lots = Lots(if closes { held.abs() } else { 0 });
        }
        let index = request.listing;
        let placed = match request.lots.is_zero() {
            true => Err(SimRefusal::ReduceOnly),
            false => self.world.place(request, now),
        };
        let status = match placed {
            Ok(order) => {
                algo.order = Some(order);
                AlgoStatus::Triggered
            }
            Err(refusal) => {
                let listing = &self.world.listings()[index];
                algo.reason = ApiError::from_refusal(refusal, listing, self.product).message;
                AlgoStatus::Rejected
            }
        };
        self.end_algo(id, status, now);
    }
}
