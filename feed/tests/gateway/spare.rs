//! COLD: two order connections: what the first does not answer leaves by the second.

use crate::scripted_venue::{Desk, PRODUCTS, Rest, ed25519, hmac, settings};
use spinbook_engine::types::{Nanos, Side};
use spinbook_feed::crypto::credentials::Credentials;
use spinbook_feed::venue::order_side::OrderConnection;
use spinbook_feed::venue::{ProductLine, binance};

fn ms(count: i64) -> Nanos {
    Nanos::from_millis(count)
}

fn desk(product: ProductLine, credentials: Credentials) -> Desk {
    let mut choices = settings(product);
    choices.spare_connection = true;
    let mut desk = Desk::new(product, credentials, choices);
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
