//! COLD: frame-to-order latency over any recording: a table of percentiles, `.hgrm` files and a plot.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};
use spinbook_bench::command;
use spinbook_bench::measure::{Effort, path_outcome};
use spinbook_bench::percentiles::{Class, PERCENTILES, hgrm, histogram_of, row};
use spinbook_bench::pipeline::Outcome;
use spinbook_bench::plot::Plot;
use spinbook_bench::workload::{CHAINS, Recording};
use spinbook_bench::{report, threads};

const HELP: &str = "usage: latency [FILES...] [--out FOLDER] [--json] [--quick]

Plays recordings (FILES are one chain in the order of recording; without any, the recorded Binance chains) through our
path and the plain pipelines, and prints ns from the frame in hand to the decision, its intents on the ring. Reads what
`spinbook verify` reads: Binance spot and USD-M, compressed or not, with its snapshot in the stream or in replies. Of
several symbols the one with the most depth frames is played.

  --out    writes one .hgrm file a pipeline and class of frames, and one plot a class, into this folder
  --json   prints one JSON object instead of tables
  --quick  few rounds: shows that everything runs, its figures are rough

example: latency btcusdt_20240718.gz btcusdt_20240719.gz --out latency
ends with 0, with 1 if a file cannot be read, 2 if it was called wrongly, 3 if a recording has no book to play";

/// Why it ends early, and with which exit code.
struct Failure {
    code: u8,
    why: String,
}

impl Failure {
    fn new(code: u8) -> impl Fn(String) -> Failure {
        move |why| Failure { code, why }
    }
}

#[derive(Default)]
struct Arguments {
    files: Vec<PathBuf>,
    out: Option<PathBuf>,
    json: bool,
    quick: bool,
}

fn arguments() -> Result<Option<Arguments>, String> {
    let mut parsed = Arguments::default();
    let mut given = std::env::args().skip(1);
    while let Some(argument) = given.next() {
        match argument.as_str() {
            "--quick" => parsed.quick = true,
            "--json" => parsed.json = true,
            "--out" => parsed.out = Some(given.next().ok_or("--out needs the name of a folder")?.into()),
            "--help" | "-h" => return Ok(None),
            flag if flag.starts_with('-') => return Err(format!("unknown option {flag}")),
            file => parsed.files.push(PathBuf::from(file)),
        }
    }
    Ok(Some(parsed))
}

/// What is said of a recording before its figures.
fn head(recording: &Recording) -> String {
    let malformed = match recording.malformed {
        0 => String::new(),
        count => format!(", {count} of them malformed"),
    };
    let (venue, symbol) = (recording.product.name(), recording.instrument.symbol);
    format!("{}: {venue} {}, {} lines{malformed}", recording.name, symbol.as_str(), recording.frames.len())
}

fn table(recording: &Recording, outcome: &Outcome) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    writeln!(text, "{}", head(recording))?;
    for class in Class::ALL {
        let frames = class.frames(outcome);
        if frames.is_empty() {
            continue;
        }
        writeln!(text, "\n{}: {} frames, {} rounds, ns", class.name(), frames.len(), outcome.times[0].rounds.len())?;
        let heads: Vec<String> =
            PERCENTILES.iter().map(|percentile| format!("{:>10}", format!("p{percentile}"))).collect();
        writeln!(text, "  {:36}{}{:>11}{:>9}  fixed + a level", "", heads.concat(), "max", "mean")?;
        for times in &outcome.times {
            let row = row(outcome, times, class);
            let cells: Vec<String> = row.ns.iter().map(|ns| format!("{ns:10.0}")).collect();
            let line = row.line.map_or(String::new(), |line| format!("  {:.0} + {:.2} n", line.intercept, line.slope));
            let max = histogram_of(times, &frames).max();
            writeln!(text, "  {:36}{}{max:11}{:9.0}{line}", row.name, cells.concat(), row.mean_ns)?;
        }
    }
    writeln!(text)?;
    Ok(text)
}

/// The figures of one recording; percentiles are medians of the rounds, the maximum is that of all.
fn to_json(recording: &Recording, outcome: &Outcome, written: &[PathBuf]) -> Value {
    let class_json = |class: Class| {
        let frames = class.frames(outcome);
        let pipelines = outcome.times.iter().filter(|_| !frames.is_empty()).map(|times| {
            let row = row(outcome, times, class);
            let named = PERCENTILES.iter().zip(&row.ns).map(|(percentile, ns)| (format!("p{percentile}"), json!(ns)));
            json!({
                "pipeline": row.name,
                "ns": Value::Object(named.collect()),
                "max_ns": histogram_of(times, &frames).max(),
                "mean_ns": row.mean_ns,
                "fixed_ns": row.line.map(|line| line.intercept),
                "level_ns": row.line.map(|line| line.slope),
            })
        });
        json!({ "class": class.name(), "frames": frames.len(), "pipelines": pipelines.collect::<Vec<Value>>() })
    };
    json!({
        "name": recording.name,
        "venue": recording.product.name(),
        "symbol": recording.instrument.symbol.as_str(),
        "lines": recording.frames.len(),
        "malformed_lines": recording.malformed,
        "rounds": outcome.times.first().map_or(0, |times| times.rounds.len()),
        "classes": Class::ALL.map(class_json),
        "files_written": written.iter().map(|path| path.display().to_string()).collect::<Vec<String>>(),
    })
}

fn file_name(parts: &[&str], extension: &str) -> String {
    let plain = parts.join("_").replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    format!("{plain}.{extension}")
}

/// One `.hgrm` file a pipeline and class, one plot a class.
fn write_files(folder: &Path, recording: &Recording, outcome: &Outcome) -> Result<Vec<PathBuf>, String> {
    std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut written = Vec::new();
    let mut write = |name: String, text: String| {
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        written.push(path);
        Ok::<(), String>(())
    };
    for class in Class::ALL {
        let frames = class.frames(outcome);
        if frames.is_empty() {
            continue;
        }
        let curve = |times| histogram_of(times, &frames);
        let curves: Vec<_> = outcome.times.iter().map(|times| (times.name.clone(), curve(times))).collect();
        for (pipeline, histogram) in &curves {
            write(file_name(&[&recording.name, class.name(), pipeline], "hgrm"), hgrm(histogram))?;
        }
        let plot = Plot {
            title: &format!("Frame to order: {}, {}", recording.name, class.name()),
            subtitle: &Plot::samples(frames.len(), outcome.times[0].rounds.len()),
            curves: &curves,
            compared: Some((1, 0)),
        };
        write(file_name(&[&recording.name, class.name()], "svg"), plot.svg())?;
    }
    Ok(written)
}

fn play(arguments: &Arguments, recording: &Recording) -> Result<Value, Failure> {
    let effort = if arguments.quick { Effort::QUICK } else { Effort::FULL };
    eprintln!("playing {} {} times through five pipelines", recording.name, effort.replays);
    let outcome = threads::alone(|| path_outcome(recording, effort)).map_err(Failure::new(3))?;
    if !arguments.json {
        report::print(&table(recording, &outcome).expect("a String takes any text"));
    }
    let written = match &arguments.out {
        Some(folder) => write_files(folder, recording, &outcome).map_err(Failure::new(1))?,
        None => Vec::new(),
    };
    Ok(to_json(recording, &outcome, &written))
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut played = Vec::new();
    if let Some(first) = arguments.files.first() {
        let name = first.file_name().map_or("FILES".into(), |name| name.to_string_lossy().into_owned());
        eprintln!("reading {name}");
        let recording = Recording::read(&name, &arguments.files).map_err(Failure::new(1))?;
        played.push(play(arguments, &recording)?);
    } else {
        for (place, (name, _)) in CHAINS.iter().enumerate() {
            match Recording::chain(place).map_err(Failure::new(1))? {
                Some(recording) => played.push(play(arguments, &recording)?),
                None => eprintln!("{name}: skipped: no recorded data (SPINBOOK_DATA says where it lies)"),
            }
        }
    }
    if arguments.json {
        report::print(&format!("{}\n", json!({ "recordings": played })));
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
        Err(Failure { code, why }) => {
            eprintln!("{why}");
            ExitCode::from(code)
        }
    }
}
