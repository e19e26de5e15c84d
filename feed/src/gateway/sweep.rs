//! COLD: the cancel path: cancel all, cancel one, and how both leave while everything else must wait.
//!
//! It depends on an order connection that takes requests and on a clock that was measured once, and on nothing else:
//! not on user data, not on the steps of setting a session up, not on a pause that the venue asked of new orders.

use spinbook_engine::types::{Nanos, OrderId, VenueCode};

use super::Gateway;
use super::lifecycle::SessionStep;
use super::orders::CancelState;
use super::outbox::Pending;
use super::spare::SECOND_WAY_AFTER;
use super::throttle::Urgency;
use crate::venue::instrument::Instrument;
use crate::venue::order_side::{Cost, OrderConnection, OrderSide, Reaction};
use crate::venue::orders::{OrderUpdate, Refusal, Request, RequestId, RequestKind};

/// A cancel-all that failed in a way that may pass is tried again after this.
const SWEEP_RETRY: Nanos = Nanos::from_millis(500);
/// The same where the venue refuses the key or the settings: an order may live, but asking faster helps nobody.
const SWEEP_RETRY_REFUSED: Nanos = Nanos::from_seconds(5);
/// While the venue asks us to wait, or its window is full, one cancel leaves at this pace.
const SLOW_PACE_FIRST: Nanos = Nanos::from_seconds(1);
/// Where it refuses those as well, the pace is halved each time down to this.
const SLOW_PACE_LAST: Nanos = Nanos::from_seconds(8);
/// An answer to a cancel is waited for this long before it is sent again.
const ANSWER_WITHIN: Nanos = Nanos::from_seconds(1);
/// A cancel-all on its way is given this long before single cancels of the same orders follow it.
const SWEEP_GRACE: Nanos = Nanos::from_millis(500);

/// Where the cancelling of all orders of one instrument stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sweep {
    /// To be sent, or sent again.
    wanted: bool,
    not_before: Nanos,
    /// On its way, and since when.
    request: Option<(RequestId, Nanos)>,
    /// On its way over the other connection as well.
    second: Option<RequestId>,
}

impl Sweep {
    /// Orders of a run before this one may be open: wanted from the start.
    pub(super) const WANTED: Sweep = Sweep { wanted: true, not_before: Nanos::ZERO, request: None, second: None };

    /// Orders of earlier runs are to be taken over.
    pub(super) const UNWANTED: Sweep = Sweep { wanted: false, ..Sweep::WANTED };

    const fn is_done(&self) -> bool {
        !self.wanted && self.request.is_none()
    }

    /// One of the two on their way is not awaited any longer; true if none is.
    fn forget(&mut self, request: RequestId) -> bool {
        if self.second == Some(request) {
            self.second = None;
        } else if let Some((_, sent)) = self.request {
            self.request = self.second.take().map(|second| (second, sent));
        }
        self.request.is_none()
    }
}

/// The pace of cancels while everything else must wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct SlowPace {
    next_at: Nanos,
    span: Nanos,
}

impl SlowPace {
    pub(super) const START: SlowPace = SlowPace { next_at: Nanos::ZERO, span: SLOW_PACE_FIRST };

    fn take(&mut self, now: Nanos) {
        self.next_at = now + self.span;
    }

    /// The venue refused one of them for its windows as well.
    fn refused(&mut self, now: Nanos) {
        self.span = Nanos((self.span.0 * 2).min(SLOW_PACE_LAST.0));
        self.next_at = self.next_at.max(now + self.span);
    }

    fn taken(&mut self) {
        self.span = SLOW_PACE_FIRST;
    }
}

impl<O: OrderSide> Gateway<O> {
    /// The connection that a cancel leaves by now; `None`: no order connection takes requests.
    pub(super) fn cancel_path(&self) -> Option<OrderConnection> {
        let usable = |connection: &OrderConnection| self.links[connection.index()].usable;
        self.clock.is_known().then(|| OrderConnection::REQUESTS.into_iter().find(usable)).flatten()
    }

    /// The same, past a connection that has owed an answer for so long that the other one is better.
    fn cancel_path_at(&self, now: Nanos) -> Option<OrderConnection> {
        let answers = |connection: &OrderConnection| {
            let link = &self.links[connection.index()];
            link.usable && (link.asked == Nanos::NEVER || now < link.asked + SECOND_WAY_AFTER)
        };
        let path = self.cancel_path()?;
        OrderConnection::REQUESTS.into_iter().find(answers).or(Some(path))
    }

    /// Every order of every instrument is to be cancelled, whoever placed it.
    pub(super) fn want_sweeps(&mut self, now: Nanos) {
        if !self.adoption.is_over() {
            self.give_up_adoption(now);
        }
        for sweep in &mut self.sweeps {
            sweep.wanted = true;
            sweep.not_before = now;
        }
    }

    /// The same in the instrument at `place`, not before `at`.
    pub(super) fn want_sweep(&mut self, place: usize, at: Nanos) {
        if let Some(sweep) = self.sweeps.get_mut(place) {
            sweep.wanted = true;
            sweep.not_before = at;
        }
    }

    /// Whether the venue answered every cancel-all that was wanted.
    pub(super) fn is_swept(&self) -> bool {
        self.sweeps.iter().all(Sweep::is_done)
    }

    /// The same of the instrument at `place`.
    pub(super) fn is_place_swept(&self, place: usize) -> bool {
        self.sweeps.get(place).is_some_and(Sweep::is_done)
    }

    /// Whether a cancel waits to be sent or for its answer.
    pub(super) fn is_cancelling(&self) -> bool {
        !self.is_swept() || self.orders.active().any(|order| order.cancel != CancelState::None && order.is_open())
    }

    /// When the cancel path has something to do, if no answer comes before.
    pub(super) fn cancel_due(&self) -> Nanos {
        if self.cancel_path().is_none() {
            return Nanos::NEVER;
        }
        let sweeps = self.sweeps.iter().filter(|sweep| sweep.wanted && sweep.request.is_none());
        let sweeps = sweeps.map(|sweep| sweep.not_before);
        let cancels = self.orders.active().filter(|order| order.wants_cancel());
        let cancels = cancels.map(|order| order.cancel_at.max(self.sweep_grace(order.instrument)));
        let at = sweeps.chain(cancels).min().unwrap_or(Nanos::NEVER);
        if at == Nanos::NEVER { at } else { at.max(self.cancels_from(at)) }
    }

    /// Before this no cancel leaves at `now`: a ban, or the pace of a pause.
    fn cancels_from(&self, now: Nanos) -> Nanos {
        let paced = if now < self.silent_until { self.slow.next_at.min(self.silent_until) } else { Nanos::ZERO };
        paced.max(self.banned_until)
    }

    /// Until when single cancels in an instrument wait for the cancel-all that is on its way.
    fn sweep_grace(&self, instrument: spinbook_engine::types::InstrumentId) -> Nanos {
        let place = self.instruments.iter().position(|known| known.id == instrument);
        let sent = place.and_then(|place| self.sweeps[place].request).map(|(_, sent)| sent);
        sent.map_or(Nanos::ZERO, |sent| sent + SWEEP_GRACE)
    }

    /// Whether a request of the cancel path may leave now; with no room in the venue's windows, or while it asks us to
    /// wait, one leaves at a slow pace.
    pub(super) fn may_cancel(&mut self, cost: Cost, instrument: &Instrument, now: Nanos) -> Result<(), Nanos> {
        if now < self.banned_until {
            return Err(self.banned_until);
        }
        let about = Some(instrument.id);
        let has_room = self.throttle.allows(cost, Urgency::Cancel, about, now);
        if has_room && now >= self.silent_until {
            return Ok(());
        }
        if now >= self.slow.next_at {
            self.slow.take(now);
            return Ok(());
        }
        let room_at = self.throttle.ready_at(cost, Urgency::Cancel, about, now).max(self.silent_until);
        Err(self.slow.next_at.min(room_at))
    }

    /// Cancels all orders of the instruments where that is wanted: one request each.
    pub(super) fn send_sweeps(&mut self, now: Nanos) {
        let Some(connection) = self.cancel_path_at(now) else {
            return;
        };
        for place in 0..self.sweeps.len() {
            let sweep = self.sweeps[place];
            if !sweep.wanted || sweep.request.is_some() || now < sweep.not_before {
                continue;
            }
            let instrument = self.instruments[place];
            let cost = self.side.cost(RequestKind::CancelAll);
            if let Err(at) = self.may_cancel(cost, &instrument, now) {
                self.sweeps[place].not_before = at;
                continue;
            }
            let id = self.send_over(&Request::CancelAll(&instrument), connection, OrderId::NONE, 0, now);
            self.outbox.expect_by(id, now + ANSWER_WITHIN);
            self.counters.sweeps_sent += 1;
            self.sweeps[place] = Sweep { wanted: false, not_before: now, request: Some((id, now)), second: None };
        }
    }

    /// Sends the single cancels that are due.
    pub(super) fn send_cancels(&mut self, now: Nanos) {
        let Some(connection) = self.cancel_path_at(now) else {
            return;
        };
        let cost = self.side.cost(RequestKind::Cancel);
        let ids = self.orders.take_ids(|order| order.wants_cancel() && now >= order.cancel_at);
        for order in ids.iter().copied() {
            let Some(tracked) = self.orders.find(order) else {
                continue;
            };
            let (id, venue_order) = (tracked.instrument, tracked.venue_order);
            let Some(place) = self.instruments.iter().position(|known| known.id == id) else {
                continue;
            };
            let (instrument, grace) = (self.instruments[place], self.sweep_grace(id));
            if now < grace {
                continue;
            }
            let others = || self.orders.active().filter(|other| other.instrument == id && other.wants_cancel()).count();
            if now < self.silent_until && others() > 1 {
                // The venue asked us to wait: what is taken of it is one request for all of them.
                if !self.sweeps[place].wanted && self.sweeps[place].request.is_none() {
                    self.want_sweep(place, now);
                    self.send_sweeps(now);
                }
                if self.sweeps[place].request.is_some() || self.sweeps[place].wanted {
                    self.orders.find_mut(order).expect("just found").cancel_at = now + SWEEP_GRACE;
                    continue;
                }
            }
            if let Err(at) = self.may_cancel(cost, &instrument, now) {
                self.orders.find_mut(order).expect("just found").cancel_at = at;
                continue;
            }
            if let Some(id) = self.send_about(order, id, venue_order, RequestKind::Cancel, connection, now) {
                self.outbox.expect_by(id, now + ANSWER_WITHIN);
            }
            self.counters.cancels_sent += 1;
            let tracked = self.orders.find_mut(order).expect("just found");
            tracked.cancel = CancelState::InFlight;
            tracked.cancel_attempts += 1;
            let attempt = tracked.cancel_attempts;
            self.journal.cancel_sent(order, id, attempt, now);
        }
        self.orders.keep_ids(ids);
    }

    /// The sweep that waits for the answer to this request.
    fn sweep_of(&self, request: RequestId) -> Option<usize> {
        let waits = |sweep: &Sweep| sweep.request.is_some_and(|(id, _)| id == request) || sweep.second == Some(request);
        self.sweeps.iter().position(waits)
    }

    /// Sends a cancel-all that has no answer yet over the other connection as well.
    pub(super) fn sweep_again(&mut self, request: RequestId, way: OrderConnection, now: Nanos) -> Option<RequestId> {
        let place = self.sweep_of(request)?;
        let instrument = self.instruments[place];
        let second = self.send_over(&Request::CancelAll(&instrument), way, OrderId::NONE, 0, now);
        self.outbox.expect_by(second, now + ANSWER_WITHIN);
        self.counters.sweeps_sent += 1;
        self.sweeps[place].second = Some(second);
        Some(second)
    }

    /// The venue cancelled what was open in one instrument, and lists it where it does.
    pub(super) fn swept(&mut self, request: RequestId, rows: &[OrderUpdate], now: Nanos) {
        self.slow.taken();
        if let Some(place) = self.sweep_of(request) {
            self.cancel_answered_at(place, now);
            (self.sweeps[place].request, self.sweeps[place].second) = (None, None);
            rows.iter().for_each(|row| self.note_leftover(row));
        }
        rows.iter().for_each(|row| self.apply_update(row, now));
        self.swept_once |= self.is_swept();
    }

    /// The venue refused a cancel-all.
    pub(super) fn sweep_refused(&mut self, request: RequestId, reaction: Reaction, refusal: &Refusal, now: Nanos) {
        let Some(place) = self.sweep_of(request) else {
            return;
        };
        if reaction != Reaction::Unknown {
            self.cancel_answered_at(place, now);
        }
        if !self.sweeps[place].forget(request) {
            // The other connection has still to answer.
            return;
        }
        match reaction {
            // Nothing was open.
            Reaction::Ignore | Reaction::QueryOrder | Reaction::NotFound => self.slow.taken(),
            Reaction::Halt | Reaction::Configuration => {
                self.want_sweep(place, now + SWEEP_RETRY_REFUSED);
                let message = self.key_message(refusal);
                self.stop_with(refusal.code, message, now);
            }
            Reaction::PauseAll | Reaction::PauseOrders | Reaction::Banned => {
                self.slow.refused(now);
                self.want_sweep(place, now);
            }
            Reaction::ResyncClock | Reaction::Backoff | Reaction::Unknown | Reaction::RestartUserData => {
                self.want_sweep(place, now + SWEEP_RETRY);
            }
            // The venue has no such request, or not for us: one by one.
            _ => self.cancel_singly(place, now),
        }
        self.swept_once |= self.is_swept();
    }

    /// Another way than the connections brought the answer: everything at `place` is cancelled, and once more at `again`
    /// if something may still come.
    pub(super) fn sweep_proved(&mut self, place: usize, again: Option<Nanos>, now: Nanos) {
        self.slow.taken();
        let done = Sweep { wanted: again.is_some(), not_before: again.unwrap_or(now), request: None, second: None };
        self.sweeps[place] = done;
        self.swept_once |= self.is_swept();
    }

    /// The answer to a cancel-all is not waited for any longer: it is sent again.
    pub(super) fn sweep_lost(&mut self, request: RequestId, now: Nanos) {
        if let Some(place) = self.sweep_of(request)
            && self.sweeps[place].forget(request)
        {
            self.want_sweep(place, now);
        }
    }

    /// Every order of the table in one instrument gets a cancel of its own.
    fn cancel_singly(&mut self, place: usize, now: Nanos) {
        let instrument = self.instruments[place].id;
        let ids = self.orders.take_ids(|order| order.instrument == instrument && order.is_open());
        for order in ids.iter().copied() {
            self.want_cancel(order, now);
            // One that waited for the cancel-all to do it waits no longer.
            if let Some(tracked) = self.orders.find_mut(order).filter(|tracked| tracked.wants_cancel()) {
                tracked.cancel_at = tracked.cancel_at.min(now);
            }
        }
        self.orders.keep_ids(ids);
    }

    /// An order that may live is to be cancelled, not before `at`.
    pub(super) fn want_cancel(&mut self, order: OrderId, at: Nanos) {
        if let Some(tracked) = self.orders.find_mut(order)
            && tracked.is_open()
            && tracked.cancel == CancelState::None
        {
            tracked.cancel = CancelState::Wanted;
            tracked.cancel_at = at;
        }
    }

    /// A living order of ours that is not in the table gets a cancel of its own. Lists show it again if that fails.
    pub(super) fn cancel_stray(&mut self, order: OrderId, update: &OrderUpdate, now: Nanos) {
        // What a first list shows is cancelled all at once.
        if matches!(self.step, SessionStep::Query(_)) && self.step_attempts == 0 {
            return;
        }
        let cost = self.side.cost(RequestKind::Cancel);
        let allowed = self.throttle.allows(cost, Urgency::Cancel, Some(update.instrument), now);
        if let Some(connection) = self.cancel_path_at(now)
            && self.is_swept()
            && allowed
            && now >= self.quiet_until()
        {
            self.counters.cancels_sent += 1;
            self.send_about(order, update.instrument, update.venue_order, RequestKind::Cancel, connection, now);
        }
    }

    /// What the answer to a single cancel says of the pace.
    pub(super) fn note_cancel_answer(&mut self, pending: &Pending, reaction: Option<Reaction>, now: Nanos) {
        if pending.kind != RequestKind::Cancel {
            return;
        }
        let instrument = self.orders.find(pending.order).map(|tracked| tracked.instrument);
        let place = self.instruments.iter().position(|known| Some(known.id) == instrument);
        if let Some(place) = place.filter(|_| reaction != Some(Reaction::Unknown)) {
            self.cancel_answered_at(place, now);
        }
        match reaction {
            Some(Reaction::PauseAll | Reaction::PauseOrders | Reaction::Banned) => self.slow.refused(now),
            _ => self.slow.taken(),
        }
    }

    /// Leaves an order connection for good reasons of ours or the venue's: first everything is cancelled over it.
    pub(super) fn leave_orders(&mut self, reason: super::OrderCloseReason, now: Nanos) {
        if self.leaving.is_some() {
            return;
        }
        self.session_down(now);
        if self.cancel_path() == Some(OrderConnection::Orders) && self.may_live() {
            self.want_sweeps(now);
            self.leaving = Some((reason, now + LEAVE_WITHIN));
            self.send_sweeps(now);
        } else {
            self.close(OrderConnection::Orders, reason, now);
        }
    }

    /// Closes the order connection that is being left once everything is cancelled, or that took too long.
    pub(super) fn finish_leaving(&mut self, now: Nanos) {
        if let Some((reason, by)) = self.leaving
            && (now >= by || (self.is_swept() && self.open_orders() == 0))
        {
            self.close(OrderConnection::Orders, reason, now);
        }
    }

    /// Whether an order of this account may be on the venue's book, as far as this gateway knows.
    pub(super) fn may_live(&self) -> bool {
        self.shutting_down || !self.swept_once || self.orders.active_count() > 0
    }

    /// Halts, and gives the session up once nothing is left to be cancelled over it.
    pub(super) fn stop_when_swept(&mut self, code: VenueCode, message: String, now: Nanos) {
        self.halt_with(code, message, now);
        self.stop_wanted = true;
    }
}

/// A connection that is left gives the venue this long to confirm that everything on it is cancelled.
const LEAVE_WITHIN: Nanos = Nanos::from_seconds(1);
