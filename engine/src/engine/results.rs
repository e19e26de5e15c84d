//! HOT: the results of asset groups: what earlier runs left of the day, what was earned, and which loss limit stopped.

use crate::counters::Counter;
use crate::event::ExecutionEvent;
use crate::position::{Position, PositionFault, PositionFill};
use crate::risk::{DayResult, Denied, Draft, Exposures, FallStop, StopCause, TradingState, WorstCase};
use crate::types::{AssetGroupId, InstrumentId, Lots, Nanos, QuoteAtoms, Side};

use super::Engine;

impl<S> Engine<S> {
    /// Takes every loss stop back: a limit that is still reached stops its group again with the next price.
    pub(super) fn release_groups(&mut self) {
        for group in &mut self.groups {
            group.stopped = false;
            group.cause = StopCause::None;
        }
        for slot in &mut self.instrument_slots {
            slot.set_group_state(TradingState::Active, StopCause::None);
        }
    }

    pub(super) fn close_group(&mut self, group: usize, cause: StopCause) {
        self.groups[group].stopped = true;
        self.groups[group].cause = cause;
        for index in 0..self.instrument_slots.len() {
            let slot = &mut self.instrument_slots[index];
            if slot.group == group {
                slot.set_group_state(TradingState::CancelOnly, cause);
            }
        }
    }

    /// What earlier runs earned today in the quote asset of a group, and whether its loss limit stopped one of them
    /// and nobody has re-armed it since: then its instruments are cancel-only from the start. Before the first event.
    pub fn resume_day(&mut self, group: AssetGroupId, before: DayResult, stopped: bool) {
        self.groups[group.index()].loss.resume(before);
        if !stopped {
            return;
        }
        self.close_group(group.index(), StopCause::LossPerDay);
        if self.groups.iter().all(|group| group.stopped) {
            self.state = self.state.tightened(TradingState::CancelOnly);
            self.cause = StopCause::LossPerDay;
        }
    }

    /// What an earlier run left of an instrument beyond the neutral inventory, and best bid plus best ask in ticks when
    /// it was valued last: its moves since then are in the result of the day. Before the first event.
    ///
    /// # Panics
    /// If there is no such instrument.
    pub fn resume_position(&mut self, instrument: InstrumentId, lots_left: Lots, mid_doubled: i64) {
        self.instrument_slots[instrument.index()].pnl_is_current = false;
        self.inputs.positions[instrument.index()].resume(lots_left, mid_doubled);
    }

    /// Books an execution that happened before the account was read and that no earlier run booked. Before the first event.
    ///
    /// # Errors
    /// [`PositionFault::Overflow`]: nothing was changed, and the result is not known.
    ///
    /// # Panics
    /// If there is no such instrument.
    #[cold]
    pub fn book_missed(&mut self, event: &ExecutionEvent) -> Result<(), PositionFault> {
        let index = event.instrument.index();
        let fill = PositionFill {
            side: event.side,
            tick: event.tick,
            lots: event.lots,
            fee: event.fee,
            fee_lots: event.fee_lots,
            fee_asset: event.fee_asset,
        };
        self.inputs.positions[index].on_missed_fill(&fill)?;
        self.instrument_slots[index].pnl_is_current = false;
        self.counters.increment(Counter::Fills);
        Ok(())
    }

    /// limits of a fall of a group's result; at first none. Before the first event.
    ///
    /// # Panics
    /// If there is no such group.
    pub fn set_falls(&mut self, group: AssetGroupId, falls: FallStop) {
        self.groups[group.index()].loss.set_falls(falls);
    }

    /// Notes the result of an instrument's group, which a fall is counted from.
    pub(super) fn note_result(&mut self, index: usize, now: Nanos) {
        let group = &mut self.groups[self.instrument_slots[index].group];
        group.loss.note(group.trading_pnl_doubled, now);
    }

    /// Which loss limit has stopped a group's instruments; [`StopCause::None`] if none has.
    ///
    /// # Panics
    /// If there is no such group.
    #[must_use]
    pub fn group_stop_cause(&self, group: AssetGroupId) -> StopCause {
        self.groups[group.index()].cause
    }

    /// R-3 over instruments: at first without limits. Before the first event.
    pub fn set_exposures(&mut self, exposures: Exposures) {
        self.exposures = exposures;
        (0..self.instrument_slots.len()).for_each(|index| self.note_exposure(index));
    }

    /// What an instrument may come to at the worst, with one more order.
    #[cold]
    fn worst_case(&self, index: usize, draft: Option<&Draft>) -> WorstCase {
        let (working, position) = (&self.inputs.working[index], &self.inputs.positions[index]);
        let more = |side: Side| draft.filter(|draft| draft.side == side).map_or(0, |draft| draft.lots.0);
        let open = |side: Side| working.lots_worst(side).0.saturating_add(more(side));
        let exposure = position.exposure().0;
        let (bought, sold) = (exposure.saturating_add(open(Side::Bid)), exposure.saturating_sub(open(Side::Ask)));
        let lots = i128::from(bought).abs().max(i128::from(sold).abs());
        let value = |mid_doubled: i64| {
            (lots * i128::from(mid_doubled)).checked_mul(self.inputs.instruments[index].atoms_per_tick_lot)
        };
        let doubled = if lots == 0 { Some(0) } else { position.mid_doubled_last().and_then(value) };
        let gross = doubled.map(|doubled| QuoteAtoms(doubled / 2));
        WorstCase { bought: Lots(bought), sold: Lots(sold), gross }
    }

    /// Notes what an instrument may come to, where that is limited.
    #[inline]
    pub(super) fn note_exposure(&mut self, index: usize) {
        if self.exposures.is_limited() {
            self.note_worst_case(index);
        }
    }

    #[cold]
    #[inline(never)]
    fn note_worst_case(&mut self, index: usize) {
        let worst = self.worst_case(index, None);
        self.exposures.note(index, worst);
    }

    /// R-3 over instruments, for one more order.
    #[cold]
    #[inline(never)]
    pub(super) fn check_exposures(&self, index: usize, draft: &Draft) -> Result<(), Denied> {
        self.exposures.check(index, self.worst_case(index, Some(draft)))
    }

    /// What was earned today in the quote asset of a group, earlier runs included.
    #[must_use]
    pub fn day_result(&self, group: AssetGroupId) -> DayResult {
        let group = &self.groups[group.index()];
        group.loss.day_result(group.trading_pnl_doubled)
    }

    /// Profit of the group's instruments since the start, fees included, in atoms of its quote asset, rounded down.
    #[must_use]
    pub fn pnl(&self, group: AssetGroupId) -> QuoteAtoms {
        QuoteAtoms(self.sum_of(group, Position::pnl_doubled).div_euclid(2))
    }

    /// What trading earned on the group's instruments since the start: [`Engine::pnl`] without the drift of the
    /// neutral inventories' value. The group's daily loss limit is held against it.
    #[must_use]
    pub fn trading_pnl(&self, group: AssetGroupId) -> QuoteAtoms {
        QuoteAtoms(self.sum_of(group, Position::trading_pnl_doubled).div_euclid(2))
    }

    /// Fees of the group's instruments, in atoms of its quote asset.
    #[must_use]
    pub fn fees(&self, group: AssetGroupId) -> QuoteAtoms {
        QuoteAtoms(self.sum_of(group, |position| Some(position.fees().0)))
    }

    fn sum_of(&self, group: AssetGroupId, amount: impl Fn(&Position) -> Option<i128>) -> i128 {
        let members =
            self.instrument_slots.iter().zip(&self.inputs.positions).filter(|(slot, _)| slot.group == group.index());
        members.filter_map(|(_, position)| amount(position)).fold(0, i128::saturating_add)
    }

    /// Whether the group's loss limit has stopped its instruments.
    ///
    /// # Panics
    /// If there is no such group.
    #[must_use]
    pub fn is_group_stopped(&self, group: AssetGroupId) -> bool {
        self.groups[group.index()].stopped
    }
}
