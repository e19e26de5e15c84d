//! COLD: the exchange's market: synthetic and recorded playback, chains, snapshots that join.

use crate::lab::{Frames, Lab, SPOT_FILES, START, USDM_FILES, bitcoin, recording, settings};
use serde_json::Value;
use spinbook_engine::types::Nanos;
use spinbook_feed::sim::fault_plan::FaultPlan;
use spinbook_feed::sim::side::ExchangeSide;
use spinbook_feed::venue::binance::simulator::market::Synthetic;
use spinbook_feed::venue::binance::simulator::market::measure::{MeasuredStatistics, quantile, side_by_side};
use spinbook_feed::venue::binance::simulator::settings::listing_of;
use spinbook_feed::venue::simulator_side::{MarketForm, next_frame};
use spinbook_feed::venue::{ProductLine, binance};
use std::collections::BTreeMap;

/// A client's book kept the slow way, with texts as numbers only to sort by.
#[derive(Default)]
pub struct SlowBook {
    pub bids: BTreeMap<u64, String>,
    pub asks: BTreeMap<u64, String>,
    pub last: u64,
    pub live: bool,
    buffered: Vec<Value>,
    pub gaps: u64,
}

pub fn price_key(text: &str) -> u64 {
    let (whole, decimals) = text.split_once('.').expect("a dot");
    format!("{whole}{decimals:0<8}").parse().expect("digits")
}

impl SlowBook {
    fn write(&mut self, bids: &Value, asks: &Value) {
        for (levels, side) in [(bids, &mut self.bids), (asks, &mut self.asks)] {
            for level in levels.as_array().expect("levels") {
                let (price, quantity) = (level[0].as_str().expect("text"), level[1].as_str().expect("text"));
                if quantity.bytes().all(|byte| byte == b'0' || byte == b'.') {
                    side.remove(&price_key(price));
                } else {
                    side.insert(price_key(price), quantity.to_owned());
                }
            }
        }
    }

    pub fn depth(&mut self, product: ProductLine, message: &Value) {
        if !self.live {
            self.buffered.push(message.clone());
            return;
        }
        let (first, last) = (message["U"].as_u64().expect("U"), message["u"].as_u64().expect("u"));
        if last <= self.last {
            return;
        }
        let follows = if product == binance::SPOT {
            first <= self.last + 1
        } else {
            message["pu"].as_u64() == Some(self.last) || first <= self.last
        };
        self.gaps += u64::from(!follows);
        self.last = last;
        let (bids, asks) = (message["b"].clone(), message["a"].clone());
        self.write(&bids, &asks);
    }

    pub fn snapshot(&mut self, product: ProductLine, body: &Value) {
        let first = self.buffered.first().and_then(|message| message["U"].as_u64());
        self.last = body["lastUpdateId"].as_u64().expect("an id");
        assert!(first.is_none_or(|first| self.last + 1 >= first), "the snapshot is not older than the stream");
        self.write(&body["bids"].clone(), &body["asks"].clone());
        self.live = true;
        for message in std::mem::take(&mut self.buffered) {
            self.depth(product, &message);
        }
    }

    pub fn best(&self) -> [Option<(u64, String)>; 2] {
        let own = |(price, quantity): (&u64, &String)| (*price, quantity.clone());
        [self.bids.last_key_value().map(own), self.asks.first_key_value().map(own)]
    }
}

/// Follows a stream connection and checks every best bid/ask against the depth with the same id.
fn follow(lab: &mut Lab, seconds: i64, snapshot_after_ms: i64) -> (SlowBook, u64, u64) {
    let product = lab.product;
    let target = if product == binance::SPOT {
        "/stream?streams=btcusdt@depth@100ms/btcusdt@bookTicker"
    } else {
        "/public/stream?streams=btcusdt@depth@100ms/btcusdt@bookTicker"
    };
    let id = lab.open(target);
    let mut book = SlowBook::default();
    let mut touches: BTreeMap<u64, Value> = BTreeMap::new();
    let (mut checked, mut matched, mut waited) = (0, 0, 0);
    while waited < seconds * 1000 {
        lab.run(Nanos::from_millis(7));
        waited += 7;
        if waited >= snapshot_after_ms && !book.live {
            let path = lab.path("depth?symbol=BTCUSDT&limit=1000");
            let (status, body) = lab.get(&path);
            assert_eq!(status, 200, "{body}");
            book.snapshot(product, &body);
        }
        for message in lab.heard(id) {
            let data = &message["data"];
            if data.get("U").is_some() {
                assert_eq!(message["stream"], "btcusdt@depth@100ms");
                book.depth(product, data);
                if let Some(touch) = touches.get(&book.last).filter(|_| book.live) {
                    checked += 1;
                    let expected = [("b", "B"), ("a", "A")].map(|(price, quantity)| {
                        Some((price_key(touch[price].as_str()?), touch[quantity].as_str()?.to_owned()))
                    });
                    matched += u64::from(expected == book.best());
                }
            } else {
                touches.insert(data["u"].as_u64().expect("an id"), data.clone());
            }
        }
    }
    (book, checked, matched)
}

#[test]
fn a_synthetic_market_is_whole() {
    for product in binance::PRODUCT_LINES {
        for seed in [1u64, 2, 3] {
            let mut lab = Lab::synthetic(product, seed, FaultPlan::default());
            let (book, checked, matched) = follow(&mut lab, 30, 900);
            println!("{} seed {seed}: checked {checked}, matched {matched}, gaps {}", product.name(), book.gaps);
            assert_eq!(book.gaps, 0, "seed {seed}");
            assert!(checked > 10, "seed {seed}: only {checked} comparable best bid/asks");
            assert_eq!(checked, matched, "seed {seed}");
            let [bid, ask] = book.best();
            assert!(bid.expect("a bid").0 < ask.expect("an ask").0, "seed {seed}: crossed");
        }
    }
}

#[test]
fn the_same_seed_is_the_same_market() {
    for product in binance::PRODUCT_LINES {
        let take = |seed: u64| {
            let mut market = Synthetic::bitcoin(product, seed, START).expect("a market");
            (0..2000).map(|_| next_frame(&mut market).expect("a frame")).collect::<Vec<_>>()
        };
        assert_eq!(take(7), take(7));
        assert_ne!(take(7), take(8));
    }
}

#[test]
fn a_synthetic_market_resembles_the_recordings() {
    for (product, files) in [(binance::SPOT, SPOT_FILES), (binance::USDM, USDM_FILES)] {
        let Some(frames) = recording(&files) else { return };
        let listing = listing_of(&bitcoin(product), product).expect("a listing");
        let span = Nanos::from_seconds(470);
        let recorded = MeasuredStatistics::measure(product, &mut Frames::new(frames), &listing, span).expect("a shape");
        let mut market = Synthetic::bitcoin(product, 1, START).expect("a market");
        let synthetic = MeasuredStatistics::measure(product, &mut market, &listing, span).expect("a shape");
        println!("{}\n{}", product.name(), side_by_side(&[("recorded", &recorded), ("synthetic", &synthetic)]));
        let near = |what: &str, ours: i64, theirs: i64| {
            let (ours, theirs) = (ours.max(1), theirs.max(1));
            assert!(ours * 2 >= theirs && ours <= theirs * 2, "{} {what}: {ours} is not near {theirs}", product.name());
        };
        for thousandths in [500, 900, 990] {
            near("levels", quantile(&synthetic.levels, thousandths), quantile(&recorded.levels, thousandths));
            near("distance", quantile(&synthetic.distances, thousandths), quantile(&recorded.distances, thousandths));
        }
        let rate =
            |shape: &MeasuredStatistics, count: u64| i64::try_from(shape.rate_hundredths(count)).expect("a rate");
        near("depth rate", rate(&synthetic, synthetic.depths), rate(&recorded, recorded.depths));
        near("touch rate", rate(&synthetic, synthetic.touches), rate(&recorded, recorded.touches));
        near("trade rate", rate(&synthetic, synthetic.trades), rate(&recorded, recorded.trades));
    }
}

#[test]
fn recorded_playback_is_verbatim_and_whole() {
    for (product, files) in [(binance::SPOT, SPOT_FILES), (binance::USDM, USDM_FILES)] {
        let Some(frames) = recording(&files[..1]) else { return };
        let name = if product == binance::SPOT { "btcusdt@depth@100ms" } else { "btcusdt@depth@0ms" };
        let depths: Vec<String> = frames
            .iter()
            .map(|frame| String::from_utf8(frame.bytes.clone()).expect("UTF-8"))
            .filter(|text| text.starts_with(&format!("{{\"stream\":\"{name}\"")))
            .collect();
        let mut settings = settings(product);
        settings.play.form = MarketForm::Original;
        let mut lab = Lab::new(settings, Frames::boxed(frames));
        let route = if product == binance::SPOT { "" } else { "/public" };
        let id = lab.open(&format!("{route}/stream?streams={name}"));
        let raw = lab.open(&format!("{route}/ws/{name}"));
        lab.run(Nanos::from_seconds(20));
        let whole = lab.received.remove(&id).expect("frames");
        let inner = lab.received.remove(&raw).expect("frames");
        let first = depths.iter().position(|text| *text == whole[0]).expect("the first frame is a recorded one");
        assert_eq!(whole[..], depths[first..first + whole.len()], "{}", product.name());
        for (whole, inner) in whole.iter().zip(&inner) {
            assert!(whole.ends_with(&format!("\"data\":{inner}}}")), "the raw form is the inner message");
        }
        println!("{}: {} depth frames verbatim in 20 s", product.name(), whole.len());
    }
}

#[test]
fn a_recorded_book_joins_and_agrees_with_every_best() {
    for (product, files) in [(binance::SPOT, SPOT_FILES), (binance::USDM, USDM_FILES)] {
        for snapshot_after_ms in [0, 333, 2_000] {
            let Some(frames) = recording(&files[..1]) else { return };
            let mut lab = Lab::new(settings(product), Frames::boxed(frames));
            let (book, checked, matched) = follow(&mut lab, 30, snapshot_after_ms);
            println!("{} snapshot after {snapshot_after_ms} ms: checked {checked}, gaps {}", product.name(), book.gaps);
            assert_eq!((book.gaps, checked), (0, matched));
            assert!(checked > 0);
            assert_eq!(lab.exchange.status().frames_unread, 0);
        }
    }
}

#[test]
fn a_snapshot_equals_the_book_of_a_client_at_the_same_id() {
    for product in binance::PRODUCT_LINES {
        let mut lab = Lab::synthetic(product, 11, FaultPlan::default());
        let (book, _, _) = follow(&mut lab, 20, 0);
        let path = lab.path("depth?symbol=BTCUSDT&limit=1000");
        let (_, body) = lab.get(&path);
        assert_eq!(body["lastUpdateId"].as_u64(), Some(book.last));
        let ours: Vec<(u64, String)> =
            book.bids.iter().rev().take(1000).map(|(price, text)| (*price, text.clone())).collect();
        let theirs: Vec<(u64, String)> = body["bids"]
            .as_array()
            .expect("bids")
            .iter()
            .map(|level| (price_key(level[0].as_str().expect("text")), level[1].as_str().expect("text").to_owned()))
            .collect();
        assert_eq!(ours.len().min(theirs.len()), theirs.len());
        assert_eq!(ours[..theirs.len().min(300)], theirs[..theirs.len().min(300)]);
    }
}

#[test]
fn frames_keep_their_rhythm_times_speed() {
    let product = binance::USDM;
    for (speed, expected_ms) in [(1000, 1060), (20_000, 53), (500, 2120)] {
        let mut settings = settings(product);
        settings.play.speed = spinbook_feed::venue::simulator_side::PlaySpeed::Thousandths(speed);
        let market = Synthetic::bitcoin(product, 5, START).expect("a market");
        let mut lab = Lab::new(settings, Box::new(market));
        let id = lab.open("/public/ws/btcusdt@depth@100ms");
        let begin = lab.now;
        while lab.received.get(&id).map_or(0, Vec::len) < 21 {
            lab.now = lab.exchange.next_deadline().max(lab.now);
            let now = lab.now;
            lab.exchange.on_timer(now);
            lab.collect();
        }
        let took = (lab.now - begin).millis();
        assert!((took - expected_ms).abs() <= expected_ms / 15 + 3, "speed {speed}: {took} ms");
    }
}
