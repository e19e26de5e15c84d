//! COLD: what a run says of itself: sums that add up, a loss that outlives the process, every order on record.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::rig::{Ended, Exchange, Running, Setup, number, settled};

/// Starts a live run with these settings; the test ends it.
fn live_with(setup: &Setup, set: &[&str]) -> Running {
    let mut arguments = vec!["run", "-c", "run.toml", "--mode", "live", "--account", "sim0", "--json"];
    for value in set {
        arguments.extend(["--set", value]);
    }
    setup.start(&arguments)
}

/// The lines of the journal that a run named.
fn record(setup: &Setup, report: &Value) -> Vec<Value> {
    let log = &report["order_log"];
    assert_eq!((number(log, "/lost"), &log["failure"]), (0, &Value::Null), "{log}");
    let path = setup.path(log["path"].as_str().expect("a path"));
    let read = setup.spinbook(&["journal", path.to_str().expect("UTF-8"), "--json"]);
    let read = read.says(0, &[]);
    let mut lines: Vec<Value> =
        read.out.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
    let sum = lines.pop().expect("the last line is the sum");
    assert_eq!((number(&sum, "/records"), &sum["ended"]), (number(log, "/records"), &Value::Bool(true)), "{sum}");
    assert_eq!((lines.len() as u64, sum["torn"].as_array().map(Vec::len)), (number(&sum, "/shown"), Some(0)), "{sum}");
    lines
}

/// How many lines there are of each value of a key.
fn counted(lines: &[Value], key: &str) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for value in lines.iter().filter_map(|line| line[key].as_str()) {
        *counts.entry(value.to_owned()).or_default() += 1;
    }
    counts
}

#[test]
fn a_lost_day_outlives_the_process_until_a_person_re_arms_with_a_reason() {
    let exchange = Exchange::start("");
    let setup = Setup::on(&exchange);
    let tight = ["risk.loss_max_quote_per_day=0.0001"];
    let stopped = "the daily loss limit was reached";
    let mut run = live_with(&setup, &tight);
    run.wait_for(stopped);
    run.kill();
    // The next one does not start, and says why.
    let refused = live_with(&setup, &tight).end();
    refused.refuses(4, &["a control stopped trading here", "the loss stop of USDT in live mode: -", "spinbook rearm"]);
    // A larger limit alone does not re-arm; a person does, with a reason, and it is written down.
    let rearm = |reason| setup.spinbook(&["rearm", "-c", "run.toml", "--json", "--reason", reason]);
    rearm(" ").refuses(2, &["re-arming needs a reason"]);
    let lifted = rearm("the desk agreed").says(0, &[]).object();
    assert_eq!(lifted["loss_stops"][0]["mode"], "live", "{lifted}");
    let written = fs::read_to_string(setup.path("state/rearmed.jsonl")).expect("written down");
    let lines: Vec<Value> = written.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let events: Vec<_> = lines.iter().filter_map(|line| line["event"].as_str()).collect();
    assert!(written.contains("the desk agreed") && events == ["asked", "rearmed"], "{written}");
    assert_eq!(rearm("again").says(0, &[]).object()["record"], Value::Null, "nothing was stopped");
    let mut run = live_with(&setup, &tight);
    run.wait_for(stopped);
    // The time without quotes is counted in milliseconds.
    std::thread::sleep(std::time::Duration::from_millis(300));
    let report = run.interrupted().says(4, &["only `spinbook rearm"]).object();
    assert_eq!(report["ended"], "risk:loss_max_quote_per_day", "{report}");
    let control = &report["stopped_by"][0];
    assert_eq!(
        (&control["asset"], &control["limit_quote"]),
        (&Value::from("USDT"), &Value::from("0.0001")),
        "{report}"
    );
    assert!(control["earned_quote"].as_str().is_some_and(|earned| earned.starts_with('-')), "{report}");
    assert!(number(&report, "/not_quoting/BTCUSDT/bid_ms/trading_state") > 0, "{report}");
    rearm("the desk agreed again").says(0, &[]);
    let mut run = live_with(&setup, &["risk.loss_max_quote_per_day=1000"]);
    run.until_quotes();
    settled(&run.interrupted());
}

#[test]
fn every_order_is_on_record_and_the_record_adds_up_to_the_report() {
    let exchange = Exchange::start("");
    let setup = Setup::on(&exchange);
    let modes = [vec![], vec!["strategy.time_in_force=ioc", "strategy.edge_min_bps=-50"]];
    for set in modes {
        let mut run = live_with(&setup, &set);
        run.until("some orders", |lines| lines.last().is_some_and(|line| line.acked > 5));
        let report = settled(&run.interrupted());
        let lines = record(&setup, &report);
        let (events, outcomes) = (counted(&lines, "event"), counted(&lines, "outcome"));
        let told = |counts: &BTreeMap<String, u64>, name: &str| counts.get(name).copied().unwrap_or(0);
        let orders = |name: &str| number(&report, &format!("/orders/{name}"));
        assert_eq!(told(&events, "place"), orders("sent"), "{events:?} {report}");
        assert_eq!(told(&events, "fill"), number(&report, "/fills"), "{events:?} {report}");
        assert_eq!(told(&outcomes, "filled"), orders("filled_fully"), "{outcomes:?} {report}");
        assert_eq!(told(&outcomes, "canceled"), orders("canceled"), "{outcomes:?} {report}");
        assert_eq!(told(&outcomes, "expired"), orders("expired"), "{outcomes:?} {report}");
        assert_eq!(told(&outcomes, "rejected"), orders("rejected") + orders("refused_here"), "{outcomes:?} {report}");
        if set.is_empty() {
            assert!(orders("canceled") > 0, "{report}");
        } else {
            assert!(orders("expired") + orders("filled_fully") > 0, "{report}");
        }
        for key in ["started", "stopped"] {
            assert!(report[key].as_str().is_some_and(|time| time.starts_with("20") && time.ends_with('Z')), "{report}");
        }
        assert!(report["mark_price"]["BTCUSDT"].is_string() && report["start_position"]["BTCUSDT"].is_string());
    }
}

#[test]
fn shadow_logs_what_it_would_have_sent_and_counts_nothing_as_sent() {
    let exchange = Exchange::start("");
    let setup = Setup::on(&exchange);
    let mut run = setup.start_run("shadow");
    run.until_quotes();
    let ended = run.interrupted();
    let report = ended.says(130, &[]).object();
    assert_eq!((number(&report, "/orders/sent"), number(&report, "/orders/acked")), (0, 0), "{report}");
    let lines = record(&setup, &report);
    let places: Vec<&Value> = lines.iter().filter(|line| line["event"] == "place").collect();
    assert_eq!(places.len() as u64, number(&report, "/orders/not_sent"), "{report}");
    assert!(!places.is_empty() && places.iter().all(|line| line["sent"] == false), "{lines:?}");
}

#[test]
fn why_nothing_is_quoted_always_has_an_answer() {
    let exchange = Exchange::start("");
    let setup = Setup::on(&exchange);
    let refused = |set: &str| -> Ended { live_with(&setup, &[set]).end() };
    refused("risk.order_notional_max_quote=1").refuses(2, &["could never be quoted", "risk.order_notional_max_quote"]);
    refused("strategy.edge_min_bps=500").refuses(2, &["could never be quoted", "beyond risk.price_collar_bps"]);
    // Fees of two basis points widen the spread: said once. A book may be no older than any book is.
    let set = ["strategy.edge_min_bps=0", "risk.book_age_max_ms=1"];
    let mut run = live_with(&setup, &set);
    run.wait_for("strategy.spread_bps = 0.6 is widened to ");
    run.wait_for("not quoting: the book is older than risk.book_age_max_ms");
    let report = run.interrupted().says(130, &[]).object();
    assert!(number(&report, "/not_quoting/BTCUSDT/ask_ms/book_stale") > 0, "{report}");
}
