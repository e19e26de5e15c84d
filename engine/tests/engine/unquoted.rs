//! COLD: why a side is not quoted: each reason where it holds, none where there are quotes, and the time of each.

use crate::rig::{FIRST, Plan, Rig, level, ms};
use spinbook_engine::counters::Counter;
use spinbook_engine::event::{ExecutionEvent, ExecutionKind, LostReason, MarketReply};
use spinbook_engine::risk::TradingState;
use spinbook_engine::strategy::Spread;
use spinbook_engine::types::{Lots, Nanos, QuoteAtoms, Side};
use spinbook_engine::unquoted::Unquoted;

/// What telemetry says of the bid and the ask side, after time for it to be written.
fn reasons(rig: &mut Rig<Spread>) -> [Unquoted; 2] {
    rig.wait(ms(100));
    let told = rig.engine.telemetry(FIRST).read().expect("nobody writes meanwhile").unquoted;
    assert_eq!(told, Side::BOTH.map(|side| rig.engine.unquoted(FIRST).now(side)));
    told
}

/// With a book whose mid is 100,000 and a gateway that is ready.
fn with_book(plan: Plan) -> Rig<Spread> {
    let mut rig = plan.build().ready();
    assert_eq!(rig.best(99_999, 100_001), MarketReply::Ok);
    rig
}

#[test]
fn what_can_never_be_quoted_is_named_by_the_control_that_forbids_it() {
    let cases = [
        (Plan::new().risk(|risk| risk.order_notional_max = QuoteAtoms(1)), Unquoted::NotionalMax),
        (Plan::new().risk(|risk| risk.order_lots_max = Lots(90)), Unquoted::QuantityMax),
        (Plan::new().risk(|risk| risk.position_lots_max = Lots(90)), Unquoted::PositionMax),
        (Plan::new().spread(|spread| spread.edge_min_millionths = 60_000), Unquoted::Edge),
        (Plan::new().instrument(|facts| facts.notional_min = QuoteAtoms(i128::MAX)), Unquoted::NotionalMin),
        (Plan::new().instrument(|facts| facts.lots_order_min = Lots(110)), Unquoted::Quantity),
        (Plan::new().with(|plan| plan.budgets[0].messages_max_per_second = 1), Unquoted::Budget),
    ];
    for (plan, expected) in cases {
        let mut rig = with_book(plan);
        assert_eq!(reasons(&mut rig), [expected; 2]);
        assert!(rig.places().is_empty());
        // And it stays the answer while nothing happens.
        for _ in 0..20 {
            assert_eq!(reasons(&mut rig), [expected; 2], "{expected:?} after {:?}", rig.now);
            assert_eq!(rig.best(99_999, 100_001), MarketReply::Ok);
        }
        assert!(rig.engine.unquoted(FIRST).time(Side::Bid, expected) >= ms(1_900), "{expected:?}");
    }
}

#[test]
fn a_full_position_leaves_the_other_side_quoted() {
    let mut rig = with_book(Plan::new().holding(10_000));
    assert_eq!(reasons(&mut rig), [Unquoted::PositionMax, Unquoted::No]);
    assert_eq!(rig.engine.unquoted(FIRST).time(Side::Ask, Unquoted::PositionMax), Nanos::ZERO);
}

#[test]
fn the_state_of_book_gateway_and_trading_is_told_as_it_changes() {
    let mut rig = Plan::new().build();
    assert_eq!(reasons(&mut rig), [Unquoted::NotReady; 2]);
    let mut rig = rig.ready();
    assert_eq!(reasons(&mut rig), [Unquoted::BookWaiting; 2]);
    assert_eq!(rig.best(99_999, 100_001), MarketReply::Ok);
    assert_eq!(reasons(&mut rig), [Unquoted::No; 2], "orders are on their way");
    rig.accept_all();
    assert_eq!(reasons(&mut rig), [Unquoted::No; 2], "orders stand");
    rig.wait(ms(3_000));
    for intent in rig.cancelled() {
        rig.cancel_done(&intent);
    }
    assert_eq!(reasons(&mut rig), [Unquoted::BookStale; 2]);
    rig.lose(LostReason::Gap);
    assert_eq!(reasons(&mut rig), [Unquoted::BookLost; 2]);
    assert_eq!(rig.best(99_999, 99_999), MarketReply::Ok);
    assert_eq!(reasons(&mut rig), [Unquoted::BookOneSided; 2]);
    rig.engine.set_trading_state(TradingState::CancelOnly);
    assert_eq!(rig.best(99_999, 100_001), MarketReply::Ok);
    assert_eq!(reasons(&mut rig), [Unquoted::TradingState; 2]);
    rig.engine.begin_shutdown(rig.now);
    assert_eq!(reasons(&mut rig), [Unquoted::Shutdown; 2]);
}

#[test]
fn a_pause_of_the_venue_is_told() {
    let mut rig = Plan::new().build().ready();
    let until = rig.now + ms(5_000);
    let pause =
        ExecutionEvent { kind: ExecutionKind::Pause, venue: crate::rig::VENUE, time: until, ..Default::default() };
    rig.engine.on_execution(&pause, rig.now);
    assert_eq!(rig.best(99_999, 100_001), MarketReply::Ok);
    assert_eq!(reasons(&mut rig), [Unquoted::Paused; 2]);
}

#[test]
fn a_book_beyond_its_ceiling_is_pulled_named_and_counted_once() {
    let mut rig = Plan::new().build();
    let capacity = rig.engine.market(FIRST).book().outer_level_capacity();
    rig.engine.set_outer_levels_max(FIRST, capacity);
    let mut rig = rig.ready();
    assert_eq!(rig.best(99_999, 100_001), MarketReply::Ok);
    assert_eq!(rig.accept_all().len(), 2);
    let far: Vec<_> = (0..=capacity as i64).map(|count| level(10_000_000 + count, 1)).collect();
    assert_eq!(rig.delta(&[], &far), MarketReply::Resync(LostReason::OuterFull));
    for intent in rig.cancelled() {
        rig.cancel_done(&intent);
    }
    for _ in 0..3 {
        assert_eq!(rig.best(99_999, 100_001), MarketReply::Resync(LostReason::OuterFull));
        assert_eq!(reasons(&mut rig), [Unquoted::BookOverfull; 2]);
        assert!(rig.places().is_empty());
    }
    assert_eq!((rig.count(Counter::BooksOverfull), rig.count(Counter::BooksLost)), (1, 1));
}
