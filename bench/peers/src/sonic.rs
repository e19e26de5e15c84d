//! COLD: sonic-rs behind the plain decoders' interface.

use spinbook_bench::plain::{
    Combined, DepthText, Increments, PlainMessage, MessageKind, PlainDecoder, PlainError, TouchText, kind_of,
};

/// sonic-rs into the same borrowed structs, vector code of the machine it was compiled for.
pub struct SonicTyped {
    increments: Increments,
}

impl SonicTyped {
    /// It keeps nothing between frames: sonic-rs parses straight from the input.
    #[must_use]
    pub fn new(increments: Increments) -> SonicTyped {
        SonicTyped { increments }
    }
}

impl PlainDecoder for SonicTyped {
    fn name(&self) -> &'static str {
        "sonic-rs typed, borrowed"
    }

    fn decode(&mut self, padded: &mut [u8], length: usize, message: &mut PlainMessage) -> Result<(), PlainError> {
        let frame = &padded[..length];
        match kind_of(frame) {
            MessageKind::Depth => {
                let depth: Combined<DepthText<'_>> = sonic_rs::from_slice(frame).map_err(|_| PlainError::Json)?;
                depth.data.write(self.increments, message)
            }
            MessageKind::Touch => {
                let touch: Combined<TouchText<'_>> = sonic_rs::from_slice(frame).map_err(|_| PlainError::Json)?;
                touch.data.write(self.increments, message)
            }
            MessageKind::Other => {
                message.start_other();
                Ok(())
            }
        }
    }
}
