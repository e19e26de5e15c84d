//! COLD: money that moves beside orders: fundings, transfers and liquidations, told, listed and kept.

use crate::lab::{HMAC_KEY, Lab, START, settings, still_market};
use serde_json::{Value, json};
use spinbook_engine::types::Nanos;
use spinbook_feed::sim::fault_plan::FaultPlan;
use spinbook_feed::sim::saved::SavedWorld;
use spinbook_feed::sim::side::{ConnectionId, ExchangeSide};
use spinbook_feed::venue::simulator_side::KeptState;
use spinbook_feed::venue::{ProductLine, binance};

fn plan(text: Value) -> FaultPlan {
    serde_json::from_value(text).expect("a plan")
}

fn lab(product: ProductLine, faults: Value, kept: KeptState) -> Lab {
    let mut settings = settings(product);
    settings.faults = plan(faults);
    settings.kept = kept;
    Lab::new(settings, still_market(product, Vec::new()))
}

fn user_stream(lab: &mut Lab) -> ConnectionId {
    let key = lab.http("POST", "/fapi/v1/listenKey", Some(HMAC_KEY));
    let key: Value = serde_json::from_slice(&key.body).expect("JSON");
    lab.open(&format!("/private/ws/{}", key["listenKey"].as_str().expect("a key")))
}

fn wallet(lab: &mut Lab) -> String {
    lab.rest("GET", "/fapi/v3/balance", &[]).1[0]["balance"].as_str().expect("a balance").to_owned()
}

fn incomes(lab: &mut Lab, kind: &str) -> Vec<(String, String)> {
    let rows = lab.rest("GET", "/fapi/v1/income", &[("incomeType", kind)]).1;
    let row = |row: &Value| {
        (row["symbol"].as_str().expect("a symbol").to_owned(), row["income"].as_str().expect("an amount").to_owned())
    };
    rows.as_array().expect("rows").iter().map(row).collect()
}

#[test]
fn positions_are_funded_at_regular_times_and_out_of_turn() {
    let faults = json!({
        "funding": {"rate_millionths": 100, "every_ms": 60_000},
        "fundings": [{"after_ms": 90_000, "rate_millionths": -1_000, "symbol": "BTCUSDT"},
                     {"after_ms": 91_000, "rate_millionths": 500, "symbol": "ETHUSDT"}],
    });
    let mut lab = lab(binance::USDM, faults, KeptState::Nothing);
    let stream = user_stream(&mut lab);
    lab.run(Nanos::from_seconds(61));
    assert!(lab.heard(stream).is_empty(), "nothing is held: nothing is paid");
    lab.limit("BUY", "0.100", "64000.00", "IOC", "a");
    lab.heard(stream);
    lab.run(Nanos::from_seconds(60));
    let told: Vec<Value> = lab.heard(stream);
    let of = |event: &Value| (event["a"]["m"].clone(), event["a"]["B"][0]["bc"].clone(), event["a"]["P"].clone());
    let moved: Vec<_> = told.iter().map(of).collect();
    // 0.1 at a mid of 63999.95: a ten-thousandth of 6399.995, then a thousandth to who is long.
    let expected = [("FUNDING_FEE", "6.39999500"), ("FUNDING_FEE", "-0.63999950")];
    assert_eq!(moved, expected.map(|(reason, amount)| (json!(reason), json!(amount), json!([]))));
    let listed = [("BTCUSDT", "6.39999500"), ("BTCUSDT", "-0.63999950")];
    let listed: Vec<_> = listed.iter().map(|(symbol, amount)| ((*symbol).to_owned(), (*amount).to_owned())).collect();
    assert_eq!(incomes(&mut lab, "FUNDING_FEE"), listed);
    // 100000, a fee of 3.2, both fundings.
    assert_eq!(wallet(&mut lab), "100002.55999550");
    let index = lab.get("/fapi/v1/premiumIndex?symbol=BTCUSDT").1;
    assert_eq!(index["lastFundingRate"], "0.00010000");
    assert_eq!(index["nextFundingTime"].as_i64(), Some(START.millis() + 180_000));
    let rates = lab.get("/fapi/v1/fundingRate?symbol=BTCUSDT").1;
    let rates: Vec<&str> =
        rates.as_array().expect("rates").iter().filter_map(|row| row["fundingRate"].as_str()).collect();
    assert!(rates.contains(&"-0.00100000") && rates.contains(&"0.00010000"), "{rates:?}");
}

#[test]
fn transfers_move_balances_and_are_told_and_listed() {
    let transfers = json!({"transfers": [
        {"after_ms": 1_000, "asset": "USDT", "amount": "12.5"},
        {"after_ms": 2_000, "asset": "USDT", "amount": "-2.25"},
        {"after_ms": 3_000, "asset": "USDT", "amount": "-99999999"},
        {"after_ms": 4_000, "asset": "USDT", "amount": "5", "account": 1},
        {"after_ms": 5_000, "asset": "USDT", "amount": "5", "account": 7},
    ]});
    let mut futures = lab(binance::USDM, transfers.clone(), KeptState::Nothing);
    let stream = user_stream(&mut futures);
    futures.run(Nanos::from_seconds(10));
    let told = futures.heard(stream);
    let moved: Vec<_> = told.iter().map(|event| (&event["a"]["m"], &event["a"]["B"][0]["bc"])).collect();
    assert_eq!(moved, [(&json!("DEPOSIT"), &json!("12.50000000")), (&json!("WITHDRAW"), &json!("-2.25000000"))]);
    assert_eq!(wallet(&mut futures), "100010.25000000");
    assert_eq!(incomes(&mut futures, "TRANSFER").len(), 2, "more than there is leaves nobody");

    let mut spot = lab(binance::SPOT, transfers, KeptState::Nothing);
    let api = spot.open("/ws-api/v3");
    let params = spot.signed(&[], &crate::lab::credentials());
    assert_eq!(spot.call(api, "userDataStream.subscribe.signature", params)["status"], 200);
    spot.run(Nanos::from_millis(1_500));
    let told = spot.heard(api);
    let events: Vec<&Value> = told.iter().map(|message| &message["event"]).collect();
    assert_eq!(
        (&events[0]["e"], &events[0]["a"], &events[0]["d"]),
        (&json!("balanceUpdate"), &json!("USDT"), &json!("12.50000000"))
    );
    assert_eq!(
        (&events[1]["e"], &events[1]["B"][0]["f"]),
        (&json!("outboundAccountPosition"), &json!("1000012.50000000"))
    );
}

#[test]
fn a_liquidation_cancels_closes_and_takes_its_fee() {
    let liquidations =
        json!({"liquidations": [{"after_ms": 1_000, "symbol": "btcusdt"}, {"after_ms": 2_000, "symbol": "BTCUSDT"}]});
    let mut lab = lab(binance::USDM, liquidations, KeptState::Nothing);
    let stream = user_stream(&mut lab);
    lab.limit("BUY", "0.100", "64000.00", "IOC", "a");
    lab.limit("BUY", "0.100", "63000.00", "GTC", "b");
    lab.heard(stream);
    lab.run(Nanos::from_seconds(3));
    let told = lab.heard(stream);
    let orders: Vec<(&str, &str)> = told
        .iter()
        .filter(|event| event["e"] == "ORDER_TRADE_UPDATE")
        .map(|event| (event["o"]["c"].as_str().expect("a name"), event["o"]["x"].as_str().expect("a kind")))
        .collect();
    assert_eq!(orders[0], ("b", "CANCELED"));
    assert_eq!(orders[1].1, "NEW");
    assert!(orders[1].0.starts_with("autoclose-") && orders[2] == (orders[1].0, "CALCULATED"), "{orders:?}");
    assert_eq!(orders.len(), 3, "the second finds nothing to close");
    let risk = lab.rest("GET", "/fapi/v3/positionRisk", &[("symbol", "BTCUSDT")]).1;
    assert_eq!(risk[0]["positionAmt"], "0.000");
    // 0.1 at 63999.9, 1.25 % of it.
    assert_eq!(incomes(&mut lab, "INSURANCE_CLEAR"), [("BTCUSDT".to_owned(), "-79.99987500".to_owned())]);
    let reasons: Vec<&Value> =
        told.iter().filter(|event| event["e"] == "ACCOUNT_UPDATE").map(|event| &event["a"]["m"]).collect();
    assert_eq!(reasons, [&json!("ORDER"), &json!("INSURANCE_CLEAR")]);
}

#[test]
fn what_moved_outlives_a_restart() {
    let faults = json!({"transfers": [{"after_ms": 1_000, "asset": "USDT", "amount": "12.5"}, {"after_ms": 3_000, "asset": "USDT", "amount": "1"}]});
    let mut before = lab(binance::USDM, faults, KeptState::Fresh);
    let mut file = before.exchange.whole_state(START);
    for _ in 0..4 {
        before.run(Nanos::from_seconds(1));
        file.extend(before.exchange.take_changes(before.now).unwrap_or_default());
    }
    let saved = SavedWorld::from_lines(&String::from_utf8(file).expect("UTF-8")).expect("a state").expect("not empty");
    let mut after = lab(binance::USDM, json!({}), KeptState::Restored(Box::new(saved)));
    after.now = before.now;
    assert_eq!(incomes(&mut after, "TRANSFER"), incomes(&mut before, "TRANSFER"));
    assert_eq!(incomes(&mut after, "TRANSFER").len(), 2);
    assert_eq!(wallet(&mut after), "100013.50000000");
}
