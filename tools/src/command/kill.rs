//! COLD: `spinbook kill`: tells a running engine to cancel everything and halt, by a file in its state directory.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};

use serde_json::json;

use crate::cli::KillArgs;
use crate::error::Failure;
use crate::outcome::{Done, KILL_FILE};

/// Leaves the kill file. A running engine sees it, cancels every order and halts; none starts while it is there.
///
/// # Errors
/// There is no such state directory, or the file cannot be written.
pub fn run(arguments: &KillArgs) -> Result<Done, Failure> {
    let directory = &arguments.state_dir;
    if !directory.is_dir() {
        return Err(Failure::usage("there is no such state directory")
            .at(directory.display())
            .because("an engine writes its state there when it starts")
            .next("name the engine's own: --state-dir DIR, as `state_dir` in its configuration"));
    }
    let path = directory.join(KILL_FILE);
    let made = OpenOptions::new().write(true).create_new(true).open(&path);
    let already = match made {
        Ok(mut file) => {
            let written = file.write_all(b"halt\n").and_then(|()| file.sync_all());
            written.map_err(|error| failed(&path, error))?;
            false
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => true,
        Err(error) => return Err(failed(&path, error)),
    };
    let what = if already { "was there already" } else { "written" };
    let text = format!(
        "{}: {what}\na running engine cancels every order and halts; none starts until the file is removed\n",
        path.display()
    );
    Ok(Done::new(text, json!({ "kill_file": path.display().to_string(), "already_there": already })))
}

fn failed(path: &std::path::Path, error: std::io::Error) -> Failure {
    Failure::failed("cannot write the kill file")
        .at(path.display())
        .because(error)
        .next("check the directory's owner and free space, or interrupt the engine itself (Ctrl-C)")
}
