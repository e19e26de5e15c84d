//! COLD: the queue most people take between two threads.

use crossbeam_queue::ArrayQueue;

/// crossbeam's bounded queue, behind the two calls that both rings have.
pub struct ArrayRing<T>(ArrayQueue<T>);

impl<T> ArrayRing<T> {
    /// Room for `slots` entries.
    #[must_use]
    pub fn new(slots: usize) -> ArrayRing<T> {
        ArrayRing(ArrayQueue::new(slots))
    }

    /// Appends an entry.
    ///
    /// # Errors
    /// The queue is full; the entry comes back.
    #[inline]
    pub fn push(&self, entry: T) -> Result<(), T> {
        self.0.push(entry)
    }

    /// Takes the oldest entry.
    #[inline]
    #[must_use]
    pub fn pop(&self) -> Option<T> {
        self.0.pop()
    }
}
