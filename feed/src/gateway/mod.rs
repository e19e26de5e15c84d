//! COLD: the order gateway as a sans-IO protocol: intents and bytes in, bytes and execution events out.
//!
//! `place` is the way of an order and of a wish to cancel, `amend` that of another price for an order, with `outbox`
//! behind them; `sweep` is the cancel path, which
//! depends on a connected order connection alone, `spare` the second one, and `third_way` what leaves over REST (`rest`)
//! where neither answers, `rest_proofs` what is then asked there. `lifecycle` brings a session up and keeps it alive, `replies` applies
//! what comes back, `adoption` takes orders of earlier runs over (`adoptable`), `reconcile` decides orders whose outcome is
//! not known with `user_data` as a witness, `backfill` fetches executions that may have been missed, `compare` holds what the venue says is held against
//! them, `slowness` judges our own latency, `orders` holds what is proved of each order,
//! `throttle` and `limits` refuse what must not be sent. `settings` says what a user may choose.

pub mod adoptable;
pub mod adoption;
pub mod clock;
pub mod compare;
pub mod counters;
pub mod earlier;
pub mod fees;
pub mod limits;
pub mod order_id;
pub mod orders;
pub mod rest;
pub mod settings;
pub mod throttle;

mod amend;
mod backfill;
mod handshake;
mod ids;
mod incomes;
mod keep_alive;
mod lifecycle;
mod link;
mod outbox;
mod place;
mod proofs;
mod reconcile;
mod replies;
mod rest_proofs;
mod scope;
mod shadow;
mod slowness;
mod spare;
mod sweep;
mod third_way;
mod user_data;

use std::collections::VecDeque;

use spinbook_engine::event::ExecutionEvent;
use spinbook_engine::limits::ORDER_RING_SLOTS;
use spinbook_engine::types::{InstrumentId, Lots, Nanos, OrderId, VenueCode, VenueId};

use crate::crypto::credentials::Credentials;
use crate::frame_buffer::PlacedPayload;
use crate::journal::end::EndProof;
use crate::journal::writer::{Journal, JournalCounters};
use crate::venue::account::{AccountSide, RestRequest};
use crate::venue::any_account::AnyAccount;
use crate::venue::any_orders::AnyOrders;
use crate::venue::instrument::{Instrument, InstrumentStatus};
use crate::venue::order_ids::ClientOrderId;
use crate::venue::order_side::{HandshakeStep, OrderConnection, OrderSide};
use crate::venue::orders::{Request, RequestId, RequestKind};

use adoption::Adoption;
use backfill::Backfill;
use clock::VenueClock;
use compare::{Holding, HoldingMismatch};
use earlier::EarlierOrders;
use incomes::Incomes;
use lifecycle::SessionStep;
use link::{Attempts, OrderLink};
use orders::{OrderCounts, OrderTable, TableCounters};
use outbox::{Outbox, Purpose};
use proofs::ToldDenials;
use reconcile::Poll;
use rest::{RestDesk, RestTicket};
use rest_proofs::RestProofs;
use slowness::Slowness;
use sweep::{SlowPace, Sweep};
use throttle::Throttle;
use user_data::SignsOfLife;

pub use counters::GatewayCounters;
pub use settings::{GatewayMode, GatewaySettings};

/// Requests that may wait for their replies at once; with more, new orders are refused.
pub const PENDING_REQUESTS_MAX: usize = 4096;

/// Why the gateway wants a connection closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderCloseReason {
    /// No answer in time, or the connection did not open in time.
    Silent,
    /// The venue announced that it closes, or that user data ended.
    Announced,
    /// The venue's longest connection life is near.
    Planned,
    /// Messages that cannot be understood.
    BadFrames,
    /// The session cannot be set up with this key or these settings; it is not tried again.
    Refused,
}

/// What the gateway wants of its driver, in order.
#[derive(Debug)]
pub enum GatewayOutput<'a> {
    /// A fact for the engine.
    Execution(ExecutionEvent),
    /// Something to carry out.
    Action(GatewayAction<'a>),
}

/// What a driver carries out on the gateway's connections.
#[derive(Debug)]
pub enum GatewayAction<'a> {
    /// Open a WebSocket connection to this path and query; the driver knows the host.
    Connect {
        /// Which.
        connection: OrderConnection,
        /// Path and query.
        target: String,
    },
    /// Send a text message.
    Send {
        /// Where.
        connection: OrderConnection,
        /// The message, valid until the next call; it can be masked and sealed where it lies.
        bytes: PlacedPayload<'a>,
        /// Cycle counter of the market frame that caused it, zero if none: for measurement only.
        origin_tsc: u64,
        /// The order that it is about, [`OrderId::NONE`] if about none: for [`Gateway::on_sent`].
        order: OrderId,
        /// What it asks for.
        kind: RequestKind,
    },
    /// Close a connection (the driver need not report it as closed again, but may).
    Close {
        /// Which.
        connection: OrderConnection,
        /// Why.
        reason: OrderCloseReason,
    },
    /// Send a WebSocket ping with this mark as its payload, big-endian, and bring the mark of the pong to
    /// [`Gateway::on_pong`], behind every message that came before it.
    Ping {
        /// Where.
        connection: OrderConnection,
        /// What the pong bears too.
        mark: u64,
    },
    /// Send a request over REST without waiting for it, and bring what comes of it to [`Gateway::on_rest`].
    Ask {
        /// The answer bears the same.
        ticket: RestTicket,
        /// The request.
        request: Box<RestRequest>,
    },
}

/// The order gateway of one account on one product line.
pub struct Gateway<O = AnyOrders> {
    settings: GatewaySettings,
    instruments: Vec<Instrument>,
    side: O,
    /// How this venue's sessions are set up.
    handshake: &'static [HandshakeStep],
    orders: OrderTable,
    throttle: Throttle,
    clock: VenueClock,
    step: SessionStep,
    /// The request that the current step waits for.
    step_request: Option<RequestId>,
    step_not_before: Nanos,
    step_attempts: u32,
    step_since: Nanos,
    links: [OrderLink; OrderConnection::ALL.len()],
    attempts: Attempts,
    /// The longest pause before an attempt to connect, while an order may live.
    retry_soon: Option<Nanos>,
    /// When the second order connection was last asked for a sign of life.
    spare_warmed: Nanos,
    /// The cancelling of all orders, by the place of the instrument.
    sweeps: Vec<Sweep>,
    /// The taking over of what earlier runs left open.
    adoption: Adoption,
    earlier: EarlierOrders,
    /// What earlier runs may have left open was cancelled, or taken over.
    swept_once: bool,
    /// Since when cancels in an instrument have been without any answer, by its place; [`Nanos::NEVER`]: none are.
    unanswered_since: Vec<Nanos>,
    slow: SlowPace,
    slowness: Slowness,
    rest: RestDesk,
    /// What is proved over REST of a session that is shut down.
    rest_proofs: RestProofs,
    /// The asking for executions, by the place of the instrument.
    backfills: Vec<Backfill>,
    /// The venue's time from which on executions are ours to count; [`Nanos::NEVER`]: none yet.
    trades_floor: Nanos,
    /// Shut down and with nothing open, executions are waited for until then.
    trades_by: Option<Nanos>,
    poll: Poll,
    /// The orders connection is to be closed, for this reason and by then, once everything is cancelled over it.
    leaving: Option<(OrderCloseReason, Nanos)>,
    /// The session is given up once nothing is left to be cancelled.
    stop_wanted: bool,
    /// Orders were taken at some time.
    was_ready: bool,
    /// The key of user data's connection, as the venue gave it last.
    user_data_key: String,
    /// User data runs: its steps of the handshake are not repeated while it does.
    user_data_ready: bool,
    signs_of_life: SignsOfLife,
    paused_until: Nanos,
    /// Before this nothing but cancels leaves, and those at a slow pace.
    silent_until: Nanos,
    /// Before this nothing leaves.
    banned_until: Nanos,
    ready: bool,
    shutting_down: bool,
    /// Instruments that an operator stopped, and what the venue said of each.
    stopped: Vec<(InstrumentId, InstrumentStatus)>,
    halted: Option<String>,
    last_refusal: Option<String>,
    rules_refusal: Option<String>,
    clock_refusals_in_row: u32,
    clock_measured: Nanos,
    /// When the venue's clock was told last, and when a stamp made after that was refused.
    clock_sampled: Nanos,
    clock_refused: Nanos,
    user_data_kept: Nanos,
    counters: GatewayCounters,
    /// What is held, by instrument.
    holdings: Vec<Holding>,
    /// The venue is to say what is held, as soon as it can be asked.
    ask_holdings: bool,
    /// User data was away, and a transfer meanwhile is told by nothing else.
    transfers_missed: bool,
    holding_mismatch: Option<HoldingMismatch>,
    holdings_asked: Nanos,
    holdings_not_before: Nanos,
    incomes: Incomes,
    events: VecDeque<ExecutionEvent>,
    outbox: Outbox,
    journal: Journal,
    /// What says what is being learned.
    proof: EndProof,
    denials: ToldDenials,
    /// Lots bought less lots sold of each instrument, of the facts that were handed over.
    lots_moved: Vec<i128>,
    /// The newest order that came to be placed, sent or refused: the engine counts them upwards.
    newest_place: OrderId,
    /// Orders whose cancel came before the order itself, which is still on its ring: it is refused when it comes.
    cancelled_ahead: Vec<OrderId>,
    /// The cancel of this turn and the cycle counter of the frame that caused it: for measurement only.
    cancel_origin: (OrderId, u64),
}

fn throttle_of(settings: &GatewaySettings, instruments: &[Instrument]) -> Throttle {
    let ids: Vec<InstrumentId> = instruments.iter().map(|instrument| instrument.id).collect();
    Throttle::new(&settings.rates, &ids, settings.budget_percent, settings.cancel_reserve_percent)
}

impl Gateway {
    /// A gateway that has done nothing yet: call [`Gateway::on_timer`], then carry out what it wants.
    ///
    /// # Panics
    /// The product line takes no orders: its card has no order side.
    #[must_use]
    pub fn new(settings: GatewaySettings, credentials: Credentials, instruments: Vec<Instrument>) -> Gateway {
        let (window, prevention) = (settings.receive_window_ms, settings.self_trade_prevention);
        let side = AnyOrders::new(settings.product, credentials, window, prevention);
        let side = side.expect("the product line takes orders");
        let account = AnyAccount::new(settings.product, settings.receive_window_ms);
        let account = account.map(|account| Box::new(account) as Box<dyn AccountSide + Send>);
        let gateway = Gateway::over(side, settings, instruments);
        Gateway { rest: RestDesk::new(account), ..gateway }
    }
}

impl<O: OrderSide> Gateway<O> {
    /// The same over any order side, one that no list names included.
    #[must_use]
    pub fn over(mut side: O, settings: GatewaySettings, instruments: Vec<Instrument>) -> Gateway<O> {
        side.set_run(settings.epoch, settings.salt);
        side.set_earlier_runs(&settings.earlier_runs);
        side.prepare(&instruments);
        let trades_from = settings.trades_from.map_or(Nanos::NEVER, backfill::stamp);
        let places = instruments.iter().map(|instrument| instrument.id.index() + 1).max().unwrap_or(0);
        let adoption = Adoption::of(&settings);
        let mut orders = OrderTable::new(places);
        adoption.candidates().iter().for_each(|candidate| orders.adopt(candidate));
        Gateway {
            throttle: throttle_of(&settings, &instruments),
            handshake: side.handshake(),
            side,
            orders,
            clock: VenueClock::default(),
            step: SessionStep::Idle,
            step_request: None,
            step_not_before: Nanos::ZERO,
            step_attempts: 0,
            step_since: Nanos::ZERO,
            links: [0, 0x9e37_79b9_7f4a_7c15, 0x3c6e_f372_fe94_f82a].map(|mark| OrderLink::new(settings.seed ^ mark)),
            attempts: Attempts::new(),
            retry_soon: None,
            spare_warmed: Nanos::ZERO,
            sweeps: vec![if adoption.is_over() { Sweep::WANTED } else { Sweep::UNWANTED }; instruments.len()],
            adoption,
            earlier: EarlierOrders::new(settings.epoch, &settings.earlier_orders),
            swept_once: false,
            unanswered_since: vec![Nanos::NEVER; instruments.len()],
            rest: RestDesk::new(None),
            rest_proofs: RestProofs::new(instruments.len()),
            backfills: vec![Backfill::wanted_from(trades_from); instruments.len()],
            trades_floor: trades_from,
            trades_by: None,
            slow: SlowPace::START,
            slowness: Slowness::new(settings.order_latency_max),
            poll: Poll::START,
            leaving: None,
            stop_wanted: false,
            was_ready: false,
            user_data_key: String::new(),
            user_data_ready: false,
            signs_of_life: SignsOfLife::NONE,
            paused_until: Nanos::ZERO,
            silent_until: Nanos::ZERO,
            banned_until: Nanos::ZERO,
            ready: false,
            shutting_down: false,
            stopped: Vec::new(),
            halted: None,
            last_refusal: None,
            rules_refusal: None,
            clock_refusals_in_row: 0,
            clock_measured: Nanos::ZERO,
            clock_sampled: Nanos::ZERO,
            clock_refused: Nanos::ZERO,
            user_data_kept: Nanos::ZERO,
            counters: GatewayCounters::default(),
            holdings: compare::holdings_at_start(&settings, &instruments, places),
            ask_holdings: true,
            transfers_missed: false,
            holding_mismatch: None,
            holdings_asked: Nanos::ZERO,
            holdings_not_before: Nanos::ZERO,
            incomes: Incomes::default(),
            events: VecDeque::with_capacity(256),
            outbox: Outbox::new(settings.request_timeout, settings.mode == GatewayMode::Shadow),
            journal: Journal::Off,
            proof: EndProof::default(),
            denials: ToldDenials::default(),
            lots_moved: vec![0; places],
            newest_place: OrderId::NONE,
            cancelled_ahead: Vec::with_capacity(ORDER_RING_SLOTS),
            cancel_origin: (OrderId::NONE, 0),
            settings,
            instruments,
        }
    }

    /// The venue whose orders it carries.
    #[must_use]
    pub fn venue(&self) -> VenueId {
        self.settings.product.venue_id()
    }

    /// The instruments whose orders it carries.
    #[must_use]
    pub fn instruments(&self) -> &[Instrument] {
        &self.instruments
    }

    /// From here on nothing leaves that is not in this journal. The one before is given back.
    pub fn keep_journal(&mut self, journal: Journal) -> Journal {
        std::mem::replace(&mut self.journal, journal)
    }

    /// The journal, to look at.
    #[must_use]
    pub fn journal(&mut self) -> &mut Journal {
        &mut self.journal
    }

    /// What was counted about the journal.
    #[must_use]
    pub fn journal_counters(&self) -> JournalCounters {
        self.journal.counters()
    }

    /// A connection that was asked for is open.
    pub fn on_open(&mut self, connection: OrderConnection, now: Nanos) {
        self.opened(connection, now);
        self.pump(now);
    }

    /// A complete text message arrived.
    pub fn on_frame(&mut self, connection: OrderConnection, frame: &mut [u8], now: Nanos) {
        self.apply_frame(connection, frame, now);
        self.pump(now);
    }

    /// The venue refused to open a connection and said for how long it takes none from this address.
    pub fn on_refused(&mut self, retry_after: Nanos, now: Nanos) {
        for link in &mut self.links {
            link.refused_until = link.refused_until.max(now + retry_after);
        }
    }

    /// A connection closed or could not be opened.
    pub fn on_close(&mut self, connection: OrderConnection, now: Nanos) {
        self.closed(connection, now);
        self.pump(now);
    }

    /// Time passed.
    pub fn on_timer(&mut self, now: Nanos) {
        self.pump(now);
    }

    /// The venue's clock, where the driver asked for it over REST.
    pub fn on_server_time(&mut self, venue: Nanos, sent: Nanos, received: Nanos) {
        self.clock_sampled = received;
        self.clock.sample(venue, sent, received);
    }

    /// The system's clock was stepped, or the machine slept: the venue's clock is measured again before new orders are
    /// taken, over the connections that stand. Everything is cancelled at once.
    pub fn on_clock_step(&mut self, now: Nanos) {
        self.session_down(now);
        self.clock.restart();
        if self.can_send() && !self.shutting_down {
            self.repeat_from_clock(now);
        }
        self.pump(now);
    }

    /// Takes no more orders, cancels every order of every instrument, and asks until none is left.
    /// [`Gateway::is_quiet`] tells when that is proved.
    pub fn cancel_all(&mut self, now: Nanos) {
        self.begin_shutdown(now);
        self.pump(now);
    }

    /// Stops trading for good, with a message for a human; cancels still leave.
    pub fn halt(&mut self, message: &str, now: Nanos) {
        self.halt_with(VenueCode::NONE, message.to_owned(), now);
    }

    /// Orders that may be on the venue's book, those of unknown outcome included.
    #[must_use]
    pub fn open_orders(&self) -> usize {
        self.orders.active().filter(|order| order.is_open()).count()
    }

    /// Orders whose outcome the venue has not told yet.
    #[must_use]
    pub fn unknown_orders(&self) -> usize {
        self.orders.active().filter(|order| order.phase == orders::Phase::Unknown).count()
    }

    /// After [`Gateway::cancel_all`]: the venue confirmed that no order is open and nothing is undecided.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.shutting_down && self.open_orders() == 0 && matches!(self.step, SessionStep::Quiet | SessionStep::Stopped)
    }

    /// Whether orders are taken.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.ready && self.halted.is_none() && !self.shutting_down
    }

    /// Why trading stopped for good, if it did.
    #[must_use]
    pub fn halt_message(&self) -> Option<&str> {
        self.halted.as_deref()
    }

    /// The venue's last refusal in its own words, for the log.
    #[must_use]
    pub fn last_refusal(&self) -> Option<&str> {
        self.last_refusal.as_deref()
    }

    /// The venue's last refusal for its price and quantity rules, in its own words.
    #[must_use]
    pub fn rules_refusal(&self) -> Option<&str> {
        self.rules_refusal.as_deref()
    }

    /// What was counted.
    #[must_use]
    pub fn counters(&self) -> GatewayCounters {
        self.counters
    }

    /// The name of an order at the venue.
    #[must_use]
    pub fn client_id(&self, order: OrderId) -> ClientOrderId {
        self.side.client_id(order)
    }

    /// Orders that were sent, by what is proved of them.
    #[must_use]
    pub fn order_counts(&self) -> OrderCounts {
        self.orders.counts()
    }

    /// What was counted about orders.
    #[must_use]
    pub fn table_counters(&self) -> TableCounters {
        self.orders.counters()
    }

    /// The table of orders, to look at.
    #[must_use]
    pub fn orders(&self) -> &OrderTable {
        &self.orders
    }

    /// Asserts what always holds of its parts; for tests and simulations, after each step.
    ///
    /// # Panics
    /// It does not hold: a bug.
    pub fn check(&self) {
        self.orders.check();
        assert_eq!(self.orders.counts().sent, self.counters.orders_sent, "what was sent is in the table");
        self.throttle.check();
        let live = self.settings.mode == GatewayMode::Live;
        assert!(!self.ready || self.shutting_down || !live || self.can_send(), "ready without a session");
        let awaited = self.step_request.is_none_or(|id| self.outbox.pending.contains_key(&id));
        assert!(awaited, "the step waits for a request that was not sent");
    }

    /// What the venue said last of what is held of an instrument, its base asset or a position; `None`: nothing, or
    /// nothing that still counts.
    #[must_use]
    pub fn venue_position(&self, instrument: InstrumentId) -> Option<Lots> {
        self.holdings.get(instrument.index()).and_then(|holding| holding.stated)
    }

    /// The venue's clock minus ours, and how far that may be wrong.
    #[must_use]
    pub fn clock_offset(&self) -> (Nanos, Nanos) {
        (self.clock.offset(), self.clock.uncertainty())
    }

    /// Encodes, counts and queues a request about no order; the caller checked the budget.
    fn send(&mut self, request: &Request<'_>, connection: OrderConnection, now: Nanos) -> RequestId {
        self.send_over(request, connection, OrderId::NONE, 0, now)
    }

    /// The same about an order; `origin_tsc` is the cycle counter of the frame that caused it, zero if none did.
    fn send_over(
        &mut self,
        request: &Request<'_>,
        connection: OrderConnection,
        order: OrderId,
        origin_tsc: u64,
        now: Nanos,
    ) -> RequestId {
        self.throttle.take(self.side.cost(request.kind()), request.instrument(), now);
        let purpose = Purpose { connection, order, origin_tsc };
        let venue_now = self.clock.venue_time(now);
        self.link(connection).asked(now);
        if connection != OrderConnection::Spare {
            return self.outbox.send(&mut self.side, request, purpose, venue_now, now);
        }
        self.side.choose_connection(connection);
        let id = self.outbox.send(&mut self.side, request, purpose, venue_now, now);
        self.side.choose_connection(OrderConnection::Orders);
        id
    }

    fn link(&mut self, connection: OrderConnection) -> &mut OrderLink {
        &mut self.links[connection.index()]
    }

    fn is_open(&self, connection: OrderConnection) -> bool {
        self.links[connection.index()].is_open()
    }

    /// Whether user data comes over a connection of its own.
    fn has_user_data_connection(&self) -> bool {
        self.handshake.contains(&HandshakeStep::ConnectUserData)
    }
}
