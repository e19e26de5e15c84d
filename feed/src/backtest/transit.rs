//! COLD: what is on its way between the parts of a backtest, ordered by when it arrives.

use crate::gateway::rest::{RestAnswer, RestTicket};
use crate::sim::side::ConnectionId;
use crate::venue::account::RestRequest;
use crate::venue::order_side::OrderConnection;
use spinbook_engine::event::ExecutionEvent;
use spinbook_engine::intent::Intent;
use spinbook_engine::types::{InstrumentId, Nanos};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BinaryHeap};

/// Which part of a venue's client side holds a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Client {
    /// The market session, by path.
    Market(u8),
    /// The gateway.
    Gateway(OrderConnection),
}

/// Whose connection it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    /// Place of the venue.
    pub(super) venue: usize,
    /// Which part of it.
    pub(super) client: Client,
}

/// One thing on its way.
#[derive(Clone, Debug)]
pub(super) enum Parcel {
    /// A client opens a connection.
    Open { owner: Owner, connection: ConnectionId, target: String },
    /// The exchange accepted it.
    Opened { owner: Owner, connection: ConnectionId },
    /// The connection is gone, as the client sees it.
    Gone { owner: Owner, connection: ConnectionId },
    /// The connection is gone, as the exchange sees it.
    Left { venue: usize, connection: ConnectionId },
    /// A text to the exchange.
    ToExchange { venue: usize, connection: ConnectionId, text: Vec<u8> },
    /// A ping to the exchange, with its mark.
    Ping { venue: usize, connection: ConnectionId, mark: u64 },
    /// The exchange's answer to it.
    Ponged { connection: ConnectionId, mark: u64 },
    /// A pong to the exchange.
    Pong { venue: usize, connection: ConnectionId },
    /// A message to a client.
    ToClient { connection: ConnectionId, message: Vec<u8> },
    /// A snapshot was asked for.
    Fetch { venue: usize, instrument: InstrumentId, limit: u16 },
    /// A snapshot's reply.
    Fetched { venue: usize, instrument: InstrumentId, status: u16, retry_after: Nanos, body: Vec<u8> },
    /// A gateway asks over REST.
    Ask { venue: usize, ticket: RestTicket, request: Box<RestRequest> },
    /// What came of it.
    Answered { venue: usize, ticket: RestTicket, answer: RestAnswer },
    /// An intent on the ring.
    Intent(Intent),
    /// An execution on the ring back.
    Execution(ExecutionEvent),
}

impl Parcel {
    /// Whether it is on its way within our own process, or only our process waits for it.
    pub(super) fn is_within_us(&self) -> bool {
        matches!(
            self,
            Parcel::Intent(_)
                | Parcel::Execution(_)
                | Parcel::Fetch { .. }
                | Parcel::Fetched { .. }
                | Parcel::Ask { .. }
                | Parcel::Answered { .. }
        )
    }
}

/// What keeps its order: nothing overtakes on one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TransitLane {
    /// From a client to its exchange.
    Up(ConnectionId),
    /// From an exchange to its client.
    Down(ConnectionId),
    /// Snapshot requests, by venue.
    SnapshotRequests(usize),
    /// Snapshots, by venue.
    SnapshotReplies(usize),
    /// A gateway's requests over REST, by venue and lane.
    Questions(usize, usize),
    /// Their answers, likewise.
    Answers(usize, usize),
    /// The ring of placed orders.
    Places,
    /// The ring of cancels.
    Cancels,
    /// The ring of executions, by venue.
    Executions(usize),
}

pub(super) struct InFlight {
    at: Nanos,
    number: u64,
    pub(super) parcel: Parcel,
}

impl PartialEq for InFlight {
    fn eq(&self, other: &InFlight) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}

impl Eq for InFlight {}

impl PartialOrd for InFlight {
    fn partial_cmp(&self, other: &InFlight) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for InFlight {
    fn cmp(&self, other: &InFlight) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

/// Everything on its way.
#[derive(Default)]
pub(super) struct Transit {
    parcels: BinaryHeap<InFlight>,
    lanes: BTreeMap<TransitLane, Nanos>,
    number: u64,
}

impl Transit {
    /// Sends over a lane: arrives at `at`, but not before what was sent over the lane earlier.
    pub(super) fn send(&mut self, lane: TransitLane, at: Nanos, parcel: Parcel) {
        let last = self.lanes.entry(lane).or_insert(Nanos::ZERO);
        let at = at.max(*last);
        *last = at;
        self.number += 1;
        self.parcels.push(InFlight { at, number: self.number, parcel });
    }

    /// Sends past everything that is on its way.
    pub(super) fn send_past(&mut self, at: Nanos, parcel: Parcel) {
        self.number += 1;
        self.parcels.push(InFlight { at, number: self.number, parcel });
    }

    /// When the next parcel arrives; `NEVER` if nothing is on its way.
    pub(super) fn next_at(&self) -> Nanos {
        self.parcels.peek().map_or(Nanos::NEVER, |parcel| parcel.at)
    }

    /// The next parcel that has arrived.
    pub(super) fn take_due(&mut self, now: Nanos) -> Option<InFlight> {
        if self.next_at() > now {
            return None;
        }
        self.parcels.pop()
    }

    /// Lets a parcel that was taken arrive later. Nothing that was sent after it overtakes it, as long as that is held up
    /// in the same way.
    pub(super) fn postpone(&mut self, in_flight: InFlight, at: Nanos) {
        self.parcels.push(InFlight { at, ..in_flight });
    }

    /// Loses what is on its way and `is_lost`.
    pub(super) fn lose(&mut self, is_lost: impl Fn(&Parcel) -> bool) {
        self.parcels.retain(|in_flight| !is_lost(&in_flight.parcel));
    }
}
