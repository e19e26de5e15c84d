//! HOT: what the engine keeps of each venue: whether its gateway is ready and answers soon, how long it pauses, and its
//! budget.

use crate::quoter::{Budget, BudgetSettings};
use crate::rate::{SlidingWindow, WindowSettings};
use crate::risk::StopCause;
use crate::types::{Nanos, VenueId};
use crate::unquoted::Unquoted;

/// So many slow answers within the span make a venue slow.
const SLOW_ACKS: WindowSettings = WindowSettings { count_max: 3, span: Nanos::from_seconds(10) };
/// How long nothing is quoted at a slow venue: then it is tried again.
pub(super) const SLOW_PAUSE: Nanos = Nanos::from_seconds(10);

/// What was too slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SlowCause {
    /// The venue's answers.
    AckLatency,
    /// Our own way from a decision to the gateway.
    OrderLatency,
}

impl SlowCause {
    pub(super) const fn stop(self) -> StopCause {
        match self {
            SlowCause::AckLatency => StopCause::AckLatency,
            SlowCause::OrderLatency => StopCause::OrderLatency,
        }
    }

    pub(super) const fn unquoted(self) -> Unquoted {
        match self {
            SlowCause::AckLatency => Unquoted::VenueSlow,
            SlowCause::OrderLatency => Unquoted::OrdersSlow,
        }
    }
}

/// One venue as the engine sees it. Set-up gives each a slot, `0..venue_count`, and each instrument the slot of its
/// venue, so that no turn searches.
#[derive(Clone, Debug)]
pub struct VenueState {
    pub(super) venue: VenueId,
    /// The venue's gateway is logged on and knows what is open.
    pub(super) ready: bool,
    /// It was at some time.
    pub(super) was_ready: bool,
    /// No new orders to the venue before this.
    pub(super) pause_until: Nanos,
    /// Orders of which it is not known whether they live, as of the last fact about each instrument's.
    pub(super) undecided: u32,
    /// The longest that an order may wait for the venue's first word; [`Nanos::NEVER`]: it is not judged.
    pub(super) ack_latency_max: Nanos,
    /// Orders that waited longer.
    pub(super) slow_acks: SlidingWindow,
    /// Nothing is quoted at the venue before this, for it or the way to it was slow; zero: neither is.
    pub(super) slow_until: Nanos,
    /// What was slow the last time.
    pub(super) slow_cause: SlowCause,
    /// What the venue lets the account send.
    pub(super) budget: Budget,
}

impl VenueState {
    /// A venue whose gateway is not ready yet, with a full budget.
    #[must_use]
    pub fn new(settings: &BudgetSettings) -> VenueState {
        VenueState {
            venue: settings.venue,
            ready: false,
            was_ready: false,
            pause_until: Nanos::ZERO,
            undecided: 0,
            ack_latency_max: Nanos::NEVER,
            slow_acks: SlidingWindow::new(SLOW_ACKS),
            slow_until: Nanos::ZERO,
            slow_cause: SlowCause::AckLatency,
            budget: Budget::new(settings),
        }
    }
}
