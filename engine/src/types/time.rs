//! HOT: points in time, which are always arguments and never read here.

use core::ops::{Add, Sub};

/// Nanoseconds. A point in time counts from the Unix epoch in wall-clock terms, advanced by a monotonic
/// clock so that it never steps back within a run; a span is the difference of two points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Nanos(pub i64);

impl Nanos {
    /// The epoch, or no time at all.
    pub const ZERO: Nanos = Nanos(0);
    /// Later than everything: a deadline that never comes.
    pub const NEVER: Nanos = Nanos(i64::MAX);

    /// A span of `ms` milliseconds.
    #[inline]
    #[must_use]
    pub const fn from_millis(ms: i64) -> Nanos {
        Nanos(ms * 1_000_000)
    }

    /// A span of `seconds` seconds.
    #[inline]
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Nanos {
        Nanos(seconds * 1_000_000_000)
    }

    /// Whole milliseconds, rounded down.
    #[inline]
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }
}

impl Add for Nanos {
    type Output = Nanos;
    /// Stays at [`Nanos::NEVER`] instead of overflowing: deadlines are sums.
    #[inline]
    fn add(self, other: Nanos) -> Nanos {
        Nanos(self.0.saturating_add(other.0))
    }
}

impl Sub for Nanos {
    type Output = Nanos;
    #[inline]
    fn sub(self, other: Nanos) -> Nanos {
        Nanos(self.0.saturating_sub(other.0))
    }
}

/// When a frame was in hand: wall clock for records, raw cycle counter for measurement only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Stamp {
    /// Wall clock, nanoseconds since the Unix epoch.
    pub wall: Nanos,
    /// Raw time-stamp counter, in processor cycles; zero where it was not read (replay).
    pub tsc: u64,
}
