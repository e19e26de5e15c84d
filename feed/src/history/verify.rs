//! COLD: whether recordings are whole: plays them and reports every check.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use spinbook_engine::book::BookState;
use spinbook_engine::types::Level;
use thiserror::Error;

use super::infer::Inference;
use super::player::{Markets, Played, Player};
use super::recorded::Recording;
use crate::number::TEXT_MAX;
use crate::scan::ScannerChoice;
use crate::venue::ProductLine;
use crate::venue::instrument::Instrument;
use crate::venue::source::{MarketSource, Record, RecordKind, SourceError};

/// How often the progress callback is called, in lines.
const PROGRESS_LINES: u64 = 1 << 14;
/// How often a chain may be started over with finer increments or more symbols.
const RESTARTS_MAX: usize = 4_096;

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
    /// Frames or lines were refused.
    #[error("{count} bad frames; the first is line {first_line}: {first}")]
    BadFrames {
        /// How many.
        count: u64,
        /// Line of the first, counted over all files.
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
            VerifyProblem::Source(SourceError::UnknownForm { .. }) | VerifyProblem::UnknownVenue => {
                ProblemKind::Unrecognised
            }
            _ => ProblemKind::WrongData,
        }
    }
}

/// How far a verification came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// Nothing could be read.
    Unreadable,
    /// Not of a known form, or of a venue that must be named.
    Unrecognised,
    /// The data were read and are wrong.
    WrongData,
}

/// Report and the worst problem, if there is one.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifyOutcome {
    /// Everything that could be read.
    pub report: VerifyReport,
    /// What is wrong, worst first; `None`: whole.
    pub problem: Option<VerifyProblem>,
}

/// Plays recordings through the production decoders and books. Files in a row are one chain.
///
/// `progress` is called with the lines read so far now and then.
pub fn verify(files: &[PathBuf], product: Option<ProductLine>, progress: &mut dyn FnMut(u64)) -> VerifyOutcome {
    let names = files.iter().map(|file| file.display().to_string()).collect();
    let mut inference = Inference::new(product);
    inference.look_at(&mut Recording::new(files));
    verify_sources(names, inference, &mut || Ok(Box::new(Recording::new(files))), progress)
}

impl VerifyReport {
    /// Notes how long the verification took; its caller has the clock.
    pub fn set_elapsed(&mut self, elapsed: Duration) {
        self.elapsed_seconds = elapsed.as_secs_f64();
        self.lines_per_second = (self.lines as f64 / self.elapsed_seconds.max(1e-9)) as u64;
    }
}

/// [`verify`] of any source that can be opened again from its start, with what is known of its instruments.
pub fn verify_sources(
    names: Vec<String>,
    mut inference: Inference,
    open: &mut dyn FnMut() -> Result<Box<dyn MarketSource>, SourceError>,
    progress: &mut dyn FnMut(u64),
) -> VerifyOutcome {
    let Some(product) = inference.product() else {
        return unrecognised(names, open);
    };
    let mut run = Run::default();
    for _ in 0..RESTARTS_MAX {
        let mut source = match open() {
            Ok(source) => source,
            Err(error) => return failed(names, Some(product), VerifyProblem::Source(error)),
        };
        let instruments = inference.instruments();
        let mut player = Player::new(product, &instruments, ScannerChoice::Best, Markets::new(&instruments));
        run = Run::default();
        if run.play(source.as_mut(), &mut player, &mut inference, progress) {
            continue;
        }
        return run.outcome(names, product, &instruments, &player, source.lines());
    }
    failed(names, Some(product), run.problem.unwrap_or(VerifyProblem::UnknownVenue))
}

/// Nothing is played without a product line: what is read to the end is only whether the files are whole.
fn unrecognised(
    names: Vec<String>,
    open: &mut dyn FnMut() -> Result<Box<dyn MarketSource>, SourceError>,
) -> VerifyOutcome {
    let read_to_end = |source: &mut dyn MarketSource| {
        while source.next()?.is_some() {}
        Ok(source.lines())
    };
    match open().and_then(|mut source| read_to_end(source.as_mut())) {
        Ok(lines) => {
            let mut outcome = failed(names, None, VerifyProblem::UnknownVenue);
            outcome.report.lines = lines;
            outcome
        }
        Err(error) => failed(names, None, VerifyProblem::Source(error)),
    }
}

fn failed(files: Vec<String>, product: Option<ProductLine>, problem: VerifyProblem) -> VerifyOutcome {
    let report = VerifyReport {
        files,
        venue: product.map_or("", ProductLine::name).to_owned(),
        lines: 0,
        frames: 0,
        bad_frames: 0,
        scanned: 0,
        fallback: 0,
        elapsed_seconds: 0.0,
        lines_per_second: 0,
        symbols: BTreeMap::new(),
    };
    VerifyOutcome { report, problem: Some(problem) }
}

/// One play of a chain from its start.
#[derive(Default)]
struct Run {
    first_bad: Option<(u64, String)>,
    problem: Option<VerifyProblem>,
}

impl Run {
    /// Plays to the end; true if the instruments turned out to be others and the chain must start over.
    fn play(
        &mut self,
        source: &mut dyn MarketSource,
        player: &mut Player<Markets>,
        inference: &mut Inference,
        progress: &mut dyn FnMut(u64),
    ) -> bool {
        let mut lines = 0;
        let mut next_progress = PROGRESS_LINES;
        loop {
            match source.next() {
                Ok(Some(mut record)) => {
                    lines += 1;
                    let played = player.play(&mut record);
                    if played == Played::Unfitting && learns(inference, &record) {
                        return true;
                    }
                    if matches!(played, Played::Bad | Played::Unfitting) && self.first_bad.is_none() {
                        let start = &record.buffer[..record.length.min(80)];
                        self.first_bad = Some((lines, String::from_utf8_lossy(start).into_owned()));
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    self.problem = Some(VerifyProblem::Source(error));
                    break;
                }
            }
            if lines >= next_progress {
                next_progress += PROGRESS_LINES;
                progress(source.lines());
            }
        }
        false
    }

    fn outcome(
        self,
        files: Vec<String>,
        product: ProductLine,
        instruments: &[Instrument],
        player: &Player<Markets>,
        lines: u64,
    ) -> VerifyOutcome {
        let flow = player.flow();
        let mut symbols = BTreeMap::new();
        for (index, instrument) in instruments.iter().enumerate() {
            symbols.insert(instrument.symbol.as_str().to_owned(), symbol_report(instrument, index, player));
        }
        let report = VerifyReport {
            files,
            venue: product.name().to_owned(),
            lines,
            frames: flow.counters().frames,
            bad_frames: player.bad_frames(),
            scanned: flow.decode_counts().scanned,
            fallback: flow.decode_counts().fallback,
            elapsed_seconds: 0.0,
            lines_per_second: 0,
            symbols,
        };
        let problem = self.problem.or_else(|| problem_of(&report, self.first_bad));
        VerifyOutcome { report, problem }
    }
}

/// Whether a record that did not fit told something new about the instruments.
fn learns(inference: &mut Inference, record: &Record<'_>) -> bool {
    let frame = &record.buffer[..record.length];
    match record.kind {
        RecordKind::Stream => inference.observe(frame),
        RecordKind::Snapshot { symbol } => inference.observe_snapshot(symbol, frame),
        _ => false,
    }
}

fn problem_of(report: &VerifyReport, first_bad: Option<(u64, String)>) -> Option<VerifyProblem> {
    for (symbol, checks) in &report.symbols {
        let failed = checks.bbo_checked - checks.bbo_matched;
        if failed > 0 {
            return Some(VerifyProblem::Mismatch { symbol: symbol.clone(), failed, checked: checks.bbo_checked });
        }
        if checks.crossed > 0 {
            return Some(VerifyProblem::Crossed { symbol: symbol.clone(), count: checks.crossed });
        }
    }
    let (first_line, first) = first_bad?;
    Some(VerifyProblem::BadFrames { count: report.bad_frames, first_line, first })
}

fn symbol_report(instrument: &Instrument, index: usize, player: &Player<Markets>) -> SymbolReport {
    let flow = player.flow();
    let market = player.sink().market(index);
    let counters = market.counters();
    let sync = flow.sync_counts(index);
    let live = market.state() == BookState::Live;
    let (first, last) = flow.event_times(index);
    let best = |level: Option<Level>| {
        let level = level.filter(|_| live)?;
        let mut buffer = [0; TEXT_MAX];
        let price = instrument.price.format(level.tick.0, &mut buffer).to_owned();
        let mut buffer = [0; TEXT_MAX];
        let quantity = instrument.quantity.format(level.lots.0, &mut buffer).to_owned();
        Some([price, quantity])
    };
    SymbolReport {
        state: match (live, flow.was_live(index)) {
            (true, _) => "live",
            (false, true) => "stale",
            (false, false) => "waiting",
        },
        depth: flow.depth_messages(index),
        levels: counters.levels,
        snapshots: sync.snapshots,
        gaps: sync.gaps,
        resyncs: sync.resyncs,
        bbo_checked: counters.bbo_checked,
        bbo_matched: counters.bbo_matched,
        checksum_checked: 0,
        checksum_matched: 0,
        crossed: counters.crossed,
        trades: counters.trades,
        first_event_ns: first.0,
        last_event_ns: last.0,
        best_bid: best(market.book().best_bid()),
        best_ask: best(market.book().best_ask()),
    }
}
