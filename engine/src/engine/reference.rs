//! HOT: the second reference of the price collar, asked for an order and some times a second, never for a frame.
//!
//! An order leaves only near it. Where it is missing, too old, or far from our own book, nothing is quoted either: the
//! limit of the book's age is closed, as for a feed that is behind.

use crate::counters::Counter;
use crate::event::LostReason;
use crate::risk::{Reference, ReferencePrice, ReferenceSource};
use crate::strategy::Strategy;
use crate::types::{InstrumentId, Nanos};
use crate::unquoted::Unquoted;

use super::Engine;

impl<S> Engine<S> {
    /// What an instrument's prices are held against beside its own book; at first nothing. Where it is missing nothing
    /// is quoted. Before the first event.
    ///
    /// # Panics
    /// If there is no such instrument, or the reference is another that there is not.
    pub fn set_reference(&mut self, instrument: InstrumentId, reference: Reference) {
        if let ReferenceSource::Mid { instrument: other, .. } = reference.source {
            assert!(other.index() < self.instrument_slots.len(), "set-up names an instrument of its own");
        }
        let index = instrument.index();
        self.instrument_slots[index].reference = reference;
        let missing = reference.is_wanted().then_some(Unquoted::ReferenceMissing);
        self.instrument_slots[index].feed_lag.set_reference(missing, &mut self.risks[index]);
    }

    /// The second reference of an instrument as it is now; none if it is missing or too old.
    #[cold]
    #[inline(never)]
    pub(super) fn reference_price(&self, index: usize, now: Nanos) -> Option<ReferencePrice> {
        let reference = &self.instrument_slots[index].reference;
        match reference.source {
            ReferenceSource::None => None,
            ReferenceSource::LastTrade => {
                let trade = self.inputs.markets[index].last_trade()?;
                let doubled = 2 * i128::from(trade.level.tick.0);
                (now - trade.received <= reference.age_max && doubled > 0)
                    .then_some(ReferencePrice { doubled, ticks: (1, 1) })
            }
            ReferenceSource::Mid { instrument, ticks } => {
                let market = &self.inputs.markets[instrument.index()];
                let best = market.best()?;
                let lag = self.instrument_slots[instrument.index()].feed_lag.lag_reason();
                (market.depth_age(now) <= reference.age_max && lag.is_none())
                    .then_some(ReferencePrice { doubled: best.book_mid_doubled(), ticks })
            }
        }
    }
}

impl<S: Strategy> Engine<S> {
    /// Looks at the second reference of one instrument, if it has one, and pulls or allows its quotes if that has changed.
    #[inline]
    pub(super) fn judge_reference(&mut self, index: usize, now: Nanos) {
        if self.instrument_slots[index].reference.is_wanted() {
            self.judge_wanted_reference(index, now);
        }
    }

    #[cold]
    #[inline(never)]
    fn judge_wanted_reference(&mut self, index: usize, now: Nanos) {
        let collar = self.risks[index].price_collar_millionths;
        let own = self.inputs.markets[index].best().map(|best| best.book_mid_doubled());
        let verdict = match (self.reference_price(index, now), own) {
            (None, _) => Some(Unquoted::ReferenceMissing),
            (Some(price), Some(own)) if !price.is_near(own, collar) => Some(Unquoted::ReferenceFar),
            (Some(_), _) => None,
        };
        if !self.instrument_slots[index].feed_lag.set_reference(verdict, &mut self.risks[index]) {
            return;
        }
        let instrument = InstrumentId(index as u16);
        if verdict.is_some() {
            // From here on quotes of an earlier run wait for nothing any more.
            self.instrument_slots[index].holds_adopted = false;
            self.counters.increment(Counter::ReferencesLost);
            if core::mem::take(&mut self.inputs.quotable[index]) {
                self.trace_book(instrument, LostReason::Silent, now);
            }
        }
        self.decide(instrument, now);
    }
}
