//! COLD: samples become figures: percentiles by class of frames, pause and warmth, calm and all, over back to back.

use std::collections::BTreeMap;

use serde::Serialize;

use super::cell::{PacedCell, Passed, Pause, Warmth};
use crate::clock::CycleClock;

/// A frame is calm if the loop turned without a longer gap in the pause before it.
const CALM_GAP_NS_MAX: f64 = 40_000.0;
/// A percentile with fewer samples beyond it is that of a few accidents, and not shown.
const SAMPLES_BEYOND_MIN: f64 = 10.0;
/// The percentiles of the tables.
pub const PACED_PERCENTILES: [f64; 3] = [50.0, 90.0, 99.0];

/// Which frames a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PacedClass {
    /// Frames of any kind that put an intent on a ring.
    Ordered,
    /// Best bid/asks that did not.
    QuietTouch,
}

impl PacedClass {
    /// All, in the order of the tables.
    pub const ALL: [PacedClass; 2] = [PacedClass::Ordered, PacedClass::QuietTouch];

    /// As printed in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            PacedClass::Ordered => "frames that caused an order",
            PacedClass::QuietTouch => "best bid/asks that caused none",
        }
    }
}

/// One frame behind a pause.
#[derive(Clone, Copy, Debug)]
pub struct PacedSample {
    /// Its place in the recording.
    frame: usize,
    cell: PacedCell,
    /// None: a change of the book that caused no order.
    class: Option<PacedClass>,
    calm: bool,
    /// ns from the turn's begin until the frame is in hand.
    receive_ns: f64,
    /// ns from there until what it causes is on the ring.
    decide_ns: f64,
}

impl PacedSample {
    /// From the stamps along a frame's way, what they cost subtracted.
    pub(super) fn of(cell: PacedCell, (frame, is_touch): (usize, bool), passed: &Passed) -> PacedSample {
        let clock = CycleClock::calibrated();
        let span = |begin: u64, end: u64| (clock.ns(end.saturating_sub(begin)) - clock.pair_ns).max(0.0);
        let handled = passed.handled;
        PacedSample {
            frame,
            cell,
            class: match (passed.ordered, is_touch) {
                (true, _) => Some(PacedClass::Ordered),
                (false, true) => Some(PacedClass::QuietTouch),
                (false, false) => None,
            },
            calm: clock.ns(passed.gap_ticks_max) <= CALM_GAP_NS_MAX,
            receive_ns: span(handled.begun, handled.in_hand),
            decide_ns: span(handled.in_hand, handled.done),
        }
    }
}

/// Percentiles of a set of samples; none where too few lie beyond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct PacedSpans {
    /// How many samples.
    pub count: usize,
    /// ns at each of [`PACED_PERCENTILES`].
    pub ns: [Option<f64>; 3],
}

impl PacedSpans {
    fn of(mut values: Vec<f64>) -> PacedSpans {
        values.sort_unstable_by(f64::total_cmp);
        let at = |percentile: f64| {
            // In hundredths, which are exact: a tenth of a hundred is ten.
            let beyond = values.len() as f64 * (100.0 - percentile);
            let place = (values.len() as f64 * percentile / 100.0) as usize;
            (beyond >= 100.0 * SAMPLES_BEYOND_MIN).then(|| values[place.min(values.len() - 1)])
        };
        PacedSpans { count: values.len(), ns: PACED_PERCENTILES.map(at) }
    }

    /// The median, in ns.
    #[must_use]
    pub const fn p50(&self) -> Option<f64> {
        self.ns[0]
    }
}

/// One class of frames behind one pause.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct PacedRow {
    /// Which frames.
    pub class: PacedClass,
    /// Behind which pause, and what kept the loop warm.
    #[serde(flatten)]
    pub cell: PacedCell,
    /// Frame in hand to ring, of frames whose pause was calm.
    pub calm: PacedSpans,
    /// The same of all frames.
    pub all: PacedSpans,
    /// The median of the calm frames' ratios, each over the same frame without a pause: which frames a row has met does
    /// not matter then.
    pub over_back_to_back: Option<f64>,
    /// The same of all frames.
    pub over_back_to_back_all: Option<f64>,
    /// The turn's begin until the frame is in hand: read, decrypted, whole; calm frames.
    pub receive: PacedSpans,
    /// The turn's begin to ring, calm frames.
    pub receive_to_ring: PacedSpans,
    /// The same of all frames.
    pub receive_to_ring_all: PacedSpans,
}

/// What was counted beside the samples.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct PacedTotals {
    /// How long it took, in seconds.
    pub seconds: f64,
    /// How often the recording was played.
    pub passes: usize,
    /// Groups of frames with a pause before each.
    pub groups: usize,
    /// Frames that caused an order when the recording was played without pauses.
    pub orders_learned: usize,
    /// Frames of groups that did what they had not done without pauses, or the other way round.
    pub unlearned: usize,
    /// Frames left out: the thread stood still for so long that the loop caught up.
    pub stalled: usize,
    /// Seconds of idle turns with nothing that keeps warm.
    pub quiet_seconds: f64,
    /// Of their gaps, those of 5 µs or more: something else had the core.
    pub gaps: u64,
    /// Rehearsals.
    pub rehearsals: u64,
    /// Of these, the ones that led to other orders than they should.
    pub rehearsals_void: u64,
    /// The longest, in ns.
    pub rehearsal_ns_max: u64,
    /// Whether the system ran the hot thread before all ordinary ones (SCHED_FIFO).
    pub before_others: bool,
    /// Bytes of the books.
    pub book_bytes: usize,
    /// Of these, on huge pages.
    pub huge_bytes: usize,
}

/// One recording at a market's pace.
#[derive(Clone, Debug, Serialize)]
pub struct PacedTable {
    /// Which recording.
    pub what: String,
    /// By class of frames, pause and warmth.
    pub rows: Vec<PacedRow>,
    /// Gaps of 5 µs or more a second, while nothing kept the loop warm.
    pub gaps_per_second: f64,
    /// What was counted.
    pub totals: PacedTotals,
}

impl PacedTable {
    /// The row of a class, pause and warmth.
    #[must_use]
    pub fn row(&self, class: PacedClass, pause: Pause, warmth: Warmth) -> Option<&PacedRow> {
        self.rows.iter().find(|row| row.class == class && row.cell == PacedCell { pause, warmth })
    }
}

/// What each frame took without a pause: the median of the times it was played so.
fn back_to_back(samples: &[PacedSample]) -> BTreeMap<usize, f64> {
    let mut times: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for sample in samples.iter().filter(|sample| sample.cell.pause == Pause::None) {
        times.entry(sample.frame).or_default().push(sample.decide_ns);
    }
    let median = |mut times: Vec<f64>| {
        times.sort_unstable_by(f64::total_cmp);
        times[(times.len() - 1) / 2]
    };
    times.into_iter().map(|(frame, times)| (frame, median(times))).collect()
}

/// The figures of all samples.
#[must_use]
pub fn table(what: &str, samples: &[PacedSample], totals: PacedTotals) -> PacedTable {
    let mut rows: Vec<PacedRow> = Vec::new();
    let without = back_to_back(samples);
    for class in PacedClass::ALL {
        for cell in PacedCell::all() {
            let own: Vec<&PacedSample> =
                samples.iter().filter(|sample| sample.cell == cell && sample.class == Some(class)).collect();
            let spans = |calm: bool, span: fn(&PacedSample) -> f64| {
                PacedSpans::of(own.iter().filter(|sample| sample.calm || !calm).map(|sample| span(sample)).collect())
            };
            let whole = |sample: &PacedSample| sample.receive_ns + sample.decide_ns;
            let (calm, all) = (spans(true, |sample| sample.decide_ns), spans(false, |sample| sample.decide_ns));
            let over = |calm: bool| {
                let kept = own.iter().filter(|sample| sample.calm || !calm);
                let ratios = kept.filter_map(|sample| Some(sample.decide_ns / without.get(&sample.frame)?));
                PacedSpans::of(ratios.filter(|ratio| ratio.is_finite()).collect()).p50()
            };
            rows.push(PacedRow {
                class,
                cell,
                calm,
                all,
                over_back_to_back: over(true),
                over_back_to_back_all: over(false),
                receive: spans(true, |sample| sample.receive_ns),
                receive_to_ring: spans(true, whole),
                receive_to_ring_all: spans(false, whole),
            });
        }
    }
    let gaps_per_second = totals.gaps as f64 / totals.quiet_seconds;
    PacedTable { what: what.to_owned(), rows, gaps_per_second, totals }
}

#[cfg(test)]
mod tests {
    use super::{PacedClass, PacedSample, PacedSpans, PacedTotals, table};
    use crate::paced::cell::{PacedCell, Pause, Warmth};

    #[test]
    fn percentiles_of_a_few_accidents_are_not_shown() {
        let spans = |count: u32| PacedSpans::of((1..=count).map(f64::from).collect());
        assert_eq!(spans(0), PacedSpans::default());
        assert_eq!(spans(19).ns, [None; 3]);
        assert_eq!(spans(20).ns, [Some(11.0), None, None]);
        assert_eq!(spans(100).ns, [Some(51.0), Some(91.0), None]);
        assert_eq!(spans(1_000).ns, [Some(501.0), Some(901.0), Some(991.0)]);
    }

    #[test]
    fn a_row_is_over_the_same_frames_without_a_pause() {
        let sample = |pause: Pause, warmth: Warmth, class: PacedClass, calm: bool, decide_ns: f64| PacedSample {
            frame: usize::from(class == PacedClass::QuietTouch),
            cell: PacedCell { pause, warmth },
            class: Some(class),
            calm,
            receive_ns: 1_000.0,
            decide_ns,
        };
        use PacedClass::{Ordered, QuietTouch};
        let mut samples = Vec::new();
        for _ in 0..20 {
            samples.push(sample(Pause::None, Warmth::Off, Ordered, true, 400.0));
            samples.push(sample(Pause::None, Warmth::Off, QuietTouch, true, 100.0));
            samples.push(sample(Pause::Recorded, Warmth::All, Ordered, true, 600.0));
            samples.push(sample(Pause::Recorded, Warmth::All, QuietTouch, true, 200.0));
        }
        for _ in 0..40 {
            samples.push(sample(Pause::Recorded, Warmth::All, Ordered, false, 4_000.0));
        }
        let table = table("a recording", &samples, PacedTotals::default());
        assert_eq!(table.rows.len(), 26);
        let row = |class| table.row(class, Pause::Recorded, Warmth::All).expect("each cell has a row");
        assert_eq!((row(Ordered).over_back_to_back, row(Ordered).over_back_to_back_all), (Some(1.5), Some(10.0)));
        assert_eq!(row(QuietTouch).over_back_to_back, Some(2.0));
        assert_eq!((row(Ordered).calm.count, row(Ordered).all.count), (20, 60));
        assert_eq!(row(Ordered).receive_to_ring.p50(), Some(1_600.0));
        // Of frames that were never played without a pause there is nothing to say.
        samples.iter_mut().filter(|one| one.cell.pause == Pause::Recorded).for_each(|one| one.frame += 2);
        let others = super::table("a recording", &samples, PacedTotals::default());
        let other = others.row(Ordered, Pause::Recorded, Warmth::All).expect("each cell has a row");
        assert_eq!((other.all.count, other.over_back_to_back), (60, None));
        let empty = table.row(Ordered, Pause::Recorded, Warmth::Off).expect("each cell has a row");
        assert_eq!((empty.all.count, empty.over_back_to_back), (0, None));
    }
}
