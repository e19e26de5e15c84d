//! COLD: orders that an earlier run left open and this one takes over: they count from the first moment on, and stand until
//! gateway and book have begun.

use crate::counters::Counter;
use crate::intent::{Reason, TimeInForce};
use crate::limits::{QUOTE_LEVELS_MAX, SLOTS};
use crate::strategy::Strategy;
use crate::types::{InstrumentId, Lots, Nanos, OrderId, Side, SlotId, Tick};
use crate::unquoted::Unquoted;
use crate::working::{Working, WorkingOrder, WorkingStatus};

use super::Engine;

/// An order of an earlier run that was found open at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdoptedOrder {
    /// Its id, which it keeps: of an earlier run, so that no new one is equal.
    pub order: OrderId,
    /// Of what.
    pub instrument: InstrumentId,
    /// The quote slot it stands for.
    pub slot: SlotId,
    /// Buy or sell.
    pub side: Side,
    /// How long it may live.
    pub time_in_force: TimeInForce,
    /// Price.
    pub tick: Tick,
    /// Ordered.
    pub lots: Lots,
    /// Filled of it so far: what is held at the start has that already.
    pub filled: Lots,
}

impl AdoptedOrder {
    /// The level that its slot is of, the best being 0; `None` if the slot is not one of its side.
    #[must_use]
    pub fn level(&self) -> Option<usize> {
        let level = usize::from(self.slot.0).checked_sub(Working::first_slot(self.side))?;
        (level < QUOTE_LEVELS_MAX && usize::from(self.slot.0) < SLOTS).then_some(level)
    }
}

impl<S: Strategy> Engine<S> {
    /// Takes an order of an earlier run over, before the first event. It counts as live at the worst until the gateway says
    /// what it is, and until `until` it is not pulled for a gateway or a book that has not begun. False, and nothing is
    /// changed, where it does not fit: no such instrument, a slot that is taken or of the other side, an id of this run.
    #[must_use]
    #[allow(clippy::disallowed_methods)] // before the first event
    pub fn adopt(&mut self, adopted: &AdoptedOrder, until: Nanos) -> bool {
        let index = adopted.instrument.index();
        let is_earlier = adopted.order != OrderId::NONE && adopted.order.epoch() < self.epoch;
        let is_sound = adopted.lots > adopted.filled && adopted.filled >= Lots::ZERO && adopted.level().is_some();
        let Some(working) = self.inputs.working.get_mut(index) else { return false };
        if !is_earlier || !is_sound || self.adopted.contains(&adopted.order) || !working.take_over(adopted) {
            return false;
        }
        self.counters.increment(Counter::OrdersAdopted);
        self.adopted.push(adopted.order);
        self.adopt_until = until;
        self.instrument_slots[index].holds_adopted = true;
        self.instrument_slots[index].settled = false;
        self.recount_undecided(index);
        self.note_exposure(index);
        self.wake_at(adopted.instrument, until);
        true
    }

    /// Whether the quotes of an instrument, which are to be pulled, stand all the same: they were taken over, and what they
    /// wait for has not begun. From the first pull on they are as any.
    #[cold]
    #[inline(never)]
    pub(super) fn keeps_adopted(&mut self, instrument: InstrumentId, pull: Reason, now: Nanos) -> bool {
        let index = instrument.index();
        let slot = &self.instrument_slots[index];
        let venue = &self.venues[slot.venue];
        let may_place = self.state.tightened(slot.state).may_place();
        let waits = match pull {
            Reason::TradingState => may_place && !venue.was_ready,
            // A book that was quoted on and is not any more is a reason as ever.
            Reason::BookNotLive => !self.book_has_begun(index),
            _ => false,
        };
        let keeps = waits && now < self.adopt_until;
        self.instrument_slots[index].holds_adopted = keeps;
        if keeps {
            self.instrument_slots[index].wake = self.adopt_until;
        }
        keeps
    }

    /// Whether a book has come, with all that it is held against.
    fn book_has_begun(&self, index: usize) -> bool {
        let awaited = [Some(Unquoted::BookWaiting), Some(Unquoted::ReferenceMissing)];
        let is_judged = !awaited.contains(&self.instrument_slots[index].feed_lag.reason());
        let is_lost = !self.inputs.markets[index].book().is_live();
        self.inputs.positions[index].mid_doubled_first().is_some() && (is_judged || is_lost)
    }

    /// The runs before this one on its accounts: an execution of an order of theirs is booked as any, and no stranger's.
    /// Before the first event.
    #[allow(clippy::disallowed_methods)] // before the first event
    pub fn know_earlier_runs(&mut self, runs: impl IntoIterator<Item = u32>) {
        self.earlier_runs.extend(runs);
    }

    /// Whether an order is of one of the runs before this one.
    pub(super) fn is_of_earlier_run(&self, order: OrderId) -> bool {
        order.epoch() < self.epoch && self.earlier_runs.contains(&order.epoch())
    }

    /// Whether an order of an earlier run was taken over.
    #[must_use]
    pub fn is_adopted(&self, order: OrderId) -> bool {
        self.adopted.contains(&order)
    }
}

impl Working {
    /// Puts an order of an earlier run into its slot; false if that is taken.
    #[cold]
    fn take_over(&mut self, adopted: &AdoptedOrder) -> bool {
        let is_free = self.slot(adopted.slot).status == WorkingStatus::Empty;
        if is_free {
            self.put_back(WorkingOrder {
                order: adopted.order,
                tick: adopted.tick,
                lots: adopted.lots,
                filled: adopted.filled,
                claimed: adopted.filled,
                slot: adopted.slot,
                side: adopted.side,
                time_in_force: adopted.time_in_force,
                status: WorkingStatus::Unknown,
                accepted: true,
                acknowledged: true,
                ..WorkingOrder::EMPTY
            });
        }
        is_free
    }
}
