//! COLD: the gateway's own look at the price and the pace of orders, whatever the engine thought of them.

use crate::scripted_venue::{Desk, EPOCH, PRODUCTS, hmac, instrument, place, settings, some_tick};
use spinbook_engine::event::{ExecutionKind as Kind, LocalReject};
use spinbook_engine::intent::{Intent, IntentKind, MidSent};
use spinbook_engine::types::{Lots, Nanos, OrderId, QuoteAtoms, Side, Tick};
use spinbook_feed::gateway::GatewayMode;
use spinbook_feed::gateway::limits::{self, LimitBreach, OrderLimits, OrdersSoFar};
use spinbook_feed::venue::instrument::{Instrument, InstrumentStatus};
use spinbook_feed::venue::{ProductLine, binance};

/// Half a percent.
const COLLAR_MILLIONTHS: i64 = 5_000;

/// A desk whose door holds prices against the mid that comes with them.
fn guarded(product: ProductLine) -> Desk {
    let mut choices = settings(product);
    choices.limits[0].price_collar_millionths = Some(COLLAR_MILLIONTHS);
    let mut desk = Desk::new(product, hmac(), choices);
    desk.start();
    assert!(desk.gateway.is_ready());
    desk
}

fn hand_over(desk: &mut Desk, intent: &Intent) {
    let now = desk.now;
    desk.gateway.on_intent(&Intent { decided: now, deadline: now + Nanos::from_millis(50), ..*intent }, now);
    desk.carry();
}

/// What the gateway made of an order with this mid: why it refused it, if it did.
fn refused(desk: &mut Desk, counter: u32, side: Side, mid: MidSent) -> LocalReject {
    let order = OrderId::new(EPOCH, counter);
    hand_over(desk, &Intent { mid, ..place(desk.product, order, side) });
    let event = *desk.events.iter().rev().find(|event| event.order == order).expect("it says what became of it");
    assert_eq!(event.kind == Kind::Rejected, event.local != LocalReject::None);
    event.local
}

/// The farthest mid that an order of [`some_tick`] is within the collar of: the price is half a percent below, or above.
fn farthest(product: ProductLine, price_is_below: bool) -> i64 {
    let doubled = 2 * some_tick(product) * 1_000_000;
    match price_is_below {
        true => doubled / (1_000_000 - COLLAR_MILLIONTHS),
        false => (doubled + 1_000_000 + COLLAR_MILLIONTHS - 1) / (1_000_000 + COLLAR_MILLIONTHS),
    }
}

#[test]
fn an_order_too_far_from_the_mid_that_came_with_it_is_refused_and_so_is_one_without() {
    for product in PRODUCTS {
        let mut desk = guarded(product);
        let mut counter = 0;
        let (above, below) = (farthest(product, true), farthest(product, false));
        for side in Side::BOTH {
            for (mid, expected) in [
                (2 * some_tick(product), LocalReject::None),
                (above, LocalReject::None),
                (above + 1, LocalReject::Collar),
                (below, LocalReject::None),
                (below - 1, LocalReject::Collar),
                (1, LocalReject::Collar),
                (0, LocalReject::Collar),
            ] {
                counter += 1;
                assert_eq!(refused(&mut desk, counter, side, MidSent::of(mid)), expected, "{product:?} {side:?} {mid}");
            }
        }
        let counters = desk.gateway.counters();
        assert_eq!((counters.refused_collar, counters.refused_limit, counters.orders_sent), (8, 0, 6));
        assert_eq!(desk.count("order.place"), 6, "what is refused does not leave");
    }
}

#[test]
fn an_order_of_another_price_passes_the_same_door() {
    for (product, kind) in [(binance::USDM, IntentKind::Amend), (binance::SPOT, IntentKind::Replace)] {
        let mut desk = guarded(product);
        let mid = MidSent::of(2 * some_tick(product));
        assert_eq!(refused(&mut desk, 1, Side::Bid, mid), LocalReject::None);
        let order = OrderId::new(EPOCH, 1);
        let names = |counter: u32| match kind {
            IntentKind::Amend => (order, OrderId::NONE),
            _ => (OrderId::new(EPOCH, counter), order),
        };
        let collar = some_tick(product) * COLLAR_MILLIONTHS / 1_000_000;
        for (counter, ticks, mid) in [(2, -collar - 10, mid), (3, collar + 10, mid), (4, -10, MidSent::default())] {
            let (order, replaces) = names(counter);
            let mut intent = Intent { kind, replaces, mid, ..place(product, order, Side::Bid) };
            intent.tick.0 += ticks;
            desk.events.clear();
            hand_over(&mut desk, &intent);
            assert!(!desk.events.is_empty() && desk.events.iter().all(|event| event.local == LocalReject::Collar));
            assert!(desk.has(Kind::AmendRejected), "the order stays as it is");
        }
        assert_eq!((desk.gateway.counters().refused_collar, desk.open_at_venue()), (3, 1));
        let (order, replaces) = names(5);
        let mut intent = Intent { kind, replaces, mid, ..place(product, order, Side::Bid) };
        intent.tick.0 -= 10;
        hand_over(&mut desk, &intent);
        let counters = desk.gateway.counters();
        assert_eq!((counters.amends_sent + counters.replaces_sent, counters.refused_collar), (1, 3));
    }
}

#[test]
fn a_cancel_needs_no_mid_and_passes_however_late_it_is() {
    let mut desk = guarded(binance::USDM);
    assert_eq!(refused(&mut desk, 1, Side::Bid, MidSent::of(2 * some_tick(binance::USDM))), LocalReject::None);
    desk.cancel_order(OrderId::new(EPOCH, 1));
    assert_eq!((desk.open_at_venue(), desk.gateway.counters().refused_collar), (0, 0));
}

/// A desk that takes a request to be slow after five milliseconds.
fn timed(mode: GatewayMode) -> Desk {
    let mut choices = settings(binance::USDM);
    (choices.mode, choices.order_latency_max) = (mode, Nanos::from_millis(5));
    let mut desk = Desk::new(binance::USDM, hmac(), choices);
    desk.start();
    assert!(desk.gateway.is_ready());
    desk
}

/// An order, then its cancel, each decided that long before it comes.
fn order_and_cancel(desk: &mut Desk, counter: u32, took: Nanos) {
    let now = desk.now;
    let order = place(desk.product, OrderId::new(EPOCH, counter), Side::Bid);
    let order = Intent { decided: now - took, deadline: now + Nanos::from_millis(50), ..order };
    desk.gateway.on_intent(&order, now);
    desk.carry();
    desk.gateway.on_intent(&Intent { kind: IntentKind::Cancel, ..order }, now);
    desk.carry();
    desk.pass(Nanos::from_millis(200));
}

#[test]
fn requests_that_take_too_long_to_the_gateway_are_told_to_the_engine_where_more_than_one_in_a_hundred_does() {
    for mode in [GatewayMode::Live, GatewayMode::Shadow] {
        let mut desk = timed(mode);
        let limit = Nanos::from_millis(5);
        let told = |desk: &Desk| desk.events.iter().filter(|event| event.kind == Kind::Slow).count();
        for counter in 1..=20 {
            order_and_cancel(&mut desk, counter, limit);
        }
        assert_eq!((desk.gateway.counters().intents_slow, told(&desk)), (0, 0), "as long as it may");
        order_and_cancel(&mut desk, 21, limit + Nanos(1));
        assert_eq!((desk.gateway.counters().intents_slow, told(&desk)), (2, 0), "two of forty-two");
        order_and_cancel(&mut desk, 22, limit + Nanos(1));
        let counters = desk.gateway.counters();
        assert_eq!((counters.intents_slow, counters.slow_windows, told(&desk)), (4, 1, 1), "{mode:?}");
        // Cancels left all the same.
        assert_eq!(desk.open_at_venue(), 0);
        assert!(desk.gateway.is_ready() && desk.gateway.halt_message().is_none(), "the engine decides what follows");
    }
}

/// What an order is held against, and the order.
struct Case {
    venue: Instrument,
    limits: OrderLimits,
    so_far: OrdersSoFar,
    intent: Intent,
}

/// Whether an order passes that is well within every limit but for this.
fn judged(change: impl FnOnce(&mut Case)) -> Result<(), LimitBreach> {
    let mut case = Case {
        venue: Instrument {
            tick_order_step: 5,
            tick_order_min: Tick(100),
            tick_order_max: Tick(1_000),
            lots_order_step: 2,
            lots_order_min: Lots(4),
            lots_order_max: Lots(40),
            notional_min: QuoteAtoms(4_000),
            atoms_per_tick_lot: 1,
            ..instrument(binance::USDM)
        },
        limits: OrderLimits {
            lots_max: Lots(20),
            notional_max: QuoteAtoms(10_000),
            open_orders_max: 3,
            position_lots_max: Lots(30),
            position_lots_start: Lots::ZERO,
            price_collar_millionths: None,
        },
        so_far: OrdersSoFar::default(),
        intent: Intent { tick: Tick(500), lots: Lots(10), ..place(binance::USDM, OrderId::new(EPOCH, 1), Side::Bid) },
    };
    change(&mut case);
    limits::check(&case.intent, &case.venue, &case.limits, &case.so_far)
}

/// The same of another price and quantity, where the venue and we set no limit of what they come to.
fn of(tick: i64, lots: i64, change: impl FnOnce(&mut Case)) -> Result<(), LimitBreach> {
    judged(|case| {
        (case.intent.tick, case.intent.lots) = (Tick(tick), Lots(lots));
        (case.venue.notional_min, case.limits.notional_max) = (QuoteAtoms(0), QuoteAtoms(1_000_000));
        (case.limits.lots_max, case.limits.position_lots_max) = (Lots(1_000), Lots(1_000));
        change(case);
    })
}

#[test]
fn price_and_quantity_are_what_the_venue_takes() {
    assert_eq!(judged(|case| case.venue.status = InstrumentStatus::CancelOnly), Err(LimitBreach::Status));
    // Nothing is no price and no quantity, also where the venue has no least ones.
    let free = |case: &mut Case| (case.venue.tick_order_min, case.venue.lots_order_min) = (Tick(0), Lots(0));
    for (tick, lots) in [(0, 10), (-5, 10), (500, 0), (500, -2), (-5, -2)] {
        assert_eq!(of(tick, lots, free), Err(LimitBreach::NotPositive), "{tick} {lots}");
    }
    for (tick, expected) in [
        (100, Ok(())),
        (95, Err(LimitBreach::Price)),
        (1_000, Ok(())),
        (1_005, Err(LimitBreach::Price)),
        (503, Err(LimitBreach::Price)),
    ] {
        assert_eq!(of(tick, 10, |_| {}), expected, "{tick}");
    }
    assert_eq!(of(1_005, 10, |case| case.venue.tick_order_max = Tick(0)), Ok(()), "no highest price");
    assert_eq!(of(503, 10, |case| case.venue.tick_order_step = 0), Ok(()), "no step");
    for (lots, expected) in [
        (4, Ok(())),
        (2, Err(LimitBreach::Quantity)),
        (40, Ok(())),
        (42, Err(LimitBreach::Quantity)),
        (11, Err(LimitBreach::Quantity)),
    ] {
        assert_eq!(of(500, lots, |_| {}), expected, "{lots}");
    }
    assert_eq!(of(500, 42, |case| case.venue.lots_order_max = Lots(0)), Ok(()), "no largest quantity");
    assert_eq!(of(500, 11, |case| case.venue.lots_order_step = 0), Ok(()), "no step");
}

#[test]
fn every_limit_of_an_order_lets_itself_through_and_no_more() {
    assert_eq!(judged(|_| {}), Ok(()));
    let level = |tick, lots| move |case: &mut Case| (case.intent.tick, case.intent.lots) = (Tick(tick), Lots(lots));
    assert_eq!(judged(level(500, 20)), Ok(()));
    assert_eq!(judged(level(400, 22)), Err(LimitBreach::LotsMax));
    assert_eq!(judged(level(505, 20)), Err(LimitBreach::NotionalMax));
    assert_eq!(judged(|case| case.venue.atoms_per_tick_lot = i128::MAX / 2), Err(LimitBreach::NotionalMax));
    assert_eq!(judged(level(1_000, 4)), Ok(()));
    assert_eq!(judged(level(995, 4)), Err(LimitBreach::NotionalMin));
    assert_eq!(judged(|case| case.so_far.open_orders = 2), Ok(()));
    assert_eq!(judged(|case| case.so_far.open_orders = 3), Err(LimitBreach::OpenOrders));
    for side in Side::BOTH {
        let sign = side.sign();
        for (moved, start, open, expected) in [
            (20, 0, 0, Ok(())),
            (21, 0, 0, Err(LimitBreach::Position)),
            (0, 20, 0, Ok(())),
            (0, 21, 0, Err(LimitBreach::Position)),
            (0, 0, 20, Ok(())),
            (0, 0, 21, Err(LimitBreach::Position)),
            (10, 5, 5, Ok(())),
            (10, 5, 6, Err(LimitBreach::Position)),
            (-100, 0, 120, Ok(())),
            (-100, 0, 121, Err(LimitBreach::Position)),
        ] {
            let found = judged(|case| {
                case.intent.side = side;
                case.limits.position_lots_start = Lots(start * sign);
                (case.so_far.lots_moved, case.so_far.lots_open) = (i128::from(moved * sign), open);
            });
            assert_eq!(found, expected, "{side:?} {moved} {start} {open}");
        }
    }
}
