//! COLD: recordings that lack something: verify says what, where, and which file to add, and never says whole.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::support;
use spinbook_feed::history::{VerifyOutcome, VerifyProblem, Wholeness, verify};
use spinbook_feed::venue::ProductLine;

/// Lines of a chain in two files: enough for some pairs of best bid/ask and depth message.
const LINES: usize = 6_000;

/// A folder of files made of the first lines of a recorded chain.
struct Folder {
    folder: tempfile::TempDir,
    lines: Vec<String>,
}

impl Folder {
    fn of(names: &[&str]) -> Option<Folder> {
        let lines = support::lines(&support::recorded(names)?, LINES);
        let lines = lines.into_iter().map(|line| String::from_utf8(line).unwrap()).collect();
        Some(Folder { folder: tempfile::tempdir().unwrap(), lines })
    }

    fn write(&self, name: &str, lines: &[String]) -> PathBuf {
        let path = self.folder.path().join(name);
        let mut file = std::fs::File::create(&path).unwrap();
        for line in lines {
            writeln!(file, "{line}").unwrap();
        }
        path
    }

    /// The chain in two files.
    fn halves(&self) -> [PathBuf; 2] {
        let (first, second) = self.lines.split_at(LINES / 2);
        [self.write("day_1.txt", first), self.write("day_2.txt", second)]
    }

    /// Indexes of depth lines, well behind the snapshot.
    fn depth(&self) -> Vec<usize> {
        (200..self.lines.len()).filter(|index| self.lines[*index].contains("\"depthUpdate\"")).collect()
    }
}

fn play(files: &[PathBuf]) -> VerifyOutcome {
    verify(files, None, &mut |_| {})
}

/// The findings, each with its advice.
fn said(outcome: &VerifyOutcome) -> String {
    outcome.report.findings.iter().map(|finding| format!("{} -> {}\n", finding.what, finding.next)).collect()
}

#[track_caller]
fn lacks(outcome: &VerifyOutcome, words: &[&str]) {
    assert_eq!(outcome.report.verdict, Wholeness::NotWhole, "{:?}", outcome.problem);
    let said = said(outcome);
    for word in words {
        assert!(said.contains(word), "no `{word}` in:\n{said}");
    }
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

#[test]
fn a_chain_in_two_files_is_whole() {
    for names in [support::USDM_2024, support::USDM_2023, support::SPOT_2024] {
        let Some(folder) = Folder::of(&names) else { return };
        let outcome = play(&folder.halves());
        assert_eq!((outcome.report.verdict, said(&outcome).as_str()), (Wholeness::Whole, ""), "{:?}", outcome.problem);
        assert!(outcome.report.symbols["BTCUSDT"].bbo_checked > 0);
    }
}

#[test]
fn missing_updates_are_said_with_their_file_and_line() {
    let Some(folder) = Folder::of(&support::USDM_2024) else { return };
    let depth = folder.depth();
    let at = depth[depth.len() / 2];
    let mut lines = folder.lines.clone();
    lines.remove(at);
    let next = depth[depth.len() / 2 + 1];
    let outcome = play(&[folder.write("lost.txt", &lines)]);
    // The next update shows it; the line that was removed stood before that.
    lacks(&outcome, &["breaks once", &format!("lost.txt line {next}"), "stale at the end", "missing in it"]);

    let mut lines = folder.lines.clone();
    lines.swap(at, next);
    lacks(&play(&[folder.write("swapped.txt", &lines)]), &["breaks once", "swapped.txt line"]);
}

#[test]
fn a_book_that_never_was_live_asks_for_the_file_before() {
    let Some(folder) = Folder::of(&support::USDM_2024) else { return };
    let [first, second] = folder.halves();
    let beside = format!("{} lies beside it", first.display());
    lacks(&play(std::slice::from_ref(&second)), &["never was live", "add the file before", "day_2.txt", &beside]);

    let without: Vec<String> =
        folder.lines.iter().filter(|line| !line.contains("{\"lastUpdateId\"")).cloned().collect();
    let outcome = play(&[folder.write("waiting.txt", &without)]);
    lacks(&outcome, &["never was live", "no depth snapshot", "add the file before"]);
    assert!(!said(&outcome).contains("lies beside it"), "{}", said(&outcome));
}

#[test]
fn files_that_do_not_join_are_said_with_what_to_change() {
    let Some(folder) = Folder::of(&support::USDM_2024) else { return };
    let [first, second] = folder.halves();
    let outcome = play(&[second.clone(), first.clone()]);
    lacks(&outcome, &["files out of order", &format!("name {} first", first.display())]);
    assert_eq!(outcome.report.findings.len(), 1, "what that explains is not said: {}", said(&outcome));
    lacks(&play(&[first.clone(), first.clone()]), &["day_1.txt is named twice"]);

    let copy = folder.write("copy.txt", &folder.lines[LINES / 4..LINES / 2]);
    lacks(&play(&[first.clone(), copy, second.clone()]), &["the two overlap"]);

    let third = folder.lines.len() / 3;
    let [first, middle, last] = [0, 1, 2]
        .map(|part| folder.write(&format!("hour_{part}.txt"), &folder.lines[part * third..(part + 1) * third]));
    let outcome = play(&[first.clone(), last.clone()]);
    let between = format!("add the file between {} and {}: {}", first.display(), last.display(), middle.display());
    lacks(&outcome, &["breaks once", name(&last), &between]);
}

#[test]
fn receive_times_that_go_back_are_said() {
    let Some(folder) = Folder::of(&support::USDM_2024) else { return };
    let mut lines = folder.lines.clone();
    for line in &mut lines[3_000..3_010] {
        let (time, frame) = line.split_once(' ').unwrap();
        let earlier = time.parse::<i64>().unwrap() - 1_000_000_000_000;
        *line = format!("{earlier} {frame}");
    }
    lacks(&play(&[folder.write("back.txt", &lines)]), &["back.txt line 3001", "steps back by 99999"]);
}

#[test]
fn best_bid_asks_of_which_none_can_be_compared_are_not_whole() {
    let Some(folder) = Folder::of(&support::USDM_2024) else { return };
    let renumbered = |line: &String| match line.contains("\"bookTicker\"") {
        true => line.replacen("\"u\":49", "\"u\":39", 1),
        false => line.clone(),
    };
    let lines: Vec<String> = folder.lines.iter().map(renumbered).collect();
    lacks(&play(&[folder.write("other.txt", &lines)]), &["best bid/asks could be compared"]);

    let without: Vec<String> = folder.lines.iter().filter(|line| !line.contains("bookTicker")).cloned().collect();
    let outcome = play(&[folder.write("depth.txt", &without)]);
    assert_eq!(outcome.report.verdict, Wholeness::Whole, "there is nothing to compare: {}", said(&outcome));

    let trades: Vec<String> = folder.lines.iter().filter(|line| line.contains("@trade")).cloned().collect();
    let outcome = verify(&[folder.write("trades.txt", &trades)], ProductLine::from_name("binance-usdm"), &mut |_| {});
    lacks(&outcome, &["no depth messages"]);
}

#[test]
fn files_of_two_symbols_have_each_its_own_snapshot() {
    let Some(folder) = Folder::of(&support::USDM_2024) else { return };
    let renamed = |line: &String| line.replace("BTCUSDT", "ETHUSDT").replace("btcusdt", "ethusdt");
    let other: Vec<String> = folder.lines.iter().map(renamed).collect();
    let [first, second] = folder.halves();
    let (one, two) = other.split_at(LINES / 2);
    let (third, fourth) = (folder.write("eth_1.txt", one), folder.write("eth_2.txt", two));
    for files in [[&first, &second, &third, &fourth], [&first, &third, &second, &fourth]] {
        let outcome = play(&files.map(Clone::clone));
        assert_eq!(outcome.report.verdict, Wholeness::Whole, "{}", said(&outcome));
        let [bitcoin, ether] = ["BTCUSDT", "ETHUSDT"].map(|symbol| &outcome.report.symbols[symbol]);
        assert!(bitcoin.bbo_checked > 0 && bitcoin == ether, "{bitcoin:?}\n{ether:?}");
    }
    // In one file a snapshot of no named symbol could be either's, even if the other one comes late.
    let late = [folder.lines.clone(), other[5_000..].to_vec()].concat();
    lacks(&play(&[folder.write("both.txt", &late)]), &["do not say whose they are", "both.txt holds several"]);
}

#[test]
fn another_venues_recording_is_wrong_and_its_own_name_is_said() {
    let [spot, usdm] = ["binance-spot", "binance-usdm"];
    for (names, own, other) in [(support::USDM_2024, usdm, spot), (support::SPOT_2024, spot, usdm)] {
        let Some(folder) = Folder::of(&names) else { return };
        let outcome = verify(&folder.halves(), ProductLine::from_name(other), &mut |_| {});
        assert_eq!(outcome.report.verdict, Wholeness::Wrong);
        let Some(VerifyProblem::OtherVenue { found, expected, named: true, .. }) = outcome.problem else {
            panic!("{:?}", outcome.problem)
        };
        assert_eq!((found, expected, said(&outcome).as_str()), (own, other, ""));
    }
    let (Some(first), Some(second)) = (Folder::of(&support::USDM_2024), Folder::of(&support::SPOT_2024)) else {
        return;
    };
    let files = [first.halves(), second.halves()].concat();
    let Some(VerifyProblem::OtherVenue { file, named: false, .. }) = play(&files).problem else { panic!() };
    assert_eq!(file, files[2].display().to_string());
}

#[test]
fn blank_lines_are_no_frames_and_a_bad_line_is_said_with_its_file() {
    let Some(folder) = Folder::of(&support::USDM_2024) else { return };
    let mut lines = folder.lines.clone();
    lines.insert(100, String::new());
    lines.push(String::new());
    let [first, _] = folder.halves();
    let outcome = play(&[folder.write("blank.txt", &lines)]);
    assert_eq!(outcome.report.verdict, Wholeness::Whole, "{:?} {}", outcome.problem, said(&outcome));
    let broken = folder.write("broken.txt", &["not a line".to_owned()]);
    // A file that begins otherwise is of no known form; behind a first line it is a bad one.
    assert!(matches!(play(&[broken]).problem, Some(VerifyProblem::Source(_))));
    let mut second = folder.lines[LINES / 2..].to_vec();
    second.insert(7, "not a line".to_owned());
    let problem = play(&[first, folder.write("second.txt", &second)]).problem.unwrap();
    assert!(problem.to_string().contains("second.txt line 8: not a line"), "{problem}");
}
