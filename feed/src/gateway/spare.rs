//! COLD: the second order connection: kept warm beside the first, and the way of a cancel that the first does not answer.

use spinbook_engine::types::Nanos;

use super::Gateway;
use super::lifecycle::SessionStep;
use super::link::OrderLinkState;
use super::orders::CancelState;
use super::outbox::Pending;
use super::throttle::Urgency;
use crate::venue::order_side::{HandshakeStep, OrderConnection, OrderSide};
use crate::venue::orders::{Request, RequestId, RequestKind};

/// A cancel that has no answer after this goes out over the other connection as well.
pub(super) const SECOND_WAY_AFTER: Nanos = Nanos::from_millis(500);
/// While both connections are down they are tried in turn, this far apart.
const STAGGER: Nanos = Nanos::from_seconds(1);
/// A log-on that the venue refused is tried again after this.
const LOG_ON_RETRY: Nanos = Nanos::from_seconds(5);

impl<O: OrderSide> Gateway<O> {
    /// Whether a second order connection is wanted: once the first was tried, and while the session is not over.
    pub(super) fn wants_spare(&self) -> bool {
        let over = matches!(self.step, SessionStep::Quiet | SessionStep::Stopped);
        let tried = self.links[OrderConnection::Orders.index()].since != Nanos::ZERO;
        self.settings.spare_connection && tried && !over
    }

    /// How long an order connection waits before its next attempt while an order may live: with both down they take
    /// turns, so that the venue sees one attempt in this time.
    pub(super) fn turns(&self, pause: Option<Nanos>) -> Option<Nanos> {
        let down = |connection: OrderConnection| self.links[connection.index()].state != OrderLinkState::Open;
        let both = self.wants_spare() && OrderConnection::REQUESTS.into_iter().all(down);
        pause.map(|pause| if both { Nanos(pause.0 * 2) } else { pause })
    }

    /// When the second connection is opened; [`Nanos::NEVER`]: it is open, or not wanted.
    fn spare_connect_at(&self) -> Nanos {
        let (orders, spare) =
            (&self.links[OrderConnection::Orders.index()], &self.links[OrderConnection::Spare.index()]);
        if spare.state != OrderLinkState::Down || !self.wants_spare() {
            return Nanos::NEVER;
        }
        if orders.is_open() {
            return spare.retry_due(None);
        }
        spare.retry_due(self.turns(self.retry_soon)).max(orders.since + STAGGER)
    }

    /// When something is due on the second connection, if no answer comes before.
    pub(super) fn spare_due(&self) -> Nanos {
        let link = &self.links[OrderConnection::Spare.index()];
        let mut at = self.spare_connect_at();
        if link.is_open() && !self.outbox.awaits(RequestKind::ServerTime, OrderConnection::Spare) {
            at = at.min(self.spare_warmed + self.settings.clock_interval).max(self.quiet_until());
        }
        for pending in self.outbox.pending.values() {
            if pending.wants_second_way() && self.other_way(pending.connection).is_some() {
                at = at.min((pending.sent + SECOND_WAY_AFTER).max(self.banned_until));
            }
        }
        at
    }

    /// Opens the second connection and keeps it warm.
    pub(super) fn keep_spare(&mut self, now: Nanos) {
        if now >= self.spare_connect_at() {
            self.connect(OrderConnection::Spare, now);
        }
        let link = &self.links[OrderConnection::Spare.index()];
        let asks = link.is_open() && !self.outbox.awaits(RequestKind::ServerTime, OrderConnection::Spare);
        if !asks || now < (self.spare_warmed + self.settings.clock_interval).max(self.quiet_until()) {
            return;
        }
        // Before any clock was told nothing can be stamped: this connection asks for it as well.
        self.spare_warmed = if self.clock.is_known() { now } else { now + STAGGER - self.settings.clock_interval };
        if self.throttle.allows(self.side.cost(RequestKind::ServerTime), Urgency::Query, None, now) {
            self.send(&Request::ServerTime, OrderConnection::Spare, now);
        }
        if !self.links[OrderConnection::Spare.index()].usable {
            self.log_spare_on(now);
        }
    }

    /// The second connection opened.
    pub(super) fn spare_opened(&mut self, now: Nanos) {
        self.link(OrderConnection::Spare).opened(now);
        self.side.set_logged_on(OrderConnection::Spare, false);
        self.spare_warmed = if self.clock.is_known() { now } else { now - self.settings.clock_interval };
        if self.handshake.contains(&HandshakeStep::LogOn(OrderConnection::Orders)) {
            self.log_spare_on(now);
        } else {
            self.link(OrderConnection::Spare).usable = true;
        }
    }

    fn log_spare_on(&mut self, now: Nanos) {
        let awaited = self.outbox.awaits(RequestKind::LogOn, OrderConnection::Spare);
        if self.clock.is_known() && !awaited && now >= self.quiet_until() {
            self.send(&Request::LogOn, OrderConnection::Spare, now);
        }
    }

    /// The second connection's own log-on was answered.
    pub(super) fn spare_logged_on(&mut self, accepted: bool, now: Nanos) {
        self.side.set_logged_on(OrderConnection::Spare, accepted);
        self.link(OrderConnection::Spare).usable = accepted;
        if !accepted {
            // Asked again with the next sign of life.
            self.spare_warmed = now + LOG_ON_RETRY - self.settings.clock_interval;
        }
    }

    /// The other connection that takes requests, beside this one.
    fn other_way(&self, connection: OrderConnection) -> Option<OrderConnection> {
        let other = |way: &OrderConnection| *way != connection && self.links[way.index()].usable;
        OrderConnection::REQUESTS.into_iter().find(other)
    }

    /// Cancels that wait too long for their answer go out over the other connection as well.
    pub(super) fn send_second_way(&mut self, now: Nanos) {
        if now < self.banned_until {
            return;
        }
        let late = |(_, pending): &(&RequestId, &Pending)| {
            pending.wants_second_way() && now >= pending.sent + SECOND_WAY_AFTER
        };
        let mut late: Vec<_> = self.outbox.pending.iter().filter(late).map(|(id, pending)| (*id, *pending)).collect();
        late.sort_unstable_by_key(|(id, _)| *id);
        for (id, pending) in late {
            let Some(way) = self.other_way(pending.connection) else {
                continue;
            };
            if let Some(first) = self.outbox.pending.get_mut(&id) {
                first.doubled = true;
            }
            let second = match pending.kind {
                RequestKind::CancelAll => self.sweep_again(id, way, now),
                _ => self.cancel_again(&pending, way, now),
            };
            let Some(second) = second else {
                continue;
            };
            self.counters.second_ways += 1;
            if let Some(second) = self.outbox.pending.get_mut(&second) {
                second.doubled = true;
            }
        }
    }

    fn cancel_again(&mut self, pending: &Pending, way: OrderConnection, now: Nanos) -> Option<RequestId> {
        let tracked = self.orders.find(pending.order)?;
        if tracked.is_done() || tracked.cancel != CancelState::InFlight {
            return None;
        }
        let (instrument, venue_order, attempt) = (tracked.instrument, tracked.venue_order, tracked.cancel_attempts);
        self.counters.cancels_sent += 1;
        self.journal.cancel_sent(pending.order, instrument, attempt, now);
        self.send_about(pending.order, instrument, venue_order, RequestKind::Cancel, way, now)
    }
}
