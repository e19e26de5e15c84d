//! HOT: how many readable bytes lie behind every frame, and why that is enough for all who look ahead.

/// Readable bytes that must lie behind every frame, so that wide loads stay inside the buffer.
pub const FRAME_PADDING: usize = 64;

// The general decoder reads ahead as far as simd-json does, the scanner by two registers of 32 bytes.
const _: () = assert!(FRAME_PADDING >= simd_json::INPUT_PADDING && FRAME_PADDING >= 2 * 32);
