//! HOT: the executions that were seen of an instrument, over one horizon for everybody who counts them: each counts once, by
//! trade and side.
//!
//! An account that trades with itself has two executions of one trade. What is older than the horizon is known by its time.

use crate::types::{Nanos, Side, TradeId};

/// Executions that are remembered.
pub const TRADES_KEPT: usize = 8192;
/// Places of the index: twice as many, so that searches are short.
const PLACES: usize = 2 * TRADES_KEPT;
/// An odd number whose bits look random: multiplying by it spreads neighbours over all high bits.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

const _: () = assert!(PLACES.is_power_of_two() && TRADES_KEPT < u16::MAX as usize);

/// The last executions of an instrument.
#[derive(Clone, Debug)]
pub struct TradeHorizon {
    trades: Box<[u128]>,
    sides: Box<[u8]>,
    /// The venue's time of each, zero where none was stated.
    times: Box<[i64]>,
    /// Where each is kept, plus one; zero: an empty place.
    places: Box<[u16]>,
    /// Where the next goes: what stands there is the oldest once all are in use.
    next: usize,
    count: usize,
    /// The newest of those that are not remembered any more: what is not newer counts as seen.
    forgotten_until: Nanos,
}

impl Default for TradeHorizon {
    /// Nothing seen yet.
    #[allow(clippy::disallowed_macros)] // at set-up
    fn default() -> TradeHorizon {
        TradeHorizon {
            trades: vec![0; TRADES_KEPT].into_boxed_slice(),
            sides: vec![0; TRADES_KEPT].into_boxed_slice(),
            times: vec![0; TRADES_KEPT].into_boxed_slice(),
            places: vec![0; PLACES].into_boxed_slice(),
            next: 0,
            count: 0,
            forgotten_until: Nanos::ZERO,
        }
    }
}

impl TradeHorizon {
    /// Notes an execution; true the first time. `time` is the venue's, zero if it stated none. One without an id is always
    /// new.
    pub fn insert(&mut self, trade: TradeId, side: Side, time: Nanos) -> bool {
        if self.contains(trade, side, time) {
            return false;
        }
        if trade.0 == 0 {
            return true;
        }
        let slot = self.next;
        self.next = (slot + 1) % TRADES_KEPT;
        if self.count == TRADES_KEPT {
            self.forget(slot);
        } else {
            self.count += 1;
        }
        (self.trades[slot], self.sides[slot], self.times[slot]) = (trade.0, side as u8, time.0);
        let mut place = home(trade.0, side as u8);
        while self.places[place] != 0 {
            place = (place + 1) % PLACES;
        }
        self.places[place] = slot as u16 + 1;
        true
    }

    /// Whether it was seen, or is too old for anybody to know: what the venue says is held tells whether it was.
    #[must_use]
    pub fn contains(&self, trade: TradeId, side: Side, time: Nanos) -> bool {
        let is_forgotten = time != Nanos::ZERO && time <= self.forgotten_until;
        is_forgotten || (trade.0 != 0 && self.place_of(trade.0, side as u8).is_some())
    }

    /// How many are remembered.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    fn place_of(&self, trade: u128, side: u8) -> Option<usize> {
        let mut place = home(trade, side);
        while let Some(slot) = usize::from(self.places[place]).checked_sub(1) {
            if self.trades[slot] == trade && self.sides[slot] == side {
                return Some(place);
            }
            place = (place + 1) % PLACES;
        }
        None
    }

    /// Takes the oldest, which is in this slot, out of the index, and closes the gap.
    fn forget(&mut self, slot: usize) {
        // A stamp that is ahead of all that followed says nothing of those.
        let until = self.times[slot].min(self.times[(slot + 1) % TRADES_KEPT]);
        self.forgotten_until = self.forgotten_until.max(Nanos(until));
        let Some(mut gap) = self.place_of(self.trades[slot], self.sides[slot]) else { return };
        let mut place = gap;
        loop {
            place = (place + 1) % PLACES;
            let Some(held) = usize::from(self.places[place]).checked_sub(1) else { break };
            let distance = |from: usize| place.wrapping_sub(from) % PLACES;
            if distance(home(self.trades[held], self.sides[held])) >= distance(gap) {
                self.places[gap] = self.places[place];
                gap = place;
            }
        }
        self.places[gap] = 0;
    }
}

/// The place where a search begins.
fn home(trade: u128, side: u8) -> usize {
    let word = (trade as u64) ^ ((trade >> 64) as u64).rotate_left(32) ^ (u64::from(side) << 63);
    (word.wrapping_mul(SPREAD) >> (64 - PLACES.trailing_zeros())) as usize
}

#[cfg(test)]
#[allow(clippy::disallowed_macros, clippy::disallowed_methods)]
mod tests {
    use std::collections::{HashSet, VecDeque};

    use super::*;

    #[test]
    fn what_is_forgotten_is_known_by_its_time() {
        let mut seen = TradeHorizon::default();
        let count = TRADES_KEPT as u128 + 3;
        for trade in 1..=count {
            assert!(seen.insert(TradeId(trade), Side::Bid, Nanos(1_000 + trade as i64)));
        }
        assert_eq!((seen.forgotten_until, seen.count()), (Nanos(1_003), TRADES_KEPT));
        assert!(!seen.insert(TradeId(count), Side::Bid, Nanos::ZERO), "the newest is remembered");
        assert!(seen.insert(TradeId(count), Side::Ask, Nanos::ZERO), "the other side of it is another execution");
        assert!(
            !seen.insert(TradeId(2), Side::Bid, Nanos(1_002)),
            "a repeat that nobody remembers counts no second time"
        );
        assert!(
            seen.insert(TradeId(1 << 90), Side::Bid, Nanos(1_005)),
            "and one that is newer than all forgotten does"
        );
        // One stamp that is a day ahead.
        let mut seen = TradeHorizon::default();
        seen.insert(TradeId(1), Side::Bid, Nanos::from_seconds(86_400));
        for trade in 2..=count {
            assert!(seen.insert(TradeId(trade), Side::Bid, Nanos(1_000 + trade as i64)));
        }
        assert!(seen.forgotten_until < Nanos(2_000));
    }

    #[test]
    fn ids_of_128_bits_are_told_apart_and_no_id_is_never_remembered() {
        let mut seen = TradeHorizon::default();
        let id = TradeId(0x0190_0000_0000_7000_8000_0000_0000_0001);
        assert!(seen.insert(id, Side::Bid, Nanos::ZERO));
        assert!(!seen.contains(id, Side::Ask, Nanos::ZERO), "the other side of a trade with ourselves");
        assert!(!seen.contains(TradeId(id.0.rotate_left(64)), Side::Bid, Nanos::ZERO));
        assert!(!seen.contains(TradeId(id.0 ^ (1 << 63)), Side::Ask, Nanos::ZERO));
        assert!(seen.insert(TradeId(0), Side::Bid, Nanos::ZERO) && seen.insert(TradeId(0), Side::Bid, Nanos::ZERO));
        assert_eq!(seen.count(), 1);
    }

    #[test]
    fn it_remembers_what_a_set_and_a_queue_would_through_any_run_of_ids() {
        let mut state = 20_261_122_u64;
        println!("seed {state}");
        let mut draw = |bound: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % bound
        };
        let (mut seen, mut known, mut order) = (TradeHorizon::default(), HashSet::new(), VecDeque::new());
        for step in 0..6 * TRADES_KEPT as u64 {
            // Ids that follow each other, ids in steps of a power of two, and repeats of old and new ones.
            let trade = match draw(4) {
                0 => u128::from(1 + step),
                1 => u128::from(1 + draw(40_000)) << 40,
                2 => u128::from(1 + draw(20_000)),
                _ => u128::from(1 + step.saturating_sub(draw(20_000))),
            };
            let side = if draw(2) == 0 { Side::Bid } else { Side::Ask };
            let is_new = known.insert((trade, side as u8));
            assert_eq!(seen.insert(TradeId(trade), side, Nanos::ZERO), is_new, "step {step}: {trade} {side:?}");
            if is_new {
                order.push_back((trade, side as u8));
            }
            if order.len() > TRADES_KEPT {
                known.remove(&order.pop_front().expect("it is longer"));
            }
        }
        assert_eq!((seen.count(), known.len()), (TRADES_KEPT, TRADES_KEPT), "it went round several times");
    }
}
