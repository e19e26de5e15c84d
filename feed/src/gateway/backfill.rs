//! COLD: executions whose messages may never have come: the account's list of them, after every outage of user data.
//!
//! Before quotes are resumed every instrument's executions since the last message that certainly came are asked for, with
//! an overlap; each counts once, by its id, whatever way it took.

use spinbook_engine::event::ExecutionEvent;
use spinbook_engine::types::{InstrumentId, Nanos, Side, TradeId};

use super::lifecycle::SessionStep;
use super::place::find;
use super::rest::{RestLane, RestPurpose};
use super::{Gateway, fees};
use crate::venue::account::{TradeRecord, TradesSince};
use crate::venue::order_side::OrderSide;
use crate::venue::orders::{Fill, OrderStatus, OrderUpdate};

/// So long before the last message that certainly came: a venue's messages and the stamps of its trades are not one order.
const OVERLAP: Nanos = Nanos::from_seconds(60);
/// A list that could not be had is asked for again after this, doubled each time.
const RETRY_FIRST: Nanos = Nanos::from_millis(250);
/// The longest of these pauses.
const RETRY_MAX: Nanos = Nanos::from_seconds(4);
/// Orders whose number at the venue is not known are waited for this long before the list is asked for without it.
const NAMES_WITHIN: Nanos = Nanos::from_seconds(3);
/// Once nothing is open any more a session that is shut down waits this long for its executions.
const DRAIN_WITHIN: Nanos = Nanos::from_seconds(5);

/// A moment as venues stamp it: in whole milliseconds, the rest dropped.
pub(super) const fn stamp(at: Nanos) -> Nanos {
    Nanos(at.0.div_euclid(1_000_000) * 1_000_000)
}

/// Where the asking for the executions of one instrument stands. Times are the venue's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backfill {
    /// Wanted from here on; [`Nanos::NEVER`]: not.
    from: Nanos,
    /// Asked for from here on and not all had; [`Nanos::NEVER`]: nothing.
    asked_from: Nanos,
    /// Where a list that is longer than one answer goes on.
    next: Option<TradeId>,
    /// Orders wait for it.
    is_awaited: bool,
    /// A row was of an order that may be one whose number is not known yet.
    has_unnamed: bool,
    not_before: Nanos,
    attempts: u32,
}

impl Backfill {
    pub(super) const fn wanted_from(from: Nanos) -> Backfill {
        Backfill {
            from,
            asked_from: Nanos::NEVER,
            next: None,
            is_awaited: from.0 != Nanos::NEVER.0,
            has_unnamed: false,
            not_before: Nanos::ZERO,
            attempts: 0,
        }
    }

    fn is_pending(&self) -> bool {
        self.from != Nanos::NEVER || self.asked_from != Nanos::NEVER
    }

    /// It is asked for again, from its beginning.
    fn again_at(&mut self, at: Nanos) {
        self.from = self.from.min(self.asked_from);
        self.asked_from = Nanos::NEVER;
        self.next = None;
        self.has_unnamed = false;
        self.not_before = at;
    }
}

/// An execution of a list as an update of its order.
fn update_of(row: &TradeRecord) -> OrderUpdate {
    OrderUpdate {
        instrument: row.instrument,
        order: None,
        venue_order: row.venue_order,
        side: row.side,
        status: OrderStatus::Live,
        lots_cumulative: row.lots,
        lots_ordered: row.lots,
        in_force: None,
        time_in_force: None,
        fill: Some(Fill { trade: row.trade, tick: row.tick, lots: row.lots, fee: row.fee, maker: row.maker }),
        time: row.time,
    }
}

impl<O: OrderSide> Gateway<O> {
    /// Executions of every instrument may have been missed since `heard`, which is our time.
    pub(super) fn want_all_trades(&mut self, heard: Nanos) {
        for place in 0..self.backfills.len() {
            self.want_trades_at(place, heard, true);
        }
        self.forget_holdings();
        self.want_incomes();
    }

    /// The same of one instrument; orders wait for it if `is_awaited`.
    pub(super) fn want_trades(&mut self, instrument: InstrumentId, heard: Nanos, is_awaited: bool) {
        if let Some(place) = self.instruments.iter().position(|known| known.id == instrument) {
            self.want_trades_at(place, heard, is_awaited);
        }
    }

    fn want_trades_at(&mut self, place: usize, heard: Nanos, is_awaited: bool) {
        if !self.can_ask_rest() || self.trades_floor == Nanos::NEVER {
            return;
        }
        let from = (self.clock.venue_time(heard) - OVERLAP).max(self.trades_floor);
        let backfill = &mut self.backfills[place];
        backfill.is_awaited |= is_awaited;
        backfill.from = backfill.from.min(from);
    }

    /// An execution that an earlier run booked: it is not booked again, whatever list it stands in.
    pub fn know_trade(&mut self, instrument: InstrumentId, trade: TradeId, side: Side, time: Nanos) {
        self.orders.know_trade(instrument, trade, side, time);
    }

    /// An execution that happened before this run and that no run booked, as the engine hears of it; `None` if it is known.
    pub fn missed_fill(&mut self, row: &TradeRecord) -> Option<ExecutionEvent> {
        let instrument = find(&self.instruments, row.instrument).copied()?;
        let update = fees::valued(&self.settings.fee_prices, &update_of(row));
        self.orders.missed_fill(&update, &instrument)
    }

    /// Whether orders wait for executions that are still to be asked for.
    pub(super) fn lacks_trades(&self) -> bool {
        self.can_ask_rest() && self.backfills.iter().any(|backfill| backfill.is_awaited && backfill.is_pending())
    }

    /// Orders were taken for the first time: from here on the account's executions are ours.
    pub(super) fn begin_trades(&mut self, now: Nanos) {
        if self.trades_floor == Nanos::NEVER {
            self.trades_floor = stamp(self.clock.venue_time(now));
            self.incomes.begin(self.trades_floor, now);
        }
    }

    /// From when on a list would tell everything: user data runs, everything is cancelled, and every order's number at
    /// the venue is known. [`Nanos::NEVER`]: something else has to come first.
    fn trades_from_when(&self) -> Nanos {
        if !self.clock.is_known() || !self.rest.is_free(RestLane::Questions) {
            return Nanos::NEVER;
        }
        match self.step {
            SessionStep::Quiet | SessionStep::Stopped => Nanos::NEVER,
            SessionStep::Ready => Nanos::ZERO,
            // Nothing can be filled any more, and no connection is needed to be told what was.
            _ if self.shutting_down && self.open_orders() == 0 && self.is_swept() => Nanos::ZERO,
            SessionStep::Idle | SessionStep::Connecting | SessionStep::Handshake(_) => Nanos::NEVER,
            _ if !self.user_data_ready || !self.is_swept() => Nanos::NEVER,
            _ if self.has_unnamed_orders() => self.step_since + NAMES_WITHIN,
            _ => Nanos::ZERO,
        }
    }

    /// When a list is to be asked for next.
    pub(super) fn backfill_due(&self) -> Nanos {
        if !self.can_ask_rest() {
            return Nanos::NEVER;
        }
        let wanted = self.backfills.iter().filter(|backfill| backfill.is_pending());
        let Some(at) = wanted.map(|backfill| backfill.not_before).min() else { return Nanos::NEVER };
        match self.trades_from_when() {
            Nanos::NEVER => Nanos::NEVER,
            from => at.max(from).max(self.quiet_until()),
        }
    }

    fn has_unnamed_orders(&self) -> bool {
        self.orders.active().any(|order| order.venue_order.is_none())
    }

    /// Asks for the executions that are wanted, one instrument at a time.
    pub(super) fn send_backfills(&mut self, now: Nanos) {
        if now < self.backfill_due() {
            return;
        }
        let due = |backfill: &Backfill| backfill.is_pending() && now >= backfill.not_before;
        let Some(place) = self.backfills.iter().position(due) else { return };
        let instrument = self.instruments[place];
        let backfill = &mut self.backfills[place];
        if backfill.asked_from == Nanos::NEVER {
            backfill.asked_from = std::mem::replace(&mut backfill.from, Nanos::NEVER);
        }
        let since = backfill.next.map_or(TradesSince::Time(backfill.asked_from), TradesSince::Id);
        let asked = self.ask_rest(RestLane::Questions, RestPurpose::Trades(place), now, |account, signing| {
            Some(account.trades(signing, &instrument, since))
        });
        if let Err(at) = asked {
            self.backfills[place].not_before = at;
        }
    }

    /// The venue's list of executions of the instrument at `place`.
    pub(super) fn trades_listed(&mut self, place: usize, body: &[u8], now: Nanos) {
        let instrument = self.instruments[place];
        let Some(account) = &self.rest.account else { return };
        let most = account.trades_per_reply();
        let Ok(rows) = account.parse_trades(std::slice::from_ref(&instrument), body) else {
            self.counters.bad_frames += 1;
            self.trades_failed(place, now);
            return;
        };
        let mut has_unnamed = false;
        for row in &rows {
            has_unnamed |= !self.take_trade(row, now);
        }
        let backfill = &mut self.backfills[place];
        backfill.attempts = 0;
        backfill.has_unnamed |= has_unnamed;
        if rows.len() >= most {
            backfill.next = rows.iter().map(|row| row.trade.0).max().map(|last| TradeId(last + 1));
            backfill.not_before = now;
            return;
        }
        if backfill.has_unnamed {
            backfill.again_at(now + RETRY_FIRST);
            return;
        }
        (backfill.asked_from, backfill.next) = (Nanos::NEVER, None);
        backfill.is_awaited &= backfill.is_pending();
        self.counters.back_fills += 1;
    }

    /// Books an execution that is not booked yet; false where it may be of an order whose number is not known yet.
    fn take_trade(&mut self, row: &TradeRecord, now: Nanos) -> bool {
        let is_before = row.time != Nanos::ZERO && row.time < self.trades_floor;
        if is_before || self.orders.knows_trade(row.instrument, row.trade, row.side, row.time) {
            return true;
        }
        let is_named = self.orders.knows_venue_order(row.instrument, row.venue_order)
            || self.earlier.knows(row.instrument, row.venue_order);
        if !is_named && self.has_unnamed_orders() {
            return false;
        }
        debug_assert!(find(&self.instruments, row.instrument).is_some(), "only one of ours was asked for");
        self.counters.back_filled += 1;
        self.apply_update(&update_of(row), now);
        true
    }

    /// The list could not be had.
    pub(super) fn trades_failed(&mut self, place: usize, now: Nanos) {
        let backfill = &mut self.backfills[place];
        let pause = Nanos((RETRY_FIRST.0 << backfill.attempts.min(8)).min(RETRY_MAX.0));
        backfill.attempts += 1;
        backfill.again_at(now + pause);
    }

    /// Whether a session that is shut down, with nothing open, still waits for executions.
    pub(super) fn awaits_trades(&mut self, now: Nanos) -> bool {
        if !self.lacks_trades() && !self.incomes.lacks_told() {
            return false;
        }
        let by = *self.trades_by.get_or_insert(now + DRAIN_WITHIN);
        now < by
    }
}
