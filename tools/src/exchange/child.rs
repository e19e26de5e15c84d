//! COLD: the simulated exchange as a child process: nothing but sockets joins it to the engine.

use std::io::{self, BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use spinbook_feed::net::host::threads;
use spinbook_feed::venue::ProductLine;

use crate::cli::DemoArgs;
use crate::error::Failure;
use crate::exchange::accounts::AnnouncedAccount;
use crate::outcome::Exit;
use crate::run::keys::TestKeys;

/// Set in the environment of a child, so that it ends with its parent: when its standard input ends.
pub const PARENT_VARIABLE: &str = "SPINBOOK_EXCHANGE_PARENT";
/// How long the child may take to end before it is killed.
const END_WITHIN: Duration = Duration::from_secs(2);

/// What an exchange says on one line of JSON when it serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// The venue's name.
    pub venue: String,
    /// Every venue whose product lines it serves; the first is `venue`.
    #[serde(default)]
    pub venues: Vec<String>,
    /// Symbols it serves.
    pub symbols: Vec<String>,
    /// Base URL of REST.
    pub rest_url: String,
    /// Base URL of the market streams.
    pub stream_url: String,
    /// Base URL of the WebSocket API.
    pub ws_api_url: String,
    /// The certificate authority to trust, PEM.
    pub ca_file: PathBuf,
    /// Keys of its first accounts that this program can sign for; none if it has no account of either kind.
    #[serde(flatten)]
    pub keys: Option<TestKeys>,
    /// Every test account: how it signs, its id, its keys.
    #[serde(default)]
    pub accounts: Vec<AnnouncedAccount>,
    /// Seed of the synthetic market; none for recordings.
    pub seed: Option<u64>,
    /// What the market looks like, in words.
    pub market: String,
}

/// What a child says on a further line when everything there was to play has been played.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarketEnd {
    /// Always true.
    pub market_over: bool,
    /// What was wrong with the recording, if it broke.
    pub error: Option<String>,
}

/// A running child.
pub struct ExchangeChild {
    process: Child,
    /// What it said.
    pub ready: Ready,
    ends: Receiver<MarketEnd>,
}

impl ExchangeChild {
    /// Starts this very program as `exchange` for one venue and waits until it serves.
    ///
    /// # Errors
    /// It could not be started, or ended before it served.
    pub fn start(
        venue: ProductLine,
        arguments: &DemoArgs,
        seed: Option<u64>,
        core: Option<usize>,
    ) -> Result<ExchangeChild, Failure> {
        let program = std::env::current_exe()
            .map_err(|error| Failure::failed("cannot find this program to start the exchange").because(error))?;
        let mut command = Command::new(program);
        command.args(["exchange", "--json", "--quiet", "--listen", "127.0.0.1:0", "--venue", venue.name()]);
        command.arg("--wait-for-stream");
        if !arguments.data.is_empty() {
            command.arg("--data").args(&arguments.data);
        }
        command.arg("--speed").arg(arguments.speed.to_string());
        if let Some(seed) = seed {
            command.arg("--seed").arg(seed.to_string());
        }
        if let Some(core) = core {
            command.arg("--core").arg(core.to_string());
        }
        command.env(PARENT_VARIABLE, std::process::id().to_string());
        // A group of its own: Ctrl-C in the terminal must not end the exchange before our orders are cancelled.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process =
            command.spawn().map_err(|error| Failure::failed("cannot start the simulated exchange").because(error))?;
        match read_ready(&mut process) {
            Ok((ready, ends)) => Ok(ExchangeChild { process, ready, ends }),
            Err(failure) => {
                let _ = process.kill();
                let _ = process.wait();
                Err(failure)
            }
        }
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    /// What it said when the market was over, the first time it is asked after that.
    pub fn market_end(&mut self) -> Option<MarketEnd> {
        self.ends.try_recv().ok()
    }
}

/// The first line says where it serves, or why it cannot; a thread of its own waits for the rest.
fn read_ready(process: &mut Child) -> Result<(Ready, Receiver<MarketEnd>), Failure> {
    let silent = |why: &str| {
        Failure::failed("the simulated exchange did not start")
            .because(why)
            .next("its own message is above; `spinbook exchange` alone shows more")
    };
    let mut out = BufReader::new(process.stdout.take().ok_or_else(|| silent("it has no output"))?);
    let mut line = String::new();
    out.read_line(&mut line).map_err(|error| silent(&error.to_string()))?;
    if line.trim().is_empty() {
        return Err(silent("it ended without a word"));
    }
    match serde_json::from_str::<Answer>(&line) {
        Ok(Answer::Ready(ready)) => {
            let ends = listen(out).map_err(|error| silent(&error.to_string()))?;
            Ok((*ready, ends))
        }
        // A recording that cannot be played is the same failure with the same exit code here.
        Ok(Answer::Refused { error }) => Err(error.into_failure()),
        Err(_) => Err(silent(&format!("it said {:?}", line.trim()))),
    }
}

/// Hears on a thread of its own when the market is over.
fn listen(out: BufReader<ChildStdout>) -> io::Result<Receiver<MarketEnd>> {
    let (told, ends) = mpsc::channel();
    let listen = move || {
        for line in out.lines().map_while(Result::ok) {
            if let Ok(end) = serde_json::from_str::<MarketEnd>(&line) {
                let _ = told.send(end);
            }
        }
    };
    threads::spawn("spinbook-child", None, |_| {}, listen)?;
    Ok(ends)
}

/// The first line of a child: that it serves, or why it cannot.
#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Ready(Box<Ready>),
    Refused { error: Refused },
}

/// A failure as another process of this program printed it.
#[derive(Deserialize)]
struct Refused {
    exit_code: u8,
    what: String,
    #[serde(rename = "where")]
    place: Option<String>,
    why: Option<String>,
    next: Option<String>,
}

impl Refused {
    fn into_failure(self) -> Failure {
        let exit = [Exit::Usage, Exit::Wrong].into_iter().find(|exit| exit.code() == self.exit_code);
        let mut failure = Failure::new(exit.unwrap_or(Exit::Failed), self.what);
        (failure.place, failure.why, failure.next) = (self.place, self.why, self.next);
        failure
    }
}

impl Drop for ExchangeChild {
    fn drop(&mut self) {
        // The end of its input tells it to end and to remove its files.
        drop(self.process.stdin.take());
        let deadline = Instant::now() + END_WITHIN;
        while Instant::now() < deadline && self.is_running() {
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
