//! COLD: judges each intent, execution and step of a run, and what it came to.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use spinbook_engine::event::{ExecutionEvent, ExecutionKind, LocalReject};
use spinbook_engine::intent::{Intent, IntentKind};
use spinbook_engine::strategy::Spread;
use spinbook_engine::types::{InstrumentId, Lots, Nanos, Side, Tick};
use spinbook_feed::backtest::{BacktestObserver, BacktestState};
use spinbook_feed::gateway::orders::OrderCounts;

use crate::oracle::{Oracle, Worst};
use crate::sabotage::{Sabotage, Sabotaged};
use crate::setup;

pub type State = BacktestState<Spread>;

/// What a run came to.
#[derive(Debug, Default)]
pub struct Outcome {
    pub violations: Vec<String>,
    /// Orders that stayed on a venue's book too long.
    pub stale: Vec<String>,
    /// The longest that any stayed.
    pub worst: Worst,
    pub placed: u64,
    /// Of those: that gave an order another price, or put another in its place.
    pub amended: u64,
    pub accepted: u64,
    pub fills: u64,
    pub canceled: u64,
    pub rejected: u64,
    pub expired: u64,
    pub gaps: u64,
    pub reconnects: u64,
    pub engine_open_orders: usize,
    pub trace: u64,
    pub venues: Vec<VenueOutcome>,
}

/// What it came to on one venue.
#[derive(Debug, Default)]
pub struct VenueOutcome {
    pub fills: u64,
    pub orders: OrderCounts,
    pub pauses: u64,
    /// Orders that the venue had of us and no journal tells of.
    pub not_journaled: usize,
    /// Requests that the venue refused for its rate limits.
    pub rate_refusals: u64,
    /// Why trading stopped for good, if it did.
    pub halted: Option<String>,
    pub last_refusal: Option<String>,
    /// How it stood when it was told to stop: the engine's state of the instrument, whether the gateway took orders, and
    /// why nothing was quoted.
    pub at_stop: String,
    pub live_at_end: bool,
    pub quiet: bool,
    pub open_orders: usize,
    pub position: Decimal,
    pub venue_position: Decimal,
    pub cash: Decimal,
    pub venue_cash: Decimal,
}

impl Outcome {
    /// Everything that must hold at the end of every run, whatever happened in it, and does not.
    pub fn wrong(&self) -> Vec<String> {
        let mut wrong: Vec<String> = self.violations.iter().chain(&self.stale).cloned().collect();
        let mut expect = |holds: bool, what: String| {
            if !holds {
                wrong.push(what);
            }
        };
        expect(self.engine_open_orders == 0, format!("the engine believes in {} open orders", self.engine_open_orders));
        for (place, venue) in self.venues.iter().enumerate() {
            expect(venue.open_orders == 0, format!("{} orders are left on venue {place}", venue.open_orders));
            let (unknown, open) = (venue.orders.unknown, venue.orders.open);
            expect((unknown, open) == (0, 0), format!("venue {place}: {unknown} orders unknown, {open} open"));
            let (sent, counted) = (venue.orders.sent + venue.orders.adopted, venue.orders.in_all_states());
            expect(
                sent == counted,
                format!("venue {place}: {sent} orders sent or taken over, {counted} in all states"),
            );
            let missing = venue.not_journaled;
            expect(missing == 0, format!("I5: venue {place} had {missing} orders that no journal tells of"));
            expect(venue.quiet, format!("venue {place}: the gateway is not quiet, halted {:?}", venue.halted));
            let (ours, theirs) = (venue.position, venue.venue_position);
            expect(ours == theirs, format!("venue {place}: position {ours}, the venue's {theirs}"));
            let (ours, theirs) = (venue.cash, venue.venue_cash);
            expect(ours == theirs, format!("venue {place}: cash {ours}, the venue's {theirs}"));
            expect(
                venue.rate_refusals == 0,
                format!("venue {place}: its rate limits were met {} times", venue.rate_refusals),
            );
        }
        wrong
    }
}

/// Judges each intent, execution and step of a run.
#[derive(Default)]
pub struct Judge {
    pub in_flight: BTreeMap<(InstrumentId, u8), u64>,
    pub ids_used: BTreeSet<u64>,
    pub trades_seen: BTreeSet<(u8, u128)>,
    /// Orders that were to be replaced.
    pub replaced: BTreeSet<u64>,
    pub positions_max: Vec<Lots>,
    /// Cancels that the engine asked for, by instrument.
    pub cancels: BTreeMap<InstrumentId, u64>,
    pub fills: BTreeMap<InstrumentId, u64>,
    /// Every fill in the order in which the engine heard of it.
    pub heard: Vec<HeardFill>,
    pub outcome: Outcome,
    /// Names of the orders that the journals of killed processes tell of.
    pub journaled: BTreeSet<String>,
    /// Watches the venues' own books.
    pub oracle: Oracle,
    /// What is broken on purpose, and what that needs to know.
    pub sabotage: Option<Sabotage>,
    pub sabotaged: Sabotaged,
    /// Since when engine and gateways disagree about the number of open orders.
    pub disagree_since: Option<Nanos>,
}

/// A fill as the engine hears of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeardFill {
    pub at: Nanos,
    pub order: u64,
    pub side: Side,
    pub tick: Tick,
    pub lots: Lots,
}

/// How long the engine may believe in fewer orders than the gateway: the longest way over a ring, and a stall of either.
const BELIEVES_LESS_MAX: Nanos = Nanos::from_millis(3_000);
/// How long it may believe in more: it counts an order until all its fills are known, which every order is in 30 s, and
/// user data may be away for 30 s before.
const BELIEVES_MORE_MAX: Nanos = Nanos::from_seconds(60);

/// How long ago by the venue's own time the newest change of a book may have happened that is quoted on: as long as a book
/// may be quoted on, and what the two clocks may differ by.
const TOLD_AGE_MAX: Nanos = Nanos::from_millis(3_000);

impl Judge {
    /// I6 all the time: what is open on the venue is open for the gateway, and for the engine.
    fn compare_open_orders(&mut self, state: &State) {
        let mut ours = 0;
        for (place, venue) in state.venues.iter().enumerate() {
            let (theirs, known) = (venue.exchange.open_order_count(), venue.gateway.open_orders());
            ours += known;
            if venue.gateway.is_ready() && theirs > known && venue.paper.is_none() {
                self.violation(
                    state.now,
                    format!("I6: {theirs} orders are open on venue {place}, the gateway knows {known}"),
                );
            }
        }
        let believed = state.engine.open_orders();
        let allowed = if believed < ours { BELIEVES_LESS_MAX } else { BELIEVES_MORE_MAX };
        if believed == ours {
            self.disagree_since = None;
        } else if state.now - *self.disagree_since.get_or_insert(state.now) > allowed {
            self.disagree_since = None;
            self.violation(
                state.now,
                format!("I6: {ours} orders are open for the gateways, {believed} for the engine"),
            );
        }
    }

    fn violation(&mut self, now: Nanos, text: String) {
        if self.outcome.violations.len() < 8 {
            let at = now - setup::START;
            self.outcome.violations.push(format!("{} ms: {text}", at.millis()));
        }
    }
}

impl BacktestObserver<Spread> for Judge {
    fn alter_intent(&mut self, intent: Intent) -> Option<Intent> {
        let Some(sabotage) = self.sabotage else { return Some(intent) };
        sabotage.alter_intent(intent, &mut self.sabotaged)
    }

    fn alter_execution(&mut self, event: ExecutionEvent) -> Option<ExecutionEvent> {
        let Some(sabotage) = self.sabotage else { return Some(event) };
        sabotage.alter_execution(event, &mut self.sabotaged)
    }

    /// I1, I4, and one request in flight per quote slot.
    fn on_intent(&mut self, intent: &Intent, state: &State) {
        let (id, slot) = (intent.instrument, intent.slot.0);
        if intent.kind == IntentKind::Cancel && self.replaced.contains(&intent.order.0) {
            // Of an order that is being replaced: it waits for no answer to that.
            *self.cancels.entry(id).or_default() += 1;
            return;
        }
        self.replaced.extend((intent.kind == IntentKind::Replace).then_some(intent.replaces.0));
        let before = self.in_flight.insert((id, slot), intent.order.0);
        // A cancel that is not answered is asked for again.
        let again = before == Some(intent.order.0) && intent.kind == IntentKind::Cancel;
        if let Some(order) = before.filter(|_| !again) {
            self.violation(state.now, format!("slot {slot} has two requests in flight: {order} and {intent:?}"));
        }
        if intent.kind == IntentKind::Cancel {
            *self.cancels.entry(id).or_default() += 1;
            return;
        }
        self.outcome.placed += 1;
        self.outcome.amended += u64::from(intent.kind != IntentKind::Place);
        if self.oracle.shutdown_since.is_some() {
            self.violation(state.now, format!("I8: an order after the stop: {intent:?}"));
        }
        if intent.kind != IntentKind::Amend && !self.ids_used.insert(intent.order.0) {
            self.violation(state.now, format!("I4: order id {} was used twice", intent.order.0));
        }
        if !self.oracle.may_quote(id.index(), state) {
            self.violation(state.now, format!("I1: placed on a book that is not Live, or too old: {intent:?}"));
        }
        let told = state.engine.market(id).depth_lag().unwrap_or_default();
        if told > TOLD_AGE_MAX {
            let text = format!("I1: placed on what happened {} ms ago, though newer was on its way", told.millis());
            self.violation(state.now, text);
        }
    }

    /// I3: each execution once.
    fn on_execution(&mut self, event: &ExecutionEvent, state: &State) {
        match event.kind {
            ExecutionKind::Accepted => self.outcome.accepted += 1,
            // What our own checks refuse was never sent.
            ExecutionKind::Rejected if event.local == LocalReject::None => self.outcome.rejected += 1,
            ExecutionKind::Canceled => self.outcome.canceled += 1,
            ExecutionKind::Expired => self.outcome.expired += 1,
            ExecutionKind::Filled => {
                self.outcome.fills += 1;
                let (at, order) = (state.now - setup::START, event.order.0);
                self.heard.push(HeardFill { at, order, side: event.side, tick: event.tick, lots: event.lots });
                *self.fills.entry(event.instrument).or_default() += 1;
                if !self.trades_seen.insert((event.venue.0, event.trade.0)) {
                    self.violation(state.now, format!("I3: trade {} was told twice", event.trade.0));
                }
            }
            _ => {}
        }
        let slot = (event.instrument, event.slot.0);
        if event.order.0 != 0 && self.in_flight.get(&slot) == Some(&event.order.0) {
            self.in_flight.remove(&slot);
        }
    }

    /// I2: the worst case stays within the limit; the book is never crossed while Live.
    fn on_step(&mut self, state: &State) {
        self.oracle.on_step(state);
        if self.oracle.gone_since.is_some() {
            return;
        }
        for place in 0..state.venues.len() {
            let id = InstrumentId(place as u16);
            let held = state.engine.position(id).exposure().0;
            let max = self.positions_max[place].0;
            let working = state.engine.working(id);
            let (bids, asks) = (working.lots_worst(Side::Bid).0, working.lots_worst(Side::Ask).0);
            // Base fees of spot buys leave the position after the check, always towards flat or by less than a fee.
            let slack = max / 100;
            if held + bids > max + slack || held - asks < -max - slack {
                let text = format!("I2: exposure {held} with {bids} to buy and {asks} to sell exceeds {max}");
                self.violation(state.now, text);
            }
            if state.venues[place].session.is_live(id) && state.engine.market(id).book().is_crossed() {
                self.violation(state.now, "I7: a Live book is crossed".to_owned());
            }
        }
        self.compare_open_orders(state);
    }
}
