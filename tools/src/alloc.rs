//! HOT: the program counts heap allocations thread by thread: the proof that hot code makes none.

use spinbook_feed::net::host::allocations::CountingAllocator;
pub use spinbook_feed::net::host::allocations::thread_allocations;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

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
