//! HOT: what the engine keeps of each venue: whether its gateway is ready, how long it pauses, and its budget.

use crate::quoter::{Budget, BudgetSettings};
use crate::types::{Nanos, VenueId};

/// One venue as the engine sees it. Set-up gives each a slot, `0..venue_count`, and each instrument the slot of its
/// venue, so that no turn searches.
#[derive(Clone, Debug)]
pub struct VenueState {
    pub(super) venue: VenueId,
    /// The venue's gateway is logged on and knows what is open.
    pub(super) ready: bool,
    /// No new orders to the venue before this.
    pub(super) pause_until: Nanos,
    /// Orders of which it is not known whether they live, as of the last fact about each instrument's.
    pub(super) undecided: u32,
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
            pause_until: Nanos::ZERO,
            undecided: 0,
            budget: Budget::new(settings),
        }
    }
}
