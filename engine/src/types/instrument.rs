//! HOT: what the engine must know of an instrument: steps, minimums, fees and the worth of a tick times a lot.

use super::{Lots, QuoteAtoms, Tick, VenueId};

/// One instrument, as set-up gives it to the engine. All quantities in lots, all prices in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstrumentSettings {
    /// The product line it trades on; instruments of one venue share a message budget.
    pub venue: VenueId,
    /// Distance between legal order prices, in ticks; at least 1.
    pub tick_order_step: Tick,
    /// Distance between legal order quantities, in lots; at least 1.
    pub lots_order_step: Lots,
    /// Smallest legal order quantity; zero if the venue has no such rule.
    pub lots_order_min: Lots,
    /// Largest legal order quantity.
    pub lots_order_max: Lots,
    /// Smallest legal price times quantity; zero if the venue has no such rule.
    pub notional_min: QuoteAtoms,
    /// What one tick times one lot is worth, in quote atoms; at least 1.
    pub atoms_per_tick_lot: i128,
    /// Fee of a maker fill in millionths of its notional; negative is a rebate.
    pub maker_fee_millionths: i64,
    /// Fee of a taker fill in millionths of its notional.
    pub taker_fee_millionths: i64,
    /// Levels a side outside the book's window that are held.
    pub outer_levels: usize,
}

impl InstrumentSettings {
    /// Price times quantity; `None` if it does not fit, which no legal order comes near.
    #[inline]
    #[must_use]
    pub fn notional(&self, tick: Tick, lots: Lots) -> Option<QuoteAtoms> {
        // Two i64 always fit an i128; only the last factor can overflow.
        (i128::from(tick.0) * i128::from(lots.0)).checked_mul(self.atoms_per_tick_lot).map(QuoteAtoms)
    }

    /// The legal order price at or below `tick` (a bid rounds away from the mid).
    #[inline]
    #[must_use]
    pub fn tick_floor(&self, tick: Tick) -> Tick {
        Tick(tick.0 - tick.0.rem_euclid(self.tick_order_step.0))
    }

    /// The legal order quantity at or below `lots`.
    #[inline]
    #[must_use]
    pub fn lots_floor(&self, lots: Lots) -> Lots {
        Lots(lots.0 - lots.0.rem_euclid(self.lots_order_step.0))
    }
}
