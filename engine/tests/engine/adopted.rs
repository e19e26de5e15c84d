//! COLD: orders of an earlier run that are taken over: they count, they keep their ids, and nothing else is changed.

use crate::rig::{EPOCH, FIRST, Plan, Rig, START, about, level, ms, slot};
use spinbook_engine::counters::Counter;
use spinbook_engine::engine::AdoptedOrder;
use spinbook_engine::event::{ExecutionEvent, ExecutionKind, LostReason, MarketEvent, MarketKind, MarketReply};
use spinbook_engine::intent::{Intent, Reason, TimeInForce};
use spinbook_engine::quoter::Requote;
use spinbook_engine::risk::{Reference, ReferenceSource, TradingState};
use spinbook_engine::strategy::Spread;
use spinbook_engine::types::{InstrumentId, Lots, OrderId, Side, Tick};
use spinbook_engine::working::WorkingStatus;

const UNTIL_MS: i64 = 15_000;

/// What the strategy wants at a mid of 100,000, as an earlier run left it.
fn left(side: Side) -> AdoptedOrder {
    let (number, tick) = if side == Side::Bid { (0, 99_950) } else { (8, 100_050) };
    AdoptedOrder {
        order: OrderId::new(EPOCH - 2, 40 + u32::from(number)),
        instrument: FIRST,
        slot: slot(number),
        side,
        time_in_force: TimeInForce::PostOnly,
        tick: Tick(tick),
        lots: Lots(100),
        filled: Lots::ZERO,
    }
}

fn as_intent(adopted: &AdoptedOrder) -> Intent {
    let AdoptedOrder { order, instrument, slot, side, tick, lots, time_in_force, .. } = *adopted;
    Intent { order, instrument, slot, side, tick, lots, time_in_force, ..Intent::default() }
}

fn adopting(plan: Plan, orders: &[AdoptedOrder]) -> Rig<Spread> {
    let mut rig = plan.build();
    for order in orders {
        assert!(rig.engine.adopt(order, START + ms(UNTIL_MS)), "{order:?}");
    }
    rig
}

#[test]
fn adopted_quotes_stand_before_the_start_and_serve_the_first_targets() {
    let both = [left(Side::Bid), left(Side::Ask)];
    for gateway_first in [true, false] {
        let mut rig = adopting(Plan::new(), &both);
        assert_eq!(rig.engine.open_orders(), 2);
        assert_eq!(rig.engine.working(FIRST).lots_worst(Side::Bid), Lots(100), "it counts from the first moment on");
        rig.wait(ms(200));
        both.iter().for_each(|order| rig.accept(&as_intent(order)));
        if gateway_first {
            rig.gateway(ExecutionKind::GatewayReady);
            rig.wait(ms(200));
            assert!(rig.cancelled().is_empty(), "the book has not begun");
            let _ = rig.best(99_999, 100_001);
        } else {
            let _ = rig.best(99_999, 100_001);
            rig.wait(ms(200));
            assert!(rig.cancelled().is_empty(), "the gateway has not begun");
            rig.gateway(ExecutionKind::GatewayReady);
        }
        rig.wait(ms(100));
        assert_eq!((rig.places(), rig.cancelled()), (Vec::new(), Vec::new()), "they are what is wanted");
        let bid = rig.engine.working(FIRST).slot(slot(0));
        assert_eq!((bid.order, bid.status), (both[0].order, WorkingStatus::Live));
        // From here on they are as any: a lost book pulls them in the same turn, by their own ids.
        rig.lose(LostReason::Gap);
        let cancels = rig.cancelled();
        assert_eq!(cancels.iter().map(|cancel| cancel.order).collect::<Vec<_>>(), both.map(|order| order.order));
        cancels.iter().for_each(|cancel| rig.cancel_done(cancel));
        let _ = rig.best(99_999, 100_001);
        rig.wait(ms(300));
        let placed = rig.places();
        assert_eq!(placed.len(), 2);
        assert!(placed.iter().all(|place| place.order.epoch() == EPOCH), "new ones have new ids: {placed:?}");
    }
}

#[test]
fn adopted_quotes_wait_until_feed_and_second_reference_are_judged_and_no_longer() {
    for second in [false, true] {
        let mut rig = adopting(Plan::new(), &[left(Side::Bid)]);
        rig.engine.set_feed_lag_max(FIRST, ms(500));
        if second {
            rig.engine.set_reference(FIRST, Reference { source: ReferenceSource::LastTrade, age_max: ms(1_000) });
        }
        rig.accept(&as_intent(&left(Side::Bid)));
        let _ = rig.best(99_999, 100_001);
        rig.gateway(ExecutionKind::GatewayReady);
        rig.wait(ms(60));
        assert!(rig.cancelled().is_empty(), "second {second}: the first message with a time has still to come");
        if second {
            assert_eq!(rig.market(FIRST, MarketKind::Trade, &[level(100_000, 1)], &[]), MarketReply::Ok);
        }
        let _ = rig.delta(&[level(99_990, 5)], &[]);
        rig.wait(ms(60));
        assert_eq!(rig.places().len(), 1, "second {second}: the ask");
        assert!(rig.cancelled().is_empty(), "second {second}: judged and quoted on");
        // The reference gets old, or the feed falls behind: as any quote.
        if second {
            for _ in 0..20 {
                rig.now = rig.now + ms(60);
                let _ = rig.delta(&[level(99_990, 5)], &[]);
                rig.engine.on_timer(rig.now);
            }
        } else {
            let event_time = rig.now - ms(900);
            let late = MarketEvent { event_time, ..rig.event(FIRST, MarketKind::Delta) };
            assert_eq!(rig.engine.on_market(&late, &[level(99_990, 6)], &[], rig.now), MarketReply::Ok);
            rig.wait(ms(60));
        }
        assert!(rig.cancelled().iter().any(|cancel| cancel.reason == Reason::BookNotLive), "second {second}");
    }
}

#[test]
fn adopted_quotes_are_pulled_for_everything_but_a_start() {
    let both = [left(Side::Bid), left(Side::Ask)];
    let pulled = |what: &str, act: &dyn Fn(&mut Rig<Spread>), reason: Reason| {
        let mut rig = adopting(Plan::new(), &both);
        act(&mut rig);
        rig.wait(ms(250));
        let reasons: Vec<Reason> = rig.cancelled().iter().map(|cancel| cancel.reason).collect();
        assert_eq!(reasons, [reason; 2], "{what}");
    };
    pulled("shutdown", &|rig| rig.engine.begin_shutdown(rig.now), Reason::Shutdown);
    pulled("pause", &|rig| rig.engine.set_paused(true, rig.now), Reason::Pause);
    let halt = |rig: &mut Rig<Spread>| rig.gateway(ExecutionKind::Halt);
    pulled("halt", &halt, Reason::TradingState);
    let state = |rig: &mut Rig<Spread>| assert!(rig.engine.set_trading_state(TradingState::CancelOnly));
    pulled("cancel-only", &state, Reason::TradingState);
    pulled("kill", &|rig| rig.engine.set_instrument_killed(FIRST, true), Reason::TradingState);
    pulled("nothing begins in time", &|rig| rig.wait(ms(UNTIL_MS)), Reason::TradingState);
    let lost = |rig: &mut Rig<Spread>| {
        rig.gateway(ExecutionKind::GatewayReady);
        rig.gateway(ExecutionKind::GatewayDown);
    };
    pulled("a gateway that was ready and is not", &lost, Reason::TradingState);
    let no_book = |rig: &mut Rig<Spread>| {
        rig.gateway(ExecutionKind::GatewayReady);
        rig.wait(ms(UNTIL_MS));
    };
    pulled("no book in time", &no_book, Reason::BookNotLive);
    let book_lost = |rig: &mut Rig<Spread>| {
        let _ = rig.best(99_999, 100_001);
        rig.lose(LostReason::Gap);
        rig.gateway(ExecutionKind::GatewayReady);
    };
    pulled("a book that was live and is not", &book_lost, Reason::BookNotLive);
}

#[test]
fn an_adopted_quote_off_its_target_is_amended_or_cancelled_and_a_fill_of_it_counts_once() {
    for requote in [Requote::CancelPlace, Requote::Amend] {
        let order = AdoptedOrder { tick: Tick(99_000), filled: Lots(30), ..left(Side::Bid) };
        let mut rig = adopting(Plan::new().quoter(|quoter| quoter.requote = requote), &[order]);
        assert_eq!(rig.engine.working(FIRST).lots_worst(Side::Bid), Lots(70));
        let intent = as_intent(&order);
        rig.fill(&intent, 10, 40);
        let told_before =
            ExecutionEvent { lots: Lots(30), lots_cumulative: Lots(30), ..about(&intent, ExecutionKind::Filled) };
        rig.tell(&told_before);
        assert_eq!(rig.engine.position(FIRST).lots(), Lots(10), "what was filled before is in the start already");
        rig.accept(&intent);
        rig.gateway(ExecutionKind::GatewayReady);
        let _ = rig.best(99_999, 100_001);
        let mut asked: Vec<Intent> = std::iter::from_fn(|| rig.orders.pop()).collect();
        asked.extend(rig.cancelled());
        assert!(asked.iter().any(|intent| intent.order == order.order), "{requote:?}: {asked:?}");
        assert_eq!(rig.count(Counter::EventsForeign), 0);
        assert_eq!(rig.engine.trading_state(), TradingState::Active);
    }
}

#[test]
fn a_late_word_on_an_adopted_order_is_no_strangers() {
    let order = left(Side::Bid);
    let mut rig = adopting(Plan::new(), &[order]).ready();
    rig.cancel_done(&as_intent(&order));
    for counter in 1..=60 {
        // So many orders later nobody remembers it but by its id.
        let _ = rig.best(99_999, 100_001);
        for place in rig.accept_all() {
            rig.cancel_done(&place);
        }
        rig.wait(ms(200));
        assert!(counter > 0);
    }
    assert!(rig.engine.working(FIRST).finished(order.order).is_none());
    rig.fill(&as_intent(&order), 10, 10);
    assert_eq!(rig.count(Counter::EventsForeign), 0);
    assert_eq!((rig.engine.trading_state(), rig.engine.position(FIRST).lots()), (TradingState::Active, Lots(10)));
}

#[test]
fn what_does_not_fit_is_not_adopted() {
    let mut rig = Plan::new().build();
    let order = left(Side::Bid);
    let until = START + ms(UNTIL_MS);
    for wrong in [
        AdoptedOrder { order: OrderId::NONE, ..order },
        AdoptedOrder { order: OrderId::new(EPOCH, 1), ..order },
        AdoptedOrder { order: OrderId::new(EPOCH + 1, 1), ..order },
        AdoptedOrder { instrument: InstrumentId(7), ..order },
        AdoptedOrder { slot: slot(8), ..order },
        AdoptedOrder { slot: slot(16), ..order },
        AdoptedOrder { lots: Lots(0), ..order },
        AdoptedOrder { filled: Lots(100), ..order },
    ] {
        assert!(!rig.engine.adopt(&wrong, until), "{wrong:?}");
    }
    assert!(rig.engine.adopt(&order, until));
    let doubled = AdoptedOrder { order: OrderId::new(EPOCH - 1, 5), ..order };
    assert!(!rig.engine.adopt(&doubled, until), "one order a slot");
    assert_eq!(rig.engine.open_orders(), 1);
}
