//! HOT: prices in ticks and quantities in lots.

/// A price, in whole ticks of its instrument: `price = tick * tick_size`. Never negative on a book.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Tick(pub i64);

/// A quantity, in the finest unit that the instrument's feed and balances use (not the order step).
///
/// On a book it is never negative; in a position the sign is the direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Lots(pub i64);

impl Lots {
    /// A quantity of zero.
    pub const ZERO: Lots = Lots(0);

    /// Whether nothing is left.
    #[inline]
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}
