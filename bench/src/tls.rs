//! COLD: TLS 1.3 handshakes in memory: what the receive and send measurements begin from.

use std::io::{self, Read, Write};
use std::sync::Arc;

use aws_lc_rs::aead::{AES_128_GCM, LessSafeKey, Nonce, UnboundKey};
use rustls::client::UnbufferedClientConnection;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::unbuffered::{ConnectionState, UnbufferedStatus};
use rustls::{
    CipherSuite, ClientConfig, ClientConnection, ConnectionTrafficSecrets, RootCertStore, ServerConfig,
    ServerConnection,
};
use spinbook_feed::net::connection::handover::{RustlsKeySchedule, record_layer};
use spinbook_feed::record::RecordLayer;

/// Both ends' configurations: TLS 1.3, AES-128-GCM, a certificate made for the occasion.
pub struct Endpoints {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

fn provider() -> Arc<CryptoProvider> {
    let all = rustls::crypto::aws_lc_rs::default_provider();
    let wanted = |suite: &&rustls::SupportedCipherSuite| suite.suite() == CipherSuite::TLS13_AES_128_GCM_SHA256;
    let cipher_suites = all.cipher_suites.iter().filter(wanted).copied().collect();
    Arc::new(CryptoProvider { cipher_suites, ..all })
}

impl Endpoints {
    /// Makes the certificate. No session tickets are sent: they would lie between the measured records.
    ///
    /// # Panics
    /// If the TLS library refuses what it made itself.
    #[must_use]
    pub fn new() -> Endpoints {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a key can be made");
        let certificate: CertificateDer<'static> = made.cert.der().clone();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).expect("the certificate is well-formed");
        let mut client = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("the provider knows TLS 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        client.enable_secret_extraction = true;
        let mut server = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("the provider knows TLS 1.3")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .expect("certificate and key belong together");
        server.send_tls13_tickets = 0;
        Endpoints { client: Arc::new(client), server: Arc::new(server) }
    }

    fn server(&self) -> ServerConnection {
        let mut server = ServerConnection::new(self.server.clone()).expect("a valid configuration");
        server.set_buffer_limit(None);
        server
    }

    /// A client of rustls' ordinary kind, and its server, after the handshake.
    ///
    /// # Panics
    /// If the handshake fails.
    #[must_use]
    pub fn buffered(&self) -> (ClientConnection, ServerConnection) {
        let mut server = self.server();
        let mut client = ClientConnection::new(self.client.clone(), name()).expect("a valid configuration");
        client.set_buffer_limit(None);
        while client.is_handshaking() || server.is_handshaking() {
            let mut bytes = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut bytes).expect("memory takes all");
            }
            give(&mut server, &bytes);
            bytes.clear();
            take(&mut server, &mut bytes);
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                client.read_tls(&mut rest).expect("memory gives all");
                client.process_new_packets().expect("the handshake is sound");
            }
        }
        (client, server)
    }

    fn unbuffered(&self) -> (UnbufferedClientConnection, ServerConnection) {
        let mut server = self.server();
        let mut client = UnbufferedClientConnection::new(self.client.clone(), name()).expect("a valid configuration");
        let (mut incoming, mut outgoing, mut waiting) = (Vec::new(), vec![0u8; 1 << 15], 0);
        loop {
            let UnbufferedStatus { discard, state, .. } = client.process_tls_records(&mut incoming);
            let (mut arrived, mut done) = (Vec::new(), false);
            match state.expect("the handshake is sound") {
                ConnectionState::EncodeTlsData(mut data) => {
                    waiting += data.encode(&mut outgoing[waiting..]).expect("there is room");
                }
                ConnectionState::TransmitTlsData(data) => {
                    give(&mut server, &outgoing[..waiting]);
                    waiting = 0;
                    data.done();
                }
                ConnectionState::BlockedHandshake => take(&mut server, &mut arrived),
                ConnectionState::WriteTraffic(_) => done = true,
                other => panic!("not part of a handshake: {other:?}"),
            }
            incoming.drain(..discard);
            incoming.extend(arrived);
            if done {
                assert!(incoming.is_empty(), "nothing follows the handshake");
                return (client, server);
            }
        }
    }

    /// Our record layer and its server, after the handshake.
    ///
    /// # Panics
    /// If the handshake fails.
    #[must_use]
    pub fn ours(&self) -> (RecordLayer<RustlsKeySchedule>, ServerConnection) {
        let (client, server) = self.unbuffered();
        (record_layer(client, &[]).expect("TLS 1.3 with AES-GCM"), server)
    }

    /// The bare cipher of both directions and the server, after the handshake.
    ///
    /// # Panics
    /// If the handshake fails.
    #[must_use]
    pub fn bare(&self) -> (BareKey, BareKey, ServerConnection) {
        let (client, server) = self.unbuffered();
        let (secrets, _) = client.dangerous_into_kernel_connection().expect("the handshake is complete");
        (BareKey::new(&secrets.rx), BareKey::new(&secrets.tx), server)
    }
}

impl Default for Endpoints {
    fn default() -> Endpoints {
        Endpoints::new()
    }
}

fn name() -> ServerName<'static> {
    ServerName::try_from("localhost").expect("a host name")
}

/// What the server wants to send, appended.
///
/// # Panics
/// Never: memory takes everything.
pub fn take(server: &mut ServerConnection, out: &mut Vec<u8>) {
    while server.wants_write() {
        server.write_tls(out).expect("memory takes all");
    }
}

/// Gives bytes to the server.
///
/// # Panics
/// If they are no valid records.
pub fn give(server: &mut ServerConnection, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        server.read_tls(&mut bytes).expect("memory gives all");
        server.process_new_packets().expect("valid records");
    }
}

/// The cipher and nothing around it.
pub struct BareKey {
    /// The key.
    pub key: LessSafeKey,
    iv: [u8; 12],
    /// Number of the next record.
    pub sequence: u64,
}

impl BareKey {
    fn new(secrets: &(u64, ConnectionTrafficSecrets)) -> BareKey {
        let ConnectionTrafficSecrets::Aes128Gcm { key, iv } = &secrets.1 else {
            panic!("AES-128-GCM alone was offered")
        };
        let mut base = [0; 12];
        base.copy_from_slice(iv.as_ref());
        BareKey {
            key: LessSafeKey::new(UnboundKey::new(&AES_128_GCM, key.as_ref()).expect("16 bytes")),
            iv: base,
            sequence: secrets.0,
        }
    }

    /// The nonce of the next record.
    #[inline]
    pub fn nonce(&mut self) -> Nonce {
        let mut nonce = self.iv;
        if let Some(last) = nonce.last_chunk_mut::<8>() {
            *last = (u64::from_be_bytes(*last) ^ self.sequence).to_be_bytes();
        }
        self.sequence += 1;
        Nonce::assume_unique_for_key(nonce)
    }
}

/// rustls as a stream of plaintext, without a socket.
pub struct Stream(pub ClientConnection);

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.reader().read(buffer)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.writer().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
