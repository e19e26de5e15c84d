//! COLD: another price and quantity for an order that rests: asked for, proved, or in doubt.
//!
//! Until the venue's word an order may have either; whoever counts takes the worse of the two.

use std::collections::VecDeque;

use spinbook_engine::event::{ExecutionEvent, ExecutionKind};
use spinbook_engine::intent::Intent;
use spinbook_engine::types::{Level, Lots, Nanos, OrderId, VenueCode};

use super::apply::finish_order;
use super::transition::Fact;
use super::{OrderTable, TrackedOrder};

/// What is proved of an amendment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Nothing: the order has the one price and quantity, or the other.
    Open,
    /// The venue made it.
    Made,
    /// The venue did not make it.
    Refused,
}

/// Something that was learned of an amendment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AmendFact {
    /// The venue shows the order with the new price and quantity.
    Shown,
    /// The venue refused it.
    Refused,
    /// Asked when the amendment could no longer come, the venue shows the order without it.
    Missing,
}

/// What a fact makes of a verdict; `None` where it changes nothing. What the venue shows wins over what it answered.
const fn next_verdict(verdict: Verdict, fact: AmendFact) -> Option<Verdict> {
    match (verdict, fact) {
        (Verdict::Open | Verdict::Refused, AmendFact::Shown) => Some(Verdict::Made),
        (Verdict::Made, AmendFact::Shown) => None,
        (Verdict::Open, AmendFact::Refused) => Some(Verdict::Refused),
        (Verdict::Made | Verdict::Refused, AmendFact::Refused) => None,
        (Verdict::Open | Verdict::Made, AmendFact::Missing) => Some(Verdict::Refused),
        (Verdict::Refused, AmendFact::Missing) => None,
    }
}

/// One amendment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Amendment {
    former: Level,
    wanted: Level,
    sent: Nanos,
    /// After this the venue can no longer make it.
    valid_until: Nanos,
    verdict: Verdict,
}

impl TrackedOrder {
    /// Whether it may have another price and quantity than what is proved.
    #[must_use]
    pub fn is_amending(&self) -> bool {
        self.is_open() && self.open_amendment().is_some()
    }

    fn open_amendment(&self) -> Option<&Amendment> {
        self.amendment.as_ref().filter(|amendment| amendment.verdict == Verdict::Open)
    }

    /// The most that it may have been ordered for.
    #[must_use]
    pub fn lots_most(&self) -> Lots {
        self.open_amendment().map_or(self.lots, |amendment| self.lots.max(amendment.wanted.lots))
    }

    /// From when a question about it can decide an amendment in doubt.
    pub(in crate::gateway) fn amendment_decided_from(&self) -> Option<Nanos> {
        self.open_amendment().filter(|_| self.is_open()).map(|amendment| amendment.valid_until)
    }

    /// It was filled whole: for how much, the venue says.
    pub(super) fn settle_amendment(&mut self, lots: Lots, time: Nanos, events: &mut VecDeque<ExecutionEvent>) {
        let Some(amendment) = self.amendment.as_mut().filter(|_| lots > Lots::ZERO) else { return };
        let is_told = amendment.verdict != Verdict::Open || amendment.wanted.lots == lots;
        if self.lots == lots && is_told {
            return;
        }
        let was_made = lots == amendment.wanted.lots && lots != amendment.former.lots;
        amendment.verdict = if was_made { Verdict::Made } else { Verdict::Refused };
        self.lots = lots;
        events.push_back(self.amendment_event(time));
    }

    /// What the engine is told of the verdict.
    fn amendment_event(&self, time: Nanos) -> ExecutionEvent {
        let made = self.amendment.is_some_and(|amendment| amendment.verdict == Verdict::Made);
        self.event(if made { ExecutionKind::Amended } else { ExecutionKind::AmendRejected }, time)
    }
}

impl OrderTable {
    /// Enters an amendment that is about to be sent. The caller checked that the order rests and none is in doubt.
    pub(in crate::gateway) fn begin_amendment(&mut self, intent: &Intent, valid_until: Nanos, now: Nanos) {
        let Some(tracked) = self.active.get_mut(&intent.order) else { return };
        debug_assert!(!tracked.is_amending(), "checked by the caller");
        let former = Level { tick: tracked.tick, lots: tracked.lots };
        let wanted = Level { tick: intent.tick, lots: intent.lots };
        tracked.amendment = Some(Amendment { former, wanted, sent: now, valid_until, verdict: Verdict::Open });
        // What decides whether the order itself can still come stays as it was: it rests.
    }

    /// The venue refused the amendment, definitely; whether it answers for what it did is asked all the same.
    pub fn on_amend_refused(
        &mut self,
        order: OrderId,
        code: VenueCode,
        now: Nanos,
        events: &mut VecDeque<ExecutionEvent>,
    ) {
        self.learn_of_amendment(order, AmendFact::Refused, code, now, events);
    }

    /// It is not known whether the venue made the amendment: the order is asked for.
    pub fn on_amend_unknown(
        &mut self,
        order: OrderId,
        query_at: Nanos,
        now: Nanos,
        events: &mut VecDeque<ExecutionEvent>,
    ) {
        let Some(tracked) = self.active.get_mut(&order).filter(|tracked| tracked.is_amending()) else { return };
        tracked.query_at = tracked.query_at.min(query_at);
        if tracked.learn(Fact::Doubt) {
            events.push_back(tracked.event(ExecutionKind::Unknown, now));
        }
    }

    /// The venue shows an order with this price and quantity, in an answer to a question of the time `asked`, or by itself.
    pub fn on_in_force(
        &mut self,
        order: OrderId,
        level: Level,
        asked: Option<Nanos>,
        now: Nanos,
        events: &mut VecDeque<ExecutionEvent>,
    ) {
        let Some(amendment) = self.active.get(&order).and_then(|tracked| tracked.amendment) else { return };
        let is_late = asked.is_some_and(|asked| asked >= amendment.valid_until);
        let is_about_it = asked.is_none_or(|asked| asked >= amendment.sent);
        let fact = match level == amendment.wanted {
            true if is_about_it => AmendFact::Shown,
            false if is_late => AmendFact::Missing,
            _ => return,
        };
        self.learn_of_amendment(order, fact, VenueCode::NONE, now, events);
    }

    fn learn_of_amendment(
        &mut self,
        order: OrderId,
        fact: AmendFact,
        code: VenueCode,
        now: Nanos,
        events: &mut VecDeque<ExecutionEvent>,
    ) {
        let Some(tracked) = self.active.get_mut(&order) else { return };
        let Some(amendment) = tracked.amendment.as_mut() else { return };
        let known = amendment.verdict;
        let Some(next) = next_verdict(known, fact) else {
            // It was shown and then refused: what the venue shows now is asked for.
            if known == Verdict::Made && fact == AmendFact::Refused {
                self.counters.contradictions += 1;
                tracked.query_at = tracked.query_at.min(now);
            }
            return;
        };
        amendment.verdict = next;
        self.proved.amended += u64::from(next == Verdict::Made);
        self.counters.contradictions += u64::from(known != Verdict::Open);
        let in_force = if next == Verdict::Made { amendment.wanted } else { amendment.former };
        (tracked.tick, tracked.lots) = (in_force.tick, in_force.lots);
        if next == Verdict::Refused {
            tracked.query_at = tracked.query_at.min(now);
        }
        events.push_back(ExecutionEvent { venue_code: code, ..tracked.amendment_event(now) });
        finish_order(tracked, now, now, events);
        if tracked.is_done() {
            self.retire(order);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_venue_shows_wins_over_what_it_answered_in_any_order() {
        let facts = [AmendFact::Shown, AmendFact::Refused];
        for order in [facts, [facts[1], facts[0]]] {
            let end = order.iter().fold(Verdict::Open, |verdict, fact| next_verdict(verdict, *fact).unwrap_or(verdict));
            assert_eq!(end, Verdict::Made, "{order:?}");
        }
        for verdict in [Verdict::Open, Verdict::Made, Verdict::Refused] {
            for fact in [AmendFact::Shown, AmendFact::Refused, AmendFact::Missing] {
                assert_ne!(next_verdict(verdict, fact), Some(verdict), "nothing new is no transition");
                assert_ne!(
                    next_verdict(verdict, fact),
                    Some(Verdict::Open),
                    "nothing makes an amendment undecided again"
                );
            }
        }
    }
}
