//! COLD: what users type: the verbs, their arguments and their examples.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use spinbook_feed::venue::simulator_side::ChosenSymbol;

mod values;

pub use values::{Speed, StartBalance};
use values::{chosen_symbol, span};

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "spinbook",
    version,
    about = "A crypto market-making engine: exact books, bounded orders, proof of speed.",
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 data or book found wrong, 4 stopped by a risk control, 130 interrupted.\n\
                  Example: spinbook demo --seconds 10"
)]
pub struct Cli {
    /// Print exactly one JSON object, on one line, as the last line of stdout; everything else goes to stderr
    #[arg(long, global = true)]
    pub json: bool,
    /// Say less: no screen and no progress, only results, warnings and errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Append the log to this file, too, whatever -q says
    #[arg(long, global = true, value_name = "FILE")]
    pub log_file: Option<PathBuf>,
    /// The verb.
    #[command(subcommand)]
    pub verb: Verb,
}

/// Every verb.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Trade on a simulated exchange on this machine: nothing to configure
    #[command(after_help = "Example: spinbook demo --seconds 10 --json\n         \
        spinbook demo --venue binance-spot --data sample.zst --speed 20 --seconds 20\n         \
        spinbook demo --venue all --seconds 20\n         \
        spinbook demo --virtual --seed 7 --seconds 60")]
    Demo(DemoArgs),
    /// Trade with a configuration: paper, shadow or live
    #[command(after_help = "Example: spinbook run -c spinbook.toml --mode paper\n         \
        spinbook run -c spinbook.toml --mode paper --data sample.zst")]
    Run(RunArgs),
    /// Serve the simulated exchange alone, for any client that speaks the venue's protocol
    #[command(after_help = EXCHANGE_HELP)]
    Exchange(Box<ExchangeArgs>),
    /// Play recordings through the production decoders and books, and say whether they are whole
    #[command(after_help = VERIFY_HELP)]
    Verify(VerifyArgs),
    /// Write a short synthetic recording, to try what reads recordings
    #[command(after_help = "Example: spinbook sample --output sample.zst --venue binance-spot --seconds 60 --seed 1")]
    Sample(SampleArgs),
    /// Write or check a configuration
    #[command(
        after_help = "Example: spinbook config init --output spinbook.toml\n         spinbook config check -c spinbook.toml"
    )]
    Config(ConfigArgs),
    /// Check the API keys of a configuration: form and file, never printed
    #[command(after_help = "Example: spinbook keys check -c spinbook.toml")]
    Keys(KeysArgs),
    /// Read a journal: what was decided and why, what was sent, what came back
    #[command(after_help = "With --json each record is a line of its own and the last line is the sum of them.\n\
        Exit code 1 where a record is damaged: file, byte and record are named.\n\
        Example: spinbook journal state/journal/live\n         \
        spinbook journal state/journal/live --kind place,fill,canceled --symbol BTCUSDT --since 2026-11-21T17:42")]
    Journal(JournalArgs),
    /// Check this machine for low latency: jitter core by core, and each setting to change with its fix
    #[command(after_help = "Example: spinbook doctor --seconds 10\n         spinbook doctor --seconds 0 --hot-core 1")]
    Doctor(DoctorArgs),
    /// Stop a running engine: cancel every order, halt, and wait until it confirms that nothing is open
    #[command(
        after_help = "Exit code 0 only when the engine confirmed. None starts again until the kill file is removed.\n\
        Example: spinbook kill -c spinbook.toml"
    )]
    Kill(KillArgs),
    /// Let an engine trade again after a kill or a loss stop: your word and your reason, written down
    #[command(after_help = "Example: spinbook rearm -c spinbook.toml --reason \"stale fee table fixed; desk agreed\"")]
    Rearm(RearmArgs),
    /// Print what makes a shell complete verbs and flags
    #[command(after_help = "Example: spinbook completions bash > spinbook.bash")]
    Completions(CompletionsArgs),
    /// Write the manual: a page for the program and one for each verb
    #[command(after_help = "Then: MANPATH=$PWD/manual man spinbook-run\nExample: spinbook man --output manual/man1")]
    Man(ManArgs),
}

/// `spinbook demo`.
#[derive(Clone, Debug, Args)]
pub struct DemoArgs {
    /// How long to trade, in seconds
    #[arg(long, value_name = "S", default_value = "30", value_parser = |text: &str| span(text, 86_400))]
    pub seconds: Duration,
    /// Recordings to play, in order, until they end; without them a seeded synthetic market
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub data: Vec<PathBuf>,
    /// Whose protocol and market: binance-usdm (futures), binance-spot, or all of them at once
    #[arg(long, value_name = "VENUE", default_value = "binance-usdm")]
    pub venue: String,
    /// How much faster than their own rhythm market frames are played, recorded or not: a factor, or max; server time and rate windows stay
    /// wall-clock
    #[arg(long, value_name = "X", default_value = "1")]
    pub speed: Speed,
    /// Seed of the synthetic market; without it one is drawn and reported
    #[arg(long, value_name = "S", conflicts_with = "data")]
    pub seed: Option<u64>,
    /// Override one key of the demo's configuration, for example engine.keep_warm=all; markets, cores and the state
    /// directory are its own
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Run in virtual time, in one thread, as fast as it goes: the same seed is the same report, to the byte
    #[arg(long = "virtual")]
    pub is_virtual: bool,
    /// Neither pins nor spins: for tests that share the machine
    #[arg(long, hide = true)]
    pub unpinned: bool,
}

/// How orders are treated by `run`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Live data, orders to the built-in matching
    Paper,
    /// Orders are built, checked and logged, never sent
    Shadow,
    /// Orders are sent; needs --account
    Live,
}

/// Something that can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// Do it
    On,
    /// Leave it out
    Off,
}

/// `spinbook run`.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// The configuration
    #[arg(short, long, value_name = "FILE")]
    pub config: PathBuf,
    /// How orders are treated
    #[arg(long, value_enum, default_value_t = Mode::Paper)]
    pub mode: Mode,
    /// For live: must equal the account id that the venue answers; with several markets VENUE=ID,VENUE=ID
    #[arg(long, value_name = "ID")]
    pub account: Option<String>,
    /// Override one key of the configuration, for example risk.position_max_base=0.1
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Write every order, answer and fill to a journal in the state directory; live trading always does
    #[arg(long, value_enum, value_name = "SWITCH", num_args = 0..=1, default_value_t = Switch::On, default_missing_value = "on")]
    pub log_orders: Switch,
    /// For paper: recordings to trade on in virtual time, in order, instead of the live market; the run repeats
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub data: Vec<PathBuf>,
    /// How long to trade, in seconds; without it until Ctrl-C
    #[arg(long, value_name = "S", value_parser = |text: &str| span(text, 31_536_000))]
    pub seconds: Option<Duration>,
    /// For live: another engine whose orders are on the account is gone (its state directory is lost): cancel what it left
    #[arg(long)]
    pub take_over: bool,
    /// The hot thread panics at SIGUSR2: for the test of what a bug leaves behind
    #[cfg(debug_assertions)]
    #[arg(long, hide = true)]
    pub panic_on_user_signal: bool,
    /// This thread (hot or io) stands still from SIGUSR2 on: for the test of what a hang leaves behind
    #[cfg(debug_assertions)]
    #[arg(long, hide = true, value_name = "THREAD")]
    pub hang_on_user_signal: Option<String>,
    /// Bytes of a journal's part: for the test of a disk that is full
    #[cfg(debug_assertions)]
    #[arg(long, hide = true, value_name = "BYTES")]
    pub journal_part_bytes: Option<u64>,
}

/// `spinbook exchange`.
#[derive(Clone, Debug, Args)]
pub struct ExchangeArgs {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "A:P", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Whose protocol: binance-usdm (futures) or binance-spot
    #[arg(long, value_name = "VENUE", default_value = "binance-usdm")]
    pub venue: String,
    /// Recordings to play, in order; without them a seeded synthetic market
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub data: Vec<PathBuf>,
    /// How much faster than their own rhythm market frames are played, recorded or not: a factor, or max
    #[arg(long, value_name = "X", default_value = "1")]
    pub speed: Speed,
    /// Faults to inject, a TOML file
    #[arg(long, value_name = "FILE")]
    pub faults: Option<PathBuf>,
    /// Seed of the synthetic market; without it one is drawn and printed
    #[arg(long, value_name = "S")]
    pub seed: Option<u64>,
    /// Accounts from a TOML file of keys instead of fresh ones: an `[[account]]` each, with api_key and one of secret,
    /// private_key, public_key, and perhaps balances = { USDT = "1000" }
    #[arg(long, value_name = "FILE")]
    pub keys: Option<PathBuf>,
    /// What every account starts with of an asset, instead of the usual; may be given several times
    #[arg(long, value_name = "ASSET=AMOUNT")]
    pub balance: Vec<StartBalance>,
    /// A host name or address under which clients reach it: printed in its URLs, named in its certificate
    #[arg(long, value_name = "NAME")]
    pub host: Vec<String>,
    /// Symbols of the synthetic market, each perhaps with its price at the start; usual prices are known of a few
    #[arg(long, value_name = "SYMBOL[=PRICE]", value_delimiter = ',', value_parser = chosen_symbol)]
    pub symbols: Vec<ChosenSymbol>,
    /// Product lines of the venue to serve at once on one port, such as spot,usdm, instead of --venue; streams without
    /// a route (/ws, /stream) are the first one's
    #[arg(long, value_name = "LINE", value_delimiter = ',', conflicts_with_all = ["data", "venue"])]
    pub products: Vec<String>,
    /// Keep keys, certificate authority, accounts and orders in this directory: killed and started again with it and the
    /// same --listen, the exchange goes on under running clients
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Serve market frames byte for byte as they were recorded: with their own event times, and without the orders and
    /// trades of this exchange's accounts in them
    #[arg(long)]
    pub original_times: bool,
    /// The market begins with the first stream that is opened, not at once
    #[arg(long, hide = true)]
    pub wait_for_stream: bool,
    /// Core to run on, for a demo that shares out the machine
    #[arg(long, value_name = "CORE", hide = true)]
    pub core: Option<usize>,
}

/// `spinbook verify`.
#[derive(Clone, Debug, Args)]
pub struct VerifyArgs {
    /// Recordings; files of one symbol in a row are played as one
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Whose recordings; without it the venue is told from the content where that is possible
    #[arg(long, value_name = "VENUE")]
    pub venue: Option<String>,
    /// Leave with 0 although something is missing; the verdict stays "not whole"
    #[arg(long)]
    pub allow_gaps: bool,
}

/// What is said of `spinbook verify` beside its arguments.
const VERIFY_HELP: &str = "\
Verdicts: whole      every book was live to the end without a gap, and what can be compared agreed (exit code 0)
          not whole  a gap, a book that never was live or is stale at the end, best bid/asks of which none could be
                     compared, files that do not join (exit code 3; 0 with --allow-gaps)
          wrong      a check failed, a live book was crossed, a frame is bad, a file is cut short (exit code 3)

Forms, plain, gzip or zstd: lines of `LOCAL_TIMESTAMP JSON`, the JSON a stream frame or a depth snapshot's body as it
came; lines of JSON records {\"t\":\"recv\",\"ts\":SECONDS,\"data\":FRAME}, and \"http\" with \"url\" for replies.

Example: spinbook verify sample.zst
         spinbook verify --venue binance-spot sample.zst --json";

/// What is said of `spinbook exchange` beside its arguments.
const EXCHANGE_HELP: &str = "\
A file of --faults is TOML: what goes wrong with which frame, request or connection. A short one:

  cut_after_frames = 5000            # cut each stream connection once
  [[frames]]
  nth = 200                          # the 200th depth frame is lost
  action = \"drop\"                    # or duplicate, swap, malform, oversize
  [[silences]]
  after_ms = 20000                   # nothing comes for 3 s
  for_ms = 3000
  [[requests]]
  on = \"place\"                       # or cancel, snapshot, other
  nth = 5
  action = \"refuse\"                  # or lose_reply, delay_reply with delay_ms
  status = 503
  code = -1008

Every key: tools/samples/faults.toml of the project.

Other people's clients need its URL, its CA file and one of its accounts (all printed at the start):

  python-binance, binance-connector, official SDKs   base URL = REST; environment REQUESTS_CA_BUNDLE=CA
    their streams                                    stream URL; WEBSOCKET_CLIENT_CA_BUNDLE=CA (connectors), or
                                                     SSL_CERT_FILE=CA before the process imports aiohttp
    python-binance on futures                        its constructor asks spot too: --products spot,usdm
  ccxt                                               every address in urls['api'] = REST, requests_trust_env=True and
                                                     REQUESTS_CA_BUNDLE=CA; pro: cafile='CA'; options fetchCurrencies
                                                     and fetchMargins False, fetchMarkets types ['spot'] or ['linear']
  node (ccxt, binance, @binance/...)                 NODE_EXTRA_CA_CERTS=CA; base URL and stream URL without a path

With --state DIR and --listen, URL, CA file and keys stay the same. What a client asks for in vain is logged, once.

Example: spinbook exchange --venue binance-spot --listen 127.0.0.1:9443
         spinbook exchange --seed 7 --faults faults.toml";

/// `spinbook sample`.
#[derive(Clone, Debug, Args)]
pub struct SampleArgs {
    /// Write here: gzip for .gz, zstd for .zst, else plain lines; a file that exists is never overwritten
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Whose protocol and market
    #[arg(long, value_name = "VENUE", default_value = "binance-usdm")]
    pub venue: String,
    /// Seconds of the market's time; nobody waits for them
    #[arg(long, value_name = "S", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub seconds: u64,
    /// Seed of the market: the same seed gives the same recording
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
}

/// `spinbook completions`.
#[derive(Clone, Debug, Args)]
pub struct CompletionsArgs {
    /// Which shell
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// `spinbook man`.
#[derive(Clone, Debug, Args)]
pub struct ManArgs {
    /// The folder to write the pages into, made if needed; without it the program's own page goes to stdout
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
}

/// `spinbook config`.
#[derive(Clone, Debug, Args)]
pub struct ConfigArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: ConfigAction,
}

/// What `spinbook config` does.
#[derive(Clone, Debug, Subcommand)]
pub enum ConfigAction {
    /// Write a commented sample: to stdout, or to a file that must not exist yet
    #[command(after_help = "Example: spinbook config init --output spinbook.toml")]
    Init(ConfigInitArgs),
    /// Check a configuration and print what is in effect, secrets left out
    #[command(after_help = "Example: spinbook config check -c spinbook.toml --set risk.position_max_base=0.1")]
    Check(ConfigCheckArgs),
    /// Print the JSON Schema of the configuration, for editors that complete and check as you type
    #[command(after_help = "Example: spinbook config schema > spinbook.schema.json\n         \
        first line of spinbook.toml, for editors with taplo: #:schema ./spinbook.schema.json")]
    Schema(ConfigSchemaArgs),
}

/// `spinbook config init`.
#[derive(Clone, Debug, Args)]
pub struct ConfigInitArgs {
    /// Write here instead of stdout; a file that exists is never overwritten
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Fill in one key, for example market.0.venue=binance-spot; market.1.venue adds a market
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

/// `spinbook config schema`.
#[derive(Clone, Debug, Args)]
pub struct ConfigSchemaArgs {
    /// Print the keys as a Markdown table instead, as in README
    #[arg(long)]
    pub markdown: bool,
}

/// `spinbook config check`.
#[derive(Clone, Debug, Args)]
pub struct ConfigCheckArgs {
    /// The configuration
    #[arg(short, long, value_name = "FILE")]
    pub config: PathBuf,
    /// Override one key, for example risk.position_max_base=0.1
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

/// `spinbook keys`.
#[derive(Clone, Debug, Args)]
pub struct KeysArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: KeysAction,
}

/// What `spinbook keys` does.
#[derive(Clone, Debug, Subcommand)]
pub enum KeysAction {
    /// Load every market's credentials, check their file and form, and print what may be printed
    #[command(after_help = "Example: spinbook keys check -c spinbook.toml")]
    Check(ConfigCheckArgs),
}

/// `spinbook doctor`.
#[derive(Clone, Debug, Args)]
pub struct DoctorArgs {
    /// How long each core is measured, in seconds; 0 only looks at settings
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(0..=3_600))]
    pub seconds: u64,
    /// The core meant for engine.hot_core, to check settings against; without it the quietest one measured
    #[arg(long, value_name = "CORE")]
    pub hot_core: Option<usize>,
}

/// A part of what is traded.
#[derive(Clone, Debug, Args)]
pub struct PartArgs {
    /// Only this kind of strategy
    #[arg(long, value_name = "KIND")]
    pub strategy: Option<String>,
    /// Only this venue
    #[arg(long, value_name = "VENUE")]
    pub venue: Option<String>,
    /// Only this symbol, on every venue or the named one
    #[arg(long, value_name = "SYMBOL")]
    pub symbol: Option<String>,
}

/// `spinbook kill`.
#[derive(Clone, Debug, Args)]
pub struct KillArgs {
    /// The engine's configuration, which names its state directory
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// As given to the engine, where it overrides engine.state_dir
    #[arg(long = "set", value_name = "KEY=VALUE", requires = "config")]
    pub set: Vec<String>,
    /// The engine's state directory itself, instead of its configuration; without either: state, here
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    pub state_dir: Option<PathBuf>,
    /// What alone is killed; everything else trades on.
    #[command(flatten)]
    pub part: PartArgs,
    /// How long to wait for the engine's confirmation that nothing is open, in seconds
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = clap::value_parser!(u64).range(0..=3_600))]
    pub wait: u64,
}

/// `spinbook rearm`.
#[derive(Clone, Debug, Args)]
pub struct RearmArgs {
    /// The configuration of the engine that was stopped
    #[arg(short, long, value_name = "FILE")]
    pub config: PathBuf,
    /// Why it may trade again
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// The operator's token, where engine.rearm_token_sha256 asks for one; /dev/stdin types it
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// What alone is re-armed: its kills are lifted, in an engine that runs as well, and nothing else.
    #[command(flatten)]
    pub part: PartArgs,
    /// How long to wait for an engine that runs, in seconds
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = clap::value_parser!(u64).range(0..=3_600))]
    pub wait: u64,
    /// Override one key of the configuration, for example engine.state_dir=state
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

/// `spinbook journal`.
#[derive(Clone, Debug, Args)]
pub struct JournalArgs {
    /// A journal's file, or a folder of them
    #[arg(value_name = "FILE|DIR")]
    pub path: PathBuf,
    /// List the runs instead: when, how many files and records, how they ended, and orders without a proved end
    #[arg(long, conflicts_with_all = ["order", "symbol", "kind", "since"])]
    pub list: bool,
    /// Only this order: its id (RUN-NUMBER) or its name at the venue
    #[arg(long, value_name = "ID")]
    pub order: Option<String>,
    /// Only this symbol
    #[arg(long, value_name = "SYMBOL")]
    pub symbol: Option<String>,
    /// Only these events, for example place,cancel,fill,rejected,halted
    #[arg(long, value_name = "EVENT", value_delimiter = ',')]
    pub kind: Vec<String>,
    /// Only from this UTC time on, for example 2026-11-21 or 2026-11-21T17:42:37.5
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_verb_shows_an_example() {
        fn walk(command: &clap::Command, path: &str) {
            for sub in command.get_subcommands() {
                let name = format!("{path} {}", sub.get_name());
                let after = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(after.contains("Example: spinbook"), "{name} has no example");
                walk(sub, &name);
            }
        }
        walk(&Cli::command(), "spinbook");
    }
}
