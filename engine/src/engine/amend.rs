//! HOT: an order brought to another target by one request: an amendment, or a cancel and a place at once.
//!
//! it passes the whole chain of a new order, and more: until the venue's word the worse of what was and what is
//! wanted counts. Where it may not leave, the order is cancelled as any other.

use crate::counters::Counter;
use crate::intent::{Intent, IntentKind, Reason, TimeInForce};
use crate::limits::QUOTE_LEVELS_MAX;
use crate::quoter::{CancelStep, Requote};
use crate::risk::{Denied, Draft, StopCause, TradingState};
use crate::strategy::{Quote, Strategy};
use crate::types::{InstrumentId, Level, Lots, Nanos, OrderId};
use crate::working::{Working, WorkingOrder, WorkingStatus};

use super::Engine;

impl<S: Strategy> Engine<S> {
    /// Amends or replaces an order that was to be cancelled for another target; false if it is to be cancelled after all.
    #[cold]
    #[inline(never)]
    pub(super) fn amend(&mut self, instrument: InstrumentId, step: &CancelStep, now: Nanos) -> bool {
        let index = instrument.index();
        let order = *self.inputs.working[index].slot(step.slot);
        let level = usize::from(step.slot.0) - Working::first_slot(order.side);
        debug_assert!(level < QUOTE_LEVELS_MAX, "a slot is of its side");
        let Some(quote) = self.targets.quotes(instrument).side(order.side).get(level).copied() else { return false };
        let rests = order.status == WorkingStatus::Live && !self.inputs.working[index].is_leaving(step.slot);
        let same = order.time_in_force == quote.time_in_force && quote.time_in_force != TimeInForce::ImmediateOrCancel;
        let active = self.instrument_state(instrument) == TradingState::Active && !self.tightened;
        if !rests || !same || !active || !self.quoters[index].may_amend(step.slot, now) {
            return false;
        }
        let replaces = self.quoters[index].settings().requote == Requote::Replace;
        let filled = Lots(order.filled.0.max(order.claimed.0));
        let lots = if replaces { quote.lots } else { Lots(filled.0.saturating_add(quote.lots.0)) };
        if let Err(denied) = self.check_amend(instrument, &order, &quote, lots, now) {
            self.counters.increment(denied.counter());
            return false;
        }
        if !self.push_amend(instrument, &order, Level { tick: quote.tick, lots }, replaces, now) {
            return false;
        }
        self.plan.drop_place(order.side, &quote);
        true
    }

    /// The risk chain of a new order, without the order that becomes it; then the worst that may come before the venue's
    /// word.
    fn check_amend(
        &mut self,
        instrument: InstrumentId,
        order: &WorkingOrder,
        quote: &Quote,
        lots: Lots,
        now: Nanos,
    ) -> Result<(), Denied> {
        let index = instrument.index();
        let replaces = self.quoters[index].settings().requote == Requote::Replace;
        let draft = Draft { side: order.side, tick: quote.tick, lots, time_in_force: quote.time_in_force };
        let lifted = self.inputs.working[index].lift(order.slot);
        let checked = self.check_again(instrument, &draft, now);
        self.inputs.working[index].put_back(lifted);
        checked?;
        // All of both, or what the larger of the two leaves to be filled.
        let larger = lots.0.saturating_sub(order.filled.0).saturating_sub(order.lots_open().0);
        let more = if replaces { lots } else { Lots(larger.max(0)) };
        let exposure = self.inputs.positions[index].exposure();
        self.risks[index].check_worst(order.side, more, exposure, &self.inputs.working[index])?;
        if self.exposures.is_limited() {
            self.check_exposures(index, &Draft { lots: more, ..draft })?;
        }
        Ok(())
    }

    fn push_amend(
        &mut self,
        instrument: InstrumentId,
        order: &WorkingOrder,
        wanted: Level,
        replaces: bool,
        now: Nanos,
    ) -> bool {
        let index = instrument.index();
        let mut id = order.order;
        if replaces {
            let Some(counter) = self.order_counter.checked_add(1) else {
                self.tighten(TradingState::Halted, StopCause::OrderIdsUsedUp, now);
                return false;
            };
            id = OrderId::new(self.epoch, counter);
        }
        let intent = Intent {
            order: id,
            replaces: if replaces { order.order } else { OrderId::NONE },
            tick: wanted.tick,
            lots: wanted.lots,
            slot: order.slot,
            kind: if replaces { IntentKind::Replace } else { IntentKind::Amend },
            side: order.side,
            time_in_force: order.time_in_force,
            reason: Reason::Requote,
            deadline: now + self.quoters[index].settings().order_deadline,
            mid: self.mid_sent(index),
            ..self.intent(instrument, now)
        };
        if self.orders.push(intent).is_err() {
            self.counters.increment(Counter::OrderRingFull);
            self.tighten(TradingState::CancelOnly, StopCause::OrderRingFull, now);
            return false;
        }
        self.counters.increment(Counter::PlacesSent);
        let working = &mut self.inputs.working[index];
        if replaces {
            self.order_counter = id.counter();
            self.counters.increment(Counter::ReplacesSent);
            working.on_replaced(WorkingOrder {
                order: id,
                tick: wanted.tick,
                lots: wanted.lots,
                requested: now,
                slot: order.slot,
                side: order.side,
                time_in_force: order.time_in_force,
                ..WorkingOrder::EMPTY
            });
        } else {
            self.counters.increment(Counter::AmendsSent);
            working.on_amend_sent(order.slot, wanted, now);
        }
        self.note_exposure(index);
        self.venues[self.instrument_slots[index].venue].budget.on_place(now);
        self.trace_intent(&intent, now);
        true
    }

    /// Orders that are being replaced and are alive all the same, or must go at once, get a cancel of their own.
    #[cold]
    #[inline(never)]
    pub(super) fn cancel_leaving(&mut self, instrument: InstrumentId, pulled: Option<Reason>, now: Nanos) {
        let index = instrument.index();
        let settings = *self.quoters[index].settings();
        let pulls = pulled.is_some();
        while let Some(slot) = self.inputs.working[index].leaving_to_cancel(pulls, settings.reject_wait, now) {
            let Some(order) = self.inputs.working[index].leaving_in(slot).copied() else { break };
            let intent = self.cancel_intent(instrument, (slot, &order), pulled.unwrap_or(Reason::Unwanted), now);
            if self.cancels.push(intent).is_err() {
                self.counters.increment(Counter::CancelRingFull);
                self.wake_at(instrument, now + Nanos::from_millis(1));
                return;
            }
            self.counters.increment(Counter::CancelsSent);
            self.inputs.working[index].on_leaving_cancel_sent(slot, now);
            self.venues[self.instrument_slots[index].venue].budget.on_cancel(now);
            self.trace_intent(&intent, now);
        }
        let due = self.inputs.working[index].leaving_due(settings.request_timeout);
        self.wake_at(instrument, due);
    }

    /// Requests about orders that leave which were not answered in time.
    #[cold]
    #[inline(never)]
    pub(super) fn time_out_leaving(&mut self, index: usize, timeout: Nanos, now: Nanos) -> bool {
        let count = self.inputs.working[index].on_leaving_timeout(timeout, now);
        self.counters.add(Counter::RequestsTimedOut, count);
        self.counters.add(Counter::OrdersUnknown, count);
        count > 0
    }
}
