//! COLD: how far the venue's clock is from ours, from its answers to time requests.

use spinbook_engine::types::Nanos;

/// Samples taken before an offset is trusted.
pub const SAMPLES_WANTED: u32 = 3;

/// Offset estimator: the sample with the shortest round trip counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct VenueClock {
    offset_ns: i64,
    round_trip_ns: i64,
    samples: u32,
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

    /// Goes on without samples, where the venue's connection has no time request.
    pub fn skip(&mut self) {
        self.samples = SAMPLES_WANTED;
    }

    /// One answer: the venue's time, asked at `sent`, in hand at `received`.
    pub fn sample(&mut self, venue: Nanos, sent: Nanos, received: Nanos) {
        let round_trip_ns = (received - sent).0.max(0);
        let offset_ns = venue.0.saturating_sub(sent.0).saturating_sub(round_trip_ns / 2);
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

    /// How far the offset may be wrong: half the round trip, and the venue's millisecond.
    #[must_use]
    pub fn uncertainty(&self) -> Nanos {
        Nanos(self.round_trip_ns / 2 + 1_000_000)
    }

    /// Our time as the venue's.
    #[must_use]
    pub fn venue_time(&self, now: Nanos) -> Nanos {
        Nanos(now.0.saturating_add(self.offset_ns))
    }

    /// A time of the venue as ours.
    #[must_use]
    pub fn local_time(&self, venue: Nanos) -> Nanos {
        Nanos(venue.0.saturating_sub(self.offset_ns))
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
        assert_eq!(clock.offset(), Nanos::from_millis(300));
        assert_eq!(clock.uncertainty(), Nanos::from_millis(6));
        assert_eq!(clock.local_time(clock.venue_time(at(5))), at(5));
        clock.restart();
        assert!(clock.wants_samples());
        clock.sample(at(9000 - 200), at(9000), at(9000));
        assert_eq!(clock.offset(), Nanos::from_millis(-200));
    }
}
