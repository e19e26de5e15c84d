//! COLD: what moves the accounts of the simulated world beside their orders: funding, transfers, and what the venue closes
//! itself.

use super::{EVENTS_MAX, FILLS_MAX, Settlement, World};
use crate::sim::api::{
    AccountId, Lifetime, ListingIndex, OrderChange, OrderKind, SelfTrade, SimOrderRequest, SimOrderStatus,
};
use crate::sim::fees::BOOKED_UNIT_ATOMS;
use crate::sim::moved::{MoneyEvent, SimFunding, SimMoney, SimMoneyKind};
use spinbook_engine::types::{Lots, Nanos, QuoteAtoms, Side, Tick};

/// What the venue takes for closing a position, in millionths of its value.
pub const LIQUIDATION_FEE_MILLIONTHS: i128 = 12_500;
/// How the name of an order begins that closes a position in the venue's own name.
pub const LIQUIDATION_NAME: &str = "autoclose-";
/// Fundings of listings that are kept for queries.
const FUNDINGS_MAX: usize = 10_000;

impl World {
    /// Every position on a listing pays or receives this share of its value at the mid; who is long pays above zero.
    /// Nothing happens where there is no price.
    pub fn fund(&mut self, listing: ListingIndex, rate_millionths: i64, now: Nanos) {
        if self.settlement == Settlement::Spot || self.reference_tick(listing).is_none() {
            return;
        }
        self.fundings.push_back(SimFunding { listing, rate_millionths, at: now });
        if self.fundings.len() > FUNDINGS_MAX {
            self.fundings.pop_front();
        }
        for place in 0..self.accounts.len() {
            let account = AccountId(place);
            let value = self.mark_value(listing, self.accounts[place].position(listing).lots.0).0;
            let owed = value * i128::from(rate_millionths) / 1_000_000 / BOOKED_UNIT_ATOMS * BOOKED_UNIT_ATOMS;
            if owed != 0 {
                let asset = self.listings[listing].quote.clone();
                self.move_money(account, SimMoneyKind::Funding, Some(listing), (asset, -owed), now);
            }
        }
    }

    /// Fundings so far, oldest first.
    pub fn fundings(&self, listing: ListingIndex) -> impl Iterator<Item = &SimFunding> {
        self.fundings.iter().filter(move |funding| funding.listing == listing)
    }

    /// An asset comes to an account, or leaves it if negative and there is so much of it free; whether it did.
    pub fn transfer(&mut self, account: AccountId, asset: &str, atoms: i128, now: Nanos) -> bool {
        let Some(found) = self.accounts.get(account.0) else { return false };
        if atoms == 0 || found.balance(asset).free + atoms < 0 {
            return false;
        }
        self.move_money(account, SimMoneyKind::Transfer, None, (asset.to_owned(), atoms), now);
        true
    }

    /// The venue cancels an account's orders on a listing, closes its position at the prices displayed, as far as they
    /// reach, and takes a fee.
    pub fn liquidate(&mut self, account: AccountId, listing: ListingIndex, now: Nanos) {
        let Some(held) = self.accounts.get(account.0).map(|found| found.position(listing).lots.0) else { return };
        if held == 0 || self.settlement == Settlement::Spot {
            return;
        }
        let open: Vec<u64> = self.open_orders(account, Some(listing)).iter().map(|order| order.id).collect();
        for id in open {
            let change = OrderChange::Canceled { request_client_id: String::new() };
            self.close(id, SimOrderStatus::Canceled, change, now);
        }
        let order = SimOrderRequest {
            account,
            listing,
            side: if held > 0 { Side::Ask } else { Side::Bid },
            kind: OrderKind::Market,
            lifetime: Lifetime::ImmediateOrCancel,
            tick: Tick(0),
            lots: Lots(held.abs()),
            client_id: format!("{LIQUIDATION_NAME}{}", self.next_order),
            reduce_only: true,
            self_trade: SelfTrade::ExpireMaker,
            trigger: None,
            expires: Nanos::NEVER,
            quote_asked: QuoteAtoms::ZERO,
        };
        let Ok(id) = self.place(order, now) else { return };
        let closed = self.fills.iter().filter(|fill| fill.order_id == id);
        let value: i128 = closed.map(|fill| fill.value.0).sum();
        let fee = value * LIQUIDATION_FEE_MILLIONTHS / 1_000_000 / BOOKED_UNIT_ATOMS * BOOKED_UNIT_ATOMS;
        if fee > 0 {
            let asset = self.listings[listing].quote.clone();
            self.move_money(account, SimMoneyKind::LiquidationFee, Some(listing), (asset, -fee), now);
        }
    }

    fn move_money(
        &mut self,
        account: AccountId,
        kind: SimMoneyKind,
        listing: Option<ListingIndex>,
        (asset, amount): (String, i128),
        now: Nanos,
    ) {
        self.accounts[account.0].credit(&asset, amount);
        let balance = self.accounts[account.0].balance(&asset);
        let number = self.moneys.back().map_or(1, |last: &SimMoney| last.number + 1);
        let money = SimMoney { number, account, kind, listing, asset, amount, at: now };
        if self.moneys.len() >= FILLS_MAX {
            self.moneys.pop_front();
        }
        self.moneys.push_back(money.clone());
        if let Some(changes) = &mut self.changes {
            changes.money();
        }
        if self.money_events.len() >= EVENTS_MAX {
            self.money_events.pop_front();
            self.events_lost += 1;
        }
        self.money_events.push_back(MoneyEvent { money, balance });
    }

    /// The next of these for user streams.
    pub fn poll_money(&mut self) -> Option<MoneyEvent> {
        self.money_events.pop_front()
    }

    /// What moved an account's money beside its orders, oldest first.
    pub fn moneys(&self, account: AccountId) -> impl Iterator<Item = &SimMoney> {
        self.moneys.iter().filter(move |money| money.account == account)
    }
}
