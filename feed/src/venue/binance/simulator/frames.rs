//! COLD: what recorded or synthetic market frames say, for the exchange's own book; relayed bytes are never touched.

use crate::sim::api::Listing;
use serde::Deserialize;
use spinbook_engine::types::{Level, Lots, Side, Tick};
use std::ops::Range;

/// A market frame's parts.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The stream it was recorded from; empty for a REST snapshot.
    pub stream: String,
    /// Where the inner message lies.
    pub data: Range<usize>,
}

/// What a message is.
#[derive(Clone, Debug)]
pub enum PlayedMessage {
    /// A depth update.
    Depth(PlayedDepth),
    /// A best bid/ask.
    Touch(PlayedTouch),
    /// A trade, or an aggregated one.
    Trade(PlayedTrade),
    /// A REST snapshot.
    Snapshot(PlayedDepth),
    /// Anything else.
    Other,
}

/// Levels with their update ids.
#[derive(Clone, Debug)]
pub struct PlayedDepth {
    /// Id of the first update in it.
    pub first: u64,
    /// Id of the last.
    pub last: u64,
    /// Bids.
    pub bids: Vec<Level>,
    /// Asks.
    pub asks: Vec<Level>,
}

/// A best bid and ask.
#[derive(Clone, Debug)]
pub struct PlayedTouch {
    /// Update id.
    pub sequence: u64,
    /// Best bid.
    pub bid: Option<Level>,
    /// Best ask.
    pub ask: Option<Level>,
}

/// A trade.
#[derive(Clone, Debug)]
pub struct PlayedTrade {
    /// Trade number.
    pub id: u64,
    /// Event time as printed.
    pub event_time: i64,
    /// Trade time as printed.
    pub trade_time: i64,
    /// Price.
    pub tick: Tick,
    /// Price as printed.
    pub price: String,
    /// Quantity.
    pub lots: Lots,
    /// Quantity as printed.
    pub quantity: String,
    /// Who was the aggressor.
    pub aggressor: Side,
    /// Whether it was an ordinary one (not insurance fund or ADL).
    pub ordinary: bool,
}

type Pair<'a> = (&'a str, &'a str);

#[derive(Deserialize)]
struct RawDepth<'a> {
    #[serde(rename = "U")]
    first: u64,
    #[serde(rename = "u")]
    last: u64,
    #[serde(borrow, rename = "b")]
    bids: Vec<Pair<'a>>,
    #[serde(borrow, rename = "a")]
    asks: Vec<Pair<'a>>,
}

#[derive(Deserialize)]
struct RawSnapshot<'a> {
    #[serde(rename = "lastUpdateId")]
    last: u64,
    #[serde(borrow)]
    bids: Vec<Pair<'a>>,
    #[serde(borrow)]
    asks: Vec<Pair<'a>>,
}

#[derive(Deserialize)]
struct RawTouch<'a> {
    #[serde(rename = "u")]
    sequence: u64,
    #[serde(rename = "b")]
    bid_price: &'a str,
    #[serde(rename = "B")]
    bid_quantity: &'a str,
    #[serde(rename = "a")]
    ask_price: &'a str,
    #[serde(rename = "A")]
    ask_quantity: &'a str,
}

#[derive(Deserialize)]
struct RawTrade<'a> {
    #[serde(alias = "a")]
    t: u64,
    #[serde(rename = "E")]
    event_time: i64,
    #[serde(rename = "T")]
    trade_time: i64,
    #[serde(rename = "p")]
    price: &'a str,
    #[serde(rename = "q")]
    quantity: &'a str,
    #[serde(rename = "m")]
    buyer_is_maker: bool,
    #[serde(rename = "X")]
    kind: Option<&'a str>,
}

/// Finds the stream's name and the inner message of a frame; a bare object is its own inner message.
#[must_use]
pub fn split(bytes: &[u8]) -> Option<Parts> {
    let text = std::str::from_utf8(bytes).ok()?;
    let end = text.trim_end().len();
    if !text.starts_with("{\"stream\"") {
        let bare = text.starts_with('{') && text[..end].ends_with('}');
        return bare.then(|| Parts { stream: String::new(), data: 0..end });
    }
    let key_end = text.find(':')?;
    let name_start = key_end + 1 + text[key_end + 1..].find('"')? + 1;
    let name_end = name_start + text[name_start..].find('"')?;
    let data_key = name_end + text[name_end..].find("\"data\"")? + 6;
    let data_start = data_key + text[data_key..].find('{')?;
    let inner = text[..end].strip_suffix('}')?.trim_end();
    (inner.len() > data_start && inner.ends_with('}'))
        .then(|| Parts { stream: text[name_start..name_end].to_owned(), data: data_start..inner.len() })
}

/// Whether a bare message is a REST snapshot.
#[must_use]
pub fn is_snapshot(bytes: &[u8]) -> bool {
    bytes.windows(14).take(64).any(|window| window == b"\"lastUpdateId\"")
}

fn levels(pairs: &[Pair<'_>], listing: &Listing) -> Result<Vec<Level>, String> {
    let level = |(price, quantity): &Pair<'_>| {
        let tick = listing.price.parse(price.as_bytes()).map_err(|error| format!("price {price}: {error}"))?;
        let lots =
            listing.quantity.parse(quantity.as_bytes()).map_err(|error| format!("quantity {quantity}: {error}"))?;
        Ok(Level { tick: Tick(tick), lots: Lots(lots) })
    };
    pairs.iter().map(level).collect()
}

fn some_level(level: Level) -> Option<Level> {
    (!level.lots.is_zero()).then_some(level)
}

/// Reads the inner message of a channel.
///
/// # Errors
/// What is wrong with it.
pub fn read(channel: &str, data: &[u8], listing: &Listing) -> Result<PlayedMessage, String> {
    let wrong = |error: serde_json::Error| error.to_string();
    match channel {
        "depth" => {
            let raw: RawDepth<'_> = serde_json::from_slice(data).map_err(wrong)?;
            Ok(PlayedMessage::Depth(PlayedDepth {
                first: raw.first,
                last: raw.last,
                bids: levels(&raw.bids, listing)?,
                asks: levels(&raw.asks, listing)?,
            }))
        }
        "bookTicker" => {
            let raw: RawTouch<'_> = serde_json::from_slice(data).map_err(wrong)?;
            let both = levels(&[(raw.bid_price, raw.bid_quantity), (raw.ask_price, raw.ask_quantity)], listing)?;
            Ok(PlayedMessage::Touch(PlayedTouch {
                sequence: raw.sequence,
                bid: some_level(both[0]),
                ask: some_level(both[1]),
            }))
        }
        "trade" | "aggTrade" => {
            let raw: RawTrade<'_> = serde_json::from_slice(data).map_err(wrong)?;
            let level = levels(&[(raw.price, raw.quantity)], listing)?;
            Ok(PlayedMessage::Trade(PlayedTrade {
                id: raw.t,
                event_time: raw.event_time,
                trade_time: raw.trade_time,
                tick: level[0].tick,
                price: raw.price.to_owned(),
                lots: level[0].lots,
                quantity: raw.quantity.to_owned(),
                aggressor: if raw.buyer_is_maker { Side::Ask } else { Side::Bid },
                ordinary: raw.kind.is_none_or(|kind| kind == "MARKET"),
            }))
        }
        _ => Ok(PlayedMessage::Other),
    }
}

/// Reads a REST snapshot.
///
/// # Errors
/// What is wrong with it.
pub fn read_snapshot(data: &[u8], listing: &Listing) -> Result<PlayedDepth, String> {
    let raw: RawSnapshot<'_> = serde_json::from_slice(data).map_err(|error| error.to_string())?;
    Ok(PlayedDepth {
        first: raw.last,
        last: raw.last,
        bids: levels(&raw.bids, listing)?,
        asks: levels(&raw.asks, listing)?,
    })
}

/// The id of a REST snapshot.
#[must_use]
pub fn snapshot_sequence(data: &[u8]) -> Option<u64> {
    serde_json::from_slice::<RawSnapshot<'_>>(data).ok().map(|raw| raw.last)
}

/// The stream that a bare message belongs to: symbol in lower case and channel.
#[must_use]
pub fn bare_stream(data: &[u8]) -> Option<(String, &'static str)> {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(rename = "s")]
        symbol: &'a str,
        #[serde(rename = "e")]
        event: Option<&'a str>,
    }
    let named: Named<'_> = serde_json::from_slice(data).ok()?;
    let channel = match named.event {
        Some("depthUpdate") => "depth",
        Some("bookTicker") | None => "bookTicker",
        Some("trade") => "trade",
        Some("aggTrade") => "aggTrade",
        Some(_) => return None,
    };
    Some((named.symbol.to_lowercase(), channel))
}
