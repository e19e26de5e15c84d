//! COLD: the counting allocator of the feed, and whether this process has it.

pub use spinbook_feed::net::host::allocations::{CountingAllocator, count};

/// Whether this process counts at all.
#[must_use]
pub fn is_installed() -> bool {
    count(|| drop(core::hint::black_box(Box::new(1u64)))).1 > 0
}
