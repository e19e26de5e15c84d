//! COLD: the map of the measurements: workloads, the plain pipeline that ours is compared with, clocks, tables.
//!
//! `plain` holds what a careful user of well-known crates would write. It was written first, is kept at its best
//! known configuration, and nothing here may weaken it: a target missed and reported is fine, a weaker peer is not.
#![warn(unreachable_pub)]

pub mod alloc;
pub mod book;
pub mod clock;
pub mod contest;
pub mod decode;
pub mod document;
pub mod frames;
pub mod gate;
pub mod histogram;
pub mod inputs;
pub mod journal;
pub mod machine;
pub mod markets;
pub mod measure;
pub mod paced;
pub mod pages;
pub mod peer_book;
pub mod peers;
pub mod percentiles;
pub mod pipeline;
pub mod plain;
pub mod plot;
pub mod ratio;
pub mod receive;
pub mod report;
pub mod ring;
pub mod risk_chain;
pub mod send;
pub mod stages;
pub mod synthetic;
pub mod target;
pub mod targets;
pub mod text;
pub mod threads;
pub mod tls;
pub mod trader;
pub mod whole_path;
pub mod wire;
pub mod workload;
