//! COLD: journals of runs that are over: how long they are kept, and which are never removed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use spinbook_feed::journal::record::JournalRecord;
use spinbook_feed::journal::recover::Recovery;

use super::journals::{read_parts, run_of};
use crate::error::Failure;

/// How long journals are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalKeeping {
    /// So long after they were last written to.
    pub span: Duration,
    /// With more files of one venue the oldest runs go, however young; none: as many as there are.
    pub files_max: Option<usize>,
}

/// The files of one run, in their order.
type Run = Vec<PathBuf>;

/// Removes the oldest of a venue's `files`, which are in order and none of which any start needs. A run with an order whose
/// end nothing proves stays, and so does one that cannot be read. Gives back what is gone.
pub fn remove_old(files: &[PathBuf], venue: &str, keeping: JournalKeeping, now: SystemTime) -> Vec<PathBuf> {
    let runs: Vec<Run> =
        files.chunk_by(|one, two| run_of(one, venue) == run_of(two, venue)).map(<[PathBuf]>::to_vec).collect();
    let mut left = files.len();
    let mut gone = Vec::new();
    for (place, run) in runs.iter().enumerate() {
        let too_many = keeping.files_max.is_some_and(|most| left > most);
        if !too_many && !is_older(run, keeping.span, now) {
            continue;
        }
        match unproved(run, runs.get(place + 1)) {
            Ok(0) => {}
            Ok(count) => {
                tracing::debug!("{}: kept: the end of {count} orders is not proved", first_of(run).display());
                continue;
            }
            Err(failure) => {
                tracing::warn!("{}: an old journal is kept: {failure}", first_of(run).display());
                continue;
            }
        }
        left -= run.len();
        // The last part first: what is left of a run that could not be removed whole begins with its beginning.
        for path in run.iter().rev() {
            match fs::remove_file(path) {
                Ok(()) => gone.push(path.clone()),
                Err(error) => {
                    tracing::warn!("{}: an old journal cannot be removed: {error}", path.display());
                    break;
                }
            }
        }
    }
    gone
}

fn first_of(run: &Run) -> &Path {
    run.first().map_or(Path::new(""), PathBuf::as_path)
}

/// Whether nothing was written to any of them for so long. What the system does not say is young.
fn is_older(run: &Run, span: Duration, now: SystemTime) -> bool {
    run.iter().all(|path| {
        let written = fs::metadata(path).and_then(|found| found.modified());
        written.is_ok_and(|written| now.duration_since(written).is_ok_and(|age| age > span))
    })
}

/// Orders of a run whose end neither its own journal proves nor that of the `next` run, whose start asked for them.
fn unproved(run: &Run, next: Option<&Run>) -> Result<usize, Failure> {
    let mut recovery = Recovery::default();
    read_parts(run, |_, entry| {
        recovery.take(entry);
        Ok(())
    })?;
    if recovery.left().count() == 0 {
        return Ok(0);
    }
    let asked: Run = next.into_iter().flatten().take(1).cloned().collect();
    read_parts(&asked, |_, entry| {
        if matches!(entry.record, JournalRecord::Ended(_)) {
            recovery.take(entry);
        }
        Ok(())
    })?;
    Ok(recovery.left().count())
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;

    use spinbook_engine::intent::Intent;
    use spinbook_engine::types::{InstrumentId, Lots, Nanos, OrderId};
    use spinbook_feed::journal::end::{EndProof, OrderEnd, ProvedEnd};
    use spinbook_feed::journal::frame::JournalHeader;
    use spinbook_feed::journal::writer::{Journal, JournalWriter};
    use spinbook_feed::net::io::journal_files::{JournalFiles, part_files, part_name};
    use spinbook_feed::venue::instrument::Symbol;
    use spinbook_feed::venue::order_ids::ClientOrderId;

    use super::*;

    const VENUE: &str = "binance-usdm";
    const DAY: Duration = Duration::from_secs(24 * 3_600);

    fn order(run: u32) -> OrderId {
        OrderId::new(run, 1)
    }

    fn ended(run: u32) -> JournalRecord {
        let (end, proof) = (OrderEnd::Canceled, EndProof::NextStart);
        let instrument = InstrumentId(0);
        JournalRecord::Ended(ProvedEnd { order: order(run), instrument, end, proof, lots_filled: Lots::ZERO })
    }

    /// A run's journal with one order and these records behind it, written to for the last time so many days ago.
    fn run(folder: &Path, run: u32, records: &[JournalRecord], days: u32) -> PathBuf {
        let venue = Symbol::new(VENUE).expect("a name");
        let header = JournalHeader { run, salt: 7, part: 0, created: Nanos(1), venue };
        let files = JournalFiles::begin(folder, header, 256 << 10).expect("room");
        let mut journal = Journal::On(Box::new(JournalWriter::new(Box::new(files), Vec::new(), Nanos(1))));
        let intent = Intent { order: order(run), ..Intent::default() };
        let name = ClientOrderId::from_text("spinbook-1").expect("a name");
        journal.place(&intent, || name, Nanos(1)).expect("written");
        records.iter().for_each(|record| journal.note(record, Nanos(2)));
        journal.finish();
        let path = folder.join(part_name(&header));
        let file = OpenOptions::new().write(true).open(&path).expect("there");
        file.set_modified(SystemTime::now() - DAY * days).expect("our own file");
        path
    }

    fn clean() -> JournalRecord {
        JournalRecord::RunEnded { confirmed: true, open_orders: 0, why: "finished".to_owned() }
    }

    fn keeping(days: u32, files_max: Option<usize>) -> JournalKeeping {
        JournalKeeping { span: DAY * days, files_max }
    }

    #[test]
    fn runs_that_are_over_go_when_their_time_is_up_and_never_with_an_order_that_nothing_proves_ended() {
        let folder = tempfile::tempdir().expect("a folder");
        let lost = run(folder.path(), 1, &[], 90);
        let asked = run(folder.path(), 2, &[], 80);
        let next = run(folder.path(), 3, &[ended(2), clean()], 70);
        let young = run(folder.path(), 4, &[clean()], 20);
        let files = part_files(folder.path()).expect("there");
        let gone = remove_old(&files, VENUE, keeping(30, None), SystemTime::now());
        assert_eq!(gone, [asked, next]);
        assert_eq!(part_files(folder.path()).expect("there"), [lost, young]);
    }

    #[test]
    fn with_too_many_files_the_oldest_runs_go_however_young() {
        let folder = tempfile::tempdir().expect("a folder");
        let runs: Vec<PathBuf> = (1..=5).map(|number| run(folder.path(), number, &[clean()], 1)).collect();
        let files = part_files(folder.path()).expect("there");
        assert!(remove_old(&files, VENUE, keeping(30, Some(5)), SystemTime::now()).is_empty());
        assert_eq!(remove_old(&files, VENUE, keeping(30, Some(2)), SystemTime::now()), runs[..3]);
        assert_eq!(part_files(folder.path()).expect("there"), runs[3..]);
    }

    #[test]
    fn a_journal_that_cannot_be_read_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = run(folder.path(), 1, &[clean()], 90);
        let mut bytes = fs::read(&path).expect("there");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0xff;
        fs::write(&path, bytes).expect("written");
        let old = OpenOptions::new().write(true).open(&path).expect("there");
        old.set_modified(SystemTime::now() - DAY * 90).expect("our own file");
        let files = part_files(folder.path()).expect("there");
        assert!(remove_old(&files, VENUE, keeping(30, None), SystemTime::now()).is_empty());
        assert!(path.exists());
    }
}
