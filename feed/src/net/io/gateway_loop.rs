//! COLD: the I/O thread: cancels before orders off their rings, the gateways' connections, executions back.
//!
//! One thread and one pair of rings serve every venue: an intent goes to the gateway whose instrument it names.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mio::{Events, Poll};
use spinbook_engine::event::ExecutionEvent;
use spinbook_engine::intent::Intent;
use spinbook_engine::ring::{Consumer, Producer};
use spinbook_engine::trace::TraceRecord;
use spinbook_engine::types::{InstrumentId, Nanos};

use super::order_connections::{CONNECTIONS_MAX, OrderConnections, OrderIo};
use super::rest_calls::RestMailbox;
use crate::gateway::rest::RestAnswer;
use crate::gateway::{Gateway, GatewayAction};
use crate::net::connection::connector::Connector;
use crate::net::connection::{ConnectionError, ConnectionState};
use crate::net::host::clock::{Clock, CycleScale, JumpDetector, cycles};
use crate::net::hot::hot_shared::add;
use crate::venue::order_side::OrderConnection;

mod sources;
mod words;

pub use super::gateway_shared::{ConnectionEnded, GatewayShared, OperatorWord};
pub use super::order_connections::Written;

/// Gateways that one I/O thread may serve.
pub const GATEWAYS_MAX: usize = 32;
/// Executions that wait for room on the ring; more of them mean that the hot thread is gone.
const EXECUTIONS_WAITING_MAX: usize = 1 << 16;
/// How often the wall clock is compared with ours.
const CLOCK_CHECK: Nanos = Nanos::from_seconds(1);
/// A step of the wall clock that needs the venue's time measured anew.
const CLOCK_STEP_MIN: Nanos = Nanos::from_millis(250);

/// Turns that only look at the rings between two looks at the sockets, while the loop spins: the poll takes ten times
/// as long as the rings, and an order that comes meanwhile waits for it.
const TURNS_WITHOUT_POLL_MAX: u32 = 64;

/// Intents taken in one turn, so that a flood of them cannot starve the sockets.
const INTENTS_PER_TURN_MAX: usize = 256;

/// Frames of one connection taken in one turn, so that a flood of them cannot hold up a cancel.
const FRAMES_PER_TURN_MAX: usize = 64;

/// What the loop does when there is nothing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// Polls on: the thread has a core of its own.
    Spin,
    /// Sleeps this long: the core is shared.
    Sleep(Duration),
}

/// One venue's gateway and the way to its connections.
pub struct GatewayLane {
    /// The gateway.
    pub gateway: Gateway,
    /// Where requests go.
    pub orders: Connector,
    /// Where user data comes from, if over a connection of its own.
    pub user_data: Connector,
}

/// What the I/O thread needs besides its gateways.
pub struct GatewayLoopSettings {
    /// When there is nothing to do.
    pub idle: Idle,
    /// How long the end may take: cancel all, confirm. [`Nanos::NEVER`]: until the venue has confirmed.
    pub drain_within: Nanos,
    /// Called when a connection ended, to log it.
    pub on_connection_end: ConnectionEnded,
    /// Carries requests over REST; `None`: they have no answer.
    pub rest: Option<RestMailbox>,
}

/// The ends of the rings that the I/O thread holds.
pub struct GatewayRings {
    /// Cancels: always first.
    pub cancels: Consumer<Intent>,
    /// New orders.
    pub orders: Consumer<Intent>,
    /// What happened to them.
    pub executions: Producer<ExecutionEvent>,
    /// What the engine decided and why, where a journal is kept of it.
    pub decisions: Option<Consumer<TraceRecord>>,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GatewayEnd {
    /// Orders that are open or unknown, as the gateways believe.
    pub open_orders: usize,
    /// Whether everything was confirmed before the deadline.
    pub confirmed: bool,
}

struct Lane {
    gateway: Gateway,
    connections: OrderConnections,
    /// An operator's word that has not led to a cancel on the wire yet.
    word: Option<Word>,
}

/// When it was given, and what had been sent by then.
#[derive(Clone, Copy)]
struct Word {
    tsc: u64,
    cancels: u64,
}

/// The I/O thread's work.
pub struct GatewayLoop {
    lanes: Vec<Lane>,
    /// The lane of each instrument, by its id.
    lane_of: Vec<u8>,
    rings: GatewayRings,
    io: OrderIo,
    rest: Option<RestMailbox>,
    idle: Idle,
    drain_within: Nanos,
    jumps: JumpDetector,
    clock_check: Nanos,
    drain_by: Option<Nanos>,
    /// The version of the stopped instruments that was heard of.
    stopped_version: u64,
    /// Some lane has a word to carry out, or an instrument to have confirmed.
    words_open: bool,
    /// In a row.
    poll_failures: u32,
    turns_without_poll: u32,
}

/// The lane of each instrument. What no gateway trades goes to the first one, which refuses it.
fn lanes_by_instrument(lanes: &[Lane]) -> Vec<u8> {
    let mut lane_of = Vec::new();
    for (place, lane) in lanes.iter().enumerate() {
        for instrument in lane.gateway.instruments() {
            let at = instrument.id.index();
            if lane_of.len() <= at {
                lane_of.resize(at + 1, 0);
            }
            lane_of[at] = place as u8;
        }
    }
    lane_of
}

impl GatewayLoop {
    /// Puts the parts together; nothing is opened yet. Each instrument is traded by one of the gateways.
    ///
    /// # Errors
    /// The system refuses a poll.
    ///
    /// # Panics
    /// There is no gateway, or there are more than [`GATEWAYS_MAX`].
    pub fn new(
        lanes: Vec<GatewayLane>,
        rings: GatewayRings,
        settings: GatewayLoopSettings,
        clock: Clock,
        scale: CycleScale,
        shared: Arc<GatewayShared>,
    ) -> io::Result<GatewayLoop> {
        assert!((1..=GATEWAYS_MAX).contains(&lanes.len()), "an I/O thread serves 1 to {GATEWAYS_MAX} gateways");
        let (poll, events) = (Poll::new()?, Events::with_capacity(CONNECTIONS_MAX * lanes.len().max(8)));
        let lanes: Vec<Lane> = lanes
            .into_iter()
            .enumerate()
            .map(|(place, lane)| {
                let connections = OrderConnections::new(lane.gateway.venue(), place, lane.orders, lane.user_data);
                Lane { gateway: lane.gateway, connections, word: None }
            })
            .collect();
        Ok(GatewayLoop {
            lane_of: lanes_by_instrument(&lanes),
            lanes,
            rings,
            io: OrderIo {
                poll,
                events,
                clock,
                scale,
                shared,
                written: Written::default(),
                on_connection_end: settings.on_connection_end,
            },
            rest: settings.rest,
            idle: settings.idle,
            drain_within: settings.drain_within,
            jumps: JumpDetector::new(&clock, CLOCK_STEP_MIN),
            clock_check: Nanos::ZERO,
            drain_by: None,
            stopped_version: 0,
            words_open: false,
            poll_failures: 0,
            turns_without_poll: 0,
        })
    }

    /// When the newest message went into the kernel.
    #[must_use]
    pub const fn written(&self) -> Written {
        self.io.written
    }

    /// Works until it is told to drain (then cancels all and confirms) or to abandon. Gives the gateways back, in the
    /// order in which they came.
    ///
    /// # Errors
    /// The poll failed.
    pub fn run(mut self) -> io::Result<(Vec<Gateway>, GatewayEnd)> {
        let outcome = loop {
            match self.turn() {
                Ok(None) => {}
                Ok(Some(end)) => break Ok(end),
                Err(error) => break Err(error),
            }
        };
        while self.take_decisions() > 0 {}
        self.note_words(self.io.clock.now());
        for lane in &mut self.lanes {
            for connection in OrderConnection::ALL {
                lane.connections.close(&mut self.io, connection);
            }
        }
        let confirmed = outcome.as_ref().is_ok_and(|end| end.confirmed);
        self.io.shared.confirmed.store(confirmed, Ordering::Release);
        self.io.shared.failed.store(outcome.is_err(), Ordering::Release);
        self.io.shared.ended.store(true, Ordering::Release);
        let gateways = self.lanes.into_iter().map(|lane| lane.gateway).collect();
        outcome.map(|end| (gateways, end))
    }

    /// One turn of the loop: for a driver that shares its thread. Says how it ended once it has; then it is over.
    ///
    /// # Errors
    /// The poll failed.
    pub fn turn(&mut self) -> io::Result<Option<GatewayEnd>> {
        let busy = self.forward_intents();
        // What was decided is out. The sockets may wait a little, but neither for a flood of intents nor for long.
        self.turns_without_poll += 1;
        let wait_max = if self.idle == Idle::Spin { TURNS_WITHOUT_POLL_MAX } else { 0 };
        if self.turns_without_poll <= wait_max {
            return Ok(None);
        }
        self.turns_without_poll = 0;
        if !busy && let Idle::Sleep(span) = self.idle {
            // The poll counts whole milliseconds, which is too long for an order to wait: sleep, then poll at once.
            std::thread::sleep(span);
            self.forward_intents();
        }
        self.look_around()
    }

    /// Sockets, deadlines, and what is shown to others.
    fn look_around(&mut self) -> io::Result<Option<GatewayEnd>> {
        #[cfg(debug_assertions)]
        while self.io.shared.frozen.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(1));
        }
        let now = self.io.clock.now();
        self.hear(now);
        for at in 0..self.lanes.len() {
            let gateway = &mut self.lanes[at].gateway;
            if now >= gateway.next_deadline() {
                gateway.on_timer(now);
            }
        }
        self.check_clock(now);
        for at in 0..self.lanes.len() {
            self.carry_output(at, now);
        }
        match self.poll() {
            Ok(()) => self.poll_failures = 0,
            Err(error) => self.renew_poll(error, now)?,
        }
        for at in 0..self.lanes.len() {
            for connection in OrderConnection::ALL {
                if std::mem::take(&mut self.lanes[at].connections.ready[connection.index()]) {
                    self.serve(at, connection);
                }
            }
        }
        self.take_answers();
        self.on_timers();
        self.take_decisions();
        (0..self.lanes.len()).for_each(|at| self.hand_over_executions(at));
        if self.words_open {
            self.follow_words();
        }
        let shared = &self.io.shared;
        add(&shared.heartbeat, 1);
        shared.open_orders.store(self.open_orders() as u64, Ordering::Relaxed);
        let halted = self.lanes.iter().any(|lane| lane.gateway.halt_message().is_some());
        shared.halted.store(halted, Ordering::Relaxed);
        let down = self.lanes.iter().filter(|lane| !lane.gateway.is_ready()).count();
        shared.sessions_down.store(down as u64, Ordering::Relaxed);
        let leftover = self.lanes.iter().map(|lane| lane.gateway.counters().leftover_orders).sum();
        shared.leftover_orders.store(leftover, Ordering::Relaxed);
        Ok(self.ending(now))
    }

    /// Looks whether an operator, or whoever watches over this thread, has given a word.
    fn hear(&mut self, now: Nanos) {
        let shared = &self.io.shared;
        if shared.stopped.version() != self.stopped_version {
            self.stop_instruments(now);
        }
        if !self.io.shared.said.is_empty() {
            self.note_words(now);
        }
        if self.drain_by.is_none() && self.io.shared.drain.load(Ordering::Acquire) {
            self.begin_drain(now);
        }
    }

    fn open_orders(&self) -> usize {
        self.lanes.iter().map(|lane| lane.gateway.open_orders()).sum()
    }

    /// Cancels first, then orders: a cancel never waits behind a new order. Each leaves before the next is looked at.
    fn forward_intents(&mut self) -> bool {
        let mut any = false;
        for _ in 0..INTENTS_PER_TURN_MAX {
            let Some(intent) = self.rings.cancels.pop().or_else(|| self.rings.orders.pop()) else {
                break;
            };
            self.io.written.taken = cycles();
            let now = self.io.clock.now();
            let at = self.lane_of(intent.instrument);
            self.lanes[at].gateway.on_intent(&intent, now);
            self.carry_actions(at, now);
            self.hand_over_executions(at);
            any = true;
        }
        any
    }

    /// Has what the engine decided written down, when what follows from it is out; how much there was.
    fn take_decisions(&mut self) -> usize {
        let Some(mut decisions) = self.rings.decisions.take() else { return 0 };
        let mut taken = 0;
        while taken < INTENTS_PER_TURN_MAX
            && let Some(decision) = decisions.pop()
        {
            let at = self.lane_of(decision.instrument);
            self.lanes[at].gateway.note_decision(&decision);
            taken += 1;
        }
        self.rings.decisions = Some(decisions);
        taken
    }

    #[inline]
    fn lane_of(&self, instrument: InstrumentId) -> usize {
        self.lane_of.get(instrument.index()).map_or(0, |lane| usize::from(*lane))
    }

    /// A step of the wall clock (an operator, a suspend): the gateways measure the venue's clock again, over the
    /// connections that stand, and the engine pulls its quotes meanwhile.
    fn check_clock(&mut self, now: Nanos) {
        if now < self.clock_check {
            return;
        }
        self.clock_check = now + CLOCK_CHECK;
        if self.jumps.check(&self.io.clock).is_none() {
            return;
        }
        add(&self.io.shared.clock_steps, 1);
        self.lanes.iter_mut().for_each(|lane| lane.gateway.on_clock_step(now));
    }

    /// Carries out what a gateway wants, and hands over what it tells the engine.
    fn carry_output(&mut self, at: usize, now: Nanos) {
        self.carry_actions(at, now);
        self.hand_over_executions(at);
    }

    /// Carries out what a gateway wants until it wants nothing more, and tells it of what failed.
    fn carry_actions(&mut self, at: usize, now: Nanos) {
        let Lane { gateway, connections, .. } = &mut self.lanes[at];
        loop {
            while let Some(action) = gateway.poll_action() {
                let (connection, outcome) = match action {
                    GatewayAction::Connect { connection, target } => {
                        (connection, connections.connect(&mut self.io, connection, &target, now))
                    }
                    GatewayAction::Send { connection, bytes, origin_tsc, order, kind } => {
                        let outcome = connections.send(&mut self.io, connection, bytes, origin_tsc);
                        if matches!(outcome, Ok(true)) {
                            gateway.on_sent(order, kind, connection, now);
                        }
                        (connection, outcome.map(|_| ()))
                    }
                    GatewayAction::Ping { connection, mark } => (connection, connections.ping(connection, mark)),
                    GatewayAction::Close { connection, .. } => {
                        connections.close(&mut self.io, connection);
                        continue;
                    }
                    GatewayAction::Ask { ticket, request } => {
                        if !self.rest.as_ref().is_some_and(|rest| rest.ask(at, ticket, request)) {
                            gateway.on_rest(ticket, &RestAnswer::default(), now);
                        }
                        continue;
                    }
                };
                if let Err(error) = outcome {
                    connections.drop_failed(&mut self.io, connection, &error);
                }
            }
            let mut told = false;
            if let Some(span) = connections.refused.take() {
                gateway.on_refused(span, now);
            }
            for connection in OrderConnection::ALL {
                if std::mem::take(&mut connections.lost[connection.index()]) {
                    gateway.on_close(connection, now);
                    told = true;
                }
            }
            if !told {
                break;
            }
        }
    }

    fn serve(&mut self, at: usize, connection: OrderConnection) {
        let now = self.io.clock.now();
        if let Err(error) = self.serve_connection(at, connection, now) {
            self.lanes[at].connections.drop_failed(&mut self.io, connection, &error);
        }
        self.carry_output(at, now);
    }

    fn serve_connection(&mut self, at: usize, connection: OrderConnection, now: Nanos) -> Result<(), ConnectionError> {
        let slot = connection.index();
        let Some(socket) = &mut self.lanes[at].connections.sockets[slot] else {
            return Ok(());
        };
        if socket.connection.state() == ConnectionState::Opening && !socket.connection.drive_open(now)? {
            return Ok(());
        }
        if !socket.open_reported {
            socket.open_reported = true;
            self.lanes[at].connections.opened(connection);
            add(&self.io.shared.opened, 1);
            self.lanes[at].gateway.on_open(connection, now);
            self.carry_output(at, now);
        }
        for served in 0.. {
            let Lane { gateway, connections, .. } = &mut self.lanes[at];
            if served == FRAMES_PER_TURN_MAX {
                // What waits on the rings has its turn; the rest of the frames follows in the next one.
                connections.ready[slot] = true;
                break;
            }
            let Some(socket) = &mut connections.sockets[slot] else { break };
            let Some(frame) = socket.connection.poll_frame(now)? else {
                socket.connection.flush()?;
                break;
            };
            let length = frame.length;
            gateway.on_frame(connection, &mut frame.padded[..length], now);
            self.carry_output(at, now);
        }
        // Behind the messages: the pong says that what came before it is in.
        let Lane { gateway, connections, .. } = &mut self.lanes[at];
        if let Some(mark) = connections.take_pong(connection) {
            gateway.on_pong(connection, mark, now);
        }
        Ok(())
    }

    fn on_timers(&mut self) {
        let now = self.io.clock.now();
        for at in 0..self.lanes.len() {
            for connection in OrderConnection::ALL {
                let connections = &mut self.lanes[at].connections;
                let Some(socket) = &mut connections.sockets[connection.index()] else {
                    continue;
                };
                if now < socket.connection.next_deadline() {
                    continue;
                }
                if let Err(error) = socket.connection.on_timer(now) {
                    connections.drop_failed(&mut self.io, connection, &error);
                    self.carry_output(at, now);
                }
            }
        }
    }

    /// Executions are facts: they wait in their gateway for room on the ring and are never dropped.
    fn hand_over_executions(&mut self, at: usize) {
        let gateway = &mut self.lanes[at].gateway;
        while let Some(event) = gateway.next_execution() {
            if self.rings.executions.push(event).is_err() {
                assert!(
                    gateway.executions_waiting() <= EXECUTIONS_WAITING_MAX,
                    "the hot thread takes no executions any more: stopping so that the watchdog cancels"
                );
                return;
            }
            gateway.execution_taken();
        }
    }

    fn ending(&mut self, now: Nanos) -> Option<GatewayEnd> {
        let open_orders = self.open_orders();
        let shared = &self.io.shared;
        if shared.abandon.load(Ordering::Relaxed) {
            return Some(GatewayEnd { open_orders, confirmed: false });
        }
        let drain_by = self.drain_by?;
        let quiet = |lane: &Lane| lane.gateway.is_quiet() && lane.gateway.executions_waiting() == 0;
        let confirmed = open_orders == 0 && self.lanes.iter().all(quiet);
        (confirmed || now >= drain_by).then_some(GatewayEnd { open_orders, confirmed })
    }
}
