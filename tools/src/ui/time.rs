//! COLD: times as people and programs read them: UTC, ISO 8601, to the millisecond.

use spinbook_engine::types::Nanos;

const MILLIS_PER_DAY: i64 = 86_400_000;

/// A time since the Unix epoch as `2026-11-21T17:42:37.123Z`.
#[must_use]
pub fn utc_text(time: Nanos) -> String {
    let millis = time.0.div_euclid(1_000_000);
    let of_day = millis.rem_euclid(MILLIS_PER_DAY);
    let (seconds, fraction) = (of_day / 1000, of_day % 1000);
    format!(
        "{}T{:02}:{:02}:{:02}.{fraction:03}Z",
        day_text(millis.div_euclid(MILLIS_PER_DAY)),
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// A day since the Unix epoch as `2026-11-21`.
#[must_use]
pub fn day_text(day: i64) -> String {
    // Counted from 1 March of year 0, in eras of 400 years, so that a leap day is the last of its year.
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_shifted = (5 * of_year + 2) / 153;
    let date = of_year - (153 * month_shifted + 2) / 5 + 1;
    let month = if month_shifted < 10 { month_shifted + 3 } else { month_shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{date:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_to_the_millisecond() {
        assert_eq!(utc_text(Nanos(0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(utc_text(Nanos(1_795_282_957_123_999_999)), "2026-11-21T17:42:37.123Z");
        assert_eq!(utc_text(Nanos(951_827_696_000_000_000)), "2000-02-29T12:34:56.000Z");
        assert_eq!(day_text(19_723), "2024-01-01");
        assert_eq!(day_text(-1), "1969-12-31");
    }

    #[test]
    fn every_day_follows_the_day_before() {
        let mut before = day_text(0);
        for day in 1..40_000 {
            let text = day_text(day);
            assert!(text > before, "{text} after {before}");
            before = text;
        }
        assert_eq!(before, "2079-07-07");
    }
}
