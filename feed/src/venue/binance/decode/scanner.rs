//! HOT: the schema scanner: depth updates, best bid/asks and trades in the layouts that the venue prints.
//!
//! It says either "this message" or "not mine", never anything else about a frame; what it says must be
//! what the general decoder would say of the same bytes.

use spinbook_engine::prefetch::prefetch;
use spinbook_engine::types::{Level, Lots, Nanos, Side, Tick};

use super::{Product, time_from_millis};
use crate::scan::avx2::Avx2;
use crate::scan::cursor::Cursor;
use crate::scan::frame_template::{FrameForm, FrameKind, FrameTemplate, FrameTemplates, Numbers};
use crate::scan::layout::InstrumentLayout;
use crate::scan::{Scales, ScannerChoice, Schema, swar};
use crate::venue::instrument::SYMBOL_BYTES_MAX;
use crate::venue::market::{LevelScratch, Message, SymbolTable, UpdateIds};

/// Depth streams that may be subscribed; another name is the general decoder's.
const DEPTH_STREAMS: [&[u8]; 4] = [b"depth@100ms", b"depth@0ms", b"depth", b"depth@500ms"];
const TOUCH_STREAM: &[u8] = b"bookTicker";
const TRADE_STREAMS: [&[u8]; 2] = [b"aggTrade", b"trade"];
const STREAM_BYTES_MAX: usize = SYMBOL_BYTES_MAX + 16;

/// The scanner that was chosen when the decoder was made.
///
/// A frame is first compared with the template of its stream, which is learned from a frame that the cursor
/// read. What does not fit, the cursor reads byte by byte, and the template is learned anew.
#[derive(Debug)]
pub(super) struct Scanner {
    kind: Kind,
    templates: FrameTemplates,
    /// By symbol; none for numbers that may be too long for a lane.
    layouts: Box<[Option<InstrumentLayout>]>,
    guess: swar::Guess,
}

#[derive(Debug)]
enum Kind {
    /// By AVX2.
    Avx2(Avx2),
    /// In ordinary registers.
    Portable,
    /// Nothing is scanned.
    Off,
}

impl Scanner {
    pub(super) fn new(choice: ScannerChoice, scales: &[Scales]) -> Scanner {
        let kind = match choice {
            ScannerChoice::Best => Avx2::detect().map_or(Kind::Portable, Kind::Avx2),
            ScannerChoice::Portable => Kind::Portable,
            ScannerChoice::Off => Kind::Off,
        };
        Scanner {
            kind,
            templates: FrameTemplates::new(scales.len()),
            layouts: scales.iter().map(InstrumentLayout::new).collect(),
            guess: swar::Guess::default(),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self.kind {
            Kind::Avx2(_) => "avx2",
            Kind::Portable => "portable",
            Kind::Off => "off",
        }
    }

    /// What `padded[..length]` says, if it fits its stream's template; else [`Scanner::read`] must find out.
    #[inline(always)]
    pub(super) fn scan(&mut self, padded: &[u8], length: usize, levels: &mut LevelScratch) -> Option<Scanned<'_>> {
        let template = self.templates.guess::<Frames>(padded, length)?;
        let layouts = self.layouts.get(template.symbol)?.as_ref()?;
        let mut numbers = Numbers::default();
        let fits = match &mut self.kind {
            Kind::Avx2(avx2) => avx2.scan::<Frames>(template, layouts, padded, length, &mut numbers, levels),
            Kind::Portable => {
                let guess = &mut self.guess;
                swar::scan::<Frames>(template, layouts, padded, length, guess, &mut numbers, levels).is_some()
            }
            Kind::Off => false,
        };
        let event_time = time_from_millis(numbers.event_time_ms)?;
        let ids = UpdateIds { first: numbers.first, last: numbers.last, previous: numbers.previous };
        // A best bid/ask has no first, a trade neither.
        (fits && ids.first <= ids.last).then_some(Scanned { template, ids, event_time })
    }

    /// Asks for the templates and layouts of a symbol.
    pub(super) fn warm(&self, symbol: usize) {
        self.templates.warm(symbol);
        if let Some(layouts) = self.layouts.get(symbol) {
            prefetch(layouts);
        }
        if let Kind::Avx2(avx2) = &self.kind {
            avx2.warm();
        }
    }

    /// The message in `padded[..length]`, read by the cursor, or `None`: not mine. Learns the frame's template.
    #[inline(never)]
    pub(super) fn read(
        &mut self,
        product: Product,
        padded: &[u8],
        length: usize,
        symbols: &mut SymbolTable,
        scales: &[Scales],
        levels: &mut LevelScratch,
    ) -> Option<Message> {
        if matches!(self.kind, Kind::Off) {
            return None;
        }
        levels.clear();
        let mut cursor = Cursor { buffer: padded, at: 0 };
        let stream = if cursor.optional(b"{\"stream\":\"") {
            let name = cursor.text(STREAM_BYTES_MAX)?;
            cursor.literal(b",\"data\":")?;
            Some(name)
        } else {
            None
        };
        cursor.literal(b"{")?;
        let scan = Scan { product, symbols, scales, stream, length };
        let (message, form, symbol, middle) = if cursor.optional(b"\"e\":\"depthUpdate\",\"E\":") {
            scan.depth(cursor, levels)?
        } else if cursor.optional(b"\"e\":\"aggTrade\",\"E\":") || cursor.optional(b"\"e\":\"trade\",\"E\":") {
            scan.trade(cursor)?
        } else {
            let named = cursor.optional(b"\"e\":\"bookTicker\",");
            scan.touch(cursor, levels, named)?
        };
        self.templates.learn::<Frames>(padded, &padded[..middle.start], &padded[middle.end..length], symbol, form);
        Some(message)
    }
}

/// The texts of this venue's frames.
struct Frames;

impl Schema for Frames {
    const WRAPPED: [u8; 8] = *b"{\"stream";
    const ASKS_NAME: [u8; 6] = *b",\"a\":[";
    const BEST_NAMES: [[u8; 7]; 3] = [*b"\",\"B\":\"", *b"\",\"a\":\"", *b"\",\"A\":\""];
    const TRADE_NAME: [u8; 7] = *b"\",\"q\":\"";
    const NET_NAME: [u8; 8] = *b"\",\"nq\":\"";
    const NUMBER_NAMES: [&'static [u8]; 4] = [b"E", b"U", b"u", b"pu"];
}

/// What a frame that fits its template says; its levels are in the scratch already.
pub(super) struct Scanned<'template> {
    template: &'template FrameTemplate,
    ids: UpdateIds,
    event_time: Nanos,
}

impl Scanned<'_> {
    /// The message. Its fields go straight where the caller wants them: copied as a whole, they would wait for the
    /// narrow store of its kind.
    #[inline(always)]
    pub(super) fn message(self, levels: &LevelScratch) -> Message {
        let Scanned { template, ids, event_time } = self;
        let symbol = template.symbol;
        match template.form.kind {
            FrameKind::Depth => Message::Depth { symbol, ids, event_time },
            FrameKind::Touch => Message::Touch { symbol, sequence: ids.last, event_time },
            FrameKind::Trade => {
                Message::Trade { symbol, aggressor: template.form.aggressor, level: levels.trade(), event_time }
            }
        }
    }
}

/// What the cursor read: the message, its form and symbol, and where the part that does not repeat lies.
type Read = (Message, FrameForm, usize, core::ops::Range<usize>);

/// One frame's circumstances.
struct Scan<'a> {
    product: Product,
    symbols: &'a mut SymbolTable,
    scales: &'a [Scales],
    stream: Option<&'a [u8]>,
    length: usize,
}

impl Scan<'_> {
    fn depth(mut self, mut cursor: Cursor<'_>, levels: &mut LevelScratch) -> Option<Read> {
        let event_time = time_from_millis(cursor.integer()?)?;
        if cursor.optional(b",\"T\":") {
            cursor.integer()?;
        }
        cursor.literal(b",\"s\":\"")?;
        let symbol = self.symbol(&mut cursor)?;
        self.stream_is(symbol, |channel| DEPTH_STREAMS.contains(&channel))?;
        pair_and_type(&mut cursor)?;
        cursor.literal(b",\"U\":")?;
        let first = cursor.integer()?;
        cursor.literal(b",\"u\":")?;
        let last = cursor.integer()?;
        let previous = match self.product {
            Product::BinanceSpot => 0,
            Product::BinanceUsdm => {
                cursor.literal(b",\"pu\":")?;
                cursor.integer()?
            }
        };
        if first > last {
            return None;
        }
        cursor.literal(b",\"b\":[")?;
        let scales = self.scales[symbol];
        let start = cursor.at;
        side(&mut cursor, scales, levels, Side::Bid)?;
        cursor.literal(b",\"a\":[")?;
        side(&mut cursor, scales, levels, Side::Ask)?;
        let middle = start..cursor.at;
        self.end(cursor)?;
        let ids = UpdateIds { first, last, previous };
        Some((Message::Depth { symbol, ids, event_time }, FrameForm::DEPTH, symbol, middle))
    }

    fn touch(mut self, mut cursor: Cursor<'_>, levels: &mut LevelScratch, named: bool) -> Option<Read> {
        cursor.literal(b"\"u\":")?;
        let sequence = cursor.integer()?;
        let mut event_time = Nanos::ZERO;
        let timed = named && cursor.optional(b",\"E\":");
        if timed {
            event_time = time_from_millis(cursor.integer()?)?;
            cursor.literal(b",\"T\":")?;
            cursor.integer()?;
        }
        cursor.literal(b",\"s\":\"")?;
        let symbol = self.symbol(&mut cursor)?;
        self.stream_is(symbol, |channel| channel == TOUCH_STREAM)?;
        let typed = named && pair_and_type(&mut cursor)?;
        let scales = self.scales[symbol];
        cursor.literal(b",\"b\":\"")?;
        let start = cursor.at;
        let bid = cursor.decimal(&scales.price)?;
        cursor.literal(b",\"B\":\"")?;
        let bid_lots = cursor.decimal(&scales.quantity)?;
        cursor.literal(b",\"a\":\"")?;
        let ask = cursor.decimal(&scales.price)?;
        cursor.literal(b",\"A\":\"")?;
        let ask_lots = cursor.decimal(&scales.quantity)?;
        let middle = start..cursor.at;
        if named && !timed && cursor.optional(b",\"T\":") {
            cursor.integer()?;
            cursor.literal(b",\"E\":")?;
            event_time = time_from_millis(cursor.integer()?)?;
        }
        if named && !typed {
            pair_and_type(&mut cursor)?;
        }
        self.end(cursor)?;
        for (side, tick, lots) in [(Side::Bid, bid, bid_lots), (Side::Ask, ask, ask_lots)] {
            if lots != 0 && !levels.append(side, Level { tick: Tick(tick), lots: Lots(lots) }) {
                return None;
            }
        }
        Some((Message::Touch { symbol, sequence, event_time }, FrameForm::TOUCH, symbol, middle))
    }

    /// Spot prints the trade's time behind the quantity, USD-M before the symbol or behind the quantity; its number
    /// stands behind the symbol or, of USD-M's aggregated ones, before it.
    fn trade(mut self, mut cursor: Cursor<'_>) -> Option<Read> {
        let event_time = time_from_millis(cursor.integer()?)?;
        if cursor.optional(b",\"T\":") {
            cursor.integer()?;
        }
        let numbered = cursor.optional(b",\"a\":");
        if numbered {
            cursor.integer()?;
        }
        cursor.literal(b",\"s\":\"")?;
        let symbol = self.symbol(&mut cursor)?;
        self.stream_is(symbol, |channel| TRADE_STREAMS.contains(&channel))?;
        pair_and_type(&mut cursor)?;
        if !numbered {
            if !cursor.optional(b",\"t\":") {
                cursor.literal(b",\"a\":")?;
            }
            cursor.integer()?;
        }
        let scales = self.scales[symbol];
        cursor.literal(b",\"p\":\"")?;
        let start = cursor.at;
        let tick = Tick(cursor.decimal(&scales.price)?);
        cursor.literal(b",\"q\":\"")?;
        let lots = Lots(cursor.decimal(&scales.quantity)?);
        let has_net = cursor.optional(b",\"nq\":\"");
        if has_net {
            cursor.decimal(&scales.quantity)?;
        }
        let middle = start..cursor.at;
        if cursor.optional(b",\"f\":") {
            cursor.integer()?;
            cursor.literal(b",\"l\":")?;
            cursor.integer()?;
        }
        if cursor.optional(b",\"T\":") {
            cursor.integer()?;
        }
        // What else it may be is no trade of the book.
        cursor.optional(b",\"X\":\"MARKET\"");
        cursor.literal(b",\"m\":")?;
        let buyer_is_maker = boolean(&mut cursor)?;
        let side_word = self.length.wrapping_sub(cursor.at).wrapping_add(4);
        if cursor.optional(b",\"M\":") {
            boolean(&mut cursor)?;
        }
        pair_and_type(&mut cursor)?;
        self.end(cursor)?;
        let aggressor = if buyer_is_maker { Side::Ask } else { Side::Bid };
        let form = FrameForm { kind: FrameKind::Trade, aggressor, has_net, side_word };
        Some((Message::Trade { symbol, aggressor, level: Level { tick, lots }, event_time }, form, symbol, middle))
    }

    #[inline(always)]
    fn symbol(&mut self, cursor: &mut Cursor<'_>) -> Option<usize> {
        let name = cursor.text(SYMBOL_BYTES_MAX)?;
        self.symbols.find(name)
    }

    /// The stream's name, if the frame is wrapped, is the symbol's and of a known channel.
    #[inline(always)]
    fn stream_is(&self, symbol: usize, known: impl Fn(&[u8]) -> bool) -> Option<()> {
        let Some(name) = self.stream else { return Some(()) };
        let at = name.iter().position(|byte| *byte == b'@')?;
        (self.symbols.is_lowercase_of(symbol, &name[..at]) && known(&name[at + 1..])).then_some(())
    }

    /// The closing brackets, and nothing behind them.
    #[inline(always)]
    fn end(&self, mut cursor: Cursor<'_>) -> Option<()> {
        cursor.literal(b"}")?;
        if self.stream.is_some() {
            cursor.literal(b"}")?;
        }
        (cursor.at == self.length).then_some(())
    }
}

#[inline(always)]
fn boolean(cursor: &mut Cursor<'_>) -> Option<bool> {
    if cursor.optional(b"true") {
        return Some(true);
    }
    cursor.literal(b"false")?;
    Some(false)
}

/// The pair's name and the product type, which newer USD-M messages carry; they are verified and skipped.
#[inline(always)]
fn pair_and_type(cursor: &mut Cursor<'_>) -> Option<bool> {
    let mut found = false;
    if cursor.optional(b",\"ps\":\"") {
        let name = cursor.text(SYMBOL_BYTES_MAX)?;
        if !name.is_ascii() {
            return None;
        }
        found = true;
    }
    if cursor.optional(b",\"st\":") {
        cursor.integer()?;
        found = true;
    }
    Some(found)
}

/// One side's levels behind the opening bracket, the closing bracket included.
#[inline(always)]
fn side(cursor: &mut Cursor<'_>, scales: Scales, levels: &mut LevelScratch, side: Side) -> Option<()> {
    if cursor.optional(b"]") {
        return Some(());
    }
    let mut count = 0;
    for slot in levels.space(side) {
        cursor.literal(b"[\"")?;
        let tick = Tick(cursor.decimal(&scales.price)?);
        cursor.literal(b",\"")?;
        let lots = Lots(cursor.decimal(&scales.quantity)?);
        *slot = Level { tick, lots };
        count += 1;
        cursor.literal(b"]")?;
        if cursor.optional(b"]") {
            levels.set_count(side, count);
            return Some(());
        }
        cursor.literal(b",")?;
    }
    None
}
