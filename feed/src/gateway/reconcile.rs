//! COLD: orders whose outcome is not known: asked for until proved, never assumed.

use spinbook_engine::event::ExecutionKind;
use spinbook_engine::types::{Nanos, OrderId, VenueCode};

use super::Gateway;
use super::lifecycle::SessionStep;
use super::orders::{CancelState, Phase, TrackedOrder};
use super::outbox::Pending;
use super::throttle::{Throttle, Urgency};
use crate::journal::end::EndProof;
use crate::venue::order_side::{OrderConnection, OrderSide};
use crate::venue::orders::{OrderUpdate, Request, RequestId, RequestKind};

/// Pause before an order is asked for again, doubled each time up to 64 times.
const QUERY_RETRY: Nanos = Nanos::from_millis(100);
/// An order that was alive and that the venue does not know any more, asked for this often: a human decides.
const NOT_FOUND_MAX: u32 = 10;
/// "Not known" so often, to a question asked when the order could no longer be accepted, proves that it never lived.
const NOT_FOUND_PROOFS: u8 = 2;
/// The same while user data, which would tell of the order, does not run.
const NOT_FOUND_PROOFS_BLIND: u8 = 6;
/// Longest pause between questions about an order that was never seen alive.
const NOT_FOUND_PAUSE_MAX: Nanos = Nanos::from_millis(800);
/// An order is missing in a list that was asked for so long after it was sent: it is asked for by itself.
const LISTED_AFTER: Nanos = Nanos::from_seconds(1);
/// So long after an order was sent its own answer, late as it is, is still believed.
const PLACE_BELIEVED: Nanos = Nanos::from_seconds(60);
/// Where missing fills come with a list over REST, that is asked for again after this.
const FILLS_AGAIN: Nanos = Nanos::from_seconds(2);
/// After this without the missing fills no new orders are taken until they are there.
const MISSING_FILLS_MAX: Nanos = Nanos::from_seconds(15);
/// After this without the missing fills, trading stops.
const MISSING_FILLS_HALT: Nanos = Nanos::from_seconds(60);

impl<O: OrderSide> Gateway<O> {
    /// Every order has to be asked for: messages about it may have been lost.
    pub(super) fn mark_all_unknown(&mut self, now: Nanos) {
        let ids = self.orders.take_ids(|_| true);
        for order in ids.iter().copied() {
            if let Some(tracked) = self.orders.find_mut(order) {
                tracked.query_at = tracked.query_at.min(now);
            }
        }
        self.orders.keep_ids(ids);
    }

    /// Requests in flight on a closed connection: whether they arrived is not known.
    pub(super) fn forget_requests(&mut self, connection: OrderConnection, now: Nanos) {
        let on_it = |(_, request): &(&RequestId, &Pending)| request.connection == connection;
        let pending: Vec<_> = self.outbox.pending.iter().filter(on_it).map(|(id, request)| (*id, *request)).collect();
        self.lose_all(pending, now);
    }

    /// These requests are not waited for any longer, in the order in which they were sent.
    fn lose_all(&mut self, mut requests: Vec<(RequestId, Pending)>, now: Nanos) {
        requests.sort_unstable_by_key(|(id, _)| *id);
        for (id, request) in requests {
            self.outbox.pending.remove(&id);
            self.lose(id, &request, now);
        }
    }

    /// The reply to one request will not be waited for any longer.
    pub(super) fn lose(&mut self, id: RequestId, request: &Pending, now: Nanos) {
        let order = request.order;
        if self.step_request == Some(id) {
            self.step_failed(now);
        }
        match request.kind {
            RequestKind::CancelAll => self.sweep_lost(id, now),
            RequestKind::OpenOrders if self.poll.request == Some(id) => self.poll_over(now),
            RequestKind::Place => {
                let unproved = self.orders.find(order).is_some_and(|tracked| tracked.phase == Phase::Sent);
                if unproved {
                    self.counters.unknown += 1;
                    self.orders.on_unknown(order, now, now, &mut self.events);
                }
            }
            RequestKind::Replace if self.orders.find(order).is_some_and(|tracked| tracked.phase == Phase::Sent) => {
                self.replace_in_doubt(order, now);
            }
            RequestKind::Amend => self.amend_in_doubt(order, now, now),
            RequestKind::Cancel => {
                if let Some(tracked) = self.orders.find_mut(order)
                    && tracked.cancel == CancelState::InFlight
                {
                    tracked.cancel = CancelState::Wanted;
                    tracked.cancel_at = now;
                    tracked.query_at = tracked.query_at.min(now);
                }
            }
            RequestKind::OrderStatus | RequestKind::Fills => {
                if let Some(tracked) = self.orders.find_mut(order) {
                    tracked.query_in_flight = false;
                    tracked.query_at = tracked.query_at.min(now);
                }
            }
            _ => {}
        }
    }

    /// Requests without a reply in time.
    pub(super) fn expire_requests(&mut self, now: Nanos) {
        let late = |(_, request): &(&RequestId, &Pending)| now >= request.deadline;
        let mut late: Vec<_> = self.outbox.pending.iter().filter(late).map(|(id, request)| (*id, *request)).collect();
        late.sort_unstable_by_key(|(id, _)| *id);
        for (id, request) in late {
            // An order's own answer may still come and will be believed: at first only the waiting ends.
            let believed_until = request.sent + PLACE_BELIEVED;
            let is_order = matches!(request.kind, RequestKind::Place | RequestKind::Replace | RequestKind::Amend);
            if is_order && request.deadline < believed_until {
                if let Some(pending) = self.outbox.pending.get_mut(&id) {
                    pending.deadline = believed_until;
                }
            } else {
                self.outbox.pending.remove(&id);
            }
            self.counters.timeouts += u64::from(request.deadline != believed_until);
            self.lose(id, &request, now);
        }
    }

    pub(super) fn send_queries(&mut self, now: Nanos) {
        if !self.can_send() || !self.is_swept() || now < self.queries_from().max(self.quiet_until()) {
            return;
        }
        let cost = self.side.cost(RequestKind::OrderStatus);
        let ids = self.orders.take_ids(|order| !order.query_in_flight && now >= order.query_at);
        for order in ids.iter().copied() {
            let Some(tracked) = self.orders.find(order) else {
                continue;
            };
            // A question about an order whose own answer is still due would race it.
            let (awaited, about) = (tracked.phase == Phase::Sent, Some(tracked.instrument));
            if awaited || !self.throttle.allows(cost, Urgency::Query, about, now) {
                let ready = |throttle: &mut Throttle| throttle.ready_at(cost, Urgency::Query, about, now);
                let at = if awaited { now + QUERY_RETRY } else { ready(&mut self.throttle) };
                self.orders.find_mut(order).expect("just found").query_at = at;
                continue;
            }
            let (instrument, venue_order) = (tracked.instrument, tracked.venue_order);
            let connection = self.side.connection_of(RequestKind::OrderStatus);
            self.send_about(order, instrument, venue_order, RequestKind::OrderStatus, connection, now);
            self.asked_about(order, Some(connection), now);
            let tracked = self.orders.find_mut(order).expect("just found");
            tracked.query_in_flight = true;
            tracked.query_at = Nanos::NEVER;
        }
        self.orders.keep_ids(ids);
    }

    /// The venue answered a question about an order: nothing more to ask, unless it said nothing we know.
    pub(super) fn query_answered(&mut self, order: OrderId, now: Nanos) {
        if let Some(tracked) = self.orders.find_mut(order) {
            tracked.query_in_flight = false;
            let decided_from = tracked.amendment_decided_from();
            if tracked.phase == Phase::Unknown || decided_from.is_some() {
                let again = now + Nanos(QUERY_RETRY.0 << tracked.query_attempts.min(6));
                tracked.query_at = again.max(decided_from.unwrap_or(again));
                tracked.query_attempts += 1;
            }
        }
    }

    /// A question about an order was refused for a reason that has nothing to do with the order.
    pub(super) fn query_failed(&mut self, order: OrderId, now: Nanos) {
        if let Some(tracked) = self.orders.find_mut(order) {
            tracked.query_in_flight = false;
            tracked.query_at = now + Nanos(QUERY_RETRY.0 << tracked.query_attempts.min(6));
            tracked.query_attempts += 1;
        }
    }

    /// The venue does not know the order, asked at `asked` over `way` (`None`: REST). It never lived if it was never seen
    /// alive and the venue said so twice, each time asked when it could no longer be accepted, and user data, which would
    /// have told of it, has shown since that it lives; otherwise nothing is proved. A session that is shut down without user
    /// data believes more answers instead.
    pub(super) fn order_not_found(
        &mut self,
        order: OrderId,
        (asked, way): (Nanos, Option<OrderConnection>),
        code: VenueCode,
        now: Nanos,
    ) {
        let proofs_wanted = match (self.has_user_data_told(asked, way), self.shutting_down) {
            (true, _) => Some(NOT_FOUND_PROOFS),
            (false, true) => Some(NOT_FOUND_PROOFS_BLIND),
            (false, false) => None,
        };
        let Some(tracked) = self.orders.find_mut(order) else {
            return;
        };
        tracked.query_in_flight = false;
        if tracked.is_done() {
            return;
        }
        let pause = Nanos(QUERY_RETRY.0 << tracked.query_attempts.min(6));
        tracked.query_attempts += 1;
        if !tracked.accepted {
            tracked.query_at = tracked.valid_until.max(now + pause.min(NOT_FOUND_PAUSE_MAX));
            if asked < tracked.valid_until {
                return;
            }
            tracked.not_found = tracked.not_found.saturating_add(1);
            if proofs_wanted.is_some_and(|wanted| tracked.not_found >= wanted) {
                self.not_known(order, code, now);
            } else if tracked.not_found >= NOT_FOUND_PROOFS {
                self.hold_answer(order, asked, code);
            }
            return;
        }
        tracked.query_at = now + pause;
        let message = (tracked.query_attempts > NOT_FOUND_MAX).then(|| {
            let name = self.side.client_id(order);
            format!(
                "the venue no longer knows order {}, which it had accepted: compare position and fills by hand",
                name.as_str()
            )
        });
        if let Some(message) = message {
            self.orders.on_unknown(order, now + pause, now, &mut self.events);
            self.halt_with(code, message, now);
        }
    }

    /// The venue never had this order, as often as a proof wants it, unless it was seen alive meanwhile.
    pub(super) fn not_known(&mut self, order: OrderId, code: VenueCode, now: Nanos) {
        let unseen = |order: &TrackedOrder| !order.accepted && !order.is_done() && order.not_found >= NOT_FOUND_PROOFS;
        self.signs_of_life.forget(order);
        if !self.orders.find(order).is_some_and(unseen) {
            return;
        }
        self.proof = EndProof::NotKnown;
        self.orders.on_refused(order, code, now, &mut self.events);
        // The venue refused nothing: it never had the order. Doubtful orders have a limit of their own.
        let told = self.events.back_mut().filter(|event| event.order == order);
        if let Some(event) = told.filter(|event| event.kind == ExecutionKind::Rejected) {
            event.overtaken = true;
        }
    }

    /// The venue stated more filled than has been reported: the executions themselves are asked for, and
    /// where that is not possible a human has to look.
    pub(super) fn watch_missing_fills(&mut self, now: Nanos) {
        let over_rest = now >= self.silent_from();
        if !(self.can_send() || over_rest) || now < self.quiet_until() {
            return;
        }
        let grace = self.settings.fills_grace;
        let mut late = false;
        // Who shuts down takes no new orders anyway, and waits no longer than needed.
        let halt_after = if self.shutting_down { MISSING_FILLS_MAX } else { MISSING_FILLS_HALT };
        let missing = |order: &TrackedOrder| {
            let since = order.missing_since;
            since != Nanos::ZERO && now - since >= grace && now >= order.fills_at
        };
        let ids = self.orders.take_ids(missing);
        for order in ids.iter().copied() {
            let Some(tracked) = self.orders.find_mut(order) else {
                continue;
            };
            let waited = now - tracked.missing_since;
            let (instrument, venue_order) = (tracked.instrument, tracked.venue_order);
            late |= waited >= MISSING_FILLS_MAX;
            if waited >= halt_after {
                tracked.fills_at = Nanos::NEVER;
                let message = format!(
                    "the venue filled more of order {} than its executions that reached us: compare position and \
                     trades by hand",
                    self.side.client_id(order).as_str()
                );
                self.halt_with(VenueCode::NONE, message, now);
                continue;
            }
            let next = if waited < MISSING_FILLS_MAX { MISSING_FILLS_MAX } else { halt_after };
            let give_up = tracked.missing_since + next;
            if over_rest || !self.side.can_ask_fills() || venue_order.is_none() {
                // They come with all others of their instrument, over REST.
                let sent = tracked.valid_until - self.side.validity() - self.settings.validity_margin;
                let can_ask = self.rest.account.is_some();
                tracked.fills_at = if can_ask { (now + FILLS_AGAIN).min(give_up) } else { give_up };
                self.want_trades(instrument, sent, false);
                continue;
            }
            let cost = self.side.cost(RequestKind::Fills);
            if self.throttle.allows(cost, Urgency::Query, Some(instrument), now) {
                tracked.fills_at = (now + grace).min(give_up);
                let connection = self.side.connection_of(RequestKind::Fills);
                self.send_about(order, instrument, venue_order, RequestKind::Fills, connection, now);
            } else {
                tracked.fills_at = self.throttle.ready_at(cost, Urgency::Query, Some(instrument), now).min(give_up);
            }
        }
        self.orders.keep_ids(ids);
        if late {
            self.wait_for_fills(now);
        }
    }

    /// From time to time the venue lists what is open, so that a fact whose message was lost on a healthy connection is
    /// found as well.
    pub(super) fn poll_open_orders(&mut self, now: Nanos) {
        let Some(instrument) = self.instruments.get(self.poll.place).copied() else {
            return;
        };
        if now < self.poll_due() || now < self.quiet_until() {
            return;
        }
        let (cost, about) = (self.side.cost(RequestKind::OpenOrders), Some(instrument.id));
        if !self.throttle.allows(cost, Urgency::Query, about, now) {
            self.poll.next_at = self.throttle.ready_at(cost, Urgency::Query, about, now);
            return;
        }
        let connection = self.side.connection_of(RequestKind::OpenOrders);
        self.poll.request = Some(self.send(&Request::OpenOrders(&instrument), connection, now));
    }

    /// When the next list is asked for.
    pub(super) fn poll_due(&self) -> Nanos {
        let ready = self.step == SessionStep::Ready && self.can_send();
        if ready && self.poll.request.is_none() { self.poll.next_at } else { Nanos::NEVER }
    }

    /// The list that was asked for is not waited for any longer.
    pub(super) fn poll_over(&mut self, now: Nanos) {
        self.poll.request = None;
        self.poll.place += 1;
        self.poll.next_at = now;
        if self.poll.place >= self.instruments.len() {
            self.poll.place = 0;
            self.poll.next_at = now + self.settings.open_orders_interval;
        }
    }

    /// What the venue lists of one instrument. Orders that should be on the list and are not are asked for.
    pub(super) fn open_orders_polled(&mut self, rows: &[OrderUpdate], asked: Nanos, now: Nanos) {
        let instrument = self.instruments[self.poll.place].id;
        self.poll_over(now);
        let rows = || rows.iter().filter(|row| row.instrument == instrument);
        let validity = self.side.validity() + self.settings.validity_margin;
        let listed = |order: &TrackedOrder| rows().any(|row| row.order == Some(order.order));
        let ids = self.orders.take_ids(|order| {
            let sent = order.valid_until - validity;
            order.instrument == instrument && order.is_open() && asked - sent >= LISTED_AFTER && !listed(order)
        });
        for order in ids.iter().copied() {
            if let Some(tracked) = self.orders.find_mut(order) {
                tracked.query_at = tracked.query_at.min(now);
            }
        }
        self.orders.keep_ids(ids);
        rows().for_each(|row| self.apply_row(row, asked, now));
    }
}

/// Where the lists of open orders that are asked for from time to time stand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Poll {
    pub(super) request: Option<RequestId>,
    /// The instrument whose turn it is.
    place: usize,
    pub(super) next_at: Nanos,
}

impl Poll {
    pub(super) const START: Poll = Poll { request: None, place: 0, next_at: Nanos::ZERO };
}
