//! COLD: the only allocating room: validated settings and instruments become preallocated books and engines.

pub mod book;

pub use book::{BookSettings, FAR_LEVELS_MAX, book, larger_book};
