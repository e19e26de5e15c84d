//! COLD: what one key's type cannot say: form of symbols and URLs, relations between keys, warnings.

use std::fmt::Display;

use rust_decimal::Decimal;
use spinbook_feed::net::host::threads;
use spinbook_feed::venue::ProductLine;

use super::read::{Problems, Section};
use super::tree::{Origin, Value};
use super::{Config, RiskConfig, StrategyConfig};

/// The most bytes of a symbol.
const SYMBOL_BYTES_MAX: usize = 32;

/// Checks one symbol's form, and that no other entry of the same venue names it.
pub fn symbol(symbol: &str, venue: &str, origin: &Origin, taken: &mut Vec<(String, String)>, problems: &mut Problems) {
    if symbol.is_empty() || symbol.len() > SYMBOL_BYTES_MAX {
        problems.add(origin, format!("symbol \"{symbol}\": expected 1 to {SYMBOL_BYTES_MAX} bytes"));
    } else if symbol.chars().any(|letter| letter.is_whitespace() || letter.is_control()) {
        problems.add(origin, format!("symbol \"{symbol}\": holds whitespace"));
    } else if let Some(line) = ProductLine::from_name(venue) {
        form(symbol, line, origin, problems);
    }
    if taken.iter().any(|(other_venue, other)| other_venue == venue && other == symbol) {
        problems.add(origin, format!("symbol \"{symbol}\" of {venue} is named twice"));
    }
    taken.push((venue.to_owned(), symbol.to_owned()));
}

/// Checks that a symbol is written as its venue writes them.
fn form(symbol: &str, line: ProductLine, origin: &Origin, problems: &mut Problems) {
    let (title, form) = (line.card().title, line.card().symbols);
    let separated = |letter: char| !letter.is_alphanumeric() && !form.separators.contains(&letter);
    if symbol.chars().any(separated) {
        let others: String = form.separators.iter().map(|separator| format!(" other than `{separator}`")).collect();
        let example = form.example;
        let text = format!("symbol \"{symbol}\": {title} writes symbols without separators{others}, such as {example}");
        problems.add(origin, text);
        return;
    }
    let (case, mended) =
        if form.upper_case { ("upper", symbol.to_ascii_uppercase()) } else { ("lower", symbol.to_ascii_lowercase()) };
    if mended != symbol {
        let text = format!("symbol \"{symbol}\": {title} writes symbols in {case} case, did you mean `{mended}`?");
        problems.add(origin, text);
    }
}

/// A base URL: the scheme given (always encrypted), a host, perhaps a port and a path; nothing else.
pub fn url(section: &Section<'_>, key: &str, scheme: &str, problems: &mut Problems) -> Option<String> {
    let text = section.text(key, problems)?;
    let why = match text.strip_prefix(scheme) {
        None => Some(format!("expected {scheme}HOST[:PORT]; unencrypted connections are never made")),
        Some(rest) => {
            let authority = rest.split('/').next().unwrap_or_default();
            let port_is_wrong = authority
                .rsplit_once(':')
                .is_some_and(|(_, port)| !port.ends_with(']') && port.parse::<u16>().map_or(true, |port| port == 0));
            if authority.is_empty() || authority.starts_with(':') {
                Some("has no host".to_owned())
            } else if authority.contains('@') {
                Some("holds a user name or password; credentials come from a 0600 file".to_owned())
            } else if text.contains(['?', '#']) || text.chars().any(char::is_whitespace) {
                Some("expected no query, fragment or whitespace".to_owned())
            } else if port_is_wrong {
                Some("the port is not a number from 1 to 65535".to_owned())
            } else {
                None
            }
        }
    };
    match why {
        Some(why) => {
            section.refuse(key, problems, &why);
            None
        }
        None => Some(text.trim_end_matches('/').to_owned()),
    }
}

/// The depth stream's name: `depth`, perhaps with an interval.
pub fn depth_stream(section: &Section<'_>, problems: &mut Problems) -> Option<String> {
    let text = section.text("depth_stream", problems)?;
    let interval_ms = match text.strip_prefix("depth") {
        Some("") => Some(0),
        Some(rest) => {
            rest.strip_prefix('@').and_then(|rest| rest.strip_suffix("ms")).and_then(|ms| ms.parse::<u32>().ok())
        }
        None => None,
    };
    if interval_ms.is_some_and(|interval_ms| interval_ms <= 1_000) {
        return Some(text);
    }
    section.refuse("depth_stream", problems, "expected depth, depth@100ms or the like");
    None
}

/// Relations between keys of different tables.
pub fn cross(top: &Section<'_>, strategy: &StrategyConfig, risk: &RiskConfig, problems: &mut Problems) {
    let mut refuse = |table: &str, key: &str, value: &dyn Display, why: String| {
        problems.add(&place(top, table, key), format!("`{table}.{key}` = {value}: {why}"));
    };
    let useless = "every order would be refused";
    let (size, quantity_max, position_max) =
        (strategy.order_size_base, risk.order_quantity_max_base, risk.position_max_base);
    if size > quantity_max {
        let why = format!("is above risk.order_quantity_max_base = {quantity_max}: {useless}");
        refuse("strategy", "order_size_base", &size, why);
    }
    if size > position_max {
        let why = format!("is above risk.position_max_base = {position_max}: {useless}");
        refuse("strategy", "order_size_base", &size, why);
    }
    if quantity_max > position_max * Decimal::TWO {
        let why = format!("is above twice risk.position_max_base = {position_max}: no such order could pass");
        refuse("risk", "order_quantity_max_base", &quantity_max, why);
    }
    let orders_needed = 2 * strategy.levels;
    if usize::try_from(risk.open_orders_max).unwrap_or(usize::MAX) < orders_needed {
        let levels = strategy.levels;
        let why = format!("is below the {orders_needed} quotes of strategy.levels = {levels} on both sides");
        refuse("risk", "open_orders_max", &risk.open_orders_max, why);
    }
    let (spread, half) = (strategy.spread_bps, strategy.spread_bps / Decimal::TWO);
    if half > risk.price_collar_bps {
        let why = format!("is below half of strategy.spread_bps = {spread}: {useless}");
        refuse("risk", "price_collar_bps", &risk.price_collar_bps, why);
    }
    if strategy.refresh_tolerance_bps >= half {
        let why = format!("must be below half of strategy.spread_bps = {spread}: a quote could stay at the mid");
        refuse("strategy", "refresh_tolerance_bps", &strategy.refresh_tolerance_bps, why);
    }
}

/// Where a key of a table stands, or else the table.
fn place(top: &Section<'_>, table: &str, key: &str) -> Origin {
    let node = top.node(table);
    let entry = node.and_then(|node| match &node.value {
        Value::Table(entries) => entries.iter().find(|(name, _)| name == key).map(|(_, node)| node.origin.clone()),
        _ => None,
    });
    entry.or_else(|| node.map(|node| node.origin.clone())).unwrap_or(Origin::Line(1))
}

/// What is allowed but worth a word.
pub fn warn(config: &mut Config) {
    let mut warnings = Vec::new();
    match config.engine.hot_core {
        None => warnings.push(
            "engine.hot_core is not set: the hot thread runs unpinned and latency will vary; see `spinbook doctor`"
                .to_owned(),
        ),
        Some(core) => {
            for (key, core) in [("hot_core", Some(core)), ("io_core", config.engine.io_core)] {
                if let Some(core) = core.filter(|core| !threads::can_pin(*core)) {
                    warnings.push(format!(
                        "engine.{key} = {core}: this process may not run there; it has the cores {:?}",
                        threads::cores()
                    ));
                }
            }
        }
    }
    for market in &config.markets {
        let venue = &market.venue;
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
    config.warnings = warnings;
}
