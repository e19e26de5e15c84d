//! HOT: asset groups: the instruments of one quote asset, whose results add up and share one loss limit.

use crate::risk::{LossStop, StopCause};
use crate::types::QuoteAtoms;

/// What trading earned in one quote asset, against its limit. Amounts of different assets are never added.
#[derive(Clone, Copy, Debug)]
pub struct AssetGroup {
    pub(super) loss: LossStop,
    /// Twice what trading earned on the group's instruments, in atoms of its quote asset: what the stop judges.
    pub(super) trading_pnl_doubled: i128,
    /// The loss limit was reached, and no operator has loosened the engine's state or re-armed since.
    pub(super) stopped: bool,
    /// Which limit that was.
    pub(super) cause: StopCause,
}

impl AssetGroup {
    /// A group without a result that stops at a loss of `loss_max_per_day` or more since midnight UTC.
    #[must_use]
    pub const fn new(loss_max_per_day: QuoteAtoms) -> AssetGroup {
        AssetGroup {
            loss: LossStop::new(loss_max_per_day),
            trading_pnl_doubled: 0,
            stopped: false,
            cause: StopCause::None,
        }
    }
}
