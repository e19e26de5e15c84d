//! HOT: the TLS 1.3 AES-GCM record layer after the handshake (RFC 8446, section 5), without a copy or a malloc a record.
//!
//! rustls does the handshake and keeps the key schedule ([`KeySchedule`]); this layer opens and seals records. It is
//! strict: a record that is not well-formed, authentic and allowed at this point ends the connection with the alert
//! that RFC 8446 names. Ciphertext is received straight into one buffer; each record is decrypted to the end of a
//! plaintext buffer, so that frames which span records lie whole without a further copy.

mod direction;
mod error;
mod plaintext;

use aws_lc_rs::aead::Aad;
use spinbook_engine::prefetch::prefetch;

use direction::{Direction, seal};

pub use direction::TrafficSecret;
pub use error::RecordError;
pub use plaintext::PlaintextBuffer;

/// Bytes of a record's header.
pub const HEADER_BYTES: usize = 5;
/// Bytes of an AES-GCM tag.
pub const TAG_BYTES: usize = 16;
/// The most plaintext a record may carry (RFC 8446, 5.1).
pub const PLAINTEXT_BYTES_MAX: usize = 1 << 14;
/// The most ciphertext a record may carry (RFC 8446, 5.2).
pub const CIPHERTEXT_BYTES_MAX: usize = PLAINTEXT_BYTES_MAX + 256;
/// Readable bytes behind every payload that is handed out, for scanners that look ahead.
pub const PADDING_BYTES: usize = crate::padding::FRAME_PADDING;
/// Buffers begin at such an address, so that the cipher's widest loads and stores do not straddle cache lines.
const ALIGNMENT_BYTES: usize = 64;
/// Bytes of a buffer that are kept warm while nothing comes: about a frame.
const WARM_BYTES: usize = 1024;
/// Size of the ciphertext buffer.
pub const CIPHERTEXT_BUFFER_BYTES: usize = 64 * 1024;
/// A post-handshake message (a session ticket) may be this long; a longer one is refused.
pub const HANDSHAKE_BYTES_MAX: usize = 16 * 1024;
/// Records without content in a row before the peer is taken for hostile.
pub const EMPTY_RECORDS_MAX: u32 = 32;
/// Key updates without application data in between before the peer is taken for hostile.
pub const KEY_UPDATES_MAX: u32 = 32;
/// Records sealed under one key before this side updates it (RFC 8446, 5.5, allows 2^24.5 full-size ones).
pub const RECORDS_PER_KEY_MAX: u64 = (1 << 24) - 1024;

const TYPE_CHANGE_CIPHER_SPEC: u8 = 20;
const TYPE_ALERT: u8 = 21;
const TYPE_HANDSHAKE: u8 = 22;
const TYPE_APPLICATION_DATA: u8 = 23;
/// What every protected record begins with, as a number: type and version (RFC 8446, 5.2), and a zero for the rest.
const ORDINARY_HEADER: u32 = u32::from_be_bytes([TYPE_APPLICATION_DATA, 3, 3, 0]);
const MESSAGE_NEW_SESSION_TICKET: u8 = 4;
const MESSAGE_KEY_UPDATE: u8 = 24;
const ALERT_CLOSE_NOTIFY: u8 = 0;
const ALERT_USER_CANCELED: u8 = 90;
/// Room for what this layer itself sends: a key update, an alert, each sealed.
const CONTROL_BYTES: usize = 256;

const _: () = {
    assert!(
        CIPHERTEXT_BUFFER_BYTES >= 2 * (HEADER_BYTES + CIPHERTEXT_BYTES_MAX),
        "a record always fits behind another"
    );
    assert!(CIPHERTEXT_BYTES_MAX <= u16::MAX as usize, "a record's length has 16 bits");
    assert!(ALIGNMENT_BYTES.is_power_of_two() && PADDING_BYTES.is_multiple_of(ALIGNMENT_BYTES));
    assert!(RECORDS_PER_KEY_MAX < 1 << 24, "RFC 8446, 5.5");
    // A key update has five bytes and an alert two.
    assert!(CONTROL_BYTES >= 2 * (HEADER_BYTES + 1 + TAG_BYTES) + 5 + 2, "an update and an alert fit");
};

/// What stays with the TLS library after the handshake: it derives the next keys and takes session tickets.
pub trait KeySchedule {
    /// The next key of the receiving direction, after the peer's key update.
    ///
    /// # Errors
    /// [`RecordError::KeySchedule`] when it cannot be derived.
    fn next_receive(&mut self) -> Result<TrafficSecret, RecordError>;
    /// The next key of the sending direction.
    ///
    /// # Errors
    /// [`RecordError::KeySchedule`] when it cannot be derived.
    fn next_send(&mut self) -> Result<TrafficSecret, RecordError>;
    /// The body of a NewSessionTicket message.
    ///
    /// # Errors
    /// [`RecordError::Decode`] when it cannot be read.
    fn on_ticket(&mut self, body: &[u8]) -> Result<(), RecordError>;
}

/// What [`RecordLayer::open_next`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// Application data was appended to the plaintext.
    Data,
    /// A record without application data was handled.
    Control,
    /// No complete record is there: receive more.
    NeedMore,
    /// The plaintext buffer must be consumed first.
    Full,
    /// The peer said close_notify: no more data will come, and none was lost.
    Closed,
}

/// Counts of what went through the layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordCounts {
    /// Records opened.
    pub opened: u64,
    /// Records sealed.
    pub sealed: u64,
    /// Session tickets taken.
    pub tickets: u64,
    /// Key updates of the peer.
    pub key_updates_received: u64,
    /// Key updates of our own.
    pub key_updates_sent: u64,
    /// Bytes of ciphertext moved to the front of their buffer.
    pub moved_bytes: u64,
    /// Records or messages of the peer that ended the connection: one at most.
    pub refused: u64,
}

/// Both directions of one connection after its handshake.
pub struct RecordLayer<K> {
    receive: Direction,
    send: Direction,
    schedule: K,
    ciphertext: Box<[u8]>,
    /// Where an empty ciphertext buffer begins: a record's content, behind its header, is aligned then.
    origin: usize,
    start: usize,
    end: usize,
    handshake: Box<[u8]>,
    handshake_bytes: usize,
    control: [u8; CONTROL_BYTES],
    control_bytes: usize,
    empty_records: u32,
    key_updates: u32,
    closed: bool,
    ended: bool,
    /// Records under earlier keys, and what no key counts.
    counts: RecordCounts,
}

impl<K: KeySchedule> RecordLayer<K> {
    /// The layer with the secrets of the finished handshake, and the ciphertext that was received beyond it.
    ///
    /// # Errors
    /// [`RecordError::KeySchedule`] for secrets that are no AES-GCM keys, [`RecordError::Overflow`] when `leftover` is
    /// longer than the ciphertext buffer.
    pub fn new(
        receive: &TrafficSecret,
        send: &TrafficSecret,
        schedule: K,
        leftover: &[u8],
    ) -> Result<RecordLayer<K>, RecordError> {
        let mut ciphertext = vec![0; CIPHERTEXT_BUFFER_BYTES + ALIGNMENT_BYTES].into_boxed_slice();
        let aligned = ciphertext.as_ptr().wrapping_add(HEADER_BYTES).align_offset(ALIGNMENT_BYTES);
        let origin = aligned.min(ALIGNMENT_BYTES);
        let end = origin + leftover.len();
        ciphertext.get_mut(origin..end).ok_or(RecordError::Overflow)?.copy_from_slice(leftover);
        Ok(RecordLayer {
            receive: Direction::new(receive)?,
            send: Direction::new(send)?,
            schedule,
            ciphertext,
            origin,
            start: origin,
            end,
            handshake: vec![0; HANDSHAKE_BYTES_MAX].into_boxed_slice(),
            handshake_bytes: 0,
            control: [0; CONTROL_BYTES],
            control_bytes: 0,
            empty_records: 0,
            key_updates: 0,
            closed: false,
            ended: false,
            counts: RecordCounts::default(),
        })
    }

    /// What went through so far.
    #[must_use]
    pub fn counts(&self) -> RecordCounts {
        RecordCounts {
            opened: self.counts.opened + self.receive.records(),
            sealed: self.counts.sealed + self.send.records(),
            ..self.counts
        }
    }

    /// What holds between any two calls; simulations call it after every step.
    ///
    /// # Panics
    /// Something does not hold: a bug of this layer.
    pub fn check(&self) {
        assert!(self.origin <= self.start && self.start <= self.end && self.end <= self.ciphertext.len());
        assert!(self.handshake_bytes <= self.handshake.len() && self.control_bytes <= CONTROL_BYTES);
        // The count that goes over its limit ends the connection.
        assert!(self.empty_records <= EMPTY_RECORDS_MAX + u32::from(self.ended));
        assert!(self.key_updates <= KEY_UPDATES_MAX + u32::from(self.ended));
        assert!(self.counts.refused <= 1 && (self.counts.refused == 0 || self.ended), "one refusal ends it");
    }

    /// Asks for the keys, and for the first lines of where the next record goes ([`spinbook_engine::prefetch`]).
    pub fn warm(&self) {
        prefetch(self);
        let from = if self.start == self.end { self.origin } else { self.end };
        prefetch(&self.ciphertext[from..(from + WARM_BYTES).min(self.ciphertext.len())]);
    }

    /// Where the next received bytes go; never empty as long as complete records are opened.
    #[inline]
    pub fn receive_space(&mut self) -> &mut [u8] {
        if self.start == self.end {
            self.start = self.origin;
            self.end = self.origin;
        } else if self.ciphertext.len() - self.end < HEADER_BYTES + CIPHERTEXT_BYTES_MAX {
            self.move_to_front();
        }
        &mut self.ciphertext[self.end..]
    }

    #[cold]
    #[inline(never)]
    fn move_to_front(&mut self) {
        self.counts.moved_bytes += (self.end - self.start) as u64;
        self.ciphertext.copy_within(self.start..self.end, self.origin);
        self.end -= self.start - self.origin;
        self.start = self.origin;
    }

    /// `bytes` were received into [`RecordLayer::receive_space`].
    #[inline]
    pub fn received(&mut self, bytes: usize) {
        self.end = (self.end + bytes).min(self.ciphertext.len());
    }

    /// Whether the transport may end here: only after close_notify. An end before it is a truncation.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Opens the next complete record, if there is one, appending its data to `plaintext`.
    ///
    /// # Errors
    /// Why the connection must end; the alert that says so waits in [`RecordLayer::control_output`].
    #[inline]
    pub fn open_next(&mut self, plaintext: &mut PlaintextBuffer) -> Result<Opened, RecordError> {
        self.open_until(plaintext, 0)
    }

    /// The same, and goes on while there are complete records with data and fewer than `bytes` are unread: a frame
    /// of known length that spans records is opened in one call.
    ///
    /// # Errors
    /// As [`RecordLayer::open_next`].
    #[inline]
    pub fn open_until(&mut self, plaintext: &mut PlaintextBuffer, bytes: usize) -> Result<Opened, RecordError> {
        if self.closed | self.ended {
            return self.opened_at_end();
        }
        // What a receive loop asks after each record of its own read: that needs no call.
        if self.start == self.end {
            return Ok(Opened::NeedMore);
        }
        self.open_records(plaintext, bytes)
    }

    #[inline(always)]
    fn open_records(&mut self, plaintext: &mut PlaintextBuffer, bytes: usize) -> Result<Opened, RecordError> {
        let mut opened = Opened::NeedMore;
        loop {
            let waiting = &self.ciphertext[self.start..self.end];
            let Some((header, behind)) = waiting.split_first_chunk::<HEADER_BYTES>() else {
                return Ok(opened);
            };
            let [kind, major, minor, high, low] = *header;
            let length = usize::from(u16::from_be_bytes([high, low]));
            // Of content, type and padding: a type at least, content and a type at most.
            let inner = length.wrapping_sub(TAG_BYTES);
            let ordinary = u32::from_be_bytes([kind, major, minor, 0]) == ORDINARY_HEADER;
            if !ordinary || inner.wrapping_sub(1) > PLAINTEXT_BYTES_MAX {
                let error = Self::refuse_header(*header, length);
                return Err(self.end_with(error));
            }
            let Some(body) = behind.get(..inner + TAG_BYTES) else {
                return Ok(opened);
            };
            let (text, tag) = body.split_at(inner);
            let Some(out) = plaintext.space(inner) else {
                return Ok(if opened == Opened::Data { opened } else { Opened::Full });
            };
            let Some(sequence_next) = self.receive.sequence.checked_add(1) else {
                return Err(self.end_with(RecordError::Exhausted));
            };
            let nonce = self.receive.nonce();
            if self.receive.key.open_separate_gather(nonce, Aad::from(header), text, tag, out).is_err() {
                out.fill(0);
                return Err(self.end_with(RecordError::BadRecordMac));
            }
            self.receive.sequence = sequence_next;
            self.start += HEADER_BYTES + TAG_BYTES + inner;
            // The content type is the last byte that is not padding (RFC 8446, 5.4); ordinary records carry none.
            if inner <= 1 || out[inner - 1] != TYPE_APPLICATION_DATA || self.handshake_bytes != 0 {
                return self.open_unusual(plaintext, inner);
            }
            if self.empty_records | self.key_updates != 0 {
                self.forgive();
            }
            opened = Opened::Data;
            if plaintext.filled(inner - 1) >= bytes {
                return Ok(opened);
            }
        }
    }

    #[cold]
    fn opened_at_end(&self) -> Result<Opened, RecordError> {
        if self.closed { Ok(Opened::Closed) } else { Err(RecordError::Ended) }
    }

    /// Why a header is none that may come after the handshake.
    #[cold]
    fn refuse_header(header: [u8; HEADER_BYTES], length: usize) -> RecordError {
        match header[0] {
            TYPE_CHANGE_CIPHER_SPEC | TYPE_ALERT | TYPE_HANDSHAKE => RecordError::Plaintext(header[0]),
            TYPE_APPLICATION_DATA if header[1..3] != [3, 3] => RecordError::Decode,
            // Without room for a type byte and a tag nothing can be authentic (RFC 8446, 5.2).
            TYPE_APPLICATION_DATA if length <= TAG_BYTES => RecordError::BadRecordMac,
            TYPE_APPLICATION_DATA => RecordError::Overflow,
            other => RecordError::Unexpected(other),
        }
    }

    /// A record with padding, without content, or of another type than application data.
    #[cold]
    #[inline(never)]
    fn open_unusual(&mut self, plaintext: &mut PlaintextBuffer, inner: usize) -> Result<Opened, RecordError> {
        let Some(out) = plaintext.space(inner) else {
            return Err(self.end_with(RecordError::Overflow));
        };
        let Some(at) = out.iter().rposition(|&byte| byte != 0) else {
            return Err(self.end_with(RecordError::Unexpected(0)));
        };
        let kind = out[at];
        if self.handshake_bytes > 0 && kind != TYPE_HANDSHAKE {
            // A fragmented handshake message may not be interleaved with anything (RFC 8446, 5.1).
            return Err(self.end_with(RecordError::Unexpected(kind)));
        }
        let outcome = match kind {
            TYPE_APPLICATION_DATA if at == 0 => self.count_empty(),
            TYPE_APPLICATION_DATA => {
                self.forgive();
                plaintext.filled(at);
                return Ok(Opened::Data);
            }
            TYPE_HANDSHAKE if at == 0 => Err(RecordError::Unexpected(kind)),
            TYPE_HANDSHAKE => self.take_handshake(&out[..at]),
            TYPE_ALERT => self.take_alert(&out[..at]),
            other => Err(RecordError::Unexpected(other)),
        };
        match outcome {
            Ok(()) if self.closed => Ok(Opened::Closed),
            Ok(()) => Ok(Opened::Control),
            Err(error) => Err(self.end_with(error)),
        }
    }

    /// Data came: what was counted against the peer is forgotten.
    #[cold]
    fn forgive(&mut self) {
        self.empty_records = 0;
        self.key_updates = 0;
    }

    fn count_empty(&mut self) -> Result<(), RecordError> {
        self.empty_records += 1;
        if self.empty_records > EMPTY_RECORDS_MAX { Err(RecordError::Flood) } else { Ok(()) }
    }

    fn take_alert(&mut self, content: &[u8]) -> Result<(), RecordError> {
        match content {
            [_, ALERT_CLOSE_NOTIFY] => {
                self.closed = true;
                Ok(())
            }
            [_, ALERT_USER_CANCELED] => self.count_empty(),
            [_, description] => Err(RecordError::Alert(*description)),
            _ => Err(RecordError::Decode),
        }
    }

    /// Collects handshake messages over records and handles each complete one.
    fn take_handshake(&mut self, content: &[u8]) -> Result<(), RecordError> {
        let end = self.handshake_bytes + content.len();
        let room = self.handshake.get_mut(self.handshake_bytes..end).ok_or(RecordError::Decode)?;
        room.copy_from_slice(content);
        self.handshake_bytes = end;
        let mut at = 0;
        while let Some(header) = self.handshake[at..self.handshake_bytes].first_chunk::<4>() {
            let kind = header[0];
            let length = u32::from_be_bytes([0, header[1], header[2], header[3]]) as usize;
            if length > HANDSHAKE_BYTES_MAX - 4 {
                return Err(RecordError::Decode);
            }
            let body = at + 4..at + 4 + length;
            if body.end > self.handshake_bytes {
                break;
            }
            let last = body.end == self.handshake_bytes;
            match kind {
                MESSAGE_NEW_SESSION_TICKET => {
                    self.schedule.on_ticket(&self.handshake[body.clone()])?;
                    self.counts.tickets += 1;
                    self.count_empty()?;
                }
                MESSAGE_KEY_UPDATE => self.take_key_update(body.clone(), last)?,
                other => return Err(RecordError::Unexpected(other)),
            }
            at = body.end;
        }
        self.handshake.copy_within(at..self.handshake_bytes, 0);
        self.handshake_bytes -= at;
        Ok(())
    }

    /// RFC 8446, 4.6.3: the message ends its record; a requested reply leaves under the old key.
    fn take_key_update(&mut self, body: core::ops::Range<usize>, last: bool) -> Result<(), RecordError> {
        let content = &self.handshake[body];
        let [request] = *content else {
            return Err(RecordError::Decode);
        };
        if !last {
            return Err(RecordError::Unexpected(MESSAGE_KEY_UPDATE));
        }
        if request > 1 {
            return Err(RecordError::IllegalParameter);
        }
        self.key_updates += 1;
        if self.key_updates > KEY_UPDATES_MAX {
            return Err(RecordError::Flood);
        }
        self.counts.key_updates_received += 1;
        let next = Direction::new(&self.schedule.next_receive()?)?;
        self.counts.opened += self.receive.records();
        self.receive = next;
        // Several requests before a reply was carried away are answered by the one that waits already.
        if request == 1 && self.control_bytes == 0 {
            self.update_send_key()?;
        }
        Ok(())
    }

    /// Tells the peer, under the old key, that the next record is sealed under a new one.
    fn update_send_key(&mut self) -> Result<(), RecordError> {
        self.seal_control(TYPE_HANDSHAKE, &[MESSAGE_KEY_UPDATE, 0, 0, 1, 0])?;
        let next = Direction::new(&self.schedule.next_send()?)?;
        self.counts.sealed += self.send.records();
        self.send = next;
        self.counts.key_updates_sent += 1;
        Ok(())
    }

    /// Remembers that the connection is over and leaves the alert that says why.
    #[cold]
    #[inline(never)]
    fn end_with(&mut self, error: RecordError) -> RecordError {
        if let Some(alert) = error.alert()
            && !self.ended
        {
            // Best effort: without room for it the connection just closes.
            let _ = self.seal_control(TYPE_ALERT, &[2, alert]);
        }
        self.counts.refused += 1;
        self.ended = true;
        error
    }

    /// Says close_notify; nothing may be sealed after it.
    ///
    /// # Errors
    /// [`RecordError::TooLong`] when earlier control output was never carried away.
    pub fn close(&mut self) -> Result<(), RecordError> {
        if self.ended {
            return Ok(());
        }
        self.ended = true;
        self.seal_control(TYPE_ALERT, &[1, ALERT_CLOSE_NOTIFY])
    }

    fn seal_control(&mut self, kind: u8, content: &[u8]) -> Result<(), RecordError> {
        let length = HEADER_BYTES + content.len() + 1 + TAG_BYTES;
        let from = self.control_bytes;
        let record = self.control.get_mut(from..from + length).ok_or(RecordError::TooLong)?;
        record[HEADER_BYTES..HEADER_BYTES + content.len()].copy_from_slice(content);
        seal(&mut self.send, kind, record, content.len())?;
        self.control_bytes += length;
        Ok(())
    }

    /// Sealed bytes of this layer's own that must leave before anything sealed later.
    #[inline]
    #[must_use]
    pub fn control_output(&self) -> &[u8] {
        &self.control[..self.control_bytes]
    }

    /// The first `bytes` of [`RecordLayer::control_output`] have been handed to the transport.
    pub fn control_taken(&mut self, bytes: usize) {
        self.control.copy_within(bytes..self.control_bytes, 0);
        self.control_bytes -= bytes;
    }

    /// Seals application data in place: `record[5..5 + length]` holds it; header, type and tag are added around it.
    ///
    /// Returns the record's length, `length + 22`. Near the end of a key's life a key update is put into
    /// [`RecordLayer::control_output`] first, which must leave before this record.
    ///
    /// # Errors
    /// [`RecordError::TooLong`] when it does not fit a record or `record`, [`RecordError::Ended`] after the end.
    #[inline]
    pub fn seal_data(&mut self, record: &mut [u8], length: usize) -> Result<usize, RecordError> {
        if self.ended {
            return Err(RecordError::Ended);
        }
        if self.send.sequence >= RECORDS_PER_KEY_MAX {
            self.update_send_key()?;
        }
        seal(&mut self.send, TYPE_APPLICATION_DATA, record, length)
    }
}
