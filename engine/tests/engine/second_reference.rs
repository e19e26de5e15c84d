//! COLD: the second reference of the price collar: nothing is quoted without it, too far from it, or on an old one.

use crate::rig::{FIRST, Plan, Rig, VENUE, level, ms};
use spinbook_engine::counters::Counter;
use spinbook_engine::event::{LostReason, MarketEvent, MarketKind, MarketReply};
use spinbook_engine::risk::{Reference, ReferenceSource};
use spinbook_engine::strategy::Spread;
use spinbook_engine::types::{InstrumentId, Nanos, Side};
use spinbook_engine::unquoted::Unquoted;

const SECOND: InstrumentId = InstrumentId(1);

/// The first of two instruments with this second reference, and a collar of 10 bp; the gateway is ready.
fn held_against(source: ReferenceSource) -> Rig<Spread> {
    let plan = Plan::new().risk(|risk| risk.price_collar_millionths = 1_000);
    let mut rig = plan.with(|plan| plan.instruments.push(plan.instruments[0])).build();
    rig.engine.set_reference(FIRST, Reference { source, age_max: ms(1_000) });
    rig.ready()
}

fn best(rig: &mut Rig<Spread>, instrument: InstrumentId, bid: i64, ask: i64) {
    let answer = rig.market(instrument, MarketKind::Snapshot, &[level(bid, 1_000)], &[level(ask, 1_000)]);
    assert_eq!(answer, MarketReply::Ok);
}

fn trade(rig: &mut Rig<Spread>, tick: i64) {
    assert_eq!(rig.market(FIRST, MarketKind::Trade, &[], &[level(tick, 1)]), MarketReply::Ok);
}

/// A tenth of a second, in which the engine looks at everything, with a fresh book of its own at 100,000.
fn look(rig: &mut Rig<Spread>) {
    rig.wait(ms(60));
    best(rig, FIRST, 99_999, 100_001);
    rig.wait(ms(60));
    best(rig, FIRST, 99_999, 100_001);
}

/// Orders of the first instrument that leave now; they are accepted.
fn placed(rig: &mut Rig<Spread>) -> usize {
    rig.accept_all().iter().filter(|intent| intent.instrument == FIRST).count()
}

/// Orders of the first instrument that are cancelled now, which the venue confirms.
fn pulled(rig: &mut Rig<Spread>) -> usize {
    let cancels = rig.cancelled();
    cancels.iter().for_each(|cancel| rig.cancel_done(cancel));
    cancels.iter().filter(|intent| intent.instrument == FIRST).count()
}

fn reason(rig: &Rig<Spread>) -> Unquoted {
    rig.engine.unquoted(FIRST).now(Side::Bid)
}

#[test]
fn nothing_is_quoted_before_the_first_trade_and_nothing_on_an_old_one() {
    let mut rig = held_against(ReferenceSource::LastTrade);
    for _ in 0..20 {
        look(&mut rig);
        assert_eq!(placed(&mut rig), 0);
    }
    assert_eq!(reason(&rig), Unquoted::ReferenceMissing);
    trade(&mut rig, 100_000);
    look(&mut rig);
    assert_eq!((placed(&mut rig), reason(&rig)), (2, Unquoted::No));
    // The market's own depth goes on, trades do not.
    for _ in 0..6 {
        look(&mut rig);
        assert_eq!(pulled(&mut rig), 0, "not a second has passed");
    }
    for _ in 0..4 {
        look(&mut rig);
    }
    assert_eq!((pulled(&mut rig), rig.count(Counter::ReferencesLost)), (2, 1));
    look(&mut rig);
    assert_eq!(reason(&rig), Unquoted::ReferenceMissing);
    trade(&mut rig, 100_000);
    look(&mut rig);
    assert_eq!(placed(&mut rig), 2);
}

#[test]
fn a_reference_far_from_our_own_book_pulls_every_quote() {
    let mut rig = held_against(ReferenceSource::LastTrade);
    trade(&mut rig, 100_100);
    look(&mut rig);
    // The book itself is near enough; the bid, 50 ticks below it, is not.
    assert_eq!(placed(&mut rig), 1, "the ask");
    assert!(rig.count(Counter::DeniedSecondCollar) > 0);
    look(&mut rig);
    assert_eq!(reason(&rig), Unquoted::ReferenceFar);
    trade(&mut rig, 100_500);
    look(&mut rig);
    assert_eq!((pulled(&mut rig), rig.count(Counter::ReferencesLost)), (1, 1));
    look(&mut rig);
    assert_eq!((placed(&mut rig), reason(&rig)), (0, Unquoted::ReferenceFar));
}

#[test]
fn an_order_is_refused_the_moment_its_reference_is_too_old_and_before_any_look() {
    let mut rig = held_against(ReferenceSource::LastTrade);
    trade(&mut rig, 100_000);
    look(&mut rig);
    assert_eq!(placed(&mut rig), 2);
    let before = rig.count(Counter::DeniedSecondReference);
    // One long turn: the market moves, and no timer has looked yet.
    rig.now = rig.now + ms(1_500);
    best(&mut rig, FIRST, 100_039, 100_041);
    assert_eq!(pulled(&mut rig), 2, "the old quotes go");
    best(&mut rig, FIRST, 100_039, 100_041);
    assert_eq!(placed(&mut rig), 0);
    assert!(rig.count(Counter::DeniedSecondReference) > before);
}

#[test]
fn another_venues_mid_counts_in_its_own_ticks_while_its_book_is_fresh_and_live() {
    // The other's tick is a tenth of ours.
    let mut rig = held_against(ReferenceSource::Mid { instrument: SECOND, ticks: (1, 10) });
    look(&mut rig);
    assert_eq!(placed(&mut rig), 0);
    best(&mut rig, SECOND, 999_990, 1_000_010);
    look(&mut rig);
    assert_eq!(placed(&mut rig), 2);
    let lost = MarketEvent { lost: LostReason::Gap, ..rig.event(SECOND, MarketKind::Lost) };
    assert_eq!(rig.engine.on_market(&lost, &[], &[], rig.now), MarketReply::Ok);
    look(&mut rig);
    assert_eq!(pulled(&mut rig), 2);
    look(&mut rig);
    assert_eq!((placed(&mut rig), reason(&rig)), (0, Unquoted::ReferenceMissing));
    best(&mut rig, SECOND, 1_009_990, 1_010_010);
    look(&mut rig);
    assert_eq!((placed(&mut rig), reason(&rig)), (0, Unquoted::ReferenceFar), "a hundred basis points apart");
    best(&mut rig, SECOND, 999_990, 1_000_010);
    look(&mut rig);
    assert_eq!(placed(&mut rig), 2);
    for _ in 0..10 {
        look(&mut rig);
    }
    assert_eq!(pulled(&mut rig), 2, "the other's book is old");
    look(&mut rig);
    assert_eq!((placed(&mut rig), reason(&rig)), (0, Unquoted::ReferenceMissing));
}

#[test]
fn a_feed_that_is_behind_and_a_missing_reference_each_close_the_book_and_open_it_only_together() {
    let mut rig = held_against(ReferenceSource::LastTrade);
    rig.engine.set_feed_lag_max(FIRST, ms(5_000));
    let send = |rig: &mut Rig<Spread>, behind: Nanos| {
        for _ in 0..4 {
            rig.wait(ms(60));
            let event = MarketEvent { event_time: rig.now - behind, ..rig.event(FIRST, MarketKind::Delta) };
            let (bids, asks) = ([level(99_999, 1_000)], [level(100_001, 1_000)]);
            assert_eq!(rig.engine.on_market(&event, &bids, &asks, rig.now), MarketReply::Ok);
        }
    };
    best(&mut rig, FIRST, 99_999, 100_001);
    send(&mut rig, ms(8_000));
    trade(&mut rig, 100_000);
    send(&mut rig, ms(8_000));
    assert_eq!((placed(&mut rig), reason(&rig)), (0, Unquoted::FeedBehind));
    trade(&mut rig, 100_000);
    send(&mut rig, ms(1));
    assert_eq!(placed(&mut rig), 2);
    assert_eq!(rig.engine.instrument(FIRST).venue, VENUE);
}
