//! COLD: the alternate screen of a terminal, given back whatever happens.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen};
use ratatui::layout::{Position, Rect};

use signal_hook::consts::SIGCONT;

use super::ScreenState;
use super::keyboard::{self, Obey, SharedView};
use super::view::{self, Picture};
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

/// The whole terminal, and its keys where standard input is the terminal as well; Ctrl-C remains a signal.
pub struct FullScreen {
    terminal: Terminal<CrosstermBackend<TerminalWriter>>,
    view: Arc<SharedView>,
    has_keys: bool,
    /// Set when the process goes on after it was stopped: somebody else had the terminal meanwhile.
    continued: Arc<AtomicBool>,
    /// What could not be written before it was opened.
    lost_before: u64,
}

impl FullScreen {
    /// Takes the terminal over. What keys ask of the run is told to `obey`.
    ///
    /// # Errors
    /// The terminal refuses, or another process has it; nothing has changed then.
    pub fn open(symbols: usize, obey: Obey) -> io::Result<FullScreen> {
        if !keyboard::in_foreground(io::stdout()) {
            return Err(io::Error::other("another program has the terminal"));
        }
        let continued = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(SIGCONT, continued.clone())?;
        enter()?;
        SHOWN.store(true, Ordering::Relaxed);
        let terminal = Terminal::new(CrosstermBackend::new(TerminalWriter::default())).inspect_err(|_| give_back())?;
        crate::log::hold();
        let view = Arc::new(SharedView::default());
        // Without keys a run is what it was: Ctrl-C ends it.
        let has_keys = keyboard::take() && keyboard::start(view.clone(), symbols, obey).is_ok();
        Ok(FullScreen { terminal, view, has_keys, continued, lost_before: OUT.lost() })
    }

    /// Whether a key asked for something that is not shown yet.
    pub(super) fn is_outdated(&self) -> bool {
        self.view.is_changed()
    }

    /// Draws one picture.
    pub fn draw(&mut self, state: &ScreenState, messages: &[String]) {
        // One that has not taken the last picture (Ctrl-S) gets no further one, and one that is gone none at all.
        if !SHOWN.load(Ordering::Relaxed) || !OUT.is_idle() || OUT.lost() != self.lost_before {
            return;
        }
        if !keyboard::in_foreground(io::stdout()) {
            return;
        }
        if self.continued.swap(false, Ordering::Relaxed) {
            keyboard::take_again();
            let _ = enter();
            // Not `clear`, which asks the terminal where its cursor is and reads keys until it has answered.
            let _ = self.terminal.size().and_then(|size| self.terminal.resize(Rect::from((Position::ORIGIN, size))));
        }
        let picture = Picture { state, messages, view: self.view.take(), has_keys: self.has_keys };
        // A picture that cannot be shown must not stop a run.
        let _ = self.terminal.draw(|frame| view::draw(frame, &picture));
    }
}

impl Drop for FullScreen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Turns to the other screen of the terminal.
fn enter() -> io::Result<()> {
    let mut writer = TerminalWriter::default();
    execute!(writer, EnterAlternateScreen, Hide)
}

/// Gives the terminal back, if it is taken, and writes what the log has held meanwhile: at the end of a screen, and
/// at the end of a program that breaks.
pub fn give_back() {
    if !SHOWN.swap(false, Ordering::Relaxed) {
        return;
    }
    keyboard::give_back();
    // One writer in a place of its own: `execute!` evaluates what it is given once to write and once to flush.
    let mut writer = TerminalWriter::default();
    let _ = execute!(writer, LeaveAlternateScreen, Show);
    OUT.settle(GIVE_BACK_WITHIN);
    crate::log::release();
}
