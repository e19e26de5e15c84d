//! COLD: measures what huge pages under the books are worth: books alone, many books in turns, frame to order.

use std::path::PathBuf;
use std::process::ExitCode;

use spinbook_bench::pages::{books, path};
use spinbook_bench::percentiles::{Class, row};
use spinbook_bench::threads;
use spinbook_bench::workload::{CHAINS, Recording};
use spinbook_feed::net::host::memory;

/// Rounds of each contest.
const ROUNDS: usize = 7;

fn recordings() -> Result<Vec<Recording>, String> {
    let files: Vec<PathBuf> = std::env::args().skip(1).map(PathBuf::from).collect();
    if !files.is_empty() {
        return Recording::read("FILES", &files).map(|recording| vec![recording]);
    }
    let chains = (0..CHAINS.len()).map(Recording::chain).collect::<Result<Vec<_>, _>>()?;
    Ok(chains.into_iter().flatten().collect())
}

fn measure(recording: &Recording) -> Result<(), String> {
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
        let line = row.line.map_or(String::new(), |line| format!(", {:.0} + {:.2} n", line.intercept, line.slope));
        println!("  {}: p50 {:.0} p99 {:.0} mean {:.0} ns{line}", row.name, row.ns[0], row.ns[2], row.mean_ns);
    }
    Ok(())
}

fn main() -> ExitCode {
    if !memory::keep_freed() {
        eprintln!("this allocator cannot be told to use one heap: huge pages will hold less");
    }
    let measured = recordings().and_then(|all| {
        if all.is_empty() {
            println!("skipped: no recorded data");
        }
        // On the main thread, as in the program: the one heap is its own.
        threads::pin(threads::cores().len().saturating_sub(1));
        all.iter().try_for_each(measure)
    });
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}
