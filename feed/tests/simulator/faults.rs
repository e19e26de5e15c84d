//! COLD: every fault a plan can name, each seen by a client as it would be on the wire.

use crate::clients::user_data;
use crate::lab::{self, HMAC_KEY, Lab, START, code, credentials, settings};
use serde_json::{Value, json};
use spinbook_engine::types::Nanos;
use spinbook_feed::sim::api::{FrameFault, FrameKind, RequestFault, SimRequestKind};
use spinbook_feed::sim::fault_plan::FaultPlan;
use spinbook_feed::sim::faults::Faults;
use spinbook_feed::sim::side::{ConnectionId, ExchangeSide};
use spinbook_feed::venue::binance::simulator::market::Synthetic;
use spinbook_feed::venue::{ProductLine, binance};

const SPOT: ProductLine = binance::SPOT;
const USDM: ProductLine = binance::USDM;

fn plan(text: Value) -> FaultPlan {
    serde_json::from_value(text).expect("a plan")
}

/// The texts of one stream with a plan, and without.
fn texts(product: ProductLine, plan: FaultPlan, ms: i64) -> Vec<String> {
    let mut lab = Lab::synthetic(product, 21, plan);
    let route = if product == SPOT { "" } else { "/public" };
    let id = lab.open(&format!("{route}/stream?streams=btcusdt@depth@100ms"));
    lab.run(Nanos::from_millis(ms));
    lab.received.remove(&id).unwrap_or_default()
}

#[test]
fn the_kth_depth_frame_is_dropped_doubled_swapped_malformed_or_blown_up() {
    for product in binance::PRODUCT_LINES {
        let good = texts(product, FaultPlan::default(), 2000);
        let with = |action: &str| {
            texts(product, plan(json!({"frames": [{"nth": 5, "action": action, "bytes": 3_000_000}]})), 2000)
        };
        let mut expected = good.clone();
        expected.remove(4);
        assert_eq!(with("drop"), expected);
        let mut expected = good.clone();
        expected.insert(4, good[4].clone());
        assert_eq!(with("duplicate"), expected);
        let mut expected = good.clone();
        expected.swap(4, 5);
        assert_eq!(with("swap"), expected);
        let malformed = with("malform");
        assert!(serde_json::from_str::<Value>(&malformed[4]).is_err());
        assert_eq!((&malformed[..4], &malformed[5..]), (&good[..4], &good[5..]));
        let oversized = with("oversize");
        assert_eq!(oversized[4].len(), 3_000_000);
        let same: Value = serde_json::from_str(&oversized[4]).expect("still JSON");
        assert_eq!(same, serde_json::from_str::<Value>(&good[4]).expect("JSON"));
    }
}

#[test]
fn a_dropped_frame_is_a_gap_and_the_next_snapshot_is_beyond_it() {
    let mut lab = Lab::synthetic(SPOT, 4, plan(json!({"frames": [{"nth": 3, "action": "drop"}]})));
    let id = lab.open("/ws/btcusdt@depth@100ms");
    lab.run(Nanos::from_seconds(1));
    let heard = lab.heard(id);
    let gap = heard.windows(2).position(|pair| pair[1]["U"].as_u64() != pair[0]["u"].as_u64().map(|last| last + 1));
    assert_eq!(gap, Some(1), "between the second and the fourth");
    let (_, body) = lab.get("/api/v3/depth?symbol=BTCUSDT&limit=1000");
    assert_eq!(body["lastUpdateId"], heard.last().expect("frames")["u"]);
}

#[test]
fn a_silence_is_a_span_without_a_stream_while_others_go_on() {
    let faults = json!({"silences": [{"symbol": "BTCUSDT", "stream": "depth", "after_ms": 1000, "for_ms": 3000}]});
    let mut lab = Lab::synthetic(SPOT, 5, plan(faults));
    let id = lab.open("/stream?streams=btcusdt@depth@100ms/btcusdt@bookTicker");
    let count = |lab: &mut Lab, ms: i64| {
        lab.run(Nanos::from_millis(ms));
        let heard = lab.heard(id);
        let depths = heard.iter().filter(|message| message["data"].get("U").is_some()).count();
        (depths, heard.len() - depths)
    };
    assert!(count(&mut lab, 950).0 > 5);
    count(&mut lab, 100);
    let (depths, touches) = count(&mut lab, 2900);
    assert_eq!(depths, 0);
    assert!(touches > 20);
    assert!(count(&mut lab, 1000).0 > 5);
}

#[test]
fn faults_may_wait_until_orders_were_requested() {
    let mut faults = Faults::new(
        plan(json!({
            "frames": [{"nth": 2, "action": "drop", "after_orders": 1}],
            "silences": [{"after_ms": 100, "for_ms": 100, "stream": "trade", "after_orders": 1}],
            "requests": [{"on": "snapshot", "nth": 1, "action": "lose_reply", "after_orders": 2}],
            "cut_after_frames": 3,
            "cut_after_orders": 2,
        })),
        Nanos::ZERO,
    );
    let at = Nanos::from_millis;
    let depth = |faults: &mut Faults| faults.frame(FrameKind::Depth, "BTCUSDT", at(5_000));
    let trade = |faults: &mut Faults, ms| faults.frame(FrameKind::Trade, "BTCUSDT", at(ms));
    // Before the first order nothing counts and nothing happens.
    for _ in 0..5 {
        assert_eq!(depth(&mut faults), FrameFault::None);
    }
    assert_eq!(trade(&mut faults, 150), FrameFault::None);
    assert!(!faults.cut(50));
    assert_eq!(faults.request(SimRequestKind::Place, START), RequestFault::None);
    assert_eq!([(); 3].map(|()| depth(&mut faults)), [FrameFault::None, FrameFault::Drop, FrameFault::None]);
    // The silence counts from the first frame after the order, which was at 5 s.
    assert_eq!([5_050, 5_150, 5_250].map(|ms| trade(&mut faults, ms) == FrameFault::Drop), [false, true, false]);
    assert_eq!(faults.request(SimRequestKind::Snapshot, START), RequestFault::None);
    assert!(!faults.cut(50));
    assert_eq!(faults.request(SimRequestKind::Place, START), RequestFault::None);
    assert_eq!(faults.request(SimRequestKind::Snapshot, START), RequestFault::LoseReply);
    assert_eq!(faults.request(SimRequestKind::Snapshot, START), RequestFault::None);
    assert!(!faults.cut(2) && faults.cut(3));
}

#[test]
fn a_connection_is_cut_after_its_frames_and_the_next_one_lives() {
    let mut lab = Lab::synthetic(USDM, 6, plan(json!({"cut_after_frames": 30})));
    let id = lab.open("/public/stream?streams=btcusdt@depth@100ms/btcusdt@bookTicker");
    lab.run(Nanos::from_seconds(5));
    assert_eq!(lab.closes, [(id, 0, String::new())], "code zero: the TCP connection ends without a word");
    assert_eq!(lab.heard(id).len(), 30);
    let again = lab.open("/public/stream?streams=btcusdt@depth@100ms");
    lab.run(Nanos::from_seconds(5));
    assert!(lab.heard(again).len() > 30);
}

#[test]
fn orders_are_refused_lost_or_late_as_planned() {
    let faults = json!({"requests": [
        {"on": "place", "nth": 2, "action": "refuse", "status": 429, "code": -1003, "message": "Too many requests.", "retry_after_seconds": 7},
        {"on": "place", "nth": 3, "action": "refuse", "code": -1021, "message": "Timestamp for this request is outside of the recvWindow."},
        {"on": "place", "nth": 4, "action": "lose_reply"},
        {"on": "place", "nth": 5, "action": "delay_reply", "delay_ms": 700},
    ]});
    let mut settings = settings(SPOT);
    settings.faults = plan(faults);
    let mut lab = Lab::new(settings, lab::still_market(SPOT, Vec::new()));
    let id = lab.open("/ws-api/v3");
    let place = |lab: &mut Lab, name: &str| {
        let order = [
            ("symbol", "BTCUSDT"),
            ("side", "BUY"),
            ("type", "LIMIT_MAKER"),
            ("quantity", "0.01"),
            ("price", "63000.00"),
            ("newClientOrderId", name),
        ];
        let params = lab.signed(&order, &credentials());
        lab.call(id, "order.place", params)
    };
    assert_eq!(place(&mut lab, "o1")["status"], 200);
    let refused = place(&mut lab, "o2");
    assert_eq!((&refused["status"], code(&refused["error"])), (&json!(429), -1003));
    assert_eq!(refused["error"]["data"]["retryAfter"], START.millis() + 7000);
    assert_eq!(code(&place(&mut lab, "o3")["error"]), -1021);
    assert_eq!(place(&mut lab, "o4"), Value::Null, "no reply, but the order stands");
    assert_eq!(place(&mut lab, "o5"), Value::Null);
    lab.run(Nanos::from_millis(699));
    assert!(lab.heard(id).is_empty());
    lab.run(Nanos::from_millis(1));
    assert_eq!(lab.heard(id)[0]["result"]["clientOrderId"], "o5");
    let (_, open) = lab.rest("GET", "/api/v3/openOrders", &[]);
    let names: Vec<&str> =
        open.as_array().expect("orders").iter().map(|order| order["clientOrderId"].as_str().expect("an id")).collect();
    assert_eq!(names, ["o1", "o4", "o5"]);
}

#[test]
fn a_lost_rest_reply_leaves_the_outcome_unknown_and_a_429_says_when_to_return() {
    let faults = json!({"requests": [
        {"on": "place", "nth": 1, "action": "lose_reply"},
        {"on": "other", "nth": 2, "action": "refuse", "status": 429, "code": -1003, "message": "Too many requests.", "retry_after_seconds": 3},
    ]});
    let mut settings = settings(USDM);
    settings.faults = plan(faults);
    let mut lab = Lab::new(settings, lab::still_market(USDM, Vec::new()));
    let (status, body) = lab.limit("BUY", "0.010", "63000.00", "GTC", "u1");
    assert_eq!((status, code(&body)), (504, -1007));
    assert_eq!(
        lab.rest("GET", "/fapi/v1/order", &[("symbol", "BTCUSDT"), ("origClientOrderId", "u1")]).1["status"],
        "NEW"
    );
    let response = lab.http("GET", "/fapi/v1/time", None);
    assert_eq!(response.status, 429);
    assert!(response.headers.contains(&("Retry-After".to_owned(), "3".to_owned())));
    assert_eq!(lab.http("GET", "/fapi/v1/time", None).status, 200);
}

#[test]
fn a_wrong_server_clock_is_told_and_enforced() {
    for ahead in [-8000i64, 8000] {
        let mut settings = settings(SPOT);
        settings.faults = plan(json!({"clock_ahead_ms": ahead}));
        let mut lab = Lab::new(settings, lab::still_market(SPOT, Vec::new()));
        assert_eq!(lab.get("/api/v3/time").1["serverTime"], START.millis() + ahead);
        let (status, body) = lab.rest("GET", "/api/v3/openOrders", &[]);
        assert_eq!((status, code(&body)), (400, -1021));
    }
}

#[test]
fn acknowledgements_are_lost_but_subscriptions_stand() {
    let mut lab = Lab::synthetic(SPOT, 8, plan(json!({"acknowledgements_lost": 1})));
    let id = lab.open("/ws");
    lab.say(id, r#"{"method":"SUBSCRIBE","params":["btcusdt@depth@100ms"],"id":1}"#);
    assert!(lab.heard(id).is_empty());
    lab.run(Nanos::from_seconds(1));
    assert!(lab.heard(id).iter().all(|message| message["e"] == "depthUpdate"));
    lab.say(id, r#"{"method":"LIST_SUBSCRIPTIONS","id":2}"#);
    assert_eq!(lab.heard(id)[0]["result"], json!(["btcusdt@depth@100ms"]));
}

#[test]
fn a_killed_exchange_is_silent() {
    let mut lab = Lab::synthetic(USDM, 9, plan(json!({"kill_after_ms": 2000})));
    let stream = lab.open("/public/ws/btcusdt@depth@100ms");
    let api = lab.open("/ws-fapi/v1");
    lab.run(Nanos::from_millis(1999));
    assert!(lab.closes.is_empty());
    lab.run(Nanos::from_millis(1));
    assert_eq!(lab.closes, [(stream, 0, String::new()), (api, 0, String::new())]);
    assert_eq!(lab.exchange.next_deadline(), Nanos::NEVER);
    assert!(lab.exchange.on_websocket_open(ConnectionId(77), "/public/ws", lab.now).is_err());
    assert_eq!(lab.http("POST", "/fapi/v1/listenKey", Some(HMAC_KEY)).status, 503);
}

#[test]
fn random_faults_follow_their_seed() {
    let random = |seed: u64| {
        let faults = json!({"seed": seed, "random_frames": {"drop_millionths": 50_000, "duplicate_millionths": 50_000, "swap_millionths": 50_000}});
        texts(USDM, plan(faults), 20_000)
    };
    let (one, again, other) = (random(1), random(1), random(2));
    assert_eq!(one, again);
    assert_ne!(one, other);
    let good = texts(USDM, FaultPlan::default(), 20_000);
    let missing = good.iter().filter(|text| !one.contains(text)).count();
    println!("of {} frames {missing} were dropped", good.len());
    assert!(missing > 5 && missing < good.len() / 8);
}

#[test]
fn plans_refuse_what_they_do_not_know() {
    for bad in [
        json!({"frame": []}),
        json!({"frames": [{"nth": 1, "action": "explode"}]}),
        json!({"frames": [{"nth": 1, "action": "drop", "when": 3}]}),
        json!({"requests": [{"on": "place", "action": "refuse"}]}),
        json!({"kill_after_ms": -1}),
    ] {
        assert!(serde_json::from_value::<FaultPlan>(bad.clone()).is_err(), "{bad}");
    }
}

#[test]
fn several_symbols_share_a_connection_and_fall_silent_alone() {
    use spinbook_feed::sim::flow::SyntheticSymbol;
    use spinbook_feed::venue::binance::simulator::rules;
    for product in binance::PRODUCT_LINES {
        let listings: Vec<_> =
            ["BTCUSDT", "ETHUSDT"].iter().map(|symbol| rules::known_listing(product, symbol).expect("known")).collect();
        let symbols: Vec<SyntheticSymbol> = listings
            .iter()
            .zip(["64000", "3400"])
            .map(|(listing, price)| SyntheticSymbol { listing: listing.clone(), price: price.to_owned() })
            .collect();
        let mut settings = settings(product);
        settings.listings = listings;
        settings.faults = plan(json!({"silences": [{"symbol": "ETHUSDT", "after_ms": 1000, "for_ms": 60_000}]}));
        let market = Synthetic::new(product, &symbols, 3, START).expect("a market");
        let mut lab = Lab::new(settings, Box::new(market));
        for symbol in ["BTCUSDT", "ETHUSDT"] {
            let path = lab.path(&format!("depth?symbol={symbol}&limit=10"));
            assert_eq!(lab.get(&path).0, 200, "both books are known before play begins");
        }
        let route = if product == SPOT { "" } else { "/public" };
        let id =
            lab.open(&format!("{route}/stream?streams=btcusdt@depth@100ms/ethusdt@depth@100ms/ethusdt@depth5@100ms"));
        lab.run(Nanos::from_millis(900));
        let heard = lab.heard(id);
        for name in ["btcusdt@depth@100ms", "ethusdt@depth@100ms", "ethusdt@depth5@100ms"] {
            assert!(heard.iter().any(|message| message["stream"] == name), "{name}");
        }
        lab.run(Nanos::from_millis(200));
        lab.heard(id);
        lab.run(Nanos::from_millis(2000));
        let heard = lab.heard(id);
        assert!(heard.iter().any(|message| message["stream"] == "btcusdt@depth@100ms"));
        assert!(heard.iter().all(|message| message["stream"] != "ethusdt@depth@100ms"));
    }
}

#[test]
fn executions_are_told_as_the_plan_says_and_booked_as_they_were() {
    for product in binance::PRODUCT_LINES {
        let told = |executions: Value| -> Vec<Value> {
            let mut settings = settings(product);
            settings.faults = plan(json!({ "executions": executions }));
            let mut lab = Lab::new(settings, lab::still_market(product, Vec::new()));
            let user = user_data(&mut lab);
            for id in ["a", "b", "c"] {
                assert_eq!(lab.limit("BUY", "0.010", "64000.00", "IOC", id).0, 200);
            }
            let path = lab.path(if product == SPOT { "myTrades" } else { "userTrades" });
            let (_, trades) = lab.rest("GET", &path, &[("symbol", "BTCUSDT")]);
            assert_eq!(trades.as_array().map(Vec::len), Some(3), "{trades}");
            let report = |message: Value| message[if product == SPOT { "event" } else { "o" }].clone();
            lab.heard(user).into_iter().map(report).filter(|report| report["x"] == "TRADE").collect()
        };
        let clients = |told: &[Value]| -> Vec<String> {
            told.iter().map(|report| report["c"].as_str().expect("a name").to_owned()).collect()
        };
        let good = told(json!([]));
        assert_eq!(clients(&good), ["a", "b", "c"]);
        assert_eq!(clients(&told(json!([{"nth": 2, "times": 0}]))), ["a", "c"]);
        assert_eq!(clients(&told(json!([{"nth": 1, "count": 2, "times": 2}]))), ["a", "a", "b", "b", "c"]);
        let garbled = told(json!([{"nth": 2, "set": {"L": "-1.0", "t": "0", "n": "NaN", "absent": "1"}}]));
        let mut expected = good.clone();
        (expected[1]["L"], expected[1]["t"], expected[1]["n"]) = (json!("-1.0"), json!(0), json!("NaN"));
        assert_eq!(garbled, expected);
        assert_eq!(told(json!([{"nth": 3, "set": {"t": "none"}}]))[2]["t"], "none");
    }
}

#[test]
fn answers_over_rest_are_replaced_for_as_long_as_the_plan_says() {
    let mut settings = settings(USDM);
    let answers = json!([{"path": "/fapi/v1/time", "nth": 2, "count": 2, "status": 503, "body": "<html>"}]);
    settings.faults = plan(json!({ "answers": answers }));
    let mut lab = Lab::new(settings, lab::still_market(USDM, Vec::new()));
    let mut statuses = Vec::new();
    for _ in 0..4 {
        let answer = lab.http("GET", "/fapi/v1/time", None);
        assert_eq!(answer.status == 503, answer.body == b"<html>");
        statuses.push(answer.status);
        assert_eq!(lab.get("/fapi/v1/depth?symbol=BTCUSDT&limit=5").0, 200, "another path");
    }
    assert_eq!(statuses, [200, 503, 503, 200]);
}
