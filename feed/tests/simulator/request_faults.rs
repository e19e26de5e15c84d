//! COLD: requests, replies and user data that meet random faults, and a clock that moves, as a client sees them.

use crate::lab::{self, Lab, code, credentials, settings};
use serde_json::{Value, json};
use spinbook_engine::types::Nanos;
use spinbook_feed::sim::side::ConnectionId;
use spinbook_feed::venue::{ProductLine, binance};

const SPOT: ProductLine = binance::SPOT;
/// Random faults end here.
const UNTIL: Nanos = Nanos::from_millis(100);

fn lab_with(faults: Value) -> (Lab, ConnectionId) {
    let mut settings = settings(SPOT);
    settings.faults = serde_json::from_value(faults).expect("a plan");
    let mut lab = Lab::new(settings, lab::still_market(SPOT, Vec::new()));
    let api = lab.open("/ws-api/v3?returnRateLimits=false");
    (lab, api)
}

fn place(lab: &mut Lab, api: ConnectionId, name: &str) {
    let order = [
        ("symbol", "BTCUSDT"),
        ("side", "BUY"),
        ("type", "LIMIT"),
        ("timeInForce", "GTC"),
        ("quantity", "0.01"),
        ("price", "63000.00"),
        ("newClientOrderId", name),
    ];
    let params = lab.signed(&order, &credentials());
    lab.say(api, &json!({"id": name, "method": "order.place", "params": params}).to_string());
}

/// What a question about an order says over REST, which meets no random fault: its status or the code of the refusal.
fn asked(lab: &mut Lab, name: &str) -> Result<String, i64> {
    let (status, body) = lab.rest("GET", "/api/v3/order", &[("symbol", "BTCUSDT"), ("origClientOrderId", name)]);
    if status == 200 { Ok(body["status"].as_str().expect("a status").to_owned()) } else { Err(code(&body)) }
}

/// Every request meets the fault until [`UNTIL`].
fn always(fault: &str) -> Value {
    json!({"random_requests": {fault: 1_000_000, "delay_ms_max": 500, "until_ms": UNTIL.millis()}})
}

#[test]
fn an_order_that_is_held_up_is_found_late_by_a_question() {
    let (mut lab, api) = lab_with(always("delay_request_millionths"));
    place(&mut lab, api, "late");
    assert_eq!(asked(&mut lab, "late"), Err(-2013), "nobody knows it yet");
    assert!(lab.heard(api).is_empty());
    lab.run(Nanos::from_millis(600));
    assert_eq!(asked(&mut lab, "late"), Ok("NEW".to_owned()));
    let heard = lab.heard(api);
    assert_eq!((heard.len(), &heard[0]["status"]), (1, &json!(200)), "and it is answered once");
}

#[test]
fn an_order_that_is_held_up_beyond_its_receive_window_is_refused() {
    let mut faults = always("delay_request_millionths");
    faults["random_requests"]["delay_ms_max"] = json!(1_000_000);
    faults["seed"] = json!(3);
    let (mut lab, api) = lab_with(faults);
    place(&mut lab, api, "older");
    lab.run(Nanos::from_seconds(1_001));
    assert_eq!(code(&lab.heard(api)[0]["error"]), -1021);
    assert_eq!(asked(&mut lab, "older"), Err(-2013));
}

#[test]
fn lost_requests_never_were_and_lost_late_and_doubled_replies_change_nothing_of_the_order() {
    let status = |fault: &str| {
        let (mut lab, api) = lab_with(always(fault));
        place(&mut lab, api, "o");
        let at_once = lab.heard(api).len();
        lab.run(Nanos::from_millis(600));
        (asked(&mut lab, "o"), at_once, lab.heard(api).len())
    };
    let new = || Ok("NEW".to_owned());
    assert_eq!(status("lose_request_millionths"), (Err(-2013), 0, 0));
    assert_eq!(status("lose_reply_millionths"), (new(), 0, 0));
    assert_eq!(status("delay_reply_millionths"), (new(), 0, 1));
    assert_eq!(status("duplicate_reply_millionths"), (new(), 2, 0));
}

#[test]
fn a_busy_venue_takes_no_order_and_a_hidden_outcome_may_be_one() {
    for (fault, said, found) in
        [("busy_millionths", -1008, Err(-2013)), ("unknown_millionths", -1007, Ok("NEW".to_owned()))]
    {
        let (mut lab, api) = lab_with(always(fault));
        place(&mut lab, api, "o");
        assert_eq!(code(&lab.heard(api)[0]["error"]), said, "{fault}");
        assert_eq!(asked(&mut lab, "o"), found, "{fault}");
    }
}

#[test]
fn messages_of_user_data_are_lost_doubled_or_late() {
    let heard = |faults: Value| {
        let (mut lab, api) = lab_with(faults);
        let params = lab.signed(&[], &credentials());
        assert_eq!(lab.call(api, "userDataStream.subscribe.signature", params)["status"], 200);
        let (status, _) = lab.limit("BUY", "0.01", "63000.00", "GTC", "u");
        assert_eq!(status, 200);
        let at_once = lab.heard(api).len();
        lab.run(Nanos::from_millis(1_000));
        (at_once, lab.heard(api).len())
    };
    let whole = heard(json!({}));
    assert!(whole.0 >= 1 && whole.1 == 0, "{whole:?}");
    let random = |fault: &str| json!({"random_user_data": {fault: 1_000_000, "delay_ms_max": 500}});
    assert_eq!(heard(random("drop_millionths")), (0, 0));
    assert_eq!(heard(random("duplicate_millionths")), (2 * whole.0, 0));
    assert_eq!(heard(random("delay_millionths")), (0, whole.0));
    assert_eq!(heard(json!({"user_data": [{"after_ms": 0, "for_ms": 1_000}]})), (0, 0));
    assert_eq!(heard(json!({"user_data": [{"after_ms": 0, "for_ms": 1_000, "delay_ms": 300}]})), (0, whole.0));
}

#[test]
fn the_clock_steps_drifts_and_is_right_again_and_goes_unanswered_for_a_time() {
    let steps = json!([
        {"after_ms": 1_000, "ahead_ms": 300, "drift_millionths": 100_000},
        {"after_ms": 3_000, "ahead_ms": 0},
    ]);
    let unanswered = json!([{"on": "time", "nth": 1, "count": 9, "action": "refuse", "status": 503, "code": -1016,
        "message": "This service is no longer available.", "after_ms": 4_000, "for_ms": 1_000}]);
    let (mut lab, _) = lab_with(json!({"clock_steps": steps, "requests": unanswered}));
    let mut ahead_at = |ms: i64| {
        let wait = Nanos(lab::START.0 + ms * 1_000_000 - lab.now.0);
        lab.run(wait);
        let (status, body) = lab.get("/api/v3/time");
        (status == 200).then(|| body["serverTime"].as_i64().expect("a time") - lab.now.millis())
    };
    let seen = [500, 1_000, 2_000, 2_500, 3_500, 4_500, 5_500].map(&mut ahead_at);
    assert_eq!(seen, [Some(0), Some(300), Some(400), Some(450), Some(0), None, Some(0)]);
}
