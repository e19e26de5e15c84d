//! HOT: one direction's key: the nonce of each record, and sealing in place.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroize;

use super::{HEADER_BYTES, PLAINTEXT_BYTES_MAX, RecordError, TAG_BYTES, TYPE_APPLICATION_DATA};

/// Key and nonce base of one direction. Wiped when dropped.
#[derive(Clone)]
pub struct TrafficSecret {
    key: [u8; 32],
    key_bytes: usize,
    iv: [u8; 12],
    sequence: u64,
}

impl TrafficSecret {
    /// `key` of 16 (AES-128-GCM) or 32 bytes (AES-256-GCM), the 12-byte base of the nonce, and the number of the
    /// next record. `None` for any other length.
    #[must_use]
    pub fn new(key: &[u8], iv: &[u8], sequence: u64) -> Option<TrafficSecret> {
        if (key.len() != 16 && key.len() != 32) || iv.len() != 12 {
            return None;
        }
        let mut secret = TrafficSecret { key: [0; 32], key_bytes: key.len(), iv: [0; 12], sequence };
        secret.key[..key.len()].copy_from_slice(key);
        secret.iv.copy_from_slice(iv);
        Some(secret)
    }
}

impl Drop for TrafficSecret {
    fn drop(&mut self) {
        self.key.zeroize();
        self.iv.zeroize();
    }
}

/// One direction's cipher.
pub(super) struct Direction {
    pub(super) key: LessSafeKey,
    iv: [u8; 12],
    /// Number of the next record.
    pub(super) sequence: u64,
    /// Number of the first record under this key that passed here.
    sequence_first: u64,
}

impl Direction {
    pub(super) fn new(secret: &TrafficSecret) -> Result<Direction, RecordError> {
        let algorithm = if secret.key_bytes == 16 { &AES_128_GCM } else { &AES_256_GCM };
        let key = UnboundKey::new(algorithm, &secret.key[..secret.key_bytes]).map_err(|_| RecordError::KeySchedule)?;
        let sequence = secret.sequence;
        Ok(Direction { key: LessSafeKey::new(key), iv: secret.iv, sequence, sequence_first: sequence })
    }

    /// Records that passed under this key.
    pub(super) const fn records(&self) -> u64 {
        self.sequence - self.sequence_first
    }

    /// RFC 8446, 5.3: the record number, xored into the base.
    #[inline]
    pub(super) fn nonce(&self) -> Nonce {
        let high = u64::from_ne_bytes([
            self.iv[0], self.iv[1], self.iv[2], self.iv[3], self.iv[4], self.iv[5], self.iv[6], self.iv[7],
        ]) ^ (self.sequence >> 32).to_be();
        let low =
            u32::from_ne_bytes([self.iv[8], self.iv[9], self.iv[10], self.iv[11]]) ^ (self.sequence as u32).to_be();
        let (h, l) = (high.to_ne_bytes(), low.to_ne_bytes());
        let nonce = [h[0], h[1], h[2], h[3], h[4], h[5], h[6], h[7], l[0], l[1], l[2], l[3]];
        Nonce::assume_unique_for_key(nonce)
    }
}

/// Writes header, type and tag around `record[5..5 + length]` and encrypts it there.
#[inline]
pub(super) fn seal(send: &mut Direction, kind: u8, record: &mut [u8], length: usize) -> Result<usize, RecordError> {
    let total = HEADER_BYTES + length + 1 + TAG_BYTES;
    if length > PLAINTEXT_BYTES_MAX {
        return Err(RecordError::TooLong);
    }
    let record = record.get_mut(..total).ok_or(RecordError::TooLong)?;
    let (header, body) = record.split_at_mut(HEADER_BYTES);
    let (text, tag) = body.split_at_mut(length + 1);
    let sealed_bytes = ((length + 1 + TAG_BYTES) as u16).to_be_bytes();
    header.copy_from_slice(&[TYPE_APPLICATION_DATA, 3, 3, sealed_bytes[0], sealed_bytes[1]]);
    text[length] = kind;
    // Never wraps: a nonce may not come twice under one key (RFC 8446, 5.3).
    let sequence_next = send.sequence.checked_add(1).ok_or(RecordError::Exhausted)?;
    let nonce = send.nonce();
    let sealed = send.key.seal_in_place_separate_tag(nonce, Aad::from(&*header), text);
    tag.copy_from_slice(sealed.map_err(|_| RecordError::TooLong)?.as_ref());
    send.sequence = sequence_next;
    Ok(total)
}
