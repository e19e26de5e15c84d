//! COLD: `spinbook doctor`: measures how quiet each core is, looks at this machine's settings, and says for each finding
//! what would make it better.

mod jitter;
mod machine;
mod network;
mod processor;
mod sources;
mod system;
mod text;

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use spinbook_feed::net::host::threads;

use self::jitter::CoreJitter;
use self::machine::{Finding, Machine, Status};
use crate::cli::DoctorArgs;
use crate::error::Failure;
use crate::outcome::Exit;
use crate::outcome::{Context, Done};
use crate::output::ERR;

/// Every check, in the order in which it is reported. Each is a function of the texts of files below a root.
const CHECKS: [fn(&Machine) -> Finding; 28] = [
    processor::cores,
    processor::isolation,
    processor::timer_tick,
    processor::rcu_callbacks,
    processor::governor,
    processor::idle_states,
    processor::hyper_threads,
    processor::clock_source,
    processor::cycle_counter,
    processor::instructions,
    processor::virtual_machine,
    processor::mitigations,
    processor::numa_node,
    system::interrupts,
    system::irq_affinity,
    system::workqueues,
    system::watchdog,
    system::memory_statistics,
    system::numa_balancing,
    system::real_time,
    system::locked_memory,
    system::open_files,
    system::swap,
    system::huge_pages,
    system::huge_page_reserve,
    system::time_sync,
    network::busy_poll,
    network::network_card,
];

/// Everything that was found.
#[derive(Clone, Debug)]
struct Answer {
    /// Seconds a core was looked at.
    seconds: u64,
    /// The core that the findings speak of: the one asked for, else the recommended one.
    hot: usize,
    /// Whether it was asked for.
    hot_was_given: bool,
    /// Core by core; empty if nothing was measured.
    jitter: Vec<CoreJitter>,
    /// One finding a check.
    findings: Vec<Finding>,
}

impl Answer {
    fn count(&self, status: Status) -> usize {
        self.findings.iter().filter(|finding| finding.status == status).count()
    }

    /// Every kernel argument that a finding asks for, to be given in one boot.
    fn kernel_arguments(&self) -> Option<String> {
        let arguments: Vec<&str> =
            self.findings.iter().filter_map(|finding| finding.kernel_arguments.as_deref()).collect();
        (!arguments.is_empty()).then(|| arguments.join(" "))
    }

    fn to_json(&self) -> Value {
        let rows: Vec<Value> = self
            .findings
            .iter()
            .map(|finding| {
                let fix = if finding.fix.is_empty() { Value::Null } else { json!(finding.fix) };
                json!({
                    "check": finding.check,
                    "status": finding.status.name(),
                    "found": finding.found,
                    "fix": fix,
                    "why": finding.why,
                })
            })
            .collect();
        json!({
            "findings": rows,
            "checks": self.findings.len(),
            "warnings": self.count(Status::Warn),
            "unknown": self.count(Status::Unknown),
            "hot_core": self.hot,
            "kernel_arguments": self.kernel_arguments(),
            "jitter": {
                "seconds_per_core": self.seconds,
                "gap_ns_min": jitter::GAP_NS_MIN,
                "quietest_core": jitter::quietest(&self.jitter),
                "cores": self.jitter,
            },
        })
    }
}

/// Measures and looks at everything.
///
/// # Errors
/// A core was asked for that this process may not use, the system refuses a thread, or an interruption. A machine
/// that says nothing of itself is reported as such.
pub fn run(arguments: &DoctorArgs, context: Context) -> Result<Done, Failure> {
    if let Some(core) = arguments.hot_core.filter(|core| !threads::can_pin(*core)) {
        return Err(Failure::usage(format!("core {core} cannot be used"))
            .at("--hot-core")
            .because(format!("this process may run on the cores {:?}", threads::cores()))
            .next("name one of them, or an isolated one"));
    }
    let mut machine = Machine { root: PathBuf::from("/"), hot: 0 };
    let isolated = machine.core_list("sys/devices/system/cpu/isolated").unwrap_or_default();
    let mut cores = threads::cores();
    // Isolated cores are in nobody's mask: they are the ones that matter most.
    cores.extend(isolated.iter().filter(|core| threads::can_pin(**core)));
    cores.sort_unstable();
    cores.dedup();
    let jitter = measure(&cores, &isolated, arguments.seconds, context)?;
    let usual = isolated.last().or(cores.last()).copied().unwrap_or(0);
    machine.hot = arguments.hot_core.or(jitter::recommended(&jitter)).unwrap_or(usual);
    let mut findings = examine(&machine);
    if !jitter.is_empty() {
        findings.insert(0, jitter::finding(&jitter, machine.hot));
    }
    let answer = Answer {
        seconds: arguments.seconds,
        hot: machine.hot,
        hot_was_given: arguments.hot_core.is_some(),
        jitter,
        findings,
    };
    Ok(Done::new(text::text(&answer, io::stdout().is_terminal()), answer.to_json()))
}

fn examine(machine: &Machine) -> Vec<Finding> {
    CHECKS.iter().map(|check| check(machine)).collect()
}

/// Measures core by core, with a word before each on stderr, until Ctrl-C.
fn measure(cores: &[usize], isolated: &[usize], seconds: u64, context: Context) -> Result<Vec<CoreJitter>, Failure> {
    if seconds == 0 {
        return Ok(Vec::new());
    }
    let interrupted = Arc::new(AtomicBool::new(false));
    let signal = signal_hook::consts::SIGINT;
    // The first Ctrl-C ends between two cores, a second one at once.
    let watch = signal_hook::flag::register_conditional_shutdown(signal, 130, interrupted.clone())
        .and_then(|_| signal_hook::flag::register(signal, interrupted.clone()));
    if let Err(error) = watch {
        tracing::warn!("Ctrl-C ends this without a report: {error}");
    }
    let overwrites = io::stderr().is_terminal();
    let mut told = 0;
    let measured = jitter::measure(cores, isolated, seconds, &mut |core| {
        told += 1;
        if context.shows_progress() {
            let line = format!("measuring core {core} for {seconds} s ({told} of {})", cores.len());
            if overwrites { ERR.write(format!("\r{line} ").as_bytes()) } else { ERR.line(&line) }
        }
        !interrupted.load(Ordering::Relaxed)
    });
    if overwrites && context.shows_progress() {
        ERR.write(format!("\r{:60}\r", "").as_bytes());
    }
    if interrupted.load(Ordering::Relaxed) {
        return Err(Failure::new(Exit::Interrupted, "interrupted").next("run it again: nothing was changed"));
    }
    measured.map_err(|error| Failure::failed("cores cannot be measured").because(error))
}

#[cfg(test)]
mod tests;
