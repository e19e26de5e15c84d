//! COLD: measures every ratio, prints each beside its target, and writes BENCHMARKS.md on request.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use spinbook_bench::alloc::CountingAllocator;
use spinbook_bench::command;
use spinbook_bench::machine::{Machine, Noise, NoiseMeter};
use spinbook_bench::measure::{
    Effort, Figures, PeerFigures, book_table, decode_recorded, decode_synthetic, path_outcome, path_table, ring_table,
};
use spinbook_bench::percentiles::{Class, histogram_of};
use spinbook_bench::pipeline::Outcome;
use spinbook_bench::plot::Plot;
use spinbook_bench::receive;
use spinbook_bench::report::{self, Report};
use spinbook_bench::send;
use spinbook_bench::targets::targets;
use spinbook_bench::wire::{self, figures::WireFigures};
use spinbook_bench::workload::{CHAINS, Recording};
use spinbook_bench::{peers, ring, threads};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const HELP: &str = "usage: targets [FILES...] [--json] [--write BENCHMARKS.md] [--quick] [--no-peers]

Measures every ratio and prints each beside its target.

  FILES     one chain of recordings to measure on, instead of the recorded Binance chains; what does not need a
            recording is measured all the same
  --json    prints the whole report as one JSON object
  --write   writes the report as Markdown to this file, and its plots to bench/plots beside it
  --quick   few rounds: shows that everything runs, its figures are rough
  --no-peers  leaves out bench/peers (other people's books, sonic-rs, rtrb), which takes minutes to build
              the first time and then needs a network";

/// Frame-to-order times by recording.
type Outcomes = Vec<(String, Outcome)>;

#[derive(Default)]
struct Arguments {
    files: Vec<PathBuf>,
    json: bool,
    quick: bool,
    no_peers: bool,
    write: Option<PathBuf>,
}

fn arguments() -> Result<Option<Arguments>, String> {
    let mut parsed = Arguments::default();
    let mut given = std::env::args().skip(1);
    while let Some(argument) = given.next() {
        match argument.as_str() {
            "--json" => parsed.json = true,
            "--quick" => parsed.quick = true,
            "--no-peers" => parsed.no_peers = true,
            "--write" => {
                let file = given.next().ok_or("--write needs the name of a file")?;
                parsed.write = Some(PathBuf::from(file));
            }
            "--help" | "-h" => return Ok(None),
            flag if flag.starts_with('-') => return Err(format!("unknown option {flag}")),
            file => parsed.files.push(PathBuf::from(file)),
        }
    }
    Ok(Some(parsed))
}

fn recordings(files: &[PathBuf], skipped: &mut Vec<String>) -> Result<Vec<Recording>, String> {
    if !files.is_empty() {
        let name = files[0].file_name().map_or("FILES".into(), |name| name.to_string_lossy().into_owned());
        return Recording::read(&name, files).map(|recording| vec![recording]);
    }
    let mut found = Vec::new();
    for (place, (name, _)) in CHAINS.iter().enumerate() {
        match Recording::chain(place)? {
            Some(recording) => found.push(recording),
            None => skipped.push(format!("{name}: no recorded data")),
        }
    }
    Ok(found)
}

/// Progress, on stderr, where it does not meet the report.
fn say(what: &str) {
    eprintln!("measuring {what}");
}

/// Figures and outcomes of everything that one thread measures.
fn measure_alone(arguments: &Arguments, effort: Effort) -> Result<(Figures, Outcomes), String> {
    let none = |_: &_| Vec::new();
    let mut figures = Figures::default();
    let mut outcomes = Vec::new();
    say("decode, synthetic sizes");
    figures.decode = decode_synthetic(effort, &none)?;
    let recordings = recordings(&arguments.files, &mut figures.skipped)?;
    for recording in &recordings {
        say(&format!("decode, {}", recording.name));
        figures.decode.extend(decode_recorded(recording, effort, &none)?);
        say(&format!("book, {}", recording.name));
        match book_table(recording, effort) {
            Ok(table) => figures.book.push(table),
            Err(why) => figures.skipped.push(format!("book, {}: {why}", recording.name)),
        }
        say(&format!("frame to order, {}", recording.name));
        match path_outcome(recording, effort) {
            Ok(outcome) => {
                figures.path.push(path_table(recording, &outcome));
                outcomes.push((recording.name.clone(), outcome));
            }
            Err(why) => figures.skipped.push(format!("frame to order, {why}")),
        }
    }
    let rounds = if arguments.quick { 9 } else { 101 };
    say("receive");
    figures.receive = receive::LAYOUTS.into_iter().map(|layout| receive::measure(layout, rounds)).collect();
    say("send");
    figures.send = send::tables(rounds);
    Ok((figures, outcomes))
}

fn measure(arguments: &Arguments) -> Result<(Figures, Outcomes, Noise), String> {
    let effort = if arguments.quick { Effort::QUICK } else { Effort::FULL };
    let (measured, noise) = threads::alone(|| {
        let meter = NoiseMeter::start();
        let measured = measure_alone(arguments, effort);
        (measured, meter.stop())
    });
    let (mut figures, outcomes) = measured?;
    say("rings");
    if threads::cores().len() >= 2 {
        figures.ring = Some(ring_table(&ring::Kind::usual(), effort));
    } else {
        figures.skipped.push("ring: it takes two cores".into());
    }
    figures.wire = wire::figures::measure(&arguments.files, arguments.quick, &say);
    let peers = if arguments.no_peers { Err("left out by --no-peers".into()) } else { peers(arguments) };
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
fn peers(arguments: &Arguments) -> Result<PeerFigures, String> {
    let folder = peers::folder();
    say("bench/peers, which is built first: minutes the first time, the last crate alone takes one");
    peers::build(&folder, &mut |line| eprintln!("  {}", line.trim()))?;
    say("bench/peers");
    peers::run(&folder, &arguments.files, arguments.quick)
}

/// One plot a recording, in `bench/plots` beside the report.
fn write_plots(
    report: &Path,
    outcomes: &[(String, Outcome)],
    wire: &WireFigures,
) -> Result<Vec<(String, String)>, String> {
    let folder = report.parent().unwrap_or(Path::new("")).join("bench/plots");
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut plots = Vec::new();
    for (name, outcome) in outcomes {
        let frames = Class::Depth.frames(outcome);
        let curve = |times| histogram_of(times, &frames);
        let curves: Vec<_> = outcome.times.iter().map(|times| (times.name.clone(), curve(times))).collect();
        let file = format!("frame_to_order_{}.svg", name.replace(|c: char| !c.is_ascii_alphanumeric(), "_"));
        let path = folder.join(&file);
        let plot = Plot {
            title: &format!("Frame to order: {name}, depth frames"),
            subtitle: &Plot::samples(frames.len(), outcome.times[0].rounds.len()),
            curves: &curves,
            compared: Some((1, 0)),
        };
        std::fs::write(&path, plot.svg()).map_err(|error| format!("{}: {error}", path.display()))?;
        plots.push((name.clone(), format!("bench/plots/{file}")));
    }
    plots.extend(wire.write_plots(&folder, "bench/plots")?);
    Ok(plots)
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let (figures, outcomes, noise) = measure(arguments)?;
    let plots = match &arguments.write {
        Some(file) => write_plots(file, &outcomes, &figures.wire)?,
        None => Vec::new(),
    };
    let report = Report {
        machine: Machine::here(),
        noise,
        targets: targets(&figures),
        figures,
        command: "cargo run --release -p spinbook-bench --bin targets -- --write BENCHMARKS.md".into(),
        plots,
    };
    if let Some(file) = &arguments.write {
        std::fs::write(file, report.markdown()).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    if arguments.json {
        let text = serde_json::to_string(&report).map_err(|error| error.to_string())?;
        report::print(&format!("{text}\n"));
    } else {
        report::print(&report.text());
    }
    Ok(())
}

fn main() -> ExitCode {
    let arguments = match command::understood(HELP, arguments()) {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}
