//! COLD: the targets in families: what a reader wants first, and the rows in groups.

use std::fmt::{self, Write};

use crate::report::{number, target_row};
use crate::targets::{Limit, Target};

/// Rows that hold the same thing to the same target, on different inputs.
#[derive(Clone, Debug)]
pub struct Family<'a> {
    /// What is measured: `decode`, `book`, the text before a row's first comma or colon.
    pub item: &'a str,
    /// What it is held to: the text after a row's colon.
    pub yardstick: &'a str,
    /// Its rows.
    pub rows: Vec<&'a Target>,
}

/// The text before the first comma or colon: what a row is about.
#[must_use]
pub fn item(what: &str) -> &str {
    what.split([',', ':']).next().unwrap_or(what)
}

/// The families in the order of their first rows.
#[must_use]
pub fn families(targets: &[Target]) -> Vec<Family<'_>> {
    let mut all: Vec<Family<'_>> = Vec::new();
    for target in targets {
        let item = item(&target.what);
        let yardstick =
            target.what.split_once(": ").map_or(target.what[item.len()..].trim_start_matches(", "), |it| it.1);
        match all.iter_mut().find(|family| family.item == item && family.yardstick == yardstick) {
            Some(family) => family.rows.push(target),
            None => all.push(Family { item, yardstick, rows: vec![target] }),
        }
    }
    all
}

impl Family<'_> {
    /// Its rows that were measured, the one that misses by most first.
    #[must_use]
    pub fn measured(&self) -> Vec<&Target> {
        let mut rows: Vec<&Target> = self.rows.iter().copied().filter(|row| row.measured.is_some()).collect();
        rows.sort_by(|one, other| {
            let order = one.measured.unwrap_or(0.0).total_cmp(&other.measured.unwrap_or(0.0));
            if one.limit == Limit::AtLeast { order } else { order.reverse() }
        });
        rows
    }

    /// What, target, worst and best figure, verdict.
    fn row(&self) -> [String; 4] {
        let measured = self.measured();
        let Some(worst) = measured.first() else {
            let [_, target, _, verdict, _] = target_row(self.rows[0]);
            return [self.name(), target, "-".into(), verdict];
        };
        let [_, target, worst_figure, worst_verdict, _] = target_row(worst);
        let best = measured.last().and_then(|best| best.measured).map_or(String::new(), number);
        let figures = if measured.len() == 1 || worst_figure.starts_with(&best) {
            worst_figure
        } else {
            format!("{} to {best}{}", number(worst.measured.unwrap_or(0.0)), worst.unit_text())
        };
        let missed = measured.iter().filter(|row| row.is_met() == Some(false)).count();
        let verdict = match (missed, measured.len()) {
            (0, 1) => "met".into(),
            (0, 2) => "both met".into(),
            (0, count) => format!("all {count} met"),
            (_, 1) => worst_verdict,
            (missed, count) => {
                let by = worst_verdict.trim_start_matches("missed ");
                format!("{missed} of {count} missed, at most {by}")
            }
        };
        let lacking = self.rows.len() - measured.len();
        let verdict = if lacking == 0 { verdict } else { format!("{verdict}, {lacking} not measured") };
        [self.name(), target, figures, verdict]
    }

    /// As printed.
    fn name(&self) -> String {
        format!("{}: {}", capital(self.item), self.yardstick)
    }
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or(String::new(), |first| first.to_uppercase().chain(characters).collect())
}

/// The ratios that matter, one line a family.
///
/// # Errors
/// The writer's.
pub fn write_summary(out: &mut String, targets: &[Target]) -> fmt::Result {
    writeln!(out, "| what | target | measured: worst to best | verdict |\n|---|---|---|---|")?;
    for family in families(targets).iter().filter(|family| family.rows[0].unit == "x") {
        writeln!(out, "| {} |", family.row().join(" | "))?;
    }
    Ok(())
}

/// All rows, a table an item.
///
/// # Errors
/// The writer's.
pub fn write_groups(out: &mut String, targets: &[Target]) -> fmt::Result {
    let mut items: Vec<&str> = Vec::new();
    for target in targets {
        if !items.contains(&item(&target.what)) {
            items.push(item(&target.what));
        }
    }
    for wanted in items {
        writeln!(out, "\n### {}\n", capital(wanted))?;
        writeln!(out, "| what | target | measured | verdict | ours, theirs |\n|---|---|---|---|---|")?;
        for target in targets.iter().filter(|target| item(&target.what) == wanted) {
            let mut row = target_row(target);
            row[0] = row[0][wanted.len()..].trim_start_matches([',', ':']).trim_start().to_owned();
            writeln!(out, "| {} |", row.join(" | "))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{families, write_groups, write_summary};
    use crate::targets::{Limit, Target};

    fn target(what: &str, limit: Limit, measured: Option<f64>) -> Target {
        Target { what: what.into(), limit, target: 5.0, unit: "x", measured, note: "no data".into() }
    }

    #[test]
    fn rows_of_one_yardstick_are_one_line_with_the_worst_first() {
        let rows = [
            target("decode, perp, 2 levels: over the best peer", Limit::AtLeast, Some(6.5)),
            target("decode, spot: over the best peer", Limit::AtLeast, Some(4.0)),
            target("book, perp: over a bare store", Limit::AtMost, Some(4.0)),
            target("book, spot: over a bare store", Limit::AtMost, Some(3.0)),
            target("book, perp: over a map", Limit::AtLeast, None),
            target("send, HMAC of 200 B", Limit::AtMost, Some(1.0)),
        ];
        assert_eq!(families(&rows).len(), 4);
        let mut text = String::new();
        write_summary(&mut text, &rows).expect("a String takes any text");
        let lines: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(lines[0], "| Decode: over the best peer | ≥ 5× | 4.00 to 6.50× | 1 of 2 missed, at most by 20 % |");
        assert_eq!(lines[1], "| Book: over a bare store | ≤ 5× | 4.00 to 3.00× | both met |");
        assert_eq!(lines[2], "| Book: over a map | ≥ 5× | - | not measured: no data |");
        assert_eq!(lines[3], "| Send: HMAC of 200 B | ≤ 5× | 1.00× | met |");
        let mut text = String::new();
        write_groups(&mut text, &rows).expect("a String takes any text");
        assert_eq!(text.matches("### ").count(), 3);
        assert!(text.contains("### Book\n\n") && text.contains("\n| perp: over a map | ≥ 5× | - | not measured"));
    }
}
