//! COLD: the recorded Binance chains, played whole: every check of the recordings' own README.

use spinbook_feed::history::{VerifyOutcome, Wholeness, verify};
use spinbook_feed::testkit::recorded;

fn play(names: &[&str]) -> Option<VerifyOutcome> {
    let files = recorded(names)?;
    let outcome = verify(&files, None, &mut |_| {});
    println!("{}", serde_json::to_string(&outcome.report).unwrap());
    Some(outcome)
}

fn assert_whole(outcome: &VerifyOutcome, lines: u64, depth: u64, bbo: u64) {
    assert_eq!(outcome.problem, None);
    let report = &outcome.report;
    assert_eq!(report.verdict, Wholeness::Whole, "{:?}", report.findings);
    assert_eq!((report.lines, report.frames, report.bad_frames), (lines, lines, 0));
    assert_eq!(report.symbols.len(), 1);
    let symbol = &report.symbols["BTCUSDT"];
    assert_eq!((symbol.state, symbol.gaps, symbol.resyncs, symbol.crossed), ("live", 0, 0, 0));
    assert_eq!(symbol.depth, depth);
    assert_eq!((symbol.bbo_checked, symbol.bbo_matched), (bbo, bbo));
    assert_eq!(symbol.snapshots, 1);
    assert!(symbol.best_bid.is_some() && symbol.best_ask.is_some());
}

#[test]
fn usdm_2024() {
    let Some(outcome) = play(&["binance-usdm/btcusdt_20240718.gz", "binance-usdm/btcusdt_20240719.gz"]) else {
        return;
    };
    assert_whole(&outcome, 71_984, 9_022, 625);
    assert_eq!(outcome.report.scanned, 9_022 + 52_260 + 10_701);
}

#[test]
fn usdm_2023() {
    let Some(outcome) = play(&["binance-usdm/btcusdt_20230404.dat.gz", "binance-usdm/btcusdt_20230405.dat.gz"]) else {
        return;
    };
    assert_whole(&outcome, 73_765, 16_110, 1_565);
    assert_eq!(outcome.report.scanned, 16_110 + 44_205 + 12_934);
}

#[test]
fn spot_2024() {
    let Some(outcome) = play(&["binance-spot/btcusdt_20240808.gz", "binance-spot/btcusdt_20240809.gz"]) else {
        return;
    };
    assert_whole(&outcome, 99_574, 6_495, 1_072);
    assert_eq!(outcome.report.scanned, 6_495 + 73_174 + 19_904);
}

#[test]
fn usdm_alts() {
    let Some(outcome) = play(&["binance-usdm/BINANCE_FUTURES.jsonl.zst"]) else {
        return;
    };
    assert_eq!(outcome.problem, None);
    assert_eq!((outcome.report.verdict, outcome.report.bad_frames), (Wholeness::Whole, 0));
    assert_eq!(outcome.report.symbols.values().map(|symbol| symbol.depth).sum::<u64>(), 764);
    for (name, symbol) in &outcome.report.symbols {
        assert_eq!((symbol.state, symbol.gaps, symbol.crossed), ("live", 0, 0), "{name}");
        assert_eq!(symbol.bbo_checked, symbol.bbo_matched, "{name}");
    }
}
