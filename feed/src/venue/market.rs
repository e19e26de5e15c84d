//! HOT: what every venue's market-data side gives: judged messages, fixed scratch, symbols without allocation.

use core::fmt;
use core::ops::Range;

use spinbook_engine::types::{Level, Nanos, Side};

use crate::error::DecodeError;
use crate::scan::ScannerChoice;
use crate::sync::SequenceRule;
use crate::venue::card::ProductLine;

use super::instrument::{Instrument, SYMBOL_BYTES_MAX, Symbol};
use super::rehearsed::RehearsedFrame;
pub use crate::padding::{FRAME_PADDING, FrameBytes};
pub use crate::scan::LevelScratch;
pub use crate::sync::UpdateIds;

/// What a frame said. Levels lie in the decoder's [`LevelScratch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// Changed levels of one symbol.
    Depth {
        /// Index of the symbol among the decoder's instruments.
        symbol: usize,
        /// Update ids.
        ids: UpdateIds,
        /// The venue's event time.
        event_time: Nanos,
    },
    /// A whole book.
    Snapshot {
        /// Index of the symbol.
        symbol: usize,
        /// The update it contains last.
        last: u64,
        /// The venue's event time; zero where the product sends none.
        event_time: Nanos,
    },
    /// The venue's best bid and ask, each at most one level in the scratch.
    Touch {
        /// Index of the symbol.
        symbol: usize,
        /// Update id, in the same space as depth.
        sequence: u64,
        /// The venue's event time; zero where the product sends none.
        event_time: Nanos,
    },
    /// One public trade.
    Trade {
        /// Index of the symbol.
        symbol: usize,
        /// Side of the aggressor: [`Side::Bid`] if it bought.
        aggressor: Side,
        /// Price and quantity.
        level: Level,
        /// The venue's event time.
        event_time: Nanos,
    },
    /// A request was carried out.
    Acknowledged {
        /// The request's id; `None` if it was not a whole number.
        id: Option<u64>,
    },
    /// A request was refused.
    Refused {
        /// The request's id, where the venue repeats it.
        id: Option<u64>,
        /// The venue's own code.
        code: i32,
    },
    /// The venue wants an answer at once, which [`MarketSide::write_reply`] writes.
    ReplyWanted,
    /// The server is about to close the connection.
    Shutdown,
    /// A message of a channel that the engine does not use.
    Ignored,
}

/// How many frames took which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecodeCounts {
    /// Decoded by the schema scanner.
    pub scanned: u64,
    /// Of these, read byte by byte: their stream's form was learned from them.
    pub learned: u64,
    /// Given to the general decoder.
    pub fallback: u64,
}

/// The channels of a market, as the venue names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channels {
    /// Depth updates.
    pub depth: String,
    /// Best bid and ask; `None`: not subscribed.
    pub touch: Option<String>,
    /// Trades; `None`: not subscribed.
    pub trade: Option<String>,
}

impl Channels {
    /// The product line's documented ones (set-up).
    #[must_use]
    pub fn of(product: ProductLine) -> Channels {
        let card = product.card();
        let named = |channel: &str| (!channel.is_empty()).then(|| channel.to_owned());
        Channels {
            depth: card.depth_channel.to_owned(),
            touch: named(card.touch_channel),
            trade: named(card.trade_channel),
        }
    }

    /// All of them, depth first.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        [Some(self.depth.as_str()), self.touch.as_deref(), self.trade.as_deref()].into_iter().flatten()
    }
}

/// What one route of a market carries, and by which of the room's requests it is subscribed.
///
/// A room numbers its requests from zero; the id it writes into request `n` is `n + 1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarketRoute {
    /// Path and query to open; the venue's stream host goes before it.
    pub target: &'static str,
    /// Requests that subscribe everything.
    pub all: Range<usize>,
    /// The request that subscribes the first symbol alone; the other symbols' follow, one each.
    pub one_first: usize,
    /// Streams in all.
    pub streams: usize,
}

impl MarketRoute {
    /// Whether the answer with this id is to one of the requests that subscribe everything.
    #[must_use]
    pub fn is_of_all(&self, id: u64) -> bool {
        id.checked_sub(1).and_then(|request| usize::try_from(request).ok()).is_some_and(|at| self.all.contains(&at))
    }
}

/// The text of one request in fixed space, written by a room and sent by its connection.
#[derive(Debug)]
pub struct RequestText {
    bytes: Box<[u8]>,
    length: usize,
    whole: bool,
}

impl RequestText {
    /// Space for a request of at most `bytes_max` bytes (set-up).
    #[must_use]
    pub fn new(bytes_max: usize) -> RequestText {
        RequestText { bytes: vec![0; bytes_max].into_boxed_slice(), length: 0, whole: true }
    }

    /// Begins a new text.
    pub fn clear(&mut self) {
        self.length = 0;
        self.whole = true;
    }

    /// Appends text; what does not fit makes the request unusable.
    pub fn append(&mut self, text: &str) {
        match self.bytes.get_mut(self.length..self.length + text.len()) {
            Some(space) if self.whole => {
                space.copy_from_slice(text.as_bytes());
                self.length += text.len();
            }
            _ => self.whole = false,
        }
    }

    /// Appends a number in decimal digits.
    pub fn append_number(&mut self, number: u64) {
        let (mut digits, mut at, mut left) = ([0u8; 20], 20, number);
        loop {
            at -= 1;
            digits[at] = b'0' + (left % 10) as u8;
            left /= 10;
            if left == 0 {
                break;
            }
        }
        self.append(core::str::from_utf8(&digits[at..]).unwrap_or_default());
    }

    /// The text; empty if nothing was written or it did not fit.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let text = if self.whole { &self.bytes[..self.length] } else { &[] };
        core::str::from_utf8(text).unwrap_or_default()
    }
}

/// A venue's market data: frames to judged messages, and the requests that keep them coming.
///
/// A frame is decoded completely into the room's own fixed scratch before the first message is handed out. Nothing
/// here allocates after [`MarketSide::new`], and no time is read: `now` is an argument.
pub trait MarketSide: fmt::Debug + Sized {
    /// How the venue numbers depth updates.
    type Rule: SequenceRule + fmt::Debug;

    /// The market data of these instruments, in this order (set-up; allocates everything).
    fn new(product: ProductLine, instruments: &[Instrument], channels: &Channels, scanner: ScannerChoice) -> Self;

    /// The product line.
    fn product(&self) -> ProductLine;

    /// The sequence rule.
    fn rule(&self) -> Self::Rule;

    /// Decodes one frame and hands out its first message; the others follow by [`MarketSide::next_message`].
    ///
    /// # Errors
    /// [`DecodeError`]: the frame is not applied in any part.
    fn decode(&mut self, frame: FrameBytes<'_>) -> Result<Message, DecodeError>;

    /// The next message of the frame last decoded; `None`: there was no other, or the frame was refused.
    #[inline]
    fn next_message(&mut self) -> Option<Message> {
        None
    }

    /// Levels of the message handed out last.
    fn levels(&self) -> &LevelScratch;

    /// Decodes the answer to a request for a snapshot, where snapshots are fetched
    /// ([`SnapshotOrigin::Rest`](crate::venue::card::SnapshotOrigin::Rest)).
    ///
    /// # Errors
    /// [`DecodeError`]; nothing of the body is used then.
    fn decode_snapshot(&mut self, symbol: usize, buffer: &mut [u8], length: usize) -> Result<Message, DecodeError>;

    /// The symbols, in the order of the instruments.
    fn symbols(&self) -> &SymbolTable;

    /// Whose stream a frame that could not be decoded came on, as far as its beginning says it, and whether that
    /// stream carries depth.
    fn named_stream(&self, frame: &[u8]) -> Option<(usize, bool)>;

    /// The routes that must be open, the one with depth first.
    fn routes(&self) -> &[MarketRoute];

    /// The most bytes of any request.
    fn request_bytes_max(&self) -> usize;

    /// Writes request `request`.
    fn write_request(&mut self, request: usize, now: Nanos, out: &mut RequestText);

    /// Writes the answer that the venue wanted last.
    fn write_reply(&mut self, _now: Nanos, _out: &mut RequestText) {}

    /// Writes the message that keeps a connection alive, where the card names a heartbeat.
    fn write_heartbeat(&mut self, _now: Nanos, _out: &mut RequestText) {}

    /// Writes the request for a symbol's snapshot, where snapshots come on request over the connection.
    fn write_snapshot_request(&mut self, _symbol: usize, _levels: u16, _now: Nanos, _out: &mut RequestText) {}

    /// Writes a depth update as the venue would, for rehearsals (set-up); `None`: the room writes none.
    fn rehearsed_update(&self, _instrument: &Instrument, _bids: &[Level], _asks: &[Level]) -> Option<RehearsedFrame> {
        None
    }

    /// Writes a snapshot that contains update `last`, as the venue would answer a request for it, for rehearsals
    /// (set-up); `None`: the room writes none.
    fn rehearsed_snapshot(
        &self,
        _instrument: &Instrument,
        _last: u64,
        _bids: &[Level],
        _asks: &[Level],
    ) -> Option<Vec<u8>> {
        None
    }

    /// Asks for the memory that a frame of a symbol most likely needs ([`spinbook_engine::prefetch`]).
    fn warm(&self, _symbol: usize) {}

    /// How many frames took which way so far.
    fn counts(&self) -> DecodeCounts;

    /// Which scanner works: `avx2`, `portable` or `off`.
    fn scanner_name(&self) -> &'static str;
}

/// Finds a subscribed symbol by its bytes: open addressing, built once, never allocates again.
#[derive(Debug)]
pub struct SymbolTable {
    /// Index plus one; zero is empty.
    slots: Box<[u16]>,
    names: Box<[Symbol]>,
    lowercase: Box<[Symbol]>,
    last_found: usize,
}

impl SymbolTable {
    /// The symbols of `instruments`, in their order.
    #[must_use]
    pub fn new(instruments: &[Instrument]) -> SymbolTable {
        let names: Box<[Symbol]> = instruments.iter().map(|instrument| instrument.symbol).collect();
        let lowercase = names.iter().map(|name| name.to_lowercase()).collect();
        let size = (names.len() * 4).next_power_of_two().max(8);
        let mut slots = vec![0u16; size].into_boxed_slice();
        for (index, name) in names.iter().enumerate() {
            let mut at = hash(name.as_bytes()) & (size - 1);
            while slots[at] != 0 {
                at = (at + 1) & (size - 1);
            }
            slots[at] = u16::try_from(index + 1).expect("the engine holds far fewer instruments");
        }
        SymbolTable { slots, names, lowercase, last_found: 0 }
    }

    /// The index of a symbol as payloads have it.
    #[inline]
    pub fn find(&mut self, name: &[u8]) -> Option<usize> {
        // Frames of one symbol come in runs.
        if self.names.get(self.last_found).is_some_and(|last| last.as_bytes() == name) {
            return Some(self.last_found);
        }
        if name.len() > SYMBOL_BYTES_MAX {
            return None;
        }
        let mask = self.slots.len() - 1;
        let mut at = hash(name) & mask;
        loop {
            let index = usize::from(self.slots[at].checked_sub(1)?);
            if self.names[index].as_bytes() == name {
                self.last_found = index;
                return Some(index);
            }
            at = (at + 1) & mask;
        }
    }

    /// Whether `name` (ASCII letters in lower case) is the symbol at `index`.
    #[inline]
    #[must_use]
    pub fn is_lowercase_of(&self, index: usize, name: &[u8]) -> bool {
        self.lowercase[index].as_bytes() == name
    }

    /// The symbol that a stream name's first part means, if it is subscribed.
    #[must_use]
    pub fn find_lowercase(&self, name: &[u8]) -> Option<usize> {
        self.lowercase.iter().position(|symbol| symbol.as_bytes() == name)
    }

    /// The symbol at `index`.
    #[must_use]
    pub fn symbol(&self, index: usize) -> Symbol {
        self.names[index]
    }

    /// How many symbols there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

#[inline]
fn hash(name: &[u8]) -> usize {
    let mut state = 0xcbf2_9ce4_8422_2325u64;
    for byte in name {
        state = (state ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    (state ^ (state >> 32)) as usize
}
