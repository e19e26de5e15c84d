//! HOT: a cursor over a padded frame that accepts exactly what it is told to expect.
//!
//! Reads may look into the padding behind the frame; the scanner checks at the end that it
//! stands exactly at the frame's end, so no byte of the padding can have been consumed.

use crate::number::{POWERS_OF_TEN, Scale};

/// Longest run of digits that surely fits a `u64`.
const INTEGER_DIGITS_MAX: usize = 19;
/// As many digits as the general parser accepts as significant.
const DECIMAL_DIGITS_MAX: usize = 18;

/// Where the scan stands in a padded frame.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'frame> {
    pub(crate) buffer: &'frame [u8],
    pub(crate) at: usize,
}

impl<'frame> Cursor<'frame> {
    /// Consumes exactly these bytes.
    #[inline(always)]
    pub(crate) fn literal<const LENGTH: usize>(&mut self, expected: &[u8; LENGTH]) -> Option<()> {
        let found = self.buffer.get(self.at..)?.first_chunk::<LENGTH>()?;
        if found != expected {
            return None;
        }
        self.at += LENGTH;
        Some(())
    }

    /// Consumes these bytes if they come next.
    #[inline(always)]
    pub(crate) fn optional<const LENGTH: usize>(&mut self, expected: &[u8; LENGTH]) -> bool {
        self.literal(expected).is_some()
    }

    /// The byte that comes next.
    #[inline(always)]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.buffer.get(self.at).copied()
    }

    #[inline(always)]
    fn word(&self, at: usize) -> Option<u64> {
        Some(u64::from_le_bytes(*self.buffer.get(at..)?.first_chunk::<8>()?))
    }

    /// Reads a run of digits: value and length; at most [`INTEGER_DIGITS_MAX`] digits.
    #[inline(always)]
    fn digits(&mut self) -> Option<(u64, usize)> {
        let mut value = 0u64;
        let mut length = 0;
        loop {
            let word = self.word(self.at)?;
            let count = leading_digits(word);
            if length + count > INTEGER_DIGITS_MAX {
                return None;
            }
            value = value * POWERS_OF_TEN[count] + eight_digits(word, count);
            length += count;
            self.at += count;
            if count < 8 {
                return Some((value, length));
            }
        }
    }

    /// A whole number as JSON prints it: no leading zero.
    #[inline(always)]
    pub(crate) fn integer(&mut self) -> Option<u64> {
        let first = self.peek()?;
        let (value, length) = self.digits()?;
        if length == 0 || (first == b'0' && length > 1) {
            return None;
        }
        Some(value)
    }

    /// A decimal with exactly the scale's decimals, in units of the scale; the closing quote is consumed.
    #[inline(always)]
    pub(crate) fn decimal(&mut self, scale: &Scale) -> Option<i64> {
        let (whole, whole_length) = self.digits()?;
        let decimals = usize::from(scale.decimals());
        if whole_length == 0 || whole_length + decimals > DECIMAL_DIGITS_MAX {
            return None;
        }
        let mut mantissa = whole;
        if decimals > 0 {
            self.literal(b".")?;
            let (fraction, length) = self.digits()?;
            if length != decimals {
                return None;
            }
            mantissa = whole * POWERS_OF_TEN[decimals] + fraction;
        }
        self.literal(b"\"")?;
        scale.units_from_mantissa(mantissa)
    }

    /// A string's bytes up to its closing quote, which is consumed: printable ASCII or non-ASCII letters
    /// without escapes, at most `longest` bytes.
    #[inline(always)]
    pub(crate) fn text(&mut self, longest: usize) -> Option<&'frame [u8]> {
        let start = self.at;
        let window = self.buffer.get(start..)?;
        let window = &window[..window.len().min(longest + 1)];
        for (length, byte) in window.iter().enumerate() {
            match byte {
                b'"' => {
                    self.at = start + length + 1;
                    return Some(&window[..length]);
                }
                b'\\' | 0..0x20 => return None,
                _ => {}
            }
        }
        None
    }
}

/// How many of the eight bytes, from the first on, are digits.
#[inline(always)]
fn leading_digits(word: u64) -> usize {
    // Digits become 0..=9; adding 0x76 sets the top bit of everything larger.
    let offset = word ^ 0x3030_3030_3030_3030;
    let others = (offset.wrapping_add(0x7676_7676_7676_7676) | offset) & 0x8080_8080_8080_8080;
    (others.trailing_zeros() / 8) as usize
}

/// The number that the first `count` bytes print, all of them digits.
#[inline(always)]
fn eight_digits(word: u64, count: usize) -> u64 {
    if count == 0 {
        return 0;
    }
    // Shift the digits to the high end, so that zeros lead; then join pairs, fours and eights.
    let word = word << (64 - 8 * count);
    let word = (word & 0x0f0f_0f0f_0f0f_0f0f).wrapping_mul(2561) >> 8;
    let word = (word & 0x00ff_00ff_00ff_00ff).wrapping_mul(6_553_601) >> 16;
    (word & 0x0000_ffff_0000_ffff).wrapping_mul(42_949_672_960_001) >> 32
}
