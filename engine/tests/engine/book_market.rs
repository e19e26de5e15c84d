//! COLD: the rules between a book, the venue's own best bid and ask, and what asks for a resync.

use spinbook_engine::book::BookState;
use spinbook_engine::event::{LostReason, MarketEvent, MarketKind, MarketReply};
use spinbook_engine::limits::TOUCH_HISTORY;
use spinbook_engine::market::Market;
use spinbook_engine::setup::{self, BookSettings};
use spinbook_engine::types::{Level, Nanos, Side, Stamp};

use crate::common::level;

struct Venue {
    market: Market,
    time: i64,
}

impl Venue {
    fn new() -> Venue {
        Venue { market: Market::new(setup::book(&BookSettings { outer_levels: 64 })), time: 0 }
    }

    /// A venue whose book is Live at update id 100: 50 at 1,000 bid, 70 at 1,002 asked.
    fn live() -> Venue {
        let mut venue = Venue::new();
        let answer = venue.send(MarketKind::Snapshot, 100, &[level(1_000, 50), level(999, 5)], &[level(1_002, 70)]);
        assert_eq!((answer, venue.market.state()), (MarketReply::Ok, BookState::Live));
        venue
    }

    fn send(&mut self, kind: MarketKind, sequence: u64, bids: &[Level], asks: &[Level]) -> MarketReply {
        self.send_as(MarketEvent { kind, sequence, ..MarketEvent::default() }, bids, asks)
    }

    fn send_as(&mut self, event: MarketEvent, bids: &[Level], asks: &[Level]) -> MarketReply {
        self.time += 1_000;
        let received = Stamp { wall: Nanos(self.time), tsc: 0 };
        let answer = self.market.on_event(&MarketEvent { received, ..event }, bids, asks);
        assert_eq!(self.market.book().check(), Ok(()));
        answer
    }

    fn lose(&mut self, lost: LostReason) -> MarketReply {
        self.send_as(MarketEvent { kind: MarketKind::Lost, lost, ..MarketEvent::default() }, &[], &[])
    }

    fn bbo(&self) -> (u64, u64) {
        (self.market.counters().bbo_checked, self.market.counters().bbo_matched)
    }
}

use MarketKind::{Delta, Snapshot, Touch, Trade};

#[test]
fn a_touch_that_comes_second_is_compared_with_the_book() {
    let mut venue = Venue::live();
    assert_eq!(venue.send(Delta, 101, &[level(1_001, 8)], &[]), MarketReply::Ok);
    assert_eq!(venue.send(Touch, 101, &[level(1_001, 8)], &[level(1_002, 70)]), MarketReply::Ok);
    assert_eq!(venue.bbo(), (1, 1));
    assert!(venue.market.is_quotable());
}

#[test]
fn a_touch_that_comes_first_is_compared_when_its_depth_message_comes() {
    let mut venue = Venue::live();
    assert_eq!(venue.send(Touch, 101, &[level(1_001, 8)], &[level(1_002, 70)]), MarketReply::Ok);
    assert_eq!(venue.send(Touch, 102, &[level(1_001, 9)], &[level(1_002, 70)]), MarketReply::Ok);
    assert_eq!(venue.bbo(), (0, 0));
    assert_eq!(venue.send(Delta, 101, &[level(1_001, 8)], &[]), MarketReply::Ok);
    assert_eq!(venue.bbo(), (1, 1));
    assert_eq!(venue.send(Delta, 103, &[level(1_001, 4)], &[]), MarketReply::Ok);
    assert_eq!(venue.bbo(), (1, 1), "no depth message carried 102");
}

#[test]
fn any_disagreement_in_price_or_quantity_loses_the_book() {
    let bid = level(1_001, 8);
    let ask = level(1_002, 70);
    let wrong: [(&[Level], &[Level]); 6] = [
        (&[level(1_000, 8)], &[ask]),
        (&[level(1_001, 7)], &[ask]),
        (&[bid], &[level(1_003, 70)]),
        (&[bid], &[level(1_002, 71)]),
        (&[], &[ask]),
        (&[bid], &[]),
    ];
    for touch_first in [true, false] {
        for (bids, asks) in wrong {
            let mut venue = Venue::live();
            let mut answers = [MarketReply::Ok; 2];
            let order = if touch_first { [Touch, Delta] } else { [Delta, Touch] };
            for (answer, kind) in answers.iter_mut().zip(order) {
                *answer = match kind {
                    Touch => venue.send(Touch, 101, bids, asks),
                    _ => venue.send(Delta, 101, &[bid], &[]),
                };
            }
            assert_eq!(answers, [MarketReply::Ok, MarketReply::Resync(LostReason::TouchMismatch)], "{bids:?} {asks:?}");
            assert_eq!(venue.market.state(), BookState::Lost(LostReason::TouchMismatch));
            assert_eq!((venue.bbo(), venue.market.counters().lost), ((1, 0), 1));
            assert_eq!((venue.market.reference(), venue.market.is_quotable()), (None, false));
            // The snapshot that follows makes it whole again.
            assert_eq!(venue.send(Delta, 102, &[bid], &[]), MarketReply::Ok);
            assert_eq!(venue.market.counters().ignored, 1);
            assert_eq!(venue.send(Snapshot, 200, &[bid], &[ask]), MarketReply::Ok);
            assert!(venue.market.is_quotable());
        }
    }
}

#[test]
fn an_empty_side_is_compared_as_such() {
    let mut venue = Venue::live();
    assert_eq!(venue.send(Touch, 101, &[level(1_000, 50)], &[]), MarketReply::Ok);
    assert_eq!(venue.send(Delta, 101, &[], &[level(1_002, 0)]), MarketReply::Ok);
    assert_eq!(venue.bbo(), (1, 1));
    assert!(!venue.market.is_quotable(), "one side is not a market");
}

#[test]
fn exactly_the_newest_touches_are_remembered() {
    for (later, checked) in [(TOUCH_HISTORY as u64 - 1, 1), (TOUCH_HISTORY as u64, 0)] {
        let mut venue = Venue::live();
        let _ = venue.send(Touch, 101, &[level(1_000, 50)], &[level(1_002, 70)]);
        for number in 0..later {
            let _ = venue.send(Touch, 500 + number, &[level(1_000, 50)], &[level(1_002, 70)]);
        }
        assert_eq!(venue.send(Delta, 101, &[], &[]), MarketReply::Ok);
        assert_eq!(venue.bbo(), (checked, checked), "{later} later touches");
    }
}

#[test]
fn only_depth_messages_make_pairs() {
    let mut venue = Venue::live();
    // A snapshot's id is no depth message's, whichever comes second.
    assert_eq!(venue.send(Touch, 100, &[level(1, 1)], &[level(2, 2)]), MarketReply::Ok);
    let _ = venue.send(Touch, 300, &[level(1, 1)], &[level(2, 2)]);
    assert_eq!(venue.send(Snapshot, 300, &[level(1_000, 50)], &[level(1_002, 70)]), MarketReply::Ok);
    // Id zero is no id.
    let _ = venue.send(Touch, 0, &[level(1, 1)], &[level(2, 2)]);
    assert_eq!(venue.send(Delta, 0, &[], &[]), MarketReply::Ok);
    assert_eq!(venue.send(Touch, 0, &[level(1, 1)], &[level(2, 2)]), MarketReply::Ok);
    assert_eq!(venue.bbo(), (0, 0));
}

#[test]
fn touches_before_the_snapshot_are_remembered_but_never_quoted_on() {
    let mut venue = Venue::new();
    assert_eq!(venue.send(Touch, 105, &[level(1_000, 50)], &[level(1_002, 70)]), MarketReply::Ok);
    assert_eq!(venue.send(Trade, 0, &[], &[level(1_002, 3)]), MarketReply::Ok);
    assert_eq!((venue.market.state(), venue.market.is_quotable()), (BookState::Empty, false));
    assert_eq!(venue.market.reference(), None);
    assert_eq!(venue.market.touch().map(|touch| touch.sequence), Some(105));
    assert_eq!(venue.send(Snapshot, 100, &[level(1_000, 40)], &[level(1_002, 70)]), MarketReply::Ok);
    assert_eq!(venue.send(Delta, 105, &[level(1_000, 50)], &[]), MarketReply::Ok);
    assert_eq!(venue.bbo(), (1, 1));
}

#[test]
fn a_crossed_live_book_is_counted_once_and_lost() {
    let mut venue = Venue::live();
    assert_eq!(venue.send(Delta, 101, &[level(1_002, 1)], &[]), MarketReply::Ok);
    assert!(!venue.market.is_quotable(), "locked: Live, but no place for a quote");
    assert_eq!(venue.market.state(), BookState::Live);
    assert_eq!(venue.send(Delta, 102, &[level(1_003, 1)], &[]), MarketReply::Resync(LostReason::Crossed));
    assert_eq!(venue.send(Delta, 103, &[level(1_004, 1)], &[]), MarketReply::Ok);
    assert_eq!(venue.market.counters().crossed, 1);
    assert_eq!(venue.market.state(), BookState::Lost(LostReason::Crossed));
    let crossed = venue.send(Snapshot, 200, &[level(5, 1)], &[level(4, 1)]);
    assert_eq!(crossed, MarketReply::Resync(LostReason::Crossed));
    assert_eq!(venue.market.counters().crossed, 2);
    assert!(!venue.market.is_quotable());
}

#[test]
fn the_reference_is_the_newer_of_book_and_touch() {
    let mut venue = Venue::live();
    let best = |venue: &Venue| venue.market.reference().and_then(|reference| reference.bid).map(|bid| bid.tick.0);
    assert_eq!(best(&venue), Some(1_000));
    let _ = venue.send(Touch, 110, &[level(995, 1)], &[level(1_002, 70)]);
    assert_eq!(best(&venue), Some(995));
    let _ = venue.send(Touch, 108, &[level(997, 1)], &[level(1_002, 70)]);
    assert_eq!(best(&venue), Some(995), "an older touch does not take a newer one's place");
    let _ = venue.send(Delta, 111, &[level(1_000, 0)], &[]);
    assert_eq!(best(&venue), Some(999));
    let _ = venue.send(Touch, 120, &[level(1_002, 1)], &[level(1_002, 70)]);
    assert!(!venue.market.is_quotable(), "the newer touch is locked");
    let _ = venue.lose(LostReason::Disconnected);
    let _ = venue.send(Snapshot, 50, &[level(7, 1)], &[level(9, 1)]);
    assert_eq!(best(&venue), Some(7), "the lost connection's last touch is forgotten");
}

#[test]
fn a_lost_book_stays_dark_until_a_snapshot() {
    let mut venue = Venue::live();
    assert_eq!(venue.lose(LostReason::Gap), MarketReply::Ok, "the feed knows already");
    assert_eq!(venue.market.state(), BookState::Lost(LostReason::Gap));
    for sequence in 101..110 {
        assert_eq!(venue.send(Delta, sequence, &[level(1_000, 1)], &[]), MarketReply::Ok);
        assert_eq!(venue.send(Touch, sequence, &[level(3, 1)], &[level(4, 1)]), MarketReply::Ok);
    }
    assert_eq!(venue.market.counters().ignored, 9);
    assert_eq!((venue.market.counters().depth_messages, venue.bbo()), (0, (0, 0)));
    assert_eq!(venue.send(Snapshot, 300, &[level(1_000, 1)], &[level(1_001, 1)]), MarketReply::Ok);
    assert_eq!(venue.lose(LostReason::Silent), MarketReply::Ok);
    assert_eq!((venue.market.counters().lost, venue.market.counters().snapshots), (2, 2));
    assert_eq!(venue.lose(LostReason::Silent), MarketReply::Ok);
    assert_eq!(venue.market.counters().lost, 2, "it was not Live any more");
}

#[test]
fn bad_levels_and_a_full_store_ask_for_a_resync() {
    let mut venue = Venue::live();
    assert_eq!(venue.send(Delta, 101, &[level(-5, 1)], &[]), MarketReply::Resync(LostReason::BadFrame));
    assert_eq!(venue.market.counters().bad_levels, 1);
    let mut venue = Venue::live();
    let far: Vec<Level> = (0..65).map(|n| level(1_000_000 + n, 1)).collect();
    assert_eq!(venue.send(Delta, 101, &[], &far), MarketReply::Resync(LostReason::OuterFull));
    assert_eq!(venue.market.counters().outer_full, 1);
    let larger = setup::larger_book(venue.market.book()).expect("far from the largest");
    let old = venue.market.exchange_book(larger);
    assert_eq!(old.state(), BookState::Lost(LostReason::OuterFull));
    assert_eq!(venue.market.state(), BookState::Empty);
    let asks: Vec<Level> = far.iter().copied().chain([level(1_002, 70)]).collect();
    assert_eq!(venue.send(Snapshot, 200, &[level(1_000, 1)], &asks), MarketReply::Ok);
    assert_eq!(venue.market.book().level_count(Side::Ask), 66);
}

#[test]
fn a_venue_that_sends_levels_without_end_has_no_book_beyond_the_ceiling() {
    let mut venue = Venue::live();
    let first = venue.market.book().outer_level_capacity();
    venue.market.set_outer_levels_max(4 * first);
    let mut bytes = Vec::new();
    let mut sequence = 101;
    // Far from the touch, another level each time, as long as anybody takes them.
    for round in 0..10 * first as i64 {
        sequence += 1;
        let answer = venue.send(Delta, sequence, &[], &[level(1_000_000 + round, 1)]);
        let MarketReply::Resync(reason) = answer else { continue };
        assert_eq!(reason, LostReason::OuterFull);
        bytes.push(venue.market.book().memory_bytes());
        if let Some(outer_levels) = venue.market.outer_levels_wanted() {
            venue.market.exchange_book(setup::book(&BookSettings { outer_levels }));
        }
        sequence += 1;
        let far: Vec<Level> = (0..=round).map(|n| level(1_000_000 + n, 1)).collect();
        let asks: Vec<Level> = [level(1_002, 70)].into_iter().chain(far).collect();
        if venue.send(Snapshot, sequence, &[level(1_000, 1)], &asks) != MarketReply::Ok {
            break;
        }
    }
    assert_eq!(bytes.len(), 3, "two larger books, then none");
    assert!(venue.market.is_overfull() && venue.market.best().is_none());
    assert_eq!(venue.market.book().outer_level_capacity(), 4 * first);
    // A snapshot would begin it all again, and with fewer levels for a while; it is not the venue's book.
    for _ in 0..5 {
        sequence += 1;
        let small = venue.send(Snapshot, sequence, &[level(1_000, 1)], &[level(1_002, 1)]);
        assert_eq!(small, MarketReply::Resync(LostReason::OuterFull));
        assert_eq!(venue.market.state(), BookState::Lost(LostReason::OuterFull));
        assert_eq!(venue.market.outer_levels_wanted(), None);
        assert_eq!(venue.market.book().memory_bytes(), *bytes.last().expect("three"));
    }
}

#[test]
fn trades_ages_and_counts_are_kept() {
    let mut venue = Venue::live();
    let at = MarketEvent { kind: Trade, event_time: Nanos(77), ..MarketEvent::default() };
    assert_eq!(venue.send_as(at, &[level(1_000, 4)], &[]), MarketReply::Ok);
    let trade = *venue.market.last_trade().expect("one came");
    assert_eq!((trade.level, trade.aggressor, trade.event_time), (level(1_000, 4), Side::Ask, Nanos(77)));
    assert_eq!(venue.send(Trade, 0, &[], &[level(1_002, 5)]), MarketReply::Ok);
    assert_eq!(venue.market.last_trade().map(|trade| trade.aggressor), Some(Side::Bid));
    assert_eq!(venue.send(Trade, 0, &[], &[]), MarketReply::Ok);
    let counters = *venue.market.counters();
    assert_eq!((counters.trades, counters.ignored, counters.snapshots, counters.levels), (2, 1, 1, 3));
    assert_eq!(venue.market.depth_event_time(), Nanos::ZERO, "a trade's time says nothing of the book's");
    assert_eq!(venue.market.received_last(), Nanos(4_000));
    assert_eq!((venue.market.age(Nanos(4_500)), venue.market.depth_age(Nanos(4_500))), (Nanos(500), Nanos(3_500)));
}
