//! COLD: `spinbook verify` on recordings, whole and damaged, as users run it.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde_json::Value;
use spinbook_feed::testkit::data_folder;

fn verify(arguments: &[&Path], venue: Option<&str>) -> (i32, Value, String) {
    let venue = venue.map(|venue| format!("--venue={venue}"));
    verify_with(arguments, venue.as_deref())
}

fn verify_with(arguments: &[&Path], flag: Option<&str>) -> (i32, Value, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spinbook"));
    command.args(["verify", "--json", "-q"]).args(arguments).args(flag);
    let Output { status, stdout, stderr } = command.output().expect("the program starts");
    let text = String::from_utf8(stdout).expect("stdout is UTF-8");
    assert_eq!(text.lines().count(), 1, "stdout is not one line: {text}");
    let value: Value = serde_json::from_str(text.trim_end()).expect("the line is JSON");
    (status.code().expect("it was not killed"), value, String::from_utf8_lossy(&stderr).into_owned())
}

/// A recording's lines.
fn lines(path: &Path) -> Vec<String> {
    let mut text = String::new();
    MultiGzDecoder::new(fs::File::open(path).expect("the recording is there"))
        .read_to_string(&mut text)
        .expect("the recording is whole");
    text.lines().map(str::to_owned).collect()
}

/// The 2024 perpetual chain, as one list of lines.
fn perpetual(data: &Path) -> Vec<String> {
    let folder = data.join("binance-usdm");
    [lines(&folder.join("btcusdt_20240718.gz")), lines(&folder.join("btcusdt_20240719.gz"))].concat()
}

fn write(folder: &Path, lines: &[String]) -> PathBuf {
    let path = folder.join("recording.gz");
    let mut encoder = GzEncoder::new(fs::File::create(&path).expect("writable"), Compression::fast());
    for line in lines {
        writeln!(encoder, "{line}").expect("writable");
    }
    encoder.finish().expect("writable");
    path
}

fn symbol(value: &Value) -> &Value {
    &value["symbols"]["BTCUSDT"]
}

/// Places of depth messages that follow the snapshot, well inside the chain.
fn depth_lines(lines: &[String]) -> Vec<usize> {
    let snapshot = lines.iter().position(|line| line.contains("lastUpdateId")).expect("the chain has a snapshot");
    let is_depth = |index: &usize| lines[*index].contains("\"depthUpdate\"");
    (snapshot + 1_000..lines.len()).filter(is_depth).collect()
}

#[test]
fn the_recorded_chains_are_whole_with_every_pair_checked() {
    let Some(data) = data_folder() else { return };
    let chains = [
        ("binance-usdm", ["btcusdt_20240718.gz", "btcusdt_20240719.gz"], 71_984, 9_022, 625),
        ("binance-usdm", ["btcusdt_20230404.dat.gz", "btcusdt_20230405.dat.gz"], 73_765, 16_110, 1_565),
        ("binance-spot", ["btcusdt_20240808.gz", "btcusdt_20240809.gz"], 99_574, 6_495, 1_072),
    ];
    for (venue, names, line_count, depth, pairs) in chains {
        let files = names.map(|name| data.join(venue).join(name));
        for named in [None, Some(venue)] {
            let (code, value, errors) = verify(&[&files[0], &files[1]], named);
            assert_eq!((code, &value["verdict"]), (0, &"whole".into()), "{names:?}: {errors}");
            assert_eq!(value["venue"], venue);
            assert_eq!(value["lines"], line_count);
            assert_eq!(value["bad_frames"], 0);
            let found = symbol(&value);
            assert_eq!(found["state"], "live");
            assert_eq!(found["depth"], depth);
            assert_eq!((&found["gaps"], &found["crossed"]), (&0.into(), &0.into()));
            assert_eq!(found["bbo_checked"], pairs, "{names:?}");
            assert_eq!(found["bbo_matched"], pairs, "{names:?}");
            let frames = value["frames"].as_u64().expect("a number");
            let scanned = value["scanned"].as_u64().expect("a number");
            assert!((depth..=frames).contains(&scanned), "{value}");
        }
    }
}

#[test]
fn the_object_has_exactly_the_promised_keys() {
    let Some(data) = data_folder() else { return };
    let folder = data.join("binance-usdm");
    let (code, value, _) = verify(&[&folder.join("btcusdt_20240718.gz")], None);
    assert_eq!(code, 0, "{value}");
    let keys = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>().join(" ");
    let top = "files venue verdict lines frames bad_frames scanned fallback elapsed_seconds lines_per_second symbols";
    assert_eq!(keys(&value), top);
    let inner = "state depth levels snapshots gaps resyncs bbo_checked bbo_matched checksum_checked checksum_matched crossed \
                 trades first_event_ns last_event_ns best_bid best_ask";
    assert_eq!(keys(symbol(&value)), inner);
}

#[test]
fn a_lost_or_swapped_depth_line_is_one_gap_and_a_doubled_one_is_none() {
    let Some(data) = data_folder() else { return };
    let whole = perpetual(&data);
    let depth = depth_lines(&whole);
    let (at, next) = (depth[depth.len() / 2], depth[depth.len() / 2 + 1]);
    let folder = tempfile::tempdir().expect("a temporary folder");

    let mut lost = whole.clone();
    lost.remove(at);
    let mut swapped = whole.clone();
    swapped.swap(at, next);
    for damaged in [lost, swapped] {
        let path = write(folder.path(), &damaged);
        let (code, value, errors) = verify(&[&path], Some("binance-usdm"));
        assert_eq!((code, &value["verdict"]), (3, &"not whole".into()), "{errors}");
        assert!(
            errors.contains("NOT WHOLE: BTCUSDT: the sequence breaks once") && errors.contains("next :"),
            "{errors}"
        );
        assert!(value["findings"][0]["what"].is_string() && value["findings"][0]["next"].is_string(), "{value}");
        let (code, allowed, errors) = verify_with(&[&path], Some("--allow-gaps"));
        assert_eq!((code, &allowed["verdict"]), (0, &"not whole".into()), "{errors}");
        assert_eq!(symbol(&value)["gaps"], 1);
        assert_eq!(symbol(&value)["state"], "stale");
        assert_eq!(symbol(&value)["best_bid"], Value::Null);
    }

    let mut doubled = whole;
    doubled.insert(at, doubled[at].clone());
    let (code, value, errors) = verify(&[&write(folder.path(), &doubled)], Some("binance-usdm"));
    assert_eq!(code, 0, "{errors}");
    assert_eq!(symbol(&value)["gaps"], 0);
    assert_eq!(symbol(&value)["state"], "live");
    assert_eq!(symbol(&value)["bbo_checked"], 625);
}

#[test]
fn a_wrong_best_bid_is_found() {
    let Some(data) = data_folder() else { return };
    let mut lines = perpetual(&data);
    // Every best bid/ask message gets another quantity on its bid; those whose update id a depth message has are caught.
    for line in lines.iter_mut().filter(|line| line.contains("\"bookTicker\"")) {
        *line = line.replacen("\"B\":\"", "\"B\":\"1", 1);
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (code, value, errors) = verify(&[&write(folder.path(), &lines)], Some("binance-usdm"));
    assert_eq!(code, 3, "{value}");
    assert!(errors.contains("best bid/ask"), "{errors}");
    assert!(symbol(&value)["bbo_checked"].as_u64() > symbol(&value)["bbo_matched"].as_u64(), "{value}");
    assert!(value["problem"].is_string());
}

#[test]
fn cut_short_and_corrupt_files_are_reported_as_far_as_they_read() {
    let Some(data) = data_folder() else { return };
    let original = fs::read(data.join("binance-usdm").join("btcusdt_20240719.gz")).expect("readable");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("damaged.gz");

    fs::write(&path, &original[..original.len() / 2]).expect("writable");
    let (code, value, errors) = verify(&[&path], Some("binance-usdm"));
    assert_eq!(code, 3, "{errors}");
    assert!(value["lines"].as_u64().expect("a number") > 1_000, "what is readable is reported: {value}");

    let mut flipped = original.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x10;
    fs::write(&path, &flipped).expect("writable");
    let (code, _, errors) = verify(&[&path], Some("binance-usdm"));
    assert_eq!(code, 3, "{errors}");
}

#[test]
fn a_bad_frame_is_counted_and_shown() {
    let Some(data) = data_folder() else { return };
    let mut lines = perpetual(&data);
    lines.truncate(20_000);
    let at = depth_lines(&lines)[5];
    lines[at] = lines[at].replace("\"b\":[[\"", "\"b\":[[\"x");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (code, value, errors) = verify(&[&write(folder.path(), &lines)], Some("binance-usdm"));
    assert_eq!(code, 3, "{errors}");
    assert_eq!(value["bad_frames"], 1, "{value}");
    assert!(errors.contains("bad frame"), "{errors}");
}

#[test]
fn what_cannot_be_read_at_all_is_a_failure_with_advice() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let missing = folder.path().join("missing.gz");
    let (code, value, _) = verify(&[&missing], Some("binance-usdm"));
    assert_eq!(code, 1, "{value}");
    let error = &value["error"];
    assert!(error["where"].as_str().is_some_and(|place| place.contains("missing.gz")), "{value}");
    assert!(error["why"].is_string() && error["next"].is_string(), "{value}");

    let text = folder.path().join("letter.txt");
    fs::write(&text, "Dear reader,\nthis is no recording.\n").expect("writable");
    let (code, value, _) = verify(&[&text], None);
    assert_eq!(code, 3, "{value}");
    assert!(value["error"].is_object(), "{value}");

    let empty = folder.path().join("empty.gz");
    fs::write(&empty, b"").expect("writable");
    let (code, value, _) = verify(&[&empty], None);
    assert_eq!(code, 3, "{value}");

    let (code, value, _) = verify(&[folder.path()], None);
    assert_eq!(code, 1, "{value}");
    assert!(value["error"]["why"].as_str().is_some_and(|why| why.contains("name the files in it")), "{value}");

    let (code, value, _) = verify(&[Path::new("/dev/null")], None);
    assert_eq!(code, 2, "a pipe or a device is read once only: {value}");
}

#[test]
fn what_lies_in_another_venues_form_is_wrong_under_every_name_but_its_own() {
    let Some(data) = data_folder() else { return };
    let file = data.join("binance-usdm").join("btcusdt_20240718.gz");
    let (code, value, errors) = verify(&[&file], Some("binance-spot"));
    assert_eq!((code, &value["verdict"]), (3, &"wrong".into()), "{errors}");
    assert!(errors.contains("is a recording of binance-usdm, not of binance-spot"), "{errors}");
    assert!(errors.contains("use --venue binance-usdm"), "{errors}");
}

#[test]
fn the_verdict_is_said_once_and_where_people_look() {
    let Some(data) = data_folder() else { return };
    let file = data.join("binance-usdm").join("btcusdt_20240719.gz");
    let output =
        Command::new(env!("CARGO_BIN_EXE_spinbook")).args(["verify", "-q"]).arg(&file).output().expect("it starts");
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(3), "{errors}");
    assert_eq!((text.matches("NOT WHOLE").count(), errors.as_ref()), (1, ""), "{text}");
    let before = data.join("binance-usdm").join("btcusdt_20240718.gz");
    assert!(text.contains(&format!("{} lies beside it", before.display())), "{text}");
}
