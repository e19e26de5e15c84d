//! HOT: what the ring is made of. The model of the ring (`tests/ring_model.rs`) compiles `ring.rs` with the model checker's
//! parts of the same names in place of these.

pub(crate) use core::sync::atomic::{AtomicUsize, Ordering, fence};
pub(crate) use std::sync::Arc;

/// A cell with the model checker's way of reaching into it.
pub(crate) struct UnsafeCell<T>(core::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    pub(crate) const fn new(value: T) -> UnsafeCell<T> {
        UnsafeCell(core::cell::UnsafeCell::new(value))
    }

    #[inline(always)]
    pub(crate) fn with<R>(&self, read: impl FnOnce(*const T) -> R) -> R {
        read(self.0.get())
    }

    #[inline(always)]
    pub(crate) fn with_mut<R>(&self, write: impl FnOnce(*mut T) -> R) -> R {
        write(self.0.get())
    }
}
