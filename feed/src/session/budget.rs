//! HOT: how many messages a connection may still send, with a reserve for what cannot wait.

use spinbook_engine::rate::{SlidingWindow, WindowSettings};
use spinbook_engine::types::Nanos;

/// At most `limit` messages in any window of `window`, counted by the one [`SlidingWindow`].
#[derive(Clone, Debug)]
pub struct MessageBudget {
    window: SlidingWindow,
}

impl MessageBudget {
    /// At most `limit` messages (one, where it is zero) in any `window`.
    #[must_use]
    pub const fn new(limit: u32, window: Nanos) -> MessageBudget {
        let count_max = if limit == 0 { 1 } else { limit };
        MessageBudget { window: SlidingWindow::new(WindowSettings { count_max, span: window }) }
    }

    /// Messages that may be sent now.
    #[must_use]
    pub fn left(&mut self, now: Nanos) -> u32 {
        self.window.room(now)
    }

    /// Takes one message if more than `reserve` are left.
    #[inline]
    #[must_use]
    pub fn take(&mut self, now: Nanos, reserve: u32) -> bool {
        if self.left(now) <= reserve {
            return false;
        }
        self.note(now);
        true
    }

    /// Counts a message that had to be sent even if none was left (a pong).
    #[inline]
    pub fn note(&mut self, now: Nanos) {
        self.window.take(1, now);
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
        // The window forgets in parts of 1/64: never before the span is over, at most two parts later.
        assert_eq!(budget.left(Nanos(999_999_999)), 0);
        assert_eq!(budget.left(Nanos::from_millis(1_032)), 5);
    }
}
