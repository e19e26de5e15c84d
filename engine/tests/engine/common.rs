//! COLD: what the tests of the book and the ring share: seeded random numbers and short level literals.
#![allow(dead_code)]

use spinbook_engine::types::{Level, Lots, Tick};

/// A level in short.
pub(crate) fn level(tick: i64, lots: i64) -> Level {
    Level { tick: Tick(tick), lots: Lots(lots) }
}

/// The seed named in the environment, else one from the clock: every test prints the one it used.
pub(crate) fn seed_from(variable: &str) -> u64 {
    if let Some(seed) = std::env::var(variable).ok().and_then(|text| text.parse().ok()) {
        return seed;
    }
    let since_epoch = std::time::SystemTime::UNIX_EPOCH.elapsed();
    since_epoch.map_or(1, |elapsed| elapsed.as_nanos() as u64)
}

/// Small, seeded, repeatable: SplitMix64.
pub(crate) struct Random(u64);

impl Random {
    /// From a seed.
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// The next 64 bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// In `0..limit`; zero if the limit is.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(limit)) >> 64) as u64
    }

    /// In `-size..=size`.
    pub(crate) fn signed(&mut self, size: i64) -> i64 {
        self.below(2 * size as u64 + 1) as i64 - size
    }
}
