//! COLD: what the plain decoders produce, the borrowed structs that serde fills, and the routing by stream name.

use serde::Deserialize;
use spinbook_engine::types::{Level, Lots, Tick};

use super::number::Increment;

/// The two increments of an instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Increments {
    /// Of a price.
    pub price: Increment,
    /// Of a quantity.
    pub quantity: Increment,
}

/// Which message a frame holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MessageKind {
    /// A change of the order book.
    Depth,
    /// The best bid and ask.
    Touch,
    /// Anything else: trades, mark prices, snapshots, replies. Not decoded.
    #[default]
    Other,
}

/// One decoded frame; the vectors are kept from frame to frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlainMessage {
    /// What it is.
    pub kind: MessageKind,
    /// First update id (depth), or zero.
    pub first: u64,
    /// Last update id.
    pub last: u64,
    /// The last update id of the message before (USD-M), or zero.
    pub previous: u64,
    /// The venue's event time in ms, or zero.
    pub event_time_ms: u64,
    /// Changed bids, as sent.
    pub bids: Vec<Level>,
    /// Changed asks, as sent.
    pub asks: Vec<Level>,
}

/// Why a plain decoder gave up on a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlainError {
    /// Not the JSON that was expected.
    Json,
    /// A price or quantity is not a whole number of increments.
    Number,
}

/// Reads the channel from the stream name of a combined frame.
#[inline]
#[must_use]
pub fn kind_of(frame: &[u8]) -> MessageKind {
    const NAME_AT: usize = b"{\"stream\":\"".len();
    if frame.len() < 64 || &frame[..NAME_AT] != b"{\"stream\":\"" {
        return MessageKind::Other;
    }
    let Some(at) = frame[NAME_AT..64].iter().position(|&byte| byte == b'@') else {
        return MessageKind::Other;
    };
    let channel = &frame[NAME_AT + at + 1..];
    if channel.starts_with(b"depth") {
        MessageKind::Depth
    } else if channel.starts_with(b"bookTicker") {
        MessageKind::Touch
    } else {
        MessageKind::Other
    }
}

/// The combined stream's envelope.
#[derive(Deserialize)]
pub struct Combined<T> {
    /// What the stream says.
    pub data: T,
}

/// A depth message; only what is used.
#[derive(Deserialize)]
pub struct DepthText<'a> {
    #[serde(rename = "E")]
    event_time_ms: u64,
    #[serde(rename = "U")]
    first: u64,
    #[serde(rename = "u")]
    last: u64,
    #[serde(rename = "pu", default)]
    previous: u64,
    #[serde(rename = "b", borrow)]
    bids: Vec<(&'a str, &'a str)>,
    #[serde(rename = "a", borrow)]
    asks: Vec<(&'a str, &'a str)>,
}

/// A best bid/ask message; only what is used.
#[derive(Deserialize)]
pub struct TouchText<'a> {
    #[serde(rename = "u")]
    last: u64,
    #[serde(rename = "b")]
    bid_price: &'a str,
    #[serde(rename = "B")]
    bid_quantity: &'a str,
    #[serde(rename = "a")]
    ask_price: &'a str,
    #[serde(rename = "A")]
    ask_quantity: &'a str,
    #[serde(rename = "E", default)]
    event_time_ms: u64,
}

impl Increments {
    /// One level from its two texts.
    #[inline]
    pub(super) fn level(self, price: &str, quantity: &str) -> Result<Level, PlainError> {
        let tick = self.price.parse(price.as_bytes()).ok_or(PlainError::Number)?;
        let lots = self.quantity.parse(quantity.as_bytes()).ok_or(PlainError::Number)?;
        Ok(Level { tick: Tick(tick), lots: Lots(lots) })
    }

    #[inline]
    fn side(self, texts: &[(&str, &str)], levels: &mut Vec<Level>) -> Result<(), PlainError> {
        levels.clear();
        levels.reserve(texts.len());
        for &(price, quantity) in texts {
            levels.push(self.level(price, quantity)?);
        }
        Ok(())
    }
}

impl DepthText<'_> {
    /// Turns its texts into integers in `message`.
    ///
    /// # Errors
    /// A number is not a multiple of its increment.
    #[inline]
    pub fn write(&self, increments: Increments, message: &mut PlainMessage) -> Result<(), PlainError> {
        message.kind = MessageKind::Depth;
        message.first = self.first;
        message.last = self.last;
        message.previous = self.previous;
        message.event_time_ms = self.event_time_ms;
        increments.side(&self.bids, &mut message.bids)?;
        increments.side(&self.asks, &mut message.asks)
    }
}

impl TouchText<'_> {
    /// Turns its texts into integers in `message`.
    ///
    /// # Errors
    /// A number is not a multiple of its increment.
    #[inline]
    pub fn write(&self, increments: Increments, message: &mut PlainMessage) -> Result<(), PlainError> {
        message.start_touch(self.last, self.event_time_ms);
        message.bids.push(increments.level(self.bid_price, self.bid_quantity)?);
        message.asks.push(increments.level(self.ask_price, self.ask_quantity)?);
        Ok(())
    }
}

impl PlainMessage {
    /// Empties it for a best bid/ask message.
    #[inline]
    pub(super) fn start_touch(&mut self, last: u64, event_time_ms: u64) {
        self.kind = MessageKind::Touch;
        self.first = 0;
        self.last = last;
        self.previous = 0;
        self.event_time_ms = event_time_ms;
        self.bids.clear();
        self.asks.clear();
    }

    /// Empties it for a frame that is not decoded.
    #[inline]
    pub fn start_other(&mut self) {
        self.start_touch(0, 0);
        self.kind = MessageKind::Other;
    }

    /// Changed levels of both sides.
    #[must_use]
    pub fn level_count(&self) -> usize {
        self.bids.len() + self.asks.len()
    }
}
