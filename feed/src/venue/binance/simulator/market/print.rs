//! COLD: events of a synthetic market as messages.

use crate::sim::api::BookSnapshot;
use crate::sim::flow::FlowEvent;
use crate::venue::binance::frame_text::FramePrinter;
use spinbook_engine::types::Nanos;

impl FramePrinter {
    /// The stream message of an event.
    pub(in crate::venue::binance::simulator) fn frame(&self, event: &FlowEvent, at: Nanos) -> Vec<u8> {
        match event {
            FlowEvent::Depth { first, last, previous, bids, asks } => {
                self.depth_frame([*first, *last, *previous], bids, asks, at)
            }
            FlowEvent::Touch { id, bid, ask } => self.touch(*id, *bid, *ask, at),
            FlowEvent::Trade { id, aggressor, level } => self.trade(*id, *aggressor, *level, at),
        }
    }

    /// A whole book as a REST snapshot.
    pub(in crate::venue::binance::simulator) fn snapshot(&self, book: &BookSnapshot, at: Nanos) -> Vec<u8> {
        self.snapshot_body(book.sequence, &book.bids, &book.asks, at)
    }
}
