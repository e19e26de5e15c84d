//! COLD: the gate: counts every stage's instructions under callgrind and holds them to the accepted baseline, and the
//! wall-clock ratio to the plain pipeline beside it.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use clap::builder::PossibleValuesParser;
use clap::{Parser, Subcommand};
use spinbook_bench::gate::{Baseline, StageCount, StageFinding, compare, instructions_of};
use spinbook_bench::machine::compiler;
use spinbook_bench::ratio::{self, ACCEPTED_ATTEMPTS, FLOOR, Ratios};
use spinbook_bench::stages::{STAGES, needs_recording};

/// The processor that the stages are compiled for.
const PROCESSOR: &str = "x86-64-v3";

/// Builds the stages for x86-64-v3, counts each one's instructions under valgrind's callgrind, and compares them with
/// the accepted baseline (bench/counts/baseline.json).
#[derive(Parser)]
#[command(
    after_help = "Exit 0: all within 1 %. Exit 1: a stage grew, is new or is gone, or compiler or processor are \
                        not the baseline's. Exit 3: nothing could be counted."
)]
struct Args {
    #[command(subcommand)]
    job: Option<Job>,
    /// The accepted counts and ratios.
    #[arg(long, global = true, value_name = "FILE", default_value_os_t = project().join("bench/counts/baseline.json"))]
    baseline: PathBuf,
    /// This stage alone (may be given several times); ratios are left as they were accepted.
    #[arg(long, global = true, value_name = "STAGE", value_parser = PossibleValuesParser::new(STAGES))]
    only: Vec<String>,
    /// Counts this build of the stages, for any processor, instead of making one.
    #[arg(long, global = true, value_name = "FILE")]
    binary: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Job {
    /// Makes these counts and ratios the new baseline.
    Accept {
        /// Why: it lands in the file.
        #[arg(long, value_name = "TEXT", value_parser = reason)]
        reason: String,
    },
    /// How many times longer the plain pipeline takes for an order, both in one process of the same build: exit 1 if a
    /// ratio is below half of the accepted one in every attempt.
    Ratio,
}

fn reason(text: &str) -> Result<String, String> {
    if text.trim().is_empty() { Err("a new baseline needs its reason".into()) } else { Ok(text.to_owned()) }
}

/// What was counted, and for which processor.
struct Counted {
    stages: BTreeMap<String, StageCount>,
    processor: String,
}

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Builds the stages for the processor that the counts are about and gives the binary's path. The program is named beside
/// them, though it is not built: so every crate has the features that it has where both are built at once.
fn build() -> Result<PathBuf, String> {
    let target = project().join("target/gate");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--release", "-p", "spinbook", "-p", "spinbook-bench", "--bin", "stages"])
        .arg("--target-dir")
        .arg(&target)
        .current_dir(project())
        .env("CARGO_ENCODED_RUSTFLAGS", format!("-Ctarget-cpu={PROCESSOR}"))
        .env_remove("RUSTFLAGS")
        .status()
        .map_err(|error| format!("cargo cannot be started: {error}"))?;
    if !status.success() {
        return Err("the stages do not build".into());
    }
    Ok(target.join("release/stages"))
}

/// Counts one stage and says what the program was compiled for; none if its recording is missing.
fn count(binary: &Path, stage: &str) -> Result<Option<(StageCount, String)>, String> {
    // Its own file for each process: several gates may count at once.
    let file = std::env::temp_dir().join(format!("spinbook-gate-{}-{stage}.out", std::process::id()));
    let mut out_option = std::ffi::OsString::from("--callgrind-out-file=");
    out_option.push(&file);
    let output = Command::new("valgrind")
        .args(["--quiet", "--tool=callgrind", "--collect-atstart=no", "--toggle-collect=*counted_by_the_gate*"])
        .arg(out_option)
        .arg(binary)
        .arg(stage)
        .current_dir(project())
        .stdin(Stdio::null())
        .output()
        .map_err(|error| {
            format!("valgrind cannot be started ({error}); install it, for example `apt install valgrind`")
        })?;
    let text = std::fs::read_to_string(&file);
    // A leftover in the temporary folder is no reason to fail.
    let _ = std::fs::remove_file(&file);
    let said = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(format!("stage {stage}: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    if said.starts_with("skipped") {
        return Ok(None);
    }
    let words: Vec<&str> = said.split_whitespace().collect();
    let text = text.map_err(|error| format!("{}: {error}", file.display()))?;
    match (words.first().and_then(|word| word.parse().ok()), words.get(2), instructions_of(&text)) {
        (Some(units), Some(processor), Some(instructions)) if instructions > 0 => {
            Ok(Some((StageCount { units, instructions }, (*processor).to_owned())))
        }
        _ => Err(format!("stage {stage}: callgrind counted nothing")),
    }
}

/// One attempt at the ratios, in a process of its own.
fn measure_ratios(binary: &Path) -> Result<Ratios, String> {
    let output = Command::new(binary).arg("ratio").current_dir(project()).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{}: {error}", binary.display()))?;
    if !output.status.success() {
        return Err(format!("ratio: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("ratio: {error}"))
}

/// What one stage's count came to; none if its recording is missing.
type Outcome = Result<Option<(StageCount, String)>, String>;

/// Counts all stages that are asked for, as many at once as there are cores: a count is the same whatever else runs.
fn count_all(args: &Args, binary: &Path) -> Result<Counted, String> {
    let asked_for: Vec<&str> = STAGES.into_iter().filter(|stage| is_asked_for(args, stage)).collect();
    let (next, outcomes) = (AtomicUsize::new(0), Mutex::new(BTreeMap::<usize, Outcome>::new()));
    let work = || {
        while let Some((place, stage)) = {
            let place = next.fetch_add(1, Ordering::Relaxed);
            asked_for.get(place).map(|stage| (place, stage))
        } {
            let outcome = count(binary, stage);
            outcomes.lock().unwrap_or_else(PoisonError::into_inner).insert(place, outcome);
        }
    };
    let workers = std::thread::available_parallelism().map_or(1, NonZero::get).min(asked_for.len());
    std::thread::scope(|scope| (0..workers).for_each(|_| drop(scope.spawn(work))));
    let mut counted = Counted { stages: BTreeMap::new(), processor: String::new() };
    for (place, outcome) in outcomes.into_inner().unwrap_or_else(PoisonError::into_inner) {
        let stage = asked_for[place];
        match outcome? {
            Some((count, processor)) => {
                if args.binary.is_none() && processor != PROCESSOR {
                    return Err(format!("the stages were built for {processor}, not for {PROCESSOR}"));
                }
                counted.stages.insert(stage.to_owned(), count);
                counted.processor = processor;
            }
            None => println!("{stage}: skipped: no recorded data"),
        }
    }
    Ok(counted)
}

fn is_asked_for(args: &Args, stage: &str) -> bool {
    args.only.is_empty() || args.only.iter().any(|name| name == stage)
}

fn read_baseline(file: &Path) -> Result<Option<Baseline>, String> {
    match std::fs::read_to_string(file) {
        Ok(text) => serde_json::from_str(&text)
            .map(Some)
            .map_err(|error| format!("{}: not a baseline: {error}", file.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{}: {error}", file.display())),
    }
}

fn accept(args: &Args, reason: &str, counted: Counted, binary: &Path) -> Result<(), String> {
    let file = &args.baseline;
    let before = read_baseline(file)?;
    let Counted { mut stages, processor } = counted;
    let (mut reasons, mut ratios) = (Vec::new(), Ratios::new());
    if let Some(before) = before {
        // Counts of stages that could not run here or were not asked for stay, if they are of the same build.
        if before.is_of_another(&compiler(), &processor).is_none() {
            let kept = |stage: &String| needs_recording(stage) || !is_asked_for(args, stage);
            for (stage, count) in before.stages.into_iter().filter(|(stage, _)| kept(stage)) {
                stages.entry(stage).or_insert(count);
            }
        }
        reasons = before.reasons;
        ratios = before.ratios;
    }
    if args.only.is_empty() {
        let attempts = (0..ACCEPTED_ATTEMPTS).map(|_| measure_ratios(binary)).collect::<Result<Vec<_>, _>>()?;
        ratios.extend(ratio::to_accept(&attempts));
    }
    reasons.push(format!("{}: {reason}", compiler()));
    let baseline = Baseline { compiler: compiler(), processor, reasons, stages, ratios };
    let mut text = serde_json::to_string_pretty(&baseline).map_err(|error| error.to_string())?;
    text.push('\n');
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    std::fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()))
}

/// Prints the comparison and says whether the gate opens.
fn judge(args: &Args, baseline: &Baseline, counted: &Counted) -> bool {
    let mut open = true;
    if let Some(why) = baseline.is_of_another(&compiler(), &counted.processor) {
        println!("{why}");
        open = false;
    }
    let optional = |stage: &str| needs_recording(stage) || !is_asked_for(args, stage);
    for (stage, finding) in compare(baseline, &counted.stages, optional) {
        let per_unit = counted.stages.get(&stage).map_or(f64::NAN, |count| count.per_unit());
        let verdict = match &finding {
            StageFinding::Held(percent) => format!("{percent:+.2} %"),
            StageFinding::Grew(percent) => format!("{percent:+.2} %: more than 1 % over the baseline"),
            StageFinding::New => "not in the baseline, or with another number of units: accept a new one".into(),
            StageFinding::Gone => "in the baseline but no stage any more: accept a new one".into(),
        };
        println!("{stage:28} {per_unit:10.1} instructions a unit  {verdict}");
        open &= !finding.fails();
    }
    open
}

/// Measures the ratios and says whether none is a loss.
fn hold_ratios(baseline: &Baseline, binary: &Path) -> Result<bool, String> {
    let mut open = true;
    let verdicts = ratio::judge(&baseline.ratios, || measure_ratios(binary))?;
    if verdicts.is_empty() {
        println!("ratio: skipped: no recorded data");
    }
    for verdict in verdicts {
        let said = match (verdict.measured, verdict.accepted) {
            (Some(measured), Some(accepted)) => {
                let floor = accepted * FLOOR;
                let held = if verdict.fails() { "LOST: below in every attempt" } else { "held" };
                format!("{measured:6.2}x  accepted {accepted:.2}x, at least {floor:.2}x: {held}")
            }
            (Some(measured), None) => format!("{measured:6.2}x  not in the baseline: accept a new one"),
            (None, _) => "skipped: no recorded data".into(),
        };
        println!("{:28} plain over ours {said}", verdict.name);
        open &= !verdict.fails();
    }
    Ok(open)
}

fn run(args: &Args) -> Result<bool, String> {
    let missing = || {
        println!("there is no baseline at {}: gate accept --reason \"first\"", args.baseline.display());
        Ok(false)
    };
    let binary = args.binary.clone().map_or_else(build, Ok)?;
    match &args.job {
        Some(Job::Ratio) => {
            let baseline = read_baseline(&args.baseline)?;
            baseline.map_or_else(missing, |baseline| hold_ratios(&baseline, &binary))
        }
        None => {
            let counted = count_all(args, &binary)?;
            let baseline = read_baseline(&args.baseline)?;
            baseline.map_or_else(missing, |baseline| Ok(judge(args, &baseline, &counted)))
        }
        Some(Job::Accept { reason }) => {
            let counted = count_all(args, &binary)?;
            for (stage, count) in &counted.stages {
                println!("{stage:28} {:10.1} instructions a unit", count.per_unit());
            }
            let processor = counted.processor.clone();
            accept(args, reason, counted, &binary)?;
            println!("accepted as the baseline for {}, {processor}", compiler());
            Ok(true)
        }
    }
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(opens) => ExitCode::from(u8::from(!opens)),
        Err(why) => {
            eprintln!("{why}");
            ExitCode::from(3)
        }
    }
}
