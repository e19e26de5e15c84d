//! COLD: the map of the engine: pure functions of (state, input, now); no I/O, no clock, no venue names.
//!
//! Read in the order of the imports: `types` and `limits`, then `event` and `intent` (what goes in and
//! out), `book`, `strategy`, `quoter`, `risk`, and `engine`, where all branching happens.
#![warn(unreachable_pub)]

pub mod types;

pub mod limits;

pub mod event;
pub mod intent;

pub mod counters;
pub mod latency;
pub mod rate;
pub mod ring;
pub mod telemetry;
pub mod trace;

pub mod book;
pub mod position;
pub mod touch;
pub mod working;

pub mod market;

pub mod strategy;

pub mod quoter;
pub mod risk;

pub mod engine;

pub mod setup;
