//! COLD: what was earned today, kept in the state directory, so that a restart does not forget a loss or its stop.
//!
//! One entry a mode and quote asset: paper money is no real money. A stop stays, over restarts and midnights, until a
//! person re-arms it with a reason; from then on the limit counts anew.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use spinbook_engine::risk::DayResult;
use spinbook_engine::types::QuoteAtoms;

use super::plan::RunMode;
use crate::durable::replace_file;
use crate::error::Failure;
use crate::ui::report::atoms_text;
use crate::ui::time::day_text;

/// Its owner writes it, others may look.
const FILE_MODE: u32 = 0o644;

/// The book's file in a state directory.
const BOOK_FILE: &str = "day.json";
/// The file that says who re-armed what, when and why.
const REARM_FILE: &str = "rearmed.jsonl";
/// A changed result waits at most this long to be kept; a stop does not wait.
const KEEP_INTERVAL: Duration = Duration::from_secs(1);

/// What was earned in one quote asset in one mode. Amounts are whole 10^-18 of the asset, as text: exact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    mode: String,
    asset: String,
    /// The UTC day, for people.
    date: String,
    /// The same, counted from the Unix epoch.
    day: i64,
    earned_atoms: String,
    /// What had been earned on that day when a person re-armed: the limit counts from there.
    rearmed_at_atoms: String,
    /// The daily loss limit stopped trading, and nobody has re-armed it.
    stopped: bool,
}

impl Entry {
    fn earned(&self) -> Option<i128> {
        self.earned_atoms.parse().ok()
    }

    fn rearmed_at(&self) -> Option<i128> {
        self.rearmed_at_atoms.parse().ok()
    }
}

/// A daily loss limit that stopped trading and was not re-armed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LossStopped {
    /// `demo`, `paper`, `shadow` or `live`.
    pub mode: String,
    /// The quote asset.
    pub asset: String,
    /// The day of the loss, UTC.
    pub date: String,
    /// What had been earned on it: a loss is negative.
    pub earned_quote: String,
}

/// The results of the day as one run keeps them.
#[derive(Debug)]
pub struct DayBook {
    /// Where it is kept; nowhere for a run of which nothing is left.
    path: Option<PathBuf>,
    mode: &'static str,
    entries: Vec<Entry>,
    kept: Vec<Entry>,
    kept_at: Option<Instant>,
    failure: Option<String>,
}

impl DayBook {
    /// Reads the book of a state directory for one mode.
    ///
    /// # Errors
    /// It cannot be read, or is not what was written: a loss is not guessed.
    pub fn open(state_dir: &Path, mode: RunMode) -> Result<DayBook, Failure> {
        let path = state_dir.join(BOOK_FILE);
        let entries = read(&path)?;
        Ok(DayBook {
            path: Some(path),
            mode: mode.name(),
            kept: entries.clone(),
            entries,
            kept_at: None,
            failure: None,
        })
    }

    /// A book that is kept nowhere: for runs in virtual time, whose days are made up.
    #[must_use]
    pub fn unkept(mode: RunMode) -> DayBook {
        let (entries, kept) = (Vec::new(), Vec::new());
        DayBook { path: None, mode: mode.name(), entries, kept, kept_at: None, failure: None }
    }

    fn entry(&self, asset: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.mode == self.mode && entry.asset == asset)
    }

    /// What counts against the daily limit of an asset at the start of a run, and whether the limit has stopped an
    /// earlier one.
    #[must_use]
    pub fn before(&self, asset: &str) -> (DayResult, bool) {
        let Some(entry) = self.entry(asset) else { return (DayResult::default(), false) };
        let earned = entry.earned().unwrap_or(0).saturating_sub(entry.rearmed_at().unwrap_or(0));
        (DayResult { day: entry.day, earned: QuoteAtoms(earned) }, entry.stopped)
    }

    /// Notes what the engine says: `result` counts from the start of the day or from the last re-arming of it.
    pub fn note(&mut self, asset: &str, result: DayResult, stopped: bool) {
        let before = self.entry(asset).cloned();
        // Before the first price there is nothing to note, unless an earlier run left something.
        let result = match &before {
            None if result.day == 0 => return,
            Some(known) if result.day == 0 => self.before(&known.asset).0,
            _ => result,
        };
        let rearmed_at = before.as_ref().filter(|entry| entry.day == result.day).and_then(Entry::rearmed_at);
        let rearmed_at = rearmed_at.unwrap_or(0);
        let stopped = stopped || before.is_some_and(|entry| entry.stopped);
        let entry = Entry {
            mode: self.mode.to_owned(),
            asset: asset.to_owned(),
            date: day_text(result.day),
            day: result.day,
            earned_atoms: result.earned.0.saturating_add(rearmed_at).to_string(),
            rearmed_at_atoms: rearmed_at.to_string(),
            stopped,
        };
        match self.entries.iter_mut().find(|entry| entry.mode == self.mode && entry.asset == asset) {
            Some(known) => *known = entry,
            None => self.entries.push(entry),
        }
    }

    /// Writes what is not written yet: a stop at once, the rest once a second, or now.
    pub fn keep(&mut self, at_once: bool) {
        let Some(path) = self.path.as_ref().filter(|_| self.entries != self.kept) else {
            return;
        };
        let stops = |entries: &[Entry]| entries.iter().filter(|entry| entry.stopped).count();
        let due = self.kept_at.is_none_or(|at| at.elapsed() >= KEEP_INTERVAL);
        if !at_once && !due && stops(&self.entries) == stops(&self.kept) {
            return;
        }
        self.kept_at = Some(Instant::now());
        match write(path, &self.entries) {
            Ok(()) => {
                self.kept.clone_from(&self.entries);
                self.failure = None;
            }
            Err(error) => {
                if self.failure.is_none() {
                    let path = path.display();
                    tracing::error!("the result of the day cannot be kept: a restart would forget it: {path}: {error}");
                }
                self.failure = Some(error.to_string());
            }
        }
    }

    /// What was earned on the day in an asset, all runs of the mode together.
    #[must_use]
    pub fn earned(&self, asset: &str) -> Option<QuoteAtoms> {
        self.entry(asset)?.earned().map(QuoteAtoms)
    }

    /// Why the last attempt to write it failed, if it did.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }
}

/// The stops of a state directory, in all modes.
///
/// # Errors
/// The book cannot be read.
pub fn stops(state_dir: &Path) -> Result<Vec<LossStopped>, Failure> {
    let entries = read(&state_dir.join(BOOK_FILE))?;
    let stopped = entries.iter().filter(|entry| entry.stopped).map(|entry| LossStopped {
        mode: entry.mode.clone(),
        asset: entry.asset.clone(),
        date: entry.date.clone(),
        earned_quote: atoms_text(QuoteAtoms(entry.earned().unwrap_or(0))),
    });
    Ok(stopped.collect())
}

/// Ends every stop of a state directory: the limits count from what has been earned by now.
///
/// # Errors
/// The book cannot be read or written.
pub fn rearm(state_dir: &Path) -> Result<(), Failure> {
    let path = state_dir.join(BOOK_FILE);
    let mut entries = read(&path)?;
    for entry in entries.iter_mut().filter(|entry| entry.stopped) {
        entry.stopped = false;
        entry.rearmed_at_atoms.clone_from(&entry.earned_atoms);
    }
    if entries.is_empty() {
        return Ok(());
    }
    write(&path, &entries)
        .map_err(|error| Failure::failed("cannot write the results of the day").at(path.display()).because(error))
}

/// Adds a line to the record of who re-armed what, and sees it on the disk.
///
/// # Errors
/// It cannot be written.
pub fn record_rearming(state_dir: &Path, line: &serde_json::Value) -> Result<PathBuf, Failure> {
    let path = state_dir.join(REARM_FILE);
    let failed =
        |error: io::Error| Failure::failed("cannot write down who re-arms and why").at(path.display()).because(error);
    let mut file = OpenOptions::new().append(true).create(true).open(&path).map_err(failed)?;
    writeln!(file, "{line}").and_then(|()| file.sync_all()).map_err(failed)?;
    Ok(path)
}

fn read(path: &Path) -> Result<Vec<Entry>, Failure> {
    let damaged = |why: String| {
        Failure::failed("cannot read the results of the day")
            .at(path.display())
            .because(why)
            .next("a loss is not guessed: mend the file by hand, or move it away to begin the day from nothing")
    };
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(damaged(error.to_string())),
    };
    let entries: Vec<Entry> = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
    match entries.iter().find(|entry| entry.earned().is_none() || entry.rearmed_at().is_none()) {
        Some(entry) => {
            Err(damaged(format!("`{}` or `{}` is no whole number", entry.earned_atoms, entry.rearmed_at_atoms)))
        }
        None => Ok(entries),
    }
}

fn write(path: &Path, entries: &[Entry]) -> io::Result<()> {
    let text = serde_json::to_string_pretty(entries).map_err(io::Error::other)?;
    replace_file(path, format!("{text}\n").as_bytes(), FILE_MODE).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(day: i64, earned: i128) -> DayResult {
        DayResult { day, earned: QuoteAtoms(earned) }
    }

    #[test]
    fn a_loss_and_its_stop_are_there_after_a_restart_and_each_mode_has_its_own() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut book = DayBook::open(folder.path(), RunMode::Live).expect("empty");
        assert_eq!(book.before("USDT"), (DayResult::default(), false));
        book.note("USDT", DayResult::default(), false);
        book.keep(true);
        assert!(!folder.path().join(BOOK_FILE).exists(), "nothing is known yet");
        book.note("USDT", result(20_000, -60), false);
        book.note("BTC", result(20_000, 5), false);
        book.keep(false);
        book.note("USDT", result(20_000, -70), false);
        book.keep(false);
        let read = || DayBook::open(folder.path(), RunMode::Live).expect("written");
        assert_eq!(read().before("USDT"), (result(20_000, -60), false), "within the same second");
        book.note("USDT", result(20_000, -71), true);
        book.keep(false);
        assert_eq!(read().before("USDT"), (result(20_000, -71), true), "a stop does not wait");
        assert_eq!(read().before("BTC"), (result(20_000, 5), false));
        let paper = DayBook::open(folder.path(), RunMode::Paper).expect("written");
        assert_eq!(paper.before("USDT"), (DayResult::default(), false));
        // The next day begins from nothing, and the stop stays.
        let mut next = read();
        next.note("USDT", result(20_001, -1), false);
        next.keep(true);
        assert_eq!(read().before("USDT"), (result(20_001, -1), true));
    }

    #[test]
    fn who_re_arms_begins_from_nothing_and_the_day_keeps_its_whole_result() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert_eq!(stops(folder.path()).expect("nothing there"), []);
        let mut book = DayBook::open(folder.path(), RunMode::Live).expect("empty");
        book.note("USDT", result(20_000, -71), true);
        book.keep(true);
        let rearmed = stops(folder.path()).expect("written");
        rearm(folder.path()).expect("written");
        assert_eq!(
            (rearmed[0].earned_quote.as_str(), rearmed[0].date.as_str()),
            ("-0.000000000000000071", "2024-10-04")
        );
        assert_eq!(stops(folder.path()).expect("written"), []);
        let mut book = DayBook::open(folder.path(), RunMode::Live).expect("written");
        assert_eq!(book.before("USDT"), (result(20_000, 0), false));
        book.note("USDT", result(20_000, -20), false);
        assert_eq!(book.earned("USDT"), Some(QuoteAtoms(-91)));
        book.note("USDT", result(20_001, -3), false);
        assert_eq!(book.earned("USDT"), Some(QuoteAtoms(-3)), "another day");
    }

    #[test]
    fn a_damaged_book_is_refused_and_one_that_cannot_be_written_is_said() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for text in ["", "{}", "[{\"mode\":\"live\"}]"] {
            fs::write(folder.path().join(BOOK_FILE), text).expect("writable");
            assert!(DayBook::open(folder.path(), RunMode::Live).is_err(), "`{text}`");
        }
        fs::remove_file(folder.path().join(BOOK_FILE)).expect("there");
        let mut book = DayBook::open(&folder.path().join("gone"), RunMode::Live).expect("empty");
        book.note("USDT", result(20_000, -71), true);
        book.keep(true);
        assert!(book.failure().is_some());
    }
}
