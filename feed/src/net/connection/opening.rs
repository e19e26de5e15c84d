//! COLD: a connection's beginning: TCP connect, TLS handshake and WebSocket upgrade, never blocking.

use std::io;
use std::time::Duration;

use mio::net::TcpStream;
use rustls::ClientConnection;
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use spinbook_engine::types::Nanos;
use tungstenite::client::IntoClientRequest;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{ClientHandshake, HandshakeError};

use super::{Connection, ConnectionError, ConnectionSettings, Held, Phase};
use crate::net::pipe::Pipe;

impl Connection {
    /// Starts to connect; returns at once.
    ///
    /// # Errors
    /// A malformed host or target, or the system refuses a socket.
    pub fn open(settings: &ConnectionSettings, now: Nanos) -> Result<Connection, ConnectionError> {
        let limits = settings.limits;
        let bare_host = bare_host(&settings.host);
        let name =
            ServerName::try_from(bare_host.to_owned()).map_err(|_| ConnectionError::HostName(settings.host.clone()))?;
        let mut tls = ClientConnection::new(settings.tls.clone(), name).map_err(ConnectionError::Tls)?;
        tls.set_buffer_limit(None);

        let mut url = String::with_capacity(settings.host.len() + settings.target.len() + 16);
        url.push_str("wss://");
        url.push_str(&settings.host);
        url.push_str(&settings.target);
        let request = url.into_client_request().map_err(|error| ConnectionError::Request(error.to_string()))?;
        let config = WebSocketConfig::default()
            .read_buffer_size(limits.read_buffer_bytes)
            .write_buffer_size(0)
            .max_write_buffer_size(limits.backlog_bytes_max)
            .max_message_size(Some(limits.message_bytes_max))
            .max_frame_size(Some(limits.message_bytes_max));
        let handshake = ClientHandshake::start(Pipe::new(tls, true), request, Some(config))
            .map_err(ConnectionError::from_websocket)?;

        let tcp = TcpStream::connect(settings.address).map_err(ConnectionError::from_socket)?;
        configure_socket(&tcp).map_err(ConnectionError::from_socket)?;
        Ok(Connection {
            tcp,
            phase: Phase::Connecting(Box::new(handshake)),
            limits,
            current: Held::new(),
            staged: Held::new(),
            staged_error: None,
            closing: false,
            readable: true,
            backlog: 0,
            header_bytes: 0,
            deadline: now + limits.open_within,
            received_last: now,
            pinged_at: Nanos::ZERO,
            pong_last: Nanos::ZERO,
            ping_window: now,
            pings_in_window: 0,
            pings: 0,
            bytes_received: 0,
            bytes_sent: 0,
        })
    }

    /// Drives connect, TLS and upgrade; call on any event of the socket. Ok(true) once frames can flow.
    ///
    /// # Errors
    /// Any: the connection has ended.
    pub fn drive_open(&mut self, now: Nanos) -> Result<bool, ConnectionError> {
        let outcome = self.drive_open_inner(now);
        if outcome.is_err() {
            self.end();
        }
        outcome
    }

    fn drive_open_inner(&mut self, now: Nanos) -> Result<bool, ConnectionError> {
        if let Phase::Connecting(_) = self.phase {
            if !self.is_connected()? {
                return Ok(false);
            }
            if let Phase::Connecting(handshake) = std::mem::replace(&mut self.phase, Phase::Ended) {
                self.phase = Phase::Upgrading(handshake);
            }
        }
        loop {
            self.flush_tls()?;
            match self.try_upgrade()? {
                true => break,
                false if !self.receive_tls(now)? => return Ok(false),
                false => {}
            }
        }
        self.received_last = now;
        self.deadline = Nanos::NEVER;
        Ok(true)
    }

    fn is_connected(&self) -> Result<bool, ConnectionError> {
        if let Some(error) = self.tcp.take_error().map_err(ConnectionError::from_socket)? {
            return Err(ConnectionError::from_socket(error));
        }
        match self.tcp.peer_addr() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(ConnectionError::from_socket(error)),
        }
    }

    fn try_upgrade(&mut self) -> Result<bool, ConnectionError> {
        let handshake = match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Upgrading(handshake) => handshake,
            open @ Phase::Open(_) => {
                self.phase = open;
                return Ok(true);
            }
            Phase::Connecting(_) | Phase::Ended => return Err(ConnectionError::Ended),
        };
        match handshake.handshake() {
            Ok((websocket, response)) => {
                if let Some(extension) = response.headers().get("sec-websocket-extensions") {
                    let named = String::from_utf8_lossy(extension.as_bytes()).into_owned();
                    return Err(ConnectionError::Extension(named));
                }
                self.phase = Phase::Open(Box::new(websocket));
                Ok(true)
            }
            Err(HandshakeError::Interrupted(handshake)) => {
                self.phase = Phase::Upgrading(Box::new(handshake));
                Ok(false)
            }
            Err(HandshakeError::Failure(error)) => Err(ConnectionError::from_websocket(error)),
        }
    }
}

/// The host without port and brackets.
fn bare_host(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

/// No delay for small frames, and the kernel's own means against half-open connections.
fn configure_socket(tcp: &TcpStream) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let socket = SockRef::from(tcp);
    let keepalive =
        TcpKeepalive::new().with_time(Duration::from_secs(10)).with_interval(Duration::from_secs(5)).with_retries(3);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(Duration::from_secs(15)))?;
    Ok(())
}
