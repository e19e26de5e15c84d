//! COLD: frame-to-order latency over any recording: a table of percentiles, `.hgrm` files and a plot.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use serde_json::{Value, json};
use spinbook_bench::document::{Document, ReportTable};
use spinbook_bench::histogram::PERCENTILES;
use spinbook_bench::inputs::InputArgs;
use spinbook_bench::measure::path_outcome;
use spinbook_bench::percentiles::{Class, histogram_of, plot, row};
use spinbook_bench::pipeline::Outcome;
use spinbook_bench::text::print;
use spinbook_bench::threads;
use spinbook_bench::workload::Workload;

/// Plays recordings through our path and the plain pipelines, and prints ns from the frame in hand to the decision, its
/// intents on the ring. Reads what `spinbook verify` reads, compressed or not, with its snapshot
/// in the stream or in replies. Of several symbols the one with the most depth frames is played.
#[derive(Parser)]
#[command(
    after_help = "example: latency btcusdt_20240718.gz btcusdt_20240719.gz --out latency\nends with 0, with 1 if a \
                        file cannot be read, 2 if it was called wrongly, 3 if a recording has no book to play"
)]
struct Args {
    #[command(flatten)]
    inputs: InputArgs,
    /// Writes one .hgrm file a pipeline and class of frames, and one plot a class, into this folder.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Prints one JSON object instead of tables.
    #[arg(long)]
    json: bool,
}

/// Why it ends early, and with which exit code.
struct Failure {
    code: u8,
    why: String,
}

impl From<String> for Failure {
    fn from(why: String) -> Failure {
        Failure { code: 1, why }
    }
}

fn document(recording: &Workload, outcome: &Outcome) -> Document {
    let malformed = match recording.malformed {
        0 => String::new(),
        count => format!(", {count} of them malformed"),
    };
    let (venue, symbol, lines) = (recording.product.name(), recording.instrument.symbol, recording.frames.len());
    let mut out = Document::default();
    out.text(format!("{}: {venue} {}, {lines} lines{malformed}", recording.name, symbol.as_str()));
    for class in Class::ALL {
        let frames = class.frames(outcome);
        if frames.is_empty() {
            continue;
        }
        let rounds = outcome.times[0].rounds.len();
        let head = format!("{}: {} frames, {rounds} rounds, ns", class.name(), frames.len());
        let percentiles = PERCENTILES.map(|percentile| format!("p{percentile}"));
        let columns = [head].into_iter().chain(percentiles);
        let mut table = ReportTable::new(columns.chain(["max", "mean", "fixed + a level"].map(str::to_owned)));
        for times in &outcome.times {
            let row = row(outcome, times, class);
            let max = histogram_of(times, &frames).max();
            let figures = row.ns.iter().map(|ns| format!("{ns:.0}"));
            let rest = [max.to_string(), format!("{:.0}", row.mean_ns)];
            let line = row.line.map_or(String::new(), |line| line.to_string());
            table.row([row.name].into_iter().chain(figures).chain(rest).chain([line]));
        }
        out.table(table);
    }
    out
}

/// The figures of one recording; percentiles are medians of the rounds, the maximum is that of all.
fn to_json(recording: &Workload, outcome: &Outcome, written: &[PathBuf]) -> Value {
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

/// One `.hgrm` file a pipeline and class, one plot a class.
fn write_files(folder: &Path, recording: &Workload, outcome: &Outcome) -> Result<Vec<PathBuf>, String> {
    let mut written = Vec::new();
    for class in Class::ALL {
        if let Some(plot) = plot(&recording.name, outcome, class) {
            let words = [recording.name.as_str(), class.name()];
            written.extend(plot.write_histograms(folder, &words)?);
            written.push(plot.write(folder, &words)?);
        }
    }
    Ok(written)
}

fn play(args: &Args, recording: &Workload) -> Result<Value, Failure> {
    let samples = args.inputs.samples();
    eprintln!("playing {} {} times through five pipelines", recording.name, samples.replays);
    let outcome = threads::alone(|| path_outcome(recording, samples)).map_err(|why| Failure { code: 3, why })?;
    if !args.json {
        print(&format!("{}\n", document(recording, &outcome).terminal()));
    }
    let written = match &args.out {
        Some(folder) => write_files(folder, recording, &outcome)?,
        None => Vec::new(),
    };
    Ok(to_json(recording, &outcome, &written))
}

fn run(args: &Args) -> Result<(), Failure> {
    let mut played = Vec::new();
    let mut missing = |name: &str| eprintln!("{name}: skipped: no recorded data (SPINBOOK_DATA says where it lies)");
    args.inputs.each(&[0, 1, 2], &mut missing, |recording| {
        played.push(play(args, &recording)?);
        Ok::<(), Failure>(())
    })?;
    if args.json {
        print(&format!("{}\n", json!({ "recordings": played })));
    }
    Ok(())
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, why }) => {
            eprintln!("{why}");
            ExitCode::from(code)
        }
    }
}
