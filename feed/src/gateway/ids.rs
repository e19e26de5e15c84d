//! COLD: maps keyed by ids that this program or the venue counts up: a multiplication in place of a keyed hash.
//!
//! No attacker chooses these keys: order and request ids are our own counters, and the venue counts its own.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// An odd number whose bits look random: multiplying by it spreads neighbours over all high bits.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// A map keyed by ids.
pub(super) type IdMap<K, V> = HashMap<K, V, BuildHasherDefault<IdHasher>>;

/// An empty map with room for `count`.
pub(super) fn id_map<K, V>(count: usize) -> IdMap<K, V> {
    IdMap::with_capacity_and_hasher(count, BuildHasherDefault::default())
}

/// Hashes what consists of a few integers.
#[derive(Clone, Copy, Debug, Default)]
pub struct IdHasher(u64);

impl Hasher for IdHasher {
    #[inline]
    fn finish(&self) -> u64 {
        // A map looks at the lowest and at the highest bits: both must depend on all of the key.
        self.0 ^ (self.0 >> 32)
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..part.len()].copy_from_slice(part);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    #[inline]
    fn write_u16(&mut self, value: u16) {
        self.write_u64(u64::from(value));
    }

    #[inline]
    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(23) ^ value).wrapping_mul(SPREAD);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::hash::{BuildHasher, BuildHasherDefault};

    use spinbook_engine::types::{InstrumentId, OrderId};

    use super::IdHasher;

    #[test]
    fn ids_that_follow_each_other_spread_over_low_and_high_bits() {
        let build = BuildHasherDefault::<IdHasher>::default();
        let runs: [Vec<u64>; 3] = [
            (1..=4096).map(|counter| build.hash_one(OrderId::new(7, counter))).collect(),
            (1..=4096).map(|venue: u64| build.hash_one((InstrumentId(3), 8_389_765_000 + venue))).collect(),
            // Counters of venues may go up in steps of a power of two.
            (1..=4096).map(|venue: u64| build.hash_one((InstrumentId(3), venue << 32))).collect(),
        ];
        for hashes in runs {
            assert_eq!(hashes.iter().collect::<HashSet<_>>().len(), hashes.len(), "no two alike");
            for bits in [0, 57] {
                let mut counts = [0u32; 128];
                hashes.iter().for_each(|hash| counts[(hash >> bits) as usize & 127] += 1);
                assert!(counts.iter().all(|count| *count < 128), "bits from {bits} on: {counts:?}");
            }
        }
    }
}
