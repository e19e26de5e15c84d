//! HOT: what is on its way out of a slot behind a request that changes its order: the order itself, or its old price.
//!
//! Until the venue's word both what was and what is wanted may hold. Of an order that is to be replaced, all that is left
//! may be filled but its last lot, and the new one after it: both count. Of an order that is to be amended, the larger of
//! the two quantities counts, and neither price may meet an order of ours.

use crate::limits::{QUOTE_LEVELS_MAX, SLOTS};
use crate::types::{Level, Lots, Nanos, OrderId, Side, SlotId, Tick};

use super::{Place, Working, WorkingOrder, WorkingStatus};

/// What leaves, by slot.
#[derive(Clone, Debug)]
pub(super) struct Leaving {
    /// An order that is to be replaced; without an id, what an order had before its amendment.
    pub(super) orders: [WorkingOrder; SLOTS],
    /// A bit for each slot that something leaves.
    pub(super) held: u32,
}

impl Leaving {
    pub(super) const NONE: Leaving = Leaving { orders: [WorkingOrder::EMPTY; SLOTS], held: 0 };

    fn places(&self) -> impl Iterator<Item = usize> + '_ {
        (0..SLOTS).filter(|slot| self.held & (1 << slot) != 0)
    }

    pub(super) fn take(&mut self, slot: usize) -> WorkingOrder {
        self.held &= !(1 << slot);
        core::mem::replace(&mut self.orders[slot], WorkingOrder::EMPTY)
    }

    fn put(&mut self, slot: usize, order: WorkingOrder) {
        debug_assert_eq!(self.held & (1 << slot), 0, "one thing leaves a slot at a time");
        self.orders[slot] = order;
        self.held |= 1 << slot;
    }

    #[cold]
    pub(super) fn find(&self, order: OrderId) -> Option<usize> {
        self.places().find(|&slot| self.orders[slot].order == order)
    }

    /// What may still be filled of it, by side, on top of what stands in the slots.
    #[cold]
    pub(super) fn lots_open(&self, side: Side) -> i64 {
        let orders = self.places().map(|slot| &self.orders[slot]).filter(|order| order.side == side);
        orders.fold(0, |sum, order| sum.saturating_add(order.lots_open().0))
    }

    #[cold]
    pub(super) fn ticks(&self, side: Side) -> impl Iterator<Item = Tick> + '_ {
        self.places().map(|slot| &self.orders[slot]).filter(move |order| order.side == side).map(|order| order.tick)
    }
}

impl Working {
    /// Whether something leaves a slot: an order that is being replaced, or the old price of one that is being amended.
    #[inline]
    #[must_use]
    pub fn has_leaving(&self) -> bool {
        self.leaving.held != 0
    }

    /// Whether something leaves this slot.
    #[must_use]
    pub fn is_leaving(&self, slot: SlotId) -> bool {
        self.leaving.held & (1 << slot.0) != 0
    }

    /// Orders that are being replaced, and may be alive.
    pub fn leaving(&self) -> impl Iterator<Item = &WorkingOrder> {
        let orders = self.leaving.places().map(|slot| &self.leaving.orders[slot]);
        orders.filter(|order| order.order != OrderId::NONE && order.status.is_open())
    }

    /// Orders that may be alive at once: one that one request cancels for another is not, beside that other.
    #[inline]
    #[must_use]
    pub fn open_at_once(&self) -> usize {
        self.open().count() + if self.has_leaving() { self.leaving_at_once() } else { 0 }
    }

    #[cold]
    fn leaving_at_once(&self) -> usize {
        self.leaving().filter(|order| order.status != WorkingStatus::PendingCancel || order.cancels > 0).count()
    }

    /// Notes that `order` was handed to the ring to take the place of the one in its slot, which rests.
    #[cold]
    pub fn on_replaced(&mut self, order: WorkingOrder) {
        let slot = usize::from(order.slot.0);
        let former = self.slots[slot];
        debug_assert_eq!(former.status, WorkingStatus::Live, "only what rests is replaced");
        let status = WorkingStatus::PendingCancel;
        self.leaving.put(slot, WorkingOrder { status, requested: order.requested, cancels: 0, ..former });
        self.slots[slot] = WorkingOrder::EMPTY;
        self.held &= !(1 << slot);
        self.on_placed(order);
        self.recount_owed();
    }

    /// Notes that the order in a slot, which rests, is asked to have another price and quantity, what is filled included.
    #[cold]
    pub fn on_amend_sent(&mut self, slot: SlotId, wanted: Level, now: Nanos) {
        let order = self.slots[usize::from(slot.0)];
        self.note_amended(slot, &order, wanted.tick);
        let slot = usize::from(slot.0);
        let order = &mut self.slots[slot];
        debug_assert_eq!(order.status, WorkingStatus::Live, "only what rests is amended");
        // What it may be filled for beyond the new quantity, if the amendment does not come.
        let lots = Lots(order.lots.0.saturating_sub(wanted.lots.0).max(0));
        let status = WorkingStatus::PendingCancel;
        let former =
            WorkingOrder { order: OrderId::NONE, status, lots, filled: Lots::ZERO, claimed: Lots::ZERO, ..*order };
        (order.tick, order.lots) = (wanted.tick, wanted.lots);
        (order.status, order.requested) = (WorkingStatus::PendingAmend, now);
        self.leaving.put(slot, former);
        self.recount_owed();
    }

    /// Whether the order of a slot may still have what it had before an amendment.
    #[inline]
    pub(super) fn is_amending(&self, slot: usize) -> bool {
        self.leaving.held & (1 << slot) != 0 && self.leaving.orders[slot].order == OrderId::NONE
    }

    /// The most that an order may have been ordered for.
    #[inline]
    pub(super) fn lots_most(&self, place: Place) -> Lots {
        let lots = self.at(place).lots;
        match place {
            Place::Slot(slot) if self.is_amending(slot) => {
                Lots(lots.0.saturating_add(self.leaving.orders[slot].lots.0))
            }
            _ => lots,
        }
    }

    /// The venue's word on an amendment: what is in force. An order that is being replaced stays, by it.
    #[cold]
    pub(super) fn apply_in_force(&mut self, place: Place, level: Level) {
        match place {
            Place::Finished(_) => return,
            Place::Leaving(_) => {}
            Place::Slot(slot) => {
                if self.is_amending(slot) {
                    self.leaving.take(slot);
                }
                let order = &mut self.slots[slot];
                if level.lots > Lots::ZERO {
                    (order.tick, order.lots) = (level.tick, level.lots);
                }
                if order.claimed >= order.lots {
                    order.status = WorkingStatus::Done;
                    return;
                }
            }
        }
        let order = self.at_mut(place);
        let undecided = match order.status {
            WorkingStatus::PendingAmend => true,
            WorkingStatus::PendingCancel | WorkingStatus::Unknown => order.cancels == 0,
            _ => false,
        };
        if undecided {
            order.status = WorkingStatus::Live;
        }
    }

    /// An order that was to be replaced goes back to its slot if nothing stands there any more.
    #[cold]
    pub(super) fn restore(&mut self, slot: usize) {
        let is_order = self.leaving.held & (1 << slot) != 0 && self.leaving.orders[slot].order != OrderId::NONE;
        if is_order && self.slots[slot].status == WorkingStatus::Empty {
            self.slots[slot] = self.leaving.take(slot);
            self.held |= 1 << slot;
            self.recount_owed();
        }
    }

    /// The next order that leaves and for which a cancel of its own is due, beside the request to replace it: it is alive or
    /// may be, or everything must go. None is sent again within `wait` of the last.
    #[cold]
    #[must_use]
    pub fn leaving_to_cancel(&self, pulled: bool, wait: Nanos, now: Nanos) -> Option<SlotId> {
        let due = |order: &WorkingOrder| match order.status {
            WorkingStatus::Live | WorkingStatus::Unknown => order.cancels == 0 || now - order.requested >= wait,
            WorkingStatus::PendingCancel => pulled && order.cancels == 0,
            _ => false,
        };
        self.leaving().find(|order| due(order)).map(|order| order.slot)
    }

    /// The order that leaves a slot, if it is one that is being replaced.
    #[must_use]
    pub fn leaving_in(&self, slot: SlotId) -> Option<&WorkingOrder> {
        self.leaving().find(|order| order.slot == slot)
    }

    /// Notes a cancel of its own for an order that leaves.
    #[cold]
    pub fn on_leaving_cancel_sent(&mut self, slot: SlotId, now: Nanos) {
        let order = &mut self.leaving.orders[usize::from(slot.0)];
        order.status = WorkingStatus::PendingCancel;
        order.requested = now;
        order.cancels = order.cancels.saturating_add(1);
    }

    /// Makes orders that leave unknown whose request was not answered in `timeout`; returns how many.
    #[cold]
    pub fn on_leaving_timeout(&mut self, timeout: Nanos, now: Nanos) -> u64 {
        let mut count = 0;
        for slot in 0..SLOTS {
            let order = &mut self.leaving.orders[slot];
            let is_order = self.leaving.held & (1 << slot) != 0 && order.order != OrderId::NONE;
            if is_order && order.status == WorkingStatus::PendingCancel && now - order.requested >= timeout {
                order.status = WorkingStatus::Unknown;
                count += 1;
            }
        }
        count
    }

    /// When the first request about an order that leaves has waited for `timeout`.
    #[cold]
    #[must_use]
    pub fn leaving_due(&self, timeout: Nanos) -> Nanos {
        self.leaving().map(|order| order.requested + timeout).min().unwrap_or(Nanos::NEVER)
    }

    /// Takes the order out of a slot, to look at the rest without it; [`Working::put_back`] follows.
    #[cold]
    #[must_use]
    pub fn lift(&mut self, slot: SlotId) -> WorkingOrder {
        self.held &= !(1 << slot.0);
        core::mem::replace(&mut self.slots[usize::from(slot.0)], WorkingOrder::EMPTY)
    }

    /// Puts an order back that was lifted.
    #[cold]
    pub fn put_back(&mut self, order: WorkingOrder) {
        self.held |= 1 << order.slot.0;
        self.slots[usize::from(order.slot.0)] = order;
    }

    /// As [`Working::own_levels`], where something leaves: until it is told otherwise an order is in the venue's book with what
    /// it had.
    #[cold]
    #[inline(never)]
    pub(super) fn own_levels_leaving(
        &self,
        side: Side,
        levels: &mut [Level; QUOTE_LEVELS_MAX],
        mut count: usize,
    ) -> usize {
        for slot in self.leaving.places() {
            let leaves = &self.leaving.orders[slot];
            if leaves.side != side {
                continue;
            }
            if leaves.order == OrderId::NONE {
                let wanted = self.slots[slot].tick;
                if let Some(level) = levels[..count].iter_mut().find(|level| level.tick == wanted) {
                    level.tick = leaves.tick;
                }
            } else if leaves.accepted && leaves.lots_open() > Lots::ZERO && count < levels.len() {
                levels[count] = Level { tick: leaves.tick, lots: leaves.lots_open() };
                count += 1;
            }
        }
        count
    }
}
