//! COLD: what one key cannot say: the relations between keys, and what is allowed but worth a word.

use std::fmt::Display;

use rust_decimal::Decimal;
use spinbook_engine::intent::TimeInForce;
use spinbook_engine::limits::{INSTRUMENTS_MAX, VENUES_MAX};
use spinbook_feed::net::connection::resolve::Endpoint;
use spinbook_feed::net::host::threads;
use spinbook_feed::venue::ProductLine;
use spinbook_feed::venue::card::Environment;

use super::forms;
use super::read::{Problems, Section};
use super::strategies::{SpreadConfig, StrategyConfig};
use super::tables::{EngineConfig, MarketConfig, RiskConfig};
use super::tree::{Node, TomlValue};

/// One core for two threads that spin.
pub fn cores(section: &Section<'_>, engine: &EngineConfig, problems: &mut Problems) {
    if engine.hot_core.is_some() && engine.hot_core == engine.io_core {
        section.refuse("io_core", problems, "is the hot thread's own core");
    }
}

/// The symbols of one market: their form, and that no market of the same venue names one twice.
pub fn symbols(
    section: &Section<'_>,
    market: &MarketConfig,
    taken: &mut Vec<(ProductLine, String)>,
    problems: &mut Problems,
) {
    let items: &[Node] = match section.node("symbols").map(|node| &node.value) {
        Some(TomlValue::Array(items)) => items,
        _ => &[],
    };
    for (symbol, item) in market.symbols.iter().zip(items) {
        let venue = market.venue;
        if let Err(why) = forms::symbol(symbol, venue) {
            problems.add(&item.origin, format!("symbol \"{symbol}\": {why}"));
        }
        if taken.iter().any(|(other_venue, other)| *other_venue == venue && other == symbol) {
            problems.add(&item.origin, format!("symbol \"{symbol}\" of {} is named twice", venue.name()));
        }
        taken.push((venue, symbol.clone()));
    }
}

/// The channel and the snapshot of a market: what its venue serves.
pub fn channels(section: &Section<'_>, market: &MarketConfig, problems: &mut Problems) {
    let (card, name) = (market.venue.card(), market.venue.name());
    if let Some(depth) = &market.depth_stream
        && !card.depth_channels.contains(&depth.as_str())
    {
        let why = format!("{name} has no such stream, expected one of {}", card.depth_channels.join(", "));
        section.refuse("depth_stream", problems, &why);
    }
    let allowed = card.snapshot_levels_allowed;
    if let Some(limit) = market.snapshot_limit
        && !allowed.is_empty()
        && !allowed.iter().any(|allowed| u32::from(*allowed) == limit)
    {
        let numbers: Vec<String> = allowed.iter().map(ToString::to_string).collect();
        section.refuse("snapshot_limit", problems, &format!("{name} accepts only {}", numbers.join(", ")));
    }
}

/// The hosts of a market are all of one world, and of the one that it names.
pub fn environment(section: &Section<'_>, market: &MarketConfig, problems: &mut Problems) {
    let hosts =
        [("rest_url", &market.rest_url), ("stream_url", &market.stream_url), ("ws_api_url", &market.ws_api_url)];
    let (name, wanted) = (market.venue.name(), market.environment);
    let mut found: Vec<(&str, Environment)> = Vec::new();
    for (key, url) in hosts {
        let Some(endpoint) = url.as_ref().and_then(|url| Endpoint::parse(url).ok()) else { continue };
        let of = market.venue.card().environment_of(&endpoint.host);
        found.push((key, of));
        match wanted {
            Some(wanted) if wanted != of => {
                let whose = if of == Environment::Simulated {
                    "no host of the venue".to_owned()
                } else {
                    format!("a {} host of {name}", of.name())
                };
                section.refuse(key, problems, &format!("is {whose}, and environment = \"{}\"", wanted.name()));
            }
            _ => {}
        }
    }
    // What is not named is the venue's own; where an environment is named, a run sees to it.
    if wanted.is_none() {
        let is_tested = found.iter().any(|(_, of)| *of == Environment::Testnet);
        let other = found.iter().find(|(_, of)| *of == Environment::Production).map(|(key, _)| *key);
        let other = other.or((found.len() < hosts.len()).then_some("what is not named"));
        if let (true, Some(other)) = (is_tested, other) {
            let (key, _) = found.iter().find(|(_, of)| *of == Environment::Testnet).expect("just seen");
            let why = format!("is a testnet host of {name}, while {other} is the venue itself: name one environment");
            section.refuse(key, problems, &why);
        }
    }
}

/// One market a venue, and no more instruments in all than an engine holds.
pub fn markets(items: &[Node], markets: &[MarketConfig], problems: &mut Problems) {
    for (place, (item, market)) in items.iter().zip(markets).enumerate() {
        if markets[..place].iter().any(|other| other.venue == market.venue) {
            let venue = market.venue.name();
            problems.add(&item.origin, format!("{venue} has a [[market]] already: name all of its symbols there"));
        }
    }
    for (item, market) in items.iter().zip(markets) {
        let Some(reference) = market.reference.as_deref().filter(|name| *name != forms::LAST_TRADE) else { continue };
        let own = market.venue.name();
        let why = match markets.iter().any(|other| other.venue.name() == reference) {
            _ if reference == own => "is the market's own venue",
            true => continue,
            false => "there is no [[market]] of that venue",
        };
        problems.add(&item.origin, format!("`market.reference` = \"{reference}\" of {own}: {why}"));
    }
    let count: usize = markets.iter().map(|market| market.symbols.len()).sum();
    if count > INSTRUMENTS_MAX
        && let Some(last) = items.last()
    {
        problems.add(&last.origin, format!("{count} symbols in all: an engine takes at most {INSTRUMENTS_MAX}"));
    }
    if markets.len() > VENUES_MAX
        && let Some(last) = items.last()
    {
        problems.add(&last.origin, format!("{} markets: an engine takes at most {VENUES_MAX}", markets.len()));
    }
}

/// Relations between a strategy and the limits.
pub fn cross(strategy: (&Section<'_>, &StrategyConfig), risk: (&Section<'_>, &RiskConfig), problems: &mut Problems) {
    match strategy.1 {
        StrategyConfig::Spread(spread) => cross_spread((strategy.0, spread), risk, problems),
    }
}

fn cross_spread(
    (strategy_section, strategy): (&Section<'_>, &SpreadConfig),
    (risk_section, risk): (&Section<'_>, &RiskConfig),
    problems: &mut Problems,
) {
    let mut refuse = |section: &Section<'_>, key: &str, value: &dyn Display, why: String| {
        problems.add(&section.origin(key), format!("`{}` = {value}: {why}", section.path(key)));
    };
    let useless = "every order would be refused";
    let (size, quantity_max, position_max) =
        (strategy.order_size_base, risk.order_quantity_max_base, risk.position_max_base);
    if size > quantity_max {
        let why = format!("is above risk.order_quantity_max_base = {quantity_max}: {useless}");
        refuse(strategy_section, "order_size_base", &size, why);
    }
    if size > position_max {
        let why = format!("is above risk.position_max_base = {position_max}: {useless}");
        refuse(strategy_section, "order_size_base", &size, why);
    }
    if quantity_max > position_max * Decimal::TWO {
        let why = format!("is above twice risk.position_max_base = {position_max}: no such order could pass");
        refuse(risk_section, "order_quantity_max_base", &quantity_max, why);
    }
    if let Some(net_max) = risk.exposure_net_max_base.filter(|net_max| size > *net_max) {
        let why = format!("is above risk.exposure_net_max_base = {net_max}: {useless}");
        refuse(strategy_section, "order_size_base", &size, why);
    }
    let day_max = risk.loss_max_quote_per_day;
    if let Some(hour_max) = risk.loss_max_quote_per_hour.filter(|hour_max| *hour_max > day_max) {
        let why = format!("is above risk.loss_max_quote_per_day = {day_max}: it could never be the one that stops");
        refuse(risk_section, "loss_max_quote_per_hour", &hour_max, why);
    }
    let orders_needed = 2 * strategy.levels;
    if usize::try_from(risk.open_orders_max).unwrap_or(usize::MAX) < orders_needed {
        let levels = strategy.levels;
        let why = format!("is below the {orders_needed} quotes of strategy.levels = {levels} on both sides");
        refuse(risk_section, "open_orders_max", &risk.open_orders_max, why);
    }
    let (spread, half) = (strategy.spread_bps, strategy.spread_bps / Decimal::TWO);
    if half > risk.price_collar_bps {
        let why = format!("is below half of strategy.spread_bps = {spread}: {useless}");
        refuse(risk_section, "price_collar_bps", &risk.price_collar_bps, why);
    }
    if strategy.refresh_tolerance_bps >= half {
        let why = format!("must be below half of strategy.spread_bps = {spread}: a quote could stay at the mid");
        refuse(strategy_section, "refresh_tolerance_bps", &strategy.refresh_tolerance_bps, why);
    }
}

/// What a strategy may be told but seldom is meant, and a limit that limits nothing.
fn doubtful(strategy: &StrategyConfig, risk: &RiskConfig) -> Vec<String> {
    let StrategyConfig::Spread(spread) = strategy;
    let mut warnings = Vec::new();
    if spread.edge_min_bps.is_sign_negative() && !spread.edge_min_bps.is_zero() {
        warnings
            .push(format!("strategy.edge_min_bps = {}: quotes at a loss after fees are allowed", spread.edge_min_bps));
    }
    if spread.time_in_force == TimeInForce::ImmediateOrCancel {
        warnings
            .push("strategy.time_in_force = \"ioc\": no quote ever rests, and each fill pays the taker fee".to_owned());
    }
    // The highest price at which the largest order is still within its limit by value.
    let position_worth = risk
        .order_notional_max_quote
        .checked_div(risk.order_quantity_max_base)
        .and_then(|price| price.checked_mul(risk.position_max_base));
    if let Some(worth) = position_worth.filter(|worth| risk.loss_max_quote_per_day > *worth) {
        warnings.push(format!(
            "risk.loss_max_quote_per_day = {}: is more than a whole position is worth by the other limits, {}: it may \
             never stop anything",
            risk.loss_max_quote_per_day,
            worth.normalize()
        ));
    }
    warnings
}

/// What is allowed but worth a word.
#[must_use]
pub fn warnings(
    engine: &EngineConfig,
    markets: &[MarketConfig],
    strategy: &StrategyConfig,
    risk: &RiskConfig,
) -> Vec<String> {
    let mut warnings = doubtful(strategy, risk);
    match engine.hot_core {
        None => warnings.push(
            "engine.hot_core is not set: the hot thread runs unpinned and latency will vary; see `spinbook doctor`"
                .to_owned(),
        ),
        Some(core) => {
            for (key, core) in [("hot_core", Some(core)), ("io_core", engine.io_core)] {
                if let Some(core) = core.filter(|core| !threads::can_pin(*core)) {
                    warnings.push(format!(
                        "engine.{key} = {core}: this process may not run there; it has the cores {:?}",
                        threads::cores()
                    ));
                }
            }
        }
    }
    for market in markets {
        let venue = market.venue.name();
        if market.ca_file.is_some() && market.rest_url.is_none() && market.stream_url.is_none() {
            warnings.push(format!(
                "{venue}: ca_file is set but no rest_url or stream_url: the public venue will not verify"
            ));
        }
        if market.rest_url.is_some() != market.stream_url.is_some() {
            warnings.push(format!(
                "{venue}: only one of rest_url and stream_url is set: snapshots and streams differ in origin"
            ));
        }
    }
    warnings
}
