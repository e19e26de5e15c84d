//! COLD: builds and runs `bench/peers` in its own folder, so that its flags count, and reads what it prints.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::measure::PeerFigures;

/// Where the peers' workspace lies.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}

/// What a user can do about peers that were not measured.
const HOW: &str = "`cargo run --release` in bench/peers says more; the first build fetches the crates, so it needs \
                   a network";

fn cargo(arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    command.args(arguments).current_dir(folder);
    // What this build was told would otherwise overrule the peers' own flags and folder.
    for variable in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR"] {
        command.env_remove(variable);
    }
    command
}

/// Builds the peers; every line of the compiler is handed to `say`, so that minutes do not pass in silence.
///
/// # Errors
/// Why it does not build: the compiler's first line that names an error.
pub fn build(folder: &Path, say: &mut dyn FnMut(&str)) -> Result<(), String> {
    let mut child = cargo(&["build", "--release", "--locked"], folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cargo cannot be started: {error}"))?;
    let mut reason = None;
    if let Some(stderr) = child.stderr.take() {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            if reason.is_none() && line.starts_with("error") {
                reason = Some(line.clone());
            }
            say(&line);
        }
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    if status.success() {
        return Ok(());
    }
    let reason = reason.unwrap_or_else(|| format!("cargo ended with {status}"));
    Err(format!("bench/peers does not build here ({reason}); {HOW}"))
}

/// Runs the built peers on `files` (none: the recorded chains) and reads their figures. Their progress goes to
/// stderr.
///
/// # Errors
/// It fails or prints what is not understood.
pub fn run(folder: &Path, files: &[PathBuf], quick: bool) -> Result<PeerFigures, String> {
    let mut command = cargo(&["run", "--release", "--locked", "--quiet", "--", "--json"], folder);
    if quick {
        command.arg("--quick");
    }
    for file in files {
        command.arg(std::path::absolute(file).map_err(|error| format!("{}: {error}", file.display()))?);
    }
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("cargo cannot be started: {error}"))?;
    if !output.status.success() {
        return Err(format!("bench/peers ended with {}; {HOW}", output.status));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("the output of bench/peers: {error}; {HOW}"))
}

#[cfg(test)]
mod tests {
    use super::{build, folder};

    #[test]
    fn a_failed_build_says_the_compilers_reason_and_what_to_do() {
        let mut lines = Vec::new();
        let why =
            build(std::path::Path::new("/"), &mut |line| lines.push(line.to_owned())).expect_err("there is no package");
        assert!(why.contains("(error: could not find `Cargo.toml`") && why.contains("bench/peers says more"), "{why}");
        assert!(!lines.is_empty() && folder().join("Cargo.toml").exists());
    }
}
