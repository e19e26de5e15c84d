//! COLD: the plain pipeline: what a careful user builds from well-known crates, each at its best configuration.
//!
//! | part | crate and how it is used |
//! |---|---|
//! | [`SimdJsonTape`] | simd-json, padded input without a copy, buffers and tape kept between frames, walked by hand |
//! | [`SimdJsonTyped`] | simd-json, the same kept tape, deserialised by serde into borrowed structs |
//! | [`SimdJsonBuffers`] | simd-json, `from_slice_with_buffers` into the same structs |
//! | [`SerdeJsonTyped`] | serde_json, text validated once, borrowed structs, nothing copied |
//! | [`TreeBook`] | std's `BTreeMap` a side |
//! | [`ArrayRing`] | crossbeam's `ArrayQueue` |
//!
//! All of them route a frame by the channel in its stream name instead of trying one type after another, parse only
//! the fields that are used, and turn prices and quantities straight into integers with a byte loop.

mod book;
mod message;
mod number;
mod ring;
mod serde_typed;
mod simd_tape;
mod simd_typed;

pub use book::TreeBook;
pub use message::{Combined, DepthText, Increments, MessageKind, PlainError, PlainMessage, TouchText, kind_of};
pub use number::Increment;
pub use ring::ArrayRing;
pub use serde_typed::SerdeJsonTyped;
pub use simd_tape::SimdJsonTape;
pub use simd_typed::{SimdJsonBuffers, SimdJsonTyped};

/// One plain decoder of Binance market frames, with everything it may keep between frames.
pub trait PlainDecoder {
    /// As printed in tables.
    fn name(&self) -> &'static str;

    /// Decodes `padded[..length]` into `message`, whose vectors keep their capacity.
    ///
    /// At least 64 bytes follow the frame in `padded`; the frame may be overwritten.
    ///
    /// # Errors
    /// The frame is not JSON, lacks a field, or a number is not a multiple of its increment.
    fn decode(&mut self, padded: &mut [u8], length: usize, message: &mut PlainMessage) -> Result<(), PlainError>;
}

/// Every plain decoder, each with fresh buffers, in the order of the tables.
#[must_use]
pub fn decoders(increments: Increments) -> Vec<Box<dyn PlainDecoder>> {
    vec![
        Box::new(SimdJsonTape::new(increments)),
        Box::new(SimdJsonTyped::new(increments)),
        Box::new(SimdJsonBuffers::new(increments)),
        Box::new(SerdeJsonTyped::new(increments)),
    ]
}
