//! COLD: a feed that is behind the venue's own time is not quoted on, however fresh its messages are.

use crate::rig::{FIRST, Plan, Rig, level, ms};
use spinbook_engine::counters::Counter;
use spinbook_engine::event::{MarketEvent, MarketKind, MarketReply};
use spinbook_engine::intent::Intent;
use spinbook_engine::strategy::Spread;
use spinbook_engine::types::{Nanos, Side};
use spinbook_engine::unquoted::Unquoted;

/// An engine whose gateway is ready, with this limit of the lag.
fn limited(lag_max: Nanos) -> Rig<Spread> {
    let mut rig = Plan::new().build();
    rig.engine.set_feed_lag_max(FIRST, lag_max);
    rig.ready()
}

/// A message in hand now that happened `behind` ago by the venue's clock, `None`: which prints no time; then the timer.
fn send(rig: &mut Rig<Spread>, kind: MarketKind, behind: Option<Nanos>) {
    let event_time = behind.map_or(Nanos::ZERO, |behind| rig.now - behind);
    let event = MarketEvent { event_time, ..rig.event(FIRST, kind) };
    let (bids, asks) = ([level(99_999, 1_000)], [level(100_001, 1_000)]);
    assert_eq!(rig.engine.on_market(&event, &bids, &asks, rig.now), MarketReply::Ok);
    rig.engine.on_timer(rig.now);
}

/// A tenth of a second later, in which the engine looks at everything once.
fn send_later(rig: &mut Rig<Spread>, kind: MarketKind, behind: Option<Nanos>) {
    rig.wait(ms(100));
    send(rig, kind, behind);
}

fn reason(rig: &Rig<Spread>) -> Unquoted {
    rig.engine.unquoted(FIRST).now(Side::Bid)
}

/// Both quotes go, and the venue confirms it.
fn pulled(rig: &mut Rig<Spread>) -> Vec<Intent> {
    let cancels = rig.cancelled();
    for cancel in &cancels {
        rig.cancel_done(cancel);
    }
    cancels
}

#[test]
fn quotes_go_when_the_feed_falls_behind_and_come_back_when_it_has_caught_up() {
    let mut rig = limited(ms(5_000));
    send(&mut rig, MarketKind::Snapshot, Some(ms(20)));
    assert_eq!(rig.accept_all().len(), 2, "within the limit: quoted in the same turn");
    for behind in [20, 1_000, 4_999, 5_000] {
        send_later(&mut rig, MarketKind::Delta, Some(ms(behind)));
        assert!(rig.cancelled().is_empty(), "{behind} ms behind");
    }
    send_later(&mut rig, MarketKind::Delta, Some(ms(8_000)));
    rig.wait(ms(100));
    assert_eq!(pulled(&mut rig).len(), 2, "each message is fresh, what it tells is not");
    // It stays so, however many messages come and whatever the trades say.
    for _ in 0..50 {
        send_later(&mut rig, MarketKind::Delta, Some(ms(8_000)));
        send_later(&mut rig, MarketKind::Trade, Some(ms(1)));
        assert!(rig.places().is_empty());
    }
    assert_eq!((reason(&rig), rig.count(Counter::FeedsBehind)), (Unquoted::FeedBehind, 1));
    assert_eq!(rig.count(Counter::BooksStale), 0, "the book is not old");
    send_later(&mut rig, MarketKind::Delta, Some(ms(30)));
    rig.wait(ms(100));
    assert_eq!(rig.accept_all().len(), 2, "caught up");
    rig.wait(ms(100));
    assert_eq!((reason(&rig), rig.count(Counter::FeedsBehind)), (Unquoted::No, 1));
}

#[test]
fn a_book_that_comes_back_from_silence_is_decided_on_when_what_waited_behind_its_first_message_is_in() {
    let mut rig = limited(ms(5_000));
    send(&mut rig, MarketKind::Snapshot, Some(ms(20)));
    assert_eq!(rig.accept_all().len(), 2);
    rig.wait(ms(4_000));
    rig.engine.on_timer(rig.now);
    assert_eq!(pulled(&mut rig).len(), 2, "nothing came for too long");
    // Within the limit of the lag, and still what a market was seconds ago: the rest is at the door.
    for behind in [3_900, 3_000, 2_000, 1_000, 20] {
        send(&mut rig, MarketKind::Delta, Some(ms(behind)));
        assert!(rig.places().is_empty(), "{behind} ms behind");
    }
    rig.wait(ms(40));
    rig.engine.on_timer(rig.now);
    assert!(rig.places().is_empty(), "more may be on its way");
    send_later(&mut rig, MarketKind::Delta, Some(ms(20)));
    rig.wait(ms(100));
    assert_eq!(rig.accept_all().len(), 2, "all of it was there");
    assert_eq!(rig.count(Counter::FeedsBehind), 0);
    // A book that is one-sided for a moment has not been silent.
    let event = rig.event(FIRST, MarketKind::Delta);
    assert_eq!(rig.engine.on_market(&event, &[level(99_999, 0)], &[], rig.now), MarketReply::Ok);
    pulled(&mut rig);
    send(&mut rig, MarketKind::Delta, Some(ms(20)));
    assert_eq!(rig.places().len(), 2);
}

#[test]
fn a_feed_with_times_an_hour_old_from_its_first_message_on_is_never_quoted_on() {
    let hour = Nanos::from_seconds(3_600);
    for snapshot in [Some(hour), None] {
        let mut rig = limited(ms(5_000));
        send(&mut rig, MarketKind::Snapshot, snapshot);
        for _ in 0..50 {
            send_later(&mut rig, MarketKind::Delta, Some(hour));
            assert!(rig.places().is_empty(), "not even one");
        }
        assert_eq!((reason(&rig), rig.count(Counter::FeedsBehind)), (Unquoted::FeedBehind, 1));
    }
}

#[test]
fn a_new_book_is_judged_anew_before_it_is_quoted_on() {
    let mut rig = limited(ms(5_000));
    send(&mut rig, MarketKind::Snapshot, None);
    rig.wait(ms(500));
    assert!(rig.places().is_empty(), "a snapshot without a time says nothing of the feed");
    assert_eq!((reason(&rig), rig.count(Counter::FeedsBehind)), (Unquoted::BookWaiting, 0));
    send(&mut rig, MarketKind::Delta, Some(ms(40)));
    rig.wait(ms(100));
    assert_eq!(rig.accept_all().len(), 2);
    rig.lose(spinbook_engine::event::LostReason::Gap);
    assert_eq!(pulled(&mut rig).len(), 2);
    send_later(&mut rig, MarketKind::Snapshot, Some(ms(9_000)));
    rig.wait(ms(100));
    assert!(rig.places().is_empty(), "what was known of the old book holds no more");
    // A snapshot on a Live book changes nothing but its levels: what is known of the feed stays.
    send_later(&mut rig, MarketKind::Delta, Some(ms(40)));
    rig.wait(ms(100));
    assert_eq!(rig.accept_all().len(), 2);
    send(&mut rig, MarketKind::Snapshot, None);
    assert!(rig.cancelled().is_empty());
}

#[test]
fn what_cannot_or_shall_not_be_judged_is_quoted_on() {
    let years = Nanos::from_seconds(60_000_000);
    let mut recorded = Plan::new().build().ready();
    send(&mut recorded, MarketKind::Snapshot, Some(years));
    assert_eq!(recorded.places().len(), 2, "no limit was set: a recording's times are its own");
    let mut untimed = limited(ms(5_000));
    send(&mut untimed, MarketKind::Snapshot, None);
    send(&mut untimed, MarketKind::Delta, None);
    untimed.wait(ms(100));
    assert_eq!(untimed.places().len(), 2, "a venue that prints no times");
}

#[test]
fn the_limit_may_hold_what_one_clock_is_ahead_of_the_other() {
    // Our clock is 10 s behind the venue's: messages seem to come before they happen.
    let mut rig = limited(ms(5_000 - 10_000));
    send(&mut rig, MarketKind::Snapshot, Some(ms(-9_900)));
    assert_eq!(rig.accept_all().len(), 2);
    send_later(&mut rig, MarketKind::Delta, Some(ms(-4_900)));
    rig.wait(ms(100));
    assert_eq!(pulled(&mut rig).len(), 2, "5.1 s behind by the venue's clock");
}
