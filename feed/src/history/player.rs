//! COLD: plays a recording through the production decoders, sequences and books.

use spinbook_engine::event::{MarketEvent, MarketReply};
use spinbook_engine::limits::OUTER_LEVELS_DEFAULT;
use spinbook_engine::market::Market;
use spinbook_engine::setup::{self, BookSettings};
use spinbook_engine::types::{Level, Nanos};

use crate::error::DecodeError;
use crate::scan::ScannerChoice;
use crate::session::MarketSink;
use crate::session::flow::{FrameOutcome, MarketFlow};
use crate::sync::SyncSettings;
use crate::venue::ProductLine;
use crate::venue::instrument::Instrument;
use crate::venue::market::FrameBytes;
use crate::venue::source::{MarketSource, Record, RecordKind, SourceError};

/// Connection number of events that come from a recording.
const RECORDED_PATH: u8 = 0;

/// The books of a recording, one market an instrument.
#[derive(Debug)]
pub struct Markets {
    markets: Box<[Market]>,
}

impl Markets {
    /// Empty books for these instruments, whose ids must be `0..`.
    #[must_use]
    pub fn new(instruments: &[Instrument]) -> Markets {
        let settings = BookSettings { outer_levels: OUTER_LEVELS_DEFAULT };
        Markets { markets: instruments.iter().map(|_| Market::new(setup::book(&settings))).collect() }
    }

    /// The market of the instrument at `index`.
    #[must_use]
    pub fn market(&self, index: usize) -> &Market {
        &self.markets[index]
    }
}

impl MarketSink for Markets {
    #[inline]
    fn on_market(&mut self, event: &MarketEvent, bids: &[Level], asks: &[Level], _now: Nanos) -> MarketReply {
        match self.markets.get_mut(event.instrument.index()) {
            Some(market) => market.on_event(event, bids, asks),
            None => MarketReply::Ok,
        }
    }
}

/// What a played record was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Played {
    /// A message of one instrument's market, by its index.
    Market(usize),
    /// A frame that was understood.
    Good,
    /// A line or frame that was refused.
    Bad,
    /// A frame that does not fit the instruments as they are known: a finer number or another symbol.
    Unfitting,
    /// Nothing of the market.
    Nothing,
}

/// Decoder, sequences and sink for one recording.
#[derive(Debug)]
pub struct Player<S> {
    flow: MarketFlow,
    sink: S,
    bad_records: u64,
}

impl<S: MarketSink> Player<S> {
    /// A player for these instruments.
    #[must_use]
    pub fn new(product: ProductLine, instruments: &[Instrument], scanner: ScannerChoice, sink: S) -> Player<S> {
        Player { flow: MarketFlow::new(product, instruments, SyncSettings::default(), scanner), sink, bad_records: 0 }
    }

    /// Plays one record.
    pub fn play(&mut self, record: &mut Record<'_>) -> Played {
        match record.kind {
            RecordKind::Stream => self.play_frame(record),
            RecordKind::Snapshot { symbol } => {
                let index = match symbol {
                    Some(symbol) => (0..self.flow.symbol_count()).find(|index| self.flow.symbol(*index) == symbol),
                    None => (self.flow.symbol_count() == 1).then_some(0),
                };
                let Some(index) = index else { return Played::Nothing };
                let result = self.flow.on_snapshot(
                    index,
                    record.buffer,
                    record.length,
                    record.stamp,
                    RECORDED_PATH,
                    &mut self.sink,
                );
                match result {
                    Ok(_) => Played::Good,
                    Err(error) if is_unfitting(error) => Played::Unfitting,
                    Err(_) => Played::Bad,
                }
            }
            RecordKind::Malformed => {
                self.bad_records += 1;
                Played::Bad
            }
            RecordKind::Instruments | RecordKind::Other => Played::Nothing,
        }
    }

    fn play_frame(&mut self, record: &mut Record<'_>) -> Played {
        let from = (RECORDED_PATH, true);
        let first =
            self.flow.on_frame(FrameBytes::text(record.buffer, record.length), record.stamp, from, &mut self.sink);
        while self.flow.on_next_message(record.stamp, from, &mut self.sink).is_some() {}
        match first {
            FrameOutcome::Market { symbol, .. } => Played::Market(symbol),
            FrameOutcome::Control(_) | FrameOutcome::Ignored => Played::Good,
            FrameOutcome::Bad { error, .. } if is_unfitting(error) => Played::Unfitting,
            FrameOutcome::Bad { .. } => Played::Bad,
        }
    }

    /// Plays a source to its end or to its first fault.
    ///
    /// # Errors
    /// The source's; everything before was played.
    pub fn play_all(&mut self, source: &mut dyn MarketSource) -> Result<(), SourceError> {
        while let Some(mut record) = source.next()? {
            self.play(&mut record);
        }
        Ok(())
    }

    /// Decoder and sequences.
    #[must_use]
    pub fn flow(&self) -> &MarketFlow {
        &self.flow
    }

    /// The sink that took the events.
    #[must_use]
    pub fn sink(&self) -> &S {
        &self.sink
    }

    /// The sink, to tell it what it cannot see.
    pub fn sink_mut(&mut self) -> &mut S {
        &mut self.sink
    }

    /// Frames and lines refused.
    #[must_use]
    pub fn bad_frames(&self) -> u64 {
        self.flow.counters().bad_frames + self.bad_records
    }
}

fn is_unfitting(error: DecodeError) -> bool {
    use crate::number::NumberError::TooFine;
    matches!(
        error,
        DecodeError::Price(TooFine { .. }) | DecodeError::Quantity(TooFine { .. }) | DecodeError::WrongSymbol
    )
}
