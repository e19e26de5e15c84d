//! COLD: orders of earlier runs that the table begins with: known to have lived, and not yet what became of them.

use spinbook_engine::types::{Nanos, OrderId};

use super::{CancelState, OrderTable, Phase, TrackedOrder};
use crate::gateway::adoptable::AdoptableOrder;

impl OrderTable {
    /// Enters an order of an earlier run; one that is there already, or for which there is no room, is left out.
    pub(in crate::gateway) fn adopt(&mut self, adoptable: &AdoptableOrder) {
        let AdoptableOrder { order, venue_order } = adoptable;
        if !self.has_room() || self.contains(order.order) {
            return;
        }
        let tracked = TrackedOrder {
            order: order.order,
            instrument: order.instrument,
            slot: order.slot,
            side: order.side,
            tick: order.tick,
            lots: order.lots,
            lots_filled: order.filled,
            lots_stated: order.filled,
            venue_order: *venue_order,
            phase: Phase::Unknown,
            accepted: true,
            cancel: CancelState::None,
            cancel_attempts: 0,
            cancel_at: Nanos::ZERO,
            valid_until: Nanos::ZERO,
            query_at: Nanos::NEVER,
            query_attempts: 0,
            query_in_flight: false,
            not_found: 0,
            missing_since: Nanos::ZERO,
            fills_at: Nanos::ZERO,
            replaces: OrderId::NONE,
            amendment: None,
        };
        self.by_venue.insert((order.instrument, *venue_order), order.order);
        self.active.insert(order.order, tracked);
        self.proved.adopted += 1;
        self.proved.filled += u64::from(order.filled.0 > 0);
    }
}
