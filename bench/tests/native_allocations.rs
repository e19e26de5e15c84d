//! COLD: receiving and sending call no malloc, in Rust or in C: the C library's entry points are counted.
#![cfg(all(target_os = "linux", target_env = "gnu"))]
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use spinbook_bench::pipeline::{Ours, Pipeline};
use spinbook_bench::receive::{LAYOUTS, MESSAGE_BYTES_MAX, lines, server_frame};
use spinbook_bench::send::{encoding, orders, sealing, signing, whole};
use spinbook_bench::synthetic::Shape;
use spinbook_bench::tls::{Endpoints, take};
use spinbook_bench::wire::handover::Handover;
use spinbook_bench::workload::{CHAINS, LineKind, Recording};
use spinbook_engine::intent::IntentKind;
use spinbook_engine::types::{OrderId, Stamp};
use spinbook_feed::frame_buffer::FrameBuffer;
use spinbook_feed::record::{Opened, PlaintextBuffer};
use spinbook_feed::venue::binance::Product;
use spinbook_feed::venue::binance::decode::ScannerChoice;
use spinbook_feed::venue::orders::{NewOrder, OrderName, OrderSide, Request, RequestId};
use spinbook_feed::websocket::{Message, MessageReader, Opcode};

static COUNTING: AtomicBool = AtomicBool::new(false);
static CALLS: AtomicU64 = AtomicU64::new(0);

// SAFETY: the C library's own entry points, with the types that it documents for those without the prefix.
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
    let before = CALLS.load(Ordering::Relaxed);
    COUNTING.store(true, Ordering::Relaxed);
    core::hint::black_box(work());
    COUNTING.store(false, Ordering::Relaxed);
    CALLS.load(Ordering::Relaxed) - before
}

/// Sealed frames of a recording in, sealed orders out; gives back the calls once the book is live, and the orders.
fn socket_to_order(recording: &Recording) -> (u64, u64) {
    let (mut layer, mut server) = Endpoints::new().ours();
    let mut plaintext = PlaintextBuffer::new(MESSAGE_BYTES_MAX);
    let mut reader = MessageReader::new(MESSAGE_BYTES_MAX);
    let mut ours = Ours::new(recording, ScannerChoice::Best);
    let (mut side, _) = orders(recording.product);
    side.prepare(&[recording.instrument]);
    let (mut frame, mut buffer) = (FrameBuffer::new(), recording.frames.buffer());
    let (mut calls, mut sent, mut live, mut wire) = (0, 0, false, Vec::new());
    for (line, kind) in recording.kinds.iter().enumerate() {
        let now = recording.received[line];
        let stamp = Stamp { wall: now, tsc: 0 };
        match kind {
            LineKind::Other => continue,
            LineKind::Snapshot => {
                let length = recording.frames.copy_to(line, &mut buffer);
                ours.snapshot(&mut buffer, length, stamp);
                live = true;
                continue;
            }
            _ => {}
        }
        wire.clear();
        server.writer().write_all(&server_frame(recording.frames.frame(line))).expect("memory takes all");
        take(&mut server, &mut wire);
        let called = count(|| {
            layer.receive_space()[..wire.len()].copy_from_slice(&wire);
            layer.received(wire.len());
            while layer.open_next(&mut plaintext).expect("the server's record") != Opened::NeedMore {
                while let Some(message) = reader.next(&mut plaintext).expect("a sound frame") {
                    if let Message::Text { padded, length } = message {
                        ours.frame(padded, length, stamp);
                    }
                }
            }
            ours.trader().answer(now, |intent| {
                sent += 1;
                let instrument = &recording.instrument;
                let request = match intent.kind {
                    IntentKind::Cancel => {
                        Request::Cancel(OrderName { instrument, order: intent.order, venue_order: 0 })
                    }
                    _ => Request::Place(NewOrder {
                        instrument,
                        order: if intent.order == OrderId::NONE { OrderId::new(1, 1) } else { intent.order },
                        side: intent.side,
                        tick: intent.tick,
                        lots: intent.lots,
                        time_in_force: intent.time_in_force,
                    }),
                };
                let length = side
                    .encode_prepared(RequestId(sent), &request, now, frame.payload())
                    .expect("the instrument was prepared");
                let record = frame.seal(&mut layer, Opcode::Text, length, [1, 2, 3, 4]);
                core::hint::black_box(record.expect("a small record"));
            });
        });
        if live {
            calls += called;
        }
    }
    (calls, sent)
}

/// Calls from decisions to their orders' bytes in the kernel, over a real socket.
fn decision_to_kernel(product: Product) -> u64 {
    let mut handover = Handover::open(product).expect("the gateway trades");
    let mut calls = 0;
    // The first orders may size buffers; behind them masking keys are drawn several times.
    for round in 0..1_500 {
        let called = count(|| handover.send().expect("sent"));
        calls += if round < 300 { 0 } else { called };
        handover.settle().expect("refused");
    }
    calls
}

/// One test, because the counter sees the whole process.
#[test]
fn records_and_orders_call_no_malloc() {
    for shape in Shape::ALL {
        let recording = Recording::synthetic(shape, 60, 500, 4);
        let (calls, sent) = socket_to_order(&recording);
        println!("{}: {sent} orders and cancels, {calls} calls", recording.name);
        assert!(sent > 0, "{}: orders left", recording.name);
        assert_eq!(calls, 0, "{}", recording.name);
    }
    for (place, (name, _)) in CHAINS.iter().enumerate() {
        match Recording::chain(place).expect("the recordings can be read") {
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
    for product in Product::ALL {
        assert_eq!(decision_to_kernel(product), 0, "{}, from decision to kernel", product.name());
    }
    let ours = [encoding().remove(1), signing().remove(1), sealing().remove(1), whole()];
    for mut step in ours {
        (step.run)();
        let calls = count(|| (0..1_000).fold(0, |sum, _| sum ^ (step.run)()));
        assert_eq!(calls, 0, "{}", step.name);
    }
}
