//! COLD: the sum of the first levels, brought up to date by every write, against a walk over the levels.

use spinbook_engine::book::Book;
use spinbook_engine::setup::{self, BookSettings};
use spinbook_engine::types::{Level, Side};

use crate::common::{Random, level, seed_from};

/// Changes near the touch, of quantity alone as often as not, some far behind it, unsorted and listed twice at times.
fn changes(random: &mut Random, side: Side, mid: i64, spread: i64) -> Vec<Level> {
    let sign = if side == Side::Bid { -1 } else { 1 };
    let mut levels: Vec<Level> = (0..random.below(12))
        .map(|_| {
            let reach = if random.below(8) == 0 { 60_000 } else { spread };
            let lots = if random.below(3) == 0 { 0 } else { 1 + random.below(1_000_000) as i64 };
            level(mid + sign * (1 + random.below(reach as u64) as i64), lots)
        })
        .collect();
    match random.below(4) {
        0 => {}
        1 => levels.sort_by_key(|level| level.tick),
        _ => levels.sort_by_key(|level| sign * level.tick.0),
    }
    levels
}

fn assert_first_levels(book: &Book, asked: usize, context: &str) {
    for side in Side::BOTH {
        assert_eq!(book.depth(side, asked), book.depth_net_slow(side, asked, &[]), "{context}: {side:?} {asked}");
    }
}

fn run(seed: u64, spread: i64) {
    println!("seed {seed}, spread {spread}");
    let mut random = Random::new(seed);
    let mut book = setup::book(&BookSettings { outer_levels: 1 << 15 });
    let (mut mid, mut sequence, mut asked) = (1_000_000, 0, 10);
    for message in 0..6_000 {
        sequence += 1;
        if message % 1_500 == 0 {
            let (bids, asks) =
                (changes(&mut random, Side::Bid, mid, 4 * spread), changes(&mut random, Side::Ask, mid, 9));
            book.replace(sequence, &bids, &asks).expect("the snapshot is legal");
        } else {
            // The price walks, and jumps now and then, so that windows move.
            mid += random.below(5) as i64 - 2;
            if random.below(700) == 0 {
                mid += random.below(100_000) as i64 - 50_000;
            }
            let (bids, asks) =
                (changes(&mut random, Side::Bid, mid, spread), changes(&mut random, Side::Ask, mid, spread));
            book.apply(sequence, &bids, &asks).expect("the far store is large enough");
        }
        // Mostly the same number of levels, as a strategy asks; at times not at all, so that changes add up.
        if random.below(40) == 0 {
            asked = random.below(25) as usize;
        }
        if random.below(5) > 0 {
            assert_first_levels(&book, asked, &format!("seed {seed}, message {message}"));
        }
        if message % 50 == 0 {
            book.check().unwrap_or_else(|fault| panic!("seed {seed}, message {message}: {fault}"));
        }
    }
}

#[test]
fn the_first_levels_are_what_a_walk_over_them_finds() {
    let seed = seed_from("SPINBOOK_SEED");
    for (number, spread) in [6, 20, 60, 400, 5_000, 40_000].into_iter().enumerate() {
        run(seed.wrapping_add(number as u64), spread);
    }
}
