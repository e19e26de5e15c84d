//! COLD: the order book most people write: a sorted map a side.

use std::collections::BTreeMap;

use spinbook_engine::types::{Level, Lots, Side, Tick};

/// Two `BTreeMap`s from tick to lots.
#[derive(Clone, Debug, Default)]
pub struct TreeBook {
    bids: BTreeMap<i64, i64>,
    asks: BTreeMap<i64, i64>,
}

#[inline]
fn put(side: &mut BTreeMap<i64, i64>, level: Level) {
    if level.lots.is_zero() {
        side.remove(&level.tick.0);
    } else {
        side.insert(level.tick.0, level.lots.0);
    }
}

impl TreeBook {
    /// Empty.
    #[must_use]
    pub fn new() -> TreeBook {
        TreeBook::default()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.bids.clear();
        self.asks.clear();
    }

    /// Absolute quantities of changed levels; zero deletes.
    #[inline]
    pub fn apply(&mut self, bids: &[Level], asks: &[Level]) {
        for &level in bids {
            put(&mut self.bids, level);
        }
        for &level in asks {
            put(&mut self.asks, level);
        }
    }

    /// The highest bid.
    #[inline]
    #[must_use]
    pub fn best_bid(&self) -> Option<Level> {
        self.bids.last_key_value().map(|(&tick, &lots)| Level { tick: Tick(tick), lots: Lots(lots) })
    }

    /// The lowest ask.
    #[inline]
    #[must_use]
    pub fn best_ask(&self) -> Option<Level> {
        self.asks.first_key_value().map(|(&tick, &lots)| Level { tick: Tick(tick), lots: Lots(lots) })
    }

    /// All levels of a side, best outward.
    pub fn levels(&self, side: Side) -> Box<dyn Iterator<Item = Level> + '_> {
        let level = |(&tick, &lots): (&i64, &i64)| Level { tick: Tick(tick), lots: Lots(lots) };
        match side {
            Side::Bid => Box::new(self.bids.iter().rev().map(level)),
            Side::Ask => Box::new(self.asks.iter().map(level)),
        }
    }
}
