//! COLD: the book against a slow truth: a BTreeMap a side, over random streams whose seed is printed.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use spinbook_engine::book::{Book, BookState, Ratio, TICK_MAX};
use spinbook_engine::setup::{self, BookSettings};
use spinbook_engine::types::{Level, Lots, Side, Tick};

use crate::common::{Random, level, seed_from};

/// The slow truth.
#[derive(Default)]
struct Oracle {
    bids: BTreeMap<i64, i64>,
    asks: BTreeMap<i64, i64>,
}

impl Oracle {
    fn apply(&mut self, bids: &[Level], asks: &[Level]) {
        for (map, levels) in [(&mut self.bids, bids), (&mut self.asks, asks)] {
            for level in levels {
                if level.lots.is_zero() {
                    map.remove(&level.tick.0);
                } else {
                    map.insert(level.tick.0, level.lots.0);
                }
            }
        }
    }

    fn replace(&mut self, bids: &[Level], asks: &[Level]) {
        self.bids.clear();
        self.asks.clear();
        self.apply(bids, asks);
    }

    fn levels(&self, side: Side) -> Vec<Level> {
        match side {
            Side::Bid => self.bids.iter().rev().map(|(&tick, &lots)| level(tick, lots)).collect(),
            Side::Ask => self.asks.iter().map(|(&tick, &lots)| level(tick, lots)).collect(),
        }
    }

    fn levels_net(&self, side: Side, own: &[Level]) -> Vec<Level> {
        let net = |held: Level| {
            let ours: i128 = own.iter().filter(|o| o.tick == held.tick).map(|o| i128::from(o.lots.0)).sum();
            level(held.tick.0, (i128::from(held.lots.0) - ours).max(0) as i64)
        };
        self.levels(side).into_iter().map(net).filter(|held| held.lots.0 > 0).collect()
    }

    fn vwap(levels: &[Level], lots: i64) -> Option<Ratio> {
        let mut left = i128::from(lots);
        let mut value = 0;
        for held in levels {
            let taken = left.min(i128::from(held.lots.0));
            value += taken * i128::from(held.tick.0);
            left -= taken;
        }
        (left == 0 && lots > 0).then_some(Ratio { numerator: value, denominator: i128::from(lots) })
    }
}

fn assert_same(book: &Book, oracle: &Oracle, context: &str) {
    book.check().unwrap_or_else(|fault| panic!("{context}: {fault}"));
    for side in Side::BOTH {
        let expected = oracle.levels(side);
        let found: Vec<Level> = book.levels(side).collect();
        assert_eq!(found, expected, "{context}: {side:?}");
        assert_eq!(book.level_count(side), expected.len(), "{context}");
        assert_eq!(book.best(side), expected.first().copied(), "{context}: best {side:?}");
    }
}

fn assert_same_best(book: &Book, oracle: &Oracle, context: &str) {
    let bid = oracle.bids.last_key_value().map(|(&tick, &lots)| level(tick, lots));
    let ask = oracle.asks.first_key_value().map(|(&tick, &lots)| level(tick, lots));
    assert_eq!(book.best_bid(), bid, "{context}: best bid");
    assert_eq!(book.best_ask(), ask, "{context}: best ask");
}

/// The same question after every message, so that the answer is followed from one to the next.
fn assert_same_depth(book: &Book, oracle: &Oracle, shape: &Shape, context: &str) {
    let sum = |lots: &mut dyn Iterator<Item = &i64>| lots.map(|&lots| i128::from(lots)).sum::<i128>();
    let bids = sum(&mut oracle.bids.values().rev().take(shape.depth_levels));
    let asks = sum(&mut oracle.asks.values().take(shape.depth_levels));
    assert_eq!(book.imbalance(shape.depth_levels), (bids, asks), "{context}: depth");
}

fn assert_same_measures(book: &Book, oracle: &Oracle, random: &mut Random, context: &str) {
    let own: Vec<Vec<Level>> = Side::BOTH.map(|side| random.own_orders(&oracle.levels(side))).into();
    for own in [&own[..], &[vec![], vec![]][..]] {
        let bids = oracle.levels_net(Side::Bid, &own[0]);
        let asks = oracle.levels_net(Side::Ask, &own[1]);
        let sum = |levels: &[Level], n: usize| levels.iter().take(n).map(|l| i128::from(l.lots.0)).sum::<i128>();
        for n in [0, 1, 5, 50, 5_000] {
            assert_eq!(book.imbalance_net(n, &own[0], &own[1]), (sum(&bids, n), sum(&asks, n)), "{context}");
        }
        for (side, levels, own) in [(Side::Bid, &bids, &own[0]), (Side::Ask, &asks, &own[1])] {
            for lots in [0, 1, 1_000, 1_000_000, i64::MAX] {
                assert_eq!(book.vwap_net(side, Lots(lots), own), Oracle::vwap(levels, lots), "{context}");
            }
            if own.is_empty() {
                assert_eq!(book.depth(side, 7), sum(levels, 7), "{context}");
                assert_eq!(book.vwap(side, Lots(500)), Oracle::vwap(levels, 500), "{context}");
            }
        }
        let micro = bids.first().zip(asks.first()).map(|(bid, ask)| Ratio {
            numerator: i128::from(bid.tick.0) * i128::from(ask.lots.0)
                + i128::from(ask.tick.0) * i128::from(bid.lots.0),
            denominator: i128::from(bid.lots.0) + i128::from(ask.lots.0),
        });
        assert_eq!(book.microprice_net(&own[0], &own[1]), micro, "{context}");
        if own[0].is_empty() && own[1].is_empty() {
            assert_eq!(book.microprice(), micro, "{context}");
        }
    }
}

/// How a random market moves and how far its levels spread.
struct Shape {
    name: &'static str,
    start: i64,
    step: i64,
    spread_of_levels: i64,
    jump_chance: u64,
    levels_max: u64,
    delete_percent: u64,
    depth_levels: usize,
}

const SHAPES: [Shape; 5] = [
    Shape {
        name: "dense",
        start: 650_000,
        step: 3,
        spread_of_levels: 200,
        jump_chance: 0,
        levels_max: 40,
        delete_percent: 40,
        depth_levels: 20,
    },
    Shape {
        name: "walk",
        start: 6_500_000,
        step: 900,
        spread_of_levels: 60_000,
        jump_chance: 0,
        levels_max: 60,
        delete_percent: 50,
        depth_levels: 10,
    },
    Shape {
        name: "jumps",
        start: 40_000,
        step: 50,
        spread_of_levels: 30_000,
        jump_chance: 60,
        levels_max: 30,
        delete_percent: 60,
        depth_levels: 3,
    },
    Shape {
        name: "sparse",
        start: 5_000_000,
        step: 2_000,
        spread_of_levels: 4_000_000,
        jump_chance: 200,
        levels_max: 60,
        delete_percent: 45,
        depth_levels: 40,
    },
    Shape {
        name: "penny",
        start: 40,
        step: 2,
        spread_of_levels: 300,
        jump_chance: 100,
        levels_max: 10,
        delete_percent: 70,
        depth_levels: 1,
    },
];

impl Random {
    fn side(&mut self, shape: &Shape, side: Side, touch: i64, known: &BTreeMap<i64, i64>) -> Vec<Level> {
        let count = self.below(shape.levels_max + 1);
        let mut levels = Vec::new();
        for _ in 0..count {
            let delete = self.below(100) < shape.delete_percent;
            let tick = if delete && !known.is_empty() && self.below(10) > 0 {
                // Mostly something that is there, and of that mostly the touch.
                let best = if side == Side::Bid { known.last_key_value() } else { known.first_key_value() };
                let anchor = touch + self.signed(shape.spread_of_levels);
                match (self.below(3), best) {
                    (0, Some((&tick, _))) => tick,
                    _ => known.range(anchor..).next().or(known.first_key_value()).map_or(touch, |(&tick, _)| tick),
                }
            } else {
                // Dense at the touch, thin far away; a few on the wrong side of it.
                let width = 1 + self.below(shape.spread_of_levels as u64);
                let distance = self.below(width) as i64 - 2;
                if side == Side::Bid { touch - distance } else { touch + 1 + distance }
            };
            let lots = if delete { 0 } else { 1 + self.below(1_000_000) as i64 };
            levels.push(level(tick.clamp(0, TICK_MAX.0), lots));
            if self.below(20) == 0 {
                let again = levels[self.below(levels.len() as u64) as usize].tick.0;
                levels.push(level(again, self.below(3) as i64 * 17));
            }
        }
        if self.below(2) == 0 {
            levels.sort_by_key(|level| level.tick);
        }
        levels
    }

    fn own_orders(&mut self, levels: &[Level]) -> Vec<Level> {
        let mut own = Vec::new();
        for held in levels.iter().take(4) {
            if self.below(2) == 0 {
                own.push(level(held.tick.0, self.below(2 * held.lots.0 as u64 + 2) as i64));
                own.push(level(held.tick.0 + 1, 5));
                own.push(level(held.tick.0, 1));
            }
        }
        own
    }
}

fn play(shape: &Shape, seed: u64, messages: u64) -> (usize, usize) {
    let mut random = Random::new(seed);
    let mut book = setup::book(&BookSettings { outer_levels: 1 << 15 });
    let mut oracle = Oracle::default();
    let mut touch = shape.start;
    let mut far_max = 0;
    let mut empty_sides = 0;
    for message in 0..messages {
        let context = format!("{} seed {seed} message {message}", shape.name);
        touch = (touch + random.signed(shape.step)).max(1);
        if shape.jump_chance > 0 && random.below(shape.jump_chance) == 0 {
            touch = if random.below(2) == 0 { touch.saturating_mul(10).min(1 << 50) } else { (touch / 10).max(1) };
        }
        let mut bids = random.side(shape, Side::Bid, touch, &oracle.bids);
        let mut asks = random.side(shape, Side::Ask, touch, &oracle.asks);
        match random.below(150) {
            0 => bids.extend(oracle.levels(Side::Bid).iter().map(|held| level(held.tick.0, 0))),
            1 => asks.extend(oracle.levels(Side::Ask).iter().map(|held| level(held.tick.0, 0))),
            2 => asks.clear(),
            _ => {}
        }
        if message == 0 || random.below(400) == 0 {
            book.replace(message, &bids, &asks).unwrap_or_else(|fault| panic!("{context}: {fault}"));
            oracle.replace(&bids, &asks);
        } else {
            book.apply(message, &bids, &asks).unwrap_or_else(|fault| panic!("{context}: {fault}"));
            oracle.apply(&bids, &asks);
        }
        assert_eq!(book.sequence(), message);
        assert_same_best(&book, &oracle, &context);
        assert_same_depth(&book, &oracle, shape, &context);
        far_max = far_max.max(book.outer_level_count(Side::Bid)).max(book.outer_level_count(Side::Ask));
        empty_sides += usize::from(oracle.bids.is_empty()) + usize::from(oracle.asks.is_empty());
        if message % 97 == 0 {
            assert_same(&book, &oracle, &context);
            assert_same_measures(&book, &oracle, &mut random, &context);
        }
        for &probe in bids.iter().chain(&asks).take(3) {
            for (side, map) in [(Side::Bid, &oracle.bids), (Side::Ask, &oracle.asks)] {
                let expected = map.get(&probe.tick.0).copied().unwrap_or(0);
                assert_eq!(book.lots_at(side, probe.tick), Lots(expected), "{context}");
            }
        }
    }
    assert_same(&book, &oracle, shape.name);
    (far_max, empty_sides)
}

#[test]
fn random_streams_of_every_shape_equal_the_oracle() {
    let seed = seed_from("SPINBOOK_SEED");
    println!("seed {seed}");
    let mut far_max = 0;
    let mut empty_sides = 0;
    for (index, shape) in SHAPES.iter().enumerate() {
        let (far, empty) = play(shape, seed.wrapping_add(index as u64), 4_000);
        println!("{}: up to {far} far levels, {empty} times an empty side", shape.name);
        far_max = far_max.max(far);
        empty_sides += empty;
    }
    assert!(far_max > 1_000, "the streams must reach far: {far_max}");
    assert!(empty_sides > 0, "some side must have been empty");
}

#[test]
fn any_short_stream_equals_the_oracle() {
    // Few distinct ticks at the edges of windows, so that small cases shrink well.
    let tick = prop_oneof![
        0_i64..4,
        (0_i64..6, -2_i64..3).prop_map(|(window, edge)| (window * 16_384 + edge).max(0)),
        (0_i64..3).prop_map(|edge| TICK_MAX.0 - edge * 20_000),
        1_000_000_i64..1_000_300,
    ];
    let levels = || prop::collection::vec((tick.clone(), 0_i64..3), 0..12);
    let messages = prop::collection::vec((levels(), levels(), prop::bool::weighted(0.05)), 1..40);
    let seed = seed_from("SPINBOOK_SEED");
    println!("seed {seed}");
    let mut random = Random::new(seed);
    let bytes: Vec<u8> = (0..4).flat_map(|_| random.bits().to_le_bytes()).collect();
    let config = Config { cases: 96, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let book = std::cell::RefCell::new(setup::book(&BookSettings { outer_levels: 2_000 }));
    let outcome = runner.run(&messages, |messages| {
        let mut book = book.borrow_mut();
        let mut oracle = Oracle::default();
        book.clear();
        assert_eq!(book.state(), BookState::Empty);
        for (index, (bids, asks, snapshot)) in messages.iter().enumerate() {
            let list = |levels: &[(i64, i64)]| levels.iter().map(|&(tick, lots)| level(tick, lots)).collect::<Vec<_>>();
            let (bids, asks) = (list(bids), list(asks));
            if index == 0 || *snapshot {
                prop_assert_eq!(book.replace(1, &bids, &asks), Ok(()));
                oracle.replace(&bids, &asks);
            } else {
                prop_assert_eq!(book.apply(1, &bids, &asks), Ok(()));
                oracle.apply(&bids, &asks);
            }
            prop_assert_eq!(book.check(), Ok(()));
            for side in Side::BOTH {
                prop_assert_eq!(book.levels(side).collect::<Vec<_>>(), oracle.levels(side));
                prop_assert_eq!(book.best(side), oracle.levels(side).first().copied());
            }
        }
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("seed {seed}: {failure}"));
}

#[test]
fn a_tick_is_at_home_at_either_end_of_the_range() {
    let mut book = setup::book(&BookSettings::default());
    let mut oracle = Oracle::default();
    let ends = [level(0, 4), level(TICK_MAX.0, 5), level(1, 6)];
    book.replace(1, &ends, &ends).expect("legal ticks");
    oracle.replace(&ends, &ends);
    assert_same(&book, &oracle, "ends");
    assert!(book.is_crossed());
    assert_eq!(book.lots_at(Side::Bid, Tick(i64::MAX)), Lots(0));
    assert_eq!(book.lots_at(Side::Ask, Tick(i64::MIN)), Lots(0));
}
