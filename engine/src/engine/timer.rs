//! HOT: what time alone changes: old books, silent requests, budgets that refill, telemetry, and the end.

use crate::book::Book;
use crate::counters::Counter;
use crate::limits::SLOTS;
use crate::strategy::Strategy;
use crate::telemetry::{TELEMETRY_LEVELS, TelemetryOrder, TelemetrySnapshot, TelemetryTrade};
use crate::types::{InstrumentId, Level, Nanos, Side, SlotId};

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
        self.shutdown = true;
        self.reconcile_all_quotes(now);
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

    /// One instrument at a time, each once an interval: many instruments must not add up to one long turn.
    fn publish_next_telemetry(&mut self, now: Nanos) {
        let count = self.telemetry.len().max(1);
        if self.telemetry_turn < self.telemetry.len() {
            self.publish_one(self.telemetry_turn, now);
        }
        self.telemetry_turn = (self.telemetry_turn + 1) % count;
        self.telemetry_next = now + Nanos((self.telemetry_interval.0 / count as i64).max(1));
    }

    fn publish_one(&self, index: usize, now: Nanos) {
        self.telemetry[index].publish(&self.snapshot(InstrumentId(index as u16), now));
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
            bids: best_levels(market.book(), Side::Bid),
            asks: best_levels(market.book(), Side::Ask),
            orders: core::array::from_fn(order),
            trade: trade.unwrap_or_default(),
            fill: self.instrument_slots[index].last_fill,
            exposure: position.exposure(),
            pnl: position.pnl().unwrap_or_default(),
            fees: position.fees(),
            fills: position.fills(),
            open_orders: working.open_count() as u32,
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
