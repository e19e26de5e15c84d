//! COLD: the trade ids that were seen of an instrument: each execution is counted once.

use std::collections::{HashSet, VecDeque};

use spinbook_engine::types::TradeId;

/// Trade ids remembered per instrument against double counting.
pub(super) const TRADES_KEPT: usize = 8192;

#[derive(Default)]
pub(super) struct SeenTrades {
    pub(super) known: HashSet<TradeId>,
    pub(super) order: VecDeque<TradeId>,
}

impl SeenTrades {
    /// True the first time.
    pub(super) fn insert(&mut self, trade: TradeId) -> bool {
        if !self.known.insert(trade) {
            return false;
        }
        self.order.push_back(trade);
        if self.order.len() > TRADES_KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}
