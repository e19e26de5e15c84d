//! COLD: the journal of a run that was killed: read by people and by the next start, and never guessed around.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::desk::Desk;
use crate::rig::{Exchange, Running, Setup, number, settled, under};

/// The journals of live runs, oldest first.
fn files(setup: &Setup) -> Vec<PathBuf> {
    let folder = fs::read_dir(setup.path("state/journal/live")).expect("a journal was kept");
    let mut files: Vec<PathBuf> = folder.map(|entry| entry.expect("readable").path()).collect();
    files.sort_unstable();
    files
}

/// The records of a file or folder, without the sum.
fn records(setup: &Setup, path: &str) -> Vec<Value> {
    let read = setup.spinbook(&["journal", path, "--json"]);
    let text = &read.says(0, &[]).out;
    let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let sum = lines.pop().expect("the sum");
    assert_eq!((number(&sum, "/shown"), sum["torn"].as_array().map(Vec::len)), (lines.len() as u64, Some(0)), "{sum}");
    lines
}

#[test]
fn a_killed_runs_orders_are_in_its_journal_and_the_next_start_knows_of_them() {
    let exchange = Exchange::start("");
    let setup = Setup::on(&exchange);
    let mut run = setup.start_run("live");
    run.until_quotes();
    run.kill();
    let lines = records(&setup, "state/journal/live");
    let events: Vec<&str> = lines.iter().filter_map(|line| line["event"].as_str()).collect();
    assert_eq!((events[0], events.last().copied() == Some("run_ended")), ("run_started", false), "{events:?}");
    let placed: Vec<&str> =
        lines.iter().filter(|line| line["event"] == "place").filter_map(|line| line["client_id"].as_str()).collect();
    assert!(placed.len() >= 2, "{events:?}");
    // The next one knows what was left, waits until none can come late, clears it, and ends in order.
    let mut run = setup.start_run("live");
    run.wait_for("orders whose end its journal does not tell (sb");
    run.until_quotes();
    settled(&run.interrupted());
    let again = records(&setup, "state/journal/live");
    let second: Vec<&str> = again[lines.len()..].iter().filter_map(|line| line["client_id"].as_str()).collect();
    assert!(second.iter().all(|name| !placed.contains(name)), "no name is used by two runs");
    assert_eq!(
        again.last().map(|line| (&line["event"], &line["confirmed"])),
        Some((&"run_ended".into(), &true.into()))
    );
    // Filters, and a table for people.
    let one = placed[0];
    let table = setup.spinbook(&["journal", "state/journal/live", "--order", one, "--kind", "place"]);
    let text = &table.says(0, &[]).out;
    assert!(text.lines().count() == 2 && text.contains(" place ") && text.contains(one), "{text}");
    assert!(text.contains("reason new") && text.contains(", 1 shown"), "{text}");
}

#[test]
fn a_damaged_journal_refuses_to_trade_and_names_the_record_and_a_torn_one_does_not() {
    let exchange = Exchange::start("");
    let setup = Setup::on(&exchange);
    let mut run = setup.start_run("live");
    run.until_quotes();
    run.kill();
    let path = files(&setup).into_iter().next().expect("one");
    let whole = fs::read(&path).expect("readable");
    let used = whole.iter().rposition(|byte| *byte != 0).expect("records") + 1;
    // In the middle of the records: the one that begins the journal's second half.
    let mut damaged = whole.clone();
    damaged[used / 2] ^= 4;
    fs::write(&path, &damaged).expect("written");
    let name = path.to_str().expect("UTF-8");
    let refused = setup.spinbook(&["journal", name]);
    // What lies before the damage is printed all the same.
    assert!(refused.code == 1 && refused.out.contains("run_started"), "{}", refused.out);
    for part in ["a journal is damaged", "record ", " at byte "] {
        assert!(refused.err.contains(part), "{}", refused.err);
    }
    let start = setup.start_run("live").end();
    start.refuses(1, &["a journal is damaged", "record ", " at byte ", "by hand"]);
    // The last record alone cut off: said, and not used.
    fs::write(&path, &whole[..used - 9]).expect("written");
    let torn = setup.spinbook(&["journal", name, "--json"]);
    let text = &torn.says(0, &[]).out;
    let sum: Value = serde_json::from_str(text.lines().last().expect("the sum")).expect("JSON");
    assert!(sum["torn"][0].as_str().is_some_and(|line| line.contains("was not written to its end")), "{sum}");
    let mut run = setup.start_run("live");
    run.wait_for("was not written to its end and is not used");
    run.until_quotes();
    settled(&run.interrupted());
}

/// From here on no file of a process may become longer.
fn limit_files(process: u32, bytes: &str) {
    let arguments = [format!("--pid={process}"), format!("--fsize={bytes}")];
    let limited = Command::new("prlimit").args(arguments).status().expect("a tool of every system");
    assert!(limited.success(), "prlimit {process} {bytes}");
}

#[test]
fn a_disk_that_is_full_stops_orders_with_a_reason_and_cancels_go_on() {
    let exchange = Exchange::start("");
    let setup = Setup::on(&exchange);
    let arguments = ["run", "-c", "run.toml", "--mode", "live", "--account", "sim0", "--json"];
    let refused = Running::start(under("ulimit -f 4096", &setup.command(&arguments))).end();
    refused.says(1, &["cannot begin the journal of orders", "File too large", "make room"]);
    assert!(Desk::of_the_engine(&exchange).open_orders().is_empty());
    // Parts of which the reserve for cancels is most: the first is soon full, and behind the second none can be made.
    let start = || setup.start(&[&arguments[..], &["--journal-part-bytes", "73728"]].concat());
    let mut run = start();
    run.until_quotes();
    limit_files(run.id(), "16384:unlimited");
    run.wait_for("no room for its next part: File too large");
    run.wait_for("no order is sent until it can be written down; cancels go on");
    let desk = Desk::of_the_engine(&exchange);
    desk.until("every quote cancelled and none placed", |desk| desk.open_orders().is_empty());
    // There is room again.
    limit_files(run.id(), "unlimited:unlimited");
    run.wait_for("can be written again");
    desk.until("quotes", |desk| !desk.open_orders().is_empty());
    let report = settled(&run.interrupted());
    assert_eq!(number(&report, "/order_log/lost"), 0, "{report}");
    assert!(number(&report, "/orders/refused_here") > 0, "{report}");
    // Who ends while it is full says so, with everything cancelled.
    let mut run = start();
    run.until_quotes();
    limit_files(run.id(), "16384:unlimited");
    run.wait_for("no order is sent until it can be written down; cancels go on");
    let ended = run.interrupted();
    ended.says(1, &["failed: no room for its next part: File too large"]);
    let report = ended.object();
    assert_eq!(number(&report, "/orders/unknown") + number(&report, "/orders/open_at_exit"), 0, "{report}");
}
