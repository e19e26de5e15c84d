//! HOT: position.
