//! COLD: the stages that the gate counts, each on a fixed input, warm before it is counted.

use core::hint::black_box;

use spinbook_engine::intent::Intent;
use spinbook_engine::limits::ORDER_RING_SLOTS;
use spinbook_engine::ring;

use crate::book;
use crate::synthetic::Shape;
use crate::workload::LevelStream;

/// One stage: its warmed work and how many units it has.
pub struct Stage {
    /// Units of one run.
    pub units: u64,
    /// One run, counted.
    pub run: Box<dyn FnMut() -> u64>,
}

/// The names of all stages. Those that begin with `recorded` need recorded data.
pub const STAGES: &[&str] = &["book-apply", "ring"];

/// Whether a stage may be missing where there is no recorded data.
#[must_use]
pub fn needs_recording(name: &str) -> bool {
    name.starts_with("recorded")
}

/// Makes a stage ready; `None` if its recording is missing.
///
/// # Errors
/// There is no such stage, or its recording cannot be read.
pub fn stage(name: &str) -> Result<Option<Stage>, String> {
    match name {
        "book-apply" => Ok(Some(book_apply())),
        "ring" => Ok(Some(ring_push_pop())),
        _ => Err(format!("there is no stage {name:?}; there are: {}", STAGES.join(", "))),
    }
}

/// The only part that callgrind counts: it toggles on this function's name.
#[inline(never)]
pub fn counted_by_the_gate(run: &mut dyn FnMut() -> u64) -> u64 {
    black_box(run())
}

fn book_apply() -> Stage {
    let mut stream = LevelStream::synthetic(Shape::Usdm, 500, 9);
    let units = stream.changed_levels() as u64;
    let mut work = book::Owned::new(core::mem::take(&mut stream), 1 << 14);
    Stage { units, run: Box::new(move || work.run_all()) }
}

fn ring_push_pop() -> Stage {
    const MESSAGES: u64 = 4 * ORDER_RING_SLOTS as u64;
    let (mut producer, mut consumer) = ring::channel::<Intent>(ORDER_RING_SLOTS);
    let run = move || {
        let mut sum = 0u64;
        for message in 0..MESSAGES {
            let pushed = producer.push(Intent { book_sequence: message, ..Intent::default() });
            sum = sum.wrapping_add(u64::from(pushed.is_err()));
            sum = sum.wrapping_add(consumer.pop().map_or(0, |intent| intent.book_sequence));
        }
        sum
    };
    Stage { units: MESSAGES, run: Box::new(run) }
}
