//! COLD: the ring under a model checker that tries every order in which two threads' steps may happen.
//!
//! The ring's own source is compiled here once more, with the checker's cells and atomics in place of the processor's.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

use std::sync::atomic::{AtomicU64, Ordering};

use loom::thread;

#[allow(dead_code, missing_docs, reason = "the model needs a part of the ring's interface")]
#[path = "../src/ring.rs"]
mod ring;

#[path = "../src/prefetch.rs"]
mod prefetch;

/// The model checker's own parts: it tries every order of their steps.
mod ring_parts {
    pub(crate) use loom::cell::UnsafeCell;
    pub(crate) use loom::sync::Arc;
    pub(crate) use loom::sync::atomic::{Ordering, fence};

    /// The word, and beside it one that every look at it changes without ordering anything. Of the looks at an object
    /// the checker remembers only the last, so that a second thread's look would hide the first one's from it, and
    /// with it the order of steps in which that one comes later.
    pub(crate) struct AtomicUsize {
        word: loom::sync::atomic::AtomicUsize,
        looks: loom::sync::atomic::AtomicUsize,
    }

    impl AtomicUsize {
        pub(crate) fn new(value: usize) -> AtomicUsize {
            AtomicUsize {
                word: loom::sync::atomic::AtomicUsize::new(value),
                looks: loom::sync::atomic::AtomicUsize::new(0),
            }
        }

        pub(crate) fn load(&self, ordering: Ordering) -> usize {
            self.looks.fetch_add(1, Ordering::Relaxed);
            self.word.load(ordering)
        }

        pub(crate) fn store(&self, value: usize, ordering: Ordering) {
            self.looks.fetch_add(1, Ordering::Relaxed);
            self.word.store(value, ordering);
        }
    }
}

/// A message of more than one word, so that half of one would be seen.
type Message = [u64; 3];

/// Runs the model through all its orders, and at least `orders_min` of them: a checker that tries one proves nothing.
fn explore(orders_min: u64, model: impl Fn() + Send + Sync + 'static) {
    let orders = std::sync::Arc::new(AtomicU64::new(0));
    let counted = std::sync::Arc::clone(&orders);
    loom::model(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        model();
    });
    let orders = orders.load(Ordering::Relaxed);
    println!("{orders} orders of steps");
    assert!(orders >= orders_min, "only {orders}");
}

fn message(number: u64) -> Message {
    [number, number * 10, number * 100]
}

#[test]
fn what_is_pushed_is_popped_whole_once_and_in_order() {
    explore(10, || {
        let (mut producer, mut consumer) = ring::channel::<Message>(2);
        let pushing = thread::spawn(move || {
            let mut pushed = Vec::new();
            for number in 1..=4 {
                match producer.push(message(number)) {
                    Ok(()) => pushed.push(message(number)),
                    Err(refused) => assert_eq!(refused, message(number)),
                }
            }
            pushed
        });
        let mut popped = Vec::new();
        for _ in 0..3 {
            popped.extend(consumer.pop());
        }
        let pushed = pushing.join().expect("the producer ends");
        assert!(pushed.len() >= 2, "two slots take two messages whatever the consumer does");
        popped.extend(std::iter::from_fn(|| consumer.pop()));
        assert_eq!(popped, pushed);
    });
}

#[test]
fn a_slot_is_used_again_only_when_its_message_was_read() {
    explore(10, || {
        let (mut producer, mut consumer) = ring::channel::<Message>(2);
        assert_eq!(producer.push(message(1)), Ok(()));
        assert_eq!(producer.push(message(2)), Ok(()));
        let popping = thread::spawn(move || {
            let popped = [consumer.pop(), consumer.pop(), consumer.pop()];
            (popped, consumer)
        });
        // Both go into slots that held a message a moment ago.
        let mut pushed = vec![message(1), message(2)];
        for number in 3..=4 {
            if !producer.is_full() {
                assert_eq!(producer.push(message(number)), Ok(()), "nobody else could fill it");
                pushed.push(message(number));
            }
        }
        let (popped, mut consumer) = popping.join().expect("the consumer ends");
        let mut popped: Vec<Message> = popped.into_iter().flatten().collect();
        popped.extend(std::iter::from_fn(|| consumer.pop()));
        assert_eq!(popped, pushed);
    });
}

#[test]
fn the_last_message_of_a_producer_that_left_is_found() {
    explore(10, || {
        let (mut producer, mut consumer) = ring::channel::<Message>(2);
        let pushing = thread::spawn(move || {
            assert_eq!(producer.push(message(7)), Ok(()));
            drop(producer);
        });
        let early = consumer.pop();
        if consumer.is_abandoned() {
            let found = early.or_else(|| consumer.pop());
            assert_eq!(found, Some(message(7)));
        }
        pushing.join().expect("the producer ends");
    });
}
