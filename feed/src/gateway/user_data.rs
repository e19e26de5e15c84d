//! COLD: user data: what follows when it is lost, and the signs of life without which its silence proves nothing.
//!
//! TCP keeps order: once the pong to a ping that left after a question has come, everything that the venue had told before
//! is in. Where user data has a connection of its own, that may be dead for seconds before anybody notices.

use spinbook_engine::types::{Nanos, OrderId, VenueCode};

use super::lifecycle::SessionStep;
use super::orders::TrackedOrder;
use super::outbox::Queued;
use super::{Gateway, OrderCloseReason};
use crate::venue::order_side::{OrderConnection, OrderSide};

/// Between two pings: venues count them as messages of ours.
const PING_SPACING: Nanos = Nanos::from_millis(250);

/// "Not known", said to the last question that a proof needs, while user data has not shown that it lives.
#[derive(Clone, Copy, Debug)]
struct HeldAnswer {
    order: OrderId,
    /// When that question was asked.
    asked: Nanos,
    code: VenueCode,
}

/// What the connection that carries user data has shown of its life.
#[derive(Debug)]
pub(super) struct SignsOfLife {
    /// The newest question whose answer needs one; [`Nanos::ZERO`]: there was none.
    wanted: Nanos,
    /// The newest ping on the connection that stands; [`Nanos::ZERO`]: none has left.
    pinged: Nanos,
    /// Since when a ping has been without any pong; [`Nanos::NEVER`]: none is.
    awaited: Nanos,
    /// The newest ping that was answered: what the venue told before that is in.
    answered: Nanos,
    held: Vec<HeldAnswer>,
}

impl SignsOfLife {
    pub(super) const NONE: SignsOfLife = SignsOfLife {
        wanted: Nanos::ZERO,
        pinged: Nanos::ZERO,
        awaited: Nanos::NEVER,
        answered: Nanos::ZERO,
        held: Vec::new(),
    };

    /// The connection is gone: the next one has shown nothing yet, and is asked for what is held.
    pub(super) fn closed(&mut self) {
        let held = std::mem::take(&mut self.held);
        let wanted = held.iter().map(|answer| answer.asked).max().unwrap_or(Nanos::ZERO);
        *self = SignsOfLife { wanted, held, ..SignsOfLife::NONE };
    }

    /// The answers that the newest pong stands behind.
    fn take_told(&mut self) -> Vec<HeldAnswer> {
        let answered = self.answered;
        self.held.extract_if(.., |answer| answer.asked <= answered).collect()
    }

    /// An order's end is proved.
    pub(super) fn forget(&mut self, order: OrderId) {
        self.held.retain(|answer| answer.order != order);
    }
}

impl<O: OrderSide> Gateway<O> {
    /// Events may be missing from here on: every order is asked for, and user data is set up again beside an orders
    /// connection that goes on working.
    pub(super) fn user_data_lost(&mut self, now: Nanos) {
        self.user_data_ready = false;
        self.doubt_adoption(now);
        self.mark_all_unknown(now);
        self.want_all_trades(now);
        self.session_down(now);
        let first = self.handshake.iter().position(|step| !step.is_for_orders()).unwrap_or(0);
        let again = match self.step {
            SessionStep::Idle | SessionStep::Connecting | SessionStep::Stopped | SessionStep::Quiet => false,
            SessionStep::Handshake(place) => place >= first,
            _ => !self.shutting_down,
        };
        if again {
            self.go(SessionStep::Handshake(first), now);
        }
    }

    /// The connection that user data comes over.
    pub(super) fn user_data_connection(&self) -> OrderConnection {
        if self.has_user_data_connection() { OrderConnection::UserData } else { OrderConnection::Orders }
    }

    /// A question about an order left over this connection, over REST if `None`. If its answer may prove the order dead,
    /// user data is asked for a sign of life beside it, unless the answer will be one.
    pub(super) fn asked_about(&mut self, order: OrderId, way: Option<OrderConnection>, now: Nanos) {
        let may_prove = |order: &TrackedOrder| !order.accepted && now >= order.valid_until;
        if way != Some(self.user_data_connection()) && self.orders.find(order).is_some_and(may_prove) {
            self.signs_of_life.wanted = now;
        }
    }

    /// Whether user data runs and has told everything that the venue told before a question, asked at `asked` over `way`
    /// (`None`: REST), whose answer has come.
    pub(super) fn has_user_data_told(&self, asked: Nanos, way: Option<OrderConnection>) -> bool {
        let is_behind = way == Some(self.user_data_connection()) || self.signs_of_life.answered >= asked;
        self.user_data_ready && is_behind
    }

    /// "Not known" was said often enough, and user data has not shown since `asked` that it would have told of the order.
    pub(super) fn hold_answer(&mut self, order: OrderId, asked: Nanos, code: VenueCode) {
        let signs = &mut self.signs_of_life;
        signs.wanted = signs.wanted.max(asked);
        // The first one is kept: a connection that takes long to answer would never come up with newer ones.
        if signs.held.iter().all(|answer| answer.order != order) {
            signs.held.push(HeldAnswer { order, asked, code });
        }
    }

    /// The venue answered a ping on this connection ([`super::GatewayAction::Ping`]): what it sent there before has come.
    pub fn on_pong(&mut self, connection: OrderConnection, mark: u64, now: Nanos) {
        let (sent, signs) = (Nanos(mark.cast_signed()), &self.signs_of_life);
        let is_ours = connection == self.user_data_connection() && self.is_open(connection) && sent <= signs.pinged;
        if is_ours && sent > signs.answered {
            let signs = &mut self.signs_of_life;
            signs.answered = sent;
            signs.awaited = if sent == signs.pinged { Nanos::NEVER } else { now };
            for answer in signs.take_told() {
                // A connection that stands and does not run yet proves nothing: the order is asked for again.
                if self.user_data_ready {
                    self.not_known(answer.order, answer.code, now);
                }
            }
        }
        self.pump(now);
    }

    /// Pings where a sign of life is wanted, and gives a connection of user data up that does not answer.
    pub(super) fn watch_user_data(&mut self, now: Nanos) {
        if now < self.sign_of_life_due() {
            return;
        }
        let connection = self.user_data_connection();
        if now >= self.give_up_user_data_at() {
            self.close(connection, OrderCloseReason::Silent, now);
            return;
        }
        let signs = &mut self.signs_of_life;
        signs.pinged = now;
        signs.awaited = signs.awaited.min(now);
        self.outbox.queue.push_back(Queued::Ping { connection, mark: now.0.cast_unsigned() });
    }

    /// When that is to be done.
    pub(super) fn sign_of_life_due(&self) -> Nanos {
        let signs = &self.signs_of_life;
        let wants_ping = signs.wanted > signs.pinged;
        if !(wants_ping || signs.awaited != Nanos::NEVER) || !self.is_open(self.user_data_connection()) {
            return Nanos::NEVER;
        }
        let ping = if wants_ping { (signs.pinged + PING_SPACING).max(self.quiet_until()) } else { Nanos::NEVER };
        ping.min(self.give_up_user_data_at())
    }

    /// An orders connection is given up by rules of its own, since orders may have to be cancelled over it.
    fn give_up_user_data_at(&self) -> Nanos {
        let awaited = self.signs_of_life.awaited;
        let is_own = self.has_user_data_connection() && awaited != Nanos::NEVER;
        if is_own { awaited + self.settings.request_timeout } else { Nanos::NEVER }
    }
}
