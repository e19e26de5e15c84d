//! HOT: where judged market events go: an engine, a verifying player, a benchmark.

use spinbook_engine::engine::Engine;
use spinbook_engine::event::{MarketEvent, MarketReply};
use spinbook_engine::strategy::Strategy;
use spinbook_engine::types::{InstrumentId, Level, Nanos};

/// Takes judged market events: the engine, a verifying player, a benchmark.
pub trait MarketSink {
    /// Takes one event with its levels; the answer may ask for a resync of that instrument.
    fn on_market(&mut self, event: &MarketEvent, bids: &[Level], asks: &[Level], now: Nanos) -> MarketReply;

    /// How many outer levels a side the instrument's book must have before its next snapshot, if it is too small now.
    fn outer_levels_wanted(&self, _instrument: InstrumentId) -> Option<usize> {
        None
    }
}

/// Hands market events to an engine; all events of a burst but its newest without a decision.
///
/// The reactor and the virtual-time driver share it, so a frame goes from the session to the engine without a stay in
/// either.
#[derive(Debug)]
pub struct EngineSink<'a, S> {
    /// Who decides.
    pub engine: &'a mut Engine<S>,
    /// Whether the decision waits until the burst is over ([`Engine::flush`]).
    pub quiet: bool,
}

impl<S: Strategy> MarketSink for EngineSink<'_, S> {
    #[inline]
    fn on_market(&mut self, event: &MarketEvent, bids: &[Level], asks: &[Level], now: Nanos) -> MarketReply {
        if self.quiet {
            self.engine.on_market_quiet(event, bids, asks, now)
        } else {
            self.engine.on_market(event, bids, asks, now)
        }
    }

    fn outer_levels_wanted(&self, instrument: InstrumentId) -> Option<usize> {
        self.engine.outer_levels_wanted(instrument)
    }
}
