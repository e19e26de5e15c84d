//! COLD: many streams on one connection: each keeps the template that was learned from its first frame.

use spinbook_feed::random::Random;
use spinbook_feed::scan::ScannerChoice;
use spinbook_feed::venue::binance;
use spinbook_feed::venue::binance::decode::Decoder;
use spinbook_feed::venue::instrument::Instrument;
use spinbook_feed::venue::market::FRAME_PADDING;

use crate::support;

/// Bases of pairs, real ones; of the first two the depth streams' names are alike where it counted.
const BASES: [&str; 12] = ["BTC", "DOGE", "ADA", "SHIB", "ETH", "SOL", "XRP", "BNB", "LTC", "LINK", "AVAX", "1000PEPE"];

/// The frames of one symbol: depth, best bid/ask, and trades of both sides.
fn frames_of(symbol: &str, id: u64) -> [String; 4] {
    let stream = symbol.to_lowercase();
    let trade = |maker: bool| {
        format!(
            r#"{{"stream":"{stream}@aggTrade","data":{{"e":"aggTrade","E":1721260801{id:03},"a":{id},"s":"{symbol}","p":"60000.10","q":"0.004","f":{id},"l":{id},"T":1721260801000,"m":{maker}}}}}"#
        )
    };
    [
        format!(
            r#"{{"stream":"{stream}@depth@100ms","data":{{"e":"depthUpdate","E":1721260801{id:03},"T":1721260801000,"s":"{symbol}","U":{id},"u":{id},"pu":{id},"b":[["60000.00","1.004"]],"a":[]}}}}"#
        ),
        format!(
            r#"{{"stream":"{stream}@bookTicker","data":{{"e":"bookTicker","u":{id},"s":"{symbol}","b":"60000.00","B":"1.004","a":"60000.10","A":"0.100","T":1721260801000,"E":1721260801{id:03}}}}}"#
        ),
        trade(true),
        trade(false),
    ]
}

fn decoder(symbols: &[String], choice: ScannerChoice) -> Decoder {
    let instruments: Vec<Instrument> = symbols
        .iter()
        .enumerate()
        .map(|(place, symbol)| support::instrument(binance::USDM, place as u16, symbol, "0.10", "0.001"))
        .collect();
    Decoder::with_scanner(binance::USDM, &instruments, choice)
}

fn decode(decoder: &mut Decoder, frame: &str) {
    let mut buffer = frame.as_bytes().to_vec();
    buffer.resize(frame.len() + FRAME_PADDING, 0);
    decoder.decode(&mut buffer, frame.len()).unwrap_or_else(|error| panic!("{error}: {frame}"));
}

/// Plays every stream's frames in a random order, `rounds` times, and says how many were learned and left to the other decoder.
fn learned(symbols: &[String], choice: ScannerChoice, rounds: u64, random: &mut Random) -> (u64, u64) {
    let mut decoder = decoder(symbols, choice);
    for round in 0..rounds {
        let mut frames: Vec<String> = symbols.iter().flat_map(|symbol| frames_of(symbol, 100 + round)).collect();
        while !frames.is_empty() {
            let next = random.below(frames.len() as u64) as usize;
            decode(&mut decoder, &frames.swap_remove(next));
        }
    }
    (decoder.counts().learned, decoder.counts().fallback)
}

#[test]
fn each_stream_of_ten_symbols_is_learned_once() {
    let symbols: Vec<String> = BASES.iter().map(|base| format!("{base}USDT")).collect();
    for choice in [ScannerChoice::Best, ScannerChoice::Portable] {
        for seed in 1..=20 {
            for count in 2..=symbols.len() {
                let learned = learned(&symbols[..count], choice, 3, &mut Random::new(seed));
                assert_eq!(learned, (4 * count as u64, 0), "seed {seed}, {count} symbols");
            }
        }
    }
}

#[test]
fn each_stream_of_hundreds_of_symbols_is_learned_once() {
    for (seed, count) in [(1, 100), (2, 100), (3, 100), (4, 200), (5, 300)] {
        let mut random = Random::new(seed);
        let letters =
            |random: &mut Random| (0..3 + random.below(3)).map(|_| (b'A' + random.below(26) as u8) as char).collect();
        let mut symbols: Vec<String> = Vec::new();
        while symbols.len() < count {
            let base: String = letters(&mut random);
            let symbol = format!("{base}USDT");
            if !symbols.contains(&symbol) {
                symbols.push(symbol);
            }
        }
        let learned = learned(&symbols, ScannerChoice::Best, 2, &mut random);
        assert_eq!(learned, (4 * count as u64, 0), "seed {seed}, {count} symbols");
    }
}

#[test]
fn a_form_that_changes_is_learned_again_and_counted() {
    let mut decoder = decoder(&["BTCUSDT".to_owned()], ScannerChoice::Best);
    let depth = &frames_of("BTCUSDT", 100)[0];
    decode(&mut decoder, depth);
    decode(&mut decoder, depth);
    assert_eq!((decoder.counts().scanned, decoder.counts().learned), (2, 1));
    // One digit more of an id.
    decode(&mut decoder, &depth.replace(r#""U":100,"u":100"#, r#""U":100,"u":1000"#));
    assert_eq!((decoder.counts().scanned, decoder.counts().learned), (3, 2));
}
