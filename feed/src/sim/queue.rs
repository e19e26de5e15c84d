//! COLD: the displayed book of others, and what our takers have already taken out of it.

use spinbook_engine::types::{Level, Lots, Nanos, Side, Tick};
use std::collections::BTreeMap;

/// The venue's own best bid and ask with its update id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PublicTouch {
    /// Update id.
    pub sequence: u64,
    /// Best bid.
    pub bid: Option<Level>,
    /// Best ask.
    pub ask: Option<Level>,
}

/// What others display. A recording does not know of our orders, so what they took is remembered beside it.
#[derive(Clone, Debug, Default)]
pub struct PublicBook {
    sides: [BTreeMap<i64, i64>; 2],
    taken: [BTreeMap<i64, i64>; 2],
    touch: Option<PublicTouch>,
    sequence: u64,
    live: bool,
    seeded_at: Nanos,
}

impl PublicBook {
    /// Whether a snapshot has been seen.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.live
    }

    /// Update id of the last depth message or snapshot.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Replaces everything.
    pub fn seed(&mut self, sequence: u64, bids: &[Level], asks: &[Level], now: Nanos) {
        self.sides = [BTreeMap::new(), BTreeMap::new()];
        self.taken = [BTreeMap::new(), BTreeMap::new()];
        self.sequence = sequence;
        self.live = true;
        self.seeded_at = now;
        self.write(Side::Bid, bids);
        self.write(Side::Ask, asks);
    }

    /// Writes the absolute quantities of one depth message.
    pub fn apply(&mut self, sequence: u64, bids: &[Level], asks: &[Level]) {
        self.sequence = sequence;
        self.write(Side::Bid, bids);
        self.write(Side::Ask, asks);
        if self.taken.iter().all(BTreeMap::is_empty) {
            return;
        }
        for side in Side::BOTH {
            // What was taken from a level that is no more is nothing to remember, unless a newer best bid/ask has it.
            let newer = self.fresh_touch(side).flatten().map(|level| level.tick.0);
            let book = &self.sides[side as usize];
            self.taken[side as usize].retain(|tick, _| book.contains_key(tick) || newer == Some(*tick));
        }
    }

    fn write(&mut self, side: Side, levels: &[Level]) {
        let book = &mut self.sides[side as usize];
        let taken = &mut self.taken[side as usize];
        for level in levels {
            if level.lots.is_zero() {
                book.remove(&level.tick.0);
                taken.remove(&level.tick.0);
            } else {
                book.insert(level.tick.0, level.lots.0);
                if let Some(lots) = taken.get_mut(&level.tick.0) {
                    *lots = (*lots).min(level.lots.0);
                }
            }
        }
    }

    /// Keeps the venue's own best bid and ask.
    pub fn set_touch(&mut self, touch: PublicTouch) {
        self.touch = Some(touch);
    }

    fn fresh_touch(&self, side: Side) -> Option<Option<Level>> {
        let touch = self.touch.filter(|touch| touch.sequence > self.sequence)?;
        Some(match side {
            Side::Bid => touch.bid,
            Side::Ask => touch.ask,
        })
    }

    /// The newest best level of a side: from the best bid/ask message if that is newer than the depth.
    #[must_use]
    pub fn best(&self, side: Side) -> Option<Level> {
        match self.fresh_touch(side) {
            Some(level) => level,
            None => self.book_levels(side).next(),
        }
    }

    /// Levels of the depth alone, best outward.
    pub fn book_levels(&self, side: Side) -> Box<dyn Iterator<Item = Level> + '_> {
        let level = |(tick, lots): (&i64, &i64)| Level { tick: Tick(*tick), lots: Lots(*lots) };
        let book = &self.sides[side as usize];
        match side {
            Side::Bid => Box::new(book.iter().rev().map(level)),
            Side::Ask => Box::new(book.iter().map(level)),
        }
    }

    /// Levels as a taker meets them, best outward: the newest best level first, nothing better than it.
    pub fn levels(&self, side: Side) -> Box<dyn Iterator<Item = Level> + '_> {
        match self.fresh_touch(side) {
            None => self.book_levels(side),
            Some(None) => Box::new(std::iter::empty()),
            Some(Some(best)) => Box::new(
                std::iter::once(best)
                    .chain(self.book_levels(side).filter(move |level| is_better(side, best.tick, level.tick))),
            ),
        }
    }

    /// Displayed quantity at a price.
    #[must_use]
    pub fn lots_at(&self, side: Side, tick: Tick) -> Lots {
        if let Some(best) = self.fresh_touch(side) {
            match best {
                None => return Lots::ZERO,
                Some(level) if level.tick == tick => return level.lots,
                Some(level) if is_better(side, tick, level.tick) => return Lots::ZERO,
                Some(_) => {}
            }
        }
        Lots(self.sides[side as usize].get(&tick.0).copied().unwrap_or(0))
    }

    /// The quantity of the depth alone at a price.
    #[must_use]
    pub fn depth_at(&self, side: Side, tick: Tick) -> Lots {
        Lots(self.sides[side as usize].get(&tick.0).copied().unwrap_or(0))
    }

    /// Whether our takers have taken nothing that is still displayed on a side.
    #[must_use]
    pub fn has_all(&self, side: Side) -> bool {
        self.taken[side as usize].is_empty()
    }

    /// What our takers have taken of a side.
    pub fn taken(&self, side: Side) -> impl Iterator<Item = Level> + '_ {
        self.taken[side as usize].iter().map(|(tick, lots)| Level { tick: Tick(*tick), lots: Lots(*lots) })
    }

    /// What of a displayed quantity our takers have left.
    #[must_use]
    pub fn available(&self, side: Side, level: Level) -> Lots {
        let taken = self.taken[side as usize].get(&level.tick.0).copied().unwrap_or(0);
        Lots((level.lots.0 - taken).max(0))
    }

    /// Remembers that our takers took this much.
    pub fn take(&mut self, side: Side, tick: Tick, lots: Lots) {
        if lots.0 > 0 {
            *self.taken[side as usize].entry(tick.0).or_insert(0) += lots.0;
        }
    }

    /// Whether both sides hold quantities above zero alone, shown and taken.
    ///
    /// # Errors
    /// What does not hold, in words.
    pub fn check(&self) -> Result<(), String> {
        for (what, sides) in [("shown", &self.sides), ("taken", &self.taken)] {
            if let Some((tick, lots)) = sides.iter().flatten().find(|(_, lots)| **lots <= 0) {
                return Err(format!("{lots} lots are {what} at tick {tick}"));
            }
        }
        Ok(())
    }
}

/// Whether price `a` is strictly better than `b` for the owner of a resting order on `side`.
#[must_use]
pub fn is_better(side: Side, a: Tick, b: Tick) -> bool {
    match side {
        Side::Bid => a > b,
        Side::Ask => a < b,
    }
}
