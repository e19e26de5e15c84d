//! COLD: executions of orders that are not in the table: the venue's own, and those of runs that are over.

use std::collections::VecDeque;

use spinbook_engine::event::{ExecutionEvent, ExecutionKind};
use spinbook_engine::types::{InstrumentId, Nanos, OrderId, Side, TradeId};

use super::OrderTable;
use super::fill_event::fill_event;
use crate::venue::instrument::Instrument;
use crate::venue::orders::OrderUpdate;

impl OrderTable {
    /// An execution that an earlier run booked.
    pub(in crate::gateway) fn know_trade(&mut self, instrument: InstrumentId, trade: TradeId, side: Side, time: Nanos) {
        if let Some(trades) = self.trades.get_mut(instrument.index()) {
            trades.insert(trade, side, time);
        }
    }

    /// An execution of an order of a run that is over, as the engine hears of it; `None` if it is known.
    pub(in crate::gateway) fn missed_fill(
        &mut self,
        update: &OrderUpdate,
        instrument: &Instrument,
    ) -> Option<ExecutionEvent> {
        let (fill, trades) = (update.fill.as_ref()?, self.trades.get_mut(update.instrument.index())?);
        if !trades.insert(fill.trade, update.side, update.time) {
            return None;
        }
        let base = ExecutionEvent {
            time: update.time,
            instrument: update.instrument,
            venue: instrument.venue,
            side: update.side,
            ..ExecutionEvent::default()
        };
        Some(fill_event(base, fill, instrument, &mut self.counters))
    }

    /// What the venue says about an order that it made itself; true if that is an execution seen for the first time.
    pub fn on_venue_fill(
        &mut self,
        update: &OrderUpdate,
        instrument: &Instrument,
        now: Nanos,
        events: &mut VecDeque<ExecutionEvent>,
    ) -> bool {
        let (Some(fill), Some(trades)) = (&update.fill, self.trades.get_mut(update.instrument.index())) else {
            return false;
        };
        if !trades.insert(fill.trade, update.side, update.time) {
            self.counters.duplicate_fills += 1;
            return false;
        }
        let base = ExecutionEvent {
            order: OrderId::NONE,
            time: if update.time == Nanos::ZERO { now } else { update.time },
            lots_cumulative: update.lots_cumulative,
            instrument: update.instrument,
            side: update.side,
            ..ExecutionEvent::default()
        };
        let event = fill_event(base, fill, instrument, &mut self.counters);
        events.push_back(ExecutionEvent { kind: ExecutionKind::Liquidated, ..event });
        true
    }
}
