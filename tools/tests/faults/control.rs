//! COLD: threads that hang: the run ends with everything cancelled by whoever still works, and the process is gone.

use crate::desk::Desk;
use crate::guard::guard;
use crate::rig::{Exchange, Running, Setup, settled, signal};

/// Arguments of a live run whose thread hangs at SIGUSR2, and soon counts as hung.
fn hanging(thread: &'static str) -> Vec<&'static str> {
    let run =
        ["run", "-c", "run.toml", "--mode", "live", "--account", "sim0", "--json", "--hang-on-user-signal", thread];
    let bounds = ["--set", "engine.hot_hang_ms=1000", "--set", "engine.io_hang_ms=1000"];
    [run.as_slice(), &bounds].concat()
}

#[test]
fn a_thread_that_hangs_ends_the_run_with_everything_cancelled() {
    let exchanges = [Exchange::start(""), Exchange::start("")];
    let setups = exchanges.each_ref().map(Setup::on);
    let mut guards = setups.each_ref().map(|setup| guard(setup, &[]));
    guards.iter_mut().for_each(|guard| guard.wait_for("watching over"));
    let mut runs = [setups[0].start(&hanging("hot")), setups[1].start(&hanging("io"))];
    runs.iter_mut().for_each(Running::until_quotes);
    runs.iter().for_each(|run| signal(run.id(), "USR2"));
    let [hot, io] = runs.map(Running::end);
    let confirmed = "everything was cancelled, and the venue confirmed it";
    hot.says(1, &["the hot thread stands still for 1", "left without the hot thread", confirmed]);
    let io_words = ["the thread that owns the orders stands still for 1", "cancelling over REST", confirmed];
    io.says(1, &io_words);
    // Whoever drained and had it confirmed says so: the guard has nothing to do, and latches nothing.
    for (guard, setup) in guards.into_iter().zip(&setups) {
        assert!(!setup.path("state/trading").exists(), "the sign of open orders is left");
        guard.interrupted().says(130, &[]);
        assert!(!setup.path("state/kill").exists(), "the guard has latched");
    }
    // Nothing is left for the next run to clean up.
    for (exchange, setup) in exchanges.iter().zip(&setups) {
        assert!(Desk::of_the_engine(exchange).open_orders().is_empty());
        let mut next = setup.start_live();
        next.until_quotes();
        settled(&next.interrupted());
    }
}

#[test]
fn whoever_asks_twice_is_obeyed_though_the_order_thread_hangs() {
    let exchange = Exchange::start("");
    let setup = Setup::on(&exchange);
    let mut arguments = hanging("io");
    // It never counts as hung: only the two signals end it.
    arguments.extend(["--set", "engine.io_hang_ms=60000"]);
    let mut run = setup.start(&arguments);
    run.until_quotes();
    signal(run.id(), "USR2");
    run.interrupt();
    run.wait_for("cancelling everything");
    // One wish comes twice where a terminal and a supervisor pass it on: this is a second one.
    std::thread::sleep(std::time::Duration::from_millis(300));
    let ended = run.interrupted();
    ended.says(1, &["left at once: ", "may still be open on binance-usdm"]);
}

#[test]
fn a_process_that_was_stopped_and_goes_on_trades_on() {
    let exchange = Exchange::start("");
    let setup = Setup::on(&exchange);
    let mut arguments = hanging("hot");
    arguments.extend(["--set", "engine.hot_hang_ms=500", "--set", "engine.io_hang_ms=500"]);
    let mut run = setup.start(&arguments);
    run.until_quotes();
    signal(run.id(), "STOP");
    std::thread::sleep(std::time::Duration::from_millis(1_500));
    signal(run.id(), "CONT");
    let acked = |lines: &[crate::rig::Shown]| lines.last().map_or(0, |line| line.acked);
    let before = acked(&crate::rig::shown(&run.err()));
    run.until("orders after the stop", |lines| acked(lines) > before + 2);
    let ended = run.interrupted();
    settled(&ended);
    assert!(!ended.err.contains("stands still"), "{}", ended.err);
}
