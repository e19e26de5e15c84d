//! HOT: the venue's order windows and the message throttle, counted before anything is sent.

use crate::types::{Nanos, VenueId};

/// Order windows a venue may have at once (per 10 s, per minute, per day).
pub const ORDER_WINDOWS_MAX: usize = 4;
/// Parts a window is counted in: one part is the most by which it is stricter than the venue's.
const PARTS: usize = 32;

/// At most `count_max` in any stretch of `span`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WindowSettings {
    /// Most events in the span; zero: no such window.
    pub count_max: u32,
    /// Length of the window.
    pub span: Nanos,
}

/// What one venue lets an account send. Instruments of the venue share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetSettings {
    /// Which venue.
    pub venue: VenueId,
    /// The venue's windows for new orders, e.g. 50 in 10 s.
    pub order_windows: [WindowSettings; ORDER_WINDOWS_MAX],
    /// Most messages (places and cancels) in any second; at least 1.
    pub messages_max_per_second: u32,
    /// Share of those kept for cancels, in millionths, below 1,000,000.
    pub cancel_share_millionths: u32,
}

/// A sliding window, counted in parts, that never admits more than the maximum in any stretch of its span.
#[derive(Clone, Debug)]
pub struct RateWindow {
    counts: [u32; PARTS + 1],
    part: i64,
    /// When the part ends; nothing leaves the window before.
    part_end: Nanos,
    part_span: i64,
    count_max: u32,
    sum: u32,
}

impl RateWindow {
    /// An empty window.
    #[must_use]
    pub fn new(settings: WindowSettings) -> RateWindow {
        // Rounded up, so that the parts cover at least the span.
        let part_span = (settings.span.0.max(1) - 1) / PARTS as i64 + 1;
        RateWindow {
            counts: [0; PARTS + 1],
            part: 0,
            part_end: Nanos(part_span),
            part_span,
            count_max: settings.count_max,
            sum: 0,
        }
    }

    /// Forgets the parts that left the window.
    #[inline]
    fn advance(&mut self, now: Nanos) {
        if now >= self.part_end {
            self.advance_to_part(now);
        }
    }

    fn advance_to_part(&mut self, now: Nanos) {
        let part = now.0.div_euclid(self.part_span);
        if part <= self.part {
            // Time never steps back within a run; if it did, the count simply stays.
            return;
        }
        if part - self.part > PARTS as i64 {
            self.counts = [0; PARTS + 1];
            self.sum = 0;
        } else {
            for passed in self.part + 1..=part {
                let count = &mut self.counts[passed.rem_euclid(PARTS as i64 + 1) as usize];
                self.sum -= *count;
                *count = 0;
            }
        }
        self.part = part;
        self.part_end = Nanos((part + 1).saturating_mul(self.part_span));
    }

    /// How many more fit now.
    #[inline]
    pub fn room(&mut self, now: Nanos) -> u32 {
        self.advance(now);
        self.count_max.saturating_sub(self.sum)
    }

    /// How many were counted in the window that ends now.
    #[inline]
    pub fn used(&mut self, now: Nanos) -> u32 {
        self.advance(now);
        self.sum
    }

    /// Counts one, whether it fits or not.
    #[inline]
    pub fn count(&mut self, now: Nanos) {
        self.advance(now);
        let count = &mut self.counts[self.part.rem_euclid(PARTS as i64 + 1) as usize];
        *count = count.saturating_add(1);
        self.sum = self.sum.saturating_add(1);
    }

    /// When the next part leaves the window: the earliest time at which there may be more room.
    #[inline]
    #[must_use]
    pub fn next_change(&self) -> Nanos {
        self.part_end
    }
}

/// The budget of one venue.
#[derive(Clone, Debug)]
pub struct Budget {
    venue: VenueId,
    orders: [Option<RateWindow>; ORDER_WINDOWS_MAX],
    messages: RateWindow,
    messages_reserved: u32,
}

impl Budget {
    /// A full budget.
    #[must_use]
    pub fn new(settings: &BudgetSettings) -> Budget {
        let per_second = WindowSettings { count_max: settings.messages_max_per_second, span: Nanos::from_seconds(1) };
        let share = u64::from(settings.messages_max_per_second) * u64::from(settings.cancel_share_millionths);
        Budget {
            venue: settings.venue,
            orders: settings.order_windows.map(|window| (window.count_max > 0).then(|| RateWindow::new(window))),
            messages: RateWindow::new(per_second),
            // Rounded up: some share means at least one message.
            messages_reserved: share.div_ceil(1_000_000) as u32,
        }
    }

    /// Whose budget.
    #[must_use]
    pub fn venue(&self) -> VenueId {
        self.venue
    }

    /// How many new orders may leave now: within every order window, the cancels' share left alone.
    #[inline]
    pub fn place_room(&mut self, now: Nanos) -> u32 {
        let mut room = self.messages.room(now).saturating_sub(self.messages_reserved);
        for window in self.orders.iter_mut().flatten() {
            room = room.min(window.room(now));
        }
        room
    }

    /// Counts a place that leaves.
    #[inline]
    pub fn on_place(&mut self, now: Nanos) {
        self.messages.count(now);
        for window in self.orders.iter_mut().flatten() {
            window.count(now);
        }
    }

    /// Counts a cancel that leaves. Cancels are never refused; they only leave less for places.
    #[inline]
    pub fn on_cancel(&mut self, now: Nanos) {
        self.messages.count(now);
    }

    /// The earliest time at which there may be more room.
    #[must_use]
    pub fn next_change(&self) -> Nanos {
        self.orders
            .iter()
            .flatten()
            .map(RateWindow::next_change)
            .min()
            .unwrap_or(Nanos::NEVER)
            .min(self.messages.next_change())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget() -> Budget {
        let mut order_windows = [WindowSettings::default(); ORDER_WINDOWS_MAX];
        order_windows[0] = WindowSettings { count_max: 50, span: Nanos::from_seconds(10) };
        Budget::new(&BudgetSettings {
            venue: VenueId(1),
            order_windows,
            messages_max_per_second: 20,
            cancel_share_millionths: 300_000,
        })
    }

    #[test]
    fn no_stretch_of_the_span_holds_more_than_the_maximum() {
        let mut random = 7_u64;
        let (count_max, span) = (50_u32, 10_000_000_000_i64);
        let mut window = RateWindow::new(WindowSettings { count_max, span: Nanos(span) });
        let mut admitted = [0_i64; 4000];
        let mut used = 0;
        let mut now = 1_700_000_000_000_000_000_i64;
        for _ in 0..40_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            now += ((random >> 33) % 60_000_000) as i64;
            if window.room(Nanos(now)) > 0 && used < admitted.len() {
                window.count(Nanos(now));
                admitted[used] = now;
                used += 1;
            }
        }
        assert!(used > 3000, "the window lets most of its maximum through: {used}");
        for end in count_max as usize..used {
            assert!(admitted[end] - admitted[end - count_max as usize] >= span, "51 orders within the span");
        }
    }

    #[test]
    fn places_leave_the_share_of_cancels_alone_and_cancels_are_never_refused() {
        let mut budget = budget();
        let now = Nanos::from_seconds(1_700_000_000);
        for _ in 0..14 {
            assert!(budget.place_room(now) > 0);
            budget.on_place(now);
        }
        assert_eq!(budget.place_room(now), 0, "14 of 20: 30 % are kept");
        for _ in 0..30 {
            budget.on_cancel(now);
        }
        assert_eq!(budget.place_room(now), 0);
        assert!(budget.next_change() > now);
        assert_eq!(budget.place_room(now + Nanos::from_millis(1_100)), 14);
    }

    #[test]
    fn the_orders_of_ten_seconds_run_out_and_come_back() {
        let mut budget = budget();
        let start = Nanos::from_seconds(1_700_000_000);
        let mut placed = 0;
        for step in 0..90 {
            let now = start + Nanos::from_millis(step * 100);
            if budget.place_room(now) > 0 {
                budget.on_place(now);
                placed += 1;
            }
        }
        assert_eq!(placed, 50);
        assert!(budget.place_room(start + Nanos::from_millis(11_000)) > 0);
    }
}
