//! COLD: what goes wrong: rejects, silence, a lost gateway, foreign orders, full rings, losses, and what an operator may do.

use crate::rig::{EPOCH, FIRST, Plan, VENUE, about, level, ms, quoting};
use spinbook_engine::counters::Counter;
use spinbook_engine::event::{ExecutionEvent, ExecutionKind, LocalReject, LostReason, MarketReply};
use spinbook_engine::intent::{Intent, Reason};
use spinbook_engine::risk::{DayResult, StopCause, TradingState};
use spinbook_engine::setup::{self, BookSettings};
use spinbook_engine::types::{AssetGroupId, InstrumentId, Level, Lots, Nanos, OrderId, QuoteAtoms, Side, VenueCode};
use spinbook_engine::working::WorkingStatus;

const GROUP: AssetGroupId = AssetGroupId(0);

#[test]
fn a_full_order_ring_stops_quoting_and_cancels_still_leave() {
    let plan = Plan::new().with(|plan| plan.ring_slots = 4).spread(|spread| spread.levels = 3);
    let mut rig = plan.build().ready();
    assert_eq!(rig.best(99_999, 100_001), MarketReply::Ok);
    assert_eq!(rig.count(Counter::OrderRingFull), 1);
    assert_eq!(rig.engine.trading_state(), TradingState::CancelOnly);
    assert_eq!(rig.engine.open_orders(), 4, "what did not fit was never an order");
    let placed = rig.accept_all();
    assert_eq!(placed.len(), 4);
    assert_eq!(rig.cancelled().len(), 4);
    assert_eq!(rig.best(99_000, 99_002), MarketReply::Ok);
    assert!(rig.places().is_empty());
}

#[test]
fn a_cancel_that_finds_its_ring_full_is_tried_again() {
    let plan = Plan::new().with(|plan| plan.ring_slots = 2).spread(|spread| spread.levels = 1);
    let (mut rig, bid, ask) = quoting(plan);
    // Fill the ring of cancels with a first round, unanswered and unread.
    rig.lose(LostReason::Gap);
    rig.tell(&about(&bid, ExecutionKind::CancelRejected));
    rig.tell(&about(&ask, ExecutionKind::CancelRejected));
    rig.wait(ms(200));
    assert_eq!(rig.count(Counter::CancelRingFull), 2);
    assert_eq!(rig.cancelled().len(), 2);
    rig.wait(ms(1));
    assert_eq!(rig.cancelled().len(), 2, "as soon as there is room");
}

#[test]
fn rejects_back_off_per_slot_and_a_storm_stops_the_instrument() {
    let plan = Plan::new().quoter(|quoter| quoter.rejects_max = 4);
    let mut rig = plan.build().ready();
    assert_eq!(rig.best(99_999, 100_001), MarketReply::Ok);
    let mut waits = Vec::new();
    let mut bid = rig.places()[0];
    for _ in 0..3 {
        rig.reject(&bid);
        let rejected = rig.now;
        assert!(rig.places().is_empty(), "not at once");
        while rig.orders.is_empty() {
            rig.now = rig.now + ms(50);
            assert_eq!(rig.best(99_999, 100_001), MarketReply::Ok);
        }
        waits.push((rig.now - rejected).millis());
        bid = rig.places()[0];
        assert_eq!(bid.side, Side::Bid);
    }
    assert_eq!(waits, [200, 400, 800]);
    rig.reject(&bid);
    assert_eq!(rig.count(Counter::RejectStorms), 1);
    assert_eq!(rig.engine.instrument_state(FIRST), TradingState::CancelOnly);
    assert_eq!(rig.engine.trading_state(), TradingState::Active, "the other instruments go on");
    for _ in 0..100 {
        rig.now = rig.now + ms(1_000);
        assert_eq!(rig.best(99_999, 100_001), MarketReply::Ok);
    }
    assert!(rig.places().is_empty());
    rig.engine.rearm();
    rig.wait(Nanos(0));
    assert_eq!(rig.places().len(), 1, "re-armed: the bid again (the ask was never answered)");
}

#[test]
fn a_post_only_cross_is_an_ordinary_end_and_waits_a_little() {
    let mut rig = Plan::new().build().ready();
    assert_eq!(rig.best(99_999, 100_001), MarketReply::Ok);
    for _ in 0..40 {
        let places = rig.places();
        for place in &places {
            rig.tell(&ExecutionEvent {
                venue_code: VenueCode::from_number(-5022),
                ..about(place, ExecutionKind::Expired)
            });
        }
        assert!(rig.places().is_empty());
        rig.now = rig.now + ms(99);
        assert_eq!(rig.best(99_999, 100_001), MarketReply::Ok);
        assert!(rig.places().is_empty(), "throttled");
        rig.wait(ms(1));
        assert!(!rig.orders.is_empty());
    }
    assert_eq!(rig.count(Counter::RejectStorms), 0);
    assert_eq!(rig.count(Counter::OrdersExpired), 80);
}

#[test]
fn a_reject_because_the_market_overtook_the_price_is_no_storm() {
    let mut rig = Plan::new().quoter(|quoter| quoter.rejects_max = 2).build().ready();
    assert_eq!(rig.best(99_999, 100_001), MarketReply::Ok);
    for _ in 0..10 {
        for place in rig.places() {
            let event = about(&place, ExecutionKind::Rejected);
            rig.tell(&ExecutionEvent { venue_code: VenueCode::from_number(-2010), overtaken: true, ..event });
        }
        rig.wait(ms(100));
    }
    assert_eq!(rig.count(Counter::RejectStorms), 0);
    assert_eq!(rig.count(Counter::OrdersRejected), 20);
}

#[test]
fn what_the_gateway_refuses_itself_is_no_storm() {
    let mut rig = Plan::new().quoter(|quoter| quoter.rejects_max = 2).build().ready();
    assert_eq!(rig.best(99_999, 100_001), MarketReply::Ok);
    for _ in 0..10 {
        for place in rig.places() {
            rig.reject_locally(&place, LocalReject::Late);
        }
        rig.wait(ms(100));
    }
    assert_eq!(rig.count(Counter::RejectStorms), 0);
    assert_eq!(rig.count(Counter::OrdersRejectedLocally), 20);
}

#[test]
fn a_request_without_an_answer_makes_the_order_unknown_and_it_is_cancelled_until_proved() {
    let mut rig = Plan::new().build().ready();
    assert_eq!(rig.best(99_999, 100_001), MarketReply::Ok);
    let bid = rig.places()[0];
    for _ in 0..30 {
        rig.now = rig.now + ms(100);
        assert_eq!(rig.best(99_999, 100_001), MarketReply::Ok);
        rig.engine.on_timer(rig.now);
    }
    assert_eq!(rig.count(Counter::RequestsTimedOut), 2);
    assert_eq!(rig.engine.working(FIRST).slot(bid.slot).status, WorkingStatus::PendingCancel);
    assert_eq!(rig.cancelled().len(), 2);
    assert!(rig.places().is_empty(), "the slot is blocked until the order's end is proved");
    for _ in 0..31 {
        rig.now = rig.now + ms(100);
        assert_eq!(rig.best(99_999, 100_001), MarketReply::Ok);
        rig.engine.on_timer(rig.now);
    }
    assert_eq!(rig.cancelled().len(), 2, "and again");
    rig.cancel_done(&bid);
    assert_eq!(rig.places().len(), 1);
}

#[test]
fn a_refused_cancel_is_not_repeated_at_once() {
    let (mut rig, bid, _) = quoting(Plan::new());
    rig.lose(LostReason::Gap);
    assert_eq!(rig.cancelled().len(), 2);
    rig.tell(&about(&bid, ExecutionKind::CancelRejected));
    assert!(rig.cancelled().is_empty());
    rig.wait(ms(199));
    assert!(rig.cancelled().is_empty());
    rig.wait(ms(1));
    assert_eq!(rig.cancelled()[0].order, bid.order);
    assert_eq!(rig.count(Counter::CancelsRejected), 1);
}

#[test]
fn the_gateway_going_down_pulls_and_coming_back_quotes() {
    let (mut rig, ..) = quoting(Plan::new());
    rig.gateway(ExecutionKind::GatewayDown);
    let cancels = rig.cancelled();
    assert_eq!(cancels.len(), 2);
    for cancel in &cancels {
        rig.cancel_done(cancel);
    }
    assert!(rig.places().is_empty());
    rig.gateway(ExecutionKind::GatewayReady);
    assert_eq!(rig.places().len(), 2);
}

#[test]
fn a_pause_places_nothing_and_keeps_what_stands() {
    let (mut rig, bid, _) = quoting(Plan::new());
    let until = rig.now + ms(500);
    rig.tell(&ExecutionEvent { kind: ExecutionKind::Pause, venue: VENUE, time: until, ..ExecutionEvent::default() });
    assert!(rig.cancelled().is_empty());
    rig.fill(&bid, 100, 100);
    assert!(rig.places().is_empty());
    assert!(rig.engine.next_deadline() <= until);
    rig.wait(ms(499));
    assert!(rig.places().is_empty());
    rig.wait(ms(1));
    assert_eq!(rig.places().len(), 1);
}

#[test]
fn a_halt_pulls_everything_and_only_a_human_ends_it() {
    let (mut rig, ..) = quoting(Plan::new());
    rig.gateway(ExecutionKind::Halt);
    let cancels = rig.cancelled();
    assert_eq!(cancels.len(), 2);
    assert!(cancels.iter().all(|intent| intent.reason == Reason::TradingState));
    for cancel in &cancels {
        rig.cancel_done(cancel);
    }
    rig.gateway(ExecutionKind::GatewayReady);
    assert!(!rig.engine.set_trading_state(TradingState::Active));
    assert_eq!(rig.best(99_000, 99_002), MarketReply::Ok);
    rig.wait(ms(1_000));
    assert!(rig.places().is_empty());
    rig.engine.rearm();
    assert_eq!(rig.best(99_000, 99_002), MarketReply::Ok);
    assert_eq!(rig.places().len(), 2);
}

#[test]
fn an_operator_may_tighten_and_loosen() {
    let (mut rig, bid, _) = quoting(Plan::new());
    assert!(rig.engine.set_trading_state(TradingState::CancelOnly));
    assert_eq!(rig.engine.next_deadline(), Nanos::ZERO);
    rig.wait(Nanos(0));
    let cancels = rig.cancelled();
    assert_eq!(cancels.len(), 2);
    rig.fill(&bid, 60, 60);
    for cancel in &cancels {
        rig.cancel_done(cancel);
    }
    // Long 60: only asks, and no more than 60 of them.
    assert!(rig.engine.set_trading_state(TradingState::ReduceOnly));
    rig.wait(Nanos(0));
    let places = rig.accept_all();
    assert_eq!(places.len(), 1);
    assert_eq!((places[0].side, places[0].lots), (Side::Ask, Lots(60)));
    rig.fill(&places[0], 60, 60);
    assert!(rig.places().is_empty(), "flat: nothing left to reduce");
    assert!(rig.engine.set_trading_state(TradingState::Active));
    rig.wait(Nanos(0));
    assert_eq!(rig.places().len(), 2);
}

#[test]
fn somebody_elses_order_on_the_account_moves_the_position_and_stops_quoting() {
    let (mut rig, bid, _) = quoting(Plan::new());
    let foreign = Intent { order: OrderId::new(EPOCH - 1, 5), side: Side::Ask, ..bid };
    rig.fill(&foreign, 10, 10);
    assert_eq!(rig.engine.position(FIRST).lots(), Lots(-10));
    assert_eq!(rig.engine.trading_state(), TradingState::CancelOnly);
    assert_eq!((rig.count(Counter::FillsForeign), rig.cancelled().len()), (1, 2));
    // Of a run before this one on the same account it is ours, and counts once.
    let (mut rig, ..) = quoting(Plan::new());
    rig.engine.know_earlier_runs([EPOCH - 1]);
    rig.fill(&foreign, 10, 10);
    assert_eq!((rig.engine.position(FIRST).lots(), rig.engine.trading_state()), (Lots(-10), TradingState::Active));
    assert_eq!((rig.count(Counter::FillsForeign), rig.count(Counter::FillsLate)), (0, 1));
    rig.fill(&Intent { order: OrderId::new(EPOCH - 2, 5), ..foreign }, 10, 10);
    assert_eq!(rig.engine.trading_state(), TradingState::CancelOnly, "of a run that nobody knows");
    // One of ours that does not exist yet is foreign too.
    let (mut rig, bid, _) = quoting(Plan::new());
    rig.accept(&Intent { order: OrderId::new(EPOCH, 50), ..bid });
    assert_eq!(rig.engine.trading_state(), TradingState::CancelOnly);
}

#[test]
fn an_order_alive_after_its_reject_is_cancelled_and_stops_quoting() {
    let mut rig = Plan::new().build().ready();
    assert_eq!(rig.best(99_999, 100_001), MarketReply::Ok);
    let places = rig.places();
    rig.reject(&places[0]);
    rig.accept(&places[0]);
    assert_eq!(rig.count(Counter::Contradictions), 1);
    assert_eq!(rig.engine.trading_state(), TradingState::CancelOnly);
    assert_eq!(rig.cancelled()[0].order, places[0].order);
}

#[test]
fn an_overfill_moves_the_position_and_stops_quoting() {
    let (mut rig, bid, _) = quoting(Plan::new());
    rig.fill(&bid, 130, 130);
    assert_eq!(rig.engine.position(FIRST).lots(), Lots(130));
    assert_eq!((rig.count(Counter::Overfills), rig.engine.trading_state()), (1, TradingState::CancelOnly));
}

#[test]
fn the_daily_loss_stops_at_its_limit() {
    // Bought 100 at 99,950; each tick is worth 1,000 atoms a lot.
    let lossy = |loss_max: i128| {
        let plan = Plan::new().with(|plan| plan.loss_max[0] = QuoteAtoms(loss_max));
        let (mut rig, bid, _) = quoting(plan);
        rig.fill(&bid, 100, 100);
        rig.places();
        assert_eq!(rig.best(99_899, 99_901), MarketReply::Ok);
        rig
    };
    let loss = 50 * 100 * 1_000;
    let rig = lossy(loss + 1);
    assert_eq!(rig.engine.pnl(GROUP), QuoteAtoms(-loss));
    assert_eq!(rig.engine.trading_state(), TradingState::Active);
    let mut rig = lossy(loss);
    assert_eq!(rig.engine.trading_state(), TradingState::CancelOnly);
    assert_eq!(rig.count(Counter::LossStops), 1);
    assert!(rig.places().is_empty());
    assert!(!rig.cancelled().is_empty());
    // The next day does not re-arm by itself.
    rig.now = rig.now + Nanos::from_seconds(86_400);
    assert_eq!(rig.best(99_899, 99_901), MarketReply::Ok);
    assert_eq!(rig.engine.trading_state(), TradingState::CancelOnly);
}

#[test]
fn a_day_goes_on_after_a_restart_and_a_stop_of_it_stays() {
    let loss = 50 * 100 * 1_000;
    let (mut rig, bid, _) = quoting(Plan::new().with(|plan| plan.loss_max[0] = QuoteAtoms(2 * loss)));
    let day = rig.now.0 / Nanos::from_seconds(86_400).0;
    let earned = |earned: i128| DayResult { day, earned: QuoteAtoms(earned) };
    rig.engine.resume_day(GROUP, earned(-loss), false);
    rig.fill(&bid, 100, 100);
    rig.places();
    assert_eq!(rig.best(99_900, 99_902), MarketReply::Ok);
    assert_eq!(rig.engine.stop_cause(FIRST), StopCause::None, "one tick short of the other half");
    assert_eq!(rig.best(99_899, 99_901), MarketReply::Ok);
    assert_eq!(rig.engine.trading_state(), TradingState::CancelOnly);
    assert_eq!(rig.engine.stop_cause(FIRST), StopCause::LossPerDay);
    assert_eq!(rig.engine.day_result(GROUP), earned(-2 * loss));
    // Whoever keeps it sees it in the same turn.
    let seen = rig.engine.telemetry(FIRST).read().expect("nobody writes meanwhile");
    assert_eq!((seen.trading_state, seen.stop_cause), (TradingState::CancelOnly, StopCause::LossPerDay));
    assert_eq!(seen.day, earned(-2 * loss));
    // A run that begins with the stop places nothing, whatever the book and whatever the day.
    for begun in [earned(-2 * loss), DayResult { day: day - 1, earned: QuoteAtoms(-2 * loss) }] {
        let mut rig = Plan::new().with(|plan| plan.loss_max[0] = QuoteAtoms(2 * loss)).build();
        rig.engine.resume_day(GROUP, begun, true);
        let mut rig = rig.ready();
        assert_eq!(rig.best(99_999, 100_001), MarketReply::Ok);
        assert!(rig.places().is_empty());
        assert_eq!((rig.engine.trading_state(), rig.engine.is_group_stopped(GROUP)), (TradingState::CancelOnly, true));
        assert_eq!(rig.engine.stop_cause(FIRST), StopCause::LossPerDay);
    }
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
    let (mut rig, bid, _) = quoting(plan(50 * 100 * 1_000));
    assert_eq!(rig.best(89_999, 90_001), MarketReply::Ok);
    assert_eq!(rig.engine.pnl(GROUP), QuoteAtoms(-10_000 * 1_000 * 1_000));
    assert_eq!(rig.engine.trading_pnl(GROUP), QuoteAtoms(0));
    assert_eq!(rig.engine.trading_state(), TradingState::Active);
    // What a fill does beyond that counts: 100 bought at 99,950, and the mid is 90,000.
    rig.fill(&bid, 100, 100);
    assert_eq!(rig.engine.trading_pnl(GROUP), QuoteAtoms(-9_950 * 100 * 1_000));
    assert_eq!(rig.engine.trading_state(), TradingState::CancelOnly);
    assert_eq!(rig.count(Counter::LossStops), 1);
}

#[test]
fn an_operator_who_loosens_a_stop_that_still_holds_is_stopped_again() {
    let plan = Plan::new().with(|plan| plan.loss_max[0] = QuoteAtoms(50 * 100 * 1_000));
    let (mut rig, bid, _) = quoting(plan);
    rig.fill(&bid, 100, 100);
    rig.places();
    assert_eq!(rig.best(99_899, 99_901), MarketReply::Ok);
    assert_eq!(rig.engine.trading_state(), TradingState::CancelOnly);
    assert!(rig.engine.set_trading_state(TradingState::Active));
    // The very same prices again: nothing is valued anew, and the limit holds all the same.
    assert_eq!(rig.best(99_899, 99_901), MarketReply::Ok);
    assert_eq!(rig.engine.trading_state(), TradingState::CancelOnly);
}

#[test]
fn a_book_that_was_full_takes_a_larger_one_and_is_quoted_on_again() {
    let (mut rig, _, _) = quoting(Plan::new().instrument(|instrument| instrument.outer_levels = 64));
    let built = |outer_levels| setup::book(&BookSettings { outer_levels });
    assert_eq!(rig.engine.outer_levels_wanted(FIRST), None);
    assert_eq!(rig.engine.exchange_book(FIRST, built(128)).outer_level_capacity(), 128, "nobody asked");
    let far: Vec<Level> = (0..65).map(|n| level(1_000_000 + n, 1)).collect();
    assert_eq!(rig.delta(&[], &far), MarketReply::Resync(LostReason::OuterFull));
    assert_eq!(rig.cancelled().len(), 2, "a book that is not Live is not quoted on");
    assert_eq!(rig.engine.outer_levels_wanted(FIRST), Some(128));
    assert_eq!(rig.engine.outer_levels_wanted(InstrumentId(7)), None);
    // As large as before is not enough, and another instrument's book is not this one's.
    assert_eq!(rig.engine.exchange_book(FIRST, built(64)).outer_level_capacity(), 64);
    assert_eq!(rig.engine.exchange_book(InstrumentId(7), built(128)).outer_level_capacity(), 128);
    let old = rig.engine.exchange_book(FIRST, built(128));
    assert_eq!(old.outer_level_capacity(), 64);
    assert_eq!((rig.engine.outer_levels_wanted(FIRST), rig.count(Counter::BooksEnlarged)), (None, 1));
    let asks: Vec<Level> = far.iter().copied().chain([level(100_001, 1_000)]).collect();
    assert_eq!(rig.snapshot(&[level(99_999, 1_000)], &asks), MarketReply::Ok);
    assert!(rig.engine.market(FIRST).book().is_live());
    assert_eq!(rig.engine.market(FIRST).book().outer_level_count(Side::Ask), 65);
}
