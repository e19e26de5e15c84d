//! COLD: a panic of any thread ends with cancels on the wire where the gateway lives, and says what may be open.
//!
//! A panic is a bug, and no thread may be trusted afterwards: but for the I/O thread, which owns the orders and knows
//! nothing of the others' state. The hook runs on the thread that panicked, keeps it from ever going on, lets the I/O
//! thread cancel and confirm, and ends the process. Where it is the I/O thread that panicked, the thread that rescues
//! cancels over REST instead, and so it does where that thread stands still or ended without a confirmation. There is no
//! limit of time: it ends when the venue has confirmed, when nobody is left who cancels, or on the second Ctrl-C. What
//! is said goes over the threads that write, since the stream may be what broke.

use std::panic::PanicHookInfo;
use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

use spinbook_feed::net::hot::hot_shared::HotShared;
use spinbook_feed::net::io::gateway_loop::GatewayShared;
use spinbook_feed::supervision::heartbeats::{HangBounds, Heartbeats, TradingThread};

use super::pulse::LastWord;
use super::rescue::{RESCUE_THREAD, RescueCall};
use crate::outcome::Exit;
use crate::output::{self, ERR};
use crate::ui;

/// The name of the thread that owns the orders.
pub const IO_THREAD: &str = "spinbook-io";
/// A thread that panics while another one sees to the end waits for it, so long at a time.
const PARKED: Duration = Duration::from_secs(60);
/// How often it is looked whether everything is cancelled.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How long the end waits for what is said of it in the state directory.
const LAST_WORD_WITHIN: Duration = Duration::from_millis(500);

/// What a panic needs of the run that it strikes.
pub struct Stricken {
    /// The hot thread, which is to quote no more.
    pub hot: Arc<HotShared>,
    /// The I/O thread, which is to cancel.
    pub io: Arc<GatewayShared>,
    /// Cancels over REST, where the I/O thread itself broke.
    pub rescue: RescueCall,
    /// When a thread hangs.
    pub bounds: HangBounds,
    /// The state directory of a run with orders at a venue.
    pub directory: Option<PathBuf>,
    /// What may be open.
    pub open_orders: Box<dyn Fn() -> String + Send + Sync>,
}

static RUN: Mutex<Option<Arc<Stricken>>> = Mutex::new(None);
/// Whether a thread has panicked and sees to the end.
static ENDING: AtomicBool = AtomicBool::new(false);
static HOOK: Once = Once::new();

fn run() -> MutexGuard<'static, Option<Arc<Stricken>>> {
    RUN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a thread has panicked and sees to the end.
#[must_use]
pub fn is_ending() -> bool {
    ENDING.load(Ordering::Acquire)
}

/// While this lives, a panic of any thread cancels first.
pub struct PanicGuard(());

impl PanicGuard {
    /// From here on. The threads run.
    #[must_use]
    pub fn over(stricken: Stricken) -> PanicGuard {
        *run() = Some(Arc::new(stricken));
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                let stricken = run().clone();
                match stricken {
                    Some(stricken) => end(&stricken, info),
                    None => before(info),
                }
            }));
        });
        PanicGuard(())
    }
}

impl Drop for PanicGuard {
    fn drop(&mut self) {
        *run() = None;
    }
}

/// Cancels, says what came of it, and leaves.
fn end(stricken: &Stricken, info: &PanicHookInfo<'_>) -> ! {
    stricken.io.begin_drain();
    stricken.hot.drain.store(true, Ordering::Release);
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("without a name");
    // The first one sees to the end, unless it waits for the very thread that panics now.
    while ENDING.swap(true, Ordering::AcqRel) && name != IO_THREAD {
        if name == RESCUE_THREAD {
            stricken.rescue.give_up();
        }
        std::thread::sleep(PARKED);
    }
    ui::give_back();
    tracing::error!("a bug: the thread {name} panicked: {info}");
    tracing::error!("cancelling everything and waiting for the venue's confirmation");
    if name == RESCUE_THREAD {
        stricken.rescue.give_up();
    }
    let confirmed = stricken.follow(PanicDrain::new(stricken.bounds, name != IO_THREAD));
    tracing::error!("{}", outcome(confirmed, &stricken.open_orders));
    if let Some(directory) = stricken.directory.clone() {
        let open_orders = usize::try_from(stricken.io.open_orders.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
        let open_orders = if confirmed { 0 } else { open_orders };
        LastWord { directory, confirmed, open_orders }.say(LAST_WORD_WITHIN);
    }
    output::attach();
    ERR.line("error: a thread panicked: this is a bug of the program; please report the lines above");
    process::exit(i32::from(Exit::Failed.code()));
}

/// What can be seen of the cancels at one moment.
#[derive(Clone, Copy, Debug, Default)]
struct DrainSight {
    /// Heartbeats of the I/O thread.
    io_beats: u64,
    /// Whether the venues had confirmed when it ended; none before.
    io_end: Option<bool>,
    /// Whether they confirmed it over REST; none while they are asked.
    rescued: Option<bool>,
}

/// What is to be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DrainDeed {
    /// Look again.
    Wait,
    /// Cancel over REST.
    Rescue,
    /// Leave: whether the venues confirmed that nothing is open.
    Leave(bool),
}

/// Follows the cancels behind a panic for as long as anybody sends them.
#[derive(Clone, Debug)]
struct PanicDrain {
    beats: Heartbeats,
    io_lives: bool,
    rescuing: bool,
}

impl PanicDrain {
    const fn new(bounds: HangBounds, io_lives: bool) -> PanicDrain {
        PanicDrain { beats: Heartbeats::new(bounds), io_lives, rescuing: false }
    }

    fn look(&mut self, sight: DrainSight, now: Duration) -> DrainDeed {
        self.beats.look(0, sight.io_beats, now);
        if sight.io_end == Some(true) || sight.rescued == Some(true) {
            return DrainDeed::Leave(true);
        }
        if self.io_lives && sight.io_end.is_none() && self.beats.hung(TradingThread::Io).is_none() {
            return DrainDeed::Wait;
        }
        if !std::mem::replace(&mut self.rescuing, true) {
            return DrainDeed::Rescue;
        }
        // Nobody is left who cancels: the guard outside is faster than a process that only waits.
        if sight.rescued.is_some() { DrainDeed::Leave(false) } else { DrainDeed::Wait }
    }
}

impl Stricken {
    /// Waits until the venues confirmed that nothing is open, or nobody is left who cancels.
    fn follow(&self, mut drain: PanicDrain) -> bool {
        let begun = Instant::now();
        loop {
            let sight = DrainSight {
                io_beats: self.io.heartbeat.load(Ordering::Relaxed),
                io_end: self.io.ended.load(Ordering::Acquire).then(|| self.io.confirmed.load(Ordering::Acquire)),
                rescued: self.rescue.outcome(),
            };
            match drain.look(sight, begun.elapsed()) {
                DrainDeed::Wait => {}
                DrainDeed::Rescue => self.rescue.call(),
                DrainDeed::Leave(confirmed) => return confirmed,
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

/// What came of the cancels, for people.
fn outcome(confirmed: bool, open_orders: &dyn Fn() -> String) -> String {
    match confirmed {
        true => "everything was cancelled, and the venue confirmed it".to_owned(),
        false => {
            let open = open_orders();
            format!("the venue did not confirm that everything is cancelled: {open}: look at the account")
        }
    }
}

/// Bugs on demand, for tests: a debug build's hot thread panics, or a thread stands still, when it is told to.
#[cfg(debug_assertions)]
pub mod provoked {
    use std::io;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, OnceLock};

    use spinbook_feed::net::hot::hot_shared::HotShared;
    use spinbook_feed::net::io::gateway_loop::GatewayShared;

    use crate::alloc::thread_allocations;

    static WANTED: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    /// Which thread is to stand still.
    static HANG: OnceLock<String> = OnceLock::new();

    /// From the start of the threads on SIGUSR2 makes this one stand still, hot or io.
    pub fn hang_on_user_signal(thread: &str) {
        let _ = HANG.set(thread.to_owned());
    }

    /// Joins the signal to the thread that is to stand still.
    ///
    /// # Errors
    /// The system refuses a handler.
    pub fn arm(hot: &HotShared, io: &GatewayShared) -> io::Result<()> {
        let frozen = match HANG.get().map(String::as_str) {
            Some("hot") => &hot.frozen,
            Some(_) => &io.frozen,
            None => return Ok(()),
        };
        signal_hook::flag::register(signal_hook::consts::SIGUSR2, frozen.clone()).map(|_| ())
    }

    /// From here on SIGUSR2 makes the hot thread panic at its next frame.
    ///
    /// # Errors
    /// The system refuses a handler.
    pub fn on_user_signal() -> io::Result<()> {
        let wanted = WANTED.get_or_init(Default::default);
        signal_hook::flag::register(signal_hook::consts::SIGUSR2, wanted.clone()).map(|_| ())
    }

    /// This thread's heap allocations, unless the bug is wanted.
    pub fn allocations() -> u64 {
        assert!(!WANTED.get().is_some_and(|wanted| wanted.load(Ordering::Relaxed)), "provoked by SIGUSR2");
        thread_allocations()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: HangBounds = HangBounds { hot: Duration::from_millis(250), io: Duration::from_millis(500) };

    /// Looks every 10 ms for an hour; what was done, and when.
    fn play(io_lives: bool, sight: impl Fn(u64) -> DrainSight) -> Vec<(u64, DrainDeed)> {
        let mut drain = PanicDrain::new(BOUNDS, io_lives);
        let mut done = Vec::new();
        for at in (0..3_600_000).step_by(10) {
            let deed = drain.look(sight(at), Duration::from_millis(at));
            if deed != DrainDeed::Wait {
                done.push((at, deed));
            }
            if matches!(deed, DrainDeed::Leave(_)) {
                break;
            }
        }
        done
    }

    #[test]
    fn a_panic_waits_as_long_as_the_order_thread_cancels() {
        let works = |at| DrainSight { io_beats: at + 1, ..DrainSight::default() };
        assert_eq!(play(true, works), [], "an hour is not too long while an order may live");
        let after_ten_minutes = |at| DrainSight { io_end: (at >= 600_000).then_some(true), ..works(at) };
        assert_eq!(play(true, after_ten_minutes), [(600_000, DrainDeed::Leave(true))]);
    }

    #[test]
    fn where_the_order_thread_cannot_the_other_way_is_taken() {
        let rescued = |at| (at >= 5_000).then_some(true);
        let never_moves = |at| DrainSight { io_beats: 7, rescued: rescued(at), ..DrainSight::default() };
        let done = [(500, DrainDeed::Rescue), (5_000, DrainDeed::Leave(true))];
        assert_eq!(play(true, never_moves), done, "it stands still as well");
        // It is the one that panicked, or it ended before the venue had confirmed.
        let done = [(0, DrainDeed::Rescue), done[1]];
        assert_eq!(play(false, never_moves), done);
        let gave_up = |at| DrainSight { io_beats: at + 1, io_end: Some(false), rescued: rescued(at) };
        assert_eq!(play(true, gave_up), done);
        // Whoever was to rescue is gone: the process ends, and the guard finds the sign of trading.
        let nobody = |_| DrainSight { io_beats: 7, rescued: Some(false), ..DrainSight::default() };
        assert_eq!(play(false, nobody)[1], (10, DrainDeed::Leave(false)));
    }

    #[test]
    fn what_came_of_a_panic_is_said() {
        let open_orders = || "2 orders may still be open".to_owned();
        assert_eq!(outcome(true, &open_orders), "everything was cancelled, and the venue confirmed it");
        let told = outcome(false, &open_orders);
        assert!(told.ends_with("cancelled: 2 orders may still be open: look at the account"), "{told}");
    }
}
