//! COLD: a connection's beginning: TCP connect, TLS handshake and WebSocket upgrade, never blocking.

use std::io;
use std::time::Duration;

use mio::net::TcpStream;
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use spinbook_engine::types::Nanos;

use super::rustls_session::RustlsSession;
use super::stream::Stream;
use super::upgrade::Upgrade;
use super::{Connection, ConnectionError, ConnectionSettings, Phase};
use crate::record::Opened;
use crate::websocket::{CONTROL_BYTES_MAX, MessageReader};

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
        let session = RustlsSession::new(settings.tls.clone(), name).map_err(ConnectionError::Tls)?;
        let upgrade = Upgrade::new(&settings.host, &settings.target)?;
        let tcp = TcpStream::connect(settings.address).map_err(ConnectionError::from_socket)?;
        configure_socket(&tcp).map_err(ConnectionError::from_socket)?;
        Ok(Connection {
            tcp,
            phase: Phase::Connecting,
            limits,
            stream: Stream::new(session, limits.message_bytes_max)?,
            upgrade,
            reader: MessageReader::new(limits.message_bytes_max),
            staged_error: None,
            pong: [0; CONTROL_BYTES_MAX],
            pong_bytes: None,
            ponged: None,
            closing: false,
            readable: true,
            deadline: now + limits.open_within,
            received_last: now,
            pinged_at: Nanos::ZERO,
            pong_last: Nanos::ZERO,
            ping_window: now,
            pings_in_window: 0,
            pings: 0,
            bytes_received: 0,
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
        if self.phase == Phase::Connecting {
            if !self.is_connected()? {
                return Ok(false);
            }
            self.phase = Phase::Securing;
        }
        loop {
            let opened = match self.stream.open(0) {
                Ok(opened) => opened,
                Err(error) => {
                    // The alert that says why is worth one attempt to send.
                    let _ = self.stream.flush(&mut self.tcp);
                    return Err(error);
                }
            };
            if self.phase == Phase::Securing && self.stream.is_secured()? {
                self.phase = Phase::Upgrading;
                let request = self.upgrade.request()?;
                self.stream.append_plain(&request)?;
            }
            self.stream.flush(&mut self.tcp)?;
            if self.phase == Phase::Upgrading && self.upgrade.take_reply(&mut self.stream.plaintext)? {
                break;
            }
            match opened {
                Opened::Closed => return Err(ConnectionError::Truncated),
                Opened::NeedMore | Opened::Full if !self.receive(now)? => return Ok(false),
                _ => {}
            }
        }
        self.phase = Phase::Open;
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
