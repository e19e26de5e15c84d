//! COLD: the reference strategy, whose bid is let through once for each picked frame.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use spinbook_engine::counters::{Counter, Counters};
use spinbook_engine::strategy::{Quote, Quotes, Spread, Strategy, Targets, View};
use spinbook_engine::types::{InstrumentId, Side};
use spinbook_feed::net::host::clock::cycles;

use super::script::{Pick, Quantities};
use crate::workload::LineKind;

/// What the hot thread tells of its decisions.
#[derive(Debug, Default)]
pub struct Decisions {
    /// Cycle counter at the decision, by pick.
    pub stamps: Vec<AtomicU64>,
    /// The engine's counters, set once it is built.
    pub counters: OnceLock<Arc<Counters>>,
}

impl Decisions {
    /// Room for the decisions of `picks` picks.
    #[must_use]
    pub fn of(picks: usize) -> Decisions {
        Decisions { stamps: (0..picks).map(|_| AtomicU64::new(0)).collect(), counters: OnceLock::new() }
    }
}

/// [`Spread`] at every change, all of it; of its quotes the best bid becomes a target when a picked frame has
/// arrived, with that pick's quantity, until its order has left. So each picked frame causes exactly one order.
pub struct Selected {
    spread: Spread,
    wanted: Targets,
    picks: Arc<[Pick]>,
    quantities: Quantities,
    decisions: Arc<Decisions>,
    next: usize,
    due: Option<usize>,
    /// Orders sent when the target was first written.
    offered: Option<u64>,
}

impl Selected {
    /// Around the reference strategy of one instrument.
    #[must_use]
    pub fn new(spread: Spread, picks: Arc<[Pick]>, quantities: Quantities, decisions: Arc<Decisions>) -> Selected {
        let one = (vec![Quotes::NONE], vec![false], vec![InstrumentId(0)]);
        let wanted = Targets::new(one.0.into(), one.1.into(), one.2.into());
        Selected { spread, wanted, picks, quantities, decisions, next: 0, due: None, offered: None }
    }

    fn has_arrived(pick: &Pick, view: &View<'_>, instrument: InstrumentId) -> bool {
        match pick.kind {
            LineKind::Depth => view.book(instrument).sequence() >= pick.sequence,
            _ => view.touch(instrument).is_some_and(|touch| touch.sequence >= pick.sequence),
        }
    }

    fn places_sent(&self) -> u64 {
        self.decisions.counters.get().map_or(0, |counters| counters.value(Counter::PlacesSent))
    }
}

impl Strategy for Selected {
    fn on_change(&mut self, view: &View<'_>, changed: InstrumentId, targets: &mut Targets) {
        self.spread.on_change(view, changed, &mut self.wanted);
        let _ = self.wanted.take_rewritten();
        if self.offered.is_some_and(|sent| self.places_sent() > sent) {
            (self.offered, self.due) = (None, None);
        }
        while self.picks.get(self.next).is_some_and(|pick| Selected::has_arrived(pick, view, changed)) {
            self.due = Some(self.next);
            self.next += 1;
        }
        let bid = self.wanted.quotes(changed).side(Side::Bid).first();
        match (self.due, bid) {
            (Some(pick), Some(&bid)) => {
                let quote = Quote { lots: self.quantities.of(pick), ..bid };
                targets.rewrite(changed).add(Side::Bid, quote);
                if self.offered.is_none() {
                    self.offered = Some(self.places_sent());
                }
                self.decisions.stamps[pick].store(cycles(), Ordering::Relaxed);
            }
            _ if !targets.quotes(changed).is_empty() => {
                targets.rewrite(changed);
            }
            _ => {}
        }
    }
}
