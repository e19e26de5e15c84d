//! COLD: failures that say what, where, why and what next.

use std::fmt;
use std::ops::{Deref, DerefMut};

use serde_json::{Map, Value, json};
use spinbook_feed::history::{ProblemKind, VerifyProblem};

use crate::outcome::Exit;

/// Why a verb could not do its work: a pointer's size, so that results stay small.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(Box<FailureDetails>);

/// What a [`Failure`] says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureDetails {
    /// With which code the process ends.
    pub exit: Exit,
    /// What failed.
    pub what: String,
    /// Where: a file and line, an address, a key.
    pub place: Option<String>,
    /// Why, in the words of whoever refused.
    pub why: Option<String>,
    /// What to do next.
    pub next: Option<String>,
    /// Every single problem, where there are several (a configuration).
    pub problems: Vec<String>,
    /// Whether the same may go well a moment later: a connection that broke, a server that was busy.
    pub may_pass: bool,
}

impl Failure {
    /// A failure with this exit code and nothing but what failed.
    #[must_use]
    pub fn new(exit: Exit, what: impl Into<String>) -> Failure {
        Failure(Box::new(FailureDetails {
            exit,
            what: what.into(),
            place: None,
            why: None,
            next: None,
            problems: Vec::new(),
            may_pass: false,
        }))
    }

    /// Exit code 1.
    #[must_use]
    pub fn failed(what: impl Into<String>) -> Failure {
        Failure::new(Exit::Failed, what)
    }

    /// Exit code 2.
    #[must_use]
    pub fn usage(what: impl Into<String>) -> Failure {
        Failure::new(Exit::Usage, what)
    }

    /// Exit code 3.
    #[must_use]
    pub fn wrong(what: impl Into<String>) -> Failure {
        Failure::new(Exit::Wrong, what)
    }

    /// A recording that cannot be used: the same code and advice whichever verb met it.
    #[must_use]
    pub fn of_recording(what: impl Into<String>, problem: &VerifyProblem) -> Failure {
        let (exit, next) = match problem.kind() {
            ProblemKind::Unreadable => (Exit::Failed, "check the path and its permissions"),
            ProblemKind::Unrecognised => (Exit::Wrong, "`spinbook verify --help` lists the forms that can be read"),
            ProblemKind::Unnamed => (Exit::Usage, "name it with --venue; recordings of other venues cannot be read"),
            ProblemKind::WrongData => (Exit::Wrong, "`spinbook verify FILE` says more about it"),
        };
        Failure::new(exit, what).because(problem).next(next)
    }

    /// Says where it failed.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Failure {
        self.place = Some(place.to_string());
        self
    }

    /// Says why.
    #[must_use]
    pub fn because(mut self, why: impl fmt::Display) -> Failure {
        self.why = Some(why.to_string());
        self
    }

    /// Says what to do next.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Failure {
        self.next = Some(next.into());
        self
    }

    /// Says that the same may go well a moment later.
    #[must_use]
    pub fn passing(mut self) -> Failure {
        self.may_pass = true;
        self
    }

    /// The one object that `--json` prints instead of a result.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut error = Map::new();
        error.insert("exit_code".into(), json!(self.exit.code()));
        error.insert("what".into(), json!(self.what));
        for (key, value) in [("where", &self.place), ("why", &self.why), ("next", &self.next)] {
            if let Some(text) = value {
                error.insert(key.into(), json!(text));
            }
        }
        if !self.problems.is_empty() {
            error.insert("problems".into(), json!(self.problems));
        }
        json!({ "error": error })
    }
}

impl Deref for Failure {
    type Target = FailureDetails;

    fn deref(&self) -> &FailureDetails {
        &self.0
    }
}

impl DerefMut for Failure {
    fn deref_mut(&mut self) -> &mut FailureDetails {
        &mut self.0
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "error: {}", self.what)?;
        for (label, value) in [("where", &self.place), ("why  ", &self.why)] {
            if let Some(text) = value {
                write!(out, "\n  {label}: {text}")?;
            }
        }
        for problem in &self.problems {
            write!(out, "\n  - {problem}")?;
        }
        if let Some(next) = &self.next {
            write!(out, "\n  next : {next}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_what_where_why_and_what_next() {
        let failure =
            Failure::failed("cannot open the recording").at("a.gz").because("no such file").next("check the path");
        let text = failure.to_string();
        for part in ["cannot open the recording", "where: a.gz", "why  : no such file", "next : check the path"] {
            assert!(text.contains(part), "{text}");
        }
        let value = failure.to_json();
        assert_eq!(value["error"]["exit_code"], 1);
        assert_eq!(value["error"]["where"], "a.gz");
    }
}
