//! COLD: `spinbook demo`: everything on this machine, nothing to configure.

use std::path::Path;

use spinbook_feed::net::threads;
use spinbook_feed::venue::binance::Product;
use spinbook_feed::venue::binance::sign::Secret;

use crate::cli::DemoArgs;
use crate::command::{Context, Done, check_venue};
use crate::config::Config;
use crate::error::Failure;
use crate::exchange_child::{ExchangeChild, Ready};
use crate::topology::Cores;
use crate::trade::{self, KeyPair, KeyText, Keys, Plan, RunMode, Venue};

/// Runs `spinbook demo`.
///
/// # Errors
/// The exchange does not start, or the run fails.
pub fn run(arguments: &DemoArgs, context: Context) -> Result<Done, Failure> {
    check_venue(&arguments.venue)?;
    let product = Product::from_name(&arguments.venue)
        .ok_or_else(|| Failure::usage(format!("`{}` has no simulated exchange", arguments.venue)).at("--venue"))?;
    let available = threads::cores();
    let hot_core = Cores::default_hot(&available).filter(|_| !arguments.unpinned);
    let cores = Cores::share(&available, hot_core);
    let mut child = ExchangeChild::start(arguments, cores.rest)?;
    let ready = child.ready.clone();
    tracing::info!("the exchange serves a {} market on {}", ready.market, ready.rest_url);
    let state = StateFolder::make()?;
    let config = demo_config(&ready, state.path(), cores.hot)?;
    if let Some(core) = cores.rest {
        // Threads inherit this; the hot thread then takes its own core.
        let _ = threads::pin(core);
    }
    let venue = Venue {
        rest_url: ready.rest_url.clone(),
        stream_url: ready.stream_url.clone(),
        ws_api_url: ready.ws_api_url.clone(),
        ca_file: Some(ready.ca_file.clone()),
    };
    let plan = Plan {
        mode: RunMode::Demo,
        config,
        product,
        market: venue.clone(),
        orders: venue,
        keys: Keys::Given(demo_keys(&ready, product)),
        account: None,
        cores,
        seconds: Some(arguments.seconds),
        seed: ready.seed,
    };
    let finished = trade::run(plan, context, &mut || match child.is_running() {
        true => Ok(()),
        false => Err(Failure::failed("the simulated exchange is gone").next("its own message is above")),
    })?;
    let done = trade::report::report(&finished);
    drop(child);
    done
}

/// Spot logs on once with Ed25519; futures sign each request with HMAC.
fn demo_keys(ready: &Ready, product: Product) -> KeyPair {
    match product {
        Product::BinanceSpot => KeyPair {
            api_key: ready.api_key_ed25519.clone(),
            key: KeyText::Ed25519(Secret::new(ready.private_key.clone())),
        },
        Product::BinanceUsdm => {
            KeyPair { api_key: ready.api_key.clone(), key: KeyText::Hmac(Secret::new(ready.secret.clone())) }
        }
    }
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

/// The small configuration of the manual, with the child's addresses.
fn demo_config(ready: &Ready, state_dir: &Path, hot_core: Option<usize>) -> Result<Config, Failure> {
    let hot_core = hot_core.map(|core| format!("hot_core = {core}\n")).unwrap_or_default();
    let symbol = ready
        .symbols
        .iter()
        .find(|symbol| symbol.as_str() == "BTCUSDT")
        .or_else(|| ready.symbols.first())
        .ok_or_else(|| Failure::failed("the simulated exchange lists no symbol"))?;
    let text = format!(
        r#"[engine]
{hot_core}state_dir = {state_dir:?}
[[market]]
venue = "{venue}"
symbols = ["{symbol}"]
rest_url = "{rest}"
stream_url = "{stream}"
ws_api_url = "{ws_api}"
ca_file = {ca_file:?}
[strategy]
kind = "spread"
spread_bps = 0.6
levels = 1
order_size_base = "0.001"
imbalance_levels = 10
imbalance_threshold = 0.3
imbalance_widening = 1.5
inventory_skew_bps = 5.0
refresh_tolerance_bps = 0.2
edge_min_bps = -20.0
time_in_force = "post-only"
[risk]
order_quantity_max_base = "0.01"
order_notional_max_quote = "1000"
position_max_base = "0.05"
price_collar_bps = 50.0
open_orders_max = 8
messages_max_per_second = 20
loss_max_quote_per_day = "1000"
book_age_max_ms = 2000
"#,
        state_dir = state_dir.display().to_string(),
        venue = ready.venue,
        rest = ready.rest_url,
        stream = ready.stream_url,
        ws_api = ready.ws_api_url,
        ca_file = ready.ca_file.display().to_string(),
    );
    Config::from_text(&text, "the demo's configuration", Path::new(""), &[], &[])
}
