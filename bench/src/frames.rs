//! COLD: padded frames in one block of memory, and fresh copies of them for decoders that overwrite their input.

/// Readable bytes behind every frame, as the receive buffer guarantees them.
pub const PADDING: usize = 64;

/// Frames one after another, each at a cache line's start with [`PADDING`] bytes or more behind it.
#[derive(Clone, Debug, Default)]
pub struct Frames {
    bytes: Vec<u8>,
    spans: Vec<Span>,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    offset: usize,
    length: usize,
}

impl Frames {
    /// None.
    #[must_use]
    pub fn new() -> Frames {
        Frames::default()
    }

    /// Appends a copy of `frame`.
    pub fn push(&mut self, frame: &[u8]) {
        let offset = self.bytes.len();
        self.bytes.extend_from_slice(frame);
        let end = (self.bytes.len() + PADDING).next_multiple_of(64);
        self.bytes.resize(end, b' ');
        self.spans.push(Span { offset, length: frame.len() });
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Bytes of all frames together, without padding.
    #[must_use]
    pub fn byte_count(&self) -> usize {
        self.spans.iter().map(|span| span.length).sum()
    }

    /// Frame `index` without its padding.
    #[must_use]
    pub fn frame(&self, index: usize) -> &[u8] {
        let span = self.spans[index];
        &self.bytes[span.offset..span.offset + span.length]
    }

    /// Frame `index` with its padding, and its length.
    #[inline]
    pub fn padded(&mut self, index: usize) -> (&mut [u8], usize) {
        let span = self.spans[index];
        (&mut self.bytes[span.offset..span.offset + span.length + PADDING], span.length)
    }

    /// Copies frame `index` with its padding to the start of `buffer` and says its length.
    #[inline]
    pub fn copy_to(&self, index: usize, buffer: &mut [u8]) -> usize {
        let span = self.spans[index];
        let end = span.length + PADDING;
        buffer[..end].copy_from_slice(&self.bytes[span.offset..span.offset + end]);
        span.length
    }

    /// A buffer that holds the longest frame with its padding.
    #[must_use]
    pub fn buffer(&self) -> Vec<u8> {
        vec![0; self.spans.iter().map(|span| span.length).max().unwrap_or(0) + PADDING]
    }

    /// Overwrites all frames with those of `fresh`, which has the same shape.
    pub fn refresh(&mut self, fresh: &Frames) {
        self.bytes.copy_from_slice(&fresh.bytes);
    }

    /// The frames in groups of at most `bytes_max` bytes each (at least one frame): what fits the first cache.
    #[must_use]
    pub fn batches(&self, bytes_max: usize) -> Vec<Frames> {
        let mut batches: Vec<Frames> = Vec::new();
        for index in 0..self.len() {
            let frame = self.frame(index);
            match batches.last_mut() {
                Some(batch) if batch.bytes.len() + frame.len() + PADDING <= bytes_max => batch.push(frame),
                _ => {
                    let mut batch = Frames::new();
                    batch.push(frame);
                    batches.push(batch);
                }
            }
        }
        batches
    }
}
