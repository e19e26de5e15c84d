//! HOT: a frame in its buffer: how many readable bytes lie behind it, and why that is enough for all who look ahead.

/// Readable bytes that must lie behind every frame, so that wide loads stay inside the buffer.
pub const FRAME_PADDING: usize = 64;

// The general decoder reads ahead as far as simd-json does, the scanner by two registers of 32 bytes.
const _: () = assert!(FRAME_PADDING >= simd_json::INPUT_PADDING && FRAME_PADDING >= 2 * 32);

/// One frame as its connection hands it out.
#[derive(Debug)]
pub struct FrameBytes<'a> {
    /// The frame, and at least [`FRAME_PADDING`] readable bytes behind it; a decoder may change it.
    pub padded: &'a mut [u8],
    /// Bytes of the frame.
    pub length: usize,
    /// Whether it was sent as binary; text otherwise.
    pub binary: bool,
}

impl<'a> FrameBytes<'a> {
    /// A text frame of `length` bytes with its padding behind it.
    #[inline]
    #[must_use]
    pub const fn text(padded: &'a mut [u8], length: usize) -> FrameBytes<'a> {
        FrameBytes { padded, length, binary: false }
    }
}
