//! HOT: one market session and its connections: carries out what the session wants, brings it what arrives.

use std::sync::Arc;

use mio::{Registry, Token};
use spinbook_engine::prefetch::prefetch;
use spinbook_engine::types::{Nanos, Stamp};

use crate::net::connection::connector::Connector;
use crate::net::connection::look_up::HostAddresses;
use crate::net::connection::{Connection, ConnectionError, ConnectionState};
use crate::net::hot::hot_shared::{HotShared, add};
use crate::net::hot::snapshots::{SnapshotJob, SnapshotMailbox, SnapshotResult};
use crate::session::{MarketSession, MarketSink, SessionAction};

/// Connections a session may have: two routes, two connections each.
const PATHS_MAX: usize = 4;

/// What the connections of a thread reach beyond themselves.
pub struct IoContext<'a> {
    /// The poll's registry.
    pub registry: &'a Registry,
    /// Where snapshots are asked for.
    pub snapshots: &'a SnapshotMailbox,
    /// What others see of the hot thread.
    pub shared: &'a HotShared,
}

/// One turn of a thread over its connections, made once and handed to each of them.
pub struct Turn<'a, S> {
    /// What the connections reach beyond themselves.
    pub context: IoContext<'a>,
    /// When the turn began.
    pub now: Nanos,
    /// Who gets the market's events.
    pub sink: S,
}

#[derive(Default)]
struct Path {
    connection: Option<Connection>,
    /// The poll had something to say since the connection was last served.
    ready: bool,
    /// The session has been told that this connection is open.
    open_reported: bool,
    /// Pings received when the session was last told of one.
    pings: u64,
}

/// A market session with its connections.
pub struct MarketConnections {
    session: MarketSession,
    connector: Connector,
    index: usize,
    paths: [Path; PATHS_MAX],
    on_connection_end: fn(u8, &ConnectionError),
}

impl MarketConnections {
    /// The session at `index` of the hot loop's sessions, all of whose connections are made by `connector`.
    #[must_use]
    pub fn new(
        session: MarketSession,
        connector: Connector,
        index: usize,
        on_connection_end: fn(u8, &ConnectionError),
    ) -> MarketConnections {
        MarketConnections { session, connector, index, paths: Default::default(), on_connection_end }
    }

    /// The session.
    #[must_use]
    pub const fn session(&self) -> &MarketSession {
        &self.session
    }

    /// The session, when its connections are no longer needed.
    #[must_use]
    pub fn into_session(self) -> MarketSession {
        self.session
    }

    /// Asks for the memory that the next frame of a symbol most likely needs ([`spinbook_engine::prefetch`]).
    pub fn warm(&self, symbol: usize) {
        prefetch(self);
        for path in &self.paths {
            if let Some(connection) = &path.connection {
                connection.warm();
            }
        }
        self.session.warm(symbol);
    }

    /// Begins: the session asks for its first connections.
    pub fn start(&mut self, now: Nanos) {
        self.session.start(now);
    }

    /// Index of the session that a token belongs to.
    #[inline]
    #[must_use]
    pub const fn index_of(token: Token) -> usize {
        token.0 / PATHS_MAX
    }

    /// How many connection numbers there are.
    #[inline]
    #[must_use]
    pub fn path_count(&self) -> u8 {
        self.session.path_count()
    }

    /// The poll had something to say about a connection.
    #[inline]
    pub fn on_event(&mut self, token: Token) {
        let path = &mut self.paths[token.0 % PATHS_MAX];
        path.ready = true;
        if let Some(connection) = &mut path.connection {
            connection.on_readable();
        }
    }

    /// Connections that are open, as far as the session was told.
    #[inline]
    #[must_use]
    pub fn reported_open_count(&self) -> usize {
        self.paths.iter().filter(|path| path.open_reported && path.connection.is_some()).count()
    }

    /// Reads once from every open connection, unasked by the poll; whether anything came.
    #[inline]
    pub fn poll_read(&mut self, now: Nanos) -> bool {
        let mut any = false;
        for path in self.paths.iter_mut().filter(|path| path.open_reported) {
            any |= path.connection.as_mut().is_some_and(|connection| connection.poll_read(now));
        }
        any
    }

    /// Whether a connection may be read although the poll will say nothing more about it.
    #[inline]
    #[must_use]
    pub fn may_read(&self) -> bool {
        self.paths.iter().any(|path| path.ready || path.connection.as_ref().is_some_and(Connection::may_read))
    }

    /// Whether anything is to be done for a connection now.
    #[inline]
    #[must_use]
    pub fn wants_service(&self) -> bool {
        self.may_read()
    }

    /// Serves the connections that the poll named: opens those still opening, sends what the sockets did not take before.
    #[inline]
    pub fn process_ready(&mut self, turn: &mut Turn<'_, impl MarketSink>) {
        for path in 0..PATHS_MAX {
            if !core::mem::take(&mut self.paths[path].ready) {
                continue;
            }
            let Some(connection) = &mut self.paths[path].connection else {
                continue;
            };
            let outcome = match connection.state() {
                ConnectionState::Opening => connection.drive_open(turn.now),
                _ => connection.flush().map(|_| true),
            };
            match outcome {
                Ok(true) if !self.paths[path].open_reported => {
                    self.paths[path].open_reported = true;
                    self.connector.opened();
                    add(&turn.context.shared.opened, 1);
                    self.session.on_open(path as u8, turn.now);
                    self.apply_actions(turn);
                }
                Ok(_) => {}
                Err(error) => self.end_connection(path, &error, turn),
            }
        }
    }

    /// Makes the next frame of a connection the current one; false when there is none.
    #[inline]
    pub fn process_next(&mut self, path: u8, turn: &mut Turn<'_, impl MarketSink>) -> bool {
        let at = usize::from(path);
        let Some(connection) = &mut self.paths[at].connection else {
            return false;
        };
        match connection.process_next(turn.now) {
            Ok(there_is_one) => there_is_one,
            Err(error) => {
                self.end_connection(at, &error, turn);
                false
            }
        }
    }

    /// Whether another frame is complete behind the current one, in what has been received.
    #[inline]
    pub fn has_next(&mut self, path: u8) -> bool {
        self.paths[usize::from(path)].connection.as_mut().is_some_and(Connection::has_next)
    }

    /// The bytes of a connection's current frame.
    #[must_use]
    pub fn frame(&mut self, path: u8) -> Option<&[u8]> {
        let frame = self.paths[usize::from(path)].connection.as_mut()?.frame();
        Some(&frame.padded[..frame.length])
    }

    /// Gives the current frame to the session.
    #[inline]
    pub fn on_frame(&mut self, path: u8, received: Stamp, sink: &mut impl MarketSink) {
        if let Some(connection) = &mut self.paths[usize::from(path)].connection {
            self.session.on_frame(path, connection.frame(), received, sink);
        }
    }

    /// Gives a snapshot, or its failure, to the session.
    pub fn on_snapshot(&mut self, result: &mut SnapshotResult, received: Stamp, sink: &mut impl MarketSink) {
        let instrument = result.job.instrument;
        match result.length {
            Ok(length) => self.session.on_snapshot(instrument, &mut result.buffer, length, received, sink),
            Err(failure) => {
                let seconds = i64::try_from(failure.retry_after_seconds.min(86_400)).unwrap_or(86_400);
                self.session.on_snapshot_failed(instrument, Nanos::from_seconds(seconds), received.wall);
            }
        }
    }

    /// Carries out what the session wants until it wants nothing more.
    #[inline]
    pub fn apply_actions(&mut self, turn: &mut Turn<'_, impl MarketSink>) {
        while let Some(action) = self.session.poll_action() {
            self.apply_action(action, turn);
        }
    }

    #[cold]
    fn apply_action(&mut self, action: SessionAction, turn: &mut Turn<'_, impl MarketSink>) {
        match action {
            SessionAction::Open { path } => self.open(usize::from(path), turn),
            SessionAction::Send { path, message } => {
                let at = usize::from(path);
                let Some(connection) = &mut self.paths[at].connection else {
                    return;
                };
                if let Err(error) = connection.send_text(self.session.message(message).as_bytes()) {
                    self.end_connection(at, &error, turn);
                }
            }
            SessionAction::FetchSnapshot { instrument, limit } => {
                let job = SnapshotJob {
                    session: self.index,
                    instrument,
                    levels: limit,
                    outer_levels: turn.sink.outer_levels_wanted(instrument),
                };
                if !turn.context.snapshots.ask(job) {
                    self.session.on_snapshot_failed(instrument, Nanos::ZERO, turn.now);
                }
            }
            SessionAction::Close { path, .. } => {
                if let Some(mut connection) = self.paths[usize::from(path)].connection.take() {
                    self.note_unopened(usize::from(path));
                    add(&turn.context.shared.closed, 1);
                    connection.deregister(turn.context.registry);
                    connection.close(turn.now);
                }
            }
        }
    }

    fn open(&mut self, path: usize, turn: &mut Turn<'_, impl MarketSink>) {
        let token = Token(self.index * PATHS_MAX + path);
        if let Some(mut old) = self.paths[path].connection.take() {
            old.deregister(turn.context.registry);
        }
        match self.connector.connect(self.session.target(path as u8), turn.context.registry, token, turn.now) {
            Ok(connection) => {
                self.paths[path] = Path { connection: Some(connection), ..Path::default() };
            }
            Err(ConnectionError::PutOff { wait }) => self.session.on_put_off(path as u8, turn.now + wait),
            Err(error) => {
                (self.on_connection_end)(path as u8, &error);
                self.session.on_close(path as u8, turn.now, &mut turn.sink);
            }
        }
    }

    /// What knows the host's addresses, to be looked up again by whoever may wait.
    #[must_use]
    pub fn host(&self) -> Option<Arc<HostAddresses>> {
        self.connector.host()
    }

    /// A connection is gone: if it never opened, its attempt failed, and the next one goes to another address of the host,
    /// which somebody else looks up again meanwhile.
    #[cold]
    fn note_unopened(&mut self, path: usize) {
        if !self.paths[path].open_reported {
            self.connector.failed();
            self.connector.next_address();
        }
    }

    /// A connection has failed: the session learns of it and decides when to open another.
    #[cold]
    fn end_connection(&mut self, path: usize, error: &ConnectionError, turn: &mut Turn<'_, impl MarketSink>) {
        if let Some(mut connection) = self.paths[path].connection.take() {
            self.note_unopened(path);
            add(&turn.context.shared.closed, 1);
            connection.deregister(turn.context.registry);
        }
        (self.on_connection_end)(path as u8, error);
        self.session.on_close(path as u8, turn.now, &mut turn.sink);
        if let Some(span) = error.retry_after() {
            self.session.on_refused(turn.now + span);
        }
    }

    /// Deadlines of session and connections.
    pub fn on_timer(&mut self, turn: &mut Turn<'_, impl MarketSink>) {
        let now = turn.now;
        for path in 0..PATHS_MAX {
            let Some(connection) = &mut self.paths[path].connection else {
                continue;
            };
            let pings = connection.pings();
            let pinged = pings != self.paths[path].pings;
            self.paths[path].pings = pings;
            let outcome = if now >= connection.next_deadline() { connection.on_timer(now) } else { Ok(()) };
            if pinged {
                // The connection answers within its own budget; the session notes the sign of life.
                let _ = self.session.on_ping(path as u8, now);
            }
            if let Err(error) = outcome {
                self.end_connection(path, &error, turn);
            }
        }
        if now >= self.session.next_deadline() {
            self.session.on_timer(now, &mut turn.sink);
        }
        self.apply_actions(turn);
    }

    /// Ends every connection; the run is over.
    pub fn close(&mut self, registry: &Registry, now: Nanos) {
        for path in &mut self.paths {
            if let Some(mut connection) = path.connection.take() {
                connection.deregister(registry);
                connection.close(now);
            }
        }
    }

    /// Connections that are open now.
    #[must_use]
    pub fn open_count(&self) -> usize {
        let open = |path: &&Path| path.connection.as_ref().is_some_and(|it| it.state() == ConnectionState::Open);
        self.paths.iter().filter(open).count()
    }
}
