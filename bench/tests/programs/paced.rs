//! COLD: the loop that ships, at a market's pace, for a moment: every pause, kept warm or not, and the same decisions.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use spinbook_bench::document::Document;
use spinbook_bench::paced::cell::{PacedCell, Pause, Warmth};
use spinbook_bench::paced::table::PacedClass;
use spinbook_bench::paced::{PacedSettings, measure};
use spinbook_bench::report::paced_section;
use spinbook_bench::synthetic::Shape;
use spinbook_bench::wire::CoreLayout;
use spinbook_bench::workload::Workload;

/// The sample that ships with the program.
fn sample() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools/samples/binance-spot.zst")
}

#[test]
fn rehearsals_between_frames_change_no_decision_and_every_pause_has_its_frames() {
    let recording = Workload::read("the sample", &[sample()]).expect("it ships");
    let settings = PacedSettings { span: Duration::from_secs(2), layout: CoreLayout::LOOSE };
    let table = measure(&recording, &settings, &|what| println!("{what}")).expect("it is played");
    let mut shown = Document::default();
    paced_section(&mut shown, std::slice::from_ref(&table));
    println!("{}", shown.terminal());
    assert!(table.totals.groups >= PacedCell::all().len(), "{} groups", table.totals.groups);
    assert_eq!(table.totals.unlearned, 0, "frames did other than without pauses");
    assert!(table.totals.rehearsals >= 100, "{} rehearsals", table.totals.rehearsals);
    assert_eq!(table.totals.rehearsals_void, 0, "rehearsals went another way");
    let ordered: usize =
        table.rows.iter().filter(|row| row.class == PacedClass::Ordered).map(|row| row.all.count).sum();
    assert!(ordered + table.totals.stalled >= table.totals.groups, "each group ends with a frame that causes an order");
    let row = |pause, warmth| table.row(PacedClass::Ordered, pause, warmth).expect("each cell has a row");
    assert!(row(Pause::None, Warmth::Off).all.count > 0 && row(Pause::Nanos(1_000_000), Warmth::All).all.count > 0);
}

#[test]
fn a_market_without_orders_is_said() {
    let mut recording = Workload::synthetic(Shape::Usdm, 5, 60, 9);
    recording.kinds.truncate(1);
    recording.kinds.resize(recording.frames.len(), spinbook_bench::workload::LineKind::Other);
    let settings = PacedSettings { span: Duration::from_secs(1), layout: CoreLayout::LOOSE };
    let why = measure(&recording, &settings, &|_| {}).expect_err("nothing to play");
    assert!(why.contains("too few frames behind it"), "{why}");
}

#[test]
fn the_program_prints_one_object_with_a_verdict_for_every_target() {
    let output = Command::new(env!("CARGO_BIN_EXE_paced"))
        .args(["--seconds", "1", "--json"])
        .arg(sample())
        .output()
        .expect("the program starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let object: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!(object["targets"].as_array().map(Vec::len), Some(5), "{object}");
    assert_eq!(object["recordings"][0]["rows"].as_array().map(Vec::len), Some(26), "{object}");
    assert!(object["recordings"][0]["gaps_per_second"].is_f64(), "{object}");
}
