//! COLD: hands a finished rustls handshake to our own record layer.

use rustls::ConnectionTrafficSecrets;
use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::kernel::KernelConnection;

use crate::record::{KeySchedule, RecordError, RecordLayer, TrafficSecret};

/// rustls' key schedule after the handshake.
pub struct RustlsKeySchedule(KernelConnection<ClientConnectionData>);

/// Takes a connection whose handshake is complete apart; `leftover` is what was received beyond the handshake.
///
/// # Errors
/// [`RecordError::KeySchedule`] unless the connection is TLS 1.3 with AES-GCM and has `enable_secret_extraction` set.
pub fn record_layer(
    connection: UnbufferedClientConnection,
    leftover: &[u8],
) -> Result<RecordLayer<RustlsKeySchedule>, RecordError> {
    if connection.protocol_version() != Some(rustls::ProtocolVersion::TLSv1_3) {
        return Err(RecordError::KeySchedule);
    }
    let (secrets, kernel) = connection.dangerous_into_kernel_connection().map_err(|_| RecordError::KeySchedule)?;
    let receive = traffic_secret(secrets.rx.0, &secrets.rx.1)?;
    let send = traffic_secret(secrets.tx.0, &secrets.tx.1)?;
    RecordLayer::new(&receive, &send, RustlsKeySchedule(kernel), leftover)
}

fn traffic_secret(sequence: u64, secrets: &ConnectionTrafficSecrets) -> Result<TrafficSecret, RecordError> {
    match secrets {
        ConnectionTrafficSecrets::Aes128Gcm { key, iv } | ConnectionTrafficSecrets::Aes256Gcm { key, iv } => {
            TrafficSecret::new(key.as_ref(), iv.as_ref(), sequence).ok_or(RecordError::KeySchedule)
        }
        _ => Err(RecordError::KeySchedule),
    }
}

impl KeySchedule for RustlsKeySchedule {
    fn next_receive(&mut self) -> Result<TrafficSecret, RecordError> {
        let (sequence, secrets) = self.0.update_rx_secret().map_err(|_| RecordError::KeySchedule)?;
        traffic_secret(sequence, &secrets)
    }

    fn next_send(&mut self) -> Result<TrafficSecret, RecordError> {
        let (sequence, secrets) = self.0.update_tx_secret().map_err(|_| RecordError::KeySchedule)?;
        traffic_secret(sequence, &secrets)
    }

    fn on_ticket(&mut self, body: &[u8]) -> Result<(), RecordError> {
        self.0.handle_new_session_ticket(body).map_err(|_| RecordError::Decode)
    }
}
