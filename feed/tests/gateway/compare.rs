//! COLD: what the venue says is held against what executions come to: a difference that lasts stops trading.

use crate::scripted_venue::{Desk, PRODUCTS, Rest, START, hmac, settings, some_lots};
use spinbook_engine::event::ExecutionKind as Kind;
use spinbook_engine::types::{InstrumentId, Lots, Nanos, Side};
use spinbook_feed::gateway::GatewaySettings;
use spinbook_feed::gateway::compare::HoldingMismatch;
use spinbook_feed::venue::order_side::OrderConnection;
use spinbook_feed::venue::{ProductLine, binance};

fn ms(count: i64) -> Nanos {
    Nanos::from_millis(count)
}

/// Ready, with three orders' worth of lots held at the start.
fn holding(product: ProductLine) -> Desk {
    holding_after(product, ms(100))
}

/// The same, `pass` after it was started.
pub fn holding_after(product: ProductLine, pass: Nanos) -> Desk {
    let held = 3 * some_lots(product);
    let with_start = GatewaySettings {
        trades_from: Some(START),
        held_at_start: vec![(InstrumentId(0), Lots(held))],
        ..settings(product)
    };
    let mut desk = Desk::new(product, hmac(), with_start);
    desk.held = held;
    desk.start();
    desk.pass(pass);
    assert!(desk.gateway.is_ready(), "{product:?}: {:?}", desk.gateway.halt_message());
    assert_eq!(desk.gateway.venue_position(InstrumentId(0)), Some(Lots(held)), "read before the first order");
    desk.events.clear();
    desk
}

#[test]
fn no_order_is_taken_while_the_venue_holds_something_else_than_at_the_start() {
    for product in PRODUCTS {
        let held = Lots(3 * some_lots(product));
        let with_start = GatewaySettings {
            trades_from: Some(START),
            held_at_start: vec![(InstrumentId(0), held)],
            ..settings(product)
        };
        let mut desk = Desk::new(product, hmac(), with_start);
        desk.held = held.0 - some_lots(product);
        desk.start();
        desk.pass(ms(10_000));
        assert!(!desk.has(Kind::GatewayReady), "{product:?}");
        let message = desk.gateway.halt_message().expect("halted");
        assert!(message.contains("assets were moved or executions are missing"), "{message}");
        assert_eq!(desk.count("order.place"), 0);
    }
}

#[test]
fn a_position_that_stays_different_halts_and_is_never_traded_away() {
    for product in PRODUCTS {
        let mut desk = holding(product);
        desk.held -= some_lots(product);
        desk.tell_held();
        desk.pass(ms(1_900));
        assert_eq!(desk.gateway.halt_message(), None, "{product:?}: the other message may still come");
        desk.pass(ms(4_000));
        let message = desk.gateway.halt_message().unwrap_or_else(|| panic!("{product:?}: not halted"));
        assert!(message.contains("BTCUSDT"), "{message}");
        assert!(desk.has(Kind::Halt) && desk.gateway.counters().position_mismatches == 1, "{product:?}");
        assert_eq!(desk.count("order.place"), 0, "{product:?}");
    }
}

#[test]
fn a_difference_of_a_moment_is_none() {
    for product in PRODUCTS {
        let mut desk = holding(product);
        let order = desk.place_order(1, Side::Bid);
        let lots = some_lots(product);
        desk.held += lots;
        desk.tell_held();
        desk.pass(ms(1_500));
        let id = desk.id_of(order);
        desk.fill(id, lots, 1, ("0", "USDT"));
        desk.pass(ms(70_000));
        assert_eq!(desk.gateway.halt_message(), None, "{product:?}");
        assert_eq!(desk.gateway.counters().position_mismatches, 0, "{product:?}");
        assert!(desk.gateway.is_ready());
    }
}

#[test]
fn a_fill_whose_message_was_lost_is_found_by_the_position_and_booked() {
    for product in PRODUCTS {
        let mut desk = holding(product);
        let order = desk.place_order(1, Side::Bid);
        let (id, lots) = (desk.id_of(order), some_lots(product));
        desk.pass(ms(1_000));
        desk.user_data = false;
        desk.fill(id, lots / 2, 77, ("0", "USDT"));
        desk.user_data = true;
        desk.held += lots / 2;
        desk.tell_held();
        desk.pass(ms(6_000));
        assert_eq!(desk.gateway.halt_message(), None, "{product:?}");
        let booked = desk.events.iter().filter(|event| event.kind == Kind::Filled).map(|event| event.order);
        assert_eq!(booked.collect::<Vec<_>>(), [order], "{product:?}");
        assert!(!desk.has(Kind::GatewayDown), "{product:?}: found while quotes stand");
    }
}

#[test]
fn where_nothing_is_pushed_the_venue_is_asked_every_minute() {
    for product in PRODUCTS {
        let mut desk = holding(product);
        let asked = desk.rest_requests.len();
        desk.pass(ms(125_000));
        assert_eq!(desk.rest_requests.len() - asked, 2, "{product:?}");
        desk.rest = Rest::Fails;
        desk.pass(ms(60_000));
        assert_eq!(desk.gateway.halt_message(), None, "{product:?}: no answer is no difference");
        desk.rest = Rest::Answers;
        desk.held += some_lots(product);
        desk.pass(ms(70_000));
        assert!(desk.gateway.halt_message().is_some(), "{product:?}");
    }
}

#[test]
fn a_difference_after_user_data_was_away_names_a_transfer_where_nothing_else_would_have_told_of_one() {
    for product in PRODUCTS {
        let spot = product == binance::SPOT;
        let mut desk = holding(product);
        assert!(!desk.gateway.may_miss_transfers(), "{product:?}: it ran all the time");
        let user_data = if spot { OrderConnection::Orders } else { OrderConnection::UserData };
        desk.drop_connection(user_data);
        desk.held -= some_lots(product);
        desk.pass(ms(20_000));
        assert!(!desk.gateway.is_ready(), "{product:?}: nothing is quoted on it");
        assert_eq!(desk.gateway.may_miss_transfers(), spot, "{product:?}");
        let message = desk.gateway.halt_message().unwrap_or_else(|| panic!("{product:?}: not halted"));
        let expected = if spot {
            ["transfer_not_told: ", "0.02 of BTCUSDT is held", "come to 0.03", "if -0.01 BTC was transferred, re-arm"]
        } else {
            ["holding_mismatch: ", "0.02 of BTCUSDT is held", "come to 0.03", "compare with the venue and start again"]
        };
        expected.iter().for_each(|words| assert!(message.contains(words), "{product:?}: {words}: {message}"));
        let mismatch = desk.gateway.holding_mismatch().expect("typed");
        assert_eq!(matches!(mismatch, HoldingMismatch::PerhapsTransferred { .. }), spot, "{mismatch:?}");
    }
}

#[test]
fn once_both_sides_were_the_same_again_an_outage_before_explains_nothing() {
    let mut desk = holding(binance::SPOT);
    desk.drop_connection(OrderConnection::Orders);
    desk.pass(ms(20_000));
    assert!(desk.gateway.is_ready() && desk.gateway.may_miss_transfers());
    desk.held -= some_lots(binance::SPOT);
    desk.tell_held();
    desk.pass(ms(6_000));
    let message = desk.gateway.halt_message().expect("halted");
    assert!(message.starts_with("holding_mismatch: "), "{message}");
}
