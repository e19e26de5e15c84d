//! COLD: the alternate screen of a terminal, given back whatever happens.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen};

use super::{ScreenState, view};
use crate::output::OUT;

/// How long a terminal may take to show that it was given back, before lines of the log follow.
const GIVE_BACK_WITHIN: Duration = Duration::from_millis(500);

/// The terminal as `ratatui` writes to it: a picture leaves in one piece, and a terminal that is gone fails nothing.
/// (Told of a failure, `ratatui` would say so on a stderr that may be gone as well.)
#[derive(Debug, Default)]
struct TerminalWriter(Vec<u8>);

impl Write for TerminalWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        OUT.write(&self.0);
        self.0.clear();
        Ok(())
    }
}

/// Whether a screen has the terminal.
static SHOWN: AtomicBool = AtomicBool::new(false);

/// The whole terminal. It stays in its ordinary input mode, so that Ctrl-C remains a signal.
pub struct FullScreen {
    terminal: Terminal<CrosstermBackend<TerminalWriter>>,
    /// What could not be written before it was opened.
    lost_before: u64,
}

impl FullScreen {
    /// Takes the terminal over.
    ///
    /// # Errors
    /// The terminal refuses; nothing has changed then.
    pub fn open() -> io::Result<FullScreen> {
        execute!(TerminalWriter::default(), EnterAlternateScreen, Hide)?;
        match Terminal::new(CrosstermBackend::new(TerminalWriter::default())) {
            Ok(terminal) => {
                crate::log::hold();
                SHOWN.store(true, Ordering::Relaxed);
                Ok(FullScreen { terminal, lost_before: OUT.lost() })
            }
            Err(error) => {
                SHOWN.store(true, Ordering::Relaxed);
                give_back();
                Err(error)
            }
        }
    }

    /// Draws one picture.
    pub fn draw(&mut self, state: &ScreenState, messages: &[String]) {
        // One that has not taken the last picture (Ctrl-S) gets no further one, and one that is gone none at all.
        if !SHOWN.load(Ordering::Relaxed) || !OUT.is_idle() || OUT.lost() != self.lost_before {
            return;
        }
        // A picture that cannot be shown must not stop a run.
        let _ = self.terminal.draw(|frame| view::draw(frame, state, messages));
    }
}

impl Drop for FullScreen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Gives the terminal back, if it is taken, and writes what the log has held meanwhile: at the end of a screen, and
/// at the end of a program that breaks.
pub fn give_back() {
    if !SHOWN.swap(false, Ordering::Relaxed) {
        return;
    }
    let _ = execute!(TerminalWriter::default(), LeaveAlternateScreen, Show);
    OUT.settle(GIVE_BACK_WITHIN);
    crate::log::release();
}
