//! COLD: a session's life: connect, clock, log on, user data, list of open orders, ready, shutdown.
//!
//! Level-triggered: after every input `pump` looks at the whole state and sends what is due, so a lost reply
//! or a closed window only delays a step. Cancels are none of these steps: `sweep` sends them beside each.

use spinbook_engine::event::{ExecutionEvent, ExecutionKind};
use spinbook_engine::types::{InstrumentId, Nanos, OrderId, VenueCode};

use super::link::{OrderLink, OrderLinkState};
use super::orders::CancelState;
use super::outbox::Queued;
use super::place::find;
use super::throttle::Urgency;
use super::{Gateway, GatewayMode, OrderCloseReason};
use crate::journal::record::JournalRecord;
use crate::venue::order_ids::VenueOrderId;
use crate::venue::order_side::{HandshakeStep, OrderConnection, OrderSide};
use crate::venue::orders::{OrderName, Request, RequestId, RequestKind};

/// Attempts at one step before another way is tried.
const STEP_ATTEMPTS_MAX: u32 = 5;
/// Pause between attempts at one step.
const STEP_RETRY: Nanos = Nanos::from_millis(500);
/// The same after many.
const STEP_RETRY_MAX: Nanos = Nanos::from_seconds(5);
/// A step that the venue refused for the key or the settings while an order of ours may live.
const STEP_RETRY_REFUSED: Nanos = Nanos::from_seconds(10);
/// Rounds of "cancel all, ask again" before a human is needed.
const SWEEP_ROUNDS_MAX: u32 = 10;
/// How long the start waits for orders of unknown outcome before quoting resumes without them.
const RESOLVE_TIME_MAX: Nanos = Nanos::from_seconds(10);
/// While shutting down, orders that do not end are asked for this often.
const DRAIN_QUERY_INTERVAL: Nanos = Nanos::from_seconds(1);
/// While shutting down, user data that does not come up is done without after this.
const DRAIN_USER_DATA: Nanos = Nanos::from_seconds(2);
/// While a cancel waits for its answer, a connection without any sign of life is given up after this.
const SILENT_CANCELLING: Nanos = Nanos::from_seconds(2);

/// Where the session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SessionStep {
    /// No connection; one is opened when the backoff allows.
    Idle,
    /// The orders connection is being opened.
    Connecting,
    /// The step of the venue's handshake at this place.
    Handshake(usize),
    /// Asking which orders of the instrument at this place are open, once all were cancelled.
    Query(usize),
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
        if self.orders.has_retired() {
            self.note_ends(now);
        }
        if self.settings.mode == GatewayMode::Shadow {
            self.pump_shadow(now);
            return;
        }
        self.watch_adoption(now);
        self.expire_requests(now);
        self.expire_rest(now);
        self.give_up_silent(now);
        self.reconnect(now);
        self.advance(now);
        self.finish_leaving(now);
        self.keep_spare(now);
        self.send_second_way(now);
        self.send_third_way(now);
        self.prove_over_rest(now);
        self.send_queries(now);
        self.send_backfills(now);
        self.watch_holdings(now);
        self.ask_incomes(now);
        self.poll_open_orders(now);
        self.keep_alive(now);
        self.watch_missing_fills(now);
        self.watch_user_data(now);
    }

    /// When [`Gateway::on_timer`] wants to be called next.
    #[must_use]
    pub fn next_deadline(&self) -> Nanos {
        if self.settings.mode == GatewayMode::Shadow {
            return if self.ready { Nanos::NEVER } else { Nanos::ZERO };
        }
        let mut at = self.cancel_due().min(self.links_due()).min(self.spare_due());
        at = at.min(self.third_way_due()).min(self.backfill_due()).min(self.holdings_due()).min(self.rest.due());
        at = at
            .min(self.rest_proofs_due())
            .min(self.incomes_due())
            .min(self.adoption.due())
            .min(self.sign_of_life_due());
        let mut due = |when: Nanos| at = at.min(when);
        for pending in self.outbox.pending.values() {
            due(pending.deadline);
        }
        match self.step {
            SessionStep::Handshake(_) => due(self.handshake_due().min(self.skip_user_data_at())),
            SessionStep::Query(_) if self.step_request.is_none() && self.is_swept() && !self.adoption_waits() => {
                due(self.step_due())
            }
            SessionStep::Resolve if !self.must_wait() => due(self.step_since + RESOLVE_TIME_MAX),
            SessionStep::Draining => due(self.step_since + DRAIN_QUERY_INTERVAL),
            _ => {}
        }
        if let Some((_, by)) = self.leaving {
            due(by);
        }
        if self.can_send() {
            due(self.keep_alive_due().min(self.poll_due()).max(self.quiet_until()));
            for order in self.orders.active() {
                if !order.query_in_flight && order.query_at != Nanos::NEVER && self.is_swept() {
                    due(order.query_at.max(self.queries_from()).max(self.quiet_until()));
                }
            }
        }
        let fills_from = if self.can_send() { self.quiet_until() } else { self.silent_from().max(self.quiet_until()) };
        for order in self.orders.active().filter(|order| order.missing_since != Nanos::ZERO) {
            due((order.missing_since + self.settings.fills_grace).max(order.fills_at).max(fills_from));
        }
        at
    }

    /// Whether requests other than cancels may be sent.
    pub(super) fn can_send(&self) -> bool {
        let up = !matches!(
            self.step,
            SessionStep::Idle | SessionStep::Connecting | SessionStep::Quiet | SessionStep::Stopped
        );
        up && self.links[OrderConnection::Orders.index()].usable && self.clock.is_known()
    }

    /// Before this nothing but cancels leaves.
    pub(super) fn quiet_until(&self) -> Nanos {
        self.silent_until.max(self.banned_until)
    }

    /// From when single orders may be asked for: not while a sweep or a list is about to tell of them all.
    pub(super) fn queries_from(&self) -> Nanos {
        match self.step {
            SessionStep::Ready | SessionStep::Resolve | SessionStep::Draining => Nanos::ZERO,
            SessionStep::Handshake(_) => self.links[OrderConnection::Orders.index()].since + DRAIN_USER_DATA,
            SessionStep::Query(_) => self.step_since + DRAIN_USER_DATA,
            _ => Nanos::NEVER,
        }
    }

    pub(super) fn opened(&mut self, connection: OrderConnection, now: Nanos) {
        match connection {
            OrderConnection::Orders if self.step == SessionStep::Connecting => {
                self.link(connection).opened(now);
                self.side.set_logged_on(connection, false);
                let log_on = self.handshake.contains(&HandshakeStep::LogOn(connection));
                self.link(connection).usable = !log_on;
                self.clock.restart();
                self.go_handshake(0, now);
            }
            OrderConnection::UserData if self.handshake_step() == Some(HandshakeStep::ConnectUserData) => {
                self.link(connection).opened(now);
                self.side.set_logged_on(connection, false);
                self.user_data_kept = now;
                self.handshake_step_done(now);
            }
            OrderConnection::Spare => self.spare_opened(now),
            _ => {}
        }
    }

    pub(super) fn closed(&mut self, connection: OrderConnection, now: Nanos) {
        let link = self.link(connection);
        if link.state == OrderLinkState::Down {
            return;
        }
        let (heard, was_open) = (link.heard, link.is_open());
        link.closed(now);
        self.side.set_logged_on(connection, false);
        self.forget_requests(connection, now);
        if connection == self.user_data_connection() {
            self.signs_of_life.closed();
        }
        match connection {
            OrderConnection::Orders => {
                self.leaving = None;
                self.session_down(now);
                // Over a connection that never opened nothing was sent that has to be cancelled.
                if was_open {
                    self.want_sweeps(now);
                }
                if !self.has_user_data_connection() {
                    self.mark_all_unknown(now);
                    self.want_all_trades(heard);
                    self.user_data_ready = false;
                }
                if !matches!(self.step, SessionStep::Stopped | SessionStep::Quiet) {
                    self.go(SessionStep::Idle, now);
                }
            }
            OrderConnection::UserData => {
                self.want_all_trades(heard);
                self.user_data_lost(now);
            }
            OrderConnection::Spare => {}
        }
    }

    /// Orders a connection to be closed and takes it as closed at once.
    pub(super) fn close(&mut self, connection: OrderConnection, reason: OrderCloseReason, now: Nanos) {
        self.outbox.queue.push_back(Queued::Close { connection, reason });
        self.closed(connection, now);
    }

    /// Executions that the venue stated have not arrived for long: no new orders until they have.
    pub(super) fn wait_for_fills(&mut self, now: Nanos) {
        if self.step == SessionStep::Ready {
            self.session_down(now);
            self.go(SessionStep::Resolve, now);
        }
    }

    pub(super) fn session_down(&mut self, now: Nanos) {
        if self.ready {
            self.ready = false;
            self.counters.sessions_lost += 1;
            self.want_sweeps(now);
            self.emit(ExecutionKind::GatewayDown, VenueCode::NONE, now);
        }
    }

    /// An event of the gateway itself.
    pub(super) fn emit(&mut self, kind: ExecutionKind, venue_code: VenueCode, time: Nanos) {
        self.events.push_back(ExecutionEvent { kind, venue_code, time, ..ExecutionEvent::default() });
    }

    pub(super) fn halt_with(&mut self, venue_code: VenueCode, message: String, now: Nanos) {
        if self.halted.is_none() {
            self.journal.note(&JournalRecord::Halted { message: message.clone() }, now);
            self.halted = Some(message);
            self.emit(ExecutionKind::Halt, venue_code, now);
        }
    }

    /// Halts and gives the session up: nothing can be done with this key or these settings. Where an order of ours may
    /// live the session goes on without new orders, and what was refused is tried again at a slow pace.
    pub(super) fn stop_with(&mut self, venue_code: VenueCode, message: String, now: Nanos) {
        self.stop_when_swept(venue_code, message, now);
        if self.orders.active_count() == 0 {
            self.stop(now);
        } else {
            self.step_request = None;
            self.step_not_before = now + STEP_RETRY_REFUSED;
        }
    }

    fn stop(&mut self, now: Nanos) {
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
        // Nothing was ever sent and nothing will be.
        let unconnected = matches!(self.step, SessionStep::Idle | SessionStep::Connecting);
        let unused = self.orders.active_count() == 0 && self.counters.orders_sent == 0;
        self.shutting_down = true;
        self.begin_rest_proofs(now);
        if unconnected && unused {
            self.go(SessionStep::Quiet, now);
            return;
        }
        let ids = self.orders.take_ids(|order| order.is_open() && order.cancel == CancelState::None);
        for order in ids.iter().copied() {
            // The sweep cancels them all in one request; singly only if it does not.
            self.want_cancel(order, now + DRAIN_QUERY_INTERVAL);
        }
        self.orders.keep_ids(ids);
        if self.step == SessionStep::Stopped {
            return;
        }
        self.want_sweeps(now);
        if matches!(self.step, SessionStep::Ready | SessionStep::Resolve | SessionStep::Query(_)) {
            self.go(SessionStep::Query(0), now);
        }
    }

    fn reconnect(&mut self, now: Nanos) {
        if self.links.iter().all(OrderLink::is_open) {
            return;
        }
        let alive = self.may_live();
        self.retry_soon = alive.then(|| self.attempts.pause(now));
        let timeout = self.settings.connect_timeout;
        for connection in OrderConnection::ALL {
            let link = &self.links[connection.index()];
            if link.state == OrderLinkState::Opening && now >= link.open_by(timeout, alive) {
                self.close(connection, OrderCloseReason::Silent, now);
            }
        }
        let due = self.links[OrderConnection::Orders.index()].retry_due(self.turns(self.retry_soon));
        if self.step == SessionStep::Idle && now >= due && self.connect(OrderConnection::Orders, now) {
            self.go(SessionStep::Connecting, now);
        }
    }

    /// When a connection has to be opened, or given up as not opening or not answering.
    fn links_due(&self) -> Nanos {
        let alive = self.may_live();
        let mut at = Nanos::NEVER;
        for link in &self.links {
            match link.state {
                OrderLinkState::Opening => at = at.min(link.open_by(self.settings.connect_timeout, alive)),
                OrderLinkState::Open if link.asked != Nanos::NEVER => at = at.min(link.asked + self.silent_max()),
                _ => {}
            }
        }
        if self.step == SessionStep::Idle {
            at = at.min(self.links[OrderConnection::Orders.index()].retry_due(self.turns(self.retry_soon)));
        }
        at
    }

    /// Asks for a connection, if the venue's limit of attempts has room.
    pub(super) fn connect(&mut self, connection: OrderConnection, now: Nanos) -> bool {
        let ready_at = self.attempts.ready_at(now);
        if now < ready_at {
            self.link(connection).retry_at = ready_at;
            self.link(connection).refused_until = ready_at;
            return false;
        }
        self.attempts.take(now);
        self.link(connection).opening(now);
        let target = self.side.target(connection, &self.user_data_key);
        self.outbox.queue.push_back(Queued::Connect { connection, target });
        true
    }

    /// How long a question may be without any sign of life behind it.
    fn silent_max(&self) -> Nanos {
        if self.is_cancelling() { SILENT_CANCELLING } else { self.settings.request_timeout }
    }

    /// Closes connections that were asked something and have not said a word since.
    fn give_up_silent(&mut self, now: Nanos) {
        if self.links.iter().all(|link| link.asked == Nanos::NEVER) {
            return;
        }
        let silent_max = self.silent_max();
        for connection in OrderConnection::ALL {
            let link = &self.links[connection.index()];
            if link.is_open() && link.asked != Nanos::NEVER && now >= link.asked + silent_max {
                self.close(connection, OrderCloseReason::Silent, now);
            }
        }
    }

    /// Moves through the steps that need no answer, cancels, and asks for the answer where a step needs one.
    fn advance(&mut self, now: Nanos) {
        loop {
            let before = self.step;
            self.advance_unasked(now);
            if self.step == before {
                break;
            }
        }
        self.send_sweeps(now);
        self.send_cancels(now);
        self.ask_for_step(now);
    }

    fn advance_unasked(&mut self, now: Nanos) {
        let stopped = self.step == SessionStep::Stopped;
        let nothing_left = self.is_swept() && self.orders.active_count() == 0;
        if self.stop_wanted && !stopped && !self.shutting_down && nothing_left {
            self.stop(now);
            return;
        }
        match self.step {
            SessionStep::Handshake(_) if now >= self.skip_user_data_at() => self.go(SessionStep::Query(0), now),
            SessionStep::Handshake(_) => self.advance_handshake(now),
            SessionStep::Query(place) if place >= self.instruments.len() && !self.adoption.is_over() => {
                self.adoption_list_over(now);
            }
            SessionStep::Query(place) if place >= self.instruments.len() => {
                let next = if self.shutting_down { SessionStep::Draining } else { SessionStep::Resolve };
                self.go(next, now);
            }
            SessionStep::Resolve => self.try_ready(now),
            SessionStep::Draining => self.try_quiet(now),
            _ => {}
        }
    }

    /// When a session that is shut down goes on without the user data that does not come up.
    fn skip_user_data_at(&self) -> Nanos {
        match self.handshake_step() {
            Some(step) if self.shutting_down && !step.is_for_orders() => self.step_since + DRAIN_USER_DATA,
            _ => Nanos::NEVER,
        }
    }

    fn ask_for_step(&mut self, now: Nanos) {
        let (kind, connection) = match self.step {
            SessionStep::Handshake(_) => match self.handshake_step().and_then(HandshakeStep::request) {
                Some(request) => request,
                None => return,
            },
            SessionStep::Query(_) if self.is_swept() && !self.adoption_waits() => {
                (RequestKind::OpenOrders, self.side.connection_of(RequestKind::OpenOrders))
            }
            _ => return,
        };
        if self.step_request.is_some() || now < self.step_due() {
            return;
        }
        let place = match self.step {
            SessionStep::Query(place) => place,
            _ => 0,
        };
        let Some(instrument) = self.instruments.get(place).copied() else { return };
        let cost = self.side.cost(kind);
        if !self.throttle.allows(cost, Urgency::Query, Some(instrument.id), now) {
            self.step_not_before = self.throttle.ready_at(cost, Urgency::Query, Some(instrument.id), now);
            return;
        }
        let request = match kind {
            RequestKind::ServerTime => Request::ServerTime,
            RequestKind::LogOn => Request::LogOn,
            RequestKind::StartUserData => Request::StartUserData,
            RequestKind::SubscribeUserData => Request::SubscribeUserData,
            _ => Request::OpenOrders(&instrument),
        };
        self.step_request = Some(self.send(&request, connection, now));
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
            // Stamps are the venue's time: what is open can be cancelled with any clock. A run that has traded waits
            // for the clock to be right again; one that has not is ended.
            if self.was_ready {
                self.counters.clock_refusals += 1;
                self.last_refusal = Some(message);
            } else {
                self.stop_when_swept(VenueCode::NONE, message, now);
            }
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
        self.step_attempts += 1;
        if self.step_attempts > SWEEP_ROUNDS_MAX {
            let symbol = self.instruments[place].symbol;
            let message = format!("{open} open orders in {symbol} could not be cancelled: cancel them at the venue");
            self.halt_with(VenueCode::NONE, message, now);
        }
        // The first round at once, further ones at a pace that lets the venue finish.
        let at = if self.step_attempts == 1 { now } else { now + STEP_RETRY };
        self.want_sweep(place, at);
        self.step_not_before = at;
    }

    /// The current step's request failed in a way that may pass.
    pub(super) fn step_failed(&mut self, now: Nanos) {
        self.step_request = None;
        self.step_attempts += 1;
        self.step_not_before = now + Nanos((STEP_RETRY.0 << (self.step_attempts - 1).min(8)).min(STEP_RETRY_MAX.0));
        let step = self.handshake_step();
        // A clock that was known serves until the venue answers again: cancels wait for nothing.
        if step == Some(HandshakeStep::Clock) && self.clock.is_known() {
            self.clock.skip();
            self.clock_sampled = now;
        } else if self.step_attempts > STEP_ATTEMPTS_MAX
            && step.is_some()
            && self.is_open(OrderConnection::Orders)
            && !self.may_hold_quotes()
        {
            self.close(OrderConnection::Orders, OrderCloseReason::Silent, now);
        }
    }

    /// Whether closing the orders connection now could leave an order without the way to cancel it.
    fn may_hold_quotes(&self) -> bool {
        let usable = self.links[OrderConnection::Orders.index()].usable;
        usable && (!self.is_swept() || self.open_orders() > 0)
    }

    /// Whether something stands against new orders that no time passes over: a cancel-all without its answer, a clock
    /// that is off, executions that the venue stated and that have not arrived, or that may have been missed.
    fn must_wait(&self) -> bool {
        let missing = self.orders.active().any(|order| order.missing_since != Nanos::ZERO);
        missing
            || self.lacks_trades()
            || self.lacks_holdings()
            || !self.is_swept()
            || self.clock.is_beyond(self.settings.clock_offset_max)
    }

    fn try_ready(&mut self, now: Nanos) {
        let undecided =
            self.orders.active().any(|order| !order.is_done() && !self.is_taken_over(order.order, order.phase));
        if self.must_wait() || (undecided && now - self.step_since < RESOLVE_TIME_MAX) {
            return;
        }
        self.go(SessionStep::Ready, now);
        self.finish_adoption(now);
        self.was_ready = true;
        self.begin_trades(now);
        // Everything was just listed.
        self.poll.next_at = now + self.settings.open_orders_interval;
        self.ready = true;
        self.clock_refusals_in_row = 0;
        self.emit(ExecutionKind::GatewayReady, VenueCode::NONE, now);
    }

    fn try_quiet(&mut self, now: Nanos) {
        // What the venue ended is over, even where its last executions can no longer be had: that has halted trading.
        let open = self.orders.active().any(|order| order.is_open() || order.fills_at != Nanos::NEVER);
        if !open && self.is_swept() && !self.awaits_trades(now) {
            self.go(SessionStep::Quiet, now);
            return;
        }
        if now - self.step_since >= DRAIN_QUERY_INTERVAL {
            self.step_since = now;
            self.mark_all_unknown(now);
        }
    }

    pub(super) fn send_about(
        &mut self,
        order: OrderId,
        instrument: InstrumentId,
        venue_order: VenueOrderId,
        kind: RequestKind,
        connection: OrderConnection,
        now: Nanos,
    ) -> Option<RequestId> {
        let instrument = *find(&self.instruments, instrument)?;
        let name = OrderName { instrument: &instrument, order, venue_order };
        let request = match kind {
            RequestKind::Cancel => Request::Cancel(name),
            RequestKind::Fills => Request::Fills(name),
            _ => Request::OrderStatus(name),
        };
        let (caused, origin_tsc) = self.cancel_origin;
        let origin_tsc = if caused == order { origin_tsc } else { 0 };
        Some(self.send_over(&request, connection, order, origin_tsc, now))
    }
}
