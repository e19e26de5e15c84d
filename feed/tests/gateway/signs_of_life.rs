//! COLD: "not known" proves an order dead only where user data has shown since that it would have told of it.

use std::cell::RefCell;
use std::rc::Rc;

use crate::scripted_venue::{Desk, PRODUCTS, Verdict, quantity, some_lots};
use serde_json::Value;
use spinbook_engine::event::ExecutionKind as Kind;
use spinbook_engine::types::{Nanos, OrderId, Side};
use spinbook_feed::venue::binance;
use spinbook_feed::venue::binance::request_ids::CLIENT_IDS;
use spinbook_feed::venue::order_side::OrderConnection;

fn ms(count: i64) -> Nanos {
    Nanos::from_millis(count)
}

/// Orders never arrive at this desk; the requests that were lost.
fn lose_orders(desk: &mut Desk) -> Rc<RefCell<Vec<Value>>> {
    let lost: Rc<RefCell<Vec<Value>>> = Rc::default();
    let keep = lost.clone();
    desk.rule = Box::new(move |method, request| match method {
        "order.place" => {
            keep.borrow_mut().push(request.clone());
            Verdict::LoseRequest
        }
        _ => Verdict::Answer,
    });
    lost
}

/// A desk of the line whose user data has a connection of its own, and an order that the venue said twice not to know.
/// Pongs are kept.
fn doubted() -> (Desk, OrderId) {
    let mut desk = Desk::ready(binance::USDM);
    desk.keeps_pongs = true;
    lose_orders(&mut desk);
    let order = desk.place_order(1, Side::Bid);
    while desk.count("order.status") < 2 {
        desk.pass(ms(20));
    }
    assert_eq!(desk.kinds(order), [Kind::Unknown], "nothing is proved yet");
    (desk, order)
}

#[test]
fn a_black_hole_on_user_data_alone_lets_no_answer_prove_an_order_dead() {
    let mut desk = Desk::ready(binance::USDM);
    lose_orders(&mut desk);
    desk.dark = vec![OrderConnection::UserData];
    let closes = desk.closes;
    let order = desk.place_order(1, Side::Bid);
    desk.pass(ms(5_900));
    assert!(desk.count("order.status") >= 3, "{:?}", desk.methods());
    assert_eq!((desk.kinds(order), desk.gateway.unknown_orders()), (vec![Kind::Unknown], 1));
    desk.pass(ms(300));
    assert!(desk.closes > closes, "what does not answer a ping is given up, long before its own silence ends it");
    desk.pass(ms(20_000));
    assert_eq!(desk.kinds(order), [Kind::Unknown], "the next one carries nothing either");
    desk.dark.clear();
    desk.pass(ms(20_000));
    assert_eq!(desk.kinds(order), [Kind::Unknown, Kind::Rejected]);
    assert!(desk.gateway.is_ready() && desk.gateway.halt_message().is_none());
}

#[test]
fn a_pong_to_a_ping_behind_the_last_question_is_the_proof_and_one_to_an_earlier_ping_is_not() {
    let (mut desk, order) = doubted();
    let asked = desk.requests.iter().rfind(|(_, method, _)| method == "order.status").unwrap().0;
    let (before, connection, mark) = desk.pings[0];
    assert!(before < asked && connection == OrderConnection::UserData, "{:?}", desk.pings);
    desk.gateway.on_pong(connection, mark, desk.now);
    desk.carry();
    assert_eq!(desk.kinds(order), [Kind::Unknown], "it left before the last question");
    // What was on its way all the time, marks that nobody gave, and other connections show nothing.
    desk.tell_held();
    for (connection, mark) in [
        (OrderConnection::UserData, u64::MAX),
        (OrderConnection::UserData, i64::MAX.cast_unsigned()),
        (OrderConnection::Orders, desk.now.0.cast_unsigned()),
    ] {
        desk.gateway.on_pong(connection, mark, desk.now);
        desk.carry();
        assert_eq!(desk.kinds(order), [Kind::Unknown], "{connection:?} {mark}");
    }
    while desk.pings.last().unwrap().0 < asked {
        desk.pass(ms(20));
    }
    let (_, connection, mark) = *desk.pings.last().unwrap();
    let questions = desk.count("order.status");
    desk.gateway.on_pong(connection, mark, desk.now);
    desk.carry();
    assert_eq!(desk.kinds(order), [Kind::Unknown, Kind::Rejected], "decided by the answers that were kept");
    assert_eq!(desk.count("order.status"), questions);
}

#[test]
fn what_user_data_tells_before_its_pong_is_believed_and_not_the_answers() {
    let (mut desk, order) = doubted();
    let lots = quantity(binance::USDM, some_lots(binance::USDM));
    let id = desk.add(CLIENT_IDS.write(order).as_str(), "BUY", "50000.00", &lots);
    let alive = desk.event_message(id, "NEW", None);
    desk.user_frame(&alive);
    desk.carry();
    desk.keeps_pongs = false;
    desk.pass(ms(5_000));
    assert_eq!(desk.kinds(order), [Kind::Unknown, Kind::Accepted]);
    assert_eq!((desk.open_at_venue(), desk.gateway.open_orders()), (1, 1));
}

#[test]
fn without_user_data_no_number_of_answers_proves_anything_while_the_session_goes_on() {
    let mut desk = Desk::ready(binance::USDM);
    lose_orders(&mut desk);
    let order = desk.place_order(1, Side::Bid);
    desk.unreachable = vec![OrderConnection::UserData];
    desk.drop_connection(OrderConnection::UserData);
    desk.pass(ms(600_000));
    assert!(desk.count("order.status") > 256, "{}", desk.count("order.status"));
    assert_eq!(desk.kinds(order), [Kind::Unknown]);
    desk.unreachable.clear();
    desk.pass(ms(30_000));
    assert_eq!(desk.kinds(order), [Kind::Unknown, Kind::Rejected]);
}

#[test]
fn many_orders_in_doubt_share_their_pings_and_none_is_sent_where_the_answer_is_the_sign() {
    for product in PRODUCTS {
        let mut desk = Desk::ready(product);
        lose_orders(&mut desk);
        let orders: Vec<OrderId> = (1..=20).map(|counter| desk.place_order(counter, Side::Bid)).collect();
        desk.pass(ms(10_000));
        for order in orders {
            assert_eq!(desk.kinds(order), [Kind::Unknown, Kind::Rejected], "{product:?}");
        }
        let times: Vec<Nanos> = desk.pings.iter().map(|(at, ..)| *at).collect();
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= ms(250)), "{product:?}: {times:?}");
        assert_eq!(times.is_empty(), product == binance::SPOT, "{product:?}: {times:?}");
        desk.pass(ms(10_000));
        assert_eq!(desk.pings.len(), times.len(), "{product:?}: nothing is in doubt any more");
    }
}
