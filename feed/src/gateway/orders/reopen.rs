//! COLD: orders that were taken for refused and show life: open again, asked for, and cancelled.

use spinbook_engine::types::{Nanos, OrderId};

use super::{CancelState, FinalStatus, OrderTable, Phase, TrackedOrder};

impl TrackedOrder {
    /// What is known of it contradicts itself: it is asked for and, since nobody can count on it, cancelled.
    pub(super) fn distrust(&mut self, now: Nanos) {
        self.query_at = now;
        if self.cancel == CancelState::None {
            self.cancel = CancelState::Wanted;
            self.cancel_at = now;
        }
    }
}

impl OrderTable {
    /// Opens an order again that was taken for refused; any other is left alone.
    pub(super) fn reopen(&mut self, order: OrderId, now: Nanos) {
        if self.closed.get(&order).is_none_or(|over| over.phase != Phase::Done(FinalStatus::Rejected)) {
            return;
        }
        let Some(mut tracked) = self.closed.remove(&order) else {
            return;
        };
        self.closed_order.retain(|id| *id != order);
        self.proved.reopened();
        self.counters.reopened += 1;
        self.counters.contradictions += 1;
        // The fact that follows says what it is now.
        tracked.phase = Phase::Unknown;
        tracked.cancel_attempts = 0;
        tracked.not_found = 0;
        tracked.query_attempts = 0;
        tracked.query_in_flight = false;
        tracked.distrust(now);
        self.active.insert(order, tracked);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use spinbook_engine::event::{ExecutionEvent, ExecutionKind};
    use spinbook_engine::intent::Intent;
    use spinbook_engine::types::{InstrumentId, Lots, Side, Tick, TradeId, VenueCode};

    use super::*;
    use crate::testkit::instrument;
    use crate::venue::ProductLine;
    use crate::venue::order_ids::VenueOrderId;
    use crate::venue::orders::{Fee, Fill, OrderStatus, OrderUpdate};

    const ORDER: OrderId = OrderId::new(7, 1);

    #[derive(Clone, Copy, Debug)]
    enum Told {
        Unknown,
        Refused,
        Placed,
        Update(OrderStatus, i64, Option<u128>),
    }

    fn update(status: OrderStatus, cumulative: i64, trade: Option<u128>) -> OrderUpdate {
        let fill = |trade| Fill { trade: TradeId(trade), tick: Tick(5), lots: Lots(10), fee: Fee::None, maker: true };
        OrderUpdate {
            instrument: InstrumentId(0),
            order: Some(ORDER),
            venue_order: VenueOrderId::from_number(9),
            side: Side::Bid,
            status,
            lots_cumulative: Lots(cumulative),
            lots_ordered: Lots(100),
            in_force: None,
            time_in_force: None,
            fill: trade.map(fill),
            time: Nanos(1),
        }
    }

    /// The table after these facts in this order, checked after each.
    fn told(facts: &[Told]) -> (OrderTable, VecDeque<ExecutionEvent>) {
        let (mut table, mut events) = (OrderTable::new(1), VecDeque::new());
        let intent = Intent { order: ORDER, tick: Tick(5), lots: Lots(100), ..Intent::default() };
        table.insert(&intent, Nanos(1_000));
        let instrument = instrument(ProductLine::all().next().expect("a venue"), 0, "BTCUSDT", "0.01", "0.00001");
        for (at, fact) in facts.iter().enumerate() {
            let now = Nanos(2_000 + at as i64);
            match *fact {
                Told::Unknown => table.on_unknown(ORDER, now, now, &mut events),
                Told::Refused => table.on_refused(ORDER, VenueCode::NONE, now, &mut events),
                Told::Placed => table.on_placed(ORDER, VenueOrderId::from_number(9), now, &mut events),
                Told::Update(status, cumulative, trade) => {
                    table.on_update(&update(status, cumulative, trade), &instrument, now, &mut events);
                }
            }
            table.check();
        }
        (table, events)
    }

    fn permutations(facts: &mut Vec<Told>, from: usize, each: &mut impl FnMut(&[Told])) {
        if from == facts.len() {
            return each(facts);
        }
        for at in from..facts.len() {
            facts.swap(from, at);
            permutations(facts, from + 1, each);
            facts.swap(from, at);
        }
    }

    #[test]
    fn any_order_of_seven_facts_ends_in_the_same_state_even_with_a_false_refusal() {
        let live = |cumulative, trade| Told::Update(OrderStatus::Live, cumulative, Some(trade));
        let ends = [
            (Told::Update(OrderStatus::Canceled, 20, None), FinalStatus::Canceled, ExecutionKind::Canceled),
            (Told::Update(OrderStatus::Expired, 20, None), FinalStatus::Expired, ExecutionKind::Expired),
        ];
        for (end, status, kind) in ends {
            let new = Told::Update(OrderStatus::Live, 0, None);
            let mut facts = vec![Told::Unknown, Told::Refused, Told::Placed, new, live(10, 1), live(20, 2), end];
            let mut tried = 0;
            permutations(&mut facts, 0, &mut |facts| {
                let (table, events) = told(facts);
                let order = table.find(ORDER).expect("remembered");
                assert_eq!(order.phase, Phase::Done(status), "{facts:?}");
                assert_eq!((order.lots_filled, table.active_count()), (Lots(20), 0), "{facts:?}");
                let count = |kind| events.iter().filter(|event| event.kind == kind).count();
                assert_eq!((count(ExecutionKind::Filled), count(kind)), (2, 1), "{facts:?}");
                assert_eq!(events.back().map(|event| event.kind), Some(kind), "{facts:?}");
                tried += 1;
            });
            assert_eq!(tried, 5_040);
        }
    }

    #[test]
    fn without_an_end_evidence_of_life_wins_over_a_refusal_in_any_order_and_the_order_is_cancelled() {
        let new = Told::Update(OrderStatus::Live, 0, None);
        let fill = Told::Update(OrderStatus::Live, 10, Some(1));
        let mut facts = vec![Told::Unknown, Told::Refused, Told::Placed, new, fill];
        permutations(&mut facts, 0, &mut |facts| {
            let (table, _) = told(facts);
            let order = table.find(ORDER).expect("remembered");
            let open = order.is_open() && order.accepted && order.lots_filled == Lots(10);
            assert!(open && order.cancel == CancelState::Wanted, "{facts:?}: {order:?}");
        });
    }
}
