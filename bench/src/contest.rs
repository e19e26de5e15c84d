//! COLD: contenders take turns on the same work in one run, so that the machine's noise meets all of them alike.

use core::ops::Range;

use serde::{Deserialize, Serialize};

use crate::clock::{CycleClock, start, stop};
use crate::frames::Frames;
use crate::text::format_figure;

/// Bytes of a batch of frames: with the decoder's own scratch it stays in a first-level cache, where a socket's or
/// a cipher's output lies as well.
pub const BATCH_BYTES: usize = 24 * 1024;

/// One way of doing the work.
pub struct Contender<'a> {
    /// As printed in tables.
    pub name: String,
    /// Does the whole work of one batch (an index) on a fresh copy of its frames and gives back something that
    /// depends on all of the results.
    pub run: Box<dyn FnMut(&mut Frames) -> u64 + 'a>,
}

impl<'a> Contender<'a> {
    /// From its name and its work.
    pub fn new(name: impl Into<String>, run: impl FnMut(&mut Frames) -> u64 + 'a) -> Contender<'a> {
        Contender { name: name.into(), run: Box::new(run) }
    }
}

/// What one contender needed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Time {
    /// Who.
    pub name: String,
    /// Mean ns a unit of work, each part of the work by its median round.
    pub ns: f64,
    /// The spread of the rounds: half the distance of the quartiles of a part, as a share of its median.
    pub spread: f64,
}

impl Time {
    /// The median of the rounds' values, in ns a unit of work, and how far they lie apart.
    #[must_use]
    pub fn of(name: impl Into<String>, mut values: Vec<f64>) -> Time {
        let (ns, spread) = median_and_spread(&mut values);
        Time { name: name.into(), ns, spread }
    }

    /// The time with the spread of its rounds, as printed in tables.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{} ±{:.1} %", format_figure(self.ns), self.spread * 100.0)
    }
}

/// Contenders on one input beside a yardstick, which none of them can be expected to beat.
#[derive(Clone, Debug, Serialize)]
pub struct Contest {
    /// Which step, or which input.
    pub what: &'static str,
    /// ns a unit of work: the yardstick first, then ours, then the others.
    pub times: Vec<Time>,
    /// Ours over the yardstick: the median of the ratios of single rounds.
    pub over_yardstick: f64,
    /// The best of `peers` over ours, likewise.
    pub peer_over_ours: f64,
}

impl Contest {
    /// From the contenders' values by round; `peers` are the places from which on peers stand.
    #[must_use]
    pub fn of(what: &'static str, names: Vec<String>, rounds: Vec<Vec<f64>>, peers: usize) -> Contest {
        let ratio = |over: usize, under: usize| match (rounds.get(over), rounds.get(under)) {
            (Some(over), Some(under)) => {
                Time::of("", over.iter().zip(under).map(|(one, other)| one / other).collect()).ns
            }
            _ => f64::NAN,
        };
        Contest {
            what,
            over_yardstick: ratio(1, 0),
            peer_over_ours: (peers..rounds.len()).map(|peer| ratio(peer, 1)).fold(f64::INFINITY, f64::min),
            times: names.into_iter().zip(rounds).map(|(name, values)| Time::of(name, values)).collect(),
        }
    }
}

/// Lets `count` contenders take turns for `rounds` rounds behind `warm` ones that do not count; the order rotates. Gives
/// back what each turn gave, by contender and round.
pub fn in_turns<T>(count: usize, warm: usize, rounds: usize, mut turn: impl FnMut(usize) -> T) -> Vec<Vec<T>> {
    let mut kept: Vec<Vec<T>> = (0..count).map(|_| Vec::with_capacity(rounds)).collect();
    for round in 0..rounds + warm {
        for place in 0..count {
            let who = (place + round) % count;
            let value = turn(who);
            if round >= warm {
                kept[who].push(value);
            }
        }
    }
    kept
}

/// The median of `values` and half the distance of their quartiles as a share of it.
#[must_use]
pub fn median_and_spread(values: &mut [f64]) -> (f64, f64) {
    if values.is_empty() {
        return (f64::NAN, f64::NAN);
    }
    values.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| values[((values.len() - 1) as f64 * share).round() as usize];
    (at(0.5), (at(0.75) - at(0.25)) / (2.0 * at(0.5)))
}

/// Raw spans of all rounds by contender and part of the work. A part in which the thread was put aside is an outlier
/// of its own median and nothing else, so noise does not add up over a round.
struct Spans {
    ticks: Vec<Vec<Vec<u64>>>,
}

impl Spans {
    fn new(contenders: usize, parts: usize, rounds: usize) -> Spans {
        Spans { ticks: vec![vec![Vec::with_capacity(rounds); parts]; contenders] }
    }

    fn record(&mut self, contender: usize, part: usize, ticks: u64) {
        self.ticks[contender][part].push(ticks);
    }

    /// ns of the whole work: the sum over its parts of the median round, less what the stamps cost.
    fn time(&self, contender: usize, name: String) -> Time {
        let clock = CycleClock::calibrated();
        let (mut ns, mut spreads) = (0.0, Vec::new());
        for rounds in &self.ticks[contender] {
            let mut values: Vec<f64> = rounds.iter().map(|&ticks| clock.ns(ticks)).collect();
            let (median, spread) = median_and_spread(&mut values);
            ns += (median - clock.pair_ns).max(0.0);
            spreads.push(spread);
        }
        Time { name, ns, spread: median_and_spread(&mut spreads).0 }
    }
}

/// Lets every contender do every batch `rounds` times, in turns within a batch, and reports ns a frame.
///
/// One round before the first is not counted. The order of turns rotates from batch to batch.
pub fn by_batch(frames: &Frames, rounds: usize, contenders: &mut [Contender<'_>]) -> Vec<Time> {
    let batches = frames.batches(BATCH_BYTES);
    let mut scratch: Vec<Frames> = batches.clone();
    let mut spans = Spans::new(contenders.len(), batches.len(), rounds);
    let mut sink = 0u64;
    for round in 0..=rounds {
        for (index, fresh) in batches.iter().enumerate() {
            for turn in 0..contenders.len() {
                let who = (turn + index + round) % contenders.len();
                scratch[index].refresh(fresh);
                let begun = start();
                sink ^= (contenders[who].run)(&mut scratch[index]);
                let ticks = stop() - begun;
                if round > 0 {
                    spans.record(who, index, ticks);
                }
            }
        }
    }
    core::hint::black_box(sink);
    let named = contenders.iter().enumerate();
    let mut times: Vec<Time> = named.map(|(who, contender)| spans.time(who, contender.name.clone())).collect();
    times.iter_mut().for_each(|time| time.ns /= frames.len() as f64);
    times
}

/// A stateful piece of work over a stream, done in chunks.
pub trait Work {
    /// As printed in tables.
    fn name(&self) -> String;

    /// Back to the state before the stream's first item.
    fn reset(&mut self);

    /// Does the items of `range`, which follow those of the call before, and gives back something that depends on
    /// all results.
    fn run(&mut self, range: Range<usize>) -> u64;
}

/// How a stream is cut for [`by_turns`].
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// Items of a part, which is timed alone and counts by its median round: short, so that a part in which the
    /// thread was put aside is rare.
    pub part: usize,
    /// Parts that one work does before the next has its turn: many, because after the others' turns it finds the
    /// caches cold, which costs the fast ones most.
    pub parts_a_turn: usize,
}

/// Lets all works do a stream of `count` items `rounds` times, in turns, and reports ns a stream.
///
/// One round before the first is not counted. The order of turns rotates.
pub fn by_turns(count: usize, cut: Cut, rounds: usize, works: &mut [Box<dyn Work + '_>]) -> Vec<Time> {
    let mut spans = Spans::new(works.len(), count.div_ceil(cut.part), rounds);
    let mut sink = 0u64;
    for round in 0..=rounds {
        works.iter_mut().for_each(|work| work.reset());
        for (turn, first) in (0..count).step_by(cut.part * cut.parts_a_turn).enumerate() {
            let end = (first + cut.part * cut.parts_a_turn).min(count);
            for place in 0..works.len() {
                let who = (place + turn + round) % works.len();
                for begin in (first..end).step_by(cut.part) {
                    let begun = start();
                    sink ^= works[who].run(begin..(begin + cut.part).min(end));
                    let ticks = stop() - begun;
                    if round > 0 {
                        spans.record(who, begin / cut.part, ticks);
                    }
                }
            }
        }
    }
    core::hint::black_box(sink);
    works.iter().enumerate().map(|(who, work)| spans.time(who, work.name())).collect()
}

/// A straight line through points, by least squares.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct FittedLine {
    /// Value at zero.
    pub intercept: f64,
    /// Value a unit.
    pub slope: f64,
}

impl FittedLine {
    /// Through `(x, y)` points; `None` for fewer than two different `x`.
    #[must_use]
    pub fn fit(points: &[(f64, f64)]) -> Option<FittedLine> {
        let count = points.len() as f64;
        let mean_x = points.iter().map(|point| point.0).sum::<f64>() / count;
        let mean_y = points.iter().map(|point| point.1).sum::<f64>() / count;
        let spread: f64 = points.iter().map(|point| (point.0 - mean_x).powi(2)).sum();
        if points.len() < 2 || spread <= 0.0 {
            return None;
        }
        let slope = points.iter().map(|point| (point.0 - mean_x) * (point.1 - mean_y)).sum::<f64>() / spread;
        Some(FittedLine { intercept: mean_y - slope * mean_x, slope })
    }
}

impl core::fmt::Display for FittedLine {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(out, "{:.0} + {:.2} n", self.intercept, self.slope)
    }
}

#[cfg(test)]
mod tests {
    use core::ops::Range;

    use super::{Contender, Cut, FittedLine, Work, by_batch, by_turns, median_and_spread};
    use crate::frames::Frames;

    #[test]
    fn twice_the_work_takes_about_twice_the_time() {
        let mut frames = Frames::new();
        for _ in 0..64 {
            frames.push(&[b'x'; 500]);
        }
        let spin = |times: usize| {
            move |frames: &mut Frames| {
                let mut sum = 0u64;
                for _ in 0..times {
                    for index in 0..frames.len() {
                        sum = frames
                            .frame(index)
                            .iter()
                            .fold(sum, |sum, &byte| core::hint::black_box(sum + u64::from(byte)));
                    }
                }
                sum
            }
        };
        let mut contenders = [Contender::new("once", spin(4)), Contender::new("twice", spin(8))];
        let times = by_batch(&frames, 9, &mut contenders);
        let ratio = times[1].ns / times[0].ns;
        assert!((1.4..2.9).contains(&ratio), "{times:?}");
    }

    /// Notes where it was asked to go on.
    struct Follower {
        next: usize,
        rounds: usize,
    }

    impl Work for Follower {
        fn name(&self) -> String {
            "follower".into()
        }

        fn reset(&mut self) {
            assert!(self.rounds == 0 || self.next == 103, "a round ends at the end, not at {}", self.next);
            (self.next, self.rounds) = (0, self.rounds + 1);
        }

        fn run(&mut self, range: Range<usize>) -> u64 {
            assert_eq!(range.start, self.next, "parts follow each other");
            assert!(range.len() == 10 || range.end == 103);
            self.next = range.end;
            range.len() as u64
        }
    }

    #[test]
    fn every_work_does_the_whole_stream_in_order_whatever_the_cut() {
        for parts_a_turn in [1, 3, 100] {
            let mut works: Vec<Box<dyn Work>> =
                vec![Box::new(Follower { next: 0, rounds: 0 }), Box::new(Follower { next: 0, rounds: 0 })];
            let times = by_turns(103, Cut { part: 10, parts_a_turn }, 4, &mut works);
            assert!(times.len() == 2 && times.iter().all(|time| time.ns >= 0.0));
            works.iter_mut().for_each(|work| work.reset());
        }
    }

    #[test]
    fn a_line_is_found_and_a_median_is_the_middle() {
        let line = FittedLine::fit(&[(0.0, 90.0), (10.0, 155.0), (20.0, 220.0)]).expect("three points");
        assert!((line.intercept - 90.0).abs() < 1e-9 && (line.slope - 6.5).abs() < 1e-9);
        assert_eq!(FittedLine::fit(&[(1.0, 2.0)]), None);
        assert_eq!(median_and_spread(&mut [3.0, 1.0, 2.0]).0, 2.0);
    }
}
