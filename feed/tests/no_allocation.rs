//! COLD: frames, sequences and the session allocate nothing once warm: a counting allocator says so.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

#[path = "protocol/support.rs"]
mod support;

#[path = "whole/setup.rs"]
#[allow(dead_code, reason = "only the market maker is needed of it")]
mod setup;

use spinbook_engine::types::{Lots, Nanos, Stamp, Tick};
use spinbook_feed::history::player::Markets;
use spinbook_feed::history::recorded_instruments;
use spinbook_feed::net::host::allocations::{CountingAllocator, thread_allocations, thread_frees};
use spinbook_feed::net::hot::kernel_ping::KernelPing;
use spinbook_feed::session::{MarketSession, SessionSettings};
use spinbook_feed::testkit::instrument;
use spinbook_feed::venue::binance;
use spinbook_feed::venue::market::{FRAME_PADDING, FrameBytes};
use spinbook_feed::venue::source::RecordKind;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

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
        session.on_frame(0, FrameBytes::text(&mut buffer, answer.len()), stamp, &mut markets);
        let mut counted = 0;
        for (index, (kind, bytes)) in records.iter().enumerate() {
            buffer[..bytes.len()].copy_from_slice(bytes);
            stamp.wall.0 += 1_000_000;
            let frame = &mut buffer[..bytes.len() + FRAME_PADDING];
            let before = thread_allocations() + thread_frees();
            if *kind == RecordKind::Stream {
                session.on_frame(0, FrameBytes::text(frame, bytes.len()), stamp, &mut markets);
            } else {
                session.on_snapshot(instruments[0].id, frame, bytes.len(), stamp, &mut markets);
            }
            session.on_timer(stamp.wall, &mut markets);
            while session.poll_action().is_some() {}
            if index >= 2_000 {
                counted += (thread_allocations() + thread_frees()) - before;
            }
        }
        assert_eq!(counted, 0, "{names:?}");
        assert_eq!(session.live_count(), 1);
        assert!(session.counters().frames > 10_000 && session.counters().fallback > 100);
    }
}

#[test]
fn a_rehearsal_and_a_pass_over_the_real_memory_allocate_nothing() {
    for product in [binance::SPOT, binance::USDM] {
        let instrument = instrument(product, 0, "BTCUSDT", "0.10", "0.001");
        let bid = Tick(instrument.price.parse(b"60000.00").unwrap());
        let mut rehearsal = setup::rehearsal(product, &instrument, bid, false).unwrap();
        let (engine, ..) = setup::engine(setup::EPOCH, &[(product, &instrument, Lots::ZERO)], false);
        let session = MarketSession::new(product, &[instrument], SessionSettings::of(product)).unwrap();
        let mut ping = KernelPing::new().unwrap();
        let before = thread_allocations() + thread_frees();
        for turn in 0..10_000 {
            assert!(rehearsal.rehearse(setup::START + Nanos(turn * 50_000)));
            engine.warm(instrument.id);
            session.warm(0);
            assert!(ping.turn());
        }
        assert_eq!(thread_allocations() + thread_frees() - before, 0, "{}", product.name());
    }
}
