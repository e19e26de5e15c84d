//! HOT: pauses between attempts: exponential, jittered, and the same for the same seed.

use spinbook_engine::types::Nanos;

use crate::random::Random;

/// Pauses that double from `first` to `longest`, each shortened by up to half at random.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    first: Nanos,
    longest: Nanos,
    attempts: u32,
    random: Random,
}

impl Backoff {
    /// Pauses from `first` (the shortest is half of it) up to `longest`.
    #[must_use]
    pub const fn new(first: Nanos, longest: Nanos, seed: u64) -> Backoff {
        Backoff { first, longest, attempts: 0, random: Random::new(seed) }
    }

    /// The pause before the next attempt.
    pub fn next_pause(&mut self) -> Nanos {
        let doublings = self.attempts.min(30);
        self.attempts = self.attempts.saturating_add(1);
        let full = self.first.0.saturating_mul(1 << doublings).min(self.longest.0);
        let half = Nanos(full / 2);
        half + self.random.span_below(Nanos(full - half.0 + 1))
    }

    /// An attempt succeeded: the next pause is a short one again.
    pub fn reset(&mut self) {
        self.attempts = 0;
    }

    /// Attempts since the last success.
    #[must_use]
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_longest_and_repeat_by_seed() {
        let make = || Backoff::new(Nanos::from_millis(500), Nanos::from_seconds(30), 7);
        let (mut one, mut two) = (make(), make());
        let mut full = 500_000_000i64;
        for _ in 0..200 {
            let pause = one.next_pause();
            assert_eq!(pause, two.next_pause());
            assert!(pause.0 >= full / 2 && pause.0 <= full, "{pause:?} of {full}");
            full = (full * 2).min(30_000_000_000);
        }
        one.reset();
        assert!(one.next_pause() <= Nanos::from_millis(500));
    }

    #[test]
    fn seeds_spread_the_herd() {
        let pauses: std::collections::BTreeSet<i64> = (0..100)
            .map(|seed| Backoff::new(Nanos::from_seconds(1), Nanos::from_seconds(9), seed).next_pause().0)
            .collect();
        assert!(pauses.len() > 90);
    }
}
