//! COLD: one module a verb; each returns its result once, as text and as JSON.

pub mod config;
pub mod demo;
pub mod doctor;
pub mod exchange;
pub mod journal;
pub mod keys;
pub mod kill;
pub mod run;
pub mod verify;

use serde_json::Value;

use crate::cli::{Cli, ConfigAction, KeysAction, Verb};
use crate::error::{Exit, Failure};

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

/// The venues that users may name, and whether they are built.
const VENUES: [(&str, bool); 10] = [
    ("binance-spot", true),
    ("binance-usdm", true),
    ("okx", false),
    ("bybit-spot", false),
    ("bybit-linear", false),
    ("htx", false),
    ("htx-swap", false),
    ("htx-coin-swap", false),
    ("relay", false),
    ("all", false),
];

/// Checks that `name` is a venue that is built.
///
/// # Errors
/// Wrong usage, with the nearest name, or "reserved" for one that is not built.
pub fn check_venue(name: &str) -> Result<(), Failure> {
    let built = VENUES.iter().filter(|(_, built)| *built).map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    match VENUES.iter().find(|(known, _)| *known == name) {
        Some((_, true)) => Ok(()),
        Some((_, false)) => Err(Failure::usage(format!("venue `{name}` is reserved, not built yet"))
            .at("--venue")
            .next(format!("use one of {built}"))),
        None => {
            let nearest = crate::config::nearest(name, VENUES.iter().map(|(known, _)| *known));
            let hint = nearest.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
            Err(Failure::usage(format!("unknown venue `{name}`"))
                .at("--venue")
                .next(format!("{hint}use one of {built}")))
        }
    }
}

/// Runs one verb.
///
/// # Errors
/// What the verb could not do.
pub fn run(cli: Cli, context: Context) -> Result<Done, Failure> {
    match cli.verb {
        Verb::Demo(arguments) => check_venue(&arguments.venue).and_then(|()| demo::run(&arguments, context)),
        Verb::Run(arguments) => run::run(&arguments, context),
        Verb::Exchange(arguments) => check_venue(&arguments.venue).and_then(|()| exchange::run(&arguments, context)),
        Verb::Verify(arguments) => verify::run(&arguments, context),
        Verb::Journal(arguments) => journal::run(&arguments),
        Verb::Config(arguments) => match arguments.action {
            ConfigAction::Init(arguments) => config::init(&arguments),
            ConfigAction::Check(arguments) => config::check(&arguments),
            ConfigAction::Schema(_) => Err(reserved("config schema")),
        },
        Verb::Keys(arguments) => match arguments.action {
            KeysAction::Check(arguments) => keys::check(&arguments),
        },
        Verb::Doctor(arguments) => doctor::run(&arguments, context),
        Verb::Kill(arguments) => kill::run(&arguments),
        Verb::Record(_) => Err(reserved("record")),
        Verb::Replay(_) => Err(reserved("replay")),
        Verb::Backtest(_) => Err(reserved("backtest")),
        Verb::Sweep(_) => Err(reserved("sweep")),
        Verb::Download(_) => Err(reserved("download")),
        Verb::Cache(_) => Err(reserved("cache")),
        Verb::Compare(_) => Err(reserved("compare")),
        Verb::Analyze(_) => Err(reserved("analyze")),
        Verb::Report(_) => Err(reserved("report")),
        Verb::Top(_) => Err(reserved("top")),
    }
}

/// The answer of a verb whose name is taken but which does nothing yet.
#[must_use]
pub fn reserved(verb: &str) -> Failure {
    Failure::usage(format!("`{verb}` is reserved, not built yet"))
        .at(format!("spinbook {verb}"))
        .next("see `spinbook --help` for the verbs that work")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn venues_are_checked_by_name() {
        assert!(check_venue("binance-spot").is_ok());
        let unknown = check_venue("binance-sopt").expect_err("no such venue");
        assert_eq!(unknown.exit, Exit::Usage);
        assert!(unknown.to_string().contains("binance-spot"), "{unknown}");
        let known = check_venue("okx").expect_err("not built");
        assert!(known.to_string().contains("reserved, not built yet"), "{known}");
    }
}
