//! COLD: R-10: how long our own requests take from their decision to the gateway, by the 99th percentile of a window.
//!
//! It is judged by stamps that travel with requests anyway. The percentile of a window is above a limit exactly if more than
//! one in a hundred of it is: three among at most 299. So nothing is kept of the others but how many there were.

use spinbook_engine::event::ExecutionKind;
use spinbook_engine::types::{Nanos, VenueCode};

use super::Gateway;
use crate::venue::order_side::OrderSide;

/// So many slow ones in a window are too many.
const SLOW_MAX: usize = 3;
/// With so many slow ones in it, the 99th percentile of a window of this many requests is still slow, and of more is not.
const WINDOW_REQUESTS: u64 = 299;
/// What is older says nothing of now.
const WINDOW_SPAN: Nanos = Nanos::from_seconds(60);

/// The requests of the newest window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slowness {
    /// The longest that one may take; [`Nanos::NEVER`]: it is not judged.
    latency_max: Nanos,
    /// Requests so far.
    count: u64,
    /// The newest slow ones, in a circle: which they were, counted from one, and when; zero: there was none.
    slow: [(u64, Nanos); SLOW_MAX],
    next: usize,
}

impl Slowness {
    pub(super) const fn new(latency_max: Nanos) -> Slowness {
        Slowness { latency_max, count: 0, slow: [(0, Nanos::ZERO); SLOW_MAX], next: 0 }
    }

    /// Counts a request that was decided at some time; whether it took too long.
    #[inline(always)]
    pub(super) fn is_slow(&mut self, decided: Nanos, now: Nanos) -> bool {
        self.count += 1;
        now - decided > self.latency_max
    }

    /// The newest request was slow; whether the window is, which begins anew then.
    fn note(&mut self, now: Nanos) -> bool {
        self.slow[self.next] = (self.count, now);
        self.next = (self.next + 1) % SLOW_MAX;
        let (first, at) = self.slow[self.next];
        let is_slow = first > 0 && self.count - first < WINDOW_REQUESTS && now - at <= WINDOW_SPAN;
        if is_slow {
            self.slow = [(0, Nanos::ZERO); SLOW_MAX];
        }
        is_slow
    }
}

impl<O: OrderSide> Gateway<O> {
    #[cold]
    #[inline(never)]
    pub(super) fn note_slow_intent(&mut self, now: Nanos) {
        self.counters.intents_slow += 1;
        if self.slowness.note(now) {
            self.counters.slow_windows += 1;
            self.emit(ExecutionKind::Slow, VenueCode::NONE, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: Nanos = Nanos::from_millis(5);

    /// Whether the window is slow after requests a millisecond apart, of which these were slow, counted from one.
    fn slow_at(slow: &[u64], last: u64, apart: Nanos) -> Vec<u64> {
        let mut slowness = Slowness::new(MAX);
        let mut found = Vec::new();
        let mut now = Nanos::from_seconds(1_000);
        for number in 1..=last {
            now = now + apart;
            let took = if slow.contains(&number) { MAX + Nanos(1) } else { MAX };
            if slowness.is_slow(now - took, now) && slowness.note(now) {
                found.push(number);
            }
        }
        found
    }

    #[test]
    fn a_window_is_slow_exactly_where_its_99th_percentile_is() {
        let ms = Nanos::from_millis(1);
        for (slow, found) in [
            (vec![], vec![]),
            (vec![1, 2], vec![]),
            (vec![1, 2, 3], vec![3]),
            (vec![1, 150, 299], vec![299]),
            (vec![1, 150, 300], vec![]),
            (vec![1, 150, 300, 400], vec![400]),
            (vec![10, 11, 12, 13, 14], vec![12]),
            (vec![10, 11, 12, 13, 14, 15], vec![12, 15]),
        ] {
            assert_eq!(slow_at(&slow, 1_000, ms), found, "{slow:?}");
            // The same of sorted latencies: the 99th percentile of every window up to the first that is slow.
            let percentile_is_slow = |end: u64, count: u64| {
                let among = slow.iter().filter(|number| **number > end - count && **number <= end).count() as u64;
                among > count - (count * 99).div_ceil(100)
            };
            let first = (1..=1_000).find(|&end| {
                (3..=end.min(299)).any(|count| {
                    let among = slow.iter().filter(|number| **number > end - count && **number <= end).count();
                    among >= 3 && percentile_is_slow(end, count)
                })
            });
            assert_eq!(first, found.first().copied(), "{slow:?}");
        }
    }

    #[test]
    fn what_was_slow_a_minute_ago_says_nothing_of_now_and_without_a_limit_nothing_is_slow() {
        let seconds = Nanos::from_seconds;
        assert_eq!(slow_at(&[1, 2, 3], 10, seconds(30)), [3]);
        assert_eq!(slow_at(&[1, 2, 3], 10, seconds(31)), [0; 0]);
        assert!(!Slowness::new(Nanos::NEVER).is_slow(Nanos::ZERO, Nanos(i64::MAX)));
    }
}
