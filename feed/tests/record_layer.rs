//! COLD: the record layer against rustls: random boundaries, tickets, key updates, alerts, and everything forged.
#![cfg(feature = "net")]
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::sync::Arc;

use rustls::client::UnbufferedClientConnection;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::unbuffered::{ConnectionState, UnbufferedStatus};
use rustls::{CipherSuite, ClientConfig, RootCertStore, ServerConfig, ServerConnection};
use spinbook_feed::net::kernel::{KernelSchedule, record_layer};
use spinbook_feed::record::{
    HEADER_BYTES, KeySchedule, Opened, PlaintextBuffer, RecordError, RecordLayer, TrafficSecret,
};

const MESSAGE_MAX: usize = 1 << 20;

/// SplitMix64: enough to vary boundaries, its seed printed with every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

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
fn pair(suite: CipherSuite, tickets: usize) -> (RecordLayer<KernelSchedule>, ServerConnection) {
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
    layer: &mut RecordLayer<KernelSchedule>,
    plaintext: &mut PlaintextBuffer,
    mut bytes: &[u8],
    read_max: usize,
    random: &mut Random,
) -> Result<Vec<u8>, RecordError> {
    let mut out = Vec::new();
    loop {
        loop {
            let opened = layer.open_next(plaintext)?;
            if matches!(opened, Opened::NeedMore | Opened::Closed) {
                break;
            }
            // Sometimes leave bytes unread, so that records pile up behind one another.
            if opened == Opened::Full || random.below(3) > 0 {
                drain(plaintext, &mut out);
            }
        }
        if bytes.is_empty() {
            break;
        }
        let space = layer.receive_space();
        let read = (1 + random.below(read_max)).min(bytes.len()).min(space.len());
        assert!(read > 0, "no space to receive into");
        space[..read].copy_from_slice(&bytes[..read]);
        layer.received(read);
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

fn deliver_control(layer: &mut RecordLayer<KernelSchedule>, server: &mut ServerConnection) {
    let control = layer.control_output().to_vec();
    layer.control_taken(control.len());
    give(server, &control);
}

fn echo(layer: &mut RecordLayer<KernelSchedule>, server: &mut ServerConnection, random: &mut Random) {
    let sent: Vec<u8> = (0..random.below(600)).map(|_| random.next() as u8).collect();
    let mut record = vec![0u8; sent.len() + 64];
    record[HEADER_BYTES..HEADER_BYTES + sent.len()].copy_from_slice(&sent);
    let total = layer.seal_data(&mut record, sent.len()).unwrap();
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
            let mut random = Random(seed);
            let (mut layer, mut server) = pair(suite, 3);
            let mut plaintext = PlaintextBuffer::new(MESSAGE_MAX);
            let mut updates = 0;
            for round in 0..24 {
                let mut sent = Vec::new();
                let mut wire = Vec::new();
                for _ in 0..1 + random.below(6) {
                    let large = if round % 7 == 0 { 40_000 } else { 900 };
                    let part: Vec<u8> = (0..random.below(large)).map(|_| random.next() as u8).collect();
                    for chunk in part.chunks(1 + random.below(3_000)) {
                        server.writer().write_all(chunk).unwrap();
                        wire.extend(take(&mut server));
                    }
                    sent.extend(part);
                    if random.below(6) == 0 {
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

/// A layer under fixed keys, to receive what rustls never would send.
struct Victim {
    layer: RecordLayer<FixedKeys>,
}

struct FixedKeys;

impl KeySchedule for FixedKeys {
    fn next_receive(&mut self) -> Result<TrafficSecret, RecordError> {
        TrafficSecret::new(&[9; 16], &[9; 12], 0).ok_or(RecordError::KeySchedule)
    }
    fn next_send(&mut self) -> Result<TrafficSecret, RecordError> {
        TrafficSecret::new(&[9; 16], &[9; 12], 0).ok_or(RecordError::KeySchedule)
    }
    fn on_ticket(&mut self, body: &[u8]) -> Result<(), RecordError> {
        if body.is_empty() { Err(RecordError::Decode) } else { Ok(()) }
    }
}

/// Seals `content` with an arbitrary inner type and padding, as record number `sequence` of the key.
fn forge(sequence: u64, content: &[u8], kind: u8, padding: usize) -> Vec<u8> {
    use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
    let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &[1; 16]).unwrap());
    let mut nonce = [2u8; 12];
    for (byte, add) in nonce[4..].iter_mut().zip(sequence.to_be_bytes()) {
        *byte ^= add;
    }
    let mut inner = content.to_vec();
    inner.push(kind);
    inner.resize(inner.len() + padding, 0);
    let length = (inner.len() + 16) as u16;
    let mut record = vec![23, 3, 3, (length >> 8) as u8, length as u8];
    let tag = key
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(&record[..]), &mut inner)
        .unwrap();
    record.extend(inner);
    record.extend(tag.as_ref());
    record
}

impl Victim {
    fn new() -> Victim {
        let receive = TrafficSecret::new(&[1; 16], &[2; 12], 0).unwrap();
        let send = TrafficSecret::new(&[3; 16], &[4; 12], 0).unwrap();
        Victim { layer: RecordLayer::new(&receive, &send, FixedKeys, &[]).unwrap() }
    }

    fn push(&mut self, wire: &[u8]) -> Result<Vec<u8>, RecordError> {
        let mut plaintext = PlaintextBuffer::new(MESSAGE_MAX);
        let mut out = Vec::new();
        for piece in wire.chunks(20_000) {
            let space = self.layer.receive_space();
            space[..piece.len()].copy_from_slice(piece);
            self.layer.received(piece.len());
            while !matches!(self.layer.open_next(&mut plaintext)?, Opened::NeedMore | Opened::Closed) {}
            drain(&mut plaintext, &mut out);
        }
        Ok(out)
    }
}

#[test]
fn what_a_peer_may_not_send_is_refused_with_its_reason() {
    let cases: Vec<(&str, Vec<u8>, RecordError)> = vec![
        ("plaintext alert", vec![21, 3, 3, 0, 2, 1, 0], RecordError::Plaintext(21)),
        ("plaintext change cipher spec", vec![20, 3, 3, 0, 1, 1], RecordError::Plaintext(20)),
        ("plaintext handshake", vec![22, 3, 3, 0, 4, 24, 0, 0, 0], RecordError::Plaintext(22)),
        ("unknown outer type", vec![99, 3, 3, 0, 4, 24, 0, 0, 0], RecordError::Unexpected(99)),
        ("wrong version", vec![23, 3, 1, 0, 20], RecordError::Decode),
        ("record too long", vec![23, 3, 3, 0x41, 0x01], RecordError::Overflow),
        ("record without type", vec![23, 3, 3, 0, 16], RecordError::BadRecordMac),
        ("inner plaintext too long", forge(0, &vec![7; 16_385], 23, 0), RecordError::Overflow),
        ("padding beyond the limit", forge(0, &vec![7; 16_300], 23, 200), RecordError::Overflow),
        ("only padding", forge(0, &[], 0, 20), RecordError::Unexpected(0)),
        ("inner change cipher spec", forge(0, &[1], 20, 0), RecordError::Unexpected(20)),
        ("unknown inner type", forge(0, &[1], 77, 3), RecordError::Unexpected(77)),
        ("empty handshake", forge(0, &[], 22, 0), RecordError::Unexpected(22)),
        ("fatal alert", forge(0, &[2, 40], 21, 0), RecordError::Alert(40)),
        ("short alert", forge(0, &[2], 21, 0), RecordError::Decode),
        ("certificate request", forge(0, &[13, 0, 0, 0], 22, 0), RecordError::Unexpected(13)),
        ("key update not last", forge(0, &[24, 0, 0, 1, 0, 4], 22, 0), RecordError::Unexpected(24)),
        ("key update with a bad value", forge(0, &[24, 0, 0, 1, 2], 22, 0), RecordError::IllegalParameter),
        ("key update too long", forge(0, &[24, 0, 0, 2, 0, 0], 22, 0), RecordError::Decode),
        ("huge handshake message", forge(0, &[4, 1, 0, 0], 22, 0), RecordError::Decode),
        ("empty ticket", forge(0, &[4, 0, 0, 0], 22, 0), RecordError::Decode),
        (
            "data within a fragmented message",
            [forge(0, &[4, 0, 0, 9, 1], 22, 0), forge(1, b"x", 23, 0)].concat(),
            RecordError::Unexpected(23),
        ),
        ("replayed record", [forge(0, b"x", 23, 0), forge(0, b"x", 23, 0)].concat(), RecordError::BadRecordMac),
        ("skipped record", forge(1, b"x", 23, 0), RecordError::BadRecordMac),
        ("flood of empty records", (0..64).flat_map(|number| forge(number, &[], 23, 0)).collect(), RecordError::Flood),
    ];
    for (name, wire, expected) in cases {
        assert_eq!(Victim::new().push(&wire).unwrap_err(), expected, "{name}");
    }
}

#[test]
fn unusual_but_allowed_records_are_taken() {
    let wire = [
        forge(0, b"padded", 23, 300),
        forge(1, &[], 23, 0),
        forge(2, &[4, 0, 0, 3, 1], 22, 5),
        forge(3, &[2, 3], 22, 0),
        forge(4, &[1, 90], 21, 0),
        forge(5, b" and more", 23, 0),
        forge(6, &[1, 0], 21, 0),
        forge(7, b"after close_notify", 23, 0),
    ]
    .concat();
    let mut victim = Victim::new();
    assert_eq!(victim.push(&wire).unwrap(), b"padded and more");
    assert!(victim.layer.is_closed());
    assert_eq!(victim.layer.counts().tickets, 1);
}

#[test]
fn a_requested_key_update_is_answered_once_under_the_old_key() {
    let mut victim = Victim::new();
    victim.push(&forge(0, &[24, 0, 0, 1, 1], 22, 0)).unwrap();
    assert_eq!(victim.layer.counts().key_updates_sent, 1);
    assert_eq!(victim.layer.control_output().len(), HEADER_BYTES + 5 + 1 + 16);
    let reply = victim.layer.control_output().to_vec();
    let send = TrafficSecret::new(&[3; 16], &[4; 12], 0).unwrap();
    let mut peer = RecordLayer::new(&send, &send, FixedKeys, &reply).unwrap();
    assert_eq!(peer.open_next(&mut PlaintextBuffer::new(64)), Ok(Opened::Control));
    assert_eq!(peer.counts().key_updates_received, 1);
}

#[test]
fn a_full_plaintext_buffer_waits_and_loses_nothing() {
    let mut victim = Victim::new();
    let mut plaintext = PlaintextBuffer::new(100);
    let mut got = Vec::new();
    let mut full = 0;
    for number in 0..40u64 {
        let wire = forge(number, &[5; 9_000], 23, 0);
        let space = victim.layer.receive_space();
        space[..wire.len()].copy_from_slice(&wire);
        victim.layer.received(wire.len());
        loop {
            match victim.layer.open_next(&mut plaintext).unwrap() {
                Opened::NeedMore => break,
                Opened::Full => {
                    full += 1;
                    drain(&mut plaintext, &mut got);
                }
                _ => {}
            }
        }
    }
    drain(&mut plaintext, &mut got);
    assert!(full > 0);
    assert_eq!(got.len(), 40 * 9_000);
}
