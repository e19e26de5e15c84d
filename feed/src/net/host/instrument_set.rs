//! HOT: a set of instruments that one thread changes while others read it.

use std::sync::atomic::{AtomicU64, Ordering};

use spinbook_engine::limits::INSTRUMENTS_MAX;
use spinbook_engine::types::InstrumentId;

const WORDS: usize = INSTRUMENTS_MAX.div_ceil(64);

/// Instruments, each a bit, and how often the set was changed.
#[derive(Debug)]
pub struct InstrumentSet {
    words: [AtomicU64; WORDS],
    version: AtomicU64,
}

impl Default for InstrumentSet {
    fn default() -> InstrumentSet {
        InstrumentSet { words: [const { AtomicU64::new(0) }; WORDS], version: AtomicU64::new(0) }
    }
}

impl InstrumentSet {
    /// Adds them, all at once for who looks at the version; an id that no engine has is left out.
    pub fn add(&self, instruments: &[InstrumentId]) {
        for id in instruments {
            if let Some(word) = self.words.get(id.index() / 64) {
                word.fetch_or(1 << (id.index() % 64), Ordering::Relaxed);
            }
        }
        self.version.fetch_add(1, Ordering::Release);
    }

    /// Takes them out, likewise.
    pub fn remove(&self, instruments: &[InstrumentId]) {
        for id in instruments {
            if let Some(word) = self.words.get(id.index() / 64) {
                word.fetch_and(!(1 << (id.index() % 64)), Ordering::Relaxed);
            }
        }
        self.version.fetch_add(1, Ordering::Release);
    }

    /// Another number once it was changed: what a loop looks at.
    #[inline]
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Whether it is in.
    #[must_use]
    pub fn contains(&self, id: InstrumentId) -> bool {
        let word = self.words.get(id.index() / 64);
        word.is_some_and(|word| word.load(Ordering::Relaxed) >> (id.index() % 64) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_in_and_nothing_else() {
        let set = InstrumentSet::default();
        assert_eq!(set.version(), 0);
        let last = InstrumentId(INSTRUMENTS_MAX as u16 - 1);
        set.add(&[InstrumentId(0), InstrumentId(70), last, InstrumentId(u16::MAX)]);
        let found: Vec<u16> = (0..=u16::MAX).filter(|id| set.contains(InstrumentId(*id))).collect();
        assert_eq!((found, set.version()), (vec![0, 70, last.0], 1));
        set.remove(&[InstrumentId(70), InstrumentId(3), InstrumentId(u16::MAX)]);
        let found: Vec<u16> = (0..=u16::MAX).filter(|id| set.contains(InstrumentId(*id))).collect();
        assert_eq!((found, set.version()), (vec![0, last.0], 2));
    }
}
