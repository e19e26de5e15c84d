//! COLD: proves that a market and a ring, once set up, neither allocate nor free, whatever comes.
#![allow(unsafe_code)]
#![allow(clippy::disallowed_macros, clippy::disallowed_methods)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use spinbook_engine::counters::Counter;
use spinbook_engine::event::{ExecutionEvent, ExecutionKind, MarketEvent, MarketKind, MarketReply};
use spinbook_engine::market::Market;
use spinbook_engine::ring;
use spinbook_engine::setup::{self, BookSettings};
use spinbook_engine::types::{Level, Lots, Side, TradeId};

#[path = "engine/common.rs"]
mod common;
#[path = "engine/rig.rs"]
mod rig;
use common::{Random, level, seed_from};

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, which counts what this thread asks of it.
struct Counting;

// SAFETY: every call is handed on to the system's allocator unchanged; the counter is a plain thread-local cell
// without a destructor, so that counting allocates nothing itself.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.with(|calls| calls.set(calls.get() + 1));
        // SAFETY: the caller's promise about `layout` is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        CALLS.with(|calls| calls.set(calls.get() + 1));
        // SAFETY: the caller's promise about `pointer` and `layout` is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_warm_market_and_ring_allocate_nothing() {
    let seed = seed_from("SPINBOOK_SEED");
    println!("seed {seed}");
    let mut random = Random::new(seed);
    let mut market = Market::new(setup::book(&BookSettings { outer_levels: 600 }));
    let (mut producer, mut consumer) = ring::channel::<Level>(64);
    let (mut bids, mut asks) = ([Level::default(); 40], [Level::default(); 40]);
    let mut resyncs = 0;
    let mut moved = 0_i128;
    let mut touch = 5_000_000;
    let before = CALLS.with(Cell::get);
    for sequence in 1..20_000_u64 {
        // A market that wanders through many windows, is crossed now and then and overflows its far store.
        touch = (touch + random.signed(4_000)).clamp(3_000_000, 9_000_000);
        for (index, (bid, ask)) in bids.iter_mut().zip(&mut asks).enumerate() {
            let distance = random.below(1 << (4 + index % 18)) as i64;
            *bid = level(touch - distance, random.below(3) as i64 * 50);
            *ask = level(20_000_000 - touch + distance, random.below(3) as i64 * 50);
        }
        if random.below(400) == 0 {
            bids[0] = level(40_000_000, 1);
        }
        let live = market.book().is_live();
        let kind = match random.below(10) {
            _ if !live => MarketKind::Snapshot,
            0 => MarketKind::Touch,
            1 => MarketKind::Trade,
            _ => MarketKind::Delta,
        };
        let event = MarketEvent { kind, sequence, ..MarketEvent::default() };
        resyncs += u64::from(market.on_event(&event, &bids, &asks) != MarketReply::Ok);
        let own = [bids[0], bids[1]];
        moved += market.book().depth_net(Side::Bid, 20, &own) + market.book().imbalance(10).1;
        moved += market.book().vwap(Side::Ask, Lots(500)).map_or(0, |price| price.floor());
        if let Some(reference) = market.reference().and_then(|touch| touch.bid) {
            while producer.push(reference).is_err() {
                moved += consumer.pop().map_or(0, |popped| i128::from(popped.lots.0));
            }
        }
    }
    let calls = CALLS.with(Cell::get) - before;
    let counters = *market.counters();
    println!("{resyncs} resyncs, {moved}, {counters:?}");
    assert_eq!(calls, 0, "seed {seed}");
    assert!(resyncs > 10 && counters.outer_full > 0 && counters.crossed > 0, "the stream must be hard: {counters:?}");
}

#[test]
fn a_warm_engine_decides_and_trades_without_allocating() {
    let seed = seed_from("SPINBOOK_SEED");
    println!("seed {seed}");
    let mut random = Random::new(seed);
    let mut rig = rig::Plan::new()
        .spread(|spread| {
            spread.levels = 3;
            spread.imbalance_levels = 10;
            spread.imbalance_net_of_own = true;
        })
        // So many fills one way in ten seconds would stop it.
        .quoter(|quoter| quoter.fills_span = rig::ms(1))
        .build()
        .ready();
    let (mut bids, mut asks) = ([Level::default(); 20], [Level::default(); 20]);
    let (mut mid, mut trade) = (100_000, 0);
    let before = CALLS.with(Cell::get);
    for _ in 0..20_000 {
        rig.now = rig.now + rig::ms(random.below(20) as i64);
        mid += random.signed(40);
        for (index, (bid, ask)) in bids.iter_mut().zip(&mut asks).enumerate() {
            *bid = level(mid - 1 - index as i64, 1 + random.below(90) as i64);
            *ask = level(mid + 1 + index as i64, 1 + random.below(90) as i64);
        }
        let kind = if random.below(50) == 0 { MarketKind::Lost } else { MarketKind::Snapshot };
        let event = rig.event(rig::FIRST, kind);
        let quiet = random.below(5) == 0;
        let now = rig.now;
        let _ = match quiet {
            true => rig.engine.on_market_quiet(&event, &bids, &asks, now),
            false => rig.engine.on_market(&event, &bids, &asks, now),
        };
        while let Some(intent) = rig.cancels.pop() {
            rig.engine.on_execution(&rig::about(&intent, ExecutionKind::Canceled), now);
        }
        while let Some(intent) = rig.orders.pop() {
            let kind = match random.below(10) {
                0 => ExecutionKind::Rejected,
                1 => ExecutionKind::Filled,
                _ => ExecutionKind::Accepted,
            };
            trade += 1;
            let fill = ExecutionEvent {
                trade: TradeId(trade),
                tick: intent.tick,
                lots: intent.lots,
                lots_cumulative: intent.lots,
                overtaken: true,
                ..rig::about(&intent, kind)
            };
            rig.engine.on_execution(&fill, now);
        }
        rig.engine.on_timer(now);
    }
    assert_eq!(CALLS.with(Cell::get) - before, 0);
    let count = |counter| rig.engine.counters().value(counter);
    assert!(count(Counter::PlacesSent) > 1_000 && count(Counter::CancelsSent) > 1_000 && count(Counter::Fills) > 100);
}
