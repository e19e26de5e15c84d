//! COLD: what one instrument shows: the book of others without what our takers took, and our own orders in it.

use super::matching::Matching;
use super::queue::is_better;
use spinbook_engine::types::{Level, Lots, Side, Tick};
use std::collections::BTreeMap;

/// Prices of a side, in ticks, at which more or less is shown than others display there, and how many lots are.
pub type ShownLots = BTreeMap<i64, i64>;

impl Matching {
    /// Whether anything of ours is on the book or was taken out of it.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        Side::BOTH.iter().all(|side| self.resting(*side).is_empty() && self.public.has_all(*side))
    }

    /// Where the shown book differs from the depth of others.
    #[must_use]
    pub fn difference(&self, side: Side) -> ShownLots {
        let mut shown = ShownLots::new();
        if self.is_untouched() {
            return shown;
        }
        for level in self.public.taken(side) {
            shown.insert(level.tick.0, 0);
        }
        for resting in self.resting(side) {
            *shown.entry(resting.tick.0).or_insert(0) += resting.remaining.0;
        }
        // Others' levels that our best order on the other side reaches are gone: it would have traded with them, so the
        // best bid/ask has already told so and the depth is yet to follow.
        let reach = self.resting(side.opposite()).first().map(|resting| resting.tick);
        let is_gone = |tick: Tick| reach.is_some_and(|reach| !is_better(side, reach, tick));
        for level in self.public.book_levels(side).take_while(|level| is_gone(level.tick)) {
            shown.entry(level.tick.0).or_insert(0);
        }
        shown.retain(|tick, lots| {
            let others = self.public.depth_at(side, Tick(*tick));
            let left = self.public.available(side, Level { tick: Tick(*tick), lots: others });
            *lots += if is_gone(Tick(*tick)) { 0 } else { left.0 };
            // Nothing is shown where nothing is known: no difference.
            *lots != others.0
        });
        shown
    }

    /// The shown levels of a side, best outward.
    #[must_use]
    pub fn shown_levels(&self, side: Side, limit: usize) -> Vec<Level> {
        let difference = self.difference(side);
        if difference.is_empty() {
            return self.public.book_levels(side).take(limit).collect();
        }
        let mut levels: Vec<Level> =
            self.public.book_levels(side).filter(|level| !difference.contains_key(&level.tick.0)).take(limit).collect();
        let ours = difference.iter().filter(|(_, lots)| **lots > 0);
        levels.extend(ours.map(|(tick, lots)| Level { tick: Tick(*tick), lots: Lots(*lots) }));
        levels.sort_unstable_by_key(|level| -side.sign() * level.tick.0);
        levels.truncate(limit);
        levels
    }

    /// The best level shown: from the venue's best bid/ask where that is newer than the depth.
    #[must_use]
    pub fn shown_best(&self, side: Side) -> Option<Level> {
        let others = self
            .public
            .levels(side)
            .map(|level| Level { tick: level.tick, lots: self.public.available(side, level) })
            .find(|level| !level.lots.is_zero());
        let best = self.resting(side).first().map(|resting| resting.tick);
        let ours = best.map(|tick| {
            let at = self.resting(side).iter().take_while(|resting| resting.tick == tick);
            Level { tick, lots: Lots(at.map(|resting| resting.remaining.0).sum()) }
        });
        match (others, ours) {
            (Some(others), Some(ours)) if others.tick == ours.tick => {
                Some(Level { tick: ours.tick, lots: Lots(others.lots.0 + ours.lots.0) })
            }
            (Some(others), Some(ours)) => Some(if is_better(side, ours.tick, others.tick) { ours } else { others }),
            (others, ours) => others.or(ours),
        }
    }
}
