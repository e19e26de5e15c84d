//! COLD: simd-json with serde: once through a kept tape, once through its plain `from_slice_with_buffers`.

use serde::Deserialize;
use simd_json::{Buffers, Deserializer, Tape, fill_tape_padded};

use super::PlainDecoder;
use super::message::{Combined, DepthText, Increments, MessageKind, PlainError, PlainMessage, TouchText, kind_of};

/// simd-json deserialising a kept tape into borrowed structs: no copy of the input, no tape allocated.
pub struct SimdJsonTyped {
    increments: Increments,
    buffers: Buffers,
    tape: Option<Tape<'static>>,
}

impl SimdJsonTyped {
    /// With empty buffers that grow to the largest frame.
    #[must_use]
    pub fn new(increments: Increments) -> SimdJsonTyped {
        SimdJsonTyped { increments, buffers: Buffers::default(), tape: None }
    }
}

/// Fills the tape, deserialises it, hands the struct to `write` and gives the emptied tape back.
#[inline]
fn through_tape<'a, T: Deserialize<'a>>(
    kept: &mut Option<Tape<'static>>,
    buffers: &mut Buffers,
    padded: &'a mut [u8],
    length: usize,
    write: impl FnOnce(&T) -> Result<(), PlainError>,
) -> Result<(), PlainError> {
    let mut tape: Tape<'a> = kept.take().unwrap_or_else(|| Tape(Vec::new())).reset();
    fill_tape_padded(padded, length, buffers, &mut tape).map_err(|_| PlainError::Json)?;
    let mut deserializer = Deserializer::from_tape(tape);
    let result = Combined::<T>::deserialize(&mut deserializer).map_err(|_| PlainError::Json);
    let written = result.and_then(|combined| write(&combined.data));
    *kept = Some(deserializer.into_tape().reset());
    written
}

impl PlainDecoder for SimdJsonTyped {
    fn name(&self) -> &'static str {
        "simd-json typed, tape kept"
    }

    fn decode(&mut self, padded: &mut [u8], length: usize, message: &mut PlainMessage) -> Result<(), PlainError> {
        let increments = self.increments;
        match kind_of(&padded[..length]) {
            MessageKind::Depth => {
                through_tape::<DepthText<'_>>(&mut self.tape, &mut self.buffers, padded, length, |depth| {
                    depth.write(increments, message)
                })
            }
            MessageKind::Touch => {
                through_tape::<TouchText<'_>>(&mut self.tape, &mut self.buffers, padded, length, |touch| {
                    touch.write(increments, message)
                })
            }
            MessageKind::Other => {
                message.start_other();
                Ok(())
            }
        }
    }
}

/// simd-json's own typed entry with reused buffers; it makes a new tape for each frame.
pub struct SimdJsonBuffers {
    increments: Increments,
    buffers: Buffers,
}

impl SimdJsonBuffers {
    /// With empty buffers that grow to the largest frame.
    #[must_use]
    pub fn new(increments: Increments) -> SimdJsonBuffers {
        SimdJsonBuffers { increments, buffers: Buffers::default() }
    }
}

impl PlainDecoder for SimdJsonBuffers {
    fn name(&self) -> &'static str {
        "simd-json typed, buffers reused"
    }

    fn decode(&mut self, padded: &mut [u8], length: usize, message: &mut PlainMessage) -> Result<(), PlainError> {
        let frame = &mut padded[..length];
        match kind_of(frame) {
            MessageKind::Depth => {
                let depth: Combined<DepthText<'_>> =
                    simd_json::serde::from_slice_with_buffers(frame, &mut self.buffers)
                        .map_err(|_| PlainError::Json)?;
                depth.data.write(self.increments, message)
            }
            MessageKind::Touch => {
                let touch: Combined<TouchText<'_>> =
                    simd_json::serde::from_slice_with_buffers(frame, &mut self.buffers)
                        .map_err(|_| PlainError::Json)?;
                touch.data.write(self.increments, message)
            }
            MessageKind::Other => {
                message.start_other();
                Ok(())
            }
        }
    }
}
