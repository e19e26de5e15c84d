//! COLD: what a verification says: its figures, its conclusion, what a recording lacks and what is wrong with it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use thiserror::Error;

use crate::venue::source::SourceError;

/// One symbol's share of a [`VerifyReport`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SymbolReport {
    /// `live`, `stale` (was live, is not) or `waiting` (never was), at the end.
    pub state: &'static str,
    /// Depth messages, applied or not.
    pub depth: u64,
    /// Levels applied, of snapshots and depth messages.
    pub levels: u64,
    /// Snapshots that replaced the book.
    pub snapshots: u64,
    /// Times the sequence was broken while the book was live.
    pub gaps: u64,
    /// Times the book became live again.
    pub resyncs: u64,
    /// Pairs of best bid/ask and depth message with one update id.
    pub bbo_checked: u64,
    /// Of these, the ones that agreed.
    pub bbo_matched: u64,
    /// Checksums compared; zero where the venue sends none.
    pub checksum_checked: u64,
    /// Checksums that agreed.
    pub checksum_matched: u64,
    /// Times a live book was crossed.
    pub crossed: u64,
    /// Public trades.
    pub trades: u64,
    /// Event time of the first applied depth message.
    pub first_event_ns: i64,
    /// Event time of the last applied depth message.
    pub last_event_ns: i64,
    /// Price and quantity of the best bid at the end, if the book is live and has one.
    pub best_bid: Option<[String; 2]>,
    /// Price and quantity of the best ask at the end.
    pub best_ask: Option<[String; 2]>,
}

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VerifyReport {
    /// The files, in the order they were played.
    pub files: Vec<String>,
    /// The product line.
    pub venue: String,
    /// The conclusion.
    pub verdict: Wholeness,
    /// Lines read.
    pub lines: u64,
    /// Frames decoded or refused.
    pub frames: u64,
    /// Frames and lines refused.
    pub bad_frames: u64,
    /// Frames decoded by the schema scanner.
    pub scanned: u64,
    /// Frames given to the general decoder.
    pub fallback: u64,
    /// Wall-clock time of the whole verification, if the caller measured it.
    pub elapsed_seconds: f64,
    /// Lines per second of it.
    pub lines_per_second: u64,
    /// By symbol.
    pub symbols: BTreeMap<String, SymbolReport>,
    /// What was not there, or could not be checked; empty if the verdict is [`Wholeness::Whole`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Shortcoming>,
}

/// What a verification concludes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Wholeness {
    /// Every book was live to the end without a gap, and what can be compared was compared and agreed.
    #[serde(rename = "whole")]
    Whole,
    /// No check failed, but something is missing or was not checked.
    #[serde(rename = "not whole")]
    NotWhole,
    /// A check failed, or the data cannot be read.
    #[serde(rename = "wrong")]
    Wrong,
}

/// One thing that a recording lacks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shortcoming {
    /// Whose; null if it is a file's.
    pub symbol: Option<String>,
    /// What is not there, or could not be checked, and where.
    pub what: String,
    /// What to add or to change.
    pub next: String,
}

/// What a verification found wrong.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum VerifyProblem {
    /// A file cannot be opened, is of no known form, is cut short or damaged.
    #[error("{0}")]
    Source(SourceError),
    /// No product line was given and none can be told from the content.
    #[error("no venue can be told from the recording; name it with --venue")]
    UnknownVenue,
    /// A file is of another product line than the one that was named, or than the files before it.
    #[error("{file} is a recording of {found}, not of {expected}")]
    OtherVenue {
        /// Which file.
        file: String,
        /// Whose recording it is.
        found: &'static str,
        /// What it was played as.
        expected: &'static str,
        /// Whether that was named by the caller.
        named: bool,
    },
    /// Files of one symbol are named in another order than they were received in.
    #[error("files out of order: {file} was received before {before} and is named after it; name it first")]
    OutOfOrder {
        /// The earlier one, named later.
        file: String,
        /// The later one, named earlier.
        before: String,
    },
    /// Frames or lines were refused.
    #[error("{count} bad frames; the first is {file} line {first_line}: {first}")]
    BadFrames {
        /// How many.
        count: u64,
        /// File of the first.
        file: String,
        /// Line of the first in its file.
        first_line: u64,
        /// What was wrong with the first.
        first: String,
    },
    /// A best bid/ask of the venue disagreed with the book.
    #[error("{symbol}: {failed} of {checked} best bid/ask checks failed")]
    Mismatch {
        /// Whose book.
        symbol: String,
        /// Failed checks.
        failed: u64,
        /// All checks.
        checked: u64,
    },
    /// A live book was crossed.
    #[error("{symbol}: the live book was crossed {count} times")]
    Crossed {
        /// Whose book.
        symbol: String,
        /// How often.
        count: u64,
    },
}

impl VerifyProblem {
    /// What kind of problem it is.
    #[must_use]
    pub const fn kind(&self) -> ProblemKind {
        match self {
            VerifyProblem::Source(SourceError::Open { .. }) => ProblemKind::Unreadable,
            VerifyProblem::Source(SourceError::UnknownForm { .. }) => ProblemKind::Unrecognised,
            VerifyProblem::UnknownVenue => ProblemKind::Unnamed,
            _ => ProblemKind::WrongData,
        }
    }
}

/// How far a verification came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// Nothing could be read.
    Unreadable,
    /// Not of a known form.
    Unrecognised,
    /// Of a known form, but of a venue that must be named.
    Unnamed,
    /// The data were read and are wrong.
    WrongData,
}

impl VerifyReport {
    /// Notes how long the verification took; its caller has the clock.
    pub fn set_elapsed(&mut self, elapsed: Duration) {
        self.elapsed_seconds = elapsed.as_secs_f64();
        self.lines_per_second = (self.lines as f64 / self.elapsed_seconds.max(1e-9)) as u64;
    }
}
