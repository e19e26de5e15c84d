//! COLD: the simulated world: accounts and matching joined, with every fill booked to the last unit.
//!
//! `orders` checks, places and cancels, `changes` changes what rests, `waiting` keeps what waits for a price; `market` takes what others displayed and traded; `margin` says what positions
//! bind.

mod changes;
mod kept;
mod margin;
mod market;
mod money;
mod orders;
mod waiting;

use crate::sim::account::SimAccount;
use crate::sim::api::{
    AccountId, AccountKey, Listing, ListingIndex, MarginBracket, OrderChange, OrderKey, OrderKind, SimBalance, SimFill,
    SimOrder, SimPosition, SimPrevention, TradePrint, WorldEvent,
};
use crate::sim::faults::Faults;
use crate::sim::fees::FeeRates;
use crate::sim::limits::Windows;
use crate::sim::matching::Matching;
use crate::sim::moved::{MoneyEvent, SimFunding, SimMoney};
use crate::sim::served::{ServedIds, TradeIds};
use crate::sim::shown::ShownLots;
use crate::sim::tape::Tape;
use kept::KeptChanges;
use spinbook_engine::types::{Nanos, Side};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

pub use money::{LIQUIDATION_FEE_MILLIONTHS, LIQUIDATION_NAME};

/// How many closed orders are kept for queries.
pub const CLOSED_ORDERS_MAX: usize = 200_000;
/// How many fills are kept for queries.
pub const FILLS_MAX: usize = 500_000;
/// Events that may wait for the user streams, and trades to be printed; a driver that never polls loses the oldest.
pub const EVENTS_MAX: usize = 100_000;

/// How many prevented self-trades are kept for queries.
pub const PREVENTIONS_MAX: usize = 10_000;

const _: () = assert!(FILLS_MAX >= CLOSED_ORDERS_MAX, "as many fills are kept as closed orders at least");

/// How balances and positions work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// Assets change hands.
    Spot,
    /// Positions in a margin account.
    Perpetual {
        /// Notional a unit of margin carries.
        leverage: i64,
    },
}

/// Accounts, matching, windows and faults.
pub struct World {
    /// Rate windows by address and account.
    pub windows: Windows,
    /// What goes wrong, and when.
    pub faults: Faults,
    listings: Vec<Listing>,
    markets: Vec<Matching>,
    accounts: Vec<SimAccount>,
    fees: FeeRates,
    settlement: Settlement,
    orders: BTreeMap<u64, SimOrder>,
    closed: VecDeque<u64>,
    by_client_id: HashMap<(AccountId, ListingIndex, String), u64>,
    fills: VecDeque<SimFill>,
    /// What moved money beside orders.
    moneys: VecDeque<SimMoney>,
    money_events: VecDeque<MoneyEvent>,
    fundings: VecDeque<SimFunding>,
    events: VecDeque<WorldEvent>,
    next_order: u64,
    /// Open orders that wait for their trigger.
    waiting: BTreeSet<u64>,
    /// When open orders expire by themselves.
    expiries: BTreeSet<(Nanos, u64)>,
    /// When an account's orders on a listing are cancelled unless it says otherwise.
    countdowns: BTreeMap<(AccountId, ListingIndex), Nanos>,
    preventions: VecDeque<SimPrevention>,
    next_prevention: u64,
    leverages: BTreeMap<(AccountId, ListingIndex), i64>,
    isolated: BTreeSet<(AccountId, ListingIndex)>,
    brackets: Vec<MarginBracket>,
    tapes: Vec<Tape>,
    /// Numbers of each listing's trades and updates.
    trade_ids: Vec<TradeIds>,
    served: Vec<ServedIds>,
    /// What differs from the market alone, as it was served last.
    shown: Vec<[ShownLots; 2]>,
    prints: VecDeque<TradePrint>,
    shows_own: bool,
    /// The seed of what was traded before the market began, where that is made up.
    past_seed: Option<u64>,
    /// What changed, where it is kept.
    changes: Option<KeptChanges>,
    events_lost: u64,
}

impl World {
    /// A world without orders.
    #[must_use]
    pub fn new(
        listings: Vec<Listing>,
        accounts: Vec<SimAccount>,
        settlement: Settlement,
        fees: FeeRates,
        windows: Windows,
        faults: Faults,
    ) -> World {
        World {
            markets: listings.iter().map(|_| Matching::default()).collect(),
            tapes: listings.iter().map(|_| Tape::default()).collect(),
            trade_ids: listings.iter().map(|_| TradeIds::default()).collect(),
            served: listings.iter().map(|_| ServedIds::default()).collect(),
            shown: listings.iter().map(|_| Default::default()).collect(),
            prints: VecDeque::new(),
            shows_own: true,
            past_seed: None,
            changes: None,
            listings,
            accounts,
            windows,
            faults,
            fees,
            settlement,
            orders: BTreeMap::new(),
            closed: VecDeque::new(),
            by_client_id: HashMap::new(),
            fills: VecDeque::new(),
            moneys: VecDeque::new(),
            money_events: VecDeque::new(),
            fundings: VecDeque::new(),
            events: VecDeque::new(),
            next_order: 8_000_000_001,
            waiting: BTreeSet::new(),
            expiries: BTreeSet::new(),
            countdowns: BTreeMap::new(),
            preventions: VecDeque::new(),
            next_prevention: 1,
            leverages: BTreeMap::new(),
            isolated: BTreeSet::new(),
            brackets: Vec::new(),
            events_lost: 0,
        }
    }

    /// Everything listed.
    #[must_use]
    pub fn listings(&self) -> &[Listing] {
        &self.listings
    }

    /// The account of an API key.
    #[must_use]
    pub fn account_of(&self, api_key: &str) -> Option<AccountId> {
        self.accounts.iter().position(|account| account.api_key == api_key).map(AccountId)
    }

    /// The API key of an account.
    #[must_use]
    pub fn api_key_of(&self, account: AccountId) -> &str {
        &self.accounts[account.0].api_key
    }

    /// How an account proves who it is.
    #[must_use]
    pub fn key_of(&self, account: AccountId) -> &AccountKey {
        &self.accounts[account.0].key
    }

    /// Whether an account's key may take assets away.
    #[must_use]
    pub fn may_withdraw(&self, account: AccountId) -> bool {
        self.accounts[account.0].may_withdraw
    }

    /// Fee rates in millionths.
    #[must_use]
    pub fn fee_rates(&self) -> FeeRates {
        self.fees
    }

    /// The next event for user streams.
    pub fn poll_event(&mut self) -> Option<WorldEvent> {
        self.events.pop_front()
    }

    fn emit(&mut self, order: u64, change: OrderChange, now: Nanos) {
        let Some(order) = self.orders.get(&order).cloned() else {
            return;
        };
        if let Some(changes) = &mut self.changes {
            changes.order(order.id, matches!(change, OrderChange::Trade(_)));
        }
        let listing = &self.listings[order.request.listing];
        let account = &self.accounts[order.request.account.0];
        let balances = match self.settlement {
            Settlement::Spot => vec![account.balance(&listing.base), account.balance(&listing.quote)],
            Settlement::Perpetual { .. } => vec![account.balance(&listing.quote)],
        };
        let position = account.position(order.request.listing);
        if self.events.len() >= EVENTS_MAX {
            self.events.pop_front();
            self.events_lost += 1;
        }
        self.events.push_back(WorldEvent { at: now, change, order, balances, position });
    }

    /// An order of an account.
    #[must_use]
    pub fn order(&self, account: AccountId, listing: ListingIndex, key: OrderKey<'_>) -> Option<SimOrder> {
        let id = match key {
            OrderKey::Id(id) => id,
            OrderKey::ClientId(text) => *self.by_client_id.get(&(account, listing, text.to_owned()))?,
        };
        let found = self.orders.get(&id)?;
        (found.request.account == account && found.request.listing == listing).then(|| found.clone())
    }

    /// Open orders, oldest first.
    #[must_use]
    pub fn open_orders(&self, account: AccountId, listing: Option<ListingIndex>) -> Vec<SimOrder> {
        let mut ids: Vec<u64> = Vec::new();
        for (index, market) in self.markets.iter().enumerate() {
            if listing.is_none_or(|wanted| wanted == index) {
                let resting = Side::BOTH.iter().flat_map(|side| market.resting(*side));
                ids.extend(resting.filter(|resting| resting.account == account).map(|resting| resting.order));
            }
        }
        ids.extend(self.waiting_orders(account, listing).map(|order| order.id));
        ids.sort_unstable();
        ids.iter().filter_map(|id| self.orders.get(id).cloned()).collect()
    }

    /// Open orders of every account, oldest first.
    #[must_use]
    pub fn all_open_orders(&self) -> Vec<SimOrder> {
        self.orders.values().filter(|order| order.status.is_open()).cloned().collect()
    }

    /// How many orders are open, of every account.
    #[must_use]
    pub fn open_order_count(&self) -> usize {
        self.orders.len() - self.closed.len()
    }

    /// Orders of an account on a listing, open or closed, oldest first.
    pub fn all_orders(&self, account: AccountId, listing: ListingIndex) -> impl Iterator<Item = &SimOrder> {
        let owned = move |order: &&SimOrder| order.request.account == account && order.request.listing == listing;
        self.orders.values().filter(owned)
    }

    /// Self-trades of an account that were prevented, oldest first.
    pub fn preventions(&self, account: AccountId) -> impl Iterator<Item = &SimPrevention> {
        self.preventions.iter().filter(move |prevention| prevention.account == account)
    }

    /// The number that the next order gets.
    #[must_use]
    pub fn next_order_id(&self) -> u64 {
        self.next_order
    }

    /// Executions of an account, oldest first.
    #[must_use]
    pub fn fills(&self, account: AccountId, listing: ListingIndex) -> Vec<SimFill> {
        self.fills.iter().filter(|fill| fill.account == account && fill.listing == listing).cloned().collect()
    }

    /// All assets of an account.
    #[must_use]
    pub fn balances(&self, account: AccountId) -> Vec<SimBalance> {
        self.accounts[account.0].balances()
    }

    /// A position.
    #[must_use]
    pub fn position(&self, account: AccountId, listing: ListingIndex) -> SimPosition {
        self.accounts[account.0].position(listing)
    }

    /// Whether books, orders and accounts agree: what rests is open, what is open rests, and an account has locked
    /// exactly what its open orders need.
    ///
    /// # Errors
    /// The first thing that does not hold, in words.
    pub fn check(&self) -> Result<(), String> {
        let mut locked: BTreeMap<(AccountId, &str), i128> = BTreeMap::new();
        let mut resting_count = 0;
        for (listing, market) in self.listings.iter().zip(&self.markets) {
            market.check().map_err(|why| format!("{}: {why}", listing.symbol))?;
            for resting in Side::BOTH.iter().flat_map(|side| market.resting(*side)) {
                resting_count += 1;
                let order = self.orders.get(&resting.order).filter(|order| order.status.is_open());
                let order = order.ok_or_else(|| format!("order {} rests and is not open", resting.order))?;
                if order.remaining() != resting.remaining {
                    let (book, list) = (resting.remaining.0, order.remaining().0);
                    return Err(format!("order {} has {book} left on the book, {list} in the list", resting.order));
                }
                let (asset, atoms) = match order.request.side {
                    Side::Bid => (&listing.quote, listing.value(resting.tick, resting.remaining).0),
                    Side::Ask => (&listing.base, listing.base_atoms(resting.remaining)),
                };
                *locked.entry((order.request.account, asset)).or_insert(0) += atoms;
            }
        }
        for order in self.waiting.iter().filter_map(|id| self.orders.get(id)) {
            resting_count += 1;
            if order.request.kind == OrderKind::Limit {
                let listing = &self.listings[order.request.listing];
                let (asset, atoms) = match order.request.side {
                    Side::Bid => (&listing.quote, listing.value(order.request.tick, order.request.lots).0),
                    Side::Ask => (&listing.base, listing.base_atoms(order.request.lots)),
                };
                *locked.entry((order.request.account, asset)).or_insert(0) += atoms;
            }
        }
        let open_count = self.orders.len() - self.closed.len();
        if open_count != resting_count {
            return Err(format!("{open_count} orders are open, {resting_count} rest or wait"));
        }
        for (index, account) in self.accounts.iter().enumerate() {
            account.check()?;
            let balances = if self.settlement == Settlement::Spot { account.balances() } else { Vec::new() };
            for balance in balances {
                let need = locked.get(&(AccountId(index), balance.asset.as_str())).copied().unwrap_or(0);
                if balance.locked != need {
                    return Err(format!("{} {} are locked, orders need {need}", balance.locked, balance.asset));
                }
            }
        }
        self.windows.check()
    }
}
