//! COLD: shadow mode: every order is built and checked, none is sent, and the engine receives acknowledgements made here.

use spinbook_engine::event::ExecutionKind;
use spinbook_engine::types::{Lots, Nanos, OrderId, VenueCode};

use super::Gateway;
use super::lifecycle::SessionStep;
use super::orders::CancelState;
use super::place::find;
use crate::venue::order_ids::VenueOrderId;
use crate::venue::order_side::OrderSide;
use crate::venue::orders::{OrderStatus, OrderUpdate, RequestKind};

impl<O: OrderSide> Gateway<O> {
    pub(super) fn pump_shadow(&mut self, now: Nanos) {
        if self.shutting_down {
            let ids = self.orders.take_ids(|_| true);
            for order in ids.iter().copied() {
                self.shadow_cancel(order, now);
            }
            self.orders.keep_ids(ids);
            self.step = SessionStep::Quiet;
        } else if !self.ready {
            self.ready = true;
            self.step = SessionStep::Ready;
            self.emit(ExecutionKind::GatewayReady, VenueCode::NONE, now);
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
        self.counters.cancels_sent += 1;
        let connection = self.side.connection_of(RequestKind::Cancel);
        self.send_about(order, tracked.instrument, tracked.venue_order, RequestKind::Cancel, connection, now);
        let Some(instrument) = find(&self.instruments, tracked.instrument) else {
            return;
        };
        let update = OrderUpdate {
            instrument: tracked.instrument,
            order: Some(order),
            venue_order: tracked.venue_order,
            side: tracked.side,
            status: OrderStatus::Canceled,
            lots_cumulative: Lots::ZERO,
            lots_ordered: tracked.lots,
            in_force: None,
            time_in_force: None,
            fill: None,
            time: now,
        };
        if let Some(tracked) = self.orders.find_mut(order) {
            tracked.cancel = CancelState::None;
        }
        self.orders.on_update(&update, instrument, now, &mut self.events);
    }
}
