//! HOT: what a strategy wants: a fixed number of quotes a side for each instrument, and nothing else.

use crate::intent::TimeInForce;
use crate::limits::QUOTE_LEVELS_MAX;
use crate::prefetch::prefetch;
use crate::types::{InstrumentId, InstrumentSettings, Lots, Side, Tick};

/// One wanted quote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quote {
    /// Price, a multiple of the instrument's order step.
    pub tick: Tick,
    /// The most aggressive price at which a working order may still stand for this quote, however large the refresh
    /// tolerance is: no bid above it, no ask below it.
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

    /// Takes out what does not bring `exposure` nearer to flat: one side whole, the other beyond the exposure.
    pub fn reduce(&mut self, exposure: Lots, instrument: &InstrumentSettings) {
        for side in Side::BOTH {
            let mut room = (i128::from(exposure.0) * -i128::from(side.sign())).max(0);
            let mut kept = 0;
            for index in 0..self.counts[side as usize] {
                let mut quote = self.quotes[side as usize][index];
                quote.lots = instrument.lots_floor(Lots(room.min(i128::from(quote.lots.0)) as i64));
                if quote.lots.0 > 0 && quote.lots >= instrument.lots_order_min {
                    room -= i128::from(quote.lots.0);
                    self.quotes[side as usize][kept] = quote;
                    kept += 1;
                }
            }
            self.counts[side as usize] = kept;
        }
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

/// The targets of all instruments. What a strategy rewrites is noted for the quoter; the rest stays as it was.
#[derive(Clone, Debug)]
pub struct Targets {
    quotes: Box<[Quotes]>,
    marked: Box<[bool]>,
    rewritten: Box<[InstrumentId]>,
    rewritten_count: usize,
}

impl Targets {
    /// Targets over memory that set-up gives: one entry an instrument in each.
    ///
    /// # Panics
    /// If the three differ in length, a bug of set-up.
    #[must_use]
    pub fn new(quotes: Box<[Quotes]>, marked: Box<[bool]>, rewritten: Box<[InstrumentId]>) -> Targets {
        assert!(quotes.len() == marked.len() && quotes.len() == rewritten.len(), "one entry an instrument");
        Targets { quotes, marked, rewritten, rewritten_count: 0 }
    }

    /// The quotes of an instrument, emptied, to be written anew.
    ///
    /// # Panics
    /// If the instrument is not one of the view's.
    #[inline]
    pub fn rewrite(&mut self, instrument: InstrumentId) -> &mut Quotes {
        let index = instrument.index();
        if !core::mem::replace(&mut self.marked[index], true) {
            self.rewritten[self.rewritten_count] = instrument;
            self.rewritten_count += 1;
        }
        let quotes = &mut self.quotes[index];
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

    /// Asks for what is written for an instrument ([`crate::prefetch`]).
    pub(crate) fn warm(&self, instrument: InstrumentId) {
        prefetch(&self.quotes[instrument.index()]);
        prefetch(&self.marked[instrument.index()]);
        prefetch(&self.rewritten[..1]);
    }

    /// An instrument rewritten since it was last taken, the latest first.
    #[inline]
    pub fn take_rewritten(&mut self) -> Option<InstrumentId> {
        self.rewritten_count = self.rewritten_count.checked_sub(1)?;
        let instrument = self.rewritten[self.rewritten_count];
        self.marked[instrument.index()] = false;
        Some(instrument)
    }
}
