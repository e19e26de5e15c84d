//! COLD: what the hot thread runs: its loop, the market connections it reads, the snapshots it takes.

pub mod hot_shared;
pub mod keep_warm;
pub mod kernel_ping;
pub mod market_connections;
pub mod reactor;
pub mod rehearsal;
pub mod rehearsal_setup;
pub mod snapshots;
