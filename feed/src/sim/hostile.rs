//! COLD: what a hostile exchange says: executions told wrongly or not at all, answers that are none to the question.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A fault of the `nth` execution (from 1) that user data tells of, and of `count` in a row.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct ExecutionFaultPlan {
    /// Which execution, from 1, over all accounts.
    pub nth: u64,
    /// How many from there on.
    #[serde(default = "one")]
    pub count: u64,
    /// How often it is told: zero loses it, two doubles it.
    #[serde(default = "one")]
    pub times: u64,
    /// Fields of the event, by the venue's names, and what stands there instead; a number stays one where it can.
    #[serde(default)]
    pub set: BTreeMap<String, String>,
}

/// A fault of the `nth` answer (from 1) on a path of REST, and of `count` in a row: the request is handled.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct AnswerFaultPlan {
    /// The path, without its query.
    pub path: String,
    /// Which, from 1.
    #[serde(default = "one")]
    pub nth: u64,
    /// How many from there on.
    #[serde(default = "one")]
    pub count: u64,
    /// HTTP status.
    #[serde(default = "ok")]
    pub status: u16,
    /// The body, byte for byte.
    pub body: String,
}

fn one() -> u64 {
    1
}

fn ok() -> u16 {
    200
}

/// Whether the `counted`th is one of `count` from the `nth` on.
fn hits(counted: u64, nth: u64, count: u64) -> bool {
    counted >= nth && counted - nth < count
}

/// How one execution is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldExecution {
    /// How often.
    pub times: u64,
    /// Fields and what stands there instead.
    pub set: BTreeMap<String, String>,
}

impl Default for ToldExecution {
    /// Once, as it is.
    fn default() -> ToldExecution {
        ToldExecution { times: 1, set: BTreeMap::new() }
    }
}

/// Both kinds of plan at work.
#[derive(Clone, Debug)]
pub(super) struct Hostile {
    executions: Vec<ExecutionFaultPlan>,
    executions_told: u64,
    answers: Vec<(AnswerFaultPlan, u64)>,
}

impl Hostile {
    pub(super) fn new(executions: &[ExecutionFaultPlan], answers: &[AnswerFaultPlan]) -> Hostile {
        let answers = answers.iter().map(|plan| (plan.clone(), 0)).collect();
        Hostile { executions: executions.to_vec(), executions_told: 0, answers }
    }

    /// How the next execution is told.
    pub(super) fn execution(&mut self) -> ToldExecution {
        self.executions_told += 1;
        let told = self.executions_told;
        let hit = self.executions.iter().find(|plan| hits(told, plan.nth, plan.count));
        hit.map(|plan| ToldExecution { times: plan.times, set: plan.set.clone() }).unwrap_or_default()
    }

    /// What is answered on a path instead; `None` for what is right.
    pub(super) fn answer(&mut self, path: &str) -> Option<(u16, Vec<u8>)> {
        let mut found = None;
        for (plan, counted) in self.answers.iter_mut().filter(|(plan, _)| plan.path == path) {
            *counted += 1;
            if found.is_none() && hits(*counted, plan.nth, plan.count) {
                found = Some((plan.status, plan.body.clone().into_bytes()));
            }
        }
        found
    }
}
