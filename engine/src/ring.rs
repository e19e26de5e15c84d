//! HOT: ring.
