//! COLD: the gate's own test: the real program, on real counts, opens for its baseline and shuts for a lowered one.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

/// Cheap stages, one counted as a whole and one in its inner part.
const STAGES: [&str; 2] = ["decode-perp-touch", "websocket-read-200"];

fn gate(baseline: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gate"));
    command.args(arguments).arg("--baseline").arg(baseline).args(["--binary", env!("CARGO_BIN_EXE_stages")]);
    for stage in STAGES {
        command.args(["--only", stage]);
    }
    command.stdin(Stdio::null()).output().expect("the gate starts")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn read(baseline: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(baseline).expect("written")).expect("JSON")
}

#[track_caller]
fn expect(baseline: &Path, code: i32, words: &[&str]) {
    let output = gate(baseline, &[]);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    for word in words {
        assert!(said.contains(word), "no `{word}` in:\n{said}");
    }
}

/// The line about a stage.
fn line_of(output: &Output, stage: &str) -> String {
    let said = said(output);
    said.lines().find(|line| line.starts_with(stage)).unwrap_or_else(|| panic!("no {stage} in:\n{said}")).to_owned()
}

#[test]
fn a_baseline_lowered_by_two_percent_shuts_the_gate_and_names_the_stage() {
    let valgrind = Command::new("valgrind").arg("--version").stdout(Stdio::null()).status();
    if !valgrind.is_ok_and(|status| status.success()) {
        println!("skipped: valgrind is not installed");
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let baseline = folder.path().join("baseline.json");
    expect(&baseline, 1, &["there is no baseline"]);

    let output = gate(&baseline, &["accept", "--reason", "the gate's own test"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let accepted = read(&baseline);
    let reason = accepted["reasons"][0].as_str().expect("a reason");
    let compiler = accepted["compiler"].as_str().expect("a compiler");
    assert!(compiler.starts_with("rustc ") && reason == format!("{compiler}: the gate's own test"), "{accepted}");
    expect(&baseline, 0, &STAGES);

    for stage in STAGES {
        let mut lowered = accepted.clone();
        let count = accepted["stages"][stage]["instructions"].as_u64().expect("a count");
        assert!(count > 10_000, "{stage}: {count}");
        lowered["stages"][stage]["instructions"] = json!(count - count / 50);
        std::fs::write(&baseline, lowered.to_string()).expect("writable");
        let output = gate(&baseline, &[]);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        for other in STAGES {
            let line = line_of(&output, other);
            assert_eq!(line.contains("+2.04 %: more than 1 % over the baseline"), other == stage, "{line}");
        }
    }

    let with = |key: &str, value: Value| {
        let mut changed = accepted.clone();
        changed[key] = value;
        std::fs::write(&baseline, changed.to_string()).expect("writable");
    };
    with("compiler", json!("rustc 1.0.0"));
    expect(&baseline, 1, &["the baseline is of rustc 1.0.0", "accept a new one"]);
    // Its own baseline accepted, the gate opens again, and the old reason is still there.
    let output = gate(&baseline, &["accept", "--reason", "another compiler"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(read(&baseline)["reasons"].as_array().map(Vec::len), Some(2));
    expect(&baseline, 0, &STAGES);
    with("processor", json!("another"));
    expect(&baseline, 1, &["for another", "accept a new one"]);
    with("stages", json!({STAGES[0]: accepted["stages"][STAGES[0]]}));
    expect(&baseline, 1, &["not in the baseline"]);
}

/// The whole way of the ratio check, with the timings that this build has: only what is accepted differs.
#[test]
fn a_ratio_far_below_the_accepted_one_is_a_loss() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let baseline = folder.path().join("baseline.json");
    let ratio = |ratios: Value| {
        let text = json!({"compiler": "", "processor": "", "reasons": [], "stages": {}, "ratios": ratios});
        std::fs::write(&baseline, text.to_string()).expect("writable");
        let output = gate(&baseline, &["ratio"]);
        (output.status.code(), said(&output))
    };
    let (code, new) = ratio(json!({}));
    if new.contains("skipped: no recorded data") {
        println!("skipped: no recorded data");
        return;
    }
    assert_eq!(code, Some(1), "{new}");
    let names: Vec<&str> = new.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.contains(&"perp-p50") && new.contains("not in the baseline: accept a new one"), "{new}");
    let all = |accepted: f64| Value::Object(names.iter().map(|name| ((*name).to_owned(), json!(accepted))).collect());
    let (code, held) = ratio(all(0.000_1));
    assert_eq!(code, Some(0), "{held}");
    let (code, lost) = ratio(all(1_000_000.0));
    assert_eq!(code, Some(1), "{lost}");
    assert!(lost.lines().all(|line| line.contains("LOST: below in every attempt")), "{lost}");
}

#[test]
fn arguments_that_make_no_sense_are_refused() {
    for (arguments, words) in [
        (&["accept"] as &[&str], "--reason <TEXT>"),
        (&["accept", "--reason", " "], "a new baseline needs its reason"),
        (&["--reason", "why"], "unexpected argument '--reason'"),
        (&["--only", "nothing"], "possible values: decode-perp-2,"),
        (&["accept", "ratio", "--reason", "why"], "unexpected argument 'ratio'"),
        (&["else"], "unrecognized subcommand 'else'"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_gate")).args(arguments).output().expect("the gate starts");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains(words), "{arguments:?}: {}", said(&output));
    }
}
