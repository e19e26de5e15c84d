//! COLD: rounds become figures: percentiles of both sides, their ratio, the parts of the way, the disturbances.

use std::sync::Arc;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::disturbance::Disturbance;
use super::floor::Floor;
use super::ours::OurSide;
use super::round::{Round, WireSample, play};
use super::script::{Script, ScriptSettings};
use super::{CoreLayout, Meeting, Peer};
use crate::clock::CycleClock;
use crate::contest::median_and_spread;
use crate::histogram::{PERCENTILES, histogram};
use crate::inputs::SampleCount;
use crate::plot::Plot;
use crate::workload::Workload;

/// A side whose threads were put aside more often than this, a second, shows the scheduler and not itself.
const SWITCHES_A_SECOND_MAX: f64 = 10.0;

/// How a recording is played.
#[must_use]
pub fn script_settings(frames_max: usize) -> ScriptSettings {
    ScriptSettings { frames_max, pause_ns_max: 50_000, pick_every: 3, pick_apart_ns: 40_000, warm_picks: 200 }
}

/// A part of an order's way.
type Part = (&'static str, fn(&WireSample) -> (u64, u64));

/// The parts of the way.
const PARTS: [Part; 6] = [
    ("due until handed to the kernel", |sample| (sample.due, sample.sent)),
    ("frame handed to the kernel to decision", |sample| (sample.sent, sample.decided)),
    ("decision to the intent off the ring", |sample| (sample.decided, sample.taken)),
    ("intent to the write", |sample| (sample.taken, sample.write_begun)),
    ("the write", |sample| (sample.write_begun, sample.write_ended)),
    ("kernel has the order until it is read", |sample| (sample.write_ended, sample.arrived)),
];

/// One side's figures over all rounds.
#[derive(Clone, Debug, Serialize)]
pub struct SideTable {
    /// As printed in tables.
    pub name: &'static str,
    /// Orders measured.
    pub orders: usize,
    /// ns at each of [`PERCENTILES`], from when the frame was due.
    pub ns: Vec<f64>,
    /// The same from when the frame was handed to the kernel: what a sender that waits would see.
    pub service_ns: Vec<f64>,
    /// Orders that took more than twice the median.
    pub slow: u64,
    /// The slowest order, from when its frame was due.
    pub ns_max: f64,
    /// Each part of the way: its name, ns of the fastest tenth, median ns.
    pub parts: Vec<(&'static str, f64, f64)>,
    /// ns from the decision until the write begins, and until the kernel has the bytes: p50 and p99 of each.
    pub decision_to_write: [f64; 2],
    /// See above.
    pub decision_to_kernel: [f64; 2],
    /// The rounds' medians.
    pub medians: Vec<f64>,
    /// What the machine did.
    pub disturbance: Disturbance,
}

/// Both sides over one recording.
#[derive(Clone, Debug, Serialize)]
pub struct WireTable {
    /// Which recording.
    pub what: String,
    /// Frames a round.
    pub frames: usize,
    /// OurSide, then the floor.
    pub sides: Vec<SideTable>,
    /// OurSide over the floor at p50: the median over pairs of rounds.
    pub ratio_p50: f64,
    /// The same of each side's round with the lowest median.
    pub ratio_best: f64,
    /// Who ran where.
    pub cores: String,
    /// The curves: name and histogram of ns.
    #[serde(skip)]
    pub curves: Vec<(String, Histogram<u64>)>,
}

fn recorded(rounds: &[Round], span: impl Fn(&WireSample) -> (u64, u64)) -> Histogram<u64> {
    let (mut all, clock) = (histogram(), CycleClock::calibrated());
    for sample in rounds.iter().flat_map(|round| &round.samples) {
        let (begin, end) = span(sample);
        all.saturating_record(clock.ns(end.saturating_sub(begin)) as u64);
    }
    all
}

fn whole(sample: &WireSample) -> (u64, u64) {
    (sample.due, sample.arrived)
}

fn at(histogram: &Histogram<u64>, percentile: f64) -> f64 {
    histogram.value_at_percentile(percentile) as f64
}

fn side_table(name: &'static str, rounds: &[Round]) -> (SideTable, Histogram<u64>) {
    let all = recorded(rounds, whole);
    let service = recorded(rounds, |sample| (sample.sent, sample.arrived));
    let to_write = recorded(rounds, |sample| (sample.decided, sample.write_begun));
    let to_kernel = recorded(rounds, |sample| (sample.decided, sample.write_ended));
    let mut disturbance = Disturbance::default();
    rounds.iter().for_each(|round| disturbance.add(&round.disturbance));
    let medians = rounds.iter().map(|round| at(&recorded(core::slice::from_ref(round), whole), 50.0)).collect();
    let table = SideTable {
        name,
        orders: all.len() as usize,
        ns: PERCENTILES.map(|percentile| at(&all, percentile)).to_vec(),
        service_ns: PERCENTILES.map(|percentile| at(&service, percentile)).to_vec(),
        slow: all.len() - all.count_between(0, 2 * all.value_at_percentile(50.0)),
        ns_max: all.max() as f64,
        parts: PARTS
            .iter()
            .map(|(name, part)| {
                let spans = recorded(rounds, part);
                (*name, at(&spans, 10.0), at(&spans, 50.0))
            })
            .collect(),
        decision_to_write: [at(&to_write, 50.0), at(&to_write, 99.0)],
        decision_to_kernel: [at(&to_kernel, 50.0), at(&to_kernel, 99.0)],
        medians,
        disturbance,
    };
    (table, all)
}

/// Plays a recording in alternating rounds against both sides.
///
/// # Errors
/// As [`Script::new`] and [`play`], or there are not two cores.
pub fn measure(recording: &Workload, samples: &SampleCount) -> Result<WireTable, String> {
    let layout = CoreLayout::of_two_cores().ok_or("it takes two cores")?;
    let script = Arc::new(Script::new(recording, &script_settings(samples.wire_frames_max))?);
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    for _ in 0..samples.wire_rounds {
        ours.push(play(&script, layout, Meeting::ours)?);
        floor.push(play(&script, layout, Meeting::floor)?);
    }
    Ok(table(&script, layout, &ours, &floor))
}

/// The figures of rounds, which were played in pairs.
#[must_use]
pub fn table(script: &Script, layout: CoreLayout, ours: &[Round], floor: &[Round]) -> WireTable {
    let (our_table, our_curve) = side_table(OurSide::NAME, ours);
    let (floor_table, floor_curve) = side_table(Floor::NAME, floor);
    let pairs = our_table.medians.iter().zip(&floor_table.medians);
    let mut ratios: Vec<f64> = pairs.map(|(ours, floor)| ours / floor).collect();
    let core = |core: Option<usize>| core.map_or("any core".to_owned(), |core| format!("core {core}"));
    WireTable {
        what: script.name.clone(),
        frames: script.frames.len(),
        ratio_best: lowest(&our_table.medians) / lowest(&floor_table.medians),
        ratio_p50: median_and_spread(&mut ratios).0,
        cores: format!(
            "hot thread spinning on {}; exchange side and gateway loop in turns of one thread on {}",
            core(layout.hot),
            core(layout.io)
        ),
        curves: vec![(our_table.name.to_owned(), our_curve), (floor_table.name.to_owned(), floor_curve)],
        sides: vec![our_table, floor_table],
    }
}

fn lowest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

impl WireTable {
    /// Why the tails show the machine and not the sides: what it did to them, if it did too much.
    #[must_use]
    pub fn below_noise(&self) -> Option<String> {
        let (mut switches, mut seconds) = (0, 0.0);
        for side in &self.sides {
            switches += side.disturbance.switches_hot + side.disturbance.switches_io;
            seconds += side.disturbance.seconds;
        }
        (switches as f64 > SWITCHES_A_SECOND_MAX * seconds).then(|| {
            format!("others wanted the cores, and the threads were put aside {switches} times in {seconds:.1} s")
        })
    }
    /// The curves of both sides.
    #[must_use]
    pub fn plot(&self) -> Plot {
        let samples = self.curves.first().map_or(0, |(_, curve)| curve.len());
        Plot {
            title: format!("Wire to wire, from when the frame was due, {}", self.what),
            subtitle: format!("{samples} samples a curve; lower is better"),
            curves: self.curves.clone(),
        }
    }
}
