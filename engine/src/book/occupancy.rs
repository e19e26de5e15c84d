//! HOT: which slots of a window are occupied: a byte for each slot.
//!
//! A byte is written without being read, so that levels that lie side by side do not wait for each other, as they
//! would for the bits of one word. A search looks at eight slots at a time, and at a cache line where it finds
//! nothing.

use super::addresses::addresses_of;
use crate::limits::WINDOW_TICKS;
use crate::prefetch::prefetch;

/// Slots that are looked at together.
const WORD: usize = 8;
/// Words of a window.
const WORDS: usize = WINDOW_TICKS / WORD;
/// Words of a cache line.
const LINE: usize = 8;

const _: () = assert!(WINDOW_TICKS.is_power_of_two() && WORDS.is_multiple_of(LINE));

/// Occupancy of `WINDOW_TICKS` slots.
#[derive(Debug)]
pub(crate) struct Occupancy {
    /// One where a slot is occupied, else zero.
    occupied: Box<[u8; WINDOW_TICKS]>,
}

impl Occupancy {
    /// Over bytes that are all zero, which set-up allocated.
    pub(crate) fn new(occupied: Box<[u8; WINDOW_TICKS]>) -> Occupancy {
        Occupancy { occupied }
    }

    /// Where the bytes lie in memory.
    pub(crate) fn addresses(&self) -> core::ops::Range<usize> {
        addresses_of(&*self.occupied)
    }

    /// Asks for the bytes of these slots.
    pub(crate) fn warm(&self, slots: core::ops::Range<usize>) {
        prefetch(&self.occupied[slots]);
    }

    /// For many updates in a row.
    #[inline]
    pub(crate) fn writer(&mut self) -> OccupancyWriter<'_> {
        OccupancyWriter { occupied: &mut self.occupied }
    }

    /// Notes whether one slot is occupied.
    #[inline]
    pub(crate) fn set(&mut self, slot: usize, occupied: bool) {
        self.writer().set(slot, occupied);
    }

    /// The bytes of eight slots as a number: its bit 8 n is slot n's.
    #[inline]
    fn word(&self, index: usize) -> u64 {
        u64::from_le_bytes(self.occupied.as_chunks().0[index % WORDS])
    }

    /// Whether the slot is occupied.
    #[inline]
    pub(crate) fn is_set(&self, slot: usize) -> bool {
        self.occupied[slot % WINDOW_TICKS] != 0
    }

    /// The occupied slots among the eight around `slot`, those below it left out.
    #[inline]
    pub(crate) fn group_from(&self, slot: usize) -> Group {
        let occupied = self.word(slot / WORD) & (u64::MAX << (8 * (slot % WORD)));
        Group { base: slot / WORD * WORD, occupied }
    }

    /// The lowest occupied slot that is `slot` or above.
    #[inline]
    pub(crate) fn first_from(&self, slot: usize) -> Option<usize> {
        let Group { base, occupied } = self.group_from(slot);
        if occupied != 0 {
            return Some(base + place_of_first(occupied));
        }
        self.first_from_word(base / WORD + 1)
    }

    /// The lowest occupied slot in the words from `index` on.
    fn first_from_word(&self, index: usize) -> Option<usize> {
        let first_in =
            |words: core::ops::Range<usize>| words.map(|index| (index, self.word(index))).find(|&(_, word)| word != 0);
        let lines = index.next_multiple_of(LINE);
        let found = first_in(index..lines.min(WORDS)).or_else(|| {
            let is_occupied = |&line: &usize| (line..line + LINE).fold(0, |all, word| all | self.word(word)) != 0;
            let line = (lines..WORDS).step_by(LINE).find(is_occupied)?;
            first_in(line..line + LINE)
        });
        found.map(|(index, word)| index * WORD + place_of_first(word))
    }

    /// How many slots are occupied.
    pub(crate) fn count(&self) -> usize {
        self.occupied.iter().map(|&byte| usize::from(byte)).sum()
    }

    /// Whether every mark is one or zero.
    pub(crate) fn is_consistent(&self) -> bool {
        self.occupied.iter().all(|&byte| byte <= 1)
    }
}

/// Occupied slots among eight that lie side by side.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group {
    /// The first of the eight slots.
    base: usize,
    /// Bit 8 n is set if slot n of them is occupied.
    occupied: u64,
}

impl Group {
    /// Leaves out the slots from `slot` on.
    #[inline]
    pub(crate) const fn below(self, slot: usize) -> Group {
        let kept = slot.saturating_sub(self.base);
        let occupied = if kept < WORD { self.occupied & !(u64::MAX << (8 * kept)) } else { self.occupied };
        Group { base: self.base, occupied }
    }

    /// The first slot behind the eight.
    #[inline]
    pub(crate) const fn end(self) -> usize {
        self.base + WORD
    }
}

impl Iterator for Group {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.occupied == 0 {
            return None;
        }
        let slot = self.base + place_of_first(self.occupied);
        self.occupied &= self.occupied - 1;
        Some(slot)
    }
}

/// The bytes of a window, borrowed for many writes in a row.
pub(crate) struct OccupancyWriter<'a> {
    occupied: &'a mut [u8; WINDOW_TICKS],
}

impl OccupancyWriter<'_> {
    /// Notes whether one slot is occupied.
    #[inline]
    pub(crate) fn set(&mut self, slot: usize, occupied: bool) {
        self.occupied[slot % WINDOW_TICKS] = u8::from(occupied);
    }
}

/// Which of eight slots the lowest mark is of.
#[inline]
const fn place_of_first(occupied: u64) -> usize {
    (occupied.trailing_zeros() / 8) as usize
}
