//! COLD: limits over several instruments, and of a result beyond the day, from the configuration to the engine.

use rust_decimal::Decimal;
use spinbook_engine::engine::Engine;
use spinbook_engine::risk::{ExposureMember, Exposures, FallStop};
use spinbook_engine::strategy::Strategy;
use spinbook_engine::types::{AssetGroupId, Nanos, QuoteAtoms};
use spinbook_feed::venue::instrument::{Instrument, Symbol};

use super::engine_settings::{millionths, quote_assets, quote_atoms};
use crate::config::tables::RiskConfig;
use crate::config::value::SlowAction;
use crate::error::Failure;

/// Tells an engine what no single instrument's limits say.
///
/// # Errors
/// A configured number cannot be kept exactly.
pub(super) fn set<S: Strategy>(
    engine: &mut Engine<S>,
    risk: &RiskConfig,
    instruments: &[Instrument],
) -> Result<(), Failure> {
    let atoms = |value: Option<Decimal>, key: &str| value.map(|value| quote_atoms(value, key)).transpose();
    let hour = atoms(risk.loss_max_quote_per_hour, "risk.loss_max_quote_per_hour")?;
    let drawdown = atoms(risk.drawdown_max_quote, "risk.drawdown_max_quote")?;
    for group in 0..engine.asset_group_count() {
        engine.set_falls(AssetGroupId(group as u8), FallStop::new(hour, drawdown));
    }
    engine.set_slippage_max(millionths(risk.slippage_max_bps, "risk.slippage_max_bps")?);
    let most = Nanos::from_millis(i64::from(risk.ack_latency_max_ms));
    instruments.iter().for_each(|instrument| engine.set_ack_latency_max(instrument.venue, most));
    engine.set_latency_halts(risk.slow_action == SlowAction::Halt);
    let gross = atoms(risk.exposure_gross_max_quote, "risk.exposure_gross_max_quote")?;
    let net = atoms(risk.exposure_net_max_base, "risk.exposure_net_max_base")?;
    if gross.is_some() || net.is_some() {
        engine.set_exposures(exposures(instruments, gross, net));
    }
    Ok(())
}

fn exposures(instruments: &[Instrument], gross: Option<QuoteAtoms>, net: Option<QuoteAtoms>) -> Exposures {
    let quotes = quote_assets(instruments);
    let mut bases: Vec<Symbol> = Vec::new();
    for instrument in instruments {
        if !bases.contains(&instrument.base_asset) {
            bases.push(instrument.base_asset);
        }
    }
    let place = |assets: &[Symbol], asset| assets.iter().position(|known| *known == asset).unwrap_or_default();
    let members = instruments.iter().map(|instrument| ExposureMember {
        quote: place(&quotes, instrument.quote_asset),
        base: place(&bases, instrument.base_asset),
        lot_atoms: i128::try_from(instrument.quantity.unit_atoms()).unwrap_or(i128::MAX),
    });
    let unlimited = QuoteAtoms(i128::MAX);
    let gross = vec![gross.unwrap_or(unlimited); quotes.len()];
    Exposures::new(&members.collect::<Vec<_>>(), &gross, net.unwrap_or(unlimited).0)
}
