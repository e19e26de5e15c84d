//! COLD: what proved each order's end, and what the kernel took: told to the journal, for people and for the next start.

use spinbook_engine::intent::IntentKind;
use spinbook_engine::trace::{TraceKind, TraceRecord};
use spinbook_engine::types::{Nanos, OrderId};

use super::Gateway;
use super::orders::{FinalStatus, Phase};
use crate::journal::end::{EndProof, OrderEnd, ProvedEnd};
use crate::journal::record::JournalRecord;
use crate::venue::order_side::{OrderConnection, OrderSide};
use crate::venue::orders::RequestKind;

/// A denial that still holds is told again after this.
const DENIAL_AGAIN: Nanos = Nanos::from_seconds(60);

/// The denials that were told last, by instrument, side and slot.
#[derive(Debug, Default)]
pub(super) struct ToldDenials(Vec<TraceRecord>);

impl ToldDenials {
    fn place(&self, decision: &TraceRecord) -> Option<usize> {
        let key = |told: &TraceRecord| (told.instrument, told.side, told.slot);
        self.0.iter().position(|told| key(told) == key(decision))
    }

    fn is_new(&mut self, decision: &TraceRecord) -> bool {
        let Some(place) = self.place(decision) else {
            self.0.push(*decision);
            return true;
        };
        let told = self.0[place];
        let is_new = told.detail != decision.detail || decision.now - told.now >= DENIAL_AGAIN;
        if is_new {
            self.0[place] = *decision;
        }
        is_new
    }

    /// An order left instead.
    fn forget(&mut self, decision: &TraceRecord) {
        if let Some(place) = self.place(decision) {
            self.0.swap_remove(place);
        }
    }
}

impl<O: OrderSide> Gateway<O> {
    /// The kernel took a request that was to be sent.
    pub fn on_sent(&mut self, order: OrderId, kind: RequestKind, connection: OrderConnection, now: Nanos) {
        let kind = match kind {
            RequestKind::Place => IntentKind::Place,
            RequestKind::Cancel => IntentKind::Cancel,
            RequestKind::Replace => IntentKind::Replace,
            RequestKind::Amend => IntentKind::Amend,
            _ => return,
        };
        self.journal.note(&JournalRecord::Sent { order, kind, connection }, now);
    }

    /// What the engine decided and on what. A denial is repeated some times a second while it holds: it is told again when it
    /// is another, or after a while.
    pub fn note_decision(&mut self, decision: &TraceRecord) {
        match decision.kind {
            // What the gateway told the engine is written down already.
            TraceKind::Execution => return,
            TraceKind::Denied if !self.denials.is_new(decision) => return,
            TraceKind::Intent => self.denials.forget(decision),
            TraceKind::Denied | TraceKind::State | TraceKind::Book => {}
        }
        self.journal.note(&JournalRecord::Decision(*decision), decision.now);
    }

    /// What is learned until the next word comes from the answer to such a request.
    pub(super) fn learn_from(&mut self, kind: RequestKind) {
        self.proof = match kind {
            RequestKind::Cancel => EndProof::CancelReply,
            RequestKind::OrderStatus => EndProof::Question,
            RequestKind::OpenOrders => EndProof::List,
            RequestKind::CancelAll => EndProof::CancelAllReply,
            RequestKind::Fills => EndProof::Executions,
            _ => EndProof::PlaceReply,
        };
    }

    /// Writes down which orders are over since the last look, and what said so.
    #[cold]
    #[inline(never)]
    pub(super) fn note_ends(&mut self, now: Nanos) {
        while let Some(order) = self.orders.next_retired() {
            let Some(tracked) = self.orders.find(order) else { continue };
            let end = match tracked.phase {
                Phase::Done(FinalStatus::Filled) => OrderEnd::Filled,
                Phase::Done(FinalStatus::Canceled) => OrderEnd::Canceled,
                Phase::Done(FinalStatus::Expired) => OrderEnd::Expired,
                Phase::Done(FinalStatus::Rejected) => OrderEnd::Rejected,
                // It was opened again meanwhile.
                Phase::Sent | Phase::Working | Phase::Unknown | Phase::Closing(_) => continue,
            };
            let (instrument, lots_filled) = (tracked.instrument, tracked.lots_filled);
            let ended = ProvedEnd { order, instrument, end, proof: self.proof, lots_filled };
            self.journal.note(&JournalRecord::Ended(ended), now);
        }
    }
}
