//! COLD: the stages that the gate counts, each on a fixed input and warm before it is counted.

use core::hint::black_box;

use spinbook_engine::intent::Intent;
use spinbook_engine::limits::ORDER_RING_SLOTS;
use spinbook_engine::ring;
use spinbook_engine::types::{Nanos, Stamp};
use spinbook_feed::venue::binance::decode::ScannerChoice;

use crate::book;
use crate::contest::Work;
use crate::decode;
use crate::frames::Frames;
use crate::instrument::{product, synthetic};
use crate::pipeline::{Ours, Pipeline};
use crate::synthetic::{Shape, depth_frames, touch_frames};
use crate::trader::FAR_LEVELS;
use crate::workload::{LevelStream, LineKind, Recording};

/// One stage, ready: its work and how many units one run of it has.
pub struct Stage {
    /// Units of one run.
    pub units: u64,
    /// What is a unit.
    pub unit: &'static str,
    /// One run.
    pub run: Box<dyn FnMut() -> u64>,
}

/// The names of all stages. Those that begin with `recorded` need recorded data.
pub const STAGES: [&str; 14] = [
    "decode-perp-2",
    "decode-perp-20",
    "decode-perp-200",
    "decode-perp-touch",
    "decode-spot-2",
    "decode-spot-20",
    "decode-spot-200",
    "decode-spot-touch",
    "decode-portable-20",
    "book-apply",
    "frame-to-order",
    "ring",
    "recorded-book",
    "recorded-frame-to-order",
];

/// How much of a recording the recorded stages take.
const RECORDED_SPAN: Nanos = Nanos::from_seconds(60);

/// Whether a stage is left out where there is no recorded data.
#[must_use]
pub fn needs_recording(name: &str) -> bool {
    name.starts_with("recorded")
}

/// The only part that callgrind counts: it switches on this function's name.
#[inline(never)]
pub fn counted_by_the_gate(run: &mut dyn FnMut() -> u64) -> u64 {
    black_box(run())
}

/// Makes a stage ready; `None` if its recording is missing.
///
/// # Errors
/// There is no such stage, or its recording cannot be read.
pub fn stage(name: &str) -> Result<Option<Stage>, String> {
    Ok(Some(match name {
        "decode-perp-2" => decode_stage(Shape::Usdm, 2, ScannerChoice::Best),
        "decode-perp-20" => decode_stage(Shape::Usdm, 20, ScannerChoice::Best),
        "decode-perp-200" => decode_stage(Shape::Usdm, 200, ScannerChoice::Best),
        "decode-perp-touch" => touch_stage(Shape::Usdm),
        "decode-spot-2" => decode_stage(Shape::Spot, 2, ScannerChoice::Best),
        "decode-spot-20" => decode_stage(Shape::Spot, 20, ScannerChoice::Best),
        "decode-spot-200" => decode_stage(Shape::Spot, 200, ScannerChoice::Best),
        "decode-spot-touch" => touch_stage(Shape::Spot),
        "decode-portable-20" => decode_stage(Shape::Usdm, 20, ScannerChoice::Portable),
        "book-apply" => book_stage(Recording::synthetic(Shape::Usdm, 40, 500, 9).levels()?),
        "frame-to-order" => path_stage(Recording::synthetic(Shape::Usdm, 40, 500, 9)),
        "ring" => ring_stage(),
        "recorded-book" => match Recording::chain_until(0, RECORDED_SPAN)? {
            Some(recording) => book_stage(recording.levels()?),
            None => return Ok(None),
        },
        "recorded-frame-to-order" => match Recording::chain_until(0, RECORDED_SPAN)? {
            Some(recording) => path_stage(recording),
            None => return Ok(None),
        },
        _ => return Err(format!("there is no stage {name:?}; there are {}", STAGES.join(", "))),
    }))
}

fn decode_frames(mut frames: Frames, shape: Shape, scanner: ScannerChoice, unit: &'static str) -> Stage {
    let mut ours = decode::Ours::new(product(shape), &synthetic(shape), scanner);
    let run = move || {
        (0..frames.len()).fold(0u64, |sum, index| {
            let (padded, length) = frames.padded(index);
            sum.wrapping_add(ours.decode_sum(padded, length))
        })
    };
    Stage { units: 200, unit, run: Box::new(run) }
}

fn decode_stage(shape: Shape, levels: usize, scanner: ScannerChoice) -> Stage {
    decode_frames(depth_frames(shape, levels, 200, 5), shape, scanner, "frame")
}

fn touch_stage(shape: Shape) -> Stage {
    decode_frames(touch_frames(shape, 200, 5), shape, ScannerChoice::Best, "frame")
}

fn book_stage(stream: LevelStream) -> Stage {
    let units = stream.changed_levels() as u64;
    let run = move || {
        let mut work = book::Ours::new(&stream, FAR_LEVELS);
        work.reset();
        // Building and filling the book is not the stage: what callgrind counts is the inner run.
        counted_by_the_gate(&mut || work.run(0..stream.messages.len() - 1))
    };
    Stage { units, unit: "level", run: Box::new(run) }
}

fn path_stage(recording: Recording) -> Stage {
    let timed = |kind: &LineKind| matches!(kind, LineKind::Depth | LineKind::Touch);
    let units = recording.kinds.iter().filter(|kind| timed(kind)).count() as u64;
    let mut buffer = recording.frames.buffer();
    let run = move || {
        let mut ours = Ours::new(&recording, ScannerChoice::Best);
        for line in 0..recording.frames.len() {
            let length = recording.frames.copy_to(line, &mut buffer);
            let received = Stamp { wall: recording.received[line], tsc: 0 };
            match recording.kinds[line] {
                LineKind::Snapshot => ours.snapshot(&mut buffer, length, received),
                LineKind::Other => {}
                LineKind::Depth | LineKind::Touch => {
                    counted_by_the_gate(&mut || {
                        ours.frame(&mut buffer, length, received);
                        0
                    });
                }
            }
            ours.trader().answer(received.wall, |_| {});
        }
        ours.trader().intents_pushed()
    };
    Stage { units, unit: "frame", run: Box::new(run) }
}

fn ring_stage() -> Stage {
    const MESSAGES: u64 = 4 * ORDER_RING_SLOTS as u64;
    let (mut producer, mut consumer) = ring::channel::<Intent>(ORDER_RING_SLOTS);
    let run = move || {
        (0..MESSAGES).fold(0u64, |sum, message| {
            let pushed = producer.push(Intent { book_sequence: message, ..Intent::default() });
            let popped = consumer.pop().map_or(0, |intent| intent.book_sequence);
            sum.wrapping_add(popped).wrapping_add(u64::from(pushed.is_err()))
        })
    };
    Stage { units: MESSAGES, unit: "message", run: Box::new(run) }
}

/// Whether a stage switches counting on by itself, around its inner part.
#[must_use]
pub fn counts_inner(name: &str) -> bool {
    name.contains("book") || name.contains("frame-to-order")
}

#[cfg(test)]
mod tests {
    use super::{STAGES, needs_recording, stage};

    #[test]
    fn every_stage_runs_twice_with_the_same_result_or_goes_on() {
        for name in STAGES {
            match stage(name).unwrap_or_else(|why| panic!("{name}: {why}")) {
                Some(mut stage) => {
                    assert!(stage.units > 0, "{name}");
                    assert_eq!((stage.run)(), (stage.run)(), "{name}");
                }
                None => {
                    assert!(needs_recording(name), "{name}");
                    println!("skipped: no recorded data");
                }
            }
        }
        assert!(stage("nothing").is_err());
    }

    #[test]
    fn frames_of_the_gate_cause_orders() {
        let mut stage = stage("frame-to-order").expect("a stage").expect("it needs no data");
        assert!((stage.run)() > 10);
    }
}
