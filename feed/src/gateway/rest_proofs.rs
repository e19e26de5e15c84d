//! COLD: what became of orders, asked over REST while no order connection answers: so a session ends that cannot log on.
//!
//! Cancels leave by `third_way`. Here the venue is asked for each order until its end is proved, then twice for what is
//! open, when nothing that was sent can be taken any more. A connection that answers again goes on where this stands.

use spinbook_engine::types::{InstrumentId, Nanos, OrderId};

use super::Gateway;
use super::lifecycle::SessionStep;
use super::orders::{Phase, TrackedOrder};
use super::place::find;
use super::rest::{RestLane, RestPurpose};
use super::spare::SECOND_WAY_AFTER;
use crate::venue::order_ids::RunName;
use crate::venue::order_side::{OrderConnection, OrderSide};

/// Lists without an order, each asked for when nothing could be taken any more, that prove that nothing is open.
const EMPTY_LISTS: u8 = 2;
/// Between two of them, and between two questions about an order that lives on.
const ASK_AGAIN: Nanos = Nanos::from_millis(500);
/// The order connections have this long for the end of a session before REST is asked as well.
const REST_AFTER: Nanos = Nanos::from_seconds(1);

/// Where the proof stands.
#[derive(Debug)]
pub(super) struct RestProofs {
    /// Lists without an order so far, by the place of the instrument.
    empty_lists: Vec<u8>,
    /// When the session was told to end.
    since: Nanos,
    /// Nothing is asked before.
    not_before: Nanos,
}

impl RestProofs {
    pub(super) fn new(instruments: usize) -> RestProofs {
        RestProofs { empty_lists: vec![0; instruments], since: Nanos::ZERO, not_before: Nanos::ZERO }
    }
}

impl<O: OrderSide> Gateway<O> {
    /// The session is told to end.
    pub(super) fn begin_rest_proofs(&mut self, now: Nanos) {
        self.rest_proofs.since = now;
    }

    /// From when on REST is asked in the place of the order connections; [`Nanos::NEVER`]: one of them answers, or there is
    /// no need.
    pub(super) fn silent_from(&self) -> Nanos {
        let over = matches!(self.step, SessionStep::Quiet | SessionStep::Stopped);
        let is_needed = self.shutting_down || !self.stopped.is_empty();
        if over || !is_needed || !self.can_ask_rest() || !self.clock.is_known() {
            return Nanos::NEVER;
        }
        let links = OrderConnection::REQUESTS.into_iter().map(|way| &self.links[way.index()]);
        let owes = links.filter(|link| link.usable).map(|link| match link.asked {
            Nanos::NEVER => Nanos::NEVER,
            asked => asked + SECOND_WAY_AFTER,
        });
        match owes.max() {
            Some(from) => from,
            None => self.rest_proofs.since + REST_AFTER,
        }
    }

    /// From when on a list tells of everything: nothing is sent any more, and what was cannot be taken any longer.
    fn lists_from(&self) -> Nanos {
        self.rest_proofs.since + self.side.validity() + self.settings.validity_margin
    }

    /// When an order is to be asked for; `None`: nobody waits for its end.
    fn ask_order_at(&self, order: &TrackedOrder) -> Option<Nanos> {
        let is_wanted = order.is_open() && (self.shutting_down || self.is_stopped(order.instrument));
        let at = if order.query_at == Nanos::NEVER { Nanos::ZERO } else { order.query_at };
        // Its own answer may still come.
        let from = if order.phase == Phase::Sent { order.valid_until } else { Nanos::ZERO };
        is_wanted.then_some(at.max(from))
    }

    /// The instrument whose list is asked for next.
    fn place_to_list(&self) -> Option<usize> {
        self.rest_proofs.empty_lists.iter().position(|lists| *lists < EMPTY_LISTS).filter(|_| self.shutting_down)
    }

    /// When something is to be asked, or nothing is left to be.
    pub(super) fn rest_proofs_due(&self) -> Nanos {
        let from = self.silent_from();
        if from == Nanos::NEVER || !self.rest.is_free(RestLane::Questions) || !self.is_swept() {
            return Nanos::NEVER;
        }
        let orders = self.orders.active().filter_map(|order| self.ask_order_at(order)).min();
        let at = match (orders, self.place_to_list()) {
            (Some(at), _) => at,
            (None, Some(_)) => self.lists_from(),
            _ if !self.shutting_down => return Nanos::NEVER,
            // Their executions come with a list, which wakes us.
            _ if self.orders.active().any(|order| order.fills_at != Nanos::NEVER) => return Nanos::NEVER,
            _ if self.lacks_trades() => self.trades_by.unwrap_or(Nanos::ZERO),
            _ => Nanos::ZERO,
        };
        at.max(from).max(self.rest_proofs.not_before).max(self.quiet_until())
    }

    /// Asks what is due, one thing at a time; with everything proved the session is over.
    pub(super) fn prove_over_rest(&mut self, now: Nanos) {
        if now < self.rest_proofs_due() {
            return;
        }
        let due = |order: &&TrackedOrder| self.ask_order_at(order).is_some_and(|at| now >= at);
        let order = self.orders.active().filter(due).map(|order| (order.order, order.instrument)).min();
        let asked = match (order, self.place_to_list()) {
            (Some((order, instrument)), _) => self.ask_order(order, instrument, now),
            (None, Some(place)) => self.ask_list(place, now),
            (None, None) if !self.awaits_trades(now) => return self.go(SessionStep::Quiet, now),
            (None, None) => return,
        };
        if let Err(at) = asked {
            self.rest_proofs.not_before = at;
        }
    }

    fn ask_order(&mut self, order: OrderId, instrument: InstrumentId, now: Nanos) -> Result<(), Nanos> {
        let Some(instrument) = find(&self.instruments, instrument).copied() else { return Err(Nanos::NEVER) };
        let name = self.side.client_id(order);
        let purpose = RestPurpose::OrderStatus(order);
        self.ask_rest(RestLane::Questions, purpose, now, |account, signing| {
            Some(account.order_status(signing, &instrument, &name))
        })?;
        self.asked_about(order, None, now);
        Ok(())
    }

    fn ask_list(&mut self, place: usize, now: Nanos) -> Result<(), Nanos> {
        let instrument = self.instruments[place];
        let purpose = RestPurpose::OpenOrders(place);
        self.ask_rest(RestLane::Questions, purpose, now, |account, signing| {
            Some(account.open_orders(signing, &instrument))
        })
    }

    /// This run, and those whose orders it may go on with.
    pub(super) fn run_names(&self) -> Vec<RunName> {
        let own = RunName { run: self.settings.epoch, salt: self.settings.salt };
        std::iter::once(own).chain(self.settings.earlier_runs.iter().copied()).collect()
    }

    /// What the venue says of an order.
    pub(super) fn order_told(&mut self, order: OrderId, body: &[u8], now: Nanos) {
        let runs = self.run_names();
        let account = self.rest.account.as_ref();
        let told = account.and_then(|account| account.parse_order(&self.instruments, &runs, body).ok()).flatten();
        let Some(update) = told else {
            self.counters.bad_frames += 1;
            self.query_failed(order, now);
            return;
        };
        self.apply_update(&update, now);
        self.query_answered(order, now);
        if let Some(tracked) = self.orders.find_mut(order)
            && tracked.is_open()
        {
            tracked.query_at = tracked.query_at.min(now + ASK_AGAIN);
        }
    }

    /// What the venue says is open in the instrument at `place`, asked for at `asked`.
    pub(super) fn open_orders_told(&mut self, place: usize, body: &[u8], asked: Nanos, now: Nanos) {
        let (runs, instrument) = (self.run_names(), self.instruments[place]);
        let account = self.rest.account.as_ref();
        let parsed = account.map(|account| account.parse_open_orders(std::slice::from_ref(&instrument), &runs, body));
        let Some(Ok(rows)) = parsed else {
            self.counters.bad_frames += 1;
            self.list_failed(place, now);
            return;
        };
        self.rest_proofs.not_before = now + ASK_AGAIN;
        if rows.is_empty() {
            self.rest_proofs.empty_lists[place] += u8::from(asked >= self.lists_from());
            return;
        }
        self.rest_proofs.empty_lists[place] = 0;
        rows.iter().for_each(|row| self.note_leftover(row));
        rows.iter().for_each(|row| self.apply_update(row, now));
        self.want_sweep(place, now);
    }

    /// It could not be had.
    pub(super) fn list_failed(&mut self, place: usize, now: Nanos) {
        self.rest_proofs.empty_lists[place] = 0;
        self.rest_proofs.not_before = now + ASK_AGAIN;
    }
}
