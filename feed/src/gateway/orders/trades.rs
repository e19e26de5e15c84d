//! COLD: the executions that were seen of an instrument: each is counted once, by trade and side.
//!
//! An account that trades with itself has two executions of one trade.

use std::collections::{HashSet, VecDeque};

use spinbook_engine::types::{Nanos, Side, TradeId};

/// Trade ids remembered per instrument against double counting.
pub(super) const TRADES_KEPT: usize = 8192;

#[derive(Default)]
pub(super) struct SeenTrades {
    pub(super) known: HashSet<(TradeId, Side)>,
    pub(super) order: VecDeque<(TradeId, Side, Nanos)>,
    /// The newest of those that are not remembered any more, in the venue's time: what is not newer counts as seen.
    pub(super) forgotten_until: Nanos,
}

impl SeenTrades {
    /// True the first time. `time` is the venue's, zero if it did not state one.
    pub(super) fn insert(&mut self, trade: TradeId, side: Side, time: Nanos) -> bool {
        if self.contains(trade, side, time) {
            return false;
        }
        self.known.insert((trade, side));
        self.order.push_back((trade, side, time));
        if self.order.len() > TRADES_KEPT
            && let Some((trade, side, time)) = self.order.pop_front()
        {
            self.known.remove(&(trade, side));
            // A stamp that is ahead of all that followed says nothing of those.
            let next = self.order.front().map_or(time, |(.., next)| *next);
            self.forgotten_until = self.forgotten_until.max(time.min(next));
        }
        true
    }

    /// Whether it was counted, or is too old for anybody to know: what the venue says is held tells whether it was.
    pub(super) fn contains(&self, trade: TradeId, side: Side, time: Nanos) -> bool {
        let is_forgotten = time != Nanos::ZERO && time <= self.forgotten_until;
        self.known.contains(&(trade, side)) || is_forgotten
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_forgotten_is_known_by_its_time() {
        let mut seen = SeenTrades::default();
        let count = TRADES_KEPT as u128 + 3;
        for trade in 1..=count {
            assert!(seen.insert(TradeId(trade), Side::Bid, Nanos(1_000 + trade as i64)));
        }
        assert_eq!(seen.forgotten_until, Nanos(1_003));
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
        let mut seen = SeenTrades::default();
        seen.insert(TradeId(1), Side::Bid, Nanos::from_seconds(86_400));
        for trade in 2..=count {
            assert!(seen.insert(TradeId(trade), Side::Bid, Nanos(1_000 + trade as i64)));
        }
        assert!(seen.forgotten_until < Nanos(2_000));
    }
}
