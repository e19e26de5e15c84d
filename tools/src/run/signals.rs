//! COLD: what asks a run to end: signals and the kill file, which of them hurry an end that has begun, which are ignored.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::{SigSet, Signal};
use signal_hook::consts::{
    SIGALRM, SIGHUP, SIGINT, SIGIO, SIGPROF, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2, SIGVTALRM, SIGXCPU, SIGXFSZ,
};

use spinbook_feed::net::hot::hot_shared::HotShared;
use spinbook_feed::net::io::gateway_loop::{GatewayShared, OperatorWord};

use super::kills::operator_name;
use crate::outcome::Exit;
use crate::ui::Obey;
use crate::ui::keys::Command;

/// A signal that asks for an orderly end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopSignal {
    /// Ctrl-C.
    Interrupt,
    /// A supervisor, or `kill`.
    Terminate,
    /// Ctrl-\.
    Quit,
    /// The terminal is gone, with the window or the ssh connection it belonged to.
    Hangup,
    /// A user's own.
    User1,
    /// The limit of processor time is near: the next one kills.
    ProcessorTime,
}

impl StopSignal {
    /// All of them, the most pressing first.
    const ALL: [StopSignal; 6] = [
        StopSignal::Interrupt,
        StopSignal::Terminate,
        StopSignal::Quit,
        StopSignal::Hangup,
        StopSignal::User1,
        StopSignal::ProcessorTime,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            StopSignal::Interrupt => "SIGINT",
            StopSignal::Terminate => "SIGTERM",
            StopSignal::Quit => "SIGQUIT",
            StopSignal::Hangup => "SIGHUP",
            StopSignal::User1 => "SIGUSR1",
            StopSignal::ProcessorTime => "SIGXCPU",
        }
    }

    const fn number(self) -> i32 {
        match self {
            StopSignal::Interrupt => SIGINT,
            StopSignal::Terminate => SIGTERM,
            StopSignal::Quit => SIGQUIT,
            StopSignal::Hangup => SIGHUP,
            StopSignal::User1 => SIGUSR1,
            StopSignal::ProcessorTime => SIGXCPU,
        }
    }

    /// Whether it makes a run that is ending already leave at once. A person who asks again means it; a hang-up comes
    /// from several sides when a terminal closes, and supervisors send it right behind SIGTERM.
    #[must_use]
    pub const fn hurries(self) -> bool {
        matches!(self, StopSignal::Interrupt | StopSignal::Terminate | StopSignal::Quit)
    }
}

/// What asks a run to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopRequest {
    /// A signal.
    Signal(StopSignal),
    /// The file that `spinbook kill` leaves.
    KillFile,
    /// The screen's key.
    QuitKey,
}

/// While nothing is ordered, Ctrl-C ends the program at once, however slow the venue is. Said to the system explicitly: a program that was started in the background may have inherited that interrupts are ignored.
#[derive(Debug)]
pub struct EarlyExit(Arc<AtomicBool>);

impl EarlyExit {
    /// Takes over every stopping signal until [`EarlyExit::end`]: each ends the program with this code.
    ///
    /// # Errors
    /// The system refuses a handler.
    pub fn install(exit: Exit) -> io::Result<EarlyExit> {
        let active = Arc::new(AtomicBool::new(true));
        for signal in StopSignal::ALL {
            signal_hook::flag::register_conditional_shutdown(signal.number(), i32::from(exit.code()), active.clone())?;
        }
        Ok(EarlyExit(active))
    }

    /// From here on an interrupt is somebody else's.
    pub fn end(self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// A file that outgrows its limit (`ulimit -f`) is a failed write with a reason, not the end of the program.
///
/// # Errors
/// The system refuses a handler.
pub fn outlive_full_files() -> io::Result<()> {
    ignore(SIGXFSZ)
}

/// A handler that does nothing keeps the program alive; children start with the system's own again.
fn ignore(signal: i32) -> io::Result<()> {
    signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false))).map(|_| ())
}

/// Who reads from or writes to a terminal that another process has is stopped by it, with quotes that nobody watches:
/// on this thread and those that it starts the attempt fails instead.
fn never_stop() -> io::Result<()> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGTTIN);
    signals.add(Signal::SIGTTOU);
    Ok(signals.thread_block()?)
}

/// Signals that would end or freeze a program by default and mean nothing to this one. Who is stopped with Ctrl-Z
/// leaves quotes that nobody watches.
fn ignored() -> Vec<i32> {
    let mut signals = vec![SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGTSTP];
    #[cfg(target_os = "linux")]
    {
        signals.extend([libc::SIGPWR, libc::SIGSTKFLT]);
        signals.extend(libc::SIGRTMIN()..=libc::SIGRTMAX());
    }
    signals
}

/// Hears what asks for the end; to be asked now and then by the thread that waits.
#[derive(Debug, Default)]
pub struct Interrupts {
    /// What was raised since it was asked last, in the order of [`StopSignal::ALL`].
    raised: [Arc<AtomicBool>; StopSignal::ALL.len()],
    /// The screen's key was pressed since it was asked last.
    quit_key: Arc<AtomicBool>,
    /// The same for whoever hears beside this one.
    quit_key_beside: Arc<AtomicBool>,
    /// The file that `spinbook kill` leaves, until it was seen.
    kill_file: Option<PathBuf>,
    /// It said so over its socket.
    killed: Arc<AtomicBool>,
}

impl Interrupts {
    /// Takes over every stopping signal, and ignores those that mean nothing.
    ///
    /// # Errors
    /// The system refuses a handler.
    pub fn install() -> io::Result<Interrupts> {
        let interrupts = Interrupts::hearing(Arc::default())?;
        for signal in ignored() {
            ignore(signal)?;
        }
        never_stop()?;
        Ok(interrupts)
    }

    /// What a key of the screen does: a pause, its end, and the end of the run in the way of a signal.
    #[must_use]
    pub fn obey(&self, hot: Arc<HotShared>, io: Arc<GatewayShared>) -> Obey {
        let keys = [self.quit_key.clone(), self.quit_key_beside.clone()];
        Box::new(move |command| match command {
            Command::Quit => keys.iter().for_each(|key| key.store(true, Ordering::Relaxed)),
            Command::Pause => {
                let was_paused = hot.pause.fetch_not(Ordering::AcqRel);
                let word = if was_paused { "resume" } else { "pause" };
                let reason = format!("a key of the screen ({})", operator_name());
                let written = io.said.say(OperatorWord { word, scope: String::new(), reason, instruments: Vec::new() });
                let unwritten = if written { "" } else { " (not in the journal: too many words at once)" };
                match was_paused {
                    true => tracing::warn!("the pause is over: quoting again where nothing else forbids it{unwritten}"),
                    false => tracing::warn!("trading is paused: every quote is pulled; p again goes on{unwritten}"),
                }
            }
        })
    }

    /// Hears the same signals and the same key for another thread, whatever this one takes.
    ///
    /// # Errors
    /// The system refuses a handler.
    pub fn beside(&self) -> io::Result<Interrupts> {
        Interrupts::hearing(self.quit_key_beside.clone())
    }

    fn hearing(quit_key: Arc<AtomicBool>) -> io::Result<Interrupts> {
        let interrupts = Interrupts { quit_key, ..Interrupts::default() };
        for (signal, raised) in StopSignal::ALL.iter().zip(&interrupts.raised) {
            signal_hook::flag::register(signal.number(), raised.clone())?;
        }
        Ok(interrupts)
    }

    /// Has a byte written to `wake` behind every one of them, so that nobody has to look now and then.
    ///
    /// # Errors
    /// The system refuses a handler.
    pub fn wake(&self, wake: &UnixStream) -> io::Result<()> {
        for signal in StopSignal::ALL {
            signal_hook::low_level::pipe::register(signal.number(), wake.try_clone()?)?;
        }
        Ok(())
    }

    /// Hears of this file, too, once.
    #[must_use]
    pub fn or_file(mut self, kill_file: PathBuf) -> Interrupts {
        self.kill_file = Some(kill_file);
        self
    }

    /// To be raised by whoever hears `spinbook kill` in another way; it counts as the file.
    #[must_use]
    pub fn killed(&self) -> Arc<AtomicBool> {
        self.killed.clone()
    }

    /// What came since it was asked last: of several signals the most pressing, and the file before any of them.
    pub fn take(&mut self) -> Option<StopRequest> {
        let killed = self.killed.load(Ordering::Acquire);
        if self.kill_file.take_if(|path| killed || path.exists()).is_some() {
            return Some(StopRequest::KillFile);
        }
        let mut first = None;
        for (signal, raised) in StopSignal::ALL.iter().zip(&self.raised) {
            if raised.swap(false, Ordering::Relaxed) {
                first = first.or(Some(StopRequest::Signal(*signal)));
            }
        }
        let key = self.quit_key.swap(false, Ordering::Relaxed).then_some(StopRequest::QuitKey);
        first.or(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kill_file_is_heard_once_and_of_signals_the_most_pressing() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("kill");
        let mut interrupts = Interrupts::default().or_file(path.clone());
        assert_eq!(interrupts.take(), None);
        std::fs::write(&path, "halt\n").expect("writable");
        assert_eq!((interrupts.take(), interrupts.take()), (Some(StopRequest::KillFile), None));
        let mut other = Interrupts::default().or_file(folder.path().join("none"));
        other.killed().store(true, Ordering::Release);
        assert_eq!((other.take(), other.take()), (Some(StopRequest::KillFile), None), "said over the socket");
        let raise = |signal: StopSignal, interrupts: &Interrupts| {
            let place = StopSignal::ALL.iter().position(|other| *other == signal).expect("it is one of them");
            interrupts.raised[place].store(true, Ordering::Relaxed);
        };
        raise(StopSignal::Hangup, &interrupts);
        raise(StopSignal::Terminate, &interrupts);
        assert_eq!(interrupts.take(), Some(StopRequest::Signal(StopSignal::Terminate)));
        assert_eq!(interrupts.take(), None, "the hang-up came with it and is no second wish");
    }

    #[test]
    fn keys_pause_and_quit_without_anybody_who_waits() {
        let mut interrupts = Interrupts::default();
        let mut beside = interrupts.beside().expect("handlers");
        let (hot, io) = (Arc::new(HotShared::default()), Arc::new(GatewayShared::default()));
        let obey = interrupts.obey(hot.clone(), io.clone());
        for paused in [true, false] {
            obey(Command::Pause);
            assert_eq!(hot.pause.load(Ordering::Relaxed), paused);
            let said = io.said.take().expect("it is written down").word;
            assert_eq!(said, if paused { "pause" } else { "resume" });
        }
        assert_eq!((interrupts.take(), beside.take()), (None, None), "a pause is no end");
        obey(Command::Quit);
        assert_eq!((interrupts.take(), interrupts.take()), (Some(StopRequest::QuitKey), None));
        assert_eq!((beside.take(), beside.take()), (Some(StopRequest::QuitKey), None), "whoever waits beside hears it");
    }

    #[test]
    fn a_hang_up_never_hurries_and_a_second_ctrl_c_does() {
        let hurrying: Vec<&str> =
            StopSignal::ALL.iter().filter(|signal| signal.hurries()).map(|signal| signal.name()).collect();
        assert_eq!(hurrying, ["SIGINT", "SIGTERM", "SIGQUIT"]);
    }
}
