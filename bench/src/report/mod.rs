//! COLD: the figures of one run as a document: BENCHMARKS.md, and the targets for a terminal.

mod contests;
mod paced;
mod wire;

use serde::Serialize;

use crate::contest::Time;
use crate::document::{Document, ReportTable};
use crate::machine::{MachineFacts, Noise};
use crate::measure::Figures;
use crate::target::{Target, families, tally};
use crate::text::capitalised;

pub use paced::section as paced_section;
pub use wire::section as wire_section;

/// A plot that was written beside the report: the recording, and its path from the report.
pub type PlotPath = (String, String);

/// Everything that one run has to say.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Where it ran.
    pub machine: MachineFacts,
    /// What disturbed it.
    pub noise: Noise,
    /// What it measured.
    pub figures: Figures,
    /// How that stands to the targets.
    pub targets: Vec<Target>,
    /// The command that repeats it.
    pub command: String,
    /// Plots of frame to order.
    pub plots: Vec<PlotPath>,
    /// Plots of the wire.
    pub wire_plots: Vec<PlotPath>,
}

impl Report {
    /// The targets, for a terminal.
    #[must_use]
    pub fn text(&self) -> String {
        let mut table = ReportTable::new(["what", "target", "measured", "verdict", "ours, theirs"]);
        let mut last = "";
        for target in &self.targets {
            if target.stage != last && !last.is_empty() {
                table.row(Vec::<String>::new());
            }
            last = target.stage;
            let [what, limit, measured, verdict, note] = cells(target);
            let joint = if target.input.is_empty() { ": " } else { ", " };
            table.row([format!("{}{joint}{what}", target.stage), limit, measured, verdict, note]);
        }
        let (met, missed, unmeasured) = tally(&self.targets);
        let mut document = Document::default();
        document.table(table);
        document.text(format!("{met} met, {missed} missed, {unmeasured} not measured"));
        self.skipped().for_each(|skipped| document.text(format!("skipped: {skipped}")));
        document.terminal()
    }

    fn skipped(&self) -> impl Iterator<Item = &String> {
        let figures = &self.figures;
        figures.wire.skipped.iter().chain(&figures.paced.skipped).chain(&figures.skipped)
    }

    /// The whole of BENCHMARKS.md.
    #[must_use]
    pub fn document(&self) -> Document {
        let mut out = Document::default();
        self.glance(&mut out);
        self.machine(&mut out);
        self.every_target(&mut out);
        contests::section(&mut out, &self.figures, &self.plots);
        paced::section(&mut out, &self.figures.paced.tables);
        wire::section(&mut out, &self.figures.wire, &self.wire_plots);
        self.skipped().for_each(|skipped| out.text(format!("Skipped: {skipped}.")));
        out
    }

    /// What it is, and the ratios that matter, one line a family.
    fn glance(&self, out: &mut Document) {
        let (met, missed, unmeasured) = tally(&self.targets);
        out.heading(1, "Benchmarks");
        out.text(format!(
            "Generated from one run by `{}`; do not edit. Times depend on the machine: read the ratios. In each contest \
             all contenders do the same work on the same bytes, give the same results (checked first), and take turns \
             within one process, so that noise meets all alike.",
            self.command
        ));
        out.heading(2, "At a glance");
        out.text(format!(
            "Of {} targets {met} are met, {missed} missed, {unmeasured} not measured. Each line is one kind of ratio \
             over all its inputs.",
            self.targets.len()
        ));
        let mut table = ReportTable::new(["what", "target", "measured: worst to best", "verdict"]);
        for family in families(&self.targets).iter().filter(|family| family.first().unit == "×") {
            let first = family.first();
            let what = format!("{}: {}", capitalised(first.stage), first.yardstick);
            table.row([what, first.limit_text(), family.range_text(), family.verdict()]);
        }
        out.table(table);
        if let Some((what, path)) = self.plots.first() {
            out.plot(format!("Frame to order, percentiles, {what}"), path);
        }
    }

    fn machine(&self, out: &mut Document) {
        let MachineFacts { processor, cores, system, avx2, governor, clock, commit, compiler, flags, date } =
            &self.machine;
        let Noise { switches_involuntary, load, seconds, stolen_percent } = self.noise;
        let avx2 = if *avx2 { "yes" } else { "no" };
        let noise = format!(
            "rounds of a row differ by ±{:.1} % (median of all rows); {switches_involuntary} involuntary switches of the \
             measuring thread in {seconds:.0} s, load {load:.1}, {stolen_percent:.1} % stolen",
            self.spread_median() * 100.0
        );
        let mut table = ReportTable::new(["", ""]);
        table.row(["processor", &format!("{processor}, {cores} cores, AVX2 {avx2}")]);
        table.row(["system", &format!("{system}, governor {governor}")]);
        for (what, text) in [("clock", clock), ("commit", commit), ("compiler", compiler), ("build", flags)] {
            table.row([what, text]);
        }
        table.row(["date", date]);
        table.row(["noise", &noise]);
        out.heading(2, "Machine, build, noise");
        out.table(table);
    }

    /// The median over all rows of how far a row's rounds lie apart, as a share.
    fn spread_median(&self) -> f64 {
        let figures = &self.figures;
        let decode = figures.decode.iter().flat_map(|table| &table.times);
        let book = figures.book.iter().flat_map(|table| &table.times);
        let rows = figures.path.iter().flat_map(|table| &table.classes).flat_map(|class| &class.rows);
        let spreads = decode.chain(book).map(|time| time.spread).chain(rows.map(|row| row.spread));
        Time::of("", spreads.collect()).ns
    }

    /// All rows, a table a stage.
    fn every_target(&self, out: &mut Document) {
        out.heading(2, "Every target");
        let mut stages: Vec<&str> = Vec::new();
        for target in &self.targets {
            if !stages.contains(&target.stage) {
                stages.push(target.stage);
            }
        }
        for stage in stages {
            let mut table = ReportTable::new(["what", "target", "measured", "verdict", "ours, theirs"]);
            self.targets.iter().filter(|target| target.stage == stage).for_each(|target| table.row(cells(target)));
            out.heading(3, capitalised(stage));
            out.table(table);
        }
    }
}

/// What, target, measured, verdict, note; why there is no figure is part of the verdict.
fn cells(target: &Target) -> [String; 5] {
    let note = if target.measured.is_some() { target.note.clone() } else { String::new() };
    [target.what(), target.limit_text(), target.measured_text(), target.verdict(), note]
}
