//! COLD: stops of trading as they happen: each is said once, and what it takes to survive a restart is kept.

use std::sync::Arc;

use rust_decimal::Decimal;
use spinbook_engine::engine::Engine;
use spinbook_engine::risk::{StopCause, TradingState};
use spinbook_engine::strategy::Strategy;
use spinbook_engine::telemetry::{TelemetryCell, TelemetrySnapshot};
use spinbook_engine::types::{AssetGroupId, InstrumentId};
use spinbook_feed::venue::instrument::Instrument;

use super::day_book::DayBook;
use super::plan::Plan;
use crate::ui::report::{StoppedBy, atoms_text};
use crate::ui::time::day_text;

/// One instrument as it is watched.
struct Watched {
    instrument: InstrumentId,
    label: String,
    quote_asset: String,
    cell: Arc<TelemetryCell>,
    /// What was said last.
    told: (TradingState, StopCause),
}

/// The stops of one run.
pub struct TradingStops {
    watched: Vec<Watched>,
    day_book: DayBook,
    loss_max: Decimal,
}

impl TradingStops {
    /// Watches an engine before it moves to its own thread.
    #[must_use]
    pub fn new<S: Strategy>(
        plan: &Plan,
        instruments: &[Instrument],
        engine: &Engine<S>,
        day_book: DayBook,
    ) -> TradingStops {
        let watched = instruments.iter().map(|instrument| Watched {
            instrument: instrument.id,
            label: plan.label(instrument),
            quote_asset: instrument.quote_asset.to_string(),
            cell: engine.telemetry(instrument.id).clone(),
            told: (TradingState::Active, StopCause::None),
        });
        TradingStops { watched: watched.collect(), day_book, loss_max: plan.config.risk.loss_max_quote_per_day }
    }

    /// Keeps the result of the day, then says what stopped since the last look: what is said survives whatever comes
    /// next. Call it often; it costs a few reads.
    pub fn look(&mut self) {
        let mut news = Vec::new();
        for place in 0..self.watched.len() {
            // A write that is under way is over at once; the next look sees it.
            let Some(seen) = self.watched[place].cell.read().filter(|seen| seen.now.0 > 0) else { continue };
            let asset = self.watched[place].quote_asset.clone();
            self.day_book.note(&asset, seen.day, seen.stop_cause == StopCause::LossPerDay);
            let state = (seen.trading_state, seen.stop_cause);
            if std::mem::replace(&mut self.watched[place].told, state) != state {
                news.push((place, seen));
            }
        }
        self.day_book.keep(false);
        news.iter().for_each(|(place, seen)| self.say(*place, seen));
    }

    fn say(&self, place: usize, seen: &TelemetrySnapshot) {
        let watched = &self.watched[place];
        let state = seen.trading_state.name();
        if seen.trading_state == TradingState::Active {
            tracing::info!("{}: trading is {state}", watched.label);
            return;
        }
        let why = seen.stop_cause.sentence();
        if seen.stop_cause != StopCause::LossPerDay {
            tracing::warn!("{}: trading is {state}: {why}", watched.label);
            return;
        }
        let earned = self.day_book.earned(&watched.quote_asset).unwrap_or(seen.day.earned);
        tracing::warn!(
            "{}: trading is {state}: {why}: {} {asset} earned on {} (UTC), risk.loss_max_quote_per_day is {}; positions \
             stay as they are; only `spinbook rearm -c FILE --reason TEXT` lets a later run trade again",
            watched.label,
            atoms_text(earned),
            day_text(seen.day.day),
            self.loss_max.normalize(),
            asset = watched.quote_asset,
        );
    }

    /// After the last event: what the engine itself says, kept for good, and which controls had stopped trading.
    /// The text is why it could not be kept, if it could not.
    pub fn finish<S: Strategy>(mut self, engine: &Engine<S>) -> (Vec<StoppedBy>, Option<String>) {
        let mut stops = Vec::new();
        for group in 0..engine.asset_group_count() {
            let group = AssetGroupId(group as u8);
            let member = self.watched.iter().find(|watched| engine.asset_group(watched.instrument) == group);
            let Some(asset) = member.map(|watched| watched.quote_asset.clone()) else { continue };
            let (result, stopped) = (engine.day_result(group), engine.is_group_stopped(group));
            self.day_book.note(&asset, result, stopped);
            if stopped {
                let earned = self.day_book.earned(&asset).unwrap_or(result.earned);
                stops.push(StoppedBy {
                    control: StopCause::LossPerDay.name(),
                    symbol: None,
                    asset: Some(asset),
                    day: Some(day_text(result.day)),
                    earned_quote: Some(atoms_text(earned)),
                    limit_quote: Some(self.loss_max.normalize().to_string()),
                });
            }
        }
        self.day_book.keep(true);
        for watched in &self.watched {
            let cause = engine.stop_cause(watched.instrument);
            if cause.is_control() && cause != StopCause::LossPerDay {
                let symbol = Some(watched.label.clone());
                stops.push(StoppedBy { control: cause.name(), symbol, ..StoppedBy::default() });
            }
        }
        (stops, self.day_book.failure().map(str::to_owned))
    }
}
