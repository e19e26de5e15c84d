//! COLD: one market maker on one symbol, as its user would configure it.

use rust_decimal::Decimal;
use spinbook_engine::engine::Engine;
use spinbook_engine::intent::{Intent, TimeInForce};
use spinbook_engine::quoter::{BudgetSettings, ORDER_WINDOWS_MAX, QuoterSettings, Requote};
use spinbook_engine::rate::WindowSettings;
use spinbook_engine::ring::{self, Consumer};
use spinbook_engine::risk::RiskSettings;
use spinbook_engine::setup::{AssetGroupSettings, EngineSettings, InstrumentSetup};
use spinbook_engine::strategy::{Spread, SpreadSettings};
use spinbook_engine::types::{AssetGroupId, Lots, Nanos, QUOTE_ATOMS_PER_UNIT, QuoteAtoms, Tick};
use spinbook_feed::crypto::credentials::{Credentials, Secret};
use spinbook_feed::gateway::limits::OrderLimits;
use spinbook_feed::journal::frame::{Entry, JournalHeader};
use spinbook_feed::journal::reader::JournalReader;
use spinbook_feed::journal::record::{JournalInstrument, JournalRecord};
use spinbook_feed::journal::recover::{LeftOrder, Recovery};
use spinbook_feed::journal::store::MemoryStore;
use spinbook_feed::journal::writer::{Journal, JournalWriter};
use spinbook_feed::net::exchange::paper::NoMarket;
use spinbook_feed::net::hot::rehearsal::Rehearsal;
use spinbook_feed::net::hot::rehearsal_setup::{self, RehearsedMarket};
use spinbook_feed::session::SessionSettings;
use spinbook_feed::sim::api::AccountKey;
use spinbook_feed::sim::fault_plan::FaultPlan;
use spinbook_feed::sim::saved::SavedWorld;
use spinbook_feed::venue::binance::simulator::market::Synthetic;
use spinbook_feed::venue::binance::simulator::{BinanceExchange, rules};
use spinbook_feed::venue::binance::simulator::{binance, usual};
use spinbook_feed::venue::instrument::Instrument;
use spinbook_feed::venue::simulator_side::{AccountSettings, KeptState, MarketForm, PlaySpeed, SimSettings};
use spinbook_feed::venue::source::MarketSource;
use spinbook_feed::venue::{ProductLine, binance};
use std::collections::BTreeSet;

pub const KEY: &str = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
/// 2026-11-20 00:00:00 UTC.
pub const START: Nanos = Nanos(1_795_132_800_000_000_000);
/// Marks our orders of this run.
pub const EPOCH: u32 = 77;
/// The most that may be held or wanted, in thousandths of a bitcoin.
const POSITION_MAX_MILLI: i64 = 20;

pub fn credentials() -> Credentials {
    Credentials::hmac(KEY, &Secret::new(SECRET.to_owned())).unwrap()
}

/// An exchange whose market has our orders in it, or is as it was made.
pub fn exchange_of(product: ProductLine, seed: u64, faults: FaultPlan, form: MarketForm) -> BinanceExchange {
    exchange_over(Box::new(Synthetic::bitcoin(product, seed, START).unwrap()), product, faults, START, form)
}

/// An exchange whose market has our orders in it and moves at so many thousandths of its speed.
pub fn slow_exchange(product: ProductLine, seed: u64, faults: FaultPlan, thousandths: u64) -> BinanceExchange {
    let mut settings = settings_of(product, faults, MarketForm::Present);
    settings.play.speed = PlaySpeed::Thousandths(thousandths);
    binance(settings, Box::new(Synthetic::bitcoin(product, seed, START).unwrap()), START).unwrap()
}

/// One whose market has our orders in it, from any moment on.
pub fn exchange_at(product: ProductLine, seed: u64, faults: FaultPlan, start: Nanos) -> BinanceExchange {
    exchange_over(
        Box::new(Synthetic::bitcoin(product, seed, start).unwrap()),
        product,
        faults,
        start,
        MarketForm::Present,
    )
}

/// The exchange again, from what it kept, as a new process at another moment.
pub fn exchange_again(product: ProductLine, seed: u64, kept: &[u8], now: Nanos, thousandths: u64) -> BinanceExchange {
    let saved = SavedWorld::from_lines(std::str::from_utf8(kept).unwrap()).unwrap().unwrap();
    let mut settings = settings_of(product, FaultPlan::default(), MarketForm::Present);
    settings.play.speed = PlaySpeed::Thousandths(thousandths);
    settings.kept = KeptState::Restored(Box::new(saved));
    binance(settings, Box::new(Synthetic::bitcoin(product, seed, now).unwrap()), now).unwrap()
}

/// A journal in memory, as a process that starts has it.
pub fn journal(epoch: u32, instrument: &Instrument) -> Journal {
    let header = JournalHeader { run: epoch, salt: 1, part: 0, created: START, venue: instrument.symbol };
    let store = MemoryStore::new(&header.write(), 4 << 20);
    Journal::On(Box::new(JournalWriter::new(Box::new(store), Vec::new(), START)))
}

/// The orders whose end a journal does not tell.
pub fn left_in(journal: &mut Journal, instrument: &Instrument) -> Vec<LeftOrder> {
    let mut recovery = Recovery::default();
    let named = JournalRecord::Instrument(JournalInstrument::from(instrument));
    recovery.take(&Entry { sequence: 0, time: START, record: named });
    let mut reader = JournalReader::new(journal.part()).unwrap();
    while let Some(entry) = reader.next_entry().unwrap() {
        recovery.take(&entry);
    }
    recovery.left().copied().collect()
}

/// The names of the orders that a journal says may have left.
pub fn names_in(journal: &mut Journal) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    if journal.part().is_empty() {
        return names;
    }
    let mut reader = JournalReader::new(journal.part()).unwrap();
    while let Some(entry) = reader.next_entry().unwrap() {
        if let JournalRecord::Place { client_id, .. } | JournalRecord::Replace { client_id, .. } = entry.record {
            names.insert(client_id.as_str().to_owned());
        }
    }
    names
}

/// One without a market of its own.
pub fn paper_exchange(product: ProductLine) -> BinanceExchange {
    exchange_over(Box::new(NoMarket), product, FaultPlan::default(), START, MarketForm::Original)
}

fn exchange_over(
    market: Box<dyn MarketSource>,
    product: ProductLine,
    faults: FaultPlan,
    start: Nanos,
    form: MarketForm,
) -> BinanceExchange {
    binance(settings_of(product, faults, form), market, start).unwrap()
}

fn settings_of(product: ProductLine, faults: FaultPlan, form: MarketForm) -> SimSettings {
    let mut settings = usual(product, vec![rules::known_listing(product, "BTCUSDT").unwrap()]);
    let balances = if product == binance::SPOT {
        vec![("BTC".to_owned(), Decimal::from(2)), ("USDT".to_owned(), Decimal::from(500_000))]
    } else {
        vec![("USDT".to_owned(), Decimal::from(100_000))]
    };
    let key = AccountKey::HmacSecret(SECRET.as_bytes().to_vec());
    settings.accounts = vec![AccountSettings { api_key: KEY.to_owned(), key, balances }];
    settings.faults = faults;
    settings.play.form = form;
    settings
}

fn milli(instrument: &Instrument, count: i64) -> Lots {
    Lots(instrument.quantity.parse(format!("{}.{:03}", count / 1000, count % 1000).as_bytes()).unwrap())
}

pub fn limits(instrument: &Instrument) -> OrderLimits {
    OrderLimits {
        lots_max: milli(instrument, 10),
        notional_max: QuoteAtoms(2_000 * QUOTE_ATOMS_PER_UNIT),
        open_orders_max: 16,
        // A run that is started again holds what the one before did, which this gateway has not seen.
        position_lots_max: Lots(2 * position_max(instrument).0),
        position_lots_start: Lots::ZERO,
        price_collar_millionths: None,
    }
}

pub fn position_max(instrument: &Instrument) -> Lots {
    milli(instrument, POSITION_MAX_MILLI)
}

/// One instrument of the market maker, with the settings of its venue.
fn instrument_setup(product: ProductLine, instrument: &Instrument, start: Lots, requote: Requote) -> InstrumentSetup {
    let (maker, taker) = rules::fees(product);
    InstrumentSetup {
        instrument: instrument.engine_settings(maker, taker, 4096).unwrap(),
        risk: RiskSettings {
            order_lots_max: milli(instrument, 10),
            order_notional_max: QuoteAtoms(2_000 * QUOTE_ATOMS_PER_UNIT),
            price_collar_millionths: 10_000,
            position_lots_max: position_max(instrument),
            open_orders_max: 8,
            book_age_max: Nanos::from_millis(2_000),
        },
        quoter: QuoterSettings { requote, ..QuoterSettings::default() },
        asset_group: AssetGroupId(0),
        lots_start: start,
        lots_neutral: start,
    }
}

fn budget(product: ProductLine) -> BudgetSettings {
    let windows = if product == binance::SPOT { [(50, 10), (160_000, 86_400)] } else { [(300, 10), (1_200, 60)] };
    let mut order_windows = [WindowSettings::default(); ORDER_WINDOWS_MAX];
    for (window, (count_max, seconds)) in order_windows.iter_mut().zip(windows) {
        *window = WindowSettings { span: Nanos::from_seconds(seconds), count_max };
    }
    BudgetSettings {
        venue: product.venue_id(),
        order_windows,
        messages_max_per_second: 20,
        cancel_share_millionths: 300_000,
    }
}

fn strategy(product: ProductLine, instrument: &Instrument) -> SpreadSettings {
    SpreadSettings {
        spread_millionths: if product == binance::SPOT { 2_000 } else { 600 },
        levels: 2,
        level_step_millionths: 100,
        order_lots: milli(instrument, 4),
        position_lots_max: position_max(instrument),
        imbalance_levels: 10,
        imbalance_threshold_millionths: 300_000,
        imbalance_widening_millionths: 1_500_000,
        imbalance_net_of_own: false,
        inventory_skew_millionths: 500,
        edge_min_millionths: -1_000,
        time_in_force: TimeInForce::PostOnly,
    }
}

/// How far a feed may be behind the venue's own time, as it is by default.
const FEED_LAG_MAX: Nanos = Nanos::from_seconds(5);

/// What an engine of these markets is built from. Each market is a product line, its instrument and what is held of it
/// at the start; the instruments' ids are their places. `amends`: quotes move by one request, where the venue has one.
pub fn engine_settings(epoch: u32, markets: &[(ProductLine, &Instrument, Lots)], amends: bool) -> EngineSettings {
    EngineSettings {
        epoch,
        strategy_number: 0,
        instruments: markets
            .iter()
            .map(|(product, own, start)| {
                let orders = product.card().orders.filter(|_| amends);
                let requote = orders.map_or(Requote::CancelPlace, |orders| orders.requote);
                instrument_setup(*product, own, *start, requote)
            })
            .collect(),
        budgets: markets.iter().map(|(product, ..)| budget(*product)).collect(),
        asset_groups: vec![AssetGroupSettings { loss_max_per_day: QuoteAtoms(100_000 * QUOTE_ATOMS_PER_UNIT) }],
        telemetry_interval: Nanos::from_millis(200),
    }
}

/// The strategy of these markets.
pub fn spread(markets: &[(ProductLine, &Instrument, Lots)]) -> Spread {
    let strategies = markets.iter().map(|(product, instrument, _)| strategy(*product, instrument)).collect();
    spinbook_engine::setup::spread_strategy(strategies).unwrap()
}

/// The engine of these markets, and the far ends of its rings: places and cancels.
pub fn engine(
    epoch: u32,
    markets: &[(ProductLine, &Instrument, Lots)],
    amends: bool,
) -> (Engine<Spread>, Consumer<Intent>, Consumer<Intent>) {
    let (orders, order_end) = ring::channel(1024);
    let (cancels, cancel_end) = ring::channel(1024);
    let settings = engine_settings(epoch, markets, amends);
    let mut engine = spinbook_engine::setup::engine(settings, spread(markets), orders, cancels).unwrap();
    for (_, instrument, _) in markets {
        engine.set_feed_lag_max(instrument.id, FEED_LAG_MAX);
    }
    (engine, order_end, cancel_end)
}

/// A rehearsal of a market whose best bid is `bid`.
pub fn rehearsal(product: ProductLine, instrument: &Instrument, bid: Tick, amends: bool) -> Option<Rehearsal<Spread>> {
    let markets = [(product, instrument, Lots::ZERO)];
    let settings = engine_settings(EPOCH, &markets, amends);
    let understudy = spinbook_engine::setup::understudy(&settings, 0, spread(&markets)).unwrap();
    let session = SessionSettings::of(product);
    let market = RehearsedMarket { product, instrument, session: &session, bid, move_millionths: 300 };
    rehearsal_setup::rehearsal(understudy, &market, START)
}
