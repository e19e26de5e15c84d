//! COLD: a journal in files: preallocated, mapped, made ready and brought to the disk by a thread of their own.
//!
//! A record is written into memory that the system keeps when the program is killed. Its blocks are allocated before
//! it is mapped, and every page is made present, so that no write into it can fail; a disk that is full or refuses is
//! found by the keeper, which says so, and no order leaves any more. What a power failure takes from the end was never
//! synced, at most [`SYNC_INTERVAL`]: the start compares with the venue before it quotes.
//!
//! What is brought to the disk is write-protected by the system, and the next write to it would wait for the file system.
//! So only what was written is synced, not what lies ready behind it, and the keeper makes the next pages writable itself.
#![allow(unsafe_code)]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use memmap2::{Advice, MmapRaw};

use crate::journal::frame::JournalHeader;
use crate::journal::store::JournalStore;
use crate::net::host::threads;

/// Bytes of a part: some minutes of the busiest trading, some days of quiet.
pub const JOURNAL_PART_BYTES: u64 = 8 << 20;
/// How a journal's files end.
pub const JOURNAL_EXTENSION: &str = "journal";
/// How the name of a file ends that is being made.
const UNFINISHED_EXTENSION: &str = "new";
/// How often what was written is brought to the disk.
pub const SYNC_INTERVAL: Duration = Duration::from_millis(200);
/// So much behind the last record is kept ready to be written.
const READY_BYTES: usize = 128 << 10;
/// How long a disk that is full is left alone before it is tried again.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// How soon the keeper notices that a part is full or that the end has come.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// The name of a part: parts of one run and of one venue follow each other by name, and runs do.
#[must_use]
pub fn part_name(header: &JournalHeader) -> String {
    format!("{:010}-{}-{:05}.{JOURNAL_EXTENSION}", header.run, header.venue, header.part)
}

/// The journal's files in a folder, by run, venue and part; none where there is no such folder.
///
/// # Errors
/// It cannot be read.
pub fn part_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?,
    };
    found.retain(|path| path.extension().is_some_and(|extension| extension == JOURNAL_EXTENSION));
    found.sort_unstable();
    Ok(found)
}

/// Removes files that a killed run was making; no run may be at it. What cannot be removed only takes room.
pub fn remove_unfinished(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().extension().is_some_and(|extension| extension == UNFINISHED_EXTENSION) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// What the keeper and the gateway's end share.
#[derive(Debug, Default)]
struct Shared {
    /// Number of the part that is written, and its bytes up to the last record, as [`position`] joins them.
    written: AtomicU64,
    failing: AtomicBool,
    stop: AtomicBool,
    /// Why it fails.
    reason: Mutex<Option<String>>,
}

/// Why a journal's disk refuses, if it does, for whoever tells it to a human.
#[derive(Clone, Debug)]
pub struct JournalHealth(Arc<Shared>);

impl JournalHealth {
    /// What the system said; `None` while all is well.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        let reason = || self.0.reason.lock().map_or(None, |reason| reason.clone());
        self.0.failing.load(Ordering::Acquire).then(|| reason().unwrap_or_default())
    }
}

/// A part's number and how far it is written, in one word.
const fn position(part: u32, used: usize) -> u64 {
    (part as u64) << 32 | used as u64
}

/// A file that is memory.
struct Part {
    number: u32,
    map: Arc<MmapRaw>,
    file: File,
    path: PathBuf,
}

/// What the keeper knows of a part: it brings its bytes to the disk, and never looks at them.
struct KeptPart {
    number: u32,
    map: Arc<MmapRaw>,
    /// So far it is on the disk.
    synced: usize,
}

impl Part {
    /// Makes a file with this header and room that is really there, and puts it in place under its name.
    fn make(folder: &Path, header: &JournalHeader, bytes: u64) -> io::Result<Part> {
        let path = folder.join(part_name(header));
        let temporary = path.with_extension(UNFINISHED_EXTENSION);
        let _ = fs::remove_file(&temporary);
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&temporary)?;
        let made = Part::fill(file, header, bytes).and_then(|(map, file)| {
            fs::rename(&temporary, &path)?;
            File::open(folder)?.sync_all()?;
            Ok(Part { number: header.part, map: Arc::new(map), file, path })
        });
        if made.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        made
    }

    fn fill(mut file: File, header: &JournalHeader, bytes: u64) -> io::Result<(MmapRaw, File)> {
        allocate(&file, bytes)?;
        file.write_all(&header.write())?;
        let map = MmapRaw::map_raw(&file)?;
        // Pages that could not be had answer an error here instead of a signal later.
        make_writable(&map, 0, map.len())?;
        file.sync_all()?;
        make_writable(&map, 0, READY_BYTES)?;
        Ok((map, file))
    }

    /// The same part for the keeper.
    fn kept(&self) -> KeptPart {
        KeptPart { number: self.number, map: self.map.clone(), synced: 0 }
    }

    /// Its bytes.
    fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: the mapping is as long as that and lives as long as this part. The file is this program's alone: it was
        // created under a name that nobody else uses, its folder is locked by the run, and nothing shortens it while it is
        // mapped. Only this part's owner reaches its bytes, and it is borrowed for as long: what the keeper has of the
        // mapping it only names to the system. Readers in other programs only read.
        unsafe { std::slice::from_raw_parts_mut(self.map.as_mut_ptr(), self.map.len()) }
    }
}

/// Has the system make pages of a mapping present and writable, up to its end. An old system has no such question, and
/// then they are when they are written.
fn make_writable(map: &MmapRaw, from: usize, bytes: usize) -> io::Result<()> {
    let bytes = bytes.min(map.len().saturating_sub(from));
    match map.advise_range(Advice::PopulateWrite, from, bytes) {
        Err(error) if error.raw_os_error() != Some(libc::EINVAL) => Err(error),
        _ => Ok(()),
    }
}

/// Gives the file this many bytes, all of them on the disk.
fn allocate(file: &File, bytes: u64) -> io::Result<()> {
    let length = libc::off_t::try_from(bytes).map_err(io::Error::other)?;
    // SAFETY: the descriptor is open as long as `file` lives, and the call takes nothing else of ours.
    match unsafe { libc::posix_fallocate(file.as_raw_fd(), 0, length) } {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// A run's journal in files, as its writer holds it.
pub struct JournalFiles {
    part: Part,
    ready: Receiver<Part>,
    full: SyncSender<Part>,
    shared: Arc<Shared>,
    keeper: Option<JoinHandle<()>>,
}

impl JournalFiles {
    /// Makes the first part and starts the keeper.
    ///
    /// # Errors
    /// The folder or the file cannot be made, there is no room, or the system refuses a thread.
    pub fn begin(folder: &Path, header: JournalHeader, part_bytes: u64) -> io::Result<JournalFiles> {
        fs::create_dir_all(folder)?;
        let part = Part::make(folder, &header, part_bytes)?;
        let shared = Arc::new(Shared::default());
        let ((send_ready, ready), (full, take_full)) = (sync_channel(1), sync_channel(4));
        let keeper = Keeper {
            folder: folder.to_owned(),
            header,
            part_bytes,
            parts: vec![part.kept()],
            ready: send_ready,
            full: take_full,
            shared: shared.clone(),
            spare: false,
            lost: false,
        };
        let keeper = threads::spawn("spinbook-keeper", None, |_| {}, move || keeper.run())?;
        Ok(JournalFiles { part, ready, full, shared, keeper: Some(keeper) })
    }

    /// For whoever tells a human why no order leaves.
    #[must_use]
    pub fn health(&self) -> JournalHealth {
        JournalHealth(self.shared.clone())
    }
}

impl JournalStore for JournalFiles {
    fn part(&mut self) -> &mut [u8] {
        self.part.bytes()
    }

    fn advance(&mut self) -> bool {
        let Ok(next) = self.ready.try_recv() else { return false };
        let old = core::mem::replace(&mut self.part, next);
        // The keeper unmaps it; one that does not come along leaves it to be unmapped here.
        drop(self.full.try_send(old));
        true
    }

    fn is_failing(&self) -> bool {
        self.shared.failing.load(Ordering::Relaxed)
    }

    fn written(&mut self, used: usize) {
        self.shared.written.store(position(self.part.number, used), Ordering::Release);
    }

    fn finish(&mut self, used: usize) {
        self.end_keeper();
        // A file may be longer than what is in it, as after a kill: then only room is wasted.
        let shortened = self.part.file.sync_data().and_then(|()| self.part.file.set_len(used as u64));
        let _ = shortened.and_then(|()| self.part.file.sync_all());
        while let Ok(unused) = self.ready.try_recv() {
            let _ = fs::remove_file(&unused.path);
        }
    }
}

impl JournalFiles {
    fn end_keeper(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        if let Some(keeper) = self.keeper.take() {
            let _ = keeper.join();
        }
    }
}

impl Drop for JournalFiles {
    fn drop(&mut self) {
        self.end_keeper();
    }
}

/// The thread beside: keeps one part ready, and syncs.
struct Keeper {
    folder: PathBuf,
    /// Of the part that was made last.
    header: JournalHeader,
    part_bytes: u64,
    /// Every part that may have something to be synced.
    parts: Vec<KeptPart>,
    ready: SyncSender<Part>,
    full: Receiver<Part>,
    shared: Arc<Shared>,
    /// A part was made that nothing is written to yet.
    spare: bool,
    /// The disk lost what it was given: it is never asked again whether it has it, since it would say yes.
    lost: bool,
}

impl Keeper {
    fn run(mut self) {
        let (mut waits_sync, mut waits_make) = (Duration::ZERO, Duration::ZERO);
        let mut next: Option<Part> = None;
        loop {
            let stopping = self.shared.stop.load(Ordering::Acquire);
            if waits_sync.is_zero() || stopping {
                waits_sync = SYNC_INTERVAL;
                self.sync();
            }
            if !self.spare && waits_make.is_zero() && !stopping {
                next = self.make();
                waits_make = if next.is_some() { Duration::ZERO } else { RETRY_INTERVAL };
            }
            next = next.and_then(|part| self.offer(part));
            self.take_full();
            if stopping {
                if let Some(unused) = next {
                    let _ = fs::remove_file(&unused.path);
                }
                return;
            }
            std::thread::sleep(LOOK_INTERVAL);
            waits_sync = waits_sync.saturating_sub(LOOK_INTERVAL);
            waits_make = waits_make.saturating_sub(LOOK_INTERVAL);
        }
    }

    /// Brings what was written to the disk, and makes ready what will be. A part that is full comes back and is synced
    /// then.
    fn sync(&mut self) {
        let written = self.shared.written.load(Ordering::Acquire);
        let (number, used) = ((written >> 32) as u32, (written & u64::from(u32::MAX)) as usize);
        let Some(part) = self.parts.iter_mut().find(|part| part.number == number).filter(|_| !self.lost) else {
            return;
        };
        let synced = core::mem::replace(&mut part.synced, used);
        let flushed = if used > synced { part.map.flush_range(synced, used - synced) } else { Ok(()) };
        // Where the pages cannot be had ahead, whoever writes has them made then.
        let _ = make_writable(&part.map, used, READY_BYTES);
        if let Err(error) = flushed {
            self.lose(&error);
        }
    }

    fn lose(&mut self, error: &io::Error) {
        self.lost = true;
        self.fail(format!("what was written does not reach the disk: {error}"));
    }

    /// The next part, if there is room for it.
    fn make(&mut self) -> Option<Part> {
        let header = JournalHeader { part: self.header.part + 1, ..self.header };
        let made = Part::make(&self.folder, &header, self.part_bytes);
        match made {
            Ok(part) => {
                self.header = header;
                self.parts.push(part.kept());
                self.spare = true;
                if !self.lost {
                    self.shared.failing.store(false, Ordering::Release);
                }
                Some(part)
            }
            Err(error) => {
                self.fail(format!("no room for its next part: {error}"));
                None
            }
        }
    }

    /// Gives a part to the writer; back comes one that it has no use for yet.
    fn offer(&self, part: Part) -> Option<Part> {
        match self.ready.try_send(part) {
            Ok(()) => None,
            Err(std::sync::mpsc::TrySendError::Full(part) | std::sync::mpsc::TrySendError::Disconnected(part)) => {
                Some(part)
            }
        }
    }

    /// Parts that are full: synced once more and let go.
    fn take_full(&mut self) {
        loop {
            match self.full.try_recv() {
                Ok(part) => {
                    self.spare = false;
                    if let Err(error) = part.file.sync_data() {
                        self.lose(&error);
                    }
                    drop(part);
                    // Only the newest two may still be written to.
                    let old = self.parts.len().saturating_sub(2);
                    self.parts.drain(..old);
                }
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return,
            }
        }
    }

    fn fail(&self, reason: String) {
        if let Ok(mut told) = self.shared.reason.lock() {
            *told = Some(reason);
        }
        self.shared.failing.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use spinbook_engine::intent::Intent;
    use spinbook_engine::types::{InstrumentId, Nanos, OrderId};

    use super::*;
    use crate::journal::reader::{JournalReader, JournalTail};
    use crate::journal::record::JournalRecord;
    use crate::journal::writer::{Journal, JournalWriter};
    use crate::venue::instrument::Symbol;
    use crate::venue::order_ids::ClientIdFormat;

    /// Small enough for a few records a part, large enough for what orders leave free.
    const PART_BYTES: u64 = 96 << 10;

    fn header() -> JournalHeader {
        let venue = Symbol::new("some-venue").expect("a name");
        JournalHeader { run: 7, salt: 99, part: 0, created: Nanos(17), venue }
    }

    fn record(count: u32) -> JournalRecord {
        JournalRecord::CancelSent { order: OrderId::new(7, count), instrument: InstrumentId(0), attempt: 1 }
    }

    fn journal(folder: &Path) -> (Journal, JournalHealth) {
        let files = JournalFiles::begin(folder, header(), PART_BYTES).expect("room");
        let health = files.health();
        (Journal::On(Box::new(JournalWriter::new(Box::new(files), Vec::new(), Nanos(1)))), health)
    }

    /// The numbers of the records of all files, which follow each other, and how the last one ends.
    fn numbers(folder: &Path) -> (Vec<u64>, JournalTail) {
        let (mut numbers, mut tail) = (Vec::new(), JournalTail::Whole);
        for path in part_files(folder).expect("there") {
            let bytes = fs::read(path).expect("there");
            let mut reader = JournalReader::new(&bytes).expect("a header");
            while let Some(entry) = reader.next_entry().expect("whole") {
                numbers.push(entry.sequence);
            }
            tail = reader.tail();
        }
        (numbers, tail)
    }

    #[test]
    fn what_is_written_is_there_at_once_and_room_is_given_back_at_the_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut journal, health) = journal(folder.path());
        (1..=10).for_each(|count| journal.note(&record(count), Nanos(1)));
        // Nothing was synced or closed: this is what another program sees, also after a kill.
        assert_eq!(numbers(folder.path()), ((1..=10).collect(), JournalTail::Whole));
        assert_eq!(health.failure(), None);
        let counters = journal.finish();
        assert_eq!((counters.records, counters.lost), (10, 0));
        let files = part_files(folder.path()).expect("there");
        assert_eq!(files.len(), 1, "a part that was never written to is gone: {files:?}");
        let length = fs::metadata(&files[0]).expect("there").len();
        assert!(length < 1024, "{length} bytes for ten records");
        assert_eq!(numbers(folder.path()).0, (1..=10).collect::<Vec<_>>());
    }

    #[test]
    fn a_full_part_is_followed_by_the_next_and_the_numbers_go_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut journal, _) = journal(folder.path());
        let mut count = 0;
        let until = std::time::Instant::now() + Duration::from_secs(30);
        while part_files(folder.path()).expect("there").len() < 4 && std::time::Instant::now() < until {
            let lost = journal.counters().lost;
            journal.note(&record(count), Nanos(1));
            if journal.counters().lost > lost {
                // The keeper is not as fast as this.
                std::thread::sleep(Duration::from_millis(1));
                continue;
            }
            count += 1;
        }
        journal.finish();
        assert!(count > 2 * 96 * 1024 / 64, "{count} records in three parts");
        assert_eq!(numbers(folder.path()).0, (1..=u64::from(count)).collect::<Vec<_>>());
    }

    /// Prints what a record costs the thread that writes it, in files as a run has them.
    #[test]
    fn what_a_record_costs_is_said_and_none_is_lost() {
        const ORDERS: u32 = 20_000;
        let folder = tempfile::tempdir().expect("a folder");
        let files = JournalFiles::begin(folder.path(), header(), JOURNAL_PART_BYTES).expect("room");
        let mut journal = Journal::On(Box::new(JournalWriter::new(Box::new(files), Vec::new(), Nanos(1))));
        let mut nanos = Vec::with_capacity(ORDERS as usize);
        for count in 1..=ORDERS {
            let order = OrderId::new(7, count);
            let intent = Intent { order, ..Intent::default() };
            let begun = std::time::Instant::now();
            let placed = journal.place(&intent, || ClientIdFormat::Dashed.write(order), Nanos(1));
            nanos.push(begun.elapsed().as_nanos());
            assert_eq!(placed, Ok(()), "{count}");
        }
        nanos.sort_unstable();
        let at = |share: usize| nanos[nanos.len() * share / 1000 - 1];
        println!("a place, ns: p50 {}, p99 {}, p999 {}, max {}", at(500), at(990), at(999), at(1000));
        journal.finish();
        let begun = std::time::Instant::now();
        assert_eq!(numbers(folder.path()).0.len(), ORDERS as usize);
        println!("read again: {ORDERS} records in {} ms", begun.elapsed().as_millis());
    }

    #[test]
    fn a_folder_that_goes_away_stops_orders_and_says_why() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("journal");
        let (mut journal, health) = journal(&path);
        // The next part is there already; without it the one after that finds no folder.
        let until = std::time::Instant::now() + Duration::from_secs(30);
        while health.failure().is_none() && std::time::Instant::now() < until {
            if part_files(&path).is_ok_and(|files| files.len() >= 2) {
                fs::remove_dir_all(&path).expect("removed");
            }
            journal.note(&record(1), Nanos(1));
        }
        let failure = health.failure().expect("it fails");
        assert!(failure.contains("no room for its next part"), "{failure}");
        assert!(journal.refuses());
        let lost = journal.counters().lost;
        drop(journal);
        assert!(lost < 1_000_000_000, "what was lost is counted");
    }
}
