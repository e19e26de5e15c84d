//! COLD: what goes wrong: rejects, silence, a lost gateway, foreign orders, full rings, losses, and what an operator may do.

use crate::desk::{Desk, EPOCH, FIRST, Plan, VENUE, about, level, ms};
use spinbook_engine::counters::Counter;
use spinbook_engine::event::{Answer, ExecutionEvent, ExecutionKind, LocalReject, LostReason};
use spinbook_engine::intent::{Intent, Reason};
use spinbook_engine::risk::TradingState;
use spinbook_engine::setup::{self, BookSettings};
use spinbook_engine::strategy::Spread;
use spinbook_engine::types::{AssetGroupId, InstrumentId, Level, Lots, Nanos, OrderId, QuoteAtoms, Side, VenueCode};
use spinbook_engine::working::OrderStatus;

const GROUP: AssetGroupId = AssetGroupId(0);

/// A desk with both quotes of a mid of 100,000 accepted: the bid, then the ask.
fn quoting(plan: Plan) -> (Desk<Spread>, Intent, Intent) {
    let mut desk = plan.build().ready();
    assert_eq!(desk.best(99_999, 100_001), Answer::Ok);
    let placed = desk.accept_all();
    assert_eq!(placed.len(), 2);
    (desk, placed[0], placed[1])
}

#[test]
fn a_full_order_ring_stops_quoting_and_cancels_still_leave() {
    let plan = Plan::new().with(|plan| plan.ring_slots = 4).spread(|spread| spread.levels = 3);
    let mut desk = plan.build().ready();
    assert_eq!(desk.best(99_999, 100_001), Answer::Ok);
    assert_eq!(desk.count(Counter::OrderRingFull), 1);
    assert_eq!(desk.engine.trading_state(), TradingState::CancelOnly);
    assert_eq!(desk.engine.open_orders(), 4, "what did not fit was never an order");
    let placed = desk.accept_all();
    assert_eq!(placed.len(), 4);
    assert_eq!(desk.cancelled().len(), 4);
    assert_eq!(desk.best(99_000, 99_002), Answer::Ok);
    assert!(desk.places().is_empty());
}

#[test]
fn a_cancel_that_finds_its_ring_full_is_tried_again() {
    let plan = Plan::new().with(|plan| plan.ring_slots = 2).spread(|spread| spread.levels = 1);
    let (mut desk, bid, ask) = quoting(plan);
    // Fill the ring of cancels with a first round, unanswered and unread.
    desk.lose(LostReason::Gap);
    desk.tell(&about(&bid, ExecutionKind::CancelRejected));
    desk.tell(&about(&ask, ExecutionKind::CancelRejected));
    desk.wait(ms(200));
    assert_eq!(desk.count(Counter::CancelRingFull), 2);
    assert_eq!(desk.cancelled().len(), 2);
    desk.wait(ms(1));
    assert_eq!(desk.cancelled().len(), 2, "as soon as there is room");
}

#[test]
fn rejects_back_off_per_slot_and_a_storm_stops_the_instrument() {
    let plan = Plan::new().quoter(|quoter| quoter.rejects_max = 4);
    let mut desk = plan.build().ready();
    assert_eq!(desk.best(99_999, 100_001), Answer::Ok);
    let mut waits = Vec::new();
    let mut bid = desk.places()[0];
    for _ in 0..3 {
        desk.reject(&bid);
        let rejected = desk.now;
        assert!(desk.places().is_empty(), "not at once");
        while desk.orders.is_empty() {
            desk.now = desk.now + ms(50);
            assert_eq!(desk.best(99_999, 100_001), Answer::Ok);
        }
        waits.push((desk.now - rejected).millis());
        bid = desk.places()[0];
        assert_eq!(bid.side, Side::Bid);
    }
    assert_eq!(waits, [200, 400, 800]);
    desk.reject(&bid);
    assert_eq!(desk.count(Counter::RejectStorms), 1);
    assert_eq!(desk.engine.instrument_state(FIRST), TradingState::CancelOnly);
    assert_eq!(desk.engine.trading_state(), TradingState::Active, "the other instruments go on");
    for _ in 0..100 {
        desk.now = desk.now + ms(1_000);
        assert_eq!(desk.best(99_999, 100_001), Answer::Ok);
    }
    assert!(desk.places().is_empty());
    desk.engine.rearm();
    desk.wait(Nanos(0));
    assert_eq!(desk.places().len(), 1, "re-armed: the bid again (the ask was never answered)");
}

#[test]
fn a_post_only_cross_is_an_ordinary_end_and_waits_a_little() {
    let mut desk = Plan::new().build().ready();
    assert_eq!(desk.best(99_999, 100_001), Answer::Ok);
    for _ in 0..40 {
        let places = desk.places();
        for place in &places {
            desk.tell(&ExecutionEvent {
                venue_code: VenueCode::from_number(-5022),
                ..about(place, ExecutionKind::Expired)
            });
        }
        assert!(desk.places().is_empty());
        desk.now = desk.now + ms(99);
        assert_eq!(desk.best(99_999, 100_001), Answer::Ok);
        assert!(desk.places().is_empty(), "throttled");
        desk.wait(ms(1));
        assert!(!desk.orders.is_empty());
    }
    assert_eq!(desk.count(Counter::RejectStorms), 0);
    assert_eq!(desk.count(Counter::OrdersExpired), 80);
}

#[test]
fn a_reject_because_the_market_overtook_the_price_is_no_storm() {
    let mut desk = Plan::new().quoter(|quoter| quoter.rejects_max = 2).build().ready();
    assert_eq!(desk.best(99_999, 100_001), Answer::Ok);
    for _ in 0..10 {
        for place in desk.places() {
            let event = about(&place, ExecutionKind::Rejected);
            desk.tell(&ExecutionEvent { venue_code: VenueCode::from_number(-2010), overtaken: true, ..event });
        }
        desk.wait(ms(100));
    }
    assert_eq!(desk.count(Counter::RejectStorms), 0);
    assert_eq!(desk.count(Counter::OrdersRejected), 20);
}

#[test]
fn what_the_gateway_refuses_itself_is_no_storm() {
    let mut desk = Plan::new().quoter(|quoter| quoter.rejects_max = 2).build().ready();
    assert_eq!(desk.best(99_999, 100_001), Answer::Ok);
    for _ in 0..10 {
        for place in desk.places() {
            desk.reject_locally(&place, LocalReject::Late);
        }
        desk.wait(ms(100));
    }
    assert_eq!(desk.count(Counter::RejectStorms), 0);
    assert_eq!(desk.count(Counter::OrdersRejectedLocally), 20);
}

#[test]
fn a_request_without_an_answer_makes_the_order_unknown_and_it_is_cancelled_until_proved() {
    let mut desk = Plan::new().build().ready();
    assert_eq!(desk.best(99_999, 100_001), Answer::Ok);
    let bid = desk.places()[0];
    for _ in 0..30 {
        desk.now = desk.now + ms(100);
        assert_eq!(desk.best(99_999, 100_001), Answer::Ok);
        desk.engine.on_timer(desk.now);
    }
    assert_eq!(desk.count(Counter::RequestsTimedOut), 2);
    assert_eq!(desk.engine.working(FIRST).slot(bid.slot).status, OrderStatus::PendingCancel);
    assert_eq!(desk.cancelled().len(), 2);
    assert!(desk.places().is_empty(), "the slot is blocked until the order's end is proved");
    for _ in 0..31 {
        desk.now = desk.now + ms(100);
        assert_eq!(desk.best(99_999, 100_001), Answer::Ok);
        desk.engine.on_timer(desk.now);
    }
    assert_eq!(desk.cancelled().len(), 2, "and again");
    desk.cancel_done(&bid);
    assert_eq!(desk.places().len(), 1);
}

#[test]
fn a_refused_cancel_is_not_repeated_at_once() {
    let (mut desk, bid, _) = quoting(Plan::new());
    desk.lose(LostReason::Gap);
    assert_eq!(desk.cancelled().len(), 2);
    desk.tell(&about(&bid, ExecutionKind::CancelRejected));
    assert!(desk.cancelled().is_empty());
    desk.wait(ms(199));
    assert!(desk.cancelled().is_empty());
    desk.wait(ms(1));
    assert_eq!(desk.cancelled()[0].order, bid.order);
    assert_eq!(desk.count(Counter::CancelsRejected), 1);
}

#[test]
fn the_gateway_going_down_pulls_and_coming_back_quotes() {
    let (mut desk, ..) = quoting(Plan::new());
    desk.gateway(ExecutionKind::GatewayDown);
    let cancels = desk.cancelled();
    assert_eq!(cancels.len(), 2);
    for cancel in &cancels {
        desk.cancel_done(cancel);
    }
    assert!(desk.places().is_empty());
    desk.gateway(ExecutionKind::GatewayReady);
    assert_eq!(desk.places().len(), 2);
}

#[test]
fn a_pause_places_nothing_and_keeps_what_stands() {
    let (mut desk, bid, _) = quoting(Plan::new());
    let until = desk.now + ms(500);
    desk.tell(&ExecutionEvent { kind: ExecutionKind::Pause, venue: VENUE, time: until, ..ExecutionEvent::default() });
    assert!(desk.cancelled().is_empty());
    desk.fill(&bid, 100, 100);
    assert!(desk.places().is_empty());
    assert!(desk.engine.next_deadline() <= until);
    desk.wait(ms(499));
    assert!(desk.places().is_empty());
    desk.wait(ms(1));
    assert_eq!(desk.places().len(), 1);
}

#[test]
fn a_halt_pulls_everything_and_only_a_human_ends_it() {
    let (mut desk, ..) = quoting(Plan::new());
    desk.gateway(ExecutionKind::Halt);
    let cancels = desk.cancelled();
    assert_eq!(cancels.len(), 2);
    assert!(cancels.iter().all(|intent| intent.reason == Reason::TradingState));
    for cancel in &cancels {
        desk.cancel_done(cancel);
    }
    desk.gateway(ExecutionKind::GatewayReady);
    assert!(!desk.engine.set_trading_state(TradingState::Active));
    assert_eq!(desk.best(99_000, 99_002), Answer::Ok);
    desk.wait(ms(1_000));
    assert!(desk.places().is_empty());
    desk.engine.rearm();
    assert_eq!(desk.best(99_000, 99_002), Answer::Ok);
    assert_eq!(desk.places().len(), 2);
}

#[test]
fn an_operator_may_tighten_and_loosen() {
    let (mut desk, bid, _) = quoting(Plan::new());
    assert!(desk.engine.set_trading_state(TradingState::CancelOnly));
    assert_eq!(desk.engine.next_deadline(), Nanos::ZERO);
    desk.wait(Nanos(0));
    let cancels = desk.cancelled();
    assert_eq!(cancels.len(), 2);
    desk.fill(&bid, 60, 60);
    for cancel in &cancels {
        desk.cancel_done(cancel);
    }
    // Long 60: only asks, and no more than 60 of them.
    assert!(desk.engine.set_trading_state(TradingState::ReduceOnly));
    desk.wait(Nanos(0));
    let places = desk.accept_all();
    assert_eq!(places.len(), 1);
    assert_eq!((places[0].side, places[0].lots), (Side::Ask, Lots(60)));
    desk.fill(&places[0], 60, 60);
    assert!(desk.places().is_empty(), "flat: nothing left to reduce");
    assert!(desk.engine.set_trading_state(TradingState::Active));
    desk.wait(Nanos(0));
    assert_eq!(desk.places().len(), 2);
}

#[test]
fn somebody_elses_order_on_the_account_moves_the_position_and_stops_quoting() {
    let (mut desk, bid, _) = quoting(Plan::new());
    let foreign = Intent { order: OrderId::new(EPOCH - 1, 5), side: Side::Ask, ..bid };
    desk.fill(&foreign, 10, 10);
    assert_eq!(desk.engine.position(FIRST).lots(), Lots(-10));
    assert_eq!(desk.engine.trading_state(), TradingState::CancelOnly);
    assert_eq!((desk.count(Counter::FillsForeign), desk.cancelled().len()), (1, 2));
    // One of ours that does not exist yet is foreign too.
    let (mut desk, bid, _) = quoting(Plan::new());
    desk.accept(&Intent { order: OrderId::new(EPOCH, 50), ..bid });
    assert_eq!(desk.engine.trading_state(), TradingState::CancelOnly);
}

#[test]
fn an_order_alive_after_its_reject_is_cancelled_and_stops_quoting() {
    let mut desk = Plan::new().build().ready();
    assert_eq!(desk.best(99_999, 100_001), Answer::Ok);
    let places = desk.places();
    desk.reject(&places[0]);
    desk.accept(&places[0]);
    assert_eq!(desk.count(Counter::Contradictions), 1);
    assert_eq!(desk.engine.trading_state(), TradingState::CancelOnly);
    assert_eq!(desk.cancelled()[0].order, places[0].order);
}

#[test]
fn an_overfill_moves_the_position_and_stops_quoting() {
    let (mut desk, bid, _) = quoting(Plan::new());
    desk.fill(&bid, 130, 130);
    assert_eq!(desk.engine.position(FIRST).lots(), Lots(130));
    assert_eq!((desk.count(Counter::Overfills), desk.engine.trading_state()), (1, TradingState::CancelOnly));
}

#[test]
fn the_daily_loss_stops_at_its_limit() {
    // Bought 100 at 99,950; each tick is worth 1,000 atoms a lot.
    let lossy = |loss_max: i128| {
        let plan = Plan::new().with(|plan| plan.loss_max[0] = QuoteAtoms(loss_max));
        let (mut desk, bid, _) = quoting(plan);
        desk.fill(&bid, 100, 100);
        desk.places();
        assert_eq!(desk.best(99_899, 99_901), Answer::Ok);
        desk
    };
    let loss = 50 * 100 * 1_000;
    let desk = lossy(loss + 1);
    assert_eq!(desk.engine.pnl(GROUP), QuoteAtoms(-loss));
    assert_eq!(desk.engine.trading_state(), TradingState::Active);
    let mut desk = lossy(loss);
    assert_eq!(desk.engine.trading_state(), TradingState::CancelOnly);
    assert_eq!(desk.count(Counter::LossStops), 1);
    assert!(desk.places().is_empty());
    assert!(!desk.cancelled().is_empty());
    // The next day does not re-arm by itself.
    desk.now = desk.now + Nanos::from_seconds(86_400);
    assert_eq!(desk.best(99_899, 99_901), Answer::Ok);
    assert_eq!(desk.engine.trading_state(), TradingState::CancelOnly);
}

#[test]
fn the_drift_of_the_neutral_inventory_does_not_trip_the_loss_stop() {
    // A spot account that starts with 1,000 lots and counts as flat with them.
    let plan = |loss_max: i128| {
        Plan::new().holding(1_000).with(|plan| {
            plan.instruments[0].0.lots_neutral = Lots(1_000);
            plan.loss_max[0] = QuoteAtoms(loss_max);
        })
    };
    let (mut desk, bid, _) = quoting(plan(50 * 100 * 1_000));
    assert_eq!(desk.best(89_999, 90_001), Answer::Ok);
    assert_eq!(desk.engine.pnl(GROUP), QuoteAtoms(-10_000 * 1_000 * 1_000));
    assert_eq!(desk.engine.trading_pnl(GROUP), QuoteAtoms(0));
    assert_eq!(desk.engine.trading_state(), TradingState::Active);
    // What a fill does beyond that counts: 100 bought at 99,950, and the mid is 90,000.
    desk.fill(&bid, 100, 100);
    assert_eq!(desk.engine.trading_pnl(GROUP), QuoteAtoms(-9_950 * 100 * 1_000));
    assert_eq!(desk.engine.trading_state(), TradingState::CancelOnly);
    assert_eq!(desk.count(Counter::LossStops), 1);
}

#[test]
fn an_operator_who_loosens_a_stop_that_still_holds_is_stopped_again() {
    let plan = Plan::new().with(|plan| plan.loss_max[0] = QuoteAtoms(50 * 100 * 1_000));
    let (mut desk, bid, _) = quoting(plan);
    desk.fill(&bid, 100, 100);
    desk.places();
    assert_eq!(desk.best(99_899, 99_901), Answer::Ok);
    assert_eq!(desk.engine.trading_state(), TradingState::CancelOnly);
    assert!(desk.engine.set_trading_state(TradingState::Active));
    // The very same prices again: nothing is valued anew, and the limit holds all the same.
    assert_eq!(desk.best(99_899, 99_901), Answer::Ok);
    assert_eq!(desk.engine.trading_state(), TradingState::CancelOnly);
}

#[test]
fn a_book_that_was_full_takes_a_larger_one_and_is_quoted_on_again() {
    let (mut desk, _, _) = quoting(Plan::new().instrument(|instrument| instrument.far_levels = 64));
    let built = |far_levels| setup::book(&BookSettings { far_levels });
    assert_eq!(desk.engine.far_levels_wanted(FIRST), None);
    assert_eq!(desk.engine.exchange_book(FIRST, built(128)).far_level_capacity(), 128, "nobody asked");
    let far: Vec<Level> = (0..65).map(|n| level(1_000_000 + n, 1)).collect();
    assert_eq!(desk.delta(&[], &far), Answer::Resync(LostReason::FarFull));
    assert_eq!(desk.cancelled().len(), 2, "a book that is not Live is not quoted on");
    assert_eq!(desk.engine.far_levels_wanted(FIRST), Some(128));
    assert_eq!(desk.engine.far_levels_wanted(InstrumentId(7)), None);
    // As large as before is not enough, and another instrument's book is not this one's.
    assert_eq!(desk.engine.exchange_book(FIRST, built(64)).far_level_capacity(), 64);
    assert_eq!(desk.engine.exchange_book(InstrumentId(7), built(128)).far_level_capacity(), 128);
    let old = desk.engine.exchange_book(FIRST, built(128));
    assert_eq!(old.far_level_capacity(), 64);
    assert_eq!((desk.engine.far_levels_wanted(FIRST), desk.count(Counter::BooksEnlarged)), (None, 1));
    let asks: Vec<Level> = far.iter().copied().chain([level(100_001, 1_000)]).collect();
    assert_eq!(desk.snapshot(&[level(99_999, 1_000)], &asks), Answer::Ok);
    assert!(desk.engine.market(FIRST).book().is_live());
    assert_eq!(desk.engine.market(FIRST).book().far_level_count(Side::Ask), 65);
}
