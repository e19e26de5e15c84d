//! COLD: a panic of any thread ends with cancels on the wire where the gateway lives, and says what may be open.
//!
//! A panic is a bug, and no thread may be trusted afterwards: but for the I/O thread, which owns the orders and knows
//! nothing of the others' state. The hook runs on the thread that panicked, keeps it from ever going on, lets the I/O
//! thread cancel and confirm, and ends the process. Where it is the I/O thread that panicked, the thread that rescues
//! cancels over REST instead. What is said goes over the threads that write, since the stream may be what broke.

use std::panic::PanicHookInfo;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

use spinbook_feed::net::hot::hot_shared::HotShared;
use spinbook_feed::net::io::gateway_loop::GatewayShared;

use super::rescue::RescueCall;
use crate::outcome::Exit;
use crate::output::{self, ERR};
use crate::ui;

/// The name of the thread that owns the orders.
pub const IO_THREAD: &str = "spinbook-io";
/// How long the I/O thread is given: it ends by itself long before.
const CANCEL_WITHIN: Duration = Duration::from_secs(60);
/// How often it is asked whether it has ended.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What a panic needs of the run that it strikes.
pub struct Stricken {
    /// The hot thread, which is to quote no more.
    pub hot: Arc<HotShared>,
    /// The I/O thread, which is to cancel.
    pub io: Arc<GatewayShared>,
    /// Cancels over REST, where the I/O thread itself broke.
    pub rescue: RescueCall,
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
    stricken.io.drain.store(true, Ordering::Release);
    stricken.hot.drain.store(true, Ordering::Release);
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("without a name");
    // The first one sees to the end, unless it waits for the very thread that panics now.
    while ENDING.swap(true, Ordering::AcqRel) && name != IO_THREAD {
        std::thread::sleep(CANCEL_WITHIN);
    }
    ui::give_back();
    tracing::error!("a bug: the thread {name} panicked: {info}");
    tracing::error!("cancelling everything and waiting for the venue's confirmation");
    let answer = if name == IO_THREAD {
        stricken.rescue.call();
        wait_for(&|| stricken.rescue.outcome())
    } else {
        let io = &stricken.io;
        wait_for(&|| io.ended.load(Ordering::Acquire).then(|| io.confirmed.load(Ordering::Acquire)))
    };
    tracing::error!("{}", outcome(answer, &stricken.open_orders));
    output::attach();
    ERR.line("error: a thread panicked: this is a bug of the program; please report the lines above");
    process::exit(i32::from(Exit::Failed.code()));
}

/// Waits until whoever cancels knows whether the venue confirmed, but not for ever.
fn wait_for(answer: &dyn Fn() -> Option<bool>) -> Option<bool> {
    let until = Instant::now() + CANCEL_WITHIN;
    loop {
        let known = answer();
        if known.is_some() || Instant::now() >= until {
            return known;
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// What came of the cancels, for people.
fn outcome(confirmed: Option<bool>, open_orders: &dyn Fn() -> String) -> String {
    let doubtful = |why: &str| format!("{why}: {}: look at the account", open_orders());
    match confirmed {
        Some(true) => "everything was cancelled, and the venue confirmed it".to_owned(),
        Some(false) => doubtful("the venue did not confirm in time that everything is cancelled"),
        None => doubtful("the thread that cancels does not answer"),
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

    #[test]
    fn a_panic_waits_for_the_thread_that_cancels_and_says_what_came_of_it() {
        let io = Arc::new(GatewayShared::default());
        let other = io.clone();
        let cancels = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(30));
            other.confirmed.store(true, Ordering::Release);
            other.ended.store(true, Ordering::Release);
        });
        let answer = || io.ended.load(Ordering::Acquire).then(|| io.confirmed.load(Ordering::Acquire));
        assert_eq!(wait_for(&answer), Some(true));
        cancels.join().expect("it only waits");
        let open_orders = || "2 orders may still be open".to_owned();
        assert_eq!(outcome(Some(true), &open_orders), "everything was cancelled, and the venue confirmed it");
        let told = outcome(Some(false), &open_orders);
        assert!(told.ends_with("cancelled: 2 orders may still be open: look at the account"), "{told}");
        assert!(outcome(None, &open_orders).starts_with("the thread that cancels does not answer: 2 orders"));
    }
}
