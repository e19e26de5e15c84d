//! COLD: market frames: both scanners, simd-json and serde_json agree, or all refuse.

use std::cell::RefCell;

use serde_json::Value;
use spinbook_engine::types::{Level, Side};
use spinbook_feed::error::DecodeError;
use spinbook_feed::scan::ScannerChoice;
use spinbook_feed::venue::binance::decode::Decoder;
use spinbook_feed::venue::instrument::Instrument;
use spinbook_feed::venue::market::{FRAME_PADDING, Message};
use spinbook_feed::venue::{ProductLine, binance};

use super::{assert_units, instruments, product};

type Decoded = Result<(Message, Vec<Level>, Vec<Level>), DecodeError>;

/// Decoders of one product.
pub struct Decoders {
    instruments: Vec<Instrument>,
    best: Decoder,
    portable: Decoder,
    general: Decoder,
    buffer: Vec<u8>,
}

impl Decoders {
    pub fn new(product: ProductLine) -> Decoders {
        let instruments = instruments(product);
        let make = |choice| Decoder::with_scanner(product, &instruments, choice);
        Decoders {
            best: make(ScannerChoice::Best),
            portable: make(ScannerChoice::Portable),
            general: make(ScannerChoice::Off),
            buffer: Vec::new(),
            instruments,
        }
    }
}

thread_local! {
    static ALL: RefCell<[Decoders; 2]> =
        RefCell::new([Decoders::new(binance::USDM), Decoders::new(binance::SPOT)]);
}

/// The first byte chooses the product, the rest is the frame.
pub fn check(data: &[u8]) {
    let (product, frame) = product(data);
    let place = usize::from(product == binance::SPOT);
    ALL.with_borrow_mut(|all| compare(product, &mut all[place], frame));
}

fn compare(product: ProductLine, decoders: &mut Decoders, frame: &[u8]) {
    let general = run(&mut decoders.general, &mut decoders.buffer, frame);
    let best = run(&mut decoders.best, &mut decoders.buffer, frame);
    let portable = run(&mut decoders.portable, &mut decoders.buffer, frame);
    let shown = String::from_utf8_lossy(frame);
    assert_eq!(best, general, "{} scanner: {shown}", decoders.best.scanner_name());
    assert_eq!(portable, general, "portable scanner: {shown}");
    if let Ok((message, bids, asks)) = general {
        let value: Value = serde_json::from_slice(frame).unwrap_or_else(|why| panic!("taken, but {why}: {shown}"));
        let body = match value.get("data") {
            Some(data) if value.get("stream").is_some() => data,
            _ => &value,
        };
        agree(product, &decoders.instruments, body, &message, &bids, &asks);
    }
}

fn run(decoder: &mut Decoder, buffer: &mut Vec<u8>, frame: &[u8]) -> Decoded {
    buffer.clear();
    buffer.extend_from_slice(frame);
    buffer.resize(frame.len() + FRAME_PADDING, b'7');
    let message = decoder.decode(buffer, frame.len())?;
    Ok((message, decoder.levels().bids().to_vec(), decoder.levels().asks().to_vec()))
}

/// What was understood is what serde_json reads.
fn agree(
    product: ProductLine,
    instruments: &[Instrument],
    body: &Value,
    message: &Message,
    bids: &[Level],
    asks: &[Level],
) {
    let number = |key: &str| {
        let value = body.get(key)?;
        // serde_json takes `-0` for a fraction; it is a whole number all the same.
        let text = value.to_string();
        value.as_u64().or_else(|| (text == "-0.0").then_some(0))
    };
    let text = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_else(|| panic!("{key}: {body}"));
    let named = |symbol: usize| {
        assert_eq!(text("s"), instruments[symbol].symbol.as_str());
        &instruments[symbol]
    };
    match *message {
        Message::Depth { symbol, ids, .. } => {
            let instrument = named(symbol);
            assert_eq!((number("U"), number("u")), (Some(ids.first), Some(ids.last)), "{body}");
            if product == binance::USDM {
                assert_eq!(number("pu"), Some(ids.previous), "{body}");
            }
            levels(instrument, &body["b"], bids);
            levels(instrument, &body["a"], asks);
        }
        Message::Touch { symbol, sequence, .. } => {
            let instrument = named(symbol);
            assert_eq!(number("u"), Some(sequence), "{body}");
            touch(instrument, text("b"), text("B"), bids);
            touch(instrument, text("a"), text("A"), asks);
        }
        Message::Trade { symbol, aggressor, level, .. } => {
            one(named(symbol), text("p"), text("q"), level);
            assert_eq!(body.get("m").and_then(Value::as_bool), Some(aggressor == Side::Ask), "{body}");
        }
        _ => {}
    }
}

/// All levels of one side, in order.
pub fn levels(instrument: &Instrument, rows: &Value, levels: &[Level]) {
    let rows = rows.as_array().unwrap_or_else(|| panic!("no levels: {rows}"));
    assert_eq!(rows.len(), levels.len(), "every level is kept");
    for (row, level) in rows.iter().zip(levels) {
        let (Some(price), Some(quantity)) = (row[0].as_str(), row[1].as_str()) else { panic!("{row}") };
        one(instrument, price, quantity, *level);
    }
}

fn touch(instrument: &Instrument, price: &str, quantity: &str, levels: &[Level]) {
    match levels {
        [level] => one(instrument, price, quantity, *level),
        [] => assert!(super::decimal(quantity).is_none_or(|value| value.is_zero()), "{quantity} was dropped"),
        _ => panic!("more than one best level"),
    }
}

fn one(instrument: &Instrument, price: &str, quantity: &str, level: Level) {
    assert_units(&instrument.price, level.tick.0, price);
    assert_units(&instrument.quantity, level.lots.0, quantity);
}
