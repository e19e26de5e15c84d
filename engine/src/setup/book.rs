//! COLD: allocates books: every byte a book will ever need, touched once so that trading faults no page in.

use core::hint::black_box;

use crate::book::{Book, Ladder, Occupancy, OuterLevels, OuterSlot, places_for, slots_for};
pub use crate::limits::OUTER_LEVELS_MAX;
use crate::limits::{OUTER_LEVELS_DEFAULT, WINDOW_TICKS};

/// What a book is built with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookSettings {
    /// Levels a side outside the window that the book can hold: `1..=OUTER_LEVELS_MAX`, else the nearest.
    pub outer_levels: usize,
}

impl Default for BookSettings {
    fn default() -> BookSettings {
        BookSettings { outer_levels: OUTER_LEVELS_DEFAULT }
    }
}

/// An empty book.
#[must_use]
pub fn book(settings: &BookSettings) -> Book {
    let outer_levels = settings.outer_levels.clamp(1, OUTER_LEVELS_MAX);
    Book::new(ladder(outer_levels), ladder(outer_levels))
}

/// An empty book with twice the outer levels of one whose outer store was full: it takes that one's place on a
/// cold turn and becomes Live with the next snapshot. None if the store is as large as it may be.
#[must_use]
pub fn larger_book(full: &Book) -> Option<Book> {
    let outer_levels = full.outer_level_capacity();
    (outer_levels < OUTER_LEVELS_MAX).then(|| book(&BookSettings { outer_levels: outer_levels * 2 }))
}

fn ladder(outer_levels: usize) -> Ladder {
    let far = OuterLevels::new(
        touched(OuterSlot::EMPTY, slots_for(outer_levels)).into_boxed_slice(),
        touched(0_u32, places_for(outer_levels)).into_boxed_slice(),
        touched(0_i64, outer_levels).into_boxed_slice(),
    );
    let lots: Box<[i64; WINDOW_TICKS]> =
        touched(0, WINDOW_TICKS).into_boxed_slice().try_into().expect("as many slots as the window has");
    let marks: Box<[u8; WINDOW_TICKS]> =
        touched(0, WINDOW_TICKS).into_boxed_slice().try_into().expect("as many slots as the window has");
    Ladder::new(lots, Occupancy::new(marks), far)
}

/// A vector whose pages are really there: an allocation of zeros alone would only promise them.
fn touched<T: Clone>(value: T, length: usize) -> Vec<T> {
    let mut memory = vec![value.clone(); length];
    black_box(&mut memory).fill(value);
    memory
}
