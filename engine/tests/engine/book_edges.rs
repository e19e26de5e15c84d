//! COLD: the book where it is hard: bad levels, jumps, empty sides, a full far store, the ends of the range.

use std::collections::BTreeMap;

use spinbook_engine::book::{Book, BookFault, BookState, Horizon, Ratio, TICK_MAX};
use spinbook_engine::event::LostReason;
use spinbook_engine::limits::WINDOW_TICKS;
use spinbook_engine::setup::{self, BookSettings};
use spinbook_engine::types::{Level, Lots, Side, Tick};

use crate::common::{Random, level, seed_from};

const WINDOW: i64 = WINDOW_TICKS as i64;

fn book_of(bids: &[Level], asks: &[Level]) -> Book {
    let mut book = setup::book(&BookSettings::default());
    book.replace(1, bids, asks).expect("a plain snapshot");
    book
}

fn ticks(book: &Book, side: Side) -> Vec<i64> {
    book.check().expect("the book's invariants");
    book.levels(side).map(|level| level.tick.0).collect()
}

#[test]
fn an_empty_book_has_nothing_and_takes_no_changes() {
    let mut book = setup::book(&BookSettings::default());
    assert_eq!(book.state(), BookState::Empty);
    assert_eq!((book.best_bid(), book.best_ask(), book.microprice()), (None, None, None));
    assert_eq!(book.horizon(), Horizon::NOTHING);
    assert_eq!(book.apply(5, &[level(10, 1)], &[]), Err(BookFault::NotLive));
    assert_eq!((book.sequence(), book.level_count(Side::Bid)), (0, 0));
    assert_eq!(book.check(), Ok(()));
    assert_eq!(book.replace(7, &[], &[]), Ok(()));
    assert_eq!((book.state(), book.best_bid(), book.is_crossed()), (BookState::Live, None, false));
}

#[test]
fn a_level_that_no_book_can_hold_refuses_the_whole_message() {
    let outside = [-1, i64::MIN, i64::MAX, TICK_MAX.0 + 1, -TICK_MAX.0];
    let bad_price =
        outside.iter().flat_map(|&tick| [(level(tick, 1), BookFault::Price), (level(tick, 0), BookFault::Price)]);
    let bad_lots = [(level(5, -1), BookFault::Quantity), (level(5, i64::MIN), BookFault::Quantity)];
    for (bad, fault) in bad_price.chain(bad_lots) {
        for on_bids in [true, false] {
            for snapshot in [true, false] {
                let mut book = book_of(&[level(100, 3)], &[level(101, 4)]);
                let good = [level(99, 9), level(100, 0)];
                let message = [good[0], bad, good[1]];
                let (bids, asks): (&[Level], &[Level]) = if on_bids { (&message, &good) } else { (&good, &message) };
                let refused = if snapshot { book.replace(2, bids, asks) } else { book.apply(2, bids, asks) };
                assert_eq!(refused, Err(fault), "{bad:?}");
                assert_eq!(book.state(), BookState::Lost(LostReason::BadFrame));
                assert_eq!(book.sequence(), 1, "nothing of it was applied");
                assert_eq!(ticks(&book, Side::Bid), [100]);
                assert_eq!(ticks(&book, Side::Ask), [101]);
                assert_eq!(book.apply(3, &[], &[]), Err(BookFault::NotLive));
                assert_eq!(book.replace(4, &good, &[]), Ok(()));
                assert_eq!((book.state(), ticks(&book, Side::Bid)), (BookState::Live, vec![99]));
            }
        }
    }
}

#[test]
fn a_bad_level_is_found_wherever_it_stands_and_good_ones_pass() {
    let mut book = book_of(&[level(100, 3)], &[level(200, 4)]);
    let mut sequence = 1;
    for length in 1..=40 {
        let good: Vec<Level> = (0..length).map(|index| level(100 - index, 1 + index)).collect();
        sequence += 1;
        assert_eq!(book.apply(sequence, &good, &[]), Ok(()), "{length} good bids");
        assert_eq!(book.apply(sequence, &[], &good), Ok(()), "{length} good asks");
        for place in 0..good.len() {
            for (bad, fault) in [(level(-1, 1), BookFault::Price), (level(50, -1), BookFault::Quantity)] {
                let mut message = good.clone();
                message[place] = bad;
                assert_eq!(book.apply(sequence, &message, &good), Err(fault), "bid {place} of {length}");
                assert_eq!(book.replace(sequence, &[], &good), Ok(()));
                assert_eq!(book.apply(sequence, &good, &message), Err(fault), "ask {place} of {length}");
                assert_eq!(book.replace(sequence, &good, &[]), Ok(()));
            }
        }
    }
}

#[test]
fn a_level_far_on_the_better_side_becomes_the_best() {
    let mut book = book_of(&[level(1_000_000, 3), level(999_000, 5)], &[level(1_000_001, 4), level(1_000_500, 2)]);
    book.apply(2, &[level(10_000_000, 7)], &[level(10_000_001, 1), level(1_000_001, 0), level(1_000_500, 0)])
        .expect("a jump up");
    assert_eq!((book.best_bid(), book.best_ask()), (Some(level(10_000_000, 7)), Some(level(10_000_001, 1))));
    assert_eq!(ticks(&book, Side::Bid), [10_000_000, 1_000_000, 999_000]);
    book.apply(3, &[level(10_000_000, 0), level(1_000_000, 0), level(999_000, 0)], &[level(100_001, 6)])
        .expect("a jump down");
    assert_eq!((book.best_bid(), book.best_ask()), (None, Some(level(100_001, 6))));
    book.apply(4, &[level(100_000, 8)], &[]).expect("the bids are back");
    assert_eq!(ticks(&book, Side::Bid), [100_000]);
    assert_eq!(ticks(&book, Side::Ask), [100_001, 10_000_001]);
}

#[test]
fn an_emptied_window_finds_its_best_far_away() {
    let near: Vec<Level> = (0..500).map(|n| level(3_000_000 - n * 7, 1 + n)).collect();
    let far: Vec<Level> = (1..300).map(|n| level(3_000_000 - n * 9_999, n)).collect();
    let mut book = book_of(&[near.clone(), far.clone()].concat(), &[]);
    assert!(book.outer_level_count(Side::Bid) > 200);
    let deletes: Vec<Level> = near.iter().chain(&far[..3]).map(|held| level(held.tick.0, 0)).collect();
    book.apply(2, &deletes, &[]).expect("deletes");
    assert_eq!(book.best_bid(), Some(far[3]));
    assert_eq!(ticks(&book, Side::Bid), far[3..].iter().map(|held| held.tick.0).collect::<Vec<_>>());
    let deletes: Vec<Level> = far.iter().map(|held| level(held.tick.0, 0)).collect();
    book.apply(3, &deletes, &[]).expect("the rest");
    assert_eq!((book.best_bid(), book.level_count(Side::Bid)), (None, 0));
    book.apply(4, &[level(5, 5)], &[]).expect("one again");
    assert_eq!(book.best_bid(), Some(level(5, 5)));
}

#[test]
fn a_slow_walk_through_many_windows_keeps_every_level() {
    let mut book = book_of(&[], &[]);
    let mut truth = BTreeMap::new();
    let up = (0..400).map(|step| 50_000 + step * 1_000);
    for (sequence, touch) in up.clone().chain(up.rev()).enumerate() {
        let gone: Vec<i64> = truth.range(touch + 1..).map(|(&tick, _)| tick).collect();
        let mut bids: Vec<Level> = gone.iter().map(|&tick| level(tick, 0)).collect();
        bids.extend([level(touch, 1 + touch), level(touch - 333, 2), level(touch - 40_000, 3)]);
        book.apply(sequence as u64, &bids, &[]).expect("room for all");
        for held in &bids {
            truth.insert(held.tick.0, held.lots.0);
        }
        truth.retain(|_, lots| *lots != 0);
        assert_eq!(book.best_bid().map(|best| best.tick.0), truth.keys().next_back().copied(), "touch {touch}");
        if sequence % 50 == 0 {
            assert_eq!(ticks(&book, Side::Bid), truth.keys().rev().copied().collect::<Vec<_>>(), "touch {touch}");
        }
    }
}

#[test]
fn the_last_of_duplicates_counts_and_unknown_deletes_are_nothing() {
    let mut book = book_of(&[level(10, 1), level(10, 2), level(9, 5), level(9, 0)], &[level(11, 0)]);
    assert_eq!((ticks(&book, Side::Bid), book.best_bid()), (vec![10], Some(level(10, 2))));
    assert_eq!(book.best_ask(), None);
    let message = [level(8, 0), level(7, 1), level(7, 0), level(10, 0), level(10, 6), level(900_000_000, 0)];
    book.apply(2, &message, &message[..1]).expect("unknown deletes");
    assert_eq!((ticks(&book, Side::Bid), book.best_bid()), (vec![10], Some(level(10, 6))));
}

#[test]
fn horizon_is_what_the_snapshot_listed() {
    let mut book = book_of(&[level(90, 1), level(80, 1)], &[level(91, 1), level(120, 1)]);
    let horizon = Horizon { bid_low: Tick(80), ask_high: Tick(120) };
    assert_eq!(book.horizon(), horizon);
    assert!(horizon.covers(Side::Bid, Tick(80)) && !horizon.covers(Side::Bid, Tick(79)));
    assert!(horizon.covers(Side::Ask, Tick(120)) && !horizon.covers(Side::Ask, Tick(121)));
    book.apply(2, &[level(10, 1)], &[level(500, 1)]).expect("levels beyond the horizon");
    assert_eq!(book.horizon(), horizon, "single levels beyond it make nothing else known");
    book.replace(3, &[], &[level(100, 1)]).expect("one side");
    assert!(!book.horizon().covers(Side::Bid, Tick(50)) && book.horizon().covers(Side::Ask, Tick(100)));
}

#[test]
fn locked_is_not_crossed() {
    let mut book = book_of(&[level(100, 1)], &[level(101, 1)]);
    assert!(!book.is_crossed());
    book.apply(2, &[level(101, 1)], &[]).expect("locked");
    assert!(!book.is_crossed());
    book.apply(3, &[level(102, 1)], &[]).expect("crossed");
    assert!(book.is_crossed());
}

#[test]
fn measures_are_exact_with_and_without_our_own_orders() {
    let book =
        book_of(&[level(100, 30), level(99, 10), level(97, 60)], &[level(102, 10), level(103, 40), level(110, 50)]);
    assert_eq!(book.imbalance(2), (40, 50));
    assert_eq!((book.depth(Side::Bid, 10), book.depth(Side::Ask, 0)), (100, 0));
    assert_eq!(book.microprice(), Some(Ratio { numerator: 100 * 10 + 102 * 30, denominator: 40 }));
    assert_eq!(book.microprice().map(|price| (price.floor(), price.ceil())), Some((101, 102)));
    let vwap = book.vwap(Side::Ask, Lots(60));
    assert_eq!(vwap, Some(Ratio { numerator: 102 * 10 + 103 * 40 + 110 * 10, denominator: 60 }));
    assert_eq!((book.vwap(Side::Ask, Lots(101)), book.vwap(Side::Ask, Lots(0))), (None, None));
    let own_bids = [level(100, 30), level(97, 1), level(97, 2), level(50, 9)];
    let own_asks = [level(103, 100)];
    assert_eq!(book.imbalance_net(2, &own_bids, &own_asks), (10 + 57, 10 + 50));
    assert_eq!(book.best_net(Side::Bid, &own_bids), Some(level(99, 10)));
    let micro = book.microprice_net(&own_bids, &own_asks);
    assert_eq!(micro, Some(Ratio { numerator: 99 * 10 + 102 * 10, denominator: 20 }));
    let vwap = book.vwap_net(Side::Ask, Lots(60), &own_asks);
    assert_eq!(vwap, Some(Ratio { numerator: 102 * 10 + 110 * 50, denominator: 60 }));
    let all = [level(100, i64::MAX), level(100, i64::MAX), level(99, 10), level(97, 60)];
    assert_eq!(book.best_net(Side::Bid, &all), None);
    assert_eq!(book.microprice_net(&all, &[]), None);
    let huge = book_of(&[level(TICK_MAX.0, i64::MAX)], &[level(TICK_MAX.0, i64::MAX), level(TICK_MAX.0 - 1, i64::MAX)]);
    assert_eq!(huge.depth(Side::Ask, 2), 2 * i128::from(i64::MAX));
    assert!(huge.vwap(Side::Ask, Lots(i64::MAX)).is_some() && huge.microprice().is_some());
}

#[test]
fn a_full_far_store_is_said_and_rebuilt_larger() {
    let mut book = setup::book(&BookSettings { outer_levels: 100 });
    let touch = level(1_000_000, 1);
    book.replace(1, &[touch], &[]).expect("a touch");
    let far: Vec<Level> = (0..100).map(|n| level(500_000 - n * 3, 1)).collect();
    book.apply(2, &far, &[]).expect("exactly as many as fit");
    assert_eq!(book.outer_level_count(Side::Bid), 100);
    assert_eq!(book.apply(3, &[level(7, 0), level(500_000, 9)], &[]), Ok(()), "no new level, no new room");
    assert_eq!(book.apply(4, &[level(400_000, 1)], &[]), Err(BookFault::OuterFull));
    assert_eq!(book.state(), BookState::Lost(LostReason::OuterFull));
    assert_eq!(book.check(), Ok(()));
    assert_eq!(book.apply(5, &[], &[]), Err(BookFault::NotLive));
    let mut larger = setup::larger_book(&book).expect("far from the largest");
    assert_eq!((larger.state(), larger.outer_level_capacity()), (BookState::Empty, 200));
    let all: Vec<Level> = far.iter().copied().chain([touch, level(400_000, 1)]).collect();
    larger.replace(6, &all, &[]).expect("room for all now");
    assert_eq!((larger.check(), larger.level_count(Side::Bid)), (Ok(()), 102));
}

#[test]
fn a_window_that_cannot_be_moved_is_a_full_far_store_too() {
    let mut book = setup::book(&BookSettings { outer_levels: 50 });
    let near: Vec<Level> = (0..50).map(|n| level(1_000_000 - n, 1)).collect();
    book.replace(1, &near, &[]).expect("all in the window");
    assert_eq!(book.apply(2, &[level(2_000_000, 5)], &[]), Err(BookFault::OuterFull));
    assert_eq!(book.state(), BookState::Lost(LostReason::OuterFull));
    assert_eq!(book.best_bid(), Some(level(2_000_000, 5)), "what is known stays readable and right");
    assert_eq!(book.levels(Side::Bid).count(), 51);
    assert_eq!(book.check(), Ok(()));
}

/// Only far levels change, around a touch that stays, so the store's load is known exactly.
fn churn_far(seed: u64, capacity: usize, span: i64, messages: u64) -> u64 {
    let mut random = Random::new(seed);
    let mut book = setup::book(&BookSettings { outer_levels: capacity });
    book.replace(0, &[], &[level(1_000, 1)]).expect("a touch");
    let mut truth = BTreeMap::from([(1_000, 1)]);
    let mut full = 0;
    for message in 1..messages {
        let tick = 1_000 + 2 * WINDOW + random.below(span as u64) as i64;
        // Phases of filling and of thinning out, so that leaves split, empty and have to be joined again.
        let filling = (message / (capacity as u64 * 2)).is_multiple_of(2);
        let lots = if random.below(100) < if filling { 85 } else { 30 } { 1 + random.below(9) as i64 } else { 0 };
        let fits = lots == 0 || truth.contains_key(&tick) || truth.len() <= capacity;
        let tick = if lots == 0 { truth.range(tick..).next().map_or(tick, |(&held, _)| held) } else { tick };
        let applied = book.apply(message, &[], &[level(tick, lots)]);
        assert_eq!(applied, if fits { Ok(()) } else { Err(BookFault::OuterFull) }, "seed {seed} message {message}");
        if fits {
            if lots == 0 {
                truth.remove(&tick)
            } else {
                truth.insert(tick, lots)
            };
        } else {
            full += 1;
            let levels: Vec<Level> = truth.iter().map(|(&tick, &lots)| level(tick, lots)).collect();
            book.replace(message, &[], &levels).expect("it fitted before");
        }
        if message % 101 == 0 {
            book.check().unwrap_or_else(|fault| panic!("seed {seed} message {message}: {fault}"));
            let expected: Vec<Level> = truth.iter().map(|(&tick, &lots)| level(tick, lots)).collect();
            assert_eq!(book.levels(Side::Ask).collect::<Vec<_>>(), expected, "seed {seed} message {message}");
        }
    }
    full
}

#[test]
fn the_far_store_holds_exactly_its_capacity_in_any_order() {
    let seed = seed_from("SPINBOOK_SEED");
    println!("seed {seed}");
    for (index, (capacity, span)) in
        [(1, 10), (31, 200), (33, 60), (64, 1_000), (500, 2_000), (3_000, 1 << 40)].iter().enumerate()
    {
        let full = churn_far(seed.wrapping_add(index as u64), *capacity, *span, 12_000.max(*capacity as u64 * 10));
        println!("capacity {capacity}, span {span}: {full} times full");
        assert!(full > 0, "seed {seed}: capacity {capacity} was never reached");
    }
}

#[test]
fn scattered_deletions_do_not_use_the_store_up() {
    const CAPACITY: usize = 2_048;
    let mut book = setup::book(&BookSettings { outer_levels: CAPACITY });
    book.replace(0, &[], &[level(1_000, 1)]).expect("a touch");
    let mut truth = BTreeMap::new();
    let set = |book: &mut Book, truth: &mut BTreeMap<i64, i64>, tick: i64, lots: i64| {
        book.apply(1, &[], &[level(tick, lots)]).unwrap_or_else(|fault| panic!("tick {tick}: {fault}"));
        if lots == 0 {
            truth.remove(&tick)
        } else {
            truth.insert(tick, lots)
        };
    };
    // Leaf after leaf is filled, split and left with a level or two, far more leaves than there are: few levels,
    // yet every leaf would be in use if none were ever joined again.
    for region in (0..400).rev() {
        let base = 1_000_000 + region * 1_000;
        for tick in (base..base + 40).rev() {
            set(&mut book, &mut truth, tick, tick);
        }
        for tick in (base..base + 40).filter(|tick| tick % 16 != 0) {
            set(&mut book, &mut truth, tick, 0);
        }
        book.check().unwrap_or_else(|fault| panic!("region {region}: {fault}"));
    }
    let expected: Vec<Level> = truth.iter().map(|(&tick, &lots)| level(tick, lots)).collect();
    assert_eq!(book.levels(Side::Ask).skip(1).collect::<Vec<_>>(), expected);
    assert!(truth.len() < CAPACITY / 2, "{}", truth.len());
    // And then up to the very last level that fits, in gaps all over.
    for number in 0.. {
        if truth.len() == CAPACITY {
            break;
        }
        set(&mut book, &mut truth, 1_000_100 + number * 7_919 % 400_000, 2);
    }
    book.check().expect("a full store");
    let expected: Vec<Level> = truth.iter().map(|(&tick, &lots)| level(tick, lots)).collect();
    assert_eq!(book.levels(Side::Ask).skip(1).collect::<Vec<_>>(), expected);
}

#[test]
fn a_dense_side_loses_nothing_at_the_edges_of_its_window() {
    // Every tick of several windows is a level, so every edge of every strip has one on both sides.
    let mut book = setup::book(&BookSettings { outer_levels: 1 << 17 });
    let (low, high) = (300_000, 300_000 + 3 * WINDOW);
    let all: Vec<Level> = (low..high).map(|tick| level(tick, tick)).collect();
    for side in Side::BOTH {
        let send = |book: &mut Book, levels: &[Level]| match side {
            Side::Bid => book.apply(1, levels, &[]),
            Side::Ask => book.apply(1, &[], levels),
        };
        let mut touch = if side == Side::Bid { high - 1 } else { low };
        let inward = if side == Side::Bid { -1 } else { 1 };
        let (bids, asks): (&[Level], &[Level]) = if side == Side::Bid { (&all, &[]) } else { (&[], &all) };
        book.replace(0, bids, asks).expect("room for all");
        for step in [5_000, 1, 8_192, 30_000, -4_097, -9_000, -25_000, 40_000, -40_000, 70_000, -70_001] {
            let next = touch + inward * step;
            let (from, until) = (touch.min(next), touch.max(next));
            let gone = step > 0;
            let changed = (from..=until).filter(|&tick| if gone { tick != next } else { tick != touch });
            let changed: Vec<Level> = changed.map(|tick| level(tick, if gone { 0 } else { tick })).collect();
            send(&mut book, &changed).unwrap_or_else(|fault| panic!("{side:?} {step}: {fault}"));
            touch = next;
            assert_eq!(book.best(side), Some(level(touch, touch)), "{side:?} {step}");
            book.check().unwrap_or_else(|fault| panic!("{side:?} {step}: {fault}"));
            let expected = if side == Side::Bid { touch - low + 1 } else { high - touch };
            assert_eq!(book.level_count(side) as i64, expected, "{side:?} {step}");
        }
    }
}

#[test]
fn a_default_book_takes_at_most_two_mebibytes() {
    let book = setup::book(&BookSettings::default());
    println!("{} bytes", book.memory_bytes());
    assert!(book.memory_bytes() <= 2 << 20, "{}", book.memory_bytes());
}
