//! COLD: why a client connection ended, with the peer's own words where it had any.

use std::io;

use spinbook_engine::types::Nanos;
use tungstenite::error::{CapacityError, ProtocolError};

use crate::record::RecordError;

/// Which whole operation ran out of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// TCP connect, TLS handshake and WebSocket upgrade together.
    Open,
    /// The closing handshake.
    Close,
}

impl std::fmt::Display for Operation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Operation::Open => "connect, TLS and WebSocket upgrade",
            Operation::Close => "closing handshake",
        })
    }
}

/// Why a connection ended. After any of these it is dead and only to be dropped.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// The peer does not accept connections there.
    #[error("connection refused: is the address right and the exchange running?")]
    Refused,
    /// The socket failed or the peer reset it.
    #[error("socket: {0}")]
    Socket(#[source] io::Error),
    /// TLS failed: a certificate that is not trusted, for another host or expired, or a broken record.
    #[error("TLS: {0}")]
    Tls(#[source] rustls::Error),
    /// A record of our own layer's was refused: tampered with, cut, out of place; or the peer sent an alert.
    #[error("TLS: {0}")]
    Record(#[source] RecordError),
    /// The system gave no random numbers.
    #[error("the system gives no random numbers")]
    Random,
    /// The host name cannot be one that a certificate names.
    #[error("host name {0:?} is not valid")]
    HostName(String),
    /// The peer ended the stream without TLS's close notice: whatever was under way is cut off.
    #[error("the peer cut the connection without a TLS close notice")]
    Truncated,
    /// The peer closed, in order.
    #[error("closed by the peer: code {code} {reason:?}")]
    Closed {
        /// WebSocket close code; 1005 if it gave none, 1006 if only TLS was closed.
        code: u16,
        /// The peer's reason.
        reason: String,
    },
    /// The peer answered the upgrade with another status.
    #[error("WebSocket upgrade refused: HTTP {status} {body:?}")]
    Upgrade {
        /// HTTP status.
        status: u16,
        /// `Retry-After` in seconds, where given (429 and 418).
        retry_after_seconds: Option<u64>,
        /// Beginning of the body.
        body: String,
    },
    /// The upgrade reply switched on an extension that was not offered.
    #[error("the peer uses the extension {0:?}, which was not offered")]
    Extension(String),
    /// The upgrade reply's header is larger than allowed.
    #[error("the reply header is larger than {bytes_max} bytes")]
    HeaderTooLarge {
        /// The cap.
        bytes_max: usize,
    },
    /// A message is larger than allowed; refused before memory is taken for it.
    #[error("message of {bytes} bytes, more than {bytes_max} are not accepted")]
    TooLarge {
        /// What it announced.
        bytes: usize,
        /// The cap.
        bytes_max: usize,
    },
    /// The bytes break the WebSocket protocol or are not UTF-8.
    #[error("WebSocket protocol: {0}")]
    Protocol(String),
    /// A whole operation took too long.
    #[error("{operation} took longer than {limit_ms} ms")]
    Deadline {
        /// Which.
        operation: Operation,
        /// Its limit.
        limit_ms: i64,
    },
    /// Nothing arrived for too long, not even an answer to our ping.
    #[error("nothing received for {silent_ms} ms")]
    Silent {
        /// How long.
        silent_ms: i64,
    },
    /// The peer pings more often than any venue does.
    #[error("more than {per_second_max} pings in a second")]
    PingFlood {
        /// The cap.
        per_second_max: u32,
    },
    /// The peer does not take what we send.
    #[error("{bytes} bytes are still unsent, more than {bytes_max} are not kept")]
    Backlog {
        /// Waiting bytes.
        bytes: usize,
        /// The cap.
        bytes_max: usize,
    },
    /// The request cannot be built: a target or host with illegal characters.
    #[error("request: {0}")]
    Request(String),
    /// Not attempted: the budget of this address's attempts says so.
    #[error("no attempt to connect for another {} ms: the address has used what the venue allows", wait.millis())]
    PutOff {
        /// For so long.
        wait: Nanos,
    },
    /// Used after it had ended.
    #[error("the connection has ended")]
    Ended,
}

/// A venue's longest ban that is believed: three days.
const RETRY_AFTER_MAX_SECONDS: i64 = 3 * 24 * 3600;

impl ConnectionError {
    /// For how long the peer takes no connection, where it said so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Nanos> {
        let ConnectionError::Upgrade { retry_after_seconds: Some(seconds), .. } = self else {
            return None;
        };
        Some(Nanos::from_seconds(i64::try_from(*seconds).unwrap_or(i64::MAX).min(RETRY_AFTER_MAX_SECONDS)))
    }

    /// From the operating system's error.
    pub(crate) fn from_socket(error: io::Error) -> ConnectionError {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => ConnectionError::Refused,
            io::ErrorKind::UnexpectedEof => ConnectionError::Truncated,
            _ => ConnectionError::Socket(error),
        }
    }

    /// From the WebSocket code.
    pub(crate) fn from_websocket(error: tungstenite::Error) -> ConnectionError {
        use tungstenite::Error;
        match error {
            Error::ConnectionClosed | Error::AlreadyClosed => {
                ConnectionError::Closed { code: 1005, reason: String::new() }
            }
            Error::Io(error) => ConnectionError::from_socket(error),
            Error::Capacity(CapacityError::MessageTooLong { size, max_size }) => {
                ConnectionError::TooLarge { bytes: size, bytes_max: max_size }
            }
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
                ConnectionError::Closed { code: 1006, reason: String::new() }
            }
            Error::Http(response) => {
                let retry_after_seconds = response
                    .headers()
                    .get("retry-after")
                    .and_then(|value| value.to_str().ok())
                    .and_then(|text| text.trim().parse().ok());
                let body = response.body().as_deref().unwrap_or_default();
                let body = String::from_utf8_lossy(&body[..body.len().min(256)]).into_owned();
                ConnectionError::Upgrade { status: response.status().as_u16(), retry_after_seconds, body }
            }
            other => ConnectionError::Protocol(other.to_string()),
        }
    }
}
