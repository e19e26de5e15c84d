//! COLD: a decision's way into the kernel by itself, step by step in one thread: ring, gateway, frame and seal, write.

use std::io;
use std::time::{Duration, Instant};

use serde::Serialize;
use spinbook_engine::intent::{Intent, IntentKind, TimeInForce};
use spinbook_engine::limits::ORDER_RING_SLOTS;
use spinbook_engine::ring::{self, Consumer, Producer};
use spinbook_engine::types::{Lots, Nanos, OrderId, Side, SlotId, Tick};
use spinbook_feed::gateway::{Gateway, GatewayAction, GatewayOutput};
use spinbook_feed::net::connection::tls::{LoopbackIdentity, Trust};
use spinbook_feed::net::host::clock::cycles;
use spinbook_feed::venue::ProductLine;
use spinbook_feed::venue::instrument::Instrument;
use spinbook_feed::venue::order_side::OrderConnection;

use super::EPOCH;
use super::client::{Client, connector, refused};
use super::exchange::{Answers, Exchange, OrderAnswer};
use super::ours::{order_limits, patient_gateway};
use crate::alloc;
use crate::clock::CycleClock;
use crate::histogram::histogram;
use crate::markets::{shape_of, synthetic};

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
    client: Client,
    exchange: Exchange,
    orders: (Producer<Intent>, Consumer<Intent>),
    instrument: Instrument,
    number: u32,
}

impl Handover {
    /// Connects and lets the gateway become ready; `answer` is what each order will bring.
    ///
    /// # Errors
    /// The sockets or the gateway refuse.
    pub fn open(product: ProductLine, answer: OrderAnswer) -> io::Result<Handover> {
        let text = |error: &dyn std::fmt::Display| io::Error::other(error.to_string());
        let identity = LoopbackIdentity::generate().map_err(|error| text(&error))?;
        let trust = Trust::from_pem(identity.ca_pem.as_bytes()).map_err(|error| text(&error))?;
        let tls = trust.client_config().map_err(|error| text(&error))?;
        let exchange = Exchange::bind(Answers::new(product, answer), Vec::new(), identity.server_config)?;
        let instrument = synthetic(shape_of(product));
        let mut handover = Handover {
            gateway: patient_gateway(product, order_limits(), instrument),
            client: Client::new(&connector(exchange.address()?, &tls), product.order_path(), true)?,
            exchange,
            orders: ring::channel(ORDER_RING_SLOTS),
            instrument,
            number: 0,
        };
        handover.meet()?;
        Ok(handover)
    }

    fn meet(&mut self) -> io::Result<()> {
        let begun = Instant::now();
        while !self.client.is_open() || self.exchange.orders.is_none() {
            self.exchange.open()?;
            self.client.poll()?;
            if begun.elapsed() > OPEN_WITHIN {
                return Err(io::Error::other("the connection does not open"));
            }
        }
        // The gateway's own questions are answered here: what is measured later are its orders.
        while !self.gateway.is_ready() {
            let now = self.client.clock.now();
            self.gateway.on_timer(now);
            let (mut opened, mut asked) = (Vec::new(), Vec::new());
            while let Some(output) = self.gateway.poll_output() {
                match output {
                    GatewayOutput::Action(GatewayAction::Connect { connection, .. }) => opened.push(connection),
                    GatewayOutput::Action(GatewayAction::Send { bytes, .. }) => asked.push(bytes.to_vec()),
                    GatewayOutput::Execution(_)
                    | GatewayOutput::Action(
                        GatewayAction::Close { .. } | GatewayAction::Ping { .. } | GatewayAction::Ask { .. },
                    ) => {}
                }
            }
            opened.into_iter().for_each(|connection| self.gateway.on_open(connection, now));
            for text in asked {
                let mut answer = self.exchange.answers.reply(&text)?;
                self.gateway.on_frame(OrderConnection::Orders, &mut answer, now);
            }
            if begun.elapsed() > OPEN_WITHIN {
                let why = self.gateway.last_refusal().unwrap_or("no refusal");
                return Err(io::Error::other(format!("the gateway does not become ready: {why}")));
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
    pub fn place(&mut self) -> io::Result<[u64; 5]> {
        self.number += 1;
        self.send(IntentKind::Place)
    }

    /// Cancels the order that was placed last, likewise.
    ///
    /// # Errors
    /// The connection failed.
    #[inline]
    pub fn cancel(&mut self) -> io::Result<[u64; 5]> {
        self.send(IntentKind::Cancel)
    }

    #[inline]
    fn send(&mut self, kind: IntentKind) -> io::Result<[u64; 5]> {
        let now = self.client.clock.now();
        let step = self.instrument.lots_order_step.max(1);
        let intent = Intent {
            order: OrderId::new(EPOCH, self.number),
            tick: Tick(612_345 + i64::from(self.number % 100)),
            lots: Lots(step * (1_000 + i64::from(self.number % 7))),
            decided: now,
            deadline: Nanos::NEVER,
            kind,
            side: if self.number.is_multiple_of(2) { Side::Bid } else { Side::Ask },
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
                self.client.connection.send_placed(bytes).map_err(refused)?;
            }
        }
        Ok([decided, popped, encoded, self.client.connection.written_tsc(), cycles()])
    }

    /// The exchange side reads the request and answers it, and the gateway takes the answer. Gives back the request.
    ///
    /// # Errors
    /// The request did not arrive, or the connection failed.
    pub fn finish_order(&mut self) -> io::Result<Vec<u8>> {
        let line = self.exchange.orders.as_mut().ok_or_else(|| io::Error::other("no connection"))?;
        let request = loop {
            if let Some(text) = line.texts()?.pop() {
                line.send_text(&self.exchange.answers.reply(&text)?)?;
                break text;
            }
        };
        loop {
            let connection = &mut self.client.connection;
            connection.on_readable();
            let now = self.client.clock.now();
            if let Some(frame) = connection.poll_frame(now).map_err(refused)? {
                let length = frame.length;
                self.gateway.on_frame(OrderConnection::Orders, &mut frame.padded[..length], now);
                while self.gateway.poll_output().is_some() {}
                return Ok(request);
            }
        }
    }
}

/// Measures `orders` orders after some that warm up.
///
/// # Errors
/// As [`Handover::open`], [`Handover::place`] and [`Handover::finish_order`].
pub fn measure(product: ProductLine, orders: usize) -> io::Result<HandoverTable> {
    let mut handover = Handover::open(product, OrderAnswer::Refuse)?;
    let clock = CycleClock::calibrated();
    let counting = alloc::is_installed();
    let mut spans = vec![histogram(); STEPS.len() + 2];
    let mut allocations = 0;
    for round in 0..orders + 300 {
        let (stamps, calls) = if counting { alloc::count(|| handover.place()) } else { (handover.place(), 0) };
        let stamps = stamps?;
        handover.finish_order()?;
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

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use spinbook_feed::venue::ProductLine;

    use super::{Handover, OrderAnswer};

    #[test]
    fn what_arrives_is_the_order_and_then_its_cancel() {
        for product in ProductLine::all() {
            let mut handover = Handover::open(product, OrderAnswer::Accept).expect("the gateway trades");
            let arrived = |handover: &mut Handover, bytes_min: usize| -> Value {
                let request = handover.finish_order().expect("it arrives and is accepted");
                assert!(request.len() > bytes_min, "a whole request");
                serde_json::from_slice(&request).expect("a request is JSON")
            };
            for number in 1..40 {
                handover.place().expect("sent");
                let request = arrived(&mut handover, 270);
                assert_eq!(request["method"], "order.place");
                assert_eq!(request["params"]["signature"].as_str().map(str::len), Some(64));
                handover.cancel().expect("sent");
                let request = arrived(&mut handover, 170);
                let (method, order) = (&request["method"], &request["params"]["orderId"]);
                assert_eq!((method, order), (&"order.cancel".into(), &number.into()));
                assert_eq!(handover.gateway.open_orders(), 0);
            }
            assert_eq!(handover.gateway.counters().orders_sent, 39);
            assert_eq!(handover.gateway.counters().cancels_sent, 39);
        }
    }
}
