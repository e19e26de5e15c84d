//! HOT: what time alone changes: old books, silent requests, budgets that refill, the screen, and the end.

use crate::book::Book;
use crate::counters::Counter;
use crate::limits::SLOTS;
use crate::screen::{SCREEN_LEVELS, ScreenOrder, ScreenSnapshot, ScreenTrade};
use crate::strategy::{Strategy, best_of};
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
        for index in 0..self.desks.len() {
            let instrument = InstrumentId(index as u16);
            let timed_out = self.time_out_requests(instrument, now);
            let was_quotable = self.sight.quotable[index];
            let due = timed_out
                || now >= self.desks[index].wake
                || (was_quotable && self.sight.markets[index].depth_age(now) > self.risks[index].book_age_max);
            if due {
                self.decide(instrument, now);
            } else {
                self.note_deadline(instrument);
            }
        }
        self.finish_turn(now);
        if now >= self.screen_next {
            self.publish_next_screen(now);
        }
        self.deadline = self.deadline.min(self.screen_next);
    }

    /// Cancels everything and places nothing more. [`Engine::is_quiet`] says when it is done; call
    /// [`Engine::on_timer`] and [`Engine::on_execution`] until then.
    pub fn begin_shutdown(&mut self, now: Nanos) {
        self.shutdown = true;
        self.settle_all(now);
    }

    /// A request without an answer in time makes its order unknown: it counts as live, and is cancelled again.
    fn time_out_requests(&mut self, instrument: InstrumentId, now: Nanos) -> bool {
        let index = instrument.index();
        let timeout = self.quoters[index].settings().request_timeout;
        let mut any = false;
        for slot in 0..SLOTS as u8 {
            let order = self.sight.working[index].slot(SlotId(slot));
            let late = order.status.is_pending() && now - order.requested >= timeout;
            if late && self.sight.working[index].on_request_timeout(SlotId(slot)) {
                self.counters.increment(Counter::RequestsTimedOut);
                self.counters.increment(Counter::OrdersUnknown);
                self.desks[index].calm = false;
                any = true;
            }
        }
        any
    }

    /// Lowers the engine's deadline to when this instrument needs the timer.
    pub(super) fn note_deadline(&mut self, instrument: InstrumentId) {
        let index = instrument.index();
        let mut deadline = self.desks[index].wake;
        if self.sight.quotable[index] {
            let updated = self.sight.markets[index].depth_received_last();
            deadline = deadline.min(updated + self.risks[index].book_age_max + Nanos(1));
        }
        let timeout = self.quoters[index].settings().request_timeout;
        for order in self.sight.working[index].open() {
            if order.status.is_pending() {
                deadline = deadline.min(order.requested + timeout);
            }
        }
        self.deadline = self.deadline.min(deadline);
    }

    /// Writes what screens show of every instrument.
    pub fn publish_screens(&mut self, now: Nanos) {
        for index in 0..self.screens.len() {
            self.publish_screen(index, now);
        }
    }

    /// One instrument at a time, each once an interval: many instruments must not add up to one long turn.
    fn publish_next_screen(&mut self, now: Nanos) {
        let count = self.screens.len().max(1);
        if self.screen_turn < self.screens.len() {
            self.publish_screen(self.screen_turn, now);
        }
        self.screen_turn = (self.screen_turn + 1) % count;
        self.screen_next = now + Nanos((self.screen_interval.0 / count as i64).max(1));
    }

    fn publish_screen(&self, index: usize, now: Nanos) {
        self.screens[index].publish(&self.snapshot(InstrumentId(index as u16), now));
    }

    fn snapshot(&self, instrument: InstrumentId, now: Nanos) -> ScreenSnapshot {
        let index = instrument.index();
        let (market, position, working) =
            (&self.sight.markets[index], &self.sight.positions[index], &self.sight.working[index]);
        let order = |slot: usize| {
            let order = working.slot(SlotId(slot as u8));
            let level = Level { tick: order.tick, lots: order.lots };
            match order.status.is_open() {
                true => ScreenOrder { level, filled: order.filled, status: order.status },
                false => ScreenOrder::default(),
            }
        };
        let trade = market.last_trade().map(|trade| ScreenTrade { level: trade.level, side: trade.aggressor });
        ScreenSnapshot {
            now,
            book_sequence: market.book().sequence(),
            depth_received: market.depth_received_last(),
            book_state: market.state(),
            quotable: self.sight.quotable[index] && best_of(market).is_some(),
            trading_state: self.instrument_state(instrument),
            bids: best_levels(market.book(), Side::Bid),
            asks: best_levels(market.book(), Side::Ask),
            orders: core::array::from_fn(order),
            trade: trade.unwrap_or_default(),
            fill: self.desks[index].last_fill,
            exposure: position.exposure(),
            pnl: position.pnl().unwrap_or_default(),
            fees: position.fees(),
            fills: position.fills(),
            open_orders: working.open_count() as u32,
        }
    }
}

/// The best levels of a side; zero lots where there is none.
fn best_levels(book: &Book, side: Side) -> [Level; SCREEN_LEVELS] {
    let mut levels = [Level::default(); SCREEN_LEVELS];
    for (place, level) in levels.iter_mut().zip(book.levels(side)) {
        *place = level;
    }
    levels
}
