//! HOT: a depth message of a made-up market, written once as its venue writes it; its update ids are set anew in place.

use crate::padding::FRAME_PADDING;

/// Digits of an update id.
const DIGITS: usize = 13;
/// The first, last and previous update id that a room writes; each stands once in the message, or not at all.
pub(crate) const PLACEHOLDERS: [u64; 3] = [5_555_555_555_551, 5_555_555_555_553, 5_555_555_555_550];
/// How far the update ids of a message are beyond the last one of the message before.
const STEPS: [u64; 3] = [1, UPDATES, 0];
/// Updates that one message contains.
const UPDATES: u64 = 3;

/// The message.
#[derive(Clone, Debug)]
pub struct RehearsedFrame {
    padded: Vec<u8>,
    length: usize,
    /// Where each update id stands, and how far it is beyond the last one before.
    ids: Vec<(usize, u64)>,
}

impl RehearsedFrame {
    /// A message that was written with the placeholders as update ids (set-up).
    #[must_use]
    pub fn new(mut message: Vec<u8>) -> RehearsedFrame {
        let length = message.len();
        let place = |number: u64| {
            let text = number.to_string();
            message.windows(DIGITS).position(|bytes| bytes == text.as_bytes())
        };
        let ids =
            PLACEHOLDERS.into_iter().zip(STEPS).filter_map(|(number, step)| Some((place(number)?, step))).collect();
        message.resize(length + FRAME_PADDING, b' ');
        RehearsedFrame { padded: message, length, ids }
    }

    /// The message as the one that follows update `before`; gives the last update it contains.
    #[inline]
    pub fn follow(&mut self, before: u64) -> u64 {
        for &(at, step) in &self.ids {
            let mut number = before.wrapping_add(step);
            for byte in self.padded[at..at + DIGITS].iter_mut().rev() {
                *byte = b'0' + (number % 10) as u8;
                number /= 10;
            }
        }
        before.wrapping_add(UPDATES)
    }

    /// The message with its padding, and its length.
    #[inline]
    pub fn bytes(&mut self) -> (&mut [u8], usize) {
        (&mut self.padded, self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::{PLACEHOLDERS, RehearsedFrame};

    #[test]
    fn update_ids_are_set_where_the_room_wrote_them() {
        let [first, last, previous] = PLACEHOLDERS;
        let text = format!("{{\"U\":{first},\"u\":{last},\"pu\":{previous}}}");
        let mut frame = RehearsedFrame::new(text.into_bytes());
        assert_eq!(frame.follow(1_000_000_000_009), 1_000_000_000_012);
        let (padded, length) = frame.bytes();
        let said = core::str::from_utf8(&padded[..length]).expect("text");
        assert_eq!(said, "{\"U\":1000000000010,\"u\":1000000000012,\"pu\":1000000000009}");
    }
}
