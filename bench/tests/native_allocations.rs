//! COLD: receiving and sending call no malloc, in Rust or in C: the C library's entry points are counted.
#![cfg(all(target_os = "linux", target_env = "gnu"))]
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use spinbook_bench::receive::{LAYOUTS, lines};
use spinbook_bench::send::{encoding, sealing, signing, whole};

static COUNTING: AtomicBool = AtomicBool::new(false);
static CALLS: AtomicU64 = AtomicU64::new(0);

unsafe extern "C" {
    fn __libc_malloc(bytes: usize) -> *mut c_void;
    fn __libc_calloc(count: usize, bytes: usize) -> *mut c_void;
    fn __libc_realloc(pointer: *mut c_void, bytes: usize) -> *mut c_void;
    fn __libc_memalign(alignment: usize, bytes: usize) -> *mut c_void;
    fn __libc_free(pointer: *mut c_void);
}

fn called() {
    if COUNTING.load(Ordering::Relaxed) {
        CALLS.fetch_add(1, Ordering::Relaxed);
    }
}

// The linker prefers these to the C library's own, for Rust's allocator and for C code in this program alike.

#[unsafe(no_mangle)]
extern "C" fn malloc(bytes: usize) -> *mut c_void {
    called();
    // SAFETY: the C library's own implementation, called as the caller called it.
    unsafe { __libc_malloc(bytes) }
}

#[unsafe(no_mangle)]
extern "C" fn calloc(count: usize, bytes: usize) -> *mut c_void {
    called();
    // SAFETY: the C library's own implementation, called as the caller called it.
    unsafe { __libc_calloc(count, bytes) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn realloc(pointer: *mut c_void, bytes: usize) -> *mut c_void {
    called();
    // SAFETY: the C library's own implementation, called as the caller called it.
    unsafe { __libc_realloc(pointer, bytes) }
}

#[unsafe(no_mangle)]
extern "C" fn aligned_alloc(alignment: usize, bytes: usize) -> *mut c_void {
    called();
    // SAFETY: the C library's own implementation, called as the caller called it.
    unsafe { __libc_memalign(alignment, bytes) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn posix_memalign(out: *mut *mut c_void, alignment: usize, bytes: usize) -> i32 {
    called();
    // SAFETY: the caller's promise: `out` may be written. The rest is the C library's own implementation.
    unsafe {
        *out = __libc_memalign(alignment, bytes);
        if (*out).is_null() { 12 } else { 0 }
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn free(pointer: *mut c_void) {
    called();
    // SAFETY: the C library's own implementation, called as the caller called it.
    unsafe { __libc_free(pointer) }
}

fn count<R>(work: impl FnOnce() -> R) -> u64 {
    let before = CALLS.load(Ordering::Relaxed);
    COUNTING.store(true, Ordering::Relaxed);
    core::hint::black_box(work());
    COUNTING.store(false, Ordering::Relaxed);
    CALLS.load(Ordering::Relaxed) - before
}

/// One test, because the counter sees the whole process.
#[test]
fn records_and_orders_call_no_malloc() {
    assert_eq!(count(|| drop(core::hint::black_box(Box::new(1u64)))), 2, "Rust's allocator is counted");
    let from_c = count(|| {
        let key = aws_lc_rs::aead::UnboundKey::new(&aws_lc_rs::aead::AES_128_GCM, &[1; 16]);
        drop(key.expect("16 bytes"));
    });
    assert!(from_c > 0, "the C library of the cipher is counted: it takes memory for a key");
    for layout in LAYOUTS {
        let mut peers = 0;
        for (place, line) in lines().iter_mut().enumerate() {
            // The first rounds may size buffers.
            for round in 0..6 {
                line.seal(layout);
                let calls = count(|| line.receive());
                match place {
                    0..=2 if round > 0 => assert_eq!(calls, 0, "{}, {}, round {round}", line.name, layout.name),
                    0..=2 => {}
                    _ => peers += calls,
                }
            }
        }
        assert!(peers > 0, "{}: libraries that allocate are seen to", layout.name);
    }
    let ours = [encoding().remove(1), signing().remove(1), sealing().remove(1), whole()];
    for mut step in ours {
        (step.run)();
        let calls = count(|| (0..1_000).fold(0, |sum, _| sum ^ (step.run)()));
        assert_eq!(calls, 0, "{}", step.name);
    }
}
