//! COLD: shadow mode: every order is built and checked, none is sent, and the engine is told a plain story.

use spinbook_engine::event::ExecutionKind;
use spinbook_engine::types::{Lots, Nanos, OrderId};

use super::Gateway;
use super::lifecycle::Step;
use super::orders::CancelState;
use crate::venue::order_ids::VenueOrderId;
use crate::venue::orders::{OrderName, OrderStatus, OrderUpdate, Request};

impl Gateway {
    pub(super) fn pump_shadow(&mut self, now: Nanos) {
        if self.shutting_down {
            let ids = self.orders.take_ids(|_| true);
            for order in ids.iter().copied() {
                self.shadow_cancel(order, now);
            }
            self.orders.keep_ids(ids);
            self.step = Step::Quiet;
        } else if !self.ready {
            self.ready = true;
            self.step = Step::Ready;
            self.tell(ExecutionKind::GatewayReady, 0, now);
        }
    }

    /// The order rests, as far as the engine is told; it is never filled.
    pub(super) fn shadow_accept(&mut self, order: OrderId, now: Nanos) {
        self.orders.on_placed(order, VenueOrderId::from_number(u64::from(order.counter())), now, &mut self.events);
        self.counters.orders_accepted += 1;
    }

    pub(super) fn shadow_cancel(&mut self, order: OrderId, now: Nanos) {
        let Some(tracked) = self.orders.find(order).filter(|tracked| tracked.is_open()).cloned() else {
            return;
        };
        let Some(instrument) = self.instrument(tracked.instrument).copied() else {
            return;
        };
        let name = OrderName { instrument: &instrument, order, venue_order: tracked.venue_order };
        self.counters.cancels_sent += 1;
        self.send(&Request::Cancel(name), order, 0, now);
        let update = OrderUpdate {
            instrument: tracked.instrument,
            order: Some(order),
            venue_order: tracked.venue_order,
            side: tracked.side,
            status: OrderStatus::Canceled,
            lots_cumulative: Lots::ZERO,
            lots_ordered: tracked.lots,
            fill: None,
            time: now,
        };
        if let Some(tracked) = self.orders.find_mut(order) {
            tracked.cancel = CancelState::None;
        }
        self.orders.on_update(&update, &instrument, now, &mut self.events);
    }
}
