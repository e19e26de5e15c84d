//! HOT: the levels outside a side's window: a table by key, in a store whose size is fixed at set-up.
//!
//! Levels lie in the order they came in; a hash index of their keys finds one in a step or two, wherever it lies and
//! however many there are. A level that goes keeps its slot, with nothing in it, as it often comes again; when slots
//! or places of the index become scarce, the store is renewed without those levels.
//!
//! The order by key is rarely asked for, as that takes a question that reaches beyond the window: it is worked out
//! then, and from then on only repaired where levels came or went.

use core::cell::RefCell;
use core::ops::Range;

use super::addresses::addresses_of;
use super::key::KEY_NONE;
use crate::limits::OUTER_LEVELS_MAX;

/// Places of the index while the store holds few levels.
const PLACES_MIN: usize = 1 << 12;
/// Slots that are looked at together in search of a range of keys.
const BLOCK: usize = 8;
/// Changes of which levels there are, before the order is sorted anew instead of repaired.
const CHANGES: usize = 64;

/// Slots of a store for `levels` levels: one that is never taken, and a quarter more than there are levels, so that a
/// full store is not renewed for every level that takes another's room.
pub(crate) const fn slots_for(levels: usize) -> usize {
    1 + levels + levels / 4 + 1
}

/// Places in the index of a store for `levels` levels.
pub(crate) const fn places_for(levels: usize) -> usize {
    let places = (levels * 2).next_power_of_two();
    if places > PLACES_MIN { places } else { PLACES_MIN }
}

// The index names slots by 32 bits, and a full store leaves free places in it, where every search ends.
const _: () = assert!(slots_for(OUTER_LEVELS_MAX) <= u32::MAX as usize);
const _: () = assert!(taken_max(PLACES_MIN) < PLACES_MIN && PLACES_MIN.is_power_of_two());

/// How many of the index's places may be taken: enough stay free that a search ends soon.
const fn taken_max(places: usize) -> usize {
    places / 8 * 5
}

/// One level, or, without a quantity, what was one.
#[derive(Clone, Copy, Debug)]
#[repr(align(16))]
pub(crate) struct OuterSlot {
    key: i64,
    lots: i64,
}

impl OuterSlot {
    /// A slot that no level has taken.
    pub(crate) const EMPTY: OuterSlot = OuterSlot { key: KEY_NONE, lots: 0 };

    /// The key of a level; [`KEY_NONE`] if there is none.
    #[inline]
    const fn held(self) -> i64 {
        if self.lots == 0 { KEY_NONE } else { self.key }
    }
}

/// The keys in ascending order, as of the last question about the order, and what has changed since.
#[derive(Debug)]
struct Order {
    keys: Box<[i64]>,
    length: usize,
    /// Keys that came or went since, in any order, some maybe more than once.
    changes: [i64; CHANGES],
    /// How many of them; with the last place taken there may have been more.
    changed: usize,
}

impl Order {
    /// A level came or went, if `is_change`.
    #[inline]
    fn note(&mut self, key: i64, is_change: bool) {
        // Written in any case: a branch on whether it is a change would mispredict. The last place takes the excess.
        self.changes[self.changed % self.changes.len()] = key;
        self.changed = (self.changed + usize::from(is_change)).min(CHANGES);
    }

    /// Takes out the changed keys that `is_held` denies, then puts in those that it affirms: never too many at once.
    fn repair(&mut self, is_held: impl Fn(i64) -> bool) {
        for &key in &self.changes[..self.changed] {
            if let Ok(at) = self.keys[..self.length].binary_search(&key)
                && !is_held(key)
            {
                self.keys.copy_within(at + 1..self.length, at);
                self.length -= 1;
            }
        }
        for &key in &self.changes[..self.changed] {
            if let Err(at) = self.keys[..self.length].binary_search(&key)
                && is_held(key)
            {
                self.keys.copy_within(at..self.length, at + 1);
                self.keys[at] = key;
                self.length += 1;
            }
        }
        self.changed = 0;
    }

    fn sort(&mut self, slots: &[OuterSlot]) {
        self.length = 0;
        let held = slots.iter().filter(|slot| slot.lots != 0);
        for (key, slot) in self.keys.iter_mut().zip(held) {
            *key = slot.key;
            self.length += 1;
        }
        self.keys[..self.length].sort_unstable();
        self.changed = 0;
    }
}

/// A bounded map from key to lots.
#[derive(Debug)]
pub(crate) struct OuterLevels {
    /// The first is never taken and holds no quantity; those behind the taken ones are empty.
    slots: Box<[OuterSlot]>,
    /// By hash of the key its slot's number; zero where there is none. A key is named at its own place or behind it, with
    /// no free place between.
    index: Box<[u32]>,
    /// Places of the index in use: a power of two that follows the number of levels.
    places: usize,
    /// Slots taken, those without a quantity among them.
    taken: usize,
    /// How many may be.
    taken_max: usize,
    /// How many levels are held; at most `capacity`.
    length: usize,
    capacity: usize,
    /// No level is below this key.
    low: i64,
    order: RefCell<Order>,
}

impl OuterLevels {
    /// Over storage that set-up allocated, all empty or zero: as many keys as it may hold levels, [`slots_for`] as many
    /// slots and [`places_for`] as many places.
    pub(crate) fn new(slots: Box<[OuterSlot]>, index: Box<[u32]>, keys: Box<[i64]>) -> OuterLevels {
        let capacity = keys.len();
        let order = RefCell::new(Order { keys, length: 0, changes: [0; CHANGES], changed: 0 });
        let mut outer = OuterLevels {
            slots,
            index,
            places: PLACES_MIN,
            taken: 0,
            taken_max: 0,
            length: 0,
            capacity,
            low: KEY_NONE,
            order,
        };
        outer.renew();
        outer
    }

    /// Forgets every level.
    pub(crate) fn clear(&mut self) {
        self.slots[..=self.taken].fill(OuterSlot::EMPTY);
        self.length = 0;
        self.low = KEY_NONE;
        self.renew();
        let order = self.order.get_mut();
        order.length = 0;
        order.changed = 0;
    }

    /// How many levels are held.
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// Levels it may hold.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Bytes of its storage.
    pub(crate) fn memory_bytes(&self) -> usize {
        size_of_val(&*self.slots) + size_of_val(&*self.index) + size_of_val(&*self.order.borrow().keys)
    }

    /// Where the two parts of it lie that updates search: slots and index.
    pub(crate) fn address_ranges(&self) -> [Range<usize>; 2] {
        [addresses_of(&self.slots), addresses_of(&self.index)]
    }

    /// A key's own place in the index.
    #[inline]
    fn home(&self, key: i64) -> usize {
        // The highest bits of a product depend on all bits of the key.
        let mixed = (key as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        mixed as usize & (self.places - 1)
    }

    /// The slot's number of a key; zero if it has none.
    fn number_of(&self, key: i64) -> usize {
        let mut place = self.home(key);
        loop {
            let number = self.index[place] as usize;
            if number == 0 || self.slots[number].key == key {
                return number;
            }
            place = (place + 1) & (self.places - 1);
        }
    }

    /// Where the index names a key, and its slot's number; if it does not, the place where it would, and zero.
    #[inline]
    fn find(&mut self, key: i64) -> (usize, usize) {
        // A search ends at the key or at a free place. A branch on which of the two would mispredict; one on whether it
        // ends at the first place seldom does. So slot 0, to which free places lead, is given the key as well, and the
        // loop has that one branch.
        self.slots[0].key = key;
        let mut place = self.home(key);
        let mut number = self.index[place] as usize;
        while self.slots[number].key != key {
            place = (place + 1) & (self.places - 1);
            number = self.index[place] as usize;
        }
        (place, number)
    }

    /// The quantity at a key; zero if there is none.
    pub(crate) fn lots_at(&self, key: i64) -> i64 {
        self.slots[self.number_of(key)].lots
    }

    /// Writes the absolute quantity at a key; zero deletes. False if there is no room for a new level.
    ///
    /// A level that is new, changed or deleted takes the same steps: no branch that could mispredict. A key without a
    /// slot takes the next one, which is empty; deleting a key that never came writes slot 0 alone.
    #[inline(never)]
    pub(crate) fn set(&mut self, key: i64, lots: i64) -> bool {
        if self.taken == self.taken_max {
            self.renew();
        }
        let (place, number) = self.find(key);
        let is_new = (number == 0) & (lots != 0);
        self.taken += usize::from(is_new);
        let number = if is_new { self.taken } else { number };
        self.index[place] = number as u32;
        self.write(number, key, lots)
    }

    /// Writes key and quantity into their slot. False if that is one level too many.
    #[inline]
    fn write(&mut self, number: usize, key: i64, lots: i64) -> bool {
        let was = core::mem::replace(&mut self.slots[number], OuterSlot { key, lots }).lots;
        self.length = self.length + usize::from(lots != 0) - usize::from(was != 0);
        self.low = self.low.min(OuterSlot { key, lots }.held());
        self.order.get_mut().note(key, (was == 0) != (lots == 0));
        if self.length <= self.capacity {
            return true;
        }
        self.slots[number].lots = 0;
        self.length -= 1;
        false
    }

    /// Leaves out the slots without a quantity, and gives the index the size that the levels need.
    #[cold]
    fn renew(&mut self) {
        self.index[..self.places].fill(0);
        let mut kept = 0;
        for number in 1..=self.taken {
            let slot = core::mem::replace(&mut self.slots[number], OuterSlot::EMPTY);
            if slot.lots != 0 {
                kept += 1;
                self.slots[kept] = slot;
            }
        }
        self.taken = kept;
        self.places = (self.length * 8).next_power_of_two().clamp(PLACES_MIN, self.index.len());
        self.taken_max = taken_max(self.places).min(self.slots.len() - 1);
        for number in 1..=kept {
            let (place, _) = self.find(self.slots[number].key);
            self.index[place] = number as u32;
        }
    }

    /// The lowest key if it is below `limit`; otherwise [`KEY_NONE`].
    pub(crate) fn first_key_below(&mut self, limit: i64) -> i64 {
        if self.low >= limit {
            return KEY_NONE;
        }
        self.low = self.first_key();
        if self.low < limit { self.low } else { KEY_NONE }
    }

    /// The lowest key; [`KEY_NONE`] if there is none. Looks at all of them.
    pub(crate) fn first_key(&self) -> i64 {
        self.slots[..=self.taken].iter().map(|slot| slot.held()).min().unwrap_or(KEY_NONE)
    }

    /// Takes out every level whose key is in `from..until` and hands it over, in any order.
    pub(crate) fn take_range(&mut self, from: i64, until: i64, mut taken: impl FnMut(i64, i64)) {
        let width = until.wrapping_sub(from) as u64;
        let is_within = |slot: &OuterSlot| (slot.key.wrapping_sub(from) as u64) < width;
        let mut first = 1;
        while first <= self.taken {
            // Mostly none of them is: one question for all.
            let block = &self.slots[first..self.slots.len().min(first + BLOCK)];
            if block.iter().fold(false, |any, slot| any | is_within(slot)) {
                for number in first..first + block.len() {
                    let OuterSlot { key, lots } = self.slots[number];
                    if is_within(&self.slots[number]) && lots != 0 {
                        taken(key, lots);
                        self.write(number, key, 0);
                    }
                }
            }
            first += BLOCK;
        }
        if self.low >= from {
            self.low = self.low.max(until);
        }
    }

    /// How many keys are below `key`: the rank of the first that is not.
    pub(crate) fn rank_of(&self, key: i64) -> usize {
        self.put_in_order();
        let order = self.order.borrow();
        order.keys[..order.length].partition_point(|&held| held < key)
    }

    /// The level that has `rank` levels before it; none past the last.
    pub(crate) fn level(&self, rank: usize) -> Option<(i64, i64)> {
        self.put_in_order();
        let order = self.order.borrow();
        let key = *order.keys[..order.length].get(rank)?;
        Some((key, self.lots_at(key)))
    }

    fn put_in_order(&self) {
        let mut order = self.order.borrow_mut();
        match order.changed {
            0 => {}
            CHANGES => order.sort(&self.slots[..=self.taken]),
            _ => order.repair(|key| self.lots_at(key) != 0),
        }
    }

    /// Whether index, slots and order agree.
    pub(crate) fn is_consistent(&self) -> bool {
        let slots = &self.slots[..=self.taken];
        let named = self.index[..self.places].iter().filter(|&&number| number != 0).count();
        self.put_in_order();
        let order = self.order.borrow();
        let keys = &order.keys[..order.length];
        slots.iter().enumerate().skip(1).all(|(number, slot)| self.number_of(slot.key) == number && slot.lots >= 0)
            && slots.iter().filter(|slot| slot.lots != 0).count() == self.length
            && slots.iter().all(|slot| slot.held() >= self.low)
            && slots[0].lots == 0
            && self.slots[self.taken + 1..].iter().all(|slot| slot.lots == 0)
            && named == self.taken
            && self.length <= self.capacity
            && self.taken <= self.taken_max
            && self.taken_max < self.slots.len()
            && self.index[self.places..].iter().all(|&number| number == 0)
            && keys.len() == self.length
            && keys.is_sorted_by(|one, next| one < next)
            && keys.iter().all(|&key| self.lots_at(key) != 0)
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_macros, clippy::disallowed_methods)]
mod tests {
    use std::collections::BTreeMap;

    use super::{OuterLevels, OuterSlot, places_for, slots_for};
    use crate::book::key::KEY_NONE;

    fn store(capacity: usize) -> OuterLevels {
        let slots = vec![OuterSlot::EMPTY; slots_for(capacity)].into_boxed_slice();
        let index = vec![0; places_for(capacity)].into_boxed_slice();
        OuterLevels::new(slots, index, vec![0; capacity].into_boxed_slice())
    }

    fn listed(outer: &OuterLevels) -> Vec<(i64, i64)> {
        (0..).map_while(|rank| outer.level(rank)).collect()
    }

    /// Random numbers from a printed seed.
    struct Random(u64);

    impl Random {
        fn below(&mut self, limit: u64) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (mixed ^ (mixed >> 31)) % limit
        }

        /// Keys that repeat, lie side by side, are round, or lie anywhere in the range.
        fn key(&mut self) -> i64 {
            match self.below(4) {
                0 => self.below(40) as i64 - 20,
                1 => 1_000_000 + self.below(3_000) as i64,
                2 => -(self.below(2_000) as i64) * 65_536,
                _ => self.below(1 << 61) as i64 - (1 << 60),
            }
        }
    }

    #[test]
    fn any_sequence_equals_a_sorted_map() {
        for (seed, capacity) in [1, 2, 30, 700, 6_000, 40_000].into_iter().enumerate() {
            let mut random = Random(seed as u64);
            let mut outer = store(capacity);
            let mut map = BTreeMap::new();
            let mut refused = 0;
            for step in 0..60_000 {
                let context = format!("seed {seed} step {step}");
                let key = random.key();
                match random.below(3_000) {
                    0 => {
                        outer.clear();
                        map.clear();
                    }
                    1..10 => {
                        let until = key.saturating_add(random.below(1 << 17) as i64);
                        let mut taken = Vec::new();
                        outer.take_range(key, until, |key, lots| taken.push((key, lots)));
                        taken.sort_unstable();
                        let expected: Vec<(i64, i64)> =
                            map.range(key..until).map(|(&key, &lots)| (key, lots)).collect();
                        assert_eq!(taken, expected, "{context}");
                        map.retain(|&held, _| held < key || held >= until);
                    }
                    10..30 => {
                        let expected = map.range(..key).next().map_or(KEY_NONE, |(&key, _)| key);
                        assert_eq!(outer.first_key_below(key), expected, "{context}");
                        assert_eq!(outer.rank_of(key), map.range(..key).count(), "{context}");
                    }
                    30..40 => assert!(listed(&outer).into_iter().eq(map.iter().map(|(&key, &lots)| (key, lots)))),
                    _ => {
                        let lots = random.below(3) as i64 * 7;
                        let fits = lots == 0 || map.contains_key(&key) || map.len() < capacity;
                        assert_eq!(outer.set(key, lots), fits, "{context}");
                        refused += usize::from(!fits);
                        if lots == 0 {
                            map.remove(&key);
                        } else if fits {
                            map.insert(key, lots);
                        }
                    }
                }
                assert_eq!(outer.lots_at(key), map.get(&key).copied().unwrap_or(0), "{context}");
                assert_eq!(outer.len(), map.len(), "{context}");
                if step % 997 == 0 {
                    assert!(outer.is_consistent(), "{context}");
                    assert!(listed(&outer).into_iter().eq(map.iter().map(|(&key, &lots)| (key, lots))), "{context}");
                }
            }
            assert!(outer.is_consistent(), "seed {seed}");
            assert_eq!(refused > 0, capacity <= 700, "seed {seed}: {refused} refused");
        }
    }

    #[test]
    fn a_full_store_takes_one_for_each_that_goes_as_often_as_one_likes() {
        const CAPACITY: usize = 5_000;
        let mut outer = store(CAPACITY);
        (0..CAPACITY as i64).for_each(|key| assert!(outer.set(key * 1_000, 1)));
        for key in 0..30_000_i64 {
            let next = (key + CAPACITY as i64) * 1_000;
            assert!(!outer.set(next, 1), "{key}: full");
            assert!(outer.set(key * 1_000, 0) && outer.set(next, 1), "{key}: one went");
        }
        assert!(outer.is_consistent());
        assert_eq!((outer.len(), outer.level(0), outer.first_key()), (CAPACITY, Some((30_000_000, 1)), 30_000_000));
    }

    #[test]
    fn the_order_is_repaired_after_few_changes_and_sorted_after_many() {
        for changes in [1, 3, 63, 64, 65, 500] {
            let mut outer = store(2_000);
            (0..1_000).for_each(|key| assert!(outer.set(key * 10, 5)));
            assert_eq!((outer.rank_of(5_000), outer.level(999)), (500, Some((9_990, 5))));
            let mut map: BTreeMap<i64, i64> = (0..1_000).map(|key| (key * 10, 5)).collect();
            for change in 0..changes {
                // Gone, come, changed, and gone and come again.
                let key = (change * 7_919) % 10_000;
                let lots = if map.contains_key(&key) && change % 3 != 0 { 0 } else { change + 1 };
                assert!(outer.set(key, 0) && outer.set(key, lots));
                map.remove(&key);
                if lots != 0 {
                    map.insert(key, lots);
                }
            }
            assert!(listed(&outer).into_iter().eq(map), "{changes} changes");
            assert!(outer.is_consistent(), "{changes} changes");
        }
    }
}
