//! COLD: conditional orders of the simulated world: they wait until the market trades at their price.

use super::{Settlement, World};
use crate::sim::api::{AccountId, ListingIndex, OrderChange, OrderKind, SimOrder, SimOrderStatus, SimTrigger};
use spinbook_engine::types::{Nanos, Tick};

impl SimTrigger {
    /// Whether a trade at this price sets it off.
    #[must_use]
    pub fn is_reached(&self, last: Tick) -> bool {
        if self.rising { last >= self.tick } else { last <= self.tick }
    }
}

impl World {
    /// An account's orders that wait, oldest first.
    pub(super) fn waiting_orders(
        &self,
        account: AccountId,
        listing: Option<ListingIndex>,
    ) -> impl Iterator<Item = &SimOrder> {
        let orders = self.waiting.iter().filter_map(|id| self.orders.get(id));
        orders.filter(move |order| {
            order.request.account == account && listing.is_none_or(|listing| listing == order.request.listing)
        })
    }

    /// Sets off what a trade at this price reaches, oldest first.
    pub(super) fn trigger_waiting(&mut self, listing: ListingIndex, last: Tick, now: Nanos) {
        let reached = |order: &&SimOrder| {
            order.request.listing == listing && order.request.trigger.is_some_and(|trigger| trigger.is_reached(last))
        };
        let due: Vec<u64> =
            self.waiting.iter().filter_map(|id| self.orders.get(id)).filter(reached).map(|order| order.id).collect();
        for id in due {
            self.set_off(id, now);
        }
    }

    fn set_off(&mut self, id: u64, now: Nanos) {
        let Some(mut request) = self.orders.get(&id).map(|order| order.request.clone()) else { return };
        if request.kind == OrderKind::Market {
            // What it costs is locked now; an account that cannot pay has its order expire.
            request.trigger = None;
            request.tick = self.lock_tick(&request);
            if self.check_funds(&request).is_err() {
                self.close(id, SimOrderStatus::Expired, OrderChange::Expired, now);
                return;
            }
            if self.settlement == Settlement::Spot {
                let (asset, atoms) = self.lock_for(&request);
                let asset = asset.to_owned();
                self.accounts[request.account.0].lock(&asset, atoms);
            }
        }
        self.waiting.remove(&id);
        if let Some(order) = self.orders.get_mut(&id) {
            order.working = true;
            order.updated = now;
            order.request.tick = request.tick;
        }
        self.emit(id, OrderChange::New, now);
        self.work(id, now);
    }
}
