//! HOT: requests on their way out: encoded where they will be masked and sealed, and remembered until answered.

use std::collections::VecDeque;

use spinbook_engine::types::{Nanos, OrderId};

use super::OrderCloseReason;
use super::ids::{IdMap, id_map};
use super::rest::RestTicket;
use crate::frame_buffer::{FrameQueue, PayloadPlace};
use crate::venue::account::RestRequest;
use crate::venue::order_side::{OrderConnection, OrderSide};
use crate::venue::orders::{Request, RequestId, RequestKind};

/// Room for a request in the queue of outgoing messages; what no template fits may be longer.
const REQUEST_BYTES_MAX: usize = 1_024;
/// Room for outgoing messages, and for requests that wait for their replies; more of either make it grow once.
const WAITING_USUAL: usize = 256;

/// What is to be carried out, in order.
pub(super) enum Queued {
    Connect { connection: OrderConnection, target: String },
    Send { connection: OrderConnection, place: PayloadPlace, origin_tsc: u64, order: OrderId, kind: RequestKind },
    Close { connection: OrderConnection, reason: OrderCloseReason },
    Ping { connection: OrderConnection, mark: u64 },
    Ask { ticket: RestTicket, request: Box<RestRequest> },
}

/// A request whose reply is awaited.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub(super) kind: RequestKind,
    pub(super) connection: OrderConnection,
    pub(super) order: OrderId,
    pub(super) sent: Nanos,
    pub(super) deadline: Nanos,
    /// The same was asked over the other connection as well.
    pub(super) doubled: bool,
}

impl Pending {
    /// Whether it goes out over the other connection if its answer takes long.
    pub(super) fn wants_second_way(&self) -> bool {
        !self.doubled && matches!(self.kind, RequestKind::Cancel | RequestKind::CancelAll)
    }
}

/// What a request is for, besides what it says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Purpose {
    /// Over which connection it leaves.
    pub(super) connection: OrderConnection,
    /// The order it is about, [`OrderId::NONE`] if about none.
    pub(super) order: OrderId,
    /// Cycle counter of the market frame that caused it, zero if none: for measurement only.
    pub(super) origin_tsc: u64,
}

/// Outgoing messages and the requests that wait for their replies.
pub(super) struct Outbox {
    pub(super) queue: VecDeque<Queued>,
    pub(super) pending: IdMap<RequestId, Pending>,
    messages: FrameQueue,
    /// A request that no template fits is written here first.
    plain: Vec<u8>,
    requests: u64,
    request_timeout: Nanos,
    /// Requests are built and dropped: shadow mode.
    dry: bool,
}

impl Outbox {
    pub(super) fn new(request_timeout: Nanos, dry: bool) -> Outbox {
        Outbox {
            queue: VecDeque::with_capacity(WAITING_USUAL),
            pending: id_map(WAITING_USUAL),
            messages: FrameQueue::new(),
            plain: Vec::with_capacity(2 * REQUEST_BYTES_MAX),
            requests: 0,
            request_timeout,
            dry,
        }
    }

    /// A request over REST, which others carry.
    pub(super) fn ask(&mut self, ticket: RestTicket, request: Box<RestRequest>) {
        self.queue.push_back(Queued::Ask { ticket, request });
    }

    /// Encodes one request and queues it. `venue_now` is the venue's clock.
    #[inline]
    pub(super) fn send<O: OrderSide>(
        &mut self,
        side: &mut O,
        request: &Request<'_>,
        purpose: Purpose,
        venue_now: Nanos,
        now: Nanos,
    ) -> RequestId {
        self.requests += 1;
        let id = RequestId(self.requests);
        if self.queue.is_empty() {
            self.messages.clear();
        }
        let length = match side.encode_at(id, request, venue_now, self.messages.space(REQUEST_BYTES_MAX)) {
            Some(length) => length,
            None => self.encode_plain(side, id, request, venue_now),
        };
        if self.dry {
            // Built, checked, counted, and never sent.
            return id;
        }
        let Purpose { connection, order, origin_tsc } = purpose;
        let place = self.messages.push(length); // bounded: grows once, to the most messages that ever waited
        let kind = request.kind();
        self.queue.push_back(Queued::Send { connection, place, origin_tsc, order, kind });
        let deadline = now + self.request_timeout;
        self.pending.insert(id, Pending { kind, connection, order, sent: now, deadline, doubled: false });
        id
    }

    /// The same for a request that no template fits: all but orders and cancels.
    #[cold]
    fn encode_plain<O: OrderSide>(
        &mut self,
        side: &mut O,
        id: RequestId,
        request: &Request<'_>,
        venue_now: Nanos,
    ) -> usize {
        self.plain.clear();
        side.encode(id, request, venue_now, &mut self.plain);
        self.messages.space(self.plain.len()).copy_from_slice(&self.plain);
        self.plain.len()
    }

    /// The message that was queued at this place.
    #[inline]
    pub(super) fn message(&mut self, place: PayloadPlace) -> crate::frame_buffer::PlacedPayload<'_> {
        self.messages.payload(place)
    }

    /// Whether a request of this kind waits for its reply on this connection.
    pub(super) fn awaits(&self, kind: RequestKind, connection: OrderConnection) -> bool {
        self.pending.values().any(|pending| pending.kind == kind && pending.connection == connection)
    }

    /// A request is waited for no longer than this.
    pub(super) fn expect_by(&mut self, id: RequestId, deadline: Nanos) {
        if let Some(pending) = self.pending.get_mut(&id) {
            pending.deadline = deadline;
        }
    }
}
