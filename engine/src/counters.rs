//! HOT: counters.
