//! COLD: the reader on seeds and on each damaged at random; the seeds as a corpus for a fuzzer.

use std::path::Path;

use spinbook_feed::random::Random;
use spinbook_feed::testkit::damage;

use super::super::fuzzed::{check, seeds};

/// Damaged inputs.
const ROUNDS: u64 = 4_000;

#[test]
fn any_bytes_are_read_as_they_are_written_again_or_refused_with_place_and_advice() {
    let seeds = seeds();
    seeds.iter().for_each(|input| check(input));
    let mut random = Random::new(20_261_122);
    for round in 0..ROUNDS {
        let mut input = seeds[(random.next_u64() % seeds.len() as u64) as usize].clone();
        for _ in 0..1 + random.next_u64() % 3 {
            damage(&mut input, &mut random);
        }
        let caught = std::panic::catch_unwind(|| check(&input));
        assert!(caught.is_ok(), "round {round}: {}", String::from_utf8_lossy(&input));
    }
}

/// Writes the seeds where a fuzzer finds them, if `SPINBOOK_FUZZ_CORPUS` names a folder.
#[test]
fn seeds_become_a_corpus_where_asked() {
    let Some(folder) = std::env::var_os("SPINBOOK_FUZZ_CORPUS") else { return };
    let folder = Path::new(&folder).join("configuration");
    std::fs::create_dir_all(&folder).expect("writable");
    for (number, seed) in seeds().iter().enumerate() {
        std::fs::write(folder.join(format!("seed-{number:03}")), seed).expect("writable");
    }
}
