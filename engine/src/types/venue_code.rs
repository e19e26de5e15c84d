//! COLD: a venue's own error code, as inline text: numbers and words alike.

use core::fmt;

/// Bytes a [`VenueCode`] holds.
pub const VENUE_CODE_BYTES_MAX: usize = 40;
/// Last byte of a code that was longer than [`VENUE_CODE_BYTES_MAX`].
const CUT_MARK: u8 = b'~';

/// A venue's own error code, word for word: `-2010`, `51008` or `order-accountbalance-error`.
///
/// Printable ASCII without spaces, inline and `Copy`, so that it travels in an event. Empty is "no code".
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct VenueCode {
    /// The text from the left; zeros behind it.
    bytes: [u8; VENUE_CODE_BYTES_MAX],
}

const _: () = assert!(size_of::<VenueCode>() == VENUE_CODE_BYTES_MAX);

impl VenueCode {
    /// The code of an event that has none.
    pub const NONE: VenueCode = VenueCode { bytes: [0; VENUE_CODE_BYTES_MAX] };

    /// A code that the venue prints as a number; zero, which no venue uses for a fault, is no code.
    #[must_use]
    pub fn from_number(code: i64) -> VenueCode {
        let mut made = VenueCode::NONE;
        if code == 0 {
            return made;
        }
        // Digits from the right, then moved to the front: at most 19 and a sign.
        let mut digits = [0_u8; 20];
        let mut first = digits.len();
        let mut rest = code.unsigned_abs();
        while rest > 0 {
            first -= 1;
            digits[first] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        if code < 0 {
            first -= 1;
            digits[first] = b'-';
        }
        let text = &digits[first..];
        made.bytes[..text.len()].copy_from_slice(text);
        made
    }

    /// A code that the venue prints as text. One that is too long is cut and ends with `~`; a byte that is not
    /// printable ASCII becomes `?`.
    #[must_use]
    pub fn from_text(code: &str) -> VenueCode {
        let mut made = VenueCode::NONE;
        for (place, byte) in made.bytes.iter_mut().zip(code.bytes()) {
            *place = if byte.is_ascii_graphic() { byte } else { b'?' };
        }
        if code.len() > VENUE_CODE_BYTES_MAX {
            made.bytes[VENUE_CODE_BYTES_MAX - 1] = CUT_MARK;
        }
        made
    }

    /// The code as text; empty if there is none.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let end = self.bytes.iter().position(|byte| *byte == 0).unwrap_or(VENUE_CODE_BYTES_MAX);
        core::str::from_utf8(&self.bytes[..end]).expect("only printable ASCII is ever written into a code")
    }

    /// The code as the number it spells, if it spells one.
    #[must_use]
    pub fn as_number(&self) -> Option<i64> {
        self.as_str().parse().ok()
    }

    /// Whether there is no code.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.bytes[0] == 0
    }
}

impl Default for VenueCode {
    fn default() -> VenueCode {
        VenueCode::NONE
    }
}

impl fmt::Debug for VenueCode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "VenueCode({self})")
    }
}

impl fmt::Display for VenueCode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_spelled_as_the_venue_prints_it() {
        for code in [1, -1, 10, -2010, 51_008, i64::MAX, i64::MIN] {
            let made = VenueCode::from_number(code);
            assert_eq!(made.as_str(), code.to_string());
            assert_eq!(made, VenueCode::from_text(&code.to_string()), "however it came");
            assert_eq!(made.as_number(), Some(code));
        }
        assert_eq!(VenueCode::from_number(0), VenueCode::NONE);
        assert!(VenueCode::NONE.is_none() && VenueCode::default().as_str().is_empty());
    }

    #[test]
    fn a_text_that_fits_is_kept_word_for_word() {
        let longest = "a".repeat(VENUE_CODE_BYTES_MAX);
        for text in ["order-accountbalance-error", "51008", "x", longest.as_str()] {
            let code = VenueCode::from_text(text);
            assert_eq!(code.as_str(), text);
            assert!(!code.is_none());
        }
        assert_eq!(VenueCode::from_text("order-accountbalance-error").as_number(), None);
    }

    #[test]
    fn a_longer_text_is_cut_and_marked_and_no_text_is_refused() {
        let code = VenueCode::from_text("account-transfer-balance-insufficient-error");
        assert_eq!(code.as_str(), "account-transfer-balance-insufficient-e~");
        assert_eq!(code.as_str().len(), VENUE_CODE_BYTES_MAX);
        assert_eq!(VenueCode::from_text("two words\u{0}\u{e9}").as_str(), "two?words???");
    }
}
