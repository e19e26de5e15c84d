//! HOT: which slots of a window are occupied: a bit for each slot, and above it a bit for each word of slots.

use crate::limits::WINDOW_TICKS;

/// Words that hold one bit for each slot.
pub(crate) const WORDS: usize = WINDOW_TICKS / 64;
/// Words that hold one bit for each word of the level below.
const GROUPS: usize = WORDS / 64;

const _: () = assert!(GROUPS >= 1 && WORDS.is_multiple_of(64));

/// Occupancy of `WINDOW_TICKS` slots.
///
/// A slot's own bit is exact. A word's bit in its group says that the word may hold something: an update sets it
/// without looking and never clears it, so that it has no branch to guess wrong; the search for the first
/// occupied slot clears the bits of the empty words it meets, each once.
#[derive(Debug)]
pub(crate) struct Bitmap {
    words: Box<[u64; WORDS]>,
    groups: [u64; GROUPS],
}

impl Bitmap {
    /// Bytes of the lower level, which is on the heap.
    pub(crate) const WORDS_BYTES: usize = size_of::<[u64; WORDS]>();

    /// Around words that are all zero, which set-up allocated.
    pub(crate) fn new(words: Box<[u64; WORDS]>) -> Bitmap {
        Bitmap { words, groups: [0; GROUPS] }
    }

    /// For many updates in a row.
    #[inline]
    pub(crate) fn writer(&mut self) -> BitmapWriter<'_> {
        BitmapWriter { words: &mut self.words, groups: &mut self.groups }
    }

    /// Marks one slot.
    #[inline]
    pub(crate) fn set(&mut self, slot: usize, occupied: bool) {
        self.writer().set(slot, occupied);
    }

    /// Whether the slot is occupied.
    pub(crate) fn is_set(&self, slot: usize) -> bool {
        (self.words[(slot / 64) % WORDS] >> (slot % 64)) & 1 == 1
    }

    /// The bits of the word that holds `slot`, those below the slot left out.
    #[inline]
    pub(crate) fn word_from(&self, slot: usize) -> u64 {
        self.words[(slot / 64) % WORDS] & (u64::MAX << (slot % 64))
    }

    /// The lowest occupied slot that is `slot` or above.
    #[inline]
    pub(crate) fn first_from(&self, slot: usize) -> Option<usize> {
        let index = (slot / 64) % WORDS;
        let here = self.words[index] & (u64::MAX << (slot % 64));
        if here != 0 {
            return Some(lowest_slot(index, here));
        }
        let mut candidates = self.groups[index / 64] & above(index % 64);
        for group in index / 64..GROUPS {
            while candidates != 0 {
                let index = group * 64 + candidates.trailing_zeros() as usize;
                let word = self.words[index % WORDS];
                if word != 0 {
                    return Some(lowest_slot(index, word));
                }
                candidates &= candidates - 1;
            }
            candidates = self.groups[(group + 1) % GROUPS];
        }
        None
    }

    /// [`Bitmap::first_from`], which also clears the group bits of the empty words it passes.
    #[inline]
    pub(crate) fn first_from_tidying(&mut self, slot: usize) -> Option<usize> {
        let index = (slot / 64) % WORDS;
        let here = self.words[index] & (u64::MAX << (slot % 64));
        if here != 0 {
            return Some(lowest_slot(index, here));
        }
        let mut passed = above(index % 64);
        for group in index / 64..GROUPS {
            loop {
                let candidates = self.groups[group] & passed;
                if candidates == 0 {
                    break;
                }
                let index = group * 64 + candidates.trailing_zeros() as usize;
                let word = self.words[index % WORDS];
                if word != 0 {
                    return Some(lowest_slot(index, word));
                }
                self.groups[group] &= !(1 << (index % 64));
            }
            passed = u64::MAX;
        }
        None
    }

    /// How many slots are occupied.
    pub(crate) fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether no occupied word is hidden from a search.
    pub(crate) fn is_consistent(&self) -> bool {
        let is_marked = |index: usize| (self.groups[index / 64] >> (index % 64)) & 1 == 1;
        self.words.iter().enumerate().all(|(index, &word)| word == 0 || is_marked(index))
    }
}

/// A bitmap whose storage is at hand.
pub(crate) struct BitmapWriter<'a> {
    words: &'a mut [u64; WORDS],
    groups: &'a mut [u64; GROUPS],
}

impl BitmapWriter<'_> {
    /// Marks one slot.
    #[inline]
    pub(crate) fn set(&mut self, slot: usize, occupied: bool) {
        let index = (slot / 64) % WORDS;
        let shift = slot % 64;
        let bit = u64::from(occupied);
        self.words[index] = (self.words[index] & !(1 << shift)) | (bit << shift);
        self.groups[index / 64] |= bit << (index % 64);
    }
}

#[inline]
const fn lowest_slot(index: usize, word: u64) -> usize {
    index * 64 + word.trailing_zeros() as usize
}

/// All bits above bit `index`, which is at most 63.
#[inline]
const fn above(index: usize) -> u64 {
    (u64::MAX << (index % 64)) << 1
}
