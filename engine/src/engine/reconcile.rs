//! HOT: from targets to intents on the rings: quoter, risk chain, and the notes of what left.

use crate::counters::Counter;
use crate::intent::{Intent, IntentKind, MidSent, Reason};
use crate::quoter::{CancelStep, PlaceStep, Requote};
use crate::risk::{Denied, Draft, ReferencePrice, RiskView, StopCause, TradingState};
use crate::strategy::Strategy;
use crate::types::{InstrumentId, Nanos, OrderId, Side, SlotId};
use crate::working::WorkingOrder;

use super::Engine;
use super::tracing::TracedOrder;

impl<S: Strategy> Engine<S> {
    /// Settles every instrument with the targets it has: pulls what may not stand.
    pub(super) fn reconcile_all_quotes(&mut self, now: Nanos) {
        for index in 0..self.instrument_slots.len() {
            let instrument = InstrumentId(index as u16);
            self.refresh_quotable(instrument, now);
            self.reconcile_quotes(instrument, now);
        }
    }

    /// Why every quote of an instrument must go, if it must.
    pub(super) fn pull_reason(&self, instrument: InstrumentId) -> Option<Reason> {
        let slot = &self.instrument_slots[instrument.index()];
        if self.standstill.is_some() {
            self.standstill
        } else if !slot.venue_ready || !self.state.tightened(slot.state).may_place() {
            Some(Reason::TradingState)
        } else if !self.inputs.quotable[instrument.index()] {
            Some(Reason::BookNotLive)
        } else {
            None
        }
    }

    /// Brings the working orders of an instrument nearer to its targets: cancels first, then places.
    pub(super) fn reconcile_quotes(&mut self, instrument: InstrumentId, now: Nanos) {
        let index = instrument.index();
        let pull = self.pull_reason(instrument);
        if let Some(reason) = pull
            && self.instrument_slots[index].holds_adopted
            && self.keeps_adopted(instrument, reason, now)
        {
            return self.note_deadline(instrument);
        }
        self.count_changes(instrument);
        let venue = &mut self.venues[self.instrument_slots[index].venue];
        let paused = now < venue.pause_until;
        let room = if paused || pull.is_some() { 0 } else { venue.budget.place_room(now) };
        let quotes = self.targets.quotes(instrument);
        if self.instrument_state(instrument) == TradingState::ReduceOnly {
            let mut reducing = *quotes;
            reducing.reduce(self.inputs.positions[index].exposure(), &self.inputs.instruments[index]);
            self.quoters[index].plan(&reducing, &self.inputs.working[index], room, pull, now, &mut self.plan);
        } else {
            self.quoters[index].plan(quotes, &self.inputs.working[index], room, pull, now, &mut self.plan);
        }
        let plan = &self.plan;
        let idle = plan.cancels().is_empty() && plan.places().is_empty() && plan.waiting == 0;
        self.instrument_slots[index].settled = idle && plan.wake == Nanos::NEVER && pull.is_none();
        self.instrument_slots[index].wake = plan.wake;
        self.counters.add(Counter::TargetsWaiting, u64::from(self.plan.waiting));
        if self.plan.out_of_budget {
            let venue = &self.venues[self.instrument_slots[index].venue];
            let more = if paused { venue.pause_until } else { venue.budget.next_change() };
            self.wake_at(instrument, more);
        }
        for step in 0..self.plan.cancels().len() {
            let step = self.plan.cancels()[step];
            let amends = step.reason == Reason::Requote
                && self.quoters[index].settings().requote != Requote::CancelPlace
                && self.amend(instrument, &step, now);
            if amends {
                continue;
            }
            self.send_cancel(instrument, &step, now);
        }
        for step in 0..self.plan.places().len() {
            if self.tightened {
                break;
            }
            let step = self.plan.places()[step];
            self.send_place(instrument, &step, now);
        }
        if self.inputs.working[index].has_leaving() {
            self.cancel_leaving(instrument, pull, now);
        }
        self.note_deadline(instrument);
    }

    fn count_changes(&mut self, instrument: InstrumentId) {
        let quotes = self.targets.quotes(instrument);
        let previous = &mut self.previous[instrument.index()];
        let changes = quotes.changes_from(previous);
        if changes > 0 || quotes.is_empty() != previous.is_empty() {
            self.counters.add(Counter::Quotes, changes);
            *previous = *quotes;
        }
    }

    pub(super) fn wake_at(&mut self, instrument: InstrumentId, at: Nanos) {
        let wake = &mut self.instrument_slots[instrument.index()].wake;
        *wake = (*wake).min(at);
        self.deadline = self.deadline.min(at);
    }

    fn send_cancel(&mut self, instrument: InstrumentId, step: &CancelStep, now: Nanos) {
        let index = instrument.index();
        let order = *self.inputs.working[index].slot(step.slot);
        let intent = self.cancel_intent(instrument, (step.slot, &order), step.reason, now);
        if self.cancels.push(intent).is_err() {
            // The order stays as it was, so the next turn tries again.
            self.counters.increment(Counter::CancelRingFull);
            self.wake_at(instrument, now + Nanos::from_millis(1));
            return;
        }
        self.counters.increment(Counter::CancelsSent);
        self.inputs.working[index].on_cancel_sent(step.slot, now);
        self.quoters[index].on_cancel_sent(step.slot, step.reason, now);
        self.venues[self.instrument_slots[index].venue].budget.on_cancel(now);
        self.trace_intent(&intent, now);
    }

    /// Cancels an order that has no slot any more: one that turned out to be alive after all.
    pub(super) fn send_cancel_of_lost_order(
        &mut self,
        instrument: InstrumentId,
        order: OrderId,
        side: Side,
        now: Nanos,
    ) {
        let intent = Intent {
            order,
            kind: IntentKind::Cancel,
            side,
            reason: Reason::Unwanted,
            deadline: Nanos::NEVER,
            ..self.intent(instrument, now)
        };
        match self.cancels.push(intent) {
            Ok(()) => {
                self.counters.increment(Counter::CancelsSent);
                self.venues[self.instrument_slots[instrument.index()].venue].budget.on_cancel(now);
                self.trace_intent(&intent, now);
            }
            Err(_) => self.counters.increment(Counter::CancelRingFull),
        }
    }

    fn send_place(&mut self, instrument: InstrumentId, step: &PlaceStep, now: Nanos) {
        let index = instrument.index();
        let quote = &step.quote;
        let draft = Draft { side: step.side, tick: quote.tick, lots: quote.lots, time_in_force: quote.time_in_force };
        if let Err(denied) = self.check(instrument, &draft, now) {
            self.deny(instrument, step, denied, now);
            return;
        }
        let Some(counter) = self.order_counter.checked_add(1) else {
            // Four thousand million orders in one run: ids are never reused, so the run is over.
            self.tighten(TradingState::Halted, StopCause::OrderIdsUsedUp, now);
            return;
        };
        let intent = Intent {
            order: OrderId::new(self.epoch, counter),
            tick: quote.tick,
            lots: quote.lots,
            slot: step.slot,
            kind: IntentKind::Place,
            side: step.side,
            time_in_force: quote.time_in_force,
            reason: step.reason,
            deadline: now + self.quoters[index].settings().order_deadline,
            mid: self.mid_sent(index),
            ..self.intent(instrument, now)
        };
        if self.orders.push(intent).is_err() {
            // The I/O thread is slow or dead: refuse here, quote no more; cancels have their own ring.
            self.counters.increment(Counter::OrderRingFull);
            self.tighten(TradingState::CancelOnly, StopCause::OrderRingFull, now);
            return;
        }
        self.order_counter = counter;
        self.counters.increment(Counter::PlacesSent);
        self.inputs.working[index].on_placed(WorkingOrder {
            order: intent.order,
            tick: intent.tick,
            lots: intent.lots,
            requested: now,
            slot: step.slot,
            side: step.side,
            time_in_force: intent.time_in_force,
            ..WorkingOrder::EMPTY
        });
        self.note_exposure(index);
        self.quoters[index].on_place_sent(step.slot);
        self.venues[self.instrument_slots[index].venue].budget.on_place(now);
        self.trace_intent(&intent, now);
    }

    /// The risk chain once more, for an order that becomes another.
    #[cold]
    #[inline(never)]
    pub(super) fn check_again(&mut self, instrument: InstrumentId, draft: &Draft, now: Nanos) -> Result<(), Denied> {
        self.check(instrument, draft, now)
    }

    /// The risk chain, the last gate.
    #[inline(always)]
    fn check(&mut self, instrument: InstrumentId, draft: &Draft, now: Nanos) -> Result<(), Denied> {
        let index = instrument.index();
        let market = &self.inputs.markets[index];
        let quoter = self.quoters[index].settings();
        let venue = &mut self.venues[self.instrument_slots[index].venue];
        let place_room = venue.budget.place_room(now);
        let too_many_unknown = venue.undecided >= quoter.unknown_orders_max;
        let open_for_orders = venue.ready && self.standstill.is_none() && now >= venue.pause_until;
        let view = RiskView {
            instrument: &self.inputs.instruments[index],
            working: &self.inputs.working[index],
            exposure: self.inputs.positions[index].exposure(),
            state: self.instrument_state(instrument),
            open_for_orders,
            book_live: market.book().is_live() && !market.book().is_crossed(),
            best: market.best(),
            book_age: market.depth_age(now),
            place_room,
            too_many_unknown,
            duplicate_after: now - quoter.duplicate_wait,
        };
        self.risks[index].check(draft, &view)?;
        if self.exposures.is_limited() || self.instrument_slots[index].reference.is_wanted() {
            return self.check_beyond_itself(index, draft, now);
        }
        Ok(())
    }

    /// What not everybody limits: exposure over instruments, and a second reference of the price.
    #[cold]
    #[inline(never)]
    fn check_beyond_itself(&self, index: usize, draft: &Draft, now: Nanos) -> Result<(), Denied> {
        if self.exposures.is_limited() {
            self.check_exposures(index, draft)?;
        }
        if self.instrument_slots[index].reference.is_wanted() {
            let collar = self.risks[index].price_collar_millionths;
            return ReferencePrice::check(self.reference_price(index, now), draft.tick, collar);
        }
        Ok(())
    }

    fn deny(&mut self, instrument: InstrumentId, step: &PlaceStep, denied: Denied, now: Nanos) {
        let index = instrument.index();
        self.counters.increment(denied.counter());
        self.unquoted[index].on_denied(step.side, denied.into(), now);
        let about = TracedOrder {
            instrument,
            order: OrderId::NONE,
            tick: step.quote.tick,
            lots: step.quote.lots,
            slot: step.slot,
            side: step.side,
        };
        self.trace_denied(denied, step.reason, &about, now);
        let wait = self.quoters[index].settings().requote_wait;
        self.wake_at(instrument, now + wait);
    }

    /// What the gateway holds an order of the instrument against.
    #[inline]
    pub(super) fn mid_sent(&self, index: usize) -> MidSent {
        MidSent::of(self.inputs.positions[index].mid_doubled_last().unwrap_or_default())
    }

    /// The cancel of an order in its slot.
    #[inline(always)]
    pub(super) fn cancel_intent(
        &self,
        instrument: InstrumentId,
        (slot, order): (SlotId, &WorkingOrder),
        reason: Reason,
        now: Nanos,
    ) -> Intent {
        Intent {
            order: order.order,
            tick: order.tick,
            lots: order.lots_open(),
            slot,
            kind: IntentKind::Cancel,
            side: order.side,
            time_in_force: order.time_in_force,
            reason,
            deadline: Nanos::NEVER,
            ..self.intent(instrument, now)
        }
    }

    /// What all intents of this turn have in common.
    #[inline(always)]
    pub(super) fn intent(&self, instrument: InstrumentId, now: Nanos) -> Intent {
        Intent {
            book_sequence: self.inputs.markets[instrument.index()].book().sequence(),
            decided: now,
            origin_tsc: self.origin_tsc,
            instrument,
            strategy: self.strategy_number,
            ..Intent::default()
        }
    }
}
