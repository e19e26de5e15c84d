//! COLD: `spinbook exchange`: the simulated exchange alone, for any client that speaks the venue's protocol.

use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;
use spinbook_engine::types::Nanos;
use spinbook_feed::net::connection::tls::{LoopbackAuthority, LoopbackIdentity};
use spinbook_feed::net::exchange::server::{CLIENTS_MAX, Server, ServerError, ServerSettings};
use spinbook_feed::net::host::clock::Clock;
use spinbook_feed::net::host::threads;
use spinbook_feed::sim::several::{Member, SeveralExchanges};
use spinbook_feed::sim::side::ExchangeSide;
use spinbook_feed::venue::ProductLine;
use spinbook_feed::venue::simulator_side::{KeptState, MarketForm, MarketStart};

use crate::cli::ExchangeArgs;
use crate::config::venues::check_venue;
use crate::error::Failure;
use crate::exchange::accounts::{AnnouncedAccount, TestAccounts};
use crate::exchange::child::{MarketEnd, PARENT_VARIABLE, Ready};
use crate::exchange::hosts;
use crate::exchange::settings::{self, CaFile, MarketChoice, Simulated};
use crate::exchange::state::ExchangeState;
use crate::limits;
use crate::outcome::Exit;
use crate::outcome::{Context, Done};
use crate::output;
use crate::run::signals::Interrupts;

/// How often signals are looked at.
const SIGNAL_CHECK: Nanos = Nanos::from_millis(20);
/// How often refused connections are told of at most.
const REFUSED_TOLD_EVERY: Nanos = Nanos::from_seconds(5);

/// Serves until it is interrupted, or, as a child, until its parent is gone.
///
/// # Errors
/// The address is in use, a recording cannot be read, or a setting cannot be used.
pub fn run(arguments: &ExchangeArgs, context: Context) -> Result<Done, Failure> {
    let products = products(arguments)?;
    limits::check_trading(1)?;
    if let Some(core) = arguments.core
        && !threads::pin(core)
    {
        tracing::warn!(core, "the system refused to pin the exchange to this core");
    }
    let state = arguments.state.as_deref().map(ExchangeState::open).transpose()?;
    let accounts = accounts(arguments, state.as_ref())?;
    let clock = Clock::start();
    let Simulated { exchange, symbols, seed, market } =
        exchange(&products, arguments, &accounts, state.as_ref(), clock.now())?;
    let (identity, ca_path, _ca_file) = identity(arguments, state.as_ref())?;
    let mut server = Server::bind(ServerSettings::on(arguments.listen), identity.server_config, exchange)
        .map_err(|error| bind_failure(error, arguments))?;
    let host = hosts::reached(arguments.listen.ip(), &arguments.host).host;
    let address = format!("{host}:{}", server.address().port());
    let ready = Ready {
        venue: products.first().map_or_else(String::new, |product| product.name().to_owned()),
        venues: products.iter().map(|product| product.name().to_owned()).collect(),
        symbols,
        rest_url: format!("https://{address}"),
        stream_url: format!("wss://{address}"),
        ws_api_url: format!("wss://{address}"),
        ca_file: ca_path,
        keys: accounts.keys(),
        accounts: accounts.announced(&products),
        seed,
        market,
    };
    // Before anybody is told that it serves: whoever is told may interrupt at once.
    let interrupts = Interrupts::install()
        .map_err(|error| Failure::failed("the exchange cannot take over Ctrl-C").because(error))?;
    announce(&ready, context)?;
    let exit = serve(&mut server, interrupts, &clock)?;
    let counts = server.counts();
    tracing::info!(
        requests = counts.requests,
        websockets = counts.websockets,
        messages_out = counts.messages_out,
        dropped = counts.dropped,
        refused = counts.refused,
        "the exchange ended"
    );
    // What there was to say was said when it began to serve.
    Ok(Done::new("", Value::Null).with_exit(exit))
}

/// The product lines to serve: the named ones, each by its whole name or by what follows the venue's.
fn products(arguments: &ExchangeArgs) -> Result<Vec<ProductLine>, Failure> {
    if arguments.products.is_empty() {
        return check_venue(&arguments.venue).map(|product| vec![product]);
    }
    let venue = arguments.venue.split('-').next().unwrap_or_default();
    let mut found: Vec<ProductLine> = Vec::new();
    for name in &arguments.products {
        let product = ProductLine::from_name(&format!("{venue}-{name}")).map_or_else(|| check_venue(name), Ok)?;
        if found.contains(&product) {
            return Err(Failure::usage(format!("{} is named twice", product.name())).at("--products"));
        }
        found.push(product);
    }
    Ok(found)
}

fn accounts(arguments: &ExchangeArgs, state: Option<&ExchangeState>) -> Result<TestAccounts, Failure> {
    match (&arguments.keys, state) {
        (Some(path), _) => TestAccounts::read(path),
        (None, Some(state)) => state.accounts(|| TestAccounts::fresh(true)),
        // A parent trades with the keys that are made at once; making an RSA key would only keep it waiting.
        (None, None) => TestAccounts::fresh(std::env::var_os(PARENT_VARIABLE).is_none()),
    }
}

/// The exchange of each product line, behind one address.
fn exchange(
    products: &[ProductLine],
    arguments: &ExchangeArgs,
    accounts: &TestAccounts,
    state: Option<&ExchangeState>,
    now: Nanos,
) -> Result<Simulated, Failure> {
    let faults = match &arguments.faults {
        Some(path) => settings::read_faults(path)?,
        None => Default::default(),
    };
    let mut seed = arguments.seed;
    let (mut members, mut symbols, mut markets): (Vec<Member>, Vec<String>, Vec<String>) = Default::default();
    for product in products {
        let choice = MarketChoice {
            product: *product,
            data: arguments.data.clone(),
            speed: arguments.speed,
            starts: if arguments.wait_for_stream { MarketStart::FirstStream } else { MarketStart::AtOnce },
            form: if arguments.original_times { MarketForm::Original } else { MarketForm::Present },
            seed,
            faults: faults.clone(),
            balances: arguments.balance.clone(),
            symbols: arguments.symbols.clone(),
            kept: state.map_or(Ok(KeptState::Nothing), |state| state.kept(*product))?,
        };
        let mut made = settings::make(choice, accounts, now)?;
        if let Some(state) = state {
            made.exchange = state.keep(made.exchange, *product, now)?;
        }
        seed = made.seed;
        markets.push(made.market);
        symbols.extend(made.symbols);
        let (line, simulator) = (*product, product.simulator());
        let is_own = move |path: &str| simulator.is_some_and(|simulator| simulator.owns_path(line, path));
        members.push((Box::new(is_own), made.exchange));
    }
    symbols.sort();
    symbols.dedup();
    let exchange = Box::new(SeveralExchanges::new(members));
    Ok(Simulated { exchange, symbols, seed, market: markets.join("; ") })
}

/// The certificate and where its authority's is: in the state directory, or in a file that goes with the exchange.
fn identity(
    arguments: &ExchangeArgs,
    state: Option<&ExchangeState>,
) -> Result<(LoopbackIdentity, PathBuf, Option<CaFile>), Failure> {
    let fail = |error| Failure::failed("cannot make the exchange's certificate").because(error);
    let (authority, kept) = match state {
        Some(state) => state.authority().map(|(authority, path)| (authority, Some(path)))?,
        None => (LoopbackAuthority::generate().map_err(fail)?, None),
    };
    let reached = hosts::reached(arguments.listen.ip(), &arguments.host);
    let identity = authority.server(&reached.addresses, &reached.hosts).map_err(fail)?;
    match kept {
        Some(path) => Ok((identity, path, None)),
        None => {
            let file = CaFile::write(&identity.ca_pem)?;
            Ok((identity, file.path.clone(), Some(file)))
        }
    }
}

fn bind_failure(error: ServerError, arguments: &ExchangeArgs) -> Failure {
    let failure = match &error {
        ServerError::AddressInUse { .. } => Failure::usage(format!("{} is in use", arguments.listen))
            .next("choose another with --listen 127.0.0.1:PORT; port 0 takes any free one"),
        _ => Failure::failed("the exchange cannot listen"),
    };
    failure.at("--listen").because(error)
}

/// Says where it serves and with which keys: one line of JSON, or a few lines for people.
fn announce(ready: &Ready, context: Context) -> Result<(), Failure> {
    if context.json {
        return say(&serde_json::to_string(ready).expect("a struct of strings is JSON"));
    }
    say(&announcement(ready))
}

/// What people need to use it: addresses, whom to trust, keys, and a first request.
fn announcement(ready: &Ready) -> String {
    let (time_path, depth_path, order_path) = ProductLine::from_name(&ready.venue)
        .map_or(("", "", ""), |product| (product.card().time_path, product.card().depth_path, product.order_path()));
    let symbol = ready.symbols.first().map_or("BTCUSDT", String::as_str);
    let stream = format!("{}@depth@100ms", symbol.to_lowercase());
    let (rest, ca_file) = (&ready.rest_url, ready.ca_file.display());
    let mut lines = vec![
        format!("The simulated exchange {} serves {}", ready.venues.join(" and "), ready.symbols.join(" ")),
        String::new(),
        format!("  market         {}", ready.market),
        format!("  REST           {rest}"),
        format!("  streams        {0}/stream?streams={stream}   or {0}/ws/{stream}", ready.stream_url),
        format!("  WebSocket API  {}{}", ready.ws_api_url, order_path),
        format!("  trust (CA)     {ca_file}"),
        String::new(),
        "Test accounts, worth nothing elsewhere:".to_owned(),
    ];
    lines.extend(ready.accounts.iter().flat_map(account_lines));
    lines.extend([
        String::new(),
        "Try it:".to_owned(),
        format!("  curl --cacert {ca_file} {rest}{time_path}"),
        format!("  curl --cacert {ca_file} '{rest}{depth_path}?symbol={symbol}&limit=5'"),
        String::new(),
        "The market runs. Ctrl-C ends the exchange.".to_owned(),
    ]);
    lines.join("\n")
}

/// One account: its id at each venue, how it signs, and its keys.
fn account_lines(account: &AnnouncedAccount) -> Vec<String> {
    let ids: Vec<&str> = account.ids.values().map(String::as_str).collect();
    let name = format!("account {}, signs with {}", ids.join(" / "), account.signs_with);
    let mut lines = vec![format!("  {name}"), format!("    API key      {}", account.keys.api_key)];
    lines.extend(account.keys.secret.iter().map(|secret| format!("    secret       {secret}")));
    for (label, key) in [("private key", &account.keys.private_key), ("public key", &account.keys.public_key)] {
        let text = key.as_deref().unwrap_or_default();
        // Flush left, so that it can be cut out as it stands.
        lines.extend((!text.is_empty()).then(|| format!("    {label}:")));
        lines.extend(text.trim_end().lines().map(str::to_owned));
    }
    lines
}

/// Serves until it is interrupted, or its parent is gone: that is an end in order.
fn serve(
    server: &mut Server<Box<dyn ExchangeSide>>,
    mut interrupts: Interrupts,
    clock: &Clock,
) -> Result<Exit, Failure> {
    let fail = |error: &dyn std::fmt::Display| Failure::failed("the exchange stopped").because(error);
    let orphaned = watch_parent().map_err(|error| fail(&error))?;
    let mut next_check = Nanos::ZERO;
    let mut market_goes = true;
    let (mut refused_told, mut tell_refused_at) = (0, Nanos::ZERO);
    loop {
        let now = clock.now();
        if now >= next_check {
            next_check = now + SIGNAL_CHECK;
            if orphaned.load(Ordering::Relaxed) {
                return Ok(Exit::Done);
            }
            if interrupts.take().is_some() {
                return Ok(Exit::Interrupted);
            }
            while let Some(notice) = server.exchange().poll_notice() {
                tracing::warn!("a client asked in vain: {notice}");
            }
            let refused = server.counts().refused;
            if refused > refused_told && now >= tell_refused_at {
                let count = refused - refused_told;
                tracing::warn!("{count} connections were refused with 503: {CLIENTS_MAX} are served at once");
                (refused_told, tell_refused_at) = (refused, now + REFUSED_TOLD_EVERY);
            }
            if market_goes && server.exchange().status().market_over {
                market_goes = false;
                say_market_is_over(server.exchange().status().market_error.as_deref())?;
            }
        }
        let deadline = server.next_deadline().min(next_check);
        let wait = Duration::from_nanos((deadline - now).0.max(0).unsigned_abs());
        server.turn(wait, clock).map_err(|error| fail(&error))?;
    }
}

/// A parent is told on a line of JSON, people in the log.
fn say_market_is_over(error: Option<&str>) -> Result<(), Failure> {
    match error {
        None => tracing::info!("the market is over: everything recorded was played; orders are still taken"),
        Some(error) => tracing::error!("the market is over: {error}"),
    }
    if std::env::var_os(PARENT_VARIABLE).is_none() {
        return Ok(());
    }
    let end = MarketEnd { market_over: true, error: error.map(str::to_owned) };
    say(&serde_json::to_string(&end).expect("a struct of texts is JSON"))
}

fn say(text: &str) -> Result<(), Failure> {
    output::result(text).map_err(|error| Failure::failed("cannot write to standard output").because(error))
}

/// As a child: a flag that is raised when the parent is gone, however it went.
fn watch_parent() -> io::Result<Arc<AtomicBool>> {
    let orphaned = Arc::new(AtomicBool::new(false));
    if std::env::var_os(PARENT_VARIABLE).is_some() {
        let told = orphaned.clone();
        threads::spawn(
            "parent",
            None,
            |_| {},
            move || {
                let mut byte = [0];
                while matches!(io::stdin().read(&mut byte), Ok(1)) {}
                told.store(true, Ordering::Relaxed);
            },
        )?;
    }
    Ok(orphaned)
}
