//! COLD: cancels over REST, for as long as neither order connection brings an answer.

use spinbook_engine::types::Nanos;

use super::Gateway;
use super::lifecycle::SessionStep;
use super::orders::CancelState;
use super::rest::{RestLane, RestPurpose};
use crate::venue::account::AccountSide;
use crate::venue::order_side::OrderSide;
use crate::venue::orders::RequestKind;

/// Cancels that had no answer over the order connections for this long go out over REST, and again after as long.
const THIRD_WAY_AFTER: Nanos = Nanos::from_seconds(1);

impl<O: OrderSide> Gateway<O> {
    fn wants_cancels_at(&self, place: usize) -> bool {
        let id = self.instruments[place].id;
        let unanswered = |order: &super::orders::TrackedOrder| {
            order.instrument == id && order.is_open() && order.cancel != CancelState::None
        };
        !self.is_place_swept(place) || self.orders.active().any(unanswered)
    }

    /// An answer about a cancel in the instrument at `place` came over a connection.
    pub(super) fn cancel_answered_at(&mut self, place: usize, now: Nanos) {
        if let Some(since) = self.unanswered_since.get_mut(place)
            && *since != Nanos::NEVER
        {
            *since = now;
        }
    }

    /// When cancels are due over REST.
    pub(super) fn third_way_due(&self) -> Nanos {
        let over = matches!(self.step, SessionStep::Quiet | SessionStep::Stopped);
        let since = self.unanswered_since.iter().copied().min().unwrap_or(Nanos::NEVER);
        let possible = self.can_ask_rest() && self.clock.is_known() && self.rest.is_free(RestLane::Cancels);
        if since == Nanos::NEVER || over || !possible {
            return Nanos::NEVER;
        }
        (since + THIRD_WAY_AFTER).max(self.banned_until)
    }

    /// Sends what is due: one request cancels all orders of an instrument, those that nobody wants cancelled as well. They
    /// are behind connections that are silent, so nobody could cancel them later.
    pub(super) fn send_third_way(&mut self, now: Nanos) {
        for place in 0..self.instruments.len() {
            let since = self.unanswered_since[place];
            match (self.wants_cancels_at(place), since == Nanos::NEVER) {
                (true, true) => self.unanswered_since[place] = now,
                (false, false) => self.unanswered_since[place] = Nanos::NEVER,
                _ => {}
            }
        }
        if now < self.third_way_due() {
            return;
        }
        // The one that has waited longest; the others follow.
        let oldest = (0..self.instruments.len()).min_by_key(|place| self.unanswered_since[*place]);
        let Some(place) = oldest else { return };
        let instrument = self.instruments[place];
        self.unanswered_since[place] = now;
        if self.may_cancel(self.side.cost(RequestKind::CancelAll), &instrument, now).is_err() {
            return;
        }
        // Cancels have room in every window, and one that cannot be asked is due again.
        let _ = self.ask_rest(RestLane::Cancels, RestPurpose::CancelAll(place), now, |account, signing| {
            Some(account.cancel_all(signing, &instrument))
        });
    }

    /// What keeps cancels from leaving over REST is gone: those that wait for an answer leave at once.
    pub(super) fn hurry_third_way(&mut self, now: Nanos) {
        for since in &mut self.unanswered_since {
            if *since != Nanos::NEVER {
                *since = (*since).min(now - THIRD_WAY_AFTER);
            }
        }
    }

    /// The venue cancelled over REST what was open in the instrument at `place`.
    pub(super) fn swept_over_rest(&mut self, place: usize, body: &[u8], now: Nanos) {
        let instrument = self.instruments[place];
        let validity = self.side.validity();
        // An order that is still on its way to the venue may come after this.
        let may_come = self.orders.active().any(|order| {
            order.instrument == instrument.id && order.is_open() && !order.accepted && now < order.valid_until
        });
        let account = self.rest.account.as_ref();
        // Some venues list what they cancelled, others say no more than that they did.
        let runs = self.run_names();
        let parse =
            |account: &dyn AccountSide| account.parse_open_orders(std::slice::from_ref(&instrument), &runs, body).ok();
        let rows = account.and_then(|account| parse(account.as_ref()));
        self.sweep_proved(place, may_come.then_some(now + validity), now);
        let rows = rows.unwrap_or_default();
        rows.iter().for_each(|row| self.note_leftover(row));
        rows.iter().for_each(|row| self.apply_update(row, now));
        let ids = self.orders.take_ids(|order| order.instrument == instrument.id && order.is_open());
        for order in ids.iter().copied() {
            if let Some(tracked) = self.orders.find_mut(order) {
                tracked.query_at = tracked.query_at.min(now);
            }
        }
        self.orders.keep_ids(ids);
    }
}
