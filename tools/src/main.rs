//! COLD: the program `spinbook`: reads the command line, runs one verb, prints its result once.

mod alloc;
mod cli;
mod command;
mod config;
mod error;
mod exchange;
mod log;
mod outcome;
mod run;
mod ui;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use crate::cli::Cli;
use crate::error::Failure;
use crate::outcome::Exit;
use crate::outcome::{Context, Done};

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(refusal) => return refuse(&refusal, &arguments),
    };
    log::start(cli.quiet);
    let context = Context { json: cli.json, quiet: cli.quiet };
    let json = cli.json;
    let exit = finish(json, command::run(cli, context));
    ExitCode::from(exit.code())
}

/// Prints a verb's result or its failure, exactly once, and says with what code to leave.
fn finish(json: bool, result: Result<Done, Failure>) -> Exit {
    let exit = match &result {
        Ok(done) => done.exit,
        Err(failure) => failure.exit,
    };
    let line = match (&result, json) {
        // A verb that has said its object already has none left.
        (Ok(done), true) if done.json.is_null() => String::new(),
        (Ok(done), true) => done.json.to_string(),
        (Ok(done), false) => done.text.trim_end().to_owned(),
        (Err(failure), true) => {
            // A parent says it to people, and once is enough.
            if std::env::var_os(exchange::child::PARENT_VARIABLE).is_none() {
                eprintln!("{failure}");
            }
            failure.to_json().to_string()
        }
        (Err(failure), false) => {
            eprintln!("{failure}");
            return exit;
        }
    };
    if !line.is_empty() {
        let mut out = io::stdout().lock();
        // A reader that has gone (a closed pipe) is no failure of the verb.
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    }
    exit
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
        println!("{}", failure.to_json());
    }
    ExitCode::from(Exit::Usage.code())
}
