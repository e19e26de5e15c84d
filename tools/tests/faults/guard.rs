//! COLD: an engine that freezes or vanishes: the guard cancels everything, has it confirmed, and latches the folder.

use std::fs;
use std::process::Command;

use crate::desk::Desk;
use crate::rig::{Exchange, Running, Setup, number, settled, signal};

/// The guard over the engine of a setup.
pub fn guard(setup: &Setup, arguments: &[&str]) -> Running {
    let like = setup.command(&[]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_spinbook-guard"));
    for (name, value) in like.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let folder = like.get_current_dir().expect("the rig sets it");
    command.current_dir(folder).args(["-c", "run.toml", "--json"]).args(arguments);
    Running::start(command)
}

const CONFIRMED: &str = "the venue confirmed that nothing is open";

#[test]
fn an_engine_that_freezes_or_is_killed_leaves_no_order_behind() {
    let exchanges = [Exchange::start(""), Exchange::spot("")];
    let setups = exchanges.each_ref().map(Setup::on);
    let mut guards = setups.each_ref().map(|setup| guard(setup, &[]));
    guards.iter_mut().for_each(|guard| guard.wait_for("watching over"));
    let mut engines = setups.each_ref().map(Setup::start_live);
    engines.iter_mut().for_each(Running::until_quotes);
    let [frozen, mut killed] = engines;
    signal(frozen.id(), "STOP");
    killed.kill();
    let [mut first, second] = guards;
    first.wait_for(CONFIRMED);
    first.wait_for("the engine has not moved for 2");
    first.wait_for("the engine's process is still there");
    let ended = second.end();
    let object = ended.says(4, &["the engine is gone", CONFIRMED]).object();
    assert_eq!((&object["confirmed"], number(&object, "/open_orders")), (&true.into(), 0), "{object}");
    // The one that wakes up finds that it was killed, and leaves in order.
    signal(frozen.id(), "CONT");
    let ended = frozen.end();
    assert!(ended.err.contains("spinbook kill: cancelling everything"), "{}", ended.err);
    assert_eq!(number(&ended.object(), "/orders/open_at_exit"), 0);
    first.end().says(4, &[CONFIRMED]);
    for setup in &setups {
        setup.live().says(2, &["trading was halted by `spinbook kill`"]);
    }
}

#[test]
fn an_engine_that_ends_in_order_needs_no_guard() {
    let exchange = Exchange::start("");
    let setup = Setup::on(&exchange);
    let mut guard = guard(&setup, &[]);
    guard.wait_for("watching over");
    let mut run = setup.start_live();
    run.until_quotes();
    settled(&run.interrupted());
    // Two looks later it has seen that nobody is there.
    std::thread::sleep(std::time::Duration::from_millis(300));
    guard.interrupted().says(130, &[]);
    assert!(!setup.path("state/kill").exists() && !setup.path("state/trading").exists());
}

#[test]
fn what_a_crash_left_is_cancelled_after_the_stop() {
    let exchange = Exchange::start("");
    let setup = Setup::on(&exchange);
    let nothing = guard(&setup, &["--after-stop"]).end();
    assert!(nothing.says(0, &[]).object()["alarm"].is_null());
    let mut run = setup.start_live();
    run.until_quotes();
    run.kill();
    guard(&setup, &["--after-stop"]).end().says(4, &["cancelling everything", CONFIRMED]);
    guard(&setup, &["--after-stop"]).end().says(0, &[]);
}

#[test]
fn where_the_venue_has_a_timer_it_cancels_what_a_killed_engine_left() {
    let exchanges = [Exchange::start(""), Exchange::start("")];
    let setups = exchanges.each_ref().map(Setup::on);
    let live = ["run", "-c", "run.toml", "--mode", "live", "--account", "sim0", "--json"];
    // Far from the touch: the market must not fill them before anybody has looked.
    let far = ["strategy.spread_bps=90", "strategy.refresh_tolerance_bps=40", "strategy.imbalance_widening=1"];
    let far = far.map(|set| ["--set", set]).concat();
    let mut runs = [(&setups[0], "engine.dead_man_seconds=8"), (&setups[1], "engine.dead_man_seconds=0")]
        .map(|(setup, timer)| setup.start(&[live.as_slice(), &far, &["--set", timer]].concat()));
    runs.iter_mut().for_each(Running::until_quotes);
    runs[0].wait_for("the venue cancels everything 8 s after");
    runs.iter_mut().for_each(Running::kill);
    // Nobody is left: only the exchange itself can do it.
    let desks = exchanges.each_ref().map(Desk::of_the_engine);
    desks[0].until("end of every order", |desk| desk.open_orders().is_empty());
    assert!(!desks[1].open_orders().is_empty(), "without a timer they stay");
}

#[test]
fn the_guard_cannot_place_an_order() {
    let holds = |path: &str, text: &str| {
        let bytes = fs::read(path).expect("it was built");
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    };
    let (engine, guard) = (env!("CARGO_BIN_EXE_spinbook"), env!("CARGO_BIN_EXE_spinbook-guard"));
    // The method that places, and the one that cancels.
    assert!(holds(engine, "order.place") && holds(engine, "/fapi/v1/allOpenOrders"));
    assert!(!holds(guard, "order.place") && holds(guard, "/fapi/v1/allOpenOrders"));
}
