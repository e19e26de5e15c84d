//! HOT: a global allocator that counts heap allocations thread by thread: the proof that hot code makes none.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

// Without a destructor, so that looking at them allocates nothing.
thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static FREES: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, counted. A program or test that wants counts makes it its global allocator.
pub struct CountingAllocator;

/// Heap allocations of the calling thread so far, a grown block counts as one; zero unless [`CountingAllocator`] is the
/// program's allocator.
#[inline]
#[must_use]
pub fn thread_allocations() -> u64 {
    ALLOCATIONS.get()
}

/// Blocks that the calling thread gave back so far; zero unless [`CountingAllocator`] is the program's allocator.
#[inline]
#[must_use]
pub fn thread_frees() -> u64 {
    FREES.get()
}

/// Runs `work` and counts this thread's allocations and frees meanwhile: what other threads do, such as a test's
/// runner, is not counted.
pub fn count<R>(work: impl FnOnce() -> R) -> (R, u64) {
    let before = thread_allocations() + thread_frees();
    let result = work();
    (result, thread_allocations() + thread_frees() - before)
}

#[inline]
fn add_one(counter: &'static std::thread::LocalKey<Cell<u64>>) {
    // A thread that is being torn down has no counter any more, and nobody asks for it.
    let _ = counter.try_with(|count| count.set(count.get().wrapping_add(1)));
}

// SAFETY: every call is passed on unchanged to the system's allocator, which keeps the contract; counting touches
// thread-local numbers without a destructor and never allocates.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add_one(&ALLOCATIONS);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add_one(&ALLOCATIONS);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        add_one(&ALLOCATIONS);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        add_one(&FREES);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}
