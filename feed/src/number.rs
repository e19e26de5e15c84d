//! HOT: exact decimal text to integers and back; the only place where text becomes a price or a quantity.
//!
//! A venue prints `63947.40`; the engine counts ticks. [`Scale`] says what one unit is
//! (`step * 10^-decimals`), and [`Scale::parse`] gives the whole number of units, or an error: nothing is
//! ever rounded, saturated or wrapped.

use core::fmt;

use rust_decimal::Decimal;

/// Most significant digits (leading and trailing zeros not counted) that a number may have.
pub const DIGITS_MAX: u32 = 18;
/// Most decimals that a scale may have.
pub const DECIMALS_MAX: u8 = 18;
/// Longest text that [`Scale::format`] writes: sign, 19 digits, dot, and padding zeros.
pub const TEXT_MAX: usize = 48;

/// 10^0 to 10^19, all that fit a `u64`.
pub(crate) const POWERS_OF_TEN: [u64; 20] = {
    let mut powers = [1u64; 20];
    let mut index = 1;
    while index < 20 {
        powers[index] = powers[index - 1] * 10;
        index += 1;
    }
    powers
};

/// Why a text is not a number of this scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NumberError {
    /// No text at all.
    Empty,
    /// A minus sign: prices and quantities are never negative.
    Negative,
    /// Not of the form `digits[.digits][e[+-]digits]`; the byte at `at` does not belong there.
    Malformed {
        /// Index of the byte that does not belong (the length if the text ends too early; at most 255).
        at: u8,
    },
    /// More than [`DIGITS_MAX`] significant digits.
    TooManyDigits,
    /// The value lies between two units of the scale.
    TooFine {
        /// Power of ten of the value's last non-zero digit (`0.05` has -2), at least -128.
        exponent: i8,
    },
    /// More units than an `i64` holds.
    Overflow,
}

impl fmt::Display for NumberError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NumberError::Empty => out.write_str("the number is empty"),
            NumberError::Negative => out.write_str("the number is negative"),
            NumberError::Malformed { at } => write!(out, "not a decimal number (byte {at})"),
            NumberError::TooManyDigits => write!(out, "more than {DIGITS_MAX} significant digits"),
            NumberError::TooFine { exponent } => {
                write!(out, "finer than the instrument's increment (last digit is 10^{exponent})")
            }
            NumberError::Overflow => out.write_str("too large"),
        }
    }
}

impl std::error::Error for NumberError {}

/// What one unit is worth: `step * 10^-decimals`.
///
/// `decimals` is also how many decimals the venue prints, so `tickSize` `"0.10"` is 2 decimals, step 10.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Scale {
    decimals: u8,
    step: u64,
    /// Inverse of the odd part of `step` modulo 2^64, and the trailing zero bits: exact division without `div`.
    inverse: u64,
    shift: u32,
    quotient_max: u64,
}

impl Scale {
    /// A scale of `step * 10^-decimals`; `None` if `step` is zero or above 10^18, or `decimals` above 18.
    #[must_use]
    pub const fn new(decimals: u8, step: u64) -> Option<Scale> {
        if step == 0 || step > POWERS_OF_TEN[18] || decimals > DECIMALS_MAX {
            return None;
        }
        let shift = step.trailing_zeros();
        let odd = step >> shift;
        // Newton's iteration doubles the correct low bits: 5, 10, 20, 40, 80.
        let mut inverse = odd.wrapping_mul(3) ^ 2;
        let mut round = 0;
        while round < 4 {
            inverse = inverse.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(inverse)));
            round += 1;
        }
        let quotient_max = if step == 1 { i64::MAX as u64 } else { u64::MAX / step };
        Some(Scale { decimals, step, inverse, shift, quotient_max })
    }

    /// The scale whose unit is the increment a venue prints, its decimals included: `"0.10"` is 2 and 10.
    ///
    /// # Errors
    /// As [`Scale::parse`]; an increment of zero (a rule that is off) is [`NumberError::Empty`].
    pub fn from_increment(text: &[u8]) -> Result<Scale, NumberError> {
        let printed = printed_decimals(text);
        let number = Number::read(text)?;
        if number.mantissa == 0 {
            return Err(NumberError::Empty);
        }
        let decimals = printed.max(u8::try_from((-number.exponent).max(0)).map_err(|_| NumberError::Overflow)?);
        let unit = Scale::new(decimals.min(DECIMALS_MAX), 1).ok_or(NumberError::Overflow)?;
        let step = number.units_of(&unit)?;
        Scale::new(unit.decimals, u64::try_from(step).map_err(|_| NumberError::Overflow)?).ok_or(NumberError::Overflow)
    }

    /// Decimals that the venue prints.
    #[inline]
    #[must_use]
    pub const fn decimals(&self) -> u8 {
        self.decimals
    }

    /// One unit, in `10^-decimals`.
    #[inline]
    #[must_use]
    pub const fn step(&self) -> u64 {
        self.step
    }

    /// Text to units, exact.
    ///
    /// Accepts `digits[.digits]` with an optional exponent (`9.121E-7`).
    ///
    /// # Errors
    /// Everything that is not exactly a non-negative whole number of units: see [`NumberError`].
    #[inline]
    pub fn parse(&self, text: &[u8]) -> Result<i64, NumberError> {
        Number::read(text)?.units_of(self)
    }

    /// A mantissa at this scale's decimals to units; `None` if it lies between two units or above `i64`.
    #[inline]
    #[must_use]
    pub const fn units_from_mantissa(&self, mantissa: u64) -> Option<i64> {
        // The product with the inverse is the exact quotient if there is one, and above the largest
        // possible quotient if there is not.
        let quotient = mantissa.wrapping_mul(self.inverse).rotate_right(self.shift);
        if quotient > self.quotient_max {
            return None;
        }
        Some(quotient as i64)
    }

    /// Units to text, exact, with the scale's decimals (`63947.40`).
    ///
    /// # Panics
    /// Never: [`TEXT_MAX`] holds every value.
    #[must_use]
    pub fn format<'buffer>(&self, units: i64, buffer: &'buffer mut [u8; TEXT_MAX]) -> &'buffer str {
        let mut mantissa = u128::from(units.unsigned_abs()) * u128::from(self.step);
        let mut at = TEXT_MAX;
        let mut written = 0u8;
        loop {
            if written == self.decimals && self.decimals > 0 {
                at -= 1;
                buffer[at] = b'.';
            }
            at -= 1;
            // Nearly every value fits 64 bits, where a division is much cheaper.
            let digit;
            (mantissa, digit) = match u64::try_from(mantissa) {
                Ok(small) => (u128::from(small / 10), (small % 10) as u8),
                Err(_) => (mantissa / 10, (mantissa % 10) as u8),
            };
            buffer[at] = b'0' + digit;
            written += 1;
            if mantissa == 0 && written > self.decimals {
                break;
            }
        }
        if units < 0 {
            at -= 1;
            buffer[at] = b'-';
        }
        core::str::from_utf8(&buffer[at..]).expect("only ASCII was written")
    }

    /// Units as a decimal, for reports and configuration (cold).
    ///
    /// # Panics
    /// If the value does not fit a `Decimal` (more than 28 digits): no instrument has such values.
    #[must_use]
    pub fn decimal(&self, units: i64) -> Decimal {
        Decimal::from_i128_with_scale(i128::from(units) * i128::from(self.step), u32::from(self.decimals))
    }

    /// A decimal as units, exact (cold); `None` if it is not a whole number of units or too large.
    #[must_use]
    pub fn units_from_decimal(&self, value: Decimal) -> Option<i64> {
        let value = value.normalize();
        let shift = u32::from(self.decimals).checked_sub(value.scale())?;
        let mantissa = value.mantissa().checked_mul(10i128.checked_pow(shift)?)?;
        let step = i128::from(self.step);
        if mantissa % step != 0 {
            return None;
        }
        i64::try_from(mantissa / step).ok()
    }

    /// One unit in 10^-18, for sums of money.
    #[must_use]
    pub const fn unit_atoms(&self) -> u128 {
        self.step as u128 * POWERS_OF_TEN[(DECIMALS_MAX - self.decimals) as usize] as u128
    }
}

/// Decimals of a sum of money: the engine counts it in 10^-18.
const ATOMS_DECIMALS: i32 = DECIMALS_MAX as i32;

/// An amount of an asset in 10^-18, exact; whole units fit an `i64`, so that a sum of eighteen fits an `i128`.
///
/// # Errors
/// As [`Scale::parse`], at 18 decimals.
pub fn parse_atoms(text: &[u8]) -> Result<i128, NumberError> {
    let number = Number::read(text)?;
    atoms(i128::from(number.mantissa), number.exponent)
}

/// As [`parse_atoms`], with an optional minus sign.
///
/// # Errors
/// As [`parse_atoms`].
pub fn parse_signed_atoms(text: &[u8]) -> Result<i128, NumberError> {
    match text.strip_prefix(b"-") {
        Some(digits) => parse_atoms(digits).map(|atoms| -atoms),
        None => parse_atoms(text),
    }
}

/// A decimal, of any sign, in 10^-18, in the range of [`parse_atoms`] (cold).
///
/// # Errors
/// [`NumberError::TooFine`] below 10^-18, [`NumberError::Overflow`] above the range.
pub fn atoms_from_decimal(value: Decimal) -> Result<i128, NumberError> {
    let value = value.normalize();
    atoms(value.mantissa(), -i32::try_from(value.scale()).map_err(|_| NumberError::Overflow)?)
}

/// `mantissa * 10^exponent` in 10^-18; with an exponent below zero the mantissa has no zeros at its end.
fn atoms(mantissa: i128, exponent: i32) -> Result<i128, NumberError> {
    const MAX: u128 = i64::MAX as u128 * POWERS_OF_TEN[DECIMALS_MAX as usize] as u128;
    if mantissa == 0 {
        return Ok(0);
    }
    let shift = u32::try_from(exponent + ATOMS_DECIMALS)
        .map_err(|_| NumberError::TooFine { exponent: exponent.clamp(-128, 127) as i8 })?;
    let factor = 10i128.checked_pow(shift).ok_or(NumberError::Overflow)?;
    let atoms = mantissa.checked_mul(factor).ok_or(NumberError::Overflow)?;
    if atoms.unsigned_abs() > MAX { Err(NumberError::Overflow) } else { Ok(atoms) }
}

/// How many decimals a text prints: digits behind the dot.
#[must_use]
pub fn printed_decimals(text: &[u8]) -> u8 {
    let Some(dot) = text.iter().position(|byte| *byte == b'.') else {
        return 0;
    };
    let digits = text[dot + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    u8::try_from(digits).unwrap_or(u8::MAX)
}

/// Power of ten of the last non-zero digit of a number; `None` for zero.
///
/// # Errors
/// As [`Scale::parse`], for text that is no number.
pub fn last_digit_exponent(text: &[u8]) -> Result<Option<i32>, NumberError> {
    let number = Number::read(text)?;
    Ok((number.mantissa != 0).then_some(number.exponent))
}

/// A plain non-negative integer, digits only.
///
/// # Errors
/// As [`Scale::parse`]; up to the largest `u64` is accepted.
pub fn parse_integer(text: &[u8]) -> Result<u64, NumberError> {
    if text.is_empty() {
        return Err(NumberError::Empty);
    }
    let mut value = 0u64;
    for (index, byte) in text.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return Err(malformed(text, index));
        }
        value =
            value.checked_mul(10).and_then(|tens| tens.checked_add(u64::from(digit))).ok_or(NumberError::Overflow)?;
    }
    Ok(value)
}

#[inline]
fn malformed(text: &[u8], at: usize) -> NumberError {
    if at == 0 && text.first() == Some(&b'-') {
        return NumberError::Negative;
    }
    NumberError::Malformed { at: u8::try_from(at).unwrap_or(u8::MAX) }
}

/// `mantissa * 10^exponent`, the mantissa without trailing zeros (zero is zero with any exponent).
#[derive(Clone, Copy)]
struct Number {
    mantissa: u64,
    exponent: i32,
}

impl Number {
    #[inline]
    fn read(text: &[u8]) -> Result<Number, NumberError> {
        if text.is_empty() {
            return Err(NumberError::Empty);
        }
        let mut digits = Digits::default();
        let mut at = digits.take(text, 0);
        if at == 0 {
            return Err(malformed(text, 0));
        }
        let mut fraction = 0;
        if text.get(at) == Some(&b'.') {
            let end = digits.take(text, at + 1);
            fraction = end - (at + 1);
            if fraction == 0 {
                return Err(malformed(text, end));
            }
            at = end;
        }
        let mut exponent = 0i32;
        if matches!(text.get(at), Some(b'e' | b'E')) {
            let negative = text.get(at + 1) == Some(&b'-');
            at += 1 + usize::from(matches!(text.get(at + 1), Some(b'+' | b'-')));
            let start = at;
            while let Some(digit) = text.get(at).filter(|byte| byte.is_ascii_digit()) {
                // Far beyond every accepted magnitude the exact exponent no longer matters.
                exponent = (exponent * 10 + i32::from(digit - b'0')).min(1_000_000);
                at += 1;
            }
            if at == start {
                return Err(malformed(text, at));
            }
            if negative {
                exponent = -exponent;
            }
        }
        if at != text.len() {
            return Err(malformed(text, at));
        }
        if digits.count > DIGITS_MAX {
            return Err(NumberError::TooManyDigits);
        }
        let fraction = i32::try_from(fraction).map_err(|_| NumberError::TooManyDigits)?;
        let zeros = i32::try_from(digits.zeros).map_err(|_| NumberError::TooManyDigits)?;
        Ok(Number { mantissa: digits.mantissa, exponent: exponent - fraction + zeros })
    }

    #[inline]
    fn units_of(self, scale: &Scale) -> Result<i64, NumberError> {
        if self.mantissa == 0 {
            return Ok(0);
        }
        let too_fine = NumberError::TooFine { exponent: self.exponent.clamp(-128, 127) as i8 };
        let shift = self.exponent + i32::from(scale.decimals);
        if shift < 0 {
            return Err(too_fine);
        }
        // Above 10^38 nothing fits an i64 at any step (at most 10^18).
        let power = usize::try_from(shift).ok().filter(|shift| *shift <= 37).ok_or(NumberError::Overflow)?;
        // Nearly every number: its digits fit 64 bits and are a whole number of units, found without a division.
        let small = (power <= 18).then(|| self.mantissa.checked_mul(POWERS_OF_TEN[power.min(18)])).flatten();
        if let Some(units) = small.and_then(|mantissa| scale.units_from_mantissa(mantissa)) {
            return Ok(units);
        }
        let high = u128::from(POWERS_OF_TEN[power.min(18)]);
        let low = u128::from(POWERS_OF_TEN[power - power.min(18)]);
        let step = u128::from(scale.step);
        let mantissa = high
            .checked_mul(low)
            .and_then(|factor| factor.checked_mul(u128::from(self.mantissa)))
            .ok_or(NumberError::Overflow)?;
        if mantissa % step != 0 {
            return Err(too_fine);
        }
        i64::try_from(mantissa / step).map_err(|_| NumberError::Overflow)
    }
}

/// Significant digits read so far; zeros at the end wait until a digit follows them.
#[derive(Default)]
struct Digits {
    mantissa: u64,
    count: u32,
    zeros: u32,
}

impl Digits {
    /// Reads digits from `at` on; gives the index behind the last.
    #[inline]
    fn take(&mut self, text: &[u8], mut at: usize) -> usize {
        while let Some(digit) = text.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit <= 9) {
            at += 1;
            if digit == 0 {
                self.zeros += u32::from(self.mantissa != 0);
                continue;
            }
            self.count = self.count.saturating_add(self.zeros + 1);
            if self.count <= DIGITS_MAX {
                self.mantissa = self.mantissa * POWERS_OF_TEN[self.zeros as usize + 1] + u64::from(digit);
            }
            self.zeros = 0;
        }
        at
    }
}
