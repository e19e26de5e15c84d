//! COLD: the whole path as one object: sealed records of the market in, sealed records of orders out.

use spinbook_engine::intent::{Intent, IntentKind};
use spinbook_engine::types::{Nanos, OrderId, Stamp};
use spinbook_feed::frame_buffer::FrameBuffer;
use spinbook_feed::net::connection::handover::RustlsKeySchedule;
use spinbook_feed::record::{Opened, PlaintextBuffer, RecordLayer};
use spinbook_feed::scan::ScannerChoice;
use spinbook_feed::venue::instrument::Instrument;
use spinbook_feed::venue::order_ids::VenueOrderId;
use spinbook_feed::venue::order_side::OrderSide;
use spinbook_feed::venue::orders::{NewOrder, OrderName, Request, RequestId};
use spinbook_feed::websocket::{MessageReader, Opcode, WebSocketMessage};

use crate::markets::MeasuredOrders;
use crate::pipeline::{OurPipeline, Pipeline};
use crate::receive::MESSAGE_BYTES_MAX;
use crate::send::orders;
use crate::workload::Workload;

/// Record layer, message reader, decoder, book, strategy, quoter, risk, ring, encoder, signature, frame and seal.
pub struct WholePath {
    market: RecordLayer<RustlsKeySchedule>,
    plaintext: PlaintextBuffer,
    reader: MessageReader,
    ours: OurPipeline,
    orders: Sender,
}

/// The way from an intent to its record.
struct Sender {
    side: MeasuredOrders,
    instrument: Instrument,
    layer: RecordLayer<RustlsKeySchedule>,
    frame: FrameBuffer,
    sent: u64,
}

impl Sender {
    #[inline]
    fn send(&mut self, intent: &Intent, now: Nanos) {
        self.sent += 1;
        let instrument = &self.instrument;
        let request = match intent.kind {
            IntentKind::Cancel => {
                Request::Cancel(OrderName { instrument, order: intent.order, venue_order: VenueOrderId::NONE })
            }
            _ => Request::Place(NewOrder {
                instrument,
                order: if intent.order == OrderId::NONE { OrderId::new(1, 1) } else { intent.order },
                side: intent.side,
                tick: intent.tick,
                lots: intent.lots,
                time_in_force: intent.time_in_force,
            }),
        };
        let length = self
            .side
            .encode_prepared(RequestId(self.sent), &request, now, self.frame.payload())
            .expect("the instrument was prepared");
        let record = self.frame.seal(&mut self.layer, Opcode::Text, length, [1, 2, 3, 4]);
        core::hint::black_box(record.expect("a small record"));
    }
}

impl WholePath {
    /// Before the first frame, over two layers whose handshakes are complete: the market's and the orders'.
    #[must_use]
    pub fn new(
        recording: &Workload,
        market: RecordLayer<RustlsKeySchedule>,
        layer: RecordLayer<RustlsKeySchedule>,
    ) -> WholePath {
        let (mut side, _) = orders(recording.product);
        side.prepare(&[recording.instrument]);
        WholePath {
            market,
            plaintext: PlaintextBuffer::new(MESSAGE_BYTES_MAX),
            reader: MessageReader::new(MESSAGE_BYTES_MAX),
            ours: OurPipeline::new(recording, ScannerChoice::Best),
            orders: Sender { side, instrument: recording.instrument, layer, frame: FrameBuffer::new(), sent: 0 },
        }
    }

    /// Takes a REST snapshot.
    pub fn snapshot(&mut self, padded: &mut [u8], length: usize, received: Stamp) {
        self.ours.snapshot(padded, length, received);
    }

    /// Takes what a read gave, whole records, and seals every order and cancel that it causes.
    ///
    /// # Panics
    /// The bytes are not the peer's records with sound frames.
    #[inline]
    pub fn read(&mut self, wire: &[u8], received: Stamp) {
        self.market.receive_space()[..wire.len()].copy_from_slice(wire);
        self.market.received(wire.len());
        while self.market.open_next(&mut self.plaintext).expect("the server's record") != Opened::NeedMore {
            while let Some(message) = self.reader.next(&mut self.plaintext).expect("a sound frame") {
                if let WebSocketMessage::Text { padded, length } = message {
                    self.ours.frame(padded, length, received);
                }
            }
        }
        let orders = &mut self.orders;
        self.ours.trader().answer(received.wall, |intent| orders.send(intent, received.wall));
    }

    /// Orders and cancels so far.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.orders.sent
    }
}
