//! COLD: how far the venue's clock is from ours, from its answers to time requests.
//!
//! A venue stamps with whole milliseconds and drops the rest: its true time lies up to one millisecond behind the stamp,
//! half of one on average. That half is added, so that the estimate errs as much to one side as to the other.

use spinbook_engine::types::Nanos;

/// Farther from the venue's clock a program refuses to trade.
pub const CLOCK_OFFSET_MAX: Nanos = Nanos::from_millis(500);
/// Half of the step in which venues stamp: the expectation of what a stamp leaves out, and the most it may be wrong.
const HALF_STAMP_NS: i64 = 500_000;
/// A sample that was longer under way says too little to take the place of a known offset: the venue may have stopped.
const ROUND_TRIP_USEFUL_MAX: Nanos = Nanos::from_seconds(1);
/// So many of them in a row, and there is nothing better to be had.
const SLOW_SAMPLES_MAX: u32 = 3;
/// Samples taken before an offset is trusted.
pub const SAMPLES_WANTED: u32 = 3;

/// Offset estimator: the sample with the shortest round trip counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct VenueClock {
    offset_ns: i64,
    round_trip_ns: i64,
    samples: u32,
    /// Whether there ever was a sample, or there can be none.
    known: bool,
    /// Samples in a row that were too long under way.
    slow: u32,
}

impl VenueClock {
    /// Forgets how good the known offset is: the next samples replace it.
    pub fn restart(&mut self) {
        self.samples = 0;
    }

    /// Whether more samples are needed.
    #[must_use]
    pub fn wants_samples(&self) -> bool {
        self.samples < SAMPLES_WANTED
    }

    /// Goes on without more samples: the venue's connection has no time request, or does not answer it now.
    pub fn skip(&mut self) {
        self.samples = SAMPLES_WANTED;
        self.known = true;
    }

    /// Whether there ever was a sample, or there can be none: requests can be stamped.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.known
    }

    /// One answer: the venue's time, asked at `sent`, in hand at `received`.
    pub fn sample(&mut self, venue: Nanos, sent: Nanos, received: Nanos) {
        let round_trip_ns = (received - sent).0.max(0);
        if round_trip_ns <= ROUND_TRIP_USEFUL_MAX.0 {
            self.slow = 0;
        } else if self.known && self.slow < SLOW_SAMPLES_MAX {
            self.slow += 1;
            return;
        }
        self.known = true;
        let offset_ns = venue.0.saturating_add(HALF_STAMP_NS).saturating_sub(sent.0).saturating_sub(round_trip_ns / 2);
        // Later samples may be twice as slow as the best and still count, so that a drift is followed.
        if self.samples == 0 || round_trip_ns <= self.round_trip_ns.saturating_mul(2).saturating_add(1_000_000) {
            let better = self.samples == 0 || round_trip_ns <= self.round_trip_ns || self.samples >= SAMPLES_WANTED;
            if better {
                self.offset_ns = offset_ns;
            }
            if self.samples == 0 || round_trip_ns < self.round_trip_ns {
                self.round_trip_ns = round_trip_ns;
            }
        }
        self.samples = self.samples.saturating_add(1);
    }

    /// Venue time minus ours.
    #[must_use]
    pub fn offset(&self) -> Nanos {
        Nanos(self.offset_ns)
    }

    /// How far the offset may be wrong: half the round trip, and half of the venue's millisecond.
    #[must_use]
    pub fn uncertainty(&self) -> Nanos {
        Nanos(self.round_trip_ns / 2 + HALF_STAMP_NS)
    }

    /// Whether the clocks are certainly farther apart than this.
    #[must_use]
    pub fn is_beyond(&self, apart: Nanos) -> bool {
        self.offset_ns.saturating_abs().saturating_sub(self.uncertainty().0) > apart.0
    }

    /// Our time as the venue's.
    #[must_use]
    pub fn venue_time(&self, now: Nanos) -> Nanos {
        Nanos(now.0.saturating_add(self.offset_ns))
    }

    /// A stamp of the venue as our time, with the half of a millisecond that it left out.
    #[must_use]
    pub fn local_time(&self, stamp: Nanos) -> Nanos {
        Nanos(stamp.0.saturating_add(HALF_STAMP_NS).saturating_sub(self.offset_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fastest_answer_counts() {
        let mut clock = VenueClock::default();
        let at = |ms: i64| Nanos::from_millis(1_000_000 + ms);
        clock.sample(at(300 + 50), at(0), at(100));
        clock.sample(at(1000 + 305), at(1000), at(1010));
        clock.sample(at(2000 + 390), at(2000), at(2100));
        assert!(!clock.wants_samples());
        assert_eq!(clock.offset(), Nanos(300_500_000), "300 ms and what the stamp left out");
        assert_eq!(clock.uncertainty(), Nanos(5_500_000));
        assert!(clock.is_beyond(Nanos::from_millis(294)) && !clock.is_beyond(Nanos::from_millis(296)));
        assert_eq!(clock.local_time(clock.venue_time(at(5))), at(5) + Nanos(HALF_STAMP_NS), "a stamp lies behind");
        clock.restart();
        assert!(clock.wants_samples());
        clock.sample(at(9000 - 200), at(9000), at(9000));
        assert_eq!(clock.offset(), Nanos(-199_500_000));
    }

    #[test]
    fn an_answer_that_was_seconds_under_way_replaces_no_known_offset() {
        let at = |ms: i64| Nanos::from_millis(1_000_000 + ms);
        let mut clock = VenueClock::default();
        clock.sample(at(2), at(0), at(4));
        clock.restart();
        // The venue stopped for five seconds and stamped when it went on.
        clock.sample(at(6_000), at(1_000), at(6_001));
        assert_eq!(clock.offset(), Nanos(HALF_STAMP_NS));
        assert!(clock.wants_samples(), "and it is asked again");
        clock.sample(at(6_011), at(6_010), at(6_012));
        assert_eq!(clock.offset(), Nanos(HALF_STAMP_NS));
        // Where every answer takes that long there is nothing better to be had.
        clock.restart();
        for second in 0..4 {
            let sent = 10_000 + second * 2_000;
            clock.sample(at(sent + 1_500), at(sent), at(sent + 2_000));
        }
        assert_eq!(clock.offset(), Nanos::from_millis(500) + Nanos(HALF_STAMP_NS));
    }

    #[test]
    fn stamps_cut_to_milliseconds_do_not_shift_the_estimate() {
        // The clocks agree; answers are stamped anywhere within a millisecond, half way there and back.
        let (mut sum, count) = (0, 1_000);
        for step in 0..count {
            let sent = Nanos(1_760_000_000_000_000_000 + step * 7_919_311);
            let stamped = Nanos((sent.0 + 2_000_000) / 1_000_000 * 1_000_000);
            let mut clock = VenueClock::default();
            clock.sample(stamped, sent, sent + Nanos(4_000_000));
            assert!(clock.offset().0.abs() <= HALF_STAMP_NS, "{:?}", clock.offset());
            sum += clock.offset().0;
        }
        assert!((sum / count).abs() < 20_000, "{} ns on average", sum / count);
    }
}
