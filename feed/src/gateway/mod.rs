//! COLD: the order gateway as a sans-IO protocol: intents and bytes in, bytes and execution events out.
//!
//! `lifecycle` brings a session up and keeps it alive, `replies` applies what comes back, `reconcile` decides
//! orders whose outcome is not known, `orders` holds what is proved of each order, `throttle` and `limits`
//! refuse what must not be sent. `settings` says what a user may choose.

pub mod clock;
pub mod limits;
pub mod order_id;
pub mod orders;
pub mod settings;
pub mod throttle;

mod ids;
mod lifecycle;
mod link;
mod reconcile;
mod replies;
mod shadow;

use std::collections::VecDeque;

use spinbook_engine::event::{ExecutionEvent, ExecutionKind, LocalReject};
use spinbook_engine::intent::{Intent, IntentKind};
use spinbook_engine::types::{InstrumentId, Lots, Nanos, OrderId};

use crate::crypto::credentials::Credentials;
use crate::frame_buffer::{FrameQueue, PayloadPlace, PlacedPayload};
use crate::venue::binance::order::BinanceOrders;
use crate::venue::instrument::Instrument;
use crate::venue::orders::{NewOrder, OrderSide, Request, RequestId, RequestKind};

use clock::VenueClock;
use ids::{IdMap, id_map};
use lifecycle::Step;
use link::Link;
use orders::{CancelState, OrderTable, TableCounters, refused_here};
use throttle::{Throttle, Urgency};

pub use settings::{GatewayMode, GatewaySettings};

/// Requests that may wait for their replies at once; with more, new orders are refused.
pub const PENDING_REQUESTS_MAX: usize = 4096;

/// Room for a request in the queue of outgoing messages; what no template fits may be longer.
const REQUEST_BYTES_MAX: usize = 1_024;

/// One of the gateway's connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GatewayConnection {
    /// Requests and their replies (on spot also user data).
    Orders,
    /// User data, where it comes over a connection of its own.
    UserData,
}

/// Why the gateway wants a connection closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
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
    /// Open a WebSocket connection to this path and query; the driver knows the host.
    Connect {
        /// Which.
        connection: GatewayConnection,
        /// Path and query.
        target: String,
    },
    /// Send a text message.
    Send {
        /// Where.
        connection: GatewayConnection,
        /// The message, valid until the next call; it can be masked and sealed where it lies.
        bytes: PlacedPayload<'a>,
        /// Cycle counter of the market frame that caused it, zero if none: for measurement only.
        origin_tsc: u64,
    },
    /// A fact for the engine.
    Execution(ExecutionEvent),
    /// Close a connection (the driver need not report it as closed again, but may).
    Close {
        /// Which.
        connection: GatewayConnection,
        /// Why.
        reason: CloseReason,
    },
}

enum Queued {
    Connect { connection: GatewayConnection, target: String },
    Send { connection: GatewayConnection, place: PayloadPlace, origin_tsc: u64 },
    Close { connection: GatewayConnection, reason: CloseReason },
}

/// A request whose reply is awaited.
#[derive(Clone, Copy, Debug)]
struct Pending {
    kind: RequestKind,
    order: OrderId,
    sent: Nanos,
    deadline: Nanos,
}

/// What the gateway counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GatewayCounters {
    /// Intents to place.
    pub intents: u64,
    /// New orders handed to the connection (in shadow mode: built and not sent).
    pub orders_sent: u64,
    /// Cancels handed to the connection.
    pub cancels_sent: u64,
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
    /// New orders refused here: table full.
    pub refused_table_full: u64,
    /// Replies that did not come in time.
    pub timeouts: u64,
    /// Orders whose outcome was at some time unknown.
    pub unknown: u64,
    /// Messages that could not be understood; nothing of them was used.
    pub bad_frames: u64,
    /// Replies to nothing that was asked.
    pub stray_replies: u64,
    /// Orders of earlier runs found open.
    pub stray_orders: u64,
    /// Order events of orders that are not ours.
    pub foreign_orders: u64,
    /// Sessions lost after they were ready.
    pub sessions_lost: u64,
    /// Times the venue asked to wait.
    pub pauses: u64,
    /// Times the clock was refused.
    pub clock_refusals: u64,
    /// Fast fill notices.
    pub fill_notices: u64,
    /// Refusals that say our rules of an instrument are old.
    pub instrument_refusals: u64,
}

/// The order gateway of one account on one product line.
pub struct Gateway {
    settings: GatewaySettings,
    instruments: Vec<Instrument>,
    side: Box<dyn OrderSide + Send>,
    orders: OrderTable,
    throttle: Throttle,
    clock: VenueClock,
    step: Step,
    /// The request that the current step waits for.
    step_request: Option<RequestId>,
    step_not_before: Nanos,
    step_attempts: u32,
    step_since: Nanos,
    orders_link: Link,
    user_link: Link,
    pending: IdMap<RequestId, Pending>,
    requests: u64,
    paused_until: Nanos,
    silent_until: Nanos,
    ready: bool,
    shutting_down: bool,
    halted: Option<String>,
    last_refusal: Option<String>,
    rules_refusal: Option<String>,
    clock_refusals_in_row: u32,
    clock_measured: Nanos,
    user_data_kept: Nanos,
    counters: GatewayCounters,
    venue_positions: Vec<Option<Lots>>,
    events: VecDeque<ExecutionEvent>,
    queue: VecDeque<Queued>,
    /// Messages that wait to be carried out.
    outgoing: FrameQueue,
    /// A request that no template fits is written here first.
    plain: Vec<u8>,
    /// The cancel of this turn and the cycle counter of the frame that caused it: for measurement only.
    cancel_origin: (OrderId, u64),
}

impl Gateway {
    /// A gateway that has done nothing yet: call [`Gateway::on_timer`], then carry out what it wants.
    #[must_use]
    pub fn new(settings: GatewaySettings, credentials: Credentials, instruments: Vec<Instrument>) -> Gateway {
        let mut side = BinanceOrders::new(
            settings.product,
            credentials,
            settings.receive_window_ms,
            settings.self_trade_prevention,
        );
        side.prepare(&instruments);
        let places = instruments.iter().map(|instrument| instrument.id.index() + 1).max().unwrap_or(0);
        Gateway {
            throttle: Throttle::new(&settings.rates, settings.budget_percent, settings.cancel_reserve_percent),
            side: Box::new(side),
            orders: OrderTable::new(places),
            clock: VenueClock::default(),
            step: Step::Idle,
            step_request: None,
            step_not_before: Nanos::ZERO,
            step_attempts: 0,
            step_since: Nanos::ZERO,
            orders_link: Link::new(settings.seed),
            user_link: Link::new(settings.seed ^ 0x9e37_79b9_7f4a_7c15),
            pending: id_map(256),
            requests: 0,
            paused_until: Nanos::ZERO,
            silent_until: Nanos::ZERO,
            ready: false,
            shutting_down: false,
            halted: None,
            last_refusal: None,
            rules_refusal: None,
            clock_refusals_in_row: 0,
            clock_measured: Nanos::ZERO,
            user_data_kept: Nanos::ZERO,
            counters: GatewayCounters::default(),
            venue_positions: vec![None; places],
            events: VecDeque::with_capacity(256),
            queue: VecDeque::with_capacity(256),
            outgoing: FrameQueue::new(),
            plain: Vec::with_capacity(2 * REQUEST_BYTES_MAX),
            cancel_origin: (OrderId::NONE, 0),
            settings,
            instruments,
        }
    }

    /// A decision of the engine.
    pub fn on_intent(&mut self, intent: &Intent, now: Nanos) {
        match intent.kind {
            // It is encoded and queued at once; whatever else is due is looked at on the next timer or frame.
            IntentKind::Place => return self.on_place(intent, now),
            IntentKind::Cancel => {
                self.cancel_origin = (intent.order, intent.origin_tsc);
                self.on_cancel(intent, now);
            }
            // No encoder yet: refused like anything that cannot be sent.
            IntentKind::Replace | IntentKind::Amend => self.refuse(intent, LocalReject::Limit, now),
        }
        self.pump(now);
        self.cancel_origin = (OrderId::NONE, 0);
    }

    fn on_place(&mut self, intent: &Intent, now: Nanos) {
        self.counters.intents += 1;
        if let Err(local) = self.check_place(intent, now) {
            self.refuse(intent, local, now);
            return;
        }
        let valid_until = now + self.side.validity() + self.settings.validity_margin;
        self.orders.insert(intent, valid_until);
        let instrument = *self.instrument(intent.instrument).expect("check_place found it");
        let order = NewOrder {
            instrument: &instrument,
            order: intent.order,
            side: intent.side,
            tick: intent.tick,
            lots: intent.lots,
            time_in_force: intent.time_in_force,
        };
        self.counters.orders_sent += 1;
        self.send(&Request::Place(order), intent.order, intent.origin_tsc, now);
        if self.settings.mode == GatewayMode::Shadow {
            self.shadow_accept(intent.order, now);
        }
    }

    fn check_place(&mut self, intent: &Intent, now: Nanos) -> Result<(), LocalReject> {
        if !self.ready || self.halted.is_some() || self.shutting_down {
            return Err(LocalReject::NotConnected);
        }
        if now > intent.deadline {
            return Err(LocalReject::Late);
        }
        let limits = self.settings.limits.get(intent.instrument.index()).copied();
        let (Some(instrument), Some(limits)) = (self.instrument(intent.instrument), limits) else {
            return Err(LocalReject::Limit);
        };
        let open = self.orders.open_in(intent.instrument);
        let own = intent.order.epoch() == self.settings.epoch && !self.orders.contains(intent.order);
        if !own || limits::check(intent, instrument, &limits, open).is_err() {
            return Err(LocalReject::Limit);
        }
        if !self.orders.has_room() || self.pending.len() >= PENDING_REQUESTS_MAX {
            return Err(LocalReject::TableFull);
        }
        let paused = now < self.paused_until || now < self.silent_until;
        if paused || !self.throttle.allows(self.side.cost(RequestKind::Place), Urgency::Place, now) {
            return Err(LocalReject::Throttled);
        }
        Ok(())
    }

    fn refuse(&mut self, intent: &Intent, local: LocalReject, now: Nanos) {
        let counter = match local {
            LocalReject::Late => &mut self.counters.refused_late,
            LocalReject::Throttled => &mut self.counters.refused_throttled,
            LocalReject::Limit => &mut self.counters.refused_limit,
            LocalReject::TableFull => &mut self.counters.refused_table_full,
            LocalReject::NotConnected | LocalReject::None => &mut self.counters.refused_not_connected,
        };
        *counter += 1;
        self.events.push_back(refused_here(intent, local, now));
    }

    fn on_cancel(&mut self, intent: &Intent, now: Nanos) {
        let Some(tracked) = self.orders.find_mut(intent.order) else {
            // It never got as far as the table, or is long over.
            let event = refused_here(intent, LocalReject::None, now);
            self.events.push_back(ExecutionEvent { kind: ExecutionKind::CancelRejected, ..event });
            return;
        };
        if tracked.is_open() && tracked.cancel == CancelState::None {
            tracked.cancel = CancelState::Wanted;
        }
        if self.settings.mode == GatewayMode::Shadow {
            self.shadow_cancel(intent.order, now);
        }
    }

    /// A connection that was asked for is open.
    pub fn on_open(&mut self, connection: GatewayConnection, now: Nanos) {
        self.opened(connection, now);
        self.pump(now);
    }

    /// A complete text message arrived.
    pub fn on_frame(&mut self, connection: GatewayConnection, frame: &mut [u8], now: Nanos) {
        self.apply_frame(connection, frame, now);
        self.pump(now);
    }

    /// A connection closed or could not be opened.
    pub fn on_close(&mut self, connection: GatewayConnection, now: Nanos) {
        self.closed(connection, now);
        self.pump(now);
    }

    /// Time passed.
    pub fn on_timer(&mut self, now: Nanos) {
        self.pump(now);
    }

    /// The venue's clock, where the driver asked for it over REST.
    pub fn on_server_time(&mut self, venue: Nanos, sent: Nanos, received: Nanos) {
        self.clock.sample(venue, sent, received);
    }

    /// Takes no more orders, cancels every order of every instrument, and asks until none is left.
    /// [`Gateway::is_quiet`] tells when that is proved.
    pub fn cancel_all(&mut self, now: Nanos) {
        self.begin_shutdown(now);
        self.pump(now);
    }

    /// Stops trading for good, with a message for a human; cancels still leave.
    pub fn halt(&mut self, message: &str, now: Nanos) {
        self.halt_with(0, message.to_owned(), now);
    }

    /// Orders that may be on the venue's book, those of unknown outcome included.
    #[must_use]
    pub fn open_orders(&self) -> usize {
        self.orders.active().filter(|order| order.is_open()).count()
    }

    /// Orders of which nobody knows whether they live.
    #[must_use]
    pub fn unknown_orders(&self) -> usize {
        self.orders.active().filter(|order| order.phase == orders::Phase::Unknown).count()
    }

    /// After [`Gateway::cancel_all`]: the venue confirmed that no order is open and nothing is undecided.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.shutting_down && self.orders.active_count() == 0 && matches!(self.step, Step::Quiet | Step::Stopped)
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

    /// The position that the venue stated last over user data (futures); `None` before any.
    #[must_use]
    pub fn venue_position(&self, instrument: InstrumentId) -> Option<Lots> {
        self.venue_positions.get(instrument.index()).copied().flatten()
    }

    /// The venue's clock minus ours, and how far that may be wrong.
    #[must_use]
    pub fn clock_offset(&self) -> (Nanos, Nanos) {
        (self.clock.offset(), self.clock.uncertainty())
    }

    /// The next thing to carry out; call until `None` after every other call.
    pub fn poll_output(&mut self) -> Option<GatewayOutput<'_>> {
        if let Some(event) = self.events.pop_front() {
            // A gateway serves one venue: each of its events leaves with the venue's name.
            let venue = self.settings.product.venue_id();
            return Some(GatewayOutput::Execution(ExecutionEvent { venue, ..event }));
        }
        match self.queue.pop_front()? {
            Queued::Connect { connection, target } => Some(GatewayOutput::Connect { connection, target }),
            Queued::Close { connection, reason } => Some(GatewayOutput::Close { connection, reason }),
            Queued::Send { connection, place, origin_tsc } => {
                Some(GatewayOutput::Send { connection, bytes: self.outgoing.payload(place), origin_tsc })
            }
        }
    }

    fn instrument(&self, id: InstrumentId) -> Option<&Instrument> {
        self.instruments.iter().find(|instrument| instrument.id == id)
    }

    /// Encodes, counts and queues one request; the caller checked the budget.
    fn send(&mut self, request: &Request<'_>, order: OrderId, origin_tsc: u64, now: Nanos) -> RequestId {
        self.requests += 1;
        let id = RequestId(self.requests);
        let kind = request.kind();
        if self.queue.is_empty() {
            self.outgoing.clear();
        }
        let venue_now = self.clock.venue_time(now);
        let length = match self.side.encode_at(id, request, venue_now, self.outgoing.space(REQUEST_BYTES_MAX)) {
            Some(length) => length,
            None => self.encode_plain(id, request, venue_now),
        };
        self.throttle.take(self.side.cost(kind), now);
        if self.settings.mode == GatewayMode::Shadow {
            // Built, checked, counted, and never sent.
            return id;
        }
        let (connection, place) = (GatewayConnection::Orders, self.outgoing.push(length));
        self.queue.push_back(Queued::Send { connection, place, origin_tsc });
        let deadline = now + self.settings.request_timeout;
        self.pending.insert(id, Pending { kind, order, sent: now, deadline });
        id
    }

    /// The same for a request that no template fits: all but orders and cancels.
    #[cold]
    fn encode_plain(&mut self, id: RequestId, request: &Request<'_>, venue_now: Nanos) -> usize {
        self.plain.clear();
        self.side.encode(id, request, venue_now, &mut self.plain);
        self.outgoing.space(self.plain.len()).copy_from_slice(&self.plain);
        self.plain.len()
    }
}
