//! HOT: the daily loss stop: realised and unrealised result since midnight UTC against one limit.

use crate::types::{Nanos, QuoteAtoms};

use super::{FallStop, StopCause};

const NANOS_PER_DAY: i64 = 86_400 * 1_000_000_000;

/// What was earned on one UTC day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DayResult {
    /// The day, counted from the Unix epoch; zero before the first price.
    pub day: i64,
    /// Earned on it, realised and unrealised, fees included: a loss is negative.
    pub earned: QuoteAtoms,
}

/// The result of the day against its limit, and falls of the result against theirs.
#[derive(Clone, Copy, Debug)]
pub struct LossStop {
    loss_max: QuoteAtoms,
    /// The next midnight; before everything at first.
    day_end: Nanos,
    /// Twice the result since the start at which nothing was earned today.
    even_doubled: i128,
    /// Twice the result since the start at which the limit is reached today.
    day_floor_doubled: i128,
    /// The same of the limits of a fall.
    fall_floor_doubled: i128,
    /// The higher of the two.
    floor_doubled: i128,
    falls: FallStop,
    started: bool,
}

impl LossStop {
    /// Stops at a loss of `loss_max` or more since midnight UTC, or since the start on the first day.
    #[must_use]
    pub const fn new(loss_max: QuoteAtoms) -> LossStop {
        LossStop {
            loss_max,
            day_end: Nanos(i64::MIN),
            even_doubled: 0,
            day_floor_doubled: i128::MIN,
            fall_floor_doubled: i128::MIN,
            floor_doubled: i128::MIN,
            falls: FallStop::new(None, None),
            started: false,
        }
    }

    /// Stops at a fall as well. Before the first price.
    pub fn set_falls(&mut self, falls: FallStop) {
        self.falls = falls;
    }

    /// Notes twice the result since the start, some times a second: what a fall is counted from.
    pub fn note(&mut self, pnl_doubled: i128, now: Nanos) {
        self.fall_floor_doubled = self.falls.note(pnl_doubled, now);
        self.floor_doubled = self.day_floor_doubled.max(self.fall_floor_doubled);
    }

    /// Which limit is reached by twice the result since the start: that of the day before those of a fall.
    #[must_use]
    pub fn cause(&self, pnl_doubled: i128) -> StopCause {
        if pnl_doubled <= self.day_floor_doubled {
            StopCause::LossPerDay
        } else if self.falls.is_hour_reached(pnl_doubled) {
            StopCause::LossPerHour
        } else if self.falls.is_run_reached(pnl_doubled) {
            StopCause::Drawdown
        } else {
            StopCause::None
        }
    }

    /// Goes on from what earlier runs earned: it counts while `before.day` lasts, and not on any other day.
    pub fn resume(&mut self, before: DayResult) {
        self.day_end = Nanos(before.day.saturating_add(1).saturating_mul(NANOS_PER_DAY));
        self.stand_at(before.earned.0.saturating_mul(-2));
        self.started = true;
    }

    /// Whether the limit is reached, given twice what trading earned on all instruments since the start.
    #[inline]
    pub fn is_reached(&mut self, pnl_doubled: i128, now: Nanos) -> bool {
        if now >= self.day_end {
            self.begin_day(pnl_doubled, now);
        }
        pnl_doubled <= self.floor_doubled
    }

    /// What was earned on the day of the last price, earlier runs included, given the same.
    #[must_use]
    pub fn day_result(&self, pnl_doubled: i128) -> DayResult {
        if self.day_end.0 == i64::MIN {
            return DayResult::default();
        }
        let earned_doubled = pnl_doubled.saturating_sub(self.even_doubled);
        DayResult { day: self.day_end.0 / NANOS_PER_DAY - 1, earned: QuoteAtoms(earned_doubled.div_euclid(2)) }
    }

    #[cold]
    fn begin_day(&mut self, pnl_doubled: i128, now: Nanos) {
        self.day_end = Nanos((now.0.div_euclid(NANOS_PER_DAY) + 1).saturating_mul(NANOS_PER_DAY));
        // The first day counts from the start of the run, where the result is zero.
        self.stand_at(if self.started { pnl_doubled } else { 0 });
        self.started = true;
    }

    fn stand_at(&mut self, even_doubled: i128) {
        self.even_doubled = even_doubled;
        self.day_floor_doubled = even_doubled.saturating_sub(self.loss_max.0.saturating_mul(2));
        self.floor_doubled = self.day_floor_doubled.max(self.fall_floor_doubled);
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

    #[test]
    fn the_first_nanosecond_after_midnight_is_of_the_next_day_and_the_last_before_it_is_not() {
        for (now, reached) in [(Nanos(NANOS_PER_DAY - 1), true), (Nanos(NANOS_PER_DAY), false)] {
            let mut stop = LossStop::new(QuoteAtoms(100));
            assert!(!stop.is_reached(-150, Nanos(1)));
            // The 75 of the day before and 50 of the new day are less than its limit each, and more in one day.
            assert!(!stop.is_reached(-150, now));
            assert_eq!(stop.is_reached(-250, now), reached, "{now:?}");
            assert_eq!(stop.day_result(-250).day, if reached { 0 } else { 1 });
        }
    }

    #[test]
    fn what_earlier_runs_lost_today_counts_and_what_they_lost_yesterday_does_not() {
        let day = 20_000;
        let at = |day: i64| Nanos(day * NANOS_PER_DAY + 1);
        let resumed = || {
            let mut stop = LossStop::new(QuoteAtoms(100));
            stop.resume(DayResult { day, earned: QuoteAtoms(-60) });
            stop
        };
        let mut stop = resumed();
        assert_eq!(stop.day_result(0), DayResult { day, earned: QuoteAtoms(-60) });
        assert!(!stop.is_reached(-79, at(day)));
        assert!(stop.is_reached(-80, at(day)));
        assert_eq!(stop.day_result(-80), DayResult { day, earned: QuoteAtoms(-100) });
        // Midnight passes between the start and the first price.
        let mut stop = resumed();
        assert!(!stop.is_reached(0, at(day + 1)));
        assert_eq!(stop.day_result(-80), DayResult { day: day + 1, earned: QuoteAtoms(-40) });
        assert!(!stop.is_reached(-199, at(day + 1)));
        assert!(stop.is_reached(-200, at(day + 1)));
        // And in the middle of a run.
        let mut stop = resumed();
        assert!(!stop.is_reached(-70, at(day)));
        assert!(!stop.is_reached(-90, at(day + 1)));
        assert_eq!(stop.day_result(-90), DayResult { day: day + 1, earned: QuoteAtoms(0) });
        assert!(stop.is_reached(-290, at(day + 1)));
    }
}
