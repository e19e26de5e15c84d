//! COLD: one thread that interleaves the turns of every part of a backtest in virtual time.

use super::settings::BacktestSettings;
use super::transit::{Client, Owner, Parcel, Transit, TransitLane};
use super::troubles::{BacktestLink, LinkFault, LinkTrouble, Stall, StalledSide, Troubles};
use crate::connect_budget::{ConnectBudget, ConnectCounters, ConnectPurpose};
use crate::gateway::{Gateway, GatewayAction, GatewayOutput};
use crate::journal::writer::Journal;
use crate::random::Random;
use crate::session::{EngineSink, MarketSession, SessionAction};
use crate::sim::paper::PaperExchange;
use crate::sim::side::{ConnectionId, ExchangeSide};
use crate::venue::instrument::Instrument;
use spinbook_engine::engine::Engine;
use spinbook_engine::event::ExecutionEvent;
use spinbook_engine::intent::{Intent, IntentKind};
use spinbook_engine::ring::Consumer;
use spinbook_engine::strategy::Strategy;
use spinbook_engine::types::{InstrumentId, Nanos};
use std::collections::{BTreeMap, BTreeSet};

/// One venue of a backtest: our side of it and the venue's own.
pub struct BacktestVenue {
    /// Keeps the venue's books.
    pub session: MarketSession,
    /// Carries orders to it.
    pub gateway: Gateway,
    /// The venue itself, simulated.
    pub exchange: Box<dyn ExchangeSide>,
    /// Where orders go instead, as in paper trading: it is beside us, takes every frame that the session takes, and
    /// holds our messages for their round trip itself. None: the venue takes them.
    pub paper: Option<PaperExchange>,
    /// Its instruments, with the ids that the engine knows them by.
    pub instruments: Vec<Instrument>,
}

impl BacktestVenue {
    pub(super) fn trades(&self, instrument: InstrumentId) -> bool {
        self.instruments.iter().any(|own| own.id == instrument)
    }

    /// Whether every invariant of the venue's parts holds.
    ///
    /// # Panics
    /// One of the session's or of the gateway's does not.
    ///
    /// # Errors
    /// The first that does not, in words.
    pub fn check(&self) -> Result<(), String> {
        self.session.check();
        self.gateway.check();
        self.paper.as_ref().map_or(Ok(()), ExchangeSide::check)?;
        self.exchange.check()
    }

    /// Who serves a client of this venue, and whether that is beside us.
    pub(super) fn exchange_of(&mut self, client: Client) -> (&mut dyn ExchangeSide, bool) {
        match (&mut self.paper, client) {
            (Some(paper), Client::Gateway(_)) => (paper, true),
            _ => (&mut *self.exchange, false),
        }
    }

    /// When something happens by itself; of ours nothing does on a side that stands still.
    fn next_deadline(&self, is_hot_stalled: bool, is_io_stalled: bool) -> Nanos {
        let paper = self.paper.as_ref().map_or(Nanos::NEVER, ExchangeSide::next_deadline);
        let session = if is_hot_stalled { Nanos::NEVER } else { self.session.next_deadline() };
        let gateway = if is_io_stalled { Nanos::NEVER } else { self.gateway.next_deadline() };
        self.exchange.next_deadline().min(session).min(gateway).min(paper)
    }
}

/// All parts of a backtest at one moment.
pub struct BacktestState<S> {
    /// The virtual time.
    pub now: Nanos,
    /// The engine that trades.
    pub engine: Engine<S>,
    /// The venues it trades on.
    pub venues: Vec<BacktestVenue>,
}

/// Sees what happens in a backtest. Every method may be left out.
pub trait BacktestObserver<S> {
    /// May put something else in the place of what the engine asks for, or nothing, to break what others must notice.
    fn alter_intent(&mut self, intent: Intent) -> Option<Intent> {
        Some(intent)
    }
    /// May put something else in the place of what the engine is told, or nothing.
    fn alter_execution(&mut self, event: ExecutionEvent) -> Option<ExecutionEvent> {
        Some(event)
    }
    /// The engine asks for an order or a cancel; the gateway has not seen it yet.
    fn on_intent(&mut self, _intent: &Intent, _state: &BacktestState<S>) {}
    /// An execution arrives at the engine, which has not taken it yet.
    fn on_execution(&mut self, _event: &ExecutionEvent, _state: &BacktestState<S>) {}
    /// Everything due at this moment was done.
    fn on_step(&mut self, _state: &BacktestState<S>) {}
}

/// Sees nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl<S> BacktestObserver<S> for Unobserved {}

/// A backtest on its way through virtual time.
pub struct Backtest<S, O> {
    pub(super) state: BacktestState<S>,
    pub(super) observer: O,
    pub(super) settings: BacktestSettings,
    pub(super) random: Random,
    orders: Consumer<Intent>,
    cancels: Consumer<Intent>,
    pub(super) transit: Transit,
    pub(super) owners: BTreeMap<ConnectionId, Owner>,
    /// The connection that each client holds now.
    pub(super) current: Vec<(Owner, ConnectionId)>,
    connections: u64,
    /// Connections that came through.
    pub(super) opened: BTreeSet<ConnectionId>,
    /// For how long a venue that refused a connection takes none, until the client hears of it.
    pub(super) refused: BTreeMap<ConnectionId, Nanos>,
    /// The attempts to connect of our process, by the venue's title.
    budgets: BTreeMap<&'static str, ConnectBudget>,
    pub(super) troubles: Troubles,
    /// Connections that the venue has forgotten and we have not.
    pub(super) half_open: BTreeSet<ConnectionId>,
    /// Our process is not there.
    crashed: bool,
    /// When the parts were asked for their invariants last.
    checked: Nanos,
    pub(super) reconnects: u64,
    trace: u64,
}

impl<S: Strategy, O: BacktestObserver<S>> Backtest<S, O> {
    /// Joins an engine, the far ends of its rings (placed orders, then cancels) and the venues it trades on.
    #[must_use]
    pub fn new(
        settings: BacktestSettings,
        engine: Engine<S>,
        (orders, cancels): (Consumer<Intent>, Consumer<Intent>),
        venues: Vec<BacktestVenue>,
        observer: O,
    ) -> Backtest<S, O> {
        Backtest {
            state: BacktestState { now: settings.start, engine, venues },
            observer,
            settings,
            random: Random::new(settings.seed),
            orders,
            cancels,
            transit: Transit::default(),
            owners: BTreeMap::new(),
            current: Vec::new(),
            connections: 0,
            opened: BTreeSet::new(),
            refused: BTreeMap::new(),
            budgets: BTreeMap::new(),
            troubles: Troubles::default(),
            half_open: BTreeSet::new(),
            crashed: false,
            checked: settings.start,
            reconnects: 0,
            trace: 0xcbf2_9ce4_8422_2325,
        }
    }

    /// Cuts the market connections of a venue `after` the start.
    pub fn cut_market_at(&mut self, venue: usize, after: Nanos) {
        self.cut_at(venue, BacktestLink::Market, after);
    }

    /// Cuts the gateway's connections of a venue `after` the start.
    pub fn cut_orders_at(&mut self, venue: usize, after: Nanos) {
        self.cut_at(venue, BacktestLink::Orders, after);
        self.cut_at(venue, BacktestLink::UserData, after);
    }

    fn cut_at(&mut self, venue: usize, link: BacktestLink, after: Nanos) {
        self.add_fault(LinkFault { venue, link, trouble: LinkTrouble::Down, from: after, until: after + Nanos(1) });
    }

    /// Lets a link fail for a time.
    pub fn add_fault(&mut self, fault: LinkFault) {
        self.troubles.add_fault(fault, self.settings.start);
    }

    /// Lets a side of our process stand still for a time.
    pub fn add_stall(&mut self, stall: Stall) {
        self.troubles.add_stall(stall, self.settings.start);
    }

    /// Starts sessions and gateways at the present moment.
    pub fn start(&mut self) {
        for venue in &mut self.state.venues {
            venue.session.start(self.state.now);
            venue.gateway.on_timer(self.state.now);
        }
        self.carry_all();
    }

    /// Our process is killed at this moment: what it was about to do is not done, its connections end, and the venues go
    /// on alone until [`Backtest::restart`].
    pub fn crash(&mut self) {
        self.crashed = true;
        for (owner, connection) in std::mem::take(&mut self.current) {
            let at = self.arrival_of(owner);
            self.transit.send(TransitLane::Up(connection), at, Parcel::Left { venue: owner.venue, connection });
        }
        self.transit.lose(Parcel::is_within_us);
        self.budgets.clear();
    }

    /// Our process starts again, with an engine, the far ends of its rings, and for each venue a session and a gateway.
    /// Gives back the sessions and gateways that were killed, as they were.
    ///
    /// # Panics
    /// There are not as many sessions and gateways as venues.
    pub fn restart(
        &mut self,
        engine: Engine<S>,
        (orders, cancels): (Consumer<Intent>, Consumer<Intent>),
        venues: Vec<(MarketSession, Gateway)>,
    ) -> Vec<(MarketSession, Gateway)> {
        assert_eq!(venues.len(), self.state.venues.len(), "every venue needs its session and gateway");
        let swap = |(venue, (session, gateway)): (&mut BacktestVenue, _)| {
            (std::mem::replace(&mut venue.session, session), std::mem::replace(&mut venue.gateway, gateway))
        };
        let killed = self.state.venues.iter_mut().zip(venues).map(swap).collect();
        self.state.engine = engine;
        (self.orders, self.cancels) = (orders, cancels);
        self.crashed = false;
        self.start();
        killed
    }

    /// Another process serves a venue from now on; the connections that stood are gone.
    pub fn replace_exchange(&mut self, venue: usize, exchange: Box<dyn ExchangeSide>) {
        self.state.venues[venue].exchange = exchange;
        for link in BacktestLink::ALL {
            self.cut(venue, link);
        }
    }

    /// Whether our process is there.
    #[must_use]
    pub fn is_crashed(&self) -> bool {
        self.crashed
    }

    /// The journal of a venue's gateway, to be read.
    pub fn journal(&mut self, venue: usize) -> &mut Journal {
        self.state.venues[venue].gateway.journal()
    }

    /// The venues themselves, to be asked; what they have to say to clients is carried at the next step.
    pub fn exchange(&mut self, venue: usize) -> &mut dyn ExchangeSide {
        &mut *self.state.venues[venue].exchange
    }

    /// What has been watching, to be told something.
    pub fn observer_mut(&mut self) -> &mut O {
        &mut self.observer
    }

    /// Lets the engine pull its quotes for good.
    pub fn begin_shutdown(&mut self) {
        self.state.engine.begin_shutdown(self.state.now);
        self.carry_all();
    }

    /// Lets every gateway cancel all orders that its venue still has.
    pub fn cancel_all(&mut self) {
        for venue in &mut self.state.venues {
            venue.gateway.cancel_all(self.state.now);
        }
        self.carry_all();
    }

    /// All parts as they are.
    #[must_use]
    pub fn state(&self) -> &BacktestState<S> {
        &self.state
    }

    /// What has been watching.
    #[must_use]
    pub fn observer(&self) -> &O {
        &self.observer
    }

    /// Connections that were lost so far, as the clients saw it.
    #[must_use]
    pub fn reconnects(&self) -> u64 {
        self.reconnects
    }

    /// A digest of every message and decision so far with its moment: equal in two runs that were the same.
    #[must_use]
    pub fn trace(&self) -> u64 {
        self.trace
    }

    /// The parts and the observer, when the run is over.
    #[must_use]
    pub fn into_parts(self) -> (BacktestState<S>, O) {
        (self.state, self.observer)
    }

    /// Goes from deadline to deadline for `span` of virtual time.
    ///
    /// # Panics
    /// An invariant of some part does not hold: that is a bug, and the text names it and the moment.
    pub fn run_for(&mut self, span: Nanos) {
        let end = self.state.now + span;
        loop {
            self.carry_all();
            let next = self.next_deadline().max(self.state.now + Nanos(1));
            if next > end {
                self.state.now = end;
                return;
            }
            self.state.now = next;
            self.step();
        }
    }

    fn next_deadline(&self) -> Nanos {
        let (hot, io) = (self.stands(StalledSide::Hot), self.stands(StalledSide::Io));
        let venues = self.state.venues.iter().map(|venue| venue.next_deadline(hot, io));
        let engine = if hot { Nanos::NEVER } else { self.state.engine.next_deadline() };
        let own = [self.transit.next_at(), self.troubles.next_at(self.state.now), engine];
        venues.chain(own).min().unwrap_or(Nanos::NEVER)
    }

    /// Whether a side of our process does nothing now.
    #[must_use]
    pub fn stands(&self, side: StalledSide) -> bool {
        self.crashed || self.troubles.stalled_until(side, self.state.now).is_some()
    }

    fn step(&mut self) {
        let now = self.state.now;
        self.begin_and_end_faults();
        while let Some(in_flight) = self.transit.take_due(now) {
            self.arrive(in_flight);
            self.carry_all();
        }
        let (hot, io) = (self.stands(StalledSide::Hot), self.stands(StalledSide::Io));
        for venue in &mut self.state.venues {
            venue.exchange.on_timer(now);
            if let Some(paper) = &mut venue.paper {
                paper.on_timer(now);
            }
            if !hot {
                venue.session.on_timer(now, &mut EngineSink { engine: &mut self.state.engine, quiet: false });
            }
        }
        if !hot && self.state.engine.next_deadline() <= now {
            self.state.engine.on_timer(now);
        }
        for venue in &mut self.state.venues {
            if !io && venue.gateway.next_deadline() <= now {
                venue.gateway.on_timer(now);
            }
        }
        if self.settings.check_interval != Nanos::NEVER && now - self.checked >= self.settings.check_interval {
            self.check();
        }
        self.observer.on_step(&self.state);
    }

    /// Asks every part for its invariants.
    ///
    /// # Panics
    /// One does not hold.
    pub fn check(&mut self) {
        self.checked = self.state.now;
        for (place, venue) in self.state.venues.iter().enumerate() {
            if let Err(broken) = venue.check() {
                let after = (self.state.now - self.settings.start).millis();
                panic!("an invariant of venue {place} does not hold after {after} ms: {broken}");
            }
        }
    }

    /// One way over the network, from now.
    pub(super) fn arrival(&mut self) -> Nanos {
        self.state.now + self.settings.network.draw(&mut self.random)
    }

    /// One way between a client and its exchange, from now: none where that is beside us.
    pub(super) fn arrival_of(&mut self, owner: Owner) -> Nanos {
        let beside_us = self.state.venues[owner.venue].exchange_of(owner.client).1;
        if beside_us {
            return self.state.now;
        }
        let slowness = self.slowness(owner.venue, BacktestLink::of(owner));
        self.arrival() + slowness
    }

    pub(super) fn slowness(&mut self, venue: usize, link: BacktestLink) -> Nanos {
        self.troubles.slowness(venue, link, self.state.now, &mut self.random)
    }

    /// The exchange at the other end of a connection.
    pub(super) fn exchange_at(&mut self, venue: usize, connection: ConnectionId) -> &mut dyn ExchangeSide {
        let client = self.owners.get(&connection).map_or(Client::Market(0), |owner| owner.client);
        self.state.venues[venue].exchange_of(client).0
    }

    /// One way over a ring, from now.
    fn ring_arrival(&mut self) -> Nanos {
        self.state.now + self.settings.rings.draw(&mut self.random)
    }

    pub(super) fn note(&mut self, bytes: &[u8]) {
        for byte in bytes.iter().chain(&self.state.now.0.to_le_bytes()) {
            self.trace = (self.trace ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// A connection is gone: if it never came through, its attempt failed.
    pub(super) fn note_unopened(&mut self, owner: Owner) {
        if self.connection_of(owner).is_some_and(|connection| !self.opened.contains(&connection)) {
            self.budget_of(owner.venue).failed();
        }
    }

    pub(super) fn connection_of(&self, owner: Owner) -> Option<ConnectionId> {
        self.current.iter().find(|(known, _)| *known == owner).map(|(_, connection)| *connection)
    }

    pub(super) fn is_current(&self, owner: Owner, connection: ConnectionId) -> bool {
        self.connection_of(owner) == Some(connection)
    }

    pub(super) fn forget(&mut self, owner: Owner) {
        self.current.retain(|(known, _)| *known != owner);
    }

    /// Carries away all that any part wants to send.
    fn carry_all(&mut self) {
        loop {
            let mut carried = !self.crashed && self.carry_rings();
            for venue in 0..self.state.venues.len() {
                carried |= self.carry_exchange(venue);
                carried |= !self.crashed && (self.carry_session(venue) | self.carry_gateway(venue));
            }
            if !carried {
                return;
            }
        }
    }

    /// What our process has used of a venue's connections.
    pub(super) fn budget_of(&mut self, venue: usize) -> &mut ConnectBudget {
        let card = self.state.venues[venue].session.product().card();
        self.budgets.entry(card.title).or_insert_with(|| ConnectBudget::new(card.connects))
    }

    /// What was counted of attempts to connect to a venue since our process started.
    #[must_use]
    pub fn connects(&mut self, venue: usize) -> ConnectCounters {
        self.budget_of(venue).counters()
    }

    fn open(&mut self, owner: Owner, target: String) {
        let now = self.state.now;
        let purpose = match owner.client {
            Client::Market(_) => ConnectPurpose::Market,
            Client::Gateway(_) => ConnectPurpose::Orders,
        };
        let beside_us = self.state.venues[owner.venue].exchange_of(owner.client).1;
        if !beside_us && let Err(at) = self.budget_of(owner.venue).take(purpose, now) {
            self.put_off(owner, at);
            return;
        }
        self.connections += 1;
        let connection = ConnectionId(self.connections);
        self.owners.insert(connection, owner);
        self.forget(owner);
        self.current.push((owner, connection));
        let at = self.arrival_of(owner);
        self.transit.send(TransitLane::Up(connection), at, Parcel::Open { owner, connection, target });
    }

    /// No attempt is made until then: the address has used what the venue allows.
    fn put_off(&mut self, owner: Owner, until: Nanos) {
        let now = self.state.now;
        let venue = &mut self.state.venues[owner.venue];
        match owner.client {
            Client::Market(path) => venue.session.on_put_off(path, until),
            Client::Gateway(connection) => {
                venue.gateway.on_refused(until - now, now);
                venue.gateway.on_close(connection, now);
            }
        }
    }

    fn leave(&mut self, owner: Owner) {
        if let Some(connection) = self.connection_of(owner) {
            self.note_unopened(owner);
            self.forget(owner);
            let at = self.arrival_of(owner);
            self.transit.send(TransitLane::Up(connection), at, Parcel::Left { venue: owner.venue, connection });
        }
    }

    fn send_text(&mut self, owner: Owner, text: Vec<u8>) {
        self.note(&text);
        if let Some(connection) = self.connection_of(owner) {
            let at = self.arrival_of(owner);
            let parcel = Parcel::ToExchange { venue: owner.venue, connection, text };
            self.transit.send(TransitLane::Up(connection), at, parcel);
        }
    }

    fn ping(&mut self, owner: Owner, mark: u64) {
        if let Some(connection) = self.connection_of(owner) {
            let at = self.arrival_of(owner);
            let parcel = Parcel::Ping { venue: owner.venue, connection, mark };
            self.transit.send(TransitLane::Up(connection), at, parcel);
        }
    }

    fn carry_session(&mut self, venue: usize) -> bool {
        let session = &mut self.state.venues[venue].session;
        let Some(action) = session.poll_action() else {
            return false;
        };
        let owner = |path| Owner { venue, client: Client::Market(path) };
        match action {
            SessionAction::Open { path } => {
                let target = session.target(path).to_owned();
                self.open(owner(path), target);
            }
            SessionAction::Send { path, message } => {
                let text = session.message(message).as_bytes().to_vec();
                self.send_text(owner(path), text);
            }
            SessionAction::FetchSnapshot { instrument, limit } => self.ask_for_snapshot(venue, instrument, limit),
            SessionAction::Close { path, .. } => self.leave(owner(path)),
        }
        true
    }

    fn carry_gateway(&mut self, venue: usize) -> bool {
        let owner = |connection| Owner { venue, client: Client::Gateway(connection) };
        match self.state.venues[venue].gateway.poll_output() {
            None => return false,
            Some(GatewayOutput::Action(GatewayAction::Connect { connection, target })) => {
                self.open(owner(connection), target)
            }
            Some(GatewayOutput::Action(GatewayAction::Send { connection, bytes, order, kind, .. })) => {
                let text = bytes.to_vec();
                self.send_text(owner(connection), text);
                let now = self.state.now;
                self.state.venues[venue].gateway.on_sent(order, kind, connection, now);
            }
            Some(GatewayOutput::Action(GatewayAction::Ping { connection, mark })) => self.ping(owner(connection), mark),
            Some(GatewayOutput::Action(GatewayAction::Close { connection, .. })) => self.leave(owner(connection)),
            Some(GatewayOutput::Action(GatewayAction::Ask { ticket, request })) => self.ask(venue, ticket, request),
            Some(GatewayOutput::Execution(event)) => {
                let at = self.ring_arrival();
                self.transit.send(TransitLane::Executions(venue), at, Parcel::Execution(event));
            }
        }
        true
    }

    fn carry_rings(&mut self) -> bool {
        let Some(intent) = self.cancels.pop().or_else(|| self.orders.pop()) else {
            return false;
        };
        let Some(intent) = self.observer.alter_intent(intent) else {
            return true;
        };
        self.note(&intent.order.0.to_le_bytes());
        self.observer.on_intent(&intent, &self.state);
        let lane = if intent.kind == IntentKind::Cancel { TransitLane::Cancels } else { TransitLane::Places };
        let at = self.ring_arrival();
        self.transit.send(lane, at, Parcel::Intent(intent));
        true
    }
}
