//! COLD: how a verb ends: what it is told, what it returns, and with which code the process leaves.

use serde_json::Value;

/// The file in a state directory whose presence halts an engine; it stays until a person removes it.
pub const KILL_FILE: &str = "kill";

/// The exit codes of every verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: done.
    Done,
    /// 1: failed; the message says what, where, why and what next.
    Failed,
    /// 2: wrong usage or configuration.
    Usage,
    /// 3: data or a book was found wrong.
    Wrong,
    /// 4: a risk control stopped trading.
    Stopped,
    /// 130: interrupted.
    Interrupted,
}

impl Exit {
    /// The process exit code.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Wrong => 3,
            Exit::Stopped => 4,
            Exit::Interrupted => 130,
        }
    }
}

/// What every verb is told beside its own arguments.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// stdout carries one JSON object and nothing else.
    pub json: bool,
    /// No screen and no progress.
    pub quiet: bool,
}

impl Context {
    /// Whether progress may be shown (on stderr).
    #[must_use]
    pub fn shows_progress(&self) -> bool {
        !self.quiet
    }
}

/// A verb's result, printed once by `main`.
#[derive(Clone, Debug)]
pub struct Done {
    /// With which code to leave.
    pub exit: Exit,
    /// For people.
    pub text: String,
    /// For programs.
    pub json: Value,
}

impl Done {
    /// A result with exit code 0.
    #[must_use]
    pub fn new(text: impl Into<String>, json: Value) -> Done {
        Done { exit: Exit::Done, text: text.into(), json }
    }

    /// The same with another exit code.
    #[must_use]
    pub fn with_exit(mut self, exit: Exit) -> Done {
        self.exit = exit;
        self
    }
}
