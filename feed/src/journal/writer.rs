//! HOT: the end of a journal that a gateway holds: a record is a copy into memory that outlives the program.

use core::sync::atomic::{Ordering, compiler_fence};

use spinbook_engine::event::{ExecutionEvent, ExecutionKind};
use spinbook_engine::intent::Intent;
use spinbook_engine::types::{InstrumentId, Nanos, OrderId};

use super::frame::{self, FRAME_BYTES_MAX, JOURNAL_HEADER_BYTES};
use super::record::JournalRecord;
use super::store::JournalStore;
use crate::venue::order_ids::ClientOrderId;

/// Room that new orders leave for what else is to be told of the orders that are open.
const RESERVE_BYTES: usize = 64 << 10;

/// The journal takes no new order: it is full, or what is written may not last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalRefusal;

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JournalCounters {
    /// Records written.
    pub records: u64,
    /// Orders that were not taken.
    pub refused: u64,
    /// Records about anything but new orders that found no room.
    pub lost: u64,
}

/// A gateway's journal, or none.
#[derive(Default)]
pub enum Journal {
    /// Nothing is written and nothing refused.
    #[default]
    Off,
    /// Written before an order leaves.
    On(Box<JournalWriter>),
}

impl Journal {
    /// An order is about to leave: it may not if this refuses.
    ///
    /// # Errors
    /// It is not written.
    #[inline]
    pub fn place(
        &mut self,
        intent: &Intent,
        client_id: impl FnOnce() -> ClientOrderId,
        now: Nanos,
    ) -> Result<(), JournalRefusal> {
        match self {
            Journal::Off => Ok(()),
            Journal::On(writer) => writer.place(intent, &client_id(), now),
        }
    }

    /// A change of an order is about to leave: it may not if this refuses.
    ///
    /// # Errors
    /// It is not written.
    #[cold]
    pub fn leaving(&mut self, record: &JournalRecord, now: Nanos) -> Result<(), JournalRefusal> {
        match self {
            Journal::Off => Ok(()),
            Journal::On(writer) => writer.leaving(record, now),
        }
    }

    /// The engine wants an order cancelled. A cancel never waits for this.
    #[inline]
    pub fn cancel_wanted(&mut self, intent: &Intent, now: Nanos) {
        self.note(&JournalRecord::CancelWanted(*intent), now);
    }

    /// A cancel is handed to the connection.
    #[inline]
    pub fn cancel_sent(&mut self, order: OrderId, instrument: InstrumentId, attempt: u32, now: Nanos) {
        self.note(&JournalRecord::CancelSent { order, instrument, attempt }, now);
    }

    /// The engine is told of this.
    #[inline]
    pub fn fact(&mut self, event: &ExecutionEvent) {
        if let Journal::On(writer) = self {
            // A pause's own time is its end, which is to come.
            let time = if event.kind == ExecutionKind::Pause { writer.latest } else { event.time };
            writer.note(&JournalRecord::Fact(*event), time);
        }
    }

    /// Anything else.
    #[inline]
    pub fn note(&mut self, record: &JournalRecord, now: Nanos) {
        if let Journal::On(writer) = self {
            writer.note(record, now);
        }
    }

    /// Whether new orders would be refused now.
    #[inline]
    #[must_use]
    pub fn refuses(&mut self) -> bool {
        match self {
            Journal::Off => false,
            Journal::On(writer) => writer.refuses(),
        }
    }

    /// What was counted.
    #[must_use]
    pub fn counters(&self) -> JournalCounters {
        match self {
            Journal::Off => JournalCounters::default(),
            Journal::On(writer) => writer.counters,
        }
    }

    /// The bytes of the part that is being written, its unused room included; none where nothing is written.
    #[must_use]
    pub fn part(&mut self) -> &[u8] {
        match self {
            Journal::Off => &[],
            Journal::On(writer) => writer.store.part(),
        }
    }

    /// Nothing more is written: room that was not used is given back.
    pub fn finish(self) -> JournalCounters {
        let counters = self.counters();
        if let Journal::On(mut writer) = self {
            let used = writer.at;
            writer.store.finish(used);
        }
        counters
    }
}

/// Writes records one behind the other.
pub struct JournalWriter {
    store: Box<dyn JournalStore>,
    /// Where the next record goes.
    at: usize,
    /// The number of the next record.
    sequence: u64,
    /// The time of the newest record.
    latest: Nanos,
    frame: [u8; FRAME_BYTES_MAX],
    /// What every part begins with, so that each can be read alone.
    preamble: Vec<JournalRecord>,
    counters: JournalCounters,
}

impl JournalWriter {
    /// Begins a run's journal with `preamble`, which every further part begins with as well.
    #[must_use]
    pub fn new(store: Box<dyn JournalStore>, preamble: Vec<JournalRecord>, now: Nanos) -> JournalWriter {
        let mut writer = JournalWriter {
            store,
            at: JOURNAL_HEADER_BYTES,
            sequence: 1,
            latest: now,
            frame: [0; FRAME_BYTES_MAX],
            preamble,
            counters: JournalCounters::default(),
        };
        writer.begin_part(now);
        writer
    }

    /// What was counted.
    #[must_use]
    pub const fn counters(&self) -> JournalCounters {
        self.counters
    }

    #[inline]
    fn place(&mut self, intent: &Intent, client_id: &ClientOrderId, now: Nanos) -> Result<(), JournalRefusal> {
        let record = JournalRecord::Place { intent: *intent, client_id: *client_id };
        if !self.store.is_failing() && self.append(&record, RESERVE_BYTES, now) {
            return Ok(());
        }
        self.counters.refused += 1;
        Err(JournalRefusal)
    }

    #[cold]
    fn leaving(&mut self, record: &JournalRecord, now: Nanos) -> Result<(), JournalRefusal> {
        if !self.store.is_failing() && self.append(record, RESERVE_BYTES, now) {
            return Ok(());
        }
        self.counters.refused += 1;
        Err(JournalRefusal)
    }

    #[inline]
    fn note(&mut self, record: &JournalRecord, now: Nanos) {
        let written = self.append(record, 0, now);
        self.counters.lost += u64::from(!written);
    }

    fn refuses(&mut self) -> bool {
        self.store.is_failing()
            || (self.store.part().len() - self.at < RESERVE_BYTES + FRAME_BYTES_MAX && !self.turn(self.latest))
    }

    /// Writes a record that leaves at least `reserve` bytes behind it in its part, or in the next one.
    #[inline]
    fn append(&mut self, record: &JournalRecord, reserve: usize, now: Nanos) -> bool {
        self.latest = now;
        let Some(length) = frame::write_frame(record, self.sequence, now, &mut self.frame) else {
            return false;
        };
        if self.at + length + reserve > self.store.part().len() {
            // The frame is written anew: its number is another in the next part.
            return self.turn(now) && self.append_here(record, reserve, now);
        }
        self.publish(length);
        true
    }

    #[cold]
    #[inline(never)]
    fn append_here(&mut self, record: &JournalRecord, reserve: usize, now: Nanos) -> bool {
        match frame::write_frame(record, self.sequence, now, &mut self.frame) {
            Some(length) if self.at + length + reserve <= self.store.part().len() => {
                self.publish(length);
                true
            }
            _ => false,
        }
    }

    /// The length goes last: until then nothing stands there, for whoever reads after the program was killed.
    #[inline]
    fn publish(&mut self, length: usize) {
        let place = &mut self.store.part()[self.at..self.at + length];
        place[4..].copy_from_slice(&self.frame[4..length]);
        compiler_fence(Ordering::SeqCst);
        place[..4].copy_from_slice(&self.frame[..4]);
        self.at += length;
        self.store.written(self.at);
        self.sequence += 1;
        self.counters.records += 1;
    }

    /// Goes on in the next part, if one is ready.
    #[cold]
    #[inline(never)]
    fn turn(&mut self, now: Nanos) -> bool {
        if !self.store.advance() {
            return false;
        }
        self.at = JOURNAL_HEADER_BYTES;
        self.begin_part(now);
        true
    }

    #[cold]
    fn begin_part(&mut self, now: Nanos) {
        for place in 0..self.preamble.len() {
            let written = match frame::write_frame(&self.preamble[place], self.sequence, now, &mut self.frame) {
                Some(length) if self.at + length <= self.store.part().len() => {
                    self.publish(length);
                    true
                }
                _ => false,
            };
            self.counters.lost += u64::from(!written);
        }
    }
}
