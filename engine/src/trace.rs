//! HOT: trace.
