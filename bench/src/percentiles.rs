//! COLD: percentiles of frame times: tables by hdrhistogram, its text form, and the fit over levels.

use std::fmt::Write;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::contest::{Line, median_and_spread};
use crate::pipeline::{FrameTimes, Outcome};
use crate::workload::LineKind;

/// The percentiles of the tables.
pub const PERCENTILES: [f64; 5] = [50.0, 90.0, 99.0, 99.9, 99.99];

/// Which of the timed frames a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Changes of the order book.
    Depth,
    /// Best bid/asks.
    Touch,
    /// Frames of either kind that put an intent on a ring.
    Ordered,
}

impl Class {
    /// All, in the order of the tables.
    pub const ALL: [Class; 3] = [Class::Depth, Class::Touch, Class::Ordered];

    /// As printed in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Class::Depth => "depth frames",
            Class::Touch => "best bid/ask frames",
            Class::Ordered => "frames that caused an order",
        }
    }

    fn holds(self, outcome: &Outcome, frame: usize) -> bool {
        match self {
            Class::Depth => outcome.timed.kinds[frame] == LineKind::Depth,
            Class::Touch => outcome.timed.kinds[frame] == LineKind::Touch,
            Class::Ordered => outcome.timed.ordered[frame],
        }
    }

    /// The places of its frames among the timed ones.
    #[must_use]
    pub fn frames(self, outcome: &Outcome) -> Vec<usize> {
        (0..outcome.timed.lines.len()).filter(|&frame| self.holds(outcome, frame)).collect()
    }
}

/// One pipeline's percentiles over one class of frames.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Whose.
    pub name: String,
    /// ns at each of [`PERCENTILES`]: the median of the rounds.
    pub ns: Vec<f64>,
    /// The mean over the frames of each one's median round, in ns.
    pub mean_ns: f64,
    /// Half the distance of the quartiles of the rounds' medians, as a share.
    pub spread: f64,
    /// Time over levels, each frame by its median round; for depth frames.
    pub line: Option<Line>,
}

/// An empty histogram of ns, up to ten seconds, three digits.
#[must_use]
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 10_000_000_000, 3).expect("the bounds are in order and three digits are allowed")
}

/// All rounds of a class in one histogram.
#[must_use]
pub fn histogram_of(times: &FrameTimes, frames: &[usize]) -> Histogram<u64> {
    let mut all = histogram();
    for round in &times.rounds {
        frames.iter().for_each(|&frame| all.saturating_record(round[frame] as u64));
    }
    all
}

/// The row of one pipeline.
#[must_use]
pub fn row(outcome: &Outcome, times: &FrameTimes, class: Class) -> Row {
    let frames = class.frames(outcome);
    let mut by_percentile = vec![Vec::new(); PERCENTILES.len()];
    for round in &times.rounds {
        let mut histogram = histogram();
        frames.iter().for_each(|&frame| histogram.saturating_record(round[frame] as u64));
        for (values, percentile) in by_percentile.iter_mut().zip(PERCENTILES) {
            values.push(histogram.value_at_percentile(percentile) as f64);
        }
    }
    let spread = median_and_spread(&mut by_percentile[0].clone()).1;
    let medians = medians(outcome, times, &frames);
    let line = (class == Class::Depth).then(|| Line::fit(&medians)).flatten();
    Row {
        name: times.name.clone(),
        ns: by_percentile.iter_mut().map(|values| median_and_spread(values).0).collect(),
        mean_ns: medians.iter().map(|median| median.1).sum::<f64>() / medians.len().max(1) as f64,
        spread,
        line,
    }
}

/// Levels and ns of each frame in its median round.
fn medians(outcome: &Outcome, times: &FrameTimes, frames: &[usize]) -> Vec<(f64, f64)> {
    let point = |&frame: &usize| {
        let mut values: Vec<f64> = times.rounds.iter().map(|round| f64::from(round[frame])).collect();
        (f64::from(outcome.timed.levels[frame]), median_and_spread(&mut values).0)
    };
    frames.iter().map(point).collect()
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
