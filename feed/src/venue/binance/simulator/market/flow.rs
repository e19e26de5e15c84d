//! COLD: one symbol's synthetic order flow: a book that lives, and the messages that tell of it.

use super::SyntheticSymbol;
use super::statistics::{Quantiles, RecordedStatistics};
use crate::number::{Scale, TEXT_MAX};
use crate::random::Random;
use crate::sim::side::MarketFrame;
use crate::venue::{ProductLine, binance};
use spinbook_engine::types::{Nanos, Side};
use std::collections::{BTreeMap, BTreeSet};

/// Price prints of one sweep.
const SWEEP_PRINTS: usize = 24;
/// Levels that a side never falls below.
const LEVELS_MIN: usize = 200;
/// Beyond this distance levels stand on round prices, as they do on the venue.
const ROUND_BEYOND: i64 = 20_000;
const VERY_ROUND_BEYOND: i64 = 500_000;
/// Hundred-thousandths, the unit of the style's quantities.
const QUANTITY_UNITS: i128 = 100_000;

/// One symbol.
pub struct Flow {
    product: ProductLine,
    statistics: RecordedStatistics,
    symbol: String,
    stream: String,
    price: Scale,
    quantity: Scale,
    step_lots: i64,
    books: [BTreeMap<i64, i64>; 2],
    changed: [BTreeSet<i64>; 2],
    random: Random,
    id: u64,
    last_depth: u64,
    trade_id: u64,
    start_doubled: i64,
    next_sweep: Nanos,
    /// Where the mid goes back to after a sweep, if one has just happened.
    heal_to: Option<i64>,
}

fn index(side: Side) -> usize {
    side as usize
}

impl Flow {
    /// A symbol with its first book.
    pub fn new(product: ProductLine, settings: &SyntheticSymbol, seed: u64, place: usize) -> Result<Flow, String> {
        let listing = &settings.listing;
        let wrong = |what: &str| format!("{}: {what} cannot be used in a synthetic market", listing.symbol);
        let price = Scale::from_increment(listing.tick_size.as_bytes()).map_err(|_| wrong("the tick size"))?;
        let quantity = Scale::from_increment(listing.lot_size.as_bytes()).map_err(|_| wrong("the quantity unit"))?;
        let step_lots = quantity.parse(listing.order_step.as_bytes()).map_err(|_| wrong("the order step"))?;
        let mid = price.parse(settings.price.as_bytes()).map_err(|_| wrong("the start price"))?;
        if step_lots <= 0 || mid < 100_000 {
            return Err(wrong("a price of fewer than 100000 ticks"));
        }
        let place = u64::try_from(place).unwrap_or(0);
        let base_id = if product == binance::SPOT { 50_093_000_000 } else { 4_984_000_000_000 };
        let id = base_id + place * 1_000_000_000_000;
        let mut flow = Flow {
            product,
            statistics: RecordedStatistics::of(product),
            symbol: listing.symbol.clone(),
            stream: listing.symbol.to_lowercase(),
            price,
            quantity,
            step_lots,
            books: [BTreeMap::new(), BTreeMap::new()],
            changed: [BTreeSet::new(), BTreeSet::new()],
            random: Random::new(seed ^ place.wrapping_mul(0x9e37_79b9)),
            id,
            last_depth: id,
            trade_id: 3_735_000_000 + place * 1_000_000_000,
            start_doubled: 2 * mid + 1,
            next_sweep: Nanos::ZERO,
            heal_to: None,
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
        let amount = i128::from(table.sample(&mut self.random));
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

    /// Everything between two depth messages, and the message that closes it.
    pub fn interval(&mut self, at: Nanos, span: Nanos, frames: &mut Vec<MarketFrame>) {
        let gap = self.statistics.id_gap.sample(&mut self.random).max(1);
        self.id += gap.unsigned_abs();
        let first_id = self.id;
        if self.next_sweep == Nanos::ZERO {
            self.next_sweep = at + Nanos::from_millis(self.statistics.sweep_ms.sample(&mut self.random));
        }
        let quiet = self.statistics.levels.sample(&mut self.random);
        let touches = self.statistics.touches.sample(&mut self.random);
        let trades = self.statistics.trades.sample(&mut self.random);
        if let Some(target) = self.heal_to.take() {
            self.heal(target, at, frames);
        }
        if at >= self.next_sweep {
            self.next_sweep = at + Nanos::from_millis(self.statistics.sweep_ms.sample(&mut self.random));
            self.sweep(at, frames);
        }
        let total = quiet + touches + trades;
        let (mut touches_left, mut trades_left) = (touches, trades);
        for event in 0..total {
            let when = at + Nanos(span.0 * (event + 1) / (total + 1));
            let pick = self.random.between(0, total - event - 1);
            if pick < trades_left {
                trades_left -= 1;
                self.trade(when, frames);
            } else if pick < trades_left + touches_left {
                touches_left -= 1;
                self.touch(when, frames);
            } else {
                self.quiet();
            }
        }
        frames.push(MarketFrame { at: at + span, bytes: self.depth_frame(first_id, at + span) });
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
    fn touch(&mut self, at: Nanos, frames: &mut Vec<MarketFrame>) {
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
        frames.push(MarketFrame { at, bytes: self.touch_frame(at) });
    }

    /// Someone takes the best level, or part of it.
    fn trade(&mut self, at: Nanos, frames: &mut Vec<MarketFrame>) {
        self.advance_id();
        let aggressor = if self.random.chance(500_000) { Side::Bid } else { Side::Ask };
        let side = aggressor.opposite();
        let best = self.best(side);
        let shown = self.books[index(side)].get(&best).copied().unwrap_or(0);
        let lots = self.lots(self.statistics.trade_quantity).min(shown);
        if lots <= 0 || self.books[index(side)].len() <= LEVELS_MIN {
            return;
        }
        frames.push(MarketFrame { at, bytes: self.trade_frame(aggressor, best, lots, at) });
        self.set(side, best, shown - lots);
        frames.push(MarketFrame { at, bytes: self.touch_frame(at) });
    }

    /// Someone takes everything up to a distance.
    fn sweep(&mut self, at: Nanos, frames: &mut Vec<MarketFrame>) {
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
                frames.push(MarketFrame { at, bytes: self.trade_frame(aggressor, *tick, *lots, at) });
                frames.push(MarketFrame { at, bytes: self.touch_frame(at) });
            }
        }
        let swept = doubled / 2 - self.best(side);
        let returns = self.statistics.sweep_returns.sample(&mut self.random);
        let back = i64::try_from(i128::from(swept) * i128::from(returns) / 1_000_000).unwrap_or(0);
        self.heal_to = Some(self.best(side) + back);
    }

    /// Both sides close in on the new price after a sweep.
    fn heal(&mut self, target: i64, at: Nanos, frames: &mut Vec<MarketFrame>) {
        let (bid, ask) = (self.best(Side::Bid), self.best(Side::Ask));
        if ask - bid <= 1 {
            return;
        }
        let new_bid = target.clamp(bid, ask - 1);
        self.advance_id();
        for (side, from, to) in [(Side::Bid, bid, new_bid), (Side::Ask, ask, new_bid + 1)] {
            let width = (to - from).abs();
            for _ in 0..(width / 4).min(60) {
                let tick = from + side.sign() * self.random.between(1, width);
                let lots = self.lots(self.statistics.level_quantity);
                self.set(side, tick, lots);
            }
            if width > 0 {
                let lots = self.lots(self.statistics.touch_quantity);
                self.set(side, to, lots);
            }
        }
        frames.push(MarketFrame { at, bytes: self.touch_frame(at) });
    }

    fn price_text(&self, tick: i64) -> String {
        let mut buffer = [0u8; TEXT_MAX];
        self.price.format(tick, &mut buffer).to_owned()
    }

    fn quantity_text(&self, lots: i64) -> String {
        let mut buffer = [0u8; TEXT_MAX];
        self.quantity.format(lots, &mut buffer).to_owned()
    }

    fn level_text(&self, tick: i64, lots: i64) -> String {
        format!("[\"{}\",\"{}\"]", self.price_text(tick), self.quantity_text(lots))
    }

    fn changed_text(&self, side: Side) -> String {
        let book = &self.books[index(side)];
        let level = |tick: &i64| self.level_text(*tick, book.get(tick).copied().unwrap_or(0));
        self.changed[index(side)].iter().map(level).collect::<Vec<_>>().join(",")
    }

    fn depth_frame(&mut self, first_id: u64, at: Nanos) -> Vec<u8> {
        self.advance_id_sometimes();
        let (ms, last) = (at.millis(), self.id);
        let (bids, asks) = (self.changed_text(Side::Bid), self.changed_text(Side::Ask));
        self.changed = [BTreeSet::new(), BTreeSet::new()];
        let (stream, symbol, previous) = (&self.stream, &self.symbol, self.last_depth);
        let text = if self.product == binance::SPOT {
            format!(
                "{{\"stream\":\"{stream}@depth@100ms\",\"data\":{{\"e\":\"depthUpdate\",\"E\":{ms},\"s\":\"{symbol}\",\
                 \"U\":{first_id},\"u\":{last},\"b\":[{bids}],\"a\":[{asks}]}}}}"
            )
        } else {
            format!(
                "{{\"stream\":\"{stream}@depth@100ms\",\"data\":{{\"e\":\"depthUpdate\",\"E\":{ms},\"T\":{ms},\
                 \"s\":\"{symbol}\",\"U\":{first_id},\"u\":{last},\"pu\":{previous},\"b\":[{bids}],\"a\":[{asks}]}}}}"
            )
        };
        self.last_depth = last;
        text.into_bytes()
    }

    /// The last change before a depth message is often one that no best bid/ask tells of; then none has its id.
    /// In the recordings 7 % (USD-M) and 16 % (spot) of the depth messages share theirs with one; here as many.
    fn advance_id_sometimes(&mut self) {
        if self.random.chance(500_000) {
            self.advance_id();
        }
    }

    fn touch_frame(&self, at: Nanos) -> Vec<u8> {
        let (bid, ask) = (self.best(Side::Bid), self.best(Side::Ask));
        let lots = |side: Side, tick: i64| self.quantity_text(self.books[index(side)].get(&tick).copied().unwrap_or(0));
        let best = format!(
            "\"s\":\"{}\",\"b\":\"{}\",\"B\":\"{}\",\"a\":\"{}\",\"A\":\"{}\"",
            self.symbol,
            self.price_text(bid),
            lots(Side::Bid, bid),
            self.price_text(ask),
            lots(Side::Ask, ask),
        );
        let (stream, id, ms) = (&self.stream, self.id, at.millis());
        let text = if self.product == binance::SPOT {
            format!("{{\"stream\":\"{stream}@bookTicker\",\"data\":{{\"u\":{id},{best}}}}}")
        } else {
            format!(
                "{{\"stream\":\"{stream}@bookTicker\",\"data\":{{\"e\":\"bookTicker\",\"u\":{id},{best},\"T\":{ms},\"E\":{ms}}}}}"
            )
        };
        text.into_bytes()
    }

    fn trade_frame(&mut self, aggressor: Side, tick: i64, lots: i64, at: Nanos) -> Vec<u8> {
        self.trade_id += 1;
        let (price, quantity) = (self.price_text(tick), self.quantity_text(lots));
        let (stream, symbol, id, ms) = (&self.stream, &self.symbol, self.trade_id, at.millis());
        let buyer_is_maker = aggressor == Side::Ask;
        let text = if self.product == binance::SPOT {
            format!(
                "{{\"stream\":\"{stream}@trade\",\"data\":{{\"e\":\"trade\",\"E\":{ms},\"s\":\"{symbol}\",\"t\":{id},\
                 \"p\":\"{price}\",\"q\":\"{quantity}\",\"T\":{ms},\"m\":{buyer_is_maker},\"M\":true}}}}"
            )
        } else {
            format!(
                "{{\"stream\":\"{stream}@trade\",\"data\":{{\"e\":\"trade\",\"E\":{ms},\"T\":{ms},\"s\":\"{symbol}\",\
                 \"t\":{id},\"p\":\"{price}\",\"q\":\"{quantity}\",\"X\":\"MARKET\",\"m\":{buyer_is_maker}}}}}"
            )
        };
        text.into_bytes()
    }

    /// The whole book as a REST snapshot.
    pub fn snapshot(&self, at: Nanos) -> Vec<u8> {
        let limit = self.statistics.book_levels;
        let level = |(tick, lots): (&i64, &i64)| self.level_text(*tick, *lots);
        let bids: Vec<String> = self.books[0].iter().rev().take(limit).map(level).collect();
        let asks: Vec<String> = self.books[1].iter().take(limit).map(level).collect();
        let times =
            if self.product == binance::SPOT { String::new() } else { format!("\"E\":{0},\"T\":{0},", at.millis()) };
        let text = format!(
            "{{\"lastUpdateId\":{},{times}\"bids\":[{}],\"asks\":[{}]}}",
            self.last_depth,
            bids.join(","),
            asks.join(",")
        );
        text.into_bytes()
    }
}
