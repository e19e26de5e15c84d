//! COLD: the budget of attempts to connect that all threads of a process share.

use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use spinbook_engine::rate::WindowSettings;
use spinbook_engine::types::Nanos;

use crate::connect_budget::{ConnectBudget, ConnectCounters, ConnectPurpose};

/// Where the other thread is counting just now, an attempt waits for this.
const BUSY_WAIT: Nanos = Nanos::from_millis(1);

/// The attempts of this process at one venue. Nobody ever waits for its lock: who does not get it asks again.
#[derive(Debug)]
pub struct ConnectAttempts(Mutex<ConnectBudget>);

impl ConnectAttempts {
    /// Nothing attempted yet; `limit` is the venue's own.
    #[must_use]
    pub const fn new(limit: WindowSettings) -> ConnectAttempts {
        ConnectAttempts(Mutex::new(ConnectBudget::new(limit)))
    }

    /// Takes one attempt.
    ///
    /// # Errors
    /// None may be made for so long.
    pub fn take(&self, purpose: ConnectPurpose, now: Nanos) -> Result<(), Nanos> {
        let mut budget = self.budget().ok_or(BUSY_WAIT)?;
        budget.take(purpose, now).map_err(|at| at - now)
    }

    /// A connection came through.
    pub fn opened(&self) {
        if let Some(mut budget) = self.budget() {
            budget.opened();
        }
    }

    /// One could not be opened, or not in time.
    pub fn failed(&self) {
        if let Some(mut budget) = self.budget() {
            budget.failed();
        }
    }

    /// What was counted; nothing while somebody counts.
    #[must_use]
    pub fn counters(&self) -> ConnectCounters {
        self.budget().map(|budget| budget.counters()).unwrap_or_default()
    }

    fn budget(&self) -> Option<MutexGuard<'_, ConnectBudget>> {
        match self.0.try_lock() {
            Ok(budget) => Some(budget),
            Err(TryLockError::Poisoned(poisoned)) => Some(PoisonError::into_inner(poisoned)),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_finds_it_taken_is_put_off_for_a_moment() {
        let limit = WindowSettings { count_max: 300, span: Nanos::from_seconds(300) };
        let attempts = ConnectAttempts::new(limit);
        assert_eq!(attempts.take(ConnectPurpose::Market, Nanos::ZERO), Ok(()));
        let held = attempts.0.lock().unwrap();
        assert_eq!(attempts.take(ConnectPurpose::Orders, Nanos::ZERO), Err(BUSY_WAIT));
        drop(held);
        assert_eq!(attempts.take(ConnectPurpose::Orders, Nanos::ZERO), Ok(()));
        let counters = ConnectCounters { market: 1, orders: 1, ..ConnectCounters::default() };
        assert_eq!(attempts.counters(), counters);
    }
}
