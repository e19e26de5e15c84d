//! COLD: the oracle over threads that hang or die, and over a process that vanishes, with the order link well or not.

use spinbook_engine::types::Nanos;
use spinbook_feed::backtest::{BacktestLink, LinkFault, LinkTrouble, Stall, StalledSide};
use spinbook_feed::sim::fault_plan::FaultPlan;
use spinbook_feed::supervision::heartbeats::TradingThread;
use spinbook_feed::supervision::vigil::Alarm;
use spinbook_feed::venue::{ProductLine, binance};

use crate::watchers::Watchers;
use crate::world::World;

/// What is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dead {
    /// The hot thread: the control thread lets the I/O thread cancel everything.
    Hot,
    /// The I/O thread: the control thread cancels everything over REST.
    Io,
    /// The whole process is frozen: the guard cancels everything over REST.
    Both,
    /// The process: the guard does.
    Gone,
}

impl Dead {
    /// Until when at the latest, after its death, whoever sees to it has begun, with the pace of his looks.
    fn noticed_after(self) -> Nanos {
        Nanos::from_millis(match self {
            // A hang where cores are shared, from the last turn that was seen to the look that finds it.
            Dead::Hot | Dead::Io => 2_020,
            Dead::Both => 2_100,
            // Three looks of the guard.
            Dead::Gone => 200,
        })
    }
}

/// When it dies: the engine has quoted for a while.
const DIES: Nanos = Nanos::from_seconds(20);
/// How long it is watched after that.
const WATCHED: Nanos = Nanos::from_seconds(30);
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
    let mut watchers = Watchers::new();
    world.backtest.start();
    watchers.run(&mut world, DIES);
    let mut wrong = Vec::new();
    if (watchers.hung, watchers.alarm) != (None, None) {
        wrong.push(format!("a healthy run was not left alone: {:?} {:?}", watchers.hung, watchers.alarm));
    }
    let open = world.open_at_venue();
    if dead == Dead::Gone {
        world.vanish();
    }
    (watchers.is_frozen, watchers.is_gone) = (dead == Dead::Both, dead == Dead::Gone);
    watchers.run(&mut world, WATCHED);
    let (hung, alarm) = (watchers.hung, watchers.alarm);
    let noticed = match dead {
        Dead::Hot => hung.filter(|(thread, _)| *thread == TradingThread::Hot).map(|(_, at)| at),
        Dead::Io => hung.filter(|(thread, _)| *thread == TradingThread::Io).map(|(_, at)| at),
        Dead::Both => alarm.filter(|(alarm, _)| matches!(alarm, Alarm::Silent(_))).map(|(_, at)| at),
        Dead::Gone => alarm.filter(|(alarm, _)| *alarm == Alarm::Vanished).map(|(_, at)| at),
    };
    if noticed.is_none_or(|at| at - DIES > dead.noticed_after()) {
        wrong.push(format!("noticed {:?} after its death: {hung:?} {alarm:?}", noticed.map(|at| at - DIES)));
    }
    // Over REST nothing waits for the order link: orders go in the round that follows, and one that was on its way in the next.
    let rest_within = dead.noticed_after() + Nanos::from_millis(1_100);
    if dead != Dead::Hot && watchers.last_open > DIES + rest_within {
        wrong.push(format!("orders were open until {} ms after its death", (watchers.last_open - DIES).millis()));
    }
    wrong.extend(world.backtest.observer().oracle.stale.values().map(ToString::to_string));
    let left = world.open_at_venue();
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

/// Two stalls that are shorter than a hang, one after the other, on one thread and then on the other.
#[test]
fn threads_that_only_stumble_are_left_alone() {
    let mut world = World::unhurried(binance::USDM, 5, &FaultPlan::default(), None);
    for (at, side) in [(10, StalledSide::Hot), (12, StalledSide::Hot), (15, StalledSide::Io), (18, StalledSide::Io)] {
        let from = Nanos::from_seconds(at);
        world.add_stall(Stall { side, from, until: from + Nanos::from_millis(1_900) });
    }
    let mut watchers = Watchers::new();
    world.backtest.start();
    watchers.run(&mut world, Nanos::from_seconds(30));
    assert_eq!((watchers.hung, watchers.alarm), (None, None));
    assert!(world.backtest.state().venues[0].gateway.is_ready(), "it trades on");
}
