//! HOT: the trade ids an instrument has seen: a bounded memory, newest replaces oldest.

use crate::types::{Side, TradeId};

/// Executions remembered; older repeats are caught by the cumulative quantity of their order.
const TRADES_REMEMBERED: usize = 1024;

/// The last executions, by trade id and side (a trade with ourselves has both sides under one id).
#[derive(Clone, Debug)]
pub(super) struct TradeMemory {
    keys: [u64; TRADES_REMEMBERED],
    next: usize,
}

impl TradeMemory {
    pub(super) const fn new() -> TradeMemory {
        TradeMemory { keys: [0; TRADES_REMEMBERED], next: 0 }
    }

    /// Venues number trades far below 2^63, so the top bit is free for the side.
    fn key(trade: TradeId, side: Side) -> u64 {
        trade.0 ^ ((side as u64) << 63)
    }

    /// Whether this execution is remembered. One without an id never is.
    pub(super) fn contains(&self, trade: TradeId, side: Side) -> bool {
        trade.0 != 0 && self.keys.contains(&Self::key(trade, side))
    }

    /// Remembers an execution in the place of the oldest.
    pub(super) fn insert(&mut self, trade: TradeId, side: Side) {
        if trade.0 != 0 {
            self.keys[self.next] = Self::key(trade, side);
            self.next = (self.next + 1) % TRADES_REMEMBERED;
        }
    }
}
