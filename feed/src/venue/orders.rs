//! COLD: what a gateway and a venue's order side say to each other: requests out, replies and account events in.
//!
//! A venue's room turns these into its bytes and back.

use spinbook_engine::intent::TimeInForce;
use spinbook_engine::types::{InstrumentId, Level, Lots, Nanos, OrderId, QuoteAtoms, Side, Tick, TradeId, VenueCode};

use crate::number::{NumberError, Scale};
use crate::venue::instrument::{Instrument, Symbol};
use crate::venue::order_ids::VenueOrderId;

/// A new order, complete.
#[derive(Clone, Copy, Debug)]
pub struct NewOrder<'a> {
    /// Of what.
    pub instrument: &'a Instrument,
    /// Our id.
    pub order: OrderId,
    /// Buy or sell.
    pub side: Side,
    /// Price.
    pub tick: Tick,
    /// Quantity.
    pub lots: Lots,
    /// How long it may live.
    pub time_in_force: TimeInForce,
}

/// Which existing order is meant. The venue's own id is the faster name where it is known.
#[derive(Clone, Copy, Debug)]
pub struct OrderName<'a> {
    /// Of what.
    pub instrument: &'a Instrument,
    /// Our id; [`OrderId::NONE`] for an order that is not ours.
    pub order: OrderId,
    /// The venue's id, [`VenueOrderId::NONE`] if not known.
    pub venue_order: VenueOrderId,
}

/// Another price and quantity for an existing order.
#[derive(Clone, Copy, Debug)]
pub struct AmendedOrder<'a> {
    /// Which order.
    pub name: OrderName<'a>,
    /// Its side, which stays.
    pub side: Side,
    /// The price it is to have.
    pub tick: Tick,
    /// The quantity it is to have, what is filled of it included.
    pub lots: Lots,
}

/// What the gateway can ask of a venue.
#[derive(Clone, Copy, Debug)]
pub enum Request<'a> {
    /// The venue's clock; also proof of life of the connection.
    ServerTime,
    /// Log the session on, so that requests need no signature.
    LogOn,
    /// Start user data on this connection.
    SubscribeUserData,
    /// Ask for the key of a user data connection.
    StartUserData,
    /// Keep that key alive.
    KeepUserData,
    /// The account's open orders in one instrument.
    OpenOrders(&'a Instrument),
    /// Cancel all of them.
    CancelAll(&'a Instrument),
    /// A new order.
    Place(NewOrder<'a>),
    /// Cancel one order.
    Cancel(OrderName<'a>),
    /// What became of one order.
    OrderStatus(OrderName<'a>),
    /// The executions of one order.
    Fills(OrderName<'a>),
    /// Cancel an order and, only if that worked, place another.
    Replace {
        /// The order that goes.
        former: OrderName<'a>,
        /// The order that comes.
        order: NewOrder<'a>,
    },
    /// Give an order another price and quantity.
    Amend(AmendedOrder<'a>),
}

/// The kind of a request: it travels in the request's id, so that a reply explains itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RequestKind {
    /// [`Request::ServerTime`].
    ServerTime,
    /// [`Request::LogOn`].
    LogOn,
    /// [`Request::SubscribeUserData`].
    SubscribeUserData,
    /// [`Request::StartUserData`].
    StartUserData,
    /// [`Request::KeepUserData`].
    KeepUserData,
    /// [`Request::OpenOrders`].
    OpenOrders,
    /// [`Request::CancelAll`].
    CancelAll,
    /// [`Request::Place`].
    Place,
    /// [`Request::Cancel`].
    Cancel,
    /// [`Request::OrderStatus`].
    OrderStatus,
    /// [`Request::Fills`].
    Fills,
    /// [`Request::Replace`].
    Replace,
    /// [`Request::Amend`].
    Amend,
}

impl Request<'_> {
    /// The instrument it is about, if it is about one.
    #[inline]
    #[must_use]
    pub fn instrument(&self) -> Option<InstrumentId> {
        match self {
            Request::OpenOrders(instrument) | Request::CancelAll(instrument) => Some(instrument.id),
            Request::Place(order) | Request::Replace { order, .. } => Some(order.instrument.id),
            Request::Amend(amended) => Some(amended.name.instrument.id),
            Request::Cancel(name) | Request::OrderStatus(name) | Request::Fills(name) => Some(name.instrument.id),
            _ => None,
        }
    }

    /// Which kind it is.
    #[must_use]
    pub fn kind(&self) -> RequestKind {
        match self {
            Request::ServerTime => RequestKind::ServerTime,
            Request::LogOn => RequestKind::LogOn,
            Request::SubscribeUserData => RequestKind::SubscribeUserData,
            Request::StartUserData => RequestKind::StartUserData,
            Request::KeepUserData => RequestKind::KeepUserData,
            Request::OpenOrders(_) => RequestKind::OpenOrders,
            Request::CancelAll(_) => RequestKind::CancelAll,
            Request::Place(_) => RequestKind::Place,
            Request::Cancel(_) => RequestKind::Cancel,
            Request::OrderStatus(_) => RequestKind::OrderStatus,
            Request::Fills(_) => RequestKind::Fills,
            Request::Replace { .. } => RequestKind::Replace,
            Request::Amend(_) => RequestKind::Amend,
        }
    }
}

/// Number of a request within a run; replies repeat it and may come in any order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// What the venue says an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderStatus {
    /// On the book or about to be.
    Live,
    /// Filled whole.
    Filled,
    /// Cancelled on request.
    Canceled,
    /// Ended by the venue: expired, prevented a self-trade, did not match.
    Expired,
    /// Never lived.
    Rejected,
    /// A value this program does not know: the order counts as live, and is asked for.
    Unknown,
}

/// In which asset a fee was taken, and how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fee {
    /// No fee stated.
    None,
    /// In the quote asset, exact; negative for a rebate.
    Quote(QuoteAtoms),
    /// In the base asset: lots that left the position.
    Base(Lots),
    /// In another asset, in 10^-18 of it; not valued.
    Other(Symbol, i128),
    /// In another asset, worth this much of the quote asset.
    Valued(QuoteAtoms),
}

/// One execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// The venue's id of it.
    pub trade: TradeId,
    /// Price.
    pub tick: Tick,
    /// Quantity.
    pub lots: Lots,
    /// Fee.
    pub fee: Fee,
    /// Whether we were the maker.
    pub maker: bool,
}

/// What the venue says about one order: an event of the user data stream, or a row of a query's reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderUpdate {
    /// Of what.
    pub instrument: InstrumentId,
    /// Our id, if the client order id is one of ours.
    pub order: Option<OrderId>,
    /// The venue's id.
    pub venue_order: VenueOrderId,
    /// Buy or sell.
    pub side: Side,
    /// What it is now.
    pub status: OrderStatus,
    /// Filled in all.
    pub lots_cumulative: Lots,
    /// Ordered.
    pub lots_ordered: Lots,
    /// Price and quantity in force, where the message is one that tells them: an answer, or an event of an amendment.
    pub in_force: Option<Level>,
    /// How long it may live, where the message is a list's or an answer's and says so.
    pub time_in_force: Option<TimeInForce>,
    /// The execution this event is about.
    pub fill: Option<Fill>,
    /// Venue time, zero if not stated.
    pub time: Nanos,
}

/// A fast, incomplete notice of an execution: the full event with the fee follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FillNotice {
    /// Of what.
    pub instrument: InstrumentId,
    /// Our id, if it is ours.
    pub order: Option<OrderId>,
    /// The venue's id of the order.
    pub venue_order: VenueOrderId,
    /// The venue's id of the execution.
    pub trade: TradeId,
}

/// Why money moved that no execution moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MoneyReason {
    /// An execution: told with it already, and never counted again.
    Trade,
    /// For holding a position.
    Funding,
    /// A charge of the venue, or a gift, that is of no execution and no transfer.
    Charge,
    /// To or from the account, by its owner.
    Transfer,
}

/// What the venue says has moved beside executions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoneyMoved {
    /// Why.
    pub reason: MoneyReason,
    /// By how much each asset's balance changed, in 10^-18 of it; negative: it shrank.
    pub changes: Vec<(Symbol, i128)>,
    /// What is held now of instruments where the message says so.
    pub positions: Vec<(InstrumentId, Lots)>,
    /// Venue time, zero if not stated.
    pub time: Nanos,
}

/// A refusal in the venue's own words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("status {status}, code {}: {message}", if code.is_none() { "none" } else { code.as_str() })]
pub struct Refusal {
    /// HTTP-like status.
    pub status: u16,
    /// The venue's code.
    pub code: VenueCode,
    /// The venue's text.
    pub message: String,
    /// When requests are welcome again, if the venue said so (its own clock).
    pub retry_after: Option<Nanos>,
}

/// What became of one half of a request to replace an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplaceHalf<T> {
    /// It was carried out.
    Done(T),
    /// The venue refused it, definitely.
    Refused(Refusal),
    /// It was not attempted, because the other half failed.
    NotAttempted,
    /// The answer does not tell.
    Unknown,
}

/// What a successful reply contains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplyBody {
    /// The venue's clock.
    ServerTime(Nanos),
    /// The session is logged on.
    LoggedOn,
    /// User data runs on this connection.
    Subscribed,
    /// The key of a user data connection.
    UserDataKey(String),
    /// The order was taken; the venue's id of it.
    Placed(VenueOrderId),
    /// The order as it is now (cancel and query).
    Order(OrderUpdate),
    /// Orders as they are now (open orders, or those just cancelled).
    Orders(Vec<OrderUpdate>),
    /// Executions, each as an update that states nothing but its fill.
    Fills(Vec<OrderUpdate>),
    /// An order was to be cancelled and another placed: each half has an outcome of its own.
    Replaced {
        /// Of the cancel: the order as it is now.
        canceled: ReplaceHalf<OrderUpdate>,
        /// Of the place: the venue's id of the new order.
        placed: ReplaceHalf<VenueOrderId>,
    },
    /// Nothing to know.
    Done,
}

/// How much of one of the venue's windows is used, as the venue counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowUsage {
    /// What is counted.
    pub kind: WindowKind,
    /// Length of the window.
    pub span: Nanos,
    /// Allowed per window.
    pub limit: u32,
    /// Used of it.
    pub used: u32,
}

/// What a rate window counts, and whose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowKind {
    /// Weight of requests, per address.
    Weight,
    /// New orders, per account.
    Orders,
    /// Cancels, per account.
    Cancels,
    /// New orders of one instrument.
    InstrumentOrders,
    /// Cancels in one instrument.
    InstrumentCancels,
}

/// Whose requests a rate window counts together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowScope {
    /// All from one network address.
    Address,
    /// All of one account.
    Account,
    /// Those of one account about one instrument.
    Instrument,
}

impl WindowKind {
    /// Whose requests are counted together.
    #[must_use]
    pub const fn scope(self) -> WindowScope {
        match self {
            WindowKind::Weight => WindowScope::Address,
            WindowKind::Orders | WindowKind::Cancels => WindowScope::Account,
            WindowKind::InstrumentOrders | WindowKind::InstrumentCancels => WindowScope::Instrument,
        }
    }
}

/// One reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// To which request.
    pub id: RequestId,
    /// Of which kind.
    pub kind: RequestKind,
    /// What it says.
    pub outcome: Result<ReplyBody, Refusal>,
    /// The venue's windows, where the reply states them.
    pub usage: Vec<WindowUsage>,
}

/// One message from a venue's order side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderMessage {
    /// Answer to a request.
    Reply(Reply),
    /// Something happened to an order.
    Update(OrderUpdate),
    /// A fast notice of an execution.
    FillNotice(FillNotice),
    /// What the venue says is held of instruments where that changed: net positions, or the base asset in whole lots.
    Positions(Vec<(InstrumentId, Lots)>),
    /// Balances changed.
    Balances,
    /// Money moved beside executions.
    Moved(MoneyMoved),
    /// Something happened to an order that the venue itself made to close a position: a liquidation, a deleveraging, a
    /// settlement.
    VenueOrder(OrderUpdate),
    /// User data ended: its key expired or the stream was terminated.
    UserDataEnded,
    /// The server is about to close this connection.
    ServerShutdown,
    /// An order event of an instrument that is not ours to trade.
    OtherInstrument,
    /// Known to be of no interest, or unknown and harmless.
    Other,
}

/// Why a message of the order side could not be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderDecodeError {
    /// Not JSON.
    #[error("not JSON")]
    Json,
    /// A field is missing or of the wrong type.
    #[error("field {0} is missing or of the wrong type")]
    Field(&'static str),
    /// A number that is not exact on the instrument's scale.
    #[error("field {0}: {1}")]
    Number(&'static str, NumberError),
    /// The reply's id is not one of ours.
    #[error("a reply to no request of ours")]
    Id,
    /// A list has two rows of one thing: which of them holds cannot be known.
    #[error("{what} of {name} are listed twice; which holds cannot be known")]
    Repeated {
        /// What the rows state.
        what: &'static str,
        /// Of which asset or symbol.
        name: Symbol,
    },
    /// The account keeps a position for each side of a symbol, where one net position is traded.
    #[error("the account is in hedge mode: the venue lists a {side} position of {name}")]
    HedgeMode {
        /// Of which symbol.
        name: Symbol,
        /// Which side, in the venue's word.
        side: Symbol,
        /// What a human should do about it.
        advice: &'static str,
    },
    /// The same, told by the account's own setting before it holds anything.
    #[error("the account is in hedge mode: the venue says {setting} = true")]
    HedgeModeSet {
        /// The venue's name of the setting.
        setting: &'static str,
        /// What a human should do about it.
        advice: &'static str,
    },
}

/// A quantity that may be negative (a position), on an instrument's scale.
///
/// # Errors
/// As [`Scale::parse`], the sign aside.
pub fn parse_signed(scale: &Scale, text: &str) -> Result<i64, NumberError> {
    match text.strip_prefix('-') {
        Some(digits) => scale.parse(digits.as_bytes()).map(|units| -units),
        None => scale.parse(text.as_bytes()),
    }
}
