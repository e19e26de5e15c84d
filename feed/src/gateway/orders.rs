//! COLD: the table of our orders as the venue has proved them: any order of facts leads to the same state.

mod adopt;
mod amendment;
mod apply;
mod check;
mod counts;
mod fill_event;
mod reopen;
#[cfg(test)]
mod tests;
mod transition;
mod venue_fill;

use std::collections::VecDeque;

use spinbook_engine::event::{ExecutionEvent, ExecutionKind, LocalReject};
use spinbook_engine::intent::Intent;
use spinbook_engine::trades::TradeHorizon;
use spinbook_engine::types::{InstrumentId, Lots, Nanos, OrderId, Side, SlotId, Tick, TradeId, VenueCode};

use super::ids::{IdMap, id_map};
use crate::venue::instrument::Instrument;
use crate::venue::order_ids::VenueOrderId;
use crate::venue::orders::{OrderStatus, OrderUpdate};

use amendment::Amendment;
use apply::{accept, apply_fill, apply_status, finish_order};
use counts::Proved;
use fill_event::fill_event;
use transition::{Fact, next_phase};

pub use counts::OrderCounts;

/// Orders that may be open (or of unknown outcome) at once, over all instruments.
pub const OPEN_ORDERS_MAX: usize = 1024;
/// Orders that are over and still remembered, so that a late fill finds its order.
pub const CLOSED_ORDERS_KEPT: usize = 4096;

/// How an order ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinalStatus {
    /// Filled whole.
    Filled,
    /// Cancelled.
    Canceled,
    /// Ended by the venue.
    Expired,
    /// Never lived.
    Rejected,
}

/// What is proved of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Handed to the connection, no answer yet.
    Sent,
    /// The venue has it.
    Working,
    /// The venue has not told its outcome; it counts as live.
    Unknown,
    /// The venue ended it after more fills than have arrived: those are awaited.
    Closing(FinalStatus),
    /// Over.
    Done(FinalStatus),
}

/// Where a wish to cancel stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelState {
    /// Not wanted.
    None,
    /// Wanted, to be sent.
    Wanted,
    /// Sent, no answer yet.
    InFlight,
}

/// One order of ours.
#[derive(Clone, Debug)]
pub struct TrackedOrder {
    /// Our id.
    pub order: OrderId,
    /// Of what.
    pub instrument: InstrumentId,
    /// The quote slot it is for.
    pub slot: SlotId,
    /// Buy or sell.
    pub side: Side,
    /// Price.
    pub tick: Tick,
    /// Ordered.
    pub lots: Lots,
    /// Filled, as the sum of executions seen, each once.
    pub lots_filled: Lots,
    /// Filled in all, as the venue stated it at most.
    pub lots_stated: Lots,
    /// The venue's id, [`VenueOrderId::NONE`] until known.
    pub venue_order: VenueOrderId,
    /// What is proved.
    pub phase: Phase,
    /// The venue had it at some time.
    pub accepted: bool,
    /// The cancel.
    pub cancel: CancelState,
    /// Cancels sent.
    pub cancel_attempts: u32,
    /// The next cancel is not sent before this.
    pub cancel_at: Nanos,
    /// After this the venue can no longer take the order if it has not.
    pub valid_until: Nanos,
    /// When to ask the venue for it; [`Nanos::NEVER`]: no need.
    pub query_at: Nanos,
    /// Questions in a row that decided nothing.
    pub query_attempts: u32,
    /// A question is on its way.
    pub query_in_flight: bool,
    /// Questions asked when the venue could no longer take the order, and answered with "not known".
    pub not_found: u8,
    /// Since when fills have been missing; zero: none are.
    pub missing_since: Nanos,
    /// The missing fills are not asked for again before this.
    pub fills_at: Nanos,
    /// The order that it takes the place of, [`OrderId::NONE`] if it was placed by itself.
    pub replaces: OrderId,
    /// The last change of its price and quantity that was asked of the venue.
    amendment: Option<Amendment>,
}

impl TrackedOrder {
    /// Whether it may still be on the venue's book.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !matches!(self.phase, Phase::Done(_) | Phase::Closing(_))
    }

    /// Whether it is over in every respect.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Done(_))
    }

    /// Whether a cancel is to be sent: again and again until the order is proved ended, one that nobody has seen as well.
    #[must_use]
    pub fn wants_cancel(&self) -> bool {
        self.cancel == CancelState::Wanted && self.is_open()
    }

    /// Takes a fact in; whether it changed anything.
    fn learn(&mut self, fact: Fact) -> bool {
        let next = next_phase(self.phase, fact);
        self.phase = next.unwrap_or(self.phase);
        next.is_some()
    }

    /// What the engine is told of it, as it stands.
    pub(super) fn event(&self, kind: ExecutionKind, time: Nanos) -> ExecutionEvent {
        ExecutionEvent {
            order: self.order,
            time,
            tick: self.tick,
            lots: self.lots,
            lots_cumulative: self.lots_filled,
            instrument: self.instrument,
            slot: self.slot,
            side: self.side,
            kind,
            ..ExecutionEvent::default()
        }
    }
}

/// What a fact turned out to concern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// An order of the table.
    Known(OrderId),
    /// An order that is not in the table (a fill of it was still reported).
    ThirdParty {
        /// The fact was an execution seen for the first time.
        filled: bool,
    },
    /// A repetition of an execution.
    Duplicate,
}

/// Facts that did not fit what was known: each is a reason for a human to compare with the venue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableCounters {
    /// Executions seen again and not counted again.
    pub duplicate_fills: u64,
    /// More filled than ordered.
    pub overfills: u64,
    /// A refusal of an order that the venue had shown to be alive, or the reverse.
    pub contradictions: u64,
    /// Orders that were taken for refused and showed life: open again, and cancelled.
    pub reopened: u64,
    /// Executions after the order's end was proved.
    pub late_fills: u64,
    /// Fees in an asset that is neither base nor quote.
    pub fees_other: u64,
    /// Executions of orders that are not in the table.
    pub third_party_fills: u64,
}

/// Bounded table of our orders.
pub struct OrderTable {
    /// Orders that are not over.
    active: IdMap<OrderId, TrackedOrder>,
    /// Orders that are over, for late fills.
    closed: IdMap<OrderId, TrackedOrder>,
    /// The same by age.
    closed_order: VecDeque<OrderId>,
    by_venue: IdMap<(InstrumentId, VenueOrderId), OrderId>,
    trades: Vec<TradeHorizon>,
    ids: Vec<OrderId>,
    /// Orders that are over since somebody last looked.
    retired: VecDeque<OrderId>,
    counters: TableCounters,
    proved: Proved,
}

impl OrderTable {
    /// Empty, for `instruments` instruments.
    #[must_use]
    pub fn new(instruments: usize) -> OrderTable {
        OrderTable {
            active: id_map(64),
            closed: id_map(CLOSED_ORDERS_KEPT + 1),
            closed_order: VecDeque::with_capacity(CLOSED_ORDERS_KEPT + 1),
            by_venue: id_map(OPEN_ORDERS_MAX + CLOSED_ORDERS_KEPT),
            trades: (0..instruments).map(|_| TradeHorizon::default()).collect(),
            ids: Vec::with_capacity(OPEN_ORDERS_MAX),
            retired: VecDeque::with_capacity(OPEN_ORDERS_MAX),
            counters: TableCounters::default(),
            proved: Proved::default(),
        }
    }

    /// Facts that did not fit.
    #[must_use]
    pub fn counters(&self) -> TableCounters {
        self.counters
    }

    /// An order by our id.
    #[must_use]
    pub fn find(&self, order: OrderId) -> Option<&TrackedOrder> {
        self.active.get(&order).or_else(|| self.closed.get(&order))
    }

    pub(super) fn find_mut(&mut self, order: OrderId) -> Option<&mut TrackedOrder> {
        self.active.get_mut(&order).or_else(|| self.closed.get_mut(&order))
    }

    /// Every order that is not over, in no particular order.
    pub fn active(&self) -> impl Iterator<Item = &TrackedOrder> {
        self.active.values()
    }

    /// Orders not over that `due` chooses, oldest first; the list goes back with [`OrderTable::keep_ids`], for reuse.
    pub(super) fn take_ids(&mut self, due: impl Fn(&TrackedOrder) -> bool) -> Vec<OrderId> {
        let mut ids = core::mem::take(&mut self.ids);
        ids.clear();
        ids.extend(self.active.values().filter(|order| due(order)).map(|order| order.order));
        ids.sort_unstable();
        ids
    }

    /// Whether an order is over since somebody last looked.
    #[inline]
    pub(super) fn has_retired(&self) -> bool {
        !self.retired.is_empty()
    }

    /// The oldest of them.
    pub(super) fn next_retired(&mut self) -> Option<OrderId> {
        self.retired.pop_front()
    }

    /// The list of [`OrderTable::take_ids`] is done with.
    pub(super) fn keep_ids(&mut self, ids: Vec<OrderId>) {
        self.ids = ids;
    }

    /// Orders that are not over.
    #[must_use]
    pub fn active_count(&self) -> usize {
        self.active.len()
    }

    /// Whether another order fits.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.active.len() < OPEN_ORDERS_MAX
    }

    /// Whether the id was used before, as far as the table remembers.
    #[must_use]
    pub fn contains(&self, order: OrderId) -> bool {
        self.active.contains_key(&order) || self.closed.contains_key(&order)
    }

    /// Whether this execution was counted, or is older than what the table remembers.
    pub(super) fn knows_trade(&self, instrument: InstrumentId, trade: TradeId, side: Side, time: Nanos) -> bool {
        self.trades.get(instrument.index()).is_some_and(|seen| seen.contains(trade, side, time))
    }

    /// Whether the venue's number is one of an order of the table.
    pub(super) fn knows_venue_order(&self, instrument: InstrumentId, venue_order: VenueOrderId) -> bool {
        self.by_venue.contains_key(&(instrument, venue_order))
    }

    /// Enters an order that is about to be sent. The caller checked room and uniqueness.
    #[inline(always)]
    pub(super) fn insert(&mut self, intent: &Intent, valid_until: Nanos) {
        debug_assert!(self.has_room() && !self.contains(intent.order), "checked by the caller");
        let tracked = TrackedOrder {
            order: intent.order,
            instrument: intent.instrument,
            slot: intent.slot,
            side: intent.side,
            tick: intent.tick,
            lots: intent.lots,
            lots_filled: Lots::ZERO,
            lots_stated: Lots::ZERO,
            venue_order: VenueOrderId::NONE,
            phase: Phase::Sent,
            accepted: false,
            cancel: CancelState::None,
            cancel_attempts: 0,
            cancel_at: Nanos::ZERO,
            valid_until,
            query_at: Nanos::NEVER,
            query_attempts: 0,
            query_in_flight: false,
            not_found: 0,
            missing_since: Nanos::ZERO,
            fills_at: Nanos::ZERO,
            replaces: intent.replaces,
            amendment: None,
        };
        self.active.insert(intent.order, tracked);
        self.proved.sent += 1;
    }

    /// The venue took the order (reply to the request).
    pub fn on_placed(
        &mut self,
        order: OrderId,
        venue_order: VenueOrderId,
        time: Nanos,
        events: &mut VecDeque<ExecutionEvent>,
    ) {
        self.reopen(order, time);
        let Some(tracked) = self.active.get_mut(&order) else {
            return;
        };
        if !venue_order.is_none() {
            tracked.venue_order = venue_order;
            self.by_venue.insert((tracked.instrument, venue_order), order);
        }
        accept(tracked, time, events);
    }

    /// The venue refused the order, definitely.
    pub fn on_refused(&mut self, order: OrderId, code: VenueCode, time: Nanos, events: &mut VecDeque<ExecutionEvent>) {
        if let Some(over) = self.closed.get(&order) {
            self.counters.contradictions += u64::from(over.phase != Phase::Done(FinalStatus::Rejected));
            return;
        }
        let Some(tracked) = self.active.get_mut(&order) else {
            return;
        };
        if tracked.accepted {
            // It was seen alive: the refusal proves nothing. Ask, and let nothing rest that two answers are about.
            self.counters.contradictions += 1;
            tracked.distrust(time);
            return;
        }
        if !tracked.learn(Fact::Refused) {
            return;
        }
        tracked.cancel = CancelState::None;
        events.push_back(ExecutionEvent { venue_code: code, ..tracked.event(ExecutionKind::Rejected, time) });
        self.retire(order);
    }

    /// The venue does not tell what became of the order: it counts as live until proved.
    pub fn on_unknown(&mut self, order: OrderId, query_at: Nanos, time: Nanos, events: &mut VecDeque<ExecutionEvent>) {
        let Some(tracked) = self.active.get_mut(&order) else {
            return;
        };
        if !tracked.is_open() {
            return;
        }
        tracked.query_at = tracked.query_at.min(query_at);
        if tracked.learn(Fact::Doubt) {
            events.push_back(tracked.event(ExecutionKind::Unknown, time));
        }
    }

    /// What the venue says about an order, from the user data stream or from a query.
    pub fn on_update(
        &mut self,
        update: &OrderUpdate,
        instrument: &Instrument,
        now: Nanos,
        events: &mut VecDeque<ExecutionEvent>,
    ) -> Applied {
        let Some(order) = self.resolve(update) else {
            return self.third_party(update, instrument, now, events);
        };
        self.by_venue.insert((update.instrument, update.venue_order), order);
        if update.status != OrderStatus::Rejected || update.fill.is_some() {
            self.reopen(order, now);
        }
        let trades = &mut self.trades[update.instrument.index()];
        let tracked = match self.active.get_mut(&order) {
            Some(tracked) => tracked,
            None => self.closed.get_mut(&order).expect("resolve found it"),
        };
        tracked.venue_order = update.venue_order;
        let time = if update.time == Nanos::ZERO { now } else { update.time };
        let was_done = tracked.is_done();
        let was_filled = tracked.lots_filled > Lots::ZERO;
        let mut applied = Applied::Known(order);
        if let Some(fill) = &update.fill {
            if trades.insert(fill.trade, tracked.side, update.time) {
                apply_fill(tracked, fill, instrument, time, &mut self.counters, events);
            } else {
                self.counters.duplicate_fills += 1;
                applied = Applied::Duplicate;
            }
        }
        tracked.lots_stated = tracked.lots_stated.max(update.lots_cumulative).max(tracked.lots_filled);
        apply_status(tracked, update, now, time, &mut self.counters, events);
        finish_order(tracked, now, time, events);
        self.proved.filled += u64::from(!was_filled && tracked.lots_filled > Lots::ZERO);
        if tracked.is_done() && !was_done {
            self.retire(order);
        }
        applied
    }

    fn resolve(&self, update: &OrderUpdate) -> Option<OrderId> {
        let by_name = update.order.filter(|order| self.contains(*order));
        by_name.or_else(|| {
            let order = self.by_venue.get(&(update.instrument, update.venue_order))?;
            self.contains(*order).then_some(*order)
        })
    }

    /// An execution moves the position even where the order is not ours.
    fn third_party(
        &mut self,
        update: &OrderUpdate,
        instrument: &Instrument,
        now: Nanos,
        events: &mut VecDeque<ExecutionEvent>,
    ) -> Applied {
        let Some(fill) = &update.fill else {
            return Applied::ThirdParty { filled: false };
        };
        if !self.trades[update.instrument.index()].insert(fill.trade, update.side, update.time) {
            self.counters.duplicate_fills += 1;
            return Applied::Duplicate;
        }
        self.counters.third_party_fills += 1;
        let base = ExecutionEvent {
            order: update.order.unwrap_or(OrderId::NONE),
            time: if update.time == Nanos::ZERO { now } else { update.time },
            lots_cumulative: update.lots_cumulative,
            instrument: update.instrument,
            side: update.side,
            ..ExecutionEvent::default()
        };
        events.push_back(fill_event(base, fill, instrument, &mut self.counters));
        Applied::ThirdParty { filled: true }
    }

    /// Moves an order that is over to those that are only remembered.
    fn retire(&mut self, order: OrderId) {
        let Some(over) = self.active.remove(&order) else { return };
        self.proved.ended(over.phase);
        self.retired.push_back(order);
        self.closed.insert(order, over);
        self.closed_order.push_back(order);
        if self.closed_order.len() > CLOSED_ORDERS_KEPT
            && let Some(oldest) = self.closed_order.pop_front()
            && let Some(forgotten) = self.closed.remove(&oldest)
        {
            self.by_venue.remove(&(forgotten.instrument, forgotten.venue_order));
        }
    }
}

/// An event of the gateway's own refusal; the order never entered the table.
#[must_use]
pub fn refused_here(intent: &Intent, local: LocalReject, now: Nanos) -> ExecutionEvent {
    ExecutionEvent {
        order: intent.order,
        time: now,
        tick: intent.tick,
        lots: intent.lots,
        instrument: intent.instrument,
        slot: intent.slot,
        side: intent.side,
        kind: ExecutionKind::Rejected,
        local,
        ..ExecutionEvent::default()
    }
}
