//! COLD: the keys of the terminal: read one at a time by a thread of their own, which nobody ever waits for.
//!
//! The terminal hands keys over as they are pressed and does not show them; Ctrl-C, Ctrl-\ and Ctrl-Z stay the signals
//! that they are. What a key asks of the run goes the way of signals, so a screen that hangs never prevents a stop.

use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr};
use nix::unistd::{getpgrp, read, tcgetpgrp};
use spinbook_feed::net::host::threads;

use super::keys::{Command, KeyParser, ScreenView};

/// How often the thread looks whether it is still wanted; an escape that is alone for so long is a key.
const LOOK_EVERY_MILLIS: u16 = 50;

/// How the terminal was before, while keys are read.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

fn before() -> MutexGuard<'static, Option<Termios>> {
    BEFORE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a key that concerns the run is told to; called by the thread that reads, must not block.
pub type Obey = Box<dyn Fn(Command) + Send>;

/// What keys have made of the view, between the thread that reads and the one that draws.
#[derive(Debug, Default)]
pub(super) struct SharedView {
    view: Mutex<ScreenView>,
    changed: AtomicBool,
}

impl SharedView {
    fn lock(&self) -> MutexGuard<'_, ScreenView> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The view as it is; what changed is seen from here on.
    pub(super) fn take(&self) -> ScreenView {
        self.changed.store(false, Ordering::Relaxed);
        *self.lock()
    }

    /// Whether it changed since it was taken last, or something was asked for that is shown.
    pub(super) fn is_changed(&self) -> bool {
        self.changed.load(Ordering::Relaxed)
    }
}

/// Whether this process may read and change a terminal: it is in its foreground, or the terminal
/// is not the one that controls it.
pub(super) fn in_foreground(terminal: impl AsFd) -> bool {
    !tcgetpgrp(terminal).is_ok_and(|group| group != getpgrp())
}

/// Keys one at a time, not shown; what makes signals stays.
fn one_at_a_time(before: &Termios) -> Termios {
    let mut termios = before.clone();
    termios.local_flags.remove(LocalFlags::ICANON | LocalFlags::ECHO);
    termios.local_flags.insert(LocalFlags::ISIG);
    termios.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
    termios.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
    termios
}

/// Has the terminal hand over keys from here on; whether it does. Standard input that is no terminal stays what it is.
pub(super) fn take() -> bool {
    let input = io::stdin();
    if !input.is_terminal() || !in_foreground(&input) {
        return false;
    }
    let Ok(found) = tcgetattr(&input) else { return false };
    if tcsetattr(&input, SetArg::TCSANOW, &one_at_a_time(&found)).is_err() {
        return false;
    }
    *before() = Some(found);
    true
}

/// The same again, for a process that was stopped: the shell has meanwhile used the terminal as it likes.
pub(super) fn take_again() {
    if let Some(before) = &*before() {
        let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, &one_at_a_time(before));
    }
}

/// The terminal is as it was, if it was taken and nobody else has it now.
pub(super) fn give_back() {
    let input = io::stdin();
    if let Some(before) = before().take()
        && in_foreground(&input)
    {
        let _ = tcsetattr(&input, SetArg::TCSANOW, &before);
    }
}

/// Starts the thread that reads keys until the terminal is given back.
///
/// # Errors
/// The system refuses a thread.
pub(super) fn start(shared: Arc<SharedView>, symbols: usize, obey: Obey) -> io::Result<()> {
    threads::spawn("spinbook-keys", None, |_| {}, move || read_keys(&shared, symbols, &obey)).map(|_| ())
}

fn read_keys(shared: &SharedView, symbols: usize, obey: &dyn Fn(Command)) {
    let input = io::stdin();
    let mut parser = KeyParser::default();
    let mut bytes = [0_u8; 64];
    loop {
        let mut waited = [PollFd::new(input.as_fd(), PollFlags::POLLIN)];
        let ready = poll(&mut waited, PollTimeout::from(LOOK_EVERY_MILLIS));
        if before().is_none() {
            return;
        }
        let keys = match ready {
            Ok(0) => Vec::from_iter(parser.on_silence()),
            // Whoever reads a terminal from the background is stopped by it: what is typed there is somebody else's.
            Ok(_) if !in_foreground(&input) => {
                std::thread::sleep(std::time::Duration::from_millis(LOOK_EVERY_MILLIS.into()));
                continue;
            }
            Ok(_) => match read(&input, &mut bytes) {
                Ok(0) => return,
                Ok(count) => bytes[..count].iter().filter_map(|byte| parser.on_byte(*byte)).collect(),
                Err(Errno::EINTR) => continue,
                // The terminal is gone; that it hung up is told by a signal.
                Err(_) => return,
            },
            Err(Errno::EINTR) => continue,
            Err(_) => return,
        };
        for key in keys {
            let (view, command) = shared.lock().on_key(key, symbols);
            *shared.lock() = view;
            command.into_iter().for_each(obey);
            shared.changed.store(true, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use nix::pty::openpty;

    use super::*;

    #[test]
    fn keys_come_one_at_a_time_and_signals_stay_signals() {
        let terminal = openpty(None, None).expect("a pseudo-terminal");
        let found = tcgetattr(&terminal.slave).expect("it is one");
        let wanted = one_at_a_time(&found);
        let flags = wanted.local_flags;
        assert!(found.local_flags.contains(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG));
        assert!(!flags.intersects(LocalFlags::ICANON | LocalFlags::ECHO) && flags.contains(LocalFlags::ISIG));
        assert_eq!((wanted.input_flags, wanted.output_flags), (found.input_flags, found.output_flags));
        tcsetattr(&terminal.slave, SetArg::TCSANOW, &wanted).expect("set");
        nix::unistd::write(&terminal.master, b"p").expect("a key");
        let mut bytes = [0; 8];
        assert_eq!(read(&terminal.slave, &mut bytes), Ok(1), "without the end of a line");
        assert_eq!(bytes[0], b'p');
    }
}
