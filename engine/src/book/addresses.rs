//! HOT: where a book's storage lies in memory, for the set-up that chooses its pages.

use core::ops::Range;

/// Where a slice lies in memory.
pub(crate) fn addresses_of<T>(slice: &[T]) -> Range<usize> {
    let pointers = slice.as_ptr_range();
    pointers.start.expose_provenance()..pointers.end.addr()
}
