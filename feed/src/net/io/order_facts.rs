//! COLD: what the I/O thread tells of orders for a record of them: a bounded queue that never holds it up.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use spinbook_engine::event::ExecutionEvent;
use spinbook_engine::intent::Intent;
use spinbook_engine::ring::{self, Consumer, Producer};
use spinbook_engine::types::Nanos;

use crate::net::hot::hot_shared::add;
use crate::venue::order_ids::ClientOrderId;

/// Facts that may wait for whoever writes them down: some seconds of the busiest trading.
const FACTS_WAITING_MAX: usize = 8192;

/// One fact about an order.
#[derive(Clone, Copy, Debug)]
pub enum OrderFact {
    /// The engine wants it placed or cancelled.
    Intent {
        /// What it wants.
        intent: Intent,
        /// The order's name at the venue.
        client_id: ClientOrderId,
        /// When the I/O thread took it.
        taken: Nanos,
    },
    /// What happened to it.
    Execution(ExecutionEvent),
}

/// The I/O thread's end.
pub struct OrderFacts {
    facts: Producer<OrderFact>,
    lost: Arc<AtomicU64>,
}

impl OrderFacts {
    /// A queue, and how many facts found it full so far.
    #[must_use]
    pub fn channel() -> (OrderFacts, Consumer<OrderFact>, Arc<AtomicU64>) {
        let (facts, written) = ring::channel(FACTS_WAITING_MAX);
        let lost = Arc::new(AtomicU64::new(0));
        (OrderFacts { facts, lost: lost.clone() }, written, lost)
    }

    /// Tells one; if the queue is full it is lost and counted, never waited for.
    pub fn tell(&mut self, fact: OrderFact) {
        if self.facts.push(fact).is_err() {
            add(&self.lost, 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    #[test]
    fn a_full_queue_loses_and_counts_and_the_oldest_stay() {
        let (mut facts, mut written, lost) = OrderFacts::channel();
        for number in 0..FACTS_WAITING_MAX + 3 {
            let time = Nanos(number as i64);
            facts.tell(OrderFact::Execution(ExecutionEvent { time, ..ExecutionEvent::default() }));
        }
        assert_eq!(lost.load(Ordering::Relaxed), 3);
        let mut next = 0;
        while let Some(OrderFact::Execution(event)) = written.pop() {
            assert_eq!(event.time, Nanos(next));
            next += 1;
        }
        assert_eq!(next as usize, FACTS_WAITING_MAX);
    }
}
