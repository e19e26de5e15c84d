//! HOT: the trading state: what may be sent at all. Only tightening is automatic.

/// What may be sent. The later, the tighter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum TradingState {
    /// Everything.
    #[default]
    Active = 0,
    /// Only orders that bring the position nearer to flat.
    ReduceOnly = 1,
    /// No new orders; working ones are cancelled.
    CancelOnly = 2,
    /// As cancel-only, and only an explicit re-arm ends it.
    Halted = 3,
}

impl TradingState {
    /// The tighter of the two.
    #[inline]
    #[must_use]
    pub fn tightened(self, other: TradingState) -> TradingState {
        self.max(other)
    }

    /// Whether new orders may leave at all.
    #[inline]
    #[must_use]
    pub const fn may_place(self) -> bool {
        matches!(self, TradingState::Active | TradingState::ReduceOnly)
    }

    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            TradingState::Active => "active",
            TradingState::ReduceOnly => "reduce-only",
            TradingState::CancelOnly => "cancel-only",
            TradingState::Halted => "halted",
        }
    }
}
