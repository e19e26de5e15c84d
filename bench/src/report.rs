//! COLD: the figures of one run as BENCHMARKS.md and as plain text.

use std::fmt::{self, Write};
use std::io::Write as _;

use serde::Serialize;

use crate::contest::Time;
use crate::machine::{Machine, Noise};
use crate::measure::{DecodeTable, Figures, PathTable, RingTable};
use crate::receive::ReceiveTable;
use crate::report_books::{write_book, write_peer_books};
use crate::send::SendTable;
use crate::summary::{item, write_groups, write_summary};
use crate::targets::{Limit, Target};

/// Everything that one run has to say.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Where it ran.
    pub machine: Machine,
    /// What disturbed it.
    pub noise: Noise,
    /// What it measured.
    pub figures: Figures,
    /// How that stands to the targets.
    pub targets: Vec<Target>,
    /// The command that repeats it.
    pub command: String,
    /// Plots written beside the report: name of the recording and path from the report.
    pub plots: Vec<(String, String)>,
}

/// Prints to stdout. A reader that has seen enough (`| head`) is no fault.
pub fn print(text: &str) {
    let mut stdout = std::io::stdout().lock();
    if let Err(error) = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        eprintln!("stdout: {error}");
    }
}

/// A figure with as many digits as mean something, thousands apart.
#[must_use]
pub fn number(value: f64) -> String {
    match value {
        value if !value.is_finite() => "-".into(),
        value if value.abs() < 20.0 => format!("{value:.2}"),
        value if value.abs() < 100.0 => format!("{value:.1}"),
        value => {
            let digits = format!("{value:.0}");
            let mut grouped = String::new();
            for (place, digit) in digits.chars().enumerate() {
                if place > 0 && (digits.len() - place).is_multiple_of(3) && digit.is_ascii_digit() {
                    grouped.push(',');
                }
                grouped.push(digit);
            }
            grouped.replace("-,", "-")
        }
    }
}

/// A target as a table row: what, target, measured, verdict, note.
#[must_use]
pub fn target_row(target: &Target) -> [String; 5] {
    let sign = if target.limit == Limit::AtLeast { "≥" } else { "≤" };
    let unit = target.unit_text();
    let wanted = if target.measured.is_none() && target.target == 0.0 {
        "-".into()
    } else {
        format!("{sign} {}{}", target.target, unit)
    };
    let measured = target.measured.map_or("-".into(), |measured| format!("{}{}", number(measured), unit));
    let note = if target.measured.is_some() { target.note.clone() } else { String::new() };
    [target.what.clone(), wanted, measured, target.verdict(), note]
}

/// How many targets are met, missed and not measured.
#[must_use]
pub fn tally(targets: &[Target]) -> (usize, usize, usize) {
    let count = |wanted: Option<bool>| targets.iter().filter(|target| target.is_met() == wanted).count();
    (count(Some(true)), count(Some(false)), count(None))
}

impl Report {
    /// The targets as lines for a terminal.
    #[must_use]
    pub fn text(&self) -> String {
        let rows: Vec<[String; 5]> = self.targets.iter().map(target_row).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..4).map(width).collect();
        let mut text = String::new();
        let mut last = "";
        for row in &rows {
            if item(&row[0]) != last {
                last = item(&row[0]);
                text.push_str(if text.is_empty() { "" } else { "\n" });
            }
            let cells: Vec<String> = (0..4).map(|column| format!("{:1$}", row[column], widths[column])).collect();
            text.push_str(format!("{}  {}", cells.join("  "), row[4]).trim_end());
            text.push('\n');
        }
        let (met, missed, unmeasured) = tally(&self.targets);
        text.push_str(&format!("\n{met} met, {missed} missed, {unmeasured} not measured\n"));
        self.figures.skipped.iter().for_each(|skipped| text.push_str(&format!("skipped: {skipped}\n")));
        text
    }

    /// The whole of BENCHMARKS.md.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        self.write_markdown(&mut out).expect("a String takes any text");
        out
    }

    fn write_markdown(&self, out: &mut String) -> fmt::Result {
        self.write_head(out)?;
        writeln!(out, "\n## Every target")?;
        write_groups(out, &self.targets)?;
        writeln!(out, "\n## Decode: ns a frame\n")?;
        write_decode(out, &self.figures.decode)?;
        if !self.figures.decode_native.is_empty() {
            writeln!(
                out,
                "\nThe same contest in the peers' own build (`bench/peers`: compiled for this processor, link-time \
                 optimisation, no overflow checks), which sonic-rs needs for its vector code:\n"
            )?;
            write_decode(out, &self.figures.decode_native)?;
        }
        writeln!(out, "\n## Book: ns a changed level\n")?;
        write_book(out, &self.figures.book)?;
        write_peer_books(out, &self.figures.book_native)?;
        writeln!(out, "\n## Frame to order: ns\n")?;
        writeln!(
            out,
            "From a frame in a padded buffer until the engine has decided and its intents lie on the rings: decode, \
             sequence rule, book, strategy, quoter, risk. Two stamps around each frame, their cost included. All \
             pipelines end in the same engine and must decide the same; the plain ones push on our ring, too. \
             Percentiles are medians of the rounds; mean and fit take each frame by its median round.\n"
        )?;
        for table in &self.figures.path {
            write_path(out, table)?;
            for (_, path) in self.plots.iter().filter(|(what, _)| *what == table.what) {
                writeln!(out, "![Frame to order, percentiles, {}]({path})\n", table.what)?;
            }
        }
        if let Some(ring) = &self.figures.ring {
            write_ring(out, ring, "")?;
        }
        if let Some(ring) = &self.figures.ring_native {
            write_ring(out, ring, ", the peers' own build")?;
        }
        write_receive(out, &self.figures.receive)?;
        write_send(out, &self.figures.send)?;
        self.figures.wire.write_markdown(out, &self.plots)?;
        for skipped in &self.figures.skipped {
            writeln!(out, "\nSkipped: {skipped}.")?;
        }
        Ok(())
    }

    /// What it is, the ratios that matter, and how they were measured.
    fn write_head(&self, out: &mut String) -> fmt::Result {
        let (met, missed, unmeasured) = tally(&self.targets);
        writeln!(
            out,
            "# Benchmarks\n\nGenerated from one run by `{}`; do not edit. Times depend on the machine: read the \
             ratios. In each contest all contenders do the same work on the same bytes, give the same results \
             (checked first), and take turns within one process, so that noise meets all alike.\n\n## At a \
             glance\n\nOf {} targets {met} are met, {missed} missed, {unmeasured} not measured. Each line is one \
             kind of ratio over all its inputs.\n",
            self.command,
            self.targets.len()
        )?;
        write_summary(out, &self.targets)?;
        if let Some((what, path)) = self.plots.first() {
            writeln!(out, "\n![Frame to order, percentiles, {what}]({path})")?;
        }
        self.write_machine(out)
    }

    fn write_machine(&self, out: &mut String) -> fmt::Result {
        let Machine { processor, cores, system, avx2, governor, clock, commit, compiler, flags, date } = &self.machine;
        let noise = &self.noise;
        let spread = self.spread_median() * 100.0;
        writeln!(
            out,
            "\n## Machine, build, noise\n\n| | |\n|---|---|\n| processor | {processor}, {cores} cores, AVX2 {} \
             |\n| system | {system}, governor {governor} |\n| clock | {clock} |\n| commit | {commit} |\n| compiler \
             | {compiler} |\n| build | {flags} |\n| date | {date} |\n| noise | rounds of a row differ by \
             ±{spread:.1} % (median of all rows); {} involuntary switches of the measuring thread in {:.0} s, load \
             {:.1}, {:.1} % stolen |",
            if *avx2 { "yes" } else { "no" },
            noise.switches_involuntary,
            noise.seconds,
            noise.load,
            noise.stolen_percent,
        )
    }

    /// The median over all rows of how far a row's rounds lie apart.
    #[must_use]
    pub fn spread_median(&self) -> f64 {
        let figures = &self.figures;
        let mut spreads: Vec<f64> =
            figures.decode.iter().flat_map(|table| &table.times).map(|time| time.spread).collect();
        spreads.extend(figures.book.iter().flat_map(|table| &table.times).map(|time| time.spread));
        let rows = figures.path.iter().flat_map(|table| &table.classes).flat_map(|class| &class.rows);
        spreads.extend(rows.map(|row| row.spread));
        crate::contest::median_and_spread(&mut spreads).0
    }
}

/// A time with the spread of its rounds.
#[must_use]
pub fn cell(time: &Time) -> String {
    format!("{} ±{:.1} %", number(time.ns), time.spread * 100.0)
}

fn write_decode(out: &mut String, tables: &[DecodeTable]) -> fmt::Result {
    let Some(first) = tables.first() else {
        return writeln!(out, "Not measured.");
    };
    let names: Vec<&str> = first.times.iter().map(|time| time.name.as_str()).collect();
    writeln!(out, "| frames | mean bytes | {} | best peer / best scanner | best peer / portable |", names.join(" | "))?;
    writeln!(out, "|---|---|{}---|---|", "---|".repeat(names.len()))?;
    for table in tables {
        let cells: Vec<String> = table.times.iter().map(cell).collect();
        let ratio = |scanner| table.ratio(scanner).map_or("-".into(), |ratio| format!("{ratio:.2}×"));
        writeln!(
            out,
            "| {} ({}) | {} | {} | {} | {} |",
            table.what,
            table.frames,
            table.bytes_mean,
            cells.join(" | "),
            ratio(0),
            ratio(1)
        )?;
    }
    Ok(())
}

fn write_path(out: &mut String, table: &PathTable) -> fmt::Result {
    for class in &table.classes {
        writeln!(out, "**{}, {}** ({})\n", table.what, class.what, number(class.frames as f64))?;
        writeln!(out, "| pipeline | p50 | p90 | p99 | p99.9 | p99.99 | mean | fixed part + a level |")?;
        writeln!(out, "|---|---|---|---|---|---|---|---|")?;
        for row in &class.rows {
            let line = row.line.map_or("-".into(), |line| format!("{:.0} + {:.2} n", line.intercept, line.slope));
            let cells: Vec<String> = row.ns.iter().map(|&ns| number(ns)).collect();
            writeln!(out, "| {} | {} | {} | {line} |", row.name, cells.join(" | "), number(row.mean_ns))?;
        }
        writeln!(out)?;
    }
    if let Some(calls) = table.allocations {
        writeln!(
            out,
            "Calls to the allocator by our path over the whole recording, once its book is live: {calls}.\n"
        )?;
    }
    Ok(())
}

fn write_ring(out: &mut String, ring: &RingTable, build: &str) -> fmt::Result {
    writeln!(out, "\n## Ring: 80-byte intents between two threads, {} cores{build}\n", ring.cores)?;
    writeln!(out, "| ring | one way, ns | flat out, ns a message |\n|---|---|---|")?;
    for (one_way, stream) in ring.one_way.iter().zip(&ring.stream) {
        writeln!(out, "| {} | {} | {} |", one_way.name, cell(one_way), cell(stream))?;
    }
    writeln!(
        out,
        "\nOne way is half a round trip through two rings; the median of blocks of 50 round trips. Flat out: the \
         median of blocks of 1,000 messages."
    )
}

/// Receiving: the bare cipher, ours, our record layer alone, then the peers by buffer size.
fn write_receive(out: &mut String, tables: &[ReceiveTable]) -> fmt::Result {
    if tables.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n## Receive: TLS 1.3 and WebSocket, in memory, ns a message\n")?;
    writeln!(out, "| layout | who | ns | over the bare cipher |\n|---|---|---|---|")?;
    for table in tables {
        let bare = table.times.first().map_or(f64::NAN, |time| time.ns);
        for time in &table.times {
            writeln!(out, "| {} | {} | {:.0} | {:.2} |", table.layout.name, time.name, time.ns, time.ns / bare)?;
        }
    }
    Ok(())
}

/// Sending, step by step: the yardstick first.
fn write_send(out: &mut String, tables: &[SendTable]) -> fmt::Result {
    if tables.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n## Send: ns a step\n\n| step | who | ns |\n|---|---|---|")?;
    for table in tables {
        for time in &table.times {
            writeln!(out, "| {} | {} | {:.0} |", table.what, time.name, time.ns)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_are_grouped_and_rounded() {
        assert_eq!(number(1_234_567.0), "1,234,567");
        assert_eq!(number(999.6), "1,000");
        assert_eq!(number(3.456), "3.46");
        assert_eq!(number(45.67), "45.7");
        assert_eq!(number(f64::NAN), "-");
    }
}
