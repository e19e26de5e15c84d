//! COLD: every example of README and of every verb's help, run as it stands on what ships with the project.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::no_secret::no_secret_is_told;

/// Examples that are not run here, each with its reason. One that stands nowhere any more fails.
const NOT_RUN: &[(&str, &str)] = &[
    ("cargo test --workspace", "it is what runs this"),
    ("cargo build --release --locked -p spinbook", "the gate builds the release"),
    ("sudo systemctl start spinbook", "needs root and an installed service"),
    (
        "cargo run --release -p spinbook-bench --bin targets -- --write BENCHMARKS.md",
        "measures for many minutes on a quiet machine",
    ),
    (
        "cargo run --release -p spinbook-bench --bin latency -- FILES... --out FOLDER",
        "measures on a quiet machine; FILES are the reader's",
    ),
    ("(cd bench/peers && cargo run --release)", "needs other people's libraries"),
    ("cargo run --release -p spinbook-bench --bin wire", "measures on a quiet machine"),
    ("cargo run --release -p spinbook-bench --bin paced", "measures on a quiet machine"),
    ("cargo bench -p spinbook-bench", "measures for many minutes"),
    ("cargo run --release -p spinbook-bench --bin gate", "needs valgrind"),
    ("cargo run --release -p spinbook-bench --bin gate -- ratio", "measures on a quiet machine"),
    ("cargo run --release -p spinbook-bench --bin gate -- accept --reason \"why\"", "changes the baseline"),
    (
        "spinbook run -c spinbook.toml --mode paper --data sample.zst",
        "the sample is of another venue than the configuration here; virtual time has tests of its own",
    ),
    ("spinbook kill -c spinbook.toml", "needs a running engine; the tests of faults stop one"),
];

/// What an example must end with where that is not 0.
const ENDS_OTHERWISE: &[(&str, i32)] = &[("spinbook exchange", 130)];

fn project_root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the project")
}

/// The folder that an example runs in, with everything that one may name, and the exchange that its configuration names.
struct Stage {
    exchange: Child,
    config: String,
    /// Where a run has traded live: its state has a journal.
    traded: tempfile::TempDir,
}

impl Stage {
    fn set() -> Stage {
        let mut exchange = program(Path::new("."))
            .args(["exchange", "--seed", "7", "--json", "-q"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        let stdout = exchange.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("it says where it is");
        let ready: Value = serde_json::from_str(&line).expect("one object");
        let mut init = program(Path::new("."));
        init.args(["config", "init", "--set", "market.0.credentials=keys/binance.toml"]);
        for key in ["rest_url", "stream_url", "ws_api_url", "ca_file"] {
            init.args(["--set", &format!("market.0.{key}={}", ready[key].as_str().expect("a text"))]);
        }
        let output = init.output().expect("the program starts");
        let config = String::from_utf8(output.stdout).expect("a text");
        assert!(output.status.success() && config.contains("rest_url"), "{config}");
        let traded = tempfile::tempdir().expect("a temporary folder");
        fs::write(traded.path().join("spinbook.toml"), &config).expect("written");
        let text = |key: &str| ready[key].as_str().expect("a text");
        write_keys(traded.path(), text("api_key"), text("secret"));
        let live = ["run", "-c", "spinbook.toml", "--mode", "live", "--account", "sim0", "--seconds", "1", "-q"];
        let output = program(traded.path()).args(live).output().expect("the program starts");
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        no_secret_is_told(traded.path(), &out, &err);
        assert!(output.status.success(), "{err}");
        Stage { exchange, config, traded }
    }

    /// A fresh folder: as a user has it who followed README.
    fn folder(&self) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let samples = folder.path().join("tools/samples");
        fs::create_dir_all(&samples).expect("new");
        for file in fs::read_dir(project_root().join("tools/samples")).expect("samples ship with the project") {
            let path = file.expect("readable").path();
            let name = path.file_name().expect("a file");
            fs::copy(&path, samples.join(name)).expect("copied");
        }
        fs::copy(samples.join("binance-spot.zst"), folder.path().join("sample.zst")).expect("copied");
        fs::copy(samples.join("faults.toml"), folder.path().join("faults.toml")).expect("copied");
        fs::write(folder.path().join("spinbook.toml"), &self.config).expect("written");
        let state = folder.path().join("state");
        fs::create_dir(&state).expect("new");
        // What a run leaves behind: its number.
        fs::write(state.join("run"), "5\n").expect("written");
        // And what it decided and sent.
        let (journal, kept) = (state.join("journal/live"), self.traded.path().join("state/journal/live"));
        fs::create_dir_all(&journal).expect("new");
        for file in fs::read_dir(kept).expect("live trading keeps a journal") {
            let path = file.expect("readable").path();
            fs::copy(&path, journal.join(path.file_name().expect("a file"))).expect("copied");
        }
        let (key, secret) =
            ("vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zv".repeat(2), "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP".repeat(2));
        write_keys(folder.path(), &key, &secret);
        folder
    }
}

/// The credentials file that the configuration names.
fn write_keys(folder: &Path, key: &str, secret: &str) {
    fs::create_dir(folder.join("keys")).expect("new");
    let file = folder.join("keys/binance.toml");
    fs::write(&file, format!("api_key = \"{key}\"\nsecret = \"{secret}\"\n")).expect("written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("our own file");
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = self.exchange.kill();
        let _ = self.exchange.wait();
    }
}

/// The program, with nothing of this environment in its configuration.
fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spinbook"));
    without_settings(&mut command).current_dir(folder);
    command
}

fn without_settings(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SPINBOOK_")) {
        command.env_remove(name);
    }
    command
}

/// The examples in a verb's help and in that of every verb below it, and the verb's own path.
fn examples_of_help(path: &[String], found: &mut Vec<String>) {
    let output = program(Path::new(".")).args(path).arg("--help").output().expect("the program starts");
    assert!(output.status.success(), "{path:?}");
    let text = String::from_utf8(output.stdout).expect("a text");
    let examples = text.split("Example: ").nth(1).unwrap_or_else(|| panic!("{path:?} shows no example:\n{text}"));
    found.extend(examples.lines().map(str::trim).filter(|line| line.starts_with("spinbook ")).map(str::to_owned));
    let verbs = text.split("Commands:\n").nth(1).unwrap_or("").split("\n\n").next().unwrap_or("");
    // A verb stands two columns in; what is further in goes on with a sentence.
    for verb in verbs.lines().filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' ')) {
        let verb = verb.split_whitespace().next().expect("a verb").to_owned();
        if verb != "help" {
            examples_of_help(&[path, &[verb]].concat(), found);
        }
    }
}

/// The commands in README's blocks of shell, without their comments.
fn examples_of_readme() -> Vec<String> {
    let text = fs::read_to_string(project_root().join("README.md")).expect("README is there");
    let mut found = Vec::new();
    for block in text.split("```sh\n").skip(1) {
        let block = block.split("```").next().expect("its end");
        let commands = block
            .lines()
            .map(|line| line.split("  #").next().unwrap_or(line).split(" # ").next().unwrap_or(line).trim());
        found.extend(commands.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned));
    }
    found
}

/// As `spinbook` itself runs it; none if it is another program's.
fn as_spinbook(example: &str) -> Option<String> {
    let arguments = example.strip_prefix("cargo run --release -- ").or_else(|| example.strip_prefix("spinbook "))?;
    Some(format!("spinbook {arguments}"))
}

/// The same for a test: a second instead of many, on whatever core is free, on any free port.
fn shortened(example: &str) -> String {
    let mut words: Vec<String> = example.split(' ').map(str::to_owned).collect();
    let verb = words.get(1).cloned().unwrap_or_default();
    let timed = ["demo", "run"].contains(&verb.as_str());
    match words.iter().position(|word| word == "--seconds") {
        Some(at) if timed || (verb == "doctor" && words[at + 1] != "0") => words[at + 1] = "1".to_owned(),
        None if timed => words.extend(["--seconds".to_owned(), "1".to_owned()]),
        _ => {}
    }
    if verb == "demo" {
        words.push("--unpinned".to_owned());
    }
    words.join(" ").replace("127.0.0.1:9443", "127.0.0.1:0")
}

/// Runs an example and says how it ended; `exchange` is interrupted once it serves.
fn run(example: &str, folder: &Path) -> (i32, String) {
    for flag in ["--output ", "> "] {
        if let Some(name) = example.split(flag).nth(1).and_then(|rest| rest.split(' ').next()) {
            let _ = fs::remove_file(folder.join(name));
        }
    }
    let serves = example.starts_with("spinbook exchange");
    let mut path = Path::new(env!("CARGO_BIN_EXE_spinbook")).parent().expect("a folder").as_os_str().to_owned();
    path.push(":/usr/bin:/bin");
    let mut child = without_settings(&mut Command::new("sh"))
        .args(["-c", &format!("exec {example}")])
        .env("PATH", path)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a shell");
    if serves {
        let mut byte = [0];
        let _ = child.stdout.as_mut().expect("it is piped").read(&mut byte);
        let _ = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    }
    let output = child.wait_with_output().expect("it ends");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    no_secret_is_told(folder, &out, &err);
    let text = format!("{out}{err}");
    (output.status.code().unwrap_or(-1), text)
}

#[test]
fn every_example_of_readme_and_help_does_what_it_says() {
    let mut examples = examples_of_readme();
    assert!(examples.len() > 8, "{examples:?}");
    let of_readme = examples.len();
    examples_of_help(&[], &mut examples);
    assert!(examples.len() > of_readme + 12, "{examples:?}");

    let stale: Vec<_> = NOT_RUN.iter().filter(|(line, _)| !examples.iter().any(|example| example == line)).collect();
    assert!(stale.is_empty(), "these stand nowhere any more, take them out: {stale:?}");

    let stage = Stage::set();
    let mut done = BTreeSet::new();
    let mut wrong = Vec::new();
    for example in examples.iter().filter(|example| !NOT_RUN.iter().any(|(line, _)| example.as_str() == *line)) {
        let Some(command) = as_spinbook(example) else {
            wrong.push(format!("`{example}` is run by nothing and stands in no list"));
            continue;
        };
        let command = shortened(&command);
        if !done.insert(command.clone()) {
            continue;
        }
        let folder = stage.folder();
        let (code, text) = run(&command, folder.path());
        let expected = ENDS_OTHERWISE.iter().find(|(start, _)| command.starts_with(start)).map_or(0, |(_, code)| *code);
        println!("{code:3} {command}");
        if code != expected {
            wrong.push(format!("`{example}` ended with {code}, not {expected}:\n{text}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn the_sample_recording_is_what_its_verb_makes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let shipped = project_root().join("tools/samples/binance-spot.zst");
    let made = folder.path().join("made.zst");
    let arguments = ["sample", "--venue", "binance-spot", "--seconds", "60", "--seed", "1", "--output"];
    let output = program(folder.path()).args(arguments).arg(&made).output().expect("the program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (shipped, made) = (fs::read(&shipped).expect("it ships"), fs::read(&made).expect("it was made"));
    assert!(shipped.len() < 300_000, "{} bytes are too many to ship", shipped.len());
    assert!(
        shipped == made,
        "the synthetic market has changed: rm tools/samples/binance-spot.zst && cargo run -- {} tools/samples/binance-spot.zst",
        arguments.join(" ")
    );
    // The same name is never overwritten.
    let again = program(folder.path()).args(arguments).arg("made.zst").output().expect("the program starts");
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("does not exist yet"));
}

#[test]
fn the_sample_recording_is_whole_and_every_pair_in_it_agrees() {
    let file = project_root().join("tools/samples/binance-spot.zst");
    let output = program(Path::new(".")).args(["verify", "--json", "-q"]).arg(&file).output().expect("it starts");
    let value: Value = serde_json::from_slice(&output.stdout).expect("one object");
    assert_eq!((output.status.code(), &value["verdict"]), (Some(0), &"whole".into()), "{value}");
    let symbol = &value["symbols"]["BTCUSDT"];
    assert!(symbol["bbo_checked"].as_u64() > Some(20), "{symbol}");
    let nanos = |key: &str| symbol[key].as_i64().expect("a time");
    assert!((58_000_000_000..60_000_000_000).contains(&(nanos("last_event_ns") - nanos("first_event_ns"))), "{symbol}");
}

#[test]
fn every_file_that_a_message_or_an_image_names_is_there() {
    let root = project_root();
    let mut sources = Vec::new();
    let mut folders = vec![root.join("tools/src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("readable").path();
            if path.is_dir() { folders.push(path) } else { sources.push(path) }
        }
    }
    let named = regex::Regex::new(r"(?:tools|feed|engine|bench)/[A-Za-z0-9_./-]+\.(?:md|toml|zst|service|conf|txt|rs)")
        .expect("a pattern");
    let mut found = 0;
    let mut missing = Vec::new();
    for source in sources {
        let text = fs::read_to_string(&source).expect("a text");
        // What is said to users; comments are the house's own.
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for name in named.find_iter(line).map(|name| name.as_str()) {
                found += 1;
                if !root.join(name).exists() {
                    missing.push(format!("{}: {name}", source.display()));
                }
            }
        }
    }
    assert!(found > 0 && missing.is_empty(), "{found} named, missing: {missing:#?}");

    let image = fs::read_to_string(root.join("tools/deploy/Dockerfile")).expect("it ships");
    let let_in = fs::read_to_string(root.join("tools/deploy/Dockerfile.dockerignore")).expect("it ships");
    let copied: Vec<&str> = image
        .lines()
        .filter_map(|line| line.strip_prefix("COPY "))
        .flat_map(|line| line.split(' ').rev().skip(1))
        .collect();
    assert!(copied.len() > 3 && copied.contains(&"target/release/spinbook"), "{copied:?}");
    for file in copied {
        assert!(file.starts_with("target/") || root.join(file).exists(), "{file} is copied and is not there");
        assert!(let_in.lines().any(|line| line.strip_prefix('!') == Some(file)), "{file} is copied and not let in");
    }
}
