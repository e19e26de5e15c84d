//! COLD: where a connection leads and how it gets there: endpoint, last good address, a connection and its poll.

use std::net::SocketAddr;
use std::sync::Arc;

use mio::{Registry, Token};
use rustls::ClientConfig;
use spinbook_engine::types::Nanos;

use crate::net::connection::resolve::{Endpoint, ResolveError};
use crate::net::connection::{Connection, ConnectionError, ConnectionLimits, ConnectionSettings};

/// An endpoint with everything that a connection to it needs.
#[derive(Clone, Debug)]
pub struct Connector {
    /// Host, port and path prefix.
    pub endpoint: Endpoint,
    /// The last good address.
    pub address: SocketAddr,
    /// Whom to trust.
    pub tls: Arc<ClientConfig>,
    /// Caps and deadlines.
    pub limits: ConnectionLimits,
}

impl Connector {
    /// Looks the host up (may block) and keeps its address.
    ///
    /// # Errors
    /// The host is not known.
    pub fn new(
        endpoint: Endpoint,
        tls: Arc<ClientConfig>,
        limits: ConnectionLimits,
    ) -> Result<Connector, ResolveError> {
        let address = endpoint.resolve()?;
        Ok(Connector { endpoint, address, tls, limits })
    }

    /// Starts a connection to `target` below this endpoint and registers it.
    ///
    /// # Errors
    /// A malformed target, or the system refuses a socket.
    pub fn connect(
        &self,
        target: &str,
        registry: &Registry,
        token: Token,
        now: Nanos,
    ) -> Result<Connection, ConnectionError> {
        let settings = ConnectionSettings {
            address: self.address,
            host: self.endpoint.authority(),
            target: self.endpoint.path(target),
            tls: self.tls.clone(),
            limits: self.limits,
        };
        let mut connection = Connection::open(&settings, now)?;
        connection.register(registry, token).map_err(ConnectionError::Socket)?;
        Ok(connection)
    }
}
