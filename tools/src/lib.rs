//! COLD: what the two programs are made of: `spinbook`, and `spinbook-guard`, which can only ask and cancel.
//!
//! Each reads its command line, runs one verb, and prints its result once.

mod alloc;
mod cli;
mod command;
mod config;
mod durable;
mod error;
mod exchange;
mod guard;
mod limits;
mod log;
mod outcome;
mod output;
mod run;
mod ui;

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use crate::cli::Cli;
use crate::error::Failure;
use crate::outcome::Exit;
use crate::outcome::{Context, Done};
use crate::output::ERR;

/// What must hold of the reader of configurations for any bytes, for the fuzz target.
#[cfg(feature = "testkit")]
pub use config::fuzzed::check as check_configuration;

/// The program `spinbook`.
#[must_use]
pub fn spinbook() -> ExitCode {
    if let Err(failure) = limits::check_start() {
        let json = std::env::args_os().any(|argument| argument == "--json");
        return ExitCode::from(finish(json, Err(failure)).code());
    }
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(refusal) => return refuse(&refusal, &arguments),
    };
    if let Err(failure) = log::start(cli.quiet, cli.log_file.as_deref()) {
        return ExitCode::from(finish(cli.json, Err(failure)).code());
    }
    if let Err(error) = run::signals::outlive_full_files() {
        tracing::warn!("a file over its limit of size will end the program: {error}");
    }
    let context = Context { json: cli.json, quiet: cli.quiet };
    let json = cli.json;
    let exit = finish(json, command::run(cli, context));
    ExitCode::from(exit.code())
}

/// The program `spinbook-guard`.
#[must_use]
pub fn spinbook_guard() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let guard = match guard::GuardArgs::try_parse_from(&arguments) {
        Ok(guard) => guard,
        Err(refusal) => return refuse(&refusal, &arguments),
    };
    if let Err(failure) = log::start(guard.quiet, guard.log_file.as_deref()) {
        return ExitCode::from(finish(guard.json, Err(failure)).code());
    }
    ExitCode::from(finish(guard.json, guard::run(&guard)).code())
}

/// Prints a verb's result or its failure, exactly once, and says with what code to leave.
fn finish(json: bool, result: Result<Done, Failure>) -> Exit {
    let exit = match &result {
        Ok(done) => done.exit,
        Err(failure) => failure.exit,
    };
    output::attach();
    let lost = output::lost();
    if lost > 0 {
        tracing::warn!(
            "{lost} lines or pictures could not be written to standard output, standard error or the log file"
        );
    }
    let line = match (&result, json) {
        // A verb that has said its object already has none left.
        (Ok(done), true) if done.json.is_null() => String::new(),
        (Ok(done), true) => done.json.to_string(),
        (Ok(done), false) => done.text.trim_end().to_owned(),
        (Err(failure), true) => {
            // A parent says it to people, and once is enough.
            if std::env::var_os(exchange::child::PARENT_VARIABLE).is_none() {
                ERR.line(&failure.to_string());
            }
            failure.to_json().to_string()
        }
        (Err(failure), false) => {
            ERR.line(&failure.to_string());
            return exit;
        }
    };
    if line.is_empty() {
        return exit;
    }
    match output::result(&line) {
        Ok(()) => exit,
        // A reader that has gone (a closed pipe) has had enough: no failure of the verb.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => exit,
        Err(error) => {
            ERR.line(&format!("error: the result cannot be written to standard output\n  why  : {error}"));
            if exit == Exit::Done { Exit::Failed } else { exit }
        }
    }
}

/// Answers a command line that clap did not accept: help and version are results, the rest is wrong usage.
fn refuse(refusal: &clap::Error, arguments: &[OsString]) -> ExitCode {
    if matches!(refusal.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        let _ = refusal.print();
        return ExitCode::SUCCESS;
    }
    let wants_json = arguments.iter().any(|argument| argument == "--json");
    let _ = refusal.print();
    if wants_json {
        let text = refusal.render().to_string();
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let what = lines.next().unwrap_or("wrong usage").trim_start_matches("error: ").to_owned();
        let failure = Failure::usage(what)
            .because(lines.collect::<Vec<_>>().join(" "))
            .next("see `spinbook --help` and `spinbook VERB --help`");
        let _ = output::result(&failure.to_json().to_string());
    }
    ExitCode::from(Exit::Usage.code())
}
