//! COLD: days since the Unix epoch as dates of the proleptic Gregorian calendar, and back.

/// Days from 1 March of year 0 to the Unix epoch.
const DAYS_TO_EPOCH: i64 = 719_468;
/// Days of 400 years, after which the calendar repeats.
const DAYS_PER_ERA: i64 = 146_097;

/// A date of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CalendarDate {
    /// The year.
    pub year: i64,
    /// 1 to 12.
    pub month: i64,
    /// 1 to 31.
    pub day: i64,
}

/// The date of a day, counted from the Unix epoch.
#[must_use]
pub const fn date_of(day: i64) -> CalendarDate {
    // Years that begin in March have the leap day at their end.
    let shifted = day + DAYS_TO_EPOCH;
    let (era, of_era) = (shifted.div_euclid(DAYS_PER_ERA), shifted.rem_euclid(DAYS_PER_ERA));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + (month <= 2) as i64;
    CalendarDate { year, month, day: of_year - (153 * from_march + 2) / 5 + 1 }
}

/// Days from the Unix epoch to the first of a month, 1 to 12.
#[must_use]
pub const fn days_before(year: i64, month: i64) -> i64 {
    let year = year - (month <= 2) as i64;
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5;
    era * DAYS_PER_ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year - DAYS_TO_EPOCH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_eight_centuries_follows_the_one_before() {
        let mut expected = CalendarDate { year: 1600, month: 1, day: 1 };
        let first = days_before(1600, 1);
        for day in first..days_before(2400, 1) {
            assert_eq!(date_of(day), expected, "day {day}");
            let CalendarDate { year, month, day: of_month } = expected;
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let last = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month as usize - 1];
            expected = match (of_month == last, month) {
                (false, _) => CalendarDate { day: of_month + 1, ..expected },
                (true, 12) => CalendarDate { year: year + 1, month: 1, day: 1 },
                (true, _) => CalendarDate { year, month: month + 1, day: 1 },
            };
        }
        assert_eq!(date_of(0), CalendarDate { year: 1970, month: 1, day: 1 });
    }
}
