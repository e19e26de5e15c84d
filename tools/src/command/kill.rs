//! COLD: `spinbook kill`: tells a running engine to cancel everything, or a part, and waits until it says that it has.
//!
//! The word goes over the engine's kill socket, which answers at once, and is latched in a file of its state directory.
//! Without the socket the file alone is the word; of everything its answer is another file, which names the request.
//! Whether an engine lives there at all is told by its lock.

use std::path::{Path, PathBuf};
use std::process;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::cli::{KillArgs, PartArgs};
use crate::config::{Config, DEFAULT_STATE_DIR};
use crate::error::Failure;
use crate::outcome::{Done, KILL_FILE};
use crate::run::kill_word::{KillCall, SocketAnswer, SocketWord};
use crate::run::kills::{self, KillScope, operator_name};
use crate::run::state_dir::{self, KillAnswer};

/// How often the answer is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Leaves the kill file and waits for the engine's confirmation. None starts while the file is there.
///
/// # Errors
/// There is no such state directory, the file cannot be written, no engine runs there, or no confirmation came.
pub fn run(arguments: &KillArgs) -> Result<Done, Failure> {
    let directory = match (&arguments.config, &arguments.state_dir) {
        (Some(config), _) => Config::state_dir(config, &arguments.set)?,
        (None, Some(directory)) => directory.clone(),
        (None, None) => PathBuf::from(DEFAULT_STATE_DIR),
    };
    if !state_dir::is_made_by_run(&directory) {
        return Err(Failure::usage(
            "no engine ever ran with this state directory: nothing was stopped, nothing written",
        )
        .at(directory.display())
        .because("an engine leaves its run number there when it starts")
        .next("name the engine's configuration: spinbook kill -c FILE, or its state directory: --state-dir DIR"));
    }
    let scope = scope_of(&arguments.part);
    // An engine that is quick may have answered and gone before the second look.
    let held_before = is_held(&directory)?;
    let until = Instant::now() + Duration::from_secs(arguments.wait);
    // It hears the word before the disk does.
    let who = format!("{}, process {}", operator_name(), process::id());
    let call = KillCall::say(&directory, &SocketWord::Kill { scope: scope.clone(), who: who.clone() });
    if !scope.is_all() {
        return kill_part(&directory, (&scope, &who), call, until);
    }
    let who = process::id().to_string();
    let latched = state_dir::latch(&directory, &who);
    let already = latched.map_err(|error| failed(&directory.join(KILL_FILE), "cannot write the kill file", error))?;
    let request = state_dir::kill_request(&directory);
    let held_after = is_held(&directory)?;
    if !held_before && !held_after {
        return Err(nobody(&directory, &request));
    }
    if let Some(answer) = call.and_then(|mut call| call.answer(until)) {
        let (confirmed, open_orders) = (answer.confirmed, answer.open_orders.unwrap_or(0));
        return conclude(&directory, already, &KillAnswer { request, confirmed, open_orders });
    }
    loop {
        // Looked at in this order: who has answered and gone since the last look has answered.
        let held = is_held(&directory)?;
        if let Some(answer) = state_dir::kill_answer(&directory, &request) {
            return conclude(&directory, already, &answer);
        }
        if !held {
            return Err(unanswered(&directory, "the engine ended without a word", "look at the account now"));
        }
        if Instant::now() >= until {
            let seconds = arguments.wait;
            let next = "look at the account; the engine goes on cancelling, and this may be run again to wait on";
            return Err(unanswered(&directory, &format!("the engine did not confirm within {seconds} s"), next));
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// What was named, as kills name it; without any part, everything.
pub(super) fn scope_of(part: &PartArgs) -> KillScope {
    let PartArgs { strategy, venue, symbol } = part.clone();
    KillScope { strategy, venue, symbol }
}

/// Latches a part and waits until it is confirmed. A part that the engine does not know is not latched.
fn kill_part(
    directory: &Path,
    (scope, who): (&KillScope, &str),
    mut call: Option<KillCall>,
    until: Instant,
) -> Result<Done, Failure> {
    let path = directory.join(kills::KILLS_FILE);
    let latched = kills::latch(directory, who, scope);
    let already = latched.map_err(|error| failed(&path, "the kill cannot be latched", error))?;
    let answer = call.as_mut().and_then(|call| call.answer(until));
    if let Some(SocketAnswer { symbols, traded, .. }) = &answer
        && symbols.is_empty()
    {
        kills::lift(directory, |latched| latched == scope)
            .map_err(|error| failed(&path, "a kill that stops nothing cannot be taken back", error))?;
        return Err(Failure::usage("the engine trades nothing of that name: nothing was stopped")
            .at(scope)
            .because(format!("it trades {}", traded.join(", ")))
            .next("name a strategy, venue or symbol of it; without any of them everything is killed"));
    }
    let latch = format!("{scope}: latched in {}; spinbook rearm lifts it", path.display());
    let Some(answer) = answer.filter(|answer| answer.confirmed) else {
        if !is_held(directory)? {
            return Err(Failure::failed("no engine runs with this state directory: nothing was cancelled")
                .at(directory.display())
                .because(latch)
                .next("an engine that starts here will not quote it; look at the account"));
        }
        return Err(Failure::failed("the kill was not confirmed: orders may be open")
            .at(directory.display())
            .because(latch)
            .next("look at the account; the engine goes on cancelling, and this may be run again to wait on"));
    };
    let text = format!(
        "the engine cancelled every order of {} and the venue confirmed: nothing of it is open; the rest trades on\n         {latch}\n",
        answer.symbols.join(", ")
    );
    let value = json!({
        "kill_file": path.display().to_string(),
        "already_there": already,
        "scope": scope,
        "symbols": answer.symbols,
        "confirmed": true,
        "open_orders": 0,
    });
    Ok(Done::new(text, value))
}

fn is_held(directory: &Path) -> Result<bool, Failure> {
    state_dir::is_held(directory).map_err(|error| failed(&directory.join("run"), "cannot look at the lock", error))
}

fn conclude(directory: &Path, already: bool, answer: &KillAnswer) -> Result<Done, Failure> {
    let path = directory.join(KILL_FILE);
    if !answer.confirmed || answer.open_orders > 0 {
        let why = format!("{} orders may be open: the venue did not confirm their end", answer.open_orders);
        return Err(unanswered(directory, &why, "look at the account now"));
    }
    let text = format!(
        "the engine cancelled everything and the venue confirmed: nothing is open\n{}: none starts until it is removed\n",
        path.display()
    );
    let value = json!({
        "kill_file": path.display().to_string(),
        "already_there": already,
        "confirmed": true,
        "open_orders": answer.open_orders,
    });
    Ok(Done::new(text, value))
}

/// The directory is latched, and nobody was there to hear it.
fn nobody(directory: &Path, request: &str) -> Failure {
    let before = match state_dir::kill_answer(directory, request) {
        Some(answer) if answer.confirmed => "; the one that was killed before confirmed that nothing was open",
        _ => "",
    };
    Failure::failed("no engine runs with this state directory: nothing was cancelled")
        .at(directory.display())
        .because(format!("nobody holds its lock{before}; none starts now until {KILL_FILE} there is removed"))
        .next("if an engine runs elsewhere, name its configuration: spinbook kill -c FILE; look at the account")
}

fn unanswered(directory: &Path, why: &str, next: &str) -> Failure {
    Failure::failed("the kill was not confirmed: orders may be open")
        .at(directory.display())
        .because(format!("{why}; none starts until {KILL_FILE} there is removed"))
        .next(next)
}

fn failed(path: &Path, what: &str, error: std::io::Error) -> Failure {
    Failure::failed(what)
        .at(path.display())
        .because(error)
        .next("check the directory's owner and free space, or interrupt the engine itself (Ctrl-C)")
}
