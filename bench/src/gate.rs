//! COLD: the instruction-count gate: what callgrind counts a stage against the accepted baseline.
//!
//! Counts repeat on a busy machine where times do not, so a stage that became dearer is found in any CI. The
//! baseline names the compiler and the processor level that it was accepted for; another fails until its own is
//! accepted.
//!
//! callgrind is called directly. gungraun wraps the same tool, but it keeps its baselines in the build folder, knows
//! neither compiler nor reason, and needs a runner program of exactly its library's version installed on every
//! machine; all that it would spare is reading one `totals:` line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ratio::Ratios;

/// The most a stage may grow over its baseline, in thousandths.
pub const GROWTH_MAX_PER_MILLE: u64 = 10;

/// What one stage cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageCount {
    /// Frames, levels or messages that were worked through.
    pub units: u64,
    /// Instructions for all of them.
    pub instructions: u64,
}

impl StageCount {
    /// Instructions a unit, in hundredths.
    #[must_use]
    pub fn per_unit(self) -> f64 {
        self.instructions as f64 / self.units as f64
    }
}

/// An accepted set of counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// `rustc --version` of the build that was counted.
    pub compiler: String,
    /// The processor that the counted program was compiled for, as [`crate::stages::built_for`] names it.
    #[serde(default)]
    pub processor: String,
    /// Why each baseline was accepted, oldest first.
    pub reasons: Vec<String>,
    /// The counts by stage.
    pub stages: BTreeMap<String, StageCount>,
    /// How many times longer the plain pipeline takes, by slice and percentile: what `gate ratio` holds to.
    #[serde(default)]
    pub ratios: Ratios,
}

impl Baseline {
    /// Why it says nothing about this build; none if it does.
    #[must_use]
    pub fn is_of_another(&self, compiler: &str, processor: &str) -> Option<String> {
        (self.compiler != compiler || self.processor != processor).then(|| {
            let of = |compiler: &str, processor: &str| {
                let processor = if processor.is_empty() { "no named processor" } else { processor };
                format!("{compiler} for {processor}")
            };
            format!(
                "the baseline is of {}, this is {}: accept a new one",
                of(&self.compiler, &self.processor),
                of(compiler, processor)
            )
        })
    }
}

/// What the comparison of one stage says.
#[derive(Clone, Debug, PartialEq)]
pub enum StageFinding {
    /// Within the limit; the change in percent.
    Held(f64),
    /// More than the limit over the baseline; the change in percent.
    Grew(f64),
    /// Not in the baseline, or with another number of units: a new baseline must be accepted.
    New,
    /// In the baseline but not counted, and it could have been.
    Gone,
}

impl StageFinding {
    /// Whether the gate stays shut.
    #[must_use]
    pub fn fails(&self) -> bool {
        !matches!(self, StageFinding::Held(_))
    }
}

/// Compares counts with a baseline, stage by stage. `optional` says which stages may be missing from the counts.
#[must_use]
pub fn compare(
    baseline: &Baseline,
    counted: &BTreeMap<String, StageCount>,
    optional: impl Fn(&str) -> bool,
) -> Vec<(String, StageFinding)> {
    let mut findings = Vec::new();
    for (stage, count) in counted {
        let finding = match baseline.stages.get(stage) {
            Some(accepted) if accepted.units == count.units => {
                let percent = (count.instructions as f64 / accepted.instructions as f64 - 1.0) * 100.0;
                let most = u128::from(accepted.instructions) * u128::from(1000 + GROWTH_MAX_PER_MILLE);
                if u128::from(count.instructions) * 1000 > most {
                    StageFinding::Grew(percent)
                } else {
                    StageFinding::Held(percent)
                }
            }
            _ => StageFinding::New,
        };
        findings.push((stage.clone(), finding));
    }
    for stage in baseline.stages.keys().filter(|stage| !counted.contains_key(*stage) && !optional(stage)) {
        findings.push((stage.clone(), StageFinding::Gone));
    }
    findings
}

/// Reads the instruction total from a callgrind output file's text.
#[must_use]
pub fn instructions_of(callgrind_output: &str) -> Option<u64> {
    let line = callgrind_output.lines().find_map(|line| line.strip_prefix("totals:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Baseline, Ratios, StageCount, StageFinding, compare, instructions_of};

    fn counted() -> BTreeMap<String, StageCount> {
        let count = |instructions| StageCount { units: 10, instructions };
        BTreeMap::from([("book".to_owned(), count(7_000)), ("decode".to_owned(), count(90_000))])
    }

    fn accepted() -> Baseline {
        Baseline {
            compiler: "rustc 1".into(),
            processor: "x86-64-v3".into(),
            reasons: vec!["first".into()],
            stages: counted(),
            ratios: Ratios::new(),
        }
    }

    #[test]
    fn another_compiler_or_processor_is_told_apart() {
        assert_eq!(accepted().is_of_another("rustc 1", "x86-64-v3"), None);
        let why = accepted().is_of_another("rustc 2", "x86-64-v3").expect("another compiler");
        assert!(why.contains("of rustc 1 for x86-64-v3, this is rustc 2 for x86-64-v3"), "{why}");
        assert!(accepted().is_of_another("rustc 1", "x86_64").is_some());
    }

    #[test]
    fn a_baseline_lowered_by_two_percent_fails_and_says_which_stage_and_by_how_much() {
        let mut baseline = accepted();
        assert!(compare(&baseline, &counted(), |_| false).iter().all(|(_, finding)| !finding.fails()));
        let lowered = baseline.stages.get_mut("decode").expect("a stage of the test");
        lowered.instructions -= lowered.instructions / 50;
        let findings = compare(&baseline, &counted(), |_| false);
        let failing: Vec<_> = findings.iter().filter(|(_, finding)| finding.fails()).collect();
        let [(stage, StageFinding::Grew(percent))] = failing[..] else { panic!("{findings:?}") };
        assert_eq!(stage, "decode");
        assert!((2.0..2.1).contains(percent), "{percent}");
    }

    #[test]
    fn one_percent_is_allowed_and_a_stage_without_a_baseline_is_not() {
        let mut counts = counted();
        counts.get_mut("book").expect("a stage of the test").instructions = 7_070;
        assert!(compare(&accepted(), &counts, |_| false).iter().all(|(_, finding)| !finding.fails()));
        counts.get_mut("book").expect("a stage of the test").instructions = 7_071;
        assert!(compare(&accepted(), &counts, |_| false).iter().any(|(_, finding)| finding.fails()));
        counts.insert("ring".into(), StageCount { units: 1, instructions: 1 });
        assert!(compare(&accepted(), &counts, |_| false).contains(&("ring".into(), StageFinding::New)));
        counts.remove("decode");
        assert!(compare(&accepted(), &counts, |_| false).contains(&("decode".into(), StageFinding::Gone)));
        assert!(
            !compare(&accepted(), &counts, |stage| stage == "decode").contains(&("decode".into(), StageFinding::Gone))
        );
    }

    #[test]
    fn totals_are_read_from_callgrind() {
        assert_eq!(instructions_of("events: Ir\nfn=(1)\n1 2\ntotals: 90210\n"), Some(90_210));
        assert_eq!(instructions_of("events: Ir\n"), None);
    }
}
