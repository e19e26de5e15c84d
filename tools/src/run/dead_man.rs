//! COLD: the venue's own timer that cancels everything, put off as long as both trading threads make progress.
//!
//! A connection and a thread of its own: an engine that hangs, is cut off or gone puts nothing off, and an answer that
//! does not come holds up nobody else.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use spinbook_engine::types::Nanos;
use spinbook_feed::net::host::threads;
use spinbook_feed::net::hot::hot_shared::HotShared;
use spinbook_feed::net::io::gateway_loop::GatewayShared;
use spinbook_feed::venue::ProductLine;

use super::news::{self, Weight};
use super::rescue::RescueAccount;
use super::venue_rest::VenueLine;

/// How often it is looked whether it is time.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// What the venue did not take is tried again after this.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// The timer is put off so many times before it would fire.
const TIMES_PER_SPAN: u32 = 3;
/// Of what a minute allows at the venue this takes one part in so many at most.
const SHARE_OF_WEIGHT: u64 = 10;

/// Whether the timer may be put off: by progress alone.
#[derive(Clone, Debug)]
pub struct Progress {
    every: Duration,
    not_before: Duration,
    beats: [u64; 2],
}

impl Progress {
    /// For a timer of `span` that can be put off every `pause_min` at most; how long it must then be at least, with the
    /// judge.
    #[must_use]
    pub fn new(span: Duration, pause_min: Duration) -> (Progress, Duration) {
        let every = (span / TIMES_PER_SPAN).max(pause_min);
        (Progress { every, not_before: Duration::ZERO, beats: [0; 2] }, every * TIMES_PER_SPAN)
    }

    /// Whether to put it off at `now`: both have turned since the last time, and it is time.
    pub fn is_due(&mut self, hot: u64, io: u64, now: Duration) -> bool {
        let works = [hot, io].iter().zip(self.beats).all(|(beats, before)| *beats != before);
        let due = works && now >= self.not_before;
        if due {
            (self.not_before, self.beats) = (now + self.every, [hot, io]);
        }
        due
    }

    /// What was due at `now` came to nothing: it is due again soon, as long as both turn.
    pub fn failed(&mut self, now: Duration) {
        self.not_before = now + RETRY_AFTER.min(self.every);
    }
}

/// How long at least between two requests for every timer of an account; none where its venue has no timer.
fn pause_min<L>(account: &RescueAccount<L>) -> Option<Duration> {
    let first = account.instruments.first()?;
    let card = ProductLine::from_venue_id(first.venue)?.card();
    let weight = u64::from(card.orders?.cancel_timer?.weight) * account.instruments.len() as u64;
    Some(Duration::from_millis(weight * SHARE_OF_WEIGHT * 60_000 / u64::from(card.weight_per_minute.max(1))))
}

/// Puts the timers of several accounts off while this lives.
pub struct DeadMan {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl DeadMan {
    /// From here on; a `span` of zero: never. Venues without such a timer are left out.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn start(
        mut accounts: Vec<RescueAccount>,
        span: Duration,
        hot: Arc<HotShared>,
        io: Arc<GatewayShared>,
    ) -> io::Result<DeadMan> {
        let over = Arc::new(AtomicBool::new(false));
        accounts.retain(|account| pause_min(account).is_some());
        if span.is_zero() || accounts.is_empty() {
            return Ok(DeadMan { over, thread: None });
        }
        let ends = over.clone();
        let work = move || {
            let pause = accounts.iter().filter_map(pause_min).max().unwrap_or_default();
            let (mut progress, span) = Progress::new(span, pause);
            let (begun, mut said, mut is_set) = (Instant::now(), String::new(), false);
            while !ends.load(Ordering::Acquire) {
                let [hot_beats, io_beats] = [&hot.heartbeat, &io.heartbeat].map(|beats| beats.load(Ordering::Relaxed));
                // What is being cancelled anyway may be cancelled by the venue, too.
                let drains = io.drain.load(Ordering::Relaxed);
                if !drains && progress.is_due(hot_beats, io_beats, begun.elapsed()) {
                    let done = put_off(&mut accounts, nanos(span), &mut said);
                    if !done {
                        progress.failed(begun.elapsed());
                    } else if !std::mem::replace(&mut is_set, true) {
                        let seconds = span.as_secs_f64().round();
                        news::tell(
                            Weight::Note,
                            format!("the venue cancels everything {seconds} s after it hears no more"),
                        );
                    }
                }
                std::thread::sleep(LOOK_EVERY);
            }
            // Whoever trades on this account next, or by hand, is not to be surprised.
            if io.confirmed.load(Ordering::Acquire) {
                put_off(&mut accounts, Nanos::ZERO, &mut said);
            }
        };
        let thread = threads::spawn("spinbook-dead-man", None, |_| {}, work)?;
        Ok(DeadMan { over, thread: Some(thread) })
    }
}

impl Drop for DeadMan {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        // A venue that does not answer is not waited for: the timer then fires, and finds nothing.
        let until = Instant::now() + Duration::from_millis(500);
        while self.thread.as_ref().is_some_and(|thread| !thread.is_finished()) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

fn nanos(span: Duration) -> Nanos {
    Nanos(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX))
}

/// Sets every timer, and whether all of them were; what a venue answers instead is said once.
fn put_off<L: VenueLine>(accounts: &mut [RescueAccount<L>], within: Nanos, said: &mut String) -> bool {
    let mut are_set = true;
    for account in accounts {
        for place in 0..account.instruments.len() {
            if let Err(failure) = account.rest.cancel_all_later(&account.instruments[place], within) {
                are_set = false;
                // Whatever it was, a clock that has moved away is a reason that goes away by being measured.
                let _ = account.rest.clock_offset();
                let why = failure.why.as_deref().unwrap_or("-");
                let text = format!("the venue's own timer could not be set: {why}");
                if text != *said {
                    news::tell(Weight::Warning, text.clone());
                    *said = text;
                }
            }
        }
    }
    are_set
}

#[cfg(test)]
mod tests {
    use spinbook_feed::net::io::fetch::FetchError;
    use spinbook_feed::testkit::instrument;
    use spinbook_feed::venue::account::RestRequest;
    use spinbook_feed::venue::binance;

    use super::*;
    use crate::run::venue_rest::VenueRest;

    /// Nobody is asked.
    struct Nowhere;

    impl VenueLine for Nowhere {
        fn call(&self, _: &RestRequest) -> Result<Vec<u8>, FetchError> {
            Err(FetchError::Timeout("nowhere".to_owned()))
        }

        fn now(&self) -> Nanos {
            Nanos::ZERO
        }

        fn place(&self) -> &str {
            "nowhere"
        }
    }

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn the_timer_is_put_off_by_progress_alone() {
        let (mut progress, span) = Progress::new(ms(30_000), ms(2_500));
        assert_eq!(span, ms(30_000));
        let mut asked = Vec::new();
        for at in (0..100_000).step_by(50) {
            // The I/O thread stands still from 45 s on.
            if progress.is_due(at + 1, at.min(45_000) + 1, ms(at)) {
                asked.push(at);
            }
        }
        // Once more, for what it did since 40 s; never again.
        assert_eq!(asked, [0, 10_000, 20_000, 30_000, 40_000, 50_000]);
    }

    #[test]
    fn a_timer_that_the_venue_did_not_take_is_set_again_after_a_second() {
        let (mut progress, _) = Progress::new(ms(30_000), ms(2_500));
        let mut asked = Vec::new();
        for at in (0..40_000).step_by(50) {
            if progress.is_due(at + 1, at + 1, ms(at)) {
                asked.push(at);
                // The venue is busy for the first three seconds, and once more.
                if at < 3_000 || (13_000..14_000).contains(&at) {
                    progress.failed(ms(at));
                }
            }
        }
        assert_eq!(asked, [0, 1_000, 2_000, 3_000, 13_000, 14_000, 24_000, 34_000]);
    }

    #[test]
    fn a_thread_that_never_began_puts_nothing_off() {
        let (mut progress, _) = Progress::new(ms(30_000), ms(2_500));
        assert!(!progress.is_due(0, 5, ms(0)) && !progress.is_due(5, 0, ms(50)) && progress.is_due(5, 5, ms(100)));
    }

    #[test]
    fn many_instruments_share_the_venues_weight() {
        let (_, span) = Progress::new(ms(30_000), ms(50_000));
        assert_eq!(span, ms(150_000), "it fires late rather than take the weight of cancels");
        let account = |line, count: u16| {
            let listed = |id| instrument(line, id, "BTCUSDT", "0.10", "0.001");
            let rest = VenueRest::over(Nowhere, line, None, 1_000);
            RescueAccount { rest, instruments: (0..count).map(listed).collect(), receive_window: Nanos::ZERO }
        };
        // 20 requests of weight 10 every 50 s are 240 in a minute, of 2,400.
        assert_eq!(pause_min(&account(binance::USDM, 20)), Some(ms(50_000)));
        assert_eq!(pause_min(&account(binance::SPOT, 1)), None, "no such thing there");
    }
}
