//! COLD: a session's life: connect, clock, log on, user data, sweep of open orders, ready, shutdown.
//!
//! Level-triggered: after every input `pump` looks at the whole state and sends what is due, so a lost reply
//! or a closed window only delays a step.

use spinbook_engine::event::{ExecutionEvent, ExecutionKind};
use spinbook_engine::types::{InstrumentId, Nanos, OrderId, VenueCode};

use super::link::LinkState;
use super::orders::CancelState;
use super::throttle::Urgency;
use super::{CloseReason, Gateway, GatewayConnection, GatewayMode, Queued};
use crate::venue::order_ids::VenueOrderId;
use crate::venue::orders::{OrderName, Request, RequestKind};

/// Attempts at one step before the connection is given up.
const STEP_ATTEMPTS_MAX: u32 = 5;
/// Pause between attempts at one step.
const STEP_RETRY: Nanos = Nanos::from_millis(500);
/// Rounds of "cancel all, ask again" before a human is needed.
const SWEEP_ROUNDS_MAX: u32 = 10;
/// How long the start waits for orders of unknown outcome before quoting resumes without them.
const RESOLVE_TIME_MAX: Nanos = Nanos::from_seconds(10);
/// While shutting down, orders that do not end are asked for this often.
const SETTLE_QUERY_INTERVAL: Nanos = Nanos::from_seconds(1);

/// Where the session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// No connection; one is opened when the backoff allows.
    Idle,
    /// The orders connection is being opened.
    Connecting,
    /// The venue's clock is measured.
    Clock,
    /// Logging on.
    LogOn,
    /// Asking for a user data key.
    UserKey,
    /// The user data connection is being opened.
    UserConnecting,
    /// Subscribing user data on the orders connection.
    Subscribe,
    /// Asking which orders of the instrument at this place are open.
    Query(usize),
    /// Cancelling all of them.
    CancelAll(usize),
    /// Waiting until no order's outcome is undecided.
    Resolve,
    /// Orders are taken.
    Ready,
    /// Shutting down: waiting for the orders' ends.
    Settle,
    /// Shut down, nothing open.
    Quiet,
    /// Never to be tried again.
    Stopped,
}

impl Gateway {
    /// Sends everything that is due and allowed now.
    pub(super) fn pump(&mut self, now: Nanos) {
        if self.settings.mode == GatewayMode::Shadow {
            self.pump_shadow(now);
            return;
        }
        self.expire_requests(now);
        self.reconnect(now);
        self.advance(now);
        self.send_cancels(now);
        self.send_queries(now);
        self.keep_alive(now);
        self.watch_missing_fills(now);
    }

    /// When [`Gateway::on_timer`] wants to be called next.
    #[must_use]
    pub fn next_deadline(&self) -> Nanos {
        if self.settings.mode == GatewayMode::Shadow {
            return if self.ready { Nanos::NEVER } else { Nanos::ZERO };
        }
        let mut at = Nanos::NEVER;
        let mut due = |when: Nanos| at = at.min(when);
        for pending in self.pending.values() {
            due(pending.deadline);
        }
        match self.step {
            Step::Idle => due(self.orders_link.retry_at),
            Step::Connecting => due(self.orders_link.since + self.settings.connect_timeout),
            Step::UserConnecting => due(self.user_link.since + self.settings.connect_timeout),
            Step::UserKey if self.step_request.is_none() => {
                due(self.step_not_before.max(self.user_link.retry_at).max(self.silent_until))
            }
            Step::Ready | Step::Resolve | Step::Settle | Step::Quiet | Step::Stopped => {}
            _ if self.step_request.is_none() => due(self.step_not_before.max(self.silent_until)),
            _ => {}
        }
        match self.step {
            Step::Resolve => due(self.step_since + RESOLVE_TIME_MAX),
            Step::Settle => due(self.step_since + SETTLE_QUERY_INTERVAL),
            _ => {}
        }
        if self.can_send() {
            if !self.pending.values().any(|pending| pending.kind == RequestKind::ServerTime) {
                due(self.clock_due().max(self.silent_until));
            }
            for order in self.orders.active() {
                if order.wants_cancel() {
                    due(order.cancel_at.max(self.silent_until));
                }
                if self.may_query() && !order.query_in_flight && order.query_at != Nanos::NEVER {
                    due(order.query_at.max(self.silent_until));
                }
                if order.missing_since != Nanos::ZERO {
                    due((order.missing_since + self.settings.fills_grace).max(order.fills_at).max(self.silent_until));
                }
            }
        }
        at
    }

    /// Whether single requests about orders may be sent.
    pub(super) fn can_send(&self) -> bool {
        matches!(self.step, Step::Ready | Step::Resolve | Step::Settle | Step::Query(_) | Step::CancelAll(_))
    }

    /// Whether orders may be asked for: not while a sweep is about to tell of them all.
    pub(super) fn may_query(&self) -> bool {
        matches!(self.step, Step::Ready | Step::Resolve | Step::Settle)
    }

    pub(super) fn opened(&mut self, connection: GatewayConnection, now: Nanos) {
        match connection {
            GatewayConnection::Orders if self.step == Step::Connecting => {
                self.orders_link.opened(now);
                self.side.set_logged_on(false);
                self.clock.restart();
                self.go(Step::Clock, now);
            }
            GatewayConnection::UserData if self.step == Step::UserConnecting => {
                self.user_link.opened(now);
                self.user_data_kept = now;
                self.go(Step::Query(0), now);
            }
            _ => {}
        }
    }

    pub(super) fn closed(&mut self, connection: GatewayConnection, now: Nanos) {
        let link = match connection {
            GatewayConnection::Orders => &mut self.orders_link,
            GatewayConnection::UserData => &mut self.user_link,
        };
        if link.state == LinkState::Down {
            return;
        }
        link.closed(now);
        match connection {
            GatewayConnection::Orders => {
                self.side.set_logged_on(false);
                self.forget_requests(now);
                if !self.side.has_user_data_connection() {
                    self.doubt_all_orders(now);
                }
                self.session_down(now);
                if !matches!(self.step, Step::Stopped | Step::Quiet) {
                    self.go(Step::Idle, now);
                }
            }
            GatewayConnection::UserData => {
                self.doubt_all_orders(now);
                self.session_down(now);
                let idle = matches!(self.step, Step::Idle | Step::Connecting | Step::Clock | Step::LogOn);
                if !idle && !matches!(self.step, Step::Stopped | Step::Quiet) {
                    self.go(Step::UserKey, now);
                }
            }
        }
    }

    /// Orders a connection to be closed and takes it as closed at once.
    pub(super) fn close(&mut self, connection: GatewayConnection, reason: CloseReason, now: Nanos) {
        self.queue.push_back(Queued::Close { connection, reason });
        self.closed(connection, now);
    }

    fn session_down(&mut self, now: Nanos) {
        if self.ready {
            self.ready = false;
            self.counters.sessions_lost += 1;
            self.tell(ExecutionKind::GatewayDown, 0, now);
        }
    }

    /// An event of the gateway itself.
    pub(super) fn tell(&mut self, kind: ExecutionKind, venue_code: i32, time: Nanos) {
        self.events.push_back(ExecutionEvent {
            kind,
            venue_code: VenueCode::from_number(venue_code.into()),
            time,
            ..ExecutionEvent::default()
        });
    }

    pub(super) fn halt_with(&mut self, venue_code: i32, message: String, now: Nanos) {
        if self.halted.is_none() {
            self.halted = Some(message);
            self.tell(ExecutionKind::Halt, venue_code, now);
        }
    }

    /// Halts and gives the session up: nothing can be done with this key or these settings.
    pub(super) fn stop_with(&mut self, venue_code: i32, message: String, now: Nanos) {
        self.halt_with(venue_code, message, now);
        self.go(Step::Stopped, now);
        for connection in [GatewayConnection::Orders, GatewayConnection::UserData] {
            let link = match connection {
                GatewayConnection::Orders => &self.orders_link,
                GatewayConnection::UserData => &self.user_link,
            };
            if link.state != LinkState::Down {
                self.close(connection, CloseReason::Refused, now);
            }
        }
    }

    pub(super) fn go(&mut self, step: Step, now: Nanos) {
        self.step = step;
        self.step_request = None;
        self.step_not_before = now;
        self.step_attempts = 0;
        self.step_since = now;
    }

    pub(super) fn begin_shutdown(&mut self, now: Nanos) {
        if self.shutting_down {
            return;
        }
        self.shutting_down = true;
        let ids = self.orders.take_ids(|order| order.is_open() && order.cancel == CancelState::None);
        for order in ids.iter().copied() {
            if let Some(tracked) = self.orders.find_mut(order) {
                // The sweep below cancels them all in one request; singly only if it does not.
                tracked.cancel = CancelState::Wanted;
                tracked.cancel_at = now + SETTLE_QUERY_INTERVAL;
            }
        }
        self.orders.keep_ids(ids);
        match self.step {
            Step::Ready | Step::Resolve | Step::Query(_) | Step::CancelAll(_) => self.go(Step::CancelAll(0), now),
            // Nothing was ever sent and nothing will be.
            Step::Idle | Step::Connecting if self.orders.active_count() == 0 && self.counters.orders_sent == 0 => {
                self.go(Step::Quiet, now);
            }
            _ => {}
        }
    }

    fn reconnect(&mut self, now: Nanos) {
        if self.step == Step::Connecting && now - self.orders_link.since >= self.settings.connect_timeout {
            self.close(GatewayConnection::Orders, CloseReason::Silent, now);
        }
        if self.step == Step::UserConnecting && now - self.user_link.since >= self.settings.connect_timeout {
            self.close(GatewayConnection::UserData, CloseReason::Silent, now);
        }
        if self.step == Step::Idle && now >= self.orders_link.retry_at {
            self.orders_link.opening(now);
            let target = self.side.orders_target().0;
            self.queue.push_back(Queued::Connect { connection: GatewayConnection::Orders, target });
            self.go(Step::Connecting, now);
        }
    }

    pub(super) fn open_user_data(&mut self, key: &str, now: Nanos) {
        self.go(Step::UserConnecting, now);
        self.user_link.opening(now);
        let target = self.side.user_data_target(key).0;
        self.queue.push_back(Queued::Connect { connection: GatewayConnection::UserData, target });
    }

    /// Moves through the steps that need no answer, and asks for the answer where one is needed.
    fn advance(&mut self, now: Nanos) {
        loop {
            let before = self.step;
            self.advance_unasked(now);
            if self.step == before {
                break;
            }
        }
        self.ask_for_step(now);
    }

    fn advance_unasked(&mut self, now: Nanos) {
        match self.step {
            Step::Clock if !self.clock.wants_samples() => self.clock_known(now),
            Step::UserKey if self.user_link.is_open() => self.go(Step::Query(0), now),
            Step::Query(place) | Step::CancelAll(place) if place >= self.instruments.len() => {
                let next = if self.shutting_down { Step::Settle } else { Step::Resolve };
                self.go(next, now);
            }
            Step::Resolve => self.try_ready(now),
            Step::Settle => self.try_quiet(now),
            _ => {}
        }
    }

    fn ask_for_step(&mut self, now: Nanos) {
        if self.step == Step::UserKey && now < self.user_link.retry_at {
            return;
        }
        let kind = match self.step {
            Step::Clock => RequestKind::ServerTime,
            Step::LogOn => RequestKind::LogOn,
            Step::UserKey => RequestKind::StartUserData,
            Step::Subscribe => RequestKind::SubscribeUserData,
            Step::Query(_) => RequestKind::OpenOrders,
            Step::CancelAll(_) => RequestKind::CancelAll,
            _ => return,
        };
        if self.step_request.is_some() || now < self.step_not_before || now < self.silent_until {
            return;
        }
        let cost = self.side.cost(kind);
        if !self.throttle.allows(cost, Urgency::Cancel, now) {
            self.step_not_before = self.throttle.ready_at(cost, Urgency::Cancel, now);
            return;
        }
        let instrument = match self.step {
            Step::Query(place) | Step::CancelAll(place) => self.instruments.get(place).copied(),
            _ => self.instruments.first().copied(),
        };
        let Some(instrument) = instrument else { return };
        let request = match kind {
            RequestKind::ServerTime => Request::ServerTime,
            RequestKind::LogOn => Request::LogOn,
            RequestKind::StartUserData => Request::StartUserData,
            RequestKind::SubscribeUserData => Request::SubscribeUserData,
            RequestKind::OpenOrders => Request::OpenOrders(&instrument),
            _ => Request::CancelAll(&instrument),
        };
        self.step_request = Some(self.send(&request, OrderId::NONE, 0, now));
    }

    fn clock_known(&mut self, now: Nanos) {
        let offset = self.clock.offset();
        let beyond = offset.0.abs().saturating_sub(self.clock.uncertainty().0);
        if beyond > self.settings.clock_offset_max.0 {
            let message = format!(
                "this machine's clock is {} ms {} the venue's (at most {} ms are accepted): set it with NTP or chrony \
                 and start again",
                offset.millis().abs(),
                if offset.0 > 0 { "behind" } else { "ahead of" },
                self.settings.clock_offset_max.millis()
            );
            self.stop_with(0, message, now);
            return;
        }
        self.clock_measured = now;
        if self.side.logs_on() {
            self.go(Step::LogOn, now);
        } else {
            self.after_log_on(now);
        }
    }

    pub(super) fn after_log_on(&mut self, now: Nanos) {
        let own = self.side.has_user_data_connection();
        self.go(if own { Step::UserKey } else { Step::Subscribe }, now);
    }

    /// The answer to "which orders are open" in the instrument at `place`.
    pub(super) fn swept(&mut self, place: usize, open: usize, now: Nanos) {
        if open == 0 {
            self.go(Step::Query(place + 1), now);
            return;
        }
        let rounds = self.step_attempts + 1;
        if rounds > SWEEP_ROUNDS_MAX {
            let symbol = self.instruments[place].symbol;
            let message = format!("{open} open orders in {symbol} could not be cancelled: cancel them at the venue");
            self.halt_with(0, message, now);
        }
        self.go(Step::CancelAll(place), now);
        self.step_attempts = rounds;
        // The first round at once, further ones at a pace that lets the venue finish.
        self.step_not_before = if rounds == 1 { now } else { now + STEP_RETRY };
    }

    /// The open orders of the instrument at `place` were cancelled, as far as the venue says: ask.
    pub(super) fn sweep_sent(&mut self, place: usize, now: Nanos) {
        let rounds = self.step_attempts;
        // While shutting down every instrument is cancelled before the first is asked for.
        let next = match self.step {
            Step::CancelAll(_) if self.shutting_down && rounds == 0 && place + 1 < self.instruments.len() => {
                Step::CancelAll(place + 1)
            }
            _ if self.shutting_down && rounds == 0 => Step::Query(0),
            _ => Step::Query(place),
        };
        self.go(next, now);
        self.step_attempts = rounds;
    }

    /// The current step's request failed in a way that may pass.
    pub(super) fn step_failed(&mut self, now: Nanos) {
        self.step_request = None;
        self.step_attempts += 1;
        self.step_not_before = now + STEP_RETRY;
        let sweeping = matches!(self.step, Step::Query(_) | Step::CancelAll(_));
        if self.step_attempts > STEP_ATTEMPTS_MAX && !sweeping {
            self.close(GatewayConnection::Orders, CloseReason::Silent, now);
        }
    }

    fn try_ready(&mut self, now: Nanos) {
        let undecided = self.orders.active().any(|order| !order.is_done());
        if undecided && now - self.step_since < RESOLVE_TIME_MAX {
            return;
        }
        self.go(Step::Ready, now);
        self.ready = true;
        self.clock_refusals_in_row = 0;
        self.tell(ExecutionKind::GatewayReady, 0, now);
    }

    fn try_quiet(&mut self, now: Nanos) {
        if self.orders.active_count() == 0 {
            self.go(Step::Quiet, now);
            return;
        }
        if now - self.step_since >= SETTLE_QUERY_INTERVAL {
            self.step_since = now;
            self.doubt_all_orders(now);
        }
    }

    fn send_cancels(&mut self, now: Nanos) {
        if !self.can_send() || now < self.silent_until {
            return;
        }
        let cost = self.side.cost(RequestKind::Cancel);
        let ids = self.orders.take_ids(|order| order.wants_cancel() && now >= order.cancel_at);
        for order in ids.iter().copied() {
            let Some(tracked) = self.orders.find(order) else {
                continue;
            };
            if !self.throttle.allows(cost, Urgency::Cancel, now) {
                let at = self.throttle.ready_at(cost, Urgency::Cancel, now);
                self.orders.find_mut(order).expect("just found").cancel_at = at;
                continue;
            }
            let (id, venue_order) = (tracked.instrument, tracked.venue_order);
            self.send_about(order, id, venue_order, RequestKind::Cancel, now);
            self.counters.cancels_sent += 1;
            let tracked = self.orders.find_mut(order).expect("just found");
            tracked.cancel = CancelState::InFlight;
            tracked.cancel_attempts += 1;
        }
        self.orders.keep_ids(ids);
    }

    pub(super) fn send_about(
        &mut self,
        order: OrderId,
        instrument: InstrumentId,
        venue_order: VenueOrderId,
        kind: RequestKind,
        now: Nanos,
    ) {
        let Some(instrument) = self.instrument(instrument).copied() else {
            return;
        };
        let name = OrderName { instrument: &instrument, order, venue_order };
        let request = match kind {
            RequestKind::Cancel => Request::Cancel(name),
            RequestKind::Fills => Request::Fills(name),
            _ => Request::OrderStatus(name),
        };
        let (caused, origin_tsc) = self.cancel_origin;
        let origin_tsc = if caused == order { origin_tsc } else { 0 };
        self.send(&request, order, origin_tsc, now);
    }

    fn clock_due(&self) -> Nanos {
        if self.clock.wants_samples() {
            self.clock_measured
        } else {
            self.clock_measured + self.settings.clock_interval
        }
    }

    fn keep_alive(&mut self, now: Nanos) {
        if !self.can_send() || now < self.silent_until {
            return;
        }
        let asked = |kind| self.pending.values().any(|pending| pending.kind == kind);
        if now >= self.clock_due() && !asked(RequestKind::ServerTime) {
            if self.throttle.allows(self.side.cost(RequestKind::ServerTime), Urgency::Cancel, now) {
                self.send(&Request::ServerTime, OrderId::NONE, 0, now);
            } else {
                self.clock_measured = now;
            }
        }
        let keep = self.side.has_user_data_connection()
            && now - self.user_data_kept >= self.settings.user_data_keep_interval
            && !self.pending.values().any(|pending| pending.kind == RequestKind::KeepUserData);
        if keep {
            self.user_data_kept = now;
            self.send(&Request::KeepUserData, OrderId::NONE, 0, now);
        }
        if self.step != Step::Ready {
            return;
        }
        if now - self.orders_link.since >= self.settings.connection_life {
            self.close(GatewayConnection::Orders, CloseReason::Planned, now);
        } else if self.user_link.is_open() && now - self.user_link.since >= self.settings.connection_life {
            self.close(GatewayConnection::UserData, CloseReason::Planned, now);
        }
    }
}
