//! COLD: the built program as users meet it: help, exit codes, messages, the one JSON object.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::no_secret::no_secret_is_told;

const KEY: &str = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";

fn spinbook(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spinbook"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SPINBOOK_")) {
        command.env_remove(name);
    }
    command.env_remove("CREDENTIALS_DIRECTORY");
    let output = command.current_dir(folder).args(arguments).output().expect("the program starts");
    no_secret_is_told(folder, &out(&output), &err(&output));
    output
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("stdout is UTF-8")
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("stderr is UTF-8")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("it was not killed")
}

/// stdout must be exactly one line that is exactly one JSON object.
fn object(output: &Output) -> Value {
    let text = out(output);
    assert_eq!(text.lines().count(), 1, "stdout is not one line:\n{text}\nstderr:\n{}", err(output));
    let value: Value = serde_json::from_str(text.trim_end()).expect("the line is JSON");
    assert!(value.is_object(), "{text}");
    value
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// A folder with the sample configuration, one line of it replaced.
fn with_config(from: &str, to: &str) -> tempfile::TempDir {
    let folder = folder();
    let output = spinbook(folder.path(), &["config", "init", "--output", "spinbook.toml"]);
    assert_eq!(code(&output), 0, "{}", err(&output));
    let path = folder.path().join("spinbook.toml");
    let text = fs::read_to_string(&path).expect("written");
    assert!(text.contains(from), "the sample does not hold `{from}`");
    fs::write(&path, text.replace(from, to)).expect("writable");
    folder
}

fn with_keys(content: &str, mode: u32) -> tempfile::TempDir {
    let folder = with_config("# credentials = ", "credentials = ");
    let keys = folder.path().join("keys");
    fs::create_dir(&keys).expect("new");
    fs::write(keys.join("binance.toml"), content).expect("writable");
    fs::set_permissions(keys.join("binance.toml"), fs::Permissions::from_mode(mode)).expect("own file");
    folder
}

const VERBS: [&[&str]; 14] = [
    &["demo"],
    &["run"],
    &["exchange"],
    &["verify"],
    &["sample"],
    &["completions"],
    &["man"],
    &["config"],
    &["config", "init"],
    &["config", "check"],
    &["keys"],
    &["keys", "check"],
    &["doctor"],
    &["kill"],
];

#[test]
fn every_verb_has_help_with_an_example() {
    let folder = folder();
    for verb in VERBS {
        let output = spinbook(folder.path(), &[verb, &["--help"]].concat());
        assert_eq!(code(&output), 0, "{verb:?}");
        let text = out(&output);
        assert!(text.contains("Example: spinbook"), "{verb:?}:\n{text}");
        assert!(text.contains("--json") && text.contains("--quiet"), "{verb:?}:\n{text}");
    }
    let text = out(&spinbook(folder.path(), &["--help"]));
    assert!(text.contains("Exit codes: 0 done, 1 failed, 2 wrong usage"), "{text}");
}

#[test]
fn the_flags_are_those_that_were_promised() {
    let folder = folder();
    let promised: [(&str, &[&str]); 4] = [
        ("demo", &["--seconds", "--data", "--venue", "--speed", "--seed"]),
        ("run", &["--config", "-c", "--mode", "--account", "--set", "paper", "shadow", "live"]),
        ("exchange", &["--listen", "--venue", "--data", "--speed", "--faults"]),
        ("verify", &["--venue"]),
    ];
    for (verb, flags) in promised {
        let text = out(&spinbook(folder.path(), &[verb, "--help"]));
        for flag in flags {
            assert!(text.contains(flag), "{verb} has no {flag}:\n{text}");
        }
    }
}

#[test]
fn a_verb_that_is_not_there_is_no_verb() {
    let folder = folder();
    for verb in "record replay backtest sweep download cache compare analyze report top".split(' ') {
        let output = spinbook(folder.path(), &["--json", verb, "a.gz"]);
        assert_eq!(code(&output), 2, "{verb}");
        assert!(object(&output)["error"]["what"].as_str().is_some_and(|what| what.contains(verb)), "{verb}");
    }
    let text = err(&spinbook(folder.path(), &["--json"]));
    assert!(!text.contains("backtest") && text.contains("demo"), "only verbs that do something are listed: {text}");
}

#[test]
fn help_is_a_verb_too() {
    let folder = folder();
    for (asked, shown) in [(&["help"] as &[&str], "Exit codes:"), (&["help", "verify"], "Verdicts:")] {
        let output = spinbook(folder.path(), asked);
        assert_eq!(code(&output), 0, "{}", err(&output));
        assert!(out(&output).contains(shown), "{asked:?}: {}", out(&output));
    }
}

#[test]
fn shells_complete_and_man_shows_every_verb() {
    let folder = folder();
    for shell in ["bash", "zsh", "fish"] {
        let output = spinbook(folder.path(), &["completions", shell]);
        assert_eq!(code(&output), 0, "{}", err(&output));
        let text = out(&output);
        assert!(["verify", "allow-gaps", "mode"].iter().all(|word| text.contains(word)), "{shell}:\n{text}");
    }
    let output = spinbook(folder.path(), &["man", "--output", "manual/man1", "--json"]);
    assert_eq!(code(&output), 0, "{}", err(&output));
    let written = object(&output)["written"].as_array().map(Vec::len);
    assert!(written >= Some(VERBS.len()), "{written:?}");
    for verb in VERBS {
        let page = folder.path().join(format!("manual/man1/spinbook-{}.1", verb.join("-")));
        let text = fs::read_to_string(&page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
        assert!(text.starts_with(".ie") || text.contains(".TH"), "{text}");
        assert!(text.contains("Example: spinbook"), "{verb:?}");
    }
    assert!(out(&spinbook(folder.path(), &["man"])).contains(".SH SUBCOMMANDS"));
}

#[test]
fn the_schema_of_the_configuration_is_printed_for_editors_and_for_readme() {
    let folder = folder();
    let schema = object(&spinbook(folder.path(), &["config", "schema", "--json"]));
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema["properties"]["market"]["type"], "array");
    let text = out(&spinbook(folder.path(), &["config", "schema"]));
    assert_eq!(serde_json::from_str::<Value>(&text).expect("the text is JSON too"), schema);
    let table = out(&spinbook(folder.path(), &["config", "schema", "--markdown"]));
    assert!(table.starts_with("| key |") && table.contains("`risk.position_max_base`"), "{table}");
}

#[test]
fn the_sample_is_filled_in_on_request() {
    let folder = folder();
    let set = ["config", "init", "--set", "market.0.venue=binance-spot", "--set", "market.1.venue=binance-usdm"];
    let output = spinbook(folder.path(), &set);
    assert_eq!(code(&output), 0, "{}", err(&output));
    let text = out(&output);
    assert_eq!(text.matches("[[market]]").count(), 2, "{text}");
    assert!(text.contains("venue = \"binance-spot\""), "{text}");
    let output = spinbook(folder.path(), &["config", "init", "--set", "risk.position_max=1"]);
    assert_eq!(code(&output), 2);
    assert!(err(&output).contains("no such key"), "{}", err(&output));
}

#[test]
fn wrong_usage_exits_with_2_and_still_answers_one_object() {
    let folder = folder();
    let cases: [&[&str]; 9] = [
        &[],
        &["dmeo"],
        &["demo", "--seconds", "0"],
        &["demo", "--speed", "-1"],
        &["run"],
        &["run", "-c", "x.toml", "--mode", "real"],
        &["verify"],
        &["exchange", "--listen", "nowhere"],
        &["config", "check", "-c"],
    ];
    for arguments in cases {
        let output = spinbook(folder.path(), arguments);
        assert_eq!(code(&output), 2, "{arguments:?}: {}", err(&output));
        assert!(!err(&output).is_empty() && out(&output).is_empty(), "{arguments:?}");
        let output = spinbook(folder.path(), &[&["--json"], arguments].concat());
        assert_eq!(code(&output), 2, "{arguments:?}");
        assert_eq!(object(&output)["error"]["exit_code"], 2, "{arguments:?}");
    }
    let text = err(&spinbook(folder.path(), &["dmeo"]));
    assert!(text.contains("demo"), "the nearest verb is named: {text}");
}

#[test]
fn an_unknown_venue_is_refused_with_the_nearest_name() {
    let folder = folder();
    let cases: [&[&str]; 3] = [
        &["verify", "--venue", "binance-usd", "x.gz"],
        &["demo", "--venue", "binance-usd"],
        &["exchange", "--venue", "binance-usd"],
    ];
    for arguments in cases {
        let output = spinbook(folder.path(), arguments);
        assert_eq!(code(&output), 2, "{arguments:?}: {}", err(&output));
        assert!(err(&output).contains("did you mean `binance-usdm`?"), "{arguments:?}: {}", err(&output));
        let output = spinbook(folder.path(), &[arguments, &["--json"]].concat());
        assert_eq!(object(&output)["error"]["exit_code"], 2);
    }
    let output = spinbook(folder.path(), &["verify", "--venue", "okx", "x.gz"]);
    assert_eq!(code(&output), 2);
    assert!(err(&output).contains("not built yet"), "{}", err(&output));
}

#[test]
fn the_sample_is_written_once_and_checks() {
    let folder = with_config("venue", "venue");
    let again = spinbook(folder.path(), &["config", "init", "--output", "spinbook.toml"]);
    assert_eq!(code(&again), 1);
    assert!(err(&again).contains("does not exist yet"), "{}", err(&again));
    let output = spinbook(folder.path(), &["config", "check", "-c", "spinbook.toml", "--json"]);
    assert_eq!(code(&output), 0, "{}", err(&output));
    let value = object(&output);
    assert_eq!(value["effective"]["risk"]["position_max_base"], "0.05");
    let nowhere = spinbook(folder.path(), &["config", "init", "--output", "nowhere/spinbook.toml"]);
    assert!(err(&nowhere).contains("make its folder first"), "{}", err(&nowhere));
    let output = spinbook(folder.path(), &["config", "init"]);
    assert!(out(&output).contains("every limit is mandatory"));
    assert!(object(&spinbook(folder.path(), &["config", "init", "--json"]))["config"].is_string());
}

#[test]
fn a_bad_configuration_is_answered_with_file_line_value_and_nearest_key() {
    let folder = with_config("position_max_base = ", "positon_max_base = ");
    for verb in [&["config", "check", "-c"], &["run", "--mode=paper", "-c"]] {
        let output = spinbook(folder.path(), &[verb, ["spinbook.toml"].as_slice()].concat());
        assert_eq!(code(&output), 2, "{}", err(&output));
        let text = err(&output);
        for part in
            ["spinbook.toml:", "positon_max_base", "\"0.05\"", "did you mean `position_max_base`?", "is missing"]
        {
            assert!(text.contains(part), "{verb:?}: no `{part}` in {text}");
        }
    }
    let output = spinbook(folder.path(), &["config", "check", "-c", "spinbook.toml", "--json"]);
    assert_eq!(object(&output)["error"]["problems"].as_array().map(Vec::len), Some(2));
    let output = spinbook(folder.path(), &["config", "check", "-c", "nowhere.toml"]);
    assert_eq!(code(&output), 2);
    assert!(err(&output).contains("nowhere.toml"), "{}", err(&output));
}

#[test]
fn keys_override_the_file_from_the_environment_and_the_command_line() {
    let folder = with_config("venue", "venue");
    let output = Command::new(env!("CARGO_BIN_EXE_spinbook"))
        .current_dir(folder.path())
        .env("SPINBOOK_RISK__POSITION_MAX_BASE", "0.2")
        .args(["config", "check", "-c", "spinbook.toml", "--json", "--set", "risk.open_orders_max=6"])
        .output()
        .expect("the program starts");
    let value = object(&output);
    assert_eq!(value["effective"]["risk"]["position_max_base"], "0.2");
    assert_eq!(value["effective"]["risk"]["open_orders_max"], 6);
}

#[test]
fn keys_are_checked_and_never_printed() {
    let good = format!("api_key = \"{KEY}\"\nsecret = \"{SECRET}\"\n");
    let cases = [
        (good.clone(), 0o600, 0, "vmPUZE6m…Eh8A"),
        (good.replace(KEY, "abc"), 0o600, 0, "has only 3 characters"),
        (good.clone(), 0o644, 2, "chmod 600"),
        (good.replace(SECRET, &format!("{SECRET} ")), 0o600, 2, "white space"),
        (good.replace(SECRET, "your-secret-key-goes-here"), 0o600, 2, "placeholder"),
        (good.replace("api_key", "api_kye"), 0o600, 2, "did you mean `api_key`"),
        (good.replace('"', ""), 0o600, 2, "line 1 is not TOML"),
    ];
    for (content, mode, expected, words) in cases {
        let folder = with_keys(&content, mode);
        for extra in [&[] as &[&str], &["--json"]] {
            let output = spinbook(folder.path(), &[&["keys", "check", "-c", "spinbook.toml"], extra].concat());
            assert_eq!(code(&output), expected, "{words}: {}", err(&output));
            let text = format!("{}{}", out(&output), err(&output));
            assert!(text.contains(words), "no `{words}` in {text}");
            assert!(!text.contains(&SECRET[..20]) && !text.contains(&KEY[..20]), "a secret is printed: {text}");
        }
    }
    let folder = with_config("venue", "venue");
    let output = spinbook(folder.path(), &["keys", "check", "-c", "spinbook.toml"]);
    assert_eq!(code(&output), 2);
    assert!(err(&output).contains("has no credentials"), "{}", err(&output));
}

#[test]
fn doctor_examines_and_each_warning_has_its_fix() {
    let folder = folder();
    let output = spinbook(folder.path(), &["doctor", "--json"]);
    assert_eq!(code(&output), 0, "{}", err(&output));
    assert!(err(&output).contains("measuring core"), "it takes longer than a second: {}", err(&output));
    let value = object(&output);
    let findings = value["findings"].as_array().expect("an array");
    assert!(findings.len() >= 29);
    for finding in findings {
        let status = finding["status"].as_str().expect("a word");
        assert!(["ok", "warn", "unknown"].contains(&status), "{finding}");
        assert_eq!(status == "warn", finding["fix"].is_string(), "{finding}");
    }
    let jitter = &value["jitter"];
    let cores = jitter["cores"].as_array().expect("an array");
    let is_measured = |core: &Value| cores.iter().any(|measured| measured["core"] == *core);
    assert!(is_measured(&jitter["quietest_core"]) && is_measured(&value["hot_core"]), "{jitter}");
    for core in cores {
        assert!(core["measured_ns"].as_u64() >= Some(1_000_000_000), "{core}");
        assert!(core["gap_p50_ns"].as_u64() <= core["gap_worst_ns"].as_u64(), "{core}");
    }
}

#[test]
fn doctor_without_measuring_looks_at_settings_for_the_core_that_is_meant() {
    let folder = folder();
    let output = spinbook(folder.path(), &["doctor", "--seconds", "0", "--hot-core", "0", "--json"]);
    assert_eq!(code(&output), 0, "{}", err(&output));
    let value = object(&output);
    assert_eq!((value["hot_core"].as_u64(), value["jitter"]["cores"].as_array().map(Vec::len)), (Some(0), Some(0)));
    let text = out(&spinbook(folder.path(), &["doctor", "--seconds", "0"]));
    assert!(text.contains("checks") && text.lines().count() > 28, "{text}");
    let output = spinbook(folder.path(), &["doctor", "--hot-core", "1023"]);
    assert_eq!(code(&output), 2);
    assert!(err(&output).contains("--hot-core"), "{}", err(&output));
}

#[test]
fn kill_latches_where_a_run_has_been_and_nowhere_else() {
    let folder = folder();
    let state = folder.path().join("state");
    let output = spinbook(folder.path(), &["kill"]);
    assert_eq!(code(&output), 2);
    assert!(err(&output).contains("--state-dir"), "{}", err(&output));
    fs::create_dir(&state).expect("new");
    assert_eq!(code(&spinbook(folder.path(), &["kill"])), 2, "a folder of that name is not enough");
    assert!(fs::read_dir(&state).expect("a folder").next().is_none(), "nothing is written into it");
    // What a run leaves behind: its number.
    fs::write(state.join("run"), "1760000000\n").expect("written");
    let mut requests = Vec::new();
    for _ in 0..2 {
        let output = spinbook(folder.path(), &["kill", "--json"]);
        assert_eq!(code(&output), 1, "nobody is there to confirm: {}", err(&output));
        assert!(object(&output)["error"]["what"].as_str().is_some_and(|what| what.contains("no engine runs")));
        requests.push(fs::read_to_string(state.join("kill")).expect("latched"));
    }
    assert_eq!(requests[0], requests[1], "who asks again waits for the same answer");
}

#[test]
fn a_missing_recording_ends_every_verb_alike() {
    let folder = folder();
    fs::write(folder.path().join("empty.gz"), b"").expect("writable");
    fs::write(folder.path().join("letter.txt"), b"Dear reader,\n").expect("writable");
    for (file, expected, words) in [
        ("nowhere.gz", 1, "check the path"),
        ("empty.gz", 3, "it is empty"),
        ("letter.txt", 3, "not a recording"),
        (".", 1, "name the files in it"),
    ] {
        for verb in [&["verify"] as &[&str], &["exchange", "--data"], &["demo", "--data"]] {
            let output = spinbook(folder.path(), &[verb, &[file]].concat());
            assert_eq!(code(&output), expected, "{verb:?} {file}: {}", err(&output));
            assert!(err(&output).contains(words), "{verb:?} {file}: {}", err(&output));
        }
    }
}

#[test]
fn recordings_out_of_order_are_refused_by_what_plays_them() {
    let folder = folder();
    let output = spinbook(folder.path(), &["sample", "--output", "all.txt", "--seconds", "4"]);
    assert_eq!(code(&output), 0, "{}", err(&output));
    let text = fs::read_to_string(folder.path().join("all.txt")).expect("written");
    let lines: Vec<&str> = text.lines().collect();
    let (first, second) = lines.split_at(lines.len() / 2);
    fs::write(folder.path().join("first.txt"), first.join("\n")).expect("writable");
    fs::write(folder.path().join("second.txt"), second.join("\n")).expect("writable");
    for verb in ["verify", "exchange --data", "demo --data"] {
        let arguments: Vec<&str> = verb.split(' ').chain(["second.txt", "first.txt"]).collect();
        let output = spinbook(folder.path(), &arguments);
        assert_eq!(code(&output), 3, "{verb}: {}", err(&output));
        let said = format!("{}{}", out(&output), err(&output));
        assert!(said.contains("out of order") && said.contains("first.txt"), "{verb}: {said}");
    }
    assert_eq!(code(&spinbook(folder.path(), &["verify", "first.txt", "second.txt"])), 0);
}

#[test]
fn the_exchange_ends_at_ctrl_c_as_every_verb_does() {
    use std::io::Read;
    let mut child = Command::new(env!("CARGO_BIN_EXE_spinbook"))
        .args(["exchange", "--json", "-q"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the program starts");
    let _ = child.stdout.as_mut().expect("it is piped").read(&mut [0; 64]).expect("it says where it is");
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("a signal");
    assert!(sent.success());
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
}

#[test]
fn the_check_refuses_what_a_run_would_refuse() {
    let folder = with_config("venue", "venue");
    fs::write(folder.path().join("file"), b"").expect("writable");
    fs::write(folder.path().join("open.toml"), b"").expect("writable");
    let cases = [
        ("engine.state_dir=file", "file is not a directory"),
        ("engine.state_dir=file/below", "file is not a directory"),
        ("engine.state_dir=/proc/spinbook", "cannot use the state directory"),
        ("engine.hot_core=4095", "no thread can be tied to core 4095"),
        ("market.0.ca_file=nowhere.pem", "nowhere.pem"),
        ("market.0.ca_file=file", "the CA file cannot be used"),
        ("market.0.credentials=nowhere.toml", "nowhere.toml"),
        ("market.0.credentials=open.toml", "chmod 600"),
        ("market.0.depth_stream=depth@7ms", "binance-usdm has no such stream, expected one of depth, depth@100ms"),
        ("market.0.snapshot_limit=200", "binance-usdm accepts only 5, 10, 20"),
        ("market.0.symbols=[\"BTC\u{dc}SDT\"]", "`\u{dc}` stands in no symbol"),
    ];
    fs::set_permissions(folder.path().join("open.toml"), fs::Permissions::from_mode(0o644)).expect("own file");
    for (set, words) in cases {
        let check = ["config", "check", "-c", "spinbook.toml", "--set", set];
        let output = spinbook(folder.path(), &check);
        assert_eq!(code(&output), 2, "{set}: {}", out(&output));
        assert!(err(&output).contains(words), "{set}: {}", err(&output));
        // A run in the mode that needs it says the same, without asking anybody.
        let mode = if set.contains("credentials") { "shadow" } else { "paper" };
        let run = spinbook(folder.path(), &["run", "--mode", mode, "-c", "spinbook.toml", "--set", set]);
        assert_eq!((code(&run), err(&run).contains(words)), (2, true), "{set}: {}", err(&run));
    }
    assert!(!folder.path().join("state").exists(), "a check makes no directory");
    let both = ["--set", "engine.state_dir=file", "--set", "market.0.ca_file=nowhere.pem"];
    let output = spinbook(folder.path(), &[&["config", "check", "--json", "-c", "spinbook.toml"], &both[..]].concat());
    assert_eq!(object(&output)["error"]["problems"].as_array().map(Vec::len), Some(2), "{}", err(&output));
}

#[test]
fn the_check_says_of_each_mode_whether_it_is_ready_and_doubts_aloud() {
    let folder = with_config("venue", "venue");
    let value = object(&spinbook(folder.path(), &["config", "check", "-c", "spinbook.toml", "--json"]));
    assert_eq!(value["modes"]["paper"], "ready", "{value}");
    assert!(value["modes"]["shadow"].as_str().is_some_and(|why| why.contains("has no credentials")), "{value}");
    assert!(
        value["modes"]["live"].as_str().is_some_and(|why| why.contains("need environment = \"production\"")),
        "{value}"
    );
    for (set, words) in [
        ("strategy.edge_min_bps=-5", "at a loss"),
        ("strategy.time_in_force=ioc", "taker fee"),
        ("risk.loss_max_quote_per_day=1000000000000", "may never stop anything"),
    ] {
        let output = spinbook(folder.path(), &["config", "check", "-q", "-c", "spinbook.toml", "--set", set]);
        assert_eq!(code(&output), 0, "{set}: {}", err(&output));
        let text = out(&output);
        assert!(text.contains(words), "{set}: {text}");
        assert!(!text.contains("order_quantity_max_base"), "-q leaves the table out: {text}");
    }
}

#[test]
fn a_port_in_use_is_said_with_what_to_do() {
    let folder = folder();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    let output = spinbook(folder.path(), &["exchange", "--listen", &address, "--json"]);
    assert_eq!(code(&output), 2, "{}", err(&output));
    let value = object(&output);
    assert!(value["error"]["what"].as_str().is_some_and(|what| what.contains("in use")), "{value}");
    assert!(value["error"]["next"].as_str().is_some_and(|next| next.contains("--listen")), "{value}");
}

#[test]
fn paper_over_a_recording_repeats_to_the_byte() {
    let folder = with_config("venue = \"binance-usdm\"", "venue = \"binance-spot\"");
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/samples/binance-spot.zst");
    let arguments = ["run", "-c", "spinbook.toml", "--mode", "paper", "--data", sample, "--json", "-q"];
    let runs = [spinbook(folder.path(), &arguments), spinbook(folder.path(), &arguments)];
    assert_eq!(code(&runs[0]), 0, "{}", err(&runs[0]));
    let report = object(&runs[0]);
    assert_eq!(out(&runs[0]), out(&runs[1]));
    for clocked in [
        "decode_to_order_ns",
        "wire_to_wire_ns",
        "kill_to_wire_ns",
        "hot_allocations",
        "rehearsals",
        "started",
        "stopped",
    ] {
        assert!(report[clocked].is_null(), "{clocked}: {report}");
    }
    assert_eq!(report["repeats"], true);
    assert_eq!(report["account"], report["venue_account"]);
    assert!(report["fills"].as_u64().is_some_and(|fills| fills > 0), "{report}");
}
