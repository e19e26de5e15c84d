//! COLD: the map of a market connection's life.
//!
//! `flow` turns frames into judged market events; the session around it subscribes, watches and reconnects.

pub mod flow;

use spinbook_engine::event::{Answer, MarketEvent};
use spinbook_engine::types::{Level, Nanos};

/// Whoever takes judged market events: the engine, a verifying player, a benchmark.
pub trait MarketSink {
    /// Takes one event with its levels; the answer may ask for a resync of that instrument.
    fn on_market(&mut self, event: &MarketEvent, bids: &[Level], asks: &[Level], now: Nanos) -> Answer;
}
