//! COLD: decimal text to integer steps with a plain byte loop, for the plain decoders.

const POWERS_OF_TEN: [u64; 19] = {
    let mut powers = [1u64; 19];
    let mut index = 1;
    while index < powers.len() {
        powers[index] = powers[index - 1] * 10;
        index += 1;
    }
    powers
};

/// The unit that a decimal text is counted in: `step * 10^-decimals`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Increment {
    decimals: u32,
    step: u64,
}

impl Increment {
    /// `step * 10^-decimals`, reduced: 10 at two decimals becomes 1 at one, which spares the loop a division.
    ///
    /// # Panics
    /// If `step` is zero or `decimals` above 18.
    #[must_use]
    pub fn new(decimals: u32, step: u64) -> Increment {
        assert!(step > 0 && decimals <= 18, "an increment is positive and has at most 18 decimals");
        let (mut decimals, mut step) = (decimals, step);
        while decimals > 0 && step.is_multiple_of(10) {
            decimals -= 1;
            step /= 10;
        }
        Increment { decimals, step }
    }

    /// Decimals after reduction.
    #[must_use]
    pub fn decimals(self) -> u32 {
        self.decimals
    }

    /// Step after reduction, in units of the last decimal.
    #[must_use]
    pub fn step(self) -> u64 {
        self.step
    }

    /// How many increments `text` is; `None` if it is no plain decimal, not a multiple, or too large.
    #[inline]
    #[must_use]
    pub fn parse(self, text: &[u8]) -> Option<i64> {
        if text.is_empty() || text.len() > 19 {
            return None;
        }
        let mut value = 0u64;
        let mut index = 0;
        while index < text.len() {
            let digit = text[index].wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            value = value * 10 + u64::from(digit);
            index += 1;
        }
        let mut missing = self.decimals as usize;
        if index < text.len() {
            if text[index] != b'.' || index == 0 {
                return None;
            }
            index += 1;
            while index < text.len() && missing > 0 {
                let digit = text[index].wrapping_sub(b'0');
                if digit > 9 {
                    return None;
                }
                value = value * 10 + u64::from(digit);
                missing -= 1;
                index += 1;
            }
            while index < text.len() {
                if text[index] != b'0' {
                    return None;
                }
                index += 1;
            }
        }
        if missing > 0 {
            value = value.checked_mul(POWERS_OF_TEN[missing])?;
        }
        if self.step != 1 {
            if !value.is_multiple_of(self.step) {
                return None;
            }
            value /= self.step;
        }
        i64::try_from(value).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::Increment;

    #[test]
    fn counts_increments_exactly() {
        let tick = Increment::new(2, 10);
        assert_eq!(tick.parse(b"63943.90"), Some(639_439));
        assert_eq!(tick.parse(b"63943.9"), Some(639_439));
        assert_eq!(tick.parse(b"63943"), Some(639_430));
        assert_eq!(tick.parse(b"63943.95"), None);
        let half = Increment::new(1, 5);
        assert_eq!(half.parse(b"10.5"), Some(21));
        assert_eq!(half.parse(b"10.4"), None);
        let lot = Increment::new(8, 1);
        assert_eq!(lot.parse(b"1.54698000"), Some(154_698_000));
        assert_eq!(lot.parse(b"0.00000000"), Some(0));
    }

    #[test]
    fn refuses_what_is_no_plain_decimal() {
        let lot = Increment::new(3, 1);
        for text in [&b""[..], b".", b".5", b"1e3", b"-1", b"1.2.3", b" 1", b"1.0001", b"99999999999999999999"] {
            assert_eq!(lot.parse(text), None, "{:?}", String::from_utf8_lossy(text));
        }
    }
}
