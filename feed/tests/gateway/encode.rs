//! COLD: exact bytes of requests, replies and events as the venue prints them, and what refusals mean.

use crate::order_sides::REFUSALS;
use crate::scripted_venue::{self, KEY_ID, START, ed25519, hmac, instrument, some_lots, some_tick};
use serde_json::{Value, json};
use spinbook_engine::intent::TimeInForce;
use spinbook_engine::types::{InstrumentId, Lots, Nanos, OrderId, QuoteAtoms, Side, Tick, TradeId, VenueCode};
use spinbook_feed::crypto::credentials::Credentials;
use spinbook_feed::venue::binance::order::{BinanceOrders, reaction};
use spinbook_feed::venue::order_ids::VenueOrderId;
use spinbook_feed::venue::order_side::{OrderConnection, OrderSide, Reaction, SelfTradePrevention};
use spinbook_feed::venue::orders::{
    Fee, NewOrder, OrderDecodeError, OrderMessage, OrderName, OrderStatus, Refusal, ReplyBody, Request, RequestId,
    RequestKind, WindowKind,
};
use spinbook_feed::venue::{ProductLine, binance};

fn side(product: ProductLine, credentials: Credentials) -> BinanceOrders {
    BinanceOrders::new(product, credentials, 1_000, SelfTradePrevention::ExpireMaker)
}

fn encoded(orders: &mut BinanceOrders, request: &Request<'_>) -> String {
    let mut out = Vec::new();
    orders.encode(RequestId(7), request, START, &mut out);
    String::from_utf8(out).unwrap()
}

fn new_order(
    product: ProductLine,
    time_in_force: TimeInForce,
) -> (spinbook_feed::venue::instrument::Instrument, NewOrderPlan) {
    let plan = NewOrderPlan { tick: Tick(some_tick(product)), lots: Lots(some_lots(product)), time_in_force };
    (instrument(product), plan)
}

struct NewOrderPlan {
    tick: Tick,
    lots: Lots,
    time_in_force: TimeInForce,
}

fn place(product: ProductLine, orders: &mut BinanceOrders, time_in_force: TimeInForce) -> String {
    let (instrument, plan) = new_order(product, time_in_force);
    let order = NewOrder {
        instrument: &instrument,
        order: OrderId::new(36, 42),
        side: Side::Ask,
        tick: plan.tick,
        lots: plan.lots,
        time_in_force: plan.time_in_force,
    };
    encoded(orders, &Request::Place(order))
}

#[test]
fn a_logged_on_spot_order_in_exact_bytes() {
    let mut orders = side(binance::SPOT, ed25519());
    orders.set_logged_on(OrderConnection::Orders, true);
    assert_eq!(
        place(binance::SPOT, &mut orders, TimeInForce::PostOnly),
        r#"{"id":"p7","method":"order.place","params":{"newClientOrderId":"sb10-42","newOrderRespType":"ACK","price":"50000.00","quantity":"0.01000000","recvWindow":1000,"selfTradePreventionMode":"EXPIRE_MAKER","side":"SELL","symbol":"BTCUSDT","timestamp":1760000000000,"type":"LIMIT_MAKER"}}"#
    );
    let ioc = place(binance::SPOT, &mut orders, TimeInForce::ImmediateOrCancel);
    assert!(ioc.contains(r#""timeInForce":"IOC""#) && ioc.contains(r#""type":"LIMIT""#));
    let gtc = place(binance::SPOT, &mut orders, TimeInForce::GoodTilCancel);
    assert!(gtc.contains(r#""timeInForce":"GTC""#) && gtc.contains(r#""type":"LIMIT""#));
}

#[test]
fn a_signed_futures_order_in_exact_bytes() {
    let mut orders = side(binance::USDM, hmac());
    let text = place(binance::USDM, &mut orders, TimeInForce::PostOnly);
    let start = format!(
        r#"{{"id":"p7","method":"order.place","params":{{"apiKey":"{KEY_ID}","newClientOrderId":"sb10-42","newOrderRespType":"ACK","price":"50000.00","quantity":"0.010","recvWindow":1000,"selfTradePreventionMode":"EXPIRE_MAKER","side":"SELL","symbol":"BTCUSDT","timeInForce":"GTX","timestamp":1760000000000,"type":"LIMIT","signature":""#
    );
    assert!(text.starts_with(&start), "{text}");
    // The signature is that of the sorted parameters, whatever their order in the message.
    let message: Value = serde_json::from_str(&text).unwrap();
    let params = message["params"].as_object().unwrap();
    let mut sorted: Vec<String> = params
        .iter()
        .filter(|(name, _)| *name != "signature")
        .map(|(name, value)| format!("{name}={}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        .collect();
    sorted.sort();
    let mut expected = String::new();
    hmac().sign_onto(sorted.join("&").as_bytes(), &mut expected);
    assert_eq!(params["signature"], json!(expected));
}

#[test]
fn names_of_orders_and_the_sessions_own_requests() {
    let spot = instrument(binance::SPOT);
    let mut orders = side(binance::SPOT, ed25519());
    orders.set_logged_on(OrderConnection::Orders, true);
    let mine = OrderName { instrument: &spot, order: OrderId::new(36, 42), venue_order: VenueOrderId::NONE };
    assert_eq!(
        encoded(&mut orders, &Request::Cancel(mine)),
        r#"{"id":"c7","method":"order.cancel","params":{"origClientOrderId":"sb10-42","recvWindow":1000,"symbol":"BTCUSDT","timestamp":1760000000000}}"#
    );
    let known = OrderName { venue_order: VenueOrderId::from_number(12_569_099_453), ..mine };
    assert_eq!(
        encoded(&mut orders, &Request::OrderStatus(known)),
        r#"{"id":"q7","method":"order.status","params":{"orderId":12569099453,"recvWindow":1000,"symbol":"BTCUSDT","timestamp":1760000000000}}"#
    );
    assert_eq!(
        encoded(&mut orders, &Request::CancelAll(&spot)),
        r#"{"id":"a7","method":"openOrders.cancelAll","params":{"recvWindow":1000,"symbol":"BTCUSDT","timestamp":1760000000000}}"#
    );
    assert_eq!(
        encoded(&mut orders, &Request::OpenOrders(&spot)),
        r#"{"id":"o7","method":"openOrders.status","params":{"recvWindow":1000,"symbol":"BTCUSDT","timestamp":1760000000000}}"#
    );
    assert_eq!(encoded(&mut orders, &Request::ServerTime), r#"{"id":"t7","method":"time"}"#);
    assert_eq!(encoded(&mut orders, &Request::SubscribeUserData), r#"{"id":"u7","method":"userDataStream.subscribe"}"#);
    let mut futures = side(binance::USDM, hmac());
    assert_eq!(
        encoded(&mut futures, &Request::StartUserData),
        format!(r#"{{"id":"s7","method":"userDataStream.start","params":{{"apiKey":"{KEY_ID}"}}}}"#)
    );
    assert_eq!(
        encoded(&mut futures, &Request::KeepUserData),
        format!(r#"{{"id":"k7","method":"userDataStream.ping","params":{{"apiKey":"{KEY_ID}"}}}}"#)
    );
}

fn decode(product: ProductLine, text: &str) -> Result<OrderMessage, OrderDecodeError> {
    side(product, hmac()).decode(&[instrument(product)], text.as_bytes())
}

#[test]
fn replies_carry_their_request_the_refusal_and_the_venues_windows() {
    let text = r#"{"id":"p12","status":200,"result":{"symbol":"BTCUSDT","orderId":12569099453,"orderListId":-1,
        "clientOrderId":"sb10-42","transactTime":1660801715639},
        "rateLimits":[{"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":50,"count":12},
        {"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":6000,"count":70},
        {"rateLimitType":"RAW_REQUESTS","interval":"MINUTE","intervalNum":5,"limit":300000,"count":1}]}"#;
    let Ok(OrderMessage::Reply(reply)) = decode(binance::SPOT, text) else { panic!("a reply") };
    assert_eq!((reply.id, reply.kind), (RequestId(12), RequestKind::Place));
    assert_eq!(reply.outcome, Ok(ReplyBody::Placed(VenueOrderId::from_number(12_569_099_453))));
    assert_eq!(reply.usage.len(), 2);
    assert_eq!(
        (reply.usage[0].kind, reply.usage[0].span, reply.usage[0].used),
        (WindowKind::Orders, Nanos::from_seconds(10), 12)
    );
    let text = r#"{"id":"p12","status":429,"error":{"code":-1003,"msg":"Too much.","data":{"serverTime":1,"retryAfter":1660801715639}}}"#;
    let Ok(OrderMessage::Reply(reply)) = decode(binance::USDM, text) else { panic!("a reply") };
    let refusal = reply.outcome.unwrap_err();
    assert_eq!(
        (refusal.status, refusal.code, refusal.message.as_str()),
        (429, VenueCode::from_number(-1003), "Too much.")
    );
    assert_eq!(refusal.retry_after, Some(Nanos::from_millis(1_660_801_715_639)));
    for foreign in [
        r#"{"id":null,"status":400,"error":{}}"#,
        r#"{"id":7,"status":200}"#,
        r#"{"id":"x1","status":200}"#,
        r#"{"id":"p-1","status":200}"#,
        r#"{"id":"p","status":200}"#,
    ] {
        assert_eq!(decode(binance::SPOT, foreign), Err(OrderDecodeError::Id), "{foreign}");
    }
    let half = decode(binance::SPOT, r#"{"id":"p1","status":200,"result":{}}"#);
    assert_eq!(half, Err(OrderDecodeError::Field("orderId")), "a success that says nothing is no success");
}

#[test]
fn a_spot_cancel_event_names_the_order_in_its_capital_c() {
    let text = r#"{"subscriptionId":0,"event":{"e":"executionReport","E":1499405658658,"s":"BTCUSDT","c":"cancel-1",
        "S":"BUY","o":"LIMIT_MAKER","f":"GTC","q":"1.00000000","p":"0.10","x":"CANCELED","X":"CANCELED","r":"NONE",
        "C":"sb10-42","i":4293153,"l":"0.00000000","z":"0.25000000","L":"0.00000000","n":"0","N":null,
        "T":1499405658657,"t":-1,"m":false}}"#;
    let Ok(OrderMessage::Update(update)) = decode(binance::SPOT, text) else { panic!("an update") };
    assert_eq!((update.order, update.venue_order), (Some(OrderId::new(36, 42)), VenueOrderId::from_number(4_293_153)));
    assert_eq!((update.status, update.lots_cumulative), (OrderStatus::Canceled, Lots(25_000_000)));
    assert_eq!((update.fill, update.time), (None, Nanos::from_millis(1_499_405_658_657)));
}

#[test]
fn a_futures_fill_is_exact() {
    let text = r#"{"e":"ORDER_TRADE_UPDATE","T":1568879465650,"E":1568879465651,"o":{"s":"BTCUSDT","c":"sb10-43",
        "S":"SELL","o":"LIMIT","f":"GTX","q":"0.002","p":"7100.50","ap":"7100.50","sp":"0","x":"TRADE",
        "X":"PARTIALLY_FILLED","i":8886774,"l":"0.001","z":"0.001","L":"7100.50","N":"USDT","n":"-0.00142010",
        "T":1568879465650,"t":12345678,"b":"0","a":"0","m":true,"R":false,"ps":"BOTH","rp":"0"}}"#;
    let Ok(OrderMessage::Update(update)) = decode(binance::USDM, text) else { panic!("an update") };
    let fill = update.fill.unwrap();
    assert_eq!((fill.trade, fill.tick, fill.lots), (TradeId(12_345_678), Tick(71_005), Lots(1)));
    assert_eq!(fill.fee, Fee::Quote(QuoteAtoms(-1_420_100_000_000_000)), "a rebate is negative");
    assert!(fill.maker);
    // A price between two ticks, a missing id, a negative quantity: nothing of it is used.
    for (find, put, field) in [
        ("\"L\":\"7100.50\"", "\"L\":\"7100.55\"", "L"),
        ("\"l\":\"0.001\"", "\"l\":\"-0.001\"", "l"),
        ("\"z\":\"0.001\"", "\"z\":\"NaN\"", "z"),
    ] {
        let broken = decode(binance::USDM, &text.replace(find, put));
        assert!(matches!(broken, Err(OrderDecodeError::Number(name, _)) if name == field), "{put}: {broken:?}");
    }
    let broken = decode(binance::USDM, &text.replace("\"t\":12345678,", ""));
    assert_eq!(broken, Err(OrderDecodeError::Field("t")));
}

#[test]
fn unknown_words_are_unknown_and_other_events_are_known() {
    let event = |execution: &str, status: &str| {
        let body = json!({"s": "BTCUSDT", "c": "sb10-1", "S": "BUY", "q": "1.000", "p": "5.00", "x": execution,
            "X": status, "i": 5, "l": "0", "z": "0", "L": "0", "T": 1, "t": 0, "m": false});
        let message = scripted_venue::wrap(binance::USDM, body, 1);
        match decode(binance::USDM, &message.to_string()) {
            Ok(OrderMessage::Update(update)) => update.status,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(event("NEW", "NEW"), OrderStatus::Live);
    assert_eq!(event("AMENDMENT", "PARTIALLY_FILLED"), OrderStatus::Live);
    assert_eq!(event("EXPIRED", "EXPIRED_IN_MATCH"), OrderStatus::Expired);
    assert_eq!(event("NEW", "HELD"), OrderStatus::Unknown);
    assert_eq!(event("VANISHED", "CANCELED"), OrderStatus::Unknown);
    let message = |text: &str| decode(binance::USDM, text).unwrap();
    assert_eq!(message(r#"{"e":"listenKeyExpired","E":1,"listenKey":"x"}"#), OrderMessage::UserDataEnded);
    assert_eq!(
        message(r#"{"event":{"e":"eventStreamTerminated","E":1},"subscriptionId":0}"#),
        OrderMessage::UserDataEnded
    );
    assert_eq!(message(r#"{"event":{"e":"serverShutdown","E":1}}"#), OrderMessage::ServerShutdown);
    assert_eq!(message(r#"{"e":"outboundAccountPosition","B":[]}"#), OrderMessage::Balances);
    assert_eq!(message(r#"{"e":"somethingNew"}"#), OrderMessage::Other);
    assert_eq!(message(r#"{"result":null}"#), OrderMessage::Other);
    let account = r#"{"e":"ACCOUNT_UPDATE","a":{"m":"ORDER","B":[{"a":"USDT","wb":"1","cw":"1","bc":"0"}],
        "P":[{"s":"BTCUSDT","pa":"-0.012","ps":"BOTH"},{"s":"ETHUSDT","pa":"1","ps":"BOTH"},{"s":"BTCUSDT","pa":"3","ps":"LONG"}]}}"#;
    assert_eq!(message(account), OrderMessage::Positions(vec![(InstrumentId(0), Lots(-12))]));
    let other = r#"{"e":"ORDER_TRADE_UPDATE","o":{"s":"ETHUSDT","x":"NEW","X":"NEW"}}"#;
    assert_eq!(message(other), OrderMessage::OtherInstrument);
    for text in ["", "[]", "nonsense", "{", "\u{feff}{}"] {
        assert!(decode(binance::SPOT, text).is_err(), "{text:?}");
    }
}

#[test]
fn what_refusals_mean_on_each_product() {
    let (spot, usdm) = (binance::SPOT, binance::USDM);
    let place = RequestKind::Place;
    let means = |product, kind, status, code: i64, message: &str| {
        let code = VenueCode::from_number(code);
        let refusal = Refusal { status, code, message: message.to_owned(), retry_after: None };
        reaction(product, kind, &refusal)
    };
    for (code, on_spot, on_futures) in REFUSALS {
        assert_eq!(means(spot, place, 400, code, ""), on_spot, "spot {code}");
        assert_eq!(means(usdm, place, 400, code, ""), on_futures, "futures {code}");
    }
    assert_eq!(means(spot, place, 400, -2010, "Order would immediately match and take."), Reaction::Reprice);
    assert_eq!(
        means(spot, place, 400, -2010, "Account has insufficient balance for requested action."),
        Reaction::Reduce
    );
    for product in [spot, usdm] {
        assert_eq!(means(product, RequestKind::Cancel, 400, -2011, ""), Reaction::QueryOrder);
        assert_eq!(means(product, RequestKind::CancelAll, 400, -2011, ""), Reaction::Ignore);
        assert_eq!(means(product, place, 503, 0, ""), Reaction::Unknown);
        assert_eq!(means(product, place, 500, -9999, ""), Reaction::Unknown);
        for kind in [place, RequestKind::Cancel, RequestKind::OrderStatus] {
            assert_eq!(means(product, kind, 418, -1003, ""), Reaction::Banned);
            // A refused place holds back places; what refuses a question holds back all but cancels.
            let waits = if kind == place { Reaction::PauseOrders } else { Reaction::PauseAll };
            assert_eq!(means(product, kind, 429, 0, ""), waits);
            assert_eq!(means(product, kind, 403, 0, ""), waits);
            assert_eq!(means(product, kind, 400, -1003, ""), waits);
        }
        assert_eq!(means(product, place, 400, -9999, ""), Reaction::Reject);
        assert_eq!(means(product, place, 0, 0, ""), Reaction::Unknown, "nothing may be assumed");
        assert_eq!(means(product, RequestKind::KeepUserData, 400, -1125, ""), Reaction::RestartUserData);
    }
}
