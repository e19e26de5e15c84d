//! COLD: `spinbook completions` and `spinbook man`: what shells and `man` show, made from the command line itself.

use std::fs;
use std::io;
use std::path::Path;

use clap::CommandFactory;
use clap_mangen::Man;
use serde_json::json;

use crate::cli::{Cli, CompletionsArgs, ManArgs};
use crate::error::Failure;
use crate::outcome::Done;

/// Prints the completions of a shell.
#[must_use]
pub fn completions(arguments: &CompletionsArgs) -> Done {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "spinbook", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    let json = json!({ "shell": arguments.shell.to_string(), "script": script });
    Done::new(script, json)
}

/// Writes a page for the program and one for each verb, or prints the program's own.
///
/// # Errors
/// A page cannot be written.
pub fn man(arguments: &ManArgs) -> Result<Done, Failure> {
    let Some(folder) = &arguments.output else {
        let mut page = Vec::new();
        Man::new(Cli::command())
            .render(&mut page)
            .map_err(|error| Failure::failed("cannot write the manual").because(error))?;
        let page = String::from_utf8_lossy(&page).into_owned();
        return Ok(Done::new(page.clone(), json!({ "page": page })));
    };
    let written = fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), folder))
        .and_then(|()| pages(folder));
    let written = written.map_err(|error| {
        Failure::failed("cannot write the manual")
            .at(folder.display())
            .because(error)
            .next("name a folder that can be written: --output DIR")
    })?;
    let text = format!("wrote {} pages into {}", written.len(), folder.display());
    Ok(Done::new(text, json!({ "written": written })))
}

/// The pages in a folder.
fn pages(folder: &Path) -> io::Result<Vec<String>> {
    let mut pages = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "1") {
            pages.push(path.display().to_string());
        }
    }
    pages.sort();
    Ok(pages)
}
