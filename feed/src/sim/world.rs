//! COLD: the simulated world: accounts and matching joined, with every fill booked to the last unit.

use super::account::Account;
use super::faults::Faults;
use super::fees::FeeRates;
use super::limits::Windows;
use super::matching::{Incoming, Matching, Step};
use crate::sim::api::{
    AccountId, Balance, Fill, Lifetime, Listing, ListingIndex, NewOrder, Order, OrderChange, OrderKey, OrderKind,
    OrderStatus, Position, Refusal, WorldEvent,
};
use spinbook_engine::types::{Lots, Nanos, QuoteAtoms, Side, Tick};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// How many closed orders are kept for queries.
pub const CLOSED_ORDERS_MAX: usize = 200_000;
/// How many fills are kept for queries.
pub const FILLS_MAX: usize = 500_000;
/// Events that may wait for the user streams; a driver that never polls loses the oldest.
pub const EVENTS_MAX: usize = 100_000;

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
    pub(super) listings: Vec<Listing>,
    pub(super) markets: Vec<Matching>,
    pub(super) accounts: Vec<Account>,
    pub(super) windows: Windows,
    pub(super) faults: Faults,
    pub(super) fees: FeeRates,
    settlement: Settlement,
    orders: BTreeMap<u64, Order>,
    closed: VecDeque<u64>,
    by_client_id: HashMap<(AccountId, ListingIndex, String), u64>,
    fills: VecDeque<Fill>,
    events: VecDeque<WorldEvent>,
    next_order: u64,
    next_trade: u64,
    pub(super) events_lost: u64,
}

impl World {
    /// A world without orders.
    #[must_use]
    pub fn new(
        listings: Vec<Listing>,
        accounts: Vec<Account>,
        settlement: Settlement,
        fees: FeeRates,
        windows: Windows,
        faults: Faults,
    ) -> World {
        World {
            markets: listings.iter().map(|_| Matching::default()).collect(),
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
            events: VecDeque::new(),
            next_order: 8_000_000_001,
            next_trade: 1_000_000_000_001,
            events_lost: 0,
        }
    }

    /// The next event for user streams.
    pub fn next_event(&mut self) -> Option<WorldEvent> {
        self.events.pop_front()
    }

    fn emit(&mut self, order: u64, change: OrderChange, now: Nanos) {
        let Some(order) = self.orders.get(&order).cloned() else {
            return;
        };
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

    /// All checks of a new order, in the order in which venues make them.
    ///
    /// # Errors
    /// The first that fails.
    pub fn check_order(&self, order: &NewOrder) -> Result<(), Refusal> {
        let listing = &self.listings[order.listing];
        let market = &self.markets[order.listing];
        let reference = self.reference_tick(order.listing).ok_or(Refusal::NoMarket)?;
        if order.kind == OrderKind::Limit {
            let tick = i128::from(order.tick.0) * 2000;
            let up = i128::from(reference) * i128::from(listing.percent_up_thousandths);
            let down = i128::from(reference) * i128::from(listing.percent_down_thousandths);
            if (order.side == Side::Bid && tick > up) || (order.side == Side::Ask && tick < down) {
                return Err(Refusal::PercentPrice);
            }
        }
        let tick = if order.kind == OrderKind::Market { Tick(reference / 2) } else { order.tick };
        if listing.value(tick, order.lots) < listing.notional_min && !order.reduce_only {
            return Err(Refusal::Notional);
        }
        let key = (order.account, order.listing, order.client_id.clone());
        if self.by_client_id.get(&key).and_then(|id| self.orders.get(id)).is_some_and(|other| other.status.is_open()) {
            return Err(Refusal::DuplicateClientId);
        }
        if self.open_count(order.account, order.listing) >= listing.open_orders_max {
            return Err(Refusal::TooManyOrders);
        }
        let held = self.accounts[order.account.0].position(order.listing).lots.0;
        if order.reduce_only && (held == 0 || (held > 0) == (order.side == Side::Bid)) {
            return Err(Refusal::ReduceOnly);
        }
        self.check_funds(order)?;
        let crosses = market.crosses(order.side, order.tick);
        if order.lifetime == Lifetime::PostOnly && crosses {
            return Err(Refusal::WouldMatch);
        }
        let perpetual = self.settlement != Settlement::Spot;
        if perpetual && order.lifetime == Lifetime::FillOrKill && market.fillable(&incoming(order)) < order.lots {
            return Err(Refusal::NotFillable);
        }
        Ok(())
    }

    /// Twice the mid, or twice the only side there is.
    fn reference_tick(&self, listing: ListingIndex) -> Option<i64> {
        let displayed = &self.markets[listing].displayed;
        if !displayed.is_live() {
            return None;
        }
        match (displayed.best(Side::Bid), displayed.best(Side::Ask)) {
            (Some(bid), Some(ask)) => Some(bid.tick.0 + ask.tick.0),
            (Some(only), None) | (None, Some(only)) => Some(2 * only.tick.0),
            (None, None) => None,
        }
    }

    /// The mid times a position, as a value; the mid is kept doubled.
    fn mark_value(&self, listing: ListingIndex, lots: i64) -> QuoteAtoms {
        let doubled = self.reference_tick(listing).unwrap_or(0);
        QuoteAtoms(i128::from(doubled) * i128::from(lots) * self.listings[listing].atoms_per_tick_lot / 2)
    }

    fn open_count(&self, account: AccountId, listing: ListingIndex) -> usize {
        let market = &self.markets[listing];
        Side::BOTH.iter().flat_map(|side| market.resting(*side)).filter(|resting| resting.account == account).count()
    }

    fn check_funds(&self, order: &NewOrder) -> Result<(), Refusal> {
        let listing = &self.listings[order.listing];
        let account = &self.accounts[order.account.0];
        match self.settlement {
            Settlement::Spot => {
                let (asset, need) = self.lock_for(order);
                if account.balance(asset).free < need {
                    return Err(Refusal::InsufficientBalance);
                }
            }
            Settlement::Perpetual { leverage } => {
                let held = account.position(order.listing).lots.0;
                let reduces = held != 0 && (held > 0) != (order.side == Side::Bid) && order.lots.0 <= held.abs();
                if reduces {
                    return Ok(());
                }
                let (bound, unrealised) = self.margin_of(order.account);
                let value = listing.value(self.lock_tick(order), order.lots);
                let wallet = account.balance(&listing.quote).free;
                if wallet + unrealised.0 - bound.0 < value.0 / i128::from(leverage) {
                    return Err(Refusal::InsufficientMargin);
                }
            }
        }
        Ok(())
    }

    /// Margin bound by positions and open orders, and profit not yet realised.
    #[must_use]
    pub fn margin_of(&self, account: AccountId) -> (QuoteAtoms, QuoteAtoms) {
        let Settlement::Perpetual { leverage } = self.settlement else {
            return (QuoteAtoms::ZERO, QuoteAtoms::ZERO);
        };
        let mut notional = 0i128;
        let mut unrealised = QuoteAtoms::ZERO;
        for (listing, position) in self.accounts[account.0].positions() {
            let mark = self.mark_value(listing, position.lots.0);
            notional += mark.0.abs();
            unrealised += mark - position.cost;
        }
        for (listing, market) in self.listings.iter().zip(&self.markets) {
            for resting in Side::BOTH.iter().flat_map(|side| market.resting(*side)) {
                if resting.account == account {
                    notional += listing.value(resting.tick, resting.remaining).0;
                }
            }
        }
        (QuoteAtoms(notional / i128::from(leverage)), unrealised)
    }

    /// The price at which an order's funds are counted: its limit, or the worst one a market order meets.
    fn lock_tick(&self, order: &NewOrder) -> Tick {
        if order.kind == OrderKind::Limit {
            return order.tick;
        }
        let mut steps = Vec::new();
        let mut trial = self.markets[order.listing].clone();
        trial.take(&incoming(order), &mut steps);
        let prices =
            steps.iter().filter_map(|step| if let Step::Taker { tick, .. } = step { Some(*tick) } else { None });
        prices.max().unwrap_or(Tick(0))
    }

    fn lock_for(&self, order: &NewOrder) -> (&str, i128) {
        let listing = &self.listings[order.listing];
        match order.side {
            Side::Bid => (&listing.quote, listing.value(self.lock_tick(order), order.lots).0),
            Side::Ask => (&listing.base, listing.base_atoms(order.lots)),
        }
    }

    /// Accepts an order, lets it trade, and rests or expires what is left.
    ///
    /// # Errors
    /// As [`World::check_order`].
    pub fn place_order(&mut self, mut order: NewOrder, now: Nanos) -> Result<u64, Refusal> {
        self.check_order(&order)?;
        if order.reduce_only {
            let held = self.accounts[order.account.0].position(order.listing).lots.0;
            order.lots = Lots(order.lots.0.min(held.abs()));
        }
        order.tick = self.lock_tick(&order);
        if self.settlement == Settlement::Spot {
            let (asset, atoms) = self.lock_for(&order);
            let asset = asset.to_owned();
            self.accounts[order.account.0].lock(&asset, atoms);
        }
        let id = self.next_order;
        self.next_order += 1;
        let meeting = incoming(&order);
        let (account, listing, side, tick) = (order.account, order.listing, order.side, order.tick);
        let rests =
            matches!(order.lifetime, Lifetime::GoodTillCancel | Lifetime::PostOnly) && order.kind == OrderKind::Limit;
        let fills_whole = order.lifetime == Lifetime::FillOrKill;
        self.by_client_id.insert((account, listing, order.client_id.clone()), id);
        let record = Order {
            id,
            request: order,
            filled: Lots::ZERO,
            filled_value: QuoteAtoms::ZERO,
            status: OrderStatus::New,
            created: now,
            updated: now,
        };
        self.orders.insert(id, record);
        self.emit(id, OrderChange::New, now);
        let mut steps = Vec::new();
        // Where fill-or-kill is no ground to refuse, an order that cannot fill whole expires untouched.
        let kills = fills_whole && self.markets[listing].fillable(&meeting) < meeting.lots;
        let left = if kills { meeting.lots } else { self.markets[listing].take(&meeting, &mut steps) };
        self.book_steps(listing, Some(id), &steps, now);
        let open = self.orders.get(&id).is_some_and(|order| order.status.is_open());
        if !left.is_zero() && open {
            if rests {
                self.markets[listing].rest(id, account, side, tick, left);
            } else {
                self.close(id, OrderStatus::Expired, OrderChange::Expired, now);
            }
        }
        Ok(id)
    }

    /// Books what matching decided.
    pub(super) fn book_steps(&mut self, listing: ListingIndex, taker: Option<u64>, steps: &[Step], now: Nanos) {
        for step in steps {
            match *step {
                Step::Maker { order, lots } => {
                    let tick = self.orders.get(&order).map_or(Tick(0), |order| order.request.tick);
                    self.book_fill(order, listing, tick, lots, true, now);
                }
                Step::Taker { tick, lots } => {
                    if let Some(order) = taker {
                        self.book_fill(order, listing, tick, lots, false, now);
                    }
                }
                Step::ExpireMaker { order } => {
                    self.close(order, OrderStatus::ExpiredInMatch, OrderChange::Expired, now)
                }
                Step::ExpireTaker => {
                    if let Some(order) = taker {
                        self.close(order, OrderStatus::ExpiredInMatch, OrderChange::Expired, now);
                    }
                }
            }
        }
    }

    fn book_fill(&mut self, id: u64, listing_index: ListingIndex, tick: Tick, lots: Lots, maker: bool, now: Nanos) {
        let Some(order) = self.orders.get_mut(&id) else { return };
        let listing = &self.listings[listing_index];
        let value = listing.value(tick, lots);
        order.filled.0 += lots.0;
        order.filled_value += value;
        order.updated = now;
        assert!(order.filled <= order.request.lots, "an order fills no more than it asked for");
        let whole = order.filled == order.request.lots;
        order.status = if whole { OrderStatus::Filled } else { OrderStatus::PartiallyFilled };
        let side = order.request.side;
        let account_id = order.request.account;
        let account = &mut self.accounts[account_id.0];
        let base_atoms = listing.base_atoms(lots);
        let mut realised = QuoteAtoms::ZERO;
        let (fee, fee_asset) = match (self.settlement, side) {
            (Settlement::Spot, Side::Bid) => {
                let fee = self.fees.fee(base_atoms, maker);
                let locked = listing.value(order.request.tick, lots).0;
                account.spend_locked(&listing.quote, locked);
                account.credit(&listing.quote, locked - value.0);
                account.credit(&listing.base, base_atoms - fee);
                (fee, &listing.base)
            }
            (Settlement::Spot, Side::Ask) => {
                let fee = self.fees.fee(value.0, maker);
                account.spend_locked(&listing.base, base_atoms);
                account.credit(&listing.quote, value.0 - fee);
                (fee, &listing.quote)
            }
            (Settlement::Perpetual { .. }, _) => {
                let fee = self.fees.fee(value.0, maker);
                realised = account.move_position(listing_index, side.sign() * lots.0, value);
                account.credit(&listing.quote, realised.0 - fee);
                (fee, &listing.quote)
            }
        };
        let fill = Fill {
            trade_id: self.next_trade,
            order_id: id,
            account: account_id,
            listing: listing_index,
            side,
            tick,
            lots,
            value,
            fee,
            fee_asset: fee_asset.clone(),
            maker,
            realised,
            at: now,
        };
        self.next_trade += 1;
        if self.fills.len() >= FILLS_MAX {
            self.fills.pop_front();
        }
        self.fills.push_back(fill.clone());
        self.emit(id, OrderChange::Trade(fill), now);
        if whole {
            self.forget_later(id);
        }
    }

    /// Ends an open order and frees what it locked.
    fn close(&mut self, id: u64, status: OrderStatus, change: OrderChange, now: Nanos) {
        let Some(order) = self.orders.get_mut(&id) else { return };
        order.status = status;
        order.updated = now;
        let remaining = order.remaining();
        let request = &order.request;
        let listing = &self.listings[request.listing];
        if self.settlement == Settlement::Spot {
            let account = &mut self.accounts[request.account.0];
            match request.side {
                Side::Bid => account.unlock(&listing.quote, listing.value(request.tick, remaining).0),
                Side::Ask => account.unlock(&listing.base, listing.base_atoms(remaining)),
            }
        }
        self.markets[request.listing].remove(request.side, id);
        self.emit(id, change, now);
        self.forget_later(id);
    }

    fn forget_later(&mut self, id: u64) {
        self.closed.push_back(id);
        if self.closed.len() > CLOSED_ORDERS_MAX
            && let Some(old) = self.closed.pop_front()
            && let Some(order) = self.orders.remove(&old)
        {
            let key = (order.request.account, order.request.listing, order.request.client_id);
            if self.by_client_id.get(&key) == Some(&old) {
                self.by_client_id.remove(&key);
            }
        }
    }

    /// Cancels an open order.
    ///
    /// # Errors
    /// [`Refusal::UnknownOrder`] if it is not open.
    pub fn cancel_order(
        &mut self,
        account: AccountId,
        listing: ListingIndex,
        key: OrderKey<'_>,
        request_client_id: &str,
        now: Nanos,
    ) -> Result<Order, Refusal> {
        let order = self.find_order(account, listing, key).ok_or(Refusal::UnknownOrder)?;
        if !order.status.is_open() {
            return Err(Refusal::UnknownOrder);
        }
        let change = OrderChange::Canceled { request_client_id: request_client_id.to_owned() };
        let id = order.id;
        self.close(id, OrderStatus::Canceled, change, now);
        self.orders.get(&id).cloned().ok_or(Refusal::UnknownOrder)
    }

    /// An order of an account.
    #[must_use]
    pub fn find_order(&self, account: AccountId, listing: ListingIndex, key: OrderKey<'_>) -> Option<Order> {
        let id = match key {
            OrderKey::Id(id) => id,
            OrderKey::ClientId(text) => *self.by_client_id.get(&(account, listing, text.to_owned()))?,
        };
        let found = self.orders.get(&id)?;
        (found.request.account == account && found.request.listing == listing).then(|| found.clone())
    }

    /// Open orders, oldest first.
    #[must_use]
    pub fn open_orders_of(&self, account: AccountId, listing: Option<ListingIndex>) -> Vec<Order> {
        let mut ids: Vec<u64> = Vec::new();
        for (index, market) in self.markets.iter().enumerate() {
            if listing.is_none_or(|wanted| wanted == index) {
                let resting = Side::BOTH.iter().flat_map(|side| market.resting(*side));
                ids.extend(resting.filter(|resting| resting.account == account).map(|resting| resting.order));
            }
        }
        ids.sort_unstable();
        ids.iter().filter_map(|id| self.orders.get(id).cloned()).collect()
    }

    /// Executions of an account, oldest first.
    #[must_use]
    pub fn fills_of(&self, account: AccountId, listing: ListingIndex) -> Vec<Fill> {
        self.fills.iter().filter(|fill| fill.account == account && fill.listing == listing).cloned().collect()
    }

    /// All assets of an account.
    #[must_use]
    pub fn balances_of(&self, account: AccountId) -> Vec<Balance> {
        self.accounts[account.0].balances()
    }

    /// A position.
    #[must_use]
    pub fn position_of(&self, account: AccountId, listing: ListingIndex) -> Position {
        self.accounts[account.0].position(listing)
    }
}

fn incoming(order: &NewOrder) -> Incoming {
    Incoming {
        account: order.account,
        side: order.side,
        limit: (order.kind == OrderKind::Limit).then_some(order.tick),
        lots: order.lots,
        self_trade: order.self_trade,
    }
}
