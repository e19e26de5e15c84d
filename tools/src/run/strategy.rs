//! COLD: from a strategy's section of the configuration to the strategy itself: one implementation a kind.

use spinbook_engine::setup::{self, SpreadSettings};
use spinbook_engine::strategy::{Spread, Strategy};
use spinbook_feed::venue::instrument::Instrument;

use super::engine_settings::{lots, millionths, ratio_millionths};
use super::quotable::{Quotable, Widened, check_spread};
use crate::config::strategies::SpreadConfig;
use crate::config::tables::RiskConfig;
use crate::error::Failure;

/// A section that makes a strategy; the whole run is compiled once for each.
pub trait StrategySection {
    /// What it makes.
    type Strategy: Strategy + Send + 'static;

    /// Makes it for these instruments, in the order of their ids. `net_of_own`: the venue's depth includes our orders.
    ///
    /// # Errors
    /// A configured number that an instrument cannot express, or that the strategy refuses.
    fn make(&self, risk: &RiskConfig, instruments: &[Instrument], net_of_own: bool) -> Result<Self::Strategy, Failure>;

    /// Looks at the venue's rules and prices before anything starts: what of the settings is widened or clipped there.
    ///
    /// # Errors
    /// An instrument could never be quoted with these settings.
    fn look(&self, risk: &RiskConfig, at: &[Quotable<'_>]) -> Result<Vec<Widened>, Failure>;
}

impl StrategySection for SpreadConfig {
    type Strategy = Spread;

    fn make(&self, risk: &RiskConfig, instruments: &[Instrument], net_of_own: bool) -> Result<Spread, Failure> {
        setup::spread_strategy(spread_settings(self, risk, instruments, net_of_own)?)
            .map_err(|error| Failure::usage("the strategy cannot be set up").at("strategy").because(error))
    }

    fn look(&self, risk: &RiskConfig, at: &[Quotable<'_>]) -> Result<Vec<Widened>, Failure> {
        let instruments: Vec<Instrument> = at.iter().map(|quotable| *quotable.instrument).collect();
        let settings = spread_settings(self, risk, &instruments, false)?;
        let looks = settings.iter().zip(at).map(|(settings, at)| check_spread(settings, at));
        Ok(looks.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }
}

/// The strategy's settings, one entry an instrument. `net_of_own`: the venue's depth includes our orders.
///
/// # Errors
/// A configured number that the instrument cannot express.
pub(super) fn spread_settings(
    strategy: &SpreadConfig,
    risk: &RiskConfig,
    instruments: &[Instrument],
    net_of_own: bool,
) -> Result<Vec<SpreadSettings>, Failure> {
    let entries = instruments.iter().map(|instrument| {
        let symbol = instrument.symbol.as_str();
        let size = lots(strategy.order_size_base, &instrument.quantity, "strategy.order_size_base", symbol)?;
        if size.0 % instrument.lots_order_step.max(1) != 0 || size < instrument.lots_order_min {
            let step = instrument.quantity.decimal(instrument.lots_order_step.max(1)).normalize();
            let least = instrument.quantity.decimal(instrument.lots_order_min.0).normalize();
            let key = "strategy.order_size_base";
            return Err(Failure::usage(format!(
                "`{key}` = {}: {symbol} takes no such order",
                strategy.order_size_base
            ))
            .at(key)
            .because(format!("its step is {step}, its smallest order {least}"))
            .next("choose a multiple of the step that is not below the smallest order"));
        }
        Ok(SpreadSettings {
            spread_millionths: millionths(strategy.spread_bps, "strategy.spread_bps")?,
            levels: strategy.levels,
            level_step_millionths: 0,
            order_lots: size,
            position_lots_max: lots(risk.position_max_base, &instrument.quantity, "risk.position_max_base", symbol)?,
            imbalance_levels: strategy.imbalance_levels,
            imbalance_threshold_millionths: ratio_millionths(
                strategy.imbalance_threshold,
                "strategy.imbalance_threshold",
            )?,
            imbalance_widening_millionths: ratio_millionths(
                strategy.imbalance_widening,
                "strategy.imbalance_widening",
            )?,
            imbalance_net_of_own: net_of_own,
            inventory_skew_millionths: millionths(strategy.inventory_skew_bps, "strategy.inventory_skew_bps")?,
            edge_min_millionths: millionths(strategy.edge_min_bps, "strategy.edge_min_bps")?,
            time_in_force: strategy.time_in_force,
        })
    });
    entries.collect()
}
