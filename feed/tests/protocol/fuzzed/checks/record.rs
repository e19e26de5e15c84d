//! COLD: the record layer against its rules, written down a second time and slowly.
//!
//! The input is a script of what a peer (who has the keys, or not) puts on the wire, and of how reads cut it. A model
//! says what must come of each record; after the first refusal nothing may come at all.

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use spinbook_feed::record::{
    EMPTY_RECORDS_MAX, HANDSHAKE_BYTES_MAX, KEY_UPDATES_MAX, KeySchedule, Opened, PLAINTEXT_BYTES_MAX, PlaintextBuffer,
    RecordError, RecordLayer, TrafficSecret,
};

use super::Script;

/// Records of one script.
const RECORDS_MAX: usize = 160;

fn secret(from_peer: bool, generation: u8) -> ([u8; 16], [u8; 12]) {
    let mark = if from_peer { 1 } else { 2 };
    ([generation.wrapping_mul(3) ^ mark; 16], [generation ^ 0x50 ^ mark; 12])
}

/// Generations of keys, as both ends count them.
struct Keys {
    receive: u8,
    send: u8,
    from_peer: bool,
}

impl Keys {
    fn first(from_peer: bool) -> TrafficSecret {
        let (key, iv) = secret(from_peer, 0);
        TrafficSecret::new(&key, &iv, 0).unwrap()
    }
}

impl KeySchedule for Keys {
    fn next_receive(&mut self) -> Result<TrafficSecret, RecordError> {
        self.receive = self.receive.wrapping_add(1);
        let (key, iv) = secret(self.from_peer, self.receive);
        TrafficSecret::new(&key, &iv, 0).ok_or(RecordError::KeySchedule)
    }
    fn next_send(&mut self) -> Result<TrafficSecret, RecordError> {
        self.send = self.send.wrapping_add(1);
        let (key, iv) = secret(!self.from_peer, self.send);
        TrafficSecret::new(&key, &iv, 0).ok_or(RecordError::KeySchedule)
    }
    fn on_ticket(&mut self, body: &[u8]) -> Result<(), RecordError> {
        if body.first() == Some(&0xff) { Err(RecordError::Decode) } else { Ok(()) }
    }
}

/// What must come of the records so far.
#[derive(Default)]
struct Model {
    generation: u8,
    sequence: u64,
    data: Vec<u8>,
    handshake: Vec<u8>,
    empty: u32,
    updates: u32,
    asked: bool,
    closed: bool,
    error: Option<RecordError>,
}

impl Model {
    fn is_over(&self) -> bool {
        self.closed || self.error.is_some()
    }

    /// Seals a record as the peer would now: `inner` is content, type and padding.
    fn seal(&self, inner: &[u8]) -> Vec<u8> {
        let (key, iv) = secret(true, self.generation);
        let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).unwrap());
        let mut nonce = iv;
        nonce[4..].iter_mut().zip(self.sequence.to_be_bytes()).for_each(|(byte, add)| *byte ^= add);
        let length = (inner.len() + 16) as u16;
        let mut record = vec![23, 3, 3, (length >> 8) as u8, length as u8];
        let mut text = inner.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = key.seal_in_place_separate_tag(nonce, Aad::from(&record[..]), &mut text).unwrap();
        record.extend(text);
        record.extend(tag.as_ref());
        record
    }

    /// An authentic record came.
    fn take(&mut self, inner: &[u8]) {
        self.error = self.judge(inner).err();
    }

    fn judge(&mut self, inner: &[u8]) -> Result<(), RecordError> {
        if inner.len() > PLAINTEXT_BYTES_MAX + 1 {
            return Err(RecordError::Overflow);
        }
        self.sequence += 1;
        let Some(at) = inner.iter().rposition(|byte| *byte != 0) else {
            return Err(RecordError::Unexpected(0));
        };
        let (kind, content) = (inner[at], &inner[..at]);
        if kind != 22 && !self.handshake.is_empty() {
            return Err(RecordError::Unexpected(kind));
        }
        match (kind, content) {
            (23, []) => self.count_empty(),
            (23, data) => {
                self.data.extend(data);
                (self.empty, self.updates) = (0, 0);
                Ok(())
            }
            (22, []) => Err(RecordError::Unexpected(22)),
            (22, part) => {
                self.handshake.extend(part);
                if self.handshake.len() > HANDSHAKE_BYTES_MAX { Err(RecordError::Decode) } else { self.messages() }
            }
            (21, [_, 0]) => {
                self.closed = true;
                Ok(())
            }
            (21, [_, 90]) => self.count_empty(),
            (21, [_, why]) => Err(RecordError::Alert(*why)),
            (21, _) => Err(RecordError::Decode),
            (other, _) => Err(RecordError::Unexpected(other)),
        }
    }

    fn count_empty(&mut self) -> Result<(), RecordError> {
        self.empty += 1;
        if self.empty > EMPTY_RECORDS_MAX { Err(RecordError::Flood) } else { Ok(()) }
    }

    fn messages(&mut self) -> Result<(), RecordError> {
        while let [kind, a, b, c, rest @ ..] = &self.handshake[..] {
            let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
            if length > HANDSHAKE_BYTES_MAX - 4 {
                return Err(RecordError::Decode);
            }
            if rest.len() < length {
                return Ok(());
            }
            let (body, behind) = rest.split_at(length);
            match (kind, body) {
                (4, [0xff, ..]) => return Err(RecordError::Decode),
                (4, _) => {
                    let behind = behind.to_vec();
                    self.count_empty()?;
                    self.handshake = behind;
                    continue;
                }
                (24, [request]) => {
                    if !behind.is_empty() {
                        return Err(RecordError::Unexpected(24));
                    }
                    if *request > 1 {
                        return Err(RecordError::IllegalParameter);
                    }
                    self.updates += 1;
                    if self.updates > KEY_UPDATES_MAX {
                        return Err(RecordError::Flood);
                    }
                    self.asked |= *request == 1;
                }
                (24, _) => return Err(RecordError::Decode),
                (other, _) => return Err(RecordError::Unexpected(*other)),
            }
            self.handshake.clear();
            self.generation = self.generation.wrapping_add(1);
            self.sequence = 0;
        }
        Ok(())
    }

    /// Bytes of no key came, and nothing follows.
    fn take_forged(&mut self, bytes: &[u8]) {
        let [kind, major, minor, high, low, body @ ..] = bytes else { return };
        let length = usize::from(*high) << 8 | usize::from(*low);
        self.error = match kind {
            20..=22 => Some(RecordError::Plaintext(*kind)),
            23 if (*major, *minor) != (3, 3) => Some(RecordError::Decode),
            23 if length < 17 => Some(RecordError::BadRecordMac),
            23 if length > PLAINTEXT_BYTES_MAX + 17 => Some(RecordError::Overflow),
            23 if body.len() < length => None,
            23 => Some(RecordError::BadRecordMac),
            other => Some(RecordError::Unexpected(*other)),
        };
    }
}

/// Puts one more record on the wire; false when nothing may follow it.
fn step(script: &mut Script<'_>, model: &mut Model, wire: &mut Vec<u8>) -> bool {
    let choice = script.byte();
    let with_type = |content: &[u8], kind: u8, padding: usize| {
        let mut inner = content.to_vec();
        inner.push(kind);
        inner.resize(inner.len() + padding, 0);
        inner
    };
    let inner = match choice % 16 {
        0..=3 => {
            let length = script.number() % (PLAINTEXT_BYTES_MAX + 3);
            let padding = if choice & 0x40 != 0 { script.number() % 400 } else { 0 };
            with_type(&vec![script.byte(); length], 23, padding)
        }
        4 => with_type(script.take(usize::from(choice >> 4)), 22, 0),
        5 | 6 => with_type(&[24, 0, 0, 1, choice >> 4 & 1], 22, 0),
        7 => {
            let body = script.take(usize::from(choice >> 4));
            let message = [&[4, 0, 0, body.len() as u8], body].concat();
            with_type(&message, 22, 1)
        }
        8 => with_type(&[1, script.byte()], 21, 0),
        9 => with_type(script.take(usize::from(choice >> 4)), script.byte(), 0),
        10 => with_type(&[], 23, 0),
        11 => with_type(&[], 0, usize::from(choice >> 4)),
        12 => {
            let mut record = model.seal(&with_type(b"tampered", 23, 0));
            let bit = usize::from(script.byte());
            let at = bit / 8 % record.len();
            record[at] ^= 1 << (bit % 8);
            model.take_forged(&record);
            wire.extend(record);
            return false;
        }
        13 => {
            model.sequence += 1 + u64::from(choice >> 4);
            let record = model.seal(&with_type(b"out of order", 23, 0));
            model.take_forged(&record);
            wire.extend(record);
            return false;
        }
        14 => {
            let raw = script.take(600);
            model.take_forged(raw);
            wire.extend(raw);
            return false;
        }
        _ => {
            let record = model.seal(&with_type(&[5; 40], 23, 0));
            wire.extend(&record[..usize::from(choice >> 4) % record.len()]);
            return false;
        }
    };
    wire.extend(model.seal(&inner));
    model.take(&inner);
    !model.is_over()
}

/// Plays a script and compares.
pub fn check(data: &[u8]) {
    let mut script = Script(data);
    let read_max = 1 + script.number() % 20_000;
    let behind = script.byte();
    let (mut model, mut wire, mut records) = (Model::default(), Vec::new(), 0);
    while !script.is_done() && records < RECORDS_MAX && step(&mut script, &mut model, &mut wire) {
        records += 1;
    }
    if model.is_over() {
        // Whatever follows changes nothing.
        wire.extend(model.seal(b"too late\x17"));
    }
    let keys = Keys { receive: 0, send: 0, from_peer: true };
    let mut layer = RecordLayer::new(&Keys::first(true), &Keys::first(false), keys, &[]).unwrap();
    let mut plaintext = PlaintextBuffer::new(40_000);
    let (mut got, mut error) = (Vec::new(), None);
    let mut rest = &wire[..];
    while !rest.is_empty() {
        let space = layer.receive_space();
        let (piece, behind_it) = rest.split_at(read_max.min(rest.len()).min(space.len()));
        assert!(!piece.is_empty(), "there is always room for a record");
        space[..piece.len()].copy_from_slice(piece);
        layer.received(piece.len());
        rest = behind_it;
        loop {
            let wanted = if behind & 1 == 1 { usize::from(behind) * 90 } else { 0 };
            let opened = layer.open_until(&mut plaintext, wanted);
            layer.check();
            plaintext.check();
            match opened {
                Ok(Opened::NeedMore | Opened::Closed) => break,
                Ok(Opened::Full) => drain(&mut plaintext, &mut got),
                Ok(_) if behind & 2 == 2 => drain(&mut plaintext, &mut got),
                Ok(_) => {}
                Err(why) => {
                    error.get_or_insert(why);
                    break;
                }
            }
        }
        if error.is_some() {
            // What comes to a dead connection goes nowhere.
            rest = &[];
        }
    }
    drain(&mut plaintext, &mut got);
    assert_eq!(error, model.error, "why it ended");
    assert!(got == model.data, "{} bytes came, {} were sent", got.len(), model.data.len());
    assert_eq!(layer.is_closed(), model.closed);
    if let Some(error) = model.error {
        assert!(layer.open_next(&mut plaintext).is_err() && plaintext.unread().is_empty(), "dead is dead");
        assert_eq!(layer.seal_data(&mut [0; 64], 1), Err(RecordError::Ended));
        assert_told(&layer, model.asked, error.alert());
    } else {
        assert_told(&layer, model.asked, None);
    }
}

fn drain(plaintext: &mut PlaintextBuffer, out: &mut Vec<u8>) {
    out.extend_from_slice(plaintext.unread());
    let unread = plaintext.unread().len();
    plaintext.consume(unread);
}

/// What the layer itself sent: the answer to a wished key update, and the alert that says why.
fn assert_told(layer: &RecordLayer<Keys>, asked: bool, alert: Option<u8>) {
    let keys = Keys { receive: 0, send: 0, from_peer: false };
    let control = layer.control_output();
    let mut peer = RecordLayer::new(&Keys::first(false), &Keys::first(true), keys, control).unwrap();
    let mut plaintext = PlaintextBuffer::new(64);
    let told = loop {
        match peer.open_next(&mut plaintext) {
            Ok(Opened::Control) => {}
            Ok(Opened::NeedMore) => break None,
            Err(RecordError::Alert(alert)) => break Some(alert),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(told, alert);
    assert_eq!(peer.counts().key_updates_received, u64::from(asked));
}
