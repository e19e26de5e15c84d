//! COLD: a session that is shut down while no order connection answers: it ends with the venue's word over REST.

use crate::scripted_venue::{Desk, PRODUCTS, Rest, hmac, settings, some_lots};
use spinbook_engine::event::ExecutionKind as Kind;
use spinbook_engine::types::{InstrumentId, Nanos, OrderId, Side};
use spinbook_feed::gateway::GatewaySettings;
use spinbook_feed::venue::ProductLine;
use spinbook_feed::venue::order_side::OrderConnection;

fn ms(count: i64) -> Nanos {
    Nanos::from_millis(count)
}

/// A desk with two quotes whose order connections, user data with them, carry nothing any more and cannot be opened again.
fn away(product: ProductLine) -> (Desk, [OrderId; 2]) {
    let settings = GatewaySettings { spare_connection: true, ..settings(product) };
    let mut desk = Desk::new(product, hmac(), settings);
    desk.start();
    desk.pass(ms(500));
    assert!(desk.gateway.is_ready());
    let orders = [1, 2].map(|counter| desk.place_order(counter, Side::Bid));
    desk.dark = OrderConnection::ALL.to_vec();
    desk.reachable = false;
    (desk, orders)
}

fn drain(desk: &mut Desk) {
    desk.gateway.cancel_all(desk.now);
    desk.carry();
}

/// When the venue was asked over REST for what is open.
fn lists(desk: &Desk) -> Vec<Nanos> {
    let of_lists = |path: &str| path.starts_with("GET") && path.ends_with("/openOrders");
    desk.rest_requests.iter().filter(|(_, path)| of_lists(path)).map(|(at, _)| *at).collect()
}

#[test]
fn a_drain_ends_with_the_venues_word_while_both_order_connections_stay_away() {
    for product in PRODUCTS {
        let (mut desk, _) = away(product);
        let told = desk.now;
        drain(&mut desk);
        desk.pass(ms(8_000));
        assert!(desk.gateway.is_quiet(), "{product:?}: {:?} {:?}", desk.gateway.order_counts(), desk.rest_requests);
        let counts = desk.gateway.order_counts();
        assert_eq!((counts.canceled, counts.unknown, counts.open), (2, 0, 0), "{product:?}");
        assert_eq!(desk.open_at_venue(), 0, "{product:?}");
        // Twice, and not before what was sent last could no longer be taken.
        let lists = lists(&desk);
        assert_eq!(lists.len(), 2, "{product:?}");
        assert!(lists.iter().all(|at| *at - told >= ms(1_000)), "{product:?}: {lists:?}");
        assert_eq!(desk.gateway.halt_message(), None, "{product:?}");
    }
}

#[test]
fn a_session_whose_connections_open_and_never_answer_ends_the_same_way() {
    for product in PRODUCTS {
        let (mut desk, _) = away(product);
        desk.reachable = true;
        drain(&mut desk);
        desk.pass(ms(30_000));
        assert!(desk.gateway.is_quiet(), "{product:?}: {:?} {:?}", desk.gateway.order_counts(), desk.rest_requests);
        assert_eq!((desk.gateway.order_counts().canceled, desk.open_at_venue()), (2, 0), "{product:?}");
    }
}

#[test]
fn nothing_is_proved_while_rest_is_silent_or_fails_and_the_drain_goes_on() {
    for product in PRODUCTS {
        for rest in [Rest::Silent, Rest::Fails, Rest::Refuses(503, -1000, 0)] {
            let (mut desk, _) = away(product);
            desk.rest = rest;
            drain(&mut desk);
            desk.pass(ms(60_000));
            assert!(!desk.gateway.is_quiet() && desk.gateway.open_orders() == 2, "{product:?} {rest:?}");
            desk.rest = Rest::Answers;
            desk.pass(ms(30_000));
            assert!(desk.gateway.is_quiet(), "{product:?} {rest:?}: {:?}", desk.gateway.order_counts());
            assert_eq!(desk.gateway.order_counts().canceled, 2, "{product:?} {rest:?}");
        }
    }
}

#[test]
fn an_order_that_never_arrived_is_over_after_several_answers_behind_its_window_and_not_before() {
    for product in PRODUCTS {
        let (mut desk, _) = away(product);
        let lost = desk.place_order(3, Side::Ask);
        let sent = desk.now;
        drain(&mut desk);
        desk.pass(ms(1_000));
        assert!(!desk.has(Kind::Rejected), "{product:?}: it can still be taken");
        desk.pass(ms(19_000));
        assert!(desk.gateway.is_quiet(), "{product:?}: {:?}", desk.gateway.order_counts());
        assert_eq!(desk.kinds(lost).last(), Some(&Kind::Rejected), "{product:?}");
        let asked = |path: &str| path.starts_with("GET") && path.ends_with("/order");
        let window = desk.rest_requests.iter().filter(|(at, path)| asked(path) && *at - sent >= ms(1_000));
        // User data, which would have told of it, says nothing either: more answers are wanted.
        assert!(window.count() >= 6, "{product:?}: {:?}", desk.rest_requests);
    }
}

#[test]
fn fills_behind_the_silence_are_booked_before_the_session_is_over() {
    for product in PRODUCTS {
        let (mut desk, [filled, _]) = away(product);
        desk.fill(desk.id_of(filled), some_lots(product), 501, ("0", "USDT"));
        assert!(!desk.has(Kind::Filled), "{product:?}: nobody could hear of it");
        drain(&mut desk);
        desk.pass(ms(15_000));
        assert!(desk.gateway.is_quiet(), "{product:?}: {:?}", desk.gateway.order_counts());
        assert_eq!(desk.kinds(filled).last(), Some(&Kind::Filled), "{product:?}");
        let counts = desk.gateway.order_counts();
        assert_eq!((counts.filled_fully, counts.canceled), (1, 1), "{product:?}");
    }
}

#[test]
fn an_order_that_a_list_shows_late_is_cancelled_as_well() {
    for product in PRODUCTS {
        let (mut desk, _) = away(product);
        drain(&mut desk);
        for _ in 0..100 {
            if lists(&desk).is_empty() {
                desk.pass(ms(100));
            }
        }
        // Nobody's of ours, and the session ends with nothing open all the same.
        desk.add("somebody", "BUY", "50000.00", "0.010");
        desk.pass(ms(8_000));
        assert!(desk.gateway.is_quiet(), "{product:?}: {:?}", desk.rest_requests);
        assert_eq!(desk.open_at_venue(), 0, "{product:?}");
        assert!(lists(&desk).len() >= 4, "{product:?}: two of them behind the one that showed it");
    }
}

#[test]
fn a_stopped_instrument_is_proved_empty_while_no_order_connection_answers() {
    for product in PRODUCTS {
        let (mut desk, _) = away(product);
        desk.gateway.stop_instrument(InstrumentId(0), desk.now);
        desk.pass(ms(10_000));
        assert!(desk.gateway.is_instrument_quiet(InstrumentId(0)), "{product:?}: {:?}", desk.gateway.order_counts());
        assert_eq!((desk.gateway.order_counts().canceled, desk.open_at_venue()), (2, 0), "{product:?}");
        assert!(!desk.gateway.is_quiet(), "{product:?}: the session goes on");
    }
}
