//! HOT: what a screen shows of one instrument, behind a sequence lock: the writer never waits, a reader tries again.

use core::sync::atomic::{AtomicU64, Ordering, fence};

use crate::limits::QUOTE_LEVELS_MAX;
use crate::types::{Level, Lots, Nanos, QuoteAtoms, Side, Tick};

/// One instrument at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScreenSnapshot {
    /// When it was written; zero: never.
    pub now: Nanos,
    /// Update id of the book.
    pub book_sequence: u64,
    /// Best bid of the book; zero lots if there is none.
    pub bid: Level,
    /// Best ask of the book; zero lots if there is none.
    pub ask: Level,
    /// Our open bids, in slot order; zero lots where there is none.
    pub quotes_bid: [Level; QUOTE_LEVELS_MAX],
    /// Our open asks, in slot order; zero lots where there is none.
    pub quotes_ask: [Level; QUOTE_LEVELS_MAX],
    /// Inventory beyond the neutral one.
    pub exposure: Lots,
    /// Profit, fees included.
    pub pnl: QuoteAtoms,
    /// Fees paid.
    pub fees: QuoteAtoms,
    /// Fills applied.
    pub fills: u64,
    /// Orders that may be alive.
    pub open_orders: u32,
    /// The trading state as a number, tightest last.
    pub trading_state: u8,
    /// Whether the book may be quoted on.
    pub quotable: bool,
}

const LEVELS: usize = 2 + 2 * QUOTE_LEVELS_MAX;
const WORDS: usize = 2 * LEVELS + 9;

impl ScreenSnapshot {
    /// Our open orders of a side.
    #[must_use]
    pub fn quotes(&self, side: Side) -> &[Level; QUOTE_LEVELS_MAX] {
        match side {
            Side::Bid => &self.quotes_bid,
            Side::Ask => &self.quotes_ask,
        }
    }

    fn to_words(self) -> [u64; WORDS] {
        let mut words = [0; WORDS];
        words[0] = self.now.0 as u64;
        words[1] = self.book_sequence;
        words[2] = self.exposure.0 as u64;
        words[3] = self.pnl.0 as u64;
        words[4] = (self.pnl.0 >> 64) as u64;
        words[5] = self.fees.0 as u64;
        words[6] = (self.fees.0 >> 64) as u64;
        words[7] = self.fills;
        words[8] = u64::from(self.open_orders) | u64::from(self.trading_state) << 32 | u64::from(self.quotable) << 40;
        let levels = [self.bid, self.ask].into_iter().chain(self.quotes_bid).chain(self.quotes_ask);
        for (pair, level) in words[9..].chunks_exact_mut(2).zip(levels) {
            pair[0] = level.tick.0 as u64;
            pair[1] = level.lots.0 as u64;
        }
        words
    }

    fn from_words(words: &[u64; WORDS]) -> ScreenSnapshot {
        let wide = |low: u64, high: u64| QuoteAtoms((i128::from(high as i64) << 64) | i128::from(low));
        let level =
            |index: usize| Level { tick: Tick(words[9 + 2 * index] as i64), lots: Lots(words[10 + 2 * index] as i64) };
        ScreenSnapshot {
            now: Nanos(words[0] as i64),
            book_sequence: words[1],
            bid: level(0),
            ask: level(1),
            quotes_bid: core::array::from_fn(|index| level(2 + index)),
            quotes_ask: core::array::from_fn(|index| level(2 + QUOTE_LEVELS_MAX + index)),
            exposure: Lots(words[2] as i64),
            pnl: wide(words[3], words[4]),
            fees: wide(words[5], words[6]),
            fills: words[7],
            open_orders: words[8] as u32,
            trading_state: (words[8] >> 32) as u8,
            quotable: (words[8] >> 40) & 1 == 1,
        }
    }
}

/// A snapshot that one thread writes and any thread reads, without a lock and without `unsafe`: the words
/// themselves are atomics, the sequence says whether they belong together.
#[derive(Debug)]
pub struct ScreenCell {
    /// Odd while a write is under way.
    sequence: AtomicU64,
    words: [AtomicU64; WORDS],
}

impl Default for ScreenCell {
    fn default() -> ScreenCell {
        ScreenCell { sequence: AtomicU64::new(0), words: [const { AtomicU64::new(0) }; WORDS] }
    }
}

impl ScreenCell {
    /// Writes; only the one writer may call it.
    pub fn publish(&self, snapshot: &ScreenSnapshot) {
        let sequence = self.sequence.load(Ordering::Relaxed);
        self.sequence.store(sequence.wrapping_add(1), Ordering::Relaxed);
        // The odd sequence must be seen before any new word.
        fence(Ordering::Release);
        for (word, value) in self.words.iter().zip(snapshot.to_words()) {
            word.store(value, Ordering::Relaxed);
        }
        self.sequence.store(sequence.wrapping_add(2), Ordering::Release);
    }

    /// Reads; `None` if a write was under way, so try again.
    #[must_use]
    pub fn read(&self) -> Option<ScreenSnapshot> {
        let before = self.sequence.load(Ordering::Acquire);
        if before & 1 == 1 {
            return None;
        }
        let words = core::array::from_fn(|index| self.words[index].load(Ordering::Relaxed));
        // No word may be read after the second look at the sequence.
        fence(Ordering::Acquire);
        (self.sequence.load(Ordering::Relaxed) == before).then(|| ScreenSnapshot::from_words(&words))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(seed: i64) -> ScreenSnapshot {
        let level = Level { tick: Tick(seed), lots: Lots(-seed) };
        ScreenSnapshot {
            now: Nanos(seed),
            book_sequence: seed as u64,
            bid: level,
            ask: level,
            quotes_bid: [level; QUOTE_LEVELS_MAX],
            quotes_ask: [level; QUOTE_LEVELS_MAX],
            exposure: Lots(-seed),
            pnl: QuoteAtoms(-i128::from(seed) << 70),
            fees: QuoteAtoms(i128::from(seed) << 3),
            fills: seed as u64,
            open_orders: seed as u32,
            trading_state: (seed % 4) as u8,
            quotable: seed % 2 == 1,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let cell = ScreenCell::default();
        assert_eq!(cell.read(), Some(ScreenSnapshot::default()));
        for seed in [1, 2, 77, 1_000_001] {
            cell.publish(&snapshot(seed));
            assert_eq!(cell.read(), Some(snapshot(seed)));
        }
    }

    #[test]
    fn a_reader_never_sees_half_a_write() {
        let cell = ScreenCell::default();
        cell.publish(&snapshot(1));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for seed in 1..20_000 {
                    cell.publish(&snapshot(seed));
                }
            });
            let mut seen = 0;
            while seen < 2_000 {
                if let Some(found) = cell.read() {
                    assert_eq!(found, snapshot(found.now.0));
                    seen += 1;
                }
            }
        });
    }
}
