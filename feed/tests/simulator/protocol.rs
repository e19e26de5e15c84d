//! COLD: the exchange's protocol: every request of both endpoints, its errors, limits, signatures and streams.

use crate::lab::{self, ED_KEY, HMAC_KEY, Lab, START, code, credentials, ed_credentials, settings, still_market};
use serde_json::{Value, json};
use spinbook_engine::types::Nanos;
use spinbook_feed::sim::side::{ClientControl, ConnectionId, ExchangeSide, HttpRequest};
use spinbook_feed::venue::{ProductLine, binance};

const SPOT: ProductLine = binance::SPOT;
const USDM: ProductLine = binance::USDM;

#[test]
fn open_requests_answer() {
    for product in binance::PRODUCT_LINES {
        let mut lab = Lab::still(product);
        let path = lab.path("ping");
        assert_eq!(lab.get(&path), (200, json!({})));
        let path = lab.path("time");
        assert_eq!(lab.get(&path), (200, json!({"serverTime": START.millis()})));
        let path = lab.path("exchangeInfo");
        let (status, info) = lab.get(&path);
        assert_eq!(status, 200);
        assert_eq!(info["symbols"][0]["symbol"], "BTCUSDT");
        let filters = info["symbols"][0]["filters"].as_array().expect("filters");
        let filter = |name: &str| filters.iter().find(|filter| filter["filterType"] == name).expect("a filter");
        let (tick, step) = if product == SPOT { ("0.01000000", "0.00001000") } else { ("0.10", "0.001") };
        assert_eq!(filter("PRICE_FILTER")["tickSize"], tick);
        assert_eq!(filter("LOT_SIZE")["stepSize"], step);
        let path = lab.path("depth?symbol=BTCUSDT&limit=5");
        let (status, depth) = lab.get(&path);
        assert_eq!((status, depth["lastUpdateId"].as_u64()), (200, Some(1000)));
        assert_eq!(depth["bids"].as_array().map(Vec::len), Some(5));
        let best = if product == SPOT { json!(["63999.90000000", "1.00000000"]) } else { json!(["63999.90", "1.000"]) };
        assert_eq!(depth["bids"][0], best);
        assert!(
            lab.http("GET", &lab.path("time"), None).headers.iter().any(|(name, _)| name == "X-MBX-USED-WEIGHT-1M")
        );
    }
}

#[test]
fn what_other_clients_ask_at_their_start_is_answered() {
    let mut lab = Lab::still(SPOT);
    assert_eq!(lab.get("/api/v3/ticker/price?symbol=BTCUSDT").1["price"], "63999.90000000");
    let (status, rates) = lab.rest("GET", "/api/v3/account/commission", &[("symbol", "BTCUSDT")]);
    assert_eq!((status, &rates["standardCommission"]["maker"]), (200, &json!("0.00100000")));
    let mut lab = Lab::still(USDM);
    assert_eq!(lab.get("/fapi/v2/ticker/price").1[0]["price"], "63999.90");
    assert_eq!(lab.rest("GET", "/fapi/v1/positionSide/dual", &[]).1, json!({"dualSidePosition": false}));
    let (_, rates) = lab.rest("GET", "/fapi/v1/commissionRate", &[("symbol", "BTCUSDT")]);
    assert_eq!(rates["takerCommissionRate"], "0.00050000");
    assert_eq!(lab.rest("POST", "/fapi/v1/leverage", &[("symbol", "BTCUSDT"), ("leverage", "10")]).1["leverage"], 10);
    assert_eq!(code(&lab.rest("POST", "/fapi/v1/leverage", &[("symbol", "BTCUSDT"), ("leverage", "500")]).1), -4028);
}

#[test]
fn depth_before_the_book_is_known_is_refused() {
    let mut lab = Lab::new(settings(SPOT), lab::Frames::boxed(Vec::new()));
    let (status, body) = lab.get("/api/v3/depth?symbol=BTCUSDT");
    assert_eq!((status, code(&body)), (503, -1008));
}

#[test]
fn unknown_paths_and_methods() {
    let mut lab = Lab::still(SPOT);
    assert_eq!(lab.get("/api/v3/nothing").0, 404);
    assert_eq!(lab.http("PATCH", "/api/v3/order", None).status, 405);
    assert_eq!(lab.get("/fapi/v1/time").0, 404);
    assert!(lab.exchange.on_websocket_open(ConnectionId(99), "/nothing", START).is_err());
}

#[test]
fn every_order_error_has_the_venues_code() {
    // ProductLine, parameters over a good order, status and code.
    type Row<'a> = (ProductLine, &'a [(&'a str, &'a str)], i64);
    let table: &[Row<'_>] = &[
        (SPOT, &[("symbol", "NOSUCH")], -1121),
        (USDM, &[("symbol", "NOSUCH")], -1121),
        (SPOT, &[("symbol", "")], -1102),
        (SPOT, &[("side", "")], -1102),
        (SPOT, &[("side", "HOLD")], -1117),
        (SPOT, &[("type", "WISH")], -1116),
        (USDM, &[("type", "STOP_MARKET")], -4120),
        (SPOT, &[("type", "LIMIT"), ("timeInForce", "")], -1102),
        (SPOT, &[("timeInForce", "GTX")], -1115),
        (SPOT, &[("type", "LIMIT_MAKER")], -1106),
        (SPOT, &[("quantity", "")], -1102),
        (SPOT, &[("quantity", "-1")], -1100),
        (SPOT, &[("quantity", "1e3")], -1100),
        (SPOT, &[("quantity", "0.000000001")], -1111),
        (USDM, &[("quantity", "0.0001")], -1111),
        (SPOT, &[("quantity", "0.000015")], -1013),
        (SPOT, &[("quantity", "0")], -1013),
        (USDM, &[("quantity", "0")], -4003),
        (USDM, &[("quantity", "5000")], -4005),
        (SPOT, &[("price", "63000.005")], -1013),
        (USDM, &[("price", "63000.05")], -4014),
        (USDM, &[("price", "63000.001")], -1111),
        (SPOT, &[("price", "63000.000000001")], -1111),
        (USDM, &[("price", "0")], -4001),
        (SPOT, &[("price", "0")], -1013),
        (SPOT, &[("quantity", "0.00001")], -1013),
        (
            USDM,
            &[
                ("quantity", "0.001"),
                ("price", "62000"),
                ("symbol", "BTCUSDT"),
                ("side", "SELL"),
                ("reduceOnly", "true"),
            ],
            -2022,
        ),
        (SPOT, &[("price", "400000")], -1013),
        (USDM, &[("price", "70000")], -4016),
        (USDM, &[("price", "60000"), ("side", "SELL")], -4024),
        (SPOT, &[("price", "1000")], -1013),
        (SPOT, &[("price", "400000"), ("side", "SELL")], -1013),
        (SPOT, &[("quantity", "100")], -2010),
        (USDM, &[("quantity", "100")], -2019),
        (SPOT, &[("newClientOrderId", "bad id!")], -1100),
        (USDM, &[("newClientOrderId", "1234567890123456789012345678901234567")], -4015),
        (SPOT, &[("newOrderRespType", "LONG")], -1136),
        (USDM, &[("newOrderRespType", "FULL")], -1136),
        (SPOT, &[("selfTradePreventionMode", "MAYBE")], -1013),
        (USDM, &[("positionSide", "LONG")], -4061),
        (SPOT, &[("recvWindow", "60001")], -1131),
    ];
    for (product, changes, expected) in table {
        let mut lab = Lab::still(*product);
        let mut params: Vec<(&str, &str)> = vec![
            ("symbol", "BTCUSDT"),
            ("side", "BUY"),
            ("type", "LIMIT"),
            ("timeInForce", "GTC"),
            ("quantity", "0.01"),
            ("price", "63000"),
        ];
        for (name, value) in *changes {
            params.retain(|(other, _)| other != name);
            if !value.is_empty() {
                params.push((name, value));
            }
        }
        let path = lab.path("order");
        let (status, body) = lab.rest("POST", &path, &params);
        assert_eq!((status, code(&body)), (400, *expected), "{} {changes:?}: {body}", product.name());
        let path = lab.path("openOrders");
        assert_eq!(lab.rest("GET", &path, &[]).1, json!([]), "a refused order rests nowhere");
    }
}

#[test]
fn post_only_and_duplicates_are_refused_with_the_products_own_codes() {
    for (product, post_only, crossing, duplicate) in [(SPOT, "LIMIT_MAKER", -2010, -2010), (USDM, "GTX", -5022, -4116)]
    {
        let mut lab = Lab::still(product);
        assert_eq!(code(&lab.limit("BUY", "0.01", "64000.00", post_only, "a").1), crossing);
        assert_eq!(lab.limit("BUY", "0.01", "63999.90", post_only, "a").0, 200);
        assert_eq!(code(&lab.limit("BUY", "0.01", "63999.90", post_only, "a").1), duplicate);
        let path = lab.path("order");
        assert_eq!(lab.rest("DELETE", &path, &[("symbol", "BTCUSDT"), ("origClientOrderId", "a")]).0, 200);
        assert_eq!(
            lab.limit("BUY", "0.01", "63999.90", post_only, "a").0,
            200,
            "a closed order's id may be used again"
        );
    }
}

#[test]
fn fill_or_kill_expires_on_spot_and_is_refused_on_futures() {
    let mut lab = Lab::still(SPOT);
    let (status, order) = lab.limit("BUY", "3", "64000.10", "FOK", "k1");
    assert_eq!((status, &order["status"], &order["executedQty"]), (200, &json!("EXPIRED"), &json!("0.00000000")));
    let (_, order) = lab.limit("BUY", "2", "64000.10", "FOK", "k2");
    assert_eq!((&order["status"], &order["executedQty"]), (&json!("FILLED"), &json!("2.00000000")));
    let mut lab = Lab::still(USDM);
    assert_eq!(code(&lab.limit("BUY", "3", "64000.10", "FOK", "k1").1), -5021);
    assert_eq!(lab.limit("BUY", "2", "64000.10", "FOK", "k2").1["status"], "FILLED");
}

#[test]
fn cancels_and_queries() {
    for product in binance::PRODUCT_LINES {
        let mut lab = Lab::still(product);
        let path = lab.path("order");
        let named = [("symbol", "BTCUSDT"), ("origClientOrderId", "x1")];
        assert_eq!(code(&lab.rest("DELETE", &path, &named).1), -2011);
        assert_eq!(code(&lab.rest("GET", &path, &named).1), -2013);
        assert_eq!(code(&lab.rest("GET", &path, &[("symbol", "BTCUSDT")]).1), -1102);
        let (_, placed) = lab.limit("SELL", "0.02", "64100.00", "GTC", "x1");
        let id = placed["orderId"].to_string();
        let (_, queried) = lab.rest("GET", &path, &[("symbol", "BTCUSDT"), ("orderId", &id)]);
        assert_eq!((queried["status"].as_str(), queried["clientOrderId"].as_str()), (Some("NEW"), Some("x1")));
        let open = lab.path("openOrders");
        assert_eq!(lab.rest("GET", &open, &[("symbol", "BTCUSDT")]).1.as_array().map(Vec::len), Some(1));
        let (status, canceled) = lab.rest("DELETE", &path, &named);
        assert_eq!((status, canceled["status"].as_str()), (200, Some("CANCELED")));
        assert_eq!(code(&lab.rest("DELETE", &path, &named).1), -2011);
        assert_eq!(lab.rest("GET", &path, &named).1["status"], "CANCELED");
        lab.limit("SELL", "0.02", "64100.00", "GTC", "x2");
        lab.limit("BUY", "0.02", "63900.00", "GTC", "x3");
        let all = if product == SPOT { open.clone() } else { lab.path("allOpenOrders") };
        let (status, _) = lab.rest("DELETE", &all, &[("symbol", "BTCUSDT")]);
        assert_eq!(status, 200);
        assert_eq!(lab.rest("GET", &open, &[]).1, json!([]));
    }
}

#[test]
fn signatures_times_and_keys() {
    for product in binance::PRODUCT_LINES {
        let mut lab = Lab::still(product);
        let path = lab.path("openOrders");
        let sign = |timestamp: i64, more: &str| {
            let payload = format!("{more}timestamp={timestamp}");
            let mut signature = String::new();
            credentials().sign_onto(payload.as_bytes(), &mut signature);
            format!("{payload}&signature={signature}")
        };
        let now = lab.now.millis();
        let ask = |lab: &mut Lab, query: &str, key: Option<&str>| {
            let response = lab.http("GET", &format!("{path}?{query}"), key);
            (response.status, code(&serde_json::from_slice(&response.body).expect("JSON")))
        };
        assert_eq!(ask(&mut lab, &sign(now, ""), Some(HMAC_KEY)), (200, 0));
        assert_eq!(ask(&mut lab, &sign(now, ""), None), (401, -2014));
        assert_eq!(ask(&mut lab, &sign(now, ""), Some(" your key ")), (401, -2014));
        assert_eq!(ask(&mut lab, &sign(now, ""), Some("nobody")), (401, -2015));
        assert_eq!(ask(&mut lab, &sign(now - 5000, ""), Some(HMAC_KEY)), (200, 0));
        assert_eq!(ask(&mut lab, &sign(now - 5001, ""), Some(HMAC_KEY)), (400, -1021));
        assert_eq!(ask(&mut lab, &sign(now - 5001, "recvWindow=6000&"), Some(HMAC_KEY)), (200, 0));
        assert_eq!(ask(&mut lab, &sign(now + 999, ""), Some(HMAC_KEY)), (200, 0));
        assert_eq!(ask(&mut lab, &sign(now + 1000, ""), Some(HMAC_KEY)), (400, -1021));
        assert_eq!(
            ask(&mut lab, &format!("timestamp={now}&signature={}", "0".repeat(64)), Some(HMAC_KEY)),
            (400, -1022)
        );
        assert_eq!(ask(&mut lab, &sign(now, "symbol=BTCUSDT&").replace("BTC", "ETH"), Some(HMAC_KEY)), (400, -1022));
        assert_eq!(ask(&mut lab, &format!("timestamp={now}"), Some(HMAC_KEY)), (400, -1102));
        assert_eq!(ask(&mut lab, "signature=00", Some(HMAC_KEY)), (400, -1102));
        assert_eq!(ask(&mut lab, &sign(now, ""), Some(ED_KEY)), (400, -1022), "another account's signature");
        let mut signature = String::new();
        let payload = format!("timestamp={now}");
        ed_credentials().sign_onto(payload.as_bytes(), &mut signature);
        let encoded = signature.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        assert_eq!(ask(&mut lab, &format!("{payload}&signature={encoded}"), Some(ED_KEY)), (200, 0));
    }
}

/// The documentation's REST example (2017), signed there: accepted as signed, refused only for what it orders.
#[test]
fn the_documented_signatures_are_accepted() {
    let at = Nanos::from_millis(1_499_827_319_559);
    let query = "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559";
    let signature = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71";
    let mut lab = Lab::still(SPOT);
    lab.now = at;
    let response = lab.http("POST", &format!("/api/v3/order?{query}&signature={signature}"), Some(HMAC_KEY));
    let body: Value = serde_json::from_slice(&response.body).expect("JSON");
    assert_eq!(code(&body), -1121, "{body}");
    // Query and body are signed joined, without a separator.
    let (first, second) = query.split_at(query.find("&quantity").expect("quantity"));
    let mut signature = String::new();
    credentials().sign_onto(format!("{first}{}", &second[1..]).as_bytes(), &mut signature);
    let headers = [("X-MBX-APIKEY", HMAC_KEY)];
    let target = format!("/api/v3/order?{first}");
    for (signature, expected) in [(signature.as_str(), -1121), (&"0".repeat(64), -1022)] {
        let body = format!("{}&signature={signature}", &second[1..]);
        let request = HttpRequest { method: "POST", target: &target, headers: &headers, body: body.as_bytes() };
        let mixed: Value = serde_json::from_slice(&lab.exchange.on_http(&request, at).body).expect("JSON");
        assert_eq!(code(&mixed), expected, "{mixed}");
    }
    // The documentation's WebSocket examples.
    let price = json!({
        "symbol": "BTCUSDT", "side": "SELL", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01000000",
        "price": "52000.00", "recvWindow": 100, "timestamp": 1_645_423_376_532_i64, "apiKey": HMAC_KEY,
        "signature": "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24",
    });
    lab.now = Nanos::from_millis(1_645_423_376_532);
    let id = lab.open("/ws-api/v3");
    let reply = lab.call(id, "order.place", price.clone());
    assert_eq!(reply["status"], 200, "{reply}");
    let mut wrong = price;
    wrong["price"] = json!("52000.01");
    assert_eq!(code(&lab.call(id, "order.place", wrong)["error"]), -1022);
    let wide = json!({
        "symbol": "１２３４５６", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "1.00000000",
        "price": "0.10000000", "recvWindow": 5000, "timestamp": 1_645_423_376_532_i64, "apiKey": HMAC_KEY,
        "signature": "b33892ae8e687c939f4468c6268ddd4c40ac1af18ad19a064864c47bae0752cd",
    });
    assert_eq!(code(&lab.call(id, "order.place", wide)["error"]), -1121, "signed rightly, listed not");
}

#[test]
fn websocket_api_answers() {
    for (product, path) in [(SPOT, "/ws-api/v3"), (USDM, "/ws-fapi/v1")] {
        let mut lab = Lab::still(product);
        let id = lab.open(path);
        let reply = lab.call(id, "ping", json!({}));
        assert_eq!((&reply["id"], &reply["status"], &reply["result"]), (&json!("q"), &json!(200), &json!({})));
        assert_eq!(reply["rateLimits"][0]["rateLimitType"], "REQUEST_WEIGHT");
        assert_eq!(lab.call(id, "time", json!({}))["result"]["serverTime"], START.millis());
        assert_eq!(lab.call(id, "exchangeInfo", json!({}))["result"]["symbols"][0]["symbol"], "BTCUSDT");
        assert_eq!(lab.call(id, "no.such", json!({}))["status"], 400);
        lab.say(id, "not json");
        assert_eq!(code(&lab.heard(id)[0]["error"]), -1135);
        let order = [
            ("symbol", "BTCUSDT"),
            ("side", "BUY"),
            ("type", "LIMIT"),
            ("timeInForce", "GTC"),
            ("quantity", "0.01"),
            ("price", "63000.00"),
        ];
        let params = lab.signed(&order, &credentials());
        let placed = lab.call(id, "order.place", params);
        assert_eq!(placed["status"], 200, "{placed}");
        assert_eq!(placed["rateLimits"][1]["count"], 1);
        let params = lab.signed(&[("symbol", "BTCUSDT")], &credentials());
        assert_eq!(lab.call(id, "openOrders.status", params)["result"].as_array().map(Vec::len), Some(1));
        let order_id = placed["result"]["orderId"].to_string();
        let params = lab.signed(&[("symbol", "BTCUSDT"), ("orderId", &order_id)], &credentials());
        assert_eq!(lab.call(id, "order.status", params.clone())["result"]["status"], "NEW");
        assert_eq!(lab.call(id, "order.cancel", params.clone())["result"]["status"], "CANCELED");
        assert_eq!(code(&lab.call(id, "order.cancel", params)["error"]), -2011);
        let params = lab.signed(&order, &credentials());
        let tested = lab.call(id, "order.test", params)["result"].clone();
        assert_eq!(tested.get("status"), (product == USDM).then_some(&json!("NEW")), "futures show the order");
        let params = lab.signed(&[], &credentials());
        assert_eq!(lab.call(id, "account.status", params)["status"], 200);
        let params = lab.signed(&[("symbol", "BTCUSDT")], &credentials());
        assert_eq!(lab.call(id, "myTrades", params)["result"], json!([]));
        let quiet = lab.open(&format!("{path}?returnRateLimits=false"));
        assert_eq!(lab.call(quiet, "ping", json!({})).get("rateLimits"), None);
        assert_eq!(lab.call(quiet, "openOrders.cancelAll", json!({"symbol": "BTCUSDT"}))["status"], 401);
    }
}

#[test]
fn sessions_log_on_with_ed25519_only() {
    let mut lab = Lab::still(SPOT);
    let id = lab.open("/ws-api/v3");
    let params = lab.signed(&[], &credentials());
    assert_eq!(code(&lab.call(id, "session.logon", params)["error"]), -4056);
    assert_eq!(code(&lab.call(id, "userDataStream.subscribe", json!({}))["error"]), -1002);
    let params = lab.signed(&[], &ed_credentials());
    assert_eq!(lab.call(id, "session.logon", params)["result"]["apiKey"], ED_KEY);
    let timestamp = lab.now.millis();
    let order = json!({
        "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT_MAKER", "quantity": "0.01", "price": "63000",
        "newOrderRespType": "ACK", "timestamp": timestamp,
    });
    assert_eq!(lab.call(id, "order.place", order.clone())["status"], 200);
    let mut late = order.clone();
    late["timestamp"] = json!(timestamp - 6000);
    assert_eq!(code(&lab.call(id, "order.place", late)["error"]), -1021, "a session still needs the time");
    assert_eq!(lab.call(id, "userDataStream.subscribe", json!({}))["result"]["subscriptionId"], 0);
    assert_eq!(lab.call(id, "session.status", json!({}))["result"]["userDataStream"], true);
    assert_eq!(code(&lab.call(id, "userDataStream.subscribe", json!({}))["error"]), -2035);
    assert_eq!(lab.call(id, "session.logout", json!({}))["result"]["apiKey"], Value::Null);
    assert_eq!(lab.call(id, "order.place", order)["status"], 401);
}

/// The Ed25519 signature of the example key over the documented logon.
#[test]
fn the_ed25519_vector_logs_on() {
    let mut lab = Lab::still(SPOT);
    lab.now = Nanos::from_millis(1_649_729_878_532);
    let id = lab.open("/ws-api/v3");
    let signature = "sssWHgJ3Y7Rnv6MkTXBOnzUm4hpRvbcG3To/muf2W1ZQ3rhVJS8JQbWf59vnGT253IgKDhUg+aoT0zWBLAyxBA==";
    let params = json!({"apiKey": ED_KEY, "timestamp": 1_649_729_878_532_i64, "signature": signature});
    assert_eq!(lab.call(id, "session.logon", params)["status"], 200);
    let wrong = json!({"apiKey": ED_KEY, "timestamp": 1_649_729_878_533_i64, "signature": signature});
    assert_eq!(code(&lab.call(id, "session.logon", wrong)["error"]), -1022);
}

#[test]
fn order_counts_and_weight_have_windows() {
    let mut lab = Lab::still(SPOT);
    for number in 0..50 {
        let response = lab.limit("BUY", "0.001", "63000.00", "GTC", &format!("n{number}"));
        assert_eq!(response.0, 200, "{number}: {}", response.1);
    }
    assert_eq!(code(&lab.limit("BUY", "0.001", "63000.00", "GTC", "n50").1), -1015);
    let (_, counts) = lab.rest("GET", "/api/v3/rateLimit/order", &[]);
    assert_eq!((&counts[0]["count"], &counts[1]["count"]), (&json!(50), &json!(50)));
    let response = lab.rest("DELETE", "/api/v3/order", &[("symbol", "BTCUSDT"), ("origClientOrderId", "n1")]);
    assert_eq!(response.0, 200, "cancels go on");
    lab.run(Nanos::from_seconds(10));
    assert_eq!(lab.limit("BUY", "0.001", "63000.00", "GTC", "n51").0, 200);

    let mut lab = Lab::still(USDM);
    let mut refused = None;
    for _ in 0..200 {
        let response = lab.http("GET", "/fapi/v1/depth?symbol=BTCUSDT&limit=1000", None);
        if response.status != 200 {
            refused = Some(response);
            break;
        }
    }
    let refused = refused.expect("2400 a minute are 120 snapshots");
    assert_eq!(refused.status, 429);
    assert!(refused.headers.iter().any(|(name, value)| name == "Retry-After" && value == "60"), "{refused:?}");
    let mut last = refused.status;
    for _ in 0..10 {
        last = lab.http("GET", "/fapi/v1/depth?symbol=BTCUSDT&limit=1000", None).status;
    }
    assert_eq!(last, 429, "some impatience is borne");
    for _ in 0..30 {
        last = lab.http("GET", "/fapi/v1/depth?symbol=BTCUSDT&limit=1000", None).status;
    }
    assert_eq!(last, 418);
    lab.run(Nanos::from_seconds(121));
    assert_eq!(lab.get("/fapi/v1/time").0, 200);
}

#[test]
fn stream_control_messages() {
    let mut lab = Lab::new(settings(SPOT), still_market(SPOT, Vec::new()));
    let id = lab.open("/ws");
    let table: &[(&str, Value)] = &[
        (
            r#"{"method":"SUBSCRIBE","params":["btcusdt@depth@100ms","btcusdt@bookTicker"],"id":1}"#,
            json!({"result": null, "id": 1}),
        ),
        (
            r#"{"method":"LIST_SUBSCRIPTIONS","id":"x"}"#,
            json!({"result": ["btcusdt@depth@100ms", "btcusdt@bookTicker"], "id": "x"}),
        ),
        (r#"{"method":"UNSUBSCRIBE","params":["btcusdt@bookTicker"],"id":null}"#, json!({"result": null, "id": null})),
        (r#"{"method":"LIST_SUBSCRIPTIONS","id":4}"#, json!({"result": ["btcusdt@depth@100ms"], "id": 4})),
        (r#"{"method":"GET_PROPERTY","params":["combined"],"id":5}"#, json!({"result": false, "id": 5})),
        (r#"{"method":"SET_PROPERTY","params":["combined",true],"id":6}"#, json!({"result": null, "id": 6})),
        (r#"{"method":"GET_PROPERTY","params":["combined"],"id":7}"#, json!({"result": true, "id": 7})),
    ];
    for (text, reply) in table {
        lab.run(Nanos::from_millis(300));
        lab.say(id, text);
        assert_eq!(lab.heard(id), std::slice::from_ref(reply), "{text}");
    }
    for (text, expected) in [
        (r#"{"method":"SET_PROPERTY","params":["combined",3],"id":1}"#, 1),
        (r#"{"method":"SET_PROPERTY","params":["colour",true],"id":1}"#, 0),
        (r#"{"method":"DANCE","id":1}"#, 2),
        (r#"{"id":1}"#, 2),
        (r#"{"method":"SUBSCRIBE","params":"btcusdt@trade","id":1}"#, 2),
        (r#"{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":{}}"#, 2),
        ("{", 3),
    ] {
        lab.run(Nanos::from_millis(300));
        lab.say(id, text);
        let heard = lab.heard(id);
        assert_eq!(heard[0]["code"], json!(expected), "{text}");
        assert_eq!(heard[0].get("result"), None, "{text}");
    }
}

#[test]
fn too_many_messages_end_a_connection() {
    for (product, limit) in [(SPOT, 5), (USDM, 10)] {
        let mut lab = Lab::still(product);
        let id = lab.open("/ws");
        lab.exchange.on_websocket_control(id, ClientControl::Pong, START);
        for number in 1..limit {
            lab.say(id, &format!("{{\"method\":\"LIST_SUBSCRIPTIONS\",\"id\":{number}}}"));
        }
        assert!(lab.closes.is_empty(), "{limit} a second are allowed");
        lab.say(id, r#"{"method":"LIST_SUBSCRIPTIONS","id":99}"#);
        assert_eq!(lab.closes, [(id, 1008, "Too many requests".to_owned())]);
    }
}

#[test]
fn connections_are_pinged_and_end_after_a_day() {
    for (product, interval, timeout) in [(SPOT, 20, 60), (USDM, 180, 600)] {
        let mut lab = Lab::still(product);
        let id = lab.open("/ws/btcusdt@trade");
        lab.run(Nanos::from_seconds(interval * 10));
        assert_eq!(lab.pings.len(), 10);
        lab.answers_pings = false;
        lab.run(Nanos::from_seconds(interval + timeout));
        assert_eq!(lab.closes, [(id, 1008, "Pong timeout".to_owned())]);
        lab.closes.clear();
        lab.answers_pings = true;
        let id = lab.open("/ws/btcusdt@trade");
        lab.run(Nanos::from_seconds(24 * 3600 - 1));
        assert!(lab.closes.is_empty());
        lab.run(Nanos::from_seconds(1));
        assert_eq!((lab.closes[0].0, lab.closes[0].1), (id, 1001));
    }
}

#[test]
fn spot_user_data_tells_everything() {
    let mut lab = Lab::still(SPOT);
    let id = lab.open("/ws-api/v3");
    let params = lab.signed(&[], &credentials());
    assert_eq!(lab.call(id, "userDataStream.subscribe.signature", params)["result"]["subscriptionId"], 0);
    lab.limit("BUY", "0.5", "64000.00", "GTC", "take");
    let events: Vec<Value> = lab.heard(id).into_iter().map(|message| message["event"].clone()).collect();
    let reports: Vec<(&str, &str, &str)> = events
        .iter()
        .filter(|event| event["e"] == "executionReport")
        .map(|event| {
            (event["x"].as_str().expect("x"), event["X"].as_str().expect("X"), event["z"].as_str().expect("z"))
        })
        .collect();
    assert_eq!(reports, [("NEW", "NEW", "0.00000000"), ("TRADE", "FILLED", "0.50000000")]);
    let trade = events.iter().find(|event| event["x"] == "TRADE").expect("a trade");
    assert_eq!(
        (&trade["n"], &trade["N"], &trade["L"], &trade["m"]),
        (&json!("0.00050000"), &json!("BTC"), &json!("64000.00000000"), &json!(false))
    );
    let last = events.iter().rev().find(|event| event["e"] == "outboundAccountPosition").expect("balances");
    assert_eq!(
        last["B"],
        json!([{"a": "BTC", "f": "10.49950000", "l": "0.00000000"}, {"a": "USDT", "f": "968000.00000000", "l": "0.00000000"}])
    );
    lab.limit("SELL", "0.1", "65000.00", "GTC", "rest");
    lab.rest(
        "DELETE",
        "/api/v3/order",
        &[("symbol", "BTCUSDT"), ("origClientOrderId", "rest"), ("newClientOrderId", "gone")],
    );
    let events = lab.heard(id);
    let canceled =
        events.iter().map(|message| &message["event"]).find(|event| event["x"] == "CANCELED").expect("a cancel");
    assert_eq!((&canceled["c"], &canceled["C"]), (&json!("gone"), &json!("rest")));
}

#[test]
fn futures_user_data_comes_by_listen_key() {
    let mut lab = Lab::still(USDM);
    let response = lab.http("POST", "/fapi/v1/listenKey", Some(HMAC_KEY));
    let body: Value = serde_json::from_slice(&response.body).expect("JSON");
    let key = body["listenKey"].as_str().expect("a key").to_owned();
    let plain = lab.open(&format!("/private/ws/{key}"));
    let chosen = lab.open(&format!("/private/ws?listenKey={key}&events=ORDER_TRADE_UPDATE"));
    let stranger = lab.open("/private/ws?listenKey=other");
    lab.limit("SELL", "0.500", "63999.90", "IOC", "take");
    let kinds = |lab: &mut Lab, id| {
        lab.heard(id).iter().map(|event| event["e"].as_str().expect("e").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&mut lab, plain), ["ORDER_TRADE_UPDATE", "TRADE_LITE", "ACCOUNT_UPDATE", "ORDER_TRADE_UPDATE"]);
    assert_eq!(kinds(&mut lab, chosen), ["ORDER_TRADE_UPDATE", "ORDER_TRADE_UPDATE"]);
    assert!(lab.heard(stranger).is_empty());
    let (_, positions) = lab.rest("GET", "/fapi/v3/positionRisk", &[("symbol", "BTCUSDT")]);
    assert_eq!(
        (&positions[0]["positionAmt"], &positions[0]["entryPrice"]),
        (&json!("-0.500"), &json!("63999.90000000"))
    );
    let (_, balance) = lab.rest("GET", "/fapi/v3/balance", &[]);
    assert_eq!(balance[0]["balance"], "99984.00002500", "0.05 % of 31,999.95 paid");
    lab.run(Nanos::from_seconds(3000));
    assert_eq!(lab.http("PUT", "/fapi/v1/listenKey", Some(HMAC_KEY)).status, 200);
    lab.run(Nanos::from_seconds(3599));
    assert!(lab.heard(plain).is_empty());
    lab.run(Nanos::from_seconds(2));
    assert_eq!(kinds(&mut lab, plain), ["listenKeyExpired"]);
    let response = lab.http("PUT", "/fapi/v1/listenKey", Some(HMAC_KEY));
    assert_eq!(code(&serde_json::from_slice(&response.body).expect("JSON")), -1125);
}

#[test]
fn a_client_that_does_not_read_is_cut() {
    let mut lab = Lab::synthetic(SPOT, 3, spinbook_feed::sim::fault_plan::FaultPlan::default());
    let id = lab.open("/stream?streams=btcusdt@depth@100ms/btcusdt@bookTicker");
    let (mut now, mut next_pong) = (START, START);
    for _ in 0..200_000 {
        now = lab.exchange.next_deadline().max(now);
        lab.exchange.on_timer(now);
        if lab.exchange.status().closed > 0 {
            break;
        }
        // Pongs, or the exchange would cut for another reason.
        if now >= next_pong {
            next_pong = now + Nanos::from_seconds(10);
            lab.exchange.on_websocket_control(id, ClientControl::Pong, now);
        }
    }
    lab.collect();
    assert!(lab.closes.iter().any(|(_, _, reason)| reason == "Client is too slow"), "{:?}", lab.closes);
    assert!(lab.received.is_empty(), "nothing of what waited is sent after the end");
}
