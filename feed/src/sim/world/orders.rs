//! COLD: orders of the simulated world: checked, placed, filled, cancelled, each booked to the last unit.

use super::{CLOSED_ORDERS_MAX, EVENTS_MAX, FILLS_MAX, PREVENTIONS_MAX, Settlement, World};
use crate::sim::api::{
    AccountId, Lifetime, ListingIndex, OrderChange, OrderKey, OrderKind, SimFill, SimOrder, SimOrderRequest,
    SimOrderStatus, SimPrevention, SimRefusal, TradePrint,
};
use crate::sim::matching::{Incoming, MatchStep};
use spinbook_engine::types::{Level, Lots, Nanos, QuoteAtoms, Side, Tick};

impl World {
    /// All checks of a new order, in the order in which venues make them.
    ///
    /// # Errors
    /// The first that fails.
    pub fn check_order(&self, order: &SimOrderRequest) -> Result<(), SimRefusal> {
        let listing = &self.listings[order.listing];
        let market = &self.markets[order.listing];
        let reference = self.reference_tick(order.listing).ok_or(SimRefusal::NoMarket)?;
        if order.kind == OrderKind::Limit {
            self.check_price(order.listing, order.side, order.tick)?;
        }
        let tick = if order.kind == OrderKind::Market { Tick(reference / 2) } else { order.tick };
        if listing.value(tick, order.lots) < listing.notional_min && !order.reduce_only {
            return Err(SimRefusal::Notional);
        }
        let key = (order.account, order.listing, order.client_id.clone());
        if self.by_client_id.get(&key).and_then(|id| self.orders.get(id)).is_some_and(|other| other.status.is_open()) {
            return Err(SimRefusal::DuplicateClientId);
        }
        if self.open_count(order.account, order.listing) >= listing.open_orders_max {
            return Err(SimRefusal::TooManyOrders);
        }
        let held = self.accounts[order.account.0].position(order.listing).lots.0;
        if order.reduce_only && (held == 0 || (held > 0) == (order.side == Side::Bid)) {
            return Err(SimRefusal::ReduceOnly);
        }
        if let Some(trigger) = &order.trigger {
            let last = self.last_tick(order.listing).ok_or(SimRefusal::NoMarket)?;
            if trigger.is_reached(last) {
                return Err(SimRefusal::WouldTrigger);
            }
            // What a market order will cost is known when it works.
            return if order.kind == OrderKind::Limit { self.check_funds(order) } else { Ok(()) };
        }
        self.check_funds(order)?;
        let crosses = market.crosses(order.side, order.tick);
        if order.lifetime == Lifetime::PostOnly && crosses {
            return Err(SimRefusal::WouldMatch);
        }
        let perpetual = self.settlement != Settlement::Spot;
        if perpetual && order.lifetime == Lifetime::FillOrKill && market.fillable(&incoming(order)) < order.lots {
            return Err(SimRefusal::NotFillable);
        }
        Ok(())
    }

    /// Whether a limit price is near enough to the market.
    pub(super) fn check_price(&self, listing: ListingIndex, side: Side, tick: Tick) -> Result<(), SimRefusal> {
        let reference = i128::from(self.reference_tick(listing).ok_or(SimRefusal::NoMarket)?);
        let rules = &self.listings[listing];
        let price = i128::from(tick.0) * 2000;
        let up = reference * i128::from(rules.percent_up_thousandths);
        let down = reference * i128::from(rules.percent_down_thousandths);
        // Spot bounds each side both ways; a perpetual only where an order would trade far from the mark.
        let both = self.settlement == Settlement::Spot;
        let bound = |product: i128| Tick(i64::try_from(product / 2000).unwrap_or(i64::MAX));
        if (both || side == Side::Bid) && price > up {
            return Err(SimRefusal::PriceTooHigh(bound(up)));
        }
        if (both || side == Side::Ask) && price < down {
            return Err(SimRefusal::PriceTooLow(bound(down + 1999)));
        }
        Ok(())
    }

    fn open_count(&self, account: AccountId, listing: ListingIndex) -> usize {
        let market = &self.markets[listing];
        let resting = Side::BOTH.iter().flat_map(|side| market.resting(*side));
        let waiting = self.waiting_orders(account, Some(listing)).count();
        resting.filter(|resting| resting.account == account).count() + waiting
    }

    pub(super) fn check_funds(&self, order: &SimOrderRequest) -> Result<(), SimRefusal> {
        let listing = &self.listings[order.listing];
        let account = &self.accounts[order.account.0];
        match self.settlement {
            Settlement::Spot => {
                let (asset, need) = self.lock_for(order);
                if account.balance(asset).free < need {
                    return Err(SimRefusal::InsufficientBalance);
                }
            }
            Settlement::Perpetual { .. } => {
                let held = account.position(order.listing).lots.0;
                let reduces = held != 0 && (held > 0) != (order.side == Side::Bid) && order.lots.0 <= held.abs();
                if reduces {
                    return Ok(());
                }
                let value = listing.value(self.lock_tick(order), order.lots);
                self.check_margin(order.account, order.listing, order.side, value)?;
            }
        }
        Ok(())
    }

    /// The price at which an order's funds are counted: its limit, or the worst one a market order meets.
    pub(super) fn lock_tick(&self, order: &SimOrderRequest) -> Tick {
        if order.kind == OrderKind::Limit {
            return order.tick;
        }
        let mut steps = Vec::new();
        let mut trial = self.markets[order.listing].clone();
        trial.take(&incoming(order), &mut steps);
        let prices =
            steps.iter().filter_map(|step| if let MatchStep::Taker { tick, .. } = step { Some(*tick) } else { None });
        prices.max().unwrap_or(Tick(0))
    }

    pub(super) fn lock_for(&self, order: &SimOrderRequest) -> (&str, i128) {
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
    pub fn place(&mut self, mut order: SimOrderRequest, now: Nanos) -> Result<u64, SimRefusal> {
        self.check_order(&order)?;
        if order.reduce_only {
            let held = self.accounts[order.account.0].position(order.listing).lots.0;
            order.lots = Lots(order.lots.0.min(held.abs()));
        }
        let waits = order.trigger.is_some();
        if !waits {
            order.tick = self.lock_tick(&order);
        }
        if self.settlement == Settlement::Spot && (!waits || order.kind == OrderKind::Limit) {
            let (asset, atoms) = self.lock_for(&order);
            let asset = asset.to_owned();
            self.accounts[order.account.0].lock(&asset, atoms);
        }
        let id = self.next_order;
        self.next_order += 1;
        self.by_client_id.insert((order.account, order.listing, order.client_id.clone()), id);
        if order.expires != Nanos::NEVER {
            self.expiries.insert((order.expires, id));
        }
        let record = SimOrder {
            id,
            request: order,
            filled: Lots::ZERO,
            filled_value: QuoteAtoms::ZERO,
            status: SimOrderStatus::New,
            created: now,
            updated: now,
            working: !waits,
            prevented: Lots::ZERO,
        };
        self.orders.insert(id, record);
        self.emit(id, OrderChange::New, now);
        if waits {
            self.waiting.insert(id);
        } else {
            self.work(id, now);
        }
        Ok(id)
    }

    /// Lets an accepted order trade, and rests or expires what is left.
    pub(super) fn work(&mut self, id: u64, now: Nanos) {
        let Some(order) = self.orders.get(&id) else { return };
        let meeting = Incoming { lots: order.remaining(), ..incoming(&order.request) };
        let request = &order.request;
        let (account, listing, side, tick) = (request.account, request.listing, request.side, request.tick);
        let rests = matches!(request.lifetime, Lifetime::GoodTillCancel | Lifetime::PostOnly)
            && request.kind == OrderKind::Limit;
        let fills_whole = request.lifetime == Lifetime::FillOrKill;
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
                self.close(id, SimOrderStatus::Expired, OrderChange::Expired, now);
            }
        }
    }

    /// Books what matching decided. A maker's step behind its taker's is the other side of the same trade.
    pub(super) fn book_steps(&mut self, listing: ListingIndex, taker: Option<u64>, steps: &[MatchStep], now: Nanos) {
        let mut trade_id = 0;
        for step in steps {
            match *step {
                MatchStep::Maker { order, lots } => {
                    let Some(request) = self.orders.get(&order).map(|order| &order.request) else { continue };
                    let (tick, aggressor) = (request.tick, request.side.opposite());
                    if taker.is_none() {
                        trade_id = self.print(listing, aggressor, Level { tick, lots }, now);
                    }
                    self.book_fill(order, trade_id, tick, lots, true, now);
                }
                MatchStep::Taker { tick, lots } => {
                    let Some(order) = taker else { continue };
                    let Some(aggressor) = self.orders.get(&order).map(|order| order.request.side) else { continue };
                    trade_id = self.print(listing, aggressor, Level { tick, lots }, now);
                    self.book_fill(order, trade_id, tick, lots, false, now);
                }
                MatchStep::ExpireMaker { order, lots } => {
                    if let Some(taker) = taker {
                        let tick = self.orders.get(&order).map_or(Tick(0), |order| order.request.tick);
                        self.prevent(order, [taker, order], (tick, lots), now);
                    }
                }
                MatchStep::ExpireTaker { maker, tick, lots } => {
                    if let Some(taker) = taker {
                        self.prevent(taker, [taker, maker], (tick, lots), now);
                    }
                }
            }
        }
    }

    /// Ends `ends` because the two orders are of one account and would have traded.
    fn prevent(&mut self, ends: u64, [taker_order, maker_order]: [u64; 2], (tick, lots): (Tick, Lots), now: Nanos) {
        let Some(request) = self.orders.get(&taker_order).map(|order| &order.request) else { return };
        let (account, listing, rule) = (request.account, request.listing, request.self_trade);
        let same = |last: &&SimPrevention| last.taker_order == taker_order && last.maker_order == maker_order;
        let id = match self.preventions.back().filter(same) {
            Some(last) => last.id,
            None => self.next_prevention,
        };
        let prevention = SimPrevention { id, taker_order, maker_order, account, listing, rule, tick, lots, at: now };
        if id == self.next_prevention {
            self.next_prevention += 1;
            if self.preventions.len() >= PREVENTIONS_MAX {
                self.preventions.pop_front();
            }
            self.preventions.push_back(prevention.clone());
            if let Some(changes) = &mut self.changes {
                changes.prevention();
            }
        }
        if let Some(order) = self.orders.get_mut(&ends) {
            order.prevented.0 += lots.0;
        }
        self.close(ends, SimOrderStatus::ExpiredInMatch, OrderChange::Prevented(prevention), now);
    }

    /// Numbers a trade and keeps it to be printed.
    fn print(&mut self, listing: ListingIndex, aggressor: Side, level: Level, now: Nanos) -> u64 {
        let trade_id = self.trade_ids[listing].own();
        if self.shows_own {
            self.note_trade(listing, trade_id, aggressor, level, now);
        }
        if self.prints.len() >= EVENTS_MAX {
            self.prints.pop_front();
        }
        self.prints.push_back(TradePrint { listing, trade_id, aggressor, level });
        trade_id
    }

    fn book_fill(&mut self, id: u64, trade_id: u64, tick: Tick, lots: Lots, maker: bool, now: Nanos) {
        let Some(order) = self.orders.get_mut(&id) else { return };
        let listing_index = order.request.listing;
        let listing = &self.listings[listing_index];
        let value = listing.value(tick, lots);
        order.filled.0 += lots.0;
        order.filled_value += value;
        order.updated = now;
        assert!(order.filled <= order.request.lots, "an order fills no more than it asked for");
        let whole = order.filled == order.request.lots;
        order.status = if whole { SimOrderStatus::Filled } else { SimOrderStatus::PartiallyFilled };
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
        let fill = SimFill {
            trade_id,
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
    pub(super) fn close(&mut self, id: u64, status: SimOrderStatus, change: OrderChange, now: Nanos) {
        let Some(order) = self.orders.get_mut(&id) else { return };
        order.status = status;
        order.updated = now;
        let remaining = order.remaining();
        let request = &order.request;
        let listing = &self.listings[request.listing];
        let waited = self.waiting.remove(&id);
        self.expiries.remove(&(request.expires, id));
        if self.settlement == Settlement::Spot && (!waited || request.kind == OrderKind::Limit) {
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
        if let Some(order) = self.orders.get(&id) {
            self.expiries.remove(&(order.request.expires, id));
        }
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

    /// How much a market order may trade for a value, in whole order steps, at the prices displayed now.
    #[must_use]
    pub fn lots_for_value(&self, order: &SimOrderRequest, value: QuoteAtoms) -> Lots {
        let listing = &self.listings[order.listing];
        let mut trial = self.markets[order.listing].clone();
        let (mut steps, mut left, mut lots) = (Vec::new(), value.0, 0i64);
        trial.take(&Incoming { lots: Lots(listing.lots_max), ..incoming(order) }, &mut steps);
        for step in steps {
            if let MatchStep::Taker { tick, lots: here } = step {
                let price = listing.value(tick, Lots(1)).0.max(1);
                let affordable = i64::try_from(left / price).unwrap_or(i64::MAX).min(here.0);
                lots += affordable;
                left -= listing.value(tick, Lots(affordable)).0;
                if affordable < here.0 {
                    break;
                }
            }
        }
        Lots(lots / listing.order_step_lots * listing.order_step_lots)
    }

    /// Cancels an open order.
    ///
    /// # Errors
    /// [`SimRefusal::UnknownOrder`] if it is not open.
    pub fn cancel(
        &mut self,
        account: AccountId,
        listing: ListingIndex,
        key: OrderKey<'_>,
        request_client_id: &str,
        now: Nanos,
    ) -> Result<SimOrder, SimRefusal> {
        let order = self.order(account, listing, key).ok_or(SimRefusal::UnknownOrder)?;
        if !order.status.is_open() {
            return Err(SimRefusal::UnknownOrder);
        }
        let change = OrderChange::Canceled { request_client_id: request_client_id.to_owned() };
        let id = order.id;
        self.close(id, SimOrderStatus::Canceled, change, now);
        self.orders.get(&id).cloned().ok_or(SimRefusal::UnknownOrder)
    }
}

pub(super) fn incoming(order: &SimOrderRequest) -> Incoming {
    Incoming {
        account: order.account,
        side: order.side,
        limit: (order.kind == OrderKind::Limit).then_some(order.tick),
        lots: order.lots,
        self_trade: order.self_trade,
    }
}
