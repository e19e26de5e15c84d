//! COLD: what the engine keeps of an instrument besides the big parts, and how set-up hands all of it over.

use std::sync::Arc;

use crate::counters::Counters;
use crate::intent::Intent;
use crate::market::Market;
use crate::position::Position;
use crate::quoter::{QuotePlan, Quoter};
use crate::ring::Producer;
use crate::risk::{Exposures, Reference, RiskSettings, StopCause, TradingState};
use crate::strategy::{Quotes, StrategyInputs, Targets};
use crate::telemetry::{TelemetryCell, TelemetryTrade};
use crate::types::{InstrumentSettings, Nanos};
use crate::unquoted::UnquotedTimes;
use crate::working::Working;

use super::feed_lag::FeedLag;
use super::{AssetGroup, Engine, VenueState};

/// The small things of one instrument.
#[derive(Clone, Copy, Debug, Default)]
pub struct InstrumentSlot {
    /// Its own trading state (a reject storm tightens it); written by [`InstrumentSlot::set_own_state`] alone.
    own_state: TradingState,
    /// Why that is.
    own_cause: StopCause,
    /// The state of its asset group: cancel-only once a loss limit of the group was reached; written by
    /// [`InstrumentSlot::set_group_state`] alone.
    group_state: TradingState,
    /// Why that is.
    group_cause: StopCause,
    /// An operator killed it, whatever else holds; written by [`InstrumentSlot::set_killed`] alone.
    is_killed: bool,
    /// The tightest of the three, so that a turn reads one.
    pub(super) state: TradingState,
    /// Whether its venue's gateway is ready: a copy of the venue's word, so that a turn need not look there.
    pub(super) venue_ready: bool,
    /// The slot of its venue.
    pub(super) venue: usize,
    /// The slot of its asset group.
    pub(super) group: usize,
    /// Twice what trading earned on it when it was last pnl_is_current.
    pub(super) trading_pnl_doubled: i128,
    /// That is its value at the last mid and after the last fill.
    pub(super) pnl_is_current: bool,
    /// The last look found nothing to do and nothing waiting: the same targets need no other look.
    pub(super) settled: bool,
    /// Its orders of which it is not known whether they live, as of the last fact about them.
    pub(super) undecided: u32,
    /// It changed and was not decided on.
    pub(super) dirty: bool,
    /// Its orders are an earlier run's and wait for gateway and book.
    pub(super) holds_adopted: bool,
    /// Cycle counter of the newest frame that was not decided on.
    pub(super) origin_tsc: u64,
    /// When a waiting target or cancel may be tried again.
    pub(super) wake: Nanos,
    /// How far its feed is behind the venue's time.
    pub(super) feed_lag: FeedLag,
    /// What its prices are held against beside its own book.
    pub(super) reference: Reference,
    /// Our last fill, for telemetry.
    pub(super) last_fill: TelemetryTrade,
}

impl InstrumentSlot {
    /// An instrument of the venue in slot `venue` and of the asset group in slot `group`.
    #[must_use]
    pub fn new(venue: usize, group: usize) -> InstrumentSlot {
        InstrumentSlot { venue, group, wake: Nanos::NEVER, ..InstrumentSlot::default() }
    }

    pub(super) const fn own_state(&self) -> TradingState {
        self.own_state
    }

    pub(super) fn set_own_state(&mut self, state: TradingState, cause: StopCause) {
        self.own_state = state;
        self.own_cause = cause;
        self.tighten();
    }

    /// Kills it, or takes that back: what else stopped it still does.
    pub(super) fn set_killed(&mut self, is_killed: bool) {
        self.is_killed = is_killed;
        self.tighten();
    }

    fn tighten(&mut self) {
        let killed = if self.is_killed { TradingState::CancelOnly } else { TradingState::Active };
        self.state = self.own_state.tightened(self.group_state).tightened(killed);
    }

    /// Why its state, and that of its group, is what it is.
    pub(super) const fn cause(&self) -> StopCause {
        match (self.group_state, self.own_state) {
            (TradingState::Active, TradingState::Active | TradingState::ReduceOnly) if self.is_killed => {
                StopCause::Operator
            }
            (TradingState::Active, _) => self.own_cause,
            _ => self.group_cause,
        }
    }

    pub(super) fn set_group_state(&mut self, state: TradingState, cause: StopCause) {
        self.group_state = state;
        self.group_cause = cause;
        self.tighten();
    }
}

/// Everything an engine is made of; only set-up builds it. The arrays are by instrument id.
#[derive(Debug)]
pub struct EngineParts<S> {
    /// Decides the quotes of all instruments.
    pub strategy: S,
    /// Steps, minimums, fees.
    pub instruments: Box<[InstrumentSettings]>,
    /// Books and touches.
    pub markets: Box<[Market]>,
    /// Inventory, cash, fees and profit, as [`Position::set_start`] left them.
    pub positions: Box<[Position]>,
    /// Our orders: none yet.
    pub working: Box<[Working]>,
    /// What brings targets and working orders together.
    pub quoters: Box<[Quoter]>,
    /// The limits that each order is held against.
    pub risks: Box<[RiskSettings]>,
    /// The quoters' refresh tolerances, in millionths of the price.
    pub tolerances_millionths: Box<[i64]>,
    /// States, slots and wake times.
    pub instrument_slots: Box<[InstrumentSlot]>,
    /// Whether each book may be quoted on: all false, as none is Live.
    pub quotable: Box<[bool]>,
    /// The targets of the last decision: none.
    pub previous: Box<[Quotes]>,
    /// Where the strategy writes what it wants.
    pub targets: Targets,
    /// Readiness, pause and budget of each venue; by venue slot.
    pub venues: Box<[VenueState]>,
    /// Result and loss limit of each quote asset; by [`crate::types::AssetGroupId`].
    pub groups: Box<[AssetGroup]>,
    /// Why instruments are not quoted: nothing known yet.
    pub unquoted: Box<[UnquotedTimes]>,
    /// Where snapshots are written for other threads.
    pub telemetry: Box<[Arc<TelemetryCell>]>,
    /// Ring to the I/O thread for new orders.
    pub orders: Producer<Intent>,
    /// Ring to the I/O thread for cancels, which new orders cannot fill.
    pub cancels: Producer<Intent>,
    /// What is counted, shared with the threads that report.
    pub counters: Arc<Counters>,
    /// Upper half of this run's order ids; above zero.
    pub epoch: u32,
    /// Number of the strategy, copied into intents.
    pub strategy_number: u16,
    /// Time between two snapshots of one instrument.
    pub telemetry_interval: Nanos,
}

impl<S> Engine<S> {
    /// An engine that is not ready to trade: it waits for books and for the gateways.
    #[must_use]
    pub fn new(parts: EngineParts<S>) -> Engine<S> {
        Engine {
            strategy: parts.strategy,
            inputs: StrategyInputs {
                instruments: parts.instruments,
                markets: parts.markets,
                positions: parts.positions,
                working: parts.working,
                quotable: parts.quotable,
                tolerances_millionths: parts.tolerances_millionths,
            },
            quoters: parts.quoters,
            risks: parts.risks,
            instrument_slots: parts.instrument_slots,
            previous: parts.previous,
            targets: parts.targets,
            venues: parts.venues,
            groups: parts.groups,
            unquoted: parts.unquoted,
            exposures: Exposures::default(),
            telemetry: parts.telemetry,
            plan: QuotePlan::default(),
            orders: parts.orders,
            cancels: parts.cancels,
            trace: None,
            slippage_max_millionths: 0,
            latency_halts: false,
            counters: parts.counters,
            state: TradingState::Active,
            cause: StopCause::None,
            standstill: None,
            tightened: false,
            dirty: false,
            epoch: parts.epoch,
            order_counter: 0,
            strategy_number: parts.strategy_number,
            telemetry_interval: parts.telemetry_interval,
            telemetry_next: Nanos::ZERO,
            telemetry_turn: 0,
            deadline: Nanos::ZERO,
            origin_tsc: 0,
            adopted: Vec::new(), // bounded: one a slot, before the first event
            adopt_until: Nanos::ZERO,
            earlier_runs: Vec::new(), // bounded: as many runs as there were, before the first event
        }
    }
}
