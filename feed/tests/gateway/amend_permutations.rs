//! COLD: whatever the order in which the facts about an amended or a replaced order arrive, they end in the same state.

use crate::permutations::permutations;
use crate::scripted_venue::{self, Desk, Verdict, some_lots, some_tick};
use serde_json::{Value, json};
use spinbook_engine::event::{ExecutionEvent, ExecutionKind as Kind};
use spinbook_engine::types::{Lots, OrderId, Side};
use spinbook_feed::gateway::orders::{FinalStatus, Phase};
use spinbook_feed::venue::binance::request_ids::CLIENT_IDS;
use spinbook_feed::venue::order_side::OrderConnection;
use spinbook_feed::venue::{ProductLine, binance};

type Fact = (OrderConnection, Vec<u8>);

/// What the venue answers to the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Made,
    /// A refusal, whatever the venue did.
    Refused,
    /// Neither: a fault of the server.
    Unknown,
}

const ANSWERS: [Answer; 3] = [Answer::Made, Answer::Refused, Answer::Unknown];

fn bytes(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).unwrap()
}

/// An order that the venue has, and requests about it that nobody answers.
fn mute(product: ProductLine) -> (Desk, OrderId) {
    let mut desk = Desk::ready(product);
    let order = desk.place_order(1, Side::Bid);
    desk.rule = Box::new(|method, _| if method.starts_with("order.") { Verdict::LoseRequest } else { Verdict::Answer });
    desk.requests.clear();
    (desk, order)
}

fn request_id(desk: &Desk, method: &str) -> String {
    let (_, _, request) = desk.requests.iter().find(|(_, name, _)| name == method).unwrap();
    request["id"].as_str().unwrap().to_owned()
}

fn refused(id: &str, status: u16, code: i32) -> Vec<u8> {
    bytes(&json!({"id": id, "status": status, "error": {"code": code, "msg": "no"}}))
}

fn deliver(desk: &mut Desk, facts: &[Fact], indices: &[usize]) {
    desk.events.clear();
    for &index in indices {
        let (connection, mut bytes) = facts[index].clone();
        desk.gateway.on_frame(connection, &mut bytes, desk.now);
        desk.carry();
        desk.gateway.orders().check();
    }
}

fn told(desk: &Desk, order: OrderId) -> Vec<ExecutionEvent> {
    desk.events.iter().filter(|event| event.order == order).copied().collect()
}

/// Ticks and lots that the order is amended by.
const BY: (i64, i64) = (-20, 4);

fn amended_desk(cancels: bool) -> (Desk, OrderId) {
    let (mut desk, order) = mute(binance::USDM);
    desk.amend_order(order, BY.0, BY.1);
    if cancels {
        desk.cancel_order(order);
    }
    (desk, order)
}

/// New, a fill at the old price, the change, the answer, a fill at the new price, and with a cancel its event and answer;
/// without one the change and the last fill once more.
fn amendment_facts(answer: Answer, cancels: bool) -> Vec<Fact> {
    let (mut desk, order) = amended_desk(cancels);
    let (lots, user) = (some_lots(desk.product), OrderConnection::UserData);
    let venue_order = desk.id_of(order);
    let mut facts = vec![(user, bytes(&desk.event_message(venue_order, "NEW", None)))];
    let fill = |desk: &mut Desk, trade: u64| {
        let record = desk.orders.get_mut(&venue_order).unwrap();
        record.filled += lots / 5;
        let event = desk.event_message(venue_order, "PARTIALLY_FILLED", Some((lots / 5, trade, ("0.01", "USDT"))));
        (user, bytes(&event))
    };
    facts.push(fill(&mut desk, 100));
    let record = desk.orders.get_mut(&venue_order).unwrap();
    (record.price, record.lots) = ("49998.00".to_owned(), lots + BY.1);
    record.quantity = scripted_venue::quantity(desk.product, lots + BY.1);
    let mut change = desk.amendment_message(venue_order);
    change["o"]["X"] = json!("PARTIALLY_FILLED");
    facts.push((user, bytes(&change)));
    let id = request_id(&desk, "order.modify");
    let row = json!({"symbol": "BTCUSDT", "orderId": venue_order, "clientOrderId": CLIENT_IDS.write(order).as_str(),
        "side": "BUY", "status": "PARTIALLY_FILLED", "price": "49998.00",
        "origQty": scripted_venue::quantity(desk.product, lots + BY.1), "executedQty": scripted_venue::quantity(desk.product, lots / 5)});
    let reply = match answer {
        Answer::Made => bytes(&json!({"id": id, "status": 200, "result": row})),
        Answer::Refused => refused(&id, 400, -4164),
        Answer::Unknown => refused(&id, 503, -1007),
    };
    facts.push((OrderConnection::Orders, reply));
    facts.push(fill(&mut desk, 101));
    if cancels {
        facts.push((user, bytes(&desk.event_message(venue_order, "CANCELED", None))));
        let mut row = row;
        row["status"] = json!("CANCELED");
        row["executedQty"] = json!(scripted_venue::quantity(desk.product, 2 * (lots / 5)));
        let id = request_id(&desk, "order.cancel");
        facts.push((OrderConnection::Orders, bytes(&json!({"id": id, "status": 200, "result": row}))));
    } else {
        facts.extend([facts[2].clone(), facts[4].clone()]);
    }
    facts
}

#[test]
fn every_order_of_an_amended_orders_facts_leads_to_the_same_end() {
    for answer in ANSWERS {
        for cancels in [false, true] {
            let facts = amendment_facts(answer, cancels);
            let mut tried = 0;
            permutations(facts.len(), |indices| {
                let (mut desk, order) = amended_desk(cancels);
                deliver(&mut desk, &facts, indices);
                let context = format!("{answer:?} cancels: {cancels} {indices:?}");
                let tracked = desk.gateway.orders().find(order).unwrap();
                let filled = Lots(2 * (some_lots(desk.product) / 5));
                let phase = if cancels { Phase::Done(FinalStatus::Canceled) } else { Phase::Working };
                // An answer without an outcome is a doubt that only the next question ends.
                let doubted = answer == Answer::Unknown && tracked.phase == Phase::Unknown;
                assert!(tracked.phase == phase || doubted, "{context}: {:?}", tracked.phase);
                assert_eq!((tracked.lots_filled, tracked.is_amending()), (filled, false), "{context}");
                if !cancels {
                    let level = (tracked.tick.0 - some_tick(desk.product), tracked.lots.0 - some_lots(desk.product));
                    assert_eq!(level, BY, "{context}: what the venue shows holds");
                }
                let events = told(&desk, order);
                let count = |kind| events.iter().filter(|event| event.kind == kind).count();
                assert_eq!((count(Kind::Filled), count(Kind::Canceled)), (2, usize::from(cancels)), "{context}");
                assert!(count(Kind::Amended) <= 1 && count(Kind::Rejected) == 0, "{context}");
                assert_eq!(desk.gateway.table_counters().overfills, 0, "{context}");
                tried += 1;
            });
            assert_eq!(tried, 5_040);
        }
    }
}

fn replaced_desk() -> (Desk, OrderId, OrderId) {
    let (mut desk, order) = mute(binance::SPOT);
    let next = desk.replace_order(order, 2, -20);
    desk.cancel_order(next);
    (desk, order, next)
}

/// A fill of the old order, its cancel, the new one, the answer to both, a fill of the new one, and the end of that one.
fn replacement_facts(answer: Answer) -> Vec<Fact> {
    let (mut desk, order, next) = replaced_desk();
    let (lots, orders) = (some_lots(desk.product), OrderConnection::Orders);
    let quantity = |lots| scripted_venue::quantity(binance::SPOT, lots);
    let old = desk.id_of(order);
    let new = desk.add(CLIENT_IDS.write(next).as_str(), "BUY", "49999.80", &quantity(lots));
    let mut facts = Vec::new();
    let row = |id: u64, order: OrderId, filled: i64| {
        json!({"symbol": "BTCUSDT", "orderId": id, "origClientOrderId": CLIENT_IDS.write(order).as_str(), "clientOrderId": "x",
            "side": "BUY", "status": "CANCELED", "origQty": quantity(lots), "executedQty": quantity(filled)})
    };
    let mut told = |desk: &mut Desk, id: u64, status: &str, fill: Option<u64>| {
        desk.orders.get_mut(&id).unwrap().filled += fill.map_or(0, |_| lots / 5);
        let fill = fill.map(|trade| (lots / 5, trade, ("0.01", "USDT")));
        facts.push((orders, bytes(&desk.event_message(id, status, fill))));
    };
    told(&mut desk, old, "PARTIALLY_FILLED", Some(100));
    told(&mut desk, old, "CANCELED", None);
    told(&mut desk, new, "NEW", None);
    told(&mut desk, new, "PARTIALLY_FILLED", Some(101));
    told(&mut desk, new, "CANCELED", None);
    let id = request_id(&desk, "order.cancelReplace");
    let both = json!({"cancelResult": "SUCCESS", "newOrderResult": "SUCCESS", "cancelResponse": row(old, order, lots / 5),
        "newOrderResponse": {"symbol": "BTCUSDT", "orderId": new}});
    facts.push((
        orders,
        match answer {
            Answer::Made => bytes(&json!({"id": id, "status": 200, "result": both})),
            Answer::Refused => refused(&id, 400, -2022),
            Answer::Unknown => refused(&id, 503, -1007),
        },
    ));
    let id = request_id(&desk, "order.cancel");
    facts.push((orders, bytes(&json!({"id": id, "status": 200, "result": row(new, next, lots / 5)}))));
    facts
}

#[test]
fn every_order_of_a_replaced_orders_facts_leads_to_the_same_end() {
    for answer in ANSWERS {
        let facts = replacement_facts(answer);
        let mut tried = 0;
        permutations(facts.len(), |indices| {
            let (mut desk, order, next) = replaced_desk();
            deliver(&mut desk, &facts, indices);
            for order in [order, next] {
                let context = format!("{answer:?} {indices:?} {order:?}");
                let tracked = desk.gateway.orders().find(order).unwrap();
                assert_eq!(tracked.phase, Phase::Done(FinalStatus::Canceled), "{context}");
                assert_eq!(tracked.lots_filled, Lots(some_lots(desk.product) / 5), "{context}");
                let events = told(&desk, order);
                let count = |kind| events.iter().filter(|event| event.kind == kind).count();
                assert_eq!((count(Kind::Filled), count(Kind::Canceled)), (1, 1), "{context}");
            }
            assert_eq!(desk.gateway.open_orders(), 0);
            assert!(desk.gateway.halt_message().is_none());
            tried += 1;
        });
        assert_eq!(tried, 5_040);
    }
}
