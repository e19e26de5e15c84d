//! COLD: the slow truth of the exchange's frame reader: depth, best bid/ask and snapshots, read by serde.

use serde::Deserialize;
use spinbook_engine::types::{Level, Lots, Tick};
use spinbook_feed::sim::api::Listing;
use spinbook_feed::venue::binance::simulator::frames::{self, FrameReader, PlayedDepth, PlayedMessage, PlayedTouch};
use spinbook_feed::venue::binance::simulator::market::Synthetic;
use spinbook_feed::venue::binance::simulator::settings::listing_of;
use spinbook_feed::venue::simulator_side::next_frame;
use spinbook_feed::venue::source::MarketSource;
use spinbook_feed::venue::{ProductLine, binance};

use crate::lab::{Frames, SPOT_FILES, START, USDM_FILES, bitcoin, recording};

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

fn depth(data: &[u8], listing: &Listing) -> Result<PlayedDepth, String> {
    let raw: RawDepth<'_> = serde_json::from_slice(data).map_err(|error| error.to_string())?;
    Ok(PlayedDepth {
        first: raw.first,
        last: raw.last,
        bids: levels(&raw.bids, listing)?,
        asks: levels(&raw.asks, listing)?,
    })
}

fn touch(data: &[u8], listing: &Listing) -> Result<PlayedTouch, String> {
    let raw: RawTouch<'_> = serde_json::from_slice(data).map_err(|error| error.to_string())?;
    let both = levels(&[(raw.bid_price, raw.bid_quantity), (raw.ask_price, raw.ask_quantity)], listing)?;
    Ok(PlayedTouch { sequence: raw.sequence, bid: some_level(both[0]), ask: some_level(both[1]) })
}

fn snapshot(data: &[u8], listing: &Listing) -> Result<PlayedDepth, String> {
    let raw: RawSnapshot<'_> = serde_json::from_slice(data).map_err(|error| error.to_string())?;
    let (bids, asks) = (levels(&raw.bids, listing)?, levels(&raw.asks, listing)?);
    Ok(PlayedDepth { first: raw.last, last: raw.last, bids, asks })
}

/// Compares every depth, best bid/ask and snapshot of `count_max` frames; how many there were of each.
fn compare(product: ProductLine, source: &mut dyn MarketSource, count_max: usize) -> [usize; 3] {
    let listing = listing_of(&bitcoin(product), product).unwrap();
    let mut reader = FrameReader::new(product, std::slice::from_ref(&listing)).unwrap();
    let mut counts = [0; 3];
    for _ in 0..count_max {
        let Some(frame) = next_frame(source).unwrap() else { break };
        let parts = frames::split(&frame.bytes).unwrap();
        let data = &frame.bytes[parts.data.clone()];
        if parts.stream.is_empty() && frames::is_snapshot(data) {
            let (ours, truth) = (reader.read_snapshot(data, 0).unwrap(), snapshot(data, &listing).unwrap());
            assert_eq!(format!("{ours:?}"), format!("{truth:?}"));
            counts[2] += 1;
            continue;
        }
        let channel = parts.stream.split('@').nth(1).unwrap_or("");
        match reader.read(channel, &frame.bytes, &parts, (0, &listing)) {
            Ok(PlayedMessage::Depth(ours)) => {
                assert_eq!(format!("{ours:?}"), format!("{:?}", depth(data, &listing).unwrap()));
                counts[0] += 1;
            }
            Ok(PlayedMessage::Touch(ours)) => {
                assert_eq!(format!("{ours:?}"), format!("{:?}", touch(data, &listing).unwrap()));
                counts[1] += 1;
            }
            Ok(_) => {}
            // What the reader refuses the truth refuses too: a number finer than the listing's.
            Err(why) => assert!(depth(data, &listing).is_err() && touch(data, &listing).is_err(), "{why}"),
        }
    }
    counts
}

#[test]
fn the_exchange_reads_its_market_as_the_slow_reader_does() {
    for (product, files) in [(binance::SPOT, SPOT_FILES), (binance::USDM, USDM_FILES)] {
        let mut market = Synthetic::bitcoin(product, 3, START).unwrap();
        let [depths, touches, snapshots] = compare(product, &mut market, 5_000);
        assert!(depths > 100 && touches > 1_000 && snapshots == 1, "{depths} {touches} {snapshots}");
        if let Some(frames) = recording(&files) {
            let [depths, touches, _] = compare(product, &mut Frames::new(frames), 20_000);
            assert!(depths + touches > 1_000, "{}: {depths} {touches}", product.name());
        }
    }
}

#[test]
fn a_frame_that_is_no_depth_update_or_of_another_symbol_is_refused_with_words() {
    let product = binance::USDM;
    let listing = listing_of(&bitcoin(product), product).unwrap();
    let mut reader = FrameReader::new(product, std::slice::from_ref(&listing)).unwrap();
    for frame in [
        r#"{"stream":"btcusdt@depth","data":{"e":"depthUpdate","s":"BTCUSDT"}}"#,
        r#"{"stream":"ethusdt@depth","data":{"e":"depthUpdate","E":1,"T":1,"s":"ETHUSDT","U":1,"u":2,"pu":0,"b":[],"a":[]}}"#,
        r#"{"stream":"btcusdt@depth","data":{"e":"serverShutdown"}}"#,
    ] {
        let parts = frames::split(frame.as_bytes()).unwrap();
        let why = reader.read("depth", frame.as_bytes(), &parts, (0, &listing)).unwrap_err();
        assert!(!why.is_empty());
    }
}
