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

use crate::cli::{Cli, ConfigAction, KeysAction, Verb};
use crate::error::Failure;
use crate::outcome::{Context, Done};

/// Runs one verb.
///
/// # Errors
/// What the verb could not do.
pub fn run(cli: Cli, context: Context) -> Result<Done, Failure> {
    match cli.verb {
        Verb::Demo(arguments) => demo::run(&arguments, context),
        Verb::Run(arguments) => run::run(&arguments, context),
        Verb::Exchange(arguments) => exchange::run(&arguments, context),
        Verb::Verify(arguments) => verify::run(&arguments, context),
        Verb::Journal(arguments) => journal::run(&arguments),
        Verb::Config(arguments) => match arguments.action {
            ConfigAction::Init(arguments) => config::init(&arguments),
            ConfigAction::Check(arguments) => config::check(&arguments, context),
            ConfigAction::Schema(arguments) => Ok(config::schema(&arguments)),
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
