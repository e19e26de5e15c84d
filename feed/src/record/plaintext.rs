//! HOT: the buffer that decrypted bytes wait in, whole frames without a copy.

use super::{ALIGNMENT_BYTES, CIPHERTEXT_BYTES_MAX, PADDING_BYTES};

/// Decrypted bytes in order, with [`PADDING_BYTES`] readable bytes behind them.
pub struct PlaintextBuffer {
    pub(super) bytes: Box<[u8]>,
    /// Where an empty buffer begins: the cipher's widest stores are aligned there.
    origin: usize,
    start: usize,
    pub(super) end: usize,
}

impl PlaintextBuffer {
    /// A buffer that holds any one message of `message_bytes_max` beside a record in progress.
    #[must_use]
    pub fn new(message_bytes_max: usize) -> PlaintextBuffer {
        let capacity = message_bytes_max + 2 * (CIPHERTEXT_BYTES_MAX + 16);
        let bytes = vec![0; capacity + PADDING_BYTES + ALIGNMENT_BYTES].into_boxed_slice();
        let origin = bytes.as_ptr().align_offset(ALIGNMENT_BYTES).min(ALIGNMENT_BYTES);
        PlaintextBuffer { bytes, origin, start: origin, end: origin }
    }

    /// The bytes not yet consumed.
    #[inline]
    #[must_use]
    pub fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// `length` unread bytes from `offset`, to be changed in place, with the padding behind them.
    #[inline]
    pub fn padded_mut(&mut self, offset: usize, length: usize) -> &mut [u8] {
        let from = self.start + offset;
        &mut self.bytes[from..from + length + PADDING_BYTES]
    }

    /// The next `bytes` are done with. What was handed out stays in place until the next write.
    #[inline]
    pub fn consume(&mut self, bytes: usize) {
        debug_assert!(self.start + bytes <= self.end);
        self.start += bytes;
        if self.start >= self.end {
            self.start = self.origin;
            self.end = self.origin;
        }
    }

    /// Appends bytes that were not encrypted on the way (tests, and connections of another transport).
    ///
    /// Returns how many fitted.
    pub fn append(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(self.reserve(bytes.len()));
        self.bytes[self.end..self.end + taken].copy_from_slice(&bytes[..taken]);
        self.end += taken;
        taken
    }

    /// Makes room for `bytes` more where possible and returns how much room there is.
    #[inline]
    pub fn reserve(&mut self, bytes: usize) -> usize {
        let room = self.bytes.len() - PADDING_BYTES - self.end;
        if room >= bytes { room } else { self.compact() }
    }

    #[cold]
    #[inline(never)]
    fn compact(&mut self) -> usize {
        self.bytes.copy_within(self.start..self.end, self.origin);
        self.end -= self.start - self.origin;
        self.start = self.origin;
        self.bytes.len() - PADDING_BYTES - self.end
    }
}
