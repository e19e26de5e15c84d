//! COLD: keeping a session alive: the venue's clock, user data's key, and connections near the end of their life.

use spinbook_engine::types::Nanos;

use super::lifecycle::SessionStep;
use super::throttle::Urgency;
use super::{Gateway, OrderCloseReason};
use crate::venue::order_side::{HandshakeStep, OrderConnection, OrderSide};
use crate::venue::orders::{Request, RequestKind};

/// A connection on which nothing came for this long is asked for a sign of life while an order may live.
const QUIET_MAX: Nanos = Nanos::from_seconds(2);

impl<O: OrderSide> Gateway<O> {
    /// When the venue's clock is asked for next, which also proves that the connection lives.
    fn clock_due(&self) -> Nanos {
        if self.clock.wants_samples() {
            return self.clock_measured;
        }
        let due = self.clock_measured + self.settings.clock_interval;
        if self.clock.is_beyond(self.settings.clock_offset_max) {
            return due.min(self.clock_measured + QUIET_MAX);
        }
        if !self.may_live() {
            return due;
        }
        let heard = self.links[OrderConnection::Orders.index()].heard;
        due.min(heard.max(self.clock_measured) + QUIET_MAX)
    }

    fn asks_clock(&self) -> bool {
        !self.outbox.awaits(RequestKind::ServerTime, OrderConnection::Orders)
            && self.handshake_step() != Some(HandshakeStep::Clock)
    }

    /// The same, unless it is asked for already.
    pub(super) fn keep_alive_due(&self) -> Nanos {
        if self.asks_clock() { self.clock_due() } else { Nanos::NEVER }
    }

    /// Asks for the clock, renews user data's key, and replaces connections that are near the venue's longest life.
    pub(super) fn keep_alive(&mut self, now: Nanos) {
        if !self.can_send() || now < self.quiet_until() {
            return;
        }
        if now >= self.clock_due() && self.asks_clock() {
            if self.throttle.allows(self.side.cost(RequestKind::ServerTime), Urgency::Query, None, now) {
                self.send(&Request::ServerTime, OrderConnection::Orders, now);
            } else {
                self.clock_measured = now;
            }
        }
        let keep = self.side.keeps_user_data()
            && self.user_data_ready
            && now - self.user_data_kept >= self.settings.user_data_keep_interval
            && !self.outbox.awaits(RequestKind::KeepUserData, OrderConnection::Orders);
        if keep {
            self.user_data_kept = now;
            self.send(&Request::KeepUserData, OrderConnection::Orders, now);
        }
        if self.step != SessionStep::Ready {
            return;
        }
        let life = self.settings.connection_life;
        let is_old = |connection: OrderConnection| {
            let link = &self.links[connection.index()];
            link.is_open() && now - link.since >= life
        };
        let is_usable = |connection: OrderConnection| self.links[connection.index()].usable;
        if is_old(OrderConnection::Spare) {
            // Its successor is warm before the first connection's turn comes.
            self.close(OrderConnection::Spare, OrderCloseReason::Planned, now);
        } else if is_old(OrderConnection::Orders) && (!self.wants_spare() || is_usable(OrderConnection::Spare)) {
            self.leave_orders(OrderCloseReason::Planned, now);
        } else if is_old(OrderConnection::UserData) {
            self.close(OrderConnection::UserData, OrderCloseReason::Planned, now);
        }
    }
}
