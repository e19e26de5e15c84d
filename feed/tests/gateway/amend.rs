//! COLD: another price for an order, by an amendment or by a replacement: every outcome, and the worse of both until it is known.

use crate::scripted_venue::{Desk, EPOCH, Verdict, quantity, refuse, settings, some_lots, some_tick};
use serde_json::{Value, json};
use spinbook_engine::event::{ExecutionEvent, ExecutionKind as Kind, LocalReject};
use spinbook_engine::types::{Lots, Nanos, OrderId, Side, Tick};
use spinbook_feed::gateway::orders::{FinalStatus, Phase, TrackedOrder};
use spinbook_feed::venue::binance;
use spinbook_feed::venue::order_side::OrderConnection;

fn ms(count: i64) -> Nanos {
    Nanos::from_millis(count)
}

/// A desk with one order that rests at the venue, and nothing said of it yet.
fn resting(product: spinbook_feed::venue::ProductLine) -> (Desk, OrderId) {
    let mut desk = Desk::ready(product);
    let order = desk.place_order(1, Side::Bid);
    desk.events.clear();
    desk.requests.clear();
    (desk, order)
}

/// From now on requests of this method never arrive.
fn lose(desk: &mut Desk, method: &'static str) {
    desk.rule = Box::new(move |name, _| if name == method { Verdict::LoseRequest } else { Verdict::Answer });
}

fn id_of_request(desk: &Desk, method: &str) -> String {
    let (_, _, request) = desk.requests.iter().rev().find(|(_, name, _)| name == method).unwrap();
    request["id"].as_str().unwrap().to_owned()
}

fn tracked(desk: &Desk, order: OrderId) -> &TrackedOrder {
    desk.gateway.orders().find(order).unwrap()
}

/// Price and quantity beyond those of the order that was placed.
fn moved(desk: &Desk, order: OrderId) -> (i64, i64) {
    let order = tracked(desk, order);
    (order.tick.0 - some_tick(desk.product), order.lots.0 - some_lots(desk.product))
}

fn last(desk: &Desk, order: OrderId) -> ExecutionEvent {
    *desk.events.iter().rev().find(|event| event.order == order).unwrap()
}

#[test]
fn an_amended_order_keeps_its_name_and_has_another_price_and_quantity() {
    let (mut desk, order) = resting(binance::USDM);
    desk.amend_order(order, -10, 5);
    assert_eq!(desk.kinds(order), [Kind::Amended], "told once, by event and answer");
    let (_, method, request) = &desk.requests[0];
    assert_eq!((method.as_str(), &request["params"]["side"]), ("order.modify", &json!("BUY")));
    assert_eq!(request["params"]["orderId"], json!(desk.id_of(order)), "by the venue's own name");
    assert_eq!(
        (request["params"]["price"].as_str(), request["params"]["quantity"].as_str()),
        (Some("49999.00"), Some("0.015"))
    );
    assert_eq!(moved(&desk, order), (-10, 5));
    let event = last(&desk, order);
    assert_eq!((event.tick, event.lots), (Tick(some_tick(desk.product) - 10), Lots(15)));
    assert_eq!((tracked(&desk, order).phase, desk.gateway.counters().amends_sent), (Phase::Working, 1));
    desk.pass(ms(10_000));
    assert_eq!(desk.count("order.status"), 0, "nothing is in doubt");
    desk.cancel_order(order);
    assert_eq!(desk.open_at_venue(), 0);
}

#[test]
fn a_refused_amendment_leaves_the_order_as_it_was_and_it_is_asked_for() {
    let (mut desk, order) = resting(binance::USDM);
    desk.rule = Box::new(|method, _| if method == "order.modify" { refuse(400, -4164) } else { Verdict::Answer });
    desk.amend_order(order, 7, -9);
    assert_eq!((desk.kinds(order), moved(&desk, order)), (vec![Kind::AmendRejected], (0, 0)));
    assert_eq!(last(&desk, order).venue_code.as_number(), Some(-4164));
    desk.pass(ms(10));
    assert_eq!(desk.count("order.status"), 1);
    assert_eq!((tracked(&desk, order).is_amending(), desk.gateway.unknown_orders()), (false, 0));
}

#[test]
fn an_amendment_whose_answer_is_lost_is_decided_by_what_the_venue_shows() {
    for made in [true, false] {
        let (mut desk, order) = resting(binance::USDM);
        desk.user_data = false;
        desk.rule = Box::new(move |method, _| match method {
            "order.modify" if made => Verdict::LoseReply,
            "order.modify" => Verdict::LoseRequest,
            _ => Verdict::Answer,
        });
        desk.amend_order(order, 3, 10);
        assert!(tracked(&desk, order).is_amending());
        assert_eq!(
            tracked(&desk, order).lots_most(),
            Lots(some_lots(desk.product) + 10),
            "the larger of the two counts"
        );
        while desk.kinds(order).is_empty() {
            desk.pass(ms(100));
        }
        assert_eq!(desk.kinds(order)[0], Kind::Unknown, "made: {made}");
        desk.pass(ms(5_000));
        let expected = if made { ((3, 10), Kind::Amended) } else { ((0, 0), Kind::AmendRejected) };
        assert!(desk.kinds(order).contains(&expected.1), "{:?}", desk.kinds(order));
        assert_eq!((moved(&desk, order), tracked(&desk, order).is_amending()), (expected.0, false), "made: {made}");
        assert_eq!((tracked(&desk, order).phase, desk.open_at_venue()), (Phase::Working, 1), "it rests all the while");
        assert_eq!(desk.gateway.unknown_orders(), 0);
    }
}

#[test]
fn the_old_price_proves_nothing_while_the_amendment_may_still_come() {
    let (mut desk, order) = resting(binance::USDM);
    desk.rule = Box::new(|method, _| if method == "order.modify" { refuse(503, -1007) } else { Verdict::Answer });
    desk.amend_order(order, 3, 0);
    desk.pass(ms(50));
    assert!(desk.count("order.status") >= 1, "it is asked for at once");
    assert!(tracked(&desk, order).is_amending(), "and the answer of now is no word on a request that is under way");
    desk.amend_order(order, 4, 0);
    assert_eq!((last(&desk, order).kind, last(&desk, order).local), (Kind::AmendRejected, LocalReject::Late));
    desk.pass(ms(5_000));
    assert_eq!((tracked(&desk, order).is_amending(), moved(&desk, order)), (false, (0, 0)));
}

#[test]
fn a_lost_connection_leaves_the_amendment_in_doubt_and_cancels_the_order() {
    let (mut desk, order) = resting(binance::USDM);
    lose(&mut desk, "order.modify");
    desk.amend_order(order, 3, 5);
    desk.drop_connection(OrderConnection::Orders);
    assert!(desk.kinds(order).contains(&Kind::Unknown));
    desk.pass(ms(10_000));
    assert_eq!(desk.open_at_venue(), 0);
    assert_eq!(tracked(&desk, order).phase, Phase::Done(FinalStatus::Canceled));
}

#[test]
fn an_order_that_is_filled_while_it_is_amended_ends_filled() {
    for (ticks, lots) in [(3, 0), (3, 10), (3, -5)] {
        let (mut desk, order) = resting(binance::USDM);
        lose(&mut desk, "order.modify");
        desk.amend_order(order, ticks, lots);
        let venue_order = desk.id_of(order);
        desk.fill(venue_order, some_lots(desk.product), 100, ("0.01", "USDT"));
        assert_eq!(tracked(&desk, order).phase, Phase::Done(FinalStatus::Filled), "{lots}");
        let refused = json!({"id": id_of_request(&desk, "order.modify"), "status": 400,
            "error": {"code": -2013, "msg": "Order does not exist."}});
        desk.frame(&refused);
        desk.pass(ms(5_000));
        let told = desk.kinds(order);
        assert_eq!(told.iter().filter(|kind| **kind == Kind::Filled).count(), 1);
        // Who counts by the quantity hears which one it was.
        assert_eq!(told.contains(&Kind::AmendRejected), lots != 0, "{lots}: {told:?}");
        assert!(desk.gateway.halt_message().is_none() && desk.gateway.open_orders() == 0);
    }
}

#[test]
fn a_fill_before_the_amendment_counts_towards_the_new_quantity() {
    let (mut desk, order) = resting(binance::USDM);
    let (lots, venue_order) = (some_lots(desk.product), desk.id_of(order));
    desk.fill(venue_order, lots / 5, 100, ("0.01", "USDT"));
    desk.amend_order(order, 2, lots / 5);
    desk.fill(venue_order, lots, 101, ("0.01", "USDT"));
    assert_eq!(tracked(&desk, order).phase, Phase::Done(FinalStatus::Filled));
    assert_eq!(tracked(&desk, order).lots_filled, Lots(lots + lots / 5));
    assert_eq!(desk.gateway.table_counters().overfills, 0);
}

#[test]
fn an_amendment_that_the_venue_answers_with_a_cancel_ends_the_order() {
    let (mut desk, order) = resting(binance::USDM);
    let venue_order = desk.id_of(order);
    desk.fill(venue_order, 4, 100, ("0.01", "USDT"));
    // Less than is filled: the venue cancels it, as it cancels a post-only order that would take.
    desk.amend_order(order, 0, 3 - some_lots(desk.product));
    assert_eq!(tracked(&desk, order).phase, Phase::Done(FinalStatus::Canceled));
    assert_eq!(last(&desk, order).kind, Kind::Canceled);
    assert_eq!(desk.gateway.table_counters().overfills, 0);
}

#[test]
fn a_cancel_waits_for_no_answer_to_an_amendment_or_a_replacement() {
    let (mut desk, order) = resting(binance::USDM);
    lose(&mut desk, "order.modify");
    desk.amend_order(order, 3, 0);
    desk.cancel_order(order);
    assert_eq!((desk.count("order.cancel"), desk.open_at_venue()), (1, 0), "in the same call");

    let (mut desk, order) = resting(binance::SPOT);
    lose(&mut desk, "order.cancelReplace");
    let next = desk.replace_order(order, 2, 3);
    desk.cancel_order(order);
    desk.cancel_order(next);
    assert_eq!((desk.count("order.cancel"), desk.open_at_venue()), (2, 0));
    // And what was to come after a cancel of its order does not leave at all.
    let (mut desk, order) = resting(binance::SPOT);
    lose(&mut desk, "order.cancel");
    desk.cancel_order(order);
    let next = desk.replace_order(order, 2, 3);
    assert_eq!((desk.kinds(next), desk.count("order.cancelReplace")), (vec![Kind::Rejected], 0));
}

#[test]
fn the_gateway_itself_holds_a_change_against_its_limits() {
    for product in [binance::USDM, binance::SPOT] {
        let lots = some_lots(product);
        let mut choices = settings(product);
        choices.limits[0].position_lots_max = Lots(lots + lots / 2);
        choices.limits[0].open_orders_max = 1;
        let mut desk = Desk::new(product, crate::scripted_venue::hmac(), choices);
        desk.start();
        desk.pass(ms(1_000));
        let order = desk.place_order(1, Side::Bid);
        desk.requests.clear();
        if product == binance::USDM {
            desk.amend_order(order, 1, lots / 2 + 1);
            assert_eq!(last(&desk, order).local, LocalReject::Limit);
            desk.amend_order(order, 1, lots / 2);
            assert_eq!(last(&desk, order).kind, Kind::Amended, "the larger of the two is within it");
        } else {
            // The old one may be filled but for a lot, and then the new one: that is too much here.
            let next = desk.replace_order(order, 2, 1);
            assert_eq!((last(&desk, next).local, last(&desk, order).kind), (LocalReject::Limit, Kind::AmendRejected));
            assert_eq!((desk.requests.len(), desk.open_at_venue()), (0, 1), "nothing was asked of the venue");
        }
        assert_eq!(desk.gateway.counters().refused_limit, 1);
        assert_eq!(tracked(&desk, order).phase, Phase::Working);
    }
}

#[test]
fn a_replaced_order_is_cancelled_and_the_new_one_rests() {
    let (mut desk, order) = resting(binance::SPOT);
    let next = desk.replace_order(order, 2, -10);
    assert_eq!((desk.kinds(order), desk.kinds(next)), (vec![Kind::Canceled], vec![Kind::Accepted]));
    assert_eq!((desk.methods(), desk.open_at_venue()), (vec!["order.cancelReplace"], 1));
    assert_eq!(tracked(&desk, order).phase, Phase::Done(FinalStatus::Canceled));
    let counts = desk.gateway.order_counts();
    assert_eq!((counts.sent, counts.canceled, counts.open), (2, 1, 1), "the old one was cancelled, the new one sent");
    desk.pass(ms(10_000));
    assert_eq!(desk.count("order.status"), 0, "nothing is in doubt");
}

/// The venue's answer to the replacement that was lost, in its own words.
fn answer_halves(desk: &mut Desk, code: i64, halves: &Value) {
    let id = id_of_request(desk, "order.cancelReplace");
    let status = if code == -2021 { 409 } else { 400 };
    desk.frame(&json!({"id": id, "status": status, "error": {"code": code, "msg": "no", "data": halves}}));
    desk.carry();
}

#[test]
fn a_cancel_that_fails_places_nothing_and_the_order_is_asked_for() {
    let refused = json!({"code": -2011, "msg": "Unknown order sent."});
    let halves = json!({"cancelResult": "FAILURE", "newOrderResult": "NOT_ATTEMPTED", "cancelResponse": refused,
        "newOrderResponse": null});
    let (mut desk, order) = resting(binance::SPOT);
    lose(&mut desk, "order.cancelReplace");
    let next = desk.replace_order(order, 2, 3);
    answer_halves(&mut desk, -2022, &halves);
    assert_eq!((desk.kinds(next), desk.kinds(order)), (vec![Kind::Rejected], vec![Kind::AmendRejected]));
    assert!(last(&desk, next).overtaken, "that is no fault of the new order");
    desk.pass(ms(100));
    assert_eq!((desk.count("order.status"), tracked(&desk, order).phase), (1, Phase::Working));
    // The same without a word of the halves.
    let (mut desk, order) = resting(binance::SPOT);
    desk.rule =
        Box::new(|method, _| if method == "order.cancelReplace" { refuse(400, -2022) } else { Verdict::Answer });
    let next = desk.replace_order(order, 2, 3);
    assert_eq!((desk.kinds(next), desk.kinds(order)), (vec![Kind::Rejected], vec![Kind::AmendRejected]));
}

#[test]
fn a_cancel_that_works_and_a_place_that_is_refused_leave_nothing() {
    let (mut desk, order) = resting(binance::SPOT);
    let client = spinbook_feed::venue::binance::request_ids::CLIENT_IDS.write(order);
    lose(&mut desk, "order.cancelReplace");
    let next = desk.replace_order(order, 2, 3);
    let row = json!({"symbol": "BTCUSDT", "orderId": desk.id_of(order), "origClientOrderId": client.as_str(), "clientOrderId": "x",
        "side": "BUY", "status": "CANCELED", "origQty": quantity(desk.product, some_lots(desk.product)), "executedQty": "0.00000000"});
    let refused = json!({"code": -2010, "msg": "Order would immediately match and take."});
    let halves = json!({"cancelResult": "SUCCESS", "newOrderResult": "FAILURE", "cancelResponse": row,
        "newOrderResponse": refused});
    answer_halves(&mut desk, -2021, &halves);
    assert_eq!((desk.kinds(order), desk.kinds(next)), (vec![Kind::Canceled], vec![Kind::Rejected]));
    assert!(last(&desk, next).overtaken && last(&desk, next).venue_code.as_number() == Some(-2010));
    assert_eq!((desk.gateway.open_orders(), desk.gateway.unknown_orders()), (0, 0));
}

#[test]
fn an_unknown_outcome_of_a_replacement_puts_both_orders_in_doubt_until_each_is_proved() {
    // Carried out without an answer, never arrived, refused without a word of the outcome, and halves that say nothing.
    for case in 0..4 {
        let (mut desk, order) = resting(binance::SPOT);
        desk.user_data = false;
        desk.rule = Box::new(move |method, _| match (method, case) {
            ("order.cancelReplace", 0) => Verdict::LoseReply,
            ("order.cancelReplace", 1 | 3) => Verdict::LoseRequest,
            ("order.cancelReplace", _) => refuse(503, -1007),
            _ => Verdict::Answer,
        });
        let next = desk.replace_order(order, 2, 3);
        if case == 3 {
            answer_halves(&mut desk, -2021, &json!({"cancelResult": "?", "newOrderResult": "FAILURE"}));
        }
        while desk.kinds(order).is_empty() {
            assert_eq!(desk.gateway.open_orders(), 2, "case {case}: both count");
            desk.pass(ms(50));
        }
        assert_eq!((desk.kinds(order)[0], desk.kinds(next)[0]), (Kind::Unknown, Kind::Unknown), "case {case}");
        desk.pass(ms(15_000));
        let made = case == 0;
        let expected = if made { Phase::Done(FinalStatus::Canceled) } else { Phase::Working };
        assert_eq!(tracked(&desk, order).phase, expected, "case {case}: {:?}", desk.kinds(order));
        let expected = if made { Phase::Working } else { Phase::Done(FinalStatus::Rejected) };
        assert_eq!(tracked(&desk, next).phase, expected, "case {case}: {:?}", desk.kinds(next));
        assert_eq!((desk.open_at_venue(), desk.gateway.unknown_orders()), (1, 0), "case {case}");
    }
}

#[test]
fn a_lost_connection_leaves_both_orders_of_a_replacement_in_doubt() {
    let (mut desk, order) = resting(binance::SPOT);
    lose(&mut desk, "order.cancelReplace");
    let next = desk.replace_order(order, 2, 3);
    desk.drop_connection(OrderConnection::Orders);
    assert!(desk.kinds(order).contains(&Kind::Unknown) && desk.kinds(next).contains(&Kind::Unknown));
    desk.pass(ms(15_000));
    assert_eq!((desk.open_at_venue(), desk.gateway.open_orders()), (0, 0));
    assert_eq!(order.epoch(), EPOCH);
}
