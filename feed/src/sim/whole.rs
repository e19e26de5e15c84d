//! COLD: whole numbers as texts of JSON, exact whatever their size.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};
use spinbook_engine::types::{Lots, Nanos, QuoteAtoms, Side, Tick};

/// A number that is kept as text, exact whatever its size.
pub trait Whole: Sized {
    /// As a number.
    fn whole(&self) -> i128;
    /// From a number; `None` if it is none of these.
    fn of(number: i128) -> Option<Self>;
}

macro_rules! whole {
    ($($name:ident),*) => {$(
        impl Whole for $name {
            fn whole(&self) -> i128 {
                i128::from(self.0)
            }

            fn of(number: i128) -> Option<$name> {
                number.try_into().ok().map($name)
            }
        }
    )*};
}

whole!(Tick, Lots, Nanos, QuoteAtoms);

impl Whole for i128 {
    fn whole(&self) -> i128 {
        *self
    }

    fn of(number: i128) -> Option<i128> {
        Some(number)
    }
}

impl Whole for Side {
    fn whole(&self) -> i128 {
        i128::from(self.sign())
    }

    fn of(number: i128) -> Option<Side> {
        Side::BOTH.into_iter().find(|side| side.whole() == number)
    }
}

/// Writes one.
///
/// # Errors
/// The serializer's.
pub fn serialize<T: Whole, S: Serializer>(value: &T, out: S) -> Result<S::Ok, S::Error> {
    out.collect_str(&value.whole())
}

/// Reads one.
///
/// # Errors
/// It is no such number.
pub fn deserialize<'a, T: Whole, D: Deserializer<'a>>(from: D) -> Result<T, D::Error> {
    let text = String::deserialize(from)?;
    let number = text.parse::<i128>().ok().and_then(T::of);
    number.ok_or_else(|| D::Error::custom(format!("{text:?} is no such number")))
}
