//! COLD: a run's state directory: one engine at a time, and a run number that only grows.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::Failure;
use crate::outcome::KILL_FILE;

/// The directory, locked as long as this lives.
pub struct StateDir {
    _lock: File,
    /// This run's number: above that of every run before.
    pub epoch: u32,
}

impl StateDir {
    /// Makes the directory if needed, locks it, and takes the next run number.
    ///
    /// # Errors
    /// Another engine runs in it, or it cannot be written.
    pub fn open(path: &Path) -> Result<StateDir, Failure> {
        let fail = |error: &dyn std::fmt::Display| {
            Failure::failed("cannot use the state directory")
                .at(path.display())
                .because(error)
                .next("name a directory that can be written: engine.state_dir")
        };
        fs::create_dir_all(path).map_err(|error| fail(&error))?;
        let kill_file = path.join(KILL_FILE);
        if kill_file.exists() {
            return Err(Failure::usage("trading was halted by `spinbook kill`")
                .at(kill_file.display())
                .because("no engine starts in this state directory while the file is there")
                .next("find out why it was halted; then remove the file"));
        }
        let file = path.join("run");
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&file)
            .map_err(|error| fail(&error))?;
        match lock.try_lock() {
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
        let epoch = u32::try_from(seconds).unwrap_or(u32::MAX - 1).max(last.saturating_add(1));
        lock.seek(SeekFrom::Start(0)).map_err(|error| fail(&error))?;
        lock.set_len(0).map_err(|error| fail(&error))?;
        writeln!(lock, "{epoch}").and_then(|()| lock.sync_all()).map_err(|error| fail(&error))?;
        Ok(StateDir { _lock: lock, epoch })
    }
}

#[cfg(test)]
mod tests {
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
        fs::write(directory.path().join("run"), "what\n").expect("written");
        assert!(StateDir::open(directory.path()).is_err(), "a damaged number is not guessed");
    }
}
