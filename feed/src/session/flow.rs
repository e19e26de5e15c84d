//! HOT: frames of one market to judged events: decoder, sequence, and what a fault means for a book.

use spinbook_engine::event::{LostReason, MarketEvent, MarketKind, MarketReply};
use spinbook_engine::types::{InstrumentId, Level, Nanos, Side, Stamp, VenueId};

use super::MarketSink;
use crate::error::DecodeError;
use crate::scan::ScannerChoice;
use crate::sync::{BookSync, SnapshotStep, SyncCounts, SyncSettings, SyncState, UpdateIds, UpdateStep};
use crate::venue::ProductLine;
use crate::venue::binance::decode::{DecodeCounts, Decoder};
use crate::venue::binance::sequence::BinanceSequence;
use crate::venue::instrument::{Instrument, Symbol};
use crate::venue::market::Message;

/// What a frame was, for whoever carries the connection.
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
    /// A message nobody uses.
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
struct SymbolFlow {
    instrument: InstrumentId,
    sync: BookSync<BinanceSequence>,
    depth_event_first: Nanos,
    depth_event_last: Nanos,
    depth_messages: u64,
}

/// Frames in, judged events out, for all symbols of one product line.
#[derive(Debug)]
pub struct MarketFlow {
    venue: VenueId,
    decoder: Decoder,
    symbols: Box<[SymbolFlow]>,
    counters: FlowCounters,
}

impl MarketFlow {
    /// For these instruments, in this order (set-up; allocates everything).
    #[must_use]
    pub fn new(
        product: ProductLine,
        instruments: &[Instrument],
        settings: SyncSettings,
        scanner: ScannerChoice,
    ) -> Self {
        let rule = BinanceSequence::of(product);
        MarketFlow {
            venue: product.venue_id(),
            decoder: Decoder::with_scanner(product, instruments, scanner),
            symbols: instruments
                .iter()
                .map(|instrument| SymbolFlow {
                    instrument: instrument.id,
                    sync: BookSync::new(rule, settings),
                    depth_event_first: Nanos::ZERO,
                    depth_event_last: Nanos::ZERO,
                    depth_messages: 0,
                })
                .collect(),
            counters: FlowCounters::default(),
        }
    }

    /// Takes the stream frame `buffer[..length]`, with padding behind it, from connection `path`.
    ///
    /// While two connections overlap, depth is taken from both (update ids tell what is new), everything else
    /// from the `primary` one alone.
    #[inline]
    pub fn on_frame(
        &mut self,
        buffer: &mut [u8],
        length: usize,
        received: Stamp,
        (path, primary): (u8, bool),
        sink: &mut impl MarketSink,
    ) -> FrameOutcome {
        self.counters.frames += 1;
        let message = match self.decoder.decode(buffer, length) {
            Ok(message) => message,
            Err(error) => return self.on_bad_frame(error, &buffer[..length], received, path, sink),
        };
        match message {
            Message::Depth { symbol, ids, event_time } => {
                self.on_depth(symbol, ids, event_time, received, path, sink);
                FrameOutcome::Market { symbol, kind: MarketKind::Delta }
            }
            Message::Touch { .. } | Message::Trade { .. } if !primary => FrameOutcome::Ignored,
            Message::Touch { symbol, sequence, event_time } => {
                let event = self.event(symbol, MarketKind::Touch, sequence, event_time, received, path);
                let (bids, asks) = (self.decoder.levels().bids(), self.decoder.levels().asks());
                let answer = give(&mut self.counters, sink, &event, bids, asks);
                self.obey(symbol, answer);
                FrameOutcome::Market { symbol, kind: MarketKind::Touch }
            }
            Message::Trade { symbol, aggressor, level, event_time } => {
                let event = self.event(symbol, MarketKind::Trade, 0, event_time, received, path);
                let (bids, asks): (&[Level], &[Level]) = match aggressor {
                    Side::Bid => (&[], core::slice::from_ref(&level)),
                    Side::Ask => (core::slice::from_ref(&level), &[]),
                };
                let answer = give(&mut self.counters, sink, &event, bids, asks);
                self.obey(symbol, answer);
                FrameOutcome::Market { symbol, kind: MarketKind::Trade }
            }
            Message::Acknowledged { .. } | Message::Refused { .. } | Message::Shutdown => {
                FrameOutcome::Control(message)
            }
            Message::Snapshot { .. } | Message::Ignored => FrameOutcome::Ignored,
        }
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
        let (bids, asks) = (self.decoder.levels().bids(), self.decoder.levels().asks());
        let place = &mut self.symbols[symbol];
        place.depth_messages += 1;
        match place.sync.on_update(ids, event_time, bids, asks) {
            UpdateStep::Apply => {
                if place.depth_event_first == Nanos::ZERO {
                    place.depth_event_first = event_time;
                }
                place.depth_event_last = event_time;
                let event = self.event(symbol, MarketKind::Delta, ids.last, event_time, received, path);
                let answer = give(&mut self.counters, sink, &event, bids, asks);
                self.obey(symbol, answer);
            }
            UpdateStep::Gap => self.tell_lost(symbol, LostReason::Gap, received, path, sink),
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
        let (last, event_time) = match self.decoder.decode_snapshot(symbol, buffer, length) {
            Ok(Message::Snapshot { last, event_time }) => (last, event_time),
            Ok(_) => unreachable!("a snapshot decodes to a snapshot"),
            Err(error) => {
                self.counters.bad_frames += 1;
                return Err(error);
            }
        };
        let step = self.symbols[symbol].sync.on_snapshot(last);
        if step != SnapshotStep::Replace {
            return Ok(step);
        }
        let event = self.event(symbol, MarketKind::Snapshot, last, event_time, received, path);
        let (bids, asks) = (self.decoder.levels().bids(), self.decoder.levels().asks());
        let answer = give(&mut self.counters, sink, &event, bids, asks);
        self.obey(symbol, answer);
        self.replay(symbol, event, sink);
        if self.symbols[symbol].sync.state() == SyncState::AwaitingSnapshot {
            self.tell_lost(symbol, LostReason::Gap, received, path, sink);
        }
        Ok(step)
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
            let answer = give(&mut self.counters, sink, &event, update.bids, update.asks);
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
        self.tell_lost(symbol, reason, received, path, sink);
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
        let stream = named_stream(frame);
        let symbol = stream.and_then(|(name, _)| self.decoder.symbols().find_lowercase(name));
        if let (Some(symbol), Some((_, channel))) = (symbol, stream)
            && channel.starts_with(b"depth")
            && self.symbols[symbol].sync.state() == SyncState::Live
        {
            // An update of this book is missing; the sequence would show it with the next one.
            self.lose(symbol, LostReason::BadFrame, received, path, sink);
        }
        FrameOutcome::Bad { error, symbol }
    }

    fn tell_lost(&mut self, symbol: usize, reason: LostReason, received: Stamp, path: u8, sink: &mut impl MarketSink) {
        let mut event = self.event(symbol, MarketKind::Lost, 0, Nanos::ZERO, received, path);
        event.lost = reason;
        // The answer to a loss asks for nothing that the loss does not bring about itself.
        let _ = give(&mut self.counters, sink, &event, &[], &[]);
    }

    #[inline]
    fn obey(&mut self, symbol: usize, answer: MarketReply) {
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
        self.decoder.symbols().symbol(symbol)
    }

    /// Where a symbol's book stands.
    #[inline]
    #[must_use]
    pub fn state(&self, symbol: usize) -> SyncState {
        self.symbols[symbol].sync.state()
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

    /// What passed so far.
    #[must_use]
    pub fn counters(&self) -> FlowCounters {
        self.counters
    }

    /// How many frames took which way through the decoder.
    #[must_use]
    pub fn decode_counts(&self) -> DecodeCounts {
        self.decoder.counts()
    }

    /// Which scanner works.
    #[must_use]
    pub fn scanner_name(&self) -> &'static str {
        self.decoder.scanner_name()
    }
}

#[inline]
fn give(
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

/// Symbol and channel of a wrapped frame, from its first bytes alone.
fn named_stream(frame: &[u8]) -> Option<(&[u8], &[u8])> {
    let name = frame.strip_prefix(b"{\"stream\":\"")?;
    let end = name.iter().take(64).position(|byte| *byte == b'"')?;
    let at = name[..end].iter().position(|byte| *byte == b'@')?;
    Some((&name[..at], &name[at + 1..end]))
}
