//! HOT: how an order ended, and what proved it.

use spinbook_engine::types::{InstrumentId, Lots, OrderId};

/// How an order ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderEnd {
    /// Filled whole.
    Filled,
    /// Cancelled.
    Canceled,
    /// Ended by the venue.
    Expired,
    /// Never lived.
    Rejected,
}

/// What proved an order's end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EndProof {
    /// The answer to the order itself.
    #[default]
    PlaceReply,
    /// The answer to its cancel.
    CancelReply,
    /// The account's own events.
    UserData,
    /// The answer to a question about it.
    Question,
    /// A list of open orders.
    List,
    /// The answer to a cancel of all orders.
    CancelAllReply,
    /// The account's executions.
    Executions,
    /// The venue said again and again, asked when it could no longer take the order, that it does not know it.
    NotKnown,
    /// What the venue said to the next start, which asked for what the run before had left.
    NextStart,
}

/// An order's end and what proved it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProvedEnd {
    /// Which order.
    pub order: OrderId,
    /// Of which instrument, by the numbers of the run that says it.
    pub instrument: InstrumentId,
    /// How it ended.
    pub end: OrderEnd,
    /// What says so.
    pub proof: EndProof,
    /// Filled in all.
    pub lots_filled: Lots,
}
