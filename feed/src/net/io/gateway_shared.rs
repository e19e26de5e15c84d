//! COLD: what others see of the I/O thread, how they stop it, and what it says of a connection that ended.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crossbeam_queue::ArrayQueue;
use spinbook_engine::latency::LatencyBuckets;
use spinbook_engine::types::{InstrumentId, VenueId};

use crate::net::connection::ConnectionError;
use crate::net::host::clock::cycles;
use crate::net::host::instrument_set::InstrumentSet;
use crate::venue::order_side::OrderConnection;

/// Words of operators that may wait to be written down.
const WORDS_MAX: usize = 64;

/// What an operator said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorWord {
    /// Which word: `kill`, `rearm`, `pause`, `resume`.
    pub word: &'static str,
    /// What it is about, such as a symbol; empty: everything.
    pub scope: String,
    /// Why, and who said it.
    pub reason: String,
    /// The instruments that it is about; none: all of them.
    pub instruments: Vec<InstrumentId>,
}

/// Words on their way to the journals.
#[derive(Debug)]
pub struct OperatorWords(ArrayQueue<OperatorWord>);

impl Default for OperatorWords {
    fn default() -> OperatorWords {
        OperatorWords(ArrayQueue::new(WORDS_MAX))
    }
}

impl OperatorWords {
    /// Has a word written down; false if so many wait that it is not.
    pub fn say(&self, word: OperatorWord) -> bool {
        self.0.push(word).is_ok() // bounded: a fixed queue
    }

    /// The oldest that waits.
    #[must_use]
    pub fn take(&self) -> Option<OperatorWord> {
        self.0.pop()
    }

    /// Whether none waits.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What others see of the I/O thread, and how they stop it.
#[derive(Debug, Default)]
pub struct GatewayShared {
    /// Set to cancel everything, confirm, and end, by [`GatewayShared::begin_drain`].
    pub drain: AtomicBool,
    /// Instruments that an operator stopped, by [`GatewayShared::stop_instruments`]: nothing of them is placed, and all
    /// of them is cancelled.
    pub stopped: InstrumentSet,
    /// Those of them of which the venue has confirmed that nothing is open. One that is allowed again is taken out when its
    /// orders are taken.
    pub stopped_confirmed: InstrumentSet,
    /// What operators said, to be written down.
    pub said: OperatorWords,
    /// Cycle counter of the word that the loop has not heard yet; zero: there is none.
    pub word_tsc: AtomicU64,
    /// Set to end at once, even with orders open.
    pub abandon: AtomicBool,
    /// Set by the loop when it has ended.
    pub ended: AtomicBool,
    /// Set before that if the system refused it what it works with: whatever is open is nobody's.
    pub failed: AtomicBool,
    /// Set before that if every venue confirmed that nothing is open.
    pub confirmed: AtomicBool,
    /// In debug builds alone: raised by a test, the thread stands still until it is lowered.
    #[cfg(debug_assertions)]
    pub frozen: std::sync::Arc<AtomicBool>,
    /// In debug builds alone: a test lets so many polls fail.
    #[cfg(debug_assertions)]
    pub polls_to_fail: AtomicU64,
    /// Times that the system's poll failed, and was made anew.
    pub poll_failures: AtomicU64,
    /// Turns of the loop.
    pub heartbeat: AtomicU64,
    /// Raised when trading was halted: nothing but cancels leaves any more.
    pub halted: AtomicBool,
    /// Gateways that take no orders: no session yet, or none any more.
    pub sessions_down: AtomicU64,
    /// Open orders of earlier runs that were found at the start.
    pub leftover_orders: AtomicU64,
    /// Orders open or unknown, as the gateways believe.
    pub open_orders: AtomicU64,
    /// Connections that opened.
    pub opened: AtomicU64,
    /// Connections that ended.
    pub closed: AtomicU64,
    /// Steps of the wall clock that were noticed.
    pub clock_steps: AtomicU64,
    /// Messages handed to the kernel.
    pub sent: AtomicU64,
    /// Socket readable to order bytes handed to the kernel.
    pub wire_to_wire: LatencyBuckets,
    /// An operator's word that something is to be cancelled, to the bytes of its first cancel handed to the kernel.
    pub kill_to_wire: LatencyBuckets,
}

impl GatewayShared {
    /// Everything is to be cancelled, and the loop to end.
    pub fn begin_drain(&self) {
        self.note_word();
        self.drain.store(true, Ordering::Release);
    }

    /// All of these instruments is to be cancelled, and nothing of them placed.
    pub fn stop_instruments(&self, instruments: &[InstrumentId]) {
        self.note_word();
        self.stopped.add(instruments);
    }

    /// Orders of these instruments may be taken again.
    pub fn allow_instruments(&self, instruments: &[InstrumentId]) {
        self.stopped.remove(instruments);
    }

    /// Of several words that were not heard yet the first counts.
    fn note_word(&self) {
        if !self.drain.load(Ordering::Relaxed) {
            let _ = self.word_tsc.compare_exchange(0, cycles(), Ordering::Release, Ordering::Relaxed);
        }
    }
}

/// What is said of a connection that ended: of which venue, which one, and why.
pub type ConnectionEnded = fn(VenueId, OrderConnection, &ConnectionError);
