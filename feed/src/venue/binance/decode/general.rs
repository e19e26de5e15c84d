//! HOT: the general decoder: any layout of Binance's messages, through simd-json's tape.

use spinbook_engine::types::{Level, Lots, Nanos, Side, Tick};

use super::{Product, time_from_millis};
use crate::error::DecodeError;
use crate::json::Value;
use crate::scan::Scales;
use crate::venue::market::{LevelScratch, Message, SymbolTable, UpdateIds};

/// What the general decoder knows of the connection.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) product: Product,
    pub(super) scales: &'a [Scales],
}

/// Fields that any message may have, by the venue's names; each at most once.
#[derive(Default)]
struct Fields<'tape, 'input> {
    event: Option<Value<'tape, 'input>>,
    event_time: Option<Value<'tape, 'input>>,
    symbol: Option<Value<'tape, 'input>>,
    first: Option<Value<'tape, 'input>>,
    last: Option<Value<'tape, 'input>>,
    previous: Option<Value<'tape, 'input>>,
    bid: Option<Value<'tape, 'input>>,
    ask: Option<Value<'tape, 'input>>,
    bid_quantity: Option<Value<'tape, 'input>>,
    ask_quantity: Option<Value<'tape, 'input>>,
    price: Option<Value<'tape, 'input>>,
    quantity: Option<Value<'tape, 'input>>,
    buyer_is_maker: Option<Value<'tape, 'input>>,
    trade_type: Option<Value<'tape, 'input>>,
    last_update: Option<Value<'tape, 'input>>,
    bids: Option<Value<'tape, 'input>>,
    asks: Option<Value<'tape, 'input>>,
    result: Option<Value<'tape, 'input>>,
    id: Option<Value<'tape, 'input>>,
    code: Option<Value<'tape, 'input>>,
    error: Option<Value<'tape, 'input>>,
    stream: Option<Value<'tape, 'input>>,
    data: Option<Value<'tape, 'input>>,
}

impl<'tape, 'input> Fields<'tape, 'input> {
    fn read(value: Value<'tape, 'input>) -> Result<Self, DecodeError> {
        let mut fields = Fields::default();
        for (name, member) in value.members().ok_or(DecodeError::Shape)? {
            let (slot, known) = match name {
                "e" => (&mut fields.event, "e"),
                "E" => (&mut fields.event_time, "E"),
                "s" => (&mut fields.symbol, "s"),
                "U" => (&mut fields.first, "U"),
                "u" => (&mut fields.last, "u"),
                "pu" => (&mut fields.previous, "pu"),
                "b" => (&mut fields.bid, "b"),
                "a" => (&mut fields.ask, "a"),
                "B" => (&mut fields.bid_quantity, "B"),
                "A" => (&mut fields.ask_quantity, "A"),
                "p" => (&mut fields.price, "p"),
                "q" => (&mut fields.quantity, "q"),
                "m" => (&mut fields.buyer_is_maker, "m"),
                "X" => (&mut fields.trade_type, "X"),
                "lastUpdateId" => (&mut fields.last_update, "lastUpdateId"),
                "bids" => (&mut fields.bids, "bids"),
                "asks" => (&mut fields.asks, "asks"),
                "result" => (&mut fields.result, "result"),
                "id" => (&mut fields.id, "id"),
                "code" => (&mut fields.code, "code"),
                "error" => (&mut fields.error, "error"),
                "stream" => (&mut fields.stream, "stream"),
                "data" => (&mut fields.data, "data"),
                _ => continue,
            };
            if slot.replace(member).is_some() {
                return Err(DecodeError::Duplicate(known));
            }
        }
        Ok(fields)
    }
}

/// A frame of a market stream, wrapped (`{"stream":…,"data":…}`) or raw.
pub(super) fn stream(
    value: Value<'_, '_>,
    context: Context<'_>,
    symbols: &mut SymbolTable,
    levels: &mut LevelScratch,
) -> Result<Message, DecodeError> {
    let outer = Fields::read(value)?;
    let (Some(name), Some(data)) = (outer.stream, outer.data) else {
        return message(&outer, None, context, symbols, levels);
    };
    let name = name.string().ok_or(DecodeError::WrongType("stream"))?;
    let inner = Fields::read(data)?;
    message(&inner, Some(name), context, symbols, levels)
}

fn message(
    fields: &Fields<'_, '_>,
    stream: Option<&str>,
    context: Context<'_>,
    symbols: &mut SymbolTable,
    levels: &mut LevelScratch,
) -> Result<Message, DecodeError> {
    if let Some(event) = fields.event {
        return match event.string().ok_or(DecodeError::WrongType("e"))? {
            "depthUpdate" => depth(fields, stream, context, symbols, levels),
            "bookTicker" => touch(fields, stream, context, symbols, levels),
            "trade" | "aggTrade" => trade(fields, stream, context, symbols),
            "serverShutdown" => Ok(Message::Shutdown),
            _ => Ok(Message::Ignored),
        };
    }
    // Spot's best bid/ask names no event: these six fields are what it is known by.
    if fields.last.is_some() && fields.symbol.is_some() && fields.bid_quantity.is_some() {
        return touch(fields, stream, context, symbols, levels);
    }
    if stream.is_some() {
        // Partial books and other channels that a session does not subscribe.
        return if fields.last_update.is_some() { Ok(Message::Ignored) } else { Err(DecodeError::Shape) };
    }
    let id = fields.id.and_then(|id| id.unsigned());
    if let Some(code) = fields.code {
        return refused(code, id);
    }
    if let Some(error) = fields.error {
        let inner = Fields::read(error)?;
        return refused(inner.code.ok_or(DecodeError::Missing("code"))?, id);
    }
    if fields.result.is_some() && fields.id.is_some() {
        return Ok(Message::Acknowledged { id });
    }
    Err(DecodeError::Shape)
}

fn refused(code: Value<'_, '_>, id: Option<u64>) -> Result<Message, DecodeError> {
    let code = code.signed().and_then(|code| i32::try_from(code).ok()).ok_or(DecodeError::WrongType("code"))?;
    Ok(Message::Refused { id, code })
}

fn depth(
    fields: &Fields<'_, '_>,
    stream: Option<&str>,
    context: Context<'_>,
    symbols: &mut SymbolTable,
    levels: &mut LevelScratch,
) -> Result<Message, DecodeError> {
    let symbol = subscribed(fields, stream, symbols)?;
    let scales = context.scales[symbol];
    let previous = match context.product {
        Product::BinanceSpot => 0,
        Product::BinanceUsdm => unsigned(fields.previous, "pu")?,
    };
    let ids = UpdateIds { first: unsigned(fields.first, "U")?, last: unsigned(fields.last, "u")?, previous };
    if ids.first > ids.last {
        return Err(DecodeError::Sequence);
    }
    let event_time = time(fields.event_time.ok_or(DecodeError::Missing("E"))?, "E")?;
    side(fields.bid.ok_or(DecodeError::Missing("b"))?, "b", scales, Side::Bid, levels)?;
    side(fields.ask.ok_or(DecodeError::Missing("a"))?, "a", scales, Side::Ask, levels)?;
    Ok(Message::Depth { symbol, ids, event_time })
}

fn touch(
    fields: &Fields<'_, '_>,
    stream: Option<&str>,
    context: Context<'_>,
    symbols: &mut SymbolTable,
    levels: &mut LevelScratch,
) -> Result<Message, DecodeError> {
    let symbol = subscribed(fields, stream, symbols)?;
    let scales = context.scales[symbol];
    let sequence = unsigned(fields.last, "u")?;
    let event_time = match fields.event_time {
        Some(value) => time(value, "E")?,
        None => Nanos::ZERO,
    };
    let bid = level(text(fields.bid, "b")?, text(fields.bid_quantity, "B")?, scales)?;
    let ask = level(text(fields.ask, "a")?, text(fields.ask_quantity, "A")?, scales)?;
    for (side, best) in [(Side::Bid, bid), (Side::Ask, ask)] {
        // An empty side is printed as zeros.
        if !best.lots.is_zero() && !levels.append(side, best) {
            return Err(DecodeError::TooManyLevels);
        }
    }
    Ok(Message::Touch { symbol, sequence, event_time })
}

fn trade(
    fields: &Fields<'_, '_>,
    stream: Option<&str>,
    context: Context<'_>,
    symbols: &mut SymbolTable,
) -> Result<Message, DecodeError> {
    let symbol = subscribed(fields, stream, symbols)?;
    let scales = context.scales[symbol];
    let event_time = time(fields.event_time.ok_or(DecodeError::Missing("E"))?, "E")?;
    if let Some(kind) = fields.trade_type
        && kind.string().ok_or(DecodeError::WrongType("X"))? != "MARKET"
    {
        // Liquidation and insurance-fund executions are no trades of the book.
        return Ok(Message::Ignored);
    }
    let level = level(text(fields.price, "p")?, text(fields.quantity, "q")?, scales)?;
    let maker = fields.buyer_is_maker.ok_or(DecodeError::Missing("m"))?;
    let aggressor = if maker.boolean().ok_or(DecodeError::WrongType("m"))? { Side::Ask } else { Side::Bid };
    Ok(Message::Trade { symbol, aggressor, level, event_time })
}

/// A REST depth snapshot.
pub(super) fn snapshot(
    value: Value<'_, '_>,
    symbol: usize,
    scales: Scales,
    levels: &mut LevelScratch,
) -> Result<Message, DecodeError> {
    let fields = Fields::read(value)?;
    let last = unsigned(fields.last_update, "lastUpdateId")?;
    let event_time = match fields.event_time {
        Some(value) => time(value, "E")?,
        None => Nanos::ZERO,
    };
    side(fields.bids.ok_or(DecodeError::Missing("bids"))?, "bids", scales, Side::Bid, levels)?;
    side(fields.asks.ok_or(DecodeError::Missing("asks"))?, "asks", scales, Side::Ask, levels)?;
    Ok(Message::Snapshot { symbol, last, event_time })
}

/// The index of the payload's symbol, which must be subscribed and be the one the stream is named after.
fn subscribed(fields: &Fields<'_, '_>, stream: Option<&str>, symbols: &mut SymbolTable) -> Result<usize, DecodeError> {
    let name = text(fields.symbol, "s")?;
    let index = symbols.find(name.as_bytes()).ok_or(DecodeError::WrongSymbol)?;
    if let Some(stream) = stream {
        let (prefix, _) = stream.split_once('@').ok_or(DecodeError::WrongSymbol)?;
        if !symbols.is_lowercase_of(index, prefix.as_bytes()) {
            return Err(DecodeError::WrongSymbol);
        }
    }
    Ok(index)
}

fn side(
    value: Value<'_, '_>,
    name: &'static str,
    scales: Scales,
    side: Side,
    levels: &mut LevelScratch,
) -> Result<(), DecodeError> {
    for element in value.elements().ok_or(DecodeError::WrongType(name))? {
        let mut pair = element.elements().ok_or(DecodeError::WrongType(name))?;
        let (Some(price), Some(quantity), None) = (pair.next(), pair.next(), pair.next()) else {
            return Err(DecodeError::WrongType(name));
        };
        let price = price.string().ok_or(DecodeError::WrongType(name))?;
        let quantity = quantity.string().ok_or(DecodeError::WrongType(name))?;
        if !levels.append(side, level(price, quantity, scales)?) {
            return Err(DecodeError::TooManyLevels);
        }
    }
    Ok(())
}

#[inline]
fn level(price: &str, quantity: &str, scales: Scales) -> Result<Level, DecodeError> {
    Ok(Level {
        tick: Tick(scales.price.parse(price.as_bytes()).map_err(DecodeError::Price)?),
        lots: Lots(scales.quantity.parse(quantity.as_bytes()).map_err(DecodeError::Quantity)?),
    })
}

fn unsigned(value: Option<Value<'_, '_>>, name: &'static str) -> Result<u64, DecodeError> {
    value.ok_or(DecodeError::Missing(name))?.unsigned().ok_or(DecodeError::WrongType(name))
}

fn text<'input>(value: Option<Value<'_, 'input>>, name: &'static str) -> Result<&'input str, DecodeError> {
    value.ok_or(DecodeError::Missing(name))?.string().ok_or(DecodeError::WrongType(name))
}

fn time(value: Value<'_, '_>, name: &'static str) -> Result<Nanos, DecodeError> {
    let millis = value.unsigned().ok_or(DecodeError::WrongType(name))?;
    time_from_millis(millis).ok_or(DecodeError::Time(name))
}
