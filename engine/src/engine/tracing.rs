//! HOT: trace records of what the engine decided and heard; without a ring for them none is made.

use crate::counters::Counter;
use crate::event::LostReason;
use crate::intent::Intent;
use crate::risk::TradingState;
use crate::trace::{TraceKind, TraceRecord};
use crate::types::{InstrumentId, Lots, Nanos, OrderId, Side, SlotId, Tick};

use super::Engine;

/// The order that a record is about.
pub(super) struct TracedOrder {
    pub(super) instrument: InstrumentId,
    /// [`OrderId::NONE`] for one that never got an id.
    pub(super) order: OrderId,
    pub(super) tick: Tick,
    pub(super) lots: Lots,
    pub(super) slot: SlotId,
    pub(super) side: Side,
}

impl From<&Intent> for TracedOrder {
    #[inline]
    fn from(intent: &Intent) -> TracedOrder {
        TracedOrder {
            instrument: intent.instrument,
            order: intent.order,
            tick: intent.tick,
            lots: intent.lots,
            slot: intent.slot,
            side: intent.side,
        }
    }
}

impl<S> Engine<S> {
    /// An intent, an execution or a denial, on the book as it stands.
    #[inline]
    pub(super) fn trace_order(&mut self, kind: TraceKind, detail: u8, reason: u8, about: &TracedOrder, now: Nanos) {
        if self.trace.is_none() {
            return;
        }
        self.record(TraceRecord {
            now,
            book_sequence: self.inputs.markets[about.instrument.index()].book().sequence(),
            order: about.order,
            tick: about.tick,
            lots: about.lots,
            instrument: about.instrument,
            kind,
            detail,
            reason,
            slot: about.slot.0,
            side: about.side as u8,
            reserved: 0,
        });
    }

    /// The trading state of one instrument changed.
    pub(super) fn trace_state(&mut self, instrument: InstrumentId, state: TradingState, now: Nanos) {
        self.record(TraceRecord {
            now,
            instrument,
            kind: TraceKind::State,
            detail: state as u8,
            ..TraceRecord::default()
        });
    }

    /// A book stopped being quotable.
    pub(super) fn trace_book(&mut self, instrument: InstrumentId, reason: LostReason, now: Nanos) {
        let book_sequence = self.inputs.markets[instrument.index()].book().sequence();
        self.record(TraceRecord {
            now,
            book_sequence,
            instrument,
            kind: TraceKind::Book,
            detail: reason as u8,
            ..TraceRecord::default()
        });
    }

    /// Hands a trace record over; a full ring drops it and counts.
    pub(super) fn record(&mut self, record: TraceRecord) {
        if let Some(trace) = &mut self.trace
            && trace.push(record).is_err()
        {
            self.counters.increment(Counter::TraceDropped);
        }
    }
}
