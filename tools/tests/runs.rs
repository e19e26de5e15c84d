//! COLD: the program against its own exchange, process by process: what runs. What goes wrong is in `faults`.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_spinbook");

fn spinbook(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.current_dir(directory).args(arguments).stdin(Stdio::null());
    command
}

fn last_json(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().last().unwrap_or_else(|| panic!("no output; stderr: {}", stderr(output)));
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}; stderr: {}", stderr(output)))
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A simulated exchange in a process of its own, and a directory with a configuration for it.
struct Exchange {
    process: Child,
    ready: Value,
    directory: TempDir,
}

impl Exchange {
    fn start(more: &[&str]) -> Exchange {
        let directory = tempfile::tempdir().expect("a directory");
        let mut arguments = vec!["exchange", "--json", "-q", "--seed", "11"];
        arguments.extend_from_slice(more);
        let mut process = spinbook(directory.path(), &arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("starts");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        let ready = serde_json::from_str(&line).expect("the ready line is JSON");
        let exchange = Exchange { process, ready, directory };
        exchange.write_key("keys.toml", exchange.text("secret"));
        fs::write(exchange.file("c.toml"), exchange.configuration()).expect("written");
        exchange
    }

    fn text(&self, key: &str) -> &str {
        self.ready[key].as_str().expect("a text")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write_key(&self, name: &str, secret: &str) {
        let text = format!("api_key = \"{}\"\nsecret = \"{secret}\"\n", self.text("api_key"));
        fs::write(self.file(name), text).expect("written");
        fs::set_permissions(self.file(name), fs::Permissions::from_mode(0o600)).expect("mode set");
    }

    fn configuration(&self) -> String {
        format!(
            r#"[engine]
state_dir = "state"
[[market]]
venue = "binance-usdm"
symbols = ["BTCUSDT"]
credentials = "keys.toml"
rest_url = "{rest}"
stream_url = "{stream}"
ws_api_url = "{api}"
ca_file = "{ca}"
[strategy]
kind = "spread"
spread_bps = 0.6
levels = 1
order_size_base = "0.001"
imbalance_levels = 10
imbalance_threshold = 0.3
imbalance_widening = 1.5
inventory_skew_bps = 5.0
refresh_tolerance_bps = 0.2
edge_min_bps = -20.0
time_in_force = "post-only"
[risk]
order_quantity_max_base = "0.01"
order_notional_max_quote = "1000"
position_max_base = "0.05"
price_collar_bps = 50.0
open_orders_max = 8
messages_max_per_second = 20
loss_max_quote_per_day = "100"
book_age_max_ms = 2000
"#,
            rest = self.text("rest_url"),
            stream = self.text("stream_url"),
            api = self.text("ws_api_url"),
            ca = self.text("ca_file"),
        )
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut all = vec!["run", "-c", "c.toml", "--json", "-q"];
        all.extend_from_slice(arguments);
        spinbook(self.directory.path(), &all).output().expect("runs")
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What every orderly run against a simulated exchange must show.
fn assert_orderly(report: &Value) {
    assert_eq!(report["books"]["live"], 1, "{report}");
    assert!(report["orders"]["sent"].as_u64() > Some(0), "{report}");
    assert!(report["orders"]["acked"].as_u64() > Some(0), "{report}");
    assert_eq!(report["orders"]["unknown"], 0, "{report}");
    assert_eq!(report["orders"]["open_at_exit"], 0, "{report}");
    assert_eq!(report["hot_allocations"]["decision"], 0, "{report}");
    assert_eq!(report["account"], report["venue_account"], "{report}");
}

/// Where recordings are; `None`, with a word, where there are none.
fn recorded_data() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let folder = std::env::var_os("SPINBOOK_DATA").map_or(beside, PathBuf::from);
    if !folder.join("binance-usdm").exists() {
        println!("skipped: no recorded data");
        return None;
    }
    Some(folder.canonicalize().expect("it exists"))
}

#[test]
fn a_demo_on_any_symbol_ends_in_order_when_its_recording_does() {
    // Half a minute of several small coins.
    let Some(file) = recorded_data().map(|data| data.join("binance-usdm/BINANCE_FUTURES.jsonl.zst")) else { return };
    let directory = tempfile::tempdir().expect("a directory");
    let file = file.to_str().expect("a plain path");
    let arguments = ["demo", "--seconds", "30", "--unpinned", "--speed", "6", "--data", file];
    let output = spinbook(directory.path(), &arguments).output().expect("runs");
    let (text, said) = (String::from_utf8_lossy(&output.stdout).into_owned(), stderr(&output));
    assert_eq!(output.status.code(), Some(0), "{text}{said}");
    assert!(text.contains("the market was over before the 30 s that were asked for"), "{text}{said}");
    assert!(text.contains("equal to the last digit"), "{text}{said}");
    assert!(text.contains("SUSHIUSDT"), "{text}{said}");
    let lines: Vec<&str> = said.lines().filter(|line| line.contains(" s  SUSHIUSDT ")).collect();
    assert!(lines.len() >= 3, "a line a second where there is no terminal: {said}");
    assert!(lines.iter().any(|line| line.contains("SUSHIUSDT live  bid 7.")), "{said}");
    assert!(lines.last().is_some_and(|line| !line.contains("sent 0 ")), "{said}");
}

#[test]
fn paper_shadow_and_live_run_against_any_exchange() {
    let exchange = Exchange::start(&[]);
    let paper = exchange.run(&["--mode", "paper", "--seconds", "3"]);
    let report = last_json(&paper);
    assert_eq!(paper.status.code(), Some(0), "{report}; {}", stderr(&paper));
    assert_orderly(&report);

    let shadow = exchange.run(&["--mode", "shadow", "--seconds", "2"]);
    let report = last_json(&shadow);
    assert_eq!(shadow.status.code(), Some(0), "{report}; {}", stderr(&shadow));
    assert!(report["venue_account"].is_null() && report["fills"] == 0, "{report}");

    // The account to name is the one that a wrong name is answered with.
    let wrong = exchange.run(&["--mode", "live", "--account", "nobody", "--seconds", "2"]);
    assert_eq!(wrong.status.code(), Some(2));
    let answer = last_json(&wrong)["error"]["next"].as_str().expect("a next step").to_owned();
    assert!(last_json(&wrong)["error"]["why"].as_str().is_some_and(|why| why.contains("accountAlias")), "{answer}");
    let account = answer.rsplit(' ').next().expect("the account");
    let live = exchange.run(&["--mode", "live", "--account", account, "--seconds", "3"]);
    let report = last_json(&live);
    assert_eq!(live.status.code(), Some(0), "{report}; {}", stderr(&live));
    assert_orderly(&report);
}

#[test]
fn demos_on_recorded_traffic_trade_and_agree_with_the_venue() {
    let Some(data) = recorded_data() else { return };
    let chains = [
        ("binance-usdm", ["binance-usdm/btcusdt_20240718.gz", "binance-usdm/btcusdt_20240719.gz"]),
        ("binance-spot", ["binance-spot/btcusdt_20240808.gz", "binance-spot/btcusdt_20240809.gz"]),
    ];
    for (venue, files) in chains {
        let files = files.map(|file| data.join(file).display().to_string());
        let arguments = [
            "demo",
            "--venue",
            venue,
            "--speed",
            "20",
            "--seconds",
            "6",
            "--json",
            "--unpinned",
            "--data",
            &files[0],
            &files[1],
        ];
        let directory = tempfile::tempdir().expect("a directory");
        let output = spinbook(directory.path(), &arguments).output().expect("runs");
        assert_eq!(output.status.code(), Some(0), "{venue}: {}", stderr(&output));
        let report = last_json(&output);
        assert_orderly(&report);
        assert_eq!(report["books"]["gaps"], 0, "{report}");
    }
}
