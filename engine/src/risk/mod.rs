//! HOT: every pre-trade control of the engine, the last gate before the ring.
//!
//! Each check is a pure function of what the engine holds; it fails closed: without a reference, or with an
//! old one, the answer is a denial.
//!
//! All controls of the program, by the numbers that settings, denials and messages name them with:
//!
//! | control | what it forbids | where |
//! |---|---|---|
//! | R-1 | an order larger than the largest quantity or notional | [`RiskSettings::check`]; again, on its own figures, in the gateway |
//! | R-2 | a price too far from our own mid, or from a second reference | [`RiskSettings::check`]; [`ReferencePrice::check`] where one is set; again in the gateway, against the mid that travels with the order |
//! | R-3 | more exposure than the largest if all open, unknown and owed orders fill | [`RiskSettings::check`], by instrument; again in the gateway, on its own count of fills; [`Exposures`], gross by quote asset and net by base asset over all markets |
//! | R-4 | more open orders than the most | [`RiskSettings::check`]; again in the gateway |
//! | R-5 | more messages than the venue's windows, with a share that only cancels may use | [`crate::quoter::Budget`], asked by [`RiskSettings::check`]; again in the gateway |
//! | R-6 | the same order twice within a moment | [`RiskSettings::check`], while the first may be open; the quoter holds one order a slot |
//! | R-7 | an order that would meet our own | [`RiskSettings::check`]; the gateway also asks the venue for its self-trade prevention |
//! | R-8 | repeated fills without a change of the position's sign | [`crate::quoter::Quoter::on_order_filled`]: the instrument stops until re-armed |
//! | R-9 | more loss in a day, an hour or from the best than the limit | [`LossStop`], by asset group, carried over restarts of the day; falls within an hour and from the best of the run: [`FallStop`]; a trade beyond its order's price: [`crate::engine::Engine::set_slippage_max`] |
//! | R-10 | quoting on while the venue refuses or the book is old | rejects: [`crate::quoter::Quoter::on_ended`]; refused cancels: [`crate::quoter::Quoter::on_cancel_rejected`]; undecided orders of the venue and age of the book: [`RiskSettings::check`]; slow answers: [`crate::engine::Engine::set_ack_latency_max`]; our own latency, the 99th percentile of a window: the gateway, which tells the engine |
//! | R-11 | anything the trading state forbids | [`TradingState`]: engine, asset group, instrument, each with its [`StopCause`]; re-arming takes a reason (the program's verb); by strategy, and a token: not built |
//! | R-12 | everything, on a human's word | the program: signals, the kill file and its command; by HTTP and dead-man's switch: not built |
//! | R-13 | a program that hangs with open orders | not built |
//! | R-14 | an amendment that skips these checks | [`RiskSettings::check`] and [`RiskSettings::check_worst`]; again in the gateway |
//! | R-15 | orders on the account that we did not send | the gateway halts on them; the engine becomes cancel-only on their events |

mod exposure;
mod falls;
mod loss;
mod reference;
mod state;

pub use exposure::{ExposureMember, Exposures, WorstCase};
pub use falls::FallStop;
pub use loss::{DayResult, LossStop};
pub use reference::{Reference, ReferencePrice, ReferenceSource};
pub use state::{StopCause, TradingState};

use crate::counters::Counter;
use crate::intent::TimeInForce;
use crate::market::Best;
use crate::types::{InstrumentSettings, Level, Lots, Nanos, QuoteAtoms, Side, Tick};
use crate::unquoted::Unquoted;
use crate::working::Working;

/// Limits of one instrument. All mandatory: there is no default, because no limit means no trading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RiskSettings {
    /// largest quantity of an order; above zero.
    pub order_lots_max: Lots,
    /// largest price times quantity of an order; above zero.
    pub order_notional_max: QuoteAtoms,
    /// farthest an order's price may lie from our mid, in millionths of the mid; above zero.
    pub price_collar_millionths: i64,
    /// largest exposure to either side if every open, unknown and owed order fills; above zero.
    pub position_lots_max: Lots,
    /// most orders that may be open at once.
    pub open_orders_max: u32,
    /// oldest book that may be quoted on: time since its last depth message; above zero.
    pub book_age_max: Nanos,
}

/// Why an order was denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Denied {
    /// The trading state, a pause, or the gateway forbids new orders.
    TradingState = 0,
    /// REDUCE_ONLY, and the order would not reduce.
    ReduceOnly = 1,
    /// The book is not Live, or crossed.
    BookNotLive = 2,
    /// No mid: one side is empty.
    ReferenceMissing = 3,
    /// The book is older than `book_age_max`.
    BookOld = 4,
    /// Price not positive, or off the venue's step.
    Price = 5,
    /// Quantity not positive, off the step, or outside the venue's range.
    Quantity = 6,
    /// the quantity is above `order_lots_max`.
    QuantityMax = 7,
    /// Notional below the venue's smallest.
    NotionalMin = 8,
    /// the notional is above `order_notional_max`, or no integer holds it.
    NotionalMax = 9,
    /// the price lies farther from our mid than `price_collar_millionths`.
    Collar = 10,
    /// A post-only order at or through the opposite best.
    PostOnlyCross = 11,
    /// the worst case of the exposure is above `position_lots_max`.
    PositionMax = 12,
    /// `open_orders_max` orders are open already.
    OpenOrdersMax = 13,
    /// the venue's order windows or the message throttle are used up.
    Throttle = 14,
    /// it would meet an order of our own.
    SelfCross = 15,
    /// too many orders at the venue are undecided.
    UnknownOrders = 16,
    /// an equal order is open and left a moment ago.
    Duplicate = 17,
    /// the second reference is wanted, and missing or too old.
    SecondReference = 18,
    /// the price lies farther from the second reference than `price_collar_millionths`.
    SecondCollar = 19,
    /// the worst case of all instruments of the quote asset would be above its limit, or is not known.
    ExposureGross = 20,
    /// the worst case of the base asset over all markets would be above its limit.
    ExposureNet = 21,
}

impl Denied {
    /// The counter of this reason.
    #[must_use]
    pub const fn counter(self) -> Counter {
        match self {
            Denied::TradingState => Counter::DeniedTradingState,
            Denied::ReduceOnly => Counter::DeniedReduceOnly,
            Denied::BookNotLive => Counter::DeniedBookNotLive,
            Denied::ReferenceMissing => Counter::DeniedReferenceMissing,
            Denied::BookOld => Counter::DeniedBookOld,
            Denied::Price => Counter::DeniedPrice,
            Denied::Quantity => Counter::DeniedQuantity,
            Denied::QuantityMax => Counter::DeniedQuantityMax,
            Denied::NotionalMin => Counter::DeniedNotionalMin,
            Denied::NotionalMax => Counter::DeniedNotionalMax,
            Denied::Collar => Counter::DeniedCollar,
            Denied::PostOnlyCross => Counter::DeniedPostOnlyCross,
            Denied::PositionMax => Counter::DeniedPositionMax,
            Denied::OpenOrdersMax => Counter::DeniedOpenOrdersMax,
            Denied::Throttle => Counter::DeniedThrottle,
            Denied::SelfCross => Counter::DeniedSelfCross,
            Denied::UnknownOrders => Counter::DeniedUnknownOrders,
            Denied::Duplicate => Counter::DeniedDuplicate,
            Denied::SecondReference => Counter::DeniedSecondReference,
            Denied::SecondCollar => Counter::DeniedSecondCollar,
            Denied::ExposureGross => Counter::DeniedExposureGross,
            Denied::ExposureNet => Counter::DeniedExposureNet,
        }
    }
}

impl From<Denied> for Unquoted {
    fn from(denied: Denied) -> Unquoted {
        match denied {
            Denied::TradingState => Unquoted::TradingState,
            Denied::ReduceOnly => Unquoted::ReduceOnly,
            Denied::BookNotLive => Unquoted::BookLost,
            Denied::ReferenceMissing => Unquoted::BookOneSided,
            Denied::BookOld => Unquoted::BookStale,
            Denied::Price => Unquoted::Price,
            Denied::Quantity => Unquoted::Quantity,
            Denied::QuantityMax => Unquoted::QuantityMax,
            Denied::NotionalMin => Unquoted::NotionalMin,
            Denied::NotionalMax => Unquoted::NotionalMax,
            Denied::Collar => Unquoted::Edge,
            Denied::PostOnlyCross => Unquoted::PostOnlyCross,
            Denied::PositionMax => Unquoted::PositionMax,
            Denied::OpenOrdersMax => Unquoted::OpenOrdersMax,
            Denied::Throttle => Unquoted::Budget,
            Denied::SelfCross => Unquoted::SelfCross,
            Denied::UnknownOrders => Unquoted::OrderUnknown,
            Denied::Duplicate => Unquoted::Waiting,
            Denied::SecondReference => Unquoted::ReferenceMissing,
            Denied::SecondCollar => Unquoted::ReferenceFar,
            Denied::ExposureGross => Unquoted::ExposureGross,
            Denied::ExposureNet => Unquoted::ExposureNet,
        }
    }
}

/// An order about to be handed to the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Buy or sell.
    pub side: Side,
    /// Limit price in ticks.
    pub tick: Tick,
    /// Quantity in lots.
    pub lots: Lots,
    /// How long it may live.
    pub time_in_force: TimeInForce,
}

/// What the checks are held against.
#[derive(Clone, Copy, Debug)]
pub struct RiskView<'a> {
    /// Steps, minimums and worth of a tick times a lot.
    pub instrument: &'a InstrumentSettings,
    /// Our orders in the instrument.
    pub working: &'a Working,
    /// Inventory beyond the neutral one, in lots, signed.
    pub exposure: Lots,
    /// The tightest trading state that applies.
    pub state: TradingState,
    /// Whether the venue's gateway is ready and no pause or shutdown runs.
    pub open_for_orders: bool,
    /// Whether the book is Live and not crossed.
    pub book_live: bool,
    /// Best bid and ask, of the book and of the venue's own message where that is newer; none if a side is empty.
    pub best: Option<Best>,
    /// How long ago the book last changed.
    pub book_age: Nanos,
    /// How many new orders the venue's budget admits now.
    pub place_room: u32,
    /// Whether too many orders at the venue are undecided.
    pub too_many_unknown: bool,
    /// An equal order that was handed to the ring after this is a duplicate.
    pub duplicate_after: Nanos,
}

impl RiskSettings {
    /// Whether the order may leave.
    ///
    /// # Errors
    /// The first control that denies it.
    pub fn check(&self, draft: &Draft, view: &RiskView<'_>) -> Result<(), Denied> {
        self.check_state(draft, view)?;
        self.check_reference(draft, view)?;
        self.check_size(draft, view)?;
        self.check_exposure(draft, view)?;
        if view.place_room == 0 {
            return Err(Denied::Throttle);
        }
        Ok(())
    }

    fn check_state(&self, draft: &Draft, view: &RiskView<'_>) -> Result<(), Denied> {
        if !view.state.may_place() || !view.open_for_orders {
            return Err(Denied::TradingState);
        }
        if view.too_many_unknown {
            return Err(Denied::UnknownOrders);
        }
        if view.state == TradingState::ReduceOnly {
            // What is open on this side already reduces; only the rest of the position is left to reduce.
            let position = i128::from(view.exposure.0) * -i128::from(draft.side.sign());
            let open = i128::from(view.working.lots_worst(draft.side).0);
            if open + i128::from(draft.lots.0) > position {
                return Err(Denied::ReduceOnly);
            }
        }
        Ok(())
    }

    /// Book state, age, collar and post-only.
    fn check_reference(&self, draft: &Draft, view: &RiskView<'_>) -> Result<(), Denied> {
        if !view.book_live {
            return Err(Denied::BookNotLive);
        }
        if view.book_age > self.book_age_max {
            return Err(Denied::BookOld);
        }
        let Some(best) = view.best else {
            return Err(Denied::ReferenceMissing);
        };
        if best.bid >= best.ask || best.bid_book >= best.ask_book || best.bid_book.0 <= 0 {
            return Err(Denied::BookNotLive);
        }
        if draft.tick.0 <= 0 || draft.tick.0 % view.instrument.tick_order_step.0 != 0 {
            return Err(Denied::Price);
        }
        // The book is judged update by update; the venue's own best bid/ask is one message's word.
        let mid_doubled = best.book_mid_doubled();
        let distance_doubled = (2 * i128::from(draft.tick.0) - mid_doubled).abs();
        if distance_doubled * 1_000_000 > mid_doubled * i128::from(self.price_collar_millionths) {
            return Err(Denied::Collar);
        }
        let crosses = match draft.side {
            Side::Bid => draft.tick >= best.ask_outer(),
            Side::Ask => draft.tick <= best.bid_outer(),
        };
        if crosses && draft.time_in_force == TimeInForce::PostOnly {
            return Err(Denied::PostOnlyCross);
        }
        Ok(())
    }

    /// The venue's steps and minimums, and R-1.
    fn check_size(&self, draft: &Draft, view: &RiskView<'_>) -> Result<(), Denied> {
        let instrument = view.instrument;
        let lots = draft.lots;
        let on_step = lots.0 % instrument.lots_order_step.0 == 0;
        if lots.0 <= 0 || !on_step || lots < instrument.lots_order_min || lots > instrument.lots_order_max {
            return Err(Denied::Quantity);
        }
        if lots > self.order_lots_max {
            return Err(Denied::QuantityMax);
        }
        let Some(notional) = instrument.notional(draft.tick, lots) else {
            return Err(Denied::NotionalMax);
        };
        if notional < instrument.notional_min {
            return Err(Denied::NotionalMin);
        }
        if notional > self.order_notional_max {
            return Err(Denied::NotionalMax);
        }
        Ok(())
    }

    /// R-3 for an order that becomes another, as it still stands among the rest: `more` may be filled beyond that.
    ///
    /// # Errors
    /// The worst case of the exposure would be above its limit.
    #[cold]
    pub fn check_worst(&self, side: Side, more: Lots, exposure: Lots, working: &Working) -> Result<(), Denied> {
        let exposure = i128::from(exposure.0) * i128::from(side.sign());
        let worst = exposure + i128::from(working.lots_worst(side).0) + i128::from(more.0);
        if worst > i128::from(self.position_lots_max.0) { Err(Denied::PositionMax) } else { Ok(()) }
    }

    ///
    fn check_exposure(&self, draft: &Draft, view: &RiskView<'_>) -> Result<(), Denied> {
        let exposure = i128::from(view.exposure.0) * i128::from(draft.side.sign());
        let worst = exposure + i128::from(view.working.lots_worst(draft.side).0) + i128::from(draft.lots.0);
        if worst > i128::from(self.position_lots_max.0) {
            return Err(Denied::PositionMax);
        }
        if view.working.open_at_once() >= self.open_orders_max as usize {
            return Err(Denied::OpenOrdersMax);
        }
        let meets_own = view.working.tick_best(draft.side.opposite()).is_some_and(|own| match draft.side {
            Side::Bid => draft.tick >= own,
            Side::Ask => draft.tick <= own,
        });
        if meets_own {
            return Err(Denied::SelfCross);
        }
        if view.working.has_equal_since(draft.side, Level { tick: draft.tick, lots: draft.lots }, view.duplicate_after)
        {
            return Err(Denied::Duplicate);
        }
        Ok(())
    }
}
