//! COLD: what a venue's order side is: its connections, how a session is set up, requests out, messages in, and what
//! a refusal means.

use spinbook_engine::types::{Nanos, OrderId};

use crate::crypto::credentials::Credentials;
use crate::venue::instrument::Instrument;
use crate::venue::order_ids::{ClientOrderId, RunName};
use crate::venue::orders::{OrderDecodeError, OrderMessage, Refusal, Request, RequestId, RequestKind};

/// One of an order side's connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrderConnection {
    /// Requests and their replies; also user data, where that has no connection of its own.
    Orders,
    /// User data, where it comes over a connection of its own.
    UserData,
    /// A second way for requests, kept warm: cancels leave by it when the first is silent or gone.
    Spare,
}

impl OrderConnection {
    /// Each of them.
    pub const ALL: [OrderConnection; 3] = [OrderConnection::Orders, OrderConnection::UserData, OrderConnection::Spare];
    /// Those that take requests about orders, the usual one first.
    pub const REQUESTS: [OrderConnection; 2] = [OrderConnection::Orders, OrderConnection::Spare];

    /// Its place in arrays by connection.
    #[inline]
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// One step of setting a session up once its orders connection is open. A room lists its steps in order; behind the
/// last one the gateway asks for open orders and cancels what it finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeStep {
    /// Measure the venue's clock ([`Request::ServerTime`]).
    Clock,
    /// Log on ([`Request::LogOn`]), over this connection.
    LogOn(OrderConnection),
    /// Ask for the key that opens the user data connection ([`Request::StartUserData`]).
    UserDataKey,
    /// Open the user data connection.
    ConnectUserData,
    /// Subscribe user data ([`Request::SubscribeUserData`]), over this connection.
    Subscribe(OrderConnection),
}

impl HandshakeStep {
    /// Whether the step brings the orders connection to where it takes requests; the others are about user data.
    #[must_use]
    pub const fn is_for_orders(self) -> bool {
        matches!(self, HandshakeStep::Clock | HandshakeStep::LogOn(OrderConnection::Orders))
    }

    /// Whether the step is about the user data connection, and so is repeated when that one ends.
    #[must_use]
    pub const fn is_user_data(self) -> bool {
        matches!(
            self,
            HandshakeStep::UserDataKey
                | HandshakeStep::ConnectUserData
                | HandshakeStep::LogOn(OrderConnection::UserData)
                | HandshakeStep::Subscribe(OrderConnection::UserData)
        )
    }

    /// The request that the step sends, and over which connection; `None` where it sends none.
    #[must_use]
    pub const fn request(self) -> Option<(RequestKind, OrderConnection)> {
        match self {
            HandshakeStep::Clock => Some((RequestKind::ServerTime, OrderConnection::Orders)),
            HandshakeStep::LogOn(connection) => Some((RequestKind::LogOn, connection)),
            HandshakeStep::UserDataKey => Some((RequestKind::StartUserData, OrderConnection::Orders)),
            HandshakeStep::ConnectUserData => None,
            HandshakeStep::Subscribe(connection) => Some((RequestKind::SubscribeUserData, connection)),
        }
    }
}

/// What happens when an order of ours would meet another of ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SelfTradePrevention {
    /// The resting order is ended.
    #[default]
    ExpireMaker,
    /// The incoming order is ended.
    ExpireTaker,
    /// Both are ended.
    ExpireBoth,
    /// They trade.
    None,
}

/// What a refusal means for what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// The order does not live; the engine may quote again at another price (post-only cross, price band).
    Reprice,
    /// The order does not live; less can be afforded (balance, margin).
    Reduce,
    /// The order does not live; our rules of the instrument are wrong or old: not to be sent again unchanged.
    RefreshInstrument,
    /// The order does not live; nothing else follows.
    Reject,
    /// The outcome is not known.
    Unknown,
    /// The order to cancel is not there any more, or not yet: ask for it.
    QueryOrder,
    /// The order asked for is not known to the venue (it may still be on its way).
    NotFound,
    /// The clock is off: measure it again; the request was not executed.
    ResyncClock,
    /// No new orders for a time; cancels still go.
    PauseOrders,
    /// No requests for a time but cancels, and those at a slow pace.
    PauseAll,
    /// The venue takes nothing at all from this address for a time.
    Banned,
    /// The venue is busy; the request was not executed; wait a little.
    Backoff,
    /// User data's key is gone: start again.
    RestartUserData,
    /// Trading stops: key, permission, signature.
    Halt,
    /// A setting of account or program is wrong: trading stops, with a message.
    Configuration,
    /// Of no consequence.
    Ignore,
}

/// What a request costs of the venue's windows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Request weight.
    pub weight: u32,
    /// New orders.
    pub orders: u32,
    /// Cancels.
    pub cancels: u32,
}

/// A venue's order side: encodes requests, decodes what comes back, and explains refusals. Sans-IO.
pub trait OrderSide {
    /// The name that an order of ours carries at this venue.
    fn client_id(&self, order: OrderId) -> ClientOrderId;
    /// From here on names are those of this run: its number, and its 64 random bits, zero if it has none. An order that
    /// bears its number and other bits is never read as one of its own.
    fn set_run(&mut self, run: u32, salt: u64);
    /// Earlier runs whose orders this one may go on with, after [`OrderSide::set_run`].
    fn set_earlier_runs(&mut self, earlier: &[RunName]);
    /// Which order of ours carries this name; `None` for any other name.
    fn order_of(&self, client_id: &str) -> Option<OrderId>;
    /// How a session is set up, step by step, from the moment the orders connection is open.
    fn handshake(&self) -> &'static [HandshakeStep];
    /// Path and query to open a connection with; `user_data_key` is the answer to [`HandshakeStep::UserDataKey`], empty
    /// without such a step.
    fn target(&self, connection: OrderConnection, user_data_key: &str) -> String;
    /// Whether the user data key has to be renewed from time to time ([`Request::KeepUserData`]).
    fn keeps_user_data(&self) -> bool;
    /// The connection that takes requests of this kind; the handshake's own say theirs.
    fn connection_of(&self, kind: RequestKind) -> OrderConnection {
        let _ = kind;
        OrderConnection::Orders
    }
    /// Whether the executions of an order can be asked for on a connection.
    fn can_ask_fills(&self) -> bool;
    /// A connection's session is, or is no longer, logged on.
    fn set_logged_on(&mut self, connection: OrderConnection, logged_on: bool);
    /// The requests that follow leave by this connection; [`OrderConnection::Orders`] unless said otherwise.
    fn choose_connection(&mut self, connection: OrderConnection) {
        let _ = connection;
    }
    /// What signs the account's requests over REST; `None` where they cannot be made.
    fn credentials(&self) -> Option<&Credentials> {
        None
    }
    /// Renders what is constant in the requests for these instruments, once, at set-up.
    fn prepare(&mut self, instruments: &[Instrument]) {
        let _ = instruments;
    }
    /// Appends one request as a text message. `venue_now` is the venue's clock as we know it.
    fn encode(&mut self, id: RequestId, request: &Request<'_>, venue_now: Nanos, out: &mut Vec<u8>);
    /// Writes what [`OrderSide::encode`] would append to the beginning of `out` and gives its length, where the
    /// request is one that was prepared and fits; allocates nothing.
    fn encode_at(&self, id: RequestId, request: &Request<'_>, venue_now: Nanos, out: &mut [u8]) -> Option<usize> {
        let _ = (id, request, venue_now, out);
        None
    }
    /// Understands one text message.
    ///
    /// # Errors
    /// What is wrong with it; nothing of it is to be used.
    fn decode(&self, instruments: &[Instrument], frame: &[u8]) -> Result<OrderMessage, OrderDecodeError>;
    /// What a refusal means.
    fn reaction(&self, kind: RequestKind, refusal: &Refusal) -> Reaction;
    /// What a human should do about a refusal, where the venue's code says it.
    fn advice(&self, refusal: &Refusal) -> Option<&'static str>;
    /// How long after its timestamp a request may still be executed by the venue.
    fn validity(&self) -> Nanos;
    /// What a request costs of the venue's windows.
    fn cost(&self, kind: RequestKind) -> Cost;
}
