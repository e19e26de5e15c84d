//! COLD: backtests of one market maker on one venue or several, judged at each step and against the venues' truth.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use serde_json::Value;
use spinbook_engine::event::{ExecutionEvent, ExecutionKind, LocalReject};
use spinbook_engine::intent::{Intent, IntentKind};
use spinbook_engine::strategy::Spread;
use spinbook_engine::types::{InstrumentId, Lots, Nanos, Side, Tick};
use spinbook_feed::backtest::{
    Backtest, BacktestLink, BacktestObserver, BacktestSettings, BacktestState, BacktestVenue, LinkFault, LinkTrouble,
    Stall,
};
use spinbook_feed::gateway::Gateway;
use spinbook_feed::gateway::orders::OrderCounts;
use spinbook_feed::gateway::settings::{GatewayMode, GatewaySettings};
use spinbook_feed::session::{MarketSession, SessionSettings};
use spinbook_feed::sim::fault_plan::FaultPlan;
use spinbook_feed::sim::paper::{PaperExchange, PaperSettings};
use spinbook_feed::sim::side::{ExchangeSide, HttpRequest, HttpResponse};
use spinbook_feed::sim::wrapped::WrappedExchange;
use spinbook_feed::venue::binance::instruments::find_instruments;
use spinbook_feed::venue::binance::parameters::Query;
use spinbook_feed::venue::instrument::Instrument;
use spinbook_feed::venue::simulator_side::MarketForm;
use spinbook_feed::venue::{ProductLine, binance};

use crate::oracle::Oracle;
use crate::sabotage::{Sabotage, Sabotaged, Unswept};
use crate::setup;

const SYMBOL: &str = "BTCUSDT";

type State = BacktestState<Spread>;

/// What a run came to.
#[derive(Debug, Default)]
pub struct Outcome {
    pub violations: Vec<String>,
    /// Orders that stayed on a venue's book too long.
    pub stale: Vec<String>,
    pub placed: u64,
    /// Of those: that gave an order another price, or put another in its place.
    pub amended: u64,
    pub accepted: u64,
    pub fills: u64,
    pub canceled: u64,
    pub rejected: u64,
    pub expired: u64,
    pub gaps: u64,
    pub reconnects: u64,
    pub engine_open_orders: usize,
    pub trace: u64,
    pub venues: Vec<VenueOutcome>,
}

/// What it came to on one venue.
#[derive(Debug, Default)]
pub struct VenueOutcome {
    pub fills: u64,
    pub orders: OrderCounts,
    pub pauses: u64,
    /// Orders that the venue had of us and no journal tells of.
    pub not_journaled: usize,
    /// Requests that the venue refused for its rate limits.
    pub rate_refusals: u64,
    /// Why trading stopped for good, if it did.
    pub halted: Option<String>,
    pub last_refusal: Option<String>,
    /// How it stood when it was told to stop: the engine's state of the instrument, whether the gateway took orders, and
    /// why nothing was quoted.
    pub at_stop: String,
    pub live_at_end: bool,
    pub quiet: bool,
    pub open_orders: usize,
    pub position: Decimal,
    pub venue_position: Decimal,
    pub cash: Decimal,
    pub venue_cash: Decimal,
}

impl Outcome {
    /// Everything that must hold at the end of every run, whatever happened in it, and does not.
    pub fn wrong(&self) -> Vec<String> {
        let mut wrong: Vec<String> = self.violations.iter().chain(&self.stale).cloned().collect();
        let mut expect = |holds: bool, what: String| {
            if !holds {
                wrong.push(what);
            }
        };
        expect(self.engine_open_orders == 0, format!("the engine believes in {} open orders", self.engine_open_orders));
        for (place, venue) in self.venues.iter().enumerate() {
            expect(venue.open_orders == 0, format!("{} orders are left on venue {place}", venue.open_orders));
            let (unknown, open) = (venue.orders.unknown, venue.orders.open);
            expect((unknown, open) == (0, 0), format!("venue {place}: {unknown} orders unknown, {open} open"));
            let (sent, counted) = (venue.orders.sent, venue.orders.in_all_states());
            expect(sent == counted, format!("venue {place}: {sent} orders sent, {counted} in all states"));
            let missing = venue.not_journaled;
            expect(missing == 0, format!("I5: venue {place} had {missing} orders that no journal tells of"));
            expect(venue.quiet, format!("venue {place}: the gateway is not quiet, halted {:?}", venue.halted));
            let (ours, theirs) = (venue.position, venue.venue_position);
            expect(ours == theirs, format!("venue {place}: position {ours}, the venue's {theirs}"));
            let (ours, theirs) = (venue.cash, venue.venue_cash);
            expect(ours == theirs, format!("venue {place}: cash {ours}, the venue's {theirs}"));
            expect(
                venue.rate_refusals == 0,
                format!("venue {place}: its rate limits were met {} times", venue.rate_refusals),
            );
        }
        wrong
    }
}

/// Judges each intent, execution and step of a run.
#[derive(Default)]
pub struct Judge {
    in_flight: BTreeMap<(InstrumentId, u8), u64>,
    ids_used: BTreeSet<u64>,
    trades_seen: BTreeSet<(u8, u128)>,
    /// Orders that were to be replaced.
    replaced: BTreeSet<u64>,
    positions_max: Vec<Lots>,
    /// Cancels that the engine asked for, by instrument.
    pub cancels: BTreeMap<InstrumentId, u64>,
    fills: BTreeMap<InstrumentId, u64>,
    /// Every fill in the order in which the engine heard of it.
    pub heard: Vec<HeardFill>,
    outcome: Outcome,
    /// Names of the orders that the journals of killed processes tell of.
    journaled: BTreeSet<String>,
    /// Watches the venues' own books.
    pub oracle: Oracle,
    /// What is broken on purpose, and what that needs to know.
    pub sabotage: Option<Sabotage>,
    sabotaged: Sabotaged,
    /// Since when engine and gateways disagree about the number of open orders.
    disagree_since: Option<Nanos>,
}

/// A fill as the engine hears of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeardFill {
    pub at: Nanos,
    pub order: u64,
    pub side: Side,
    pub tick: Tick,
    pub lots: Lots,
}

/// The speed of the market in many runs.
const UNHURRIED_THOUSANDTHS: u64 = 400;

/// How long the engine may believe in fewer orders than the gateway: the longest way over a ring, and a stall of either.
const BELIEVES_LESS_MAX: Nanos = Nanos::from_millis(3_000);
/// How long it may believe in more: it counts an order until all its fills are known, which every order is in 30 s, and
/// user data may be away for 30 s before.
const BELIEVES_MORE_MAX: Nanos = Nanos::from_seconds(60);

impl Judge {
    /// I6 all the time: what is open on the venue is open for the gateway, and for the engine.
    fn compare_open_orders(&mut self, state: &State) {
        let mut ours = 0;
        for (place, venue) in state.venues.iter().enumerate() {
            let (theirs, known) = (venue.exchange.open_order_count(), venue.gateway.open_orders());
            ours += known;
            if venue.gateway.is_ready() && theirs > known && venue.paper.is_none() {
                self.violation(
                    state.now,
                    format!("I6: {theirs} orders are open on venue {place}, the gateway knows {known}"),
                );
            }
        }
        let believed = state.engine.open_orders();
        let allowed = if believed < ours { BELIEVES_LESS_MAX } else { BELIEVES_MORE_MAX };
        if believed == ours {
            self.disagree_since = None;
        } else if state.now - *self.disagree_since.get_or_insert(state.now) > allowed {
            self.disagree_since = None;
            self.violation(
                state.now,
                format!("I6: {ours} orders are open for the gateways, {believed} for the engine"),
            );
        }
    }

    fn violation(&mut self, now: Nanos, text: String) {
        if self.outcome.violations.len() < 8 {
            let at = now - setup::START;
            self.outcome.violations.push(format!("{} ms: {text}", at.millis()));
        }
    }
}

fn venue_of(state: &State, instrument: InstrumentId) -> &BacktestVenue {
    &state.venues[instrument.index()]
}

impl BacktestObserver<Spread> for Judge {
    fn alter_intent(&mut self, intent: Intent) -> Option<Intent> {
        let Some(sabotage) = self.sabotage else { return Some(intent) };
        sabotage.alter_intent(intent, &mut self.sabotaged)
    }

    fn alter_execution(&mut self, event: ExecutionEvent) -> Option<ExecutionEvent> {
        let Some(sabotage) = self.sabotage else { return Some(event) };
        sabotage.alter_execution(event, &mut self.sabotaged)
    }

    /// I1, I4, and one request in flight per quote slot.
    fn on_intent(&mut self, intent: &Intent, state: &State) {
        let (id, slot) = (intent.instrument, intent.slot.0);
        if intent.kind == IntentKind::Cancel && self.replaced.contains(&intent.order.0) {
            // Of an order that is being replaced: it waits for no answer to that.
            *self.cancels.entry(id).or_default() += 1;
            return;
        }
        self.replaced.extend((intent.kind == IntentKind::Replace).then_some(intent.replaces.0));
        let before = self.in_flight.insert((id, slot), intent.order.0);
        // A cancel that is not answered is asked for again.
        let again = before == Some(intent.order.0) && intent.kind == IntentKind::Cancel;
        if let Some(order) = before.filter(|_| !again) {
            self.violation(state.now, format!("slot {slot} has two requests in flight: {order} and {intent:?}"));
        }
        if intent.kind == IntentKind::Cancel {
            *self.cancels.entry(id).or_default() += 1;
            return;
        }
        self.outcome.placed += 1;
        self.outcome.amended += u64::from(intent.kind != IntentKind::Place);
        if self.oracle.shutdown_since.is_some() {
            self.violation(state.now, format!("I8: an order after the stop: {intent:?}"));
        }
        if intent.kind != IntentKind::Amend && !self.ids_used.insert(intent.order.0) {
            self.violation(state.now, format!("I4: order id {} was used twice", intent.order.0));
        }
        if !venue_of(state, id).session.is_live(id) || !state.engine.market(id).is_quotable() {
            self.violation(state.now, format!("I1: placed on a book that is not Live: {intent:?}"));
        }
    }

    /// I3: each execution once.
    fn on_execution(&mut self, event: &ExecutionEvent, state: &State) {
        match event.kind {
            ExecutionKind::Accepted => self.outcome.accepted += 1,
            // What our own checks refuse was never sent.
            ExecutionKind::Rejected if event.local == LocalReject::None => self.outcome.rejected += 1,
            ExecutionKind::Canceled => self.outcome.canceled += 1,
            ExecutionKind::Expired => self.outcome.expired += 1,
            ExecutionKind::Filled => {
                self.outcome.fills += 1;
                let (at, order) = (state.now - setup::START, event.order.0);
                self.heard.push(HeardFill { at, order, side: event.side, tick: event.tick, lots: event.lots });
                *self.fills.entry(event.instrument).or_default() += 1;
                if !self.trades_seen.insert((event.venue.0, event.trade.0)) {
                    self.violation(state.now, format!("I3: trade {} was told twice", event.trade.0));
                }
            }
            _ => {}
        }
        let slot = (event.instrument, event.slot.0);
        if event.order.0 != 0 && self.in_flight.get(&slot) == Some(&event.order.0) {
            self.in_flight.remove(&slot);
        }
    }

    /// I2: the worst case stays within the limit; the book is never crossed while Live.
    fn on_step(&mut self, state: &State) {
        self.oracle.on_step(state);
        if self.oracle.gone_since.is_some() {
            return;
        }
        for place in 0..state.venues.len() {
            let id = InstrumentId(place as u16);
            let held = state.engine.position(id).exposure().0;
            let max = self.positions_max[place].0;
            let working = state.engine.working(id);
            let (bids, asks) = (working.lots_worst(Side::Bid).0, working.lots_worst(Side::Ask).0);
            // Base fees of spot buys leave the position after the check, always towards flat or by less than a fee.
            let slack = max / 100;
            if held + bids > max + slack || held - asks < -max - slack {
                let text = format!("I2: exposure {held} with {bids} to buy and {asks} to sell exceeds {max}");
                self.violation(state.now, text);
            }
            if state.venues[place].session.is_live(id) && state.engine.market(id).book().is_crossed() {
                self.violation(state.now, "I7: a Live book is crossed".to_owned());
            }
        }
        self.compare_open_orders(state);
    }
}

/// One market maker; one instrument a venue, the instrument's id being the venue's place.
pub struct World {
    pub backtest: Backtest<Spread, Judge>,
    markets: Vec<Market>,
    /// What the account was when our process started last.
    baselines: Vec<Baseline>,
    seed: u64,
    epoch: u32,
    has_journal: bool,
    amends: bool,
}

/// How a world differs from the usual one.
#[derive(Clone, Copy)]
struct Alterations {
    /// The speed of the market.
    speed_thousandths: u64,
    /// What is put between an exchange and its clients.
    wrap: fn(Box<dyn ExchangeSide>) -> Box<dyn ExchangeSide>,
    /// Orders are written down before they leave.
    has_journal: bool,
    /// Quotes move by the one request that the venue has for it.
    amends: bool,
}

const AS_IT_IS: Alterations =
    Alterations { speed_thousandths: 1_000, wrap: |exchange| exchange, has_journal: true, amends: false };

/// A product line, its instrument, and what was held of it when our process started.
type Market = (ProductLine, Instrument, Lots);

/// What the venue's executions came to when our process started.
#[derive(Clone, Copy, Debug, Default)]
struct Baseline {
    position: Decimal,
    cash: Decimal,
}

fn borrowed(markets: &[Market]) -> Vec<(ProductLine, &Instrument, Lots)> {
    markets.iter().map(|(product, instrument, start)| (*product, instrument, *start)).collect()
}

/// Our side of each venue, as a process that starts has it once it has read the account.
fn clients(
    markets: &[Market],
    epoch: u32,
    seed: u64,
    (read_at, has_journal): (Nanos, bool),
) -> Vec<(MarketSession, Gateway)> {
    let limits: Vec<_> = markets.iter().map(|(_, instrument, _)| setup::limits(instrument)).collect();
    let client = |(product, instrument, start): &Market| {
        let settings =
            SessionSettings { seed, symbol_silence_max: Nanos::from_seconds(5), ..SessionSettings::of(*product) };
        let gateway = GatewaySettings {
            trades_from: Some(read_at),
            held_at_start: vec![(instrument.id, *start)],
            ..GatewaySettings::new(*product, GatewayMode::Live, epoch, limits.clone())
        };
        let session = MarketSession::new(*product, std::slice::from_ref(instrument), settings).unwrap();
        let mut gateway = Gateway::new(gateway, setup::credentials(), vec![*instrument]);
        if has_journal {
            gateway.keep_journal(setup::journal(epoch, instrument));
        }
        (session, gateway)
    };
    markets.iter().map(client).collect()
}

fn instrument_at(product: ProductLine, place: usize, exchange: &mut impl ExchangeSide) -> Instrument {
    let target = product.card().instruments_path;
    let request = HttpRequest { method: "GET", target, headers: &[], body: b"" };
    let reply = exchange.on_http(&request, setup::START);
    let mut instrument = find_instruments(product, &reply.body, &[SYMBOL]).unwrap().remove(0);
    instrument.id = InstrumentId(place as u16);
    instrument
}

impl World {
    pub fn new(product: ProductLine, seed: u64, faults: FaultPlan) -> World {
        World::of(&[product], seed, &faults)
    }

    /// On several venues, each with the same faults.
    pub fn of(products: &[ProductLine], seed: u64, faults: &FaultPlan) -> World {
        World::made(products, faults, BacktestSettings::new(setup::START, seed), MarketForm::Present, None, AS_IT_IS)
    }

    /// On one venue, in a slow market, with a check of all parts at times only: many runs in little time.
    pub fn unhurried(product: ProductLine, seed: u64, faults: &FaultPlan, sabotage: Option<Sabotage>) -> World {
        let settings = BacktestSettings::new(setup::START, seed);
        let settings = BacktestSettings { check_interval: Nanos::from_millis(500), ..settings };
        let altered = Alterations {
            speed_thousandths: UNHURRIED_THOUSANDTHS,
            wrap: match sabotage {
                Some(Sabotage::NeverSweep) => |exchange| Box::new(WrappedExchange::new(exchange, Unswept::default())),
                _ => AS_IT_IS.wrap,
            },
            has_journal: sabotage != Some(Sabotage::SkipJournal),
            // Two of eight, one on each venue.
            amends: seed % 8 < 2,
        };
        World::made(&[product], faults, settings, MarketForm::Present, None, altered)
    }

    /// On one venue whose network always takes `network` and whose market shows nothing of ours; with a round trip of
    /// paper trading, orders go there instead.
    pub fn steady(product: ProductLine, seed: u64, network: Nanos, paper: Option<Nanos>) -> World {
        let steady = BacktestSettings::steady(setup::START, seed, network, Nanos(20_000));
        let settings = BacktestSettings { check_interval: Nanos::ZERO, ..steady };
        World::made(&[product], &FaultPlan::default(), settings, MarketForm::Original, paper, AS_IT_IS)
    }

    fn made(
        products: &[ProductLine],
        faults: &FaultPlan,
        timing: BacktestSettings,
        form: MarketForm,
        paper: Option<Nanos>,
        altered: Alterations,
    ) -> World {
        let seed = timing.seed;
        let mut markets = Vec::new();
        let mut exchanges = Vec::new();
        for (place, product) in products.iter().enumerate() {
            let mut exchange = match altered.speed_thousandths {
                1_000 => setup::exchange_of(*product, seed, faults.clone(), form),
                slower => setup::slow_exchange(*product, seed, faults.clone(), slower),
            };
            let instrument = instrument_at(*product, place, &mut exchange);
            let is_spot = *product == binance::SPOT;
            let start = if is_spot { Lots(instrument.quantity.parse(b"2").unwrap()) } else { Lots::ZERO };
            markets.push((*product, instrument, start));
            exchanges.push(exchange);
        }
        let clients = clients(&markets, setup::EPOCH, seed, (setup::START, altered.has_journal));
        let venue = |((exchange, (product, instrument, _)), (session, gateway)): ((_, &Market), _)| BacktestVenue {
            session,
            gateway,
            exchange: (altered.wrap)(Box::new(exchange)),
            paper: paper.map(|latency| {
                let settings = PaperSettings { latency, frame_delay_max: Nanos::ZERO };
                PaperExchange::new(Box::new(setup::paper_exchange(*product)), settings)
            }),
            instruments: vec![*instrument],
        };
        let venues = exchanges.into_iter().zip(&markets).zip(clients).map(venue).collect();
        let (engine, orders, cancels) = setup::engine(setup::EPOCH, &borrowed(&markets), altered.amends);
        let positions_max = markets.iter().map(|(_, instrument, _)| setup::position_max(instrument)).collect();
        let oracle = Oracle::new(setup::START, products.len());
        let judge = Judge { positions_max, oracle, ..Judge::default() };
        let baselines = vec![Baseline::default(); markets.len()];
        let backtest = Backtest::new(timing, engine, (orders, cancels), venues, judge);
        World {
            backtest,
            markets,
            baselines,
            seed,
            epoch: setup::EPOCH,
            has_journal: altered.has_journal,
            amends: altered.amends,
        }
    }

    /// Our process is killed, and stays away.
    pub fn vanish(&mut self) {
        let now = self.since_start();
        self.backtest.crash();
        self.backtest.observer_mut().oracle.gone_since = Some(now);
    }

    /// Somebody beside the order connections, control thread or guard, cancels everything.
    pub fn cancel_over_rest(&mut self, place: usize) {
        let (product, ..) = self.markets[place];
        let now = self.backtest.state().now;
        cancel_left_over(self.backtest.exchange(place), now, product);
    }

    /// Our process is killed, is gone for `span`, and starts again as it would: with a new epoch, what was left open
    /// cancelled over REST, from what the venue then says of the account.
    pub fn crash_for(&mut self, span: Nanos) {
        self.vanish();
        self.backtest.run_for(span);
        self.epoch += 1;
        for (place, baseline) in self.baselines.iter_mut().enumerate() {
            let (product, instrument, start) = &mut self.markets[place];
            let now = self.backtest.state().now;
            // What is filled after the account was read and before user data runs would be booked by nobody.
            cancel_left_over(self.backtest.exchange(place), now, *product);
            let truth = Truth::of(self.backtest.exchange(place), now, *product);
            *start = Lots(signed_lots(instrument, truth.held));
            *baseline = Baseline { position: truth.position, cash: truth.cash };
        }
        let (engine, orders, cancels) = setup::engine(self.epoch, &borrowed(&self.markets), self.amends);
        let judge = self.backtest.observer_mut();
        judge.in_flight.clear();
        judge.disagree_since = None;
        judge.oracle.gone_since = None;
        let read_at = self.backtest.state().now;
        let clients = clients(&self.markets, self.epoch, self.seed, (read_at, self.has_journal));
        let killed = self.backtest.restart(engine, (orders, cancels), clients);
        for (_, mut gateway) in killed {
            let names = setup::names_in(gateway.journal());
            self.backtest.observer_mut().journaled.extend(names);
        }
    }

    /// The exchange of a venue is killed, is gone for `span`, and starts again from what it kept, with a new market.
    pub fn restart_exchange(&mut self, place: usize, span: Nanos) {
        let (from, now) = (self.since_start(), self.backtest.state().now);
        for link in BacktestLink::ALL {
            let until = from + span;
            self.add_fault(LinkFault { venue: place, link, trouble: LinkTrouble::Down, from: from + Nanos(1), until });
        }
        let kept = self.backtest.exchange(place).whole_state(now);
        let (product, ..) = self.markets[place];
        let exchange = setup::exchange_again(product, self.seed ^ 0x51, &kept, now + span, UNHURRIED_THOUSANDTHS);
        self.backtest.replace_exchange(place, Box::new(exchange));
    }

    /// How long it has run.
    pub fn since_start(&self) -> Nanos {
        self.backtest.state().now - setup::START
    }

    /// Lets a link fail, as the oracle is to know.
    pub fn add_fault(&mut self, fault: LinkFault) {
        self.backtest.observer_mut().oracle.expect_fault(fault);
        self.backtest.add_fault(fault);
    }

    /// Lets a side of ours stand still, as the oracle is to know.
    pub fn add_stall(&mut self, stall: Stall) {
        self.backtest.observer_mut().oracle.expect_stall(stall);
        self.backtest.add_stall(stall);
    }

    /// Trades for `span`, shuts down, and asks the venues for the truth.
    pub fn run(mut self, span: Nanos) -> Outcome {
        self.backtest.start();
        self.backtest.run_for(span);
        self.finish()
    }

    fn standing(&self, place: usize) -> String {
        let (state, id) = (self.backtest.state(), InstrumentId(place as u16));
        let (engine, gateway) = (&state.engine, &state.venues[place].gateway);
        let (trading, cause, unquoted) =
            (engine.instrument_state(id), engine.stop_cause(id), engine.unquoted(id).now(Side::Bid));
        let orders: Vec<_> = gateway.orders().active().map(|order| (order.phase, order.cancel)).collect();
        format!("{trading:?} {cause:?} {unquoted:?}, ready {}, orders {orders:?}", gateway.is_ready())
    }

    /// Shuts down and asks the venues for the truth.
    pub fn finish(mut self) -> Outcome {
        let places = 0..self.markets.len();
        let is_live = |place: usize| self.backtest.state().venues[place].session.is_live(InstrumentId(place as u16));
        let live: Vec<bool> = places.map(is_live).collect();
        let at_stop: Vec<String> = (0..self.markets.len()).map(|place| self.standing(place)).collect();
        let now = self.since_start();
        self.backtest.observer_mut().oracle.shutdown_since = Some(now);
        self.backtest.begin_shutdown();
        self.backtest.run_for(Nanos::from_seconds(1));
        self.backtest.cancel_all();
        self.backtest.run_for(Nanos::from_seconds(8));
        let (reconnects, trace) = (self.backtest.reconnects(), self.backtest.trace());
        let (mut state, judge) = self.backtest.into_parts();
        let stale = judge.oracle.stale.values().map(ToString::to_string).collect();
        let venues = self.markets.iter().zip(&self.baselines).enumerate().map(|(place, (market, baseline))| {
            let fills = judge.fills.get(&market.1.id).copied().unwrap_or_default();
            let (live_at_end, at_stop) = (live[place], at_stop[place].clone());
            let outcome = VenueOutcome { fills, live_at_end, at_stop, ..VenueOutcome::default() };
            compare(&mut state, place, market, *baseline, &judge.journaled, outcome)
        });
        let venues: Vec<VenueOutcome> = venues.collect();
        let gaps = state.venues.iter().map(|venue| venue.session.counters().gaps).sum();
        let engine_open_orders = state.engine.open_orders();
        Outcome { stale, gaps, reconnects, trace, engine_open_orders, venues, ..judge.outcome }
    }
}

fn ask_venue(exchange: &mut dyn ExchangeSide, now: Nanos, path: &str, parameters: &[(&str, &str)]) -> Value {
    let reply = send_to_venue(exchange, now, ("GET", path), parameters);
    assert_eq!(reply.status, 200, "{path}: {}", String::from_utf8_lossy(&reply.body));
    serde_json::from_slice(&reply.body).unwrap()
}

/// What a start does before it reads the account.
fn cancel_left_over(exchange: &mut dyn ExchangeSide, now: Nanos, product: ProductLine) {
    let path = if product == binance::SPOT { "/api/v3/openOrders" } else { "/fapi/v1/allOpenOrders" };
    let reply = send_to_venue(exchange, now, ("DELETE", path), &[("symbol", SYMBOL)]);
    // Spot refuses where nothing is open.
    assert!(matches!(reply.status, 200 | 400), "{path}: {}", String::from_utf8_lossy(&reply.body));
}

fn send_to_venue(
    exchange: &mut dyn ExchangeSide,
    now: Nanos,
    (method, path): (&str, &str),
    parameters: &[(&str, &str)],
) -> HttpResponse {
    let mut query = Query::new();
    for (name, value) in parameters {
        query.push(name, value);
    }
    query.push_number("timestamp", now.millis());
    query.sign(&setup::credentials());
    let target = format!("{path}?{}", query.as_str());
    let headers = [("X-MBX-APIKEY", setup::KEY)];
    exchange.on_http(&HttpRequest { method, target: &target, headers: &headers, body: b"" }, now)
}

fn number(value: &Value) -> Decimal {
    value.as_str().unwrap().parse().unwrap()
}

/// What the venue says of the account.
struct Truth {
    open_orders: usize,
    /// The names of its orders, the last thousand.
    names: Vec<String>,
    /// What the executions come to.
    position: Decimal,
    cash: Decimal,
    /// What is held.
    held: Decimal,
}

impl Truth {
    fn of(exchange: &mut dyn ExchangeSide, now: Nanos, product: ProductLine) -> Truth {
        let spot = product == binance::SPOT;
        let prefix = if spot { "/api/v3" } else { "/fapi/v1" };
        let symbol = [("symbol", SYMBOL)];
        let open = ask_venue(exchange, now, &format!("{prefix}/openOrders"), &symbol);
        let all = ask_venue(exchange, now, &format!("{prefix}/allOrders"), &[("symbol", SYMBOL), ("limit", "1000")]);
        let name_of = |order: &Value| order["clientOrderId"].as_str().unwrap().to_owned();
        let names = all.as_array().unwrap().iter().map(name_of).collect();
        let name = if spot { "myTrades" } else { "userTrades" };
        let listed = ask_venue(exchange, now, &format!("{prefix}/{name}"), &[("symbol", SYMBOL), ("limit", "1000")]);
        let trade = |trade: &Value| {
            let buys = trade[if spot { "isBuyer" } else { "buyer" }].as_bool().unwrap();
            let sign = if buys { Decimal::ONE } else { Decimal::NEGATIVE_ONE };
            let (price, quantity, fee) = (number(&trade["price"]), number(&trade["qty"]), number(&trade["commission"]));
            let (base_fee, quote_fee) =
                if trade["commissionAsset"] == "BTC" { (fee, Decimal::ZERO) } else { (Decimal::ZERO, fee) };
            (sign * quantity - base_fee, -sign * price * quantity - quote_fee)
        };
        let trades: Vec<(Decimal, Decimal)> = listed.as_array().unwrap().iter().map(trade).collect();
        assert!(trades.len() < 1_000, "the venue lists all executions");
        let (position, cash) = sums(&trades);
        let (held, start) = if spot {
            let account = ask_venue(exchange, now, "/api/v3/account", &[]);
            let balances = account["balances"].as_array().unwrap().clone();
            let base = balances.iter().find(|balance| balance["asset"] == "BTC").unwrap();
            (number(&base["free"]) + number(&base["locked"]), Decimal::from(2))
        } else {
            let risk = ask_venue(exchange, now, "/fapi/v3/positionRisk", &symbol);
            (risk.as_array().unwrap().iter().map(|entry| number(&entry["positionAmt"])).sum(), Decimal::ZERO)
        };
        assert_eq!((held - start).normalize(), position.normalize(), "the venue's own trades and position disagree");
        Truth { open_orders: open.as_array().unwrap().len(), names, position, cash, held }
    }
}

fn sums(trades: &[(Decimal, Decimal)]) -> (Decimal, Decimal) {
    trades.iter().fold((Decimal::ZERO, Decimal::ZERO), |(base, quote), trade| (base + trade.0, quote + trade.1))
}

fn signed_lots(instrument: &Instrument, base: Decimal) -> i64 {
    let lots = instrument.quantity.parse(base.abs().to_string().as_bytes()).unwrap();
    if base.is_sign_negative() { -lots } else { lots }
}

/// I6: compares what the engine believes with what the venue says, both since our process started.
fn compare(
    state: &mut State,
    place: usize,
    (product, instrument, start): &Market,
    baseline: Baseline,
    journaled: &BTreeSet<String>,
    mut outcome: VenueOutcome,
) -> VenueOutcome {
    let truth = Truth::of(&mut *state.venues[place].exchange, state.now, *product);
    outcome.open_orders = truth.open_orders;
    let last = setup::names_in(state.venues[place].gateway.journal());
    outcome.not_journaled =
        truth.names.iter().filter(|name| !journaled.contains(*name) && !last.contains(*name)).count();
    let held = state.engine.position(instrument.id);
    let lots = held.lots().0 - start.0;
    let sign = if lots < 0 { Decimal::NEGATIVE_ONE } else { Decimal::ONE };
    outcome.position = (sign * instrument.quantity.decimal(lots.abs())).normalize();
    outcome.venue_position = (truth.position - baseline.position).normalize();
    outcome.cash = Decimal::from_i128_with_scale(held.cash().0 / 1_000_000_000, 9).normalize();
    outcome.venue_cash = (truth.cash - baseline.cash).normalize();
    let gateway = &state.venues[place].gateway;
    outcome.orders = gateway.order_counts();
    outcome.quiet = gateway.is_quiet();
    outcome.halted = gateway.halt_message().map(str::to_owned);
    outcome.last_refusal = gateway.last_refusal().map(str::to_owned);
    outcome.pauses = gateway.counters().pauses;
    outcome.rate_refusals = state.venues[place].exchange.status().rate_refusals;
    outcome
}
