//! COLD: one symbol's synthetic order flow: a book that lives, and the events that tell of it.
//!
//! It knows no protocol: a venue's simulator prints the events as the venue does, and says how its markets behave.

mod statistics;

pub use statistics::{Quantiles, RecordedStatistics};

use crate::number::Scale;
use crate::random::Random;
use crate::sim::api::{BookSnapshot, ListingSettings};
use spinbook_engine::types::{Level, Lots, Nanos, Side, Tick};
use std::collections::{BTreeMap, BTreeSet};

/// Price prints of one sweep.
const SWEEP_PRINTS: usize = 24;
/// How soon after a sweep others quote again: sooner than anything else happens in the busiest interval.
const HEAL_AFTER: Nanos = Nanos(200_000);
/// Levels that a side never falls below.
const LEVELS_MIN: usize = 200;
/// Beyond this distance levels stand on round prices, as they do on the venue.
const ROUND_BEYOND: i64 = 20_000;
const VERY_ROUND_BEYOND: i64 = 500_000;
/// Hundred-thousandths, the unit of the style's quantities.
const QUANTITY_UNITS: i128 = 100_000;
/// The price of what the style's quantities were measured on.
const STYLE_PRICE: i128 = 64_000;

/// One symbol of a synthetic market.
#[derive(Clone, Debug)]
pub struct SyntheticSymbol {
    /// Its listing.
    pub listing: ListingSettings,
    /// Price at the start, as text of the listing.
    pub price: String,
}

/// What happened on a market.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlowEvent {
    /// Absolute quantities of the levels that changed since the last of these.
    Depth {
        /// Id of the first change in it.
        first: u64,
        /// Id of the last change in it.
        last: u64,
        /// Id of the last change in the one before.
        previous: u64,
        /// Bids, lowest first.
        bids: Vec<Level>,
        /// Asks, lowest first.
        asks: Vec<Level>,
    },
    /// The best bid and ask.
    Touch {
        /// Id of the newest change.
        id: u64,
        /// Best bid.
        bid: Level,
        /// Best ask.
        ask: Level,
    },
    /// A trade.
    Trade {
        /// Trade number.
        id: u64,
        /// Side of the aggressor.
        aggressor: Side,
        /// Price and quantity.
        level: Level,
    },
}

/// One symbol's order flow.
pub struct Flow {
    statistics: RecordedStatistics,
    /// Prices as ticks.
    pub price: Scale,
    /// Quantities as lots.
    pub quantity: Scale,
    step_lots: i64,
    /// How many times the style's quantities, which are of what costs 64,000.
    quantity_times: i128,
    books: [BTreeMap<i64, i64>; 2],
    changed: [BTreeSet<i64>; 2],
    random: Random,
    id: u64,
    last_depth: u64,
    trade_id: u64,
    start_doubled: i64,
    next_sweep: Nanos,
}

fn index(side: Side) -> usize {
    side as usize
}

impl Flow {
    /// The symbol at `place` of its market, with its first book; ids count up from `base_id`.
    ///
    /// # Errors
    /// Which figure of the listing cannot be used.
    pub fn new(
        statistics: RecordedStatistics,
        base_id: u64,
        settings: &SyntheticSymbol,
        seed: u64,
        place: usize,
    ) -> Result<Flow, String> {
        let listing = &settings.listing;
        let wrong = |what: &str| format!("{}: {what} cannot be used in a synthetic market", listing.symbol);
        let price = Scale::from_increment(listing.tick_size.as_bytes()).map_err(|_| wrong("the tick size"))?;
        let quantity = Scale::from_increment(listing.lot_size.as_bytes()).map_err(|_| wrong("the quantity unit"))?;
        let step_lots = quantity.parse(listing.order_step.as_bytes()).map_err(|_| wrong("the order step"))?;
        let mid = price.parse(settings.price.as_bytes()).map_err(|_| wrong("the start price"))?;
        if step_lots <= 0 || mid < 100_000 {
            return Err(wrong("a price of fewer than 100000 ticks"));
        }
        let price_atoms = i128::from(mid).saturating_mul(i128::try_from(price.unit_atoms()).unwrap_or(1)).max(1);
        let quantity_times = (STYLE_PRICE * 1_000_000_000_000_000_000 / price_atoms).max(1);
        let place = u64::try_from(place).unwrap_or(0);
        let id = base_id + place * 1_000_000_000_000;
        let mut flow = Flow {
            statistics,
            price,
            quantity,
            step_lots,
            quantity_times,
            books: [BTreeMap::new(), BTreeMap::new()],
            changed: [BTreeSet::new(), BTreeSet::new()],
            random: Random::new(seed ^ place.wrapping_mul(0x9e37_79b9)),
            id,
            last_depth: id,
            trade_id: 3_735_000_000 + place * 1_000_000_000,
            start_doubled: 2 * mid + 1,
            next_sweep: Nanos::ZERO,
        };
        flow.fill_first_book(mid);
        Ok(flow)
    }

    fn fill_first_book(&mut self, mid: i64) {
        for side in Side::BOTH {
            let mut tick = if side == Side::Bid { mid } else { mid + 1 };
            // The recorded snapshots hold 1000 levels within some 20 to 35 basis points.
            let span = (mid / 400).max(2000);
            let levels = i64::try_from(self.statistics.book_levels).unwrap_or(1000);
            for level in 0..levels {
                let table = if level == 0 { self.statistics.touch_quantity } else { self.statistics.level_quantity };
                let lots = self.lots(table);
                self.books[index(side)].insert(tick, lots);
                tick -= side.sign() * self.random.between(1, (2 * span / levels - 1).max(1));
            }
        }
    }

    /// A quantity in lots from a table in hundred-thousandths, on the order step.
    fn lots(&mut self, table: Quantiles) -> i64 {
        let amount = i128::from(table.sample(&mut self.random)) * self.quantity_times;
        let unit = i128::try_from(self.quantity.unit_atoms()).unwrap_or(1).max(1);
        let lots = amount * (1_000_000_000_000_000_000 / QUANTITY_UNITS) / unit;
        let steps = i64::try_from(lots).unwrap_or(0) / self.step_lots;
        steps.max(1) * self.step_lots
    }

    fn best(&self, side: Side) -> i64 {
        let book = &self.books[index(side)];
        let best = match side {
            Side::Bid => book.last_key_value(),
            Side::Ask => book.first_key_value(),
        };
        best.map_or(0, |(tick, _)| *tick)
    }

    /// Twice the mid.
    fn doubled_mid(&self) -> i64 {
        self.best(Side::Bid) + self.best(Side::Ask)
    }

    fn set(&mut self, side: Side, tick: i64, lots: i64) {
        if lots == 0 {
            self.books[index(side)].remove(&tick);
        } else {
            self.books[index(side)].insert(tick, lots);
        }
        self.changed[index(side)].insert(tick);
    }

    fn advance_id(&mut self) {
        let step = self.statistics.id_step.sample(&mut self.random).max(1);
        self.id += step.unsigned_abs();
    }

    /// Everything between two depth events, and the event that closes it.
    pub fn interval(&mut self, at: Nanos, span: Nanos, events: &mut Vec<(Nanos, FlowEvent)>) {
        let gap = self.statistics.id_gap.sample(&mut self.random).max(1);
        self.id += gap.unsigned_abs();
        let first_id = self.id;
        if self.next_sweep == Nanos::ZERO {
            self.next_sweep = at + Nanos::from_millis(self.statistics.sweep_ms.sample(&mut self.random));
        }
        let quiet = self.statistics.levels.sample(&mut self.random);
        let touches = self.statistics.touches.sample(&mut self.random);
        let trades = self.statistics.trades.sample(&mut self.random);
        if at >= self.next_sweep {
            self.next_sweep = at + Nanos::from_millis(self.statistics.sweep_ms.sample(&mut self.random));
            self.sweep(at, events);
        }
        let total = quiet + touches + trades;
        let (mut touches_left, mut trades_left) = (touches, trades);
        for event in 0..total {
            let when = at + Nanos(span.0 * (event + 1) / (total + 1));
            let pick = self.random.between(0, total - event - 1);
            if pick < trades_left {
                trades_left -= 1;
                self.trade(when, events);
            } else if pick < trades_left + touches_left {
                touches_left -= 1;
                self.touch(when, events);
            } else {
                self.quiet();
            }
        }
        let event = self.depth_event(first_id);
        events.push((at + span, event));
    }

    /// A level away from the best changes.
    fn quiet(&mut self) {
        self.advance_id();
        let side = if self.random.chance(500_000) { Side::Bid } else { Side::Ask };
        let distance = self.statistics.distance.sample(&mut self.random);
        let mid = self.doubled_mid() / 2;
        let offset = i64::try_from(i128::from(mid) * i128::from(distance) / 10_000_000).unwrap_or(0);
        let round = match distance {
            _ if distance > VERY_ROUND_BEYOND => 5000,
            _ if distance > ROUND_BEYOND => 10,
            _ => 1,
        };
        let behind_best = self.best(side) - side.sign();
        let tick = (mid - side.sign() * offset) / round * round;
        let tick = if side == Side::Bid { tick.min(behind_best) } else { tick.max(behind_best) }.max(1);
        let deletes = self.statistics.deletes;
        if self.random.chance(deletes) && self.books[index(side)].len() > LEVELS_MIN {
            let book = &self.books[index(side)];
            let best = self.best(side);
            let near = match side {
                Side::Bid => book.range(..=tick).next_back(),
                Side::Ask => book.range(tick..).next(),
            };
            if let Some(tick) = near.map(|(tick, _)| *tick).filter(|tick| *tick != best) {
                self.set(side, tick, 0);
                return;
            }
        }
        let lots = self.lots(self.statistics.level_quantity);
        self.set(side, tick, lots);
    }

    /// The best bid or ask changes.
    fn touch(&mut self, at: Nanos, events: &mut Vec<(Nanos, FlowEvent)>) {
        self.advance_id();
        let side = if self.random.chance(500_000) { Side::Bid } else { Side::Ask };
        let best = self.best(side);
        let spread = self.best(Side::Ask) - self.best(Side::Bid);
        if spread > 1 && self.random.chance(700_000) {
            let lots = self.lots(self.statistics.touch_quantity);
            let step = if self.random.chance(700_000) { spread - 1 } else { self.random.between(1, spread - 1) };
            self.set(side, best + side.sign() * step, lots);
        } else if self.random.chance(60_000) && self.books[index(side)].len() > LEVELS_MIN {
            self.set(side, best, 0);
        } else {
            let lots = self.lots(self.statistics.touch_quantity);
            self.set(side, best, lots);
        }
        events.push((at, self.touch_event()));
    }

    /// Someone takes the best level, or part of it.
    fn trade(&mut self, at: Nanos, events: &mut Vec<(Nanos, FlowEvent)>) {
        self.advance_id();
        let aggressor = if self.random.chance(500_000) { Side::Bid } else { Side::Ask };
        let side = aggressor.opposite();
        let best = self.best(side);
        let shown = self.books[index(side)].get(&best).copied().unwrap_or(0);
        let lots = self.lots(self.statistics.trade_quantity).min(shown);
        if lots <= 0 || self.books[index(side)].len() <= LEVELS_MIN {
            return;
        }
        let event = self.trade_event(aggressor, best, lots);
        events.push((at, event));
        self.set(side, best, shown - lots);
        events.push((at, self.touch_event()));
    }

    /// Someone takes everything up to a distance.
    fn sweep(&mut self, at: Nanos, events: &mut Vec<(Nanos, FlowEvent)>) {
        let doubled = self.doubled_mid();
        // Sweeps lean back towards the start price, so that a long run stays in its neighbourhood.
        let above = i128::from(doubled - self.start_doubled) * 1_000_000 / i128::from(self.start_doubled.max(1)) * 20;
        let sells = 500_000 + i64::try_from(above).unwrap_or(0).clamp(-400_000, 400_000);
        let aggressor = if self.random.chance(u32::try_from(sells).unwrap_or(500_000)) { Side::Ask } else { Side::Bid };
        let side = aggressor.opposite();
        let distance = self.statistics.sweep_distance.sample(&mut self.random);
        let reach = i64::try_from(i128::from(doubled) * i128::from(distance) / 20_000_000).unwrap_or(0);
        let target = doubled / 2 - side.sign() * reach;
        let eaten: Vec<(i64, i64)> = match side {
            Side::Bid => self.books[0].range(target..).rev().map(|(tick, lots)| (*tick, *lots)).collect(),
            Side::Ask => self.books[1].range(..=target).map(|(tick, lots)| (*tick, *lots)).collect(),
        };
        if eaten.is_empty() || self.books[index(side)].len() <= eaten.len() + LEVELS_MIN {
            return;
        }
        let stride = eaten.len().div_ceil(SWEEP_PRINTS);
        for (count, (tick, lots)) in eaten.iter().enumerate() {
            let last = count + 1 == eaten.len();
            self.set(side, *tick, 0);
            if count % stride == 0 || last {
                self.advance_id();
                let event = self.trade_event(aggressor, *tick, *lots);
                events.push((at, event));
                events.push((at, self.touch_event()));
            }
        }
        let swept = doubled / 2 - self.best(side);
        let informed = self.random.chance(self.statistics.sweeps_informed);
        let returns = if informed { 0 } else { self.statistics.sweep_returns.sample(&mut self.random) };
        let back = i64::try_from(i128::from(swept) * i128::from(returns) / 1_000_000).unwrap_or(0);
        self.heal(self.best(side) + back, at + HEAL_AFTER, events);
    }

    /// Both sides close in on the new price after a sweep.
    fn heal(&mut self, target: i64, at: Nanos, events: &mut Vec<(Nanos, FlowEvent)>) {
        let (bid, ask) = (self.best(Side::Bid), self.best(Side::Ask));
        if ask - bid <= 1 {
            return;
        }
        let new_bid = target.clamp(bid, ask - 1);
        self.advance_id();
        for (side, from, to) in [(Side::Bid, bid, new_bid), (Side::Ask, ask, new_bid + 1)] {
            let width = (to - from).abs();
            for _ in 0..(width / 4).min(self.statistics.sweep_refill) {
                let tick = from + side.sign() * self.random.between(1, width);
                let lots = self.lots(self.statistics.level_quantity);
                self.set(side, tick, lots);
            }
            if width > 0 {
                let lots = self.lots(self.statistics.touch_quantity);
                self.set(side, to, lots);
            }
        }
        events.push((at, self.touch_event()));
    }

    fn level(&self, side: Side, tick: i64) -> Level {
        let lots = self.books[index(side)].get(&tick).copied().unwrap_or(0);
        Level { tick: Tick(tick), lots: Lots(lots) }
    }

    fn depth_event(&mut self, first: u64) -> FlowEvent {
        self.advance_id_sometimes();
        let changed = std::mem::take(&mut self.changed);
        let levels = |side: Side| changed[index(side)].iter().map(|tick| self.level(side, *tick)).collect();
        let (bids, asks) = (levels(Side::Bid), levels(Side::Ask));
        let (last, previous) = (self.id, self.last_depth);
        self.last_depth = last;
        FlowEvent::Depth { first, last, previous, bids, asks }
    }

    /// The last change before a depth message is often one that no best bid/ask tells of; then none has its id.
    /// In the recordings 7 % (USD-M) and 16 % (spot) of the depth messages share theirs with one; here as many.
    fn advance_id_sometimes(&mut self) {
        if self.random.chance(500_000) {
            self.advance_id();
        }
    }

    fn touch_event(&self) -> FlowEvent {
        let best = |side: Side| self.level(side, self.best(side));
        FlowEvent::Touch { id: self.id, bid: best(Side::Bid), ask: best(Side::Ask) }
    }

    fn trade_event(&mut self, aggressor: Side, tick: i64, lots: i64) -> FlowEvent {
        self.trade_id += 1;
        FlowEvent::Trade { id: self.trade_id, aggressor, level: Level { tick: Tick(tick), lots: Lots(lots) } }
    }

    /// The whole book as it was with the last depth message, best levels first.
    #[must_use]
    pub fn snapshot(&self) -> BookSnapshot {
        let limit = self.statistics.book_levels;
        let level = |(tick, lots): (&i64, &i64)| Level { tick: Tick(*tick), lots: Lots(*lots) };
        BookSnapshot {
            sequence: self.last_depth,
            bids: self.books[0].iter().rev().take(limit).map(level).collect(),
            asks: self.books[1].iter().take(limit).map(level).collect(),
        }
    }
}
