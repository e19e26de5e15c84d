//! HOT: the engine: events in, intents out; every branch between a market message and an order is here.
//!
//! One turn at a time: [`Engine::on_market`], [`Engine::on_execution`] and [`Engine::on_timer`] are functions of
//! the state, the input and `now`. Arrays are indexed by instrument id. Nothing here allocates, blocks or
//! reads a clock; set-up gives all the memory.

mod adopted;
mod amend;
mod execution;
mod feed_lag;
mod group;
mod instrument_slot;
mod reconcile;
mod reference;
mod results;
mod timer;
mod tracing;
mod venue;
mod warm;

pub use adopted::AdoptedOrder;
pub use group::AssetGroup;
pub use instrument_slot::{EngineParts, InstrumentSlot};
pub use venue::VenueState;

use std::sync::Arc;

use crate::book::Book;
use crate::counters::{Counter, Counters};
use crate::event::{LostReason, MarketEvent, MarketKind, MarketReply};
use crate::intent::{Intent, Reason};
use crate::market::Market;
use crate::position::Position;
use crate::quoter::{QuotePlan, Quoter};
use crate::ring::Producer;
use crate::risk::{Exposures, RiskSettings, StopCause, TradingState};
use crate::strategy::{Quotes, Strategy, StrategyInputs, Targets, View};
use crate::telemetry::TelemetryCell;
use crate::trace::{TraceKind, TraceRecord};
use crate::types::{
    AssetGroupId, EPOCH_REHEARSAL, InstrumentId, InstrumentSettings, Level, Lots, Nanos, OrderId, VenueId,
};
use crate::unquoted::UnquotedTimes;
use crate::working::Working;

/// A market maker over any number of instruments, with one strategy.
#[derive(Debug)]
pub struct Engine<S> {
    strategy: S,
    /// What strategies see. Whose book is quotable is kept there, as of its last look.
    inputs: StrategyInputs,
    quoters: Box<[Quoter]>,
    risks: Box<[RiskSettings]>,
    instrument_slots: Box<[InstrumentSlot]>,
    /// Targets of the last decision, to count changes.
    previous: Box<[Quotes]>,
    targets: Targets,
    venues: Box<[VenueState]>,
    groups: Box<[AssetGroup]>,
    unquoted: Box<[UnquotedTimes]>,
    /// R-3 over instruments.
    exposures: Exposures,
    telemetry: Box<[Arc<TelemetryCell>]>,
    plan: QuotePlan,
    orders: Producer<Intent>,
    cancels: Producer<Intent>,
    trace: Option<Producer<TraceRecord>>,
    counters: Arc<Counters>,
    state: TradingState,
    /// Why that is.
    cause: StopCause,
    /// Why nothing may be quoted at all, whatever else holds: the run ends, or an operator paused it.
    standstill: Option<Reason>,
    /// Something tightened during this turn: every instrument is to be looked at before it ends.
    tightened: bool,
    /// Some instrument has changes that were not decided on.
    dirty: bool,
    epoch: u32,
    order_counter: u32,
    strategy_number: u16,
    /// of an execution beyond its order's price.
    slippage_max_millionths: i64,
    /// slowness halts, instead of pulling quotes for a while.
    latency_halts: bool,
    telemetry_interval: Nanos,
    telemetry_next: Nanos,
    /// The instrument whose telemetry is written next.
    telemetry_turn: usize,
    deadline: Nanos,
    /// Cycle counter of the frame this turn is about; copied into intents.
    origin_tsc: u64,
    /// Orders of earlier runs that were taken over.
    adopted: Vec<OrderId>,
    /// Until then they stand, where gateway or book has not begun.
    adopt_until: Nanos,
    /// The numbers of the runs before this one.
    earlier_runs: Vec<u32>,
}

impl<S: Strategy> Engine<S> {
    /// Takes one judged market message and decides. The answer says whether the feed must fetch a snapshot.
    ///
    /// A book that stops being quotable has its quotes pulled in this very call.
    pub fn on_market(&mut self, event: &MarketEvent, bids: &[Level], asks: &[Level], now: Nanos) -> MarketReply {
        let answer = self.apply_market(event, bids, asks, now);
        if event.instrument.index() < self.inputs.markets.len() && event.kind != MarketKind::Trade {
            self.origin_tsc = event.received.tsc;
            self.decide(event.instrument, now);
            self.finish_turn(now);
            self.origin_tsc = 0;
        }
        answer
    }

    /// As [`Engine::on_market`], but quotes are not decided anew unless the book was lost: for all frames of a
    /// burst but the newest. The caller ends the burst with `on_market`, or with [`Engine::flush`].
    pub fn on_market_quiet(&mut self, event: &MarketEvent, bids: &[Level], asks: &[Level], now: Nanos) -> MarketReply {
        let answer = self.apply_market(event, bids, asks, now);
        let index = event.instrument.index();
        if index < self.inputs.markets.len() && event.kind != MarketKind::Trade {
            if self.inputs.markets[index].best().is_none() && self.inputs.quotable[index] {
                self.origin_tsc = event.received.tsc;
                self.decide(event.instrument, now);
                self.finish_turn(now);
                self.origin_tsc = 0;
            } else {
                let slot = &mut self.instrument_slots[index];
                slot.dirty = true;
                slot.origin_tsc = event.received.tsc;
                self.dirty = true;
                self.deadline = Nanos::ZERO;
            }
        }
        answer
    }

    /// Decides on every instrument that changed quietly.
    pub fn flush(&mut self, now: Nanos) {
        if !core::mem::take(&mut self.dirty) {
            return;
        }
        for index in 0..self.instrument_slots.len() {
            if self.instrument_slots[index].dirty {
                self.origin_tsc = core::mem::take(&mut self.instrument_slots[index].origin_tsc);
                self.decide(InstrumentId(index as u16), now);
            }
        }
        self.origin_tsc = 0;
        self.finish_turn(now);
    }

    /// Applies a message to its market, and notes what became of the book and the mid.
    fn apply_market(&mut self, event: &MarketEvent, bids: &[Level], asks: &[Level], now: Nanos) -> MarketReply {
        self.counters.increment(Counter::MarketEvents);
        let index = event.instrument.index();
        let Some(market) = self.inputs.markets.get_mut(index) else {
            self.counters.increment(Counter::EventsUnknownInstrument);
            return MarketReply::Ok;
        };
        match event.kind {
            MarketKind::Trade => self.counters.increment(Counter::Trades),
            MarketKind::Snapshot => {
                self.counters.increment(Counter::Snapshots);
                let feed_lag = &mut self.instrument_slots[index].feed_lag;
                if !market.book().is_live() && feed_lag.forget(&mut self.risks[index]) {
                    // The next look is at this instrument, at once.
                    (self.telemetry_turn, self.telemetry_next, self.deadline) = (index, now, Nanos::ZERO);
                }
            }
            MarketKind::Delta | MarketKind::Touch | MarketKind::Lost => {}
        }
        self.counters.add(Counter::Levels, (bids.len() + asks.len()) as u64);
        let was_live = market.book().is_live();
        let answer = market.on_event(event, bids, asks);
        let live = market.book().is_live();
        let best = market.best();
        if was_live && !live {
            self.counters.increment(Counter::BooksLost);
            let reason = if let MarketReply::Resync(reason) = answer { reason } else { event.lost };
            self.trace_book(event.instrument, reason, now);
        }
        if answer != MarketReply::Ok {
            self.counters.increment(Counter::Resyncs);
            self.counters.add(Counter::BooksOverfull, u64::from(self.inputs.markets[index].take_overfull_news()));
        }
        if let Some(best) = best {
            if self.inputs.positions[index].on_best(best.bid_book, best.ask_book)
                || !self.instrument_slots[index].pnl_is_current
            {
                self.value(event.instrument, now);
            }
            self.check_loss(event.instrument, now);
        }
        answer
    }

    /// Asks the strategy, then brings the orders of every instrument it rewrote to their new targets.
    fn decide(&mut self, changed: InstrumentId, now: Nanos) {
        self.instrument_slots[changed.index()].dirty = false;
        self.refresh_quotable(changed, now);
        let view = View::new(&self.inputs, now);
        self.strategy.on_change(&view, changed, &mut self.targets);
        self.counters.increment(Counter::Decisions);
        // What is not settled, or must be pulled, is worked on even if the strategy rewrote nothing.
        let reconciled = !self.instrument_slots[changed.index()].settled || self.pull_reason(changed).is_some();
        if reconciled {
            self.reconcile_quotes(changed, now);
        }
        while let Some(instrument) = self.targets.take_rewritten() {
            if instrument != changed {
                self.refresh_quotable(instrument, now);
                self.reconcile_quotes(instrument, now);
            } else if !reconciled {
                self.reconcile_quotes(instrument, now);
            }
        }
    }

    /// Whether the book may be quoted on now: Live, two-sided, neither locked nor crossed, and fresh.
    fn refresh_quotable(&mut self, instrument: InstrumentId, now: Nanos) {
        let index = instrument.index();
        let market = &self.inputs.markets[index];
        let usable = market.best().is_some();
        let old = usable && market.depth_age(now) > self.risks[index].book_age_max;
        if old && self.inputs.quotable[index] {
            self.counters.increment(Counter::BooksStale);
            self.instrument_slots[index].feed_lag.note_old();
            self.trace_book(instrument, LostReason::Silent, now);
        }
        let mut quotable = usable && !old;
        if quotable && !self.inputs.quotable[index] {
            quotable = !self.instrument_slots[index].feed_lag.waits_for_the_rest(&mut self.risks[index], now);
        }
        self.inputs.quotable[index] = quotable;
    }

    /// Values the instrument anew: the mid or the position is another.
    fn value(&mut self, instrument: InstrumentId, now: Nanos) {
        let index = instrument.index();
        let position = &self.inputs.positions[index];
        let slot = &mut self.instrument_slots[index];
        let Some(pnl) = position.trading_pnl_doubled() else {
            slot.pnl_is_current = false;
            if position.mid_doubled_last().is_some() {
                // There is a price and still no value: the integers cannot hold it.
                self.counters.increment(Counter::PositionFaults);
                self.tighten(TradingState::Halted, StopCause::PositionRange, now);
            }
            return;
        };
        slot.pnl_is_current = true;
        let before = core::mem::replace(&mut slot.trading_pnl_doubled, pnl);
        if pnl != before {
            let sum = &mut self.groups[slot.group].trading_pnl_doubled;
            *sum = sum.saturating_sub(before).saturating_add(pnl);
        }
    }

    /// Holds what trading did today in the instrument's quote asset against the limit of that asset.
    #[inline]
    fn check_loss(&mut self, instrument: InstrumentId, now: Nanos) {
        let index = self.instrument_slots[instrument.index()].group;
        let group = &mut self.groups[index];
        if group.loss.is_reached(group.trading_pnl_doubled, now) && !group.stopped {
            self.stop_group(index, now);
        }
    }

    /// The group's instruments become cancel-only, and with the last group the engine as a whole.
    #[cold]
    fn stop_group(&mut self, group: usize, now: Nanos) {
        self.counters.increment(Counter::LossStops);
        self.tightened = true;
        let cause = self.groups[group].loss.cause(self.groups[group].trading_pnl_doubled);
        self.close_group(group, cause);
        for index in 0..self.instrument_slots.len() {
            if self.instrument_slots[index].group == group {
                self.trace_state(InstrumentId(index as u16), TradingState::CancelOnly, now);
            }
        }
        if self.groups.iter().all(|group| group.stopped) {
            self.tighten(TradingState::CancelOnly, cause, now);
        }
    }

    /// Tightens the state of everything; the quotes go at the end of this turn. Never loosens.
    fn tighten(&mut self, state: TradingState, cause: StopCause, now: Nanos) {
        if state > self.state {
            self.state = state;
            self.cause = cause;
            self.tightened = true;
            if state == TradingState::Halted {
                self.counters.increment(Counter::Halts);
            }
            self.record(TraceRecord { now, kind: TraceKind::State, detail: state as u8, ..TraceRecord::default() });
        }
    }

    /// If this turn tightened anything, every instrument is settled before it ends.
    #[inline]
    fn finish_turn(&mut self, now: Nanos) {
        if self.tightened {
            self.pull_tightened(now);
        }
    }

    /// Pulls what the new state forbids, and shows the state at once to those who keep it over restarts.
    ///
    /// Never inlined: it would take registers of every turn.
    #[cold]
    #[inline(never)]
    fn pull_tightened(&mut self, now: Nanos) {
        self.tightened = false;
        self.reconcile_all_quotes(now);
        // Pulling quotes places nothing, so it cannot tighten again.
        self.tightened = false;
        self.publish_telemetry(now);
    }
}

/// What others may ask and tell.
impl<S> Engine<S> {
    /// Sets the trading state on an operator's word, tighter or looser; a halt is only ended by [`Engine::rearm`].
    /// Loosening also takes back the loss stops of asset groups; one whose limit is still reached stops again.
    /// Returns whether it was set. Quotes that it forbids are pulled on the next turn.
    pub fn set_trading_state(&mut self, state: TradingState) -> bool {
        if self.state == TradingState::Halted && state != TradingState::Halted {
            return false;
        }
        if state < self.state {
            self.release_groups();
        }
        self.state = state;
        self.cause = if state == TradingState::Active { StopCause::None } else { StopCause::Operator };
        self.look_at_everything();
        true
    }

    /// Sets the state of one instrument on an operator's word.
    pub fn set_instrument_state(&mut self, instrument: InstrumentId, state: TradingState) {
        if let Some(slot) = self.instrument_slots.get_mut(instrument.index()) {
            let cause = if state == TradingState::Active { StopCause::None } else { StopCause::Operator };
            slot.set_own_state(state, cause);
            self.look_at_everything();
        }
    }

    /// An operator kills one instrument, or re-arms it: nothing of it is placed while it is killed, and what else stops it
    /// stays as it is.
    pub fn set_instrument_killed(&mut self, instrument: InstrumentId, is_killed: bool) {
        if let Some(slot) = self.instrument_slots.get_mut(instrument.index()) {
            slot.set_killed(is_killed);
            self.look_at_everything();
        }
    }

    /// A human allows trading again after any stop: everything Active, waits and reject counts forgotten.
    pub fn rearm(&mut self) {
        self.state = TradingState::Active;
        self.cause = StopCause::None;
        for slot in &mut self.instrument_slots {
            slot.set_own_state(TradingState::Active, StopCause::None);
            slot.set_killed(false);
        }
        self.release_groups();
        for quoter in &mut self.quoters {
            quoter.rearm();
        }
        self.look_at_everything();
    }

    fn look_at_everything(&mut self) {
        for slot in &mut self.instrument_slots {
            slot.dirty = true;
            slot.settled = false;
        }
        self.dirty = true;
        self.deadline = Nanos::ZERO;
    }

    /// The state that applies to everything.
    #[must_use]
    pub fn trading_state(&self) -> TradingState {
        self.state
    }

    /// The tightest state that applies to an instrument: the engine's, its asset group's, or its own.
    ///
    /// # Panics
    /// If there is no such instrument; likewise below.
    #[must_use]
    pub fn instrument_state(&self, instrument: InstrumentId) -> TradingState {
        let slot = &self.instrument_slots[instrument.index()];
        self.state.tightened(slot.state)
    }

    /// Why the state that applies to an instrument is what it is.
    #[must_use]
    pub fn stop_cause(&self, instrument: InstrumentId) -> StopCause {
        let slot = &self.instrument_slots[instrument.index()];
        if self.state >= slot.state { self.cause } else { slot.cause() }
    }

    /// Why the sides of an instrument are not quoted, and for how long they were not: as of the last telemetry.
    #[must_use]
    pub fn unquoted(&self, instrument: InstrumentId) -> &UnquotedTimes {
        &self.unquoted[instrument.index()]
    }

    /// Where trace records go; without it none are written.
    pub fn set_trace(&mut self, trace: Producer<TraceRecord>) {
        self.trace = Some(trace);
    }

    /// What the account holds before the first fill, and the inventory that counts as flat.
    ///
    /// # Errors
    /// [`crate::position::PositionFault::Started`] once there was a fill.
    pub fn set_start(
        &mut self,
        instrument: InstrumentId,
        lots_start: Lots,
        lots_neutral: Lots,
    ) -> Result<(), crate::position::PositionFault> {
        self.instrument_slots[instrument.index()].pnl_is_current = false;
        self.inputs.positions[instrument.index()].set_start(lots_start, lots_neutral)
    }

    /// The most outer levels a side that an instrument's book may grow to; a venue that sends more is not quoted on. Before
    /// the first event.
    pub fn set_outer_levels_max(&mut self, instrument: InstrumentId, levels: usize) {
        self.inputs.markets[instrument.index()].set_outer_levels_max(levels);
    }

    /// How many instruments there are: ids are `0..count`.
    #[must_use]
    pub fn instrument_count(&self) -> usize {
        self.inputs.instruments.len()
    }

    /// Steps, minimums and fees.
    #[must_use]
    pub fn instrument(&self, instrument: InstrumentId) -> &InstrumentSettings {
        &self.inputs.instruments[instrument.index()]
    }

    /// Book, touch and last trade.
    #[must_use]
    pub fn market(&self, instrument: InstrumentId) -> &Market {
        &self.inputs.markets[instrument.index()]
    }

    /// Where the storage of all books lies, as addresses: for the set-up that chooses its pages.
    pub fn address_ranges(&self) -> impl Iterator<Item = core::ops::Range<usize>> + '_ {
        self.inputs.markets.iter().flat_map(|market| market.book().address_ranges())
    }

    /// How many outer levels a side an instrument's next book is to have, if the store of this one was full
    /// ([`LostReason::OuterFull`]); `None` if the book is large enough, or there is no such instrument.
    ///
    /// A cold thread builds it with `setup::book`, and [`Engine::exchange_book`] takes it before the snapshot.
    #[must_use]
    pub fn outer_levels_wanted(&self, instrument: InstrumentId) -> Option<usize> {
        self.inputs.markets.get(instrument.index())?.outer_levels_wanted()
    }

    /// Puts a larger, empty book in the place of one whose outer store was full, and gives the book back that is not
    /// used: the old one, or this one if none was wanted. Moves a few words; the caller frees the book it gets, on a cold thread.
    pub fn exchange_book(&mut self, instrument: InstrumentId, book: Book) -> Book {
        match self.inputs.markets.get_mut(instrument.index()) {
            Some(market)
                if market.outer_levels_wanted().is_some_and(|wanted| book.outer_level_capacity() >= wanted) =>
            {
                self.counters.increment(Counter::BooksEnlarged);
                market.exchange_book(book)
            }
            _ => book,
        }
    }

    /// Inventory, cash, fees and profit.
    #[must_use]
    pub fn position(&self, instrument: InstrumentId) -> &Position {
        &self.inputs.positions[instrument.index()]
    }

    /// Our orders as the engine believes them.
    #[must_use]
    pub fn working(&self, instrument: InstrumentId) -> &Working {
        &self.inputs.working[instrument.index()]
    }

    /// What the strategy wanted last.
    #[must_use]
    pub fn targets(&self, instrument: InstrumentId) -> &Quotes {
        self.targets.quotes(instrument)
    }

    /// How many quote assets there are: groups are `0..count`. Amounts of two groups are in different assets.
    #[must_use]
    pub fn asset_group_count(&self) -> usize {
        self.groups.len()
    }

    /// The quote asset of an instrument.
    #[must_use]
    pub fn asset_group(&self, instrument: InstrumentId) -> AssetGroupId {
        AssetGroupId(self.instrument_slots[instrument.index()].group as u8)
    }

    /// Orders that may be alive on the venue.
    #[must_use]
    pub fn open_orders(&self) -> usize {
        self.inputs.working.iter().map(Working::open_count).sum()
    }

    /// Upper half of this run's order ids.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Begins the order ids of an understudy anew once more than `count_max` were used; those of a run are never reused.
    #[inline]
    pub(crate) fn renew_rehearsal_ids(&mut self, count_max: u32) {
        if self.epoch == EPOCH_REHEARSAL && self.order_counter > count_max {
            self.order_counter = 0;
        }
    }

    /// Whether no order is alive, in flight, unknown or owed fills: after [`Engine::begin_shutdown`], the end.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.inputs.working.iter().all(Working::is_quiet)
    }

    /// Whether the venue's gateway is ready; no for a venue that set-up does not know.
    #[must_use]
    pub fn is_ready(&self, venue: VenueId) -> bool {
        self.venues.iter().any(|state| state.venue == venue && state.ready)
    }

    /// The counters, to be read from any thread.
    #[must_use]
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// The newest snapshot of an instrument, to be read from any thread.
    #[must_use]
    pub fn telemetry(&self, instrument: InstrumentId) -> &Arc<TelemetryCell> {
        &self.telemetry[instrument.index()]
    }

    /// Intents handed to the rings so far, both kinds: a caller compares before and after a turn to see whether
    /// it led to one.
    #[inline]
    #[must_use]
    pub fn intents_pushed(&self) -> u64 {
        self.counters.value(Counter::PlacesSent) + self.counters.value(Counter::CancelsSent)
    }

    /// When [`Engine::on_timer`] has something to do next; [`Nanos::ZERO`] means at once.
    #[inline]
    #[must_use]
    pub fn next_deadline(&self) -> Nanos {
        self.deadline
    }

    /// The strategy, to look at.
    #[must_use]
    pub fn strategy(&self) -> &S {
        &self.strategy
    }
}
