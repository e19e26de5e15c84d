//! COLD: all that is measured of the wire, on the chains of both product lines or on a user's files.

use serde::Serialize;

use super::handover::{self, HandoverTable};
use super::table::{self, WireTable};
use super::word::{self, WordTable};
use crate::inputs::InputArgs;
use crate::journal::{self, JournalTable};
use crate::markets::{PERP, PRODUCTS, SPOT};
use crate::threads;

/// Wire to wire, and a decision's way into the kernel.
#[derive(Clone, Debug, Default, Serialize)]
pub struct WireFigures {
    /// Both sides, a table a recording.
    pub wire: Vec<WireTable>,
    /// The handover alone, a table a product line.
    pub handover: Vec<HandoverTable>,
    /// An order written down before it leaves.
    pub journal: Option<JournalTable>,
    /// An operator's word, a table a product line.
    pub word: Vec<WordTable>,
    /// What was skipped and why.
    pub skipped: Vec<String>,
}

/// Measures on a user's files, or on a recorded chain of each product line; `say` is told of progress.
#[must_use]
pub fn measure(inputs: &InputArgs, say: &dyn Fn(&str)) -> WireFigures {
    let (mut figures, samples) = (WireFigures::default(), inputs.samples());
    for product in PRODUCTS {
        say(&format!("decision to kernel, {}", product.name()));
        match threads::alone(|| handover::measure(product, samples.orders)) {
            Ok(table) => figures.handover.push(table),
            Err(why) => figures.skipped.push(format!("decision to kernel, {}: {why}", product.name())),
        }
    }
    say("a journaled place");
    match threads::alone(|| journal::measure(samples.orders)) {
        Ok(table) => figures.journal = Some(table),
        Err(why) => figures.skipped.push(format!("a journaled place: {why}")),
    }
    for product in PRODUCTS {
        say(&format!("word to wire, {}", product.name()));
        match threads::alone(|| word::measure(product, samples.words)) {
            Ok(table) => figures.word.push(table),
            Err(why) => figures.skipped.push(format!("word to wire, {}: {why}", product.name())),
        }
    }
    let (mut skipped, mut missing) = (Vec::new(), Vec::new());
    let read = inputs.each(
        &[PERP, SPOT],
        &mut |name| missing.push(format!("wire to wire, {name}: no recorded data")),
        |recording| {
            say(&format!("wire to wire, {}", recording.name));
            match table::measure(&recording, &samples) {
                Ok(table) => figures.wire.push(table),
                Err(why) => skipped.push(format!("wire to wire, {}: {why}", recording.name)),
            }
            Ok::<(), String>(())
        },
    );
    skipped.extend(read.err().map(|why| format!("wire to wire: {why}")));
    figures.skipped.extend(missing.into_iter().chain(skipped));
    figures
}
