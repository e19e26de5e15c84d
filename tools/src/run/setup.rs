//! COLD: what a run is made of: answers of the venue and settings become agents, ready to start.

use std::path::PathBuf;
use std::time::Duration;

use spinbook_engine::engine::Engine;
use spinbook_engine::intent::Intent;
use spinbook_engine::ring::Producer;
use spinbook_engine::setup;
use spinbook_engine::types::{Lots, Nanos, VenueId};
use spinbook_feed::gateway::limits::OrderLimits;
use spinbook_feed::gateway::{Gateway, GatewayMode, GatewaySettings};
use spinbook_feed::net::connection::connector::Connector;
use spinbook_feed::net::connection::resolve::Endpoint;
use spinbook_feed::net::connection::tls::Trust;
use spinbook_feed::net::connection::{ConnectionError, ConnectionLimits};
use spinbook_feed::net::host::clock::{Clock, CycleScale};
use spinbook_feed::net::hot::market_connections::MarketConnections;
use spinbook_feed::net::hot::snapshots::{self, SnapshotJob, SnapshotUrls};
use spinbook_feed::net::io::fetch::{FetchError, Fetcher};
use spinbook_feed::net::io::gateway_loop::{GatewayLane, GatewayLoopSettings, GatewayRings, Idle};
use spinbook_feed::session::{MarketSession, SessionSettings};
use spinbook_feed::venue::ProductLine;
use spinbook_feed::venue::account::AccountPoint;
use spinbook_feed::venue::binance::account;
use spinbook_feed::venue::binance::instruments::{find_instruments, parse_rate_limits};
use spinbook_feed::venue::card::RateWindow;
use spinbook_feed::venue::instrument::{Instrument, InstrumentStatus};
use spinbook_feed::venue::order_side::OrderConnection;

use super::plan::{Plan, RunMode};
use super::strategy::StrategySection;
use crate::config::tables::MarketConfig;
use crate::error::Failure;
use crate::run::engine_settings;
use crate::run::state_dir::StateDir;
use crate::run::topology::{Agents, Rings};
use crate::run::venue_rest::VenueRest;

/// How long the venue may take to confirm that everything is cancelled.
const DRAIN_WITHIN: Nanos = Nanos::from_seconds(10);

/// A run that only has to be started.
pub(super) struct Prepared<S> {
    pub(super) instruments: Vec<Instrument>,
    pub(super) agents: Agents<S, Urls>,
    pub(super) rest: VenueRest,
    pub(super) start: Option<AccountPoint>,
    pub(super) started_at: Nanos,
    pub(super) _state: StateDir,
}

/// URLs of snapshots.
pub struct Urls {
    base: String,
    symbols: Vec<String>,
}

impl Urls {
    /// Of these instruments, below a REST base URL.
    #[must_use]
    pub fn new(rest_url: &str, product: ProductLine, instruments: &[Instrument]) -> Urls {
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
pub fn route(
    url: &str,
    target: &str,
    trust: &Trust,
    limits: ConnectionLimits,
    key: &str,
) -> Result<Connector, Failure> {
    let mut endpoint =
        Endpoint::parse(url).map_err(|error| Failure::usage("a URL cannot be used").at(key).because(error))?;
    // The venue's documents name the WebSocket API with its path; the gateway adds the path itself.
    if endpoint.prefix == target {
        endpoint.prefix.clear();
    }
    let tls = trust.client_config().map_err(|error| Failure::failed("TLS cannot be set up").because(error))?;
    Connector::new(endpoint, tls, limits)
        .map_err(|error| Failure::failed("the venue's address is not found").at(url).because(error))
}

/// Asks the venue for what a run needs and makes every agent; no thread runs yet.
///
/// # Errors
/// The venue cannot be reached or refuses, or a setting cannot be used.
pub(super) fn prepare<C: StrategySection>(plan: &Plan, strategy: &C) -> Result<Prepared<C::Strategy>, Failure> {
    let config = &plan.config;
    let market = &config.markets[0];
    let state = StateDir::open(&config.engine.state_dir)?;
    let clock = Clock::start();
    let scale = CycleScale::measure(Duration::from_millis(50));
    let market_trust = trust(plan.market.ca_file.as_ref())?;
    let order_trust = trust(plan.orders.ca_file.as_ref())?;
    let asked = ask_venue(plan, market, &market_trust, &order_trust, clock)?;
    let Asked { list, instruments, market_fetcher, rest, start, started_at } = asked;

    let rings = Rings::new();
    let (engine, limits) =
        engine(plan, strategy, &list, &instruments, start.as_ref(), state.epoch, (rings.orders.0, rings.cancels.0))?;
    let gateway = gateway(plan, market, &list, limits, state.epoch, &instruments)?;
    let urls = Urls::new(&plan.market.rest_url, plan.product, &instruments);
    let (mailbox, worker) = snapshots::new(instruments.len().max(4), market_fetcher, urls, |error: &FetchError| {
        tracing::warn!("a snapshot could not be fetched: {error}");
    });
    let agents = Agents {
        engine,
        lines: vec![market_line(plan, market, &instruments, &market_trust, state.epoch)?],
        hot_executions: rings.executions.1,
        mailbox,
        snapshots: worker,
        gateways: vec![lane(plan, &order_trust, gateway)?],
        io_rings: GatewayRings { cancels: rings.cancels.1, orders: rings.orders.1, executions: rings.executions.0 },
        io_settings: io_settings(),
        clock,
        scale,
    };
    Ok(Prepared { instruments, agents, rest, start, started_at, _state: state })
}

/// What the venue answered before anything started.
struct Asked {
    list: Vec<u8>,
    instruments: Vec<Instrument>,
    market_fetcher: Fetcher,
    rest: VenueRest,
    start: Option<AccountPoint>,
    started_at: Nanos,
}

fn ask_venue(
    plan: &Plan,
    market: &MarketConfig,
    market_trust: &Trust,
    order_trust: &Trust,
    clock: Clock,
) -> Result<Asked, Failure> {
    let window = i64::from(market.receive_window_ms);
    let market_rest = VenueRest::new(market_trust, &plan.market.rest_url, plan.product, None, window, clock);
    let credentials = plan.keys.credentials(market, plan.product)?;
    let mut rest = VenueRest::new(order_trust, &plan.orders.rest_url, plan.product, Some(credentials), window, clock);
    let list = market_rest.exchange_info()?;
    let instruments = instruments(&list, market, plan.product)?;
    // Shadow orders never leave, so no account stands behind them.
    let (start, started_at) = if plan.mode == RunMode::Shadow {
        (None, clock.now())
    } else {
        rest.measure_clock()?;
        let started_at = rest.venue_time();
        (Some(account_at_start(plan, &rest, &instruments)?), started_at)
    };
    Ok(Asked { list, instruments, market_fetcher: market_rest.fetcher, rest, start, started_at })
}

fn engine<C: StrategySection>(
    plan: &Plan,
    strategy: &C,
    list: &[u8],
    instruments: &[Instrument],
    start: Option<&AccountPoint>,
    epoch: u32,
    (orders, cancels): (Producer<Intent>, Producer<Intent>),
) -> Result<(Engine<C::Strategy>, Vec<OrderLimits>), Failure> {
    let (config, product) = (&plan.config, plan.product);
    let rate_limits = parse_rate_limits(list)
        .map_err(|error| Failure::failed("the venue's rate limits cannot be read").because(error))?;
    let mut settings =
        engine_settings::engine_settings(config, &config.markets[0], product, instruments, &rate_limits, epoch)?;
    if let Some(start) = start {
        set_inventory(&mut settings.instruments, product, instruments, start)?;
    }
    let limits = order_limits(&settings.instruments);
    let strategy = strategy.make(&config.risk, instruments, depth_includes_us(plan))?;
    let engine = setup::engine(settings, strategy, orders, cancels)
        .map_err(|error| Failure::usage("the engine cannot be set up").because(error))?;
    Ok((engine, limits))
}

fn market_line(
    plan: &Plan,
    market: &MarketConfig,
    instruments: &[Instrument],
    trust: &Trust,
    epoch: u32,
) -> Result<MarketConnections, Failure> {
    let session = MarketSession::new(plan.product, instruments, session_settings(market, plan.product, epoch))
        .map_err(|error| Failure::usage("the market cannot be subscribed").at("market.symbols").because(error))?;
    let streams = route(&plan.market.stream_url, "", trust, ConnectionLimits::PUBLIC, "market.stream_url")?;
    Ok(MarketConnections::new(session, streams, 0, |path, error: &ConnectionError| {
        tracing::warn!("market connection {path} ended: {error}");
    }))
}

fn lane(plan: &Plan, trust: &Trust, gateway: Gateway) -> Result<GatewayLane, Failure> {
    let target = plan.product.order_path();
    let limits = ConnectionLimits::PRIVATE;
    Ok(GatewayLane {
        gateway,
        orders: route(&plan.orders.ws_api_url, target, trust, limits, "market.ws_api_url")?,
        user_data: route(&plan.orders.stream_url, "", trust, limits, "market.stream_url")?,
    })
}

fn io_settings() -> GatewayLoopSettings {
    GatewayLoopSettings {
        idle: Idle::Spin,
        drain_within: DRAIN_WITHIN,
        on_connection_end: |venue: VenueId, connection: OrderConnection, error: &ConnectionError| {
            let name = ProductLine::from_venue_id(venue).map_or("", ProductLine::name);
            tracing::warn!("order connection {connection:?} of {name} ended: {error}");
        },
    }
}

/// Whether the market's depth includes our own orders.
fn depth_includes_us(plan: &Plan) -> bool {
    plan.mode == RunMode::Live
}

/// The configured instruments of the venue's list, all of which must take orders.
///
/// # Errors
/// One is not listed, cannot be traded exactly, or takes no orders now.
pub fn instruments(list: &[u8], market: &MarketConfig, product: ProductLine) -> Result<Vec<Instrument>, Failure> {
    let symbols: Vec<&str> = market.symbols.iter().map(String::as_str).collect();
    let instruments = find_instruments(product, list, &symbols).map_err(|error| {
        Failure::usage("an instrument cannot be traded")
            .at("market.symbols")
            .because(error)
            .next("name it as the venue's instrument list does")
    })?;
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
        let field = plan.product.card().orders.map_or("account", |orders| orders.account_field);
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
    product: ProductLine,
    instruments: &[Instrument],
    start: &AccountPoint,
) -> Result<(), Failure> {
    for (entry, instrument) in setups.iter_mut().zip(instruments) {
        let held = start
            .inventory(product, instrument)
            .map_err(|error| Failure::failed("the account's holdings cannot be taken over").because(error))?;
        entry.lots_start = held;
        entry.lots_neutral = if product.holds_inventory() { held } else { Lots::ZERO };
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
    Ok(Gateway::new(settings, plan.keys.credentials(market, plan.product)?, instruments.to_vec()))
}

/// How the market session behaves, as configured.
#[must_use]
pub fn session_settings(market: &MarketConfig, product: ProductLine, epoch: u32) -> SessionSettings {
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
