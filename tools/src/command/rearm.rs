//! COLD: `spinbook rearm`: a person's word, with a reason, that an engine may trade again after a kill, a loss stop or a halt.

use std::fs::{self, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;
use spinbook_engine::types::Nanos;
use spinbook_feed::journal::digest;

use crate::cli::RearmArgs;
use crate::config::Config;
use crate::error::Failure;
use crate::outcome::{Done, KILL_FILE};
use crate::run::day_book::{self, Stops};
use crate::run::kills::{self, KillScope, ScopedKill};
use crate::run::state_dir::RUN_FILE;
use crate::ui::time::utc_text;

/// The key of the hash of the operator's token.
const TOKEN_KEY: &str = "rearm_token_sha256";

/// Ends the stops of the configuration's state directory and writes down who did it and why.
///
/// # Errors
/// No reason, no state directory, an engine that runs in it, or a file that cannot be written.
pub fn run(arguments: &RearmArgs) -> Result<Done, Failure> {
    let reason = arguments.reason.trim();
    if reason.is_empty() {
        return Err(Failure::usage("re-arming needs a reason")
            .at("--reason")
            .because("it is written down for whoever looks later")
            .next("--reason \"what was found and why it may go on\""));
    }
    let config = Config::load(&arguments.config, &arguments.set)?;
    check_token(&config, arguments.token_file.as_deref())?;
    let directory = &config.engine.state_dir;
    let _lock = lock(directory)?;
    let scope = KillScope {
        strategy: arguments.strategy.clone(),
        venue: arguments.venue.clone(),
        symbol: arguments.symbol.clone(),
    };
    let kill_file = directory.join(KILL_FILE);
    // Who names a part re-arms that part alone.
    let killed = scope.is_all() && kill_file.exists();
    let rearmed = if scope.is_all() { day_book::stops(directory)? } else { Stops::default() };
    let (lifted, left): (Vec<ScopedKill>, Vec<ScopedKill>) = kills::latched(directory)
        .map_err(|error| unwritten(directory, error))?
        .into_iter()
        .partition(|kill| scope.includes(&kill.scope));
    if !killed && rearmed.is_empty() && lifted.is_empty() {
        let mut text = format!("{}: nothing of {scope} is stopped here: nothing to re-arm\n", directory.display());
        text.push_str(&still_killed(&left));
        let value = json!({ "kill_file_removed": false, "loss_stops": [], "halts": [], "kills": [], "record": null });
        return Ok(Done::new(text, value));
    }
    // Written down first: what is not on record does not happen.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let time = utc_text(Nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)));
    let line = json!({
        "time": time, "who": who(), "reason": reason, "kill_file_removed": killed, "loss_stops": rearmed.losses,
        "halts": rearmed.halts, "kills": lifted,
    });
    let record = day_book::record_rearming(directory, &line)?;
    if scope.is_all() {
        day_book::rearm(directory)?;
    }
    kills::lift(directory, |latched| scope.includes(latched)).map_err(|error| unwritten(directory, error))?;
    if killed {
        match fs::remove_file(&kill_file) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(Failure::failed("cannot remove the kill file").at(kill_file.display()).because(error));
            }
            _ => {}
        }
    }
    let mut text = String::new();
    if killed {
        text.push_str("the kill is lifted: a run may start here again\n");
    }
    for stop in &rearmed.losses {
        text.push_str(&format!("lifted: {}; from here the daily limit counts anew\n", stop.to_text()));
    }
    for halt in &rearmed.halts {
        text.push_str(&format!("lifted: {} ({})\n", halt.to_text(), halt.time));
    }
    for kill in &lifted {
        text.push_str(&format!("the kill of {} is lifted\n", kill.scope));
    }
    text.push_str(&still_killed(&left));
    text.push_str(&format!("written down in {}\n", record.display()));
    let object = json!({
        "kill_file_removed": killed, "loss_stops": rearmed.losses, "halts": rearmed.halts, "kills": lifted,
        "record": record.display().to_string(),
    });
    Ok(Done::new(text, object))
}

/// Whoever re-arms holds the operator's token, where the configuration asks for one. Its hash counts as the file has it:
/// who could name another hash would need no token.
fn check_token(config: &Config, file: Option<&Path>) -> Result<(), Failure> {
    let in_file = format!("{}:", config.file);
    let told = config.effective.iter().flat_map(|table| &table.keys).find(|key| key.name == TOKEN_KEY);
    if let Some(told) = told.filter(|told| !told.value.is_null() && !told.place.starts_with(&in_file)) {
        return Err(Failure::usage("the hash of the operator's token is taken from the file alone")
            .at(&told.place)
            .because("whoever re-arms could name another one")
            .next("leave it out, or correct it in the file"));
    }
    let Some(expected) = &config.engine.rearm_token_sha256 else { return Ok(()) };
    let refused = |why: &dyn std::fmt::Display| {
        Failure::usage("re-arming needs the operator's token")
            .at("--token-file")
            .because(why)
            .next("spinbook rearm -c FILE --reason TEXT --token-file FILE; /dev/stdin for a token that is typed")
    };
    let file = file.ok_or_else(|| refused(&"engine.rearm_token_sha256 asks for it"))?;
    let token = fs::read_to_string(file).map_err(|error| refused(&format!("{}: {error}", file.display())))?;
    match digest(token.trim().as_bytes()) == *expected {
        true => Ok(()),
        false => Err(refused(&"its SHA-256 is not the one that engine.rearm_token_sha256 states")),
    }
}

/// What stays killed.
fn still_killed(left: &[ScopedKill]) -> String {
    left.iter().map(|kill| format!("still killed: {}\n", kill.scope)).collect()
}

fn unwritten(directory: &Path, error: std::io::Error) -> Failure {
    Failure::failed("the list of kills cannot be used").at(directory.join(kills::KILLS_FILE).display()).because(error)
}

/// Keeps an engine from starting meanwhile; refused while one runs, which would not hear of it.
fn lock(directory: &Path) -> Result<fs::File, Failure> {
    let path = directory.join(RUN_FILE);
    let refused = |why: &dyn std::fmt::Display| {
        Failure::usage("no engine has ever run with this state directory")
            .at(path.display())
            .because(why)
            .next("name the configuration of the engine that was stopped")
    };
    let file = OpenOptions::new().read(true).write(true).open(&path).map_err(|error| refused(&error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Failure::failed("an engine runs with this state directory")
            .at(directory.display())
            .because("it is re-armed before it starts: one that runs keeps its stop")
            .next("end it first (Ctrl-C), then re-arm and start it again")),
        Err(TryLockError::Error(error)) => Err(refused(&error)),
    }
}

/// Who types: the name that was logged on, also behind `sudo`.
fn who() -> String {
    let named = ["SUDO_USER", "LOGNAME", "USER"].iter().find_map(|name| std::env::var(name).ok());
    named.filter(|name| !name.is_empty()).unwrap_or_else(|| "unknown".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::sample::ConfigText;

    #[test]
    fn only_who_holds_the_token_re_arms_and_another_hash_is_not_named_beside_the_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).expect("writable");
            path
        };
        let (right, wrong) = (file("right", "correct horse\n"), file("wrong", "correct house\n"));
        let mut text = ConfigText::sample();
        let read = |text: &ConfigText, sets: &[String]| {
            let config = Config::from_text(&text.plain(), "t.toml", Path::new(""), &[], sets);
            config.unwrap_or_else(|failure| panic!("{failure}"))
        };
        check_token(&read(&text, &[]), None).expect("none is asked for");
        text.set("engine.rearm_token_sha256", &digest(b"correct horse")).expect("a key");
        let config = read(&text, &[]);
        check_token(&config, Some(&right)).expect("the operator's");
        for refused in [None, Some(wrong.as_path()), Some(Path::new("nowhere"))] {
            let failure = check_token(&config, refused).expect_err("not the operator's");
            assert!(failure.to_string().contains("re-arming needs the operator's token"), "{failure}");
        }
        let set = format!("engine.rearm_token_sha256={}", digest(b"correct house"));
        let failure = check_token(&read(&text, &[set]), Some(&wrong)).expect_err("a hash of one's own");
        assert!(failure.to_string().contains("is taken from the file alone"), "{failure}");
    }
}
