//! COLD: changes of orders that rest in the simulated world, and what ends them by time.

use super::{Settlement, World};
use crate::sim::api::{
    AccountId, Lifetime, ListingIndex, OrderChange, OrderKey, OrderKind, SimOrder, SimOrderStatus, SimRefusal,
};
use spinbook_engine::types::{Lots, Nanos, QuoteAtoms, Side, Tick};

impl World {
    /// An order that rests on the book.
    fn resting_order(
        &self,
        account: AccountId,
        listing: ListingIndex,
        key: OrderKey<'_>,
    ) -> Result<SimOrder, SimRefusal> {
        let order = self.order(account, listing, key).ok_or(SimRefusal::UnknownOrder)?;
        let rests = order.status.is_open() && !self.waiting.contains(&order.id);
        if rests { Ok(order) } else { Err(SimRefusal::UnknownOrder) }
    }

    /// Makes a resting order smaller where it stands, under a client id that may be new.
    ///
    /// # Errors
    /// [`SimRefusal::UnknownOrder`], or [`SimRefusal::AmendRejected`] for a quantity that is not less than before or
    /// is filled already.
    pub fn amend(
        &mut self,
        account: AccountId,
        listing: ListingIndex,
        key: OrderKey<'_>,
        (lots, client_id): (Lots, &str),
        now: Nanos,
    ) -> Result<SimOrder, SimRefusal> {
        let order = self.resting_order(account, listing, key)?;
        let less = Lots(order.request.lots.0 - lots.0);
        if less.0 <= 0 || lots <= order.filled {
            return Err(SimRefusal::AmendRejected);
        }
        let named = self.by_client_id.get(&(account, listing, client_id.to_owned()));
        if named.is_some_and(|id| *id != order.id && self.orders.get(id).is_some_and(|other| other.status.is_open())) {
            return Err(SimRefusal::DuplicateClientId);
        }
        let side = order.request.side;
        self.markets[listing].shrink(side, order.id, less);
        if self.settlement == Settlement::Spot {
            let rules = &self.listings[listing];
            let (asset, atoms) = match side {
                Side::Bid => (&rules.quote, rules.value(order.request.tick, less).0),
                Side::Ask => (&rules.base, rules.base_atoms(less)),
            };
            self.accounts[account.0].unlock(asset, atoms);
        }
        let former_client_id = order.request.client_id;
        if former_client_id != client_id {
            self.by_client_id.remove(&(account, listing, former_client_id.clone()));
            self.by_client_id.insert((account, listing, client_id.to_owned()), order.id);
        }
        if let Some(order) = self.orders.get_mut(&order.id) {
            order.request.lots = lots;
            order.request.client_id = client_id.to_owned();
            order.updated = now;
        }
        self.emit(order.id, OrderChange::Amended { former_client_id }, now);
        self.orders.get(&order.id).cloned().ok_or(SimRefusal::UnknownOrder)
    }

    /// Gives a resting order of a perpetual another price and quantity; it loses its place. One that is filled
    /// already, or post-only and would trade, is cancelled.
    ///
    /// # Errors
    /// [`SimRefusal::UnknownOrder`], [`SimRefusal::NoChange`], or what refuses an order that large.
    pub fn modify(
        &mut self,
        account: AccountId,
        listing: ListingIndex,
        key: OrderKey<'_>,
        (tick, lots): (Tick, Lots),
        now: Nanos,
    ) -> Result<SimOrder, SimRefusal> {
        let order = self.resting_order(account, listing, key)?;
        let request = &order.request;
        if request.kind != OrderKind::Limit {
            return Err(SimRefusal::AmendRejected);
        }
        if (request.tick, request.lots) == (tick, lots) {
            return Err(SimRefusal::NoChange);
        }
        self.check_price(listing, request.side, tick)?;
        let crosses = self.markets[listing].crosses(request.side, tick);
        if lots <= order.filled || (request.lifetime == Lifetime::PostOnly && crosses) {
            let change = OrderChange::Canceled { request_client_id: request.client_id.clone() };
            self.close(order.id, SimOrderStatus::Canceled, change, now);
            return self.orders.get(&order.id).cloned().ok_or(SimRefusal::UnknownOrder);
        }
        let rules = &self.listings[listing];
        let more = rules.value(tick, Lots(lots.0 - order.filled.0)) - rules.value(request.tick, order.remaining());
        if more > QuoteAtoms::ZERO && !request.reduce_only {
            self.check_margin(account, listing, request.side, more)?;
        }
        self.markets[listing].remove(request.side, order.id);
        let former_client_id = request.client_id.clone();
        if let Some(order) = self.orders.get_mut(&order.id) {
            order.request.tick = tick;
            order.request.lots = lots;
            order.updated = now;
        }
        self.emit(order.id, OrderChange::Amended { former_client_id }, now);
        self.work(order.id, now);
        self.orders.get(&order.id).cloned().ok_or(SimRefusal::UnknownOrder)
    }

    /// Cancels all of an account's orders on a listing at `at` unless told otherwise before; `NEVER` stops that.
    pub fn set_countdown(&mut self, account: AccountId, listing: ListingIndex, at: Nanos) {
        self.setting_changed();
        if at == Nanos::NEVER {
            self.countdowns.remove(&(account, listing));
        } else {
            self.countdowns.insert((account, listing), at);
        }
    }

    /// When an order expires or a countdown ends next.
    #[must_use]
    pub fn next_timer(&self) -> Nanos {
        let countdown = self.countdowns.values().min().copied().unwrap_or(Nanos::NEVER);
        self.expiries.first().map_or(Nanos::NEVER, |(at, _)| *at).min(countdown)
    }

    /// Ends what is due.
    pub fn on_timer(&mut self, now: Nanos) {
        while let Some((at, id)) = self.expiries.first().copied().filter(|(at, _)| *at <= now) {
            self.expiries.remove(&(at, id));
            self.close(id, SimOrderStatus::Expired, OrderChange::Expired, now);
        }
        let due: Vec<_> = self.countdowns.iter().filter(|(_, at)| **at <= now).map(|(key, _)| *key).collect();
        for (account, listing) in due {
            self.countdowns.remove(&(account, listing));
            self.setting_changed();
            for order in self.open_orders(account, Some(listing)) {
                let change = OrderChange::Canceled { request_client_id: order.request.client_id };
                self.close(order.id, SimOrderStatus::Canceled, change, now);
            }
        }
    }
}
