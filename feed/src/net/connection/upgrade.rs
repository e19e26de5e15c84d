//! COLD: the WebSocket upgrade: tungstenite's handshake and its checks, on bytes in memory.

use std::io::{self, Read, Write};

use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::MidHandshake;
use tungstenite::{ClientHandshake, HandshakeError};

use super::ConnectionError;
use crate::record::PlaintextBuffer;

/// Bytes of an upgrade reply's header that are accepted.
const HEADER_BYTES_MAX: usize = 16 * 1024;
/// What ends the header.
const HEADER_END: &[u8] = b"\r\n\r\n";
/// How a reply that accepts begins.
const ACCEPTED: &[u8] = b"HTTP/1.1 101 ";

/// What the handshake reads and writes.
#[derive(Debug, Default)]
struct Memory {
    incoming: Vec<u8>,
    read: usize,
    outgoing: Vec<u8>,
}

impl Read for Memory {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = &self.incoming[self.read..];
        if rest.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let taken = rest.len().min(buffer.len());
        buffer[..taken].copy_from_slice(&rest[..taken]);
        self.read += taken;
        Ok(taken)
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.outgoing.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An upgrade under way.
pub(super) struct Upgrade {
    handshake: Option<Box<MidHandshake<ClientHandshake<Memory>>>>,
}

impl Upgrade {
    /// To `target` of `host`.
    pub(super) fn new(host: &str, target: &str) -> Result<Upgrade, ConnectionError> {
        let request = format!("wss://{host}{target}")
            .into_client_request()
            .map_err(|error| ConnectionError::Request(error.to_string()))?;
        let handshake =
            ClientHandshake::start(Memory::default(), request, None).map_err(ConnectionError::from_websocket)?;
        Ok(Upgrade { handshake: Some(Box::new(handshake)) })
    }

    /// The request's bytes, once.
    pub(super) fn request(&mut self) -> Result<Vec<u8>, ConnectionError> {
        self.step()?;
        let memory = self.handshake.as_mut().ok_or(ConnectionError::Ended)?.get_mut().get_mut();
        Ok(std::mem::take(&mut memory.outgoing))
    }

    /// Consumes the reply's header; true once it is whole and accepts. What follows it stays.
    pub(super) fn take_reply(&mut self, plaintext: &mut PlaintextBuffer) -> Result<bool, ConnectionError> {
        let arrived = plaintext.unread();
        let end = arrived.windows(HEADER_END.len()).position(|bytes| bytes == HEADER_END);
        let header_bytes = end.map_or(arrived.len(), |at| at + HEADER_END.len());
        if header_bytes > HEADER_BYTES_MAX {
            return Err(ConnectionError::HeaderTooLarge { bytes_max: HEADER_BYTES_MAX });
        }
        if end.is_none() {
            return Ok(false);
        }
        // A refusal's beginning of body goes into its error.
        let taken = if arrived.starts_with(ACCEPTED) { header_bytes } else { arrived.len() };
        let memory = self.handshake.as_mut().ok_or(ConnectionError::Ended)?.get_mut().get_mut();
        memory.incoming.extend_from_slice(&arrived[..taken]);
        plaintext.consume(taken);
        if self.step()? {
            return Ok(true);
        }
        Err(ConnectionError::Protocol("the upgrade reply's header cannot be read".to_owned()))
    }

    /// Lets the handshake go on; true when it has succeeded.
    fn step(&mut self) -> Result<bool, ConnectionError> {
        match self.handshake.take().ok_or(ConnectionError::Ended)?.handshake() {
            Ok((_, response)) => match response.headers().get("sec-websocket-extensions") {
                None => Ok(true),
                Some(extension) => {
                    let named = String::from_utf8_lossy(extension.as_bytes()).into_owned();
                    Err(ConnectionError::Extension(named))
                }
            },
            Err(HandshakeError::Interrupted(handshake)) => {
                self.handshake = Some(Box::new(handshake));
                Ok(false)
            }
            Err(HandshakeError::Failure(error)) => Err(ConnectionError::from_websocket(error)),
        }
    }
}
