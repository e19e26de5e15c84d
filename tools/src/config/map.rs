//! COLD: from the configuration and the venue's instruments to what the engine is set up with, exactly.
//!
//! Every number is converted without rounding; one that the instrument cannot hold is refused with its reason.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use spinbook_engine::quoter::QuoterSettings;
use spinbook_engine::risk::{BudgetSettings, ORDER_WINDOWS_MAX, RiskSettings, WindowSettings};
use spinbook_engine::setup::{EngineSettings, InstrumentSetup};
use spinbook_engine::strategy::SpreadSettings;
use spinbook_engine::types::{InstrumentSettings, Lots, Nanos, QUOTE_ATOMS_PER_UNIT, QuoteAtoms, Tick};
use spinbook_feed::venue::binance::Product;
use spinbook_feed::venue::instrument::{Instrument, InstrumentStatus};

use super::{Config, MarketConfig};
use crate::error::Failure;

/// Millionths in one basis point.
const MILLIONTHS_PER_BPS: i64 = 100;
/// Share of the message budget that only cancels may use, in millionths.
const CANCEL_SHARE_MILLIONTHS: u32 = 300_000;
/// How often the engine writes what the screen shows.
const SCREEN_INTERVAL: Nanos = Nanos::from_millis(100);

/// What the engine and its strategy are built from.
#[derive(Clone, Debug)]
pub struct EnginePlan {
    /// For `setup::engine`.
    pub engine: EngineSettings,
    /// For `setup::spread_strategy`, by instrument id.
    pub spread: Vec<SpreadSettings>,
}

/// What the configuration does not say.
#[derive(Clone, Copy, Debug)]
pub struct PlanFacts {
    /// This run's number, above every earlier one.
    pub epoch: u32,
    /// Whether the venue's depth includes our own orders: true live, false with recorded depth.
    pub depth_includes_own: bool,
    /// Levels a side outside the book's window.
    pub far_levels: usize,
}

/// Plans an engine for `instruments`, which stand in the order of their ids.
///
/// # Errors
/// Wrong configuration: an instrument that is not traded, or a number that it cannot hold.
pub fn plan(config: &Config, instruments: &[Instrument], facts: PlanFacts) -> Result<EnginePlan, Failure> {
    let mut engine = EngineSettings {
        epoch: facts.epoch,
        strategy_number: 0,
        instruments: Vec::with_capacity(instruments.len()),
        budgets: Vec::new(),
        loss_max_per_day: atoms(config, "risk.loss_max_quote_per_day", config.risk.loss_max_quote_per_day)?,
        screen_interval: SCREEN_INTERVAL,
    };
    let mut spread = Vec::with_capacity(instruments.len());
    for (index, instrument) in instruments.iter().enumerate() {
        if instrument.id.index() != index {
            return Err(Failure::failed("instruments are out of order").at(instrument.symbol));
        }
        let product = product_of(instrument)?;
        let market = market_of(config, product, instrument)?;
        if instrument.status != InstrumentStatus::Trading {
            return Err(Failure::usage(format!("{} takes no orders now ({:?})", instrument.symbol, instrument.status))
                .at(product.name())
                .next("remove it from `symbols`, or wait until the venue trades it"));
        }
        if instrument.quote_asset != instruments[0].quote_asset {
            return Err(Failure::usage("instruments of one run must share their quote asset")
                .at(instrument.symbol)
                .because("risk.loss_max_quote_per_day is one limit for all of them")
                .next("use one configuration for each quote asset"));
        }
        engine.instruments.push(instrument_setup(config, market, product, instrument, facts)?);
        spread.push(spread_settings(config, instrument, facts)?);
        if !engine.budgets.iter().any(|budget| budget.venue == instrument.venue) {
            engine.budgets.push(budget(config, product));
        }
    }
    Ok(EnginePlan { engine, spread })
}

fn product_of(instrument: &Instrument) -> Result<Product, Failure> {
    Product::from_venue_id(instrument.venue)
        .ok_or_else(|| Failure::failed("an instrument of no known venue").at(instrument.symbol))
}

fn market_of<'a>(config: &'a Config, product: Product, instrument: &Instrument) -> Result<&'a MarketConfig, Failure> {
    let symbol = instrument.symbol.as_str();
    let names = |market: &&MarketConfig| market.venue == product.name() && market.symbols.iter().any(|name| name == symbol);
    config.markets.iter().find(names).ok_or_else(|| {
        Failure::failed("an instrument that no market names").at(format!("{} {symbol}", product.name()))
    })
}

fn instrument_setup(
    config: &Config,
    market: &MarketConfig,
    product: Product,
    instrument: &Instrument,
    facts: PlanFacts,
) -> Result<InstrumentSetup, Failure> {
    let risk = &config.risk;
    let (maker, taker) = standard_fees_millionths(product);
    let fee = |key: &str, bps: Option<Decimal>, standard: i64| bps.map_or(Ok(standard), |bps| millionths(config, key, bps));
    let lots = |key: &str, value: Decimal| at_most(config, key, value, instrument);
    Ok(InstrumentSetup {
        instrument: InstrumentSettings {
            venue: instrument.venue,
            tick_order_step: Tick(instrument.tick_order_step),
            lots_order_step: Lots(instrument.lots_order_step),
            lots_order_min: instrument.lots_order_min,
            lots_order_max: instrument.lots_order_max,
            notional_min: instrument.notional_min,
            atoms_per_tick_lot: instrument.atoms_per_tick_lot,
            maker_fee_millionths: fee("market.maker_fee_bps", market.maker_fee_bps, maker)?,
            taker_fee_millionths: fee("market.taker_fee_bps", market.taker_fee_bps, taker)?,
            far_levels: facts.far_levels,
        },
        risk: RiskSettings {
            order_lots_max: lots("risk.order_quantity_max_base", risk.order_quantity_max_base)?,
            order_notional_max: atoms(config, "risk.order_notional_max_quote", risk.order_notional_max_quote)?,
            price_collar_millionths: millionths(config, "risk.price_collar_bps", risk.price_collar_bps)?,
            position_lots_max: lots("risk.position_max_base", risk.position_max_base)?,
            open_orders_max: risk.open_orders_max,
            book_age_max: Nanos::from_millis(i64::from(risk.book_age_max_ms)),
        },
        quoter: QuoterSettings {
            refresh_tolerance_millionths: millionths(
                config,
                "strategy.refresh_tolerance_bps",
                config.strategy.refresh_tolerance_bps,
            )?,
            ..QuoterSettings::default()
        },
        lots_start: Lots::ZERO,
        lots_neutral: Lots::ZERO,
    })
}

fn spread_settings(config: &Config, instrument: &Instrument, facts: PlanFacts) -> Result<SpreadSettings, Failure> {
    let strategy = &config.strategy;
    let rate = |key: &str, value: Decimal| millionths(config, key, value);
    // Ratios count in ones, not in basis points: 1 is 10,000 bps.
    let ratio = |key: &str, value: Decimal| millionths(config, key, value * Decimal::from(10_000));
    Ok(SpreadSettings {
        spread_millionths: rate("strategy.spread_bps", strategy.spread_bps)?,
        levels: strategy.levels,
        level_step_millionths: 0,
        order_lots: order_lots(config, instrument)?,
        position_lots_max: at_most(config, "risk.position_max_base", config.risk.position_max_base, instrument)?,
        imbalance_levels: strategy.imbalance_levels,
        imbalance_threshold_millionths: ratio("strategy.imbalance_threshold", strategy.imbalance_threshold)?,
        imbalance_widening_millionths: ratio("strategy.imbalance_widening", strategy.imbalance_widening)?,
        imbalance_net_of_own: facts.depth_includes_own,
        inventory_skew_millionths: rate("strategy.inventory_skew_bps", strategy.inventory_skew_bps)?,
        edge_min_millionths: rate("strategy.edge_min_bps", strategy.edge_min_bps)?,
        time_in_force: strategy.time_in_force,
    })
}

/// The venue's order windows, and the configured messages a second.
///
/// The windows are those of the venue's documentation (spot 50 orders in 10 s and 160,000 a day; USD-M 300 in 10 s and
/// 1,200 a minute); an account may be allowed more, never less.
fn budget(config: &Config, product: Product) -> BudgetSettings {
    let windows = match product {
        Product::BinanceSpot => [(50, 10), (160_000, 86_400)],
        Product::BinanceUsdm => [(300, 10), (1_200, 60)],
    };
    let mut order_windows = [WindowSettings::default(); ORDER_WINDOWS_MAX];
    for (window, (count_max, seconds)) in order_windows.iter_mut().zip(windows) {
        *window = WindowSettings { count_max, span: Nanos::from_seconds(seconds) };
    }
    BudgetSettings {
        venue: product.venue_id(),
        order_windows,
        messages_max_per_second: config.risk.messages_max_per_second,
        cancel_share_millionths: CANCEL_SHARE_MILLIONTHS,
    }
}

/// Maker and taker fee of an account without a tier, in millionths: `maker_fee_bps` and `taker_fee_bps` override.
const fn standard_fees_millionths(product: Product) -> (i64, i64) {
    match product {
        Product::BinanceSpot => (1_000, 1_000),
        Product::BinanceUsdm => (200, 500),
    }
}

fn refuse(config: &Config, key: &str, value: Decimal, why: String) -> Failure {
    Failure::usage(format!("`{key}` = {value} does not fit"))
        .at(&config.file)
        .because(why)
        .next("change the value; `spinbook config check` shows what is in effect")
}

/// Basis points as millionths, exactly.
fn millionths(config: &Config, key: &str, bps: Decimal) -> Result<i64, Failure> {
    let exact = bps.checked_mul(Decimal::from(MILLIONTHS_PER_BPS)).filter(|value| value.is_integer());
    exact
        .and_then(|value| value.to_i64())
        .ok_or_else(|| refuse(config, key, bps, "finer than a millionth (0.01 bps)".to_owned()))
}

/// An amount of the quote asset in atoms, exactly.
fn atoms(config: &Config, key: &str, amount: Decimal) -> Result<QuoteAtoms, Failure> {
    let unit = 10i128.checked_pow(amount.scale());
    let exact = unit
        .filter(|unit| QUOTE_ATOMS_PER_UNIT % unit == 0)
        .and_then(|unit| amount.mantissa().checked_mul(QUOTE_ATOMS_PER_UNIT / unit));
    exact
        .map(QuoteAtoms)
        .ok_or_else(|| refuse(config, key, amount, "finer than 18 decimals, or too large".to_owned()))
}

/// A limit in the base asset as lots: exactly.
fn at_most(config: &Config, key: &str, quantity: Decimal, instrument: &Instrument) -> Result<Lots, Failure> {
    instrument.quantity.units_from_decimal(quantity).map(Lots).ok_or_else(|| {
        let unit = instrument.quantity.decimal(1).normalize();
        refuse(config, key, quantity, format!("{} counts in {unit}", instrument.symbol))
    })
}

/// The order size as lots: on the instrument's step and within its limits.
fn order_lots(config: &Config, instrument: &Instrument) -> Result<Lots, Failure> {
    let (key, quantity) = ("strategy.order_size_base", config.strategy.order_size_base);
    let lots = at_most(config, key, quantity, instrument)?;
    let shown = |lots: Lots| instrument.quantity.decimal(lots.0).normalize();
    let symbol = instrument.symbol;
    if instrument.lots_order_step > 0 && lots.0 % instrument.lots_order_step != 0 {
        let step = shown(Lots(instrument.lots_order_step));
        return Err(refuse(config, key, quantity, format!("{symbol} orders come in steps of {step}")));
    }
    if lots < instrument.lots_order_min {
        let smallest = shown(instrument.lots_order_min);
        return Err(refuse(config, key, quantity, format!("the smallest {symbol} order is {smallest}")));
    }
    if instrument.lots_order_max.0 > 0 && lots > instrument.lots_order_max {
        let largest = shown(instrument.lots_order_max);
        return Err(refuse(config, key, quantity, format!("the largest {symbol} order is {largest}")));
    }
    Ok(lots)
}
