//! COLD: the alternate screen of a terminal, given back whatever happens.

use std::io::{self, Stdout, Write};

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen};

use super::{ScreenState, view};

/// The whole terminal. It stays in its ordinary input mode, so that Ctrl-C remains a signal.
pub struct FullScreen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
}

impl FullScreen {
    /// Takes the terminal over.
    ///
    /// # Errors
    /// The terminal refuses; nothing has changed then.
    pub fn open() -> io::Result<FullScreen> {
        let mut out = io::stdout();
        execute!(out, EnterAlternateScreen, Hide)?;
        match Terminal::new(CrosstermBackend::new(out)) {
            Ok(terminal) => {
                crate::log::hold();
                let before = std::panic::take_hook();
                std::panic::set_hook(Box::new(move |info| {
                    give_back();
                    before(info);
                }));
                Ok(FullScreen { terminal })
            }
            Err(error) => {
                give_back();
                Err(error)
            }
        }
    }

    /// Draws one picture.
    pub fn draw(&mut self, state: &ScreenState, messages: &[String]) {
        // A terminal that has gone away must not stop a run.
        let _ = self.terminal.draw(|frame| view::draw(frame, state, messages));
    }
}

impl Drop for FullScreen {
    fn drop(&mut self) {
        give_back();
    }
}

fn give_back() {
    let mut out = io::stdout();
    let _ = execute!(out, LeaveAlternateScreen, Show);
    let _ = out.flush();
    crate::log::release();
}
