//! COLD: the floor: the same threads, sockets, TLS, WebSocket and ring, and a fixed order instead of all the work.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mio::{Events, Poll, Token};
use spinbook_engine::intent::{Intent, TimeInForce};
use spinbook_engine::limits::ORDER_RING_SLOTS;
use spinbook_engine::ring::{self, Consumer, Producer};
use spinbook_engine::types::{Nanos, OrderId, Side, Tick};
use spinbook_feed::net::connection::{Connection, ConnectionError};
use spinbook_feed::net::host::clock::{Clock, cycles};
use spinbook_feed::net::io::gateway_loop::Written;
use spinbook_feed::venue::order_side::{OrderConnection, OrderSide};
use spinbook_feed::venue::orders::{NewOrder, Request, RequestId};

use super::Io;
use super::ours::{Meeting, quantities, route};
use super::picked::{Decisions, QUANTITIES};
use super::script::Script;
use crate::send::orders_of;

/// Turns of the hot thread between two polls, as in the real one.
const TURNS_PER_POLL: u32 = 64;
/// Turns of the I/O thread between two polls, as in the real one.
const TURNS_PER_IO_POLL: u32 = 64;

fn refused(error: ConnectionError) -> io::Error {
    io::Error::other(error.to_string())
}

/// A connection with its poll.
struct Wire {
    connection: Connection,
    poll: Poll,
    events: Events,
    clock: Clock,
    wait: Duration,
    open: bool,
    turns: u32,
}

impl Wire {
    fn new(meeting: &Meeting<'_>, target: &str) -> Result<Wire, String> {
        let clock = Clock::start();
        let poll = Poll::new().map_err(|error| error.to_string())?;
        let connection = route(meeting.address, &meeting.tls)
            .connect(target, poll.registry(), Token(0), clock.now())
            .map_err(|error| error.to_string())?;
        let wait = if meeting.layout.spin { Duration::ZERO } else { Duration::from_micros(20) };
        Ok(Wire { connection, poll, events: Events::with_capacity(16), clock, wait, open: false, turns: 0 })
    }

    /// Whether there is something to read: the socket is read unasked, as the hot loop does, and polled now and then.
    #[inline]
    fn look(&mut self, now: Nanos) -> io::Result<bool> {
        self.turns = self.turns.wrapping_add(1);
        if self.open && self.wait.is_zero() && !self.turns.is_multiple_of(TURNS_PER_POLL) {
            return Ok(self.connection.may_read() || self.connection.poll_read(now));
        }
        self.is_readable()
    }

    /// Whether there may be something to read, by the poll.
    #[inline]
    fn is_readable(&mut self) -> io::Result<bool> {
        // The poll counts whole milliseconds: where the core is shared, sleep, then poll at once.
        if !self.wait.is_zero() {
            std::thread::sleep(self.wait);
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

/// The hot thread of the floor: poll, read, decrypt, frame header, and for a picked frame a fixed intent.
pub struct FloorHot {
    wire: Wire,
    script: Arc<Script>,
    orders: Producer<Intent>,
    decisions: Arc<Decisions>,
    stop: Arc<AtomicBool>,
}

impl FloorHot {
    /// Works until it is told to stop.
    ///
    /// # Errors
    /// The connection or the ring failed.
    pub fn run(mut self) -> io::Result<()> {
        let (mut frames, mut next) = (0, 0);
        while !self.stop.load(Ordering::Acquire) {
            let now = self.wire.clock.now();
            if !self.wire.look(now)? {
                continue;
            }
            while self.wire.connection.process_next(now).map_err(refused)? {
                if let Some(pick) = self.script.pick_of(frames, next) {
                    next += 1;
                    let intent = Intent { order: OrderId::new(1, pick as u32 + 1), ..Intent::default() };
                    self.decisions.stamps[pick].store(cycles(), Ordering::Relaxed);
                    self.orders.push(intent).map_err(|_| io::Error::other("the ring is full"))?;
                }
                frames += 1;
            }
        }
        Ok(())
    }
}

/// The I/O thread of the floor: pop, and send the order that was prepared.
pub struct FloorIo {
    wire: Wire,
    orders: Consumer<Intent>,
    /// The prepared orders, by quantity.
    pub(super) texts: Vec<Vec<u8>>,
    /// How often each order is sent: more than once only to see that it is noticed.
    pub(super) copies: usize,
    sent: u64,
    written: Written,
}

impl Io for FloorIo {
    #[inline]
    fn turn(&mut self) -> io::Result<()> {
        // The exchange side may have sent frames before this side has seen that its own connection is open.
        if self.wire.open
            && let Some(intent) = self.orders.pop()
        {
            let taken = cycles();
            let text = &self.texts[(intent.order.counter() as usize - 1) % QUANTITIES];
            for _ in 0..self.copies {
                self.wire.connection.send_text(text).map_err(refused)?;
            }
            self.written = Written { taken, begun: self.wire.connection.written_tsc(), ended: cycles() };
            self.sent += 1;
            return Ok(());
        }
        // As the gateway loop does: the poll takes ten times as long as the ring.
        self.wire.turns = self.wire.turns.wrapping_add(1);
        if self.wire.open && self.wire.wait.is_zero() && !self.wire.turns.is_multiple_of(TURNS_PER_IO_POLL) {
            return Ok(());
        }
        if self.wire.is_readable()? {
            let now = self.wire.clock.now();
            while self.wire.connection.process_next(now).map_err(refused)? {}
        }
        Ok(())
    }

    #[inline]
    fn sent(&self) -> u64 {
        self.sent
    }

    #[inline]
    fn written(&self) -> Written {
        self.written
    }
}

impl Meeting<'_> {
    /// The floor.
    ///
    /// # Errors
    /// Something cannot be set up.
    pub fn floor(&self, script: &Arc<Script>, stop: &Arc<AtomicBool>) -> Result<(FloorHot, FloorIo), String> {
        let (producer, consumer) = ring::channel(ORDER_RING_SLOTS);
        let encoder = orders_of(script.product, &script.instrument);
        let (quantities, now) = (quantities(script), Clock::start().now());
        let text = |pick: usize| {
            let order = NewOrder {
                instrument: &script.instrument,
                order: OrderId::new(1, pick as u32 + 1),
                side: Side::Bid,
                tick: Tick(612_345),
                lots: quantities.of(pick),
                time_in_force: TimeInForce::PostOnly,
            };
            let mut bytes = vec![0; 1_024];
            let length = encoder.encode_prepared(RequestId(pick as u64 + 1), &Request::Place(order), now, &mut bytes);
            bytes.truncate(length.unwrap_or(0));
            bytes
        };
        let texts = (0..QUANTITIES).map(text).collect();
        let target = encoder.target(OrderConnection::Orders, "");
        let hot = FloorHot {
            wire: Wire::new(self, "/public/stream")?,
            script: script.clone(),
            orders: producer,
            decisions: self.decisions.clone(),
            stop: stop.clone(),
        };
        let (sent, written) = (0, Written::default());
        Ok((hot, FloorIo { wire: Wire::new(self, &target)?, orders: consumer, texts, copies: 1, sent, written }))
    }
}
