//! HOT: which slots of a window are occupied, in three levels of 64-bit words: the first one is three steps away.

use crate::limits::WINDOW_TICKS;

/// Words that hold one bit for each slot.
pub(crate) const WORDS: usize = WINDOW_TICKS / 64;
/// Words that hold one bit for each word of the level below.
const GROUPS: usize = WORDS / 64;

// One top word holds a bit for each group.
const _: () = assert!(GROUPS >= 1 && GROUPS <= 64 && WORDS.is_multiple_of(64));

/// Occupancy of `WINDOW_TICKS` slots.
#[derive(Debug)]
pub(crate) struct Bitmap {
    words: Box<[u64; WORDS]>,
    groups: [u64; GROUPS],
    top: u64,
}

impl Bitmap {
    /// Bytes of the lowest level, on the heap.
    pub(crate) const WORDS_BYTES: usize = size_of::<[u64; WORDS]>();

    /// Around words that are all zero, which set-up allocated.
    pub(crate) fn new(words: Box<[u64; WORDS]>) -> Bitmap {
        Bitmap {
            words,
            groups: [0; GROUPS],
            top: 0,
        }
    }

    /// Marks one slot. The levels above are only touched when a word becomes empty or stops being empty.
    #[inline]
    pub(crate) fn set(&mut self, slot: usize, occupied: bool) {
        let index = (slot / 64) % WORDS;
        let shift = slot % 64;
        let before = self.words[index];
        let after = (before & !(1 << shift)) | (u64::from(occupied) << shift);
        self.words[index] = after;
        if (before == 0) != (after == 0) {
            self.mark_word(index, occupied);
        }
    }

    #[inline(never)]
    fn mark_word(&mut self, index: usize, occupied: bool) {
        let group = (index / 64) % GROUPS;
        let shift = index % 64;
        self.groups[group] = (self.groups[group] & !(1 << shift)) | (u64::from(occupied) << shift);
        self.top = (self.top & !(1 << group)) | (u64::from(self.groups[group] != 0) << group);
    }

    /// Whether the slot is occupied.
    pub(crate) fn is_set(&self, slot: usize) -> bool {
        self.words[(slot / 64) % WORDS] >> (slot % 64) & 1 == 1
    }

    /// The lowest occupied slot.
    #[inline]
    pub(crate) fn first(&self) -> Option<usize> {
        if self.top == 0 {
            return None;
        }
        Some(self.first_in_group(self.top.trailing_zeros() as usize))
    }

    /// The lowest occupied slot that is `slot` or above.
    #[inline]
    pub(crate) fn first_from(&self, slot: usize) -> Option<usize> {
        let index = (slot / 64) % WORDS;
        let here = self.words[index] & (u64::MAX << (slot % 64));
        if here != 0 {
            return Some(index * 64 + here.trailing_zeros() as usize);
        }
        let group = index / 64;
        let words = self.groups[group] & above(index % 64);
        if words != 0 {
            return Some(self.first_in_word(group * 64 + words.trailing_zeros() as usize));
        }
        let groups = self.top & above(group);
        if groups != 0 {
            return Some(self.first_in_group(groups.trailing_zeros() as usize));
        }
        None
    }

    #[inline]
    fn first_in_group(&self, group: usize) -> usize {
        let word = self.groups[group % GROUPS].trailing_zeros() as usize;
        self.first_in_word(group * 64 + word)
    }

    #[inline]
    fn first_in_word(&self, index: usize) -> usize {
        index * 64 + self.words[index % WORDS].trailing_zeros() as usize
    }

    /// How many slots are occupied.
    pub(crate) fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether each upper bit says exactly what lies below it.
    pub(crate) fn is_consistent(&self) -> bool {
        let groups_agree = self
            .words
            .iter()
            .enumerate()
            .all(|(index, &word)| (word != 0) == (self.groups[index / 64] >> (index % 64) & 1 == 1));
        let top_agrees = self
            .groups
            .iter()
            .enumerate()
            .all(|(group, &bits)| (bits != 0) == (self.top >> group & 1 == 1));
        groups_agree && top_agrees && (GROUPS == 64 || self.top >> (GROUPS % 64) == 0)
    }
}

/// All bits above bit `index`, which is at most 63.
#[inline]
const fn above(index: usize) -> u64 {
    (u64::MAX << (index % 64)) << 1
}
