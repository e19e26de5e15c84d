//! COLD: the demo as everybody meets it first: everything on this machine, one object at the end.

use crate::rig::{Running, number, program};

#[test]
fn the_demo_trades_on_both_products_and_the_accounts_agree() {
    for venue in ["binance-usdm", "binance-spot"] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = program(folder.path());
        command.args(["demo", "--seconds", "6", "--venue", venue, "--seed", "7", "--json"]);
        let ended = Running::start(command).end();
        let report = ended.says(0, &[]).object();
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
        let left: Vec<_> = std::fs::read_dir(folder.path()).expect("a folder").flatten().map(|entry| entry.path()).collect();
        assert!(left.is_empty(), "files are left behind: {left:?}");
    }
}
