//! COLD: a run from its first request to its report: prepares, starts the threads, watches, ends in order.

pub mod report;
pub mod screen;
pub mod setup;

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use spinbook_engine::strategy::Spread;
use spinbook_engine::types::Nanos;
use spinbook_feed::crypto::credentials::{Credentials, Secret};
use spinbook_feed::net::memory;
use spinbook_feed::venue::binance::Product;
use spinbook_feed::venue::binance::account::{self, AccountPoint};
use spinbook_feed::venue::instrument::Instrument;

use crate::command::Context;
use crate::command::kill::KILL_FILE;
use crate::config::{Config, MarketConfig, credentials};
use crate::error::Failure;
use crate::signals::{EarlyExit, Interrupts};
use crate::start_memory;
use crate::topology::{self, Cores, Ended, Running};
use crate::ui::Screen;
use crate::venue_rest::VenueRest;

use self::screen::Watch;
use self::setup::{Prepared, prepare};

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

/// Whether what a run stands on goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarketLife {
    /// It does.
    Goes,
    /// The market has been played to its end: so the run ends, in order.
    Over,
}

/// Asked now and then while a run works; its failure ends the run.
pub type Alive<'a> = &'a mut dyn FnMut() -> Result<MarketLife, Failure>;

/// Why a run stopped trading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Its time was over, or something it stands on broke, which was said.
    Due,
    /// Ctrl-C or the kill file.
    Interrupted,
    /// The market was over.
    MarketOver,
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
    /// Why the venue, which was to be asked in the end, did not answer.
    pub venue_failure: Option<Failure>,
    /// From the first connection to the last.
    pub elapsed: Duration,
    /// Why it stopped trading.
    pub stop: Stop,
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

/// Runs a plan to its end.
///
/// # Errors
/// It could not start, or something it stands on broke.
pub fn run(plan: Plan, context: Context, alive: Alive<'_>) -> Result<Finished, Failure> {
    let refused = |error: std::io::Error| Failure::failed("cannot take over Ctrl-C").because(error);
    let early = EarlyExit::install().map_err(refused)?;
    let _ = memory::keep_freed();
    let prepared = prepare(&plan)?;
    let mut interrupts = Interrupts::install().map_err(refused)?;
    early.end();
    interrupts = interrupts.or_file(plan.config.engine.state_dir.join(KILL_FILE));
    let Prepared { instruments, agents, rest, start, started_at, _state } = prepared;
    let mut watch = Watch::new(&plan, &instruments, &agents.engine);
    let fail = |error: std::io::Error| Failure::failed("a thread could not run").because(error);
    start_memory::settle(&plan.config.engine, &agents.engine)?;
    let begun = Instant::now();
    let running = topology::start(agents, plan.cores).map_err(fail)?;
    watch.follow(&running);
    let mut screen = Screen::open(context);
    let stop = watch_run(&plan, &running, &mut watch, &mut screen, &mut interrupts, alive)?;
    let left_at_once = drain(&running, &mut watch, &mut screen, &mut interrupts);
    drop(screen);
    let ended = running.stop().map_err(fail)?;
    let elapsed = begun.elapsed();
    if !ended.gateway_end.confirmed && !left_at_once {
        tracing::error!("not confirmed: {}", watch.open_orders_text());
    }
    // Who leaves at once does not wait for the venue's answers either.
    let start = start.filter(|_| !left_at_once);
    let asked = start.map(|start| venue_side(&rest, &instruments, start, started_at)).transpose();
    // The report is worth more than the answer: without it, it says so.
    let (venue, venue_failure) = match asked {
        Ok(venue) => (venue, None),
        Err(failure) => (None, Some(failure)),
    };
    Ok(Finished { plan, instruments, ended, venue, venue_failure, elapsed, stop })
}

/// Waits for the end of the run: time, Ctrl-C, the market's end, or something that broke.
fn watch_run(
    plan: &Plan,
    running: &Running<Spread>,
    watch: &mut Watch,
    screen: &mut Screen,
    interrupts: &mut Interrupts,
    alive: Alive<'_>,
) -> Result<Stop, Failure> {
    let begun = Instant::now();
    let mut drawn = begun;
    loop {
        if interrupts.count() > 0 {
            return Ok(Stop::Interrupted);
        }
        if plan.seconds.is_some_and(|seconds| begun.elapsed() >= Duration::from_secs(seconds)) {
            return Ok(Stop::Due);
        }
        if running.has_failed() {
            tracing::error!("a thread ended by itself: stopping");
            return Ok(Stop::Due);
        }
        if running.io_shared.halted.load(Ordering::Relaxed) {
            // Only a person can say that it may go on, and a person starts it again.
            tracing::error!("trading was halted: stopping");
            return Ok(Stop::Due);
        }
        match alive() {
            Ok(MarketLife::Goes) => {}
            Ok(MarketLife::Over) => {
                let after = begun.elapsed().as_secs();
                tracing::info!("the market is over after {after} s: everything recorded was played; ending in order");
                return Ok(Stop::MarketOver);
            }
            Err(failure) => {
                // Orders may be open somewhere; the drain says what it cannot confirm.
                tracing::error!("{failure}");
                return Ok(Stop::Due);
            }
        }
        if drawn.elapsed() >= SCREEN_INTERVAL {
            drawn = Instant::now();
            screen.draw(watch);
        }
        std::thread::sleep(WATCH_INTERVAL);
    }
}

/// Cancels everything and waits until it is confirmed; a second Ctrl-C leaves at once, which is then true.
fn drain(running: &Running<Spread>, watch: &mut Watch, screen: &mut Screen, interrupts: &mut Interrupts) -> bool {
    let already = interrupts.count();
    tracing::info!("cancelling everything and waiting for the venue's confirmation; Ctrl-C again leaves at once");
    running.drain();
    let mut drawn = Instant::now();
    while !running.is_drained() {
        if interrupts.count() > already.max(1) || (already == 0 && interrupts.count() > 0) {
            tracing::error!("left at once: {}", watch.open_orders_text());
            return true;
        }
        if drawn.elapsed() >= SCREEN_INTERVAL {
            drawn = Instant::now();
            screen.draw(watch);
        }
        std::thread::sleep(WATCH_INTERVAL);
    }
    false
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
