//! HOT: the session's connections: opening, subscribing, giving up, replacing.

use spinbook_engine::event::LostReason;
use spinbook_engine::types::{Nanos, Stamp};

use super::{MarketSession, PONG_RESERVE, SnapshotFetch, path_of};
use crate::session::path::PathState;
use crate::session::{CloseReason, MarketSink, SessionAction};
use crate::sync::SyncState;
use crate::venue::market::{MarketSide, Message};

impl<M: MarketSide> MarketSession<M> {
    /// Opens what is due and sends what a budget held back.
    pub(super) fn maintain_connections(&mut self, now: Nanos) {
        for route in 0..self.routes.len() {
            for which in 0..2 {
                let state = self.routes[route].connections[which].state;
                if matches!(state, PathState::Subscribing { .. }) {
                    self.send_subscriptions(route, which, now);
                }
                let due = matches!(state, PathState::Pausing { until } if until <= now);
                if due && self.queue_action(SessionAction::Open { path: path_of(route, which) }) {
                    self.routes[route].connections[which].state = PathState::Opening { since: now };
                }
            }
        }
    }

    pub(super) fn send_subscriptions(&mut self, route: usize, which: usize, now: Nanos) {
        let path = path_of(route, which);
        while self.routes[route].connections[which].messages_sent < self.routes[route].route.all.len() {
            let index = self.routes[route].route.all.start + self.routes[route].connections[which].messages_sent;
            if !self.routes[route].connections[which].budget.take(now, PONG_RESERVE) {
                return;
            }
            if !self.queue_request(path, |side, text| side.write_request(index, now, text)) {
                return;
            }
            self.routes[route].connections[which].messages_sent += 1;
        }
    }

    /// Gives up a connection that is silent or does not answer.
    pub(super) fn judge_connection(&mut self, route: usize, which: usize, received: Stamp, sink: &mut impl MarketSink) {
        let now = received.wall;
        let silence_max = if self.routes[route].carries_depth {
            self.settings.connection_silence_max
        } else {
            Nanos(3 * self.product().card().ping_interval.0)
        };
        let connection = &self.routes[route].connections[which];
        let reason = match connection.state {
            PathState::Idle | PathState::Pausing { .. } => return,
            PathState::Opening { since } | PathState::Subscribing { since }
                if now - since > self.settings.answer_wait_max =>
            {
                CloseReason::NoAnswer
            }
            PathState::Subscribing { .. } | PathState::Subscribed { .. }
                if now - connection.last_frame > silence_max =>
            {
                self.counters.silent_connections += 1;
                CloseReason::Silent
            }
            _ => return,
        };
        self.give_up(route, which, reason, received, sink);
    }

    /// Sends a message of our own on a connection that was quiet, and gives it up if nothing comes behind it.
    pub(super) fn keep_alive(&mut self, route: usize, which: usize, received: Stamp, sink: &mut impl MarketSink) {
        let Some(heartbeat) = self.product().card().heartbeat else { return };
        let now = received.wall;
        let connection = &self.routes[route].connections[which];
        if !connection.is_open() || now - connection.last_frame < heartbeat.after {
            return;
        }
        if connection.heartbeat_sent <= connection.last_frame {
            if self.routes[route].connections[which].budget.take(now, 0)
                && self.queue_request(path_of(route, which), |side, text| side.write_heartbeat(now, text))
            {
                self.routes[route].connections[which].heartbeat_sent = now;
            }
        } else if now - connection.heartbeat_sent > heartbeat.answer_within {
            self.counters.silent_connections += 1;
            self.give_up(route, which, CloseReason::Silent, received, sink);
        }
    }

    /// Brings up the second connection when the first is old, and lets it take over when it has proved itself.
    pub(super) fn replace_primary(&mut self, route: usize, now: Nanos) {
        let (primary, second) = (self.routes[route].primary, 1 - self.routes[route].primary);
        if !self.routes[route].shutdown && now < self.routes[route].replace_at {
            return;
        }
        match self.routes[route].connections[second].state {
            PathState::Idle => self.routes[route].connections[second].state = PathState::Pausing { until: now },
            PathState::Subscribed { since } => {
                let overlap = if self.routes[route].shutdown { Nanos::ZERO } else { self.settings.overlap };
                if now - since < overlap {
                    return;
                }
                let reason = if self.routes[route].shutdown { CloseReason::Shutdown } else { CloseReason::Planned };
                if self.queue_action(SessionAction::Close { path: path_of(route, primary), reason }) {
                    self.routes[route].connections[primary].state = PathState::Idle;
                    self.take_over(route, second);
                }
            }
            _ => {}
        }
    }

    /// The connection `which` is the one that is believed from here on.
    pub(super) fn take_over(&mut self, route: usize, which: usize) {
        let early = Nanos(self.settings.planned_life.0 / 24);
        let jitter = self.random.span_below(early);
        let route = &mut self.routes[route];
        route.primary = which;
        route.shutdown = false;
        route.replace_at = route.connections[which].opened + self.settings.planned_life - jitter;
    }

    /// Closes a connection ourselves.
    pub(super) fn give_up(
        &mut self,
        route: usize,
        which: usize,
        reason: CloseReason,
        received: Stamp,
        sink: &mut impl MarketSink,
    ) {
        // If the queue is full the connection stays and is judged again at the next tick.
        if self.queue_action(SessionAction::Close { path: path_of(route, which), reason }) {
            self.on_connection_gone(route, which, received, sink);
        }
    }

    /// A connection is gone: the other one takes over if it can, else books are lost and it is opened again.
    pub(super) fn on_connection_gone(
        &mut self,
        route: usize,
        which: usize,
        received: Stamp,
        sink: &mut impl MarketSink,
    ) {
        self.counters.closed += 1;
        let other = 1 - which;
        if self.routes[route].primary != which {
            // The second connection failed while the first works: try again, the first goes on.
            self.routes[route].connections[which].pause(received.wall);
            return;
        }
        if self.routes[route].connections[other].is_subscribed() {
            self.routes[route].connections[which].state = PathState::Idle;
            self.take_over(route, other);
            return;
        }
        self.routes[route].connections[which].pause(received.wall);
        self.routes[route].shutdown = false;
        self.routes[route].replace_at = Nanos::NEVER;
        if self.routes[route].connections[other].state != PathState::Idle {
            // It was on its way: it becomes the one that is believed, the one that failed is not wanted.
            self.routes[route].connections[which].state = PathState::Idle;
            self.routes[route].primary = other;
            if self.routes[route].connections[other].is_open() {
                self.take_over(route, other);
            }
        }
        if self.routes[route].carries_depth {
            for symbol in 0..self.states.len() {
                if self.flow.state(symbol) == SyncState::Live {
                    self.flow.lose(symbol, LostReason::Disconnected, received, path_of(route, which), sink);
                }
                if !matches!(self.states[symbol].fetch, SnapshotFetch::InFlight { .. }) {
                    self.states[symbol].fetch = SnapshotFetch::Idle;
                    self.fetches.clear(symbol);
                }
            }
            self.flow.restart();
        }
    }

    pub(super) fn on_control_message(
        &mut self,
        route: usize,
        which: usize,
        message: Message,
        received: Stamp,
        sink: &mut impl MarketSink,
    ) {
        match message {
            Message::Acknowledged { id: Some(id) } => {
                let connection = &mut self.routes[route].connections[which];
                connection.acknowledged += usize::from(self.routes[route].route.is_of_all(id));
                let connection = &mut self.routes[route].connections[which];
                if connection.acknowledged >= self.routes[route].route.all.len()
                    && matches!(connection.state, PathState::Subscribing { .. })
                {
                    connection.state = PathState::Subscribed { since: received.wall };
                }
            }
            Message::Refused { id, code } => {
                self.counters.refused += 1;
                let resubscription = id.is_some_and(|id| !self.routes[route].route.is_of_all(id));
                if resubscription {
                    // One symbol's; its book is not Live already and the others go on.
                    return;
                }
                // A refused subscription is no silence: its books would never be live on this connection.
                self.give_up(route, which, CloseReason::Refused { code }, received, sink);
            }
            Message::ReplyWanted => {
                let may_answer = self.routes[route].connections[which].budget.take(received.wall, 0);
                if may_answer {
                    self.queue_request(path_of(route, which), |side, text| side.write_reply(received.wall, text));
                }
            }
            Message::Shutdown => {
                if self.routes[route].primary == which {
                    self.routes[route].shutdown = true;
                    self.replace_primary(route, received.wall);
                    self.maintain_connections(received.wall);
                } else {
                    self.give_up(route, which, CloseReason::Shutdown, received, sink);
                }
            }
            _ => {}
        }
    }
}
