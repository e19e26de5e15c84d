//! HOT: how Binance numbers depth updates; spot and USD-M differ.

use super::Product;
use crate::sync::{SequenceRule, UpdateIds, Verdict};
use crate::venue::ProductLine;

/// The sequence rule of a product line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinanceSequence {
    /// Update ids are the symbol's own and contiguous: `U` is the previous `u` + 1.
    Spot,
    /// Update ids are shared by all symbols: `pu` names the previous message's `u`.
    Usdm,
}

impl BinanceSequence {
    /// The rule of a product line.
    #[must_use]
    pub fn of(product: ProductLine) -> BinanceSequence {
        let product = Product::of(product);
        match product {
            Product::BinanceSpot => BinanceSequence::Spot,
            Product::BinanceUsdm => BinanceSequence::Usdm,
        }
    }
}

impl SequenceRule for BinanceSequence {
    #[inline]
    fn join(self, last: u64, update: UpdateIds) -> Verdict {
        match self {
            BinanceSequence::Spot => self.follow(last, update),
            BinanceSequence::Usdm => {
                if update.last < last {
                    Verdict::Old
                } else if update.first <= last || update.previous == last {
                    Verdict::Accept
                } else {
                    Verdict::Gap
                }
            }
        }
    }

    #[inline]
    fn follow(self, last: u64, update: UpdateIds) -> Verdict {
        // A repeated message is tested for first: it breaks no chain.
        if update.last <= last {
            return Verdict::Old;
        }
        let next = match self {
            BinanceSequence::Spot => update.first <= last.saturating_add(1),
            BinanceSequence::Usdm => update.previous == last,
        };
        if next { Verdict::Accept } else { Verdict::Gap }
    }
}
