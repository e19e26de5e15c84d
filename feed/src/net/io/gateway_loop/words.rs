//! COLD: an operator's words: what is to be stopped is cancelled in the turn that hears it, and the way is measured.

use std::sync::atomic::Ordering;

use spinbook_engine::types::{InstrumentId, Nanos};

use super::{GatewayLoop, Lane, Word};
use crate::journal::record::JournalRecord;
use crate::net::io::gateway_shared::OperatorWord;

impl Lane {
    /// Requests to cancel something that were handed to a connection so far.
    fn cancels(&self) -> u64 {
        let counters = self.gateway.counters();
        counters.sweeps_sent + counters.cancels_sent
    }
}

impl GatewayLoop {
    /// The cancels of everything are on the wire before anything else of this turn.
    #[cold]
    #[inline(never)]
    pub(super) fn begin_drain(&mut self, now: Nanos) {
        self.drain_by = Some(now + self.drain_within);
        let tsc = self.io.shared.word_tsc.swap(0, Ordering::Acquire);
        for at in 0..self.lanes.len() {
            self.take_word(at, tsc);
            self.lanes[at].gateway.cancel_all(now);
            self.carry_output(at, now);
            self.measure_word(at);
        }
        self.follow_words();
    }

    /// The same of some instruments.
    #[cold]
    #[inline(never)]
    pub(super) fn stop_instruments(&mut self, now: Nanos) {
        let tsc = self.io.shared.word_tsc.swap(0, Ordering::Acquire);
        self.stopped_version = self.io.shared.stopped.version();
        for at in 0..self.lanes.len() {
            self.allow_instruments(at);
            let stopped = &self.io.shared.stopped;
            let gateway = &self.lanes[at].gateway;
            let of_lane = gateway.instruments().iter().map(|instrument| instrument.id);
            let is_new = |id: &InstrumentId| stopped.contains(*id) && !gateway.is_stopped(*id);
            let ids: Vec<InstrumentId> = of_lane.filter(is_new).collect();
            if ids.is_empty() {
                continue;
            }
            self.take_word(at, tsc);
            ids.iter().for_each(|id| self.lanes[at].gateway.stop_instrument(*id, now));
            self.lanes[at].gateway.on_timer(now);
            self.carry_output(at, now);
            self.measure_word(at);
        }
        self.follow_words();
    }

    /// Those that are stopped no longer are taken orders of from here on, and only then it is said.
    fn allow_instruments(&mut self, at: usize) {
        let shared = &self.io.shared;
        let gateway = &mut self.lanes[at].gateway;
        let of_lane = gateway.instruments().iter().map(|instrument| instrument.id);
        let ids: Vec<InstrumentId> =
            of_lane.filter(|id| gateway.is_stopped(*id) && !shared.stopped.contains(*id)).collect();
        ids.iter().for_each(|id| gateway.allow_instrument(*id));
        shared.stopped_confirmed.remove(&ids);
    }

    /// What operators said is written down, in the journal of each gateway that it is about.
    #[cold]
    #[inline(never)]
    pub(super) fn note_words(&mut self, now: Nanos) {
        while let Some(said) = self.io.shared.said.take() {
            let OperatorWord { word, scope, reason, instruments } = said;
            let record = JournalRecord::Operator { word: word.to_owned(), scope, reason };
            for lane in &mut self.lanes {
                let mut of_lane = lane.gateway.instruments().iter();
                if instruments.is_empty() || of_lane.any(|instrument| instruments.contains(&instrument.id)) {
                    lane.gateway.journal().note(&record, now);
                }
            }
        }
    }

    /// A lane has a word to carry out, which counts from its first cancel behind it.
    fn take_word(&mut self, at: usize, tsc: u64) {
        let lane = &mut self.lanes[at];
        if tsc != 0 && lane.word.is_none() {
            lane.word = Some(Word { tsc, cancels: lane.cancels() });
        }
    }

    /// A word whose first cancel has left is carried out.
    fn measure_word(&mut self, at: usize) {
        let (lane, ended) = (&mut self.lanes[at], self.io.written.ended);
        if let Some(word) = lane.word
            && lane.cancels() > word.cancels
            && ended > word.tsc
        {
            lane.word = None;
            self.io.shared.kill_to_wire.record(self.io.scale.nanos(word.tsc, ended));
        }
    }

    /// Goes on measuring words that are not carried out, and says which stopped instruments have nothing open.
    #[cold]
    #[inline(never)]
    pub(super) fn follow_words(&mut self) {
        let mut open = false;
        for at in 0..self.lanes.len() {
            self.measure_word(at);
            let (lane, shared) = (&self.lanes[at], &self.io.shared);
            open |= lane.word.is_some();
            for id in lane.gateway.instruments().iter().map(|instrument| instrument.id) {
                if !shared.stopped.contains(id) || shared.stopped_confirmed.contains(id) {
                    continue;
                }
                if lane.gateway.is_instrument_quiet(id) {
                    shared.stopped_confirmed.add(&[id]);
                } else {
                    open = true;
                }
            }
        }
        self.words_open = open;
    }
}
