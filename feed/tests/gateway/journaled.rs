//! COLD: nothing leaves that is not in the journal: at any moment its bytes alone tell every order that may be alive.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::scripted_venue::{Desk, EPOCH, PRODUCTS, Rest, Verdict, hmac, place, settings, some_lots};
use spinbook_engine::event::{ExecutionKind, LocalReject};
use spinbook_engine::intent::{Intent, IntentKind};
use spinbook_engine::trace::{TraceKind, TraceRecord};
use spinbook_engine::types::{Nanos, OrderId, Side};
use spinbook_feed::gateway::{GatewayAction, GatewayOutput, GatewaySettings};
use spinbook_feed::journal::end::{EndProof, OrderEnd};
use spinbook_feed::journal::frame::JournalHeader;
use spinbook_feed::journal::reader::{JournalReader, JournalTail};
use spinbook_feed::journal::record::{JournalInstrument, JournalRecord};
use spinbook_feed::journal::recover::Recovery;
use spinbook_feed::journal::store::MemoryStore;
use spinbook_feed::journal::writer::{Journal, JournalWriter};
use spinbook_feed::random::Random;
use spinbook_feed::venue::instrument::Symbol;
use spinbook_feed::venue::order_side::OrderConnection;

/// Gives the desk a journal in memory, and what makes it fail.
fn keep(desk: &mut Desk) -> Arc<AtomicBool> {
    let venue = Symbol::new(desk.product.name()).unwrap();
    let header = JournalHeader { run: EPOCH, salt: 1, part: 0, created: desk.now, venue };
    let store = MemoryStore::new(&header.write(), 256 << 10);
    let failure = store.failure();
    let instruments =
        desk.gateway.instruments().iter().map(|it| JournalRecord::Instrument(JournalInstrument::from(it)));
    let writer = JournalWriter::new(Box::new(store), instruments.collect(), desk.now);
    desk.gateway.keep_journal(Journal::On(Box::new(writer)));
    failure
}

/// What the bytes tell, as after a kill at this very moment.
fn recovered(desk: &mut Desk) -> Recovery {
    let bytes = desk.gateway.journal().part();
    let mut reader = JournalReader::new(bytes).unwrap();
    let mut recovery = Recovery::default();
    while let Some(entry) = reader.next_entry().unwrap() {
        recovery.take(&entry);
    }
    assert_eq!(reader.tail(), JournalTail::Whole);
    recovery
}

/// The names that may be alive, as the bytes tell.
fn left(desk: &mut Desk) -> BTreeSet<String> {
    recovered(desk).left().map(|order| order.client_id.as_str().to_owned()).collect()
}

#[test]
fn an_order_is_in_the_journal_before_its_bytes_are_anywhere_else() {
    for product in PRODUCTS {
        let mut desk = Desk::ready(product);
        keep(&mut desk);
        let order = OrderId::new(EPOCH, 1);
        let wanted = Intent { deadline: desk.now, ..place(product, order, Side::Ask) };
        desk.gateway.on_intent(&wanted, desk.now);
        // Nothing was taken from the gateway: a kill here leaves an order that may be alive, and never was.
        let name = desk.gateway.client_id(order).as_str().to_owned();
        assert_eq!(left(&mut desk), BTreeSet::from([name.clone()]));
        let sent = loop {
            match desk.gateway.poll_output() {
                Some(GatewayOutput::Action(GatewayAction::Send { bytes, .. })) => {
                    break String::from_utf8(bytes.to_vec()).unwrap();
                }
                Some(_) => {}
                None => panic!("the order does not leave"),
            }
        };
        assert!(sent.contains(&name), "{sent}");
    }
}

#[test]
fn what_the_journal_refuses_never_leaves_and_cancels_do() {
    for product in PRODUCTS {
        let mut desk = Desk::ready(product);
        let failure = keep(&mut desk);
        let open = desk.place_order(1, Side::Bid);
        failure.store(true, Ordering::Relaxed);
        let refused = desk.place_order(2, Side::Bid);
        assert_eq!(desk.count("order.place"), 1, "the second never left");
        assert_eq!(desk.kinds(refused), [ExecutionKind::Rejected]);
        let event = desk.events.iter().find(|event| event.order == refused).unwrap();
        assert_eq!(event.local, LocalReject::Journal);
        assert!(
            desk.events.iter().any(|event| event.kind == ExecutionKind::Pause),
            "the engine does not try on at once"
        );
        assert_eq!((desk.gateway.counters().refused_journal, desk.gateway.counters().orders_sent), (1, 1));
        desk.cancel_order(open);
        assert_eq!((desk.count("order.cancel"), desk.open_at_venue()), (1, 0), "a cancel needs no journal");
        // The disk has room again, and the pause is over.
        failure.store(false, Ordering::Relaxed);
        desk.pass(Nanos::from_seconds(2));
        let third = desk.place_order(3, Side::Bid);
        assert_eq!(desk.kinds(third), [ExecutionKind::Accepted]);
    }
}

/// Every record so far.
fn records(desk: &mut Desk) -> Vec<JournalRecord> {
    let mut reader = JournalReader::new(desk.gateway.journal().part()).unwrap();
    let mut records = Vec::new();
    while let Some(entry) = reader.next_entry().unwrap() {
        records.push(entry.record);
    }
    records
}

#[test]
fn the_journal_tells_what_the_kernel_took_and_what_proved_each_end() {
    for product in PRODUCTS {
        let mut desk = Desk::ready(product);
        keep(&mut desk);
        let told = desk.place_order(1, Side::Bid);
        desk.cancel_order(told);
        desk.user_data = false;
        let answered = desk.place_order(2, Side::Ask);
        desk.cancel_order(answered);
        desk.user_data = true;
        desk.rule = Box::new(|method, _| match method {
            "order.place" => Verdict::LoseRequest,
            _ => Verdict::Answer,
        });
        let lost = desk.place_order(3, Side::Bid);
        desk.pass(Nanos::from_seconds(10));
        let records = records(&mut desk);
        let ends: Vec<_> = records
            .iter()
            .filter_map(|record| match record {
                JournalRecord::Ended(ended) => Some((ended.order, ended.end, ended.proof)),
                _ => None,
            })
            .collect();
        let canceled = OrderEnd::Canceled;
        assert_eq!(ends[0], (told, canceled, EndProof::UserData), "{product:?}");
        assert_eq!(ends[1], (answered, canceled, EndProof::CancelReply), "{product:?}");
        assert_eq!(ends[2..], [(lost, OrderEnd::Rejected, EndProof::NotKnown)], "{product:?}");
        let place_of = |wanted: &dyn Fn(&JournalRecord) -> bool| records.iter().position(wanted);
        for order in [told, answered, lost] {
            let written =
                place_of(&|record| matches!(record, JournalRecord::Place { intent, .. } if intent.order == order));
            let taken = place_of(
                &|record| matches!(record, JournalRecord::Sent { order: sent, kind: IntentKind::Place, .. } if *sent == order),
            );
            assert!(written.is_some() && written < taken, "{product:?}: {written:?} {taken:?}");
        }
    }
}

#[test]
fn every_cancel_is_written_with_the_number_of_its_attempt_whichever_connection_it_leaves_by() {
    for product in PRODUCTS {
        let choices = GatewaySettings { spare_connection: true, ..settings(product) };
        let mut desk = Desk::new(product, hmac(), choices);
        desk.start();
        desk.pass(Nanos::from_millis(2_000));
        keep(&mut desk);
        desk.rest = Rest::Fails;
        let order = desk.place_order(1, Side::Bid);
        desk.dark = vec![OrderConnection::Orders, OrderConnection::Spare];
        desk.cancel_order(order);
        desk.pass(Nanos::from_millis(1_900));
        let attempt = |record: &JournalRecord| match record {
            JournalRecord::CancelSent { order: of, attempt, .. } if *of == order => Some(*attempt),
            _ => None,
        };
        let attempts: Vec<u32> = records(&mut desk).iter().filter_map(attempt).collect();
        assert_eq!(attempts, [1, 1, 2, 2], "{product:?}: each by both connections");
    }
}

#[test]
fn a_denial_that_holds_is_written_once_and_again_after_a_while() {
    let mut desk = Desk::ready(PRODUCTS[0]);
    keep(&mut desk);
    let denied = |seconds, detail| TraceRecord {
        kind: TraceKind::Denied,
        now: Nanos::from_seconds(seconds),
        detail,
        ..TraceRecord::default()
    };
    let order = TraceRecord { kind: TraceKind::Intent, ..denied(4, 0) };
    let heard = TraceRecord { kind: TraceKind::Execution, ..denied(4, 0) };
    let all = [denied(1, 7), denied(2, 7), denied(3, 8), heard, order, denied(5, 8), denied(6, 8), denied(70, 8)];
    all.iter().for_each(|decision| desk.gateway.note_decision(decision));
    let seconds = |record: &JournalRecord| match record {
        JournalRecord::Decision(decision) => Some(decision.now.millis() / 1_000),
        _ => None,
    };
    let written: Vec<i64> = records(&mut desk).iter().filter_map(seconds).collect();
    assert_eq!(written, [1, 3, 4, 5, 70]);
}

#[test]
fn at_every_step_of_a_wild_day_the_bytes_tell_every_order_that_is_alive_and_every_fill_once() {
    for (product, seed) in PRODUCTS.into_iter().flat_map(|product| (1..=4).map(move |seed| (product, seed))) {
        let mut desk = Desk::ready(product);
        keep(&mut desk);
        let mut random = Random::new(seed);
        let mut verdicts = Random::new(seed ^ 0x5555);
        desk.rule = Box::new(move |_, _| match verdicts.next_u64() % 8 {
            0 => Verdict::LoseReply,
            1 => Verdict::LoseRequest,
            _ => Verdict::Answer,
        });
        let (mut count, mut trades) = (0, 0);
        for step in 0..200 {
            match random.next_u64() % 5 {
                0 | 1 => {
                    count += 1;
                    desk.place_order(count, if random.next_u64().is_multiple_of(2) { Side::Bid } else { Side::Ask });
                }
                2 if count > 0 => {
                    desk.cancel_order(OrderId::new(EPOCH, 1 + (random.next_u64() % u64::from(count)) as u32));
                }
                3 if count > 0 => {
                    let order = OrderId::new(EPOCH, 1 + (random.next_u64() % u64::from(count)) as u32);
                    let name = desk.gateway.client_id(order);
                    let live = desk
                        .by_client(name.as_str())
                        .filter(|id| desk.orders[id].filled == 0 && desk.live().contains(id));
                    if let Some(id) = live {
                        trades += 1;
                        desk.fill(id, some_lots(product), 5_000 + trades, ("0.05", "USDT"));
                    }
                }
                _ => desk.pass(Nanos::from_millis((random.next_u64() % 900) as i64)),
            }
            let told = left(&mut desk);
            for id in desk.live() {
                let name = &desk.orders[&id].client;
                assert!(told.contains(name), "{product:?}, seed {seed}, step {step}: {name} is forgotten");
            }
        }
        let booked: Vec<u128> = recovered(&mut desk).trades().iter().map(|trade| trade.trade.0).collect();
        let filled = desk.events.iter().filter(|event| event.kind == ExecutionKind::Filled).map(|event| event.trade.0);
        assert_eq!(booked, filled.collect::<Vec<_>>(), "seed {seed}");
        assert!(count > 30 && trades > 3, "seed {seed}: {count} orders, {trades} trades");
        assert_eq!(desk.gateway.journal_counters().lost, 0);
    }
}
