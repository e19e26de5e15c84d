//! COLD: how many connections one address may attempt at a venue: one budget for market data and orders together.
//!
//! Orders have precedence: the last third is theirs alone. While no attempt comes through, attempts are spread over the
//! window after a first burst, so that there is one left at the moment when the venue is back.

use spinbook_engine::rate::{SlidingWindow, WindowSettings};
use spinbook_engine::types::Nanos;

/// Share of the venue's limit that this process uses; the rest is for whoever else works at this address, such as the
/// process that takes this one's place.
const BUDGET_PERCENT: u32 = 90;
/// Attempts for market data that may follow each other freely while none comes through.
const MARKET_BURST: u32 = 12;
/// Who is put off asks again after this at the latest: another attempt may have come through meanwhile.
const ASK_AGAIN: Nanos = Nanos::from_seconds(2);

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectPurpose {
    /// Market data.
    Market,
    /// Orders, or what becomes of them.
    Orders,
}

/// What was counted about attempts to connect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectCounters {
    /// Attempts for market data.
    pub market: u64,
    /// Attempts for orders and user data.
    pub orders: u64,
    /// Attempts for market data that were put off.
    pub market_put_off: u64,
    /// Attempts for orders and user data that were put off.
    pub orders_put_off: u64,
}

/// The attempts of one address at one venue.
#[derive(Clone, Debug)]
pub struct ConnectBudget {
    all: SlidingWindow,
    market: SlidingWindow,
    /// The newest attempt of each purpose.
    last: [Nanos; 2],
    /// Since the last connection came through, attempts were made and none has.
    failing: bool,
    counters: ConnectCounters,
}

impl ConnectBudget {
    /// Nothing attempted yet; `limit` is the venue's own.
    #[must_use]
    pub const fn new(limit: WindowSettings) -> ConnectBudget {
        let whole = limit.count_max as u64 * BUDGET_PERCENT as u64 / 100;
        let count_max = if whole < 8 { 8 } else { whole as u32 };
        let window = WindowSettings { count_max, span: limit.span };
        ConnectBudget {
            all: SlidingWindow::new(window),
            market: SlidingWindow::new(window),
            last: [Nanos::ZERO; 2],
            failing: false,
            counters: ConnectCounters { market: 0, orders: 0, market_put_off: 0, orders_put_off: 0 },
        }
    }

    /// Takes one attempt out of the budget.
    ///
    /// # Errors
    /// None may be made before this.
    pub fn take(&mut self, purpose: ConnectPurpose, now: Nanos) -> Result<(), Nanos> {
        let at = self.ready_at(purpose, now);
        if at > now {
            match purpose {
                ConnectPurpose::Market => self.counters.market_put_off += 1,
                ConnectPurpose::Orders => self.counters.orders_put_off += 1,
            }
            return Err(at.min(now + ASK_AGAIN));
        }
        self.all.take(1, now);
        self.last[purpose as usize] = now;
        match purpose {
            ConnectPurpose::Market => {
                self.market.take(1, now);
                self.counters.market += 1;
            }
            ConnectPurpose::Orders => self.counters.orders += 1,
        }
        Ok(())
    }

    /// A connection came through: the way to the venue is open.
    pub fn opened(&mut self) {
        self.failing = false;
    }

    /// One could not be opened, or was not in time.
    pub fn failed(&mut self) {
        self.failing = true;
    }

    /// What was counted.
    #[must_use]
    pub fn counters(&self) -> ConnectCounters {
        self.counters
    }

    fn ready_at(&mut self, purpose: ConnectPurpose, now: Nanos) -> Nanos {
        let WindowSettings { count_max, span } = self.all.settings();
        let (used, market_used) = (self.all.used(now), self.market.used(now));
        let orders_used = used - market_used;
        // A quarter is market data's however long orders are tried, else no book is back when orders are.
        let (market_own, orders_max) = (count_max / 4, count_max - count_max / 4);
        let within = match purpose {
            ConnectPurpose::Market => used < count_max - count_max / 3 || market_used < market_own,
            ConnectPurpose::Orders => orders_used < orders_max,
        };
        if used >= count_max || !within {
            return now + ASK_AGAIN;
        }
        // Spread, so that what is left of a purpose's share lasts for the rest of the window and a few are in hand.
        let (burst, share) = match purpose {
            ConnectPurpose::Market => (MARKET_BURST.min(market_own / 2), market_own - market_own / 4),
            ConnectPurpose::Orders => (orders_max / 3, orders_max - orders_max / 3),
        };
        let own_used = if purpose == ConnectPurpose::Market { market_used } else { orders_used };
        if !self.failing || own_used < burst {
            return now;
        }
        self.last[purpose as usize] + Nanos(span.0 / i64::from(share.max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backoff::Backoff;

    const LIMIT: WindowSettings = WindowSettings { count_max: 300, span: Nanos::from_seconds(300) };

    /// One connection that is tried again and again: at a pause of its own, or when the budget says so.
    struct Tried {
        purpose: ConnectPurpose,
        pauses: Backoff,
        due: Nanos,
        open: bool,
    }

    /// Ten market connections and the links of orders, each with the pauses that it has in a session or a gateway.
    fn connections() -> Vec<Tried> {
        let of = |purpose, longest_ms, seed| {
            let pauses = Backoff::new(Nanos::from_millis(500), Nanos::from_millis(longest_ms), seed);
            Tried { purpose, pauses, due: Nanos::ZERO, open: false }
        };
        let market = (0..10).map(|seed| of(ConnectPurpose::Market, 6_000, seed));
        market.chain((10..12).map(|seed| of(ConnectPurpose::Orders, 1_000, seed))).collect()
    }

    /// Tries for so long, while the venue lets through what `lets` says; when each attempt was made, and by whom.
    fn tried(budget: &mut ConnectBudget, all: &mut [Tried], until: Nanos, lets: bool) -> Vec<(Nanos, ConnectPurpose)> {
        let mut attempts = Vec::new();
        while let Some(next) = all.iter_mut().filter(|one| !one.open).min_by_key(|one| one.due) {
            let now = next.due;
            if now >= until {
                break;
            }
            match budget.take(next.purpose, now) {
                Err(at) => next.due = at.max(now + Nanos(1)),
                Ok(()) => {
                    attempts.push((now, next.purpose));
                    next.open = lets;
                    next.due = now + next.pauses.next_pause();
                    if lets { budget.opened() } else { budget.failed() }
                }
            }
        }
        attempts
    }

    #[test]
    fn in_an_outage_of_an_hour_no_window_holds_more_attempts_than_the_venue_allows() {
        let (mut budget, mut all) = (ConnectBudget::new(LIMIT), connections());
        let attempts = tried(&mut budget, &mut all, Nanos::from_seconds(3_600), false);
        for (place, (start, _)) in attempts.iter().enumerate() {
            let inside = attempts[place..].iter().take_while(|(at, _)| *at - *start < LIMIT.span).count();
            assert!(inside <= 270, "{inside} in the window from {} ms on", start.millis());
        }
        let of =
            |purpose| attempts.iter().filter(|(_, other)| *other == purpose).map(|(at, _)| *at).collect::<Vec<_>>();
        let longest = |times: Vec<Nanos>| times.windows(2).map(|pair| (pair[1] - pair[0]).millis()).max().unwrap();
        let (orders, market) = (longest(of(ConnectPurpose::Orders)), longest(of(ConnectPurpose::Market)));
        println!("{} attempts; longest pause of orders {orders} ms, of market data {market} ms", attempts.len());
        assert!(orders <= 2_500 && market <= 8_000, "neither starves the other: {orders} ms, {market} ms");
        assert!(budget.counters().market_put_off > 0 && budget.counters().orders_put_off > 0);
    }

    #[test]
    fn everything_is_open_within_ten_seconds_whenever_the_venue_comes_back() {
        for outage in [1, 30, 67, 90, 150, 200, 299, 301, 420, 1_000, 3_599] {
            let (mut budget, mut all) = (ConnectBudget::new(LIMIT), connections());
            let back = Nanos::from_seconds(outage);
            tried(&mut budget, &mut all, back, false);
            let opened = tried(&mut budget, &mut all, Nanos::NEVER, true);
            let last = opened.last().expect("something opens").0;
            assert!(last - back <= Nanos::from_seconds(10), "{} ms after {outage} s", (last - back).millis());
        }
    }

    #[test]
    fn the_last_third_is_for_orders() {
        let mut budget = ConnectBudget::new(LIMIT);
        let taken = |budget: &mut ConnectBudget, purpose| {
            (0..400).take_while(|_| budget.take(purpose, Nanos::from_seconds(1)).is_ok()).count()
        };
        assert_eq!(taken(&mut budget, ConnectPurpose::Market), 180);
        assert_eq!(taken(&mut budget, ConnectPurpose::Orders), 90);
        assert!(budget.take(ConnectPurpose::Market, Nanos::from_seconds(200)).is_err());
        assert!(budget.take(ConnectPurpose::Market, Nanos::from_seconds(320)).is_ok(), "the window slid on");
    }
}
