//! HOT: the catalogue of counters: one writer, relaxed atomics, a name and a sentence each.

use core::sync::atomic::{AtomicU64, Ordering};

macro_rules! catalogue {
    ($($variant:ident, $name:literal, $sentence:literal;)*) => {
        /// Everything the engine counts.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(usize)]
        pub enum Counter {
            $(#[doc = $sentence] $variant,)*
        }

        impl Counter {
            /// All of them, in catalogue order.
            pub const ALL: &'static [Counter] = &[$(Counter::$variant,)*];

            /// Its name in reports: lower case with underscores.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Counter::$variant => $name,)* }
            }

            /// What it means, in one sentence.
            #[must_use]
            pub const fn sentence(self) -> &'static str {
                match self { $(Counter::$variant => $sentence,)* }
            }
        }
    };
}

catalogue! {
    MarketEvents, "market_events", "Market events that reached the engine.";
    Levels, "levels", "Price levels carried by those events.";
    Trades, "trades", "Public trades seen.";
    Snapshots, "snapshots", "Snapshots that replaced a book.";
    BooksLost, "books_lost", "Times a Live book stopped being Live.";
    BooksEnlarged, "books_enlarged", "Times a book whose store of outer levels was full made room for a larger one.";
    BooksOverfull, "books_overfull", "Books given up for good: the venue sent more levels than a book may have.";
    BooksStale, "books_stale", "Times a Live book became too old to quote on.";
    FeedsBehind, "feeds_behind", "Times a feed fell behind the venue's own time by more than its limit.";
    ReferencesLost, "references_lost", "Times a second reference of the price collar went missing, old or far from the book: quotes pulled.";
    TouchesForgotten, "touches_forgotten", "Best bid/asks forgotten because their update id was far ahead of the depth.";
    BooksBehindTouch, "books_behind_touch", "Times a book was given up because the depth did not reach the update id of a best bid/ask in time.";
    Resyncs, "resyncs", "Times the engine itself asked for a resync of a book.";
    EventsUnknownInstrument, "events_unknown_instrument", "Events for an instrument that set-up does not know: dropped.";
    EventsUnknownVenue, "events_unknown_venue", "Executions of a venue that set-up does not know, or not for their instrument: dropped, no new orders.";
    Decisions, "decisions", "Times the strategy was asked for its quotes.";
    Quotes, "quotes", "Target quotes that were decided anew or changed.";
    PlacesSent, "places_sent", "Intents handed to the order ring: places, amendments and replacements.";
    AmendsSent, "amends_sent", "Amendments of resting orders handed to the order ring.";
    ReplacesSent, "replaces_sent", "Orders handed to the order ring to take the place of others in one request.";
    OrdersAmended, "orders_amended", "Times the venue gave an order another price or quantity.";
    AmendsRejected, "amends_rejected", "Amendments and replacements that came to nothing: the order stayed as it was.";
    CancelsSent, "cancels_sent", "Cancel intents handed to the cancel ring.";
    OrdersAdopted, "orders_adopted", "Orders of an earlier run that were taken over.";
    OrdersAccepted, "orders_accepted", "Orders the venue accepted.";
    OrdersRejected, "orders_rejected", "Orders the venue refused.";
    OrdersRejectedLocally, "orders_rejected_locally", "Orders the gateway refused without asking the venue.";
    OrdersCanceled, "orders_canceled", "Orders that ended by a cancel.";
    OrdersExpired, "orders_expired", "Orders the venue ended itself (rest of an IOC, post-only cross, expiry).";
    OrdersFilled, "orders_filled", "Orders that got at least one fill.";
    OrdersFilledFully, "orders_filled_fully", "Orders that ended filled whole.";
    OrdersUnknown, "orders_unknown", "Times the outcome of an order became unknown.";
    CancelsRejected, "cancels_rejected", "Cancels the venue refused.";
    RequestsTimedOut, "requests_timed_out", "Requests without an answer in time: their orders became unknown.";
    Fills, "fills", "Executions that moved the position.";
    FillsDuplicate, "fills_duplicate", "Executions that were told before and changed nothing.";
    FillsForeign, "fills_foreign", "Executions of orders that this run never placed; the position moved all the same.";
    FillsLate, "fills_late", "Executions of orders already finished here; the position moved all the same.";
    Overfills, "overfills", "Orders filled beyond their quantity.";
    Contradictions, "contradictions", "Events that contradict a proven end of an order.";
    EventsForeign, "events_foreign", "Order events of orders that this run never placed.";
    TargetsWaiting, "targets_waiting", "Times a target had to wait in its slot: budget used up, or a slot backing off.";
    OrderRingFull, "order_ring_full", "Places refused because the order ring was full: quoting stops.";
    CancelRingFull, "cancel_ring_full", "Cancels that must be tried again because their ring was full.";
    TraceDropped, "trace_dropped", "Trace records dropped because their ring was full.";
    RejectStorms, "reject_storms", "Times too many rejects in a window stopped an instrument.";
    Incomes, "incomes", "Fundings and charges that were booked beside executions.";
    Transfers, "transfers", "Transfers of a base asset to or from an account.";
    Liquidations, "liquidations", "Executions of orders that the venue made itself to close a position: halted.";
    Slippages, "slippages", "Executions that were worse than any price their order had.";
    FeesUnvalued, "fees_unvalued", "Fees in an asset that is neither base nor quote and has no price: no new orders.";
    CancelStorms, "cancel_storms", "Times too many refused cancels in a window stopped an instrument.";
    RepeatedFillStops, "repeated_fill_stops", "Times too many orders filled one way in a window stopped an instrument.";
    LossStops, "loss_stops", "Times a loss limit of an asset, by day, hour or from the best, stopped its instruments.";
    PositionFaults, "position_faults", "Fills or prices that the position's integers cannot hold: trading halts.";
    GatewayReady, "gateway_ready", "Times the gateway became ready.";
    GatewayDown, "gateway_down", "Times the gateway lost a session.";
    AcksSlow, "acks_slow", "Orders and amendments whose first answer from the venue came later than the limit.";
    OrdersSlow, "orders_slow", "Times the 99th percentile of the time from decisions to the gateway was above its limit.";
    VenuesSlow, "venues_slow", "Times a venue, or the way to it, was too slow: what was open there was pulled, or trading halted.";
    Pauses, "pauses", "Times the venue made new orders pause.";
    OperatorPauses, "operator_pauses", "Times an operator paused trading.";
    Halts, "halts", "Times trading was halted.";
    DeniedTradingState, "denied_trading_state", "Orders denied by the trading state.";
    DeniedReduceOnly, "denied_reduce_only", "Orders denied because they would not reduce the position.";
    DeniedBookNotLive, "denied_book_not_live", "Orders denied because the book was not Live.";
    DeniedReferenceMissing, "denied_reference_missing", "Orders denied because there was no mid to hold them against.";
    DeniedBookOld, "denied_book_old", "Orders denied because the book was too old.";
    DeniedPrice, "denied_price", "Orders denied because the price is not a legal one.";
    DeniedQuantity, "denied_quantity", "Orders denied because the quantity is not a legal one.";
    DeniedQuantityMax, "denied_quantity_max", "Orders denied by the largest order quantity.";
    DeniedNotionalMin, "denied_notional_min", "Orders denied by the venue's smallest notional.";
    DeniedNotionalMax, "denied_notional_max", "Orders denied by the largest order notional.";
    DeniedCollar, "denied_collar", "Orders denied by the price collar.";
    DeniedPostOnlyCross, "denied_post_only_cross", "Post-only orders denied because they would take.";
    DeniedPositionMax, "denied_position_max", "Orders denied by the largest position, all open and unknown orders counted.";
    DeniedOpenOrdersMax, "denied_open_orders_max", "Orders denied by the largest number of open orders.";
    DeniedThrottle, "denied_throttle", "Orders denied by the message throttle or the venue's order windows.";
    DeniedSelfCross, "denied_self_cross", "Orders denied because they would meet our own order.";
    DeniedUnknownOrders, "denied_unknown_orders", "Orders denied because too many orders at the venue are undecided.";
    DeniedSecondReference, "denied_second_reference", "Orders denied because the second reference of the price collar was missing or too old.";
    DeniedSecondCollar, "denied_second_collar", "Orders denied by the price collar around its second reference.";
    DeniedExposureGross, "denied_exposure_gross", "Orders denied by the largest exposure of a quote asset over all instruments.";
    DeniedExposureNet, "denied_exposure_net", "Orders denied by the largest net exposure of a base asset over all markets.";
    DeniedDuplicate, "denied_duplicate", "Orders denied because an equal one is open and left a moment ago.";
}

const COUNT: usize = Counter::ALL.len();

/// The counters' memory: written by the engine's thread alone, read by any thread at any time.
#[derive(Debug)]
pub struct Counters {
    values: [AtomicU64; COUNT],
}

impl Default for Counters {
    fn default() -> Counters {
        Counters { values: [const { AtomicU64::new(0) }; COUNT] }
    }
}

impl Counters {
    /// Adds `count`; only the one writer may call it, so a load and a store suffice.
    #[inline]
    pub fn add(&self, counter: Counter, count: u64) {
        let value = &self.values[counter as usize];
        value.store(value.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
    }

    /// Adds one; only the one writer may call it.
    #[inline]
    pub fn increment(&self, counter: Counter) {
        self.add(counter, 1);
    }

    /// The count so far.
    #[inline]
    #[must_use]
    pub fn value(&self, counter: Counter) -> u64 {
        self.values[counter as usize].load(Ordering::Relaxed)
    }

    /// Every counter with its value, in catalogue order.
    pub fn iter(&self) -> impl Iterator<Item = (Counter, u64)> + '_ {
        Counter::ALL.iter().map(|&counter| (counter, self.value(counter)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_has_its_own_name_and_one_sentence() {
        for (index, counter) in Counter::ALL.iter().enumerate() {
            assert_eq!(*counter as usize, index);
            assert!(counter.name().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
            assert!(counter.sentence().ends_with('.'));
            assert!(Counter::ALL[index + 1..].iter().all(|other| other.name() != counter.name()));
        }
    }

    #[test]
    fn counts_add_up_and_do_not_touch_each_other() {
        let counters = Counters::default();
        counters.add(Counter::Levels, 5);
        counters.increment(Counter::Levels);
        assert_eq!(counters.value(Counter::Levels), 6);
        assert_eq!(counters.iter().map(|(_, value)| value).sum::<u64>(), 6);
    }
}
