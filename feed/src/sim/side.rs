//! COLD: the venue's other side: what a simulated exchange offers to the driver that carries its bytes.
//!
//! Sans-IO: a driver (sockets in `net/exchange/server`, or a test in virtual time) brings requests and time, and
//! carries away what [`ExchangeSide::poll_output`] gives.

use crate::sim::api::SimOrder;
use spinbook_engine::types::Nanos;

/// One WebSocket connection of a client, numbered by the driver, never reused within a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// A complete HTTP request.
#[derive(Clone, Debug)]
pub struct HttpRequest<'a> {
    /// Upper-case method.
    pub method: &'a str,
    /// Path with query, exactly as sent (percent-encoded).
    pub target: &'a str,
    /// Header names as sent (compare without case) and values.
    pub headers: &'a [(&'a str, &'a str)],
    /// Body, empty if none.
    pub body: &'a [u8],
}

impl HttpRequest<'_> {
    /// The first header of this name, compared without case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    /// Path and query, split at the first `?` (query empty if none).
    #[must_use]
    pub fn path_and_query(&self) -> (&str, &str) {
        self.target.split_once('?').unwrap_or((self.target, ""))
    }
}

/// A complete HTTP reply; the driver adds `Content-Length` and `Date`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpResponse {
    /// Status code.
    pub status: u16,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// Body, JSON for every venue.
    pub body: Vec<u8>,
}

/// What the exchange wants its driver to carry away, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExchangeOutput {
    /// A text message to a client.
    Text {
        /// The client's connection.
        connection: ConnectionId,
        /// The message, UTF-8.
        text: Vec<u8>,
    },
    /// A binary message to a client (some venues send gzip).
    Binary {
        /// The client's connection.
        connection: ConnectionId,
        /// The message.
        bytes: Vec<u8>,
    },
    /// A protocol ping to a client.
    Ping {
        /// The client's connection.
        connection: ConnectionId,
        /// Payload the pong must repeat.
        payload: Vec<u8>,
    },
    /// Close a client's connection.
    Close {
        /// The client's connection.
        connection: ConnectionId,
        /// WebSocket close code; zero: cut the TCP connection without a word.
        code: u16,
        /// Reason text.
        reason: String,
    },
}

/// A control frame from a client; venues count them against the message limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientControl {
    /// The client pinged (the driver answers).
    Ping,
    /// The client ponged.
    Pong,
}

/// What a simulated exchange has done so far, and what became of its market.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExchangeStatus {
    /// Market frames played.
    pub frames_played: u64,
    /// Market frames sent to clients.
    pub frames_relayed: u64,
    /// Market frames that could not be read; they were relayed all the same.
    pub frames_unread: u64,
    /// HTTP requests answered.
    pub http_requests: u64,
    /// WebSocket messages received.
    pub messages: u64,
    /// Connections closed by the exchange.
    pub closed: u64,
    /// Requests refused because a rate window was full, or while their address was banned.
    pub rate_refusals: u64,
    /// Of these, those while it was banned.
    pub ban_refusals: u64,
    /// Whether the market has been played to its end.
    pub market_over: bool,
    /// What was wrong with the market source, if it broke.
    pub market_error: Option<String>,
}

/// A simulated exchange, complete: market data, REST, WebSocket API, user data.
pub trait ExchangeSide {
    /// Answers one HTTP request.
    fn on_http(&mut self, request: &HttpRequest<'_>, now: Nanos) -> HttpResponse;
    /// A client asks to upgrade `target` (path and query) to WebSocket; an `Err` is the refusal to send.
    ///
    /// # Errors
    /// The HTTP reply that refuses the upgrade.
    fn on_websocket_open(&mut self, connection: ConnectionId, target: &str, now: Nanos) -> Result<(), HttpResponse>;
    /// A complete text message from a client.
    fn on_websocket_text(&mut self, connection: ConnectionId, text: &[u8], now: Nanos);
    /// A control frame from a client.
    fn on_websocket_control(&mut self, connection: ConnectionId, control: ClientControl, now: Nanos);
    /// The client is gone.
    fn on_websocket_close(&mut self, connection: ConnectionId, now: Nanos);
    /// Time passed: plays market data that is due, expires windows, pings.
    fn on_timer(&mut self, now: Nanos);
    /// When [`ExchangeSide::on_timer`] wants to be called next.
    fn next_deadline(&self) -> Nanos;
    /// The next thing to carry away.
    fn poll_output(&mut self) -> Option<ExchangeOutput>;

    /// Takes one frame of a market that goes on elsewhere: for paper trading, where orders meet a live market. An
    /// exchange that plays only a market of its own ignores it.
    fn on_market_frame(&mut self, _frame: &MarketFrame, _now: Nanos) {}

    /// What changed of what is to outlive its process since this was asked last, as a line of JSON; `None` if nothing
    /// did, or if nothing is kept. A driver keeps it before it carries anything away.
    fn take_changes(&mut self, _now: Nanos) -> Option<Vec<u8>> {
        None
    }

    /// Everything that is to outlive its process, as a line of JSON.
    fn whole_state(&self, _now: Nanos) -> Vec<u8> {
        Vec::new()
    }

    /// The next thing worth a line in the log: what a client asked for that there is not, once for each.
    fn poll_notice(&mut self) -> Option<String> {
        None
    }

    /// What became of its market so far.
    fn status(&self) -> ExchangeStatus {
        ExchangeStatus::default()
    }

    /// Every order that is open on it, of all accounts, by number: the truth that clients are judged by.
    fn open_orders(&self) -> Vec<SimOrder> {
        Vec::new()
    }

    /// How many orders are open on it, without looking at each.
    fn open_order_count(&self) -> usize {
        self.open_orders().len()
    }

    /// Whether its invariants hold.
    ///
    /// # Errors
    /// The first that does not, in words.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

impl<E: ExchangeSide + ?Sized> ExchangeSide for Box<E> {
    fn on_http(&mut self, request: &HttpRequest<'_>, now: Nanos) -> HttpResponse {
        (**self).on_http(request, now)
    }

    fn on_websocket_open(&mut self, connection: ConnectionId, target: &str, now: Nanos) -> Result<(), HttpResponse> {
        (**self).on_websocket_open(connection, target, now)
    }

    fn on_websocket_text(&mut self, connection: ConnectionId, text: &[u8], now: Nanos) {
        (**self).on_websocket_text(connection, text, now);
    }

    fn on_websocket_control(&mut self, connection: ConnectionId, control: ClientControl, now: Nanos) {
        (**self).on_websocket_control(connection, control, now);
    }

    fn on_websocket_close(&mut self, connection: ConnectionId, now: Nanos) {
        (**self).on_websocket_close(connection, now);
    }

    fn on_timer(&mut self, now: Nanos) {
        (**self).on_timer(now);
    }

    fn next_deadline(&self) -> Nanos {
        (**self).next_deadline()
    }

    fn poll_output(&mut self) -> Option<ExchangeOutput> {
        (**self).poll_output()
    }

    fn on_market_frame(&mut self, frame: &MarketFrame, now: Nanos) {
        (**self).on_market_frame(frame, now);
    }

    fn take_changes(&mut self, now: Nanos) -> Option<Vec<u8>> {
        (**self).take_changes(now)
    }

    fn poll_notice(&mut self) -> Option<String> {
        (**self).poll_notice()
    }

    fn whole_state(&self, now: Nanos) -> Vec<u8> {
        (**self).whole_state(now)
    }

    fn status(&self) -> ExchangeStatus {
        (**self).status()
    }

    fn open_orders(&self) -> Vec<SimOrder> {
        (**self).open_orders()
    }

    fn open_order_count(&self) -> usize {
        (**self).open_order_count()
    }

    fn check(&self) -> Result<(), String> {
        (**self).check()
    }
}

/// One frame of a market to play.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarketFrame {
    /// When it was received in the recording, or is due in the synthetic market.
    pub at: Nanos,
    /// The raw bytes, verbatim: a stream message, or a REST snapshot body.
    pub bytes: Vec<u8>,
}
