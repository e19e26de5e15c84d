//! COLD: a decision's way into the kernel by itself, step by step in one thread: ring, gateway, frame and seal, write.

use std::io;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token};
use serde::Serialize;
use spinbook_engine::intent::{Intent, IntentKind, TimeInForce};
use spinbook_engine::limits::ORDER_RING_SLOTS;
use spinbook_engine::ring::{self, Consumer, Producer};
use spinbook_engine::types::{Lots, Nanos, OrderId, QUOTE_ATOMS_PER_UNIT, QuoteAtoms, Side, SlotId, Tick};
use spinbook_feed::gateway::limits::OrderLimits;
use spinbook_feed::gateway::{Gateway, GatewayAction, GatewayMode, GatewayOutput, GatewaySettings};
use spinbook_feed::net::connection::tls::{LoopbackIdentity, Trust};
use spinbook_feed::net::connection::{Connection, ConnectionError};
use spinbook_feed::net::host::clock::{Clock as WallClock, cycles};
use spinbook_feed::venue::card::RateWindow;
use spinbook_feed::venue::order_side::OrderConnection;
use spinbook_feed::venue::{ProductLine, binance};

use super::exchange::{Exchange, reply};
use super::ours::route;
use crate::alloc;
use crate::clock::Clock;
use crate::histogram::histogram;
use crate::instrument::synthetic;
use crate::send::credentials;
use crate::synthetic::Shape;

/// How long the connection may take to open.
const OPEN_WITHIN: Duration = Duration::from_secs(30);

/// The steps, in order.
pub const STEPS: [&str; 4] = ["ring: push and pop", "gateway: check, book, encode, sign", "frame, mask, seal", "write"];

/// One step's time.
#[derive(Clone, Debug, Serialize)]
pub struct HandoverStep {
    /// Which.
    pub name: &'static str,
    /// Median ns.
    pub p50: f64,
    /// ns that one in a hundred takes.
    pub p99: f64,
}

/// The whole way.
#[derive(Clone, Debug, Serialize)]
pub struct HandoverTable {
    /// Which product line.
    pub what: &'static str,
    /// Orders measured.
    pub orders: usize,
    /// The steps, then the decision until just before the write, then until the kernel has the bytes.
    pub steps: Vec<HandoverStep>,
    /// Calls to the allocator over all orders; none if this process does not count.
    pub allocations: Option<u64>,
}

/// A gateway that trades over a connection to an exchange side, all in the calling thread.
pub struct Handover {
    gateway: Gateway,
    connection: Connection,
    exchange: Exchange,
    poll: Poll,
    events: Events,
    clock: WallClock,
    orders: (Producer<Intent>, Consumer<Intent>),
    instrument: spinbook_feed::venue::instrument::Instrument,
    product: ProductLine,
    number: u32,
}

fn refused(error: ConnectionError) -> io::Error {
    io::Error::other(error.to_string())
}

impl Handover {
    /// Connects and lets the gateway become ready.
    ///
    /// # Errors
    /// The sockets or the gateway refuse.
    pub fn open(product: ProductLine) -> io::Result<Handover> {
        let text = |error: &dyn std::fmt::Display| io::Error::other(error.to_string());
        let identity = LoopbackIdentity::generate().map_err(|error| text(&error))?;
        let trust = Trust::from_pem(identity.ca_pem.as_bytes()).map_err(|error| text(&error))?;
        let tls = trust.client_config().map_err(|error| text(&error))?;
        let exchange = Exchange::bind(product, identity.server_config)?;
        let instrument = synthetic(if product == binance::SPOT { Shape::Spot } else { Shape::Usdm });
        let limits = OrderLimits {
            lots_max: Lots(i64::MAX / 4),
            notional_max: QuoteAtoms(1_000_000_000 * QUOTE_ATOMS_PER_UNIT),
            open_orders_max: 32,
        };
        let mut settings = GatewaySettings::new(product, GatewayMode::Live, 1, vec![limits]);
        let roomy = |rate: RateWindow| RateWindow { limit: 1_000_000_000, ..rate };
        settings.rates = settings.rates.into_iter().map(roomy).collect();
        settings.clock_interval = Nanos::from_seconds(600);
        settings.request_timeout = Nanos::from_seconds(600);
        let clock = WallClock::start();
        let poll = Poll::new()?;
        let target = product.order_path();
        let connection = route(exchange.address()?, &tls)
            .connect(target, poll.registry(), Token(0), clock.now())
            .map_err(refused)?;
        let mut handover = Handover {
            gateway: Gateway::new(settings, credentials(), vec![instrument]),
            connection,
            exchange,
            poll,
            events: Events::with_capacity(4),
            clock,
            orders: ring::channel(ORDER_RING_SLOTS),
            instrument,
            product,
            number: 0,
        };
        handover.meet()?;
        Ok(handover)
    }

    fn meet(&mut self) -> io::Result<()> {
        let begun = Instant::now();
        let mut open = false;
        while !open || self.exchange.orders.is_none() {
            self.exchange.open()?;
            self.poll.poll(&mut self.events, Some(Duration::ZERO))?;
            self.connection.on_readable();
            open = open || self.connection.drive_open(self.clock.now()).map_err(refused)?;
            if begun.elapsed() > OPEN_WITHIN {
                return Err(io::Error::other("the connection does not open"));
            }
        }
        // The gateway's own questions are answered here: what is measured later are its orders.
        while !self.gateway.is_ready() {
            let now = self.clock.now();
            self.gateway.on_timer(now);
            let (mut opened, mut asked) = (Vec::new(), Vec::new());
            while let Some(output) = self.gateway.poll_output() {
                match output {
                    GatewayOutput::Action(GatewayAction::Connect { connection, .. }) => opened.push(connection),
                    GatewayOutput::Action(GatewayAction::Send { bytes, .. }) => asked.push(bytes.to_vec()),
                    GatewayOutput::Execution(_) | GatewayOutput::Action(GatewayAction::Close { .. }) => {}
                }
            }
            opened.into_iter().for_each(|connection| self.gateway.on_open(connection, now));
            for text in asked {
                let (mut answer, _) = reply(self.product, &text)?;
                self.gateway.on_frame(OrderConnection::Orders, &mut answer, now);
            }
            if begun.elapsed() > OPEN_WITHIN {
                return Err(io::Error::other("the gateway does not become ready"));
            }
        }
        while self.gateway.poll_output().is_some() {}
        Ok(())
    }

    /// Sends one order; cycle counters: decided, popped, encoded, before the write, after it.
    ///
    /// # Errors
    /// The connection failed.
    #[inline]
    pub fn send(&mut self) -> io::Result<[u64; 5]> {
        self.number += 1;
        let now = self.clock.now();
        let step = self.instrument.lots_order_step.max(1);
        let intent = Intent {
            order: OrderId::new(1, self.number),
            tick: Tick(612_345 + i64::from(self.number % 100)),
            lots: Lots(step * (1_000 + i64::from(self.number % 7))),
            decided: now,
            deadline: Nanos::NEVER,
            kind: IntentKind::Place,
            side: Side::Bid,
            slot: SlotId(0),
            time_in_force: TimeInForce::PostOnly,
            ..Intent::default()
        };
        let decided = cycles();
        self.orders.0.push(intent).map_err(|_| io::Error::other("the ring is full"))?;
        let intent = self.orders.1.pop().ok_or_else(|| io::Error::other("the ring is empty"))?;
        let popped = cycles();
        self.gateway.on_intent(&intent, now);
        let encoded = cycles();
        while let Some(output) = self.gateway.poll_output() {
            if let GatewayOutput::Action(GatewayAction::Send { bytes, .. }) = output {
                self.connection.send_placed(bytes).map_err(refused)?;
            }
        }
        Ok([decided, popped, encoded, self.connection.written_tsc(), cycles()])
    }

    /// The exchange side reads the order and refuses it, and the gateway takes the refusal.
    ///
    /// # Errors
    /// The order did not arrive, or the connection failed.
    pub fn settle(&mut self) -> io::Result<()> {
        let line = self.exchange.orders.as_mut().ok_or_else(|| io::Error::other("no connection"))?;
        let mut arrived = 0;
        while arrived == 0 {
            if line.receive()? {
                line.open()?;
            }
            while let Some(text) = line.next_text()? {
                let (answer, _) = reply(self.product, &text)?;
                line.send_text(&answer)?;
                arrived += 1;
            }
        }
        loop {
            self.connection.on_readable();
            let now = self.clock.now();
            if let Some(frame) = self.connection.poll_frame(now).map_err(refused)? {
                let length = frame.length;
                self.gateway.on_frame(OrderConnection::Orders, &mut frame.padded[..length], now);
                while self.gateway.poll_output().is_some() {}
                return Ok(());
            }
        }
    }

    /// Orders sent so far.
    #[must_use]
    pub fn sent(&self) -> u32 {
        self.number
    }
}

/// Measures `orders` orders after some that warm up.
///
/// # Errors
/// As [`Handover::open`], [`Handover::send`] and [`Handover::settle`].
pub fn measure(product: ProductLine, orders: usize) -> io::Result<HandoverTable> {
    let mut handover = Handover::open(product)?;
    let clock = Clock::calibrated();
    let counting = alloc::is_installed();
    let mut spans = vec![histogram(); STEPS.len() + 2];
    let mut allocations = 0;
    for round in 0..orders + 300 {
        let (stamps, calls) = if counting { alloc::count(|| handover.send()) } else { (handover.send(), 0) };
        let stamps = stamps?;
        handover.settle()?;
        if round < 300 {
            continue;
        }
        allocations += calls;
        let mut note = |place: usize, begin: u64, end: u64| {
            let ns = (clock.ns(end.saturating_sub(begin))).max(1.0);
            spans[place].saturating_record(ns as u64);
        };
        (0..STEPS.len()).for_each(|step| note(step, stamps[step], stamps[step + 1]));
        note(STEPS.len(), stamps[0], stamps[3]);
        note(STEPS.len() + 1, stamps[0], stamps[4]);
    }
    let names = STEPS.into_iter().chain(["decision until the write", "decision until the kernel has it"]);
    let steps = names.zip(&spans).map(|(name, span)| HandoverStep {
        name,
        p50: span.value_at_percentile(50.0) as f64,
        p99: span.value_at_percentile(99.0) as f64,
    });
    Ok(HandoverTable {
        what: product.name(),
        orders,
        steps: steps.collect(),
        allocations: counting.then_some(allocations),
    })
}
