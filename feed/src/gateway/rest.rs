//! COLD: what is asked of the account over REST, beside the connections: one question and one cancel at a time.
//!
//! Nothing here waits: a driver carries a request to whoever may block, and brings the answer, or the news that there is
//! none, when it has it.

use spinbook_engine::types::{Nanos, OrderId};

use super::Gateway;
use super::throttle::Urgency;
use crate::venue::account::{AccountSide, RestRequest, Signing};
use crate::venue::order_side::{Cost, OrderSide, Reaction};
use crate::venue::orders::{Refusal, RequestKind};

/// An answer to a question is waited for no longer than this; who carries it gives up before.
const QUESTION_WITHIN: Nanos = Nanos::from_seconds(12);
/// The same for a cancel.
const CANCEL_WITHIN: Nanos = Nanos::from_seconds(6);

/// A clock that was asked for because of a refusal is asked for at once no sooner than this.
const CLOCK_INTERVAL: Nanos = Nanos::from_seconds(1);

/// Which way a request over REST takes: a cancel never waits behind a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestLane {
    /// What the account did and holds.
    Questions,
    /// Cancels.
    Cancels,
}

impl RestLane {
    /// Both.
    pub const ALL: [RestLane; 2] = [RestLane::Questions, RestLane::Cancels];

    /// Its place in arrays by lane.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    const fn answer_within(self) -> Nanos {
        match self {
            RestLane::Questions => QUESTION_WITHIN,
            RestLane::Cancels => CANCEL_WITHIN,
        }
    }
}

/// Names one request over REST; its answer bears the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestTicket {
    /// Which way it takes.
    pub lane: RestLane,
    /// The gateway numbers its requests from 1.
    pub number: u64,
}

/// What came of a request over REST.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestAnswer {
    /// HTTP status; zero where no complete answer came, so that what became of the request is not known.
    pub status: u16,
    /// The body, empty without an answer.
    pub body: Vec<u8>,
    /// For how long the venue wants to hear nothing more; zero if it did not say.
    pub retry_after: Nanos,
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RestPurpose {
    /// The executions of the instrument at this place.
    Trades(usize),
    /// What is held.
    Holdings,
    /// What moved beside executions.
    Incomes,
    /// Cancel all orders of the instrument at this place.
    CancelAll(usize),
    /// What became of an order.
    OrderStatus(OrderId),
    /// What is open in the instrument at this place.
    OpenOrders(usize),
    /// The venue's clock: what was asked before was refused for its timestamp.
    Clock,
}

impl RestPurpose {
    /// The request over a connection whose refusals mean the same.
    const fn kind(self) -> RequestKind {
        match self {
            RestPurpose::Trades(_) | RestPurpose::Holdings | RestPurpose::Incomes => RequestKind::Fills,
            RestPurpose::CancelAll(_) => RequestKind::CancelAll,
            RestPurpose::OrderStatus(_) => RequestKind::OrderStatus,
            RestPurpose::OpenOrders(_) => RequestKind::OpenOrders,
            RestPurpose::Clock => RequestKind::ServerTime,
        }
    }
}

/// A request on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct RestPending {
    number: u64,
    purpose: RestPurpose,
    /// When it was sent.
    pub(super) asked: Nanos,
}

/// The account's REST side, and what is on its way there.
pub(super) struct RestDesk {
    /// `None`: nothing can be asked over REST.
    pub(super) account: Option<Box<dyn AccountSide + Send>>,
    pending: [Option<RestPending>; RestLane::ALL.len()],
    requests: u64,
    /// The clock is asked for before anything else.
    wants_clock: bool,
    clock_asked: Nanos,
}

impl RestDesk {
    pub(super) fn new(account: Option<Box<dyn AccountSide + Send>>) -> RestDesk {
        RestDesk {
            account,
            pending: [None; RestLane::ALL.len()],
            requests: 0,
            wants_clock: false,
            clock_asked: Nanos::ZERO,
        }
    }

    /// Whether nothing is on its way over this lane.
    pub(super) fn is_free(&self, lane: RestLane) -> bool {
        self.pending[lane.index()].is_none()
    }

    fn take(&mut self, ticket: RestTicket) -> Option<RestPending> {
        let slot = &mut self.pending[ticket.lane.index()];
        slot.take_if(|pending| pending.number == ticket.number)
    }

    /// When something is not waited for any longer.
    pub(super) fn due(&self) -> Nanos {
        let due = |lane: RestLane| self.pending[lane.index()].map(|pending| pending.asked + lane.answer_within());
        RestLane::ALL.into_iter().filter_map(due).min().unwrap_or(Nanos::NEVER)
    }
}

impl<O: OrderSide> Gateway<O> {
    /// The same gateway, with a REST side to ask about the account.
    #[must_use]
    pub fn with_account(mut self, account: Box<dyn AccountSide + Send>) -> Gateway<O> {
        self.rest.account = Some(account);
        self
    }

    /// What came of a request over REST.
    pub fn on_rest(&mut self, ticket: RestTicket, answer: &RestAnswer, now: Nanos) {
        match self.rest.take(ticket) {
            Some(pending) => self.rest_answered(&pending, answer, now),
            None => self.counters.stray_replies += 1,
        }
        self.pump(now);
    }

    /// Whether the account can be asked over REST at all.
    pub(super) fn can_ask_rest(&self) -> bool {
        self.rest.account.is_some() && self.side.credentials().is_some()
    }

    /// Sends a request over a lane that is free, or asks for the clock in its place; then it stays due.
    ///
    /// # Errors
    /// The moment before which there is no room for it in the venue's windows, or [`Nanos::NEVER`]: it cannot be asked.
    pub(super) fn ask_rest(
        &mut self,
        lane: RestLane,
        purpose: RestPurpose,
        now: Nanos,
        write: impl FnOnce(&dyn AccountSide, Signing<'_>) -> Option<RestRequest>,
    ) -> Result<(), Nanos> {
        let (Some(account), Some(credentials)) = (&self.rest.account, self.side.credentials()) else {
            return Err(Nanos::NEVER);
        };
        let signing = Signing { credentials, venue_now: self.clock.venue_time(now) };
        // What was wanted is asked once the clock is known.
        let (purpose, request) = match self.rest.wants_clock {
            true => (RestPurpose::Clock, Some(account.time())),
            false => (purpose, write(account.as_ref(), signing)),
        };
        let Some(request) = request else { return Err(Nanos::NEVER) };
        let cost = Cost { weight: request.weight, orders: 0, cancels: 0 };
        if lane == RestLane::Questions && !self.throttle.allows(cost, Urgency::Query, None, now) {
            return Err(self.throttle.ready_at(cost, Urgency::Query, None, now));
        }
        self.throttle.take(cost, None, now);
        self.rest.requests += 1;
        let number = self.rest.requests;
        self.rest.pending[lane.index()] = Some(RestPending { number, purpose, asked: now });
        self.counters.rest_requests += 1;
        self.counters.third_ways += u64::from(matches!(purpose, RestPurpose::CancelAll(_)));
        self.outbox.ask(RestTicket { lane, number }, Box::new(request));
        Ok(())
    }

    /// Answers that are not waited for any longer.
    pub(super) fn expire_rest(&mut self, now: Nanos) {
        for lane in RestLane::ALL {
            let late = |pending: &mut RestPending| now >= pending.asked + lane.answer_within();
            if let Some(pending) = self.rest.pending[lane.index()].take_if(late) {
                self.counters.timeouts += 1;
                self.rest_failed(pending.purpose, now);
            }
        }
    }

    fn rest_answered(&mut self, pending: &RestPending, answer: &RestAnswer, now: Nanos) {
        self.learn_from(pending.purpose.kind());
        match answer.status {
            0 => self.rest_failed(pending.purpose, now),
            200..=299 => match pending.purpose {
                RestPurpose::Trades(place) => self.trades_listed(place, &answer.body, now),
                RestPurpose::Holdings => self.holdings_listed(&answer.body, pending.asked, now),
                RestPurpose::Incomes => self.incomes_listed(&answer.body, now),
                RestPurpose::CancelAll(place) => self.swept_over_rest(place, &answer.body, now),
                RestPurpose::OrderStatus(order) => self.order_told(order, &answer.body, now),
                RestPurpose::OpenOrders(place) => self.open_orders_told(place, &answer.body, pending.asked, now),
                RestPurpose::Clock => self.clock_over_rest(&answer.body, pending.asked, now),
            },
            status => {
                let Some(account) = &self.rest.account else { return };
                let mut refusal = account.parse_refusal(status, &answer.body);
                if answer.retry_after > Nanos::ZERO {
                    refusal.retry_after = Some(self.clock.venue_time(now + answer.retry_after));
                }
                self.rest_refused(pending, &refusal, now);
            }
        }
    }

    fn rest_refused(&mut self, pending: &RestPending, refusal: &Refusal, now: Nanos) {
        let reaction = self.side.reaction(pending.purpose.kind(), refusal);
        if reaction != Reaction::Ignore {
            self.last_refusal = Some(refusal.to_string());
        }
        let was_late = now - pending.asked >= self.side.validity();
        match reaction {
            Reaction::ResyncClock if was_late => self.counters.late_refusals += 1,
            // Over a connection too many of these halt; here the clock can be asked for at once, with all of them down.
            Reaction::ResyncClock => {
                self.counters.clock_refusals += 1;
                self.clock.restart();
                self.rest.wants_clock = true;
                // At once, but no faster than this where the venue's clock does not help.
                if now - self.rest.clock_asked >= CLOCK_INTERVAL {
                    self.rest.clock_asked = now;
                    self.hurry_third_way(now);
                }
            }
            _ => self.react_globally(reaction, refusal, (pending.asked, was_late), now),
        }
        match (pending.purpose, reaction) {
            // There was nothing to cancel.
            (RestPurpose::CancelAll(place), Reaction::Ignore | Reaction::QueryOrder | Reaction::NotFound) => {
                self.swept_over_rest(place, &[], now);
            }
            (RestPurpose::OrderStatus(order), Reaction::NotFound) => {
                self.order_not_found(order, (pending.asked, None), refusal.code, now);
            }
            (purpose, _) => self.rest_failed(purpose, now),
        }
    }

    /// The venue's clock, asked for at `asked`.
    fn clock_over_rest(&mut self, body: &[u8], asked: Nanos, now: Nanos) {
        let Some(Ok(venue)) = self.rest.account.as_ref().map(|account| account.parse_time(body)) else {
            self.counters.bad_frames += 1;
            return;
        };
        self.clock.sample(venue, asked, now);
        self.clock_sampled = now;
        self.rest.wants_clock = false;
        self.hurry_third_way(now);
    }

    /// No answer, or one that says nothing: it is asked for again.
    fn rest_failed(&mut self, purpose: RestPurpose, now: Nanos) {
        self.counters.rest_failures += 1;
        match purpose {
            RestPurpose::Trades(place) => self.trades_failed(place, now),
            RestPurpose::Holdings => self.holdings_failed(now),
            RestPurpose::OrderStatus(order) => self.query_failed(order, now),
            RestPurpose::OpenOrders(place) => self.list_failed(place, now),
            RestPurpose::Incomes => self.incomes_failed(now),
            // The next one leaves when it is due: nothing was proved.
            RestPurpose::CancelAll(_) | RestPurpose::Clock => {}
        }
    }
}
