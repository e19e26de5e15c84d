//! HOT: targets against working orders: the fewest requests that bring the one to the other, within the budget.
//!
//! One order a slot, and at most one request in flight; only when everything must go, a cancel follows a place that is
//! not answered. A target that finds no free slot, or no budget, is not queued: the next turn plans again from the
//! newest targets.

mod budget;
mod plan;

pub use budget::{Budget, BudgetSettings, ORDER_WINDOWS_MAX};
pub use plan::{CancelStep, PlaceStep, QuotePlan};

use crate::intent::Reason;
use crate::limits::{QUOTE_LEVELS_MAX, SLOTS};
use crate::rate::{SlidingWindow, WindowSettings};
use crate::strategy::{Quote, Quotes};
use crate::types::{Lots, Nanos, Side, SlotId};
use crate::working::{OrderOutcome, Working, WorkingOrder, WorkingStatus};

/// How an order is brought to another target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Requote {
    /// It is cancelled; once that is answered, another is placed.
    #[default]
    CancelPlace,
    /// One request cancels it and, if that works, places another.
    Replace,
    /// One request gives it another price and quantity.
    Amend,
}

/// How targets become orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuoterSettings {
    /// How an order is brought to another target where it rests and the limits allow it; else it is cancelled.
    pub requote: Requote,
    /// A working order this near to its target price stays, in millionths of the price; not negative.
    pub refresh_tolerance_millionths: i64,
    /// A working order stays while at least this share of the target quantity is left of it, in millionths.
    pub lots_keep_millionths: i64,
    /// A place is not sent later than this after it was decided.
    pub order_deadline: Nanos,
    /// A request without an answer for this long makes its order unknown.
    pub request_timeout: Nanos,
    /// Wait before a slot tries again after a post-only cross, the end of an IOC, or a refusal by the gateway.
    pub requote_wait: Nanos,
    /// Wait after the first reject; doubles with each further one in a row.
    pub reject_wait: Nanos,
    /// The longest such wait.
    pub reject_wait_max: Nanos,
    /// Venue rejects within `rejects_span` that stop the instrument until it is re-armed; at least 1.
    pub rejects_max: u32,
    /// The window of `rejects_max`.
    pub rejects_span: Nanos,
    /// orders filled within `fills_span` that each took the position farther from flat, without its sign changing
    /// between, which stop the instrument until it is re-armed; at least 1.
    pub fills_max: u32,
    /// The window of `fills_max`.
    pub fills_span: Nanos,
    /// Cancels refused within `cancel_rejects_span` that stop the instrument until it is re-armed; at least 1.
    pub cancel_rejects_max: u32,
    /// The window of `cancel_rejects_max`.
    pub cancel_rejects_span: Nanos,
    /// undecided orders at the venue with which no new one leaves.
    pub unknown_orders_max: u32,
    /// an order of the same side, price and quantity as an open one does not leave within this of it.
    pub duplicate_wait: Nanos,
}

impl Default for QuoterSettings {
    /// 1 bp of tolerance, half the size kept, 100 ms deadline, 3 s timeout, waits of 100 ms, 200 ms to 10 s, and
    /// storms at 10 rejects, 20 fills or 100 refused cancels in 10 s; 4 undecided orders, 50 ms between equal ones.
    fn default() -> QuoterSettings {
        QuoterSettings {
            requote: Requote::CancelPlace,
            refresh_tolerance_millionths: 100,
            lots_keep_millionths: 500_000,
            order_deadline: Nanos::from_millis(100),
            request_timeout: Nanos::from_millis(3_000),
            requote_wait: Nanos::from_millis(100),
            reject_wait: Nanos::from_millis(200),
            reject_wait_max: Nanos::from_millis(10_000),
            rejects_max: 10,
            rejects_span: Nanos::from_seconds(10),
            fills_max: 20,
            fills_span: Nanos::from_seconds(10),
            cancel_rejects_max: 100,
            cancel_rejects_span: Nanos::from_seconds(10),
            unknown_orders_max: 4,
            duplicate_wait: Nanos::from_millis(50),
        }
    }
}

/// What a slot remembers between its orders.
#[derive(Clone, Copy, Debug, Default)]
struct SlotMemory {
    /// No place before this.
    place_from: Nanos,
    /// No (further) cancel before this: a cancel was refused, or its answer never came.
    cancel_from: Nanos,
    /// Rejects in a row.
    rejects: u8,
    /// Why the last order was cancelled, if it was replaced by price or size.
    requoting: bool,
}

/// The quoter of one instrument.
#[derive(Clone, Debug)]
pub struct Quoter {
    settings: QuoterSettings,
    slots: [SlotMemory; SLOTS],
    rejects: SlidingWindow,
    fills: SlidingWindow,
    cancel_rejects: SlidingWindow,
}

impl Quoter {
    /// All slots free.
    #[must_use]
    pub fn new(settings: QuoterSettings) -> Quoter {
        let window = |count_max, span| SlidingWindow::new(WindowSettings { count_max, span });
        Quoter {
            settings,
            slots: [SlotMemory::default(); SLOTS],
            rejects: window(settings.rejects_max, settings.rejects_span),
            fills: window(settings.fills_max, settings.fills_span),
            cancel_rejects: window(settings.cancel_rejects_max, settings.cancel_rejects_span),
        }
    }

    /// How it was built.
    #[must_use]
    pub fn settings(&self) -> &QuoterSettings {
        &self.settings
    }

    /// Forgets waits and rejects: an operator re-armed the instrument.
    pub fn rearm(&mut self) {
        self.slots = [SlotMemory::default(); SLOTS];
        self.rejects.clear();
        self.fills.clear();
        self.cancel_rejects.clear();
    }

    /// Plans the requests of this turn. `place_room` is how many new orders the venue's budget admits; `pull` says
    /// why every order must be cancelled, if it must: the targets then count for nothing.
    pub fn plan(
        &self,
        quotes: &Quotes,
        working: &Working,
        place_room: u32,
        pull: Option<Reason>,
        now: Nanos,
        plan: &mut QuotePlan,
    ) {
        plan.clear();
        let mut room = place_room;
        for side in Side::BOTH {
            let wanted = if pull.is_some() { &[] } else { quotes.side(side) };
            self.plan_side(side, wanted, working, pull, now, &mut room, plan);
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn plan_side(
        &self,
        side: Side,
        wanted: &[Quote],
        working: &Working,
        pull: Option<Reason>,
        now: Nanos,
        room: &mut u32,
        plan: &mut QuotePlan,
    ) {
        let held = working.held_on(side) >> Working::first_slot(side);
        if held == 0 && wanted.is_empty() {
            return;
        }
        let orders = working.side(side);
        let mut served = [false; QUOTE_LEVELS_MAX];
        let mut serving = [false; QUOTE_LEVELS_MAX];
        if held != 0 {
            self.match_orders(wanted, orders, held, &mut served, &mut serving);
        }
        let first = Working::first_slot(side);
        for index in bits(held) {
            let order = &orders[index];
            if serving[index] || !self.may_cancel(first + index, order, pull.is_some(), now, plan) {
                continue;
            }
            let target = wanted.get(index).filter(|_| !served[index]);
            let reason = pull.unwrap_or(if target.is_some() { Reason::Requote } else { Reason::Unwanted });
            if let Some(quote) = target {
                if order.status == WorkingStatus::PendingAmend {
                    // Its answer comes first; what nobody wants, or must go, does not wait for it.
                    plan.waiting += 1;
                    continue;
                }
                // Replacing takes a place too. Without room an order that is not too aggressive is better than none.
                if *room == 0 && is_harmless(order, quote) {
                    plan.waiting += 1;
                    continue;
                }
                *room = room.saturating_sub(1);
            }
            plan.add_cancel(CancelStep { slot: SlotId((first + index) as u8), reason });
        }
        self.plan_places(side, wanted, orders, &served, now, room, plan);
    }

    /// Which targets are served by which orders: each target by the order of its own slot, else by any other.
    fn match_orders(
        &self,
        wanted: &[Quote],
        orders: &[WorkingOrder],
        held: u32,
        served: &mut [bool; QUOTE_LEVELS_MAX],
        serving: &mut [bool; QUOTE_LEVELS_MAX],
    ) {
        for (level, quote) in wanted.iter().enumerate() {
            if self.serves(&orders[level], quote) {
                served[level] = true;
                serving[level] = true;
            }
        }
        for (level, quote) in wanted.iter().enumerate() {
            if served[level] {
                continue;
            }
            let other = bits(held).find(|&index| !serving[index] && self.serves(&orders[index], quote));
            if let Some(index) = other {
                served[level] = true;
                serving[index] = true;
            }
        }
    }

    /// Places for targets without an order, the best first, each in a free slot.
    #[allow(clippy::too_many_arguments)]
    fn plan_places(
        &self,
        side: Side,
        wanted: &[Quote],
        orders: &[WorkingOrder],
        served: &[bool; QUOTE_LEVELS_MAX],
        now: Nanos,
        room: &mut u32,
        plan: &mut QuotePlan,
    ) {
        let first = Working::first_slot(side);
        let mut taken = [false; QUOTE_LEVELS_MAX];
        for (level, quote) in wanted.iter().enumerate() {
            if served[level] {
                continue;
            }
            // Only as many slots as targets are used, so an order on its way out holds its target back.
            let is_free = |index: usize| !taken[index] && orders[index].status == WorkingStatus::Empty;
            let free = if is_free(level) { Some(level) } else { (0..wanted.len()).find(|&index| is_free(index)) };
            let Some(index) = free else {
                plan.waiting += 1;
                continue;
            };
            taken[index] = true;
            let slot = &self.slots[first + index];
            if now < slot.place_from {
                plan.waiting += 1;
                plan.wake = plan.wake.min(slot.place_from);
                continue;
            }
            if *room == 0 {
                plan.waiting += 1;
                plan.out_of_budget = true;
                continue;
            }
            *room -= 1;
            let reason = if slot.requoting { Reason::Requote } else { Reason::New };
            plan.add_place(PlaceStep { slot: SlotId((first + index) as u8), side, quote: *quote, reason });
        }
    }

    /// Whether an order that serves no target may be cancelled now: it was accepted or is unknown, no cancel is in
    /// flight, and no refused one is waiting. Where everything must go, a place without an answer is cancelled too: the
    /// venue takes the two in the order in which they are sent, and its answer may be seconds away.
    fn may_cancel(&self, slot: usize, order: &WorkingOrder, pulled: bool, now: Nanos, plan: &mut QuotePlan) -> bool {
        let cancellable = match order.status {
            WorkingStatus::Live | WorkingStatus::PendingAmend | WorkingStatus::Unknown => true,
            WorkingStatus::PendingPlace => pulled,
            WorkingStatus::PendingCancel | WorkingStatus::Empty | WorkingStatus::Done => false,
        };
        if !cancellable {
            return false;
        }
        let from = self.slots[slot].cancel_from;
        if now < from {
            plan.wake = plan.wake.min(from);
            return false;
        }
        true
    }

    /// Whether an order stands for a target: on its way or resting, near enough in price, not larger, not too small.
    fn serves(&self, order: &WorkingOrder, quote: &Quote) -> bool {
        if !matches!(order.status, WorkingStatus::PendingPlace | WorkingStatus::Live | WorkingStatus::PendingAmend)
            || order.time_in_force != quote.time_in_force
        {
            return false;
        }
        let within = match order.side {
            Side::Bid => order.tick <= quote.tick_limit,
            Side::Ask => order.tick >= quote.tick_limit,
        };
        let distance = (i128::from(order.tick.0) - i128::from(quote.tick.0)).abs();
        let tolerance = i128::from(quote.tick.0) * i128::from(self.settings.refresh_tolerance_millionths);
        within && distance * 1_000_000 <= tolerance && self.is_size_kept(order.lots_open(), quote.lots)
    }

    fn is_size_kept(&self, open: Lots, wanted: Lots) -> bool {
        let least = i128::from(wanted.0) * i128::from(self.settings.lots_keep_millionths);
        open <= wanted && i128::from(open.0) * 1_000_000 >= least
    }

    /// Whether a slot of a side waits before it may place again: its last order ended or was refused.
    #[must_use]
    pub fn is_waiting(&self, side: Side, now: Nanos) -> bool {
        let first = Working::first_slot(side);
        self.slots[first..first + QUOTE_LEVELS_MAX].iter().any(|slot| now < slot.place_from)
    }

    /// Whether the order of a slot may be amended or replaced now, rather than cancelled.
    #[cold]
    #[must_use]
    pub fn may_amend(&self, slot: SlotId, now: Nanos) -> bool {
        self.settings.requote != Requote::CancelPlace && now >= self.slots[usize::from(slot.0)].place_from
    }

    /// Notes that an order could not be amended or replaced: for a while it is cancelled instead. Returns whether these were
    /// too many refusals.
    #[cold]
    pub fn on_amend_rejected(&mut self, slot: SlotId, ordinary: bool, now: Nanos) -> bool {
        let state = &mut self.slots[usize::from(slot.0)];
        state.place_from = state.place_from.max(now + self.settings.requote_wait);
        state.cancel_from = Nanos::ZERO;
        if ordinary {
            return false;
        }
        self.rejects.take(1, now);
        self.rejects.room(now) == 0
    }

    /// Notes a place that left.
    pub fn on_place_sent(&mut self, slot: SlotId) {
        self.slots[usize::from(slot.0)].requoting = false;
    }

    /// Notes a cancel that left: no other before its answer, or before the request has timed out.
    pub fn on_cancel_sent(&mut self, slot: SlotId, reason: Reason, now: Nanos) {
        let slot = &mut self.slots[usize::from(slot.0)];
        slot.requoting = reason == Reason::Requote;
        slot.cancel_from = now + self.settings.request_timeout;
    }

    /// Notes that the venue accepted the slot's order.
    pub fn on_accepted(&mut self, slot: SlotId) {
        let slot = &mut self.slots[usize::from(slot.0)];
        slot.rejects = 0;
        slot.cancel_from = Nanos::ZERO;
    }

    /// Notes that a cancel was refused: the order is alive, or its end is on its way. Returns whether this is a storm.
    pub fn on_cancel_rejected(&mut self, slot: SlotId, now: Nanos) -> bool {
        self.slots[usize::from(slot.0)].cancel_from = now + self.settings.reject_wait;
        self.cancel_rejects.take(1, now);
        self.cancel_rejects.room(now) == 0
    }

    /// notes the first fill of an order and what it did to the exposure; returns whether these were too many that
    /// went the same way.
    pub fn on_order_filled(&mut self, before: Lots, after: Lots, now: Nanos) -> bool {
        if before.0.signum() != after.0.signum() {
            self.fills.clear();
        }
        if after.0.unsigned_abs() <= before.0.unsigned_abs() {
            return false;
        }
        self.fills.take(1, now);
        self.fills.room(now) == 0
    }

    /// Notes how the slot's order ended; returns whether this is a reject storm. `ordinary` says that a reject is no
    /// fault of the order: the gateway refused it, or the market had overtaken a post-only price.
    pub fn on_ended(&mut self, slot: SlotId, outcome: OrderOutcome, ordinary: bool, now: Nanos) -> bool {
        let settings = self.settings;
        let state = &mut self.slots[usize::from(slot.0)];
        state.cancel_from = Nanos::ZERO;
        match outcome {
            OrderOutcome::Rejected if !ordinary => {
                let doublings = u32::from(state.rejects).min(32);
                let wait = settings.reject_wait.0.saturating_mul(1_i64 << doublings).min(settings.reject_wait_max.0);
                state.rejects = state.rejects.saturating_add(1);
                state.place_from = now + Nanos(wait);
                self.rejects.take(1, now);
                return self.rejects.room(now) == 0;
            }
            OrderOutcome::Rejected | OrderOutcome::Expired => state.place_from = now + settings.requote_wait,
            OrderOutcome::Canceled | OrderOutcome::Filled => state.rejects = 0,
        }
        false
    }
}

/// The places of the bits that are set, lowest first.
#[inline]
fn bits(mut set: u32) -> impl Iterator<Item = usize> {
    core::iter::from_fn(move || {
        let lowest = set.trailing_zeros() as usize;
        let any = set != 0;
        set &= set.wrapping_sub(1);
        any.then_some(lowest)
    })
}

/// Whether an order may stay while its replacement waits: no more aggressive and no larger than the target.
fn is_harmless(order: &WorkingOrder, quote: &Quote) -> bool {
    let passive = match order.side {
        Side::Bid => order.tick <= quote.tick,
        Side::Ask => order.tick >= quote.tick,
    };
    passive && order.lots_open() <= quote.lots && order.status == WorkingStatus::Live
}
