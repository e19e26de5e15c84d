//! HOT: one of our orders: what was asked, what is known, and what may still happen to it.

use crate::intent::TimeInForce;
use crate::types::{Lots, Nanos, OrderId, Side, SlotId, Tick};

/// Where an order stands, as the engine believes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum WorkingStatus {
    /// The slot holds no order.
    #[default]
    Empty = 0,
    /// Handed to the ring; the venue has not answered.
    PendingPlace = 1,
    /// Accepted by the venue: it rests.
    Live = 2,
    /// It rests, and another price and quantity for it was handed to the ring; the venue has not answered.
    PendingAmend = 3,
    /// A cancel was handed to the ring; the venue has not answered.
    PendingCancel = 4,
    /// The outcome of a request is not known: counts as live at the worst case.
    Unknown = 5,
    /// Proved to have ended.
    Done = 6,
}

impl WorkingStatus {
    /// Whether the order may be alive on the venue.
    #[inline]
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(
            self,
            WorkingStatus::PendingPlace
                | WorkingStatus::Live
                | WorkingStatus::PendingAmend
                | WorkingStatus::PendingCancel
                | WorkingStatus::Unknown
        )
    }

    /// Whether a request of ours is in flight.
    #[inline]
    #[must_use]
    pub const fn is_pending(self) -> bool {
        matches!(self, WorkingStatus::PendingPlace | WorkingStatus::PendingAmend | WorkingStatus::PendingCancel)
    }
}

/// How an order ended. The order of the variants decides when events disagree: the largest wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum OrderOutcome {
    /// Refused: it never rested and never traded.
    Rejected = 0,
    /// Ended by the venue itself.
    Expired = 1,
    /// Ended by our cancel.
    Canceled = 2,
    /// Filled in full.
    Filled = 3,
}

/// One order of ours, as the engine believes it to stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkingOrder {
    /// Our id of the order; [`OrderId::NONE`] if the slot is empty.
    pub order: OrderId,
    /// Limit price in ticks.
    pub tick: Tick,
    /// Quantity ordered, in lots.
    pub lots: Lots,
    /// Quantity in lots of the executions that were received; at most `lots` unless the venue overfilled.
    pub filled: Lots,
    /// Filled in all, in lots, by the venue's own cumulative figure; executions may still be on their way.
    pub claimed: Lots,
    /// When the last request about it was handed to the ring.
    pub requested: Nanos,
    /// When it was handed to the ring itself.
    pub placed: Nanos,
    /// The quote slot it stands for.
    pub slot: SlotId,
    /// Buy or sell.
    pub side: Side,
    /// How long it may live.
    pub time_in_force: TimeInForce,
    /// Where it stands.
    pub status: WorkingStatus,
    /// Whether the venue has shown it alive.
    pub accepted: bool,
    /// Whether the venue's own acknowledgement has come (a fill also shows an order alive).
    pub acknowledged: bool,
    /// Cancel requests sent for it so far; stays at its maximum.
    pub cancels: u8,
    /// The end that was told, if one was.
    pub end: Option<OrderOutcome>,
}

impl WorkingOrder {
    /// An empty slot.
    pub const EMPTY: WorkingOrder = WorkingOrder {
        order: OrderId::NONE,
        tick: Tick(0),
        lots: Lots::ZERO,
        filled: Lots::ZERO,
        claimed: Lots::ZERO,
        requested: Nanos::ZERO,
        placed: Nanos::ZERO,
        slot: SlotId(0),
        side: Side::Bid,
        time_in_force: TimeInForce::PostOnly,
        status: WorkingStatus::Empty,
        accepted: false,
        acknowledged: false,
        cancels: 0,
        end: None,
    };

    /// Quantity that may still be filled while the order is open, executions on their way included.
    #[inline]
    #[must_use]
    pub fn lots_open(&self) -> Lots {
        if self.status.is_open() { Lots((self.lots.max(self.claimed).0 - self.filled.0).max(0)) } else { Lots::ZERO }
    }

    /// Quantity a finished order was filled by the venue's word and no execution has told yet.
    #[inline]
    #[must_use]
    pub fn lots_owed(&self) -> Lots {
        if self.status == WorkingStatus::Done { Lots((self.claimed.0 - self.filled.0).max(0)) } else { Lots::ZERO }
    }

    /// How a finished order ended. One that was filled in full was filled, also where a cancel was reported as well.
    #[must_use]
    pub fn outcome(&self) -> OrderOutcome {
        if self.claimed >= self.lots { OrderOutcome::Filled } else { self.end.unwrap_or(OrderOutcome::Canceled) }
    }
}
