//! COLD: schema scanners against simd-json against serde_json, on recorded frames and on damaged ones.
//!
//! The scanner may say "this message" or "not mine"; what it says must be what the general decoder says, and
//! what an independent, slow decoder on serde_json and rust_decimal says.

use crate::support;
use rust_decimal::Decimal;
use serde_json::Value;
use spinbook_engine::types::{Level, Lots, Nanos, Side, Tick};
use spinbook_feed::error::DecodeError;
use spinbook_feed::history::recorded_instruments;
use spinbook_feed::random::Random;
use spinbook_feed::scan::ScannerChoice;
use spinbook_feed::venue::binance::decode::Decoder;
use spinbook_feed::venue::instrument::Instrument;
use spinbook_feed::venue::market::{FRAME_PADDING, Message, UpdateIds};
use spinbook_feed::venue::{ProductLine, binance};

type Decoded = (Message, Vec<Level>, Vec<Level>);

/// All decoders of one market, side by side.
struct Bench {
    product: ProductLine,
    instruments: Vec<Instrument>,
    best: Decoder,
    portable: Decoder,
    general: Decoder,
    buffer: Vec<u8>,
    agreed: u64,
    refused: u64,
}

impl Bench {
    fn new(product: ProductLine, instruments: Vec<Instrument>) -> Bench {
        let make = |choice| Decoder::with_scanner(product, &instruments, choice);
        Bench {
            product,
            best: make(ScannerChoice::Best),
            portable: make(ScannerChoice::Portable),
            general: make(ScannerChoice::Off),
            buffer: Vec::new(),
            agreed: 0,
            refused: 0,
            instruments,
        }
    }

    /// Compares every decoder on `frame`; what follows it in memory is `behind`.
    fn compare(&mut self, frame: &[u8], behind: &[u8]) -> Result<Decoded, DecodeError> {
        let general = run(&mut self.general, &mut self.buffer, frame, behind);
        let best = run(&mut self.best, &mut self.buffer, frame, behind);
        let portable = run(&mut self.portable, &mut self.buffer, frame, behind);
        let shown = || String::from_utf8_lossy(frame);
        assert_eq!(best, general, "{} scanner: {}", self.best.scanner_name(), shown());
        assert_eq!(portable, general, "portable scanner: {}", shown());
        match (&general, plain(self.product, &self.instruments, frame)) {
            (Ok(general), Some(plain)) if *general == plain => self.agreed += 1,
            (Ok((Message::Depth { .. } | Message::Touch { .. } | Message::Trade { .. }, _, _)), plain) => {
                panic!("general {general:?}\nplain {plain:?}\n{}", shown())
            }
            (Ok(_), plain) => assert_eq!(plain, None, "{general:?} {}", shown()),
            (Err(_), None) => self.refused += 1,
            (Err(error), Some(plain)) => panic!("general {error:?}, plain {plain:?}: {}", shown()),
        }
        general
    }
}

fn run(decoder: &mut Decoder, buffer: &mut Vec<u8>, frame: &[u8], behind: &[u8]) -> Result<Decoded, DecodeError> {
    buffer.clear();
    buffer.extend_from_slice(frame);
    buffer.extend_from_slice(&behind[..behind.len().min(FRAME_PADDING)]);
    buffer.resize(frame.len() + FRAME_PADDING, b'7');
    let message = decoder.decode(buffer, frame.len())?;
    Ok((message, decoder.levels().bids().to_vec(), decoder.levels().asks().to_vec()))
}

/// The slow truth: serde_json for the shape, rust_decimal for the numbers. `None`: refused or nothing of the
/// market.
fn plain(product: ProductLine, instruments: &[Instrument], frame: &[u8]) -> Option<Decoded> {
    let value: Value = serde_json::from_slice(frame).ok()?;
    if duplicate_keys(frame) {
        return None;
    }
    let wrapped = value.get("stream").is_some() && value.get("data").is_some();
    let body = if wrapped { value.get("data")? } else { &value };
    body.as_object()?;
    let stream = if wrapped { Some(value.get("stream")?.as_str()?) } else { None };
    let event = match body.get("e") {
        Some(event) => event.as_str()?,
        None => {
            body.get("u").and(body.get("s")).and(body.get("B"))?;
            "bookTicker"
        }
    };
    let name = body.get("s")?.as_str()?;
    let index = instruments.iter().position(|instrument| instrument.symbol.as_str() == name)?;
    if let Some(stream) = stream
        && stream.split_once('@')?.0 != name.to_ascii_lowercase()
    {
        return None;
    }
    let instrument = &instruments[index];
    let time = |key: &str| Some(Nanos(i64::try_from(body.get(key)?.as_u64()?).ok()?.checked_mul(1_000_000)?));
    let level = |price: &Value, quantity: &Value| {
        Some(Level {
            tick: Tick(units(instrument.price.decimal(1), price.as_str()?)?),
            lots: Lots(units(instrument.quantity.decimal(1), quantity.as_str()?)?),
        })
    };
    match event {
        "depthUpdate" => {
            let side = |key: &str| -> Option<Vec<Level>> {
                body.get(key)?
                    .as_array()?
                    .iter()
                    .map(|pair| match pair.as_array()?.as_slice() {
                        [price, quantity] => level(price, quantity),
                        _ => None,
                    })
                    .collect()
            };
            let previous = if product == binance::SPOT { 0 } else { body.get("pu")?.as_u64()? };
            let ids = UpdateIds { first: body.get("U")?.as_u64()?, last: body.get("u")?.as_u64()?, previous };
            let message = Message::Depth { symbol: index, ids, event_time: time("E")? };
            (ids.first <= ids.last).then_some((message, side("b")?, side("a")?))
        }
        "bookTicker" => {
            let event_time = if body.get("E").is_some() { time("E")? } else { Nanos::ZERO };
            let message = Message::Touch { symbol: index, sequence: body.get("u")?.as_u64()?, event_time };
            let (bid, ask) = (level(body.get("b")?, body.get("B")?)?, level(body.get("a")?, body.get("A")?)?);
            let shown = |level: Level| if level.lots.is_zero() { vec![] } else { vec![level] };
            Some((message, shown(bid), shown(ask)))
        }
        "trade" | "aggTrade" => {
            if let Some(kind) = body.get("X")
                && kind.as_str()? != "MARKET"
            {
                return None;
            }
            let aggressor = if body.get("m")?.as_bool()? { Side::Ask } else { Side::Bid };
            let level = level(body.get("p")?, body.get("q")?)?;
            Some((Message::Trade { symbol: index, aggressor, level, event_time: time("E")? }, vec![], vec![]))
        }
        _ => None,
    }
}

/// A text as whole units, by rust_decimal.
fn units(unit: Decimal, text: &str) -> Option<i64> {
    if !text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'-' | b'+'))
        || text.starts_with(['.', '-', '+'])
        || text.ends_with('.')
        || text.contains(".e")
        || text.contains(".E")
    {
        return None;
    }
    let value = if text.contains(['e', 'E']) { scientific(text)? } else { text.parse::<Decimal>().ok()? };
    let significant = value.normalize().mantissa().to_string().trim_end_matches('0').len();
    if significant > 18 {
        return None;
    }
    let units = value.checked_div(unit)?.normalize();
    (units.scale() == 0).then(|| i64::try_from(units.mantissa()).ok())?
}

fn scientific(text: &str) -> Option<Decimal> {
    let (digits, exponent) = text.split_once(['e', 'E'])?;
    let value: Decimal = digits.parse().ok()?;
    let sign_free = exponent.trim_start_matches(['+', '-']);
    if sign_free.is_empty() || exponent.len() - sign_free.len() > 1 || !sign_free.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    if value.is_zero() {
        return Some(value);
    }
    let exponent: i32 = exponent.parse().ok()?;
    let mut value = value.normalize();
    for _ in 0..exponent.unsigned_abs().min(60) {
        value = if exponent > 0 {
            value.checked_mul(Decimal::TEN)?
        } else {
            let scale = value.scale() + 1;
            if scale > 28 {
                return None;
            }
            Decimal::from_i128_with_scale(value.mantissa(), scale)
        };
    }
    Some(value)
}

/// Whether an object of the message names one of its known fields twice: `serde_json::Value` keeps the last.
fn duplicate_keys(frame: &[u8]) -> bool {
    use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
    struct Seen<'a>(&'a mut bool);
    impl<'de> DeserializeSeed<'de> for Seen<'_> {
        type Value = ();
        fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
            deserializer.deserialize_any(self)
        }
    }
    impl<'de> Visitor<'de> for Seen<'_> {
        type Value = ();
        fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            out.write_str("JSON")
        }
        fn visit_bool<E>(self, _: bool) -> Result<(), E> {
            Ok(())
        }
        fn visit_i64<E>(self, _: i64) -> Result<(), E> {
            Ok(())
        }
        fn visit_u64<E>(self, _: u64) -> Result<(), E> {
            Ok(())
        }
        fn visit_f64<E>(self, _: f64) -> Result<(), E> {
            Ok(())
        }
        fn visit_str<E>(self, _: &str) -> Result<(), E> {
            Ok(())
        }
        fn visit_unit<E>(self) -> Result<(), E> {
            Ok(())
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
            while sequence.next_element_seed(Seen(self.0))?.is_some() {}
            Ok(())
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            let mut names = std::collections::BTreeSet::new();
            while let Some(name) = map.next_key::<String>()? {
                map.next_value_seed(Seen(self.0))?;
                let known = [
                    "e",
                    "E",
                    "s",
                    "U",
                    "u",
                    "pu",
                    "b",
                    "a",
                    "B",
                    "A",
                    "p",
                    "q",
                    "m",
                    "X",
                    "lastUpdateId",
                    "bids",
                    "asks",
                    "result",
                    "id",
                    "code",
                    "error",
                    "stream",
                    "data",
                ];
                *self.0 |= known.contains(&name.as_str()) && !names.insert(name);
            }
            Ok(())
        }
    }
    let mut found = false;
    let mut deserializer = serde_json::Deserializer::from_slice(frame);
    let _ = Seen(&mut found).deserialize(&mut deserializer);
    found
}

fn recorded(names: &[&str], every: usize, mutations: usize) {
    let Some(files) = support::recorded(names) else { return };
    let (product, instruments) = recorded_instruments(&files, None).unwrap();
    let mut bench = Bench::new(product, instruments);
    let frames = support::frames(&files, usize::MAX);
    let mut scannable = 0;
    for frame in frames.iter().step_by(every) {
        let decoded = bench.compare(frame, b"").unwrap();
        scannable +=
            u64::from(matches!(decoded.0, Message::Depth { .. } | Message::Touch { .. } | Message::Trade { .. }));
    }
    assert_eq!(bench.best.counts().scanned, scannable, "every depth update, best bid/ask and trade is scanned");
    assert_eq!(bench.portable.counts().scanned, scannable);
    println!("{} frames, {scannable} scanned, {} agreed", frames.len().div_ceil(every), bench.agreed);

    let seed = 20_261_120;
    let mut random = Random::new(seed);
    let before = (bench.best.counts().scanned, bench.agreed, bench.refused);
    for _ in 0..mutations {
        let frame = &frames[(random.next_u64() % frames.len() as u64) as usize];
        if frame.len() > 6_000 && !random.next_u64().is_multiple_of(8) {
            continue;
        }
        let mut damaged = frame.clone();
        for _ in 0..=random.next_u64() % 2 {
            support::damage(&mut damaged, &mut random);
        }
        let _ = bench.compare(&damaged, b"");
        // A cut frame with its own continuation behind it in memory must not be completed from there.
        let cut = (random.next_u64() % frame.len() as u64) as usize;
        assert!(bench.compare(&frame[..cut], &frame[cut..]).is_err());
    }
    println!(
        "seed {seed}: {} damaged frames scanned, {} still agreed, {} refused",
        bench.best.counts().scanned - before.0,
        bench.agreed - before.1,
        bench.refused - before.2
    );
}

#[test]
fn usdm_2024() {
    recorded(&support::USDM_2024, 1, 12_000);
}

#[test]
fn usdm_2023() {
    recorded(&support::USDM_2023, 1, 12_000);
}

#[test]
fn spot_2024() {
    recorded(&support::SPOT_2024, 1, 12_000);
}

#[test]
fn usdm_alts() {
    recorded(&support::USDM_ALTS, 1, 6_000);
}

/// Frames by hand: every layout that is documented, and the edges of what a scanner may take.
#[test]
fn fixtures() {
    let usdm = vec![support::instrument(binance::USDM, 0, "SUSHIUSDT", "0.0010", "1")];
    let spot = vec![
        support::instrument(binance::SPOT, 0, "BNBBTC", "0.00010000", "0.00000001"),
        support::instrument(binance::SPOT, 1, "１２３４５６", "0.01000000", "0.00000001"),
    ];
    let mut scanned = 0;
    for (product, instruments, text) in [
        (binance::USDM, usdm, include_str!("../fixtures/binance/usdm.txt")),
        (binance::SPOT, spot, include_str!("../fixtures/binance/spot.txt")),
    ] {
        let mut bench = Bench::new(product, instruments);
        let mut random = Random::new(1);
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let (expected, frame) = line.split_once(' ').unwrap();
            let before = bench.best.counts().scanned;
            let decoded = bench.compare(frame.as_bytes(), b"");
            let found = match (&decoded, bench.best.counts().scanned - before) {
                (Ok((Message::Ignored, ..)), _) => "ignored".to_owned(),
                (Ok((Message::Shutdown, ..)), _) => "shutdown".to_owned(),
                (Ok((Message::Acknowledged { id }, ..)), _) => format!("ack:{}", id.map_or(-1, |id| id as i64)),
                (Ok((Message::Refused { code, .. }, ..)), _) => format!("refused:{code}"),
                (Ok(_), 1) => "scanned".to_owned(),
                (Ok(_), _) => "general".to_owned(),
                (Err(error), _) => format!("{error:?}").split(['(', ' ']).next().unwrap().to_owned(),
            };
            assert_eq!(found, expected, "{frame}\n{decoded:?}");
            scanned += u64::from(found == "scanned");
            for _ in 0..300 {
                let mut damaged = frame.as_bytes().to_vec();
                support::damage(&mut damaged, &mut random);
                let _ = bench.compare(&damaged, b"");
            }
        }
    }
    assert!(scanned >= 12, "{scanned}");
}

/// JSON as nobody sends it: refused, without recursion and without a panic.
#[test]
fn monstrous_json_is_refused() {
    let instruments = vec![support::instrument(binance::USDM, 0, "SUSHIUSDT", "0.0010", "1")];
    let mut bench = Bench::new(binance::USDM, instruments);
    let depth = |body: &str| {
        format!("{{\"e\":\"depthUpdate\",\"E\":1,\"s\":\"SUSHIUSDT\",\"U\":1,\"u\":2,\"pu\":0,\"b\":{body},\"a\":[]}}")
    };
    let monsters = [
        String::new(),
        " ".to_owned(),
        "\u{feff}{}".to_owned(),
        "[".repeat(100_000),
        "{\"a\":".repeat(50_000),
        format!("{}{}", "[".repeat(50_000), "]".repeat(50_000)),
        depth(&format!("{}{}", "[".repeat(40), "]".repeat(40))),
        depth("[[\"7.6\",\"1\"],]"),
        depth("[[\"7.6\",\"1\"]"),
        depth("[[\"7.60\u{0}\",\"1\"]]"),
        depth("[[\"7.60\\u0030\\ud800\",\"1\"]]"),
        depth("null"),
        depth("{}"),
        depth("[[]]"),
        depth("[[\"7.6000\",null]]"),
        depth("[[\"1e999999999999\",\"1\"]]"),
        depth(&format!("[[\"{}\",\"1\"]]", "9".repeat(200_000))),
        depth("[]").replace("\"U\":1", "\"U\":-1"),
        depth("[]").replace("\"U\":1", "\"U\":1.5"),
        depth("[]").replace("\"U\":1", "\"U\":18446744073709551616"),
        depth("[]").replace("\"U\":1", "\"U\":1e400"),
        depth("[]").replace("\"E\":1", "\"E\":null"),
        depth("[]").replace("depthUpdate", "depthUpdat\\u0065x"),
    ];
    for monster in &monsters {
        let bytes = monster.as_bytes();
        let general = run(&mut bench.general, &mut bench.buffer, bytes, b"");
        assert_eq!(run(&mut bench.best, &mut bench.buffer, bytes, b""), general);
        assert_eq!(run(&mut bench.portable, &mut bench.buffer, bytes, b""), general);
        let shown = &monster[..monster.len().min(120)];
        assert!(matches!(general, Err(_) | Ok((Message::Ignored, ..))), "{shown}: {general:?}");
    }
}

/// Every cut of every hand-made frame, with its own continuation behind it in memory.
#[test]
fn a_frame_cut_at_any_byte_is_refused() {
    let instruments = vec![support::instrument(binance::USDM, 0, "SUSHIUSDT", "0.0010", "1")];
    let mut bench = Bench::new(binance::USDM, instruments);
    let mut cuts = 0;
    for line in include_str!("../fixtures/binance/usdm.txt").lines() {
        let Some(("scanned" | "general", frame)) = line.split_once(' ') else {
            continue;
        };
        for cut in 0..frame.len() {
            let frame = frame.as_bytes();
            assert!(bench.compare(&frame[..cut], &frame[cut..]).is_err());
            cuts += 1;
        }
    }
    assert!(cuts > 2_000);
}
