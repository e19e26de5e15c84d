//! COLD: a session's life: connect, clock, log on, user data, sweep of open orders, ready, shutdown.
//!
//! Level-triggered: after every input `pump` looks at the whole state and sends what is due, so a lost reply
//! or a closed window only delays a step.

use spinbook_engine::event::{ExecutionEvent, ExecutionKind};
use spinbook_engine::types::{InstrumentId, Nanos, OrderId, VenueCode};

use super::link::OrderLinkState;
use super::orders::CancelState;
use super::outbox::{Purpose, Queued};
use super::place::find;
use super::throttle::Urgency;
use super::{Gateway, GatewayMode, OrderCloseReason};
use crate::journal::record::Record;
use crate::venue::order_ids::VenueOrderId;
use crate::venue::order_side::{HandshakeStep, OrderConnection, OrderSide};
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
const DRAIN_QUERY_INTERVAL: Nanos = Nanos::from_seconds(1);

/// Where the session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SessionStep {
    /// No connection; one is opened when the backoff allows.
    Idle,
    /// The orders connection is being opened.
    Connecting,
    /// The step of the venue's handshake at this place.
    Handshake(usize),
    /// Asking which orders of the instrument at this place are open.
    Query(usize),
    /// Cancelling all of them.
    CancelAll(usize),
    /// Waiting until no order's outcome is undecided.
    Resolve,
    /// Orders are taken.
    Ready,
    /// Shutting down: every order was cancelled, their ends are awaited.
    Draining,
    /// Shut down, nothing open.
    Quiet,
    /// Never to be tried again.
    Stopped,
}

impl<O: OrderSide> Gateway<O> {
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
        for pending in self.outbox.pending.values() {
            due(pending.deadline);
        }
        match self.step {
            SessionStep::Idle => due(self.orders_link.retry_at),
            SessionStep::Connecting => due(self.orders_link.since + self.settings.connect_timeout),
            SessionStep::Handshake(_) => due(self.handshake_due()),
            SessionStep::Query(_) | SessionStep::CancelAll(_) if self.step_request.is_none() => {
                due(self.step_not_before.max(self.silent_until));
            }
            _ => {}
        }
        match self.step {
            SessionStep::Resolve => due(self.step_since + RESOLVE_TIME_MAX),
            SessionStep::Draining => due(self.step_since + DRAIN_QUERY_INTERVAL),
            _ => {}
        }
        if self.can_send() {
            if !self.outbox.awaits(RequestKind::ServerTime) {
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
        matches!(
            self.step,
            SessionStep::Ready
                | SessionStep::Resolve
                | SessionStep::Draining
                | SessionStep::Query(_)
                | SessionStep::CancelAll(_)
        )
    }

    /// Whether orders may be asked for: not while a sweep is about to tell of them all.
    pub(super) fn may_query(&self) -> bool {
        matches!(self.step, SessionStep::Ready | SessionStep::Resolve | SessionStep::Draining)
    }

    pub(super) fn opened(&mut self, connection: OrderConnection, now: Nanos) {
        match connection {
            OrderConnection::Orders if self.step == SessionStep::Connecting => {
                self.orders_link.opened(now);
                self.side.set_logged_on(connection, false);
                self.clock.restart();
                self.go_handshake(0, now);
            }
            OrderConnection::UserData if self.handshake_step() == Some(HandshakeStep::ConnectUserData) => {
                self.user_link.opened(now);
                self.side.set_logged_on(connection, false);
                self.user_data_kept = now;
                self.handshake_step_done(now);
            }
            _ => {}
        }
    }

    pub(super) fn closed(&mut self, connection: OrderConnection, now: Nanos) {
        let link = self.link(connection);
        if link.state == OrderLinkState::Down {
            return;
        }
        link.closed(now);
        self.side.set_logged_on(connection, false);
        let over = matches!(self.step, SessionStep::Stopped | SessionStep::Quiet);
        match connection {
            OrderConnection::Orders => {
                self.forget_requests(now);
                if !self.has_user_data_connection() {
                    self.mark_all_unknown(now);
                }
                self.session_down(now);
                if !over {
                    self.go(SessionStep::Idle, now);
                }
            }
            OrderConnection::UserData => {
                self.user_data_ready = false;
                self.mark_all_unknown(now);
                self.session_down(now);
                let first = self.handshake.iter().position(|step| step.is_user_data()).unwrap_or(0);
                let not_yet = match self.step {
                    SessionStep::Idle | SessionStep::Connecting => true,
                    SessionStep::Handshake(place) => place < first,
                    _ => false,
                };
                if !not_yet && !over {
                    self.go(SessionStep::Handshake(first), now);
                }
            }
        }
    }

    /// Orders a connection to be closed and takes it as closed at once.
    pub(super) fn close(&mut self, connection: OrderConnection, reason: OrderCloseReason, now: Nanos) {
        self.outbox.queue.push_back(Queued::Close { connection, reason });
        self.closed(connection, now);
    }

    fn session_down(&mut self, now: Nanos) {
        if self.ready {
            self.ready = false;
            self.counters.sessions_lost += 1;
            self.emit(ExecutionKind::GatewayDown, VenueCode::NONE, now);
        }
    }

    /// An event of the gateway itself.
    pub(super) fn emit(&mut self, kind: ExecutionKind, venue_code: VenueCode, time: Nanos) {
        self.events.push_back(ExecutionEvent { kind, venue_code, time, ..ExecutionEvent::default() });
    }

    pub(super) fn halt_with(&mut self, venue_code: VenueCode, message: String, now: Nanos) {
        if self.halted.is_none() {
            self.journal.note(&Record::Halted { message: message.clone() }, now);
            self.halted = Some(message);
            self.emit(ExecutionKind::Halt, venue_code, now);
        }
    }

    /// Halts and gives the session up: nothing can be done with this key or these settings.
    pub(super) fn stop_with(&mut self, venue_code: VenueCode, message: String, now: Nanos) {
        self.halt_with(venue_code, message, now);
        self.go(SessionStep::Stopped, now);
        for connection in OrderConnection::ALL {
            if self.link(connection).state != OrderLinkState::Down {
                self.close(connection, OrderCloseReason::Refused, now);
            }
        }
    }

    pub(super) fn go(&mut self, step: SessionStep, now: Nanos) {
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
                tracked.cancel_at = now + DRAIN_QUERY_INTERVAL;
            }
        }
        self.orders.keep_ids(ids);
        match self.step {
            SessionStep::Ready | SessionStep::Resolve | SessionStep::Query(_) | SessionStep::CancelAll(_) => {
                self.go(SessionStep::CancelAll(0), now)
            }
            // Nothing was ever sent and nothing will be.
            SessionStep::Idle | SessionStep::Connecting
                if self.orders.active_count() == 0 && self.counters.orders_sent == 0 =>
            {
                self.go(SessionStep::Quiet, now);
            }
            _ => {}
        }
    }

    fn reconnect(&mut self, now: Nanos) {
        if self.step == SessionStep::Connecting && now - self.orders_link.since >= self.settings.connect_timeout {
            self.close(OrderConnection::Orders, OrderCloseReason::Silent, now);
        }
        let opening = self.user_link.state == OrderLinkState::Opening;
        let awaited = opening && self.handshake_step() == Some(HandshakeStep::ConnectUserData);
        if awaited && now - self.user_link.since >= self.settings.connect_timeout {
            self.close(OrderConnection::UserData, OrderCloseReason::Silent, now);
        }
        if self.step == SessionStep::Idle && now >= self.orders_link.retry_at {
            self.connect(OrderConnection::Orders, now);
            self.go(SessionStep::Connecting, now);
        }
    }

    pub(super) fn connect(&mut self, connection: OrderConnection, now: Nanos) {
        self.link(connection).opening(now);
        let target = self.side.target(connection, &self.user_data_key);
        self.outbox.queue.push_back(Queued::Connect { connection, target });
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
            SessionStep::Handshake(_) => self.advance_handshake(now),
            SessionStep::Query(place) | SessionStep::CancelAll(place) if place >= self.instruments.len() => {
                let next = if self.shutting_down { SessionStep::Draining } else { SessionStep::Resolve };
                self.go(next, now);
            }
            SessionStep::Resolve => self.try_ready(now),
            SessionStep::Draining => self.try_quiet(now),
            _ => {}
        }
    }

    fn ask_for_step(&mut self, now: Nanos) {
        let (kind, connection) = match self.step {
            SessionStep::Handshake(_) => match self.handshake_step().and_then(HandshakeStep::request) {
                Some(request) => request,
                None => return,
            },
            SessionStep::Query(_) => (RequestKind::OpenOrders, self.side.connection_of(RequestKind::OpenOrders)),
            SessionStep::CancelAll(_) => (RequestKind::CancelAll, self.side.connection_of(RequestKind::CancelAll)),
            _ => return,
        };
        if self.step_request.is_some() || now < self.step_due() {
            return;
        }
        let place = match self.step {
            SessionStep::Query(place) | SessionStep::CancelAll(place) => place,
            _ => 0,
        };
        let Some(instrument) = self.instruments.get(place) else { return };
        let cost = self.side.cost(kind);
        if !self.throttle.allows(cost, Urgency::Cancel, Some(instrument.id), now) {
            self.step_not_before = self.throttle.ready_at(cost, Urgency::Cancel, Some(instrument.id), now);
            return;
        }
        let request = match kind {
            RequestKind::ServerTime => Request::ServerTime,
            RequestKind::LogOn => Request::LogOn,
            RequestKind::StartUserData => Request::StartUserData,
            RequestKind::SubscribeUserData => Request::SubscribeUserData,
            RequestKind::OpenOrders => Request::OpenOrders(instrument),
            _ => Request::CancelAll(instrument),
        };
        self.throttle.take(cost, request.instrument(), now);
        let purpose = Purpose { connection, order: OrderId::NONE, origin_tsc: 0 };
        let venue_now = self.clock.venue_time(now);
        self.step_request = Some(self.outbox.send(&mut self.side, &request, purpose, venue_now, now));
    }

    pub(super) fn clock_known(&mut self, now: Nanos) {
        let offset = self.clock.offset();
        if self.clock.is_beyond(self.settings.clock_offset_max) {
            let message = format!(
                "this machine's clock is {} ms {} the venue's (at most {} ms are accepted): set it with NTP or chrony \
                 and start again",
                offset.millis().abs(),
                if offset.0 > 0 { "behind" } else { "ahead of" },
                self.settings.clock_offset_max.millis()
            );
            self.stop_with(VenueCode::NONE, message, now);
            return;
        }
        self.clock_measured = now;
        self.handshake_step_done(now);
    }

    /// The answer to "which orders are open" in the instrument at `place`.
    pub(super) fn on_open_orders(&mut self, place: usize, open: usize, now: Nanos) {
        if open == 0 {
            self.go(SessionStep::Query(place + 1), now);
            return;
        }
        let rounds = self.step_attempts + 1;
        if rounds > SWEEP_ROUNDS_MAX {
            let symbol = self.instruments[place].symbol;
            let message = format!("{open} open orders in {symbol} could not be cancelled: cancel them at the venue");
            self.halt_with(VenueCode::NONE, message, now);
        }
        self.go(SessionStep::CancelAll(place), now);
        self.step_attempts = rounds;
        // The first round at once, further ones at a pace that lets the venue finish.
        self.step_not_before = if rounds == 1 { now } else { now + STEP_RETRY };
    }

    /// The open orders of the instrument at `place` were cancelled, as far as the venue says: ask.
    pub(super) fn on_cancel_all_sent(&mut self, place: usize, now: Nanos) {
        let rounds = self.step_attempts;
        // While shutting down every instrument is cancelled before the first is asked for.
        let next = match self.step {
            SessionStep::CancelAll(_) if self.shutting_down && rounds == 0 && place + 1 < self.instruments.len() => {
                SessionStep::CancelAll(place + 1)
            }
            _ if self.shutting_down && rounds == 0 => SessionStep::Query(0),
            _ => SessionStep::Query(place),
        };
        self.go(next, now);
        self.step_attempts = rounds;
    }

    /// The current step's request failed in a way that may pass.
    pub(super) fn step_failed(&mut self, now: Nanos) {
        self.step_request = None;
        self.step_attempts += 1;
        self.step_not_before = now + STEP_RETRY;
        let sweeping = matches!(self.step, SessionStep::Query(_) | SessionStep::CancelAll(_));
        if self.step_attempts > STEP_ATTEMPTS_MAX && !sweeping {
            self.close(OrderConnection::Orders, OrderCloseReason::Silent, now);
        }
    }

    fn try_ready(&mut self, now: Nanos) {
        let undecided = self.orders.active().any(|order| !order.is_done());
        if undecided && now - self.step_since < RESOLVE_TIME_MAX {
            return;
        }
        self.go(SessionStep::Ready, now);
        self.ready = true;
        self.clock_refusals_in_row = 0;
        self.emit(ExecutionKind::GatewayReady, VenueCode::NONE, now);
    }

    fn try_quiet(&mut self, now: Nanos) {
        if self.orders.active_count() == 0 {
            self.go(SessionStep::Quiet, now);
            return;
        }
        if now - self.step_since >= DRAIN_QUERY_INTERVAL {
            self.step_since = now;
            self.mark_all_unknown(now);
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
            let about = Some(tracked.instrument);
            if !self.throttle.allows(cost, Urgency::Cancel, about, now) {
                let at = self.throttle.ready_at(cost, Urgency::Cancel, about, now);
                self.orders.find_mut(order).expect("just found").cancel_at = at;
                continue;
            }
            let (id, venue_order) = (tracked.instrument, tracked.venue_order);
            self.send_about(order, id, venue_order, RequestKind::Cancel, now);
            self.counters.cancels_sent += 1;
            let tracked = self.orders.find_mut(order).expect("just found");
            tracked.cancel = CancelState::InFlight;
            tracked.cancel_attempts += 1;
            let attempt = tracked.cancel_attempts;
            self.journal.cancel_sent(order, id, attempt, now);
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
        let Some(instrument) = find(&self.instruments, instrument) else {
            return;
        };
        let name = OrderName { instrument, order, venue_order };
        let request = match kind {
            RequestKind::Cancel => Request::Cancel(name),
            RequestKind::Fills => Request::Fills(name),
            _ => Request::OrderStatus(name),
        };
        let (caused, origin_tsc) = self.cancel_origin;
        let origin_tsc = if caused == order { origin_tsc } else { 0 };
        self.throttle.take(self.side.cost(kind), request.instrument(), now);
        let purpose = Purpose { connection: self.side.connection_of(kind), order, origin_tsc };
        let venue_now = self.clock.venue_time(now);
        self.outbox.send(&mut self.side, &request, purpose, venue_now, now);
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
        if now >= self.clock_due() && !self.outbox.awaits(RequestKind::ServerTime) {
            if self.throttle.allows(self.side.cost(RequestKind::ServerTime), Urgency::Cancel, None, now) {
                self.send(&Request::ServerTime, OrderConnection::Orders, now);
            } else {
                self.clock_measured = now;
            }
        }
        let keep = self.side.keeps_user_data()
            && now - self.user_data_kept >= self.settings.user_data_keep_interval
            && !self.outbox.awaits(RequestKind::KeepUserData);
        if keep {
            self.user_data_kept = now;
            self.send(&Request::KeepUserData, OrderConnection::Orders, now);
        }
        if self.step != SessionStep::Ready {
            return;
        }
        if now - self.orders_link.since >= self.settings.connection_life {
            self.close(OrderConnection::Orders, OrderCloseReason::Planned, now);
        } else if self.user_link.is_open() && now - self.user_link.since >= self.settings.connection_life {
            self.close(OrderConnection::UserData, OrderCloseReason::Planned, now);
        }
    }
}
