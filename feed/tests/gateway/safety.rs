//! COLD: a cancel depends on nothing but a connected order socket: the gateway while something around it fails.

use std::cell::Cell;
use std::rc::Rc;

use crate::scripted_venue::{Desk, EPOCH, PRODUCTS, Rest, Verdict, hmac, place, quantity, refuse, settings, some_lots};
use serde_json::json;
use spinbook_engine::event::ExecutionKind as Kind;
use spinbook_engine::intent::{Intent, IntentKind};
use spinbook_engine::types::{EPOCH_REHEARSAL, Nanos, OrderId, Side};
use spinbook_feed::venue::binance;
use spinbook_feed::venue::binance::request_ids::CLIENT_IDS;
use spinbook_feed::venue::order_side::OrderConnection;

fn ms(count: i64) -> Nanos {
    Nanos::from_millis(count)
}

/// Passes time until nothing is open at the venue, at most `span`; says how long it took.
fn until_nothing_is_open(desk: &mut Desk, span: Nanos) -> Nanos {
    let start = desk.now;
    while desk.open_at_venue() > 0 && desk.now - start < span {
        desk.pass(ms(100));
    }
    desk.now - start
}

#[test]
fn cancels_leave_while_user_data_is_down() {
    let mut desk = Desk::ready(binance::USDM);
    let order = desk.place_order(1, Side::Bid);
    desk.requests.clear();
    // The host of user data and of the market is gone; the orders connection works.
    desk.reachable = false;
    desk.drop_connection(OrderConnection::UserData);
    desk.cancel_order(order);
    desk.pass(ms(1));
    assert_eq!(desk.open_at_venue(), 0, "{:?}", desk.methods());
    desk.pass(ms(60_000));
    desk.gateway.cancel_all(desk.now);
    desk.carry();
    desk.pass(ms(10_000));
    assert!(desk.gateway.is_quiet(), "a shutdown does not wait for user data that never comes");
}

#[test]
fn a_session_cancels_before_it_asks_for_user_data() {
    let mut desk = Desk::ready(binance::SPOT);
    desk.place_order(1, Side::Bid);
    desk.rule =
        Box::new(|method, _| if method.starts_with("userDataStream") { refuse(503, -1000) } else { Verdict::Answer });
    desk.requests.clear();
    desk.drop_connection(OrderConnection::Orders);
    let took = until_nothing_is_open(&mut desk, ms(60_000));
    assert!(took <= ms(1_000), "open for {} ms", took.millis());
    let methods = desk.methods();
    let cancel = methods.iter().position(|method| *method == "openOrders.cancelAll").unwrap();
    let user = methods.iter().position(|method| method.starts_with("userDataStream")).unwrap_or(usize::MAX);
    assert!(cancel < user, "{methods:?}");
}

#[test]
fn a_clock_that_is_off_at_a_reconnect_strands_nothing() {
    for product in PRODUCTS {
        let mut desk = Desk::ready(product);
        desk.place_order(1, Side::Bid);
        desk.requests.clear();
        desk.offset_ms = 800;
        desk.drop_connection(OrderConnection::Orders);
        let took = until_nothing_is_open(&mut desk, ms(60_000));
        assert!(took <= ms(1_000), "{product:?}: open for {} ms", took.millis());
        desk.pass(ms(30_000));
        assert!(!desk.gateway.is_ready(), "new orders are refused all the same");
        assert!(desk.gateway.last_refusal().unwrap().contains("NTP"));
        // The clock is set right: trading goes on by itself.
        desk.offset_ms = 0;
        desk.pass(ms(15_000));
        assert!(desk.gateway.is_ready() && desk.gateway.halt_message().is_none(), "{product:?}");
    }
}

#[test]
fn a_clock_far_off_at_the_start_still_cancels_what_an_earlier_run_left() {
    for product in PRODUCTS {
        let mut desk = Desk::new(product, hmac(), settings(product));
        let stray = CLIENT_IDS.write(OrderId::new(EPOCH - 1, 5));
        desk.add(stray.as_str(), "BUY", "50000.00", &quantity(product, some_lots(product)));
        desk.offset_ms = -7_000;
        desk.start();
        desk.pass(ms(60_000));
        assert_eq!(desk.open_at_venue(), 0);
        assert!(desk.gateway.halt_message().unwrap().contains("7000 ms ahead of"));
        let sent = desk.requests.len();
        desk.pass(ms(600_000));
        assert_eq!(desk.requests.len(), sent, "and then it is over");
    }
}

#[test]
fn a_planned_close_cancels_first() {
    for product in PRODUCTS {
        let mut choices = settings(product);
        choices.connection_life = ms(30_000);
        let mut desk = Desk::new(product, hmac(), choices);
        desk.start();
        desk.place_order(1, Side::Bid);
        // From now on nothing can be reached anew: a venue in maintenance.
        desk.reachable = false;
        let closes = desk.closes;
        while desk.closes == closes && desk.now < crate::scripted_venue::START + ms(120_000) {
            desk.pass(ms(100));
        }
        assert!(desk.closes > closes, "{product:?}: the planned close never came");
        assert_eq!(desk.open_at_venue(), 0, "{product:?}: closed on purpose before the quotes were cancelled");
        assert!(desk.has(Kind::GatewayDown));
    }
}

#[test]
fn a_venue_that_says_it_closes_is_left_with_nothing_open() {
    for what in ["serverShutdown", "eventStreamTerminated"] {
        let mut desk = Desk::ready(binance::SPOT);
        desk.place_order(1, Side::Bid);
        desk.reachable = false;
        desk.frame(&json!({"subscriptionId": 0, "event": {"e": what, "E": 1}}));
        desk.carry();
        assert_eq!(desk.open_at_venue(), 0, "{what}");
        assert!(desk.has(Kind::GatewayDown), "{what}");
    }
}

#[test]
fn a_connection_that_does_not_confirm_is_left_after_a_second() {
    let mut desk = Desk::ready(binance::SPOT);
    desk.place_order(1, Side::Bid);
    desk.rule = Box::new(|method, _| if method.ends_with("cancelAll") { refuse(503, -1000) } else { Verdict::Answer });
    let closes = desk.closes;
    desk.frame(&json!({"subscriptionId": 0, "event": {"e": "serverShutdown", "E": 1}}));
    desk.carry();
    assert_eq!(desk.closes, closes, "not while the cancel may still be answered");
    desk.pass(ms(1_100));
    assert_eq!(desk.closes, closes + 1);
    desk.rule = Box::new(|_, _| Verdict::Answer);
    let took = until_nothing_is_open(&mut desk, ms(10_000));
    assert!(took <= ms(2_000), "open for {} ms", took.millis());
}

#[test]
fn a_lost_answer_to_the_renewal_of_a_key_closes_no_orders_connection() {
    let mut choices = settings(binance::USDM);
    choices.user_data_keep_interval = ms(60_000);
    let mut desk = Desk::new(binance::USDM, hmac(), choices);
    desk.start();
    desk.rule =
        Box::new(|method, _| if method == "userDataStream.ping" { Verdict::LoseRequest } else { Verdict::Answer });
    desk.place_order(1, Side::Bid);
    let closes = desk.closes;
    desk.pass(ms(120_000));
    assert!(desk.count("userDataStream.ping") > 0);
    assert_eq!((desk.closes, desk.open_at_venue()), (closes, 1));
}

#[test]
fn a_black_holed_connection_is_given_up_for_a_lost_cancel() {
    for product in PRODUCTS {
        let mut desk = Desk::ready(product);
        desk.rest = Rest::Fails;
        let order = desk.place_order(1, Side::Bid);
        desk.pass(ms(10_100));
        let dark = Rc::new(Cell::new(true));
        let is_dark = dark.clone();
        desk.rule = Box::new(move |_, _| if is_dark.get() { Verdict::LoseRequest } else { Verdict::Answer });
        let (start, closes) = (desk.now, desk.closes);
        desk.cancel_order(order);
        while desk.closes == closes && desk.now - start < ms(120_000) {
            desk.pass(ms(100));
        }
        assert!(desk.now - start <= ms(2_100), "{product:?}: {} ms", (desk.now - start).millis());
        dark.set(false);
        let took = until_nothing_is_open(&mut desk, ms(60_000));
        assert!(took <= ms(4_000), "{product:?}: {} ms", took.millis());
    }
}

#[test]
fn a_refusal_of_a_place_for_the_venues_windows_holds_no_cancel_back() {
    for (status, code) in [(403, 0), (429, -1003)] {
        let mut desk = Desk::ready(binance::SPOT);
        let resting = desk.place_order(1, Side::Bid);
        desk.rule =
            Box::new(move |method, _| if method == "order.place" { refuse(status, code) } else { Verdict::Answer });
        desk.place_order(2, Side::Bid);
        desk.cancel_order(resting);
        assert_eq!(desk.open_at_venue(), 0, "{status} {code}");
        let later = desk.place_order(3, Side::Bid);
        assert_eq!(desk.kinds(later), [Kind::Rejected], "new orders wait");
    }
}

#[test]
fn while_the_venue_asks_to_wait_one_request_cancels_all_at_a_slow_pace() {
    let mut desk = Desk::ready(binance::SPOT);
    let orders: Vec<_> = (1..=4).map(|counter| desk.place_order(counter, Side::Bid)).collect();
    // A question is refused for a minute, and so is each cancel of the first seconds.
    let refused_until = desk.now + ms(2_500);
    let now = Rc::new(Cell::new(desk.now));
    let at = now.clone();
    desk.rule = Box::new(move |method, _| match method {
        "time" => refuse(429, -1003),
        "openOrders.cancelAll" | "order.cancel" if at.get() < refused_until => refuse(429, -1003),
        _ => Verdict::Answer,
    });
    desk.pass(ms(3_000));
    now.set(desk.now);
    desk.requests.clear();
    for order in &orders {
        desk.cancel_order(*order);
    }
    assert_eq!(desk.methods(), ["order.cancel"], "the first at once");
    desk.pass(ms(1_000));
    assert_eq!(desk.open_at_venue(), 0, "{:?}", desk.methods());
    assert_eq!(desk.count("order.cancel") + desk.count("openOrders.cancelAll"), 2, "{:?}", desk.methods());
}

#[test]
fn a_venue_that_refuses_paced_cancels_as_well_is_not_flooded() {
    let mut desk = Desk::ready(binance::SPOT);
    let orders: Vec<_> = (1..=4).map(|counter| desk.place_order(counter, Side::Bid)).collect();
    desk.rule = Box::new(|method, _| if method == "order.place" { Verdict::Answer } else { refuse(429, -1003) });
    desk.pass(ms(3_000));
    desk.requests.clear();
    for order in &orders {
        desk.cancel_order(*order);
    }
    desk.pass(ms(30_000));
    assert!((4..=12).contains(&desk.requests.len()), "{:?}", desk.methods());
    desk.rule = Box::new(|_, _| Verdict::Answer);
    let took = until_nothing_is_open(&mut desk, ms(60_000));
    assert!(took <= ms(9_000), "{} ms", took.millis());
}

#[test]
fn a_used_up_weight_window_holds_no_cancel_back() {
    let mut desk = Desk::ready(binance::SPOT);
    let resting = desk.place_order(1, Side::Bid);
    // Somebody else on this address used it all.
    let reply = json!({"id": "t999999", "status": 200, "result": {"serverTime": 0}, "rateLimits": [
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000, "count": 6000}]});
    desk.frame(&reply);
    desk.carry();
    desk.cancel_order(resting);
    assert_eq!(desk.open_at_venue(), 0, "{:?}", desk.methods());
}

#[test]
fn after_an_outage_the_venue_is_tried_every_second_while_an_order_may_live() {
    for product in PRODUCTS {
        let mut desk = Desk::ready(product);
        desk.rest = Rest::Fails;
        desk.place_order(1, Side::Bid);
        desk.reachable = false;
        desk.drop_connection(OrderConnection::Orders);
        desk.connects.clear();
        desk.pass(ms(72_000));
        let times: Vec<Nanos> = desk.connects.iter().map(|(at, _, _)| *at).collect();
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] <= ms(1_000)), "{times:?}");
        desk.reachable = true;
        desk.gateway.cancel_all(desk.now);
        desk.carry();
        let took = until_nothing_is_open(&mut desk, ms(60_000));
        assert!(took <= ms(1_100), "{product:?}: {} ms after the venue came back", took.millis());
        desk.pass(ms(5_000));
        assert!(desk.gateway.is_quiet());
    }
}

#[test]
fn the_venues_limit_of_connection_attempts_is_kept_however_long_it_stays_away() {
    for product in PRODUCTS {
        let mut desk = Desk::ready(product);
        desk.rest = Rest::Fails;
        desk.place_order(1, Side::Bid);
        desk.reachable = false;
        desk.drop_connection(OrderConnection::Orders);
        desk.connects.clear();
        desk.pass(ms(1_200_000));
        let times: Vec<i64> = desk.connects.iter().map(|(at, _, _)| at.0).collect();
        for (index, start) in times.iter().enumerate() {
            let inside = times[index..].iter().take_while(|at| **at - start < 300_000_000_000).count();
            assert!(inside <= 270, "{inside} attempts in 5 minutes");
        }
        let longest = times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
        assert!(longest <= 2_000_000_000, "{longest} ns between two attempts");
    }
}

#[test]
fn a_stepped_clock_cancels_everything_and_closes_nothing() {
    for product in PRODUCTS {
        let mut desk = Desk::ready(product);
        desk.place_order(1, Side::Bid);
        desk.requests.clear();
        // The machine slept: our clock stood still.
        desk.offset_ms = 400;
        let closes = desk.closes;
        desk.gateway.on_clock_step(desk.now);
        desk.carry();
        assert!(desk.has(Kind::GatewayDown));
        assert_eq!(desk.open_at_venue(), 0, "{product:?}: {:?}", desk.methods());
        desk.pass(ms(1_000));
        assert!(desk.gateway.is_ready() && desk.count("time") >= 3);
        assert_eq!(desk.gateway.clock_offset().0.millis(), 400);
        assert_eq!(desk.closes, closes);
        assert_eq!(desk.count("userDataStream.start"), 0, "user data goes on");
    }
}

#[test]
fn an_order_of_a_rehearsal_leaves_nothing_and_halts() {
    for product in PRODUCTS {
        for kind in [IntentKind::Place, IntentKind::Cancel, IntentKind::Replace, IntentKind::Amend] {
            let mut desk = Desk::ready(product);
            let open = desk.place_order(1, Side::Bid);
            desk.requests.clear();
            let rehearsed = Intent { kind, ..place(product, OrderId::new(EPOCH_REHEARSAL, 1), Side::Ask) };
            desk.gateway.on_intent(&rehearsed, desk.now);
            desk.carry();
            assert_eq!(desk.count("order.place"), 0, "{kind:?}: {:?}", desk.methods());
            assert_eq!(desk.gateway.counters().refused_rehearsed, 1);
            assert!(desk.gateway.halt_message().is_some_and(|text| text.contains("rehearsal")) && desk.has(Kind::Halt));
            // Cancels still leave.
            desk.cancel_order(open);
            assert_eq!(desk.open_at_venue(), 0, "{kind:?}");
        }
    }
}
