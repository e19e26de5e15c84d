//! COLD: one connection's state and its reconnects, with backoff and jitter.

use spinbook_engine::types::Nanos;

use crate::backoff::Backoff;

const DELAY_FIRST: Nanos = Nanos::from_millis(250);
const DELAY_MAX: Nanos = Nanos::from_seconds(30);
/// A connection that lived this long starts with the shortest delay again.
const LIFE_GOOD: Nanos = Nanos::from_seconds(60);

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OrderLinkState {
    /// Not open.
    Down,
    /// Asked for.
    Opening,
    /// Open.
    Open,
}

/// One connection.
#[derive(Debug)]
pub(super) struct OrderLink {
    pub(super) state: OrderLinkState,
    /// When it was opened or asked for.
    pub(super) since: Nanos,
    /// Not opened again before this.
    pub(super) retry_at: Nanos,
    pub(super) bad_frames: u32,
    backoff: Backoff,
}

impl OrderLink {
    pub(super) fn new(seed: u64) -> OrderLink {
        OrderLink {
            state: OrderLinkState::Down,
            since: Nanos::ZERO,
            retry_at: Nanos::ZERO,
            bad_frames: 0,
            backoff: Backoff::new(DELAY_FIRST, DELAY_MAX, seed),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.state == OrderLinkState::Open
    }

    pub(super) fn opening(&mut self, now: Nanos) {
        self.state = OrderLinkState::Opening;
        self.since = now;
    }

    pub(super) fn opened(&mut self, now: Nanos) {
        self.state = OrderLinkState::Open;
        self.since = now;
        self.bad_frames = 0;
    }

    /// Down; the next attempt waits, longer with each failure.
    pub(super) fn closed(&mut self, now: Nanos) {
        if self.state == OrderLinkState::Open && now - self.since >= LIFE_GOOD {
            self.backoff.reset();
        }
        self.state = OrderLinkState::Down;
        self.retry_at = now + self.backoff.next_pause();
    }
}
