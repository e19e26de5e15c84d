//! HOT: R-9 beyond the day: how far a result may fall from its best within an hour, and from the best of the run.
//!
//! A result is noted some times a second; what comes of it is one floor, which every price is held against with that of
//! the day.

use crate::types::{Nanos, QuoteAtoms};

const NANOS_PER_MINUTE: i64 = 60 * 1_000_000_000;
/// Minutes whose best results are kept: those of an hour, and the one that is running.
const MINUTES: usize = 61;

/// The best results of the last hour and of the run, against the limits of a fall from them.
#[derive(Clone, Copy, Debug)]
pub struct FallStop {
    /// Twice the largest fall within an hour; none if it is not limited.
    hour_max_doubled: Option<i128>,
    /// Twice the largest fall from the best of the run; none if it is not limited.
    run_max_doubled: Option<i128>,
    /// Twice the best of each minute, in a circle.
    minutes: [i128; MINUTES],
    /// The running minute, counted from the Unix epoch; before the first note that of no time.
    minute: i64,
    /// The highest of them.
    hour_best_doubled: i128,
    /// Twice the best of the run, which begins at nothing.
    best_doubled: i128,
    hour_floor_doubled: i128,
    run_floor_doubled: i128,
}

impl FallStop {
    /// A run that has earned nothing yet, with these limits; none: not limited.
    #[must_use]
    pub const fn new(hour_max: Option<QuoteAtoms>, run_max: Option<QuoteAtoms>) -> FallStop {
        FallStop {
            hour_max_doubled: doubled(hour_max),
            run_max_doubled: doubled(run_max),
            minutes: [0; MINUTES],
            minute: i64::MIN,
            hour_best_doubled: 0,
            best_doubled: 0,
            hour_floor_doubled: i128::MIN,
            run_floor_doubled: i128::MIN,
        }
    }

    /// Notes twice the result since the start. Returns twice the result at which the nearer limit is reached.
    #[inline]
    pub fn note(&mut self, pnl_doubled: i128, now: Nanos) -> i128 {
        if self.hour_max_doubled.is_none() && self.run_max_doubled.is_none() {
            return i128::MIN;
        }
        self.note_limited(pnl_doubled, now)
    }

    #[cold]
    #[inline(never)]
    fn note_limited(&mut self, pnl_doubled: i128, now: Nanos) -> i128 {
        let minute = now.0.div_euclid(NANOS_PER_MINUTE);
        if self.minute == i64::MIN {
            self.minute = minute;
        }
        // What nobody noted, over a standstill, was no better than what is known now.
        if minute > self.minute {
            for passed in (self.minute + 1..=minute).rev().take(MINUTES) {
                self.minutes[place(passed)] = i128::MIN;
            }
            self.minute = minute;
            self.hour_best_doubled = self.minutes.iter().copied().fold(i128::MIN, i128::max);
        }
        let best = &mut self.minutes[place(self.minute)];
        *best = (*best).max(pnl_doubled);
        self.hour_best_doubled = self.hour_best_doubled.max(pnl_doubled);
        self.best_doubled = self.best_doubled.max(pnl_doubled);
        self.hour_floor_doubled = floor(self.hour_best_doubled, self.hour_max_doubled);
        self.run_floor_doubled = floor(self.best_doubled, self.run_max_doubled);
        self.hour_floor_doubled.max(self.run_floor_doubled)
    }

    /// Whether the limit of an hour is reached by twice a result, as of the last note.
    #[must_use]
    pub const fn is_hour_reached(&self, pnl_doubled: i128) -> bool {
        pnl_doubled <= self.hour_floor_doubled
    }

    /// The same of the limit of the run.
    #[must_use]
    pub const fn is_run_reached(&self, pnl_doubled: i128) -> bool {
        pnl_doubled <= self.run_floor_doubled
    }
}

const fn doubled(limit: Option<QuoteAtoms>) -> Option<i128> {
    match limit {
        Some(limit) => Some(limit.0.saturating_mul(2)),
        None => None,
    }
}

fn floor(best: i128, limit: Option<i128>) -> i128 {
    limit.map_or(i128::MIN, |limit| best.saturating_sub(limit))
}

const fn place(minute: i64) -> usize {
    minute.rem_euclid(MINUTES as i64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_begins_with_nothing_earned_so_that_a_first_loss_is_a_fall_of_its_hour() {
        let mut falls = FallStop::new(Some(QuoteAtoms(100)), None);
        assert_eq!(falls.note(-150, Nanos::from_seconds(1_000_000)), -200);
        assert!(!falls.is_hour_reached(-199) && falls.is_hour_reached(-200));
    }

    fn at(minutes: i64) -> Nanos {
        Nanos(minutes * NANOS_PER_MINUTE + 7)
    }

    #[test]
    fn the_best_of_an_hour_counts_for_an_hour_and_not_longer() {
        let mut stop = FallStop::new(Some(QuoteAtoms(50)), None);
        assert_eq!(stop.note(0, at(1_000)), -100);
        assert!(stop.is_hour_reached(-100) && !stop.is_hour_reached(-99) && !stop.is_run_reached(i128::MIN + 1));
        assert_eq!(stop.note(60, at(1_010)), -40);
        assert_eq!(stop.note(-30, at(1_069)), -40, "59 minutes later");
        assert_eq!(stop.note(-30, at(1_070)), -40, "60 minutes later");
        assert_eq!(stop.note(-30, at(1_071)), -130, "an hour has passed");
        // A standstill of more than an hour forgets all that was; time that goes back changes nothing.
        assert_eq!(stop.note(-80, at(9_000)), -180);
        assert_eq!(stop.note(-10, at(8_000)), -110);
        assert_eq!(stop.note(-90, at(9_001)), -110);
    }

    #[test]
    fn what_was_lost_before_the_first_note_is_a_fall_of_its_hour() {
        let mut stop = FallStop::new(Some(QuoteAtoms(50)), None);
        assert_eq!(stop.note(-120, at(1_000)), -100, "a run begins at nothing");
        assert!(stop.is_hour_reached(-120));
    }

    #[test]
    fn the_best_of_the_run_counts_for_good_and_a_limit_that_is_not_set_is_none() {
        let mut stop = FallStop::new(None, Some(QuoteAtoms(50)));
        assert_eq!(stop.note(-20, at(1)), -100, "a run begins at nothing");
        assert_eq!(stop.note(200, at(2)), 100);
        assert_eq!(stop.note(150, at(90_000)), 100);
        assert!(stop.is_run_reached(100) && !stop.is_run_reached(101) && !stop.is_hour_reached(100));
        let mut none = FallStop::new(None, None);
        assert_eq!(none.note(-1_000_000, at(3)), i128::MIN);
        let mut both = FallStop::new(Some(QuoteAtoms(10)), Some(QuoteAtoms(50)));
        assert_eq!(both.note(0, at(1)), -20);
        assert_eq!(both.note(-10, at(200)), -30);
    }
}
