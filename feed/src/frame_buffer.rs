//! HOT: outgoing WebSocket messages: written where they will be masked and sealed, without a copy.

use core::fmt;
use core::ops::Deref;

use crate::record::{HEADER_BYTES, KeySchedule, PLAINTEXT_BYTES_MAX, RecordError, RecordLayer, TAG_BYTES};
use crate::websocket::{CLIENT_HEADER_BYTES_MAX, Opcode, apply_mask, client_header_bytes, write_header};

/// Where the payload lies: behind the longest headers that could stand before it.
const PAYLOAD_AT: usize = HEADER_BYTES + CLIENT_HEADER_BYTES_MAX;
/// The longest payload that fits one record.
pub const PAYLOAD_BYTES_MAX: usize = PLAINTEXT_BYTES_MAX - CLIENT_HEADER_BYTES_MAX;
/// Record type byte and tag behind the payload.
const BEHIND_BYTES: usize = 1 + TAG_BYTES;
/// Room of a [`FrameQueue`] from the start: far more than one turn sends.
const QUEUE_BYTES: usize = 64 * 1024;

const _: () = {
    assert!(CLIENT_HEADER_BYTES_MAX + PAYLOAD_BYTES_MAX == PLAINTEXT_BYTES_MAX, "a placed frame is one record");
    assert!(QUEUE_BYTES >= 2 * (PAYLOAD_AT + PAYLOAD_BYTES_MAX + BEHIND_BYTES), "two of the longest messages fit");
};

/// A payload that lies in a buffer with room around it, so that it can be masked and sealed where it is. Reads as the
/// payload's bytes.
pub struct PlacedPayload<'a> {
    /// Record header, frame header, payload, type, tag, in this order.
    bytes: &'a mut [u8],
}

impl Deref for PlacedPayload<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.bytes[PAYLOAD_AT..self.bytes.len() - BEHIND_BYTES]
    }
}

impl fmt::Debug for PlacedPayload<'_> {
    /// Its length alone: requests carry signatures.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} bytes", self.len()) // cold: for people
    }
}

impl<'a> PlacedPayload<'a> {
    /// Puts the frame header before the payload, masks and seals it; what comes back is one record, to be handed to
    /// the transport behind [`RecordLayer::control_output`].
    ///
    /// # Errors
    /// [`RecordError::TooLong`] for more than [`PAYLOAD_BYTES_MAX`], and what [`RecordLayer::seal_data`] refuses.
    #[inline]
    pub fn seal<K: KeySchedule>(
        self,
        layer: &mut RecordLayer<K>,
        opcode: Opcode,
        mask: [u8; 4],
    ) -> Result<&'a [u8], RecordError> {
        let length = self.len();
        if length > PAYLOAD_BYTES_MAX {
            return Err(RecordError::TooLong);
        }
        let header_bytes = client_header_bytes(length);
        let record = &mut self.bytes[PAYLOAD_AT - header_bytes - HEADER_BYTES..];
        let frame = &mut record[HEADER_BYTES..];
        write_header(frame, opcode, length, mask).ok_or(RecordError::TooLong)?;
        apply_mask(&mut frame[header_bytes..header_bytes + length], mask);
        let total = layer.seal_data(record, header_bytes + length)?;
        Ok(&record[..total])
    }
}

/// One message in the making.
pub struct FrameBuffer {
    bytes: Box<[u8]>,
}

impl Default for FrameBuffer {
    fn default() -> FrameBuffer {
        FrameBuffer::new()
    }
}

impl FrameBuffer {
    /// With room for [`PAYLOAD_BYTES_MAX`].
    #[must_use]
    pub fn new() -> FrameBuffer {
        FrameBuffer { bytes: vec![0; PAYLOAD_AT + PAYLOAD_BYTES_MAX + BEHIND_BYTES].into_boxed_slice() }
    }

    /// Where the payload is to be written, from the first byte on.
    #[inline]
    pub fn payload(&mut self) -> &mut [u8] {
        &mut self.bytes[PAYLOAD_AT..PAYLOAD_AT + PAYLOAD_BYTES_MAX]
    }

    /// Masks and seals the first `length` bytes of the payload: see [`PlacedPayload::seal`].
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn seal<K: KeySchedule>(
        &mut self,
        layer: &mut RecordLayer<K>,
        opcode: Opcode,
        length: usize,
        mask: [u8; 4],
    ) -> Result<&[u8], RecordError> {
        if length > PAYLOAD_BYTES_MAX {
            return Err(RecordError::TooLong);
        }
        let bytes = &mut self.bytes[..PAYLOAD_AT + length + BEHIND_BYTES];
        PlacedPayload { bytes }.seal(layer, opcode, mask)
    }
}

/// Where a payload lies in its [`FrameQueue`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayloadPlace {
    start: usize,
    length: usize,
}

/// Messages of one turn, each with room around it. Kept from turn to turn: it allocates only when a turn says more
/// than any before it.
pub struct FrameQueue {
    bytes: Vec<u8>,
    end: usize,
}

impl Default for FrameQueue {
    fn default() -> FrameQueue {
        FrameQueue::new()
    }
}

impl FrameQueue {
    /// Empty.
    #[must_use]
    pub fn new() -> FrameQueue {
        FrameQueue { bytes: vec![0; QUEUE_BYTES], end: 0 }
    }

    /// What holds between any two calls; simulations call it after every step.
    ///
    /// # Panics
    /// Something does not hold: a bug of this queue.
    pub fn check(&self) {
        assert!(self.end <= self.bytes.len(), "{} of {} bytes are used", self.end, self.bytes.len());
        assert!(self.bytes.len() >= QUEUE_BYTES);
    }

    /// Forgets all messages.
    #[inline]
    pub fn clear(&mut self) {
        self.end = 0;
    }

    /// Where the next payload of up to `bytes` is to be written, from the first byte on.
    #[inline]
    pub fn space(&mut self, bytes: usize) -> &mut [u8] {
        let needed = self.end + PAYLOAD_AT + bytes + BEHIND_BYTES;
        if needed > self.bytes.len() {
            self.grow(needed);
        }
        let from = self.end + PAYLOAD_AT;
        &mut self.bytes[from..from + bytes]
    }

    #[cold]
    // cold: a turn that says more than any before it
    fn grow(&mut self, bytes: usize) {
        self.bytes.resize(2 * bytes, 0);
    }

    /// The first `length` bytes of that space are a message now.
    #[inline]
    pub fn push(&mut self, length: usize) -> PayloadPlace {
        let place = PayloadPlace { start: self.end, length };
        self.end += PAYLOAD_AT + length + BEHIND_BYTES;
        debug_assert!(self.end <= self.bytes.len(), "longer than the space that was asked for");
        place
    }

    /// A message that was pushed since [`FrameQueue::clear`].
    #[inline]
    pub fn payload(&mut self, place: PayloadPlace) -> PlacedPayload<'_> {
        PlacedPayload { bytes: &mut self.bytes[place.start..][..PAYLOAD_AT + place.length + BEHIND_BYTES] }
    }
}

#[cfg(test)]
mod tests {
    use super::{FrameQueue, QUEUE_BYTES};

    #[test]
    fn messages_of_a_turn_lie_apart_however_many_they_are() {
        let mut queue = FrameQueue::new();
        for _ in 0..2 {
            queue.clear();
            let places: Vec<_> = (0..200u8)
                .map(|number| {
                    let length = 300 + usize::from(number);
                    queue.space(1_000)[..length].fill(number);
                    let place = queue.push(length);
                    queue.check();
                    place
                })
                .collect();
            assert!(queue.end > QUEUE_BYTES, "more than the queue began with");
            for (number, place) in (0..200u8).zip(places) {
                let payload = queue.payload(place);
                assert_eq!(payload.to_vec(), vec![number; 300 + usize::from(number)]);
            }
        }
    }
}
