//! HOT: frames of one market to judged events: decoder, sequence, and what a fault means for a book.

use spinbook_engine::event::{LostReason, MarketEvent, MarketKind, MarketReply};
use spinbook_engine::prefetch::prefetch;
use spinbook_engine::types::{InstrumentId, Level, Nanos, Side, Stamp, VenueId};

use super::MarketSink;
use crate::error::DecodeError;
use crate::scan::ScannerChoice;
use crate::sync::{BookSync, SnapshotStep, SyncCounts, SyncSettings, SyncState, UpdateIds, UpdateStep};
use crate::venue::ProductLine;
use crate::venue::any_market::AnyMarket;
use crate::venue::card::SnapshotOrigin;
use crate::venue::instrument::{Instrument, Symbol};
use crate::venue::market::{Channels, DecodeCounts, FrameBytes, MarketSide, Message};

/// What one message of a frame was, for the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameOutcome {
    /// A market message of the symbol at this index; it was judged and, if next in sequence, applied.
    Market {
        /// Index of the symbol.
        symbol: usize,
        /// Which kind.
        kind: MarketKind,
    },
    /// The venue answered a request, refused one, or announced its shutdown.
    Control(Message),
    /// A message of a channel that the engine does not use.
    Ignored,
    /// Not a message of this venue: counted, not applied in any part.
    Bad {
        /// Why.
        error: DecodeError,
        /// The symbol whose stream it came on, as far as its beginning can be read.
        symbol: Option<usize>,
    },
}

impl FrameOutcome {
    /// Whether it was a depth update.
    #[inline]
    #[must_use]
    pub const fn is_depth(&self) -> bool {
        matches!(self, FrameOutcome::Market { kind: MarketKind::Delta, .. })
    }

    /// Whether it was a snapshot that came on the connection.
    #[inline]
    #[must_use]
    pub const fn is_snapshot(&self) -> bool {
        matches!(self, FrameOutcome::Market { kind: MarketKind::Snapshot, .. })
    }
}

/// What passed so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowCounters {
    /// Frames seen, snapshots included.
    pub frames: u64,
    /// Frames refused.
    pub bad_frames: u64,
    /// Of these, frames whose symbol was not subscribed or not the stream's.
    pub wrong_symbol: u64,
    /// Events given to the sink.
    pub events: u64,
    /// Levels in them.
    pub levels: u64,
    /// Resyncs that the sink asked for.
    pub resyncs_asked: u64,
}

/// One symbol's place.
#[derive(Debug)]
struct SymbolFlow<R> {
    instrument: InstrumentId,
    sync: BookSync<R>,
    depth_event_first: Nanos,
    depth_event_last: Nanos,
    depth_messages: u64,
}

/// Frames in, judged events out, for all symbols of one product line.
#[derive(Debug)]
pub struct MarketFlow<M: MarketSide = AnyMarket> {
    venue: VenueId,
    origin: SnapshotOrigin,
    side: M,
    symbols: Box<[SymbolFlow<M::Rule>]>,
    counters: FlowCounters,
}

impl MarketFlow {
    /// For these instruments of a listed venue, in this order, with its documented channels (set-up).
    #[must_use]
    pub fn new(
        product: ProductLine,
        instruments: &[Instrument],
        settings: SyncSettings,
        scanner: ScannerChoice,
    ) -> Self {
        let side = AnyMarket::new(product, instruments, &Channels::of(product), scanner);
        MarketFlow::over(side, instruments, settings)
    }
}

impl<M: MarketSide> MarketFlow<M> {
    /// Over a market side made for these instruments (set-up).
    #[must_use]
    pub fn over(side: M, instruments: &[Instrument], settings: SyncSettings) -> Self {
        let origin = side.product().card().snapshots;
        let settings = SyncSettings { keeps_updates: origin != SnapshotOrigin::InStream, ..settings };
        MarketFlow {
            venue: side.product().venue_id(),
            origin,
            symbols: instruments
                .iter()
                .map(|instrument| SymbolFlow {
                    instrument: instrument.id,
                    sync: BookSync::new(side.rule(), settings),
                    depth_event_first: Nanos::ZERO,
                    depth_event_last: Nanos::ZERO,
                    depth_messages: 0,
                })
                .collect(),
            side,
            counters: FlowCounters::default(),
        }
    }

    /// The market side.
    pub fn side(&self) -> &M {
        &self.side
    }

    /// The market side, to write requests with.
    pub fn side_mut(&mut self) -> &mut M {
        &mut self.side
    }

    /// Asks for the memory that a frame of a symbol most likely needs ([`spinbook_engine::prefetch`]).
    pub fn warm(&self, symbol: usize) {
        if let Some(place) = self.symbols.get(symbol) {
            prefetch(place);
            self.side.warm(symbol);
        }
    }

    /// Takes a frame of connection `path` and judges its first message; [`MarketFlow::on_next_message`] judges the
    /// others.
    ///
    /// While two connections overlap, depth is taken from both (update ids tell what is new), everything else
    /// from the `primary` one alone.
    #[inline]
    pub fn on_frame(
        &mut self,
        frame: FrameBytes<'_>,
        received: Stamp,
        from: (u8, bool),
        sink: &mut impl MarketSink,
    ) -> FrameOutcome {
        self.counters.frames += 1;
        let FrameBytes { padded, length, binary } = frame;
        match self.side.decode(FrameBytes { padded: &mut *padded, length, binary }) {
            Ok(message) => self.on_message(message, received, from, sink),
            Err(error) => self.on_bad_frame(error, &padded[..length], received, from.0, sink),
        }
    }

    /// Judges the next message of the frame last taken; `None`: it had no other.
    #[inline]
    pub fn on_next_message(
        &mut self,
        received: Stamp,
        from: (u8, bool),
        sink: &mut impl MarketSink,
    ) -> Option<FrameOutcome> {
        let message = self.side.next_message()?;
        Some(self.on_message(message, received, from, sink))
    }

    #[inline]
    fn on_message(
        &mut self,
        message: Message,
        received: Stamp,
        (path, primary): (u8, bool),
        sink: &mut impl MarketSink,
    ) -> FrameOutcome {
        match message {
            Message::Depth { symbol, ids, event_time } => {
                self.on_depth(symbol, ids, event_time, received, path, sink);
                FrameOutcome::Market { symbol, kind: MarketKind::Delta }
            }
            Message::Touch { .. } | Message::Trade { .. } if !primary => FrameOutcome::Ignored,
            Message::Touch { symbol, sequence, event_time } => {
                let event = self.event(symbol, MarketKind::Touch, sequence, event_time, received, path);
                let (bids, asks) = (self.side.levels().bids(), self.side.levels().asks());
                let answer = deliver(&mut self.counters, sink, &event, bids, asks);
                self.apply_answer(symbol, answer);
                FrameOutcome::Market { symbol, kind: MarketKind::Touch }
            }
            Message::Trade { symbol, aggressor, level, event_time } => {
                let event = self.event(symbol, MarketKind::Trade, 0, event_time, received, path);
                let (bids, asks): (&[Level], &[Level]) = match aggressor {
                    Side::Bid => (&[], core::slice::from_ref(&level)),
                    Side::Ask => (core::slice::from_ref(&level), &[]),
                };
                let answer = deliver(&mut self.counters, sink, &event, bids, asks);
                self.apply_answer(symbol, answer);
                FrameOutcome::Market { symbol, kind: MarketKind::Trade }
            }
            Message::Acknowledged { .. } | Message::Refused { .. } | Message::ReplyWanted | Message::Shutdown => {
                FrameOutcome::Control(message)
            }
            Message::Snapshot { symbol, last, event_time } => {
                self.on_stream_snapshot(symbol, (last, event_time), received, (path, primary), sink)
            }
            Message::Ignored => FrameOutcome::Ignored,
        }
    }

    /// Takes a snapshot that came on the connection: by itself, or because it was asked for there.
    #[inline(never)]
    fn on_stream_snapshot(
        &mut self,
        symbol: usize,
        (last, event_time): (u64, Nanos),
        received: Stamp,
        (path, primary): (u8, bool),
        sink: &mut impl MarketSink,
    ) -> FrameOutcome {
        let outcome = FrameOutcome::Market { symbol, kind: MarketKind::Snapshot };
        match self.origin {
            SnapshotOrigin::Rest => return FrameOutcome::Ignored,
            SnapshotOrigin::OnRequest => {
                self.join_snapshot(symbol, (last, event_time), received, path, sink);
                return outcome;
            }
            SnapshotOrigin::InStream => {}
        }
        let sync = &mut self.symbols[symbol].sync;
        if !primary && sync.state() == SyncState::Live && last <= sync.last() {
            // The second connection begins with what the first one is past.
            return FrameOutcome::Ignored;
        }
        sync.replace(last);
        let event = self.event(symbol, MarketKind::Snapshot, last, event_time, received, path);
        let (bids, asks) = (self.side.levels().bids(), self.side.levels().asks());
        let answer = deliver(&mut self.counters, sink, &event, bids, asks);
        self.apply_answer(symbol, answer);
        outcome
    }

    #[inline]
    fn on_depth(
        &mut self,
        symbol: usize,
        ids: UpdateIds,
        event_time: Nanos,
        received: Stamp,
        path: u8,
        sink: &mut impl MarketSink,
    ) {
        let (bids, asks) = (self.side.levels().bids(), self.side.levels().asks());
        let place = &mut self.symbols[symbol];
        place.depth_messages += 1;
        match place.sync.on_update(ids, event_time, bids, asks) {
            UpdateStep::Apply => {
                if place.depth_event_first == Nanos::ZERO {
                    place.depth_event_first = event_time;
                }
                place.depth_event_last = event_time;
                let event = self.event(symbol, MarketKind::Delta, ids.last, event_time, received, path);
                let answer = deliver(&mut self.counters, sink, &event, bids, asks);
                self.apply_answer(symbol, answer);
            }
            UpdateStep::Gap => self.emit_lost(symbol, LostReason::Gap, received, path, sink),
            UpdateStep::Drop | UpdateStep::Buffered => {}
        }
    }

    /// Takes a REST depth snapshot of the symbol at index `symbol`.
    ///
    /// # Errors
    /// The body is not a snapshot; it is counted as a bad frame and nothing changes.
    pub fn on_snapshot(
        &mut self,
        symbol: usize,
        buffer: &mut [u8],
        length: usize,
        received: Stamp,
        path: u8,
        sink: &mut impl MarketSink,
    ) -> Result<SnapshotStep, DecodeError> {
        self.counters.frames += 1;
        let (last, event_time) = match self.side.decode_snapshot(symbol, buffer, length) {
            Ok(Message::Snapshot { last, event_time, .. }) => (last, event_time),
            Ok(_) => unreachable!("a snapshot decodes to a snapshot"),
            Err(error) => {
                self.counters.bad_frames += 1;
                return Err(error);
            }
        };
        Ok(self.join_snapshot(symbol, (last, event_time), received, path, sink))
    }

    /// Replaces a book by the snapshot in the side's scratch, if it is new enough, and applies what was buffered.
    fn join_snapshot(
        &mut self,
        symbol: usize,
        (last, event_time): (u64, Nanos),
        received: Stamp,
        path: u8,
        sink: &mut impl MarketSink,
    ) -> SnapshotStep {
        let step = self.symbols[symbol].sync.on_snapshot(last);
        if step != SnapshotStep::Replace {
            return step;
        }
        let event = self.event(symbol, MarketKind::Snapshot, last, event_time, received, path);
        let (bids, asks) = (self.side.levels().bids(), self.side.levels().asks());
        let answer = deliver(&mut self.counters, sink, &event, bids, asks);
        self.apply_answer(symbol, answer);
        self.replay(symbol, event, sink);
        if self.symbols[symbol].sync.state() == SyncState::AwaitingSnapshot {
            self.emit_lost(symbol, LostReason::Gap, received, path, sink);
        }
        step
    }

    /// Applies what was buffered behind the snapshot.
    fn replay(&mut self, symbol: usize, snapshot: MarketEvent, sink: &mut impl MarketSink) {
        let place = &mut self.symbols[symbol];
        while let Some(update) = place.sync.next_buffered() {
            if place.depth_event_first == Nanos::ZERO {
                place.depth_event_first = update.event_time;
            }
            place.depth_event_last = update.event_time;
            let event = MarketEvent {
                kind: MarketKind::Delta,
                sequence: update.ids.last,
                event_time: update.event_time,
                ..snapshot
            };
            let answer = deliver(&mut self.counters, sink, &event, update.bids, update.asks);
            if let MarketReply::Resync(_) = answer {
                self.counters.resyncs_asked += 1;
                place.sync.lose();
                return;
            }
        }
    }

    /// The book of a symbol can no longer be trusted: the sink is told, and the sequence starts over.
    pub fn lose(&mut self, symbol: usize, reason: LostReason, received: Stamp, path: u8, sink: &mut impl MarketSink) {
        self.symbols[symbol].sync.lose();
        self.emit_lost(symbol, reason, received, path, sink);
    }

    /// A new connection: what was buffered belongs to the old one. Books must have been lost before.
    pub fn restart(&mut self) {
        for place in &mut self.symbols {
            place.sync.restart();
        }
    }

    #[cold]
    fn on_bad_frame(
        &mut self,
        error: DecodeError,
        frame: &[u8],
        received: Stamp,
        path: u8,
        sink: &mut impl MarketSink,
    ) -> FrameOutcome {
        self.counters.bad_frames += 1;
        self.counters.wrong_symbol += u64::from(error == DecodeError::WrongSymbol);
        let stream = self.side.named_stream(frame);
        if let Some((symbol, true)) = stream
            && self.symbols[symbol].sync.state() == SyncState::Live
        {
            // An update of this book is missing; the sequence would show it with the next one.
            self.lose(symbol, LostReason::BadFrame, received, path, sink);
        }
        let symbol = stream.map(|(symbol, _)| symbol);
        FrameOutcome::Bad { error, symbol }
    }

    fn emit_lost(&mut self, symbol: usize, reason: LostReason, received: Stamp, path: u8, sink: &mut impl MarketSink) {
        let mut event = self.event(symbol, MarketKind::Lost, 0, Nanos::ZERO, received, path);
        event.lost = reason;
        // Ignored: losing the book already triggers the resync that this answer could ask for.
        let _ = deliver(&mut self.counters, sink, &event, &[], &[]);
    }

    #[inline]
    fn apply_answer(&mut self, symbol: usize, answer: MarketReply) {
        if let MarketReply::Resync(_) = answer {
            self.counters.resyncs_asked += 1;
            self.symbols[symbol].sync.lose();
        }
    }

    #[inline]
    fn event(
        &self,
        symbol: usize,
        kind: MarketKind,
        sequence: u64,
        event_time: Nanos,
        received: Stamp,
        path: u8,
    ) -> MarketEvent {
        MarketEvent {
            received,
            event_time,
            sequence,
            instrument: self.symbols[symbol].instrument,
            venue: self.venue,
            path,
            kind,
            lost: LostReason::None,
        }
    }

    /// How many symbols there are.
    #[must_use]
    pub fn symbol_count(&self) -> usize {
        self.symbols.len()
    }

    /// The symbol at `symbol`.
    #[must_use]
    pub fn symbol(&self, symbol: usize) -> Symbol {
        self.side.symbols().symbol(symbol)
    }

    /// Where a symbol's book stands.
    #[inline]
    #[must_use]
    pub fn state(&self, symbol: usize) -> SyncState {
        self.symbols[symbol].sync.state()
    }

    /// For how long, by the venue's times, no update was missing behind a book that is not live.
    #[must_use]
    pub fn whole_span(&self, symbol: usize) -> Nanos {
        self.symbols[symbol].sync.whole_span()
    }

    /// From here on [`MarketFlow::whole_span`] counts anew.
    pub fn restart_whole_span(&mut self, symbol: usize) {
        self.symbols[symbol].sync.restart_whole_span();
    }

    /// Whether a symbol's book was live at any time.
    #[must_use]
    pub fn was_live(&self, symbol: usize) -> bool {
        self.symbols[symbol].sync.was_live()
    }

    /// What happened to a symbol's sequence.
    #[must_use]
    pub fn sync_counts(&self, symbol: usize) -> SyncCounts {
        self.symbols[symbol].sync.counts()
    }

    /// Depth messages of a symbol, applied or not.
    #[must_use]
    pub fn depth_messages(&self, symbol: usize) -> u64 {
        self.symbols[symbol].depth_messages
    }

    /// Event times of the first and the last applied depth message; zero if there was none.
    #[must_use]
    pub fn event_times(&self, symbol: usize) -> (Nanos, Nanos) {
        (self.symbols[symbol].depth_event_first, self.symbols[symbol].depth_event_last)
    }

    /// Panics if a book's bookkeeping contradicts itself; simulations and tests call it after every step.
    pub fn check(&self) {
        for place in &self.symbols {
            place.sync.check();
        }
    }

    /// What passed so far.
    #[must_use]
    pub fn counters(&self) -> FlowCounters {
        self.counters
    }

    /// How many frames took which way through the decoder.
    #[must_use]
    pub fn decode_counts(&self) -> DecodeCounts {
        self.side.counts()
    }

    /// Which scanner works.
    #[must_use]
    pub fn scanner_name(&self) -> &'static str {
        self.side.scanner_name()
    }
}

#[inline]
fn deliver(
    counters: &mut FlowCounters,
    sink: &mut impl MarketSink,
    event: &MarketEvent,
    bids: &[Level],
    asks: &[Level],
) -> MarketReply {
    counters.events += 1;
    counters.levels += (bids.len() + asks.len()) as u64;
    sink.on_market(event, bids, asks, event.received.wall)
}
