//! COLD: what was traded on one instrument: its latest trades, and bars of a second and of a minute to make others of.

use crate::calendar::{CalendarDate, date_of, days_before};
use spinbook_engine::types::{Lots, Nanos, QuoteAtoms, Side, Tick};
use std::collections::VecDeque;

/// Trades kept.
pub const TRADES_MAX: usize = 5_000;
/// Bars of a second kept.
const SECONDS_MAX: usize = 3_600;
/// Bars of a minute kept: a week.
const MINUTES_MAX: usize = 7 * 1_440;
const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;

/// One trade of the market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TapeTrade {
    /// Trade number.
    pub id: u64,
    /// Price.
    pub tick: Tick,
    /// Quantity.
    pub lots: Lots,
    /// Quote value.
    pub value: QuoteAtoms,
    /// Who was the aggressor.
    pub aggressor: Side,
    /// When.
    pub at: Nanos,
}

/// What was traded in one interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// Start of the interval, ms since the epoch.
    pub start_ms: i64,
    /// First price.
    pub open: Tick,
    /// Highest price.
    pub high: Tick,
    /// Lowest price.
    pub low: Tick,
    /// Last price.
    pub close: Tick,
    /// Quantity.
    pub lots: Lots,
    /// Quote value.
    pub value: QuoteAtoms,
    /// Quantity that aggressive buyers took.
    pub bought_lots: Lots,
    /// Quote value that aggressive buyers paid.
    pub bought_value: QuoteAtoms,
    /// Number of trades.
    pub trades: u64,
    /// Number of the first trade; 0 without any.
    pub first_id: u64,
    /// Number of the last trade; 0 without any.
    pub last_id: u64,
}

impl Bar {
    /// An interval without a trade, at the price before it.
    #[must_use]
    pub fn quiet(start_ms: i64, price: Tick) -> Bar {
        Bar {
            start_ms,
            open: price,
            high: price,
            low: price,
            close: price,
            lots: Lots::ZERO,
            value: QuoteAtoms::ZERO,
            bought_lots: Lots::ZERO,
            bought_value: QuoteAtoms::ZERO,
            trades: 0,
            first_id: 0,
            last_id: 0,
        }
    }

    fn of(trade: &TapeTrade, start_ms: i64) -> Bar {
        let bought = trade.aggressor == Side::Bid;
        Bar {
            lots: trade.lots,
            value: trade.value,
            bought_lots: if bought { trade.lots } else { Lots::ZERO },
            bought_value: if bought { trade.value } else { QuoteAtoms::ZERO },
            trades: 1,
            first_id: trade.id,
            last_id: trade.id,
            ..Bar::quiet(start_ms, trade.tick)
        }
    }

    /// Takes in what was traded after it.
    fn extend(&mut self, later: &Bar) {
        self.high = self.high.max(later.high);
        self.low = self.low.min(later.low);
        self.close = later.close;
        self.lots.0 += later.lots.0;
        self.value += later.value;
        self.bought_lots.0 += later.bought_lots.0;
        self.bought_value += later.bought_value;
        self.trades += later.trades;
        self.last_id = later.last_id;
    }
}

/// How long a bar is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BarInterval {
    /// This many ms, counted from the epoch.
    Millis(i64),
    /// A week from Monday.
    Week,
    /// A month of the calendar, UTC.
    Month,
}

impl BarInterval {
    /// Start of the interval in which a moment lies; both in ms since the epoch.
    #[must_use]
    pub fn start_ms(self, at_ms: i64) -> i64 {
        match self {
            BarInterval::Millis(span) => at_ms.div_euclid(span) * span,
            // The epoch was a Thursday.
            BarInterval::Week => (at_ms + 3 * DAY_MS).div_euclid(7 * DAY_MS) * 7 * DAY_MS - 3 * DAY_MS,
            BarInterval::Month => {
                let CalendarDate { year, month, .. } = date_of(at_ms.div_euclid(DAY_MS));
                days_before(year, month) * DAY_MS
            }
        }
    }

    /// Start of the interval after the one that starts at `start_ms`.
    #[must_use]
    pub fn next_ms(self, start_ms: i64) -> i64 {
        match self {
            BarInterval::Millis(span) => start_ms + span,
            BarInterval::Week => start_ms + 7 * DAY_MS,
            BarInterval::Month => {
                let CalendarDate { year, month, .. } = date_of(start_ms.div_euclid(DAY_MS));
                let (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
                days_before(year, month) * DAY_MS
            }
        }
    }
}

/// What was traded on one instrument.
#[derive(Clone, Debug, Default)]
pub struct Tape {
    trades: VecDeque<TapeTrade>,
    seconds: VecDeque<Bar>,
    minutes: VecDeque<Bar>,
}

fn add(bars: &mut VecDeque<Bar>, bar: Bar, bars_max: usize) {
    match bars.back_mut() {
        Some(last) if last.start_ms >= bar.start_ms => last.extend(&bar),
        _ => bars.push_back(bar),
    }
    if bars.len() > bars_max {
        bars.pop_front();
    }
}

impl Tape {
    /// Whether nothing was ever traded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.minutes.is_empty()
    }

    /// Begins with minutes before the first trade, oldest first.
    pub fn begin_with(&mut self, minutes: Vec<Bar>) {
        self.minutes = minutes.into();
    }

    /// Takes in a trade.
    pub fn print(&mut self, trade: TapeTrade) {
        let at_ms = trade.at.millis();
        let bar = |span| Bar::of(&trade, BarInterval::Millis(span).start_ms(at_ms));
        add(&mut self.seconds, bar(1_000), SECONDS_MAX);
        add(&mut self.minutes, bar(MINUTE_MS), MINUTES_MAX);
        if self.trades.len() >= TRADES_MAX {
            self.trades.pop_front();
        }
        self.trades.push_back(trade);
    }

    /// The latest trade.
    #[must_use]
    pub fn last(&self) -> Option<&TapeTrade> {
        self.trades.back()
    }

    /// The latest trades, oldest first.
    pub fn trades(&self) -> impl DoubleEndedIterator<Item = &TapeTrade> + ExactSizeIterator {
        self.trades.iter()
    }

    /// Bars of an interval from the first trade kept up to `now_ms`, oldest first, quiet ones included.
    #[must_use]
    pub fn bars(&self, interval: BarInterval, now_ms: i64) -> Vec<Bar> {
        let fine = matches!(interval, BarInterval::Millis(span) if span < MINUTE_MS);
        let base = if fine { &self.seconds } else { &self.minutes };
        let mut bars: Vec<Bar> = Vec::new();
        for bar in base {
            let start = interval.start_ms(bar.start_ms);
            if let Some(last) = bars.last_mut().filter(|last| last.start_ms == start) {
                last.extend(bar);
                continue;
            }
            fill_quiet(&mut bars, interval, start);
            bars.push(Bar { start_ms: start, ..*bar });
        }
        fill_quiet(&mut bars, interval, interval.start_ms(now_ms) + 1);
        bars
    }

    /// Everything traded since `from_ms`, to the minute; `None` if nothing was.
    #[must_use]
    pub fn since(&self, from_ms: i64) -> Option<Bar> {
        let first = BarInterval::Millis(MINUTE_MS).start_ms(from_ms);
        let mut bars = self.minutes.iter().filter(|bar| bar.start_ms >= first);
        let mut sum = *bars.next()?;
        bars.for_each(|bar| sum.extend(bar));
        Some(sum)
    }

    /// The last price before a moment, if there was a trade before it.
    #[must_use]
    pub fn price_before(&self, at_ms: i64) -> Option<Tick> {
        self.minutes.iter().rev().find(|bar| bar.start_ms < at_ms).map(|bar| bar.close)
    }

    /// When the oldest minute kept starts, ms since the epoch.
    #[must_use]
    pub fn first_ms(&self) -> Option<i64> {
        self.minutes.front().map(|bar| bar.start_ms)
    }
}

/// Adds quiet bars after the last one, up to `end_ms`, exclusive.
fn fill_quiet(bars: &mut Vec<Bar>, interval: BarInterval, end_ms: i64) {
    while let Some(last) = bars.last() {
        let (start, price) = (interval.next_ms(last.start_ms), last.close);
        if start >= end_ms {
            return;
        }
        bars.push(Bar::quiet(start, price));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trade(id: u64, tick: i64, lots: i64, aggressor: Side, at_ms: i64) -> TapeTrade {
        TapeTrade {
            id,
            tick: Tick(tick),
            lots: Lots(lots),
            value: QuoteAtoms(i128::from(tick * lots)),
            aggressor,
            at: Nanos::from_millis(at_ms),
        }
    }

    #[test]
    fn bars_sum_up_their_trades_and_quiet_ones_carry_the_price_on() {
        let mut tape = Tape::default();
        for (id, tick, lots, side, at) in
            [(1, 100, 3, Side::Bid, 60_000), (2, 90, 2, Side::Ask, 60_900), (3, 110, 1, Side::Bid, 245_000)]
        {
            tape.print(trade(id, tick, lots, side, at));
        }
        let bars = tape.bars(BarInterval::Millis(60_000), 300_000);
        assert_eq!(
            bars.iter().map(|bar| bar.start_ms).collect::<Vec<_>>(),
            [60_000, 120_000, 180_000, 240_000, 300_000]
        );
        let first = bars[0];
        assert_eq!((first.open.0, first.high.0, first.low.0, first.close.0), (100, 100, 90, 90));
        assert_eq!((first.lots.0, first.value.0, first.bought_lots.0, first.bought_value.0), (5, 480, 3, 300));
        assert_eq!((first.trades, first.first_id, first.last_id), (2, 1, 2));
        assert_eq!(bars[1], Bar::quiet(120_000, Tick(90)));
        assert_eq!(bars[4], Bar::quiet(300_000, Tick(110)));
        let five = tape.bars(BarInterval::Millis(300_000), 299_999);
        assert_eq!((five.len(), five[0].start_ms, five[0].lots.0, five[0].close.0), (1, 0, 6, 110));
        assert_eq!(tape.bars(BarInterval::Millis(1_000), 61_000).len(), 186, "a second each from 60 to 245");
        assert_eq!(tape.since(120_000).map(|bar| bar.lots.0), Some(1));
        assert_eq!(tape.price_before(240_000), Some(Tick(90)));
    }

    #[test]
    fn weeks_start_on_monday_and_months_on_their_first() {
        // 2026-11-21 was a Saturday.
        let at = 1_795_219_200_000;
        assert_eq!(BarInterval::Week.start_ms(at), 1_794_787_200_000, "2026-11-16");
        assert_eq!(BarInterval::Month.start_ms(at), 1_793_491_200_000, "2026-11-01");
        assert_eq!(BarInterval::Month.next_ms(1_793_491_200_000), 1_796_083_200_000, "2026-12-01");
        assert_eq!(BarInterval::Month.next_ms(1_796_083_200_000), 1_798_761_600_000, "2027-01-01");
        assert_eq!(BarInterval::Month.start_ms(1_709_164_800_000), 1_706_745_600_000, "2024-02-29");
    }
}
