//! COLD: where the I/O thread hears from: the system's poll, made anew where it fails, and answers over REST.

use std::io;
use std::time::Duration;

use mio::Poll;
use spinbook_engine::types::Nanos;

use super::GatewayLoop;
use crate::net::connection::ConnectionError;
use crate::net::hot::hot_shared::add;
use crate::net::io::order_connections::CONNECTIONS_MAX;
use crate::net::io::rest_calls::RestMailbox;
use crate::venue::order_side::OrderConnection;

/// Failures of the poll in a row after which there is no way on.
const POLL_FAILURES_MAX: u32 = 100;

impl GatewayLoop {
    /// Notes which connections have something to say, without waiting.
    pub(super) fn poll(&mut self) -> io::Result<()> {
        #[cfg(debug_assertions)]
        if self.io.shared.polls_to_fail.load(std::sync::atomic::Ordering::Relaxed) > 0 {
            self.io.shared.polls_to_fail.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
            return Err(io::Error::other("a test wants it so"));
        }
        match self.io.poll.poll(&mut self.io.events, Some(Duration::ZERO)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for event in &self.io.events {
            let token = event.token().0;
            let connections = &mut self.lanes[token / CONNECTIONS_MAX].connections;
            connections.on_ready(token % CONNECTIONS_MAX, event.is_readable() || event.is_read_closed());
        }
        Ok(())
    }

    /// The poll failed: every connection is given up and opened again over a new one, so that what is open at a venue
    /// can still be cancelled.
    #[cold]
    pub(super) fn renew_poll(&mut self, error: io::Error, now: Nanos) -> io::Result<()> {
        self.poll_failures += 1;
        if self.poll_failures > POLL_FAILURES_MAX {
            return Err(error);
        }
        add(&self.io.shared.poll_failures, 1);
        let poll = Poll::new()?;
        let failure = ConnectionError::Socket(error);
        for at in 0..self.lanes.len() {
            for connection in OrderConnection::ALL {
                let connections = &mut self.lanes[at].connections;
                if connections.sockets[connection.index()].is_some() {
                    connections.drop_failed(&mut self.io, connection, &failure);
                }
            }
        }
        self.io.poll = poll;
        (0..self.lanes.len()).for_each(|at| self.carry_output(at, now));
        Ok(())
    }

    /// What came of requests over REST.
    pub(super) fn take_answers(&mut self) {
        while let Some(result) = self.rest.as_ref().and_then(RestMailbox::take) {
            let now = self.io.clock.now();
            if let Some(lane) = self.lanes.get_mut(result.gateway) {
                lane.gateway.on_rest(result.ticket, &result.answer, now);
                self.carry_output(result.gateway, now);
            }
        }
    }
}
