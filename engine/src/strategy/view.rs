//! HOT: what a strategy may see: every market, position and working quantity, read only.

use crate::book::Book;
use crate::limits::QUOTE_LEVELS_MAX;
use crate::market::Market;
use crate::position::Position;
use crate::touch::Touch;
use crate::types::{InstrumentId, InstrumentSettings, Level, Lots, Nanos, Side, Tick};
use crate::working::Working;

/// Best bid and ask of a market that may be quoted on: both there, bid below ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Best {
    /// The best bid.
    pub bid: Tick,
    /// The best ask.
    pub ask: Tick,
    /// The highest bid either source shows: a post-only ask stays above it.
    pub bid_outer: Tick,
    /// The lowest ask either source shows: a post-only bid stays below it.
    pub ask_outer: Tick,
}

impl Best {
    /// Bid plus ask: twice the mid, exact.
    #[inline]
    #[must_use]
    pub fn mid_doubled(&self) -> i128 {
        i128::from(self.bid.0) + i128::from(self.ask.0)
    }
}

/// The best bid and ask to decide on: the newer of the book and the venue's own best bid/ask, by update id.
/// `None` if the market must not be quoted on: not Live, one-sided, locked or crossed.
#[inline]
#[must_use]
pub fn best_of(market: &Market) -> Option<Best> {
    if !market.is_quotable() {
        return None;
    }
    let book = market.book();
    let (book_bid, book_ask) = (book.best_bid()?.tick, book.best_ask()?.tick);
    let reference = market.reference()?;
    let (bid, ask) = (reference.bid?.tick, reference.ask?.tick);
    if bid.0 <= 0 {
        return None;
    }
    Some(Best { bid, ask, bid_outer: bid.max(book_bid), ask_outer: ask.min(book_ask) })
}

/// Everything a strategy may look at, on one turn.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    instruments: &'a [InstrumentSettings],
    markets: &'a [Market],
    positions: &'a [Position],
    working: &'a [Working],
    quotable: &'a [bool],
    tolerances_millionths: &'a [i64],
    now: Nanos,
}

impl<'a> View<'a> {
    /// A view over parallel arrays by instrument id; `quotable` says whose book is Live and fresh, `tolerances` how
    /// far the quoter lets an order stray from its target.
    #[inline]
    #[must_use]
    pub fn new(
        instruments: &'a [InstrumentSettings],
        markets: &'a [Market],
        positions: &'a [Position],
        working: &'a [Working],
        quotable: &'a [bool],
        tolerances_millionths: &'a [i64],
        now: Nanos,
    ) -> View<'a> {
        View { instruments, markets, positions, working, quotable, tolerances_millionths, now }
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
        self.instruments.len()
    }

    /// Steps, minimums and fees.
    #[inline]
    #[must_use]
    pub fn instrument(&self, id: InstrumentId) -> &'a InstrumentSettings {
        &self.instruments[id.index()]
    }

    /// The book, whatever its state.
    #[inline]
    #[must_use]
    pub fn book(&self, id: InstrumentId) -> &'a Book {
        self.markets[id.index()].book()
    }

    /// The venue's own newest best bid and ask.
    #[inline]
    #[must_use]
    pub fn touch(&self, id: InstrumentId) -> Option<&'a Touch> {
        self.markets[id.index()].touch()
    }

    /// Whether the book is Live and not too old.
    #[inline]
    #[must_use]
    pub fn is_quotable(&self, id: InstrumentId) -> bool {
        self.quotable[id.index()]
    }

    /// Best bid and ask to decide on; `None` if the market must not be quoted on (see [`best_of`]) or is too old.
    #[inline]
    #[must_use]
    pub fn best(&self, id: InstrumentId) -> Option<Best> {
        if !self.is_quotable(id) {
            return None;
        }
        best_of(&self.markets[id.index()])
    }

    /// Position, cash, fees and profit.
    #[inline]
    #[must_use]
    pub fn position(&self, id: InstrumentId) -> &'a Position {
        &self.positions[id.index()]
    }

    /// Our orders as the engine believes them.
    #[inline]
    #[must_use]
    pub fn working(&self, id: InstrumentId) -> &'a Working {
        &self.working[id.index()]
    }

    /// Quantity of the best `levels` levels a side, bid then ask; net of our own resting orders if asked for (a live
    /// venue's depth includes them, a recording's does not).
    #[inline]
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
        self.tolerances_millionths[id.index()]
    }

    /// Exposure, signed: what skews quotes.
    #[inline]
    #[must_use]
    pub fn exposure(&self, id: InstrumentId) -> Lots {
        self.position(id).exposure()
    }
}
