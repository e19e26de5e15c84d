//! COLD: Binance's other side: the protocol of spot and USD-M futures over a simulated world.
//!
//! Sans-IO. REST (`rest`), the WebSocket API (`wsapi`) and streams (`streams`) are three endpoints of the same
//! requests (`catalog`, `requests`, `methods`, `market_data`, `futures`, `orders` and its kin); the market is played by `market_feed`; what happens to orders
//! goes out through `user`.

mod algo;
mod auth;
mod call;
pub mod catalog;
mod clocked_streams;
pub mod connection;
mod edit;
pub mod errors;
pub mod format;
pub mod frames;
mod futures;
pub mod market;
mod market_data;
pub mod market_feed;
mod methods;
mod micros;
mod order_changes;
mod order_params;
mod order_queries;
mod orders;
pub mod params;
mod requests;
mod rest;
pub mod rules;
mod served_market;
pub mod settings;
mod stream_names;
mod streams;
mod user;
mod wsapi;

pub use settings::{BinanceSimulator, binance, usual};

use crate::sim::api::{AccountId, Listing, SimOrder, SimWindowKind};
use crate::sim::fault_plan::VenueAct;
use crate::sim::saved::SavedWorld;
use crate::sim::side::{
    ClientControl, ConnectionId, ExchangeOutput, ExchangeSide, ExchangeStatus, HttpRequest, HttpResponse, MarketFrame,
};
use crate::sim::world::World;
use crate::venue::ProductLine;
use crate::venue::binance::Product;
use crate::venue::binance::frame_text::FramePrinter;
use algo::AlgoOrders;
use clocked_streams::SlowDepths;
use connection::{
    ApiEndpoint, ClientConnection, LIFE, LateRequests, Outbox, SimulatorEndpoint, messages_per_second, ping_interval,
    pong_timeout,
};
use errors::ApiError;
use market_feed::MarketFeed;
use requests::{ADDRESS, Ban};
use spinbook_engine::types::Nanos;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use user::ListenKey;

/// A simulated Binance: one product line.
pub struct BinanceExchange {
    product: Product,
    world: World,
    feed: MarketFeed,
    connections: BTreeMap<ConnectionId, ClientConnection>,
    outbox: Outbox,
    late_requests: LateRequests,
    listen_keys: BTreeMap<AccountId, ListenKey>,
    next_listen_key: u64,
    ban: Ban,
    /// One for each listing, for what is ours in its market.
    printers: Vec<FramePrinter>,
    slow_depths: SlowDepths,
    algos: AlgoOrders,
    status: ExchangeStatus,
    /// What clients asked for that there is not: what was said already, and what is to be said.
    asked_in_vain: BTreeSet<String>,
    notices: VecDeque<String>,
    killed: bool,
}

/// Different things asked for in vain that are told of.
const NOTICES_MAX: usize = 1_000;

impl BinanceExchange {
    /// An exchange over a world and a market. The market is read up to its first snapshot at once and played
    /// from there, at once or as soon as a client asks for a stream.
    #[must_use]
    pub fn new(product: ProductLine, world: World, feed: MarketFeed, now: Nanos) -> BinanceExchange {
        let of = Product::of(product);
        let printer = |listing: &Listing| FramePrinter::new(of, &listing.symbol, listing.price, listing.quantity);
        let mut exchange = BinanceExchange {
            product: of,
            printers: world.listings().iter().map(printer).collect(),
            world,
            feed,
            connections: BTreeMap::new(),
            outbox: Outbox::default(),
            late_requests: LateRequests::default(),
            listen_keys: BTreeMap::new(),
            next_listen_key: 1,
            ban: Ban::default(),
            slow_depths: SlowDepths::new(),
            algos: AlgoOrders::default(),
            status: ExchangeStatus::default(),
            asked_in_vain: BTreeSet::new(),
            notices: VecDeque::new(),
            killed: false,
        };
        exchange.prime(now);
        exchange.world.rest_kept();
        exchange.publish_own(now);
        exchange
    }

    /// Takes over what an earlier exchange kept beside its world.
    ///
    /// # Errors
    /// Which entry it could not have kept.
    pub(super) fn restore_beside(&mut self, kept: &BTreeMap<String, serde_json::Value>) -> Result<(), String> {
        self.algos = AlgoOrders::restored(kept)?;
        Ok(())
    }

    /// The world behind it.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Something was asked for that there is not: worth a line, once.
    fn notice(&mut self, what: String) {
        if self.asked_in_vain.len() < NOTICES_MAX && self.asked_in_vain.insert(what.clone()) {
            self.notices.push_back(what);
        }
    }

    /// Closes a connection; code zero cuts it.
    fn cut(&mut self, id: ConnectionId, code: u16, reason: &str) {
        if self.connections.remove(&id).is_some() {
            self.status.closed += 1;
            self.outbox.close(id, code, reason);
        }
    }

    fn kill(&mut self) {
        self.killed = true;
        let ids: Vec<ConnectionId> = self.connections.keys().copied().collect();
        for id in ids {
            self.outbox.forget(id);
            self.cut(id, 0, "");
        }
    }

    /// What the venue does to all its clients at once.
    fn act(&mut self, now: Nanos) {
        while let Some(act) = self.world.faults.take_act(now) {
            match act {
                VenueAct::Ban => self.ban_address(now),
                VenueAct::FundAll | VenueAct::Fund(_) | VenueAct::Transfer(_) | VenueAct::Liquidate(_) => {
                    self.move_money(act, now);
                }
                VenueAct::Announce => self.announce_shutdown(now),
                VenueAct::Close { announced } => {
                    let stood = |(_, connection): &(&ConnectionId, &ClientConnection)| connection.opened < announced;
                    let ids: Vec<ConnectionId> = self.connections.iter().filter(stood).map(|(id, _)| *id).collect();
                    ids.into_iter().for_each(|id| self.cut(id, 1001, "Server shutdown"));
                }
            }
        }
    }

    /// What is planned of accounts' money.
    fn move_money(&mut self, act: VenueAct, now: Nanos) {
        let plan = self.world.faults.plan().clone();
        let index =
            |symbol: &str| self.world.listings().iter().position(|listing| listing.symbol.eq_ignore_ascii_case(symbol));
        let every = 0..self.world.listings().len();
        match act {
            VenueAct::FundAll => {
                let rate = plan.funding.map_or(0, |regular| regular.rate_millionths);
                every.for_each(|listing| self.world.fund(listing, rate, now));
            }
            VenueAct::Fund(place) => {
                let funding = &plan.fundings[place];
                let wanted = funding.symbol.as_deref().map(index);
                let fits = |listing: &usize| wanted.is_none_or(|wanted| wanted == Some(*listing));
                every.filter(fits).for_each(|listing| self.world.fund(listing, funding.rate_millionths, now));
            }
            VenueAct::Transfer(place) => {
                let transfer = &plan.transfers[place];
                self.world.transfer(AccountId(transfer.account), &transfer.asset, transfer.amount, now);
            }
            VenueAct::Liquidate(place) => {
                let liquidation = &plan.liquidations[place];
                if let Some(listing) = index(&liquidation.symbol) {
                    self.world.liquidate(AccountId(liquidation.account), listing, now);
                }
            }
            VenueAct::Announce | VenueAct::Close { .. } | VenueAct::Ban => {}
        }
    }

    fn announce_shutdown(&mut self, now: Nanos) {
        let event = serde_json::json!({"e": "serverShutdown", "E": self.server_time(now).millis()});
        for (id, connection) in &self.connections {
            let text = match &connection.endpoint {
                SimulatorEndpoint::Stream(stream) if stream.combined => {
                    serde_json::json!({"stream": "!serverShutdown", "data": event})
                }
                SimulatorEndpoint::Stream(_) => event.clone(),
                SimulatorEndpoint::Api(_) => serde_json::json!({"event": event}),
            };
            self.outbox.text(*id, text.to_string().into_bytes());
        }
    }

    fn keep_connections(&mut self, now: Nanos) {
        let due: Vec<ConnectionId> =
            self.connections.iter().filter(|(_, connection)| connection.deadline() <= now).map(|(id, _)| *id).collect();
        for id in due {
            let Some(connection) = self.connections.get_mut(&id) else {
                continue;
            };
            if connection.opened + LIFE <= now {
                self.cut(id, 1001, "Connection reached its maximum life of 24 hours");
            } else if connection.pong_due <= now {
                self.cut(id, 1008, "Pong timeout");
            } else {
                connection.next_ping = now + ping_interval(self.product);
                connection.pong_due = connection.pong_due.min(now + pong_timeout(self.product));
                self.outbox.ping(id, now.millis().to_string().into_bytes());
            }
        }
    }

    fn cut_slow(&mut self) {
        for id in std::mem::take(&mut self.outbox.overflowed) {
            self.outbox.forget(id);
            self.cut(id, 1008, "Client is too slow");
        }
    }

    fn endpoint_for(&self, target: &str, now: Nanos) -> Option<SimulatorEndpoint> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let api_path = match self.product {
            Product::BinanceSpot => "/ws-api/v3",
            Product::BinanceUsdm => "/ws-fapi/v1",
        };
        if path == api_path {
            let rate_limits = !query.split('&').any(|pair| pair == "returnRateLimits=false");
            let asked = query.split('&').filter_map(|pair| pair.strip_prefix("timeUnit=")).any(micros::are_asked);
            let micros = asked && self.product == Product::BinanceSpot;
            return Some(SimulatorEndpoint::Api(ApiEndpoint { rate_limits, micros, ..ApiEndpoint::default() }));
        }
        streams::endpoint_of(self.product, path, query, now).map(SimulatorEndpoint::Stream)
    }
}

impl ExchangeSide for BinanceExchange {
    fn on_http(&mut self, request: &HttpRequest<'_>, now: Nanos) -> HttpResponse {
        self.status.http_requests += 1;
        let response = self.rest(request, now);
        self.cut_slow();
        response
    }

    fn on_websocket_open(&mut self, connection: ConnectionId, target: &str, now: Nanos) -> Result<(), HttpResponse> {
        if self.killed || self.world.faults.is_killed(now) {
            return Err(rest::refuse(&ApiError::new(-1016, "This service is no longer available.").status(503)));
        }
        let Some(endpoint) = self.endpoint_for(target, now) else {
            let path = target.split_once('?').map_or(target, |(path, _)| path);
            self.notice(format!("no stream is at {path}"));
            return Err(rest::refuse(&ApiError::new(-5000, format!("Path {target} is invalid")).status(404)));
        };
        self.check_ban(now).map_err(|error| rest::refuse(&error))?;
        let window = self.world.windows.charge(SimWindowKind::Connections, ADDRESS, 1, now);
        if !window.allowed {
            self.status.rate_refusals += 1;
            let error = ApiError::new(-1003, "Too many connection attempts.").status(429);
            let wait = u64::try_from((window.resets_at - now).millis() / 1000 + 1).unwrap_or(1);
            return Err(rest::refuse(&ApiError { retry_after_seconds: Some(wait), ..error }));
        }
        if matches!(endpoint, SimulatorEndpoint::Api(_)) {
            self.charge_weight(2, now).map_err(|error| rest::refuse(&error))?;
        }
        let opened = ClientConnection::new(endpoint, self.product, now);
        self.connections.insert(connection, opened);
        Ok(())
    }

    fn on_websocket_text(&mut self, connection: ConnectionId, text: &[u8], now: Nanos) {
        self.status.messages += 1;
        match self.connections.get(&connection).map(|found| &found.endpoint) {
            Some(SimulatorEndpoint::Stream(_)) => self.stream_text(connection, text, now),
            Some(SimulatorEndpoint::Api(_)) => self.api_text(connection, text, now),
            None => {}
        }
        self.cut_slow();
    }

    fn on_websocket_control(&mut self, connection: ConnectionId, control: ClientControl, now: Nanos) {
        let limit = messages_per_second(self.product);
        let Some(found) = self.connections.get_mut(&connection) else {
            return;
        };
        if control == ClientControl::Pong {
            found.pong_due = Nanos::NEVER;
        }
        if !found.count_message(limit, now) {
            self.cut(connection, 1008, "Too many requests");
        }
    }

    fn on_websocket_close(&mut self, connection: ConnectionId, _now: Nanos) {
        self.connections.remove(&connection);
        self.outbox.forget(connection);
    }

    fn on_timer(&mut self, now: Nanos) {
        if self.killed {
            return;
        }
        if self.world.faults.is_killed(now) {
            self.kill();
            return;
        }
        self.act(now);
        self.keep_connections(now);
        self.expire_listen_keys(now);
        self.world.on_timer(now);
        self.flush_events(now);
        self.handle_late_requests(now);
        self.outbox.release(now);
        self.play_due(now);
        self.speak_by_the_clock(now);
        self.cut_slow();
    }

    fn next_deadline(&self) -> Nanos {
        if self.killed {
            return Nanos::NEVER;
        }
        let connections = self.connections.values().map(ClientConnection::deadline).min().unwrap_or(Nanos::NEVER);
        let keys = self.listen_keys.values().map(|key| key.expires).min().unwrap_or(Nanos::NEVER);
        let starts = self.feed.is_to_start(self.has_market_client());
        let market = if starts { Nanos::ZERO } else { self.feed.deadline() };
        let fault = self.world.faults.next_deadline(Nanos::ZERO);
        connections
            .min(keys)
            .min(self.outbox.deadline())
            .min(self.late_requests.deadline())
            .min(market)
            .min(fault)
            .min(self.world.next_timer())
            .min(self.clocked_deadline())
    }

    fn poll_output(&mut self) -> Option<ExchangeOutput> {
        self.outbox.pop()
    }

    fn on_market_frame(&mut self, frame: &MarketFrame, now: Nanos) {
        self.play_live(frame, now);
    }

    fn poll_notice(&mut self) -> Option<String> {
        self.notices.pop_front()
    }

    fn take_changes(&mut self, now: Nanos) -> Option<Vec<u8>> {
        if !self.world.keeps_changes() {
            return None;
        }
        let beside = self.algos.take_changes();
        let changes = self.world.take_changes(now);
        if changes.is_none() && beside.is_empty() {
            return None;
        }
        let changes = changes.unwrap_or_else(|| self.world.saved_without_orders(now));
        Some(SavedWorld { beside, ..changes }.to_line())
    }

    fn whole_state(&self, now: Nanos) -> Vec<u8> {
        SavedWorld { beside: self.algos.whole(), ..self.world.saved(now) }.to_line()
    }

    fn status(&self) -> ExchangeStatus {
        ExchangeStatus {
            frames_unread: self.feed.bad_frames,
            market_over: self.feed.is_over(),
            market_error: self.feed.error.clone(),
            ..self.status.clone()
        }
    }

    fn open_orders(&self) -> Vec<SimOrder> {
        self.world.all_open_orders()
    }

    fn open_order_count(&self) -> usize {
        self.world.open_order_count()
    }

    fn check(&self) -> Result<(), String> {
        self.world.check()
    }
}
