//! HOT: which slots of a window are occupied: a byte for each slot.
//!
//! A byte is written without being read, so that levels that lie side by side do not wait for each other, as they
//! would for the bits of one word. A search looks at eight slots at a time, and at a cache line where it finds
//! nothing.

use crate::limits::WINDOW_TICKS;

/// Slots that are looked at together.
const WORD: usize = 8;
/// Words of a cache line.
const LINE_WORDS: usize = 8;
/// Slots of a cache line.
const LINE: usize = WORD * LINE_WORDS;
/// Cache lines of a window.
pub(crate) const LINES: usize = WINDOW_TICKS / LINE;

const _: () = assert!(WINDOW_TICKS.is_multiple_of(LINE) && WINDOW_TICKS.is_power_of_two());

/// The marks of 64 slots: one where a slot is occupied, else zero.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(crate) struct Line([[u8; WORD]; LINE_WORDS]);

impl Line {
    /// No slot occupied.
    pub(crate) const EMPTY: Line = Line([[0; WORD]; LINE_WORDS]);

    /// The marks of eight slots as a number: bit 8 n is slot n's.
    #[inline]
    const fn word(&self, index: usize) -> u64 {
        u64::from_le_bytes(self.0[index % LINE_WORDS])
    }

    #[inline]
    fn is_empty(&self) -> bool {
        (0..LINE_WORDS).fold(0, |all, index| all | self.word(index)) == 0
    }

    /// The first occupied slot of the line; it has one.
    #[inline]
    fn first(&self) -> usize {
        let index = (0..LINE_WORDS).find(|&index| self.word(index) != 0).unwrap_or(0);
        index * WORD + place_of_first(self.word(index))
    }
}

/// Occupancy of `WINDOW_TICKS` slots.
#[derive(Debug)]
pub(crate) struct Occupancy {
    lines: Box<[Line; LINES]>,
}

impl Occupancy {
    /// Bytes on the heap.
    pub(crate) const BYTES: usize = WINDOW_TICKS;

    /// Around marks that are all empty, which set-up allocated.
    pub(crate) fn new(lines: Box<[Line; LINES]>) -> Occupancy {
        Occupancy { lines }
    }

    /// For many updates in a row.
    #[inline]
    pub(crate) fn writer(&mut self) -> OccupancyWriter<'_> {
        OccupancyWriter { lines: &mut self.lines }
    }

    /// Marks one slot.
    #[inline]
    pub(crate) fn set(&mut self, slot: usize, occupied: bool) {
        self.writer().set(slot, occupied);
    }

    /// Whether the slot is occupied.
    #[inline]
    pub(crate) fn is_set(&self, slot: usize) -> bool {
        self.lines[(slot / LINE) % LINES].0[slot / WORD % LINE_WORDS][slot % WORD] != 0
    }

    /// The occupied slots among the eight around `slot`, those below it left out.
    #[inline]
    pub(crate) fn group_from(&self, slot: usize) -> Group {
        let word = self.lines[(slot / LINE) % LINES].word(slot / WORD);
        Group { base: slot / WORD * WORD, marks: word & (u64::MAX << (8 * (slot % WORD))) }
    }

    /// The lowest occupied slot that is `slot` or above.
    #[inline]
    pub(crate) fn first_from(&self, slot: usize) -> Option<usize> {
        let Group { base, marks } = self.group_from(slot);
        if marks != 0 {
            return Some(base + place_of_first(marks));
        }
        self.first_from_word(base / WORD + 1)
    }

    /// The lowest occupied slot in the words from `index` on.
    fn first_from_word(&self, index: usize) -> Option<usize> {
        let begin = index.div_ceil(LINE_WORDS);
        if let Some(line) = begin.checked_sub(1).filter(|_| !index.is_multiple_of(LINE_WORDS)) {
            for index in index..begin * LINE_WORDS {
                let word = self.lines[line % LINES].word(index);
                if word != 0 {
                    return Some(index * WORD + place_of_first(word));
                }
            }
        }
        let line = begin + self.lines.get(begin..)?.iter().position(|line| !line.is_empty())?;
        Some(line * LINE + self.lines[line % LINES].first())
    }

    /// How many slots are occupied.
    pub(crate) fn count(&self) -> usize {
        let of_line = |line: &Line| line.0.as_flattened().iter().map(|&mark| usize::from(mark)).sum::<usize>();
        self.lines.iter().map(of_line).sum()
    }

    /// Whether every mark is one or zero.
    pub(crate) fn is_consistent(&self) -> bool {
        self.lines.iter().all(|line| line.0.as_flattened().iter().all(|&mark| mark <= 1))
    }
}

/// Occupied slots among eight that lie side by side.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group {
    /// The first of the eight slots.
    base: usize,
    /// Bit 8 n is set if slot n of them is occupied.
    marks: u64,
}

impl Group {
    /// Leaves out the slots from `slot` on.
    #[inline]
    pub(crate) const fn below(self, slot: usize) -> Group {
        let kept = slot.saturating_sub(self.base);
        let marks = if kept < WORD { self.marks & !(u64::MAX << (8 * kept)) } else { self.marks };
        Group { base: self.base, marks }
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
        if self.marks == 0 {
            return None;
        }
        let slot = self.base + place_of_first(self.marks);
        self.marks &= self.marks - 1;
        Some(slot)
    }
}

/// Marks whose storage is at hand.
pub(crate) struct OccupancyWriter<'a> {
    lines: &'a mut [Line; LINES],
}

impl OccupancyWriter<'_> {
    /// Marks one slot.
    #[inline]
    pub(crate) fn set(&mut self, slot: usize, occupied: bool) {
        self.lines[(slot / LINE) % LINES].0[slot / WORD % LINE_WORDS][slot % WORD] = u8::from(occupied);
    }
}

/// Which of eight slots the lowest mark is of.
#[inline]
const fn place_of_first(marks: u64) -> usize {
    (marks.trailing_zeros() / 8) as usize
}
