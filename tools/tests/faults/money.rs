//! COLD: money that moves while a run trades, between two runs, and while nobody looks: all of it in the result, once.

use std::time::Duration;

use crate::desk::Desk;
use crate::rig::{Exchange, Setup, number, settled};

/// A thousandth of a position's value is paid every two seconds.
const FUNDING: &str = "[funding]\nrate_millionths = 1000\nevery_ms = 2000\n";

/// How many there were. Not asked for more often than the venue's weight allows.
fn fundings(desk: &Desk) -> usize {
    std::thread::sleep(Duration::from_millis(1_500));
    let rows = desk.ask("GET", "/fapi/v1/income", &[("incomeType", "FUNDING_FEE"), ("limit", "1000")]);
    rows.as_array().map_or(0, Vec::len)
}

#[test]
fn funding_is_in_the_result_of_the_run_and_what_came_between_two_runs_in_that_of_the_day() {
    let exchange = Exchange::start(FUNDING);
    let setup = Setup::on(&exchange);
    let desk = Desk::of_the_engine(&exchange);
    let mut run = setup.start_live();
    run.until_quotes();
    Desk::of_another(&exchange).sells_through_the_bids();
    desk.until("two fundings", |desk| fundings(desk) >= 2);
    let report = settled(&run.interrupted());
    assert_ne!(report["account"]["funding_quote"], "0", "{report}");
    assert_eq!(report["pnl_split"]["funding_quote"], report["account"]["funding_quote"], "{report}");
    assert_eq!(report["transfers"].as_object().map(serde_json::Map::len), Some(0), "{report}");
    // What is left goes on paying while nothing runs.
    let seen = fundings(&desk);
    desk.until("a funding between the runs", |desk| fundings(desk) > seen);
    let mut run = setup.start_live();
    run.wait_for("of funding came since the last run: counted to the day");
    run.until_quotes();
    settled(&run.interrupted());
}

#[test]
fn what_is_filled_after_a_kill_is_booked_by_the_next_run_and_by_no_other() {
    let exchange = Exchange::start("");
    let setup = Setup::on(&exchange);
    let mut run = setup.start_live();
    run.until_quotes();
    run.kill();
    // Whoever was killed has quotes on the book, and somebody meets them.
    Desk::of_another(&exchange).sells_through_the_bids();
    let held = Desk::of_the_engine(&exchange).position();
    assert_ne!(held, "0.000", "a quote was met");
    let booked = "of the last run are not in its journal";
    let mut run = setup.start_live();
    run.wait_for(booked);
    run.until_quotes();
    let report = settled(&run.interrupted());
    assert!(number(&report, "/fills") > 0, "{report}");
    assert_eq!(report["start_position"]["BTCUSDT"], "0.000", "before what was missed: {report}");
    let mut run = setup.start_live();
    run.until_quotes();
    std::thread::sleep(Duration::from_millis(100));
    assert!(!run.err().contains(booked), "once: {}", run.err());
    settled(&run.interrupted());
}
