//! COLD: measures what huge pages under the books are worth: books alone, many books in turns, frame to order.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use spinbook_bench::inputs::InputArgs;
use spinbook_bench::pages::{books, path};
use spinbook_bench::percentiles::{Class, row};
use spinbook_bench::text::exit_code;
use spinbook_bench::threads;
use spinbook_bench::workload::Workload;
use spinbook_feed::net::host::memory;

/// Rounds of each contest.
const ROUNDS: usize = 7;

/// Measures what huge pages under the books are worth.
#[derive(Parser)]
struct Args {
    /// One chain of recordings in the order of recording, instead of the recorded chains.
    files: Vec<PathBuf>,
}

fn measure(recording: &Workload) -> Result<(), String> {
    let stream = recording.levels()?;
    println!("{}", recording.name);
    for count in [1, 8, 64] {
        let (times, pages) = books(&stream, count, if count > 8 { 2 } else { ROUNDS });
        println!(
            "  {count:>3} books: ns a level {:.2} on small pages, {:.2} on huge ones ({:+.1} %); {} of {} KiB are huge",
            times[0].ns,
            times[1].ns,
            100.0 * (times[1].ns / times[0].ns - 1.0),
            pages.huge_bytes >> 10,
            pages.wanted_bytes >> 10
        );
    }
    let outcome = path(recording, ROUNDS)?;
    for times in &outcome.times {
        let row = row(&outcome, times, Class::Depth);
        let line = row.line.map_or(String::new(), |line| format!(", {line}"));
        println!("  {}: p50 {:.0} p99 {:.0} mean {:.0} ns{line}", row.name, row.ns[0], row.ns[2], row.mean_ns);
    }
    Ok(())
}

fn main() -> ExitCode {
    let inputs = InputArgs { files: Args::parse().files, quick: false };
    if !memory::keep_freed() {
        eprintln!("this allocator cannot be told to use one heap: huge pages will hold less");
    }
    exit_code(inputs.recordings(&mut |name| println!("{name}: skipped: no recorded data")).and_then(|all| {
        // On the main thread, as in the program: the one heap is its own.
        threads::pin(threads::cores().len().saturating_sub(1));
        all.iter().try_for_each(measure)
    }))
}
