//! COLD: the journals of a run: what the last one left behind, one for each gateway, and what became of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use spinbook_engine::event::ExecutionEvent;
use spinbook_engine::types::{InstrumentId, Lots, Nanos};
use spinbook_feed::gateway::Gateway;
use spinbook_feed::journal::end::ProvedEnd;
use spinbook_feed::journal::frame::{Entry, JournalHeader};
use spinbook_feed::journal::reader::{JournalDamage, JournalReader, JournalTail};
use spinbook_feed::journal::record::{JournalInstrument, JournalRecord, PositionMoment};
use spinbook_feed::journal::writer::{Journal, JournalWriter};
use spinbook_feed::net::io::journal_files::{JOURNAL_PART_BYTES, JournalFiles, JournalHealth, part_name};
use spinbook_feed::venue::instrument::Symbol;

use super::plan::{Plan, RunMode};
use super::state_dir::StateDir;
use crate::error::Failure;
use crate::ui::report::OrderRecord;

/// The folder of journals in a state directory; one below it for each mode.
const FOLDER: &str = "journal";
/// How often a long journal says how far it is read.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

/// Where the journals of a mode are.
#[must_use]
pub fn folder(state_dir: &Path, mode: RunMode) -> PathBuf {
    state_dir.join(FOLDER).join(mode.name())
}

/// A journal's file that was read to its end.
#[derive(Clone, Debug)]
pub struct ReadPart {
    /// Where it is.
    pub path: PathBuf,
    /// What stands before its records.
    pub header: JournalHeader,
    /// Records in it.
    pub records: u64,
    /// Bytes up to the end of the last record.
    pub used: u64,
    /// How it ends.
    pub tail: JournalTail,
    /// Whether its last record says that nothing was left open.
    pub ended_clean: bool,
}

/// Reads journals' files in this order and gives each record; files of one run have to follow each other.
///
/// # Errors
/// A file cannot be read, or is damaged: file, byte and record are named.
pub fn read_parts(
    paths: &[PathBuf],
    mut each: impl FnMut(&JournalHeader, &Entry) -> Result<(), Failure>,
) -> Result<Vec<ReadPart>, Failure> {
    let mut read: Vec<ReadPart> = Vec::with_capacity(paths.len());
    let (mut said, mut next) = (Instant::now(), 0);
    for (place, path) in paths.iter().enumerate() {
        if said.elapsed() >= PROGRESS_INTERVAL {
            said = Instant::now();
            tracing::info!("reading the journal: file {} of {}", place + 1, paths.len());
        }
        let cannot = |error: std::io::Error| Failure::failed("cannot read a journal").at(path.display()).because(error);
        let bytes = fs::read(path).map_err(cannot)?;
        let damaged = |damage: JournalDamage| damage_of(path, &damage);
        let mut reader = JournalReader::new(&bytes).map_err(damaged)?;
        let header = *reader.header();
        match read.last().filter(|last| (last.header.run, last.header.venue) == (header.run, header.venue)) {
            Some(last) if last.header.part + 1 == header.part => reader.expect(next),
            Some(last) => return Err(missing(path, last.header.part + 1)),
            None if header.part > 0 && paths.len() > 1 => return Err(missing(path, 0)),
            None => {}
        }
        let (mut records, mut ended_clean) = (0, false);
        while let Some(entry) = reader.next_entry().map_err(damaged)? {
            each(&header, &entry)?;
            records += 1;
            ended_clean = matches!(entry.record, JournalRecord::RunEnded { confirmed: true, .. });
        }
        next = reader.next_sequence();
        read.push(ReadPart {
            path: path.clone(),
            header,
            records,
            used: reader.offset() as u64,
            tail: reader.tail(),
            ended_clean,
        });
    }
    Ok(read)
}

/// The run that a file's name says, if it is one of this venue.
pub(super) fn run_of(path: &Path, venue: &str) -> Option<u32> {
    let (run, rest) = path.file_name()?.to_str()?.split_once('-')?;
    let (named, _) = rest.rsplit_once('-')?;
    run.parse().ok().filter(|_| named == venue)
}

fn damage_of(path: &Path, damage: &JournalDamage) -> Failure {
    let next = "what lies before it can be read: spinbook journal FILE. Compare orders, position and trades with the \
                venue by hand; then move the file away and start again";
    Failure::failed("a journal is damaged").at(path.display()).because(damage).next(next)
}

fn missing(path: &Path, part: u32) -> Failure {
    Failure::failed("a part of a journal is missing")
        .at(path.display())
        .because(format!("part {part} of its run is not there before it"))
        .next("bring it back, or move all parts of that run away once orders and position were compared by hand")
}

fn part_bytes() -> u64 {
    #[cfg(debug_assertions)]
    if let Some(bytes) = provoked::part_bytes() {
        return bytes;
    }
    JOURNAL_PART_BYTES
}

/// Small parts on demand, for the test of a disk that is full.
#[cfg(debug_assertions)]
pub mod provoked {
    use std::sync::OnceLock;

    static PART_BYTES: OnceLock<u64> = OnceLock::new();

    /// From here on a part has so many bytes.
    pub fn take_parts_of(bytes: u64) {
        let _ = PART_BYTES.set(bytes);
    }

    pub(super) fn part_bytes() -> Option<u64> {
        PART_BYTES.get().copied()
    }
}

/// One gateway's journal in this run.
struct Kept {
    path: PathBuf,
    health: JournalHealth,
    failure: Option<String>,
}

/// The journals of a run, one a gateway.
pub struct Journals {
    folder: PathBuf,
    kept: Vec<Kept>,
}

/// What a journal begins with.
pub struct Beginning<'a> {
    /// The gateway that will hold it.
    pub gateway: &'a mut Gateway,
    /// What was held at the start, before `missed`.
    pub positions: Vec<(InstrumentId, Lots)>,
    /// Executions of the run before that it did not book, and this one did.
    pub missed: Vec<ExecutionEvent>,
    /// What became of the orders that the run before left.
    pub ends: Vec<ProvedEnd>,
    /// Words of operators since then: which, of what, why.
    pub words: Vec<[String; 3]>,
}

impl Journals {
    /// Begins a journal for each gateway, if the plan wants any; live trading always does.
    ///
    /// # Errors
    /// There is no room for one.
    pub fn begin(
        plan: &Plan,
        state: &StateDir,
        now: Nanos,
        gateways: Vec<Beginning<'_>>,
    ) -> Result<Option<Journals>, Failure> {
        if !plan.log_orders && plan.mode != RunMode::Live {
            return Ok(None);
        }
        let folder = folder(&plan.config.engine.state_dir, plan.mode);
        let mut journals = Journals { folder, kept: Vec::with_capacity(gateways.len()) };
        for (beginning, market) in gateways.into_iter().zip(&plan.markets) {
            let Beginning { gateway, positions, missed, ends, words } = beginning;
            let venue = Symbol::new(market.config.venue.name()).expect("a product line's name is a name");
            let header = JournalHeader { run: state.epoch, salt: state.salt, part: 0, created: now, venue };
            let path = journals.folder.join(part_name(&header));
            let failed = |error: std::io::Error| {
                Failure::failed("cannot begin the journal of orders")
                    .at(path.display())
                    .because(error)
                    .next("make room or name another engine.state_dir: no order leaves that is not written down")
            };
            let files = JournalFiles::begin(&journals.folder, header, part_bytes()).map_err(failed)?;
            let health = files.health();
            let mut preamble = vec![JournalRecord::RunStarted {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                mode: plan.mode.name().to_owned(),
                configuration: spinbook_feed::journal::digest(format!("{:?}", plan.config).as_bytes()),
            }];
            let instruments = gateway.instruments().iter();
            preamble
                .extend(instruments.map(|instrument| JournalRecord::Instrument(JournalInstrument::from(instrument))));
            let mut journal = Journal::On(Box::new(JournalWriter::new(Box::new(files), preamble, now)));
            for (instrument, lots) in positions {
                journal.note(&JournalRecord::Position { instrument, lots, moment: PositionMoment::Start }, now);
            }
            for event in missed {
                journal.note(&JournalRecord::Fact(event), now);
            }
            for [word, scope, reason] in words {
                journal.note(&JournalRecord::Operator { word, scope, reason }, now);
            }
            for end in ends {
                journal.note(&JournalRecord::Ended(end), now);
            }
            gateway.keep_journal(journal);
            journals.kept.push(Kept { path, health, failure: None });
        }
        Ok(Some(journals))
    }

    /// Says what fails, and that it works again.
    pub fn look(&mut self) {
        for kept in &mut self.kept {
            let failure = kept.health.failure();
            if failure == kept.failure {
                continue;
            }
            match &failure {
                Some(why) => tracing::error!(
                    "the journal {}: {why}: no order is sent until it can be written down; cancels go on",
                    kept.path.display()
                ),
                None => tracing::warn!("the journal {} can be written again", kept.path.display()),
            }
            kept.failure = failure;
        }
    }

    /// After the I/O thread has ended: the last records, and what was counted.
    #[must_use]
    pub fn finish(self, gateways: &mut [Gateway], ending: &Ending<'_>) -> OrderRecord {
        let mut record = OrderRecord::default();
        for (gateway, kept) in gateways.iter_mut().zip(&self.kept) {
            let open = gateway.open_orders();
            let mut journal = gateway.keep_journal(Journal::Off);
            for instrument in gateway.instruments() {
                let lots = (ending.position)(instrument.id);
                journal.note(
                    &JournalRecord::Position { instrument: instrument.id, lots, moment: PositionMoment::End },
                    ending.now,
                );
            }
            let end = JournalRecord::RunEnded {
                confirmed: ending.confirmed && open == 0,
                open_orders: u32::try_from(open).unwrap_or(u32::MAX),
                why: ending.why.to_owned(),
            };
            if let Some(reason) = ending.killed {
                let (word, scope, reason) = ("kill".to_owned(), String::new(), reason.to_owned());
                journal.note(&JournalRecord::Operator { word, scope, reason }, ending.now);
            }
            journal.note(&end, ending.now);
            let counters = journal.finish();
            record.records += counters.records;
            record.lost += counters.lost;
            record.failure = record.failure.or_else(|| kept.health.failure());
        }
        record.path = match self.kept.as_slice() {
            [only] => only.path.display().to_string(),
            _ => self.folder.display().to_string(),
        };
        record
    }
}

/// How a run ended, for the last records of its journals.
pub struct Ending<'a> {
    /// When.
    pub now: Nanos,
    /// Whether every venue confirmed that nothing is open.
    pub confirmed: bool,
    /// Why.
    pub why: &'a str,
    /// What `spinbook kill` said, if it did.
    pub killed: Option<&'a str>,
    /// What the engine holds of an instrument.
    pub position: &'a dyn Fn(InstrumentId) -> Lots,
}
