//! HOT: the venue's own best bid and ask with its update id, kept beside the book and never merged into it.

use crate::limits::TOUCH_HISTORY;
use crate::types::{Level, Nanos, Side};

/// The venue's own best bid and ask, as one message told them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Touch {
    /// Best bid; none if the venue says the side is empty.
    pub bid: Option<Level>,
    /// Best ask; none if the venue says the side is empty.
    pub ask: Option<Level>,
    /// Update id of the book it was taken from; zero if the venue gives none.
    pub sequence: u64,
    /// The venue's event time; zero if the message has none.
    pub event_time: Nanos,
}

impl Touch {
    /// One side.
    #[inline]
    #[must_use]
    pub const fn level(&self, side: Side) -> Option<Level> {
        match side {
            Side::Bid => self.bid,
            Side::Ask => self.ask,
        }
    }

    /// Whether both sides are there and the bid is below the ask.
    #[inline]
    #[must_use]
    pub fn has_spread(&self) -> bool {
        matches!((self.bid, self.ask), (Some(bid), Some(ask)) if bid.tick < ask.tick)
    }

    /// Whether price and quantity of both sides are the same, whatever the times.
    #[inline]
    #[must_use]
    pub fn agrees_with(&self, bid: Option<Level>, ask: Option<Level>) -> bool {
        self.bid == bid && self.ask == ask
    }
}

/// The last [`TOUCH_HISTORY`] touches of one instrument: a touch often comes before the depth message it belongs to.
#[derive(Clone, Debug)]
pub struct TouchHistory {
    /// Update ids apart from the rest, so that a search reads little.
    sequences: [u64; TOUCH_HISTORY],
    touches: [Touch; TOUCH_HISTORY],
    /// Remembered in all; the next one goes to this number modulo the history's length.
    count: u64,
    /// How many of the last ones came in the order of their update ids: where that is all of them, a search halves.
    ordered: u64,
    /// The touch with the highest update id, and of equal ones the last.
    newest: Option<Touch>,
}

impl Default for TouchHistory {
    fn default() -> TouchHistory {
        TouchHistory::new()
    }
}

impl TouchHistory {
    /// Nothing remembered.
    #[must_use]
    pub const fn new() -> TouchHistory {
        const NONE: Touch = Touch { bid: None, ask: None, sequence: 0, event_time: Nanos::ZERO };
        TouchHistory {
            sequences: [0; TOUCH_HISTORY],
            touches: [NONE; TOUCH_HISTORY],
            count: 0,
            ordered: 0,
            newest: None,
        }
    }

    /// Remembers a touch in place of the oldest.
    #[inline]
    pub fn remember(&mut self, touch: Touch) {
        let before = self.sequences[place_of(self.count.wrapping_sub(1))];
        let place = place_of(self.count);
        self.sequences[place] = touch.sequence;
        self.touches[place] = touch;
        self.count += 1;
        self.ordered = if touch.sequence >= before { self.ordered + 1 } else { 1 };
        if self.newest.is_none_or(|newest| touch.sequence >= newest.sequence) {
            self.newest = Some(touch);
        }
    }

    /// Every remembered touch with this update id, the oldest first; none for id zero, which is no id.
    #[inline]
    pub fn with_sequence(&self, sequence: u64) -> impl Iterator<Item = &Touch> {
        let held = self.count.min(TOUCH_HISTORY as u64);
        let oldest = self.count - held;
        let range = match self.newest {
            Some(newest) if sequence != 0 && sequence <= newest.sequence => {
                if self.ordered >= held {
                    self.range_of(oldest, sequence)
                } else {
                    oldest..self.count
                }
            }
            _ => 0..0,
        };
        range.map(place_of).filter(move |&place| self.sequences[place] == sequence).map(|place| &self.touches[place])
    }

    /// The numbers of the touches with an update id, where all that are held ascend.
    #[inline]
    fn range_of(&self, oldest: u64, sequence: u64) -> core::ops::Range<u64> {
        let (mut low, mut high) = (oldest, self.count);
        while low < high {
            let middle = (low + high) / 2;
            if self.sequences[place_of(middle)] < sequence {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let mut end = low;
        while end < self.count && self.sequences[place_of(end)] == sequence {
            end += 1;
        }
        low..end
    }

    /// The touch with the highest update id so far; where the venue gives none, the last.
    #[inline]
    #[must_use]
    pub fn newest(&self) -> Option<&Touch> {
        self.newest.as_ref()
    }

    /// Forgets everything: update ids start over.
    pub fn clear(&mut self) {
        self.sequences = [0; TOUCH_HISTORY];
        self.count = 0;
        self.ordered = 0;
        self.newest = None;
    }
}

/// Where the touch of a number is kept.
#[inline]
const fn place_of(number: u64) -> usize {
    (number % TOUCH_HISTORY as u64) as usize
}

#[cfg(test)]
#[allow(clippy::disallowed_macros)]
mod tests {
    use super::*;

    fn touch(sequence: u64, number: i64) -> Touch {
        Touch { sequence, event_time: Nanos(number), ..Touch::default() }
    }

    #[test]
    fn the_search_finds_what_a_look_at_every_touch_finds() {
        let mut random = 0x9e37_79b9_u64;
        println!("seed {random}");
        let mut next = move |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) % below
        };
        let mut history = TouchHistory::new();
        let mut all = std::collections::VecDeque::new();
        let (mut sequence, mut found) = (100, 0);
        for number in 0..40_000 {
            sequence = match next(400) {
                0 => sequence - next(30).min(sequence),
                1 => 0,
                _ => sequence + next(3),
            };
            if next(3_000) == 0 {
                history.clear();
                all.clear();
            }
            history.remember(touch(sequence, number));
            all.push_back(touch(sequence, number));
            if all.len() > TOUCH_HISTORY {
                all.pop_front();
            }
            let wanted = (sequence + next(4)).saturating_sub(next(80));
            let slow: Vec<Touch> = all.iter().filter(|held| held.sequence == wanted && wanted != 0).copied().collect();
            let fast: Vec<Touch> = history.with_sequence(wanted).copied().collect();
            assert_eq!(fast, slow, "touch {number}, id {wanted}");
            found += fast.len();
        }
        assert!(found > 1_000, "{found}");
    }
}
