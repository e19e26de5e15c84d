//! COLD: orders that are refused, limited, unanswered or orphaned, and a run that is interrupted or loses its exchange.

use crate::rig::{Exchange, Running, Setup, number, settled, together};

fn refuse(nth: u64, count: u64, status: u16, code: i64, message: &str, extra: &str) -> String {
    format!(
        "[[requests]]\non = \"place\"\nnth = {nth}\ncount = {count}\naction = \"refuse\"\nstatus = {status}\ncode = {code}\n\
         message = \"{message}\"\n{extra}\n"
    )
}

/// So many were accepted and refused.
fn answered(acked: u64, rejected: u64) -> impl Fn(&mut Running) {
    move |run| {
        run.until("accepted and refused orders", |lines| {
            lines.last().is_some_and(|line| line.acked >= acked && line.rejected >= rejected)
        });
    }
}

/// A few seconds passed since an order was refused.
fn refused_for(run: &mut Running) {
    run.until("time after a refusal", |lines| lines.iter().filter(|line| line.rejected > 0).count() > 3);
}

#[test]
fn refusals_of_price_and_quantity_rules_are_counted_and_not_repeated() {
    // What the engine sends by itself is never off the rules: without a fault nothing is refused.
    let [none, tick, precision, always] = together(
        [
            String::new(),
            refuse(1, 1, 400, -4014, "Price not increased by tick size.", ""),
            refuse(2, 2, 400, -1111, "Precision is over the maximum defined for this asset.", ""),
            refuse(1, 1_000_000, 400, -1013, "Filter failure: PRICE_FILTER", ""),
        ],
        [&answered(1, 0), &answered(1, 1), &answered(1, 2), &|run| run.wait_for("refused too many orders")],
    );
    let report = settled(&none);
    assert!(number(&report, "/orders/acked") > 0, "{report}");
    assert!(!none.err.contains("price and quantity rules"), "{}", none.err);
    for (ended, count, code) in [(&tick, 1, "code -4014"), (&precision, 2, "code -1111")] {
        let report = settled(ended);
        assert!(number(&report, "/orders/rejected") >= count, "{report}");
        assert!(number(&report, "/orders/acked") > 0, "{report}");
        ended.says(130, &[&format!("refused {count} requests for its price and quantity rules"), code, "start again"]);
    }
    // That many refusals in a row are a control's business, which the exit code says.
    always.says(4, &["the venue's last refusal: status 400, code -1013: Filter failure: PRICE_FILTER"]);
    let report = always.object();
    assert_eq!(report["ended"], "risk:reject_storm", "{report}");
    let (sent, rejected) = (number(&report, "/orders/sent"), number(&report, "/orders/rejected"));
    assert_eq!((number(&report, "/orders/acked"), number(&report, "/fills")), (0, 0), "{report}");
    assert_eq!(sent, rejected, "{report}");
    // Two slots, each with growing pauses: not the 80 orders that the message limit would let through.
    assert!((2..=24).contains(&sent), "{report}");
}

#[test]
fn too_many_requests_pause_orders_for_as_long_as_the_venue_says() {
    let retry = "retry_after_seconds = 2";
    let [weight, orders, long] = together(
        [
            refuse(3, 1, 429, -1003, "Too many requests.", retry),
            refuse(3, 1, 429, -1015, "Too many new orders.", retry),
            refuse(3, 1, 429, -1015, "Too many new orders.", "retry_after_seconds = 60"),
        ],
        [&answered(4, 1), &answered(4, 1), &refused_for],
    );
    // For a whole minute not one order more, and still every cancel gets through.
    let report = settled(&long);
    assert!(number(&report, "/orders/sent") <= 4, "two were open, one was refused, one was on its way: {report}");
    assert!(number(&report, "/orders/canceled") + number(&report, "/orders/filled") >= 2, "{report}");
    for ended in [&weight, &orders] {
        let report = settled(ended);
        assert!(number(&report, "/orders/rejected") >= 1, "{report}");
        // They went on afterwards, and every cancel got through.
        assert!(number(&report, "/orders/acked") >= 4, "{report}");
        let (acked, canceled) = (number(&report, "/orders/acked"), number(&report, "/orders/canceled"));
        assert!(canceled + number(&report, "/orders/filled") >= acked, "{report}");
    }
}

/// Orders were accepted and cancelled beside the one that nothing was heard of.
fn went_on(run: &mut Running) {
    run.until("cancelled orders", |lines| {
        lines.len() > 4 && lines.last().is_some_and(|line| line.acked >= 2 && line.canceled >= 2)
    });
}

#[test]
fn an_order_without_an_answer_is_unknown_until_the_venue_is_asked() {
    let [lost, late, never] = together(
        [
            "[[requests]]\non = \"place\"\nnth = 2\naction = \"lose_reply\"\n".to_owned(),
            "[[requests]]\non = \"cancel\"\nnth = 1\naction = \"delay_reply\"\ndelay_ms = 1500\n".to_owned(),
            // It does not know the outcome, it says, and the order never comes to be.
            refuse(2, 1, 503, -1007, "Timeout waiting for response from backend server.", ""),
        ],
        [&went_on, &went_on, &answered(2, 1)],
    );
    for ended in [&lost, &late, &never] {
        assert!(number(&settled(ended), "/orders/acked") > 0);
    }
    // Two questions behind its window decide it, and user data's sign of life behind them; so near the touch a post-only
    // order may be refused as well.
    assert!(number(&settled(&never), "/orders/rejected") >= 1);
    // It was never acknowledged and is not called rejected: the user data or a question told how it ended.
    let report = settled(&lost);
    let answered = number(&report, "/orders/acked") + number(&report, "/orders/rejected");
    assert!(answered < number(&report, "/orders/sent"), "{report}");
}

#[test]
fn a_key_that_is_revoked_while_trading_halts_cancels_and_says_so() {
    let why = "Invalid API-key, IP, or permissions for action.";
    let revoked = "[[requests]]\non = \"other\"\nnth = 14\ncount = 1000000\naction = \"refuse\"\nstatus = 401\ncode = -2015\nmessage = \"Invalid API-key, IP, or permissions for action.\"\n";
    let exchanges =
        [refuse(5, 1_000_000, 401, -2015, why, ""), revoked.to_owned()].map(|faults| Exchange::start(&faults));
    let setups = exchanges.each_ref().map(Setup::on);
    // A halted run ends by itself.
    let [orders, session] = setups.each_ref().map(Setup::start_live).map(Running::end);
    for ended in [&orders, &session] {
        ended.says(
            1,
            &["trading was halted", "code -2015", why, "the API key is unknown, lacks the trading permission"],
        );
        let report = ended.object();
        assert_eq!(number(&report, "/orders/unknown") + number(&report, "/orders/open_at_exit"), 0, "{report}");
    }
    // Cancels were still accepted, so what was open is not any more.
    let report = orders.object();
    assert!(number(&report, "/orders/canceled") > 0, "{report}");
    assert_eq!(report["account"], report["venue_account"], "{report}");
    // Without a session nothing was ever sent.
    assert_eq!(number(&session.object(), "/orders/sent"), 0);
}

#[test]
fn a_killed_exchange_is_tried_until_a_second_interrupt_leaves_with_what_may_be_open() {
    let mut exchange = Exchange::start("");
    let setup = Setup::on(&exchange);
    let mut run = setup.start_live();
    run.until_quotes();
    exchange.kill();
    let refused = "connection refused: is the address right and the exchange running?";
    run.wait_for(refused);
    run.interrupt();
    let draining = "cancelling everything and waiting for the venue's confirmation; Ctrl-C again leaves at once";
    run.wait_for(draining);
    // Nobody can confirm, so it does not end by itself: it goes on knocking, however long.
    run.wait("a further try to reach the venue", |err| {
        err.split_once(draining).is_some_and(|(_, behind)| behind.matches(refused).count() > 1)
    });
    let ended = run.interrupted();
    ended.says(
        1,
        &[
            "SIGINT: left at once: ",
            "may still be open on binance-usdm",
            "the account could not be compared",
            "look at the account",
        ],
    );
    let report = ended.object();
    let unsettled = number(&report, "/orders/unknown") + number(&report, "/orders/open_at_exit");
    assert!(unsettled > 0, "orders stood when it died: {report}");
    assert!(report["venue_account"].is_null(), "{report}");
    let why = report["not_compared"][0].as_str().expect("a reason");
    assert!(why.contains("could not be compared"), "{report}");
    assert_eq!(number(&report, "/books/live"), 0, "{report}");
}

#[test]
fn the_first_interrupt_cancels_everything_and_reports() {
    for exchange in [Exchange::start(""), Exchange::spot("")] {
        let setup = Setup::on(&exchange);
        let mut run = setup.start_live();
        run.until_quotes();
        let ended = run.interrupted();
        ended.says(130, &["cancelling everything and waiting for the venue's confirmation"]);
        let report = ended.object();
        assert!(number(&report, "/orders/canceled") > 0, "{report}");
        assert_eq!(number(&report, "/orders/unknown") + number(&report, "/orders/open_at_exit"), 0, "{report}");
        assert_eq!(report["account"], report["venue_account"], "{report}");
    }
}

#[test]
fn the_second_interrupt_leaves_at_once_and_prints_what_is_open() {
    let exchange = Exchange::start("");
    let setup = Setup::on(&exchange);
    let mut run = setup.start_live();
    run.until_quotes();
    exchange.freeze();
    run.interrupt();
    run.wait_for("cancelling everything");
    let ended = run.interrupted();
    // It did not wait for the venue until its own patience was over: then it would say something else.
    ended.says(1, &["left at once", "orders may still be open on binance-usdm", "BTCUSDT bid 0.001 at "]);
    let report = ended.object();
    assert!(number(&report, "/orders/unknown") + number(&report, "/orders/open_at_exit") > 0, "{report}");
}

#[test]
fn an_interrupt_before_anything_is_ordered_ends_at_once() {
    let exchange = Exchange::start("");
    let setup = Setup::on(&exchange);
    exchange.freeze();
    let mut run = setup.start_live();
    run.wait_for("credentials from");
    // Who waited for the frozen exchange instead would end with another code.
    run.interrupted().says(130, &[]);
}

#[test]
fn orders_of_a_killed_engine_are_cancelled_by_the_next_one() {
    let exchange = Exchange::start("");
    let setup = Setup::on(&exchange);
    let mut first = setup.start_live();
    first.until_quotes();
    first.kill();
    let mut second = setup.start_live();
    answered(1, 0)(&mut second);
    let report = settled(&second.interrupted());
    assert!(number(&report, "/orders/acked") > 0, "{report}");
}

#[test]
fn the_kill_verb_ends_a_run_as_an_interrupt_does() {
    let exchange = Exchange::start("");
    let setup = Setup::on(&exchange);
    let mut run = setup.start_live();
    run.until_quotes();
    let killed = setup.spinbook(&["kill", "--state-dir", "state"]);
    killed.says(0, &[]);
    assert!(killed.out.contains("the venue confirmed: nothing is open"), "{}", killed.out);
    let ended = run.end();
    assert_ne!(ended.code, 0, "{}", ended.err);
    assert_eq!(number(&ended.object(), "/orders/open_at_exit"), 0);
    // Only a person may take the file away.
    setup.live().says(2, &["kill"]);
}
