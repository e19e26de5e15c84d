//! COLD: the simulated world as a venue's protocol sees it.

use super::matching::Step;
use super::queue::DisplayedTouch;
use super::world::World;
use crate::sim::api::{
    AccountId, AccountKey, Balance, BookSnapshot, ExchangeWorld, Fill, FrameFate, FrameKind, Listing, ListingIndex,
    NewOrder, Order, OrderKey, Position, Refusal, RequestFate, RequestKind, WindowKind, WindowUse, WorldEvent,
};
use spinbook_engine::types::{Level, Lots, Nanos, QuoteAtoms, Side, Tick};

impl ExchangeWorld for World {
    fn listings(&self) -> &[Listing] {
        &self.listings
    }

    fn account_of(&self, api_key: &str) -> Option<AccountId> {
        self.accounts.iter().position(|account| account.api_key == api_key).map(AccountId)
    }

    fn api_key_of(&self, account: AccountId) -> &str {
        &self.accounts[account.0].api_key
    }

    fn key_of(&self, account: AccountId) -> &AccountKey {
        &self.accounts[account.0].key
    }

    fn balances(&self, account: AccountId) -> Vec<Balance> {
        self.balances_of(account)
    }

    fn position(&self, account: AccountId, listing: ListingIndex) -> Position {
        self.position_of(account, listing)
    }

    fn margin(&self, account: AccountId) -> (QuoteAtoms, QuoteAtoms) {
        self.margin_of(account)
    }

    fn fee_rates(&self) -> (i64, i64) {
        (self.fees.maker_millionths, self.fees.taker_millionths)
    }

    fn seed(&mut self, listing: ListingIndex, sequence: u64, bids: &[Level], asks: &[Level], now: Nanos) {
        let mut steps: Vec<Step> = Vec::new();
        self.markets[listing].seed(sequence, bids, asks, now, &mut steps);
        self.book_steps(listing, None, &steps, now);
    }

    fn depth(&mut self, listing: ListingIndex, sequence: u64, bids: &[Level], asks: &[Level], now: Nanos) {
        let mut steps: Vec<Step> = Vec::new();
        self.markets[listing].depth(sequence, bids, asks, &mut steps);
        self.book_steps(listing, None, &steps, now);
    }

    fn touch(&mut self, listing: ListingIndex, sequence: u64, bid: Option<Level>, ask: Option<Level>, now: Nanos) {
        let mut steps: Vec<Step> = Vec::new();
        self.markets[listing].touch(DisplayedTouch { sequence, bid, ask }, &mut steps);
        self.book_steps(listing, None, &steps, now);
    }

    fn trade(&mut self, listing: ListingIndex, aggressor: Side, tick: Tick, lots: Lots, now: Nanos) {
        let mut steps: Vec<Step> = Vec::new();
        self.markets[listing].trade(aggressor, tick, lots, &mut steps);
        self.book_steps(listing, None, &steps, now);
    }

    fn book(&self, listing: ListingIndex, limit: usize) -> Option<BookSnapshot> {
        let displayed = &self.markets[listing].displayed;
        displayed.is_live().then(|| BookSnapshot {
            sequence: displayed.sequence(),
            bids: displayed.book_levels(Side::Bid).take(limit).collect(),
            asks: displayed.book_levels(Side::Ask).take(limit).collect(),
        })
    }

    fn best(&self, listing: ListingIndex) -> (Option<Level>, Option<Level>) {
        let displayed = &self.markets[listing].displayed;
        (displayed.best(Side::Bid), displayed.best(Side::Ask))
    }

    fn place(&mut self, order: NewOrder, now: Nanos) -> Result<u64, Refusal> {
        self.place_order(order, now)
    }

    fn check(&self, order: &NewOrder) -> Result<(), Refusal> {
        self.check_order(order)
    }

    fn cancel(
        &mut self,
        account: AccountId,
        listing: ListingIndex,
        key: OrderKey<'_>,
        request_client_id: &str,
        now: Nanos,
    ) -> Result<Order, Refusal> {
        self.cancel_order(account, listing, key, request_client_id, now)
    }

    fn order(&self, account: AccountId, listing: ListingIndex, key: OrderKey<'_>) -> Option<Order> {
        self.find_order(account, listing, key)
    }

    fn open_orders(&self, account: AccountId, listing: Option<ListingIndex>) -> Vec<Order> {
        self.open_orders_of(account, listing)
    }

    fn fills(&self, account: AccountId, listing: ListingIndex) -> Vec<Fill> {
        self.fills_of(account, listing)
    }

    fn poll_event(&mut self) -> Option<WorldEvent> {
        self.next_event()
    }

    fn charge(&mut self, kind: WindowKind, account: AccountId, amount: u64, now: Nanos) -> WindowUse {
        self.windows.charge(kind, account, amount, now)
    }

    fn usage(&self, kind: WindowKind, account: AccountId, now: Nanos) -> WindowUse {
        self.windows.usage(kind, account, now)
    }

    fn refund(&mut self, kind: WindowKind, account: AccountId, amount: u64, now: Nanos) {
        self.windows.refund(kind, account, amount, now);
    }

    fn frame_fate(&mut self, kind: FrameKind, symbol: &str, now: Nanos) -> FrameFate {
        self.faults.frame(kind, symbol, now)
    }

    fn request_fate(&mut self, kind: RequestKind, _now: Nanos) -> RequestFate {
        self.faults.request(kind)
    }

    fn clock_skew(&self, _now: Nanos) -> Nanos {
        self.faults.clock_ahead()
    }

    fn is_cut_after(&mut self, frames: u64) -> bool {
        self.faults.cut(frames)
    }

    fn loses_acknowledgement(&mut self) -> bool {
        self.faults.loses_acknowledgement()
    }

    fn is_killed(&self, now: Nanos) -> bool {
        now >= self.faults.kill_at()
    }

    fn fault_deadline(&self, now: Nanos) -> Nanos {
        let kill = self.faults.kill_at();
        if kill > now { kill } else { Nanos::NEVER }
    }
}
