//! HOT: Binance's market data behind the common face: decoder, sequence rule and subscriptions of one product line.

use spinbook_engine::types::{Level, Nanos};

use super::Product;
use super::decode::Decoder;
use super::frame_text::FramePrinter;
use super::sequence::BinanceSequence;
use super::subscribe::Subscriptions;
use crate::error::DecodeError;
use crate::scan::{LevelScratch, ScannerChoice};
use crate::venue::ProductLine;
use crate::venue::instrument::Instrument;
use crate::venue::market::{
    Channels, DecodeCounts, FrameBytes, MarketRoute, MarketSide, Message, RequestText, SymbolTable,
};
use crate::venue::rehearsed::{PLACEHOLDERS, RehearsedFrame};

/// Market data of one of Binance's product lines.
#[derive(Debug)]
pub struct BinanceMarket {
    product: ProductLine,
    rule: BinanceSequence,
    decoder: Decoder,
    subscriptions: Subscriptions,
}

/// What time a rehearsed message bears: one that has as many digits as today's.
const REHEARSED_TIME: Nanos = Nanos::from_seconds(1_700_000_000);

impl BinanceMarket {
    fn printer(&self, instrument: &Instrument) -> FramePrinter {
        let of = Product::of(self.product);
        FramePrinter::new(of, instrument.symbol.as_str(), instrument.price, instrument.quantity)
    }
}

impl MarketSide for BinanceMarket {
    type Rule = BinanceSequence;

    fn new(product: ProductLine, instruments: &[Instrument], channels: &Channels, scanner: ScannerChoice) -> Self {
        BinanceMarket {
            product,
            rule: BinanceSequence::of(product),
            decoder: Decoder::with_scanner(product, instruments, scanner),
            subscriptions: Subscriptions::new(Product::of(product), channels, instruments),
        }
    }

    fn product(&self) -> ProductLine {
        self.product
    }

    fn rule(&self) -> BinanceSequence {
        self.rule
    }

    /// The venue sends text alone; what else comes is judged by its bytes.
    #[inline]
    fn decode(&mut self, frame: FrameBytes<'_>) -> Result<Message, DecodeError> {
        self.decoder.decode(frame.padded, frame.length)
    }

    #[inline]
    fn levels(&self) -> &LevelScratch {
        self.decoder.levels()
    }

    fn decode_snapshot(&mut self, symbol: usize, buffer: &mut [u8], length: usize) -> Result<Message, DecodeError> {
        self.decoder.decode_snapshot(symbol, buffer, length)
    }

    fn symbols(&self) -> &SymbolTable {
        self.decoder.symbols()
    }

    /// Only wrapped frames name their stream.
    fn named_stream(&self, frame: &[u8]) -> Option<(usize, bool)> {
        let name = frame.strip_prefix(b"{\"stream\":\"")?;
        let end = name.iter().take(64).position(|byte| *byte == b'"')?;
        let at = name[..end].iter().position(|byte| *byte == b'@')?;
        let symbol = self.decoder.symbols().find_lowercase(&name[..at])?;
        Some((symbol, name[at + 1..end].starts_with(b"depth")))
    }

    fn routes(&self) -> &[MarketRoute] {
        &self.subscriptions.routes
    }

    fn request_bytes_max(&self) -> usize {
        self.subscriptions.texts.iter().map(String::len).max().unwrap_or(0)
    }

    fn write_request(&mut self, request: usize, _now: Nanos, out: &mut RequestText) {
        out.append(&self.subscriptions.texts[request]);
    }

    fn rehearsed_update(&self, instrument: &Instrument, bids: &[Level], asks: &[Level]) -> Option<RehearsedFrame> {
        let printer = self.printer(instrument);
        Some(RehearsedFrame::new(printer.depth_frame(PLACEHOLDERS, bids, asks, REHEARSED_TIME)))
    }

    fn rehearsed_snapshot(
        &self,
        instrument: &Instrument,
        last: u64,
        bids: &[Level],
        asks: &[Level],
    ) -> Option<Vec<u8>> {
        Some(self.printer(instrument).snapshot_body(last, bids, asks, REHEARSED_TIME))
    }

    fn warm(&self, symbol: usize) {
        self.decoder.warm(symbol);
    }

    fn counts(&self) -> DecodeCounts {
        self.decoder.counts()
    }

    fn scanner_name(&self) -> &'static str {
        self.decoder.scanner_name()
    }
}
