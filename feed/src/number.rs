//! HOT: number.
