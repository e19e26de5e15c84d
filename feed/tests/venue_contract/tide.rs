//! COLD: a venue that only this test has, unlike any other: batches of messages, snapshots in the stream, frames that
//! may be scrambled, pings of its own that want their number back, and a heartbeat.
//!
//! A frame is messages that each end with `;`, and ends with `.`. A binary frame is the same with every byte crossed
//! with `SCRAMBLE`, which the room undoes in scratch of its own.

use spinbook_engine::rate::WindowSettings;
use spinbook_engine::types::{Level, Lots, Nanos, Side, Tick, VenueId};
use spinbook_feed::error::DecodeError;
use spinbook_feed::scan::{LevelScratch, ScannerChoice};
use spinbook_feed::sync::{SequenceRule, Verdict};
use spinbook_feed::venue::card::{Card, Fees, Heartbeat, Holding, ProductLine, SnapshotOrigin, SymbolForm};
use spinbook_feed::venue::contract::Contract;
use spinbook_feed::venue::instrument::Instrument;
use spinbook_feed::venue::market::{
    Channels, DecodeCounts, FrameBytes, MarketRoute, MarketSide, Message, RequestText, SymbolTable, UpdateIds,
};

pub const TIDE: ProductLine = ProductLine::of(&CARD);
pub const PRODUCT_LINES: [ProductLine; 1] = [TIDE];
pub const SCRAMBLE: u8 = 0x2a;

const MESSAGES_MAX: usize = 16;
const LEVELS_MAX: usize = 64;
const FRAME_BYTES_MAX: usize = 4096;

const CARD: Card = Card {
    venue_id: VenueId(200),
    name: "tide",
    title: "Tide",
    rest_url: "https://tide.test",
    stream_url: "wss://stream.tide.test",
    testnet: None,
    hosts: &[],
    depth_path: "",
    instruments_path: "/instruments",
    time_path: "/time",
    messages_per_second: 20,
    streams_per_connection: 100,
    weight_per_minute: 600,
    snapshots: SnapshotOrigin::InStream,
    snapshot_levels: 100,
    snapshot_levels_allowed: &[],
    snapshot_weight: 1,
    connects: WindowSettings { count_max: 300, span: Nanos::from_seconds(300) },
    connection_life: Nanos::from_seconds(24 * 3600),
    ping_interval: Nanos::from_seconds(20),
    heartbeat: Some(Heartbeat { after: Nanos::from_seconds(2), answer_within: Nanos::from_seconds(1) }),
    depth_channel: "book",
    depth_channels: &["book"],
    touch_channel: "top",
    trade_channel: "deal",
    symbols: SymbolForm { upper_case: true, separators: &['-'], example: "BTC-USD" },
    holding: Holding::Inventory,
    contract: Contract::SPOT,
    balance_decimals: 0,
    fees: Fees { maker_millionths: 0, taker_millionths: 0 },
    orders: None,
};

/// Every update names the one before.
#[derive(Clone, Copy, Debug)]
pub struct TideSequence;

impl SequenceRule for TideSequence {
    fn join(self, last: u64, update: UpdateIds) -> Verdict {
        self.follow(last, update)
    }

    fn follow(self, last: u64, update: UpdateIds) -> Verdict {
        match update.previous {
            _ if update.last <= last => Verdict::Old,
            previous if previous == last => Verdict::Accept,
            _ => Verdict::Gap,
        }
    }
}

/// One message of the frame in hand, and where its levels lie.
#[derive(Clone, Copy, Debug)]
struct Decoded {
    message: Message,
    bids: (usize, usize),
    asks: (usize, usize),
}

#[derive(Debug)]
pub struct TideMarket {
    instruments: Vec<Instrument>,
    symbols: SymbolTable,
    route: [MarketRoute; 1],
    plain: Box<[u8; FRAME_BYTES_MAX]>,
    decoded: Vec<Decoded>,
    all: Vec<Level>,
    handed_out: usize,
    levels: LevelScratch,
    ping: u64,
    counts: DecodeCounts,
}

fn word<'a>(words: &mut impl Iterator<Item = &'a str>, name: &'static str) -> Result<&'a str, DecodeError> {
    words.next().ok_or(DecodeError::Missing(name))
}

fn number(text: &str, name: &'static str) -> Result<u64, DecodeError> {
    text.parse().map_err(|_| DecodeError::WrongType(name))
}

impl TideMarket {
    fn symbol(&mut self, text: &str) -> Result<usize, DecodeError> {
        self.symbols.find(text.as_bytes()).ok_or(DecodeError::WrongSymbol)
    }

    fn level(&self, symbol: usize, text: &str) -> Result<Level, DecodeError> {
        let (price, quantity) = text.split_once('@').ok_or(DecodeError::Shape)?;
        let instrument = &self.instruments[symbol];
        let tick = instrument.price.parse(price.as_bytes()).map_err(DecodeError::Price)?;
        let lots = instrument.quantity.parse(quantity.as_bytes()).map_err(DecodeError::Quantity)?;
        Ok(Level { tick: Tick(tick), lots: Lots(lots) })
    }

    fn take(&mut self, message: Message, bids: (usize, usize), asks: (usize, usize)) -> Result<(), DecodeError> {
        if self.decoded.len() == MESSAGES_MAX {
            return Err(DecodeError::TooLarge);
        }
        self.decoded.push(Decoded { message, bids, asks });
        Ok(())
    }

    /// `100@5 99@2 | 101@3`: where both sides lie.
    fn sides<'a>(
        &mut self,
        symbol: usize,
        words: impl Iterator<Item = &'a str>,
    ) -> Result<[(usize, usize); 2], DecodeError> {
        let mut sides = [(self.all.len(), self.all.len()); 2];
        let mut side = 0;
        for text in words {
            if text == "|" {
                side += 1;
                *sides.get_mut(side).ok_or(DecodeError::Shape)? = (self.all.len(), self.all.len());
                continue;
            }
            if self.all.len() == LEVELS_MAX {
                return Err(DecodeError::TooManyLevels);
            }
            let level = self.level(symbol, text)?;
            self.all.push(level);
            sides[side].1 = self.all.len();
        }
        if side == 1 { Ok(sides) } else { Err(DecodeError::Shape) }
    }

    fn message(&mut self, text: &str) -> Result<(), DecodeError> {
        let mut words = text.split_ascii_whitespace();
        let kind = word(&mut words, "kind")?;
        let event_time = Nanos(1);
        match kind {
            "book" | "diff" | "top" => {
                let symbol = self.symbol(word(&mut words, "symbol")?)?;
                let first = number(word(&mut words, "id")?, "id")?;
                let message = match kind {
                    "book" => Message::Snapshot { symbol, last: first, event_time },
                    "top" => Message::Touch { symbol, sequence: first, event_time },
                    _ => {
                        let last = number(word(&mut words, "last")?, "last")?;
                        let ids = UpdateIds { first: first + 1, last, previous: first };
                        if last <= first {
                            return Err(DecodeError::Sequence);
                        }
                        Message::Depth { symbol, ids, event_time }
                    }
                };
                let [bids, asks] = self.sides(symbol, words)?;
                self.take(message, bids, asks)
            }
            "deal" => {
                let symbol = self.symbol(word(&mut words, "symbol")?)?;
                let aggressor = match word(&mut words, "side")? {
                    "buy" => Side::Bid,
                    "sell" => Side::Ask,
                    _ => return Err(DecodeError::WrongType("side")),
                };
                let level = self.level(symbol, word(&mut words, "level")?)?;
                self.take(Message::Trade { symbol, aggressor, level, event_time }, (0, 0), (0, 0))
            }
            "done" => {
                let id = number(word(&mut words, "id")?, "id")?;
                self.take(Message::Acknowledged { id: Some(id) }, (0, 0), (0, 0))
            }
            "deny" => {
                let id = number(word(&mut words, "id")?, "id")?;
                let code = word(&mut words, "code")?.parse().map_err(|_| DecodeError::WrongType("code"))?;
                self.take(Message::Refused { id: Some(id), code }, (0, 0), (0, 0))
            }
            "ping" => {
                self.ping = number(word(&mut words, "ping")?, "ping")?;
                self.take(Message::ReplyWanted, (0, 0), (0, 0))
            }
            "pong" => self.take(Message::Ignored, (0, 0), (0, 0)),
            "bye" => self.take(Message::Shutdown, (0, 0), (0, 0)),
            _ => Err(DecodeError::Shape),
        }
    }

    fn decode_text(&mut self, length: usize) -> Result<(), DecodeError> {
        let plain = *self.plain;
        let text = std::str::from_utf8(&plain[..length]).map_err(|_| DecodeError::Shape)?;
        let body = text.strip_suffix('.').ok_or(DecodeError::Shape)?;
        let messages = body.strip_suffix(';').ok_or(DecodeError::Shape)?;
        messages.split(';').try_for_each(|message| self.message(message))
    }
}

impl MarketSide for TideMarket {
    type Rule = TideSequence;

    fn new(_: ProductLine, instruments: &[Instrument], channels: &Channels, _: ScannerChoice) -> Self {
        let streams = channels.all().count() * instruments.len();
        TideMarket {
            instruments: instruments.to_vec(),
            symbols: SymbolTable::new(instruments),
            route: [MarketRoute { target: "/tide", all: 0..1, one_first: 1, streams }],
            plain: Box::new([0; FRAME_BYTES_MAX]),
            decoded: Vec::with_capacity(MESSAGES_MAX),
            all: Vec::with_capacity(LEVELS_MAX),
            handed_out: 0,
            levels: LevelScratch::new(),
            ping: 0,
            counts: DecodeCounts::default(),
        }
    }

    fn product(&self) -> ProductLine {
        TIDE
    }

    fn rule(&self) -> TideSequence {
        TideSequence
    }

    fn decode(&mut self, frame: FrameBytes<'_>) -> Result<Message, DecodeError> {
        self.decoded.clear();
        self.all.clear();
        self.handed_out = 0;
        self.counts.fallback += 1;
        let space = self.plain.get_mut(..frame.length).ok_or(DecodeError::TooLarge)?;
        let scramble = if frame.binary { SCRAMBLE } else { 0 };
        for (plain, byte) in space.iter_mut().zip(&frame.padded[..frame.length]) {
            *plain = byte ^ scramble;
        }
        if let Err(error) = self.decode_text(frame.length) {
            self.decoded.clear();
            return Err(error);
        }
        self.next_message().ok_or(DecodeError::Shape)
    }

    fn next_message(&mut self) -> Option<Message> {
        let decoded = *self.decoded.get(self.handed_out)?;
        self.handed_out += 1;
        self.levels.clear();
        for (side, (start, end)) in [(Side::Bid, decoded.bids), (Side::Ask, decoded.asks)] {
            for level in &self.all[start..end] {
                assert!(self.levels.append(side, *level), "a frame has fewer levels than a message may have");
            }
        }
        Some(decoded.message)
    }

    fn levels(&self) -> &LevelScratch {
        &self.levels
    }

    fn decode_snapshot(&mut self, _: usize, _: &mut [u8], _: usize) -> Result<Message, DecodeError> {
        Err(DecodeError::Shape)
    }

    fn symbols(&self) -> &SymbolTable {
        &self.symbols
    }

    fn named_stream(&self, frame: &[u8]) -> Option<(usize, bool)> {
        let text = std::str::from_utf8(frame).ok()?;
        let mut words = text.split_ascii_whitespace();
        let kind = words.next()?;
        let name = words.next()?;
        let symbol = self.instruments.iter().position(|instrument| instrument.symbol.as_str() == name)?;
        Some((symbol, kind == "diff" || kind == "book"))
    }

    fn routes(&self) -> &[MarketRoute] {
        &self.route
    }

    fn request_bytes_max(&self) -> usize {
        64 + 40 * self.instruments.len()
    }

    fn write_request(&mut self, request: usize, _: Nanos, out: &mut RequestText) {
        out.append("listen ");
        out.append_number(request as u64 + 1);
        for (index, instrument) in self.instruments.iter().enumerate() {
            if request == 0 || request == 1 + index {
                out.append(" ");
                out.append(instrument.symbol.as_str());
            }
        }
    }

    fn write_reply(&mut self, _: Nanos, out: &mut RequestText) {
        out.append("pong ");
        out.append_number(self.ping);
    }

    fn write_heartbeat(&mut self, now: Nanos, out: &mut RequestText) {
        out.append("ping ");
        out.append_number(now.0.unsigned_abs() / 1_000_000);
    }

    fn counts(&self) -> DecodeCounts {
        self.counts
    }

    fn scanner_name(&self) -> &'static str {
        "off"
    }
}
