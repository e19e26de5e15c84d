//! HOT: the session's books: silence, and the snapshots that bring them back.

use spinbook_engine::event::LostReason;
use spinbook_engine::types::{Nanos, Stamp};

use super::{Fetch, MarketSession, TICK, path_of};
use crate::session::{MarketSink, SessionAction};
use crate::sync::SyncState;

/// A book that was live this long was a success: the next snapshot is asked for at once.
const STABLE: Nanos = Nanos::from_seconds(30);
/// Snapshots in a row that are asked for without a pause: the first, and one after an early gap.
const ASKED_AT_ONCE: u32 = 2;

impl MarketSession {
    /// Gives up books whose depth stream is silent and subscribes them again; the other symbols stay as they are.
    pub(super) fn judge_symbols(&mut self, received: Stamp, sink: &mut impl MarketSink) {
        let now = received.wall;
        let Some(route) = self.routes.iter().position(|route| route.carries_depth) else {
            return;
        };
        let which = self.routes[route].primary;
        if !self.routes[route].links[which].is_subscribed() {
            return;
        }
        for symbol in 0..self.care.len() {
            if now - self.care[symbol].last_depth <= self.settings.symbol_silence_max {
                continue;
            }
            self.care[symbol].last_depth = now;
            self.counters.silent_symbols += 1;
            if self.flow.state(symbol) == SyncState::Live {
                self.flow.lose(symbol, LostReason::Silent, received, path_of(route, which), sink);
            }
            let message = self.routes[route].messages.one_first + symbol;
            if self.routes[route].links[which].budget.take(now, 1) {
                self.act(SessionAction::Send { path: path_of(route, which), message: message as u16 });
            }
        }
    }

    /// A book waits for a snapshot: asks for it unless one is wanted or on its way.
    pub(super) fn want_snapshot(&mut self, symbol: usize, now: Nanos) {
        if self.care[symbol].fetch != Fetch::Idle || self.flow.state(symbol) != SyncState::AwaitingSnapshot {
            return;
        }
        let care = &mut self.care[symbol];
        if care.live_since != Nanos::ZERO && now - care.live_since >= STABLE {
            care.backoff.reset();
            care.asked_in_a_row = 0;
        }
        care.live_since = Nanos::ZERO;
        // A book that is lost again and again is not asked for at the pace of its updates.
        let pause = if care.asked_in_a_row < ASKED_AT_ONCE { Nanos::ZERO } else { care.backoff.next_pause() };
        let not_before = (now + pause).max(care.not_before);
        care.fetch = Fetch::Wanted { not_before };
        self.fetches.set(symbol, not_before);
        self.ask_for_snapshots(now);
    }

    pub(super) fn want_snapshot_later(&mut self, symbol: usize, retry_after: Nanos, now: Nanos) {
        if self.flow.state(symbol) == SyncState::Live {
            return;
        }
        let not_before = now + self.care[symbol].backoff.next_pause().max(retry_after);
        self.care[symbol].not_before = not_before;
        self.care[symbol].fetch = Fetch::Wanted { not_before };
        self.fetches.set(symbol, not_before);
    }

    pub(super) fn ask_for_snapshots(&mut self, now: Nanos) {
        self.give_up_late_snapshots(now);
        if now < self.no_snapshot_before {
            return;
        }
        while self.snapshot_budget.left(now) > 0 {
            let Some(symbol) = self.fetches.pop_due(now) else {
                return;
            };
            if self.flow.state(symbol) != SyncState::AwaitingSnapshot {
                // Nothing is buffered yet: the first update asks for it.
                self.care[symbol].fetch = Fetch::Idle;
                continue;
            }
            let (instrument, limit) = (self.care[symbol].instrument, self.settings.snapshot_levels);
            if !self.act(SessionAction::FetchSnapshot { instrument, limit }) {
                self.fetches.set(symbol, now + TICK);
                return;
            }
            self.snapshot_budget.note(now);
            self.counters.snapshots_asked += 1;
            self.care[symbol].asked_in_a_row = self.care[symbol].asked_in_a_row.saturating_add(1);
            self.care[symbol].fetch = Fetch::InFlight { since: now };
        }
    }

    pub(super) fn give_up_late_snapshots(&mut self, now: Nanos) {
        for symbol in 0..self.care.len() {
            match self.care[symbol].fetch {
                Fetch::InFlight { since } if now - since > self.settings.answer_wait_max => {
                    self.counters.snapshots_failed += 1;
                    self.care[symbol].fetch = Fetch::Idle;
                    self.want_snapshot_later(symbol, Nanos::ZERO, now);
                }
                _ => {}
            }
        }
    }
}
