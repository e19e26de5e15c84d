//! HOT: latency.
