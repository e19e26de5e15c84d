//! COLD: the gate: counts every stage's instructions under callgrind and holds them to the accepted baseline.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use spinbook_bench::gate::{Baseline, Finding, StageCount, compare, instructions_of};
use spinbook_bench::machine::compiler;
use spinbook_bench::stages::{STAGES, needs_recording};

const HELP: &str = "usage: gate [accept --reason TEXT] [--baseline FILE]

Builds the stages for x86-64-v3, counts each one's instructions under valgrind's callgrind, and compares them with
the accepted baseline (bench/counts/baseline.json). Exit 0: all within 1 %. Exit 1: a stage grew, is new or is gone,
or the compiler is not the baseline's. Exit 3: nothing could be counted.

  accept      makes these counts the new baseline; the reason lands in the file";

struct Arguments {
    /// The reason, if these counts are to become the baseline.
    accept: Option<String>,
    baseline: PathBuf,
}

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn arguments() -> Result<Option<Arguments>, String> {
    let mut parsed = Arguments { accept: None, baseline: project().join("bench/counts/baseline.json") };
    let (mut accept, mut reason) = (false, None);
    let mut given = std::env::args().skip(1);
    while let Some(argument) = given.next() {
        match argument.as_str() {
            "accept" => accept = true,
            "--reason" => reason = given.next().filter(|reason| !reason.trim().is_empty()),
            "--baseline" => parsed.baseline = given.next().ok_or("--baseline needs the name of a file")?.into(),
            "--help" | "-h" => return Ok(None),
            other => return Err(format!("unknown argument {other:?}\n\n{HELP}")),
        }
    }
    match (accept, reason) {
        (true, None) => return Err("a new baseline needs its reason: gate accept --reason \"why\"".into()),
        (false, Some(_)) => return Err("--reason belongs to `gate accept`".into()),
        (_, reason) => parsed.accept = reason,
    }
    Ok(Some(parsed))
}

/// Builds the stages for the processor that the counts are about and gives the binary's path.
fn build() -> Result<PathBuf, String> {
    let target = project().join("target/gate");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--release", "-p", "spinbook-bench", "--bin", "stages", "--target-dir"])
        .arg(&target)
        .current_dir(project())
        .env("CARGO_ENCODED_RUSTFLAGS", "-Ctarget-cpu=x86-64-v3")
        .env_remove("RUSTFLAGS")
        .status()
        .map_err(|error| format!("cargo cannot be started: {error}"))?;
    if !status.success() {
        return Err("the stages do not build".into());
    }
    Ok(target.join("release/stages"))
}

/// Counts one stage; none if its recording is missing.
fn count(binary: &Path, stage: &str) -> Result<Option<StageCount>, String> {
    let folder = project().join("target/gate/callgrind");
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let file = folder.join(format!("{stage}.out"));
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
    let said = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(format!("stage {stage}: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    if said.starts_with("skipped") {
        return Ok(None);
    }
    let units = said.split_whitespace().next().and_then(|text| text.parse().ok());
    let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    match (units, instructions_of(&text)) {
        (Some(units), Some(instructions)) if instructions > 0 => Ok(Some(StageCount { units, instructions })),
        _ => Err(format!("stage {stage}: callgrind counted nothing")),
    }
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

fn accept(file: &Path, reason: String, counts: BTreeMap<String, StageCount>) -> Result<(), String> {
    let before = read_baseline(file)?;
    let mut stages = counts;
    let mut reasons = Vec::new();
    if let Some(before) = before {
        // Counts of stages that could not run here stay, if they are of the same compiler.
        if before.compiler == compiler() {
            for (stage, count) in before.stages.into_iter().filter(|(stage, _)| needs_recording(stage)) {
                stages.entry(stage).or_insert(count);
            }
        }
        reasons = before.reasons;
    }
    reasons.push(format!("{}: {reason}", compiler()));
    let baseline = Baseline { compiler: compiler(), reasons, stages };
    let mut text = serde_json::to_string_pretty(&baseline).map_err(|error| error.to_string())?;
    text.push('\n');
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    std::fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()))
}

/// Prints the comparison and says whether the gate opens.
fn judge(baseline: &Baseline, counts: &BTreeMap<String, StageCount>) -> bool {
    let mut open = true;
    if baseline.compiler != compiler() {
        println!("the baseline is of {}, this is {}: accept a new one", baseline.compiler, compiler());
        open = false;
    }
    for (stage, finding) in compare(baseline, counts, needs_recording) {
        let per_unit = counts.get(&stage).map_or(f64::NAN, |count| count.per_unit());
        let verdict = match &finding {
            Finding::Held(percent) => format!("{percent:+.2} %"),
            Finding::Grew(percent) => format!("{percent:+.2} %: more than 1 % over the baseline"),
            Finding::New => "not in the baseline, or with another number of units: accept a new one".into(),
            Finding::Gone => "in the baseline but no stage any more: accept a new one".into(),
        };
        println!("{stage:24} {per_unit:10.1} instructions a unit  {verdict}");
        open &= !finding.fails();
    }
    open
}

fn run(arguments: Arguments) -> Result<bool, String> {
    let binary = build()?;
    let mut counts = BTreeMap::new();
    for stage in STAGES {
        match count(&binary, stage)? {
            Some(count) => {
                counts.insert(stage.to_owned(), count);
            }
            None => println!("{stage}: skipped: no recorded data"),
        }
    }
    if let Some(reason) = arguments.accept {
        for (stage, count) in &counts {
            println!("{stage:24} {:10.1} instructions a unit", count.per_unit());
        }
        accept(&arguments.baseline, reason, counts)?;
        println!("accepted as the baseline for {}", compiler());
        return Ok(true);
    }
    match read_baseline(&arguments.baseline)? {
        Some(baseline) => Ok(judge(&baseline, &counts)),
        None => {
            println!("there is no baseline at {}: gate accept --reason \"first\"", arguments.baseline.display());
            Ok(false)
        }
    }
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::from(2);
        }
    };
    match run(arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::from(3)
        }
    }
}
