//! COLD: what is proved of an order: dead only with a proof, alive again with any evidence, and found when events are lost.

use std::cell::RefCell;
use std::rc::Rc;

use crate::scripted_venue::{Desk, EPOCH, PRODUCTS, Rest, Verdict, hmac, quantity, refuse, settings, some_lots};
use serde_json::{Value, json};
use spinbook_engine::event::ExecutionKind as Kind;
use spinbook_engine::types::{Nanos, OrderId, Side};
use spinbook_feed::gateway::orders::{FinalStatus, Phase};
use spinbook_feed::venue::binance;
use spinbook_feed::venue::binance::request_ids::CLIENT_IDS;
use spinbook_feed::venue::order_side::OrderConnection;

fn ms(count: i64) -> Nanos {
    Nanos::from_millis(count)
}

/// A rule that keeps requests of these methods from the venue, and what it kept.
fn hold(desk: &mut Desk, methods: &'static [&'static str]) -> Rc<RefCell<Vec<Value>>> {
    let held: Rc<RefCell<Vec<Value>>> = Rc::default();
    let keep = held.clone();
    desk.rule = Box::new(move |method, request| {
        if !methods.contains(&method) {
            return Verdict::Answer;
        }
        keep.borrow_mut().push(request.clone());
        Verdict::LoseRequest
    });
    held
}

#[test]
fn an_old_answer_read_late_proves_no_death() {
    for product in PRODUCTS {
        let mut desk = Desk::ready(product);
        let held = hold(&mut desk, &["order.status", "order.place"]);
        let sent = desk.now;
        let order = desk.place_order(1, Side::Bid);
        // The venue says that it does not know the outcome, and has the order in a queue.
        let id = held.borrow()[0]["id"].clone();
        desk.frame(&json!({"id": id, "status": 503, "error": {"code": -1007, "msg": "Timeout."}}));
        desk.carry();
        desk.pass(ms(300));
        assert_eq!((desk.kinds(order), held.borrow().len()), (vec![Kind::Unknown], 2));
        // It answers at once: there is no such order yet. We read that when no order could be accepted any more.
        desk.now = sent + ms(1_600);
        let question = held.borrow()[1]["id"].clone();
        let unknown = json!({"id": question, "status": 400, "error": {"code": -2013, "msg": "Order does not exist."}});
        desk.frame(&unknown);
        desk.carry();
        assert_eq!(desk.kinds(order), [Kind::Unknown], "{product:?}: asked before the window had passed");
        assert_eq!(desk.gateway.unknown_orders(), 1);
    }
}

#[test]
fn an_order_taken_for_dead_that_shows_life_is_open_again_and_cancelled() {
    for product in PRODUCTS {
        for late_ack in [false, true] {
            let mut desk = Desk::ready(product);
            let held = hold(&mut desk, &["order.place"]);
            let order = desk.place_order(1, Side::Bid);
            desk.pass(ms(8_000));
            assert_eq!(desk.kinds(order), [Kind::Unknown, Kind::Rejected]);
            let asked = desk.count("order.status");
            assert!(asked >= 2, "declared dead after {asked} answers");
            desk.user_data = false;
            let lots = quantity(product, some_lots(product));
            let id = desk.add(CLIENT_IDS.write(order).as_str(), "BUY", "50000.00", &lots);
            desk.user_data = true;
            if late_ack {
                let place = held.borrow()[0]["id"].clone();
                desk.frame(&json!({"id": place, "status": 200, "result": {"orderId": id, "symbol": "BTCUSDT"}}));
            } else {
                let alive = desk.event_message(id, "NEW", None);
                desk.user_frame(&alive);
            }
            desk.carry();
            desk.pass(ms(100));
            assert_eq!(desk.open_at_venue(), 0, "{product:?} {late_ack}: {:?}", desk.methods());
            assert_eq!(desk.kinds(order)[2..], [Kind::Accepted, Kind::Canceled]);
            assert_eq!(desk.gateway.table_counters().reopened, 1);
            assert_eq!(desk.gateway.order_counts().in_all_states(), 1);
        }
    }
}

#[test]
fn a_fill_of_an_order_taken_for_dead_counts_and_its_rest_is_cancelled() {
    for product in PRODUCTS {
        let mut desk = Desk::ready(product);
        hold(&mut desk, &["order.place"]);
        let order = desk.place_order(1, Side::Bid);
        desk.pass(ms(8_000));
        let lots = some_lots(product);
        let id = desk.add(CLIENT_IDS.write(order).as_str(), "BUY", "50000.00", &quantity(product, lots));
        desk.fill(id, lots / 2, 900, ("0.01", "USDT"));
        desk.pass(ms(100));
        assert_eq!(desk.kinds(order)[2..], [Kind::Accepted, Kind::Filled, Kind::Canceled], "{product:?}");
        assert_eq!(desk.open_at_venue(), 0);
    }
}

#[test]
fn a_cancel_of_an_order_that_was_refused_is_sent_all_the_same() {
    for product in PRODUCTS {
        let mut desk = Desk::ready(product);
        hold(&mut desk, &["order.place"]);
        let order = desk.place_order(1, Side::Bid);
        desk.pass(ms(8_000));
        desk.user_data = false;
        let lots = quantity(product, some_lots(product));
        desk.add(CLIENT_IDS.write(order).as_str(), "BUY", "50000.00", &lots);
        desk.cancel_order(order);
        assert_eq!(desk.open_at_venue(), 0, "{product:?}");
        let tracked = desk.gateway.orders().find(order).unwrap();
        assert_eq!(tracked.phase, Phase::Done(FinalStatus::Canceled));
    }
}

#[test]
fn an_order_whose_name_is_taken_is_asked_for() {
    let product = binance::SPOT;
    let mut desk = Desk::ready(product);
    desk.rule = Box::new(|method, _| match method {
        "order.place" => {
            Verdict::Refuse { status: 400, code: -2010, message: "Duplicate order sent.", retry_after_ms: None }
        }
        _ => Verdict::Answer,
    });
    let order = OrderId::new(EPOCH, 1);
    let lots = quantity(product, some_lots(product));
    desk.add(CLIENT_IDS.write(order).as_str(), "BUY", "50000.00", &lots);
    desk.place_order(1, Side::Bid);
    desk.pass(ms(1_000));
    assert_eq!(desk.kinds(order), [Kind::Unknown, Kind::Accepted]);
    assert_eq!((desk.gateway.open_orders(), desk.open_at_venue()), (1, 1));
}

#[test]
fn a_fill_whose_message_was_lost_on_a_healthy_connection_is_found() {
    for product in PRODUCTS {
        let mut desk = Desk::ready(product);
        let order = desk.place_order(1, Side::Bid);
        let id = desk.id_of(order);
        desk.rest = Rest::Fails;
        desk.user_data = false;
        desk.fill(id, some_lots(product), 900, ("0.01", "USDT"));
        desk.user_data = true;
        desk.pass(ms(16_500));
        if product == binance::SPOT {
            assert_eq!(desk.kinds(order), [Kind::Accepted, Kind::Filled], "asked for, and its executions");
        } else {
            // The executions are not had over REST either: no new orders, then a human has to look.
            desk.pass(ms(16_000));
            assert!(!desk.gateway.is_ready() && desk.gateway.halt_message().is_none());
            desk.pass(ms(60_000));
            assert!(desk.gateway.halt_message().unwrap().contains("executions"));
        }
        assert_eq!(desk.gateway.open_orders(), 0);
    }
}

#[test]
fn open_orders_are_listed_from_time_to_time_and_nothing_more_is_asked_of_what_is_listed() {
    for product in PRODUCTS {
        let mut desk = Desk::ready(product);
        desk.place_order(1, Side::Bid);
        desk.place_order(2, Side::Ask);
        desk.pass(ms(61_000));
        assert_eq!(desk.count("openOrders.status"), 4, "every 15 s");
        assert_eq!((desk.count("order.status"), desk.open_at_venue()), (0, 2));
    }
}

#[test]
fn an_order_of_an_earlier_run_that_turns_up_late_is_cancelled() {
    for product in PRODUCTS {
        let mut desk = Desk::ready(product);
        let stray = CLIENT_IDS.write(OrderId::new(EPOCH - 1, 5));
        desk.add(stray.as_str(), "BUY", "50000.00", &quantity(product, some_lots(product)));
        desk.pass(ms(16_000));
        assert_eq!(desk.open_at_venue(), 0, "{product:?}: {:?}", desk.methods());
        assert!(desk.gateway.is_ready());
    }
}

#[test]
fn a_message_beyond_understanding_now_and_then_ends_no_connection() {
    let mut desk = Desk::ready(binance::SPOT);
    let closes = desk.closes;
    for _ in 0..20 {
        desk.gateway.on_frame(OrderConnection::Orders, &mut b"nonsense".to_vec(), desk.now);
        desk.carry();
        desk.pass(ms(61_000));
    }
    assert_eq!(desk.closes, closes);
    for _ in 0..7 {
        desk.gateway.on_frame(OrderConnection::Orders, &mut b"nonsense".to_vec(), desk.now);
        desk.carry();
    }
    desk.pass(ms(1_500));
    assert!(desk.closes > closes, "many at once do");
}

#[test]
fn a_venue_that_refuses_connections_for_a_while_is_not_tried_before() {
    let mut desk = Desk::ready(binance::SPOT);
    desk.place_order(1, Side::Bid);
    desk.reachable = false;
    desk.gateway.on_refused(ms(30_000), desk.now);
    desk.drop_connection(OrderConnection::Orders);
    desk.connects.clear();
    desk.pass(ms(29_000));
    assert!(desk.connects.is_empty(), "{:?}", desk.connects);
    desk.reachable = true;
    desk.pass(ms(3_000));
    assert_eq!(desk.open_at_venue(), 0);
}

#[test]
fn a_shutdown_without_user_data_decides_every_order() {
    for product in PRODUCTS {
        let mut desk = Desk::new(product, hmac(), settings(product));
        desk.start();
        hold(&mut desk, &["order.place"]);
        let order = desk.place_order(1, Side::Bid);
        desk.rule = Box::new(|method, _| match method.starts_with("userDataStream") {
            true => refuse(503, -1000),
            false => Verdict::Answer,
        });
        desk.unreachable = vec![OrderConnection::UserData];
        desk.drop_connection(OrderConnection::UserData);
        desk.drop_connection(OrderConnection::Orders);
        desk.gateway.cancel_all(desk.now);
        desk.carry();
        desk.pass(ms(15_000));
        assert!(desk.gateway.is_quiet(), "{product:?}: {:?}", desk.gateway.orders().find(order));
        assert_eq!(*desk.kinds(order).last().unwrap(), Kind::Rejected);
        let end = desk.events.iter().rfind(|event| event.order == order).unwrap();
        assert!(end.overtaken, "{product:?}: what never arrived was not refused, and is no storm of refusals: {end:?}");
    }
}

#[test]
fn two_orders_of_ours_that_trade_with_each_other_are_both_filled_once() {
    for product in PRODUCTS {
        let mut desk = Desk::ready(product);
        let (bid, ask) = (desk.place_order(1, Side::Bid), desk.place_order(2, Side::Ask));
        for order in [bid, ask] {
            desk.fill(desk.id_of(order), some_lots(product), 900, ("0.01", "USDT"));
            let again =
                desk.event_message(desk.id_of(order), "FILLED", Some((some_lots(product), 900, ("0.01", "USDT"))));
            desk.user_frame(&again);
            desk.carry();
            assert_eq!(desk.kinds(order), [Kind::Accepted, Kind::Filled], "{product:?}");
        }
        assert_eq!(desk.gateway.table_counters().duplicate_fills, 2);
    }
}

#[test]
fn executions_that_come_late_end_the_wait_for_them() {
    let mut desk = Desk::ready(binance::USDM);
    desk.rest = Rest::Fails;
    let order = desk.place_order(1, Side::Bid);
    let (id, lots) = (desk.id_of(order), some_lots(binance::USDM));
    desk.user_data = false;
    desk.fill(id, lots, 900, ("0.01", "USDT"));
    desk.user_data = true;
    desk.pass(ms(40_000));
    assert!(!desk.gateway.is_ready() && desk.has(Kind::GatewayDown), "no new orders on a position that is not known");
    let late = desk.event_message(id, "FILLED", Some((lots, 900, ("0.01", "USDT"))));
    desk.user_frame(&late);
    desk.carry();
    desk.pass(ms(1_000));
    assert!(desk.gateway.is_ready() && desk.gateway.halt_message().is_none());
    assert_eq!(desk.kinds(order), [Kind::Accepted, Kind::Filled]);
}

#[test]
fn an_order_that_nobody_has_seen_is_cancelled_until_it_is_proved_ended() {
    for product in PRODUCTS {
        let mut desk = Desk::ready(product);
        hold(&mut desk, &["order.place", "order.status"]);
        let order = desk.place_order(1, Side::Bid);
        desk.cancel_order(order);
        assert_eq!(desk.count("order.cancel"), 1, "{product:?}: and the venue does not know it");
        desk.pass(ms(500));
        // It was on its way all the time. No message tells of it, and nobody answers a question.
        desk.user_data = false;
        let lots = quantity(product, some_lots(product));
        desk.add(CLIENT_IDS.write(order).as_str(), "BUY", "50000.00", &lots);
        desk.pass(ms(1_000));
        assert_eq!(desk.open_at_venue(), 0, "{product:?}: {:?}", desk.methods());
        let cancels = desk.count("order.cancel");
        assert!(cancels <= 5, "{product:?}: {cancels} in 1.5 s");
    }
}
