//! COLD: what the engine keeps of an instrument besides the big parts, and how set-up hands all of it over.

use std::sync::Arc;

use crate::counters::Counters;
use crate::intent::Intent;
use crate::market::Market;
use crate::position::Position;
use crate::quoter::{Plan, Quoter};
use crate::ring::Producer;
use crate::risk::{RiskSettings, TradingState};
use crate::screen::{ScreenCell, ScreenTrade};
use crate::strategy::{Quotes, Sight, Targets};
use crate::types::{InstrumentSettings, Nanos};
use crate::working::Working;

use super::{AssetGroup, Engine, VenueState};

/// The small things of one instrument.
#[derive(Clone, Copy, Debug, Default)]
pub struct Desk {
    /// Its own trading state (a reject storm tightens it).
    pub(super) state: TradingState,
    /// The state of its asset group: cancel-only once the group's loss limit was reached.
    pub(super) group_state: TradingState,
    /// The slot of its venue.
    pub(super) venue: usize,
    /// The slot of its asset group.
    pub(super) group: usize,
    /// Twice what trading earned on it when it was last valued.
    pub(super) trading_pnl_doubled: i128,
    /// That is its value at the last mid and after the last fill.
    pub(super) valued: bool,
    /// The last look found nothing to do and nothing waiting: the same targets need no other look.
    pub(super) calm: bool,
    /// It changed and was not decided on.
    pub(super) dirty: bool,
    /// Cycle counter of the newest frame that was not decided on.
    pub(super) origin_tsc: u64,
    /// When a waiting target or cancel may be tried again.
    pub(super) wake: Nanos,
    /// Our last fill, for screens.
    pub(super) last_fill: ScreenTrade,
}

impl Desk {
    /// An instrument of the venue in slot `venue` and of the asset group in slot `group`.
    #[must_use]
    pub fn new(venue: usize, group: usize) -> Desk {
        Desk { venue, group, wake: Nanos::NEVER, ..Desk::default() }
    }
}

/// Everything an engine is made of; only set-up builds it. The arrays are by instrument id.
#[derive(Debug)]
pub struct EngineParts<S> {
    /// The strategy.
    pub strategy: S,
    /// Steps, minimums, fees.
    pub instruments: Box<[InstrumentSettings]>,
    /// Books and touches.
    pub markets: Box<[Market]>,
    /// Positions.
    pub positions: Box<[Position]>,
    /// Working orders.
    pub working: Box<[Working]>,
    /// Quoters.
    pub quoters: Box<[Quoter]>,
    /// Limits.
    pub risks: Box<[RiskSettings]>,
    /// The quoters' refresh tolerances.
    pub tolerances_millionths: Box<[i64]>,
    /// Desks.
    pub desks: Box<[Desk]>,
    /// Flags, all false.
    pub quotable: Box<[bool]>,
    /// Empty quotes.
    pub previous: Box<[Quotes]>,
    /// Targets.
    pub targets: Targets,
    /// Venues, by slot.
    pub venues: Box<[VenueState]>,
    /// Asset groups, by slot.
    pub groups: Box<[AssetGroup]>,
    /// Screen cells.
    pub screens: Box<[Arc<ScreenCell>]>,
    /// Ring of new orders.
    pub orders: Producer<Intent>,
    /// Ring of cancels.
    pub cancels: Producer<Intent>,
    /// Counters.
    pub counters: Arc<Counters>,
    /// Epoch of the order ids of this run.
    pub epoch: u32,
    /// Number of the strategy, for intents.
    pub strategy_number: u16,
    /// How often screens are written.
    pub screen_interval: Nanos,
}

impl<S> Engine<S> {
    /// An engine that is not ready to trade: it waits for books and for the gateway.
    #[must_use]
    pub fn new(parts: EngineParts<S>) -> Engine<S> {
        Engine {
            strategy: parts.strategy,
            sight: Sight {
                instruments: parts.instruments,
                markets: parts.markets,
                positions: parts.positions,
                working: parts.working,
                quotable: parts.quotable,
                tolerances_millionths: parts.tolerances_millionths,
            },
            quoters: parts.quoters,
            risks: parts.risks,
            desks: parts.desks,
            previous: parts.previous,
            targets: parts.targets,
            venues: parts.venues,
            groups: parts.groups,
            screens: parts.screens,
            plan: Plan::default(),
            orders: parts.orders,
            cancels: parts.cancels,
            trace: None,
            counters: parts.counters,
            state: TradingState::Active,
            shutdown: false,
            tightened: false,
            dirty: false,
            epoch: parts.epoch,
            order_counter: 0,
            strategy_number: parts.strategy_number,
            screen_interval: parts.screen_interval,
            screen_next: Nanos::ZERO,
            screen_turn: 0,
            deadline: Nanos::ZERO,
            origin_tsc: 0,
        }
    }
}
