//! HOT: keeping one book in step with its venue: Buffering -> AwaitingSnapshot -> Live -> Gap.
//!
//! [`BookSync`] judges update ids by the venue's [`SequenceRule`] and keeps updates that came before the
//! snapshot in a fixed buffer. It never touches a book: it says what to do, and the caller applies it.

use spinbook_engine::types::{Level, Nanos};

/// Update ids of one depth message, as the venue numbers them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UpdateIds {
    /// First update in the message.
    pub first: u64,
    /// Last update in the message.
    pub last: u64,
    /// Last update of the message before, where the venue says it; zero otherwise.
    pub previous: u64,
}

/// How a venue numbers its depth updates.
pub trait SequenceRule: Copy {
    /// Judges the updates behind a snapshot at `last` until the first is accepted.
    fn join(self, last: u64, update: UpdateIds) -> Verdict;
    /// Judges an update when the one before ended at `last`.
    fn follow(self, last: u64, update: UpdateIds) -> Verdict;
}

/// What the rule says of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Next in sequence: apply.
    Accept,
    /// Already contained: drop.
    Old,
    /// Something is missing before it.
    Gap,
}

/// Where a book stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncState {
    /// No snapshot was asked for yet; the first update asks for it.
    Buffering,
    /// A snapshot is wanted or on its way; updates are buffered.
    AwaitingSnapshot,
    /// In step.
    Live,
    /// Was live and lost its place; the next update starts over.
    Gap,
}

/// How much a book may buffer while it waits for its snapshot.
#[derive(Clone, Copy, Debug)]
pub struct SyncSettings {
    /// Updates.
    pub updates_max: usize,
    /// Levels of all of them.
    pub levels_max: usize,
    /// Whether updates before a snapshot are kept to join it; false where snapshots come in the stream and replace the
    /// book at once.
    pub keeps_updates: bool,
}

impl Default for SyncSettings {
    /// Some ten seconds of a busy market at one update every 10 ms.
    fn default() -> Self {
        SyncSettings { updates_max: 1024, levels_max: 1 << 15, keeps_updates: true }
    }
}

/// An update that waits for the snapshot.
#[derive(Clone, Copy, Debug, Default)]
struct Waiting {
    ids: UpdateIds,
    event_time: Nanos,
    start: usize,
    bids: usize,
    asks: usize,
}

/// One buffered update, handed out again behind the snapshot.
#[derive(Clone, Copy, Debug)]
pub struct BufferedUpdate<'a> {
    /// Update ids.
    pub ids: UpdateIds,
    /// The venue's event time.
    pub event_time: Nanos,
    /// Bids.
    pub bids: &'a [Level],
    /// Asks.
    pub asks: &'a [Level],
}

/// What to do with an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateStep {
    /// Apply it to the book.
    Apply,
    /// Drop it: already contained.
    Drop,
    /// It was buffered; ask for a snapshot unless one is on its way.
    Buffered,
    /// A live book lost its place: pull quotes; the update was buffered, ask for a snapshot.
    Gap,
}

/// What to do with a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotStep {
    /// Replace the book, then apply [`BookSync::next_buffered`] until it gives none.
    Replace,
    /// Older than the stream or the book: ask again after a pause.
    Stale,
    /// The book is live and needs none.
    Unwanted,
}

/// One book's place in its venue's sequence.
#[derive(Debug)]
pub struct BookSync<R> {
    rule: R,
    state: SyncState,
    last: u64,
    /// Where the newest applied update began: the end of the one before.
    before: u64,
    /// Whether an update was accepted since the snapshot.
    joined: bool,
    was_live: bool,
    keeps_updates: bool,
    updates: Box<[Waiting]>,
    update_count: usize,
    replayed: usize,
    levels: Box<[Level]>,
    level_count: usize,
    /// Newest update that came while the book was not live, and the venue's times of it and of the first one from
    /// which on none was missing.
    newest: UpdateIds,
    newest_time: Nanos,
    whole_from: Nanos,
    counts: SyncCounts,
}

/// What happened to a book's sequence so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncCounts {
    /// Times a live book lost its place in the sequence.
    pub gaps: u64,
    /// Times a book became live again after it had been live before.
    pub resyncs: u64,
    /// Snapshots that replaced the book.
    pub snapshots: u64,
    /// Snapshots refused as older than the stream or the book.
    pub snapshots_stale: u64,
    /// Updates dropped because they were already contained.
    pub duplicates: u64,
    /// Times the buffer was full and was started over.
    pub overflows: u64,
}

impl<R: SequenceRule> BookSync<R> {
    /// A book that has seen nothing (set-up; allocates the buffer).
    #[must_use]
    pub fn new(rule: R, settings: SyncSettings) -> BookSync<R> {
        BookSync {
            rule,
            state: SyncState::Buffering,
            last: 0,
            before: 0,
            joined: false,
            was_live: false,
            keeps_updates: settings.keeps_updates,
            updates: vec![Waiting::default(); settings.updates_max.max(1)].into_boxed_slice(),
            update_count: 0,
            replayed: 0,
            levels: vec![Level::default(); settings.levels_max].into_boxed_slice(),
            level_count: 0,
            newest: UpdateIds::default(),
            newest_time: Nanos::ZERO,
            whole_from: Nanos::ZERO,
            counts: SyncCounts::default(),
        }
    }

    /// Where the book stands.
    #[inline]
    #[must_use]
    pub fn state(&self) -> SyncState {
        self.state
    }

    /// Last update id that the book contains; zero before the first snapshot of a connection.
    #[inline]
    #[must_use]
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Whether the book was live at any time.
    #[must_use]
    pub fn was_live(&self) -> bool {
        self.was_live
    }

    /// What happened so far.
    #[must_use]
    pub fn counts(&self) -> SyncCounts {
        self.counts
    }

    /// Updates in the buffer.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.update_count - self.replayed
    }

    /// For how long, by the venue's times, no update was missing behind a book that is not live.
    #[must_use]
    pub fn whole_span(&self) -> Nanos {
        self.newest_time - self.whole_from
    }

    /// From here on [`BookSync::whole_span`] counts anew.
    pub fn restart_whole_span(&mut self) {
        self.whole_from = self.newest_time;
    }

    /// Judges an update.
    #[inline]
    pub fn on_update(&mut self, ids: UpdateIds, event_time: Nanos, bids: &[Level], asks: &[Level]) -> UpdateStep {
        if self.state != SyncState::Live {
            self.buffer(ids, event_time, bids, asks);
            self.state = SyncState::AwaitingSnapshot;
            return UpdateStep::Buffered;
        }
        match self.judge(ids) {
            Verdict::Accept => UpdateStep::Apply,
            Verdict::Old => UpdateStep::Drop,
            Verdict::Gap => {
                self.counts.gaps += 1;
                self.lose();
                self.buffer(ids, event_time, bids, asks);
                self.state = SyncState::AwaitingSnapshot;
                UpdateStep::Gap
            }
        }
    }

    /// Judges a snapshot that contains everything up to `last`.
    pub fn on_snapshot(&mut self, last: u64) -> SnapshotStep {
        if self.state == SyncState::Live {
            return SnapshotStep::Unwanted;
        }
        let first = self.updates[..self.update_count].first().map(|update| update.ids);
        // Ids never run backwards on a connection: what is older than the book was is no resync.
        if last < self.last || first.is_some_and(|first| self.rule.join(last, first) == Verdict::Gap) {
            self.counts.snapshots_stale += 1;
            return SnapshotStep::Stale;
        }
        self.counts.resyncs += u64::from(self.was_live);
        self.go_live(last);
        SnapshotStep::Replace
    }

    /// Takes a snapshot that came in the stream and contains everything up to `last`: the book is replaced in
    /// every state, live or not, and the next update must follow.
    pub fn replace(&mut self, last: u64) {
        self.forget();
        self.counts.resyncs += u64::from(self.was_live && self.state != SyncState::Live);
        self.go_live(last);
    }

    fn go_live(&mut self, last: u64) {
        self.counts.snapshots += 1;
        self.was_live = true;
        self.state = SyncState::Live;
        self.last = last;
        self.before = last;
        self.joined = false;
        self.replayed = 0;
    }

    /// Panics if the book's bookkeeping contradicts itself; simulations and tests call it after every step.
    ///
    /// # Panics
    /// A bug in this file.
    pub fn check(&self) {
        assert!(self.replayed <= self.update_count && self.update_count <= self.updates.len(), "updates in bounds");
        assert!(self.level_count <= self.levels.len(), "levels in bounds");
        assert!(self.before <= self.last, "the newest update begins where the one before ended");
        assert!(self.state != SyncState::Gap || self.was_live, "only a live book loses its place");
        assert!(self.state != SyncState::Live || self.was_live, "a live book was live");
        assert!(self.state != SyncState::Buffering || self.update_count == 0, "the first update asks for a snapshot");
        let mut end = 0;
        for update in &self.updates[..self.update_count] {
            assert!(update.start == end, "buffered levels lie side by side");
            end = update.start + update.bids + update.asks;
        }
        assert!(self.update_count == 0 || end == self.level_count, "all buffered levels belong to an update");
    }

    /// The next buffered update to apply behind the snapshot. `None`: no more. If the buffered updates do not
    /// join, the state is not [`SyncState::Live`] afterwards and a newer snapshot is needed.
    pub fn next_buffered(&mut self) -> Option<BufferedUpdate<'_>> {
        while self.state == SyncState::Live && self.replayed < self.update_count {
            let update = self.updates[self.replayed];
            match self.judge(update.ids) {
                Verdict::Old => self.replayed += 1,
                Verdict::Accept => {
                    self.replayed += 1;
                    let (bids, asks) =
                        self.levels[update.start..update.start + update.bids + update.asks].split_at(update.bids);
                    return Some(BufferedUpdate { ids: update.ids, event_time: update.event_time, bids, asks });
                }
                Verdict::Gap => {
                    self.counts.gaps += 1;
                    self.drop_replayed();
                    self.state = SyncState::AwaitingSnapshot;
                    return None;
                }
            }
        }
        if self.state == SyncState::Live {
            self.forget();
        }
        None
    }

    /// The book can no longer be trusted for a reason of the caller's (bad frame, crossed, disconnect).
    pub fn lose(&mut self) {
        self.newest = UpdateIds::default();
        self.state = if self.state == SyncState::Live { SyncState::Gap } else { SyncState::Buffering };
        self.forget();
    }

    /// A new connection: what was buffered belongs to the old one, and so do update ids, which a venue may count from the
    /// start again. What the new connection sends says which snapshot is too old.
    pub fn restart(&mut self) {
        self.state = SyncState::Buffering;
        (self.last, self.before, self.joined) = (0, 0, false);
        self.newest = UpdateIds::default();
        self.forget();
    }

    #[inline]
    fn judge(&mut self, ids: UpdateIds) -> Verdict {
        match if self.joined { self.rule.follow(self.last, ids) } else { self.rule.join(self.last, ids) } {
            Verdict::Accept => {
                self.before = self.last;
                self.last = ids.last;
                self.joined = true;
                Verdict::Accept
            }
            // Messages keep their bounds when they are repeated: one that ends inside the newest was never
            // applied, so the newest had a wrong id.
            Verdict::Old if self.joined && ids.last > self.before && ids.last < self.last => Verdict::Gap,
            Verdict::Old => {
                self.counts.duplicates += u64::from(self.joined);
                Verdict::Old
            }
            Verdict::Gap => Verdict::Gap,
        }
    }

    fn forget(&mut self) {
        self.update_count = 0;
        self.level_count = 0;
        self.replayed = 0;
    }

    /// Keeps only updates that were not applied, and only from the one that did not join on.
    fn drop_replayed(&mut self) {
        let kept = self.replayed;
        self.updates.copy_within(kept..self.update_count, 0);
        self.update_count -= kept;
        self.replayed = 0;
        let first = self.updates[..self.update_count].first().map_or(self.level_count, |update| update.start);
        self.levels.copy_within(first..self.level_count, 0);
        self.level_count -= first;
        for update in &mut self.updates[..self.update_count] {
            update.start -= first;
        }
    }

    fn buffer(&mut self, ids: UpdateIds, event_time: Nanos, bids: &[Level], asks: &[Level]) {
        if self.newest.last == 0 || self.rule.follow(self.newest.last, ids) == Verdict::Gap {
            self.whole_from = event_time;
        }
        if ids.last > self.newest.last {
            (self.newest, self.newest_time) = (ids, event_time);
        }
        if !self.keeps_updates {
            return;
        }
        let count = bids.len() + asks.len();
        if self.update_count == self.updates.len() || self.level_count + count > self.levels.len() {
            // A snapshot on its way is older than what follows and will be refused as stale.
            self.counts.overflows += 1;
            self.forget();
        }
        let Some(space) = self.levels.get_mut(self.level_count..self.level_count + count) else {
            return;
        };
        space[..bids.len()].copy_from_slice(bids);
        space[bids.len()..].copy_from_slice(asks);
        self.updates[self.update_count] =
            Waiting { ids, event_time, start: self.level_count, bids: bids.len(), asks: asks.len() };
        self.update_count += 1;
        self.level_count += count;
    }
}
