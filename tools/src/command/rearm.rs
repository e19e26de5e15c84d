//! COLD: `spinbook rearm`: a person's word, with a reason, that an engine may trade again after a kill, a loss stop or a halt.

use std::fs::{self, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::json;
use spinbook_engine::types::Nanos;
use spinbook_feed::journal::digest;

use super::kill::scope_of;
use crate::cli::RearmArgs;
use crate::config::Config;
use crate::error::Failure;
use crate::outcome::{Done, KILL_FILE};
use crate::run::day_book::{self, REARMED, Stops};
use crate::run::kill_word::{KillCall, SocketAnswer, SocketWord};
use crate::run::kills::{self, KillScope, ScopedKill, operator_name};
use crate::run::state_dir::RUN_FILE;
use crate::ui::time::utc_text;

/// The key of the hash of the operator's token.
const TOKEN_KEY: &str = "rearm_token_sha256";

/// Ends the stops of the configuration's state directory and writes down who did it and why.
///
/// # Errors
/// No reason, no state directory, an engine that runs in it where all is to be re-armed, one that did not hear of a part,
/// or a file that cannot be written.
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
    let scope = scope_of(&arguments.part);
    match lock(directory)? {
        Some(_lock) => rearm_stopped(directory, &scope, reason),
        // The whole of it is ended first; a part is re-armed where it runs.
        None if scope.is_all() => Err(Failure::failed("an engine runs with this state directory")
            .at(directory.display())
            .because("all of it is re-armed before it starts: one that runs keeps its stops")
            .next(
                "end it first (Ctrl-C), then re-arm and start it again; a part that was killed is re-armed while it \
                   runs: --strategy, --venue, --symbol",
            )),
        None => rearm_running(directory, &scope, reason, Duration::from_secs(arguments.wait)),
    }
}

/// Which kills a scope lifts, and which stay.
fn lifted_and_left(directory: &Path, scope: &KillScope) -> Result<(Vec<ScopedKill>, Vec<ScopedKill>), Failure> {
    let latched = kills::latched(directory).map_err(|error| unwritten(directory, error))?;
    Ok(latched.into_iter().partition(|kill| scope.includes(&kill.scope)))
}

fn nothing_to_do(directory: &Path, scope: &KillScope, left: &[ScopedKill]) -> Done {
    let mut text = format!("{}: nothing of {scope} is stopped here: nothing to re-arm\n", directory.display());
    text.push_str(&still_killed(left));
    let value = json!({ "kill_file_removed": false, "loss_stops": [], "halts": [], "kills": [], "record": null });
    Done::new(text, value)
}

/// What a line of the record says: what was asked for and what came of it are two facts, and each is written down when it
/// is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Recorded {
    /// Somebody asks, before anything else: what is not on record does not happen.
    Asked,
    /// It trades again, or the next run may.
    Rearmed,
    /// The engine did not: what was stopped stays so.
    NotRearmed,
    /// No answer came in time: nobody can say.
    Unanswered,
    /// Something could not be written or removed: some of it may be lifted.
    Broken,
}

impl Recorded {
    const fn name(self) -> &'static str {
        match self {
            Recorded::Asked => "asked",
            Recorded::Rearmed => REARMED,
            Recorded::NotRearmed => "not_rearmed",
            Recorded::Unanswered => "unanswered",
            Recorded::Broken => "broken",
        }
    }
}

/// Who re-arms what and why, on record.
struct Rearming<'a> {
    directory: &'a Path,
    scope: &'a KillScope,
    reason: &'a str,
}

impl Rearming<'_> {
    /// A line of the record; `more` are keys that belong to what it says.
    fn write(&self, what: Recorded, more: &serde_json::Value) -> Result<PathBuf, Failure> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let time = utc_text(Nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)));
        let part = if self.scope.is_all() { String::new() } else { self.scope.to_string() };
        let mut line = json!({
            "time": time, "event": what.name(), "who": operator_name(), "reason": self.reason, "scope": part,
        });
        if let (Some(line), Some(more)) = (line.as_object_mut(), more.as_object()) {
            line.extend(more.clone());
        }
        day_book::record_rearming(self.directory, &line)
    }

    /// That it came to something else, and why; the failure is given back. One that cannot be written down is told with it.
    fn write_failure(&self, what: Recorded, failure: Failure) -> Failure {
        let why = failure.why.as_ref().map_or_else(|| failure.what.clone(), |why| format!("{}: {why}", failure.what));
        match self.write(what, &json!({ "why": why })) {
            Ok(_) => failure,
            Err(unwritten) => failure.because(format!("{why}; {unwritten}")),
        }
    }
}

/// In an engine that runs: what was killed trades again, once the venue has confirmed what the kill cancelled.
fn rearm_running(directory: &Path, scope: &KillScope, reason: &str, wait: Duration) -> Result<Done, Failure> {
    let (lifted, left) = lifted_and_left(directory, scope)?;
    if lifted.is_empty() {
        return Ok(nothing_to_do(directory, scope, &left));
    }
    let rearming = Rearming { directory, scope, reason };
    rearming.write(Recorded::Asked, &json!({}))?;
    let answer = ask_running(&rearming, &left, wait).map_err(|(what, why)| {
        let refused = Failure::failed("the engine did not re-arm: what was killed stays killed").at(scope).because(why);
        rearming.write_failure(
            what,
            refused.next(
                "spinbook journal shows what is open; try again, or end the engine (Ctrl-C), re-arm and start it again",
            ),
        )
    })?;
    // Also where nothing of it is traded now: the next run begins without it.
    kills::lift(directory, |latched| scope.includes(latched))
        .map_err(|error| rearming.write_failure(Recorded::Broken, unwritten(directory, error)))?;
    let written = rearming.write(
        Recorded::Rearmed,
        &json!({ "kill_file_removed": false, "loss_stops": [], "halts": [], "kills": lifted, "symbols": answer.symbols }),
    )?;
    let mut text = lifted_text(&lifted);
    if !answer.symbols.is_empty() {
        text.push_str(&format!("the engine quotes {} again\n", answer.symbols.join(", ")));
    }
    text.push_str(&still_killed(&left));
    text.push_str(&format!("written down in {}\n", written.display()));
    let object = json!({
        "kill_file_removed": false, "loss_stops": [], "halts": [], "kills": lifted, "symbols": answer.symbols,
        "record": written.display().to_string(),
    });
    Ok(Done::new(text, object))
}

/// Says so to the engine that runs, and waits for its answer.
///
/// # Errors
/// What came of it instead, and why.
fn ask_running(
    rearming: &Rearming<'_>,
    left: &[ScopedKill],
    wait: Duration,
) -> Result<SocketAnswer, (Recorded, String)> {
    let word = SocketWord::Rearm {
        scope: rearming.scope.clone(),
        left: left.iter().map(|kill| kill.scope.clone()).collect(),
        who: operator_name(),
        reason: rearming.reason.to_owned(),
    };
    let Some(mut call) = KillCall::say(rearming.directory, &word) else {
        return Err((Recorded::NotRearmed, "nobody listens at its kill socket".to_owned()));
    };
    let Some(answer) = call.answer(Instant::now() + wait) else {
        let seconds = wait.as_secs();
        let why = format!("the venue did not confirm what the kill cancelled within {seconds} s");
        return Err((Recorded::Unanswered, why));
    };
    if !answer.confirmed && !answer.symbols.is_empty() {
        return Err((Recorded::NotRearmed, "somebody killed it again meanwhile".to_owned()));
    }
    Ok(answer)
}

/// Where no engine runs: the next one trades.
fn rearm_stopped(directory: &Path, scope: &KillScope, reason: &str) -> Result<Done, Failure> {
    let kill_file = directory.join(KILL_FILE);
    // Who names a part re-arms that part alone.
    let killed = scope.is_all() && kill_file.exists();
    let rearmed = if scope.is_all() { day_book::stops(directory)? } else { Stops::default() };
    let (lifted, left) = lifted_and_left(directory, scope)?;
    if !killed && rearmed.is_empty() && lifted.is_empty() {
        return Ok(nothing_to_do(directory, scope, &left));
    }
    let rearming = Rearming { directory, scope, reason };
    rearming.write(Recorded::Asked, &json!({}))?;
    lift_stops(directory, scope, killed.then_some(kill_file.as_path()))
        .map_err(|failure| rearming.write_failure(Recorded::Broken, failure))?;
    let record = rearming.write(
        Recorded::Rearmed,
        &json!({
            "kill_file_removed": killed, "loss_stops": rearmed.losses, "halts": rearmed.halts, "kills": lifted,
        }),
    )?;
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
    text.push_str(&lifted_text(&lifted));
    text.push_str(&still_killed(&left));
    text.push_str(&format!("written down in {}\n", record.display()));
    let object = json!({
        "kill_file_removed": killed, "loss_stops": rearmed.losses, "halts": rearmed.halts, "kills": lifted,
        "record": record.display().to_string(),
    });
    Ok(Done::new(text, object))
}

/// Takes away what stops runs of a state directory in which none runs.
fn lift_stops(directory: &Path, scope: &KillScope, kill_file: Option<&Path>) -> Result<(), Failure> {
    if scope.is_all() {
        day_book::rearm(directory)?;
    }
    kills::lift(directory, |latched| scope.includes(latched)).map_err(|error| unwritten(directory, error))?;
    let Some(kill_file) = kill_file else { return Ok(()) };
    match fs::remove_file(kill_file) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(Failure::failed("cannot remove the kill file").at(kill_file.display()).because(error))
        }
        _ => Ok(()),
    }
}

fn lifted_text(lifted: &[ScopedKill]) -> String {
    lifted.iter().map(|kill| format!("the kill of {} is lifted\n", kill.scope)).collect()
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

/// Keeps an engine from starting meanwhile; none where one runs.
fn lock(directory: &Path) -> Result<Option<fs::File>, Failure> {
    let path = directory.join(RUN_FILE);
    let refused = |why: &dyn std::fmt::Display| {
        Failure::usage("no engine has ever run with this state directory")
            .at(path.display())
            .because(why)
            .next("name the configuration of the engine that was stopped")
    };
    let file = OpenOptions::new().read(true).write(true).open(&path).map_err(|error| refused(&error))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(refused(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::sample::ConfigText;

    /// What the record of a state directory says, line by line.
    fn recorded(directory: &Path) -> Vec<serde_json::Value> {
        let text = fs::read_to_string(directory.join("rearmed.jsonl")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }

    #[test]
    fn a_re_arm_that_came_to_nothing_is_on_record_as_asked_and_as_not_done() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let part = KillScope { symbol: Some("BTCUSDT".to_owned()), ..KillScope::default() };
        kills::latch(folder.path(), "somebody", &part).expect("written");
        // An engine runs there, by its lock, and nobody listens.
        let failure = rearm_running(folder.path(), &part, "looked at it", Duration::from_millis(10)).err();
        assert!(failure.is_some_and(|failure| failure.to_string().contains("nobody listens")));
        let lines = recorded(folder.path());
        let events: Vec<&str> = lines.iter().filter_map(|line| line["event"].as_str()).collect();
        assert_eq!(events, ["asked", "not_rearmed"], "{lines:?}");
        assert_eq!(lines[1]["reason"], "looked at it", "{lines:?}");
        assert!(lines[1]["why"].as_str().is_some_and(|why| why.contains("nobody listens")), "{lines:?}");
        assert!(lines.iter().all(|line| line.get("kills").is_none()), "nothing was lifted: {lines:?}");
        assert_eq!(kills::latched(folder.path()).expect("read").len(), 1);

        // With the engine gone the same word is carried out, and said to be once it was.
        rearm_stopped(folder.path(), &part, "looked again").expect("nothing is in the way");
        let lines = recorded(folder.path());
        let events: Vec<&str> = lines.iter().filter_map(|line| line["event"].as_str()).collect();
        assert_eq!(events, ["asked", "not_rearmed", "asked", "rearmed"], "{lines:?}");
        assert_eq!(lines[3]["kills"].as_array().map(Vec::len), Some(1), "{lines:?}");
    }

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
