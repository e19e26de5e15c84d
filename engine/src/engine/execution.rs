//! HOT: what the gateway tells: order events into the table and the position, session events into the state.

use crate::counters::Counter;
use crate::event::{ExecutionEvent, ExecutionKind, FeeAsset, LocalReject};
use crate::position::PositionFill;
use crate::risk::{StopCause, TradingState};
use crate::strategy::Strategy;
use crate::telemetry::TelemetryTrade;
use crate::types::{InstrumentId, Level, Nanos, Tick, VenueId};
use crate::working::{Effect, OrderOutcome};

use super::Engine;
use super::venue::{SLOW_PAUSE, SlowCause};

impl<S: Strategy> Engine<S> {
    /// Takes one execution event and decides on its instrument anew.
    pub fn on_execution(&mut self, event: &ExecutionEvent, now: Nanos) {
        match event.kind {
            ExecutionKind::GatewayReady | ExecutionKind::GatewayDown | ExecutionKind::Pause | ExecutionKind::Slow => {
                self.on_gateway_event(event, now);
            }
            ExecutionKind::Halt => self.tighten(TradingState::Halted, StopCause::Gateway, now),
            ExecutionKind::Accepted
            | ExecutionKind::Rejected
            | ExecutionKind::Filled
            | ExecutionKind::Canceled
            | ExecutionKind::CancelRejected
            | ExecutionKind::Expired
            | ExecutionKind::Amended
            | ExecutionKind::AmendRejected
            | ExecutionKind::Unknown => self.on_order_event(event, now),
            ExecutionKind::Income | ExecutionKind::Transfer | ExecutionKind::Liquidated => {
                self.on_account_event(event, now);
            }
        }
        self.finish_turn(now);
    }

    /// An event of one venue's gateway: the other venues' quotes stay as they are.
    fn on_gateway_event(&mut self, event: &ExecutionEvent, now: Nanos) {
        let Some(slot) = self.venues.iter().position(|state| state.venue == event.venue) else {
            self.on_unknown_venue(now);
            return;
        };
        match event.kind {
            ExecutionKind::GatewayReady => {
                self.counters.increment(Counter::GatewayReady);
                self.set_ready(slot, true);
                self.each_of_venue(slot, |engine, instrument| engine.decide(instrument, now));
            }
            ExecutionKind::GatewayDown => {
                self.counters.increment(Counter::GatewayDown);
                self.set_ready(slot, false);
                self.each_of_venue(slot, |engine, instrument| {
                    engine.refresh_quotable(instrument, now);
                    engine.reconcile_quotes(instrument, now);
                });
            }
            ExecutionKind::Slow => {
                self.counters.increment(Counter::OrdersSlow);
                self.pull_slow(slot, SlowCause::OrderLatency, now);
            }
            _ => {
                self.counters.increment(Counter::Pauses);
                let pause_until = &mut self.venues[slot].pause_until;
                *pause_until = (*pause_until).max(event.time);
            }
        }
    }

    /// The venue's word and the copies of it: all before any instrument is decided on.
    fn set_ready(&mut self, slot: usize, ready: bool) {
        self.venues[slot].ready = ready;
        self.venues[slot].was_ready |= ready;
        let quotable = ready && self.venues[slot].slow_until == Nanos::ZERO;
        for instrument in self.instrument_slots.iter_mut().filter(|instrument| instrument.venue == slot) {
            instrument.venue_ready = quotable;
        }
    }

    /// the longest that an order, or an amendment of one, may wait for the venue's first word. Where several wait longer, what is open
    /// there is pulled, and after a while it is tried again. At first it is not judged. Before the first event.
    pub fn set_ack_latency_max(&mut self, venue: VenueId, most: Nanos) {
        for state in self.venues.iter_mut().filter(|state| state.venue == venue) {
            state.ack_latency_max = most;
        }
    }

    /// whether a venue or a way to it that is too slow halts everything, until re-armed; at first what is open there is
    /// pulled, and tried again after a while. Before the first event.
    pub fn set_latency_halts(&mut self, halts: bool) {
        self.latency_halts = halts;
    }

    /// An order or an amendment waited too long for its first answer.
    #[cold]
    #[inline(never)]
    fn note_slow_ack(&mut self, slot: usize, now: Nanos) {
        self.counters.increment(Counter::AcksSlow);
        let venue = &mut self.venues[slot];
        venue.slow_acks.take(1, now);
        if venue.slow_acks.room(now) == 0 {
            self.pull_slow(slot, SlowCause::AckLatency, now);
        }
    }

    /// Pulls what is open at a venue that is too slow, or the way to which is, or halts everything.
    #[cold]
    #[inline(never)]
    fn pull_slow(&mut self, slot: usize, cause: SlowCause, now: Nanos) {
        let venue = &mut self.venues[slot];
        self.counters.add(Counter::VenuesSlow, u64::from(venue.slow_until == Nanos::ZERO));
        if self.latency_halts {
            return self.tighten(TradingState::Halted, cause.stop(), now);
        }
        (venue.slow_until, venue.slow_cause) = (now + SLOW_PAUSE, cause);
        self.set_ready(slot, self.venues[slot].ready);
        self.tightened = true;
    }

    /// Tries a venue again that was slow.
    #[inline]
    pub(super) fn end_slowness(&mut self, index: usize, now: Nanos) {
        let slot = self.instrument_slots[index].venue;
        let slow_until = self.venues[slot].slow_until;
        if slow_until != Nanos::ZERO && now >= slow_until {
            self.try_again(slot, now);
        }
    }

    #[cold]
    #[inline(never)]
    fn try_again(&mut self, slot: usize, now: Nanos) {
        let venue = &mut self.venues[slot];
        venue.slow_until = Nanos::ZERO;
        venue.slow_acks.clear();
        self.set_ready(slot, self.venues[slot].ready);
        self.each_of_venue(slot, |engine, instrument| engine.decide(instrument, now));
    }

    fn each_of_venue(&mut self, slot: usize, mut act: impl FnMut(&mut Self, InstrumentId)) {
        for index in 0..self.instrument_slots.len() {
            if self.instrument_slots[index].venue == slot {
                act(self, InstrumentId(index as u16));
            }
        }
    }

    /// Facts from a venue that set-up does not know, or about an instrument of another: what is open is not known.
    fn on_unknown_venue(&mut self, now: Nanos) {
        self.counters.increment(Counter::EventsUnknownVenue);
        self.tighten(TradingState::CancelOnly, StopCause::UnknownInstrument, now);
    }

    fn on_order_event(&mut self, event: &ExecutionEvent, now: Nanos) {
        let instrument = event.instrument;
        let Some(working) = self.inputs.working.get_mut(instrument.index()) else {
            self.counters.increment(Counter::EventsUnknownInstrument);
            self.tighten(TradingState::CancelOnly, StopCause::UnknownInstrument, now);
            return;
        };
        if self.inputs.instruments[instrument.index()].venue != event.venue {
            self.on_unknown_venue(now);
            return;
        }
        let effect = working.on_event(event);
        self.instrument_slots[instrument.index()].settled = false;
        self.recount_undecided(instrument.index());
        if let Some(slot) = effect.slot.filter(|_| effect.first_accept) {
            let venue = self.instrument_slots[instrument.index()].venue;
            // An order that its first word ends has left its slot: it was answered, and how late is not judged.
            let placed = self.inputs.working[instrument.index()].slot(slot).placed;
            if now - placed > self.venues[venue].ack_latency_max && effect.ended.is_none() {
                self.note_slow_ack(venue, now);
            }
        }
        if let Some(requested) = effect.amend_requested.filter(|_| event.local == LocalReject::None) {
            let venue = self.instrument_slots[instrument.index()].venue;
            if now - requested > self.venues[venue].ack_latency_max {
                self.note_slow_ack(venue, now);
            }
        }
        self.trace_execution(event, now);
        self.count_event(event, &effect);
        if effect.lots_filled.0 > 0 {
            self.apply_fill(event, &effect, now);
            if let Some(limit) = effect.worse_than {
                self.note_slippage(event, limit, now);
            }
        }
        if effect.unknown_order {
            self.on_unknown_order(event, now);
        }
        if effect.overfill && effect.lots_filled.0 > 0 {
            self.counters.increment(Counter::Overfills);
            self.tighten(TradingState::CancelOnly, StopCause::Overfill, now);
        }
        if effect.contradiction {
            self.counters.increment(Counter::Contradictions);
            self.tighten(TradingState::CancelOnly, StopCause::Contradiction, now);
            self.send_cancel_of_lost_order(instrument, event.order, effect.side, now);
        }
        self.note_exposure(instrument.index());
        self.notify_quoter(event, &effect, now);
        self.decide(instrument, now);
    }

    /// What moved money or inventory beside our orders.
    #[cold]
    #[inline(never)]
    fn on_account_event(&mut self, event: &ExecutionEvent, now: Nanos) {
        let index = event.instrument.index();
        match self.inputs.instruments.get(index).map(|instrument| instrument.venue) {
            None => {
                self.counters.increment(Counter::EventsUnknownInstrument);
                return self.tighten(TradingState::CancelOnly, StopCause::UnknownInstrument, now);
            }
            Some(venue) if venue != event.venue => return self.on_unknown_venue(now),
            Some(_) => {}
        }
        self.trace_execution(event, now);
        let position = &mut self.inputs.positions[index];
        let booked = match event.kind {
            ExecutionKind::Liquidated => {
                self.counters.increment(Counter::Liquidations);
                self.tighten(TradingState::Halted, StopCause::Liquidation, now);
                let effect = Effect { lots_filled: event.lots, side: event.side, ..Effect::default() };
                return self.apply_fill(event, &effect, now);
            }
            ExecutionKind::Transfer => {
                self.counters.increment(Counter::Transfers);
                position.on_transfer(event.lots)
            }
            _ if event.fee_asset == FeeAsset::Other => {
                self.counters.increment(Counter::FeesUnvalued);
                return self.tighten(TradingState::CancelOnly, StopCause::FeeAsset, now);
            }
            _ => {
                self.counters.increment(Counter::Incomes);
                position.on_income(-event.fee)
            }
        };
        if booked.is_err() {
            self.counters.increment(Counter::PositionFaults);
            return self.tighten(TradingState::Halted, StopCause::PositionRange, now);
        }
        self.value(event.instrument, now);
        self.check_loss(event.instrument, now);
        self.note_exposure(index);
        self.decide(event.instrument, now);
    }

    /// How many of the venue's orders are undecided, after something became of those of one instrument.
    pub(super) fn recount_undecided(&mut self, index: usize) {
        let slot = &mut self.instrument_slots[index];
        let count = self.inputs.working[index].undecided_count();
        let before = core::mem::replace(&mut slot.undecided, count);
        let sum = &mut self.venues[slot.venue].undecided;
        *sum = (*sum + count).saturating_sub(before);
    }

    /// Stops one instrument for good, until a person says otherwise.
    #[cold]
    fn stop_instrument(&mut self, instrument: InstrumentId, cause: StopCause, counter: Counter, now: Nanos) {
        let slot = &mut self.instrument_slots[instrument.index()];
        if slot.own_state() < TradingState::CancelOnly {
            slot.set_own_state(TradingState::CancelOnly, cause);
            self.counters.increment(counter);
            self.trace_state(instrument, TradingState::CancelOnly, now);
        }
    }

    /// how far beyond its order's price an execution may be, in millionths of that price; at first not at all. What is
    /// farther halts everything. Before the first event.
    pub fn set_slippage_max(&mut self, millionths: i64) {
        self.slippage_max_millionths = millionths;
    }

    /// An execution was worse than its order allowed. No venue does that to a limit order: what we believe of the order, or
    /// of the price, is wrong.
    #[cold]
    #[inline(never)]
    fn note_slippage(&mut self, event: &ExecutionEvent, limit: Tick, now: Nanos) {
        self.counters.increment(Counter::Slippages);
        let beyond = (i128::from(event.tick.0) - i128::from(limit.0)).abs() * 1_000_000;
        if beyond > i128::from(limit.0).abs() * i128::from(self.slippage_max_millionths) {
            self.tighten(TradingState::Halted, StopCause::Slippage, now);
        }
    }

    fn apply_fill(&mut self, event: &ExecutionEvent, effect: &Effect, now: Nanos) {
        let fill = PositionFill {
            side: effect.side,
            tick: event.tick,
            lots: effect.lots_filled,
            fee: event.fee,
            fee_lots: event.fee_lots,
            fee_asset: event.fee_asset,
        };
        self.instrument_slots[event.instrument.index()].last_fill =
            TelemetryTrade { level: Level { tick: fill.tick, lots: fill.lots }, side: fill.side };
        self.counters.increment(Counter::Fills);
        if effect.first_fill {
            self.counters.increment(Counter::OrdersFilled);
        }
        if effect.finished_order {
            self.counters.increment(Counter::FillsLate);
        }
        if fill.fee_asset == FeeAsset::Other {
            // What it cost is not known, so neither is the result that the loss limit is held against.
            self.counters.increment(Counter::FeesUnvalued);
            self.tighten(TradingState::CancelOnly, StopCause::FeeAsset, now);
        }
        let position = &mut self.inputs.positions[event.instrument.index()];
        let before = position.exposure();
        match position.on_fill(&fill) {
            Ok(()) => {
                let after = position.exposure();
                if effect.first_fill && self.quoters[event.instrument.index()].on_order_filled(before, after, now) {
                    let (cause, counter) = (StopCause::RepeatedFills, Counter::RepeatedFillStops);
                    self.stop_instrument(event.instrument, cause, counter, now);
                }
                self.value(event.instrument, now);
                self.check_loss(event.instrument, now);
            }
            Err(_) => {
                self.counters.increment(Counter::PositionFaults);
                self.tighten(TradingState::Halted, StopCause::PositionRange, now);
            }
        }
    }

    /// An order that is in no table: ours but long finished, or one that another program or person placed on the same
    /// account.
    fn on_unknown_order(&mut self, event: &ExecutionEvent, now: Nanos) {
        let of_this_run = event.order.epoch() == self.epoch
            && event.order.counter() != 0
            && event.order.counter() <= self.order_counter;
        let ours = of_this_run || self.is_adopted(event.order) || self.is_of_earlier_run(event.order);
        let fill = event.kind == ExecutionKind::Filled;
        if ours {
            match event.kind {
                ExecutionKind::Filled => self.counters.increment(Counter::FillsLate),
                // It ended long ago by all that was proved, and lives: nobody tracks it any more.
                ExecutionKind::Accepted | ExecutionKind::Unknown => {
                    self.counters.increment(Counter::Contradictions);
                    self.tighten(TradingState::CancelOnly, StopCause::Contradiction, now);
                    self.send_cancel_of_lost_order(event.instrument, event.order, event.side, now);
                }
                _ => {}
            }
            return;
        }
        self.counters.increment(Counter::EventsForeign);
        if fill {
            self.counters.increment(Counter::FillsForeign);
        }
        self.tighten(TradingState::CancelOnly, StopCause::ForeignOrder, now);
    }

    fn notify_quoter(&mut self, event: &ExecutionEvent, effect: &Effect, now: Nanos) {
        let index = event.instrument.index();
        let ordinary = event.local != LocalReject::None || event.overtaken;
        if let Some((slot, outcome)) = effect.ended {
            let storm = self.quoters[index].on_ended(slot, outcome, ordinary, now);
            if storm {
                self.stop_instrument(event.instrument, StopCause::RejectStorm, Counter::RejectStorms, now);
            }
            return;
        }
        let Some(slot) = effect.slot else { return };
        match event.kind {
            ExecutionKind::Accepted => self.quoters[index].on_accepted(slot),
            ExecutionKind::AmendRejected if self.quoters[index].on_amend_rejected(slot, ordinary, now) => {
                self.stop_instrument(event.instrument, StopCause::RejectStorm, Counter::RejectStorms, now);
            }
            ExecutionKind::CancelRejected if self.quoters[index].on_cancel_rejected(slot, now) => {
                self.stop_instrument(event.instrument, StopCause::CancelStorm, Counter::CancelStorms, now);
            }
            _ => {}
        }
    }

    fn count_event(&mut self, event: &ExecutionEvent, effect: &Effect) {
        if effect.duplicate {
            self.counters.increment(Counter::FillsDuplicate);
        }
        let local = event.local != LocalReject::None;
        match event.kind {
            ExecutionKind::Accepted if effect.first_accept => self.counters.increment(Counter::OrdersAccepted),
            ExecutionKind::CancelRejected => self.counters.increment(Counter::CancelsRejected),
            ExecutionKind::Amended => self.counters.increment(Counter::OrdersAmended),
            ExecutionKind::AmendRejected => self.counters.increment(Counter::AmendsRejected),
            ExecutionKind::Unknown if effect.slot.is_some() => self.counters.increment(Counter::OrdersUnknown),
            _ => {}
        }
        match effect.ended {
            Some((_, OrderOutcome::Rejected)) if local => self.counters.increment(Counter::OrdersRejectedLocally),
            Some((_, OrderOutcome::Rejected)) => self.counters.increment(Counter::OrdersRejected),
            Some((_, OrderOutcome::Canceled)) => self.counters.increment(Counter::OrdersCanceled),
            Some((_, OrderOutcome::Expired)) => self.counters.increment(Counter::OrdersExpired),
            Some((_, OrderOutcome::Filled)) => self.counters.increment(Counter::OrdersFilledFully),
            None => {}
        }
    }
}
