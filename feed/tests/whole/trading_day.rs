//! COLD: the whole engine, its gateway and the exchange in one thread, in virtual time: seeds, faults, invariants.
//!
//! Nothing is replaced: bytes of the real protocol travel between the market session, the engine, the gateway and the
//! simulated exchange, over links that delay and cut. One seed gives one run, bit for bit.

use spinbook_engine::types::{InstrumentId, Nanos, Side};
use spinbook_feed::gateway::orders::OrderCounts;
use spinbook_feed::sim::fault_plan::{FaultPlan, FrameAction, FrameFaultPlan, RandomFrames};
use spinbook_feed::venue::{ProductLine, binance};

use crate::judge::Outcome;
use crate::setup;
use crate::world::World;

const PRODUCTS: [ProductLine; 2] = [binance::SPOT, binance::USDM];

/// What must hold at the end of every run, whatever happened in it.
fn check(name: &str, seed: u64, outcome: &Outcome) {
    let context = format!("{name}, seed {seed}: {outcome:?}");
    assert_eq!(outcome.violations, Vec::<String>::new(), "{context}");
    assert_eq!(outcome.engine_open_orders, 0, "the engine believes in no open order: {context}");
    // What was counted by state is what the engine was told, event by event.
    let counted = |pick: fn(&OrderCounts) -> u64| outcome.venues.iter().map(|venue| pick(&venue.orders)).sum::<u64>();
    assert_eq!(counted(|orders| orders.canceled), outcome.canceled, "{context}");
    assert_eq!(counted(|orders| orders.expired), outcome.expired, "{context}");
    assert_eq!(counted(|orders| orders.rejected), outcome.rejected, "{context}");
    assert!(counted(|orders| orders.sent) <= outcome.placed, "{context}");
    for venue in &outcome.venues {
        assert_eq!(venue.open_orders, 0, "no order is left on the venue: {context}");
        assert_eq!((venue.orders.unknown, venue.orders.open), (0, 0), "every outcome is known: {context}");
        assert_eq!(venue.orders.sent, venue.orders.in_all_states(), "each order is in one state: {context}");
        assert!(venue.quiet, "no request of the gateway waits for its answer: {context}");
        assert_eq!(venue.position, venue.venue_position, "position: {context}");
        assert_eq!(venue.cash, venue.venue_cash, "cash, fees included: {context}");
        assert_eq!(venue.pauses, 0, "no rate limit of the venue was ever met: {context}");
        assert!(venue.live_at_end, "the book is Live again at the end: {context}");
    }
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
            let random = RandomFrames { drop_millionths: 20_000, duplicate_millionths: 100_000, ..until(12) };
            let plan = FaultPlan { seed, random_frames: Some(random), ..FaultPlan::default() };
            let world = World::new(product, seed, plan);
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
            world.backtest.cut_market_at(0, Nanos::from_seconds(3));
            world.backtest.cut_orders_at(0, Nanos::from_seconds(5));
            let outcome = world.run(Nanos::from_seconds(20));
            println!("{} seed {seed}: {outcome:?}", product.name());
            check(product.name(), seed, &outcome);
            assert!(outcome.reconnects >= 1, "seed {seed}: the session reconnected");
        }
    }
}

/// Random faults end here, so that everything can come to rest.
fn until(seconds: u64) -> RandomFrames {
    RandomFrames { until_ms: Some(seconds * 1_000), ..RandomFrames::default() }
}

/// Our orders of a venue that may be alive.
fn working(world: &World, place: u16) -> i64 {
    let working = world.backtest.state().engine.working(InstrumentId(place));
    Side::BOTH.iter().map(|side| working.lots_worst(*side).0).sum()
}

#[test]
fn one_engine_trades_on_two_venues_and_losing_the_orders_of_one_leaves_the_other_quoting() {
    const SPOT: u16 = 0;
    const USDM: u16 = 1;
    let mut fills = [0, 0];
    for seed in 51..=56 {
        let mut world = World::of(&PRODUCTS, seed, &FaultPlan::default());
        world.backtest.start();
        world.backtest.run_for(Nanos::from_seconds(3));
        // A moment at which both have quotes, so that there is something to lose and something to keep.
        while working(&world, SPOT) == 0 || working(&world, USDM) == 0 {
            world.backtest.run_for(Nanos::from_millis(10));
        }
        let canceled = |world: &World, place| world.backtest.observer().cancels.get(&InstrumentId(place)).copied();
        let canceled_before = canceled(&world, SPOT);
        let is_ready = |world: &World, place: u16| {
            let state = world.backtest.state();
            let product = PRODUCTS[usize::from(place)];
            (state.venues[usize::from(place)].gateway.is_ready(), state.engine.is_ready(product.venue_id()))
        };
        assert_eq!((is_ready(&world, SPOT), is_ready(&world, USDM)), ((true, true), (true, true)));
        let since_start = world.backtest.state().now - setup::START;
        world.backtest.cut_orders_at(usize::from(USDM), since_start + Nanos(1));
        world.backtest.run_for(Nanos::from_millis(1));
        assert_eq!(is_ready(&world, SPOT), (true, true), "seed {seed}: the other venue is not concerned");
        assert_eq!(is_ready(&world, USDM), (false, false), "seed {seed}: the engine knows");
        assert!(working(&world, SPOT) > 0, "seed {seed}: the quotes on the other venue stay");
        assert_eq!(canceled(&world, SPOT), canceled_before, "seed {seed}: and none of them was asked to go");
        world.backtest.run_for(Nanos::from_seconds(12));
        assert_eq!((is_ready(&world, SPOT), is_ready(&world, USDM)), ((true, true), (true, true)), "seed {seed}");
        // Its own orders move the best bid and ask, so there are moments between a cancel and the next quote.
        let quotes = (0..200).any(|_| {
            world.backtest.run_for(Nanos::from_millis(10));
            working(&world, USDM) > 0
        });
        assert!(quotes, "seed {seed}: it quotes on both again");
        let outcome = world.finish();
        println!("both venues, seed {seed}: {outcome:?}");
        check("both venues", seed, &outcome);
        assert!(outcome.reconnects >= 1 && outcome.venues.len() == 2);
        fills = [fills[0] + outcome.venues[0].fills, fills[1] + outcome.venues[1].fills];
    }
    assert!(fills[0] > 0 && fills[1] > 0, "six runs without a fill on one venue prove nothing about it: {fills:?}");
}

fn frame_fault() -> FrameFaultPlan {
    serde_json::from_str(r#"{"nth":1,"action":"drop"}"#).unwrap()
}
