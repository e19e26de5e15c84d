//! COLD: `spinbook-guard`: watches over a live engine from outside, and cancels everything when it freezes or vanishes.
//!
//! It asks and cancels and can do nothing else: no code that places an order is linked into it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::json;
use spinbook_engine::types::Nanos;
use spinbook_feed::net::host::clock::Clock;
use spinbook_feed::supervision::beat::Heard;
use spinbook_feed::supervision::vigil::{Alarm, Sign, VIGIL_EVERY, Vigil};

use crate::config::tables::MarketConfig;
use crate::config::{Config, credentials};
use crate::error::Failure;
use crate::outcome::{Done, Exit};
use crate::run::addresses::trust;
use crate::run::preflight::venue_of;
use crate::run::pulse::{self, PulseReader};
use crate::run::rescue::{RescueAccount, Rescuer, SweepRound};
use crate::run::retry;
use crate::run::signals::EarlyExit;
use crate::run::state_dir;
use crate::run::venue_rest::VenueRest;

/// How long the venue's first answers are asked for again: an engine that started meanwhile is watched late.
const START_WITHIN: Duration = Duration::from_secs(3_600);
/// How long after its timestamp the venue may still carry out a cancel of all: late is better than never.
const WINDOW_MS: i64 = 10_000;
/// Between two looks at the venue, while an engine that was frozen may still wake up.
const AGAIN_EVERY: Duration = Duration::from_secs(2);

/// The guard's command line.
#[derive(Debug, Parser)]
#[command(
    name = "spinbook-guard",
    version,
    about = "Watches over a live engine and cancels everything when it freezes or vanishes; it cannot place orders.",
    after_help = "Exit codes: 0 nothing to do after a stop, 1 failed, 2 wrong usage or configuration, 4 it acted and the venue confirmed that nothing \
                  is open, 130 interrupted.\nExample: spinbook-guard -c spinbook.toml"
)]
pub struct GuardArgs {
    /// The engine's configuration: its state directory, venues, symbols and credentials
    #[arg(short, long, value_name = "FILE")]
    pub config: PathBuf,
    /// As given to the engine
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Do not watch: where no engine runs any more and orders of one may be open, cancel them, and end
    #[arg(long)]
    pub after_stop: bool,
    /// Print exactly one JSON object, on one line, as the last line of stdout; everything else goes to stderr
    #[arg(long)]
    pub json: bool,
    /// Only warnings and errors
    #[arg(short, long)]
    pub quiet: bool,
    /// Append the log to this file, too, whatever -q says
    #[arg(long, value_name = "FILE")]
    pub log_file: Option<PathBuf>,
}

/// Watches until it had to act, which ends it: a person looks before anything trades again.
///
/// # Errors
/// Wrong configuration, or a venue that refuses.
pub fn run(arguments: &GuardArgs) -> Result<Done, Failure> {
    let config = Config::load(&arguments.config, &arguments.set)?;
    let refused = |error: std::io::Error| Failure::failed("cannot take over Ctrl-C").because(error);
    let _early = EarlyExit::install(Exit::Interrupted).map_err(refused)?;
    let directory = &config.engine.state_dir;
    if arguments.after_stop && (!pulse::is_trading(directory) || is_held(directory)?) {
        let text = format!("{}: nothing to do: no engine has left orders here\n", directory.display());
        return Ok(Done::new(text, json!({ "alarm": null, "confirmed": null, "open_orders": null })));
    }
    credentials::keep_private();
    let ask = |market: &MarketConfig| retry::ask(START_WITHIN, || account(market));
    let accounts: Result<Vec<_>, _> = config.markets.iter().map(ask).collect();
    let mut rescuer = Rescuer::new(accounts?);
    let alarm = match arguments.after_stop {
        true => Alarm::Vanished,
        false => {
            tracing::info!("watching over {}", directory.display());
            watch(directory)?
        }
    };
    tracing::error!("{alarm}: cancelling everything");
    if let Err(error) = state_dir::latch(directory, "guard") {
        // The cancels are worth more than the latch.
        tracing::error!("{}: the state directory cannot be latched: {error}", directory.display());
    }
    act(directory, &mut rescuer);
    let text = format!(
        "{alarm}: everything was cancelled, and the venue confirmed that nothing is open\n\
         none starts in {} until it is re-armed: spinbook rearm -c FILE --reason TEXT\n",
        directory.display()
    );
    let value = json!({ "alarm": alarm.to_string(), "confirmed": true, "open_orders": 0 });
    Ok(Done::new(text, value).with_exit(Exit::Stopped))
}

/// What is needed to cancel one market's orders.
fn account(market: &MarketConfig) -> Result<RescueAccount, Failure> {
    let venue = venue_of(market);
    let found = credentials::load(market, &|name| std::env::var(name).ok())?;
    let trust = trust(venue.ca_file.as_ref())?;
    let (line, credentials) = (market.venue, Some(found.credentials));
    let mut rest = VenueRest::new(&trust, &venue.rest_url, line, credentials, WINDOW_MS, Clock::start());
    rest.clock_offset()?;
    let symbols: Vec<&str> = market.symbols.iter().map(String::as_str).collect();
    let instruments = rest.find_instruments(&rest.exchange_info()?, &symbols)?;
    // Said now and not when it is needed: the venue takes this key for questions.
    for instrument in &instruments {
        rest.open_orders(instrument, &[])?;
    }
    Ok(RescueAccount { rest, instruments, receive_window: Nanos::from_millis(market.receive_window_ms.into()) })
}

/// Waits until there is a reason to act.
fn watch(directory: &Path) -> Result<Alarm, Failure> {
    let begun = Instant::now();
    let (mut vigil, mut reader) = (Vigil::default(), None);
    loop {
        let sign = sign(directory, &mut reader)?;
        if let Some(alarm) = vigil.look(&sign, begun.elapsed()) {
            return Ok(alarm);
        }
        std::thread::sleep(VIGIL_EVERY);
    }
}

fn sign(directory: &Path, reader: &mut Option<PulseReader>) -> Result<Sign, Failure> {
    let trading = pulse::is_trading(directory);
    if !trading {
        *reader = None;
        return Ok(Sign { trading, held: false, heard: Heard::Nothing });
    }
    let held = is_held(directory)?;
    if reader.is_none() {
        *reader = PulseReader::open(directory);
    }
    let heard = reader.as_mut().map_or(Heard::Gone, PulseReader::hear);
    if heard == Heard::Gone {
        *reader = None;
    }
    Ok(Sign { trading, held, heard })
}

fn is_held(directory: &Path) -> Result<bool, Failure> {
    state_dir::is_held(directory)
        .map_err(|error| Failure::failed("cannot look whether the engine runs").at(directory.display()).because(error))
}

/// Cancels until the venues confirm, and again while an engine that was frozen may wake up.
fn act(directory: &Path, rescuer: &mut Rescuer) {
    loop {
        let mut said = String::new();
        rescuer.restart();
        rescuer.run(&|| false, &mut |round: &SweepRound| {
            let text = round.words();
            if text != said {
                tracing::error!("{text}");
                said = text;
            }
        });
        if !is_held(directory).unwrap_or(true) {
            break;
        }
        tracing::warn!("the engine's process is still there: asking on until it is gone");
        while is_held(directory).unwrap_or(true) {
            rescuer.restart();
            let round = rescuer.round();
            if round.open_orders > 0 {
                tracing::error!("{}: cancelled again", round.words());
            }
            std::thread::sleep(AGAIN_EVERY);
        }
    }
    if let Err(error) = pulse::clear_trading(directory) {
        tracing::warn!("{}: {error}", directory.display());
    }
}
