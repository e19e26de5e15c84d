//! COLD: what a venue's other side asks of the simulated world behind it: accounts, matching, rate windows, faults.
//!
//! A venue's exchange speaks its protocol and knows its rules and codes; the world, in `sim`, knows none of
//! them. Everything here is in exact integers: ticks, lots, and 10^-18 units ("atoms") of an asset.

use crate::number::Scale;
use crate::sim::whole;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use spinbook_engine::types::{Level, Lots, Nanos, QuoteAtoms, Side, Tick};

/// Place of a listing in the world's list.
pub type ListingIndex = usize;

/// Place of an account in the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AccountId(pub usize);

/// One instrument as the exchange lists it.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Symbol, upper case.
    pub symbol: String,
    /// Base asset.
    pub base: String,
    /// Quote asset (margin asset too, for a perpetual).
    pub quote: String,
    /// Price text to ticks and back; one tick is the price increment.
    pub price: Scale,
    /// Quantity text to lots and back; one lot is the finest unit of feed and balances.
    pub quantity: Scale,
    /// Price increment as the venue prints it.
    pub tick_size: String,
    /// Order step as the venue prints it.
    pub order_step: String,
    /// Price increment in ticks: one, unless the feed's prices are finer.
    pub tick_step: i64,
    /// Order step in lots.
    pub order_step_lots: i64,
    /// Smallest order.
    pub lots_min: i64,
    /// Largest order.
    pub lots_max: i64,
    /// Highest price, in ticks; the lowest is one tick.
    pub tick_max: i64,
    /// Smallest order value.
    pub notional_min: QuoteAtoms,
    /// Base-asset atoms in one lot.
    pub atoms_per_lot: i128,
    /// Quote-asset atoms in one tick times one lot.
    pub atoms_per_tick_lot: i128,
    /// A buy may not be priced above the market times this many thousandths.
    pub percent_up_thousandths: i64,
    /// A sell may not be priced below the market times this many thousandths.
    pub percent_down_thousandths: i64,
    /// Open orders an account may have on it.
    pub open_orders_max: usize,
}

impl Listing {
    /// Quote value of `lots` at `tick`.
    #[must_use]
    pub fn value(&self, tick: Tick, lots: Lots) -> QuoteAtoms {
        QuoteAtoms(i128::from(tick.0) * i128::from(lots.0) * self.atoms_per_tick_lot)
    }

    /// Base value of `lots`.
    #[must_use]
    pub fn base_atoms(&self, lots: Lots) -> i128 {
        i128::from(lots.0) * self.atoms_per_lot
    }
}

/// What a caller says about a listing; everything else follows from it.
#[derive(Clone, Debug)]
pub struct ListingSettings {
    /// Symbol, upper case.
    pub symbol: String,
    /// Base asset.
    pub base: String,
    /// Quote asset.
    pub quote: String,
    /// Price increment with the decimals the venue prints, such as `0.10`.
    pub tick_size: String,
    /// What one tick is: the price increment, or a divisor of it where the feed's prices are finer.
    pub tick_unit: String,
    /// Finest quantity unit with the decimals the venue prints, such as `0.001` or `0.00000001`.
    pub lot_size: String,
    /// Order step, a multiple of the finest unit.
    pub order_step: String,
    /// Smallest order value in the quote asset.
    pub notional_min: Decimal,
}

/// How an account proves who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountKey {
    /// HMAC-SHA256 secret, the bytes of its text.
    HmacSecret(Vec<u8>),
    /// Ed25519 public key.
    Ed25519Public([u8; 32]),
    /// RSA public key, DER; signatures are PKCS#1 v1.5 over SHA-256.
    RsaPublic(Vec<u8>),
}

/// Kinds of order the world matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderKind {
    /// With a price.
    Limit,
    /// At the prices displayed, however far from the best; what they do not fill expires.
    Market,
}

/// How long an order lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lifetime {
    /// Until filled or cancelled.
    GoodTillCancel,
    /// What fills at once; the rest expires.
    ImmediateOrCancel,
    /// All at once or nothing.
    FillOrKill,
    /// Rests or is refused.
    PostOnly,
}

/// What happens when an order would trade with its own account's resting order; the taker's mode decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SelfTrade {
    /// They trade.
    Allow,
    /// The incoming order expires.
    ExpireTaker,
    /// The resting order expires.
    ExpireMaker,
    /// Both expire.
    ExpireBoth,
}

/// A price that the market must reach before an order works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimTrigger {
    /// The price of the last trade at which it works.
    #[serde(with = "whole")]
    pub tick: Tick,
    /// Whether the market must rise to it; it must fall otherwise.
    pub rising: bool,
    /// Whether it is to take a profit; to stop a loss otherwise.
    pub takes_profit: bool,
}

/// An order to place.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SimOrderRequest {
    /// The account it belongs to.
    pub account: AccountId,
    /// The listing it is on.
    pub listing: ListingIndex,
    /// Buy or sell.
    #[serde(with = "whole")]
    pub side: Side,
    /// Limit or market.
    pub kind: OrderKind,
    /// How long.
    pub lifetime: Lifetime,
    /// Price; ignored for market orders.
    #[serde(with = "whole")]
    pub tick: Tick,
    /// Quantity.
    #[serde(with = "whole")]
    pub lots: Lots,
    /// The client's name for it.
    pub client_id: String,
    /// May only shrink a position.
    pub reduce_only: bool,
    /// Self-trade rule.
    pub self_trade: SelfTrade,
    /// What the market must do before it works.
    pub trigger: Option<SimTrigger>,
    /// When what is left of it expires; `NEVER` if not by itself.
    #[serde(with = "whole")]
    pub expires: Nanos,
    /// What was to be spent or received, where that was said instead of a quantity; zero otherwise.
    #[serde(with = "whole")]
    pub quote_asked: QuoteAtoms,
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SimOrderStatus {
    /// Resting, nothing filled.
    New,
    /// Resting, partly filled.
    PartiallyFilled,
    /// Done.
    Filled,
    /// Cancelled by its owner.
    Canceled,
    /// The rest expired (IOC, FOK, market).
    Expired,
    /// Expired by self-trade prevention.
    ExpiredInMatch,
}

impl SimOrderStatus {
    /// Whether it may still trade.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, SimOrderStatus::New | SimOrderStatus::PartiallyFilled)
    }
}

/// An order as the exchange keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SimOrder {
    /// The exchange's number.
    pub id: u64,
    /// What was asked for.
    pub request: SimOrderRequest,
    /// Quantity filled so far.
    #[serde(with = "whole")]
    pub filled: Lots,
    /// Quote value filled so far.
    #[serde(with = "whole")]
    pub filled_value: QuoteAtoms,
    /// Where it stands.
    pub status: SimOrderStatus,
    /// When it came.
    #[serde(with = "whole")]
    pub created: Nanos,
    /// When it last changed.
    #[serde(with = "whole")]
    pub updated: Nanos,
    /// Whether it has met the book; not before its trigger.
    pub working: bool,
    /// Quantity that self-trade prevention kept from trading.
    #[serde(with = "whole")]
    pub prevented: Lots,
}

impl SimOrder {
    /// Quantity not filled yet.
    #[must_use]
    pub fn remaining(&self) -> Lots {
        Lots(self.request.lots.0 - self.filled.0)
    }
}

/// One execution of one of our accounts' orders.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SimFill {
    /// Trade number of its listing, growing; the same on both sides of a trade.
    pub trade_id: u64,
    /// The order.
    pub order_id: u64,
    /// The account it belongs to.
    pub account: AccountId,
    /// The listing it is on.
    pub listing: ListingIndex,
    /// Buy or sell.
    #[serde(with = "whole")]
    pub side: Side,
    /// At what price.
    #[serde(with = "whole")]
    pub tick: Tick,
    /// Quantity.
    #[serde(with = "whole")]
    pub lots: Lots,
    /// Quote value.
    #[serde(with = "whole")]
    pub value: QuoteAtoms,
    /// Fee in atoms of the fee asset; negative for a rebate.
    #[serde(with = "whole")]
    pub fee: i128,
    /// In which asset the fee was taken.
    pub fee_asset: String,
    /// Whether the order rested.
    pub maker: bool,
    /// Profit realised by closing part of a position.
    #[serde(with = "whole")]
    pub realised: QuoteAtoms,
    /// When.
    #[serde(with = "whole")]
    pub at: Nanos,
}

/// A trade of one of our accounts' orders as everybody sees it: once, whoever was on its two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TradePrint {
    /// The listing it is on.
    pub listing: ListingIndex,
    /// Trade number, the same as in the fills of both sides.
    pub trade_id: u64,
    /// Side of the order that did not rest.
    pub aggressor: Side,
    /// Price and quantity.
    pub level: Level,
}

/// One asset of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimBalance {
    /// Asset.
    pub asset: String,
    /// Usable, in atoms.
    pub free: i128,
    /// Bound by open orders, in atoms.
    pub locked: i128,
}

/// A perpetual position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimPosition {
    /// Signed quantity.
    #[serde(with = "whole")]
    pub lots: Lots,
    /// What the position cost, signed as the quantity is.
    #[serde(with = "whole")]
    pub cost: QuoteAtoms,
    /// Profit realised so far, fees not included.
    #[serde(with = "whole")]
    pub realised: QuoteAtoms,
}

/// One step of a venue's margin table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarginBracket {
    /// Highest leverage that may be chosen for a position of this value.
    pub leverage_max: i64,
    /// Largest position value, in whole units of the quote asset.
    pub notional_max: i64,
    /// Maintenance margin in millionths of the position's value.
    pub maintenance_millionths: i64,
    /// What is taken off the maintenance margin, in whole units of the quote asset, so that it grows without a jump.
    pub deduction: i64,
}

/// What a position and the orders beside it bind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PositionMargin {
    /// Value at the mid, signed as the position is.
    pub notional: QuoteAtoms,
    /// Profit not yet realised.
    pub unrealised: QuoteAtoms,
    /// Margin that the position binds.
    pub position_initial: QuoteAtoms,
    /// Margin that open orders bind.
    pub orders_initial: QuoteAtoms,
    /// Margin below which the venue closes the position.
    pub maintenance: QuoteAtoms,
    /// Value of open buy orders.
    pub bid_notional: QuoteAtoms,
    /// Value of open sell orders.
    pub ask_notional: QuoteAtoms,
    /// Price at which the account's margin falls to what must be maintained; `None` if no price is.
    pub liquidation: Option<Tick>,
}

/// Why the world refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SimRefusal {
    /// Not enough of the asset.
    InsufficientBalance,
    /// Not enough margin.
    InsufficientMargin,
    /// A post-only order would trade at once.
    WouldMatch,
    /// A fill-or-kill order cannot fill whole.
    NotFillable,
    /// An open order has this client id.
    DuplicateClientId,
    /// No such order.
    UnknownOrder,
    /// It would not shrink the position.
    ReduceOnly,
    /// Too many open orders.
    TooManyOrders,
    /// Price too far above the market: this is the highest allowed.
    PriceTooHigh(Tick),
    /// Price too far below the market: this is the lowest allowed.
    PriceTooLow(Tick),
    /// More than the leverage chosen allows to hold.
    PositionLimit,
    /// Order value too small.
    Notional,
    /// There is no market yet, or one side is empty.
    NoMarket,
    /// A conditional order whose price is already reached.
    WouldTrigger,
    /// A quantity that an open order cannot be changed to.
    AmendRejected,
    /// A change that changes nothing.
    NoChange,
}

/// How an order is named in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderKey<'a> {
    /// The exchange's number.
    Id(u64),
    /// The client's name.
    ClientId(&'a str),
}

/// What happened to an order.
#[derive(Clone, Debug)]
pub enum OrderChange {
    /// Accepted.
    New,
    /// Filled, wholly or partly.
    Trade(SimFill),
    /// Cancelled; the request's own client id, empty if it had none.
    Canceled {
        /// Client id of the cancel request.
        request_client_id: String,
    },
    /// The rest expired.
    Expired,
    /// Quantity or price changed.
    Amended {
        /// Client id before the change.
        former_client_id: String,
    },
    /// Self-trade prevention ended it.
    Prevented(SimPrevention),
}

/// A trade that self-trade prevention kept from happening.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimPrevention {
    /// Its number, growing.
    pub id: u64,
    /// The incoming order.
    pub taker_order: u64,
    /// The resting order.
    pub maker_order: u64,
    /// The account of both.
    pub account: AccountId,
    /// The listing of both.
    pub listing: ListingIndex,
    /// The incoming order's rule.
    pub rule: SelfTrade,
    /// At what price they would have traded.
    #[serde(with = "whole")]
    pub tick: Tick,
    /// What they would have traded.
    #[serde(with = "whole")]
    pub lots: Lots,
    /// When.
    #[serde(with = "whole")]
    pub at: Nanos,
}

/// One event for an account's user stream, in order.
#[derive(Clone, Debug)]
pub struct WorldEvent {
    /// When.
    pub at: Nanos,
    /// What happened.
    pub change: OrderChange,
    /// The order after it.
    pub order: SimOrder,
    /// The balances that it changed, as they are after it.
    pub balances: Vec<SimBalance>,
    /// The position after it.
    pub position: SimPosition,
}

/// The displayed book, best level first.
#[derive(Clone, Debug, Default)]
pub struct BookSnapshot {
    /// Update id of the last message in it.
    pub sequence: u64,
    /// Bids.
    pub bids: Vec<Level>,
    /// Asks.
    pub asks: Vec<Level>,
}

/// A rate window of the exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SimWindowKind {
    /// Request weight a minute, by address.
    Weight,
    /// Orders in the short window, by account.
    OrdersShort,
    /// Orders in the long window, by account.
    OrdersLong,
    /// Connections in five minutes, by address.
    Connections,
}

/// What a window says after a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowUse {
    /// Used, with this count if it was allowed.
    pub used: u64,
    /// Allowed.
    pub limit: u64,
    /// Whether this count was allowed.
    pub allowed: bool,
    /// When the window starts anew.
    pub resets_at: Nanos,
}

/// What kind of market message is about to be relayed, for faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// Depth update.
    Depth,
    /// Best bid/ask.
    Touch,
    /// Trade.
    Trade,
    /// Anything else.
    Other,
}

/// What becomes of a market message on its way to clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameFault {
    /// No fault: relayed.
    None,
    /// Lost.
    Drop,
    /// Sent twice.
    Twice,
    /// Sent after the next one of its stream.
    Swap,
    /// Cut short, so that it is no longer JSON.
    Malform,
    /// Made this many bytes long.
    Oversize(usize),
}

/// Kinds of request, for faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SimRequestKind {
    /// A new order.
    Place,
    /// A cancel of one or many.
    Cancel,
    /// A depth snapshot.
    Snapshot,
    /// The server's clock.
    Time,
    /// User data's subscription.
    UserData,
    /// Anything else.
    Other,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestFault {
    /// No fault: handled.
    None,
    /// Refused without being handled.
    Refuse {
        /// HTTP status.
        status: u16,
        /// The venue's code.
        code: i64,
        /// Text.
        message: String,
        /// Seconds to wait, if the venue says so.
        retry_after_seconds: Option<u64>,
    },
    /// Refused without being handled, because the venue has too much to do.
    Busy,
    /// Handled, but the reply never leaves.
    LoseReply,
    /// Handled, the reply held back this long.
    DelayReply(Nanos),
    /// Never handled and never answered.
    LoseRequest,
    /// Handled only after this long, as if it had been on its way.
    DelayRequest(Nanos),
    /// Handled and answered twice.
    ReplyTwice,
    /// Handled, and answered that its outcome is not known.
    HideOutcome,
}
