//! COLD: the gateway's connections against a scripted venue, in virtual time: how they come up, fail, and come back.

use crate::scripted_venue::{Desk, PRODUCTS, Verdict, ed25519, hmac, refuse, settings};
use spinbook_engine::event::ExecutionKind;
use spinbook_engine::types::{Nanos, Side};
use spinbook_feed::venue::binance;
use spinbook_feed::venue::order_side::OrderConnection;

use ExecutionKind as Kind;

fn seconds(count: i64) -> Nanos {
    Nanos::from_seconds(count)
}

#[test]
fn an_hmac_session_on_spot_comes_up_step_by_step() {
    let mut desk = Desk::new(binance::SPOT, hmac(), settings(binance::SPOT));
    desk.start();
    assert_eq!(desk.connects.len(), 1);
    assert_eq!(desk.connects[0].2, "/ws-api/v3");
    assert_eq!(
        desk.methods(),
        ["time", "openOrders.cancelAll", "time", "time", "userDataStream.subscribe.signature", "openOrders.status"],
        "what is open is cancelled as soon as a request can be stamped"
    );
    assert!(desk.requests[4].2["params"]["signature"].is_string());
    assert_eq!(desk.events.iter().map(|event| event.kind).collect::<Vec<_>>(), [Kind::GatewayReady]);
}

#[test]
fn an_ed25519_session_on_spot_logs_on_once_and_signs_nothing_more() {
    let mut desk = Desk::new(binance::SPOT, ed25519(), settings(binance::SPOT));
    desk.start();
    assert_eq!(
        desk.methods(),
        [
            "time",
            "time",
            "time",
            "session.logon",
            "openOrders.cancelAll",
            "userDataStream.subscribe",
            "openOrders.status"
        ]
    );
    desk.place_order(1, Side::Bid);
    let (_, _, order) = desk.requests.last().unwrap();
    assert!(order["params"].get("signature").is_none() && order["params"].get("apiKey").is_none());
    assert!(order["params"]["timestamp"].is_i64());
}

#[test]
fn a_futures_session_opens_user_data_with_its_key() {
    for credentials in [hmac(), ed25519()] {
        let mut desk = Desk::new(binance::USDM, credentials, settings(binance::USDM));
        desk.start();
        assert_eq!(
            desk.methods(),
            ["time", "openOrders.cancelAll", "time", "time", "userDataStream.start", "openOrders.status"]
        );
        let targets: Vec<_> = desk.connects.iter().map(|(_, _, target)| target.as_str()).collect();
        assert_eq!(targets, ["/ws-fapi/v1", "/private/ws/pqia91ma19a5s61cv6a81va65sdf19v8a65a1"]);
        assert!(desk.gateway.is_ready());
    }
}

#[test]
fn a_refused_log_on_halts_with_advice_and_is_not_repeated() {
    let mut desk = Desk::new(binance::SPOT, ed25519(), settings(binance::SPOT));
    desk.rule = Box::new(|method, _| match method {
        "session.logon" => Verdict::Refuse {
            status: 401,
            code: -2015,
            message: "Invalid API-key, IP, or permissions for action.",
            retry_after_ms: None,
        },
        _ => Verdict::Answer,
    });
    desk.start();
    desk.pass(seconds(600));
    assert_eq!(desk.count("session.logon"), 1);
    assert_eq!(desk.connects.len(), 1);
    let message = desk.gateway.halt_message().unwrap();
    assert!(message.contains("-2015") && message.contains("permission"), "{message}");
    assert_eq!(desk.events.iter().map(|event| event.kind).collect::<Vec<_>>(), [Kind::Halt]);
    desk.gateway.cancel_all(desk.now);
    assert!(desk.gateway.is_quiet());
}

#[test]
fn a_clock_far_off_refuses_to_start() {
    let mut desk = Desk::new(binance::SPOT, hmac(), settings(binance::SPOT));
    desk.offset_ms = -7_000;
    desk.start();
    desk.pass(seconds(60));
    let message = desk.gateway.halt_message().unwrap();
    assert!(message.contains("7000 ms ahead of") && message.contains("NTP"), "{message}");
    assert!(!desk.gateway.is_ready());
}

#[test]
fn a_silent_connection_is_replaced() {
    for product in PRODUCTS {
        let mut desk = Desk::ready(product);
        desk.rule = Box::new(|_, _| Verdict::LoseRequest);
        desk.pass(seconds(15));
        assert!(desk.has(Kind::GatewayDown));
        assert!(desk.closes >= 1);
        desk.rule = Box::new(|_, _| Verdict::Answer);
        desk.pass(seconds(60));
        assert!(desk.gateway.is_ready());
    }
}

#[test]
fn reconnects_back_off_and_stay_within_the_venues_connection_budget() {
    let mut desk = Desk::ready(binance::SPOT);
    desk.reachable = false;
    desk.drop_connection(OrderConnection::Orders);
    desk.pass(seconds(300));
    assert!((8..60).contains(&desk.connects.len()), "{} attempts in 5 minutes", desk.connects.len());
}

#[test]
fn a_lost_user_data_connection_pulls_readiness_and_comes_back() {
    let mut desk = Desk::ready(binance::USDM);
    let order = desk.place_order(1, Side::Bid);
    desk.drop_connection(OrderConnection::UserData);
    assert!(desk.has(Kind::GatewayDown) && !desk.gateway.is_ready());
    desk.pass(seconds(3));
    assert!(desk.gateway.is_ready());
    assert_eq!(*desk.kinds(order).last().unwrap(), Kind::Canceled, "swept before quoting resumes");
    desk.user_frame(&serde_json::json!({"e": "listenKeyExpired", "E": 1, "listenKey": "x"}));
    desk.carry();
    assert!(!desk.gateway.is_ready());
    desk.pass(seconds(3));
    assert!(desk.gateway.is_ready());
}

#[test]
fn a_refused_key_of_user_data_is_replaced() {
    let mut choices = settings(binance::USDM);
    choices.user_data_keep_interval = seconds(30);
    let mut desk = Desk::new(binance::USDM, hmac(), choices);
    desk.start();
    desk.pass(seconds(45));
    assert_eq!(desk.count("userDataStream.ping"), 1);
    assert_eq!(desk.count("userDataStream.start"), 1);
    desk.rule = Box::new(|method, _| match method {
        "userDataStream.ping" => refuse(400, -1125),
        _ => Verdict::Answer,
    });
    desk.pass(seconds(30));
    assert_eq!(desk.count("userDataStream.start"), 2);
    assert!(desk.has(Kind::GatewayDown) && desk.gateway.is_ready());
}

#[test]
fn a_timestamp_refused_at_log_on_only_repeats_the_step() {
    let mut desk = Desk::new(binance::SPOT, ed25519(), settings(binance::SPOT));
    let mut first = true;
    desk.rule = Box::new(move |method, _| match method {
        "session.logon" if std::mem::take(&mut first) => refuse(400, -1021),
        _ => Verdict::Answer,
    });
    desk.start();
    desk.pass(seconds(2));
    assert_eq!((desk.count("session.logon"), desk.count("time")), (2, 6));
    assert!(desk.gateway.is_ready());
}

#[test]
fn a_timestamp_that_is_always_refused_needs_a_human() {
    let mut desk = Desk::new(binance::SPOT, hmac(), settings(binance::SPOT));
    desk.rule = Box::new(|method, _| match method {
        "userDataStream.subscribe.signature" => refuse(400, -1021),
        _ => Verdict::Answer,
    });
    desk.start();
    desk.pass(seconds(60));
    assert!(desk.gateway.halt_message().unwrap().contains("timestamps"));
    assert!(desk.count("userDataStream.subscribe.signature") < 50, "and the venue is not flooded");
}

#[test]
fn user_data_that_the_venue_says_runs_already_is_not_asked_for_again() {
    // What a venue answers where its first answer was lost.
    let mut desk = Desk::new(binance::SPOT, hmac(), settings(binance::SPOT));
    desk.rule = Box::new(|method, _| match method {
        "userDataStream.subscribe.signature" => refuse(400, -2035),
        _ => Verdict::Answer,
    });
    desk.start();
    desk.pass(seconds(2));
    assert!(desk.gateway.is_ready());
    assert_eq!(desk.count("userDataStream.subscribe.signature"), 1);
}

#[test]
fn a_venue_that_stops_for_seconds_is_no_fault_of_our_clock() {
    for product in PRODUCTS {
        let mut desk = Desk::ready(product);
        desk.place_order(1, Side::Bid);
        desk.requests.clear();
        desk.rule = Box::new(|_, _| Verdict::LoseRequest);
        for counter in 2..10 {
            desk.place_order(counter, Side::Ask);
        }
        // It says something now and then, so that the connection is not given up.
        for _ in 0..5 {
            desk.pass(seconds(1));
            desk.frame(&serde_json::json!({"subscriptionId": 0, "event": {"e": "balanceUpdate", "E": 1}}));
            desk.carry();
        }
        // It goes on, and finds every request that came meanwhile too old.
        desk.rule = Box::new(|_, _| Verdict::Answer);
        let waiting = std::mem::take(&mut desk.requests);
        assert!(waiting.len() > 8, "{}", waiting.len());
        for (_, method, request) in &waiting {
            if method != "time" {
                let error = serde_json::json!({"code": -1021, "msg": "outside of the recvWindow"});
                desk.frame(&serde_json::json!({"id": request["id"], "status": 400, "error": error}));
                desk.carry();
            }
        }
        desk.pass(seconds(20));
        assert_eq!(desk.gateway.halt_message(), None);
        assert!(desk.gateway.is_ready() && desk.gateway.unknown_orders() == 0, "all is known again");
        assert!(desk.gateway.counters().late_refusals > 5 && desk.gateway.counters().clock_refusals == 0);
        let next = desk.place_order(20, Side::Bid);
        assert_eq!(desk.kinds(next), [Kind::Accepted], "and it goes on");
    }
}
