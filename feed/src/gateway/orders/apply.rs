//! COLD: what each fact makes of one order: acceptance, executions, states that the venue names, and the end.

use std::collections::VecDeque;

use spinbook_engine::event::{ExecutionEvent, ExecutionKind};
use spinbook_engine::types::{Lots, Nanos};

use super::fill_event::fill_event;
use super::transition::Fact;
use super::{CancelState, FinalStatus, Phase, TableCounters, TrackedOrder};
use crate::venue::instrument::Instrument;
use crate::venue::orders::{Fill, OrderStatus, OrderUpdate};

pub(super) fn accept(tracked: &mut TrackedOrder, time: Nanos, events: &mut VecDeque<ExecutionEvent>) {
    tracked.accepted = true;
    if tracked.learn(Fact::Alive) {
        tracked.query_attempts = 0;
        tracked.not_found = 0;
        events.push_back(tracked.event(ExecutionKind::Accepted, time));
    }
}

pub(super) fn apply_fill(
    tracked: &mut TrackedOrder,
    fill: &Fill,
    instrument: &Instrument,
    time: Nanos,
    counters: &mut TableCounters,
    events: &mut VecDeque<ExecutionEvent>,
) {
    if tracked.is_done() {
        counters.late_fills += 1;
    }
    accept(tracked, time, events);
    tracked.lots_filled = Lots(tracked.lots_filled.0.saturating_add(fill.lots.0));
    counters.overfills += u64::from(tracked.lots_filled > tracked.lots_most());
    let base = tracked.event(ExecutionKind::Filled, time);
    events.push_back(fill_event(base, fill, instrument, counters));
}

pub(super) fn apply_status(
    tracked: &mut TrackedOrder,
    update: &OrderUpdate,
    now: Nanos,
    time: Nanos,
    counters: &mut TableCounters,
    events: &mut VecDeque<ExecutionEvent>,
) {
    let end = match update.status {
        OrderStatus::Live => {
            accept(tracked, time, events);
            return;
        }
        OrderStatus::Unknown => {
            if tracked.learn(Fact::Doubt) {
                events.push_back(tracked.event(ExecutionKind::Unknown, time));
            }
            if tracked.is_open() {
                tracked.query_at = tracked.query_at.min(now);
            }
            return;
        }
        OrderStatus::Filled => FinalStatus::Filled,
        OrderStatus::Canceled => FinalStatus::Canceled,
        OrderStatus::Expired => FinalStatus::Expired,
        OrderStatus::Rejected => FinalStatus::Rejected,
    };
    if end == FinalStatus::Filled {
        tracked.settle_amendment(update.lots_cumulative, time, events);
        tracked.lots_stated = tracked.lots_stated.max(tracked.lots);
    }
    if tracked.is_done() {
        let rejected = tracked.phase == Phase::Done(FinalStatus::Rejected);
        counters.contradictions += u64::from(rejected != (end == FinalStatus::Rejected));
        return;
    }
    tracked.accepted |= end != FinalStatus::Rejected;
    tracked.learn(Fact::Ended(end));
}

/// Ends an order as soon as everything that belongs to its end has been seen.
pub(super) fn finish_order(tracked: &mut TrackedOrder, now: Nanos, time: Nanos, events: &mut VecDeque<ExecutionEvent>) {
    if tracked.is_done() {
        return;
    }
    if tracked.lots_filled >= tracked.lots_most() {
        // The last fill says it all: no further event.
        tracked.learn(Fact::FilledWhole);
    } else if tracked.lots_filled < tracked.lots_stated {
        if tracked.missing_since == Nanos::ZERO {
            tracked.missing_since = now;
        }
        return;
    } else if let Phase::Closing(end) = tracked.phase {
        tracked.learn(Fact::Settled);
        let kind = match end {
            FinalStatus::Filled => return,
            FinalStatus::Canceled => ExecutionKind::Canceled,
            FinalStatus::Expired => ExecutionKind::Expired,
            FinalStatus::Rejected => ExecutionKind::Rejected,
        };
        events.push_back(tracked.event(kind, time));
    }
    tracked.missing_since = Nanos::ZERO;
    if tracked.is_done() {
        tracked.cancel = CancelState::None;
        tracked.query_at = Nanos::NEVER;
    }
}
