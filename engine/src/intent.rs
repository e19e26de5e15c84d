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

/// Bid plus ask of the book that an order was decided on, as it travels with the order, for whoever has no book to hold the
/// order against. It has 48 bits, which every real price fits in; one that does not fit is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct MidSent([u16; 3]);

impl MidSent {
    const BITS: u32 = 48;

    /// Of bid plus ask, in ticks.
    #[inline]
    #[must_use]
    pub const fn of(doubled: i64) -> MidSent {
        let doubled = if doubled >> Self::BITS == 0 { doubled } else { 0 };
        MidSent([doubled as u16, (doubled >> 16) as u16, (doubled >> 32) as u16])
    }

    /// Bid plus ask, in ticks; `None` if it was not sent.
    #[inline]
    #[must_use]
    pub const fn doubled(self) -> Option<i64> {
        let [low, middle, high] = self.0;
        let doubled = low as i64 | (middle as i64) << 16 | (high as i64) << 32;
        if doubled == 0 { None } else { Some(doubled) }
    }
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
    /// What the engine's own book said of the price, of a place, a replacement and an amendment.
    pub mid: MidSent,
}

const _: () = assert!(size_of::<Intent>() == 80);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mid_that_was_sent_is_read_as_it_was_or_is_none() {
        for doubled in [1, 2, 0xffff, 0x1_0000, 0x1234_5678_9abc, (1 << 48) - 1] {
            assert_eq!(MidSent::of(doubled).doubled(), Some(doubled));
        }
        for doubled in [0, -1, i64::MIN, 1 << 48, i64::MAX] {
            assert_eq!(MidSent::of(doubled).doubled(), None, "{doubled}");
        }
    }
}
