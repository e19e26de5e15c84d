//! COLD: the controls of speed and price in a report: how often they struck.

use serde::Serialize;

/// How often controls struck that say nothing of themselves anywhere else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Controls {
    /// Executions beyond their orders' prices.
    pub slippages: u64,
    /// Orders and amendments that the venue answered too late.
    pub acks_slow: u64,
    /// Times that our own orders were too slow.
    pub orders_slow: u64,
    /// Times that what is open at a venue was pulled for either, or trading halted.
    pub venues_slow: u64,
    /// Orders that a gateway refused for their price.
    pub refused_collar: u64,
}

impl Controls {
    /// Those that struck, by name.
    pub(super) fn struck(&self) -> Vec<(&'static str, u64)> {
        let Controls { slippages, acks_slow, orders_slow, venues_slow, refused_collar } = *self;
        let all = [
            ("slippages", slippages),
            ("slow answers", acks_slow),
            ("slow orders", orders_slow),
            ("pulled for it", venues_slow),
            ("collar at the gateway", refused_collar),
        ];
        all.into_iter().filter(|(_, count)| *count > 0).collect()
    }
}
