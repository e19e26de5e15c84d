//! COLD: the record layer against rustls: random boundaries, tickets, key updates, alerts, and everything forged.

mod refused;

use std::io::{Read, Write};
use std::sync::Arc;

use rustls::client::UnbufferedClientConnection;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::unbuffered::{ConnectionState, UnbufferedStatus};
use rustls::{CipherSuite, ClientConfig, RootCertStore, ServerConfig, ServerConnection};
use spinbook_feed::net::connection::handover::{RustlsKeySchedule, record_layer};
use spinbook_feed::random::Random;
use spinbook_feed::record::{HEADER_BYTES, Opened, PlaintextBuffer, RecordError, RecordLayer};

const MESSAGE_MAX: usize = 1 << 20;

fn provider(suite: CipherSuite) -> Arc<CryptoProvider> {
    let all = rustls::crypto::aws_lc_rs::default_provider();
    let cipher_suites = all.cipher_suites.iter().copied().filter(|offered| offered.suite() == suite).collect();
    Arc::new(CryptoProvider { cipher_suites, ..all })
}

fn configs(suite: CipherSuite, tickets: usize) -> (Arc<ClientConfig>, Arc<ServerConfig>) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let certificate: CertificateDer<'static> = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let mut client = ClientConfig::builder_with_provider(provider(suite))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.enable_secret_extraction = true;
    let mut server = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    server.send_tls13_tickets = tickets;
    (Arc::new(client), Arc::new(server))
}

fn take(server: &mut ServerConnection) -> Vec<u8> {
    let mut bytes = Vec::new();
    while server.wants_write() {
        server.write_tls(&mut bytes).unwrap();
    }
    bytes
}

fn give(server: &mut ServerConnection, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        server.read_tls(&mut bytes).unwrap();
        server.process_new_packets().unwrap();
    }
}

/// A handshake in memory, and what the server sent beyond it.
fn pair(suite: CipherSuite, tickets: usize) -> (RecordLayer<RustlsKeySchedule>, ServerConnection) {
    let (client_config, server_config) = configs(suite, tickets);
    let mut server = ServerConnection::new(server_config).unwrap();
    server.set_buffer_limit(None);
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = UnbufferedClientConnection::new(client_config, name).unwrap();
    let mut incoming: Vec<u8> = Vec::new();
    let mut outgoing = vec![0u8; 1 << 16];
    let mut waiting = 0;
    loop {
        let UnbufferedStatus { discard, state, .. } = client.process_tls_records(&mut incoming);
        let mut more = Vec::new();
        let mut done = false;
        match state.unwrap() {
            ConnectionState::EncodeTlsData(mut encode) => waiting += encode.encode(&mut outgoing[waiting..]).unwrap(),
            ConnectionState::TransmitTlsData(transmit) => {
                give(&mut server, &outgoing[..waiting]);
                waiting = 0;
                transmit.done();
            }
            ConnectionState::BlockedHandshake => more = take(&mut server),
            ConnectionState::WriteTraffic(_) => done = true,
            other => panic!("{other:?}"),
        }
        incoming.drain(..discard);
        incoming.extend(more);
        if done {
            break;
        }
    }
    incoming.extend(take(&mut server));
    (record_layer(client, &incoming).unwrap(), server)
}

/// Feeds `bytes` in reads of random size and returns the plaintext, in order.
fn receive(
    layer: &mut RecordLayer<RustlsKeySchedule>,
    plaintext: &mut PlaintextBuffer,
    mut bytes: &[u8],
    read_max: usize,
    random: &mut Random,
) -> Result<Vec<u8>, RecordError> {
    let mut out = Vec::new();
    loop {
        loop {
            let opened = layer.open_next(plaintext)?;
            layer.check();
            plaintext.check();
            if matches!(opened, Opened::NeedMore | Opened::Closed) {
                break;
            }
            // Sometimes leave bytes unread, so that records pile up behind one another.
            if opened == Opened::Full || random.index(3) > 0 {
                drain(plaintext, &mut out);
            }
        }
        if bytes.is_empty() {
            break;
        }
        let space = layer.receive_space();
        let read = (1 + random.index(read_max)).min(bytes.len()).min(space.len());
        assert!(read > 0, "no space to receive into");
        space[..read].copy_from_slice(&bytes[..read]);
        layer.received(read);
        layer.check();
        bytes = &bytes[read..];
    }
    drain(plaintext, &mut out);
    Ok(out)
}

fn drain(plaintext: &mut PlaintextBuffer, out: &mut Vec<u8>) {
    out.extend_from_slice(plaintext.unread());
    let unread = plaintext.unread().len();
    plaintext.consume(unread);
}

fn deliver_control(layer: &mut RecordLayer<RustlsKeySchedule>, server: &mut ServerConnection) {
    let control = layer.control_output().to_vec();
    layer.control_taken(control.len());
    give(server, &control);
}

fn echo(layer: &mut RecordLayer<RustlsKeySchedule>, server: &mut ServerConnection, random: &mut Random) {
    let sent: Vec<u8> = (0..random.index(600)).map(|_| random.next_u64() as u8).collect();
    let mut record = vec![0u8; sent.len() + 64];
    record[HEADER_BYTES..HEADER_BYTES + sent.len()].copy_from_slice(&sent);
    let total = layer.seal_data(&mut record, sent.len()).unwrap();
    layer.check();
    deliver_control(layer, server);
    give(server, &record[..total]);
    let mut got = vec![0u8; sent.len()];
    server.reader().read_exact(&mut got).unwrap();
    assert_eq!(got, sent);
}

#[test]
fn agrees_with_rustls_over_random_boundaries_tickets_and_key_updates() {
    for (number, suite) in
        [CipherSuite::TLS13_AES_128_GCM_SHA256, CipherSuite::TLS13_AES_256_GCM_SHA384].into_iter().enumerate()
    {
        for read_max in [1usize, 7, 100, 1_448, 5_000, 60_000] {
            let seed = 0x5eed_0000 + number as u64 * 100 + read_max as u64;
            println!("seed {seed:#x} suite {suite:?} reads up to {read_max}");
            let mut random = Random::new(seed);
            let (mut layer, mut server) = pair(suite, 3);
            let mut plaintext = PlaintextBuffer::new(MESSAGE_MAX);
            let mut updates = 0;
            for round in 0..24 {
                let mut sent = Vec::new();
                let mut wire = Vec::new();
                for _ in 0..1 + random.index(6) {
                    let large = if round % 7 == 0 { 40_000 } else { 900 };
                    let part: Vec<u8> = (0..random.index(large)).map(|_| random.next_u64() as u8).collect();
                    for chunk in part.chunks(1 + random.index(3_000)) {
                        server.writer().write_all(chunk).unwrap();
                        wire.extend(take(&mut server));
                    }
                    sent.extend(part);
                    if random.index(6) == 0 {
                        server.refresh_traffic_keys().unwrap();
                        wire.extend(take(&mut server));
                        updates += 1;
                    }
                }
                let got = receive(&mut layer, &mut plaintext, &wire, read_max, &mut random).unwrap();
                assert!(got == sent, "round {round}");
                deliver_control(&mut layer, &mut server);
                echo(&mut layer, &mut server, &mut random);
            }
            assert_eq!(layer.counts().tickets, 3);
            assert_eq!(layer.counts().key_updates_received, updates);
            server.send_close_notify();
            let wire = take(&mut server);
            receive(&mut layer, &mut plaintext, &wire, read_max, &mut random).unwrap();
            assert!(layer.is_closed());
            layer.close().unwrap();
            let control = layer.control_output().to_vec();
            server.read_tls(&mut &control[..]).unwrap();
            assert!(server.process_new_packets().unwrap().peer_has_closed());
        }
    }
}

#[test]
fn every_flipped_bit_of_a_record_is_refused() {
    let mut checked = 0;
    for byte in 0..HEADER_BYTES + 40 + 17 {
        let (mut layer, mut server) = pair(CipherSuite::TLS13_AES_128_GCM_SHA256, 0);
        server.writer().write_all(&[b'x'; 40]).unwrap();
        let mut wire = take(&mut server);
        wire[byte] ^= 1 << (byte % 8);
        let mut plaintext = PlaintextBuffer::new(MESSAGE_MAX);
        let space = layer.receive_space();
        space[..wire.len()].copy_from_slice(&wire);
        layer.received(wire.len());
        match layer.open_next(&mut plaintext) {
            // A longer length waits for bytes that never come; a shorter one fails to authenticate.
            Ok(Opened::NeedMore) => assert!((3..5).contains(&byte), "byte {byte}"),
            Ok(other) => panic!("byte {byte}: {other:?}"),
            Err(_) => {
                assert!(!layer.control_output().is_empty(), "an alert is due");
                assert_eq!(layer.open_next(&mut plaintext), Err(RecordError::Ended));
                assert_eq!(layer.seal_data(&mut [0; 64], 1), Err(RecordError::Ended));
            }
        }
        assert!(plaintext.unread().is_empty());
        checked += 1;
    }
    assert_eq!(checked, 62);
}
