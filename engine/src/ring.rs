//! HOT: a bounded ring from one producer to one consumer, without locks: each slot says by itself whose turn it is.
//!
//! A slot's sequence word counts turns. For the message number `n` of a ring of `slots` slots it is `n` when
//! the producer may write, `n + 1` when the consumer may read, and becomes `n + slots` when the slot is free for
//! the next lap. Neither side ever reads the other's index: both wait on the one line that carries the message.
#![allow(unsafe_code)]

use core::marker::PhantomData;
use core::mem::MaybeUninit;

use crossbeam_utils::CachePadded;

use crate::prefetch::prefetch;
use crate::ring_parts::{Arc, AtomicUsize, Ordering, UnsafeCell, fence};

/// One message's place. Padded, so that neighbouring slots do not share a line between two cores.
struct Slot<T> {
    sequence: AtomicUsize,
    message: UnsafeCell<MaybeUninit<T>>,
}

struct Shared<T> {
    slots: Box<[CachePadded<Slot<T>>]>,
}

// SAFETY: the messages are only reached through the one `Producer` and the one `Consumer`, and the sequence word
// of a slot lets exactly one of them at its message at a time; `T: Send` lets the message cross threads.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    #[inline]
    fn slot(&self, number: usize) -> &Slot<T> {
        // The count is a power of two: the compiler sees a mask where it knows it, and the bound always holds.
        &self.slots[number & (self.slots.len() - 1)]
    }
}

/// The writing end. There is exactly one; it may move to another thread but not be shared.
pub struct Producer<T> {
    shared: Arc<Shared<T>>,
    /// Number of the next message.
    next: usize,
    not_sync: PhantomData<core::cell::Cell<()>>,
}

/// The reading end. There is exactly one; it may move to another thread but not be shared.
pub struct Consumer<T> {
    shared: Arc<Shared<T>>,
    /// Number of the next message.
    next: usize,
    not_sync: PhantomData<core::cell::Cell<()>>,
}

/// A ring of `slots` messages, rounded up to a power of two and at least two. Allocates: a matter of set-up.
///
/// # Panics
/// If `slots` is above 2^32: no queue of ours is.
#[must_use]
pub fn channel<T: Copy + Send>(slots: usize) -> (Producer<T>, Consumer<T>) {
    assert!(slots <= 1 << 32, "a ring of {slots} slots");
    let slots = slots.max(2).next_power_of_two();
    let slots = (0..slots)
        .map(|number| {
            CachePadded::new(Slot {
                sequence: AtomicUsize::new(number),
                message: UnsafeCell::new(MaybeUninit::uninit()),
            })
        })
        .collect();
    let shared = Arc::new(Shared { slots });
    let producer = Producer { shared: Arc::clone(&shared), next: 0, not_sync: PhantomData };
    (producer, Consumer { shared, next: 0, not_sync: PhantomData })
}

impl<T: Copy + Send> Producer<T> {
    /// Hands a message over.
    ///
    /// # Errors
    /// The message itself if the ring is full; nothing waits.
    #[inline]
    pub fn push(&mut self, message: T) -> Result<(), T> {
        let slot = self.shared.slot(self.next);
        // Acquire: the consumer's read of the last lap's message is over before this one overwrites it.
        if slot.sequence.load(Ordering::Acquire) != self.next {
            return Err(message);
        }
        // SAFETY: the sequence word equals `next`, which only the consumer sets and only when it has read the
        // slot (or which it is from the start); until the store below the consumer does not touch the message,
        // and no other producer exists.
        slot.message.with_mut(|place| unsafe { (*place).write(message) });
        // Release: a consumer that reads this word reads the message.
        slot.sequence.store(self.next.wrapping_add(1), Ordering::Release);
        self.next = self.next.wrapping_add(1);
        Ok(())
    }

    /// Asks for the places of the next two messages ([`crate::prefetch`]).
    #[inline]
    pub fn warm(&self) {
        prefetch(self.shared.slot(self.next));
        prefetch(self.shared.slot(self.next.wrapping_add(1)));
    }

    /// Whether a push would fail now.
    #[inline]
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.shared.slot(self.next).sequence.load(Ordering::Acquire) != self.next
    }
}

impl<T> Producer<T> {
    /// How many messages the ring holds at most.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.shared.slots.len()
    }

    /// Whether the consumer was dropped: what is pushed now is never read.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        is_last(&self.shared)
    }
}

impl<T: Copy + Send> Consumer<T> {
    /// Takes the oldest message; none if the ring is empty.
    #[inline]
    pub fn pop(&mut self) -> Option<T> {
        let slot = self.shared.slot(self.next);
        // Acquire: the word says that the message is there, so its bytes are too.
        if slot.sequence.load(Ordering::Acquire) != self.next.wrapping_add(1) {
            return None;
        }
        // SAFETY: the sequence word is `next + 1`, which only the producer sets and only after it has written
        // the message; until the store below the producer does not touch it, and no other consumer exists.
        // `T: Copy`, so the copy left behind needs no drop.
        let message = slot.message.with(|place| unsafe { (*place).assume_init_read() });
        // Release: the read above is over before the producer may write again.
        slot.sequence.store(self.next.wrapping_add(self.shared.slots.len()), Ordering::Release);
        self.next = self.next.wrapping_add(1);
        Some(message)
    }

    /// Whether a pop would find nothing now.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shared.slot(self.next).sequence.load(Ordering::Acquire) != self.next.wrapping_add(1)
    }
}

impl<T> Consumer<T> {
    /// How many messages the ring holds at most.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.shared.slots.len()
    }

    /// Whether the producer is gone: what is in the ring now is all that will come.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        is_last(&self.shared)
    }
}

/// Whether the other end is gone, and with it everything it ever did is seen.
fn is_last<T>(shared: &Arc<Shared<T>>) -> bool {
    let last = Arc::strong_count(shared) == 1;
    // Acquire: pairs with the release of the other end's drop, so that its last push is found by the next pop.
    fence(Ordering::Acquire);
    last
}

impl<T> core::fmt::Debug for Producer<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Producer").field("next", &self.next).finish_non_exhaustive()
    }
}

impl<T> core::fmt::Debug for Consumer<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Consumer").field("next", &self.next).finish_non_exhaustive()
    }
}
