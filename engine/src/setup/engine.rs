//! COLD: validated settings become an engine with all the memory it will ever need.

#![allow(clippy::disallowed_methods)]

use std::sync::Arc;

use crate::counters::Counters;
use crate::engine::{AssetGroup, Engine, EngineParts, InstrumentSlot, VenueState};
use crate::intent::Intent;
use crate::limits::{ASSET_GROUPS_MAX, INSTRUMENTS_MAX, VENUES_MAX};
use crate::market::Market;
use crate::position::Position;
use crate::quoter::{BudgetSettings, Quoter, QuoterSettings};
use crate::ring::Producer;
use crate::risk::RiskSettings;
use crate::strategy::{Quotes, Spread, SpreadSettings, Strategy, Targets, spread};
use crate::telemetry::TelemetryCell;
use crate::types::{AssetGroupId, InstrumentId, InstrumentSettings, Lots, Nanos, QuoteAtoms, VenueId};
use crate::unquoted::UnquotedTimes;
use crate::working::Working;

use super::{BookSettings, book};

/// What one instrument is traded with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstrumentSetup {
    /// Steps, minimums and fees.
    pub instrument: InstrumentSettings,
    /// Limits of this instrument: all mandatory.
    pub risk: RiskSettings,
    /// Tolerances, deadlines and waits of its quoter.
    pub quoter: QuoterSettings,
    /// Which of [`EngineSettings::asset_groups`] its quote asset is: instruments of one quote asset name the same.
    pub asset_group: AssetGroupId,
    /// Inventory at the start, counted in the profit at the first mid. May also be set later, before the first
    /// fill, with [`Engine::set_start`].
    pub lots_start: Lots,
    /// Inventory that counts as flat: the start for a spot account, zero for a derivative.
    pub lots_neutral: Lots,
}

/// What all instruments of one quote asset share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AssetGroupSettings {
    /// loss of the group's instruments since midnight UTC, in atoms of their quote asset, at which they become
    /// cancel-only; above zero.
    pub loss_max_per_day: QuoteAtoms,
}

/// What an engine is built from.
#[derive(Clone, Debug)]
pub struct EngineSettings {
    /// Upper half of this run's order ids: above zero, and above that of every run before.
    pub epoch: u32,
    /// Number of the strategy, copied into intents.
    pub strategy_number: u16,
    /// The instruments, in the order of their ids.
    pub instruments: Vec<InstrumentSetup>,
    /// What each venue lets us send: one entry for every venue that an instrument names, [`VENUES_MAX`] at most.
    pub budgets: Vec<BudgetSettings>,
    /// One entry for every quote asset, by [`AssetGroupId`], [`ASSET_GROUPS_MAX`] at most; each has an instrument.
    pub asset_groups: Vec<AssetGroupSettings>,
    /// Time between two snapshots of an instrument; above zero.
    pub telemetry_interval: Nanos,
}

/// Settings that no engine can be built from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// None, or more than the engine holds.
    #[error("{count} instruments: an engine takes 1 to {INSTRUMENTS_MAX}")]
    InstrumentCount {
        /// How many there were.
        count: usize,
    },
    /// A setting of an instrument is out of its range.
    #[error("instrument {instrument}: {setting} is out of range")]
    Instrument {
        /// Which, by id.
        instrument: usize,
        /// Which setting.
        setting: &'static str,
    },
    /// A risk limit is missing: zero or negative is no limit.
    #[error("instrument {instrument}: the limit {limit} is mandatory and must be above zero")]
    Limit {
        /// Which, by id.
        instrument: usize,
        /// Which limit.
        limit: &'static str,
    },
    /// A setting of the whole engine is out of its range.
    #[error("{setting} is out of range")]
    Engine {
        /// Which setting.
        setting: &'static str,
    },
    /// An instrument's venue has no budget, or two.
    #[error("venue {venue}: exactly one message budget is needed, {count} given")]
    Budget {
        /// Which venue, by number.
        venue: u8,
        /// How many budgets name it.
        count: usize,
    },
    /// An instrument names an asset group that is not there, or a group has no instrument.
    #[error(
        "asset group {group}: it needs an entry and at least one instrument, and there are at most {ASSET_GROUPS_MAX}"
    )]
    AssetGroup {
        /// Which, by id.
        group: usize,
    },
    /// The strategy's settings are out of their range.
    #[error("strategy, instrument {instrument}: {setting} is out of range")]
    Strategy {
        /// Which, by id.
        instrument: usize,
        /// Which setting.
        setting: &'static str,
    },
}

/// The reference strategy, one entry an instrument, by id.
///
/// # Errors
/// [`SetupError::Strategy`] names the first setting out of its range.
pub fn spread_strategy(settings: Vec<SpreadSettings>) -> Result<Spread, SetupError> {
    for (instrument, entry) in settings.iter().enumerate() {
        spread::check(entry).map_err(|setting| SetupError::Strategy { instrument, setting })?;
    }
    let decided = vec![None; settings.len()].into_boxed_slice();
    Ok(Spread::new(settings.into_boxed_slice(), decided))
}

/// An engine with all its memory. It trades once its books are Live and the gateway is ready.
///
/// # Errors
/// The first setting that is missing or out of its range; nothing is assumed in its place.
pub fn engine<S: Strategy>(
    settings: EngineSettings,
    strategy: S,
    orders: Producer<Intent>,
    cancels: Producer<Intent>,
) -> Result<Engine<S>, SetupError> {
    check(&settings)?;
    let entries = &settings.instruments;
    let count = entries.len();
    let instrument_slots = entries.iter().map(|entry| {
        Ok(InstrumentSlot::new(budget_of(&settings.budgets, entry.instrument.venue)?, entry.asset_group.index()))
    });
    let instrument_slots = instrument_slots.collect::<Result<Box<[InstrumentSlot]>, SetupError>>()?;
    let mut positions = Vec::with_capacity(count);
    for (instrument, entry) in entries.iter().enumerate() {
        let mut position = Position::new(entry.instrument.atoms_per_tick_lot);
        position
            .set_start(entry.lots_start, entry.lots_neutral)
            .map_err(|_| SetupError::Instrument { instrument, setting: "lots_start" })?;
        positions.push(position);
    }
    Ok(Engine::new(EngineParts {
        strategy,
        instruments: entries.iter().map(|entry| entry.instrument).collect(),
        markets: entries
            .iter()
            .map(|entry| Market::new(book(&BookSettings { outer_levels: entry.instrument.outer_levels })))
            .collect(),
        positions: positions.into_boxed_slice(),
        working: vec![Working::default(); count].into_boxed_slice(),
        quoters: entries.iter().map(|entry| Quoter::new(entry.quoter)).collect(),
        risks: entries.iter().map(|entry| entry.risk).collect(),
        tolerances_millionths: entries.iter().map(|entry| entry.quoter.refresh_tolerance_millionths).collect(),
        instrument_slots,
        quotable: vec![false; count].into_boxed_slice(),
        previous: vec![Quotes::NONE; count].into_boxed_slice(),
        targets: Targets::new(
            vec![Quotes::NONE; count].into_boxed_slice(),
            vec![false; count].into_boxed_slice(),
            vec![InstrumentId(0); count].into_boxed_slice(),
        ),
        venues: settings.budgets.iter().map(VenueState::new).collect(),
        groups: settings.asset_groups.iter().map(|group| AssetGroup::new(group.loss_max_per_day)).collect(),
        unquoted: vec![UnquotedTimes::default(); count].into_boxed_slice(),
        telemetry: (0..count).map(|_| Arc::new(TelemetryCell::default())).collect(),
        orders,
        cancels,
        counters: Arc::new(Counters::default()),
        epoch: settings.epoch,
        strategy_number: settings.strategy_number,
        telemetry_interval: settings.telemetry_interval,
    }))
}

fn budget_of(budgets: &[BudgetSettings], venue: VenueId) -> Result<usize, SetupError> {
    let count = budgets.iter().filter(|budget| budget.venue == venue).count();
    match budgets.iter().position(|budget| budget.venue == venue) {
        Some(index) if count == 1 => Ok(index),
        _ => Err(SetupError::Budget { venue: venue.0, count }),
    }
}

fn check(settings: &EngineSettings) -> Result<(), SetupError> {
    let count = settings.instruments.len();
    if count == 0 || count > INSTRUMENTS_MAX {
        return Err(SetupError::InstrumentCount { count });
    }
    let whole = [
        (settings.epoch > 0, "epoch"),
        (settings.asset_groups.iter().all(|group| group.loss_max_per_day.0 > 0), "loss_max_per_day"),
        (settings.budgets.len() <= VENUES_MAX, "budgets"),
        (settings.telemetry_interval.0 > 0, "telemetry_interval"),
        (settings.budgets.iter().all(|budget| budget.messages_max_per_second > 0), "messages_max_per_second"),
        (settings.budgets.iter().all(|budget| budget.cancel_share_millionths < 1_000_000), "cancel_share"),
        (
            settings
                .budgets
                .iter()
                .flat_map(|budget| budget.order_windows)
                .all(|window| window.count_max == 0 || window.span.0 > 0),
            "order_windows",
        ),
    ];
    if let Some((_, setting)) = whole.iter().find(|(holds, _)| !holds) {
        return Err(SetupError::Engine { setting });
    }
    check_groups(settings)?;
    for (instrument, entry) in settings.instruments.iter().enumerate() {
        check_instrument(instrument, entry)?;
    }
    Ok(())
}

fn check_groups(settings: &EngineSettings) -> Result<(), SetupError> {
    let count = settings.asset_groups.len();
    let named = |group: usize| settings.instruments.iter().any(|entry| entry.asset_group.index() == group);
    let missing = settings.instruments.iter().map(|entry| entry.asset_group.index()).find(|group| *group >= count);
    let empty = (0..count).find(|group| *group >= ASSET_GROUPS_MAX || !named(*group));
    missing.or(empty).map_or(Ok(()), |group| Err(SetupError::AssetGroup { group }))
}

fn check_instrument(instrument: usize, entry: &InstrumentSetup) -> Result<(), SetupError> {
    let (facts, risk, quoter) = (&entry.instrument, &entry.risk, &entry.quoter);
    let limits = [
        (risk.order_lots_max.0 > 0, "order_lots_max"),
        (risk.order_notional_max.0 > 0, "order_notional_max"),
        (risk.price_collar_millionths > 0, "price_collar"),
        (risk.position_lots_max.0 > 0, "position_lots_max"),
        (risk.open_orders_max > 0, "open_orders_max"),
        (risk.book_age_max.0 > 0, "book_age_max"),
    ];
    if let Some((_, limit)) = limits.iter().find(|(holds, _)| !holds) {
        return Err(SetupError::Limit { instrument, limit });
    }
    let fee = -1_000_000..=1_000_000;
    let ranges = [
        (facts.tick_order_step.0 > 0, "tick_order_step"),
        (facts.lots_order_step.0 > 0, "lots_order_step"),
        (facts.lots_order_min.0 >= 0, "lots_order_min"),
        (facts.lots_order_max.0 > 0 && facts.lots_order_max >= facts.lots_order_min, "lots_order_max"),
        (facts.notional_min.0 >= 0, "notional_min"),
        (facts.atoms_per_tick_lot > 0, "atoms_per_tick_lot"),
        (fee.contains(&facts.maker_fee_millionths), "maker_fee"),
        (fee.contains(&facts.taker_fee_millionths), "taker_fee"),
        ((0..=1_000_000).contains(&quoter.refresh_tolerance_millionths), "refresh_tolerance"),
        ((0..=1_000_000).contains(&quoter.lots_keep_millionths), "lots_keep"),
        (quoter.order_deadline.0 > 0, "order_deadline"),
        (quoter.request_timeout.0 > 0, "request_timeout"),
        (quoter.requote_wait.0 > 0, "requote_wait"),
        (quoter.reject_wait.0 > 0 && quoter.reject_wait_max >= quoter.reject_wait, "reject_wait"),
        (quoter.rejects_max > 0 && quoter.rejects_span.0 > 0, "rejects_max"),
        (quoter.fills_max > 0 && quoter.fills_span.0 > 0, "fills_max"),
        (quoter.cancel_rejects_max > 0 && quoter.cancel_rejects_span.0 > 0, "cancel_rejects_max"),
        (quoter.unknown_orders_max > 0, "unknown_orders_max"),
        (quoter.duplicate_wait.0 >= 0, "duplicate_wait"),
    ];
    match ranges.iter().find(|(holds, _)| !holds) {
        Some((_, setting)) => Err(SetupError::Instrument { instrument, setting }),
        None => Ok(()),
    }
}
