//! COLD: cancels everything over REST and asks until the venue lists nothing, for when the order connections cannot.
//!
//! It may block, it needs nothing of a run's threads, and it places nothing.

use std::io;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use spinbook_engine::types::Nanos;
use spinbook_feed::net::host::threads;
use spinbook_feed::venue::instrument::Instrument;

use super::news::{self, Weight};
use super::venue_rest::{SocketLine, VenueLine, VenueRest};
use crate::error::Failure;

/// The name of the thread that rescues.
pub const RESCUE_THREAD: &str = "spinbook-rescue";
/// The pause after the first round; each further one is twice as long.
const PAUSE_FIRST: Duration = Duration::from_millis(200);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// How much longer than the receive window an order that was sent before may still come to be listed.
const LATE_MARGIN: Nanos = Nanos::from_millis(500);

/// One account on one product line, and what is cancelled there.
pub struct RescueAccount<L = SocketLine> {
    /// Asks and cancels.
    pub rest: VenueRest<L>,
    /// What is cancelled.
    pub instruments: Vec<Instrument>,
    /// How long after its timestamp the venue may take a request of the run that is rescued.
    pub receive_window: Nanos,
}

/// What is known of one instrument.
#[derive(Clone, Copy, Debug, Default)]
struct Listed {
    /// Orders that the venue listed last; none where it was not asked yet, or did not answer.
    open: Option<usize>,
    /// When it first listed nothing, without anything since.
    empty_since: Option<Nanos>,
    /// It listed nothing again, later than anything that was sent before could have come.
    confirmed: bool,
}

/// What one round came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SweepRound {
    /// Whether the venues confirmed that nothing is open.
    pub confirmed: bool,
    /// Orders that they listed as open.
    pub open_orders: usize,
    /// Why a venue could not be asked, of the last that could not.
    pub failure: Option<Failure>,
}

impl SweepRound {
    /// Of several accounts together.
    fn of(rounds: &[SweepRound]) -> SweepRound {
        SweepRound {
            confirmed: rounds.iter().all(|round| round.confirmed),
            open_orders: rounds.iter().map(|round| round.open_orders).sum(),
            failure: rounds.iter().rev().find_map(|round| round.failure.clone()),
        }
    }
}

/// Cancels all orders of several accounts, of all of them at once: one without an answer holds up none of the others.
pub struct Rescuer<L = SocketLine> {
    accounts: Vec<(RescueAccount<L>, Vec<Listed>)>,
}

impl<L: VenueLine + Send> Rescuer<L> {
    /// Over these accounts.
    #[must_use]
    pub fn new(accounts: Vec<RescueAccount<L>>) -> Rescuer<L> {
        let with_list = |account: RescueAccount<L>| {
            let listed = vec![Listed::default(); account.instruments.len()];
            (account, listed)
        };
        Rescuer { accounts: accounts.into_iter().map(with_list).collect() }
    }

    /// Forgets what was confirmed: everything is cancelled and asked for anew.
    pub fn restart(&mut self) {
        self.accounts.iter_mut().for_each(|(_, listed)| listed.fill(Listed::default()));
    }

    /// Cancels what may be open and asks what is, once in each account.
    pub fn round(&mut self) -> SweepRound {
        self.run(&|| true, &mut |_| {})
    }

    /// Rounds of each account until its venue confirms or `is_over` says so; `tell` hears of each, with how far the others
    /// are.
    pub fn run(
        &mut self,
        is_over: &(dyn Fn() -> bool + Sync),
        tell: &mut (dyn FnMut(&SweepRound) + Send),
    ) -> SweepRound {
        let told = Mutex::new((vec![SweepRound::default(); self.accounts.len()], tell));
        let told = &told;
        threads::each_at_once(RESCUE_THREAD, &mut self.accounts, |place, (account, listed)| {
            let mut pause = PAUSE_FIRST;
            loop {
                let round = account.round(listed);
                let is_last = round.confirmed || is_over();
                let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
                let (rounds, tell) = &mut *told;
                rounds[place] = round;
                tell(&SweepRound::of(rounds));
                drop(told);
                if is_last {
                    return;
                }
                std::thread::sleep(pause);
                pause = (pause * 2).min(PAUSE_MAX);
            }
        });
        let told = told.lock().unwrap_or_else(PoisonError::into_inner);
        SweepRound::of(&told.0)
    }
}

impl<L: VenueLine> RescueAccount<L> {
    fn round(&mut self, listed: &mut [Listed]) -> SweepRound {
        let failure = self.cancel_and_ask(listed);
        if failure.is_some() {
            // Whatever it was, a clock that has moved away is a reason that goes away by being measured.
            let _ = self.rest.clock_offset();
        }
        SweepRound {
            confirmed: listed.iter().all(|listed| listed.confirmed),
            open_orders: listed.iter().filter_map(|listed| listed.open).sum(),
            failure,
        }
    }

    fn cancel_and_ask(&mut self, listed: &mut [Listed]) -> Option<Failure> {
        let mut failure = None;
        for (instrument, listed) in self.instruments.iter().zip(&*listed) {
            if !listed.confirmed && listed.open != Some(0) {
                // A venue may call it an error that there is nothing to cancel: what it lists below decides.
                failure = self.rest.cancel_all(instrument).err().or(failure);
            }
        }
        let mut unheard = None;
        for (instrument, listed) in self.instruments.iter().zip(&mut *listed) {
            if listed.confirmed {
                continue;
            }
            match self.rest.open_orders(instrument, &[]) {
                Ok(rows) => listed.note(rows.len(), self.rest.line.now(), self.receive_window + LATE_MARGIN),
                Err(why) => {
                    *listed = Listed::default();
                    unheard = Some(why);
                }
            }
        }
        let stands = listed.iter().any(|listed| listed.open != Some(0));
        unheard.or(failure.filter(|_| stands))
    }
}

impl Listed {
    fn note(&mut self, open: usize, now: Nanos, late: Nanos) {
        self.open = Some(open);
        if open > 0 {
            (self.empty_since, self.confirmed) = (None, false);
            return;
        }
        let since = *self.empty_since.get_or_insert(now);
        self.confirmed = now - since >= late;
    }
}

/// Not called, or not answered yet.
const WAITING: u8 = 0;
/// The venues confirmed that nothing is open.
const CONFIRMED: u8 = 1;
/// They did not while there was patience.
const GIVEN_UP: u8 = 2;

/// Calls the thread that rescues; clones call the same one.
#[derive(Clone)]
pub struct RescueCall {
    caller: SyncSender<()>,
    state: Arc<AtomicU8>,
}

impl RescueCall {
    /// Starts a thread that waits to be called, once, and then cancels until the venues confirm, with or without an end
    /// of its patience.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn start(mut rescuer: Rescuer, patience: Option<Duration>) -> io::Result<RescueCall> {
        let (caller, called) = mpsc::sync_channel(1);
        let state = Arc::new(AtomicU8::new(WAITING));
        let told = state.clone();
        threads::spawn(
            RESCUE_THREAD,
            None,
            |_| {},
            move || {
                if called.recv().is_err() {
                    return;
                }
                let begun = Instant::now();
                let is_over = || patience.is_some_and(|patience| begun.elapsed() >= patience);
                let mut said = String::new();
                let round = rescuer.run(&is_over, &mut |round| {
                    let text = round.words();
                    if text != said {
                        news::tell(Weight::Alarm, format!("cancelling over REST: {text}"));
                        said = text;
                    }
                });
                told.store(if round.confirmed { CONFIRMED } else { GIVEN_UP }, Ordering::Release);
            },
        )?;
        Ok(RescueCall { caller, state })
    }

    /// Has everything cancelled over REST. It never waits.
    pub fn call(&self) {
        // Whoever called before is being served.
        let _ = self.caller.try_send(());
    }

    /// Whoever rescues is gone: nobody confirms any more.
    pub fn give_up(&self) {
        let _ = self.state.compare_exchange(WAITING, GIVEN_UP, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Whether the venues confirmed that nothing is open; none while they are still asked.
    #[must_use]
    pub fn outcome(&self) -> Option<bool> {
        match self.state.load(Ordering::Acquire) {
            WAITING => None,
            state => Some(state == CONFIRMED),
        }
    }
}

impl SweepRound {
    /// For people.
    #[must_use]
    pub fn words(&self) -> String {
        match &self.failure {
            Some(failure) => {
                let why = failure.why.as_deref().unwrap_or("-");
                format!("{}: {why}; asked again", failure.what)
            }
            None if self.confirmed => "the venue confirmed that nothing is open".to_owned(),
            None if self.open_orders > 0 => format!("{} orders were still listed", self.open_orders),
            None => "nothing is listed; asked again after the receive window".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize};

    use spinbook_feed::crypto::credentials::{Credentials, Secret};
    use spinbook_feed::net::io::fetch::FetchError;
    use spinbook_feed::testkit::instrument;
    use spinbook_feed::venue::account::RestRequest;
    use spinbook_feed::venue::binance;

    use super::*;

    /// A venue with orders, which cancels when it is told to and answers from the list of refusals first.
    struct Venue {
        now: AtomicI64,
        open: AtomicUsize,
        cancels: AtomicUsize,
        refusals: Mutex<Vec<u16>>,
        /// Nothing is answered until this is lifted.
        is_mute: AtomicBool,
    }

    struct Line(Arc<Venue>);

    impl VenueLine for Line {
        fn call(&self, request: &RestRequest) -> Result<Vec<u8>, FetchError> {
            let venue = &self.0;
            until(|| !venue.is_mute.load(Ordering::Acquire));
            if request.target.contains("/time") {
                return Ok(format!("{{\"serverTime\":{}}}", venue.now.load(Ordering::Acquire) / 1_000_000).into_bytes());
            }
            if let Some(status) = venue.refusals.lock().expect("not poisoned").pop() {
                let body = br#"{"code":-1001,"msg":"Internal error."}"#.to_vec();
                return Err(FetchError::Status { status, body });
            }
            if request.method == "DELETE" {
                venue.cancels.fetch_add(1, Ordering::AcqRel);
                venue.open.store(0, Ordering::Release);
                return Ok(br#"{"code":200,"msg":"done"}"#.to_vec());
            }
            let row = r#"{"symbol":"BTCUSDT","orderId":1,"clientOrderId":"x","price":"64000.10","origQty":"0.001",
                "executedQty":"0","status":"NEW","timeInForce":"GTX","type":"LIMIT","side":"BUY","time":1,"updateTime":1}"#;
            Ok(format!("[{}]", vec![row; venue.open.load(Ordering::Acquire)].join(",")).into_bytes())
        }

        fn now(&self) -> Nanos {
            Nanos(self.0.now.load(Ordering::Acquire))
        }

        fn place(&self) -> &str {
            "here"
        }
    }

    fn account(venue: &Arc<Venue>) -> RescueAccount<Line> {
        let secret = Secret::new("vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zv".to_owned());
        let credentials = Credentials::hmac("NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP", &secret).expect("a key");
        let rest = VenueRest::over(Line(venue.clone()), binance::USDM, Some(credentials), 5_000);
        let instruments = vec![instrument(binance::USDM, 0, "BTCUSDT", "0.10", "0.001")];
        let receive_window = Nanos::from_seconds(1);
        RescueAccount { rest, instruments, receive_window }
    }

    fn rescue(venue: &Arc<Venue>) -> Rescuer<Line> {
        Rescuer::new(vec![account(venue)])
    }

    fn venue(open: usize) -> Arc<Venue> {
        let now = AtomicI64::new(1_767_225_600_000_000_000);
        let (cancels, is_mute) = (AtomicUsize::new(0), AtomicBool::new(false));
        Arc::new(Venue { now, open: AtomicUsize::new(open), cancels, refusals: Mutex::default(), is_mute })
    }

    fn wait(venue: &Venue, span: Nanos) {
        venue.now.fetch_add(span.0, Ordering::AcqRel);
    }

    /// Waits for it; not for ever, so that who waits in vain can say so.
    fn until(holds: impl Fn() -> bool) -> bool {
        let limit = Instant::now() + Duration::from_secs(10);
        while !holds() && Instant::now() < limit {
            std::thread::yield_now();
        }
        holds()
    }

    fn cancels(venue: &Venue) -> usize {
        venue.cancels.load(Ordering::Acquire)
    }

    #[test]
    fn nothing_is_confirmed_until_it_is_listed_again_after_the_receive_window() {
        let venue = venue(2);
        let mut rescuer = rescue(&venue);
        let empty = SweepRound { confirmed: false, open_orders: 0, failure: None };
        assert_eq!(rescuer.round(), empty);
        wait(&venue, Nanos::from_millis(1_400));
        assert_eq!(rescuer.round(), empty, "an order that was on its way may still come");
        // One did.
        venue.open.store(1, Ordering::Release);
        assert_eq!(rescuer.round(), SweepRound { open_orders: 1, ..empty.clone() });
        assert_eq!(rescuer.round(), empty);
        assert_eq!(cancels(&venue), 2, "once for each time that something was open");
        wait(&venue, Nanos::from_millis(1_600));
        assert_eq!(rescuer.round(), SweepRound { confirmed: true, ..empty.clone() });
        rescuer.restart();
        assert_eq!(rescuer.round(), empty, "what was confirmed is over");
    }

    #[test]
    fn a_venue_that_does_not_answer_confirms_nothing_and_is_asked_again() {
        let venue = venue(1);
        // The cancel and the question fail, then the question alone.
        *venue.refusals.lock().expect("not poisoned") = vec![503, 503];
        let mut rescuer = rescue(&venue);
        let round = rescuer.round();
        assert!(!round.confirmed && round.failure.is_some(), "{round:?}");
        let round = rescuer.round();
        assert_eq!((round.open_orders, round.failure, cancels(&venue)), (0, None, 1));
        wait(&venue, Nanos::from_seconds(2));
        assert!(rescuer.run(&|| true, &mut |_| {}).confirmed);
    }

    #[test]
    fn a_venue_that_falls_mute_holds_up_no_cancel_of_another() {
        for mute_first in [true, false] {
            let (mute, other) = (venue(1), venue(2));
            mute.is_mute.store(true, Ordering::Release);
            let mut accounts = vec![account(&other)];
            accounts.insert(usize::from(!mute_first), account(&mute));
            let mut rescuer = Rescuer::new(accounts);
            let done = AtomicBool::new(false);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    assert!(rescuer.run(&|| false, &mut |_| wait(&other, Nanos::from_seconds(2))).confirmed);
                    done.store(true, Ordering::Release);
                });
                let cancelled = until(|| cancels(&other) > 0);
                let still_mute = cancels(&mute) == 0 && !done.load(Ordering::Acquire);
                mute.is_mute.store(false, Ordering::Release);
                assert!(cancelled && still_mute, "mute first: {mute_first}");
                assert!(until(|| {
                    wait(&mute, Nanos::from_seconds(2));
                    done.load(Ordering::Acquire)
                }));
            });
        }
    }
}
