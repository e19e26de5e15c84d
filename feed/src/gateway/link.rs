//! COLD: one connection's state and its reconnects, with backoff and jitter, and soon while an order may live.

use spinbook_engine::rate::{SlidingWindow, WindowSettings};
use spinbook_engine::types::Nanos;

use crate::backoff::Backoff;

const DELAY_FIRST: Nanos = Nanos::from_millis(250);
const DELAY_MAX: Nanos = Nanos::from_seconds(10);
/// A connection that lived this long starts with the shortest delay again: while an order may live every second counts.
const LIFE_GOOD: Nanos = Nanos::from_seconds(10);
/// A message that could not be understood is forgotten after this.
const BAD_FRAME_FORGOTTEN: Nanos = Nanos::from_seconds(60);
/// While an order may live, an attempt follows the last one's end after this at most.
const DELAY_ALIVE: Nanos = Nanos::from_seconds(1);
/// The same once half of the budget is used, so that the other half lasts however long the venue stays away.
const DELAY_ALIVE_LONG: Nanos = Nanos::from_millis(1_500);
/// While an order may live, an attempt that is not open after this is given up for the next.
const OPEN_WITHIN_ALIVE: Nanos = Nanos::from_seconds(3);

/// Attempts to connect that all connections of a gateway may make together: the strictest venue's limit for an
/// address is 300 in five minutes, and market connections count as well.
const ATTEMPTS: WindowSettings = WindowSettings { count_max: 270, span: Nanos::from_seconds(300) };

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
    /// It takes requests about orders: open, and logged on where the venue wants that.
    pub(super) usable: bool,
    /// Since when a question of ours has been without any sign of life behind it; [`Nanos::NEVER`]: none is.
    pub(super) asked: Nanos,
    /// The newest frame.
    pub(super) heard: Nanos,
    /// Not opened again before this, unless an order may live.
    pub(super) retry_at: Nanos,
    /// The venue said that it takes no connection before this.
    pub(super) refused_until: Nanos,
    ended: Nanos,
    bad_frames: u32,
    bad_frame_last: Nanos,
    backoff: Backoff,
}

impl OrderLink {
    pub(super) fn new(seed: u64) -> OrderLink {
        OrderLink {
            state: OrderLinkState::Down,
            since: Nanos::ZERO,
            usable: false,
            asked: Nanos::NEVER,
            heard: Nanos::ZERO,
            retry_at: Nanos::ZERO,
            refused_until: Nanos::ZERO,
            ended: Nanos::ZERO,
            bad_frames: 0,
            bad_frame_last: Nanos::ZERO,
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
        self.heard = now;
        self.bad_frames = 0;
    }

    /// A frame came: whatever was asked before, the connection lives.
    pub(super) fn heard(&mut self, now: Nanos) {
        self.heard = now;
        self.asked = Nanos::NEVER;
    }

    /// A message that cannot be understood came; how many did in a row of minutes. One now and then is forgotten.
    pub(super) fn bad_frame(&mut self, now: Nanos) -> u32 {
        if now - self.bad_frame_last >= BAD_FRAME_FORGOTTEN {
            self.bad_frames = 0;
        }
        self.bad_frame_last = now;
        self.bad_frames += 1;
        self.bad_frames
    }

    /// Something was sent that has an answer.
    pub(super) fn asked(&mut self, now: Nanos) {
        self.asked = self.asked.min(now);
    }

    /// Down; the next attempt waits, longer with each failure.
    pub(super) fn closed(&mut self, now: Nanos) {
        if self.state == OrderLinkState::Open && now - self.since >= LIFE_GOOD {
            self.backoff.reset();
        }
        self.state = OrderLinkState::Down;
        self.usable = false;
        self.asked = Nanos::NEVER;
        self.ended = now;
        self.retry_at = now + self.backoff.next_pause();
    }

    /// When the next attempt is due; `soon` is the longest pause while an order may live.
    pub(super) fn retry_due(&self, soon: Option<Nanos>) -> Nanos {
        let soon = soon.map_or(self.retry_at, |pause| self.retry_at.min(self.ended + pause));
        soon.max(self.refused_until)
    }

    /// Until when an attempt may take.
    pub(super) fn open_by(&self, connect_timeout: Nanos, alive: bool) -> Nanos {
        self.since + if alive { connect_timeout.min(OPEN_WITHIN_ALIVE) } else { connect_timeout }
    }
}

/// The attempts of all connections of a gateway.
#[derive(Debug)]
pub(super) struct Attempts(SlidingWindow);

impl Attempts {
    pub(super) fn new() -> Attempts {
        Attempts(SlidingWindow::new(ATTEMPTS))
    }

    pub(super) fn take(&mut self, now: Nanos) {
        self.0.take(1, now);
    }

    /// When one more may be made.
    pub(super) fn ready_at(&mut self, now: Nanos) -> Nanos {
        self.0.ready_at_within(1, ATTEMPTS.count_max, now)
    }

    /// The longest pause between two attempts of one connection while an order may live.
    pub(super) fn pause(&mut self, now: Nanos) -> Nanos {
        if self.0.used(now) < ATTEMPTS.count_max / 2 { DELAY_ALIVE } else { DELAY_ALIVE_LONG }
    }
}
