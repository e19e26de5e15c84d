//! HOT: the requests of one turn of one instrument, in fixed arrays.

use crate::intent::Reason;
use crate::limits::SLOTS;
use crate::strategy::Quote;
use crate::types::{Nanos, Side, SlotId};

/// Cancel the order of a slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CancelStep {
    /// The slot of the order to cancel.
    pub slot: SlotId,
    /// Why it is cancelled; copied into the intent.
    pub reason: Reason,
}

/// Place an order in a free slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlaceStep {
    /// The free slot that takes the order.
    pub slot: SlotId,
    /// Which side the slot is of.
    pub side: Side,
    /// Price, quantity and time in force.
    pub quote: Quote,
    /// Why it is placed; copied into the intent.
    pub reason: Reason,
}

/// What the quoter wants done this turn: cancels first.
#[derive(Clone, Copy, Debug)]
pub struct QuotePlan {
    cancels: [CancelStep; SLOTS],
    cancel_count: usize,
    places: [PlaceStep; SLOTS],
    place_count: usize,
    /// Targets that could not be served this turn.
    pub waiting: u32,
    /// Whether one of them waits for the venue's budget.
    pub out_of_budget: bool,
    /// The earliest time at which a waiting slot may try again; [`Nanos::NEVER`] if none waits.
    pub wake: Nanos,
}

impl Default for QuotePlan {
    fn default() -> QuotePlan {
        QuotePlan {
            cancels: [CancelStep::default(); SLOTS],
            cancel_count: 0,
            places: [PlaceStep::default(); SLOTS],
            place_count: 0,
            waiting: 0,
            out_of_budget: false,
            wake: Nanos::NEVER,
        }
    }
}

impl QuotePlan {
    /// Empties the plan for the next turn.
    #[inline]
    pub fn clear(&mut self) {
        self.cancel_count = 0;
        self.place_count = 0;
        self.waiting = 0;
        self.out_of_budget = false;
        self.wake = Nanos::NEVER;
    }

    /// At most one request a slot, so the arrays cannot overflow.
    #[inline]
    pub(super) fn add_cancel(&mut self, step: CancelStep) {
        self.cancels[self.cancel_count] = step;
        self.cancel_count += 1;
    }

    #[inline]
    pub(super) fn add_place(&mut self, step: PlaceStep) {
        self.places[self.place_count] = step;
        self.place_count += 1;
    }

    /// A target has its order: it is not placed as well.
    #[cold]
    pub(crate) fn drop_place(&mut self, side: Side, quote: &Quote) {
        let is_it = |step: &PlaceStep| step.side == side && step.quote == *quote;
        if let Some(place) = self.places().iter().position(is_it) {
            self.places.copy_within(place + 1..self.place_count, place);
            self.place_count -= 1;
        }
    }

    /// Orders to cancel.
    #[inline]
    #[must_use]
    pub fn cancels(&self) -> &[CancelStep] {
        &self.cancels[..self.cancel_count]
    }

    /// Orders to place.
    #[inline]
    #[must_use]
    pub fn places(&self) -> &[PlaceStep] {
        &self.places[..self.place_count]
    }
}
