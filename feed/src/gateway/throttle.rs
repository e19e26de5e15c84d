//! HOT: the venue's rate windows, respected before sending, with a share that only cancels may use.
//!
//! Each window slides as [`spinbook_engine::rate`] describes: what is sent never exceeds the limit in any interval of
//! its length, however the venue aligns its own.

use spinbook_engine::rate::{SlidingWindow, WindowSettings};
use spinbook_engine::types::{InstrumentId, Nanos};

use crate::venue::card::RateWindow;
use crate::venue::order_side::Cost;
use crate::venue::orders::{WindowKind, WindowScope, WindowUsage};

/// Who asks for budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// New orders: stop short of the reserve.
    Place,
    /// Questions: stop short of what is left to cancels alone.
    Query,
    /// Cancels: may use all of it.
    Cancel,
}

/// One of the venue's windows, or that of one instrument where each has its own.
struct VenueLimit {
    rate: RateWindow,
    window: SlidingWindow,
    /// What new orders may use.
    place_max: u32,
    /// What questions may use.
    query_max: u32,
    /// Whose requests it counts; `None`: every instrument's, and those about none.
    instrument: Option<InstrumentId>,
}

impl VenueLimit {
    fn new(
        rate: RateWindow,
        instrument: Option<InstrumentId>,
        budget_percent: u32,
        reserve_percent: u32,
    ) -> VenueLimit {
        let budget = share(rate.limit, budget_percent);
        // Cancels cost weight, not orders: only the weight needs a reserve for them.
        let place_max = match rate.kind {
            WindowKind::Weight => share(budget, 100 - reserve_percent.min(100)),
            _ => budget,
        };
        let window = SlidingWindow::new(WindowSettings { count_max: rate.limit, span: rate.span });
        VenueLimit { rate, window, place_max, query_max: budget, instrument }
    }

    #[inline]
    fn cost(&self, cost: Cost, about: Option<InstrumentId>) -> u32 {
        if self.instrument.is_some() && self.instrument != about {
            return 0;
        }
        match self.rate.kind {
            WindowKind::Weight => cost.weight,
            WindowKind::Orders | WindowKind::InstrumentOrders => cost.orders,
            WindowKind::Cancels | WindowKind::InstrumentCancels => cost.cancels,
        }
    }

    #[inline]
    fn maximum(&self, urgency: Urgency) -> u32 {
        match urgency {
            Urgency::Place => self.place_max,
            Urgency::Query => self.query_max,
            Urgency::Cancel => self.rate.limit,
        }
    }
}

fn share(limit: u32, percent: u32) -> u32 {
    (u64::from(limit) * u64::from(percent.min(100)) / 100) as u32
}

/// All windows of one account and address.
pub struct Throttle {
    limits: Vec<VenueLimit>,
}

impl Throttle {
    /// New orders may use `budget_percent` of each limit, and of the weight all but `reserve_percent` of that;
    /// questions `budget_percent`, cancels the limit itself. A window by instrument is kept for each of
    /// `instruments`. (set-up)
    #[must_use]
    pub fn new(
        rates: &[RateWindow],
        instruments: &[InstrumentId],
        budget_percent: u32,
        reserve_percent: u32,
    ) -> Throttle {
        let mut limits = Vec::with_capacity(rates.len());
        for rate in rates {
            let limit = |instrument| VenueLimit::new(*rate, instrument, budget_percent, reserve_percent);
            match rate.kind.scope() {
                WindowScope::Address | WindowScope::Account => limits.push(limit(None)),
                WindowScope::Instrument => limits.extend(instruments.iter().map(|id| limit(Some(*id)))),
            }
        }
        Throttle { limits }
    }

    /// A window of which our share is nothing, so that no order could ever go.
    #[must_use]
    pub fn shut_window(&self) -> Option<RateWindow> {
        self.limits.iter().find(|limit| limit.place_max == 0).map(|limit| limit.rate)
    }

    /// Whether a request of this cost about this instrument may go now.
    #[inline]
    pub fn allows(&mut self, cost: Cost, urgency: Urgency, about: Option<InstrumentId>, now: Nanos) -> bool {
        self.limits.iter_mut().all(|limit| {
            let (cost, maximum) = (limit.cost(cost, about), limit.maximum(urgency));
            limit.window.allows_within(cost, maximum, now)
        })
    }

    /// Counts a request that is sent now.
    #[inline]
    pub fn take(&mut self, cost: Cost, about: Option<InstrumentId>, now: Nanos) {
        for limit in &mut self.limits {
            let count = limit.cost(cost, about);
            limit.window.take(count, now);
        }
    }

    /// When a request of this cost may go, `now` at the earliest; [`Nanos::NEVER`] if it is more than a whole window.
    pub fn ready_at(&mut self, cost: Cost, urgency: Urgency, about: Option<InstrumentId>, now: Nanos) -> Nanos {
        self.limits.iter_mut().fold(now, |at, limit| {
            let (cost, maximum) = (limit.cost(cost, about), limit.maximum(urgency));
            at.max(limit.window.ready_at_within(cost, maximum, now))
        })
    }

    /// Takes the venue's own count into account where it is above ours: others may use the same address.
    pub fn observe(&mut self, usage: &[WindowUsage], now: Nanos) {
        for row in usage {
            for limit in &mut self.limits {
                if limit.rate.kind == row.kind && limit.rate.span == row.span && limit.instrument.is_none() {
                    limit.window.observe(row.used, now);
                }
            }
        }
    }

    /// Used of a window at this moment, for reports; of one by instrument, what the first instrument used.
    pub fn used(&mut self, kind: WindowKind, span: Nanos, now: Nanos) -> Option<u32> {
        let limit = self.limits.iter_mut().find(|limit| limit.rate.kind == kind && limit.rate.span == span)?;
        Some(limit.window.used(now))
    }

    /// Asserts what always holds; for tests and simulations, after each step.
    ///
    /// # Panics
    /// It does not hold: a bug.
    pub fn check(&self) {
        for limit in &self.limits {
            limit.window.check();
            let settings = limit.window.settings();
            assert!(limit.place_max <= limit.rate.limit, "new orders use no more than the venue allows");
            assert_eq!((settings.count_max, settings.span), (limit.rate.limit, limit.rate.span));
            let by_instrument = limit.rate.kind.scope() == WindowScope::Instrument;
            assert_eq!(limit.instrument.is_some(), by_instrument, "an instrument's window is an instrument's");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(kind: WindowKind, seconds: i64, limit: u32) -> RateWindow {
        RateWindow { kind, span: Nanos::from_seconds(seconds), limit }
    }

    #[test]
    fn no_interval_ever_holds_more_than_the_limit() {
        let seed = 0x5eed_0007_u64;
        println!("seed {seed:#x}");
        let mut random = seed;
        let mut next = move || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random
        };
        for _ in 0..20 {
            let limit = 5 + (next() % 60) as u32;
            let span = Nanos::from_seconds(10);
            let mut throttle = Throttle::new(&[window(WindowKind::Orders, 10, limit)], &[], 100, 30);
            let cost = Cost { weight: 1, orders: 1, cancels: 0 };
            let mut sent: Vec<i64> = Vec::new();
            let mut now = Nanos::from_seconds(1_700_000_000);
            for _ in 0..3_000 {
                now = now + Nanos((next() % 300_000_000) as i64);
                if throttle.allows(cost, Urgency::Place, None, now) {
                    throttle.take(cost, None, now);
                    sent.push(now.0);
                } else {
                    let ready = throttle.ready_at(cost, Urgency::Place, None, now);
                    assert!(ready > now && ready.0 <= now.0 + span.0 + span.0 / 32, "ready in time");
                    assert!(throttle.allows(cost, Urgency::Place, None, ready), "allowed when promised");
                    now = ready;
                }
            }
            for (index, start) in sent.iter().enumerate() {
                let inside = sent[index..].iter().take_while(|at| **at - start < span.0).count();
                assert!(inside <= limit as usize, "{inside} of {limit} in 10 s");
            }
            assert!(sent.len() > 3 * limit as usize, "the windows did slide");
        }
    }

    #[test]
    fn the_sum_kept_is_the_sum_of_the_parts() {
        let mut random = 0x5eed_0011_u64;
        println!("seed {random:#x}");
        let mut next = move || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random
        };
        let (kind, span) = (WindowKind::Orders, Nanos::from_seconds(10));
        let mut throttle = Throttle::new(&[window(kind, 10, 1_000)], &[], 100, 30);
        let orders = |orders| Cost { weight: 0, orders, cancels: 0 };
        let mut now = Nanos::from_seconds(1_700_000_000);
        for step in 0..20_000 {
            // Mostly within a part, sometimes a few on, now and then beyond the whole window, and once backwards.
            let on = match next() % 100 {
                0 => 20_000_000_000,
                1..20 => 400_000_000,
                _ => 20_000_000,
            };
            now = now + Nanos((next() % on) as i64);
            let at = if step % 50 == 0 { Nanos(now.0 - 300_000_000) } else { now };
            throttle.take(orders((next() % 4) as u32), None, at);
            throttle.check();
        }
        throttle.take(orders(u32::MAX), None, now);
        throttle.take(orders(5), None, now);
        throttle.check();
        assert_eq!(throttle.used(kind, span, now), Some(u32::MAX));
    }

    #[test]
    fn cancels_have_a_share_of_their_own() {
        let mut throttle = Throttle::new(&[window(WindowKind::Weight, 60, 100)], &[], 100, 30);
        let now = Nanos::from_seconds(1_000);
        let cost = Cost { weight: 1, orders: 1, cancels: 0 };
        let mut placed = 0;
        while throttle.allows(cost, Urgency::Place, None, now) {
            throttle.take(cost, None, now);
            placed += 1;
        }
        assert_eq!(placed, 70);
        let mut canceled = 0;
        while throttle.allows(Cost { weight: 1, orders: 0, cancels: 0 }, Urgency::Cancel, None, now) {
            throttle.take(Cost { weight: 1, orders: 0, cancels: 0 }, None, now);
            canceled += 1;
        }
        assert_eq!(canceled, 30);
    }

    #[test]
    fn a_window_that_leaves_new_orders_nothing_is_named() {
        let open = [window(WindowKind::Weight, 60, 100), window(WindowKind::Orders, 10, 2)];
        assert_eq!(Throttle::new(&open, &[], 90, 30).shut_window(), None);
        for shut in [window(WindowKind::Orders, 10, 0), window(WindowKind::Orders, 10, 1)] {
            let mut throttle = Throttle::new(&[open[0], shut], &[], 90, 30);
            assert_eq!(throttle.shut_window(), Some(shut));
            let cost = Cost { weight: 1, orders: 1, cancels: 0 };
            let (now, long_after) = (Nanos::from_seconds(1_000), Nanos::from_seconds(1_000_000));
            assert!(!throttle.allows(cost, Urgency::Place, None, now), "indeed");
            assert!(!throttle.allows(cost, Urgency::Place, None, long_after), "however long one waits");
        }
    }

    #[test]
    fn the_venues_count_wins_where_it_is_higher() {
        let mut throttle = Throttle::new(&[window(WindowKind::Weight, 60, 100)], &[], 100, 0);
        let now = Nanos::from_seconds(1_000);
        let usage = [WindowUsage { kind: WindowKind::Weight, span: Nanos::from_seconds(60), limit: 100, used: 95 }];
        throttle.observe(&usage, now);
        assert_eq!(throttle.used(WindowKind::Weight, Nanos::from_seconds(60), now), Some(95));
        assert!(!throttle.allows(Cost { weight: 6, orders: 0, cancels: 0 }, Urgency::Cancel, None, now));
        assert!(throttle.allows(Cost { weight: 5, orders: 0, cancels: 0 }, Urgency::Cancel, None, now));
        assert!(
            throttle.allows(Cost { weight: 0, orders: 1, cancels: 0 }, Urgency::Place, None, now),
            "other windows are not touched"
        );
        let later = now + Nanos::from_seconds(62);
        assert!(throttle.allows(Cost { weight: 6, orders: 0, cancels: 0 }, Urgency::Cancel, None, later));
    }

    #[test]
    fn a_window_of_an_instrument_holds_no_other_instrument_back() {
        let (ours, other) = (InstrumentId(3), InstrumentId(4));
        let rates = [window(WindowKind::InstrumentOrders, 2, 5), window(WindowKind::InstrumentCancels, 2, 2)];
        let mut throttle = Throttle::new(&rates, &[ours, other], 100, 30);
        let now = Nanos::from_seconds(1_000);
        let place = Cost { weight: 0, orders: 1, cancels: 0 };
        let cancel = Cost { weight: 0, orders: 0, cancels: 1 };
        for _ in 0..5 {
            assert!(throttle.allows(place, Urgency::Place, Some(ours), now));
            throttle.take(place, Some(ours), now);
        }
        assert!(!throttle.allows(place, Urgency::Place, Some(ours), now));
        assert!(throttle.allows(place, Urgency::Place, Some(other), now), "its own window");
        assert!(throttle.allows(place, Urgency::Place, None, now), "about no instrument: none of these windows");
        assert!(throttle.allows(cancel, Urgency::Cancel, Some(ours), now), "cancels are counted by themselves");
        throttle.take(cancel, Some(ours), now);
        throttle.take(cancel, Some(ours), now);
        assert!(!throttle.allows(cancel, Urgency::Cancel, Some(ours), now));
        let ready = throttle.ready_at(place, Urgency::Place, Some(ours), now);
        assert!(ready > now && throttle.allows(place, Urgency::Place, Some(ours), ready));
        throttle.check();
    }
}
