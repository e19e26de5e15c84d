//! COLD: bad configurations with every word of their answers, as one file holds them.

use std::path::Path;

use crate::config::Config;

const CASES: &str = include_str!("bad_configurations.txt");
/// As many kinds of slips are known to be answered well.
const CASES_MIN: usize = 40;

/// One case: its name, its changes, and the answer that it must get.
struct Case {
    name: &'static str,
    changes: Vec<&'static str>,
    answer: &'static str,
}

/// The lines of the configuration that is changed, and the cases.
fn cases() -> (Vec<&'static str>, Vec<Case>) {
    let mut cases = CASES.split("\n=== ").skip(1).map(|block| {
        let (name, rest) = block.split_once('\n').expect("a name has a line of its own");
        let (changes, answer) = rest.split_once("---\n").unwrap_or((rest, ""));
        Case { name, changes: changes.lines().filter(|line| !line.is_empty()).collect(), answer: answer.trim_end() }
    });
    let base = cases.next().expect("the configuration stands first");
    (base.changes, cases.collect())
}

/// What the program prints of the configuration with these changes.
fn answer(base: &[&str], case: &Case) -> String {
    let mut lines: Vec<&str> = base.to_vec();
    let (mut sets, mut environment, mut place) = (Vec::new(), Vec::new(), lines.len());
    for change in &case.changes {
        if let Some(start) = change.strip_prefix("- ") {
            place = lines.iter().position(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{}", case.name));
            lines.remove(place);
        } else if let Some(line) = change.strip_prefix("+ ") {
            lines.insert(place, line);
            place += 1;
        } else if let Some(set) = change.strip_prefix("--set ") {
            sets.push(set.to_owned());
        } else {
            let set = change.strip_prefix("env ").unwrap_or_else(|| panic!("{}: `{change}`", case.name));
            let (name, value) = set.split_once('=').unwrap_or_else(|| panic!("{}", case.name));
            environment.push((name.to_owned(), value.to_owned()));
        }
    }
    let text = lines.join("\n");
    match Config::from_text(&text, "spinbook.toml", Path::new(""), &environment, &sets) {
        Ok(_) => "it is accepted".to_owned(),
        Err(failure) => failure.to_string(),
    }
}

#[test]
fn every_bad_configuration_gets_the_answer_that_the_file_of_them_holds() {
    let (base, cases) = cases();
    assert!(cases.len() >= CASES_MIN, "{} cases", cases.len());
    let names: std::collections::HashSet<&str> = cases.iter().map(|case| case.name).collect();
    assert_eq!(names.len(), cases.len(), "a name stands twice");
    let as_it_is = Case { name: "the configuration", changes: Vec::new(), answer: "" };
    assert_eq!(answer(&base, &as_it_is), "it is accepted");
    let (mut now, mut differing) = (String::new(), Vec::new());
    for case in &cases {
        let answer = answer(&base, case);
        assert!(!answer.contains("not to be printed"), "a secret is repeated: {answer}");
        now.push_str(&format!("=== {}\n{}\n---\n{answer}\n\n", case.name, case.changes.join("\n")));
        if answer != case.answer {
            differing.push(format!("{}:\n{answer}\ninstead of:\n{}", case.name, case.answer));
        }
    }
    if !differing.is_empty() {
        let path = std::env::temp_dir().join("bad_configurations.txt");
        let head = CASES.split_once("\n=== a ").map_or("", |(head, _)| head);
        std::fs::write(&path, format!("{head}\n{now}")).expect("writable");
        panic!("{}\nall as they are now: {}", differing.join("\n\n"), path.display());
    }
}
