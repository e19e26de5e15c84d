//! COLD: bytes in, events out: numbers, frames, records, sequences, sessions, recordings, one program for all of them.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod book_oracle;
mod damaged_recordings;
mod decode_differential;
mod extreme_numbers;
#[cfg(feature = "net")]
mod fuzzed;
mod instruments;
mod many_streams;
mod number;
#[cfg(feature = "net")]
mod record_layer;
mod session;
mod support;
mod sync;
mod verify_recorded;
mod websocket_conformance;
mod wholeness;
