//! HOT: what a book says about itself: its state, what it refuses and how far it knows.

use crate::event::LostReason;
use crate::types::{Side, Tick};

/// The highest tick a book takes: 2^60 - 1, more than the 18 decimal digits that a price may have.
pub const TICK_MAX: Tick = Tick((1 << 60) - 1);

// A range check looks at the bits of many ticks at once.
const _: () = assert!((TICK_MAX.0 + 1).count_ones() == 1);

/// Whether a book can be trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BookState {
    /// No snapshot has come yet.
    #[default]
    Empty,
    /// It is the venue's book: every message since its last snapshot was in sequence and none contradicted it.
    Live,
    /// It was given up; its levels are what was last known.
    Lost(LostReason),
}

/// Why a book refused a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BookFault {
    /// Changes came for a book that is not Live; nothing was applied.
    #[error("the book is not live")]
    NotLive,
    /// A level's tick is negative or above [`TICK_MAX`]; nothing was applied.
    #[error("a level's price is outside 0..2^60 ticks")]
    Price,
    /// A level's quantity is negative; nothing was applied.
    #[error("a level's quantity is negative")]
    Quantity,
    /// The store of levels outside the window is full; the message was applied in part.
    #[error("the store of outer levels is full")]
    OuterFull,
}

impl BookFault {
    /// The reason for which a book is given up after this fault.
    #[must_use]
    pub const fn lost_reason(self) -> LostReason {
        match self {
            BookFault::NotLive => LostReason::Gap,
            BookFault::Price | BookFault::Quantity => LostReason::BadFrame,
            BookFault::OuterFull => LostReason::OuterFull,
        }
    }
}

/// How far the last snapshot reached. Beyond it a price without a level is unknown, not empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Horizon {
    /// The lowest bid the snapshot listed; `i64::MAX` if it listed none.
    pub bid_low: Tick,
    /// The highest ask the snapshot listed; `i64::MIN` if it listed none.
    pub ask_high: Tick,
}

impl Horizon {
    /// Nothing is known.
    pub const NOTHING: Horizon = Horizon { bid_low: Tick(i64::MAX), ask_high: Tick(i64::MIN) };

    /// Whether the absence of a level at this price means that nothing is there.
    #[inline]
    #[must_use]
    pub const fn covers(self, side: Side, tick: Tick) -> bool {
        match side {
            Side::Bid => tick.0 >= self.bid_low.0,
            Side::Ask => tick.0 <= self.ask_high.0,
        }
    }
}

impl Default for Horizon {
    fn default() -> Horizon {
        Horizon::NOTHING
    }
}
