//! HOT: the second reference of the price collar: where a price comes from that is not our own book's.

use crate::types::{InstrumentId, Nanos, Tick};

use super::Denied;

/// What an instrument's prices are held against beside its own book.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReferenceSource {
    /// Nothing.
    #[default]
    None,
    /// Its own last public trade.
    LastTrade,
    /// The mid of another instrument's book.
    Mid {
        /// Whose.
        instrument: InstrumentId,
        /// What a tick of the other is worth, over what one of ours is worth, as a fraction; both above zero.
        ticks: (u32, u32),
    },
}

/// A second reference and how old it may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reference {
    /// Where it comes from.
    pub source: ReferenceSource,
    /// The oldest that prices are held against: time since the trade, or since the other book's last depth message, was
    /// in hand.
    pub age_max: Nanos,
}

impl Reference {
    /// Whether there is one.
    #[inline]
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.source != ReferenceSource::None
    }
}

/// A price to hold others against: twice the price in the reference's ticks, which are `ticks.0 / ticks.1` of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReferencePrice {
    /// Bid plus ask, or twice a trade's price.
    pub doubled: i128,
    /// What one of its ticks is in ours, as a fraction.
    pub ticks: (u32, u32),
}

impl ReferencePrice {
    /// Whether twice a price of ours lies within so many millionths of it.
    #[must_use]
    pub fn is_near(&self, doubled: i128, collar_millionths: i64) -> bool {
        // Prices below 2^65, fractions below 2^32, a million below 2^20: below 2^127 in all.
        let ours = doubled * i128::from(self.ticks.1);
        let reference = self.doubled * i128::from(self.ticks.0);
        (ours - reference).abs() * 1_000_000 <= reference * i128::from(collar_millionths.min(1_000_000))
    }

    /// Whether an order's price may leave; `None` is a reference that is missing or too old.
    ///
    /// # Errors
    /// There is no reference, or the price is farther from it than the collar.
    #[cold]
    pub fn check(price: Option<ReferencePrice>, tick: Tick, collar_millionths: i64) -> Result<(), Denied> {
        match price {
            None => Err(Denied::SecondReference),
            Some(price) if price.is_near(2 * i128::from(tick.0), collar_millionths) => Ok(()),
            Some(_) => Err(Denied::SecondCollar),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_near_up_to_the_collar_itself_whatever_the_ticks_are() {
        let price = |doubled, ticks| Some(ReferencePrice { doubled, ticks });
        let check = |price, tick| ReferencePrice::check(price, Tick(tick), 500);
        assert_eq!(check(None, 100_000), Err(Denied::SecondReference));
        for (tick, expected) in [
            (99_950, Ok(())),
            (100_050, Ok(())),
            (99_949, Err(Denied::SecondCollar)),
            (100_051, Err(Denied::SecondCollar)),
        ] {
            assert_eq!(check(price(200_000, (1, 1)), tick), expected, "{tick}");
            // The other's tick is a fifth of ours, then five of ours.
            assert_eq!(check(price(1_000_000, (1, 5)), tick), expected, "{tick}");
            assert_eq!(check(price(40_000, (5, 1)), tick), expected, "{tick}");
        }
        // The largest there are do not overflow.
        let most = ReferencePrice { doubled: 2 * i128::from(i64::MAX), ticks: (u32::MAX, u32::MAX) };
        assert!(most.is_near(2 * i128::from(i64::MAX), i64::MAX) && !most.is_near(2, 999_999));
    }
}
