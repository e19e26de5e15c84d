//! HOT: what a strategy may see: every market, position and working quantity, read only.

use crate::book::Book;
use crate::limits::QUOTE_LEVELS_MAX;
use crate::market::{Best, Market};
use crate::position::Position;
use crate::touch::Touch;
use crate::types::{InstrumentId, InstrumentSettings, Level, Lots, Nanos, Side};
use crate::working::Working;

/// Everything a strategy may look at: arrays by instrument id, which the engine keeps.
#[derive(Debug)]
pub struct StrategyInputs {
    /// Steps, minimums, fees.
    pub instruments: Box<[InstrumentSettings]>,
    /// Books and touches.
    pub markets: Box<[Market]>,
    /// Inventory, cash, fees and profit.
    pub positions: Box<[Position]>,
    /// Our orders, as the engine believes them.
    pub working: Box<[Working]>,
    /// Whose book is Live, two-sided, uncrossed and fresh.
    pub quotable: Box<[bool]>,
    /// How far the quoters let an order's price stray from its target, in millionths of the price.
    pub tolerances_millionths: Box<[i64]>,
}

/// What a strategy sees on one turn.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    inputs: &'a StrategyInputs,
    now: Nanos,
}

impl<'a> View<'a> {
    /// A view at a time.
    #[inline]
    #[must_use]
    pub fn new(inputs: &'a StrategyInputs, now: Nanos) -> View<'a> {
        View { inputs, now }
    }

    /// The time of this turn.
    #[inline]
    #[must_use]
    pub fn now(&self) -> Nanos {
        self.now
    }

    /// How many instruments there are: ids are `0..count`.
    #[inline]
    #[must_use]
    pub fn instrument_count(&self) -> usize {
        self.inputs.instruments.len()
    }

    /// Steps, minimums and fees.
    #[inline]
    #[must_use]
    pub fn instrument(&self, id: InstrumentId) -> &'a InstrumentSettings {
        &self.inputs.instruments[id.index()]
    }

    /// The book, also when it is not Live.
    #[inline]
    #[must_use]
    pub fn book(&self, id: InstrumentId) -> &'a Book {
        self.inputs.markets[id.index()].book()
    }

    /// The venue's own newest best bid and ask.
    #[inline]
    #[must_use]
    pub fn touch(&self, id: InstrumentId) -> Option<&'a Touch> {
        self.inputs.markets[id.index()].touch()
    }

    /// Whether the book is Live and not too old.
    #[inline]
    #[must_use]
    pub fn is_quotable(&self, id: InstrumentId) -> bool {
        self.inputs.quotable[id.index()]
    }

    /// Best bid and ask to decide on; `None` if the market must not be quoted on (see [`Market::best`]) or is too old.
    #[inline]
    #[must_use]
    pub fn best(&self, id: InstrumentId) -> Option<Best> {
        if !self.is_quotable(id) {
            return None;
        }
        self.inputs.markets[id.index()].best()
    }

    /// Position, cash, fees and profit.
    #[inline]
    #[must_use]
    pub fn position(&self, id: InstrumentId) -> &'a Position {
        &self.inputs.positions[id.index()]
    }

    /// Our orders as the engine believes them.
    #[inline]
    #[must_use]
    pub fn working(&self, id: InstrumentId) -> &'a Working {
        &self.inputs.working[id.index()]
    }

    /// Quantity of the best `levels` levels a side, bid then ask; net of our own resting orders if asked for (a live
    /// venue's depth includes them, a recording's does not).
    #[inline(always)]
    #[must_use]
    pub fn imbalance(&self, id: InstrumentId, levels: usize, net_of_own: bool) -> (i128, i128) {
        let book = self.book(id);
        if !net_of_own {
            return book.imbalance(levels);
        }
        let mut bids = [Level::default(); QUOTE_LEVELS_MAX];
        let mut asks = [Level::default(); QUOTE_LEVELS_MAX];
        let bid_count = self.working(id).own_levels(Side::Bid, &mut bids);
        let ask_count = self.working(id).own_levels(Side::Ask, &mut asks);
        book.imbalance_net(levels, &bids[..bid_count], &asks[..ask_count])
    }

    /// How far a working order may stray from its target before it is replaced, in millionths of the price.
    #[inline]
    #[must_use]
    pub fn refresh_tolerance_millionths(&self, id: InstrumentId) -> i64 {
        self.inputs.tolerances_millionths[id.index()]
    }

    /// Exposure, signed: what skews quotes.
    #[inline]
    #[must_use]
    pub fn exposure(&self, id: InstrumentId) -> Lots {
        self.position(id).exposure()
    }
}
