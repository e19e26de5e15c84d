//! COLD: market data that is lost, doubled, disordered, broken, oversized, silent or cut: quotes go and come back.

use serde_json::Value;

use crate::rig::{Exchange, Running, Setup, Shown, number, settled, shown, together, whole};

/// A snapshot must wait: long enough for the screen to show what stands in the market meanwhile.
const SNAPSHOT_WAITS: &str = r#"
[[requests]]
on = "snapshot"
nth = 1
action = "refuse"
status = 429
code = -1003
message = "Too many requests."
retry_after_seconds = 3
"#;

/// One frame's fault, counted from when our first two quotes were ordered: 45 depth frames take 2.4 s on futures and
/// 25 take 2.5 s on spot, in which the quotes are shown.
fn frame_fault(nth: u64, action: &str) -> String {
    format!("[[frames]]\nnth = {nth}\naction = \"{action}\"\nafter_orders = 2\n")
}

/// The same with a resync that has to wait.
fn slow_frame_fault(nth: u64, action: &str) -> String {
    frame_fault(nth, action) + SNAPSHOT_WAITS + "after_orders = 2\n"
}

/// Whether quotes stood in a live book, none stood while it was not, and then they stood again.
fn is_pulled_and_back(shown: &[Shown]) -> bool {
    let quoting = |from: usize| shown[from..].iter().position(|line| line.live && line.quotes > 0).map(|at| from + at);
    let dark = |from: usize| shown[from..].iter().position(|line| !line.live && line.quotes == 0).map(|at| from + at);
    quoting(0).and_then(dark).and_then(quoting).is_some()
}

fn pulled_and_back(run: &mut Running) {
    run.until("quotes pulled and put back", is_pulled_and_back);
}

fn resynced(run: &mut Running) {
    run.until("quotes pulled and put back on a new book", |lines| {
        is_pulled_and_back(lines) && lines.last().is_some_and(|line| line.live && line.resyncs > 0)
    });
}

/// The book was replaced and is quoted on; whether the screen's second hits the pause is chance.
fn reopened(run: &mut Running) {
    run.until("quotes on a new book", |lines| {
        lines.last().is_some_and(|line| line.live && line.resyncs > 0 && line.quotes == 2)
    });
}

/// So many seconds since the first quotes stood, and they stand.
fn quoted_for(run: &mut Running, seconds: usize) {
    run.until("quotes for a while", |lines| {
        let first = lines.iter().position(|line| line.quotes == 2).unwrap_or(lines.len());
        lines.len() >= first + seconds && lines.last().is_some_and(|line| line.live)
    });
}

fn gaps_and_resyncs(report: &Value) -> (u64, u64) {
    (number(report, "/books/gaps"), number(report, "/books/resyncs"))
}

#[test]
fn lost_swapped_and_malformed_depth_frames_pull_quotes_until_a_snapshot_has_come() {
    let faults = ["drop", "swap", "malform"].map(|action| slow_frame_fault(45, action));
    let [lost, swapped, malformed] = together(faults, [&resynced; 3]);
    for ended in [&lost, &swapped, &malformed] {
        // The snapshot was refused with 429 and Retry-After, which was kept: nothing was asked meanwhile.
        ended.says(130, &["a snapshot could not be fetched: rate limited (HTTP 429): nothing is asked for 3 s"]);
        assert_eq!(ended.err.matches("could not be fetched").count(), 1, "{}", ended.err);
    }
    assert_eq!(gaps_and_resyncs(&whole(&lost)), (1, 1));
    assert_eq!(gaps_and_resyncs(&whole(&swapped)), (1, 1));
    assert_eq!(number(&whole(&malformed), "/books/resyncs"), 1);
    malformed.says(130, &["1 market frames could not be read"]);
}

#[test]
fn a_lost_depth_frame_on_spot_is_one_gap_and_its_own_way_back() {
    let exchange = Exchange::spot(&slow_frame_fault(25, "drop"));
    let setup = Setup::on(&exchange);
    let mut run = setup.start_live();
    resynced(&mut run);
    assert_eq!(gaps_and_resyncs(&whole(&run.interrupted())), (1, 1));
}

#[test]
fn a_doubled_frame_is_no_gap_and_an_oversized_one_costs_the_connection() {
    let faults = [
        frame_fault(45, "duplicate"),
        frame_fault(150, "malform") + "stream = \"book_ticker\"\n",
        frame_fault(45, "oversize"),
        "cut_after_frames = 100\ncut_after_orders = 2".to_owned(),
    ];
    let past = |run: &mut Running| quoted_for(run, 6);
    let [doubled, touch, oversized, cut] = together(faults, [&past, &past, &reopened, &reopened]);
    // A broken best bid/ask is counted and dropped; the book does not stand on it.
    touch.says(130, &["1 market frames could not be read"]);
    assert_eq!(gaps_and_resyncs(&whole(&touch)), (0, 0));
    assert_eq!(gaps_and_resyncs(&whole(&doubled)), (0, 0));
    let lines = shown(&doubled.err);
    let first = lines.iter().position(|line| line.live).expect("it was live");
    assert!(lines[first..].iter().all(|line| line.whole), "the book was never given up: {}", doubled.err);
    oversized.says(130, &["message of 2097152 bytes, more than 1048576 are not accepted"]);
    cut.says(130, &["market connection", "ended"]);
    for ended in [&oversized, &cut] {
        assert_eq!(gaps_and_resyncs(&whole(ended)), (0, 1));
    }
}

#[test]
fn a_silent_stream_ages_the_book_and_quotes_return_with_it() {
    let silent = |what: &str| format!("[[silences]]\n{what}after_orders = 2\nafter_ms = 2000\nfor_ms = 5000\n");
    // All streams; depth alone, while best bid/ask and trades still come: the age is the book's, not the socket's.
    let silences = [silent(""), silent("stream = \"depth\"\n")];
    for ended in together(silences, [&pulled_and_back; 2]) {
        whole(&ended);
    }
}

#[test]
fn a_first_snapshot_that_is_refused_is_asked_again_when_the_venue_said() {
    let [ended] = together([SNAPSHOT_WAITS.to_owned()], [&Running::until_quotes]);
    ended.says(130, &["rate limited (HTTP 429): nothing is asked for 3 s"]);
    let first = shown(&ended.err)[0];
    assert!(!first.live && first.quotes == 0, "{}", ended.err);
    assert_eq!(gaps_and_resyncs(&whole(&ended)), (0, 0));
}

#[test]
fn an_exchange_that_freezes_and_thaws_is_waited_out() {
    let exchange = Exchange::start("");
    let setup = Setup::on(&exchange);
    let mut run = setup.start_live();
    run.until_quotes();
    exchange.freeze();
    // While nothing answers no cancel is confirmed: the orders count as open, but the book is not traded on.
    run.until("the book's age", |lines| lines.last().is_some_and(|line| !line.live));
    run.wait_for("WARN the book of BTCUSDT is away for 3 s");
    exchange.thaw();
    run.wait_for("WARN the book of BTCUSDT is back after ");
    run.until_quotes();
    settled(&run.interrupted());
}
