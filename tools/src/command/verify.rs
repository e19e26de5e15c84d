//! COLD: `spinbook verify`: plays recordings through the production decoders and books, and says whether they are whole.

use std::fmt::Write;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use spinbook_feed::history::{ProblemKind, VerifyOutcome, VerifyProblem, VerifyReport, Wholeness, verify};

use crate::cli::VerifyArgs;
use crate::config::venues::check_venue;
use crate::error::Failure;
use crate::outcome::Exit;
use crate::outcome::{Context, Done};
use crate::output::{self, ERR};

/// How often progress is told.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);

/// Verifies the recordings.
///
/// # Errors
/// A file that cannot be opened, an unknown venue or form, or an interruption. What is found wrong or missing in
/// readable data is a result with exit code 3.
pub fn run(arguments: &VerifyArgs, context: Context) -> Result<Done, Failure> {
    let product = arguments.venue.as_deref().map(check_venue).transpose()?;
    arguments.files.iter().try_for_each(|file| readable_twice(file))?;
    let interrupted = Arc::new(AtomicBool::new(false));
    // The first Ctrl-C ends with a message at the next step, a second one at once.
    let watch = signal_hook::flag::register_conditional_shutdown(signal_hook::consts::SIGINT, 130, interrupted.clone())
        .and_then(|_| signal_hook::flag::register(signal_hook::consts::SIGINT, interrupted.clone()));
    if let Err(error) = watch {
        tracing::warn!("Ctrl-C ends this without a report: {error}");
    }
    let mut progress = Progress::new(context);
    let started = Instant::now();
    let mut outcome = verify(&arguments.files, product, &mut |lines| {
        progress.at(lines);
        if interrupted.load(Ordering::Relaxed) {
            leave_interrupted(context, lines);
        }
    });
    outcome.report.set_elapsed(started.elapsed());
    progress.end();
    conclude(&outcome, arguments, context)
}

/// A pipe can be read once only; the form and the instruments of a recording are told before it is played.
fn readable_twice(file: &Path) -> Result<(), Failure> {
    match std::fs::metadata(file) {
        Ok(found) if !found.is_file() && !found.is_dir() => Err(Failure::usage("cannot verify what is not a file")
            .at(file.display())
            .because("a recording is read more than once")
            .next("write it to a file first, and name that")),
        // A missing one is said by whoever opens it.
        _ => Ok(()),
    }
}

/// Leaves from within the play, which cannot be stopped otherwise; nothing is open but files being read.
fn leave_interrupted(context: Context, lines: u64) -> ! {
    let failure = Failure::new(Exit::Interrupted, "interrupted")
        .at(format!("line {lines}"))
        .next("run it again: nothing was changed");
    ERR.line(&format!("\n{failure}"));
    if context.json {
        let _ = output::result(&failure.to_json().to_string());
    }
    std::process::exit(i32::from(Exit::Interrupted.code()));
}

/// Lines read so far, on stderr.
struct Progress {
    started: Instant,
    told: Instant,
    shown: bool,
    overwrites: bool,
    written: bool,
}

impl Progress {
    fn new(context: Context) -> Progress {
        let now = Instant::now();
        let overwrites = io::stderr().is_terminal();
        Progress { started: now, told: now, shown: context.shows_progress(), overwrites, written: false }
    }

    fn at(&mut self, lines: u64) {
        if !self.shown || self.told.elapsed() < PROGRESS_EVERY {
            return;
        }
        self.told = Instant::now();
        let seconds = self.started.elapsed().as_secs_f64();
        let rate = lines as f64 / seconds;
        if self.overwrites {
            ERR.write(format!("\r{lines} lines, {rate:.0} a second ").as_bytes());
            self.written = true;
        } else {
            ERR.line(&format!("{lines} lines, {rate:.0} a second"));
        }
    }

    fn end(&mut self) {
        if self.written {
            ERR.line("");
        }
    }
}

fn conclude(outcome: &VerifyOutcome, arguments: &VerifyArgs, context: Context) -> Result<Done, Failure> {
    let report = &outcome.report;
    let problem = outcome.problem.as_ref();
    if let Some(problem) = problem.filter(|problem| problem.kind() != ProblemKind::WrongData) {
        return Err(Failure::of_recording("cannot verify", problem).at(report.files.join(" ")));
    }
    let exit = match report.verdict {
        Wholeness::Whole => Exit::Done,
        Wholeness::NotWhole if arguments.allow_gaps => Exit::Done,
        Wholeness::NotWhole | Wholeness::Wrong => Exit::Wrong,
    };
    let verdict = verdict(report, problem);
    if context.json && exit != Exit::Done {
        // For people who look on; without --json the same stands below the table.
        ERR.write(verdict.as_bytes());
    }
    Ok(Done::new(table(report) + &verdict, json_of(report, problem)).with_exit(exit))
}

/// The verdict and its reasons, each with what to do.
fn verdict(report: &VerifyReport, problem: Option<&VerifyProblem>) -> String {
    let mut text = String::new();
    if let Some(problem) = problem {
        let _ = writeln!(text, "WRONG: {problem}");
        if let Some(next) = advice(problem) {
            let _ = writeln!(text, "  next : {next}");
        }
    }
    for finding in &report.findings {
        let _ = writeln!(text, "NOT WHOLE: {}\n  next : {}", finding.what, finding.next);
    }
    if report.verdict == Wholeness::Whole {
        text.push_str("whole\n");
    }
    text
}

/// What to do about data that are wrong, where there is something to do.
fn advice(problem: &VerifyProblem) -> Option<String> {
    match problem {
        VerifyProblem::OtherVenue { found, named: true, .. } => Some(format!("use --venue {found}")),
        VerifyProblem::OtherVenue { .. } => Some("verify recordings of each venue for themselves".to_owned()),
        _ => None,
    }
}

/// The report in the promised keys; `problem` is added only where something is wrong.
fn json_of(report: &VerifyReport, problem: Option<&VerifyProblem>) -> Value {
    let mut value = serde_json::to_value(report).expect("a report holds only strings, numbers and string keys");
    if let (Some(problem), Value::Object(map)) = (problem, &mut value) {
        map.insert("problem".to_owned(), json!(problem.to_string()));
    }
    value
}

/// The figures, for people.
fn table(report: &VerifyReport) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{}: {} lines in {:.2} s ({} a second), {} frames: {} scanned, {} fallback, {} bad",
        report.venue,
        report.lines,
        report.elapsed_seconds,
        report.lines_per_second,
        report.frames,
        report.scanned,
        report.fallback,
        report.bad_frames
    );
    let head = [
        "symbol", "state", "depth", "levels", "gaps", "resyncs", "bbo ok", "crossed", "trades", "best bid", "best ask",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    for (symbol, found) in &report.symbols {
        let best = |level: &Option<[String; 2]>| level.as_ref().map_or("-".to_owned(), |level| level[0].clone());
        rows.push([
            symbol.clone(),
            found.state.to_owned(),
            found.depth.to_string(),
            found.levels.to_string(),
            found.gaps.to_string(),
            found.resyncs.to_string(),
            format!("{}/{}", found.bbo_matched, found.bbo_checked),
            found.crossed.to_string(),
            found.trades.to_string(),
            best(&found.best_bid),
            best(&found.best_ask),
        ]);
    }
    let mut widths = [0; 11];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.len());
        }
    }
    for row in &rows {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        let _ = writeln!(text, "{}", cells.join("  ").trim_end());
    }
    text
}
