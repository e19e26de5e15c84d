//! COLD: frame-to-order latency over any recording: a table of percentiles and `.hgrm` files.

use std::path::PathBuf;
use std::process::ExitCode;

use spinbook_bench::measure::{Effort, path_outcome};
use spinbook_bench::percentiles::{Class, PERCENTILES, hgrm, histogram_of, row};
use spinbook_bench::pipeline::Outcome;
use spinbook_bench::threads;
use spinbook_bench::workload::{CHAINS, Recording};

const HELP: &str = "usage: latency [FILES...] [--out FOLDER] [--quick]

Plays recordings (one chain of files; without FILES the recorded Binance chains) through our path and the plain
pipelines and prints ns from the frame in hand to the decision, its intents on the ring.

  --out    writes one .hgrm file a pipeline and class of frames into this folder";

#[derive(Default)]
struct Arguments {
    files: Vec<PathBuf>,
    out: Option<PathBuf>,
    quick: bool,
}

fn arguments() -> Result<Option<Arguments>, String> {
    let mut parsed = Arguments::default();
    let mut given = std::env::args().skip(1);
    while let Some(argument) = given.next() {
        match argument.as_str() {
            "--quick" => parsed.quick = true,
            "--out" => parsed.out = Some(given.next().ok_or("--out needs the name of a folder")?.into()),
            "--help" | "-h" => return Ok(None),
            flag if flag.starts_with('-') => return Err(format!("unknown option {flag}\n\n{HELP}")),
            file => parsed.files.push(PathBuf::from(file)),
        }
    }
    Ok(Some(parsed))
}

fn print_table(recording: &Recording, outcome: &Outcome) {
    for class in Class::ALL {
        let frames = class.frames(outcome);
        if frames.is_empty() {
            continue;
        }
        println!("{}, {}: {} frames, ns", recording.name, class.name(), frames.len());
        let heads: Vec<String> =
            PERCENTILES.iter().map(|percentile| format!("{:>9}", format!("p{percentile}"))).collect();
        println!("  {:44}{}{:>9}  fixed + a level", "", heads.concat(), "mean");
        for times in &outcome.times {
            let row = row(outcome, times, class);
            let cells: Vec<String> = row.ns.iter().map(|ns| format!("{ns:9.0}")).collect();
            let line = row.line.map_or(String::new(), |line| format!("  {:.0} + {:.2} n", line.intercept, line.slope));
            println!("  {:44}{}{:9.0}{line}", row.name, cells.concat(), row.mean_ns);
        }
    }
}

fn file_name(parts: [&str; 3]) -> String {
    let plain = parts.join("_").replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    format!("{plain}.hgrm")
}

fn write_histograms(folder: &PathBuf, recording: &Recording, outcome: &Outcome) -> Result<(), String> {
    std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for class in Class::ALL {
        let frames = class.frames(outcome);
        for times in outcome.times.iter().filter(|_| !frames.is_empty()) {
            let path = folder.join(file_name([&recording.name, class.name(), &times.name]));
            std::fs::write(&path, hgrm(&histogram_of(times, &frames)))
                .map_err(|error| format!("{}: {error}", path.display()))?;
        }
    }
    Ok(())
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let effort = if arguments.quick { Effort::QUICK } else { Effort::FULL };
    let play = |recording: &Recording| {
        let outcome = threads::alone(|| path_outcome(recording, effort))?;
        print_table(recording, &outcome);
        arguments.out.as_ref().map_or(Ok(()), |folder| write_histograms(folder, recording, &outcome))
    };
    if !arguments.files.is_empty() {
        let name = arguments.files[0].file_name().map_or("FILES".into(), |name| name.to_string_lossy().into_owned());
        return play(&Recording::read(&name, &arguments.files)?);
    }
    for (place, (name, _)) in CHAINS.iter().enumerate() {
        match Recording::chain(place)? {
            Some(recording) => play(&recording)?,
            None => println!("{name}: skipped: no recorded data"),
        }
    }
    Ok(())
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
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}
