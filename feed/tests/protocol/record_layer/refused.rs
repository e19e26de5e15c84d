//! COLD: what a peer must not do, and what it may though few do: each refusal typed, told, counted, and final.

use spinbook_feed::record::{
    HEADER_BYTES, KeySchedule, Opened, PlaintextBuffer, RECORDS_PER_KEY_MAX, RecordError, RecordLayer, TrafficSecret,
};

use super::{MESSAGE_MAX, drain};

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
    forge_under([1; 16], [2; 12], sequence, content, kind, padding)
}

fn forge_under(key: [u8; 16], iv: [u8; 12], sequence: u64, content: &[u8], kind: u8, padding: usize) -> Vec<u8> {
    use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
    let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).unwrap());
    let mut nonce = iv;
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
        Victim::numbered(0, 0)
    }

    /// With other record numbers to begin from.
    fn numbered(receive: u64, send: u64) -> Victim {
        let receive = TrafficSecret::new(&[1; 16], &[2; 12], receive).unwrap();
        let send = TrafficSecret::new(&[3; 16], &[4; 12], send).unwrap();
        Victim { layer: RecordLayer::new(&receive, &send, FixedKeys, &[]).unwrap() }
    }

    /// Whatever happened: dead, told why, counted, and nothing authentic is believed any more.
    fn assert_dead(&mut self, name: &str, error: RecordError) {
        assert_eq!(self.layer.counts().refused, 1, "{name}");
        assert_eq!(self.told(), error.alert(), "{name}: the alert");
        let before = self.layer.control_output().len();
        for number in 0..4 {
            assert_eq!(self.push(&forge(number, b"authentic", 23, 0)), Err(RecordError::Ended), "{name}");
        }
        assert_eq!(self.layer.seal_data(&mut [0; 64], 1), Err(RecordError::Ended), "{name}");
        assert_eq!(self.layer.close(), Ok(()), "{name}");
        assert_eq!(self.layer.control_output().len(), before, "{name}: one alert and no more");
        assert!(!self.layer.is_closed(), "{name}: this is no end in order");
    }

    /// The alert in what the layer itself sent.
    fn told(&self) -> Option<u8> {
        let send = TrafficSecret::new(&[3; 16], &[4; 12], 0).unwrap();
        let mut peer = RecordLayer::new(&send, &send, FixedKeys, self.layer.control_output()).unwrap();
        let mut plaintext = PlaintextBuffer::new(64);
        loop {
            match peer.open_next(&mut plaintext) {
                Ok(Opened::Control) => {}
                Ok(Opened::NeedMore) => return None,
                Err(RecordError::Alert(alert)) => return Some(alert),
                other => panic!("{other:?}"),
            }
        }
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
        (
            "flood of tickets",
            (0..64).flat_map(|number| forge(number, &[4, 0, 0, 1, 1], 22, 0)).collect(),
            RecordError::Flood,
        ),
        (
            "flood of user_canceled",
            (0..64).flat_map(|number| forge(number, &[1, 90], 21, 0)).collect(),
            RecordError::Flood,
        ),
        ("flood of key updates", key_updates(33), RecordError::Flood),
        ("warning alert of TLS 1.2", forge(0, &[1, 100], 21, 0), RecordError::Alert(100)),
        ("fatal alert at the level of a warning", forge(0, &[1, 40], 21, 0), RecordError::Alert(40)),
        ("alert of no known level", forge(0, &[7, 80], 21, 0), RecordError::Alert(80)),
        ("two alerts in a record", forge(0, &[1, 0, 1, 0], 21, 0), RecordError::Decode),
        ("empty alert", forge(0, &[], 21, 0), RecordError::Decode),
        ("record of no length", vec![23, 3, 3, 0, 0], RecordError::BadRecordMac),
        ("a tag and nothing else", [vec![23, 3, 3, 0, 16], vec![7; 16]].concat(), RecordError::BadRecordMac),
        ("longest length there is", vec![23, 3, 3, 0xff, 0xff], RecordError::Overflow),
        ("one byte above the limit of ciphertext", vec![23, 3, 3, 0x41, 0x01], RecordError::Overflow),
        ("version of the first TLS", vec![23, 3, 0, 0, 20], RecordError::Decode),
        ("version of the next TLS", vec![23, 3, 4, 0, 20], RecordError::Decode),
        ("plaintext data", [vec![23, 3, 3, 0, 30], vec![b'x'; 30]].concat(), RecordError::BadRecordMac),
        (
            "plaintext after authentic data",
            [forge(0, b"x", 23, 0), vec![21, 3, 3, 0, 2, 1, 0]].concat(),
            RecordError::Plaintext(21),
        ),
        ("a heartbeat", forge(0, &[1, 0, 4], 24, 0), RecordError::Unexpected(24)),
        ("authentic, under another header", other_header(), RecordError::BadRecordMac),
        ("server hello", forge(0, &[2, 0, 0, 1, 0], 22, 0), RecordError::Unexpected(2)),
        ("empty key update", forge(0, &[24, 0, 0, 0], 22, 0), RecordError::Decode),
        (
            "alert within a fragmented message",
            [forge(0, &[4, 0], 22, 0), forge(1, &[1, 0], 21, 0)].concat(),
            RecordError::Unexpected(21),
        ),
    ];
    for (name, wire, expected) in cases {
        let mut victim = Victim::new();
        assert_eq!(victim.push(&wire), Err(expected), "{name}");
        victim.assert_dead(name, expected);
        // However it is cut, it ends alike.
        let mut slowly = Victim::new();
        let outcome = wire.chunks(3).try_for_each(|piece| slowly.push(piece).map(|_| ()));
        assert_eq!(outcome, Err(expected), "{name}, three bytes a read");
    }
}

/// So many key updates, each under the key that the one before it announced.
fn key_updates(count: usize) -> Vec<u8> {
    let next = (1..count).flat_map(|_| forge_under([9; 16], [9; 12], 0, &[24, 0, 0, 1, 0], 22, 0));
    forge(0, &[24, 0, 0, 1, 0], 22, 0).into_iter().chain(next).collect()
}

/// The length in the header is authenticated: a record cut by its last byte.
fn other_header() -> Vec<u8> {
    let mut record = forge(0, b"whole", 23, 4);
    record.pop();
    record[4] -= 1;
    record
}

#[test]
fn every_tampered_bit_and_every_cut_of_a_record_is_refused_or_waits() {
    let record = forge(0, b"some text of a venue", 23, 0);
    for bit in 0..record.len() * 8 {
        let mut tampered = record.clone();
        tampered[bit / 8] ^= 1 << (bit % 8);
        let mut victim = Victim::new();
        match victim.push(&tampered) {
            Err(error) => victim.assert_dead("tampered", error),
            // A longer length waits for what never comes.
            Ok(data) => assert!(data.is_empty() && (3..5).contains(&(bit / 8)), "bit {bit}"),
        }
    }
    for length in 0..record.len() {
        let mut victim = Victim::new();
        assert_eq!(victim.push(&record[..length]), Ok(Vec::new()), "{length}");
        assert!(!victim.layer.is_closed(), "an end here is a truncation");
    }
}

#[test]
fn a_record_number_never_comes_twice() {
    // Opened: the last number is not used, since the one after it would be the first again.
    let mut victim = Victim::numbered(u64::MAX - 1, 0);
    assert_eq!(victim.push(&forge(u64::MAX - 1, b"last but one", 23, 0)), Ok(b"last but one".to_vec()));
    assert_eq!(victim.push(&forge(u64::MAX, b"last", 23, 0)), Err(RecordError::Exhausted));
    victim.assert_dead("exhausted", RecordError::Exhausted);
    // Sealed: a new key is announced long before.
    let mut victim = Victim::numbered(0, RECORDS_PER_KEY_MAX - 1);
    let mut record = [0; 64];
    victim.layer.seal_data(&mut record, 5).unwrap();
    assert!(victim.layer.control_output().is_empty());
    victim.layer.seal_data(&mut record, 5).unwrap();
    assert_eq!(victim.layer.control_output().len(), HEADER_BYTES + 5 + 1 + 16, "a key update leaves first");
    assert_eq!(victim.layer.counts().key_updates_sent, 1);
    assert_eq!(victim.layer.counts().sealed, 3);
    // And where none can be announced, nothing is sealed.
    let mut victim = Victim::numbered(0, u64::MAX);
    assert_eq!(victim.layer.seal_data(&mut record, 5), Err(RecordError::Exhausted));
    assert_eq!(victim.layer.counts().sealed, 0);
}

#[test]
fn what_came_before_a_refusal_is_handed_out_and_nothing_behind_it() {
    let wire = [forge(0, b"before", 23, 0), forge(7, b"forged", 23, 0), forge(1, b"behind", 23, 0)].concat();
    let mut victim = Victim::new();
    let mut plaintext = PlaintextBuffer::new(MESSAGE_MAX);
    let space = victim.layer.receive_space();
    space[..wire.len()].copy_from_slice(&wire);
    victim.layer.received(wire.len());
    assert_eq!(victim.layer.open_until(&mut plaintext, 1_000), Err(RecordError::BadRecordMac));
    assert_eq!(plaintext.unread(), b"before");
    assert_eq!(victim.layer.open_until(&mut plaintext, 1_000), Err(RecordError::Ended));
    assert_eq!(plaintext.unread(), b"before");
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
