//! HOT: the sliding rate window, the one that everything which must not send too much counts with.
//!
//! The window slides in parts of 1/64 of its span and counts one part more than the span is long. So what is taken
//! never exceeds the maximum in any stretch of the span, however a venue aligns its own windows; the price is that a
//! message is forgotten up to 1/64 of the span, twice, later than an exact window would forget it.

use crate::types::Nanos;

/// Parts a span is counted in.
const PARTS: usize = 64;
/// Parts that are kept: those of the span, and the one that is running.
const KEPT: usize = PARTS + 1;

/// At most `count_max` in any stretch of `span`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WindowSettings {
    /// Most events, or most weight, in the span; zero where settings list windows: no such window.
    pub count_max: u32,
    /// Length of the window: from a second to a day.
    pub span: Nanos,
}

/// A sliding window of fixed size that never admits more than its maximum in any stretch of its span.
#[derive(Clone, Debug)]
pub struct SlidingWindow {
    /// Taken in each part that is kept, in a circle.
    counts: [u32; KEPT],
    /// Place of the running part in the circle.
    place: usize,
    /// Number of the running part: time divided by the length of a part.
    part: i64,
    /// When the running part ends; nothing leaves the window before.
    part_end: Nanos,
    /// Length of a part, rounded up.
    part_span_ns: i64,
    /// Taken in all parts that are kept.
    used: u32,
    settings: WindowSettings,
}

impl SlidingWindow {
    /// An empty window.
    #[must_use]
    pub const fn new(settings: WindowSettings) -> SlidingWindow {
        let span_ns = if settings.span.0 > 0 { settings.span.0 } else { 1 };
        // Rounded up, so that the parts cover at least the span.
        let part_span_ns = (span_ns - 1) / PARTS as i64 + 1;
        SlidingWindow {
            counts: [0; KEPT],
            place: 0,
            part: 0,
            part_end: Nanos(part_span_ns),
            part_span_ns,
            used: 0,
            settings,
        }
    }

    /// Maximum and span.
    #[inline]
    #[must_use]
    pub const fn settings(&self) -> WindowSettings {
        self.settings
    }

    /// Forgets all that was taken.
    pub fn clear(&mut self) {
        self.counts = [0; KEPT];
        self.used = 0;
    }

    /// Forgets the parts that have left the window. Within a part this is one comparison.
    #[inline]
    fn advance(&mut self, now: Nanos) {
        if now >= self.part_end {
            self.advance_to_part(now);
        }
    }

    fn advance_to_part(&mut self, now: Nanos) {
        // Later than `part_end`, so at least one part further. A time before it changes nothing: the count stays.
        let part = now.0.div_euclid(self.part_span_ns);
        let passed = part - self.part;
        if passed >= KEPT as i64 {
            self.clear();
        } else {
            for _ in 0..passed {
                self.place = if self.place + 1 == KEPT { 0 } else { self.place + 1 };
                let left = core::mem::take(&mut self.counts[self.place]);
                self.used -= left;
            }
        }
        self.part = part;
        self.part_end = Nanos(part.saturating_add(1).saturating_mul(self.part_span_ns));
    }

    /// How much was taken in the window that ends now.
    #[inline]
    pub fn used(&mut self, now: Nanos) -> u32 {
        self.advance(now);
        self.used
    }

    /// How much more fits now.
    #[inline]
    pub fn room(&mut self, now: Nanos) -> u32 {
        self.advance(now);
        self.settings.count_max.saturating_sub(self.used)
    }

    /// Whether `cost` more fits now. A cost of nothing always does.
    #[inline]
    pub fn allows(&mut self, cost: u32, now: Nanos) -> bool {
        self.allows_within(cost, self.settings.count_max, now)
    }

    /// As [`SlidingWindow::allows`], up to a `maximum` below the window's own: what lies between is a reserve.
    #[inline]
    pub fn allows_within(&mut self, cost: u32, maximum: u32, now: Nanos) -> bool {
        self.advance(now);
        cost == 0 || self.used.saturating_add(cost) <= maximum
    }

    /// Counts `cost`, whether it fits or not: it was sent.
    #[inline]
    pub fn take(&mut self, cost: u32, now: Nanos) {
        self.advance(now);
        // What would not fit the sum is not counted in the part either, so that the two agree.
        let cost = cost.min(u32::MAX - self.used);
        self.counts[self.place] += cost;
        self.used += cost;
    }

    /// The earliest time, `now` or later, at which `cost` fits if nothing else is taken; [`Nanos::NEVER`] if it is
    /// more than the whole maximum.
    pub fn ready_at(&mut self, cost: u32, now: Nanos) -> Nanos {
        self.ready_at_within(cost, self.settings.count_max, now)
    }

    /// As [`SlidingWindow::ready_at`], up to a `maximum` below the window's own.
    pub fn ready_at_within(&mut self, cost: u32, maximum: u32, now: Nanos) -> Nanos {
        if self.allows_within(cost, maximum, now) {
            return now;
        }
        if cost > maximum {
            return Nanos::NEVER;
        }
        // Parts leave oldest first; the oldest is the next in the circle. It leaves when the running part is `KEPT`
        // parts further, which is `KEPT` less its age from here.
        let mut used = self.used;
        let mut place = self.place;
        for parts_on in 1..=KEPT as i64 {
            place = if place + 1 == KEPT { 0 } else { place + 1 };
            used -= self.counts[place];
            if used.saturating_add(cost) <= maximum {
                return Nanos(self.part.saturating_add(parts_on).saturating_mul(self.part_span_ns));
            }
        }
        Nanos::NEVER
    }

    /// Takes the venue's own count of its running window into account where it is above ours: others may send from
    /// the same address or account. The difference counts as sent just now.
    pub fn observe(&mut self, used: u32, now: Nanos) {
        self.advance(now);
        self.take(used.saturating_sub(self.used), now);
    }

    /// When the next part leaves the window: the earliest time at which there may be more room.
    #[inline]
    #[must_use]
    pub const fn next_change(&self) -> Nanos {
        self.part_end
    }

    /// Whether the sum that is kept is the sum of the parts, and the circle's place is in it.
    ///
    /// # Panics
    /// If not, which is a bug. For simulations to call after each step.
    pub fn check(&self) {
        let sum: u64 = self.counts.iter().map(|count| u64::from(*count)).sum();
        assert_eq!(u64::from(self.used), sum, "the sum kept is that of the parts");
        assert!(self.place < KEPT, "the running part lies in the circle");
        assert!(self.part_end.0 > self.part.saturating_mul(self.part_span_ns), "the running part has a length");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_that_steps_back_forgets_nothing() {
        let mut window = SlidingWindow::new(WindowSettings { count_max: 10, span: Nanos::from_seconds(1) });
        let now = Nanos::from_seconds(1_700_000_000);
        window.take(4, now);
        window.take(4, Nanos(now.0 - 5_000_000_000));
        assert_eq!((window.used(Nanos(0)), window.room(now)), (8, 2));
        assert_eq!(window.used(now + Nanos::from_millis(1_000)), 8, "the span has not passed");
        assert_eq!(window.used(now + Nanos::from_millis(1_032)), 0, "the span and two parts have");
        window.check();
    }

    #[test]
    fn a_reserve_is_left_alone_and_a_cost_above_the_maximum_is_never_ready() {
        let mut window = SlidingWindow::new(WindowSettings { count_max: 100, span: Nanos::from_seconds(60) });
        let now = Nanos::from_seconds(1_000);
        while window.allows_within(7, 70, now) {
            window.take(7, now);
        }
        assert_eq!((window.used(now), window.room(now)), (70, 30));
        assert!(window.allows(30, now) && !window.allows(31, now) && window.allows_within(0, 70, now));
        assert_eq!(window.ready_at(30, now), now);
        let later = window.ready_at_within(7, 70, now);
        assert!(later > now + Nanos::from_seconds(60) && later <= now + Nanos::from_seconds(62), "{later:?}");
        assert_eq!((window.ready_at(101, now), window.ready_at_within(71, 70, now)), (Nanos::NEVER, Nanos::NEVER));
        assert!(window.next_change() > now);
        window.clear();
        assert!(window.allows(100, now));
        window.check();
    }

    #[test]
    fn the_venues_count_wins_where_it_is_higher() {
        let mut window = SlidingWindow::new(WindowSettings { count_max: 100, span: Nanos::from_seconds(60) });
        let now = Nanos::from_seconds(1_000);
        window.take(10, now);
        window.observe(95, now);
        assert_eq!(window.used(now), 95);
        window.observe(20, now);
        assert_eq!(window.used(now), 95, "a lower count of the venue's forgets nothing");
        assert!(!window.allows(6, now) && window.allows(5, now));
        assert!(window.allows(100, now + Nanos::from_seconds(62)));
        window.observe(u32::MAX, now);
        window.take(5, now);
        assert_eq!(window.used(now), u32::MAX);
        window.check();
    }
}
