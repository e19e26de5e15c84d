//! COLD: whether the hot and the I/O thread still work, by the progress of their heartbeats: a function of what was seen.
//!
//! Only time in which this thread itself ran counts: a process that was stopped and continued, or a machine that was
//! suspended, has stood still as a whole, and no thread of it hangs.

use std::time::Duration;

/// A gap between two looks counts as this much at most: what is longer, the looking thread did not run either.
const GAP_MAX: Duration = Duration::from_millis(25);

/// How long a thread may stand still before it counts as hung.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HangBounds {
    /// The hot thread.
    pub hot: Duration,
    /// The I/O thread.
    pub io: Duration,
}

/// A thread of a run that trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TradingThread {
    /// Reads the market and decides.
    Hot,
    /// Owns the orders.
    Io,
}

impl TradingThread {
    /// Its job, for people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            TradingThread::Hot => "the hot thread",
            TradingThread::Io => "the thread that owns the orders",
        }
    }
}

/// One thread's progress.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    beats: u64,
    still: Duration,
}

impl Progress {
    fn look(&mut self, beats: u64, gap: Duration) {
        // A thread that has not begun yet does not hang.
        let moved = beats != self.beats || beats == 0;
        self.beats = beats;
        self.still = if moved { Duration::ZERO } else { self.still + gap.min(GAP_MAX) };
    }
}

/// The progress of both threads.
#[derive(Clone, Debug)]
pub struct Heartbeats {
    bounds: HangBounds,
    hot: Progress,
    io: Progress,
    looked: Option<Duration>,
}

impl Heartbeats {
    /// Nothing was seen yet.
    #[must_use]
    pub const fn new(bounds: HangBounds) -> Heartbeats {
        let fresh = Progress { beats: 0, still: Duration::ZERO };
        Heartbeats { bounds, hot: fresh, io: fresh, looked: None }
    }

    /// Notes how far both have come by `now`, on a clock that never steps back.
    pub fn look(&mut self, hot: u64, io: u64, now: Duration) {
        let gap = now.saturating_sub(self.looked.unwrap_or(now));
        self.looked = Some(now);
        self.hot.look(hot, gap);
        self.io.look(io, gap);
    }

    /// How long a thread has stood still, if that is too long.
    #[must_use]
    pub fn hung(&self, thread: TradingThread) -> Option<Duration> {
        let (progress, bound) = match thread {
            TradingThread::Hot => (self.hot, self.bounds.hot),
            TradingThread::Io => (self.io, self.bounds.io),
        };
        (progress.still >= bound).then_some(progress.still)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: HangBounds = HangBounds { hot: Duration::from_millis(250), io: Duration::from_millis(500) };

    fn hung(beats: &Heartbeats) -> [bool; 2] {
        [beats.hung(TradingThread::Hot).is_some(), beats.hung(TradingThread::Io).is_some()]
    }

    #[test]
    fn a_thread_without_progress_hangs_after_its_bound_and_no_other_does() {
        let mut beats = Heartbeats::new(BOUNDS);
        let mut seen = Vec::new();
        for step in 0..=70_u64 {
            // Both work until 100 ms; then the hot thread stands still, from 200 ms on the other one as well.
            beats.look(step.min(10) + 1, step.min(20) + 1, Duration::from_millis(step * 10));
            seen.push(hung(&beats));
        }
        assert_eq!(seen.iter().position(|hung| hung[0]), Some(35), "250 ms after 100 ms");
        assert_eq!(seen.iter().position(|hung| hung[1]), Some(70), "500 ms after 200 ms");
        beats.look(99, 99, Duration::from_millis(710));
        assert_eq!(hung(&beats), [false, false], "they go on");
    }

    #[test]
    fn a_process_that_was_stopped_as_a_whole_has_no_hung_thread() {
        let mut beats = Heartbeats::new(BOUNDS);
        beats.look(1, 1, Duration::ZERO);
        // Stopped for an hour, four times: no thread moved, and neither did whoever looks.
        for hour in 1..=4 {
            beats.look(1, 1, Duration::from_secs(hour * 3600));
            assert_eq!(hung(&beats), [false, false], "{hour}");
        }
    }

    #[test]
    fn a_thread_that_has_not_begun_does_not_hang() {
        let mut beats = Heartbeats::new(BOUNDS);
        for step in 0..100 {
            beats.look(0, 0, Duration::from_millis(step * 10));
        }
        assert_eq!(hung(&beats), [false, false]);
    }
}
