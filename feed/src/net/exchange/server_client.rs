//! COLD: one client of the exchange side: TLS, then HTTP requests, then perhaps a WebSocket.

use std::io::{self, Read, Write};
use std::sync::Arc;

use mio::net::TcpStream;
use rustls::{ServerConfig, ServerConnection};
use socket2::SockRef;
use spinbook_engine::types::Nanos;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tungstenite::{Message, Utf8Bytes, WebSocket};

use crate::net::exchange::http::{self, HEADERS_MAX, Parsed};
use crate::net::exchange::tls_stream::TlsStream;
use crate::sim::side::{ConnectionId, ExchangeOutput, ExchangeSide};

/// Bytes of one message from a client that are accepted.
const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// How long a client may take to answer a closing handshake.
const CLOSE_WITHIN: Nanos = Nanos::from_millis(1_000);

/// What came of reading from a client once.
pub(crate) enum Incoming {
    /// Nothing more now.
    Nothing,
    /// An HTTP request was answered.
    Answered,
    /// The connection became a WebSocket.
    Upgraded,
    /// A text message.
    Text(Utf8Bytes),
    /// A ping (the answer is on its way).
    Ping,
    /// A pong.
    Pong,
}

/// The client is gone.
#[derive(Debug)]
pub(crate) struct Ended {
    /// It broke the protocol or did not take its data.
    pub(crate) faulty: bool,
}

impl Ended {
    const ORDERLY: Ended = Ended { faulty: false };
    const FAULTY: Ended = Ended { faulty: true };
}

enum Phase {
    Http { pipe: Box<TlsStream>, bytes: Vec<u8> },
    WebSocket(Box<WebSocket<TlsStream>>),
    Gone,
}

/// One client connection.
pub(crate) struct Client {
    tcp: TcpStream,
    phase: Phase,
    requests: u64,
    /// Whether it was told to send the body that it announced.
    told_to_go_on: bool,
    accepted_at: Nanos,
    active_last: Nanos,
    close_by: Option<Nanos>,
    close_when_flushed: bool,
    done: bool,
    /// How many clients are served beside it, where that is why it is not.
    turned_away_by: Option<usize>,
}

impl Client {
    /// Takes over an accepted socket; `None` if TLS cannot start.
    pub(crate) fn accept(
        tcp: TcpStream,
        tls: &Arc<ServerConfig>,
        output_bytes_max: usize,
        now: Nanos,
    ) -> Option<Client> {
        tcp.set_nodelay(true).ok()?;
        let mut session = ServerConnection::new(tls.clone()).ok()?;
        session.set_buffer_limit(Some(output_bytes_max));
        Some(Client {
            tcp,
            phase: Phase::Http { pipe: Box::new(TlsStream::new(session)), bytes: Vec::new() },
            requests: 0,
            told_to_go_on: false,
            accepted_at: now,
            active_last: now,
            close_by: None,
            close_when_flushed: false,
            done: false,
            turned_away_by: None,
        })
    }

    /// It is told that so many others are served, whatever it asks, and closed.
    pub(crate) const fn turn_away(&mut self, others: usize) {
        self.turned_away_by = Some(others);
    }

    /// Whether it is not served because too many others are.
    pub(crate) const fn is_turned_away(&self) -> bool {
        self.turned_away_by.is_some()
    }

    /// The socket, to take it out of the poll.
    pub(crate) const fn socket(&mut self) -> &mut TcpStream {
        &mut self.tcp
    }

    /// Whether the exchange knows it as a WebSocket.
    pub(crate) const fn was_websocket(&self) -> bool {
        matches!(self.phase, Phase::WebSocket(_))
    }

    /// Whether it is to be dropped.
    pub(crate) const fn is_done(&self) -> bool {
        self.done
    }

    /// Whether it kept us waiting too long.
    pub(crate) fn is_overdue(&self, now: Nanos, first_request_within: Nanos, idle_max: Nanos) -> bool {
        if self.close_by.is_some_and(|close_by| now >= close_by) {
            return true;
        }
        match self.phase {
            Phase::Http { .. } if self.requests == 0 => now - self.accepted_at >= first_request_within,
            Phase::Http { .. } => now - self.active_last >= idle_max,
            Phase::WebSocket(_) | Phase::Gone => false,
        }
    }

    /// Reads until one thing has happened.
    pub(crate) fn receive<E: ExchangeSide>(
        &mut self,
        exchange: &mut E,
        id: ConnectionId,
        now: Nanos,
    ) -> Result<Incoming, Ended> {
        loop {
            let progress = match &mut self.phase {
                Phase::Http { .. } => self.receive_http(exchange, id, now)?,
                Phase::WebSocket(websocket) => receive_message(websocket)?,
                Phase::Gone => return Err(Ended::ORDERLY),
            };
            if let Some(incoming) = progress {
                self.active_last = now;
                return Ok(incoming);
            }
            if self.close_when_flushed || !self.receive_tls()? {
                return Ok(Incoming::Nothing);
            }
        }
    }

    fn pipe(&mut self) -> Option<&mut TlsStream> {
        match &mut self.phase {
            Phase::Http { pipe, .. } => Some(pipe),
            Phase::WebSocket(websocket) => Some(websocket.get_mut()),
            Phase::Gone => None,
        }
    }

    fn receive_tls(&mut self) -> Result<bool, Ended> {
        let tls = match &mut self.phase {
            Phase::Http { pipe, .. } => &mut pipe.tls,
            Phase::WebSocket(websocket) => &mut websocket.get_mut().tls,
            Phase::Gone => return Err(Ended::ORDERLY),
        };
        match tls.read_tls(&mut self.tcp) {
            Ok(0) if tls.is_handshaking() => Err(Ended::FAULTY),
            Ok(_) => match tls.process_new_packets() {
                Ok(_) => Ok(true),
                Err(_) => {
                    // The alert that says why is worth one attempt to send.
                    let _ = tls.write_tls(&mut self.tcp);
                    Err(Ended::FAULTY)
                }
            },
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
            Err(_) => Err(Ended::ORDERLY),
        }
    }

    fn receive_http<E: ExchangeSide>(
        &mut self,
        exchange: &mut E,
        id: ConnectionId,
        now: Nanos,
    ) -> Result<Option<Incoming>, Ended> {
        let Phase::Http { pipe, bytes } = &mut self.phase else {
            return Ok(None);
        };
        read_plaintext(pipe, bytes)?;
        if bytes.is_empty() || self.close_when_flushed {
            return Ok(None);
        }
        let mut raw = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let (mut headers, mut joined) = (Vec::new(), Vec::new());
        let (reply, used, keep_alive, upgraded) = match http::parse(bytes, &mut raw, &mut headers, &mut joined) {
            Parsed::Partial => return Ok(None),
            Parsed::Continue if self.told_to_go_on => return Ok(None),
            Parsed::Continue => {
                self.told_to_go_on = true;
                pipe.write_all(http::GO_ON).map_err(|_| Ended::FAULTY)?;
                return Ok(None);
            }
            Parsed::Refused(status, message) => {
                (http::reply(&http::refusal(status, message), false, now), bytes.len(), false, false)
            }
            Parsed::Request { bytes, .. } if self.turned_away_by.is_some() => {
                let others = self.turned_away_by.unwrap_or_default();
                let why = format!("Too many connections: {others} are served at once. Close one and try again.");
                (http::reply(&http::refusal(503, &why), false, now), bytes, false, false)
            }
            Parsed::Request { request, bytes, websocket_key: Some(key), .. } => {
                match exchange.on_websocket_open(id, request.target, now) {
                    Ok(()) => (http::websocket_accepted(key), bytes, true, true),
                    Err(refusal) => (http::reply(&refusal, false, now), bytes, false, false),
                }
            }
            Parsed::Request { request, bytes, keep_alive, websocket_key: None } => {
                let response = exchange.on_http(&request, now);
                (http::reply(&response, keep_alive, now), bytes, keep_alive, false)
            }
        };
        self.requests += 1;
        self.told_to_go_on = false;
        self.close_when_flushed = !keep_alive;
        pipe.write_all(&reply).map_err(|_| Ended::FAULTY)?;
        bytes.drain(..used);
        if upgraded {
            self.upgrade();
            return Ok(Some(Incoming::Upgraded));
        }
        Ok(Some(Incoming::Answered))
    }

    fn upgrade(&mut self) {
        if let Phase::Http { pipe, bytes } = std::mem::replace(&mut self.phase, Phase::Gone) {
            let config = WebSocketConfig::default()
                .read_buffer_size(8 * 1024)
                .write_buffer_size(0)
                .max_write_buffer_size(16 << 20)
                .max_message_size(Some(MESSAGE_BYTES_MAX))
                .max_frame_size(Some(MESSAGE_BYTES_MAX));
            let websocket = WebSocket::from_partially_read(*pipe, bytes, Role::Server, Some(config));
            self.phase = Phase::WebSocket(Box::new(websocket));
        }
    }

    /// Queues one output for this client; an error means that it does not take its data.
    pub(crate) fn send(&mut self, output: ExchangeOutput, now: Nanos) -> Result<(), Ended> {
        let Phase::WebSocket(websocket) = &mut self.phase else {
            return Ok(());
        };
        if self.close_by.is_some() {
            return Ok(());
        }
        let outcome = match output {
            // Recorded frames go out verbatim, so the bytes are not checked again.
            ExchangeOutput::Text { text, .. } => {
                websocket.write(Message::Frame(Frame::message(text, OpCode::Data(Data::Text), true)))
            }
            ExchangeOutput::Binary { bytes, .. } => websocket.write(Message::binary(bytes)),
            ExchangeOutput::Ping { payload, .. } => websocket.write(Message::Ping(payload.into())),
            ExchangeOutput::Close { code: 0, .. } => {
                // A zero linger makes the kernel send a reset instead of an orderly end.
                let _ = SockRef::from(&self.tcp).set_linger(Some(std::time::Duration::ZERO));
                self.done = true;
                return Ok(());
            }
            ExchangeOutput::Close { code, reason, .. } => {
                self.close_by = Some(now + CLOSE_WITHIN);
                websocket.close(Some(CloseFrame { code: code.into(), reason: reason.into() }))
            }
        };
        outcome.map_err(|_| Ended::FAULTY)
    }

    /// Hands as much as the kernel takes; finishes a connection that was to end after its last reply.
    pub(crate) fn flush(&mut self) -> Result<(), Ended> {
        if self.done {
            return Ok(());
        }
        let finish = self.close_when_flushed;
        let tls = match &mut self.phase {
            Phase::Http { pipe, .. } => &mut pipe.tls,
            Phase::WebSocket(websocket) => &mut websocket.get_mut().tls,
            Phase::Gone => return Err(Ended::ORDERLY),
        };
        while tls.wants_write() {
            match tls.write_tls(&mut self.tcp) {
                Ok(0) => return Err(Ended::ORDERLY),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(Ended::ORDERLY),
            }
        }
        if finish && !tls.is_handshaking() {
            self.done = true;
        }
        Ok(())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if SockRef::from(&self.tcp).linger().ok().flatten().is_some() {
            return;
        }
        if let Some(pipe) = self.pipe() {
            pipe.tls.send_close_notify();
        }
        self.done = false;
        self.close_when_flushed = false;
        // Best effort: the peer then knows that nothing was cut off.
        let _ = self.flush();
    }
}

fn read_plaintext(pipe: &mut TlsStream, bytes: &mut Vec<u8>) -> Result<(), Ended> {
    let mut chunk = [0_u8; 4096];
    loop {
        if bytes.len() > http::HEADER_BYTES_MAX + http::BODY_BYTES_MAX {
            return Ok(());
        }
        match pipe.read(&mut chunk) {
            Ok(0) => return Err(Ended::ORDERLY),
            Ok(received) => bytes.extend_from_slice(&chunk[..received]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(_) => return Err(Ended::ORDERLY),
        }
    }
}

/// One message from the WebSocket, `None` if more bytes are needed.
fn receive_message(websocket: &mut WebSocket<TlsStream>) -> Result<Option<Incoming>, Ended> {
    match websocket.read() {
        Ok(Message::Text(text)) => Ok(Some(Incoming::Text(text))),
        Ok(Message::Ping(_)) => Ok(Some(Incoming::Ping)),
        Ok(Message::Pong(_)) => Ok(Some(Incoming::Pong)),
        Ok(Message::Close(_)) => {
            // The answer is queued in the WebSocket: reading on hands it over, then reports the end.
            let _ = websocket.read();
            Err(Ended::ORDERLY)
        }
        Ok(Message::Binary(_) | Message::Frame(_)) => Err(Ended::FAULTY),
        Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(tungstenite::Error::Io(_) | tungstenite::Error::ConnectionClosed) => Err(Ended::ORDERLY),
        Err(_) => Err(Ended::FAULTY),
    }
}
