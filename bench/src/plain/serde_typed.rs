//! COLD: serde_json into borrowed structs: the text is validated once and no string is copied.

use super::PlainDecoder;
use super::message::{Combined, DepthText, Increments, MessageKind, PlainError, PlainMessage, TouchText, kind_of};

/// serde_json, zero-copy.
pub struct SerdeJsonTyped {
    increments: Increments,
}

impl SerdeJsonTyped {
    /// It keeps nothing between frames: serde_json has no buffers to reuse.
    #[must_use]
    pub fn new(increments: Increments) -> SerdeJsonTyped {
        SerdeJsonTyped { increments }
    }
}

impl PlainDecoder for SerdeJsonTyped {
    fn name(&self) -> &'static str {
        "serde_json typed, borrowed"
    }

    fn decode(&mut self, padded: &mut [u8], length: usize, message: &mut PlainMessage) -> Result<(), PlainError> {
        let frame = &padded[..length];
        match kind_of(frame) {
            MessageKind::Depth => {
                let text = str::from_utf8(frame).map_err(|_| PlainError::Json)?;
                let depth: Combined<DepthText<'_>> = serde_json::from_str(text).map_err(|_| PlainError::Json)?;
                depth.data.write(self.increments, message)
            }
            MessageKind::Touch => {
                let text = str::from_utf8(frame).map_err(|_| PlainError::Json)?;
                let touch: Combined<TouchText<'_>> = serde_json::from_str(text).map_err(|_| PlainError::Json)?;
                touch.data.write(self.increments, message)
            }
            MessageKind::Other => {
                message.start_other();
                Ok(())
            }
        }
    }
}
