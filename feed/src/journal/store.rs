//! COLD: where the parts of a journal are: room in memory for tests and virtual time, files for the rest of the world.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The parts of one run's journal, each with its header in place and nothing behind it.
pub trait JournalStore: Send {
    /// The part that is being written, whole.
    fn part(&mut self) -> &mut [u8];

    /// Goes on to the next part; false if none is ready yet, and then the old one stays.
    fn advance(&mut self) -> bool;

    /// Whether what is written may not last: the disk is full or refuses.
    fn is_failing(&self) -> bool;

    /// The part is written up to `used` bytes: whoever brings it to the disk has work.
    fn written(&mut self, used: usize);

    /// No more will be written, the last part up to `used` bytes: what was asked of the system is undone.
    fn finish(&mut self, used: usize);
}

/// One part in memory, with nothing behind it.
#[derive(Debug)]
pub struct MemoryStore {
    part: Vec<u8>,
    failing: Arc<AtomicBool>,
}

impl MemoryStore {
    /// A part of this many bytes that begins with `header`.
    #[must_use]
    pub fn new(header: &[u8], bytes: usize) -> MemoryStore {
        let mut part = header.to_vec();
        part.resize(bytes.max(header.len()), 0);
        MemoryStore { part, failing: Arc::default() }
    }

    /// Raised from outside: as if the disk were full.
    #[must_use]
    pub fn failure(&self) -> Arc<AtomicBool> {
        self.failing.clone()
    }
}

impl JournalStore for MemoryStore {
    fn part(&mut self) -> &mut [u8] {
        &mut self.part
    }

    fn advance(&mut self) -> bool {
        false
    }

    fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    fn written(&mut self, _: usize) {}

    fn finish(&mut self, used: usize) {
        self.part.truncate(used);
    }
}
