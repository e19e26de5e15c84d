//! HOT: numbers that look random and are the same for the same seed on every machine and in every version.

use spinbook_engine::types::Nanos;

/// SplitMix64. For pauses, simulated markets, faults and tests; secrets come from elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The same seed gives the same sequence.
    #[must_use]
    pub const fn new(seed: u64) -> Random {
        Random { state: seed }
    }

    /// The next 64 bits.
    #[inline]
    pub const fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; zero if `bound` is zero.
    #[inline]
    pub const fn below(&mut self, bound: u64) -> u64 {
        ((self.next_u64() as u128 * bound as u128) >> 64) as u64
    }

    /// The next 64 bits modulo `bound`, which is not zero: what recorded figures were made with.
    #[inline]
    pub const fn modulo(&mut self, bound: u64) -> u64 {
        self.next_u64() % bound
    }

    /// An index below `length`; zero if `length` is zero.
    #[inline]
    pub const fn index(&mut self, length: usize) -> usize {
        self.below(length as u64) as usize
    }

    /// A number between `low` and `high`, both included.
    #[inline]
    pub const fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below(high.abs_diff(low) + 1) as i64
    }

    /// Whether something of this many millionths happens.
    #[inline]
    pub const fn chance(&mut self, millionths: u32) -> bool {
        self.below(1_000_000) < millionths as u64
    }

    /// A span from zero up to, not including, `bound`; zero if `bound` is not positive.
    #[inline]
    pub const fn span_below(&mut self, bound: Nanos) -> Nanos {
        if bound.0 > 0 { Nanos(self.modulo(bound.0 as u64) as i64) } else { Nanos::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_that_of_splitmix64() {
        // The reference implementation's first three numbers of seed 1,234,567.
        let mut random = Random::new(1_234_567);
        let first = [random.next_u64(), random.next_u64(), random.next_u64()];
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn every_draw_keeps_its_bounds() {
        let mut random = Random::new(7);
        let mut ends = [false; 2];
        for _ in 0..10_000 {
            assert!(random.below(3) < 3 && random.modulo(3) < 3);
            let drawn = random.between(-2, 2);
            assert!((-2..=2).contains(&drawn));
            ends[0] |= drawn == -2;
            ends[1] |= drawn == 2;
            assert!(random.span_below(Nanos(5)) < Nanos(5));
        }
        assert_eq!(ends, [true; 2]);
        assert_eq!(
            (random.below(0), random.span_below(Nanos(0)), random.span_below(Nanos(-1))),
            (0, Nanos(0), Nanos(0))
        );
        assert!(!random.chance(0) && random.chance(1_000_000));
    }
}
