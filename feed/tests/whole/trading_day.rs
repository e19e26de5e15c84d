//! COLD: the whole engine, its gateway and the exchange in one thread, in virtual time: seeds, faults, invariants.
//!
//! Nothing is replaced: bytes of the real protocol travel between the market session, the engine, the gateway and the
//! simulated exchange, over links that delay and cut. One seed gives one run, bit for bit.

use spinbook_engine::types::Nanos;
use spinbook_feed::sim::faults::{FaultPlan, FrameAction, FrameFaultPlan};
use spinbook_feed::venue::{ProductLine, binance};

use crate::world::{Outcome, World};

const PRODUCTS: [ProductLine; 2] = [binance::SPOT, binance::USDM];

/// What must hold at the end of every run, whatever happened in it.
fn check(name: &str, seed: u64, outcome: &Outcome) {
    let context = format!("{name}, seed {seed}: {outcome:?}");
    assert_eq!(outcome.violations, Vec::<String>::new(), "{context}");
    assert_eq!(outcome.venue_open_orders, 0, "no order is left on the venue: {context}");
    assert_eq!(outcome.engine_open_orders, 0, "the engine believes in no open order: {context}");
    assert_eq!(outcome.unknown, 0, "every outcome is known: {context}");
    assert_eq!(outcome.position, outcome.venue_position, "position: {context}");
    assert_eq!(outcome.cash, outcome.venue_cash, "cash, fees included: {context}");
    assert_eq!(outcome.pauses, 0, "no rate limit of the venue was ever met: {context}");
    assert!(outcome.live_at_end, "the book is Live again at the end: {context}");
}

#[test]
fn ten_seeds_of_both_products_trade_and_agree_with_the_venue() {
    for product in PRODUCTS {
        let mut fills = 0;
        for seed in 1..=10 {
            let outcome = World::new(product, seed, FaultPlan::default()).run(Nanos::from_seconds(8));
            println!("{} seed {seed}: {outcome:?}", product.name());
            check(product.name(), seed, &outcome);
            assert!(outcome.placed > 0 && outcome.accepted > 0, "seed {seed} of {} never traded", product.name());
            assert_eq!(outcome.gaps, 0);
            fills += outcome.fills;
        }
        assert!(fills > 0, "ten seeds without a fill prove nothing about fills");
    }
}

#[test]
fn the_same_seed_is_the_same_run_and_another_is_not() {
    let run = |seed| World::new(binance::USDM, seed, FaultPlan::default()).run(Nanos::from_seconds(4)).trace;
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

#[test]
fn lost_doubled_and_swapped_frames_are_gaps_or_nothing_and_never_a_wrong_book() {
    for product in PRODUCTS {
        let mut gaps = 0;
        for (seed, action) in [(21, FrameAction::Drop), (22, FrameAction::Duplicate), (23, FrameAction::Swap)] {
            let frames = [40, 90, 140].map(|nth| FrameFaultPlan { nth, action, ..frame_fault() });
            let plan = FaultPlan { frames: frames.to_vec(), ..FaultPlan::default() };
            let outcome = World::new(product, seed, plan).run(Nanos::from_seconds(24));
            println!("{} {action:?}: {outcome:?}", product.name());
            check(product.name(), seed, &outcome);
            if action == FrameAction::Duplicate {
                assert_eq!(outcome.gaps, 0, "a doubled frame is dropped");
            } else {
                assert!(outcome.gaps >= 1, "a lost or swapped frame is a gap");
            }
            gaps += outcome.gaps;
        }
        assert!(gaps >= 4);
    }
}

#[test]
fn a_swarm_of_random_frame_faults_never_breaks_an_invariant() {
    let mut gaps = 0;
    for product in PRODUCTS {
        for seed in 31..=34 {
            let world = World::new(product, seed, FaultPlan::default()).disturb(20, 100, Nanos::from_seconds(12));
            let outcome = world.run(Nanos::from_seconds(24));
            gaps += outcome.gaps;
            println!("{} seed {seed}: {outcome:?}", product.name());
            check(product.name(), seed, &outcome);
        }
    }
    assert!(gaps >= 8, "eight disturbed runs without gaps prove nothing: {gaps}");
}

#[test]
fn cut_connections_pull_quotes_and_come_back() {
    for product in PRODUCTS {
        for seed in 41..=44 {
            let mut world = World::new(product, seed, FaultPlan::default());
            world.cut_market_at(Nanos::from_seconds(3));
            world.cut_orders_at(Nanos::from_seconds(5));
            let outcome = world.run(Nanos::from_seconds(20));
            println!("{} seed {seed}: {outcome:?}", product.name());
            check(product.name(), seed, &outcome);
            assert!(outcome.reconnects >= 1, "seed {seed}: the session reconnected");
        }
    }
}

fn frame_fault() -> FrameFaultPlan {
    serde_json::from_str(r#"{"nth":1,"action":"drop"}"#).unwrap()
}
