//! HOT: exact sums of money.

use core::ops::{Add, AddAssign, Neg, Sub, SubAssign};

/// How many [`QuoteAtoms`] make one unit of the quote asset: 10^18.
pub const QUOTE_ATOMS_PER_UNIT: i128 = 1_000_000_000_000_000_000;

/// An amount of the quote asset in 10^-18 units, exact.
///
/// Every venue prints at most 18 decimals and `tick x lot` is a whole number of atoms for every instrument
/// that set-up accepts, so sums of notional and fees never round. An `i128` holds 1.7e20 units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct QuoteAtoms(pub i128);

impl QuoteAtoms {
    /// An amount of zero.
    pub const ZERO: QuoteAtoms = QuoteAtoms(0);
}

impl Add for QuoteAtoms {
    type Output = QuoteAtoms;
    #[inline]
    fn add(self, other: QuoteAtoms) -> QuoteAtoms {
        QuoteAtoms(self.0 + other.0)
    }
}

impl Sub for QuoteAtoms {
    type Output = QuoteAtoms;
    #[inline]
    fn sub(self, other: QuoteAtoms) -> QuoteAtoms {
        QuoteAtoms(self.0 - other.0)
    }
}

impl Neg for QuoteAtoms {
    type Output = QuoteAtoms;
    #[inline]
    fn neg(self) -> QuoteAtoms {
        QuoteAtoms(-self.0)
    }
}

impl AddAssign for QuoteAtoms {
    #[inline]
    fn add_assign(&mut self, other: QuoteAtoms) {
        self.0 += other.0;
    }
}

impl SubAssign for QuoteAtoms {
    #[inline]
    fn sub_assign(&mut self, other: QuoteAtoms) {
        self.0 -= other.0;
    }
}
