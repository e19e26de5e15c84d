//! COLD: several venues in one run: both are traded, one of them dies, the other goes on.

use serde_json::Value;

use crate::desk::Desk;
use crate::rig::{Exchange, Running, SetupOfTwo, number, program};

/// Both exchanges, one run on them in live mode.
fn start() -> (Exchange, Exchange, SetupOfTwo) {
    let (spot, futures) = (Exchange::spot(""), Exchange::start(""));
    let setup = SetupOfTwo::on(&spot, &futures);
    (spot, futures, setup)
}

/// The lines about a symbol that the run showed so far.
fn lines<'a>(err: &'a str, symbol: &'a str) -> impl Iterator<Item = &'a str> {
    err.lines().filter(move |line| line.contains(symbol) && line.contains("  ours "))
}

/// Whether the newest line of a symbol shows a live book with a quote of ours on both sides.
fn quotes(err: &str, symbol: &str) -> bool {
    lines(err, symbol).last().is_some_and(|line| {
        let ours = line.split("  ours ").nth(1).and_then(|rest| rest.split("  ").next()).unwrap_or_default();
        line.contains(&format!("{symbol} live ")) && !ours.split(" / ").any(|quote| quote == "-")
    })
}

/// Executions that the newest line of a symbol shows.
fn fills(err: &str, symbol: &str) -> u64 {
    let last = lines(err, symbol).last();
    let text = last.and_then(|line| line.split("  fills ").nth(1)).and_then(|rest| rest.split("  ").next());
    text.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
}

const SPOT: &str = "binance-spot:BTCUSDT";
const FUTURES: &str = "binance-usdm:BTCUSDT";

fn venue<'a>(report: &'a Value, name: &str) -> &'a Value {
    let venue = &report["venues"][name];
    assert!(venue.is_object(), "no {name} in {report}");
    venue
}

#[test]
fn two_venues_are_traded_by_one_engine_and_both_accounts_agree() {
    let (_spot, _futures, setup) = start();
    let mut run = setup.start_live();
    run.wait("quotes and fills on both", |err| {
        [SPOT, FUTURES].iter().all(|symbol| quotes(err, symbol) && fills(err, symbol) > 0)
    });
    let ended = run.interrupted();
    let report = ended.says(130, &[]).object();
    assert_eq!(report["venue"], "all", "{report}");
    assert_eq!(report["symbols"], serde_json::json!([SPOT, FUTURES]));
    assert_eq!(number(&report, "/books/live"), 2, "{report}");
    assert_eq!(report["account"], report["venue_account"], "{report}");
    let mut sums = [0, 0];
    for (name, symbol) in [("binance-spot", SPOT), ("binance-usdm", FUTURES)] {
        let venue = venue(&report, name);
        assert_eq!(venue["account"], venue["venue_account"], "{report}");
        assert!(venue["account"]["position"][symbol].is_string(), "{report}");
        assert!(number(venue, "/orders/acked") > 0, "{report}");
        assert_eq!(number(venue, "/orders/open_at_exit") + number(venue, "/orders/unknown"), 0, "{report}");
        sums[0] += number(venue, "/orders/sent");
        sums[1] += number(venue, "/orders/acked");
    }
    assert_eq!([number(&report, "/orders/sent"), number(&report, "/orders/acked")], sums, "{report}");
    assert_eq!(number(&report, "/hot_allocations/decision"), 0, "{report}");
}

#[test]
fn when_one_venue_dies_the_other_goes_on_quoting_and_ends_with_nothing_open() {
    let (spot, mut futures, setup) = start();
    let mut run = setup.start_live();
    run.wait("quotes on both", |err| [SPOT, FUTURES].iter().all(|symbol| quotes(err, symbol)));
    futures.kill();
    run.wait("a lost book", |err| lines(err, FUTURES).last().is_some_and(|line| line.contains("lost")));
    let (shown, filled) = (lines(&run.err(), SPOT).count(), fills(&run.err(), SPOT));
    run.wait("quotes and further fills on the living one", |err| {
        lines(err, SPOT).count() > shown + 3 && quotes(err, SPOT) && fills(err, SPOT) > filled
    });
    assert!(!quotes(&run.err(), FUTURES), "{}", run.err());
    let alive = Desk::of_the_engine(&spot);
    alive.until("orders on the living one", |desk| !desk.open_orders().is_empty());
    run.interrupt();
    run.wait_for("cancelling everything");
    // What can be cancelled is, though the dead one never confirms; only a second word ends the wait for that one.
    alive.until("an end of the orders on the living one", |desk| desk.open_orders().is_empty());
    let ended = run.interrupted();
    let report = ended.says(1, &["binance-usdm: the account could not be compared", "may still be open on"]).object();
    assert!(alive.open_orders().is_empty(), "nothing was placed while it waited");
    let living = venue(&report, "binance-spot");
    assert_eq!(number(living, "/orders/open_at_exit") + number(living, "/orders/unknown"), 0, "{report}");
    // Whoever leaves at once asks no venue any more, so it is asked here.
    assert!(living["venue_account"].is_null(), "{report}");
    assert_eq!(living["account"]["position"][SPOT], alive.spot_balance("BTC"), "{report}");
    let dead = venue(&report, "binance-usdm");
    assert!(dead["venue_account"].is_null(), "{report}");
    // What stood there when it died may still stand there.
    assert!(number(dead, "/orders/open_at_exit") + number(dead, "/orders/unknown") > 0, "{report}");
    assert!(report["venue_account"].is_null(), "a sum of one account is none: {report}");
}

#[test]
fn paper_and_shadow_run_on_both_venues() {
    let (_spot, _futures, setup) = start();
    let mut run = setup.start_run("paper");
    run.wait("quotes on both", |err| [SPOT, FUTURES].iter().all(|symbol| quotes(err, symbol)));
    let report = run.interrupted().says(130, &[]).object();
    assert_eq!(report["account"], report["venue_account"], "{report}");
    assert_eq!(number(&report, "/orders/open_at_exit"), 0, "{report}");
    let mut run = setup.start_run("shadow");
    run.wait("both books", |err| [SPOT, FUTURES].iter().all(|symbol| err.contains(&format!("{symbol} live "))));
    let report = run.interrupted().says(130, &[]).object();
    assert_eq!(number(&report, "/books/live"), 2, "{report}");
    assert!(report["venue_account"].is_null() && number(&report, "/fills") == 0, "{report}");
}

#[test]
fn each_venue_needs_its_own_account_and_its_own_table() {
    let (spot, _futures, setup) = start();
    let live = |account: &[&str]| {
        let mut arguments = vec!["run", "-c", "run.toml", "--mode", "live", "--json"];
        arguments.extend(account);
        setup.spinbook(&arguments)
    };
    live(&[]).refuses(2, &["live trading needs --account", "binance-spot=ID,binance-usdm=ID"]);
    live(&["--account", "1000001"]).refuses(2, &["`1000001` names no venue"]);
    live(&["--account", "binance-spot=1000001"]).refuses(2, &["none is named for binance-usdm"]);
    live(&["--account", "binance-spot=1000001,okx=1"]).refuses(2, &["there is no [[market]] of `okx`"]);
    live(&["--account", "binance-spot=1,binance-usdm=sim0"])
        .refuses(2, &["--account is not the account", "`uid` says 1000001", "binance-spot=1000001"]);
    let second = "[[market]]\nvenue = \"binance-spot\"\nsymbols = [\"ETHUSDT\"]\n";
    setup.append("run.toml", second);
    live(&["--account", "binance-spot=1000001,binance-usdm=sim0"])
        .refuses(2, &["binance-spot has a [[market]] already"]);
    drop(spot);
}

#[test]
fn the_demo_of_all_venues_trades_on_each() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut command = program(folder.path());
    command.args(["demo", "--seconds", "10", "--venue", "all", "--seed", "7", "--unpinned", "--json"]);
    let report = Running::start(command).end().says(0, &[]).object();
    assert_eq!(report["venue"], "all", "{report}");
    assert_eq!(number(&report, "/books/live"), 2, "{report}");
    assert_eq!(report["account"], report["venue_account"], "{report}");
    for name in ["binance-spot", "binance-usdm"] {
        assert!(number(venue(&report, name), "/orders/acked") > 0, "{report}");
        assert_eq!(number(venue(&report, name), "/orders/open_at_exit"), 0, "{report}");
    }
    let mut command = program(folder.path());
    command.args(["demo", "--venue", "all", "--data", "x.gz", "--json"]);
    Running::start(command).end().refuses(2, &["a recording is of one venue"]);
}
