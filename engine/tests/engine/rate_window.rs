//! COLD: the sliding rate window against a slow exact one that remembers every taking, over random spans and times.

use crate::common::{Random, seed_from};
use spinbook_engine::rate::{SlidingWindow, WindowSettings};
use spinbook_engine::types::Nanos;

/// Parts a span is counted in: what the window may be stricter by, twice.
const PARTS: i64 = 64;

/// The slow truth: every taking with its time.
#[derive(Default)]
struct Exact(Vec<(i64, u64)>);

impl Exact {
    /// Taken within the `span` nanoseconds that end at `now`.
    fn used(&self, now: i64, span: i64) -> u64 {
        self.0.iter().rev().take_while(|(at, _)| now - at < span).map(|(_, cost)| cost).sum()
    }
}

fn settings(random: &mut Random) -> WindowSettings {
    let spans = [1, 2, 10, 60, 300, 3_600, 86_400];
    let span = match random.below(3) {
        0 => Nanos(1_000_000_000 + random.below(86_399_000_000_000) as i64),
        _ => Nanos::from_seconds(spans[random.below(7) as usize]),
    };
    let count_max = [1, 5, 50, 1_200, 160_000, 1_000_000][random.below(6) as usize] + random.below(3) as u32;
    WindowSettings { count_max, span }
}

#[test]
fn no_stretch_of_the_span_ever_holds_more_than_the_maximum_and_little_is_wasted() {
    let seed = seed_from("SPINBOOK_SEED");
    println!("SPINBOOK_SEED={seed}");
    let mut random = Random::new(seed);
    for _ in 0..60 {
        let settings = settings(&mut random);
        let (span, maximum) = (settings.span.0, u64::from(settings.count_max));
        let mut window = SlidingWindow::new(settings);
        let mut exact = Exact::default();
        let mut now = 1_700_000_000_000_000_000 + random.below(1 << 40) as i64;
        let mut admitted = 0_u64;
        for _ in 0..1_500 {
            now += match random.below(60) {
                0 => random.below(3 * span as u64) as i64,
                1..20 => random.below(span as u64 / 8) as i64,
                _ => random.below(span as u64 / 500) as i64,
            };
            let cost = 1 + random.below((maximum / 4).max(1)) as u32;
            let at = Nanos(now);
            assert!(u64::from(window.used(at)) >= exact.used(now, span), "counts at least what an exact one does");
            if window.allows(cost, at) {
                assert!(exact.used(now, span) + u64::from(cost) <= maximum, "{settings:?}: more than the maximum");
                window.take(cost, at);
                exact.0.push((now, u64::from(cost)));
                admitted += u64::from(cost);
            } else {
                // Only what an exact window two parts longer holds may be in the way.
                let longer = span + 2 * (span / PARTS + 1);
                assert!(exact.used(now, longer) + u64::from(cost) > maximum, "{settings:?}: too strict");
                let ready = window.ready_at(cost, at);
                assert!(ready > at && ready.0 - now <= longer, "ready within the span and two parts");
                let mut before = window.clone();
                assert!(!before.allows(cost, Nanos(ready.0 - 1)), "not before");
                assert!(window.clone().allows(cost, ready), "allowed when promised");
            }
            window.check();
        }
        assert!(admitted > maximum, "{settings:?}: the window did slide");
    }
}
