//! COLD: fixed rate windows, aligned to the wall clock as the venues align theirs.

use crate::sim::api::{AccountId, SimWindowKind, WindowUse};
use spinbook_engine::types::Nanos;
use std::collections::BTreeMap;

/// One window's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowLimit {
    /// Counts allowed in one window.
    pub limit: u64,
    /// How long one window is.
    pub span: Nanos,
}

/// The exchange's windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimits {
    /// Request weight.
    pub weight: WindowLimit,
    /// Orders, short window.
    pub orders_short: WindowLimit,
    /// Orders, long window.
    pub orders_long: WindowLimit,
    /// Connections.
    pub connections: WindowLimit,
}

impl RateLimits {
    /// The size of one window.
    #[must_use]
    pub fn of(&self, kind: SimWindowKind) -> WindowLimit {
        match kind {
            SimWindowKind::Weight => self.weight,
            SimWindowKind::OrdersShort => self.orders_short,
            SimWindowKind::OrdersLong => self.orders_long,
            SimWindowKind::Connections => self.connections,
        }
    }
}

/// Counts by window and account.
#[derive(Clone, Debug)]
pub struct Windows {
    limits: RateLimits,
    counts: BTreeMap<(SimWindowKind, AccountId), (i64, u64)>,
}

impl Windows {
    /// Nothing counted.
    #[must_use]
    pub fn new(limits: RateLimits) -> Windows {
        Windows { limits, counts: BTreeMap::new() }
    }

    fn current(&self, kind: SimWindowKind, account: AccountId, now: Nanos) -> (WindowLimit, i64, u64) {
        let limit = self.limits.of(kind);
        let window = now.0.div_euclid(limit.span.0);
        match self.counts.get(&(kind, account)) {
            Some((at, used)) if *at == window => (limit, window, *used),
            _ => (limit, window, 0),
        }
    }

    /// What a window says.
    #[must_use]
    pub fn usage(&self, kind: SimWindowKind, account: AccountId, now: Nanos) -> WindowUse {
        let (limit, window, used) = self.current(kind, account, now);
        let resets_at = Nanos((window + 1).saturating_mul(limit.span.0));
        WindowUse { used, limit: limit.limit, allowed: used < limit.limit, resets_at }
    }

    /// Counts `amount` if it fits.
    pub fn charge(&mut self, kind: SimWindowKind, account: AccountId, amount: u64, now: Nanos) -> WindowUse {
        let (limit, window, used) = self.current(kind, account, now);
        let allowed = used + amount <= limit.limit;
        if allowed {
            self.counts.insert((kind, account), (window, used + amount));
        }
        WindowUse { allowed, ..self.usage(kind, account, now) }
    }

    /// Gives back what was counted in this window.
    pub fn refund(&mut self, kind: SimWindowKind, account: AccountId, amount: u64, now: Nanos) {
        let (_, window, used) = self.current(kind, account, now);
        self.counts.insert((kind, account), (window, used.saturating_sub(amount)));
    }

    /// Whether no window counts more than it allows.
    ///
    /// # Errors
    /// What does not hold, in words.
    pub fn check(&self) -> Result<(), String> {
        match self.counts.iter().find(|((kind, _), (_, used))| *used > self.limits.of(*kind).limit) {
            Some(((kind, account), (_, used))) => Err(format!("{kind:?} of {account:?} counts {used}")),
            None => Ok(()),
        }
    }
}
