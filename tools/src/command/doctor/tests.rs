//! COLD: every check against machines made of files: good, bad, silent and garbled.

use super::machine::samples::{judge, machine};
use super::*;
use Status::{Ok as Good, Unknown, Warn};

const ONLINE: (&str, &str) = ("sys/devices/system/cpu/online", "0-3\n");
const ISOLATED: &str = "sys/devices/system/cpu/isolated";
const STATUS: &str = "proc/self/status";
const CMDLINE: &str = "proc/cmdline";
const CPUINFO: &str = "proc/cpuinfo";
const LIMITS: &str = "proc/self/limits";
const NO_RIGHTS: (&str, &str) = (STATUS, "Name:\tx\nCapEff:\t0000000000000000\nCpus_allowed_list:\t0-3\n");

#[test]
fn cores_and_who_else_may_use_them() {
    let mask = |list| if list == "0-1" { "Cpus_allowed_list:\t0-1\n" } else { "Cpus_allowed_list:\t0-3\n" };
    judge(
        processor::cores,
        &[
            (&[ONLINE, (STATUS, mask("0-3"))], Good, "4 online, 4 usable"),
            (&[ONLINE, (STATUS, mask("0-1"))], Warn, "2 usable"),
            (&[ONLINE, (STATUS, mask("0-1")), (ISOLATED, "2-3")], Good, "4 usable"),
            (&[("sys/devices/system/cpu/online", "many"), (STATUS, mask("0-3"))], Unknown, "`many`"),
            (&[ONLINE, (STATUS, "Cpus_allowed_list:\tall\n")], Unknown, "not understood"),
            (&[ONLINE], Unknown, "/proc/self/status is not there"),
        ],
    );
    judge(
        processor::isolation,
        &[
            (&[(ISOLATED, "1,3\n")], Good, "core 1 is isolated"),
            (&[(ISOLATED, "\n")], Warn, "isolcpus=managed_irq,domain,1"),
            (&[(ISOLATED, "3\n")], Warn, "not the hot core 1"),
            (&[(ISOLATED, "\u{1}\u{2}?x")], Unknown, "`?x`"),
        ],
    );
    let siblings = "sys/devices/system/cpu/cpu1/topology/thread_siblings_list";
    judge(
        processor::hyper_threads,
        &[
            (&[(siblings, "1\n")], Good, "no sibling"),
            (&[(siblings, "1,5\n")], Warn, "echo 0 > /sys/devices/system/cpu/cpu5/online"),
            (&[(siblings, "0-1\n")], Warn, "core 0 is the sibling"),
            (&[(siblings, "")], Unknown, "not understood"),
            (&[(siblings, "a-b")], Unknown, "`a-b`"),
        ],
    );
}

#[test]
fn what_the_kernel_does_on_the_hot_core() {
    let nohz = "sys/devices/system/cpu/nohz_full";
    judge(
        processor::timer_tick,
        &[
            (&[(nohz, "1-3\n"), (CMDLINE, "quiet")], Good, "core 1 runs without"),
            (&[(nohz, "(null)\n")], Warn, "boot with nohz_full=1"),
            (&[(nohz, "\n")], Warn, "boot with nohz_full=1"),
            (&[(nohz, "2-3\n")], Warn, "only cores 2-3"),
            (&[(CMDLINE, "quiet")], Warn, "CONFIG_NO_HZ_FULL"),
            (&[(nohz, "ever")], Unknown, "`ever`"),
        ],
    );
    judge(
        processor::rcu_callbacks,
        &[
            (&[(CMDLINE, "quiet rcu_nocbs=1-3")], Good, "moved away from core 1"),
            (&[(CMDLINE, "rcu_nocbs=all")], Good, "moved away"),
            (&[(CMDLINE, "nohz_full=1 quiet")], Good, "by nohz_full"),
            (&[(CMDLINE, "quiet")], Warn, "boot with rcu_nocbs=1"),
            (&[(CMDLINE, "rcu_nocbs=2-3")], Warn, "not from 1"),
            (&[(CMDLINE, "rcu_nocbs=?")], Warn, "rcu_nocbs=1"),
        ],
    );
    let workqueues = "sys/devices/virtual/workqueue/cpumask";
    judge(
        system::workqueues,
        &[
            (&[(workqueues, "d\n"), ONLINE], Good, "kept away from core 1"),
            (&[(workqueues, "f\n"), ONLINE], Warn, "echo d > /sys/devices/virtual/workqueue/cpumask"),
            (&[(workqueues, "ffffffff,ffffffff\n"), ONLINE], Warn, "echo d >"),
            (&[(workqueues, "2\n"), ONLINE], Warn, "2 cores or more"),
            (&[(workqueues, "all cores")], Unknown, "`all cores`"),
        ],
    );
    let (dog, nmi, mask) =
        ("proc/sys/kernel/watchdog", "proc/sys/kernel/nmi_watchdog", "proc/sys/kernel/watchdog_cpumask");
    judge(
        system::watchdog,
        &[
            (&[(dog, "0\n"), (nmi, "0\n")], Good, "off"),
            (&[(dog, "1\n"), (mask, "0,2-3\n")], Good, "not on core 1"),
            (&[(dog, "1\n"), (mask, "0-3\n"), ONLINE], Warn, "kernel.watchdog_cpumask=0,2-3"),
            (&[(nmi, "1\n"), ONLINE], Warn, "kernel.nmi_watchdog=0"),
            (&[(dog, "bark")], Unknown, "`bark`"),
        ],
    );
    let interval = "proc/sys/vm/stat_interval";
    judge(
        system::memory_statistics,
        &[
            (&[(interval, "120\n")], Good, "every 120 s"),
            (&[(interval, "1\n")], Warn, "vm.stat_interval=120"),
            (&[(interval, "often\n")], Unknown, "`often`"),
        ],
    );
    let (balancing, nodes) = ("proc/sys/kernel/numa_balancing", "sys/devices/system/node/online");
    judge(
        system::numa_balancing,
        &[
            (&[(balancing, "0\n")], Good, "off"),
            (&[(balancing, "1\n"), (nodes, "0\n")], Good, "only one node"),
            (&[(balancing, "1\n"), (nodes, "0-1\n")], Warn, "kernel.numa_balancing=0"),
            (&[(balancing, "maybe")], Unknown, "`maybe`"),
        ],
    );
}

const INTERRUPTS: (&str, &str) = (
    "proc/interrupts",
    "            CPU0  CPU1\n 24:  1  0  IO-APIC 5-edge acpi\n 41:  6723  0  PCI-MSIX 1-edge eth0-rx\n 42: 0 3 PCI-MSIX 2-edge eth0-tx\n",
);

#[test]
fn interrupts_of_devices() {
    judge(
        system::interrupts,
        &[
            (&[("proc/12/comm", "chronyd\n")], Good, "no irqbalance"),
            (&[("proc/12/comm", "irqbalance\n")], Warn, "IRQBALANCE_BANNED_CPULIST=1"),
            (&[("proc/12/comm", "\u{fffd}\n")], Good, "no irqbalance"),
        ],
    );
    let affinity = |irq: u32| format!("proc/irq/{irq}/smp_affinity_list");
    let (rx, tx, unused) = (affinity(41), affinity(42), affinity(43));
    judge(
        system::irq_affinity,
        &[
            (&[(&rx, "0\n"), (&tx, "2-3\n"), INTERRUPTS, ONLINE], Good, "may come to core 1"),
            (
                &[(&rx, "0-3\n"), (&tx, "1\n"), INTERRUPTS, ONLINE],
                Warn,
                "2 devices may interrupt core 1: eth0-rx, eth0-tx",
            ),
            (&[(&rx, "0-3\n"), INTERRUPTS, ONLINE], Warn, "irqaffinity=0,2-3"),
            (&[(&rx, "0\n"), (&unused, "0-3\n"), INTERRUPTS], Good, "no device"),
            (&[(&rx, "anywhere"), INTERRUPTS], Unknown, "says nothing"),
        ],
    );
}

#[test]
fn speed_and_sleep_of_the_cores() {
    let governor = |core: usize| format!("sys/devices/system/cpu/cpu{core}/cpufreq/scaling_governor");
    let (zero, one) = (governor(0), governor(1));
    judge(
        processor::governor,
        &[
            (&[ONLINE, (&zero, "performance\n"), (&one, "performance\n")], Good, "every core"),
            (&[ONLINE, (&zero, "performance\n"), (&one, "powersave\n")], Warn, "cpupower frequency-set -g performance"),
            (&[ONLINE], Unknown, "no cpufreq"),
            (&[ONLINE, (&zero, "\u{7}?!")], Unknown, "not understood"),
            (&[ONLINE, (&zero, "")], Unknown, "not understood"),
        ],
    );
    let state = |state: usize, file: &str| format!("sys/devices/system/cpu/cpu0/cpuidle/state{state}/{file}");
    let (shallow, deep, off) = (state(0, "latency"), state(1, "latency"), state(1, "disable"));
    judge(
        processor::idle_states,
        &[
            (&[ONLINE, (&shallow, "0"), (&deep, "2")], Good, "at most 2 us"),
            (&[ONLINE, (&shallow, "0"), (&deep, "133")], Warn, "intel_idle.max_cstate=1"),
            (&[ONLINE, (&shallow, "0"), (&deep, "133"), (&off, "1")], Good, "at most 0 us"),
            (&[ONLINE, (&deep, "133"), ("dev/cpu_dma_latency", "\0\0\0\0")], Good, "/dev/cpu_dma_latency"),
            (&[ONLINE, (&deep, "133"), ("dev/cpu_dma_latency", "\0\0")], Warn, "133 us"),
            (&[ONLINE, (&deep, "long")], Unknown, "no idle states"),
        ],
    );
}

#[test]
fn clocks_and_instructions() {
    let source = "sys/devices/system/clocksource/clocksource0/current_clocksource";
    let available = "sys/devices/system/clocksource/clocksource0/available_clocksource";
    judge(
        processor::clock_source,
        &[
            (&[(source, "tsc\n")], Good, "tsc"),
            (&[(source, "hpet\n"), (available, "tsc hpet\n")], Warn, "echo tsc > /sys"),
            (&[(source, "hpet\n"), (available, "hpet acpi_pm\n")], Warn, "tsc=reliable"),
            (&[(source, "\u{3}\u{4} ")], Unknown, "not understood"),
        ],
    );
    let good = "processor : 0\nflags\t\t: fpu constant_tsc nonstop_tsc avx2 aes\n";
    let arm = "processor : 0\nFeatures\t: fp asimd aes\n";
    let (bare, garbled) = ("flags\t: fpu\n", "flags\t:\n");
    judge(
        processor::cycle_counter,
        &[
            (&[(CPUINFO, good)], Good, "never stopping"),
            (&[(CPUINFO, arm)], Good, "own"),
            (&[(CPUINFO, bare)], Warn, "constant_tsc, nonstop_tsc"),
            (&[(CPUINFO, garbled)], Unknown, "not understood"),
        ],
    );
    judge(
        processor::instructions,
        &[
            (&[(CPUINFO, good)], Good, "are there"),
            (&[(CPUINFO, arm)], Good, "are there"),
            (&[(CPUINFO, bare)], Warn, "AVX2 and AES"),
            (&[(CPUINFO, garbled)], Unknown, "not understood"),
        ],
    );
    judge(
        processor::virtual_machine,
        &[
            (&[(CPUINFO, good)], Good, "no hypervisor"),
            (&[(CPUINFO, "flags\t: fpu hypervisor\n")], Warn, "bare metal"),
            (&[(CPUINFO, garbled)], Unknown, "not understood"),
        ],
    );
    let flaw = "sys/devices/system/cpu/vulnerabilities/spectre_v2";
    judge(
        processor::mitigations,
        &[
            (
                &[(flaw, "Mitigation: Retpolines\n"), (CMDLINE, "mitigations=auto")],
                Good,
                "1 of 1 known flaws are worked around, mitigations=auto",
            ),
            (&[(flaw, "Vulnerable\n")], Good, "0 of 1"),
            (&[(flaw, "\u{1}")], Good, "0 of 1"),
            (&[(CMDLINE, "mitigations=off")], Unknown, "is not there"),
        ],
    );
}

#[test]
fn memory() {
    let limits = |soft: &str| format!("Limit Soft Hard\nMax locked memory         {soft}   unlimited  bytes\n");
    let (low, high, free, garbled) = (limits("8388608"), limits("17179869184"), limits("unlimited"), limits("much"));
    judge(
        system::locked_memory,
        &[
            (&[NO_RIGHTS, (LIMITS, &free)], Good, "unlimited"),
            (&[NO_RIGHTS, (LIMITS, &high)], Good, "16384 MiB"),
            (&[NO_RIGHTS, (LIMITS, &low)], Warn, "LimitMEMLOCK=infinity"),
            (&[(STATUS, "CapEff:\t000001ffffffffff\n"), (LIMITS, &low)], Good, "CAP_IPC_LOCK"),
            (&[NO_RIGHTS, (LIMITS, &garbled)], Unknown, "not understood"),
        ],
    );
    let files = |soft: &str| format!("Limit Soft Hard\nMax open files            {soft}   4096  files\n");
    let (few, many, free, garbled) = (files("1024"), files("65536"), files("unlimited"), files("-"));
    judge(
        system::open_files,
        &[
            (&[(LIMITS, &many)], Good, "65536"),
            (&[(LIMITS, &free)], Good, "unlimited"),
            (&[(LIMITS, &few)], Warn, "LimitNOFILE=65536"),
            (&[(LIMITS, &garbled)], Unknown, "not understood"),
        ],
    );
    let swaps = "proc/swaps";
    judge(
        system::swap,
        &[
            (&[(swaps, "Filename Type Size Used Priority\n")], Good, "none"),
            (
                &[
                    (swaps, "Filename Type Size Used Priority\n/dev/sda2 partition 1 0 -2\n"),
                    ("proc/sys/vm/swappiness", "60\n"),
                ],
                Warn,
                "swappiness 60",
            ),
            (&[(swaps, "Filename\n/dev/a x\n/dev/b x\n"), ("proc/sys/vm/swappiness", "?")], Warn, "2 areas"),
            (&[(swaps, "??")], Unknown, "`??`"),
        ],
    );
    let mode = "sys/kernel/mm/transparent_hugepage/enabled";
    judge(
        system::huge_pages,
        &[
            (&[(mode, "always [madvise] never\n")], Good, "madvise"),
            (&[(mode, "[always] madvise never\n")], Warn, "echo madvise >"),
            (&[(mode, "always madvise [never]\n")], Warn, "`never`"),
            (&[(mode, "always [sometimes] never\n")], Unknown, "not understood"),
            (&[(mode, "madvise\n")], Unknown, "`madvise`"),
        ],
    );
    let reserve =
        |total: &str, free: &str| format!("MemTotal: 1 kB\nHugePages_Total:  {total}\nHugePages_Free:   {free}\n");
    let (none, idle, used, garbled) = (reserve("0", "0"), reserve("8", "8"), reserve("8", "3"), reserve("x", "0"));
    let meminfo = "proc/meminfo";
    judge(
        system::huge_page_reserve,
        &[
            (&[(meminfo, &none)], Good, "none"),
            (&[(meminfo, &used)], Good, "8 pages, 3 free"),
            (&[(meminfo, &idle)], Warn, "vm.nr_hugepages=0"),
            (&[(meminfo, &garbled)], Unknown, "not understood"),
        ],
    );
}

#[test]
fn time_and_priority() {
    judge(
        system::time_sync,
        &[
            (&[("proc/7/comm", "chronyd\n")], Good, "chronyd runs"),
            (&[("proc/7/comm", "init\n")], Warn, "chrony"),
            (&[("proc/7/comm", "\u{1}\n")], Warn, "chrony"),
        ],
    );
    let stat =
        |policy: &str| format!("7 (a ) b) S 1 {} {policy} 0 0\n", (0..36).map(|_| "0").collect::<Vec<_>>().join(" "));
    let (other, fifo, garbled) = (stat("0"), stat("1"), stat("x"));
    let (path, throttle) = ("proc/self/stat", "proc/sys/kernel/sched_rt_runtime_us");
    judge(
        system::real_time,
        &[
            (&[(path, &other), (LIMITS, "Max realtime priority     99  99\n")], Good, "limit 99"),
            (&[(path, &other), (throttle, "950000\n")], Good, "no real-time priority"),
            (&[(path, &fifo), (throttle, "950000\n")], Warn, "without chrt"),
            (&[(path, &fifo), (throttle, "-1\n")], Good, "limit unknown"),
            (&[(path, &garbled)], Unknown, "not understood"),
        ],
    );
}

#[test]
fn network() {
    let (read, poll) = ("proc/sys/net/core/busy_read", "proc/sys/net/core/busy_poll");
    judge(
        network::busy_poll,
        &[
            (&[(read, "50\n"), (poll, "50\n")], Good, "50 us"),
            (&[(read, "0\n"), (poll, "50\n")], Warn, "net.core.busy_read=50"),
            (&[(read, "on\n"), (poll, "0\n")], Unknown, "`on`"),
        ],
    );
    let route: (&str, &str) =
        ("proc/net/route", "Iface\tDestination\tGateway\nlo\t0000007F\t0\neth1\t00000000\t010011AC\t0003\n");
    let card = "sys/class/net/eth1";
    let (flush, defer) = (format!("{card}/gro_flush_timeout"), format!("{card}/napi_defer_hard_irqs"));
    // What the card itself holds back stands in no file, so the best case is an answer with the command to ask.
    judge(
        network::network_card,
        &[
            (&[route, (&flush, "0\n"), (&defer, "0\n")], Unknown, "ethtool -C eth1 adaptive-rx off rx-usecs 0"),
            (&[route, (&flush, "20000\n"), (&defer, "0\n")], Warn, "echo 0 > /sys/class/net/eth1/gro_flush_timeout"),
            (&[route, (&flush, "x"), (&defer, "y")], Unknown, "ethtool -c eth1"),
            (&[("proc/net/route", "Iface\nlo\n\n")], Unknown, "default route"),
        ],
    );
    let (near, far) = ("sys/devices/system/node/node0/cpulist", "sys/devices/system/node/node1/cpulist");
    let of_card = format!("{card}/device/numa_node");
    judge(
        processor::numa_node,
        &[
            (&[(near, "0-3\n")], Good, "only one"),
            (&[(near, "0-3\n"), (far, "4-7\n"), route, (&of_card, "0\n")], Good, "both on node 0"),
            (&[(near, "0-3\n"), (far, "4-7\n"), route, (&of_card, "1\n")], Warn, "among 4-7"),
            (&[(near, "0-3\n"), (far, "4-7\n"), route, (&of_card, "-1\n")], Unknown, "eth1 does not say"),
            (&[(near, "0-3\n"), (far, "4-7\n")], Unknown, "default route"),
            (&[(near, "few"), (far, "4-7\n")], Unknown, "does not say to which node"),
        ],
    );
}

#[test]
fn a_machine_that_says_nothing_is_examined_too() {
    let (_folder, machine) = machine(&[]);
    let findings = examine(&machine);
    assert!(findings.iter().all(|finding| finding.status == Unknown), "{findings:#?}");
    let mut names: Vec<&str> = findings.iter().map(|finding| finding.check).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), CHECKS.len(), "two checks share a name");
}

#[test]
fn the_answer_has_its_keys_and_all_kernel_arguments_at_once() {
    let (_folder, machine) =
        machine(&[ONLINE, (ISOLATED, ""), (CMDLINE, "quiet"), ("sys/devices/system/cpu/nohz_full", "(null)")]);
    let jitter = vec![CoreJitter { core: 1, isolated: false, measured_ns: 5, ..CoreJitter::default() }];
    let answer = Answer { seconds: 3, hot: 1, hot_was_given: false, jitter, findings: examine(&machine) };
    let json = answer.to_json();
    let keys = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(keys(&json), "findings checks warnings unknown hot_core kernel_arguments jitter");
    assert_eq!(keys(&json["findings"][0]), "check status found fix why");
    assert_eq!(keys(&json["jitter"]), "seconds_per_core gap_ns_min quietest_core cores");
    assert_eq!(
        keys(&json["jitter"]["cores"][0]),
        "core isolated measured_ns gaps gap_p50_ns gap_p99_ns gap_p999_ns gap_worst_ns stolen_permille interrupts \
         interrupt_sources switches_voluntary switches_involuntary steal_ms"
    );
    assert_eq!(json["kernel_arguments"], "isolcpus=managed_irq,domain,1 nohz_full=1 rcu_nocbs=1");
    assert_eq!(json["checks"], answer.findings.len());
    for finding in json["findings"].as_array().expect("an array") {
        assert_eq!(finding["fix"].is_string(), finding["status"] == "warn", "{finding}");
    }
}
