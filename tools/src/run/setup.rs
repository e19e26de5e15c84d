//! COLD: what a run is made of: answers of the venues and settings become agents, ready to start.

use std::collections::BTreeMap;
use std::time::Duration;

use rust_decimal::Decimal;
use spinbook_engine::engine::Engine;
use spinbook_engine::event::ExecutionEvent;
use spinbook_engine::intent::Intent;
use spinbook_engine::ring::{self, Consumer, Producer};
use spinbook_engine::risk::TradingState;
use spinbook_engine::setup;
use spinbook_engine::strategy::Strategy;
use spinbook_engine::trace::TraceRecord;
use spinbook_engine::types::{AssetGroupId, InstrumentId, Lots, Nanos, QuoteAtoms, VenueId};
use spinbook_feed::gateway::Gateway;
use spinbook_feed::gateway::adoption::ADOPT_WITHIN;
use spinbook_feed::gateway::limits::OrderLimits;
use spinbook_feed::net::connection::ConnectionError;
use spinbook_feed::net::host::clock::{Clock, CycleScale};
use spinbook_feed::net::hot::snapshots;
use spinbook_feed::net::io::fetch::FetchError;
use spinbook_feed::net::io::gateway_loop::{GatewayLane, GatewayLoopSettings, GatewayRings, Idle};
use spinbook_feed::net::io::rest_calls;
use spinbook_feed::venue::ProductLine;
use spinbook_feed::venue::account::{AccountPoint, RestRequest, TradeRecord};
use spinbook_feed::venue::instrument::{Instrument, Symbol};
use spinbook_feed::venue::order_ids::RunName;
use spinbook_feed::venue::order_side::OrderConnection;

use super::addresses::{SessionUrls, VenueUrls};
use super::day_book::DayBook;
use super::engine_settings;
use super::joint_limits;
use super::journals::{Beginning, Journals};
use super::kill_word::{KillTarget, kill_text};
use super::kills::{self, ScopedKill};
use super::lease;
use super::left_behind::{self, LeftBehind, rearmings_since};
use super::market::{AskedMarket, Door, ToldMarket};
use super::news::{self, Weight};
use super::plan::{Plan, RunMode};
use super::quotable::Quotable;
use super::references;
use super::rescue::{RescueAccount, Rescuer};
use super::retry;
use super::state_dir::StateDir;
use super::strategy::StrategySection;
use super::taken_over;
use super::topology::{Agents, Rings};
use super::venue_rest::VenueRest;
use super::warm;
use crate::config::Config;
use crate::config::tables::MarketConfig;
use crate::error::Failure;

/// Decisions that may wait to be written down.
const DECISION_RING_SLOTS: usize = 1024;
/// Orders of an earlier run that their gateway took over wait for a book for so long.
const BOOKS_WITHIN: Nanos = Nanos::from_seconds(5);
/// How long the simulated venues of a run without real orders may take to confirm that everything is cancelled.
const DRAIN_WITHIN: Nanos = Nanos::from_seconds(10);

/// A run that only has to be started.
pub(super) struct Prepared<S> {
    /// One entry a market, in the order of the plan.
    pub(super) markets: Vec<PreparedMarket>,
    pub(super) agents: Agents<S, SessionUrls>,
    pub(super) day_book: DayBook,
    pub(super) journals: Option<Journals>,
    pub(super) state: StateDir,
    /// Cancels over REST what the order connections cannot.
    pub(super) rescuer: Rescuer,
    /// Where the venue's own timer is set.
    pub(super) timed: Vec<RescueAccount>,
}

/// What is still needed of a market after its agents have been made.
pub(super) struct PreparedMarket {
    pub(super) instruments: Vec<Instrument>,
    pub(super) rest: VenueRest,
    pub(super) start: Option<AccountPoint>,
    pub(super) started_at: Nanos,
    /// Executions before the start that this run booked, since no earlier one had.
    pub(super) missed: Vec<TradeRecord>,
}

/// Asks the venues for what a run needs and makes every agent; no thread runs yet.
///
/// # Errors
/// A venue cannot be reached or refuses, or a setting cannot be used.
pub(super) fn prepare<C: StrategySection>(plan: &Plan, strategy: &C) -> Result<Prepared<C::Strategy>, Failure> {
    let state = StateDir::open(&plan.config.engine.state_dir)?;
    let day_book = DayBook::open(&plan.config.engine.state_dir, plan.mode)?;
    day_book.refuse_stopped()?;
    let clock = Clock::start();
    let mut left = left_behind::look_back(plan)?;
    let scale = CycleScale::measure(Duration::from_millis(50));
    let mut asked = ask_markets(plan, &state, clock, &mut left)?;
    let rings = Rings::new();
    let told: Vec<_> = asked.iter().map(AskedMarket::told).collect();
    let Made { mut engine, door, settings } =
        engine(plan, strategy, &told, state.epoch, (rings.orders.0, rings.cancels.0))?;
    let keep_warm = warm::keep_warm(&plan.config, strategy, &settings, &told, (depth_includes_us(plan), clock, scale));
    engine.know_earlier_runs(state.earlier().iter().map(|earlier| earlier.run));
    adopt(&mut engine, &mut asked, clock.now());
    let instruments: Vec<Instrument> = asked.iter().flat_map(|market| market.instruments.iter().copied()).collect();
    let mut between = BTreeMap::new();
    for (market, left) in asked.iter().zip(&left).filter(|_| plan.mode == RunMode::Live) {
        for (asset, sum) in left.incomes_until(market.started_at, &market.rest, &market.instruments)? {
            *between.entry(asset).or_insert(QuoteAtoms::ZERO) += sum;
        }
    }
    resume_day(&mut engine, (&day_book, &between), &instruments, plan.mode, clock.now())?;
    let mut missed = Vec::with_capacity(asked.len());
    let mut markets = Vec::with_capacity(asked.len());
    let mut gateways = Vec::with_capacity(asked.len());
    for (place, market) in asked.iter().enumerate() {
        markets.push(market.connections(place, state.epoch)?);
        gateways.push(market.lane(plan.mode, door.clone(), left[place].named(), (state.epoch, state.salt))?);
        left[place].compare(&market.instruments, |instrument| market.held(instrument));
        let lane = gateways.last_mut().expect("just pushed");
        missed.push(book_missed(&left[place], &mut lane.gateway, &mut engine)?);
    }
    let (killed, kills) = hold_killed(plan, &mut engine, &mut gateways, clock.now())?;
    let lanes = gateways.iter_mut().zip(&asked).zip(left.iter_mut().zip(missed));
    let journals = begin_journals(plan, &state, clock.now(), lanes, &kills)?;
    let decisions = journals.as_ref().map(|_| tell_decisions(&mut engine));
    let accounts = || asked.iter().filter_map(|market| market.rescue(plan.mode).transpose()).collect::<Result<_, _>>();
    let (rescuer, timed) = (Rescuer::new(accounts()?), accounts()?);
    let urls = asked
        .iter()
        .map(|market| VenueUrls::new(&market.plan.market.rest_url, market.plan.config.venue, &market.instruments));
    let fetchers = asked.iter().map(|market| market.fetcher.clone()).collect();
    let slots = asked.iter().map(|market| market.instruments.len()).sum::<usize>().max(4);
    let (mailbox, worker) = snapshots::new(slots, fetchers, SessionUrls(urls.collect()), |error: &FetchError| {
        tracing::warn!("a snapshot could not be fetched: {error}");
    });
    let lines = asked.iter().map(AskedMarket::rest_line).collect();
    let (rest, rest_workers) = rest_calls::new(lines, |request: &RestRequest, error: &FetchError| {
        tracing::warn!("{request:?} brought nothing: {error}");
    });
    let agents = Agents {
        engine,
        keep_warm,
        markets,
        hot_executions: rings.executions.1,
        mailbox,
        snapshots: worker,
        gateways,
        io_rings: GatewayRings {
            cancels: rings.cancels.1,
            orders: rings.orders.1,
            executions: rings.executions.0,
            decisions,
        },
        io_settings: GatewayLoopSettings { rest: Some(rest), ..io_settings(plan.mode) },
        rest_workers,
        killed,
        clock,
        scale,
    };
    let markets = asked.into_iter().zip(left).map(|(market, left)| PreparedMarket {
        instruments: market.instruments,
        rest: market.rest,
        start: market.start,
        started_at: market.started_at,
        missed: left.untold().to_vec(),
    });
    Ok(Prepared { markets: markets.collect(), agents, day_book, journals, state, rescuer, timed })
}

/// The engine goes on with the orders of earlier runs that were taken over, and their gateways with those that it took.
fn adopt<S: Strategy>(engine: &mut Engine<S>, asked: &mut [AskedMarket<'_>], now: Nanos) {
    let until = now + ADOPT_WITHIN + BOOKS_WITHIN;
    for market in asked {
        market.taken_over.orders.retain(|one| engine.adopt(&one.order, until));
    }
}

/// Asks every venue, after what the last run left there was cleared.
fn ask_markets<'a>(
    plan: &'a Plan,
    state: &StateDir,
    clock: Clock,
    left: &mut [LeftBehind],
) -> Result<Vec<AskedMarket<'a>>, Failure> {
    let mut asked: Vec<AskedMarket<'_>> = Vec::with_capacity(plan.markets.len());
    for (market, left) in plan.markets.iter().zip(left) {
        let first_id = asked.iter().map(|market| market.instruments.len()).sum();
        let within = Duration::from_secs(plan.config.engine.start_retry_seconds.into());
        let keeps = plan.adopts();
        asked.push(retry::ask(within, || {
            // Who waits for a venue is stopped as well as who trades.
            state.refuse_killed()?;
            let ours = state.earlier();
            let mut market =
                AskedMarket::ask(market, plan.mode, first_id, clock, |rest, instruments| match plan.mode {
                    RunMode::Live => {
                        lease::hold(rest, instruments, ours, (plan.take_over, keeps), std::thread::sleep)?;
                        clear_late(left, rest, instruments, (ours, clock, keeps))
                    }
                    _ => Ok(()),
                })?;
            if keeps {
                taken_over::look(&plan.config, left, &mut market, ours)?;
            }
            Ok(market)
        })?);
    }
    Ok(asked)
}

/// From here on the engine tells what it decides and why.
fn tell_decisions<S>(engine: &mut Engine<S>) -> Consumer<TraceRecord> {
    let (told, decisions) = ring::channel(DECISION_RING_SLOTS);
    engine.set_trace(told);
    decisions
}

/// A journal for each gateway, with what is known of the run before.
fn begin_journals<'a, 'b: 'a>(
    plan: &Plan,
    state: &StateDir,
    now: Nanos,
    lanes: impl Iterator<Item = ((&'a mut GatewayLane, &'a AskedMarket<'b>), (&'a mut LeftBehind, Vec<ExecutionEvent>))>,
    kills: &[ScopedKill],
) -> Result<Option<Journals>, Failure> {
    let words_since = |left: &LeftBehind| {
        left.last_run.map_or_else(Vec::new, |since| rearmings_since(&plan.config.engine.state_dir, since))
    };
    let beginnings = lanes.map(|((lane, market), (left, missed))| {
        // As it was before what was missed.
        let held = |instrument: &Instrument| {
            let lots = market.held(instrument)?.0.saturating_sub(left.untold_lots(instrument).0);
            Some((instrument.id, Lots(lots)))
        };
        Beginning {
            gateway: &mut lane.gateway,
            positions: market.instruments.iter().filter_map(held).collect(),
            missed,
            ends: std::mem::take(&mut left.ends),
            words: words_since(left).into_iter().chain(kills.iter().map(ScopedKill::held_text)).collect(),
        }
    });
    Journals::begin(plan, state, now, beginnings.collect())
}

/// Books what was filled after the last run was heard of last, each once by its id: the account has it, and no result has.
///
/// # Errors
/// No integer holds the result.
fn book_missed<S: Strategy>(
    left: &LeftBehind,
    gateway: &mut Gateway,
    engine: &mut Engine<S>,
) -> Result<Vec<ExecutionEvent>, Failure> {
    let listed = gateway.instruments().to_vec();
    for known in left.known_trades() {
        if let Some(instrument) = listed.iter().find(|instrument| instrument.symbol == known.symbol) {
            gateway.know_trade(instrument.id, known.trade, known.side, known.time);
        }
    }
    let events: Vec<ExecutionEvent> = left.untold().iter().filter_map(|trade| gateway.missed_fill(trade)).collect();
    for event in &events {
        engine
            .book_missed(event)
            .map_err(|error| Failure::failed("the last run's executions cannot be booked").because(error))?;
    }
    Ok(events)
}

/// What was killed before is not quoted from the first moment on: the instruments, and each kill that holds one.
fn hold_killed<S: Strategy>(
    plan: &Plan,
    engine: &mut Engine<S>,
    lanes: &mut [GatewayLane],
    now: Nanos,
) -> Result<(Vec<InstrumentId>, Vec<ScopedKill>), Failure> {
    let directory = &plan.config.engine.state_dir;
    let mut kills = kills::latched(directory).map_err(|error| {
        Failure::usage("what was killed before cannot be read")
            .at(directory.join(kills::KILLS_FILE).display())
            .because(error)
            .next("check the file's owner, or re-arm everything: spinbook rearm -c FILE --reason TEXT")
    })?;
    let of_lane = |lane: &GatewayLane| -> Vec<KillTarget> {
        lane.gateway.instruments().iter().map(|listed| plan.kill_target(listed)).collect()
    };
    let targets: Vec<KillTarget> = lanes.iter().flat_map(of_lane).collect();
    let strategy = plan.config.strategy.name();
    let mut held = Vec::new();
    kills.retain(|kill| {
        let covers = |target: &&KillTarget| kill.scope.covers(strategy, &target.venue, &target.symbol);
        let covered: Vec<&KillTarget> = targets.iter().filter(covers).collect();
        held.extend(covered.iter().map(|target| target.id));
        let labels: Vec<&str> = covered.iter().map(|target| target.label.as_str()).collect();
        if !labels.is_empty() {
            tracing::warn!("{}", kill_text(&kill.scope, &labels));
        }
        !labels.is_empty()
    });
    for id in &held {
        engine.set_instrument_killed(*id, true);
        lanes.iter_mut().for_each(|lane| lane.gateway.stop_instrument(*id, now));
    }
    Ok((held, kills))
}

/// What earlier runs earned today, with what came by itself since the last, and what they left. A simulated account begins
/// anew with every run: nothing of its positions is left.
fn resume_day<S: Strategy>(
    engine: &mut Engine<S>,
    (day_book, between): (&DayBook, &BTreeMap<Symbol, QuoteAtoms>),
    instruments: &[Instrument],
    mode: RunMode,
    now: Nanos,
) -> Result<(), Failure> {
    for (group, asset) in engine_settings::quote_assets(instruments).iter().enumerate() {
        if let Some((mut before, stopped)) = day_book.resumed(asset.as_str(), now) {
            before.earned += between.get(asset).copied().unwrap_or_default();
            engine.resume_day(AssetGroupId(group as u8), before, stopped);
        }
    }
    for instrument in instruments.iter().filter(|_| mode == RunMode::Live) {
        if let Some((lots, mid_doubled)) = day_book.left(instrument)? {
            engine.resume_position(instrument.id, lots, mid_doubled);
        }
    }
    Ok(())
}

/// Waits until no order of the last run can be accepted any more, cancels what came late, and asks what became of them
/// all. What was open was cancelled before the wait; a start that keeps what is open only waits.
fn clear_late(
    left: &mut LeftBehind,
    rest: &VenueRest,
    instruments: &[Instrument],
    (ours, clock, keeps): (&[RunName], Clock, bool),
) -> Result<(), Failure> {
    let wait = left.late_for(clock.now());
    if wait > Nanos::ZERO {
        tracing::info!("waiting {} ms: an order of the last run may still be on its way", wait.millis() + 1);
        std::thread::sleep(Duration::from_nanos(wait.0.unsigned_abs()));
        if !keeps {
            lease::clear_late(rest, instruments, ours)?;
        }
    }
    if !keeps {
        left.ask(rest, instruments, ours);
    }
    Ok(())
}

/// An engine, and what it was made of.
pub(super) struct Made<S> {
    pub(super) engine: Engine<S>,
    pub(super) door: Door,
    pub(super) settings: setup::EngineSettings,
}

/// The engine of all markets, and the limits that their gateways hold orders against once more.
///
/// # Errors
/// A setting that cannot be used.
pub(super) fn engine<C: StrategySection>(
    plan: &Plan,
    strategy: &C,
    markets: &[ToldMarket<'_>],
    epoch: u32,
    (orders, cancels): (Producer<Intent>, Producer<Intent>),
) -> Result<Made<C::Strategy>, Failure> {
    let config = &plan.config;
    let told: Vec<_> = markets.iter().map(|market| (market.config, market.instruments, market.windows)).collect();
    let mut settings = engine_settings::engine_settings(config, &told, epoch)?;
    let instruments: Vec<Instrument> = markets.iter().flat_map(|market| market.instruments.iter().copied()).collect();
    for market in markets {
        if let Some(start) = market.start {
            set_inventory(&mut settings.instruments, market.config.venue, market.instruments, start)?;
            for instrument in market.instruments {
                let entry = &settings.instruments[instrument.id.index()];
                if entry.lots_start != Lots::ZERO {
                    let held = instrument.quantity.decimal(entry.lots_start.0).normalize();
                    let flat = if entry.lots_neutral == entry.lots_start { ", which counts as flat" } else { "" };
                    tracing::info!("{}: the account begins with a position of {held}{flat}", plan.label(instrument));
                }
            }
        }
    }
    let door = Door {
        limits: order_limits(&settings.instruments),
        order_latency_max: Nanos(i64::from(config.risk.order_latency_p99_max_us) * 1_000),
    };
    let looked_at = markets.iter().zip(&settings.budgets).flat_map(|(market, budget)| {
        market.instruments.iter().zip(market.best).map(|(instrument, best)| Quotable {
            instrument,
            label: plan.label(instrument),
            setup: &settings.instruments[instrument.id.index()],
            budget,
            best: *best,
        })
    });
    for widened in strategy.look(&config.risk, &looked_at.collect::<Vec<_>>())? {
        match plan.mode {
            // Nobody wrote the demo's configuration.
            RunMode::Demo => tracing::info!("{}", widened.note()),
            _ => tracing::warn!("{}", widened.warning()),
        }
    }
    markets.iter().try_for_each(|market| say_fees(market.config))?;
    let strategy = strategy.make(&config.risk, &instruments, depth_includes_us(plan))?;
    let beyond = beyond_limit(&settings.instruments);
    let mut engine = setup::engine(settings.clone(), strategy, orders, cancels)
        .map_err(|error| Failure::usage("the engine cannot be set up").because(error))?;
    let listed: Vec<_> = markets.iter().map(|market| (market.config, market.instruments)).collect();
    for market in markets {
        for instrument in market.instruments {
            engine.set_reference(instrument.id, references::reference(market.config, instrument, &listed)?);
            engine.set_feed_lag_max(instrument.id, market.feed_lag_max);
            engine.set_outer_levels_max(instrument.id, market.config.book_levels_max as usize);
        }
    }
    joint_limits::set(&mut engine, &config.risk, &instruments)?;
    for id in beyond {
        engine.set_instrument_state(id, TradingState::ReduceOnly);
        say_reduce_only(&instruments[id.index()], engine.position(id).exposure(), config);
    }
    Ok(Made { engine, door, settings })
}

/// The instruments whose position at the start is beyond its limit already: whatever led there, nothing may add to it.
fn beyond_limit(setups: &[setup::InstrumentSetup]) -> Vec<InstrumentId> {
    let is_beyond = |entry: &setup::InstrumentSetup| {
        let exposure = i128::from(entry.lots_start.0) - i128::from(entry.lots_neutral.0);
        exposure.abs() > i128::from(entry.risk.position_lots_max.0)
    };
    let ids = (0..).map(InstrumentId).zip(setups);
    ids.filter(|(_, entry)| is_beyond(entry)).map(|(id, _)| id).collect()
}

/// The fees that profit and edge are reckoned with, and whose they are.
fn say_fees(market: &MarketConfig) -> Result<(), Failure> {
    let (maker, taker) = engine_settings::fees(market)?;
    let bps = |millionths: i64| (Decimal::from(millionths) / Decimal::ONE_HUNDRED).normalize();
    let whose = match (market.maker_fee_bps, market.taker_fee_bps) {
        (Some(_), Some(_)) => "as configured",
        (None, None) => "the venue's standard; market.maker_fee_bps and taker_fee_bps set yours",
        _ => "one as configured, the other the venue's standard",
    };
    let name = market.venue.name();
    tracing::info!("{name}: fees in effect: maker {} bps, taker {} bps ({whose})", bps(maker), bps(taker));
    Ok(())
}

fn say_reduce_only(instrument: &Instrument, exposure: Lots, config: &Config) {
    tracing::warn!(
        "{}: the account holds {} at the start, beyond risk.position_max_base = {}: reduce-only for the whole run; \
         bring it within the limit and start again to quote both sides",
        instrument.symbol,
        instrument.quantity.decimal(exposure.0).normalize(),
        config.risk.position_max_base,
    );
}

fn io_settings(mode: RunMode) -> GatewayLoopSettings {
    GatewayLoopSettings {
        idle: Idle::Spin,
        // Orders at a venue that outlives this program: until it has confirmed, or until the second Ctrl-C.
        drain_within: if mode == RunMode::Live { Nanos::NEVER } else { DRAIN_WITHIN },
        on_connection_end: |venue: VenueId, connection: OrderConnection, error: &ConnectionError| {
            let name = ProductLine::from_venue_id(venue).map_or("", ProductLine::name);
            let text = format!("order connection {connection:?} of {name} ended: {error}");
            news::tell(Weight::Warning, text);
        },
        rest: None,
    }
}

/// Whether the market's depth includes our own orders.
fn depth_includes_us(plan: &Plan) -> bool {
    matches!(plan.mode, RunMode::Live | RunMode::Demo)
}

fn set_inventory(
    setups: &mut [setup::InstrumentSetup],
    venue: ProductLine,
    instruments: &[Instrument],
    start: &AccountPoint,
) -> Result<(), Failure> {
    for instrument in instruments {
        let held = start
            .inventory(venue, instrument)
            .map_err(|error| Failure::failed("the account's holdings cannot be taken over").because(error))?;
        if held != Lots::ZERO && !venue.holds_inventory() {
            let position = instrument.quantity.decimal(held.0).normalize();
            tracing::warn!(
                "{}: the account holds a position of {position} at the start: it is taken over",
                instrument.symbol
            );
        }
        let entry = &mut setups[instrument.id.index()];
        entry.lots_start = held;
        entry.lots_neutral = if venue.holds_inventory() { held } else { Lots::ZERO };
    }
    Ok(())
}

fn order_limits(setups: &[setup::InstrumentSetup]) -> Vec<OrderLimits> {
    let limits = setups.iter().map(|entry| OrderLimits {
        lots_max: entry.risk.order_lots_max,
        notional_max: entry.risk.order_notional_max,
        open_orders_max: entry.risk.open_orders_max,
        position_lots_max: entry.risk.position_lots_max,
        position_lots_start: Lots(entry.lots_start.0.saturating_sub(entry.lots_neutral.0)),
        price_collar_millionths: Some(entry.risk.price_collar_millionths),
    });
    limits.collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use spinbook_feed::testkit::instrument;
    use spinbook_feed::venue::account::AccountPoint;

    use super::*;
    use crate::config::sample::ConfigText;

    /// What a start with this position leads to: which instruments only reduce.
    fn reducing(position_lots: i64) -> Vec<InstrumentId> {
        let text = ConfigText::sample().commented();
        let config = Config::from_text(&text, "t.toml", Path::new(""), &[], &[]).expect("the sample is valid");
        let market = &config.markets[0];
        let listed = [instrument(market.venue, 0, "BTCUSDT", "0.10", "0.001")];
        let mut settings =
            engine_settings::engine_settings(&config, &[(market, &listed, &[])], 1).expect("the sample is valid");
        let positions = vec![(InstrumentId(0), Lots(position_lots))];
        let start = AccountPoint { balances: Vec::new(), positions };
        set_inventory(&mut settings.instruments, market.venue, &listed, &start).expect("whole lots");
        assert_eq!(settings.instruments[0].risk.position_lots_max, Lots(50), "0.05 of the sample");
        beyond_limit(&settings.instruments)
    }

    #[test]
    fn a_position_beyond_its_limit_at_the_start_is_only_reduced() {
        for within in [0, 50, -50] {
            assert!(reducing(within).is_empty(), "{within}");
        }
        for beyond in [51, -51, i64::MAX, i64::MIN + 1] {
            assert_eq!(reducing(beyond), [InstrumentId(0)], "{beyond}");
        }
    }
}
