//! COLD: what the machine did to a round: interrupts by core, threads put aside, time stolen.

use std::fs;
use std::path::PathBuf;

use serde::Serialize;

use crate::machine::{cpu_ticks, involuntary_switches};

/// Counters read at one moment.
#[derive(Clone, Debug, Default)]
struct Reading {
    /// By core, in the order of the system's columns.
    interrupts: Vec<u64>,
    timer: Vec<u64>,
    switches: [u64; 2],
    stolen_ticks: u64,
    at: Option<std::time::Instant>,
}

/// What happened during the measured part of a round.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Disturbance {
    /// How long it was, in seconds.
    pub seconds: f64,
    /// Interrupts on the hot thread's core.
    pub interrupts_hot: u64,
    /// Interrupts on the other core.
    pub interrupts_io: u64,
    /// Of all of them, the local timer's.
    pub timer: u64,
    /// Times the hot thread was put aside against its will.
    pub switches_hot: u64,
    /// Times the thread of exchange side and gateway was.
    pub switches_io: u64,
    /// Time that the hypervisor took, on all cores, in ms.
    pub stolen_ms: u64,
}

impl Disturbance {
    /// Adds another round's.
    pub fn add(&mut self, other: &Disturbance) {
        self.seconds += other.seconds;
        self.interrupts_hot += other.interrupts_hot;
        self.interrupts_io += other.interrupts_io;
        self.timer += other.timer;
        self.switches_hot += other.switches_hot;
        self.switches_io += other.switches_io;
        self.stolen_ms += other.stolen_ms;
    }
}

/// The calling thread, as others may look at it.
#[must_use]
pub fn this_thread() -> Option<PathBuf> {
    fs::read_link("/proc/thread-self").ok().map(|path| PathBuf::from("/proc").join(path))
}

/// The difference of two readings of the system's counters.
#[derive(Debug)]
pub struct DisturbanceMeter {
    threads: [Option<PathBuf>; 2],
    cores: [Option<usize>; 2],
    before: Reading,
}

impl DisturbanceMeter {
    /// From now on, for the hot thread and the other, each with its core.
    #[must_use]
    pub fn start(threads: [Option<PathBuf>; 2], cores: [Option<usize>; 2]) -> DisturbanceMeter {
        let mut meter = DisturbanceMeter { threads, cores, before: Reading::default() };
        meter.before = meter.read();
        meter
    }

    fn read(&self) -> Reading {
        let (interrupts, timer) = interrupts(&fs::read_to_string("/proc/interrupts").unwrap_or_default());
        Reading {
            interrupts,
            timer,
            switches: [0, 1].map(|place| self.threads[place].as_deref().map_or(0, involuntary_switches)),
            stolen_ticks: cpu_ticks().0,
            at: Some(std::time::Instant::now()),
        }
    }

    /// What happened since.
    #[must_use]
    pub fn stop(&self) -> Disturbance {
        let (before, after) = (&self.before, self.read());
        let since = |before: &[u64], after: &[u64], core: Option<usize>| {
            let of = |counts: &[u64]| core.and_then(|core| counts.get(core).copied()).unwrap_or(0);
            of(after).saturating_sub(of(before))
        };
        let [hot, io] = self.cores;
        Disturbance {
            seconds: after.at.zip(before.at).map_or(0.0, |(after, before)| (after - before).as_secs_f64()),
            interrupts_hot: since(&before.interrupts, &after.interrupts, hot),
            interrupts_io: since(&before.interrupts, &after.interrupts, io),
            timer: since(&before.timer, &after.timer, hot) + since(&before.timer, &after.timer, io),
            switches_hot: after.switches[0].saturating_sub(before.switches[0]),
            switches_io: after.switches[1].saturating_sub(before.switches[1]),
            // The system counts in hundredths of a second.
            stolen_ms: after.stolen_ticks.saturating_sub(before.stolen_ticks) * 10,
        }
    }
}

/// All interrupts and the timer's, by column of the system's table.
fn interrupts(table: &str) -> (Vec<u64>, Vec<u64>) {
    let columns = table.lines().next().map_or(0, |line| line.split_whitespace().count());
    let (mut all, mut timer) = (vec![0; columns], vec![0; columns]);
    for line in table.lines().skip(1) {
        let Some((name, rest)) = line.split_once(':') else { continue };
        let counts: Vec<u64> = rest.split_whitespace().map_while(|text| text.parse().ok()).take(columns).collect();
        if counts.len() < columns {
            continue;
        }
        all.iter_mut().zip(&counts).for_each(|(sum, count)| *sum += count);
        if name.trim() == "LOC" {
            timer = counts;
        }
    }
    (all, timer)
}

#[cfg(test)]
mod tests {
    use super::interrupts;

    #[test]
    fn interrupts_are_summed_by_core_and_the_timers_kept_apart() {
        let table = "           CPU0       CPU1\n 24:  1  2  IO-APIC 5-edge x\nLOC: 10 20 Local timer\nERR: 3\n";
        assert_eq!(interrupts(table), (vec![11, 22], vec![10, 20]));
        assert_eq!(interrupts(""), (vec![], vec![]));
    }
}
