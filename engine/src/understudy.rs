//! HOT: an engine whose orders reach nobody: it keeps the code of the real one's decisions warm.
//!
//! Between two frames a processor forgets: other programs, the system's ticks and the loop's own calls take caches,
//! address translations and what the branch predictors have learned. An understudy is an engine with the real one's
//! settings and strategy that owns both ends of its rings. Whoever plays it a market keeps the same machine code warm
//! with nothing real in its hands: the rings of the real engine are owned by the real engine, and a ring's writing end
//! cannot be copied, so there is no way from here to a venue.

use crate::engine::Engine;
use crate::event::{ExecutionEvent, ExecutionKind};
use crate::intent::{Intent, IntentKind};
use crate::ring::Consumer;
use crate::strategy::Strategy;
use crate::trace::TraceRecord;
use crate::types::{EPOCH_REHEARSAL, InstrumentId, Nanos, VenueId};

/// Order ids are begun anew beyond this many.
const IDS_MAX: u32 = 1 << 31;
/// Intents that one rehearsal may lead to before something is wrong with it.
const INTENTS_MAX: usize = 64;

/// What an understudy's engine wanted in one rehearsal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rehearsed {
    /// Orders it placed.
    pub places: u32,
    /// Orders it cancelled.
    pub cancels: u32,
    /// Orders it amended or replaced.
    pub changes: u32,
}

/// An engine of one instrument, and the only reading ends of its rings.
#[derive(Debug)]
pub struct Understudy<S> {
    engine: Engine<S>,
    orders: Consumer<Intent>,
    cancels: Consumer<Intent>,
    decisions: Consumer<TraceRecord>,
    venue: VenueId,
}

/// What set-up makes an understudy of.
#[derive(Debug)]
pub struct UnderstudyParts<S> {
    /// Built for one instrument, in the rehearsals' epoch.
    pub engine: Engine<S>,
    /// The other end of its ring for orders.
    pub orders: Consumer<Intent>,
    /// The other end of its ring for cancels.
    pub cancels: Consumer<Intent>,
    /// The other end of its ring for decisions.
    pub decisions: Consumer<TraceRecord>,
}

impl Rehearsed {
    /// Whether quotes moved: old ones went and new ones came.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.changes > 0 || (self.places > 0 && self.cancels > 0)
    }
}

impl<S: Strategy> Understudy<S> {
    /// Puts the parts together; its venue is ready at once.
    #[must_use]
    pub fn new(parts: UnderstudyParts<S>) -> Understudy<S> {
        let UnderstudyParts { engine, orders, cancels, decisions } = parts;
        let venue = engine.instrument(InstrumentId(0)).venue;
        let mut understudy = Understudy { engine, orders, cancels, decisions, venue };
        let ready = ExecutionEvent { kind: ExecutionKind::GatewayReady, venue, ..ExecutionEvent::default() };
        understudy.engine.on_execution(&ready, Nanos::ZERO);
        understudy
    }

    /// The engine, to play it a market.
    #[inline]
    pub fn engine(&mut self) -> &mut Engine<S> {
        &mut self.engine
    }

    /// Answers what the engine wants as a venue would that is always willing, until it wants nothing more.
    pub fn answer(&mut self, now: Nanos) -> Rehearsed {
        let mut rehearsed = Rehearsed::default();
        for _ in 0..INTENTS_MAX {
            let Some(intent) = self.cancels.pop().or_else(|| self.orders.pop()) else { break };
            let kind = match intent.kind {
                IntentKind::Place => {
                    rehearsed.places += 1;
                    ExecutionKind::Accepted
                }
                IntentKind::Cancel => {
                    rehearsed.cancels += 1;
                    ExecutionKind::Canceled
                }
                IntentKind::Replace => {
                    rehearsed.changes += 1;
                    self.tell(ExecutionKind::Canceled, &Intent { order: intent.replaces, ..intent }, now);
                    ExecutionKind::Accepted
                }
                IntentKind::Amend => {
                    rehearsed.changes += 1;
                    ExecutionKind::Amended
                }
            };
            self.tell(kind, &intent, now);
        }
        while self.decisions.pop().is_some() {}
        self.engine.renew_rehearsal_ids(IDS_MAX);
        rehearsed
    }

    #[inline]
    fn tell(&mut self, kind: ExecutionKind, intent: &Intent, now: Nanos) {
        let event = ExecutionEvent {
            kind,
            order: intent.order,
            time: now,
            tick: intent.tick,
            lots: intent.lots,
            instrument: intent.instrument,
            venue: self.venue,
            slot: intent.slot,
            side: intent.side,
            ..ExecutionEvent::default()
        };
        self.engine.on_execution(&event, now);
    }
}

impl<S> Engine<S> {
    /// Whether it is an understudy's: its orders reach nobody.
    #[must_use]
    pub fn is_understudy(&self) -> bool {
        self.epoch() == EPOCH_REHEARSAL
    }
}
