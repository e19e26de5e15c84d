//! COLD: two order connections: what the first does not answer leaves by the second.

use crate::cancel_path::sent;
use crate::scripted_venue::{
    Desk, EPOCH, PRODUCTS, Rest, Verdict, ed25519, hmac, quantity, refuse, settings, some_lots,
};
use spinbook_engine::types::{InstrumentId, Nanos, OrderId, Side};
use spinbook_feed::crypto::credentials::Credentials;
use spinbook_feed::gateway::GatewaySettings;
use spinbook_feed::venue::binance::request_ids::CLIENT_IDS;
use spinbook_feed::venue::order_side::OrderConnection;
use spinbook_feed::venue::order_side::OrderConnection::{Orders, Spare};
use spinbook_feed::venue::{ProductLine, binance};

fn ms(count: i64) -> Nanos {
    Nanos::from_millis(count)
}

fn desk(product: ProductLine, credentials: Credentials) -> Desk {
    desk_of(product, credentials, settings(product))
}

fn desk_of(product: ProductLine, credentials: Credentials, choices: GatewaySettings) -> Desk {
    let choices = GatewaySettings { spare_connection: true, ..choices };
    let mut desk = Desk::new(product, credentials, choices);
    desk.is_punctual = true;
    desk.start();
    desk.pass(ms(2_000));
    assert!(desk.gateway.is_ready(), "{:?}", desk.gateway.halt_message());
    assert!(desk.connects.iter().any(|(_, connection, _)| *connection == OrderConnection::Spare));
    desk.requests.clear();
    desk.ways.clear();
    desk.connects.clear();
    desk
}

fn each(mut test: impl FnMut(Desk)) {
    for product in PRODUCTS {
        test(desk(product, hmac()));
        test(desk(product, ed25519()));
    }
}

fn spare_requests(desk: &Desk) -> Vec<&str> {
    let on_spare = |(way, _): &(&OrderConnection, &str)| **way == OrderConnection::Spare;
    desk.ways.iter().zip(desk.methods()).filter(on_spare).map(|(_, method)| method).collect()
}

#[test]
fn a_cancel_without_an_answer_leaves_by_the_second_connection() {
    each(|mut desk| {
        let order = desk.place_order(1, Side::Bid);
        desk.dark = vec![OrderConnection::Orders];
        desk.cancel_order(order);
        desk.pass(ms(490));
        assert_eq!(desk.open_at_venue(), 1);
        desk.pass(ms(20));
        assert_eq!(desk.open_at_venue(), 0, "{:?}", desk.methods());
        assert_eq!(desk.gateway.counters().second_ways, 1);
        // The first says nothing at all: it is replaced.
        let closes = desk.closes;
        desk.pass(ms(4_000));
        assert!(desk.closes > closes);
    });
}

#[test]
fn with_the_first_connection_gone_the_second_cancels_at_once() {
    each(|mut desk| {
        desk.place_order(1, Side::Bid);
        desk.place_order(2, Side::Ask);
        desk.unreachable = vec![OrderConnection::Orders];
        desk.drop_connection(OrderConnection::Orders);
        assert_eq!(desk.open_at_venue(), 0, "{:?}", desk.methods());
        assert_eq!(spare_requests(&desk), ["openOrders.cancelAll"]);
        assert!(!desk.gateway.is_ready(), "no new orders by the second connection");
        desk.unreachable.clear();
        desk.pass(ms(5_000));
        assert!(desk.gateway.is_ready());
    });
}

#[test]
fn a_shutdown_with_the_first_connection_silent_cancels_by_the_second() {
    each(|mut desk| {
        desk.place_order(1, Side::Bid);
        desk.dark = vec![OrderConnection::Orders];
        desk.gateway.cancel_all(desk.now);
        desk.carry();
        desk.pass(ms(600));
        assert_eq!(desk.open_at_venue(), 0, "{:?}", desk.methods());
        desk.dark.clear();
        desk.pass(ms(20_000));
        assert!(desk.gateway.is_quiet());
    });
}

#[test]
fn the_second_connection_is_logged_on_by_itself_and_signs_as_its_own_session_needs() {
    let mut desk = desk(binance::SPOT, ed25519());
    let order = desk.place_order(1, Side::Bid);
    assert!(desk.requests.last().unwrap().2["params"].get("signature").is_none());
    desk.dark = vec![OrderConnection::Orders];
    desk.cancel_order(order);
    desk.pass(ms(510));
    let (_, method, request) = desk.requests.iter().rev().find(|(_, method, _)| method == "order.cancel").unwrap();
    assert!(request["params"].get("signature").is_none(), "{method}: logged on there as well");
    // Replaced, it logs on again before it carries anything.
    desk.dark.clear();
    desk.pass(ms(5_000));
    desk.requests.clear();
    desk.ways.clear();
    desk.drop_connection(OrderConnection::Spare);
    desk.pass(ms(1_000));
    assert_eq!(spare_requests(&desk), ["session.logon"]);
    assert!(desk.gateway.is_ready(), "the first goes on alone meanwhile");
}

#[test]
fn a_dead_second_connection_is_noticed_and_replaced_while_nothing_needs_it() {
    each(|mut desk| {
        desk.dark = vec![OrderConnection::Spare];
        let closes = desk.closes;
        desk.pass(ms(15_000));
        assert!(desk.closes > closes && spare_requests(&desk).contains(&"time"));
        assert!(desk.gateway.is_ready(), "and disturbs nothing");
    });
}

#[test]
fn two_connections_that_are_down_are_tried_in_turn_within_the_venues_limit() {
    let mut desk = desk(binance::SPOT, hmac());
    desk.place_order(1, Side::Bid);
    desk.reachable = false;
    desk.rest = Rest::Fails;
    desk.drop_connection(OrderConnection::Orders);
    desk.drop_connection(OrderConnection::Spare);
    // The spare may have cancelled it in between: what counts is an order that may live.
    desk.place_order(2, Side::Bid);
    desk.connects.clear();
    desk.gateway.cancel_all(desk.now);
    desk.carry();
    desk.pass(ms(1_200_000));
    let times: Vec<i64> = desk.connects.iter().map(|(at, _, _)| at.0).collect();
    for (index, start) in times.iter().enumerate() {
        let inside = times[index..].iter().take_while(|at| **at - start < 300_000_000_000).count();
        assert!(inside <= 270, "{inside} attempts in 5 minutes");
    }
    let longest = times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    assert!(longest <= 2_100_000_000, "{longest} ns between two attempts");
    for connection in OrderConnection::REQUESTS {
        assert!(desk.connects.iter().filter(|(_, tried, _)| *tried == connection).count() > 100, "{connection:?}");
    }
    desk.reachable = true;
    desk.pass(ms(5_000));
    assert_eq!(desk.open_at_venue(), 0);
}

/// Replaces the second connection, and says when its successor was asked for.
fn replace_spare(desk: &mut Desk) -> Nanos {
    desk.drop_connection(Spare);
    let due = desk.gateway.next_deadline();
    desk.pass(due - desk.now);
    let (at, connection, _) = desk.connects.last().expect("it is asked for when it is due");
    assert_eq!((*at, *connection), (due, Spare));
    due
}

/// An order of an earlier run, of which only the venue knows.
fn stray(desk: &mut Desk) {
    let name = CLIENT_IDS.write(OrderId::new(EPOCH - 1, 5));
    desk.add(name.as_str(), "BUY", "50000.00", &quantity(desk.product, some_lots(desk.product)));
}

fn stop(desk: &mut Desk) {
    desk.gateway.stop_instrument(InstrumentId(0), desk.now);
    desk.gateway.on_timer(desk.now);
    desk.carry();
}

/// What left over the second connection.
fn over_spare(desk: &Desk, method: &str, start: Nanos) -> Vec<Nanos> {
    let all = sent(desk, method, start).into_iter();
    all.filter(|(_, way)| *way == Spare).map(|(at, _)| at).collect()
}

#[test]
fn a_cancel_that_neither_connection_answers_leaves_by_both_in_turn_and_is_counted_each_time() {
    each(|mut desk| {
        desk.rest = Rest::Fails;
        let order = desk.place_order(1, Side::Bid);
        desk.dark = vec![Orders, Spare];
        let start = desk.now;
        desk.cancel_order(order);
        desk.pass(ms(1_900));
        let due = [(ms(0), Orders), (ms(500), Spare), (ms(1_000), Orders), (ms(1_500), Spare)];
        assert_eq!(sent(&desk, "order.cancel", start), due);
        let counters = desk.gateway.counters();
        assert_eq!((counters.cancels_sent, counters.second_ways), (4, 2));
    });
}

#[test]
fn a_cancel_all_that_neither_connection_answers_is_sent_again_when_the_second_was_waited_for_as_well() {
    each(|mut desk| {
        desk.rest = Rest::Fails;
        stray(&mut desk);
        desk.dark = vec![Orders, Spare];
        let (start, before) = (desk.now, desk.gateway.counters().sweeps_sent);
        stop(&mut desk);
        desk.pass(ms(1_900));
        let due = [(ms(0), Orders), (ms(500), Spare), (ms(1_500), Orders)];
        assert_eq!(sent(&desk, "openOrders.cancelAll", start), due);
        assert_eq!(desk.gateway.counters().sweeps_sent - before, 3);
    });
}

#[test]
fn a_cancel_all_that_the_second_connection_answered_is_over_and_one_that_it_refused_leaves_again() {
    each(|mut desk| {
        desk.rest = Rest::Fails;
        stray(&mut desk);
        desk.dark = vec![Orders];
        let start = desk.now;
        stop(&mut desk);
        desk.pass(ms(1_900));
        let due = [(ms(0), Orders), (ms(500), Spare)];
        assert_eq!((sent(&desk, "openOrders.cancelAll", start), desk.open_at_venue()), (due.to_vec(), 0));
    });
    each(|mut desk| {
        desk.rest = Rest::Fails;
        stray(&mut desk);
        desk.dark = vec![Orders];
        let mut refused = false;
        desk.rule = Box::new(move |method, _| match method {
            "openOrders.cancelAll" if !std::mem::replace(&mut refused, true) => refuse(503, -1000),
            _ => Verdict::Answer,
        });
        let start = desk.now;
        stop(&mut desk);
        desk.pass(ms(1_900));
        let due = [(ms(0), Orders), (ms(500), Spare), (ms(1_000), Spare)];
        assert_eq!((sent(&desk, "openOrders.cancelAll", start), desk.open_at_venue()), (due.to_vec(), 0));
    });
}

#[test]
fn a_cancel_whose_order_is_over_takes_no_second_way() {
    each(|mut desk| {
        let order = desk.place_order(1, Side::Bid);
        desk.rule = Box::new(|method, _| if method == "order.cancel" { Verdict::LoseReply } else { Verdict::Answer });
        let start = desk.now;
        desk.cancel_order(order);
        assert_eq!(desk.open_at_venue(), 0);
        desk.pass(ms(1_900));
        assert_eq!(sent(&desk, "order.cancel", start), [(ms(0), Orders)]);
        let counters = desk.gateway.counters();
        assert_eq!((counters.cancels_sent, counters.second_ways), (1, 0));
    });
}

#[test]
fn a_ban_holds_the_second_way_as_well() {
    each(|mut desk| {
        desk.rest = Rest::Fails;
        let order = desk.place_order(1, Side::Bid);
        let start = desk.now;
        let until = (start + ms(1_400)).millis();
        desk.rule = Box::new(move |method, _| match method {
            "order.cancel" => Verdict::LoseRequest,
            "order.place" => {
                Verdict::Refuse { status: 418, code: -1003, message: "banned", retry_after_ms: Some(until) }
            }
            _ => Verdict::Answer,
        });
        desk.pass(ms(600));
        desk.cancel_order(order);
        desk.place_order(2, Side::Ask);
        let sent = desk.requests.len();
        desk.pass(ms(799));
        assert_eq!(desk.requests.len(), sent, "{:?}", desk.methods());
        desk.pass(ms(1));
        assert_eq!(over_spare(&desk, "order.cancel", start), [ms(1_400)], "the moment the ban is over");
    });
}

#[test]
fn a_new_second_connection_is_asked_for_a_sign_of_life_when_it_is_ten_seconds_old() {
    each(|mut desk| {
        let opened = replace_spare(&mut desk);
        desk.pass(ms(10_000) - Nanos(1));
        assert_eq!(over_spare(&desk, "time", opened), []);
        desk.pass(ms(20_000));
        assert_eq!(over_spare(&desk, "time", opened), [ms(10_000), ms(20_000)]);
        let log_ons = over_spare(&desk, "session.logon", opened).len();
        assert!(log_ons <= 1, "and not logged on again: {log_ons}");
        assert!(desk.gateway.is_ready());
    });
}

#[test]
fn a_log_on_of_the_second_connection_that_is_refused_is_tried_every_five_seconds_and_disturbs_nothing() {
    let mut desk = desk(binance::SPOT, ed25519());
    desk.rule = Box::new(|method, _| if method == "session.logon" { refuse(503, -1000) } else { Verdict::Answer });
    let opened = replace_spare(&mut desk);
    desk.pass(ms(9_900));
    assert_eq!(over_spare(&desk, "session.logon", opened), [ms(0), ms(5_000)]);
    desk.rule = Box::new(|_, _| Verdict::Answer);
    desk.pass(ms(10_200));
    assert_eq!(over_spare(&desk, "session.logon", opened), [ms(0), ms(5_000), ms(10_000)], "accepted");
    assert_eq!(over_spare(&desk, "time", opened), [ms(5_000), ms(10_000), ms(20_000)]);
    assert!(desk.gateway.is_ready() && desk.gateway.halt_message().is_none());
    // It carries cancels now.
    let order = desk.place_order(1, Side::Bid);
    desk.dark = vec![Orders];
    desk.cancel_order(order);
    desk.pass(ms(510));
    assert_eq!(desk.open_at_venue(), 0);
}

#[test]
fn a_second_connection_that_is_not_logged_on_carries_no_cancel() {
    let mut desk = desk(binance::SPOT, ed25519());
    desk.rest = Rest::Fails;
    let order = desk.place_order(1, Side::Bid);
    desk.rule = Box::new(|method, _| if method == "session.logon" { refuse(503, -1000) } else { Verdict::Answer });
    let opened = replace_spare(&mut desk);
    desk.dark = vec![Orders];
    desk.cancel_order(order);
    desk.pass(ms(1_500));
    assert_eq!(over_spare(&desk, "order.cancel", opened), []);
    assert_eq!(sent(&desk, "order.cancel", opened), [(ms(0), Orders), (ms(1_000), Orders)]);
}

#[test]
fn a_log_on_of_the_second_connection_is_not_repeated_while_its_answer_may_come() {
    let choices = GatewaySettings { clock_interval: ms(1_000), ..settings(binance::SPOT) };
    let mut desk = desk_of(binance::SPOT, ed25519(), choices);
    desk.rule = Box::new(|method, _| if method == "session.logon" { Verdict::LoseRequest } else { Verdict::Answer });
    let opened = replace_spare(&mut desk);
    desk.pass(ms(6_900));
    assert_eq!(over_spare(&desk, "session.logon", opened), [ms(0), ms(3_000), ms(6_000)]);
    desk.rule = Box::new(|_, _| Verdict::Answer);
    desk.pass(ms(6_000));
    assert_eq!(over_spare(&desk, "session.logon", opened), [ms(0), ms(3_000), ms(6_000), ms(9_000)]);
}

#[test]
fn while_the_venue_asks_to_wait_the_second_connection_neither_logs_on_nor_asks() {
    let mut desk = desk(binance::SPOT, ed25519());
    desk.rule = Box::new(|method, _| if method == "session.logon" { refuse(429, -1003) } else { Verdict::Answer });
    let opened = replace_spare(&mut desk);
    desk.rule = Box::new(|_, _| Verdict::Answer);
    desk.pass(ms(1_000));
    // Another one opens meanwhile, and waits like the first.
    replace_spare(&mut desk);
    desk.pass(opened + ms(60_000) - Nanos(1) - desk.now);
    assert_eq!(over_spare(&desk, "session.logon", opened), [ms(0)]);
    assert_eq!(over_spare(&desk, "time", opened), []);
    desk.pass(Nanos(1));
    assert_eq!(over_spare(&desk, "session.logon", opened), [ms(0), ms(60_000)], "the moment the minute is over");
}

#[test]
fn with_the_first_connection_silent_from_the_start_the_second_asks_for_the_clock_and_cancels() {
    for product in PRODUCTS {
        for (credentials, within) in [(hmac(), 500), (ed25519(), if product == binance::SPOT { 1_000 } else { 500 })] {
            let choices = GatewaySettings { spare_connection: true, ..settings(product) };
            let mut desk = Desk::new(product, credentials, choices);
            desk.rest = Rest::Fails;
            stray(&mut desk);
            desk.dark = vec![Orders];
            desk.start();
            desk.pass(ms(within));
            assert_eq!(desk.open_at_venue(), 0, "{product:?}: {:?}", desk.requests);
            // It is asked as ever from then on, and the first one is replaced.
            desk.dark.clear();
            desk.pass(ms(30_000));
            assert!(desk.gateway.is_ready(), "{product:?}: {:?}", desk.gateway.halt_message());
            let asked = over_spare(&desk, "time", crate::scripted_venue::START).len();
            assert!(asked <= 5, "{product:?}: {asked} in 30 s");
        }
    }
}

#[test]
fn a_second_connection_that_is_refused_the_clock_asks_for_it_once_a_second() {
    each(|desk| {
        let choices = GatewaySettings { spare_connection: true, ..settings(desk.product) };
        let mut desk = Desk::new(desk.product, hmac(), choices);
        desk.rest = Rest::Fails;
        desk.dark = vec![Orders];
        desk.rule = Box::new(|method, _| if method == "time" { refuse(503, -1008) } else { Verdict::Answer });
        desk.start();
        desk.pass(ms(1_900));
        assert_eq!(over_spare(&desk, "time", crate::scripted_venue::START), [ms(0), ms(1_000)]);
    });
}

#[test]
fn a_first_connection_that_is_down_is_tried_every_second_while_the_second_stands() {
    each(|mut desk| {
        desk.place_order(1, Side::Bid);
        // The venue cancels nothing: an order may live however long it takes.
        desk.rule = Box::new(|_, _| refuse(503, -1008));
        desk.rest = Rest::Fails;
        desk.unreachable = vec![Orders];
        desk.drop_connection(Orders);
        desk.pass(ms(60_000));
        let times: Vec<_> = desk.connects.iter().filter(|(_, way, _)| *way == Orders).map(|(at, ..)| *at).collect();
        let pauses: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(pauses.len() >= 58 && pauses.iter().all(|pause| *pause <= ms(1_000)), "{pauses:?}");
    });
}

#[test]
fn two_connections_that_are_down_are_tried_alternately_a_second_apart() {
    each(|mut desk| {
        desk.place_order(1, Side::Bid);
        (desk.reachable, desk.rest) = (false, Rest::Fails);
        desk.drop_connection(Spare);
        desk.drop_connection(Orders);
        desk.pass(ms(10_000));
        desk.connects.clear();
        desk.pass(ms(60_000));
        for pair in desk.connects.windows(2) {
            assert_ne!(pair[0].1, pair[1].1, "in turn");
            assert_eq!(pair[1].0 - pair[0].0, ms(1_000));
        }
        assert!(desk.connects.len() >= 59, "{}", desk.connects.len());
    });
}
