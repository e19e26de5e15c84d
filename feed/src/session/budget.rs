//! HOT: how many messages a connection may still send: a sliding window of their times.

use spinbook_engine::types::Nanos;

/// Most messages a window may allow.
pub const WINDOW_MESSAGES_MAX: usize = 64;

/// At most `limit` messages in any window of `window`.
#[derive(Clone, Copy, Debug)]
pub struct MessageBudget {
    limit: usize,
    window: Nanos,
    times: [Nanos; WINDOW_MESSAGES_MAX],
    next: usize,
    sent: u64,
}

impl MessageBudget {
    /// At most `limit` (1 to [`WINDOW_MESSAGES_MAX`]) messages in any `window`.
    #[must_use]
    pub fn new(limit: u32, window: Nanos) -> MessageBudget {
        MessageBudget {
            limit: (limit as usize).clamp(1, WINDOW_MESSAGES_MAX),
            window,
            times: [Nanos(i64::MIN); WINDOW_MESSAGES_MAX],
            next: 0,
            sent: 0,
        }
    }

    /// Messages that may be sent now.
    #[must_use]
    pub fn left(&self, now: Nanos) -> usize {
        self.times[..self.limit].iter().filter(|sent| now - **sent >= self.window).count()
    }

    /// Takes one message if more than `reserve` are left.
    #[inline]
    #[must_use]
    pub fn take(&mut self, now: Nanos, reserve: usize) -> bool {
        if self.left(now) <= reserve {
            return false;
        }
        self.note(now);
        true
    }

    /// Counts a message that had to be sent even if none was left (a pong).
    #[inline]
    pub fn note(&mut self, now: Nanos) {
        self.times[self.next] = now;
        self.next = (self.next + 1) % self.limit;
        self.sent += 1;
    }

    /// Messages counted in all.
    #[must_use]
    pub const fn sent(&self) -> u64 {
        self.sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_window_ever_holds_more_than_the_limit() {
        let mut budget = MessageBudget::new(5, Nanos::from_seconds(1));
        let mut taken = Vec::new();
        for step in 0..400 {
            let now = Nanos::from_millis(step * 37);
            if budget.take(now, 0) {
                taken.push(now);
            }
        }
        for (index, start) in taken.iter().enumerate() {
            let inside = taken[index..].iter().take_while(|at| **at - *start < Nanos::from_seconds(1)).count();
            assert!(inside <= 5);
        }
        assert!(taken.len() > 60, "the budget is used: {}", taken.len());
    }

    #[test]
    fn a_reserve_is_kept_for_pongs() {
        let mut budget = MessageBudget::new(5, Nanos::from_seconds(1));
        for _ in 0..4 {
            assert!(budget.take(Nanos::ZERO, 1));
        }
        assert!(!budget.take(Nanos::ZERO, 1));
        budget.note(Nanos::ZERO);
        assert_eq!(budget.left(Nanos::ZERO), 0);
        assert_eq!(budget.left(Nanos::from_seconds(1)), 5);
    }
}
