//! COLD: quotes that move by one request: what leaves, what counts until the venue's word, and what every answer makes of it.

use crate::rig::{FIRST, Plan, Rig, about, ms, quoting};
use spinbook_engine::counters::Counter;
use spinbook_engine::event::{ExecutionEvent, ExecutionKind, LocalReject, LostReason, MarketReply};
use spinbook_engine::intent::{Intent, IntentKind, Reason};
use spinbook_engine::quoter::Requote;
use spinbook_engine::strategy::Spread;
use spinbook_engine::types::{Lots, OrderId, Side, SlotId, Tick};
use spinbook_engine::working::WorkingStatus;

const BID: SlotId = SlotId(0);

fn plan(requote: Requote) -> Plan {
    Plan::new().quoter(|quoter| quoter.requote = requote)
}

fn orders_out(rig: &mut Rig<Spread>) -> Vec<Intent> {
    std::iter::from_fn(|| rig.orders.pop()).collect()
}

/// Both quotes rest, and the market went 20 ticks down: the two requests that follow.
fn moved(requote: Requote) -> (Rig<Spread>, [Intent; 2], [Intent; 2]) {
    let (mut rig, bid, ask) = quoting(plan(requote));
    assert_eq!(rig.best(99_979, 99_981), MarketReply::Ok);
    let sent = orders_out(&mut rig);
    assert!(rig.cancelled().is_empty() && sent.len() == 2, "one request a quote");
    (rig, [bid, ask], [sent[0], sent[1]])
}

fn told(intent: &Intent, kind: ExecutionKind, tick: i64, lots: i64) -> ExecutionEvent {
    ExecutionEvent { tick: Tick(tick), lots: Lots(lots), ..about(intent, kind) }
}

fn status(rig: &Rig<Spread>) -> WorkingStatus {
    rig.engine.working(FIRST).slot(BID).status
}

fn open(rig: &Rig<Spread>) -> i64 {
    rig.engine.working(FIRST).lots_worst(Side::Bid).0
}

#[test]
fn an_amendment_has_the_orders_own_name_and_the_next_price() {
    let (mut rig, [bid, _], [amend, _]) = moved(Requote::Amend);
    assert_eq!((amend.kind, amend.order, amend.replaces), (IntentKind::Amend, bid.order, OrderId::NONE));
    assert_eq!((amend.tick, amend.lots, amend.reason), (Tick(99_930), Lots(100), Reason::Requote));
    assert_eq!((amend.slot, amend.side, amend.deadline), (BID, Side::Bid, rig.now + ms(100)));
    assert_eq!((status(&rig), open(&rig)), (WorkingStatus::PendingAmend, 100));
    // Either price may be in force: neither may be met.
    assert_eq!(rig.engine.working(FIRST).tick_best(Side::Bid), Some(Tick(99_950)));
    // No other request before the answer, wherever the market goes.
    assert_eq!(rig.best(99_959, 99_961), MarketReply::Ok);
    assert!(orders_out(&mut rig).is_empty() && rig.cancelled().is_empty());
    rig.tell(&told(&amend, ExecutionKind::Amended, 99_930, 100));
    assert_eq!(rig.engine.working(FIRST).tick_best(Side::Bid), Some(Tick(99_930)));
    let next = orders_out(&mut rig);
    assert_eq!((next.len(), next[0].order, next[0].tick), (1, bid.order, Tick(99_910)), "then the newest target");
    assert_eq!((rig.count(Counter::AmendsSent), rig.count(Counter::OrdersAmended)), (3, 1));
    let account = rig.engine.order_account();
    assert_eq!((account.sent, account.open, account.adds_up()), (2, 2, true), "it stays one order");
    assert_eq!(rig.engine.intents_pushed(), 5);
}

#[test]
fn the_larger_quantity_counts_until_the_answer_and_what_is_filled_is_part_of_it() {
    let (mut rig, bid, _) = quoting(plan(Requote::Amend));
    rig.fill(&bid, 60, 60);
    let sent = orders_out(&mut rig);
    assert_eq!((sent[0].kind, sent[0].lots), (IntentKind::Amend, Lots(160)), "60 are filled, 100 are wanted");
    assert_eq!(open(&rig), 100);
    rig.tell(&told(&sent[0], ExecutionKind::AmendRejected, 99_950, 100));
    assert_eq!(
        (status(&rig), open(&rig)),
        (WorkingStatus::PendingCancel, 40),
        "what could not be amended is cancelled"
    );
    assert_eq!((rig.cancelled().len(), rig.count(Counter::AmendsRejected)), (1, 1));
}

#[test]
fn an_order_that_was_filled_whole_before_its_amendment_is_over_with_the_answer() {
    let (mut rig, bid, _) = quoting(plan(Requote::Amend));
    rig.fill(&bid, 60, 60);
    let amend = orders_out(&mut rig)[0];
    rig.fill(&bid, 40, 100);
    assert_eq!(status(&rig), WorkingStatus::PendingAmend, "it may be one of 160");
    rig.tell(&told(&amend, ExecutionKind::AmendRejected, 99_950, 100));
    assert_eq!(rig.count(Counter::OrdersFilledFully), 1);
    assert_eq!((orders_out(&mut rig).len(), rig.count(Counter::Overfills)), (1, 0), "and the slot quotes anew");
}

#[test]
fn a_cancel_behind_an_unanswered_amendment_leaves_in_the_same_turn() {
    for requote in [Requote::Amend, Requote::Replace] {
        let (mut rig, [bid, ask], sent) = moved(requote);
        rig.lose(LostReason::Gap);
        let mut cancelled: Vec<_> = rig.cancelled().iter().map(|intent| (intent.order, intent.reason)).collect();
        cancelled.sort_unstable_by_key(|(order, _)| *order);
        let mut expected: Vec<_> = [bid.order, ask.order, sent[0].order, sent[1].order].into();
        expected.sort_unstable();
        expected.dedup();
        let expected: Vec<_> = expected.into_iter().map(|order| (order, Reason::BookNotLive)).collect();
        assert_eq!(cancelled, expected, "{requote:?}");
        // And not again while these are not answered.
        rig.wait(ms(500));
        assert!(rig.cancelled().is_empty());
    }
}

#[test]
fn an_amendment_without_an_answer_is_unknown_and_the_order_is_cancelled() {
    let (mut rig, [bid, _], [amend, _]) = moved(Requote::Amend);
    rig.wait(ms(1_500));
    assert_eq!(rig.best(99_979, 99_981), MarketReply::Ok);
    rig.wait(ms(1_501));
    assert_eq!((rig.count(Counter::RequestsTimedOut), rig.engine.order_account().unknown), (2, 0));
    assert!(rig.cancelled().iter().any(|cancel| cancel.order == bid.order));
    // A late word still tells what is in force; the cancel stays asked for.
    rig.tell(&told(&amend, ExecutionKind::Amended, 99_930, 100));
    assert_eq!((status(&rig), open(&rig)), (WorkingStatus::PendingCancel, 100));
    rig.cancel_done(&bid);
    assert_ne!(rig.engine.working(FIRST).slot(BID).order, bid.order);
}

#[test]
fn a_replacement_leaves_as_one_request_and_both_orders_count_until_the_answer() {
    let (mut rig, [bid, _], [replace, _]) = moved(Requote::Replace);
    assert_eq!((replace.kind, replace.replaces, replace.lots), (IntentKind::Replace, bid.order, Lots(100)));
    assert_ne!(replace.order, bid.order);
    assert_eq!((open(&rig), rig.engine.open_orders()), (200, 4), "the old one may be filled, and then the new one");
    assert_eq!(rig.engine.working(FIRST).tick_best(Side::Bid), Some(Tick(99_950)));
    assert!(rig.engine.order_account().adds_up());
    rig.cancel_done(&bid);
    rig.accept(&replace);
    assert_eq!((open(&rig), status(&rig)), (100, WorkingStatus::Live));
    let account = rig.engine.order_account();
    assert_eq!(
        (account.sent, account.canceled, account.adds_up()),
        (4, 1, true),
        "a replaced order is a cancelled one"
    );
    assert_eq!(rig.count(Counter::ReplacesSent), 2);
}

#[test]
fn a_fill_of_an_order_that_is_being_replaced_is_a_fill_of_it() {
    let (mut rig, [bid, _], [replace, _]) = moved(Requote::Replace);
    rig.fill(&bid, 30, 30);
    assert_eq!((open(&rig), rig.engine.position(FIRST).lots()), (170, Lots(30)));
    rig.fill(&bid, 70, 100);
    assert_eq!(rig.count(Counter::OrdersFilledFully), 1);
    rig.reject(&replace);
    assert_eq!((open(&rig), rig.engine.position(FIRST).lots()), (0, Lots(100)));
    assert!(rig.engine.order_account().adds_up());
}

#[test]
fn what_was_not_cancelled_goes_back_to_its_slot_and_is_cancelled_as_any_other() {
    // The gateway tells of the new order first, but any order of the two leads to the same.
    for swapped in [false, true] {
        let (mut rig, [bid, _], [replace, _]) = moved(Requote::Replace);
        let refused = ExecutionEvent { overtaken: true, ..about(&replace, ExecutionKind::Rejected) };
        let stands = ExecutionEvent { overtaken: true, ..told(&bid, ExecutionKind::AmendRejected, 99_950, 100) };
        let (first, second) = if swapped { (stands, refused) } else { (refused, stands) };
        rig.tell(&first);
        rig.tell(&second);
        assert_eq!(rig.engine.working(FIRST).slot(BID).order, bid.order, "swapped: {swapped}");
        let cancels = rig.cancelled();
        assert_eq!((cancels.len(), cancels[0].order), (1, bid.order), "swapped: {swapped}");
        rig.cancel_done(&bid);
        assert!(rig.engine.order_account().adds_up() && !rig.engine.working(FIRST).is_leaving(BID));
        rig.wait(ms(150));
        let next = orders_out(&mut rig);
        assert_eq!((next.len(), next[0].kind), (1, IntentKind::Place), "and placed anew");
    }
}

#[test]
fn an_old_order_that_is_alive_beside_the_new_one_is_cancelled_by_itself() {
    let (mut rig, [bid, _], [replace, _]) = moved(Requote::Replace);
    rig.tell(&about(&bid, ExecutionKind::Unknown));
    let cancels = rig.cancelled();
    assert_eq!(cancels.iter().map(|cancel| cancel.order).collect::<Vec<_>>(), [bid.order]);
    rig.tell(&about(&replace, ExecutionKind::Unknown));
    assert!(rig.engine.open_orders() >= 3, "nothing is forgotten");
    rig.cancel_done(&bid);
    rig.reject(&replace);
    assert!(rig.engine.order_account().adds_up());
    assert!(!rig.engine.working(FIRST).is_leaving(BID));
}

#[test]
fn a_change_passes_the_whole_chain_and_what_is_denied_is_cancelled() {
    // the old order may be filled and then the new one, which is more than 150.
    let limited = |requote| plan(requote).risk(|risk| risk.position_lots_max = Lots(150));
    let limited = |requote| limited(requote).spread(|spread| spread.position_lots_max = Lots(150));
    let (mut rig, bid, ask) = quoting(limited(Requote::Replace));
    assert_eq!(rig.best(99_979, 99_981), MarketReply::Ok);
    assert!(orders_out(&mut rig).is_empty());
    assert_eq!(rig.cancelled().iter().map(|cancel| cancel.order).collect::<Vec<_>>(), [bid.order, ask.order]);
    assert_eq!(rig.count(Counter::DeniedPositionMax), 2);
    // An amendment is the same order: the larger of its two quantities is within the limit.
    let (mut rig, ..) = quoting(limited(Requote::Amend));
    assert_eq!(rig.best(99_979, 99_981), MarketReply::Ok);
    assert_eq!((orders_out(&mut rig).len(), rig.cancelled().len()), (2, 0));
    // what is filled is part of the order.
    let (mut rig, bid, _) = quoting(plan(Requote::Amend).risk(|risk| risk.order_lots_max = Lots(150)));
    rig.fill(&bid, 60, 60);
    assert_eq!((orders_out(&mut rig).len(), rig.cancelled().len()), (0, 1));
    assert_eq!(rig.count(Counter::DeniedQuantityMax), 1);
    // an order that becomes another takes no further place.
    for requote in [Requote::Amend, Requote::Replace] {
        let (mut rig, ..) = quoting(plan(requote).risk(|risk| risk.open_orders_max = 2));
        assert_eq!(rig.best(99_979, 99_981), MarketReply::Ok);
        assert_eq!((orders_out(&mut rig).len(), rig.count(Counter::DeniedOpenOrdersMax)), (2, 0), "{requote:?}");
    }
}

#[test]
fn what_the_gateway_refuses_leaves_the_order_where_it_was() {
    let (mut rig, [bid, _], [amend, _]) = moved(Requote::Amend);
    let refused = told(&amend, ExecutionKind::AmendRejected, 99_950, 100);
    rig.tell(&ExecutionEvent { local: LocalReject::Throttled, ..refused });
    assert_eq!(rig.cancelled().iter().map(|cancel| cancel.order).collect::<Vec<_>>(), [bid.order]);
    assert_eq!(rig.count(Counter::RejectStorms), 0);
}

#[test]
fn without_the_setting_a_quote_moves_as_before() {
    let (mut rig, bid, ask) = quoting(Plan::new());
    assert_eq!(rig.best(99_979, 99_981), MarketReply::Ok);
    assert_eq!(rig.cancelled().iter().map(|cancel| cancel.order).collect::<Vec<_>>(), [bid.order, ask.order]);
    assert!(orders_out(&mut rig).is_empty());
}

#[test]
fn orders_amendments_and_replacements_carry_the_mid_of_the_book_they_were_decided_on() {
    for requote in [Requote::Amend, Requote::Replace] {
        let mut rig = plan(requote).build().ready();
        for (bid, ask) in [(99_999, 100_001), (99_979, 99_982)] {
            assert_eq!(rig.best(bid, ask), MarketReply::Ok);
            let sent = orders_out(&mut rig);
            assert_eq!(sent.len(), 2, "{requote:?}");
            for intent in &sent {
                assert_eq!(intent.mid.doubled(), Some(bid + ask), "{requote:?}");
                rig.accept(intent);
            }
        }
        rig.lose(LostReason::Gap);
        assert!(rig.cancelled().iter().all(|cancel| cancel.mid.doubled().is_none()), "a cancel needs none");
    }
}
