//! COLD: a run from its first request to its report: prepares, starts the threads, watches, ends in order.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use spinbook_engine::engine::Engine;
use spinbook_engine::setup;
use spinbook_engine::strategy::Spread;
use spinbook_engine::types::{Lots, Nanos};
use spinbook_feed::gateway::limits::OrderLimits;
use spinbook_feed::gateway::throttle::RateWindow;
use spinbook_feed::gateway::{Gateway, GatewayConnection, GatewayMode, GatewaySettings};
use spinbook_feed::net::clock::{Clock, CycleScale};
use spinbook_feed::net::connection::{ConnectionError, ConnectionLimits};
use spinbook_feed::net::fetch::FetchError;
use spinbook_feed::net::gateway_loop::{GatewayLoopSettings, GatewayRings, Idle};
use spinbook_feed::net::link::Route;
use spinbook_feed::net::market_line::MarketLine;
use spinbook_feed::net::resolve::Endpoint;
use spinbook_feed::net::snapshots::{self, SnapshotJob, SnapshotUrls};
use spinbook_feed::net::tls::Trust;
use spinbook_feed::session::{MarketSession, SessionSettings};
use spinbook_feed::venue::binance::Product;
use spinbook_feed::venue::binance::account::{self, AccountPoint};
use spinbook_feed::venue::binance::instruments::{find_instruments, parse_rate_limits};
use spinbook_feed::venue::binance::sign::{Credentials, Secret};
use spinbook_feed::venue::instrument::{Instrument, InstrumentStatus};

use crate::assembly;
use crate::command::Context;
use crate::config::{Config, MarketConfig, credentials};
use crate::error::Failure;
use crate::signals::Interrupts;
use crate::state_dir::StateDir;
use crate::topology::{self, Agents, Cores, Ended, Rings, Running};
use crate::trade_screen::Watch;
use crate::ui::Screen;
use crate::venue_rest::VenueRest;

/// How long the venue may take to confirm that everything is cancelled.
const DRAIN_WITHIN: Nanos = Nanos::from_seconds(10);
/// How often the main thread looks at signals, time and threads.
const WATCH_INTERVAL: Duration = Duration::from_millis(20);
/// How often the screen is drawn.
const SCREEN_INTERVAL: Duration = Duration::from_millis(250);

/// How orders are treated, as reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunMode {
    /// Sent to the simulated exchange, market included.
    Demo,
    /// Live market, orders to the simulated exchange.
    Paper,
    /// Built and never sent.
    Shadow,
    /// Sent.
    Live,
}

impl RunMode {
    /// As reported.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            RunMode::Demo => "demo",
            RunMode::Paper => "paper",
            RunMode::Shadow => "shadow",
            RunMode::Live => "live",
        }
    }
}

/// Where a venue is.
#[derive(Clone, Debug)]
pub struct Venue {
    /// Base URL of REST.
    pub rest_url: String,
    /// Base URL of streams.
    pub stream_url: String,
    /// Base URL of the WebSocket API.
    pub ws_api_url: String,
    /// A private exchange's authority.
    pub ca_file: Option<PathBuf>,
}

/// The two ways to sign, to make credentials from more than once.
pub enum KeyText {
    /// HMAC-SHA256 secret.
    Hmac(Secret),
    /// Ed25519 private key, PKCS#8 PEM.
    Ed25519(Secret),
}

/// Key id and what signs.
pub struct KeyPair {
    /// The key id.
    pub api_key: String,
    /// What signs.
    pub key: KeyText,
}

/// Where the credentials come from.
pub enum Keys {
    /// Made for this run.
    Given(KeyPair),
    /// As configured; read again for each part of the program that signs, never copied.
    Configured,
}

impl Keys {
    /// The credentials of a market.
    ///
    /// # Errors
    /// None are found, or they cannot be used.
    pub fn credentials(&self, market: &MarketConfig) -> Result<Credentials, Failure> {
        match self {
            Keys::Given(pair) => pair.credentials(),
            Keys::Configured => {
                credentials::load(market, &|name| std::env::var(name).ok()).map(|found| found.credentials)
            }
        }
    }
}

impl KeyPair {
    /// The credentials.
    ///
    /// # Errors
    /// A key that cannot be one: empty, a placeholder, with white space.
    pub fn credentials(&self) -> Result<Credentials, Failure> {
        let made = match &self.key {
            KeyText::Hmac(secret) => Credentials::hmac(&self.api_key, secret),
            KeyText::Ed25519(private) => Credentials::ed25519(&self.api_key, private),
        };
        made.map_err(|error| {
            Failure::usage("the credentials cannot be used")
                .because(error)
                .next("copy key and secret again, without spaces or line ends around them")
        })
    }
}

/// What is to be run.
pub struct Plan {
    /// How orders are treated.
    pub mode: RunMode,
    /// The configuration.
    pub config: Config,
    /// The product line.
    pub product: Product,
    /// Where the market comes from.
    pub market: Venue,
    /// Where orders go.
    pub orders: Venue,
    /// Whose orders.
    pub keys: Keys,
    /// For live: must be what the venue answers.
    pub account: Option<String>,
    /// Who runs on which core.
    pub cores: Cores,
    /// How long; without it until interrupted.
    pub seconds: Option<u64>,
    /// Seed of a synthetic market, for the report.
    pub seed: Option<u64>,
}

/// A run that is over, with everything the report is made from.
pub struct Finished {
    /// What was planned.
    pub plan: Plan,
    /// What was traded.
    pub instruments: Vec<Instrument>,
    /// What the threads left.
    pub ended: Ended<Spread>,
    /// Account at the start and at the end, and every execution between; none where the venue is not asked.
    pub venue: Option<VenueSide>,
    /// From the first connection to the last.
    pub elapsed: Duration,
    /// Whether Ctrl-C ended it.
    pub interrupted: bool,
}

/// What the venue says about the account.
pub struct VenueSide {
    /// Before the first order.
    pub start: AccountPoint,
    /// After the last.
    pub end: AccountPoint,
    /// Executions between.
    pub trades: Vec<account::TradeRecord>,
    /// Orders still open.
    pub open_orders: usize,
}

struct Prepared {
    instruments: Vec<Instrument>,
    agents: Agents<Spread, Urls>,
    rest: VenueRest,
    start: Option<AccountPoint>,
    started_at: Nanos,
    _state: StateDir,
}

/// URLs of snapshots.
pub struct Urls {
    base: String,
    symbols: Vec<String>,
}

impl Urls {
    /// Of these instruments, below a REST base URL.
    #[must_use]
    pub fn new(rest_url: &str, product: Product, instruments: &[Instrument]) -> Urls {
        Urls {
            base: format!("{}{}", rest_url.trim_end_matches('/'), product.card().depth_path),
            symbols: instruments.iter().map(|instrument| percent_encoded(instrument.symbol.as_str())).collect(),
        }
    }
}

impl SnapshotUrls for Urls {
    fn url(&self, job: SnapshotJob) -> String {
        let symbol = self.symbols.get(job.instrument.index()).map_or("", String::as_str);
        format!("{}?symbol={symbol}&limit={}", self.base, job.levels)
    }
}

/// Runs a plan to its end. `alive` is asked now and then and ends the run with its failure.
///
/// # Errors
/// It could not start, or something it stands on broke.
pub fn run(plan: Plan, context: Context, alive: &mut dyn FnMut() -> Result<(), Failure>) -> Result<Finished, Failure> {
    let mut interrupts =
        Interrupts::install().map_err(|error| Failure::failed("cannot take over Ctrl-C").because(error))?;
    let prepared = prepare(&plan)?;
    let Prepared { instruments, agents, rest, start, started_at, _state } = prepared;
    let mut watch = Watch::new(&plan, &instruments, &agents.engine);
    let fail = |error: std::io::Error| Failure::failed("a thread could not run").because(error);
    let begun = Instant::now();
    let running = topology::start(agents, plan.cores).map_err(fail)?;
    watch.follow(&running);
    let mut screen = Screen::open(context);
    let interrupted = watch_run(&plan, &running, &mut watch, &mut screen, &mut interrupts, alive)?;
    drain(&running, &mut watch, &mut screen, &mut interrupts);
    drop(screen);
    let ended = running.stop().map_err(fail)?;
    let elapsed = begun.elapsed();
    let venue = match start {
        Some(start) => Some(venue_side(&rest, &instruments, start, started_at)?),
        None => None,
    };
    Ok(Finished { plan, instruments, ended, venue, elapsed, interrupted })
}

/// Waits for the end of the run: time, Ctrl-C, or something that broke. True if interrupted.
fn watch_run(
    plan: &Plan,
    running: &Running<Spread>,
    watch: &mut Watch,
    screen: &mut Screen,
    interrupts: &mut Interrupts,
    alive: &mut dyn FnMut() -> Result<(), Failure>,
) -> Result<bool, Failure> {
    let begun = Instant::now();
    let mut drawn = begun;
    loop {
        if interrupts.count() > 0 {
            return Ok(true);
        }
        if plan.seconds.is_some_and(|seconds| begun.elapsed() >= Duration::from_secs(seconds)) {
            return Ok(false);
        }
        if running.has_failed() {
            tracing::error!("a thread ended by itself: stopping");
            return Ok(false);
        }
        if let Err(failure) = alive() {
            // Orders may be open somewhere; the drain says what it cannot confirm.
            tracing::error!("{failure}");
            return Ok(false);
        }
        if drawn.elapsed() >= SCREEN_INTERVAL {
            drawn = Instant::now();
            screen.draw(watch);
        }
        std::thread::sleep(WATCH_INTERVAL);
    }
}

/// Cancels everything and waits until it is confirmed; a second Ctrl-C leaves at once.
fn drain(running: &Running<Spread>, watch: &mut Watch, screen: &mut Screen, interrupts: &mut Interrupts) {
    let already = interrupts.count();
    tracing::info!("cancelling everything and waiting for the venue's confirmation; Ctrl-C again leaves at once");
    running.drain();
    while !running.is_drained() {
        if interrupts.count() > already.max(1) || (already == 0 && interrupts.count() > 0) {
            tracing::error!("left at once: {}", watch.open_orders_text());
            return;
        }
        screen.draw(watch);
        std::thread::sleep(WATCH_INTERVAL);
    }
}

fn venue_side(
    rest: &VenueRest,
    instruments: &[Instrument],
    start: AccountPoint,
    started_at: Nanos,
) -> Result<VenueSide, Failure> {
    let (end, _) = rest.point(instruments)?;
    let mut trades = Vec::new();
    let mut open_orders = 0;
    for instrument in instruments {
        trades.extend(rest.trades_since(instrument, started_at)?);
        open_orders += rest.open_orders(instrument)?.len();
    }
    Ok(VenueSide { start, end, trades, open_orders })
}

/// Whom to trust: a named authority alone, else the public ones.
///
/// # Errors
/// The file cannot be used.
pub fn trust(ca_file: Option<&PathBuf>) -> Result<Trust, Failure> {
    match ca_file {
        None => Ok(Trust::public()),
        Some(path) => Trust::from_file(path)
            .map_err(|error| Failure::usage("the CA file cannot be used").at("market.ca_file").because(error)),
    }
}

/// Where connections to a URL lead. A path at its end that is `target` itself is not repeated.
///
/// # Errors
/// The URL cannot be used, or its host is not found.
pub fn route(url: &str, target: &str, trust: &Trust, limits: ConnectionLimits, key: &str) -> Result<Route, Failure> {
    let mut endpoint =
        Endpoint::parse(url).map_err(|error| Failure::usage("a URL cannot be used").at(key).because(error))?;
    // The venue's documents name the WebSocket API with its path; the gateway adds the path itself.
    if endpoint.prefix == target {
        endpoint.prefix.clear();
    }
    let tls = trust.client_config().map_err(|error| Failure::failed("TLS cannot be set up").because(error))?;
    Route::new(endpoint, tls, limits)
        .map_err(|error| Failure::failed("the venue's address is not found").at(url).because(error))
}

fn prepare(plan: &Plan) -> Result<Prepared, Failure> {
    let config = &plan.config;
    let market = &config.markets[0];
    let state = StateDir::open(&config.engine.state_dir)?;
    let clock = Clock::start();
    let scale = CycleScale::measure(Duration::from_millis(50));
    let (market_trust, order_trust) = (trust(plan.market.ca_file.as_ref())?, trust(plan.orders.ca_file.as_ref())?);
    let window = i64::from(market.receive_window_ms);
    let market_rest = VenueRest::new(&market_trust, &plan.market.rest_url, plan.product, None, window, clock);
    let credentials = plan.keys.credentials(market)?;
    let mut rest = VenueRest::new(&order_trust, &plan.orders.rest_url, plan.product, Some(credentials), window, clock);

    let list = market_rest.exchange_info()?;
    let instruments = instruments(&list, market, plan.product)?;
    let rate_limits = parse_rate_limits(&list)
        .map_err(|error| Failure::failed("the venue's rate limits cannot be read").because(error))?;
    let asks_account = plan.mode != RunMode::Shadow;
    let started_at;
    let start = if asks_account {
        rest.measure_clock()?;
        started_at = rest.venue_time();
        Some(account_at_start(plan, &rest, &instruments)?)
    } else {
        started_at = clock.now();
        None
    };

    let mut settings =
        assembly::engine_settings(config, market, plan.product, &instruments, &rate_limits, state.epoch)?;
    if let Some(start) = &start {
        set_inventory(&mut settings.instruments, plan.product, &instruments, start)?;
    }
    let strategy = setup::spread_strategy(assembly::spread_settings(config, &instruments, live_depth(plan))?)
        .map_err(|error| Failure::usage("the strategy cannot be set up").at("strategy").because(error))?;
    let limits = order_limits(&settings.instruments);
    let rings = Rings::new();
    let engine = setup::engine(settings, strategy, rings.orders.0, rings.cancels.0)
        .map_err(|error| Failure::usage("the engine cannot be set up").because(error))?;
    let gateway = gateway(plan, market, &list, limits, state.epoch, &instruments)?;

    let urls = Urls::new(&plan.market.rest_url, plan.product, &instruments);
    let (mailbox, worker) =
        snapshots::new(instruments.len().max(4), market_rest.fetcher, urls, |error: &FetchError| {
            tracing::warn!("a snapshot could not be fetched: {error}");
        });
    let session =
        MarketSession::new(plan.product, &instruments, session_settings(market, plan.product, state.epoch))
            .map_err(|error| Failure::usage("the market cannot be subscribed").at("market.symbols").because(error))?;
    let streams = route(&plan.market.stream_url, "", &market_trust, ConnectionLimits::PUBLIC, "market.stream_url")?;
    let line = MarketLine::new(session, streams, 0, |path, error: &ConnectionError| {
        tracing::warn!("market connection {path} ended: {error}");
    });
    let target = if plan.product == Product::BinanceSpot { "/ws-api/v3" } else { "/ws-fapi/v1" };
    let io_settings = GatewayLoopSettings {
        orders: route(&plan.orders.ws_api_url, target, &order_trust, ConnectionLimits::PRIVATE, "market.ws_api_url")?,
        user_data: route(&plan.orders.stream_url, "", &order_trust, ConnectionLimits::PRIVATE, "market.stream_url")?,
        idle: Idle::Spin,
        drain_within: DRAIN_WITHIN,
        on_connection_end: |connection: GatewayConnection, error: &ConnectionError| {
            tracing::warn!("order connection {connection:?} ended: {error}");
        },
    };
    let io_rings = GatewayRings { cancels: rings.cancels.1, orders: rings.orders.1, executions: rings.executions.0 };
    let agents = Agents {
        engine,
        lines: vec![line],
        hot_executions: rings.executions.1,
        mailbox,
        snapshots: worker,
        gateway,
        io_rings,
        io_settings,
        clock,
        scale,
    };
    Ok(Prepared { instruments, agents, rest, start, started_at, _state: state })
}

/// Whether the market's depth includes our own orders.
fn live_depth(plan: &Plan) -> bool {
    plan.mode == RunMode::Live
}

/// The configured instruments of the venue's list, all of which must take orders.
///
/// # Errors
/// One is not listed, cannot be traded exactly, or takes no orders now.
pub fn instruments(list: &[u8], market: &MarketConfig, product: Product) -> Result<Vec<Instrument>, Failure> {
    let symbols: Vec<&str> = market.symbols.iter().map(String::as_str).collect();
    let instruments = find_instruments(product, list, &symbols)
        .map_err(|error| Failure::usage("an instrument cannot be traded").at("market.symbols").because(error))?;
    match instruments.iter().find(|instrument| instrument.status != InstrumentStatus::Trading) {
        None => Ok(instruments),
        Some(closed) => Err(Failure::failed(format!("{} takes no orders now", closed.symbol))
            .at("market.symbols")
            .because("the venue's instrument list says so")
            .next("leave it out, or wait until it trades")),
    }
}

fn account_at_start(plan: &Plan, rest: &VenueRest, instruments: &[Instrument]) -> Result<AccountPoint, Failure> {
    let (point, id) = rest.point(instruments)?;
    if plan.mode == RunMode::Live {
        let field = if plan.product == Product::BinanceSpot { "uid" } else { "accountAlias" };
        let answered = id.ok_or_else(|| Failure::failed(format!("the venue's answer has no `{field}`")))?;
        if plan.account.as_deref() != Some(answered.as_str()) {
            return Err(Failure::usage("--account is not the account of these credentials")
                .at("--account")
                .because(format!("the venue's field `{field}` says {answered}"))
                .next(format!("if that is the account you mean: --account {answered}")));
        }
    }
    Ok(point)
}

fn set_inventory(
    setups: &mut [setup::InstrumentSetup],
    product: Product,
    instruments: &[Instrument],
    start: &AccountPoint,
) -> Result<(), Failure> {
    for (entry, instrument) in setups.iter_mut().zip(instruments) {
        let held = start
            .inventory(product, instrument)
            .map_err(|error| Failure::failed("the account's holdings cannot be taken over").because(error))?;
        entry.lots_start = held;
        entry.lots_neutral = if product == Product::BinanceSpot { held } else { Lots::ZERO };
    }
    Ok(())
}

fn order_limits(setups: &[setup::InstrumentSetup]) -> Vec<OrderLimits> {
    let limits = setups.iter().map(|entry| OrderLimits {
        lots_max: entry.risk.order_lots_max,
        notional_max: entry.risk.order_notional_max,
        open_orders_max: entry.risk.open_orders_max,
    });
    limits.collect()
}

fn gateway(
    plan: &Plan,
    market: &MarketConfig,
    list: &[u8],
    limits: Vec<OrderLimits>,
    epoch: u32,
    instruments: &[Instrument],
) -> Result<Gateway, Failure> {
    let mode = if plan.mode == RunMode::Shadow { GatewayMode::Shadow } else { GatewayMode::Live };
    let mut settings = GatewaySettings::new(plan.product, mode, epoch, limits);
    settings.receive_window_ms = i64::from(market.receive_window_ms);
    let named = account::parse_windows(list)
        .map_err(|error| Failure::failed("the venue's rate limits cannot be read").because(error))?;
    if !named.is_empty() {
        settings.rates = named
            .iter()
            .map(|window| RateWindow { kind: window.kind, span: window.span, limit: window.limit })
            .collect();
    }
    Ok(Gateway::new(settings, plan.keys.credentials(market)?, instruments.to_vec()))
}

/// How the market session behaves, as configured.
#[must_use]
pub fn session_settings(market: &MarketConfig, product: Product, epoch: u32) -> SessionSettings {
    let mut settings = SessionSettings::of(product);
    if let Some(depth) = &market.depth_stream {
        settings.channels.depth.clone_from(depth);
    }
    if let Some(limit) = market.snapshot_limit.and_then(|limit| u16::try_from(limit).ok()) {
        settings.snapshot_levels = limit;
    }
    settings.seed = u64::from(epoch);
    settings
}

fn percent_encoded(symbol: &str) -> String {
    let mut text = String::with_capacity(symbol.len());
    for byte in symbol.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.' => text.push(char::from(byte)),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

/// The engine's instruments by number, for whoever shows them.
#[must_use]
pub fn engine_screens(
    engine: &Engine<Spread>,
    count: usize,
) -> Vec<std::sync::Arc<spinbook_engine::screen::ScreenCell>> {
    (0..count).map(|index| engine.screen(spinbook_engine::types::InstrumentId(index as u16)).clone()).collect()
}
