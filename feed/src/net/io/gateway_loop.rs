//! COLD: the I/O thread: cancels before orders off their rings, the gateway's connections, executions back.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use mio::{Events, Poll, Token};
use spinbook_engine::event::ExecutionEvent;
use spinbook_engine::intent::Intent;
use spinbook_engine::latency::LatencyBuckets;
use spinbook_engine::ring::{Consumer, Producer};
use spinbook_engine::types::Nanos;

use crate::frame_buffer::PlacedPayload;
use crate::gateway::{Gateway, GatewayOutput};
use crate::net::connection::connector::Connector;
use crate::net::connection::{Connection, ConnectionError, ConnectionState};
use crate::net::host::clock::{Clock, CycleScale, JumpDetector, cycles};
use crate::net::hot::hot_shared::add;
use crate::venue::order_side::OrderConnection;

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

/// What the loop does when there is nothing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// Polls on: the thread has a core of its own.
    Spin,
    /// Sleeps this long: the core is shared.
    Sleep(Duration),
}

/// What others see of the I/O thread, and how they stop it.
#[derive(Debug, Default)]
pub struct GatewayShared {
    /// Set to cancel everything, confirm, and end.
    pub drain: AtomicBool,
    /// Set to end at once, whatever is open.
    pub abandon: AtomicBool,
    /// Set by the loop when it has ended.
    pub ended: AtomicBool,
    /// Turns of the loop.
    pub heartbeat: AtomicU64,
    /// Raised when trading was halted: nothing but cancels leaves any more.
    pub halted: AtomicBool,
    /// Orders open or unknown, as the gateway believes.
    pub open_orders: AtomicU64,
    /// Connections that opened.
    pub opened: AtomicU64,
    /// Connections that ended.
    pub closed: AtomicU64,
    /// Steps of the wall clock that were noticed.
    pub clock_steps: AtomicU64,
    /// Messages handed to the kernel.
    pub sent: AtomicU64,
    /// Socket readable to order bytes handed to the kernel.
    pub wire_to_wire: LatencyBuckets,
}

/// What the I/O thread needs.
pub struct GatewayLoopSettings {
    /// Where requests go.
    pub orders: Connector,
    /// Where user data comes from, if over a connection of its own.
    pub user_data: Connector,
    /// When there is nothing to do.
    pub idle: Idle,
    /// How long the end may take: cancel all, confirm.
    pub drain_within: Nanos,
    /// Told why a connection ended, to log it.
    pub on_connection_end: fn(OrderConnection, &ConnectionError),
}

/// The ends of the rings that the I/O thread holds.
pub struct GatewayRings {
    /// Cancels: always first.
    pub cancels: Consumer<Intent>,
    /// New orders.
    pub orders: Consumer<Intent>,
    /// What happened to them.
    pub executions: Producer<ExecutionEvent>,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GatewayEnd {
    /// Orders that are open or unknown, as the gateway believes.
    pub open_orders: usize,
    /// Whether everything was confirmed before the deadline.
    pub confirmed: bool,
}

struct Link {
    connection: Connection,
    told_open: bool,
}

/// The connections and what is measured on them: apart from the gateway, whose messages they carry.
struct Wires {
    settings: GatewayLoopSettings,
    links: [Option<Link>; 2],
    poll: Poll,
    events: Events,
    clock: Clock,
    scale: CycleScale,
    shared: Arc<GatewayShared>,
    written: Written,
}

/// Cycle counters around the newest message's way into the kernel: for measurement only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The newest intent was taken off its ring.
    pub taken: u64,
    /// Just before the write.
    pub begun: u64,
    /// The kernel has it.
    pub ended: u64,
}

/// The I/O thread's work.
pub struct GatewayLoop {
    gateway: Gateway,
    rings: GatewayRings,
    waiting: VecDeque<ExecutionEvent>,
    wires: Wires,
    /// Connections that ended and that the gateway has not been told of yet.
    lost: [bool; 2],
    jumps: JumpDetector,
    clock_check: Nanos,
    drain_by: Option<Nanos>,
    turns_without_poll: u32,
}

const fn slot(connection: OrderConnection) -> usize {
    match connection {
        OrderConnection::Orders => 0,
        OrderConnection::UserData => 1,
    }
}

const CONNECTIONS: [OrderConnection; 2] = [OrderConnection::Orders, OrderConnection::UserData];

impl Wires {
    fn connect(&mut self, connection: OrderConnection, target: &str, now: Nanos) -> Result<(), ConnectionError> {
        self.close(connection);
        let route = match connection {
            OrderConnection::Orders => &self.settings.orders,
            OrderConnection::UserData => &self.settings.user_data,
        };
        let opened = route.connect(target, self.poll.registry(), Token(slot(connection)), now)?;
        self.links[slot(connection)] = Some(Link { connection: opened, told_open: false });
        Ok(())
    }

    fn send(
        &mut self,
        connection: OrderConnection,
        text: PlacedPayload<'_>,
        origin_tsc: u64,
    ) -> Result<(), ConnectionError> {
        let Some(link) = &mut self.links[slot(connection)] else {
            return Ok(());
        };
        link.connection.send_placed(text)?;
        (self.written.begun, self.written.ended) = (link.connection.written_tsc(), cycles());
        if origin_tsc != 0 {
            self.shared.wire_to_wire.record(self.scale.nanos(origin_tsc, self.written.ended));
        }
        add(&self.shared.sent, 1);
        Ok(())
    }

    /// Ends a connection on our own wish.
    fn close(&mut self, connection: OrderConnection) {
        if let Some(mut link) = self.links[slot(connection)].take() {
            add(&self.shared.closed, 1);
            link.connection.deregister(self.poll.registry());
            link.connection.close(self.clock.now());
        }
    }

    /// Drops a connection that failed, and says why.
    fn drop_failed(&mut self, connection: OrderConnection, error: &ConnectionError) {
        if let Some(mut link) = self.links[slot(connection)].take() {
            add(&self.shared.closed, 1);
            link.connection.deregister(self.poll.registry());
        }
        (self.settings.on_connection_end)(connection, error);
    }

    /// Which connections have something to say; waits at most `wait`.
    fn poll(&mut self, wait: Duration) -> io::Result<[bool; 2]> {
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        let mut ready = [false; 2];
        for event in &self.events {
            let at = event.token().0;
            ready[at] = true;
            if let Some(link) = &mut self.links[at]
                && (event.is_readable() || event.is_read_closed())
            {
                link.connection.on_readable();
            }
        }
        Ok(ready)
    }
}

impl GatewayLoop {
    /// Puts the parts together; nothing is opened yet.
    ///
    /// # Errors
    /// The system refuses a poll.
    pub fn new(
        gateway: Gateway,
        rings: GatewayRings,
        settings: GatewayLoopSettings,
        clock: Clock,
        scale: CycleScale,
        shared: Arc<GatewayShared>,
    ) -> io::Result<GatewayLoop> {
        let (poll, events) = (Poll::new()?, Events::with_capacity(16));
        Ok(GatewayLoop {
            gateway,
            rings,
            waiting: VecDeque::new(),
            wires: Wires {
                settings,
                links: [None, None],
                poll,
                events,
                clock,
                scale,
                shared,
                written: Written::default(),
            },
            lost: [false; 2],
            jumps: JumpDetector::new(&clock, CLOCK_STEP_MIN),
            clock_check: Nanos::ZERO,
            drain_by: None,
            turns_without_poll: 0,
        })
    }

    /// When the newest message went into the kernel.
    #[must_use]
    pub const fn written(&self) -> Written {
        self.wires.written
    }

    /// Works until it is told to drain (then cancels all and confirms) or to abandon. Gives the gateway back.
    ///
    /// # Errors
    /// The poll failed.
    pub fn run(mut self) -> io::Result<(Gateway, GatewayEnd)> {
        let outcome = loop {
            match self.turn() {
                Ok(None) => {}
                Ok(Some(end)) => break Ok(end),
                Err(error) => break Err(error),
            }
        };
        for connection in CONNECTIONS {
            self.wires.close(connection);
        }
        self.wires.shared.ended.store(true, Ordering::Release);
        outcome.map(|end| (self.gateway, end))
    }

    /// One turn of the loop: for a driver that shares its thread. Says how it ended once it has; then it is over.
    ///
    /// # Errors
    /// The poll failed.
    pub fn turn(&mut self) -> io::Result<Option<GatewayEnd>> {
        let busy = self.forward_intents();
        // What was decided is out. The sockets may wait a little, but neither for a flood of intents nor for long.
        self.turns_without_poll += 1;
        let wait_max = if self.wires.settings.idle == Idle::Spin { TURNS_WITHOUT_POLL_MAX } else { 0 };
        if self.turns_without_poll <= wait_max {
            return Ok(None);
        }
        self.turns_without_poll = 0;
        if !busy && let Idle::Sleep(span) = self.wires.settings.idle {
            // The poll counts whole milliseconds, which is too long for an order to wait: sleep, then poll at once.
            std::thread::sleep(span);
            self.forward_intents();
        }
        self.look_around()
    }

    /// Sockets, deadlines, and what is shown to others.
    fn look_around(&mut self) -> io::Result<Option<GatewayEnd>> {
        let now = self.wires.clock.now();
        if now >= self.gateway.next_deadline() {
            self.gateway.on_timer(now);
        }
        self.check_clock(now);
        self.carry_output(now);
        let ready = self.wires.poll(Duration::ZERO)?;
        for connection in CONNECTIONS {
            if ready[slot(connection)] {
                self.serve(connection);
            }
        }
        self.on_timers();
        self.hand_over_executions();
        let shared = &self.wires.shared;
        add(&shared.heartbeat, 1);
        shared.open_orders.store(self.gateway.open_orders() as u64, Ordering::Relaxed);
        shared.halted.store(self.gateway.halt_message().is_some(), Ordering::Relaxed);
        Ok(self.ending(now))
    }

    /// Cancels first, then orders: a cancel never waits behind a new order. Each leaves before the next is looked at.
    fn forward_intents(&mut self) -> bool {
        let mut any = false;
        for _ in 0..INTENTS_PER_TURN_MAX {
            let Some(intent) = self.rings.cancels.pop().or_else(|| self.rings.orders.pop()) else {
                break;
            };
            self.wires.written.taken = cycles();
            let now = self.wires.clock.now();
            self.gateway.on_intent(&intent, now);
            self.carry_output(now);
            any = true;
        }
        any
    }

    /// A step of the wall clock (an operator, a suspend): sessions are set up anew, which measures the venue's
    /// clock again, and the engine pulls its quotes meanwhile.
    fn check_clock(&mut self, now: Nanos) {
        if now < self.clock_check {
            return;
        }
        self.clock_check = now + CLOCK_CHECK;
        if self.jumps.check(&self.wires.clock).is_none() {
            return;
        }
        add(&self.wires.shared.clock_steps, 1);
        for connection in CONNECTIONS {
            if self.wires.links[slot(connection)].is_some() {
                self.wires.close(connection);
                self.lost[slot(connection)] = true;
            }
        }
    }

    /// Carries out what the gateway wants until it wants nothing more, and tells it of what failed.
    fn carry_output(&mut self, now: Nanos) {
        loop {
            while let Some(output) = self.gateway.poll_output() {
                let (connection, outcome) = match output {
                    GatewayOutput::Connect { connection, target } => {
                        (connection, self.wires.connect(connection, &target, now))
                    }
                    GatewayOutput::Send { connection, bytes, origin_tsc } => {
                        (connection, self.wires.send(connection, bytes, origin_tsc))
                    }
                    GatewayOutput::Execution(event) => {
                        self.waiting.push_back(event);
                        continue;
                    }
                    GatewayOutput::Close { connection, .. } => {
                        self.wires.close(connection);
                        continue;
                    }
                };
                if let Err(error) = outcome {
                    self.wires.drop_failed(connection, &error);
                    self.lost[slot(connection)] = true;
                }
            }
            if !self.tell_lost(now) {
                break;
            }
        }
        self.hand_over_executions();
    }

    fn tell_lost(&mut self, now: Nanos) -> bool {
        let mut any = false;
        for connection in CONNECTIONS {
            if std::mem::take(&mut self.lost[slot(connection)]) {
                self.gateway.on_close(connection, now);
                any = true;
            }
        }
        any
    }

    fn serve(&mut self, connection: OrderConnection) {
        let now = self.wires.clock.now();
        if let Err(error) = self.serve_link(connection, now) {
            self.wires.drop_failed(connection, &error);
            self.lost[slot(connection)] = true;
        }
        self.carry_output(now);
    }

    fn serve_link(&mut self, connection: OrderConnection, now: Nanos) -> Result<(), ConnectionError> {
        let Some(link) = &mut self.wires.links[slot(connection)] else {
            return Ok(());
        };
        if link.connection.state() == ConnectionState::Opening && !link.connection.drive_open(now)? {
            return Ok(());
        }
        if !link.told_open {
            link.told_open = true;
            add(&self.wires.shared.opened, 1);
            self.gateway.on_open(connection, now);
            self.carry_output(now);
        }
        while let Some(link) = &mut self.wires.links[slot(connection)] {
            let Some(frame) = link.connection.poll_frame(now)? else {
                link.connection.flush()?;
                break;
            };
            let length = frame.length;
            self.gateway.on_frame(connection, &mut frame.padded[..length], now);
            self.carry_output(now);
        }
        Ok(())
    }

    fn on_timers(&mut self) {
        let now = self.wires.clock.now();
        for connection in CONNECTIONS {
            let Some(link) = &mut self.wires.links[slot(connection)] else {
                continue;
            };
            if now < link.connection.next_deadline() {
                continue;
            }
            if let Err(error) = link.connection.on_timer(now) {
                self.wires.drop_failed(connection, &error);
                self.lost[slot(connection)] = true;
                self.carry_output(now);
            }
        }
    }

    /// Executions are facts: they wait for room and are never dropped.
    fn hand_over_executions(&mut self) {
        while let Some(event) = self.waiting.front() {
            if self.rings.executions.push(*event).is_err() {
                assert!(
                    self.waiting.len() <= EXECUTIONS_WAITING_MAX,
                    "the hot thread takes no executions any more: stopping so that the watchdog cancels"
                );
                return;
            }
            self.waiting.pop_front();
        }
    }

    fn ending(&mut self, now: Nanos) -> Option<GatewayEnd> {
        let open_orders = self.gateway.open_orders();
        let shared = &self.wires.shared;
        if shared.abandon.load(Ordering::Relaxed) {
            return Some(GatewayEnd { open_orders, confirmed: false });
        }
        if !shared.drain.load(Ordering::Acquire) {
            return None;
        }
        let Some(drain_by) = self.drain_by else {
            self.drain_by = Some(now + self.wires.settings.drain_within);
            self.gateway.cancel_all(now);
            return None;
        };
        let confirmed = open_orders == 0 && self.gateway.is_quiet() && self.waiting.is_empty();
        (confirmed || now >= drain_by).then_some(GatewayEnd { open_orders, confirmed })
    }
}
