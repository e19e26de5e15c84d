//! COLD: cancels over REST while no order connection answers, and what is then known.

use crate::scripted_venue::{Desk, PRODUCTS, Rest};
use spinbook_engine::types::{Nanos, Side};
use spinbook_feed::venue::order_side::OrderConnection;

fn ms(count: i64) -> Nanos {
    Nanos::from_millis(count)
}

fn cancels(desk: &Desk) -> Vec<Nanos> {
    desk.rest_requests.iter().filter(|(_, path)| path.starts_with("DELETE")).map(|(at, _)| *at).collect()
}

/// A desk with three quotes and both order connections, on which nothing arrives any more.
fn darkened(product: spinbook_feed::venue::ProductLine) -> Desk {
    let settings =
        spinbook_feed::gateway::GatewaySettings { spare_connection: true, ..crate::scripted_venue::settings(product) };
    let mut desk = Desk::new(product, crate::scripted_venue::hmac(), settings);
    desk.start();
    desk.pass(ms(500));
    assert!(desk.gateway.is_ready());
    for counter in 1..=3 {
        desk.place_order(counter, Side::Bid);
    }
    desk.dark = OrderConnection::ALL.to_vec();
    desk.reachable = false;
    desk
}

#[test]
fn with_both_connections_black_holed_cancels_go_out_over_rest_after_a_second() {
    for product in PRODUCTS {
        let mut desk = darkened(product);
        let wanted = desk.now;
        desk.cancel_order(spinbook_engine::types::OrderId::new(crate::scripted_venue::EPOCH, 1));
        desk.pass(ms(900));
        assert_eq!((cancels(&desk).len(), desk.open_at_venue()), (0, 3), "{product:?}: their answer may still come");
        desk.pass(ms(600));
        assert_eq!(desk.open_at_venue(), 0, "{product:?}");
        let first = cancels(&desk)[0] - wanted;
        assert!(first <= ms(1_100), "{product:?}: after {} ms", first.millis());
        assert_eq!(desk.gateway.counters().third_ways, 1, "{product:?}");
    }
}

#[test]
fn a_cancel_over_rest_whose_outcome_is_not_known_is_sent_again_and_a_ban_is_kept() {
    for product in PRODUCTS {
        let mut desk = darkened(product);
        desk.rest = Rest::Fails;
        desk.gateway.cancel_all(desk.now);
        desk.carry();
        desk.pass(ms(5_500));
        let tries = cancels(&desk).len();
        assert!((4..=6).contains(&tries), "{product:?}: {tries} in 5.5 s, one a second");
        // Banned for ten seconds: nothing at all leaves.
        desk.rest = Rest::Refuses(418, -1003, 10);
        desk.pass(ms(1_500));
        let banned = cancels(&desk).len();
        desk.pass(ms(8_000));
        assert_eq!(cancels(&desk).len(), banned, "{product:?}: asked while banned");
        desk.rest = Rest::HidesOutcome;
        desk.pass(ms(4_000));
        assert_eq!(desk.open_at_venue(), 0, "{product:?}: carried out, as it happens");
        desk.rest = Rest::Answers;
        let before = cancels(&desk).len();
        desk.pass(ms(2_000));
        assert!(cancels(&desk).len() > before, "{product:?}: nobody knew, so it was sent again");
        // The connections come back: what was cancelled is proved, and the session ends.
        desk.dark.clear();
        desk.reachable = true;
        desk.pass(ms(20_000));
        assert!(desk.gateway.is_quiet(), "{product:?}: {:?}", desk.gateway.order_counts());
        assert_eq!(desk.gateway.order_counts().canceled, 3, "{product:?}");
    }
}

#[test]
fn a_silent_rest_holds_nothing_up() {
    for product in PRODUCTS {
        let mut desk = darkened(product);
        desk.rest = Rest::Silent;
        desk.gateway.cancel_all(desk.now);
        desk.carry();
        desk.pass(ms(4_000));
        desk.dark.clear();
        desk.reachable = true;
        desk.pass(ms(4_000));
        assert_eq!(desk.open_at_venue(), 0, "{product:?}: over the connection that came back");
        desk.pass(ms(20_000));
        assert!(desk.gateway.is_quiet(), "{product:?}");
    }
}

#[test]
fn a_cancel_over_rest_that_is_refused_for_its_timestamp_asks_for_the_clock_and_leaves_again() {
    for product in PRODUCTS {
        let mut desk = darkened(product);
        // The venue's clock went ahead while nothing could be heard of it.
        desk.offset_ms = 5_000;
        desk.checks_rest_clock = true;
        desk.gateway.cancel_all(desk.now);
        desk.carry();
        desk.pass(ms(1_500));
        assert_eq!(desk.open_at_venue(), 0, "{product:?}: {:?}", desk.rest_requests);
        assert_eq!(desk.gateway.halt_message(), None, "{product:?}");
        assert_eq!(desk.rest_count("time"), 1, "{product:?}");
    }
}
