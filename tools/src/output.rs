//! COLD: the one place that writes to stdout and stderr: what cannot be written is dropped and counted, never fatal.
//!
//! A dead pipe, a full disk or a closed terminal fail a write; a stopped terminal or a reader that does not read hold
//! it up for ever. Neither may keep a run from cancelling its orders, so a run hands its lines to threads that do
//! nothing but write ([`detach`]), each with a bounded queue. Verbs that trade nothing write where they stand.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use spinbook_feed::net::host::threads;

/// What may wait for one output; more is dropped and counted.
const WAITING_BYTES_MAX: usize = 1 << 20;
/// How long the end of a run waits for what is still to be written.
const SETTLE_WITHIN: Duration = Duration::from_secs(2);

/// Standard output: results.
pub static OUT: Output = Output::new(Target::Out);
/// Standard error: what is said meanwhile.
pub static ERR: Output = Output::new(Target::Err);
/// The log file, where one is named.
pub static LOG_FILE: Output = Output::new(Target::File);

/// Where an output leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Out,
    Err,
    File,
}

/// One output.
pub struct Output {
    target: Target,
    waiting: Mutex<Waiting>,
    changed: Condvar,
    lost: AtomicU64,
}

struct Waiting {
    /// Whether a thread of its own writes.
    detached: bool,
    /// Whether that thread is at it.
    writing: bool,
    chunks: VecDeque<Vec<u8>>,
    bytes: usize,
    file: Option<File>,
}

impl Output {
    const fn new(target: Target) -> Output {
        let waiting = Waiting { detached: false, writing: false, chunks: VecDeque::new(), bytes: 0, file: None };
        Output { target, waiting: Mutex::new(waiting), changed: Condvar::new(), lost: AtomicU64::new(0) }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Chunks are whole whatever a panicking thread did, so a poisoned lock is used on.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes, or hands over to the thread that writes; what fails is counted.
    pub fn write(&'static self, bytes: &[u8]) {
        let mut waiting = self.waiting();
        if !waiting.detached {
            drop(waiting);
            let _ = self.write_now(bytes);
        } else if waiting.bytes + bytes.len() > WAITING_BYTES_MAX {
            self.lost.fetch_add(1, Ordering::Relaxed);
        } else {
            waiting.bytes += bytes.len();
            waiting.chunks.push_back(bytes.to_vec());
            self.changed.notify_all();
        }
    }

    /// Writes a line; what fails is counted.
    pub fn line(&'static self, text: &str) {
        self.write(format!("{text}\n").as_bytes());
    }

    /// Writes and waits until it is written.
    ///
    /// # Errors
    /// It could not be written, which is counted.
    pub fn write_now(&self, bytes: &[u8]) -> io::Result<()> {
        let written = match self.target {
            Target::Out => write_whole(&mut io::stdout().lock(), bytes),
            Target::Err => write_whole(&mut io::stderr().lock(), bytes),
            Target::File => {
                // A handle of its own, so that nobody waits for a slow disk with the lock in hand.
                let file = self.waiting().file.as_ref().map(File::try_clone);
                file.transpose().and_then(|file| file.map_or(Ok(()), |mut file| write_whole(&mut file, bytes)))
            }
        };
        if written.is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        written
    }

    /// Whether nothing waits to be written.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let waiting = self.waiting();
        waiting.chunks.is_empty() && !waiting.writing
    }

    /// Waits until nothing waits any more, but no longer than `within`; whether that was so.
    pub fn settle(&self, within: Duration) -> bool {
        let until = Instant::now() + within;
        let mut waiting = self.waiting();
        while !waiting.chunks.is_empty() || waiting.writing {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            waiting = self.changed.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Writes that failed or found no room so far.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// What the thread of a detached output does for ever.
    fn serve(&self) {
        loop {
            let mut waiting = self.waiting();
            let chunk = loop {
                match waiting.chunks.pop_front() {
                    Some(chunk) => break chunk,
                    None => waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner),
                }
            };
            waiting.bytes -= chunk.len();
            waiting.writing = true;
            drop(waiting);
            let _ = self.write_now(&chunk);
            self.waiting().writing = false;
            self.changed.notify_all();
        }
    }
}

fn write_whole(out: &mut dyn Write, bytes: &[u8]) -> io::Result<()> {
    out.write_all(bytes).and_then(|()| out.flush())
}

/// Where lines of the log go, too, from here on.
pub fn log_to(file: File) {
    LOG_FILE.waiting().file = Some(file);
}

/// From here on nobody waits for a write: threads of their own do. Where the system gives none, writes stay as they
/// were.
pub fn detach() {
    for output in [&OUT, &ERR, &LOG_FILE] {
        if output.waiting().detached {
            continue;
        }
        if threads::spawn("spinbook-write", None, |_| {}, || output.serve()).is_ok() {
            output.waiting().detached = true;
        }
    }
}

/// Writes are waited for again, once what was handed over is written or has had its time. What did not get through by
/// then is left behind and counted.
pub fn attach() {
    for output in [&OUT, &ERR, &LOG_FILE] {
        output.settle(SETTLE_WITHIN);
        let mut waiting = output.waiting();
        let left = waiting.chunks.len() as u64 + u64::from(waiting.writing);
        waiting.chunks.clear();
        waiting.bytes = 0;
        // A thread that is stuck in a write holds the stream: whoever wrote as well would be stuck behind it.
        waiting.detached = waiting.writing;
        output.lost.fetch_add(left, Ordering::Relaxed);
    }
}

/// Writes that failed or found no room so far, of every output.
#[must_use]
pub fn lost() -> u64 {
    [&OUT, &ERR, &LOG_FILE].iter().map(|output| output.lost()).sum()
}

/// Writes a verb's result, one line or several, to stdout.
///
/// # Errors
/// It could not be written.
pub fn result(text: &str) -> io::Result<()> {
    if OUT.waiting().detached && !OUT.settle(SETTLE_WITHIN) {
        OUT.lost.fetch_add(1, Ordering::Relaxed);
        return Err(io::Error::new(io::ErrorKind::TimedOut, "its reader does not read"));
    }
    OUT.write_now(format!("{text}\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;

    use super::*;

    fn leaked(target: Target) -> &'static Output {
        Box::leak(Box::new(Output::new(target)))
    }

    #[test]
    fn what_a_full_device_refuses_is_counted_and_nothing_else_happens() {
        let output = leaked(Target::File);
        output.line("nowhere to go, nothing lost");
        assert_eq!(output.lost(), 0);
        output.waiting().file = Some(OpenOptions::new().write(true).open("/dev/full").expect("every Linux has it"));
        output.line("one");
        output.line("two");
        assert_eq!(output.lost(), 2);
        assert!(output.is_idle());
    }

    #[test]
    fn nobody_waits_for_a_reader_that_does_not_read() {
        let (reader, writer) = io::pipe().expect("a pipe");
        let output = leaked(Target::File);
        output.waiting().file = Some(File::from(std::os::fd::OwnedFd::from(writer)));
        output.waiting().detached = true;
        std::thread::spawn(|| output.serve());
        // Far more than a pipe and the queue hold.
        for _ in 0..300 {
            output.write(&[b'x'; 10_000]);
        }
        assert!(!output.settle(Duration::from_millis(20)), "the pipe is full and nobody reads");
        assert!(output.lost() > 0 && output.waiting().bytes <= WAITING_BYTES_MAX);
        drop(reader);
        // The rest fails at once: nobody will ever read it.
        assert!(output.settle(Duration::from_secs(60)));
    }
}
