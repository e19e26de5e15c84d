//! COLD: the program against its own exchange, process by process, where nothing goes wrong.

use std::path::{Path, PathBuf};

use spinbook_feed::testkit::data_folder;

use crate::rig::{Exchange, Running, Setup, number, program, whole};

/// Where recordings are, as an absolute path; `None` where there are none.
fn recorded_data() -> Option<PathBuf> {
    data_folder().map(|folder| folder.canonicalize().expect("it exists"))
}

fn start_demo(folder: &Path, arguments: &[&str]) -> Running {
    let mut command = program(folder);
    command.args(["demo", "--unpinned"]).args(arguments);
    Running::start(command)
}

#[test]
fn a_demo_on_any_symbol_ends_in_order_when_its_recording_does() {
    // Half a minute of several small coins.
    let Some(file) = recorded_data().map(|data| data.join("binance-usdm/BINANCE_FUTURES.jsonl.zst")) else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = file.to_str().expect("a plain path");
    let ended = start_demo(folder.path(), &["--seconds", "30", "--speed", "4", "--data", file]).end();
    let (text, said) = (&ended.out, &ended.err);
    assert_eq!(ended.code, 0, "{text}{said}");
    assert!(text.contains("the market was over before the 30 s that were asked for"), "{text}{said}");
    assert!(text.contains("equal to the last digit"), "{text}{said}");
    assert!(text.contains("SUSHIUSDT"), "{text}{said}");
    let lines: Vec<&str> = said.lines().filter(|line| line.contains(" s  SUSHIUSDT ")).collect();
    assert!(lines.len() >= 3, "a line a second where there is no terminal: {said}");
    assert!(lines.iter().any(|line| line.contains("SUSHIUSDT live  bid 7.")), "{said}");
    assert!(lines.last().is_some_and(|line| !line.contains("sent 0 ")), "{said}");
}

#[test]
fn paper_shadow_and_live_run_against_any_exchange() {
    let exchange = Exchange::start("");
    let setup = Setup::on(&exchange);
    for mode in ["paper", "live"] {
        let mut run = setup.start_run(mode);
        run.until("accepted orders", |lines| lines.last().is_some_and(|line| line.live && line.acked > 0));
        whole(&run.interrupted());
    }
    let mut run = setup.start_run("shadow");
    run.until("a live book", |lines| lines.iter().filter(|line| line.live).count() > 1);
    let ended = run.interrupted();
    let report = ended.says(130, &[]).object();
    assert!(report["venue_account"].is_null() && number(&report, "/fills") == 0, "{report}");
}

#[test]
fn demos_on_recorded_traffic_trade_and_agree_with_the_venue() {
    let Some(data) = recorded_data() else { return };
    let chains = [
        ("binance-usdm", ["binance-usdm/btcusdt_20240718.gz", "binance-usdm/btcusdt_20240719.gz"]),
        ("binance-spot", ["binance-spot/btcusdt_20240808.gz", "binance-spot/btcusdt_20240809.gz"]),
    ];
    let runs = chains.map(|(venue, files)| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let [first, second] = files.map(|file| data.join(file).display().to_string());
        let how = ["--venue", venue, "--speed", "10", "--seconds", "12", "--json", "--data", &first, &second];
        let run = start_demo(folder.path(), &how);
        (folder, run)
    });
    for (_folder, run) in runs {
        let ended = run.end();
        let report = ended.says(0, &[]).object();
        assert_eq!(number(&report, "/books/live"), 1, "{report}");
        assert!(number(&report, "/orders/sent") > 0 && number(&report, "/orders/acked") > 0, "{report}");
        for promise in ["/orders/unknown", "/orders/open_at_exit", "/hot_allocations/decision", "/books/gaps"] {
            assert_eq!(number(&report, promise), 0, "{promise} in {report}");
        }
        assert_eq!(report["account"], report["venue_account"], "{report}");
    }
}
