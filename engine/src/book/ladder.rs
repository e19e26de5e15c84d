//! HOT: one side of a book: a window of ticks around its best level, and the outer store for all the others.
//!
//! A side is kept by key, best first: an ask's key is its tick, a bid's key is its negated tick. The best level
//! is thus always the lowest key, and both sides share every line below.
//!
//! The window holds the keys `low..low + WINDOW_TICKS`, each at the slot `key mod WINDOW_TICKS`. When the window
//! moves, the keys that stay keep their slots: only the strip that leaves goes to the outer store, and only the
//! strip that enters comes from it. After [`Ladder::write`] no outer level is better than the window, unless it says
//! that there was no room.

use super::addresses::addresses_of;
use super::key::KEY_NONE;
use super::occupancy::Occupancy;
use super::outer::OuterLevels;
use super::top::{Top, TopCache};
use crate::limits::WINDOW_TICKS;
use crate::prefetch::prefetch;

const TICKS: i64 = WINDOW_TICKS as i64;
/// Where the best level stands in a window that was just placed: room for better prices before it, the rest
/// for the levels behind it.
const WINDOW_LEAD_TICKS: i64 = TICKS / 4;
/// The window is placed anew when its best level is farther from its start than this, or no longer in it: so late that
/// it happens seldom, so early that few of the levels that change lie behind it (recorded: one in twenty).
const WINDOW_LEAD_TICKS_MAX: i64 = TICKS / 2;

/// Ticks before and behind the best level that are kept warm while nothing comes.
const WARM_TICKS_BEFORE: i64 = 64;
const WARM_TICKS_BEHIND: i64 = 256;

// A window that was just placed need not be placed again, and its best level lies in it.
const _: () =
    assert!(0 < WINDOW_LEAD_TICKS && WINDOW_LEAD_TICKS < WINDOW_LEAD_TICKS_MAX && WINDOW_LEAD_TICKS_MAX < TICKS);

/// One side's levels.
#[derive(Debug)]
pub(crate) struct Ladder {
    window: TickWindow,
    outer: OuterLevels,
    /// The window's lowest key.
    low: i64,
    /// Key of the best level; `KEY_NONE` if the side is empty.
    best_key: i64,
    /// Quantity of the best level in lots; zero if the side is empty.
    best_lots: i64,
    /// The last answer about the first levels.
    top: TopCache,
}

/// Quantities and occupancy by slot. A slot that is not occupied holds zero.
#[derive(Debug)]
struct TickWindow {
    lots: Box<[i64; WINDOW_TICKS]>,
    occupied: Occupancy,
}

impl TickWindow {
    #[inline]
    fn set(&mut self, key: i64, lots: i64) {
        let slot = slot_of(key);
        self.lots[slot] = lots;
        self.occupied.set(slot, lots != 0);
    }
}

/// The slot of a key: the same wherever the window stands.
#[inline]
const fn slot_of(key: i64) -> usize {
    key as usize % WINDOW_TICKS
}

impl Ladder {
    /// Over storage that set-up allocated, all zero.
    pub(crate) fn new(lots: Box<[i64; WINDOW_TICKS]>, occupied: Occupancy, outer: OuterLevels) -> Ladder {
        Ladder {
            window: TickWindow { lots, occupied },
            outer,
            low: 0,
            best_key: KEY_NONE,
            best_lots: 0,
            top: TopCache::default(),
        }
    }

    /// Forgets every level and places the window for a best level at `key`.
    pub(crate) fn clear(&mut self, key: i64) {
        let mut from = 0;
        while let Some(slot) = self.window.occupied.first_from(from) {
            self.window.lots[slot % WINDOW_TICKS] = 0;
            self.window.occupied.set(slot, false);
            from = slot;
        }
        self.outer.clear();
        self.low = if key == KEY_NONE { 0 } else { key - WINDOW_LEAD_TICKS };
        self.best_key = KEY_NONE;
        self.best_lots = 0;
        self.top.forget();
    }

    /// Writes the absolute quantity at each key; zero deletes. Then finds the best level, once for all of them.
    ///
    /// False if the outer store had no room, either for one of them or for the strip that leaves the window when it
    /// follows the best level: then it did not move.
    #[inline]
    pub(crate) fn write(&mut self, levels: impl Iterator<Item = (i64, i64)>) -> bool {
        // Held in registers: the compiler cannot know that writing a quantity leaves the pointers as they are.
        let low = self.low;
        let lots_at = &mut *self.window.lots;
        let mut occupied = self.window.occupied.writer();
        let mut kept = true;
        let mut delta = self.top.delta(self.best_key);
        for (key, lots) in levels {
            if (key.wrapping_sub(low) as u64) < WINDOW_TICKS as u64 {
                let slot = slot_of(key);
                if key <= delta.key_last {
                    delta.on_write(key, lots_at[slot], lots);
                }
                lots_at[slot] = lots;
                occupied.set(slot, lots != 0);
            } else {
                if key <= delta.key_last {
                    delta.on_write_blind(key);
                }
                kept &= self.outer.set(key, lots);
            }
        }
        let lowest = delta.lowest;
        self.top.keep(delta);
        self.update_best(lowest) & kept
    }

    /// Finds the best level after levels were written of which none is below `lowest`.
    #[inline]
    fn update_best(&mut self, lowest: i64) -> bool {
        // No level is below this key. Mostly it is the best one's, old or new. Whether the best was written, and
        // whether by a better one, is not asked: either branch would be mispredicted about every other message.
        let first = lowest.min(self.best_key);
        let lead = first.wrapping_sub(self.low);
        // The quantity tells whether there is a level. The mark would, too, but it was written just now as a byte, and
        // reading it together with others waits until it has left the processor.
        let lots = self.window.lots[slot_of(first)];
        if (0..=WINDOW_LEAD_TICKS_MAX).contains(&lead) && lots != 0 {
            (self.best_key, self.best_lots) = (first, lots);
            return true;
        }
        self.find_best(first)
    }

    /// The best level, none of which is below `first`, in a window that is moved after it if it went too outer.
    #[inline(never)]
    fn find_best(&mut self, first: i64) -> bool {
        if first == KEY_NONE {
            return true;
        }
        // In front of the window a outer level may be the best.
        let from = usize::try_from(first - self.low).unwrap_or(0);
        let (window, lots) = self.window_key_from(from).unwrap_or((KEY_NONE, 0));
        let best = window.min(self.outer.first_key_below(window));
        (self.best_key, self.best_lots) = (best, lots);
        if best == KEY_NONE {
            return true;
        }
        let moved =
            (0..=WINDOW_LEAD_TICKS_MAX).contains(&(best - self.low)) || self.move_window(best - WINDOW_LEAD_TICKS);
        self.best_lots = self.lots_at(best);
        moved
    }

    /// The lowest key of all; `KEY_NONE` if the side is empty.
    fn first_key(&self) -> i64 {
        let window = self.window_key_from(0).map_or(KEY_NONE, |(key, _)| key);
        window.min(self.outer.first_key())
    }

    /// The first occupied key of the window that is at least `offset` above its lowest.
    #[inline]
    fn window_key_from(&self, offset: usize) -> Option<(i64, i64)> {
        let start = slot_of(self.low);
        let from = start + offset;
        // Slots run from `start` to the array's end and go on at its beginning up to `start`.
        let slot = if from < WINDOW_TICKS {
            match self.window.occupied.first_from(from) {
                Some(slot) => slot,
                None => self.window.occupied.first_from(0).filter(|&slot| slot < start)?,
            }
        } else if from < start + WINDOW_TICKS {
            self.window.occupied.first_from(from - WINDOW_TICKS).filter(|&slot| slot < start)?
        } else {
            return None;
        };
        let offset = slot.wrapping_sub(start) % WINDOW_TICKS;
        Some((self.low + offset as i64, self.window.lots[slot % WINDOW_TICKS]))
    }

    /// Moves the window's lowest key to `low`.
    #[inline(never)]
    fn move_window(&mut self, low: i64) -> bool {
        let old = self.low;
        let (leaving, entering) = if low > old {
            (old..low.min(old + TICKS), low.max(old + TICKS)..low + TICKS)
        } else {
            (old.max(low + TICKS)..old + TICKS, low..old.min(low + TICKS))
        };
        if !self.outer_has_room_for(&leaving) {
            return false;
        }
        let mut offset = (leaving.start - old) as usize;
        while let Some((key, lots)) = self.window_key_from(offset) {
            if key >= leaving.end {
                break;
            }
            self.window.set(key, 0);
            let kept = self.outer.set(key, lots);
            debug_assert!(kept, "room was counted above");
            offset = (key - old) as usize + 1;
        }
        self.low = low;
        let window = &mut self.window;
        self.outer.take_range(entering.start, entering.end, |key, lots| window.set(key, lots));
        true
    }

    /// Whether the outer store can take the window's levels whose keys are in the range.
    fn outer_has_room_for(&self, keys: &core::ops::Range<i64>) -> bool {
        let room = self.outer.capacity() - self.outer.len();
        if room as i64 >= keys.end - keys.start {
            return true;
        }
        let mut count = 0;
        let mut offset = (keys.start - self.low) as usize;
        while let Some((key, _)) = self.window_key_from(offset) {
            if key >= keys.end {
                break;
            }
            count += 1;
            offset = (key - self.low) as usize + 1;
        }
        count <= room
    }

    /// Key and quantity of the best level.
    #[inline]
    pub(crate) fn best(&self) -> Option<(i64, i64)> {
        (self.best_key != KEY_NONE).then_some((self.best_key, self.best_lots))
    }

    /// The quantity at a key; zero if there is none.
    #[inline]
    pub(crate) fn lots_at(&self, key: i64) -> i64 {
        if (key.wrapping_sub(self.low) as u64) < WINDOW_TICKS as u64 {
            self.window.lots[slot_of(key)]
        } else {
            self.outer.lots_at(key)
        }
    }

    /// The first `levels` levels: found once, and known until one of them comes or goes.
    #[inline]
    pub(crate) fn top(&self, levels: usize) -> Top {
        self.top.of(levels).unwrap_or_else(|| self.find_top(levels))
    }

    #[inline(never)]
    fn find_top(&self, levels: usize) -> Top {
        let known = self.top.asked().filter(|&(asked, _)| asked == levels);
        let top = known
            .and_then(|(_, top)| self.top_from(top, levels))
            .or_else(|| self.top_of_window(levels))
            .unwrap_or_else(|| self.top_of_all(levels));
        self.top.set(levels, top);
        top
    }

    /// The first `levels` levels from a top that holds a few more or less; none if that is the longer way.
    #[inline]
    fn top_from(&self, mut top: Top, levels: usize) -> Option<Top> {
        let is_near = top.held.abs_diff(levels) <= levels / 2;
        if !is_near || self.best_key < self.low || (top.key_last.wrapping_sub(self.low) as u64) >= WINDOW_TICKS as u64 {
            return None;
        }
        while top.held > levels {
            let key = self.window_key_until(top.key_last)?;
            top.lots -= i128::from(self.window.lots[slot_of(key)]);
            top.held -= 1;
            top.key_last = key - 1;
        }
        while top.held < levels {
            let (key, lots) = self.window_key_from((top.key_last - self.low) as usize + 1)?;
            top.lots += i128::from(lots);
            top.held += 1;
            top.key_last = key;
        }
        Some(top)
    }

    /// The last occupied key of the window up to `key`; none if it is far away.
    #[inline]
    fn window_key_until(&self, key: i64) -> Option<i64> {
        const STRIP: usize = 8;
        /// How many strips are looked at.
        const STRIPS: usize = 64;
        let slot = slot_of(key);
        let mut strip = slot - slot % STRIP;
        let mut end = slot % STRIP + 1;
        for _ in 0..STRIPS {
            let lots = &self.window.lots[strip..][..STRIP];
            if lots.iter().fold(0, |all, lots| all | lots) != 0
                && let Some(found) = lots[..end].iter().rposition(|&lots| lots != 0)
            {
                let key = key - (slot.wrapping_sub(strip + found) % WINDOW_TICKS) as i64;
                return (key >= self.low).then_some(key);
            }
            strip = strip.wrapping_sub(STRIP) % WINDOW_TICKS;
            end = STRIP;
        }
        None
    }

    /// [`Ladder::top`] level by level, far ones included.
    #[cold]
    fn top_of_all(&self, levels: usize) -> Top {
        let mut top = Top { key_last: KEY_NONE, lots: 0, held: 0 };
        for (key, lots) in self.levels().take(levels) {
            top.lots += i128::from(lots);
            top.held += 1;
            if top.held == levels {
                top.key_last = key;
            }
        }
        top
    }

    /// [`Ladder::top`] by whole groups of slots; none if the window holds fewer levels.
    #[inline]
    fn top_of_window(&self, levels: usize) -> Option<Top> {
        if levels == 0 || self.best_key == KEY_NONE || !self.is_placed() {
            return None;
        }
        let (lots_at, occupied) = (&*self.window.lots, &self.window.occupied);
        let start = slot_of(self.low);
        let mut slot = slot_of(self.best_key);
        // Slots run from `start` to the array's end and go on at its beginning up to `start`.
        let mut wrapped = slot < start;
        let mut left = levels;
        let mut lots = 0;
        loop {
            let mut group = occupied.group_from(slot);
            if wrapped {
                group = group.below(start);
            }
            for slot in group {
                lots += i128::from(lots_at[slot % WINDOW_TICKS]);
                left -= 1;
                if left == 0 {
                    let offset = slot.wrapping_sub(start) % WINDOW_TICKS;
                    return Some(Top { key_last: self.low + offset as i64, lots, held: levels });
                }
            }
            let next = group.end();
            let found = (next < WINDOW_TICKS).then(|| occupied.first_from(next)).flatten();
            slot = match found {
                Some(slot) if !wrapped || slot < start => slot,
                _ if wrapped => return None,
                _ => {
                    wrapped = true;
                    occupied.first_from(0).filter(|&slot| slot < start)?
                }
            };
        }
    }

    /// Every level, best first.
    #[inline]
    pub(crate) fn levels(&self) -> LadderLevels<'_> {
        LadderLevels { ladder: self, offset: 0, rank: (!self.is_placed()).then_some(0) }
    }

    /// How many levels the side holds.
    pub(crate) fn level_count(&self) -> usize {
        self.window.occupied.count() + self.outer.len()
    }

    /// How many of them lie outside the window.
    pub(crate) fn outer_count(&self) -> usize {
        self.outer.len()
    }

    /// How many may lie outside the window.
    pub(crate) fn outer_capacity(&self) -> usize {
        self.outer.capacity()
    }

    /// Bytes of storage behind this side.
    pub(crate) fn memory_bytes(&self) -> usize {
        size_of_val(&*self.window.lots) + WINDOW_TICKS + self.outer.memory_bytes()
    }

    /// Where the storage lies that updates work on: window, its occupancy, outer slots, outer index.
    pub(crate) fn address_ranges(&self) -> [core::ops::Range<usize>; 4] {
        let [slots, index] = self.outer.address_ranges();
        [addresses_of(&*self.window.lots), self.window.occupied.addresses(), slots, index]
    }

    /// Asks for the lines around the best level, where the next levels most likely are.
    pub(crate) fn warm(&self) {
        let best = if self.best_key == KEY_NONE { self.low } else { self.best_key };
        for part in [(best - WARM_TICKS_BEFORE, WARM_TICKS_BEFORE), (best, WARM_TICKS_BEHIND)] {
            let (from, ticks) = (slot_of(part.0), part.1 as usize);
            // A stretch that goes around the end of the window is asked for up to the end.
            let to = (from + ticks).min(WINDOW_TICKS);
            prefetch(&self.window.lots[from..to]);
            self.window.occupied.warm(from..to);
        }
    }

    /// What is wrong with the side, in a few words; none if nothing is.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        let occupied = &self.window.occupied;
        if !occupied.is_consistent() {
            return Some("a mark is neither one nor zero");
        }
        if (0..WINDOW_TICKS).any(|slot| occupied.is_set(slot) != (self.window.lots[slot] != 0)) {
            return Some("a slot's mark disagrees with its quantity");
        }
        if !self.outer.is_consistent() {
            return Some("the outer store is out of order");
        }
        let first = self.outer.rank_of(self.low);
        if self.outer.level(first).is_some_and(|(key, _)| key < self.low + TICKS) {
            return Some("a level of the window lies in the outer store");
        }
        if let Some((_, top)) = self.top.asked() {
            let first = || self.levels().take_while(|&(key, _)| key <= top.key_last);
            let lots: i128 = first().map(|(_, lots)| i128::from(lots)).sum();
            if top.held != first().count() || top.lots != lots {
                return Some("the sum of the first levels is not theirs");
            }
        }
        if self.best_key != self.first_key() || self.best_lots != self.levels().next().map_or(0, |(_, lots)| lots) {
            return Some("the best level is not the first");
        }
        None
    }

    /// Whether the window stands so that the best level lies in it.
    pub(crate) fn is_placed(&self) -> bool {
        self.best_key == KEY_NONE || (self.best_key >= self.low && self.best_key < self.low + TICKS)
    }
}

/// Iterator over one side's keys and quantities, best first.
#[derive(Clone, Debug)]
pub(crate) struct LadderLevels<'a> {
    ladder: &'a Ladder,
    /// Offset in the window to go on from.
    offset: usize,
    /// Rank of the outer level to go on from; none before the first is needed.
    rank: Option<usize>,
}

impl Iterator for LadderLevels<'_> {
    type Item = (i64, i64);

    #[inline]
    fn next(&mut self) -> Option<(i64, i64)> {
        let Ladder { low, outer, .. } = self.ladder;
        // Only a side that could not be settled has outer levels before its window.
        if let Some(rank) = self.rank
            && self.offset == 0
            && let Some(level) = outer.level(rank)
            && level.0 < *low
        {
            self.rank = Some(rank + 1);
            return Some(level);
        }
        if let Some((key, lots)) = self.ladder.window_key_from(self.offset) {
            self.offset = (key - low) as usize + 1;
            return Some((key, lots));
        }
        self.offset = WINDOW_TICKS;
        let rank = self.rank.unwrap_or_else(|| outer.rank_of(low + TICKS));
        self.rank = Some(rank + 1);
        outer.level(rank)
    }
}
