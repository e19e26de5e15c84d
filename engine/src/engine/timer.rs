//! HOT: what time alone changes: old books, silent requests, budgets that refill, telemetry, and the end.

use crate::book::{Book, BookState};
use crate::counters::Counter;
use crate::event::LostReason;
use crate::intent::Reason;
use crate::limits::SLOTS;
use crate::market::TouchVerdict;
use crate::risk::TradingState;
use crate::strategy::{Strategy, View};
use crate::telemetry::{OrderAccount, TELEMETRY_LEVELS, TelemetryOrder, TelemetrySnapshot, TelemetryTrade};
use crate::types::{InstrumentId, Level, Nanos, Side, SlotId};
use crate::unquoted::Unquoted;
use crate::working::{WorkingOrder, WorkingStatus};

use super::Engine;

impl<S: Strategy> Engine<S> {
    /// Does what is due at `now`; cheap if nothing is, so a loop may call it on every turn.
    pub fn on_timer(&mut self, now: Nanos) {
        if now < self.deadline {
            return;
        }
        self.deadline = Nanos::NEVER;
        self.flush(now);
        for index in 0..self.instrument_slots.len() {
            let instrument = InstrumentId(index as u16);
            let timed_out = self.time_out_requests(instrument, now);
            let was_quotable = self.inputs.quotable[index];
            let due = timed_out
                || now >= self.instrument_slots[index].wake
                || (was_quotable && self.inputs.markets[index].depth_age(now) > self.risks[index].book_age_max);
            if due {
                self.decide(instrument, now);
            } else {
                self.note_deadline(instrument);
            }
        }
        self.finish_turn(now);
        if now >= self.telemetry_next {
            self.publish_next_telemetry(now);
        }
        self.deadline = self.deadline.min(self.telemetry_next);
    }

    /// Cancels everything and places nothing more. [`Engine::is_quiet`] says when it is done; call
    /// [`Engine::on_timer`] and [`Engine::on_execution`] until then.
    pub fn begin_shutdown(&mut self, now: Nanos) {
        self.standstill = Some(Reason::Shutdown);
        self.reconcile_all_quotes(now);
    }

    /// Pulls every quote and places nothing more until the pause ends; executions are still taken, and every trading
    /// state stays what it is. A run that ends stays ending. Shows itself in telemetry at once.
    pub fn set_paused(&mut self, paused: bool, now: Nanos) {
        if self.standstill == Some(Reason::Shutdown) || paused == self.is_paused() {
            return;
        }
        self.standstill = paused.then_some(Reason::Pause);
        if paused {
            self.counters.increment(Counter::OperatorPauses);
            self.reconcile_all_quotes(now);
        } else {
            self.look_at_everything();
        }
        self.publish_telemetry(now);
    }

    /// Whether an operator has paused trading.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.standstill == Some(Reason::Pause)
    }

    /// A request without an answer in time makes its order unknown: it counts as live, and is cancelled again.
    fn time_out_requests(&mut self, instrument: InstrumentId, now: Nanos) -> bool {
        let index = instrument.index();
        let timeout = self.quoters[index].settings().request_timeout;
        let mut any = false;
        for slot in 0..SLOTS as u8 {
            let order = self.inputs.working[index].slot(SlotId(slot));
            let late = order.status.is_pending() && now - order.requested >= timeout;
            if late && self.inputs.working[index].on_request_timeout(SlotId(slot)) {
                self.counters.increment(Counter::RequestsTimedOut);
                self.counters.increment(Counter::OrdersUnknown);
                self.instrument_slots[index].settled = false;
                any = true;
            }
        }
        if self.inputs.working[index].has_leaving() {
            any |= self.time_out_leaving(index, timeout, now);
        }
        if any {
            self.recount_undecided(index);
        }
        any
    }

    /// Lowers the engine's deadline to when this instrument needs the timer.
    pub(super) fn note_deadline(&mut self, instrument: InstrumentId) {
        let index = instrument.index();
        let mut deadline = self.instrument_slots[index].wake;
        if self.inputs.quotable[index] {
            let updated = self.inputs.markets[index].depth_received_last();
            deadline = deadline.min(updated + self.risks[index].book_age_max + Nanos(1));
        }
        let timeout = self.quoters[index].settings().request_timeout;
        for order in self.inputs.working[index].open() {
            if order.status.is_pending() {
                deadline = deadline.min(order.requested + timeout);
            }
        }
        self.deadline = self.deadline.min(deadline);
    }

    /// Writes the telemetry of every instrument.
    pub fn publish_telemetry(&mut self, now: Nanos) {
        for index in 0..self.telemetry.len() {
            self.publish_one(index, now);
        }
    }

    /// Looks at one instrument at a time, at each once an interval: many instruments must not add up to one long turn.
    #[inline(never)]
    fn publish_next_telemetry(&mut self, now: Nanos) {
        let count = self.telemetry.len().max(1);
        if self.telemetry_turn < self.telemetry.len() {
            self.judge_lag(self.telemetry_turn, now);
            self.judge_touch(self.telemetry_turn, now);
            self.judge_reference(self.telemetry_turn, now);
            self.end_slowness(self.telemetry_turn, now);
            self.note_exposure(self.telemetry_turn);
            self.note_result(self.telemetry_turn, now);
            self.finish_turn(now);
            self.publish_one(self.telemetry_turn, now);
        }
        self.telemetry_turn = (self.telemetry_turn + 1) % count;
        self.telemetry_next = now + Nanos((self.telemetry_interval.0 / count as i64).max(1));
    }

    /// Looks whether the depth of one instrument follows the venue's own best bid/ask, and pulls its quotes if not.
    fn judge_touch(&mut self, index: usize, now: Nanos) {
        let instrument = InstrumentId(index as u16);
        match self.inputs.markets[index].judge_touch() {
            TouchVerdict::Near => return,
            TouchVerdict::Forgotten => self.counters.increment(Counter::TouchesForgotten),
            TouchVerdict::BookLost => {
                self.counters.increment(Counter::BooksBehindTouch);
                self.counters.increment(Counter::BooksLost);
                self.trace_book(instrument, LostReason::TouchMismatch, now);
            }
        }
        self.decide(instrument, now);
    }

    fn publish_one(&mut self, index: usize, now: Nanos) {
        let reasons = Side::BOTH.map(|side| self.why_unquoted(InstrumentId(index as u16), side, now));
        self.unquoted[index].look(reasons, now);
        self.telemetry[index].publish(&self.snapshot(InstrumentId(index as u16), now));
    }

    /// Why a side has no order that stands or is on its way.
    fn why_unquoted(&mut self, instrument: InstrumentId, side: Side, now: Nanos) -> Unquoted {
        let index = instrument.index();
        let orders = self.inputs.working[index].side(side);
        let is_unknown = |order: &&WorkingOrder| order.status == WorkingStatus::Unknown;
        if orders.iter().any(|order| order.status.is_open() && !is_unknown(&order)) {
            return Unquoted::No;
        }
        let slot = &self.instrument_slots[index];
        let (venue, venue_ready) = (slot.venue, slot.venue_ready);
        match self.pull_reason(instrument) {
            None => {}
            Some(Reason::Shutdown) => return Unquoted::Shutdown,
            Some(Reason::Pause) => return Unquoted::OperatorPause,
            Some(Reason::TradingState) if !venue_ready && self.venues[venue].ready => {
                return self.venues[venue].slow_cause.unquoted();
            }
            Some(Reason::TradingState) if !venue_ready => return Unquoted::NotReady,
            Some(Reason::TradingState) => return Unquoted::TradingState,
            Some(_) => {
                return match self.inputs.markets[index].state() {
                    BookState::Empty => Unquoted::BookWaiting,
                    BookState::Lost(_) if self.inputs.markets[index].is_overfull() => Unquoted::BookOverfull,
                    BookState::Lost(_) => Unquoted::BookLost,
                    BookState::Live if self.inputs.markets[index].best().is_none() => Unquoted::BookOneSided,
                    BookState::Live => self.instrument_slots[index].feed_lag.reason().unwrap_or(Unquoted::BookStale),
                };
            }
        }
        if self.targets.quotes(instrument).side(side).is_empty() {
            return self.strategy.why_unquoted(&View::new(&self.inputs, now), instrument, side);
        }
        if now < self.venues[venue].pause_until {
            return Unquoted::Paused;
        }
        if orders.iter().any(|order| is_unknown(&order)) {
            return Unquoted::OrderUnknown;
        }
        if let Some(denied) = self.unquoted[index].denial(side, now) {
            return denied;
        }
        if self.venues[venue].budget.place_room(now) == 0 {
            return Unquoted::Budget;
        }
        match (self.quoters[index].is_waiting(side, now), self.instrument_state(instrument)) {
            (true, _) => Unquoted::Waiting,
            (_, TradingState::ReduceOnly) => Unquoted::ReduceOnly,
            _ => Unquoted::No,
        }
    }

    fn snapshot(&self, instrument: InstrumentId, now: Nanos) -> TelemetrySnapshot {
        let index = instrument.index();
        let (market, position, working) =
            (&self.inputs.markets[index], &self.inputs.positions[index], &self.inputs.working[index]);
        let order = |slot: usize| {
            let order = working.slot(SlotId(slot as u8));
            let level = Level { tick: order.tick, lots: order.lots };
            match order.status.is_open() {
                true => TelemetryOrder { level, filled: order.filled, status: order.status },
                false => TelemetryOrder::default(),
            }
        };
        let trade = market.last_trade().map(|trade| TelemetryTrade { level: trade.level, side: trade.aggressor });
        TelemetrySnapshot {
            now,
            book_sequence: market.book().sequence(),
            depth_received: market.depth_received_last(),
            book_state: market.state(),
            quotable: self.inputs.quotable[index] && market.best().is_some(),
            trading_state: self.instrument_state(instrument),
            stop_cause: self.stop_cause(instrument),
            day: self.day_result(self.asset_group(instrument)),
            unquoted: Side::BOTH.map(|side| self.unquoted[index].now(side)),
            bids: best_levels(market.book(), Side::Bid),
            asks: best_levels(market.book(), Side::Ask),
            orders: core::array::from_fn(order),
            trade: trade.unwrap_or_default(),
            fill: self.instrument_slots[index].last_fill,
            exposure: position.exposure(),
            mid_doubled: position.mid_doubled_last().unwrap_or_default(),
            pnl: position.pnl().unwrap_or_default(),
            fees: position.fees(),
            fills: position.fills(),
            open_orders: working.open_count() as u32,
            orders_of_all: if index == 0 { self.order_account() } else { OrderAccount::default() },
        }
    }

    /// What became of every order so far.
    #[must_use]
    pub fn order_account(&self) -> OrderAccount {
        let count = |counter| self.counters.value(counter);
        let open = self.inputs.working.iter().flat_map(|working| working.open().chain(working.leaving()));
        let (mut alive, mut unknown) = (0, 0);
        for order in open {
            if order.status == WorkingStatus::Unknown {
                unknown += 1;
            } else {
                alive += 1;
            }
        }
        let refused_here = count(Counter::OrdersRejectedLocally);
        OrderAccount {
            // What was taken over counts as sent. An order that is amended stays the same order; one that is replaced was cancelled, and the new one sent.
            sent: (count(Counter::PlacesSent) + count(Counter::OrdersAdopted))
                .saturating_sub(refused_here + count(Counter::AmendsSent)),
            accepted: count(Counter::OrdersAccepted),
            filled: count(Counter::OrdersFilledFully),
            canceled: count(Counter::OrdersCanceled),
            expired: count(Counter::OrdersExpired),
            rejected: count(Counter::OrdersRejected),
            unknown,
            open: alive,
            refused_here,
            fills: count(Counter::Fills),
        }
    }
}

/// The best levels of a side; zero lots where there is none.
fn best_levels(book: &Book, side: Side) -> [Level; TELEMETRY_LEVELS] {
    let mut levels = [Level::default(); TELEMETRY_LEVELS];
    for (place, level) in levels.iter_mut().zip(book.levels(side)) {
        *place = level;
    }
    levels
}
