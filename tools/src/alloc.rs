//! HOT: a global allocator that counts heap allocations thread by thread: the proof that hot code makes none.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, counted.
pub struct CountingAllocator;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Heap allocations of the calling thread so far; a grown block counts as one.
#[inline]
#[must_use]
pub fn thread_allocations() -> u64 {
    ALLOCATIONS.with(Cell::get)
}

#[inline]
fn count() {
    // A thread that is being torn down has no counter any more, and nobody asks for it.
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get().wrapping_add(1)));
}

// SAFETY: every call is passed on unchanged to the system's allocator, which keeps the contract; counting touches
// a thread-local number without a destructor and never allocates.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allocations_of_this_thread_alone_are_counted() {
        let before = thread_allocations();
        let block = std::hint::black_box(Box::new(7_u64));
        assert_eq!(*block, 7);
        assert_eq!(thread_allocations(), before + 1);
        drop(block);
        assert_eq!(thread_allocations(), before + 1);
        let before = thread_allocations();
        let counted = std::thread::scope(|scope| {
            let other = scope.spawn(|| {
                let before = thread_allocations();
                let many: Vec<Box<u64>> = (0..100).map(Box::new).collect();
                (many.len(), thread_allocations() - before)
            });
            let mine = thread_allocations();
            // Joining happens on this thread; what the other one allocated does not show here.
            (other.join().expect("it ends").1, mine)
        });
        assert!(counted.0 >= 101);
        assert!(counted.1 - before < 50);
    }
}
