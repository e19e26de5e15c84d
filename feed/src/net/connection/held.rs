//! HOT: one message with its padding, in memory that is used again.

use super::FRAME_PADDING;

/// One message and the bytes behind it.
pub(super) struct Held {
    pub(super) bytes: Vec<u8>,
    pub(super) length: usize,
    pub(super) binary: bool,
    pub(super) present: bool,
}

impl Held {
    pub(super) fn new() -> Held {
        Held { bytes: vec![0; 64 * 1024], length: 0, binary: false, present: false }
    }

    /// Copies a message in front of its padding; grows to the largest message seen, within the message cap.
    #[inline]
    pub(super) fn hold(&mut self, message: &[u8], binary: bool) {
        let needed = message.len() + FRAME_PADDING;
        if self.bytes.len() < needed {
            self.bytes.resize(needed.next_power_of_two(), 0);
        }
        self.bytes[..message.len()].copy_from_slice(message);
        self.bytes[message.len()..needed].fill(0);
        self.length = message.len();
        self.binary = binary;
    }
}
