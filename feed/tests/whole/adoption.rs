//! COLD: processes that are killed and go on with what they left, in virtual time: every order and every fill is accounted
//! for, and nothing stays on the book without its reason.

use spinbook_engine::risk::TradingState;
use spinbook_engine::types::{InstrumentId, Nanos};
use spinbook_feed::backtest::{BacktestLink, Delay, LinkFault, LinkTrouble};
use spinbook_feed::sim::fault_plan::{FaultPlan, RandomUserData};
use spinbook_feed::venue::binance;

use crate::world::World;

/// Seeds of each product line and kind of trouble.
const SEEDS: u64 = 6;

fn seconds(count: i64) -> Nanos {
    Nanos::from_seconds(count)
}

#[test]
fn a_process_that_goes_on_with_what_it_left_loses_no_order_and_no_fill() {
    // User data that comes late, twice, or not at all, while the orders are taken over and after.
    let troubled = RandomUserData {
        until_ms: Some(70_000),
        drop_millionths: 50_000,
        duplicate_millionths: 200_000,
        delay_millionths: 300_000,
        delay_ms_max: 1_500,
    };
    for product in binance::PRODUCT_LINES {
        let (mut adopted, mut given_up, mut fills) = (0, 0, 0);
        for seed in 0..2 * SEEDS {
            let random_user_data = (seed % 2 == 1).then_some(troubled);
            let plan = FaultPlan { seed, random_user_data, ..FaultPlan::default() };
            let mut world = World::unhurried(product, seed, &plan, None);
            world.backtest.start();
            for crash in 0..3 {
                world.backtest.run_for(seconds(12 + crash));
                // Now before, now after an order of it can still be accepted.
                world.crash_and_adopt(seconds(2 + crash));
                world.backtest.run_for(seconds(8));
                let counters = world.backtest.state().venues[0].gateway.counters();
                adopted += counters.orders_adopted;
                given_up += counters.adoptions_given_up;
            }
            world.backtest.run_for(seconds(30));
            let outcome = world.finish();
            fills += outcome.fills;
            assert!(outcome.wrong().is_empty(), "{product:?}, seed {seed}: {:#?}", outcome.wrong());
        }
        println!("{product:?}: {adopted} orders taken over, {given_up} times given up, {fills} fills");
        assert!(adopted > 2 * SEEDS && fills > SEEDS, "{product:?}: {adopted} taken over, {fills} fills");
    }
}

#[test]
fn a_process_that_starts_before_its_leftovers_are_cancelled_books_what_was_filled_of_them_and_trades_on() {
    for product in binance::PRODUCT_LINES {
        let (mut between, mut fills) = (0, 0);
        for seed in 0..3 * SEEDS {
            let plan = FaultPlan { seed, ..FaultPlan::default() };
            let mut world = World::unhurried(product, 300 + seed, &plan, None);
            world.backtest.start();
            for crash in 0..3 {
                world.backtest.run_for(seconds(10 + crash));
                // So slow that the sweep is late for some.
                let (from, until) = (world.since_start(), world.since_start() + seconds(6));
                let trouble =
                    LinkTrouble::Slow(Delay { shortest: Nanos::from_millis(100), longest: Nanos::from_millis(300) });
                for link in [BacktestLink::Orders, BacktestLink::UserData] {
                    world.add_fault(LinkFault { venue: 0, link, trouble, from, until });
                }
                world.crash_and_leave(seconds(2));
                world.backtest.run_for(seconds(15));
                let engine = &world.backtest.state().engine;
                let (state, cause) = (engine.trading_state(), engine.stop_cause(InstrumentId(0)));
                assert_eq!(state, TradingState::Active, "{product:?}, seed {seed}: {cause:?}");
                between += world.backtest.state().venues[0].gateway.table_counters().third_party_fills;
            }
            world.backtest.run_for(seconds(30));
            let outcome = world.finish();
            fills += outcome.fills;
            assert!(outcome.wrong().is_empty(), "{product:?}, seed {seed}: {:#?}", outcome.wrong());
        }
        println!("{product:?}: {between} of {fills} fills were of orders of the run before");
        assert!(between > 0, "{product:?}: {between} of {fills}");
    }
}
