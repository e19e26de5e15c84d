//! COLD: the sockets of one venue's order side, and what is measured on them.

use std::sync::Arc;

use mio::{Events, Poll, Registry, Token};
use spinbook_engine::types::{Nanos, VenueId};

use super::gateway_shared::{ConnectionEnded, GatewayShared};
use crate::frame_buffer::PlacedPayload;
use crate::net::connection::connector::Connector;
use crate::net::connection::{Connection, ConnectionError};
use crate::net::host::clock::{Clock, CycleScale, cycles};
use crate::net::hot::hot_shared::add;
use crate::venue::order_side::OrderConnection;

/// Connections of one venue.
pub(super) const CONNECTIONS_MAX: usize = OrderConnection::ALL.len();

/// Cycle counters around the newest message's way into the kernel: for measurement only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The newest intent was taken off its ring.
    pub taken: u64,
    /// Just before the write.
    pub begun: u64,
    /// The kernel has it.
    pub ended: u64,
}

/// What the venues' connections share: the poll, the clock, the figures.
pub(super) struct OrderIo {
    pub(super) poll: Poll,
    pub(super) events: Events,
    pub(super) clock: Clock,
    pub(super) scale: CycleScale,
    pub(super) shared: Arc<GatewayShared>,
    pub(super) written: Written,
    pub(super) on_connection_end: ConnectionEnded,
}

/// An open or opening connection.
pub(super) struct OrderSocket {
    pub(super) connection: Connection,
    /// The gateway knows that it is open.
    pub(super) open_reported: bool,
}

/// The connections of one venue's order side, apart from the gateway, whose messages they carry.
pub(super) struct OrderConnections {
    venue: VenueId,
    /// Its place among the venues: so many tokens of the poll each.
    place: usize,
    connectors: [Connector; CONNECTIONS_MAX],
    pub(super) sockets: [Option<OrderSocket>; CONNECTIONS_MAX],
    /// Those that the poll found ready.
    pub(super) ready: [bool; CONNECTIONS_MAX],
    /// Those that ended and that the gateway has not been told of yet.
    pub(super) lost: [bool; CONNECTIONS_MAX],
    /// The venue takes no connection for so long, it said; the gateway has not been told of it yet.
    pub(super) refused: Option<Nanos>,
}

impl OrderConnections {
    pub(super) fn new(venue: VenueId, place: usize, orders: Connector, user_data: Connector) -> OrderConnections {
        OrderConnections {
            venue,
            place,
            connectors: [orders.clone(), user_data, orders.second_way()],
            sockets: [const { None }; CONNECTIONS_MAX],
            ready: [false; CONNECTIONS_MAX],
            lost: [false; CONNECTIONS_MAX],
            refused: None,
        }
    }

    pub(super) fn connect(
        &mut self,
        io: &mut OrderIo,
        connection: OrderConnection,
        target: &str,
        now: Nanos,
    ) -> Result<(), ConnectionError> {
        self.close(io, connection);
        let at = connection.index();
        let token = Token(self.place * CONNECTIONS_MAX + at);
        let opened = self.connectors[at].connect(target, io.poll.registry(), token, now)?;
        self.sockets[at] = Some(OrderSocket { connection: opened, open_reported: false });
        Ok(())
    }

    /// Sends a text; whether the kernel has all of it.
    pub(super) fn send(
        &mut self,
        io: &mut OrderIo,
        connection: OrderConnection,
        text: PlacedPayload<'_>,
        origin_tsc: u64,
    ) -> Result<bool, ConnectionError> {
        let Some(socket) = &mut self.sockets[connection.index()] else {
            return Ok(false);
        };
        let taken = socket.connection.send_placed(text)?;
        (io.written.begun, io.written.ended) = (socket.connection.written_tsc(), cycles());
        if origin_tsc != 0 {
            io.shared.wire_to_wire.record(io.scale.nanos(origin_tsc, io.written.ended));
        }
        add(&io.shared.sent, 1);
        Ok(taken)
    }

    /// Pings the other end with a mark.
    pub(super) fn ping(&mut self, connection: OrderConnection, mark: u64) -> Result<(), ConnectionError> {
        match &mut self.sockets[connection.index()] {
            Some(socket) => socket.connection.ping(mark),
            None => Ok(()),
        }
    }

    /// The mark of a pong that came behind what has been handed over.
    pub(super) fn take_pong(&mut self, connection: OrderConnection) -> Option<u64> {
        self.sockets[connection.index()].as_mut()?.connection.take_pong()
    }

    /// Ends a connection on our own wish.
    pub(super) fn close(&mut self, io: &mut OrderIo, connection: OrderConnection) {
        let now = io.clock.now();
        if let Some(mut socket) = self.take(io, connection) {
            socket.connection.close(now);
        }
    }

    /// Drops a connection that failed, says why, and leaves word for the gateway.
    pub(super) fn drop_failed(&mut self, io: &mut OrderIo, connection: OrderConnection, error: &ConnectionError) {
        if let ConnectionError::PutOff { wait } = error {
            self.refused = Some(self.refused.map_or(*wait, |known| known.max(*wait)));
            self.lost[connection.index()] = true;
            return;
        }
        let socket = self.take(io, connection);
        if socket.is_none_or(|socket| !socket.open_reported) {
            self.connectors[connection.index()].next_address();
        }
        if let Some(span) = error.retry_after() {
            self.refused = Some(self.refused.map_or(span, |known| known.max(span)));
        }
        self.lost[connection.index()] = true;
        (io.on_connection_end)(self.venue, connection, error);
    }

    fn take(&mut self, io: &mut OrderIo, connection: OrderConnection) -> Option<OrderSocket> {
        let mut socket = self.sockets[connection.index()].take()?;
        if !socket.open_reported {
            self.connectors[connection.index()].failed();
        }
        add(&io.shared.closed, 1);
        let registry: &Registry = io.poll.registry();
        socket.connection.deregister(registry);
        Some(socket)
    }

    /// A connection came through.
    pub(super) fn opened(&self, connection: OrderConnection) {
        self.connectors[connection.index()].opened();
    }

    /// The poll found a connection of this venue ready.
    pub(super) fn on_ready(&mut self, at: usize, readable: bool) {
        self.ready[at] = true;
        if let Some(socket) = &mut self.sockets[at]
            && readable
        {
            socket.connection.on_readable();
        }
    }
}
