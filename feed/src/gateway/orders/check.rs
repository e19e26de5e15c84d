//! COLD: what always holds of the table of orders, for tests and simulations.

use spinbook_engine::trades::TRADES_KEPT;
use spinbook_engine::types::Nanos;

use super::counts::Proved;
use super::{CLOSED_ORDERS_KEPT, CancelState, OPEN_ORDERS_MAX, OrderTable};

impl OrderTable {
    /// Asserts what always holds; for tests and simulations, after each step.
    ///
    /// # Panics
    /// It does not hold: a bug.
    pub fn check(&self) {
        let active_max = OPEN_ORDERS_MAX as u64 + self.counters.reopened;
        assert!(self.active.len() as u64 <= active_max && self.closed.len() <= CLOSED_ORDERS_KEPT);
        assert_eq!(self.closed.len(), self.closed_order.len(), "what is remembered has its age");
        for (id, order) in self.active.iter().chain(&self.closed) {
            assert_eq!(*id, order.order);
            assert_eq!(
                order.is_done(),
                self.closed.contains_key(id),
                "{id:?} is over exactly where it is kept as over"
            );
            assert!(!self.active.contains_key(id) || !self.closed.contains_key(id), "{id:?} is kept twice");
            assert!(
                order.lots_filled <= order.lots_most() || self.counters.overfills > 0,
                "{id:?} is overfilled and not counted"
            );
            assert!(order.lots_stated >= order.lots_filled, "{id:?}: the venue states at least what it reported");
            let missing = order.lots_filled < order.lots_stated && !order.is_done();
            assert_eq!(order.missing_since != Nanos::ZERO, missing, "{id:?}: fills are missing since when they are");
            if order.is_done() {
                assert!(order.cancel == CancelState::None, "{id:?} is over and to be cancelled");
            }
            if !order.venue_order.is_none() {
                let known = self.by_venue.get(&(order.instrument, order.venue_order));
                assert!(known.is_some(), "{id:?} is not found under the venue's id");
            }
        }
        self.check_counts();
        for seen in &self.trades {
            assert!(seen.count() <= TRADES_KEPT);
        }
    }
    /// Each order that was sent is in one state and counted there.
    fn check_counts(&self) {
        let counts = self.counts();
        assert_eq!(
            counts.sent + counts.adopted,
            counts.in_all_states(),
            "an order is counted in no state, or in two: {counts:?}"
        );
        assert!(counts.filled_fully <= counts.filled, "filled whole without a fill: {counts:?}");
        if self.proved.over() <= CLOSED_ORDERS_KEPT as u64 {
            // All of them are remembered, so that they can be counted again.
            let mut again = Proved::default();
            self.closed.values().for_each(|order| again.ended(order.phase));
            let states = |proved: &Proved| [proved.filled_fully, proved.canceled, proved.expired, proved.rejected];
            assert_eq!(states(&again), states(&self.proved), "an order is counted by another end than it had");
            let filled = self.active.values().chain(self.closed.values()).filter(|order| order.lots_filled.0 > 0);
            assert_eq!(filled.count() as u64, self.proved.filled, "orders with a fill");
        }
    }
}
