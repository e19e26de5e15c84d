//! COLD: frames, sequences and the session allocate nothing once warm: a counting allocator says so.
#![allow(unsafe_code, clippy::unwrap_used, reason = "the counting allocator; a test may fail")]

#[path = "protocol/support/mod.rs"]
mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use spinbook_engine::types::Stamp;
use spinbook_feed::history::player::Markets;
use spinbook_feed::history::{RecordKind, recorded_instruments};
use spinbook_feed::session::{MarketSession, SessionSettings};
use spinbook_feed::venue::market::FRAME_PADDING;

struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn a_warm_session_allocates_and_frees_nothing() {
    for names in [support::USDM_2024, support::SPOT_2024] {
        let Some(files) = support::recorded(&names) else { return };
        let (product, instruments) = recorded_instruments(&files, None).unwrap();
        let mut session = MarketSession::new(product, &instruments, SessionSettings::of(product)).unwrap();
        let mut markets = Markets::new(&instruments);
        let records = support::records(&files, 20_000);
        let mut buffer = vec![0u8; 1 << 20];
        let mut stamp = Stamp::default();
        session.start(stamp.wall);
        session.on_open(0, stamp.wall);
        let answer = b"{\"result\":null,\"id\":1}";
        buffer[..answer.len()].copy_from_slice(answer);
        session.on_frame(0, &mut buffer[..answer.len() + FRAME_PADDING], answer.len(), stamp, &mut markets);
        let mut counted = 0;
        for (index, (kind, bytes)) in records.iter().enumerate() {
            buffer[..bytes.len()].copy_from_slice(bytes);
            stamp.wall.0 += 1_000_000;
            let frame = &mut buffer[..bytes.len() + FRAME_PADDING];
            let before = COUNT.with(Cell::get);
            if *kind == RecordKind::Stream {
                session.on_frame(0, frame, bytes.len(), stamp, &mut markets);
            } else {
                session.on_snapshot(instruments[0].id, frame, bytes.len(), stamp, &mut markets);
            }
            session.on_timer(stamp.wall, &mut markets);
            while session.poll_action().is_some() {}
            if index >= 2_000 {
                counted += COUNT.with(Cell::get) - before;
            }
        }
        assert_eq!(counted, 0, "{names:?}");
        assert_eq!(session.live_count(), 1);
        assert!(session.counters().frames > 10_000 && session.counters().fallback > 100);
    }
}
