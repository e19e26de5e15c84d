//! HOT: risk.
