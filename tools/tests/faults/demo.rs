//! COLD: the demo as everybody meets it first: everything on this machine, one object at the end.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::rig::{Running, number, program, shown, signal};

#[test]
fn the_demo_trades_on_both_products_and_the_accounts_agree() {
    let runs = ["binance-usdm", "binance-spot"].map(|venue| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = program(folder.path());
        command.args(["demo", "--seconds", "10", "--venue", venue, "--seed", "7", "--unpinned", "--json"]);
        (venue, folder, Running::start(command))
    });
    for (venue, folder, run) in runs {
        let ended = run.end();
        let report = ended.says(0, &["fees in effect: maker", "beyond the venue's fee of"]).object();
        assert!(!ended.err.contains("widened"), "nobody wrote the demo's configuration: {}", ended.err);
        assert!(shown(&ended.err).len() > 3, "lines whose orders add up: {}", ended.err);
        for (key, value) in [("mode", "demo"), ("venue", venue)] {
            assert_eq!(report[key], value, "{report}");
        }
        assert!(number(&report, "/books/live") >= 1, "{report}");
        assert_eq!(number(&report, "/books/gaps"), 0, "{report}");
        assert!(number(&report, "/orders/sent") > 0 && number(&report, "/orders/acked") > 0, "{report}");
        for promise in ["/orders/unknown", "/orders/open_at_exit", "/hot_allocations/decision"] {
            assert_eq!(number(&report, promise), 0, "{promise} in {report}");
        }
        assert!(report["account"].is_object(), "{report}");
        assert_eq!(report["account"], report["venue_account"], "{report}");
        assert_eq!(report["seed"], 7, "{report}");
        let left: Vec<_> =
            std::fs::read_dir(folder.path()).expect("a folder").flatten().map(|entry| entry.path()).collect();
        assert!(left.is_empty(), "files are left behind: {left:?}");
    }
}

fn start(folder: &Path) -> Running {
    let mut command = program(folder);
    command.args(["demo", "--seconds", "600", "--seed", "7", "--unpinned", "--json"]);
    let mut demo = Running::start(command);
    demo.until_quotes();
    demo
}

#[test]
fn a_demo_whose_exchange_is_killed_ends_in_time_and_says_so() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let demo = start(folder.path());
    let [exchange] = demo.children()[..] else { panic!("one child: {:?}", demo.children()) };
    signal(exchange, "KILL");
    let ended = demo.end();
    ended.says(1, &["the simulated exchange is gone", "may still be open", "look at the account"]);
    let report = ended.object();
    assert!(number(&report, "/orders/unknown") + number(&report, "/orders/open_at_exit") > 0, "{report}");
}

#[test]
fn a_killed_demo_leaves_no_exchange_behind() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut demo = start(folder.path());
    let [exchange] = demo.children()[..] else { panic!("one child: {:?}", demo.children()) };
    demo.kill();
    let until = Instant::now() + Duration::from_secs(120);
    let runs = || std::fs::read_to_string(format!("/proc/{exchange}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
    while runs() {
        assert!(Instant::now() < until, "the exchange {exchange} outlives its demo");
        std::thread::sleep(Duration::from_millis(20));
    }
}
