//! COLD: what a verification says: its figures, its conclusion, and what a recording lacks.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

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

impl VerifyReport {
    /// Notes how long the verification took; its caller has the clock.
    pub fn set_elapsed(&mut self, elapsed: Duration) {
        self.elapsed_seconds = elapsed.as_secs_f64();
        self.lines_per_second = (self.lines as f64 / self.elapsed_seconds.max(1e-9)) as u64;
    }
}
