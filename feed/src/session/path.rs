//! HOT: one connection's state: from asking for it to its end.

use spinbook_engine::types::Nanos;

use super::budget::MessageBudget;
use crate::backoff::Backoff;

/// A connection that stood this long was a success: the next pause is short again.
const STABLE: Nanos = Nanos::from_seconds(30);

/// Where a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PathState {
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
pub(super) struct PathConnection {
    pub(super) state: PathState,
    pub(super) opened: Nanos,
    pub(super) last_frame: Nanos,
    /// When the last message of our own was sent that keeps it alive.
    pub(super) heartbeat_sent: Nanos,
    pub(super) messages_sent: usize,
    pub(super) acknowledged: usize,
    pub(super) bad_in_a_row: u32,
    pub(super) budget: MessageBudget,
    pub(super) backoff: Backoff,
}

impl PathConnection {
    pub(super) fn new(budget: MessageBudget, backoff: Backoff) -> PathConnection {
        PathConnection {
            state: PathState::Idle,
            opened: Nanos::ZERO,
            last_frame: Nanos::ZERO,
            heartbeat_sent: Nanos::ZERO,
            messages_sent: 0,
            acknowledged: 0,
            bad_in_a_row: 0,
            budget,
            backoff,
        }
    }

    /// Whether frames may come from it.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, PathState::Subscribing { .. } | PathState::Subscribed { .. })
    }

    pub(super) fn is_subscribed(&self) -> bool {
        matches!(self.state, PathState::Subscribed { .. })
    }

    pub(super) fn on_open(&mut self, now: Nanos) {
        self.state = PathState::Subscribing { since: now };
        self.opened = now;
        self.last_frame = now;
        self.heartbeat_sent = Nanos::ZERO;
        self.messages_sent = 0;
        self.acknowledged = 0;
        self.bad_in_a_row = 0;
    }

    /// It is gone: when to try again.
    pub(super) fn pause(&mut self, now: Nanos) {
        if self.is_open() && now - self.opened >= STABLE {
            self.backoff.reset();
        }
        self.state = PathState::Pausing { until: now + self.backoff.next_pause() };
    }
}
