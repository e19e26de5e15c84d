//! COLD: an exchange that says what cannot be: executions with garbage in them, a server that falls mute, an account
//! that is kept otherwise than the engine reckons, and another engine on it.

use crate::desk::Desk;
use crate::rig::{Ended, Exchange, Running, Setup, number, settled};

/// The first execution that is told has `garbage` in it.
fn garbage(garbage: &str) -> String {
    format!("[[executions]]\nnth = 1\ncount = 1000000\nset = {{ {garbage} }}\n")
}

/// Trades on an exchange with these faults until its bid was hit, and is interrupted; with what the exchange then says of
/// the position.
fn hit(faults: &str) -> (Ended, String) {
    let exchange = Exchange::start(faults);
    let setup = Setup::on(&exchange);
    let run = setup.start_live();
    let ours = Desk::of_the_engine(&exchange);
    ours.until("an order or an execution", |desk| !desk.open_orders().is_empty() || desk.has_traded());
    Desk::of_another(&exchange).sells_through_the_bids();
    ours.until("an execution", Desk::has_traded);
    // It may have halted by itself already.
    let ended = run.interrupted();
    assert!(ours.open_orders().is_empty(), "orders are left: {}", ended.err);
    (ended, ours.position())
}

/// What was filled is either booked as it was, or not at all; and then the exit code and the report say so.
#[track_caller]
fn never_silently_wrong(ended: &Ended, held: &str) {
    let report = ended.object();
    let (ours, theirs) = (&report["account"], &report["venue_account"]);
    assert_eq!(theirs["position"]["BTCUSDT"], held, "it was asked for: {report}\n{}", ended.err);
    if ours == theirs {
        assert!([130, 1].contains(&ended.code), "{}: {report}", ended.code);
        return;
    }
    assert_eq!(ours["position"]["BTCUSDT"], "0.000", "of garbage nothing is booked: {report}");
    // An order that is filled and whose execution is missing is not called settled: that comes before what differs.
    assert!([1, 3].contains(&ended.code), "{}: {report}", ended.code);
    ended.says(ended.code, &["our account and the venue's differ"]);
    assert_eq!(number(&report, "/fills"), 0, "{report}");
}

#[test]
fn an_execution_with_garbage_in_it_is_not_booked_and_the_position_is_compared() {
    let long = "9".repeat(170);
    let cases = [
        "L = \"-64000.0\"".to_owned(),
        "L = \"NaN\"".to_owned(),
        "s = \"ETHUSDT\"".to_owned(),
        "t = \"0\"".to_owned(),
        "l = \"0.0005\"".to_owned(),
        format!("n = \"{long}\""),
    ];
    // All at once: mostly they wait for executions that never come.
    std::thread::scope(|scope| {
        let hit: Vec<_> = cases.iter().map(|case| scope.spawn(move || (case, hit(&garbage(case))))).collect();
        for thread in hit {
            let (case, (ended, held)) = thread.join().expect("its own assertions hold");
            println!("{case}: exit {}, the exchange holds {held}", ended.code);
            never_silently_wrong(&ended, &held);
        }
    });
}

#[test]
fn executions_that_are_lost_or_doubled_are_compared_as_well() {
    let (lost, held) = hit("[[executions]]\nnth = 1\ncount = 1000000\ntimes = 0\n");
    never_silently_wrong(&lost, &held);
    let (doubled, _) = hit("[[executions]]\nnth = 1\ncount = 1000000\ntimes = 2\n");
    settled(&doubled);
}

/// Whether a line of the state shows a position.
fn is_booked(line: &str) -> bool {
    let held = line.split(" position ").nth(1).and_then(|rest| rest.split_whitespace().next());
    held.is_some_and(|held| held.bytes().any(|byte| (b'1'..=b'9').contains(&byte)))
}

#[test]
fn an_execution_whose_message_never_comes_is_booked_from_the_account_while_quotes_stand() {
    let exchange = Exchange::start("[[executions]]\nnth = 1\ncount = 1000000\ntimes = 0\n");
    let setup = Setup::on(&exchange);
    let mut run = setup.start_live();
    run.until_quotes();
    Desk::of_another(&exchange).sells_through_the_bids();
    run.wait("a fill that was booked", |err| err.lines().any(is_booked));
    let ended = run.interrupted();
    let report = settled(&ended);
    assert!(number(&report, "/fills") > 0, "{report}");
    assert_eq!(report["account"], report["venue_account"], "{report}");
}

#[test]
fn a_server_that_falls_mute_and_then_goes_leaves_a_position_that_is_said_to_be_uncompared() {
    let mut exchange = Exchange::start("");
    let setup = Setup::on(&exchange);
    let mut run = setup.start_live();
    run.until_quotes();
    Desk::of_another(&exchange).sells_through_the_bids();
    run.wait("a fill that was booked", |err| err.lines().any(is_booked));
    exchange.freeze();
    run.until("a book that is not live", |lines| lines.last().is_some_and(|line| !line.live));
    exchange.kill();
    run.interrupt();
    run.wait_for("cancelling everything");
    // Nobody is left who could confirm: the second leaves at once.
    let ended = run.interrupted();
    ended.says(1, &["the account could not be compared with the venue's", "may still be open on binance-usdm"]);
    let report = ended.object();
    assert!(report["venue_account"].is_null(), "{report}");
    assert!(report["not_compared"][0].as_str().is_some_and(|why| why.contains("could not be compared")), "{report}");
    assert_ne!(report["account"]["position"]["BTCUSDT"], "0.000", "{report}");
}

#[test]
fn hedge_mode_is_refused_before_the_account_holds_anything() {
    let hedged =
        "[[answers]]\npath = \"/fapi/v1/positionSide/dual\"\ncount = 100\nbody = '{\"dualSidePosition\":true}'\n";
    let exchange = Exchange::start(hedged);
    let setup = Setup::on(&exchange);
    setup.live().refuses(2, &["hedge mode", "dualSidePosition", "one-way mode"]);
    assert_eq!(Desk::of_the_engine(&exchange).open_orders().len(), 0);
    // What cannot be understood is no leave to trade either.
    let exchange = Exchange::start(&hedged.replace("true", "\"perhaps\""));
    Setup::on(&exchange).live().says(1, &["the venue's answer about positions is not understood", "dualSidePosition"]);
}

/// Two state directories for one account.
fn two_setups(exchange: &Exchange) -> [Setup; 2] {
    [Setup::on(exchange), Setup::on(exchange)]
}

#[test]
fn a_second_engine_on_one_account_is_refused_and_the_first_goes_on() {
    let exchange = Exchange::start("");
    let [first, second] = two_setups(&exchange);
    let mut run = first.start_live();
    run.until_quotes();
    second.live().refuses(1, &["another engine trades on this account", "is open", "--take-over", "stop the other"]);
    let acked = |run: &Running| crate::rig::shown(&run.err()).last().expect("a line").acked;
    let before = acked(&run);
    run.until("orders after the second was refused", |lines| lines.last().is_some_and(|line| line.acked > before));
    settled(&run.interrupted());
    // It has ended in order: nothing of it is open, and nothing more comes of it.
    let mut run = second.start_live();
    run.until_quotes();
    settled(&run.interrupted());
}

/// Two that start in one second draw the same number, since it is the time of the start.
#[test]
fn an_engine_that_drew_the_number_of_ours_is_not_taken_for_ours_by_the_next_start() {
    let exchange = Exchange::start("");
    let [first, second] = two_setups(&exchange);
    for setup in [&first, &second] {
        std::fs::create_dir(setup.path("state")).expect("a new folder");
        setup.write("state/run", "4000000000\n", 0o644);
    }
    let mut run = first.start_live();
    run.until_quotes();
    for word in ["run 4000000001", "another run with the number of one of ours"] {
        second.live().refuses(1, &["another engine trades on this account", word]);
        assert!(!Desk::of_the_engine(&exchange).open_orders().is_empty(), "whoever is refused cancels nothing");
    }
    settled(&run.interrupted());
}

#[test]
fn what_a_killed_engine_with_a_lost_state_directory_left_is_taken_over_by_a_persons_word() {
    let exchange = Exchange::start("");
    let [lost, next] = two_setups(&exchange);
    let mut run = lost.start_live();
    run.until_quotes();
    run.kill();
    drop((run, lost));
    next.live().refuses(1, &["another engine trades on this account"]);
    let ours = Desk::of_the_engine(&exchange);
    let left = ours.open_orders();
    assert!(!left.is_empty(), "what was refused has cancelled nothing");
    let word = ["run", "-c", "run.toml", "--mode", "live", "--account", "sim0", "--json", "--take-over"];
    let mut run = next.start(&word);
    run.wait("whose orders were taken over", |err| err.contains("taken over from"));
    run.until_quotes();
    let open = ours.open_orders();
    assert!(left.iter().all(|order| open.iter().all(|other| other["orderId"] != order["orderId"])), "{open:?}");
    settled(&run.interrupted());
    assert!(ours.open_orders().is_empty());
    // Killed with a directory that is still there, the next start needs nobody's word: its runs are known.
    let mut run = next.start_live();
    run.until_quotes();
    run.kill();
    let mut run = next.start_live();
    run.until_quotes();
    settled(&run.interrupted());
}
