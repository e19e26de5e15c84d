//! COLD: backtests of one market maker on one venue or several, judged at each step and against the venues' truth.

use spinbook_engine::strategy::Spread;
use spinbook_engine::types::{InstrumentId, Lots, Nanos, Side};
use spinbook_feed::backtest::{Backtest, BacktestLink, BacktestSettings, BacktestVenue, LinkFault, LinkTrouble, Stall};
use spinbook_feed::gateway::Gateway;
use spinbook_feed::gateway::adoptable::{AdoptableOrder, AdoptionRules, runs_of};
use spinbook_feed::gateway::adoption::ADOPT_WITHIN;
use spinbook_feed::gateway::earlier::EarlierOrder;
use spinbook_feed::gateway::settings::{GatewayMode, GatewaySettings};
use spinbook_feed::session::{MarketSession, SessionSettings};
use spinbook_feed::sim::fault_plan::FaultPlan;
use spinbook_feed::sim::paper::{PaperExchange, PaperSettings};
use spinbook_feed::sim::side::{ExchangeSide, HttpRequest};
use spinbook_feed::sim::wrapped::WrappedExchange;
use spinbook_feed::venue::account::TradeRecord;
use spinbook_feed::venue::binance::instruments::find_instruments;
use spinbook_feed::venue::instrument::Instrument;
use spinbook_feed::venue::order_ids::RunName;
use spinbook_feed::venue::orders::OrderUpdate;
use spinbook_feed::venue::simulator_side::MarketForm;
use spinbook_feed::venue::{ProductLine, binance};

use crate::judge::{Judge, Outcome, VenueOutcome};
use crate::oracle::Oracle;
use crate::sabotage::{Sabotage, Unswept};
use crate::setup;
use crate::truth::{Baseline, Market, SYMBOL, Truth, cancel_left_over, compare, left_over, signed_lots};

/// The speed of the market in many runs.
const UNHURRIED_THOUSANDTHS: u64 = 400;

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

/// What becomes at a start of what a killed process left open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leftover {
    /// It is cancelled before the account is read.
    Canceled,
    /// What fits is taken over.
    Adopted,
    /// It is open until the gateway sweeps.
    Open,
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
    found: &[Found],
) -> Vec<(MarketSession, Gateway)> {
    let limits: Vec<_> = markets.iter().map(|(_, instrument, _)| setup::limits(instrument)).collect();
    let client = |(place, (product, instrument, start)): (usize, &Market)| {
        let found = found.get(place).cloned().unwrap_or_default();
        let runs = found.runs();
        let settings =
            SessionSettings { seed, symbol_silence_max: Nanos::from_seconds(5), ..SessionSettings::of(*product) };
        let gateway = GatewaySettings {
            trades_from: Some(read_at),
            held_at_start: vec![(instrument.id, *start)],
            adoptable: found.orders,
            earlier_runs: runs,
            earlier_orders: found.names,
            ..GatewaySettings::new(*product, GatewayMode::Live, epoch, limits.clone())
        };
        let session = MarketSession::new(*product, std::slice::from_ref(instrument), settings).unwrap();
        let mut gateway = Gateway::new(gateway, setup::credentials(), vec![*instrument]);
        found.trades.iter().for_each(|row| gateway.know_trade(row.instrument, row.trade, row.side, row.time));
        if has_journal {
            gateway.keep_journal(setup::journal(epoch, instrument));
        }
        (session, gateway)
    };
    markets.iter().enumerate().map(client).collect()
}

/// What a start that goes on with a killed process's orders found of one venue.
#[derive(Clone, Default)]
struct Found {
    orders: Vec<AdoptableOrder>,
    /// Every execution up to then: the position has them.
    trades: Vec<TradeRecord>,
    /// What was open, under the venue's names.
    names: Vec<EarlierOrder>,
}

impl Found {
    fn runs(&self) -> Vec<RunName> {
        runs_of(&self.orders).into_iter().map(|run| RunName { run, salt: 0 }).collect()
    }
}

pub fn instrument_at(product: ProductLine, place: usize, exchange: &mut impl ExchangeSide) -> Instrument {
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
        let clients = clients(&markets, setup::EPOCH, seed, (setup::START, altered.has_journal), &[]);
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

    /// Orders on the book of the first venue.
    pub fn open_at_venue(&self) -> usize {
        self.backtest.state().venues[0].exchange.open_order_count()
    }

    /// Whether the gateway of the first venue refused to begin, for its clock.
    pub fn refused_its_clock(&self) -> bool {
        let halt = self.backtest.state().venues[0].gateway.halt_message();
        halt.is_some_and(|message| message.contains("this machine's clock is"))
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
        self.restart_after(span, Leftover::Canceled);
    }

    /// The same, but that what was left open and fits is taken over.
    pub fn crash_and_adopt(&mut self, span: Nanos) {
        self.restart_after(span, Leftover::Adopted);
    }

    /// The same, but that the venue takes no cancel before the account is read: what was left open goes with the gateway's
    /// own sweep.
    pub fn crash_and_leave(&mut self, span: Nanos) {
        self.restart_after(span, Leftover::Open);
    }

    /// What the process that was killed left on the venue at `place`, as a start finds it.
    fn found(&mut self, place: usize) -> Found {
        let (product, instrument, _) = self.markets[place];
        let left = setup::left_in(self.backtest.journal(place), &instrument);
        let now = self.backtest.state().now;
        let runs: Vec<_> = (setup::EPOCH..self.epoch).map(|run| RunName { run, salt: 0 }).collect();
        let (rows, trades) = left_over(self.backtest.exchange(place), now, (product, &instrument), &runs);
        let market = self.backtest.state().engine.market(instrument.id);
        let rules = AdoptionRules {
            levels: 2,
            lots_max: setup::limits(&instrument).lots_max,
            best: market.best().map(|best| (best.bid, best.ask)),
            price_collar_millionths: 10_000,
            room: [setup::position_max(&instrument); 2],
        };
        let (orders, _) = rules.choose(&left, &rows, &instrument);
        let named = |row: &OrderUpdate| {
            let OrderUpdate { instrument, venue_order, order, .. } = *row;
            order.map(|order| EarlierOrder { instrument, venue_order, order })
        };
        let names = rows.iter().filter_map(named).collect();
        Found { orders, trades, names }
    }

    fn restart_after(&mut self, span: Nanos, leftover: Leftover) {
        let (adopts, clears) = (leftover == Leftover::Adopted, leftover != Leftover::Open);
        self.vanish();
        self.backtest.run_for(span);
        self.epoch += 1;
        let places = 0..self.markets.len();
        let mut found: Vec<Found> =
            places.map(|place| if adopts || !clears { self.found(place) } else { Found::default() }).collect();
        if !adopts {
            found.iter_mut().for_each(|found| found.orders.clear());
        }
        for (place, baseline) in self.baselines.iter_mut().enumerate() {
            let (product, instrument, start) = &mut self.markets[place];
            let now = self.backtest.state().now;
            if clears && found[place].orders.is_empty() {
                // What is filled after the account was read and before user data runs would be booked by nobody.
                cancel_left_over(self.backtest.exchange(place), now, *product);
            }
            let truth = Truth::of(self.backtest.exchange(place), now, *product);
            *start = Lots(signed_lots(instrument, truth.held));
            *baseline = Baseline { position: truth.position, cash: truth.cash };
        }
        let (mut engine, orders, cancels) = setup::engine(self.epoch, &borrowed(&self.markets), self.amends);
        engine.know_earlier_runs(setup::EPOCH..self.epoch);
        let until = ADOPT_WITHIN + Nanos::from_seconds(5);
        let (now, since_start) = (self.backtest.state().now, self.since_start());
        for found in &mut found {
            found.orders.retain(|one| engine.adopt(&one.order, now + until));
        }
        let judge = self.backtest.observer_mut();
        if adopts {
            judge.oracle.adopting_until = since_start + until;
        }
        judge.in_flight.clear();
        judge.disagree_since = None;
        judge.oracle.gone_since = None;
        let read_at = self.backtest.state().now;
        let clients = clients(&self.markets, self.epoch, self.seed, (read_at, self.has_journal), &found);
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
        let worst = judge.oracle.worst;
        Outcome { stale, worst, gaps, reconnects, trace, engine_open_orders, venues, ..judge.outcome }
    }
}
