//! HOT: keys: a side's ticks, turned so that they grow from the best price outward.

use crate::types::{Level, Lots, Side, Tick};

/// No key: higher than every key.
pub(crate) const KEY_NONE: i64 = i64::MAX;

/// A tick as a key.
#[inline]
pub(crate) const fn key_of(side: Side, tick: Tick) -> i64 {
    match side {
        Side::Bid => tick.0.wrapping_neg(),
        Side::Ask => tick.0,
    }
}

/// The level of a key and a quantity.
#[inline]
pub(crate) const fn level_of(side: Side, (key, lots): (i64, i64)) -> Level {
    let tick = match side {
        Side::Bid => -key,
        Side::Ask => key,
    };
    Level { tick: Tick(tick), lots: Lots(lots) }
}
