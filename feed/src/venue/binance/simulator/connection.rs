//! COLD: one client connection as the simulated Binance sees it, and everything on its way out.

use super::stream_names::Subscription;
use crate::sim::api::AccountId;
use crate::sim::fault_plan::UserDataFate;
use crate::sim::side::{ConnectionId, ExchangeOutput};
use crate::venue::binance::Product;
use spinbook_engine::types::Nanos;
use std::collections::{BTreeMap, VecDeque};

/// Bytes that may wait for one connection; a client slower than that is cut off.
pub const QUEUED_BYTES_MAX: usize = 16 << 20;
/// How long a connection lives.
pub const LIFE: Nanos = Nanos::from_seconds(24 * 3600);

/// Which streams a connection may carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamClass {
    /// Spot: all.
    All,
    /// USD-M depth and best bid/ask; also what the old un-routed path still delivers.
    Public,
    /// USD-M trades and everything else of the market.
    Market,
    /// USD-M user data.
    Private,
}

/// A stream connection.
#[derive(Clone, Debug)]
pub struct StreamEndpoint {
    /// Whether messages are wrapped with their stream's name.
    pub combined: bool,
    /// What it may carry.
    pub route: StreamClass,
    /// What it carries.
    pub subscriptions: Vec<Subscription>,
    /// User data events wanted, if not all.
    pub events: Option<Vec<String>>,
    /// Whether times are told in microseconds.
    pub micros: bool,
}

/// A WebSocket API connection.
#[derive(Clone, Debug, Default)]
pub struct ApiEndpoint {
    /// Who logged on.
    pub session: Option<AccountId>,
    /// Since when.
    pub authorized_since: Nanos,
    /// Whether replies carry the rate windows.
    pub rate_limits: bool,
    /// Whether times are told in microseconds.
    pub micros: bool,
    /// User data subscriptions by number.
    pub subscriptions: Vec<(u32, AccountId)>,
    /// Number of the next one.
    pub next_subscription: u32,
}

/// What a connection is for.
#[derive(Clone, Debug)]
pub enum SimulatorEndpoint {
    /// Streams.
    Stream(StreamEndpoint),
    /// Requests.
    Api(ApiEndpoint),
}

/// One connection.
#[derive(Clone, Debug)]
pub struct ClientConnection {
    /// What it is for.
    pub endpoint: SimulatorEndpoint,
    /// Since when.
    pub opened: Nanos,
    /// When it gets the next ping.
    pub next_ping: Nanos,
    /// Until when the last ping must be answered.
    pub pong_due: Nanos,
    /// Market frames sent.
    pub frames: u64,
    /// Arrival times of the client's messages in the last second.
    arrivals: VecDeque<Nanos>,
}

/// How often the server pings.
#[must_use]
pub(crate) fn ping_interval(product: Product) -> Nanos {
    match product {
        Product::BinanceSpot => Nanos::from_seconds(20),
        Product::BinanceUsdm => Nanos::from_seconds(180),
    }
}

/// How long a pong may take.
#[must_use]
pub(crate) fn pong_timeout(product: Product) -> Nanos {
    match product {
        Product::BinanceSpot => Nanos::from_seconds(60),
        Product::BinanceUsdm => Nanos::from_seconds(600),
    }
}

/// Messages a second that a client may send, control frames included.
#[must_use]
pub(crate) fn messages_per_second(product: Product) -> usize {
    match product {
        Product::BinanceSpot => 5,
        Product::BinanceUsdm => 10,
    }
}

impl ClientConnection {
    /// A new connection.
    #[must_use]
    pub(crate) fn new(endpoint: SimulatorEndpoint, product: Product, now: Nanos) -> ClientConnection {
        ClientConnection {
            endpoint,
            opened: now,
            next_ping: now + ping_interval(product),
            pong_due: Nanos::NEVER,
            frames: 0,
            arrivals: VecDeque::new(),
        }
    }

    /// Counts a message of the client; `false` if that is one too many.
    pub fn count_message(&mut self, limit: usize, now: Nanos) -> bool {
        while self.arrivals.front().is_some_and(|at| now - *at >= Nanos::from_seconds(1)) {
            self.arrivals.pop_front();
        }
        self.arrivals.push_back(now);
        self.arrivals.len() <= limit
    }

    /// When something happens to it by itself.
    #[must_use]
    pub fn deadline(&self) -> Nanos {
        self.next_ping.min(self.pong_due).min(self.opened + LIFE)
    }
}

/// Requests that were held up on their way in.
#[derive(Debug, Default)]
pub(crate) struct LateRequests {
    held: VecDeque<(Nanos, ConnectionId, Vec<u8>)>,
}

impl LateRequests {
    pub(crate) fn hold(&mut self, at: Nanos, connection: ConnectionId, text: Vec<u8>) {
        let place = self.held.partition_point(|(other, _, _)| *other <= at);
        self.held.insert(place, (at, connection, text));
    }

    pub(crate) fn take_due(&mut self, now: Nanos) -> Option<(ConnectionId, Vec<u8>)> {
        self.held.front().filter(|(at, _, _)| *at <= now)?;
        self.held.pop_front().map(|(_, connection, text)| (connection, text))
    }

    pub(crate) fn deadline(&self) -> Nanos {
        self.held.front().map_or(Nanos::NEVER, |(at, _, _)| *at)
    }
}

/// Everything on its way out, in order, bounded for each connection.
#[derive(Debug, Default)]
pub struct Outbox {
    queue: VecDeque<ExchangeOutput>,
    delayed: VecDeque<(Nanos, ConnectionId, Vec<u8>)>,
    queued_bytes: BTreeMap<ConnectionId, usize>,
    /// Connections that were too slow.
    pub overflowed: Vec<ConnectionId>,
}

impl Outbox {
    /// A message to a client.
    pub fn text(&mut self, connection: ConnectionId, text: Vec<u8>) {
        let bytes = self.queued_bytes.entry(connection).or_insert(0);
        *bytes += text.len();
        if *bytes > QUEUED_BYTES_MAX {
            if !self.overflowed.contains(&connection) {
                self.overflowed.push(connection);
            }
            return;
        }
        self.queue.push_back(ExchangeOutput::Text { connection, text });
    }

    /// A message of user data, which may meet a fault.
    pub fn user_data(&mut self, connection: ConnectionId, text: Vec<u8>, fate: UserDataFate, now: Nanos) {
        match fate {
            UserDataFate::Lost => {}
            UserDataFate::Sent => self.text(connection, text),
            UserDataFate::Twice => {
                self.text(connection, text.clone());
                self.text(connection, text);
            }
            UserDataFate::Late(wait) => self.text_at(now + wait, connection, text),
        }
    }

    /// A message that leaves later.
    pub fn text_at(&mut self, at: Nanos, connection: ConnectionId, text: Vec<u8>) {
        let place = self.delayed.partition_point(|(other, _, _)| *other <= at);
        self.delayed.insert(place, (at, connection, text));
    }

    /// Lets go of delayed messages that are due.
    pub fn release(&mut self, now: Nanos) {
        while self.delayed.front().is_some_and(|(at, _, _)| *at <= now) {
            if let Some((_, connection, text)) = self.delayed.pop_front() {
                self.text(connection, text);
            }
        }
    }

    /// When the next delayed message leaves.
    #[must_use]
    pub fn deadline(&self) -> Nanos {
        self.delayed.front().map_or(Nanos::NEVER, |(at, _, _)| *at)
    }

    /// A ping.
    pub fn ping(&mut self, connection: ConnectionId, payload: Vec<u8>) {
        self.queue.push_back(ExchangeOutput::Ping { connection, payload });
    }

    /// Closes a connection.
    pub fn close(&mut self, connection: ConnectionId, code: u16, reason: &str) {
        self.queue.push_back(ExchangeOutput::Close { connection, code, reason: reason.to_owned() });
        self.delayed.retain(|(_, other, _)| *other != connection);
    }

    /// Throws away what waits for a connection that is gone.
    pub fn forget(&mut self, connection: ConnectionId) {
        self.queued_bytes.remove(&connection);
        self.delayed.retain(|(_, other, _)| *other != connection);
        self.queue.retain(|output| match output {
            ExchangeOutput::Text { connection: other, .. } | ExchangeOutput::Ping { connection: other, .. } => {
                *other != connection
            }
            _ => true,
        });
    }

    /// The next thing out.
    pub fn pop(&mut self) -> Option<ExchangeOutput> {
        let output = self.queue.pop_front()?;
        if let ExchangeOutput::Text { connection, text } = &output
            && let Some(bytes) = self.queued_bytes.get_mut(connection)
        {
            *bytes = bytes.saturating_sub(text.len());
        }
        Some(output)
    }

    /// Whether something waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}
