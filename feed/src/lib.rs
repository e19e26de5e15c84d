//! COLD: the map of the feed: everything between a venue's bytes and the engine.
//!
#![doc = include_str!("../README.md")]

pub mod calendar;
pub mod frame_buffer;
pub mod json;
pub mod number;
pub mod padding;
pub mod random;
pub mod record;
pub mod timer;
pub mod websocket;

pub mod supervision;

pub mod backoff;
pub mod connect_budget;
pub mod error;

pub mod crypto;

pub mod scan;
pub mod sync;

pub mod sim;

pub mod venue;

pub mod session;

pub mod journal;

pub mod gateway;

pub mod backtest;

#[cfg(feature = "storage")]
pub mod history;

#[cfg(feature = "net")]
pub mod net;

#[cfg(feature = "testkit")]
pub mod testkit;
