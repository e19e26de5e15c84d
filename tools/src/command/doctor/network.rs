//! COLD: checks of the network: how a packet comes from the card to the socket.

use super::machine::{About, Finding, Machine};

/// The interface that has the default route.
#[must_use]
pub fn card(machine: &Machine) -> Option<String> {
    let routes = machine.read("proc/net/route")?;
    routes.lines().skip(1).find_map(|line| {
        let mut fields = line.split_whitespace();
        let (interface, destination) = (fields.next()?, fields.next()?);
        (destination == "00000000").then(|| interface.to_owned())
    })
}

/// Whether the kernel looks for packets itself instead of waiting for the card's interrupt.
pub fn busy_poll(machine: &Machine) -> Finding {
    let about = About {
        check: "busy poll",
        why: "with it a thread that reads looks at the card's queue itself, and need not wait for its interrupt",
    };
    let read = |name: &str| machine.number(&format!("proc/sys/net/core/{name}"));
    match (read("busy_read"), read("busy_poll")) {
        (Some(reading), Some(polling)) if reading > 0 && polling > 0 => {
            about.ok(format!("busy_read {reading} us, busy_poll {polling} us"))
        }
        (Some(reading), Some(polling)) => about.warn(
            format!("net.core.busy_read {reading}, busy_poll {polling}"),
            "sysctl -w net.core.busy_read=50 net.core.busy_poll=50",
        ),
        _ => about.unreadable(machine, "proc/sys/net/core/busy_read"),
    }
}

/// Whether packets are held back to be handed over together.
pub fn network_card(machine: &Machine) -> Finding {
    let about = About { check: "network card", why: "packets that are held back to come together come late" };
    let Some(card) = card(machine) else {
        return about.unknown("no network card has the default route");
    };
    let setting = |name: &str| machine.number(&format!("sys/class/net/{card}/{name}"));
    let held: Vec<&str> = ["gro_flush_timeout", "napi_defer_hard_irqs"]
        .into_iter()
        .filter(|name| setting(name).is_some_and(|value| value > 0))
        .collect();
    if !held.is_empty() {
        let commands: Vec<String> = held.iter().map(|name| format!("echo 0 > /sys/class/net/{card}/{name}")).collect();
        return about.warn(format!("{card} holds packets back: {} is set", held.join(", ")), commands.join("; "));
    }
    // The card's own setting can only be asked for with a system call of its tool.
    about.unknown(format!(
        "{card}: interrupt coalescing stands in no file; see `ethtool -c {card}`, best is \
         `ethtool -C {card} adaptive-rx off rx-usecs 0`"
    ))
}
