//! COLD: stops of trading as they happen: each is said once, and what it takes to survive a restart is kept.

use std::sync::Arc;

use rust_decimal::Decimal;
use spinbook_engine::counters::{Counter, Counters};
use spinbook_engine::engine::Engine;
use spinbook_engine::risk::{StopCause, TradingState};
use spinbook_engine::strategy::Strategy;
use spinbook_engine::telemetry::{TelemetryCell, TelemetrySnapshot};
use spinbook_engine::types::{AssetGroupId, Nanos};
use spinbook_feed::venue::instrument::Instrument;

use super::day_book::DayBook;
use super::plan::Plan;
use crate::ui::report::{StoppedBy, atoms_text};
use crate::ui::time::day_text;

/// What a person can do.
const REARM: &str = "only `spinbook rearm -c FILE --reason TEXT` lets a later run trade again";

/// One instrument as it is watched.
struct Watched {
    instrument: Instrument,
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
    counters: Arc<Counters>,
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
            instrument: *instrument,
            label: plan.label(instrument),
            quote_asset: instrument.quote_asset.to_string(),
            cell: engine.telemetry(instrument.id).clone(),
            told: (TradingState::Active, StopCause::None),
        });
        let (watched, loss_max) = (watched.collect(), plan.config.risk.loss_max_quote_per_day);
        TradingStops { watched, day_book, loss_max, counters: engine.counters().clone() }
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
            if seen.mid_doubled != 0 {
                self.day_book.note_left(&self.watched[place].instrument, seen.exposure, seen.mid_doubled);
            }
            self.note_halt(place, seen.stop_cause, None, seen.now);
            let state = (seen.trading_state, seen.stop_cause);
            if std::mem::replace(&mut self.watched[place].told, state) != state {
                news.push((place, seen));
            }
        }
        self.day_book.keep(false);
        news.iter().for_each(|(place, seen)| self.say(*place, seen));
    }

    /// Whether only a person may end it. A gateway that halts before it was ever ready has stopped nothing.
    fn is_kept(&self, cause: StopCause) -> bool {
        let was_ready = self.counters.value(Counter::GatewayReady) > 0;
        cause.is_control() || (cause == StopCause::Gateway && was_ready)
    }

    fn note_halt(&mut self, place: usize, cause: StopCause, why: Option<&str>, now: Nanos) {
        if self.is_kept(cause) && cause != StopCause::LossPerDay {
            let symbol = cause.is_of_one_instrument().then_some(self.watched[place].label.as_str());
            self.day_book.note_halt(cause, symbol, why.unwrap_or(cause.sentence()), now);
        }
    }

    fn say(&self, place: usize, seen: &TelemetrySnapshot) {
        let watched = &self.watched[place];
        let state = seen.trading_state.name();
        if seen.trading_state == TradingState::Active {
            tracing::info!("{}: trading is {state}", watched.label);
            return;
        }
        let why = seen.stop_cause.sentence();
        if !self.is_kept(seen.stop_cause) {
            tracing::warn!("{}: trading is {state}: {why}", watched.label);
            return;
        }
        if seen.stop_cause != StopCause::LossPerDay {
            tracing::warn!("{}: trading is {state}: {why}; {REARM}", watched.label);
            return;
        }
        let earned = self.day_book.earned(&watched.quote_asset).unwrap_or(seen.day.earned);
        tracing::warn!(
            "{}: trading is {state}: {why}: {} {asset} earned on {} (UTC), risk.loss_max_quote_per_day is {}; positions \
             stay as they are; {REARM}",
            watched.label,
            atoms_text(earned),
            day_text(seen.day.day),
            self.loss_max.normalize(),
            asset = watched.quote_asset,
        );
    }

    /// After the last event: what the engine itself says, kept for good, and which controls had stopped trading.
    /// The text is why it could not be kept, if it could not. `halted` is what the gateway said that halted.
    pub fn finish<S: Strategy>(
        mut self,
        engine: &Engine<S>,
        halted: Option<&str>,
        now: Nanos,
    ) -> (Vec<StoppedBy>, Option<String>) {
        let mut stops = Vec::new();
        for group in 0..engine.asset_group_count() {
            let group = AssetGroupId(group as u8);
            let member = self.watched.iter().find(|watched| engine.asset_group(watched.instrument.id) == group);
            let Some(asset) = member.map(|watched| watched.quote_asset.clone()) else { continue };
            let result = engine.day_result(group);
            let stopped = engine.group_stop_cause(group) == StopCause::LossPerDay;
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
        for place in 0..self.watched.len() {
            let instrument = self.watched[place].instrument;
            let position = engine.position(instrument.id);
            if let Some(mid_doubled) = position.mid_doubled_last() {
                self.day_book.note_left(&instrument, position.exposure(), mid_doubled);
            }
            let cause = engine.stop_cause(instrument.id);
            self.note_halt(place, cause, halted.filter(|_| cause == StopCause::Gateway), now);
        }
        self.day_book.keep(true);
        for watched in &self.watched {
            let cause = engine.stop_cause(watched.instrument.id);
            if cause.is_control() && cause != StopCause::LossPerDay {
                let symbol = Some(watched.label.clone());
                stops.push(StoppedBy { control: cause.name(), symbol, ..StoppedBy::default() });
            }
        }
        (stops, self.day_book.failure().map(str::to_owned))
    }
}
