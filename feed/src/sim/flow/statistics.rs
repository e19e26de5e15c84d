//! COLD: how a market behaves, as quantiles of what was measured on one.

use crate::random::Random;
use spinbook_engine::types::Nanos;

/// A distribution by its quantiles: millionths and value, linear in between.
#[derive(Clone, Copy, Debug)]
pub struct Quantiles(pub &'static [(u32, i64)]);

impl Quantiles {
    /// Draws one value.
    pub fn sample(&self, random: &mut Random) -> i64 {
        let at = i64::try_from(random.below(1_000_000)).unwrap_or(0);
        let mut low = (0, self.0.first().map_or(0, |(_, value)| *value));
        for (millionths, value) in self.0 {
            let millionths = i64::from(*millionths);
            if at < millionths {
                let span = (millionths - low.0).max(1);
                return low.1 + (value - low.1) * (at - low.0) / span;
            }
            low = (millionths, *value);
        }
        low.1
    }
}

/// How a market behaves.
#[derive(Clone, Copy, Debug)]
pub struct RecordedStatistics {
    /// Time between depth messages.
    pub interval: Nanos,
    /// Levels that change quietly between two of them.
    pub levels: Quantiles,
    /// Distance of such a level from the mid, in thousandths of a basis point.
    pub distance: Quantiles,
    /// Share of quiet changes that delete, in millionths.
    pub deletes: u32,
    /// Changes of the best bid or ask between two depth messages.
    pub touches: Quantiles,
    /// Trades between two depth messages, sweeps not counted.
    pub trades: Quantiles,
    /// Quantity of a level, in hundred-thousandths of the base asset.
    pub level_quantity: Quantiles,
    /// Quantity of the best level, the same.
    pub touch_quantity: Quantiles,
    /// Quantity of a trade, the same.
    pub trade_quantity: Quantiles,
    /// Ids between one depth message and the next message's first.
    pub id_gap: Quantiles,
    /// Ids one change takes.
    pub id_step: Quantiles,
    /// Time between sweeps, in ms.
    pub sweep_ms: Quantiles,
    /// How far a sweep goes, in thousandths of a basis point.
    pub sweep_distance: Quantiles,
    /// Share of sweeps by takers who know where the price goes: it stays where they leave it; in millionths.
    pub sweeps_informed: u32,
    /// How much of any other sweep comes back, in millionths.
    pub sweep_returns: Quantiles,
    /// Most levels that come back on a side after a sweep.
    pub sweep_refill: i64,
    /// Levels a side of the first book.
    pub book_levels: usize,
}
