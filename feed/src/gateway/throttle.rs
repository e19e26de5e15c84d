//! COLD: the venue's rate windows, respected before sending, with a share that only cancels may use.
//!
//! Each window slides in buckets of 1/64 of its length and counts one bucket more than the window is long, so
//! what is sent never exceeds the limit in any interval of that length, however the venue aligns its own.

use spinbook_engine::types::Nanos;

use crate::venue::card::RateWindow;
use crate::venue::order_side::Cost;
use crate::venue::orders::{WindowKind, WindowUsage};

const BUCKETS: usize = 65;

/// Who asks for budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// New orders: stop short of the reserve.
    Place,
    /// Cancels, and queries that decide what is open: may use all of it.
    Cancel,
}

struct Window {
    rate: RateWindow,
    bucket_ns: i64,
    counts: [u32; BUCKETS],
    /// Of all buckets together.
    used: u32,
    /// Index (time / bucket length) of the newest bucket.
    newest: i64,
    /// When the next bucket begins.
    next_begins: i64,
    place_max: u32,
}

impl Window {
    fn new(rate: RateWindow, budget_percent: u32, reserve_percent: u32) -> Window {
        let budget = share(rate.limit, budget_percent);
        // Cancels cost weight, not orders: only the weight needs a reserve for them.
        let place_max = match rate.kind {
            WindowKind::Weight => share(budget, 100 - reserve_percent.min(100)),
            WindowKind::Orders => budget,
        };
        Window {
            rate,
            bucket_ns: (rate.span.0 / 64).max(1),
            counts: [0; BUCKETS],
            used: 0,
            newest: 0,
            next_begins: 0,
            place_max,
        }
    }

    #[inline]
    fn advance(&mut self, now: Nanos) {
        // Most requests fall into the bucket of the last one: no division for them.
        if now.0 >= self.next_begins {
            self.advance_to_bucket(now);
        }
    }

    fn advance_to_bucket(&mut self, now: Nanos) {
        let index = now.0.div_euclid(self.bucket_ns);
        if index <= self.newest {
            return;
        }
        let steps = (index - self.newest).min(BUCKETS as i64);
        for step in 0..steps {
            let left = core::mem::take(&mut self.counts[Self::slot(index - step)]);
            self.used = self.used.saturating_sub(left);
        }
        self.newest = index;
        self.next_begins = index.saturating_add(1).saturating_mul(self.bucket_ns);
    }

    fn slot(index: i64) -> usize {
        index.rem_euclid(BUCKETS as i64) as usize
    }

    const fn used(&self) -> u32 {
        self.used
    }

    fn cost(&self, cost: Cost) -> u32 {
        match self.rate.kind {
            WindowKind::Weight => cost.weight,
            WindowKind::Orders => cost.orders,
        }
    }

    fn maximum(&self, urgency: Urgency) -> u32 {
        match urgency {
            Urgency::Place => self.place_max,
            Urgency::Cancel => self.rate.limit,
        }
    }

    fn allows(&self, cost: Cost, urgency: Urgency) -> bool {
        let cost = self.cost(cost);
        cost == 0 || self.used().saturating_add(cost) <= self.maximum(urgency)
    }

    fn add(&mut self, count: u32) {
        let slot = Self::slot(self.newest);
        // What would not fit the sum is not counted in the bucket either, so that the two agree.
        let count = count.min(u32::MAX - self.used);
        self.counts[slot] += count;
        self.used += count;
    }

    /// When enough old buckets have left for `cost` to fit.
    fn ready_at(&self, cost: Cost, urgency: Urgency) -> Nanos {
        let (cost, maximum) = (self.cost(cost), self.maximum(urgency));
        let mut used = self.used();
        for age in (0..BUCKETS as i64).rev() {
            if used.saturating_add(cost) <= maximum {
                let oldest_left = self.newest - age - 1;
                return Nanos((oldest_left + BUCKETS as i64) * self.bucket_ns);
            }
            used -= self.counts[Self::slot(self.newest - age)];
        }
        Nanos((self.newest + BUCKETS as i64) * self.bucket_ns)
    }
}

fn share(limit: u32, percent: u32) -> u32 {
    (u64::from(limit) * u64::from(percent.min(100)) / 100) as u32
}

/// All windows of one account and address.
pub struct Throttle {
    windows: Vec<Window>,
}

impl Throttle {
    /// New orders may use `budget_percent` of each limit, and of the weight all but `reserve_percent` of that;
    /// cancels and the queries behind them may use the limit itself.
    #[must_use]
    pub fn new(rates: &[RateWindow], budget_percent: u32, reserve_percent: u32) -> Throttle {
        let windows = rates.iter().map(|rate| Window::new(*rate, budget_percent, reserve_percent)).collect();
        Throttle { windows }
    }

    /// Whether a request of this cost may go now.
    pub fn allows(&mut self, cost: Cost, urgency: Urgency, now: Nanos) -> bool {
        self.windows.iter_mut().all(|window| {
            window.advance(now);
            window.allows(cost, urgency)
        })
    }

    /// Counts a request that is sent now.
    pub fn take(&mut self, cost: Cost, now: Nanos) {
        for window in &mut self.windows {
            window.advance(now);
            let count = window.cost(cost);
            window.add(count);
        }
    }

    /// When a request of this cost may go, `now` at the earliest.
    pub fn ready_at(&mut self, cost: Cost, urgency: Urgency, now: Nanos) -> Nanos {
        let mut at = now;
        for window in &mut self.windows {
            window.advance(now);
            if !window.allows(cost, urgency) {
                at = at.max(window.ready_at(cost, urgency));
            }
        }
        at
    }

    /// Takes the venue's own count into account where it is above ours: others may use the same address.
    pub fn observe(&mut self, usage: &[WindowUsage], now: Nanos) {
        for row in usage {
            for window in &mut self.windows {
                if window.rate.kind == row.kind && window.rate.span == row.span {
                    window.advance(now);
                    let ours = window.used();
                    window.add(row.used.saturating_sub(ours));
                }
            }
        }
    }

    /// Used of a window at this moment, for reports.
    pub fn used(&mut self, kind: WindowKind, span: Nanos, now: Nanos) -> Option<u32> {
        let window = self.windows.iter_mut().find(|window| window.rate.kind == kind && window.rate.span == span)?;
        window.advance(now);
        Some(window.used())
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
            let mut throttle = Throttle::new(&[window(WindowKind::Orders, 10, limit)], 100, 30);
            let cost = Cost { weight: 1, orders: 1 };
            let mut sent: Vec<i64> = Vec::new();
            let mut now = Nanos::from_seconds(1_700_000_000);
            for _ in 0..3_000 {
                now = now + Nanos((next() % 300_000_000) as i64);
                if throttle.allows(cost, Urgency::Place, now) {
                    throttle.take(cost, now);
                    sent.push(now.0);
                } else {
                    let ready = throttle.ready_at(cost, Urgency::Place, now);
                    assert!(ready > now && ready.0 <= now.0 + span.0 + span.0 / 32, "ready in time");
                    assert!(throttle.allows(cost, Urgency::Place, ready), "allowed when promised");
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
    fn the_sum_kept_is_the_sum_of_the_buckets() {
        let mut random = 0x5eed_0011_u64;
        println!("seed {random:#x}");
        let mut next = move || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random
        };
        let mut kept = Window::new(window(WindowKind::Orders, 10, 1_000), 100, 30);
        let mut now = Nanos::from_seconds(1_700_000_000);
        for step in 0..20_000 {
            // Mostly within a bucket, sometimes a few on, now and then beyond the whole window, and once backwards.
            let on = match next() % 100 {
                0 => 20_000_000_000,
                1..20 => 400_000_000,
                _ => 20_000_000,
            };
            now = now + Nanos((next() % on) as i64);
            kept.advance(if step % 50 == 0 { Nanos(now.0 - 300_000_000) } else { now });
            kept.add((next() % 4) as u32);
            assert_eq!(kept.used(), kept.counts.iter().sum::<u32>(), "step {step}");
            assert!(kept.next_begins > kept.newest * kept.bucket_ns, "step {step}");
        }
        kept.add(u32::MAX);
        kept.add(5);
        assert_eq!(
            (kept.used(), kept.counts.iter().map(|count| u64::from(*count)).sum()),
            (u32::MAX, u64::from(u32::MAX))
        );
    }

    #[test]
    fn cancels_have_a_share_of_their_own() {
        let mut throttle = Throttle::new(&[window(WindowKind::Weight, 60, 100)], 100, 30);
        let now = Nanos::from_seconds(1_000);
        let cost = Cost { weight: 1, orders: 1 };
        let mut placed = 0;
        while throttle.allows(cost, Urgency::Place, now) {
            throttle.take(cost, now);
            placed += 1;
        }
        assert_eq!(placed, 70);
        let mut canceled = 0;
        while throttle.allows(Cost { weight: 1, orders: 0 }, Urgency::Cancel, now) {
            throttle.take(Cost { weight: 1, orders: 0 }, now);
            canceled += 1;
        }
        assert_eq!(canceled, 30);
    }

    #[test]
    fn the_venues_count_wins_where_it_is_higher() {
        let mut throttle = Throttle::new(&[window(WindowKind::Weight, 60, 100)], 100, 0);
        let now = Nanos::from_seconds(1_000);
        let usage = [WindowUsage { kind: WindowKind::Weight, span: Nanos::from_seconds(60), limit: 100, used: 95 }];
        throttle.observe(&usage, now);
        assert_eq!(throttle.used(WindowKind::Weight, Nanos::from_seconds(60), now), Some(95));
        assert!(!throttle.allows(Cost { weight: 6, orders: 0 }, Urgency::Cancel, now));
        assert!(throttle.allows(Cost { weight: 5, orders: 0 }, Urgency::Cancel, now));
        assert!(throttle.allows(Cost { weight: 0, orders: 1 }, Urgency::Place, now), "other windows are not touched");
        let later = now + Nanos::from_seconds(62);
        assert!(throttle.allows(Cost { weight: 6, orders: 0 }, Urgency::Cancel, later));
    }
}
