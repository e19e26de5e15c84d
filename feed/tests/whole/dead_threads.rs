//! COLD: the oracle over threads that hang or die, and over a process that vanishes, with the order link well or not.

use spinbook_engine::types::Nanos;
use spinbook_feed::backtest::{BacktestLink, LinkFault, LinkTrouble, Stall, StalledSide};
use spinbook_feed::sim::fault_plan::FaultPlan;
use spinbook_feed::venue::{ProductLine, binance};

use crate::world::World;

/// What is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dead {
    /// The hot thread: the control thread lets the I/O thread cancel everything.
    Hot,
    /// The I/O thread: the control thread cancels everything over REST.
    Io,
    /// Both, as when the process is frozen: the guard cancels everything over REST.
    Both,
    /// The process: the guard does.
    Gone,
}

/// When it dies: the engine has quoted for a while.
const DIES: Nanos = Nanos::from_seconds(20);
/// A hang, where cores are shared, and how long the guard waits for a sign of life.
const HANG: Nanos = Nanos::from_seconds(2);
/// How often control thread and guard look, and ask again while anything is open.
const LOOK: Nanos = Nanos::from_millis(500);
/// The order link fails from before the death until long after it.
const LINK_FAILS: Nanos = Nanos::from_millis(500);
const LINK_HEALS: Nanos = Nanos::from_seconds(15);

/// Orders that were open when it died; what was wrong then.
fn run(product: ProductLine, dead: Dead, link: Option<LinkTrouble>) -> (usize, Vec<String>) {
    let mut world = World::unhurried(product, 5, &FaultPlan::default(), None);
    let until = DIES + Nanos::from_seconds(3_600);
    let sides: &[StalledSide] = match dead {
        Dead::Hot => &[StalledSide::Hot],
        Dead::Io => &[StalledSide::Io],
        Dead::Both => &[StalledSide::Hot, StalledSide::Io],
        Dead::Gone => &[],
    };
    for side in sides {
        world.add_stall(Stall { side: *side, from: DIES, until });
    }
    if let Some(trouble) = link {
        let (from, until) = (DIES - LINK_FAILS, DIES + LINK_HEALS);
        world.add_fault(LinkFault { venue: 0, link: BacktestLink::Orders, trouble, from, until });
    }
    world.backtest.start();
    world.backtest.run_for(DIES);
    let open = world.backtest.state().venues[0].exchange.open_order_count();
    if dead == Dead::Gone {
        world.vanish();
    }
    world.backtest.run_for(HANG + LOOK);
    if dead == Dead::Hot {
        world.backtest.cancel_all();
    }
    for _ in 0..60 {
        if dead != Dead::Hot && world.backtest.state().venues[0].exchange.open_order_count() > 0 {
            world.cancel_over_rest(0);
        }
        world.backtest.run_for(LOOK);
    }
    let mut wrong: Vec<String> = world.backtest.observer().oracle.stale.values().map(ToString::to_string).collect();
    let left = world.backtest.state().venues[0].exchange.open_order_count();
    if left > 0 {
        wrong.push(format!("{left} orders are left"));
    }
    (open, wrong)
}

#[test]
fn nothing_outlives_a_thread_or_the_process_whether_the_order_link_is_well_or_not() {
    let links = [None, Some(LinkTrouble::Down), Some(LinkTrouble::BlackHole), Some(LinkTrouble::HalfOpen)];
    let mut found = Vec::new();
    let mut with_orders = 0;
    for product in binance::PRODUCT_LINES {
        for dead in [Dead::Hot, Dead::Io, Dead::Both, Dead::Gone] {
            for link in links {
                let (open, wrong) = run(product, dead, link);
                with_orders += usize::from(open > 0);
                if !wrong.is_empty() {
                    found.push(format!("{} {dead:?} {link:?}: {}", product.name(), wrong.join("; ")));
                }
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
    assert!(with_orders >= 24, "only {with_orders} of 32 had orders open");
}

#[test]
fn without_control_thread_and_guard_orders_would_stay() {
    let mut world = World::unhurried(binance::SPOT, 5, &FaultPlan::default(), None);
    world.backtest.start();
    world.backtest.run_for(DIES);
    world.vanish();
    world.backtest.run_for(Nanos::from_seconds(10));
    assert!(!world.backtest.observer().oracle.stale.is_empty(), "the check cannot see anything");
}
