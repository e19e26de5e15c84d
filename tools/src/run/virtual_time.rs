//! COLD: a run in virtual time: the same engine, sessions, gateways and exchange in one thread, with the same report.
//!
//! No clock is read and no socket opened, so one seed is one run: the same orders, fills and figures to the last
//! digit, on any machine and however busy it is.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rust_decimal::Decimal;
use spinbook_engine::intent::Intent;
use spinbook_engine::ring::Consumer;
use spinbook_engine::strategy::Strategy;
use spinbook_engine::types::Nanos;
use spinbook_feed::backtest::{Backtest, BacktestSettings, BacktestVenue, Unobserved};
use spinbook_feed::net::hot::hot_shared::HotShared;
use spinbook_feed::net::io::fetch::FetchError;
use spinbook_feed::net::io::gateway_loop::{GatewayEnd, GatewayShared};
use spinbook_feed::session::MarketSession;
use spinbook_feed::sim::paper::{PaperExchange, PaperSettings};
use spinbook_feed::sim::side::{
    ClientControl, ConnectionId, ExchangeOutput, ExchangeSide, ExchangeStatus, HttpRequest, HttpResponse, MarketFrame,
};
use spinbook_feed::venue::ProductLine;
use spinbook_feed::venue::account::{AccountPoint, RestRequest};
use spinbook_feed::venue::card::RateWindow;
use spinbook_feed::venue::instrument::Instrument;

use super::day_book::DayBook;
use super::market::{
    self, AccountBegun, TakenOver, ToldMarket, best_prices, gateway, instruments, numbered, session_settings,
};
use super::plan::{Finished, FinishedMarket, MarketPlan, Plan, Stop};
use super::report::report;
use super::setup::{self, Made};
use super::strategy::StrategySection;
use super::topology::{Ended, Rings};
use super::trading_stops::TradingStops;
use super::venue_rest::{VenueLine, VenueRest};
use crate::config::strategies::StrategyConfig;
use crate::error::Failure;
use crate::outcome::Done;

/// The moment at which every such run begins: 2026-01-01 00:00:00 UTC.
pub const START: Nanos = Nanos(1_767_225_600_000_000_000);
/// One way between the engine and an exchange.
const NETWORK: Nanos = Nanos(250_000);
/// One way between the engine and its gateway.
const RING: Nanos = Nanos(10_000);
/// Marks the orders of the run: nothing is kept between two of them.
const EPOCH: u32 = 1;
/// How often it is looked whether the run is over.
const LOOK_INTERVAL: Nanos = Nanos::from_millis(20);
/// How long the exchange may take to confirm that everything is cancelled.
const DRAIN_WITHIN: Nanos = Nanos::from_seconds(10);

/// An exchange that the engine's messages and our own questions reach alike.
#[derive(Clone)]
pub struct SharedExchange(Rc<RefCell<Box<dyn ExchangeSide>>>);

impl SharedExchange {
    /// Shares it.
    #[must_use]
    pub fn new(exchange: Box<dyn ExchangeSide>) -> SharedExchange {
        SharedExchange(Rc::new(RefCell::new(exchange)))
    }
}

impl ExchangeSide for SharedExchange {
    fn on_http(&mut self, request: &HttpRequest<'_>, now: Nanos) -> HttpResponse {
        self.0.borrow_mut().on_http(request, now)
    }

    fn on_websocket_open(&mut self, connection: ConnectionId, target: &str, now: Nanos) -> Result<(), HttpResponse> {
        self.0.borrow_mut().on_websocket_open(connection, target, now)
    }

    fn on_websocket_text(&mut self, connection: ConnectionId, text: &[u8], now: Nanos) {
        self.0.borrow_mut().on_websocket_text(connection, text, now);
    }

    fn on_websocket_control(&mut self, connection: ConnectionId, control: ClientControl, now: Nanos) {
        self.0.borrow_mut().on_websocket_control(connection, control, now);
    }

    fn on_websocket_close(&mut self, connection: ConnectionId, now: Nanos) {
        self.0.borrow_mut().on_websocket_close(connection, now);
    }

    fn on_timer(&mut self, now: Nanos) {
        self.0.borrow_mut().on_timer(now);
    }

    fn next_deadline(&self) -> Nanos {
        self.0.borrow().next_deadline()
    }

    fn poll_output(&mut self) -> Option<ExchangeOutput> {
        self.0.borrow_mut().poll_output()
    }

    fn on_market_frame(&mut self, frame: &MarketFrame, now: Nanos) {
        self.0.borrow_mut().on_market_frame(frame, now);
    }

    fn status(&self) -> ExchangeStatus {
        self.0.borrow().status()
    }

    fn check(&self) -> Result<(), String> {
        self.0.borrow().check()
    }
}

/// Carries requests to an exchange in this thread, at a moment that somebody else sets.
#[derive(Clone)]
pub struct VirtualLine {
    exchange: SharedExchange,
    now: Rc<Cell<Nanos>>,
}

impl VirtualLine {
    /// To this exchange; the clock stands at [`START`].
    #[must_use]
    pub fn new(exchange: SharedExchange) -> VirtualLine {
        VirtualLine { exchange, now: Rc::new(Cell::new(START)) }
    }
}

impl VenueLine for VirtualLine {
    fn call(&self, request: &RestRequest) -> Result<Vec<u8>, FetchError> {
        let headers: Vec<(&str, &str)> = request.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let asked = HttpRequest { method: request.method, target: &request.target, headers: &headers, body: b"" };
        let reply = self.exchange.0.borrow_mut().on_http(&asked, self.now.get());
        match reply.status {
            200 => Ok(reply.body),
            status => Err(FetchError::Status { status, body: reply.body }),
        }
    }

    fn now(&self) -> Nanos {
        self.now.get()
    }

    fn place(&self) -> &str {
        "the exchange in this process"
    }
}

/// Where a market of such a run comes from, and where its orders go.
pub struct VirtualMarket {
    /// Plays the market.
    pub exchange: SharedExchange,
    /// Takes the orders instead, as in paper trading, a round trip later; none: the one that plays the market.
    pub paper: Option<(SharedExchange, Nanos)>,
}

impl VirtualMarket {
    fn orders(&self) -> &SharedExchange {
        self.paper.as_ref().map_or(&self.exchange, |(exchange, _)| exchange)
    }
}

/// What an exchange answered before the run, and how it is asked after it.
struct Asked {
    instruments: Vec<Instrument>,
    best: Vec<Option<(Decimal, Decimal)>>,
    windows: Vec<RateWindow>,
    rest: VenueRest<VirtualLine>,
    start: AccountPoint,
}

/// Runs a plan to its end in virtual time and reports. `markets` are those of the plan, place by place.
///
/// # Errors
/// A setting that cannot be used, or figures of an exchange that contradict each other.
pub fn run(plan: Plan, markets: Vec<VirtualMarket>) -> Result<Done, Failure> {
    match plan.config.strategy.clone() {
        StrategyConfig::Spread(spread) => report(&trade(plan, &spread, markets)?),
    }
}

/// The same up to what the report is made from.
///
/// # Errors
/// As [`run`].
pub fn trade<C: StrategySection>(
    plan: Plan,
    strategy: &C,
    markets: Vec<VirtualMarket>,
) -> Result<Finished<C::Strategy>, Failure> {
    let mut asked: Vec<Asked> = Vec::with_capacity(markets.len());
    for (market, venue) in plan.markets.iter().zip(&markets) {
        let first_id = asked.iter().map(|market| market.instruments.len()).sum();
        asked.push(ask(market, venue, first_id)?);
    }
    let told: Vec<ToldMarket<'_>> = asked.iter().zip(&plan.markets).map(|(asked, market)| asked.told(market)).collect();
    let rings = Rings::new();
    let Made { engine, door, .. } = setup::engine(&plan, strategy, &told, EPOCH, (rings.orders.0, rings.cancels.0))?;
    let mut venues = Vec::with_capacity(markets.len());
    for ((market, asked), made) in plan.markets.iter().zip(&asked).zip(&markets) {
        let (config, instruments) = (&market.config, &asked.instruments);
        let session = MarketSession::new(config.venue, instruments, session_settings(config, EPOCH))
            .map_err(|error| Failure::usage("the market cannot be subscribed").at("market.symbols").because(error))?;
        let paper = made.paper.as_ref().map(|(exchange, latency)| {
            let settings = PaperSettings { latency: *latency, frame_delay_max: Nanos::ZERO };
            PaperExchange::new(Box::new(exchange.clone()), settings)
        });
        venues.push(BacktestVenue {
            session,
            gateway: gateway(
                market,
                plan.mode,
                (instruments, &asked.windows),
                door.clone(),
                asked.begun(config.venue),
                (EPOCH, 0),
            )?,
            exchange: Box::new(made.exchange.clone()),
            paper,
            instruments: instruments.clone(),
        });
    }
    let listed: Vec<Instrument> = asked.iter().flat_map(|asked| asked.instruments.iter().copied()).collect();
    let stops = TradingStops::new(&plan, &listed, &engine, DayBook::unkept(plan.mode));
    let ends: (Consumer<Intent>, Consumer<Intent>) = (rings.orders.1, rings.cancels.1);
    let settings = BacktestSettings::steady(START, plan.seed.unwrap_or_default(), NETWORK, RING);
    let mut backtest = Backtest::new(settings, engine, ends, venues, Unobserved);
    backtest.start();
    let stop = trade_until_over(&mut backtest, plan.seconds);
    let elapsed = backtest.state().now - START;
    let gateway_end = drain(&mut backtest);
    let end = backtest.state().now;
    let (stopped_by, day_book_failure) = stops.finish(&backtest.state().engine, None, end);
    let (state, Unobserved) = backtest.into_parts();
    let (sessions, gateways) = state.venues.into_iter().map(|venue| (venue.session, venue.gateway)).unzip();
    let ended = Ended {
        hot: (state.engine, sessions),
        gateways,
        gateway_end,
        hot_shared: Arc::new(HotShared::default()),
        io_shared: Arc::new(GatewayShared::default()),
    };
    let markets = asked.into_iter().map(|asked| asked.finish(end)).collect();
    let elapsed = Duration::from_nanos(elapsed.0.unsigned_abs());
    Ok(Finished {
        plan,
        markets,
        ended,
        elapsed,
        times: [START, end],
        stop,
        stopped_by,
        day_book_failure,
        order_log: None,
    })
}

/// Asks the exchanges of a market as any client would. Its instruments are numbered from `first_id`.
fn ask(plan: &MarketPlan, market: &VirtualMarket, first_id: usize) -> Result<Asked, Failure> {
    let (venue, window) = (plan.config.venue, i64::from(plan.config.receive_window_ms));
    let public = VenueRest::over(VirtualLine::new(market.exchange.clone()), venue, None, window);
    let list = public.exchange_info()?;
    let instruments = numbered(instruments(&public, &list, &plan.config)?, first_id)?;
    let windows = public.windows(&list)?;
    let best = best_prices(&public, &instruments);
    let line = VirtualLine::new(market.orders().clone());
    let rest = VenueRest::over(line, venue, Some(plan.keys.credentials(&plan.config)?), window);
    let (start, _) = rest.point(&instruments)?;
    Ok(Asked { instruments, best, windows, rest, start })
}

impl Asked {
    fn told<'a>(&'a self, plan: &'a MarketPlan) -> ToldMarket<'a> {
        ToldMarket {
            config: &plan.config,
            instruments: &self.instruments,
            windows: &self.windows,
            best: &self.best,
            // A recording's event times are shifted to virtual time as a whole: their lag was another clock's.
            feed_lag_max: Nanos::NEVER,
            start: Some(&self.start),
        }
    }

    /// What the gateway is told of the account, as in any run.
    fn begun(&self, venue: ProductLine) -> AccountBegun {
        let held =
            |instrument: &Instrument| self.start.inventory(venue, instrument).ok().map(|lots| (instrument.id, lots));
        AccountBegun {
            at: Some(START),
            held: self.instruments.iter().filter_map(held).collect(),
            taken_over: TakenOver::default(),
            earlier_orders: Vec::new(),
        }
    }

    /// Asks for the account after the last order.
    fn finish(self, end: Nanos) -> FinishedMarket {
        let Asked { instruments, rest, start, .. } = self;
        rest.line.now.set(end);
        market::finished(&rest, instruments, (start, START), Vec::new())
    }
}

type VirtualRun<S> = Backtest<S, Unobserved>;

/// Trades until the time is over, the market is, or a gateway halts.
fn trade_until_over<S: Strategy>(run: &mut VirtualRun<S>, span: Option<Duration>) -> Stop {
    let span = span.and_then(|span| i64::try_from(span.as_nanos()).ok()).map_or(Nanos::NEVER, Nanos);
    let end = START + span;
    loop {
        let state = run.state();
        if let Some(why) = state.venues.iter().find_map(|venue| venue.gateway.halt_message()) {
            return Stop::Halted(why.to_string());
        }
        if state.now >= end {
            return Stop::Finished;
        }
        if state.venues.iter().all(|venue| venue.exchange.status().market_over) {
            return Stop::MarketOver;
        }
        run.run_for(LOOK_INTERVAL.min(end - state.now));
    }
}

/// Cancels everything and waits for the exchange's word.
fn drain<S: Strategy>(run: &mut VirtualRun<S>) -> GatewayEnd {
    let deadline = run.state().now + DRAIN_WITHIN;
    run.begin_shutdown();
    run.cancel_all();
    loop {
        let state = run.state();
        let open_orders = state.venues.iter().map(|venue| venue.gateway.open_orders()).sum();
        let quiet = state.engine.is_quiet() && state.venues.iter().all(|venue| venue.gateway.is_quiet());
        let confirmed = open_orders == 0 && quiet;
        if confirmed || state.now >= deadline {
            return GatewayEnd { open_orders, confirmed };
        }
        run.run_for(LOOK_INTERVAL);
    }
}
