//! COLD: the real program against a real exchange process, both on loopback, with files in a folder of their own.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::no_secret::no_secret_is_told;

/// Nothing that is waited for here may take longer, whatever the fault and however busy the machine: a test that
/// waits longer has found a hang.
pub const HANG: Duration = Duration::from_secs(180);

/// Seconds of a run that the test ends itself, as soon as it has seen what it waits for.
const OPEN_END: &str = "600";

/// The program, without anything of this environment that it would listen to.
pub fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spinbook"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SPINBOOK_")) {
        command.env_remove(name);
    }
    command.env_remove("CREDENTIALS_DIRECTORY");
    // Files that a killed process leaves lie in the folder and go with it.
    command.env("TMPDIR", folder).current_dir(folder).stdin(Stdio::null());
    command
}

/// The same program as a shell starts it after `first`.
pub fn under(first: &str, run: &Command) -> Command {
    shell(&format!("{first} && exec \"$0\" \"$@\""), run)
}

/// The same program as a shell starts it with its outputs elsewhere.
pub fn with_outputs(outputs: &str, run: &Command) -> Command {
    shell(&format!("exec \"$0\" \"$@\" {outputs}"), run)
}

fn shell(script: &str, run: &Command) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(script).arg(run.get_program()).args(run.get_args());
    for (name, value) in run.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.current_dir(run.get_current_dir().expect("the rig sets it")).stdin(Stdio::null());
    command
}

/// Sends a signal to one process by its number.
pub fn signal(process: u32, name: &str) {
    let sent = Command::new("sh").arg("-c").arg(format!("kill -{name} {process}")).status().expect("a shell");
    assert!(sent.success(), "kill -{name} {process}");
}

/// A process whose two outputs are collected while it runs.
pub struct Running {
    process: Child,
    folder: Option<PathBuf>,
    out: Option<JoinHandle<String>>,
    err: Arc<Mutex<String>>,
    err_reader: Option<JoinHandle<()>>,
}

/// A process that has ended.
pub struct Ended {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// A line of the state, as it is shown once a second where there is no terminal.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shown {
    /// Whether the book was live.
    pub live: bool,
    /// Whether the book was live or merely too old.
    pub whole: bool,
    /// On how many sides a quote of ours stood.
    pub quotes: usize,
    /// Orders that the venue accepted so far.
    pub acked: u64,
    /// Orders that were cancelled so far.
    pub canceled: u64,
    /// Orders that were refused so far.
    pub rejected: u64,
    /// Books that were replaced so far.
    pub resyncs: u64,
}

/// The lines about BTCUSDT in what a run said.
pub fn shown(err: &str) -> Vec<Shown> {
    let line = |text: &str| {
        let (_, rest) = text.split_once(" s  BTCUSDT ")?;
        let (_, ours) = rest.split_once(" ours ")?;
        let (quotes, _) = ours.split_once("  ")?;
        let words: Vec<&str> = rest.split_whitespace().collect();
        let count = |name: &str| {
            let at = words.iter().position(|word| *word == name)?;
            words.get(at + 1)?.parse().ok()
        };
        let live = rest.starts_with("live ");
        let parts = ["filled", "canceled", "expired", "rejected", "unknown", "open"].map(&count);
        let sum: u64 = parts.iter().map(|part| part.unwrap_or_else(|| panic!("a part is missing: {text}"))).sum();
        assert_eq!(count("sent"), Some(sum), "an order is in no state, or in two: {text}");
        assert!(quotes.split(" / ").filter(|quote| *quote != "-").count() as u64 <= sum, "{text}");
        Some(Shown {
            live,
            whole: live || rest.starts_with("stale: "),
            quotes: quotes.split(" / ").filter(|quote| *quote != "-").count(),
            acked: count("acked")?,
            canceled: count("canceled")?,
            rejected: count("rejected")?,
            resyncs: count("resyncs").unwrap_or(0),
        })
    };
    err.lines().filter_map(line).collect()
}

impl Running {
    /// Starts it.
    pub fn start(mut command: Command) -> Running {
        let folder = command.get_current_dir().map(Path::to_owned);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let (mut out, err) = (process.stdout.take().expect("piped"), process.stderr.take().expect("piped"));
        let collected = Arc::new(Mutex::new(String::new()));
        let told = collected.clone();
        let err_reader = std::thread::spawn(move || {
            for line in BufReader::new(err).lines() {
                let Ok(line) = line else { return };
                let mut text = told.lock().expect("no reader panics");
                text.push_str(&line);
                text.push('\n');
            }
        });
        let out = std::thread::spawn(move || {
            let mut text = String::new();
            out.read_to_string(&mut text).expect("stdout is UTF-8");
            text
        });
        Running { process, folder, out: Some(out), err: collected, err_reader: Some(err_reader) }
    }

    /// What it said so far on standard error.
    pub fn err(&self) -> String {
        self.err.lock().expect("no reader panics").clone()
    }

    /// Waits until standard error is as it should be.
    #[track_caller]
    pub fn wait(&mut self, what: &str, met: impl Fn(&str) -> bool) {
        let until = Instant::now() + HANG;
        while !met(&self.err()) {
            let ended = self.process.try_wait().expect("a child of ours");
            assert!(ended.is_none(), "it ended without {what}:\n{}", self.err());
            assert!(Instant::now() < until, "no {what} in time:\n{}", self.err());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until standard error holds `text`.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) {
        self.wait(&format!("`{text}`"), |err| err.contains(text));
    }

    /// Waits until the lines that it shows of BTCUSDT, once a second, are as they should be.
    #[track_caller]
    pub fn until(&mut self, what: &str, met: impl Fn(&[Shown]) -> bool) {
        self.wait(what, |err| met(&shown(err)));
    }

    /// Waits until it shows a live book with a quote of ours on both sides.
    #[track_caller]
    pub fn until_quotes(&mut self) {
        self.until("quotes on both sides", |lines| lines.last().is_some_and(|line| line.live && line.quotes == 2));
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Ctrl-C, and waits for its end.
    pub fn interrupted(self) -> Ended {
        self.interrupt();
        self.end()
    }

    /// Ctrl-C.
    pub fn interrupt(&self) {
        signal(self.process.id(), "INT");
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process.kill().expect("a child of ours");
        self.process.wait().expect("a child of ours");
    }

    /// The numbers of its own children.
    pub fn children(&self) -> Vec<u32> {
        let id = self.process.id();
        let text = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).expect("it runs");
        text.split_whitespace().map(|number| number.parse().expect("a number")).collect()
    }

    /// Waits for its end.
    pub fn end(mut self) -> Ended {
        let until = Instant::now() + HANG;
        let status = loop {
            if let Some(status) = self.process.try_wait().expect("a child of ours") {
                break status;
            }
            if Instant::now() > until {
                let _ = self.process.kill();
                panic!("it hangs:\n{}", self.err());
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        let out = self.out.take().expect("taken once").join().expect("the reader ends");
        self.err_reader.take().expect("taken once").join().expect("the reader ends");
        let code = status.code().unwrap_or_else(|| panic!("it was killed: {status}\n{}", self.err()));
        let err = self.err();
        self.folder.as_deref().into_iter().for_each(|folder| no_secret_is_told(folder, &out, &err));
        Ended { code, out, err }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Ended {
    /// Standard output is exactly one line that is exactly one JSON object.
    #[track_caller]
    pub fn object(&self) -> Value {
        assert_eq!(self.out.lines().count(), 1, "stdout is not one line:\n{}\nstderr:\n{}", self.out, self.err);
        let value: Value = serde_json::from_str(self.out.trim_end()).expect("the line is JSON");
        assert!(value.is_object(), "{}", self.out);
        value
    }

    /// The exit code and every one of `words` on standard error.
    #[track_caller]
    pub fn says(&self, code: i32, words: &[&str]) -> &Ended {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        for word in words {
            assert!(self.err.contains(word), "no `{word}` in:\n{}\n{}", self.err, self.out);
        }
        self
    }

    /// A failure before anything was traded: exit code, the words, advice, and the same in the JSON object.
    #[track_caller]
    pub fn refuses(&self, code: i32, words: &[&str]) {
        self.says(code, words);
        let error = &self.object()["error"];
        assert_eq!(error["exit_code"], code, "{error}");
        assert!(error["next"].is_string() || error["problems"].is_array(), "no advice: {error}");
    }
}

/// Trades on an exchange for each of these plans of faults, all at once since they mostly wait, each until `done` has
/// seen what it waits for, and interrupts them.
pub fn together<const N: usize>(faults: [String; N], done: [&dyn Fn(&mut Running); N]) -> [Ended; N] {
    let exchanges = faults.map(|faults| Exchange::start(&faults));
    let setups = exchanges.each_ref().map(Setup::on);
    let mut runs = setups.each_ref().map(Setup::start_live);
    for (run, done) in runs.iter_mut().zip(done) {
        done(run);
    }
    runs.map(Running::interrupted)
}

/// A run that a test interrupted and that ended well in spite of everything: nothing open, nothing unknown, accounts
/// agree.
#[track_caller]
pub fn settled(ended: &Ended) -> Value {
    let report = ended.says(130, &[]).object();
    let states = ["filled_fully", "canceled", "rejected", "expired", "unknown", "open_at_exit"];
    let sum: u64 = states.iter().map(|state| number(&report, &format!("/orders/{state}"))).sum();
    assert_eq!(sum, number(&report, "/orders/sent"), "an order is in no state, or in two: {report}");
    assert_eq!(number(&report, "/orders/unknown") + number(&report, "/orders/open_at_exit"), 0, "{report}");
    assert_eq!(report["account"], report["venue_account"], "{report}");
    report
}

/// The same with a live book, on which orders were placed without an allocation.
#[track_caller]
pub fn whole(ended: &Ended) -> Value {
    let report = settled(ended);
    assert_eq!(number(&report, "/books/live"), 1, "{report}");
    assert!(number(&report, "/orders/sent") > 0 && number(&report, "/orders/acked") > 0, "{report}");
    assert_eq!(number(&report, "/hot_allocations/decision"), 0, "{report}");
    report
}

/// A whole number of a report, by its path.
#[track_caller]
pub fn number(value: &Value, path: &str) -> u64 {
    value.pointer(path).and_then(Value::as_u64).unwrap_or_else(|| panic!("no {path} in {value}"))
}

/// A simulated exchange of its own process.
pub struct Exchange {
    process: Child,
    /// What it said when it began to serve.
    pub ready: Value,
    /// Its folder.
    pub folder: tempfile::TempDir,
}

impl Exchange {
    /// Starts one for futures with these faults (TOML).
    pub fn start(faults: &str) -> Exchange {
        Exchange::with("binance-usdm", "127.0.0.1:0", faults)
    }

    /// Starts one for spot with these faults.
    pub fn spot(faults: &str) -> Exchange {
        Exchange::with("binance-spot", "127.0.0.1:0", faults)
    }

    /// Starts one for futures on another address.
    pub fn listening(address: &str) -> Exchange {
        Exchange::with("binance-usdm", address, "")
    }

    /// Starts one for futures whose accounts never run out of margin, whatever they sell.
    pub fn rich() -> Exchange {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Exchange::serving(folder, "binance-usdm", &["--listen", "127.0.0.1:0", "--balance", "USDT=1000000000"])
    }

    /// Starts one in a folder with these arguments more.
    pub fn serving(folder: tempfile::TempDir, venue: &str, arguments: &[&str]) -> Exchange {
        let mut command = program(folder.path());
        command.args(["exchange", "--json", "--quiet", "--seed", "7", "--venue", venue]).args(arguments);
        Exchange::spawn(folder, command)
    }

    fn with(venue: &str, address: &str, faults: &str) -> Exchange {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("faults.toml"), faults).expect("writable");
        let mut command = program(folder.path());
        command.args(["exchange", "--listen", address, "--json", "--quiet", "--seed", "7", "--venue", venue]);
        command.args(["--faults", "faults.toml"]);
        Exchange::spawn(folder, command)
    }

    fn spawn(folder: tempfile::TempDir, mut command: Command) -> Exchange {
        let mut process = command.stdout(Stdio::piped()).spawn().expect("the program starts");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("piped")).read_line(&mut line).expect("it says when it serves");
        let ready = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        Exchange { process, ready, folder }
    }

    /// A text of what it said.
    pub fn text(&self, key: &str) -> &str {
        self.ready[key].as_str().unwrap_or_else(|| panic!("no {key} in {}", self.ready))
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process.kill().expect("a child of ours");
        self.process.wait().expect("a child of ours");
    }

    /// Stops it where it is: its sockets stay open and nothing answers.
    pub fn freeze(&self) {
        signal(self.process.id(), "STOP");
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        signal(self.process.id(), "CONT");
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A configuration and credentials in a folder.
pub struct Setup {
    folder: tempfile::TempDir,
    pub account: &'static str,
}

impl Setup {
    /// For trading on an exchange, with its HMAC test key on futures and its Ed25519 one on spot.
    pub fn on(exchange: &Exchange) -> Setup {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let account = if exchange.text("venue") == "binance-spot" { "1000001" } else { "sim0" };
        let setup = Setup { folder, account };
        setup.write("run.toml", &config(setup.folder.path(), &[(exchange, "keys.toml")]), 0o644);
        setup.write("keys.toml", &credentials(exchange), 0o600);
        setup
    }

    /// Where a file of it is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file.
    pub fn write(&self, name: &str, text: &str, mode: u32) {
        let path = self.path(name);
        fs::write(&path, text).expect("writable");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("our own file");
    }

    /// Replaces a text of a file that must hold it.
    pub fn replace(self, name: &str, from: &str, to: &str) -> Setup {
        let text = fs::read_to_string(self.path(name)).expect("written");
        assert!(text.contains(from), "{name} does not hold `{from}`:\n{text}");
        fs::write(self.path(name), text.replace(from, to)).expect("writable");
        self
    }

    /// The program here, not started yet.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program(self.folder.path());
        command.args(arguments);
        command
    }

    /// Starts the program here.
    pub fn start(&self, arguments: &[&str]) -> Running {
        Running::start(self.command(arguments))
    }

    /// Runs the program here to its end.
    pub fn spinbook(&self, arguments: &[&str]) -> Ended {
        self.start(arguments).end()
    }

    /// Starts a run in this mode, which the test ends.
    pub fn start_run(&self, mode: &str) -> Running {
        let mut arguments = vec!["run", "-c", "run.toml", "--mode", mode, "--seconds", OPEN_END, "--json"];
        if mode == "live" {
            arguments.extend(["--account", self.account]);
        }
        self.start(&arguments)
    }

    /// Starts to trade; the test ends it.
    pub fn start_live(&self) -> Running {
        self.start_run("live")
    }

    /// Trades, or is refused before.
    pub fn live(&self) -> Ended {
        self.start_live().end()
    }
}

/// A configuration of two markets and credentials for each, in a folder.
pub struct SetupOfTwo {
    setup: Setup,
}

impl SetupOfTwo {
    /// For trading on spot and futures at once.
    pub fn on(spot: &Exchange, futures: &Exchange) -> SetupOfTwo {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let setup = Setup { folder, account: "binance-spot=1000001,binance-usdm=sim0" };
        let markets = [(spot, "spot.toml"), (futures, "futures.toml")];
        setup.write("run.toml", &config(setup.folder.path(), &markets), 0o644);
        for (exchange, file) in markets {
            setup.write(file, &credentials(exchange), 0o600);
        }
        SetupOfTwo { setup }
    }

    /// Adds to a file of it.
    pub fn append(&self, name: &str, text: &str) {
        let old = fs::read_to_string(self.setup.path(name)).expect("written");
        fs::write(self.setup.path(name), old + text).expect("writable");
    }
}

impl std::ops::Deref for SetupOfTwo {
    type Target = Setup;

    fn deref(&self) -> &Setup {
        &self.setup
    }
}

/// An exchange's test key as a credentials file: HMAC on futures, Ed25519 on spot.
fn credentials(exchange: &Exchange) -> String {
    match exchange.text("venue") {
        "binance-spot" => format!(
            "api_key = \"{}\"\nprivate_key = \"\"\"{}\"\"\"\n",
            exchange.text("api_key_ed25519"),
            exchange.text("private_key")
        ),
        _ => format!("api_key = \"{}\"\nsecret = \"{}\"\n", exchange.text("api_key"), exchange.text("secret")),
    }
}

/// The sample with the exchanges' addresses, each with its credentials file, and quotes near the touch, as the program
/// itself writes it.
fn config(folder: &Path, markets: &[(&Exchange, &str)]) -> String {
    let mut values: Vec<(String, String)> = [
        ("engine.start_retry_seconds", "0"),
        ("strategy.spread_bps", "0.6"),
        ("strategy.refresh_tolerance_bps", "0.2"),
        ("strategy.edge_min_bps", "-20.0"),
        ("risk.loss_max_quote_per_day", "\"1000\""),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into();
    for (place, (exchange, credentials)) in markets.iter().enumerate() {
        for key in ["venue", "rest_url", "stream_url", "ws_api_url", "ca_file"] {
            values.push((format!("market.{place}.{key}"), exchange.text(key).to_owned()));
        }
        values.push((format!("market.{place}.credentials"), (*credentials).to_owned()));
    }
    let mut command = program(folder);
    command.args(["config", "init"]);
    for (key, value) in values {
        command.arg("--set").arg(format!("{key}={value}"));
    }
    let output = command.output().expect("the program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("a configuration is UTF-8")
}
