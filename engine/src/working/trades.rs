//! HOT: the trade ids an instrument has seen: a bounded memory, newest replaces oldest.

use crate::types::{Side, TradeId};

/// Executions remembered; older repeats are caught by the cumulative quantity of their order.
const TRADES_REMEMBERED: usize = 1024;

/// The last executions, by trade id and side (a trade with ourselves has both sides under one id).
#[derive(Clone, Debug)]
pub(super) struct TradeMemory {
    /// A word of each execution, to search: equal executions have equal words. Zero where there is none yet.
    words: [u64; TRADES_REMEMBERED],
    /// The executions themselves, to compare where a word is found.
    trades: [TradeId; TRADES_REMEMBERED],
    sides: [Side; TRADES_REMEMBERED],
    next: usize,
}

impl TradeMemory {
    pub(super) const fn new() -> TradeMemory {
        TradeMemory {
            words: [0; TRADES_REMEMBERED],
            trades: [TradeId(0); TRADES_REMEMBERED],
            sides: [Side::Bid; TRADES_REMEMBERED],
            next: 0,
        }
    }

    /// Ids that are numbers lie below 2^63, so their words differ wherever id or side do.
    fn word(trade: TradeId, side: Side) -> u64 {
        (trade.0 as u64) ^ ((trade.0 >> 64) as u64) ^ ((side as u64) << 63)
    }

    /// Whether this execution is remembered. One without an id never is.
    pub(super) fn contains(&self, trade: TradeId, side: Side) -> bool {
        trade.0 != 0
            && self.words.contains(&Self::word(trade, side))
            && self.trades.iter().zip(&self.sides).any(|held| held == (&trade, &side))
    }

    /// Remembers an execution in the place of the oldest.
    pub(super) fn insert(&mut self, trade: TradeId, side: Side) {
        if trade.0 != 0 {
            self.words[self.next] = Self::word(trade, side);
            self.trades[self.next] = trade;
            self.sides[self.next] = side;
            self.next = (self.next + 1) % TRADES_REMEMBERED;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_128_bits_are_told_apart_even_where_their_words_are_equal() {
        let mut memory = TradeMemory::new();
        let id = TradeId(0x0190_0000_0000_7000_8000_0000_0000_0001);
        memory.insert(id, Side::Bid);
        assert!(memory.contains(id, Side::Bid));
        assert!(!memory.contains(id, Side::Ask), "the other side of a trade with ourselves");
        // Halves changed places, and the top bit stands for the side: words that are equal, ids that are not.
        let swapped = TradeId(id.0.rotate_left(64));
        assert_eq!(TradeMemory::word(swapped, Side::Bid), TradeMemory::word(id, Side::Bid));
        assert!(!memory.contains(swapped, Side::Bid));
        let shifted = TradeId(id.0 ^ (1 << 63));
        assert_eq!(TradeMemory::word(shifted, Side::Ask), TradeMemory::word(id, Side::Bid));
        assert!(!memory.contains(shifted, Side::Ask));
    }

    #[test]
    fn the_newest_replaces_the_oldest_and_no_id_is_never_remembered() {
        let mut memory = TradeMemory::new();
        for trade in 1..=TRADES_REMEMBERED as u128 + 1 {
            memory.insert(TradeId(trade), Side::Ask);
        }
        assert!(!memory.contains(TradeId(1), Side::Ask));
        assert!(memory.contains(TradeId(2), Side::Ask) && memory.contains(TradeId(1025), Side::Ask));
        memory.insert(TradeId(0), Side::Ask);
        assert!(!memory.contains(TradeId(0), Side::Ask) && memory.contains(TradeId(2), Side::Ask));
    }
}
