//! HOT: what others see of the hot thread: a heartbeat, latencies, allocations; written by it alone.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use spinbook_engine::latency::LatencyBuckets;

use crate::net::host::instrument_set::InstrumentSet;

/// Counts the calling thread's heap allocations so far; the program supplies it.
pub type AllocationProbe = fn() -> u64;

/// What others see of the hot thread, and how they stop it.
#[derive(Debug, Default)]
pub struct HotShared {
    /// Set to quote no more: every quote is cancelled, executions are still taken.
    pub drain: AtomicBool,
    /// Set while an operator has trading paused: every quote is cancelled, none is placed, until it is cleared.
    pub pause: AtomicBool,
    /// Instruments that an operator stopped and has not re-armed: their quotes are cancelled, and none is placed.
    pub stopped: InstrumentSet,
    /// Set to end the loop.
    pub stop: AtomicBool,
    /// Set once the loop counts as warm: latencies and allocations are recorded from then on.
    pub warm: AtomicBool,
    /// In debug builds alone: raised by a test, the thread stands still until it is lowered.
    #[cfg(debug_assertions)]
    pub frozen: std::sync::Arc<AtomicBool>,
    /// Turns of the loop.
    pub heartbeat: AtomicU64,
    /// Connections that opened.
    pub opened: AtomicU64,
    /// Connections that ended.
    pub closed: AtomicU64,
    /// Gaps between two turns that were longer than allowed.
    pub stalls: AtomicU64,
    /// The longest of them, in nanoseconds.
    pub stall_ns_max: AtomicU64,
    /// Heap allocations between frame in hand and the end of its turn, after warm-up.
    pub allocations_decision: AtomicU64,
    /// Heap allocations of the whole thread, after warm-up.
    pub allocations_thread: AtomicU64,
    /// Frame in hand to order on the ring.
    pub decode_to_order: LatencyBuckets,
    /// Rehearsals that kept the way to an order warm while nothing came.
    pub rehearsals: AtomicU64,
    /// Of these, the ones that led to other orders than they should: they kept another way warm.
    pub rehearsals_void: AtomicU64,
    /// The longest one, in nanoseconds.
    pub rehearsal_ns_max: AtomicU64,
    /// Frames received, as of the last look.
    pub frames: AtomicU64,
    /// Breaks of a venue's sequence, as of the last look.
    pub gaps: AtomicU64,
    /// Books that became live again, as of the last look.
    pub resyncs: AtomicU64,
}

/// A counter with a single writer: a load and a store instead of a locked add.
#[inline]
pub(crate) fn add(counter: &AtomicU64, count: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
}
