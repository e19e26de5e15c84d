//! COLD: orders of an earlier run that are taken over at the start: only where two lists agree, and everything else goes.

use crate::scripted_venue::{
    Desk, EPOCH, PRODUCTS, Rest, START, Verdict, hmac, quantity, settings, some_lots, some_tick,
};
use spinbook_engine::engine::AdoptedOrder;
use spinbook_engine::event::ExecutionKind as Kind;
use spinbook_engine::intent::TimeInForce;
use spinbook_engine::types::{InstrumentId, Lots, Nanos, OrderId, Side, SlotId, Tick};
use spinbook_feed::gateway::GatewaySettings;
use spinbook_feed::gateway::adoptable::AdoptableOrder;
use spinbook_feed::gateway::adoption::ADOPT_WITHIN;
use spinbook_feed::journal::frame::JournalHeader;
use spinbook_feed::journal::reader::JournalReader;
use spinbook_feed::journal::record::JournalRecord;
use spinbook_feed::journal::store::MemoryStore;
use spinbook_feed::journal::writer::{Journal, JournalWriter};
use spinbook_feed::venue::ProductLine;
use spinbook_feed::venue::binance;
use spinbook_feed::venue::binance::request_ids::CLIENT_IDS;
use spinbook_feed::venue::instrument::Symbol;
use spinbook_feed::venue::order_ids::{ClientIds, RunName, VenueOrderId};
use spinbook_feed::venue::order_side::OrderConnection;

/// The run that was killed.
const EARLIER: RunName = RunName { run: EPOCH - 1, salt: 9 };
const BID: OrderId = OrderId::new(EARLIER.run, 1);
const ASK: OrderId = OrderId::new(EARLIER.run, 2);

fn ms(count: i64) -> Nanos {
    Nanos::from_millis(count)
}

fn name(order: OrderId) -> String {
    ClientIds::of_run(CLIENT_IDS, EARLIER.run, EARLIER.salt).write(order).as_str().to_owned()
}

fn adoptable(product: ProductLine, order: OrderId) -> AdoptableOrder {
    let (side, slot, id, above) = if order == BID { (Side::Bid, 0, 1_001, 0) } else { (Side::Ask, 8, 1_002, 10) };
    let step = some_tick(product) / 50_000;
    let order = AdoptedOrder {
        order,
        instrument: InstrumentId(0),
        slot: SlotId(slot),
        side,
        time_in_force: TimeInForce::PostOnly,
        tick: Tick(some_tick(product) + above * step),
        lots: Lots(some_lots(product)),
        filled: Lots::ZERO,
    };
    AdoptableOrder { order, venue_order: VenueOrderId::from_number(id) }
}

/// A start that finds a bid and an ask of the earlier run on the book, before it is connected.
fn begun(product: ProductLine) -> Desk {
    let settings = GatewaySettings {
        trades_from: Some(START),
        adoptable: vec![adoptable(product, BID), adoptable(product, ASK)],
        earlier_runs: vec![EARLIER],
        ..settings(product)
    };
    let mut desk = Desk::new(product, hmac(), settings);
    let lots = quantity(product, some_lots(product));
    assert_eq!(desk.add(&name(BID), "BUY", "50000.00", &lots), 1_001);
    assert_eq!(desk.add(&name(ASK), "SELL", "50010.00", &lots), 1_002);
    desk
}

/// The same, connected and with one list had; what was executed is not told yet, so the second list waits.
fn listed_once(product: ProductLine) -> Desk {
    let mut desk = begun(product);
    desk.rest = Rest::Fails;
    desk.start();
    desk.pass(ms(300));
    assert_eq!((desk.count("openOrders.status"), desk.gateway.is_ready()), (1, false), "{product:?}");
    desk
}

fn cancels(desk: &Desk) -> usize {
    desk.count("order.cancel") + desk.count("openOrders.cancelAll")
}

fn adopted(desk: &Desk) -> (u64, u64) {
    let counters = desk.gateway.counters();
    (counters.orders_adopted, counters.adoptions_given_up)
}

#[test]
fn orders_that_two_lists_agree_on_stay_and_are_cancelled_as_any_later() {
    for product in PRODUCTS {
        let mut desk = begun(product);
        let venue = Symbol::new(product.name()).unwrap();
        let header = JournalHeader { run: EPOCH, salt: 1, part: 0, created: desk.now, venue };
        let store = MemoryStore::new(&header.write(), 256 << 10);
        desk.gateway.keep_journal(Journal::On(Box::new(JournalWriter::new(Box::new(store), Vec::new(), desk.now))));
        desk.start();
        desk.pass(ms(1_000));
        assert!(desk.gateway.is_ready(), "{product:?}: {:?}", desk.gateway.halt_message());
        let kinds: Vec<Kind> = desk.events.iter().map(|event| event.kind).collect();
        assert_eq!(kinds, [Kind::Accepted, Kind::Accepted, Kind::GatewayReady], "{product:?}");
        assert_eq!((cancels(&desk), desk.open_at_venue(), adopted(&desk)), (0, 2, (2, 0)), "{product:?}");
        assert_eq!(desk.count("openOrders.status"), 2, "{product:?}: listed twice");
        let counts = desk.gateway.order_counts();
        assert_eq!((counts.sent, counts.adopted, counts.open), (0, 2, 2), "{product:?}");
        let mut reader = JournalReader::new(desk.gateway.journal().part()).unwrap();
        let mut told = Vec::new();
        while let Some(entry) = reader.next_entry().unwrap() {
            if let JournalRecord::Adopted { order, client_id } = entry.record {
                told.push((order.order, client_id.as_str().to_owned()));
            }
        }
        assert_eq!(told, [(BID, name(BID)), (ASK, name(ASK))], "{product:?}: who, which, of which run");
        // The same order gets another price, and questions and cancels reach it.
        if product == binance::USDM {
            desk.amend_order(BID, 1, 0);
            assert_eq!(desk.kinds(BID).last(), Some(&Kind::Amended), "{:?}", desk.events);
        }
        desk.rule = Box::new(|method, _| if method == "order.cancel" { Verdict::LoseReply } else { Verdict::Answer });
        desk.user_data = false;
        desk.cancel_order(BID);
        desk.pass(ms(10_000));
        assert_eq!(desk.kinds(BID).last(), Some(&Kind::Canceled), "{product:?}: asked for and told");
        desk.user_data = true;
        desk.rule = Box::new(|_, _| Verdict::Answer);
        desk.gateway.cancel_all(desk.now);
        desk.pass(ms(3_000));
        assert!(desk.gateway.is_quiet() && desk.open_at_venue() == 0, "{product:?}");
        assert_eq!(desk.kinds(ASK).last(), Some(&Kind::Canceled), "{product:?}");
    }
}

#[test]
fn a_fill_between_the_lists_is_booked_once_and_the_order_stays_with_what_is_left() {
    for product in PRODUCTS {
        for told in [true, false] {
            let mut desk = listed_once(product);
            desk.now = desk.now + ms(1);
            desk.user_data = told;
            desk.fill(1_001, some_lots(product) / 2, 7_000, ("0.01", "USDT"));
            desk.user_data = true;
            desk.rest = Rest::Answers;
            desk.pass(ms(5_000));
            assert!(desk.gateway.is_ready(), "{product:?}: {:?}", desk.gateway.halt_message());
            let fills: Vec<OrderId> =
                desk.events.iter().filter(|event| event.kind == Kind::Filled).map(|event| event.order).collect();
            assert_eq!(fills, [BID], "{product:?}: told {told}");
            assert_eq!((cancels(&desk), desk.open_at_venue(), adopted(&desk)), (0, 2, (2, 0)), "{product:?}");
            assert_eq!(desk.count("openOrders.status"), 3, "{product:?}: the second is another");
            let filled = desk.gateway.orders().find(BID).map(|order| order.lots_filled);
            assert_eq!(filled, Some(Lots(some_lots(product) / 2)));
        }
    }
}

#[test]
fn an_order_that_is_gone_between_the_lists_is_asked_for_and_the_other_stays() {
    for product in PRODUCTS {
        let mut desk = listed_once(product);
        desk.user_data = false;
        desk.end(1_002, "CANCELED");
        desk.user_data = true;
        desk.rest = Rest::Answers;
        desk.pass(ms(5_000));
        assert!(desk.gateway.is_ready(), "{product:?}: {:?}", desk.gateway.halt_message());
        assert_eq!((desk.kinds(ASK), desk.kinds(BID)), (vec![Kind::Accepted, Kind::Canceled], vec![Kind::Accepted]));
        assert_eq!((cancels(&desk), desk.open_at_venue(), adopted(&desk)), (0, 1, (1, 0)), "{product:?}");
    }
}

#[test]
fn what_does_not_fit_is_cancelled_by_itself_and_the_rest_stays() {
    type Change = fn(&mut Desk);
    let changes: [(&str, Change, usize); 5] = [
        ("another price", |desk| desk.orders.get_mut(&1_002).unwrap().price = "50010.10".to_owned(), 1),
        ("another quantity", |desk| desk.orders.get_mut(&1_002).unwrap().quantity = quantity(desk.product, 30), 1),
        ("not post-only", |desk| desk.orders.get_mut(&1_002).unwrap().post_only = false, 1),
        ("a stranger's", |desk| _ = desk.add("web_17", "SELL", "50020.00", &quantity(desk.product, 20)), 2),
        (
            "not in the journal",
            |desk| _ = desk.add(&name(OrderId::new(EARLIER.run, 5)), "SELL", "50020.00", &quantity(desk.product, 20)),
            2,
        ),
    ];
    for product in PRODUCTS {
        for (what, change, left) in changes {
            let mut desk = begun(product);
            change(&mut desk);
            desk.start();
            desk.pass(ms(3_000));
            assert_eq!(desk.count("openOrders.cancelAll"), 0, "{product:?} {what}: {:?}", desk.methods());
            assert_eq!((desk.open_at_venue(), desk.count("order.cancel")), (left, 1), "{product:?} {what}");
            assert!(desk.live().contains(&1_001), "{product:?} {what}");
            assert_eq!(adopted(&desk), (left as u64, 0), "{product:?} {what}");
            assert!(desk.gateway.is_ready(), "{product:?} {what}: {:?}", desk.gateway.halt_message());
        }
    }
}

#[test]
fn an_order_of_another_copy_of_this_program_halts_and_everything_is_cancelled() {
    let later = CLIENT_IDS.write(OrderId::new(EPOCH + 1, 1));
    let other_bits = ClientIds::of_run(CLIENT_IDS, EARLIER.run, EARLIER.salt + 1).write(OrderId::new(EARLIER.run, 3));
    for (product, theirs) in PRODUCTS.into_iter().flat_map(|product| [(product, later), (product, other_bits)]) {
        let mut desk = begun(product);
        desk.add(theirs.as_str(), "SELL", "50020.00", &quantity(product, some_lots(product)));
        desk.start();
        desk.pass(ms(3_000));
        assert!(desk.gateway.halt_message().is_some(), "{product:?} {theirs:?}");
        assert_eq!((desk.open_at_venue(), adopted(&desk)), (0, (0, 1)), "{product:?} {theirs:?}");
    }
}

#[test]
fn lists_that_go_on_differing_end_in_cancelling_everything() {
    for product in PRODUCTS {
        let mut desk = begun(product);
        desk.start();
        let lot = some_lots(product) / 10;
        let mut trade = 8_000;
        while adopted(&desk) == (0, 0) && trade < 8_008 {
            trade += 1;
            desk.fill(1_001, lot, trade, ("0", "USDT"));
            desk.pass(ms(101));
        }
        desk.pass(ms(3_000));
        assert_eq!((adopted(&desk), desk.open_at_venue()), ((0, 1), 0), "{product:?}");
        assert!(desk.gateway.is_ready(), "{product:?}: and a start as any: {:?}", desk.gateway.halt_message());
        let fills = desk.events.iter().filter(|event| event.kind == Kind::Filled).count() as u64;
        assert_eq!(fills, trade - 8_000, "{product:?}: each once");
        for order in [BID, ASK] {
            assert_eq!(desk.kinds(order).last(), Some(&Kind::Canceled), "{product:?}");
        }
    }
}

#[test]
fn whatever_goes_wrong_meanwhile_cancels_everything() {
    type Trouble = fn(&mut Desk);
    let troubles: [(&str, Trouble); 5] = [
        ("no executions in time", |desk| desk.pass(ADOPT_WITHIN)),
        ("the orders connection closed", |desk| desk.drop_connection(OrderConnection::Orders)),
        ("user data closed", |desk| {
            let is_spot = desk.product == binance::SPOT;
            desk.drop_connection(if is_spot { OrderConnection::Orders } else { OrderConnection::UserData });
        }),
        ("a halt", |desk| desk.gateway.halt("an operator's word", desk.now)),
        ("the end of the run", |desk| desk.gateway.cancel_all(desk.now)),
    ];
    for product in PRODUCTS {
        for (what, trouble) in troubles {
            let mut desk = listed_once(product);
            assert_eq!(desk.open_at_venue(), 2, "{product:?} {what}");
            trouble(&mut desk);
            desk.pass(ms(3_000));
            assert_eq!((desk.open_at_venue(), adopted(&desk)), (0, (0, 1)), "{product:?} {what}");
            assert!(!desk.gateway.is_ready(), "{product:?} {what}: without executions");
        }
        let mut desk = begun(product);
        desk.reachable = false;
        desk.start();
        desk.pass(ms(12_000));
        desk.reachable = true;
        desk.pass(ms(3_000));
        assert_eq!((desk.open_at_venue(), adopted(&desk)), (0, (0, 1)), "{product:?}: no connection for too long");
        assert!(desk.gateway.is_ready(), "{product:?}");
    }
}

#[test]
fn an_instrument_that_was_killed_before_keeps_nothing() {
    for product in PRODUCTS {
        let mut desk = begun(product);
        desk.gateway.stop_instrument(InstrumentId(0), desk.now);
        desk.start();
        desk.pass(ms(3_000));
        assert_eq!(desk.open_at_venue(), 0, "{product:?}");
        assert_eq!(desk.gateway.counters().orders_adopted, 0, "{product:?}");
    }
}
