//! COLD: what recorded or synthetic market frames say, for the exchange's own book; relayed bytes are never touched.

use crate::sim::api::{Listing, ListingIndex};
use crate::venue::ProductLine;
use crate::venue::binance::decode::Decoder;
use crate::venue::instrument::{Instrument, InstrumentStatus, Symbol};
use crate::venue::market::{FRAME_PADDING, Message};
use serde::Deserialize;
use spinbook_engine::types::{InstrumentId, Level, Lots, Side, Tick};
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

/// Reads market frames with the decoder of the venue's market side; trades, of which the exchange relays more than
/// that decoder gives, beside it.
#[derive(Debug)]
pub struct FrameReader {
    decoder: Decoder,
    padded: Vec<u8>,
}

impl FrameReader {
    /// A reader for these listings, whose places are their indices.
    ///
    /// # Errors
    /// A symbol or an asset has a name that is too long.
    pub fn new(product: ProductLine, listings: &[Listing]) -> Result<FrameReader, String> {
        let instruments: Option<Vec<Instrument>> =
            listings.iter().enumerate().map(|(index, listing)| instrument(product, listing, index)).collect();
        let instruments = instruments.ok_or("a listed symbol or asset has a name that no instrument may have")?;
        Ok(FrameReader { decoder: Decoder::new(product, &instruments), padded: Vec::new() })
    }

    fn pad(&mut self, bytes: &[u8]) {
        self.padded.clear();
        self.padded.extend_from_slice(bytes);
        self.padded.resize(bytes.len() + FRAME_PADDING, 0);
    }

    /// Reads a frame of a channel of the listing at `index`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(
        &mut self,
        channel: &str,
        frame: &[u8],
        parts: &Parts,
        (index, listing): (ListingIndex, &Listing),
    ) -> Result<PlayedMessage, String> {
        match channel {
            "depth" | "bookTicker" => {}
            "trade" | "aggTrade" => return trade(&frame[parts.data.clone()], listing).map(PlayedMessage::Trade),
            _ => return Ok(PlayedMessage::Other),
        }
        self.pad(frame);
        let message = self.decoder.decode(&mut self.padded, frame.len()).map_err(|error| error.to_string())?;
        let levels = self.decoder.levels();
        match message {
            Message::Depth { symbol, ids, .. } if symbol == index => Ok(PlayedMessage::Depth(PlayedDepth {
                first: ids.first,
                last: ids.last,
                bids: levels.bids().to_vec(),
                asks: levels.asks().to_vec(),
            })),
            Message::Touch { symbol, sequence, .. } if symbol == index => Ok(PlayedMessage::Touch(PlayedTouch {
                sequence,
                bid: levels.bids().first().copied().filter(|level| !level.lots.is_zero()),
                ask: levels.asks().first().copied().filter(|level| !level.lots.is_zero()),
            })),
            other => Err(format!("a {channel} frame of {} says {other:?}", listing.symbol)),
        }
    }

    /// Reads a REST snapshot of the listing at `index`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read_snapshot(&mut self, data: &[u8], index: ListingIndex) -> Result<PlayedDepth, String> {
        self.pad(data);
        let decoded = self.decoder.decode_snapshot(index, &mut self.padded, data.len());
        match decoded.map_err(|error| error.to_string())? {
            Message::Snapshot { last, .. } => {
                let levels = self.decoder.levels();
                Ok(PlayedDepth { first: last, last, bids: levels.bids().to_vec(), asks: levels.asks().to_vec() })
            }
            other => Err(format!("a snapshot says {other:?}")),
        }
    }
}

/// What the decoder needs to know of a listing.
fn instrument(product: ProductLine, listing: &Listing, index: ListingIndex) -> Option<Instrument> {
    Some(Instrument {
        id: InstrumentId(u16::try_from(index).ok()?),
        venue: product.venue_id(),
        symbol: Symbol::new(&listing.symbol)?,
        base_asset: Symbol::new(&listing.base)?,
        quote_asset: Symbol::new(&listing.quote)?,
        contract: product.card().contract,
        price: listing.price,
        quantity: listing.quantity,
        tick_order_step: listing.tick_step,
        lots_order_step: listing.order_step_lots,
        lots_order_min: Lots(listing.lots_min),
        lots_order_max: Lots(listing.lots_max),
        tick_order_min: Tick(listing.tick_step),
        tick_order_max: Tick(listing.tick_max),
        notional_min: listing.notional_min,
        atoms_per_tick_lot: listing.atoms_per_tick_lot,
        status: InstrumentStatus::Trading,
    })
}

fn trade(data: &[u8], listing: &Listing) -> Result<PlayedTrade, String> {
    let raw: RawTrade<'_> = serde_json::from_slice(data).map_err(|error| error.to_string())?;
    let tick = listing.price.parse(raw.price.as_bytes()).map_err(|error| format!("price {}: {error}", raw.price))?;
    let lots = listing.quantity.parse(raw.quantity.as_bytes());
    Ok(PlayedTrade {
        id: raw.t,
        event_time: raw.event_time,
        trade_time: raw.trade_time,
        tick: Tick(tick),
        price: raw.price.to_owned(),
        lots: Lots(lots.map_err(|error| format!("quantity {}: {error}", raw.quantity))?),
        quantity: raw.quantity.to_owned(),
        aggressor: if raw.buyer_is_maker { Side::Ask } else { Side::Bid },
        ordinary: raw.kind.is_none_or(|kind| kind == "MARKET"),
    })
}

/// The id of a REST snapshot.
#[must_use]
pub fn snapshot_sequence(data: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Named {
        #[serde(rename = "lastUpdateId")]
        last: u64,
    }
    serde_json::from_slice::<Named>(data).ok().map(|named| named.last)
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
