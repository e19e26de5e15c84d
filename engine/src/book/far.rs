//! HOT: the levels outside a side's window, sorted, in a store whose size is fixed at set-up.
//!
//! Sorted leaves of 32 levels under one sorted directory. An update costs a search in the directory, a search in
//! a leaf and at worst a move within that leaf, whatever the number of levels. Being sorted, the store gives its
//! best level at once, and re-centring takes a whole run of levels out of it.

/// Levels in one leaf.
pub(crate) const LEAF_LEVELS: usize = 32;

/// Leaves that hold `levels` levels whatever order they came in: after [`Far::compact`] any two neighbours
/// hold more than one leaf's worth.
pub(crate) const fn leaves_for(levels: usize) -> usize {
    2 * levels / LEAF_LEVELS + 2
}

/// Up to 32 levels in ascending order of key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leaf {
    /// Key and quantity of each.
    levels: [(i64, i64); LEAF_LEVELS],
}

impl Leaf {
    /// Nothing in it.
    pub(crate) const EMPTY: Leaf = Leaf { levels: [(0, 0); LEAF_LEVELS] };
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
    /// The directory entry of the last update: the next one is often its neighbour.
    recent: usize,
}

impl Far {
    /// Over storage that set-up allocated: all three slices have `leaves_for(capacity)` elements.
    pub(crate) fn new(leaves: Box<[Leaf]>, directory: Box<[Entry]>, spare: Box<[u32]>, capacity: usize) -> Far {
        let mut far = Far { leaves, directory, spare, used: 0, length: 0, capacity, recent: 0 };
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
        self.recent = 0;
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
        if self.used == 0 {
            return lots == 0 || self.insert_first(key, lots);
        }
        let entry = if self.is_recent(key) { self.recent } else { self.entry_for(key) };
        self.recent = entry;
        let place = self.place_in(entry, key);
        let Entry { leaf, length, .. } = self.directory[entry];
        let leaf = &mut self.leaves[leaf as usize];
        if place.slot < length as usize && leaf.levels[place.slot].0 == key {
            if lots == 0 {
                self.remove_run(place, 1);
            } else {
                leaf.levels[place.slot].1 = lots;
            }
            return true;
        }
        lots == 0 || self.insert(place, key, lots)
    }

    /// Whether the key belongs to the leaf of the last update. A stale `recent` only costs a search.
    #[inline]
    fn is_recent(&self, key: i64) -> bool {
        let next = self.recent + 1;
        self.recent < self.used
            && key >= self.directory[self.recent].first
            && (next >= self.used || key < self.directory[next].first)
    }

    /// The entry whose leaf holds the key or would take it.
    fn entry_for(&self, key: i64) -> usize {
        self.directory[..self.used].partition_point(|entry| entry.first <= key).saturating_sub(1)
    }

    /// The first place in an entry's leaf that is not below the key; one past its end if all are.
    #[inline]
    fn place_in(&self, entry: usize, key: i64) -> Place {
        let Entry { leaf, length, .. } = self.directory[entry];
        let slot = self.leaves[leaf as usize].levels[..length as usize].partition_point(|&(held, _)| held < key);
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
        Some(self.leaves[leaf as usize].levels[place.slot])
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
            while end < length as usize && leaf.levels[end].0 < until {
                taken(leaf.levels[end].0, leaf.levels[end].1);
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
        leaf.levels.copy_within(place.slot..length, place.slot + 1);
        leaf.levels[place.slot] = (key, lots);
        entry.first = leaf.levels[0].0;
        entry.length += 1;
        self.length += 1;
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
        upper.levels[..HALF].copy_from_slice(&full.levels[HALF..]);
        self.directory[place.entry].length = HALF as u32;
        self.directory[place.entry + 1].length = HALF as u32;
        self.directory[place.entry + 1].first = full.levels[HALF].0;
        if place.slot <= HALF { place } else { Place { entry: place.entry + 1, slot: place.slot - HALF } }
    }

    /// Puts a spare leaf, empty, into the directory. False if there is none.
    fn open_leaf(&mut self, entry: usize) -> bool {
        let spare = self.leaves.len() - self.used;
        if spare == 0 {
            return false;
        }
        let leaf = self.spare[spare - 1];
        self.directory.copy_within(entry..self.used, entry + 1);
        self.directory[entry] = Entry { first: 0, leaf, length: 0 };
        self.used += 1;
        true
    }

    fn close_leaf(&mut self, entry: usize) {
        let leaf = self.directory[entry].leaf;
        self.directory.copy_within(entry + 1..self.used, entry);
        self.used -= 1;
        self.spare[self.leaves.len() - self.used - 1] = leaf;
    }

    fn remove_run(&mut self, place: Place, count: usize) {
        let entry = &mut self.directory[place.entry];
        let leaf = &mut self.leaves[entry.leaf as usize];
        let length = entry.length as usize;
        leaf.levels.copy_within(place.slot + count..length, place.slot);
        entry.length -= count as u32;
        entry.first = leaf.levels[0].0;
        self.length -= count;
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
                target.levels[into.length as usize..joined].copy_from_slice(&from.levels[..length as usize]);
                self.directory[kept].length = joined as u32;
                // `entry` leaves have been read so far and `kept + 1` of them stay: the others are spare.
                self.spare[self.leaves.len() - self.used + entry - kept - 1] = leaf;
            } else {
                kept += 1;
                self.directory[kept] = self.directory[entry];
            }
        }
        self.used = kept + 1;
    }

    /// Whether the order, the lengths and the spare leaves are what they should be.
    pub(crate) fn is_consistent(&self) -> bool {
        let mut previous = i64::MIN;
        let mut levels = 0;
        for entry in &self.directory[..self.used] {
            let leaf = &self.leaves[entry.leaf as usize];
            let length = entry.length as usize;
            if length == 0 || length > LEAF_LEVELS || entry.first != leaf.levels[0].0 {
                return false;
            }
            for &(key, lots) in &leaf.levels[..length] {
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
