//! COLD: fees in an asset that is neither base nor quote: what they are worth, where a price was given.

use spinbook_engine::types::{QUOTE_ATOMS_PER_UNIT, QuoteAtoms};

use crate::venue::instrument::Symbol;
use crate::venue::orders::{Fee, OrderUpdate};

/// What a third asset is worth: a venue that discounts its fees takes them in a token of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeePrice {
    /// The asset.
    pub asset: Symbol,
    /// Worth of one unit of it, in the quote asset of what is traded; above zero.
    pub quote: QuoteAtoms,
}

impl FeePrice {
    /// Worth of `amount`, in 10^-18 of the asset, rounded against us; `None` if no integer holds it.
    #[must_use]
    pub fn worth(&self, amount: i128) -> Option<QuoteAtoms> {
        let product = amount.checked_mul(self.quote.0)?;
        let whole = product.div_euclid(QUOTE_ATOMS_PER_UNIT);
        Some(QuoteAtoms(whole + i128::from(product.rem_euclid(QUOTE_ATOMS_PER_UNIT) != 0)))
    }
}

/// The same update with its fee valued. One in an asset without a price stays what it is, and stops trading.
pub(super) fn valued(prices: &[FeePrice], update: &OrderUpdate) -> OrderUpdate {
    let mut update = *update;
    if let Some(fill) = &mut update.fill
        && let Fee::Other(asset, amount) = fill.fee
    {
        let price = prices.iter().find(|price| price.asset == asset);
        // Nothing was taken where the amount is zero, whatever the asset.
        let worth = if amount == 0 { Some(QuoteAtoms::ZERO) } else { price.and_then(|price| price.worth(amount)) };
        fill.fee = worth.map_or(fill.fee, Fee::Valued);
    }
    update
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fee_is_worth_its_amount_at_the_price_rounded_against_us() {
        let unit = QUOTE_ATOMS_PER_UNIT;
        let price = FeePrice { asset: Symbol::new("BNB").expect("a name"), quote: QuoteAtoms(600 * unit) };
        assert_eq!(price.worth(unit / 1_000), Some(QuoteAtoms(unit * 6 / 10)));
        assert_eq!(price.worth(-unit / 1_000), Some(QuoteAtoms(-unit * 6 / 10)));
        let third = FeePrice { quote: QuoteAtoms(unit / 3), ..price };
        assert_eq!((third.worth(1), third.worth(-1)), (Some(QuoteAtoms(1)), Some(QuoteAtoms(0))));
        assert_eq!(price.worth(i128::MAX / 2), None);
    }
}
