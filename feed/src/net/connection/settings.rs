//! COLD: what a connection puts up with, and where it leads.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ClientConfig;
use spinbook_engine::types::Nanos;

/// How much and how long a connection puts up with.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// Largest message accepted, in bytes; refused before memory is taken.
    pub message_bytes_max: usize,
    /// Largest amount of unsent bytes kept.
    pub backlog_bytes_max: usize,
    /// Connect, TLS and upgrade together.
    pub open_within: Nanos,
    /// The closing handshake.
    pub close_within: Nanos,
    /// Ping the peer after this much silence.
    pub ping_after: Nanos,
    /// Give up after this much silence.
    pub silent_max: Nanos,
    /// Least time between two pongs: only the newest ping is answered.
    pub pong_spacing: Nanos,
    /// Pings in one second that end the connection.
    pub pings_per_second_max: u32,
}

impl ConnectionLimits {
    /// For public market data: messages up to 1 MiB.
    pub const PUBLIC: ConnectionLimits = ConnectionLimits {
        message_bytes_max: 1 << 20,
        backlog_bytes_max: 256 * 1024,
        open_within: Nanos::from_millis(5_000),
        close_within: Nanos::from_millis(1_000),
        ping_after: Nanos::from_millis(5_000),
        silent_max: Nanos::from_millis(15_000),
        pong_spacing: Nanos::from_millis(1_000),
        pings_per_second_max: 20,
    };
    /// For orders and user data: messages up to 256 KiB.
    pub const PRIVATE: ConnectionLimits =
        ConnectionLimits { message_bytes_max: 256 * 1024, ..ConnectionLimits::PUBLIC };
}

/// Where to connect and as what.
#[derive(Clone, Debug)]
pub struct ConnectionSettings {
    /// Resolved address.
    pub address: SocketAddr,
    /// Host name: what the certificate must name, and the `Host` header.
    pub host: String,
    /// Path and query to upgrade, starting with `/`.
    pub target: String,
    /// Whom to trust.
    pub tls: Arc<ClientConfig>,
    /// Caps and deadlines.
    pub limits: ConnectionLimits,
}
