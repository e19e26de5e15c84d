//! COLD: from configuration and instrument list to the settings of engine, strategy and gateway, all exact.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use spinbook_engine::limits::OUTER_LEVELS_DEFAULT;
use spinbook_engine::quoter::Requote;
use spinbook_engine::setup::{
    AssetGroupSettings, BudgetSettings, EngineSettings, InstrumentSetup, ORDER_WINDOWS_MAX, QuoterSettings,
    RiskSettings, WindowSettings,
};
use spinbook_engine::types::{AssetGroupId, Lots, Nanos, QuoteAtoms};
use spinbook_feed::number::{Scale, atoms_from_decimal};
use spinbook_feed::venue::card::RateWindow;
use spinbook_feed::venue::instrument::{Instrument, Symbol};
use spinbook_feed::venue::orders::WindowKind;

use crate::config::Config;
use crate::config::tables::MarketConfig;
use crate::config::value::RequoteWay;
use crate::error::Failure;

/// How often the engine writes what screens show.
const TELEMETRY_INTERVAL: Nanos = Nanos::from_millis(200);
/// Levels a side outside the book's window; recorded books hold a few thousand.
const OUTER_LEVELS: usize = OUTER_LEVELS_DEFAULT;
/// Share of the messages kept for cancels.
const CANCEL_SHARE_MILLIONTHS: u32 = 300_000;
/// Share of the venue's order windows that is used: the rest is for what we cannot see.
const ORDER_WINDOW_PERCENT: u64 = 90;

/// An exact number of quote atoms.
///
/// # Errors
/// More decimals than 18, or larger than any sum may be.
pub fn quote_atoms(value: Decimal, key: &str) -> Result<QuoteAtoms, Failure> {
    atoms_from_decimal(value)
        .map(QuoteAtoms)
        .map_err(|error| Failure::usage(format!("`{key}` = {value} cannot be kept exactly")).at(key).because(error))
}

/// A quantity as lots of an instrument.
///
/// # Errors
/// Not a whole number of lots.
pub fn lots(value: Decimal, scale: &Scale, key: &str, symbol: &str) -> Result<Lots, Failure> {
    scale.units_from_decimal(value).map(Lots).ok_or_else(|| {
        Failure::usage(format!("`{key}` = {value} is no whole number of lots of {symbol}"))
            .at(key)
            .because(format!("one lot is {}", scale.decimal(1).normalize()))
            .next("round it to the instrument's quantity step")
    })
}

/// Basis points as millionths, to the millionth.
///
/// # Errors
/// Finer than a hundredth of a basis point.
pub fn millionths(bps: Decimal, key: &str) -> Result<i64, Failure> {
    let scaled = bps * Decimal::ONE_HUNDRED;
    if !scaled.is_integer() {
        return Err(Failure::usage(format!("`{key}` = {bps} is finer than a hundredth of a basis point")).at(key));
    }
    scaled.to_i64().ok_or_else(|| Failure::usage(format!("`{key}` = {bps} is out of range")).at(key))
}

/// A plain ratio as millionths, rounded.
///
/// # Errors
/// Out of range.
pub fn ratio_millionths(ratio: Decimal, key: &str) -> Result<i64, Failure> {
    (ratio * Decimal::from(1_000_000))
        .round()
        .to_i64()
        .ok_or_else(|| Failure::usage(format!("`{key}` = {ratio} is out of range")).at(key))
}

/// Fees in millionths: as configured, else the venue's standard ones.
///
/// # Errors
/// A fee finer than the unit.
pub fn fees(market: &MarketConfig) -> Result<(i64, i64), Failure> {
    let standard = market.venue.card().fees;
    let fee = |configured: Option<Decimal>, standard, key| configured.map_or(Ok(standard), |bps| millionths(bps, key));
    Ok((
        fee(market.maker_fee_bps, standard.maker_millionths, "market.maker_fee_bps")?,
        fee(market.taker_fee_bps, standard.taker_millionths, "market.taker_fee_bps")?,
    ))
}

/// The engine's settings for all markets: each with its configuration, its instruments, which are numbered over all
/// of them in this order, and its venue's windows.
///
/// # Errors
/// A configured number that an instrument cannot express.
pub fn engine_settings(
    config: &Config,
    markets: &[(&MarketConfig, &[Instrument], &[RateWindow])],
    epoch: u32,
) -> Result<EngineSettings, Failure> {
    let all: Vec<Instrument> = markets.iter().flat_map(|(_, instruments, _)| instruments.iter().copied()).collect();
    one_quote_asset(&all)?;
    let mut instruments = Vec::with_capacity(all.len());
    let mut budgets = Vec::with_capacity(markets.len());
    for (market, listed, windows) in markets {
        for instrument in *listed {
            instruments.push(instrument_setup(config, market, &all, instrument)?);
        }
        budgets.push(BudgetSettings {
            venue: market.venue.venue_id(),
            order_windows: order_windows(windows),
            messages_max_per_second: config.risk.messages_max_per_second,
            cancel_share_millionths: CANCEL_SHARE_MILLIONTHS,
        });
    }
    let loss_max_per_day = quote_atoms(config.risk.loss_max_quote_per_day, "risk.loss_max_quote_per_day")?;
    Ok(EngineSettings {
        epoch,
        strategy_number: 0,
        instruments,
        budgets,
        asset_groups: vec![AssetGroupSettings { loss_max_per_day }; quote_assets(&all).len()],
        telemetry_interval: TELEMETRY_INTERVAL,
    })
}

fn instrument_setup(
    config: &Config,
    market: &MarketConfig,
    all: &[Instrument],
    instrument: &Instrument,
) -> Result<InstrumentSetup, Failure> {
    let (maker_fee_millionths, taker_fee_millionths) = fees(market)?;
    let tolerance = config.strategy.refresh_tolerance_bps();
    let outer_levels = OUTER_LEVELS.min(market.book_levels_max as usize);
    let settings =
        instrument.engine_settings(maker_fee_millionths, taker_fee_millionths, outer_levels).map_err(|error| {
            Failure::usage(format!("{} cannot be valued exactly", instrument.symbol))
                .at("market.symbols")
                .because(error)
                .next("leave it out: contracts of other kinds and sizes are refused, never guessed at")
        })?;
    Ok(InstrumentSetup {
        instrument: settings,
        risk: risk_settings(config, instrument)?,
        quoter: QuoterSettings {
            requote: requote(config, market),
            refresh_tolerance_millionths: millionths(tolerance, "strategy.refresh_tolerance_bps")?,
            fills_max: config.risk.fills_max,
            fills_span: Nanos::from_seconds(i64::from(config.risk.fills_span_seconds)),
            unknown_orders_max: config.risk.unknown_orders_max,
            ..QuoterSettings::default()
        },
        asset_group: group_of(all, instrument),
        lots_start: Lots::ZERO,
        lots_neutral: Lots::ZERO,
    })
}

/// How quotes of a market move: by the one request that its venue has, where that is wanted.
fn requote(config: &Config, market: &MarketConfig) -> Requote {
    match config.engine.requote {
        RequoteWay::CancelPlace => Requote::CancelPlace,
        RequoteWay::Amend => market.venue.card().orders.map_or(Requote::CancelPlace, |orders| orders.requote),
    }
}

/// Every limit by value is one number of one asset: 100 of one and 100 of another are not the same loss.
fn one_quote_asset(instruments: &[Instrument]) -> Result<(), Failure> {
    let assets: Vec<String> = quote_assets(instruments).iter().map(ToString::to_string).collect();
    if assets.len() <= 1 {
        return Ok(());
    }
    let of = |asset: &String| instruments.iter().find(|instrument| instrument.quote_asset.as_str() == asset.as_str());
    let named = assets.iter().filter_map(|asset| Some(format!("{} is paid with {asset}", of(asset)?.symbol)));
    Err(Failure::usage(format!("the limits are amounts of one quote asset, the symbols have {}", assets.len()))
        .at("market.symbols")
        .because(named.collect::<Vec<_>>().join(", "))
        .next("run each quote asset with a configuration and a state folder of its own, each with its own limits"))
}

/// The quote assets in the order of the instruments: the engine's asset groups.
pub(super) fn quote_assets(instruments: &[Instrument]) -> Vec<Symbol> {
    let mut assets = Vec::new();
    for instrument in instruments {
        if !assets.contains(&instrument.quote_asset) {
            assets.push(instrument.quote_asset);
        }
    }
    assets
}

fn group_of(instruments: &[Instrument], instrument: &Instrument) -> AssetGroupId {
    let place = quote_assets(instruments).iter().position(|asset| *asset == instrument.quote_asset);
    AssetGroupId(u8::try_from(place.unwrap_or_default()).unwrap_or(u8::MAX))
}

/// The limits of one instrument.
///
/// # Errors
/// A configured number that the instrument cannot express.
pub fn risk_settings(config: &Config, instrument: &Instrument) -> Result<RiskSettings, Failure> {
    let risk = &config.risk;
    let symbol = instrument.symbol.as_str();
    let quantity = &instrument.quantity;
    Ok(RiskSettings {
        order_lots_max: lots(risk.order_quantity_max_base, quantity, "risk.order_quantity_max_base", symbol)?,
        order_notional_max: quote_atoms(risk.order_notional_max_quote, "risk.order_notional_max_quote")?,
        price_collar_millionths: millionths(risk.price_collar_bps, "risk.price_collar_bps")?,
        position_lots_max: lots(risk.position_max_base, quantity, "risk.position_max_base", symbol)?,
        open_orders_max: risk.open_orders_max,
        book_age_max: Nanos::from_millis(i64::from(risk.book_age_max_ms)),
    })
}

/// The venue's windows for new orders, less a share for what we cannot see.
fn order_windows(windows: &[RateWindow]) -> [WindowSettings; ORDER_WINDOWS_MAX] {
    let none = WindowSettings { count_max: 0, span: Nanos::ZERO };
    let mut usable = [none; ORDER_WINDOWS_MAX];
    let named = windows.iter().filter(|window| window.kind == WindowKind::Orders && window.limit > 0);
    for (slot, window) in usable.iter_mut().zip(named) {
        let count = u64::from(window.limit) * ORDER_WINDOW_PERCENT / 100;
        *slot = WindowSettings { count_max: u32::try_from(count.max(1)).unwrap_or(u32::MAX), span: window.span };
    }
    usable
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use spinbook_engine::types::QUOTE_ATOMS_PER_UNIT;
    use spinbook_feed::testkit::instrument;
    use spinbook_feed::venue::contract::{Contract, ContractKind};

    use super::*;
    use crate::config::sample::ConfigText;
    use crate::ui::report::atoms_text;

    #[test]
    fn money_is_exact_both_ways() {
        for text in ["0", "1", "-0.5", "123.000000000000000001", "-98765.4321"] {
            let value: Decimal = text.parse().expect("a decimal");
            assert_eq!(atoms_text(quote_atoms(value, "k").expect("exact")), text);
        }
        assert!(quote_atoms("0.0000000000000000001".parse().expect("a decimal"), "k").is_err());
    }

    #[test]
    fn a_run_refuses_an_inverse_contract_and_a_size_that_is_not_one() {
        let text = ConfigText::sample().commented();
        let config = Config::from_text(&text, "t.toml", Path::new(""), &[], &[]).expect("the sample is valid");
        let market = &config.markets[0];
        let mut listed = instrument(market.venue, 0, "BTCUSDT", "0.01", "0.00000001");
        engine_settings(&config, &[(market, &[listed], &[])], 1).expect("valued");
        let inverse = Contract { kind: ContractKind::Inverse, ..Contract::LINEAR };
        let hundredth = Contract { size_atoms: QUOTE_ATOMS_PER_UNIT / 100, ..Contract::LINEAR };
        for contract in [inverse, hundredth] {
            listed.contract = contract;
            let refused = engine_settings(&config, &[(market, &[listed], &[])], 1).expect_err("refused");
            assert!(refused.to_string().contains("BTCUSDT cannot be valued exactly"), "{refused}");
        }
    }

    #[test]
    fn symbols_of_two_quote_assets_are_refused_under_one_set_of_limits() {
        let text = ConfigText::sample().commented();
        let config = Config::from_text(&text, "t.toml", Path::new(""), &[], &[]).expect("the sample is valid");
        let market = &config.markets[0];
        let tether = instrument(market.venue, 0, "BTCUSDT", "0.01", "0.00000001");
        let bitcoin = instrument(market.venue, 1, "ETHBTC", "0.01", "0.00000001");
        engine_settings(&config, &[(market, &[tether], &[])], 1).expect("one quote asset");
        let refused = engine_settings(&config, &[(market, &[tether, bitcoin], &[])], 1).expect_err("refused");
        assert!(refused.to_string().contains("ETHBTC is paid with BTC"), "{refused}");
    }

    #[test]
    fn basis_points_become_millionths() {
        assert_eq!(millionths("10".parse().expect("a decimal"), "k").expect("exact"), 1_000);
        assert_eq!(millionths("0.01".parse().expect("a decimal"), "k").expect("exact"), 1);
        assert!(millionths("0.001".parse().expect("a decimal"), "k").is_err());
    }

    #[test]
    fn order_windows_leave_a_share() {
        let window = |kind, limit, seconds| RateWindow { kind, span: Nanos::from_seconds(seconds), limit };
        let windows = order_windows(&[
            window(WindowKind::Weight, 6000, 60),
            window(WindowKind::Orders, 50, 10),
            window(WindowKind::Orders, 0, 60),
        ]);
        assert_eq!((windows[0].count_max, windows[0].span), (45, Nanos::from_seconds(10)));
        assert_eq!(windows[1].count_max, 0);
    }
}
