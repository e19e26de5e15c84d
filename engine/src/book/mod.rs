//! HOT: the exact order book of one instrument, in integer ticks and lots.
//!
//! Each side is a window of ticks around its best level as a plain array with a byte for each that is occupied (`ladder.rs`,
//! `occupancy.rs`) and a table for every level outside it (`outer.rs`). No level the venue sent is ever
//! dropped: when the outer store is full the book says so and stops being Live.

mod addresses;
mod check;
mod key;
mod ladder;
mod measure;
mod occupancy;
mod outer;
mod state;
mod top;

pub(crate) use ladder::Ladder;
pub use measure::Ratio;
pub(crate) use occupancy::Occupancy;
pub(crate) use outer::{OuterLevels, OuterSlot, places_for, slots_for};
pub use state::{BookFault, BookState, Horizon, TICK_MAX};

use crate::event::LostReason;
use crate::types::{Level, Lots, Side, Tick};
use key::{KEY_NONE, key_of, level_of};
use ladder::LadderLevels;

/// One instrument's book.
#[derive(Debug)]
pub struct Book {
    bids: Ladder,
    asks: Ladder,
    sequence: u64,
    state: BookState,
    horizon: Horizon,
}

impl Book {
    /// An empty book over storage that set-up allocated.
    pub(crate) fn new(bids: Ladder, asks: Ladder) -> Book {
        Book { bids, asks, sequence: 0, state: BookState::Empty, horizon: Horizon::NOTHING }
    }

    /// Replaces the whole book by a snapshot; the book is Live from here on.
    ///
    /// Of levels listed twice the last one counts; a zero quantity is no level.
    ///
    /// # Errors
    /// [`BookFault::Price`], [`BookFault::Quantity`] before anything is touched, [`BookFault::OuterFull`] with an
    /// incomplete book; the book is Lost then.
    pub fn replace(&mut self, sequence: u64, bids: &[Level], asks: &[Level]) -> Result<(), BookFault> {
        self.judge(bids, asks)?;
        self.bids.clear(best_key(Side::Bid, bids));
        self.asks.clear(best_key(Side::Ask, asks));
        self.horizon = Horizon {
            bid_low: bids.iter().map(|level| level.tick).min().unwrap_or(Horizon::NOTHING.bid_low),
            ask_high: asks.iter().map(|level| level.tick).max().unwrap_or(Horizon::NOTHING.ask_high),
        };
        self.state = BookState::Live;
        self.write(sequence, bids, asks)
    }

    /// Applies absolute quantities of changed levels, next in the venue's sequence.
    ///
    /// Zero deletes, deleting what is not there is nothing, and of levels listed twice the last one counts.
    ///
    /// # Errors
    /// [`BookFault::NotLive`] for a book that is not Live; otherwise as [`Book::replace`], after which the book
    /// is Lost.
    #[inline]
    pub fn apply(&mut self, sequence: u64, bids: &[Level], asks: &[Level]) -> Result<(), BookFault> {
        if self.state != BookState::Live {
            return Err(BookFault::NotLive);
        }
        self.judge(bids, asks)?;
        self.write(sequence, bids, asks)
    }

    /// Refuses a message with a level that no book can hold, before anything is applied.
    #[inline]
    fn judge(&mut self, bids: &[Level], asks: &[Level]) -> Result<(), BookFault> {
        let bits = Bits::default().with_all(bids).with_all(asks);
        if bits.ticks as u64 <= TICK_MAX.0 as u64 && bits.lots >= 0 {
            return Ok(());
        }
        self.refuse(bids, asks)
    }

    #[cold]
    fn refuse(&mut self, bids: &[Level], asks: &[Level]) -> Result<(), BookFault> {
        let price = bids.iter().chain(asks).any(|level| level.tick.0 < 0 || level.tick > TICK_MAX);
        let fault = if price { BookFault::Price } else { BookFault::Quantity };
        self.set_lost(fault.lost_reason());
        Err(fault)
    }

    #[inline]
    fn write(&mut self, sequence: u64, bids: &[Level], asks: &[Level]) -> Result<(), BookFault> {
        let mut kept = self.bids.write(bids.iter().map(|level| (key_of(Side::Bid, level.tick), level.lots.0)));
        kept &= self.asks.write(asks.iter().map(|level| (key_of(Side::Ask, level.tick), level.lots.0)));
        self.sequence = sequence;
        if kept {
            return Ok(());
        }
        self.set_lost(LostReason::OuterFull);
        Err(BookFault::OuterFull)
    }

    /// Forgets everything: no level, no horizon, no sequence, [`BookState::Empty`].
    pub fn clear(&mut self) {
        self.bids.clear(KEY_NONE);
        self.asks.clear(KEY_NONE);
        self.sequence = 0;
        self.state = BookState::Empty;
        self.horizon = Horizon::NOTHING;
    }

    /// Gives the book up until the next snapshot. Its levels stay readable as what was last known.
    pub fn set_lost(&mut self, reason: LostReason) {
        self.state = BookState::Lost(reason);
    }

    /// Update id of the last message applied.
    #[inline]
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Whether the book can be trusted.
    #[inline]
    #[must_use]
    pub fn state(&self) -> BookState {
        self.state
    }

    /// Whether the book can be trusted, in one word.
    #[inline]
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.state == BookState::Live
    }

    /// The highest bid; none if the side is empty.
    #[inline]
    #[must_use]
    pub fn best_bid(&self) -> Option<Level> {
        self.best(Side::Bid)
    }

    /// The lowest ask; none if the side is empty.
    #[inline]
    #[must_use]
    pub fn best_ask(&self) -> Option<Level> {
        self.best(Side::Ask)
    }

    /// The best level of a side; none if the side is empty.
    #[inline]
    #[must_use]
    pub fn best(&self, side: Side) -> Option<Level> {
        self.ladder(side).best().map(|level| level_of(side, level))
    }

    /// Whether a bid is priced above an ask. Equal prices are locked, not crossed.
    #[inline]
    #[must_use]
    pub fn is_crossed(&self) -> bool {
        matches!((self.best_bid(), self.best_ask()), (Some(bid), Some(ask)) if bid.tick > ask.tick)
    }

    /// The quantity at a price; zero if there is no level (see [`Book::horizon`] for what that means).
    #[inline]
    #[must_use]
    pub fn lots_at(&self, side: Side, tick: Tick) -> Lots {
        Lots(self.ladder(side).lots_at(key_of(side, tick)))
    }

    /// Every level of a side, from the best outward.
    #[inline]
    #[must_use]
    pub fn levels(&self, side: Side) -> Levels<'_> {
        Levels { inner: self.ladder(side).levels(), side }
    }

    /// How many levels a side holds.
    #[must_use]
    pub fn level_count(&self, side: Side) -> usize {
        self.ladder(side).level_count()
    }

    /// How many of a side's levels lie outside its window.
    #[must_use]
    pub fn outer_level_count(&self, side: Side) -> usize {
        self.ladder(side).outer_count()
    }

    /// How many levels a side may hold outside its window.
    #[must_use]
    pub fn outer_level_capacity(&self) -> usize {
        self.bids.outer_capacity()
    }

    /// How far the last snapshot reached.
    #[inline]
    #[must_use]
    pub fn horizon(&self) -> Horizon {
        self.horizon
    }

    /// Memory the book takes, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        size_of::<Book>() + self.bids.memory_bytes() + self.asks.memory_bytes()
    }

    /// Asks for the lines that the next message most likely needs ([`crate::prefetch`]).
    pub fn warm(&self) {
        self.bids.warm();
        self.asks.warm();
    }

    /// Where the book's storage lies, as addresses, both sides: for the set-up that chooses its pages. Valid as long as
    /// the book lives, also after it was moved.
    pub fn address_ranges(&self) -> impl Iterator<Item = core::ops::Range<usize>> {
        self.bids.address_ranges().into_iter().chain(self.asks.address_ranges())
    }

    #[inline]
    const fn ladder(&self, side: Side) -> &Ladder {
        match side {
            Side::Bid => &self.bids,
            Side::Ask => &self.asks,
        }
    }
}

/// Every bit that any tick and any quantity of a list has set: enough to tell whether one is out of range, as
/// both ranges end below a power of two.
#[derive(Clone, Copy, Default)]
struct Bits {
    ticks: i64,
    lots: i64,
}

/// Levels whose bits are collected in one step.
const STEP: usize = 8;

impl Bits {
    #[inline]
    const fn with(self, level: Level) -> Bits {
        Bits { ticks: self.ticks | level.tick.0, lots: self.lots | level.lots.0 }
    }

    #[inline]
    fn with_all(self, levels: &[Level]) -> Bits {
        let (steps, rest) = levels.as_chunks::<STEP>();
        let mut bits = steps.iter().flatten().fold(self, |bits, &level| bits.with(level));
        // The rest is filled up to a whole step with its last level: a loop whose length varies would mispredict.
        if let Some(last) = rest.len().checked_sub(1) {
            for index in 0..STEP {
                bits = bits.with(rest[index.min(last)]);
            }
        }
        bits
    }
}

/// Key of the best level that a list leaves on an empty side, if none is listed twice; `KEY_NONE` if there is none.
fn best_key(side: Side, levels: &[Level]) -> i64 {
    let held = levels.iter().filter(|level| !level.lots.is_zero());
    held.map(|level| key_of(side, level.tick)).min().unwrap_or(KEY_NONE)
}

/// Iterator over one side of a book, from the best level outward.
#[derive(Clone, Debug)]
pub struct Levels<'a> {
    inner: LadderLevels<'a>,
    side: Side,
}

impl Iterator for Levels<'_> {
    type Item = Level;

    #[inline]
    fn next(&mut self) -> Option<Level> {
        self.inner.next().map(|level| level_of(self.side, level))
    }
}
