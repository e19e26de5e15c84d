//! COLD: logs of the cold threads, on stderr so that stdout stays the result's, in a file, or held while a screen is shown.

use std::collections::VecDeque;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, fmt};

use crate::error::Failure;
use crate::output::{self, ERR, LOG_FILE};

/// The most lines that are held while a screen is shown; older ones are dropped and counted.
const HELD_LINES_MAX: usize = 1_000;

/// Lines that wait for the screen to go.
struct Held {
    holding: bool,
    lines: VecDeque<String>,
    dropped: u64,
    /// Lines held since the start, dropped ones included.
    count: u64,
}

static HELD: Mutex<Held> = Mutex::new(Held { holding: false, lines: VecDeque::new(), dropped: 0, count: 0 });

fn held() -> MutexGuard<'static, Held> {
    // Lines are whole whatever a panicking thread did, so a poisoned lock is used on.
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What `SPINBOOK_LOG` may say, for people.
const LEVELS: &str = "a level (off, error, warn, info, debug, trace), or MODULE=LEVEL such as spinbook_feed=debug, or \
                      several of them with commas between";

/// Starts logging to stderr, and to a file where one is named. `SPINBOOK_LOG` (for example `debug` or
/// `spinbook_feed=debug`) overrides the level of both.
///
/// `quiet` leaves warnings and errors on stderr; the file gets what is said without it. Calling it twice is harmless:
/// the first call holds.
///
/// # Errors
/// The file cannot be written, or the level is none.
pub fn start(quiet: bool, file: Option<&Path>) -> Result<(), Failure> {
    let wanted = std::env::var("SPINBOOK_LOG").ok().filter(|text| !text.trim().is_empty());
    if let Some(text) = wanted.as_deref().filter(|text| !is_filter(text)) {
        return Err(Failure::usage("the level of the log is not understood")
            .at(format!("SPINBOOK_LOG={text}"))
            .because(format!("expected {LEVELS}")));
    }
    let filter = |usual: LevelFilter| match wanted.as_deref().and_then(|text| text.parse::<Targets>().ok()) {
        Some(wanted) => wanted,
        None => Targets::new().with_default(usual),
    };
    if let Some(path) = file {
        let opened = OpenOptions::new().append(true).create(true).open(path);
        output::log_to(opened.map_err(|error| {
            Failure::usage("the log file cannot be written")
                .at(path.display())
                .because(error)
                .next("name a file in a folder that exists and may be written: --log-file FILE")
        })?);
    }
    let lines = || fmt::layer().with_target(false).with_ansi(false).log_internal_errors(false);
    let usual = if quiet { LevelFilter::WARN } else { LevelFilter::INFO };
    let mut layers = vec![lines().with_writer(|| Lines).with_filter(filter(usual)).boxed()];
    layers.extend(file.map(|_| lines().with_writer(|| FileLines).with_filter(filter(LevelFilter::INFO)).boxed()));
    // A second subscriber is refused by `tracing`; the first one keeps working, which is all that is wanted.
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layers));
    Ok(())
}

/// Whether a text says which levels are logged: a library takes any word for the name of a module that does not exist.
fn is_filter(text: &str) -> bool {
    let level = |text: &str| {
        text.parse::<LevelFilter>().is_ok()
            && !text.is_empty()
            && !text.starts_with(|first: char| first.is_ascii_digit())
    };
    text.split(',').map(str::trim).all(|part| match part.split_once('=') {
        Some((module, value)) => module.trim().starts_with("spinbook") && level(value.trim()),
        None => level(part),
    })
}

/// From here on lines are kept, because a screen owns the terminal.
pub fn hold() {
    held().holding = true;
}

/// The screen is gone: everything that was kept is written, and lines go to stderr again.
pub fn release() {
    let mut held = held();
    held.holding = false;
    if held.dropped > 0 {
        ERR.line(&format!("({} older log lines were dropped)", held.dropped));
        held.dropped = 0;
    }
    for line in held.lines.drain(..) {
        ERR.line(&line);
    }
}

/// What was kept after the first `seen` lines, oldest first, and how many there were so far: for the screen.
#[must_use]
pub fn held_since(seen: u64) -> (Vec<String>, u64) {
    let held = held();
    let fresh = usize::try_from(held.count.saturating_sub(seen)).unwrap_or(usize::MAX).min(held.lines.len());
    (held.lines.iter().skip(held.lines.len() - fresh).cloned().collect(), held.count)
}

/// Writes one event to stderr or to the screen, which `tracing` formats before it hands it over. It never fails: a line
/// that is lost is counted where it was lost.
struct Lines;

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut held = held();
        if !held.holding {
            drop(held);
            ERR.write(bytes);
            return Ok(bytes.len());
        }
        for line in String::from_utf8_lossy(bytes).lines() {
            if held.lines.len() == HELD_LINES_MAX {
                held.lines.pop_front();
                held.dropped += 1;
            }
            held.lines.push_back(line.to_owned());
            held.count += 1;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The same for the log file.
struct FileLines;

impl Write for FileLines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG_FILE.write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_no_level_is_refused() {
        for good in ["debug", "off", "WARN", "spinbook_feed=debug", "info, spinbook_feed::net=trace"] {
            assert!(is_filter(good), "{good}");
        }
        for bad in ["banana", "", "debug,banana", "spinbook_feed=", "spinbook_feed=loud", "other=info", "3", "info,"] {
            assert!(!is_filter(bad), "{bad}");
        }
    }

    #[test]
    fn lines_are_held_while_a_screen_is_shown() {
        hold();
        Lines.write_all(b"one\ntwo\n").expect("held");
        for _ in 0..HELD_LINES_MAX {
            Lines.write_all(b"more\n").expect("held");
        }
        let (lines, count) = held_since(0);
        assert_eq!((lines.len(), count), (HELD_LINES_MAX, HELD_LINES_MAX as u64 + 2));
        assert_eq!(held_since(count - 1).0, ["more"]);
        assert!(held_since(count).0.is_empty());
        assert!(lines.iter().all(|line| line == "more"), "the oldest were dropped");
        assert_eq!(held().dropped, 2);
        release();
        assert!(held_since(0).0.is_empty());
    }
}
