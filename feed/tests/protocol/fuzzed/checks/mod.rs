//! COLD: what must hold for any bytes: run by `cargo test` on seeded random inputs, and by `feed/fuzz` without end.
#![allow(dead_code, clippy::unwrap_used, reason = "a check may fail, and each program uses its own part")]

pub mod gateway;
pub mod journal;
pub mod market;
pub mod numbers;
pub mod orders;
pub mod record;
pub mod rest;
pub mod seeds;
pub mod websocket;

use rust_decimal::Decimal;
use spinbook_feed::number::Scale;
use spinbook_feed::testkit::instrument;
use spinbook_feed::venue::instrument::Instrument;
use spinbook_feed::venue::{ProductLine, binance};

/// One check of one input; it panics if something does not hold.
pub type Check = fn(&[u8]);

/// Every check under the name of its fuzz target.
pub const CHECKS: [(&str, Check); 8] = [
    ("record_layer", record::check),
    ("websocket", websocket::check),
    ("market_frames", market::check),
    ("order_frames", orders::check),
    ("rest_bodies", rest::check),
    ("numbers", numbers::check),
    ("journal", journal::check),
    ("gateway", gateway::check),
];

/// Input read as decisions; zeros when it is used up.
pub struct Script<'a>(pub &'a [u8]);

impl<'a> Script<'a> {
    pub fn is_done(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    pub fn number(&mut self) -> usize {
        usize::from(u16::from_be_bytes([self.byte(), self.byte()]))
    }

    /// Up to `count` bytes.
    pub fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

/// The product that an input's first byte names, and the rest of the input.
pub fn product(data: &[u8]) -> (ProductLine, &[u8]) {
    match data.split_first() {
        Some((first, rest)) if first & 1 == 1 => (binance::SPOT, rest),
        Some((_, rest)) => (binance::USDM, rest),
        None => (binance::USDM, data),
    }
}

/// Two instruments of a product.
pub fn instruments(product: ProductLine) -> Vec<Instrument> {
    let rows = if product == binance::SPOT {
        [("BTCUSDT", "0.01000000", "0.00001000"), ("ETHUSDT", "0.01000000", "0.00010000")]
    } else {
        [("BTCUSDT", "0.10", "0.001"), ("ETHUSDT", "0.01", "0.001")]
    };
    let one = |(id, (symbol, tick, lot))| instrument(product, id, symbol, tick, lot);
    (0..).zip(rows).map(one).collect()
}

/// Whether text is `digits[.digits][e[sign]digits]` and nothing else: what a venue may call a number.
pub fn is_number(text: &str) -> bool {
    let (digits, exponent) = match text.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (text, None),
    };
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (digits, None),
    };
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    all_digits(whole) && fraction.is_none_or(all_digits) && exponent.is_none_or(all_digits)
}

/// The value of a text by `rust_decimal`; `None` if it is no number or has more digits than that library holds.
pub fn decimal(text: &str) -> Option<Decimal> {
    if !is_number(text) {
        return None;
    }
    let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    // Exact or nothing: the library's own reading of exponents rounds.
    let mut value = Decimal::from_str_exact(digits).ok()?.normalize();
    if value.is_zero() {
        return Some(value);
    }
    let exponent: i32 = exponent.parse().ok()?;
    if exponent < 0 {
        let scale = value.scale().checked_add(exponent.unsigned_abs()).filter(|scale| *scale <= 28)?;
        value.set_scale(scale).ok()?;
    }
    for _ in 0..exponent {
        value = value.checked_mul(Decimal::TEN)?;
    }
    Some(value)
}

/// A price or quantity that was understood is what its text says, wherever `rust_decimal` can tell.
pub fn assert_units(scale: &Scale, units: i64, text: &str) {
    assert!(is_number(text), "{text:?} is no number, and was read as {units}");
    if let Some(value) = decimal(text) {
        assert_eq!(scale.decimal(units).normalize(), value.normalize(), "{text:?} was read as {units} of {scale:?}");
    }
}
