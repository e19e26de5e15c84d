//! HOT: fixed-size records of what was decided and why, for reports: dropped, not waited for, when their ring is full.

use crate::types::{InstrumentId, Lots, Nanos, OrderId, Tick};
use crate::unquoted::Unquoted;

/// What a trace record tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum TraceKind {
    /// An intent left: `detail` is the intent kind, `reason` the why.
    #[default]
    Intent = 0,
    /// The risk chain denied an order: `detail` is the reason of the risk chain.
    Denied = 1,
    /// An execution event arrived: `detail` is its kind.
    Execution = 2,
    /// The trading state changed: `detail` is the new trading state.
    State = 3,
    /// A book stopped being quotable: `detail` is the reason it was lost.
    Book = 4,
}

/// What a quote follows from, first of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum QuoteRule {
    /// The strategy does not say.
    #[default]
    Unsaid = 0,
    /// Its distance from the mid is the configured one.
    Distance = 1,
    /// The same, widened because the book is one-sided.
    Widened = 2,
    /// As near as the least edge after fees allows.
    EdgeMin = 3,
    /// As near as the opposite side leaves to an order that must not take.
    OppositeTouch = 4,
}

/// Why a strategy quotes a side as it does: told where an order leaves, for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuoteBasis {
    /// What the best price of the side follows from.
    pub rule: QuoteRule,
    /// What made its quantity smaller than is wanted; [`Unquoted::No`]: nothing.
    pub limit: Unquoted,
    /// Quantity of the bids less that of the asks over both, of the levels that are looked at, in millionths.
    pub imbalance_millionths: i32,
}

/// One record: what, when, on which book, about which order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct TraceRecord {
    /// When it was decided.
    pub now: Nanos,
    /// Update id of the book it was decided on.
    pub book_sequence: u64,
    /// The order it is about; zero if none.
    pub order: OrderId,
    /// Price in ticks; zero where there is none.
    pub tick: Tick,
    /// Quantity in lots; zero where there is none.
    pub lots: Lots,
    /// Best bid that was decided on; zero where there is none, and in records that are not of an intent or a denial.
    pub best_bid: Tick,
    /// Best ask, in the same way.
    pub best_ask: Tick,
    /// Exposure that was decided on, signed, in lots.
    pub exposure: Lots,
    /// Age of the book, in microseconds; the greatest number for more.
    pub book_age_us: u32,
    /// What the strategy says of it, [`QuoteBasis::imbalance_millionths`].
    pub imbalance_millionths: i32,
    /// The instrument it is about.
    pub instrument: InstrumentId,
    /// What it tells.
    pub kind: TraceKind,
    /// A number whose meaning depends on `kind`, as [`TraceKind`] says.
    pub detail: u8,
    /// The intent's reason or the gateway's local refusal, as a number; zero for other kinds.
    pub reason: u8,
    /// Quote slot of the order; zero if there is none.
    pub slot: u8,
    /// Side: 0 bid, 1 ask.
    pub side: u8,
    /// What the strategy says of it.
    pub rule: QuoteRule,
    /// The limit that bound: of an intent what made it smaller, of a denial what denied it.
    pub limit: Unquoted,
}

// With its sequence word a record fills no more than a slot of a ring.
const _: () = assert!(size_of::<TraceRecord>() <= 120);
