//! COLD: the numbers under which one instrument's market is served: the market's own, with ours in between.
//!
//! A market that is played knows nothing of our orders, so its update ids leave no room for them. A change of ours takes
//! the next free number, and whatever the market numbers afterwards moves up by as much. Numbers of before and after a
//! change of ours therefore never meet, and a best bid/ask and a depth update of one number tell of one moment.

use crate::sync::UpdateIds;
use spinbook_engine::types::Level;

/// Update ids of one instrument, as clients see them.
#[derive(Clone, Debug, Default)]
pub struct ServedIds {
    /// Numbers that an earlier exchange may have used, until the market's first is known.
    floor: u64,
    /// By how much the market's numbers are moved up.
    shift: u64,
    /// The market's own number of its last depth message or snapshot.
    depth_original: u64,
    /// The same as of our last change: what comes later and is not above it was numbered before.
    change_original: u64,
    /// The number of the last depth message that was served.
    depth: u64,
    /// The highest number that was served.
    last: u64,
    /// The best bid and ask that were served last.
    touch: Option<[Option<Level>; 2]>,
}

impl ServedIds {
    /// Numbers above `last`: an exchange that goes on where an earlier one ended.
    #[must_use]
    pub fn above(last: u64) -> ServedIds {
        ServedIds { floor: last, last, ..ServedIds::default() }
    }

    /// The market's first number decides by how much it is moved above an earlier exchange's.
    fn settle(&mut self, id: u64) {
        if self.floor > 0 {
            self.shift = (self.floor + 1).saturating_sub(id);
            self.floor = 0;
        }
    }

    /// The number of the last depth message that was served.
    #[must_use]
    pub const fn depth(&self) -> u64 {
        self.depth
    }

    /// The highest number that was served.
    #[must_use]
    pub const fn last(&self) -> u64 {
        self.last
    }

    /// The market's snapshot.
    pub fn snapshot(&mut self, id: u64) {
        self.settle(id);
        if id >= self.depth_original {
            (self.depth_original, self.depth) = (id, id + self.shift);
            self.last = self.last.max(self.depth);
        }
    }

    /// The market's depth message.
    pub fn market_depth(&mut self, ids: UpdateIds) -> UpdateIds {
        self.settle(ids.first);
        let before = (self.depth_original, self.depth);
        let follows = |id: u64, next: u64| id == before.0 + next && before.0 > 0;
        let moved = |id: u64| id + self.shift;
        let served = UpdateIds {
            first: if follows(ids.first, 1) { before.1 + 1 } else { moved(ids.first) },
            last: moved(ids.last),
            previous: if follows(ids.previous, 0) { before.1 } else { moved(ids.previous) },
        };
        if ids.last > self.depth_original {
            (self.depth_original, self.depth) = (ids.last, served.last);
            self.last = self.last.max(served.last);
        }
        served
    }

    /// The market's best bid and ask.
    pub fn market_touch(&mut self, id: u64) -> u64 {
        self.settle(id);
        if id <= self.change_original {
            // It was numbered before our last change and came after it.
            return self.change();
        }
        let served = id + self.shift;
        self.last = self.last.max(served);
        served
    }

    /// A depth message of ours.
    pub fn own_depth(&mut self) -> UpdateIds {
        let (first, previous) = (self.depth + 1, self.depth);
        let last = self.change();
        self.depth = last;
        UpdateIds { first, last, previous }
    }

    /// A best bid and ask of ours.
    pub fn own_touch(&mut self) -> u64 {
        self.change()
    }

    /// Keeps the best bid and ask that are served; `false` if the same were served last.
    pub fn touch_changes(&mut self, touch: [Option<Level>; 2]) -> bool {
        self.touch.replace(touch) != Some(touch)
    }

    /// The next free number; the market's next are above it.
    fn change(&mut self) -> u64 {
        self.last += 1;
        self.change_original = self.depth_original;
        self.shift = self.last - self.depth_original;
        self.last
    }
}

/// Trade ids of one instrument, as clients see them: the market's without a gap, with ours in between.
#[derive(Clone, Debug, Default)]
pub struct TradeIds {
    /// By how much the market's are moved.
    shift: i64,
    /// The last that was served, if any was.
    last: Option<u64>,
}

impl TradeIds {
    /// Ids above `last`.
    #[must_use]
    pub fn above(last: u64) -> TradeIds {
        TradeIds { shift: 0, last: Some(last) }
    }

    /// The last that was served; zero if none was.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.last.unwrap_or(0)
    }

    /// A trade of ours.
    pub fn own(&mut self) -> u64 {
        let id = self.last() + 1;
        self.shift += i64::from(self.last.is_some());
        self.last = Some(id);
        id
    }

    /// A trade of the market.
    pub fn market(&mut self, id: u64) -> u64 {
        let next = self.last() + 1;
        if id.saturating_add_signed(self.shift) < next {
            self.shift = i64::try_from(next).unwrap_or(i64::MAX).saturating_sub(i64::try_from(id).unwrap_or(0));
        }
        let served = id.saturating_add_signed(self.shift);
        self.last = Some(served);
        served
    }

    /// A trade of the market that is not served, because all of it was ours.
    pub fn leave_out(&mut self) {
        self.shift -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(first: u64, last: u64, previous: u64) -> UpdateIds {
        UpdateIds { first, last, previous }
    }

    #[test]
    fn numbers_are_the_markets_own_until_something_of_ours_happens() {
        let mut served = ServedIds::default();
        served.snapshot(100);
        assert_eq!(served.market_depth(ids(101, 105, 100)), ids(101, 105, 100));
        assert_eq!((served.market_touch(107), served.depth()), (107, 105));
    }

    #[test]
    fn a_change_of_ours_takes_a_number_and_the_chain_goes_on_behind_it() {
        let mut served = ServedIds::default();
        served.snapshot(100);
        assert_eq!(served.market_touch(107), 107);
        assert_eq!(served.own_touch(), 108);
        assert_eq!(served.own_depth(), ids(101, 109, 100));
        // The market's own numbers 101 to 107 are used up: its next depth message lies above all of them.
        let next = served.market_depth(ids(101, 105, 100));
        assert_eq!((next.first, next.previous), (110, 109));
        assert!(next.last > 109);
        // The same number again is the same moment: depth and best bid/ask still agree.
        assert_eq!(served.market_touch(105), next.last);
        // One that was numbered before and came late takes a number that nothing else has.
        let late = served.market_touch(99);
        assert!(late > next.last);
        assert_eq!(served.market_depth(ids(106, 110, 105)).first, next.last + 1);
    }

    #[test]
    fn a_gap_of_the_market_stays_a_gap() {
        let mut served = ServedIds::default();
        served.snapshot(100);
        served.own_depth();
        let next = served.market_depth(ids(103, 105, 102));
        assert!(next.first > served.last() - 3 && next.first > 102 && next.previous != 101);
    }

    #[test]
    fn an_exchange_that_goes_on_numbers_above_its_earlier_self() {
        let mut served = ServedIds::above(5_000);
        served.snapshot(100);
        assert_eq!(served.depth(), 5_001);
        assert_eq!(served.market_depth(ids(101, 105, 100)), ids(5_002, 5_006, 5_001));
    }

    #[test]
    fn trade_ids_have_no_gap_and_never_repeat() {
        let mut trades = TradeIds::default();
        assert_eq!((trades.market(500), trades.own(), trades.own()), (500, 501, 502));
        assert_eq!(trades.market(501), 503);
        assert_eq!(trades.own(), 504);
        trades.leave_out();
        assert_eq!(trades.market(503), 505);
        let mut early = TradeIds::default();
        assert_eq!((early.own(), early.market(700), early.market(701)), (1, 700, 701));
        let mut again = TradeIds::above(900);
        assert_eq!((again.market(500), again.market(501), again.own()), (901, 902, 903));
    }
}
