//! HOT: why a side of an instrument is not quoted: one reason at a time, and for how long each held.
//!
//! Nothing of it is computed for a frame: a denial notes itself where it is refused, the rest is looked up when
//! telemetry is written.

use crate::types::{Nanos, Side};

/// Why a side is not quoted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Unquoted {
    /// It is quoted, or an order is on its way or between two.
    #[default]
    No = 0,
    /// The run ends.
    Shutdown = 1,
    /// The venue's gateway is not logged on.
    NotReady = 2,
    /// The trading state forbids it; its cause says why.
    TradingState = 3,
    /// The book waits for its first snapshot, or for the first message behind it.
    BookWaiting = 4,
    /// The book was lost and is fetched anew.
    BookLost = 5,
    /// The book is older than `book_age_max`.
    BookStale = 6,
    /// The book has only one side, or is locked or crossed.
    BookOneSided = 7,
    /// The strategy wants no quote.
    Unwanted = 8,
    /// The position has no room for an order.
    PositionMax = 9,
    /// The order would be below the venue's smallest quantity, or beyond its largest.
    Quantity = 10,
    /// The order would be below the venue's smallest notional.
    NotionalMin = 11,
    /// The price would be no legal one.
    Price = 12,
    /// The price lies beyond the price collar: spread, edge or fees put it there.
    Edge = 13,
    /// The order would be above the largest quantity.
    QuantityMax = 14,
    /// The order would be above the largest notional.
    NotionalMax = 15,
    /// As many orders are open as may be.
    OpenOrdersMax = 16,
    /// The venue's windows or the message limit are used up.
    Budget = 17,
    /// The venue asked to wait.
    Paused = 18,
    /// It would take where it must make.
    PostOnlyCross = 19,
    /// It would meet an order of our own.
    SelfCross = 20,
    /// The trading state is reduce-only, and it would not reduce.
    ReduceOnly = 21,
    /// An order was refused or ended: the next one waits a moment.
    Waiting = 22,
    /// An order of unknown outcome holds its place.
    OrderUnknown = 23,
    /// The feed is behind the venue's own time by more than its limit.
    FeedBehind = 24,
    /// The venue sent more levels than a book may have.
    BookOverfull = 25,
    /// An operator paused trading.
    OperatorPause = 26,
    /// The second reference of the price collar is missing or too old.
    ReferenceMissing = 27,
    /// The price, or the book itself, is too far from the second reference of the price collar.
    ReferenceFar = 28,
    /// The exposure of the quote asset over all instruments has no room for an order, or is not known.
    ExposureGross = 29,
    /// The net exposure of the base asset over all markets has no room for an order.
    ExposureNet = 30,
    /// The venue answers orders too slowly: they wait until it may be better.
    VenueSlow = 31,
    /// Our own orders take too long to the gateway: they wait until that may be better.
    OrdersSlow = 32,
}

/// How many reasons there are, quoted included.
pub const UNQUOTED_REASONS: usize = 33;

impl Unquoted {
    /// All of them, by their numbers.
    pub const ALL: [Unquoted; UNQUOTED_REASONS] = [
        Unquoted::No,
        Unquoted::Shutdown,
        Unquoted::NotReady,
        Unquoted::TradingState,
        Unquoted::BookWaiting,
        Unquoted::BookLost,
        Unquoted::BookStale,
        Unquoted::BookOneSided,
        Unquoted::Unwanted,
        Unquoted::PositionMax,
        Unquoted::Quantity,
        Unquoted::NotionalMin,
        Unquoted::Price,
        Unquoted::Edge,
        Unquoted::QuantityMax,
        Unquoted::NotionalMax,
        Unquoted::OpenOrdersMax,
        Unquoted::Budget,
        Unquoted::Paused,
        Unquoted::PostOnlyCross,
        Unquoted::SelfCross,
        Unquoted::ReduceOnly,
        Unquoted::Waiting,
        Unquoted::OrderUnknown,
        Unquoted::FeedBehind,
        Unquoted::BookOverfull,
        Unquoted::OperatorPause,
        Unquoted::ReferenceMissing,
        Unquoted::ReferenceFar,
        Unquoted::ExposureGross,
        Unquoted::ExposureNet,
        Unquoted::VenueSlow,
        Unquoted::OrdersSlow,
    ];

    /// Its name in reports: lower case with underscores.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Unquoted::No => "quoted",
            Unquoted::Shutdown => "shutdown",
            Unquoted::NotReady => "gateway_not_ready",
            Unquoted::TradingState => "trading_state",
            Unquoted::BookWaiting => "book_waiting",
            Unquoted::BookLost => "book_lost",
            Unquoted::BookStale => "book_stale",
            Unquoted::BookOneSided => "book_one_sided",
            Unquoted::Unwanted => "unwanted",
            Unquoted::PositionMax => "position_max",
            Unquoted::Quantity => "quantity",
            Unquoted::NotionalMin => "notional_min",
            Unquoted::Price => "price",
            Unquoted::Edge => "edge",
            Unquoted::QuantityMax => "order_quantity_max",
            Unquoted::NotionalMax => "order_notional_max",
            Unquoted::OpenOrdersMax => "open_orders_max",
            Unquoted::Budget => "budget",
            Unquoted::Paused => "paused",
            Unquoted::PostOnlyCross => "post_only_cross",
            Unquoted::SelfCross => "self_cross",
            Unquoted::ReduceOnly => "reduce_only",
            Unquoted::Waiting => "waiting",
            Unquoted::OrderUnknown => "order_unknown",
            Unquoted::FeedBehind => "feed_behind",
            Unquoted::BookOverfull => "book_overfull",
            Unquoted::OperatorPause => "operator_pause",
            Unquoted::ReferenceMissing => "reference_missing",
            Unquoted::ReferenceFar => "reference_far",
            Unquoted::ExposureGross => "exposure_gross",
            Unquoted::ExposureNet => "exposure_net",
            Unquoted::VenueSlow => "venue_slow",
            Unquoted::OrdersSlow => "orders_slow",
        }
    }

    /// What it means, for people.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Unquoted::No => "it is quoted",
            Unquoted::Shutdown => "the run ends",
            Unquoted::NotReady => "the order gateway is not logged on",
            Unquoted::TradingState => "trading is stopped",
            Unquoted::BookWaiting => "the book waits for its first snapshot or message",
            Unquoted::BookLost => "the book was lost and is fetched anew",
            Unquoted::BookStale => "the book is older than risk.book_age_max_ms",
            Unquoted::BookOneSided => "the book has one side only, or is locked or crossed",
            Unquoted::Unwanted => "the strategy wants no quote",
            Unquoted::PositionMax => "the position leaves no room: risk.position_max_base",
            Unquoted::Quantity => "the quantity is none that the venue takes",
            Unquoted::NotionalMin => "the order is below the venue's smallest notional",
            Unquoted::Price => "the price is none that the venue takes",
            Unquoted::Edge => "spread, edge_min_bps or fees put the price beyond risk.price_collar_bps",
            Unquoted::QuantityMax => "the order is above risk.order_quantity_max_base",
            Unquoted::NotionalMax => "the order is above risk.order_notional_max_quote",
            Unquoted::OpenOrdersMax => "as many orders are open as risk.open_orders_max",
            Unquoted::Budget => "the venue's windows or risk.messages_max_per_second are used up",
            Unquoted::Paused => "the venue asked to wait",
            Unquoted::PostOnlyCross => "the price would take",
            Unquoted::SelfCross => "it would meet an order of our own",
            Unquoted::ReduceOnly => "trading is reduce-only",
            Unquoted::Waiting => "an order ended or was refused, the next one waits a moment",
            Unquoted::OrderUnknown => "an order of unknown outcome holds its place",
            Unquoted::FeedBehind => "the feed is behind the venue's own time by more than market.feed_lag_max_ms",
            Unquoted::BookOverfull => "the book has more levels than market.book_levels_max",
            Unquoted::OperatorPause => "an operator paused trading",
            Unquoted::ReferenceMissing => "the second reference (market.reference) is missing or too old",
            Unquoted::ReferenceFar => "the second reference (market.reference) is farther than risk.price_collar_bps",
            Unquoted::ExposureGross => "all symbols together leave no room: risk.exposure_gross_max_quote",
            Unquoted::ExposureNet => "the asset over all markets leaves no room: risk.exposure_net_max_base",
            Unquoted::VenueSlow => "the venue answers orders later than risk.ack_latency_max_ms",
            Unquoted::OrdersSlow => "our own orders are slower than risk.order_latency_p99_max_us",
        }
    }
}

/// Why the sides of one instrument were not quoted, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct UnquotedTimes {
    /// The reasons at the last look, by side.
    now: [Unquoted; 2],
    /// When that was; zero before the first.
    looked: Nanos,
    /// How long each reason held, by side.
    times: [[Nanos; UNQUOTED_REASONS]; 2],
    /// The last denial, by side.
    denied: [Option<(Unquoted, Nanos)>; 2],
}

impl Default for UnquotedTimes {
    fn default() -> UnquotedTimes {
        UnquotedTimes {
            now: [Unquoted::No; 2],
            looked: Nanos::ZERO,
            times: [[Nanos::ZERO; UNQUOTED_REASONS]; 2],
            denied: [None; 2],
        }
    }
}

impl UnquotedTimes {
    /// A denial is repeated while it holds, some times a second: one older than this is over.
    const DENIAL_AGE_MAX: Nanos = Nanos::from_seconds(1);

    /// Notes that the risk chain denied an order.
    pub(crate) fn on_denied(&mut self, side: Side, denied: Unquoted, now: Nanos) {
        self.denied[side as usize] = Some((denied, now));
    }

    /// Why the risk chain denies orders of a side now, if it does.
    pub(crate) fn denial(&self, side: Side, now: Nanos) -> Option<Unquoted> {
        let (denied, at) = self.denied[side as usize]?;
        (now - at <= Self::DENIAL_AGE_MAX).then_some(denied)
    }

    /// Takes the reasons of this moment, which have held since the last look.
    pub(crate) fn look(&mut self, reasons: [Unquoted; 2], now: Nanos) {
        if self.looked != Nanos::ZERO {
            for (times, reason) in self.times.iter_mut().zip(reasons) {
                let time = &mut times[reason as usize];
                *time = *time + (now - self.looked);
            }
        }
        self.looked = now;
        self.now = reasons;
    }

    /// Why a side was not quoted at the last look.
    #[must_use]
    pub fn now(&self, side: Side) -> Unquoted {
        self.now[side as usize]
    }

    /// For how long a reason held on a side, by looks some times a second.
    #[must_use]
    pub fn time(&self, side: Side, reason: Unquoted) -> Nanos {
        self.times[side as usize][reason as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_number_name_and_sentence() {
        for (number, reason) in Unquoted::ALL.iter().enumerate() {
            assert_eq!(*reason as usize, number);
            let same = |other: &&Unquoted| other.name() == reason.name() || other.sentence() == reason.sentence();
            assert_eq!(Unquoted::ALL.iter().filter(same).count(), 1, "{reason:?}");
        }
    }

    #[test]
    fn a_reason_holds_from_look_to_look_and_a_denial_for_a_second() {
        let mut times = UnquotedTimes::default();
        let at = |millis| Nanos::from_millis(millis);
        times.look([Unquoted::BookWaiting; 2], at(1_000));
        times.look([Unquoted::No, Unquoted::Edge], at(1_200));
        times.look([Unquoted::No, Unquoted::Edge], at(1_700));
        assert_eq!((times.now(Side::Bid), times.now(Side::Ask)), (Unquoted::No, Unquoted::Edge));
        assert_eq!((times.time(Side::Ask, Unquoted::Edge), times.time(Side::Bid, Unquoted::Edge)), (at(700), at(0)));
        assert_eq!(times.time(Side::Bid, Unquoted::BookWaiting), at(0), "nothing is known of before the first look");
        times.on_denied(Side::Ask, Unquoted::Edge, at(2_000));
        assert_eq!(times.denial(Side::Ask, at(3_000)), Some(Unquoted::Edge));
        assert_eq!((times.denial(Side::Ask, at(3_001)), times.denial(Side::Bid, at(2_000))), (None, None));
    }
}
