//! COLD: what a table must say of where it was made: machine, build, noise.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde::Serialize;

/// MachineFacts and build.
#[derive(Clone, Debug, Serialize)]
pub struct MachineFacts {
    /// Model of the processor.
    pub processor: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// Kernel and architecture.
    pub system: String,
    /// Whether the processor has AVX2.
    pub avx2: bool,
    /// What the scaling governor is; "unknown" in most virtual machines.
    pub governor: String,
    /// Rate of the time-stamp counter and the cost of a pair of stamps.
    pub clock: String,
    /// Commit, with a mark if files differ from it.
    pub commit: String,
    /// `rustc --version`.
    pub compiler: String,
    /// Profile and flags of this build.
    pub flags: String,
    /// UTC date and time.
    pub date: String,
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// `rustc --version` of the toolchain that builds this project.
#[must_use]
pub fn compiler() -> String {
    output("rustc", &["--version"]).unwrap_or_else(|| "unknown".into())
}

fn commit() -> String {
    let Some(commit) = output("git", &["rev-parse", "--short=12", "HEAD"]) else {
        return "unknown".into();
    };
    let changed = output("git", &["status", "--porcelain", "--untracked-files=no"]).unwrap_or_default();
    // The generated file itself does not count: it is what this run writes.
    let changed = changed.lines().filter(|line| !line.ends_with("BENCHMARKS.md") && !line.ends_with(".svg")).count();
    if changed == 0 { commit } else { format!("{commit} with {changed} changed files") }
}

fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = info.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let model = field("model name").unwrap_or_else(|| "unknown".into());
    match (field("cpu family"), field("model\t")) {
        (Some(family), Some(number)) => format!("{model} (family {family}, model {number})"),
        _ => model,
    }
}

#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    std::arch::is_x86_feature_detected!("avx2")
}

#[cfg(not(target_arch = "x86_64"))]
fn has_avx2() -> bool {
    false
}

impl MachineFacts {
    /// This machine and this build, now.
    #[must_use]
    pub fn here() -> MachineFacts {
        let clock = crate::clock::CycleClock::calibrated();
        let governor = fs::read_to_string("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
        let profile = if cfg!(debug_assertions) { "debug profile: figures mean nothing" } else { "release profile" };
        let native = if cfg!(target_feature = "avx2") { "AVX2 at compile time" } else { "default target features" };
        MachineFacts {
            processor: processor(),
            cores: crate::threads::cores().len(),
            system: output("uname", &["-srm"]).unwrap_or_else(|| std::env::consts::OS.to_owned()),
            avx2: has_avx2(),
            governor: governor.map_or_else(|_| "unknown".into(), |text| text.trim().to_owned()),
            clock: format!(
                "time-stamp counter {:.3} GHz, a pair of stamps shows {:.1} ns",
                clock.ticks_per_ns, clock.pair_ns
            ),
            commit: commit(),
            compiler: compiler(),
            flags: format!("{profile}, overflow checks on, {native}; SIMD by run-time detection"),
            date: output("date", &["-u", "+%Y-%m-%d %H:%M UTC"]).unwrap_or_else(|| "unknown".into()),
        }
    }
}

/// The calling thread under `/proc`.
const THIS_THREAD: &str = "/proc/thread-self";

/// What disturbed a run.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Noise {
    /// Times the measuring thread was put aside against its will.
    pub switches_involuntary: u64,
    /// Load average of the last minute at the end: tasks that wanted a core.
    pub load: f64,
    /// Seconds the run took.
    pub seconds: f64,
    /// Share of processor time that the hypervisor took from this machine, in percent.
    pub stolen_percent: f64,
}

/// A reading of the counters that [`Noise`] is the difference of.
#[derive(Clone, Debug)]
pub struct NoiseMeter {
    begun: std::time::Instant,
    switches: u64,
    ticks: (u64, u64),
}

impl NoiseMeter {
    /// From here on.
    #[must_use]
    pub fn start() -> NoiseMeter {
        NoiseMeter {
            begun: std::time::Instant::now(),
            switches: involuntary_switches(Path::new(THIS_THREAD)),
            ticks: cpu_ticks(),
        }
    }

    /// What disturbed the run since.
    #[must_use]
    pub fn stop(&self) -> Noise {
        let (stolen, all) = cpu_ticks();
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Noise {
            switches_involuntary: involuntary_switches(Path::new(THIS_THREAD)).saturating_sub(self.switches),
            load: load.split_whitespace().next().and_then(|text| text.parse().ok()).unwrap_or(0.0),
            seconds: self.begun.elapsed().as_secs_f64(),
            stolen_percent: 100.0 * stolen.saturating_sub(self.ticks.0) as f64
                / all.saturating_sub(self.ticks.1).max(1) as f64,
        }
    }
}

/// How often the thread of this folder under `/proc` was put aside against its will; zero if the system does not say.
#[must_use]
pub fn involuntary_switches(thread: &Path) -> u64 {
    let status = fs::read_to_string(thread.join("status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("nonvoluntary_ctxt_switches:"));
    line.and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// Ticks of a hundredth of a second on all cores since the start: stolen by the hypervisor, and all.
#[must_use]
pub fn cpu_ticks() -> (u64, u64) {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().next().unwrap_or_default();
    let ticks: Vec<u64> = line.split_whitespace().skip(1).filter_map(|text| text.parse().ok()).collect();
    (ticks.get(7).copied().unwrap_or(0), ticks.iter().take(8).sum())
}
