//! HOT: the run's clock: wall time that never steps back, the raw cycle counter, jumps and stalls.
#![allow(unsafe_code)]

#[cfg(debug_assertions)]
use std::cell::Cell;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use spinbook_engine::types::Nanos;

#[cfg(debug_assertions)]
thread_local! {
    static READS: Cell<u64> = const { Cell::new(0) };
}

/// How often this thread has read a clock, wall time or cycle counter. Counted in debug builds alone, so that tests can
/// hold the hot loop to its few reads; zero in a release build.
#[must_use]
pub fn reads() -> u64 {
    #[cfg(debug_assertions)]
    {
        READS.get()
    }
    #[cfg(not(debug_assertions))]
    {
        0
    }
}

#[inline(always)]
fn count_read() {
    #[cfg(debug_assertions)]
    READS.set(READS.get() + 1);
}

/// Wall time as it was at the start, advanced by the monotonic clock: it never steps back within a run.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    base: Instant,
    wall_base: Nanos,
}

impl Clock {
    /// Reads both clocks once.
    #[must_use]
    pub fn start() -> Clock {
        Clock { base: Instant::now(), wall_base: system_wall() }
    }

    /// Now, in nanoseconds since the Unix epoch.
    #[inline]
    #[must_use]
    pub fn now(&self) -> Nanos {
        count_read();
        let elapsed = self.base.elapsed();
        Nanos(self.wall_base.0 + duration_nanos(elapsed))
    }

    /// How far the system's wall clock has moved away from ours since the start, in nanoseconds.
    ///
    /// Slewing moves it slowly; a step (an operator, a leap, a suspend) moves it at once.
    #[must_use]
    pub fn wall_drift(&self) -> i64 {
        system_wall().0 - self.now().0
    }
}

fn duration_nanos(span: Duration) -> i64 {
    i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)
}

fn system_wall() -> Nanos {
    count_read();
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Nanos(duration_nanos(since_epoch))
}

/// Notices when the wall clock is stepped under us.
#[derive(Clone, Copy, Debug)]
pub struct JumpDetector {
    drift_last: i64,
    step_min: i64,
}

impl JumpDetector {
    /// A detector that reports steps of at least `step_min`.
    #[must_use]
    pub fn new(clock: &Clock, step_min: Nanos) -> JumpDetector {
        JumpDetector { drift_last: clock.wall_drift(), step_min: step_min.0 }
    }

    /// The signed step since the last call if it was large enough, in nanoseconds.
    pub fn check(&mut self, clock: &Clock) -> Option<i64> {
        self.observe(clock.wall_drift())
    }

    /// The same, for a drift read elsewhere.
    pub fn observe(&mut self, drift: i64) -> Option<i64> {
        let step = drift - self.drift_last;
        self.drift_last = drift;
        (step.abs() >= self.step_min).then_some(step)
    }
}

/// Measures gaps between the turns of a loop that should never pause.
#[derive(Clone, Copy, Debug)]
pub struct StallDetector {
    turn_last: Nanos,
    gap: Nanos,
    stall_min: Nanos,
    stalls: u64,
    stall_max: Nanos,
}

impl StallDetector {
    /// A detector that counts gaps of at least `stall_min` between turns.
    #[must_use]
    pub const fn new(now: Nanos, stall_min: Nanos) -> StallDetector {
        StallDetector { turn_last: now, gap: Nanos::ZERO, stall_min, stalls: 0, stall_max: Nanos::ZERO }
    }

    /// Call once a turn; the gap, if it was a stall.
    #[inline]
    pub fn turn(&mut self, now: Nanos) -> Option<Nanos> {
        let gap = now - self.turn_last;
        self.turn_last = now;
        self.gap = gap;
        if gap < self.stall_min {
            return None;
        }
        self.stalls += 1;
        self.stall_max = self.stall_max.max(gap);
        Some(gap)
    }

    /// Time between the last two turns.
    #[inline]
    #[must_use]
    pub const fn gap(&self) -> Nanos {
        self.gap
    }

    /// Stalls so far, and the longest.
    #[must_use]
    pub const fn stalls(&self) -> (u64, Nanos) {
        (self.stalls, self.stall_max)
    }
}

/// The raw time-stamp counter; on other machines nanoseconds of a monotonic clock.
#[inline]
#[must_use]
pub fn cycles() -> u64 {
    count_read();
    #[cfg(target_arch = "x86_64")]
    {
        // SAFETY: RDTSC exists on every x86-64 processor, reads a counter and touches no memory.
        unsafe { core::arch::x86_64::_rdtsc() }
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        static BASE: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        duration_nanos(BASE.get_or_init(Instant::now).elapsed()) as u64
    }
}

/// How many nanoseconds a step of [`cycles`] takes, as a fixed-point fraction.
#[derive(Clone, Copy, Debug)]
pub struct CycleScale {
    /// Nanoseconds per cycle, times 2^32.
    nanos_q32: u64,
}

impl CycleScale {
    /// Measures the counter against the monotonic clock for `span` (20 ms give about 1 part in 10^5).
    #[must_use]
    // cold: measured once, before the threads start
    pub fn measure(span: Duration) -> CycleScale {
        let (start, cycles_start) = (Instant::now(), cycles());
        std::thread::sleep(span);
        let cycles_end = cycles();
        CycleScale::from_span(cycles_end.saturating_sub(cycles_start), duration_nanos(start.elapsed()))
    }

    /// From a known span of both clocks.
    #[must_use]
    pub fn from_span(cycles: u64, nanos: i64) -> CycleScale {
        let quotient = (u128::from(nanos.unsigned_abs()) << 32) / u128::from(cycles.max(1));
        CycleScale { nanos_q32: u64::try_from(quotient).unwrap_or(u64::MAX) }
    }

    /// A span of cycles in nanoseconds; zero when the counter went backwards between cores.
    #[inline]
    #[must_use]
    pub fn nanos(&self, start: u64, end: u64) -> u64 {
        let span = u128::from(end.saturating_sub(start));
        ((span * u128::from(self.nanos_q32)) >> 32) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_never_steps_back_and_counts_from_the_epoch() {
        let clock = Clock::start();
        let first = clock.now();
        assert!(first > Nanos::from_seconds(1_600_000_000));
        let mut last = first;
        for _ in 0..1000 {
            let now = clock.now();
            assert!(now >= last);
            last = now;
        }
    }

    #[test]
    fn a_step_of_the_wall_clock_is_reported_once() {
        let clock = Clock::start();
        let mut detector = JumpDetector::new(&clock, Nanos::from_millis(500));
        let base = clock.wall_drift();
        assert_eq!(detector.observe(base), None);
        let hour = 3_600_000_000_000;
        let step = detector.observe(base + hour).expect("an hour is a step");
        assert!((step - hour).abs() < 1_000_000_000);
        assert_eq!(detector.observe(base + hour), None);
        assert!(detector.observe(base).expect("and back") < 0);
    }

    #[test]
    fn a_gap_between_turns_is_a_stall() {
        let mut detector = StallDetector::new(Nanos(0), Nanos::from_millis(100));
        assert_eq!(detector.turn(Nanos::from_millis(99)), None);
        assert_eq!(detector.turn(Nanos::from_millis(400)), Some(Nanos::from_millis(301)));
        assert_eq!(detector.stalls(), (1, Nanos::from_millis(301)));
    }

    #[test]
    fn cycles_convert_to_nanoseconds() {
        let scale = CycleScale::from_span(3_000_000_000, 1_000_000_000);
        assert!((99..=100).contains(&scale.nanos(1000, 1300)));
        assert_eq!(scale.nanos(10, 5), 0);
    }
}
