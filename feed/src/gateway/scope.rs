//! COLD: an operator stops one instrument: no order of it is taken until it is allowed again, every one is cancelled, and
//! others trade on.

use spinbook_engine::types::{InstrumentId, Nanos};

use super::{Gateway, GatewayMode};
use crate::venue::instrument::InstrumentStatus;
use crate::venue::order_side::OrderSide;

/// Single cancels follow the cancel-all after this, of orders that live all the same.
const SINGLY_AFTER: Nanos = Nanos::from_seconds(1);

impl<O: OrderSide> Gateway<O> {
    /// Until [`Gateway::allow_instrument`] no order of this instrument is taken, and every one is cancelled, whatever becomes
    /// of the session; what turns out to live later is cancelled as well. It leaves with the next [`Gateway::on_timer`].
    pub fn stop_instrument(&mut self, id: InstrumentId, now: Nanos) {
        let Some(place) = self.instruments.iter().position(|instrument| instrument.id == id) else {
            return;
        };
        // The check of every new order looks at this anyway.
        let status = std::mem::replace(&mut self.instruments[place].status, InstrumentStatus::CancelOnly);
        if !self.is_stopped(id) {
            self.stopped.push((id, status));
        }
        let ids = self.orders.take_ids(|order| order.instrument == id && order.is_open());
        for order in ids.iter().copied() {
            match self.settings.mode {
                GatewayMode::Shadow => self.shadow_cancel(order, now),
                _ => self.want_cancel(order, now + SINGLY_AFTER),
            }
        }
        self.orders.keep_ids(ids);
        self.want_sweep(place, now);
    }

    /// An operator re-arms an instrument that was stopped: its orders are taken as before.
    pub fn allow_instrument(&mut self, id: InstrumentId) {
        let Some(at) = self.stopped.iter().position(|(stopped, _)| *stopped == id) else { return };
        let (_, status) = self.stopped.swap_remove(at);
        if let Some(instrument) = self.instruments.iter_mut().find(|instrument| instrument.id == id) {
            instrument.status = status;
        }
    }

    /// Whether an operator stopped this instrument and has not allowed it again.
    #[must_use]
    pub fn is_stopped(&self, id: InstrumentId) -> bool {
        self.stopped.iter().any(|(stopped, _)| *stopped == id)
    }

    /// Whether the venue has confirmed that nothing of a stopped instrument is open, and owes no execution of it.
    #[must_use]
    pub fn is_instrument_quiet(&self, id: InstrumentId) -> bool {
        let Some(place) = self.instruments.iter().position(|instrument| instrument.id == id) else {
            return true;
        };
        let of_it = || self.orders.active().filter(|order| order.instrument == id);
        let swept = self.settings.mode == GatewayMode::Shadow || self.is_place_swept(place);
        swept && !of_it().any(|order| order.is_open() || order.fills_at != Nanos::NEVER)
    }
}
