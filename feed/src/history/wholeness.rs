//! COLD: what keeps a played recording from being whole although no check failed: each with its place and what to add.

use std::path::Path;

use spinbook_engine::event::{MarketEvent, MarketKind, MarketReply};
use spinbook_engine::types::{Level, Nanos};

use super::player::Markets;
use super::verify_report::{Shortcoming, SymbolReport};
use crate::session::MarketSink;
use crate::venue::instrument::Instrument;
use crate::venue::source::RecordPlace;

/// How far receive times may step back within a file: clocks that are set step by less.
const CLOCK_STEP_MAX: Nanos = Nanos::from_millis(1_000);

/// Where a file is missing: for those who can look into its folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingFile {
    /// Before this one.
    Before(usize),
    /// Behind the first and before the second.
    Between(usize, usize),
}

/// The books of a verification, and where each of them was lost first.
#[derive(Debug)]
pub(super) struct WatchedMarkets {
    pub(super) markets: Markets,
    place: RecordPlace,
    losses: Vec<Losses>,
}

/// Where a symbol's book was lost first.
#[derive(Clone, Copy, Debug, Default)]
struct Losses {
    first: Option<RecordPlace>,
    /// The file that the book came from, if it was lost by the first of its updates in another one.
    behind: Option<usize>,
    /// The file of the last update that was applied.
    applied: Option<usize>,
}

impl WatchedMarkets {
    pub(super) fn new(instruments: &[Instrument]) -> WatchedMarkets {
        WatchedMarkets {
            markets: Markets::new(instruments),
            place: RecordPlace::default(),
            losses: vec![Losses::default(); instruments.len()],
        }
    }

    /// What is played next stands there.
    pub(super) fn at(&mut self, place: RecordPlace) {
        self.place = place;
    }
}

impl MarketSink for WatchedMarkets {
    fn on_market(&mut self, event: &MarketEvent, bids: &[Level], asks: &[Level], now: Nanos) -> MarketReply {
        let (index, file) = (event.instrument.index(), self.place.file);
        let losses = &mut self.losses[index];
        match event.kind {
            MarketKind::Delta => losses.applied = Some(file),
            MarketKind::Lost if losses.first.is_none() => {
                losses.first = Some(self.place);
                losses.behind = losses.applied.filter(|applied| *applied != file);
            }
            _ => {}
        }
        self.markets.on_market(event, bids, asks, now)
    }
}

/// What was seen of one file.
#[derive(Clone, Debug, Default)]
pub(super) struct FileMarks {
    /// Indexes of the symbols whose messages it holds.
    pub(super) symbols: Vec<usize>,
    /// Snapshots that name no symbol, in a file of several.
    pub(super) snapshots_unnamed: u64,
    first: Nanos,
    last: Nanos,
    /// The line before which the receive time stepped back first, and by how much.
    stepped_back: Option<(u64, Nanos)>,
}

impl FileMarks {
    /// Notes a received frame.
    pub(super) fn received(&mut self, at: Nanos, line: u64) {
        if at == Nanos::ZERO {
            return;
        }
        if self.first == Nanos::ZERO {
            self.first = at;
        }
        if self.last - at > CLOCK_STEP_MAX && self.stepped_back.is_none() {
            self.stepped_back = Some((line, self.last - at));
        }
        self.last = self.last.max(at);
    }

    /// Notes whose market a frame was of.
    pub(super) fn of_symbol(&mut self, symbol: usize) {
        if !self.symbols.contains(&symbol) {
            self.symbols.push(symbol);
        }
    }

    fn shares_a_symbol(&self, other: &FileMarks) -> bool {
        self.symbols.iter().any(|symbol| other.symbols.contains(symbol))
    }
}

/// Everything that one play of a chain showed.
pub(super) struct Seen<'a> {
    /// The files' names.
    pub(super) names: &'a [String],
    /// By file.
    pub(super) files: &'a [FileMarks],
    /// Where books were lost.
    pub(super) watched: &'a WatchedMarkets,
    /// Symbols with their reports, in the order of their indexes.
    pub(super) reports: &'a [(String, SymbolReport)],
    /// Snapshots refused as older than the stream, in the same order.
    pub(super) snapshots_stale: &'a [u64],
    /// What finds a file beside those that are named.
    pub(super) neighbour: &'a dyn Fn(MissingFile) -> Option<String>,
}

impl Seen<'_> {
    /// What the chain lacks, the files' own faults first: they explain the books'. What the books of files out of order
    /// lack says nothing about the files in order.
    pub(super) fn shortcomings(&self) -> Vec<Shortcoming> {
        let mut found = self.of_files();
        if (0..self.files.len()).any(|file| self.is_out_of_order(file)) {
            return found;
        }
        for index in 0..self.reports.len() {
            found.extend(self.of_symbol(index));
        }
        if self.reports.is_empty() {
            let what = "there is no market in it: nothing was checked".to_owned();
            found.push(Shortcoming { symbol: None, what, next: "name a recording of depth messages".to_owned() });
        }
        found
    }

    fn name(&self, file: usize) -> &str {
        self.names.get(file).map_or("", String::as_str)
    }

    /// The file before this one that has a symbol of its own, too.
    fn chained_to(&self, file: usize) -> Option<usize> {
        (0..file).rev().find(|before| self.files[*before].shares_a_symbol(&self.files[file]))
    }

    fn is_out_of_order(&self, file: usize) -> bool {
        self.chained_to(file).is_some_and(|before| self.files[file].last < self.files[before].first)
    }

    fn of_files(&self) -> Vec<Shortcoming> {
        let mut found = Vec::new();
        let mut add = |what: String, next: String| found.push(Shortcoming { symbol: None, what, next });
        for (later, marks) in self.files.iter().enumerate() {
            let name = self.name(later);
            if let Some((line, step)) = marks.stepped_back {
                let milliseconds = step.0 / 1_000_000;
                add(
                    format!("{name} line {line}: the receive time steps back by {milliseconds} ms"),
                    "put its lines back into their order, or fetch the file again".to_owned(),
                );
            }
            let Some(before) = self.chained_to(later) else { continue };
            let (other, earlier) = (self.name(before), &self.files[before]);
            if self.is_out_of_order(later) {
                add(
                    format!("{name} was received before {other} and is named after it: files out of order"),
                    format!("name {name} first"),
                );
            } else if marks.first < earlier.last && same_file(name, other) {
                add(format!("{name} is named twice"), "name it once".to_owned());
            } else if marks.first < earlier.last {
                add(
                    format!("{name} begins before {other} ends: the two overlap"),
                    "verify each for itself, or leave one of them out".to_owned(),
                );
            }
        }
        found
    }

    fn of_symbol(&self, index: usize) -> Vec<Shortcoming> {
        let (symbol, report) = &self.reports[index];
        let mut found = Vec::new();
        let mut add = |what: String, next: String| {
            found.push(Shortcoming { symbol: Some(symbol.clone()), what: format!("{symbol}: {what}"), next });
        };
        if report.depth == 0 {
            add(
                "there are no depth messages: no book was checked".to_owned(),
                "add the file that holds its depth stream".to_owned(),
            );
            return found;
        }
        if report.state == "waiting" {
            let (what, next) = self.never_live(index);
            add(what, next);
            return found;
        }
        if report.gaps > 0 {
            let (what, next) = self.gaps(index);
            add(what, next);
        } else if report.state == "stale" {
            let place = self.place_of_loss(index);
            add(
                format!("the book is stale at the end, lost {place}"),
                "add a recording that goes on with a depth snapshot".to_owned(),
            );
        }
        let touches = self.watched.markets.market(index).counters().touches;
        if touches > 0 && report.bbo_checked == 0 {
            add(
                format!("none of its {touches} best bid/asks could be compared with a depth message"),
                "record depth and best bid/ask of the same time and of one connection".to_owned(),
            );
        }
        found
    }

    /// A book that never was live.
    fn never_live(&self, index: usize) -> (String, String) {
        let first = self.files.iter().position(|marks| marks.symbols.contains(&index)).unwrap_or(0);
        let name = self.name(first);
        let unnamed = self.files.iter().position(|marks| marks.snapshots_unnamed > 0 && marks.symbols.contains(&index));
        if let Some(several) = unnamed {
            return (
                "the book never was live: the snapshots do not say whose they are".to_owned(),
                format!("record each symbol in a file of its own: {} holds several", self.name(several)),
            );
        }
        let what = match self.snapshots_stale[index] {
            0 => "the book never was live: there is no depth snapshot of it that its updates join",
            _ => "the book never was live: its depth snapshot is older than the updates, and those between are missing",
        };
        let add = format!("add the file before {name}, the one that holds the depth snapshot");
        (what.to_owned(), with_neighbour(add, (self.neighbour)(MissingFile::Before(first))))
    }

    fn gaps(&self, index: usize) -> (String, String) {
        let report = &self.reports[index].1;
        let end = if report.state == "stale" { "; the book is stale at the end" } else { "" };
        let losses = &self.watched.losses[index];
        let times = if report.gaps == 1 { "once".to_owned() } else { format!("{} times", report.gaps) };
        let place = self.place_of_loss(index);
        let what = format!("the sequence breaks {times}, first {place}{end}");
        match (losses.behind, losses.first) {
            (Some(before), Some(at)) => {
                let add = format!("add the file between {} and {}", self.name(before), self.name(at.file));
                (what, with_neighbour(add, (self.neighbour)(MissingFile::Between(before, at.file))))
            }
            _ => (what, "fetch the file again: updates are missing in it or out of order".to_owned()),
        }
    }

    fn place_of_loss(&self, index: usize) -> String {
        match self.watched.losses[index].first {
            Some(place) => format!("at {} line {}", self.name(place.file), place.line),
            None => "at a snapshot".to_owned(),
        }
    }
}

fn with_neighbour(add: String, neighbour: Option<String>) -> String {
    match neighbour {
        Some(name) => format!("{add}: {name} lies beside it"),
        None => add,
    }
}

fn same_file(one: &str, other: &str) -> bool {
    let whole = |name: &str| std::fs::canonicalize(name).ok();
    one == other || whole(one).is_some_and(|path| Some(path) == whole(other))
}

/// A file in the folder of those named, written like them but for its digits, that stands where one is missing.
pub(super) fn neighbour(files: &[std::path::PathBuf], missing: MissingFile) -> Option<String> {
    let (after, before) = match missing {
        MissingFile::Before(file) => (None, files.get(file)?),
        MissingFile::Between(after, before) => (files.get(after), files.get(before)?),
    };
    let shape = |path: &Path| -> Option<String> {
        let name = path.file_name()?.to_str()?;
        Some(name.chars().map(|letter| if letter.is_ascii_digit() { '0' } else { letter }).collect())
    };
    let wanted = shape(before)?;
    let folder = before.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let stands_there = |path: &Path| {
        shape(path).as_ref() == Some(&wanted)
            && !files.iter().any(|file| file.file_name() == path.file_name())
            && path.file_name() < before.file_name()
            && after.is_none_or(|after| path.file_name() > after.file_name())
    };
    let mut found: Vec<_> = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).collect();
    found.retain(|path| stands_there(path));
    found.sort();
    Some(found.last()?.display().to_string())
}
