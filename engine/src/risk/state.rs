//! HOT: the trading state: what may be sent at all. Only tightening is automatic.
//!
//! The tightest of the states that apply to an instrument holds. Whether its venue's gateway is ready, or paused, is
//! asked besides: it concerns that venue alone and ends by itself.
//!
//! | what happens | whose state | becomes | ended by |
//! |---|---|---|---|
//! | too many rejects in a window | the instrument's | cancel-only | an operator's word for it, or a re-arm |
//! | daily loss limit of a quote asset | every instrument's of that asset group | cancel-only | a re-arm, or an operator who loosens the engine's state; a limit still reached stops again with the next price |
//! | the same in the last group | the engine's as well | cancel-only | as above |
//! | full order ring, overfill, contradiction, foreign order, unknown instrument or venue | the engine's | cancel-only | an operator's word, or a re-arm |
//! | halt from a gateway, numbers that do not fit | the engine's | halted | a re-arm only |

/// What may be sent. The later, the tighter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum TradingState {
    /// Orders of both sides.
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
