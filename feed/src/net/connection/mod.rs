//! HOT: one client connection from connect to close, never blocking: TCP, TLS, WebSocket upgrade, frames.

pub mod attempts;
pub mod connector;
mod error;
pub mod handover;
pub mod look_up;
mod masks;
mod opening;
mod outgoing;
pub mod resolve;
mod rustls_session;
mod settings;
mod stream;
pub mod tls;
mod upgrade;

use std::io;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use spinbook_engine::prefetch::prefetch;
use spinbook_engine::types::Nanos;

pub use self::error::{ConnectionError, Operation};
pub use self::settings::{ConnectionLimits, ConnectionSettings};

use self::stream::Stream;
use self::upgrade::Upgrade;
use crate::frame_buffer::PlacedPayload;
use crate::padding::FrameBytes;
use crate::record::Opened;
use crate::websocket::{CONTROL_BYTES_MAX, MessageReader, Opcode, WebSocketError, WebSocketMessage, is_text};

/// Close code of an orderly end (RFC 6455, 7.4.1).
const CLOSE_NORMAL: u16 = 1000;
/// What stands for a close frame without a code.
const CLOSE_WITHOUT_CODE: u16 = 1005;
/// What stands for an end of TLS without a close frame.
const CLOSE_WITHOUT_FRAME: u16 = 1006;

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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Connecting,
    Securing,
    Upgrading,
    Open,
    Ended,
}

/// The mark that a pong bears, if it answers a ping of [`Connection::ping`].
#[cold]
fn marked(payload: &[u8]) -> Option<u64> {
    payload.try_into().ok().map(u64::from_be_bytes)
}

/// A non-blocking client connection. Owned and driven by one thread.
pub struct Connection {
    tcp: TcpStream,
    phase: Phase,
    limits: ConnectionLimits,
    stream: Stream,
    upgrade: Upgrade,
    reader: MessageReader,
    /// Found while looking behind the current message; the next call of [`Connection::process_next`] tells.
    staged_error: Option<ConnectionError>,
    closing: bool,
    readable: bool,
    deadline: Nanos,
    received_last: Nanos,
    pinged_at: Nanos,
    pong_last: Nanos,
    /// Payload of the newest ping, and its length while it is not answered.
    pong: [u8; CONTROL_BYTES_MAX],
    pong_bytes: Option<usize>,
    /// The mark of the newest pong that bears one, until it is taken.
    ponged: Option<u64>,
    ping_window: Nanos,
    pings_in_window: u32,
    pings: u64,
    bytes_received: u64,
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

    /// Asks for the memory that the next frame most likely needs ([`spinbook_engine::prefetch`]).
    pub fn warm(&self) {
        prefetch(self);
        self.stream.warm();
    }

    /// Reads once from the socket, unasked by the poll; true if bytes came, or if the connection has ended, which
    /// [`Connection::process_next`] tells.
    #[inline]
    pub fn poll_read(&mut self, now: Nanos) -> bool {
        if self.phase != Phase::Open || self.staged_error.is_some() {
            return false;
        }
        self.readable = true;
        match self.receive(now) {
            Ok(received) => received,
            Err(error) => {
                self.staged_error = Some(error);
                true
            }
        }
    }

    /// What the connection can do now.
    #[must_use]
    pub const fn state(&self) -> ConnectionState {
        match self.phase {
            Phase::Connecting | Phase::Securing | Phase::Upgrading => ConnectionState::Opening,
            Phase::Open if self.closing => ConnectionState::Closing,
            Phase::Open => ConnectionState::Open,
            Phase::Ended => ConnectionState::Ended,
        }
    }

    /// Whether our own record layer is at work; otherwise rustls opens and seals the records.
    #[must_use]
    pub const fn is_direct(&self) -> bool {
        self.stream.is_direct()
    }

    /// Bytes received and sent so far, as TLS records.
    #[must_use]
    pub const fn bytes(&self) -> (u64, u64) {
        (self.bytes_received, self.stream.sent())
    }

    /// Cycle counter just before the newest message was offered to the socket: for measurement only.
    #[must_use]
    pub const fn written_tsc(&self) -> u64 {
        self.stream.written_tsc()
    }

    /// Pings received so far.
    #[must_use]
    pub const fn pings(&self) -> u64 {
        self.pings
    }

    /// Reads once from the socket. False when there is nothing more to read now.
    #[inline]
    fn receive(&mut self, now: Nanos) -> Result<bool, ConnectionError> {
        if !self.readable {
            return Ok(false);
        }
        match self.stream.receive(&mut self.tcp) {
            // An end without close_notify cuts off whatever was under way.
            Ok(0) => Err(ConnectionError::Truncated),
            Ok(received) => {
                self.bytes_received += received as u64;
                self.received_last = now;
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

    /// The next message, if one is complete; `None` when the socket has no more now.
    ///
    /// # Errors
    /// Any: the connection has ended.
    pub fn poll_frame(&mut self, now: Nanos) -> Result<Option<FrameBytes<'_>>, ConnectionError> {
        Ok(if self.process_next(now)? { Some(self.frame()) } else { None })
    }

    /// Makes the next message the current one; false when none is complete and the socket has no more now.
    ///
    /// # Errors
    /// Any: the connection has ended.
    #[inline]
    pub fn process_next(&mut self, now: Nanos) -> Result<bool, ConnectionError> {
        let outcome = match self.staged_error.take() {
            Some(error) => Err(error),
            None => self.receive_frame(now),
        };
        if outcome.is_err() {
            self.end();
        }
        outcome
    }

    /// Whether another message is complete behind the current one, which stays, in what has been received: the socket
    /// is not asked. False as well when something else (a control frame, a fragment) must be handled first. An error
    /// is kept for [`Connection::process_next`].
    #[inline]
    pub fn has_next(&mut self) -> bool {
        if self.phase != Phase::Open || self.staged_error.is_some() {
            return false;
        }
        loop {
            if let Some(whole) = self.reader.is_next_whole(&self.stream.plaintext) {
                return whole;
            }
            match self.open_next() {
                Ok(Opened::NeedMore) => return false,
                Ok(_) => {}
                Err(error) => {
                    self.staged_error = Some(error);
                    return false;
                }
            }
        }
    }

    /// The current message.
    #[inline]
    pub fn frame(&mut self) -> FrameBytes<'_> {
        let (padded, length, binary) = self.reader.current(&mut self.stream.plaintext);
        FrameBytes { padded, length, binary }
    }

    /// Opens the next record, or reads once if there is none. False when there is nothing more to read now.
    #[inline]
    fn open_or_receive(&mut self, now: Nanos) -> Result<bool, ConnectionError> {
        match self.open_next()? {
            Opened::NeedMore => {
                self.answer_ping(now)?;
                self.receive(now)
            }
            _ => Ok(true),
        }
    }

    /// Opens the next record of those received.
    #[inline]
    fn open_next(&mut self) -> Result<Opened, ConnectionError> {
        match self.stream.open(self.reader.wanted_bytes()) {
            Ok(Opened::Closed) => {
                Err(ConnectionError::Closed { code: CLOSE_WITHOUT_FRAME, reason: String::new() }) // cold: the end
            }
            Ok(Opened::Full) => Err(ConnectionError::Ended),
            Ok(opened) => Ok(opened),
            Err(error) => {
                // The alert that says why is worth one attempt to send.
                let _ = self.stream.flush(&mut self.tcp);
                Err(error)
            }
        }
    }

    /// Makes the next message the current one.
    #[inline]
    fn receive_frame(&mut self, now: Nanos) -> Result<bool, ConnectionError> {
        if self.phase != Phase::Open {
            return if self.phase == Phase::Ended { Err(ConnectionError::Ended) } else { Ok(false) };
        }
        loop {
            match self.reader.next(&mut self.stream.plaintext) {
                Ok(Some(WebSocketMessage::Text { .. } | WebSocketMessage::Binary { .. })) => return Ok(true),
                Ok(Some(WebSocketMessage::Ping(payload))) => {
                    self.pong[..payload.len()].copy_from_slice(payload);
                    self.pong_bytes = Some(payload.len());
                    self.on_ping(now)?;
                }
                Ok(Some(WebSocketMessage::Pong(payload))) => self.ponged = marked(payload).or(self.ponged),
                Ok(Some(WebSocketMessage::Close { code, reason })) => {
                    let reason = String::from_utf8_lossy(reason).into_owned(); // cold: the end
                    return Err(self.closed_by_peer(code, reason));
                }
                Ok(None) => {
                    if !self.open_or_receive(now)? {
                        return Ok(false);
                    }
                }
                Err(error) => return Err(self.refuse(error)),
            }
        }
    }

    /// Answers the peer's closing handshake as far as the socket takes it.
    #[cold]
    fn closed_by_peer(&mut self, code: Option<u16>, reason: String) -> ConnectionError {
        if !self.closing {
            self.say_close(code);
        }
        ConnectionError::Closed { code: code.unwrap_or(CLOSE_WITHOUT_CODE), reason }
    }

    /// Tells the peer why the connection fails (1009, 1002 or 1007) as far as the socket takes it.
    // cold: the connection ends here
    #[cold]
    fn refuse(&mut self, error: WebSocketError) -> ConnectionError {
        self.say_close(Some(error.close_code()));
        match error {
            WebSocketError::TooBig => ConnectionError::TooLarge {
                bytes: self.reader.announced_bytes(&self.stream.plaintext),
                bytes_max: self.limits.message_bytes_max,
            },
            other => ConnectionError::Protocol(other.to_string()),
        }
    }

    #[cold]
    fn say_close(&mut self, code: Option<u16>) {
        let code = code.map(u16::to_be_bytes);
        let payload = code.as_ref().map_or(&[][..], |code| &code[..]);
        // The connection ends either way.
        let _ = self.stream.send(Opcode::Close, payload, &mut self.tcp);
    }

    /// Pings the peer with a mark, which [`Connection::take_pong`] gives back.
    ///
    /// # Errors
    /// Not open, too much unsent, or the socket failed: the connection has ended.
    pub fn ping(&mut self, mark: u64) -> Result<(), ConnectionError> {
        let payload = mark.to_be_bytes();
        let outcome = self
            .may_send(payload.len())
            .and_then(|()| self.stream.send(Opcode::Ping, &payload, &mut self.tcp).map(|_| ()));
        if outcome.is_err() {
            self.end();
        }
        outcome
    }

    /// The mark of the newest pong that came since the last call: whatever the peer sent before it came before it.
    pub const fn take_pong(&mut self) -> Option<u64> {
        self.ponged.take()
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
    #[inline]
    fn answer_ping(&mut self, now: Nanos) -> Result<(), ConnectionError> {
        let Some(length) = self.pong_bytes else { return Ok(()) };
        if self.closing || now - self.pong_last < self.limits.pong_spacing {
            return Ok(());
        }
        self.pong_bytes = None;
        self.pong_last = now;
        self.stream.send(Opcode::Pong, &self.pong[..length], &mut self.tcp).map(|_| ())
    }

    /// Sends one text message; what the kernel does not take now follows on [`Connection::flush`].
    ///
    /// # Errors
    /// Not open, too much unsent, or the socket failed: the connection has ended.
    #[inline]
    pub fn send_text(&mut self, text: &[u8]) -> Result<(), ConnectionError> {
        let outcome =
            self.may_send_text(text).and_then(|()| self.stream.send(Opcode::Text, text, &mut self.tcp).map(|_| ()));
        if outcome.is_err() {
            self.end();
        }
        outcome
    }

    /// The same for a text that is masked and sealed where it lies; that it is UTF-8 is its writer's promise, since all
    /// that is placed is written by this program. True when the kernel has all of it.
    ///
    /// # Errors
    /// As [`Connection::send_text`].
    #[inline]
    pub fn send_placed(&mut self, text: PlacedPayload<'_>) -> Result<bool, ConnectionError> {
        debug_assert!(is_text(&text), "requests are ASCII");
        let outcome =
            self.may_send(text.len()).and_then(|()| self.stream.send_placed(Opcode::Text, text, &mut self.tcp));
        if outcome.is_err() {
            self.end();
        }
        outcome
    }

    #[inline]
    fn may_send(&self, text_bytes: usize) -> Result<(), ConnectionError> {
        if self.phase != Phase::Open || self.closing {
            return Err(ConnectionError::Ended);
        }
        let bytes = self.stream.waiting() + text_bytes;
        if bytes > self.limits.backlog_bytes_max {
            return Err(ConnectionError::Backlog { bytes, bytes_max: self.limits.backlog_bytes_max });
        }
        Ok(())
    }

    fn may_send_text(&self, text: &[u8]) -> Result<(), ConnectionError> {
        self.may_send(text.len())?;
        if !is_text(text) {
            return Err(ConnectionError::Request("the text is not UTF-8".to_owned())); // cold: a bug of the caller
        }
        Ok(())
    }

    /// Sends what is left; call when the poll says writable. True when nothing is left.
    ///
    /// # Errors
    /// The socket failed: the connection has ended.
    pub fn flush(&mut self) -> Result<bool, ConnectionError> {
        match self.phase {
            Phase::Ended => return Err(ConnectionError::Ended),
            Phase::Connecting => return Ok(false),
            _ => {}
        }
        let outcome = self.stream.flush(&mut self.tcp);
        if outcome.is_err() {
            self.end();
        }
        outcome
    }

    /// Starts the closing handshake; [`Connection::poll_frame`] ends with [`ConnectionError::Closed`].
    pub fn close(&mut self, now: Nanos) {
        if self.phase != Phase::Open {
            self.end();
            return;
        }
        self.closing = true;
        self.deadline = now + self.limits.close_within;
        if self.stream.send(Opcode::Close, &CLOSE_NORMAL.to_be_bytes(), &mut self.tcp).is_err() {
            self.end();
        }
    }

    /// When [`Connection::on_timer`] wants to be called next.
    #[must_use]
    pub fn next_deadline(&self) -> Nanos {
        if self.phase != Phase::Open {
            return self.deadline;
        }
        let ping_due = if self.pinged_at < self.received_last {
            self.received_last + self.limits.ping_after
        } else {
            Nanos::NEVER
        };
        let pong_due = if self.pong_bytes.is_some() && !self.closing {
            self.pong_last + self.limits.pong_spacing
        } else {
            Nanos::NEVER
        };
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
        if self.phase != Phase::Open {
            return Ok(());
        }
        let silent = now - self.received_last;
        if silent >= self.limits.silent_max {
            return Err(ConnectionError::Silent { silent_ms: silent.millis() });
        }
        if silent >= self.limits.ping_after && self.pinged_at < self.received_last && !self.closing {
            self.stream.send(Opcode::Ping, &[], &mut self.tcp)?;
            self.pinged_at = now;
        }
        self.answer_ping(now)
    }

    fn end(&mut self) {
        if !matches!(self.phase, Phase::Connecting | Phase::Ended) {
            self.stream.close(&mut self.tcp);
        }
        self.phase = Phase::Ended;
        self.readable = false;
        self.deadline = Nanos::NEVER;
    }
}
