//! COLD: histograms of ns, the percentiles that are shown of them, and their usual text form.

use std::fmt::Write;

use hdrhistogram::Histogram;

/// The percentiles of the tables.
pub const PERCENTILES: [f64; 5] = [50.0, 90.0, 99.0, 99.9, 99.99];

/// An empty histogram of ns, up to ten seconds, three digits.
#[must_use]
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 10_000_000_000, 3).expect("the bounds are in order and three digits are allowed")
}

/// The usual text form of a histogram's percentiles, which plotters of `.hgrm` files read. Values in ns.
#[must_use]
pub fn hgrm(histogram: &Histogram<u64>) -> String {
    let mut text = String::from("       Value     Percentile TotalCount 1/(1-Percentile)\n\n");
    for value in histogram.iter_quantiles(5) {
        let (quantile, count) = (value.quantile_iterated_to(), value.count_since_last_iteration());
        let seen = histogram.count_between(0, value.value_iterated_to());
        if count == 0 && quantile < 1.0 {
            continue;
        }
        let inverse = if quantile < 1.0 { format!("{:.2}", 1.0 / (1.0 - quantile)) } else { "inf".into() };
        writeln!(text, "{:12.3} {quantile:1.12} {seen:10} {inverse:>14}", value.value_iterated_to() as f64)
            .expect("a String takes any text");
    }
    let (mean, deviation, max) = (histogram.mean(), histogram.stdev(), histogram.max());
    writeln!(text, "#[Mean    = {mean:12.3}, StdDeviation   = {deviation:12.3}]").expect("a String takes any text");
    writeln!(text, "#[Max     = {max:12}, Total count    = {:12}]", histogram.len()).expect("a String takes any text");
    text
}

#[cfg(test)]
mod tests {
    use super::{hgrm, histogram};

    #[test]
    fn the_text_form_ends_at_the_largest_value_and_counts_all() {
        let mut values = histogram();
        (1..=1_000u64).for_each(|ns| values.saturating_record(ns));
        let text = hgrm(&values);
        let rows: Vec<&str> = text.lines().filter(|line| !line.starts_with('#') && line.contains('.')).collect();
        let last: Vec<&str> = rows.last().expect("there are rows").split_whitespace().collect();
        assert_eq!((last[1], last[2]), ("1.000000000000", "1000"), "{text}");
        assert!(text.contains("Total count    =         1000"));
    }
}
