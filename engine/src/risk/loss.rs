//! HOT: the daily loss stop: realised and unrealised result since midnight UTC against one limit.

use crate::types::{Nanos, QuoteAtoms};

const NANOS_PER_DAY: i64 = 86_400 * 1_000_000_000;

/// The result of the day against its limit.
#[derive(Clone, Copy, Debug)]
pub struct LossStop {
    loss_max: QuoteAtoms,
    /// The next midnight; before everything at first.
    day_end: Nanos,
    /// Twice the result at which the limit is reached today.
    floor_doubled: i128,
    started: bool,
}

impl LossStop {
    /// Stops at a loss of `loss_max` or more since midnight UTC, or since the start on the first day.
    #[must_use]
    pub const fn new(loss_max: QuoteAtoms) -> LossStop {
        LossStop { loss_max, day_end: Nanos(i64::MIN), floor_doubled: i128::MIN, started: false }
    }

    /// Whether the limit is reached, given twice what trading earned on all instruments since the start.
    #[inline]
    pub fn is_reached(&mut self, pnl_doubled: i128, now: Nanos) -> bool {
        if now >= self.day_end {
            self.begin_day(pnl_doubled, now);
        }
        pnl_doubled <= self.floor_doubled
    }

    #[cold]
    fn begin_day(&mut self, pnl_doubled: i128, now: Nanos) {
        // The first day counts from the start of the run, where the result is zero.
        let before = if self.started { pnl_doubled } else { 0 };
        self.started = true;
        self.day_end = Nanos((now.0.div_euclid(NANOS_PER_DAY) + 1).saturating_mul(NANOS_PER_DAY));
        self.floor_doubled = before.saturating_sub(self.loss_max.0.saturating_mul(2));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_itself_stops_and_one_atom_less_does_not() {
        let mut stop = LossStop::new(QuoteAtoms(100));
        let noon = Nanos(NANOS_PER_DAY / 2);
        assert!(!stop.is_reached(0, noon));
        assert!(!stop.is_reached(-199, noon));
        assert!(stop.is_reached(-200, noon));
    }

    #[test]
    fn a_new_day_starts_from_nothing_and_earlier_gains_do_not_help() {
        let mut stop = LossStop::new(QuoteAtoms(100));
        assert!(!stop.is_reached(1_000, Nanos(1)));
        let next_day = Nanos(NANOS_PER_DAY + 1);
        assert!(!stop.is_reached(900, next_day));
        assert!(!stop.is_reached(701, next_day));
        assert!(stop.is_reached(700, next_day));
    }
}
