//! COLD: `spinbook run`: paper, shadow or live, with a configuration.

use spinbook_feed::net::connection::resolve::Endpoint;
use spinbook_feed::net::host::threads;
use spinbook_feed::venue::ProductLine;

use crate::cli::{Mode, RunArgs};
use crate::config::tables::MarketConfig;
use crate::config::{Config, credentials};
use crate::error::Failure;
use crate::exchange::paper::PaperVenue;
use crate::outcome::{Context, Done};
use crate::run;
use crate::run::keys::KeySource;
use crate::run::plan::{MarketCheck, MarketLife, Plan, RunMode, Venue};
use crate::run::topology::Cores;

/// Runs `spinbook run`.
///
/// # Errors
/// Wrong configuration, a venue that cannot be reached, or a run that fails.
pub fn run(arguments: &RunArgs, context: Context) -> Result<Done, Failure> {
    let config = Config::load(&arguments.config, &arguments.set)?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let [market] = config.markets.as_slice() else {
        return Err(Failure::usage("this build trades one market at a time")
            .at(&config.file)
            .next("keep one [[market]]; it may name several symbols"));
    };
    let product = market.venue;
    let venue = venue_of(market, product);
    tracing::info!("{} trading on {} by {}", arguments.mode.name(), product.name(), venue.stream_url);
    let available = threads::cores();
    let cores = Cores::share(&available, config.engine.hot_core, config.engine.io_core, threads::can_pin);
    match arguments.mode {
        Mode::Live => {
            loopback_only(&venue)?;
            if arguments.account.is_none() {
                return Err(Failure::usage("live trading needs --account")
                    .at("--account")
                    .because("it must equal the account that the venue answers, so that no other one is traded")
                    .next("--account ID; a wrong one is answered with the right one"));
            }
            let keys = keys_of(market)?;
            let plan = plan(RunMode::Live, &config, product, &venue, &venue, keys, arguments, cores);
            finish(plan, context, &mut || Ok(MarketLife::Running))
        }
        Mode::Shadow => {
            let keys = keys_of(market)?;
            let plan = plan(RunMode::Shadow, &config, product, &venue, &venue, keys, arguments, cores);
            finish(plan, context, &mut || Ok(MarketLife::Running))
        }
        Mode::Paper => {
            let rig = PaperVenue::start(market, product, &venue, cores.rest)?;
            let keys = KeySource::Test(rig.keys.clone());
            let plan = plan(RunMode::Paper, &config, product, &venue, &rig.orders, keys, arguments, cores);
            finish(plan, context, &mut || match rig.is_running() {
                true => Ok(MarketLife::Running),
                false => Err(Failure::failed("the paper exchange is gone").next("its own message is above")),
            })
        }
    }
}

fn finish(plan: Plan, context: Context, market: MarketCheck<'_>) -> Result<Done, Failure> {
    if let Some(core) = plan.cores.rest {
        // Threads inherit this; the hot thread then takes its own core.
        let _ = threads::pin(core);
    }
    run::run(plan, context, market)
}

#[allow(clippy::too_many_arguments)]
fn plan(
    mode: RunMode,
    config: &Config,
    product: ProductLine,
    market: &Venue,
    orders: &Venue,
    keys: KeySource,
    arguments: &RunArgs,
    cores: Cores,
) -> Plan {
    Plan {
        mode,
        config: config.clone(),
        product,
        market: market.clone(),
        orders: orders.clone(),
        keys,
        account: arguments.account.clone(),
        cores,
        seconds: arguments.seconds,
        seed: None,
    }
}

/// The configured addresses, else the venue's own.
fn venue_of(market: &MarketConfig, product: ProductLine) -> Venue {
    let card = product.card();
    let or = |configured: &Option<String>, own: &str| configured.clone().unwrap_or_else(|| own.to_owned());
    Venue {
        rest_url: or(&market.rest_url, card.rest_url),
        stream_url: or(&market.stream_url, card.stream_url),
        ws_api_url: or(&market.ws_api_url, card.orders.map_or("", |orders| orders.url)),
        ca_file: market.ca_file.clone(),
    }
}

/// Live orders go to this machine alone until order recovery is built.
fn loopback_only(venue: &Venue) -> Result<(), Failure> {
    for (key, url) in [
        ("market.rest_url", &venue.rest_url),
        ("market.stream_url", &venue.stream_url),
        ("market.ws_api_url", &venue.ws_api_url),
    ] {
        let endpoint =
            Endpoint::parse(url).map_err(|error| Failure::usage("a URL cannot be used").at(key).because(error))?;
        if !endpoint.is_loopback() {
            return Err(Failure::usage("this build sends live orders to exchanges on this machine only")
                .at(format!("{key} = {url}"))
                .because("recovery of orders with unknown outcome after a restart is not built yet")
                .next("use --mode paper or --mode shadow, or point the URLs at `spinbook exchange`"));
        }
    }
    Ok(())
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
