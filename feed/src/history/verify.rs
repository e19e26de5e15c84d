//! COLD: whether recordings are whole: plays them and reports every check.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use spinbook_engine::book::BookState;
use spinbook_engine::types::Level;

use super::infer::Inference;
use super::player::{Played, Player};
use super::recorded::Recording;
use super::verify_report::{ProblemKind, SymbolReport, VerifyProblem, VerifyReport, Wholeness};
use super::wholeness::{FileMarks, MissingFile, Seen, WatchedMarkets, neighbour};
use crate::number::TEXT_MAX;
use crate::scan::ScannerChoice;
use crate::venue::ProductLine;
use crate::venue::instrument::{Instrument, Symbol};
use crate::venue::source::{MarketSource, Record, RecordKind, RecordPlace, SourceError};

/// How often the progress callback is called, in lines.
const PROGRESS_LINES: u64 = 1 << 14;
/// How often a chain may be started over with finer increments or more symbols.
const RESTARTS_MAX: usize = 4_096;

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
    let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    let mut look = Look { inference: Inference::new(product), only: Vec::with_capacity(files.len()), other: None };
    for (file, name) in files.iter().zip(&names) {
        look.at_file(file, name, product.is_some());
    }
    let Look { inference, only, other } = look;
    let beside = |missing| neighbour(files, missing);
    let mut open = || Ok(Box::new(Recording::new(files)) as Box<dyn MarketSource>);
    let mut outcome = play_chain(Chain { names, only, neighbour: &beside }, inference, &mut open, progress);
    if let (Some(problem), Some(ProblemKind::WrongData) | None) =
        (other, outcome.problem.as_ref().map(VerifyProblem::kind))
    {
        outcome.report.verdict = Wholeness::Wrong;
        outcome.problem = Some(problem);
        // What another venue's rules found missing is not missing.
        outcome.report.findings.clear();
    }
    outcome
}

/// What the first records of each file say.
struct Look {
    inference: Inference,
    /// By file: the only symbol it holds, whose its snapshots then are.
    only: Vec<Option<Symbol>>,
    /// The first file that is of another product line.
    other: Option<VerifyProblem>,
}

impl Look {
    fn at_file(&mut self, file: &Path, name: &str, named: bool) {
        let mut own = Inference::new(None);
        own.look_at(&mut Recording::new(&[file.to_owned()]));
        self.only.push(own.only_symbol());
        if let (Some(expected), Some(found)) = (self.inference.product(), own.product())
            && expected != found
            && self.other.is_none()
        {
            let (found, expected) = (found.name(), expected.name());
            self.other = Some(VerifyProblem::OtherVenue { file: name.to_owned(), found, expected, named });
        }
        self.inference.add(own);
    }
}

/// A chain of recordings, and what is known of it before it is played.
struct Chain<'a> {
    names: Vec<String>,
    /// By file: the symbol whose its unnamed snapshots are.
    only: Vec<Option<Symbol>>,
    /// What finds a file beside those that are named.
    neighbour: &'a dyn Fn(MissingFile) -> Option<String>,
}

/// [`verify`] of any source that can be opened again from its start, with what is known of its instruments.
pub fn verify_sources(
    names: Vec<String>,
    inference: Inference,
    open: &mut dyn FnMut() -> Result<Box<dyn MarketSource>, SourceError>,
    progress: &mut dyn FnMut(u64),
) -> VerifyOutcome {
    play_chain(Chain { names, only: Vec::new(), neighbour: &|_| None }, inference, open, progress)
}

fn play_chain(
    mut chain: Chain<'_>,
    mut inference: Inference,
    open: &mut dyn FnMut() -> Result<Box<dyn MarketSource>, SourceError>,
    progress: &mut dyn FnMut(u64),
) -> VerifyOutcome {
    let Some(product) = inference.product() else {
        return unrecognised(chain.names, open);
    };
    let mut run = Run::default();
    for _ in 0..RESTARTS_MAX {
        let mut source = match open() {
            Ok(source) => source,
            Err(error) => return failed(chain.names, Some(product), VerifyProblem::Source(error)),
        };
        let instruments = inference.instruments();
        let mut player = Player::new(product, &instruments, ScannerChoice::Best, WatchedMarkets::new(&instruments));
        run = Run::default();
        if run.play(source.as_mut(), &mut player, (&mut inference, &mut chain), progress) {
            continue;
        }
        return run.outcome(chain, product, &instruments, &player, source.lines());
    }
    failed(chain.names, Some(product), run.problem.unwrap_or(VerifyProblem::UnknownVenue))
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
        verdict: Wholeness::Wrong,
        lines: 0,
        frames: 0,
        bad_frames: 0,
        scanned: 0,
        fallback: 0,
        elapsed_seconds: 0.0,
        lines_per_second: 0,
        symbols: BTreeMap::new(),
        findings: Vec::new(),
    };
    VerifyOutcome { report, problem: Some(problem) }
}

/// One play of a chain from its start.
#[derive(Default)]
struct Run {
    first_bad: Option<(RecordPlace, String)>,
    problem: Option<VerifyProblem>,
    files: Vec<FileMarks>,
}

impl Run {
    /// Plays to the end; true if instruments or the symbols of files turned out to be others and the chain must start
    /// over.
    fn play(
        &mut self,
        source: &mut dyn MarketSource,
        player: &mut Player<WatchedMarkets>,
        (inference, chain): (&mut Inference, &mut Chain<'_>),
        progress: &mut dyn FnMut(u64),
    ) -> bool {
        let mut lines = 0;
        let mut next_progress = PROGRESS_LINES;
        loop {
            match source.next() {
                Ok(Some(mut record)) => {
                    lines += 1;
                    if self.play_record(&mut record, player, inference, chain) {
                        return true;
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

    /// Plays one record; true as [`Run::play`].
    fn play_record(
        &mut self,
        record: &mut Record<'_>,
        player: &mut Player<WatchedMarkets>,
        inference: &mut Inference,
        chain: &mut Chain<'_>,
    ) -> bool {
        let file = record.place.file;
        if self.files.len() <= file {
            self.files.resize_with(file + 1, FileMarks::default);
        }
        let marks = &mut self.files[file];
        if record.kind == RecordKind::Stream {
            marks.received(record.stamp.wall, record.place.line);
        }
        let only = chain.only.get(file).copied().flatten();
        if record.kind == (RecordKind::Snapshot { symbol: None }) {
            record.kind = RecordKind::Snapshot { symbol: only };
        }
        player.sink_mut().at(record.place);
        match player.play(record) {
            Played::Market(symbol) => {
                marks.of_symbol(symbol);
                if only.is_some_and(|only| player.flow().symbol(symbol) != only) {
                    // Whose snapshots these are cannot be told after all.
                    chain.only[file] = None;
                    return true;
                }
            }
            Played::Unfitting if learns(inference, record) => return true,
            Played::Bad | Played::Unfitting => {
                let start = &record.buffer[..record.length.min(80)];
                self.first_bad.get_or_insert_with(|| (record.place, String::from_utf8_lossy(start).into_owned()));
            }
            Played::Nothing if record.kind == (RecordKind::Snapshot { symbol: None }) => marks.snapshots_unnamed += 1,
            Played::Good | Played::Nothing => {}
        }
        false
    }

    fn outcome(
        self,
        chain: Chain<'_>,
        product: ProductLine,
        instruments: &[Instrument],
        player: &Player<WatchedMarkets>,
        lines: u64,
    ) -> VerifyOutcome {
        let flow = player.flow();
        let named = |(index, instrument): (usize, &Instrument)| {
            (instrument.symbol.to_string(), symbol_report(instrument, index, player))
        };
        let reports: Vec<(String, SymbolReport)> = instruments.iter().enumerate().map(named).collect();
        let stale: Vec<u64> = (0..reports.len()).map(|index| flow.sync_counts(index).snapshots_stale).collect();
        let seen = Seen {
            names: &chain.names,
            files: &self.files,
            watched: player.sink(),
            reports: &reports,
            snapshots_stale: &stale,
            neighbour: chain.neighbour,
        };
        let findings = seen.shortcomings();
        let mut report = VerifyReport {
            files: chain.names,
            venue: product.name().to_owned(),
            verdict: if findings.is_empty() { Wholeness::Whole } else { Wholeness::NotWhole },
            lines,
            frames: flow.counters().frames,
            bad_frames: player.bad_frames(),
            scanned: flow.decode_counts().scanned,
            fallback: flow.decode_counts().fallback,
            elapsed_seconds: 0.0,
            lines_per_second: 0,
            symbols: reports.into_iter().collect(),
            findings,
        };
        let problem = self.problem.or_else(|| problem_of(&report, self.first_bad));
        if problem.is_some() {
            report.verdict = Wholeness::Wrong;
        }
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

fn problem_of(report: &VerifyReport, first_bad: Option<(RecordPlace, String)>) -> Option<VerifyProblem> {
    for (symbol, checks) in &report.symbols {
        let failed = checks.bbo_checked - checks.bbo_matched;
        if failed > 0 {
            return Some(VerifyProblem::Mismatch { symbol: symbol.clone(), failed, checked: checks.bbo_checked });
        }
        if checks.crossed > 0 {
            return Some(VerifyProblem::Crossed { symbol: symbol.clone(), count: checks.crossed });
        }
    }
    let (place, first) = first_bad?;
    let file = report.files.get(place.file).cloned().unwrap_or_default();
    Some(VerifyProblem::BadFrames { count: report.bad_frames, file, first_line: place.line, first })
}

fn symbol_report(instrument: &Instrument, index: usize, player: &Player<WatchedMarkets>) -> SymbolReport {
    let flow = player.flow();
    let market = player.sink().markets.market(index);
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
