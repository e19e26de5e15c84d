//! COLD: what other people's clients ask at their start and while they run: market data, settings, their own history.

use crate::lab::{HMAC_KEY, Lab, START, code, settings, still_market};
use serde_json::{Value, json};
use spinbook_engine::types::Nanos;
use spinbook_feed::sim::side::MarketFrame;
use spinbook_feed::venue::{ProductLine, binance};

const SPOT: ProductLine = binance::SPOT;
const USDM: ProductLine = binance::USDM;

/// One trade of others, `at_ms` after the start of play.
pub fn trade(product: ProductLine, at_ms: i64, id: u64, price: &str, quantity: &str, seller: bool) -> MarketFrame {
    let (price, quantity) = match product == SPOT {
        true => (format!("{price}000000"), format!("{quantity}00000")),
        false => (price.to_owned(), quantity.to_owned()),
    };
    let data = json!({
        "e": "trade", "E": at_ms, "T": at_ms, "s": "BTCUSDT", "t": id, "p": price, "q": quantity, "X": "MARKET", "m": seller,
    });
    let bytes = json!({"stream": "btcusdt@trade", "data": data}).to_string().into_bytes();
    MarketFrame { at: Nanos::from_millis(at_ms), bytes }
}

/// A still market on which these trades happen, played for `span_ms`.
pub fn traded(product: ProductLine, trades: Vec<MarketFrame>, span_ms: i64) -> Lab {
    let mut lab = Lab::new(settings(product), still_market(product, trades));
    lab.open(if product == SPOT { "/ws/btcusdt@trade" } else { "/public/ws/btcusdt@trade" });
    lab.run(Nanos::from_millis(span_ms));
    lab
}

fn three_trades(product: ProductLine) -> Lab {
    let trades = vec![
        trade(product, 0, 71, "63999.90", "0.500", true),
        trade(product, 100, 72, "64000.00", "0.100", false),
        trade(product, 130_000, 73, "64000.50", "0.200", false),
    ];
    traded(product, trades, 131_000)
}

#[test]
fn candles_tickers_and_trades_say_what_was_traded() {
    for product in binance::PRODUCT_LINES {
        let spot = product == SPOT;
        let mut lab = three_trades(product);
        let text = |spot_text: &'static str, usdm_text: &'static str| json!(if spot { spot_text } else { usdm_text });
        let ask = |lab: &mut Lab, query: &str| {
            let path = lab.path(query);
            let (status, body) = lab.get(&path);
            assert_eq!(status, 200, "{query}: {body}");
            body
        };
        let candles = ask(&mut lab, "klines?symbol=BTCUSDT&interval=1m");
        let minutes: Vec<i64> =
            candles.as_array().expect("candles").iter().map(|candle| candle[0].as_i64().expect("a time")).collect();
        let start = START.millis();
        assert_eq!(minutes, [start, start + 60_000, start + 120_000], "a quiet minute is a candle too");
        assert_eq!(candles[0][1], text("63999.90000000", "63999.90"), "open");
        assert_eq!(candles[0][4], text("64000.00000000", "64000.00"), "close");
        assert_eq!((&candles[0][6], &candles[0][8]), (&json!(start + 59_999), &json!(2)));
        assert_eq!(candles[0][5], text("0.60000000", "0.600"));
        assert_eq!(candles[0][7], "38399.95000000", "0.5 x 63999.90 + 0.1 x 64000.00");
        assert_eq!(candles[0][9], text("0.10000000", "0.100"), "taker buys");
        assert_eq!((&candles[1][4], &candles[1][8]), (&text("64000.00000000", "64000.00"), &json!(0)));
        let since = ask(&mut lab, &format!("klines?symbol=BTCUSDT&interval=1m&startTime={}&limit=1", start + 60_000));
        assert_eq!(since, json!([candles[1]]));
        assert_eq!(ask(&mut lab, "klines?symbol=BTCUSDT&interval=1h").as_array().map(Vec::len), Some(1));
        let path = lab.path("klines?symbol=BTCUSDT&interval=7m");
        assert_eq!(code(&lab.get(&path).1), -1120);

        let day = ask(&mut lab, "ticker/24hr?symbol=BTCUSDT");
        assert_eq!(day["openPrice"], text("63999.90000000", "63999.90"));
        assert_eq!(day["lastPrice"], text("64000.50000000", "64000.50"));
        assert_eq!(day["priceChange"], text("0.60000000", "0.60"));
        assert_eq!((&day["count"], &day["firstId"], &day["lastId"]), (&json!(3), &json!(71), &json!(73)));
        assert_eq!(day["volume"], text("0.80000000", "0.800"));
        assert_eq!(day.get("bidPrice").is_some(), spot);
        assert_eq!(ask(&mut lab, "ticker/24hr").as_array().map(Vec::len), Some(1));
        let price = ask(&mut lab, "ticker/price?symbol=BTCUSDT");
        assert_eq!(price["price"], text("64000.50000000", "64000.50"), "the last trade's, not the best bid's");
        assert_eq!(price.get("time").is_some(), !spot);

        let trades = ask(&mut lab, "trades?symbol=BTCUSDT&limit=2");
        assert_eq!((&trades[0]["id"], &trades[1]["id"]), (&json!(72), &json!(73)));
        assert_eq!((&trades[0]["isBuyerMaker"], &trades[0]["quoteQty"]), (&json!(false), &json!("6400.00000000")));
        let aggregated = ask(&mut lab, "aggTrades?symbol=BTCUSDT&fromId=72&limit=1");
        assert_eq!((&aggregated[0]["a"], &aggregated[0]["m"]), (&json!(72), &json!(false)));
        assert_eq!(ask(&mut lab, "ticker/bookTicker?symbol=BTCUSDT").get("time").is_some(), !spot);
    }
    let mut lab = three_trades(SPOT);
    assert_eq!(lab.get("/api/v3/avgPrice?symbol=BTCUSDT").1["price"], "64000.06250000", "51200.05 / 0.8");
    let seconds = lab.get("/api/v3/klines?symbol=BTCUSDT&interval=1s&limit=1000").1;
    assert_eq!(seconds.as_array().map(Vec::len), Some(132));
    let api = lab.open("/ws-api/v3");
    let candles = lab.call(api, "klines", json!({"symbol": "BTCUSDT", "interval": "1m"}));
    assert_eq!(candles["result"].as_array().map(Vec::len), Some(3));
    assert_eq!(lab.call(api, "ticker.24hr", json!({"symbol": "BTCUSDT"}))["result"]["count"], 3);
}

#[test]
fn clients_of_both_products_find_what_they_try_first() {
    let mut lab = Lab::still(USDM);
    assert_eq!(lab.get("/api/v3/ping"), (200, json!({})));
    assert_eq!(lab.get("/api/v3/time").1["serverTime"], START.millis());
    let mut lab = Lab::still(SPOT);
    let (status, coins) = lab.rest("GET", "/sapi/v1/capital/config/getall", &[]);
    assert_eq!((status, &coins[0]["coin"]), (200, &json!("BTC")));
    assert_eq!(lab.get("/sapi/v1/margin/allPairs"), (200, json!([])));
}

#[test]
fn usdm_settings_answer_as_the_venue_does_when_nothing_changes() {
    let mut lab = Lab::still(USDM);
    let symbol = ("symbol", "BTCUSDT");
    let mode = "/fapi/v1/positionSide/dual";
    assert_eq!(code(&lab.rest("POST", mode, &[("dualSidePosition", "false")]).1), -4059);
    assert_eq!(code(&lab.rest("POST", mode, &[("dualSidePosition", "True")]).1), -4084, "there is no hedge mode here");
    assert_eq!(code(&lab.rest("POST", mode, &[]).1), -1102);
    assert_eq!(lab.rest("GET", "/fapi/v1/multiAssetsMargin", &[]).1, json!({"multiAssetsMargin": false}));
    assert_eq!(code(&lab.rest("POST", "/fapi/v1/multiAssetsMargin", &[("multiAssetsMargin", "false")]).1), -4171);
    let kind = "/fapi/v1/marginType";
    assert_eq!(code(&lab.rest("POST", kind, &[symbol, ("marginType", "CROSSED")]).1), -4046);
    assert_eq!(lab.rest("POST", kind, &[symbol, ("marginType", "ISOLATED")]).0, 200);
    let risk = lab.rest("GET", "/fapi/v2/positionRisk", &[symbol]).1;
    assert_eq!((&risk[0]["marginType"], &risk[0]["leverage"]), (&json!("isolated"), &json!("20")));
    lab.limit("BUY", "0.010", "63000.00", "GTC", "rests");
    assert_eq!(code(&lab.rest("POST", kind, &[symbol, ("marginType", "CROSSED")]).1), -4047);
    let config = lab.rest("GET", "/fapi/v1/symbolConfig", &[]).1;
    assert_eq!((&config[0]["marginType"], &config[0]["leverage"]), (&json!("ISOLATED"), &json!(20)));
    assert_eq!(lab.rest("GET", "/fapi/v1/accountConfig", &[]).1["dualSidePosition"], false);
    let brackets = lab.rest("GET", "/fapi/v1/leverageBracket", &[]).1;
    let first = &brackets[0]["brackets"][0];
    assert_eq!((&first["initialLeverage"], &first["notionalCap"]), (&json!(125), &json!(300_000)));
    assert_eq!(first["maintMarginRatio"].to_string(), "0.004");
    let premium = lab.get("/fapi/v1/premiumIndex?symbol=BTCUSDT").1;
    assert_eq!((&premium["markPrice"], &premium["lastFundingRate"]), (&json!("63999.95000000"), &json!("0.00000000")));
    assert_eq!(premium["nextFundingTime"], START.millis() + 8 * 3_600_000);
    assert_eq!(lab.get("/fapi/v1/fundingRate?symbol=BTCUSDT").1, json!([]), "nothing was charged yet");
}

#[test]
fn leverage_counts() {
    let mut lab = Lab::still(USDM);
    let set = |lab: &mut Lab, leverage: &str| {
        lab.rest("POST", "/fapi/v1/leverage", &[("symbol", "BTCUSDT"), ("leverage", leverage)])
    };
    // The account has 100,000 USDT.
    assert_eq!(set(&mut lab, "1").1["maxNotionalValue"], "1800000000");
    assert_eq!(code(&lab.limit("BUY", "2", "62000.00", "GTC", "a").1), -2019, "124,000 at a leverage of one");
    assert_eq!(lab.limit("BUY", "1", "62000.00", "GTC", "b").0, 200);
    assert_eq!(set(&mut lab, "50").1["leverage"], 50);
    assert_eq!(lab.limit("BUY", "2", "62000.00", "GTC", "c").0, 200);
    assert_eq!(code(&set(&mut lab, "1").1), -2019, "186,000 are open");
    assert_eq!(lab.rest("GET", "/fapi/v1/symbolConfig", &[]).1[0]["leverage"], 50, "a refused change changes nothing");
    assert_eq!(code(&lab.limit("BUY", "0.001", "62000.00", "GTC", "d").1), 0);
    lab.rest("DELETE", "/fapi/v1/allOpenOrders", &[("symbol", "BTCUSDT")]);
    assert_eq!(set(&mut lab, "125").0, 200);
    assert_eq!(code(&lab.limit("BUY", "5", "62000.00", "GTC", "e").1), -2027, "310,000 are too much at 125");
    assert_eq!(lab.limit("BUY", "1", "64000.00", "IOC", "f").0, 200);
    assert_eq!(set(&mut lab, "10").0, 200);
    let risk = lab.rest("GET", "/fapi/v3/positionRisk", &[("symbol", "BTCUSDT")]).1[0].clone();
    assert_eq!((&risk["notional"], &risk["initialMargin"]), (&json!("63999.95000000"), &json!("6399.99500000")));
    assert_eq!(risk["maintMargin"], "255.99980000", "0.4 %");
    assert_eq!(risk["liquidationPrice"], "0", "one bitcoin cannot lose 99,968 USDT");
    let account = lab.rest("GET", "/fapi/v3/account", &[]).1;
    assert_eq!(
        (&account["totalInitialMargin"], &account["totalMaintMargin"]),
        (&json!("6399.99500000"), &json!("255.99980000"))
    );
    assert_eq!(account["totalWalletBalance"], "99968.00000000", "less the fee of 32");
    for name in ["initialMargin", "maintMargin", "crossWalletBalance", "crossUnPnl", "maxWithdrawAmount"] {
        assert!(account["assets"][0][name].is_string(), "{name}");
    }
    lab.limit("BUY", "1", "64000.10", "IOC", "g");
    lab.limit("BUY", "1", "64000.20", "IOC", "h");
    let risk = lab.rest("GET", "/fapi/v2/positionRisk", &[("symbol", "BTCUSDT")]).1[0].clone();
    // (192000.30 - 99903.99985) / (3 - 3 x 0.004) = 30822.05...: what is lost there leaves 0.4 % of what is held.
    assert_eq!(risk["liquidationPrice"], "30822.00000000");
}

#[test]
fn reduce_only_is_read_however_it_is_written() {
    let mut lab = Lab::still(USDM);
    for text in ["true", "True", "TRUE"] {
        let order =
            [("symbol", "BTCUSDT"), ("side", "SELL"), ("type", "MARKET"), ("quantity", "0.010"), ("reduceOnly", text)];
        assert_eq!(code(&lab.rest("POST", "/fapi/v1/order", &order).1), -2022, "{text}: nothing is held");
    }
    let order =
        [("symbol", "BTCUSDT"), ("side", "SELL"), ("type", "MARKET"), ("quantity", "0.010"), ("reduceOnly", "yes")];
    assert_eq!(code(&lab.rest("POST", "/fapi/v1/order", &order).1), -1130);
    let risk = lab.rest("GET", "/fapi/v3/positionRisk", &[("symbol", "BTCUSDT")]).1;
    assert_eq!(risk[0]["positionAmt"], "0.000");
}

#[test]
fn own_history_is_told_by_order_and_by_income() {
    let mut lab = Lab::still(USDM);
    lab.limit("BUY", "0.100", "64000.00", "IOC", "a");
    lab.limit("SELL", "0.100", "63999.90", "IOC", "b");
    lab.limit("SELL", "0.100", "65000.00", "GTC", "c");
    let symbol = ("symbol", "BTCUSDT");
    let all = lab.rest("GET", "/fapi/v1/allOrders", &[symbol]).1;
    let states: Vec<&str> =
        all.as_array().expect("orders").iter().map(|order| order["status"].as_str().expect("a status")).collect();
    assert_eq!(states, ["FILLED", "FILLED", "NEW"]);
    let second = all[1]["orderId"].to_string();
    assert_eq!(
        lab.rest("GET", "/fapi/v1/allOrders", &[symbol, ("orderId", &second)]).1.as_array().map(Vec::len),
        Some(2)
    );
    assert_eq!(lab.rest("GET", "/fapi/v1/openOrder", &[symbol, ("origClientOrderId", "c")]).1["status"], "NEW");
    assert_eq!(code(&lab.rest("GET", "/fapi/v1/openOrder", &[symbol, ("origClientOrderId", "a")]).1), -2013);
    let income = lab.rest("GET", "/fapi/v1/income", &[]).1;
    let rows: Vec<(&str, &str)> = income
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| (row["incomeType"].as_str().expect("a type"), row["income"].as_str().expect("an amount")))
        .collect();
    let expected = [("COMMISSION", "-3.20000000"), ("REALIZED_PNL", "-0.01000000"), ("COMMISSION", "-3.19999500")];
    assert_eq!(rows, expected);
    let fees = lab.rest("GET", "/fapi/v1/income", &[("incomeType", "COMMISSION"), ("limit", "1")]).1;
    assert_eq!(fees[0]["income"], "-3.19999500");
}

#[test]
fn unknown_and_contradicting_parameters_are_refused() {
    type Row<'a> = (ProductLine, &'a [(&'a str, &'a str)], i64);
    let limit: &[(&str, &str)] = &[("type", "LIMIT"), ("timeInForce", "GTC"), ("quantity", "0.01"), ("price", "63000")];
    let market: &[(&str, &str)] = &[("type", "MARKET"), ("quantity", "0.01")];
    let table: &[(Row<'_>, &[(&str, &str)])] = &[
        ((SPOT, &[("postOnly", "true")], -1104), limit),
        ((USDM, &[("timeinforce", "GTC")], -1104), limit),
        ((SPOT, &[("symbol", "BTCUSDT")], -1101), limit),
        ((SPOT, &[("price", "63000")], -1106), market),
        ((SPOT, &[("timeInForce", "GTC")], -1106), market),
        ((USDM, &[("price", "63000")], -1106), market),
        ((SPOT, &[("quoteOrderQty", "100")], -1106), market),
        ((SPOT, &[("quoteOrderQty", "100")], -1106), limit),
        ((SPOT, &[("stopPrice", "62000")], -1106), limit),
        ((USDM, &[("stopPrice", "62000")], -1106), limit),
        ((SPOT, &[("icebergQty", "0.005")], -1013), limit),
        ((USDM, &[("closePosition", "true")], -4136), limit),
        ((USDM, &[("goodTillDate", "1895132800000")], -1106), limit),
        ((USDM, &[("priceMatch", "QUEUE")], -1106), limit),
    ];
    for ((product, more, expected), order) in table {
        let mut lab = Lab::still(*product);
        let mut params = vec![("symbol", "BTCUSDT"), ("side", "BUY")];
        params.extend_from_slice(order);
        params.extend_from_slice(more);
        let path = lab.path("order");
        let (status, body) = lab.rest("POST", &path, &params);
        assert_eq!((status, code(&body)), (400, *expected), "{} {more:?}: {body}", product.name());
    }
    // What is refused for its form does not count as an order.
    let mut lab = Lab::still(SPOT);
    for _ in 0..60 {
        let path = lab.path("order");
        assert_eq!(code(&lab.rest("POST", &path, &[("symbol", "BTCUSDT")]).1), -1102);
    }
    assert_eq!(lab.limit("BUY", "0.001", "63000.00", "GTC", "n").0, 200);
}

#[test]
fn a_cancel_must_fit_both_names_and_its_restriction() {
    for product in binance::PRODUCT_LINES {
        let mut lab = Lab::still(product);
        let path = lab.path("order");
        let (_, placed) = lab.limit("SELL", "0.010", "64100.00", "GTC", "x1");
        let id = placed["orderId"].to_string();
        let other = [("symbol", "BTCUSDT"), ("orderId", id.as_str()), ("origClientOrderId", "another")];
        assert_eq!(code(&lab.rest("DELETE", &path, &other).1), -2011);
        assert_eq!(code(&lab.rest("GET", &path, &other).1), -2013);
        if product == SPOT {
            let partly = [("symbol", "BTCUSDT"), ("orderId", &id), ("cancelRestrictions", "ONLY_PARTIALLY_FILLED")];
            assert_eq!(code(&lab.rest("DELETE", &path, &partly).1), -2011);
            let wrong = [("symbol", "BTCUSDT"), ("orderId", &id), ("cancelRestrictions", "ONLY_SOMETIMES")];
            assert_eq!(code(&lab.rest("DELETE", &path, &wrong).1), -1145);
        }
        let both = [("symbol", "BTCUSDT"), ("orderId", id.as_str()), ("origClientOrderId", "x1")];
        assert_eq!(lab.rest("DELETE", &path, &both).1["status"], "CANCELED");
    }
}

/// A user data connection of the account with the HMAC key.
pub fn user_data(lab: &mut Lab) -> spinbook_feed::sim::side::ConnectionId {
    if lab.product == SPOT {
        let id = lab.open("/ws-api/v3");
        let params = lab.signed(&[], &crate::lab::credentials());
        lab.call(id, "userDataStream.subscribe.signature", params);
        return id;
    }
    let response = lab.http("POST", "/fapi/v1/listenKey", Some(HMAC_KEY));
    let body: Value = serde_json::from_slice(&response.body).expect("JSON");
    lab.open(&format!("/private/ws/{}", body["listenKey"].as_str().expect("a key")))
}
