//! COLD: a client's connection with its poll, driven by hand: of the floor, and of a gateway without its loop.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mio::{Events, Poll, Token};
use rustls::ClientConfig;
use spinbook_engine::types::Nanos;
use spinbook_feed::net::connection::connector::Connector;
use spinbook_feed::net::connection::resolve::Endpoint;
use spinbook_feed::net::connection::{Connection, ConnectionError, ConnectionLimits};
use spinbook_feed::net::host::clock::Clock;

/// Longer than any run: nothing times out but the run itself.
pub const LONG: Nanos = Nanos::from_seconds(600);
/// How long a thread sleeps between turns where it may not spin.
pub const IDLE: Duration = Duration::from_micros(20);
/// Turns of a spinning thread between two polls, as in the real loops: the poll takes ten times as long as a read.
const TURNS_PER_POLL: u32 = 64;

/// Connections that put up with pauses of a loaded machine.
const PATIENT: ConnectionLimits = ConnectionLimits {
    open_within: LONG,
    close_within: Nanos::from_seconds(1),
    ping_after: LONG,
    silent_max: LONG,
    ..ConnectionLimits::PUBLIC
};

/// Where connections lead.
#[must_use]
pub fn connector(address: SocketAddr, tls: &Arc<ClientConfig>) -> Connector {
    let endpoint = Endpoint { host: address.ip().to_string(), port: address.port(), prefix: String::new() };
    Connector::at(endpoint, address, tls.clone(), PATIENT)
}

/// A connection's fault as an I/O error.
pub fn refused(error: ConnectionError) -> io::Error {
    io::Error::other(error.to_string())
}

/// A connection with its poll.
pub struct Client {
    /// The connection.
    pub connection: Connection,
    /// The wall clock of this thread.
    pub clock: Clock,
    poll: Poll,
    events: Events,
    spin: bool,
    open: bool,
    turns: u32,
}

impl Client {
    /// Begins to connect to `target`.
    ///
    /// # Errors
    /// The system refuses.
    pub fn new(connector: &Connector, target: &str, spin: bool) -> io::Result<Client> {
        let (clock, poll) = (Clock::start(), Poll::new()?);
        let connection = connector.connect(target, poll.registry(), Token(0), clock.now()).map_err(refused)?;
        Ok(Client { connection, clock, poll, events: Events::with_capacity(16), spin, open: false, turns: 0 })
    }

    /// Whether the handshakes are complete.
    #[inline]
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Whether this turn polls: each one until the connection is open and where it may not spin, else few.
    #[inline]
    pub fn polls(&mut self) -> bool {
        self.turns = self.turns.wrapping_add(1);
        !self.open || !self.spin || self.turns.is_multiple_of(TURNS_PER_POLL)
    }

    /// Whether there is something to read: the socket is read unasked, as the hot loop does, and polled now and then.
    ///
    /// # Errors
    /// As [`Client::poll`].
    #[inline]
    pub fn look(&mut self, now: Nanos) -> io::Result<bool> {
        if self.polls() { self.poll() } else { Ok(self.connection.may_read() || self.connection.poll_read(now)) }
    }

    /// Whether there may be something to read, by the poll; drives the handshakes until the connection is open.
    ///
    /// # Errors
    /// The connection failed.
    #[inline]
    pub fn poll(&mut self) -> io::Result<bool> {
        // The poll counts whole milliseconds: where the core is shared, sleep, then poll at once.
        if !self.spin {
            std::thread::sleep(IDLE);
        }
        match self.poll.poll(&mut self.events, Some(Duration::ZERO)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        if !self.events.is_empty() {
            self.connection.on_readable();
            if !self.open {
                self.open = self.connection.drive_open(self.clock.now()).map_err(refused)?;
            }
        }
        Ok(self.open && self.connection.may_read())
    }
}
