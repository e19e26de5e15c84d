//! COLD: what each latency measures, for where its figures are shown.

/// The name of the one latency, and what it measures.
pub const DECODE_TO_ORDER: (&str, &str) = (
    "decode to order",
    "a market frame decrypted and in hand to its order on the ring, of the frames that led to one, once the run is warm",
);
/// The name of the other, and what it measures.
pub const WIRE_TO_WIRE: (&str, &str) =
    ("wire to wire", "the socket seen readable to that order's bytes handed to the kernel, TLS both ways included");

/// The name of what an operator waits for, and what it measures.
pub const KILL_TO_WIRE: (&str, &str) = (
    "kill to wire",
    "a word that everything, or a part, is to be cancelled (a signal, a kill, the run's end) to the bytes of its first cancel handed to the kernel",
);

/// All of them below a table, each line behind two blanks.
#[must_use]
pub(super) fn meanings() -> String {
    let all = [DECODE_TO_ORDER, WIRE_TO_WIRE, KILL_TO_WIRE];
    all.map(|(name, meaning)| wrapped(&format!("{name}: {meaning}"), "  ")).concat()
}

/// A text in lines of at most 80 characters, each behind `indent`.
fn wrapped(text: &str, indent: &str) -> String {
    let (mut lines, mut line) = (String::new(), indent.to_owned());
    for word in text.split(' ') {
        if line.len() + 1 + word.len() > 80 {
            lines.push_str(&format!("{}\n", line.trim_end()));
            line = indent.to_owned();
        }
        line.push_str(&format!("{word} "));
    }
    lines + line.trim_end() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_sentences_are_cut_between_words() {
        let text = meanings();
        assert!(
            text.lines().count() > 2 && text.lines().all(|line| line.starts_with("  ") && line.len() <= 80),
            "{text}"
        );
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let all = [DECODE_TO_ORDER, WIRE_TO_WIRE, KILL_TO_WIRE];
        let said = all.map(|(name, meaning)| format!("{name}: {meaning}")).join(" ");
        assert_eq!(words(&text), words(&said), "no word is lost");
    }
}
