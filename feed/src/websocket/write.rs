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

/// Bytes that are masked together: enough of them that the compiler takes the widest registers.
const BLOCK: usize = 64;

/// Masks (or unmasks) in place (RFC 6455, 5.3).
#[inline]
pub fn apply_mask(bytes: &mut [u8], mask: [u8; 4]) {
    let mut wide = [0u8; BLOCK];
    wide.as_chunks_mut().0.fill(mask);
    let (blocks, rest) = bytes.as_chunks_mut::<BLOCK>();
    for block in blocks {
        for (byte, key) in block.iter_mut().zip(wide) {
            *byte ^= key;
        }
    }
    // Fewer are left: the key goes round.
    let (words, rest) = rest.as_chunks_mut::<4>();
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ u32::from_ne_bytes(mask)).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(mask) {
        *byte ^= key;
    }
}
