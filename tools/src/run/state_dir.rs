//! COLD: a run's state directory: one engine at a time, a run number that only grows, and the answer to `kill`.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::durable::replace_file;
use spinbook_feed::venue::order_ids::{OTHER_RUN, RunName};

use crate::error::Failure;
use crate::outcome::KILL_FILE;

/// The file that a run locks, with its number.
pub const RUN_FILE: &str = "run";
/// The file with the runs that were made here, number and random bits, the newest last.
const RUNS_FILE: &str = "runs";
/// Runs that are remembered: an order of an earlier one is taken for another engine's.
const RUNS_MAX: usize = 10_000;
/// How often a lock that is taken is tried again.
const LOCK_ATTEMPTS: u32 = 5;
/// The pause between two attempts.
const LOCK_PAUSE: Duration = Duration::from_millis(20);
/// The file in which an engine answers `spinbook kill`.
const ANSWER_FILE: &str = "killed";

/// An engine's answer to `spinbook kill`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KillAnswer {
    /// What the kill file said: an answer to another request is none to this one.
    pub request: String,
    /// Whether the venues confirmed that nothing is open.
    pub confirmed: bool,
    /// Orders that are open or unknown, as the engine believes.
    pub open_orders: usize,
}

/// What the kill file says; empty where a person made it with nothing in it.
#[must_use]
pub fn kill_request(directory: &Path) -> String {
    fs::read_to_string(directory.join(KILL_FILE)).unwrap_or_default().trim().to_owned()
}

/// Leaves the kill file, after which no engine starts here; whether it was there already. `who` asks for it.
///
/// # Errors
/// The file cannot be made.
pub fn latch(directory: &Path, who: &str) -> io::Result<bool> {
    let path = directory.join(KILL_FILE);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let request = format!("halt {since} {who}\n");
    match OpenOptions::new().write(true).create_new(true).open(&path) {
        Ok(mut file) => {
            if let Err(error) = file.write_all(request.as_bytes()).and_then(|()| file.sync_all()) {
                // The engine looks whether the file is there, not what it says.
                tracing::warn!("{}: is there, but cannot be filled: {error}", path.display());
            }
            Ok(false)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(true),
        Err(error) => Err(error),
    }
}

/// Takes the lock; somebody who only looks at it holds it for a moment.
fn lock(file: &File) -> Result<(), TryLockError> {
    for _ in 0..LOCK_ATTEMPTS {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            outcome => return outcome,
        }
    }
    file.try_lock()
}

/// The engine's answer to this request, if there is one.
#[must_use]
pub fn kill_answer(directory: &Path, request: &str) -> Option<KillAnswer> {
    let text = fs::read_to_string(directory.join(ANSWER_FILE)).ok()?;
    serde_json::from_str(&text).ok().filter(|answer: &KillAnswer| answer.request == request)
}

/// Whether `run` made this directory: it holds the number of a run.
#[must_use]
pub fn is_made_by_run(directory: &Path) -> bool {
    let file = directory.join(RUN_FILE);
    file.is_file() && fs::read_to_string(file).is_ok_and(|text| text.trim().parse::<u32>().is_ok())
}

/// Whether an engine runs in this directory now.
///
/// # Errors
/// Its lock cannot be looked at.
pub fn is_held(directory: &Path) -> io::Result<bool> {
    match File::open(directory.join(RUN_FILE))?.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// The directory, locked as long as this lives.
pub struct StateDir {
    _lock: File,
    path: PathBuf,
    /// This run's number: above that of every run before.
    pub epoch: u32,
    /// The runs that were made here before this one.
    earlier: Vec<RunName>,
    /// This run's 64 random bits: another folder's run of the same number has others.
    pub salt: u64,
}

/// What is said of a directory that cannot be used.
fn unusable(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::usage("cannot use the state directory")
        .at(path.display())
        .because(error)
        .next("name a directory that can be written: engine.state_dir")
}

/// Whether a state directory could be opened here, without making it: what is there of its path is a directory, and
/// files can be made in it.
///
/// # Errors
/// It could not.
pub fn usable(path: &Path) -> Result<(), Failure> {
    let start = if path.is_relative() { Path::new(".").join(path) } else { path.to_owned() };
    let there = start.ancestors().find(|ancestor| fs::symlink_metadata(ancestor).is_ok());
    let there = there.ok_or_else(|| unusable(path, &"nothing of its path is there"))?;
    match fs::metadata(there) {
        Ok(found) if found.is_dir() => {}
        Ok(_) => return Err(unusable(path, &format!("{} is not a directory", there.display()))),
        Err(error) => return Err(unusable(path, &error)),
    }
    let probe = there.join(format!(".spinbook-probe-{}", std::process::id()));
    let made = OpenOptions::new().write(true).create_new(true).open(&probe).map_err(|error| unusable(path, &error))?;
    drop(made);
    fs::remove_file(&probe).map_err(|error| unusable(path, &error))
}

impl StateDir {
    /// Makes the directory if needed, locks it, and takes the next run number.
    ///
    /// # Errors
    /// Another engine runs in it, or it cannot be written.
    pub fn open(path: &Path) -> Result<StateDir, Failure> {
        let fail = |error: &dyn std::fmt::Display| unusable(path, error);
        fs::create_dir_all(path).map_err(|error| fail(&error))?;
        refuse_killed(path)?;
        let file = path.join(RUN_FILE);
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&file)
            .map_err(|error| fail(&error))?;
        match self::lock(&lock) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Failure::failed("another engine runs with this state directory")
                    .at(path.display())
                    .because("two engines on one account would trade against each other")
                    .next("stop it first, or give this one an account and a directory of its own"));
            }
            Err(TryLockError::Error(error)) => return Err(fail(&error)),
        }
        let mut text = String::new();
        lock.read_to_string(&mut text).map_err(|error| fail(&error))?;
        let last: u32 = match text.trim() {
            "" => 0,
            text => text.parse().map_err(|_| fail(&"the run number in `run` is not a number"))?,
        };
        // Seconds since the epoch grow by themselves, so a lost directory does not repeat a number either.
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let epoch = next_epoch(last, seconds).ok_or_else(|| fail(&"the run number in `run` is the last there is"))?;
        // Before the number is used: an order that bears it is known as ours whenever this process dies.
        let salt = random_bits().map_err(|error| fail(&error))?;
        let earlier = remember_run(path, last, RunName { run: epoch, salt }).map_err(|error| fail(&error))?;
        // Over the old one in one write, so that a kill leaves one or the other and never none.
        let text = format!("{epoch}\n");
        lock.seek(SeekFrom::Start(0))
            .and_then(|_| lock.write_all(text.as_bytes()))
            .and_then(|()| lock.set_len(text.len() as u64))
            .and_then(|()| lock.sync_all())
            .map_err(|error| fail(&error))?;
        // Whoever killed between the first look and the lock found no engine.
        refuse_killed(path)?;
        // An answer of an earlier run is none of this one's.
        let _ = fs::remove_file(path.join(ANSWER_FILE));
        Ok(StateDir { _lock: lock, path: path.to_owned(), epoch, earlier, salt })
    }

    /// The runs that were made in this directory before this one.
    #[must_use]
    pub fn earlier(&self) -> &[RunName] {
        &self.earlier
    }

    /// What the kill file says, if it is there.
    #[must_use]
    pub fn kill_request(&self) -> String {
        kill_request(&self.path)
    }

    /// # Errors
    /// `spinbook kill` has asked for the end.
    pub fn refuse_killed(&self) -> Result<(), Failure> {
        refuse_killed(&self.path)
    }

    /// Answers `spinbook kill` where it has asked. Without an answer it says that none came, which is the safe side.
    pub fn answer_kill(&self, confirmed: bool, open_orders: usize) {
        answer_kill(&self.path, confirmed, open_orders);
    }
}

/// The same of the run that holds this directory.
pub fn answer_kill(path: &Path, confirmed: bool, open_orders: usize) {
    if !path.join(KILL_FILE).exists() {
        return;
    }
    let answer = KillAnswer { request: kill_request(path), confirmed, open_orders };
    let text = serde_json::to_string(&answer).expect("a struct of plain values is JSON");
    let (whole, part) = (path.join(ANSWER_FILE), path.join("killed.part"));
    if let Err(error) = fs::write(&part, text + "\n").and_then(|()| fs::rename(&part, &whole)) {
        tracing::warn!("{}: `spinbook kill` cannot be answered: {error}", whole.display());
    }
}

/// Adds a run to those that were made here; says which they were. `last` is known from a time when no list of them was
/// kept; zero: none was made.
fn remember_run(path: &Path, last: u32, this: RunName) -> io::Result<Vec<RunName>> {
    let file = path.join(RUNS_FILE);
    let text = match fs::read_to_string(&file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        text => text?,
    };
    let damaged = |line: &str| io::Error::other(format!("`{line}` in `{RUNS_FILE}` is no run: number and random bits"));
    let mut runs =
        text.lines().map(|line| run_name(line).ok_or_else(|| damaged(line))).collect::<io::Result<Vec<RunName>>>()?;
    if last > 0 && runs.iter().all(|name| name.run != last) {
        runs.push(RunName { run: last, salt: 0 });
    }
    runs.drain(..(runs.len() + 1).saturating_sub(RUNS_MAX));
    let line = |name: &RunName| format!("{} {:016x}\n", name.run, name.salt);
    let lines: String = runs.iter().chain([&this]).map(line).collect();
    replace_file(&file, lines.as_bytes(), 0o644)?;
    Ok(runs)
}

/// A line of the list of runs; one without random bits is of a time when no order's name had them.
fn run_name(line: &str) -> Option<RunName> {
    let (run, salt) = line.trim().split_once(' ').unwrap_or((line.trim(), "0"));
    Some(RunName { run: run.parse().ok()?, salt: u64::from_str_radix(salt, 16).ok()? })
}

/// A run's number, above that of the last one in its folder; `None` where there is none left. [`OTHER_RUN`] is nobody's.
fn next_epoch(last: u32, seconds: u64) -> Option<u32> {
    let epoch = u32::try_from(seconds).unwrap_or(OTHER_RUN - 1).max(last.checked_add(1)?);
    (epoch < OTHER_RUN).then_some(epoch)
}

/// From the system, never zero: that would be no salt.
fn random_bits() -> io::Result<u64> {
    let mut bytes = [0; 8];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes).max(1))
}

fn refuse_killed(path: &Path) -> Result<(), Failure> {
    let kill_file = path.join(KILL_FILE);
    if !kill_file.exists() {
        return Ok(());
    }
    Err(Failure::usage("trading was halted by `spinbook kill`")
        .at(kill_file.display())
        .because("no engine starts in this state directory while the file is there")
        .next("find out why it was halted; then: spinbook rearm -c FILE --reason TEXT"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use spinbook_engine::types::OrderId;
    use spinbook_feed::random::Random;
    use spinbook_feed::venue::order_ids::{ClientIdFormat, ClientIds};

    use super::*;

    #[test]
    fn one_engine_at_a_time_and_numbers_that_grow() {
        let directory = tempfile::tempdir().expect("a directory");
        let first = StateDir::open(directory.path()).expect("free");
        assert!(StateDir::open(directory.path()).is_err(), "two engines in one directory");
        let epoch = first.epoch;
        drop(first);
        assert!(StateDir::open(directory.path()).expect("free again").epoch > epoch);
        fs::write(directory.path().join("run"), "4000000000\n").expect("written");
        assert_eq!(StateDir::open(directory.path()).expect("free again").epoch, 4_000_000_001);
        fs::write(directory.path().join(KILL_FILE), "halt\n").expect("written");
        assert!(StateDir::open(directory.path()).is_err(), "a kill holds until a human lifts it");
        fs::remove_file(directory.path().join(KILL_FILE)).expect("lifted");
        fs::write(directory.path().join(RUN_FILE), "what\n").expect("written");
        assert!(StateDir::open(directory.path()).is_err(), "a damaged number is not guessed");
    }

    #[test]
    fn the_runs_of_a_directory_are_its_own_and_nobody_elses() {
        let directory = tempfile::tempdir().expect("a directory");
        // One that an earlier program made, which kept the last number alone.
        fs::write(directory.path().join(RUN_FILE), "4000000000\n").expect("written");
        let first = StateDir::open(directory.path()).expect("free");
        let old = RunName { run: 4_000_000_000, salt: 0 };
        assert_eq!(first.earlier(), [old]);
        let name = RunName { run: first.epoch, salt: first.salt };
        drop(first);
        let second = StateDir::open(directory.path()).expect("free again");
        assert_eq!(second.earlier(), [old, name]);
        assert!(second.salt != name.salt && second.epoch > name.run);
        let other = tempfile::tempdir().expect("a directory");
        assert_eq!(StateDir::open(other.path()).expect("free").earlier(), []);
        drop(second);
        fs::write(directory.path().join(RUNS_FILE), "7\nx\n").expect("written");
        let refused = StateDir::open(directory.path()).map(|_| ()).expect_err("a damaged list is not guessed");
        assert!(refused.to_string().contains("`x` in `runs`"), "{refused}");
    }

    #[test]
    fn no_name_is_made_by_two_of_a_million_starts_whatever_the_clock_and_a_kill_do() {
        let mut random = Random::new(20_261_121);
        // Four folders that trade on one account; each may be lost, and all clocks stand still or go back.
        let (mut folders, mut seconds) = ([0u32; 4], 1_795_282_957u64);
        let (mut names, mut numbers) = (HashSet::new(), HashSet::new());
        let mut same_numbers = 0;
        for _ in 0..1_000_000 {
            let draw = random.next_u64();
            let folder = &mut folders[(draw % 4) as usize];
            match draw >> 8 & 15 {
                0 => *folder = 0,
                1 => seconds -= draw >> 16 & 3,
                2 => seconds += draw >> 16 & 3,
                _ => {}
            }
            let epoch = next_epoch(*folder, seconds).expect("numbers are left");
            // The steps of a start, a kill behind each: number on the disk, random bits drawn, first order.
            let steps = draw >> 24 & 3;
            if steps > 0 {
                *folder = epoch;
            }
            if steps < 3 {
                continue;
            }
            let ids = ClientIds::of_run(ClientIdFormat::Dashed, epoch, random.next_u64().max(1));
            let order = OrderId::new(epoch, 1);
            same_numbers += u32::from(!numbers.insert(order));
            let name = ids.write(order);
            assert!(names.insert(name.as_str().to_owned()), "{name:?} is made by two runs");
            assert_eq!(ids.read(name.as_str()), Some(order));
        }
        assert!(
            names.len() > 200_000 && same_numbers > 1_000,
            "{} names, {same_numbers} repeated numbers",
            names.len()
        );
        assert_eq!((next_epoch(u32::MAX, 1), next_epoch(u32::MAX - 1, 1)), (None, None), "no number twice");
        assert_eq!((next_epoch(5, 3), next_epoch(0, u64::MAX)), (Some(6), Some(OTHER_RUN - 1)));
    }

    #[test]
    fn a_kill_is_answered_by_the_engine_it_was_meant_for_alone() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path();
        assert!(!is_made_by_run(path) && is_held(path).is_err());
        let engine = StateDir::open(path).expect("free");
        assert!(is_made_by_run(path) && is_held(path).expect("it can be looked at"));
        engine.answer_kill(true, 0);
        assert!(!path.join(ANSWER_FILE).exists(), "nobody asked");
        fs::write(path.join(KILL_FILE), "halt 7\n").expect("written");
        assert!(engine.refuse_killed().is_err(), "also while it waits for its venue");
        engine.answer_kill(false, 2);
        let expected = KillAnswer { request: "halt 7".to_owned(), confirmed: false, open_orders: 2 };
        assert_eq!(kill_answer(path, &kill_request(path)), Some(expected));
        assert_eq!(kill_answer(path, "halt 8"), None, "an answer to another request");
        drop(engine);
        assert!(!is_held(path).expect("it can be looked at"));
        fs::remove_file(path.join(KILL_FILE)).expect("lifted");
        let _next = StateDir::open(path).expect("free again");
        assert_eq!(kill_answer(path, "halt 7"), None, "an answer of the run before");
        let root = tempfile::tempdir().expect("a directory");
        fs::create_dir(root.path().join(RUN_FILE)).expect("made");
        assert!(!is_made_by_run(root.path()), "a folder of that name is no run's number");
    }
}
