//! COLD: text to exact units and back, against `rust_decimal`.

use rust_decimal::Decimal;
use spinbook_feed::number::{NumberError, Scale, TEXT_MAX, parse_integer};

use super::{Script, assert_units, decimal, is_number};

/// The first bytes choose a scale, the rest is the text.
pub fn check(data: &[u8]) {
    let mut script = Script(data);
    let decimals = script.byte() % 19;
    let step = [1, 5, 10, 25, 1_000, 1_000_000, 7, 1_000_000_007][usize::from(script.byte() % 8)];
    let text = script.0;
    let scale = Scale::new(decimals, step).unwrap();
    integers(text);
    let _ = Scale::from_increment(text);
    let parsed = scale.parse(text);
    let Ok(text) = core::str::from_utf8(text) else {
        assert!(parsed.is_err(), "not even text: {text:?}");
        return;
    };
    match parsed {
        Ok(units) => {
            assert!(units >= 0);
            if text.len() <= 60 {
                assert_units(&scale, units, text);
            }
            let mut buffer = [0; TEXT_MAX];
            let shown = scale.format(units, &mut buffer).to_owned();
            // More than eighteen digits are written, and not read back.
            match scale.parse(shown.as_bytes()) {
                Ok(again) => assert_eq!(again, units, "{text:?} came back as {shown}"),
                Err(error) => assert_eq!(error, NumberError::TooManyDigits, "{text:?} came back as {shown}"),
            }
        }
        Err(NumberError::TooManyDigits | NumberError::Overflow) => assert!(is_number(text), "{text:?}"),
        Err(error) => {
            let unit = Decimal::from_i128_with_scale(i128::from(step), u32::from(decimals));
            let whole = decimal(text).and_then(|value| value.checked_rem(unit)).is_some_and(|rest| rest.is_zero());
            assert!(!whole, "{text:?} is a whole number of units, and was refused: {error}");
        }
    }
}

fn integers(text: &[u8]) {
    let theirs = core::str::from_utf8(text).ok().filter(|text| !text.starts_with('+'));
    let theirs = theirs.and_then(|text| text.parse::<u64>().ok());
    assert_eq!(parse_integer(text).ok(), theirs, "{text:?}");
}
