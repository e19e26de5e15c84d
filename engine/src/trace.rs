//! HOT: fixed-size records of what was decided and why, for reports: dropped, not waited for, when their ring is full.

use crate::types::{InstrumentId, Lots, Nanos, OrderId, Tick};

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
    /// Keeps the size fixed; zero.
    pub reserved: u8,
}

const _: () = assert!(size_of::<TraceRecord>() == 48);
