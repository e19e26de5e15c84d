//! COLD: what was traded before a made-up market began, made up as well: minutes that end where the market starts.

use crate::random::Random;
use crate::sim::tape::{Bar, BarInterval};
use spinbook_engine::types::{Lots, QuoteAtoms, Tick};

/// Minutes that are made up: as many as bots ask for at once, and more than a day.
pub const MINUTES_BEFORE: usize = 1_500;
const MINUTE_MS: i64 = 60_000;
/// By how much the price moves in a minute at the most, in hundred-thousandths; mostly by less than half of that.
const MOVE_MAX: i64 = 80;
/// How far a minute's extremes lie beyond its first and last price at the most, in hundred-thousandths.
const WICK_MAX: i64 = 20;
/// Trades of a minute.
const TRADES: [i64; 2] = [60, 500];

/// Where a market starts.
#[derive(Clone, Copy, Debug)]
pub struct MarketBeginning {
    /// The seed of the market.
    pub seed: u64,
    /// When, ms since the epoch; the minute in which it lies is the market's own.
    pub at_ms: i64,
    /// Number of its first trade.
    pub trade_id: u64,
    /// Price of its first trade.
    pub tick: Tick,
    /// What prices are whole multiples of, ticks.
    pub tick_step: i64,
    /// Quantity of a usual trade.
    pub lots: Lots,
}

/// The minutes before a market, oldest first: each begins where the one before ended, prices and trade numbers, and the
/// last ends where the market starts. `value` is what a quantity costs at a price.
#[must_use]
pub fn minutes_before(begins: &MarketBeginning, value: impl Fn(Tick, Lots) -> QuoteAtoms) -> Vec<Bar> {
    let mut random = Random::new(begins.seed ^ 0x7061_7374);
    let mut bars = Vec::with_capacity(MINUTES_BEFORE);
    let (mut close, mut next_id) = (begins.tick.0, begins.trade_id);
    let mut start_ms = BarInterval::Millis(MINUTE_MS).start_ms(begins.at_ms);
    let step = begins.tick_step.max(1);
    for _ in 0..MINUTES_BEFORE {
        start_ms -= MINUTE_MS;
        let of_price = |parts: i64| (close / 100_000 * parts + close % 100_000 * parts / 100_000) / step * step;
        // Two draws: a small move is likelier than a large one.
        let half = MOVE_MAX / 2;
        let moved = of_price(random.between(-half, half) + random.between(-half, half));
        let open = (close - moved).max(step);
        let high = open.max(close) + of_price(random.between(0, WICK_MAX));
        let low = (open.min(close) - of_price(random.between(0, WICK_MAX))).max(step);
        let trades = random.between(TRADES[0], TRADES[1]).unsigned_abs().min(next_id.saturating_sub(1));
        if trades == 0 {
            break;
        }
        let count = i64::try_from(trades).unwrap_or(TRADES[1]);
        let lots = begins.lots.0.saturating_mul(count);
        let bought = Lots(lots / 100 * random.between(30, 70));
        let mean = Tick((open + high + low + close) / 4);
        bars.push(Bar {
            start_ms,
            open: Tick(open),
            high: Tick(high),
            low: Tick(low),
            close: Tick(close),
            lots: Lots(lots),
            value: value(mean, Lots(lots)),
            bought_lots: bought,
            bought_value: value(mean, bought),
            trades,
            first_id: next_id - trades,
            last_id: next_id - 1,
        });
        (close, next_id) = (open, next_id - trades);
    }
    bars.reverse();
    bars
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beginning(seed: u64) -> MarketBeginning {
        MarketBeginning {
            seed,
            at_ms: 1_795_219_234_567,
            trade_id: 3_735_000_001,
            tick: Tick(640_000),
            tick_step: 1,
            lots: Lots(15),
        }
    }

    fn past(begins: &MarketBeginning) -> Vec<Bar> {
        minutes_before(begins, |tick, lots| QuoteAtoms(i128::from(tick.0) * i128::from(lots.0)))
    }

    #[test]
    fn every_minute_begins_where_the_one_before_ended_and_the_last_ends_where_the_market_starts() {
        let begins = beginning(7);
        let bars = past(&begins);
        assert_eq!(bars.len(), MINUTES_BEFORE);
        let last = bars.last().expect("some");
        assert_eq!((last.start_ms, last.close, last.last_id), (1_795_219_140_000, begins.tick, begins.trade_id - 1));
        for pair in bars.windows(2) {
            assert_eq!((pair[1].start_ms, pair[1].open), (pair[0].start_ms + MINUTE_MS, pair[0].close));
            assert_eq!(pair[1].first_id, pair[0].last_id + 1);
        }
        for bar in &bars {
            assert!(bar.low <= bar.open.min(bar.close) && bar.high >= bar.open.max(bar.close), "{bar:?}");
            assert_eq!(bar.last_id - bar.first_id + 1, bar.trades);
            assert!(bar.bought_lots > Lots::ZERO && bar.bought_lots < bar.lots, "{bar:?}");
            let (lots, value) = (i128::from(bar.lots.0), bar.value.0);
            assert!((i128::from(bar.low.0) * lots..=i128::from(bar.high.0) * lots).contains(&value), "{bar:?}");
        }
        assert!(bars.iter().any(|bar| bar.close > bar.open) && bars.iter().any(|bar| bar.close < bar.open));
    }

    #[test]
    fn the_same_seed_has_the_same_past_and_another_one_another() {
        assert_eq!(past(&beginning(7)), past(&beginning(7)));
        assert_ne!(past(&beginning(7)), past(&beginning(8)));
        // A coarse grid is kept, and there are no trades before the first.
        let coarse = MarketBeginning { tick_step: 10, ..beginning(3) };
        assert!(past(&coarse).iter().all(|bar| [bar.open, bar.high, bar.low].iter().all(|tick| tick.0 % 10 == 0)));
        assert!(past(&MarketBeginning { trade_id: 1, ..beginning(3) }).is_empty());
    }
}
