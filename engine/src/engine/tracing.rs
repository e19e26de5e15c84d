//! HOT: trace records of what the engine decided and heard; without a ring for them none is made.

use crate::counters::Counter;
use crate::event::{ExecutionEvent, LostReason};
use crate::intent::{Intent, Reason};
use crate::risk::{Denied, TradingState};
use crate::strategy::{Strategy, View};
use crate::trace::{TraceKind, TraceRecord};
use crate::types::{InstrumentId, Lots, Nanos, OrderId, Side, SlotId, Tick};
use crate::unquoted::Unquoted;

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

impl<S: Strategy> Engine<S> {
    /// An intent, with what it was decided on.
    #[inline]
    pub(super) fn trace_intent(&mut self, intent: &Intent, now: Nanos) {
        if self.trace.is_some() {
            let (kind, reason) = (intent.kind as u8, intent.reason as u8);
            self.record_decision(TraceKind::Intent, kind, reason, &intent.into(), Unquoted::No, now);
        }
    }

    /// An order that the risk chain denied.
    pub(super) fn trace_denied(&mut self, denied: Denied, reason: Reason, about: &TracedOrder, now: Nanos) {
        if self.trace.is_some() {
            self.record_decision(TraceKind::Denied, denied as u8, reason as u8, about, denied.into(), now);
        }
    }

    /// Never inlined: only a run that keeps a journal of decisions comes here.
    #[cold]
    #[inline(never)]
    fn record_decision(
        &mut self,
        kind: TraceKind,
        detail: u8,
        reason: u8,
        about: &TracedOrder,
        denied: Unquoted,
        now: Nanos,
    ) {
        let index = about.instrument.index();
        let market = &self.inputs.markets[index];
        let best = market.best().map_or_else(Default::default, |best| [best.bid, best.ask]);
        let basis = self.strategy.basis(&View::new(&self.inputs, now), about.instrument, about.side);
        let record = TraceRecord {
            best_bid: best[0],
            best_ask: best[1],
            exposure: self.inputs.positions[index].exposure(),
            book_age_us: u32::try_from((market.depth_age(now).0 / 1_000).max(0)).unwrap_or(u32::MAX),
            imbalance_millionths: basis.imbalance_millionths,
            rule: basis.rule,
            limit: if denied == Unquoted::No { basis.limit } else { denied },
            ..self.order_record(kind, detail, reason, about, now)
        };
        self.record(record);
    }
}

impl<S> Engine<S> {
    /// An execution, on the book as it stands.
    #[inline]
    pub(super) fn trace_execution(&mut self, event: &ExecutionEvent, now: Nanos) {
        if self.trace.is_some() {
            let about = TracedOrder {
                instrument: event.instrument,
                order: event.order,
                tick: event.tick,
                lots: event.lots,
                slot: event.slot,
                side: event.side,
            };
            let record = self.order_record(TraceKind::Execution, event.kind as u8, event.local as u8, &about, now);
            self.record(record);
        }
    }

    fn order_record(&self, kind: TraceKind, detail: u8, reason: u8, about: &TracedOrder, now: Nanos) -> TraceRecord {
        TraceRecord {
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
            ..TraceRecord::default()
        }
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
