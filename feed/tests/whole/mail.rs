//! COLD: what is on its way between the parts, ordered by when it arrives.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BinaryHeap};

use spinbook_engine::event::ExecutionEvent;
use spinbook_engine::intent::Intent;
use spinbook_engine::types::{InstrumentId, Nanos};
use spinbook_feed::sim::side::ConnectionId;
use spinbook_feed::venue::order_side::OrderConnection;

/// Whose connection it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    Market(u8),
    Gateway(GatewayLink),
}

/// A gateway connection that can be a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GatewayLink {
    Orders,
    UserData,
}

impl From<OrderConnection> for GatewayLink {
    fn from(connection: OrderConnection) -> GatewayLink {
        match connection {
            OrderConnection::Orders => GatewayLink::Orders,
            OrderConnection::UserData => GatewayLink::UserData,
        }
    }
}

impl From<GatewayLink> for OrderConnection {
    fn from(link: GatewayLink) -> OrderConnection {
        match link {
            GatewayLink::Orders => OrderConnection::Orders,
            GatewayLink::UserData => OrderConnection::UserData,
        }
    }
}

#[derive(Clone, Debug)]
pub enum Parcel {
    /// A client opens a connection.
    Open { owner: Owner, connection: ConnectionId, target: String },
    /// The exchange accepted it.
    Opened { owner: Owner, connection: ConnectionId },
    /// The connection is gone, as the client sees it.
    Gone { owner: Owner, connection: ConnectionId },
    /// The connection is gone, as the exchange sees it.
    Left { connection: ConnectionId },
    /// A text to the exchange.
    ToExchange { connection: ConnectionId, text: Vec<u8> },
    /// A pong to the exchange.
    Pong { connection: ConnectionId },
    /// A text to a client.
    ToClient { connection: ConnectionId, text: Vec<u8> },
    /// A snapshot was asked for.
    Fetch { instrument: InstrumentId, limit: u16 },
    /// A snapshot's reply.
    Fetched { instrument: InstrumentId, status: u16, body: Vec<u8> },
    /// An intent on the ring.
    Intent(Intent),
    /// An execution on the ring back.
    Execution(ExecutionEvent),
}

struct Letter {
    at: Nanos,
    number: u64,
    parcel: Parcel,
}

impl PartialEq for Letter {
    fn eq(&self, other: &Letter) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}

impl Eq for Letter {}

impl PartialOrd for Letter {
    fn partial_cmp(&self, other: &Letter) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Letter {
    fn cmp(&self, other: &Letter) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

/// Everything on its way. What goes over one lane keeps its order.
#[derive(Default)]
pub struct Mail {
    letters: BinaryHeap<Letter>,
    lanes: BTreeMap<u64, Nanos>,
    number: u64,
}

impl Mail {
    /// Sends over a lane: arrives at `at`, but not before what was sent over the lane earlier.
    pub fn send(&mut self, lane: u64, at: Nanos, parcel: Parcel) {
        let last = self.lanes.entry(lane).or_insert(Nanos::ZERO);
        let at = at.max(*last);
        *last = at;
        self.number += 1;
        self.letters.push(Letter { at, number: self.number, parcel });
    }

    pub fn next_at(&self) -> Nanos {
        self.letters.peek().map_or(Nanos::NEVER, |letter| letter.at)
    }

    pub fn take_due(&mut self, now: Nanos) -> Option<Parcel> {
        if self.next_at() > now {
            return None;
        }
        self.letters.pop().map(|letter| letter.parcel)
    }
}
