//! COLD: bad configurations, each with the words of the answer it must get.

mod fuzzed;
mod list;
mod snapshots;

use spinbook_engine::intent::TimeInForce;

use super::strategies::SpreadConfig;
use super::value::{LockMemory, Permission};
use super::*;

const FILE: &str = "spinbook.toml";

fn sample_text() -> String {
    sample::ConfigText::sample().commented()
}

fn spread(config: &Config) -> &SpreadConfig {
    let StrategyConfig::Spread(spread) = &config.strategy;
    spread
}

fn read(text: &str) -> Result<Config, Failure> {
    Config::from_text(text, FILE, Path::new("base"), &[], &[])
}

/// The sample with one line replaced; an empty replacement removes it.
fn with(line_start: &str, replacement: &str) -> String {
    let mut hits = 0;
    let lines: Vec<String> = sample_text()
        .lines()
        .map(|line| {
            if line.starts_with(line_start) {
                hits += 1;
                replacement.to_owned()
            } else {
                line.to_owned()
            }
        })
        .collect();
    assert_eq!(hits, 1, "`{line_start}` stands {hits} times in the sample");
    lines.join("\n")
}

/// The line of the sample, from 1, that starts so.
fn line_of(line_start: &str) -> usize {
    sample_text().lines().position(|line| line.starts_with(line_start)).expect("stands in the sample") + 1
}

#[test]
fn the_sample_is_valid_and_exact() {
    let config = read(&sample_text()).unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(config.markets.len(), 1);
    assert_eq!(config.markets[0].symbols, ["BTCUSDT"]);
    assert_eq!(config.risk.order_quantity_max_base.to_string(), "0.01");
    assert_eq!(spread(&config).imbalance_threshold.to_string(), "0.3");
    assert_eq!(spread(&config).time_in_force, TimeInForce::PostOnly);
    assert_eq!(config.engine.state_dir, Path::new("base/state"));
    assert_eq!((config.engine.lock_memory, config.engine.huge_pages), (LockMemory::Allowed, Permission::Allowed));
    assert_eq!(config.warnings.len(), 1, "only the missing hot_core: {:?}", config.warnings);
}

#[test]
fn the_hot_core_is_nobody_elses() {
    let with_cores = |hot, io| read(&with("state_dir", &format!("hot_core = {hot}\nio_core = {io}")));
    let failure = with_cores(3, 3).expect_err("one core for two threads that spin");
    assert!(failure.to_string().contains("`engine.io_core` = 3: is the hot thread's own core"), "{failure}");
    let config = with_cores(3, 2).unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!((config.engine.hot_core, config.engine.io_core), (Some(3), Some(2)));
}

/// One changed line of the sample, and what the message must hold beside the place of that line.
const BAD_LINES: &[(&str, &str, &[&str])] = &[
    // Unknown keys and slips.
    (
        "position_max_base",
        "positon_max_base = \"0.05\"",
        &["unknown key `risk.positon_max_base`", "\"0.05\"", "did you mean `position_max_base`?"],
    ),
    ("spread_bps", "spread = 10.0", &["unknown key `strategy.spread`", "10.0"]),
    ("state_dir", "statedir = \"x\"", &["unknown key `engine.statedir`", "did you mean `state_dir`?"]),
    ("symbols", "symbol = [\"BTCUSDT\"]", &["unknown key `market.0.symbol`", "did you mean `symbols`?"]),
    ("[risk]", "[rsik]", &["unknown key `rsik`", "did you mean `risk`?"]),
    ("levels", "colour = \"red\"", &["unknown key `strategy.colour`", "expected one of"]),
    // Secrets never stand in the configuration, and are not repeated.
    (
        "venue",
        "api_secret = \"NhqPtmdSJYdKjVHjA7PZj4Mge3R5\"\nvenue = \"binance-usdm\"",
        &["unknown key `market.0.api_secret`", "secrets never stand in the configuration"],
    ),
    // The machine.
    ("state_dir", "hot_core = -1", &["`engine.hot_core` = -1", "from 0 to 4095"]),
    ("state_dir", "io_core = 5000", &["`engine.io_core` = 5000", "from 0 to 4095"]),
    ("state_dir", "lock_memory = \"yes\"", &["`engine.lock_memory` = \"yes\"", "\"required\""]),
    ("state_dir", "lock_memory = true", &["`engine.lock_memory`", "expected a string"]),
    ("state_dir", "huge_pages = \"always\"", &["`engine.huge_pages` = \"always\"", "\"never\""]),
    // Wrong units, signs and types.
    ("spread_bps", "spread_bps = 0", &["`strategy.spread_bps` = 0", "more than 0"]),
    ("spread_bps", "spread_bps = -10.0", &["-10.0", "more than 0"]),
    ("spread_bps", "spread_bps = 5000", &["at most 2000"]),
    ("spread_bps", "spread_bps = true", &["is a boolean", "expected a decimal"]),
    ("spread_bps", "spread_bps = nan", &["not an exact decimal"]),
    ("spread_bps", "spread_bps = inf", &["not an exact decimal"]),
    ("spread_bps", "spread_bps = 2026-01-01", &["is a date"]),
    ("levels", "levels = 0", &["`strategy.levels` = 0", "from 1 to 8"]),
    ("levels", "levels = 9", &["from 1 to 8"]),
    ("levels", "levels = 1.5", &["expected a whole number"]),
    ("levels", "levels = [1]", &["expected a whole number"]),
    ("# fills_max", "fills_max = 0", &["from 1 to 10000"]),
    ("# fills_span_seconds", "fills_span_seconds = 3601", &["from 1 to 3600"]),
    ("# unknown_orders_max", "unknown_orders_max = 0", &["from 1 to 1000"]),
    ("# fee_price_quote", "fee_price_quote = \"BNB\"", &["expected ASSET=PRICE, such as BNB=612.5"]),
    ("# fee_price_quote", "fee_price_quote = \"BNB=0.0\"", &["the price must be more than 0"]),
    ("# fee_price_quote", "fee_price_quote = \"bnb=600\"", &["expected ASSET=PRICE"]),
    ("order_size_base", "order_size_base = \"0\"", &["more than 0"]),
    ("order_size_base", "order_size_base = \"0,001\"", &["not an exact decimal"]),
    ("order_size_base", "order_size_base = \" 0.001\"", &["not an exact decimal"]),
    ("order_size_base", "order_size_base = \"0.001 BTC\"", &["not an exact decimal"]),
    ("order_size_base", "order_size_base = \"0.00000000000000000000000000001\"", &["at most 28 digits"]),
    ("imbalance_threshold", "imbalance_threshold = 30", &["0 to 1"]),
    ("imbalance_widening", "imbalance_widening = 0.5", &["1 to 100"]),
    ("imbalance_levels", "imbalance_levels = -1", &["from 1 to 1000"]),
    ("inventory_skew_bps", "inventory_skew_bps = -5", &["0 to 1000"]),
    ("time_in_force", "time_in_force = \"gtc\"", &["\"gtc\"", "expected \"post-only\" or \"ioc\""]),
    ("kind", "kind = \"avellaneda\"", &["unknown strategy", "expected \"spread\""]),
    ("kind", "kind = 1", &["is a number", "expected a string"]),
    ("order_quantity_max_base", "order_quantity_max_base = \"-0.01\"", &["more than 0"]),
    ("order_notional_max_quote", "order_notional_max_quote = \"0\"", &["more than 0"]),
    ("price_collar_bps", "price_collar_bps = 100000", &["at most 5000"]),
    ("open_orders_max", "open_orders_max = \"many\"", &["expected a whole number"]),
    ("messages_max_per_second", "messages_max_per_second = 0", &["from 1 to 1000"]),
    ("messages_max_per_second", "messages_max_per_second = 99999999999999999999", &["from 1 to 1000"]),
    ("loss_max_quote_per_day", "loss_max_quote_per_day = \"unlimited\"", &["not an exact decimal"]),
    ("book_age_max_ms", "book_age_max_ms = 2000000", &["from 1 to 60000"]),
    // Venues, symbols, addresses.
    ("venue", "venue = \"binance-usd\"", &["unknown venue `binance-usd`", "did you mean `binance-usdm`?"]),
    ("venue", "venue = \"okx\"", &["reserved, not built yet"]),
    ("symbols", "symbols = []", &["is empty"]),
    ("symbols", "symbols = \"BTCUSDT\"", &["expected an array of strings"]),
    ("symbols", "symbols = [\"btcusdt\"]", &["did you mean `BTCUSDT`?"]),
    ("symbols", "symbols = [\"BTC-USDT\"]", &["without separators"]),
    ("symbols", "symbols = [\"BTCUSDT\", \"BTCUSDT\"]", &["is named twice"]),
    ("symbols", "symbols = [\"BTCUSDT \"]", &["holds whitespace"]),
    ("symbols", "symbols = [\"BTCUSDT\", 7]", &["expected only strings"]),
    ("# rest_url", "rest_url = \"http://127.0.0.1:9443\"", &["expected https://HOST", "unencrypted"]),
    ("# rest_url", "rest_url = \"https://user:pass@host\"", &["user name or password"]),
    ("# stream_url", "stream_url = \"wss://\"", &["has no host"]),
    ("# stream_url", "stream_url = \"wss://host:99999\"", &["port"]),
    ("# ws_api_url", "ws_api_url = \"wss://host/?x=1\"", &["no query"]),
    ("# depth_stream", "depth_stream = \"depth5\"", &["expected depth, depth@100ms"]),
    ("# hot_core", "hot_core = -1", &["from 0 to 4095"]),
    // Relations between keys.
    ("order_size_base", "order_size_base = \"0.02\"", &["above risk.order_quantity_max_base = 0.01"]),
    ("levels", "levels = 8", &[]),
    ("refresh_tolerance_bps", "refresh_tolerance_bps = 5.0", &["below half of strategy.spread_bps"]),
    // Not TOML.
    ("levels", "levels = = 1", &["is not TOML"]),
    ("levels", "levels = 1\nlevels = 2", &["is not TOML", "duplicate key"]),
    ("venue", "venue = \"binance-usdm", &["is not TOML"]),
];

#[test]
fn every_bad_line_is_refused_with_its_place_and_advice() {
    for (start, replacement, expected) in BAD_LINES {
        let text = with(start, replacement);
        let failure = match read(&text) {
            Ok(_) => panic!("accepted: {replacement}"),
            Err(failure) => failure,
        };
        assert_eq!(failure.exit, crate::outcome::Exit::Usage);
        let message = failure.to_string();
        for part in *expected {
            assert!(message.contains(part), "`{replacement}`: no `{part}` in\n{message}");
        }
        let line = line_of(start);
        let near = (line..line + 2).any(|line| message.contains(&format!("{FILE}:{line}: ")));
        let related = message.contains("risk.open_orders_max") || message.contains("is missing");
        assert!(near || related, "`{replacement}`: not at line {line}\n{message}");
        assert!(!message.contains("NhqPtmdSJYdKjVHj"), "the secret is repeated\n{message}");
    }
    assert!(BAD_LINES.len() >= 40);
}

#[test]
fn every_risk_limit_is_mandatory() {
    // What stops trading where it has gone wrong has a default; what an order may be has none. Limits over several
    // symbols, and of a result beyond its day, stand beside those of each.
    let breakers = [
        "fills_max",
        "fills_span_seconds",
        "unknown_orders_max",
        "ack_latency_max_ms",
        "order_latency_p99_max_us",
        "slow_action",
        "slippage_max_bps",
    ];
    let further =
        ["loss_max_quote_per_hour", "drawdown_max_quote", "exposure_gross_max_quote", "exposure_net_max_base"];
    let is_other = |key: &&str| breakers.contains(key) || further.contains(key);
    for key in RiskConfig::TABLE.keys.iter().map(|key| key.name).filter(|key| !is_other(key)) {
        let failure = read(&with(key, "")).expect_err("a limit is missing");
        let message = failure.to_string();
        assert!(message.contains(&format!("`risk.{key}` is missing")), "{message}");
        assert!(message.contains("mandatory"), "{message}");
    }
}

#[test]
fn needed_tables_and_keys_are_mandatory() {
    for (start, expected) in [
        ("kind", "`strategy.kind` is missing"),
        ("spread_bps", "`strategy.spread_bps` is missing"),
        ("order_size_base", "`strategy.order_size_base` is missing"),
        ("venue", "`market.0.venue` is missing"),
        ("symbols", "`market.0.symbols` is missing"),
    ] {
        let message = read(&with(start, "")).expect_err("incomplete").to_string();
        assert!(message.contains(expected), "{message}");
    }
    let message = read("").expect_err("empty").to_string();
    for table in ["`market` is missing", "`strategy` is missing", "`risk` is missing"] {
        assert!(message.contains(table), "{message}");
    }
}

#[test]
fn several_problems_are_told_at_once() {
    let text = with("levels", "levels = 0").replace("open_orders_max = 8", "open_orders_max = 0");
    let failure = read(&text).expect_err("two problems");
    assert_eq!(failure.problems.len(), 2, "{failure}");
}

#[test]
fn a_symbol_is_traded_by_one_market_only() {
    let text = format!("{}\n[[market]]\nvenue = \"binance-usdm\"\nsymbols = [\"BTCUSDT\"]\n", sample_text());
    assert!(read(&text).expect_err("twice").to_string().contains("is named twice"));
    let text = format!("{}\n[[market]]\nvenue = \"binance-spot\"\nsymbols = [\"BTCUSDT\"]\n", sample_text());
    assert_eq!(read(&text).unwrap_or_else(|failure| panic!("{failure}")).markets.len(), 2);
}

#[test]
fn environment_then_arguments_override_the_file() {
    let environment = [
        ("SPINBOOK_RISK__POSITION_MAX_BASE".to_owned(), "0.5".to_owned()),
        ("SPINBOOK_MARKET__0__REST_URL".to_owned(), "https://127.0.0.1:1234/".to_owned()),
        ("SPINBOOK_STRATEGY__TIME_IN_FORCE".to_owned(), "ioc".to_owned()),
        ("SPINBOOK_LOG".to_owned(), "debug".to_owned()),
    ];
    let sets = ["risk.position_max_base=0.75".to_owned(), "engine.hot_core = 0".to_owned()];
    let config = Config::from_text(&sample_text(), FILE, Path::new(""), &environment, &sets)
        .unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(config.risk.position_max_base.to_string(), "0.75");
    assert_eq!(config.markets[0].rest_url.as_deref(), Some("https://127.0.0.1:1234"));
    assert_eq!(spread(&config).time_in_force, TimeInForce::ImmediateOrCancel);
    assert_eq!(config.engine.hot_core, Some(0));
}

#[test]
fn a_bad_override_names_itself() {
    let environment = [("SPINBOOK_RISK__POSITON_MAX_BASE".to_owned(), "1".to_owned())];
    let failure = Config::from_text(&sample_text(), FILE, Path::new(""), &environment, &[]).expect_err("unknown");
    let message = failure.to_string();
    assert!(message.contains("environment SPINBOOK_RISK__POSITON_MAX_BASE"), "{message}");
    assert!(message.contains("did you mean `position_max_base`?"), "{message}");
    for (argument, expected) in [
        ("risk.open_orders_max", "expected KEY=VALUE"),
        ("risk.open_orders_max=0", "from 1 to 64"),
        ("market.7.venue=\"x\"", "no element 7"),
        ("market.first.venue=\"x\"", "not an index"),
    ] {
        let failure = Config::from_text(&sample_text(), FILE, Path::new(""), &[], &[argument.to_owned()]);
        let message = failure.expect_err("bad override").to_string();
        assert!(message.contains("--set") && message.contains(expected), "{argument}: {message}");
    }
}
