//! COLD: orders in the gateway against a scripted venue, in virtual time; its connections: `gateway_sessions`.

use crate::scripted_venue::{self, Desk, EPOCH, PRODUCTS, Rest, Verdict, hmac, place, refuse, settings, some_lots};
use spinbook_engine::event::{ExecutionKind, FeeAsset, LocalReject};
use spinbook_engine::types::{Lots, Nanos, OrderId, QUOTE_ATOMS_PER_UNIT, QuoteAtoms, Side, VenueCode};
use spinbook_feed::gateway::GatewayMode;
use spinbook_feed::gateway::fees::FeePrice;
use spinbook_feed::gateway::orders::OrderCounts;
use spinbook_feed::venue::binance;
use spinbook_feed::venue::binance::request_ids::CLIENT_IDS;
use spinbook_feed::venue::instrument::Symbol;
use spinbook_feed::venue::order_ids::ClientIds;
use spinbook_feed::venue::order_side::OrderConnection;

use ExecutionKind as Kind;

fn seconds(count: i64) -> Nanos {
    Nanos::from_seconds(count)
}

#[test]
fn an_order_is_placed_filled_and_cancelled() {
    for product in PRODUCTS {
        let mut desk = Desk::ready(product);
        let order = desk.place_order(1, Side::Bid);
        assert_eq!(desk.kinds(order), [Kind::Accepted], "ack and NEW event are one fact");
        let id = desk.id_of(order);
        let part = some_lots(product) / 2;
        desk.fill(id, part, 900, ("0.05", "USDT"));
        desk.cancel_order(order);
        assert_eq!(desk.kinds(order), [Kind::Accepted, Kind::Filled, Kind::Canceled]);
        let fill = desk.events.iter().find(|event| event.kind == Kind::Filled).unwrap();
        assert_eq!((fill.lots, fill.lots_cumulative, fill.trade.0), (Lots(part), Lots(part), 900));
        assert_eq!((fill.fee, fill.fee_asset, fill.maker), (QuoteAtoms(50_000_000_000_000_000), FeeAsset::Quote, true));
        let end = desk.events.last().unwrap();
        assert_eq!((end.lots_cumulative, end.slot.0, end.side), (Lots(part), 3, Side::Bid));
        assert_eq!(desk.gateway.open_orders(), 0);
        // Partly filled and cancelled is one order that was cancelled, and one that got a fill.
        let expected = OrderCounts { sent: 1, filled: 1, canceled: 1, ..OrderCounts::default() };
        assert_eq!(desk.gateway.order_counts(), expected);
    }
}

#[test]
fn every_order_is_counted_by_its_state_and_a_refused_cancel_is_no_refused_order() {
    let product = binance::SPOT;
    let mut desk = Desk::ready(product);
    let whole = desk.place_order(1, Side::Bid);
    desk.fill(desk.id_of(whole), some_lots(product), 1, ("0.1", "USDT"));
    let rests = desk.place_order(2, Side::Bid);
    let expected = OrderCounts { sent: 2, filled: 1, filled_fully: 1, open: 1, ..OrderCounts::default() };
    assert_eq!(desk.gateway.order_counts(), expected);
    // The fill reaches the venue's book before our cancel does, and us after its refusal.
    desk.user_data = false;
    desk.fill(desk.id_of(rests), some_lots(product), 2, ("0.1", "USDT"));
    let fill = desk.event_message(desk.id_of(rests), "FILLED", Some((some_lots(product), 2, ("0.1", "USDT"))));
    desk.cancel_order(rests);
    desk.user_frame(&fill);
    desk.carry();
    let expected = OrderCounts { sent: 2, filled: 2, filled_fully: 2, ..OrderCounts::default() };
    assert_eq!(desk.gateway.order_counts(), expected);
    let counters = desk.gateway.counters();
    assert_eq!((counters.cancels_refused, counters.orders_refused), (1, 0));
    desk.user_data = true;
    desk.rule = Box::new(|method, _| if method == "order.place" { refuse(400, -2010) } else { Verdict::Answer });
    desk.place_order(3, Side::Bid);
    let counts = desk.gateway.order_counts();
    assert_eq!((counts.sent, counts.rejected, counts.in_all_states()), (3, 1, 3));
}

#[test]
fn fees_in_the_base_asset_are_lots_and_worth_the_fill_price() {
    let product = binance::SPOT;
    let mut desk = Desk::ready(product);
    let order = desk.place_order(1, Side::Bid);
    desk.fill(desk.id_of(order), some_lots(product), 1, ("0.00001000", "BTC"));
    let fill = desk.events.iter().find(|event| event.kind == Kind::Filled).unwrap();
    assert_eq!((fill.fee_asset, fill.fee_lots), (FeeAsset::Base, Lots(1_000)));
    // 0.00001 BTC at 50000 is half a dollar.
    assert_eq!(fill.fee, QuoteAtoms(500_000_000_000_000_000));
    assert_eq!(desk.kinds(order), [Kind::Accepted, Kind::Filled], "the last fill ends the order");
    let order = desk.place_order(2, Side::Bid);
    desk.fill(desk.id_of(order), some_lots(product), 2, ("0.00000100", "BNB"));
    assert_eq!(desk.events.last().unwrap().fee_asset, FeeAsset::Other);
    assert_eq!(desk.gateway.table_counters().fees_other, 1);
}

#[test]
fn a_fee_in_a_third_asset_is_worth_the_price_that_was_given_for_it() {
    let unit = QUOTE_ATOMS_PER_UNIT;
    for product in PRODUCTS {
        let mut choices = settings(product);
        choices.fee_prices = vec![FeePrice { asset: Symbol::new("BNB").unwrap(), quote: QuoteAtoms(600 * unit) }];
        let mut desk = Desk::new(product, hmac(), choices);
        desk.start();
        let mut fill = |counter, trade, fee| {
            let order = desk.place_order(counter, Side::Bid);
            desk.fill(desk.id_of(order), some_lots(product), trade, fee);
            let fill = desk.events.iter().rfind(|event| event.order == order && event.kind == Kind::Filled).unwrap();
            (fill.fee_asset, fill.fee)
        };
        assert_eq!(fill(1, 11, ("0.00100000", "BNB")), (FeeAsset::Valued, QuoteAtoms(unit * 6 / 10)));
        assert_eq!(fill(2, 12, ("0.00100000", "XYZ")), (FeeAsset::Other, QuoteAtoms(0)), "of no price");
        assert_eq!(fill(3, 13, ("0.00000000", "XYZ")), (FeeAsset::Valued, QuoteAtoms(0)), "nothing was taken");
        assert_eq!(desk.gateway.table_counters().fees_other, 1);
    }
}

#[test]
fn the_gateway_counts_the_position_itself_and_refuses_what_could_exceed_it() {
    for product in PRODUCTS {
        let lots = some_lots(product);
        let mut choices = settings(product);
        choices.limits[0].position_lots_max = Lots(3 * lots);
        choices.limits[0].position_lots_start = Lots(lots);
        let mut desk = Desk::new(product, hmac(), choices);
        desk.start();
        let refused = |desk: &mut Desk, counter, side| {
            let order = desk.place_order(counter, side);
            let end = desk.events.iter().rfind(|event| event.order == order).unwrap();
            (end.kind == Kind::Rejected).then(|| assert_eq!(end.local, LocalReject::Limit)).is_some()
        };
        // One lot is held, one is bought and filled, one is open: a fourth could be too many, and selling is none.
        assert!(!refused(&mut desk, 1, Side::Bid));
        desk.fill(desk.id_of(OrderId::new(EPOCH, 1)), lots, 71, ("0.05", "USDT"));
        assert!(!refused(&mut desk, 2, Side::Bid));
        assert!(refused(&mut desk, 3, Side::Bid));
        for counter in 4..9 {
            assert!(!refused(&mut desk, counter, Side::Ask), "{counter}");
        }
        assert!(refused(&mut desk, 9, Side::Ask), "five open asks sell what is held and three lots more");
        // What is cancelled makes room again, what is filled does not.
        desk.cancel_order(OrderId::new(EPOCH, 2));
        assert!(!refused(&mut desk, 10, Side::Bid));
        desk.fill(desk.id_of(OrderId::new(EPOCH, 10)), lots, 72, ("0.05", "USDT"));
        assert!(refused(&mut desk, 11, Side::Bid));
        assert_eq!(desk.gateway.counters().refused_limit, 3);
    }
}

#[test]
fn a_cancel_that_comes_before_its_order_ends_it_before_it_is_sent() {
    for product in PRODUCTS {
        let mut desk = Desk::ready(product);
        // Cancels have a ring of their own: this one was decided behind the order and overtook it there.
        let cancelled = OrderId::new(EPOCH, 2);
        desk.cancel_order(cancelled);
        assert!(desk.kinds(cancelled).is_empty(), "it waits for its order");
        let first = desk.place_order(1, Side::Bid);
        desk.place_order(2, Side::Bid);
        assert_eq!((desk.kinds(first), desk.count("order.place")), (vec![Kind::Accepted], 1));
        let end = desk.events.last().unwrap();
        assert_eq!((end.order, end.kind, end.local), (cancelled, Kind::Rejected, LocalReject::Late));
        // Behind it all is as ever: an order that was never there cannot be cancelled, the next one lives.
        desk.cancel_order(cancelled);
        assert_eq!(desk.events.last().unwrap().kind, Kind::CancelRejected);
        let next = desk.place_order(3, Side::Ask);
        assert_eq!((desk.kinds(next), desk.count("order.place")), (vec![Kind::Accepted], 2));
        desk.cancel_order(next);
        assert_eq!(desk.kinds(next), [Kind::Accepted, Kind::Canceled]);
    }
}

#[test]
fn a_lost_ack_is_unknown_until_the_venue_is_asked() {
    for product in PRODUCTS {
        let mut desk = Desk::ready(product);
        desk.user_data = false;
        desk.rule = Box::new(|method, _| if method == "order.place" { Verdict::LoseReply } else { Verdict::Answer });
        let order = desk.place_order(1, Side::Bid);
        assert!(desk.kinds(order).is_empty());
        desk.pass(seconds(5));
        assert_eq!(desk.kinds(order), [Kind::Unknown, Kind::Accepted], "asked, and proved alive");
        assert_eq!((desk.gateway.unknown_orders(), desk.gateway.open_orders()), (0, 1));
        assert_eq!(desk.gateway.counters().timeouts, 1);
    }
}

#[test]
fn a_lost_request_is_rejected_only_after_it_can_no_longer_be_accepted() {
    for product in PRODUCTS {
        let mut choices = settings(product);
        choices.receive_window_ms = 10_000;
        let mut desk = Desk::new(product, hmac(), choices);
        desk.start();
        desk.rule = Box::new(|method, _| if method == "order.place" { Verdict::LoseRequest } else { Verdict::Answer });
        let order = desk.place_order(1, Side::Ask);
        desk.pass(seconds(9));
        assert_eq!(desk.kinds(order), [Kind::Unknown], "not found, yet it may still arrive");
        assert_eq!(desk.gateway.unknown_orders(), 1);
        assert!(desk.count("order.status") >= 1);
        desk.pass(seconds(3));
        assert_eq!(desk.kinds(order), [Kind::Unknown, Kind::Rejected]);
        assert_eq!(desk.gateway.unknown_orders(), 0);
        assert_eq!(desk.count("order.place"), 1, "never sent again");
    }
}

#[test]
fn a_late_ack_is_believed() {
    let product = binance::SPOT;
    let mut desk = Desk::ready(product);
    desk.rule = Box::new(|method, _| match method {
        "order.place" | "order.status" => Verdict::LoseRequest,
        _ => Verdict::Answer,
    });
    let order = desk.place_order(1, Side::Bid);
    let id = desk.requests.last().unwrap().2["id"].clone();
    desk.pass(seconds(4));
    assert_eq!(desk.kinds(order), [Kind::Unknown]);
    let reply = serde_json::json!({"id": id, "status": 200, "result": {"orderId": 5, "symbol": "BTCUSDT"}});
    desk.frame(&reply);
    desk.carry();
    assert_eq!(desk.kinds(order), [Kind::Unknown, Kind::Accepted]);
}

#[test]
fn a_disconnect_makes_orders_in_flight_unknown_and_a_login_resolves_them() {
    for product in PRODUCTS {
        for lose in [Verdict::LoseReply, Verdict::LoseRequest] {
            let arrived = matches!(lose, Verdict::LoseReply);
            let mut desk = Desk::ready(product);
            desk.user_data = false;
            let resting = desk.place_order(1, Side::Ask);
            desk.rule = Box::new(move |method, _| if method == "order.place" { lose.clone() } else { Verdict::Answer });
            let order = desk.place_order(2, Side::Bid);
            desk.drop_connection(OrderConnection::Orders);
            assert_eq!(desk.kinds(order), [Kind::Unknown]);
            assert!(desk.has(Kind::GatewayDown));
            assert_eq!(desk.kinds(resting), [Kind::Accepted], "a resting order is not forgotten");
            desk.user_data = true;
            desk.pass(seconds(5));
            assert!(desk.gateway.is_ready());
            let end = if arrived { Kind::Canceled } else { Kind::Rejected };
            assert_eq!(*desk.kinds(order).last().unwrap(), end, "{product:?}");
            assert_eq!(*desk.kinds(resting).last().unwrap(), Kind::Canceled);
            assert_eq!((desk.gateway.unknown_orders(), desk.open_at_venue()), (0, 0));
        }
    }
}

#[test]
fn fills_that_were_missed_while_disconnected_are_fetched_on_spot() {
    let product = binance::SPOT;
    let mut desk = Desk::ready(product);
    let order = desk.place_order(1, Side::Bid);
    desk.user_data = false;
    desk.fill(desk.id_of(order), some_lots(product) / 4, 70, ("0.01", "USDT"));
    desk.drop_connection(OrderConnection::Orders);
    desk.user_data = true;
    desk.pass(seconds(6));
    assert_eq!(desk.kinds(order), [Kind::Accepted, Kind::Filled, Kind::Canceled]);
    assert_eq!(desk.rest_count("myTrades"), 1, "with all others of the outage");
    assert!(desk.gateway.is_ready());
}

#[test]
fn fills_that_cannot_be_fetched_stop_trading() {
    let product = binance::USDM;
    let mut desk = Desk::ready(product);
    desk.rest = Rest::Fails;
    let order = desk.place_order(1, Side::Bid);
    desk.user_data = false;
    desk.fill(desk.id_of(order), some_lots(product) / 5, 70, ("0.01", "USDT"));
    desk.cancel_order(order);
    assert_eq!(desk.kinds(order), [Kind::Accepted], "not over while executions are missing");
    desk.pass(seconds(20));
    assert!(!desk.gateway.is_ready() && desk.gateway.halt_message().is_none(), "at first no new orders are taken");
    desk.pass(seconds(45));
    assert!(desk.gateway.halt_message().unwrap().contains("executions"));
    assert!(desk.has(Kind::Halt));
}

#[test]
fn a_duplicate_fill_counts_once() {
    for product in PRODUCTS {
        let mut desk = Desk::ready(product);
        let order = desk.place_order(1, Side::Bid);
        let id = desk.id_of(order);
        let part = some_lots(product) / 2;
        desk.fill(id, part, 41, ("0.02", "USDT"));
        let again = desk.event_message(id, "PARTIALLY_FILLED", Some((part, 41, ("0.02", "USDT"))));
        desk.user_frame(&again);
        desk.user_frame(&again);
        desk.carry();
        assert_eq!(desk.kinds(order), [Kind::Accepted, Kind::Filled]);
        assert_eq!(desk.gateway.table_counters().duplicate_fills, 2);
    }
}

#[test]
fn a_cancel_that_finds_nothing_asks_and_learns_of_the_fill() {
    let product = binance::SPOT;
    let mut desk = Desk::ready(product);
    let order = desk.place_order(1, Side::Bid);
    let id = desk.id_of(order);
    desk.user_data = false;
    desk.fill(id, some_lots(product), 8, ("0.1", "USDT"));
    let fill = desk.event_message(id, "FILLED", Some((some_lots(product), 8, ("0.1", "USDT"))));
    desk.cancel_order(order);
    assert_eq!(desk.kinds(order), [Kind::Accepted, Kind::CancelRejected]);
    desk.user_frame(&fill);
    desk.carry();
    assert_eq!(desk.kinds(order), [Kind::Accepted, Kind::CancelRejected, Kind::Filled]);
    assert_eq!(desk.gateway.open_orders(), 0);
}

#[test]
fn a_cancel_overtaking_its_order_is_repeated_once_the_order_is_there() {
    let product = binance::SPOT;
    let mut desk = Desk::ready(product);
    desk.user_data = false;
    desk.rule = Box::new(|method, _| if method == "order.place" { Verdict::LoseRequest } else { Verdict::Answer });
    let order = desk.place_order(1, Side::Bid);
    let request = desk.requests.last().unwrap().2.clone();
    desk.cancel_order(order);
    assert_eq!(desk.count("order.cancel"), 1);
    desk.pass(Nanos::from_millis(500));
    assert_eq!(desk.count("order.cancel"), 2, "again, since nothing proves that it does not live");
    let client = request["params"]["newClientOrderId"].as_str().unwrap();
    let id = desk.add(client, "BUY", "50000.00", "0.01000000");
    desk.user_data = true;
    desk.frame(&serde_json::json!({"id": request["id"], "status": 200, "result": {"orderId": id}}));
    desk.carry();
    desk.pass(seconds(1));
    assert_eq!(desk.kinds(order), [Kind::Accepted, Kind::Canceled]);
    assert_eq!(desk.open_at_venue(), 0);
}

#[test]
fn strays_of_earlier_runs_are_cancelled_before_trading() {
    for product in PRODUCTS {
        let mut desk = Desk::new(product, hmac(), settings(product));
        let stray = CLIENT_IDS.write(OrderId::new(EPOCH - 1, 5));
        let quantity = scripted_venue::quantity(product, some_lots(product));
        desk.add(stray.as_str(), "BUY", "50000.00", &quantity);
        desk.add("web_abc", "SELL", "60000.00", &quantity);
        desk.start();
        desk.pass(seconds(1));
        assert_eq!(desk.open_at_venue(), 0);
        assert!(desk.gateway.is_ready(), "{:?}", desk.gateway.halt_message());
        assert_eq!(desk.gateway.counters().leftover_orders, 1);
        let place = |name: &str| desk.methods().iter().position(|method| *method == name).unwrap();
        assert!(place("openOrders.cancelAll") < place("openOrders.status"), "and confirmed");
    }
}

#[test]
fn somebody_elses_order_or_fill_stops_trading_and_moves_the_position() {
    for product in PRODUCTS {
        let mut desk = Desk::ready(product);
        let quantity = scripted_venue::quantity(product, some_lots(product));
        let id = desk.add("web_1234", "SELL", "50000.00", &quantity);
        desk.fill(id, some_lots(product), 55, ("0.3", "USDT"));
        let fill = desk.events.iter().find(|event| event.kind == Kind::Filled).unwrap();
        assert_eq!((fill.order, fill.side, fill.lots), (OrderId::NONE, Side::Ask, Lots(some_lots(product))));
        assert!(desk.gateway.halt_message().unwrap().contains("not ours"));
        let order = desk.place_order(1, Side::Bid);
        assert_eq!(desk.events.last().unwrap().local, LocalReject::NotConnected);
        assert_eq!(desk.kinds(order), [Kind::Rejected]);
    }
}

#[test]
fn a_bad_signature_on_an_order_halts() {
    for product in PRODUCTS {
        let mut desk = Desk::ready(product);
        desk.rule = Box::new(|method, _| if method == "order.place" { refuse(400, -1022) } else { Verdict::Answer });
        let order = desk.place_order(1, Side::Bid);
        assert_eq!(desk.kinds(order), [Kind::Rejected]);
        assert!(desk.has(Kind::Halt));
        assert!(desk.gateway.halt_message().unwrap().contains("secret"));
    }
}

#[test]
fn a_refused_timestamp_measures_the_clock_again() {
    for product in PRODUCTS {
        let mut desk = Desk::ready(product);
        desk.offset_ms = 3_000;
        let mut first = true;
        desk.rule = Box::new(move |method, _| match method {
            "order.place" if std::mem::take(&mut first) => refuse(400, -1021),
            _ => Verdict::Answer,
        });
        let order = desk.place_order(1, Side::Bid);
        assert_eq!(desk.kinds(order), [Kind::Rejected]);
        assert_eq!(desk.events.last().unwrap().venue_code, VenueCode::from_number(-1021));
        desk.pass(seconds(1));
        assert_eq!(desk.gateway.clock_offset().0.millis(), 3_000);
        desk.place_order(2, Side::Bid);
        let (_, _, request) = desk.requests.iter().rev().find(|(_, method, _)| method == "order.place").unwrap();
        assert_eq!(request["params"]["timestamp"].as_i64().unwrap(), desk.now.millis() + 3_000);
        assert!(desk.gateway.is_ready());
    }
}

#[test]
fn the_venues_retry_after_is_kept() {
    for product in PRODUCTS {
        for (status, code, silent) in [(429, -1003, false), (418, -1003, true), (429, -1015, false)] {
            let mut desk = Desk::ready(product);
            let resting = desk.place_order(1, Side::Ask);
            let until = desk.now + seconds(7);
            let mut first = true;
            desk.rule = Box::new(move |method, _| match method {
                "order.place" if std::mem::take(&mut first) => {
                    Verdict::Refuse { status, code, message: "slow", retry_after_ms: Some(until.millis()) }
                }
                _ => Verdict::Answer,
            });
            let order = desk.place_order(2, Side::Bid);
            assert_eq!(desk.kinds(order), [Kind::Rejected]);
            let pause = desk.events.iter().find(|event| event.kind == Kind::Pause).unwrap();
            assert_eq!(pause.time, until);
            let sent = desk.requests.len();
            desk.cancel_order(resting);
            assert_eq!(desk.requests.len() - sent, usize::from(!silent), "cancels go unless the address is banned");
            let late = desk.place_order(3, Side::Bid);
            assert_eq!(desk.kinds(late), [Kind::Rejected]);
            assert_eq!(desk.events.last().unwrap().local, LocalReject::Throttled);
            desk.pass(seconds(8));
            assert_eq!(*desk.kinds(resting).last().unwrap(), Kind::Canceled, "the cancel was only late");
            let order = desk.place_order(4, Side::Bid);
            assert_eq!(desk.kinds(order), [Kind::Accepted]);
        }
    }
}

#[test]
fn orders_past_their_deadline_and_against_limits_are_refused_here() {
    for product in PRODUCTS {
        let mut desk = Desk::ready(product);
        let now = desk.now;
        let case = |desk: &mut Desk, counter: u32, change: &dyn Fn(&mut spinbook_engine::intent::Intent)| {
            let mut intent = place(product, OrderId::new(EPOCH, counter), Side::Bid);
            intent.deadline = now;
            change(&mut intent);
            desk.gateway.on_intent(&intent, now);
            desk.carry();
            desk.events.last().unwrap().local
        };
        assert_eq!(case(&mut desk, 1, &|intent| intent.deadline = now - Nanos(1)), LocalReject::Late);
        assert_eq!(case(&mut desk, 2, &|intent| intent.lots = Lots(some_lots(product) * 101)), LocalReject::Limit);
        assert_eq!(case(&mut desk, 3, &|intent| intent.lots = Lots(0)), LocalReject::Limit);
        assert_eq!(case(&mut desk, 4, &|intent| intent.tick.0 = -1), LocalReject::Limit);
        assert_eq!(case(&mut desk, 5, &|intent| intent.tick.0 = i64::MAX), LocalReject::Limit);
        assert_eq!(case(&mut desk, 6, &|intent| intent.tick.0 = 1), LocalReject::Limit, "below the smallest notional");
        assert_eq!(case(&mut desk, 7, &|intent| intent.instrument.0 = 9), LocalReject::Limit);
        assert_eq!(case(&mut desk, 8, &|intent| intent.order = OrderId::new(EPOCH + 1, 1)), LocalReject::Limit);
        assert_eq!(desk.requests.len(), 0);
        assert_eq!(case(&mut desk, 9, &|_| {}), LocalReject::None);
        assert_eq!(case(&mut desk, 9, &|_| {}), LocalReject::Limit, "an id is used once");
        assert_eq!(desk.count("order.place"), 1);
    }
}

#[test]
fn the_order_window_is_never_exceeded_and_cancels_still_leave() {
    for (product, limit) in [(binance::SPOT, 50), (binance::USDM, 300)] {
        let mut desk = Desk::ready(product);
        desk.gateway.on_timer(desk.now);
        let mut placed = Vec::new();
        for counter in 1..=3_000u32 {
            let order = desk.place_order(counter, Side::Bid);
            if desk.kinds(order) == [Kind::Accepted] {
                placed.push(order);
                desk.cancel_order(order);
                assert_eq!(*desk.kinds(order).last().unwrap(), Kind::Canceled, "a cancel needs no order budget");
            } else {
                assert_eq!(desk.events.last().unwrap().local, LocalReject::Throttled);
            }
            desk.events.clear();
            desk.now = desk.now + Nanos::from_millis(17);
        }
        let times: Vec<i64> =
            desk.requests.iter().filter(|(_, method, _)| method == "order.place").map(|(at, _, _)| at.0).collect();
        for (index, start) in times.iter().enumerate() {
            let inside = times[index..].iter().take_while(|at| **at - start < 10_000_000_000).count();
            assert!(inside <= limit, "{inside} orders in 10 s");
        }
        assert!(placed.len() > 2 * limit, "and the window is used: {}", placed.len());
    }
}

#[test]
fn shadow_mode_sends_nothing_and_tells_a_plain_story() {
    for product in PRODUCTS {
        let mut choices = settings(product);
        choices.mode = GatewayMode::Shadow;
        let mut desk = Desk::new(product, hmac(), choices);
        desk.start();
        assert!(desk.has(Kind::GatewayReady));
        let order = desk.place_order(1, Side::Bid);
        let other = desk.place_order(2, Side::Ask);
        desk.cancel_order(order);
        assert_eq!(desk.kinds(order), [Kind::Accepted, Kind::Canceled]);
        assert_eq!(desk.gateway.open_orders(), 1);
        desk.gateway.cancel_all(desk.now);
        desk.carry();
        assert_eq!(desk.kinds(other), [Kind::Accepted, Kind::Canceled]);
        assert!(desk.gateway.is_quiet());
        assert!(desk.requests.is_empty() && desk.connects.is_empty());
        assert_eq!(desk.gateway.counters().orders_sent, 2);
    }
}

#[test]
fn shutting_down_cancels_everything_and_waits_for_proof() {
    for product in PRODUCTS {
        let mut desk = Desk::ready(product);
        for counter in 1..=6 {
            desk.place_order(counter, if counter % 2 == 0 { Side::Bid } else { Side::Ask });
        }
        // One whose answer never comes, and that arrives nevertheless.
        desk.rule = Box::new(|method, _| if method == "order.place" { Verdict::LoseReply } else { Verdict::Answer });
        desk.user_data = false;
        desk.place_order(7, Side::Bid);
        desk.user_data = true;
        assert_eq!(desk.open_at_venue(), 7);
        desk.gateway.cancel_all(desk.now);
        assert!(!desk.gateway.is_quiet());
        desk.carry();
        desk.pass(seconds(6));
        assert!(desk.gateway.is_quiet());
        assert_eq!((desk.open_at_venue(), desk.gateway.open_orders(), desk.gateway.unknown_orders()), (0, 0, 0));
        let order = desk.place_order(8, Side::Bid);
        assert_eq!(desk.kinds(order), [Kind::Rejected]);
    }
}

#[test]
fn shutting_down_without_a_connection_logs_on_again_to_cancel() {
    for product in PRODUCTS {
        let mut desk = Desk::ready(product);
        desk.place_order(1, Side::Bid);
        desk.reachable = false;
        desk.rest = Rest::Fails;
        desk.drop_connection(OrderConnection::Orders);
        desk.gateway.cancel_all(desk.now);
        desk.carry();
        desk.pass(seconds(5));
        assert!(!desk.gateway.is_quiet());
        desk.reachable = true;
        desk.pass(seconds(30));
        assert!(desk.gateway.is_quiet());
        assert_eq!(desk.open_at_venue(), 0);
        assert!(!desk.has(Kind::GatewayReady), "no quoting in between");
    }
}

#[test]
fn an_unknown_order_status_is_never_taken_as_closed() {
    for product in PRODUCTS {
        let mut desk = Desk::ready(product);
        let order = desk.place_order(1, Side::Bid);
        let id = desk.id_of(order);
        let event = desk.event_message(id, "PENDING_REVIEW", None);
        desk.user_frame(&event);
        desk.carry();
        assert_eq!(desk.kinds(order), [Kind::Accepted, Kind::Unknown, Kind::Accepted], "asked at once: it lives");
        assert_eq!(desk.gateway.open_orders(), 1);
    }
}

#[test]
fn fast_fill_notices_count_nothing_and_ask_when_the_full_event_stays_away() {
    let product = binance::USDM;
    let mut desk = Desk::ready(product);
    let order = desk.place_order(1, Side::Bid);
    let id = desk.id_of(order);
    let client = CLIENT_IDS.write(order);
    let notice = serde_json::json!({"e": "TRADE_LITE", "E": 1, "T": 1, "s": "BTCUSDT", "q": "0.010", "p": "50000.00",
        "m": true, "c": client.as_str(), "S": "BUY", "L": "50000.00", "l": "0.010", "t": 12, "i": id});
    desk.user_frame(&notice);
    desk.carry();
    assert_eq!(desk.kinds(order), [Kind::Accepted]);
    desk.fill(id, some_lots(product), 12, ("0.1", "USDT"));
    assert_eq!(desk.kinds(order), [Kind::Accepted, Kind::Filled]);
    desk.pass(seconds(5));
    assert_eq!(desk.count("order.status"), 0);
}

#[test]
fn nonsense_never_panics_and_is_counted() {
    let seed = 0x0bad_f00d_u64;
    println!("seed {seed:#x}");
    for product in PRODUCTS {
        let mut desk = Desk::ready(product);
        let order = desk.place_order(1, Side::Bid);
        let id = desk.id_of(order);
        let good = desk.event_message(id, "PARTIALLY_FILLED", Some((some_lots(product) / 2, 9, ("0.1", "USDT"))));
        let good = serde_json::to_vec(&good).unwrap();
        let mut random = seed;
        for _ in 0..3_000 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let mut bytes = good.clone();
            let at = (random >> 8) as usize % bytes.len();
            bytes[at] = random as u8;
            if random & 0x100 != 0 {
                bytes.truncate(at);
            }
            for connection in [OrderConnection::Orders, OrderConnection::UserData] {
                desk.gateway.on_frame(connection, &mut bytes, desk.now);
            }
            desk.carry();
            desk.pass(Nanos::from_millis(1));
        }
        assert!(desk.gateway.counters().bad_frames > 100);
        let fills = desk.events.iter().filter(|event| event.kind == Kind::Filled && event.trade.0 == 9).count();
        assert!(fills <= 1);
    }
}

#[test]
fn a_later_run_on_the_same_account_stops_this_one() {
    for product in PRODUCTS {
        let mut desk = Desk::new(product, hmac(), settings(product));
        let later = CLIENT_IDS.write(OrderId::new(EPOCH + 1, 5));
        let quantity = scripted_venue::quantity(product, some_lots(product));
        desk.add(later.as_str(), "BUY", "50000.00", &quantity);
        desk.start();
        desk.pass(seconds(1));
        assert!(!desk.gateway.is_ready());
        assert!(desk.gateway.halt_message().unwrap().contains("another copy"));
    }
}

#[test]
fn a_run_that_drew_our_number_is_not_us() {
    for product in PRODUCTS {
        let mut choices = settings(product);
        choices.salt = 0x0123_4567_89ab_cdef;
        let mut desk = Desk::new(product, hmac(), choices);
        let quantity = scripted_venue::quantity(product, some_lots(product));
        let other = ClientIds::of_run(CLIENT_IDS, EPOCH, 1).write(OrderId::new(EPOCH, 1));
        desk.add(other.as_str(), "BUY", "50000.00", &quantity);
        desk.start();
        desk.pass(seconds(1));
        assert!(!desk.gateway.is_ready());
        assert!(desk.gateway.halt_message().unwrap().contains("another copy"), "{:?}", desk.gateway.halt_message());
    }
    // Our own are ours: placed under the longer name, filled and cancelled.
    let mut choices = settings(binance::SPOT);
    choices.salt = u64::MAX;
    let mut desk = Desk::new(binance::SPOT, hmac(), choices);
    desk.start();
    let order = desk.place_order(1, Side::Bid);
    let name = desk.gateway.client_id(order);
    assert!(name.as_str().len() > CLIENT_IDS.write(order).as_str().len());
    assert_eq!((desk.kinds(order), desk.by_client(name.as_str()).is_some()), (vec![Kind::Accepted], true));
    desk.cancel_order(order);
    assert_eq!((desk.kinds(order), desk.open_at_venue()), (vec![Kind::Accepted, Kind::Canceled], 0));
}
