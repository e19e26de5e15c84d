//! COLD: the simulated world's public market: what others display and trade, and what of ours that fills.

use super::World;
use crate::sim::api::{BookSnapshot, ListingIndex, TradePrint};
use crate::sim::candle_history::{MarketBeginning, minutes_before};
use crate::sim::matching::MatchStep;
use crate::sim::queue::PublicTouch;
use crate::sim::served::{ServedIds, TradeIds};
use crate::sim::shown::ShownLots;
use crate::sim::tape::{Tape, TapeTrade};
use spinbook_engine::types::{Level, Lots, Nanos, QUOTE_ATOMS_PER_UNIT, QuoteAtoms, Side, Tick};

impl World {
    /// Replaces the displayed book.
    pub fn seed(&mut self, listing: ListingIndex, sequence: u64, bids: &[Level], asks: &[Level], now: Nanos) {
        let mut steps: Vec<MatchStep> = Vec::new();
        self.markets[listing].seed(sequence, bids, asks, now, &mut steps);
        self.served[listing].snapshot(sequence);
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

    /// A trade of others; may fill resting orders, never more than its quantity. Gives back what of it was ours.
    pub fn trade(&mut self, listing: ListingIndex, aggressor: Side, tick: Tick, lots: Lots, now: Nanos) -> Lots {
        let mut steps: Vec<MatchStep> = Vec::new();
        self.markets[listing].trade(aggressor, tick, lots, &mut steps);
        self.book_steps(listing, None, &steps, now);
        self.trigger_waiting(listing, tick, now);
        let ours = steps.iter().map(|step| if let MatchStep::Maker { lots, .. } = step { lots.0 } else { 0 });
        Lots(ours.sum())
    }

    /// Notes a trade of the market on its tape.
    pub fn note_trade(&mut self, listing: ListingIndex, id: u64, aggressor: Side, level: Level, now: Nanos) {
        let value = self.listings[listing].value(level.tick, level.lots);
        if let Some(seed) = self.past_seed.filter(|_| self.tapes[listing].is_empty()) {
            self.begin_tape(listing, seed, id, level.tick, now);
        }
        self.tapes[listing].print(TapeTrade { id, tick: level.tick, lots: level.lots, value, aggressor, at: now });
    }

    /// Has something been traded before the market began, as `seed` has it.
    pub fn make_up_past(&mut self, seed: u64) {
        self.past_seed = Some(seed);
    }

    fn begin_tape(&mut self, listing: ListingIndex, seed: u64, trade_id: u64, tick: Tick, now: Nanos) {
        let of = &self.listings[listing];
        // A usual trade is worth about a thousand of the quote asset.
        let lot_value = of.value(tick, Lots(1)).0.max(1);
        let lots = i64::try_from(1_000 * QUOTE_ATOMS_PER_UNIT / lot_value).unwrap_or(i64::MAX).max(1);
        let step = of.order_step_lots.max(1);
        let begins = MarketBeginning {
            seed: seed ^ (listing as u64) << 32,
            at_ms: now.millis(),
            trade_id,
            tick,
            tick_step: of.tick_step,
            lots: Lots((lots / step).max(1) * step),
        };
        let minutes = minutes_before(&begins, |tick, lots| of.value(tick, lots));
        self.tapes[listing].begin_with(minutes);
    }

    /// What was traded.
    #[must_use]
    pub fn tape(&self, listing: ListingIndex) -> &Tape {
        &self.tapes[listing]
    }

    /// The market's own number of the last depth message or snapshot; zero before the first.
    #[must_use]
    pub fn depth_sequence(&self, listing: ListingIndex) -> u64 {
        self.markets[listing].public.sequence()
    }

    /// Whether anything of ours is on a listing's book or was taken out of it.
    #[must_use]
    pub fn is_touched(&self, listing: ListingIndex) -> bool {
        !self.markets[listing].is_untouched()
    }

    /// The numbers under which a listing's market is served.
    pub fn served(&mut self, listing: ListingIndex) -> &mut ServedIds {
        &mut self.served[listing]
    }

    /// The numbers of a listing's trades.
    pub fn trade_ids(&mut self, listing: ListingIndex) -> &mut TradeIds {
        &mut self.trade_ids[listing]
    }

    /// Serves the market as it is, without anything of ours in it: a recording byte for byte.
    pub fn hide_own(&mut self) {
        self.shows_own = false;
    }

    /// Whether our orders and trades are part of the market that is served.
    #[must_use]
    pub fn shows_own(&self) -> bool {
        self.shows_own
    }

    /// The next trade of one of our orders that is to be printed.
    pub fn poll_print(&mut self) -> Option<TradePrint> {
        self.prints.pop_front()
    }

    /// What changed of what is shown since this was asked last, lots at each price; empty if nothing of ours is in it.
    pub fn take_differences(&mut self, listing: ListingIndex) -> [Vec<Level>; 2] {
        if !self.shows_own {
            return [Vec::new(), Vec::new()];
        }
        let (market, kept) = (&self.markets[listing], &mut self.shown[listing]);
        if market.is_untouched() && kept.iter().all(ShownLots::is_empty) {
            return [Vec::new(), Vec::new()];
        }
        Side::BOTH.map(|side| {
            let new = market.difference(side);
            let old = std::mem::replace(&mut kept[side as usize], new);
            let new = &kept[side as usize];
            let changed = new.iter().filter(|(tick, lots)| old.get(tick) != Some(lots));
            let mut levels: Vec<Level> =
                changed.map(|(tick, lots)| Level { tick: Tick(*tick), lots: Lots(*lots) }).collect();
            let ended = old.keys().filter(|tick| !new.contains_key(tick)).map(|tick| Tick(*tick));
            levels.extend(ended.map(|tick| Level { tick, lots: market.public.depth_at(side, tick) }));
            levels
        })
    }

    /// What is shown at a price of the depth, as of [`World::take_differences`].
    #[must_use]
    pub fn shown_at(&self, listing: ListingIndex, side: Side, level: Level) -> Level {
        let lots = self.shown[listing][side as usize].get(&level.tick.0);
        Level { lots: lots.map_or(level.lots, |lots| Lots(*lots)), ..level }
    }

    /// The displayed book with our orders in it, `limit` levels a side; `None` before its first snapshot.
    #[must_use]
    pub fn book(&self, listing: ListingIndex, limit: usize) -> Option<BookSnapshot> {
        let market = &self.markets[listing];
        let public = &market.public;
        if !public.is_live() {
            return None;
        }
        if !self.shows_own {
            return Some(BookSnapshot {
                sequence: public.sequence(),
                bids: public.book_levels(Side::Bid).take(limit).collect(),
                asks: public.book_levels(Side::Ask).take(limit).collect(),
            });
        }
        Some(BookSnapshot {
            sequence: self.served[listing].depth(),
            bids: market.shown_levels(Side::Bid, limit),
            asks: market.shown_levels(Side::Ask, limit),
        })
    }

    /// The newest best bid and ask, ours included.
    #[must_use]
    pub fn best(&self, listing: ListingIndex) -> (Option<Level>, Option<Level>) {
        let market = &self.markets[listing];
        if self.shows_own {
            return (market.shown_best(Side::Bid), market.shown_best(Side::Ask));
        }
        (market.public.best(Side::Bid), market.public.best(Side::Ask))
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
