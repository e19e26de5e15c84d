//! COLD: what trading threads have to say: handed over without waiting for anybody, said by a thread of its own.
//!
//! The log has locks, and a stream behind them that may stand still. No thread that trades, and none that watches over
//! them, ever takes one: what finds no room is dropped and counted.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::time::Duration;

use spinbook_feed::net::host::threads;

/// Sentences that may wait; what is said is rare, and a flood of it tells nobody more.
const WAITING_MAX: usize = 256;
/// How often it is looked for something to say. Nobody is woken: waking takes a lock.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// How urgent it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Good to know.
    Note,
    /// Somebody should look at it some time.
    Warning,
    /// Somebody should look at it now.
    Alarm,
}

struct News {
    sender: SyncSender<(Weight, String)>,
    handed: AtomicU64,
    said: AtomicU64,
    dropped: AtomicU64,
}

static NEWS: OnceLock<News> = OnceLock::new();

/// From here on a thread says what is handed over. Where the system gives none, whoever has news says it.
pub fn start() {
    let (sender, receiver) = mpsc::sync_channel(WAITING_MAX);
    let news = News { sender, handed: AtomicU64::new(0), said: AtomicU64::new(0), dropped: AtomicU64::new(0) };
    if NEWS.get().is_none() && threads::spawn("spinbook-news", None, |_| {}, move || say_all(&receiver)).is_ok() {
        // A second one that started meanwhile holds an empty queue and ends.
        let _ = NEWS.set(news);
    }
}

fn say_all(receiver: &Receiver<(Weight, String)>) {
    let mut dropped = 0;
    loop {
        match receiver.try_recv() {
            Ok((weight, text)) => {
                say(weight, &text);
                NEWS.get().inspect(|news| _ = news.said.fetch_add(1, Ordering::Release));
            }
            Err(mpsc::TryRecvError::Empty) => {
                let now = NEWS.get().map_or(0, |news| news.dropped.load(Ordering::Relaxed));
                if now > dropped {
                    tracing::warn!("{} messages of trading threads were dropped: too many at once", now - dropped);
                    dropped = now;
                }
                std::thread::sleep(LOOK_EVERY);
            }
            Err(mpsc::TryRecvError::Disconnected) => return,
        }
    }
}

fn say(weight: Weight, text: &str) {
    match weight {
        Weight::Note => tracing::info!("{text}"),
        Weight::Warning => tracing::warn!("{text}"),
        Weight::Alarm => tracing::error!("{text}"),
    }
}

/// Hands a sentence over, or drops and counts it.
pub fn tell(weight: Weight, text: String) {
    let Some(news) = NEWS.get() else { return say(weight, &text) };
    match news.sender.try_send((weight, text)) {
        Ok(()) => news.handed.fetch_add(1, Ordering::Relaxed),
        Err(_) => news.dropped.fetch_add(1, Ordering::Relaxed),
    };
}

/// Waits until everything that was handed over is said, but no longer than `within`.
pub fn settle(within: Duration) {
    let Some(news) = NEWS.get() else { return };
    let mut left = within;
    while news.said.load(Ordering::Acquire) < news.handed.load(Ordering::Relaxed) && !left.is_zero() {
        let pause = left.min(Duration::from_millis(2));
        std::thread::sleep(pause);
        left -= pause;
    }
}
