//! HOT: telemetry: a snapshot of one instrument behind a sequence lock: the writer never waits, a reader tries again.

use core::sync::atomic::{AtomicU64, Ordering, fence};

use crate::book::BookState;
use crate::event::LostReason;
use crate::limits::{QUOTE_LEVELS_MAX, SLOTS};
use crate::risk::{DayResult, StopCause, TradingState};
use crate::types::{Level, Lots, Nanos, QuoteAtoms, Side, Tick};
use crate::unquoted::Unquoted;
use crate::working::WorkingStatus;

/// Levels a side of a snapshot.
pub const TELEMETRY_LEVELS: usize = 10;

/// One of our orders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TelemetryOrder {
    /// Price and quantity ordered; zero lots if the slot is empty.
    pub level: Level,
    /// Filled so far, in lots.
    pub filled: Lots,
    /// Where it stands.
    pub status: WorkingStatus,
}

/// A trade of the market, or a fill of ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TelemetryTrade {
    /// Price and quantity; zero lots if there was none yet.
    pub level: Level,
    /// Who took, or which side of ours was filled.
    pub side: Side,
}

/// What became of every order of a run up to one moment. Each that was sent is counted in exactly one of `filled`,
/// `canceled`, `expired`, `rejected`, `unknown` and `open`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrderAccount {
    /// Handed over to be sent, but for those that were then refused here.
    pub sent: u64,
    /// Accepted by the venue, however they ended.
    pub accepted: u64,
    /// Ended filled whole.
    pub filled: u64,
    /// Ended by a cancel, partly filled or not.
    pub canceled: u64,
    /// Ended by the venue itself.
    pub expired: u64,
    /// Refused by the venue.
    pub rejected: u64,
    /// Whose outcome is not known.
    pub unknown: u64,
    /// On their way, at the venue, or on their way out.
    pub open: u64,
    /// Refused by the gateway without asking the venue, so never sent.
    pub refused_here: u64,
    /// Executions that moved a position.
    pub fills: u64,
}

impl OrderAccount {
    /// Whether every order is in exactly one place.
    #[must_use]
    pub fn adds_up(&self) -> bool {
        self.sent == self.filled + self.canceled + self.expired + self.rejected + self.unknown + self.open
    }

    const fn words(&self) -> [u64; 10] {
        [
            self.sent,
            self.accepted,
            self.filled,
            self.canceled,
            self.expired,
            self.rejected,
            self.unknown,
            self.open,
            self.refused_here,
            self.fills,
        ]
    }
}

/// One instrument at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TelemetrySnapshot {
    /// When it was written; zero: never.
    pub now: Nanos,
    /// Update id of the book.
    pub book_sequence: u64,
    /// When the last depth message was received; zero: never.
    pub depth_received: Nanos,
    /// Whether the book can be trusted.
    pub book_state: BookState,
    /// Whether the book may be quoted on.
    pub quotable: bool,
    /// What may be sent.
    pub trading_state: TradingState,
    /// Why it is no more than that.
    pub stop_cause: StopCause,
    /// What was earned today in the instrument's quote asset, by all instruments of it, earlier runs included.
    pub day: DayResult,
    /// Why the bid and the ask side are not quoted.
    pub unquoted: [Unquoted; 2],
    /// The best bids, best first; zero lots where there is none.
    pub bids: [Level; TELEMETRY_LEVELS],
    /// The best asks, best first; zero lots where there is none.
    pub asks: [Level; TELEMETRY_LEVELS],
    /// Our orders by slot: bids, then asks.
    pub orders: [TelemetryOrder; SLOTS],
    /// The last public trade.
    pub trade: TelemetryTrade,
    /// Our last fill.
    pub fill: TelemetryTrade,
    /// Inventory beyond the neutral one, in lots, signed.
    pub exposure: Lots,
    /// Best bid plus best ask that it was valued at last, in ticks; zero before the first price.
    pub mid_doubled: i64,
    /// Profit in atoms of the quote asset, fees included.
    pub pnl: QuoteAtoms,
    /// Fees paid less rebates, in atoms of the quote asset.
    pub fees: QuoteAtoms,
    /// Executions applied to the position.
    pub fills: u64,
    /// Orders that may be alive.
    pub open_orders: u32,
    /// The orders of all instruments at this moment, in the first instrument's; zeros in the others'.
    pub orders_of_all: OrderAccount,
}

const WORDS: usize = 30 + 2 * 2 * TELEMETRY_LEVELS + 4 * SLOTS + 2 * 3;

/// The numbers of the enums, each at its own place.
const STATUSES: [WorkingStatus; 7] = [
    WorkingStatus::Empty,
    WorkingStatus::PendingPlace,
    WorkingStatus::Live,
    WorkingStatus::PendingAmend,
    WorkingStatus::PendingCancel,
    WorkingStatus::Unknown,
    WorkingStatus::Done,
];
const TRADING_STATES: [TradingState; 4] =
    [TradingState::Active, TradingState::ReduceOnly, TradingState::CancelOnly, TradingState::Halted];
const LOST_REASONS: [LostReason; 9] = [
    LostReason::None,
    LostReason::Gap,
    LostReason::Disconnected,
    LostReason::Silent,
    LostReason::BadFrame,
    LostReason::Crossed,
    LostReason::TouchMismatch,
    LostReason::OuterFull,
    LostReason::Instrument,
];

/// A book state as a number: empty, live, then the reasons for which it was lost.
const fn state_number(state: BookState) -> u64 {
    match state {
        BookState::Empty => 0,
        BookState::Live => 1,
        BookState::Lost(reason) => 2 + reason as u64,
    }
}

fn state_of(number: u64) -> BookState {
    match number {
        0 => BookState::Empty,
        1 => BookState::Live,
        lost => BookState::Lost(LOST_REASONS.get(lost as usize - 2).copied().unwrap_or_default()),
    }
}

/// Words written one after the other.
struct Writer {
    words: [u64; WORDS],
    at: usize,
}

impl Writer {
    #[inline]
    fn word(&mut self, word: u64) {
        self.words[self.at] = word;
        self.at += 1;
    }

    #[inline]
    fn wide(&mut self, value: QuoteAtoms) {
        self.word(value.0 as u64);
        self.word((value.0 >> 64) as u64);
    }

    #[inline]
    fn level(&mut self, level: Level) {
        self.word(level.tick.0 as u64);
        self.word(level.lots.0 as u64);
    }

    #[inline]
    fn trade(&mut self, trade: TelemetryTrade) {
        self.level(trade.level);
        self.word(trade.side as u64);
    }
}

/// Words read in the same order.
struct Reader<'a> {
    words: &'a [u64; WORDS],
    at: usize,
}

impl Reader<'_> {
    fn word(&mut self) -> u64 {
        self.at += 1;
        self.words[self.at - 1]
    }

    fn wide(&mut self) -> QuoteAtoms {
        let low = self.word();
        QuoteAtoms((i128::from(self.word() as i64) << 64) | i128::from(low))
    }

    fn level(&mut self) -> Level {
        Level { tick: Tick(self.word() as i64), lots: Lots(self.word() as i64) }
    }

    fn trade(&mut self) -> TelemetryTrade {
        TelemetryTrade { level: self.level(), side: if self.word() == 0 { Side::Bid } else { Side::Ask } }
    }
}

impl TelemetrySnapshot {
    /// The best levels of a side, best first; zero lots where there is none.
    #[must_use]
    pub fn levels(&self, side: Side) -> &[Level; TELEMETRY_LEVELS] {
        match side {
            Side::Bid => &self.bids,
            Side::Ask => &self.asks,
        }
    }

    /// Our orders of a side, in slot order, empty slots included.
    #[must_use]
    pub fn orders(&self, side: Side) -> &[TelemetryOrder] {
        match side {
            Side::Bid => &self.orders[..QUOTE_LEVELS_MAX],
            Side::Ask => &self.orders[QUOTE_LEVELS_MAX..],
        }
    }

    fn to_words(self) -> [u64; WORDS] {
        let mut words = Writer { words: [0; WORDS], at: 0 };
        words.word(self.now.0 as u64);
        words.word(self.book_sequence);
        words.word(self.depth_received.0 as u64);
        words.word(state_number(self.book_state));
        words.word(u64::from(self.quotable));
        words.word(self.trading_state as u64);
        words.word(self.stop_cause as u64);
        words.word(self.day.day as u64);
        words.wide(self.day.earned);
        for reason in self.unquoted {
            words.word(reason as u64);
        }
        for level in self.bids.into_iter().chain(self.asks) {
            words.level(level);
        }
        for order in self.orders {
            words.level(order.level);
            words.word(order.filled.0 as u64);
            words.word(order.status as u64);
        }
        words.trade(self.trade);
        words.trade(self.fill);
        words.word(self.exposure.0 as u64);
        words.word(self.mid_doubled as u64);
        words.wide(self.pnl);
        words.wide(self.fees);
        words.word(self.fills);
        words.word(u64::from(self.open_orders));
        self.orders_of_all.words().into_iter().for_each(|word| words.word(word));
        debug_assert_eq!(words.at, WORDS, "every word is written");
        words.words
    }

    fn from_words(words: &[u64; WORDS]) -> TelemetrySnapshot {
        let mut words = Reader { words, at: 0 };
        // Fields are read in the order in which they are written here.
        TelemetrySnapshot {
            now: Nanos(words.word() as i64),
            book_sequence: words.word(),
            depth_received: Nanos(words.word() as i64),
            book_state: state_of(words.word()),
            quotable: words.word() == 1,
            trading_state: TRADING_STATES.get(words.word() as usize).copied().unwrap_or(TradingState::Halted),
            stop_cause: StopCause::ALL.get(words.word() as usize).copied().unwrap_or_default(),
            day: DayResult { day: words.word() as i64, earned: words.wide() },
            unquoted: core::array::from_fn(|_| Unquoted::ALL.get(words.word() as usize).copied().unwrap_or_default()),
            bids: core::array::from_fn(|_| words.level()),
            asks: core::array::from_fn(|_| words.level()),
            orders: core::array::from_fn(|_| TelemetryOrder {
                level: words.level(),
                filled: Lots(words.word() as i64),
                status: STATUSES.get(words.word() as usize).copied().unwrap_or(WorkingStatus::Unknown),
            }),
            trade: words.trade(),
            fill: words.trade(),
            exposure: Lots(words.word() as i64),
            mid_doubled: words.word() as i64,
            pnl: words.wide(),
            fees: words.wide(),
            fills: words.word(),
            open_orders: words.word() as u32,
            orders_of_all: OrderAccount {
                sent: words.word(),
                accepted: words.word(),
                filled: words.word(),
                canceled: words.word(),
                expired: words.word(),
                rejected: words.word(),
                unknown: words.word(),
                open: words.word(),
                refused_here: words.word(),
                fills: words.word(),
            },
        }
    }
}

/// A snapshot that one thread writes and any thread reads, without a lock and without `unsafe`: the words
/// themselves are atomics, the sequence says whether they belong together.
#[derive(Debug)]
pub struct TelemetryCell {
    /// Odd while a write is under way.
    sequence: AtomicU64,
    words: [AtomicU64; WORDS],
}

impl Default for TelemetryCell {
    fn default() -> TelemetryCell {
        TelemetryCell { sequence: AtomicU64::new(0), words: [const { AtomicU64::new(0) }; WORDS] }
    }
}

impl TelemetryCell {
    /// Writes; only the one writer may call it.
    pub fn publish(&self, snapshot: &TelemetrySnapshot) {
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
    pub fn read(&self) -> Option<TelemetrySnapshot> {
        let before = self.sequence.load(Ordering::Acquire);
        if before & 1 == 1 {
            return None;
        }
        let words = core::array::from_fn(|index| self.words[index].load(Ordering::Relaxed));
        // No word may be read after the second look at the sequence.
        fence(Ordering::Acquire);
        (self.sequence.load(Ordering::Relaxed) == before).then(|| TelemetrySnapshot::from_words(&words))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(seed: i64) -> TelemetrySnapshot {
        let level = Level { tick: Tick(seed), lots: Lots(-seed) };
        let number = seed as usize;
        let order = TelemetryOrder { level, filled: Lots(seed), status: STATUSES[number % STATUSES.len()] };
        let side = Side::BOTH[number % 2];
        TelemetrySnapshot {
            now: Nanos(seed),
            book_sequence: seed as u64,
            depth_received: Nanos(-seed),
            book_state: state_of(seed as u64 % 11),
            quotable: seed % 2 == 1,
            trading_state: TRADING_STATES[number % TRADING_STATES.len()],
            stop_cause: StopCause::ALL[number % StopCause::ALL.len()],
            unquoted: [number, number + 1].map(|number| Unquoted::ALL[number % Unquoted::ALL.len()]),
            day: DayResult { day: seed, earned: QuoteAtoms(-i128::from(seed) << 66) },
            bids: [level; TELEMETRY_LEVELS],
            asks: [level; TELEMETRY_LEVELS],
            orders: [order; SLOTS],
            trade: TelemetryTrade { level, side },
            fill: TelemetryTrade { level, side },
            exposure: Lots(-seed),
            mid_doubled: seed << 4,
            pnl: QuoteAtoms(-i128::from(seed) << 70),
            fees: QuoteAtoms(i128::from(seed) << 3),
            fills: seed as u64,
            open_orders: seed as u32,
            orders_of_all: OrderAccount {
                sent: seed as u64,
                accepted: seed as u64 + 1,
                filled: seed as u64 + 2,
                canceled: seed as u64 + 3,
                expired: seed as u64 + 4,
                rejected: seed as u64 + 5,
                unknown: seed as u64 + 6,
                open: seed as u64 + 7,
                refused_here: seed as u64 + 8,
                fills: seed as u64 + 9,
            },
        }
    }

    #[test]
    fn every_number_means_its_own_variant() {
        assert!(STATUSES.iter().enumerate().all(|(number, status)| *status as usize == number));
        assert!(TRADING_STATES.iter().enumerate().all(|(number, state)| *state as usize == number));
        assert!(StopCause::ALL.iter().enumerate().all(|(number, cause)| *cause as usize == number));
        assert!(LOST_REASONS.iter().enumerate().all(|(number, reason)| *reason as usize == number));
        assert!((0..11).all(|number| state_number(state_of(number)) == number));
    }

    #[test]
    fn what_is_written_is_read() {
        let cell = TelemetryCell::default();
        assert_eq!(cell.read(), Some(TelemetrySnapshot::default()));
        for seed in [1, 2, 5, 77, 1_000_001] {
            cell.publish(&snapshot(seed));
            assert_eq!(cell.read(), Some(snapshot(seed)));
        }
    }

    #[test]
    fn a_reader_never_sees_half_a_write() {
        let cell = TelemetryCell::default();
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
