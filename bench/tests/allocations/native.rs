//! COLD: receiving and sending call no malloc, in Rust or in C: the C library's entry points are counted.
#![cfg(all(target_os = "linux", target_env = "gnu"))]
#![allow(unsafe_code)]

use std::cell::Cell;
use std::ffi::c_void;
use std::io::Write;

use spinbook_bench::inputs::chain;
use spinbook_bench::markets::CHAINS;
use spinbook_bench::receive::{LAYOUTS, lines, server_frame};
use spinbook_bench::send::{encoding, sealing, signing, whole};
use spinbook_bench::synthetic::Shape;
use spinbook_bench::tls::{Endpoints, take};
use spinbook_bench::whole_path::WholePath;
use spinbook_bench::wire::exchange::OrderAnswer;
use spinbook_bench::wire::handover::Handover;
use spinbook_bench::workload::{LineKind, Workload};
use spinbook_engine::types::Stamp;
use spinbook_feed::venue::ProductLine;

// Of this thread alone: the test's runner has a thread that may allocate at any moment. Without a destructor, so that
// looking at them allocates nothing.
thread_local! {
    static COUNTING: Cell<bool> = const { Cell::new(false) };
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: the C library's own entry points, with the types that it documents for those without the prefix.
unsafe extern "C" {
    fn __libc_malloc(bytes: usize) -> *mut c_void;
    fn __libc_calloc(count: usize, bytes: usize) -> *mut c_void;
    fn __libc_realloc(pointer: *mut c_void, bytes: usize) -> *mut c_void;
    fn __libc_memalign(alignment: usize, bytes: usize) -> *mut c_void;
    fn __libc_free(pointer: *mut c_void);
}

fn called() {
    if COUNTING.get() {
        CALLS.set(CALLS.get() + 1);
    }
}

// The linker prefers these to the C library's own, for Rust's allocator and for C code in this program alike.

// SAFETY: of each of them: the name is that of the function whose contract it keeps by handing the call on.
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
    let before = CALLS.get();
    COUNTING.set(true);
    core::hint::black_box(work());
    COUNTING.set(false);
    CALLS.get() - before
}

/// Sealed frames of a recording in, sealed orders out; gives back the calls once the book is live, and the orders.
fn socket_to_order(recording: &Workload) -> (u64, u64) {
    let endpoints = Endpoints::new();
    let ((market, mut server), (orders, _)) = (endpoints.ours(), endpoints.ours());
    let mut path = WholePath::new(recording, market, orders);
    let mut buffer = recording.frames.buffer();
    let (mut calls, mut live, mut wire) = (0, false, Vec::new());
    for (line, kind) in recording.kinds.iter().enumerate() {
        let stamp = Stamp { wall: recording.received[line], tsc: 0 };
        match kind {
            LineKind::Other => continue,
            LineKind::Snapshot => {
                let length = recording.frames.copy_to(line, &mut buffer);
                path.snapshot(&mut buffer, length, stamp);
                live = true;
                continue;
            }
            _ => {}
        }
        wire.clear();
        server.writer().write_all(&server_frame(recording.frames.frame(line))).expect("memory takes all");
        take(&mut server, &mut wire);
        let called = count(|| path.read(&wire, stamp));
        if live {
            calls += called;
        }
    }
    (calls, path.sent())
}

/// Calls from decisions to their orders' bytes in the kernel, over a real socket: orders alone, or each with its cancel.
fn decision_to_kernel(product: ProductLine, answer: OrderAnswer) -> u64 {
    let mut handover = Handover::open(product, answer).expect("the gateway trades");
    let is_request = |handover: &mut Handover, method: &str| {
        let request = String::from_utf8(handover.finish_order().expect("answered")).expect("text");
        assert!(request.contains(&format!("\"method\":\"{method}\"")), "{request}");
    };
    let mut calls = 0;
    // The first orders may size buffers; behind them masking keys are drawn several times.
    for round in 0..3_000 {
        let mut called = count(|| handover.place().expect("sent"));
        is_request(&mut handover, "order.place");
        if answer == OrderAnswer::Accept {
            called += count(|| handover.cancel().expect("sent"));
            is_request(&mut handover, "order.cancel");
        }
        calls += if round < 500 { 0 } else { called };
    }
    calls
}

#[test]
fn records_and_orders_call_no_malloc() {
    for shape in Shape::ALL {
        let recording = Workload::synthetic(shape, 60, 500, 4);
        let (calls, sent) = socket_to_order(&recording);
        println!("{}: {sent} orders and cancels, {calls} calls", recording.name);
        assert!(sent > 0, "{}: orders left", recording.name);
        assert_eq!(calls, 0, "{}", recording.name);
    }
    for (place, (name, _)) in CHAINS.iter().enumerate() {
        match chain(place).expect("the recordings can be read") {
            Some(recording) => {
                let (calls, sent) = socket_to_order(&recording);
                println!("{name}: {sent} orders and cancels, {calls} calls");
                assert_eq!(calls, 0, "{name}");
            }
            None => println!("skipped: no recorded data"),
        }
    }
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
    for product in ProductLine::all() {
        for answer in [OrderAnswer::Refuse, OrderAnswer::Accept] {
            let calls = decision_to_kernel(product, answer);
            assert_eq!(calls, 0, "{}, {answer:?}: from decision to kernel", product.name());
        }
    }
    let ours = [encoding().remove(1), signing().remove(1), sealing().remove(1), whole()];
    for mut step in ours {
        (step.run)();
        let calls = count(|| (0..1_000).fold(0, |sum, _| sum ^ (step.run)()));
        assert_eq!(calls, 0, "{}", step.name);
    }
}
