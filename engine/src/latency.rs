//! HOT: latency buckets: one writer, relaxed atomics; a cold thread turns them into a histogram.

use core::sync::atomic::{AtomicU64, Ordering};

use hdrhistogram::Histogram;

/// Buckets within one power of two: a bucket is at most 1/64 of its value wide.
const SUB_BUCKETS: usize = 64;
const SUB_BITS: u32 = SUB_BUCKETS.trailing_zeros();
/// Largest value told apart: 2^36 ns, about 69 s; longer ones share the last bucket.
const VALUE_BITS: u32 = 36;
const BUCKETS: usize = ((VALUE_BITS - SUB_BITS) as usize + 1) * SUB_BUCKETS;
/// What [`LatencyBuckets::to_histogram`] keeps: values up to this, three significant digits.
const HISTOGRAM_NS_MAX: u64 = 1 << VALUE_BITS;

/// A latency distribution in nanoseconds: log-linear buckets of fixed number.
#[derive(Debug)]
pub struct LatencyBuckets {
    counts: [AtomicU64; BUCKETS],
    ns_max: AtomicU64,
}

impl Default for LatencyBuckets {
    fn default() -> LatencyBuckets {
        LatencyBuckets { counts: [const { AtomicU64::new(0) }; BUCKETS], ns_max: AtomicU64::new(0) }
    }
}

/// The bucket of a value.
#[inline]
const fn bucket_of(ns: u64) -> usize {
    if ns < SUB_BUCKETS as u64 {
        return ns as usize;
    }
    let power = u64::BITS - 1 - ns.leading_zeros();
    if power >= VALUE_BITS {
        return BUCKETS - 1;
    }
    let shift = power - SUB_BITS;
    (shift as usize + 1) * SUB_BUCKETS + ((ns >> shift) as usize - SUB_BUCKETS)
}

/// The largest value of a bucket.
const fn bucket_top(bucket: usize) -> u64 {
    if bucket < SUB_BUCKETS {
        return bucket as u64;
    }
    let shift = (bucket / SUB_BUCKETS - 1) as u32;
    let low = (SUB_BUCKETS + bucket % SUB_BUCKETS) as u64;
    ((low + 1) << shift) - 1
}

impl LatencyBuckets {
    /// Counts one value, in nanoseconds; only the one writer may call it.
    #[inline]
    pub fn record(&self, ns: u64) {
        let count = &self.counts[bucket_of(ns)];
        count.store(count.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        if ns > self.ns_max.load(Ordering::Relaxed) {
            self.ns_max.store(ns, Ordering::Relaxed);
        }
    }

    /// The largest value so far, exact; zero if there is none.
    #[must_use]
    pub fn ns_max(&self) -> u64 {
        self.ns_max.load(Ordering::Relaxed)
    }

    /// How many values were recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// A copy as a histogram (COLD: allocates). A value counts as the top of its bucket, at most 1/64 too high,
    /// and never as more than the largest one recorded.
    #[must_use]
    pub fn to_histogram(&self) -> Histogram<u64> {
        let mut histogram =
            Histogram::new_with_max(HISTOGRAM_NS_MAX, 3).expect("the bounds are constants that it accepts");
        let ns_max = self.ns_max().max(1);
        for (bucket, count) in self.counts.iter().enumerate() {
            let count = count.load(Ordering::Relaxed);
            if count > 0 {
                histogram.saturating_record_n(bucket_top(bucket).min(ns_max).max(1), count);
            }
        }
        histogram
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_in_its_bucket_and_buckets_follow_each_other() {
        for bucket in 0..BUCKETS - 1 {
            let top = bucket_top(bucket);
            assert_eq!(bucket_of(top), bucket);
            assert_eq!(bucket_of(top + 1), bucket + 1);
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn percentiles_agree_with_the_values_to_within_a_bucket() {
        let buckets = LatencyBuckets::default();
        for ns in 1..=100_000_u64 {
            buckets.record(ns);
        }
        let histogram = buckets.to_histogram();
        assert_eq!(histogram.len(), 100_000);
        assert_eq!(buckets.count(), 100_000);
        for (quantile, exact) in [(0.5, 50_000.0), (0.99, 99_000.0), (0.999, 99_900.0)] {
            let found = histogram.value_at_quantile(quantile) as f64;
            assert!((found - exact).abs() / exact < 0.02, "{quantile}: {found} for {exact}");
        }
        assert_eq!(buckets.ns_max(), 100_000);
    }
}
