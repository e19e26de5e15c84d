//! COLD: the doctor's answer for people, 80 columns wide.

use super::Answer;
use super::jitter::{self, CoreJitter, GAP_NS_MIN};
use super::machine::{Finding, Status};
use crate::ui::report::nanos_text;

/// Columns of a line.
const WIDTH: usize = 80;
/// Where the text of a finding begins.
const INDENT: usize = 24;
/// Characters of the longest bar: four for each factor of ten from a millionth to everything.
const BAR_WIDTH: usize = 24;

/// The whole answer; `bars` on a terminal.
#[must_use]
pub fn text(answer: &Answer, bars: bool) -> String {
    let mut text = String::new();
    if !answer.jitter.is_empty() {
        text.push_str(&jitter_text(answer, bars));
        text.push('\n');
    }
    for finding in &answer.findings {
        text.push_str(&finding_text(finding));
    }
    if let Some(arguments) = answer.kernel_arguments() {
        text.push('\n');
        text.push_str(&wrapped("all kernel arguments: ", &arguments, 4));
    }
    text.push_str(&format!(
        "\n{} checks, {} warnings, {} unknown; hot core: {}; how to set them: tools/TUNING.md\n",
        answer.findings.len(),
        answer.count(Status::Warn),
        answer.count(Status::Unknown),
        answer.hot
    ));
    text
}

fn jitter_text(answer: &Answer, bars: bool) -> String {
    let mut text = format!(
        "{:>5} {:>12} {:>9} {:>10} {:>10} {:>9} {:>8} {:>10}\n",
        "core", "stolen o/oo", "gaps/s", "p99.9", "worst", "switches", "steal", "interrupts"
    );
    for core in &answer.jitter {
        let mark = if core.core == answer.hot { "*" } else { " " };
        let seconds = core.measured_ns as f64 / 1e9;
        text.push_str(&format!(
            "{:>4}{mark} {:>12.3} {:>9.0} {:>10} {:>10} {:>9} {:>5} ms {:>10}\n",
            core.core,
            core.stolen_permille,
            core.gaps as f64 / seconds.max(1e-9),
            nanos_text(core.gap_p999_ns),
            nanos_text(core.gap_worst_ns),
            core.switches_involuntary,
            core.steal_ms,
            core.interrupts
        ));
    }
    text.push('\n');
    for core in &answer.jitter {
        let named: Vec<String> =
            core.interrupt_sources.iter().map(|source| format!("{} {}", source.name, source.count)).collect();
        let list = if named.is_empty() { "none".to_owned() } else { named.join(", ") };
        text.push_str(&wrapped(&format!("core {} interrupts: ", core.core), &list, 4));
    }
    if bars {
        text.push('\n');
        for core in &answer.jitter {
            text.push_str(&format!(
                "core {:>3} |{:<BAR_WIDTH$}| {} o/oo\n",
                core.core,
                bar(core),
                core.stolen_permille
            ));
        }
        text.push_str("         nothing: a millionth of the time; every 4 marks: ten times more\n");
    }
    text.push('\n');
    text.push_str(&wrapped("", &note(answer), 2));
    text
}

/// Which core the findings speak of, and why that one.
fn note(answer: &Answer) -> String {
    let hot = answer.hot;
    let isolated = answer.jitter.iter().any(|core| core.core == hot && core.isolated);
    let why = match jitter::quietest(&answer.jitter) {
        _ if answer.hot_was_given => "was asked for",
        _ if isolated => "is recommended for engine.hot_core: the quietest of the isolated ones",
        Some(quietest) if quietest == hot => "is recommended for engine.hot_core: the quietest",
        _ => "is recommended for engine.hot_core: the quietest but for the first, which the system keeps",
    };
    let least = nanos_text(GAP_NS_MIN);
    format!("* core {hot} {why}. Gaps are {least} or more, in {} s a core.", answer.seconds)
}

/// The stolen share, a thousandth of a per mille and less as nothing, by the logarithm.
fn bar(core: &CoreJitter) -> String {
    let decades = (core.stolen_permille.max(0.001) / 0.001).log10();
    "#".repeat(((decades * 4.0).round() as usize).min(BAR_WIDTH))
}

fn finding_text(finding: &Finding) -> String {
    let head = format!("{:<5}", if finding.status == Status::Unknown { "?" } else { finding.status.name() });
    let head = format!("{head} {:<18}", finding.check);
    let mut text = wrapped(&head, &finding.found, INDENT);
    if finding.status == Status::Warn {
        text.push_str(&wrapped("      why: ", finding.why, 11));
        text.push_str(&wrapped("      fix: ", &finding.fix, 11));
    }
    text
}

/// The words of a text; what stands between two back quotes is one, as it is to be copied.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut quoted = false;
    for word in text.split_whitespace() {
        match words.last_mut() {
            Some(last) if quoted => *last = format!("{last} {word}"),
            _ => words.push(word.to_owned()),
        }
        quoted ^= word.matches('`').count() % 2 == 1;
    }
    words
}

/// A text behind a head, broken at spaces, its further lines indented. A word that is longer than a line stays whole,
/// so that commands can be copied.
fn wrapped(head: &str, body: &str, indent: usize) -> String {
    let (mut text, mut line) = (String::new(), head.to_owned());
    let mut fresh = true;
    for word in words(body) {
        let space = usize::from(!fresh);
        if !fresh && line.chars().count() + space + word.chars().count() > WIDTH {
            text.push_str(line.trim_end());
            text.push('\n');
            line = " ".repeat(indent);
            fresh = true;
        }
        if !fresh {
            line.push(' ');
        }
        line.push_str(&word);
        fresh = false;
    }
    text.push_str(line.trim_end());
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::super::jitter::SourceCount;
    use super::super::machine::About;
    use super::*;

    fn sample() -> Answer {
        let about = About { check: "isolation", why: "the scheduler puts other work on the hot core and it waits" };
        let core = |core, stolen_permille, gap_worst_ns| CoreJitter {
            core,
            stolen_permille,
            gap_worst_ns,
            measured_ns: 1_000_000_000,
            gaps: 1203,
            gap_p999_ns: 85_200,
            interrupts: 1_250_000,
            interrupt_sources: vec![
                SourceCount { name: "timer".into(), count: 250 },
                SourceCount { name: "a-device-with-a-rather-long-name-of-its-own.0".into(), count: 12 },
                SourceCount { name: "rescheduling".into(), count: 3 },
            ],
            ..CoreJitter::default()
        };
        Answer {
            seconds: 1,
            hot: 1,
            hot_was_given: false,
            jitter: vec![core(0, 312.5, 59_999_999_999), core(1, 0.01, 12_000)],
            findings: vec![
                about.boot("no core is isolated", "isolcpus=managed_irq,domain,1"),
                About { check: "timer tick", ..about }.boot("no core runs without it", "nohz_full=1"),
                About { check: "huge page reserve", ..about }.ok("none, and none is needed"),
                About { check: "governor", ..about }.unknown("no cpufreq here: the firmware or the host decides"),
            ],
        }
    }

    #[test]
    fn it_fits_80_columns_and_says_what_to_do() {
        let text = text(&sample(), true);
        println!("{text}");
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        for part in [
            "* core 1 is recommended for engine.hot_core: the quietest.",
            "warn  isolation         no core is isolated",
            "fix: boot with isolcpus=managed_irq,domain,1",
            "all kernel arguments: isolcpus=managed_irq,domain,1 nohz_full=1",
            "?     governor          no cpufreq here",
            "4 checks, 2 warnings, 1 unknown; hot core: 1;",
            "timer 250",
        ] {
            assert!(text.contains(part), "no `{part}` in\n{text}");
        }
        assert!(!text.contains("ok    governor"));
    }

    #[test]
    fn bars_grow_by_decades_and_only_on_a_terminal() {
        let length = |stolen_permille| bar(&CoreJitter { stolen_permille, ..CoreJitter::default() }).len();
        assert_eq!([0.0, 0.001, 0.01, 1.0, 1000.0, 5000.0].map(length), [0, 0, 4, 12, 24, 24]);
        assert!(!text(&sample(), false).contains("##"));
    }

    #[test]
    fn long_words_stay_whole() {
        let word = "x".repeat(100);
        assert_eq!(wrapped("a ", &format!("b {word} c"), 2), format!("a b\n  {word}\n  c\n"));
        assert_eq!(wrapped("head ", "", 2), "head\n");
        assert_eq!(words("see `ethtool -c eth0`; `a b` c"), ["see", "`ethtool -c eth0`;", "`a b`", "c"]);
    }
}
