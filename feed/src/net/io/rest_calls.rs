//! COLD: mailboxes between the I/O thread and the threads that may wait for a venue's REST answers.
//!
//! The I/O thread puts a gateway's request in and looks for answers each turn; it never waits. Each gateway's questions
//! and cancels have a thread each, so that neither a question without an answer nor a venue without one holds up a cancel.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::Duration;

use crossbeam_queue::ArrayQueue;
use spinbook_engine::types::Nanos;

use crate::gateway::rest::{RestAnswer, RestLane, RestTicket};
use crate::net::connection::tls::Trust;
use crate::net::io::fetch::{FetchError, Fetcher, HttpCall};
use crate::venue::account::RestRequest;

/// Largest answer accepted, in bytes: a thousand executions take some 300 KiB.
const BODY_BYTES_MAX: usize = 8 << 20;
/// How long a question may take, the gateway waits a little longer.
const QUESTION_WITHIN: Duration = Duration::from_secs(10);
/// The same for a cancel.
const CANCEL_WITHIN: Duration = Duration::from_secs(5);
/// A venue's longest ban that is believed: three days.
const RETRY_AFTER_MAX_SECONDS: i64 = 3 * 24 * 3600;
/// How long a thread without work sleeps, unless it is woken.
const IDLE_SLEEP: Duration = Duration::from_millis(50);

/// Where a gateway's REST requests go.
#[derive(Clone)]
pub struct RestLine {
    base: Arc<str>,
    questions: Fetcher,
    cancels: Fetcher,
}

impl RestLine {
    /// Requests to `base`, which is trusted as `trust` says.
    #[must_use]
    pub fn new(trust: &Trust, base: &str) -> RestLine {
        let questions = Fetcher::new(trust, QUESTION_WITHIN);
        let cancels = Fetcher::new(trust, CANCEL_WITHIN);
        RestLine { base: base.trim_end_matches('/').into(), questions, cancels }
    }
}

/// Requests of one gateway over one lane that may wait: one is on its way, and one more where the gateway no longer waits
/// for that.
const CALLS_MAX: usize = 2;

/// A gateway's request.
struct RestCall {
    ticket: RestTicket,
    request: Box<RestRequest>,
}

/// What came of a gateway's request.
#[derive(Debug)]
pub struct RestResult {
    /// Place of the gateway.
    pub gateway: usize,
    /// Which of its requests.
    pub ticket: RestTicket,
    /// What came of it.
    pub answer: RestAnswer,
}

/// The requests of one gateway over one lane, and the thread that takes them.
struct RestQueue {
    calls: ArrayQueue<RestCall>,
    worker: OnceLock<Thread>,
}

impl RestQueue {
    fn new() -> RestQueue {
        RestQueue { calls: ArrayQueue::new(CALLS_MAX), worker: OnceLock::new() }
    }
}

/// The I/O thread's end.
#[derive(Clone)]
pub struct RestMailbox {
    /// By the gateway's place.
    queues: Arc<[[RestQueue; RestLane::ALL.len()]]>,
    results: Arc<ArrayQueue<RestResult>>,
}

impl RestMailbox {
    /// Hands a gateway's request over; false if there is no room, and so no answer.
    #[must_use]
    pub fn ask(&self, gateway: usize, ticket: RestTicket, request: Box<RestRequest>) -> bool {
        let Some(queue) = self.queues.get(gateway).map(|queues| &queues[ticket.lane.index()]) else { return false };
        let taken = queue.calls.push(RestCall { ticket, request }).is_ok(); // bounded: a fixed queue
        if let Some(worker) = queue.worker.get() {
            worker.unpark();
        }
        taken
    }

    /// A result that has come.
    #[inline]
    #[must_use]
    pub fn take(&self) -> Option<RestResult> {
        self.results.pop()
    }
}

/// The end of a thread that may wait: of one gateway's requests over one lane.
pub struct RestWorker {
    gateway: usize,
    lane: RestLane,
    mailbox: RestMailbox,
    line: RestLine,
    on_failure: fn(&RestRequest, &FetchError),
}

/// A mailbox for the gateways with these lines, in their order, and two workers for each. `on_failure` is called with
/// each request that brought nothing, to log it.
#[must_use]
pub fn new(lines: Vec<RestLine>, on_failure: fn(&RestRequest, &FetchError)) -> (RestMailbox, Vec<RestWorker>) {
    let queues: Vec<_> = lines.iter().map(|_| [RestQueue::new(), RestQueue::new()]).collect();
    let results = ArrayQueue::new(RestLane::ALL.len() * CALLS_MAX * lines.len().max(1));
    let mailbox = RestMailbox { queues: queues.into(), results: Arc::new(results) };
    let of_gateway = |(gateway, line): (usize, RestLine)| {
        RestLane::ALL.map(|lane| RestWorker { gateway, lane, mailbox: mailbox.clone(), line: line.clone(), on_failure })
    };
    let workers = lines.into_iter().enumerate().flat_map(of_gateway).collect();
    (mailbox, workers)
}

impl RestWorker {
    /// Which lane's requests it carries.
    #[must_use]
    pub const fn lane(&self) -> RestLane {
        self.lane
    }

    /// Carries requests until `stop` is set; it has a thread of its own.
    pub fn run(self, stop: &AtomicBool) {
        let queue = &self.mailbox.queues[self.gateway][self.lane.index()];
        let _ = queue.worker.set(std::thread::current());
        while !stop.load(Ordering::Relaxed) {
            let Some(RestCall { ticket, request }) = queue.calls.pop() else {
                std::thread::park_timeout(IDLE_SLEEP);
                continue;
            };
            let mut result = RestResult { gateway: self.gateway, ticket, answer: self.carry(&request) };
            // The I/O thread takes results every turn; a full mailbox means that it is gone.
            while let Err(back) = self.mailbox.results.push(result) {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                result = back;
                std::thread::park_timeout(IDLE_SLEEP);
            }
        }
    }

    fn carry(&self, request: &RestRequest) -> RestAnswer {
        let url = format!("{}{}", self.line.base, request.target);
        let headers: Vec<(&str, &str)> = request.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let call = HttpCall { method: request.method, url: &url, headers: &headers, body_bytes_max: BODY_BYTES_MAX };
        let fetcher = if self.lane == RestLane::Cancels { &self.line.cancels } else { &self.line.questions };
        let no_pause = Nanos::ZERO;
        let error = match fetcher.call(&call) {
            Ok(body) => return RestAnswer { status: 200, body, retry_after: no_pause },
            Err(error) => error,
        };
        (self.on_failure)(request, &error);
        match error {
            FetchError::RateLimited { status, retry_after_seconds, body } => {
                let seconds = i64::try_from(retry_after_seconds).unwrap_or(i64::MAX).min(RETRY_AFTER_MAX_SECONDS);
                let retry_after = Nanos::from_seconds(seconds);
                RestAnswer { status, body, retry_after }
            }
            FetchError::Status { status, body } => RestAnswer { status, body, retry_after: no_pause },
            FetchError::Redirect { status, .. } => RestAnswer { status, body: Vec::new(), retry_after: no_pause },
            _ => RestAnswer::default(),
        }
    }
}
