//! COLD: the journals of a run: what the last one left behind, one for each gateway, and what became of them.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use spinbook_engine::types::{InstrumentId, Lots, Nanos};
use spinbook_feed::gateway::Gateway;
use spinbook_feed::journal::frame::{Entry, JournalHeader};
use spinbook_feed::journal::reader::{JournalDamage, JournalReader, JournalTail};
use spinbook_feed::journal::record::{JournalInstrument, JournalRecord, PositionMoment};
use spinbook_feed::journal::recover::Recovery;
use spinbook_feed::journal::writer::{Journal, JournalWriter};
use spinbook_feed::net::io::journal_files::{JOURNAL_PART_BYTES, JournalFiles, JournalHealth, part_files, part_name};
use spinbook_feed::venue::instrument::{Instrument, Symbol};

use super::plan::{Plan, RunMode};
use super::state_dir::StateDir;
use crate::error::Failure;
use crate::ui::report::OrderRecord;

/// The folder of journals in a state directory; one below it for each mode.
const FOLDER: &str = "journal";
/// An order of a run that was killed may still be accepted for so long after it was written down.
const LATE_ORDER_MAX: Nanos = Nanos::from_millis(500);
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

/// What the runs before left of one venue.
pub struct LeftBehind {
    /// Which.
    venue: String,
    /// What their journals tell.
    pub recovery: Recovery,
}

/// Reads what the runs before left, of each venue, back to the last that ended with nothing open; says what it finds,
/// and waits until an order of theirs that was still on its way can be accepted no more.
///
/// # Errors
/// A journal is damaged: nothing is traded on a guess.
pub fn look_back(plan: &Plan, now: impl Fn() -> Nanos) -> Result<Vec<LeftBehind>, Failure> {
    let folder = folder(&plan.config.engine.state_dir, plan.mode);
    let cannot =
        |error: std::io::Error| Failure::failed("cannot read the journals").at(folder.display()).because(error);
    let files = part_files(&folder).map_err(cannot)?;
    let mut left = Vec::with_capacity(plan.markets.len());
    for market in &plan.markets {
        let venue = market.config.venue.name();
        let recovery = look_back_at(venue, &files)?;
        say_left(venue, &recovery);
        let validity = Nanos::from_millis(i64::from(market.config.receive_window_ms)) + LATE_ORDER_MAX;
        let wait = recovery.last_placed() + validity - now();
        if plan.mode != RunMode::Shadow && !recovery.ended() && wait > Nanos::ZERO && wait <= validity {
            tracing::info!(
                "{venue}: waiting {} ms: an order of the last run may still be on its way",
                wait.millis() + 1
            );
            std::thread::sleep(Duration::from_nanos(wait.0.unsigned_abs()));
        }
        left.push(LeftBehind { venue: venue.to_owned(), recovery });
    }
    Ok(left)
}

/// The parts of one venue's runs from the last that ended with nothing open, told in order.
fn look_back_at(venue: &str, files: &[PathBuf]) -> Result<Recovery, Failure> {
    let of_venue: Vec<&PathBuf> = files.iter().filter(|path| run_of(path, venue).is_some()).collect();
    let mut first = of_venue.len();
    while first > 0 {
        let run = run_of(of_venue[first - 1], venue);
        let begin = of_venue[..first].partition_point(|path| run_of(path, venue) < run);
        let parts: Vec<PathBuf> = of_venue[begin..first].iter().map(|path| (*path).clone()).collect();
        first = begin;
        let read = read_parts(&parts, |_, _| Ok(()))?;
        read.iter().for_each(give_room_back);
        if read.iter().rev().find(|part| part.records > 0).is_some_and(|part| part.ended_clean) {
            break;
        }
    }
    let wanted: Vec<PathBuf> =
        of_venue[first..].iter().filter(|path| path.exists()).map(|path| (*path).clone()).collect();
    let mut recovery = Recovery::default();
    let read = read_parts(&wanted, |_, entry| {
        recovery.take(entry);
        Ok(())
    })?;
    for part in &read {
        if let JournalTail::Torn { sequence, offset } = part.tail {
            let path = part.path.display();
            tracing::warn!("{path}: record {sequence} at byte {offset} was not written to its end and is not used");
        }
    }
    Ok(recovery)
}

/// The run that a file's name says, if it is one of this venue.
fn run_of(path: &Path, venue: &str) -> Option<u32> {
    let (run, rest) = path.file_name()?.to_str()?.split_once('-')?;
    let (named, _) = rest.rsplit_once('-')?;
    run.parse().ok().filter(|_| named == venue)
}

/// Room that a killed run had asked for and not used.
fn give_room_back(part: &ReadPart) {
    if part.tail != JournalTail::Whole {
        return;
    }
    // Only room is at stake: a file that cannot be shortened is as good as one that was.
    let _ = match part.records {
        0 if part.header.part > 0 => fs::remove_file(&part.path),
        _ => OpenOptions::new().write(true).open(&part.path).and_then(|file| file.set_len(part.used)),
    };
}

fn say_left(venue: &str, recovery: &Recovery) {
    let left: Vec<_> = recovery.left().collect();
    if left.is_empty() {
        return;
    }
    let names: Vec<&str> = left.iter().take(5).map(|order| order.client_id.as_str()).collect();
    let more = if left.len() > names.len() { ", …" } else { "" };
    tracing::warn!(
        "{venue}: the last run left {} orders whose end its journal does not tell ({}{more}): whatever is open is \
         cancelled before anything is quoted",
        left.len(),
        names.join(", "),
    );
}

impl LeftBehind {
    /// Says where the account differs from what the journals end with.
    pub fn compare(&self, instruments: &[Instrument], held: impl Fn(&Instrument) -> Option<Lots>) {
        for instrument in instruments {
            let (Some(told), Some(held)) = (self.recovery.positions().get(&instrument.symbol), held(instrument)) else {
                continue;
            };
            if *told != held {
                let text = |lots: Lots| instrument.quantity.decimal(lots.0).normalize();
                tracing::warn!(
                    "{} on {}: the account holds {}, the journal ended with {}: filled, moved or traded elsewhere \
                     meanwhile; the account's word is taken",
                    instrument.symbol,
                    self.venue,
                    text(held),
                    text(*told)
                );
            }
        }
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
    /// What is held at the start.
    pub positions: Vec<(InstrumentId, Lots)>,
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
        for (Beginning { gateway, positions }, market) in gateways.into_iter().zip(&plan.markets) {
            let venue = Symbol::new(market.config.venue.name()).expect("a product line's name is a name");
            let header = JournalHeader { run: state.epoch, salt: state.salt, part: 0, created: now, venue };
            let path = journals.folder.join(part_name(&header));
            let failed = |error: std::io::Error| {
                Failure::failed("cannot begin the journal of orders")
                    .at(path.display())
                    .because(error)
                    .next("make room or name another engine.state_dir: no order leaves that is not written down")
            };
            let files = JournalFiles::begin(&journals.folder, header, JOURNAL_PART_BYTES).map_err(failed)?;
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
                let (word, reason) = ("kill".to_owned(), reason.to_owned());
                journal.note(&JournalRecord::Operator { word, reason }, ending.now);
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
