//! COLD: what the engine's tests share: an engine of one instrument or more, and a hand that feeds it.
#![allow(dead_code, clippy::disallowed_methods)]

use spinbook_engine::counters::Counter;
use spinbook_engine::engine::Engine;
use spinbook_engine::event::{
    ExecutionEvent, ExecutionKind, LocalReject, LostReason, MarketEvent, MarketKind, MarketReply,
};
use spinbook_engine::intent::{Intent, IntentKind, TimeInForce};
use spinbook_engine::ring::{self, Consumer};
use spinbook_engine::setup::{
    self, AssetGroupSettings, BudgetSettings, EngineSettings, InstrumentSettings, InstrumentSetup, ORDER_WINDOWS_MAX,
    QuoterSettings, RiskSettings, SpreadSettings, WindowSettings,
};
use spinbook_engine::strategy::{Quote, Spread, Strategy};
use spinbook_engine::types::{
    AssetGroupId, InstrumentId, Level, Lots, Nanos, OrderId, QuoteAtoms, Side, SlotId, Stamp, Tick, TradeId, VenueCode,
    VenueId,
};

pub(crate) const VENUE: VenueId = VenueId(3);
pub(crate) const FIRST: InstrumentId = InstrumentId(0);
pub(crate) const EPOCH: u32 = 9;
pub(crate) const START: Nanos = Nanos(1_700_000_000_000_000_000);

/// A level in short.
pub(crate) fn level(tick: i64, lots: i64) -> Level {
    Level { tick: Tick(tick), lots: Lots(lots) }
}

/// Milliseconds in short.
pub(crate) fn ms(count: i64) -> Nanos {
    Nanos::from_millis(count)
}

/// Settings of a test: one instrument, wide limits, 10 bp of spread, one level.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) instruments: Vec<(InstrumentSetup, SpreadSettings)>,
    /// By venue.
    pub(crate) budgets: Vec<BudgetSettings>,
    /// By asset group.
    pub(crate) loss_max: Vec<QuoteAtoms>,
    pub(crate) ring_slots: usize,
}

pub(crate) fn instrument() -> InstrumentSettings {
    InstrumentSettings {
        venue: VENUE,
        tick_order_step: Tick(1),
        lots_order_step: Lots(10),
        lots_order_min: Lots(10),
        lots_order_max: Lots(1_000_000_000),
        notional_min: QuoteAtoms(0),
        atoms_per_tick_lot: 1_000,
        maker_fee_millionths: 0,
        taker_fee_millionths: 0,
        outer_levels: 256,
    }
}

pub(crate) fn risk() -> RiskSettings {
    RiskSettings {
        order_lots_max: Lots(10_000),
        order_notional_max: QuoteAtoms(i128::MAX),
        price_collar_millionths: 50_000,
        position_lots_max: Lots(10_000),
        open_orders_max: 64,
        book_age_max: ms(2_000),
    }
}

pub(crate) fn spread() -> SpreadSettings {
    SpreadSettings {
        spread_millionths: 1_000,
        levels: 1,
        level_step_millionths: 500,
        order_lots: Lots(100),
        position_lots_max: Lots(10_000),
        imbalance_levels: 0,
        imbalance_threshold_millionths: 300_000,
        imbalance_widening_millionths: 1_500_000,
        imbalance_net_of_own: false,
        inventory_skew_millionths: 0,
        edge_min_millionths: 0,
        time_in_force: TimeInForce::PostOnly,
    }
}

/// A budget that no test uses up.
pub(crate) fn budget(venue: VenueId) -> BudgetSettings {
    BudgetSettings {
        venue,
        order_windows: [WindowSettings::default(); ORDER_WINDOWS_MAX],
        messages_max_per_second: 1_000_000,
        cancel_share_millionths: 300_000,
    }
}

/// Asset groups with these loss limits.
pub(crate) fn groups(loss_max: &[QuoteAtoms]) -> Vec<AssetGroupSettings> {
    loss_max.iter().map(|&loss_max_per_day| AssetGroupSettings { loss_max_per_day }).collect()
}

impl Plan {
    pub(crate) fn new() -> Plan {
        let setup = InstrumentSetup {
            instrument: instrument(),
            risk: risk(),
            quoter: QuoterSettings::default(),
            asset_group: AssetGroupId(0),
            lots_start: Lots(0),
            lots_neutral: Lots(0),
        };
        Plan {
            instruments: vec![(setup, spread())],
            budgets: vec![budget(VENUE)],
            loss_max: vec![QuoteAtoms(i128::MAX / 4)],
            ring_slots: 256,
        }
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Plan)) -> Plan {
        change(&mut self);
        self
    }

    pub(crate) fn spread(self, change: impl FnOnce(&mut SpreadSettings)) -> Plan {
        self.with(|plan| change(&mut plan.instruments[0].1))
    }

    pub(crate) fn risk(self, change: impl FnOnce(&mut RiskSettings)) -> Plan {
        self.with(|plan| change(&mut plan.instruments[0].0.risk))
    }

    pub(crate) fn quoter(self, change: impl FnOnce(&mut QuoterSettings)) -> Plan {
        self.with(|plan| change(&mut plan.instruments[0].0.quoter))
    }

    pub(crate) fn instrument(self, change: impl FnOnce(&mut InstrumentSettings)) -> Plan {
        self.with(|plan| change(&mut plan.instruments[0].0.instrument))
    }

    /// Holding this much, all of it counting as exposure.
    pub(crate) fn holding(self, lots: i64) -> Plan {
        self.with(|plan| plan.instruments[0].0.lots_start = Lots(lots))
    }

    pub(crate) fn build(self) -> Rig<Spread> {
        let strategy = self.instruments.iter().map(|(_, spread)| *spread).collect();
        let strategy = setup::spread_strategy(strategy).expect("settings of a test");
        self.build_with(strategy)
    }

    pub(crate) fn build_with<S: Strategy>(self, strategy: S) -> Rig<S> {
        let (orders, orders_out) = ring::channel(self.ring_slots);
        let (cancels, cancels_out) = ring::channel(self.ring_slots);
        let settings = EngineSettings {
            epoch: EPOCH,
            strategy_number: 1,
            instruments: self.instruments.iter().map(|(setup, _)| *setup).collect(),
            budgets: self.budgets,
            asset_groups: groups(&self.loss_max),
            telemetry_interval: ms(50),
        };
        let engine = setup::engine(settings, strategy, orders, cancels).expect("settings of a test");
        Rig { engine, orders: orders_out, cancels: cancels_out, now: START, sequence: 100, trade: 0 }
    }
}

/// An engine and the far ends of its rings.
pub(crate) struct Rig<S> {
    pub(crate) engine: Engine<S>,
    pub(crate) orders: Consumer<Intent>,
    pub(crate) cancels: Consumer<Intent>,
    pub(crate) now: Nanos,
    pub(crate) sequence: u64,
    pub(crate) trade: u128,
}

impl<S: Strategy> Rig<S> {
    /// Tells the engine that the gateway is ready.
    pub(crate) fn ready(mut self) -> Rig<S> {
        self.gateway(ExecutionKind::GatewayReady);
        self
    }

    pub(crate) fn gateway(&mut self, kind: ExecutionKind) {
        self.gateway_of(VENUE, kind);
    }

    pub(crate) fn gateway_of(&mut self, venue: VenueId, kind: ExecutionKind) {
        let event = ExecutionEvent { kind, venue, ..ExecutionEvent::default() };
        self.engine.on_execution(&event, self.now);
    }

    pub(crate) fn event(&mut self, instrument: InstrumentId, kind: MarketKind) -> MarketEvent {
        self.sequence += 1;
        MarketEvent {
            received: Stamp { wall: self.now, tsc: 77 },
            sequence: self.sequence,
            instrument,
            venue: VENUE,
            kind,
            ..MarketEvent::default()
        }
    }

    pub(crate) fn market(
        &mut self,
        instrument: InstrumentId,
        kind: MarketKind,
        bids: &[Level],
        asks: &[Level],
    ) -> MarketReply {
        let event = self.event(instrument, kind);
        self.engine.on_market(&event, bids, asks, self.now)
    }

    /// A whole book of the first instrument.
    pub(crate) fn snapshot(&mut self, bids: &[Level], asks: &[Level]) -> MarketReply {
        self.market(FIRST, MarketKind::Snapshot, bids, asks)
    }

    /// A book of one level a side, 1,000 lots each.
    pub(crate) fn best(&mut self, bid: i64, ask: i64) -> MarketReply {
        self.snapshot(&[level(bid, 1_000)], &[level(ask, 1_000)])
    }

    pub(crate) fn delta(&mut self, bids: &[Level], asks: &[Level]) -> MarketReply {
        self.market(FIRST, MarketKind::Delta, bids, asks)
    }

    pub(crate) fn lose(&mut self, reason: LostReason) {
        let event = MarketEvent { lost: reason, ..self.event(FIRST, MarketKind::Lost) };
        assert_eq!(self.engine.on_market(&event, &[], &[], self.now), MarketReply::Ok);
    }

    pub(crate) fn wait(&mut self, span: Nanos) {
        self.now = self.now + span;
        self.engine.on_timer(self.now);
    }

    pub(crate) fn places(&mut self) -> Vec<Intent> {
        let places: Vec<Intent> = std::iter::from_fn(|| self.orders.pop()).collect();
        assert!(places.iter().all(|intent| intent.kind == IntentKind::Place));
        places
    }

    pub(crate) fn cancelled(&mut self) -> Vec<Intent> {
        let cancels: Vec<Intent> = std::iter::from_fn(|| self.cancels.pop()).collect();
        assert!(cancels.iter().all(|intent| intent.kind == IntentKind::Cancel));
        cancels
    }

    /// The wanted quotes of the first instrument.
    pub(crate) fn quotes(&self, side: Side) -> Vec<Quote> {
        self.engine.targets(FIRST).side(side).to_vec()
    }

    /// The wanted prices of the first instrument.
    pub(crate) fn ticks(&self, side: Side) -> Vec<i64> {
        self.quotes(side).iter().map(|quote| quote.tick.0).collect()
    }

    pub(crate) fn count(&self, counter: Counter) -> u64 {
        self.engine.counters().value(counter)
    }

    /// Hands an event about an order over as the gateway of the instrument's venue does.
    pub(crate) fn tell(&mut self, event: &ExecutionEvent) {
        let known = event.instrument.index() < self.engine.instrument_count();
        let venue = if known { self.engine.instrument(event.instrument).venue } else { VENUE };
        self.engine.on_execution(&ExecutionEvent { venue, ..*event }, self.now);
    }

    pub(crate) fn accept(&mut self, intent: &Intent) {
        self.tell(&about(intent, ExecutionKind::Accepted));
    }

    pub(crate) fn accept_all(&mut self) -> Vec<Intent> {
        let places = self.places();
        for place in &places {
            self.accept(place);
        }
        places
    }

    pub(crate) fn cancel_done(&mut self, intent: &Intent) {
        self.tell(&about(intent, ExecutionKind::Canceled));
    }

    pub(crate) fn reject(&mut self, intent: &Intent) {
        self.tell(&ExecutionEvent {
            venue_code: VenueCode::from_number(-2010),
            ..about(intent, ExecutionKind::Rejected)
        });
    }

    pub(crate) fn reject_locally(&mut self, intent: &Intent, local: LocalReject) {
        self.tell(&ExecutionEvent { local, ..about(intent, ExecutionKind::Rejected) });
    }

    /// A fill of an order, `cumulative` in all, at its price.
    pub(crate) fn fill(&mut self, intent: &Intent, lots: i64, cumulative: i64) {
        self.trade += 1;
        let event = ExecutionEvent {
            trade: TradeId(self.trade),
            tick: intent.tick,
            lots: Lots(lots),
            lots_cumulative: Lots(cumulative),
            maker: true,
            ..about(intent, ExecutionKind::Filled)
        };
        self.tell(&event);
    }
}

/// An event about the order of an intent.
pub(crate) fn about(intent: &Intent, kind: ExecutionKind) -> ExecutionEvent {
    ExecutionEvent {
        order: intent.order,
        instrument: intent.instrument,
        venue: VENUE,
        slot: intent.slot,
        side: intent.side,
        kind,
        ..ExecutionEvent::default()
    }
}

/// An order id of this run.
pub(crate) fn order(counter: u32) -> OrderId {
    OrderId::new(EPOCH, counter)
}

/// A bid slot.
pub(crate) fn slot(number: u8) -> SlotId {
    SlotId(number)
}

/// A rig with both quotes of a mid of 100,000 accepted: the bid, then the ask.
pub(crate) fn quoting(plan: Plan) -> (Rig<Spread>, Intent, Intent) {
    let mut rig = plan.build().ready();
    assert_eq!(rig.best(99_999, 100_001), MarketReply::Ok);
    let placed = rig.accept_all();
    assert_eq!(placed.len(), 2);
    (rig, placed[0], placed[1])
}
