//! HOT: timer.
