//! HOT: the buffer that decrypted bytes wait in, whole frames without a copy.

use spinbook_engine::prefetch::prefetch;

use super::{ALIGNMENT_BYTES, CIPHERTEXT_BYTES_MAX, PADDING_BYTES, WARM_BYTES};

/// Decrypted bytes in order, with [`PADDING_BYTES`] readable bytes behind them.
pub struct PlaintextBuffer {
    bytes: Box<[u8]>,
    /// Where an empty buffer begins: the cipher's widest stores are aligned there.
    origin: usize,
    start: usize,
    end: usize,
    /// Where the room ends: the padding behind it is never written.
    limit: usize,
}

impl PlaintextBuffer {
    /// A buffer that holds any one message of `message_bytes_max` beside a record in progress.
    #[must_use]
    pub fn new(message_bytes_max: usize) -> PlaintextBuffer {
        let capacity = message_bytes_max + 2 * (CIPHERTEXT_BYTES_MAX + 16);
        let bytes = vec![0; capacity + PADDING_BYTES + ALIGNMENT_BYTES].into_boxed_slice();
        let origin = bytes.as_ptr().align_offset(ALIGNMENT_BYTES).min(ALIGNMENT_BYTES);
        let limit = bytes.len() - PADDING_BYTES;
        PlaintextBuffer { bytes, origin, start: origin, end: origin, limit }
    }

    /// What holds between any two calls; simulations call it after every step.
    ///
    /// # Panics
    /// Something does not hold: a bug of this buffer.
    pub fn check(&self) {
        assert!(self.origin <= self.start && self.start <= self.end && self.end <= self.limit);
        assert!(self.limit + PADDING_BYTES == self.bytes.len(), "the padding is never written");
    }

    /// Asks for the first lines of where the next plaintext goes.
    pub fn warm(&self) {
        let from = if self.start == self.end { self.origin } else { self.end };
        prefetch(&self.bytes[from..(from + WARM_BYTES).min(self.bytes.len())]);
    }

    /// The bytes not yet consumed.
    #[inline]
    #[must_use]
    pub fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// How many they are.
    #[inline]
    #[must_use]
    pub const fn unread_bytes(&self) -> usize {
        self.end.wrapping_sub(self.start)
    }

    /// `length` unread bytes from `offset`, to be changed in place, with the padding behind them.
    #[inline]
    pub fn padded_mut(&mut self, offset: usize, length: usize) -> &mut [u8] {
        &mut self.bytes[self.start + offset..][..length + PADDING_BYTES]
    }

    /// The next `bytes` are done with. What was handed out stays in place until the next write.
    #[inline]
    pub fn consume(&mut self, bytes: usize) {
        if self.unread_bytes() > bytes {
            self.skip(bytes);
        } else {
            debug_assert!(self.start + bytes == self.end);
            self.start = self.origin;
            self.end = self.origin;
        }
    }

    /// Apart, so that [`PlaintextBuffer::consume`] is a jump, which the processor foresees, and no conditional move:
    /// `bytes` comes out of a decrypted frame, and where the next record goes must not wait for that.
    #[inline(never)]
    fn skip(&mut self, bytes: usize) {
        self.start += bytes;
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
        let room = self.limit - self.end;
        if room >= bytes { room } else { self.compact() }
    }

    /// Where the next `bytes` go; `None` when what is unread must be consumed first.
    #[inline]
    pub(super) fn space(&mut self, bytes: usize) -> Option<&mut [u8]> {
        if self.limit.wrapping_sub(self.end) < bytes && self.compact() < bytes {
            return None;
        }
        self.bytes[self.end..].get_mut(..bytes)
    }

    /// `bytes` of that space hold what is to be read. Returns how many are unread now.
    #[inline]
    pub(super) fn filled(&mut self, bytes: usize) -> usize {
        self.end += bytes;
        self.unread_bytes()
    }

    #[cold]
    #[inline(never)]
    fn compact(&mut self) -> usize {
        self.bytes.copy_within(self.start..self.end, self.origin);
        self.end -= self.start - self.origin;
        self.start = self.origin;
        self.limit - self.end
    }
}
