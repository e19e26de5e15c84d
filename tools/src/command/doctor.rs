//! COLD: `spinbook doctor`: looks at this machine and says, for each finding, what would make it better.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::command::Done;
use crate::error::Failure;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    check: &'static str,
    ok: bool,
    found: String,
    /// What to do; empty if it is well.
    fix: String,
}

fn ok(check: &'static str, found: impl Into<String>) -> Finding {
    Finding { check, ok: true, found: found.into(), fix: String::new() }
}

fn warn(check: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Finding {
    Finding { check, ok: false, found: found.into(), fix: fix.into() }
}

/// The machine's own words about itself, below a root (`/`, or a folder of a test).
struct Machine {
    root: PathBuf,
}

impl Machine {
    fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.root.join(path)).ok().map(|text| text.trim().to_owned())
    }

    fn cmdline(&self, key: &str) -> Option<String> {
        let line = self.read("proc/cmdline")?;
        line.split_whitespace().find_map(|word| word.strip_prefix(key)?.strip_prefix('=').map(str::to_owned))
    }

    fn online_cores(&self) -> usize {
        let listed = self.read("sys/devices/system/cpu/online").map_or(0, |list| core_count(&list));
        listed.max(1)
    }

    /// Whether a process of one of these names runs.
    fn runs(&self, names: &[&str]) -> Option<String> {
        let entries = fs::read_dir(self.root.join("proc")).ok()?;
        entries
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().bytes().all(|byte| byte.is_ascii_digit()))
            .filter_map(|entry| fs::read_to_string(entry.path().join("comm")).ok())
            .map(|name| name.trim().to_owned())
            .find(|name| names.contains(&name.as_str()))
    }

    fn cpu_flags(&self) -> Vec<String> {
        let text = self.read("proc/cpuinfo").unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with("flags") || line.starts_with("Features"));
        let flags = line.and_then(|line| line.split_once(':')).map_or("", |(_, flags)| flags);
        flags.split_whitespace().map(str::to_owned).collect()
    }

    /// A soft limit of this process: `None` is unlimited.
    fn limit(&self, name: &str) -> Option<u64> {
        let text = self.read("proc/self/limits")?;
        let line = text.lines().find(|line| line.starts_with(name))?;
        line[name.len()..].split_whitespace().next()?.parse().ok()
    }
}

/// How many cores a list such as `0-3,8` names.
fn core_count(list: &str) -> usize {
    list.split(',')
        .filter_map(|part| {
            let (first, last) = part.trim().split_once('-').unwrap_or((part.trim(), part.trim()));
            let (first, last) = (first.parse::<usize>().ok()?, last.parse::<usize>().ok()?);
            Some((last + 1).saturating_sub(first))
        })
        .sum()
}

/// Looks at everything.
///
/// # Errors
/// None: a machine that says nothing of itself is reported as such.
pub fn run() -> Result<Done, Failure> {
    let machine = Machine { root: PathBuf::from("/") };
    let findings = examine(&machine);
    let warnings = findings.iter().filter(|finding| !finding.ok).count();
    let mut text = String::new();
    for finding in &findings {
        let mark = if finding.ok { "ok  " } else { "warn" };
        text.push_str(&format!("{mark}  {:<16}{}\n", finding.check, finding.found));
        if !finding.ok {
            text.push_str(&format!("      {:<16}fix: {}\n", "", finding.fix));
        }
    }
    text.push_str(&format!("{} checks, {warnings} warnings\n", findings.len()));
    Ok(Done::new(text, to_json(&findings)))
}

fn to_json(findings: &[Finding]) -> Value {
    let rows: Vec<Value> = findings
        .iter()
        .map(|finding| {
            let status = if finding.ok { "ok" } else { "warn" };
            let fix = if finding.ok { Value::Null } else { json!(finding.fix) };
            json!({ "check": finding.check, "status": status, "found": finding.found, "fix": fix })
        })
        .collect();
    let warnings = findings.iter().filter(|finding| !finding.ok).count();
    json!({ "findings": rows, "checks": findings.len(), "warnings": warnings })
}

fn examine(machine: &Machine) -> Vec<Finding> {
    vec![
        cores(machine),
        isolated(machine),
        tickless(machine),
        callbacks(machine),
        governor(machine),
        idle_states(machine),
        hyperthreads(machine),
        clock_source(machine),
        cycle_counter(machine),
        instructions(machine),
        locked_memory(machine),
        open_files(machine),
        swap(machine),
        huge_pages(machine),
        interrupts(machine),
        time_sync(machine),
    ]
}

fn cores(machine: &Machine) -> Finding {
    let online = machine.online_cores();
    let usable = std::thread::available_parallelism().map_or(online, std::num::NonZero::get);
    let found = format!("{online} online, {usable} usable by this process");
    if usable.min(online) >= 3 {
        return ok("cores", found);
    }
    warn(
        "cores",
        found,
        "give it 3 or more: with fewer the order thread sleeps between turns and shares a core with the rest",
    )
}

fn isolated(machine: &Machine) -> Finding {
    let list = machine.read("sys/devices/system/cpu/isolated").unwrap_or_default();
    if !list.is_empty() {
        return ok("isolation", format!("cores {list} are isolated from the scheduler"));
    }
    let last = machine.online_cores() - 1;
    let fix = format!("boot with isolcpus=managed_irq,domain,{last} and set engine.hot_core = {last}");
    warn("isolation", "no core is isolated: other work can push the hot thread aside", fix)
}

fn tickless(machine: &Machine) -> Finding {
    let list = machine.read("sys/devices/system/cpu/nohz_full").filter(|list| !list.is_empty() && list != "(null)");
    match list.or_else(|| machine.cmdline("nohz_full")) {
        Some(list) => ok("timer tick", format!("cores {list} run without the timer tick")),
        None => {
            let fix = format!("boot with nohz_full={}", machine.online_cores() - 1);
            warn("timer tick", "the timer interrupts every core", fix)
        }
    }
}

fn callbacks(machine: &Machine) -> Finding {
    match machine.cmdline("rcu_nocbs") {
        Some(list) => ok("rcu callbacks", format!("moved away from cores {list}")),
        None => {
            let fix = format!("boot with rcu_nocbs={}", machine.online_cores() - 1);
            warn("rcu callbacks", "the kernel's callbacks run on every core", fix)
        }
    }
}

fn governor(machine: &Machine) -> Finding {
    let found: Vec<String> = (0..machine.online_cores())
        .filter_map(|core| machine.read(&format!("sys/devices/system/cpu/cpu{core}/cpufreq/scaling_governor")))
        .collect();
    match found.iter().find(|governor| *governor != "performance") {
        _ if found.is_empty() => ok("governor", "not exposed here: the host decides"),
        None => ok("governor", "performance on every core"),
        Some(other) => {
            warn("governor", format!("`{other}`: cores slow down when idle"), "cpupower frequency-set -g performance")
        }
    }
}

fn idle_states(machine: &Machine) -> Finding {
    let driver = machine.read("sys/devices/system/cpu/cpuidle/current_driver").unwrap_or_else(|| "none".to_owned());
    let deepest = (0..10)
        .map_while(|state| {
            let base = format!("sys/devices/system/cpu/cpu0/cpuidle/state{state}");
            let latency_us: u64 = machine.read(&format!("{base}/latency"))?.parse().ok()?;
            let disabled = machine.read(&format!("{base}/disable")).is_some_and(|text| text == "1");
            Some(if disabled { 0 } else { latency_us })
        })
        .max();
    match deepest {
        Some(latency_us) if latency_us > 10 => warn(
            "idle states",
            format!("{driver}: waking up may take {latency_us} us"),
            "cpupower idle-set -D 10, or boot with processor.max_cstate=1 intel_idle.max_cstate=1",
        ),
        Some(latency_us) => ok("idle states", format!("{driver}: waking up takes at most {latency_us} us")),
        None => ok("idle states", format!("{driver}: not exposed here; a spinning core never idles")),
    }
}

fn hyperthreads(machine: &Machine) -> Finding {
    match machine.read("sys/devices/system/cpu/smt/active").as_deref() {
        Some("1") => warn(
            "hyper-threads",
            "on: a neighbour thread shares the hot core's caches and units",
            "echo off > /sys/devices/system/cpu/smt/control, or leave the hot core's sibling idle",
        ),
        Some(_) => ok("hyper-threads", "off"),
        None => ok("hyper-threads", "not exposed here"),
    }
}

fn clock_source(machine: &Machine) -> Finding {
    let path = "sys/devices/system/clocksource/clocksource0";
    let current = machine.read(&format!("{path}/current_clocksource")).unwrap_or_else(|| "unknown".to_owned());
    if current == "tsc" || current == "arch_sys_counter" {
        return ok("clock source", current);
    }
    let available = machine.read(&format!("{path}/available_clocksource")).unwrap_or_default();
    let fix = if available.split_whitespace().any(|source| source == "tsc") {
        "echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource".to_owned()
    } else {
        format!("boot with tsc=reliable if the processor keeps it steady (available here: {available})")
    };
    warn("clock source", format!("`{current}`: reading the time is slower or coarser"), fix)
}

fn cycle_counter(machine: &Machine) -> Finding {
    let flags = machine.cpu_flags();
    let missing: Vec<&str> =
        ["constant_tsc", "nonstop_tsc"].into_iter().filter(|flag| !flags.iter().any(|have| have == flag)).collect();
    if missing.is_empty() {
        return ok("cycle counter", "constant and never stopping");
    }
    let fix = "latencies are measured with it: trust only the system clock's figures on this machine";
    warn("cycle counter", format!("without {}", missing.join(", ")), fix)
}

fn instructions(machine: &Machine) -> Finding {
    let flags = machine.cpu_flags();
    let has = |flag: &str| flags.iter().any(|have| have == flag);
    match (has("avx2") || has("asimd"), has("aes")) {
        (true, true) => ok("instructions", "vector and AES instructions are there"),
        (vector, aes) => {
            let missing = [(!vector).then_some("AVX2"), (!aes).then_some("AES")];
            let missing: Vec<&str> = missing.into_iter().flatten().collect();
            let found = format!("without {}: slower portable code is used", missing.join(" and "));
            warn("instructions", found, "use a processor, or a virtual machine type, that offers them")
        }
    }
}

fn locked_memory(machine: &Machine) -> Finding {
    match machine.limit("Max locked memory") {
        Some(bytes) if bytes < 1 << 30 => warn(
            "locked memory",
            format!("at most {} KiB may be locked: pages of the hot thread can be taken away", bytes >> 10),
            "ulimit -l unlimited, or LimitMEMLOCK=infinity in the unit",
        ),
        Some(bytes) => ok("locked memory", format!("{} MiB may be locked", bytes >> 20)),
        None => ok("locked memory", "unlimited"),
    }
}

fn open_files(machine: &Machine) -> Finding {
    match machine.limit("Max open files") {
        Some(count) if count < 4096 => {
            warn("open files", format!("at most {count}"), "ulimit -n 65536, or LimitNOFILE=65536 in the unit")
        }
        Some(count) => ok("open files", format!("at most {count}")),
        None => ok("open files", "unlimited"),
    }
}

fn swap(machine: &Machine) -> Finding {
    let areas = machine.read("proc/swaps").map_or(0, |text| text.lines().count().saturating_sub(1));
    if areas == 0 {
        return ok("swap", "none");
    }
    let swappiness = machine.read("proc/sys/vm/swappiness").unwrap_or_else(|| "unknown".to_owned());
    warn("swap", format!("{areas} areas, swappiness {swappiness}: memory can be moved to disk"), "swapoff -a")
}

fn huge_pages(machine: &Machine) -> Finding {
    let modes = machine.read("sys/kernel/mm/transparent_hugepage/enabled").unwrap_or_default();
    let chosen = modes.split(['[', ']']).nth(1).unwrap_or("not exposed here").to_owned();
    if chosen == "always" {
        return warn(
            "huge pages",
            "transparent huge pages are `always`: the kernel may stop a thread to make one",
            "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled",
        );
    }
    ok("huge pages", format!("transparent huge pages: {chosen}"))
}

fn interrupts(machine: &Machine) -> Finding {
    match machine.runs(&["irqbalance"]) {
        Some(_) => warn(
            "interrupts",
            "irqbalance runs and may move interrupts to the hot core",
            "stop it, or set IRQBALANCE_BANNED_CPULIST to the hot core, and point the network card's interrupts elsewhere",
        ),
        None => ok("interrupts", "no irqbalance runs"),
    }
}

fn time_sync(machine: &Machine) -> Finding {
    let daemon = machine.runs(&["chronyd", "ntpd", "systemd-timesyn", "ntpd-rs", "ntp-daemon", "ptp4l", "phc2sys"]);
    match daemon {
        Some(name) => ok("time sync", format!("{name} runs")),
        None => warn(
            "time sync",
            "no time daemon was found: requests outside the venue's receive window are refused",
            "run chrony (in a container or virtual machine: make sure that the host does)",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine made of files.
    fn machine(files: &[(&str, &str)]) -> (tempfile::TempDir, Machine) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (path, content) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("below the root")).expect("writable");
            fs::write(path, content).expect("writable");
        }
        let machine = Machine { root: folder.path().to_owned() };
        (folder, machine)
    }

    const TUNED: &[(&str, &str)] = &[
        ("sys/devices/system/cpu/online", "0-7\n"),
        ("sys/devices/system/cpu/isolated", "6-7\n"),
        ("sys/devices/system/cpu/nohz_full", "6-7\n"),
        ("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n"),
        ("sys/devices/system/cpu/smt/active", "0\n"),
        ("sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n"),
        ("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n"),
        ("proc/cmdline", "quiet isolcpus=6-7 rcu_nocbs=6-7\n"),
        ("proc/cpuinfo", "processor : 0\nflags\t\t: fpu constant_tsc nonstop_tsc avx2 aes\n"),
        ("proc/swaps", "Filename Type Size Used Priority\n"),
        (
            "proc/self/limits",
            "Limit Soft Hard\nMax locked memory         unlimited            unlimited            bytes\nMax open files            65536                65536                files\n",
        ),
        ("proc/12/comm", "chronyd\n"),
    ];

    const PLAIN: &[(&str, &str)] = &[
        ("sys/devices/system/cpu/online", "0-1\n"),
        ("sys/devices/system/cpu/isolated", "\n"),
        ("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n"),
        ("sys/devices/system/cpu/cpu0/cpuidle/state0/latency", "0\n"),
        ("sys/devices/system/cpu/cpu0/cpuidle/state1/latency", "133\n"),
        ("sys/devices/system/cpu/smt/active", "1\n"),
        ("sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet\n"),
        ("sys/devices/system/clocksource/clocksource0/available_clocksource", "tsc hpet\n"),
        ("sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n"),
        ("proc/cmdline", "quiet\n"),
        ("proc/cpuinfo", "processor : 0\nflags\t\t: fpu\n"),
        ("proc/swaps", "Filename Type Size Used Priority\n/dev/sda2 partition 1 0 -2\n"),
        (
            "proc/self/limits",
            "Limit Soft Hard\nMax locked memory         65536                65536                bytes\nMax open files            1024                 1024                 files\n",
        ),
        ("proc/12/comm", "irqbalance\n"),
    ];

    #[test]
    fn a_tuned_machine_has_no_warnings_but_perhaps_its_cores() {
        let (_folder, machine) = machine(TUNED);
        let warnings: Vec<Finding> = examine(&machine).into_iter().filter(|finding| !finding.ok).collect();
        assert!(warnings.iter().all(|finding| finding.check == "cores"), "{warnings:#?}");
    }

    #[test]
    fn every_check_can_warn_and_then_names_its_fix() {
        let (_folder, machine) = machine(PLAIN);
        for finding in examine(&machine) {
            assert!(!finding.ok, "{finding:?} should warn");
            assert!(finding.fix.len() > 5, "{finding:?} has no fix");
        }
    }

    #[test]
    fn a_machine_that_says_nothing_is_examined_too() {
        let (_folder, machine) = machine(&[]);
        let findings = examine(&machine);
        assert_eq!(to_json(&findings)["checks"], findings.len());
    }

    #[test]
    fn lists_of_cores_are_counted() {
        assert_eq!(core_count("0-3,8"), 5);
        assert_eq!(core_count("0"), 1);
        assert_eq!(core_count(""), 0);
    }
}
