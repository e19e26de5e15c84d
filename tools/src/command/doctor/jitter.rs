//! COLD: how often and how long a core is taken away from a thread that never pauses, measured core by core.

use std::fs;
use std::hint::black_box;
use std::io;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;
use spinbook_feed::net::host::clock::{CycleScale, cycles};
use spinbook_feed::net::host::threads;

use super::machine::{About, Finding};
use super::sources;

/// A gap between two looks at the counter that counts: some 50 times what a look takes, less than any interrupt.
pub const GAP_NS_MIN: u64 = 1_000;
/// The longest gap that is told apart from longer ones.
const GAP_NS_MAX: u64 = 60_000_000_000;
/// Looks before the measurement, so that its own pages and caches are warm.
const WARM_LOOKS: u32 = 100_000;
/// Sources of interrupts that are named for each core.
const SOURCES_NAMED: usize = 4;
/// A quiet core loses less than this of its time.
const STOLEN_PERMILLE_MAX: f64 = 1.0;
/// And is never taken away for longer than this.
const WORST_NS_MAX: u64 = 50_000;
/// From here on it is other programs that take the core, which no setting cures.
const SWITCHES_HZ_MIN: u64 = 20;

/// What one core suffered.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CoreJitter {
    /// The core.
    pub core: usize,
    /// Whether the scheduler leaves it alone.
    pub isolated: bool,
    /// How long it was looked at, in nanoseconds.
    pub measured_ns: u64,
    /// Gaps of at least [`GAP_NS_MIN`].
    pub gaps: u64,
    /// Half of the gaps are at most this, in nanoseconds; zero if there were none, as below.
    pub gap_p50_ns: u64,
    /// 99 % of them.
    pub gap_p99_ns: u64,
    /// 99.9 % of them.
    pub gap_p999_ns: u64,
    /// The longest.
    pub gap_worst_ns: u64,
    /// All gaps together, in thousandths of the time.
    pub stolen_permille: f64,
    /// Interrupts on the core meanwhile.
    pub interrupts: u64,
    /// The sources that grew most, the most first.
    pub interrupt_sources: Vec<SourceCount>,
    /// Times the measuring thread gave the core up; it never does by itself.
    pub switches_voluntary: u64,
    /// Times it was put aside.
    pub switches_involuntary: u64,
    /// Time the hypervisor took, in milliseconds, to the kernel's 10 ms; zero on bare metal.
    pub steal_ms: u64,
}

/// A source of interrupts and how often it interrupted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SourceCount {
    /// As people call it.
    pub name: String,
    /// How often.
    pub count: u64,
}

/// What the kernel counts about a core and the calling thread.
struct Reading {
    sources: Vec<sources::InterruptSource>,
    switches: (u64, u64),
    steal_ticks: u64,
}

impl Reading {
    fn now(core: usize) -> Reading {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        Reading {
            sources: sources::parse(&text("/proc/interrupts")),
            switches: switches(&text("/proc/thread-self/status")),
            steal_ticks: steal_ticks(&text("/proc/stat"), core),
        }
    }
}

/// Voluntary and involuntary switches in a text of the form of `/proc/self/status`.
fn switches(status: &str) -> (u64, u64) {
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    };
    (field("voluntary_ctxt_switches:"), field("nonvoluntary_ctxt_switches:"))
}

/// Ticks of 10 ms that the hypervisor took from a core, from a text of the form of `/proc/stat`.
fn steal_ticks(stat: &str, core: usize) -> u64 {
    let name = format!("cpu{core}");
    let line = stat.lines().find(|line| line.split_whitespace().next() == Some(name.as_str()));
    line.and_then(|line| line.split_whitespace().nth(8)?.parse().ok()).unwrap_or(0)
}

/// Measures the cores one after the other, `seconds` each; cores that may not be used are left out. `progress` is told
/// the core before it is measured, and may end it all.
///
/// # Errors
/// The system refuses a thread.
pub fn measure(
    cores: &[usize],
    isolated: &[usize],
    seconds: u64,
    progress: &mut dyn FnMut(usize) -> bool,
) -> io::Result<Vec<CoreJitter>> {
    let scale = CycleScale::measure(Duration::from_millis(20));
    let mut measured = Vec::with_capacity(cores.len());
    for &core in cores {
        if !progress(core) {
            break;
        }
        let work = move || threads::pin(core).then(|| measure_here(core, seconds, scale));
        let thread = threads::spawn("spinbook-jitter", None, |_| {}, work)?;
        let found = thread.join().map_err(|_| io::Error::other("the measuring thread ended early"))?;
        measured.extend(found.map(|found| CoreJitter { isolated: isolated.contains(&core), ..found }));
    }
    Ok(measured)
}

/// Looks at the counter without a pause, on a thread that is pinned to `core`.
fn measure_here(core: usize, seconds: u64, scale: CycleScale) -> CoreJitter {
    let mut gaps = Histogram::<u64>::new_with_bounds(1, GAP_NS_MAX, 3).expect("constant bounds with 1 to 5 digits");
    // A value recorded once has its pages present.
    gaps.saturating_record(GAP_NS_MIN);
    gaps.reset();
    for _ in 0..WARM_LOOKS {
        black_box(cycles());
    }
    let before = Reading::now(core);
    let (measured_ns, stolen_ns) = spin(seconds, scale, &mut gaps);
    let after = Reading::now(core);
    let grown = sources::growth(&before.sources, &after.sources, core);
    let at = |quantile: f64| if gaps.is_empty() { 0 } else { gaps.value_at_quantile(quantile) };
    CoreJitter {
        core,
        isolated: false,
        measured_ns,
        gaps: gaps.len(),
        gap_p50_ns: at(0.5),
        gap_p99_ns: at(0.99),
        gap_p999_ns: at(0.999),
        gap_worst_ns: if gaps.is_empty() { 0 } else { gaps.max() },
        stolen_permille: permille(stolen_ns, measured_ns),
        interrupts: grown.iter().map(|(_, count)| count).sum(),
        interrupt_sources: grown
            .into_iter()
            .take(SOURCES_NAMED)
            .map(|(name, count)| SourceCount { name, count })
            .collect(),
        switches_voluntary: after.switches.0.saturating_sub(before.switches.0),
        switches_involuntary: after.switches.1.saturating_sub(before.switches.1),
        steal_ms: after.steal_ticks.saturating_sub(before.steal_ticks) * 10,
    }
}

/// The loop itself: time that passed, and time in gaps.
fn spin(seconds: u64, scale: CycleScale, gaps: &mut Histogram<u64>) -> (u64, u64) {
    let limit_ns = seconds.saturating_mul(1_000_000_000);
    let begun = cycles();
    let (mut last, mut stolen_ns) = (begun, 0_u64);
    loop {
        let now = cycles();
        let gap_ns = scale.nanos(last, now);
        last = now;
        if gap_ns >= GAP_NS_MIN {
            stolen_ns += gap_ns;
            gaps.saturating_record(gap_ns);
            // What counting took is nobody's gap.
            last = cycles();
        }
        let elapsed_ns = scale.nanos(begun, now);
        if elapsed_ns >= limit_ns {
            return (elapsed_ns, stolen_ns);
        }
    }
}

/// A share in thousandths, to the thousandth of one.
fn permille(part: u64, whole: u64) -> f64 {
    (part as f64 * 1e6 / whole.max(1) as f64).round() / 1e3
}

/// The quietest core: the least stolen; of those that lost about as little, the one whose worst gap is the shortest,
/// and of equals the last.
#[must_use]
pub fn quietest<'a>(measured: impl IntoIterator<Item = &'a CoreJitter> + Clone) -> Option<usize> {
    let cores = || measured.clone().into_iter();
    let least = cores().map(|core| core.stolen_permille).min_by(f64::total_cmp)?;
    // About as little: by a quarter, or a thousandth of a per mille.
    let near = |core: &&CoreJitter| core.stolen_permille <= least * 1.25 + 0.001;
    cores().filter(near).min_by_key(|core| (core.gap_worst_ns, usize::MAX - core.core)).map(|core| core.core)
}

/// The core to be the hot one: the quietest of the isolated ones, else of all but the first, which the system keeps
/// for its own work and cannot give away, else the only one.
#[must_use]
pub fn recommended(measured: &[CoreJitter]) -> Option<usize> {
    let first = measured.iter().map(|core| core.core).min()?;
    let isolated: Vec<&CoreJitter> = measured.iter().filter(|core| core.isolated).collect();
    let others: Vec<&CoreJitter> = measured.iter().filter(|core| core.core != first).collect();
    quietest(isolated).or(quietest(others)).or(Some(first))
}

/// Whether the hot core is quiet enough.
#[must_use]
pub fn finding(measured: &[CoreJitter], hot: usize) -> Finding {
    let about = About { check: "jitter", why: "every gap on the hot core is a frame that waits" };
    let Some(core) = measured.iter().find(|found| found.core == hot) else {
        return about.unknown(format!("core {hot} was not measured"));
    };
    let mut found = format!(
        "core {hot}: {} per mille stolen, worst gap {}",
        core.stolen_permille,
        crate::ui::report::nanos_text(core.gap_worst_ns)
    );
    let put_aside_hz = core.switches_involuntary.saturating_mul(1_000_000_000) / core.measured_ns.max(1);
    if put_aside_hz >= SWITCHES_HZ_MIN {
        found.push_str(&format!(", put aside {put_aside_hz} times a second: other programs are running"));
    }
    if core.stolen_permille < STOLEN_PERMILLE_MAX && core.gap_worst_ns <= WORST_NS_MAX {
        return about.ok(found);
    }
    about.warn(
        found,
        format!(
            "follow the warnings, stop other programs, measure again; good is below {STOLEN_PERMILLE_MAX} per mille \
             and {}",
            crate::ui::report::nanos_text(WORST_NS_MAX)
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::super::machine::Status;
    use super::*;

    fn core(core: usize, stolen_permille: f64, gap_worst_ns: u64) -> CoreJitter {
        CoreJitter { core, stolen_permille, gap_worst_ns, ..CoreJitter::default() }
    }

    #[test]
    fn the_quietest_core_lost_the_least() {
        assert_eq!(quietest(&[]), None);
        assert_eq!(quietest(&[core(0, 5.0, 10), core(1, 0.5, 90_000)]), Some(1));
        assert_eq!(quietest(&[core(0, 1.0, 10), core(1, 1.1, 90_000)]), Some(0), "about equal: the shorter worst");
        assert_eq!(quietest(&[core(0, 0.0, 0), core(1, 0.0, 0)]), Some(1), "equal: the last");
    }

    #[test]
    fn the_hot_core_is_an_isolated_one_and_else_not_the_first() {
        let isolated = |core| CoreJitter { isolated: true, ..core };
        assert_eq!(recommended(&[]), None);
        assert_eq!(recommended(&[core(0, 9.0, 10)]), Some(0), "there is no other");
        assert_eq!(recommended(&[core(0, 0.1, 10), core(1, 9.0, 90), core(2, 5.0, 90)]), Some(2));
        let three = [core(0, 0.1, 10), isolated(core(3, 0.4, 20)), isolated(core(2, 0.2, 20))];
        assert_eq!(recommended(&three), Some(2));
    }

    #[test]
    fn a_core_is_quiet_by_share_and_by_worst_gap() {
        for (stolen, worst, status) in
            [(0.01, 9_000, Status::Ok), (0.01, 900_000, Status::Warn), (30.0, 9_000, Status::Warn)]
        {
            assert_eq!(finding(&[core(0, 1e3, 1), core(1, stolen, worst)], 1).status, status, "{stolen} {worst}");
        }
        assert_eq!(finding(&[core(0, 0.0, 0)], 1).status, Status::Unknown);
        let put_aside = CoreJitter { switches_involuntary: 300, measured_ns: 3_000_000_000, ..core(1, 300.0, 9) };
        assert!(finding(&[put_aside], 1).found.contains("100 times a second"));
    }

    #[test]
    fn the_kernels_counts_are_read_or_zero() {
        let status = "Name:\tx\nvoluntary_ctxt_switches:\t12\nnonvoluntary_ctxt_switches:\t7\n";
        assert_eq!((switches(status), switches("garbled\n:")), ((12, 7), (0, 0)));
        let stat = "cpu  1 2 3 4 5 6 7 88 0 0\ncpu1 1 2 3 4 5 6 7 9 0 0\ncpu10 1 2 3 4 5 6 7 11 0 0\nintr 5\n";
        assert_eq!((steal_ticks(stat, 1), steal_ticks(stat, 10), steal_ticks(stat, 2)), (9, 11, 0));
        assert_eq!(steal_ticks("cpu0 1 2\ncpu", 0), 0);
        assert_eq!((permille(1, 3), permille(5, 0), permille(0, 9)), (333.333, 5000.0, 0.0));
    }

    #[test]
    fn gaps_are_found_where_time_passes() {
        // A scale on which each cycle is 2 us makes every look a gap, and the span of a second a short one.
        let scale = CycleScale::from_span(1, 2_000);
        let mut gaps = Histogram::<u64>::new_with_bounds(1, GAP_NS_MAX, 3).expect("constant bounds");
        let (measured_ns, stolen_ns) = spin(1, scale, &mut gaps);
        assert!(measured_ns >= 1_000_000_000 && stolen_ns > 0 && stolen_ns <= measured_ns, "{stolen_ns}");
        assert!(!gaps.is_empty() && gaps.min() >= GAP_NS_MIN);
    }
}
