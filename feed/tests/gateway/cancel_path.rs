//! COLD: when cancels leave, to the nanosecond, while the venue refuses them, answers late, or does not answer.

use std::cell::Cell;
use std::rc::Rc;

use crate::scripted_venue::{Desk, EPOCH, PRODUCTS, Rest, Verdict, hmac, quantity, refuse, settings, some_lots};
use serde_json::json;
use spinbook_engine::event::ExecutionKind as Kind;
use spinbook_engine::types::{InstrumentId, Nanos, OrderId, Side};
use spinbook_feed::venue::binance;
use spinbook_feed::venue::binance::request_ids::CLIENT_IDS;
use spinbook_feed::venue::order_side::OrderConnection;

const ALL: &str = "openOrders.cancelAll";
const ONE: &str = "order.cancel";

fn ms(count: i64) -> Nanos {
    Nanos::from_millis(count)
}

/// When requests of this method left, since `start`, and over which connection.
pub fn sent(desk: &Desk, method: &str, start: Nanos) -> Vec<(Nanos, OrderConnection)> {
    let all = desk.requests.iter().rev().zip(desk.ways.iter().rev());
    let of_it = all.filter(|((at, name, _), _)| name == method && *at >= start);
    let mut sent: Vec<_> = of_it.map(|((at, ..), way)| (*at - start, *way)).collect();
    sent.reverse();
    sent
}

/// The same of the first connection alone, in milliseconds; nothing leaves between two of them.
fn times(desk: &Desk, method: &str, start: Nanos) -> Vec<i64> {
    let at = |(at, way): (Nanos, OrderConnection)| {
        assert_eq!(way, OrderConnection::Orders);
        assert_eq!(at, ms(at.millis()), "{method} left {} ns after it was due", at.0 - ms(at.millis()).0);
        at.millis()
    };
    sent(desk, method, start).into_iter().map(at).collect()
}

/// Times of cancels over REST, in milliseconds.
fn over_rest(desk: &Desk, start: Nanos) -> Vec<i64> {
    let cancels = desk.rest_requests.iter().filter(|(at, path)| *at >= start && path.starts_with("DELETE"));
    cancels.map(|(at, _)| (*at - start).millis()).collect()
}

/// A desk that is ready, whose venue answers nothing over REST.
fn desk(product: spinbook_feed::venue::ProductLine) -> Desk {
    let mut desk = Desk::ready(product);
    (desk.rest, desk.is_punctual) = (Rest::Fails, true);
    desk
}

/// Answers all but the first `count` requests of this method, which have another fate.
fn at_first(desk: &mut Desk, wanted: &'static str, count: usize, fate: fn() -> Verdict) -> Rc<Cell<usize>> {
    let left = Rc::new(Cell::new(count));
    let of_rule = left.clone();
    desk.rule = Box::new(move |method, _| {
        if method != wanted || of_rule.get() == 0 {
            return Verdict::Answer;
        }
        of_rule.set(of_rule.get() - 1);
        fate()
    });
    left
}

/// Everything of the instrument is to be cancelled.
fn stop(desk: &mut Desk) {
    desk.gateway.stop_instrument(InstrumentId(0), desk.now);
    desk.gateway.on_timer(desk.now);
    desk.carry();
}

/// An order of an earlier run is on the venue's book, and nobody was told.
fn stray(desk: &mut Desk) -> u64 {
    let name = CLIENT_IDS.write(OrderId::new(EPOCH - 1, 5));
    desk.add(name.as_str(), "BUY", "50000.00", &quantity(desk.product, some_lots(desk.product)))
}

#[test]
fn a_refused_cancel_doubles_the_pause_and_an_accepted_one_makes_it_short_again() {
    for product in PRODUCTS {
        let mut desk = desk(product);
        let orders: Vec<_> = (1..=3).map(|counter| desk.place_order(counter, Side::Bid)).collect();
        let start = desk.now;
        at_first(&mut desk, ONE, 2, || refuse(429, -1003));
        desk.cancel_order(orders[0]);
        desk.pass(ms(6_000));
        assert_eq!(times(&desk, ONE, start), [0, 2_000, 6_000], "{product:?}");
        // Accepted: the next one still keeps the pause that began before, and the one behind it the short one.
        desk.cancel_order(orders[1]);
        desk.pass(ms(4_000));
        desk.cancel_order(orders[2]);
        desk.pass(ms(5_000));
        assert_eq!(times(&desk, ONE, start), [0, 2_000, 6_000, 10_000, 11_000], "{product:?}");
        assert_eq!((desk.open_at_venue(), over_rest(&desk, start)), (0, vec![]), "{product:?}");
        assert_eq!(desk.gateway.counters().cancels_sent, 5, "{product:?}");
    }
}

#[test]
fn the_pause_grows_to_eight_seconds_and_no_further() {
    let mut desk = desk(binance::SPOT);
    let order = desk.place_order(1, Side::Bid);
    let start = desk.now;
    at_first(&mut desk, ONE, 6, || refuse(429, -1003));
    desk.cancel_order(order);
    desk.pass(ms(31_000));
    assert_eq!(times(&desk, ONE, start), [0, 2_000, 6_000, 14_000, 22_000, 30_000]);
}

#[test]
fn a_refused_cancel_all_keeps_the_same_pauses() {
    for product in PRODUCTS {
        let mut desk = desk(product);
        let start = desk.now;
        at_first(&mut desk, ALL, 2, || refuse(429, -1003));
        stray(&mut desk);
        stop(&mut desk);
        desk.pass(ms(6_000));
        assert_eq!((times(&desk, ALL, start), desk.open_at_venue()), (vec![0, 2_000, 6_000], 0), "{product:?}");
        stray(&mut desk);
        stop(&mut desk);
        desk.pass(ms(4_000));
        stray(&mut desk);
        stop(&mut desk);
        desk.pass(ms(5_000));
        assert_eq!(times(&desk, ALL, start), [0, 2_000, 6_000, 10_000, 11_000], "{product:?}");
        assert_eq!((desk.open_at_venue(), over_rest(&desk, start)), (0, vec![]), "{product:?}");
        // And the one of the session's beginning.
        assert_eq!(desk.gateway.counters().sweeps_sent, 6, "{product:?}");
    }
}

#[test]
fn once_the_venue_no_longer_asks_to_wait_a_cancel_leaves_at_once() {
    for product in PRODUCTS {
        let mut desk = desk(product);
        let order = desk.place_order(1, Side::Bid);
        let start = desk.now;
        let until = (start + ms(3_000)).millis();
        let mut refused = 0;
        desk.rule = Box::new(move |method, _| {
            refused += usize::from(method == ONE);
            match method {
                ONE if refused <= 2 => {
                    Verdict::Refuse { status: 429, code: -1003, message: "slow", retry_after_ms: Some(until) }
                }
                _ => Verdict::Answer,
            }
        });
        desk.cancel_order(order);
        desk.pass(ms(5_000));
        assert_eq!(times(&desk, ONE, start), [0, 2_000, 3_000], "{product:?}: the pause would last to 6 s");
        assert_eq!(desk.open_at_venue(), 0, "{product:?}");
    }
}

#[test]
fn with_no_room_in_the_venues_windows_one_request_leaves_each_second() {
    let mut desk = desk(binance::SPOT);
    let orders: Vec<_> = (1..=3).map(|counter| desk.place_order(counter, Side::Bid)).collect();
    let start = desk.now;
    desk.frame(&json!({"id": "t999999", "status": 200, "result": {"serverTime": 0}, "rateLimits": [
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000, "count": 6000}]}));
    desk.carry();
    for order in &orders {
        desk.cancel_order(*order);
    }
    desk.pass(ms(2_500));
    assert_eq!((times(&desk, ONE, start), desk.open_at_venue()), (vec![0, 1_000, 2_000], 0));
    stray(&mut desk);
    stop(&mut desk);
    desk.pass(ms(1_000));
    assert_eq!((times(&desk, ALL, start), desk.open_at_venue()), (vec![3_000], 0));
}

#[test]
fn a_ban_holds_every_cancel_to_its_very_end() {
    for product in PRODUCTS {
        for all in [false, true] {
            let mut desk = desk(product);
            let order = desk.place_order(1, Side::Bid);
            let start = desk.now;
            let until = (start + ms(7_000)).millis();
            desk.rule = Box::new(move |method, _| match method {
                "order.place" => {
                    Verdict::Refuse { status: 418, code: -1003, message: "banned", retry_after_ms: Some(until) }
                }
                _ => Verdict::Answer,
            });
            desk.place_order(2, Side::Ask);
            let sent = desk.requests.len();
            if all {
                stop(&mut desk)
            } else {
                desk.cancel_order(order)
            }
            desk.pass(ms(6_999));
            assert_eq!((desk.requests.len(), over_rest(&desk, start)), (sent, vec![]), "{product:?}: nothing at all");
            desk.pass(ms(500));
            assert_eq!(times(&desk, if all { ALL } else { ONE }, start), [7_000], "{product:?}");
            assert_eq!(desk.open_at_venue(), 0, "{product:?}");
        }
    }
}

#[test]
fn of_two_cancels_that_are_tried_again_the_earlier_waits_for_nothing() {
    for product in PRODUCTS {
        let mut desk = desk(product);
        let orders: Vec<_> = (1..=2).map(|counter| desk.place_order(counter, Side::Bid)).collect();
        let start = desk.now;
        at_first(&mut desk, ONE, 2, || refuse(503, -1008));
        desk.cancel_order(orders[0]);
        desk.pass(ms(100));
        desk.cancel_order(orders[1]);
        desk.pass(ms(500));
        assert_eq!((times(&desk, ONE, start), desk.open_at_venue()), (vec![0, 100, 200, 300], 0), "{product:?}");
    }
}

#[test]
fn a_cancel_whose_request_was_lost_is_sent_again_after_a_second() {
    for product in PRODUCTS {
        let mut desk = desk(product);
        let order = desk.place_order(1, Side::Bid);
        let start = desk.now;
        at_first(&mut desk, ONE, 1, || Verdict::LoseRequest);
        desk.cancel_order(order);
        desk.pass(ms(1_100));
        assert_eq!((times(&desk, ONE, start), desk.open_at_venue()), (vec![0, 1_000], 0), "{product:?}");
        let attempts = desk.gateway.orders().find(order).unwrap().cancel_attempts;
        assert_eq!((attempts, desk.gateway.counters().cancels_sent), (2, 2), "{product:?}");
    }
}

#[test]
fn a_cancel_that_the_venue_knows_no_order_for_is_tried_at_growing_pauses() {
    for product in PRODUCTS {
        let mut desk = desk(product);
        desk.rule = Box::new(|method, _| match method {
            "order.place" | "order.status" => Verdict::LoseRequest,
            _ => Verdict::Answer,
        });
        let order = desk.place_order(1, Side::Bid);
        let start = desk.now;
        desk.cancel_order(order);
        desk.pass(ms(3_100));
        assert_eq!(times(&desk, ONE, start), [0, 200, 600, 1_400, 2_200, 3_000], "{product:?}");
    }
}

#[test]
fn a_cancel_all_whose_request_was_lost_is_sent_again_after_a_second_and_only_once() {
    for product in PRODUCTS {
        let mut desk = desk(product);
        stray(&mut desk);
        let (start, before) = (desk.now, desk.gateway.counters().sweeps_sent);
        at_first(&mut desk, ALL, 1, || Verdict::LoseRequest);
        stop(&mut desk);
        desk.pass(ms(100));
        assert!(!desk.gateway.is_instrument_quiet(InstrumentId(0)), "{product:?}: nobody confirmed it");
        // Wanted once more while it is on its way: it is not sent beside itself.
        stop(&mut desk);
        desk.pass(ms(1_900));
        assert_eq!((times(&desk, ALL, start), desk.open_at_venue()), (vec![0, 1_000], 0), "{product:?}");
        assert_eq!(desk.gateway.counters().sweeps_sent - before, 2, "{product:?}");
        assert!(desk.gateway.is_instrument_quiet(InstrumentId(0)), "{product:?}");
    }
}

#[test]
fn single_cancels_follow_a_cancel_all_that_is_not_answered_in_half_a_second() {
    for product in PRODUCTS {
        let mut desk = desk(product);
        desk.place_order(1, Side::Bid);
        let start = desk.now;
        at_first(&mut desk, ALL, usize::MAX, || Verdict::LoseRequest);
        stop(&mut desk);
        desk.pass(ms(1_490));
        assert_eq!(desk.open_at_venue(), 1, "{product:?}");
        desk.pass(ms(100));
        // The second cancel-all has its half second as well.
        assert_eq!((times(&desk, ALL, start), times(&desk, ONE, start)), (vec![0, 1_000], vec![1_500]), "{product:?}");
        assert_eq!(desk.open_at_venue(), 0, "{product:?}");
    }
}

#[test]
fn a_venue_that_knows_no_cancel_all_is_sent_single_cancels_at_once() {
    for product in PRODUCTS {
        for what in ["a stop", "the end", "a stepped clock"] {
            let mut desk = desk(product);
            (1..=3).for_each(|counter| _ = desk.place_order(counter, Side::Ask));
            let start = desk.now;
            at_first(&mut desk, ALL, usize::MAX, || refuse(400, -1020));
            match what {
                "a stop" => stop(&mut desk),
                "the end" => desk.gateway.cancel_all(start),
                _ => desk.gateway.on_clock_step(start),
            }
            desk.carry();
            desk.pass(ms(10));
            assert_eq!(times(&desk, ONE, start), [0, 0, 0], "{product:?} {what}");
            assert_eq!((times(&desk, ALL, start), desk.open_at_venue()), (vec![0], 0), "{product:?}");
        }
    }
}

#[test]
fn the_end_of_a_run_does_not_wait_for_the_pause_of_a_refused_cancel_all() {
    for product in PRODUCTS {
        let mut desk = desk(product);
        desk.place_order(1, Side::Bid);
        let start = desk.now;
        at_first(&mut desk, ALL, 1, || refuse(503, -1000));
        stop(&mut desk);
        desk.pass(ms(100));
        assert_eq!(desk.open_at_venue(), 1, "{product:?}: tried again after half a second");
        desk.gateway.cancel_all(desk.now);
        desk.carry();
        assert_eq!((times(&desk, ALL, start), desk.open_at_venue()), (vec![0, 100], 0), "{product:?}");
    }
}

#[test]
fn a_cancel_all_of_unknown_outcome_is_sent_each_half_second_and_leaves_over_rest_too() {
    for product in PRODUCTS {
        let mut desk = desk(product);
        stray(&mut desk);
        let start = desk.now;
        at_first(&mut desk, ALL, 4, || refuse(503, -1000));
        stop(&mut desk);
        desk.pass(ms(2_100));
        assert_eq!(times(&desk, ALL, start), [0, 500, 1_000, 1_500, 2_000], "{product:?}");
        assert_eq!((over_rest(&desk, start), desk.open_at_venue()), (vec![1_000, 2_000], 0), "{product:?}");
    }
}

#[test]
fn a_venue_that_answers_that_it_is_busy_is_not_asked_over_rest_as_well() {
    for product in PRODUCTS {
        for method in [ALL, ONE] {
            let mut desk = desk(product);
            let order = desk.place_order(1, Side::Bid);
            let start = desk.now;
            at_first(&mut desk, method, usize::MAX, || refuse(503, -1008));
            if method == ONE {
                desk.cancel_order(order);
            } else {
                // Without the order's own cancel, which would be answered.
                desk.end(desk.id_of(order), "CANCELED");
                stray(&mut desk);
                stop(&mut desk);
            }
            desk.pass(ms(3_100));
            let pause = if method == ONE { 200 } else { 500 };
            let expected: Vec<i64> = (0..).map(|count| count * pause).take_while(|at| *at <= 3_100).collect();
            assert_eq!((times(&desk, method, start), desk.open_at_venue()), (expected, 1), "{product:?} {method}");
            assert_eq!(over_rest(&desk, start), [0; 0], "{product:?} {method}");
        }
    }
}

#[test]
fn a_key_that_may_not_cancel_is_tried_every_five_seconds_and_the_session_ends_when_nothing_is_left() {
    for product in PRODUCTS {
        let mut desk = desk(product);
        desk.place_order(1, Side::Bid);
        let start = desk.now;
        let left = Rc::new(Cell::new(2));
        let of_rule = left.clone();
        desk.rule = Box::new(move |method, _| match method {
            ALL if of_rule.get() > 0 => {
                of_rule.set(of_rule.get() - 1);
                refuse(401, -2015)
            }
            ONE => refuse(503, -1008),
            _ => Verdict::Answer,
        });
        stop(&mut desk);
        assert!(desk.gateway.halt_message().unwrap().contains("-2015"), "{product:?}");
        desk.pass(ms(10_100));
        assert_eq!((times(&desk, ALL, start), desk.open_at_venue()), (vec![0, 5_000, 10_000], 0), "{product:?}");
        let (asked, tried) = (desk.requests.len(), desk.connects.len());
        desk.pass(ms(60_000));
        assert_eq!((desk.requests.len(), desk.connects.len()), (asked, tried), "{product:?}: and then it is over");
    }
}

#[test]
fn a_silent_connection_is_given_up_sooner_while_something_is_being_cancelled() {
    for product in PRODUCTS {
        // An open order that nobody wants cancelled: asked for a sign of life after two seconds, given up three later.
        let mut calm = desk(product);
        calm.place_order(1, Side::Bid);
        // A cancel-all: its answer is the sign of life.
        let mut cancelling = desk(product);
        for (desk, after) in [(&mut calm, 5_000), (&mut cancelling, 2_000)] {
            desk.dark = vec![OrderConnection::Orders];
            let closes = desk.closes;
            if after == 2_000 {
                stop(desk);
            }
            desk.pass(ms(after) - Nanos(1));
            assert_eq!(desk.closes, closes, "{product:?} {after}: too soon");
            desk.pass(Nanos(1));
            assert_eq!(desk.closes, closes + 1, "{product:?} {after}");
        }
    }
}

#[test]
fn what_an_earlier_run_left_is_cancelled_over_rest_where_no_answer_comes() {
    for product in PRODUCTS {
        let mut desk = Desk::ready(product);
        stray(&mut desk);
        let start = desk.now;
        at_first(&mut desk, ALL, usize::MAX, || Verdict::LoseRequest);
        stop(&mut desk);
        desk.pass(ms(2_500));
        assert_eq!((over_rest(&desk, start), desk.open_at_venue()), (vec![1_000], 0), "{product:?}");
        assert!(desk.gateway.is_instrument_quiet(InstrumentId(0)), "{product:?}: proved");
        assert_eq!(times(&desk, ALL, start), [0, 1_000], "{product:?}: and not sent any more");
    }
}

#[test]
fn one_cancel_all_for_several_orders_that_is_answered_late_is_not_repeated() {
    let mut desk = desk(binance::SPOT);
    let orders: Vec<_> = (1..=3).map(|counter| desk.place_order(counter, Side::Bid)).collect();
    let start = desk.now;
    // Refused once, the venue asks to wait: the others become one request, whose answer is lost on its way.
    desk.rule = Box::new(|method, _| match method {
        ONE => refuse(429, -1003),
        ALL => Verdict::LoseRequest,
        _ => Verdict::Answer,
    });
    orders.iter().for_each(|order| desk.cancel_order(*order));
    desk.pass(ms(2_800));
    assert_eq!((times(&desk, ONE, start), times(&desk, ALL, start)), (vec![0], vec![2_000]));
    let (_, _, asked) = desk.requests.iter().find(|(_, method, _)| method == ALL).unwrap();
    let id = asked["id"].clone();
    desk.live().into_iter().for_each(|id| desk.end(id, "CANCELED"));
    desk.frame(&json!({"id": id, "status": 200, "result": []}));
    desk.carry();
    desk.pass(ms(10_000));
    assert_eq!((times(&desk, ONE, start), times(&desk, ALL, start)), (vec![0], vec![2_000]), "answered after 800 ms");
    assert_eq!(desk.gateway.open_orders(), 0);
}

#[test]
fn a_connection_that_is_being_left_is_closed_a_second_after_the_first_word_of_it() {
    let mut desk = desk(binance::SPOT);
    desk.place_order(1, Side::Bid);
    let (start, closes) = (desk.now, desk.closes);
    at_first(&mut desk, ALL, usize::MAX, || Verdict::LoseRequest);
    let farewell = json!({"subscriptionId": 0, "event": {"e": "serverShutdown", "E": 1}});
    desk.frame(&farewell);
    desk.carry();
    assert_eq!((times(&desk, ALL, start), desk.closes), (vec![0], closes));
    assert!(!desk.gateway.is_ready() && desk.has(Kind::GatewayDown), "no new orders from now on");
    desk.pass(ms(600));
    desk.frame(&farewell);
    desk.carry();
    desk.pass(ms(400) - Nanos(1));
    assert_eq!(desk.closes, closes);
    desk.pass(Nanos(1));
    assert_eq!(desk.closes, closes + 1);
}

#[test]
fn a_connection_behind_which_nothing_can_live_is_left_at_once() {
    let mut desk = desk(binance::SPOT);
    let (start, closes) = (desk.now, desk.closes);
    desk.frame(&json!({"subscriptionId": 0, "event": {"e": "serverShutdown", "E": 1}}));
    desk.carry();
    assert_eq!((times(&desk, ALL, start), desk.closes), (vec![], closes + 1));
}

#[test]
fn an_old_connection_is_left_with_a_cancel_all_within_two_seconds_of_its_time() {
    for product in PRODUCTS {
        let mut choices = settings(product);
        choices.connection_life = ms(30_000);
        let mut desk = Desk::new(product, hmac(), choices);
        desk.start();
        let start = desk.now;
        desk.place_order(1, Side::Bid);
        desk.pass(ms(33_000));
        // One as the session began; the other with the first turn after its time.
        let all: Vec<Nanos> = sent(&desk, ALL, start).into_iter().map(|(at, _)| at).collect();
        assert!(all[0] == ms(0) && all[1] >= ms(30_000) && all[1] <= ms(32_000), "{product:?}: {all:?}");
        assert_eq!(desk.open_at_venue(), 0, "{product:?}");
    }
}

#[test]
fn before_the_first_cancel_all_was_answered_the_venue_is_tried_every_second() {
    for product in PRODUCTS {
        let mut desk = Desk::new(product, hmac(), settings(product));
        desk.reachable = false;
        desk.start();
        desk.pass(ms(60_000));
        let pauses: Vec<Nanos> = desk.connects.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
        assert!(pauses.len() > 50 && pauses.iter().all(|pause| *pause <= ms(1_000)), "{product:?}: {pauses:?}");
    }
}

#[test]
fn orders_that_a_list_shows_are_cancelled_all_at_once_first_and_each_by_itself_if_that_does_not_help() {
    for product in PRODUCTS {
        let mut desk = Desk::new(product, hmac(), settings(product));
        desk.rest = Rest::Fails;
        stray(&mut desk);
        // The venue says twice that there is nothing to cancel.
        at_first(&mut desk, ALL, 2, || refuse(400, -2011));
        desk.start();
        desk.pass(ms(1_000));
        let list = "openOrders.status";
        let mut asked = desk.methods();
        asked.retain(|method| [ALL, ONE, list].contains(method));
        assert_eq!(asked[..5], [ALL, list, ALL, list, ONE], "{product:?}");
        assert_eq!((desk.count(ONE), desk.open_at_venue()), (1, 0), "{product:?}");
        assert!(desk.gateway.is_ready() && desk.gateway.counters().cancels_sent == 1, "{product:?}");
    }
}
