//! COLD: all that is measured of the wire: its targets, its section of a report, its plots.

use std::fmt::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use spinbook_feed::venue::binance;

use super::handover::{self, HandoverTable};
use super::table::{WireEffort, WireTable, measure as measure_wire};
use crate::percentiles::{PERCENTILES, hgrm};
use crate::plot;
use crate::report::number;
use crate::targets::Target;
use crate::threads;
use crate::workload::{CHAINS, Recording};

/// Ours over the floor at p50.
const RATIO_MAX: f64 = 1.15;
/// Places of the chains that are played.
const PLAYED: [usize; 2] = [0, 2];

/// Wire to wire, and a decision's way into the kernel.
#[derive(Clone, Debug, Default, Serialize)]
pub struct WireFigures {
    /// Both sides, a table a recording.
    pub wire: Vec<WireTable>,
    /// The handover alone, a table a product line.
    pub handover: Vec<HandoverTable>,
    /// What was skipped and why.
    pub skipped: Vec<String>,
}

/// Measures on one chain of files, or on the recorded chains of both product lines; `say` is told of progress.
#[must_use]
pub fn measure(files: &[PathBuf], quick: bool, say: &dyn Fn(&str)) -> WireFigures {
    let mut figures = WireFigures::default();
    let (effort, orders) = if quick { (WireEffort::QUICK, 2_000) } else { (WireEffort::FULL, 20_000) };
    for product in [binance::USDM, binance::SPOT] {
        say(&format!("decision to kernel, {}", product.name()));
        match threads::alone(|| handover::measure(product, orders)) {
            Ok(table) => figures.handover.push(table),
            Err(why) => figures.skipped.push(format!("decision to kernel, {}: {why}", product.name())),
        }
    }
    let mut play = |name: &str, recording: Result<Option<Recording>, String>| {
        say(&format!("wire to wire, {name}"));
        let measured = match recording {
            Ok(Some(recording)) => measure_wire(&recording, &effort),
            Ok(None) => Err("no recorded data".to_owned()),
            Err(why) => Err(why),
        };
        match measured {
            Ok(table) => figures.wire.push(table),
            Err(why) => figures.skipped.push(format!("wire to wire, {name}: {why}")),
        }
    };
    if let Some(first) = files.first() {
        let name = first.file_name().map_or("FILES".into(), |name| name.to_string_lossy().into_owned());
        play(&name, Recording::read(&name, files).map(Some));
    } else {
        PLAYED.into_iter().for_each(|place| play(CHAINS[place].0, Recording::chain(place)));
    }
    figures
}

impl WireFigures {
    /// Every row, met or not.
    #[must_use]
    pub fn targets(&self) -> Vec<Target> {
        let mut all: Vec<Target> = self.handover.iter().map(handover_target).collect();
        all.extend(self.wire.iter().map(wire_target));
        if self.wire.is_empty() {
            let why = self.skipped.first().map_or("left out", String::as_str);
            all.push(Target::at_most("wire to wire: p50 over the floor", RATIO_MAX, "x", None, why));
        }
        all
    }

    /// The section of a report; `plots` are all plots with what they show.
    ///
    /// # Errors
    /// The text takes no more.
    pub fn write_markdown(&self, out: &mut String, plots: &[(String, String)]) -> fmt::Result {
        if self.wire.is_empty() && self.handover.is_empty() {
            return Ok(());
        }
        writeln!(out, "\n## Decision to kernel: ns\n")?;
        writeln!(
            out,
            "One thread, one connection on loopback with TLS and WebSocket: an intent is pushed on the ring and popped, \
             the gateway checks, books, encodes and signs it, the frame is masked, sealed and written. The order is \
             read and refused, and the refusal taken, between two orders. The write is the system's: on loopback \
             it carries the bytes up to the receiver's socket.\n"
        )?;
        self.handover.iter().try_for_each(|table| table.write_markdown(out))?;
        writeln!(out, "\n## Wire to wire: ns\n")?;
        writeln!(out, "{}", Self::explanation())?;
        for table in &self.wire {
            table.write_markdown(out)?;
            let what = plot_name(table);
            for (_, path) in plots.iter().filter(|(of, _)| *of == what) {
                writeln!(out, "![Wire to wire, percentiles, {}]({path})\n", table.what)?;
            }
        }
        self.skipped.iter().try_for_each(|skipped| writeln!(out, "\nSkipped: {skipped}."))
    }

    fn explanation() -> String {
        let script = WireEffort::FULL.script;
        format!(
            "From when a market frame is due to leave the exchange side until its order's bytes have been read there, \
             over loopback with TLS 1.3 and WebSocket.\n\n\
             - **Frames**: recorded depth and best bid/ask frames, byte for byte, sealed ahead. Bursts keep their \
             recorded rhythm, pauses are cut to {} µs, and what is due together leaves in one write.\n\
             - **Schedule**: fixed beforehand. Each latency counts from when its frame was due, however late it left, \
             so nothing is omitted when a side falls behind; one picked frame at a time is under way, and the next \
             waits with its clock running. The rows \"from the actual sending\" show what a sender that waits would \
             see.\n\
             - **Orders**: each {}rd frame, if due {} µs or more after the last such one, must cause exactly one. The \
             reference strategy works at every frame, and its bid is let through for these, with a quantity that \
             names the frame. The exchange side refuses each order at once, as a venue refuses a post-only order. One \
             that is lost, doubled or of another frame ends the measurement.\n\
             - **Spinbook**: the real hot loop (socket, record layer, WebSocket, decoder, sequence, book, strategy, \
             quoter, risk), the ring, and the real gateway loop.\n\
             - **Floor**: the same threads, sockets, TLS, WebSocket and ring, read and polled alike; a picked frame is \
             only decrypted and its frame header read, and a fixed order is sent. Rounds alternate.\n\
             - **Cores**: the hot thread spins on one. On the other the exchange side and the gateway loop take turns \
             in one thread, spinning: with three spinning threads on two cores the scheduler would be measured. A \
             program that trades on two cores lets its gateway loop sleep up to 20 µs instead; with three or more it \
             spins, as here.\n",
            script.pause_ns_max / 1_000,
            script.pick_every,
            script.pick_apart_ns / 1_000,
        )
    }

    /// Writes each curve into `folder` as a `.hgrm` file, in ns.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write_histograms(&self, folder: &Path) -> Result<(), String> {
        std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        for (table, (side, curve)) in self.wire.iter().flat_map(|table| table.curves.iter().map(move |it| (table, it)))
        {
            let name = format!("wire {} {side}", table.what).replace(|c: char| !c.is_ascii_alphanumeric(), "_");
            let path = folder.join(format!("{name}.hgrm"));
            std::fs::write(&path, hgrm(curve)).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        Ok(())
    }

    /// Draws the curves into `folder`, which is `name` in the report; gives back what each shows and its path.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write_plots(&self, folder: &Path, name: &str) -> Result<Vec<(String, String)>, String> {
        let mut plots = Vec::new();
        for table in &self.wire {
            let file = format!("wire_{}.svg", table.what.replace(|c: char| !c.is_ascii_alphanumeric(), "_"));
            let path = folder.join(&file);
            let title = format!("Wire to wire, from when the frame was due, {}", table.what);
            let drawn = plot::svg(&title, &table.curves);
            std::fs::write(&path, drawn).map_err(|error| format!("{}: {error}", path.display()))?;
            plots.push((plot_name(table), format!("{name}/{file}")));
        }
        Ok(plots)
    }
}

fn plot_name(table: &WireTable) -> String {
    format!("wire to wire, {}", table.what)
}

fn handover_target(table: &HandoverTable) -> Target {
    let figure = |name: &str| {
        let step = table.steps.iter().find(|step| step.name.contains(name));
        step.map_or(String::new(), |step| format!("p50 {:.0} ns, p99 {:.0} ns", step.p50, step.p99))
    };
    let note = format!(
        "{} orders; decision until the write: {}; until the kernel has it: {}",
        table.orders,
        figure("until the write"),
        figure("until the kernel")
    );
    let what = format!("send, {}: allocations from a decision into the kernel", table.what);
    Target::at_most(what, 0.0, "", table.allocations.map(|calls| calls as f64), note)
}

fn wire_target(table: &WireTable) -> Target {
    let what = format!("wire to wire, {}: p50 over the floor", table.what);
    let mut note = String::new();
    if let [ours, floor] = &table.sides[..] {
        let rows = PERCENTILES.iter().zip(ours.ns.iter().zip(&floor.ns));
        let cell = |(percentile, (ours, floor)): (&f64, (&f64, &f64))| {
            format!("p{percentile} {}, {} ns", number(*ours), number(*floor))
        };
        note = rows.map(cell).collect::<Vec<_>>().join("; ");
        if let Some(why) = table.drowned() {
            write!(note, "; {why}").expect("a String takes any text");
        }
    }
    Target::at_most(what, RATIO_MAX, "x", Some(table.ratio_p50), note)
}
