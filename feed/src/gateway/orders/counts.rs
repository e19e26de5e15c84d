//! COLD: orders by their final state: each counts once when it is sent and once when its end is proved.

use super::{FinalStatus, OrderTable, Phase};

/// Orders that were sent or taken over, by what is proved of them. Each is in exactly one of `filled_fully`, `canceled`, `expired`,
/// `rejected`, `unknown` and `open`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrderCounts {
    /// Handed to the connection (in shadow mode: built and not sent).
    pub sent: u64,
    /// Of earlier runs, found open at the start to be taken over, and not sent by this one.
    pub adopted: u64,
    /// Got at least one fill, however they ended.
    pub filled: u64,
    /// Filled whole.
    pub filled_fully: u64,
    /// Ended by a cancel, partly filled or not.
    pub canceled: u64,
    /// Ended by the venue itself, partly filled or not.
    pub expired: u64,
    /// Refused by the venue.
    pub rejected: u64,
    /// The venue has not told what became of them.
    pub unknown: u64,
    /// Times that an order got another price or quantity: it stays the same order, and is counted as one.
    pub amended: u64,
    /// Neither over nor unknown: on their way, on the book, or over but for executions that are still awaited.
    pub open: u64,
}

impl OrderCounts {
    /// The sum over the states, each order being in one: equal to what was sent and what was found.
    #[must_use]
    pub const fn in_all_states(&self) -> u64 {
        self.filled_fully + self.canceled + self.expired + self.rejected + self.unknown + self.open
    }
}

impl core::ops::Add for OrderCounts {
    type Output = OrderCounts;

    /// Of two tables together.
    fn add(self, other: OrderCounts) -> OrderCounts {
        OrderCounts {
            sent: self.sent + other.sent,
            adopted: self.adopted + other.adopted,
            filled: self.filled + other.filled,
            filled_fully: self.filled_fully + other.filled_fully,
            canceled: self.canceled + other.canceled,
            expired: self.expired + other.expired,
            rejected: self.rejected + other.rejected,
            unknown: self.unknown + other.unknown,
            amended: self.amended + other.amended,
            open: self.open + other.open,
        }
    }
}

/// What is counted for good: starts and proved ends.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Proved {
    pub(super) sent: u64,
    pub(super) adopted: u64,
    pub(super) filled: u64,
    pub(super) filled_fully: u64,
    pub(super) canceled: u64,
    pub(super) expired: u64,
    pub(super) rejected: u64,
    pub(super) amended: u64,
}

impl Proved {
    /// An order is over: the only place that counts ends.
    pub(super) fn ended(&mut self, phase: Phase) {
        let counter = match phase {
            Phase::Done(FinalStatus::Filled) => &mut self.filled_fully,
            Phase::Done(FinalStatus::Canceled) => &mut self.canceled,
            Phase::Done(FinalStatus::Expired) => &mut self.expired,
            Phase::Done(FinalStatus::Rejected) => &mut self.rejected,
            // Only orders that are over are retired; `check` sees one that is not.
            Phase::Sent | Phase::Working | Phase::Unknown | Phase::Closing(_) => return,
        };
        *counter += 1;
    }

    /// An order that was counted as refused is none of the ends any more.
    pub(super) fn reopened(&mut self) {
        self.rejected -= 1;
    }

    pub(super) const fn over(&self) -> u64 {
        self.filled_fully + self.canceled + self.expired + self.rejected
    }
}

impl OrderTable {
    /// Every order that was sent, by its state.
    #[must_use]
    pub fn counts(&self) -> OrderCounts {
        let unknown = self.active().filter(|order| order.phase == Phase::Unknown).count();
        let Proved { sent, adopted, filled, filled_fully, canceled, expired, rejected, amended } = self.proved;
        OrderCounts {
            sent,
            adopted,
            filled,
            filled_fully,
            canceled,
            expired,
            rejected,
            unknown: unknown as u64,
            amended,
            open: (self.active_count() - unknown) as u64,
        }
    }
}
