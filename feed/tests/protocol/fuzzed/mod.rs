//! COLD: what `feed/fuzz` checks without end, here for a moment: well-formed inputs, and each damaged at random.

mod checks;

use std::path::Path;

use checks::{CHECKS, Check};
use spinbook_feed::random::Random;

/// Damaged inputs a check.
const ROUNDS: u64 = 20_000;
/// The same where each is a whole session.
const SESSION_ROUNDS: u64 = 4_000;

/// One change of an input: a bit, a byte, a cut, a copy, something likely.
fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    let likely = b"0123456789.\"[]{},:-eE \\\x00\x01\x17\x7e\x7f\x80\x81\xff";
    let below = |random: &mut Random, bound: usize| (random.next_u64() % bound.max(1) as u64) as usize;
    let at = below(random, bytes.len());
    match random.next_u64() % 8 {
        _ if bytes.is_empty() => bytes.push(random.next_u64() as u8),
        0 => bytes[at] ^= 1 << below(random, 8),
        1 => bytes[at] = random.next_u64() as u8,
        2 => bytes[at] = likely[below(random, likely.len())],
        3 => drop(bytes.remove(at)),
        4 => bytes.insert(at, likely[below(random, likely.len())]),
        5 => bytes.truncate(at + 1),
        6 => bytes.insert(at, random.next_u64() as u8),
        _ => {
            let part = bytes[at..(at + 1 + below(random, 40)).min(bytes.len())].to_vec();
            let to = below(random, bytes.len());
            bytes.splice(to..to, part);
        }
    }
}

fn run(name: &str, rounds: u64, seed: u64, check: Check) {
    println!("{name}: seed {seed}");
    let seeds = checks::seeds::seeds(name);
    seeds.iter().for_each(|input| check(input));
    let mut random = Random::new(seed);
    for round in 0..rounds {
        let mut input = seeds[(random.next_u64() % seeds.len() as u64) as usize].clone();
        for _ in 0..1 + random.next_u64() % 5 {
            damage(&mut input, &mut random);
        }
        let caught = std::panic::catch_unwind(|| check(&input));
        assert!(caught.is_ok(), "{name}, seed {seed}, round {round}: {input:?}");
    }
}

fn check_named(name: &str) {
    let (name, check) = CHECKS.into_iter().find(|(known, _)| *known == name).unwrap();
    let rounds = if name == "gateway" { SESSION_ROUNDS } else { ROUNDS };
    run(name, rounds, 20_261_120, check);
}

#[test]
fn records_of_any_script_end_as_the_rules_say() {
    check_named("record_layer");
}

#[test]
fn frames_of_any_bytes_are_what_tungstenite_sees() {
    check_named("websocket");
}

#[test]
fn market_frames_of_any_bytes_are_read_alike_or_refused() {
    check_named("market_frames");
}

#[test]
fn order_frames_of_any_bytes_are_understood_or_refused() {
    check_named("order_frames");
}

#[test]
fn rest_bodies_of_any_bytes_are_understood_or_refused() {
    check_named("rest_bodies");
}

#[test]
fn numbers_of_any_text_are_exact_or_refused() {
    check_named("numbers");
}

#[test]
fn journals_of_any_bytes_are_read_as_written_or_named_as_damaged() {
    check_named("journal");
}

#[test]
fn gateways_to_which_anything_is_said_never_believe_less_than_is_true() {
    check_named("gateway");
}

/// Inputs that once broke something: `found/<check>/`, each kept for good.
#[test]
fn what_was_found_once_holds() {
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/protocol/fuzzed/found");
    let mut inputs = 0;
    for (name, check) in CHECKS {
        let Ok(files) = std::fs::read_dir(found.join(name)) else { continue };
        for file in files {
            check(&std::fs::read(file.unwrap().path()).unwrap());
            inputs += 1;
        }
    }
    println!("{inputs} inputs");
}

/// Writes the seeds where a fuzzer finds them, if `SPINBOOK_FUZZ_CORPUS` names a folder.
#[test]
fn seeds_become_a_corpus_where_asked() {
    let Some(folder) = std::env::var_os("SPINBOOK_FUZZ_CORPUS") else { return };
    for (name, _) in CHECKS {
        let folder = Path::new(&folder).join(name);
        std::fs::create_dir_all(&folder).unwrap();
        for (number, seed) in checks::seeds::seeds(name).iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{number:03}")), seed).unwrap();
        }
    }
}
