//! HOT: the levels outside a side's window, sorted, in a store whose size is fixed at set-up.
//!
//! Sorted leaves of 32 levels under one sorted directory. An update costs a search in the directory, a search in
//! a leaf and at worst a move within that leaf, whatever the number of levels. Being sorted, the store gives its
//! best level at once, and re-centring takes a whole run of levels out of it.

use core::ops::Range;

/// Where a slice lies in memory.
pub(crate) fn addresses_of<T>(slice: &[T]) -> Range<usize> {
    let pointers = slice.as_ptr_range();
    pointers.start.expose_provenance()..pointers.end.addr()
}

/// Levels in one leaf.
pub(crate) const LEAF_LEVELS: usize = 32;

/// Leaves that hold `levels` levels whatever order they came in: after [`Far::compact`] any two neighbours
/// hold more than one leaf's worth.
pub(crate) const fn leaves_for(levels: usize) -> usize {
    2 * levels / LEAF_LEVELS + 2
}

/// What stands in a leaf where there is no level: above every key, and so that the difference of any two fits.
const KEY_FREE: i64 = 1 << 62;
/// Keys of a leaf that are looked at together: a cache line of them.
const BLOCK: usize = 8;

/// Up to 32 levels in ascending order of key.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(crate) struct Leaf {
    /// The keys, and [`KEY_FREE`] behind the last.
    keys: [i64; LEAF_LEVELS],
    /// Their quantities.
    lots: [i64; LEAF_LEVELS],
}

impl Leaf {
    /// Nothing in it.
    pub(crate) const EMPTY: Leaf = Leaf { keys: [KEY_FREE; LEAF_LEVELS], lots: [0; LEAF_LEVELS] };

    /// How many keys are below `key`: first the block, then the place in it, each without a branch to guess wrong
    /// and without one look waiting for another.
    #[inline]
    fn find(&self, key: i64) -> usize {
        let below = |held: i64| (held.wrapping_sub(key) as u64 >> 63) as usize;
        let keys = &self.keys;
        let block = below(keys[BLOCK - 1]) + below(keys[2 * BLOCK - 1]) + below(keys[3 * BLOCK - 1]);
        let base = block * BLOCK;
        let within: usize = keys[base..base + BLOCK].iter().map(|&held| below(held)).sum();
        base + within
    }
}

const _: () = assert!(LEAF_LEVELS == 4 * BLOCK);

/// The leaf of the last update: the next one often belongs to it too.
#[derive(Clone, Copy, Debug)]
struct Recent {
    /// The keys that belong to it: from this one,
    low: i64,
    /// up to but not this one.
    high: i64,
    /// Its place in the directory.
    entry: usize,
    /// Its place in the pool.
    leaf: usize,
}

impl Recent {
    /// No key belongs to it.
    const NONE: Recent = Recent { low: i64::MAX, high: i64::MIN, entry: 0, leaf: 0 };
}

/// One leaf's place in the order.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Entry {
    /// Its lowest key.
    first: i64,
    /// Its place in the pool.
    leaf: u32,
    /// How many levels it holds; never zero in the directory.
    length: u32,
}

/// Where a level is, or would be.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    entry: usize,
    slot: usize,
}

/// A bounded sorted map from key to lots.
#[derive(Debug)]
pub(crate) struct Far {
    leaves: Box<[Leaf]>,
    directory: Box<[Entry]>,
    /// Leaves not in the directory; the first `leaves.len() - used` are meant.
    spare: Box<[u32]>,
    used: usize,
    length: usize,
    capacity: usize,
    recent: Recent,
}

impl Far {
    /// Over storage that set-up allocated: all three slices have `leaves_for(capacity)` elements.
    pub(crate) fn new(leaves: Box<[Leaf]>, directory: Box<[Entry]>, spare: Box<[u32]>, capacity: usize) -> Far {
        let mut far = Far { leaves, directory, spare, used: 0, length: 0, capacity, recent: Recent::NONE };
        far.clear();
        far
    }

    /// Forgets every level.
    pub(crate) fn clear(&mut self) {
        for (index, leaf) in self.spare.iter_mut().enumerate() {
            *leaf = index as u32;
        }
        self.used = 0;
        self.length = 0;
        self.recent = Recent::NONE;
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
        size_of_val(&*self.leaves) + size_of_val(&*self.directory) + size_of_val(&*self.spare)
    }

    /// Where the two parts of it lie that updates search: leaves and directory.
    pub(crate) fn address_ranges(&self) -> [Range<usize>; 2] {
        [addresses_of(&self.leaves), addresses_of(&self.directory)]
    }

    /// The lowest key; `i64::MAX` if there is none.
    #[inline]
    pub(crate) fn first_key(&self) -> i64 {
        if self.used == 0 { i64::MAX } else { self.directory[0].first }
    }

    /// The quantity at a key; zero if there is none.
    pub(crate) fn lots_at(&self, key: i64) -> i64 {
        if self.used == 0 {
            return 0;
        }
        let place = self.place_in(self.entry_for(key), key);
        match self.level(place) {
            Some((found, lots)) if found == key => lots,
            _ => 0,
        }
    }

    /// Writes the absolute quantity at a key; zero deletes. False if there is no room for a new level.
    pub(crate) fn set(&mut self, key: i64, lots: i64) -> bool {
        if key < self.recent.low || key >= self.recent.high {
            if self.used == 0 {
                return lots == 0 || self.insert_first(key, lots);
            }
            self.turn_to(key);
        }
        let Recent { entry, leaf, .. } = self.recent;
        let leaf = &mut self.leaves[leaf];
        let slot = leaf.find(key);
        if slot < LEAF_LEVELS && leaf.keys[slot] == key {
            if lots == 0 {
                self.remove_run(Place { entry, slot }, 1);
            } else {
                leaf.lots[slot] = lots;
            }
            return true;
        }
        lots == 0 || self.insert(Place { entry, slot }, key, lots)
    }

    /// Makes the leaf that holds a key, or would take it, the recent one.
    fn turn_to(&mut self, key: i64) {
        let entry = self.entry_for(key);
        self.recent = Recent {
            // The first leaf takes whatever is below it, the last one whatever is above.
            low: if entry == 0 { i64::MIN } else { self.directory[entry].first },
            high: self.directory[..self.used].get(entry + 1).map_or(i64::MAX, |next| next.first),
            entry,
            leaf: self.directory[entry].leaf as usize,
        };
    }

    /// The entry whose leaf holds the key or would take it.
    fn entry_for(&self, key: i64) -> usize {
        self.directory[..self.used].partition_point(|entry| entry.first <= key).saturating_sub(1)
    }

    /// The first place in an entry's leaf that is not below the key; one past its end if all are.
    #[inline]
    fn place_in(&self, entry: usize, key: i64) -> Place {
        let slot = self.leaves[self.directory[entry].leaf as usize].find(key);
        Place { entry, slot }
    }

    /// The first place of the whole store whose key is `key` or above.
    pub(crate) fn place_from(&self, key: i64) -> Place {
        if self.used == 0 {
            return Place::default();
        }
        let place = self.place_in(self.entry_for(key), key);
        if place.slot < self.directory[place.entry].length as usize {
            return place;
        }
        Place { entry: place.entry + 1, slot: 0 }
    }

    /// The level at a place; none past the end.
    #[inline]
    pub(crate) fn level(&self, place: Place) -> Option<(i64, i64)> {
        if place.entry >= self.used {
            return None;
        }
        let Entry { leaf, length, .. } = self.directory[place.entry];
        if place.slot >= length as usize {
            return None;
        }
        let leaf = &self.leaves[leaf as usize];
        Some((leaf.keys[place.slot], leaf.lots[place.slot]))
    }

    /// The place after one that holds a level.
    #[inline]
    pub(crate) fn next(&self, place: Place) -> Place {
        let slot = place.slot + 1;
        if slot < self.directory[place.entry].length as usize {
            Place { entry: place.entry, slot }
        } else {
            Place { entry: place.entry + 1, slot: 0 }
        }
    }

    /// Takes out every level whose key is in `from..until` and hands it over, in order.
    pub(crate) fn take_range(&mut self, from: i64, until: i64, mut taken: impl FnMut(i64, i64)) {
        loop {
            let place = self.place_from(from);
            if place.entry >= self.used {
                return;
            }
            let Entry { leaf, length, .. } = self.directory[place.entry];
            let leaf = &self.leaves[leaf as usize];
            let mut end = place.slot;
            while end < length as usize && leaf.keys[end] < until {
                taken(leaf.keys[end], leaf.lots[end]);
                end += 1;
            }
            if end == place.slot {
                return;
            }
            self.remove_run(place, end - place.slot);
        }
    }

    fn insert_first(&mut self, key: i64, lots: i64) -> bool {
        if self.capacity == 0 || !self.open_leaf(0) {
            return false;
        }
        self.write(Place::default(), key, lots);
        true
    }

    /// Puts a new level at its place, splitting the leaf if it is full.
    fn insert(&mut self, place: Place, key: i64, lots: i64) -> bool {
        if self.length == self.capacity {
            return false;
        }
        if (self.directory[place.entry].length as usize) < LEAF_LEVELS {
            self.write(place, key, lots);
            return true;
        }
        if self.used == self.leaves.len() {
            self.compact();
            // There are leaves for any `capacity` levels once neighbours are joined: see `leaves_for`.
            return self.used < self.leaves.len() && self.set(key, lots);
        }
        let place = self.split(place);
        self.write(place, key, lots);
        true
    }

    /// Writes into a leaf that has room.
    fn write(&mut self, place: Place, key: i64, lots: i64) {
        let entry = &mut self.directory[place.entry];
        let leaf = &mut self.leaves[entry.leaf as usize];
        let length = entry.length as usize;
        leaf.keys.copy_within(place.slot..length, place.slot + 1);
        leaf.lots.copy_within(place.slot..length, place.slot + 1);
        leaf.keys[place.slot] = key;
        leaf.lots[place.slot] = lots;
        entry.first = leaf.keys[0];
        entry.length += 1;
        self.length += 1;
        if place.slot == 0 {
            self.recent = Recent::NONE;
        }
    }

    /// Makes room in a full leaf and says where the place is now. A level past the end of the last leaf opens
    /// a new one, so that levels that come in order fill their leaves.
    fn split(&mut self, place: Place) -> Place {
        let opened = self.open_leaf(place.entry + 1);
        debug_assert!(opened, "the caller saw a spare leaf");
        if place.slot == LEAF_LEVELS && place.entry + 2 == self.used {
            return Place { entry: place.entry + 1, slot: 0 };
        }
        const HALF: usize = LEAF_LEVELS / 2;
        let full = self.leaves[self.directory[place.entry].leaf as usize];
        let upper_index = self.directory[place.entry + 1].leaf as usize;
        let upper = &mut self.leaves[upper_index];
        upper.keys[..HALF].copy_from_slice(&full.keys[HALF..]);
        upper.lots[..HALF].copy_from_slice(&full.lots[HALF..]);
        self.leaves[self.directory[place.entry].leaf as usize].keys[HALF..].fill(KEY_FREE);
        self.directory[place.entry].length = HALF as u32;
        self.directory[place.entry + 1].length = HALF as u32;
        self.directory[place.entry + 1].first = full.keys[HALF];
        if place.slot <= HALF { place } else { Place { entry: place.entry + 1, slot: place.slot - HALF } }
    }

    /// Puts a spare leaf, empty, into the directory. False if there is none.
    fn open_leaf(&mut self, entry: usize) -> bool {
        let spare = self.leaves.len() - self.used;
        if spare == 0 {
            return false;
        }
        let leaf = self.spare[spare - 1];
        self.leaves[leaf as usize] = Leaf::EMPTY;
        self.recent = Recent::NONE;
        self.directory.copy_within(entry..self.used, entry + 1);
        self.directory[entry] = Entry { first: 0, leaf, length: 0 };
        self.used += 1;
        true
    }

    fn close_leaf(&mut self, entry: usize) {
        let leaf = self.directory[entry].leaf;
        self.recent = Recent::NONE;
        self.directory.copy_within(entry + 1..self.used, entry);
        self.used -= 1;
        self.spare[self.leaves.len() - self.used - 1] = leaf;
    }

    fn remove_run(&mut self, place: Place, count: usize) {
        let entry = &mut self.directory[place.entry];
        let leaf = &mut self.leaves[entry.leaf as usize];
        let length = entry.length as usize;
        leaf.keys.copy_within(place.slot + count..length, place.slot);
        leaf.lots.copy_within(place.slot + count..length, place.slot);
        leaf.keys[length - count..length].fill(KEY_FREE);
        entry.length -= count as u32;
        entry.first = leaf.keys[0];
        self.length -= count;
        if place.slot == 0 {
            self.recent = Recent::NONE;
        }
        if self.directory[place.entry].length == 0 {
            self.close_leaf(place.entry);
        }
    }

    /// Joins neighbours that fit into one leaf, so that scattered deletions cannot use up the leaves.
    #[cold]
    fn compact(&mut self) {
        let mut kept = 0;
        for entry in 1..self.used {
            let Entry { leaf, length, .. } = self.directory[entry];
            let into = self.directory[kept];
            let joined = (into.length + length) as usize;
            if joined <= LEAF_LEVELS {
                let from = self.leaves[leaf as usize];
                let target = &mut self.leaves[into.leaf as usize];
                let (begin, length) = (into.length as usize, length as usize);
                target.keys[begin..joined].copy_from_slice(&from.keys[..length]);
                target.lots[begin..joined].copy_from_slice(&from.lots[..length]);
                self.directory[kept].length = joined as u32;
                // `entry` leaves have been read so far and `kept + 1` of them stay: the others are spare.
                self.spare[self.leaves.len() - self.used + entry - kept - 1] = leaf;
            } else {
                kept += 1;
                self.directory[kept] = self.directory[entry];
            }
        }
        self.used = kept + 1;
        self.recent = Recent::NONE;
    }

    /// Whether the order, the lengths and the spare leaves are what they should be.
    pub(crate) fn is_consistent(&self) -> bool {
        let mut previous = i64::MIN;
        let mut levels = 0;
        for entry in &self.directory[..self.used] {
            let leaf = &self.leaves[entry.leaf as usize];
            let length = entry.length as usize;
            if length == 0 || length > LEAF_LEVELS || entry.first != leaf.keys[0] {
                return false;
            }
            if leaf.keys[length..].iter().any(|&key| key != KEY_FREE) {
                return false;
            }
            for (&key, &lots) in leaf.keys[..length].iter().zip(&leaf.lots) {
                if key <= previous || lots == 0 {
                    return false;
                }
                previous = key;
            }
            levels += length;
        }
        let spare = &self.spare[..self.leaves.len() - self.used];
        let taken = &self.directory[..self.used];
        let all_leaves = (0..self.leaves.len() as u32)
            .all(|leaf| spare.contains(&leaf) != taken.iter().any(|entry| entry.leaf == leaf));
        levels == self.length && levels <= self.capacity && all_leaves
    }
}
