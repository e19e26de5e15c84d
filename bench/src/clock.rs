//! COLD: raw time stamps for measurements: the cycle counter, its rate, and what reading it costs.
#![allow(unsafe_code)]

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// A raw stamp before a timed step: nothing of the step starts before it is taken.
#[inline(always)]
#[must_use]
pub fn start() -> u64 {
    #[cfg(target_arch = "x86_64")]
    {
        // SAFETY: both instructions exist on every x86-64 processor and touch no memory.
        unsafe {
            core::arch::x86_64::_mm_lfence();
            let ticks = core::arch::x86_64::_rdtsc();
            core::arch::x86_64::_mm_lfence();
            ticks
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        origin().elapsed().as_nanos() as u64
    }
}

/// A raw stamp after a timed step: everything of the step has finished when it is taken.
#[inline(always)]
#[must_use]
pub fn stop() -> u64 {
    #[cfg(target_arch = "x86_64")]
    {
        let mut core = 0u32;
        // SAFETY: `rdtscp` writes the core's number into the local it is given; `lfence` touches no memory.
        unsafe {
            let ticks = core::arch::x86_64::__rdtscp(&mut core);
            core::arch::x86_64::_mm_lfence();
            ticks
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        origin().elapsed().as_nanos() as u64
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn origin() -> Instant {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    *ORIGIN.get_or_init(Instant::now)
}

/// The counter's rate and the cost of a pair of stamps, measured once a process.
#[derive(Clone, Copy, Debug)]
pub struct CycleClock {
    /// Ticks of the counter in a nanosecond.
    pub ticks_per_ns: f64,
    /// What `stop() - start()` shows with nothing in between, in ns: the median of many.
    pub pair_ns: f64,
}

impl CycleClock {
    /// Measures for a twentieth of a second the first time.
    #[must_use]
    pub fn calibrated() -> CycleClock {
        static CLOCK: OnceLock<CycleClock> = OnceLock::new();
        *CLOCK.get_or_init(|| {
            let (begun, ticks_begun) = (Instant::now(), start());
            while begun.elapsed() < Duration::from_millis(50) {
                core::hint::spin_loop();
            }
            let (elapsed, ticks_ended) = (begun.elapsed(), stop());
            let ticks_per_ns = (ticks_ended - ticks_begun) as f64 / elapsed.as_nanos() as f64;
            let mut pairs: Vec<u64> = (0..10_001)
                .map(|_| {
                    let begun = start();
                    stop() - begun
                })
                .collect();
            pairs.sort_unstable();
            CycleClock { ticks_per_ns, pair_ns: pairs[pairs.len() / 2] as f64 / ticks_per_ns }
        })
    }

    /// A span of raw ticks in ns.
    #[inline]
    #[must_use]
    pub fn ns(&self, ticks: u64) -> f64 {
        ticks as f64 / self.ticks_per_ns
    }
}

#[cfg(test)]
mod tests {
    use super::{CycleClock, start, stop};

    #[test]
    fn a_sleep_takes_about_as_long_as_it_says() {
        let clock = CycleClock::calibrated();
        let begun = start();
        std::thread::sleep(std::time::Duration::from_millis(20));
        let ns = clock.ns(stop() - begun);
        assert!((19e6..2e9).contains(&ns), "20 ms measured as {ns} ns");
        assert!(clock.pair_ns < 1_000.0, "a pair of stamps costs {} ns", clock.pair_ns);
    }
}
