//! COLD: the journal of a run that was killed: read by people and by the next start, and never guessed around.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::rig::{Exchange, Setup, number, settled};

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
