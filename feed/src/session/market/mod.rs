//! HOT: the life of a market's connections, without a socket: what to open, send, fetch and give up, and when.
//!
//! A product line has one route or two (USD-M serves depth and trades apart); each route has two connections,
//! of which one works and the other takes over before the first is too old. A connection's number, its `path`,
//! is `2 * route + which`. `connections` looks after the connections, `symbols` after the books, `queues` holds what
//! waits to be done.

mod connections;
mod queues;
mod symbols;

use spinbook_engine::prefetch::prefetch;
use spinbook_engine::types::{InstrumentId, Nanos, Stamp};

use crate::backoff::Backoff;
use crate::random::Random;
use crate::session::budget::MessageBudget;
use crate::session::flow::{FrameOutcome, MarketFlow};
use crate::session::path::{PathConnection, PathState};
use crate::session::{CloseReason, MarketSink, SessionAction, SessionCounters, SessionError, SessionSettings};
use crate::sync::{SnapshotStep, SyncState};
use crate::timer::DeadlineTable;
use crate::venue::ProductLine;
use crate::venue::any_market::AnyMarket;
use crate::venue::card::SnapshotOrigin;
use crate::venue::instrument::{Instrument, Symbol};
use crate::venue::market::{FrameBytes, MarketRoute, MarketSide, RequestText};

use queues::{Actions, Requests};

/// How often everything is looked after when nothing happens.
const TICK: Nanos = Nanos::from_millis(100);
/// Frames in a row that are not the venue's before a connection is given up.
const BAD_FRAMES_MAX: u32 = 16;
/// Requests that may wait to be sent.
const REQUESTS_MAX: usize = 64;
/// Messages a second that are kept for pongs and single resubscriptions.
const PONG_RESERVE: u32 = 2;

/// A route and its two connections.
#[derive(Debug)]
struct RouteConnections {
    route: MarketRoute,
    carries_depth: bool,
    connections: [PathConnection; 2],
    /// Which of the two is believed for everything but depth.
    primary: usize,
    /// When the primary connection is to be replaced.
    replace_at: Nanos,
    /// Whether it must be replaced at once because the venue said so.
    shutdown: bool,
}

/// Where a symbol's snapshot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SnapshotFetch {
    Idle,
    Wanted { not_before: Nanos },
    InFlight { since: Nanos },
}

/// Where one symbol's book and its snapshot stand.
#[derive(Debug)]
struct SymbolState {
    instrument: InstrumentId,
    fetch: SnapshotFetch,
    backoff: Backoff,
    last_depth: Nanos,
    /// Since when the book is in step; zero: it is not.
    live_since: Nanos,
    /// Snapshots asked for since the book was last in step for long.
    asked_in_a_row: u32,
    /// The venue takes no question for a snapshot earlier.
    not_before: Nanos,
}

/// The connections of one product line's market data.
#[derive(Debug)]
pub struct MarketSession<M: MarketSide = AnyMarket> {
    settings: SessionSettings,
    flow: MarketFlow<M>,
    routes: Box<[RouteConnections]>,
    requests: Requests,
    origin: SnapshotOrigin,
    states: Box<[SymbolState]>,
    /// Symbols whose snapshot is wanted, by when it may be asked for.
    fetches: DeadlineTable,
    snapshot_budget: MessageBudget,
    no_snapshot_before: Nanos,
    actions: Actions,
    next_tick: Nanos,
    random: Random,
    counters: SessionCounters,
}

impl MarketSession {
    /// A session for these instruments of a listed venue (set-up).
    ///
    /// # Errors
    /// [`SessionError`]: nothing to subscribe, or more than a connection may carry.
    pub fn new(
        product: ProductLine,
        instruments: &[Instrument],
        settings: SessionSettings,
    ) -> Result<MarketSession, SessionError> {
        let side = AnyMarket::new(product, instruments, &settings.channels, settings.scanner);
        MarketSession::over(side, instruments, settings)
    }
}

impl<M: MarketSide> MarketSession<M> {
    /// A session over a market side made for these instruments (set-up).
    ///
    /// # Errors
    /// [`SessionError`]: nothing to subscribe, or more than a connection may carry.
    pub fn over(side: M, instruments: &[Instrument], settings: SessionSettings) -> Result<Self, SessionError> {
        if instruments.is_empty() {
            return Err(SessionError::NoInstrument);
        }
        let card = side.product().card();
        let mut random = Random::new(settings.seed);
        let mut routes = Vec::new();
        for route in side.routes().iter().cloned() {
            if route.streams > card.streams_per_connection {
                let (streams, allowed) = (route.streams, card.streams_per_connection);
                return Err(SessionError::TooManyStreams { streams, allowed });
            }
            let budget = MessageBudget::new(card.messages_per_second, Nanos::from_seconds(1));
            let mut connection = || {
                PathConnection::new(
                    budget.clone(),
                    Backoff::new(settings.pause_first, settings.pause_longest, random.next_u64()),
                )
            };
            let connections = [connection(), connection()];
            let carries_depth = routes.is_empty();
            let replace_at = Nanos::NEVER;
            routes.push(RouteConnections {
                route,
                carries_depth,
                connections,
                primary: 0,
                replace_at,
                shutdown: false,
            });
        }
        let snapshots = card.weight_per_minute * settings.snapshot_weight_percent / 100 / card.snapshot_weight;
        let requests = routes.iter().map(|route: &RouteConnections| route.route.all.len()).sum::<usize>();
        let slots = 4 * (2 * instruments.len() + requests) + 16;
        let bytes_max = side.request_bytes_max();
        Ok(MarketSession {
            origin: card.snapshots,
            flow: MarketFlow::over(side, instruments, settings.sync),
            routes: routes.into_boxed_slice(),
            requests: Requests {
                texts: (0..REQUESTS_MAX).map(|_| RequestText::new(bytes_max)).collect(),
                next: 0,
                waiting: 0,
            },
            states: instruments
                .iter()
                .map(|instrument| SymbolState {
                    instrument: instrument.id,
                    fetch: SnapshotFetch::Idle,
                    backoff: Backoff::new(settings.pause_first, settings.snapshot_pause_longest, random.next_u64()),
                    last_depth: Nanos::ZERO,
                    live_since: Nanos::ZERO,
                    asked_in_a_row: 0,
                    not_before: Nanos::ZERO,
                })
                .collect(),
            fetches: DeadlineTable::new(instruments.len()),
            snapshot_budget: MessageBudget::new(snapshots.max(1), Nanos::from_seconds(60)),
            no_snapshot_before: Nanos::ZERO,
            actions: Actions { slots: vec![None; slots].into_boxed_slice(), first: 0, count: 0 },
            next_tick: Nanos::NEVER,
            random,
            counters: SessionCounters::default(),
            settings,
        })
    }

    /// Begins: asks for the first connection of every route.
    pub fn start(&mut self, now: Nanos) {
        for route in 0..self.routes.len() {
            self.routes[route].primary = 0;
            self.routes[route].connections[0].state = PathState::Pausing { until: now };
        }
        self.next_tick = now;
        self.maintain_connections(now);
    }

    /// Path and query to open for connection `path`; the venue's stream host goes before it.
    #[must_use]
    pub fn target(&self, path: u8) -> &'static str {
        self.routes[usize::from(path) / 2].route.target
    }

    /// How many connection numbers there are.
    #[must_use]
    pub fn path_count(&self) -> u8 {
        2 * self.routes.len() as u8
    }

    /// The text of a message to send, until the next action is asked for.
    #[must_use]
    pub fn message(&self, message: u16) -> &str {
        self.requests.texts[usize::from(message)].as_str()
    }

    /// What to do next, in order; ask until it gives none.
    #[inline]
    pub fn poll_action(&mut self) -> Option<SessionAction> {
        let action = self.actions.take();
        if let Some(SessionAction::Send { .. }) = action {
            self.requests.waiting -= 1;
        }
        action
    }

    /// When [`MarketSession::on_timer`] wants to be called.
    #[inline]
    #[must_use]
    pub fn next_deadline(&self) -> Nanos {
        self.next_tick
    }

    /// Connection `path` is open: subscribes.
    pub fn on_open(&mut self, path: u8, now: Nanos) {
        let (route, which) = split(path);
        self.counters.opened += 1;
        self.routes[route].connections[which].on_open(now);
        if which == self.routes[route].primary {
            let early = Nanos(self.settings.planned_life.0 / 24);
            self.routes[route].replace_at = now + self.settings.planned_life - self.random.span_below(early);
        }
        if self.routes[route].carries_depth && which == self.routes[route].primary {
            for state in &mut self.states {
                state.last_depth = now;
                // A new connection owes nothing for the one before: its first snapshot is asked for at once.
                state.asked_in_a_row = state.asked_in_a_row.min(symbols::ASKED_AT_ONCE - 1);
            }
        }
        self.send_subscriptions(route, which, now);
    }

    /// Asks for the memory that a frame of the symbol at index `symbol` most likely needs
    /// ([`spinbook_engine::prefetch`]).
    pub fn warm(&self, symbol: usize) {
        prefetch(self);
        prefetch(&*self.routes);
        if let Some(state) = self.states.get(symbol) {
            prefetch(state);
        }
        self.flow.warm(symbol);
    }

    /// How many symbols there are.
    #[must_use]
    pub fn symbol_count(&self) -> usize {
        self.states.len()
    }

    /// The instrument of the symbol at index `symbol`.
    #[must_use]
    pub fn instrument(&self, symbol: usize) -> Option<InstrumentId> {
        Some(self.states.get(symbol)?.instrument)
    }

    /// Takes a frame of connection `path`.
    ///
    /// Never inlined: rehearsals call it too, and keep warm what both execute.
    #[inline(never)]
    pub fn on_frame(
        &mut self,
        path: u8,
        frame: FrameBytes<'_>,
        received: Stamp,
        sink: &mut impl MarketSink,
    ) -> FrameOutcome {
        let (route, which) = split(path);
        let primary = self.routes[route].primary == which;
        let outcome = self.flow.on_frame(frame, received, (path, primary), sink);
        self.after_frame(outcome, (route, which), received, sink);
        outcome
    }

    /// What the messages of a frame mean for its connection, the first of which was judged already.
    #[inline]
    fn after_frame(
        &mut self,
        first: FrameOutcome,
        (route, which): (usize, usize),
        received: Stamp,
        sink: &mut impl MarketSink,
    ) {
        self.routes[route].connections[which].last_frame = received.wall;
        self.after_message(first, (route, which), received, sink);
        let from = (path_of(route, which), self.routes[route].primary == which);
        while let Some(outcome) = self.flow.on_next_message(received, from, sink) {
            self.after_message(outcome, (route, which), received, sink);
        }
    }

    #[inline]
    fn after_message(
        &mut self,
        outcome: FrameOutcome,
        (route, which): (usize, usize),
        received: Stamp,
        sink: &mut impl MarketSink,
    ) {
        let connection = &mut self.routes[route].connections[which];
        match outcome {
            FrameOutcome::Market { symbol, .. } => {
                connection.bad_in_a_row = 0;
                if outcome.is_depth() {
                    self.states[symbol].last_depth = received.wall;
                } else if outcome.is_snapshot() {
                    self.on_stream_snapshot(symbol, received.wall);
                }
                if self.flow.state(symbol) != SyncState::Live {
                    self.want_snapshot(symbol, received.wall);
                }
            }
            FrameOutcome::Ignored => connection.bad_in_a_row = 0,
            FrameOutcome::Control(message) => self.on_control_message(route, which, message, received, sink),
            FrameOutcome::Bad { symbol, .. } => {
                connection.bad_in_a_row += 1;
                if connection.bad_in_a_row >= BAD_FRAMES_MAX {
                    self.give_up(route, which, CloseReason::BadFrames, received, sink);
                } else if let Some(symbol) = symbol {
                    self.want_snapshot(symbol, received.wall);
                }
            }
        }
    }

    /// A protocol ping or pong came on connection `path`; true if the venue's message budget allows to answer.
    ///
    /// Pings come far more rarely than the budget allows, so only a flood is ever refused an answer.
    #[must_use]
    pub fn on_ping(&mut self, path: u8, now: Nanos) -> bool {
        let (route, which) = split(path);
        let connection = &mut self.routes[route].connections[which];
        connection.last_frame = now;
        connection.budget.take(now, 0)
    }

    /// No attempt at connection `path` was made: the address has used what the venue allows. It is not tried before
    /// `until`.
    #[cold]
    pub fn on_put_off(&mut self, path: u8, until: Nanos) {
        let (route, which) = split(path);
        if matches!(self.routes[route].connections[which].state, PathState::Opening { .. }) {
            self.counters.put_off += 1;
            self.routes[route].connections[which].state = PathState::Pausing { until };
        }
    }

    /// The venue refused a connection and takes none from this address before `until`.
    #[cold]
    pub fn on_refused(&mut self, until: Nanos) {
        for connection in self.routes.iter_mut().flat_map(|route| &mut route.connections) {
            if let PathState::Pausing { until: planned } = &mut connection.state {
                *planned = until.max(*planned);
            }
        }
    }

    /// Connection `path` could not be opened or is gone.
    pub fn on_close(&mut self, path: u8, now: Nanos, sink: &mut impl MarketSink) {
        let (route, which) = split(path);
        if self.routes[route].connections[which].state == PathState::Idle {
            return;
        }
        self.on_connection_gone(route, which, Stamp { wall: now, tsc: 0 }, sink);
        self.maintain_connections(now);
    }

    /// Takes the body of a depth snapshot, `buffer[..length]`.
    pub fn on_snapshot(
        &mut self,
        instrument: InstrumentId,
        buffer: &mut [u8],
        length: usize,
        received: Stamp,
        sink: &mut impl MarketSink,
    ) {
        let Some(symbol) = self.index_of(instrument) else {
            return;
        };
        if !matches!(self.states[symbol].fetch, SnapshotFetch::InFlight { .. }) {
            return;
        }
        if self.flow.state(symbol) == SyncState::Buffering {
            // The connection it was fetched for is gone; it joins no stream.
            self.states[symbol].fetch = SnapshotFetch::Idle;
            return;
        }
        let path = self.depth_path();
        let result = self.flow.on_snapshot(symbol, buffer, length, received, path, sink);
        self.states[symbol].fetch = SnapshotFetch::Idle;
        let live = self.flow.state(symbol) == SyncState::Live;
        match result {
            Ok(SnapshotStep::Replace | SnapshotStep::Unwanted) if live => {
                self.states[symbol].live_since = received.wall
            }
            Ok(_) => {
                self.counters.snapshots_failed += 1;
                self.want_another_snapshot(symbol, received.wall);
            }
            Err(_) => {
                self.counters.snapshots_failed += 1;
                self.want_snapshot_later(symbol, Nanos::ZERO, received.wall);
            }
        }
    }

    /// A snapshot could not be fetched; `retry_after` is what the venue asked for, zero if it did not.
    pub fn on_snapshot_failed(&mut self, instrument: InstrumentId, retry_after: Nanos, now: Nanos) {
        let Some(symbol) = self.index_of(instrument) else {
            return;
        };
        self.counters.snapshots_failed += 1;
        self.no_snapshot_before = self.no_snapshot_before.max(now + retry_after);
        self.states[symbol].fetch = SnapshotFetch::Idle;
        self.want_snapshot_later(symbol, retry_after, now);
    }

    /// Time passed: opens, subscribes, fetches, gives up what is silent.
    pub fn on_timer(&mut self, now: Nanos, sink: &mut impl MarketSink) {
        if now < self.next_tick {
            return;
        }
        self.next_tick = now + TICK;
        let received = Stamp { wall: now, tsc: 0 };
        for route in 0..self.routes.len() {
            for which in 0..2 {
                self.judge_connection(route, which, received, sink);
                self.keep_alive(route, which, received, sink);
            }
            self.replace_primary(route, now);
        }
        self.judge_symbols(received, sink);
        self.maintain_connections(now);
        self.ask_for_snapshots(now);
    }

    fn index_of(&self, instrument: InstrumentId) -> Option<usize> {
        self.states.iter().position(|state| state.instrument == instrument)
    }

    fn depth_path(&self) -> u8 {
        let route = self.routes.iter().position(|route| route.carries_depth).unwrap_or(0);
        path_of(route, self.routes[route].primary)
    }

    /// Queues a request that the room writes. False: the queue is full, or the room had nothing to write.
    fn queue_request(&mut self, path: u8, write: impl FnOnce(&mut M, &mut RequestText)) -> bool {
        let Some(text) = self.requests.begin() else {
            self.counters.actions_put_off += 1;
            return false;
        };
        write(self.flow.side_mut(), text);
        if text.as_str().is_empty() || self.actions.is_full() {
            self.counters.actions_put_off += 1;
            return false;
        }
        let message = self.requests.keep();
        self.queue_action(SessionAction::Send { path, message })
    }

    fn queue_action(&mut self, action: SessionAction) -> bool {
        let taken = self.actions.append(action);
        self.counters.actions_put_off += u64::from(!taken);
        taken
    }

    /// The product line.
    #[must_use]
    pub fn product(&self) -> ProductLine {
        self.flow.side().product()
    }

    /// The symbol of an instrument, for the snapshot's address.
    #[must_use]
    pub fn symbol(&self, instrument: InstrumentId) -> Option<Symbol> {
        self.index_of(instrument).map(|index| self.flow.symbol(index))
    }

    /// Whether an instrument's book is in step.
    #[must_use]
    pub fn is_live(&self, instrument: InstrumentId) -> bool {
        self.index_of(instrument).is_some_and(|index| self.flow.state(index) == SyncState::Live)
    }

    /// Books in step.
    #[must_use]
    pub fn live_count(&self) -> usize {
        (0..self.states.len()).filter(|symbol| self.flow.state(*symbol) == SyncState::Live).count()
    }

    /// Decoder and sequences.
    #[must_use]
    pub fn flow(&self) -> &MarketFlow<M> {
        &self.flow
    }

    /// Panics if the session's bookkeeping contradicts itself; simulations and tests call it after every step.
    pub fn check(&self) {
        self.flow.check();
        let sends = |action: &&Option<SessionAction>| matches!(action, Some(SessionAction::Send { .. }));
        let waiting = self.actions.slots.iter().filter(sends).count();
        assert!(waiting == self.requests.waiting, "every text that waits belongs to one action");
        for route in &self.routes {
            let primary = &route.connections[route.primary];
            let other = &route.connections[1 - route.primary];
            assert!(primary.state != PathState::Idle || other.state == PathState::Idle, "the first is never left idle");
            assert!(primary.acknowledged <= route.route.all.len(), "no more answers than requests");
        }
    }

    /// What happened so far.
    #[must_use]
    pub fn counters(&self) -> SessionCounters {
        let (flow, decode) = (self.flow.counters(), self.flow.decode_counts());
        let mut counters = SessionCounters {
            frames: flow.frames,
            scanned: decode.scanned,
            learned: decode.learned,
            fallback: decode.fallback,
            bad_frames: flow.bad_frames,
            wrong_symbol: flow.wrong_symbol,
            events: flow.events,
            levels: flow.levels,
            ..self.counters
        };
        for symbol in 0..self.states.len() {
            let sync = self.flow.sync_counts(symbol);
            counters.gaps += sync.gaps;
            counters.resyncs += sync.resyncs;
            counters.duplicates += sync.duplicates;
        }
        counters
    }
}

/// RouteConnections and connection of a path.
#[inline]
fn split(path: u8) -> (usize, usize) {
    (usize::from(path) / 2, usize::from(path) % 2)
}

#[inline]
fn path_of(route: usize, which: usize) -> u8 {
    (2 * route + which) as u8
}
