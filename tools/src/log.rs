//! COLD: logs of the cold threads, on stderr so that stdout stays the result's, or held while a screen is shown.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

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

/// Starts logging to stderr: `SPINBOOK_LOG` (for example `debug` or `spinbook_feed=debug`) overrides the level.
///
/// `quiet` leaves only errors. Calling it twice is harmless: the first call holds.
pub fn start(quiet: bool) {
    let default_level = if quiet { "error" } else { "info" };
    let filter = EnvFilter::try_from_env("SPINBOOK_LOG").unwrap_or_else(|_| EnvFilter::new(default_level));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Lines)
        .with_target(false)
        .with_ansi(false)
        .finish();
    // A second subscriber is refused by `tracing`; the first one keeps working, which is all that is wanted.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// From here on lines are kept, because a screen owns the terminal.
pub fn hold() {
    held().holding = true;
}

/// The screen is gone: everything that was kept is written, and lines go to stderr again.
pub fn release() {
    let mut held = held();
    held.holding = false;
    let mut out = io::stderr().lock();
    if held.dropped > 0 {
        let _ = writeln!(out, "({} older log lines were dropped)", held.dropped);
        held.dropped = 0;
    }
    for line in held.lines.drain(..) {
        let _ = writeln!(out, "{line}");
    }
}

/// What was kept after the first `seen` lines, oldest first, and how many there were so far: for the screen.
#[must_use]
pub fn held_since(seen: u64) -> (Vec<String>, u64) {
    let held = held();
    let fresh = usize::try_from(held.count.saturating_sub(seen)).unwrap_or(usize::MAX).min(held.lines.len());
    (held.lines.iter().skip(held.lines.len() - fresh).cloned().collect(), held.count)
}

/// Where `tracing` writes.
struct Lines;

impl<'a> MakeWriter<'a> for Lines {
    type Writer = LineWriter;

    fn make_writer(&'a self) -> LineWriter {
        LineWriter
    }
}

/// Writes one event, which `tracing` formats before it hands it over.
struct LineWriter;

impl Write for LineWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut held = held();
        if !held.holding {
            drop(held);
            return io::stderr().lock().write(bytes);
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
        io::stderr().lock().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_held_while_a_screen_is_shown() {
        hold();
        LineWriter.write_all(b"one\ntwo\n").expect("held");
        for _ in 0..HELD_LINES_MAX {
            LineWriter.write_all(b"more\n").expect("held");
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
