//! COLD: what of the simulated world outlives its process: taken out change by change, put back at a start.

use super::World;
use crate::sim::api::{AccountId, SimOrder};
use crate::sim::saved::{Atoms, SavedAccount, SavedTime, SavedWorld};
use crate::sim::served::{ServedIds, TradeIds};
use spinbook_engine::types::Nanos;
use std::collections::BTreeSet;

/// Update numbers that a market may use in a millisecond, by a wide margin: what an earlier process has served since
/// its last change is not known.
const UPDATES_PER_MS: i64 = 200;

/// What changed since it was asked last.
#[derive(Clone, Debug, Default)]
pub(super) struct KeptChanges {
    orders: BTreeSet<u64>,
    fills: usize,
    preventions: usize,
    moneys: usize,
    /// Something that belongs to no order: a leverage, a countdown.
    settings: bool,
}

impl KeptChanges {
    pub(super) fn order(&mut self, id: u64, is_fill: bool) {
        self.orders.insert(id);
        self.fills += usize::from(is_fill);
    }

    pub(super) fn prevention(&mut self) {
        self.preventions += 1;
    }

    pub(super) fn money(&mut self) {
        self.moneys += 1;
    }

    pub(super) fn setting(&mut self) {
        self.settings = true;
    }

    fn is_empty(&self) -> bool {
        self.orders.is_empty() && self.preventions == 0 && self.moneys == 0 && !self.settings
    }
}

impl World {
    /// From now on what changes is remembered for [`World::take_changes`].
    pub fn keep_changes(&mut self) {
        self.changes = Some(KeptChanges::default());
    }

    /// Something changed that belongs to no order.
    pub(super) fn setting_changed(&mut self) {
        if let Some(changes) = &mut self.changes {
            changes.setting();
        }
    }

    /// Whether changes are remembered.
    #[must_use]
    pub const fn keeps_changes(&self) -> bool {
        self.changes.is_some()
    }

    /// What changed of orders and accounts since this was asked last; `None` if nothing did.
    pub fn take_changes(&mut self, now: Nanos) -> Option<SavedWorld> {
        let changes = self.changes.as_mut().filter(|changes| !changes.is_empty())?;
        let KeptChanges { orders, fills, preventions, moneys, .. } = std::mem::take(changes);
        let mut saved = self.saved_without_orders(now);
        saved.orders = orders.iter().filter_map(|id| Some((*id, self.orders.get(id)?.clone()))).collect();
        saved.fills = self.fills.iter().skip(self.fills.len().saturating_sub(fills)).cloned().collect();
        saved.moneys = self.moneys.iter().skip(self.moneys.len().saturating_sub(moneys)).cloned().collect();
        let kept_before = self.preventions.len().saturating_sub(preventions);
        saved.preventions = self.preventions.iter().skip(kept_before).cloned().collect();
        Some(saved)
    }

    /// Everything that is kept.
    #[must_use]
    pub fn saved(&self, now: Nanos) -> SavedWorld {
        let mut saved = self.saved_without_orders(now);
        saved.orders = self.orders.iter().map(|(id, order)| (*id, order.clone())).collect();
        saved.fills = self.fills.iter().cloned().collect();
        saved.preventions = self.preventions.iter().cloned().collect();
        saved.moneys = self.moneys.iter().cloned().collect();
        saved
    }

    /// The state without orders, executions and the like, which a line of changes names one by one.
    #[must_use]
    pub fn saved_without_orders(&self, now: Nanos) -> SavedWorld {
        let account = |(place, account): (usize, &crate::sim::account::SimAccount)| SavedAccount {
            api_key: account.api_key.clone(),
            assets: self
                .balances(AccountId(place))
                .into_iter()
                .map(|balance| (balance.asset, Atoms(balance.free), Atoms(balance.locked)))
                .collect(),
            positions: account.positions().collect(),
        };
        SavedWorld {
            at: now,
            symbols: self.listings.iter().map(|listing| listing.symbol.clone()).collect(),
            ids: self
                .trade_ids
                .iter()
                .zip(&self.served)
                .map(|(trades, served)| [trades.last(), served.last()])
                .collect(),
            next_order: self.next_order,
            accounts: self.accounts.iter().enumerate().map(account).collect(),
            leverages: self.leverages.iter().map(|((account, listing), times)| (*account, *listing, *times)).collect(),
            isolated: self.isolated.iter().copied().collect(),
            countdowns: self
                .countdowns
                .iter()
                .map(|((account, listing), at)| (*account, *listing, SavedTime(*at)))
                .collect(),
            ..SavedWorld::default()
        }
    }

    /// Goes on where an earlier process ended. Its resting orders are back on the book with [`World::rest_kept`], once
    /// there is one.
    ///
    /// # Errors
    /// It listed other symbols or had other accounts.
    pub fn restore(&mut self, saved: SavedWorld, now: Nanos) -> Result<(), String> {
        let symbols: Vec<&str> = self.listings.iter().map(|listing| listing.symbol.as_str()).collect();
        if symbols != saved.symbols {
            return Err(format!("it is of {}, and {} are listed", saved.symbols.join(" "), symbols.join(" ")));
        }
        let keys = self.accounts.iter().map(|account| account.api_key.as_str());
        if !keys.eq(saved.accounts.iter().map(|account| account.api_key.as_str())) {
            return Err("it is of other accounts".to_owned());
        }
        for (account, kept) in self.accounts.iter_mut().zip(saved.accounts) {
            let assets = kept.assets.into_iter().map(|(asset, free, locked)| (asset, (free.0, locked.0)));
            account.restore(assets.collect(), kept.positions.into_iter().collect());
        }
        let passed = u64::try_from((now - saved.at).millis().max(0) * UPDATES_PER_MS).unwrap_or(0);
        for (place, [trades, updates]) in saved.ids.into_iter().enumerate().take(symbols.len()) {
            self.served[place] = ServedIds::above(updates + passed);
            if trades > 0 {
                self.trade_ids[place] = TradeIds::above(trades);
            }
        }
        self.next_order = self.next_order.max(saved.next_order);
        self.leverages =
            saved.leverages.into_iter().map(|(account, listing, times)| ((account, listing), times)).collect();
        self.isolated = saved.isolated.into_iter().collect();
        self.countdowns =
            saved.countdowns.into_iter().map(|(account, listing, at)| ((account, listing), at.0)).collect();
        self.next_prevention = saved.preventions.last().map_or(self.next_prevention, |last| last.id + 1);
        self.preventions = saved.preventions.into();
        self.fills = saved.fills.into();
        self.moneys = saved.moneys.into();
        for (id, order) in saved.orders {
            let request = &order.request;
            self.by_client_id.insert((request.account, request.listing, request.client_id.clone()), id);
            if !order.status.is_open() {
                self.closed.push_back(id);
            } else {
                if request.expires != Nanos::NEVER {
                    self.expiries.insert((request.expires, id));
                }
                if !order.working {
                    self.waiting.insert(id);
                }
            }
            self.orders.insert(id, order);
        }
        Ok(())
    }

    /// Puts restored orders back on the book, in the order in which they came. One that the market has passed meanwhile
    /// fills with the market's next message.
    pub fn rest_kept(&mut self) {
        let rests = |order: &&SimOrder| order.status.is_open() && order.working;
        let resting: Vec<SimOrder> = self.orders.values().filter(rests).cloned().collect();
        for order in resting {
            let request = &order.request;
            let (side, tick) = (request.side, request.tick);
            self.markets[request.listing].rest(order.id, request.account, side, tick, order.remaining());
        }
    }
}
