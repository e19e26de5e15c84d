//! COLD: the tuning page and the files beside it name only what exists: verbs, flags, keys, checks, paths.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn spinbook(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spinbook"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SPINBOOK_")) {
        command.env_remove(name);
    }
    command.args(arguments).envs(environment.iter().copied()).output().expect("the program starts")
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The lines of a page's fenced blocks of one kind (the word behind the fence).
fn blocks(page: &str, kind: &str) -> Vec<String> {
    let (mut lines, mut inside) = (Vec::new(), None);
    for line in page.lines() {
        match (line.strip_prefix("```"), inside) {
            (Some(of), None) => inside = Some(of.trim() == kind),
            (Some(_), Some(_)) => inside = None,
            (None, Some(true)) => lines.push(line.to_owned()),
            (None, _) => {}
        }
    }
    lines
}

/// The values of a key in a unit file, in its order.
fn unit_values<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

/// Every call of the program in a line of shell: its words behind the program's name, up to the command's end.
fn calls(line: &str) -> Vec<Vec<String>> {
    let line = line.split(" #").next().unwrap_or_default();
    let mut found = Vec::new();
    for command in line.split(['&', ';', '|', '(', ')', '>', '\'']) {
        let mut words = command.split_whitespace().peekable();
        while let Some(word) = words.next() {
            let is_program = word == "spinbook" || word.ends_with("/bin/spinbook");
            // A name that follows an option (`-u spinbook`, `-p spinbook`) or ends a command is no call.
            if is_program && words.peek().is_some_and(|next| next.starts_with(|c: char| c.is_ascii_lowercase())) {
                let rest: Vec<String> = words.clone().map(str::to_owned).collect();
                if rest[0] != "spinbook" && !rest[0].contains('/') {
                    found.push(rest);
                }
            }
        }
    }
    found
}

/// Whether verb and flags of one call exist, by the program's own help.
fn check_call(words: &[String]) -> Result<(), String> {
    let verbs: Vec<&str> = words
        .iter()
        .map(String::as_str)
        .take_while(|word| word.bytes().all(|b| b.is_ascii_lowercase()))
        .take(2)
        .collect();
    // Of two words the second may be an argument; only `config` and `keys` have verbs of their own.
    let verbs = if ["config", "keys"].contains(&verbs[0]) { &verbs[..] } else { &verbs[..1] };
    let help = spinbook(&[verbs, &["--help"]].concat(), &[]);
    if !help.status.success() {
        return Err(format!("no verb {verbs:?}: {}", text(&help)));
    }
    let help = text(&help);
    let known: BTreeSet<&str> =
        help.split([' ', ',', '\n', '[', ']', '=']).filter(|word| word.starts_with('-')).collect();
    for flag in words.iter().filter(|word| word.starts_with('-')) {
        let name = flag.split('=').next().unwrap_or_default();
        if !known.contains(name) {
            return Err(format!("{verbs:?} has no {name}"));
        }
    }
    Ok(())
}

#[test]
fn every_call_of_the_program_names_a_verb_and_flags_that_exist() {
    let refused = ["doctor --secnds 3", "doktor", "run -c x --mood paper"];
    for line in refused {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        assert!(check_call(&words).is_err(), "passed: {line}");
    }
    let unit = read("tools/deploy/spinbook.service");
    let (page, readme) = (read("tools/TUNING.md"), read("README.md"));
    let mut lines = blocks(&page, "sh");
    lines.extend(blocks(&readme, "sh"));
    lines.extend(unit.lines().filter(|line| line.starts_with("Exec")).map(|line| line.replacen('=', " ", 1)));
    let found: Vec<Vec<String>> = lines.iter().flat_map(|line| calls(line)).collect();
    assert!(found.len() >= 9, "{found:?}");
    for words in &found {
        check_call(words).unwrap_or_else(|error| panic!("{words:?}: {error}"));
    }
    for verb in ["run", "kill", "config", "doctor", "demo"] {
        assert!(found.iter().any(|words| words[0] == verb), "no call of {verb} was found in {found:?}");
    }
}

#[test]
fn every_cargo_command_names_packages_and_programs_that_exist() {
    let mut seen = 0;
    for line in blocks(&read("tools/TUNING.md"), "sh").iter().filter(|line| line.starts_with("cargo ")) {
        let words: Vec<&str> = line.split_whitespace().collect();
        for pair in words.windows(2) {
            let (flag, value) = (pair[0], pair[1]);
            let exists = match flag {
                "-p" => {
                    let folder = value.strip_prefix("spinbook-").unwrap_or("tools");
                    read(&format!("{folder}/Cargo.toml")).contains(&format!("name = \"{value}\""))
                }
                "--bin" => root().join(format!("bench/src/bin/{value}.rs")).exists(),
                _ => continue,
            };
            assert!(exists, "{line}: there is no {value}");
            seen += 1;
        }
    }
    assert!(seen >= 6, "{seen}");
}

fn sample() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("spinbook.toml").display().to_string();
    let made = spinbook(&["config", "init", "--output", &path], &[]);
    assert!(made.status.success(), "{}", text(&made));
    (folder, path)
}

#[test]
fn every_key_of_the_configuration_is_accepted_with_the_value_shown() {
    let (_folder, path) = sample();
    let check = |set: &str| spinbook(&["config", "check", "-c", &path, "--set", set], &[]);
    assert!(!check("engine.hot_cores=3").status.success() && !check("engine.lock_memory=perhaps").status.success());
    let (mut section, mut seen) = (String::new(), BTreeSet::new());
    for line in blocks(&read("tools/TUNING.md"), "toml") {
        let line = line.split('#').next().unwrap_or_default().trim().to_owned();
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').to_owned();
        } else if let Some((key, value)) = line.split_once('=') {
            let set = format!("{section}.{}={}", key.trim(), value.trim());
            let output = check(&set);
            // A core that this machine does not have is refused for that alone.
            let absent = key.trim().ends_with("_core") && text(&output).contains("this program may run on the cores");
            assert!(output.status.success() || absent, "{set}: {}", text(&output));
            seen.insert(key.trim().to_owned());
        }
    }
    let expected = ["hot_core", "huge_pages", "io_core", "lock_memory"].map(str::to_owned);
    assert_eq!(seen, BTreeSet::from(expected));
    let sample = fs::read_to_string(&path).expect("written");
    assert!(seen.iter().all(|key| sample.contains(&format!("# {key} = "))), "the sample shows each of them");
}

#[test]
fn the_unit_is_safe_for_a_market_maker_and_its_settings_are_accepted() {
    let unit = read("tools/deploy/spinbook.service");
    let only = |key: &str| {
        let values = unit_values(&unit, key);
        assert_eq!(values.len(), 1, "{key}: {values:?}");
        values[0]
    };
    for (key, value) in [
        ("Restart", "no"),
        ("KillSignal", "SIGINT"),
        ("KillMode", "mixed"),
        ("SuccessExitStatus", "130"),
        ("LimitMEMLOCK", "infinity"),
        ("LimitCORE", "0"),
        ("LimitRTPRIO", "0"),
        ("MemorySwapMax", "0"),
        ("NoNewPrivileges", "yes"),
        ("CapabilityBoundingSet", ""),
        ("ProtectSystem", "strict"),
        ("StateDirectoryMode", "0700"),
        ("Type", "exec"),
        ("User", "spinbook"),
    ] {
        assert_eq!(only(key), value, "{key}");
    }
    assert!(!unit.contains("[Install]\n"), "nothing starts trading with the machine");
    assert_eq!(only("TimeoutStopSec"), "infinity", "nothing is killed while orders may be open");
    assert_eq!(only("CPUAffinity"), only("AllowedCPUs"), "a core that is not allowed cannot be asked for");
    let (name, source) = only("LoadCredential").split_once(':').expect("NAME:PATH");
    assert!(source.ends_with(name) && source.starts_with("/etc/spinbook/keys/"));
    let after = unit_values(&unit, "ExecStopPost");
    assert!(after[0].contains("spinbook kill --state-dir /var/lib/spinbook"));
    // The latch answers 1, since no engine lives to confirm: whoever cancels comes behind it all the same.
    assert!(after[0].contains("|| true") && after[1].contains("spinbook-guard --after-stop"), "{after:?}");
    let guard = read("tools/deploy/spinbook-guard.service");
    for key in ["LoadCredential", "User", "StateDirectoryMode", "LimitCORE"] {
        assert_eq!(unit_values(&guard, key), [only(key)], "{key}");
    }
    assert_eq!(unit_values(&guard, "RestartPreventExitStatus"), ["2 4"], "who has acted waits for a person");
    assert_eq!(unit_values(&unit, "Environment").len(), 2);
    let (_folder, path) = sample();
    let environment: Vec<(&str, &str)> =
        unit_values(&unit, "Environment").iter().map(|entry| entry.split_once('=').expect("NAME=VALUE")).collect();
    let output = spinbook(&["config", "check", "-c", &path, "--json"], &environment);
    assert!(output.status.success(), "{}", text(&output));
    let value: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(value["effective"]["engine"]["state_dir"], "/var/lib/spinbook");
    assert_eq!(value["effective"]["engine"]["lock_memory"], "required");
}

#[test]
fn a_crash_leaves_the_kill_file_and_an_orderly_end_does_not() {
    let unit = read("tools/deploy/spinbook.service");
    let line = unit_values(&unit, "ExecStopPost")[0];
    let script = line.strip_prefix("/bin/sh -c '").and_then(|rest| rest.strip_suffix('\'')).expect("a line of shell");
    let script = script.replace("/usr/local/bin/spinbook", "echo");
    // As systemd sets them; a service that never started has no exit code.
    for (result, code, status, killed) in [
        ("success", "exited", "0", false),
        ("success", "exited", "130", false),
        ("exit-code", "exited", "2", false),
        ("exit-code", "exited", "1", true),
        ("exit-code", "exited", "3", true),
        ("core-dump", "dumped", "ABRT", true),
        ("signal", "killed", "KILL", true),
        ("timeout", "killed", "KILL", true),
        ("exit-code", "", "", false),
    ] {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &script]).env_remove("EXIT_CODE").env_remove("EXIT_STATUS").env("SERVICE_RESULT", result);
        if !code.is_empty() {
            shell.env("EXIT_CODE", code).env("EXIT_STATUS", status);
        }
        let output = shell.output().expect("a shell");
        assert!(output.status.success(), "{result} {code} {status}: {}", text(&output));
        assert_eq!(text(&output).starts_with("kill --state-dir"), killed, "{result} {code} {status}");
    }
}

/// Every `a-b,c` list as cores.
fn cores(list: &str) -> BTreeSet<usize> {
    list.split(',')
        .filter(|part| part.starts_with(|c: char| c.is_ascii_digit()))
        .flat_map(|part| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            first.parse().expect("a core")..=last.parse::<usize>().expect("a core")
        })
        .collect()
}

#[test]
fn the_kernels_lines_isolate_the_same_cores_and_send_interrupts_elsewhere() {
    let file = read("tools/deploy/kernel-command-line.txt");
    let lines: Vec<&str> = file.lines().filter(|line| line.starts_with("isolcpus=")).collect();
    assert_eq!(lines.len(), 3, "two, four and eight cores");
    for (line, count) in lines.iter().zip([2, 4, 8]) {
        let of = |key: &str| {
            let value = line.split_whitespace().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
            cores(value.unwrap_or_else(|| panic!("{line}: no {key}")))
        };
        let isolated = of("isolcpus");
        assert!(!isolated.is_empty() && of("nohz_full") == isolated && of("rcu_nocbs") == isolated, "{line}");
        let all: BTreeSet<usize> = isolated.union(&of("irqaffinity")).copied().collect();
        assert_eq!(all, (0..count).collect::<BTreeSet<_>>(), "{line}");
        assert!(isolated.is_disjoint(&of("irqaffinity")), "{line}");
    }
    assert!(blocks(&read("tools/TUNING.md"), "").contains(&lines[1].to_owned()), "the page shows that of four cores");
}

#[test]
fn the_page_knows_every_check_and_key_of_the_doctor_and_no_other() {
    let output = spinbook(&["doctor", "--seconds", "1", "--json", "-q"], &[]);
    let value: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output)));
    let checks: BTreeSet<String> = value["findings"]
        .as_array()
        .expect("an array")
        .iter()
        .map(|finding| finding["check"].as_str().expect("a name").to_owned())
        .collect();
    let page = read("tools/TUNING.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    let information = page.lines().skip_while(|line| !line.starts_with("**For information**")).take(3);
    let mut named: BTreeSet<String> =
        rows.filter(|row| *row != "doctor says").flat_map(|row| row.split(", ").map(str::to_owned)).collect();
    let information = information.collect::<Vec<_>>().join(" ");
    let mentioned = checks.iter().filter(|check| information.contains(check.as_str())).cloned();
    named.extend(mentioned);
    assert_eq!(named, checks);
    let core = &value["jitter"]["cores"][0];
    for object in [&value, &value["findings"][0], &value["jitter"], core] {
        for key in object.as_object().expect("an object").keys() {
            assert!(
                page.contains(&format!("`{key}`")) || page.contains(&format!("\"{key}\"")),
                "{key} is not explained"
            );
        }
    }
}

#[test]
fn every_file_that_is_named_exists() {
    let mut seen = 0;
    for file in
        ["tools/TUNING.md", "README.md", "tools/deploy/spinbook.service", "tools/deploy/kernel-command-line.txt"]
    {
        for word in read(file).split(|c: char| c.is_whitespace() || "`(),;:".contains(c)) {
            let word = word.trim_end_matches('.');
            if word.starts_with("tools/") && !word.contains('<') {
                assert!(root().join(word).exists(), "{file} names {word}");
                seen += 1;
            }
        }
    }
    assert!(seen >= 8, "{seen}");
}
