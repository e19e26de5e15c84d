//! COLD: the table of working orders: any order of arrival of the same facts ends in the same state.

use crate::common::{Random, seed_from};
use spinbook_engine::event::{ExecutionEvent, ExecutionKind};
use spinbook_engine::types::{Lots, Nanos, OrderId, Side, SlotId, Tick, TradeId};
use spinbook_engine::working::{OrderOutcome, Working, WorkingOrder, WorkingStatus};

const ORDER: OrderId = OrderId::new(5, 1);
const LOTS: i64 = 10;

fn placed(side: Side, slot: u8) -> Working {
    let mut working = Working::default();
    working.on_placed(order(ORDER, side, slot));
    working
}

fn order(order: OrderId, side: Side, slot: u8) -> WorkingOrder {
    WorkingOrder { order, side, slot: SlotId(slot), tick: Tick(100), lots: Lots(LOTS), ..WorkingOrder::EMPTY }
}

fn event(kind: ExecutionKind, trade: u128, lots: i64, cumulative: i64) -> ExecutionEvent {
    ExecutionEvent {
        order: ORDER,
        trade: TradeId(trade),
        lots: Lots(lots),
        lots_cumulative: Lots(cumulative),
        kind,
        ..ExecutionEvent::default()
    }
}

fn fill(trade: u128, lots: i64, cumulative: i64) -> ExecutionEvent {
    event(ExecutionKind::Filled, trade, lots, cumulative)
}

fn accepted() -> ExecutionEvent {
    event(ExecutionKind::Accepted, 0, 0, 0)
}

/// Every order of `events`, by Heap's way.
fn permutations(events: &mut Vec<ExecutionEvent>, length: usize, visit: &mut impl FnMut(&[ExecutionEvent])) {
    if length <= 1 {
        visit(events);
        return;
    }
    for index in 0..length {
        permutations(events, length - 1, visit);
        let other = if length.is_multiple_of(2) { index } else { 0 };
        events.swap(other, length - 1);
    }
}

/// Plays every permutation, with a cancel request out or not, and demands one and the same end.
fn always_ends(mut events: Vec<ExecutionEvent>, filled: i64, outcome: OrderOutcome) -> usize {
    let mut count = 0;
    let length = events.len();
    for cancel in [false, true] {
        permutations(&mut events, length, &mut |permutation| {
            let mut working = placed(Side::Bid, 0);
            if cancel {
                working.on_cancel_sent(SlotId(0), Nanos(1));
            }
            let mut moved = 0;
            let mut ended = 0;
            for event in permutation {
                // Before each event, what may still come is never less than what will.
                assert!(moved + working.lots_worst(Side::Bid).0 >= filled, "exposure hides a fill: {permutation:?}");
                let effect = working.on_event(event);
                moved += effect.lots_filled.0;
                ended += usize::from(effect.ended.is_some());
                assert!(!effect.unknown_order && !effect.overfill && !effect.contradiction);
            }
            assert_eq!((moved, ended), (filled, 1), "{permutation:?}");
            let finished = working.finished(ORDER).expect("it ended");
            assert_eq!((finished.filled, finished.outcome()), (Lots(filled), outcome), "{permutation:?}");
            assert!(working.is_quiet(), "{permutation:?}");
            assert_eq!(working.lots_worst(Side::Bid), Lots(0));
            assert_eq!(working.slot(SlotId(0)).status, WorkingStatus::Empty, "the slot is free");
            count += 1;
        });
    }
    count
}

#[test]
fn filled_in_parts_ends_filled_in_every_order_of_arrival() {
    let cancel_rejected = event(ExecutionKind::CancelRejected, 0, 0, 0);
    let events = vec![accepted(), fill(1, 3, 3), fill(2, 2, 5), fill(3, 5, 10), cancel_rejected, fill(2, 2, 5)];
    assert_eq!(always_ends(events, 10, OrderOutcome::Filled), 2 * 720);
}

#[test]
fn cancelled_after_partial_fills_ends_cancelled_in_every_order_of_arrival() {
    let canceled = event(ExecutionKind::Canceled, 0, 0, 5);
    let unknown = event(ExecutionKind::Unknown, 0, 0, 0);
    let events = vec![accepted(), fill(1, 3, 3), fill(2, 2, 5), canceled, fill(1, 3, 3), fill(2, 2, 5), unknown];
    assert_eq!(always_ends(events, 5, OrderOutcome::Canceled), 2 * 5_040);
}

#[test]
fn expired_and_rejected_end_so_in_every_order_of_arrival() {
    let expired = event(ExecutionKind::Expired, 0, 0, 4);
    always_ends(vec![accepted(), fill(1, 4, 4), expired, fill(1, 4, 4)], 4, OrderOutcome::Expired);
    let unknown = event(ExecutionKind::Unknown, 0, 0, 0);
    let rejected = event(ExecutionKind::Rejected, 0, 0, 0);
    always_ends(vec![unknown, rejected, rejected], 0, OrderOutcome::Rejected);
}

#[test]
fn random_histories_end_alike_in_random_orders() {
    let seed = seed_from("WORKING_SEED");
    println!("WORKING_SEED={seed}");
    let mut random = Random::new(seed);
    for _ in 0..300 {
        let mut events = vec![accepted()];
        let (mut cumulative, mut trade) = (0, 0);
        while cumulative < LOTS && random.below(4) > 0 {
            let lots = 1 + random.below((LOTS - cumulative) as u64) as i64;
            cumulative += lots;
            trade += 1;
            events.push(fill(trade, lots, cumulative));
        }
        if cumulative < LOTS {
            let kind = if random.below(2) == 0 { ExecutionKind::Canceled } else { ExecutionKind::Expired };
            events.push(event(kind, 0, 0, cumulative));
        }
        // Repeats of what was told, anywhere.
        for _ in 0..random.below(4) {
            let repeated = events[random.below(events.len() as u64) as usize];
            events.push(repeated);
        }
        let mut outcomes = Vec::new();
        for _ in 0..20 {
            for index in (1..events.len()).rev() {
                events.swap(index, random.below(index as u64 + 1) as usize);
            }
            let mut working = placed(Side::Ask, 9);
            let moved: i64 = events.iter().map(|event| working.on_event(event).lots_filled.0).sum();
            assert_eq!(moved, cumulative);
            assert!(working.is_quiet());
            outcomes.push(working.finished(ORDER).expect("it ended").outcome());
        }
        assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]));
    }
}

#[test]
fn an_end_that_claims_more_than_was_told_keeps_the_rest_as_exposure() {
    let mut working = placed(Side::Bid, 2);
    working.on_event(&event(ExecutionKind::Canceled, 0, 0, 7));
    assert_eq!(working.slot(SlotId(2)).status, WorkingStatus::Empty);
    assert_eq!(working.lots_worst(Side::Bid), Lots(7));
    assert!(!working.is_quiet());
    working.on_event(&fill(1, 4, 4));
    assert_eq!(working.lots_worst(Side::Bid), Lots(3));
    working.on_event(&fill(2, 3, 7));
    assert!(working.is_quiet());
}

#[test]
fn unknown_counts_in_full_and_late_news_decide() {
    let mut working = placed(Side::Bid, 0);
    assert!(working.on_request_timeout(SlotId(0)));
    assert_eq!(working.slot(SlotId(0)).status, WorkingStatus::Unknown);
    assert_eq!(working.lots_worst(Side::Bid), Lots(LOTS));
    assert_eq!(working.tick_best(Side::Bid), Some(Tick(100)));
    assert!(!working.on_request_timeout(SlotId(0)), "nothing is pending any more");
    working.on_event(&accepted());
    assert_eq!(working.slot(SlotId(0)).status, WorkingStatus::Live, "a late acknowledgement adopts the order");
    // With a cancel out, being alive is no answer to it.
    let mut working = placed(Side::Bid, 0);
    working.on_request_timeout(SlotId(0));
    working.on_cancel_sent(SlotId(0), Nanos(5));
    working.on_request_timeout(SlotId(0));
    working.on_event(&accepted());
    assert_eq!(working.slot(SlotId(0)).status, WorkingStatus::Unknown);
}

#[test]
fn overfills_foreign_fills_and_contradictions_move_the_position_and_say_so() {
    let mut working = placed(Side::Bid, 0);
    let effect = working.on_event(&fill(1, 12, 12));
    assert_eq!((effect.lots_filled, effect.overfill), (Lots(12), true));
    let foreign = ExecutionEvent { order: OrderId(77), side: Side::Ask, ..fill(8, 3, 3) };
    let effect = working.on_event(&foreign);
    assert_eq!((effect.lots_filled, effect.unknown_order, effect.side), (Lots(3), true, Side::Ask));
    assert!(working.on_event(&foreign).duplicate, "told twice");
    let mut working = placed(Side::Bid, 0);
    working.on_event(&event(ExecutionKind::Rejected, 0, 0, 0));
    assert!(working.on_event(&accepted()).contradiction);
    assert_eq!(working.on_event(&fill(3, 2, 2)).lots_filled, Lots(2));
}

#[test]
fn a_trade_with_ourselves_counts_on_both_sides() {
    let mut working = placed(Side::Bid, 0);
    let other = OrderId::new(5, 2);
    working.on_placed(order(other, Side::Ask, 8));
    assert_eq!(working.on_event(&fill(1, 3, 3)).lots_filled, Lots(3));
    let ask = ExecutionEvent { order: other, side: Side::Ask, ..fill(1, 3, 3) };
    assert_eq!(working.on_event(&ask).lots_filled, Lots(3));
}

#[test]
fn old_repeats_beyond_the_memory_of_trades_are_caught_by_the_cumulative_quantity() {
    let mut working = Working::default();
    working.on_placed(WorkingOrder { lots: Lots(10_000), ..order(ORDER, Side::Bid, 0) });
    let mut moved = 0;
    for trade in 1..=3_000 {
        moved += working.on_event(&fill(trade, 1, trade as i64)).lots_filled.0;
    }
    assert_eq!(moved, 3_000);
    let effect = working.on_event(&fill(1, 1, 1));
    assert_eq!((effect.lots_filled, effect.duplicate), (Lots(0), true));
}

#[test]
fn late_fills_of_finished_orders_are_recognised_and_owed_ones_are_not_forgotten() {
    let mut working = placed(Side::Bid, 0);
    working.on_event(&event(ExecutionKind::Canceled, 0, 0, 4));
    for counter in 2..400 {
        let id = OrderId::new(5, counter);
        working.on_placed(order(id, Side::Bid, 0));
        working.on_event(&ExecutionEvent { order: id, ..event(ExecutionKind::Canceled, 0, 0, 0) });
    }
    assert_eq!(working.lots_worst(Side::Bid), Lots(4), "what is owed outlives 398 other orders");
    let effect = working.on_event(&fill(1, 4, 4));
    assert!(effect.finished_order);
    assert_eq!(effect.lots_filled, Lots(4));
    assert!(working.is_quiet());
}
