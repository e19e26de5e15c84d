//! HOT: a client's frames: header, mask, masked payload.

use super::{FIN, MASKED, Opcode};

/// The longest header of a client's frame: two bytes, eight of length, four of mask.
pub const CLIENT_HEADER_BYTES_MAX: usize = 14;

/// Writes a client's frame: header, mask, masked payload. Returns its length, or `None` when `out` is too small.
#[inline]
pub fn write_frame(out: &mut [u8], opcode: Opcode, payload: &[u8], mask: [u8; 4]) -> Option<usize> {
    let header_bytes = write_header(out, opcode, payload.len(), mask)?;
    let body = out.get_mut(header_bytes..header_bytes + payload.len())?;
    body.copy_from_slice(payload);
    apply_mask(body, mask);
    Some(header_bytes + payload.len())
}

/// Bytes of the header of a client's frame with this payload.
#[inline]
#[must_use]
pub const fn client_header_bytes(payload_bytes: usize) -> usize {
    match payload_bytes {
        0..=125 => 6,
        126..=65_535 => 8,
        _ => CLIENT_HEADER_BYTES_MAX,
    }
}

/// Writes the header of a client's frame and returns its length, or `None` when `out` is too small.
#[inline]
pub fn write_header(out: &mut [u8], opcode: Opcode, payload_bytes: usize, mask: [u8; 4]) -> Option<usize> {
    let header_bytes = client_header_bytes(payload_bytes);
    let header = out.get_mut(..header_bytes)?;
    header[0] = FIN | opcode as u8;
    match header_bytes {
        6 => header[1] = MASKED | payload_bytes as u8,
        8 => {
            header[1] = MASKED | 126;
            header[2..4].copy_from_slice(&(payload_bytes as u16).to_be_bytes());
        }
        _ => {
            header[1] = MASKED | 127;
            header[2..10].copy_from_slice(&(payload_bytes as u64).to_be_bytes());
        }
    }
    header[header_bytes - 4..].copy_from_slice(&mask);
    Some(header_bytes)
}

/// Masks (or unmasks) in place (RFC 6455, 5.3).
#[inline]
pub fn apply_mask(bytes: &mut [u8], mask: [u8; 4]) {
    let wide = u64::from_ne_bytes([mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3]]);
    let mut chunks = bytes.chunks_exact_mut(8);
    for chunk in &mut chunks {
        let mut word = [0u8; 8];
        word.copy_from_slice(chunk);
        chunk.copy_from_slice(&(u64::from_ne_bytes(word) ^ wide).to_ne_bytes());
    }
    // Up to seven bytes are left: the key goes round.
    for (byte, key) in chunks.into_remainder().iter_mut().zip(wide.to_ne_bytes()) {
        *byte ^= key;
    }
}
