//! HOT: what a strategy wants: a fixed number of quotes a side for each instrument, and nothing else.

use crate::intent::TimeInForce;
use crate::limits::QUOTE_LEVELS_MAX;
use crate::types::{InstrumentId, Lots, Side, Tick};

/// One wanted quote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quote {
    /// Price, a multiple of the instrument's order step.
    pub tick: Tick,
    /// The most aggressive price at which a working order may still stand for this quote, whatever the refresh
    /// tolerance says: no bid above it, no ask below it.
    pub tick_limit: Tick,
    /// Quantity, a multiple of the instrument's order step.
    pub lots: Lots,
    /// How long the order may live.
    pub time_in_force: TimeInForce,
}

/// The wanted quotes of one instrument, the best of each side first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotes {
    quotes: [[Quote; QUOTE_LEVELS_MAX]; 2],
    counts: [usize; 2],
}

impl Default for Quotes {
    fn default() -> Quotes {
        Quotes::NONE
    }
}

impl Quotes {
    /// No quote at all: everything that works is cancelled.
    pub const NONE: Quotes = Quotes {
        quotes: [[Quote { tick: Tick(0), tick_limit: Tick(0), lots: Lots(0), time_in_force: TimeInForce::PostOnly };
            QUOTE_LEVELS_MAX]; 2],
        counts: [0; 2],
    };

    /// Wants nothing any more.
    #[inline]
    pub fn clear(&mut self) {
        self.counts = [0; 2];
    }

    /// Adds the next quote of a side, outward; false (and nothing added) if the side is full.
    #[inline]
    pub fn add(&mut self, side: Side, quote: Quote) -> bool {
        let count = &mut self.counts[side as usize];
        if *count == QUOTE_LEVELS_MAX {
            return false;
        }
        self.quotes[side as usize][*count] = quote;
        *count += 1;
        true
    }

    /// The quotes of a side, best first.
    #[inline]
    #[must_use]
    pub fn side(&self, side: Side) -> &[Quote] {
        &self.quotes[side as usize][..self.counts[side as usize]]
    }

    /// Whether nothing is wanted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts == [0; 2]
    }

    /// How many quotes here are new or differ from `before`.
    #[must_use]
    pub fn changes_from(&self, before: &Quotes) -> u64 {
        let mut changes = 0;
        for side in Side::BOTH {
            let old = before.side(side);
            for (level, quote) in self.side(side).iter().enumerate() {
                changes += u64::from(old.get(level) != Some(quote));
            }
        }
        changes
    }
}

/// The targets of all instruments. What a strategy rewrites is marked and looked at by the quoter; the rest
/// stays as it was.
#[derive(Clone, Debug)]
pub struct Targets {
    quotes: Box<[Quotes]>,
    changed: Box<[bool]>,
}

impl Targets {
    /// Targets of as many instruments as set-up gives memory for.
    ///
    /// # Panics
    /// If the two differ in length, a bug of set-up.
    #[must_use]
    pub fn new(quotes: Box<[Quotes]>, changed: Box<[bool]>) -> Targets {
        assert_eq!(quotes.len(), changed.len(), "one mark an instrument");
        Targets { quotes, changed }
    }

    /// The quotes of an instrument, emptied, to be written anew.
    ///
    /// # Panics
    /// If the instrument is not one of the view's.
    #[inline]
    pub fn rewrite(&mut self, instrument: InstrumentId) -> &mut Quotes {
        self.changed[instrument.index()] = true;
        let quotes = &mut self.quotes[instrument.index()];
        quotes.clear();
        quotes
    }

    /// The quotes of an instrument as last written.
    ///
    /// # Panics
    /// If the instrument is not one of the view's.
    #[inline]
    #[must_use]
    pub fn quotes(&self, instrument: InstrumentId) -> &Quotes {
        &self.quotes[instrument.index()]
    }

    /// Whether the instrument was rewritten since the last call, which forgets it.
    #[inline]
    pub fn take_changed(&mut self, instrument: InstrumentId) -> bool {
        core::mem::take(&mut self.changed[instrument.index()])
    }
}
