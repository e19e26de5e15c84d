//! COLD: order features of both products: replace, amend, modify, batches, conditions, ends by time.

use crate::clients::{trade, traded, user_data};
use crate::lab::{Lab, START, code};
use serde_json::{Value, json};
use spinbook_engine::types::Nanos;
use spinbook_feed::sim::side::ConnectionId;
use spinbook_feed::venue::{ProductLine, binance};

const SPOT: ProductLine = binance::SPOT;
const USDM: ProductLine = binance::USDM;

/// Execution reports heard since the last call, without their wrapping.
fn reports(lab: &mut Lab, id: ConnectionId) -> Vec<Value> {
    let messages = lab.heard(id).into_iter();
    let inner = messages.filter_map(|message| match (message["event"]["e"].as_str(), message["e"].as_str()) {
        (Some("executionReport"), _) => Some(message["event"].clone()),
        (_, Some("ORDER_TRADE_UPDATE")) => Some(message["o"].clone()),
        _ => None,
    });
    inner.collect()
}

fn kinds(reports: &[Value]) -> Vec<(&str, &str)> {
    reports.iter().map(|report| (report["x"].as_str().expect("x"), report["X"].as_str().expect("X"))).collect()
}

const REPLACE: &str = "/api/v3/order/cancelReplace";

fn replacement<'a>(mode: &'a str, cancels: &'a str, price: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("symbol", "BTCUSDT"),
        ("side", "BUY"),
        ("type", "LIMIT_MAKER"),
        ("quantity", "0.01"),
        ("price", price),
        ("cancelReplaceMode", mode),
        ("cancelOrigClientOrderId", cancels),
        ("newClientOrderId", "new"),
        ("newOrderRespType", "RESULT"),
    ]
}

#[test]
fn cancel_and_replace_says_what_became_of_both_halves() {
    let mut lab = Lab::still(SPOT);
    lab.limit("BUY", "0.01", "63000.00", "GTC", "old");
    let (status, both) = lab.rest("POST", REPLACE, &replacement("STOP_ON_FAILURE", "old", "63100.00"));
    assert_eq!((status, &both["cancelResult"], &both["newOrderResult"]), (200, &json!("SUCCESS"), &json!("SUCCESS")));
    assert_eq!(both["cancelResponse"]["origClientOrderId"], "old");
    assert_eq!(both["newOrderResponse"]["price"], "63100.00000000");
    let (status, failed) = lab.rest("POST", REPLACE, &replacement("STOP_ON_FAILURE", "old", "63200.00"));
    assert_eq!((status, code(&failed)), (400, -2022));
    assert_eq!(failed["data"]["newOrderResult"], "NOT_ATTEMPTED");
    assert_eq!(failed["data"]["cancelResponse"]["code"], -2011);
    let (status, part) = lab.rest("POST", REPLACE, &replacement("STOP_ON_FAILURE", "new", "64000.00"));
    assert_eq!((status, code(&part)), (409, -2021));
    assert_eq!(
        (&part["data"]["cancelResult"], &part["data"]["newOrderResult"]),
        (&json!("SUCCESS"), &json!("FAILURE"))
    );
    let mut other = replacement("ALLOW_FAILURE", "old", "63300.00");
    other.retain(|(name, _)| *name != "newClientOrderId");
    assert_eq!(code(&lab.rest("POST", REPLACE, &other).1), -2021, "the new order stands without the cancel");
    let open = lab.rest("GET", "/api/v3/openOrders", &[]).1;
    assert_eq!((open.as_array().map(Vec::len), &open[0]["price"]), (Some(1), &json!("63300.00000000")));
    let (_, counts) = lab.rest("GET", "/api/v3/rateLimit/order", &[]);
    assert_eq!(counts[0]["count"], 5, "a replacement counts, attempted or not");
}

#[test]
fn an_amended_order_keeps_its_place_and_only_shrinks() {
    let amend = "/api/v3/order/amend/keepPriority";
    let first = trade(SPOT, 0, 1, "64000.00", "0.001", false);
    let mut lab = traded(SPOT, vec![first, trade(SPOT, 1_000, 2, "63999.90", "1.005", true)], 0);
    let user = user_data(&mut lab);
    lab.limit("BUY", "0.02", "63999.90", "GTC", "first");
    lab.limit("BUY", "0.02", "63999.90", "GTC", "second");
    reports(&mut lab, user);
    let change = |quantity: &'static str, name: &'static str| {
        [("symbol", "BTCUSDT"), ("origClientOrderId", "first"), ("newQty", quantity), ("newClientOrderId", name)]
    };
    assert_eq!(code(&lab.rest("PUT", amend, &change("0.03", "first")).1), -2038);
    let (status, changed) = lab.rest("PUT", amend, &change("0.01", "renamed"));
    assert_eq!((status, &changed["amendedOrder"]["qty"]), (200, &json!("0.01000000")));
    let told = reports(&mut lab, user);
    assert_eq!(kinds(&told), [("REPLACED", "NEW")]);
    assert_eq!(
        (&told[0]["c"], &told[0]["C"], &told[0]["q"]),
        (&json!("renamed"), &json!("first"), &json!("0.01000000"))
    );
    lab.run(Nanos::from_millis(1_500));
    let told = reports(&mut lab, user);
    assert_eq!(kinds(&told), [("TRADE", "PARTIALLY_FILLED")], "1 before them, 0.005 for the one that came first");
    assert_eq!(told[0]["c"], "renamed");
    let account = lab.rest("GET", "/api/v3/account", &[]).1;
    assert_eq!(account["balances"][1]["locked"], "1599.99750000", "0.005 and 0.02 at 63999.90");
}

#[test]
fn a_modified_order_takes_its_new_price_and_may_trade() {
    let mut lab = Lab::still(USDM);
    let user = user_data(&mut lab);
    lab.limit("BUY", "0.010", "63000.00", "GTC", "m");
    let change = |price: &'static str, quantity: &'static str| {
        [("symbol", "BTCUSDT"), ("origClientOrderId", "m"), ("side", "BUY"), ("quantity", quantity), ("price", price)]
    };
    assert_eq!(code(&lab.rest("PUT", "/fapi/v1/order", &change("63000.00", "0.010")).1), -5027);
    let (status, changed) = lab.rest("PUT", "/fapi/v1/order", &change("63100.00", "0.020"));
    assert_eq!((status, &changed["price"], &changed["origQty"]), (200, &json!("63100.00"), &json!("0.020")));
    let told = reports(&mut lab, user);
    assert_eq!(kinds(&told), [("NEW", "NEW"), ("AMENDMENT", "NEW")]);
    assert_eq!(lab.rest("PUT", "/fapi/v1/order", &change("64000.00", "0.020")).1["status"], "FILLED");
    assert_eq!(kinds(&reports(&mut lab, user)), [("AMENDMENT", "NEW"), ("TRADE", "FILLED")]);
    lab.limit("BUY", "0.010", "63000.00", "GTX", "m");
    assert_eq!(lab.rest("PUT", "/fapi/v1/order", &change("64000.00", "0.010")).1["status"], "CANCELED", "post-only");
    let api = lab.open("/ws-fapi/v1");
    lab.limit("BUY", "0.010", "63000.00", "GTC", "m");
    let params = lab.signed(&change("63200.00", "0.010"), &crate::lab::credentials());
    assert_eq!(lab.call(api, "order.modify", params)["result"]["price"], "63200.00");
}

#[test]
fn batches_place_modify_and_cancel_each_by_itself() {
    let mut lab = Lab::still(USDM);
    let one = |id: &str, price: &str| {
        json!({"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.010",
               "price": price, "newClientOrderId": id})
    };
    let batch = json!([one("a", "63000.00"), one("b", "90000.00"), one("c", "62000.00")]).to_string();
    let (status, placed) = lab.rest("POST", "/fapi/v1/batchOrders", &[("batchOrders", &batch)]);
    assert_eq!((status, &placed[0]["clientOrderId"], code(&placed[1])), (200, &json!("a"), -4016));
    assert_eq!(placed[2]["status"], "NEW");
    let six = Value::Array((0..6).map(|_| one("x", "63000.00")).collect()).to_string();
    assert_eq!(code(&lab.rest("POST", "/fapi/v1/batchOrders", &[("batchOrders", &six)]).1), -4082);
    let change = json!([{"symbol": "BTCUSDT", "origClientOrderId": "a", "side": "BUY", "quantity": "0.020", "price": "63000.00"}]);
    let (_, changed) = lab.rest("PUT", "/fapi/v1/batchOrders", &[("batchOrders", &change.to_string())]);
    assert_eq!(changed[0]["origQty"], "0.020");
    let gone = [("symbol", "BTCUSDT"), ("origClientOrderIdList", r#"["a","b"]"#)];
    let (_, canceled) = lab.rest("DELETE", "/fapi/v1/batchOrders", &gone);
    assert_eq!((&canceled[0]["status"], code(&canceled[1])), (&json!("CANCELED"), -2011));
    let (_, counts) = lab.rest("GET", "/fapi/v1/rateLimit/order", &[]);
    assert_eq!(counts[0]["count"], 4, "three placed, one modified");
}

#[test]
fn a_countdown_cancels_all_of_its_symbol_unless_it_is_prolonged() {
    let mut lab = Lab::still(USDM);
    let path = "/fapi/v1/countdownCancelAll";
    let set = |lab: &mut Lab, span: &str| {
        lab.rest("POST", path, &[("symbol", "BTCUSDT"), ("countdownTime", span)]).1["countdownTime"].clone()
    };
    let open = |lab: &mut Lab| lab.rest("GET", "/fapi/v1/openOrders", &[]).1.as_array().map(Vec::len);
    lab.limit("BUY", "0.010", "63000.00", "GTC", "a");
    assert_eq!(set(&mut lab, "1000"), "1000");
    lab.run(Nanos::from_millis(900));
    set(&mut lab, "1000");
    lab.run(Nanos::from_millis(900));
    assert_eq!(open(&mut lab), Some(1), "prolonged");
    lab.run(Nanos::from_millis(200));
    assert_eq!(open(&mut lab), Some(0));
    lab.limit("BUY", "0.010", "63000.00", "GTC", "b");
    set(&mut lab, "1000");
    set(&mut lab, "0");
    lab.run(Nanos::from_millis(2_000));
    assert_eq!(open(&mut lab), Some(1), "stopped");
}

#[test]
fn a_good_till_date_order_ends_at_its_date() {
    let mut lab = Lab::still(USDM);
    let user = user_data(&mut lab);
    let place = |lab: &mut Lab, until: i64| {
        let until = until.to_string();
        let order = [
            ("symbol", "BTCUSDT"),
            ("side", "BUY"),
            ("type", "LIMIT"),
            ("timeInForce", "GTD"),
            ("quantity", "0.010"),
            ("price", "63000.00"),
            ("goodTillDate", until.as_str()),
            ("newClientOrderId", "g"),
        ];
        lab.rest("POST", "/fapi/v1/order", &order)
    };
    assert_eq!(code(&place(&mut lab, START.millis() + 599_000).1), -1130, "ten minutes ahead at least");
    let (status, placed) = place(&mut lab, START.millis() + 700_500);
    assert_eq!((status, &placed["timeInForce"]), (200, &json!("GTD")));
    assert_eq!(placed["goodTillDate"], START.millis() + 700_000, "whole seconds");
    lab.run(Nanos::from_millis(699_999));
    assert_eq!(kinds(&reports(&mut lab, user)), [("NEW", "NEW")]);
    lab.run(Nanos::from_millis(1));
    assert_eq!(kinds(&reports(&mut lab, user)), [("EXPIRED", "EXPIRED")]);
}

#[test]
fn a_market_order_by_value_spends_no_more_than_was_said() {
    let mut lab = Lab::still(SPOT);
    let order = |side: &'static str, value: &'static str| {
        [("symbol", "BTCUSDT"), ("side", side), ("type", "MARKET"), ("quoteOrderQty", value)]
    };
    let (status, bought) = lab.rest("POST", "/api/v3/order", &order("BUY", "100000"));
    assert_eq!((status, &bought["status"]), (200, &json!("FILLED")));
    assert_eq!(bought["executedQty"], "1.56249000", "1 at 64000.00 and 0.56249 at 64000.10");
    assert_eq!(bought["origQuoteOrderQty"], "100000.00000000");
    let (_, sold) = lab.rest("POST", "/api/v3/order", &order("SELL", "640"));
    assert_eq!((&sold["executedQty"], &sold["cummulativeQuoteQty"]), (&json!("0.01000000"), &json!("639.99900000")));
    assert_eq!(code(&lab.rest("POST", "/api/v3/order", &order("BUY", "0.1")).1), -1013);
}

fn conditional<'a>(kind: &'a str, side: &'a str, stop: &'a str, id: &'a str) -> Vec<(&'a str, &'a str)> {
    let mut order = vec![
        ("symbol", "BTCUSDT"),
        ("side", side),
        ("type", kind),
        ("quantity", "0.01"),
        ("stopPrice", stop),
        ("newClientOrderId", id),
    ];
    if kind.ends_with("_LIMIT") {
        order.extend([("timeInForce", "GTC"), ("price", "63950.00")]);
    }
    order
}

#[test]
fn conditional_orders_wait_for_a_trade_at_their_price() {
    let trades = vec![
        trade(SPOT, 0, 9, "64000.00", "0.001", false),
        trade(SPOT, 1_000, 1, "63990.00", "0.001", true),
        trade(SPOT, 2_000, 2, "64100.00", "0.001", false),
    ];
    let mut lab = traded(SPOT, trades, 0);
    let user = user_data(&mut lab);
    let path = "/api/v3/order";
    assert_eq!(code(&lab.rest("POST", path, &conditional("STOP_LOSS", "SELL", "64500.00", "now")).1), -2010);
    for order in [
        conditional("STOP_LOSS", "SELL", "63990.00", "stop"),
        conditional("STOP_LOSS_LIMIT", "BUY", "64100.00", "stop_limit"),
        conditional("TAKE_PROFIT", "SELL", "64100.00", "profit"),
        conditional("TAKE_PROFIT_LIMIT", "BUY", "63000.00", "profit_limit"),
    ] {
        let (status, placed) = lab.rest("POST", path, &order);
        assert_eq!((status, placed.get("status")), (200, None), "acknowledged alone: {placed}");
    }
    let open = lab.rest("GET", "/api/v3/openOrders", &[]).1;
    assert_eq!((open.as_array().map(Vec::len), &open[0]["isWorking"]), (Some(4), &json!(false)));
    assert_eq!((&open[0]["type"], &open[0]["stopPrice"]), (&json!("STOP_LOSS"), &json!("63990.00000000")));
    let locked = |lab: &mut Lab| lab.rest("GET", "/api/v3/account", &[]).1["balances"][1]["locked"].clone();
    assert_eq!(locked(&mut lab), "1279.00000000", "both limit orders lock their price");
    reports(&mut lab, user);
    lab.run(Nanos::from_millis(1_100));
    let told = reports(&mut lab, user);
    assert_eq!(kinds(&told), [("NEW", "NEW"), ("TRADE", "FILLED")]);
    assert!(told.iter().all(|report| report["c"] == "stop"), "{told:?}");
    lab.run(Nanos::from_millis(1_000));
    let told = reports(&mut lab, user);
    let names: Vec<&str> = told.iter().map(|report| report["c"].as_str().expect("c")).collect();
    assert_eq!(names, ["stop_limit", "profit", "profit"]);
    assert_eq!(
        lab.rest("GET", path, &[("symbol", "BTCUSDT"), ("origClientOrderId", "stop_limit")]).1["isWorking"],
        true
    );
    let (status, gone) = lab.rest("DELETE", path, &[("symbol", "BTCUSDT"), ("origClientOrderId", "profit_limit")]);
    assert_eq!((status, &gone["status"]), (200, &json!("CANCELED")));
    assert_eq!(locked(&mut lab), "639.50000000");
    assert_eq!(code(&lab.rest("POST", "/api/v3/orderList/oco", &[("symbol", "BTCUSDT")]).1), -1013);
}

#[test]
fn a_prevented_self_trade_is_told_with_its_counterpart() {
    let mut lab = Lab::still(SPOT);
    let user = user_data(&mut lab);
    let (_, resting) = lab.limit("BUY", "0.010", "63999.95", "GTC", "maker");
    reports(&mut lab, user);
    let order = [
        ("symbol", "BTCUSDT"),
        ("side", "SELL"),
        ("type", "LIMIT"),
        ("timeInForce", "IOC"),
        ("quantity", "0.004"),
        ("price", "63999.95"),
        ("selfTradePreventionMode", "EXPIRE_MAKER"),
        ("newClientOrderId", "taker"),
    ];
    let (_, taker) = lab.rest("POST", "/api/v3/order", &order);
    let told = reports(&mut lab, user);
    let prevented = told.iter().find(|report| report["x"] == "TRADE_PREVENTION").expect("a prevention");
    assert_eq!((&prevented["X"], &prevented["i"]), (&json!("EXPIRED_IN_MATCH"), &resting["orderId"]));
    assert_eq!(
        (&prevented["U"], &prevented["pl"], &prevented["pL"]),
        (&taker["orderId"], &json!("0.00400000"), &json!("63999.95000000"))
    );
    assert_eq!((&prevented["A"], &prevented["v"]), (&json!("0.00400000"), &json!(1)));
    let id = resting["orderId"].to_string();
    let (_, list) = lab.rest("GET", "/api/v3/myPreventedMatches", &[("symbol", "BTCUSDT"), ("orderId", &id)]);
    assert_eq!((&list[0]["takerOrderId"], &list[0]["preventedMatchId"]), (&taker["orderId"], &json!(1)));
}

#[test]
fn price_match_takes_its_price_from_the_book() {
    let mut lab = Lab::still(USDM);
    let order = |rule: &'static str| {
        [
            ("symbol", "BTCUSDT"),
            ("side", "BUY"),
            ("type", "LIMIT"),
            ("timeInForce", "GTC"),
            ("quantity", "0.010"),
            ("priceMatch", rule),
        ]
    };
    assert_eq!(lab.rest("POST", "/fapi/v1/order", &order("QUEUE_5")).1["price"], "63999.50");
    assert_eq!(lab.rest("POST", "/fapi/v1/order", &order("OPPONENT")).1["price"], "64000.00");
    assert_eq!(code(&lab.rest("POST", "/fapi/v1/order", &order("NEAREST")).1), -1130);
}

fn algo<'a>(kind: &'a str, side: &'a str, trigger: &'a str, name: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("algoType", "CONDITIONAL"),
        ("symbol", "BTCUSDT"),
        ("side", side),
        ("type", kind),
        ("triggerPrice", trigger),
        ("clientAlgoId", name),
    ]
}

#[test]
fn usdm_conditional_orders_wait_beside_the_book_until_the_market_reaches_them() {
    let trades = vec![trade(USDM, 0, 1, "64000.00", "0.001", false), trade(USDM, 1_000, 2, "63990.00", "0.001", true)];
    let mut lab = traded(USDM, trades, 100);
    let user = user_data(&mut lab);
    let path = "/fapi/v1/algoOrder";
    let place = |lab: &mut Lab, mut order: Vec<(&'static str, &'static str)>, more: &[(&'static str, &'static str)]| {
        order.extend_from_slice(more);
        lab.rest("POST", path, &order)
    };
    let quantity = ("quantity", "0.010");
    assert_eq!(code(&place(&mut lab, algo("STOP_MARKET", "SELL", "64500.00", "now"), &[quantity]).1), -2021);
    assert_eq!(code(&place(&mut lab, algo("STOP_MARKET", "SELL", "63990.00", "x"), &[]).1), -1102);
    lab.limit("BUY", "0.020", "64000.00", "IOC", "position");
    let (status, stop) = place(&mut lab, algo("STOP_MARKET", "SELL", "63990.00", "stop"), &[("closePosition", "true")]);
    assert_eq!((status, &stop["algoStatus"], &stop["triggerPrice"]), (200, &json!("NEW"), &json!("63990.00")));
    let limit = [quantity, ("price", "63900.00"), ("timeInForce", "GTC")];
    assert_eq!(place(&mut lab, algo("TAKE_PROFIT", "BUY", "63990.00", "dip"), &limit).0, 200);
    assert_eq!(code(&place(&mut lab, algo("TAKE_PROFIT", "BUY", "63990.00", "dip"), &limit).1), -4116);
    assert_eq!(place(&mut lab, algo("TAKE_PROFIT_MARKET", "SELL", "70000.00", "far"), &[quantity]).0, 200);
    let waiting = lab.rest("GET", "/fapi/v1/openAlgoOrders", &[]).1;
    assert_eq!(waiting.as_array().map(Vec::len), Some(3));
    let (status, gone) = lab.rest("DELETE", path, &[("clientAlgoId", "far")]);
    assert_eq!((status, &gone["code"]), (200, &json!("200")));
    assert_eq!(code(&lab.rest("DELETE", path, &[("clientAlgoId", "far")]).1), -2011);
    lab.heard(user);
    lab.run(Nanos::from_millis(1_000));
    let heard = lab.heard(user);
    let told: Vec<(&str, &str)> = heard
        .iter()
        .filter(|message| message["e"] == "ALGO_UPDATE")
        .map(|message| (message["o"]["caid"].as_str().expect("a name"), message["o"]["X"].as_str().expect("a status")))
        .collect();
    assert_eq!(told[..2], [("stop", "TRIGGERED"), ("dip", "TRIGGERED")], "{told:?}");
    let risk = lab.rest("GET", "/fapi/v3/positionRisk", &[("symbol", "BTCUSDT")]).1;
    assert_eq!(risk[0]["positionAmt"], "0.000", "the stop closed it");
    let open = lab.rest("GET", "/fapi/v1/openOrders", &[]).1;
    assert_eq!((&open[0]["clientOrderId"], &open[0]["price"]), (&json!("dip"), &json!("63900.00")));
    let stop = lab.rest("GET", path, &[("clientAlgoId", "stop")]).1;
    assert_eq!(stop["algoStatus"], "FINISHED");
    assert_ne!(stop["actualOrderId"], "");
}
