//! HOT: our orders of one instrument as the engine believes them: a fixed table, one order a quote slot.
//!
//! Any order of arrival of the same facts ends in the same state: fills are added once each, the cumulative
//! quantity only grows, an end is final, and what an end claims to be filled but no execution has told yet
//! stays counted as owed.

mod amended;
mod leaving;
mod order;

pub use order::{OrderOutcome, WorkingOrder, WorkingStatus};

use crate::event::{ExecutionEvent, ExecutionKind};
use crate::limits::{QUOTE_LEVELS_MAX, SLOTS, WORKING_ORDERS_MAX};
use crate::prefetch::prefetch;
use crate::trades::TradeHorizon;
use crate::types::{Level, Lots, Nanos, OrderId, Side, SlotId, Tick};
use amended::AmendedPrices;
use leaving::Leaving;

/// Finished orders kept to recognise what arrives late.
const FINISHED_ORDERS: usize = WORKING_ORDERS_MAX - SLOTS;

/// What an execution event turned out to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effect {
    /// Quantity by which the position moves; zero if it does not.
    pub lots_filled: Lots,
    /// It is the first fill of its order.
    pub first_fill: bool,
    /// An execution told before.
    pub duplicate: bool,
    /// The order was not in the table of live or finished orders.
    pub unknown_order: bool,
    /// The order had already ended here.
    pub finished_order: bool,
    /// The order's filled quantity exceeds what was ordered.
    pub overfill: bool,
    /// It contradicts a proven end: alive after a reject.
    pub contradiction: bool,
    /// The order ended with this event, in this slot.
    pub ended: Option<(SlotId, OrderOutcome)>,
    /// The order was in this slot when the event came.
    pub slot: Option<SlotId>,
    /// Side of the order, or what the event says if the order is not known.
    pub side: Side,
    /// It is the first word of the venue that the order was accepted.
    pub first_accept: bool,
    /// An execution was worse for us than this, the worst price that the order ever had or was asked to have.
    pub worse_than: Option<Tick>,
    /// It is the answer to an amendment that was handed to the ring at this time.
    pub amend_requested: Option<Nanos>,
}

/// The working orders of one instrument.
#[derive(Clone, Debug)]
pub struct Working {
    slots: [WorkingOrder; SLOTS],
    /// A bit for each slot that holds an order: a search skips the empty ones.
    held: u32,
    finished: [WorkingOrder; FINISHED_ORDERS],
    finished_next: usize,
    /// What leaves the slots behind requests that change their orders.
    leaving: Leaving,
    /// Filled by the venue's word but not told by an execution yet: finished orders; and what is open of what leaves a
    /// slot. By side.
    owed: [i64; 2],
    /// Owed by orders that left the memory of finished ones: counted at the worst case for good.
    owed_forgotten: [i64; 2],
    trades: TradeHorizon,
    amended: AmendedPrices,
}

impl Default for Working {
    fn default() -> Working {
        Working {
            slots: [WorkingOrder::EMPTY; SLOTS],
            held: 0,
            finished: [WorkingOrder::EMPTY; FINISHED_ORDERS],
            finished_next: 0,
            leaving: Leaving::NONE,
            owed: [0; 2],
            owed_forgotten: [0; 2],
            trades: TradeHorizon::default(),
            amended: AmendedPrices::NONE,
        }
    }
}

/// Where an order is kept.
#[derive(Clone, Copy)]
enum Place {
    Slot(usize),
    Leaving(usize),
    Finished(usize),
}

impl Working {
    /// Asks for what the next decision and the next fact about an order need ([`crate::prefetch`]).
    pub(crate) fn warm(&self) {
        prefetch(&self.slots);
        prefetch(&self.held);
        prefetch(&self.finished[self.finished_next]);
        prefetch(&self.owed);
    }

    /// The slot's order; its status is [`WorkingStatus::Empty`] if there is none.
    #[inline]
    #[must_use]
    pub fn slot(&self, slot: SlotId) -> &WorkingOrder {
        &self.slots[usize::from(slot.0)]
    }

    /// The first slot of a side.
    #[inline]
    #[must_use]
    pub const fn first_slot(side: Side) -> usize {
        match side {
            Side::Bid => 0,
            Side::Ask => QUOTE_LEVELS_MAX,
        }
    }

    /// The slots of a side, in slot order.
    #[inline]
    #[must_use]
    pub fn side(&self, side: Side) -> &[WorkingOrder] {
        let first = Self::first_slot(side);
        &self.slots[first..first + QUOTE_LEVELS_MAX]
    }

    /// Orders in their slots that may be alive on the venue, best known first by slot.
    pub fn open(&self) -> impl Iterator<Item = &WorkingOrder> {
        self.held_in(self.held).filter(|order| order.status.is_open())
    }

    /// Which slots hold an order, a bit each: bids lowest.
    #[inline]
    #[must_use]
    pub fn held(&self) -> u32 {
        self.held
    }

    /// Which slots of a side hold an order, a bit each.
    #[inline]
    #[must_use]
    pub fn held_on(&self, side: Side) -> u32 {
        self.held & (((1 << QUOTE_LEVELS_MAX) - 1) << Self::first_slot(side))
    }

    #[inline]
    fn held_in(&self, mut slots: u32) -> impl Iterator<Item = &WorkingOrder> {
        core::iter::from_fn(move || {
            let slot = slots.trailing_zeros() as usize;
            slots &= slots.wrapping_sub(1);
            self.slots.get(slot)
        })
    }

    /// How many orders may be alive on the venue.
    #[must_use]
    pub fn open_count(&self) -> usize {
        self.open().count() + if self.has_leaving() { self.leaving().count() } else { 0 }
    }

    /// Whether nothing is alive, in flight or owed.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.open_count() == 0 && self.owed == [0; 2]
    }

    /// Quantity that may still be filled on a side at the worst: open, in flight, unknown and owed.
    #[inline]
    #[must_use]
    pub fn lots_worst(&self, side: Side) -> Lots {
        let owed = self.owed[side as usize].saturating_add(self.owed_forgotten[side as usize]);
        let open = self.held_in(self.held_on(side)).fold(owed, |sum, order| sum.saturating_add(order.lots_open().0));
        Lots(open)
    }

    /// The most aggressive price of a side that may be alive: what an own order on the other side must not meet.
    #[inline]
    #[must_use]
    pub fn tick_best(&self, side: Side) -> Option<Tick> {
        let ticks = self.held_in(self.held_on(side)).filter(|order| order.status.is_open()).map(|order| order.tick);
        let tick = match side {
            Side::Bid => ticks.max(),
            Side::Ask => ticks.min(),
        };
        if !self.has_leaving() {
            return tick;
        }
        let ticks = self.leaving.ticks(side).chain(tick);
        match side {
            Side::Bid => ticks.max(),
            Side::Ask => ticks.min(),
        }
    }

    /// Whether an order of this side, price and quantity may be alive that was handed to the ring after a time.
    #[inline]
    #[must_use]
    pub fn has_equal_since(&self, side: Side, level: Level, after: Nanos) -> bool {
        self.held_in(self.held_on(side))
            .any(|order| order.tick == level.tick && order.lots == level.lots && order.placed > after)
    }

    /// Orders of which it is not known whether they live: of unknown outcome, or cancelled before any answer.
    #[must_use]
    pub fn undecided_count(&self) -> u32 {
        let undecided = |order: &&WorkingOrder| match order.status {
            WorkingStatus::Unknown => true,
            WorkingStatus::PendingCancel => !order.accepted,
            _ => false,
        };
        let in_slots = self.held_in(self.held).filter(undecided).count();
        let leaving = if self.has_leaving() { self.leaving().filter(undecided).count() } else { 0 };
        (in_slots + leaving) as u32
    }

    /// Our resting quantity of a side as levels, for book figures net of ourselves; returns how many were written.
    /// Only orders the venue has accepted: one still in flight is not in its book.
    pub fn own_levels(&self, side: Side, levels: &mut [Level; QUOTE_LEVELS_MAX]) -> usize {
        let mut count = 0;
        for order in self.held_in(self.held_on(side)) {
            if order.accepted && order.status.is_open() && order.lots_open().0 > 0 {
                levels[count] = Level { tick: order.tick, lots: order.lots_open() };
                count += 1;
            }
        }
        if self.has_leaving() {
            return self.own_levels_leaving(side, levels, count);
        }
        count
    }

    /// Notes an order handed to the ring. The slot must be empty, which the quoter sees to.
    pub fn on_placed(&mut self, order: WorkingOrder) {
        let place = &mut self.slots[usize::from(order.slot.0)];
        debug_assert_eq!(place.status, WorkingStatus::Empty, "one order a slot");
        self.held |= 1 << order.slot.0;
        *place = WorkingOrder { status: WorkingStatus::PendingPlace, placed: order.requested, ..order };
    }

    /// Notes a cancel handed to the ring at `now`.
    pub fn on_cancel_sent(&mut self, slot: SlotId, now: Nanos) {
        let order = &mut self.slots[usize::from(slot.0)];
        if order.status.is_open() {
            order.status = WorkingStatus::PendingCancel;
            order.requested = now;
            order.cancels = order.cancels.saturating_add(1);
        }
    }

    /// Makes an order unknown whose request was not answered in time; returns whether it was pending.
    pub fn on_request_timeout(&mut self, slot: SlotId) -> bool {
        let order = &mut self.slots[usize::from(slot.0)];
        let pending = order.status.is_pending();
        if pending {
            order.status = WorkingStatus::Unknown;
        }
        pending
    }

    /// Applies one fact about an order.
    pub fn on_event(&mut self, event: &ExecutionEvent) -> Effect {
        let mut effect = Effect::default();
        let Some(place) = self.find(event.order, event.slot) else {
            effect.unknown_order = true;
            effect.side = event.side;
            self.apply_unknown_fill(event, &mut effect);
            return effect;
        };
        effect.side = self.at(place).side;
        match place {
            Place::Slot(_) | Place::Leaving(_) => effect.slot = Some(self.at(place).slot),
            Place::Finished(_) => effect.finished_order = true,
        }
        match event.kind {
            ExecutionKind::Filled => self.apply_fill(place, event, &mut effect),
            ExecutionKind::Accepted => self.apply_accepted(place, &mut effect),
            ExecutionKind::Rejected => self.apply_end(place, event, OrderOutcome::Rejected),
            ExecutionKind::Canceled => self.apply_end(place, event, OrderOutcome::Canceled),
            ExecutionKind::Expired => self.apply_end(place, event, OrderOutcome::Expired),
            ExecutionKind::CancelRejected => {
                let is_amending = matches!(place, Place::Slot(slot) if self.is_amending(slot));
                let order = self.at_mut(place);
                if order.status == WorkingStatus::PendingCancel {
                    order.status = match order.accepted {
                        true if is_amending => WorkingStatus::PendingAmend,
                        true => WorkingStatus::Live,
                        false => WorkingStatus::Unknown,
                    };
                }
            }
            ExecutionKind::Amended | ExecutionKind::AmendRejected => {
                let order = self.at(place);
                let waits = order.status == WorkingStatus::PendingAmend;
                effect.amend_requested = waits.then_some(order.requested);
                self.apply_in_force(place, Level { tick: event.tick, lots: event.lots });
            }
            ExecutionKind::Unknown => {
                let order = self.at_mut(place);
                if order.status.is_open() {
                    order.status = WorkingStatus::Unknown;
                }
            }
            ExecutionKind::GatewayReady
            | ExecutionKind::GatewayDown
            | ExecutionKind::Pause
            | ExecutionKind::Halt
            | ExecutionKind::Income
            | ExecutionKind::Transfer
            | ExecutionKind::Liquidated
            | ExecutionKind::Slow => {}
        }
        let order = self.at(place);
        effect.overfill |= order.claimed > self.lots_most(place);
        match (place, order.status) {
            (Place::Slot(slot), WorkingStatus::Done) => {
                effect.ended = Some((SlotId(slot as u8), order.outcome()));
                self.finish(slot);
            }
            (Place::Leaving(slot), WorkingStatus::Done) => {
                effect.ended = Some((SlotId(slot as u8), order.outcome()));
                let order = self.leaving.take(slot);
                self.remember(order);
            }
            _ => self.recount_owed(),
        }
        effect
    }

    fn at(&self, place: Place) -> &WorkingOrder {
        match place {
            Place::Slot(index) => &self.slots[index],
            Place::Leaving(index) => &self.leaving.orders[index],
            Place::Finished(index) => &self.finished[index],
        }
    }

    fn at_mut(&mut self, place: Place) -> &mut WorkingOrder {
        match place {
            Place::Slot(index) => &mut self.slots[index],
            Place::Leaving(index) => &mut self.leaving.orders[index],
            Place::Finished(index) => &mut self.finished[index],
        }
    }

    /// The slot named by the event first, then everywhere: the name is a hint, the order id is the truth.
    fn find(&self, order: OrderId, hint: SlotId) -> Option<Place> {
        if order == OrderId::NONE {
            return None;
        }
        let hint = usize::from(hint.0);
        if hint < SLOTS && self.slots[hint].order == order {
            return Some(Place::Slot(hint));
        }
        if let Some(index) = self.slots.iter().position(|slot| slot.order == order) {
            return Some(Place::Slot(index));
        }
        if self.has_leaving()
            && let Some(index) = self.leaving.find(order)
        {
            return Some(Place::Leaving(index));
        }
        self.finished.iter().position(|finished| finished.order == order).map(Place::Finished)
    }

    fn apply_unknown_fill(&mut self, event: &ExecutionEvent, effect: &mut Effect) {
        if event.kind != ExecutionKind::Filled || event.lots.0 <= 0 {
            return;
        }
        if self.trades.insert(event.trade, event.side, event.time) {
            effect.lots_filled = event.lots;
        } else {
            effect.duplicate = true;
        }
    }

    fn apply_fill(&mut self, place: Place, event: &ExecutionEvent, effect: &mut Effect) {
        if event.lots.0 <= 0 {
            return;
        }
        let known = self.trades.contains(event.trade, effect.side, event.time);
        let (most, is_amending) = (self.lots_most(place), matches!(place, Place::Slot(slot) if self.is_amending(slot)));
        let order = self.at_mut(place);
        order.accepted = true;
        let claimed = order.claimed.max(event.lots_cumulative).max(event.lots);
        order.claimed = claimed;
        let filled = order.filled.0.saturating_add(event.lots.0);
        // Distinct executions never sum to more than the cumulative quantity: what would is a repeat.
        if known || filled > claimed.0 {
            effect.duplicate = true;
        } else {
            effect.first_fill = order.filled.is_zero();
            effect.lots_filled = event.lots;
            order.filled = Lots(filled);
        }
        effect.contradiction = order.end == Some(OrderOutcome::Rejected);
        if order.status == WorkingStatus::PendingPlace {
            order.status = WorkingStatus::Live;
        }
        if order.claimed >= most {
            order.status = WorkingStatus::Done;
        } else if order.status == WorkingStatus::Unknown && order.end.is_none() && order.cancels == 0 && !is_amending {
            // An execution proves that the place arrived; what is left rests.
            order.status = WorkingStatus::Live;
        }
        if effect.lots_filled.0 > 0 {
            effect.worse_than = self.overrun(self.at(place), event.tick);
            self.trades.insert(event.trade, effect.side, event.time);
        }
    }

    fn apply_accepted(&mut self, place: Place, effect: &mut Effect) {
        let is_amending = matches!(place, Place::Slot(slot) if self.is_amending(slot));
        let order = self.at_mut(place);
        order.accepted = true;
        effect.first_accept = !order.acknowledged;
        order.acknowledged = true;
        effect.contradiction = order.end == Some(OrderOutcome::Rejected);
        match order.status {
            WorkingStatus::PendingPlace => order.status = WorkingStatus::Live,
            // Found alive; if a cancel is out, its answer is still owed and the order stays unknown.
            WorkingStatus::Unknown if order.cancels == 0 && !is_amending => order.status = WorkingStatus::Live,
            _ => {}
        }
    }

    fn apply_end(&mut self, place: Place, event: &ExecutionEvent, end: OrderOutcome) {
        let order = self.at_mut(place);
        order.claimed = order.claimed.max(event.lots_cumulative);
        order.end = Some(order.end.map_or(end, |known| known.max(end)));
        order.status = WorkingStatus::Done;
    }

    /// Frees a slot and keeps its order in the memory of finished ones.
    fn finish(&mut self, slot: usize) {
        let order = self.slots[slot];
        self.slots[slot] = WorkingOrder::EMPTY;
        self.held &= !(1 << slot);
        if self.has_leaving() {
            if self.is_amending(slot) {
                self.leaving.take(slot);
            }
            self.restore(slot);
        }
        self.remember(order);
    }

    /// Keeps an order in the memory of finished ones.
    fn remember(&mut self, order: WorkingOrder) {
        // Prefer to forget an order that owes nothing.
        let mut index = self.finished_next;
        for step in 0..FINISHED_ORDERS {
            let candidate = (self.finished_next + step) % FINISHED_ORDERS;
            if self.finished[candidate].lots_owed().is_zero() {
                index = candidate;
                break;
            }
        }
        let forgotten = &self.finished[index];
        let owed = &mut self.owed_forgotten[forgotten.side as usize];
        *owed = owed.saturating_add(forgotten.lots_owed().0);
        self.finished[index] = order;
        self.finished_next = (index + 1) % FINISHED_ORDERS;
        self.recount_owed();
    }

    fn recount_owed(&mut self) {
        self.owed = [0; 2];
        for order in &self.finished {
            let owed = &mut self.owed[order.side as usize];
            *owed = owed.saturating_add(order.lots_owed().0);
        }
        if self.has_leaving() {
            for side in Side::BOTH {
                let owed = &mut self.owed[side as usize];
                *owed = owed.saturating_add(self.leaving.lots_open(side));
            }
        }
    }

    /// The finished order of this id, if it is still remembered.
    #[must_use]
    pub fn finished(&self, order: OrderId) -> Option<&WorkingOrder> {
        self.finished.iter().find(|finished| finished.order == order && order != OrderId::NONE)
    }
}
