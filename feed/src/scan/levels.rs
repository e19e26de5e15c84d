//! HOT: the levels of one message in fixed space.

use spinbook_engine::limits::LEVELS_PER_MESSAGE_MAX;
use spinbook_engine::prefetch::prefetch;
use spinbook_engine::types::{Level, Side};

/// Places of a side that are kept warm while nothing comes: most messages have no more levels.
const WARM_LEVELS: usize = 24;

/// Levels of the message in hand: fixed space, filled from the front.
#[derive(Debug)]
pub struct LevelScratch {
    bids: Box<[Level]>,
    asks: Box<[Level]>,
    bid_count: usize,
    ask_count: usize,
}

impl LevelScratch {
    /// Space for [`LEVELS_PER_MESSAGE_MAX`] levels a side (set-up).
    #[must_use]
    pub fn new() -> LevelScratch {
        LevelScratch {
            bids: vec![Level::default(); LEVELS_PER_MESSAGE_MAX].into_boxed_slice(),
            asks: vec![Level::default(); LEVELS_PER_MESSAGE_MAX].into_boxed_slice(),
            bid_count: 0,
            ask_count: 0,
        }
    }

    /// Asks for the first places of both sides.
    pub(crate) fn warm(&self) {
        prefetch(&self.bids[..WARM_LEVELS]);
        prefetch(&self.asks[..WARM_LEVELS]);
    }

    /// Forgets all levels.
    #[inline]
    pub fn clear(&mut self) {
        self.bid_count = 0;
        self.ask_count = 0;
    }

    /// Appends a level; false if the side is full.
    #[inline]
    #[must_use]
    pub fn append(&mut self, side: Side, level: Level) -> bool {
        let (levels, count) = match side {
            Side::Bid => (&mut self.bids, &mut self.bid_count),
            Side::Ask => (&mut self.asks, &mut self.ask_count),
        };
        let Some(slot) = levels.get_mut(*count) else {
            return false;
        };
        *slot = level;
        *count += 1;
        true
    }

    /// A best bid and ask; a side without quantity is empty.
    #[inline]
    pub(crate) fn set_best(&mut self, [bid, ask]: [Level; 2]) {
        (self.bids[0], self.asks[0]) = (bid, ask);
        self.bid_count = usize::from(!bid.lots.is_zero());
        self.ask_count = usize::from(!ask.lots.is_zero());
    }

    /// A trade's price and quantity, which are no level: both sides stay empty.
    #[inline]
    pub(crate) fn set_trade(&mut self, level: Level) {
        self.bids[0] = level;
    }

    /// What [`LevelScratch::set_trade`] was given last.
    #[inline]
    pub(crate) fn trade(&self) -> Level {
        self.bids[0]
    }

    /// Bids in the order of the message.
    #[inline]
    #[must_use]
    pub fn bids(&self) -> &[Level] {
        &self.bids[..self.bid_count]
    }

    /// Asks in the order of the message.
    #[inline]
    #[must_use]
    pub fn asks(&self) -> &[Level] {
        &self.asks[..self.ask_count]
    }

    /// One side's whole space, to fill from the front, then [`LevelScratch::set_count`].
    #[inline]
    pub(crate) fn space(&mut self, side: Side) -> &mut [Level] {
        match side {
            Side::Bid => &mut self.bids,
            Side::Ask => &mut self.asks,
        }
    }

    /// Says how many levels of a side's space are filled.
    #[inline]
    pub(crate) fn set_count(&mut self, side: Side, count: usize) {
        match side {
            Side::Bid => self.bid_count = count.min(self.bids.len()),
            Side::Ask => self.ask_count = count.min(self.asks.len()),
        }
    }
}

impl Default for LevelScratch {
    fn default() -> Self {
        LevelScratch::new()
    }
}
