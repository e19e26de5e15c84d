//! COLD: TLS by rustls: every handshake, and whole connections whose cipher our record layer does not know.

use std::sync::Arc;

use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};
use rustls::{CipherSuite, ClientConfig, ProtocolVersion};

use super::ConnectionError;
use super::outgoing::Outgoing;
use crate::net::connection::handover::{RustlsKeySchedule, record_layer};
use crate::record::{CIPHERTEXT_BUFFER_BYTES, Opened, PLAINTEXT_BYTES_MAX, PlaintextBuffer, RecordLayer};

/// More than any one handshake message of a client, sealed.
const HANDSHAKE_BYTES_MAX: usize = 32 * 1024;
/// What sealing adds to a record at most, in any cipher and version.
const RECORD_OVERHEAD_BYTES: usize = 64;

/// rustls and the ciphertext it has not consumed.
pub(super) struct RustlsSession {
    connection: UnbufferedClientConnection,
    incoming: Box<[u8]>,
    end: usize,
    closed: bool,
    /// An alert or close_notify of ours went out: nothing may follow it.
    ended: bool,
}

/// What to do once the connection takes data.
#[derive(Clone, Copy)]
enum Wish<'a> {
    Nothing,
    Send(&'a [u8]),
    Close,
}

impl RustlsSession {
    pub(super) fn new(config: Arc<ClientConfig>, name: ServerName<'static>) -> Result<RustlsSession, rustls::Error> {
        Ok(RustlsSession {
            connection: UnbufferedClientConnection::new(config, name)?,
            incoming: vec![0; CIPHERTEXT_BUFFER_BYTES].into_boxed_slice(),
            end: 0,
            closed: false,
            ended: false,
        })
    }

    /// Where received bytes go.
    pub(super) fn receive_space(&mut self) -> &mut [u8] {
        &mut self.incoming[self.end..]
    }

    /// `bytes` were received there.
    pub(super) fn received(&mut self, bytes: usize) {
        self.end += bytes;
    }

    pub(super) fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Whether our record layer can go on from here.
    pub(super) fn suits_record_layer(&self) -> bool {
        let suite = self.connection.negotiated_cipher_suite().map(|suite| suite.suite());
        let aes_gcm =
            matches!(suite, Some(CipherSuite::TLS13_AES_128_GCM_SHA256 | CipherSuite::TLS13_AES_256_GCM_SHA384));
        aes_gcm && self.connection.protocol_version() == Some(ProtocolVersion::TLSv1_3)
    }

    /// Hands the connection, and what was received beyond the handshake, to our record layer.
    pub(super) fn into_record_layer(self) -> Result<RecordLayer<RustlsKeySchedule>, ConnectionError> {
        record_layer(self.connection, &self.incoming[..self.end]).map_err(ConnectionError::Record)
    }

    /// Works on what was received until there is data, or nothing more to do.
    pub(super) fn process(
        &mut self,
        plaintext: &mut PlaintextBuffer,
        outgoing: &mut Outgoing,
    ) -> Result<Opened, ConnectionError> {
        self.run(plaintext, outgoing, Wish::Nothing)
    }

    /// Seals `bytes`.
    pub(super) fn send(
        &mut self,
        bytes: &[u8],
        plaintext: &mut PlaintextBuffer,
        outgoing: &mut Outgoing,
    ) -> Result<(), ConnectionError> {
        self.run(plaintext, outgoing, Wish::Send(bytes)).map(|_| ())
    }

    /// Says close_notify, if the handshake got that far.
    pub(super) fn close(&mut self, plaintext: &mut PlaintextBuffer, outgoing: &mut Outgoing) {
        // The connection is given up: what cannot be said is not said.
        let _ = self.run(plaintext, outgoing, Wish::Close);
    }

    fn run(
        &mut self,
        plaintext: &mut PlaintextBuffer,
        outgoing: &mut Outgoing,
        wish: Wish<'_>,
    ) -> Result<Opened, ConnectionError> {
        if self.ended {
            return Err(ConnectionError::Ended);
        }
        self.ended = matches!(wish, Wish::Close);
        loop {
            if plaintext.reserve(PLAINTEXT_BYTES_MAX) < PLAINTEXT_BYTES_MAX {
                return Ok(Opened::Full);
            }
            let UnbufferedStatus { mut discard, state, .. } =
                self.connection.process_tls_records(&mut self.incoming[..self.end]);
            let mut outcome = Ok(None);
            match state {
                Err(error) => outcome = Err(ConnectionError::Tls(error)),
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        match record {
                            Ok(record) => {
                                discard += record.discard;
                                plaintext.append(record.payload);
                            }
                            Err(error) => outcome = Err(ConnectionError::Tls(error)),
                        }
                    }
                    if outcome.is_ok() && matches!(wish, Wish::Nothing) {
                        outcome = Ok(Some(Opened::Data));
                    }
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    outcome = outgoing
                        .write_with(HANDSHAKE_BYTES_MAX, |space| data.encode(space))
                        .map(|()| None)
                        .map_err(|error: EncodeError| ConnectionError::Protocol(error.to_string()));
                }
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::PeerClosed | ConnectionState::Closed) => {
                    self.closed = true;
                    outcome = Ok(matches!(wish, Wish::Nothing).then_some(Opened::Closed));
                }
                Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                    let written: Result<(), EncryptError> = match wish {
                        Wish::Nothing => Ok(()),
                        Wish::Send(bytes) => {
                            let records = bytes.len() / PLAINTEXT_BYTES_MAX + 2;
                            outgoing.write_with(bytes.len() + records * RECORD_OVERHEAD_BYTES, |space| {
                                traffic.encrypt(bytes, space)
                            })
                        }
                        Wish::Close => {
                            outgoing.write_with(2 * RECORD_OVERHEAD_BYTES, |space| traffic.queue_close_notify(space))
                        }
                    };
                    let idle = if self.closed { Opened::Closed } else { Opened::NeedMore };
                    outcome = match written {
                        Ok(()) => Ok(Some(idle)),
                        Err(error) => Err(ConnectionError::Protocol(error.to_string())),
                    };
                }
                Ok(_) => outcome = Ok(Some(if self.closed { Opened::Closed } else { Opened::NeedMore })),
            }
            self.incoming.copy_within(discard..self.end, 0);
            self.end -= discard;
            match outcome {
                Ok(None) => {}
                Ok(Some(opened)) => return Ok(opened),
                Err(error) => {
                    self.ended = true;
                    self.encode_alert(outgoing);
                    return Err(error);
                }
            }
        }
    }

    /// The alert that says why is worth one attempt to send.
    fn encode_alert(&mut self, outgoing: &mut Outgoing) {
        let UnbufferedStatus { state, .. } = self.connection.process_tls_records(&mut []);
        if let Ok(ConnectionState::EncodeTlsData(mut data)) = state {
            let _ = outgoing.write_with(HANDSHAKE_BYTES_MAX, |space| data.encode(space));
        }
    }
}
