//! HOT: two mailboxes between the hot thread and the thread that fetches snapshots; nothing here waits or frees.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_queue::ArrayQueue;
use spinbook_engine::book::Book;
use spinbook_engine::setup::{self, BookSettings};
use spinbook_engine::types::InstrumentId;

use crate::net::io::fetch::{FetchError, Fetcher};
use crate::venue::market::FRAME_PADDING;

/// Largest snapshot body accepted, in bytes: 5,000 levels a side take about 400 KiB.
pub const SNAPSHOT_BYTES_MAX: usize = 4 << 20;
/// How long the fetching thread sleeps when there is nothing to do.
const IDLE_SLEEP: Duration = Duration::from_millis(1);

/// A snapshot that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotJob {
    /// Which of the hot loop's sessions wants it.
    pub session: usize,
    /// Whose book.
    pub instrument: InstrumentId,
    /// Levels a side.
    pub levels: u16,
    /// The book's store of far levels was full: with the snapshot comes a book that has this many a side.
    pub outer_levels: Option<usize>,
}

/// Why a snapshot did not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotFailure {
    /// HTTP status; zero if there was no reply.
    pub status: u16,
    /// For how long nothing will be asked, in seconds; zero if the venue did not say.
    pub retry_after_seconds: u64,
}

/// What came of a job.
#[derive(Debug)]
pub struct SnapshotResult {
    /// Which job.
    pub job: SnapshotJob,
    /// The body's bytes with padding behind them.
    pub buffer: Vec<u8>,
    /// Length of the body, or why there is none.
    pub length: Result<usize, SnapshotFailure>,
    /// The larger book that was asked for; on the way back, the one it took the place of.
    pub book: Option<Book>,
}

/// The hot thread's end.
#[derive(Clone)]
pub struct SnapshotMailbox {
    jobs: Arc<ArrayQueue<SnapshotJob>>,
    results: Arc<ArrayQueue<SnapshotResult>>,
    spent: Arc<ArrayQueue<SnapshotResult>>,
}

impl SnapshotMailbox {
    /// Asks for a snapshot; false if the queue is full (ask again later).
    #[must_use]
    pub fn ask(&self, job: SnapshotJob) -> bool {
        self.jobs.push(job).is_ok() // bounded: a fixed queue
    }

    /// A result that has come.
    #[inline]
    #[must_use]
    pub fn take(&self) -> Option<SnapshotResult> {
        self.results.pop()
    }

    /// Gives buffer and book back, to be freed on the fetching thread.
    pub fn give_back(&self, result: SnapshotResult) {
        // As many as results exist at most, so there is room; otherwise they are freed here.
        let _ = self.spent.push(result); // bounded: a fixed queue
    }
}

/// Gives the URL of a session's snapshot.
pub trait SnapshotUrls: Send {
    /// The complete URL.
    fn url(&self, job: SnapshotJob) -> String;
}

/// The fetching thread's end.
pub struct SnapshotWorker<U> {
    mailbox: SnapshotMailbox,
    fetchers: Vec<Fetcher>,
    urls: U,
    on_failure: fn(&FetchError),
}

/// A mailbox for `slots` jobs at once, and its worker, which asks with one fetcher for each of the hot loop's sessions,
/// in their order. `on_failure` is called with each error, to log it.
pub fn new<U: SnapshotUrls>(
    slots: usize,
    fetchers: Vec<Fetcher>,
    urls: U,
    on_failure: fn(&FetchError),
) -> (SnapshotMailbox, SnapshotWorker<U>) {
    let slots = slots.max(1);
    let mailbox = SnapshotMailbox {
        jobs: Arc::new(ArrayQueue::new(slots)),
        results: Arc::new(ArrayQueue::new(slots)),
        spent: Arc::new(ArrayQueue::new(slots)),
    };
    let worker = SnapshotWorker { mailbox: mailbox.clone(), fetchers, urls, on_failure };
    (mailbox, worker)
}

impl<U: SnapshotUrls> SnapshotWorker<U> {
    /// Fetches until `stop` is set. Cold: it has a thread of its own.
    // cold: a thread of its own
    pub fn run(self, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            while self.mailbox.spent.pop().is_some() {}
            let Some(job) = self.mailbox.jobs.pop() else {
                std::thread::sleep(IDLE_SLEEP);
                continue;
            };
            let mut result = self.fetch(job);
            // The hot thread takes results every turn; a full mailbox means that it is gone.
            while let Err(back) = self.mailbox.results.push(result) {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                result = back;
                std::thread::sleep(IDLE_SLEEP);
            }
        }
    }

    fn fetch(&self, job: SnapshotJob) -> SnapshotResult {
        match self.fetchers[job.session].get(&self.urls.url(job), SNAPSHOT_BYTES_MAX) {
            Ok(mut buffer) => {
                let length = buffer.len();
                buffer.resize(length + FRAME_PADDING, 0);
                // Where a larger book is wanted it is built here, and the hot thread only has to put it in place.
                let book = job.outer_levels.map(|outer_levels| setup::book(&BookSettings { outer_levels }));
                SnapshotResult { job, buffer, length: Ok(length), book }
            }
            Err(error) => {
                (self.on_failure)(&error);
                let failure = match error {
                    FetchError::RateLimited { status, retry_after_seconds, .. } => {
                        SnapshotFailure { status, retry_after_seconds }
                    }
                    FetchError::Status { status, .. } | FetchError::Redirect { status, .. } => {
                        SnapshotFailure { status, retry_after_seconds: 0 }
                    }
                    _ => SnapshotFailure { status: 0, retry_after_seconds: 0 },
                };
                SnapshotResult { job, buffer: Vec::new(), length: Err(failure), book: None }
            }
        }
    }
}
