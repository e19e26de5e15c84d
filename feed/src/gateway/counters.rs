//! COLD: what a gateway counts.

use spinbook_engine::event::LocalReject;

/// What the gateway counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GatewayCounters {
    /// Intents to place.
    pub intents: u64,
    /// New orders handed to the connection (in shadow mode: built and not sent).
    pub orders_sent: u64,
    /// Cancels handed to the connection.
    pub cancels_sent: u64,
    /// Requests to cancel all of an instrument's orders handed to a connection.
    pub sweeps_sent: u64,
    /// Cancels without an answer that went out over the other connection as well.
    pub second_ways: u64,
    /// Cancels of all orders of an instrument that left over REST, since neither connection brought an answer.
    pub third_ways: u64,
    /// Requests over REST, those included.
    pub rest_requests: u64,
    /// Those that brought nothing.
    pub rest_failures: u64,
    /// Times that what the venue says is held differed from what our executions come to, and not only for a moment.
    pub position_mismatches: u64,
    /// Times that an instrument's executions were asked for and had.
    pub back_fills: u64,
    /// Executions that were booked from such a list, because their own messages had not come.
    pub back_filled: u64,
    /// Fundings and charges that were booked.
    pub incomes: u64,
    /// The same of instruments that are not ours: seen and not booked.
    pub incomes_of_others: u64,
    /// Transfers to and from the account that were booked.
    pub transfers: u64,
    /// Executions of orders that the venue made itself to close a position.
    pub liquidations: u64,
    /// Cancels the venue refused: of orders that were over meanwhile, or at a moment when it took no requests.
    pub cancels_refused: u64,
    /// Amendments handed to the connection (in shadow mode: built and not sent).
    pub amends_sent: u64,
    /// Orders handed to the connection to take the place of others in one request; they count as sent as well.
    pub replaces_sent: u64,
    /// Those of them that did: the former order was cancelled and the new one taken.
    pub orders_replaced: u64,
    /// Amendments and replacements that the venue refused: the order stayed as it was, or was gone.
    pub amends_refused: u64,
    /// New orders the venue took.
    pub orders_accepted: u64,
    /// New orders the venue refused.
    pub orders_refused: u64,
    /// New orders refused here: past their deadline.
    pub refused_late: u64,
    /// New orders refused here: no budget, or paused.
    pub refused_throttled: u64,
    /// New orders refused here: no session, or trading halted.
    pub refused_not_connected: u64,
    /// New orders refused here: against a limit.
    pub refused_limit: u64,
    /// New orders refused here, and amendments: too far from the mid that came with them, or none came.
    pub refused_collar: u64,
    /// Requests that took longer from their decision to here than the limit.
    pub intents_slow: u64,
    /// Times that the 99th percentile of that was above the limit.
    pub slow_windows: u64,
    /// New orders refused here: table full.
    pub refused_table_full: u64,
    /// New orders refused here: they could not be written to the journal.
    pub refused_journal: u64,
    /// Orders of a rehearsal, which must never come here; the first one halts.
    pub refused_rehearsed: u64,
    /// Replies that did not come in time.
    pub timeouts: u64,
    /// Orders whose outcome was at some time unknown.
    pub unknown: u64,
    /// Messages that could not be understood; nothing of them was used.
    pub bad_frames: u64,
    /// Replies to nothing that was asked.
    pub stray_replies: u64,
    /// Orders of earlier runs found open at the start and cancelled.
    pub leftover_orders: u64,
    /// The same that were taken over.
    pub orders_adopted: u64,
    /// Times that orders were to be taken over and everything was cancelled after all.
    pub adoptions_given_up: u64,
    /// Order events of orders that are not ours.
    pub third_party_orders: u64,
    /// Sessions lost after they were ready.
    pub sessions_lost: u64,
    /// Times the venue asked to wait.
    pub pauses: u64,
    /// Times the clock was refused.
    pub clock_refusals: u64,
    /// Requests refused for their timestamp because they were too long on their way.
    pub late_refusals: u64,
    /// Fast fill notices.
    pub fill_notices: u64,
    /// Refusals that say our rules of an instrument are old.
    pub instrument_refusals: u64,
}

impl GatewayCounters {
    /// The counter of orders that the gateway itself refused for this reason.
    #[inline(always)]
    pub(super) fn refused_here(&mut self, local: LocalReject) -> &mut u64 {
        match local {
            LocalReject::Late => &mut self.refused_late,
            LocalReject::Throttled => &mut self.refused_throttled,
            LocalReject::Limit => &mut self.refused_limit,
            LocalReject::Collar => &mut self.refused_collar,
            LocalReject::TableFull => &mut self.refused_table_full,
            LocalReject::Journal => &mut self.refused_journal,
            LocalReject::NotConnected | LocalReject::None => &mut self.refused_not_connected,
        }
    }
}

impl core::ops::Add for GatewayCounters {
    type Output = GatewayCounters;

    /// Of two gateways together.
    fn add(self, other: GatewayCounters) -> GatewayCounters {
        GatewayCounters {
            intents: self.intents + other.intents,
            orders_sent: self.orders_sent + other.orders_sent,
            cancels_sent: self.cancels_sent + other.cancels_sent,
            sweeps_sent: self.sweeps_sent + other.sweeps_sent,
            second_ways: self.second_ways + other.second_ways,
            third_ways: self.third_ways + other.third_ways,
            rest_requests: self.rest_requests + other.rest_requests,
            rest_failures: self.rest_failures + other.rest_failures,
            position_mismatches: self.position_mismatches + other.position_mismatches,
            back_fills: self.back_fills + other.back_fills,
            back_filled: self.back_filled + other.back_filled,
            incomes: self.incomes + other.incomes,
            incomes_of_others: self.incomes_of_others + other.incomes_of_others,
            transfers: self.transfers + other.transfers,
            liquidations: self.liquidations + other.liquidations,
            cancels_refused: self.cancels_refused + other.cancels_refused,
            amends_sent: self.amends_sent + other.amends_sent,
            replaces_sent: self.replaces_sent + other.replaces_sent,
            orders_replaced: self.orders_replaced + other.orders_replaced,
            amends_refused: self.amends_refused + other.amends_refused,
            orders_accepted: self.orders_accepted + other.orders_accepted,
            orders_refused: self.orders_refused + other.orders_refused,
            refused_late: self.refused_late + other.refused_late,
            refused_throttled: self.refused_throttled + other.refused_throttled,
            refused_not_connected: self.refused_not_connected + other.refused_not_connected,
            refused_limit: self.refused_limit + other.refused_limit,
            refused_collar: self.refused_collar + other.refused_collar,
            intents_slow: self.intents_slow + other.intents_slow,
            slow_windows: self.slow_windows + other.slow_windows,
            refused_table_full: self.refused_table_full + other.refused_table_full,
            refused_journal: self.refused_journal + other.refused_journal,
            refused_rehearsed: self.refused_rehearsed + other.refused_rehearsed,
            timeouts: self.timeouts + other.timeouts,
            unknown: self.unknown + other.unknown,
            bad_frames: self.bad_frames + other.bad_frames,
            stray_replies: self.stray_replies + other.stray_replies,
            leftover_orders: self.leftover_orders + other.leftover_orders,
            orders_adopted: self.orders_adopted + other.orders_adopted,
            adoptions_given_up: self.adoptions_given_up + other.adoptions_given_up,
            third_party_orders: self.third_party_orders + other.third_party_orders,
            sessions_lost: self.sessions_lost + other.sessions_lost,
            pauses: self.pauses + other.pauses,
            clock_refusals: self.clock_refusals + other.clock_refusals,
            late_refusals: self.late_refusals + other.late_refusals,
            fill_notices: self.fill_notices + other.fill_notices,
            instrument_refusals: self.instrument_refusals + other.instrument_refusals,
        }
    }
}

impl core::iter::Sum for GatewayCounters {
    fn sum<I: Iterator<Item = GatewayCounters>>(all: I) -> GatewayCounters {
        all.fold(GatewayCounters::default(), |sum, one| sum + one)
    }
}
