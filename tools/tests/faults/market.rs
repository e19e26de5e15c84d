//! COLD: market data that is lost, doubled, disordered, broken, oversized, silent or cut: quotes go and come back.

use serde_json::Value;

use crate::rig::{Ended, Exchange, Running, Setup, number};

/// The second snapshot, with which a lost book is resynced, must wait: long enough for the screen to show what
/// stands in the market meanwhile.
const SNAPSHOT_WAITS: &str = r#"
[[requests]]
on = "snapshot"
nth = 2
action = "refuse"
status = 429
code = -1003
message = "Too many requests."
retry_after_seconds = 2
"#;

/// One depth frame's fault. They count from the start of the exchange, on futures 19 and on spot 10 a second: late
/// enough for a slow machine to have quoted before.
fn frame_fault(nth: u64, action: &str) -> String {
    format!("[[frames]]\nnth = {nth}\naction = \"{action}\"\n")
}

/// The same with a resync that has to wait.
fn slow_frame_fault(nth: u64, action: &str) -> String {
    frame_fault(nth, action) + SNAPSHOT_WAITS
}

/// The lines that the run showed, once a second: whether the book was quotable, and how many quotes of ours stood.
fn shown(err: &str) -> Vec<(bool, usize)> {
    let line = |line: &str| {
        let (_, rest) = line.split_once("BTCUSDT ")?;
        let (_, ours) = rest.split_once(" ours ")?;
        let (quotes, _) = ours.split_once("  ")?;
        Some((rest.starts_with("live "), quotes.split(" / ").filter(|quote| *quote != "-").count()))
    };
    err.lines().filter(|text| text.contains(" s  BTCUSDT ")).filter_map(line).collect()
}

/// Quotes stood in a live book, none stood while it was not, and then they stood again.
#[track_caller]
fn pulled_and_back(ended: &Ended) {
    let shown = shown(&ended.err);
    let quoting = |from: usize| shown[from..].iter().position(|line| line.0 && line.1 > 0).map(|at| from + at);
    let dark = |from: usize| shown[from..].iter().position(|line| *line == (false, 0)).map(|at| from + at);
    let back = quoting(0).and_then(dark).and_then(quoting);
    assert!(back.is_some(), "quotes were not pulled and put back: {shown:?}\n{}", ended.err);
}

/// A run that ended well in spite of everything: book live, nothing open, nothing unknown, accounts agree.
#[track_caller]
fn whole(ended: &Ended) -> Value {
    let report = ended.says(0, &[]).object();
    assert_eq!(number(&report, "/books/live"), 1, "{report}");
    assert!(number(&report, "/orders/acked") > 0, "{report}");
    assert_eq!(number(&report, "/orders/unknown") + number(&report, "/orders/open_at_exit"), 0, "{report}");
    assert_eq!(report["account"], report["venue_account"], "{report}");
    assert_eq!(number(&report, "/hot_allocations/decision"), 0, "{report}");
    report
}

fn gaps_and_resyncs(report: &Value) -> (u64, u64) {
    (number(report, "/books/gaps"), number(report, "/books/resyncs"))
}

/// Runs several at once: they mostly wait.
fn together<const N: usize>(faults: [String; N], seconds: u64) -> [Ended; N] {
    let exchanges = faults.map(|faults| Exchange::start(&faults));
    let setups = exchanges.each_ref().map(Setup::on);
    setups.each_ref().map(|setup| setup.start_live(seconds)).map(Running::end)
}

#[test]
fn lost_swapped_and_malformed_depth_frames_pull_quotes_until_a_snapshot_has_come() {
    let [lost, swapped, malformed] =
        together(["drop", "swap", "malform"].map(|action| slow_frame_fault(45, action)), 7);
    for ended in [&lost, &swapped, &malformed] {
        // The snapshot was refused with 429 and Retry-After, which was kept: nothing was asked for two seconds.
        ended.says(0, &["a snapshot could not be fetched: rate limited (HTTP 429): nothing is asked for 2 s"]);
        assert_eq!(ended.err.matches("could not be fetched").count(), 1, "{}", ended.err);
        pulled_and_back(ended);
    }
    assert_eq!(gaps_and_resyncs(&whole(&lost)), (1, 1));
    assert_eq!(gaps_and_resyncs(&whole(&swapped)), (1, 1));
    assert_eq!(number(&whole(&malformed), "/books/resyncs"), 1);
    malformed.says(0, &["1 market frames could not be read"]);
}

#[test]
fn a_lost_depth_frame_on_spot_is_one_gap_and_its_own_way_back() {
    let exchange = Exchange::spot(&slow_frame_fault(25, "drop"));
    let ended = Setup::on(&exchange).live(7);
    pulled_and_back(&ended);
    assert_eq!(gaps_and_resyncs(&whole(&ended)), (1, 1));
}

#[test]
fn a_doubled_frame_is_no_gap_and_an_oversized_one_costs_the_connection() {
    let touch = "[[frames]]\nstream = \"book_ticker\"\nnth = 150\naction = \"malform\"\n".to_owned();
    let [doubled, oversized, cut, touch] = together(
        [frame_fault(45, "duplicate"), frame_fault(45, "oversize"), "cut_after_frames = 100".to_owned(), touch],
        5,
    );
    // A broken best bid/ask is counted and dropped; the book does not stand on it.
    touch.says(0, &["1 market frames could not be read"]);
    assert_eq!(gaps_and_resyncs(&whole(&touch)), (0, 0));
    assert_eq!(gaps_and_resyncs(&whole(&doubled)), (0, 0));
    assert!(shown(&doubled.err).iter().skip(1).all(|line| line.0), "quotes never went: {}", doubled.err);
    oversized.says(0, &["message of 2097152 bytes, more than 1048576 are not accepted"]);
    cut.says(0, &["market connection", "ended"]);
    for ended in [&oversized, &cut] {
        // It is opened again and the book replaced; whether the screen's second hits the pause is chance.
        assert_eq!(gaps_and_resyncs(&whole(ended)), (0, 1));
    }
}

#[test]
fn a_silent_stream_ages_the_book_and_quotes_return_with_it() {
    let silent = |what: &str| format!("[[silences]]\n{what}after_ms = 2500\nfor_ms = 3500\n");
    // All streams; depth alone, while best bid/ask and trades still come: the age is the book's, not the socket's.
    let [all, depth] = together([silent(""), silent("stream = \"depth\"\n")], 9);
    for ended in [&all, &depth] {
        pulled_and_back(ended);
        whole(ended);
    }
}

#[test]
fn a_first_snapshot_that_is_refused_is_asked_again_when_the_venue_said() {
    let refused = SNAPSHOT_WAITS.replace("nth = 2", "nth = 1").replace("= 2", "= 1");
    let [ended] = together([refused], 4);
    ended.says(0, &["rate limited (HTTP 429): nothing is asked for 1 s"]);
    assert_eq!(shown(&ended.err).first(), Some(&(false, 0)), "{}", ended.err);
    assert_eq!(gaps_and_resyncs(&whole(&ended)), (0, 0));
}

#[test]
fn an_exchange_that_freezes_and_thaws_is_waited_out() {
    let exchange = Exchange::start("");
    let setup = Setup::on(&exchange);
    let mut run = setup.start_live(9);
    run.wait_for("   1 s  BTCUSDT live");
    exchange.freeze();
    std::thread::sleep(std::time::Duration::from_millis(3_500));
    exchange.thaw();
    let ended = run.end();
    // While nothing answers no cancel is confirmed: the orders count as open, but the book is not traded on.
    let shown = shown(&ended.err);
    let dark = shown.iter().position(|line| !line.0);
    assert!(dark.is_some_and(|at| shown[at..].iter().any(|line| line.0)), "{shown:?}\n{}", ended.err);
    whole(&ended);
}
