//! COLD: the configuration: what it holds, and how it is read, overridden and checked.
//!
//! Every problem is reported at once, each with its place, its value and what was expected. Prices and
//! quantities are exact decimals; the TOML never holds a secret.

mod check;
pub mod credentials;
mod read;
pub mod sample;
mod tree;
pub mod venues;

use std::path::{Path, PathBuf};

use rust_decimal::Decimal;
use spinbook_engine::intent::TimeInForce;

use crate::error::Failure;

use self::read::{Problems, Range, Section};
use self::tree::{Node, Origin, Value};

/// Everything a run is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// How it was called in messages: the file's path as given.
    pub file: String,
    /// The engine and this machine.
    pub engine: EngineConfig,
    /// The markets, in the order of the file; at least one.
    pub markets: Vec<MarketConfig>,
    /// The strategy.
    pub strategy: StrategyConfig,
    /// The risk limits, every one of them given.
    pub risk: RiskConfig,
    /// What is allowed but worth a word.
    pub warnings: Vec<String>,
}

/// What is done about pages that the system could take away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockMemory {
    /// Locked where the limit allows it; otherwise made present, with a warning.
    Allowed,
    /// Locked, or the run does not start.
    Required,
    /// Left to the system.
    Never,
}

impl LockMemory {
    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            LockMemory::Allowed => "allowed",
            LockMemory::Required => "required",
            LockMemory::Never => "never",
        }
    }
}

/// `[engine]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineConfig {
    /// The core that the hot thread owns; `None`: unpinned, with a warning.
    pub hot_core: Option<usize>,
    /// The core of the I/O thread; `None`: chosen among those that are left.
    pub io_core: Option<usize>,
    /// Whether memory is locked at the start.
    pub lock_memory: LockMemory,
    /// Whether huge pages are asked for, where the system allows them.
    pub huge_pages: bool,
    /// Where a run keeps its lock, epoch and journal.
    pub state_dir: PathBuf,
}

/// One `[[market]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarketConfig {
    /// The venue's name, one that is built.
    pub venue: String,
    /// Symbols as the venue spells them, distinct, at least one.
    pub symbols: Vec<String>,
    /// The credentials file; needed for shadow and live.
    pub credentials: Option<PathBuf>,
    /// Base URL of the REST interface instead of the venue's own, `https://…`, without a path.
    pub rest_url: Option<String>,
    /// Base URL of the market streams instead of the venue's own, `wss://…`.
    pub stream_url: Option<String>,
    /// URL of the WebSocket API instead of the venue's own, `wss://…`.
    pub ws_api_url: Option<String>,
    /// A PEM file with the certificate authority of a private exchange; replaces the public ones.
    pub ca_file: Option<PathBuf>,
    /// The depth stream's name after the symbol, such as `depth@100ms`, instead of the venue's default.
    pub depth_stream: Option<String>,
    /// Levels a side to ask of a snapshot, instead of the venue's default.
    pub snapshot_limit: Option<u32>,
    /// For how long after its timestamp the venue may accept a request.
    pub receive_window_ms: u32,
    /// Fee of a maker, in basis points of notional; negative is a rebate. `None`: the venue's standard fee.
    pub maker_fee_bps: Option<Decimal>,
    /// Fee of a taker, in basis points of notional. `None`: the venue's standard fee.
    pub taker_fee_bps: Option<Decimal>,
}

/// `[strategy]` of kind `spread`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StrategyConfig {
    /// Full width between bid and ask, in basis points of the mid.
    pub spread_bps: Decimal,
    /// Quotes a side.
    pub levels: usize,
    /// Size of each quote.
    pub order_size_base: Decimal,
    /// Book levels a side whose quantities make the imbalance.
    pub imbalance_levels: usize,
    /// Imbalance, 0 to 1, beyond which the spread is widened.
    pub imbalance_threshold: Decimal,
    /// Factor by which the spread is widened, at least 1.
    pub imbalance_widening: Decimal,
    /// How far quotes lean against the inventory at a full position.
    pub inventory_skew_bps: Decimal,
    /// A working order this near its target stays.
    pub refresh_tolerance_bps: Decimal,
    /// Least distance from the mid after fees; no quote below it.
    pub edge_min_bps: Decimal,
    /// How long an order may live.
    pub time_in_force: TimeInForce,
}

/// `[risk]`: limits of each instrument; the loss limit is the whole run's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RiskConfig {
    /// Largest order.
    pub order_quantity_max_base: Decimal,
    /// Largest order by value.
    pub order_notional_max_quote: Decimal,
    /// Largest position either way, open and unknown orders included.
    pub position_max_base: Decimal,
    /// Farthest price from our own mid.
    pub price_collar_bps: Decimal,
    /// Most orders open or on their way.
    pub open_orders_max: u32,
    /// Most messages to the venue in any second.
    pub messages_max_per_second: u32,
    /// Loss, realised and unrealised, at which trading halts until a human re-arms it.
    pub loss_max_quote_per_day: Decimal,
    /// Oldest book that may be quoted on.
    pub book_age_max_ms: u32,
}

impl Config {
    /// Reads a file, applies `SPINBOOK_SECTION__KEY` of the environment and then `sets`, and checks everything.
    ///
    /// # Errors
    /// Wrong configuration with every problem, or a file that cannot be read.
    pub fn load(path: &Path, sets: &[String]) -> Result<Config, Failure> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Failure::usage("cannot read the configuration")
                .at(path.display())
                .because(error)
                .next("check the path, or write a sample with `spinbook config init --output FILE`")
        })?;
        let environment: Vec<(String, String)> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| is_override(name))
            .collect();
        let base = path.parent().unwrap_or_else(|| Path::new(""));
        Config::from_text(&text, &path.display().to_string(), base, &environment, sets)
    }

    /// The same from a text; paths in it are relative to `base`.
    ///
    /// # Errors
    /// Wrong configuration, with every problem.
    pub fn from_text(
        text: &str,
        file: &str,
        base: &Path,
        environment: &[(String, String)],
        sets: &[String],
    ) -> Result<Config, Failure> {
        let mut problems = Problems::new(file);
        let root = match tree::parse(text) {
            Ok(mut root) => {
                apply_overrides(&mut root, environment, sets, &mut problems);
                root
            }
            Err(error) => {
                problems.add(&Origin::Line(error.line), format!("is not TOML: {}", error.message));
                return Err(refusal(file, problems));
            }
        };
        let config = read_config(&root, file, base, &mut problems);
        match config {
            Some(mut config) if problems.count() == 0 => {
                check::warn(&mut config);
                Ok(config)
            }
            _ => Err(refusal(file, problems)),
        }
    }
}

fn refusal(file: &str, problems: Problems) -> Failure {
    let list = problems.into_list();
    let mut failure = Failure::usage(match list.len() {
        1 => "1 problem in the configuration".to_owned(),
        count => format!("{count} problems in the configuration"),
    })
    .at(file)
    .next("correct them and run `spinbook config check`; `spinbook config init` prints a commented sample");
    failure.problems = list;
    failure
}

/// Whether an environment variable overrides a key: `SPINBOOK_SECTION__KEY`.
fn is_override(name: &str) -> bool {
    name.strip_prefix("SPINBOOK_").is_some_and(|rest| rest.contains("__"))
}

fn apply_overrides(root: &mut Node, environment: &[(String, String)], sets: &[String], problems: &mut Problems) {
    for (name, value) in environment.iter().filter(|(name, _)| is_override(name)) {
        let path = name.trim_start_matches("SPINBOOK_").to_ascii_lowercase();
        let parts: Vec<&str> = path.split("__").collect();
        let origin = Origin::Environment(name.clone());
        if let Err(why) = tree::set(root, &parts, value, &origin) {
            problems.add(&origin, why);
        }
    }
    for argument in sets {
        let Some((path, value)) = argument.split_once('=') else {
            problems.add(&Origin::Set(argument.clone()), "expected KEY=VALUE, such as risk.open_orders_max=4");
            continue;
        };
        let parts: Vec<&str> = path.trim().split('.').collect();
        let origin = Origin::Set(path.trim().to_owned());
        if let Err(why) = tree::set(root, &parts, value.trim(), &origin) {
            problems.add(&origin, why);
        }
    }
}

fn read_config(root: &Node, file: &str, base: &Path, problems: &mut Problems) -> Option<Config> {
    let top = Section::open("", root, &["engine", "market", "strategy", "risk"], problems);
    let engine = top.node("engine").map_or_else(
        || {
            Some(EngineConfig {
                hot_core: None,
                io_core: None,
                lock_memory: LockMemory::Allowed,
                huge_pages: true,
                state_dir: base.join("state"),
            })
        },
        |node| read_engine(node, base, problems),
    );
    let markets = read_markets(&top, base, problems);
    let strategy =
        top.required("strategy", problems, "a [strategy] table").and_then(|node| read_strategy(node, problems));
    let risk = top
        .required("risk", problems, "a [risk] table with every limit; without limits there is no trading")
        .and_then(|node| read_risk(node, problems));
    if let (Some(strategy), Some(risk)) = (&strategy, &risk) {
        check::cross(&top, strategy, risk, problems);
    }
    Some(Config {
        file: file.to_owned(),
        engine: engine?,
        markets: markets?,
        strategy: strategy?,
        risk: risk?,
        warnings: Vec::new(),
    })
}

fn read_engine(node: &Node, base: &Path, problems: &mut Problems) -> Option<EngineConfig> {
    const KEYS: &[&str] = &["hot_core", "io_core", "lock_memory", "huge_pages", "state_dir"];
    let section = Section::open("engine", node, KEYS, problems);
    let before = problems.count();
    let core = |key: &str, problems: &mut Problems| {
        section.whole(key, 0..=4095, problems).and_then(|core| usize::try_from(core).ok())
    };
    let (hot_core, io_core) = (core("hot_core", problems), core("io_core", problems));
    if hot_core.is_some() && hot_core == io_core {
        section.refuse("io_core", problems, "is the hot thread's own core");
    }
    let lock_memory = match section.text("lock_memory", problems).as_deref() {
        None | Some("allowed") => LockMemory::Allowed,
        Some("required") => LockMemory::Required,
        Some("never") => LockMemory::Never,
        Some(_) => {
            section.refuse("lock_memory", problems, "expected \"allowed\", \"required\" or \"never\"");
            LockMemory::Allowed
        }
    };
    let huge_pages = match section.text("huge_pages", problems).as_deref() {
        None | Some("allowed") => true,
        Some("never") => false,
        Some(_) => {
            section.refuse("huge_pages", problems, "expected \"allowed\" or \"never\"");
            true
        }
    };
    let state_dir = section.text("state_dir", problems).unwrap_or_else(|| "state".to_owned());
    (problems.count() == before).then(|| EngineConfig {
        hot_core,
        io_core,
        lock_memory,
        huge_pages,
        state_dir: base.join(state_dir),
    })
}

fn read_markets(top: &Section<'_>, base: &Path, problems: &mut Problems) -> Option<Vec<MarketConfig>> {
    let node = top.required("market", problems, "at least one [[market]]")?;
    let Value::Array(items) = &node.value else {
        problems.add(&node.origin, format!("`market` is {}, expected [[market]]", node.value.kind()));
        return None;
    };
    if items.is_empty() {
        problems.add(&node.origin, "`market` is empty, expected at least one [[market]]");
    }
    let mut taken: Vec<(String, String)> = Vec::new();
    let markets: Vec<Option<MarketConfig>> =
        items.iter().enumerate().map(|(index, item)| read_market(index, item, base, &mut taken, problems)).collect();
    markets.into_iter().collect::<Option<Vec<_>>>().filter(|markets| !markets.is_empty())
}

const MARKET_KEYS: &[&str] = &[
    "venue",
    "symbols",
    "credentials",
    "rest_url",
    "stream_url",
    "ws_api_url",
    "ca_file",
    "depth_stream",
    "snapshot_limit",
    "receive_window_ms",
    "maker_fee_bps",
    "taker_fee_bps",
];

fn read_market(
    index: usize,
    node: &Node,
    base: &Path,
    taken: &mut Vec<(String, String)>,
    problems: &mut Problems,
) -> Option<MarketConfig> {
    let before = problems.count();
    let section = Section::open(&format!("market.{index}"), node, MARKET_KEYS, problems);
    section.required("venue", problems, "such as venue = \"binance-usdm\"");
    section.required("symbols", problems, "such as symbols = [\"BTCUSDT\"]");
    let venue = section.text("venue", problems);
    if let Some(Err(failure)) = venue.as_deref().map(venues::check_venue) {
        let next = failure.next.clone().unwrap_or_default();
        section.refuse("venue", problems, &format!("{}: {next}", failure.what));
    }
    let symbols = section.texts("symbols", problems);
    let venue_name = venue.clone().unwrap_or_default();
    for (symbol, origin) in symbols.iter().flatten() {
        check::symbol(symbol, &venue_name, origin, taken, problems);
    }
    let path = |key: &str, problems: &mut Problems| section.text(key, problems).map(|text| base.join(text));
    let market = MarketConfig {
        venue: venue.unwrap_or_default(),
        symbols: symbols.into_iter().flatten().map(|(symbol, _)| symbol).collect(),
        credentials: path("credentials", problems),
        rest_url: check::url(&section, "rest_url", "https://", problems),
        stream_url: check::url(&section, "stream_url", "wss://", problems),
        ws_api_url: check::url(&section, "ws_api_url", "wss://", problems),
        ca_file: path("ca_file", problems),
        depth_stream: check::depth_stream(&section, problems),
        snapshot_limit: section.whole("snapshot_limit", 5..=5000, problems).and_then(|limit| u32::try_from(limit).ok()),
        receive_window_ms: section
            .whole("receive_window_ms", 100..=60_000, problems)
            .and_then(|window| u32::try_from(window).ok())
            .unwrap_or(1_000),
        maker_fee_bps: section.decimal("maker_fee_bps", Range::Between(-100, 1000), problems),
        taker_fee_bps: section.decimal("taker_fee_bps", Range::Between(-100, 1000), problems),
    };
    (problems.count() == before).then_some(market)
}

const STRATEGY_KEYS: &[&str] = &[
    "kind",
    "spread_bps",
    "levels",
    "order_size_base",
    "imbalance_levels",
    "imbalance_threshold",
    "imbalance_widening",
    "inventory_skew_bps",
    "refresh_tolerance_bps",
    "edge_min_bps",
    "time_in_force",
];

fn read_strategy(node: &Node, problems: &mut Problems) -> Option<StrategyConfig> {
    let section = Section::open("strategy", node, STRATEGY_KEYS, problems);
    for key in ["kind", "spread_bps", "order_size_base"] {
        section.required(key, problems, "a strategy needs it");
    }
    if section.text("kind", problems).is_some_and(|kind| kind != "spread") {
        section.refuse("kind", problems, "unknown strategy, expected \"spread\"");
    }
    let or = |value: Option<Decimal>, default: i64, scale: u32| value.unwrap_or_else(|| Decimal::new(default, scale));
    let levels_max = i64::try_from(spinbook_engine::limits::QUOTE_LEVELS_MAX).unwrap_or(1);
    let time_in_force = match section.text("time_in_force", problems).as_deref() {
        None | Some("post-only") => TimeInForce::PostOnly,
        Some("ioc") => TimeInForce::ImmediateOrCancel,
        Some(_) => {
            section.refuse("time_in_force", problems, "expected \"post-only\" or \"ioc\"");
            TimeInForce::PostOnly
        }
    };
    let count = |key: &str, high: i64, default: usize, problems: &mut Problems| {
        section.whole(key, 1..=high, problems).and_then(|value| usize::try_from(value).ok()).unwrap_or(default)
    };
    let spread_bps = section.decimal("spread_bps", Range::PositiveUpTo(2_000), problems);
    let order_size_base = section.decimal("order_size_base", Range::Positive, problems);
    Some(StrategyConfig {
        levels: count("levels", levels_max, 1, problems),
        imbalance_levels: count("imbalance_levels", 1_000, 10, problems),
        imbalance_threshold: or(section.decimal("imbalance_threshold", Range::UpTo(1), problems), 3, 1),
        imbalance_widening: or(section.decimal("imbalance_widening", Range::Between(1, 100), problems), 15, 1),
        inventory_skew_bps: or(section.decimal("inventory_skew_bps", Range::UpTo(1_000), problems), 0, 0),
        refresh_tolerance_bps: or(section.decimal("refresh_tolerance_bps", Range::UpTo(1_000), problems), 1, 0),
        edge_min_bps: or(section.decimal("edge_min_bps", Range::Between(-100, 1_000), problems), 0, 0),
        time_in_force,
        spread_bps: spread_bps?,
        order_size_base: order_size_base?,
    })
}

const RISK_KEYS: &[&str] = &[
    "order_quantity_max_base",
    "order_notional_max_quote",
    "position_max_base",
    "price_collar_bps",
    "open_orders_max",
    "messages_max_per_second",
    "loss_max_quote_per_day",
    "book_age_max_ms",
];

fn read_risk(node: &Node, problems: &mut Problems) -> Option<RiskConfig> {
    let section = Section::open("risk", node, RISK_KEYS, problems);
    for key in RISK_KEYS {
        section.required(key, problems, "every risk limit is mandatory and has no default");
    }
    let count = |key: &str, high: i64, problems: &mut Problems| {
        section.whole(key, 1..=high, problems).and_then(|value| u32::try_from(value).ok())
    };
    let orders_max = i64::try_from(spinbook_engine::limits::WORKING_ORDERS_MAX).unwrap_or(1);
    let order_quantity_max_base = section.decimal("order_quantity_max_base", Range::Positive, problems);
    let order_notional_max_quote = section.decimal("order_notional_max_quote", Range::Positive, problems);
    let position_max_base = section.decimal("position_max_base", Range::Positive, problems);
    let price_collar_bps = section.decimal("price_collar_bps", Range::PositiveUpTo(5_000), problems);
    let open_orders_max = count("open_orders_max", orders_max, problems);
    let messages_max_per_second = count("messages_max_per_second", 1_000, problems);
    let loss_max_quote_per_day = section.decimal("loss_max_quote_per_day", Range::Positive, problems);
    let book_age_max_ms = count("book_age_max_ms", 60_000, problems);
    Some(RiskConfig {
        order_quantity_max_base: order_quantity_max_base?,
        order_notional_max_quote: order_notional_max_quote?,
        position_max_base: position_max_base?,
        price_collar_bps: price_collar_bps?,
        open_orders_max: open_orders_max?,
        messages_max_per_second: messages_max_per_second?,
        loss_max_quote_per_day: loss_max_quote_per_day?,
        book_age_max_ms: book_age_max_ms?,
    })
}

#[cfg(test)]
mod tests;
