//! HOT: the levels outside a side's window: a table by key, in a store whose size is fixed at set-up.
//!
//! Levels lie in the order they came in; a hash index of their keys finds one in a step or two, wherever it lies and
//! however many there are. A level that goes keeps its slot, with nothing in it, as it often comes again; when slots
//! or places of the index become scarce, the store is renewed without those levels.
//!
//! The order by key is rarely asked for, as that takes a question that reaches beyond the window: it is worked out
//! then, and from then on only repaired where levels came or went.

use core::cell::RefCell;

use super::ladder::KEY_NONE;

/// Places of the index while the store holds few levels.
const PLACES_MIN: usize = 1 << 9;
/// Changes of which levels there are, before the order is sorted anew instead of repaired.
const CHANGES: usize = 64;

/// Slots of a store for `levels` levels: a quarter more than that, so that a full store is not renewed for every
/// level that takes another's room.
pub(crate) const fn slots_for(levels: usize) -> usize {
    levels + levels / 4 + 1
}

/// Places in the index of a store for `levels` levels.
pub(crate) const fn places_for(levels: usize) -> usize {
    let places = (levels * 2).next_power_of_two();
    if places > PLACES_MIN { places } else { PLACES_MIN }
}

/// How many of the index's places may be taken: enough stay free that a search ends soon.
const fn taken_max(places: usize) -> usize {
    places / 8 * 5
}

/// One level, or, without a quantity, what was one.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(16))]
pub(crate) struct Slot {
    key: i64,
    lots: i64,
}

impl Slot {
    /// The key of a level; [`KEY_NONE`] if there is none.
    #[inline]
    const fn held(self) -> i64 {
        if self.lots == 0 { KEY_NONE } else { self.key }
    }
}

/// The keys in ascending order, as of the last time anyone asked, and what has changed since.
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
        // Written in any case, so that there is nothing to guess; the last place takes what is too many.
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

    fn sort(&mut self, slots: &[Slot]) {
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
pub(crate) struct Far {
    slots: Box<[Slot]>,
    /// By hash of the key its slot's number, counted from one; zero where there is none. A key stands at its own place
    /// or behind it, with no free place between.
    index: Box<[u32]>,
    /// Places of the index in use: a power of two that grows with the number of levels.
    places: usize,
    /// Slots taken, those without a quantity among them; all others are behind them.
    taken: usize,
    /// Levels.
    length: usize,
    capacity: usize,
    /// No level is below this key.
    low: i64,
    order: RefCell<Order>,
}

impl Far {
    /// Over storage that set-up allocated, all zero: [`slots_for`] as many slots and keys as it may hold levels and
    /// [`places_for`] as many places.
    pub(crate) fn new(slots: Box<[Slot]>, index: Box<[u32]>, keys: Box<[i64]>, capacity: usize) -> Far {
        let order = RefCell::new(Order { keys, length: 0, changes: [0; CHANGES], changed: 0 });
        Far { slots, index, places: PLACES_MIN, taken: 0, length: 0, capacity, low: KEY_NONE, order }
    }

    /// Forgets every level.
    pub(crate) fn clear(&mut self) {
        self.index[..self.places].fill(0);
        self.places = PLACES_MIN;
        self.taken = 0;
        self.length = 0;
        self.low = KEY_NONE;
        let order = self.order.get_mut();
        order.length = 0;
        order.changed = 0;
    }

    /// Levels held.
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

    /// A key's own place in the index.
    #[inline]
    fn home(&self, key: i64) -> usize {
        // The highest bits of a product depend on all bits of the key.
        let mixed = (key as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        mixed as usize & (self.places - 1)
    }

    /// Where the index names a key, and its slot; if it does not, the place where it would.
    #[inline]
    fn find(&self, key: i64) -> (usize, Option<usize>) {
        let mut place = self.home(key);
        loop {
            let number = self.index[place] as usize;
            if number == 0 {
                return (place, None);
            }
            if self.slots[number - 1].key == key {
                return (place, Some(number - 1));
            }
            place = (place + 1) & (self.places - 1);
        }
    }

    /// The quantity at a key; zero if there is none.
    pub(crate) fn lots_at(&self, key: i64) -> i64 {
        self.find(key).1.map_or(0, |slot| self.slots[slot].lots)
    }

    /// Writes the absolute quantity at a key; zero deletes. False if there is no room for a new level.
    #[inline(never)]
    pub(crate) fn set(&mut self, key: i64, lots: i64) -> bool {
        match self.find(key) {
            (_, Some(slot)) => self.write(slot, key, lots),
            (_, None) if lots == 0 => true,
            (place, None) => self.insert(place, key, lots),
        }
    }

    /// Writes a quantity into a slot that has the key. False if that is one level too many.
    #[inline]
    fn write(&mut self, slot: usize, key: i64, lots: i64) -> bool {
        let was = core::mem::replace(&mut self.slots[slot].lots, lots);
        self.length = self.length + usize::from(lots != 0) - usize::from(was != 0);
        self.low = self.low.min(Slot { key, lots }.held());
        self.order.get_mut().note(key, (was == 0) != (lots == 0));
        if self.length <= self.capacity {
            return true;
        }
        self.slots[slot].lots = 0;
        self.length -= 1;
        false
    }

    /// Takes a slot for a level whose key has none and would be named at `place`. False if there is no room.
    fn insert(&mut self, mut place: usize, key: i64, lots: i64) -> bool {
        if self.length == self.capacity {
            return false;
        }
        if self.taken == self.slots.len().min(taken_max(self.places)) {
            self.renew();
            place = self.find(key).0;
        }
        self.slots[self.taken] = Slot { key, lots: 0 };
        self.taken += 1;
        self.index[place] = self.taken as u32;
        self.write(self.taken - 1, key, lots)
    }

    /// Leaves out the slots without a quantity, and gives the index the size that the levels need.
    #[cold]
    fn renew(&mut self) {
        self.index[..self.places].fill(0);
        let mut kept = 0;
        for slot in 0..self.taken {
            if self.slots[slot].lots != 0 {
                self.slots[kept] = self.slots[slot];
                kept += 1;
            }
        }
        self.taken = kept;
        self.places = (self.length * 4).next_power_of_two().clamp(PLACES_MIN, self.index.len());
        for slot in 0..kept {
            let (place, _) = self.find(self.slots[slot].key);
            self.index[place] = slot as u32 + 1;
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
        self.slots[..self.taken].iter().map(|slot| slot.held()).min().unwrap_or(KEY_NONE)
    }

    /// Takes out every level whose key is in `from..until` and hands it over, in any order.
    pub(crate) fn take_range(&mut self, from: i64, until: i64, mut taken: impl FnMut(i64, i64)) {
        for slot in 0..self.taken {
            let Slot { key, lots } = self.slots[slot];
            if key >= from && key < until && lots != 0 {
                taken(key, lots);
                self.write(slot, key, 0);
            }
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
            CHANGES => order.sort(&self.slots[..self.taken]),
            _ => order.repair(|key| self.lots_at(key) != 0),
        }
    }

    /// Whether index, slots and order agree.
    pub(crate) fn is_consistent(&self) -> bool {
        let slots = &self.slots[..self.taken];
        let named = self.index[..self.places].iter().filter(|&&number| number != 0).count();
        self.put_in_order();
        let order = self.order.borrow();
        let keys = &order.keys[..order.length];
        slots.iter().enumerate().all(|(slot, level)| self.find(level.key).1 == Some(slot) && level.lots >= 0)
            && slots.iter().filter(|slot| slot.lots != 0).count() == self.length
            && slots.iter().all(|slot| slot.held() >= self.low)
            && named == self.taken
            && self.length <= self.capacity
            && self.taken <= taken_max(self.places)
            && self.index[self.places..].iter().all(|&number| number == 0)
            && keys.len() == self.length
            && keys.is_sorted_by(|one, next| one < next)
            && keys.iter().all(|&key| self.lots_at(key) != 0)
    }
}
