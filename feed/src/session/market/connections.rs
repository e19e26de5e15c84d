//! HOT: the session's connections: opening, subscribing, giving up, replacing.

use spinbook_engine::event::LostReason;
use spinbook_engine::types::{Nanos, Stamp};

use super::{Fetch, MarketSession, PONG_RESERVE, path_of};
use crate::session::link::LinkState;
use crate::session::{CloseReason, MarketSink, SessionAction};
use crate::sync::SyncState;
use crate::venue::market::Message;

impl MarketSession {
    /// Opens what is due and sends what a budget held back.
    pub(super) fn look_after_links(&mut self, now: Nanos) {
        for route in 0..self.routes.len() {
            for which in 0..2 {
                let state = self.routes[route].links[which].state;
                if matches!(state, LinkState::Subscribing { .. }) {
                    self.send_subscriptions(route, which, now);
                }
                let due = matches!(state, LinkState::Pausing { until } if until <= now);
                if due && self.act(SessionAction::Open { path: path_of(route, which) }) {
                    self.routes[route].links[which].state = LinkState::Opening { since: now };
                }
            }
        }
    }

    pub(super) fn send_subscriptions(&mut self, route: usize, which: usize, now: Nanos) {
        let path = path_of(route, which);
        while self.routes[route].links[which].messages_sent < self.routes[route].messages.all_count {
            let index = self.routes[route].messages.all_first + self.routes[route].links[which].messages_sent;
            if !self.routes[route].links[which].budget.take(now, PONG_RESERVE) {
                return;
            }
            if !self.act(SessionAction::Send { path, message: index as u16 }) {
                return;
            }
            self.routes[route].links[which].messages_sent += 1;
        }
    }

    /// Gives up a connection that is silent or does not answer.
    pub(super) fn judge_link(&mut self, route: usize, which: usize, received: Stamp, sink: &mut impl MarketSink) {
        let now = received.wall;
        let silence_max = if self.routes[route].carries_depth {
            self.settings.connection_silence_max
        } else {
            Nanos(3 * self.product.card().ping_interval.0)
        };
        let link = &self.routes[route].links[which];
        let reason = match link.state {
            LinkState::Idle | LinkState::Pausing { .. } => return,
            LinkState::Opening { since } | LinkState::Subscribing { since }
                if now - since > self.settings.answer_wait_max =>
            {
                CloseReason::NoAnswer
            }
            LinkState::Subscribing { .. } | LinkState::Subscribed { .. } if now - link.last_frame > silence_max => {
                self.counters.silent_connections += 1;
                CloseReason::Silent
            }
            _ => return,
        };
        self.give_up(route, which, reason, received, sink);
    }

    /// Brings up the second connection when the first is old, and lets it take over when it has proved itself.
    pub(super) fn replace_primary(&mut self, route: usize, now: Nanos) {
        let (primary, second) = (self.routes[route].primary, 1 - self.routes[route].primary);
        if !self.routes[route].shutdown && now < self.routes[route].replace_at {
            return;
        }
        match self.routes[route].links[second].state {
            LinkState::Idle => self.routes[route].links[second].state = LinkState::Pausing { until: now },
            LinkState::Subscribed { since } => {
                let overlap = if self.routes[route].shutdown { Nanos::ZERO } else { self.settings.overlap };
                if now - since < overlap {
                    return;
                }
                let reason = if self.routes[route].shutdown { CloseReason::Shutdown } else { CloseReason::Planned };
                if self.act(SessionAction::Close { path: path_of(route, primary), reason }) {
                    self.routes[route].links[primary].state = LinkState::Idle;
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
        route.replace_at = route.links[which].opened + self.settings.planned_life - jitter;
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
        if self.act(SessionAction::Close { path: path_of(route, which), reason }) {
            self.link_is_gone(route, which, received, sink);
        }
    }

    /// A connection is gone: the other one takes over if it can, else books are lost and it is opened again.
    pub(super) fn link_is_gone(&mut self, route: usize, which: usize, received: Stamp, sink: &mut impl MarketSink) {
        self.counters.closed += 1;
        let other = 1 - which;
        if self.routes[route].primary != which {
            // The second connection failed while the first works: try again, the first goes on.
            self.routes[route].links[which].pause(received.wall);
            return;
        }
        if self.routes[route].links[other].is_subscribed() {
            self.routes[route].links[which].state = LinkState::Idle;
            self.take_over(route, other);
            return;
        }
        self.routes[route].links[which].pause(received.wall);
        self.routes[route].shutdown = false;
        self.routes[route].replace_at = Nanos::NEVER;
        if self.routes[route].links[other].state != LinkState::Idle {
            // It was on its way: it becomes the one that is believed, the one that failed is not wanted.
            self.routes[route].links[which].state = LinkState::Idle;
            self.routes[route].primary = other;
            if self.routes[route].links[other].is_open() {
                self.take_over(route, other);
            }
        }
        if self.routes[route].carries_depth {
            for symbol in 0..self.care.len() {
                if self.flow.state(symbol) == SyncState::Live {
                    self.flow.lose(symbol, LostReason::Disconnected, received, path_of(route, which), sink);
                }
                if !matches!(self.care[symbol].fetch, Fetch::InFlight { .. }) {
                    self.care[symbol].fetch = Fetch::Idle;
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
                let link = &mut self.routes[route].links[which];
                link.acknowledged += usize::from(self.routes[route].messages.is_of_all(id));
                let link = &mut self.routes[route].links[which];
                if link.acknowledged >= self.routes[route].messages.all_count
                    && matches!(link.state, LinkState::Subscribing { .. })
                {
                    link.state = LinkState::Subscribed { since: received.wall };
                }
            }
            Message::Refused { id, code } => {
                self.counters.refused += 1;
                let resubscription = id.is_some_and(|id| !self.routes[route].messages.is_of_all(id));
                if resubscription {
                    // One symbol's; its book is not Live already and the others go on.
                    return;
                }
                // A refused subscription is no silence: its books would never be live on this connection.
                self.give_up(route, which, CloseReason::Refused { code }, received, sink);
            }
            Message::Shutdown => {
                if self.routes[route].primary == which {
                    self.routes[route].shutdown = true;
                    self.replace_primary(route, received.wall);
                    self.look_after_links(received.wall);
                } else {
                    self.give_up(route, which, CloseReason::Shutdown, received, sink);
                }
            }
            _ => {}
        }
    }
}
