//! HOT: the worst price that an amended order ever had or was asked to have.
//!
//! An execution may be told after its price is no longer in force, by a list that was asked for later or by an event that
//! was overtaken; so what an order may have been filled at is more than its price of now. Nothing of it is looked at unless
//! an order is amended, or filled at a worse price than it has.

use crate::limits::{SLOTS, WORKING_ORDERS_MAX};
use crate::types::{OrderId, Side, SlotId, Tick};

use super::{Working, WorkingOrder};

/// The worst prices, by order.
#[derive(Clone, Debug)]
pub(super) struct AmendedPrices {
    /// Of the order that was amended last in each slot.
    slots: [(OrderId, Tick); SLOTS],
    /// Of those before them that are still known: as many as can be.
    former: [(OrderId, Tick); WORKING_ORDERS_MAX],
}

impl AmendedPrices {
    pub(super) const NONE: AmendedPrices = AmendedPrices {
        slots: [(OrderId::NONE, Tick(0)); SLOTS],
        former: [(OrderId::NONE, Tick(0)); WORKING_ORDERS_MAX],
    };

    fn of(&self, order: OrderId) -> Option<Tick> {
        let noted = self.slots.iter().chain(&self.former).find(|(known, _)| *known == order && order != OrderId::NONE);
        noted.map(|(_, tick)| *tick)
    }
}

/// The one of two prices that is worse for us.
const fn worse(side: Side, one: Tick, other: Tick) -> Tick {
    match (side, one.0 > other.0) {
        (Side::Bid, true) | (Side::Ask, false) => one,
        (Side::Bid, false) | (Side::Ask, true) => other,
    }
}

impl Working {
    /// Notes that the order of a slot, as it is, is asked to have another price.
    pub(super) fn note_amended(&mut self, slot: SlotId, order: &WorkingOrder, wanted: Tick) {
        let at = usize::from(slot.0);
        let (known, worst) = self.amended.slots[at];
        if known == order.order {
            self.amended.slots[at].1 = worse(order.side, worst, wanted);
            return;
        }
        self.amended.slots[at] = (order.order, worse(order.side, order.tick, wanted));
        if self.find(known, slot).is_some() {
            // As many places as orders are known at once, so one of them is free.
            let free = (0..WORKING_ORDERS_MAX).find(|&place| self.find(self.amended.former[place].0, slot).is_none());
            if let Some(place) = free {
                self.amended.former[place] = (known, worst);
            }
        }
    }

    /// The worst price that an order may have been filled at, if an execution was at a worse one: `order` is as it is now.
    #[inline]
    pub(super) fn overrun(&self, order: &WorkingOrder, filled_at: Tick) -> Option<Tick> {
        if worse(order.side, order.tick, filled_at) == order.tick { None } else { self.overrun_ever(order, filled_at) }
    }

    #[cold]
    #[inline(never)]
    fn overrun_ever(&self, order: &WorkingOrder, filled_at: Tick) -> Option<Tick> {
        let worst = self.amended.of(order.order).map_or(order.tick, |worst| worse(order.side, worst, order.tick));
        (worse(order.side, worst, filled_at) != worst).then_some(worst)
    }
}
