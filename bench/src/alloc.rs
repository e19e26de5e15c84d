//! COLD: a counting allocator, switched on around the work whose allocations are to be counted.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static COUNTING: Cell<bool> = const { Cell::new(false) };
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, counting allocations, reallocations and frees of the thread in which [`count`] runs.
///
/// A binary or test that wants counts makes it its global allocator; one that does not gets zeros from [`count`],
/// which [`is_installed`] tells apart.
pub struct CountingAllocator;

#[inline]
fn called() {
    if COUNTING.get() {
        CALLS.set(CALLS.get() + 1);
    }
}

// SAFETY: every call goes to the system's allocator unchanged; counting touches two plain cells of
// the thread, which have no destructor and so allocate nothing themselves.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        called();
        // SAFETY: the caller keeps `alloc`'s contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        called();
        // SAFETY: the caller keeps `alloc_zeroed`'s contract, which is the same.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        called();
        // SAFETY: the pointer came from this allocator, hence from the system's, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        called();
        // SAFETY: the pointer came from this allocator, hence from the system's, with this layout.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Runs `work` and counts this thread's calls to the allocator meanwhile: what others do, such as a test's runner, is
/// none of its business. Not to be nested.
pub fn count<R>(work: impl FnOnce() -> R) -> (R, u64) {
    let before = CALLS.get();
    COUNTING.set(true);
    let result = work();
    COUNTING.set(false);
    (result, CALLS.get() - before)
}

/// Whether this process counts at all.
#[must_use]
pub fn is_installed() -> bool {
    count(|| drop(core::hint::black_box(Box::new(1u64)))).1 > 0
}
