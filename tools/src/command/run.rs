//! COLD: `spinbook run`: paper, shadow or live, with a configuration.

use std::time::Duration;

use spinbook_engine::types::Nanos;
use spinbook_feed::net::host::threads;

use crate::cli::{Mode, RunArgs, Switch};
use crate::config::tables::MarketConfig;
use crate::config::{Config, credentials};
use crate::error::Failure;
use crate::exchange::accounts::TestAccounts;
use crate::exchange::paper::PaperVenue;
use crate::exchange::settings::{self, MarketChoice};
use crate::limits;
use crate::outcome::{Context, Done};
use crate::run;
use crate::run::engine_settings;
use crate::run::keys::KeySource;
use crate::run::market::instruments;
use crate::run::plan::{MarketLife, MarketPlan, Plan, RunMode, Venue};
use crate::run::preflight::{self, venue_of};
use crate::run::topology::Cores;
use crate::run::venue_rest::VenueRest;
use crate::run::virtual_time::{self, SharedExchange, VirtualLine, VirtualMarket};

/// Runs `spinbook run`.
///
/// # Errors
/// Wrong configuration, a venue that cannot be reached, or a run that fails.
pub fn run(arguments: &RunArgs, context: Context) -> Result<Done, Failure> {
    let config = Config::load(&arguments.config, &arguments.set)?;
    #[cfg(debug_assertions)]
    if arguments.panic_on_user_signal {
        run::panics::provoked::on_user_signal()
            .map_err(|error| Failure::failed("cannot take over SIGUSR2").because(error))?;
    }
    #[cfg(debug_assertions)]
    if let Some(bytes) = arguments.journal_part_bytes {
        run::journals::provoked::take_parts_of(bytes);
    }
    #[cfg(debug_assertions)]
    if let Some(thread) = &arguments.hang_on_user_signal {
        run::panics::provoked::hang_on_user_signal(thread);
    }
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    if !arguments.data.is_empty() {
        let (plan, markets) = recorded_plan(arguments, config)?;
        return virtual_time::run(plan, markets);
    }
    if matches!(arguments.mode, Mode::Live | Mode::Shadow) {
        credentials::keep_private();
    }
    let accounts = accounts(arguments, &config)?;
    limits::check_trading(config.markets.len())?;
    let available = threads::cores();
    let cores = Cores::share(&available, config.engine.hot_core, config.engine.io_core, threads::can_pin);
    let mode = match arguments.mode {
        Mode::Live => RunMode::Live,
        Mode::Shadow => RunMode::Shadow,
        Mode::Paper => RunMode::Paper,
    };
    preflight::check(&config, mode)?;
    let mut markets = Vec::with_capacity(config.markets.len());
    let mut paper = Vec::new();
    let latency = paper_latency(&config);
    for (market, account) in config.markets.iter().zip(accounts) {
        let venue = venue_of(market);
        tracing::info!("{} trading on {} by {}", mode.name(), market.venue.name(), venue.stream_url);
        let (orders, keys) = match mode {
            RunMode::Paper => {
                let within = Duration::from_secs(config.engine.start_retry_seconds.into());
                let rig = run::retry::ask(within, || PaperVenue::start(market, &venue, latency, cores.rest))?;
                let found = (rig.orders.clone(), KeySource::Test(rig.keys.clone()));
                paper.push(rig);
                found
            }
            _ => (venue.clone(), keys_of(market)?),
        };
        markets.push(MarketPlan { config: market.clone(), market: venue, orders, keys, account });
    }
    if let Some(core) = cores.rest {
        // Threads inherit this; the hot thread then takes its own core.
        let _ = threads::pin(core);
    }
    let log_orders = arguments.log_orders == Switch::On;
    let seconds = arguments.seconds;
    let take_over = arguments.take_over;
    let plan = Plan { mode, config, markets, cores, seconds, seed: None, log_orders, take_over, is_virtual: false };
    run::run(plan, context, &mut || match paper.iter().all(PaperVenue::is_running) {
        true => Ok(MarketLife::Running),
        false => Err(Failure::failed("the paper exchange is gone").next("its own message is above")),
    })
}

/// Paper trading on a recording, in virtual time: one exchange plays it, another one takes the orders.
fn recorded_plan(arguments: &RunArgs, config: Config) -> Result<(Plan, Vec<VirtualMarket>), Failure> {
    if arguments.mode != Mode::Paper {
        return Err(Failure::usage("only paper trading runs on a recording").at("--data").next("use --mode paper"));
    }
    let [market] = &config.markets[..] else {
        return Err(Failure::usage("a recording is of one venue").at("--data").next("leave one [[market]]"));
    };
    let (product, latency) = (market.venue, paper_latency(&config));
    let accounts = TestAccounts::fresh(false)?;
    let choice = MarketChoice::in_process(product, arguments.data.clone());
    let made = settings::make(choice, &accounts, virtual_time::START)?;
    tracing::info!("paper trading on {} in virtual time, {}", product.name(), made.market);
    let exchange = SharedExchange::new(made.exchange);
    let rest = VenueRest::over(VirtualLine::new(exchange.clone()), product, None, 5_000);
    let instruments = instruments(&rest, &rest.exchange_info()?, market)?;
    let fees = engine_settings::fees(market)?;
    let orders = settings::make_paper(product, &instruments, fees, &accounts, virtual_time::START)?;
    let markets = vec![VirtualMarket { exchange, paper: Some((SharedExchange::new(orders), latency)) }];
    let plans = vec![MarketPlan {
        config: market.clone(),
        market: Venue::in_process(),
        orders: Venue::in_process(),
        keys: KeySource::Test(accounts.keys().expect("fresh accounts are of both kinds")),
        account: None,
    }];
    let plan = Plan {
        mode: RunMode::Paper,
        config,
        markets: plans,
        cores: Cores { hot: None, io: None, rest: None, io_spins: false },
        seconds: arguments.seconds,
        seed: None,
        log_orders: false,
        take_over: false,
        is_virtual: true,
    };
    Ok((plan, markets))
}

/// How long paper orders are on their way before they meet the market.
fn paper_latency(config: &Config) -> Nanos {
    Nanos(i64::from(config.paper.latency_us) * 1_000)
}

/// The account of each market, as named on the command line: one id where there is one market, else `VENUE=ID` for each.
fn accounts(arguments: &RunArgs, config: &Config) -> Result<Vec<Option<String>>, Failure> {
    let names: Vec<&str> = config.markets.iter().map(|market| market.venue.name()).collect();
    let each = || names.iter().map(|name| format!("{name}=ID")).collect::<Vec<_>>().join(",");
    let Some(given) = &arguments.account else {
        if arguments.mode != Mode::Live {
            return Ok(vec![None; names.len()]);
        }
        let form = if names.len() == 1 { "ID".to_owned() } else { each() };
        return Err(Failure::usage("live trading needs --account")
            .at("--account")
            .because("it must equal the account that the venue answers, so that no other one is traded")
            .next(format!("--account {form}; a wrong one is answered with the right one")));
    };
    if let [only] = names[..] {
        let named = given.strip_prefix(only).and_then(|rest| rest.strip_prefix('='));
        return Ok(vec![Some(named.unwrap_or(given).to_owned())]);
    }
    let refuse = |why: String| {
        Failure::usage("--account does not name one account for each market")
            .at("--account")
            .because(why)
            .next(format!("--account {}", each()))
    };
    let mut accounts: Vec<Option<String>> = vec![None; names.len()];
    for part in given.split(',') {
        let (name, id) = part.split_once('=').ok_or_else(|| refuse(format!("`{part}` names no venue")))?;
        let place = names.iter().position(|known| *known == name.trim());
        let place = place.ok_or_else(|| refuse(format!("there is no [[market]] of `{}`", name.trim())))?;
        if accounts[place].replace(id.trim().to_owned()).is_some() {
            return Err(refuse(format!("`{}` is named twice", name.trim())));
        }
    }
    match accounts.iter().position(Option::is_none) {
        None => Ok(accounts),
        Some(_) if arguments.mode != Mode::Live => Ok(accounts),
        Some(missing) => Err(refuse(format!("none is named for {}", names[missing]))),
    }
}

/// Looks at the credentials once before anything starts, and says what is worth a word.
fn keys_of(market: &MarketConfig) -> Result<KeySource, Failure> {
    let found = credentials::load(market, &|name| std::env::var(name).ok())?;
    for warning in &found.warnings {
        tracing::warn!("{warning}");
    }
    tracing::info!("credentials from {}", found.source);
    Ok(KeySource::Configured)
}
