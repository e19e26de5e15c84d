//! COLD: times as people and programs read them: UTC, ISO 8601, to the millisecond.

use spinbook_engine::types::Nanos;
use spinbook_feed::calendar::{CalendarDate, date_of};

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
    let CalendarDate { year, month, day } = date_of(day);
    format!("{year:04}-{month:02}-{day:02}")
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
