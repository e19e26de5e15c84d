//! COLD: measures every ratio, prints each beside its target, and writes BENCHMARKS.md on request.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use spinbook_bench::alloc::CountingAllocator;
use spinbook_bench::inputs::{InputArgs, SampleCount};
use spinbook_bench::machine::{MachineFacts, Noise, NoiseMeter};
use spinbook_bench::measure::{
    Figures, PeerFigures, book_table, decode_recorded, decode_synthetic, path_outcome, path_table, ring_table,
};
use spinbook_bench::percentiles::{Class, plot};
use spinbook_bench::pipeline::Outcome;
use spinbook_bench::report::{PlotPath, Report};
use spinbook_bench::targets::targets;
use spinbook_bench::text::{print, write_file};
use spinbook_bench::{paced, peers, receive, ring, risk_chain, send, threads, wire};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Measures every ratio and prints each beside its target. What does not need a recording is measured in any case.
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    inputs: InputArgs,
    /// Prints the whole report as one JSON object.
    #[arg(long)]
    json: bool,
    /// Writes the report as Markdown to this file, and its plots to bench/plots beside it.
    #[arg(long, value_name = "BENCHMARKS.md")]
    write: Option<PathBuf>,
    /// Leaves out bench/peers (other people's books, sonic-rs, rtrb), which takes minutes to build the first time and
    /// then needs a network.
    #[arg(long)]
    no_peers: bool,
}

/// Frame-to-order times by recording.
type Outcomes = Vec<(String, Outcome)>;

/// Progress, on stderr, where it does not meet the report.
fn say(what: &str) {
    eprintln!("measuring {what}");
}

/// Figures and outcomes of everything that one thread measures.
fn measure_alone(inputs: &InputArgs, samples: SampleCount) -> Result<(Figures, Outcomes), String> {
    let none = |_: &_| Vec::new();
    let (mut figures, mut outcomes) = (Figures::default(), Vec::new());
    say("decode, synthetic sizes");
    figures.decode = decode_synthetic(samples, &none)?;
    let recordings = inputs.recordings(&mut |name| figures.skipped.push(format!("{name}: no recorded data")))?;
    for recording in &recordings {
        say(&format!("decode, {}", recording.name));
        figures.decode.extend(decode_recorded(recording, samples, &none)?);
        say(&format!("book, {}", recording.name));
        match book_table(recording, samples) {
            Ok(table) => figures.book.push(table),
            Err(why) => figures.skipped.push(format!("book, {}: {why}", recording.name)),
        }
        say(&format!("frame to order, {}", recording.name));
        match path_outcome(recording, samples) {
            Ok(outcome) => {
                figures.path.push(path_table(recording, &outcome));
                outcomes.push((recording.name.clone(), outcome));
            }
            Err(why) => figures.skipped.push(format!("frame to order, {why}")),
        }
        say(&format!("risk chain, {}", recording.name));
        match risk_chain::measure(recording, samples.step_rounds) {
            Ok(table) => figures.risk.push(table),
            Err(why) => figures.skipped.push(format!("risk chain, {}: {why}", recording.name)),
        }
    }
    let rounds = samples.step_rounds;
    say("receive");
    figures.receive = receive::LAYOUTS.into_iter().map(|layout| receive::measure(layout, rounds)).collect();
    say("send");
    figures.send = send::steps().into_iter().map(|(what, steps)| send::measure(what, steps, rounds)).collect();
    Ok((figures, outcomes))
}

fn measure(args: &Args) -> Result<(Figures, Outcomes, Noise), String> {
    let samples = args.inputs.samples();
    let (measured, noise) = threads::alone(|| {
        let meter = NoiseMeter::start();
        let measured = measure_alone(&args.inputs, samples);
        (measured, meter.stop())
    });
    let (mut figures, outcomes) = measured?;
    say("rings");
    if threads::cores().len() >= 2 {
        figures.ring = Some(ring_table(&ring::RingKind::usual(), samples));
    } else {
        figures.skipped.push("ring: it takes two cores".into());
    }
    figures.paced = paced::figures(&args.inputs, samples.paced, &say);
    figures.wire = wire::figures::measure(&args.inputs, &say);
    let peers = if args.no_peers { Err("left out by --no-peers".into()) } else { peers(&args.inputs) };
    match peers {
        Ok(peers) => {
            (figures.decode_native, figures.book_native, figures.ring_native) = (peers.decode, peers.book, peers.ring);
        }
        Err(why) => {
            figures.skipped.push(format!("other people's books, sonic-rs among the decoders, rtrb: {why}"));
            figures.peers_missing = Some(why);
        }
    }
    Ok((figures, outcomes, noise))
}

/// What bench/peers measures. Its first build takes minutes: what the compiler does is told meanwhile.
fn peers(inputs: &InputArgs) -> Result<PeerFigures, String> {
    let folder = peers::folder();
    say("bench/peers, which is built first: minutes the first time, the last crate alone takes one");
    peers::build(&folder, &mut |line| eprintln!("  {}", line.trim()))?;
    say("bench/peers");
    peers::run(&folder, &inputs.files, inputs.quick)
}

/// Where a report's plots lie, as seen from the report.
const PLOTS: &str = "bench/plots";

/// The path of a plot as the report shows it.
fn shown(recording: &str, written: &Path) -> PlotPath {
    let file = written.file_name().unwrap_or_default().to_string_lossy();
    (recording.to_owned(), format!("{PLOTS}/{file}"))
}

fn run(args: &Args) -> Result<(), String> {
    let (figures, outcomes, noise) = measure(args)?;
    let (mut plots, mut wire_plots) = (Vec::new(), Vec::new());
    if let Some(file) = &args.write {
        let folder = file.parent().unwrap_or(Path::new("")).join(PLOTS);
        for (name, outcome) in &outcomes {
            if let Some(plot) = plot(name, outcome, Class::Depth) {
                plots.push(shown(name, &plot.write(&folder, &["frame_to_order", name])?));
            }
        }
        for table in &figures.wire.wire {
            wire_plots.push(shown(&table.what, &table.plot().write(&folder, &["wire", &table.what])?));
        }
    }
    let report = Report {
        machine: MachineFacts::here(),
        noise,
        targets: targets(&figures),
        figures,
        command: "cargo run --release -p spinbook-bench --bin targets -- --write BENCHMARKS.md".into(),
        plots,
        wire_plots,
    };
    if let Some(file) = &args.write {
        write_file(Path::new(""), &file.to_string_lossy(), &report.document().markdown())?;
    }
    if args.json {
        print(&format!("{}\n", serde_json::to_string(&report).map_err(|error| error.to_string())?));
    } else {
        print(&report.text());
    }
    Ok(())
}

fn main() -> ExitCode {
    spinbook_bench::text::exit_code(run(&Args::parse()))
}
