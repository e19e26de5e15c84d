//! COLD: what goes wrong around the parts of a backtest: links that fail, sides that stand still, and when.

use super::settings::Delay;
use crate::random::Random;
use crate::venue::order_side::OrderConnection;
use spinbook_engine::types::Nanos;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::transit::{Client, Owner};

/// One of the links between us and a venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BacktestLink {
    /// Requests about orders and their replies; user data too, where it has no connection of its own.
    Orders,
    /// User data, where it has a connection of its own.
    UserData,
    /// Market data.
    Market,
    /// Snapshots, and what is asked of the account, over REST.
    Snapshots,
}

impl BacktestLink {
    /// Each of them.
    pub const ALL: [BacktestLink; 4] =
        [BacktestLink::Orders, BacktestLink::UserData, BacktestLink::Market, BacktestLink::Snapshots];

    pub(super) fn of(owner: Owner) -> BacktestLink {
        match owner.client {
            Client::Market(_) => BacktestLink::Market,
            Client::Gateway(OrderConnection::UserData) => BacktestLink::UserData,
            Client::Gateway(_) => BacktestLink::Orders,
        }
    }
}

/// How a link fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkTrouble {
    /// Its connections are cut, as both ends notice at once, and new ones are refused.
    Down,
    /// Nothing arrives, either way, and nobody is told. What was sent arrives when it ends, late and in its order, as
    /// TCP delivers it.
    BlackHole,
    /// The venue has forgotten the connections that stood when it began; what is sent over them vanishes, and only when
    /// it ends are we told that they are gone. New connections are as ever.
    HalfOpen,
    /// Everything takes this much longer.
    Slow(Delay),
}

/// A link that fails for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkFault {
    /// Place of the venue.
    pub venue: usize,
    /// Which of its links.
    pub link: BacktestLink,
    /// How.
    pub trouble: LinkTrouble,
    /// From when, counted from the start of the backtest.
    pub from: Nanos,
    /// Until when, exclusive, counted from the start of the backtest.
    pub until: Nanos,
}

impl LinkFault {
    fn covers(&self, venue: usize, link: BacktestLink, now: Nanos) -> bool {
        self.venue == venue && self.link == link && self.from <= now && now < self.until
    }

    /// A link that is down for `down`, up for `up`, and so on.
    pub fn flapping(
        (venue, link): (usize, BacktestLink),
        (from, until): (Nanos, Nanos),
        (down, up): (Nanos, Nanos),
    ) -> impl Iterator<Item = LinkFault> {
        let period = (down + up).max(Nanos(1));
        let starts = (0..).map(move |round| from + Nanos(period.0 * round)).take_while(move |start| *start < until);
        starts.map(move |start| {
            let until = (start + down).min(until);
            LinkFault { venue, link, trouble: LinkTrouble::Down, from: start, until }
        })
    }
}

/// One side of our process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StalledSide {
    /// Sessions, engine and strategy.
    Hot,
    /// The gateways.
    Io,
}

/// A side that stands still for a time; what arrives meanwhile is taken afterwards, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stall {
    /// Which.
    pub side: StalledSide,
    /// From when, counted from the start of the backtest.
    pub from: Nanos,
    /// Until when, exclusive, counted from the start of the backtest.
    pub until: Nanos,
}

/// What keeps something from passing a link now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// Nothing does.
    None,
    /// The link is down.
    Down,
    /// It passes no sooner than this.
    Until(Nanos),
}

/// The moment at which a fault of a link begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Edge {
    pub(super) at: Nanos,
    /// Place of the fault.
    fault: usize,
    pub(super) begins: bool,
}

/// Everything that goes wrong, by absolute times.
#[derive(Clone, Debug, Default)]
pub(super) struct Troubles {
    faults: Vec<LinkFault>,
    stalls: Vec<Stall>,
    edges: BinaryHeap<Reverse<Edge>>,
}

impl Troubles {
    pub(super) fn add_fault(&mut self, fault: LinkFault, start: Nanos) {
        let fault = LinkFault { from: start + fault.from, until: start + fault.until, ..fault };
        let place = self.faults.len();
        self.edges.push(Reverse(Edge { at: fault.from, fault: place, begins: true }));
        self.edges.push(Reverse(Edge { at: fault.until, fault: place, begins: false }));
        self.faults.push(fault);
    }

    pub(super) fn add_stall(&mut self, stall: Stall, start: Nanos) {
        self.stalls.push(Stall { from: start + stall.from, until: start + stall.until, ..stall });
    }

    /// When something begins or ends next; a stall's end is one, so that what waited is taken at once.
    pub(super) fn next_at(&self, now: Nanos) -> Nanos {
        let edge = self.edges.peek().map_or(Nanos::NEVER, |Reverse(edge)| edge.at);
        let ends = self.stalls.iter().map(|stall| stall.until).filter(|until| *until > now);
        ends.fold(edge, Nanos::min)
    }

    /// The next beginning or end that is due, with its fault.
    pub(super) fn take_edge(&mut self, now: Nanos) -> Option<(Edge, LinkFault)> {
        let Reverse(edge) = *self.edges.peek().filter(|Reverse(edge)| edge.at <= now)?;
        self.edges.pop();
        Some((edge, self.faults[edge.fault]))
    }

    /// What is in the way on a link.
    pub(super) fn obstacle(&self, venue: usize, link: BacktestLink, now: Nanos) -> Obstacle {
        let mut obstacle = Obstacle::None;
        for fault in self.faults.iter().filter(|fault| fault.covers(venue, link, now)) {
            match (fault.trouble, obstacle) {
                (LinkTrouble::Down, _) => return Obstacle::Down,
                (LinkTrouble::BlackHole, Obstacle::Until(other)) => obstacle = Obstacle::Until(other.max(fault.until)),
                (LinkTrouble::BlackHole, _) => obstacle = Obstacle::Until(fault.until),
                (LinkTrouble::HalfOpen | LinkTrouble::Slow(_), _) => {}
            }
        }
        obstacle
    }

    /// How much longer than usual a link takes now.
    pub(super) fn slowness(&self, venue: usize, link: BacktestLink, now: Nanos, random: &mut Random) -> Nanos {
        let slow = self.faults.iter().filter(|fault| fault.covers(venue, link, now));
        slow.fold(Nanos::ZERO, |sum, fault| match fault.trouble {
            LinkTrouble::Slow(delay) => sum + delay.draw(random),
            _ => sum,
        })
    }

    /// Until when a side stands still, if it does.
    pub(super) fn stalled_until(&self, side: StalledSide, now: Nanos) -> Option<Nanos> {
        let covers = |stall: &&Stall| stall.side == side && stall.from <= now && now < stall.until;
        self.stalls.iter().filter(covers).map(|stall| stall.until).max()
    }
}
