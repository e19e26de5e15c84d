//! COLD: our own orders in the market that is served: books, best bid/ask and trades, at every step of random trading.

use crate::lab::{Frames, Lab, SPOT_FILES, START, USDM_FILES, recording, settings};
use crate::market::{SlowBook, price_key};
use serde_json::Value;
use spinbook_engine::types::Nanos;
use spinbook_feed::history::recorded::Recording;
use spinbook_feed::history::verify::verify;
use spinbook_feed::random::Random;
use spinbook_feed::sim::side::{ConnectionId, ExchangeSide};
use spinbook_feed::venue::binance::simulator::market::Synthetic;
use spinbook_feed::venue::simulator_side::SimSettings;
use spinbook_feed::venue::source::MarketSource;
use spinbook_feed::venue::{ProductLine, binance};
use std::collections::BTreeMap;

/// A client that follows everything and compares with REST.
pub struct Follower {
    pub lab: Lab,
    id: ConnectionId,
    pub book: SlowBook,
    touch: Option<Value>,
    touches: BTreeMap<u64, Value>,
    checked: u64,
    prints: BTreeMap<u64, (String, String)>,
    last_print: Option<u64>,
    /// What was heard, as a recording of it would have it.
    written: String,
}

impl Follower {
    pub fn new(product: ProductLine, source: Box<dyn MarketSource>) -> Follower {
        Follower::with(settings(product), source)
    }

    pub fn with(mut settings: SimSettings, source: Box<dyn MarketSource>) -> Follower {
        let product = settings.product;
        // Orders and snapshots at every step, whatever the venue would say to that.
        for limit in [&mut settings.limits.weight, &mut settings.limits.orders_short, &mut settings.limits.orders_long]
        {
            limit.limit = 100_000_000;
        }
        let mut lab = Lab::new(settings, source);
        let route = if product == binance::SPOT { "" } else { "/public" };
        let id = lab.open(&format!("{route}/stream?streams=btcusdt@depth@100ms/btcusdt@bookTicker/btcusdt@trade"));
        Follower {
            lab,
            id,
            book: SlowBook::default(),
            touch: None,
            touches: BTreeMap::new(),
            checked: 0,
            prints: BTreeMap::new(),
            last_print: None,
            written: String::new(),
        }
    }

    fn depth(&mut self, limit: u64) -> Value {
        let path = self.lab.path(&format!("depth?symbol=BTCUSDT&limit={limit}"));
        let (status, body) = self.lab.get(&path);
        assert_eq!(status, 200, "{body}");
        body
    }

    fn write(&mut self, text: &str) {
        self.written.push_str(&format!("{} {text}\n", self.lab.now.0));
    }

    fn hear(&mut self) {
        let product = self.lab.product;
        for text in self.lab.received.remove(&self.id).unwrap_or_default() {
            self.write(&text);
            let message: Value = serde_json::from_str(&text).expect("JSON");
            let data = &message["data"];
            if let Some(at) = data["E"].as_i64() {
                let age = self.lab.now.millis() - at;
                assert!((0..2_000).contains(&age), "an event of {age} ms ago: {text:.120}");
            }
            if data.get("U").is_some() {
                self.book.depth(product, data);
                if let Some(touch) = self.touches.get(&self.book.last).filter(|_| self.book.live) {
                    self.checked += 1;
                    assert_eq!(best_of(touch), self.book.best(), "at {}", self.book.last);
                }
            } else if data.get("t").is_some() {
                let id = data["t"].as_u64().expect("an id");
                // Before the market's first trade nobody knows how it numbers them: ours begin at one.
                let follows = |last: u64| id == last + 1 || (last < 1_000 && id > last);
                assert!(self.last_print.is_none_or(follows), "{id} after {:?}", self.last_print);
                self.last_print = Some(id);
                let text = |key: &str| data[key].as_str().expect("text").to_owned();
                self.prints.insert(id, (text("p"), text("q")));
            } else {
                self.touches.insert(data["u"].as_u64().expect("an id"), data.clone());
                self.touch = Some(data.clone());
            }
        }
    }

    /// The client's book is the venue's, its best bid and ask too, and neither is crossed.
    fn compare(&mut self) {
        let body = self.depth(100);
        assert_eq!(body["lastUpdateId"].as_u64(), Some(self.book.last));
        assert_eq!(self.book.gaps, 0);
        let ours: [Vec<(u64, String)>; 2] = [
            self.book.bids.iter().rev().take(100).map(|(price, text)| (*price, text.clone())).collect(),
            self.book.asks.iter().take(100).map(|(price, text)| (*price, text.clone())).collect(),
        ];
        for (own, key) in ours.iter().zip(["bids", "asks"]) {
            let theirs: Vec<(u64, String)> = body[key]
                .as_array()
                .expect("levels")
                .iter()
                .map(|level| (price_key(level[0].as_str().expect("text")), level[1].as_str().expect("text").to_owned()))
                .collect();
            assert_eq!(own[..theirs.len()], theirs, "{key} at {}", self.book.last);
        }
        let [bid, ask] = self.book.best();
        assert!(bid.expect("a bid").0 < ask.expect("an ask").0, "crossed at {}", self.book.last);
        if let Some(touch) = self.touch.clone() {
            let path = self.lab.path("ticker/bookTicker?symbol=BTCUSDT");
            let (_, body) = self.lab.get(&path);
            for (stream, rest) in [("b", "bidPrice"), ("B", "bidQty"), ("a", "askPrice"), ("A", "askQty")] {
                assert_eq!(touch[stream], body[rest], "{touch} {body}");
            }
        }
    }
}

fn best_of(touch: &Value) -> [Option<(u64, String)>; 2] {
    [("b", "B"), ("a", "A")]
        .map(|(price, quantity)| Some((price_key(touch[price].as_str()?), touch[quantity].as_str()?.to_owned())))
}

/// A price `ticks` away from one that was printed.
fn away(product: ProductLine, price: &str, ticks: i64) -> String {
    let tick: i64 = if product == binance::SPOT { 1_000_000 } else { 10_000_000 };
    let units = i64::try_from(price_key(price)).expect("a price") + ticks * tick;
    if product == binance::SPOT {
        format!("{}.{:08}", units / 100_000_000, units % 100_000_000)
    } else {
        format!("{}.{}", units / 100_000_000, units % 100_000_000 / 10_000_000)
    }
}

/// Places, cancels and takes at random for a while.
pub fn trade_at_random(follower: &mut Follower, seed: u64, steps: u32) {
    let mut random = Random::new(seed);
    let product = follower.lab.product;
    let path = follower.lab.path("order");
    for step in 0..steps {
        // Now and then nothing of ours happens for a while, so that best bid/asks and depths of one number meet.
        let wait = if step % 10 == 9 { 900 } else { random.between(1, 60) };
        follower.lab.run(Nanos::from_millis(wait));
        if !follower.book.live {
            let body = follower.depth(1000);
            let line = body.to_string();
            follower.hear();
            follower.write(&line);
            follower.book.snapshot(product, &body);
        }
        follower.hear();
        follower.compare();
        let touch_path = follower.lab.path("ticker/bookTicker?symbol=BTCUSDT");
        let (_, best) = follower.lab.get(&touch_path);
        let side = ["BUY", "SELL"][random.index(2)];
        let name = format!("o{step}");
        let quantity = format!("0.{:03}", random.between(1, 400));
        let price = best[["bidPrice", "askPrice"][random.index(2)]].as_str().expect("a price").to_owned();
        match random.index(10) {
            0..5 => {
                let price = away(product, &price, random.between(-6, 6));
                follower.lab.limit(side, &quantity, &price, "GTC", &name);
            }
            5 => {
                follower.lab.limit(side, &quantity, &away(product, &price, random.between(-2, 2)), "IOC", &name);
            }
            6 => {
                let params = [("symbol", "BTCUSDT"), ("side", side), ("type", "MARKET"), ("quantity", &*quantity)];
                follower.lab.rest("POST", &path, &params);
            }
            _ => {
                let open_path = follower.lab.path("openOrders");
                let (_, open) = follower.lab.rest("GET", &open_path, &[("symbol", "BTCUSDT")]);
                let open = open.as_array().expect("a list");
                if let Some(order) = open.get(random.index(open.len())) {
                    let id = order["orderId"].to_string();
                    follower.lab.rest("DELETE", &path, &[("symbol", "BTCUSDT"), ("orderId", &id)]);
                }
            }
        }
        follower.hear();
        follower.compare();
    }
}

/// Every execution of ours was printed once, under its own number, with its price and quantity.
fn every_fill_is_printed(follower: &mut Follower) -> usize {
    let path = follower.lab.path(if follower.lab.product == binance::SPOT { "myTrades" } else { "userTrades" });
    let (_, fills) = follower.lab.rest("GET", &path, &[("symbol", "BTCUSDT"), ("limit", "1000")]);
    let fills = fills.as_array().expect("a list").clone();
    for fill in &fills {
        let id = fill["id"].as_u64().expect("an id");
        let (price, quantity) = &follower.prints[&id];
        assert_eq!((fill["price"].as_str(), fill["qty"].as_str()), (Some(&**price), Some(&**quantity)), "{fill}");
    }
    fills.len()
}

#[test]
fn a_client_s_book_is_the_venue_s_at_every_step_with_our_orders_in_it() {
    for product in binance::PRODUCT_LINES {
        for seed in [1_u64, 2, 3] {
            let market = Synthetic::bitcoin(product, seed, START).expect("a market");
            let mut follower = Follower::new(product, Box::new(market));
            trade_at_random(&mut follower, seed, 400);
            let fills = every_fill_is_printed(&mut follower);
            let checked = follower.checked;
            println!("{} seed {seed}: {fills} fills, {checked} best bid/asks compared", product.name());
            assert!(fills > 50 && checked > 5, "{fills} fills, {checked} compared");
        }
    }
}

#[test]
fn the_same_holds_for_a_recording() {
    for (product, files) in [(binance::SPOT, SPOT_FILES), (binance::USDM, USDM_FILES)] {
        let Some(frames) = recording(&files[..1]) else { return };
        let mut follower = Follower::new(product, Frames::boxed(frames));
        trade_at_random(&mut follower, 5, 400);
        let fills = every_fill_is_printed(&mut follower);
        println!("{}: {fills} fills, {} best bid/asks compared", product.name(), follower.checked);
        assert!(fills > 20, "{fills}");
        assert_eq!(follower.lab.exchange.status().frames_unread, 0);
    }
}

#[test]
fn what_clients_hear_verifies_like_a_recording_and_is_scanned() {
    for product in binance::PRODUCT_LINES {
        let market = Synthetic::bitcoin(product, 4, START).expect("a market");
        let mut follower = Follower::new(product, Box::new(market));
        trade_at_random(&mut follower, 4, 300);
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("heard");
        std::fs::write(&file, &follower.written).expect("a file");
        assert!(Recording::new(std::slice::from_ref(&file)).next().expect("a record").is_some());
        let outcome = verify(&[file], Some(product), &mut |_| {});
        let symbol = &outcome.report.symbols["BTCUSDT"];
        assert_eq!(outcome.problem, None, "{:?}", outcome.report);
        assert_eq!((symbol.state, symbol.gaps, symbol.crossed, outcome.report.bad_frames), ("live", 0, 0, 0));
        assert_eq!(symbol.bbo_checked, symbol.bbo_matched);
        assert!(symbol.bbo_checked > 5, "{}", symbol.bbo_checked);
        let trades = follower.written.lines().filter(|line| line.contains("@trade\"")).count();
        assert!(trades > 5, "{trades}");
        assert_eq!(outcome.report.fallback, 1, "all but the snapshot are the scanner's, edited or not");
    }
}

#[test]
fn a_resting_order_is_a_level_of_its_own_and_the_best_bid() {
    for product in binance::PRODUCT_LINES {
        let mut lab = Lab::still(product);
        let route = if product == binance::SPOT { "" } else { "/public" };
        let id = lab.open(&format!("{route}/ws/btcusdt@depth@100ms"));
        let touch = lab.open(&format!("{route}/ws/btcusdt@bookTicker"));
        let trade = lab.open(&format!("{route}/ws/btcusdt@trade"));
        // Inside the spread there is no room; a tick under the best bid others stand already.
        let (status, _) = lab.limit("BUY", "0.250", "63999.90", "GTC", "a");
        assert_eq!(status, 200);
        let path = lab.path("depth?symbol=BTCUSDT&limit=5");
        let (_, body) = lab.get(&path);
        assert_eq!(body["bids"][0][1].as_str().expect("text").trim_end_matches('0'), "1.25", "{body}");
        let heard = lab.heard(id);
        assert_eq!(heard.len(), 1);
        assert_eq!(heard[0]["u"], body["lastUpdateId"]);
        assert_eq!(heard[0]["b"][0], body["bids"][0]);
        assert_eq!(lab.heard(touch).last().expect("a best bid/ask")["B"], body["bids"][0][1]);
        // A taker takes half of what is shown: it is gone, and everybody saw the trade.
        let order = [("symbol", "BTCUSDT"), ("side", "BUY"), ("type", "MARKET"), ("quantity", "0.400")];
        let path = lab.path("order");
        lab.rest("POST", &path, &order);
        let heard = lab.heard(id);
        assert_eq!(heard[0]["a"][0][1].as_str().expect("text").trim_end_matches('0'), "0.6", "{heard:?}");
        let print = &lab.heard(trade)[0];
        assert_eq!(print["q"].as_str().expect("text").trim_end_matches('0'), "0.4");
        assert_eq!(print["m"], false);
        // Cancelled, it is gone as well.
        lab.rest("DELETE", &path, &[("symbol", "BTCUSDT"), ("origClientOrderId", "a")]);
        let heard = lab.heard(id);
        assert_eq!(heard[0]["b"][0][1].as_str().expect("text").trim_end_matches(['0', '.']), "1", "{heard:?}");
    }
}

#[test]
fn both_sides_of_a_trade_and_its_print_have_one_number() {
    for product in binance::PRODUCT_LINES {
        let mut lab = Lab::still(product);
        let route = if product == binance::SPOT { "" } else { "/public" };
        let trade = lab.open(&format!("{route}/ws/btcusdt@trade"));
        let path = lab.path("order");
        lab.limit("SELL", "0.100", "63999.95", "GTC", "never");
        // On futures a tick is 0.10: there the best ask is met by a bid of ours at its own price.
        lab.limit("BUY", "0.300", "63999.90", "GTC", "maker");
        let mut order = vec![("symbol", "BTCUSDT"), ("side", "SELL"), ("type", "LIMIT"), ("timeInForce", "IOC")];
        order.extend([("quantity", "1.300"), ("price", "63999.90"), ("selfTradePreventionMode", "NONE")]);
        let (status, body) = lab.rest("POST", &path, &order);
        assert_eq!(status, 200, "{body}");
        let name = if product == binance::SPOT { "myTrades" } else { "userTrades" };
        let path = lab.path(name);
        let (_, fills) = lab.rest("GET", &path, &[("symbol", "BTCUSDT")]);
        let ids: Vec<u64> =
            fills.as_array().expect("a list").iter().map(|fill| fill["id"].as_u64().expect("an id")).collect();
        assert_eq!(ids.len(), 3, "one with others, two sides of one with ourselves: {fills}");
        assert!(ids[1] == ids[2] && ids[0] + 1 == ids[1], "{ids:?}");
        let printed: Vec<u64> = lab.heard(trade).iter().map(|print| print["t"].as_u64().expect("an id")).collect();
        assert_eq!(printed, [ids[0], ids[1]]);
    }
}
