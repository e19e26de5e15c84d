//! HOT: the venue's own best bid and ask with its update id, kept beside the book and never merged into it.

use crate::limits::{TOUCH_AHEAD_IDS_MAX, TOUCH_HISTORY};
use crate::prefetch::prefetch;
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
    /// The best level of one side; none if the venue says the side is empty.
    #[inline]
    #[must_use]
    pub const fn level(&self, side: Side) -> Option<Level> {
        match side {
            Side::Bid => self.bid,
            Side::Ask => self.ask,
        }
    }

    /// Whether its update id is newer than that of a book, and near enough to be believed.
    #[inline]
    #[must_use]
    pub const fn is_just_ahead_of(&self, sequence: u64) -> bool {
        // An older id wraps around to a distance that is not near.
        self.sequence.wrapping_sub(sequence).wrapping_sub(1) < TOUCH_AHEAD_IDS_MAX
    }

    /// Whether both sides are there and the bid is below the ask.
    #[inline]
    #[must_use]
    pub fn has_spread(&self) -> bool {
        matches!((self.bid, self.ask), (Some(bid), Some(ask)) if bid.tick < ask.tick)
    }

    /// Whether price and quantity of both sides are the same; times and update ids are not compared.
    #[inline]
    #[must_use]
    pub fn agrees_with(&self, bid: Option<Level>, ask: Option<Level>) -> bool {
        is_same(self.bid, bid) & is_same(self.ask, ask)
    }
}

/// Equality without a branch on any of the values.
#[inline]
fn is_same(one: Option<Level>, other: Option<Level>) -> bool {
    let (a, b) = (one.unwrap_or_default(), other.unwrap_or_default());
    (one.is_some() == other.is_some()) & (a.tick == b.tick) & (a.lots == b.lots)
}

/// What a comparison with the remembered touches found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Touches with the update id.
    pub checked: u64,
    /// Of these, the ones that agree.
    pub matched: u64,
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
    /// A history without a touch.
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

    /// Asks for what the next touch and the next comparison need.
    pub(crate) fn warm(&self) {
        prefetch(&self.sequences);
        prefetch(&self.touches[place_of(self.count)]);
        prefetch(&self.newest);
    }

    /// How many of the remembered touches have this update id, and how many of those agree with a best bid and ask;
    /// id zero is no id.
    ///
    /// A depth message mostly meets one of the last touches or none, and which is as good as random: so the last ones
    /// are all looked at, side by side and without a branch on what is found.
    #[inline]
    #[must_use]
    pub fn compare(&self, sequence: u64, bid: Option<Level>, ask: Option<Level>) -> Compared {
        let place_before = |back: u64| place_of(self.count.wrapping_sub(back));
        let found = (1..=LOOKED_AT)
            .fold(0, |found, back| found | u32::from(self.sequences[place_before(back)] == sequence) << back);
        // No older touch can match if update ids ascend and the oldest one looked at is below `sequence`; places that
        // hold no touch yet count as id 0.
        let is_all = self.ordered >= self.count.min(TOUCH_HISTORY as u64)
            && self.sequences[place_before(LOOKED_AT)] < sequence
            && found & found.wrapping_sub(1) == 0;
        if !is_all {
            return self.compare_all(sequence, bid, ask);
        }
        let back = u64::from(found.trailing_zeros());
        let agrees = self.touches[place_before(back)].agrees_with(bid, ask);
        Compared { checked: u64::from(found != 0), matched: u64::from((found != 0) & agrees) }
    }

    /// [`TouchHistory::compare`] with every touch that is held.
    #[inline(never)]
    fn compare_all(&self, sequence: u64, bid: Option<Level>, ask: Option<Level>) -> Compared {
        let mut compared = Compared::default();
        if sequence == 0 {
            return compared;
        }
        let held = self.count.min(TOUCH_HISTORY as u64);
        let mut numbers = self.count - held..self.count;
        if self.ordered >= held {
            // They ascend: the search halves.
            let mut above = numbers.end;
            while numbers.start < above {
                let middle = (numbers.start + above) / 2;
                if self.sequences[place_of(middle)] < sequence {
                    numbers.start = middle + 1;
                } else {
                    above = middle;
                }
            }
        }
        for place in numbers.map(place_of) {
            if self.sequences[place] == sequence {
                compared.checked += 1;
                compared.matched += u64::from(self.touches[place].agrees_with(bid, ask));
            } else if self.ordered >= held {
                break;
            }
        }
        compared
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

/// How many of the last touches [`TouchHistory::compare`] looks at before it looks at all of them.
const LOOKED_AT: u64 = 8;

const _: () = assert!(TOUCH_HISTORY.is_power_of_two() && LOOKED_AT < 32 && LOOKED_AT as usize <= TOUCH_HISTORY);

/// Where the touch of a number is kept.
#[inline]
const fn place_of(number: u64) -> usize {
    (number % TOUCH_HISTORY as u64) as usize
}

#[cfg(test)]
#[allow(clippy::disallowed_macros)]
mod tests {
    use super::*;

    fn level(number: u64) -> Option<Level> {
        let level = |tick| Level { tick: crate::types::Tick(tick), lots: crate::types::Lots(1) };
        [None, Some(level(0)), Some(level(1))][number as usize % 3]
    }

    #[test]
    fn the_comparison_finds_what_a_look_at_every_touch_finds() {
        let mut random = 0x9e37_79b9_u64;
        println!("seed {random}");
        let mut next = move |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) % below
        };
        let mut history = TouchHistory::new();
        let mut all = std::collections::VecDeque::new();
        let (mut sequence, mut found, mut agreed, mut several) = (100, 0, 0, 0);
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
            let touch = Touch { bid: level(next(3)), ask: level(next(3)), sequence, event_time: Nanos(number) };
            history.remember(touch);
            all.push_back(touch);
            if all.len() > TOUCH_HISTORY {
                all.pop_front();
            }
            let wanted = (sequence + next(4)).saturating_sub(next(80));
            let (bid, ask) = (level(next(3)), level(next(3)));
            let of_id = || all.iter().filter(|held| held.sequence == wanted && wanted != 0);
            let slow = Compared {
                checked: of_id().count() as u64,
                matched: of_id().filter(|held| held.bid == bid && held.ask == ask).count() as u64,
            };
            assert_eq!(history.compare(wanted, bid, ask), slow, "touch {number}, id {wanted}");
            found += slow.checked;
            agreed += slow.matched;
            several += u64::from(slow.checked > 1);
        }
        assert!(found > 1_000 && agreed > 100 && several > 100, "{found} {agreed} {several}");
    }
}
