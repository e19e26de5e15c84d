//! COLD: the ring contest: one way between two cores by ping-pong, and a stream of messages flat out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use spinbook_engine::intent::Intent;
use spinbook_engine::limits::ORDER_RING_SLOTS;
use spinbook_engine::ring;

use crate::clock::{CycleClock, start, stop};
use crate::contest::{Time, in_turns};
use crate::plain::ArrayRing;
use crate::threads::{beside, cores};

/// Round trips a block; the median block counts, so that a block in which a thread was put aside does not.
const TRIPS: usize = 50;
/// Messages a block of the stream, likewise.
const STREAM_BLOCK: usize = 1_000;

/// The writing end of some ring of intents.
pub trait Push: Send {
    /// Appends; the entry comes back if the ring is full.
    ///
    /// # Errors
    /// The ring is full.
    fn push(&mut self, intent: Intent) -> Result<(), Intent>;
}

/// The reading end of some ring of intents.
pub trait Pop: Send {
    /// Takes the oldest entry.
    fn pop(&mut self) -> Option<Intent>;
}

impl Push for ring::Producer<Intent> {
    #[inline]
    fn push(&mut self, intent: Intent) -> Result<(), Intent> {
        ring::Producer::push(self, intent)
    }
}

impl Pop for ring::Consumer<Intent> {
    #[inline]
    fn pop(&mut self) -> Option<Intent> {
        ring::Consumer::pop(self)
    }
}

impl Push for Arc<ArrayRing<Intent>> {
    #[inline]
    fn push(&mut self, intent: Intent) -> Result<(), Intent> {
        ArrayRing::push(self, intent)
    }
}

impl Pop for Arc<ArrayRing<Intent>> {
    #[inline]
    fn pop(&mut self) -> Option<Intent> {
        ArrayRing::pop(self)
    }
}

/// Our ring.
#[must_use]
pub fn ours() -> (ring::Producer<Intent>, ring::Consumer<Intent>) {
    ring::channel(ORDER_RING_SLOTS)
}

/// crossbeam's queue.
#[must_use]
pub fn array_queue() -> (Arc<ArrayRing<Intent>>, Arc<ArrayRing<Intent>>) {
    let queue = Arc::new(ArrayRing::new(ORDER_RING_SLOTS));
    (Arc::clone(&queue), queue)
}

/// Ends of one kind of ring, made anew for every run.
pub struct RingKind {
    name: &'static str,
    one_way: Box<dyn Fn(usize) -> Vec<f64>>,
    stream: Box<dyn Fn(usize) -> Vec<f64>>,
}

impl RingKind {
    /// A kind of ring from its name and what makes its two ends.
    pub fn new<P: Push + 'static, C: Pop + 'static>(name: &'static str, make: fn() -> (P, C)) -> RingKind {
        RingKind {
            name,
            one_way: Box::new(move |blocks| one_way_ns(make, blocks)),
            stream: Box::new(move |blocks| stream_ns(make, blocks)),
        }
    }

    /// Ours and crossbeam's.
    #[must_use]
    pub fn usual() -> Vec<RingKind> {
        vec![RingKind::new("Spinbook ring", ours), RingKind::new("crossbeam ArrayQueue", array_queue)]
    }
}

/// Without a pause between looks, as the pinned I/O thread polls: a pause costs more than the way itself.
#[inline]
fn wait_pop<C: Pop>(consumer: &mut C) -> Intent {
    loop {
        if let Some(intent) = consumer.pop() {
            return intent;
        }
    }
}

#[inline]
fn wait_push<P: Push>(producer: &mut P, intent: Intent) {
    while producer.push(intent).is_err() {
        core::hint::spin_loop();
    }
}

/// ns one way, one value a block of round trips.
fn one_way_ns<P: Push + 'static, C: Pop + 'static>(make: fn() -> (P, C), blocks: usize) -> Vec<f64> {
    let clock = CycleClock::calibrated();
    let (mut there, mut arrivals) = make();
    let (mut back, mut returns) = make();
    let trips = blocks * TRIPS;
    beside(
        move || {
            for _ in 0..trips {
                let intent = wait_pop(&mut arrivals);
                wait_push(&mut back, intent);
            }
        },
        move || {
            let mut values = Vec::with_capacity(blocks);
            for block in 0..blocks {
                let begun = start();
                for trip in 0..TRIPS {
                    let intent = Intent { book_sequence: (block * TRIPS + trip) as u64, ..Intent::default() };
                    wait_push(&mut there, intent);
                    let returned = wait_pop(&mut returns);
                    assert_eq!(returned.book_sequence, intent.book_sequence, "messages arrive in order");
                }
                values.push(clock.ns(stop() - begun) / (2 * TRIPS) as f64);
            }
            values
        },
    )
}

/// ns a message when both sides go flat out, one value a block.
fn stream_ns<P: Push + 'static, C: Pop + 'static>(make: fn() -> (P, C), blocks: usize) -> Vec<f64> {
    let clock = CycleClock::calibrated();
    let (mut producer, mut consumer) = make();
    let ready = Arc::new(AtomicBool::new(false));
    let go = Arc::clone(&ready);
    let messages = blocks * STREAM_BLOCK;
    beside(
        move || {
            while !go.load(Ordering::Acquire) {
                core::hint::spin_loop();
            }
            for message in 0..messages {
                wait_push(&mut producer, Intent { book_sequence: message as u64, ..Intent::default() });
            }
        },
        move || {
            ready.store(true, Ordering::Release);
            let mut values = Vec::with_capacity(blocks);
            let mut sum = 0;
            for _ in 0..blocks {
                let begun = start();
                for _ in 0..STREAM_BLOCK {
                    sum += wait_pop(&mut consumer).book_sequence;
                }
                values.push(clock.ns(stop() - begun) / STREAM_BLOCK as f64);
            }
            assert_eq!(sum, (messages as u64 - 1) * messages as u64 / 2, "every message arrives once");
            values
        },
    )
}

/// What the ring contest found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RingTable {
    /// ns from a push on one core to the pop on the other, an 80-byte message; ours first.
    pub one_way: Vec<Time>,
    /// ns a message flat out, ours first.
    pub stream: Vec<Time>,
    /// Cores that the two threads could use.
    pub cores: usize,
}

/// Lets all kinds take turns `rounds` times, each with `blocks` blocks of round trips and `stream_blocks` of the stream.
#[must_use]
pub fn contest(kinds: &[RingKind], rounds: usize, blocks: usize, stream_blocks: usize) -> RingTable {
    let values =
        in_turns(kinds.len(), 0, rounds, |who| ((kinds[who].one_way)(blocks), (kinds[who].stream)(stream_blocks)));
    let (mut one_way, mut stream) = (Vec::new(), Vec::new());
    for (kind, values) in kinds.iter().zip(values) {
        let (trips, messages): (Vec<Vec<f64>>, Vec<Vec<f64>>) = values.into_iter().unzip();
        one_way.push(Time::of(kind.name, trips.concat()));
        stream.push(Time::of(kind.name, messages.concat()));
    }
    RingTable { one_way, stream, cores: cores().len() }
}

#[cfg(test)]
mod tests {
    use super::{RingKind, contest};

    #[test]
    fn both_rings_carry_every_message_in_order() {
        let outcome = contest(&RingKind::usual(), 1, 4, 4);
        assert_eq!(outcome.one_way.len(), 2);
        assert!(outcome.one_way.iter().chain(&outcome.stream).all(|time| time.ns > 0.0), "{outcome:?}");
    }
}
