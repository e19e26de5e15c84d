//! COLD: the simulated world's public market: what others display and trade, and what of ours that fills.

use super::World;
use crate::sim::api::{BookSnapshot, ListingIndex};
use crate::sim::matching::MatchStep;
use crate::sim::queue::PublicTouch;
use crate::sim::tape::{Tape, TapeTrade};
use spinbook_engine::types::{Level, Lots, Nanos, QuoteAtoms, Side, Tick};

impl World {
    /// Replaces the displayed book.
    pub fn seed(&mut self, listing: ListingIndex, sequence: u64, bids: &[Level], asks: &[Level], now: Nanos) {
        let mut steps: Vec<MatchStep> = Vec::new();
        self.markets[listing].seed(sequence, bids, asks, now, &mut steps);
        self.book_steps(listing, None, &steps, now);
    }

    /// Writes the absolute quantities that changed on the displayed book; may fill resting orders.
    pub fn depth(&mut self, listing: ListingIndex, sequence: u64, bids: &[Level], asks: &[Level], now: Nanos) {
        let mut steps: Vec<MatchStep> = Vec::new();
        self.markets[listing].depth(sequence, bids, asks, &mut steps);
        self.book_steps(listing, None, &steps, now);
    }

    /// Keeps the venue's best bid and ask; may fill resting orders.
    pub fn touch(&mut self, listing: ListingIndex, sequence: u64, bid: Option<Level>, ask: Option<Level>, now: Nanos) {
        let mut steps: Vec<MatchStep> = Vec::new();
        self.markets[listing].touch(PublicTouch { sequence, bid, ask }, &mut steps);
        self.book_steps(listing, None, &steps, now);
    }

    /// A trade of others; may fill resting orders, never more than its quantity.
    pub fn trade(&mut self, listing: ListingIndex, aggressor: Side, tick: Tick, lots: Lots, now: Nanos) {
        let mut steps: Vec<MatchStep> = Vec::new();
        self.markets[listing].trade(aggressor, tick, lots, &mut steps);
        self.book_steps(listing, None, &steps, now);
        self.trigger_waiting(listing, tick, now);
    }

    /// Notes a trade of the market on its tape.
    pub fn note_trade(&mut self, listing: ListingIndex, id: u64, aggressor: Side, level: Level, now: Nanos) {
        let value = self.listings[listing].value(level.tick, level.lots);
        self.tapes[listing].print(TapeTrade { id, tick: level.tick, lots: level.lots, value, aggressor, at: now });
    }

    /// What was traded.
    #[must_use]
    pub fn tape(&self, listing: ListingIndex) -> &Tape {
        &self.tapes[listing]
    }

    /// The displayed book, `limit` levels a side; `None` before its first snapshot.
    #[must_use]
    pub fn book(&self, listing: ListingIndex, limit: usize) -> Option<BookSnapshot> {
        let public = &self.markets[listing].public;
        public.is_live().then(|| BookSnapshot {
            sequence: public.sequence(),
            bids: public.book_levels(Side::Bid).take(limit).collect(),
            asks: public.book_levels(Side::Ask).take(limit).collect(),
        })
    }

    /// The newest best bid and ask.
    #[must_use]
    pub fn best(&self, listing: ListingIndex) -> (Option<Level>, Option<Level>) {
        let public = &self.markets[listing].public;
        (public.best(Side::Bid), public.best(Side::Ask))
    }

    /// The price of the last trade; before the first, the mid.
    #[must_use]
    pub fn last_tick(&self, listing: ListingIndex) -> Option<Tick> {
        let mid = || self.reference_tick(listing).map(|doubled| Tick(doubled / 2));
        self.tapes[listing].last().map(|trade| trade.tick).or_else(mid)
    }

    /// Twice the mid, or twice the only side there is.
    pub(super) fn reference_tick(&self, listing: ListingIndex) -> Option<i64> {
        let public = &self.markets[listing].public;
        if !public.is_live() {
            return None;
        }
        match (public.best(Side::Bid), public.best(Side::Ask)) {
            (Some(bid), Some(ask)) => Some(bid.tick.0 + ask.tick.0),
            (Some(only), None) | (None, Some(only)) => Some(2 * only.tick.0),
            (None, None) => None,
        }
    }

    /// The mid times a position, as a value; the mid is kept doubled.
    pub(super) fn mark_value(&self, listing: ListingIndex, lots: i64) -> QuoteAtoms {
        let doubled = self.reference_tick(listing).unwrap_or(0);
        QuoteAtoms(i128::from(doubled) * i128::from(lots) * self.listings[listing].atoms_per_tick_lot / 2)
    }
}
