//! HOT: one connection's state: from asking for it to its end.

use spinbook_engine::types::Nanos;

use super::budget::MessageBudget;
use crate::backoff::Backoff;

/// A connection that stood this long was a success: the next pause is short again.
const STABLE: Nanos = Nanos::from_seconds(30);

/// Where a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LinkState {
    /// Not wanted.
    Idle,
    /// To be opened at this time.
    Pausing { until: Nanos },
    /// Asked for at this time.
    Opening { since: Nanos },
    /// Open; subscriptions are being sent or wait for their answers.
    Subscribing { since: Nanos },
    /// Every subscription was confirmed at this time.
    Subscribed { since: Nanos },
}

/// One connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) state: LinkState,
    pub(super) opened: Nanos,
    pub(super) last_frame: Nanos,
    pub(super) messages_sent: usize,
    pub(super) acknowledged: usize,
    pub(super) bad_in_a_row: u32,
    pub(super) budget: MessageBudget,
    pub(super) backoff: Backoff,
}

impl Link {
    pub(super) fn new(budget: MessageBudget, backoff: Backoff) -> Link {
        Link {
            state: LinkState::Idle,
            opened: Nanos::ZERO,
            last_frame: Nanos::ZERO,
            messages_sent: 0,
            acknowledged: 0,
            bad_in_a_row: 0,
            budget,
            backoff,
        }
    }

    /// Whether frames may come from it.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, LinkState::Subscribing { .. } | LinkState::Subscribed { .. })
    }

    pub(super) fn is_subscribed(&self) -> bool {
        matches!(self.state, LinkState::Subscribed { .. })
    }

    pub(super) fn on_open(&mut self, now: Nanos) {
        self.state = LinkState::Subscribing { since: now };
        self.opened = now;
        self.last_frame = now;
        self.messages_sent = 0;
        self.acknowledged = 0;
        self.bad_in_a_row = 0;
    }

    /// It is gone: when to try again.
    pub(super) fn pause(&mut self, now: Nanos) {
        if self.is_open() && now - self.opened >= STABLE {
            self.backoff.reset();
        }
        self.state = LinkState::Pausing { until: now + self.backoff.next_pause() };
    }
}
