//! HOT: the life of a market's connections, without a socket: what to open, send, fetch and give up, and when.
//!
//! A product line has one route or two (USD-M serves depth and trades apart); each route has two connections,
//! of which one works and the other takes over before the first is too old. A connection's number, its `path`,
//! is `2 * route + which`. `connections` looks after the connections, `symbols` after the books.

mod connections;
mod symbols;

use spinbook_engine::types::{InstrumentId, Nanos, Stamp};

use crate::backoff::Backoff;
use crate::random::Random;
use crate::session::budget::MessageBudget;
use crate::session::flow::{FrameOutcome, MarketFlow};
use crate::session::link::{Link, LinkState};
use crate::session::subscription::{RouteMessages, write_messages};
use crate::session::{CloseReason, MarketSink, SessionAction, SessionCounters, SessionError, SessionSettings};
use crate::sync::{SnapshotStep, SyncState};
use crate::timer::DeadlineTable;
use crate::venue::ProductLine;
use crate::venue::binance::StreamRoute;
use crate::venue::instrument::{Instrument, Symbol};

/// How often everything is looked after when nothing happens.
const TICK: Nanos = Nanos::from_millis(100);
/// Frames in a row that are not the venue's before a connection is given up.
const BAD_FRAMES_MAX: u32 = 16;
/// Messages a second that are kept for pongs and single resubscriptions.
const PONG_RESERVE: usize = 2;

/// A route and its two connections.
#[derive(Debug)]
struct Route {
    route: StreamRoute,
    carries_depth: bool,
    messages: RouteMessages,
    links: [Link; 2],
    /// Which of the two is believed for everything but depth.
    primary: usize,
    /// When the primary connection is to be replaced.
    replace_at: Nanos,
    /// Whether it must be replaced at once because the venue said so.
    shutdown: bool,
}

/// Where a symbol's snapshot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fetch {
    Idle,
    Wanted { not_before: Nanos },
    InFlight { since: Nanos },
}

/// One symbol's care.
#[derive(Debug)]
struct Care {
    instrument: InstrumentId,
    fetch: Fetch,
    backoff: Backoff,
    last_depth: Nanos,
    /// Since when the book is in step; zero: it is not.
    live_since: Nanos,
    /// Snapshots asked for since the book was last in step for long.
    asked_in_a_row: u32,
    /// No snapshot is asked for earlier.
    not_before: Nanos,
}

/// A bounded queue of actions.
#[derive(Debug)]
struct Actions {
    slots: Box<[Option<SessionAction>]>,
    first: usize,
    count: usize,
}

impl Actions {
    fn append(&mut self, action: SessionAction) -> bool {
        if self.count == self.slots.len() {
            return false;
        }
        let at = (self.first + self.count) % self.slots.len();
        self.slots[at] = Some(action);
        self.count += 1;
        true
    }

    fn take(&mut self) -> Option<SessionAction> {
        let action = self.slots[self.first].take()?;
        self.first = (self.first + 1) % self.slots.len();
        self.count -= 1;
        Some(action)
    }
}

/// The connections of one product line's market data.
#[derive(Debug)]
pub struct MarketSession {
    product: ProductLine,
    settings: SessionSettings,
    flow: MarketFlow,
    routes: Box<[Route]>,
    texts: Box<[String]>,
    care: Box<[Care]>,
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
    /// A session for these instruments (set-up; allocates everything).
    ///
    /// # Errors
    /// [`SessionError`]: nothing to subscribe, or more than a connection may carry.
    pub fn new(
        product: ProductLine,
        instruments: &[Instrument],
        settings: SessionSettings,
    ) -> Result<MarketSession, SessionError> {
        if instruments.is_empty() {
            return Err(SessionError::NoInstrument);
        }
        let card = product.card();
        let mut texts = Vec::new();
        let mut random = Random::new(settings.seed);
        let mut routes = Vec::new();
        for route in settings.channels.routes(product) {
            let messages = write_messages(product, route, &settings.channels, instruments, &mut texts);
            if messages.streams > card.streams_per_connection {
                let (streams, allowed) = (messages.streams, card.streams_per_connection);
                return Err(SessionError::TooManyStreams { streams, allowed });
            }
            let budget = MessageBudget::new(card.messages_per_second, Nanos::from_seconds(1));
            let mut link =
                || Link::new(budget, Backoff::new(settings.pause_first, settings.pause_longest, random.next_u64()));
            let links = [link(), link()];
            let carries_depth = routes.is_empty();
            let replace_at = Nanos::NEVER;
            routes.push(Route { route, carries_depth, messages, links, primary: 0, replace_at, shutdown: false });
        }
        let snapshots = card.weight_per_minute * settings.snapshot_weight_percent / 100 / card.snapshot_weight;
        let slots = 4 * (instruments.len() + texts.len()) + 16;
        Ok(MarketSession {
            product,
            flow: MarketFlow::new(product, instruments, settings.sync, settings.scanner),
            routes: routes.into_boxed_slice(),
            texts: texts.into_boxed_slice(),
            care: instruments
                .iter()
                .map(|instrument| Care {
                    instrument: instrument.id,
                    fetch: Fetch::Idle,
                    backoff: Backoff::new(settings.pause_first, settings.pause_longest, random.next_u64()),
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
            self.routes[route].links[0].state = LinkState::Pausing { until: now };
        }
        self.next_tick = now;
        self.look_after_links(now);
    }

    /// Path and query to open for connection `path`; the venue's stream host goes before it.
    #[must_use]
    pub fn target(&self, path: u8) -> &'static str {
        self.routes[usize::from(path) / 2].route.path()
    }

    /// How many connection numbers there are.
    #[must_use]
    pub fn path_count(&self) -> u8 {
        2 * self.routes.len() as u8
    }

    /// The text of a message to send.
    #[must_use]
    pub fn message(&self, message: u16) -> &str {
        &self.texts[usize::from(message)]
    }

    /// What to do next, in order; ask until it gives none.
    #[inline]
    pub fn poll_action(&mut self) -> Option<SessionAction> {
        self.actions.take()
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
        self.routes[route].links[which].on_open(now);
        if which == self.routes[route].primary {
            let early = Nanos(self.settings.planned_life.0 / 24);
            self.routes[route].replace_at = now + self.settings.planned_life - self.random.span_below(early);
        }
        if self.routes[route].carries_depth && which == self.routes[route].primary {
            for care in &mut self.care {
                care.last_depth = now;
            }
        }
        self.send_subscriptions(route, which, now);
    }

    /// Takes a text frame of connection `path`: `buffer[..length]`, with at least
    /// [`crate::venue::market::FRAME_PADDING`] readable bytes behind it.
    #[inline]
    pub fn on_frame(
        &mut self,
        path: u8,
        buffer: &mut [u8],
        length: usize,
        received: Stamp,
        sink: &mut impl MarketSink,
    ) -> FrameOutcome {
        let (route, which) = split(path);
        let primary = self.routes[route].primary == which;
        let outcome = self.flow.on_frame(buffer, length, received, (path, primary), sink);
        let link = &mut self.routes[route].links[which];
        link.last_frame = received.wall;
        match outcome {
            FrameOutcome::Market { symbol, .. } => {
                link.bad_in_a_row = 0;
                if outcome.is_depth() {
                    self.care[symbol].last_depth = received.wall;
                }
                if self.flow.state(symbol) != SyncState::Live {
                    self.want_snapshot(symbol, received.wall);
                }
            }
            FrameOutcome::Ignored => link.bad_in_a_row = 0,
            FrameOutcome::Control(message) => self.on_control_message(route, which, message, received, sink),
            FrameOutcome::Bad { symbol, .. } => {
                link.bad_in_a_row += 1;
                if link.bad_in_a_row >= BAD_FRAMES_MAX {
                    self.give_up(route, which, CloseReason::BadFrames, received, sink);
                } else if let Some(symbol) = symbol {
                    self.want_snapshot(symbol, received.wall);
                }
            }
        }
        outcome
    }

    /// A protocol ping or pong came on connection `path`; true if the venue's message budget allows to answer.
    ///
    /// Pings come far more rarely than the budget allows, so only a flood is ever refused an answer.
    #[must_use]
    pub fn on_ping(&mut self, path: u8, now: Nanos) -> bool {
        let (route, which) = split(path);
        let link = &mut self.routes[route].links[which];
        link.last_frame = now;
        link.budget.take(now, 0)
    }

    /// Connection `path` could not be opened or is gone.
    pub fn on_close(&mut self, path: u8, now: Nanos, sink: &mut impl MarketSink) {
        let (route, which) = split(path);
        if self.routes[route].links[which].state == LinkState::Idle {
            return;
        }
        self.link_is_gone(route, which, Stamp { wall: now, tsc: 0 }, sink);
        self.look_after_links(now);
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
        if !matches!(self.care[symbol].fetch, Fetch::InFlight { .. }) {
            return;
        }
        if self.flow.state(symbol) == SyncState::Buffering {
            // The connection it was fetched for is gone; it joins no stream.
            self.care[symbol].fetch = Fetch::Idle;
            return;
        }
        let path = self.depth_path();
        let result = self.flow.on_snapshot(symbol, buffer, length, received, path, sink);
        self.care[symbol].fetch = Fetch::Idle;
        let live = self.flow.state(symbol) == SyncState::Live;
        match result {
            Ok(SnapshotStep::Replace | SnapshotStep::Unwanted) if live => self.care[symbol].live_since = received.wall,
            _ => {
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
        self.care[symbol].fetch = Fetch::Idle;
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
                self.judge_link(route, which, received, sink);
            }
            self.replace_primary(route, now);
        }
        self.judge_symbols(received, sink);
        self.look_after_links(now);
        self.ask_for_snapshots(now);
    }

    fn index_of(&self, instrument: InstrumentId) -> Option<usize> {
        self.care.iter().position(|care| care.instrument == instrument)
    }

    fn depth_path(&self) -> u8 {
        let route = self.routes.iter().position(|route| route.carries_depth).unwrap_or(0);
        path_of(route, self.routes[route].primary)
    }

    fn act(&mut self, action: SessionAction) -> bool {
        let taken = self.actions.append(action);
        self.counters.actions_put_off += u64::from(!taken);
        taken
    }

    /// The product line.
    #[must_use]
    pub fn product(&self) -> ProductLine {
        self.product
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
        (0..self.care.len()).filter(|symbol| self.flow.state(*symbol) == SyncState::Live).count()
    }

    /// Decoder and sequences.
    #[must_use]
    pub fn flow(&self) -> &MarketFlow {
        &self.flow
    }

    /// What happened so far.
    #[must_use]
    pub fn counters(&self) -> SessionCounters {
        let (flow, decode) = (self.flow.counters(), self.flow.decode_counts());
        let mut counters = SessionCounters {
            frames: flow.frames,
            scanned: decode.scanned,
            fallback: decode.fallback,
            bad_frames: flow.bad_frames,
            wrong_symbol: flow.wrong_symbol,
            events: flow.events,
            levels: flow.levels,
            ..self.counters
        };
        for symbol in 0..self.care.len() {
            let sync = self.flow.sync_counts(symbol);
            counters.gaps += sync.gaps;
            counters.resyncs += sync.resyncs;
            counters.duplicates += sync.duplicates;
        }
        counters
    }
}

/// Route and connection of a path.
#[inline]
fn split(path: u8) -> (usize, usize) {
    (usize::from(path) / 2, usize::from(path) % 2)
}

#[inline]
fn path_of(route: usize, which: usize) -> u8 {
    (2 * route + which) as u8
}
