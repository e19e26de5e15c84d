//! COLD: a run that is killed leaves orders, and the next goes on with them where the configuration says so.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::desk::Desk;
use crate::rig::{Exchange, Running, Setup, number, settled};

/// A run whose quotes stay where they are, however the market moves here, and which takes over what it finds.
fn start(setup: &Setup) -> Running {
    let run = ["run", "-c", "run.toml", "--mode", "live", "--account", setup.account, "--json"];
    let wide = ["strategy.spread_bps=80", "strategy.refresh_tolerance_bps=39", "risk.price_collar_bps=200"];
    let settings = wide.into_iter().chain(["engine.at_start=adopt"]);
    let settings = settings.flat_map(|setting| ["--set", setting]);
    setup.start(&run.into_iter().chain(settings).collect::<Vec<_>>())
}

/// What is open: the exchange's numbers and the names.
fn open(desk: &Desk) -> BTreeSet<(u64, String)> {
    let name = |order: &Value| order["clientOrderId"].as_str().expect("a name").to_owned();
    desk.open_orders().iter().map(|order| (number(order, "/orderId"), name(order))).collect()
}

fn journal(setup: &Setup) -> String {
    setup.spinbook(&["journal", "state/journal/live"]).out
}

/// How often the journals tell of this event.
fn told(setup: &Setup, event: &str) -> usize {
    let read = setup.spinbook(&["journal", "state/journal/live", "--json"]);
    let lines = read.says(0, &[]).out.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    lines.filter(|line| line["event"] == event).count()
}

/// Trades, is killed with two quotes up, and starts again: with the same orders. Gives back that second run.
fn taken_over(setup: &Setup, desk: &Desk) -> (Running, BTreeSet<(u64, String)>) {
    let mut first = start(setup);
    first.until_quotes();
    desk.until("two quotes", |desk| desk.open_orders().len() == 2);
    first.kill();
    let left = open(desk);
    let mut second = start(setup);
    second.wait_for("2 open orders go on");
    second.until_quotes();
    let now = open(desk);
    assert_eq!(now, left, "the same orders, in the same places:\n{}\n{}", second.err(), journal(setup));
    assert_eq!(told(setup, "adopted"), 2);
    (second, left)
}

#[test]
fn orders_of_a_killed_run_keep_their_places_in_the_next_one_on_spot() {
    let exchange = Exchange::spot("");
    let (setup, desk) = (Setup::on(&exchange), Desk::of_the_engine(&exchange));
    let (second, _) = taken_over(&setup, &desk);
    let report = settled(&second.interrupted());
    assert_eq!((number(&report, "/orders/adopted"), number(&report, "/orders/acked")), (2, 0), "{report}");
    assert!(desk.open_orders().is_empty(), "{report}");
}

#[test]
fn orders_of_a_killed_run_keep_their_places_in_the_next_one_on_futures_and_in_the_one_after_that() {
    let exchange = Exchange::start("");
    let (setup, desk) = (Setup::on(&exchange), Desk::of_the_engine(&exchange));
    let (mut second, left) = taken_over(&setup, &desk);
    // Somebody cancels the bid while nobody is there: the next run hears of that, and goes on with the ask.
    second.kill();
    let (bid, _) = left.first().expect("two orders");
    desk.ask("DELETE", "/fapi/v1/order", &[("symbol", "BTCUSDT"), ("orderId", &bid.to_string())]);
    let ask = open(&desk);
    let mut third = start(&setup);
    third.wait_for("1 open orders go on");
    third.until_quotes();
    assert!(open(&desk).is_superset(&ask), "the ask stands where it did:\n{}", third.err());
    let report = settled(&third.interrupted());
    assert_eq!(number(&report, "/orders/adopted"), 1, "{report}");
    assert_eq!(told(&setup, "adopted"), 3, "{report}");
    assert!(desk.open_orders().is_empty(), "{report}");
}
