//! HOT: market.
