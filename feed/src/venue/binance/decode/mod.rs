//! HOT: Binance's frames to judged messages: a schema scanner first, the general decoder for the rest.
//!
//! The scanner knows depth updates, best bid/asks and trades in the layouts the venue prints. It verifies every
//! byte and either gives the message or leaves the frame untouched; then simd-json decodes it, with the
//! same result for the same text. So no change of layout can break a feed, only slow it.

mod general;
mod scanner;

use spinbook_engine::prefetch::prefetch;
use spinbook_engine::types::Nanos;

use super::Product;
use crate::error::DecodeError;
use crate::json::JsonScratch;
use crate::scan::{Scales, ScannerChoice};
use crate::venue::ProductLine;
use crate::venue::instrument::Instrument;
use crate::venue::market::{DecodeCounts, FRAME_PADDING, LevelScratch, Message, SymbolTable};

/// Longest frame that is looked at: a snapshot of 5,000 levels a side is about 350,000 bytes.
pub const FRAME_BYTES_MAX: usize = 1 << 20;
/// Frames up to this size leave every buffer as it is.
const FRAME_BYTES_USUAL: usize = 1 << 17;

/// Decodes the frames of one connection.
#[derive(Debug)]
pub struct Decoder {
    product: Product,
    scales: Box<[Scales]>,
    symbols: SymbolTable,
    levels: LevelScratch,
    scanner: scanner::Scanner,
    json: JsonScratch,
    counts: DecodeCounts,
}

impl Decoder {
    /// A decoder for these instruments (set-up; allocates everything it will need).
    #[must_use]
    pub fn new(product: ProductLine, instruments: &[Instrument]) -> Decoder {
        Decoder::with_scanner(product, instruments, ScannerChoice::Best)
    }

    /// A decoder with a given scanner: tests compare them.
    #[must_use]
    pub fn with_scanner(product: ProductLine, instruments: &[Instrument], choice: ScannerChoice) -> Decoder {
        let product = Product::of(product);
        let scales: Box<[Scales]> = instruments
            .iter()
            .map(|instrument| Scales { price: instrument.price, quantity: instrument.quantity })
            .collect();
        Decoder {
            product,
            symbols: SymbolTable::new(instruments),
            levels: LevelScratch::new(),
            scanner: scanner::Scanner::new(choice, &scales),
            scales,
            json: JsonScratch::new(FRAME_BYTES_USUAL),
            counts: DecodeCounts::default(),
        }
    }

    /// Decodes the stream frame `buffer[..length]`; levels are then in [`Decoder::levels`].
    ///
    /// With at least [`FRAME_PADDING`] bytes behind the frame the scanner looks at it first. The general
    /// decoder changes the bytes.
    ///
    /// # Errors
    /// [`DecodeError`]: the frame is not applied in any part.
    #[inline]
    pub fn decode(&mut self, buffer: &mut [u8], length: usize) -> Result<Message, DecodeError> {
        self.levels.clear();
        if length > FRAME_BYTES_MAX {
            return Err(DecodeError::TooLarge);
        }
        if buffer.len() >= length + FRAME_PADDING {
            let padded = &buffer[..length + FRAME_PADDING];
            if let Some(scanned) = self.scanner.scan(padded, length, &mut self.levels) {
                self.counts.scanned += 1;
                return Ok(scanned.message(&self.levels));
            }
            let (symbols, scales, levels) = (&mut self.symbols, &self.scales, &mut self.levels);
            if let Some(message) = self.scanner.read(self.product, padded, length, symbols, scales, levels) {
                self.counts.scanned += 1;
                self.counts.learned += 1;
                return Ok(message);
            }
        }
        self.counts.fallback += 1;
        self.levels.clear();
        let context = general::Context { product: self.product, scales: &self.scales };
        let (symbols, levels) = (&mut self.symbols, &mut self.levels);
        let result = self.json.parse(buffer, length, |value| general::stream(value, context, symbols, levels));
        if result.is_err() {
            self.levels.clear();
        }
        result
    }

    /// Asks for the memory that a frame of a symbol most likely needs.
    pub(super) fn warm(&self, symbol: usize) {
        prefetch(self);
        self.levels.warm();
        self.scanner.warm(symbol);
    }

    /// Decodes a REST depth snapshot of the symbol at index `symbol`; levels are then in [`Decoder::levels`].
    ///
    /// # Errors
    /// [`DecodeError`]; nothing of the body is used then.
    pub fn decode_snapshot(&mut self, symbol: usize, buffer: &mut [u8], length: usize) -> Result<Message, DecodeError> {
        self.levels.clear();
        if length > FRAME_BYTES_MAX {
            return Err(DecodeError::TooLarge);
        }
        self.counts.fallback += 1;
        let scales = *self.scales.get(symbol).ok_or(DecodeError::WrongSymbol)?;
        let levels = &mut self.levels;
        let result = self.json.parse(buffer, length, |value| general::snapshot(value, symbol, scales, levels));
        if result.is_err() {
            self.levels.clear();
        }
        result
    }

    /// Levels of the last message, if it was a depth update, a snapshot or a best bid/ask.
    #[inline]
    #[must_use]
    pub fn levels(&self) -> &LevelScratch {
        &self.levels
    }

    /// The subscribed symbols.
    #[must_use]
    pub fn symbols(&self) -> &SymbolTable {
        &self.symbols
    }

    /// How many frames took which way so far.
    #[must_use]
    pub fn counts(&self) -> DecodeCounts {
        self.counts
    }

    /// Which scanner works: `avx2`, `portable` or `off`.
    #[must_use]
    pub fn scanner_name(&self) -> &'static str {
        self.scanner.name()
    }
}

/// Venue milliseconds to nanoseconds; `None` beyond the year 2262.
#[inline]
fn time_from_millis(millis: u64) -> Option<Nanos> {
    i64::try_from(millis).ok()?.checked_mul(1_000_000).map(Nanos)
}
