//! COLD: what a fill costs.

use spinbook_engine::types::{QUOTE_ATOMS_PER_UNIT, QuoteAtoms};

/// Fee rates in millionths of the traded value; negative is a rebate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeeRates {
    /// For a resting order.
    pub maker_millionths: i64,
    /// For an incoming order.
    pub taker_millionths: i64,
}

/// Atoms in the smallest amount of an asset that a venue books: eight decimals.
pub const BOOKED_UNIT_ATOMS: i128 = 10_000_000_000;

const _: () = assert!(QUOTE_ATOMS_PER_UNIT % BOOKED_UNIT_ATOMS == 0, "a unit is a whole number of booked units");

impl FeeRates {
    /// The fee on an amount, cut to whole booked units towards zero.
    #[must_use]
    pub fn fee(&self, amount_atoms: i128, maker: bool) -> i128 {
        let rate = if maker { self.maker_millionths } else { self.taker_millionths };
        let units = amount_atoms * i128::from(rate) / 1_000_000 / BOOKED_UNIT_ATOMS;
        units * BOOKED_UNIT_ATOMS
    }

    /// The fee on a quote value.
    #[must_use]
    pub fn quote_fee(&self, value: QuoteAtoms, maker: bool) -> QuoteAtoms {
        QuoteAtoms(self.fee(value.0, maker))
    }
}
