//! COLD: intents through the whole gateway to sealed records; behind it a venue that answers when it is told to.

use std::io::Read;

use rustls::ServerConnection;
use serde_json::{Value, json};
use spinbook_engine::intent::{Intent, IntentKind, TimeInForce};
use spinbook_engine::types::{Lots, Nanos, OrderId, QuoteAtoms, Side, SlotId, Tick};
use spinbook_feed::gateway::limits::OrderLimits;
use spinbook_feed::gateway::{Gateway, GatewayAction, GatewayMode, GatewayOutput, GatewaySettings};
use spinbook_feed::net::connection::handover::RustlsKeySchedule;
use spinbook_feed::record::RecordLayer;
use spinbook_feed::venue::binance::order::CLIENT_IDS;
use spinbook_feed::venue::instrument::Instrument;
use spinbook_feed::venue::order_side::OrderConnection;
use spinbook_feed::venue::orders::{WindowKind, WindowUsage};
use spinbook_feed::venue::{ProductLine, binance};
use spinbook_feed::websocket::Opcode;

use crate::instrument::synthetic;
use crate::send::credentials;
use crate::synthetic::Shape;
use crate::tls::{Endpoints, give};

const EPOCH: u32 = 7;
/// Pause between two intents: nothing is due in between.
const STEP: Nanos = Nanos::from_millis(1);
const TICK: i64 = 612_345;
const LOTS: i64 = 1_200;

/// A gateway whose session is up, the record layer its requests leave through, and the exchange's end of it.
pub struct OrderLane {
    gateway: Gateway,
    layer: RecordLayer<RustlsKeySchedule>,
    server: ServerConnection,
    instrument: Instrument,
    now: Nanos,
    number: u32,
    wire: Vec<u8>,
}

impl OrderLane {
    /// Brings a session up on `product`, with a key that signs every request.
    ///
    /// # Panics
    /// If the gateway does not become ready.
    #[must_use]
    pub fn new(product: ProductLine) -> OrderLane {
        let shape = if product == binance::SPOT { Shape::Spot } else { Shape::Usdm };
        let instrument = synthetic(shape);
        let limits = OrderLimits {
            lots_max: instrument.lots_order_max,
            notional_max: QuoteAtoms(10i128.pow(18) * 1_000_000_000),
            open_orders_max: 100,
        };
        let mut settings = GatewaySettings::new(product, GatewayMode::Live, EPOCH, vec![limits]);
        // Measured is the way, not the venue's patience.
        let window = |kind| WindowUsage { kind, span: Nanos::from_seconds(60), limit: 1_000_000_000, used: 0 };
        settings.set_rates(&[window(WindowKind::Weight), window(WindowKind::Orders)]);
        let gateway = Gateway::new(settings, credentials(), vec![instrument]);
        let (layer, server) = Endpoints::new().ours();
        let now = Nanos::from_millis(1_760_000_000_000);
        let mut lane =
            OrderLane { gateway, layer, server, instrument, now, number: 0, wire: Vec::with_capacity(1 << 16) };
        for _ in 0..100 {
            lane.gateway.on_timer(lane.now);
            lane.serve();
            lane.now = lane.now + Nanos::from_millis(50);
        }
        assert!(lane.gateway.is_ready(), "the session came up: {:?}", lane.gateway.last_refusal());
        lane
    }

    /// The engine places an order; gives back the length of the sealed record. To be counted or timed.
    #[inline]
    pub fn place(&mut self) -> usize {
        self.number += 1;
        self.intend(IntentKind::Place)
    }

    /// The engine cancels what it placed last, likewise.
    #[inline]
    pub fn cancel(&mut self) -> usize {
        self.intend(IntentKind::Cancel)
    }

    #[inline]
    fn intend(&mut self, kind: IntentKind) -> usize {
        self.now = self.now + STEP;
        let intent = Intent {
            order: OrderId::new(EPOCH, self.number),
            tick: Tick(TICK + i64::from(self.number % 100)),
            lots: Lots((LOTS + i64::from(self.number % 7)) * self.instrument.lots_order_step),
            decided: self.now,
            deadline: self.now + STEP,
            instrument: self.instrument.id,
            slot: SlotId(0),
            kind,
            side: if self.number.is_multiple_of(2) { Side::Bid } else { Side::Ask },
            time_in_force: TimeInForce::PostOnly,
            ..Intent::default()
        };
        self.gateway.on_intent(&intent, self.now);
        self.wire.clear();
        let mut sent = 0;
        while let Some(output) = self.gateway.poll_output() {
            if let GatewayOutput::Action(GatewayAction::Send { bytes, .. }) = output {
                let record = bytes.seal(&mut self.layer, Opcode::Text, self.number.to_ne_bytes());
                let record = record.expect("a request fits a record");
                sent += record.len();
                // As a socket would take it: in one piece.
                self.wire.extend_from_slice(record);
            }
        }
        sent
    }

    /// The exchange reads what was sealed last and answers: the order, and whatever the session asks for besides.
    /// Gives back the order's request. Not to be counted.
    ///
    /// # Panics
    /// If it cannot be read or is refused.
    pub fn answer(&mut self) -> Value {
        give(&mut self.server, &self.wire);
        let mut frames = Vec::new();
        // What was sent is read; then it would block.
        let _ = self.server.reader().read_to_end(&mut frames);
        let (mut rest, mut order) = (&frames[..], Value::Null);
        while !rest.is_empty() {
            let (request, behind) = unmasked(rest);
            rest = behind;
            self.reply(&request);
            if request["method"].as_str().is_some_and(|method| method.starts_with("order.")) {
                order = request;
            }
        }
        self.serve();
        order
    }

    /// Carries out what the gateway wants besides orders.
    fn serve(&mut self) {
        loop {
            let mut request = None;
            match self.gateway.poll_output() {
                None => return,
                Some(GatewayOutput::Action(GatewayAction::Connect { connection, .. })) => {
                    self.gateway.on_open(connection, self.now)
                }
                Some(GatewayOutput::Action(GatewayAction::Send { bytes, .. })) => {
                    request = Some(serde_json::from_slice::<Value>(&bytes).expect("requests are JSON"));
                }
                Some(GatewayOutput::Execution(_)) => {}
                Some(GatewayOutput::Action(GatewayAction::Close { reason, .. })) => {
                    panic!("the session ended: {reason:?}")
                }
            }
            if let Some(request) = request {
                self.reply(&request);
            }
        }
    }

    fn reply(&mut self, request: &Value) {
        let method = request["method"].as_str().expect("every request has a method");
        let name = CLIENT_IDS.write(OrderId::new(EPOCH, self.number));
        let order = json!({
            "symbol": self.instrument.symbol.as_str(), "orderId": self.number, "orderListId": -1,
            "clientOrderId": name.as_str(), "origClientOrderId": name.as_str(), "status": "CANCELED",
            "side": if self.number.is_multiple_of(2) { "BUY" } else { "SELL" },
            "price": "0", "origQty": "0", "executedQty": "0",
            "transactTime": self.now.millis(), "updateTime": self.now.millis(),
        });
        let result = match method {
            "time" => json!({"serverTime": self.now.millis()}),
            "userDataStream.start" => json!({"listenKey": "pqia91ma19a5s61cv6a81va65sdf19v8a65a1"}),
            "openOrders.status" => json!([]),
            "order.place" | "order.cancel" => order,
            _ => json!({"subscriptionId": 0}),
        };
        let reply = json!({"id": request["id"], "status": 200, "result": result});
        let mut bytes = serde_json::to_vec(&reply).expect("JSON");
        self.gateway.on_frame(OrderConnection::Orders, &mut bytes, self.now);
    }
}

/// The JSON in the first of a client's frames, and the frames behind it.
fn unmasked(frames: &[u8]) -> (Value, &[u8]) {
    let (mask_at, length) = match frames[1] & 0x7f {
        126 => (4, usize::from(u16::from_be_bytes([frames[2], frames[3]]))),
        short => (2, usize::from(short)),
    };
    let (mask, payload) = frames[mask_at..].split_at(4);
    let (payload, behind) = payload.split_at(length);
    let text: Vec<u8> = payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
    (serde_json::from_slice(&text).expect("a request is JSON"), behind)
}

#[cfg(test)]
mod tests {
    use super::OrderLane;
    use spinbook_feed::venue::binance;

    #[test]
    fn what_arrives_is_the_order_and_then_its_cancel() {
        for product in [binance::USDM, binance::SPOT] {
            let mut lane = OrderLane::new(product);
            for number in 1..40 {
                assert!(lane.place() > 300, "a whole order");
                let request = lane.answer();
                assert_eq!(request["method"], "order.place");
                assert_eq!(request["params"]["signature"].as_str().map(str::len), Some(64));
                assert!(lane.cancel() > 200, "a whole cancel");
                let request = lane.answer();
                assert_eq!(
                    (&request["method"], &request["params"]["orderId"]),
                    (&"order.cancel".into(), &number.into())
                );
                assert_eq!(lane.gateway.open_orders(), 0);
            }
            assert_eq!(lane.gateway.counters().orders_sent, 39);
            assert_eq!(lane.gateway.counters().cancels_sent, 39);
        }
    }
}
