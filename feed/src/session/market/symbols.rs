//! HOT: the session's books: silence, and the snapshots that bring them back.

use spinbook_engine::event::LostReason;
use spinbook_engine::types::{Nanos, Stamp};

use super::{MarketSession, PONG_RESERVE, SnapshotFetch, TICK, path_of};
use crate::session::{MarketSink, SessionAction};
use crate::sync::SyncState;
use crate::venue::card::SnapshotOrigin;
use crate::venue::market::MarketSide;

/// A book that was live this long was a success: the next snapshot is asked for at once.
const STABLE: Nanos = Nanos::from_seconds(30);
/// Snapshots in a row that are asked for without a pause: the first, and one after an early gap.
pub(super) const ASKED_AT_ONCE: u32 = 2;
/// Updates of a lost book that were whole for this long are worth a snapshot, however often it was lost before.
const WHOLE_ENOUGH: Nanos = Nanos::from_seconds(5);

impl<M: MarketSide> MarketSession<M> {
    /// Gives up books whose depth stream is silent and subscribes them again; the other symbols stay as they are.
    pub(super) fn judge_symbols(&mut self, received: Stamp, sink: &mut impl MarketSink) {
        let now = received.wall;
        let Some(route) = self.routes.iter().position(|route| route.carries_depth) else {
            return;
        };
        let which = self.routes[route].primary;
        if !self.routes[route].connections[which].is_subscribed() {
            return;
        }
        for symbol in 0..self.states.len() {
            if now - self.states[symbol].last_depth <= self.settings.symbol_silence_max {
                continue;
            }
            self.states[symbol].last_depth = now;
            self.counters.silent_symbols += 1;
            if self.flow.state(symbol) == SyncState::Live {
                self.flow.lose(symbol, LostReason::Silent, received, path_of(route, which), sink);
            }
            if self.routes[route].connections[which].budget.take(now, 1) {
                self.subscribe_again(symbol, route, which, now);
            }
        }
    }

    fn subscribe_again(&mut self, symbol: usize, route: usize, which: usize, now: Nanos) -> bool {
        let request = self.routes[route].route.one_first + symbol;
        self.queue_request(path_of(route, which), |side, text| side.write_request(request, now, text))
    }

    /// A snapshot came on the connection: no request for it is needed any more, unless it was too old.
    #[cold]
    pub(super) fn on_stream_snapshot(&mut self, symbol: usize, now: Nanos) {
        self.states[symbol].last_depth = now;
        self.states[symbol].fetch = SnapshotFetch::Idle;
        self.fetches.clear(symbol);
        if self.flow.state(symbol) == SyncState::Live {
            self.states[symbol].live_since = now;
        } else {
            self.counters.snapshots_failed += 1;
            self.want_snapshot_later(symbol, Nanos::ZERO, now);
        }
    }

    /// A book waits for a snapshot: asks for it unless one is wanted or on its way.
    pub(super) fn want_snapshot(&mut self, symbol: usize, now: Nanos) {
        if self.flow.state(symbol) != SyncState::AwaitingSnapshot {
            return;
        }
        match self.states[symbol].fetch {
            SnapshotFetch::Idle => {}
            SnapshotFetch::Wanted { not_before }
                if now < not_before && self.flow.whole_span(symbol) >= WHOLE_ENOUGH =>
            {
                return self.want_snapshot_now(symbol, now);
            }
            _ => return,
        }
        let state = &mut self.states[symbol];
        if state.live_since != Nanos::ZERO && now - state.live_since >= STABLE {
            state.backoff.reset();
            state.asked_in_a_row = 0;
        }
        state.live_since = Nanos::ZERO;
        // A book that is lost again and again is not asked for at the pace of its updates.
        let pause = if state.asked_in_a_row < ASKED_AT_ONCE { Nanos::ZERO } else { state.backoff.next_pause() };
        let not_before = (now + pause).max(state.not_before);
        state.fetch = SnapshotFetch::Wanted { not_before };
        self.fetches.set(symbol, not_before);
        self.ask_for_snapshots(now);
    }

    /// The pause before a snapshot ends early.
    #[cold]
    fn want_snapshot_now(&mut self, symbol: usize, now: Nanos) {
        let not_before = self.states[symbol].not_before.max(now);
        self.states[symbol].fetch = SnapshotFetch::Wanted { not_before };
        self.fetches.set(symbol, not_before);
        self.ask_for_snapshots(now);
    }

    pub(super) fn want_snapshot_later(&mut self, symbol: usize, retry_after: Nanos, now: Nanos) {
        if self.flow.state(symbol) == SyncState::Live {
            return;
        }
        // Where the venue does not answer, it is asked again soon: it may be well at any moment.
        let pause = self.states[symbol].backoff.next_pause().min(self.settings.pause_longest);
        self.states[symbol].not_before = now + retry_after;
        self.want_snapshot_after(symbol, pause.max(retry_after), now);
    }

    /// The updates do not join the snapshot that came, or it was too old.
    #[cold]
    pub(super) fn want_another_snapshot(&mut self, symbol: usize, now: Nanos) {
        let pause = self.states[symbol].backoff.next_pause();
        self.want_snapshot_after(symbol, pause, now);
    }

    fn want_snapshot_after(&mut self, symbol: usize, pause: Nanos, now: Nanos) {
        let not_before = (now + pause).max(self.states[symbol].not_before);
        self.states[symbol].fetch = SnapshotFetch::Wanted { not_before };
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
                self.states[symbol].fetch = SnapshotFetch::Idle;
                continue;
            }
            if !self.ask_for_snapshot(symbol, now) {
                self.fetches.set(symbol, now + TICK);
                return;
            }
            self.snapshot_budget.note(now);
            self.counters.snapshots_asked += 1;
            self.flow.restart_whole_span(symbol);
            self.states[symbol].asked_in_a_row = self.states[symbol].asked_in_a_row.saturating_add(1);
            self.states[symbol].fetch = SnapshotFetch::InFlight { since: now };
        }
    }

    /// Asks the way the venue wants to be asked: by REST, on the connection, or by subscribing the symbol again.
    fn ask_for_snapshot(&mut self, symbol: usize, now: Nanos) -> bool {
        if self.origin == SnapshotOrigin::Rest {
            let (instrument, limit) = (self.states[symbol].instrument, self.settings.snapshot_levels);
            return self.queue_action(SessionAction::FetchSnapshot { instrument, limit });
        }
        let Some(route) = self.routes.iter().position(|route| route.carries_depth) else {
            return false;
        };
        let which = self.routes[route].primary;
        if !self.routes[route].connections[which].is_open()
            || !self.routes[route].connections[which].budget.take(now, PONG_RESERVE)
        {
            return false;
        }
        if self.origin == SnapshotOrigin::InStream {
            return self.subscribe_again(symbol, route, which, now);
        }
        let levels = self.settings.snapshot_levels;
        self.queue_request(path_of(route, which), |side, text| side.write_snapshot_request(symbol, levels, now, text))
    }

    pub(super) fn give_up_late_snapshots(&mut self, now: Nanos) {
        for symbol in 0..self.states.len() {
            match self.states[symbol].fetch {
                SnapshotFetch::InFlight { since } if now - since > self.settings.answer_wait_max => {
                    self.counters.snapshots_failed += 1;
                    self.states[symbol].fetch = SnapshotFetch::Idle;
                    self.want_snapshot_later(symbol, Nanos::ZERO, now);
                }
                _ => {}
            }
        }
    }
}
