//! COLD: verify on damaged copies of recordings: what it must see, what it cannot, and that nothing panics.

use std::io::{Cursor, Write};

use crate::support;
use spinbook_feed::history::ProblemKind;
use spinbook_feed::history::infer::Inference;
use spinbook_feed::history::recorded::Recording;
use spinbook_feed::history::verify::verify_sources;
use spinbook_feed::history::{VerifyOutcome, VerifyProblem, Wholeness};
use spinbook_feed::random::Random;
use spinbook_feed::venue::source::{MarketSource, SourceError};

/// Lines of a chain that are played for every damage: the snapshot is among the first.
const LINES: usize = 2_500;
/// Lines behind which every chain has long joined its snapshot.
const JOINED: usize = 120;

struct Copy {
    lines: Vec<Vec<u8>>,
    inference: Inference,
}

impl Copy {
    fn of(names: &[&str]) -> Option<Copy> {
        let lines = support::lines(&support::recorded(names)?, LINES);
        let mut inference = Inference::new(None);
        inference.look_at(&mut recording(text(&lines)));
        let copy = Copy { lines, inference };
        let outcome = copy.verify(&copy.lines);
        assert_eq!(outcome.problem, None);
        assert_eq!((symbol(&outcome).state, symbol(&outcome).gaps), ("live", 0));
        Some(copy)
    }

    fn verify(&self, lines: &[Vec<u8>]) -> VerifyOutcome {
        self.verify_bytes(text(lines))
    }

    fn verify_bytes(&self, bytes: Vec<u8>) -> VerifyOutcome {
        let mut open = || {
            let reader = Box::new(Cursor::new(bytes.clone()));
            let recording = Recording::from_reader("damaged copy", reader)?;
            Ok(Box::new(recording) as Box<dyn MarketSource>)
        };
        verify_sources(vec!["damaged copy".to_owned()], self.inference.clone(), &mut open, &mut |_| {})
    }

    /// Indexes of depth lines behind the snapshot, without the last.
    fn depth_lines(&self) -> Vec<usize> {
        let mut indexes: Vec<usize> =
            (JOINED..self.lines.len()).filter(|index| has(&self.lines[*index], "depthUpdate")).collect();
        indexes.pop();
        indexes
    }
}

fn has(line: &[u8], text: &str) -> bool {
    String::from_utf8_lossy(line).contains(text)
}

fn text(lines: &[Vec<u8>]) -> Vec<u8> {
    let mut text = lines.join(&b'\n');
    text.push(b'\n');
    text
}

fn recording(bytes: Vec<u8>) -> Recording {
    Recording::from_reader("copy", Box::new(Cursor::new(bytes))).unwrap()
}

fn symbol(outcome: &VerifyOutcome) -> &spinbook_feed::history::SymbolReport {
    &outcome.report.symbols["BTCUSDT"]
}

fn both(test: impl Fn(&Copy)) {
    for names in [support::USDM_2024, support::USDM_2023, support::SPOT_2024] {
        if let Some(copy) = Copy::of(&names) {
            test(&copy);
        }
    }
}

#[test]
fn a_removed_depth_line_is_one_gap() {
    both(|copy| {
        let depth = copy.depth_lines();
        for at in depth.iter().step_by(depth.len() / 12).copied() {
            let mut lines = copy.lines.clone();
            lines.remove(at);
            let outcome = copy.verify(&lines);
            assert_eq!((outcome.problem.clone(), outcome.report.verdict), (None, Wholeness::NotWhole));
            assert_eq!((symbol(&outcome).gaps, symbol(&outcome).state), (1, "stale"), "line {at}");
        }
    });
}

#[test]
fn swapped_depth_lines_are_one_gap() {
    both(|copy| {
        let depth = copy.depth_lines();
        for pair in depth.windows(2).step_by(depth.len() / 12) {
            let mut lines = copy.lines.clone();
            lines.swap(pair[0], pair[1]);
            let outcome = copy.verify(&lines);
            assert_eq!((outcome.problem.clone(), outcome.report.verdict), (None, Wholeness::NotWhole));
            assert_eq!((symbol(&outcome).gaps, symbol(&outcome).state), (1, "stale"), "lines {pair:?}");
        }
    });
}

#[test]
fn a_doubled_depth_line_is_dropped() {
    both(|copy| {
        let depth = copy.depth_lines();
        for at in depth.iter().step_by(depth.len() / 12).copied() {
            let mut lines = copy.lines.clone();
            lines.insert(at, lines[at].clone());
            let outcome = copy.verify(&lines);
            assert_eq!((outcome.problem.clone(), outcome.report.verdict), (None, Wholeness::Whole));
            assert_eq!((symbol(&outcome).gaps, symbol(&outcome).state), (0, "live"), "line {at}");
        }
    });
}

#[test]
fn a_later_snapshot_resyncs() {
    both(|copy| {
        // A book after n lines, written as a snapshot, is what the venue would send there.
        let depth = copy.depth_lines();
        let gap = depth[depth.len() / 4];
        let last = &String::from_utf8_lossy(&copy.lines[depth[depth.len() / 2]]).into_owned();
        let id = last.split("\"u\":").nth(1).unwrap().split(',').next().unwrap();
        let snapshot = format!("1721347300000000000 {{\"lastUpdateId\":{id},\"bids\":[],\"asks\":[]}}");
        let mut lines = copy.lines.clone();
        lines.insert(depth[depth.len() / 2] + 1, snapshot.into_bytes());
        lines.remove(gap);
        let outcome = copy.verify(&lines);
        let report = symbol(&outcome);
        assert_eq!((report.gaps, report.resyncs, report.snapshots), (1, 1, 2));
        assert_eq!(outcome.report.verdict, Wholeness::NotWhole, "live again, but not all of it was seen");
    });
}

#[test]
fn a_file_cut_short_is_reported_as_far_as_it_goes() {
    both(|copy| {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(&text(&copy.lines)).unwrap();
        let packed = packer.finish().unwrap();
        for part in [packed.len() / 3, packed.len() / 2, packed.len() - 9, packed.len() - 1] {
            let outcome = copy.verify_bytes(packed[..part].to_vec());
            let problem = outcome.problem.clone().unwrap();
            assert!(matches!(problem, VerifyProblem::Source(SourceError::CutShort { .. })), "{problem}");
            assert_eq!(problem.kind(), ProblemKind::WrongData);
            assert!(outcome.report.lines > 300 && outcome.report.lines <= LINES as u64);
            assert_eq!((symbol(&outcome).state, symbol(&outcome).gaps), ("live", 0));
        }
        let mut broken = packed.clone();
        let middle = broken.len() / 2;
        for byte in &mut broken[middle..middle + 64] {
            *byte ^= 0x55;
        }
        let problem = copy.verify_bytes(broken).problem.unwrap();
        assert_eq!(problem.kind(), ProblemKind::WrongData, "{problem}");
        // Two members behind each other are one file.
        let outcome = copy.verify_bytes([packed, gz(b"not a line\n")].concat());
        assert_eq!((outcome.report.lines, outcome.report.bad_frames), (LINES as u64 + 1, 1));
    });
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

#[test]
fn a_text_file_cut_in_the_middle_of_a_line_has_a_bad_frame() {
    both(|copy| {
        let mut bytes = text(&copy.lines);
        bytes.truncate(bytes.len() - 40);
        let outcome = copy.verify_bytes(bytes);
        let problem = outcome.problem.clone().unwrap();
        assert!(matches!(problem, VerifyProblem::BadFrames { count: 1, first_line, .. } if first_line == LINES as u64));
        assert_eq!(problem.kind(), ProblemKind::WrongData);
    });
}

#[test]
fn a_changed_comparable_best_bid_or_ask_is_found() {
    both(|copy| {
        let ids: std::collections::BTreeSet<String> =
            copy.depth_lines().iter().map(|at| last_id(&copy.lines[*at])).collect();
        let mut changed = 0;
        for at in JOINED..copy.lines.len() {
            if !has(&copy.lines[at], "bookTicker") || !ids.contains(&last_id(&copy.lines[at])) {
                continue;
            }
            for field in ["\"b\":\"", "\"B\":\"", "\"a\":\"", "\"A\":\""] {
                let mut lines = copy.lines.clone();
                let line = String::from_utf8(lines[at].clone()).unwrap();
                let digit = line.find(field).unwrap() + field.len();
                lines[at][digit] = if lines[at][digit] == b'9' { b'8' } else { lines[at][digit] + 1 };
                let outcome = copy.verify(&lines);
                let problem = outcome.problem.unwrap();
                assert!(matches!(problem, VerifyProblem::Mismatch { .. }), "line {at} {field}: {problem}");
                assert_eq!(problem.kind(), ProblemKind::WrongData);
                changed += 1;
            }
            if changed >= 24 {
                break;
            }
        }
        println!("{changed} changed best bid/asks found");
        assert!(changed >= 8);
    });
}

fn last_id(line: &[u8]) -> String {
    let line = String::from_utf8_lossy(line);
    line.split("\"u\":").nth(1).unwrap().split([',', '}']).next().unwrap().to_owned()
}

#[test]
fn a_thousand_flipped_bytes() {
    let seed = 1_000;
    for names in [support::USDM_2024, support::SPOT_2024] {
        let Some(copy) = Copy::of(&names) else { return };
        let mut random = Random::new(seed);
        let whole = copy.verify(&copy.lines);
        let original = text(&copy.lines);
        let (mut shape, mut sequence, mut checked, mut unseen, mut harmless) = (0, 0, 0, 0, 0);
        for _ in 0..500 {
            let mut bytes = original.clone();
            // Half of the flips make another digit of a digit: shape alone cannot see those.
            let mut at = (random.next_u64() % bytes.len() as u64) as usize;
            if random.next_u64().is_multiple_of(2) {
                while !bytes[at].is_ascii_digit() {
                    at = (at + 1) % bytes.len();
                }
                bytes[at] = b'0' + (bytes[at] - b'0' + 1 + (random.next_u64() % 9) as u8) % 10;
            } else {
                bytes[at] ^= 1 << (random.next_u64() % 8);
            }
            let outcome = copy.verify_bytes(bytes);
            match outcome.problem {
                Some(VerifyProblem::BadFrames { .. }) => shape += 1,
                Some(VerifyProblem::Mismatch { .. } | VerifyProblem::Crossed { .. }) => checked += 1,
                Some(problem) => panic!("{problem}"),
                None if outcome.report.symbols.values().any(|symbol| symbol.gaps > 0 || symbol.state != "live") => {
                    sequence += 1;
                }
                None if outcome.report.symbols == whole.report.symbols => harmless += 1,
                None => unseen += 1,
            }
        }
        println!(
            "{}: seed {seed}, 500 flips: {shape} broke the shape, {sequence} the sequence, {checked} a comparable best \
             bid/ask or the order of prices, {unseen} changed something that nothing compares, {harmless} changed no figure",
            names[0]
        );
        assert!(shape > 100 && shape + sequence + checked + unseen + harmless == 500);
    }
}
