//! HOT: what enters the engine: market events and execution events, fixed-size records.

use crate::types::{
    InstrumentId, Lots, Nanos, OrderId, QuoteAtoms, Side, SlotId, Stamp, Tick, TradeId, VenueCode, VenueId,
};

/// What a market event tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum MarketKind {
    /// The levels replace the whole book, which is Live from here on.
    #[default]
    Snapshot = 0,
    /// Absolute quantities of changed levels, next in the venue's sequence: already judged by the feed.
    Delta = 1,
    /// The venue's own best bid and ask: one level a side (an empty slice is an empty side).
    Touch = 2,
    /// One public trade: in `asks[0]` if the aggressor bought, in `bids[0]` if it sold.
    Trade = 3,
    /// The book can no longer be trusted (gap, stale, connection lost): not Live, quotes pulled at once.
    Lost = 4,
}

/// Why a book stopped being Live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum LostReason {
    /// Nothing was lost.
    #[default]
    None = 0,
    /// The venue's sequence rule was broken.
    Gap = 1,
    /// The connection closed or was given up.
    Disconnected = 2,
    /// The symbol or its connection was silent for too long.
    Silent = 3,
    /// A frame for the symbol could not be decoded: an update may be missing.
    BadFrame = 4,
    /// The book was crossed.
    Crossed = 5,
    /// The venue's best bid/ask with the book's own update id disagreed with the book.
    TouchMismatch = 6,
    /// The store of levels outside the window was full.
    OuterFull = 7,
    /// The instrument is not trading, or its increments changed.
    Instrument = 8,
}

/// One judged market message of one instrument. The levels travel beside it as slices.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct MarketEvent {
    /// Frame in hand; `tsc` is for measurement only and is copied into the intents it causes.
    pub received: Stamp,
    /// The venue's own event time; zero where the message has none. Never used for ordering.
    pub event_time: Nanos,
    /// Update id of the message (depth: the last it contains). Zero for trades.
    pub sequence: u64,
    /// The instrument whose book it is about.
    pub instrument: InstrumentId,
    /// The venue it came from.
    pub venue: VenueId,
    /// Which of several connections to one market it came over.
    pub path: u8,
    /// What it tells.
    pub kind: MarketKind,
    /// Why the book was lost; for [`MarketKind::Lost`] alone.
    pub lost: LostReason,
}

const _: () = assert!(size_of::<MarketEvent>() == 40);

/// What the engine wants of the feed after an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "a book that asks for a resync stays dark until it gets one"]
pub enum MarketReply {
    /// Nothing: go on.
    #[default]
    Ok,
    /// The book is not Live any more for this reason: fetch a snapshot of this symbol alone.
    Resync(LostReason),
}

/// What happened to one of our orders, or to the gateway as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum ExecutionKind {
    /// The venue accepted the order: it rests (or is being matched).
    #[default]
    Accepted = 0,
    /// The order never lived: refused by the venue (`venue_code`) or by the gateway (`local`).
    Rejected = 1,
    /// One execution of the order; `lots_cumulative` says how much in all.
    Filled = 2,
    /// The order is gone; `lots_cumulative` was filled before.
    Canceled = 3,
    /// The venue refused to cancel: the order is still live, or gone for another reason (then more follows).
    CancelRejected = 4,
    /// The venue ended the order itself (IOC rest, post-only cross, expiry, self-trade prevention).
    Expired = 5,
    /// The outcome is not known: counts as live at the worst case until proved.
    Unknown = 6,
    /// The venue's gateway is logged on, its user data stream runs and open orders are known: quoting there may begin.
    GatewayReady = 7,
    /// The venue's gateway lost a session: no new orders there until it is ready again. Other venues go on.
    GatewayDown = 8,
    /// No new orders to the venue until `time` (rate limit, ban); cancels still leave. Other venues go on.
    Pause = 9,
    /// Trading stops for good on all venues (bad key, bad signature, drift): cancel everything, a human re-arms.
    Halt = 10,
    /// The venue gave the order another price and quantity: `tick` and `lots`, what is filled included.
    Amended = 11,
    /// An amendment of the order, or a request to replace it, came to nothing: it is as it was, with `tick` and `lots`,
    /// by the venue's word (`venue_code`) or the gateway's (`local`).
    AmendRejected = 12,
    /// Money that an instrument cost beside its executions: `fee` of it was paid, negative if it was received; for holding a
    /// position (funding), or a charge of the venue.
    Income = 13,
    /// `lots` of the base asset came to the account, negative if they left it, and nothing was traded for them.
    Transfer = 14,
    /// One execution of an order that the venue made itself, such as a liquidation: the position moved without one of ours.
    Liquidated = 15,
    /// our own requests take too long from their decision to the gateway: the 99th percentile of a window is above its
    /// limit. What is open at the venue is pulled. Other venues go on.
    Slow = 16,
}

/// In which asset a fee was taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum FeeAsset {
    /// The quote asset: `fee` holds it exactly.
    #[default]
    Quote = 0,
    /// The base asset: `fee_lots` left the position, `fee` is its value at the fill price.
    Base = 1,
    /// Another asset (a discount token) that nobody gave a price: how much was paid is not known, so trading stops.
    Other = 2,
    /// Another asset, valued: `fee` is what it is worth in the quote asset, which itself did not move.
    Valued = 3,
}

/// Why the gateway refused an order without asking the venue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum LocalReject {
    /// It was not the gateway that refused.
    #[default]
    None = 0,
    /// The intent's deadline had passed.
    Late = 1,
    /// The venue's rate window is used up.
    Throttled = 2,
    /// No session to send it on.
    NotConnected = 3,
    /// The gateway's own, independent limits forbid it.
    Limit = 4,
    /// The gateway's order table is full.
    TableFull = 5,
    /// It could not be written to the journal, and nothing leaves that is not there.
    Journal = 6,
    /// The price is too far from the mid that was sent with the order, or none was sent.
    Collar = 7,
}

/// One fact about an order, on the ring from the gateway to the engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct ExecutionEvent {
    /// Fee of this execution in the quote asset, positive if paid, negative if a rebate.
    pub fee: QuoteAtoms,
    /// Which order; zero for events of the gateway itself.
    pub order: OrderId,
    /// The venue's id of the execution; zero if it is none.
    pub trade: TradeId,
    /// Venue time of the fact; for [`ExecutionKind::Pause`] when the pause ends.
    pub time: Nanos,
    /// Price of this execution, in ticks.
    pub tick: Tick,
    /// Quantity of this execution, in lots.
    pub lots: Lots,
    /// Filled of the order in all, in lots, this execution included.
    pub lots_cumulative: Lots,
    /// Fee taken in the base asset, in lots.
    pub fee_lots: Lots,
    /// The venue's own error code; empty if there is none.
    pub venue_code: VenueCode,
    /// The instrument of the order; of no meaning for events of the gateway itself.
    pub instrument: InstrumentId,
    /// The venue it came from, which an event of the gateway itself is about.
    pub venue: VenueId,
    /// Which slot it was for, as the intent said.
    pub slot: SlotId,
    /// What happened to the order, or to the gateway.
    pub kind: ExecutionKind,
    /// Side of the order.
    pub side: Side,
    /// Whether we were the maker.
    pub maker: bool,
    /// Where the fee was taken.
    pub fee_asset: FeeAsset,
    /// Why the gateway itself refused.
    pub local: LocalReject,
    /// With [`ExecutionKind::Rejected`]: the market had overtaken the price (a post-only order would have taken), or the
    /// venue took no order just then, which the gateway waits for (it is busy, its windows are full, the clock moved), or
    /// it never had the order, whose request was lost. An ordinary end, not a fault: the slot quotes anew after a short wait
    /// and nothing is held against it.
    pub overtaken: bool,
}

const _: () = assert!(size_of::<ExecutionEvent>() == 144);
