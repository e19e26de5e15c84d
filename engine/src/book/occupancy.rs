//! HOT: which slots of a window are occupied: a bit for each slot.

use crate::limits::WINDOW_TICKS;

/// Slots of a word.
const WORD: usize = u64::BITS as usize;
/// Words of a window.
pub(crate) const WORDS: usize = WINDOW_TICKS / WORD;

const _: () = assert!(WINDOW_TICKS.is_power_of_two() && WORDS >= 1);

/// Occupancy of `WINDOW_TICKS` slots.
///
/// One level of words and nothing above it: what summed them up would be written by every level, each waiting for the
/// one before, while a search, which starts at the best level, seldom has more than a few words to pass.
#[derive(Debug)]
pub(crate) struct Occupancy {
    words: Box<[u64; WORDS]>,
}

impl Occupancy {
    /// Bytes on the heap.
    pub(crate) const BYTES: usize = size_of::<[u64; WORDS]>();

    /// Around words that are all zero, which set-up allocated.
    pub(crate) fn new(words: Box<[u64; WORDS]>) -> Occupancy {
        Occupancy { words }
    }

    /// For many updates in a row.
    #[inline]
    pub(crate) fn writer(&mut self) -> OccupancyWriter<'_> {
        OccupancyWriter { words: &mut self.words }
    }

    /// Marks one slot.
    #[inline]
    pub(crate) fn set(&mut self, slot: usize, occupied: bool) {
        self.writer().set(slot, occupied);
    }

    /// Whether the slot is occupied.
    #[inline]
    pub(crate) fn is_set(&self, slot: usize) -> bool {
        (self.words[(slot / WORD) % WORDS] >> (slot % WORD)) & 1 == 1
    }

    /// The occupied slots of the word that holds `slot`, those below it left out.
    #[inline]
    pub(crate) fn group_from(&self, slot: usize) -> Group {
        let bits = self.words[(slot / WORD) % WORDS] & (u64::MAX << (slot % WORD));
        Group { base: slot / WORD * WORD, bits }
    }

    /// The lowest occupied slot that is `slot` or above.
    #[inline]
    pub(crate) fn first_from(&self, slot: usize) -> Option<usize> {
        let mut group = self.group_from(slot);
        loop {
            if group.bits != 0 {
                return group.next();
            }
            if group.end() >= WINDOW_TICKS {
                return None;
            }
            group = self.group_from(group.end());
        }
    }

    /// The highest occupied slot that is `slot` or below.
    pub(crate) fn last_to(&self, slot: usize) -> Option<usize> {
        let mut index = (slot / WORD) % WORDS;
        let mut bits = self.words[index] & (u64::MAX >> (WORD - 1 - slot % WORD));
        while bits == 0 {
            index = index.checked_sub(1)?;
            bits = self.words[index];
        }
        Some(index * WORD + (WORD - 1 - bits.leading_zeros() as usize))
    }

    /// How many slots are occupied.
    pub(crate) fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }
}

/// Occupied slots of one word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group {
    /// The word's first slot.
    base: usize,
    /// Its bits.
    bits: u64,
}

impl Group {
    /// Leaves out the slots from `slot` on.
    #[inline]
    pub(crate) const fn below(self, slot: usize) -> Group {
        let kept = slot.saturating_sub(self.base);
        let bits = if kept < WORD { self.bits & !(u64::MAX << kept) } else { self.bits };
        Group { base: self.base, bits }
    }

    /// The first slot behind the word.
    #[inline]
    pub(crate) const fn end(self) -> usize {
        self.base + WORD
    }
}

impl Iterator for Group {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.bits == 0 {
            return None;
        }
        let slot = self.base + self.bits.trailing_zeros() as usize;
        self.bits &= self.bits - 1;
        Some(slot)
    }
}

/// Words whose storage is at hand.
pub(crate) struct OccupancyWriter<'a> {
    words: &'a mut [u64; WORDS],
}

impl OccupancyWriter<'_> {
    /// Marks one slot.
    #[inline]
    pub(crate) fn set(&mut self, slot: usize, occupied: bool) {
        let word = &mut self.words[(slot / WORD) % WORDS];
        let shift = slot % WORD;
        *word = (*word & !(1 << shift)) | (u64::from(occupied) << shift);
    }
}
