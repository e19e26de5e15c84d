//! COLD: a run's settings become an engine whose orders reach nobody.

#![allow(clippy::disallowed_methods)]

use crate::quoter::{BudgetSettings, QuoterSettings};
use crate::rate::WindowSettings;
use crate::ring;
use crate::strategy::Strategy;
use crate::types::{AssetGroupId, EPOCH_REHEARSAL, Nanos};
use crate::understudy::{Understudy, UnderstudyParts};

use super::engine::{EngineSettings, InstrumentSetup, SetupError, engine};

/// Slots of its rings: one rehearsal's requests and decisions.
const RING_SLOTS: usize = 256;

/// An understudy of the instrument at `instrument` of a run's settings, with a strategy made for that instrument alone.
///
/// Its windows never close and its waits are nothing, so that every rehearsal is a whole one; limits and tolerances are
/// the run's.
///
/// # Errors
/// As [`engine`].
pub fn understudy<S: Strategy>(
    settings: &EngineSettings,
    instrument: usize,
    strategy: S,
) -> Result<Understudy<S>, SetupError> {
    let entry = settings.instruments.get(instrument).ok_or(SetupError::InstrumentCount { count: 0 })?;
    let quoter = QuoterSettings { requote_wait: Nanos(1), duplicate_wait: Nanos::ZERO, ..entry.quoter };
    let open = |window: WindowSettings| WindowSettings { count_max: window.count_max.min(1) * u32::MAX, ..window };
    let budgets = settings.budgets.iter().filter(|budget| budget.venue == entry.instrument.venue);
    let settings = EngineSettings {
        epoch: EPOCH_REHEARSAL,
        strategy_number: u16::MAX,
        instruments: vec![InstrumentSetup { quoter, asset_group: AssetGroupId(0), ..*entry }],
        budgets: budgets
            .map(|budget| BudgetSettings {
                order_windows: budget.order_windows.map(open),
                messages_max_per_second: u32::MAX,
                ..*budget
            })
            .collect(),
        asset_groups: settings.asset_groups.get(entry.asset_group.index()).copied().into_iter().collect(),
        telemetry_interval: settings.telemetry_interval,
    };
    let (orders, cancels, decisions) =
        (ring::channel(RING_SLOTS), ring::channel(RING_SLOTS), ring::channel(RING_SLOTS));
    let mut engine = engine(settings, strategy, orders.0, cancels.0)?;
    engine.set_trace(decisions.0);
    Ok(Understudy::new(UnderstudyParts { engine, orders: orders.1, cancels: cancels.1, decisions: decisions.1 }))
}
