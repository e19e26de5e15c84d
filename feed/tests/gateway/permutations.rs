//! COLD: whatever the order in which the facts about an order arrive, its end and its fills are the same.

use crate::scripted_venue::{self, Desk, PRODUCTS, Verdict, some_lots};
use serde_json::{Value, json};
use spinbook_engine::event::{ExecutionEvent, ExecutionKind as Kind};
use spinbook_engine::types::{Lots, OrderId, Side};
use spinbook_feed::gateway::orders::{FinalStatus, Phase};
use spinbook_feed::venue::order_side::OrderConnection;
use spinbook_feed::venue::{ProductLine, binance};

/// A message and the connection it comes on.
type Fact = (OrderConnection, Vec<u8>);

pub fn permutations(count: usize, mut each: impl FnMut(&[usize])) {
    let mut order: Vec<usize> = (0..count).collect();
    let mut counters = vec![0; count];
    each(&order);
    let mut at = 0;
    while at < count {
        if counters[at] < at {
            order.swap(if at % 2 == 0 { 0 } else { counters[at] }, at);
            each(&order);
            counters[at] += 1;
            at = 0;
        } else {
            counters[at] = 0;
            at += 1;
        }
    }
}

/// A desk whose venue answers nothing about orders: the facts are given by the test.
fn mute_desk(product: ProductLine) -> (Desk, OrderId, String, String) {
    let mut desk = Desk::ready(product);
    desk.rule = Box::new(|method, _| if method.starts_with("order.") { Verdict::LoseRequest } else { Verdict::Answer });
    let order = desk.place_order(1, Side::Bid);
    desk.cancel_order(order);
    let id = |method: &str| {
        let (_, _, request) = desk.requests.iter().find(|(_, name, _)| name == method).unwrap();
        request["id"].as_str().unwrap().to_owned()
    };
    let (place, cancel) = (id("order.place"), id("order.cancel"));
    (desk, order, place, cancel)
}

/// The facts of an order that is filled in `fills` parts and then, if any is left, cancelled.
fn facts(desk: &mut Desk, order: OrderId, place: &str, cancel: &str, fills: usize, whole: bool) -> Vec<Fact> {
    let product = desk.product;
    let lots = some_lots(product);
    let client = spinbook_feed::venue::binance::request_ids::CLIENT_IDS.write(order);
    let id = desk.add(client.as_str(), "BUY", "50000.00", &scripted_venue::quantity(product, lots));
    let user = if product == binance::SPOT { OrderConnection::Orders } else { OrderConnection::UserData };
    let bytes = |value: &Value| serde_json::to_vec(value).unwrap();
    let reply = json!({"id": place, "status": 200, "result": {"orderId": id, "symbol": "BTCUSDT"}});
    let mut facts = vec![(OrderConnection::Orders, bytes(&reply)), (user, bytes(&desk.event_message(id, "NEW", None)))];
    for part in 0..fills {
        let size = if whole && part + 1 == fills { lots - lots / 5 * part as i64 } else { lots / 5 };
        let record = desk.orders.get_mut(&id).unwrap();
        record.filled += size;
        let status = if record.filled == lots { "FILLED" } else { "PARTIALLY_FILLED" };
        let event = desk.event_message(id, status, Some((size, 100 + part as u64, ("0.01", "USDT"))));
        facts.push((user, bytes(&event)));
    }
    let cancel_reply = if whole {
        json!({"id": cancel, "status": 400, "error": {"code": -2011, "msg": "Unknown order sent."}})
    } else {
        facts.push((user, bytes(&desk.event_message(id, "CANCELED", None))));
        let filled = desk.orders[&id].filled;
        json!({"id": cancel, "status": 200, "result": {
            "symbol": "BTCUSDT", "orderId": id, "origClientOrderId": client.as_str(), "clientOrderId": client.as_str(),
            "side": "BUY", "status": "CANCELED", "origQty": scripted_venue::quantity(product, lots),
            "executedQty": scripted_venue::quantity(product, filled)}})
    };
    facts.push((OrderConnection::Orders, bytes(&cancel_reply)));
    facts
}

/// What must hold of one order's events whatever came first.
fn check_story(events: &[ExecutionEvent], whole: bool, filled: i64, context: &str) {
    let mut cumulative = 0;
    let mut ended = false;
    for event in events {
        assert!(event.lots_cumulative.0 >= cumulative, "{context}: cumulative lots shrank");
        match event.kind {
            Kind::Filled => {
                assert!(!ended, "{context}: a fill after the end");
                cumulative += event.lots.0;
                assert_eq!(event.lots_cumulative.0, cumulative, "{context}");
            }
            Kind::Canceled | Kind::Expired | Kind::Rejected => {
                assert!(!ended, "{context}: ended twice");
                assert_eq!(event.kind, Kind::Canceled, "{context}");
                ended = true;
            }
            Kind::Accepted => assert!(!ended && cumulative == 0, "{context}: accepted late"),
            _ => {}
        }
    }
    assert_eq!(cumulative, filled, "{context}: every fill exactly once");
    assert_eq!(ended, !whole, "{context}");
}

fn run(product: ProductLine, fills: usize, whole: bool, doubled: bool) -> usize {
    let mut tried = 0;
    let (mut desk, order, place, cancel) = mute_desk(product);
    let mut list = facts(&mut desk, order, &place, &cancel, fills, whole);
    if doubled {
        list.push(list[2].clone());
    }
    assert!(list.len() <= 7);
    let filled = desk.orders.values().next().unwrap().filled;
    permutations(list.len(), |indices| {
        let (mut desk, order, ..) = mute_desk(product);
        desk.events.clear();
        for &index in indices {
            let (connection, mut bytes) = list[index].clone();
            desk.gateway.on_frame(connection, &mut bytes, desk.now);
            desk.carry();
        }
        let context = format!("{product:?} fills {fills} order {indices:?}");
        let events: Vec<_> = desk.events.iter().filter(|event| event.order == order).copied().collect();
        check_story(&events, whole, filled, &context);
        let tracked = desk.gateway.orders().find(order).unwrap();
        let end = if whole { FinalStatus::Filled } else { FinalStatus::Canceled };
        assert_eq!((tracked.phase, tracked.lots_filled), (Phase::Done(end), Lots(filled)), "{context}");
        assert_eq!(desk.gateway.open_orders(), 0, "{context}");
        assert_eq!(desk.gateway.table_counters().duplicate_fills, u64::from(doubled), "{context}");
        assert!(desk.gateway.halt_message().is_none(), "{context}");
        tried += 1;
    });
    tried
}

#[test]
fn every_order_of_a_cancelled_orders_facts_leads_to_the_same_end() {
    for product in PRODUCTS {
        assert_eq!(run(product, 3, false, false), 5_040);
    }
}

#[test]
fn every_order_of_a_filled_orders_facts_leads_to_the_same_end() {
    for product in PRODUCTS {
        assert_eq!(run(product, 4, true, false), 5_040);
    }
}

#[test]
fn a_repeated_execution_in_any_place_counts_once() {
    for product in PRODUCTS {
        assert_eq!(run(product, 2, false, true), 5_040);
    }
}
