//! COLD: Binance in other people's recordings: hosts, paths, and frames read field by field without a known scale.

use serde_json::Value;

use super::instruments::parse_instruments;
use super::{SPOT, USDM};
use crate::venue::ProductLine;
use crate::venue::instrument::Symbol;
use crate::venue::recordings::{NumberSink, RecordedForm, RecordedFrame, RecordedReply};

/// How recordings of Binance are read.
pub const RECORDED: RecordedForm =
    RecordedForm { product, reply, is_snapshot, frame, snapshot, instruments: parse_instruments };

fn product(url: Option<&str>, exchange: Option<&str>) -> Option<ProductLine> {
    if let Some(url) = url {
        if url.contains("fapi.binance.com") || url.contains("fstream.binance.com") {
            return Some(USDM);
        }
        if url.contains("api.binance.com") || url.contains("stream.binance.com") {
            return Some(SPOT);
        }
    }
    match exchange? {
        "BINANCE_FUTURES" => Some(USDM),
        "BINANCE" => Some(SPOT),
        _ => None,
    }
}

fn reply(url: &str) -> Option<RecordedReply> {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    if path.ends_with("/exchangeInfo") {
        return Some(RecordedReply::Instruments);
    }
    if path.ends_with("/depth") {
        let symbol = query.split('&').find_map(|pair| pair.strip_prefix("symbol="));
        return Some(RecordedReply::Snapshot { symbol: symbol.and_then(Symbol::new) });
    }
    None
}

fn is_snapshot(frame: &[u8]) -> bool {
    frame.starts_with(b"{\"lastUpdateId\"")
}

fn frame(frame: &[u8], numbers: NumberSink<'_>) -> Option<RecordedFrame> {
    let value = serde_json::from_slice::<Value>(frame).ok()?;
    let stream = value.get("stream").and_then(Value::as_str);
    let body = value.get("data").unwrap_or(&value);
    let event = body.get("e").and_then(Value::as_str);
    let product = match event {
        Some("depthUpdate") if body.get("pu").is_some() => Some(USDM),
        Some("depthUpdate") => Some(SPOT),
        _ => None,
    };
    let of_market = match event {
        Some(event) => matches!(event, "depthUpdate" | "bookTicker" | "trade" | "aggTrade"),
        None => body.get("B").is_some(),
    };
    let is_streams = |symbol: &Symbol| {
        let lowercase = symbol.to_lowercase();
        stream.is_none_or(|stream| stream.split('@').next() == Some(lowercase.as_str()))
    };
    let symbol =
        body.get("s").and_then(Value::as_str).and_then(Symbol::new).filter(|symbol| of_market && is_streams(symbol));
    if symbol.is_some() {
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        for (price, quantity) in [("b", "B"), ("a", "A"), ("p", "q")] {
            if let (Some(price), Some(quantity)) = (text(price), text(quantity)) {
                numbers(price, quantity);
            }
        }
        levels(body.get("b"), numbers);
        levels(body.get("a"), numbers);
    }
    Some(RecordedFrame { product, symbol })
}

fn snapshot(body: &[u8], numbers: NumberSink<'_>) -> bool {
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        return false;
    };
    levels(value.get("bids"), numbers);
    levels(value.get("asks"), numbers);
    true
}

fn levels(side: Option<&Value>, numbers: NumberSink<'_>) {
    for level in side.and_then(Value::as_array).into_iter().flatten() {
        if let (Some(price), Some(quantity)) =
            (level.get(0).and_then(Value::as_str), level.get(1).and_then(Value::as_str))
        {
            numbers(price, quantity);
        }
    }
}
