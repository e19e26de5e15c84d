//! COLD: `spinbook demo`: everything on this machine, nothing to configure.

use std::path::Path;

use rust_decimal::Decimal;
use spinbook_feed::net::host::clock::Clock;
use spinbook_feed::net::host::threads;
use spinbook_feed::venue::ProductLine;
use spinbook_feed::venue::instrument::Instrument;

use crate::cli::{DemoArgs, Speed};
use crate::config::Config;
use crate::config::sample::ConfigText;
use crate::config::tables::MarketConfig;
use crate::config::venues::check_venue;
use crate::error::Failure;
use crate::exchange::accounts::TestAccounts;
use crate::exchange::child::{ExchangeChild, Ready};
use crate::exchange::settings::{self, MarketChoice};
use crate::limits;
use crate::outcome::Exit;
use crate::outcome::{Context, Done};
use crate::run;
use crate::run::keys::KeySource;
use crate::run::plan::{MarketLife, MarketPlan, Plan, RunMode, Venue};
use crate::run::topology::Cores;
use crate::run::venue_rest::{VenueLine, VenueRest};
use crate::run::virtual_time::{self, SharedExchange, VirtualLine, VirtualMarket};

/// Worth of an order in the quote asset.
const NOTIONAL_WANTED: Decimal = Decimal::from_parts(50, 0, 0, false, 0);
/// By how much an order exceeds the venue's smallest notional: 1.2, so that the price may fall.
const NOTIONAL_MARGIN: Decimal = Decimal::from_parts(12, 0, 0, false, 1);
/// What a fill is to earn at least beyond the venue's fee, against the mid it is quoted around.
const EDGE_MIN_BPS: &str = "2.0";
/// The largest order, in orders.
const ORDER_MAX_ORDERS: Decimal = Decimal::TEN;
/// The largest position, in orders.
const POSITION_MAX_ORDERS: Decimal = Decimal::from_parts(20, 0, 0, false, 0);
/// How far quotes lean against a full position: so far that hardly anybody meets them.
const SKEW_BPS: &str = "12.0";

/// What its configuration is called where something is wrong with it.
const CONFIGURATION: &str = "the demo's configuration";
/// Keys that it chooses itself, beside the markets'.
const OWN_KEYS: [&str; 3] = ["engine.state_dir", "engine.hot_core", "engine.io_core"];

/// Runs `spinbook demo`.
///
/// # Errors
/// The exchange does not start, or the run fails.
pub fn run(arguments: &DemoArgs, context: Context) -> Result<Done, Failure> {
    let venues = venues_of(arguments)?;
    check_sets(&arguments.set)?;
    if arguments.is_virtual {
        let (plan, markets) = virtual_plan(arguments, &venues)?;
        return virtual_time::run(plan, markets);
    }
    limits::check_trading(venues.len())?;
    let available = threads::cores();
    let hot_core = Cores::default_hot(&available).filter(|_| !arguments.unpinned);
    let cores = Cores::share(&available, hot_core, None, threads::can_pin);
    let mut children: Vec<ExchangeChild> = Vec::with_capacity(venues.len());
    for venue in &venues {
        // One seed for all of them: with it every market can be had again.
        let seed = arguments.seed.or_else(|| children.first().and_then(|child| child.ready.seed));
        let child = ExchangeChild::start(*venue, arguments, seed, cores.rest)?;
        tracing::info!("the simulated exchange on {} plays: {}", child.ready.rest_url, child.ready.market);
        children.push(child);
    }
    let state = StateFolder::make()?;
    let mut traded = Vec::with_capacity(children.len());
    for (child, venue) in children.iter().zip(&venues) {
        let trust = run::addresses::trust(Some(&child.ready.ca_file))?;
        let rest = VenueRest::new(&trust, &child.ready.rest_url, *venue, None, 5_000, Clock::start());
        traded.push(choose(&rest, &child.ready.symbols)?);
    }
    let served: Vec<Served<'_>> = children.iter().map(|child| Served::by(&child.ready)).collect();
    let config = demo_config(&served, &traded, (state.path(), cores.hot), &arguments.set)?;
    if let Some(core) = cores.rest {
        // Threads inherit this; the hot thread then takes its own core.
        let _ = threads::pin(core);
    }
    let seed = children.first().and_then(|child| child.ready.seed);
    let markets = config.markets.iter().zip(&children).map(|(market, child)| market_plan(market, &child.ready));
    let markets = markets.collect::<Result<Vec<_>, _>>()?;
    let seconds = Some(arguments.seconds);
    let plan = Plan {
        mode: RunMode::Demo,
        markets,
        config,
        cores,
        seconds,
        seed,
        log_orders: false,
        take_over: false,
        is_virtual: false,
    };
    let mut broken = None;
    let done = run::run(plan, context, &mut || {
        for child in &mut children {
            if let Some(end) = child.market_end() {
                broken = end.error;
                return Ok(MarketLife::Ended);
            }
            if !child.is_running() {
                return Err(Failure::failed("the simulated exchange is gone").next("its own message is above"));
            }
        }
        Ok(MarketLife::Running)
    });
    drop(children);
    match broken {
        None => done,
        // What was played before is reported all the same.
        Some(why) => done.map(|done| {
            tracing::error!("the recording could not be played to its end: {why}");
            done.with_exit(Exit::Wrong)
        }),
    }
}

/// The same demo in virtual time: the exchanges live in this very thread.
fn virtual_plan(arguments: &DemoArgs, venues: &[ProductLine]) -> Result<(Plan, Vec<VirtualMarket>), Failure> {
    if arguments.speed == Speed::Max {
        return Err(Failure::usage("virtual time is as fast as this machine anyway")
            .at("--speed")
            .next("leave --speed max out"));
    }
    let mut seed = arguments.seed;
    let (mut markets, mut keys, mut traded) = (Vec::new(), Vec::new(), Vec::new());
    for venue in venues {
        let accounts = TestAccounts::fresh(false)?;
        let (product, data, speed) = (*venue, arguments.data.clone(), arguments.speed);
        let choice = MarketChoice { speed, seed, ..MarketChoice::in_process(product, data) };
        let made = settings::make(choice, &accounts, virtual_time::START)?;
        tracing::info!("the simulated exchange in this process plays: {}", made.market);
        seed = seed.or(made.seed);
        let exchange = SharedExchange::new(made.exchange);
        let rest = VenueRest::over(VirtualLine::new(exchange.clone()), product, None, 5_000);
        traded.push(choose(&rest, &made.symbols)?);
        markets.push(VirtualMarket { exchange, paper: None });
        keys.push(accounts.keys().expect("fresh accounts are of both kinds"));
    }
    let served: Vec<Served<'_>> = venues.iter().map(|venue| Served { venue: venue.name(), ready: None }).collect();
    let config = demo_config(&served, &traded, (Path::new("state"), None), &arguments.set)?;
    let plans = config.markets.iter().zip(keys).map(|(market, keys)| MarketPlan {
        config: market.clone(),
        market: Venue::in_process(),
        orders: Venue::in_process(),
        keys: KeySource::Test(keys),
        account: None,
    });
    let plan = Plan {
        mode: RunMode::Demo,
        markets: plans.collect(),
        config,
        cores: Cores { hot: None, io: None, rest: None, io_spins: false },
        seconds: Some(arguments.seconds),
        seed,
        log_orders: false,
        take_over: false,
        is_virtual: true,
    };
    Ok((plan, markets))
}

/// Who serves a market: an exchange of its own process, or one in this thread.
struct Served<'a> {
    venue: &'a str,
    ready: Option<&'a Ready>,
}

impl<'a> Served<'a> {
    fn by(ready: &'a Ready) -> Served<'a> {
        Served { venue: &ready.venue, ready: Some(ready) }
    }
}

/// Whether the overrides fit a demo, before anything is started for it.
fn check_sets(sets: &[String]) -> Result<(), Failure> {
    for set in sets {
        let key = set.split('=').next().unwrap_or_default().trim();
        if key.split('.').next() == Some("market") || OWN_KEYS.contains(&key) {
            return Err(Failure::usage(format!("`{key}` is the demo's own"))
                .at("--set")
                .because("it makes its markets, shares out the cores and keeps its state for itself")
                .next("`spinbook run` with a configuration takes every key"));
        }
    }
    Config::from_text(&ConfigText::sample().plain(), CONFIGURATION, Path::new(""), &[], sets).map(|_| ())
}

/// The venues to trade on: the named one, or each that takes orders.
fn venues_of(arguments: &DemoArgs) -> Result<Vec<ProductLine>, Failure> {
    if arguments.venue != "all" {
        return check_venue(&arguments.venue).map(|venue| vec![venue]);
    }
    if !arguments.data.is_empty() {
        return Err(Failure::usage("a recording is of one venue, not of all")
            .at("--data")
            .next("name its venue with --venue, or leave --data out"));
    }
    Ok(ProductLine::all().filter(|line| line.card().orders.is_some()).collect())
}

fn market_plan(market: &MarketConfig, ready: &Ready) -> Result<MarketPlan, Failure> {
    let keys = ready.keys.clone().ok_or_else(|| Failure::failed("the simulated exchange has no keys to trade with"))?;
    let venue = Venue {
        rest_url: ready.rest_url.clone(),
        stream_url: ready.stream_url.clone(),
        ws_api_url: ready.ws_api_url.clone(),
        ca_file: Some(ready.ca_file.clone()),
    };
    Ok(MarketPlan {
        config: market.clone(),
        market: venue.clone(),
        orders: venue,
        keys: KeySource::Test(keys),
        account: None,
    })
}

/// A directory for the run's state, removed in the end.
struct StateFolder {
    path: std::path::PathBuf,
}

impl StateFolder {
    fn make() -> Result<StateFolder, Failure> {
        let path = std::env::temp_dir().join(format!("spinbook-demo-{}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(|error| {
            Failure::failed("cannot make a directory for the run").at(path.display()).because(error)
        })?;
        Ok(StateFolder { path })
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for StateFolder {
    fn drop(&mut self) {
        // It holds nothing that anybody misses.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// What is traded, and how much of it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Traded {
    symbol: String,
    sizes: Sizes,
}

/// Order size and limits in the instrument's own steps.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sizes {
    order: Decimal,
    order_max: Decimal,
    notional_max: Decimal,
    position_max: Decimal,
}

/// Asks the exchange, as any client would, for the first symbol that has a book; Bitcoin where it is listed.
fn choose<L: VenueLine>(rest: &VenueRest<L>, listed: &[String]) -> Result<Traded, Failure> {
    let list = rest.exchange_info()?;
    let mut symbols: Vec<&str> = listed.iter().map(String::as_str).collect();
    symbols.sort_by_key(|symbol| *symbol != "BTCUSDT");
    let mut refusal = None;
    for symbol in symbols {
        let Ok(found) = rest.find_instruments(&list, &[symbol]) else { continue };
        // Without a snapshot at its start a symbol has no book yet, which the exchange says as a venue would.
        let best = rest.best_prices(symbol).unwrap_or_else(|failure| {
            refusal = Some(failure);
            None
        });
        if let (Some(instrument), Some(best)) = (found.first(), best)
            && let Some(sizes) = sizes(instrument, best)
        {
            if listed.len() > 1 {
                tracing::info!("of {} only {symbol} is traded; the others are played all the same", listed.join(" "));
            }
            return Ok(Traded { symbol: symbol.to_owned(), sizes });
        }
    }
    let answered = refusal.and_then(|failure| failure.why.clone());
    let answered = answered.map_or_else(String::new, |why| format!("; the exchange answered: {why}"));
    Err(Failure::wrong("nothing in this market can be traded")
        .because(format!(
            "no symbol has a book with bids and asks at its start; a recording needs a depth snapshot{answered}"
        ))
        .next("`spinbook verify FILE` says what is in a recording"))
}

/// The smallest round order worth having: some 50 of the quote asset, and well above the venue's smallest notional.
fn sizes(instrument: &Instrument, (bid, ask): (Decimal, Decimal)) -> Option<Sizes> {
    let mid = (bid + ask) / Decimal::TWO;
    let step = instrument.quantity.decimal(instrument.lots_order_step.max(1));
    let notional_min = Decimal::try_from_i128_with_scale(instrument.notional_min.0, 18).ok()?;
    let notional = (notional_min * NOTIONAL_MARGIN).max(NOTIONAL_WANTED);
    let steps = notional.checked_div(mid)?.checked_div(step)?.ceil();
    let order = (steps * step).max(instrument.quantity.decimal(instrument.lots_order_min.0));
    Some(Sizes {
        order: order.normalize(),
        order_max: (order * ORDER_MAX_ORDERS).normalize(),
        notional_max: (order * ORDER_MAX_ORDERS * mid * Decimal::TWO).ceil(),
        position_max: (order * POSITION_MAX_ORDERS).normalize(),
    })
}

/// The sample with the exchanges' addresses. Limits are one for all: the largest of what each market needs.
fn demo_config(
    markets: &[Served<'_>],
    traded: &[Traded],
    (state_dir, hot_core): (&Path, Option<usize>),
    sets: &[String],
) -> Result<Config, Failure> {
    let largest = |pick: fn(&Sizes) -> Decimal| {
        traded.iter().map(|traded| pick(&traded.sizes)).max().unwrap_or_default().to_string()
    };
    let mut values: Vec<(String, String)> = [
        ("engine.state_dir", state_dir.display().to_string()),
        // As near to the mid as the fee and an edge allow: a short demo shall have fills, and none at a loss.
        ("strategy.spread_bps", "0.6".to_owned()),
        ("strategy.order_size_base", largest(|sizes| sizes.order)),
        ("strategy.refresh_tolerance_bps", "0.2".to_owned()),
        ("strategy.inventory_skew_bps", SKEW_BPS.to_owned()),
        ("strategy.edge_min_bps", EDGE_MIN_BPS.to_owned()),
        ("risk.order_quantity_max_base", largest(|sizes| sizes.order_max)),
        ("risk.order_notional_max_quote", largest(|sizes| sizes.notional_max)),
        ("risk.position_max_base", largest(|sizes| sizes.position_max)),
        ("risk.loss_max_quote_per_day", "1000".to_owned()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into();
    for (place, (market, traded)) in markets.iter().zip(traded).enumerate() {
        let mut keys = vec![("venue", market.venue.to_owned()), ("symbols", format!("[{:?}]", traded.symbol))];
        if let Some(ready) = market.ready {
            keys.extend([
                ("rest_url", ready.rest_url.clone()),
                ("stream_url", ready.stream_url.clone()),
                ("ws_api_url", ready.ws_api_url.clone()),
                ("ca_file", ready.ca_file.display().to_string()),
            ]);
        }
        values.extend(keys.into_iter().map(|(key, value)| (format!("market.{place}.{key}"), value)));
    }
    values.extend(hot_core.map(|core| ("engine.hot_core".to_owned(), core.to_string())));
    let mut text = ConfigText::sample();
    for (key, value) in values {
        text.set(&key, &value).map_err(|why| Failure::failed("the demo cannot be configured").because(why))?;
    }
    Config::from_text(&text.plain(), CONFIGURATION, Path::new(""), &[], sets)
}

#[cfg(test)]
mod tests;
