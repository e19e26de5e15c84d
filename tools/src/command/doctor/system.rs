//! COLD: checks of the system: interrupts and kernel work on the hot core, memory, limits, time.

use super::machine::{About, Finding, Machine, cores_of_mask, mask_of_cores};
use super::sources;

/// Least that may be locked for the program to lock itself.
const LOCKED_BYTES_MIN: u64 = 4 << 30;
/// Least number of files that may be open.
const OPEN_FILES_MIN: u64 = 4096;
/// Seconds between two sums of the kernel's memory statistics that disturb nobody.
const STATISTICS_SECONDS_MIN: i64 = 10;
/// Bit of the effective capabilities that lifts the limit on locked memory.
const CAPABILITY_IPC_LOCK: u64 = 1 << 14;

/// Whether somebody moves interrupts around.
pub fn interrupts(machine: &Machine) -> Finding {
    let about = About { check: "interrupts", why: "it may move the network card's interrupts to the hot core" };
    if machine.names("proc").is_empty() {
        return about.unknown("/proc is not there");
    }
    match machine.runs(&["irqbalance"]) {
        None => about.ok("no irqbalance runs"),
        Some(_) => about.warn(
            "irqbalance runs",
            format!("set IRQBALANCE_BANNED_CPULIST={} for it, or systemctl disable --now irqbalance", machine.hot),
        ),
    }
}

/// Whether devices may interrupt the hot core.
pub fn irq_affinity(machine: &Machine) -> Finding {
    let about =
        About { check: "irq affinity", why: "each interrupt of a device stops the hot thread for microseconds" };
    let hot = machine.hot;
    let numbers: Vec<u32> = machine.names("proc/irq").iter().filter_map(|name| name.parse().ok()).collect();
    let lists: Vec<(u32, Vec<usize>)> = numbers
        .iter()
        .filter_map(|irq| Some((*irq, machine.core_list(&format!("proc/irq/{irq}/smp_affinity_list"))?)))
        .collect();
    if lists.is_empty() {
        return about.unknown("/proc/irq says nothing about affinity");
    }
    let names = sources::parse(&machine.read("proc/interrupts").unwrap_or_default());
    // Numbers without a line there are not in use.
    let name = |irq: u32| names.iter().find(|source| source.key == irq.to_string()).map(|source| source.name.clone());
    let mut allowed: Vec<(u32, String)> =
        lists.iter().filter(|(_, list)| list.contains(&hot)).filter_map(|(irq, _)| Some((*irq, name(*irq)?))).collect();
    allowed.sort_unstable();
    if allowed.is_empty() {
        return about.ok(format!("no device's interrupts may come to core {hot}"));
    }
    let mut few: Vec<&str> = Vec::new();
    for (_, name) in &allowed {
        if !few.contains(&name.as_str()) && few.len() < 3 {
            few.push(name);
        }
    }
    let more = if allowed.len() > few.len() { ", ..." } else { "" };
    let others = machine.others();
    let mut finding = about.warn(
        format!("{} devices may interrupt core {hot}: {}{more}", allowed.len(), few.join(", ")),
        format!(
            "for f in /proc/irq/*/smp_affinity_list; do echo {others} > $f; done (some refuse: they cannot be moved); \
             and boot with irqaffinity={others}"
        ),
    );
    finding.kernel_arguments = Some(format!("irqaffinity={others}"));
    finding
}

/// Whether the kernel's own work may run on the hot core.
pub fn workqueues(machine: &Machine) -> Finding {
    let about = About { check: "workqueues", why: "the kernel does work that others handed in on the hot core" };
    let path = "sys/devices/virtual/workqueue/cpumask";
    let Some(cores) = machine.read(path).and_then(|mask| cores_of_mask(&mask)) else {
        return about.unreadable(machine, path);
    };
    let online = machine.online();
    let others: Vec<usize> = cores
        .iter()
        .copied()
        .filter(|core| *core != machine.hot && (online.is_empty() || online.contains(core)))
        .collect();
    if !cores.contains(&machine.hot) {
        return about.ok(format!("kept away from core {}", machine.hot));
    }
    if others.is_empty() {
        return about.warn("they have no other core", "give the machine 2 cores or more");
    }
    about.warn(format!("allowed on core {}", machine.hot), format!("echo {} > /{path}", mask_of_cores(&others)))
}

/// Whether the kernel's watchdog interrupts the hot core.
pub fn watchdog(machine: &Machine) -> Finding {
    let about = About { check: "watchdog", why: "it interrupts each core it watches every few seconds" };
    let state = |name: &str| machine.number(&format!("proc/sys/kernel/{name}"));
    let mask = machine.core_list("proc/sys/kernel/watchdog_cpumask");
    match (state("watchdog"), state("nmi_watchdog")) {
        (None, None) => about.unreadable(machine, "proc/sys/kernel/watchdog"),
        (Some(0) | None, Some(0) | None) => about.ok("off"),
        _ if mask.is_some_and(|cores| !cores.contains(&machine.hot)) => {
            about.ok(format!("not on core {}", machine.hot))
        }
        _ => about.warn(
            format!("it watches core {}", machine.hot),
            format!("sysctl -w kernel.watchdog_cpumask={} kernel.nmi_watchdog=0", machine.others()),
        ),
    }
}

/// How often the kernel sums its memory statistics up on every core.
pub fn memory_statistics(machine: &Machine) -> Finding {
    let about =
        About { check: "memory statistics", why: "the kernel sums them up on each core in turn, hot one included" };
    match machine.number("proc/sys/vm/stat_interval") {
        None => about.unreadable(machine, "proc/sys/vm/stat_interval"),
        Some(seconds) if seconds < STATISTICS_SECONDS_MIN => {
            about.warn(format!("every {seconds} s"), "sysctl -w vm.stat_interval=120")
        }
        Some(seconds) => about.ok(format!("every {seconds} s")),
    }
}

/// Whether the kernel moves memory between nodes.
pub fn numa_balancing(machine: &Machine) -> Finding {
    let about = About { check: "numa balancing", why: "it takes pages away for a moment to see who uses them" };
    let one_node = machine.read("sys/devices/system/node/online").as_deref() == Some("0");
    match machine.number("proc/sys/kernel/numa_balancing") {
        Some(0) => about.ok("off"),
        _ if one_node => about.ok("there is only one node"),
        Some(_) => about.warn("on", "sysctl -w kernel.numa_balancing=0"),
        None => about.unreadable(machine, "proc/sys/kernel/numa_balancing"),
    }
}

/// Whether a real-time priority, which the program does not ask for, would be cut off.
pub fn real_time(machine: &Machine) -> Finding {
    let about = About {
        check: "real-time",
        why: "a real-time thread that spins is stopped 50 ms each second, or starves its core; isolation is better",
    };
    let throttle = machine.number("proc/sys/kernel/sched_rt_runtime_us");
    let limit = machine.limit("Max realtime priority");
    let policy = machine.read("proc/self/stat").and_then(|text| {
        // Fields are counted behind the name, which may hold spaces: the policy is the 41st of all.
        text.rsplit_once(')')?.1.split_whitespace().nth(38)?.parse::<u32>().ok()
    });
    match (policy, throttle) {
        (Some(1 | 2), Some(runtime_us)) if runtime_us >= 0 => about.warn(
            format!("this process runs at real-time priority, {runtime_us} us of each period"),
            "start it without chrt and without CPUSchedulingPolicy= in its unit",
        ),
        (Some(_), _) => {
            let limit = match limit {
                Some(Some(priority)) => format!("limit {priority}"),
                Some(None) => "no limit".to_owned(),
                None => "limit unknown".to_owned(),
            };
            about.ok(format!("no real-time priority is used or needed ({limit})"))
        }
        (None, _) => about.unreadable(machine, "proc/self/stat"),
    }
}

/// Whether the program can keep its pages.
pub fn locked_memory(machine: &Machine) -> Finding {
    let about = About { check: "locked memory", why: "pages of the hot thread that are not locked can be taken away" };
    let capabilities = machine.field("proc/self/status", "CapEff").and_then(|text| u64::from_str_radix(&text, 16).ok());
    if capabilities.is_some_and(|bits| bits & CAPABILITY_IPC_LOCK != 0) {
        return about.ok("unlimited for this user (CAP_IPC_LOCK)");
    }
    match machine.limit("Max locked memory") {
        None => about.unreadable(machine, "proc/self/limits"),
        Some(None) => about.ok("unlimited"),
        Some(Some(bytes)) if bytes < LOCKED_BYTES_MIN => about.warn(
            format!("at most {} KiB may be locked", bytes >> 10),
            "ulimit -l unlimited, or LimitMEMLOCK=infinity in the unit",
        ),
        Some(Some(bytes)) => about.ok(format!("{} MiB may be locked", bytes >> 20)),
    }
}

/// Whether there are enough file descriptors.
pub fn open_files(machine: &Machine) -> Finding {
    let about = About { check: "open files", why: "each connection and each file of the journal takes one" };
    match machine.limit("Max open files") {
        None => about.unreadable(machine, "proc/self/limits"),
        Some(None) => about.ok("unlimited"),
        Some(Some(count)) if count < OPEN_FILES_MIN => {
            about.warn(format!("at most {count}"), "ulimit -n 65536, or LimitNOFILE=65536 in the unit")
        }
        Some(Some(count)) => about.ok(format!("at most {count}")),
    }
}

/// Whether memory can be moved to disk.
pub fn swap(machine: &Machine) -> Finding {
    let about = About { check: "swap", why: "memory that was moved to disk takes milliseconds to come back" };
    let Some(text) = machine.read("proc/swaps").filter(|text| text.starts_with("Filename")) else {
        return about.unreadable(machine, "proc/swaps");
    };
    let areas = text.lines().count() - 1;
    if areas == 0 {
        return about.ok("none");
    }
    let swappiness = machine.number("proc/sys/vm/swappiness").map_or("unknown".to_owned(), |value| value.to_string());
    about.warn(format!("{areas} areas, swappiness {swappiness}"), "swapoff -a, or at least sysctl -w vm.swappiness=0")
}

/// Whether books may lie on huge pages, and only who asks for them gets them.
pub fn huge_pages(machine: &Machine) -> Finding {
    const MODE: &str = "sys/kernel/mm/transparent_hugepage/enabled";
    let about = About {
        check: "huge pages",
        why: "books ask for them (fewer address translations); given unasked, they cost pauses to make",
    };
    let modes = machine.read(MODE).unwrap_or_default();
    match modes.split(['[', ']']).nth(1) {
        Some("madvise") => about.ok("for those who ask (madvise)"),
        Some(mode @ ("always" | "never")) => about.warn(format!("`{mode}`"), format!("echo madvise > /{MODE}")),
        _ => about.unreadable(machine, MODE),
    }
}

/// Memory that is set aside for huge pages, which the program does not use: for information.
pub fn huge_page_reserve(machine: &Machine) -> Finding {
    let about = About { check: "huge page reserve", why: "reserved pages are lost to everything that does not ask" };
    let field = |name: &str| machine.field("proc/meminfo", name)?.split_whitespace().next()?.parse::<u64>().ok();
    match (field("HugePages_Total"), field("HugePages_Free")) {
        (Some(0), _) => about.ok("none, and none is needed"),
        (Some(total), Some(free)) if free == total => about.warn(
            format!("{total} pages are reserved and nobody uses one; this program needs none"),
            "sysctl -w vm.nr_hugepages=0",
        ),
        (Some(total), Some(free)) => about.ok(format!("{total} pages, {free} free; this program needs none")),
        _ => about.unreadable(machine, "proc/meminfo"),
    }
}

/// Whether somebody keeps the clock right.
pub fn time_sync(machine: &Machine) -> Finding {
    let about = About { check: "time sync", why: "requests outside the venue's receive window are refused" };
    if machine.names("proc").is_empty() {
        return about.unknown("/proc is not there");
    }
    let daemons = ["chronyd", "ntpd", "systemd-timesyn", "ntpd-rs", "ntp-daemon", "ptp4l", "phc2sys"];
    match machine.runs(&daemons) {
        Some(name) => about.ok(format!("{name} runs")),
        None => about.warn(
            "no time daemon was found",
            "run chrony (in a container or virtual machine: make sure that the host does)",
        ),
    }
}
