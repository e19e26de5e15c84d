//! HOT: working.
