//! COLD: `spinbook config init`, `config check` and `config schema`.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};

use serde_json::json;

use crate::cli::{ConfigCheckArgs, ConfigInitArgs, ConfigSchemaArgs};
use crate::config::sample::{self, ConfigText};
use crate::config::{Config, effective, schema as config_schema};
use crate::error::Failure;
use crate::outcome::{Context, Done};
use crate::run::plan::RunMode;
use crate::run::preflight;

/// Writes the commented sample.
///
/// # Errors
/// The file exists already or cannot be written, or a key to be filled in is not known.
pub fn init(arguments: &ConfigInitArgs) -> Result<Done, Failure> {
    let config = filled(&arguments.set)?.commented();
    let Some(path) = &arguments.output else {
        let json = json!({ "config": config, "credentials": sample::CREDENTIALS });
        return Ok(Done::new(config, json));
    };
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| file.write_all(config.as_bytes()));
    written.map_err(|error| {
        let next = match error.kind() {
            ErrorKind::AlreadyExists => "name a file that does not exist yet",
            ErrorKind::NotFound => "make its folder first, or name a file in one that exists",
            _ => "name a file that can be written",
        };
        Failure::failed("cannot write the sample configuration").at(path.display()).because(error).next(next)
    })?;
    let text = format!(
        "wrote {}\nnext: edit it, then `spinbook config check -c {}`\ncredentials go into a file of their own:\n{}",
        path.display(),
        path.display(),
        sample::CREDENTIALS
    );
    Ok(Done::new(text, json!({ "written": path.display().to_string() })))
}

/// The sample with these keys set.
fn filled(sets: &[String]) -> Result<ConfigText, Failure> {
    let mut text = ConfigText::sample();
    for set in sets {
        let wrong = |why: String| {
            Failure::usage("cannot fill in the sample")
                .at(format!("--set {set}"))
                .because(why)
                .next("name a key by its path, such as --set risk.open_orders_max=4")
        };
        let (path, value) = set.split_once('=').ok_or_else(|| wrong("expected KEY=VALUE".to_owned()))?;
        text.set(path.trim(), value.trim()).map_err(wrong)?;
    }
    Ok(text)
}

/// Checks a configuration as a run would before it asks a venue, and prints what is in effect.
///
/// # Errors
/// Wrong configuration with every problem, or what a run would refuse in any mode.
pub fn check(arguments: &ConfigCheckArgs, context: Context) -> Result<Done, Failure> {
    let config = Config::load(&arguments.config, &arguments.set)?;
    preflight::check(&config, RunMode::Paper).and_then(|()| preflight::named_credentials(&config))?;
    let mut text = format!("{}: valid\n", config.file);
    for warning in &config.warnings {
        text.push_str(&format!("warning: {warning}\n"));
    }
    let mut modes = serde_json::Map::new();
    for mode in [RunMode::Paper, RunMode::Shadow, RunMode::Live] {
        let refused = preflight::check(&config, mode).err();
        let answer = match &refused {
            None => "ready".to_owned(),
            Some(failure) => {
                format!("refused: {}", [vec![failure.what.clone()], failure.problems.clone()].concat().join("; "))
            }
        };
        text.push_str(&format!("run --mode {}: {answer}\n", mode.name()));
        modes.insert(mode.name().to_owned(), json!(answer));
    }
    if !context.quiet {
        text.push_str(&effective::to_text(&config.effective));
    }
    let json = json!({
        "file": config.file,
        "valid": true,
        "warnings": config.warnings,
        "modes": modes,
        "effective": effective::to_json(&config.effective, |key| key.value.clone()),
        "origins": effective::to_json(&config.effective, |key| json!(key.place)),
    });
    Ok(Done::new(text, json))
}

/// Prints the schema for editors, or the table of README.
#[must_use]
pub fn schema(arguments: &ConfigSchemaArgs) -> Done {
    if arguments.markdown {
        let text = config_schema::markdown();
        return Done::new(text.clone(), json!({ "markdown": text }));
    }
    let schema = config_schema::schema();
    Done::new(format!("{schema:#}"), schema)
}
