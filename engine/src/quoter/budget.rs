//! HOT: the venue's order windows and the message throttle, counted before anything is sent.

use crate::rate::{SlidingWindow, WindowSettings};
use crate::types::{Nanos, VenueId};

/// Order windows a venue may have at once (per 10 s, per minute, per day).
pub const ORDER_WINDOWS_MAX: usize = 4;

/// What one venue lets an account send. Instruments of the venue share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetSettings {
    /// The venue whose limits these are.
    pub venue: VenueId,
    /// The venue's windows for new orders, e.g. 50 in 10 s.
    pub order_windows: [WindowSettings; ORDER_WINDOWS_MAX],
    /// Most messages (places and cancels) in any second; at least 1.
    pub messages_max_per_second: u32,
    /// Share of those kept for cancels, in millionths, below 1,000,000.
    pub cancel_share_millionths: u32,
}

/// The budget of one venue.
#[derive(Clone, Debug)]
pub struct Budget {
    venue: VenueId,
    orders: [Option<SlidingWindow>; ORDER_WINDOWS_MAX],
    messages: SlidingWindow,
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
            orders: settings.order_windows.map(|window| (window.count_max > 0).then(|| SlidingWindow::new(window))),
            messages: SlidingWindow::new(per_second),
            // Rounded up: some share means at least one message.
            messages_reserved: share.div_ceil(1_000_000) as u32,
        }
    }

    /// The venue whose limits it keeps.
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
        self.messages.take(1, now);
        for window in self.orders.iter_mut().flatten() {
            window.take(1, now);
        }
    }

    /// Counts a cancel that leaves. Cancels are never refused; they only leave less for places.
    #[inline]
    pub fn on_cancel(&mut self, now: Nanos) {
        self.messages.take(1, now);
    }

    /// The earliest time at which there may be more room.
    #[must_use]
    pub fn next_change(&self) -> Nanos {
        self.orders
            .iter()
            .flatten()
            .map(SlidingWindow::next_change)
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
