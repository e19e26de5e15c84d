//! COLD: rtrb behind the ring contest's interface.

use spinbook_bench::ring::{Pop, Push};
use spinbook_engine::intent::Intent;
use spinbook_engine::limits::ORDER_RING_SLOTS;

/// rtrb's writing end.
pub struct RtrbProducer(rtrb::Producer<Intent>);

/// rtrb's reading end.
pub struct RtrbConsumer(rtrb::Consumer<Intent>);

impl Push for RtrbProducer {
    #[inline]
    fn push(&mut self, intent: Intent) -> Result<(), Intent> {
        self.0.push(intent).map_err(|rtrb::PushError::Full(intent)| intent)
    }
}

impl Pop for RtrbConsumer {
    #[inline]
    fn pop(&mut self) -> Option<Intent> {
        self.0.pop().ok()
    }
}

/// Both ends of one ring.
#[must_use]
pub fn rtrb() -> (RtrbProducer, RtrbConsumer) {
    let (producer, consumer) = rtrb::RingBuffer::new(ORDER_RING_SLOTS);
    (RtrbProducer(producer), RtrbConsumer(consumer))
}
