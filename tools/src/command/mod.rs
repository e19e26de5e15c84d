//! COLD: one module a verb; each returns its result once, as text and as JSON.

pub mod config;
pub mod demo;
pub mod doctor;
pub mod exchange;
pub mod journal;
pub mod keys;
pub mod kill;
pub mod manual;
pub mod rearm;
pub mod run;
pub mod sample;
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
        Verb::Sample(arguments) => sample::run(&arguments),
        Verb::Config(arguments) => match arguments.action {
            ConfigAction::Init(arguments) => config::init(&arguments),
            ConfigAction::Check(arguments) => config::check(&arguments, context),
            ConfigAction::Schema(arguments) => Ok(config::schema(&arguments)),
        },
        Verb::Keys(arguments) => match arguments.action {
            KeysAction::Check(arguments) => keys::check(&arguments),
        },
        Verb::Journal(arguments) => journal::run(&arguments, context),
        Verb::Doctor(arguments) => doctor::run(&arguments, context),
        Verb::Kill(arguments) => kill::run(&arguments),
        Verb::Rearm(arguments) => rearm::run(&arguments),
        Verb::Completions(arguments) => Ok(manual::completions(&arguments)),
        Verb::Man(arguments) => manual::man(&arguments),
    }
}
