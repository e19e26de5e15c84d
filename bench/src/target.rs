//! COLD: one ratio or time beside its target, and the verdict.

use serde::Serialize;

use crate::text::format_figure;

/// Which side of the limit is good, and the limit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// The figure must be this large.
    AtLeast(f64),
    /// The figure must be this small.
    AtMost(f64),
}

/// One target on one input.
#[derive(Clone, Debug, Serialize)]
pub struct Target {
    /// The stage that is measured: `decode`, `book`.
    pub stage: &'static str,
    /// What it is measured on; empty where there is one input only.
    pub input: String,
    /// What it is held to: rows with the same stage and yardstick are one family.
    pub yardstick: String,
    /// The limit.
    pub limit: Limit,
    /// `×`, ` ns` or nothing, as it stands behind a figure.
    pub unit: &'static str,
    /// The figure; none if it was not measured.
    pub measured: Option<f64>,
    /// Where the figure comes from, or why there is none.
    pub note: String,
}

impl Target {
    /// Whether it is met; none if it was not measured.
    #[must_use]
    pub fn is_met(&self) -> Option<bool> {
        let measured = self.measured?;
        Some(match self.limit {
            Limit::AtLeast(limit) => measured >= limit,
            Limit::AtMost(limit) => measured <= limit,
        })
    }

    /// The input and what it is held to.
    #[must_use]
    pub fn what(&self) -> String {
        if self.input.is_empty() { self.yardstick.clone() } else { format!("{}: {}", self.input, self.yardstick) }
    }

    /// The limit as printed.
    #[must_use]
    pub fn limit_text(&self) -> String {
        let (sign, limit) = match self.limit {
            Limit::AtLeast(limit) => ("≥", limit),
            Limit::AtMost(limit) => ("≤", limit),
        };
        format!("{sign} {limit}{}", self.unit)
    }

    /// The figure as printed; `-` if it was not measured.
    #[must_use]
    pub fn measured_text(&self) -> String {
        self.measured.map_or("-".into(), |measured| format!("{}{}", format_figure(measured), self.unit))
    }

    /// By how much it is missed, in words; none if it is met or was not measured.
    #[must_use]
    pub fn missed_by(&self) -> Option<String> {
        let measured = self.measured.filter(|_| self.is_met() == Some(false))?;
        let (Limit::AtLeast(limit) | Limit::AtMost(limit)) = self.limit;
        let percent = (measured / limit - 1.0).abs() * 100.0;
        Some(match percent {
            _ if limit == 0.0 => format!("by {measured:.0}"),
            percent if percent < 10.0 => format!("by {percent:.1} %"),
            percent => format!("by {percent:.0} %"),
        })
    }

    /// The verdict in words: met, or missed by how much, or why it was not measured.
    #[must_use]
    pub fn verdict(&self) -> String {
        match (self.measured, self.missed_by()) {
            (None, _) => format!("not measured: {}", self.note),
            (Some(_), None) => "met".into(),
            (Some(_), Some(by)) => format!("missed {by}"),
        }
    }
}

/// How many targets are met, missed and not measured.
#[must_use]
pub fn tally(targets: &[Target]) -> (usize, usize, usize) {
    let count = |wanted: Option<bool>| targets.iter().filter(|target| target.is_met() == wanted).count();
    (count(Some(true)), count(Some(false)), count(None))
}

/// Rows that hold the same thing to the same target, on different inputs.
#[derive(Clone, Debug)]
pub struct Family<'a>(Vec<&'a Target>);

/// The families in the order of their first rows.
#[must_use]
pub fn families(targets: &[Target]) -> Vec<Family<'_>> {
    let mut all: Vec<Family<'_>> = Vec::new();
    for target in targets {
        let is_its = |Family(rows): &&mut Family<'_>| {
            (rows[0].stage, rows[0].yardstick.as_str()) == (target.stage, target.yardstick.as_str())
        };
        match all.iter_mut().find(is_its) {
            Some(Family(rows)) => rows.push(target),
            None => all.push(Family(vec![target])),
        }
    }
    all
}

impl<'a> Family<'a> {
    /// Its first row: the stage, yardstick and limit of all.
    #[must_use]
    pub fn first(&self) -> &'a Target {
        self.0[0]
    }

    /// Its measured rows, the one that misses by most first.
    fn measured(&self) -> Vec<(&'a Target, f64)> {
        let mut rows: Vec<_> = self.0.iter().filter_map(|row| Some((*row, row.measured?))).collect();
        rows.sort_by(|one, other| {
            let order = one.1.total_cmp(&other.1);
            if matches!(self.first().limit, Limit::AtLeast(_)) { order } else { order.reverse() }
        });
        rows
    }

    /// The worst and the best figure.
    #[must_use]
    pub fn range_text(&self) -> String {
        let measured = self.measured();
        let [(worst, from), .., (_, to)] = measured[..] else {
            return measured.first().map_or("-".into(), |(alone, _)| alone.measured_text());
        };
        let (from, to) = (format_figure(from), format_figure(to));
        if from == to { worst.measured_text() } else { format!("{from} to {to}{}", worst.unit) }
    }

    /// The verdict on all rows in words.
    #[must_use]
    pub fn verdict(&self) -> String {
        let measured = self.measured();
        let Some((worst, _)) = measured.first() else { return self.first().verdict() };
        let missed = measured.iter().filter(|(row, _)| row.is_met() == Some(false)).count();
        let verdict = match (missed, measured.len(), worst.missed_by()) {
            (_, 1, _) => worst.verdict(),
            (0, 2, _) => "both met".into(),
            (missed, count, Some(by)) => format!("{missed} of {count} missed, at most {by}"),
            (_, count, None) => format!("all {count} met"),
        };
        let lacking = self.0.len() - measured.len();
        if lacking == 0 { verdict } else { format!("{verdict}, {lacking} not measured") }
    }
}

#[cfg(test)]
mod tests {
    use super::{Limit, Target, families, tally};

    fn target(stage: &'static str, input: &str, yardstick: &str, limit: Limit, measured: Option<f64>) -> Target {
        let (input, yardstick) = (input.to_owned(), yardstick.to_owned());
        Target { stage, input, yardstick, limit, unit: "×", measured, note: "no data".into() }
    }

    #[test]
    fn a_verdict_says_by_how_much() {
        let verdict = |limit, measured| target("book", "", "", limit, measured).verdict();
        assert_eq!(verdict(Limit::AtLeast(5.0), Some(5.1)), "met");
        assert_eq!(verdict(Limit::AtLeast(5.0), Some(4.0)), "missed by 20 %");
        assert_eq!(verdict(Limit::AtMost(120.0), Some(150.0)), "missed by 25 %");
        assert_eq!(verdict(Limit::AtMost(0.0), Some(3.0)), "missed by 3");
        assert_eq!(verdict(Limit::AtMost(7.0), None), "not measured: no data");
    }

    #[test]
    fn rows_of_one_yardstick_are_one_family_with_the_worst_first() {
        let (least, most) = (Limit::AtLeast(5.0), Limit::AtMost(5.0));
        let rows = [
            target("decode", "perp, 2 levels", "over the best peer", least, Some(6.5)),
            target("decode", "spot", "over the best peer", least, Some(4.0)),
            target("book", "perp", "over a bare store", most, Some(4.0)),
            target("book", "spot", "over a bare store", most, Some(3.0)),
            target("book", "perp", "over a map", least, None),
            target("send", "", "HMAC of 200 B", most, Some(1.0)),
        ];
        let said: Vec<_> = families(&rows).iter().map(|family| (family.range_text(), family.verdict())).collect();
        let expected = [
            ("4.00 to 6.50×", "1 of 2 missed, at most by 20 %"),
            ("4.00 to 3.00×", "both met"),
            ("-", "not measured: no data"),
            ("1.00×", "met"),
        ];
        assert_eq!(said, expected.map(|(range, verdict)| (range.to_owned(), verdict.to_owned())));
        assert_eq!(tally(&rows), (4, 1, 1));
        assert_eq!(
            (rows[0].what().as_str(), rows[5].what().as_str()),
            ("perp, 2 levels: over the best peer", "HMAC of 200 B")
        );
    }
}
