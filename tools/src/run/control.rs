//! COLD: the control thread: begins the end at a signal, watches the heartbeats of the threads that trade, and leaves.
//!
//! It takes no lock, touches no disk and writes to no stream: whatever became of the others, it hears the next signal.
//! What it decides is a function of what it saw ([`Supervisor`]). What takes time is done by others for it: `rescue`
//! cancels over REST, `news` says what there is to say.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::{Duration, Instant};

use spinbook_feed::net::host::threads;
use spinbook_feed::net::hot::hot_shared::HotShared;
use spinbook_feed::net::io::gateway_loop::GatewayShared;
use spinbook_feed::supervision::heartbeats::{HangBounds, TradingThread};
use spinbook_feed::supervision::supervisor::{Deeds, LOOK_EVERY, LeaveCause, Sight, Supervisor};

use super::kill_word::{KillFiles, KillWord};
use super::news::{self, Weight};
use super::panics;
use super::pulse::LastWord;
use super::rescue::RescueCall;
use super::signals::{Interrupts, StopRequest};
use crate::outcome::Exit;
use crate::output::ERR;

/// How long the end of the process waits for what was said of it to be written.
const SAID_WITHIN: Duration = Duration::from_millis(500);

/// What the control thread looks at and acts upon.
pub struct ControlParts {
    /// What the hot thread shows.
    pub hot: Arc<HotShared>,
    /// What the I/O thread shows.
    pub io: Arc<GatewayShared>,
    /// When a thread hangs.
    pub bounds: HangBounds,
    /// Cancels over REST.
    pub rescue: RescueCall,
    /// The files that `spinbook kill` leaves.
    pub kill_files: KillFiles,
    /// Carries an operator's word to the trading threads.
    pub word: KillWord,
    /// The state directory of a run with orders at a venue.
    pub directory: Option<PathBuf>,
    /// What may be open.
    pub open_orders: Box<dyn Fn() -> String + Send + Sync>,
}

/// The running control thread; with this it ends.
pub struct Control {
    over: Arc<AtomicBool>,
    /// One more than the thread that was found hanging; zero: none.
    hung: Arc<AtomicU8>,
}

impl Control {
    /// Starts it, with what asks for the end, heard beside the main thread. From here on a second Ctrl-C ends the
    /// process, whatever the other threads do.
    ///
    /// # Errors
    /// The system refuses a thread, a pair of sockets or a handler.
    pub fn start(mut parts: ControlParts, mut signals: Interrupts) -> io::Result<Control> {
        let control = Control { over: Arc::default(), hung: Arc::default() };
        let (mut ear, wake) = UnixStream::pair()?;
        ear.set_read_timeout(Some(LOOK_EVERY))?;
        signals.wake(&wake)?;
        let asked = Arc::new(AtomicBool::new(false));
        let files = std::mem::take(&mut parts.kill_files);
        watch_files(files, parts.word.clone(), (asked.clone(), wake), control.over.clone())?;
        let (over, hung) = (control.over.clone(), control.hung.clone());
        let work = move || {
            let begun = Instant::now();
            let mut supervisor = Supervisor::new(parts.bounds);
            while !over.load(Ordering::Acquire) {
                let request = signals.take();
                let mut sight = parts.sight();
                sight.asked = request.is_some() || asked.swap(false, Ordering::AcqRel);
                sight.hurried = matches!(request, Some(StopRequest::Signal(signal)) if signal.hurries());
                parts.carry_out(supervisor.look(&sight, begun.elapsed()), &hung);
                // A byte or the end of its time: either way it is looked again.
                let _ = ear.read(&mut [0; 64]);
            }
        };
        threads::spawn("spinbook-control", None, |_| {}, work)?;
        Ok(control)
    }

    /// Which thread was found hanging.
    #[must_use]
    pub fn hung(&self) -> Option<TradingThread> {
        match self.hung.load(Ordering::Relaxed) {
            0 => None,
            1 => Some(TradingThread::Hot),
            _ => Some(TradingThread::Io),
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
    }
}

/// Looks at the kill files on a thread of its own: the disk may stand still, and then only this thread does.
fn watch_files(
    mut files: KillFiles,
    word: KillWord,
    (asked, mut wake): (Arc<AtomicBool>, UnixStream),
    over: Arc<AtomicBool>,
) -> io::Result<()> {
    let watch = move || {
        while !over.load(Ordering::Acquire) {
            if files.look(&word) {
                asked.store(true, Ordering::Release);
                let _ = wake.write_all(&[0]);
                return;
            }
            std::thread::sleep(LOOK_EVERY);
        }
    };
    threads::spawn("spinbook-word", None, |_| {}, watch).map(|_| ())
}

impl ControlParts {
    fn sight(&self) -> Sight {
        Sight {
            draining: self.io.drain.load(Ordering::Relaxed),
            hot_beats: self.hot.heartbeat.load(Ordering::Relaxed),
            hot_stops: self.hot.stop.load(Ordering::Relaxed),
            io_beats: self.io.heartbeat.load(Ordering::Relaxed),
            io_ended: self.io.ended.load(Ordering::Acquire),
            io_failed: self.io.failed.load(Ordering::Acquire),
            panicking: panics::is_ending(),
            rescued: self.rescue.outcome(),
            ..Sight::default()
        }
    }

    fn carry_out(&self, deeds: Deeds, hung: &AtomicU8) {
        if deeds.drain {
            self.io.begin_drain();
            self.hot.drain.store(true, Ordering::Release);
        }
        if deeds.rescue {
            self.rescue.call();
        }
        if let Some((thread, still)) = deeds.hung {
            hung.store(thread as u8 + 1, Ordering::Relaxed);
            let how = match thread {
                TradingThread::Hot => "everything is cancelled by the thread that owns the orders",
                TradingThread::Io => "everything is cancelled over REST",
            };
            let text = format!("{} stands still for {} ms: {how}", thread.words(), still.as_millis());
            news::tell(Weight::Alarm, text);
        } else if deeds.rescue {
            let thread = TradingThread::Io.words();
            news::tell(Weight::Alarm, format!("{thread} has failed: everything is cancelled over REST"));
        }
        if let Some(cause) = deeds.leave {
            self.leave(cause);
        }
    }

    /// Says what is known and ends the process, also where nobody can say it any more.
    fn leave(&self, cause: LeaveCause) -> ! {
        let open = || format!("{}: look at the account", (self.open_orders)());
        // Whoever hurries does not wait for a confirmation; what there is of one is said all the same.
        let confirmed = match cause {
            LeaveCause::Hurried => false,
            LeaveCause::Hung(_) => self.io.confirmed.load(Ordering::Acquire) || self.rescue.outcome() == Some(true),
        };
        let text = match cause {
            LeaveCause::Hurried => format!("left at once: {}", open()),
            LeaveCause::Hung(thread) => {
                let outcome = match confirmed {
                    true => "everything was cancelled, and the venue confirmed it".to_owned(),
                    false => format!("the venue did not confirm that everything is cancelled: {}", open()),
                };
                format!("left without {}: {outcome}", thread.words())
            }
        };
        if let Some(directory) = self.directory.clone() {
            let open_orders = usize::try_from(self.io.open_orders.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
            let open_orders = if confirmed { 0 } else { open_orders };
            LastWord { directory, confirmed, open_orders }.say(SAID_WITHIN);
        }
        news::tell(Weight::Alarm, text);
        // Others may hold the locks of the log for ever: whoever says it is not waited for longer than this.
        news::settle(SAID_WITHIN);
        let written = threads::spawn("spinbook-last", None, |_| {}, || ERR.settle(SAID_WITHIN));
        if let Ok(written) = written {
            let until = Instant::now() + SAID_WITHIN;
            while !written.is_finished() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        signal_hook::low_level::exit(i32::from(Exit::Failed.code()))
    }
}
