//! COLD: every picked frame brings exactly one order over real sockets, with the real threads, on any machine.

use std::sync::Arc;

use spinbook_bench::document::Document;
use spinbook_bench::inputs::chain_until;
use spinbook_bench::markets::{CHAINS, PERP, SPOT};
use spinbook_bench::report::wire_section;
use spinbook_bench::synthetic::Shape;
use spinbook_bench::wire::round::play;
use spinbook_bench::wire::script::{Script, ScriptSettings};
use spinbook_bench::wire::table::table;
use spinbook_bench::wire::{CoreLayout, Meeting};
use spinbook_bench::wire::{WireFigures, handover};
use spinbook_bench::workload::Workload;
use spinbook_engine::types::Nanos;
use spinbook_feed::venue::ProductLine;

const SETTINGS: ScriptSettings =
    ScriptSettings { frames_max: 400, pause_ns_max: 50_000, pick_every: 3, pick_apart_ns: 40_000, warm_picks: 10 };

/// Plays a recording against both sides. An order that is lost, doubled or of another frame is an error of `play`.
fn check(recording: &Workload) {
    let script = Arc::new(Script::new(recording, &SETTINGS).expect("a snapshot and frames behind it"));
    let picks = script.picks.len();
    assert!(picks >= 50, "{}: {picks} picks", script.name);
    let sides = [play(&script, CoreLayout::LOOSE, Meeting::ours), play(&script, CoreLayout::LOOSE, Meeting::floor)];
    let [ours, floor] = sides.map(|played| {
        let round = played.unwrap_or_else(|error| panic!("{}: {error}", script.name));
        assert_eq!(round.frames, script.frames.len(), "every frame was sent");
        assert_eq!(round.orders, picks, "one order a pick");
        assert_eq!(round.samples.len(), picks - SETTINGS.warm_picks, "one sample a pick behind the warm-up");
        assert!(round.samples.iter().all(|sample| sample.decided > 0 && sample.write_begun > 0), "stamped");
        round
    });
    let table = table(&script, CoreLayout::LOOSE, &[ours], &[floor]);
    for (side, (_, curve)) in table.sides.iter().zip(&table.curves) {
        assert_eq!(side.orders, picks - SETTINGS.warm_picks, "{}", side.name);
        assert_eq!(curve.len(), side.orders as u64, "{}: the histogram counts each order once", side.name);
    }
    let mut shown = Document::default();
    wire_section(&mut shown, &WireFigures { wire: vec![table], ..WireFigures::default() }, &[]);
    println!("{}", shown.markdown());
}

#[test]
fn each_picked_frame_of_a_synthetic_market_brings_its_order() {
    for shape in Shape::ALL {
        check(&Workload::synthetic(shape, 30, 400, 9));
    }
}

#[test]
fn each_picked_frame_of_a_recording_brings_its_order() {
    for place in [PERP, SPOT] {
        match chain_until(place, Nanos::from_seconds(30)).expect("the recordings can be read") {
            Some(recording) => check(&recording),
            None => println!("skipped: no recorded data of {}", CHAINS[place].0),
        }
    }
}

#[test]
fn each_decision_goes_into_the_kernel_once() {
    for product in ProductLine::all() {
        let table = handover::measure(product, 100).expect("the gateway trades");
        assert_eq!(table.orders, 100);
        assert!(table.steps.iter().all(|step| step.p50 > 0.0 && step.p99 >= step.p50), "{:?}", table.steps);
    }
}
