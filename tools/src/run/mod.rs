//! COLD: a run from its first request to its report: prepares, starts the threads, watches, ends in order.

pub mod addresses;
pub mod control;
pub mod day_book;
pub mod dead_man;
pub mod engine_settings;
pub mod joint_limits;
pub mod journals;
pub mod keys;
pub mod kill_word;
pub mod kills;
mod lease;
mod left_behind;
pub mod market;
pub mod memory;
pub mod news;
mod old_journals;
pub mod outages;
pub mod panics;
pub mod plan;
pub mod preflight;
pub mod pulse;
pub mod quotable;
mod references;
pub mod report;
pub mod rescue;
pub mod retry;
pub mod setup;
pub mod signals;
pub mod state_dir;
pub mod strategy;
mod taken_over;
pub mod topology;
pub mod trading_stops;
pub mod venue_rest;
pub mod virtual_time;
mod warm;
pub mod watch;

use std::io;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use spinbook_engine::types::Nanos;
use spinbook_feed::net::host::clock::Clock;
use spinbook_feed::venue::instrument::Instrument;

use self::control::{Control, ControlParts};
use self::dead_man::DeadMan;
use self::journals::{Ending, Journals};
use self::kill_word::{KillFiles, KillSocket, KillWord};
use self::outages::Outages;
use self::panics::{PanicGuard, Stricken};
use self::plan::{Finished, FinishedMarket, MarketCheck, MarketLife, Plan, RunMode, Stop};
use self::pulse::Pulse;
use self::rescue::{RescueAccount, RescueCall};
use self::setup::{Prepared, PreparedMarket, prepare};
use self::signals::{EarlyExit, Interrupts, StopRequest};
use self::state_dir::StateDir;
use self::strategy::StrategySection;
use self::topology::{Ended, Running};
use self::trading_stops::TradingStops;
use self::watch::Watch;
use crate::config::strategies::StrategyConfig;
use crate::error::Failure;
use crate::outcome::{Context, Done, Exit, KILL_FILE};
use crate::output::{self, ERR};
use crate::ui::Screen;
use crate::ui::report::OrderRecord;

/// How often the main thread looks at signals, time and threads.
const WATCH_INTERVAL: Duration = Duration::from_millis(20);
/// How long the end of a run waits until what was said of it is written.
const SAID_WITHIN: Duration = Duration::from_millis(500);
/// How often the screen is drawn.
const TELEMETRY_INTERVAL: Duration = Duration::from_millis(250);

/// Runs a plan to its end and reports: compiled once for each kind of strategy, so that the engine calls it directly.
///
/// # Errors
/// It could not start, or the venue's figures contradict each other.
pub fn run(plan: Plan, context: Context, market: MarketCheck<'_>) -> Result<Done, Failure> {
    match plan.config.strategy.clone() {
        StrategyConfig::Spread(spread) => run_with(plan, &spread, context, market),
    }
}

fn run_with<C: StrategySection>(
    plan: Plan,
    strategy: &C,
    context: Context,
    market: MarketCheck<'_>,
) -> Result<Done, Failure> {
    report::report(&trade(plan, strategy, context, market)?)
}

fn trade<C: StrategySection>(
    plan: Plan,
    strategy: &C,
    context: Context,
    market: MarketCheck<'_>,
) -> Result<Finished<C::Strategy>, Failure> {
    let refused = |error: io::Error| Failure::failed("cannot take over Ctrl-C").because(error);
    let early = EarlyExit::install(Exit::Interrupted).map_err(refused)?;
    let _ = spinbook_feed::net::host::memory::keep_freed();
    let prepared = prepare(&plan, strategy)?;
    let mut interrupts = Interrupts::install().map_err(refused)?;
    early.end();
    interrupts = interrupts.or_file(plan.config.engine.state_dir.join(KILL_FILE));
    let Prepared { markets, agents, day_book, mut journals, state, rescuer, timed } = prepared;
    let instruments: Vec<Instrument> = markets.iter().flat_map(|market| market.instruments.iter().copied()).collect();
    let mut watch = Watch::new(&plan, &instruments, &agents.engine);
    let book = |instrument: &Instrument| (plan.label(instrument), agents.engine.telemetry(instrument.id).clone());
    let books = instruments.iter().map(book).collect();
    let mut stops = TradingStops::new(&plan, &instruments, &agents.engine, day_book);
    let fail = |error: io::Error| Failure::failed("a thread could not run").because(error);
    memory::prepare(&plan.config.engine, &agents.engine)?;
    let started = Clock::start().now();
    before_orders(&plan).map_err(fail)?;
    let rescue = RescueCall::start(rescuer, plan.mode.patience()).map_err(fail)?;
    let begun = Instant::now();
    let running = topology::start(agents, plan.cores).map_err(fail)?;
    watch.follow(&running);
    let keepers =
        Keepers::start(&plan, &running, &watch, &interrupts, (rescue.clone(), timed), &instruments).map_err(fail)?;
    let mut outages = Outages::new(books, running.io_shared.clone());
    let mut screen = Screen::open(
        context,
        instruments.len(),
        interrupts.obey(running.hot_shared.clone(), running.io_shared.clone()),
    );
    let mut seen = Seen {
        watch: &mut watch,
        stops: &mut stops,
        journals: journals.as_mut(),
        outages: Some(&mut outages),
        screen: &mut screen,
        drawn: Instant::now(),
    };
    let mut stop = watch_run(&plan, &running, &keepers.control, &mut seen, &mut interrupts, market);
    // What goes away while everything ends is no outage.
    seen.outages = None;
    let left_at_once = drain(&stop, &running, &rescue, &mut seen, &mut interrupts);
    drop(screen);
    // Answered before the threads are waited for: one that hangs ends with the process.
    let (confirmed, open) = running.ending();
    state.answer_kill(confirmed, open);
    let mut ended = running.stop().map_err(|error| {
        tracing::error!("{}: look at the account", watch.open_orders_text());
        fail(error)
    })?;
    drop(keepers);
    let halted = ended.gateways.iter().find_map(|gateway| gateway.halt_message()).map(str::to_owned);
    let elapsed = begun.elapsed();
    let stopped = started + Nanos(i64::try_from(elapsed.as_nanos()).unwrap_or(i64::MAX));
    let (stopped_by, day_book_failure) = stops.finish(&ended.hot.0, halted.as_deref(), stopped);
    state.answer_kill(ended.gateway_end.confirmed, ended.gateway_end.open_orders);
    // The gateway that halted says why, now that it is here again.
    if let (Stop::Halted(why), Some(message)) = (&mut stop, halted) {
        *why = message;
    }
    let order_log = journals.map(|journals| end_journals(journals, &mut ended, &stop, &state, stopped));
    if !ended.gateway_end.confirmed && !left_at_once {
        tracing::error!("not confirmed: {}", watch.open_orders_text());
    }
    // From here on only answers for the report are awaited: whoever asks again goes without it.
    ERR.settle(SAID_WITHIN);
    let code = if ended.gateway_end.confirmed { Exit::Interrupted } else { Exit::Failed };
    let _ = EarlyExit::install(code);
    // Who leaves at once does not wait for the venues' answers either.
    let markets = markets.into_iter().map(|market| finish_market(market, left_at_once)).collect();
    // Whoever killed meanwhile is answered, too.
    state.answer_kill(ended.gateway_end.confirmed, ended.gateway_end.open_orders);
    let times = [started, stopped];
    Ok(Finished { plan, markets, ended, elapsed, times, stop, stopped_by, day_book_failure, order_log })
}

/// The last records: what is held, and how it ended.
fn end_journals<S>(journals: Journals, ended: &mut Ended<S>, stop: &Stop, state: &StateDir, now: Nanos) -> OrderRecord {
    let request = state.kill_request();
    let engine = &ended.hot.0;
    let ending = Ending {
        now,
        confirmed: ended.gateway_end.confirmed,
        why: &stop.ended(),
        killed: (*stop == Stop::Killed).then_some(request.as_str()),
        position: &|instrument| engine.position(instrument).lots(),
    };
    journals.finish(&mut ended.gateways, &ending)
}

/// Behind this orders may be open: nobody waits for a stream that does not take what is written, and a live run says
/// that it trades.
fn before_orders(plan: &Plan) -> io::Result<()> {
    output::detach();
    news::start();
    match plan.mode {
        RunMode::Live => pulse::mark_trading(&plan.config.engine.state_dir),
        _ => Ok(()),
    }
}

/// Who keeps a run safe while its threads work.
struct Keepers {
    control: Control,
    _panics: PanicGuard,
    _socket: Option<KillSocket>,
    _pulse: Option<Pulse>,
    _dead_man: Option<DeadMan>,
}

impl Keepers {
    /// From here on signals, hangs and panics end the run with cancels, and a live one is watched from outside.
    fn start<S>(
        plan: &Plan,
        running: &Running<S>,
        watch: &Watch,
        interrupts: &Interrupts,
        (rescue, timed): (RescueCall, Vec<RescueAccount>),
        instruments: &[Instrument],
    ) -> io::Result<Keepers> {
        let (hot, io) = (running.hot_shared.clone(), running.io_shared.clone());
        let bounds = topology::hang_bounds(&plan.config.engine, plan.cores);
        let directory = &plan.config.engine.state_dir;
        // Only a live run has orders that outlive it.
        let left_in = (plan.mode == RunMode::Live).then(|| directory.clone());
        let panics = PanicGuard::over(Stricken {
            hot: hot.clone(),
            io: io.clone(),
            rescue: rescue.clone(),
            bounds,
            directory: left_in.clone(),
            open_orders: watch.open_orders_teller(),
        });
        let targets = instruments.iter().map(|instrument| plan.kill_target(instrument)).collect();
        let word = KillWord::new((hot.clone(), io.clone()), plan.config.strategy.name(), targets, interrupts.killed());
        let parts = ControlParts {
            hot: hot.clone(),
            io: io.clone(),
            bounds,
            rescue,
            kill_files: KillFiles::new(directory),
            word: word.clone(),
            directory: left_in,
            open_orders: watch.open_orders_teller(),
        };
        // A run that nobody can end is none.
        let control = interrupts.beside().and_then(|signals| Control::start(parts, signals));
        let control = control.inspect_err(|_| running.drain())?;
        let socket = KillSocket::open(directory, word)
            .inspect_err(|error| tracing::error!("{}: no kill socket: {error}", directory.display()))
            .ok();
        if plan.mode != RunMode::Live {
            return Ok(Keepers { control, _panics: panics, _socket: socket, _pulse: None, _dead_man: None });
        }
        let span = Duration::from_secs(plan.config.engine.dead_man_seconds.into());
        let dead_man = DeadMan::start(timed, span, hot.clone(), io.clone()).inspect_err(|_| running.drain())?;
        let pulse = Pulse::start(directory, hot, io)
            .inspect_err(|error| tracing::error!("{}: no guard can watch: {error}", directory.display()));
        Ok(Keepers { control, _panics: panics, _socket: socket, _pulse: pulse.ok(), _dead_man: Some(dead_man) })
    }
}

/// Asks a venue for the account after the last order. The report is worth more than the answer: without it, it says so.
fn finish_market(market: PreparedMarket, left_at_once: bool) -> FinishedMarket {
    let PreparedMarket { instruments, rest, start, started_at, missed } = market;
    match start {
        Some(_) if left_at_once => {
            let why = "the run was left before the venue had been asked";
            let failure = Failure::failed("the venue was not asked").because(why);
            FinishedMarket { instruments, venue: None, held: Vec::new(), venue_failure: Some(failure) }
        }
        Some(start) => market::finished(&rest, instruments, (start, started_at), missed),
        None => FinishedMarket { instruments, venue: None, held: Vec::new(), venue_failure: None },
    }
}

/// What looks at a run while it works.
struct Seen<'a> {
    watch: &'a mut Watch,
    stops: &'a mut TradingStops,
    journals: Option<&'a mut Journals>,
    outages: Option<&'a mut Outages>,
    screen: &'a mut Screen,
    drawn: Instant,
}

impl Seen<'_> {
    /// Says what stopped and what is away, and draws what is due.
    fn look(&mut self) {
        self.stops.look();
        if self.drawn.elapsed() >= TELEMETRY_INTERVAL || self.screen.is_outdated() {
            self.drawn = Instant::now();
            if let Some(journals) = &mut self.journals {
                journals.look();
            }
            if let Some(outages) = &mut self.outages {
                outages.look();
            }
            self.screen.draw(self.watch);
        }
    }
}

/// Waits for the end of the run: time, a signal, the kill file, the market's end, or something that broke.
fn watch_run<S>(
    plan: &Plan,
    running: &Running<S>,
    control: &Control,
    seen: &mut Seen<'_>,
    interrupts: &mut Interrupts,
    market: MarketCheck<'_>,
) -> Stop {
    let begun = Instant::now();
    loop {
        if let Some(request) = interrupts.take() {
            return request.into();
        }
        if plan.seconds.is_some_and(|span| begun.elapsed() >= span) {
            return Stop::Finished;
        }
        if let Some(thread) = control.hung() {
            return Stop::Halted(format!("{} stands still", thread.words()));
        }
        if running.has_failed() {
            return Stop::Halted("a thread ended by itself".to_owned());
        }
        if running.io_shared.halted.load(Ordering::Relaxed) {
            // Only a person can say that it may go on, and a person starts it again.
            return Stop::Halted("trading was halted".to_owned());
        }
        match market() {
            Ok(MarketLife::Running) => {}
            Ok(MarketLife::Ended) => {
                let after = begun.elapsed().as_secs();
                tracing::info!("the market is over after {after} s: everything recorded was played; ending in order");
                return Stop::MarketOver;
            }
            Err(failure) => {
                // Orders may be open somewhere; the drain says what it cannot confirm.
                tracing::error!("{failure}");
                return Stop::Halted(failure.what.clone());
            }
        }
        seen.look();
        std::thread::sleep(WATCH_INTERVAL);
    }
}

/// Cancels everything and waits until it is confirmed; a further Ctrl-C leaves at once, which is then true.
fn drain<S>(
    stop: &Stop,
    running: &Running<S>,
    rescue: &RescueCall,
    seen: &mut Seen<'_>,
    interrupts: &mut Interrupts,
) -> bool {
    let text = "cancelling everything and waiting for the venue's confirmation; Ctrl-C again leaves at once";
    match stop {
        Stop::Finished | Stop::MarketOver => tracing::info!("{stop}: {text}"),
        Stop::Interrupted(_) | Stop::Quit | Stop::Killed => tracing::warn!("{stop}: {text}"),
        Stop::Halted(_) => tracing::error!("{stop}: {text}"),
    }
    running.drain();
    while !running.is_drained(rescue.outcome()) {
        match interrupts.take() {
            Some(StopRequest::Signal(signal)) if signal.hurries() => {
                tracing::error!("{}: left at once: {}", signal.name(), seen.watch.open_orders_text());
                return true;
            }
            Some(request) => tracing::warn!("{}: everything is being cancelled already", Stop::from(request)),
            None => {}
        }
        seen.look();
        std::thread::sleep(WATCH_INTERVAL);
    }
    false
}
