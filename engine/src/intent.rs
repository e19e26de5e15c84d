//! HOT: what leaves the engine: intents to place and to cancel, fixed-size records on a ring.

use crate::types::{InstrumentId, Lots, Nanos, OrderId, Side, SlotId, Tick};

/// What is wanted of the venue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum IntentKind {
    /// Place a new order under `order`.
    #[default]
    Place = 0,
    /// Cancel the order known as `order`.
    Cancel = 1,
    /// Cancel `replaces` and, only if that works, place `order`, in one request.
    Replace = 2,
    /// Give the order known as `order` the price and quantity of this intent, what is filled of it included.
    Amend = 3,
}

/// How long an order may live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum TimeInForce {
    /// Rests as a maker or is refused.
    #[default]
    PostOnly = 0,
    /// Takes what it can at once, the rest is cancelled.
    ImmediateOrCancel = 1,
    /// Rests until cancelled, may take.
    GoodTilCancel = 2,
}

/// Why the quoter wants it: for trace records and reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Reason {
    /// A target had no order.
    #[default]
    New = 0,
    /// The order's price or quantity left the tolerance around its target.
    Requote = 1,
    /// The strategy no longer wants the quote.
    Unwanted = 2,
    /// The book is not Live, too old, crossed or one-sided.
    BookNotLive = 3,
    /// A trading state that forbids quotes.
    TradingState = 4,
    /// A risk limit that the existing order would break.
    Risk = 5,
    /// The run ends.
    Shutdown = 6,
    /// An operator paused trading.
    Pause = 7,
}

/// One request, decided. The I/O thread drops a place past its deadline, never a cancel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Intent {
    /// Our id of the order to place or cancel.
    pub order: OrderId,
    /// For [`IntentKind::Replace`]: the order that goes; otherwise [`OrderId::NONE`].
    pub replaces: OrderId,
    /// Limit price in ticks; of a cancel, that of the order.
    pub tick: Tick,
    /// Quantity in lots; of a cancel, what is still open; of an amendment, what is filled included.
    pub lots: Lots,
    /// Update id of the book it was decided on.
    pub book_sequence: u64,
    /// When it was decided.
    pub decided: Nanos,
    /// A place is not sent after this.
    pub deadline: Nanos,
    /// Cycle counter of the frame that caused it, zero if none: for measurement only.
    pub origin_tsc: u64,
    /// The instrument of the order.
    pub instrument: InstrumentId,
    /// Which strategy, in order of set-up.
    pub strategy: u16,
    /// Which quote slot.
    pub slot: SlotId,
    /// What is wanted.
    pub kind: IntentKind,
    /// Buy or sell.
    pub side: Side,
    /// How long it may live.
    pub time_in_force: TimeInForce,
    /// Why the quoter asks for it.
    pub reason: Reason,
}

const _: () = assert!(size_of::<Intent>() == 80);
