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
        TouchHistory { sequences: [0; TOUCH_HISTORY], touches: [NONE; TOUCH_HISTORY], count: 0, newest: None }
    }

    /// Remembers a touch in place of the oldest.
    #[inline]
    pub fn remember(&mut self, touch: Touch) {
        let index = (self.count % TOUCH_HISTORY as u64) as usize;
        self.sequences[index] = touch.sequence;
        self.touches[index] = touch;
        self.count += 1;
        if self.newest.is_none_or(|newest| touch.sequence >= newest.sequence) {
            self.newest = Some(touch);
        }
    }

    /// Every remembered touch with this update id; none for id zero, which is no id.
    #[inline]
    pub fn with_sequence(&self, sequence: u64) -> impl Iterator<Item = &Touch> {
        let same = move |(_, held): &(&Touch, &u64)| **held == sequence && sequence != 0;
        self.touches.iter().zip(&self.sequences).filter(same).map(|(touch, _)| touch)
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
        self.newest = None;
    }
}
