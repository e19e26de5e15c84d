//! HOT: the trading state: what may be sent at all. Only tightening is automatic.
//!
//! The tightest of the states that apply to an instrument holds. Whether its venue's gateway is ready, or paused, is
//! asked besides: it concerns that venue alone and ends by itself.
//!
//! | what happens | whose state | becomes | ended by |
//! |---|---|---|---|
//! | too many rejects, refused cancels, or fills one way in a window | the instrument's | cancel-only | an operator's word for it, or a re-arm |
//! | loss limit of a quote asset, by day, hour or from the best | every instrument's of that asset group | cancel-only | a re-arm, or an operator who loosens the engine's state; a limit still reached stops again with the next price |
//! | the same in the last group | the engine's as well | cancel-only | as above |
//! | full order ring, overfill, contradiction, foreign order, fee in an asset without a price, unknown instrument or venue | the engine's | cancel-only | an operator's word, or a re-arm |
//! | halt from a gateway, a position that the venue closed itself, an execution beyond its order's price, slowness where it halts, numbers that do not fit | the engine's | halted | a re-arm only |

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

/// Why the trading state is tighter than active.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum StopCause {
    /// It is active.
    #[default]
    None = 0,
    /// the daily loss limit was reached.
    LossPerDay = 1,
    /// Too many rejects in a window.
    RejectStorm = 2,
    /// The order ring was full: the I/O thread takes no orders.
    OrderRingFull = 3,
    /// An order was filled for more than was ordered.
    Overfill = 4,
    /// An event contradicts a proven end of an order.
    Contradiction = 5,
    /// an order that this run never placed.
    ForeignOrder = 6,
    /// An event about an instrument or a venue that set-up does not know.
    UnknownInstrument = 7,
    /// A position or its value does not fit the integers.
    PositionRange = 8,
    /// Every order id of the run was used.
    OrderIdsUsedUp = 9,
    /// The gateway halted trading.
    Gateway = 10,
    /// An operator's word.
    Operator = 11,
    /// A fee in an asset that nobody gave a price: the result is not known any more.
    FeeAsset = 12,
    /// too many orders were filled one way in a window.
    RepeatedFills = 13,
    /// Too many cancels were refused in a window.
    CancelStorm = 14,
    /// the result fell by its limit within an hour.
    LossPerHour = 15,
    /// the result fell by its limit from the best of the run.
    Drawdown = 16,
    /// The venue itself closed a position, or part of one.
    Liquidation = 17,
    /// an execution was worse than its order's price by more than its limit.
    Slippage = 18,
    /// a venue answered too slowly, and that halts.
    AckLatency = 19,
    /// our own orders were too slow, and that halts.
    OrderLatency = 20,
}

impl StopCause {
    /// All of them, by their numbers.
    pub const ALL: [StopCause; 21] = [
        StopCause::None,
        StopCause::LossPerDay,
        StopCause::RejectStorm,
        StopCause::OrderRingFull,
        StopCause::Overfill,
        StopCause::Contradiction,
        StopCause::ForeignOrder,
        StopCause::UnknownInstrument,
        StopCause::PositionRange,
        StopCause::OrderIdsUsedUp,
        StopCause::Gateway,
        StopCause::Operator,
        StopCause::FeeAsset,
        StopCause::RepeatedFills,
        StopCause::CancelStorm,
        StopCause::LossPerHour,
        StopCause::Drawdown,
        StopCause::Liquidation,
        StopCause::Slippage,
        StopCause::AckLatency,
        StopCause::OrderLatency,
    ];

    /// Its name in reports: lower case with underscores; of a limit, the limit's.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            StopCause::None => "none",
            StopCause::LossPerDay => "loss_max_quote_per_day",
            StopCause::RejectStorm => "reject_storm",
            StopCause::OrderRingFull => "order_ring_full",
            StopCause::Overfill => "overfill",
            StopCause::Contradiction => "contradiction",
            StopCause::ForeignOrder => "foreign_order",
            StopCause::UnknownInstrument => "unknown_instrument",
            StopCause::PositionRange => "position_range",
            StopCause::OrderIdsUsedUp => "order_ids_used_up",
            StopCause::Gateway => "gateway",
            StopCause::Operator => "operator",
            StopCause::FeeAsset => "fee_asset",
            StopCause::RepeatedFills => "repeated_fills",
            StopCause::CancelStorm => "cancel_storm",
            StopCause::LossPerHour => "loss_max_quote_per_hour",
            StopCause::Drawdown => "drawdown_max_quote",
            StopCause::Liquidation => "liquidation",
            StopCause::Slippage => "slippage_max_bps",
            StopCause::AckLatency => "ack_latency_max_ms",
            StopCause::OrderLatency => "order_latency_p99_max_us",
        }
    }

    /// What it means, for people.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            StopCause::None => "trading is active",
            StopCause::LossPerDay => "the daily loss limit was reached",
            StopCause::RejectStorm => "the venue refused too many orders in a short time",
            StopCause::OrderRingFull => "the order thread takes no orders",
            StopCause::Overfill => "an order was filled for more than was ordered",
            StopCause::Contradiction => "the venue contradicted the proven end of an order",
            StopCause::ForeignOrder => "an order on the account is not ours",
            StopCause::UnknownInstrument => "an order event is about an instrument that is not traded",
            StopCause::PositionRange => "the position or its value is beyond any real account's",
            StopCause::OrderIdsUsedUp => "every order id of this run was used",
            StopCause::Gateway => "the order gateway halted trading",
            StopCause::Operator => "it was set so, at the start or by an operator",
            StopCause::FeeAsset => "a fee was taken in an asset without a price (market.fee_price_quote)",
            StopCause::RepeatedFills => "too many orders were filled one way in a short time (risk.fills_max)",
            StopCause::CancelStorm => "the venue refused too many cancels in a short time",
            StopCause::LossPerHour => "the result fell by the limit of an hour (risk.loss_max_quote_per_hour)",
            StopCause::Drawdown => "the result fell by the limit from its best (risk.drawdown_max_quote)",
            StopCause::Liquidation => "the venue itself closed a position, by liquidation or deleveraging",
            StopCause::Slippage => "an order was filled at a worse price than its own (risk.slippage_max_bps)",
            StopCause::AckLatency => "the venue answered orders too slowly (risk.ack_latency_max_ms)",
            StopCause::OrderLatency => "our own orders were too slow (risk.order_latency_p99_max_us)",
        }
    }

    /// Whether it stops one instrument alone, and not all of them.
    #[must_use]
    pub const fn is_of_one_instrument(self) -> bool {
        matches!(self, StopCause::RejectStorm | StopCause::RepeatedFills | StopCause::CancelStorm)
    }

    /// Whether one of the engine's own controls stopped trading, and not the gateway or an operator.
    #[must_use]
    pub const fn is_control(self) -> bool {
        !matches!(self, StopCause::None | StopCause::Gateway | StopCause::Operator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_its_own_number_name_and_sentence_and_is_of_one_instrument_or_a_control_as_it_says() {
        let all = StopCause::ALL;
        for (number, cause) in all.iter().enumerate() {
            assert_eq!(*cause as usize, number);
            let same = |other: &&StopCause| other.name() == cause.name() || other.sentence() == cause.sentence();
            assert_eq!(all.iter().filter(same).count(), 1, "{cause:?}");
        }
        let of_one: Vec<_> = all.into_iter().filter(|cause| cause.is_of_one_instrument()).collect();
        assert_eq!(of_one, [StopCause::RejectStorm, StopCause::RepeatedFills, StopCause::CancelStorm]);
        let others: Vec<_> = all.into_iter().filter(|cause| !cause.is_control()).collect();
        assert_eq!(others, [StopCause::None, StopCause::Gateway, StopCause::Operator]);
    }

    #[test]
    fn the_tighter_of_two_states_holds_and_only_the_two_loosest_let_orders_leave() {
        let states = [TradingState::Active, TradingState::ReduceOnly, TradingState::CancelOnly, TradingState::Halted];
        for (place, state) in states.iter().enumerate() {
            assert_eq!(state.may_place(), place < 2, "{state:?}");
            for (other_place, other) in states.iter().enumerate() {
                assert_eq!(state.tightened(*other), states[place.max(other_place)]);
            }
        }
    }
}
