//! COLD: what single facts do to the table of orders: to what is counted, asked, cancelled and told.

use std::collections::VecDeque;

use spinbook_engine::engine::AdoptedOrder;
use spinbook_engine::event::{ExecutionEvent, ExecutionKind as Kind, FeeAsset};
use spinbook_engine::intent::{Intent, TimeInForce};
use spinbook_engine::types::{
    InstrumentId, Level, Lots, Nanos, OrderId, QuoteAtoms, Side, SlotId, Tick, TradeId, VenueCode,
};

use super::*;
use crate::gateway::adoptable::AdoptableOrder;
use crate::testkit::instrument;
use crate::venue::ProductLine;
use crate::venue::instrument::Symbol;
use crate::venue::orders::{Fee, Fill};

const ID: InstrumentId = InstrumentId(0);
const ORDER: OrderId = OrderId::new(7, 1);
const VALID_UNTIL: Nanos = Nanos(1_000);

fn venue_order(number: u64) -> VenueOrderId {
    VenueOrderId::from_number(number)
}

fn intent(counter: u32, lots: i64) -> Intent {
    Intent { order: OrderId::new(7, counter), tick: Tick(5), lots: Lots(lots), ..Intent::default() }
}

fn fill(trade: u128, lots: i64) -> Fill {
    Fill { trade: TradeId(trade), tick: Tick(5), lots: Lots(lots), fee: Fee::None, maker: true }
}

/// A table with one order of a hundred lots, and what it told.
struct Told {
    table: OrderTable,
    events: VecDeque<ExecutionEvent>,
    now: Nanos,
}

impl Told {
    fn new() -> Told {
        let mut table = OrderTable::new(1);
        table.insert(&intent(1, 100), VALID_UNTIL);
        Told { table, events: VecDeque::new(), now: Nanos(2_000) }
    }

    /// The same, on the venue's book as its order 9.
    fn working() -> Told {
        let mut told = Told::new();
        told.table.on_placed(ORDER, venue_order(9), told.now, &mut told.events);
        told.events.clear();
        told
    }

    /// The same, with an amendment to other lots on its way that the venue may make until 3000.
    fn amending(lots: i64) -> Told {
        let mut told = Told::working();
        told.table.begin_amendment(&Intent { tick: Tick(6), ..intent(1, lots) }, Nanos(3_000), told.now);
        told
    }

    fn update(&mut self, status: OrderStatus, cumulative: i64, fill: Option<Fill>) -> Applied {
        self.update_of(Some(ORDER), 9, Nanos(1), status, cumulative, fill)
    }

    fn update_of(
        &mut self,
        order: Option<OrderId>,
        number: u64,
        time: Nanos,
        status: OrderStatus,
        cumulative: i64,
        fill: Option<Fill>,
    ) -> Applied {
        let instrument = instrument(ProductLine::all().next().expect("a venue"), 0, "BTCUSDT", "0.01", "0.00001");
        let update = OrderUpdate {
            instrument: ID,
            order,
            venue_order: venue_order(number),
            side: Side::Bid,
            status,
            lots_cumulative: Lots(cumulative),
            lots_ordered: Lots(100),
            in_force: None,
            time_in_force: None,
            fill,
            time,
        };
        let applied = self.table.on_update(&update, &instrument, self.now, &mut self.events);
        self.table.check();
        applied
    }

    fn refuse(&mut self) {
        self.table.on_refused(ORDER, VenueCode::from_number(-17), self.now, &mut self.events);
        self.table.check();
    }

    fn shown(&mut self, tick: i64, lots: i64, asked: Option<Nanos>) {
        let level = Level { tick: Tick(tick), lots: Lots(lots) };
        self.table.on_in_force(ORDER, level, asked, self.now, &mut self.events);
        self.table.check();
    }

    fn order(&self) -> &TrackedOrder {
        self.table.find(ORDER).expect("remembered")
    }

    fn kinds(&self) -> Vec<Kind> {
        self.events.iter().map(|event| event.kind).collect()
    }
}

#[test]
fn a_table_takes_a_thousand_and_twenty_four_orders_and_no_more() {
    let mut table = OrderTable::new(1);
    for counter in 0..OPEN_ORDERS_MAX as u32 {
        assert!(table.has_room());
        table.insert(&intent(counter, 1), VALID_UNTIL);
    }
    assert!(!table.has_room());
    table.on_refused(OrderId::new(7, 0), VenueCode::NONE, Nanos(1), &mut VecDeque::new());
    assert!(table.has_room() && table.contains(OrderId::new(7, 0)), "remembered, and in nobody's way");
}

#[test]
fn an_order_is_found_under_the_venues_number_from_its_answer_or_its_first_message_on() {
    let mut answered = Told::working();
    let mut told = Told::new();
    told.update(OrderStatus::Live, 0, None);
    for told in [&mut answered, &mut told] {
        assert!(told.table.knows_venue_order(ID, venue_order(9)));
        assert!(!told.table.knows_venue_order(ID, venue_order(8)));
        let applied = told.update_of(None, 9, Nanos(1), OrderStatus::Live, 10, Some(fill(1, 10)));
        assert_eq!(
            (applied, told.order().lots_filled),
            (Applied::Known(ORDER), Lots(10)),
            "a message without our name"
        );
    }
    // An answer without a number leaves the order to be found by its name.
    let mut nameless = Told::new();
    nameless.table.on_placed(ORDER, VenueOrderId::NONE, nameless.now, &mut nameless.events);
    nameless.table.check();
    assert!(nameless.order().venue_order.is_none() && nameless.order().phase == Phase::Working);
    assert!(!nameless.table.knows_venue_order(ID, VenueOrderId::NONE));
    nameless.update(OrderStatus::Live, 0, None);
    assert_eq!(nameless.order().venue_order, venue_order(9), "which the next message tells");
}

#[test]
fn what_is_long_over_is_forgotten_under_every_name() {
    let mut told = Told::working();
    told.update(OrderStatus::Canceled, 0, None);
    for counter in 2..=CLOSED_ORDERS_KEPT as u32 + 1 {
        assert!(told.table.contains(ORDER) && told.table.knows_venue_order(ID, venue_order(9)), "{counter}");
        told.table.insert(&intent(counter, 1), VALID_UNTIL);
        told.table.on_refused(OrderId::new(7, counter), VenueCode::NONE, told.now, &mut told.events);
    }
    told.table.check();
    assert!(!told.table.contains(ORDER) && !told.table.knows_venue_order(ID, venue_order(9)));
    let counts = told.table.counts();
    assert_eq!((counts.canceled, counts.rejected), (1, CLOSED_ORDERS_KEPT as u64), "and counted for good");
}

#[test]
fn a_refusal_of_an_order_that_was_seen_alive_is_a_contradiction_and_gets_it_asked_for_and_cancelled() {
    let mut told = Told::working();
    told.table.on_unknown(ORDER, Nanos(9_000), told.now, &mut told.events);
    told.refuse();
    let order = told.order();
    assert_eq!((order.phase, order.cancel), (Phase::Unknown, CancelState::Wanted));
    assert_eq!((order.query_at, order.cancel_at), (told.now, told.now), "at once");
    assert_eq!(told.table.counters().contradictions, 1);
    // A cancel that is on its way stays the only one.
    let mut told = Told::working();
    told.table.find_mut(ORDER).expect("there").cancel = CancelState::InFlight;
    told.refuse();
    assert_eq!(told.order().cancel, CancelState::InFlight);
}

#[test]
fn a_refusal_of_an_order_that_ended_otherwise_is_a_contradiction_and_a_second_one_is_none() {
    let mut told = Told::working();
    told.update(OrderStatus::Canceled, 0, None);
    told.refuse();
    assert_eq!((told.table.counters().contradictions, told.kinds()), (1, vec![Kind::Canceled]));
    let mut told = Told::new();
    told.table.find_mut(ORDER).expect("there").cancel = CancelState::Wanted;
    told.refuse();
    told.refuse();
    assert_eq!((told.table.counters().contradictions, told.kinds()), (0, vec![Kind::Rejected]));
    assert_eq!(told.events[0].venue_code, VenueCode::from_number(-17));
    assert_eq!(told.order().cancel, CancelState::None);
}

#[test]
fn an_end_that_contradicts_the_one_that_is_known_is_counted_and_the_same_once_more_is_not() {
    let ends = [OrderStatus::Canceled, OrderStatus::Expired, OrderStatus::Rejected];
    for first in ends {
        for second in ends {
            let mut told = Told::new();
            told.update(first, 0, None);
            let before = told.table.counters();
            told.update(second, 0, None);
            let after = told.table.counters();
            // One that was refused and then ended has lived: it is open again for that moment.
            let was_refused = first == OrderStatus::Rejected && second != OrderStatus::Rejected;
            assert_eq!(after.reopened - before.reopened, u64::from(was_refused), "{first:?} {second:?}");
            let contradicts = (first == OrderStatus::Rejected) != (second == OrderStatus::Rejected);
            let counted = after.contradictions - before.contradictions;
            assert_eq!(counted, u64::from(contradicts), "{first:?} {second:?}");
            assert_eq!(told.table.active_count(), 0, "{first:?} {second:?}");
        }
    }
}

#[test]
fn a_refusal_that_states_an_execution_is_evidence_of_life() {
    let mut told = Told::new();
    told.refuse();
    told.update(OrderStatus::Rejected, 10, Some(fill(1, 10)));
    assert_eq!((told.table.counters().reopened, told.order().lots_filled), (1, Lots(10)));
    assert!(told.kinds().contains(&Kind::Filled));
    let mut told = Told::new();
    told.refuse();
    told.update(OrderStatus::Rejected, 0, None);
    assert_eq!((told.table.counters().reopened, told.kinds()), (0, vec![Kind::Rejected]), "the same once more is none");
}

#[test]
fn an_order_that_lives_again_begins_anew_and_is_asked_for_and_cancelled_at_once() {
    let mut told = Told::new();
    let tracked = told.table.find_mut(ORDER).expect("there");
    (tracked.cancel_attempts, tracked.not_found, tracked.query_attempts) = (3, 2, 5);
    (tracked.query_in_flight, tracked.cancel_at) = (true, Nanos(50));
    told.refuse();
    told.now = Nanos(7_000);
    told.table.on_placed(ORDER, venue_order(9), told.now, &mut told.events);
    told.table.check();
    let order = told.order();
    assert_eq!((order.phase, order.cancel, order.accepted), (Phase::Working, CancelState::Wanted, true));
    assert_eq!((order.cancel_at, order.query_at), (Nanos(7_000), Nanos(7_000)));
    assert_eq!((order.cancel_attempts, order.not_found, order.query_attempts), (0, 0, 0));
    assert!(!order.query_in_flight, "no answer is waited for");
    let counters = told.table.counters();
    assert_eq!((counters.reopened, counters.contradictions), (1, 1));
    assert_eq!((told.table.counts().rejected, told.table.counts().open), (0, 1));
    // Cancelled at last, it is remembered once: a second end of its kind is no other order's.
    told.update(OrderStatus::Canceled, 0, None);
    assert_eq!((told.table.counts().canceled, told.table.active_count()), (1, 0));
}

#[test]
fn an_order_that_lives_again_in_a_state_that_nobody_knows_has_no_proof_of_its_death_left() {
    let mut told = Told::new();
    let tracked = told.table.find_mut(ORDER).expect("there");
    (tracked.not_found, tracked.query_attempts) = (2, 5);
    told.refuse();
    told.update(OrderStatus::Unknown, 0, None);
    let order = told.order();
    assert_eq!((order.phase, order.not_found, order.query_attempts), (Phase::Unknown, 0, 0));
}

#[test]
fn only_an_order_that_was_taken_for_refused_lives_again() {
    for status in [OrderStatus::Canceled, OrderStatus::Expired] {
        let mut told = Told::new();
        told.update(status, 0, None);
        told.update(OrderStatus::Live, 0, None);
        told.table.on_placed(ORDER, venue_order(9), told.now, &mut told.events);
        assert_eq!((told.table.counters().reopened, told.table.active_count()), (0, 0), "{status:?}");
    }
}

#[test]
fn the_first_sign_of_life_forgets_the_questions_before_it() {
    let mut told = Told::new();
    told.table.on_unknown(ORDER, Nanos(2_100), told.now, &mut told.events);
    let tracked = told.table.find_mut(ORDER).expect("there");
    (tracked.not_found, tracked.query_attempts) = (1, 4);
    told.update(OrderStatus::Live, 0, None);
    assert_eq!((told.order().not_found, told.order().query_attempts), (0, 0));
    assert_eq!(told.kinds(), [Kind::Unknown, Kind::Accepted]);
}

#[test]
fn a_doubt_asks_no_later_than_before_and_is_told_once() {
    let mut told = Told::working();
    for (asked, at) in [(5_000, 5_000), (6_000, 5_000), (4_000, 4_000)] {
        told.table.on_unknown(ORDER, Nanos(asked), told.now, &mut told.events);
        assert_eq!(told.order().query_at, Nanos(at));
    }
    assert_eq!(told.kinds(), [Kind::Unknown]);
    // A status that nobody knows is the same, and is asked for at once.
    let mut told = Told::working();
    told.table.find_mut(ORDER).expect("there").query_at = Nanos(5_000);
    told.update(OrderStatus::Unknown, 0, None);
    assert_eq!((told.order().query_at, told.kinds()), (told.now, vec![Kind::Unknown]));
    // What is over stays over.
    let mut told = Told::working();
    told.update(OrderStatus::Canceled, 0, None);
    told.table.on_unknown(ORDER, Nanos(4_000), told.now, &mut told.events);
    told.update(OrderStatus::Unknown, 0, None);
    assert_eq!((told.order().query_at, told.kinds()), (Nanos::NEVER, vec![Kind::Canceled]));
}

#[test]
fn facts_bear_the_venues_time_or_ours_where_it_states_none() {
    for (stated, told_at) in [(Nanos(77), Nanos(77)), (Nanos::ZERO, Nanos(2_000))] {
        let mut told = Told::new();
        told.update_of(Some(ORDER), 9, stated, OrderStatus::Live, 10, Some(fill(1, 10)));
        assert!(told.events.iter().all(|event| event.time == told_at), "{stated:?}: {:?}", told.events);
        told.events.clear();
        told.update_of(None, 5, stated, OrderStatus::Live, 10, Some(fill(2, 10)));
        assert_eq!(told.events[0].time, told_at, "{stated:?}: somebody else's");
    }
}

#[test]
fn executions_are_missing_from_the_moment_that_more_was_stated_until_they_are_there() {
    let mut told = Told::working();
    told.update(OrderStatus::Live, 30, Some(fill(1, 10)));
    assert_eq!((told.order().lots_stated, told.order().missing_since), (Lots(30), Nanos(2_000)));
    told.now = Nanos(2_500);
    told.update(OrderStatus::Canceled, 20, None);
    assert_eq!(told.order().lots_stated, Lots(30), "what was stated once stays stated");
    assert_eq!((told.order().phase, told.order().missing_since), (Phase::Closing(FinalStatus::Canceled), Nanos(2_000)));
    told.update(OrderStatus::Live, 10, Some(fill(2, 15)));
    told.update(OrderStatus::Live, 10, Some(fill(3, 5)));
    assert_eq!((told.order().phase, told.order().missing_since), (Phase::Done(FinalStatus::Canceled), Nanos::ZERO));
    assert_eq!(told.kinds(), [Kind::Filled, Kind::Filled, Kind::Filled, Kind::Canceled]);
    assert_eq!((told.table.counts().filled, told.table.counts().canceled), (1, 1));
    // Executions count as stated, whatever the message's sum says.
    let mut told = Told::working();
    told.update(OrderStatus::Live, 0, Some(fill(1, 10)));
    assert_eq!((told.order().lots_stated, told.order().missing_since), (Lots(10), Nanos::ZERO));
    // Filled whole without any execution yet: all of it is missing.
    told.update(OrderStatus::Filled, 0, None);
    assert_eq!((told.order().lots_stated, told.order().missing_since), (Lots(100), Nanos(2_000)));
}

#[test]
fn executions_to_the_last_lot_end_an_order_and_one_more_lot_is_too_many() {
    let mut told = Told::working();
    told.table.find_mut(ORDER).expect("there").query_at = Nanos(9_000);
    told.update(OrderStatus::Live, 100, Some(fill(1, 100)));
    assert_eq!((told.order().phase, told.kinds()), (Phase::Done(FinalStatus::Filled), vec![Kind::Filled]));
    let counters = told.table.counters();
    assert_eq!((counters.overfills, counters.late_fills), (0, 0));
    assert_eq!(told.order().query_at, Nanos::NEVER);
    told.update(OrderStatus::Filled, 101, Some(fill(2, 1)));
    let counters = told.table.counters();
    assert_eq!((counters.overfills, counters.late_fills), (1, 1), "and after the end");
    assert_eq!((told.table.counts().filled, told.table.counts().filled_fully), (1, 1), "one order all the same");
}

#[test]
fn an_execution_is_counted_once_whoever_it_is_of() {
    let mut told = Told::working();
    assert_eq!(told.update(OrderStatus::Live, 10, Some(fill(1, 10))), Applied::Known(ORDER));
    assert_eq!(told.update(OrderStatus::Live, 10, Some(fill(1, 10))), Applied::Duplicate);
    assert!(told.table.knows_trade(ID, TradeId(1), Side::Bid, Nanos(1)));
    assert!(!told.table.knows_trade(ID, TradeId(2), Side::Bid, Nanos(1)));
    assert!(!told.table.knows_trade(InstrumentId(5), TradeId(1), Side::Bid, Nanos(1)), "nor of another instrument");
    let mut stranger = |trade| told.update_of(None, 5, Nanos(1), OrderStatus::Live, 10, trade);
    assert_eq!(stranger(Some(fill(2, 10))), Applied::ThirdParty { filled: true });
    assert_eq!(stranger(Some(fill(2, 10))), Applied::Duplicate);
    assert_eq!(stranger(None), Applied::ThirdParty { filled: false });
    let counters = told.table.counters();
    assert_eq!((counters.duplicate_fills, counters.third_party_fills), (2, 1));
    assert_eq!(told.kinds(), [Kind::Filled, Kind::Filled]);
}

#[test]
fn what_the_venue_trades_by_itself_and_what_earlier_runs_traded_counts_once_as_well() {
    let instrument = instrument(ProductLine::all().next().expect("a venue"), 0, "BTCUSDT", "0.01", "0.00001");
    let (mut table, mut events) = (OrderTable::new(1), VecDeque::new());
    let update = |time, fill| OrderUpdate {
        instrument: ID,
        order: None,
        venue_order: venue_order(3),
        side: Side::Ask,
        status: OrderStatus::Filled,
        lots_cumulative: Lots(40),
        lots_ordered: Lots(40),
        in_force: None,
        time_in_force: None,
        fill,
        time,
    };
    let now = Nanos(2_000);
    assert!(!table.on_venue_fill(&update(Nanos(5), None), &instrument, now, &mut events), "no execution");
    assert!(table.on_venue_fill(&update(Nanos(5), Some(fill(1, 40))), &instrument, now, &mut events));
    assert!(!table.on_venue_fill(&update(Nanos(5), Some(fill(1, 40))), &instrument, now, &mut events), "the same");
    assert!(table.on_venue_fill(&update(Nanos::ZERO, Some(fill(2, 40))), &instrument, now, &mut events));
    assert_eq!(table.counters().duplicate_fills, 1);
    let told: Vec<_> = events.iter().map(|event| (event.kind, event.time, event.side)).collect();
    assert_eq!(told, [(Kind::Liquidated, Nanos(5), Side::Ask), (Kind::Liquidated, now, Side::Ask)]);
    // One that an earlier run booked is known, and one that it missed is told once.
    table.know_trade(ID, TradeId(3), Side::Ask, Nanos(5));
    assert_eq!(table.missed_fill(&update(Nanos(5), Some(fill(3, 40))), &instrument), None);
    let missed = table.missed_fill(&update(Nanos(6), Some(fill(4, 40))), &instrument).expect("a new one");
    assert_eq!((missed.kind, missed.lots, missed.time), (Kind::Filled, Lots(40), Nanos(6)));
    assert_eq!(table.missed_fill(&update(Nanos(6), Some(fill(4, 40))), &instrument), None);
}

#[test]
fn a_fee_in_lots_is_worth_its_price_and_one_in_another_asset_is_counted() {
    let mut told = Told::working();
    let of = |trade, fee| Some(Fill { fee, ..fill(trade, 10) });
    told.update(OrderStatus::Live, 10, of(1, Fee::Base(Lots(3))));
    told.update(OrderStatus::Live, 20, of(2, Fee::Other(Symbol::new("BNB").expect("a name"), 1)));
    let atoms = instrument(ProductLine::all().next().expect("a venue"), 0, "BTCUSDT", "0.01", "0.00001");
    let fees: Vec<_> = told.events.iter().map(|event| (event.fee_asset, event.fee_lots, event.fee)).collect();
    let worth = QuoteAtoms(3 * 5 * atoms.atoms_per_tick_lot);
    assert_eq!(fees, [(FeeAsset::Base, Lots(3), worth), (FeeAsset::Other, Lots(0), QuoteAtoms(0))]);
    assert_eq!(told.table.counters().fees_other, 1);
}

#[test]
fn orders_of_earlier_runs_stand_in_the_table_once_and_count_what_they_had_filled() {
    let adoptable = |counter, filled| AdoptableOrder {
        order: AdoptedOrder {
            order: OrderId::new(6, counter),
            instrument: ID,
            slot: SlotId(2),
            side: Side::Ask,
            time_in_force: TimeInForce::PostOnly,
            tick: Tick(5),
            lots: Lots(100),
            filled: Lots(filled),
        },
        venue_order: venue_order(u64::from(counter)),
    };
    let mut table = OrderTable::new(1);
    table.adopt(&adoptable(1, 0));
    table.adopt(&adoptable(2, 30));
    table.adopt(&adoptable(2, 30));
    table.check();
    let counts = table.counts();
    assert_eq!((counts.adopted, counts.sent, counts.filled, counts.unknown), (2, 0, 1, 2));
    assert!(table.knows_venue_order(ID, venue_order(1)) && table.knows_venue_order(ID, venue_order(2)));
    let order = table.find(OrderId::new(6, 2)).expect("there");
    assert_eq!((order.lots_filled, order.lots_stated, order.accepted), (Lots(30), Lots(30), true));
    // With no room left one is left out: its start cancels it with everything else.
    for counter in 0..OPEN_ORDERS_MAX as u32 - 2 {
        table.insert(&intent(counter, 1), VALID_UNTIL);
    }
    table.adopt(&adoptable(3, 0));
    assert!(!table.contains(OrderId::new(6, 3)) && table.counts().adopted == 2);
}

#[test]
fn every_order_is_in_one_state_and_the_sum_is_of_all_of_them() {
    let counts = OrderCounts {
        sent: 1_000_000,
        adopted: 1_000_000,
        filled: 1_000_000,
        filled_fully: 1,
        canceled: 20,
        expired: 300,
        rejected: 4_000,
        unknown: 50_000,
        amended: 1_000_000,
        open: 600_000,
    };
    assert_eq!(counts.in_all_states(), 654_321);
    let proved = Proved { filled_fully: 1, canceled: 20, expired: 300, rejected: 4_000, ..Proved::default() };
    assert_eq!(proved.over(), 4_321);
}

#[test]
fn while_an_amendment_is_in_doubt_the_larger_quantity_counts() {
    for (wanted, most) in [(150, 150), (60, 100)] {
        let mut told = Told::amending(wanted);
        assert!(told.order().is_amending() && told.order().lots_most() == Lots(most), "{wanted}");
        assert_eq!(told.order().amendment_decided_from(), Some(Nanos(3_000)));
        told.shown(6, wanted, None);
        assert!(!told.order().is_amending() && told.order().lots_most() == Lots(wanted), "{wanted}: made");
        assert_eq!(told.order().amendment_decided_from(), None);
        let mut told = Told::amending(wanted);
        told.table.on_amend_refused(ORDER, VenueCode::from_number(-18), told.now, &mut told.events);
        assert_eq!((told.order().lots_most(), told.order().tick), (Lots(100), Tick(5)), "{wanted}: not made");
    }
    let mut told = Told::amending(150);
    told.update(OrderStatus::Canceled, 0, None);
    assert!(!told.order().is_amending(), "what is over is not amended any more");
}

#[test]
fn an_amendment_that_is_made_and_refused_is_counted_once_and_asked_for() {
    // Shown and then refused: what is in force is asked for.
    let mut told = Told::amending(150);
    told.table.find_mut(ORDER).expect("there").query_at = Nanos(9_000);
    told.shown(6, 150, None);
    assert_eq!((told.order().query_at, told.kinds()), (Nanos(9_000), vec![Kind::Amended]));
    told.shown(6, 150, None);
    assert_eq!(told.kinds(), [Kind::Amended], "told once");
    assert_eq!((told.order().query_at, told.table.counters().contradictions), (Nanos(9_000), 0), "nothing new");
    told.table.on_amend_refused(ORDER, VenueCode::NONE, told.now, &mut told.events);
    assert_eq!((told.order().query_at, told.order().lots), (Nanos(2_000), Lots(150)), "what is shown wins");
    assert_eq!((told.table.counters().contradictions, told.table.counts().amended), (1, 1));
    // Refused and then shown.
    let mut told = Told::amending(150);
    told.table.find_mut(ORDER).expect("there").query_at = Nanos(9_000);
    told.table.on_amend_refused(ORDER, VenueCode::from_number(-18), told.now, &mut told.events);
    assert_eq!(told.order().query_at, Nanos(2_000), "and asked for");
    told.table.on_amend_refused(ORDER, VenueCode::NONE, told.now, &mut told.events);
    assert_eq!((told.kinds(), told.table.counters().contradictions), (vec![Kind::AmendRejected], 0));
    assert_eq!(told.events[0].venue_code, VenueCode::from_number(-18));
    told.shown(6, 150, None);
    assert_eq!((told.kinds(), told.order().lots), (vec![Kind::AmendRejected, Kind::Amended], Lots(150)));
    assert_eq!((told.table.counters().contradictions, told.table.counts().amended), (1, 1));
}

#[test]
fn only_an_answer_to_a_question_of_after_the_validity_proves_that_an_amendment_was_not_made() {
    let mut told = Told::amending(150);
    for asked in [None, Some(Nanos(1_999)), Some(Nanos(2_999))] {
        told.shown(5, 100, asked);
        assert!(told.order().is_amending(), "{asked:?}: it may come yet");
    }
    told.shown(5, 100, Some(Nanos(3_000)));
    assert_eq!((told.kinds(), told.order().lots), (vec![Kind::AmendRejected], Lots(100)));
    // The wanted price in an answer to an older question is of an earlier amendment.
    let mut told = Told::amending(150);
    told.shown(6, 150, Some(Nanos(1_999)));
    assert!(told.order().is_amending());
    told.shown(6, 150, Some(Nanos(2_000)));
    assert_eq!(told.kinds(), [Kind::Amended]);
    // One that was made may be seen undone by a later question.
    told.shown(5, 100, Some(Nanos(3_000)));
    assert_eq!((told.kinds(), told.order().lots), (vec![Kind::Amended, Kind::AmendRejected], Lots(100)));
    assert_eq!(told.table.counters().contradictions, 1);
}

#[test]
fn a_doubtful_amendment_is_asked_for_no_later_than_before_and_told_once() {
    let mut told = Told::amending(150);
    for (asked, at) in [(5_000, 5_000), (6_000, 5_000), (4_000, 4_000)] {
        told.table.on_amend_unknown(ORDER, Nanos(asked), told.now, &mut told.events);
        assert_eq!(told.order().query_at, Nanos(at));
    }
    assert_eq!(told.kinds(), [Kind::Unknown]);
    let mut told = Told::working();
    told.table.on_amend_unknown(ORDER, Nanos(4_000), told.now, &mut told.events);
    assert_eq!((told.order().query_at, told.kinds()), (Nanos::NEVER, vec![]), "nothing is in doubt");
}

#[test]
fn an_order_that_the_venue_filled_whole_tells_by_its_quantity_what_became_of_its_amendment() {
    // Larger, and filled for that: made. Filled for the former quantity, or for a third one: not made.
    const OUTCOMES: [(i64, i64, Kind); 4] = [
        (150, 150, Kind::Amended),
        (150, 100, Kind::AmendRejected),
        (150, 120, Kind::AmendRejected),
        (60, 60, Kind::Amended),
    ];
    for (wanted, filled, kind) in OUTCOMES {
        let mut told = Told::amending(wanted);
        told.update(OrderStatus::Filled, filled, Some(fill(1, filled)));
        assert_eq!(told.order().phase, Phase::Done(FinalStatus::Filled), "{wanted} {filled}");
        assert_eq!((told.order().lots, told.order().lots_filled), (Lots(filled), Lots(filled)), "{wanted} {filled}");
        assert!(told.kinds().contains(&kind), "{wanted} {filled}: {:?}", told.kinds());
        assert_eq!(told.kinds().len(), 2, "{wanted} {filled}: {:?}", told.kinds());
        assert_eq!(told.table.counters().overfills, 0, "{wanted} {filled}");
    }
    // Of another price alone it says nothing, and nothing is told of it.
    let mut told = Told::amending(100);
    told.update(OrderStatus::Filled, 100, Some(fill(1, 100)));
    assert_eq!((told.kinds(), told.order().lots), (vec![Kind::Filled], Lots(100)));
    // Known before, there is nothing to tell; with a quantity that contradicts it there is.
    let mut told = Told::amending(150);
    told.shown(6, 150, None);
    told.update(OrderStatus::Filled, 150, Some(fill(1, 150)));
    assert_eq!(told.kinds(), [Kind::Amended, Kind::Filled]);
    let mut told = Told::amending(150);
    told.shown(6, 150, None);
    told.update(OrderStatus::Filled, 100, Some(fill(1, 100)));
    assert_eq!(told.kinds(), [Kind::Amended, Kind::Filled, Kind::AmendRejected]);
    // A message that states no sum decides nothing.
    let mut told = Told::amending(150);
    told.update(OrderStatus::Filled, 0, None);
    assert_eq!((told.kinds(), told.order().lots), (vec![], Lots(100)));
}

#[test]
fn an_order_that_has_more_than_its_amended_quantity_already_is_over_when_that_is_known() {
    let mut told = Told::amending(60);
    told.update(OrderStatus::Live, 60, Some(fill(1, 60)));
    assert!(!told.order().is_done(), "a hundred may still be ordered");
    told.shown(6, 60, None);
    assert_eq!(told.order().phase, Phase::Done(FinalStatus::Filled));
    assert_eq!((told.table.active_count(), told.table.counts().filled_fully), (0, 1));
    assert_eq!(told.kinds(), [Kind::Filled, Kind::Amended]);
}
