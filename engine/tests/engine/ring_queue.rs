//! COLD: the ring against crossbeam's ArrayQueue, and between two threads.

use std::thread;

use crossbeam_queue::ArrayQueue;
use spinbook_engine::ring::{self, Consumer, Producer};

use crate::common::{Random, seed_from};

fn assert_send<T: Send>() {}

#[test]
fn both_ends_may_move_to_another_thread() {
    assert_send::<Producer<u64>>();
    assert_send::<Consumer<u64>>();
}

#[test]
fn capacity_is_a_power_of_two_and_at_least_two() {
    for (wanted, given) in [(0, 2), (1, 2), (2, 2), (3, 4), (1000, 1024), (1024, 1024)] {
        let (producer, consumer) = ring::channel::<u8>(wanted);
        assert_eq!((producer.capacity(), consumer.capacity()), (given, given));
    }
}

#[test]
fn a_full_ring_hands_the_message_back() {
    let (mut producer, mut consumer) = ring::channel(2);
    assert!(consumer.is_empty());
    assert_eq!(producer.push(1), Ok(()));
    assert_eq!(producer.push(2), Ok(()));
    assert!(producer.is_full());
    assert_eq!(producer.push(3), Err(3));
    assert_eq!(consumer.pop(), Some(1));
    assert_eq!(producer.push(4), Ok(()));
    assert_eq!([consumer.pop(), consumer.pop(), consumer.pop()], [Some(2), Some(4), None]);
}

#[test]
fn each_end_sees_the_other_leave() {
    let (producer, consumer) = ring::channel::<u8>(4);
    assert!(!consumer.is_abandoned());
    drop(producer);
    assert!(consumer.is_abandoned());
    let (mut producer, consumer) = ring::channel::<u8>(4);
    drop(consumer);
    assert!(producer.is_abandoned());
    assert_eq!(producer.push(1), Ok(()));
}

#[test]
fn every_interleaving_equals_array_queue() {
    let seed = seed_from("SPINBOOK_SEED");
    println!("seed {seed}");
    let mut random = Random::new(seed);
    let (mut full, mut empty) = (0_u64, 0_u64);
    for _ in 0..200 {
        let slots = 2_usize << random.below(6);
        let (mut producer, mut consumer) = ring::channel::<[u64; 3]>(slots);
        let truth = ArrayQueue::new(slots);
        let lean = random.below(100);
        for step in 0..2_000 {
            if random.below(100) < lean {
                let message = [random.bits(), step, random.bits()];
                let pushed = producer.push(message);
                assert_eq!(pushed, truth.push(message), "seed {seed}");
                full += u64::from(pushed.is_err());
            } else {
                let popped = consumer.pop();
                assert_eq!(popped, truth.pop(), "seed {seed}");
                empty += u64::from(popped.is_none());
            }
            assert_eq!(consumer.is_empty(), truth.is_empty(), "seed {seed}");
            assert_eq!(producer.is_full(), truth.is_full(), "seed {seed}");
        }
    }
    assert!(full > 0 && empty > 0, "both ends must have been met: {full} full, {empty} empty");
}

/// A message that shows when it was torn: every word follows from the first.
fn message(number: u64) -> [u64; 10] {
    core::array::from_fn(|word| number.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(word as u32 * 7) ^ word as u64)
}

fn stress(slots: usize, count: u64) {
    let (mut producer, mut consumer) = ring::channel::<[u64; 10]>(slots);
    let writer = thread::spawn(move || {
        let mut refused = 0_u64;
        for number in 0..count {
            let mut waiting = message(number);
            while let Err(back) = producer.push(waiting) {
                assert_eq!(back, message(number), "a refused message comes back whole");
                waiting = back;
                refused += 1;
                thread::yield_now();
            }
        }
        refused
    });
    let mut expected = 0;
    let mut idle = 0_u64;
    loop {
        if let Some(found) = consumer.pop() {
            assert_eq!(found, message(expected), "message {expected} of {count}, {slots} slots");
            expected += 1;
        } else if consumer.is_abandoned() && consumer.is_empty() {
            break;
        } else {
            idle += 1;
            thread::yield_now();
        }
    }
    let refused = writer.join().expect("the writer's own checks held");
    assert_eq!(expected, count, "none lost, none doubled");
    println!("{slots} slots: {count} messages, {refused} times full, {idle} times empty");
}

#[test]
fn two_threads_lose_and_double_nothing() {
    stress(2, 50_000);
    stress(64, 200_000);
    stress(4_096, 200_000);
}
