//! COLD: the number parser against rust_decimal, on random and adversarial text.

use std::str::FromStr;

use rust_decimal::Decimal;
use spinbook_feed::number::{
    NumberError, Scale, TEXT_MAX, atoms_from_decimal, parse_atoms, parse_integer, parse_signed_atoms,
};
use spinbook_feed::random::Random;

fn scale(decimals: u8, step: u64) -> Scale {
    Scale::new(decimals, step).unwrap()
}

/// What rust_decimal says of the same text: units, or nothing if the value is no whole number of them.
fn units_by_decimal(scale: &Scale, text: &str) -> Option<i64> {
    let value =
        if text.contains(['e', 'E']) { Decimal::from_scientific(text) } else { Decimal::from_str(text) }.ok()?;
    let unit = Decimal::from_i128_with_scale(i128::from(scale.step()), u32::from(scale.decimals()));
    if (value % unit) != Decimal::ZERO {
        return None;
    }
    i64::try_from((value / unit).normalize().mantissa()).ok().filter(|_| (value / unit).normalize().scale() == 0)
}

#[test]
fn a_table_of_numbers() {
    let cents = scale(2, 1);
    let dimes = scale(2, 10);
    let satoshi = scale(8, 1);
    let good: &[(&Scale, &str, i64)] = &[
        (&cents, "0", 0),
        (&cents, "0.00", 0),
        (&cents, "63947.40", 6_394_740),
        (&dimes, "63947.40", 639_474),
        (&dimes, "63947.4", 639_474),
        (&dimes, "63947", 639_470),
        (&dimes, "63947.400000", 639_474),
        (&satoshi, "1.54698000", 154_698_000),
        (&satoshi, "46116860414.00000000", 4_611_686_041_400_000_000),
        (&satoshi, "9.121E-7", 0),
        (&scale(10, 1), "9.121E-7", 9_121),
        (&scale(10, 1), "9.121e-07", 9_121),
        (&cents, "1.2e3", 120_000),
        (&cents, "1.2E+3", 120_000),
        (&cents, "0e99999999999", 0),
        (&cents, "0.000000000000000000000000000000", 0),
        (&cents, "00012.50", 1_250),
        (&scale(0, 1), "9223372036854775807", i64::MAX),
        (&scale(0, 1), "1e18", 1_000_000_000_000_000_000),
        (&scale(18, 1), "0.000000000000000001", 1),
    ];
    for (scale, text, units) in good {
        let expected = match *text {
            "9.121E-7" if scale.decimals() == 8 => Err(NumberError::TooFine { exponent: -10 }),
            "9223372036854775807" => Err(NumberError::TooManyDigits),
            _ => Ok(*units),
        };
        assert_eq!(scale.parse(text.as_bytes()), expected, "{text}");
    }
    use NumberError::{Empty, Malformed, Negative, Overflow, TooFine, TooManyDigits};
    let bad: &[(&Scale, &str, NumberError)] = &[
        (&cents, "", Empty),
        (&cents, "-1", Negative),
        (&cents, "-0", Negative),
        (&cents, "+1", Malformed { at: 0 }),
        (&cents, " 1", Malformed { at: 0 }),
        (&cents, "1 ", Malformed { at: 1 }),
        (&cents, ".5", Malformed { at: 0 }),
        (&cents, "5.", Malformed { at: 2 }),
        (&cents, "1.2.3", Malformed { at: 3 }),
        (&cents, "1,000", Malformed { at: 1 }),
        (&cents, "1e", Malformed { at: 2 }),
        (&cents, "1e+", Malformed { at: 3 }),
        (&cents, "1e-", Malformed { at: 3 }),
        (&cents, "1e5x", Malformed { at: 3 }),
        (&cents, "NaN", Malformed { at: 0 }),
        (&cents, "Infinity", Malformed { at: 0 }),
        (&cents, "0x10", Malformed { at: 1 }),
        (&cents, "1\0", Malformed { at: 1 }),
        (&cents, "\u{ff11}", Malformed { at: 0 }),
        (&cents, "0.001", TooFine { exponent: -3 }),
        (&dimes, "0.05", TooFine { exponent: -2 }),
        (&cents, "1e-400", TooFine { exponent: -128 }),
        (&cents, "1e400", Overflow),
        (&cents, "1e17", Overflow),
        (&cents, "92233720368547758.08", TooManyDigits),
        (&scale(0, 1), "1234567890123456789", TooManyDigits),
        (&satoshi, "92233720368.54775807", TooManyDigits),
        (&satoshi, "92233720369", Overflow),
    ];
    for (scale, text, error) in bad {
        assert_eq!(scale.parse(text.as_bytes()), Err(*error), "{text:?}");
    }
}

#[test]
fn random_numbers_agree_with_rust_decimal_and_come_back_as_text() {
    let seed = 20_260_720;
    println!("seed {seed}");
    let mut random = Random::new(seed);
    let (mut exact, mut refused) = (0, 0);
    for _ in 0..200_000 {
        let decimals = (random.next_u64() % 10) as u8;
        let step = [1, 1, 1, 5, 10, 25, 100, 1_000, 1_000_000][(random.next_u64() % 9) as usize];
        let scale = scale(decimals, step);
        let text = random_text(&mut random);
        match (scale.parse(text.as_bytes()), units_by_decimal(&scale, &text)) {
            (Ok(units), Some(oracle)) => {
                assert_eq!(units, oracle, "{text} at {scale:?}");
                let mut buffer = [0; TEXT_MAX];
                let shown = scale.format(units, &mut buffer).to_owned();
                assert_eq!(scale.parse(shown.as_bytes()), Ok(units), "{text} came back as {shown}");
                assert_eq!(Decimal::from_str(&shown).unwrap(), scale.decimal(units));
                assert_eq!(scale.units_from_decimal(scale.decimal(units)), Some(units));
                exact += 1;
            }
            (Err(_), None) => refused += 1,
            (Err(NumberError::TooManyDigits | NumberError::Overflow), Some(_)) => refused += 1,
            (ours, theirs) => panic!("{text:?} at {scale:?}: {ours:?}, rust_decimal {theirs:?}"),
        }
    }
    println!("{exact} exact, {refused} refused");
    assert!(exact > 20_000 && refused > 20_000);
}

fn random_text(random: &mut Random) -> String {
    let mut text = String::new();
    let mut digits = |count: u64, text: &mut String| {
        for _ in 0..count {
            let zero = random.next_u64().is_multiple_of(3);
            text.push(if zero { '0' } else { char::from(b'0' + (random.next_u64() % 10) as u8) });
        }
        random.next_u64()
    };
    let whole = digits(0, &mut text) % 9 + 1;
    let more = digits(whole, &mut text);
    if more % 4 != 0 {
        text.push('.');
        let last = digits(more / 4 % 9 + 1, &mut text);
        if last % 2 == 0 {
            text.push_str("00");
        }
    }
    if more % 7 == 0 {
        text.push_str(["e0", "E2", "e-2", "E+1", "e-7"][(more / 7 % 5) as usize]);
    }
    text
}

#[test]
fn damaged_numbers_are_never_misread() {
    let seed = 7;
    println!("seed {seed}");
    let mut random = Random::new(seed);
    let scale = scale(2, 1);
    let mut refused = 0;
    for _ in 0..100_000 {
        let mut bytes = b"63947.40".to_vec();
        let at = (random.next_u64() % 8) as usize;
        bytes[at] = random.next_u64() as u8;
        let ours = scale.parse(&bytes);
        // Only digits and one dot can still be a number; leading and trailing zeros are free.
        let oracle = std::str::from_utf8(&bytes)
            .ok()
            .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'))
            .filter(|text| !text.starts_with('.') && !text.ends_with('.'))
            .and_then(|text| units_by_decimal(&scale, text));
        match ours {
            Ok(units) if String::from_utf8_lossy(&bytes).contains(['e', 'E']) => {
                assert_eq!(Some(units), units_by_decimal(&scale, std::str::from_utf8(&bytes).unwrap()));
            }
            Ok(units) => assert_eq!(Some(units), oracle, "{bytes:?}"),
            Err(_) => {
                assert_eq!(oracle, None, "{bytes:?}");
                refused += 1;
            }
        }
    }
    assert!(refused > 50_000, "{refused}");
}

#[test]
fn mantissas_divide_exactly_or_not_at_all() {
    let seed = 99;
    println!("seed {seed}");
    let mut random = Random::new(seed);
    for step in [1u64, 2, 5, 10, 25, 50, 100, 1_000, 2_500, 1_000_000, 10_000_000, 1_000_000_007] {
        let scale = scale(8, step);
        for _ in 0..20_000 {
            let mantissa = random.next_u64() >> (random.next_u64() % 64);
            let mantissa = if random.next_u64().is_multiple_of(2) { mantissa / step * step } else { mantissa };
            let expected = if mantissa % step == 0 { i64::try_from(mantissa / step).ok() } else { None };
            assert_eq!(scale.units_from_mantissa(mantissa), expected, "{mantissa} / {step}");
        }
    }
}

#[test]
fn increments_keep_the_decimals_that_the_venue_prints() {
    for (text, decimals, step) in [
        ("0.10", 2, 10),
        ("0.01000000", 8, 1_000_000),
        ("0.00001", 5, 1),
        ("1", 0, 1),
        ("1.00", 2, 100),
        ("5e-3", 3, 5),
    ] {
        assert_eq!(Scale::from_increment(text.as_bytes()), Ok(scale(decimals, step)), "{text}");
    }
    assert_eq!(Scale::from_increment(b"0.00000000"), Err(NumberError::Empty));
    assert!(Scale::new(19, 1).is_none() && Scale::new(2, 0).is_none());
}

#[test]
fn integers_are_exact() {
    assert_eq!(parse_integer(b"18446744073709551615"), Ok(u64::MAX));
    assert_eq!(parse_integer(b"18446744073709551616"), Err(NumberError::Overflow));
    assert_eq!(parse_integer(b""), Err(NumberError::Empty));
    assert_eq!(parse_integer(b"-1"), Err(NumberError::Negative));
    assert_eq!(parse_integer(b"1.0"), Err(NumberError::Malformed { at: 1 }));
}

#[test]
fn money_is_exact() {
    let cases = [
        ("0.00142010", 1_420_100_000_000_000),
        ("-0.5", -500_000_000_000_000_000),
        ("0", 0),
        ("0.000000000000000001", 1),
        ("900000000000000000", 900_000_000_000_000_000 * 10i128.pow(18)),
        ("123456.789012", 123_456_789_012 * 10i128.pow(12)),
        ("10.5", 10_500_000_000_000_000_000),
    ];
    for (text, atoms) in cases {
        assert_eq!(parse_signed_atoms(text.as_bytes()), Ok(atoms), "{text}");
        assert_eq!(atoms_from_decimal(text.parse().unwrap()), Ok(atoms), "{text}");
        if atoms >= 0 {
            assert_eq!(parse_atoms(text.as_bytes()), Ok(atoms), "{text}");
        }
    }
    // Trailing zeros are no digits of the value, and a decimal has more of these than a text.
    assert_eq!(atoms_from_decimal(Decimal::new(100, 20)), Ok(1));
    let long: Decimal = "123.000000000000000001".parse().unwrap();
    assert_eq!(atoms_from_decimal(long), Ok(123_000_000_000_000_000_001));
}

#[test]
fn money_that_is_not_exact_is_an_error() {
    assert_eq!(parse_atoms(b"-0.5"), Err(NumberError::Negative));
    assert_eq!(parse_signed_atoms(b"--1"), Err(NumberError::Negative));
    assert_eq!(parse_signed_atoms(b""), Err(NumberError::Empty));
    assert_eq!(parse_signed_atoms(b"-"), Err(NumberError::Empty));
    assert_eq!(parse_signed_atoms(b"1e400"), Err(NumberError::Overflow));
    assert_eq!(parse_signed_atoms(b"-9300000000000000000"), Err(NumberError::Overflow));
    assert_eq!(parse_signed_atoms(b"0.0000000000000000001"), Err(NumberError::TooFine { exponent: -19 }));
    assert_eq!(atoms_from_decimal(Decimal::new(1, 19)), Err(NumberError::TooFine { exponent: -19 }));
    assert_eq!(atoms_from_decimal(Decimal::MAX), Err(NumberError::Overflow));
    assert_eq!(atoms_from_decimal(Decimal::MIN), Err(NumberError::Overflow));
    assert_eq!(atoms_from_decimal(Decimal::from(i64::MAX)), Ok(i128::from(i64::MAX) * 10i128.pow(18)));
    assert_eq!(atoms_from_decimal(Decimal::from(i64::MAX) + Decimal::ONE), Err(NumberError::Overflow));
}
