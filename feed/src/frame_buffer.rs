//! HOT: one outgoing WebSocket message: written where it will be masked and sealed, in one buffer, without a copy.

use crate::record::{HEADER_BYTES, KeySchedule, PLAINTEXT_BYTES_MAX, RecordError, RecordLayer, TAG_BYTES};
use crate::websocket::{CLIENT_HEADER_BYTES_MAX, Opcode, apply_mask, client_header_bytes, write_header};

/// Where the payload lies: behind the longest headers that could stand before it.
const PAYLOAD_AT: usize = HEADER_BYTES + CLIENT_HEADER_BYTES_MAX;
/// The longest payload that fits one record.
pub const PAYLOAD_BYTES_MAX: usize = PLAINTEXT_BYTES_MAX - CLIENT_HEADER_BYTES_MAX;
/// Record type byte and tag behind the payload.
const BEHIND_BYTES: usize = 1 + TAG_BYTES;

/// A record in the making: record header, frame header, payload, type, tag, in this order.
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

    /// Puts the frame header before the first `length` bytes of the payload, masks and seals them; what comes back
    /// is one record, to be handed to the transport behind [`RecordLayer::control_output`].
    ///
    /// # Errors
    /// [`RecordError::TooLong`] for more than [`PAYLOAD_BYTES_MAX`], and what [`RecordLayer::seal_data`] refuses.
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
        let header_bytes = client_header_bytes(length);
        let begin = PAYLOAD_AT - header_bytes - HEADER_BYTES;
        let record = &mut self.bytes[begin..PAYLOAD_AT + length + BEHIND_BYTES];
        let frame = &mut record[HEADER_BYTES..];
        write_header(frame, opcode, length, mask).ok_or(RecordError::TooLong)?;
        apply_mask(&mut frame[header_bytes..header_bytes + length], mask);
        let total = layer.seal_data(record, header_bytes + length)?;
        Ok(&record[..total])
    }
}
