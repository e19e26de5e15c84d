//! COLD: `/proc/interrupts`: which sources interrupted a core, and by how much each grew.

/// One line: a source of interrupts with its count on each core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterruptSource {
    /// The number or abbreviation at the line's start.
    pub key: String,
    /// What people call it.
    pub name: String,
    /// Core and count.
    pub counts: Vec<(usize, u64)>,
}

/// The sources in a text of the form of `/proc/interrupts`; lines that are not of it are skipped.
#[must_use]
pub fn parse(text: &str) -> Vec<InterruptSource> {
    let mut lines = text.lines();
    let header = lines.next().unwrap_or_default();
    let cores: Vec<usize> =
        header.split_whitespace().filter_map(|word| word.strip_prefix("CPU")?.parse().ok()).collect();
    if cores.is_empty() {
        return Vec::new();
    }
    lines.filter_map(|line| source(line, &cores)).collect()
}

fn source(line: &str, cores: &[usize]) -> Option<InterruptSource> {
    let (key, rest) = line.split_once(':')?;
    let key = key.trim();
    let mut words = rest.split_whitespace();
    // A source without a count for each core (ERR, MIS) belongs to none.
    let counts: Option<Vec<(usize, u64)>> =
        cores.iter().map(|core| Some((*core, words.next()?.parse().ok()?))).collect();
    let description: Vec<&str> = words.collect();
    (!key.is_empty()).then_some(())?;
    Some(InterruptSource { key: key.to_owned(), name: name(key, &description), counts: counts? })
}

/// What people call a source: the device for a numbered one, a word for the usual others.
fn name(key: &str, description: &[&str]) -> String {
    let known = match key {
        "LOC" => "timer",
        "RES" => "rescheduling",
        "CAL" => "function calls",
        "TLB" => "TLB shootdowns",
        "NMI" => "non-maskable",
        "PMI" => "performance monitoring",
        "IWI" => "irq work",
        "MCP" => "machine check polls",
        "TRM" => "thermal",
        "HYP" => "hypervisor",
        _ => "",
    };
    if !known.is_empty() {
        return known.to_owned();
    }
    let device = description.last().copied().unwrap_or(key);
    if key.bytes().all(|byte| byte.is_ascii_digit()) { device.to_owned() } else { description.join(" ") }
}

/// What interrupted a core between two readings: name and count, the most first; names that grew not at all are left
/// out.
#[must_use]
pub fn growth(before: &[InterruptSource], after: &[InterruptSource], core: usize) -> Vec<(String, u64)> {
    let count =
        |source: &InterruptSource| source.counts.iter().find(|(of, _)| *of == core).map_or(0, |(_, count)| *count);
    let mut grown: Vec<(String, u64)> = after
        .iter()
        .map(|source| {
            let earlier = before.iter().find(|other| other.key == source.key).map_or(0, count);
            (source.name.clone(), count(source).saturating_sub(earlier))
        })
        .filter(|(_, count)| *count > 0)
        .collect();
    grown.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    grown
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "           CPU0       CPU2\n 24:          1          0  IO-APIC   5-edge      ACPI:Ged\n \
        36:          0     100  PCI-MSIX-0000:00:02.0   1-edge      virtio1-req.0\nLOC:   1000   2000   Local timer interrupts\n\
        ERR:          0\nMIS:          0\nPIW:          0          4   Posted-interrupt wakeup event\nnonsense\n";

    #[test]
    fn what_grew_on_a_core_is_named_the_most_first() {
        let after = BEFORE
            .replace("100  PCI", "130  PCI")
            .replace("1000   2000", "1500   2250")
            .replace("4   Posted", "5   Posted");
        let (before, after) = (parse(BEFORE), parse(&after));
        assert_eq!(before.len(), 4, "{before:?}");
        let named = |core| growth(&before, &after, core);
        assert_eq!(named(0), [("timer".to_owned(), 500)]);
        let expected = [("timer", 250), ("virtio1-req.0", 30), ("Posted-interrupt wakeup event", 1)];
        assert_eq!(named(2), expected.map(|(name, count)| (name.to_owned(), count)));
        assert!(named(1).is_empty(), "a core that is off has no column");
    }

    #[test]
    fn garbled_texts_have_no_sources_and_a_counter_that_fell_did_not_grow() {
        for bad in ["", "\n\n", "CPUx CPUy\n 1: 2 3 a", "LOC: 1 2 Local", "CPU0\n:1 x\n2 3\n7: many x"] {
            assert!(parse(bad).is_empty(), "{bad:?}: {:?}", parse(bad));
        }
        assert!(growth(&parse(BEFORE), &[], 0).is_empty());
        let lower = BEFORE.replace("1000   2000", "1   2");
        assert!(growth(&parse(BEFORE), &parse(&lower), 0).is_empty());
    }
}
