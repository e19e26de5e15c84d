//! COLD: where a connection leads and how it gets there: endpoint, last good address, a connection and its poll.

use std::net::SocketAddr;
use std::sync::Arc;

use mio::{Registry, Token};
use rustls::ClientConfig;
use spinbook_engine::types::Nanos;

use crate::connect_budget::ConnectPurpose;
use crate::net::connection::attempts::ConnectAttempts;
use crate::net::connection::look_up::HostAddresses;
use crate::net::connection::resolve::{Endpoint, ResolveError};
use crate::net::connection::{Connection, ConnectionError, ConnectionLimits, ConnectionSettings};

/// An endpoint with everything that a connection to it needs.
#[derive(Clone, Debug)]
pub struct Connector {
    /// Host, port and path prefix.
    pub endpoint: Endpoint,
    /// The address that is connected to: one of those that the host has.
    pub address: SocketAddr,
    /// All of them.
    addresses: Arc<[SocketAddr]>,
    /// Where newer ones come from; none where an address was given.
    host: Option<Arc<HostAddresses>>,
    /// The newest list that was taken from there.
    seen: u64,
    /// Whom to trust.
    pub tls: Arc<ClientConfig>,
    /// Caps and deadlines.
    pub limits: ConnectionLimits,
    /// What attempts are counted in, and what for; `None`: they are not.
    attempts: Option<(Arc<ConnectAttempts>, ConnectPurpose)>,
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
        let addresses: Arc<[SocketAddr]> = endpoint.resolve_all()?.into();
        let host = Some(Arc::new(HostAddresses::new(endpoint.clone(), addresses.clone())));
        Ok(Connector { endpoint, address: addresses[0], addresses, host, seen: 0, tls, limits, attempts: None })
    }

    /// To this one address, whatever a name server says.
    #[must_use]
    pub fn at(endpoint: Endpoint, address: SocketAddr, tls: Arc<ClientConfig>, limits: ConnectionLimits) -> Connector {
        Connector { endpoint, address, addresses: [address].into(), host: None, seen: 0, tls, limits, attempts: None }
    }

    /// The same, with its attempts out of a budget.
    #[must_use]
    pub fn within(self, attempts: Arc<ConnectAttempts>, purpose: ConnectPurpose) -> Connector {
        Connector { attempts: Some((attempts, purpose)), ..self }
    }

    /// An attempt came through.
    pub fn opened(&self) {
        if let Some((attempts, _)) = &self.attempts {
            attempts.opened();
        }
    }

    /// An attempt failed, or was given up.
    pub fn failed(&self) {
        if let Some((attempts, _)) = &self.attempts {
            attempts.failed();
        }
    }

    /// What knows the host's addresses, to be looked up again by whoever may wait; none where an address was given.
    #[must_use]
    pub fn host(&self) -> Option<Arc<HostAddresses>> {
        self.host.clone()
    }

    /// This address takes no connection: goes on with the host's next one, where it has several, and has the host looked
    /// up again. Newer addresses are taken as soon as they are known; without any the old ones are tried in turn.
    pub fn next_address(&mut self) {
        if let Some(host) = &self.host {
            host.want();
            self.addresses = host.newer(&mut self.seen).unwrap_or_else(|| self.addresses.clone());
        }
        self.take_next();
    }

    /// A second way to the same place: by another address where the host has several.
    #[must_use]
    pub fn second_way(&self) -> Connector {
        let mut second = self.clone();
        second.take_next();
        second
    }

    fn take_next(&mut self) {
        let at = self.addresses.iter().position(|address| *address == self.address);
        self.address = self.addresses[at.map_or(0, |at| (at + 1) % self.addresses.len())];
    }

    /// Starts a connection to `target` below this endpoint and registers it.
    ///
    /// # Errors
    /// A malformed target, the system refuses a socket, or the budget allows no attempt now.
    pub fn connect(
        &self,
        target: &str,
        registry: &Registry,
        token: Token,
        now: Nanos,
    ) -> Result<Connection, ConnectionError> {
        if let Some((attempts, purpose)) = &self.attempts {
            attempts.take(*purpose, now).map_err(|wait| ConnectionError::PutOff { wait })?;
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::connection::tls::Trust;

    #[test]
    fn a_second_way_takes_another_address_where_there_is_one() {
        let endpoint = Endpoint::parse("wss://127.0.0.1:9443/x").expect("an address");
        let tls = Trust::public().client_config().expect("public roots");
        let mut connector = Connector::new(endpoint, tls, ConnectionLimits::PRIVATE).expect("no name to look up");
        assert_eq!(connector.second_way().address, connector.address, "the only one");
        let other: SocketAddr = "127.0.0.2:9443".parse().expect("an address");
        connector.addresses = [connector.address, other].into();
        assert_eq!(connector.second_way().address, other);
        let first = connector.address;
        connector.next_address();
        connector.next_address();
        assert_eq!(connector.address, first, "and round again");
    }
}
