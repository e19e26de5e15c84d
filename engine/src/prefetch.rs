//! HOT: asks the processor for lines of memory ahead of their use: nothing is read into the program, nothing changes.
#![allow(unsafe_code)]

/// Bytes of a cache line.
const LINE: usize = 64;

/// Asks for every line that `value` lies in. It does not wait for them.
///
/// A read would do as much, but what a value's unused bytes hold may not be read.
#[inline]
pub fn prefetch<T: ?Sized>(value: &T) {
    let start = core::ptr::from_ref(value).cast::<u8>();
    let mut at = 0;
    while at < size_of_val(value) {
        prefetch_line(start.wrapping_add(at));
        at += LINE;
    }
    if let Some(last) = size_of_val(value).checked_sub(1) {
        // A value that does not begin with a line ends in one more.
        prefetch_line(start.wrapping_add(last));
    }
}

#[inline(always)]
fn prefetch_line(at: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint; whatever the address is, nothing is read or written.
    unsafe {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

#[cfg(test)]
mod tests {
    use super::prefetch;

    #[test]
    fn values_of_any_size_may_be_asked_for() {
        for size in [0, 1, 63, 64, 65, 10_000] {
            prefetch(vec![1u8; size].as_slice());
        }
        prefetch(&());
    }
}
