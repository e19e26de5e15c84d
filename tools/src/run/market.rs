//! COLD: one market of a run: what its venue answers before anything starts, and the agents made of that.

use rust_decimal::Decimal;
use spinbook_engine::types::{InstrumentId, Lots, Nanos};
use spinbook_feed::connect_budget::ConnectPurpose;
use spinbook_feed::gateway::adoptable::AdoptableOrder;
use spinbook_feed::gateway::earlier::EarlierOrder;
use spinbook_feed::gateway::fees::FeePrice;
use spinbook_feed::gateway::limits::OrderLimits;
use spinbook_feed::gateway::{Gateway, GatewayMode, GatewaySettings};
use spinbook_feed::net::connection::connector::Connector;
use spinbook_feed::net::connection::tls::Trust;
use spinbook_feed::net::connection::{ConnectionError, ConnectionLimits};
use spinbook_feed::net::host::clock::Clock;
use spinbook_feed::net::hot::market_connections::MarketConnections;
use spinbook_feed::net::io::fetch::Fetcher;
use spinbook_feed::net::io::gateway_loop::GatewayLane;
use spinbook_feed::net::io::rest_calls::RestLine;
use spinbook_feed::session::{MarketSession, SessionSettings};
use spinbook_feed::venue::ProductLine;
use spinbook_feed::venue::account::{AccountPoint, TradeRecord};
use spinbook_feed::venue::card::{Environment, RateWindow};
use spinbook_feed::venue::instrument::{Instrument, InstrumentStatus, Symbol};
use spinbook_feed::venue::order_ids::RunName;

use super::addresses::{attempts_at, route, trust};
use super::engine_settings;
use super::news::{self, Weight};
use super::plan::{FinishedMarket, MarketPlan, RunMode, VenueSide};
use super::rescue::RescueAccount;
use super::venue_rest::{VenueLine, VenueRest};
use crate::config::forms;
use crate::config::tables::MarketConfig;
use crate::config::value::KeyRights;
use crate::error::Failure;

/// Most instruments whose prices are asked for before the start.
const PRICES_ASKED_MAX: usize = 20;

/// How long after its timestamp the venue may still carry out a cancel of all: late is better than never.
const RESCUE_WINDOW_MS: i64 = 10_000;

/// Executions from so long before the account was read may still be told: our measure of the venue's clock is not exact.
const CLOCK_MARGIN: Nanos = Nanos::from_seconds(1);

/// What of earlier runs a market's run goes on with.
#[derive(Clone, Debug, Default)]
pub(super) struct TakenOver {
    /// The orders.
    pub(super) orders: Vec<AdoptableOrder>,
    /// The runs that they are of.
    pub(super) runs: Vec<RunName>,
}

/// What a venue answered before anything started.
pub(super) struct AskedMarket<'a> {
    /// What was planned.
    pub(super) plan: &'a MarketPlan,
    /// What is traded there, numbered over all markets of the run.
    pub(super) instruments: Vec<Instrument>,
    /// The best bid and ask of each, as asked for; none where the venue did not say, or there are too many to ask for.
    pub(super) best: Vec<Option<(Decimal, Decimal)>>,
    /// The venue's windows; empty where it states none.
    pub(super) windows: Vec<RateWindow>,
    /// The largest lag of its feed by our clock, which the venue's is ahead of by what was measured.
    pub(super) feed_lag_max: Nanos,
    /// Fetches snapshots.
    pub(super) fetcher: Fetcher,
    /// Asks for the account.
    pub(super) rest: VenueRest,
    /// The account before the first order; none where orders never leave.
    pub(super) start: Option<AccountPoint>,
    /// Since when executions count, in the venue's time.
    pub(super) started_at: Nanos,
    /// What of earlier runs it goes on with.
    pub(super) taken_over: TakenOver,
    market_trust: Trust,
    order_trust: Trust,
}

/// What the engine is told of one market.
pub(super) struct ToldMarket<'a> {
    /// Its configuration.
    pub(super) config: &'a MarketConfig,
    /// What is traded there, numbered over all markets of the run.
    pub(super) instruments: &'a [Instrument],
    /// The venue's windows; empty where it states none.
    pub(super) windows: &'a [RateWindow],
    /// The best bid and ask of each, where they are known.
    pub(super) best: &'a [Option<(Decimal, Decimal)>],
    /// The largest lag of its feed by our clock.
    pub(super) feed_lag_max: Nanos,
    /// The account before the first order; none where orders never leave.
    pub(super) start: Option<&'a AccountPoint>,
}

impl<'a> AskedMarket<'a> {
    /// Asks the venue. Its instruments are numbered from `first_id`. `lease` judges whether the account may be traded
    /// before anything is read of it: what it waits for would make that old.
    ///
    /// # Errors
    /// The venue cannot be reached or refuses, an instrument cannot be traded, or the account is not the named one.
    pub(super) fn ask(
        plan: &'a MarketPlan,
        mode: RunMode,
        first_id: usize,
        clock: Clock,
        lease: impl FnOnce(&VenueRest, &[Instrument]) -> Result<(), Failure>,
    ) -> Result<AskedMarket<'a>, Failure> {
        let (venue, window) = (plan.config.venue, i64::from(plan.config.receive_window_ms));
        let market_trust = trust(plan.market.ca_file.as_ref())?;
        let order_trust = trust(plan.orders.ca_file.as_ref())?;
        let mut market_rest = VenueRest::new(&market_trust, &plan.market.rest_url, venue, None, window, clock);
        let credentials = plan.keys.credentials(&plan.config)?;
        let mut rest = VenueRest::new(&order_trust, &plan.orders.rest_url, venue, Some(credentials), window, clock);
        let list = market_rest.exchange_info()?;
        let instruments = numbered(instruments(&market_rest, &list, &plan.config)?, first_id)?;
        let windows = market_rest.windows(&list)?;
        let feed_lag_max = match plan.config.feed_lag_max_ms {
            0 => Nanos::NEVER,
            most => Nanos::from_millis(i64::from(most)) - market_rest.clock_offset()?,
        };
        let best = best_prices(&market_rest, &instruments);
        // Shadow orders never leave, so no account stands behind them.
        let (start, started_at) = if mode == RunMode::Shadow {
            (None, clock.now())
        } else {
            rest.measure_clock()?;
            if mode == RunMode::Live {
                check_key_rights(plan, &rest)?;
            }
            lease(&rest, &instruments)?;
            let started_at = rest.venue_time();
            (Some(account_at_start(plan, mode, &rest, &instruments)?), started_at)
        };
        Ok(AskedMarket {
            plan,
            instruments,
            best,
            windows,
            feed_lag_max,
            fetcher: market_rest.line.fetcher,
            rest,
            start,
            started_at,
            taken_over: TakenOver::default(),
            market_trust,
            order_trust,
        })
    }

    /// Reads the account of a live run anew.
    ///
    /// # Errors
    /// The venue cannot be reached or refuses, or the account is not the named one.
    pub(super) fn read_account(&mut self) -> Result<(), Failure> {
        self.started_at = self.rest.venue_time();
        self.start = Some(account_at_start(self.plan, RunMode::Live, &self.rest, &self.instruments)?);
        Ok(())
    }

    /// What counts against the limit of the position at the start: what a spot account holds then counts as flat.
    pub(super) fn exposure(&self, instrument: &Instrument) -> Lots {
        let flat = self.plan.config.venue.holds_inventory();
        self.held(instrument).filter(|_| !flat).unwrap_or(Lots::ZERO)
    }

    /// What the account held of an instrument at the start; none where it was not asked.
    pub(super) fn held(&self, instrument: &Instrument) -> Option<Lots> {
        self.start.as_ref()?.inventory(self.plan.config.venue, instrument).ok()
    }

    /// What the engine is told of it.
    pub(super) fn told(&self) -> ToldMarket<'_> {
        ToldMarket {
            config: &self.plan.config,
            instruments: &self.instruments,
            windows: &self.windows,
            best: &self.best,
            feed_lag_max: self.feed_lag_max,
            start: self.start.as_ref(),
        }
    }

    /// The session and its connections.
    ///
    /// # Errors
    /// The market cannot be subscribed to, or its address is not found.
    pub(super) fn connections(&self, place: usize, epoch: u32) -> Result<MarketConnections, Failure> {
        let market = &self.plan.config;
        let session = MarketSession::new(market.venue, &self.instruments, session_settings(market, epoch))
            .map_err(|error| Failure::usage("the market cannot be subscribed").at("market.symbols").because(error))?;
        let (url, limits) = (&self.plan.market.stream_url, ConnectionLimits::PUBLIC);
        let streams = route(url, "", &self.market_trust, limits, "market.stream_url")?;
        let streams = streams.within(attempts_at(market.venue), ConnectPurpose::Market);
        Ok(MarketConnections::new(session, streams, place, |path, error: &ConnectionError| {
            news::tell(Weight::Warning, format!("market connection {path} ended: {error}"));
        }))
    }

    /// What cancels over REST, on connections of its own; none where orders never leave.
    ///
    /// # Errors
    /// The credentials cannot be used.
    pub(super) fn rescue(&self, mode: RunMode) -> Result<Option<RescueAccount>, Failure> {
        if mode == RunMode::Shadow {
            return Ok(None);
        }
        let (market, url) = (&self.plan.config, &self.plan.orders.rest_url);
        let credentials = Some(self.plan.keys.credentials(market)?);
        let clock = self.rest.line.clock();
        let mut rest = VenueRest::new(&self.order_trust, url, market.venue, credentials, RESCUE_WINDOW_MS, clock);
        rest.take_clock_of(&self.rest);
        Ok(Some(RescueAccount {
            rest,
            instruments: self.instruments.clone(),
            receive_window: Nanos::from_millis(market.receive_window_ms.into()),
        }))
    }

    /// From when on the gateway books executions. Those of orders that live on are known each by its id.
    fn booked_from(&self) -> Nanos {
        match self.taken_over.orders.is_empty() {
            true => self.started_at,
            false => self.started_at - CLOCK_MARGIN,
        }
    }

    /// Where the gateway's requests over REST go.
    pub(super) fn rest_line(&self) -> RestLine {
        RestLine::new(&self.order_trust, &self.plan.orders.rest_url)
    }

    /// The gateway and the way to its connections.
    ///
    /// # Errors
    /// The credentials cannot be used, or an address is not found.
    pub(super) fn lane(
        &self,
        mode: RunMode,
        door: Door,
        earlier_orders: &[EarlierOrder],
        run: (u32, u64),
    ) -> Result<GatewayLane, Failure> {
        let (plan, market) = (self.plan, &self.plan.config);
        let held = |instrument: &Instrument| self.held(instrument).map(|lots| (instrument.id, lots));
        let begun = AccountBegun {
            at: (mode != RunMode::Shadow).then_some(self.booked_from()),
            taken_over: self.taken_over.clone(),
            held: self.instruments.iter().filter_map(held).collect(),
            earlier_orders: earlier_orders.to_vec(),
        };
        let gateway = gateway(plan, mode, (&self.instruments, &self.windows), door, begun, run)?;
        let (target, limits, trust) = (market.venue.order_path(), ConnectionLimits::PRIVATE, &self.order_trust);
        let counted = |connector: Connector| connector.within(attempts_at(market.venue), ConnectPurpose::Orders);
        Ok(GatewayLane {
            gateway,
            orders: counted(route(&plan.orders.ws_api_url, target, trust, limits, "market.ws_api_url")?),
            user_data: counted(route(&plan.orders.stream_url, "", trust, limits, "market.stream_url")?),
        })
    }
}

/// What gateways hold orders against once more, on their own.
#[derive(Clone)]
pub(super) struct Door {
    /// The limits of every instrument of the run.
    pub(super) limits: Vec<OrderLimits>,
    /// How long an order may take from its decision.
    pub(super) order_latency_max: Nanos,
}

/// Of a window that is so small that our share of it is no order at all.
fn no_room(window: &RateWindow) -> Failure {
    Failure::failed("the venue's rate limits leave no room for an order")
        .because(format!("{:?}: {} in {} s are allowed", window.kind, window.limit, window.span.millis() / 1_000))
        .next("nothing would ever be ordered: ask the venue for this account's limits")
}

/// What the instruments cost now. It is only looked at: a venue that does not say keeps no run from starting.
pub(super) fn best_prices<L: VenueLine>(
    rest: &VenueRest<L>,
    instruments: &[Instrument],
) -> Vec<Option<(Decimal, Decimal)>> {
    let mut is_answered = instruments.len() <= PRICES_ASKED_MAX;
    let ask = |instrument: &Instrument| {
        let best = is_answered.then(|| rest.best_prices(instrument.symbol.as_str()))?;
        best.unwrap_or_else(|failure| {
            // Whoever is refused does not ask on.
            is_answered = false;
            let why = failure.why.clone().unwrap_or_else(|| failure.what.clone());
            tracing::warn!("{}: its price is not known before the start: {why}", instrument.symbol);
            None
        })
    };
    instruments.iter().map(ask).collect()
}

/// The account when a run takes it over.
pub(super) struct AccountBegun {
    /// From this time of the venue on its executions are the run's; none where that is not known.
    pub(super) at: Option<Nanos>,
    /// What was held then, in lots.
    pub(super) held: Vec<(InstrumentId, Lots)>,
    /// Orders of earlier runs that it goes on with.
    pub(super) taken_over: TakenOver,
    /// Orders of earlier runs that the venue told of.
    pub(super) earlier_orders: Vec<EarlierOrder>,
}

/// The gateway of a market. `limits` are those of every instrument of the run, whose number and random bits are the last.
///
/// # Errors
/// The credentials cannot be used, or the venue's windows leave no room for an order.
pub(super) fn gateway(
    plan: &MarketPlan,
    mode: RunMode,
    (instruments, windows): (&[Instrument], &[RateWindow]),
    door: Door,
    begun: AccountBegun,
    (epoch, salt): (u32, u64),
) -> Result<Gateway, Failure> {
    let market = &plan.config;
    let gateway_mode = if mode == RunMode::Shadow { GatewayMode::Shadow } else { GatewayMode::Live };
    let mut settings = GatewaySettings::new(market.venue, gateway_mode, epoch, door.limits);
    settings.order_latency_max = door.order_latency_max;
    settings.salt = salt;
    (settings.trades_from, settings.held_at_start) = (begun.at, begun.held);
    (settings.adoptable, settings.earlier_runs) = (begun.taken_over.orders, begun.taken_over.runs);
    settings.earlier_orders = begun.earlier_orders;
    settings.receive_window_ms = i64::from(market.receive_window_ms);
    settings.fee_prices = fee_prices(market)?;
    if !windows.is_empty() {
        settings.rates = windows.to_vec();
    }
    if let Some(shut) = settings.shut_window() {
        return Err(no_room(&shut).at(&plan.orders.rest_url));
    }
    Ok(Gateway::new(settings, plan.keys.credentials(market)?, instruments.to_vec()))
}

/// What the configuration says third assets are worth.
fn fee_prices(market: &MarketConfig) -> Result<Vec<FeePrice>, Failure> {
    let Some(text) = &market.fee_price_quote else { return Ok(Vec::new()) };
    let refuse = |why: String| Failure::usage(format!("`market.fee_price_quote` = {text}: {why}"));
    let (asset, price) = forms::split_asset_price(text).map_err(refuse)?;
    let asset = Symbol::new(asset).ok_or_else(|| refuse("is no asset".to_owned()))?;
    Ok(vec![FeePrice { asset, quote: engine_settings::quote_atoms(price, "market.fee_price_quote")? }])
}

/// The same instruments with ids from `first`.
pub(super) fn numbered(mut instruments: Vec<Instrument>, first: usize) -> Result<Vec<Instrument>, Failure> {
    for (place, instrument) in instruments.iter_mut().enumerate() {
        let id = u16::try_from(first + place).map_err(|_| Failure::usage("too many instruments").at("market"))?;
        instrument.id = InstrumentId(id);
    }
    Ok(instruments)
}

/// The configured instruments of the venue's list, all of which must take orders.
///
/// # Errors
/// One is not listed, cannot be traded exactly, or takes no orders now.
pub fn instruments<L: VenueLine>(
    rest: &VenueRest<L>,
    list: &[u8],
    market: &MarketConfig,
) -> Result<Vec<Instrument>, Failure> {
    let symbols: Vec<&str> = market.symbols.iter().map(String::as_str).collect();
    let instruments = rest.find_instruments(list, &symbols)?;
    match instruments.iter().find(|instrument| instrument.status != InstrumentStatus::Trading) {
        None => Ok(instruments),
        Some(closed) => Err(Failure::failed(format!("{} takes no orders now", closed.symbol))
            .at("market.symbols")
            .because("the venue's instrument list says so")
            .next("leave it out, or wait until it trades")),
    }
}

/// A key that may withdraw is not traded with: whoever gets hold of this machine gets no more than the trading.
///
/// # Errors
/// It may, or nobody knows where that is required.
fn check_key_rights(plan: &MarketPlan, rest: &VenueRest) -> Result<(), Failure> {
    let (market, name) = (&plan.config, plan.config.venue.name());
    let production = market.environment == Some(Environment::Production);
    let wanted = market.key_rights.unwrap_or(if production { KeyRights::Required } else { KeyRights::Asked });
    if wanted == KeyRights::Never {
        tracing::info!("{name}: nobody asked whether the key may withdraw (market.key_rights = \"never\")");
        return Ok(());
    }
    let url = market.venue.card().orders.and_then(|orders| orders.key_rights_url);
    let answer = match (market.environment, url) {
        (Some(Environment::Production), Some(url)) => {
            let window = i64::from(market.receive_window_ms);
            let credentials = Some(plan.keys.credentials(market)?);
            let clock = rest.line.clock();
            let mut elsewhere = VenueRest::new(&trust(None)?, url, market.venue, credentials, window, clock);
            elsewhere.take_clock_of(rest);
            elsewhere.key_rights()
        }
        (Some(Environment::Testnet), _) | (_, None) => Err(Failure::failed("it does not say what a key may do")),
        _ => rest.key_rights(),
    };
    match answer {
        Ok(rights) if rights.may_withdraw => Err(Failure::usage("the API key may withdraw: nothing is traded with it")
            .at(format!("{name}: {}", rest.line.place()))
            .because("a key that is stolen from this machine would empty the account")
            .next("make one without the right to withdraw, bound to this machine's address")),
        Ok(rights) => {
            if !rights.is_bound_to_address {
                tracing::warn!("{name}: the API key is taken from any address: bind it to this machine's at the venue");
            }
            Ok(())
        }
        Err(failure) if wanted == KeyRights::Required => {
            let why = failure.why.clone().unwrap_or_else(|| failure.what.clone());
            Err(Failure::failed("whether the API key may withdraw is not known")
                .at(format!("{name}: {}", rest.line.place()))
                .because(why)
                .next("market.key_rights = \"asked\" where you know it from elsewhere: such as a key of futures alone"))
        }
        Err(failure) => {
            let why = failure.why.clone().unwrap_or_else(|| failure.what.clone());
            tracing::warn!("{name}: whether the API key may withdraw is not known: {why}");
            Ok(())
        }
    }
}

fn account_at_start(
    plan: &MarketPlan,
    mode: RunMode,
    rest: &VenueRest,
    instruments: &[Instrument],
) -> Result<AccountPoint, Failure> {
    rest.check_mode()?;
    let (point, id) = rest.point(instruments)?;
    if mode == RunMode::Live {
        let field = plan.config.venue.card().orders.map_or("", |orders| orders.account_field);
        let answered = id.ok_or_else(|| Failure::failed(format!("the venue's answer has no `{field}`")))?;
        if plan.account.as_deref() != Some(answered.as_str()) {
            let venue = plan.config.venue.name();
            return Err(Failure::usage(format!("--account is not the account of these credentials on {venue}"))
                .at("--account")
                .because(format!("the venue's field `{field}` says {answered}"))
                .next(format!("if that is the account you mean: --account {answered}, or {venue}={answered}")));
        }
    }
    Ok(point)
}

/// What came of a market, by the venue's account after the last order. What is held is asked first: it can be compared
/// also where the executions cannot be read. `missed` are executions before the start that this run booked.
pub(super) fn finished<L: VenueLine>(
    rest: &VenueRest<L>,
    instruments: Vec<Instrument>,
    (start, started_at): (AccountPoint, Nanos),
    missed: Vec<TradeRecord>,
) -> FinishedMarket {
    let mut held = Vec::new();
    let asked = rest.point(&instruments).and_then(|(end, _)| {
        held = instruments.iter().map(|instrument| inventory(instrument, &end)).collect();
        let before = instruments.first().and_then(|instrument| ProductLine::from_venue_id(instrument.venue));
        let start = match before {
            Some(line) => start.before(line, &instruments, &missed).map_err(|error| {
                Failure::wrong("the account before the last run's executions cannot be stated").because(error)
            })?,
            None => start,
        };
        let mut trades = missed;
        let mut open_orders = 0;
        for instrument in &instruments {
            trades.extend(rest.trades_since(instrument, started_at)?);
            open_orders += rest.open_orders(instrument, &[])?.len();
        }
        Ok(VenueSide { start, end, trades, incomes: rest.incomes_since(&instruments, started_at)?, open_orders })
    });
    let (venue, venue_failure) = match asked {
        Ok(venue) => (Some(venue), None),
        Err(failure) => (None, Some(failure)),
    };
    FinishedMarket { instruments, venue, held, venue_failure }
}

fn inventory(instrument: &Instrument, end: &AccountPoint) -> Option<Lots> {
    end.inventory(ProductLine::from_venue_id(instrument.venue)?, instrument).ok()
}

/// How the market session behaves, as configured.
#[must_use]
pub fn session_settings(market: &MarketConfig, epoch: u32) -> SessionSettings {
    let mut settings = SessionSettings::of(market.venue);
    if let Some(depth) = &market.depth_stream {
        settings.channels.depth.clone_from(depth);
    }
    if let Some(limit) = market.snapshot_limit.and_then(|limit| u16::try_from(limit).ok()) {
        settings.snapshot_levels = limit;
    }
    settings.seed = u64::from(epoch);
    settings
}
