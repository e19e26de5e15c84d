//! COLD: executions that happened while user data was away: each is booked once, before the first order after it.

use crate::scripted_venue::{Desk, EPOCH, PRODUCTS, Rest, hmac, place, quantity, settings, some_lots};
use spinbook_engine::event::ExecutionKind as Kind;
use spinbook_engine::intent::Intent;
use spinbook_engine::types::{InstrumentId, Lots, Nanos, OrderId, Side};
use spinbook_feed::gateway::GatewaySettings;
use spinbook_feed::gateway::earlier::EarlierOrder;
use spinbook_feed::venue::binance;
use spinbook_feed::venue::order_ids::VenueOrderId;
use spinbook_feed::venue::order_side::OrderConnection;

fn ms(count: i64) -> Nanos {
    Nanos::from_millis(count)
}

fn trades_path(desk: &Desk) -> &'static str {
    if desk.product == binance::SPOT { "myTrades" } else { "userTrades" }
}

/// The connection over which this product's user data comes.
fn user_data(desk: &Desk) -> OrderConnection {
    if desk.product == binance::SPOT { OrderConnection::Orders } else { OrderConnection::UserData }
}

#[test]
fn fills_of_an_outage_are_booked_once_and_before_orders_are_taken_again() {
    for product in PRODUCTS {
        let mut desk = Desk::ready(product);
        let order = desk.place_order(1, Side::Bid);
        let id = desk.id_of(order);
        let lots = some_lots(product);
        desk.pass(ms(5_000));
        desk.fill(id, lots / 5, 1_000, ("0.01", "USDT"));
        // User data is gone without a word, then for all to see; two fills happen meanwhile.
        desk.user_data = false;
        desk.fill(id, lots / 5, 1_001, ("0.01", "USDT"));
        desk.pass(ms(2_000));
        desk.fill(id, lots / 5, 1_002, ("0.01", "USDT"));
        desk.user_data = true;
        desk.rest = Rest::Fails;
        let connection = user_data(&desk);
        desk.drop_connection(connection);
        desk.pass(ms(4_000));
        assert!(!desk.gateway.is_ready(), "{product:?}: ready without the executions");
        assert!(desk.gateway.counters().rest_failures > 2, "{product:?}: it is asked for again");
        let before = desk.events.len();
        desk.rest = Rest::Answers;
        desk.pass(ms(10_000));
        assert!(desk.gateway.is_ready(), "{product:?}: {:?}", desk.gateway.halt_message());
        let filled: Vec<u128> =
            desk.events.iter().filter(|event| event.kind == Kind::Filled).map(|event| event.trade.0).collect();
        assert_eq!(filled, [1_000, 1_001, 1_002], "{product:?}: each once, the overlap's not again");
        let ready = desk.events[before..].iter().position(|event| event.kind == Kind::GatewayReady).unwrap();
        let late = desk.events[before + ready..].iter().any(|event| event.kind == Kind::Filled);
        assert!(!late, "{product:?}: {:?}", desk.events);
        if product == binance::USDM {
            assert_eq!(desk.gateway.table_counters().duplicate_fills, 0, "an overlap is no repeat");
        }
        let order = desk.gateway.orders().find(order).unwrap();
        assert_eq!(order.lots_filled, Lots(lots / 5 * 3));
    }
}

#[test]
fn a_fill_of_an_order_whose_number_is_not_known_waits_for_its_name() {
    for product in PRODUCTS {
        let mut desk = Desk::ready(product);
        desk.pass(ms(1_000));
        // Everything is silent: the order arrives and is filled, and nothing of it comes back.
        desk.dark = vec![OrderConnection::Orders, OrderConnection::UserData];
        let order = desk.place_order(1, Side::Bid);
        let lots = quantity(product, some_lots(product));
        let name = spinbook_feed::venue::binance::request_ids::CLIENT_IDS.write(order);
        let id = desk.add(name.as_str(), "BUY", "50000.00", &lots);
        desk.fill(id, some_lots(product), 2_000, ("0.01", "USDT"));
        desk.pass(ms(1_000));
        desk.dark.clear();
        for connection in [OrderConnection::UserData, OrderConnection::Orders] {
            desk.drop_connection(connection);
        }
        desk.pass(ms(20_000));
        let fills = desk.events.iter().filter(|event| event.kind == Kind::Filled);
        assert_eq!(fills.map(|event| event.order).collect::<Vec<_>>(), [order], "{product:?}: {:?}", desk.events);
        assert_eq!(desk.gateway.halt_message(), None, "{product:?}");
        assert!(desk.gateway.is_ready(), "{product:?}");
    }
}

#[test]
fn fills_between_the_reading_of_the_account_and_user_data_are_booked_before_the_first_order() {
    for product in PRODUCTS {
        let with_start = GatewaySettings { trades_from: Some(crate::scripted_venue::START), ..settings(product) };
        let mut desk = Desk::new(product, hmac(), with_start);
        desk.user_data = false;
        let lots = some_lots(product);
        let stray = desk.add("sb9-3", "SELL", "50000.00", &quantity(product, lots));
        desk.now = desk.now + ms(20);
        desk.fill(stray, lots, 3_000, ("0.01", "USDT"));
        desk.user_data = true;
        desk.start();
        desk.pass(ms(1_000));
        let kinds: Vec<Kind> = desk.events.iter().map(|event| event.kind).collect();
        assert_eq!(kinds, [Kind::Filled, Kind::GatewayReady], "{product:?}");
        assert_eq!((desk.events[0].side, desk.events[0].lots), (Side::Ask, Lots(lots)));
        assert_eq!(desk.rest_count(trades_path(&desk)), 1, "{product:?}");
    }
}

#[test]
fn a_fill_of_an_order_that_an_earlier_run_left_bears_its_name_whatever_tells_of_it_first_and_is_booked_once() {
    let earlier = OrderId::new(9, 3);
    for product in PRODUCTS {
        for (told_by_user_data, is_known) in [(true, false), (false, true), (false, false), (true, true)] {
            let mut desk = Desk::new(product, hmac(), settings(product));
            let lots = some_lots(product);
            let stray = desk.add("sb9-3", "SELL", "50000.00", &quantity(product, lots));
            let venue_order = VenueOrderId::from_number(stray);
            let known = EarlierOrder { instrument: InstrumentId(0), venue_order, order: earlier };
            let with_start = GatewaySettings {
                trades_from: Some(crate::scripted_venue::START),
                earlier_orders: if is_known { vec![known] } else { Vec::new() },
                ..settings(product)
            };
            let made = Desk::new(product, hmac(), with_start);
            desk.gateway = made.gateway;
            desk.now = desk.now + ms(20);
            desk.user_data = false;
            // It is filled when nothing but a list can tell, or under way while the gateway is not ready yet.
            if !told_by_user_data {
                desk.fill(stray, lots, 3_000, ("0.01", "USDT"));
            }
            desk.user_data = true;
            desk.rest = Rest::Fails;
            desk.start();
            desk.pass(ms(500));
            assert!(!desk.gateway.is_ready(), "{product:?}");
            if told_by_user_data {
                // The sweep was too late for it.
                desk.orders.get_mut(&stray).unwrap().status = "NEW";
                desk.fill(stray, lots, 3_000, ("0.01", "USDT"));
            }
            desk.rest = Rest::Answers;
            desk.pass(ms(10_000));
            assert!(desk.gateway.is_ready(), "{product:?}: {:?}", desk.gateway.halt_message());
            let fills: Vec<_> = desk.events.iter().filter(|event| event.kind == Kind::Filled).collect();
            let [fill] = fills.as_slice() else { panic!("{product:?}: booked once, not {fills:?}") };
            let named = told_by_user_data || is_known;
            assert_eq!(fill.order, if named { earlier } else { OrderId::NONE }, "{product:?}: {fill:?}");
            let foreign = desk.gateway.counters().third_party_orders;
            assert_eq!(foreign, u64::from(!named), "{product:?} {told_by_user_data} {is_known}");
        }
    }
}

#[test]
fn a_list_longer_than_one_answer_is_had_to_its_end() {
    for product in PRODUCTS {
        let mut desk = Desk::ready(product);
        let lot = some_lots(product) / 10;
        let mut ids = Vec::new();
        for counter in 1..=2 {
            let order = OrderId::new(EPOCH, counter);
            let lots = Lots(some_lots(product) * 100);
            let wanted = Intent { lots, deadline: desk.now, ..place(product, order, Side::Bid) };
            desk.gateway.on_intent(&wanted, desk.now);
            desk.carry();
            ids.push(desk.id_of(order));
        }
        desk.user_data = false;
        for trade in 0..1_200 {
            desk.fill(ids[trade % 2], lot, 10_000 + trade as u64, ("0", "USDT"));
        }
        desk.user_data = true;
        let connection = user_data(&desk);
        desk.drop_connection(connection);
        desk.pass(ms(10_000));
        let mut filled: Vec<u128> =
            desk.events.iter().filter(|event| event.kind == Kind::Filled).map(|event| event.trade.0).collect();
        filled.sort_unstable();
        assert_eq!(filled, (10_000..11_200).collect::<Vec<_>>(), "{product:?}: each of them once");
        assert_eq!(desk.rest_count(trades_path(&desk)), 2, "{product:?}: a thousand at a time");
        assert!(desk.gateway.is_ready());
    }
}
