//! COLD: walking through the steps that a venue's room lists for setting a session up.

use spinbook_engine::types::Nanos;

use super::Gateway;
use super::lifecycle::SessionStep;
use super::link::{OrderLink, OrderLinkState};
use crate::venue::order_side::{HandshakeStep, OrderConnection, OrderSide};

impl<O: OrderSide> Gateway<O> {
    fn user_link(&self) -> &OrderLink {
        &self.links[OrderConnection::UserData.index()]
    }

    /// The venue's step that the session stands at, if it stands at one.
    pub(super) fn handshake_step(&self) -> Option<HandshakeStep> {
        match self.step {
            SessionStep::Handshake(place) => self.handshake.get(place).copied(),
            _ => None,
        }
    }

    /// Goes to the step at `place`, or to the next that is not done yet; behind the last one open orders are asked for.
    pub(super) fn go_handshake(&mut self, place: usize, now: Nanos) {
        let usable = self.links[OrderConnection::Orders.index()].usable;
        let done = |step: &HandshakeStep| match step {
            HandshakeStep::Clock => false,
            HandshakeStep::LogOn(OrderConnection::Orders) => usable,
            _ => self.user_data_ready,
        };
        match (place..self.handshake.len()).find(|place| !done(&self.handshake[*place])) {
            Some(place) => self.go(SessionStep::Handshake(place), now),
            None => {
                self.user_data_ready = true;
                self.go(SessionStep::Query(0), now);
            }
        }
    }

    /// The step that the session stands at has its answer, or is taken back to the start of a later one.
    pub(super) fn handshake_step_done(&mut self, now: Nanos) {
        if let SessionStep::Handshake(place) = self.step {
            self.go_handshake(place + 1, now);
        }
    }

    /// Goes back to measuring the clock: a request was refused for its timestamp.
    pub(super) fn repeat_from_clock(&mut self, now: Nanos) {
        let clock = self.handshake.iter().position(|step| *step == HandshakeStep::Clock);
        self.go(SessionStep::Handshake(clock.unwrap_or(0)), now);
    }

    /// Does what the current step does by itself, without an answer.
    pub(super) fn advance_handshake(&mut self, now: Nanos) {
        match self.handshake_step() {
            None => self.go_handshake(self.handshake.len(), now),
            Some(HandshakeStep::Clock) if !self.clock.wants_samples() => self.clock_known(now),
            Some(HandshakeStep::ConnectUserData)
                if self.user_link().state == OrderLinkState::Down && now >= self.user_link().retry_due(None) =>
            {
                self.connect(OrderConnection::UserData, now);
            }
            _ => {}
        }
    }

    /// When the request of the current step may be sent: steps that open user data wait for its pause as well.
    pub(super) fn step_due(&self) -> Nanos {
        let retry = match self.handshake_step() {
            Some(HandshakeStep::UserDataKey) => self.user_link().retry_due(None),
            _ => Nanos::ZERO,
        };
        self.step_not_before.max(self.quiet_until()).max(retry)
    }

    /// When the current step of the handshake has something to do, if no answer comes before.
    pub(super) fn handshake_due(&self) -> Nanos {
        match self.handshake_step() {
            Some(HandshakeStep::ConnectUserData) => match self.user_link().state {
                // Links that open have deadlines of their own.
                OrderLinkState::Opening => Nanos::NEVER,
                _ => self.user_link().retry_due(None),
            },
            _ if self.step_request.is_none() => self.step_due(),
            _ => Nanos::NEVER,
        }
    }
}
