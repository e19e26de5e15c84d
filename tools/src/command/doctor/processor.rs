//! COLD: checks of the processor: its cores, who else may use them, how fast they run, and its clock.

use super::machine::{About, Finding, Machine, cores_of_list};

const CPU: &str = "sys/devices/system/cpu";
/// A wake-up that takes longer than this is worth a word.
const WAKE_UP_US_MAX: i64 = 10;

/// Enough cores for hot thread, order thread and the rest.
pub fn cores(machine: &Machine) -> Finding {
    let about = About {
        check: "cores",
        why: "with fewer than 3 the order thread sleeps between turns and shares its core with everything else",
    };
    let online = machine.online();
    if online.is_empty() {
        return about.unreadable(machine, "sys/devices/system/cpu/online");
    }
    let mask = machine.field("proc/self/status", "Cpus_allowed_list").and_then(|list| cores_of_list(&list));
    let isolated = machine.core_list("sys/devices/system/cpu/isolated").unwrap_or_default();
    let Some(mask) = mask else {
        return about.unreadable(machine, "proc/self/status");
    };
    // Isolated cores are in nobody's mask and can be asked for all the same.
    let usable = mask.len() + isolated.iter().filter(|core| !mask.contains(core)).count();
    let found = format!("{} online, {usable} usable by this process", online.len());
    if usable.min(online.len()) >= 3 { about.ok(found) } else { about.warn(found, "give the machine 3 cores or more") }
}

/// Whether the scheduler leaves the hot core alone.
pub fn isolation(machine: &Machine) -> Finding {
    let about =
        About { check: "isolation", why: "the scheduler puts other work on the hot core and the hot thread waits" };
    let path = "sys/devices/system/cpu/isolated";
    let hot = machine.hot;
    match machine.core_list(path) {
        None => about.unreadable(machine, path),
        Some(list) if list.contains(&hot) => about.ok(format!("core {hot} is isolated from the scheduler")),
        Some(list) => {
            let found = if list.is_empty() {
                "no core is isolated".to_owned()
            } else {
                format!("cores {list:?} are isolated, but not the hot core {hot}")
            };
            about.boot(found, format!("isolcpus=managed_irq,domain,{hot}"))
        }
    }
}

/// Whether the hot core runs without the timer tick.
pub fn timer_tick(machine: &Machine) -> Finding {
    let about =
        About { check: "timer tick", why: "the scheduler's tick stops the hot thread some hundred times a second" };
    let hot = machine.hot;
    let argument = format!("nohz_full={hot}");
    let path = "sys/devices/system/cpu/nohz_full";
    let given = machine.argument("nohz_full").and_then(|list| cores_of_list(&list));
    match machine.read(path).as_deref() {
        None if machine.read("proc/cmdline").is_none() => about.unreadable(machine, path),
        // Without the file the kernel was built without the feature and would ignore the argument.
        None => about.warn(
            "this kernel cannot run a core without it",
            format!("run a kernel with CONFIG_NO_HZ_FULL=y and boot with {argument}"),
        ),
        Some("" | "(null)") => about.boot("no core runs without it", argument),
        Some(text) => match cores_of_list(text).or(given) {
            None => about.unreadable(machine, path),
            Some(list) if list.contains(&hot) => about.ok(format!("core {hot} runs without it")),
            Some(_) => about.boot(format!("only cores {text} run without it"), argument),
        },
    }
}

/// Whether the kernel's deferred callbacks run elsewhere.
pub fn rcu_callbacks(machine: &Machine) -> Finding {
    let about = About { check: "rcu callbacks", why: "the kernel's deferred work runs on the core that caused it" };
    let hot = machine.hot;
    let holds = |key: &str| {
        let list = machine.argument(key);
        list.is_some_and(|list| list == "all" || cores_of_list(&list).is_some_and(|list| list.contains(&hot)))
    };
    match (machine.read("proc/cmdline"), machine.argument("rcu_nocbs")) {
        (None, _) => about.unreadable(machine, "proc/cmdline"),
        _ if holds("rcu_nocbs") => about.ok(format!("moved away from core {hot}")),
        _ if holds("nohz_full") => about.ok(format!("moved away from core {hot} by nohz_full")),
        (_, Some(list)) => {
            about.boot(format!("moved away from {list}, but not from {hot}"), format!("rcu_nocbs={hot}"))
        }
        (_, None) => about.boot("they run on every core", format!("rcu_nocbs={hot}")),
    }
}

/// Whether every core runs at full speed.
pub fn governor(machine: &Machine) -> Finding {
    let about = About { check: "governor", why: "a core that was idle starts slow and takes milliseconds to speed up" };
    let governors: Vec<String> = machine
        .online()
        .into_iter()
        .filter_map(|core| machine.read(&format!("{CPU}/cpu{core}/cpufreq/scaling_governor")))
        .collect();
    let is_name = |name: &&String| !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    if governors.is_empty() {
        return about.unknown("no cpufreq here: the firmware or the host decides");
    }
    match governors.iter().find(|governor| *governor != "performance") {
        None => about.ok("performance on every core"),
        Some(other) if is_name(&other) => about.warn(format!("`{other}`"), "cpupower frequency-set -g performance"),
        Some(_) => about.unreadable(machine, "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
    }
}

/// How deep an idle core sleeps.
pub fn idle_states(machine: &Machine) -> Finding {
    let about = About {
        check: "idle states",
        why: "the hot core never idles, but the cores of order thread and interrupts do, and wake up late",
    };
    if let Some(held_us) = latency_held(machine).filter(|held_us| *held_us <= WAKE_UP_US_MAX) {
        return about.ok(format!("a process holds wake-ups below {held_us} us (/dev/cpu_dma_latency)"));
    }
    let mut deepest: Option<i64> = None;
    for core in machine.online() {
        for state in machine.names(&format!("{CPU}/cpu{core}/cpuidle")) {
            let base = format!("{CPU}/cpu{core}/cpuidle/{state}");
            let disabled = machine.number(&format!("{base}/disable")).is_some_and(|text| text == 1);
            let latency_us = machine.number(&format!("{base}/latency"));
            deepest = deepest.max(latency_us.map(|latency_us| if disabled { 0 } else { latency_us }));
        }
    }
    let driver = machine.read("sys/devices/system/cpu/cpuidle/current_driver").unwrap_or_else(|| "cpuidle".to_owned());
    match deepest {
        Some(latency_us) if latency_us > WAKE_UP_US_MAX => {
            let arguments = "intel_idle.max_cstate=1 processor.max_cstate=1";
            let mut finding = about.boot(format!("{driver}: waking up may take {latency_us} us"), arguments);
            finding.fix = format!("cpupower idle-set -D {WAKE_UP_US_MAX}, or {}", finding.fix);
            finding
        }
        Some(latency_us) => about.ok(format!("{driver}: waking up takes at most {latency_us} us")),
        None => about.unknown(format!("no idle states under /{CPU}: the host decides")),
    }
}

/// The longest wake-up that some process allows, in microseconds.
fn latency_held(machine: &Machine) -> Option<i64> {
    let bytes = std::fs::read(machine.root.join("dev/cpu_dma_latency")).ok()?;
    Some(i64::from(i32::from_le_bytes(bytes.try_into().ok()?)))
}

/// Whether the hot core has its units and caches to itself.
pub fn hyper_threads(machine: &Machine) -> Finding {
    let about =
        About { check: "hyper-threads", why: "whatever runs on the sibling shares the hot core's units and caches" };
    let hot = machine.hot;
    let path = format!("{CPU}/cpu{hot}/topology/thread_siblings_list");
    let Some(siblings) = machine.core_list(&path).filter(|list| !list.is_empty()) else {
        return about.unreadable(machine, &path);
    };
    match siblings.iter().find(|core| **core != hot) {
        None => about.ok(format!("core {hot} has no sibling")),
        Some(sibling) => about.warn(
            format!("core {sibling} is the sibling of core {hot}"),
            format!("echo 0 > /{CPU}/cpu{sibling}/online, or boot with nosmt"),
        ),
    }
}

/// Where the system's time comes from.
pub fn clock_source(machine: &Machine) -> Finding {
    let about = About { check: "clock source", why: "any other than the processor's counter is slower or coarser" };
    let path = "sys/devices/system/clocksource/clocksource0";
    let current = machine.read(&format!("{path}/current_clocksource")).unwrap_or_default();
    match current.as_str() {
        "tsc" | "arch_sys_counter" => about.ok(current),
        text if text.is_empty() || text.contains(|c: char| !c.is_ascii_alphanumeric() && !"-_".contains(c)) => {
            about.unreadable(machine, &format!("{path}/current_clocksource"))
        }
        _ => {
            let available = machine.read(&format!("{path}/available_clocksource")).unwrap_or_default();
            if available.split_whitespace().any(|source| source == "tsc") {
                about.warn(format!("`{current}`"), format!("echo tsc > /{path}/current_clocksource"))
            } else {
                about.boot(format!("`{current}`; available: {available}"), "tsc=reliable")
            }
        }
    }
}

/// Whether the counter that latencies are measured with is steady.
pub fn cycle_counter(machine: &Machine) -> Finding {
    let about = About { check: "cycle counter", why: "latencies are measured with it" };
    let flags = machine.processor_flags();
    let missing: Vec<&str> =
        ["constant_tsc", "nonstop_tsc"].into_iter().filter(|flag| !flags.iter().any(|have| have == flag)).collect();
    match missing[..] {
        _ if flags.is_empty() => about.unreadable(machine, "proc/cpuinfo"),
        [] => about.ok("constant and never stopping"),
        // Other architectures have a counter of that kind and no flag for it.
        _ if flags.iter().any(|flag| flag == "asimd") => about.ok("the architecture's own"),
        _ => about.warn(
            format!("without {}", missing.join(", ")),
            "use another processor or virtual machine type: latencies reported here may be wrong",
        ),
    }
}

/// Whether the fast code for this processor can be used.
pub fn instructions(machine: &Machine) -> Finding {
    let about =
        About { check: "instructions", why: "without vector and AES instructions slower portable code is used" };
    let flags = machine.processor_flags();
    let has = |flag: &str| flags.iter().any(|have| have == flag);
    let missing: Vec<&str> = [(!(has("avx2") || has("asimd"))).then_some("AVX2"), (!has("aes")).then_some("AES")]
        .into_iter()
        .flatten()
        .collect();
    match missing[..] {
        _ if flags.is_empty() => about.unreadable(machine, "proc/cpuinfo"),
        [] => about.ok("vector and AES instructions are there"),
        _ => about.warn(
            format!("without {}", missing.join(" and ")),
            "use a processor, or a virtual machine type, that offers them",
        ),
    }
}

/// Whether somebody else decides when this machine runs.
pub fn virtual_machine(machine: &Machine) -> Finding {
    let about = About {
        check: "virtual machine",
        why: "the hypervisor stops this machine when it likes: the figures can only be so good",
    };
    let flags = machine.processor_flags();
    if flags.is_empty() {
        return about.unreadable(machine, "proc/cpuinfo");
    }
    if flags.iter().any(|flag| flag == "hypervisor") {
        return about.warn("this is one", "trade from the machine itself (bare metal), or a host with pinned cores");
    }
    about.ok("no hypervisor")
}

/// What the kernel does about the processor's flaws: for information.
pub fn mitigations(machine: &Machine) -> Finding {
    let about = About {
        check: "mitigations",
        why: "they make system calls slower; whether to go without is a question of who else uses the machine",
    };
    let folder = format!("{CPU}/vulnerabilities");
    let states: Vec<String> =
        machine.names(&folder).iter().filter_map(|name| machine.read(&format!("{folder}/{name}"))).collect();
    if states.is_empty() {
        return about.unknown(format!("/{folder} is not there"));
    }
    let active = states.iter().filter(|state| state.starts_with("Mitigation")).count();
    let chosen = machine.argument("mitigations").map_or_else(String::new, |text| format!(", mitigations={text}"));
    about.ok(format!("{active} of {} known flaws are worked around{chosen}", states.len()))
}

/// Whether hot core and network card are near each other.
pub fn numa_node(machine: &Machine) -> Finding {
    let about = About { check: "numa node", why: "packets that arrive at another node's memory take a detour" };
    let nodes = "sys/devices/system/node";
    let numbered = |name: &String| name.strip_prefix("node").and_then(|number| number.parse::<i64>().ok());
    let found: Vec<(i64, Vec<usize>)> = machine
        .names(nodes)
        .iter()
        .filter_map(numbered)
        .filter_map(|node| Some((node, machine.core_list(&format!("{nodes}/node{node}/cpulist"))?)))
        .collect();
    let hot = machine.hot;
    let Some((node, _)) = found.iter().find(|(_, cores)| cores.contains(&hot)) else {
        return about.unknown(format!("/{nodes} does not say to which node core {hot} belongs"));
    };
    if found.len() == 1 {
        return about.ok("there is only one");
    }
    let Some(card) = super::network::card(machine) else {
        return about.unknown("no network card has the default route");
    };
    match machine.number(&format!("sys/class/net/{card}/device/numa_node")) {
        Some(of_card) if of_card == *node => about.ok(format!("core {hot} and {card} are both on node {node}")),
        Some(of_card) if of_card >= 0 => {
            let near = machine.read(&format!("{nodes}/node{of_card}/cpulist")).unwrap_or_default();
            about.warn(
                format!("core {hot} is on node {node}, {card} on node {of_card}"),
                format!("choose engine.hot_core and engine.io_core among {near}"),
            )
        }
        _ => about.unknown(format!("{card} does not say to which node it belongs")),
    }
}
