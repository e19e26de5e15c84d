//! COLD: the exchange side on loopback: one thread, TLS, HTTP/1.1 and WebSocket over an `ExchangeSide`.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token};
use rustls::ServerConfig;
use spinbook_engine::types::Nanos;

use crate::net::exchange::server_client::{Client, Incoming};
use crate::net::host::clock::Clock;
use crate::sim::side::{ClientControl, ConnectionId, ExchangeOutput, ExchangeSide};

const LISTENER: Token = Token(0);
/// Clients served at once, unless somebody says otherwise.
pub const CLIENTS_MAX: usize = 256;
/// Clients beyond those that are served who are told so at once; further ones are closed without a word.
const TURNED_AWAY_MAX: usize = 64;
/// How often clients that make no progress are looked for.
const HOUSEKEEPING: Nanos = Nanos::from_millis(250);

/// Where and how a server listens.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// Address and port; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Clients served at once; further ones get a refusal to whatever they ask first.
    pub clients_max: usize,
    /// Unsent bytes a client may have before it is closed as too slow.
    pub output_bytes_max: usize,
    /// A connection must have completed its first request (or upgrade) within this.
    pub first_request_within: Nanos,
    /// An idle HTTP connection is closed after this.
    pub idle_max: Nanos,
}

impl ServerSettings {
    /// Loopback defaults for an address.
    #[must_use]
    pub const fn on(listen: SocketAddr) -> ServerSettings {
        ServerSettings {
            listen,
            clients_max: CLIENTS_MAX,
            output_bytes_max: 8 << 20,
            first_request_within: Nanos::from_seconds(10),
            idle_max: Nanos::from_seconds(60),
        }
    }
}

/// Why a server could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Another program listens there.
    #[error(
        "{address} is in use by another program: choose another with `--listen 127.0.0.1:PORT` (port 0: any free one)"
    )]
    AddressInUse {
        /// Which.
        address: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The poll failed.
    #[error("poll: {0}")]
    Poll(#[from] io::Error),
}

/// What a server has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerCounts {
    /// Connections accepted.
    pub accepted: u64,
    /// Connections refused because too many were open.
    pub refused: u64,
    /// HTTP requests answered.
    pub requests: u64,
    /// WebSocket connections opened.
    pub websockets: u64,
    /// WebSocket messages received.
    pub messages_in: u64,
    /// WebSocket messages sent.
    pub messages_out: u64,
    /// Clients closed because they did not take their data or broke the protocol.
    pub dropped: u64,
}

/// A listening exchange side. Driven by [`Server::run`] on one thread, or turn by turn.
pub struct Server<E> {
    exchange: E,
    poll: Poll,
    events: Events,
    listener: TcpListener,
    address: SocketAddr,
    tls: Arc<ServerConfig>,
    settings: ServerSettings,
    clients: BTreeMap<usize, Client>,
    token_next: usize,
    housekeeping: Nanos,
    counts: ServerCounts,
}

impl<E: ExchangeSide> Server<E> {
    /// Binds the address.
    ///
    /// # Errors
    /// The address is in use or not ours.
    pub fn bind(settings: ServerSettings, tls: Arc<ServerConfig>, exchange: E) -> Result<Server<E>, ServerError> {
        let address = settings.listen;
        let mut listener = TcpListener::bind(address).map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => ServerError::AddressInUse { address },
            _ => ServerError::Listen { address, source },
        })?;
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let address = listener.local_addr()?;
        Ok(Server {
            exchange,
            poll,
            events: Events::with_capacity(256),
            listener,
            address,
            tls,
            settings,
            clients: BTreeMap::new(),
            token_next: 1,
            housekeeping: Nanos::ZERO,
            counts: ServerCounts::default(),
        })
    }

    /// The address it listens on, with the port that was chosen.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has done so far.
    #[must_use]
    pub const fn counts(&self) -> ServerCounts {
        self.counts
    }

    /// The exchange behind it.
    pub const fn exchange(&mut self) -> &mut E {
        &mut self.exchange
    }

    /// When the exchange or the server has something to do even if no socket becomes ready.
    #[must_use]
    pub fn next_deadline(&self) -> Nanos {
        self.exchange.next_deadline().min(self.housekeeping)
    }

    /// Serves until `stop` is set.
    ///
    /// # Errors
    /// The poll failed.
    pub fn run(&mut self, clock: &Clock, stop: &AtomicBool) -> Result<(), ServerError> {
        while !stop.load(Ordering::Relaxed) {
            let now = clock.now();
            let deadline = self.next_deadline().min(now + Nanos::from_millis(50));
            let wait = Duration::from_nanos((deadline - now).0.max(0).unsigned_abs());
            self.turn(wait, clock)?;
        }
        Ok(())
    }

    /// One turn: waits at most `wait` for sockets, then lets exchange and clients progress.
    ///
    /// # Errors
    /// The poll failed.
    pub fn turn(&mut self, wait: Duration, clock: &Clock) -> Result<(), ServerError> {
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error.into()),
            _ => {}
        }
        let ready: Vec<(Token, bool)> = self.events.iter().map(|event| (event.token(), event.is_readable())).collect();
        for (token, readable) in ready {
            let now = clock.now();
            if token == LISTENER {
                self.accept(now)?;
            } else {
                self.serve(token.0, readable, now);
            }
        }
        let now = clock.now();
        if now >= self.exchange.next_deadline() {
            self.exchange.on_timer(now);
        }
        self.carry_output(now);
        if now >= self.housekeeping {
            self.housekeeping = now + HOUSEKEEPING;
            self.drop_idle(now);
        }
        Ok(())
    }

    fn accept(&mut self, now: Nanos) -> Result<(), ServerError> {
        loop {
            let (mut tcp, _) = match self.listener.accept() {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                // A client that gave up while it queued, or no descriptor left: the others go on.
                Err(_) => return Ok(()),
            };
            let turned_away = self.clients.values().filter(|client| client.is_turned_away()).count();
            let refuses = self.clients.len() - turned_away >= self.settings.clients_max;
            if refuses {
                self.counts.refused += 1;
                if turned_away >= TURNED_AWAY_MAX {
                    continue;
                }
            }
            let token = self.token_next;
            self.token_next += 1;
            self.poll.registry().register(&mut tcp, Token(token), Interest::READABLE | Interest::WRITABLE)?;
            if let Some(mut client) = Client::accept(tcp, &self.tls, self.settings.output_bytes_max, now) {
                if refuses {
                    client.turn_away(self.settings.clients_max);
                } else {
                    self.counts.accepted += 1;
                }
                self.clients.insert(token, client);
            }
        }
    }

    /// Lets one client progress; removes it when it is done or failed.
    fn serve(&mut self, token: usize, readable: bool, now: Nanos) {
        let Some(client) = self.clients.get_mut(&token) else {
            return;
        };
        let id = ConnectionId(token as u64);
        let mut alive = true;
        if readable {
            alive = loop {
                match client.receive(&mut self.exchange, id, now) {
                    Ok(Incoming::Nothing) => break true,
                    Ok(Incoming::Answered) => self.counts.requests += 1,
                    Ok(Incoming::Upgraded) => self.counts.websockets += 1,
                    Ok(Incoming::Text(text)) => {
                        self.counts.messages_in += 1;
                        self.exchange.on_websocket_text(id, text.as_bytes(), now);
                    }
                    Ok(Incoming::Ping) => self.exchange.on_websocket_control(id, ClientControl::Ping, now),
                    Ok(Incoming::Pong) => self.exchange.on_websocket_control(id, ClientControl::Pong, now),
                    Err(ended) => {
                        self.counts.dropped += u64::from(ended.faulty);
                        break false;
                    }
                }
            };
        }
        let flushed = client.flush();
        if !alive || flushed.is_err() || client.is_done() {
            self.remove(token, now);
        }
    }

    fn remove(&mut self, token: usize, now: Nanos) {
        if let Some(mut client) = self.clients.remove(&token) {
            // The socket is dropped next and leaves the poll with it.
            let _ = self.poll.registry().deregister(client.socket());
            if client.was_websocket() {
                self.exchange.on_websocket_close(ConnectionId(token as u64), now);
            }
        }
    }

    fn carry_output(&mut self, now: Nanos) {
        let mut touched: Vec<usize> = Vec::new();
        while let Some(output) = self.exchange.poll_output() {
            let connection = match &output {
                ExchangeOutput::Text { connection, .. }
                | ExchangeOutput::Binary { connection, .. }
                | ExchangeOutput::Ping { connection, .. }
                | ExchangeOutput::Close { connection, .. } => *connection,
            };
            let token = connection.0 as usize;
            let Some(client) = self.clients.get_mut(&token) else {
                continue;
            };
            self.counts.messages_out += 1;
            if client.send(output, now).is_err() {
                self.counts.dropped += 1;
                self.remove(token, now);
            } else if touched.last() != Some(&token) {
                touched.push(token);
            }
        }
        for token in touched {
            let Some(client) = self.clients.get_mut(&token) else {
                continue;
            };
            if client.flush().is_err() || client.is_done() {
                self.remove(token, now);
            }
        }
    }

    fn drop_idle(&mut self, now: Nanos) {
        let idle: Vec<usize> = self
            .clients
            .iter()
            .filter(|(_, client)| client.is_overdue(now, self.settings.first_request_within, self.settings.idle_max))
            .map(|(token, _)| *token)
            .collect();
        for token in idle {
            self.counts.dropped += 1;
            self.remove(token, now);
        }
    }
}
