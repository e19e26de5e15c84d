//! COLD: one connection's state and its reconnects, with backoff and jitter.

use spinbook_engine::types::Nanos;

const DELAY_FIRST: Nanos = Nanos::from_millis(250);
const DELAY_MAX: Nanos = Nanos::from_seconds(30);
/// A connection that lived this long starts with the shortest delay again.
const LIFE_GOOD: Nanos = Nanos::from_seconds(60);

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LinkState {
    /// Not open.
    Down,
    /// Asked for.
    Opening,
    /// Open.
    Open,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) state: LinkState,
    /// When it was opened or asked for.
    pub(super) since: Nanos,
    /// Not opened again before this.
    pub(super) retry_at: Nanos,
    pub(super) bad_frames: u32,
    failures: u32,
    random: u64,
}

impl Link {
    pub(super) fn new(seed: u64) -> Link {
        Link {
            state: LinkState::Down,
            since: Nanos::ZERO,
            retry_at: Nanos::ZERO,
            bad_frames: 0,
            failures: 0,
            random: seed | 1,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.state == LinkState::Open
    }

    pub(super) fn opening(&mut self, now: Nanos) {
        self.state = LinkState::Opening;
        self.since = now;
    }

    pub(super) fn opened(&mut self, now: Nanos) {
        self.state = LinkState::Open;
        self.since = now;
        self.bad_frames = 0;
    }

    /// Down; the next attempt waits for between half and all of a delay that doubles with each failure.
    pub(super) fn closed(&mut self, now: Nanos) {
        if self.state == LinkState::Open && now - self.since >= LIFE_GOOD {
            self.failures = 0;
        }
        self.state = LinkState::Down;
        let delay = Nanos(DELAY_FIRST.0 << self.failures.min(10)).min(DELAY_MAX);
        self.failures = self.failures.saturating_add(1);
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let jitter = (self.random % (delay.0 as u64 / 2).max(1)) as i64;
        self.retry_at = now + Nanos(delay.0 / 2 + jitter);
    }
}
