//! COLD: the executions that were seen of an instrument: each is counted once, by trade and side.
//!
//! An account that trades with itself has two executions of one trade.

use std::collections::{HashSet, VecDeque};

use spinbook_engine::types::{Side, TradeId};

/// Trade ids remembered per instrument against double counting.
pub(super) const TRADES_KEPT: usize = 8192;

#[derive(Default)]
pub(super) struct SeenTrades {
    pub(super) known: HashSet<(TradeId, Side)>,
    pub(super) order: VecDeque<(TradeId, Side)>,
}

impl SeenTrades {
    /// True the first time.
    pub(super) fn insert(&mut self, trade: TradeId, side: Side) -> bool {
        if !self.known.insert((trade, side)) {
            return false;
        }
        self.order.push_back((trade, side));
        if self.order.len() > TRADES_KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}
