//! HOT: what the first levels of a side hold, kept while levels are written.

use core::cell::Cell;

use super::key::KEY_NONE;

/// What the first levels of a side hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Top {
    /// A key that none of them is behind and every other level is; `KEY_NONE` if the side has no other.
    pub(crate) key_last: i64,
    /// Their quantities' sum.
    pub(crate) lots: i128,
    /// How many they are.
    pub(crate) held: usize,
}

/// The last [`Top`] that was asked for, brought up to date by every write.
///
/// Kept field by field: copied as a whole right after a field of it was written, it would have to wait until that
/// write has left the processor's queue, behind all the writes of the message.
#[derive(Debug, Default)]
pub(crate) struct TopCache {
    /// How many levels were asked for; zero: nothing is known.
    asked: Cell<usize>,
    key_last: Cell<i64>,
    lots: Cell<i128>,
    /// Levels up to `key_last`: as many as were asked for until one comes or goes.
    held: Cell<usize>,
}

impl TopCache {
    /// The first `levels` levels, if they are known.
    #[inline]
    pub(crate) fn of(&self, levels: usize) -> Option<Top> {
        let held = self.held.get();
        let is_all = self.key_last.get() == KEY_NONE && held < levels;
        (self.asked.get() == levels && (held == levels || is_all)).then(|| self.known())
    }

    /// How many levels were asked for, and what is held for them; none if nothing is known.
    pub(crate) fn asked(&self) -> Option<(usize, Top)> {
        (self.asked.get() != 0).then(|| (self.asked.get(), self.known()))
    }

    #[inline]
    fn known(&self) -> Top {
        Top { key_last: self.key_last.get(), lots: self.lots.get(), held: self.held.get() }
    }

    /// Notes what was found for `levels` levels.
    #[inline]
    pub(crate) fn set(&self, levels: usize, top: Top) {
        self.asked.set(levels);
        self.key_last.set(top.key_last);
        self.lots.set(top.lots);
        self.held.set(top.held);
    }

    /// Nothing is known any more.
    pub(crate) fn forget(&self) {
        self.asked.set(0);
    }

    /// Before levels are written to a side whose best one has the key `best_key`.
    #[inline]
    pub(crate) fn delta(&self, best_key: i64) -> TopDelta {
        let is_known = self.asked.get() != 0 && self.key_last.get() >= best_key;
        let key_last = if is_known { self.key_last.get() } else { best_key };
        TopDelta { key_last, lowest: KEY_NONE, lots: 0, held: 0, is_known }
    }

    /// After they were written.
    #[inline]
    pub(crate) fn keep(&self, delta: TopDelta) {
        if delta.lowest == KEY_NONE {
            return;
        }
        if delta.is_known {
            self.lots.set(self.lots.get() + delta.lots);
            self.held.set(self.held.get().wrapping_add_signed(delta.held));
        } else {
            self.forget();
        }
    }
}

/// Looks at the writes of one message to the first levels of a side, and at no others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TopDelta {
    /// Writes up to this key are looked at: no level is better than the best one.
    pub(crate) key_last: i64,
    /// The lowest of their keys; `KEY_NONE` if there was none.
    pub(crate) lowest: i64,
    /// By how much the quantities' sum changed.
    lots: i128,
    /// How many levels more there are.
    held: isize,
    /// What changes is known.
    is_known: bool,
}

impl TopDelta {
    /// A quantity is written in place of another.
    #[inline]
    pub(crate) fn on_write(&mut self, key: i64, before: i64, lots: i64) {
        self.lowest = self.lowest.min(key);
        self.lots += i128::from(lots) - i128::from(before);
        self.held += isize::from(lots != 0) - isize::from(before != 0);
    }

    /// A quantity is written in place of one that is not known.
    #[cold]
    pub(crate) fn on_write_blind(&mut self, key: i64) {
        self.lowest = self.lowest.min(key);
        self.is_known = false;
    }
}
