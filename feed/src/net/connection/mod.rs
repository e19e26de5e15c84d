//! HOT: one client connection from connect to close, never blocking: TCP, TLS, WebSocket upgrade, frames.

mod error;
mod held;
mod opening;
mod settings;

use std::io;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use spinbook_engine::types::Nanos;
use tungstenite::error::ProtocolError as ProtocolFault;
use tungstenite::handshake::MidHandshake;
use tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};
use tungstenite::{ClientHandshake, Message, WebSocket};

pub use self::error::{ConnectionError, Operation};
pub use self::settings::{ConnectionLimits, ConnectionSettings};

use self::held::Held;
use super::pipe::Pipe;

/// Readable bytes behind every frame that [`Connection::poll_frame`] hands out.
pub const FRAME_PADDING: usize = 64;
/// Bytes of an upgrade reply's header that are accepted.
const HEADER_BYTES_MAX: usize = 16 * 1024;

/// One text or binary message in a buffer that has [`FRAME_PADDING`] further readable bytes.
#[derive(Debug)]
pub struct Frame<'a> {
    /// The message and the padding behind it.
    pub padded: &'a mut [u8],
    /// Length of the message.
    pub length: usize,
    /// Whether it is a binary message.
    pub binary: bool,
}

/// What the connection can do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// Connecting, or in one of the handshakes.
    Opening,
    /// Frames flow.
    Open,
    /// We closed; waiting for the peer's answer.
    Closing,
    /// Ended: drop it.
    Ended,
}

enum Phase {
    Connecting(Box<MidHandshake<ClientHandshake<Pipe>>>),
    Upgrading(Box<MidHandshake<ClientHandshake<Pipe>>>),
    Open(Box<WebSocket<Pipe>>),
    Ended,
}

/// A non-blocking client connection. Owned and driven by one thread.
pub struct Connection {
    tcp: TcpStream,
    phase: Phase,
    limits: ConnectionLimits,
    current: Held,
    /// The message behind the current one, if it was asked for and is there.
    staged: Held,
    staged_error: Option<ConnectionError>,
    closing: bool,
    readable: bool,
    backlog: usize,
    header_bytes: usize,
    deadline: Nanos,
    received_last: Nanos,
    pinged_at: Nanos,
    pong_last: Nanos,
    ping_window: Nanos,
    pings_in_window: u32,
    pings: u64,
    bytes_received: u64,
    bytes_sent: u64,
}

impl Connection {
    /// Registers the socket with a poll, once.
    ///
    /// # Errors
    /// The system's refusal.
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.tcp, token, Interest::READABLE | Interest::WRITABLE)
    }

    /// Takes the socket out of a poll.
    pub fn deregister(&mut self, registry: &Registry) {
        // A socket that is being dropped leaves the poll by itself; nothing can be done about a refusal.
        let _ = registry.deregister(&mut self.tcp);
    }

    /// The poll said that there is something to read (it says so once, until all has been read).
    #[inline]
    pub const fn on_readable(&mut self) {
        self.readable = true;
    }

    /// Whether reading may yield more.
    #[inline]
    #[must_use]
    pub const fn may_read(&self) -> bool {
        self.readable
    }

    /// What the connection can do now.
    #[must_use]
    pub const fn state(&self) -> ConnectionState {
        match self.phase {
            Phase::Connecting(_) | Phase::Upgrading(_) => ConnectionState::Opening,
            Phase::Open(_) if self.closing => ConnectionState::Closing,
            Phase::Open(_) => ConnectionState::Open,
            Phase::Ended => ConnectionState::Ended,
        }
    }

    /// Bytes received and sent so far, as TLS records.
    #[must_use]
    pub const fn bytes(&self) -> (u64, u64) {
        (self.bytes_received, self.bytes_sent)
    }

    /// Pings received so far.
    #[must_use]
    pub const fn pings(&self) -> u64 {
        self.pings
    }

    fn tls(&mut self) -> Option<&mut rustls::Connection> {
        match &mut self.phase {
            Phase::Connecting(handshake) | Phase::Upgrading(handshake) => Some(&mut handshake.get_mut().get_mut().tls),
            Phase::Open(websocket) => Some(&mut websocket.get_mut().tls),
            Phase::Ended => None,
        }
    }

    /// Reads once from the socket into TLS. False when there is nothing more to read now.
    fn receive_tls(&mut self, now: Nanos) -> Result<bool, ConnectionError> {
        if !self.readable {
            return Ok(false);
        }
        let opening = !matches!(self.phase, Phase::Open(_));
        // Split borrows: the session lives in the phase, the socket beside it.
        let tls = match &mut self.phase {
            Phase::Connecting(handshake) | Phase::Upgrading(handshake) => &mut handshake.get_mut().get_mut().tls,
            Phase::Open(websocket) => &mut websocket.get_mut().tls,
            Phase::Ended => return Err(ConnectionError::Ended),
        };
        match tls.read_tls(&mut self.tcp) {
            Ok(received) => {
                self.bytes_received += received as u64;
                if received > 0 {
                    self.received_last = now;
                }
                let state = match tls.process_new_packets() {
                    Ok(state) => state,
                    Err(error) => {
                        // The alert that says why is worth one attempt to send.
                        let _ = tls.write_tls(&mut self.tcp);
                        return Err(ConnectionError::Tls(error));
                    }
                };
                if opening && !tls.is_handshaking() {
                    self.header_bytes += state.plaintext_bytes_to_read();
                    if self.header_bytes > HEADER_BYTES_MAX {
                        return Err(ConnectionError::HeaderTooLarge { bytes_max: HEADER_BYTES_MAX });
                    }
                }
                if received == 0 && tls.is_handshaking() {
                    return Err(ConnectionError::Truncated);
                }
                if received == 0 {
                    self.readable = false;
                }
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.readable = false;
                Ok(false)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(ConnectionError::from_socket(error)),
        }
    }

    /// Hands as much of what TLS wants to send to the kernel as it takes. True when nothing is left.
    fn flush_tls(&mut self) -> Result<bool, ConnectionError> {
        let tls = match &mut self.phase {
            Phase::Connecting(_) => return Ok(false),
            Phase::Upgrading(handshake) => &mut handshake.get_mut().get_mut().tls,
            Phase::Open(websocket) => &mut websocket.get_mut().tls,
            Phase::Ended => return Err(ConnectionError::Ended),
        };
        while tls.wants_write() {
            match tls.write_tls(&mut self.tcp) {
                Ok(0) => return Err(ConnectionError::Socket(io::ErrorKind::WriteZero.into())),
                Ok(sent) => self.bytes_sent += sent as u64,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ConnectionError::from_socket(error)),
            }
        }
        self.backlog = 0;
        Ok(true)
    }

    /// The next message, if one is complete; `None` when the socket has no more now.
    ///
    /// # Errors
    /// Any: the connection has ended.
    pub fn poll_frame(&mut self, now: Nanos) -> Result<Option<Frame<'_>>, ConnectionError> {
        Ok(if self.advance(now)? { Some(self.frame()) } else { None })
    }

    /// Makes the next message the current one; false when none is complete and the socket has no more now.
    ///
    /// # Errors
    /// Any: the connection has ended.
    #[inline]
    pub fn advance(&mut self, now: Nanos) -> Result<bool, ConnectionError> {
        if self.staged.present {
            core::mem::swap(&mut self.current, &mut self.staged);
            self.staged.present = false;
            return Ok(true);
        }
        if let Some(error) = self.staged_error.take() {
            return Err(error);
        }
        let outcome = self.receive_frame(now);
        match outcome {
            Ok(true) => core::mem::swap(&mut self.current, &mut self.staged),
            Ok(false) => {}
            Err(_) => self.end(),
        }
        self.staged.present = false;
        outcome
    }

    /// Whether another message is complete behind the current one. An error is kept for [`Connection::advance`].
    #[inline]
    pub fn has_next(&mut self, now: Nanos) -> bool {
        if !self.staged.present && self.staged_error.is_none() {
            match self.receive_frame(now) {
                Ok(received) => self.staged.present = received,
                Err(error) => {
                    self.end();
                    self.staged_error = Some(error);
                }
            }
        }
        self.staged.present
    }

    /// The current message.
    #[inline]
    pub fn frame(&mut self) -> Frame<'_> {
        let Held { bytes, length, binary, .. } = &mut self.current;
        Frame { padded: &mut bytes[..*length + FRAME_PADDING], length: *length, binary: *binary }
    }

    /// Receives one message into `staged`.
    fn receive_frame(&mut self, now: Nanos) -> Result<bool, ConnectionError> {
        loop {
            let Phase::Open(websocket) = &mut self.phase else {
                return match self.phase {
                    Phase::Ended => Err(ConnectionError::Ended),
                    _ => Ok(false),
                };
            };
            match websocket.read() {
                Ok(Message::Text(text)) => {
                    self.staged.hold(text.as_bytes(), false);
                    return Ok(true);
                }
                Ok(Message::Binary(bytes)) => {
                    self.staged.hold(&bytes, true);
                    return Ok(true);
                }
                Ok(Message::Ping(_)) => self.on_ping(now)?,
                Ok(Message::Close(close)) => {
                    return Err(self.closed_by_peer(close));
                }
                Ok(Message::Pong(_) | Message::Frame(_)) => {}
                Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.answer_ping(now)?;
                    if !self.receive_tls(now)? {
                        return Ok(false);
                    }
                }
                Err(error) => return Err(self.refuse(error)),
            }
        }
    }

    /// Answers the peer's closing handshake as far as the socket takes it.
    // cold: the connection ends here
    fn closed_by_peer(&mut self, close: Option<CloseFrame>) -> ConnectionError {
        if let Phase::Open(websocket) = &mut self.phase {
            let _ = websocket.flush();
            websocket.get_mut().tls.send_close_notify();
            let _ = self.flush_tls();
        }
        let (code, reason) = close.map_or((1005, String::new()), |frame| (frame.code.into(), frame.reason.to_string()));
        ConnectionError::Closed { code, reason }
    }

    /// Tells the peer why the connection fails (1009, 1002 or 1007) as far as the socket takes it.
    fn refuse(&mut self, error: tungstenite::Error) -> ConnectionError {
        let code = match &error {
            tungstenite::Error::Capacity(_) => Some(CloseCode::Size),
            tungstenite::Error::Utf8(_) => Some(CloseCode::Invalid),
            tungstenite::Error::Protocol(ProtocolFault::ResetWithoutClosingHandshake) => None,
            tungstenite::Error::Protocol(_) => Some(CloseCode::Protocol),
            _ => None,
        };
        if let (Some(code), Phase::Open(websocket)) = (code, &mut self.phase) {
            let _ = websocket.close(Some(CloseFrame { code, reason: "".into() }));
            websocket.get_mut().tls.send_close_notify();
            let _ = self.flush_tls();
        }
        ConnectionError::from_websocket(error)
    }

    fn on_ping(&mut self, now: Nanos) -> Result<(), ConnectionError> {
        self.pings += 1;
        if now - self.ping_window >= Nanos::from_seconds(1) {
            self.ping_window = now;
            self.pings_in_window = 0;
        }
        self.pings_in_window += 1;
        if self.pings_in_window > self.limits.pings_per_second_max {
            return Err(ConnectionError::PingFlood { per_second_max: self.limits.pings_per_second_max });
        }
        Ok(())
    }

    /// Lets the newest pong go if the last one is long enough ago.
    fn answer_ping(&mut self, now: Nanos) -> Result<(), ConnectionError> {
        let Phase::Open(websocket) = &mut self.phase else {
            return Ok(());
        };
        if websocket.get_ref().holds_pong() && now - self.pong_last >= self.limits.pong_spacing {
            websocket.get_mut().release_pong().map_err(ConnectionError::Socket)?;
            self.pong_last = now;
            self.flush_tls()?;
        }
        Ok(())
    }

    /// Sends one text message; what the kernel does not take now follows on [`Connection::flush`].
    ///
    /// # Errors
    /// Not open, too much unsent, or the socket failed: the connection has ended.
    pub fn send_text(&mut self, text: &[u8]) -> Result<(), ConnectionError> {
        let outcome = self.send_inner(text);
        if outcome.is_err() {
            self.end();
        }
        outcome
    }

    fn send_inner(&mut self, text: &[u8]) -> Result<(), ConnectionError> {
        let Phase::Open(websocket) = &mut self.phase else {
            return Err(ConnectionError::Ended);
        };
        let bytes = self.backlog + text.len();
        if bytes > self.limits.backlog_bytes_max {
            return Err(ConnectionError::Backlog { bytes, bytes_max: self.limits.backlog_bytes_max });
        }
        let text = std::str::from_utf8(text).map_err(|error| ConnectionError::Request(error.to_string()))?;
        websocket.send(Message::text(text)).map_err(ConnectionError::from_websocket)?;
        self.backlog = bytes;
        self.flush_tls()?;
        Ok(())
    }

    /// Sends what is left; call when the poll says writable. True when nothing is left.
    ///
    /// # Errors
    /// The socket failed: the connection has ended.
    pub fn flush(&mut self) -> Result<bool, ConnectionError> {
        if matches!(self.phase, Phase::Ended) {
            return Err(ConnectionError::Ended);
        }
        let outcome = self.flush_tls();
        if outcome.is_err() {
            self.end();
        }
        outcome
    }

    /// Starts the closing handshake; [`Connection::poll_frame`] ends with [`ConnectionError::Closed`].
    pub fn close(&mut self, now: Nanos) {
        let Phase::Open(websocket) = &mut self.phase else {
            self.end();
            return;
        };
        self.closing = true;
        self.deadline = now + self.limits.close_within;
        let going = websocket.close(Some(CloseFrame { code: CloseCode::Normal, reason: "".into() }));
        if going.is_err() || self.flush_tls().is_err() {
            self.end();
        }
    }

    /// When [`Connection::on_timer`] wants to be called next.
    #[must_use]
    pub fn next_deadline(&self) -> Nanos {
        let Phase::Open(websocket) = &self.phase else {
            return self.deadline;
        };
        let ping_due = if self.pinged_at < self.received_last {
            self.received_last + self.limits.ping_after
        } else {
            Nanos::NEVER
        };
        let pong_due =
            if websocket.get_ref().holds_pong() { self.pong_last + self.limits.pong_spacing } else { Nanos::NEVER };
        self.deadline.min(self.received_last + self.limits.silent_max).min(ping_due).min(pong_due)
    }

    /// Checks every deadline, pings a silent peer and answers the newest ping.
    ///
    /// # Errors
    /// A deadline passed: the connection has ended.
    pub fn on_timer(&mut self, now: Nanos) -> Result<(), ConnectionError> {
        let outcome = self.on_timer_inner(now);
        if outcome.is_err() {
            self.end();
        }
        outcome
    }

    fn on_timer_inner(&mut self, now: Nanos) -> Result<(), ConnectionError> {
        if now >= self.deadline {
            let (operation, limit) = match self.closing {
                true => (Operation::Close, self.limits.close_within),
                false => (Operation::Open, self.limits.open_within),
            };
            return Err(ConnectionError::Deadline { operation, limit_ms: limit.millis() });
        }
        let Phase::Open(websocket) = &mut self.phase else {
            return Ok(());
        };
        let silent = now - self.received_last;
        if silent >= self.limits.silent_max {
            return Err(ConnectionError::Silent { silent_ms: silent.millis() });
        }
        if silent >= self.limits.ping_after && self.pinged_at < self.received_last && !self.closing {
            websocket.send(Message::Ping(tungstenite::Bytes::new())).map_err(ConnectionError::from_websocket)?;
            self.pinged_at = now;
            self.flush_tls()?;
        }
        self.answer_ping(now)
    }

    fn end(&mut self) {
        if let Some(tls) = self.tls() {
            tls.send_close_notify();
            let _ = self.flush_tls();
        }
        self.phase = Phase::Ended;
        self.readable = false;
        self.deadline = Nanos::NEVER;
    }
}
