//! COLD: the engine that both pipelines end in: the reference strategy, quoter, risk chain and order rings, with a
//! venue that answers every request at once between two frames.

use spinbook_engine::engine::Engine;
use spinbook_engine::event::{ExecutionEvent, ExecutionKind, MarketEvent, MarketReply};
use spinbook_engine::intent::{Intent, IntentKind, TimeInForce};
use spinbook_engine::limits::{CANCEL_RING_SLOTS, ORDER_RING_SLOTS};
use spinbook_engine::quoter::{BudgetSettings, QuoterSettings};
use spinbook_engine::ring::{self, Consumer};
use spinbook_engine::risk::RiskSettings;
use spinbook_engine::setup::{AssetGroupSettings, EngineSettings, InstrumentSetup, engine, spread_strategy};
use spinbook_engine::strategy::{Spread, SpreadSettings};
use spinbook_engine::types::{AssetGroupId, Level, Lots, Nanos, QUOTE_ATOMS_PER_UNIT, QuoteAtoms, VenueId};
use spinbook_feed::session::MarketSink;
use spinbook_feed::venue::instrument::Instrument;

/// Levels a side outside the window: enough for every recorded book.
pub const OUTER_LEVELS: usize = 1 << 14;

/// One engine with the reading ends of its rings.
pub struct Trader {
    engine: Engine<Spread>,
    orders: Consumer<Intent>,
    cancels: Consumer<Intent>,
}

impl Trader {
    /// A trader of one instrument that requotes at every change of its targets, so that many frames cause orders.
    #[must_use]
    pub fn new(instrument: &Instrument) -> Trader {
        let (order_producer, orders) = ring::channel(ORDER_RING_SLOTS);
        let (cancel_producer, cancels) = ring::channel(CANCEL_RING_SLOTS);
        let strategy = spread_strategy(vec![spread(instrument)]).expect("the settings are in range");
        let built = engine(settings(instrument), strategy, order_producer, cancel_producer);
        let mut engine = built.expect("the settings are in range");
        let ready =
            ExecutionEvent { kind: ExecutionKind::GatewayReady, venue: instrument.venue, ..ExecutionEvent::default() };
        engine.on_execution(&ready, Nanos::ZERO);
        Trader { engine, orders, cancels }
    }

    /// Intents that the engine has put on its rings so far.
    #[inline]
    #[must_use]
    pub fn intents_pushed(&self) -> u64 {
        self.engine.intents_pushed()
    }

    /// The engine, for reports.
    #[must_use]
    pub fn engine(&self) -> &Engine<Spread> {
        &self.engine
    }

    /// Plays the venue: takes every intent, shows it to `seen` and accepts it at once.
    pub fn answer(&mut self, now: Nanos, mut seen: impl FnMut(&Intent)) {
        while let Some(intent) = self.cancels.pop().or_else(|| self.orders.pop()) {
            seen(&intent);
            let event = execution(&intent, self.engine.instrument(intent.instrument).venue, now);
            self.engine.on_execution(&event, now);
        }
    }
}

/// What a venue answers that takes everything.
pub(crate) fn execution(intent: &Intent, venue: VenueId, now: Nanos) -> ExecutionEvent {
    let kind = match intent.kind {
        IntentKind::Cancel => ExecutionKind::Canceled,
        _ => ExecutionKind::Accepted,
    };
    ExecutionEvent {
        order: intent.order,
        time: now,
        tick: intent.tick,
        instrument: intent.instrument,
        venue,
        slot: intent.slot,
        side: intent.side,
        kind,
        ..ExecutionEvent::default()
    }
}

impl MarketSink for Trader {
    #[inline]
    fn on_market(&mut self, event: &MarketEvent, bids: &[Level], asks: &[Level], now: Nanos) -> MarketReply {
        self.engine.on_market(event, bids, asks, now)
    }
}

/// A hundredth of a unit of the base asset, or the smallest legal quantity if that is more.
pub(crate) fn order_lots(instrument: &Instrument) -> Lots {
    let hundredth = 10i64.pow(u32::from(instrument.quantity.decimals())) / 100;
    let step = instrument.lots_order_step.max(1);
    Lots((hundredth.max(instrument.lots_order_min.0) / step).max(1) * step)
}

/// The reference strategy's settings.
pub(crate) fn spread(instrument: &Instrument) -> SpreadSettings {
    SpreadSettings {
        spread_millionths: 400,
        levels: 1,
        level_step_millionths: 0,
        order_lots: order_lots(instrument),
        position_lots_max: Lots(order_lots(instrument).0 * 100),
        imbalance_levels: 10,
        imbalance_threshold_millionths: 300_000,
        imbalance_widening_millionths: 1_500_000,
        imbalance_net_of_own: false,
        inventory_skew_millionths: 100,
        edge_min_millionths: 0,
        time_in_force: TimeInForce::PostOnly,
    }
}

/// The engine's settings.
pub(crate) fn settings(instrument: &Instrument) -> EngineSettings {
    let units = |count: i128| QuoteAtoms(count * QUOTE_ATOMS_PER_UNIT);
    let lots = order_lots(instrument).0;
    let facts = instrument.engine_settings(200, 500, OUTER_LEVELS).expect("a contract of size one");
    let risk = RiskSettings {
        order_lots_max: Lots(lots * 2),
        order_notional_max: units(10_000),
        price_collar_millionths: 20_000,
        position_lots_max: Lots(lots * 100),
        open_orders_max: 32,
        book_age_max: Nanos::from_seconds(10),
    };
    let quoter = QuoterSettings { refresh_tolerance_millionths: 0, ..QuoterSettings::default() };
    EngineSettings {
        epoch: 1,
        strategy_number: 0,
        instruments: vec![InstrumentSetup {
            instrument: facts,
            risk,
            quoter,
            asset_group: AssetGroupId(0),
            lots_start: Lots::ZERO,
            lots_neutral: Lots::ZERO,
        }],
        budgets: vec![BudgetSettings {
            venue: instrument.venue,
            order_windows: Default::default(),
            messages_max_per_second: 1_000_000,
            cancel_share_millionths: 200_000,
        }],
        asset_groups: vec![AssetGroupSettings { loss_max_per_day: units(1_000_000) }],
        telemetry_interval: Nanos::from_seconds(1),
    }
}
