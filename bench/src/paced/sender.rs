//! COLD: the exchange side of a paced market: opens the book, then writes each frame when it is due, on its own core.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use spinbook_feed::net::connection::connector::Connector;
use spinbook_feed::net::connection::tls::{LoopbackIdentity, Trust};
use spinbook_feed::net::host::clock::cycles;
use spinbook_feed::net::host::threads;

use crate::clock::CycleClock;
use crate::wire::client::{IDLE, connector};
use crate::wire::exchange::{Answers, Exchange, OrderAnswer};
use crate::wire::script::Script;
use crate::wire::{CoreLayout, STUCK};

/// Time before a frame is due from which on the thread spins instead of sleeping: a sleep may last this much longer.
const SPIN_NS: u64 = 200_000;

/// What the two threads tell each other.
#[derive(Debug, Default)]
pub(super) struct Release {
    /// Frames that may be written.
    pub(super) frames: AtomicUsize,
    /// Cycle counter before which the last of them may not.
    pub(super) due: AtomicU64,
    /// Frames that were written.
    pub(super) written: AtomicUsize,
    /// Every frame is sealed: releasing may begin.
    pub(super) sealed: AtomicBool,
    /// The book is open: no more connections come.
    pub(super) open: AtomicBool,
    /// The run is over.
    pub(super) stop: AtomicBool,
    /// The thread has ended, on whatever ground.
    pub(super) ended: AtomicBool,
}

/// The exchange side's thread.
pub(super) struct Sender {
    /// Where it listens.
    pub(super) to: Connector,
    /// Whom a client trusts.
    pub(super) trust: Trust,
    /// What is told to and by it.
    pub(super) release: Arc<Release>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Sender {
    /// Listens, and starts the thread.
    pub(super) fn start(script: &Arc<Script>, layout: CoreLayout) -> Result<Sender, String> {
        let text = |error: io::Error| error.to_string();
        let identity = LoopbackIdentity::generate().map_err(|error| error.to_string())?;
        let trust = Trust::from_pem(identity.ca_pem.as_bytes())?;
        let answers = Answers::new(script.product, OrderAnswer::Refuse);
        let exchange = Exchange::bind(answers, script.snapshot.clone(), identity.server_config).map_err(text)?;
        let tls = trust.client_config().map_err(|error| error.to_string())?;
        let to = connector(exchange.address().map_err(text)?, &tls);
        let release = Arc::new(Release::default());
        let writer = Writer { exchange, script: script.clone(), release: release.clone(), spin: layout.spin };
        let thread = threads::spawn("paced-exchange", layout.io, |_| {}, move || writer.run()).map_err(text)?;
        Ok(Sender { to, trust, release, thread: Some(thread) })
    }

    /// Why the thread has ended, if it has.
    pub(super) fn failure(&mut self) -> Option<io::Error> {
        if !self.release.ended.load(Ordering::Acquire) {
            return None;
        }
        let ended = self.thread.take()?.join();
        Some(match ended {
            Ok(Err(error)) => error,
            Ok(Ok(())) => io::Error::other("the exchange side has ended"),
            Err(_) => io::Error::other("the exchange side panicked"),
        })
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.release.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // Whoever measured has its own error to tell.
            let _ = thread.join();
        }
    }
}

struct Writer {
    exchange: Exchange,
    script: Arc<Script>,
    release: Arc<Release>,
    spin: bool,
}

impl Writer {
    fn run(mut self) -> io::Result<()> {
        threads::sleep_precisely();
        let done = self.work();
        self.release.ended.store(true, Ordering::Release);
        done
    }

    fn work(&mut self) -> io::Result<()> {
        self.meet()?;
        let (sealed, ends) = self.seal()?;
        let ns = |ticks: u64| CycleClock::calibrated().ns(ticks) as u64;
        let (mut written, mut taken) = (0, 0);
        while !self.release.stop.load(Ordering::Acquire) {
            if written == self.release.frames.load(Ordering::Acquire).min(ends.len()) {
                if !self.release.open.load(Ordering::Relaxed) {
                    self.exchange.accept()?;
                }
                self.rest(Duration::ZERO);
                continue;
            }
            let (due, now) = (self.release.due.load(Ordering::Relaxed), cycles());
            if now < due {
                self.rest(Duration::from_nanos(ns(due - now).saturating_sub(SPIN_NS)));
                continue;
            }
            let market = self.exchange.market.as_mut().ok_or_else(|| io::Error::other("no market connection"))?;
            taken += market.write_sealed(&sealed[taken..ends[written]])?;
            if taken == ends[written] {
                written += 1;
                self.release.written.store(written, Ordering::Release);
            }
        }
        Ok(())
    }

    /// Waits for a while, or a moment.
    fn rest(&self, span: Duration) {
        match (span, self.spin) {
            (Duration::ZERO, true) => core::hint::spin_loop(),
            (Duration::ZERO, false) => std::thread::sleep(IDLE),
            (span, _) => std::thread::sleep(span),
        }
    }

    /// Waits until the market is subscribed.
    fn meet(&mut self) -> io::Result<()> {
        let begun = Instant::now();
        while self.exchange.market.is_none() || !self.exchange.subscribed {
            self.exchange.open()?;
            if self.release.stop.load(Ordering::Acquire) || begun.elapsed() > STUCK {
                return Err(io::Error::other("the market is not subscribed"));
            }
            std::thread::yield_now();
        }
        Ok(())
    }

    /// All frames as records, one behind the other, and where each frame's end.
    fn seal(&mut self) -> io::Result<(Vec<u8>, Vec<usize>)> {
        let market = self.exchange.market.as_mut().ok_or_else(|| io::Error::other("no market connection"))?;
        market.flush()?;
        let frames = &self.script.frames;
        let mut sealed = Vec::with_capacity(frames.byte_count() + 64 * frames.len());
        let mut ends = Vec::with_capacity(frames.len());
        for frame in 0..frames.len() {
            market.seal(frames.frame(frame), &mut sealed)?;
            ends.push(sealed.len());
        }
        self.release.sealed.store(true, Ordering::Release);
        Ok((sealed, ends))
    }
}
