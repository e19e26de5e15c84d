//! COLD: what a run refuses before it asks a venue: `run` and `config check` both come here, so they cannot disagree.

use spinbook_feed::net::connection::resolve::Endpoint;
use spinbook_feed::net::host::threads;
use spinbook_feed::venue::card::Environment;

use super::addresses::trust;
use super::plan::{RunMode, Venue};
use super::state_dir;
use crate::config::tables::{EngineConfig, MarketConfig};
use crate::config::{Config, credentials};
use crate::error::Failure;

/// The configured addresses, else the venue's own.
#[must_use]
pub fn venue_of(market: &MarketConfig) -> Venue {
    let card = market.venue.card();
    let testnet = card.testnet.filter(|_| market.environment == Some(Environment::Testnet));
    let orders_url = card.orders.map_or("", |orders| orders.url);
    let or = |configured: &Option<String>, own: &str| configured.clone().unwrap_or_else(|| own.to_owned());
    Venue {
        rest_url: or(&market.rest_url, testnet.map_or(card.rest_url, |urls| urls.rest_url)),
        stream_url: or(&market.stream_url, testnet.map_or(card.stream_url, |urls| urls.stream_url)),
        ws_api_url: or(&market.ws_api_url, testnet.map_or(orders_url, |urls| urls.orders_url)),
        ca_file: market.ca_file.clone(),
    }
}

/// Whether a run in this mode could start as far as this machine knows: state directory, cores, files,
/// addresses, keys.
///
/// # Errors
/// Everything that is refused, at once.
pub fn check(config: &Config, mode: RunMode) -> Result<(), Failure> {
    let mut refused = Vec::new();
    refused.extend(state_dir::usable(&config.engine.state_dir).err());
    refused.extend(cores(&config.engine).err());
    for market in &config.markets {
        refused.extend(trust(market.ca_file.as_ref()).err());
        refused.extend(addresses(market, &venue_of(market), mode == RunMode::Live).err());
        if matches!(mode, RunMode::Shadow | RunMode::Live) {
            refused.extend(keys(market).err());
        }
    }
    all(refused)
}

/// Whether the credentials that a configuration names can be used, in whatever mode.
///
/// # Errors
/// A file that is named and cannot be used; every such file at once.
pub fn named_credentials(config: &Config) -> Result<(), Failure> {
    let named = config.markets.iter().filter(|market| market.credentials.is_some());
    all(named.filter_map(|market| keys(market).err()).collect())
}

/// Looks at the credentials without keeping them.
fn keys(market: &MarketConfig) -> Result<(), Failure> {
    credentials::load(market, &|name| std::env::var(name).ok()).map(|_| ())
}

/// One failure for all of them.
fn all(mut refused: Vec<Failure>) -> Result<(), Failure> {
    if refused.len() < 2 {
        return refused.pop().map_or(Ok(()), Err);
    }
    let one_line = |failure: &Failure| {
        let parts = [failure.place.as_ref(), Some(&failure.what), failure.why.as_ref(), failure.next.as_ref()];
        parts.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(": ")
    };
    let mut failure = Failure::usage(format!("{} things that a run would refuse", refused.len()));
    failure.problems = refused.iter().map(one_line).collect();
    Err(failure)
}

/// The addresses can be read. Live orders go to this machine, or to the world that the configuration names; that its
/// hosts are all of that one is what its check sees to.
fn addresses(market: &MarketConfig, venue: &Venue, live: bool) -> Result<(), Failure> {
    for (key, url) in [
        ("market.rest_url", &venue.rest_url),
        ("market.stream_url", &venue.stream_url),
        ("market.ws_api_url", &venue.ws_api_url),
    ] {
        if url.is_empty() {
            continue;
        }
        let endpoint =
            Endpoint::parse(url).map_err(|error| Failure::usage("a URL cannot be used").at(key).because(error))?;
        let environment = market.venue.card().environment_of(&endpoint.host);
        let (place, name) = (format!("{key} = {url}"), environment.name());
        if let Some(wanted) = market.environment.filter(|wanted| *wanted != environment) {
            let wanted = wanted.name();
            return Err(Failure::usage(format!("market.environment = \"{wanted}\", and this host is of another one"))
                .at(place)
                .because(format!("{} is {name}", endpoint.host))
                .next("name all three addresses of that environment, or another environment"));
        }
        if !live || endpoint.is_loopback() {
            continue;
        }
        if market.environment != Some(environment) {
            let whose = match environment {
                Environment::Production => "that is the venue itself, with money",
                Environment::Testnet => "that is the venue's place for tests",
                Environment::Simulated => "that is another machine, and no host of the venue",
            };
            return Err(Failure::usage(format!("live orders to {} need environment = \"{name}\"", endpoint.host))
                .at(place)
                .because(whose)
                .next(format!(
                    "if it is meant: environment = \"{name}\" in its [[market]]; else --mode paper, or the URLs of \
                     `spinbook exchange`"
                )));
        }
        if environment == Environment::Simulated && venue.ca_file.is_none() {
            return Err(Failure::usage("a simulated exchange on another machine is known by its own authority alone")
                .at(place)
                .because("without market.ca_file any host with a public certificate would be taken for it")
                .next("market.ca_file: `spinbook exchange` prints where its own lies"));
        }
    }
    Ok(())
}

/// A core that was named is used or refused: who named it counts on it.
fn cores(engine: &EngineConfig) -> Result<(), Failure> {
    let available = threads::cores();
    for (key, core) in [("engine.hot_core", engine.hot_core), ("engine.io_core", engine.io_core)] {
        if let Some(core) = core.filter(|core| !available.contains(core) && !threads::can_pin(*core)) {
            let known = available.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            return Err(Failure::usage(format!("no thread can be tied to core {core}"))
                .at(format!("{key} = {core}"))
                .because(format!("this program may run on the cores {known}"))
                .next(format!("name one of them, or leave {key} out; `spinbook doctor` says which core is quiet")));
        }
    }
    Ok(())
}
