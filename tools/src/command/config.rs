//! COLD: `spinbook config init` and `config check`.

use std::fs::OpenOptions;
use std::io::Write;

use serde_json::{Value, json};
use spinbook_engine::intent::TimeInForce;

use crate::cli::{ConfigCheckArgs, ConfigInitArgs};
use crate::config::{Config, MarketConfig, sample};
use crate::error::Failure;
use crate::outcome::Done;

/// Writes the commented sample.
///
/// # Errors
/// The file exists already or cannot be written.
pub fn init(arguments: &ConfigInitArgs) -> Result<Done, Failure> {
    let Some(path) = &arguments.output else {
        let json = json!({ "config": sample::CONFIG, "credentials": sample::CREDENTIALS });
        return Ok(Done::new(sample::CONFIG, json));
    };
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| file.write_all(sample::CONFIG.as_bytes()));
    written.map_err(|error| {
        Failure::failed("cannot write the sample configuration")
            .at(path.display())
            .because(error)
            .next("name a file that does not exist yet")
    })?;
    let text = format!(
        "wrote {}\nnext: edit it, then `spinbook config check -c {}`\ncredentials go into a file of their own:\n{}",
        path.display(),
        path.display(),
        sample::CREDENTIALS
    );
    Ok(Done::new(text, json!({ "written": path.display().to_string() })))
}

/// Checks a configuration and prints what is in effect.
///
/// # Errors
/// Wrong configuration, with every problem.
pub fn check(arguments: &ConfigCheckArgs) -> Result<Done, Failure> {
    let config = Config::load(&arguments.config, &arguments.set)?;
    let effective = effective(&config);
    let mut text = format!("{}: valid\n", config.file);
    for warning in &config.warnings {
        text.push_str(&format!("warning: {warning}\n"));
    }
    for (table, value) in effective.as_object().into_iter().flatten() {
        print_table(&mut text, table, value);
    }
    let json = json!({ "file": config.file, "valid": true, "warnings": config.warnings, "effective": effective });
    Ok(Done::new(text, json))
}

fn print_table(text: &mut String, table: &str, value: &Value) {
    match value {
        Value::Array(items) => {
            for item in items {
                text.push_str(&format!("\n[[{table}]]\n"));
                print_keys(text, item);
            }
        }
        other => {
            text.push_str(&format!("\n[{table}]\n"));
            print_keys(text, other);
        }
    }
}

fn print_keys(text: &mut String, value: &Value) {
    for (key, value) in value.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
        text.push_str(&format!("{key} = {value}\n"));
    }
}

/// The configuration as it is in effect; nothing in it is secret.
#[must_use]
pub fn effective(config: &Config) -> Value {
    let strategy = &config.strategy;
    let risk = &config.risk;
    json!({
        "engine": {
            "hot_core": config.engine.hot_core,
            "io_core": config.engine.io_core,
            "lock_memory": config.engine.lock_memory.name(),
            "huge_pages": if config.engine.huge_pages { "allowed" } else { "never" },
            "state_dir": config.engine.state_dir.display().to_string(),
        },
        "market": config.markets.iter().map(effective_market).collect::<Vec<_>>(),
        "strategy": {
            "kind": "spread",
            "spread_bps": strategy.spread_bps.to_string(),
            "levels": strategy.levels,
            "order_size_base": strategy.order_size_base.to_string(),
            "imbalance_levels": strategy.imbalance_levels,
            "imbalance_threshold": strategy.imbalance_threshold.to_string(),
            "imbalance_widening": strategy.imbalance_widening.to_string(),
            "inventory_skew_bps": strategy.inventory_skew_bps.to_string(),
            "refresh_tolerance_bps": strategy.refresh_tolerance_bps.to_string(),
            "edge_min_bps": strategy.edge_min_bps.to_string(),
            "time_in_force": if strategy.time_in_force == TimeInForce::PostOnly { "post-only" } else { "ioc" },
        },
        "risk": {
            "order_quantity_max_base": risk.order_quantity_max_base.to_string(),
            "order_notional_max_quote": risk.order_notional_max_quote.to_string(),
            "position_max_base": risk.position_max_base.to_string(),
            "price_collar_bps": risk.price_collar_bps.to_string(),
            "open_orders_max": risk.open_orders_max,
            "messages_max_per_second": risk.messages_max_per_second,
            "loss_max_quote_per_day": risk.loss_max_quote_per_day.to_string(),
            "book_age_max_ms": risk.book_age_max_ms,
        },
    })
}

fn effective_market(market: &MarketConfig) -> Value {
    json!({
        "venue": market.venue,
        "symbols": market.symbols,
        "credentials": market.credentials.as_ref().map(|path| path.display().to_string()),
        "rest_url": market.rest_url,
        "stream_url": market.stream_url,
        "ws_api_url": market.ws_api_url,
        "ca_file": market.ca_file.as_ref().map(|path| path.display().to_string()),
        "depth_stream": market.depth_stream,
        "snapshot_limit": market.snapshot_limit,
        "receive_window_ms": market.receive_window_ms,
        "maker_fee_bps": market.maker_fee_bps.map(|fee| fee.to_string()),
        "taker_fee_bps": market.taker_fee_bps.map(|fee| fee.to_string()),
    })
}
