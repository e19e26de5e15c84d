//! COLD: the wall-clock check beside the instruction counts: ours against the plain pipeline, in one process.
//!
//! Counts miss what a cache, a branch predictor or a page fault costs. Times do not, but they are noisy, so only their
//! ratio within one process and one recording is judged, against half of the accepted one, and only if several
//! attempts in a row agree. A red is a real loss.

use std::collections::BTreeMap;

use spinbook_engine::types::Nanos;
use spinbook_feed::scan::ScannerChoice;

use crate::contest::median_and_spread;
use crate::inputs::chain_until;
use crate::markets::{PERP, SPOT};
use crate::percentiles::Class;
use crate::pipeline::{Make, OurPipeline, Outcome, Plain, contest};
use crate::plain::SimdJsonTyped;
use crate::threads;

/// The share of the accepted ratio below which something is broken.
pub const FLOOR: f64 = 0.5;
/// Attempts that must all be below the floor.
pub const ATTEMPTS: usize = 5;
/// Attempts whose median is accepted.
pub const ACCEPTED_ATTEMPTS: usize = 5;
/// Rounds of an attempt.
const ROUNDS: usize = 7;
/// How much of a recording is played.
const SPAN: Nanos = Nanos::from_seconds(60);

/// Ratios by name: the plain pipeline's time over ours.
pub type Ratios = BTreeMap<String, f64>;

/// One attempt: frame to order at p50 and p99, on a slice of every product's recording that there is.
///
/// # Errors
/// A recording cannot be read, or the pipelines decide differently.
pub fn measure() -> Result<Ratios, String> {
    let mut ratios = Ratios::new();
    for (name, place) in [("perp", PERP), ("spot", SPOT)] {
        let Some(recording) = chain_until(place, SPAN)? else { continue };
        let outcome = threads::alone(|| {
            let increments = recording.increments();
            let makers: [Make<'_>; 2] = [
                Box::new(|| Box::new(OurPipeline::new(&recording, ScannerChoice::Best))),
                Box::new(|| Box::new(Plain::new(&recording, SimdJsonTyped::new(increments)))),
            ];
            contest(&recording, ROUNDS, &makers)
        })?;
        for percentile in [50.0, 99.0] {
            ratios.insert(format!("{name}-p{percentile}"), ratio(&outcome, percentile));
        }
    }
    Ok(ratios)
}

/// The median over the rounds of how many times longer the plain pipeline took for an order at this percentile.
fn ratio(outcome: &Outcome, percentile: f64) -> f64 {
    let frames = Class::Ordered.frames(outcome);
    let [ours, plain] = &outcome.times[..] else { return f64::NAN };
    let at = |round: &[f32]| {
        let mut values: Vec<f32> = frames.iter().map(|&frame| round[frame]).collect();
        values.sort_unstable_by(f32::total_cmp);
        let place = (values.len().saturating_sub(1) as f64 * percentile / 100.0).round() as usize;
        values.get(place).map_or(f64::NAN, |&ns| f64::from(ns))
    };
    let mut ratios: Vec<f64> =
        ours.rounds.iter().zip(&plain.rounds).map(|(ours, plain)| at(plain) / at(ours)).collect();
    median_and_spread(&mut ratios).0
}

/// What is held against the accepted ratios.
#[derive(Clone, Debug, PartialEq)]
pub struct RatioVerdict {
    /// Which ratio.
    pub name: String,
    /// The best of the attempts; none if it could not be measured here.
    pub measured: Option<f64>,
    /// What was accepted; none if it is new.
    pub accepted: Option<f64>,
}

impl RatioVerdict {
    /// Whether this ratio is a loss. One that cannot be measured for want of data is none, a new one needs accepting.
    #[must_use]
    pub fn fails(&self) -> bool {
        match (self.measured, self.accepted) {
            (Some(measured), Some(accepted)) => measured.is_nan() || measured < accepted * FLOOR,
            (Some(_), None) => true,
            (None, _) => false,
        }
    }
}

/// Measures until nothing fails, at most [`ATTEMPTS`] times; of each ratio the best attempt counts.
///
/// # Errors
/// As `attempt`.
pub fn judge(
    accepted: &Ratios,
    mut attempt: impl FnMut() -> Result<Ratios, String>,
) -> Result<Vec<RatioVerdict>, String> {
    let mut best = Ratios::new();
    let mut verdicts = Vec::new();
    for _ in 0..ATTEMPTS {
        for (name, ratio) in attempt()? {
            let kept = best.entry(name).or_insert(ratio);
            // Not a number is worse than any.
            *kept = kept.max(ratio);
        }
        let mut names: Vec<&String> = best.keys().chain(accepted.keys()).collect();
        names.sort();
        names.dedup();
        verdicts = names
            .into_iter()
            .map(|name| RatioVerdict {
                name: name.clone(),
                measured: best.get(name).copied(),
                accepted: accepted.get(name).copied(),
            })
            .collect();
        let lost = |verdict: &RatioVerdict| verdict.fails() && verdict.accepted.is_some();
        if !verdicts.iter().any(lost) {
            break;
        }
    }
    Ok(verdicts)
}

/// What a baseline keeps of several attempts: the median of each ratio, so that a lucky one does not raise the floor.
#[must_use]
pub fn to_accept(attempts: &[Ratios]) -> Ratios {
    let names = attempts.iter().flat_map(Ratios::keys);
    let median = |name: &String| {
        let mut values: Vec<f64> = attempts.iter().filter_map(|ratios| ratios.get(name).copied()).collect();
        (median_and_spread(&mut values).0 * 100.0).round() / 100.0
    };
    names.map(|name| (name.clone(), median(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::{ATTEMPTS, Ratios, judge, to_accept};

    fn ratios(p50: f64) -> Ratios {
        Ratios::from([("perp-p50".to_owned(), p50), ("spot-p50".to_owned(), 5.0)])
    }

    /// Names that fail, and the attempts it took to say so.
    fn failing(accepted: &Ratios, attempts: &[f64]) -> (Vec<String>, usize) {
        let mut made = 0;
        let verdicts = judge(accepted, || {
            made += 1;
            Ok(ratios(attempts[(made - 1) % attempts.len()]))
        });
        let verdicts = verdicts.expect("the attempts succeed").into_iter();
        (verdicts.filter(super::RatioVerdict::fails).map(|verdict| verdict.name).collect(), made)
    }

    #[test]
    fn half_of_the_accepted_ratio_is_enough_and_less_is_a_loss_after_every_attempt() {
        assert_eq!(failing(&ratios(8.0), &[8.0]), (vec![], 1));
        assert_eq!(failing(&ratios(8.0), &[4.0]), (vec![], 1));
        assert_eq!(failing(&ratios(8.0), &[3.9]), (vec!["perp-p50".to_owned()], ATTEMPTS));
        assert_eq!(failing(&ratios(8.0), &[f64::NAN]), (vec!["perp-p50".to_owned()], ATTEMPTS));
    }

    #[test]
    fn a_noisy_attempt_is_repeated() {
        assert_eq!(failing(&ratios(8.0), &[1.0, 2.0, 7.0]), (vec![], 3));
        assert_eq!(failing(&ratios(8.0), &[f64::NAN, 7.0]), (vec![], 2));
    }

    #[test]
    fn what_was_never_accepted_fails_and_what_has_no_data_here_does_not() {
        assert_eq!(failing(&Ratios::new(), &[8.0]).0, ["perp-p50", "spot-p50"]);
        let mut more = ratios(8.0);
        more.insert("other-p50".to_owned(), 9.0);
        assert_eq!(failing(&more, &[8.0]), (vec![], 1));
    }

    #[test]
    fn the_median_of_the_attempts_is_accepted() {
        let accepted = to_accept(&[ratios(2.0), ratios(20.0), ratios(6.123)]);
        assert_eq!(accepted, Ratios::from([("perp-p50".to_owned(), 6.12), ("spot-p50".to_owned(), 5.0)]));
    }
}
