//! COLD: the floor: the same threads, sockets, TLS, WebSocket and ring, and a fixed order instead of all the work.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use spinbook_engine::intent::{Intent, TimeInForce};
use spinbook_engine::limits::ORDER_RING_SLOTS;
use spinbook_engine::ring::{self, Consumer};
use spinbook_engine::types::{OrderId, Side, Tick};
use spinbook_feed::net::host::clock::{Clock, cycles};
use spinbook_feed::net::io::gateway_loop::Written;
use spinbook_feed::venue::order_side::{OrderConnection, OrderSide};
use spinbook_feed::venue::orders::{NewOrder, Request, RequestId};

use super::client::{Client, refused};
use super::exchange::Exchange;
use super::script::QUANTITIES;
use super::{Meeting, Peer, Sides};
use crate::send::orders_of;

/// The I/O thread of the floor: pop, and send the order that was prepared.
pub struct Floor {
    client: Client,
    orders: Consumer<Intent>,
    /// The prepared orders, by quantity.
    pub(super) texts: Vec<Vec<u8>>,
    /// How often each order is sent: more than once only to see that it is noticed.
    pub(super) copies: usize,
    sent: u64,
    written: Written,
}

impl Peer for Floor {
    const NAME: &'static str = "floor";

    #[inline]
    fn turn(&mut self) -> io::Result<()> {
        // The exchange side may have sent frames before this side has seen that its own connection is open.
        if self.client.is_open()
            && let Some(intent) = self.orders.pop()
        {
            let taken = cycles();
            let text = &self.texts[(intent.order.counter() as usize - 1) % QUANTITIES];
            for _ in 0..self.copies {
                self.client.connection.send_text(text).map_err(refused)?;
            }
            self.written = Written { taken, begun: self.client.connection.written_tsc(), ended: cycles() };
            self.sent += 1;
            return Ok(());
        }
        if self.client.polls() && self.client.poll()? {
            let now = self.client.clock.now();
            while self.client.connection.process_next(now).map_err(refused)? {}
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

    fn is_ready(&self, _: &Exchange) -> bool {
        true
    }

    fn on_book_open(&mut self) {}
}

impl Meeting {
    /// The floor: its hot thread polls, reads, decrypts, reads the frame header, and for a picked frame pushes a fixed
    /// intent.
    ///
    /// # Errors
    /// Something cannot be set up.
    pub fn floor(&self) -> Result<Sides<Floor>, String> {
        let (mut producer, consumer) = ring::channel(ORDER_RING_SLOTS);
        let (script, decisions, stop) = (self.script.clone(), self.decisions.clone(), Arc::new(AtomicBool::new(false)));
        let encoder = orders_of(script.product, &script.instrument);
        let now = Clock::start().now();
        let text = |pick: usize| {
            let order = NewOrder {
                instrument: &script.instrument,
                order: OrderId::new(1, pick as u32 + 1),
                side: Side::Bid,
                tick: Tick(612_345),
                lots: script.quantities().of(pick),
                time_in_force: TimeInForce::PostOnly,
            };
            let mut bytes = vec![0; 1_024];
            let length = encoder.encode_prepared(RequestId(pick as u64 + 1), &Request::Place(order), now, &mut bytes);
            bytes.truncate(length.unwrap_or(0));
            bytes
        };
        let texts = (0..QUANTITIES).map(text).collect();
        let client =
            |target: &str| Client::new(&self.connector, target, self.layout.spin).map_err(|error| error.to_string());
        let mut market = client("/public/stream")?;
        let target = encoder.target(OrderConnection::Orders, "");
        let (sent, written) = (0, Written::default());
        let peer = Floor { client: client(&target)?, orders: consumer, texts, copies: 1, sent, written };
        let told = stop.clone();
        let hot = move || {
            let (mut frames, mut next) = (0, 0);
            while !told.load(Ordering::Acquire) {
                let now = market.clock.now();
                if !market.look(now)? {
                    continue;
                }
                while market.connection.process_next(now).map_err(refused)? {
                    if let Some(pick) = script.pick_of(frames, next) {
                        next += 1;
                        let intent = Intent { order: OrderId::new(1, pick as u32 + 1), ..Intent::default() };
                        decisions.stamps[pick].store(cycles(), Ordering::Relaxed);
                        producer.push(intent).map_err(|_| io::Error::other("the ring is full"))?;
                    }
                    frames += 1;
                }
            }
            Ok(())
        };
        Ok(Sides { hot: Box::new(hot), peer, stop: Box::new(move || stop.store(true, Ordering::Release)) })
    }
}
