//! COLD: percentiles of frame times by class of frames, and the fit over levels.

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::contest::{FittedLine, median_and_spread};
use crate::histogram::{PERCENTILES, histogram};
use crate::pipeline::{FrameTimes, Outcome};
use crate::plot::Plot;
use crate::workload::LineKind;

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
    pub line: Option<FittedLine>,
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
    let line = (class == Class::Depth).then(|| FittedLine::fit(&medians)).flatten();
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

/// The percentile curves of every pipeline over one class of frames; none if there is no such frame.
#[must_use]
pub fn plot(recording: &str, outcome: &Outcome, class: Class) -> Option<Plot> {
    let frames = class.frames(outcome);
    let rounds = outcome.times.first().map_or(0, |times| times.rounds.len());
    (!frames.is_empty()).then(|| Plot {
        title: format!("Frame to order: {recording}, {}", class.name()),
        subtitle: format!(
            "{} frames, {rounds} rounds, interruptions by the system included; lower is better",
            frames.len()
        ),
        curves: outcome.times.iter().map(|times| (times.name.clone(), histogram_of(times, &frames))).collect(),
    })
}
