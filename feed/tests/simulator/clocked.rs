//! COLD: streams that speak by the clock, their exact names and speeds, and times in microseconds.

use crate::clients::{trade, traded};
use crate::lab::{Lab, START};
use serde_json::{Value, json};
use spinbook_engine::types::Nanos;
use spinbook_feed::sim::fault_plan::FaultPlan;
use spinbook_feed::sim::side::{ConnectionId, HttpRequest};
use spinbook_feed::venue::binance::simulator::market::Synthetic;
use spinbook_feed::venue::{ProductLine, binance};

const SPOT: ProductLine = binance::SPOT;
const USDM: ProductLine = binance::USDM;

fn seconds(count: i64) -> Nanos {
    Nanos::from_millis(count * 1000)
}

/// A combined connection to these streams, on the route that carries them.
fn open(lab: &mut Lab, route: &str, names: &str) -> ConnectionId {
    let route = if lab.product == SPOT { "" } else { route };
    lab.open(&format!("{route}/stream?streams={names}"))
}

/// What came on one stream since the last call.
fn of_stream(heard: &[Value], name: &str) -> Vec<Value> {
    heard.iter().filter(|message| message["stream"] == name).map(|message| message["data"].clone()).collect()
}

#[test]
fn candles_are_told_as_they_grow_and_once_more_when_they_end() {
    for product in binance::PRODUCT_LINES {
        let trades = vec![
            trade(product, 0, 71, "63999.90", "0.500", true),
            trade(product, 10_000, 72, "64000.00", "0.100", false),
            trade(product, 61_000, 73, "64001.00", "0.100", false),
        ];
        let mut lab = traded(product, trades, 100);
        let id = open(&mut lab, "/market", "btcusdt@kline_1m");
        lab.run(seconds(58));
        let told = of_stream(&lab.heard(id), "btcusdt@kline_1m");
        assert_eq!(told.len(), if product == SPOT { 29 } else { 232 }, "every 2 s, or every 250 ms");
        let last = &told[told.len() - 1];
        assert_eq!((&last["e"], &last["k"]["i"], &last["k"]["x"]), (&json!("kline"), &json!("1m"), &json!(false)));
        assert_eq!((&last["k"]["n"], &last["k"]["t"]), (&json!(2), &json!(START.millis())));
        lab.run(seconds(4));
        let told = of_stream(&lab.heard(id), "btcusdt@kline_1m");
        let ended: Vec<&Value> = told.iter().filter(|message| message["k"]["x"] == true).collect();
        assert_eq!((ended.len(), &ended[0]["k"]["n"]), (1, &json!(2)), "the end of a candle is told once");
        let next = &told[told.len() - 1]["k"];
        assert_eq!((&next["t"], &next["n"]), (&json!(START.millis() + 60_000), &json!(1)));
        if product == USDM {
            let id = lab.open("/market/ws/btcusdt_perpetual@continuousKline_1m");
            lab.run(seconds(1));
            let told = lab.heard(id)[0].clone();
            assert_eq!(
                (&told["e"], &told["ct"], told["k"].get("s")),
                (&json!("continuous_kline"), &json!("PERPETUAL"), None)
            );
        }
    }
}

#[test]
fn tickers_marks_and_averages_come_at_their_own_pace() {
    let first = |product| vec![trade(product, 0, 1, "64000.00", "0.100", false)];
    let mut lab = traded(SPOT, first(SPOT), 100);
    let names = "btcusdt@ticker/btcusdt@miniTicker/btcusdt@avgPrice/btcusdt@ticker_1h/!miniTicker@arr";
    let id = open(&mut lab, "", names);
    lab.run(seconds(10));
    let heard = lab.heard(id);
    for name in names.split('/') {
        assert_eq!(of_stream(&heard, name).len(), 10, "{name}: every second");
    }
    assert_eq!(of_stream(&heard, "btcusdt@ticker")[0]["c"], "64000.00000000");
    assert_eq!(of_stream(&heard, "btcusdt@ticker_1h")[0]["e"], "1hTicker");
    assert_eq!(of_stream(&heard, "!miniTicker@arr")[0][0]["e"], "24hrMiniTicker");

    let mut lab = traded(USDM, first(USDM), 100);
    let counts = [
        ("btcusdt@ticker", 6),
        ("btcusdt@miniTicker", 6),
        ("btcusdt@markPrice", 4),
        ("btcusdt@markPrice@1s", 12),
        ("!markPrice@arr@1s", 12),
        ("!ticker@arr", 12),
    ];
    let names: Vec<&str> = counts.iter().map(|(name, _)| *name).collect();
    let id = open(&mut lab, "/market", &names.join("/"));
    let touch = open(&mut lab, "/public", "!bookTicker");
    lab.run(seconds(12));
    let heard = lab.heard(id);
    for (name, count) in counts {
        assert_eq!(of_stream(&heard, name).len(), count, "{name} in 12 s");
    }
    let mark = &of_stream(&heard, "btcusdt@markPrice")[0];
    assert_eq!((&mark["e"], &mark["p"], &mark["st"]), (&json!("markPriceUpdate"), &json!("63999.95000000"), &json!(1)));
    let told = of_stream(&lab.heard(touch), "!bookTicker");
    assert_eq!((told.len(), &told[0]["s"]), (2, &json!("BTCUSDT")), "every 5 s");
}

#[test]
fn a_name_that_is_not_exact_is_acknowledged_and_stays_silent() {
    for (product, silent) in [
        (
            SPOT,
            [
                "BTCUSDT@depth@100ms",
                "btcusdt@depth@50ms",
                "btcusdt@depth@250ms",
                "btcusdt@markPrice",
                "btcusdt@kline_7m",
            ],
        ),
        (
            USDM,
            [
                "BTCUSDT@depth@100ms",
                "btcusdt@depth@50ms",
                "btcusdt@depth@1000ms",
                "btcusdt@avgPrice",
                "btcusdt@kline_1s",
            ],
        ),
    ] {
        let mut lab = Lab::synthetic(product, 5, FaultPlan::default());
        let route = if product == SPOT { "" } else { "/public" };
        let id = lab.open(&format!("{route}/ws"));
        let other = lab.open(&format!("{route}/ws/btcusdt@depth@100ms"));
        lab.say(id, &json!({"method": "SUBSCRIBE", "params": silent, "id": 1}).to_string());
        lab.run(seconds(5));
        assert_eq!(lab.heard(id), [json!({"result": null, "id": 1})], "{}", product.name());
        assert!(lab.heard(other).len() > 20, "the exact name is told");
    }
}

/// A book kept from the slow stream alone is the one that the requests show.
#[test]
fn slower_depth_leaves_nothing_out() {
    for (product, name, count) in
        [(SPOT, "btcusdt@depth", 21), (USDM, "btcusdt@depth", 82), (USDM, "btcusdt@depth@500ms", 41)]
    {
        let mut lab = Lab::synthetic(product, 11, FaultPlan::default());
        let id = open(&mut lab, "/public", name);
        lab.run(Nanos::from_millis(1_500));
        let early = of_stream(&lab.heard(id), name);
        let path = lab.path("depth?symbol=BTCUSDT&limit=1000");
        let (_, snapshot) = lab.get(&path);
        // To a moment at which every slow stream speaks.
        lab.run(Nanos::from_millis(20_500));
        let told = of_stream(&lab.heard(id), name);
        assert_eq!(told.len(), count, "{} {name} in 20.5 s", product.name());
        let mut known = snapshot["lastUpdateId"].as_u64().expect("a number");
        let mut book: std::collections::BTreeMap<(bool, String), String> = Default::default();
        let write = |levels: &Value, bid: bool, book: &mut std::collections::BTreeMap<(bool, String), String>| {
            for level in levels.as_array().expect("levels") {
                let (price, quantity) = (level[0].as_str().expect("a price"), level[1].as_str().expect("a quantity"));
                book.remove(&(bid, price.to_owned()));
                if quantity.bytes().any(|byte| (b'1'..=b'9').contains(&byte)) {
                    book.insert((bid, price.to_owned()), quantity.to_owned());
                }
            }
        };
        write(&snapshot["bids"], true, &mut book);
        write(&snapshot["asks"], false, &mut book);
        let mut joined = false;
        for message in early.iter().chain(&told) {
            let number = |field: &str| message[field].as_u64().expect("a number");
            if number("u") <= known {
                continue;
            }
            let follows = if product == SPOT { number("U") <= known + 1 } else { number("pu") == known };
            assert!(follows || (!joined && number("U") <= known + 1), "{name}: {message}");
            joined = true;
            known = number("u");
            write(&message["b"], true, &mut book);
            write(&message["a"], false, &mut book);
        }
        let (_, after) = lab.get(&path);
        assert_eq!(after["lastUpdateId"].as_u64(), Some(known), "{name}");
        for (side, bid) in [("bids", true), ("asks", false)] {
            for level in after[side].as_array().expect("levels").iter().take(100) {
                let price = level[0].as_str().expect("a price").to_owned();
                assert_eq!(book.get(&(bid, price)).map(String::as_str), level[1].as_str(), "{name} {level}");
            }
        }
        assert!(joined, "updates joined the snapshot");
    }
}

#[test]
fn microseconds_are_told_to_those_who_ask() {
    let mut lab = traded(
        SPOT,
        vec![trade(SPOT, 0, 1, "64000.00", "0.1", false), trade(SPOT, 1_000, 2, "64000.00", "0.1", false)],
        100,
    );
    let stream = lab.open("/ws/btcusdt@trade?timeUnit=MICROSECOND");
    let tickers = lab.open("/ws/btcusdt@miniTicker?timeUnit=microsecond");
    lab.run(seconds(2));
    let told = lab.heard(stream)[0].clone();
    assert_eq!(told["T"], (START.millis() + 1_000) * 1000);
    assert_eq!(told["t"], 2, "a trade's number is no time");
    assert_eq!(lab.heard(tickers)[0]["E"], (START.millis() + 1_000) * 1000);
    let api = lab.open("/ws-api/v3?timeUnit=MICROSECOND");
    let now = lab.now.millis();
    assert_eq!(lab.call(api, "time", json!({}))["result"]["serverTime"], now * 1000);
    let headers = [("X-MBX-TIME-UNIT", "MICROSECOND")];
    let mut ask = |target: &str| -> Value {
        let request = HttpRequest { method: "GET", target, headers: &headers, body: b"" };
        let response = spinbook_feed::sim::side::ExchangeSide::on_http(&mut lab.exchange, &request, lab.now);
        serde_json::from_slice(&response.body).expect("JSON")
    };
    assert_eq!(ask("/api/v3/time")["serverTime"], now * 1000);
    let candles = ask("/api/v3/klines?symbol=BTCUSDT&interval=1m");
    assert_eq!(
        (&candles[0][0], &candles[0][6]),
        (&json!(START.millis() * 1000), &json!((START.millis() + 59_999) * 1000))
    );
}

#[test]
fn candles_before_the_market_began_end_where_it_starts() {
    for product in spinbook_feed::venue::binance::PRODUCT_LINES {
        let ask = |seed: u64, minutes: i64| -> Vec<Value> {
            let mut settings = crate::lab::settings(product);
            settings.past_seed = Some(seed);
            let market = Synthetic::bitcoin(product, seed, START).expect("a market");
            let mut lab = Lab::new(settings, Box::new(market));
            open(&mut lab, "/public", "btcusdt@depth@100ms");
            lab.run(Nanos::from_seconds(60 * minutes + 3));
            let path = lab.path("klines?symbol=BTCUSDT&interval=1m&limit=500");
            let (status, rows) = lab.get(&path);
            assert_eq!(status, 200, "{rows}");
            rows.as_array().expect("rows").clone()
        };
        let rows = ask(7, 2);
        assert_eq!(rows.len(), 500);
        assert_eq!(rows[499][0].as_i64(), Some(START.millis() + 120_000), "the minute that runs");
        let whole = |row: &Value, place: usize| row[place].as_i64().expect("a number");
        let price =
            |row: &Value, place: usize| row[place].as_str().and_then(|text| text.parse::<f64>().ok()).expect("a price");
        for pair in rows.windows(2) {
            assert_eq!(whole(&pair[1], 0), whole(&pair[0], 0) + 60_000);
            assert!(price(&pair[1], 2) >= price(&pair[1], 3) && whole(&pair[1], 8) > 0, "{}", pair[1]);
        }
        // Before the market began each begins where the one before ended, and so does its first own minute.
        for pair in rows[..498].windows(2) {
            assert_eq!(pair[1][1], pair[0][4]);
        }
        // The same seed has the same past, whatever followed; another one another.
        let past = |rows: &[Value]| -> Vec<Value> {
            rows.iter().filter(|row| whole(row, 0) < START.millis()).map(|row| row[4].clone()).rev().take(100).collect()
        };
        assert_eq!(past(&rows), past(&ask(7, 1)));
        assert_ne!(past(&rows), past(&ask(8, 1)));
    }
}
