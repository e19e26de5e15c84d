//! COLD: an operator stops one instrument: its orders go, none comes, and what lives all the same is found.

use crate::scripted_venue::{Desk, PRODUCTS, Rest, Verdict};
use spinbook_engine::event::ExecutionKind as Kind;
use spinbook_engine::types::{InstrumentId, Nanos, Side};
use spinbook_feed::venue::order_side::OrderConnection;

const ID: InstrumentId = InstrumentId(0);

fn ms(count: i64) -> Nanos {
    Nanos::from_millis(count)
}

fn stop(desk: &mut Desk) {
    desk.gateway.stop_instrument(ID, desk.now);
    desk.gateway.on_timer(desk.now);
    desk.carry();
}

#[test]
fn a_stopped_instrument_has_its_orders_cancelled_at_once_and_takes_none() {
    for product in PRODUCTS {
        let mut desk = Desk::ready(product);
        desk.place_order(1, Side::Bid);
        desk.place_order(2, Side::Ask);
        desk.requests.clear();
        assert!(!desk.gateway.is_stopped(ID));
        stop(&mut desk);
        assert_eq!((desk.methods(), desk.open_at_venue()), (vec!["openOrders.cancelAll"], 0), "one request");
        assert!(desk.gateway.is_stopped(ID) && desk.gateway.is_instrument_quiet(ID));
        assert!(desk.gateway.is_ready(), "others trade on");
        let late = desk.place_order(3, Side::Bid);
        assert_eq!((desk.kinds(late), desk.count("order.place")), (vec![Kind::Rejected], 0));
        // A new session begins with it as it was.
        desk.drop_connection(OrderConnection::Orders);
        desk.pass(ms(5_000));
        assert!(desk.gateway.is_ready());
        let late = desk.place_order(4, Side::Bid);
        assert_eq!((desk.kinds(late), desk.count("order.place")), (vec![Kind::Rejected], 0));
    }
}

#[test]
fn nothing_is_confirmed_before_the_venue_has_answered_and_every_order_is_known_to_be_over() {
    for product in PRODUCTS {
        let mut desk = Desk::ready(product);
        // It lies on its way when the word comes; it is lost there.
        desk.rule = Box::new(|method, _| if method == "order.place" { Verdict::LoseRequest } else { Verdict::Answer });
        desk.place_order(1, Side::Bid);
        stop(&mut desk);
        assert!(!desk.gateway.is_instrument_quiet(ID), "an order of unknown outcome");
        desk.pass(ms(20_000));
        assert!(desk.gateway.is_instrument_quiet(ID) && desk.open_at_venue() == 0);
        // Without a connection and without an answer over REST nobody confirms.
        let mut desk = Desk::ready(product);
        desk.place_order(1, Side::Bid);
        desk.reachable = false;
        desk.rest = Rest::Fails;
        desk.drop_connection(OrderConnection::Orders);
        stop(&mut desk);
        desk.pass(ms(3_000));
        assert!(!desk.gateway.is_instrument_quiet(ID));
        desk.reachable = true;
        desk.pass(ms(10_000));
        assert_eq!((desk.open_at_venue(), desk.gateway.is_instrument_quiet(ID)), (0, true));
    }
}

#[test]
fn an_instrument_that_is_allowed_again_is_taken_orders_of_as_before() {
    for product in PRODUCTS {
        let mut desk = Desk::ready(product);
        desk.gateway.allow_instrument(ID);
        desk.place_order(1, Side::Bid);
        // Twice is as good as once.
        stop(&mut desk);
        stop(&mut desk);
        let late = desk.place_order(2, Side::Bid);
        assert_eq!(desk.kinds(late), [Kind::Rejected]);
        desk.gateway.allow_instrument(ID);
        assert!(!desk.gateway.is_stopped(ID));
        let order = desk.place_order(3, Side::Bid);
        assert_eq!((desk.kinds(order), desk.open_at_venue()), (vec![Kind::Accepted], 1), "{product:?}");
        desk.pass(ms(5_000));
        assert_eq!(desk.open_at_venue(), 1, "{product:?}: nothing cancels it");
    }
}
