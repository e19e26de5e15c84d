//! COLD: `spinbook journal --list`: which runs a folder's journals are of, how long they are, and what they left unproved.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::json;
use spinbook_engine::types::Nanos;
use spinbook_feed::journal::record::JournalRecord;
use spinbook_feed::journal::recover::Recovery;

use crate::error::Failure;
use crate::outcome::Done;
use crate::run::journals::read_parts;
use crate::ui::time::utc_text;

/// One run's journal at one venue.
#[derive(Debug, Serialize)]
struct ListedRun {
    folder: String,
    run: u32,
    venue: String,
    files: usize,
    bytes: u64,
    records: u64,
    /// When it began, and its last record.
    from: String,
    to: String,
    /// Its last record says that nothing was left open.
    ended: bool,
    /// Orders whose end neither it nor the run behind it proves.
    orders_unproved: usize,
    #[serde(skip)]
    recovery: Recovery,
    #[serde(skip)]
    last: Nanos,
}

/// Lists the runs of these files, the parts of each of which follow each other.
///
/// # Errors
/// A file cannot be read, or is damaged.
pub(super) fn list(paths: &[PathBuf]) -> Result<Done, Failure> {
    let mut runs: Vec<ListedRun> = Vec::new();
    for folder in paths.chunk_by(|one, two| one.parent() == two.parent()) {
        let of_folder = read_folder(folder)?;
        runs.extend(of_folder);
    }
    let mut text = String::new();
    for run in &runs {
        let _ = writeln!(
            text,
            "{:>10}  {:<13} {}  to {}  {} files, {} bytes, {} records, {}; {} orders without a proved end",
            run.run,
            run.venue,
            run.from,
            run.to,
            run.files,
            run.bytes,
            run.records,
            if run.ended { "ended in order" } else { "not ended in order" },
            run.orders_unproved,
        );
    }
    Ok(Done::new(text, json!({ "runs": runs })))
}

fn read_folder(paths: &[PathBuf]) -> Result<Vec<ListedRun>, Failure> {
    let folder = paths.first().and_then(|path| path.parent()).map_or(String::new(), |path| path.display().to_string());
    let mut runs: Vec<ListedRun> = Vec::new();
    let read = read_parts(paths, |header, entry| {
        let venue = header.venue.as_str();
        if runs.last().is_none_or(|last| (last.run, last.venue.as_str()) != (header.run, venue)) {
            runs.push(ListedRun {
                folder: folder.clone(),
                run: header.run,
                venue: venue.to_owned(),
                files: 0,
                bytes: 0,
                records: 0,
                from: utc_text(header.created),
                to: String::new(),
                ended: false,
                orders_unproved: 0,
                recovery: Recovery::default(),
                last: header.created,
            });
        }
        if matches!(entry.record, JournalRecord::Ended(_)) {
            // The start of a run asks what became of the orders of the one before.
            let behind = runs.len() - 1;
            if let Some(before) = runs[..behind].iter_mut().rev().find(|before| before.venue == venue) {
                before.recovery.take(entry);
            }
        }
        if let Some(run) = runs.last_mut() {
            run.recovery.take(entry);
            run.records += 1;
            run.last = entry.time;
        }
        Ok(())
    })?;
    for run in &mut runs {
        let of_run =
            || read.iter().filter(|part| (part.header.run, part.header.venue.as_str()) == (run.run, &*run.venue));
        run.files = of_run().count();
        run.bytes = of_run().map(|part| length(&part.path)).sum();
        run.ended = of_run().rfind(|part| part.records > 0).is_some_and(|part| part.ended_clean);
        run.to = utc_text(run.last);
        run.orders_unproved = run.recovery.left().count();
    }
    Ok(runs)
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |found| found.len())
}
