//! COLD: money that moves beside executions: each movement is booked once, whatever user data lost or told twice.

use crate::compare;
use crate::scripted_venue::{Desk, PRODUCTS, Rest, START, quantity, some_lots};
use serde_json::json;
use spinbook_engine::event::{ExecutionEvent, ExecutionKind as Kind, FeeAsset};
use spinbook_engine::types::{InstrumentId, Lots, Nanos, QUOTE_ATOMS_PER_UNIT, QuoteAtoms, Side};
use spinbook_feed::venue::instrument::Symbol;
use spinbook_feed::venue::order_side::OrderConnection;
use spinbook_feed::venue::{ProductLine, binance};

const UNIT: i128 = QUOTE_ATOMS_PER_UNIT;

fn seconds(count: i64) -> Nanos {
    Nanos::from_seconds(count)
}

fn holding(product: ProductLine) -> Desk {
    compare::holding_after(product, seconds(1))
}

fn booked(desk: &Desk, kind: Kind) -> Vec<ExecutionEvent> {
    desk.events.iter().filter(|event| event.kind == kind).copied().collect()
}

fn paid(desk: &Desk) -> Vec<i128> {
    booked(desk, Kind::Income).iter().map(|event| event.fee.0).collect()
}

#[test]
fn funding_is_booked_once_from_the_list_however_often_it_is_told() {
    let mut desk = holding(binance::USDM);
    desk.pass(seconds(30));
    desk.list_income("FUNDING_FEE", "BTCUSDT", "USDT", "-1.25000000");
    for _ in 0..3 {
        desk.tell_moved("FUNDING_FEE", "USDT", "-1.25000000");
    }
    desk.pass(seconds(5));
    assert_eq!(paid(&desk), [5 * UNIT / 4], "what was paid, once");
    let event = booked(&desk, Kind::Income)[0];
    assert_eq!((event.instrument, event.fee_asset), (InstrumentId(0), FeeAsset::Quote));
    assert_eq!(event.time, START + seconds(31), "the venue's time of it");
    // What was received, and a charge of another name.
    desk.list_income("FUNDING_FEE", "BTCUSDT", "USDT", "0.50000000");
    desk.tell_moved("FUNDING_FEE", "USDT", "0.50000000");
    desk.list_income("INSURANCE_CLEAR", "BTCUSDT", "USDT", "-3.00000000");
    desk.tell_moved("INSURANCE_CLEAR", "USDT", "-3.00000000");
    // Executions stand in the same list, and count by themselves.
    desk.list_income("COMMISSION", "BTCUSDT", "USDT", "-7.00000000");
    desk.list_income("REALIZED_PNL", "BTCUSDT", "USDT", "9.00000000");
    desk.list_income("FUNDING_FEE", "ETHUSDT", "USDT", "-100.00000000");
    desk.pass(seconds(1_300));
    assert_eq!(paid(&desk), [5 * UNIT / 4, -UNIT / 2, 3 * UNIT]);
    let counters = desk.gateway.counters();
    assert_eq!((counters.incomes, counters.transfers), (3, 0));
    assert!(counters.incomes_of_others >= 1, "of a symbol that is not ours: seen, not booked");
    assert_eq!(desk.gateway.halt_message(), None);
}

#[test]
fn funding_of_an_outage_is_booked_after_it() {
    let mut desk = holding(binance::USDM);
    desk.pass(seconds(100));
    desk.user_data = false;
    desk.list_income("FUNDING_FEE", "BTCUSDT", "USDT", "-2.00000000");
    desk.rest = Rest::Fails;
    desk.drop_connection(OrderConnection::UserData);
    desk.pass(seconds(20));
    assert_eq!(paid(&desk), [], "no answer is no list");
    desk.rest = Rest::Answers;
    desk.user_data = true;
    desk.pass(seconds(40));
    assert_eq!(paid(&desk), [2 * UNIT]);
    assert!(desk.gateway.is_ready(), "{:?}", desk.gateway.halt_message());
    // And what nobody ever told of, with the connections as they are, within ten minutes.
    desk.list_income("FUNDING_FEE", "BTCUSDT", "USDT", "-4.00000000");
    desk.pass(seconds(610));
    assert_eq!(paid(&desk), [2 * UNIT, 4 * UNIT]);
}

#[test]
fn what_was_told_and_is_listed_late_is_waited_for_and_what_never_is_halts() {
    let mut desk = holding(binance::USDM);
    desk.tell_moved("FUNDING_FEE", "USDT", "-1.00000000");
    desk.pass(seconds(120));
    assert_eq!((paid(&desk).len(), desk.gateway.halt_message()), (0, None));
    desk.list_income("FUNDING_FEE", "BTCUSDT", "USDT", "-1.00000000");
    desk.pass(seconds(60));
    assert_eq!(paid(&desk), [UNIT]);
    let asked = desk.rest_count("income");
    desk.pass(seconds(300));
    assert_eq!(desk.rest_count("income"), asked, "all is known: nothing is asked");
    desk.tell_moved("FUNDING_FEE", "USDT", "-9.00000000");
    desk.pass(seconds(590));
    assert_eq!(desk.gateway.halt_message(), None);
    desk.pass(seconds(60));
    let message = desk.gateway.halt_message().expect("halted");
    assert!(message.contains("USDT of the account was moved and does not list it"), "{message}");
    assert_eq!(booked(&desk, Kind::Halt).len(), 1);
}

#[test]
fn a_list_longer_than_one_answer_is_had_to_its_end() {
    let mut desk = holding(binance::USDM);
    for number in 0..1_500 {
        if number % 3 == 0 {
            desk.now = desk.now + Nanos::from_millis(1);
        }
        desk.list_income("COMMISSION", "BTCUSDT", "USDT", "-0.00000001");
    }
    desk.list_income("FUNDING_FEE", "BTCUSDT", "USDT", "-1.00000000");
    let asked = desk.rest_count("income");
    desk.tell_moved("FUNDING_FEE", "USDT", "-1.00000000");
    desk.pass(seconds(5));
    assert_eq!(paid(&desk), [UNIT]);
    assert_eq!(desk.rest_count("income") - asked, 2);
}

#[test]
fn a_payment_in_an_asset_without_a_price_is_said_to_be_one() {
    let mut desk = holding(binance::USDM);
    desk.list_income("FUNDING_FEE", "BTCUSDT", "BNB", "-0.50000000");
    desk.tell_moved("FUNDING_FEE", "BNB", "-0.50000000");
    desk.pass(seconds(5));
    let events = booked(&desk, Kind::Income);
    assert_eq!(events.iter().map(|event| event.fee_asset).collect::<Vec<_>>(), [FeeAsset::Other]);
}

#[test]
fn a_transfer_is_neither_profit_nor_loss_and_no_difference_of_what_is_held() {
    for product in PRODUCTS {
        let mut desk = holding(product);
        let lots = some_lots(product);
        let asset = if product == binance::SPOT { "BTC" } else { "USDT" };
        let amount = if product == binance::SPOT { quantity(product, lots) } else { "250.00000000".to_owned() };
        for (sign, name) in [("", "DEPOSIT"), ("-", "WITHDRAW"), ("-", "WITHDRAW")] {
            let amount = format!("{sign}{amount}");
            desk.list_income("TRANSFER", "", asset, &amount);
            if product == binance::SPOT {
                desk.held += if sign.is_empty() { lots } else { -lots };
            }
            desk.tell_moved(name, asset, &amount);
            desk.tell_moved(name, asset, &amount);
            desk.tell_held();
            desk.pass(seconds(10));
        }
        desk.pass(seconds(100));
        assert_eq!(desk.gateway.halt_message(), None, "{product:?}: what is held moved with it");
        assert_eq!(desk.gateway.counters().transfers, 3, "{product:?}: told twice, booked once");
        assert_eq!(desk.gateway.counters().position_mismatches, 0, "{product:?}");
        let name = Symbol::new(asset).unwrap();
        let sum = if product == binance::SPOT { -UNIT / 100 } else { -250 * UNIT };
        assert_eq!(desk.gateway.transfers().get(&name), Some(&sum), "{product:?}");
        assert_eq!(paid(&desk), [], "{product:?}");
        let moved: Vec<i64> = booked(&desk, Kind::Transfer).iter().map(|event| event.lots.0).collect();
        let expected: &[i64] = if product == binance::SPOT { &[lots, -lots, -lots] } else { &[] };
        assert_eq!(moved, expected, "{product:?}: the engine hears of inventory alone");
        // What left without a word is a difference, as ever.
        desk.held -= lots;
        desk.tell_held();
        desk.pass(seconds(10));
        assert!(desk.gateway.halt_message().is_some(), "{product:?}");
    }
}

#[test]
fn a_position_that_the_venue_closes_itself_is_counted_and_halts_and_is_not_traded_back() {
    for name in ["autoclose-1749", "adl_autoclose", "settlement_autoclose-3"] {
        let product = binance::USDM;
        let mut desk = holding(product);
        let lots = some_lots(product);
        let order = desk.add(name, "SELL", "50000.00", &quantity(product, 3 * lots));
        let mut message = desk.event_message(order, "PARTIALLY_FILLED", Some((lots, 90, ("0.30", "USDT"))));
        message["o"]["x"] = json!("CALCULATED");
        for _ in 0..2 {
            desk.user_frame(&message);
        }
        desk.carry();
        desk.held -= lots;
        desk.tell_held();
        desk.pass(seconds(10));
        let events = booked(&desk, Kind::Liquidated);
        assert_eq!(events.len(), 1, "{name}: told twice, counted once");
        assert_eq!((events[0].side, events[0].lots, events[0].fee), (Side::Ask, Lots(lots), QuoteAtoms(3 * UNIT / 10)));
        assert_eq!(booked(&desk, Kind::Filled), [], "{name}: no order of ours");
        assert_eq!(booked(&desk, Kind::Halt).len(), 1, "{name}");
        let message = desk.gateway.halt_message().expect("halted").to_owned();
        assert!(message.contains("the venue itself closes a position of BTCUSDT"), "{message}");
        assert_eq!(desk.gateway.counters().liquidations, 1);
        assert_eq!(desk.gateway.counters().position_mismatches, 0, "{name}: it is in what is held");
        assert_eq!(desk.count("order.place"), 0, "{name}");
    }
}
