//! COLD: what the hot thread runs: its loop, the market connections it reads, the snapshots it takes.

pub mod hot_shared;
pub mod market_connections;
pub mod reactor;
pub mod snapshots;
