//! COLD: a kill of a part: its quotes go and stay away over a restart, the rest trades on, until it is re-armed.

use serde_json::Value;

use crate::desk::Desk;
use crate::rig::{Exchange, Setup, number, settled};

/// Open orders of a symbol on the engine's account.
fn open(desk: &Desk, symbol: &str) -> usize {
    let rows = desk.ask("GET", "/fapi/v1/openOrders", &[("symbol", symbol)]);
    rows.as_array().map_or(0, Vec::len)
}

#[test]
fn a_killed_symbol_goes_and_stays_away_while_the_other_trades_on() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let exchange =
        Exchange::serving(folder, "binance-usdm", &["--listen", "127.0.0.1:0", "--symbols", "BTCUSDT,ETHUSDT"]);
    let setup = Setup::on(&exchange)
        .replace("run.toml", "symbols = [\"BTCUSDT\"]", "symbols = [\"BTCUSDT\", \"ETHUSDT\"]")
        .replace("run.toml", "order_size_base = \"0.001\"", "order_size_base = \"0.01\"");
    let desk = Desk::of_the_engine(&exchange);
    let both = |desk: &Desk| {
        // Two questions at a time: the venue's weight is soon used up.
        std::thread::sleep(std::time::Duration::from_millis(200));
        open(desk, "BTCUSDT") > 0 && open(desk, "ETHUSDT") > 0
    };
    let mut run = setup.start_live();
    desk.until("quotes in both", both);
    let kill = |arguments: &[&str]| setup.spinbook(&[&["kill", "-c", "run.toml", "--json"], arguments].concat());
    // A name that is not traded stops nothing, and leaves nothing behind.
    kill(&["--symbol", "BTCUSD"]).refuses(2, &["trades nothing of that name", "binance-usdm:ETHUSDT"]);
    let answer = kill(&["--symbol", "BTCUSDT"]).says(0, &[]).object();
    assert_eq!((&answer["confirmed"], &answer["symbols"]), (&true.into(), &serde_json::json!(["BTCUSDT"])), "{answer}");
    assert_eq!(open(&desk, "BTCUSDT"), 0, "when it is confirmed nothing is open");
    run.wait_for("killed: symbol BTCUSDT (BTCUSDT)");
    desk.until("quotes in the other", |desk| open(desk, "ETHUSDT") > 0);
    assert_eq!(open(&desk, "BTCUSDT"), 0);
    let again = kill(&["--symbol", "BTCUSDT", "--venue", "binance-usdm"]).says(0, &[]).object();
    assert_eq!(again["already_there"], Value::Bool(false), "another part, though it is the same here: {again}");
    // Re-armed where it runs, and killed once more.
    let rearm = |arguments: &[&str]| -> Value {
        let verb = ["rearm", "-c", "run.toml", "--reason", "looked at it", "--json"];
        setup.spinbook(&[verb.as_slice(), arguments].concat()).says(0, &[]).object()
    };
    assert_eq!(rearm(&["--symbol", "ETHUSDT"])["kills"], serde_json::json!([]), "that one was never killed");
    let lifted = rearm(&["--symbol", "BTCUSDT"]);
    assert_eq!(lifted["kills"].as_array().map(Vec::len), Some(2), "{lifted}");
    assert_eq!(lifted["symbols"], serde_json::json!(["BTCUSDT"]), "{lifted}");
    desk.until("quotes in both", both);
    kill(&["--symbol", "BTCUSDT"]).says(0, &[]);
    assert_eq!(open(&desk, "BTCUSDT"), 0);
    let report = settled(&run.interrupted());
    assert!(number(&report, "/kill_to_wire_ns/count") >= 3, "two kills and the end: {report}");
    let said = setup.spinbook(&["journal", "state/journal/live", "--kind", "operator"]);
    said.says(0, &[]);
    for word in ["word kill", "word rearm", "scope symbol BTCUSDT", "reason looked at it ("] {
        assert!(said.out.contains(word), "no `{word}` in {}", said.out);
    }

    // It survives the restart, and only a person's word lifts it.
    let mut run = setup.start_live();
    desk.until("quotes in the other", |desk| open(desk, "ETHUSDT") > 0);
    run.wait_for("killed: symbol BTCUSDT (BTCUSDT)");
    assert_eq!(open(&desk, "BTCUSDT"), 0);
    settled(&run.interrupted());
    let lifted = rearm(&["--symbol", "BTCUSDT"]);
    assert_eq!(lifted["kills"].as_array().map(Vec::len), Some(1), "{lifted}");
    let run = setup.start_live();
    desk.until("quotes in both", both);
    settled(&run.interrupted());
}

#[test]
fn a_killed_venue_and_strategy_leave_nothing_open_and_the_engine_runs_on() {
    let exchange = Exchange::start("");
    let setup = Setup::on(&exchange);
    let desk = Desk::of_the_engine(&exchange);
    let mut run = setup.start_live();
    run.until_quotes();
    setup.spinbook(&["kill", "-c", "run.toml", "--venue", "binance-usdm"]).says(0, &[]);
    assert!(desk.open_orders().is_empty());
    setup.spinbook(&["kill", "-c", "run.toml", "--strategy", "spread"]).says(0, &[]);
    let lines = crate::rig::shown(&run.err()).len();
    run.until("a second and more without quotes", |shown| shown.len() > lines + 2);
    assert!(desk.open_orders().is_empty());
    // Without a part it is the end, heard and answered over the socket.
    setup.spinbook(&["kill", "-c", "run.toml"]).says(0, &[]);
    run.end().says(130, &["spinbook kill: cancelling everything"]);
    assert!(!setup.path("state/kill.socket").exists(), "nobody listens any more");
}

#[test]
fn a_part_that_is_killed_while_no_engine_runs_is_not_quoted_by_the_next_one() {
    let exchange = Exchange::start("");
    let setup = Setup::on(&exchange);
    let mut run = setup.start_live();
    run.until_quotes();
    settled(&run.interrupted());
    let kill = ["kill", "-c", "run.toml", "--symbol", "BTCUSDT", "--json"];
    setup.spinbook(&kill).refuses(1, &["no engine runs", "nothing was cancelled", "symbol BTCUSDT: latched"]);
    let mut run = setup.start_live();
    run.wait("a live book that is not quoted", |err| err.matches("not quoting: trading is stopped").count() > 2);
    let report = settled(&run.interrupted());
    assert_eq!(number(&report, "/orders/sent"), 0, "{report}");
}
